//! The report of one device about another.

use alloc::vec::Vec;

use super::super::{
    Strength,
    accepted::Memory,
    archive::Archive,
    copies::{Place, Text},
    peer::{ArchivedSession, Peer},
    retry::Budget,
    state::{Phase, Session},
};
use crate::{
    identity::{Address, Device, DeviceError, IdentityKey, TrustMark},
    prekey::{Prekeys, PrekeysDescription},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Step, UnixMillis},
    wire::SessionId,
};

/// Makes a report about a peer's device: everything that is on record of it, without a secret. Writes nothing.
///
/// Reads the records of the device, of prekeys, of the peer, of its archive and what is in it, and up to 64 of sent messages.
///
/// # Errors
/// [`DeviceError::NotRegistered`], [`Record`](DeviceError::Record).
#[derive(Clone, Copy, Debug)]
pub struct Diagnose {
    /// About which device.
    pub peer: Address,
}

/// What one device has on record of another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// When it was made, by this device's clock.
    pub made_at: UnixMillis,
    /// The device that made it.
    pub device: Address,
    /// Its identity key.
    pub identity_key: IdentityKey,
    /// About which device.
    pub peer: Address,
    /// The identity key on record for it.
    pub peer_key: Option<IdentityKey>,
    /// How far that key is trusted.
    pub trust: TrustMark,
    /// Whether the active session sends nothing any more, since this device came back from a backup.
    pub stale: bool,
    /// The active session.
    pub active: Option<SessionReport>,
    /// The archived ones, newest first.
    pub archived: Vec<SessionReport>,
    /// What is on record of the messages sent last.
    pub sent: SentReport,
    /// How many messages are remembered as opened.
    pub opened: u16,
    /// Retry requests to the device in the hour that runs.
    pub asked: u16,
    /// Whether another retry request to it is allowed now.
    pub may_ask: bool,
    /// One-time prekeys of this device that others can start sessions with.
    pub one_time_prekeys: u16,
}

/// What is on record of the messages sent last to a device, at most 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentReport {
    /// Whose text is kept.
    pub kept: u8,
    /// Whose text is not kept, or too old.
    pub not_kept: u8,
    /// That were sent again, since the device asked.
    pub again: u8,
}

/// One session, seen from one side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionReport {
    /// Names it at both sides.
    pub id: SessionId,
    /// How far it has come.
    pub phase: SessionPhase,
    /// Whether it began without a one-time prekey and no turn has been completed.
    pub strength: Strength,
    /// Orders it among the sessions of the two devices.
    pub order: UnixMillis,
    /// When it began at this side, by this side's clock.
    pub started_at: UnixMillis,
    /// The chain that this side sends in; none while a turn is due, and in an archived session.
    pub sending: Option<ChainReport>,
    /// Messages in the sending chain before.
    pub previous_counter: u32,
    /// The chain that it receives in.
    pub receiving: Option<ChainReport>,
    /// The receiving chains before, newest first.
    pub earlier: Vec<[u8; 8]>,
}

/// How far a session has come at one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SessionPhase {
    /// Started here; nothing has opened in it.
    Initiating = 0,
    /// Started by the peer, which has not answered yet.
    Responding = 1,
    /// Each side has answered the other.
    Settled = 2,
}

/// One chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainReport {
    /// The first 8 bytes of the ratchet key.
    pub key: [u8; 8],
    /// The number of its next message.
    pub next: u32,
}

impl SessionReport {
    pub(super) fn of(session: &Session) -> Self {
        let chain = |(tag, next): (crate::ratchet::ChainTag, u32)| ChainReport { key: tag.0, next };
        Self {
            id: session.id,
            phase: match session.phase {
                Phase::Initiating { .. } => SessionPhase::Initiating,
                Phase::Responding => SessionPhase::Responding,
                Phase::Settled => SessionPhase::Settled,
            },
            strength: session.strength(),
            order: session.order,
            started_at: session.started_at,
            sending: session.chains.sending_chain().map(chain),
            previous_counter: session.chains.previous_counter(),
            receiving: session.chains.receiving_chain().map(chain),
            earlier: session.chains.earlier_chains().iter().map(|tag| tag.0).collect(),
        }
    }
}

impl Sealed for Diagnose {}

impl Operation for Diagnose {
    type Output = Report;
    type Error = DeviceError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Report>, DeviceError> {
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let peer = Peer::read(have, &self.peer, context, &mut needs)?;
        let archive = Archive::read(have, &self.peer, context, &mut needs)?;
        let prekeys = Prekeys::read(have, context, &mut needs)?;
        let memory = Memory::to_ask(&self.peer, have, context, &mut needs)?;
        let budget = Budget::read(&self.peer, have, context, &mut needs)?;
        let copies = Place::all(&self.peer, have, context, &mut needs)?;
        let mut archived = Vec::new();
        for id in archive.value.iter().flat_map(Archive::sessions) {
            let slot =
                have.read::<ArchivedSession>(ArchivedSession::key(&self.peer, id), context, &mut needs)?;
            archived.extend(slot.value.map(|old| SessionReport::of(&old.session)));
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let device = device.value.ok_or(DeviceError::NotRegistered)?;
        let mut sent = SentReport::default();
        for copy in copies.iter().filter_map(|slot| slot.value.as_ref()) {
            let count = match copy.text {
                Text::Kept(_) | Text::Headed(_) if !copy.expired(context) => &mut sent.kept,
                Text::Kept(_) | Text::Headed(_) | Text::NotKept => &mut sent.not_kept,
            };
            *count = count.saturating_add(1);
            sent.again = sent.again.saturating_add(u8::from(copy.sendings > 1));
        }
        let prekeys = PrekeysDescription::of(&prekeys.value.unwrap_or_default());
        let alive = prekeys.offered.saturating_add(prekeys.confirmed);
        let (asked, may_ask) = budget.state(context);
        let peer = peer.value.as_ref();
        let report = Report {
            made_at: context.now,
            device: device.address,
            identity_key: device.identity.public(),
            peer: self.peer,
            peer_key: peer.map(|peer| peer.identity.key()),
            trust: peer.map_or(TrustMark::Unknown, |peer| peer.identity.mark()),
            stale: peer.is_some_and(|peer| peer.stale),
            active: peer.and_then(|peer| peer.session.as_ref()).map(SessionReport::of),
            archived,
            sent,
            opened: peer.map_or(0, |peer| memory.count(&peer.recent)),
            asked,
            may_ask,
            one_time_prekeys: u16::try_from(alive).unwrap_or(u16::MAX),
        };
        Ok(Run::Done(Step::new(Vec::new(), report)))
    }
}
