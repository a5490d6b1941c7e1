//! Random schedules over two accounts: whatever is linked, sent, delayed, doubled, renewed, lapsed and removed in between, whichever device dies before it stores, or comes back
//! from a backup, every message reaches every entitled device once, and no other.

use std::collections::{BTreeMap, BTreeSet};

use outrigger::{
    Address, Advice, AnswerRetry, Content, DescribeDevices, DeviceId, FanOutError, Generation, Keep,
    OpenError, PlanMessage, Receive, RecordKey, Recover, RequestRetry, RetryError, SendToAccount, SharedId,
    UnixMillis, Unlisted,
};
use proptest::{prelude::*, sample::Index};

use super::household::Directory;
use crate::world::{BOUND, DAY, Device, NOON, store::Store};

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
    /// A device dies after it has made its step and before it has stored it: while it sends, and while it opens what comes next.
    Die(Index),
    /// A device is backed up, with its app.
    BackUp(Index),
    /// A device comes back from its backup, if it has one.
    Restore(Index),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        2 => any::<bool>().prop_map(Move::Link),
        8 => (any::<Index>(), prop::bool::weighted(0.8)).prop_map(|(who, other)| Move::Say(who, other)),
        12 => (any::<Index>(), prop::bool::weighted(0.2)).prop_map(|(which, again)| Move::Arrive(which, again)),
        2 => any::<bool>().prop_map(Move::Renew),
        3 => (any::<Index>(), any::<bool>()).prop_map(|(who, whose)| Move::Fetch(who, whose)),
        1 => (any::<bool>(), any::<Index>()).prop_map(|(account, which)| Move::Remove(account, which)),
        2 => (1..8_u8).prop_map(Move::Wait),
        2 => any::<Index>().prop_map(Move::Die),
        1 => any::<Index>().prop_map(Move::BackUp),
        1 => any::<Index>().prop_map(Move::Restore),
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
    said_at: UnixMillis,
    /// When this envelope was made.
    made: u32,
}

/// What an app has shown.
type Inbox = BTreeSet<SharedId>;

struct World {
    directory: Directory,
    devices: Vec<Device>,
    queue: Vec<Mail>,
    /// Requests for what could not be opened, by the mail that is asked for.
    requests: Vec<(Mail, Vec<u8>)>,
    /// Every copy that went out, by message and device, with its sender.
    sent: BTreeMap<(SharedId, Address), Address>,
    inboxes: BTreeMap<Address, Inbox>,
    /// What was acknowledged to the transport, or reported lost: it does not come again to a device that goes back.
    settled: BTreeSet<(SharedId, Address)>,
    backups: BTreeMap<Address, (Store, Inbox, u32)>,
    /// When a device came back from a backup, and when that was made.
    went_back: Vec<(Address, u32, u32)>,
    /// When each envelope was made that carries a message to a device again.
    answers: BTreeMap<(SharedId, Address), Vec<u32>>,
    /// What was asked for after its sender had gone back to before it made that envelope: nobody can send it again.
    forgotten: BTreeSet<(SharedId, Address)>,
    /// Devices that their phone has removed.
    removed: BTreeSet<Address>,
    said: u32,
    /// Counts what happens.
    time: u32,
}

impl World {
    fn new() -> Self {
        let mut directory = Directory::default();
        let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
        directory.start(&mut ada, ben.address).unwrap();
        directory.start(&mut ben, ada.address).unwrap();
        let devices = vec![ada, ben];
        Self {
            directory,
            devices,
            queue: Vec::new(),
            requests: Vec::new(),
            sent: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            settled: BTreeSet::new(),
            backups: BTreeMap::new(),
            went_back: Vec::new(),
            answers: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            removed: BTreeSet::new(),
            said: 0,
            time: 0,
        }
    }

    fn phone(&mut self, second: bool) -> &mut Device {
        &mut self.devices[usize::from(second)]
    }

    fn act(&mut self, act: &Move) {
        self.time += 1;
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
                for (mail, request) in std::mem::take(&mut self.requests) {
                    self.answer(mail, request);
                }
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
            Move::Die(who) => self.die(who.index(self.devices.len())),
            Move::BackUp(who) => {
                let device = &self.devices[who.index(self.devices.len())];
                let inbox = self.inboxes.get(&device.address).cloned().unwrap_or_default();
                self.backups.insert(device.address, (device.store.clone(), inbox, self.time));
            }
            Move::Restore(who) => self.restore(who.index(self.devices.len())),
        }
    }

    /// Its steps are made, and gone: nothing has happened.
    fn die(&mut self, who: usize) {
        let to = self.directory_account(0);
        let device = &mut self.devices[who];
        let before = device.store.clone();
        if let Ok(plan) = device.run(&PlanMessage { to }) {
            let keep = Keep::ForRetry;
            let send = SendToAccount { plan: &plan, plaintext: b"unsaid", associated_data: BOUND, keep };
            drop(device.prepare(&send));
        }
        if let Some(mail) = self.queue.iter().find(|mail| mail.to == device.address) {
            let receive = Receive { from: mail.from, envelope: &mail.envelope, associated_data: BOUND };
            drop(device.prepare(&receive));
        }
        assert_eq!(device.store, before);
    }

    /// The store and the app's tables are those of the backup; then what the docs tell an app to do.
    fn restore(&mut self, who: usize) {
        let device = &mut self.devices[who];
        let Some((store, inbox, backed_up)) = self.backups.get(&device.address).cloned() else { return };
        self.went_back.push((device.address, self.time, backed_up));
        device.store = store;
        device.generation = Generation([u8::try_from(self.went_back.len()).unwrap(); 16]);
        let records: Vec<RecordKey> = device.store.0.keys().copied().collect();
        device.run(&Recover { records: &records }).unwrap();
        device.publish(10, &mut self.directory.bundles);
        let account = device.address.account;
        if self.directory.lists.contains_key(&account) {
            // A phone signs no list before it has its newest; one that is past its time is no use to a companion.
            let _ = self.directory.learn(device, account);
        }
        self.inboxes.insert(device.address, inbox);
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
        let (from, said_at) = (device.address, device.now);
        for (to, copy) in sent.copies {
            self.sent.insert((sent.id, to), from);
            let (id, text, made) = (sent.id, text.clone(), self.time);
            self.queue.push(Mail { from, to, envelope: copy.envelope, id, text, said_at, made });
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
        let inbox = self.inboxes.entry(mail.to).or_default();
        let settled = (mail.id, mail.to);
        match outcome {
            Ok(received) => {
                if let Content::ForAccount { id, text } | Content::SentByOwn { id, text, .. } =
                    received.content
                {
                    assert_eq!((id, &*text), (mail.id, &mail.text[..]));
                    assert!(inbox.insert(id), "shown twice");
                } else {
                    // Two weeks old, or in its fifth envelope.
                    assert!(matches!(received.content, Content::Lost), "{received:?}");
                    let old = device.now > mail.said_at.plus(14 * DAY);
                    assert!(old || self.answers[&settled].len() > 3, "lost before its time");
                }
                self.settled.insert(settled);
            }
            Err(OpenError::Duplicate) => assert!(self.settled.contains(&settled), "never shown"),
            // Its sender was removed, or its sessions ended with a list that this device has.
            Err(OpenError::Unlisted(Unlisted::NotListed)) if self.removed.contains(&mail.from) => {}
            // The newest list is past its time: what its companions say first is not opened before another is signed.
            Err(OpenError::Unlisted(_)) => self.queue.push(mail.clone()),
            Err(error) => {
                let ended = self.removed.contains(&mail.from) || self.removed.contains(&mail.to);
                // Its sender still speaks in a session that this device archived a month ago.
                let month_old = device.now > NOON.plus(30 * DAY);
                assert!(
                    ended || month_old || !self.went_back.is_empty(),
                    "{error}: from {:?} to {:?}",
                    mail.from,
                    mail.to
                );
                if !ended {
                    self.ask(mail, error);
                }
            }
        }
    }

    /// Asks for an envelope again that a device which went back cannot open.
    fn ask(&mut self, mail: &Mail, error: OpenError) {
        let device = self.devices.iter_mut().find(|device| device.address == mail.to).unwrap();
        let asked = device.run(&RequestRetry { from: mail.from, envelope: &mail.envelope, error });
        match asked {
            Ok(asked) => self.requests.push((mail.clone(), asked.request)),
            // Asked for before, and its answer is under way or was lost with what went back.
            Err(RetryError::AlreadyAsked) => {}
            // The device went back to before it had met the sender: its bundle is fetched, which pins its key, and all is delivered again.
            Err(RetryError::UnknownPeer) => {
                // A companion's only once its list is not past its time.
                let _ = self.directory.start(device, mail.from);
                self.queue.push(mail.clone());
            }
            // A companion asks nobody while its own list is past its time.
            Err(refused) if refused.advice() == Advice::AwaitPhone => {
                let own = mail.to.account;
                let _ = self.directory.learn(device, own);
                self.queue.push(mail.clone());
            }
            Err(refused) => panic!("{refused}, after {error}"),
        }
    }

    /// The sender of what was asked for answers, as soon as its lists allow; what is answered goes the way of all mail.
    fn answer(&mut self, mail: Mail, request: Vec<u8>) {
        if self.removed.contains(&mail.from) || self.removed.contains(&mail.to) {
            return;
        }
        let answers = self.answers.entry((mail.id, mail.to)).or_default();
        let last_answer = answers.last().copied();
        let sender = self.devices.iter_mut().find(|device| device.address == mail.from).unwrap();
        let bundle = self.directory.verified(sender, mail.to);
        let answer = AnswerRetry { from: mail.to, request: &request, bundle: Some(&bundle), resend_to: None };
        match sender.run(&answer) {
            Ok(answer) => {
                answers.push(self.time);
                self.queue.push(Mail { envelope: answer.envelope, made: self.time, ..mail });
            }
            // It was answered before, to a device that has gone back since; the answer is under way.
            Err(RetryError::UnknownMessage) if last_answer > Some(mail.made) => {}
            Err(RetryError::UnknownMessage) => {
                let lost = |(device, at, backed_up): &(Address, u32, u32)| {
                    *device == mail.from && (*backed_up..=*at).contains(&mail.made)
                };
                assert!(self.went_back.iter().any(lost), "{:?}", mail.id);
                self.forgotten.insert((mail.id, mail.to));
            }
            // One of the two is a companion whose list is past its time, here: a newer one is fetched, once there is one.
            Err(refused)
                if refused.advice() == Advice::FetchDevices || refused.advice() == Advice::AwaitPhone =>
            {
                for account in [mail.from.account, mail.to.account] {
                    if self.directory.lists.contains_key(&account) {
                        let _ = self.directory.learn(sender, account);
                    }
                }
                self.requests.push((mail, request));
            }
            Err(refused) => panic!("{refused}"),
        }
    }

    /// Everything arrives, with fresh lists where they are wanted.
    fn settle(&mut self) {
        for second in [false, true] {
            self.act(&Move::Renew(second));
        }
        for _ in 0..8 {
            for mail in std::mem::take(&mut self.queue) {
                self.arrive(&mail);
            }
            for (mail, request) in std::mem::take(&mut self.requests) {
                self.answer(mail, request);
            }
        }
        assert!(self.queue.is_empty() && self.requests.is_empty());
        for ((id, to), from) in &self.sent {
            let ended = self.removed.contains(from) || self.removed.contains(to);
            let settled = self.settled.contains(&(*id, *to)) || self.forgotten.contains(&(*id, *to));
            assert!(settled || ended, "{id:?} from {from:?} to {to:?}");
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
