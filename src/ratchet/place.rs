//! Where a header stands in the chains: the one place of the rule "Which chain" of `docs/protocol.md`, section 7. No cryptography.

use super::{
    DecryptError,
    chains::{ChainTag, Chains, Receiving, Sending},
};
use crate::{
    step::{Headers, Limits},
    wire::{Header, RatchetHeader, Under},
};

/// Where a message stands. Counts are within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the next message of its chain: only a stored key opens it.
    Late,
    /// In the current receiving chain, `skip` messages beyond the next.
    Current { skip: u32 },
    /// First seen of a new chain: `finish` keys of the old one are skipped, and `skip` of the new one.
    Turn { finish: u32, skip: u32 },
}

/// A header in clear, and where its message stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located {
    pub(super) header: Header,
    pub(super) place: Place,
}

impl Located {
    /// Whether opening reads or writes the keys of skipped messages.
    pub(crate) fn needs_skipped(&self) -> bool {
        self.place.needs_skipped()
    }
}

impl Place {
    /// Whether opening reads or writes the keys of skipped messages.
    const fn needs_skipped(self) -> bool {
        !matches!(self, Self::Current { skip: 0 } | Self::Turn { finish: 0, skip: 0 })
    }
}

impl Chains {
    /// Reads an encrypted header; `None` where no key of this ratchet opens it.
    pub(crate) fn read(&self, header: &RatchetHeader<'_>) -> Option<RatchetHeader<'static>> {
        let RatchetHeader::Sealed(sealed) = header else { return None };
        self.headers.as_ref()?.open(sealed).map(|(header, under)| RatchetHeader::Read(header, under))
    }

    /// Finds a message's place by its header, or the reason why it has none.
    pub(crate) fn locate(
        &self,
        header: &RatchetHeader<'_>,
        limits: &Limits,
    ) -> Result<Located, DecryptError> {
        let read = self.read(header);
        let header = match (read.as_ref().unwrap_or(header), self.headers()) {
            (RatchetHeader::Clear(header), Headers::Plain) => header,
            (RatchetHeader::Read(header, under), Headers::Encrypted) if self.is_of(header, *under) => header,
            // The sender's state went back, or the header is under a key that is forgotten by now, or forged: what would not open with its header in clear.
            (RatchetHeader::Read(..) | RatchetHeader::Sealed(_), Headers::Encrypted)
                if !matches!(self.receiving, Receiving::Nothing) =>
            {
                return Err(DecryptError::OutOfStep);
            }
            _ => return Err(DecryptError::NotAuthentic),
        };
        Ok(Located { header: *header, place: self.place(header, limits)? })
    }

    /// Whether a header names the chain whose key it is under, or a new one under the next key.
    fn is_of(&self, header: &Header, under: Under) -> bool {
        let tag = ChainTag::of(&header.ratchet_key);
        let is_current = match &self.receiving {
            Receiving::Chain { peer, .. } => *peer == header.ratchet_key,
            Receiving::Nothing | Receiving::KeyOnly(_) => false,
        };
        match under {
            Under::Current => is_current,
            Under::Next => !is_current && !self.earlier.tags().contains(&tag),
            Under::Earlier(place) => self.earlier.tags().get(place) == Some(&tag),
        }
    }

    /// The rule "Which chain".
    fn place(&self, header: &Header, limits: &Limits) -> Result<Place, DecryptError> {
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
