//! A peer, a phone and its desktops over a bad network, and what each app would have in its own tables: the world of `schedules_long`.

use std::collections::{BTreeMap, BTreeSet};

use outrigger::{
    AccountId, AckPhone, Address, Consent, Content, DescribeDesktops, DesktopConsent, DesktopDescription,
    DeviceId, ForDesktop, FromDesktop, Generation, Keep, LearnDevices, News, PlanMessage, Receive,
    RejoinPhone, RelayError, RelayOutbox, RelayReceive, RelaySend, RemoveCompanion, RequestNumber,
    SendToAccount, SentToAccount, Start, TakeFromDesktop, TakeFromPhone, TellDesktop, Verdict,
    VerifiedBundle, Wanted,
};

use super::{
    office::{office, pair},
    town_desk::{Desk, Entry, Name},
};
use crate::{
    companions::household::Directory,
    world::{BOUND, Device, store::Store},
};

/// What was opened or sent at the phone, and which desktops were to be told.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) name: Name,
    pub(crate) to: Vec<DeviceId>,
    /// It was opened before, by a store that went back since.
    pub(crate) again: bool,
}

/// What the phone's app has in its tables.
#[derive(Clone, Default)]
pub(crate) struct PhoneLife {
    pub(crate) told: Vec<Told>,
    /// The user's word on a request, by its desktop, number and text.
    words: BTreeMap<(DeviceId, u64, Vec<u8>), Verdict>,
    /// What the user has not decided.
    pub(crate) pending: Vec<(usize, Vec<u8>, Option<Consent>)>,
}

pub(crate) struct Town {
    pub(crate) phone: Device,
    pub(crate) phone_life: PhoneLife,
    pub(crate) phone_moments: Vec<(Store, Generation, PhoneLife)>,
    /// How often the phone's store went back.
    pub(crate) era: u8,
    pub(crate) peer: Device,
    pub(crate) desks: Vec<Desk>,
    pub(crate) directory: Directory,
    pub(crate) to_phone: Vec<(Address, Vec<u8>)>,
    pub(crate) to_peer: Vec<(Address, Vec<u8>)>,
    pub(crate) heard: BTreeMap<String, u32>,
    /// Requests that a companion has sent by itself, and those that the phone may have forgotten.
    pub(crate) sent_itself: BTreeSet<String>,
    pub(crate) murky: BTreeSet<String>,
    /// Copies that the peer could not open.
    pub(crate) unheard: u32,
    ever: BTreeMap<Name, Vec<u64>>,
    names: BTreeMap<Vec<u8>, Name>,
    opened: u64,
    texts: u32,
    pub(crate) healing: bool,
    dice: u64,
}

/// Starts a session with a device whose bundle, and certificate, the directory has.
fn start(directory: &mut Directory, device: &mut Device, to: Address) -> Option<()> {
    directory.bundles.0.contains_key(&to).then_some(())?;
    let bundle = directory.bundles.fetch(to);
    let bundle = if to.device == DeviceId::PHONE {
        VerifiedBundle::verify(&bundle, &to).ok()?
    } else {
        let account = to.account;
        let list = device.run(&LearnDevices { account, list: directory.lists.get(&account)? }).ok()?.list;
        VerifiedBundle::verify_companion(&bundle, directory.certificates.get(&to)?, &to, &list).ok()?
    };
    device.run(&Start { bundle: &bundle }).ok().map(drop)
}

impl Town {
    pub(crate) fn new(desks: usize, dice: u64) -> Self {
        let office = office(DesktopConsent::Always);
        let mut town = Self {
            phone: office.phone,
            phone_life: PhoneLife::default(),
            phone_moments: Vec::new(),
            era: 0,
            peer: office.peer,
            desks: vec![Desk::new(office.desk)],
            directory: Directory { bundles: office.server, ..Directory::default() },
            to_phone: Vec::new(),
            to_peer: Vec::new(),
            heard: BTreeMap::new(),
            sent_itself: BTreeSet::new(),
            murky: BTreeSet::new(),
            unheard: 0,
            ever: BTreeMap::new(),
            names: BTreeMap::new(),
            opened: 0,
            texts: 0,
            healing: false,
            dice: dice | 1,
        };
        town.phone.publish(60, &mut town.directory.bundles);
        town.peer.publish(60, &mut town.directory.bundles);
        (1..desks).for_each(|_| town.pairs(DesktopConsent::Ask));
        town
    }

    pub(crate) fn toss(&mut self, of: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % of
    }

    /// The first of a wire, or another: one that is to come twice stays.
    fn takes<T: Clone>(&mut self, wire: fn(&mut Self, usize) -> &mut Vec<T>, which: usize) -> Option<T> {
        let len = wire(self, which).len();
        (len > 0).then_some(())?;
        let (any, place) = (self.toss(3), self.toss(len as u64));
        let stays = self.toss(8) == 0 && !self.healing;
        let place = if any > 0 || self.healing { 0 } else { usize::try_from(place).unwrap() };
        let wire = wire(self, which);
        let one = wire.remove(place);
        if stays {
            wire.push(one.clone());
        }
        Some(one)
    }

    pub(crate) fn text(&mut self, what: &str) -> String {
        self.texts += 1;
        format!("{what} {}", self.texts)
    }

    pub(crate) fn pairs(&mut self, may: DesktopConsent) {
        let name = format!("desk {}", self.desks.len());
        let desk = pair(&mut self.phone, &name, may);
        self.desks.push(Desk::new(desk));
    }

    pub(crate) fn described(&mut self, which: usize) -> Option<DesktopDescription> {
        let id = self.desks[which].id();
        self.phone.run(&DescribeDesktops).unwrap().into_iter().find(|one| one.desktop == id)
    }

    /// The phone has something that its desktops are to be told.
    fn notes(&mut self, name: Name, desktops: &[ForDesktop], but: Option<DeviceId>) {
        self.opened += 1;
        let ever = self.ever.entry(name).or_default();
        let again = !ever.is_empty();
        ever.push(self.opened);
        let to = desktops.iter().map(|one| one.desktop).filter(|id| Some(*id) != but).collect();
        self.phone_life.told.push(Told { name, to, again });
    }

    fn tell(&mut self, desktops: Vec<ForDesktop>) {
        let phone = self.phone.address;
        for told in desktops {
            let desk = self.desks.iter_mut().find(|desk| desk.id() == told.desktop).unwrap();
            for frame in told.frames {
                if told.passed_on {
                    desk.kept.push((phone, frame.clone()));
                }
                desk.down.push((phone, frame));
            }
        }
    }

    pub(crate) fn down(&mut self, which: usize, frames: impl IntoIterator<Item = Vec<u8>>) {
        let phone = self.phone.address;
        self.desks[which].down.extend(frames.into_iter().map(|frame| (phone, frame)));
    }

    /// Copies go to whom they are for.
    fn carry(&mut self, from: Address, sent: &SentToAccount) {
        for (to, copy) in &sent.copies {
            let one = (from, copy.envelope.clone());
            if *to == self.phone.address {
                self.to_phone.push(one);
            } else if *to == self.peer.address {
                self.to_peer.push(one);
            } else if let Some(desk) = self.desks.iter_mut().find(|desk| desk.device.address == *to) {
                desk.direct.insert(Name::Shared(sent.id));
                desk.kept.push(one.clone());
                desk.down.push(one);
            }
        }
    }

    /// The peer speaks to the account by the lists that it has, or to the phone alone.
    pub(crate) fn peer_says(&mut self) {
        let text = self.text("down");
        if self.toss(3) == 0 {
            if let Ok(sent) = self.peer.try_send(self.phone.address, &text) {
                self.to_phone.push((self.peer.address, sent.envelope));
            }
            return;
        }
        let Ok(plan) = self.peer.run(&PlanMessage { to: self.phone.address.account }) else { return };
        if let Ok(sent) = self.peer.send_planned(&plan, text.as_bytes()) {
            self.carry(self.peer.address, &sent);
        }
    }

    /// The phone's own app speaks: that a desktop stands in the way is no reason to fail.
    pub(crate) fn phone_says(&mut self) {
        let text = self.text("own");
        let Ok(plan) = self.phone.run(&PlanMessage { to: self.peer.address.account }) else { return };
        let (plan, plaintext, associated_data, keep) = (&plan, text.as_bytes(), BOUND, Keep::ForRetry);
        let mut alone = self.phone.clone();
        let alone = alone.run(&SendToAccount { plan, plaintext, associated_data, keep });
        match self.phone.run(&RelaySend { plan, plaintext, associated_data, keep }) {
            Ok(done) => {
                self.notes(Name::Shared(done.sent.id), &done.desktops, None);
                self.carry(self.phone.address, &done.sent);
                self.tell(done.desktops);
            }
            Err(error) => assert!(alone.is_err(), "{error:?}"),
        }
    }

    pub(crate) fn phone_receives(&mut self) {
        let Some((from, envelope)) = self.takes(|town, _| &mut town.to_phone, 0) else { return };
        let mut alone = self.phone.clone();
        let alone = alone.run(&Receive { from, envelope: &envelope, associated_data: BOUND });
        match self.phone.run(&RelayReceive { from, envelope: &envelope, associated_data: BOUND }) {
            Ok(done) => {
                let name = match &done.received.content {
                    Content::Message(_) => Name::One(done.received.message_id),
                    Content::ForAccount { id, .. } | Content::SentByOwn { id, .. } => Name::Shared(*id),
                    said @ (Content::Leaves
                    | Content::Supply(_)
                    | Content::SupplyTaken(_)
                    | Content::HistoryAsked { .. }
                    | Content::History(_)
                    | Content::PassedOn { .. }
                    | Content::Lost
                    | _) => panic!("{said:?}"),
                };
                self.notes(name, &done.desktops, None);
                self.tell(done.desktops);
            }
            Err(error) => assert!(alone.is_err() || from != self.peer.address, "{error:?}"),
        }
    }

    /// A desktop's frame at the phone.
    pub(crate) fn up(&mut self, which: usize) {
        if let Some(bytes) = self.takes(|town, which| &mut town.desks[which].up, which) {
            self.phone_takes(which, bytes, None);
        }
    }

    fn phone_takes(&mut self, which: usize, bytes: Vec<u8>, verdict: Option<Verdict>) {
        let desktop = self.desks[which].id();
        match self.phone.run(&TakeFromDesktop { desktop, envelope: &bytes, verdict }) {
            Ok(FromDesktop::Sent { request, sent, desktops }) => {
                self.notes(Name::Shared(sent.id), &desktops, Some(desktop));
                self.carry(self.phone.address, &sent);
                self.tell(desktops);
                for news in [News::Relayed, News::Delivered] {
                    self.tells(which, request, news);
                }
            }
            Ok(FromDesktop::Query { request, frames, .. }) => {
                self.down(which, frames);
                self.tells(which, request, News::Found(b"found"));
            }
            Ok(FromDesktop::Upgraded { list, frames, .. }) => {
                self.directory.publish(&list.list);
                self.down(which, frames);
            }
            Ok(
                FromDesktop::Heard { frames, .. }
                | FromDesktop::Joined { frames, .. }
                | FromDesktop::Read { frames, .. }
                | FromDesktop::Offered { frames, .. }
                | FromDesktop::Refused { frames, .. },
            ) => self.down(which, frames),
            Ok(FromDesktop::Late { notice } | FromDesktop::Ended { notice }) => self.down(which, notice),
            Ok(FromDesktop::LeftCompanion) => {
                if let Ok(signed) = self.phone.run(&RemoveCompanion { device: desktop }) {
                    self.directory.publish(&signed.list);
                }
            }
            Ok(FromDesktop::Undecided(wanted)) => self.user_is_asked(which, bytes, wanted, verdict),
            Ok(FromDesktop::Unready { plan, .. }) => {
                let mut mended = false;
                for address in plan.missing {
                    mended |= start(&mut self.directory, &mut self.phone, address).is_some();
                }
                if mended {
                    self.phone_takes(which, bytes, verdict);
                }
            }
            Ok(
                FromDesktop::Repeated | FromDesktop::Suspended(_) | FromDesktop::Denied | FromDesktop::Left,
            ) => {}
            Ok(other) => panic!("{other:?}"),
            Err(RelayError::EarlyRequest { .. } | RelayError::Lapsed { .. } | RelayError::Full) => {
                if self.desks[which].up.len() < 40 {
                    self.desks[which].up.push(bytes);
                }
            }
            Err(
                error @ (RelayError::Record(_)
                | RelayError::Random(_)
                | RelayError::Decode(_)
                | RelayError::Send(_)),
            ) => panic!("{error:?}"),
            Err(_) => {}
        }
    }

    fn tells(&mut self, which: usize, request: RequestNumber, news: News<'_>) {
        let desktop = self.desks[which].id();
        if self.toss(3) == 0
            && let Ok(told) = self.phone.run(&TellDesktop { desktop, request, news })
        {
            self.down(which, told.frames);
        }
    }

    /// The user has said so already, says it now, or later.
    fn user_is_asked(&mut self, which: usize, bytes: Vec<u8>, wanted: Wanted, said: Option<Verdict>) {
        assert!(!matches!(said, Some(Verdict::Deny | Verdict::Upgrade(_))), "{wanted:?}");
        let desktop = self.desks[which].id();
        let (key, consent) = match &wanted {
            Wanted::Send { request, text, .. } | Wanted::Query { request, text } => {
                (Some((desktop, request.0, text.to_vec())), None)
            }
            Wanted::Upgrade { consent, .. } => (None, Some(*consent)),
            Wanted::TakeOver | _ => (None, None),
        };
        if let Some(word) = key.as_ref().and_then(|key| self.phone_life.words.get(key)).copied() {
            return self.phone_takes(which, bytes, Some(word));
        }
        let yes = consent.map_or(Verdict::Allow, Verdict::Upgrade);
        match if self.healing { 5 } else { self.toss(6) } {
            0 => self.phone_takes(which, bytes, Some(Verdict::Deny)),
            1 | 2 => self.phone_life.pending.push((which, bytes, consent)),
            3 => {
                // The word is kept, and these bytes are not.
                self.phone_life.words.extend(key.map(|key| (key, yes)));
            }
            _ => self.phone_takes(which, bytes, Some(yes)),
        }
    }

    /// The user decides about something that was shown a while ago.
    pub(crate) fn user_decides(&mut self) {
        if self.phone_life.pending.is_empty() {
            return;
        }
        let (which, bytes, consent) = self.phone_life.pending.remove(0);
        let yes = consent.map_or(Verdict::Allow, Verdict::Upgrade);
        let word = if self.toss(3) == 0 && !self.healing { Verdict::Deny } else { yes };
        self.phone_takes(which, bytes, Some(word));
    }

    /// What has come to a desktop, or the companion that it is by now.
    pub(crate) fn desk_takes(&mut self, which: usize) {
        let Some((from, bytes)) = self.takes(|town, which| &mut town.desks[which].down, which) else {
            return;
        };
        let shown = if self.desks[which].life.companion {
            self.desks[which].companion_takes(from, &bytes)
        } else {
            let desk = &mut self.desks[which];
            match desk.device.run(&TakeFromPhone { envelope: &bytes }) {
                Ok(taken) => {
                    let shown = desk.hears(taken.said);
                    if taken.owes {
                        desk.up.extend(desk.device.run(&AckPhone).ok());
                    }
                    shown
                }
                Err(
                    RelayError::Early { .. }
                    | RelayError::NoFrame
                    | RelayError::Joining
                    | RelayError::Lapsed { .. },
                ) => {
                    if desk.down.len() < 60 {
                        desk.down.push((from, bytes));
                    }
                    None
                }
                Err(
                    error @ (RelayError::Record(_)
                    | RelayError::Random(_)
                    | RelayError::Decode(_)
                    | RelayError::Upgrade(_)),
                ) => panic!("{error:?}"),
                Err(_) => None,
            }
        };
        if let Some((name, text)) = shown {
            self.shows(which, name, text);
        }
    }

    /// An app drops by name. What it shows has one name, and is in the order in which the phone had it, in one of its lives.
    fn shows(&mut self, which: usize, name: Name, text: Vec<u8>) {
        let named = self.names.entry(text).or_insert(name);
        assert_eq!(*named, name, "one message under two names");
        // A desktop that went back may ask again for what it had queued: the same message comes under the same name.
        let backs = self.era > 0 || self.desks.iter().any(|desk| desk.went_back);
        let desk = &mut self.desks[which];
        if desk.life.log.contains(&Entry::Shown(name)) {
            assert!(backs || desk.life.companion, "shown twice");
            return;
        }
        if !desk.life.companion {
            let after = self.ever[&name].iter().find(|order| **order > desk.life.order);
            desk.life.order = *after.unwrap_or_else(|| panic!("{name:?} is out of order"));
        }
        desk.life.log.push(Entry::Shown(name));
    }

    pub(crate) fn peer_hears(&mut self) {
        let Some((from, envelope)) = self.takes(|town, _| &mut town.to_peer, 0) else { return };
        if let Some(list) = self.directory.lists.get(&from.account) {
            let _ = self.peer.run(&LearnDevices { account: from.account, list });
        }
        match self.peer.receive(from, &envelope) {
            Ok(received) => {
                let text = received.content.text().unwrap().to_vec();
                *self.heard.entry(String::from_utf8(text).unwrap()).or_default() += 1;
            }
            Err(outrigger::OpenError::Duplicate) => {}
            Err(_) => self.unheard += 1,
        }
    }

    /// A companion speaks by itself; what the relay gave back first.
    pub(crate) fn companion_says(&mut self, which: usize, text: Option<String>) {
        let to: AccountId = self.peer.address.account;
        let texts: Vec<_> =
            core::mem::take(&mut self.desks[which].life.unsent).into_iter().chain(text).collect();
        for text in texts {
            let device = &mut self.desks[which].device;
            for account in [to, device.address.account] {
                if let Some(list) = self.directory.lists.get(&account) {
                    let _ = device.run(&LearnDevices { account, list });
                }
            }
            if let Ok(plan) = device.run(&PlanMessage { to }) {
                for address in plan.missing {
                    start(&mut self.directory, device, address);
                }
            }
            let plan = device.run(&PlanMessage { to });
            let sent = plan.ok().and_then(|plan| device.send_planned(&plan, text.as_bytes()).ok());
            match sent {
                Some(sent) => {
                    let from = device.address;
                    self.sent_itself.insert(text);
                    self.carry(from, &sent);
                }
                None => self.desks[which].life.unsent.push(text),
            }
        }
    }

    pub(crate) fn peer_learns(&mut self) {
        let account = self.phone.address.account;
        let Some(list) = self.directory.lists.get(&account) else { return };
        let _ = self.peer.run(&LearnDevices { account, list });
        for desk in self.desks.iter().filter(|desk| desk.life.published) {
            start(&mut self.directory, &mut self.peer, desk.device.address);
        }
    }

    /// The two start anew, where the phone has forgotten its session.
    pub(crate) fn meets_the_peer(&mut self) {
        self.peer.restart(self.phone.address, &mut self.directory.bundles).unwrap();
        self.to_phone.clear();
        self.peer_says();
        self.phone_receives();
    }

    pub(crate) fn rejoins(&mut self, which: usize) {
        let bundle = self.directory.bundles.fetch(self.phone.address);
        let bundle = VerifiedBundle::verify(&bundle, &self.phone.address).unwrap();
        let desk = &mut self.desks[which];
        desk.rejoined = true;
        desk.up.extend(desk.device.run(&RejoinPhone { bundle: &bundle }).ok());
    }

    pub(crate) fn outbox(&mut self, which: usize) {
        let desktop = self.desks[which].id();
        let frames = self.phone.run(&RelayOutbox { desktop }).unwrap_or_default();
        self.down(which, frames);
    }
}
