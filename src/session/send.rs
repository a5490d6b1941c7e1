//! Sending in the active session.

use alloc::vec::Vec;
use core::fmt;

use super::{
    Keep, MessageId, SendError, Strength,
    content::Kind,
    copies::{RetryCopy, Text},
    message_id::EnvelopeDigest,
    peer::Peer,
};
use crate::{
    identity::Address,
    ratchet::associated_fits,
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, UnixMillis, Write},
    wire::SessionId,
};

/// Encrypts a message for one device, in the active session with it, and remembers what was sent.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`Address`] | | the device |
/// | in | `plaintext` | 0 to 1,044,463 B | |
/// | in | `associated_data` | 0 to 4,096 B | bound, not sent: the recipient passes the same bytes |
/// | in | [`Keep`] | | whether it can be sent again, should the recipient ask |
/// | out | [`Sent`] | plaintext and 76 to 90 B; about 120 B more until the first reply | the envelope |
///
/// Reads and writes two records: the peer's, at most 400 bytes in a settled session, and the message's copy, about 160 bytes and what is kept. Draws 12 random bytes, and 32
/// more for the first message after one from the peer's next turn, which also costs one key generation and one Diffie-Hellman.
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
    /// Whether the text is kept for a retry.
    pub keep: Keep,
}

/// An encrypted message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// What goes to the device, through any transport. Send the same bytes again as often as need be.
    pub envelope: Vec<u8>,
    /// Names the message, here and at the recipient.
    pub message_id: MessageId,
    /// The session that it was sent in.
    pub session: SessionId,
    /// Weak: do not put what must stay secret for long into it.
    pub strength: Strength,
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
        let place = Peer::next_copy(have, &self.to, context, &mut needs)?.unwrap_or_default();
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let copy = place.slot(&self.to, have, context, &mut needs);
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let mut slot = Peer::read(have, &self.to, context, &mut needs)?;
        let peer = slot.value.as_mut().ok_or(SendError::NoSession)?;
        let text = RetryCopy::text(self.keep, self.plaintext);
        let outgoing = Outgoing {
            kind: Kind::Message,
            text: self.plaintext,
            associated_data: self.associated_data,
            keep: text,
            sendings: 1,
            said_at: context.now,
        };
        let (sent, copied) = outgoing.seal(peer, &copy, context)?;
        peer.next_copy = peer.next_copy.next(&context.limits);
        let writes = slot.rewrite(context).into_iter().chain([copied]).collect();
        Ok(Run::Done(Step::new(writes, sent)))
    }
}

/// A message on its way into the session that speaks, and into its copy.
pub(super) struct Outgoing<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a [u8],
    pub(super) associated_data: &'a [u8],
    pub(super) keep: Text<'a>,
    pub(super) sendings: u8,
    /// When the message was first sent: how long its text is kept counts from then.
    pub(super) said_at: UnixMillis,
}

impl<'a> Outgoing<'a> {
    /// Seals the message, and gives the write of its copy.
    pub(super) fn seal(
        self,
        peer: &mut Peer,
        place: &Slot<RetryCopy<'_>>,
        context: &mut Context<'_>,
    ) -> Result<(Sent, Write), SendError> {
        let (recipient, offered) = (peer.identity.key(), peer.identity.offered());
        let session = peer.speaking().ok_or(SendError::NoSession)?;
        if let Some(offered) = offered {
            return Err(SendError::IdentityChanged { stored: recipient, offered });
        }
        let (id, strength) = (session.id, session.strength());
        let bytes = session.seal(self.kind, self.text, self.associated_data, &mut context.random)?;
        let envelope = MessageId::at_end(&bytes);
        let message = match self.kind {
            Kind::Message => envelope,
            Kind::Again(message) | Kind::Lost(message) => message,
        };
        let copy = RetryCopy {
            envelope,
            message,
            session: id,
            chain: session.chains.sending_chain().map(|(chain, _)| chain).unwrap_or_default(),
            recipient,
            sent_at: self.said_at,
            sendings: self.sendings,
            digest: EnvelopeDigest::of(&bytes),
            associated_data: self.associated_data,
            text: self.keep,
        };
        let write = place.write(copy, context);
        Ok((Sent { envelope: bytes, message_id: message, session: id, strength }, write))
    }
}
