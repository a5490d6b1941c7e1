//! What stands behind content that has padding: `0x80` and zeros, which come off again whatever the content ends with. `docs/protocol.md`, sections 6 "Notes" and 8 "Padding".

use alloc::{vec, vec::Vec};

/// What stands before the zeros.
const END: u8 = 0x80;

/// An end and zeros, so many bytes in all; where there is no room for the end, nothing.
pub(crate) fn ending(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    if let Some(first) = bytes.first_mut() {
        *first = END;
    }
    bytes
}

/// Length of what stands before an end and zeros; `None` where that is not how it ends.
pub(crate) fn unended(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().rposition(|byte| *byte != 0)?;
    (bytes.get(end) == Some(&END)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the content ends with, what was put behind it comes off again, and no more.
    #[test]
    fn an_ending_comes_off_again() {
        for content in [&b""[..], b"text", b"\0\0", b"\x80", b"\x80\0", &[0x80; 300]] {
            for len in [1, 2, 160] {
                assert_eq!(unended(&[content, &ending(len)].concat()), Some(content.len()));
            }
        }
        assert_eq!(ending(3), [0x80, 0, 0]);
        assert!(ending(0).is_empty());
        assert_eq!([unended(b""), unended(b"\0\0"), unended(b"text")], [None; 3]);
    }
}
