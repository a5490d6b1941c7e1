//! Random schedules of two desktops that are told of everything, one or both of which become companions at any moment, lapse and are renewed, while a peer goes by whatever list and
//! bundles it has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use outrigger::{
    AcceptUpgrade, AckPhone, Address, AskPhone, Consent, Consequence, Content, DescribeDesktops,
    DesktopConsent, FlushRequests, ForDesktop, FromDesktop, FromPhone, PlanMessage, Receive, RefusedRequest,
    RelayError, RelayOutbox, RelayReceive, RelayRequest, RenewDesktop, RenewDevices, Request, RequestState,
    SentToAccount, TakeFromPhone, Unsent, UnsentRequest, Verdict, Wanted, WhileAway,
};
use proptest::prelude::*;

use super::office::{EVER, office, pair};
use crate::{
    companions::household::Directory,
    world::{BOUND, Device},
};

const DAY: u64 = 24 * 60 * 60 * 1_000;

/// A desktop, or the companion that it has become, and what its user has seen.
struct Desk {
    device: Device,
    companion: bool,
    published: bool,
    /// On their way: to the phone, and from the phone or a peer.
    up: VecDeque<Vec<u8>>,
    down: VecDeque<(Address, Vec<u8>)>,
    /// All that was ever on its way here: a server has it for a companion, the phone's outbox for a desktop.
    kept: Vec<(Address, Vec<u8>)>,
    shown: BTreeMap<String, usize>,
    missed: u64,
    unsent: Vec<Unsent>,
}

/// The phone, its desktops and a peer.
struct Street {
    phone: Device,
    peer: Device,
    desks: [Desk; 2],
    directory: Directory,
    to_phone: VecDeque<(Address, Vec<u8>)>,
    to_peer: Vec<(Address, Vec<u8>)>,
    said: usize,
    asked: usize,
    waited: u64,
    heard: BTreeMap<String, usize>,
}

impl Desk {
    fn new(device: Device) -> Self {
        Self {
            device,
            companion: false,
            published: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            kept: Vec::new(),
            shown: BTreeMap::new(),
            missed: 0,
            unsent: Vec::new(),
        }
    }

    fn comes(&mut self, from: Address, bytes: Vec<u8>) {
        self.kept.push((from, bytes.clone()));
        self.down.push_back((from, bytes));
    }

    fn shows(&mut self, text: &[u8]) {
        *self.shown.entry(String::from_utf8(text.to_vec()).unwrap()).or_default() += 1;
    }

    /// Takes what comes, as an app would: as a frame until it is a companion, then as a message.
    fn takes(&mut self, from: Address, bytes: &[u8], phone: Address) {
        if !self.companion {
            match self.device.run(&TakeFromPhone { envelope: bytes }) {
                Ok(taken) => self.hears(taken.said),
                Err(
                    RelayError::Early { .. }
                    | RelayError::NoFrame
                    | RelayError::Joining
                    | RelayError::Lapsed { .. },
                ) => self.down.push_back((from, bytes.to_vec())),
                Err(_) => {}
            }
            return;
        }
        for associated_data in [BOUND, &[]] {
            let Ok(received) = self.device.run(&Receive { from, envelope: bytes, associated_data }) else {
                continue;
            };
            match received.content {
                Content::PassedOn { missed, text, .. } => {
                    assert_eq!(from, phone);
                    self.missed += missed;
                    self.shows(&text);
                }
                Content::Message(text)
                | Content::ForAccount { text, .. }
                | Content::SentByOwn { text, .. } => {
                    self.shows(&text);
                }
                other @ (Content::Leaves
                | Content::Supply(_)
                | Content::SupplyTaken(_)
                | Content::HistoryAsked { .. }
                | Content::History(_)
                | Content::Lost
                | _) => panic!("{other:?}"),
            }
            return;
        }
    }

    fn hears(&mut self, said: FromPhone) {
        match said {
            FromPhone::Event { text, .. } | FromPhone::OwnSent { text, .. } => self.shows(&text),
            FromPhone::Gap { missed, .. } => self.missed += missed,
            FromPhone::Offered { .. } => self.accepts(),
            FromPhone::Upgraded { joined, settled, unsent, .. } => {
                assert_eq!(joined.address, self.device.address);
                // Only a request to become what it is by now; what it wanted to send is counted at the peer.
                let refused = RequestState::Refused(RefusedRequest::Upgraded);
                assert!(settled.iter().all(|(_, state)| *state == refused), "{settled:?}");
                self.companion = true;
                self.unsent = unsent;
                self.up.extend(self.device.run(&AckPhone).ok());
            }
            FromPhone::Late | FromPhone::Status { .. } | FromPhone::Answer { .. } => {}
            other @ (FromPhone::Suspended(_) | FromPhone::Found { .. } | FromPhone::Ended { .. } | _) => {
                panic!("{other:?}")
            }
        }
    }

    fn accepts(&mut self) {
        if let Ok(accepted) = self.device.run(&AcceptUpgrade) {
            self.up.extend(accepted.frames);
        }
    }

    fn asks(&mut self, request: Request<'_>) {
        let request = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
        if let Ok(asked) = self.device.run(&request) {
            self.up.extend(asked.frames);
        }
    }
}

impl Street {
    fn new() -> Self {
        let office = office(DesktopConsent::Always);
        let (mut phone, peer) = (office.phone, office.peer);
        let second = pair(&mut phone, "second", DesktopConsent::Always);
        Self {
            phone,
            peer,
            desks: [Desk::new(office.desk), Desk::new(second)],
            directory: Directory { bundles: office.server, ..Directory::default() },
            to_phone: VecDeque::new(),
            to_peer: Vec::new(),
            said: 0,
            asked: 0,
            waited: 0,
            heard: BTreeMap::new(),
        }
    }

    /// No more than 29 days in all: a frame that comes 30 days behind a later one opens no more, and its desktop has to join anew.
    fn wait(&mut self, milliseconds: u64) {
        self.waited += milliseconds;
        if self.waited > 29 * DAY {
            return;
        }
        let desks = self.desks.iter_mut().map(|desk| &mut desk.device);
        for device in [&mut self.phone, &mut self.peer].into_iter().chain(desks) {
            device.wait(milliseconds);
        }
    }

    /// The peer speaks to the account, by the lists and sessions that it has.
    fn peer_says(&mut self) {
        let to = self.phone.address.account;
        let Ok(plan) = self.peer.run(&PlanMessage { to }) else { return };
        let text = format!("down {}", self.said);
        if let Ok(sent) = self.peer.send_planned(&plan, text.as_bytes()) {
            self.said += 1;
            self.carry(self.peer.address, &sent);
        }
    }

    /// Copies go to whom they are for.
    fn carry(&mut self, from: Address, sent: &SentToAccount) {
        for (to, copy) in &sent.copies {
            let bytes = copy.envelope.clone();
            if *to == self.phone.address {
                self.to_phone.push_back((from, bytes));
            } else if *to == self.peer.address {
                self.to_peer.push((from, bytes));
            } else if let Some(desk) = self.desks.iter_mut().find(|desk| desk.device.address == *to) {
                desk.comes(from, bytes);
            }
        }
    }

    fn tell(&mut self, desktops: Vec<ForDesktop>) {
        let phone = self.phone.address;
        for told in desktops {
            let is_it = |desk: &&mut Desk| desk.device.address.device == told.desktop;
            let desk = self.desks.iter_mut().find(is_it).unwrap();
            for frame in told.frames {
                if told.passed_on {
                    desk.comes(phone, frame);
                } else {
                    desk.down.push_back((phone, frame));
                }
            }
        }
    }

    fn phone_takes(&mut self, twice: bool) {
        let Some((from, envelope)) = self.to_phone.pop_front() else { return };
        if twice {
            self.to_phone.push_back((from, envelope.clone()));
        }
        let receive = RelayReceive { from, envelope: &envelope, associated_data: BOUND };
        if let Ok(done) = self.phone.run(&receive) {
            self.tell(done.desktops);
        }
    }

    /// The phone takes what a desktop sent; its user agrees to everything.
    fn up(&mut self, which: usize, twice: bool) {
        let Some(bytes) = self.desks[which].up.pop_front() else { return };
        if twice {
            self.desks[which].up.push_back(bytes.clone());
        }
        let desk = self.desks[which].device.clone();
        let mut done = self.phone.decides(&desk, &bytes, Verdict::Allow);
        if let Ok(FromDesktop::Undecided(Wanted::Upgrade { consent, .. })) = done {
            let named =
                Consent { companion: desk.identity, consequence: Consequence::ReadsAndSpeaksForTheAccount };
            assert_eq!(consent, named);
            done = self.phone.decides(&desk, &bytes, Verdict::Upgrade(consent));
        }
        let phone = self.phone.address;
        match done {
            Ok(FromDesktop::Sent { sent, desktops, .. }) => {
                self.carry(phone, &sent);
                self.tell(desktops);
            }
            Ok(FromDesktop::Upgraded { list, frames, .. }) => {
                self.directory.publish(&list.list);
                self.desks[which].down.extend(frames.into_iter().map(|frame| (phone, frame)));
            }
            Ok(
                FromDesktop::Heard { frames, .. }
                | FromDesktop::Offered { frames, .. }
                | FromDesktop::Refused { frames, .. },
            ) => self.desks[which].down.extend(frames.into_iter().map(|frame| (phone, frame))),
            Err(RelayError::EarlyRequest { .. } | RelayError::Lapsed { .. } | RelayError::Full) if !twice => {
                self.desks[which].up.push_back(bytes);
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn down(&mut self, which: usize, twice: bool) {
        let Some((from, bytes)) = self.desks[which].down.pop_front() else { return };
        if twice {
            self.desks[which].down.push_back((from, bytes.clone()));
        }
        self.desks[which].takes(from, &bytes, self.phone.address);
        self.unsent(which);
    }

    /// A new companion sends by itself what it had queued; one whose list has run out once it has the next.
    fn unsent(&mut self, which: usize) {
        let to = self.peer.address.account;
        for one in core::mem::take(&mut self.desks[which].unsent) {
            let UnsentRequest::Send { plaintext, .. } = &one.asked else { panic!("{one:?}") };
            let device = &mut self.desks[which].device;
            let Ok(sent) = self.directory.send(device, to, plaintext) else {
                self.desks[which].unsent.push(one);
                continue;
            };
            let from = device.address;
            self.carry(from, &sent);
        }
    }

    fn desk_says(&mut self, which: usize) {
        let text = format!("up {}", self.asked);
        let to = self.peer.address.account;
        if self.desks[which].companion {
            let device = &mut self.desks[which].device;
            if let Ok(sent) = self.directory.send(device, to, text.as_bytes()) {
                self.asked += 1;
                let from = device.address;
                self.carry(from, &sent);
            }
            return;
        }
        self.asked += 1;
        let send = Request::Send { to, plaintext: text.as_bytes(), associated_data: BOUND };
        self.desks[which].asks(send);
    }

    /// The peer learns what there is, and takes up sessions with companions that have published; or does a part of it.
    fn peer_learns(&mut self, all: bool) {
        let account = self.phone.address.account;
        if !self.directory.lists.contains_key(&account) {
            return;
        }
        let _ = self.directory.learn(&mut self.peer, account);
        for desk in &self.desks {
            if all && desk.published {
                let _ = self.directory.start(&mut self.peer, desk.device.address);
            }
        }
    }

    fn publish(&mut self, which: usize) {
        let desk = &mut self.desks[which];
        if desk.companion && !desk.published {
            desk.published = true;
            desk.device.publish(10, &mut self.directory.bundles);
            let account = self.phone.address.account;
            let described = desk.device.run(&outrigger::DescribeDevices { account }).unwrap();
            self.directory.certificates.insert(desk.device.address, described.certificate.unwrap());
            let _ = self.directory.learn(&mut desk.device, account);
        }
    }

    fn renew(&mut self) {
        if let Ok(signed) = self.phone.run(&RenewDevices) {
            self.directory.publish(&signed.list);
        }
        for desk in &mut self.desks {
            let desktop = desk.device.address.device;
            let _ = self.phone.run(&RenewDesktop { desktop });
            if desk.companion {
                let _ = self.directory.learn(&mut desk.device, self.phone.address.account);
            }
        }
        self.peer_learns(false);
    }

    /// What an app does at its start and on its timers.
    fn timers(&mut self, which: usize) {
        self.unsent(which);
        let phone = self.phone.address;
        let desk = &mut self.desks[which];
        if let Ok(frame) = desk.device.run(&AskPhone) {
            desk.up.push_back(frame);
        }
        desk.up.extend(desk.device.run(&FlushRequests).unwrap_or_default());
        desk.up.extend(desk.device.run(&AckPhone).ok());
        let frames = self.phone.run(&RelayOutbox { desktop: desk.device.address.device });
        desk.down.extend(frames.unwrap_or_default().into_iter().map(|frame| (phone, frame)));
    }

    fn act(&mut self, dice: u8, which: usize) {
        match dice {
            0..=44 => self.peer_says(),
            45..=64 => self.desk_says(which),
            65..=99 => self.phone_takes(dice.is_multiple_of(7)),
            100..=134 => self.up(which, dice.is_multiple_of(7)),
            135..=174 => self.down(which, dice.is_multiple_of(7)),
            175..=189 => self.timers(which),
            190..=204 => self.desks[which].asks(Request::Upgrade),
            205..=209 => self.desks[which].accepts(),
            210..=219 => self.publish(which),
            220..=229 => self.peer_learns(dice.is_multiple_of(2)),
            230..=236 => self.renew(),
            237..=239 => self.wait(2 * DAY),
            240 => self.wait(15 * DAY),
            // Lost.
            241..=247 => drop(self.desks[which].down.pop_back()),
            248..=251 => drop(self.desks[which].up.pop_back()),
            // Died before its commit.
            252.. => {
                if let Some((_, bytes)) = self.desks[which].down.front() {
                    drop(self.desks[which].device.prepare(&TakeFromPhone { envelope: bytes }));
                }
            }
        }
    }

    /// Everybody is renewed, and everything that was lost comes again, until nothing is new.
    fn drain(&mut self) {
        for _ in 0..12 {
            self.renew();
            for which in 0..2 {
                self.timers(which);
                if self.desks[which].companion {
                    let kept = self.desks[which].kept.clone();
                    self.desks[which].down.extend(kept);
                }
            }
            for _ in 0..self.to_phone.len() * 2 {
                self.phone_takes(false);
            }
            for which in 0..2 {
                for _ in 0..self.desks[which].up.len() * 2 {
                    self.up(which, false);
                }
                for _ in 0..self.desks[which].down.len() * 2 {
                    self.down(which, false);
                }
            }
        }
        for (from, envelope) in core::mem::take(&mut self.to_peer) {
            if self.directory.lists.contains_key(&from.account) {
                let _ = self.directory.learn(&mut self.peer, from.account);
            }
            let received = self.peer.run(&Receive { from, envelope: &envelope, associated_data: BOUND });
            let Content::ForAccount { text, .. } = received.unwrap().content else { panic!("another") };
            *self.heard.entry(String::from_utf8(text.to_vec()).unwrap()).or_default() += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each message of the peer's is shown once on each desktop, by whatever way it came, or is said to be missing; each request is done once, by the phone or by the companion.
    #[test]
    fn desktops_that_are_upgraded_miss_and_double_nothing(
        acts in prop::collection::vec((any::<u8>(), 0_usize..2), 1..160),
    ) {
        let mut street = Street::new();
        for (dice, which) in acts {
            street.act(dice, which);
        }
        street.drain();
        let described = street.phone.run(&DescribeDesktops).unwrap();
        for desk in &street.desks {
            prop_assert!(desk.shown.values().all(|times| *times == 1), "{:?}", desk.shown);
            let all: BTreeSet<_> = (0..street.said).map(|count| format!("down {count}")).collect();
            let lacks = all.iter().filter(|text| !desk.shown.contains_key(*text)).count();
            let untold = described.iter().find(|one| one.desktop == desk.device.address.device).unwrap().missed;
            prop_assert!(
                lacks as u64 <= desk.missed + untold,
                "{lacks} of {} are missing, and {} + {untold} were said to be: {:?}", all.len(), desk.missed, desk.shown
            );
        }
        prop_assert_eq!(street.heard.len(), street.asked, "{:?}", street.heard);
        prop_assert!(street.heard.values().all(|times| *times == 1), "{:?}", street.heard);
    }
}
