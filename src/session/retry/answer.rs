//! Answering a peer that asks for a message again.

use alloc::vec::Vec;
use core::fmt;

use super::{
    super::{
        Keep, MessageId, Strength,
        archive::Archive,
        content::Kind,
        copies::{Place, RetryCopy, Text},
        peer::Peer,
        send::{Outgoing, Said, Sent, encode_stamp, may_speak},
        start::Renewal,
        state::Session,
    },
    RetryError, RetryReason,
    request::{Request, Wanted},
};
use crate::{
    identity::{Address, Device, IdentityKey, Lists},
    prekey::VerifiedBundle,
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step},
    wire::SessionId,
};

/// Answers a device that asks for a message again: with the message, if its copy is still there, or with the word that it will not come. Each envelope is answered
/// once, and a message goes out in at most four. Only the device that the message was for gets it, under the identity key that it was for.
///
/// Where the active session is the broken one, the answer starts another in the same step, from a bundle; the former is archived and opens what is
/// still under way. A request for what this device did not send changes nothing.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`Address`] | | who asks, by the transport's word |
/// | in | `request` | up to 512 B | what came |
/// | in | [`VerifiedBundle`] | | of the same device; where there is none yet, the call says if one is needed |
/// | in | [`IdentityKey`] | | the key on record, where the user has agreed that what was sent to another goes to this one |
/// | out | [`RetryAnswer`] | | what goes to the device |
///
/// One Diffie-Hellman, and what a send or a start costs and draws. Reads the copies of what was sent to the device, up to 64 records; writes one of them, the peer's record
/// and, with a new session, the archive.
///
/// # Errors
/// [`RetryError`]; nothing has changed then.
///
/// # Spec
/// `docs/protocol.md`, section 8 "Retry"; *The Sesame Algorithm*, "Retry requests".
#[derive(Clone, Copy)]
pub struct AnswerRetry<'a> {
    /// From which device it came, by the transport's word.
    pub from: Address,
    /// What came.
    pub request: &'a [u8],
    /// The device's bundle, if the answer may start a session.
    pub bundle: Option<&'a VerifiedBundle>,
    /// The key on record, if the user agreed that it gets what was sent to another. `None`: it does not.
    pub resend_to: Option<IdentityKey>,
}

/// What the peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryOutcome {
    /// The message, again.
    Again,
    /// That it will not come: its text was not kept, is too old, or went out four times. Tell the user, or say it anew.
    Lost,
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryAnswer {
    /// What goes to the device.
    pub envelope: Vec<u8>,
    /// The message that was asked for.
    pub message_id: MessageId,
    /// What the peer is told.
    pub outcome: RetryOutcome,
    /// Why it had to ask, by its own word.
    pub reason: RetryReason,
    /// What the message bound, so that what travels beside it can be made again.
    pub associated_data: Vec<u8>,
    /// Whether a new session was started for it.
    pub restarted: bool,
    /// The session that the answer is in.
    pub session: SessionId,
    /// As of [`Sent`](crate::Sent).
    pub strength: Strength,
    /// As of [`Started`](crate::Started), where a new session was started: the bundle is of less than this device and the peer have had.
    pub downgraded: bool,
}

impl fmt::Debug for RetryAnswer {
    /// Shows what became of which message, and not what the caller bound.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message_id, outcome, reason, restarted, session, .. } = self;
        write!(
            f,
            "RetryAnswer {{ {message_id:?}, {outcome:?}, {reason:?}, restarted: {restarted}, {session:?} }}"
        )
    }
}

impl fmt::Debug for AnswerRetry<'_> {
    /// Shows who asks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerRetry {{ from: {:?}, bundle: {} }}", self.from, self.bundle.is_some())
    }
}

impl Sealed for AnswerRetry<'_> {}

impl Operation for AnswerRetry<'_> {
    type Output = RetryAnswer;
    type Error = RetryError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<RetryAnswer>, RetryError> {
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let mut slot = Peer::read(have, &self.from, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let device = device.value.ok_or(RetryError::NotRegistered)?;
        let mut peer = slot.value.take().ok_or(RetryError::UnknownMessage)?;
        let (asks, request) = Request::open(self.request, &self.from, &device.identity, &device.address)?;
        let stored = peer.identity.key();
        if asks != stored {
            return Err(RetryError::IdentityChanged { stored, offered: asks });
        }
        let copies = Place::all(&self.from, have, context, &mut needs)?;
        let archive = Archive::read(have, &self.from, context, &mut needs)?;
        let lists = Lists::read(have, &self.from.account, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let (place, copy) =
            find(copies.into_iter().take(usize::from(context.limits.retry_copies)), &request.wanted)
                .ok_or(RetryError::UnknownMessage)?;
        self.check(&copy, &stored)?;
        may_speak(&lists, &self.from, &stored, context.now)?;

        let broken = peer.speaking().is_none_or(|session| is_broken(session, &copy, request.reason));
        let mut writes = Vec::new();
        if broken {
            let renewal = self.renewal(&device, &peer, &lists, context)?;
            match renewal.renew(&mut peer, archive, have, context, &mut needs)? {
                Some(archived) => writes = archived,
                None => return Ok(Run::Needs(needs)),
            }
        }
        let stamp = encode_stamp(&lists, &self.from, Vec::new());
        let (outcome, outgoing) = answer(&copy, &stamp, context);
        let (sent, copied) = outgoing.seal(&mut peer, &place, context)?;
        let associated_data = copy.associated_data.to_vec();
        let less = |session: &Session| peer.starts_less(session.suite, &lists, &self.from, context.suites);
        let downgraded = broken && peer.session.as_ref().is_some_and(less);
        writes.extend([copied, slot.write(peer, context)]);
        let Sent { envelope, message_id, session, strength } = sent;
        let answer = RetryAnswer {
            envelope,
            message_id,
            outcome,
            reason: request.reason,
            associated_data,
            restarted: broken,
            session,
            strength,
            downgraded,
        };
        Ok(Run::Done(Step::new(writes, answer)))
    }
}

impl AnswerRetry<'_> {
    /// Whether this device may have the message, and has not had it too often.
    fn check(&self, copy: &RetryCopy<'_>, stored: &IdentityKey) -> Result<(), RetryError> {
        // One envelope more than can carry the message says that it is lost; after that nothing is said.
        if copy.sendings > RetryCopy::MAX_SENDINGS {
            return Err(RetryError::AnsweredEnough);
        }
        if copy.recipient != *stored && self.resend_to != Some(*stored) {
            return Err(RetryError::SentToAnotherKey { sent_to: copy.recipient, stored: *stored });
        }
        Ok(())
    }

    /// The session that is to take the broken one's place, by the device's own bundle.
    fn renewal<'a>(
        &'a self,
        device: &'a Device,
        peer: &Peer,
        lists: &Lists,
        context: &Context<'_>,
    ) -> Result<Renewal<'a>, RetryError> {
        let bundle = self.bundle.ok_or(RetryError::NoBundle)?;
        if *bundle.address() != self.from {
            return Err(RetryError::OtherBundle);
        }
        Ok(Renewal::check(bundle, device, peer, lists, context)?)
    }
}

/// Whether the peer cannot open what is sent in this session: by its own word, or since nothing shows that it followed this far.
fn is_broken(session: &Session, copy: &RetryCopy<'_>, reason: RetryReason) -> bool {
    let current = session.chains.sending_chain().map(|(chain, _)| chain);
    session.id == copy.session && (reason.is_of_session() || current == Some(copy.chain))
}

/// The copy of the envelope that is wanted: what was sent, and not what someone made of it.
fn find<'a>(
    mut copies: impl Iterator<Item = Slot<RetryCopy<'a>>>,
    wanted: &Wanted,
) -> Option<(Slot<RetryCopy<'a>>, RetryCopy<'a>)> {
    copies.find_map(|mut slot| {
        let copy = slot.value.take_if(|copy| wanted.is(copy.envelope, copy.session, copy.digest))?;
        Some((slot, copy))
    })
}

/// What goes out for a copy.
fn answer<'a>(copy: &RetryCopy<'a>, stamp: &'a [u8], context: &Context<'_>) -> (RetryOutcome, Outgoing<'a>) {
    let (outcome, kind, said) = match copy.sendable(context) {
        Some(said) => (RetryOutcome::Again, Kind::Again(copy.message), Said { stamp, ..said }),
        None => (RetryOutcome::Lost, Kind::Lost(copy.message), Said { text: &[], headed: false, stamp }),
    };
    let keep = match outcome {
        RetryOutcome::Again => RetryCopy::text(Keep::ForRetry, &said),
        RetryOutcome::Lost => Text::NotKept,
    };
    let (sendings, said_at) = (copy.sendings.saturating_add(1), copy.sent_at);
    (outcome, Outgoing { kind, said, associated_data: copy.associated_data, keep, sendings, said_at })
}
