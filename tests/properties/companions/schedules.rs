//! Random schedules over two accounts: whatever is linked, sent, delayed, doubled, renewed, lapsed and removed in between, every message reaches every entitled device once, and
//! no other.

use std::collections::{BTreeMap, BTreeSet};

use outrigger::{
    Address, Advice, Content, DescribeDevices, DeviceId, FanOutError, OpenError, PlanMessage, Receive,
    SharedId, Unlisted,
};
use proptest::{prelude::*, sample::Index};

use super::household::Directory;
use crate::world::{BOUND, DAY, Device};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Move {
    /// An account takes a companion in, if it has room.
    Link(bool),
    /// A device says something to the other account, or to its own.
    Say(Index, bool),
    /// An envelope arrives, from anywhere in the queue, and may stay to come again.
    Arrive(Index, bool),
    /// A phone signs its list anew.
    Renew(bool),
    /// A device fetches a list.
    Fetch(Index, bool),
    /// A phone removes a companion.
    Remove(bool, Index),
    /// Days pass for everyone.
    Wait(u8),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        2 => any::<bool>().prop_map(Move::Link),
        8 => (any::<Index>(), prop::bool::weighted(0.8)).prop_map(|(who, other)| Move::Say(who, other)),
        12 => (any::<Index>(), prop::bool::weighted(0.2)).prop_map(|(which, again)| Move::Arrive(which, again)),
        2 => any::<bool>().prop_map(Move::Renew),
        3 => (any::<Index>(), any::<bool>()).prop_map(|(who, whose)| Move::Fetch(who, whose)),
        1 => (any::<bool>(), any::<Index>()).prop_map(|(account, which)| Move::Remove(account, which)),
        1 => (1..8_u8).prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 1..60)
}

/// An envelope on its way.
#[derive(Clone, Debug)]
struct Mail {
    from: Address,
    to: Address,
    envelope: Vec<u8>,
    id: SharedId,
    text: Vec<u8>,
}

struct World {
    directory: Directory,
    devices: Vec<Device>,
    queue: Vec<Mail>,
    /// Every copy that went out, by message and device, with its sender and how often it was shown.
    shown: BTreeMap<(SharedId, Address), (Address, u32)>,
    /// Devices that their phone has removed.
    removed: BTreeSet<Address>,
    said: u32,
}

impl World {
    fn new() -> Self {
        let mut directory = Directory::default();
        let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
        directory.start(&mut ada, ben.address).unwrap();
        directory.start(&mut ben, ada.address).unwrap();
        let devices = vec![ada, ben];
        let (queue, shown, removed) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        Self { directory, devices, queue, shown, removed, said: 0 }
    }

    fn phone(&mut self, second: bool) -> &mut Device {
        &mut self.devices[usize::from(second)]
    }

    fn act(&mut self, act: &Move) {
        match act {
            Move::Link(second) => {
                let name = format!("c{}", self.devices.len());
                let (phone, directory) = (&mut self.devices[usize::from(*second)], &mut self.directory);
                let account = phone.address.account;
                let list = phone.run(&DescribeDevices { account }).unwrap().list;
                if list.is_none_or(|list| list.entries().len() < 4) {
                    let mut companion = directory.link(phone, &name);
                    // What the phone would supply it with: the other account's key.
                    let other = self.devices[usize::from(!*second)].address;
                    self.directory.start(&mut companion, other).unwrap();
                    self.devices.push(companion);
                }
            }
            Move::Say(who, other) => self.say(who.index(self.devices.len()), *other),
            Move::Arrive(which, again) if !self.queue.is_empty() => {
                let place = which.index(self.queue.len());
                let mail = if *again { self.queue[place].clone() } else { self.queue.remove(place) };
                self.arrive(&mail);
            }
            Move::Arrive(..) => {}
            Move::Renew(second) => {
                let phone = &mut self.devices[usize::from(*second)];
                if self.directory.lists.contains_key(&phone.address.account) {
                    self.directory.renew(phone);
                }
            }
            Move::Fetch(who, whose) => {
                let account = self.phone(*whose).address.account;
                let who = who.index(self.devices.len());
                if self.directory.lists.contains_key(&account) {
                    // An expired one is refused, as it should be.
                    let _ = self.directory.learn(&mut self.devices[who], account);
                }
            }
            Move::Remove(second, which) => {
                let phone = &mut self.devices[usize::from(*second)];
                let account = phone.address.account;
                let list = phone.run(&DescribeDevices { account }).unwrap().list;
                let entries = list.map_or(Vec::new(), |list| list.entries().to_vec());
                if !entries.is_empty() {
                    let device = entries[which.index(entries.len())].device;
                    self.directory.remove(phone, device);
                    self.removed.insert(Address::new(account, device));
                }
            }
            Move::Wait(days) => {
                self.devices.iter_mut().for_each(|device| device.wait(u64::from(*days) * DAY))
            }
        }
    }

    /// A device sends; who gets a copy is what its lists say, and nobody else.
    fn say(&mut self, who: usize, other: bool) {
        self.said += 1;
        let text = self.said.to_be_bytes().to_vec();
        let device = &mut self.devices[who];
        let own = device.address.account;
        let ben = own != self.directory_account(0);
        let to = if other { self.directory_account(usize::from(!ben)) } else { own };
        let device = &mut self.devices[who];
        let sent = match self.directory.send(device, to, &text) {
            Ok(sent) => sent,
            Err(FanOutError::Lapsed { .. } | FanOutError::Removed) => {
                assert_ne!(device.address.device, DeviceId::PHONE);
                return;
            }
            // A note to oneself, and no sibling to take it.
            Err(FanOutError::NobodyReady) => {
                assert!(!other);
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let mut entitled = BTreeSet::new();
        for account in [to, own] {
            entitled.insert(Address::new(account, DeviceId::PHONE));
            let known = device.run(&DescribeDevices { account }).unwrap();
            let live = known.list.filter(|list| list.is_live(device.now) && !known.disputed);
            let companions = live.iter().flat_map(|list| list.entries());
            entitled.extend(companions.map(|entry| Address::new(account, entry.device)));
        }
        entitled.remove(&device.address);
        let reached: BTreeSet<_> = sent.copies.iter().map(|(address, _)| *address).collect();
        assert_eq!(reached, entitled, "from {:?}", device.address);
        let plan = device.run(&PlanMessage { to }).unwrap();
        assert!(plan.undecided.is_empty());
        let from = device.address;
        for (to, copy) in sent.copies {
            self.shown.insert((sent.id, to), (from, 0));
            self.queue.push(Mail { from, to, envelope: copy.envelope, id: sent.id, text: text.clone() });
        }
    }

    fn directory_account(&self, which: usize) -> outrigger::AccountId {
        self.devices[which].address.account
    }

    /// An envelope comes; what its error advises is done, once.
    fn arrive(&mut self, mail: &Mail) {
        let device = self.devices.iter_mut().find(|device| device.address == mail.to).unwrap();
        let receive = Receive { from: mail.from, envelope: &mail.envelope, associated_data: BOUND };
        let mut outcome = device.run(&receive);
        if let Err(OpenError::Unlisted(unlisted)) = &outcome {
            assert_eq!(unlisted.advice(), Advice::FetchDevices);
            let _ = self.directory.learn(device, mail.from.account);
            outcome = device.run(&receive);
        }
        let (_, count) = self.shown.get_mut(&(mail.id, mail.to)).unwrap();
        match outcome {
            Ok(received) => {
                let (Content::ForAccount { id, text } | Content::SentByOwn { id, text, .. }) =
                    received.content
                else {
                    panic!("{received:?}")
                };
                assert_eq!((id, &*text), (mail.id, &mail.text[..]));
                *count += 1;
                assert_eq!(*count, 1, "shown twice");
            }
            Err(OpenError::Duplicate) => assert_eq!(*count, 1, "a duplicate of what was never shown"),
            // Its sender was removed, or its sessions ended with a list that this device has.
            Err(OpenError::Unlisted(Unlisted::NotListed)) => assert!(self.removed.contains(&mail.from)),
            // The newest list is past its time: what its companions say first is not opened before another is signed.
            Err(OpenError::Unlisted(_)) => self.queue.push(mail.clone()),
            Err(error) => {
                let ended = self.removed.contains(&mail.from) || self.removed.contains(&mail.to);
                assert!(ended, "{error}: from {:?} to {:?}", mail.from, mail.to);
            }
        }
    }

    /// Everything arrives, with fresh lists where they are wanted.
    fn settle(&mut self) {
        for second in [false, true] {
            self.act(&Move::Renew(second));
        }
        for _ in 0..3 {
            for mail in std::mem::take(&mut self.queue) {
                self.arrive(&mail);
            }
        }
        assert!(self.queue.is_empty());
        for ((id, to), (from, count)) in &self.shown {
            let ended = self.removed.contains(from) || self.removed.contains(to);
            assert!(*count == 1 || ended && *count == 0, "{id:?} from {from:?} to {to:?}: {count}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_reaches_every_entitled_device_once(moves in moves()) {
        let mut world = World::new();
        moves.iter().for_each(|act| world.act(act));
        world.settle();
    }
}
