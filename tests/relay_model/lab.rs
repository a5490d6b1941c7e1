//! Stores and packets by number, and what each step makes of a store: the same step of the same store is run once.
//!
//! A device's random source counts that device's draws, and goes on whatever its store goes back to. So a store is the same bytes whatever the others did meanwhile, and worlds
//! that look alike are those whose stores are alike, byte for byte; nothing is left out.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use outrigger::{DescribeRelay, MessageId, RecordKind, RelayStanding, RequestId, RequestState, SharedId};

use crate::{
    config::Fault,
    party::Bench,
    store::Records,
    wire::{Fields, MessageKey},
};

/// Numbers a store.
pub(crate) type StoreId = u32;
/// Numbers a packet.
pub(crate) type PacketId = u32;

/// Who there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Party {
    Phone,
    Desk,
    Peer,
}

/// What was said: the how many-th message down, or request up, whatever went back meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Text {
    Down(u8),
    Up(u8),
}

impl Text {
    pub(crate) fn bytes(self) -> [u8; 2] {
        match self {
            Self::Down(number) => [b'd', number],
            Self::Up(number) => [b'u', number],
        }
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        match *bytes {
            [b'd', number] => Self::Down(number),
            [b'u', number] => Self::Up(number),
            _ => panic!("another text than was said"),
        }
    }
}

/// What the desktop's app knows of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Queued,
    Sent,
    Told(RequestState),
    /// The end of the relay said that it was never done.
    NeverSent,
}

/// The app's own tables, which go back with the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tables {
    /// At the phone and the peer: envelopes that go out until the other end has them.
    pub(crate) outbox: Vec<PacketId>,
    /// At the phone: messages that were opened; at the desktop: those that were shown; at the peer: requests that were heard.
    pub(crate) seen: Vec<Text>,
    /// At the desktop: the ids of the messages that were shown.
    pub(crate) names: Vec<MessageId>,
    /// At the phone: requests that were done, under which number, and the id of the message.
    pub(crate) done: Vec<(Text, u64, SharedId)>,
    /// At the desktop: the last number that was shown, and whether a status has joined since.
    pub(crate) last: u64,
    pub(crate) joined: bool,
    /// At the desktop: how many messages were said to be missing.
    pub(crate) missed: u64,
    pub(crate) asked: BTreeMap<Text, (RequestId, Fate)>,
    /// At the desktop: whether something was shown since its last word to the phone.
    pub(crate) unsaid: bool,
    /// At the desktop: whether the relay is said to have ended.
    pub(crate) ended: bool,
}

/// A device: its store, and its random source, which does not go back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Device {
    pub(crate) party: Party,
    pub(crate) records: Records,
    pub(crate) tables: Tables,
    pub(crate) draws: u64,
    pub(crate) deaths: u8,
}

/// What a store says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) suspended: bool,
    pub(crate) reachable: bool,
    pub(crate) ended: bool,
    /// Whether as much stands in it as may.
    pub(crate) bounded: bool,
}

/// What is done at a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    /// The peer says its next message.
    Say(u8),
    /// The peer starts its session with the phone anew.
    Restart(u8),
    /// The desktop makes its next request.
    Request(u8),
    Ask,
    Ack,
    Flush,
    Rejoin(u8),
    /// The phone's app sends what waits, again.
    Outbox,
    Detach,
    /// The phone's app tells that its transport has taken a request's message.
    News(Text),
    Take(PacketId),
    /// The phone's user says no.
    Deny(PacketId),
}

/// What a step came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// The store after it; none where it was refused.
    pub(crate) store: Option<StoreId>,
    pub(crate) out: Vec<PacketId>,
    /// What the phone has in its hand for the peer now.
    pub(crate) handed: Option<Text>,
    /// The transport is told that this needs to come no more, although it was refused.
    pub(crate) dropped: bool,
    pub(crate) wrong: Option<&'static str>,
}

/// What travels.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) from: Party,
    pub(crate) to: Party,
    pub(crate) bytes: Vec<u8>,
    /// What it brings, where that is known to the one who made it.
    pub(crate) text: Option<Text>,
    /// What stands for its key, and its nonce.
    pub(crate) sealed: (MessageKey, [u8; 12]),
}

#[derive(Default)]
struct Shelves {
    ids: HashMap<Arc<Device>, StoreId>,
    stores: Vec<(Arc<Device>, Facts)>,
    packet_ids: HashMap<(Party, Vec<u8>), PacketId>,
    packets: Vec<Arc<Packet>>,
    steps: HashMap<(StoreId, Input, u8), Arc<Outcome>>,
}

/// Everything that was made in a configuration.
pub(crate) struct Lab {
    pub(crate) fault: Option<Fault>,
    shelves: Mutex<Shelves>,
    pub(crate) refusals: AtomicU64,
    /// What the servers hand out of the phone: a bundle with another one-time prekey each time.
    pub(crate) bundles: Vec<Vec<u8>>,
    pub(crate) desktop: outrigger::DeviceId,
}

impl Lab {
    pub(crate) fn new(fault: Option<Fault>, bundles: Vec<Vec<u8>>, desktop: outrigger::DeviceId) -> Self {
        Self { fault, shelves: Mutex::default(), refusals: AtomicU64::new(0), bundles, desktop }
    }

    pub(crate) fn shelve(&self, device: Device) -> StoreId {
        let mut shelves = self.shelves.lock().unwrap();
        if let Some(id) = shelves.ids.get(&device) {
            return *id;
        }
        let facts = facts(&device);
        let id = StoreId::try_from(shelves.stores.len()).unwrap();
        let device = Arc::new(device);
        shelves.ids.insert(Arc::clone(&device), id);
        shelves.stores.push((device, facts));
        id
    }

    pub(crate) fn device(&self, id: StoreId) -> Arc<Device> {
        Arc::clone(&self.shelves.lock().unwrap().stores[id as usize].0)
    }

    pub(crate) fn facts(&self, id: StoreId) -> Facts {
        self.shelves.lock().unwrap().stores[id as usize].1
    }

    pub(crate) fn packet(&self, id: PacketId) -> Arc<Packet> {
        Arc::clone(&self.shelves.lock().unwrap().packets[id as usize])
    }

    pub(crate) fn pack(&self, from: Party, to: Party, bytes: Vec<u8>, text: Option<Text>) -> PacketId {
        let mut shelves = self.shelves.lock().unwrap();
        if let Some(id) = shelves.packet_ids.get(&(to, bytes.clone())) {
            return *id;
        }
        let id = PacketId::try_from(shelves.packets.len()).unwrap();
        let sealed = Fields::envelope(&bytes).key_and_nonce().unwrap();
        shelves.packet_ids.insert((to, bytes.clone()), id);
        shelves.packets.push(Arc::new(Packet { from, to, bytes, text, sealed }));
        id
    }

    pub(crate) fn sizes(&self) -> (usize, usize) {
        let shelves = self.shelves.lock().unwrap();
        (shelves.stores.len(), shelves.packets.len())
    }

    /// What a step makes of a store at a time.
    pub(crate) fn step(&self, store: StoreId, input: Input, clock: u8) -> Arc<Outcome> {
        let key = (store, input, clock);
        if let Some(outcome) = self.shelves.lock().unwrap().steps.get(&key) {
            return Arc::clone(outcome);
        }
        let device = Device::clone(&self.device(store));
        let outcome = Arc::new(Bench::new(self, device, clock).run(input));
        if outcome.store.is_none() {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
        self.shelves.lock().unwrap().steps.insert(key, Arc::clone(&outcome));
        outcome
    }
}

/// What a store says of itself, and how much stands in it.
fn facts(device: &Device) -> Facts {
    let count = |kind| device.records.keys().filter(|key| key.kind() == kind).count();
    let bounded = count(RecordKind::RelayAsked) <= 2 + 2
        && count(RecordKind::RelaySeen) <= 8
        && count(RecordKind::RelayOut) <= 12
        && count(RecordKind::ArchivedSession) <= 8;
    let facts = Facts { bounded, reachable: true, ..Facts::default() };
    match device.party {
        Party::Desk => {
            let relay = Bench::ask(&device.records, &DescribeRelay).unwrap();
            Facts {
                suspended: matches!(relay.standing, RelayStanding::Suspended(_)),
                ended: matches!(relay.standing, RelayStanding::Ended(_)),
                reachable: relay.reachable,
                ..facts
            }
        }
        Party::Phone => {
            let desktops = Bench::ask(&device.records, &outrigger::DescribeDesktops).unwrap();
            Facts {
                suspended: matches!(desktops[0].standing, RelayStanding::Suspended(_)),
                ended: matches!(desktops[0].standing, RelayStanding::Ended(_)),
                ..facts
            }
        }
        Party::Peer => facts,
    }
}
