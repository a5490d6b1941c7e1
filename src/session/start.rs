//! Starting a session from a verified bundle.

use alloc::vec::Vec;

use super::{
    StartError, Strength,
    archive::{Archive, ArchivePlace},
    peer::Peer,
    state::{Phase, Session},
};
use crate::{
    handshake::{Initiated, Party, initiate},
    identity::{Device, IdentityKey, PeerIdentity},
    prekey::VerifiedBundle,
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Step, UnixMillis},
    wire::SessionId,
};

/// Starts a session with the device whose bundle was verified; [`Send`](super::Send) then speaks in it at once. The first identity key seen at
/// an address is pinned. A session that was active before is archived.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | [`VerifiedBundle`] | from [`VerifiedBundle::verify`]; holds the peer's address |
/// | out | [`Started`] | the session's id, and whether it starts weak |
///
/// Three or four Diffie-Hellmans for the handshake, one for the ratchet, two key generations. Draws 64 random bytes. Writes the peer's record, and where one was
/// active before, the archive.
///
/// # Errors
/// [`StartError`]. [`IdentityChanged`](StartError::IdentityChanged) waits for [`DecideIdentity`](super::DecideIdentity);
/// [`AlreadyStarted`](StartError::AlreadyStarted) says that a session waits for its first reply: send in it, or [`Restart`].
///
/// # Spec
/// *X3DH*, 3.3; `docs/protocol.md`, sections 6 and 8.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// Whom to speak with.
    pub bundle: &'a VerifiedBundle,
}

/// [`Start`], and where a session that this device started waits for its first reply, gives that one up: for when the peer says that it
/// cannot open it, or has been silent for long.
#[derive(Clone, Copy, Debug)]
pub struct Restart<'a> {
    /// Whom to speak with, with prekeys that the peer still holds.
    pub bundle: &'a VerifiedBundle,
}

/// A session that can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Started {
    /// Names the session at both sides.
    pub session: SessionId,
    /// Weak where the bundle had no one-time prekey.
    pub strength: Strength,
}

impl Sealed for Start<'_> {}

impl Operation for Start<'_> {
    type Output = Started;
    type Error = StartError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Started>, StartError> {
        let unanswered = |session: &Session| matches!(session.phase, Phase::Initiating { .. });
        start(self.bundle, unanswered, have, context)
    }
}

impl Sealed for Restart<'_> {}

impl Operation for Restart<'_> {
    type Output = Started;
    type Error = StartError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Started>, StartError> {
        start(self.bundle, |_| false, have, context)
    }
}

/// The latest start that a clock can give, whatever it says, so that a start can always be followed by a later one.
pub(super) const LATEST_CLOCK: UnixMillis = UnixMillis(1 << 62);

/// Starts a session, unless the active one is to be kept.
fn start(
    bundle: &VerifiedBundle,
    keep: impl FnOnce(&Session) -> bool,
    have: &Loaded,
    context: &mut Context<'_>,
) -> Result<Run<Started>, StartError> {
    let mut needs = Needs::new();
    let address = bundle.address();
    let device = Device::read(have, context, &mut needs)?;
    let mut slot = Peer::read(have, address, context, &mut needs)?;
    let mut archive_slot = Archive::read(have, address, context, &mut needs)?;
    if !needs.is_empty() {
        return Ok(Run::Needs(needs));
    }
    let device = device.value.ok_or(StartError::NotRegistered)?;
    let offered = *bundle.identity_key();
    if device.address == *address || device.identity.public() == offered {
        return Err(StartError::OwnDevice);
    }
    let (identity, latest, former) = match slot.value.take() {
        Some(peer) => (known(peer.identity, offered)?, peer.latest_start, peer.session),
        None => (PeerIdentity::pinned(offered), None, None),
    };
    if former.as_ref().is_some_and(keep) {
        return Err(StartError::AlreadyStarted);
    }
    let order = latest.map_or(UnixMillis(0), |latest| latest.plus(1)).max(context.now.min(LATEST_CLOCK));
    let mut archive = archive_slot.value.take().unwrap_or_default();
    let place = ArchivePlace { have, peer: address };
    if former.is_some() {
        archive.prepare(place, context, &mut needs)?;
    }
    if !needs.is_empty() {
        return Ok(Run::Needs(needs));
    }
    let mut writes = Vec::new();
    if let Some(former) = former {
        writes = archive.add(former, place, context, &mut needs)?;
        writes.push(archive_slot.write(archive, context));
    }
    let own = Party { identity: &device.identity, address: &device.address };
    let Initiated { established, handshake } = initiate(own, bundle, order, &mut context.random)?;
    let session = Session::initiate(established, &handshake, bundle, context)?;
    let started = Started { session: session.id, strength: session.strength() };
    writes.push(
        slot.write(Peer { identity, latest_start: Some(session.order), session: Some(session) }, context),
    );
    Ok(Run::Done(Step::new(writes, started)))
}

/// The identity on record, if it is the bundle's and no change waits.
fn known(identity: PeerIdentity, offered: IdentityKey) -> Result<PeerIdentity, StartError> {
    let stored = identity.key();
    match identity.offered() {
        Some(offered) => Err(StartError::IdentityChanged { stored, offered }),
        None if stored != offered => Err(StartError::IdentityChanged { stored, offered }),
        None => Ok(identity),
    }
}
