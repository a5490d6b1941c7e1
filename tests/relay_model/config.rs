//! What is checked: what may happen how often, what may go wrong, and which fault is planted.

/// A fault of an app, a store or a network, planted to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// What a step gives leaves before it is stored, and the device dies.
    ReleaseBeforeStore,
    /// The desktop's app shows a frame that came early, as if it were next.
    ShowsEarly,
    /// The phone's app sends a request that comes again to the peer, under a new id.
    SendsRepeated,
    /// The phone's app takes a frame that its user is to decide on as done.
    UndecidedIsDone,
    /// The desktop's app takes a request that went out as accepted.
    SentIsAccepted,
    /// Nobody sends again what was lost with its output.
    NeverAgain,
    /// The desktop's app shows a message as often as the phone tells it.
    ShowsAgain,
    /// The phone's app passes on what the companion has from its sender, too.
    PassesAllOn,
    /// The phone's app passes on nothing.
    PassesNothingOn,
    /// The desktop's app says that a request has gone out, and accepts the offer first.
    AcceptanceOvertakes,
    /// The desktop's app has what it queues behind its acceptance sent by the phone, too.
    QueuedAreSent,
    /// The desktop's app takes the last frame for shown where it comes early.
    CompanionEarly,
    /// The phone's app takes leave to send for the word that makes a companion.
    AllowUpgrades,
    /// The desktop's app drops what is given back to it.
    DropsGivenBack,
    /// The desktop's app acknowledges what it has taken before that is stored, to the phone and to its transport.
    AcksBeforeStore,
    /// The phone's store loses which requests were taken.
    LosesSeen,
    /// The phone's app tells the desktop that it is let go, and does not store that.
    EndIsNotStored,
}

impl Fault {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ReleaseBeforeStore => "released before it is stored",
            Self::ShowsEarly => "shows what is early",
            Self::SendsRepeated => "sends what is repeated anew",
            Self::UndecidedIsDone => "undecided is done",
            Self::SentIsAccepted => "sent is accepted",
            Self::NeverAgain => "never sends again",
            Self::ShowsAgain => "shows what is told again",
            Self::PassesAllOn => "passes everything on",
            Self::PassesNothingOn => "passes nothing on",
            Self::AcceptanceOvertakes => "the acceptance overtakes a request",
            Self::QueuedAreSent => "what is queued is sent, too",
            Self::CompanionEarly => "a companion before it has shown all",
            Self::AllowUpgrades => "leave to send is the word",
            Self::DropsGivenBack => "drops what is given back",
            Self::AcksBeforeStore => "acknowledged before it is stored",
            Self::LosesSeen => "loses what was taken",
            Self::EndIsNotStored => "goes on after the end",
        }
    }
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Messages of the peer's.
    pub(crate) down: u8,
    /// Requests of the desktop's, and of the other desktop's.
    pub(crate) up: u8,
    pub(crate) aside: u8,
    pub(crate) asks: u8,
    pub(crate) acks: u8,
    /// How often the desktop sends what has no answer, again.
    pub(crate) flushes: u8,
    pub(crate) crashes: u8,
    /// How often the phone's store goes back, and the desktop's.
    pub(crate) phone_backs: u8,
    pub(crate) desk_backs: u8,
    pub(crate) rejoins: u8,
    /// Sessions that the peer starts anew, once the phone's store went back.
    pub(crate) restarts: u8,
    /// Requests that the phone's user denies.
    pub(crate) denies: u8,
    pub(crate) detaches: u8,
    /// How often the phone's user takes back what the desktop may.
    pub(crate) withdraws: u8,
    /// How often the phone's app tells what became of a request.
    pub(crate) news: u8,
    /// How often the desktop asks to become a companion, and how often the phone's user agrees.
    pub(crate) upgrades: u8,
    pub(crate) agrees: u8,
    /// How often a deadline passes, and how often the phone's user renews a desktop before all comes to rest.
    pub(crate) waits: u8,
    pub(crate) renews: u8,
}

/// Two messages down and two requests up, and nothing that disturbs.
pub(crate) const CALM: Budget = Budget {
    down: 2,
    up: 2,
    aside: 0,
    asks: 0,
    acks: 0,
    flushes: 0,
    crashes: 0,
    phone_backs: 0,
    desk_backs: 0,
    rejoins: 0,
    restarts: 0,
    denies: 0,
    detaches: 0,
    withdraws: 0,
    news: 0,
    upgrades: 0,
    agrees: 0,
    waits: 0,
    renews: 0,
};

/// To whom the peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// The phone alone.
    Phone,
    /// The account.
    Account,
    /// The account, and then the phone alone, in turn.
    Both,
}

/// One configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) name: &'static str,
    pub(crate) budget: Budget,
    /// Whether the network keeps what was taken, and brings it again.
    pub(crate) doubles: bool,
    pub(crate) to: To,
    /// Whether the phone has two desktops.
    pub(crate) two: bool,
    /// Whether a phone whose store went back sees the list that it has signed, on the server.
    pub(crate) learns: bool,
    /// How long a wait is, in milliseconds: past the deadline that is meant.
    pub(crate) wait: u64,
    pub(crate) fault: Option<Fault>,
}

/// Past the time of an offer, and of a relay.
const OFFER: u64 = 5 * 60 * 1_000 + 1;
const RELAY: u64 = 14 * 24 * 60 * 60 * 1_000 + 1;

impl Config {
    pub(crate) const fn new(name: &'static str, budget: Budget) -> Self {
        Self {
            name,
            budget,
            doubles: true,
            to: To::Phone,
            two: false,
            learns: false,
            wait: RELAY,
            fault: None,
        }
    }

    /// The peer speaks to the account, and a wait is longer than an offer stands.
    pub(crate) const fn upgrade(name: &'static str, budget: Budget) -> Self {
        Self { to: To::Account, wait: OFFER, ..Self::new(name, budget) }
    }

    pub(crate) const fn without_doubles(self) -> Self {
        Self { doubles: false, ..self }
    }

    pub(crate) const fn with_fault(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    pub(crate) const fn to_both(self) -> Self {
        Self { to: To::Both, ..self }
    }

    pub(crate) const fn learning(self) -> Self {
        Self { learns: true, ..self }
    }

    pub(crate) const fn with_two(self) -> Self {
        Self { two: true, ..self }
    }
}
