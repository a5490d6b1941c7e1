//! Sending in the active session.

use alloc::vec::Vec;
use core::fmt;

use super::{MessageId, SendError, Strength, peer::Peer};
use crate::{
    identity::Address,
    ratchet::associated_fits,
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Step},
    wire::{Header, SessionId},
};

/// Encrypts a message for one device, in the active session with it.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`Address`] | | the device |
/// | in | `plaintext` | 0 to 1,044,479 B | |
/// | in | `associated_data` | 0 to 4,096 B | bound, not sent: the recipient passes the same bytes |
/// | out | [`Sent`] | plaintext and 76 to 90 B; about 120 B more until the first reply | the envelope |
///
/// Reads and writes one record, at most 400 bytes in a settled session. Draws 12 random bytes, and 32 more for the first message after one from the peer's next
/// turn, which also costs one key generation and one Diffie-Hellman.
///
/// # Errors
/// [`SendError`].
///
/// # Spec
/// *The Double Ratchet Algorithm*, 3.4; `docs/protocol.md`, sections 5, 7 and 8.
#[derive(Clone, Copy)]
pub struct Send<'a> {
    /// To which device.
    pub to: Address,
    /// What to say.
    pub plaintext: &'a [u8],
    /// What to bind.
    pub associated_data: &'a [u8],
}

/// An encrypted message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// What goes to the device, through any transport. Send the same bytes again as often as need be.
    pub envelope: Vec<u8>,
    /// The session that it was sent in.
    pub session: SessionId,
    /// Weak: do not put what must stay secret for long into it.
    pub strength: Strength,
    header: Header,
}

impl Sent {
    /// The message's id, the same at the recipient; one SHA-256.
    #[must_use]
    pub fn message_id(&self) -> MessageId {
        MessageId::of(self.session, &self.header)
    }
}

impl fmt::Debug for Send<'_> {
    /// Shows lengths, not what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Send {{ to: {:?}, plaintext: {} bytes }}", self.to, self.plaintext.len())
    }
}

impl Sealed for Send<'_> {}

impl Operation for Send<'_> {
    type Output = Sent;
    type Error = SendError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Sent>, SendError> {
        if !associated_fits(self.associated_data) {
            return Err(SendError::TooLong);
        }
        let mut needs = Needs::new();
        let mut slot = Peer::read(have, &self.to, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let Some(Peer { identity, session: Some(session), .. }) = slot.value.as_mut() else {
            return Err(SendError::NoSession);
        };
        if let Some(offered) = identity.offered() {
            return Err(SendError::IdentityChanged { stored: identity.key(), offered });
        }
        let strength = session.strength();
        let (envelope, header) = session.seal(self.plaintext, self.associated_data, &mut context.random)?;
        let sent = Sent { envelope, session: session.id, strength, header };
        Ok(Run::Done(Step::new(Vec::from_iter(slot.rewrite(context)), sent)))
    }
}
