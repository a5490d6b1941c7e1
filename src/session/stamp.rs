//! View stamps: how the sender of a message sees the device lists of both accounts, and whom it left out. `docs/protocol.md`, section 8 "Stamp".
//!
//! It travels inside the encryption, so that every message between accounts with companions compares lists, and a server that shows different lists to different devices is
//! found out by the first message.

use alloc::vec::Vec;

use crate::{
    identity::{Address, DeviceId, Epoch, Known, ListDigest, Lists},
    step::RecordReader,
    wire::MAX_DEVICES,
};

/// How a list here stands to the same list at the sender of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The same on both sides.
    Same,
    /// The sender has a later one: fetch the account's list.
    Behind,
    /// The sender has an earlier one, or none: it is stale; send it the newest.
    Ahead,
    /// Another of the same epoch: the account, or a server in between, shows two lists. Report it.
    Disputed,
}

/// The sender's view of the device lists, compared with what is on record here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// The list of the sender's account.
    pub theirs: Standing,
    /// The list of this device's account.
    pub own: Standing,
    /// By which list of this device's account the sender went; 0 where it has none.
    pub own_epoch: Epoch,
    /// Devices of this device's account that the sender did not send the message to.
    pub left_out: Vec<DeviceId>,
}

/// One account as a side sees it.
type Side = (Epoch, ListDigest);

/// A stamp: the sender's account first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    sender: Side,
    recipient: Side,
    left_out: Vec<DeviceId>,
}

impl Stamp {
    /// What this device stamps a message with; none where no list of either account is on record.
    pub(super) fn new(lists: &Lists, to: &Address, left_out: Vec<DeviceId>) -> Option<Self> {
        let own = lists.own().map(|own| &own.known);
        lists.matter().then(|| Self {
            sender: Known::view(own),
            recipient: Known::view(lists.of(to)),
            left_out,
        })
    }

    /// 41 bytes, and 4 for each device that was left out.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.left_out.len().saturating_mul(4).saturating_add(41));
        for (epoch, digest) in [self.sender, self.recipient] {
            bytes.extend_from_slice(&epoch.0.to_be_bytes());
            bytes.extend_from_slice(&digest.0);
        }
        bytes.push(u8::try_from(self.left_out.len()).unwrap_or(u8::MAX));
        bytes.extend(self.left_out.iter().flat_map(|device| device.0.to_be_bytes()));
        bytes
    }

    /// Reads a stamp from the front.
    pub(super) fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let side = |body: &mut RecordReader<'_>| Some((Epoch(body.u32()?), ListDigest(body.array()?)));
        let (sender, recipient) = (side(body)?, side(body)?);
        let count = body.u8().filter(|count| usize::from(*count) <= MAX_DEVICES)?;
        let left_out = (0..count).map(|_| body.u32().map(DeviceId)).collect::<Option<Vec<_>>>()?;
        if !left_out.is_sorted_by(|one, next| one < next) {
            return None;
        }
        Some(Self { sender, recipient, left_out })
    }

    /// What the stamp of a message from `from` says, seen from here.
    pub(super) fn compare(self, lists: &Lists, from: &Address) -> View {
        let own = lists.own().map(|own| &own.known);
        View {
            theirs: standing(Known::view(lists.of(from)), self.sender),
            own: standing(Known::view(own), self.recipient),
            own_epoch: self.recipient.0,
            left_out: self.left_out,
        }
    }
}

fn standing((epoch, digest): Side, (their_epoch, their_digest): Side) -> Standing {
    match epoch.cmp(&their_epoch) {
        core::cmp::Ordering::Less => Standing::Behind,
        core::cmp::Ordering::Greater => Standing::Ahead,
        core::cmp::Ordering::Equal if digest == their_digest => Standing::Same,
        core::cmp::Ordering::Equal => Standing::Disputed,
    }
}
