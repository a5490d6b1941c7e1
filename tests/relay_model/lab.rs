//! Stores and packets by number, and what each step makes of a store: the same step of the same store is run once.
//!
//! A device's random source counts that device's draws, and goes on whatever its store goes back to. So a store is the same bytes whatever the others did meanwhile, and worlds
//! that look alike are those whose stores are alike, byte for byte; nothing is left out.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use outrigger::{Address, DescribeRelay, DeviceId, EndOfRelay, RecordKind, RelayStanding};

use crate::{
    bench::{Bench, address},
    chosen::assert_form,
    config::Config,
    names::{Device, Input, Packet, PacketId, Party, StoreId, Text, What, When},
    wire::sealed_with,
};

/// What a store says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) suspended: bool,
    pub(crate) reachable: bool,
    /// Whether somebody has ended the relay.
    pub(crate) ended: bool,
    /// Whether the desktop is a companion.
    pub(crate) upgraded: bool,
    /// Whether as much stands in it as may.
    pub(crate) bounded: bool,
}

/// What a step came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// The store after it; none where it was refused.
    pub(crate) store: Option<StoreId>,
    pub(crate) out: Vec<PacketId>,
    /// What the phone has in its hand for the peer now, or has done.
    pub(crate) handed: Option<Text>,
    /// The transport is told that this needs to come no more, although it was refused.
    pub(crate) dropped: bool,
    pub(crate) wrong: Option<&'static str>,
}

#[derive(Default)]
struct Shelves {
    ids: HashMap<Arc<Device>, StoreId>,
    stores: Vec<(Arc<Device>, Facts)>,
    /// Two requests of different paths can be the same bytes.
    packet_ids: HashMap<(Party, Vec<u8>), Vec<PacketId>>,
    packets: Vec<Arc<Packet>>,
    steps: HashMap<(StoreId, Input, When), Arc<Outcome>>,
}

/// Everything that was made in a configuration.
pub(crate) struct Lab {
    pub(crate) config: Config,
    shelves: Mutex<Shelves>,
    pub(crate) refusals: AtomicU64,
    /// What the servers hand out of the phone: a bundle with another one-time prekey each time; and of the peer.
    pub(crate) bundles: Vec<Vec<u8>>,
    pub(crate) peer_bundle: Vec<u8>,
    /// The desktop, and the other one.
    pub(crate) desktops: Vec<DeviceId>,
}

impl Lab {
    pub(crate) fn new(config: Config, bundles: Vec<Vec<u8>>, peer: Vec<u8>, desktops: Vec<DeviceId>) -> Self {
        let (shelves, refusals) = (Mutex::default(), AtomicU64::new(0));
        Self { config, shelves, refusals, bundles, peer_bundle: peer, desktops }
    }

    pub(crate) fn desktop(&self, party: Party) -> DeviceId {
        self.desktops[usize::from(party == Party::Other)]
    }

    /// Which desktop that is.
    pub(crate) fn party(&self, desktop: DeviceId) -> Party {
        if self.desktops[0] == desktop { Party::Desk } else { Party::Other }
    }

    pub(crate) fn address(&self, party: Party) -> Address {
        match party {
            Party::Phone | Party::Peer => address(party),
            Party::Desk | Party::Other => Address::new(address(Party::Phone).account, self.desktop(party)),
        }
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

    pub(crate) fn pack(&self, from: Party, to: Party, what: What, bytes: Vec<u8>) -> PacketId {
        let mut shelves = self.shelves.lock().unwrap();
        let same = shelves.packet_ids.get(&(to, bytes.clone())).cloned().unwrap_or_default();
        // What comes out of the phone's outbox does not say what it brings.
        let is_it =
            |id: &&PacketId| what == What::Envelope(None) || shelves.packets[**id as usize].what == what;
        if let Some(id) = same.iter().find(is_it) {
            return *id;
        }
        let id = PacketId::try_from(shelves.packets.len()).unwrap();
        let sealed = match what {
            What::Envelope(_) => {
                assert_form(&bytes);
                sealed_with(&bytes)
            }
            What::List | What::Bundle(_) | What::Aside(_) => Vec::new(),
        };
        shelves.packet_ids.entry((to, bytes.clone())).or_default().push(id);
        shelves.packets.push(Arc::new(Packet { from, to, what, bytes, sealed }));
        id
    }

    pub(crate) fn sizes(&self) -> (usize, usize) {
        let shelves = self.shelves.lock().unwrap();
        (shelves.stores.len(), shelves.packets.len())
    }

    /// What a step makes of a store at a time.
    pub(crate) fn step(&self, store: StoreId, input: Input, when: When) -> Arc<Outcome> {
        let key = (store, input, when);
        if let Some(outcome) = self.shelves.lock().unwrap().steps.get(&key) {
            return Arc::clone(outcome);
        }
        let device = Device::clone(&self.device(store));
        let outcome = Arc::new(Bench::new(self, device, when).run(input));
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
    let bounded = count(RecordKind::RelayAsked) <= 2 + 2 + 2
        && count(RecordKind::RelaySeen) <= 8
        && count(RecordKind::RelayOut) <= 16
        && count(RecordKind::ArchivedSession) <= 8;
    let facts = Facts { bounded, reachable: true, ..Facts::default() };
    let is_upgraded = |standing| standing == RelayStanding::Ended(EndOfRelay::Upgraded);
    let is_ended = |standing| matches!(standing, RelayStanding::Ended(_)) && !is_upgraded(standing);
    match device.party {
        // There may be no other desktop.
        Party::Other if device.records.is_empty() => facts,
        Party::Desk | Party::Other => {
            let relay = Bench::ask(&device.records, &DescribeRelay).unwrap();
            Facts {
                suspended: matches!(relay.standing, RelayStanding::Suspended(_)),
                ended: is_ended(relay.standing),
                upgraded: is_upgraded(relay.standing),
                reachable: relay.reachable,
                ..facts
            }
        }
        Party::Phone => {
            let desktops = Bench::ask(&device.records, &outrigger::DescribeDesktops).unwrap();
            Facts {
                suspended: desktops.iter().any(|one| matches!(one.standing, RelayStanding::Suspended(_))),
                ended: is_ended(desktops[0].standing),
                upgraded: is_upgraded(desktops[0].standing),
                ..facts
            }
        }
        Party::Peer => facts,
    }
}
