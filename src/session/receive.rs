//! Receiving: the envelope names its session, and that one opens it or nothing does.

use core::fmt;

use super::{
    Content, MessageId, OpenError, Strength, View,
    accept::Accept,
    accepted::{Memory, Recent},
    content::{Kind, Sayers, Unsealed},
    find::{Found, find},
    peer::{ArchivedSession, Peer, skipped_key, write_skipped},
    retry::{RetryReason, is_retry_request},
    state::Session,
};
use crate::{
    identity::{Address, DeviceId, IdentityKey, Lists},
    ratchet::{SkippedKeys, associated_fits},
    step::{Context, Headers, Loaded, Needs, Operation, RecordError, Run, Sealed, Slot, Step, Write},
    wire::{Envelope, HiddenEnvelope, Incoming, SessionId, Suite},
};

/// Opens an envelope.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`Address`] | | the device that the transport says it is from; a wrong word of it opens nothing |
/// | in | `envelope` | 75 to 1,048,576 B | |
/// | in | `associated_data` | 0 to 4,096 B | what the sender bound |
/// | out | [`Received`] | | the plaintext, and how it came |
///
/// In order it reads and writes one record (every eighth time, and once a message has come again each time, also the record of what was opened before, 2 KB) and
/// costs no Diffie-Hellman; a new ratchet key of the peer's costs one. A gap or a late message reads and writes the session's skipped keys too. The first envelope
/// of a session costs three or four more Diffie-Hellmans; the one-time prekey is deleted in the same step. With encrypted headers what the active session does not open costs one more, each
/// envelope before the first reply too, and is looked for in the archive, which reads up to 16 records and takes a round more where a skipped key is wanted. Draws no randomness.
///
/// Opening uses the message's key up: keep the plaintext, or what you make of it, in the same transaction as the step's writes.
///
/// # Errors
/// [`OpenError`]; nothing has changed then, and the same bytes can be tried again.
///
/// # Spec
/// *X3DH*, 3.4; *The Double Ratchet Algorithm*, 3.5; `docs/protocol.md`, sections 6 to 8.
#[derive(Clone, Copy)]
pub struct Receive<'a> {
    /// From which device, by the transport's word.
    pub from: Address,
    /// What came.
    pub envelope: &'a [u8],
    /// What the sender bound.
    pub associated_data: &'a [u8],
}

/// By which session an envelope was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// By the active session.
    Active,
    /// By an archived one: late, or the peer has not met the active one yet.
    Archived,
    /// By a session that it made, and which is the active one now.
    NewSession,
    /// By a session that it made, and which is archived, since the active one started later: both sides started at once, or it is late.
    NewArchived,
}

/// What was opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct Received {
    /// What was said.
    pub content: Content,
    /// Names the message, here and at the sender.
    pub message_id: MessageId,
    /// Whether it answers a retry request: the message's first envelope was not opened here.
    pub again: bool,
    /// The session that opened it.
    pub session: SessionId,
    /// How it came.
    pub arrival: Arrival,
    /// Weak: the session has no full strength yet; an answer gives it.
    pub strength: Strength,
    /// What the session's cryptography is made of.
    pub suite: Suite,
    /// Whether its headers are encrypted.
    pub headers: Headers,
    /// Whether this made a session without the post-quantum part that this device and the peer have had before, or that the peer's phone has signed for in the list on record: tell the user.
    /// `SuitePolicy::Require` refuses it.
    pub downgraded: bool,
    /// How the sender sees both accounts' device lists; none where it knows of none.
    pub view: Option<View>,
    /// Whether the peer says that it came back from a backup and has not heard of this device since. What was on its way to it may come again.
    pub recovered: bool,
}

/// What an envelope held, before it is known for whom in this device it is.
pub(super) struct Opened {
    pub(super) unsealed: Unsealed,
    pub(super) session: SessionId,
    pub(super) arrival: Arrival,
    envelope: MessageId,
    strength: Strength,
    suite: Suite,
    headers: Headers,
    pub(super) downgraded: bool,
    view: Option<View>,
}

impl Opened {
    pub(super) fn new(
        unsealed: Unsealed,
        view: Option<View>,
        envelope: MessageId,
        arrival: Arrival,
        session: &Session,
    ) -> Self {
        let (strength, suite, headers) = (session.strength(), session.suite, session.chains.headers());
        let session = session.id;
        Self { unsealed, session, arrival, envelope, strength, suite, headers, downgraded: false, view }
    }

    fn into_received(self) -> Result<Received, OpenError> {
        let Self { unsealed, session, arrival, envelope, strength, suite, headers, downgraded, view } = self;
        let (message_id, again) = match unsealed.kind {
            Kind::Message => (envelope, false),
            Kind::Named(id) => (id, false),
            Kind::Again(first) | Kind::Lost(first) => (first, true),
        };
        let recovered = unsealed.recovered;
        let content = unsealed.into_content()?;
        Ok(Received {
            content,
            message_id,
            again,
            session,
            arrival,
            strength,
            suite,
            headers,
            downgraded,
            view,
            recovered,
        })
    }
}

impl fmt::Debug for Receive<'_> {
    /// Shows lengths, not what the caller binds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receive {{ from: {:?}, envelope: {} bytes }}", self.from, self.envelope.len())
    }
}

impl Sealed for Receive<'_> {}

impl Operation for Receive<'_> {
    type Output = Received;
    type Error = OpenError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Received>, OpenError> {
        if !associated_fits(self.associated_data) {
            return Err(OpenError::AssociatedDataTooLong);
        }
        if is_retry_request(self.envelope) {
            return Err(OpenError::RetryRequest);
        }
        let incoming = Incoming::parse(self.envelope)?;
        let mut needs = Needs::new();
        let mut slot = Peer::read(have, &self.from, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let arrived = Arrived::new((&self.from, None), &incoming, self.associated_data, have);
        match arrived.receive(&incoming, &mut slot, context)? {
            Run::Needs(needs) => Ok(Run::Needs(needs)),
            Run::Done(Step { mut writes, output }) => {
                let received = output.into_received()?;
                writes.extend(slot.rewrite(context));
                Ok(Run::Done(Step::new(writes, received)))
            }
        }
    }
}

/// What came with an envelope, and what there is to open it.
pub(super) struct Arrived<'a> {
    pub(super) from: &'a Address,
    /// Names the envelope.
    pub(super) id: MessageId,
    pub(super) associated_data: &'a [u8],
    pub(super) have: &'a Loaded,
    /// The key of a desktop that this phone relays for: what names it in place of a device list.
    pub(super) desktop: Option<IdentityKey>,
}

impl<'a> Arrived<'a> {
    pub(super) fn new(
        (from, desktop): (&'a Address, Option<IdentityKey>),
        incoming: &Incoming<'_>,
        associated_data: &'a [u8],
        have: &'a Loaded,
    ) -> Self {
        Self { from, id: MessageId::of_parsed(incoming), associated_data, have, desktop }
    }
}

impl Arrived<'_> {
    /// Opens the envelope, or says why not. What is known of the sender is changed in place; the writes, in no order, are of other records.
    pub(super) fn receive(
        &self,
        incoming: &Incoming<'_>,
        slot: &mut Slot<Peer>,
        context: &Context<'_>,
    ) -> Result<Run<Opened>, OpenError> {
        let recent = slot.value.as_ref().map(|peer| peer.recent);
        let opened = match incoming {
            Incoming::Clear(envelope) => {
                let needs = Needs::about(if envelope.handshake.is_some() { 9 } else { 3 });
                self.open(envelope, slot, needs, context)
            }
            Incoming::Hidden(hidden) => self.open_hidden(hidden, slot, context),
        };
        match recent {
            Some(recent) => opened.or_else(|error| self.explain(error, &recent, context)),
            None => opened,
        }
    }

    /// Opens an envelope with an encrypted header, once it is found of which session it is.
    fn open_hidden(
        &self,
        hidden: &HiddenEnvelope<'_>,
        slot: &mut Slot<Peer>,
        context: &Context<'_>,
    ) -> Result<Run<Opened>, OpenError> {
        let mut needs = Needs::new();
        match find(hidden, self.from, slot.value.as_ref(), self.have, context, &mut needs) {
            Ok(Some(Found { envelope, archived: Some(mut archived) })) => {
                self.open_on_record(&envelope, Some(&mut archived), slot, context)
            }
            Ok(Some(Found { envelope, archived: None })) => self.open(&envelope, slot, needs, context),
            Ok(None) => Ok(Run::Needs(needs)),
            Err(OpenError::OutOfStep) => Err(self.of_no_session(slot, context)?),
            Err(error) => Err(error),
        }
    }

    /// Opens the envelope in the session that it names, or in the one that it makes, for which `needs` may be asked ahead.
    fn open(
        &self,
        envelope: &Envelope<'_>,
        slot: &mut Slot<Peer>,
        mut needs: Needs,
        context: &Context<'_>,
    ) -> Result<Run<Opened>, OpenError> {
        let named = envelope.session_id;
        let active = slot.value.as_ref().and_then(|peer| peer.session.as_ref());
        if active.is_some_and(|session| session.id == named) {
            return self.open_on_record(envelope, None, slot, context);
        }
        let archived_key = ArchivedSession::key(self.from, named);
        let mut archived = self.have.read::<ArchivedSession>(archived_key, context, &mut needs)?;
        let handshake = envelope.handshake.as_deref();
        let read = |bytes| Accept::read((bytes, envelope.suite), self, context, &mut needs);
        let accept = handshake.map(read).transpose();
        // Whatever session it is of, it may be stamped, and what is of none may be a removed companion's: asked for now, all settles in three rounds.
        Lists::ask_ahead(self.have, &self.from.account, &mut needs);
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        if slot.value.is_some() && archived.value.as_ref().is_some_and(|old| !old.expired(context)) {
            return self.open_on_record(envelope, Some(&mut archived), slot, context);
        }
        match accept? {
            Some(accept) => accept.finish(self, envelope, slot, context),
            None => Err(self.of_no_session(slot, context)?),
        }
    }

    /// Why an envelope of no session on record is refused: a companion that its account has removed has none.
    fn of_no_session(&self, slot: &Slot<Peer>, context: &Context<'_>) -> Result<OpenError, RecordError> {
        let is_companion = self.from.device != DeviceId::PHONE && self.desktop.is_none();
        let companion = slot.value.as_ref().filter(|_| is_companion);
        let Some(companion) = companion else { return Ok(OpenError::OutOfStep) };
        let lists = self.lists(context, &mut Needs::new())?;
        let unlisted = lists.name(self.from, &companion.identity.key()).err();
        Ok(unlisted.map_or(OpenError::OutOfStep, OpenError::Unlisted))
    }

    /// Opens the envelope in a session that is on record: in the archived one that is given, or else in the active one.
    fn open_on_record(
        &self,
        envelope: &Envelope<'_>,
        mut archived: Option<&mut Slot<ArchivedSession>>,
        slot: &mut Slot<Peer>,
        context: &Context<'_>,
    ) -> Result<Run<Opened>, OpenError> {
        let Peer { session, recent, listed, .. } = slot.value.as_mut().ok_or(OpenError::OutOfStep)?;
        let (session, arrival) = match &mut archived {
            Some(old) => (old.value.as_mut().map(|old| &mut old.session), Arrival::Archived),
            None => (session.as_mut(), Arrival::Active),
        };
        let session = session.ok_or(OpenError::OutOfStep)?;
        let mut needs = Needs::new();
        // A session has one suite from its first message to its last.
        if envelope.suite != session.suite {
            return Err(OpenError::NotAuthentic);
        }
        let located = session.chains.locate(&envelope.message.header, &context.limits)?;
        let skipped_key = skipped_key(self.from, session.id);
        let mut stored = Slot::<SkippedKeys<'_>>::absent(skipped_key);
        if located.needs_skipped() {
            stored = self.have.read(skipped_key, context, &mut needs)?;
        }
        // What is late may be a repeat: its refusal asks for the memory too, and would need a round more.
        let memory = match located.needs_skipped() {
            true => Memory::to_ask(self.from, self.have, context, &mut needs)?,
            false => Memory::to_note(recent, self.from, self.have, context, &mut needs)?,
        };
        let mut lists = match *listed {
            true => Some(self.lists(context, &mut needs)?),
            false => None,
        };
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let mut skipped = stored.value.take().unwrap_or(SkippedKeys::none());
        let unsealed = session.open(located, envelope, self.associated_data, &mut skipped, context)?;
        let noted = self.note(&unsealed, memory, recent, context, &mut needs)?;
        if unsealed.concerns_lists() && lists.is_none() {
            lists = Some(self.lists(context, &mut needs)?);
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let view = lists.map_or(Ok(None), |lists| self.view(&unsealed, &lists))?;
        *listed |= view.is_some();
        let opened = Opened::new(unsealed, view, self.id, arrival, session);
        let archived = archived.and_then(|archived| archived.rewrite(context));
        let others = noted.into_iter().chain(write_skipped(&stored, skipped, context));
        let writes = archived.into_iter().chain(others).collect();
        Ok(Run::Done(Step { writes, output: opened }))
    }

    /// Whether the key that the sender offers is one of its account: by the device list, a relayed desktop's by what its phone knows of it.
    pub(super) fn is_named(&self, offered: &IdentityKey, lists: &Lists) -> Result<(), OpenError> {
        match self.desktop {
            Some(desktop) if desktop == *offered => Ok(()),
            Some(_) | None => lists.name(self.from, offered).map_err(OpenError::Unlisted),
        }
    }

    /// What the stamp says, and whether the sender may say what it did.
    pub(super) fn view(&self, unsealed: &Unsealed, lists: &Lists) -> Result<Option<View>, OpenError> {
        let own = lists.own().filter(|own| *own.known.list.account() == self.from.account);
        let phone = self.from.device == DeviceId::PHONE;
        let entitled = match (unsealed.sayers(), own) {
            (Sayers::Anyone, _) | (Sayers::OwnAccount, Some(_)) => true,
            (Sayers::OwnPhone, Some(_)) => phone,
            (Sayers::OwnCompanion, Some(own)) => !phone && own.device == DeviceId::PHONE,
            (Sayers::OwnAccount | Sayers::OwnPhone | Sayers::OwnCompanion, None) => false,
        };
        if !entitled {
            return Err(OpenError::NotEntitled);
        }
        Ok(unsealed.stamp.clone().map(|stamp| stamp.compare(lists, self.from)))
    }

    pub(super) fn lists(&self, context: &Context<'_>, needs: &mut Needs) -> Result<Lists, RecordError> {
        Lists::read(self.have, &self.from.account, context, needs)
    }

    /// Notes what was opened; a message that came before in another envelope is refused. Nothing is noted where more records are needed.
    pub(super) fn note(
        &self,
        unsealed: &Unsealed,
        mut memory: Memory,
        recent: &mut Recent,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Write>, OpenError> {
        let first = match unsealed.kind {
            Kind::Message => {
                if memory.came_again(recent, self.id) {
                    return Err(OpenError::Duplicate);
                }
                return Ok(memory.note(recent, self.id, self.id, context));
            }
            Kind::Again(first) | Kind::Lost(first) | Kind::Named(first) => first,
        };
        memory = Memory::to_ask(self.from, self.have, context, needs)?;
        if !needs.is_empty() {
            return Ok(None);
        }
        if memory.knows(recent, first) {
            return Err(OpenError::Duplicate);
        }
        if let Kind::Named(name) = unsealed.kind {
            return Ok(memory.note_named(recent, self.id, name, context));
        }
        // What is lost has not been opened, and should its first envelope come after all, it is.
        let brought = if unsealed.kind == Kind::Lost(first) { self.id } else { first };
        Ok(memory.note(recent, self.id, brought, context))
    }

    /// The reason of a refusal, once it is known whether the message was opened before.
    fn explain(
        &self,
        error: OpenError,
        recent: &Recent,
        context: &Context<'_>,
    ) -> Result<Run<Opened>, OpenError> {
        if RetryReason::of(&error).is_none() {
            return Err(error);
        }
        let mut needs = Needs::new();
        let memory = Memory::to_ask(self.from, self.have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        Err(if memory.knows(recent, self.id) { OpenError::Duplicate } else { error })
    }
}
