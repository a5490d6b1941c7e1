//! Starting a session from a verified bundle.

use alloc::vec::Vec;

use super::{
    StartError, Strength,
    archive::{Archive, ArchivePlace},
    peer::Peer,
    state::Session,
};
use crate::{
    handshake::{Initiated, Party, initiate},
    identity::{Address, Device, Lists},
    prekey::VerifiedBundle,
    step::{
        Context, Headers, Loaded, Needs, Operation, RecordError, Run, Sealed, Slot, Step, UnixMillis, Write,
    },
    wire::{SessionId, Suite},
};

/// Starts a session with the device whose bundle was verified; [`Send`](super::Send) then speaks in it at once. The first identity key seen at
/// an address is pinned. A session that was active before is archived.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | [`VerifiedBundle`] | from [`VerifiedBundle::verify`]; holds the peer's address |
/// | out | [`Started`] | the session's id, and whether it starts weak |
///
/// Three or four Diffie-Hellmans for the handshake, one for the ratchet, two key generations; with a KEM one encapsulation. Draws 64 random bytes, 32 more with a KEM. Writes the peer's record, and where one was
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
    /// What its cryptography is made of.
    pub suite: Suite,
    /// Whether its headers are encrypted.
    pub headers: Headers,
    /// Whether it is less than this device and the peer have had before, or than the peer's phone has signed for in the list on record: an old bundle, by the server's doing or since the peer's app
    /// is another now. Tell the user. `SuitePolicy::Require` refuses one without a post-quantum part.
    pub downgraded: bool,
}

impl Sealed for Start<'_> {}

impl Operation for Start<'_> {
    type Output = Started;
    type Error = StartError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Started>, StartError> {
        let unanswered = |session: &Session| session.is_unanswered() && session.can_send();
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

/// Starts a session, unless the active one is to be kept.
fn start(
    bundle: &VerifiedBundle,
    keep: impl FnOnce(&Session) -> bool,
    have: &Loaded,
    context: &mut Context<'_>,
) -> Result<Run<Started>, StartError> {
    let mut needs = Needs::new();
    let device = Device::read(have, context, &mut needs)?;
    let mut slot = Peer::read(have, bundle.address(), context, &mut needs)?;
    let archive = Archive::read(have, bundle.address(), context, &mut needs)?;
    let lists = Lists::read(have, &bundle.address().account, context, &mut needs)?;
    if !needs.is_empty() {
        return Ok(Run::Needs(needs));
    }
    let device = device.value.ok_or(StartError::NotRegistered)?;
    let mut peer = slot.value.take().unwrap_or_else(|| Peer::pinned(*bundle.identity_key()));
    let renewal = Renewal::check(bundle, &device, &peer, &lists, context)?;
    if peer.speaking().is_some_and(|session| keep(session)) {
        return Err(StartError::AlreadyStarted);
    }
    let Some(mut writes) = renewal.renew(&mut peer, archive, have, context, &mut needs)? else {
        return Ok(Run::Needs(needs));
    };
    let session = peer.session.as_ref().ok_or(StartError::NonContributory)?;
    let (session, strength, suite) = (session.id, session.strength(), session.suite);
    let downgraded = peer.starts_less(suite, &lists, bundle.address(), context.suites);
    let started = Started { session, strength, suite, headers: context.headers, downgraded };
    writes.push(slot.write(peer, context));
    Ok(Run::Done(Step::new(writes, started)))
}

/// A new session that may be started: the one place of what must hold before.
pub(super) struct Renewal<'a> {
    bundle: &'a VerifiedBundle,
    device: &'a Device,
    /// Whether a device list of either account is on record.
    listed: bool,
}

impl<'a> Renewal<'a> {
    pub(super) fn check(
        bundle: &'a VerifiedBundle,
        device: &'a Device,
        peer: &Peer,
        lists: &Lists,
        context: &Context<'_>,
    ) -> Result<Self, StartError> {
        let offered = *bundle.identity_key();
        if device.address == *bundle.address() || device.identity.public() == offered {
            return Err(StartError::OwnDevice);
        }
        let stored = peer.identity.key();
        match peer.identity.offered() {
            Some(offered) => return Err(StartError::IdentityChanged { stored, offered }),
            None if stored != offered => return Err(StartError::IdentityChanged { stored, offered }),
            None => {}
        }
        lists.may_be_sent_to(bundle.address(), &offered, context.now).map_err(StartError::Unlisted)?;
        if bundle.suite(context.suites).is_none() {
            return Err(StartError::NoCommonSuite);
        }
        if bundle.one_time_prekey().is_none() && context.limits.max_weak_starts == 0 {
            return Err(StartError::NoOneTimePrekey);
        }
        Ok(Self { bundle, device, listed: lists.matter() })
    }

    /// Puts the new session into the peer's record and the former one into the archive, whose writes are returned; `None` where more records are needed.
    pub(super) fn renew(
        self,
        peer: &mut Peer,
        mut archive: Slot<Archive>,
        have: &Loaded,
        context: &mut Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Vec<Write>>, StartError> {
        let mut archived = archive.value.take().unwrap_or_default();
        let place = ArchivePlace { have, peer: self.bundle.address() };
        if let Some(former) = &peer.session {
            archived.prepare(former.id, place, context, needs)?;
        }
        if !needs.is_empty() {
            return Ok(None);
        }
        let after = peer.latest_start.map_or(UnixMillis(0), |latest| latest.plus(1));
        let order = after.max(context.now.min(UnixMillis::LATEST));
        let own = Party { identity: &self.device.identity, address: &self.device.address };
        let Initiated { established, handshake, suite } =
            initiate(own, self.bundle, context.suites, order, &mut context.random)?;
        // The peer hears of the recovery in the first session that it answers.
        let unheard = peer.session.as_ref().is_some_and(Session::tells_of_recovery);
        let recovered = peer.stale || unheard;
        let session = Session::initiate(established, (&handshake, suite), self.bundle, recovered, context)?;
        let mut writes = Vec::new();
        peer.latest_start = Some(session.order);
        peer.meet(suite, true);
        peer.stale = false;
        peer.listed |= self.listed;
        if let Some(former) = peer.session.replace(session) {
            writes = archived.add(former, place, context, needs)?;
            writes.push(archive.write(archived, context));
        }
        Ok(Some(writes))
    }
}

/// Starts a session with a companion that this phone takes into its list in the same step; `None` where more records are needed.
pub(crate) fn start_with_new_companion(
    bundle: &VerifiedBundle,
    device: &Device,
    have: &Loaded,
    context: &mut Context<'_>,
    needs: &mut Needs,
) -> Result<Option<Vec<Write>>, StartError> {
    start_scanned(bundle, device, true, have, context, needs)
}

/// Starts the first session with a device whose key was seen on its screen or came over its camera.
pub(super) fn start_scanned(
    bundle: &VerifiedBundle,
    device: &Device,
    listed: bool,
    have: &Loaded,
    context: &mut Context<'_>,
    needs: &mut Needs,
) -> Result<Option<Vec<Write>>, StartError> {
    let slot = Peer::read(have, bundle.address(), context, needs)?;
    let archive = Archive::read(have, bundle.address(), context, needs)?;
    if !needs.is_empty() {
        return Ok(None);
    }
    let mut peer = Peer { listed, ..Peer::scanned(*bundle.identity_key()) };
    let renewal = Renewal { bundle, device, listed };
    let Some(mut writes) = renewal.renew(&mut peer, archive, have, context, needs)? else { return Ok(None) };
    writes.push(slot.write(peer, context));
    Ok(Some(writes))
}

/// Whether anything has come from a device in the session that is active with it.
pub(crate) fn was_heard_from(
    device: &Address,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<bool, RecordError> {
    let peer = Peer::read(have, device, context, needs)?;
    Ok(peer.value.and_then(|peer| peer.session).is_some_and(|session| !session.is_unanswered()))
}
