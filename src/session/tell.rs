//! Taking the own phone's word on a peer's identity.

use alloc::vec::Vec;

use super::{end::Ending, peer::Peer};
use crate::{
    identity::{Address, IdentityKey, PeerIdentity},
    step::{Context, Loaded, Needs, RecordError, Write},
};

/// What a phone knows of another phone's identity key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ToldIdentity {
    pub(crate) key: IdentityKey,
    /// Whether its user has compared the safety number.
    pub(crate) verified: bool,
    /// A key that waits for its user's decision.
    pub(crate) offered: Option<IdentityKey>,
}

impl ToldIdentity {
    /// What this device, a phone, has on record.
    pub(crate) fn read(
        phone: &Address,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Self>, RecordError> {
        let slot = Peer::read(have, phone, context, needs)?;
        Ok(slot.value.map(|peer| Self {
            key: peer.identity.key(),
            verified: peer.identity.is_verified(),
            offered: peer.identity.offered(),
        }))
    }

    /// The writes that put it on record here, and whether it replaces another key: then the sessions under that end.
    pub(crate) fn take(
        &self,
        phone: &Address,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<(Vec<Write>, bool), RecordError> {
        let mut slot = Peer::read(have, phone, context, needs)?;
        let ending = Ending::read(phone, have, context, needs)?;
        let identity = PeerIdentity::told(self.key, self.verified, self.offered);
        let Some(known) = slot.value.take() else {
            let told = Peer { identity, listed: true, ..Peer::pinned(self.key) };
            return Ok((Vec::from([slot.write(told, context)]), false));
        };
        let replaces = known.identity.key() != self.key;
        if known.identity == identity {
            return Ok((Vec::new(), false));
        }
        let told = Peer { identity, ..known };
        if !replaces {
            return Ok((Vec::from([slot.write(told, context)]), false));
        }
        let told = Peer { post_quantum: false, strongest: false, ..told };
        Ok((ending.end(&slot, told, context, needs)?, true))
    }
}
