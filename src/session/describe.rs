//! What is known of a peer's device, without secrets.

use alloc::vec::Vec;

use super::{Strength, number::Number, peer::Peer, state::Session};
use crate::{
    identity::{
        Account, Address, Device, DeviceId, IdentityKey, SafetyNumber, TrustError, TrustMark, VerifiedNumber,
    },
    step::{Context, Headers, Loaded, Needs, Operation, RecordError, Run, Sealed, Step, UnixMillis},
    wire::{SessionId, Suite},
};

/// Says what is known of a peer's device. Writes nothing.
///
/// # Errors
/// [`RecordError`]: a record cannot be used.
#[derive(Clone, Copy, Debug)]
pub struct DescribePeer {
    /// Which device.
    pub peer: Address,
}

/// What is known of a peer's device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerDescription {
    /// How far its identity key is trusted; a companion's as far as its phone's, which has vouched for it.
    pub trust: TrustMark,
    /// The key on record; none where trust is [`TrustMark::Unknown`].
    pub identity_key: Option<IdentityKey>,
    /// The key that waits for a decision, where trust is [`TrustMark::Changed`].
    pub offered: Option<IdentityKey>,
    /// The active session.
    pub session: Option<SessionDescription>,
    /// The account's newest verified phone number.
    pub number: Option<VerifiedNumber>,
}

/// What can be said of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionDescription {
    /// Names it at both sides.
    pub id: SessionId,
    /// When it began at this side.
    pub started_at: UnixMillis,
    /// Whether its messages still carry the handshake: nothing of the peer's has opened in it.
    pub unanswered: bool,
    /// Whether it began without a one-time prekey and no turn has been completed.
    pub strength: Strength,
    /// What its cryptography is made of.
    pub suite: Suite,
    /// Whether its headers are encrypted.
    pub headers: Headers,
    /// Whether it is without the post-quantum part that this device and the peer have had before.
    pub downgraded: bool,
    /// Whether it sends nothing any more, since this device came back from a backup: the next `Start` replaces it.
    pub stale: bool,
}

impl SessionDescription {
    fn of(session: &Session, peer: &Peer) -> Self {
        Self {
            id: session.id,
            suite: session.suite,
            downgraded: peer.has_fallen_back(session.suite),
            headers: session.chains.headers(),
            stale: peer.stale,
            started_at: session.started_at,
            unanswered: session.is_unanswered(),
            strength: session.strength(),
        }
    }
}

impl Sealed for DescribePeer {}

impl Operation for DescribePeer {
    type Output = PeerDescription;
    type Error = RecordError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<PeerDescription>, RecordError> {
        let mut needs = Needs::new();
        let peer = Peer::read(have, &self.peer, context, &mut needs)?;
        let phone = Address::new(self.peer.account, DeviceId::PHONE);
        let phone = Peer::read(have, &phone, context, &mut needs)?;
        let number = Number::read(have, &self.peer.account, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let peer = peer.value.as_ref();
        // A companion is trusted as its phone is, which has vouched for it; an own one, on the phone, by itself.
        let vouching = peer.and(phone.value.as_ref()).or(peer);
        let description = PeerDescription {
            trust: vouching.map_or(TrustMark::Unknown, |peer| peer.identity.mark()),
            identity_key: peer.map(|peer| peer.identity.key()),
            offered: peer.and_then(|peer| peer.identity.offered()),
            session: peer
                .and_then(|peer| peer.session.as_ref().map(|session| SessionDescription::of(session, peer))),
            number: phone
                .value
                .zip(number.value)
                .and_then(|(phone, number)| number.under(&phone.identity.key())),
        };
        Ok(Run::Done(Step::new(Vec::new(), description)))
    }
}

/// Computes the safety number of this account and a peer's, from the two phones' identity keys and account ids, for the user to compare. Writes nothing.
///
/// # Errors
/// [`TrustError::UnknownPeer`]: no identity key on record for the peer, or no device in this store. [`TrustError::Record`].
///
/// # Spec
/// `docs/protocol.md`, section 3 "Safety number".
#[derive(Clone, Copy, Debug)]
pub struct ShowSafetyNumber {
    /// The peer's phone, or any other device of its account.
    pub peer: Address,
}

impl Sealed for ShowSafetyNumber {}

impl Operation for ShowSafetyNumber {
    type Output = SafetyNumber;
    type Error = TrustError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<SafetyNumber>, TrustError> {
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let account = Account::read(have, context, &mut needs)?;
        let phone = Address::new(self.peer.account, DeviceId::PHONE);
        let peer = Peer::read(have, &phone, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let (Some(device), Some(peer)) = (device.value, peer.value) else {
            return Err(TrustError::UnknownPeer);
        };
        let account_key = account.value.as_ref().map(|account| *account.known.list.account_key());
        let account_key = account_key.unwrap_or_else(|| device.identity.public());
        let own = (&account_key, device.address.account.as_bytes());
        let number = SafetyNumber::new(own, (&peer.identity.key(), self.peer.account.as_bytes()));
        Ok(Run::Done(Step::new(Vec::new(), number)))
    }
}
