//! What is said, and by whom.

use outrigger::Keep;

use crate::who::Who;

/// Lines that are not kept for a retry: of each so many, one.
pub(crate) const NOT_KEPT: u32 = 10;

/// The text of a line.
pub(crate) fn text_of(line: u32) -> Vec<u8> {
    format!("line {line} by {}", speaker(line).name()).into_bytes()
}

/// Who says a line: in runs of two and one.
pub(crate) fn speaker(line: u32) -> Who {
    if matches!(line % 6, 0 | 1 | 3) { Who::Alice } else { Who::Bob }
}

/// Whether the text of a line is kept for a retry.
pub(crate) fn keep(line: u32) -> Keep {
    if line.is_multiple_of(NOT_KEPT) { Keep::Nothing } else { Keep::ForRetry }
}
