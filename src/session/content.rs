//! What the AEAD of a session seals: `kind (1) ‖ [message id (16)] ‖ text`. `docs/protocol.md`, section 8 "Content".

use super::{MessageId, OpenError};
use crate::primitives::SecretBytes;

/// What an envelope brought.
#[derive(Debug)]
#[non_exhaustive]
pub enum Content {
    /// A message of the app.
    Message(SecretBytes),
    /// The message of this id was asked for again, and the sender has it no more: it will not come.
    Lost,
}

impl Content {
    /// The text of a message; `None` where it is lost.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Message(text) => Some(text),
            Self::Lost => None,
        }
    }
}

/// What is sealed, but for the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message.
    Message,
    /// A message that was sent before, by its first envelope's id.
    Again(MessageId),
    /// A message that was asked for again and cannot be sent.
    Lost(MessageId),
}

const MESSAGE: u8 = 1;
const AGAIN: u8 = 2;
const LOST: u8 = 3;
/// Set in the kind while the sender, since it was restored from a backup, has not been answered.
const RECOVERED: u8 = 0x80;

/// The bytes in front of the text.
pub(super) struct Front {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
}

impl Front {
    pub(super) const MAX_LEN: usize = 1 + MessageId::LEN;

    pub(super) fn new(kind: Kind, recovered: bool) -> Self {
        let (first, id) = match kind {
            Kind::Message => (MESSAGE, None),
            Kind::Again(id) => (AGAIN, Some(id)),
            Kind::Lost(id) => (LOST, Some(id)),
        };
        let mark = if recovered { RECOVERED } else { 0 };
        let mut bytes = [first | mark; Self::MAX_LEN];
        if let (Some(id), Some(place)) = (id, bytes.last_chunk_mut()) {
            *place = id.0;
        }
        Self { bytes, len: if id.is_some() { Self::MAX_LEN } else { 1 } }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Sealed bytes taken apart.
pub(super) struct Unsealed {
    pub(super) kind: Kind,
    pub(super) recovered: bool,
    pub(super) text: SecretBytes,
}

impl Unsealed {
    /// Takes what was opened apart; what is not known stays sealed for a later version.
    pub(super) fn parse(mut sealed: SecretBytes) -> Result<Self, OpenError> {
        let first = sealed.first().copied().unwrap_or(0);
        let unknown = OpenError::UnknownContent(first);
        let id =
            || sealed.get(1..).and_then(|rest| rest.first_chunk()).copied().map(MessageId).ok_or(unknown);
        let kind = match first & !RECOVERED {
            MESSAGE => Kind::Message,
            AGAIN => Kind::Again(id()?),
            LOST if sealed.len() == Front::MAX_LEN => Kind::Lost(id()?),
            _ => return Err(unknown),
        };
        let front = if kind == Kind::Message { 1 } else { Front::MAX_LEN };
        sealed.as_mut_vec().drain(..front);
        Ok(Self { kind, recovered: first & RECOVERED != 0, text: sealed })
    }
}
