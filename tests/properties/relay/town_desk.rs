//! A desktop in [`town`](super::town): what its app has in its tables, and what it may never be told.

use std::collections::{BTreeMap, BTreeSet};

use outrigger::{
    AcceptUpgrade, AckPhone, Address, AskPhone, Content, DescribeDevices, DeviceId, FlushRequests, FromPhone,
    MessageId, Origin, Receive, RefusedRequest, RelayRequest, Request, RequestId, RequestState, SharedId,
    UnixMillis, UnsentRequest, WhileAway,
};

use crate::{
    companions::household::Directory,
    world::{BOUND, Device},
};

/// What an app keeps a message by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    One(MessageId),
    Shared(SharedId),
}

/// What a desktop's user sees, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Shown(Name),
    Gap(u64),
}

/// What became of a request, as its app knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Open,
    State(RequestState),
    Cancelled,
    NeverSent,
    /// To be sent by the companion that this desktop has become.
    GivenBack,
}

/// What a desktop's app has in its tables, and goes back with the store.
#[derive(Clone, Default)]
pub(crate) struct Life {
    pub(crate) log: Vec<Entry>,
    pub(crate) asked: BTreeMap<RequestId, (String, Fate)>,
    pub(crate) companion: bool,
    pub(crate) published: bool,
    /// The relay has ended.
    pub(crate) over: bool,
    /// How many messages the phone could not pass on to the companion.
    pub(crate) missed: u64,
    pub(crate) unsent: Vec<String>,
    /// The last numbered frame, offers that were of no use since, whether a join came behind it, and whether numbers were passed over since the last gap.
    number: u64,
    late: u64,
    joined: bool,
    hole: bool,
    pub(crate) order: u64,
}

pub(crate) struct Desk {
    pub(crate) device: Device,
    pub(crate) life: Life,
    pub(crate) moments: Vec<(Device, Life)>,
    pub(crate) went_back: bool,
    pub(crate) left: bool,
    /// It has joined anew: what a gap counts twice then the phone takes for one.
    pub(crate) rejoined: bool,
    pub(crate) up: Vec<Vec<u8>>,
    pub(crate) down: Vec<(Address, Vec<u8>)>,
    /// What comes to the companion, which a server has.
    pub(crate) kept: Vec<(Address, Vec<u8>)>,
    /// What was sent to the companion by others than its phone.
    pub(crate) direct: BTreeSet<Name>,
}

impl Fate {
    /// It was said that the phone has not done it, and never will.
    pub(crate) fn is_undone(self) -> bool {
        match self {
            Self::State(RequestState::Refused(why)) => why != RefusedRequest::Upgraded,
            Self::Cancelled | Self::NeverSent => true,
            Self::Open | Self::State(_) | Self::GivenBack => false,
        }
    }
}

impl Desk {
    pub(crate) fn new(device: Device) -> Self {
        Self {
            device,
            life: Life::default(),
            moments: Vec::new(),
            went_back: false,
            left: false,
            rejoined: false,
            up: Vec::new(),
            down: Vec::new(),
            kept: Vec::new(),
            direct: BTreeSet::new(),
        }
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.device.address.device
    }

    /// Numbers rise by one, but behind a join, which passes numbers over.
    fn number(&mut self, number: u64) {
        let life = &mut self.life;
        assert!(number > life.number, "{number} after {}", life.number);
        if number > life.number + 1 + life.late {
            assert!(life.joined, "{number} after {}", life.number);
            life.hole = true;
        }
        (life.number, life.late, life.joined) = (number, 0, false);
    }

    /// States only move forward, and ends are ends.
    fn settle(&mut self, request: RequestId, state: RequestState) {
        let Some((text, fate)) = self.life.asked.get_mut(&request) else {
            assert!(self.went_back, "a request of nobody's");
            return;
        };
        match *fate {
            Fate::Open => {}
            Fate::State(RequestState::Refused(_) | RequestState::Unknown) => {
                assert_eq!(*fate, Fate::State(state), "{text}");
            }
            Fate::State(before) => assert!(before <= state, "{text}: {before:?} {state:?}"),
            Fate::Cancelled | Fate::NeverSent | Fate::GivenBack => panic!("{text}: {fate:?} {state:?}"),
        }
        *fate = Fate::State(state);
    }

    /// What the phone said; a message that it showed.
    pub(crate) fn hears(&mut self, said: FromPhone) -> Option<(Name, Vec<u8>)> {
        match said {
            FromPhone::Event { number, message, shared, text, .. } => {
                self.number(number.0);
                assert!(!self.life.hole, "{number:?} behind a hole without a gap");
                return Some((shared.map_or(Name::One(message), Name::Shared), text.to_vec()));
            }
            FromPhone::OwnSent { number, shared, text, .. } => {
                self.number(number.0);
                assert!(!self.life.hole, "{number:?} behind a hole without a gap");
                return Some((Name::Shared(shared), text.to_vec()));
            }
            FromPhone::Gap { number, missed, .. } => {
                self.number(number.0);
                self.life.hole = false;
                self.life.log.push(Entry::Gap(missed));
            }
            FromPhone::Answer { number, request, state } => {
                self.number(number.0);
                self.settle(request, state);
            }
            FromPhone::Found { number, .. } => self.number(number.0),
            FromPhone::Offered { number, .. } => {
                self.number(number.0);
                self.accepts();
            }
            FromPhone::Status { joined, settled, .. } => {
                settled.into_iter().for_each(|(request, state)| self.settle(request, state));
                self.life.joined |= joined;
            }
            FromPhone::Upgraded { number, joined, settled, unsent } => {
                self.number(number.0);
                assert_eq!(joined.address, self.device.address);
                settled.into_iter().for_each(|(request, state)| self.settle(request, state));
                self.life.companion = true;
                for one in unsent {
                    let (text, fate) = self.life.asked.get_mut(&one.request).unwrap();
                    assert_eq!(*fate, Fate::Open, "{text}");
                    *fate = Fate::GivenBack;
                    if let UnsentRequest::Send { .. } = one.asked {
                        self.life.unsent.push(text.clone());
                    }
                }
                self.up.extend(self.device.run(&AckPhone).ok());
            }
            FromPhone::Ended { settled, never_sent, .. } => {
                self.life.over = true;
                settled.into_iter().for_each(|(request, state)| self.settle(request, state));
                for request in never_sent {
                    let (text, fate) = self.life.asked.get_mut(&request).unwrap();
                    assert_eq!(*fate, Fate::Open, "{text}");
                    *fate = Fate::NeverSent;
                }
            }
            FromPhone::Late => self.life.late += 1,
            FromPhone::Suspended(_) => {}
            said => panic!("{said:?}"),
        }
        None
    }

    /// What comes to the companion; a message that it shows.
    pub(crate) fn companion_takes(&mut self, from: Address, bytes: &[u8]) -> Option<(Name, Vec<u8>)> {
        for associated_data in [BOUND, &[]] {
            let Ok(received) = self.device.run(&Receive { from, envelope: bytes, associated_data }) else {
                continue;
            };
            let (name, text) = match received.content {
                Content::PassedOn { missed, origin, text, .. } => {
                    self.life.missed += missed;
                    let name = match origin {
                        Origin::Peer { message, shared, .. } => {
                            shared.map_or(Name::One(message), Name::Shared)
                        }
                        Origin::Own { shared, .. } => Name::Shared(shared),
                    };
                    (name, text)
                }
                Content::ForAccount { id, text } | Content::SentByOwn { id, text, .. } => {
                    (Name::Shared(id), text)
                }
                said @ (Content::Message(_)
                | Content::Leaves
                | Content::Supply(_)
                | Content::SupplyTaken(_)
                | Content::HistoryAsked { .. }
                | Content::History(_)
                | Content::Lost
                | _) => panic!("{said:?}"),
            };
            return Some((name, text.to_vec()));
        }
        None
    }

    /// The companion publishes its bundle, once.
    pub(crate) fn publishes(&mut self, directory: &mut Directory) {
        if !self.life.companion || self.life.published {
            return;
        }
        let account = self.device.address.account;
        let described = self.device.run(&DescribeDevices { account }).unwrap();
        directory.certificates.insert(self.device.address, described.certificate.unwrap());
        self.device.publish(20, &mut directory.bundles);
        self.life.published = true;
    }

    /// What an app does at its start and on its timers.
    pub(crate) fn timers(&mut self) {
        if !self.life.companion {
            self.up.extend(self.device.run(&AskPhone).ok());
            self.up.extend(self.device.run(&FlushRequests).unwrap_or_default());
        }
        self.up.extend(self.device.run(&AckPhone).ok());
    }

    pub(crate) fn asks(&mut self, text: &str, request: Request<'_>, not_after: UnixMillis) {
        let request = RelayRequest { request, not_after, while_away: WhileAway::Queue };
        if let Ok(asked) = self.device.run(&request) {
            self.life.asked.insert(asked.request, (text.to_owned(), Fate::Open));
            self.up.extend(asked.frames);
        }
    }

    pub(crate) fn accepts(&mut self) {
        if let Ok(accepted) = self.device.run(&AcceptUpgrade) {
            self.life.asked.insert(accepted.request, ("an acceptance".to_owned(), Fate::Open));
            self.up.extend(accepted.frames);
        }
    }
}
