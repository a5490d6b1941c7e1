//! Padding, so that the length of an envelope says less. `docs/protocol.md`, section 8 "Padding".

use alloc::vec::Vec;

use crate::{step::Padding, wire::ending};

/// The length to which one is padded: at most 12 % more, and of few different ones (PADMÉ, *Reducing Metadata Leakage from Encrypted Files*, 2019).
pub(crate) fn padme(len: usize) -> usize {
    let exponent = len.max(2).ilog2();
    let bits = exponent.max(1).ilog2().saturating_add(1);
    let mask = 1_usize.checked_shl(exponent.saturating_sub(bits)).unwrap_or(1).saturating_sub(1);
    len.saturating_add(mask) & !mask
}

/// What is put behind content of this length: nothing, or an end and zeros, as far as there is room for them.
pub(super) fn behind(len: usize, padding: Padding, limit: usize) -> Vec<u8> {
    let ended = len.saturating_add(1);
    let target = match padding {
        Padding::None => return Vec::new(),
        Padding::Multiple(bytes) => ended.checked_next_multiple_of(usize::from(bytes.get())),
        Padding::Padme => Some(padme(ended)),
    };
    // What is so long that its end does not fit goes without one.
    ending(target.unwrap_or(limit).min(limit).saturating_sub(len))
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU16;

    use super::*;
    use crate::wire::unended;

    /// PADMÉ by its published rule, on numbers worked out by hand: at most 12 % more, and few lengths.
    #[test]
    fn lengths_are_padded_by_the_published_rule() {
        for (len, expected) in
            [(0, 0), (1, 1), (9, 10), (161, 176), (1_000, 1_024), (5_084, 5_120), (9_000, 9_216)]
        {
            assert_eq!(padme(len), expected, "{len}");
        }
        for len in 16..20_000_usize {
            assert!(padme(len) >= len && padme(len) * 100 <= len * 112, "{len}");
        }
    }

    /// Whatever the content ends with, what was put behind it comes off again, and no more.
    #[test]
    fn padding_comes_off_again() {
        let by = |bytes| Padding::Multiple(NonZeroU16::new(bytes).unwrap());
        for content in [&b""[..], b"text", b"\0\0", b"\x80", b"\x80\0", &[0x80; 300]] {
            for padding in [by(1), by(160), by(u16::MAX), Padding::Padme] {
                let whole = [content, &behind(content.len(), padding, 100_000)].concat();
                assert_eq!(unended(&whole), Some(content.len()), "{padding:?}");
            }
        }
        assert_eq!(behind(160, by(160), 1_000).len(), 160, "an end needs a byte");
        assert_eq!(behind(100, by(160), 120).len(), 20);
        assert!(behind(100, by(160), 100).is_empty() && behind(7, Padding::None, 100).is_empty());
    }
}
