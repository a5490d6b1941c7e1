//! How messages are padded, by the caller's choice.

use core::num::NonZeroU16;

/// How messages are padded before they are encrypted. The recipient need not know: what it opens says whether it was padded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Padding {
    /// Not at all: an envelope says how long its text is. The default.
    #[default]
    None,
    /// To a multiple of so many bytes, one more at least: all short messages look alike.
    Multiple(NonZeroU16),
    /// To few different lengths, with at most 12 % more: for texts of all lengths (PADMÉ).
    Padme,
}
