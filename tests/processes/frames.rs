//! Envelopes in a file, one after another: the mail that waits for a device, and what it has let out.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

/// Appends one, at once.
pub(crate) fn append(path: &Path, envelope: &[u8]) {
    let len = u32::try_from(envelope.len()).unwrap();
    let frame = [&len.to_be_bytes()[..], envelope].concat();
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(&frame).unwrap();
}

/// All in a file; where its writer died in the middle of the last, that one is not there.
pub(crate) fn read(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap_or_default();
    let (mut rest, mut frames) = (&bytes[..], Vec::new());
    while let Some((len, after)) = rest.split_first_chunk() {
        let Some((frame, after)) = after.split_at_checked(u32::from_be_bytes(*len) as usize) else { break };
        frames.push(frame.to_vec());
        rest = after;
    }
    frames
}
