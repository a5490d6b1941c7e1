//! The world of the phone that is killed: its lives and deaths, the network, and a peer that lives on.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    thread,
    time::Duration,
};

use crate::{
    child::Process,
    crash::{Crash, Moment},
    device::Device,
    dice::Dice,
    frames,
    keys::Keys,
    kills::Counts,
    scratch::Scratch,
    store::{Journal, Store},
};

/// Rounds of a life: more than it is given time for.
const ROUNDS: &str = "60";
/// The longest life of a phone that is killed, from where it has opened its store; about 40 steps.
const LIFE: u64 = 12_000;
/// The longest of one that is killed from its birth on, while it opens its store; microseconds too.
const BIRTH: u64 = 8_000;
/// Crashes come within so many steps.
const CRASH_WITHIN: u64 = 24;
/// Batches of mail that may be under way at once: fewer than the chains that a receiver remembers.
const BATCHES: u64 = 3;

/// Mail that is not known to have arrived.
struct Mail {
    batch: u64,
    envelope: Vec<u8>,
    handed: bool,
}

/// How a life ends.
enum Fate {
    KilledAtBirth(Duration),
    KilledAtWork(Duration),
    Crash(Crash),
    None,
}

/// The trial.
pub(crate) struct Trial {
    pub(crate) counts: Counts,
    scratch: Scratch,
    file: PathBuf,
    peer: Device,
    dice: Dice,
    keys: Keys,
    mail: BTreeMap<String, Mail>,
    batch: u64,
    /// What the phone let out since the last look, and whether the network lost it.
    wire: HashMap<Vec<u8>, bool>,
    /// Rows of the phone's inbox, outbox and prekeys that were looked at.
    seen: [usize; 3],
}

impl Trial {
    /// A phone and a peer that have a session.
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new("kills");
        let file = scratch.file("phone");
        let mut phone = Device::open(&file, Journal::Rollback).register("phone");
        let mut peer = Device(Store::in_memory()).register("peer");
        let upload = phone.replenish(1);
        peer.start("phone", &[&upload.bundle[..], &upload.one_time_prekeys[0]].concat());
        let first = peer.send("phone", "peer first");
        phone.receive("peer", &first).unwrap();
        let mut keys = Keys::default();
        keys.note(&first);
        Self {
            counts: Counts::default(),
            scratch,
            file,
            peer,
            dice: Dice::new(1),
            keys,
            mail: BTreeMap::new(),
            batch: 0,
            wire: HashMap::new(),
            seen: [1, 0, 1],
        }
    }

    /// One life of the phone; then its wire is read, and now and then its file.
    pub(crate) fn live_and_die(&mut self) {
        let fate = match self.dice.within(0..=15) {
            0 => Fate::KilledAtBirth(Duration::from_micros(self.dice.within(0..=BIRTH))),
            1..=8 => Fate::KilledAtWork(Duration::from_micros(self.dice.within(0..=LIFE))),
            _ => {
                let moment = Moment::ALL[self.dice.within(0..=3) as usize];
                Fate::Crash(Crash { step: self.dice.within(1..=CRASH_WITHIN), moment })
            }
        };
        self.live(ROUNDS, fate);
        if self.dice.once_in(3) {
            self.look();
            self.write();
            self.hand_over();
        }
    }

    /// Lets the phone live until all is delivered, and compares everything with everything.
    pub(crate) fn settle(&mut self) {
        self.look();
        self.hand_over();
        self.live("0", Fate::None);
        self.look();
        assert!(self.mail.is_empty(), "mail that was handed over in full is not in the inbox");
        let phone = Device::open(&self.file, Journal::Rollback);
        assert!(self.peer.inbox() == phone.outbox(), "every text of the phone's at the peer, once");
        assert!(phone.inbox() == self.peer.outbox(), "every text of the peer's at the phone, once");
        assert_eq!(
            self.keys.len(),
            phone.outbox().len() + self.peer.outbox().len(),
            "a key for each envelope"
        );
    }

    fn live(&mut self, rounds: &str, fate: Fate) {
        let wire = self.scratch.file("wire");
        fs::remove_file(&wire).ok();
        let crash = if let Fate::Crash(crash) = fate { crash.to_string() } else { String::new() };
        let mut phone = Process::start(&["live", self.file.to_str().unwrap(), rounds, &crash]);
        let status = match fate {
            Fate::KilledAtBirth(after) => {
                thread::sleep(after);
                phone.kill()
            }
            Fate::KilledAtWork(after) => {
                phone.await_ready();
                thread::sleep(after);
                phone.kill()
            }
            Fate::Crash(_) | Fate::None => phone.wait(),
        };
        match (status.signal(), fate) {
            (None, _) if status.success() => self.counts.unharmed += 1,
            (Some(9), Fate::KilledAtBirth(_) | Fate::KilledAtWork(_)) => {
                self.counts.kills += 1;
                let journal = fs::metadata(self.scratch.file("phone-journal"));
                self.counts.mid_write += u64::from(journal.is_ok_and(|journal| journal.len() > 0));
            }
            (Some(6), Fate::Crash(crash)) => self.counts.crashes[crash.moment as usize] += 1,
            _ => panic!("the phone failed: {status}"),
        }
        for envelope in frames::read(&wire) {
            if envelope.is_empty() {
                self.counts.refused_by_phone += 1;
                continue;
            }
            let lost = self.dice.once_in(8);
            if !lost {
                self.deliver(&envelope);
            }
            self.wire.insert(envelope, lost);
        }
    }

    /// The peer gets an envelope of the phone's.
    fn deliver(&mut self, envelope: &[u8]) {
        self.keys.note(envelope);
        match self.peer.receive("phone", envelope) {
            Ok(_) => self.counts.to_peer += 1,
            Err(_) => self.counts.refused_by_peer += 1,
        }
    }

    /// Looks into the file of the dead phone: what has arrived there, and what is to be delivered from there.
    fn look(&mut self) {
        let phone = Device::open(&self.file, Journal::Rollback);
        let [inbox, outbox, prekeys] = &mut self.seen;
        let arrived =
            phone.0.column::<String>(&format!("SELECT text FROM inbox WHERE place > {inbox} ORDER BY place"));
        let sent = phone
            .0
            .column::<Vec<u8>>(&format!("SELECT envelope FROM outbox WHERE place > {outbox} ORDER BY place"));
        let offered = phone
            .0
            .column::<Vec<u8>>(&format!("SELECT bundle FROM prekeys WHERE place > {prekeys} ORDER BY place"));
        *inbox += arrived.len();
        *outbox += sent.len();
        *prekeys += offered.len();
        self.counts.steps += (arrived.len() + sent.len() + offered.len()) as u64;
        self.counts.to_phone += arrived.len() as u64;
        drop(phone);

        for text in arrived {
            self.mail.remove(&text).expect("the phone opened what nobody has sent");
        }
        for envelope in sent {
            match self.wire.remove(&envelope) {
                None | Some(true) => self.counts.rescued += 1,
                Some(false) if self.dice.once_in(4) => self.counts.delivered_again += 1,
                Some(false) => continue,
            }
            self.deliver(&envelope);
        }
        assert!(self.wire.is_empty(), "the phone let out what it has not stored");
        if let Some(bundle) = offered.last()
            && self.dice.once_in(4)
            && !self.peer.is_unanswered("phone")
        {
            self.peer.start("phone", bundle);
            self.counts.sessions += 1;
        }
    }

    /// The peer writes some texts, unless too old ones are still under way.
    fn write(&mut self) {
        let oldest = self.mail.values().map(|mail| mail.batch).min();
        if oldest.is_some_and(|oldest| oldest + BATCHES <= self.batch) {
            return;
        }
        for place in 0..self.dice.within(1..=24) {
            let text = format!("peer {:08} {place:02}", self.batch);
            let envelope = self.peer.send("phone", &text);
            self.keys.note(&envelope);
            self.mail.insert(text, Mail { batch: self.batch, envelope, handed: false });
        }
        self.batch += 1;
    }

    /// Lays out all mail that is not known to have arrived, in disorder, some of it twice.
    fn hand_over(&mut self) {
        let file = self.scratch.file("mail");
        fs::remove_file(&file).ok();
        let mut envelopes = Vec::new();
        for mail in self.mail.values_mut() {
            let times = 1 + usize::from(self.dice.once_in(4));
            self.counts.handed_again += (times - usize::from(!mail.handed)) as u64;
            mail.handed = true;
            envelopes.extend(vec![&mail.envelope; times]);
        }
        self.dice.shuffle(&mut envelopes);
        envelopes.iter().for_each(|envelope| frames::append(&file, envelope));
    }
}
