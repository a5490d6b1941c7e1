//! Message ids.

use core::fmt;

use crate::{
    primitives::{kdf, labels},
    wire::{Header, SessionId},
};

/// Names a message: 16 bytes, the same at sender and recipient, derived from session, ratchet key and counter, never sent. `docs/protocol.md`, section 8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; Self::LEN]);

impl MessageId {
    /// Length in bytes.
    pub const LEN: usize = 16;

    pub(super) fn of(session: SessionId, header: &Header) -> Self {
        let parts = [&session.0[..], header.ratchet_key.as_bytes(), &header.counter.to_be_bytes()];
        Self(kdf::truncate(kdf::sha256(labels::MESSAGE_ID, &parts)))
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
