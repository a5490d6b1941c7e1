//! A directory for one run, removed with all it holds when the run is over.

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
};

/// A fresh directory that nobody else can read: the stores in it hold private keys.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        let mut name = [0; 8];
        getrandom::fill(&mut name)?;
        let path = env::temp_dir().join(format!("outrigger-{:016x}", u64::from_be_bytes(name)));
        make_private(&path)?;
        Ok(Self(path))
    }

    /// A directory in it.
    pub(crate) fn directory(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        make_private(&path)?;
        Ok(path)
    }
}

impl fmt::Display for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            anstream::eprintln!("{} was not removed: {error}", self.0.display());
        }
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
