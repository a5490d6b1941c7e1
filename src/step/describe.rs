//! What any record says of itself without its secrets.

use super::{Generation, RecordError, RecordKey, RecordKind, codec::open_record};

/// A record from outside: enough to see whether a store holds what it should. For what the records of a pair mean together there is [`Diagnose`](crate::Diagnose).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordDescription {
    /// What it is.
    pub kind: RecordKind,
    /// Its format version.
    pub version: u8,
    /// Whether it is of the generation that was asked about; else the store came back from a backup.
    pub current: bool,
    /// Length of its body in bytes.
    pub body_len: usize,
}

impl RecordDescription {
    /// Looks at a record's head.
    ///
    /// # Errors
    /// [`RecordError::Corrupt`] and [`TooNew`](RecordError::TooNew).
    pub fn of(key: &RecordKey, bytes: &[u8], generation: Generation) -> Result<Self, RecordError> {
        let (written, mut body) = open_record(key, bytes, key.kind())?;
        Ok(Self {
            kind: key.kind(),
            version: bytes.get(1).copied().unwrap_or_default(),
            current: written == generation,
            body_len: body.rest().len(),
        })
    }
}
