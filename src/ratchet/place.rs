//! Where a header stands in the chains: the one place of the rule "Which chain" of `docs/protocol.md`, section 7. No cryptography.

use super::{
    DecryptError,
    chains::{ChainTag, Chains, Receiving, Sending},
};
use crate::{step::Limits, wire::Header};

/// Where a message stands. Counts are within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before the next message of its chain: only a stored key opens it.
    Late,
    /// In the current receiving chain, `skip` messages beyond the next.
    Current { skip: u32 },
    /// First seen of a new chain: `finish` keys of the old one are skipped, and `skip` of the new one.
    Turn { finish: u32, skip: u32 },
}

impl Place {
    /// Whether opening reads or writes the keys of skipped messages.
    pub(crate) fn needs_skipped(self) -> bool {
        !matches!(self, Self::Current { skip: 0 } | Self::Turn { finish: 0, skip: 0 })
    }
}

impl Chains {
    /// Finds a header's place, or the reason why it has none.
    pub(crate) fn locate(&self, header: &Header, limits: &Limits) -> Result<Place, DecryptError> {
        let within = |gap: u32| match gap <= limits.max_forward {
            true => Ok(gap),
            false => Err(DecryptError::TooFarAhead { gap, limit: limits.max_forward }),
        };
        let key = &header.ratchet_key;
        if self.own_ratchet_key() == Some(key) {
            return Err(DecryptError::NotAuthentic);
        }
        let unfinished = match &self.receiving {
            Receiving::Chain { peer, next, .. } if peer == key => {
                return match header.counter.checked_sub(*next) {
                    Some(skip) => Ok(Place::Current { skip: within(skip)? }),
                    None => Ok(Place::Late),
                };
            }
            Receiving::Chain { next, .. } => header.previous_counter.saturating_sub(*next),
            Receiving::KeyOnly(peer) if peer == key => return Err(DecryptError::OutOfStep),
            Receiving::KeyOnly(_) | Receiving::Nothing => 0,
        };
        if self.earlier.tags().contains(&ChainTag::of(key)) {
            return Ok(Place::Late);
        }
        match &self.sending {
            // The peer cannot have answered a key of ours that it has not seen.
            Sending::Due => Err(DecryptError::OutOfStep),
            Sending::Waiting(_) | Sending::Chain { .. } => {
                Ok(Place::Turn { finish: within(unfinished)?, skip: within(header.counter)? })
            }
        }
    }
}
