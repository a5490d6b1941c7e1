//! The server: keys that devices upload, and a mailbox for each device. The way to it is bad: packets are lost, doubled and held back.
//!
//! A mailbox keeps everything; how far it was read is a row in the reader's own database. So a store that goes back reads again.

use std::collections::{BTreeMap, VecDeque};

use outrigger::{Address, OneTimePrekeyFields, UploadId};

use crate::dice::Dice;

/// Packets of a hundred that are lost, doubled, held back.
const LOST: u64 = 12;
const DOUBLED: u64 = 8;
const HELD_BACK: u64 = 10;

#[derive(Debug, Default)]
struct Stock {
    bundle: Vec<u8>,
    last_resort: Vec<u8>,
    one_time: VecDeque<OneTimePrekeyFields>,
    upload: Option<UploadId>,
}

/// What a device uploads.
pub(crate) struct Upload {
    pub(crate) id: UploadId,
    pub(crate) bundle: Vec<u8>,
    pub(crate) last_resort: Vec<u8>,
    pub(crate) one_time: Vec<OneTimePrekeyFields>,
    pub(crate) replaces: bool,
}

/// What lies in a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// Its number in the mailbox.
    pub(crate) place: usize,
    pub(crate) from: Address,
    pub(crate) bytes: Vec<u8>,
    /// Whether an earlier packet of the same was lost.
    pub(crate) repeated: bool,
}

/// What happened to packets.
#[derive(Debug, Default)]
pub(crate) struct Packets {
    pub(crate) posted: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) held_back: u64,
}

pub(crate) struct Server {
    dice: Dice,
    stocks: BTreeMap<Address, Stock>,
    mailboxes: BTreeMap<Address, Vec<Mail>>,
    held_back: Vec<(Address, Mail)>,
    pub(crate) packets: Packets,
    pub(crate) without_one_time: u64,
    /// At the end, the way is good.
    pub(crate) calm: bool,
}

impl Server {
    pub(crate) fn new(dice: Dice) -> Self {
        Self {
            dice,
            stocks: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            held_back: Vec::new(),
            packets: Packets::default(),
            without_one_time: 0,
            calm: false,
        }
    }

    /// Takes an upload, unless it has one of that number or a later one.
    pub(crate) fn upload(&mut self, address: Address, upload: &Upload) {
        let stock = self.stocks.entry(address).or_default();
        if stock.upload.is_some_and(|has| has.number >= upload.id.number) {
            return;
        }
        if upload.replaces {
            stock.one_time.clear();
        }
        stock.upload = Some(upload.id);
        stock.bundle.clone_from(&upload.bundle);
        stock.last_resort.clone_from(&upload.last_resort);
        stock.one_time.extend(upload.one_time.iter().cloned());
    }

    /// The last upload, and how many one-time prekeys are left.
    pub(crate) fn stock(&self, address: &Address) -> (Option<UploadId>, u16) {
        let stock = self.stocks.get(address);
        let left = stock.map_or(0, |stock| stock.one_time.len());
        (stock.and_then(|stock| stock.upload), u16::try_from(left).unwrap_or(u16::MAX))
    }

    /// A bundle, with a one-time prekey while there is one, then with the last resort.
    pub(crate) fn bundle(&mut self, address: &Address) -> Option<Vec<u8>> {
        let stock = self.stocks.get_mut(address)?;
        let one_time = stock.one_time.pop_front();
        self.without_one_time = self.without_one_time.saturating_add(u64::from(one_time.is_none()));
        Some([&stock.bundle[..], one_time.as_ref().unwrap_or(&stock.last_resort)].concat())
    }

    /// Others have fetched all one-time prekeys.
    pub(crate) fn run_dry(&mut self, address: &Address) {
        if let Some(stock) = self.stocks.get_mut(address) {
            stock.one_time.clear();
        }
    }

    /// Takes a packet to a mailbox, if the way lets it through.
    pub(crate) fn post(&mut self, from: Address, to: Address, bytes: Vec<u8>, tries: u32) -> bool {
        let add = |count: &mut u64| *count = count.saturating_add(1);
        add(&mut self.packets.posted);
        if !self.calm && self.dice.chance(LOST) {
            add(&mut self.packets.lost);
            return false;
        }
        let mail = Mail { place: 0, from, bytes, repeated: tries > 0 };
        if !self.calm && self.dice.chance(DOUBLED) {
            add(&mut self.packets.doubled);
            self.held_back.push((to, mail.clone()));
        }
        if !self.calm && self.dice.chance(HELD_BACK) {
            add(&mut self.packets.held_back);
            self.held_back.push((to, mail));
        } else {
            self.put(to, mail);
        }
        true
    }

    /// Some of what was held back goes on.
    pub(crate) fn tick(&mut self) {
        let (calm, dice) = (self.calm, &mut self.dice);
        let (go, stay) =
            std::mem::take(&mut self.held_back).into_iter().partition(|_| calm || dice.chance(20));
        self.held_back = stay;
        let go: Vec<(Address, Mail)> = go;
        go.into_iter().for_each(|(to, mail)| self.put(to, mail));
    }

    /// Whether anything is still on its way.
    pub(crate) fn holds_back(&self) -> bool {
        !self.held_back.is_empty()
    }

    /// The mail at a place of a mailbox.
    pub(crate) fn mail(&self, of: &Address, place: usize) -> Option<Mail> {
        self.mailboxes.get(of)?.get(place).cloned()
    }

    fn put(&mut self, to: Address, mail: Mail) {
        let mailbox = self.mailboxes.entry(to).or_default();
        mailbox.push(Mail { place: mailbox.len(), ..mail });
    }
}
