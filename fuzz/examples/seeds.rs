//! Writes `fuzz/seeds/<target>/`: run it after a change of the protocol's or the records' bytes, with
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`. It removes nothing: what was found and kept stays.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let seeds = outrigger_fuzz::seeds();
    for seed in &seeds {
        let folder = root.join(seed.target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(&seed.name), &seed.bytes)?;
    }
    println!("{} seeds in {}", seeds.len(), root.display());
    Ok(())
}
