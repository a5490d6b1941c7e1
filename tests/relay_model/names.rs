//! Who there is, what they say to each other, and what their apps remember.

use outrigger::{MessageId, RequestId, RequestState, SharedId};

use crate::store::Records;

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
    /// The phone's other desktop.
    Other,
}

/// What was said: the how many-th message down, or request up, whatever went back meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Text {
    Down(u8),
    Up(u8),
    /// A request of the other desktop's.
    Aside(u8),
    /// The wish to become a companion.
    Want(u8),
    Accept(u8),
}

impl Text {
    pub(crate) fn bytes(self) -> [u8; 2] {
        match self {
            Self::Down(number) => [b'd', number],
            Self::Up(number) => [b'u', number],
            Self::Aside(number) => [b'a', number],
            Self::Want(_) | Self::Accept(_) => panic!("it is for the phone alone"),
        }
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        match *bytes {
            [b'd', number] => Self::Down(number),
            [b'u', number] => Self::Up(number),
            [b'a', number] => Self::Aside(number),
            _ => panic!("another text than was said"),
        }
    }

    /// Whether a party has asked for it.
    pub(crate) const fn is_of(self, party: Party) -> bool {
        match self {
            Self::Down(_) => matches!(party, Party::Peer),
            Self::Aside(_) => matches!(party, Party::Other),
            Self::Up(_) | Self::Want(_) | Self::Accept(_) => matches!(party, Party::Desk),
        }
    }

    /// Whether it is for the peer.
    pub(crate) const fn is_said(self) -> bool {
        matches!(self, Self::Up(_) | Self::Aside(_))
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
    /// The upgrade gave it back, to be sent by the companion itself; and it did.
    GivenBack,
    Spoken,
}

/// A request of a desktop's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    pub(crate) text: Text,
    pub(crate) id: RequestId,
    pub(crate) fate: Fate,
}

/// What names a message for an app: its id on all devices, if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    Message(MessageId),
    Shared(SharedId),
}

impl Name {
    pub(crate) fn of(message: MessageId, shared: Option<SharedId>) -> Self {
        shared.map_or(Self::Message(message), Self::Shared)
    }
}

/// The app's own tables, which go back with the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tables {
    /// What goes out until the other end has it: envelopes, lists, bundles.
    pub(crate) outbox: Vec<PacketId>,
    /// At the phone: what was opened or sent; at a desktop: what was shown; at the peer: requests that were heard.
    pub(crate) seen: Vec<Text>,
    /// At a desktop: what names the messages that were shown, and whether one came another time.
    pub(crate) names: Vec<Name>,
    pub(crate) again: bool,
    /// At the phone: requests that were done, under which number.
    pub(crate) done: Vec<(Text, u64)>,
    /// At a desktop: the last number that was shown, and whether a status has joined since.
    pub(crate) last: u64,
    pub(crate) joined: bool,
    /// At a desktop: how many messages were said to be missing.
    pub(crate) missed: u64,
    /// At a desktop, in the order in which they were made.
    pub(crate) asked: Vec<Asked>,
    /// At a desktop: whether something was shown since its last word to the phone.
    pub(crate) unsaid: bool,
    /// At a desktop: whether the relay is said to have ended.
    pub(crate) ended: bool,
    /// At a desktop: whether a request was given back that had gone out.
    pub(crate) recalled: bool,
    /// At a desktop: whether an offer stands.
    pub(crate) offered: bool,
    /// At the phone: how many deadlines had passed when it made its last offer.
    pub(crate) offered_at: u8,
    /// At a desktop: whether it is a companion, its certificate, and whether that is published; at the phone: whether the desktop is one.
    pub(crate) companion: bool,
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) published: bool,
    /// At a desktop: whether an offer came that it does not want any more; it has a number.
    pub(crate) late: bool,
    /// At the phone: how often a desktop has joined, and whether a numbered frame came behind the last one.
    pub(crate) joins: u8,
    pub(crate) tells_on: bool,
    /// At the phone: what the desktop was told when it was let go.
    pub(crate) notice: Option<PacketId>,
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

/// A device whose store is empty.
pub(crate) fn empty(party: Party) -> Device {
    Device { party, records: Records::new(), tables: Tables::default(), draws: 0, deaths: 0 }
}

/// What is done at a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    /// The peer says its next message.
    Say(u8),
    /// The peer starts its session with the phone anew.
    Restart(u8),
    /// A desktop makes its next request.
    Request(Text),
    /// The desktop asks to become a companion.
    Want(u8),
    /// The desktop accepts the offer.
    Accept(u8),
    /// The companion publishes its keys.
    Publish,
    /// The companion sends what was given back to it.
    Speak(Text),
    Ask,
    Ack,
    Flush,
    Rejoin(u8),
    /// An app sends what waits, again.
    Outbox,
    Detach,
    /// The phone's user lets the desktop ask for nothing more.
    Withdraw,
    Renew,
    /// The phone's app tells that its transport has taken a request's message.
    News(Text),
    Take(PacketId),
    /// The phone's user says no, or agrees to a companion.
    Deny(PacketId),
    Agree(PacketId),
    /// The peer starts its session with the companion anew.
    Meet(PacketId),
}

impl Input {
    /// What it is about that has come.
    pub(crate) const fn packet(self) -> Option<PacketId> {
        match self {
            Self::Take(id) | Self::Deny(id) | Self::Agree(id) => Some(id),
            Self::Say(_)
            | Self::Restart(_)
            | Self::Request(_)
            | Self::Want(_)
            | Self::Accept(_)
            | Self::Publish
            | Self::Speak(_)
            | Self::Ask
            | Self::Ack
            | Self::Flush
            | Self::Rejoin(_)
            | Self::Outbox
            | Self::Detach
            | Self::Withdraw
            | Self::Renew
            | Self::News(_)
            | Self::Meet(_) => None,
        }
    }
}

/// The time: how many sessions were started anew, and how many deadlines passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct When {
    pub(crate) sessions: u8,
    pub(crate) waits: u8,
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    /// What it brings, where that is known to the one who made it.
    Envelope(Option<Text>),
    /// The account's device list.
    List,
    /// The companion's keys, with this certificate.
    Bundle(Vec<u8>),
    /// A text that a faulty app has sent by another way.
    Aside(Text),
}

/// One of it.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) from: Party,
    pub(crate) to: Party,
    pub(crate) what: What,
    pub(crate) bytes: Vec<u8>,
    /// What it shows that must come once.
    pub(crate) sealed: Vec<Vec<u8>>,
}

impl Packet {
    pub(crate) const fn text(&self) -> Option<Text> {
        match self.what {
            What::Envelope(text) => text,
            What::Aside(text) => Some(text),
            What::List | What::Bundle(_) => None,
        }
    }
}
