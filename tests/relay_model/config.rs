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
        }
    }
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Messages of the peer's.
    pub(crate) down: u8,
    /// Requests of the desktop's.
    pub(crate) up: u8,
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
    /// How often the phone's app tells what became of a request.
    pub(crate) news: u8,
}

/// Two messages down and two requests up, and nothing that disturbs.
pub(crate) const CALM: Budget = Budget {
    down: 2,
    up: 2,
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
    news: 0,
};

/// One configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) name: &'static str,
    pub(crate) budget: Budget,
    /// Whether the network keeps what was taken, and brings it again.
    pub(crate) doubles: bool,
    pub(crate) fault: Option<Fault>,
}

impl Config {
    pub(crate) const fn new(name: &'static str, budget: Budget) -> Self {
        Self { name, budget, doubles: true, fault: None }
    }

    pub(crate) const fn without_doubles(self) -> Self {
        Self { doubles: false, ..self }
    }

    pub(crate) const fn with_fault(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }
}
