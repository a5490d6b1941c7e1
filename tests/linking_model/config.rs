//! What is checked: how many phones, what users do, what may go wrong, and which fault is planted.

/// A fault of an app or of a store, planted to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The companion becomes a device when the grant comes.
    DeviceAtGrant,
    /// The phone signs the list with the grant.
    ListAtGrant,
    /// The phone grants what it scans, and asks nobody.
    AsksNobody,
    /// The companion takes grants for codes that it shows no more.
    OldCodesCount,
    /// The phone forgets what it scanned when it abandons a linking.
    ForgetsScans,
    /// What a step gives leaves before it is stored, and the device dies.
    ReleaseBeforeStore,
    /// Nobody sends again what was lost with its output.
    NeverAgain,
    /// The companion's clock stands still.
    StoppedClock,
    /// The companion deletes its linking when a message is refused.
    ForgetsOnRefusal,
    /// Nobody can abandon a linking in the end.
    NoWayOut,
}

impl Fault {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DeviceAtGrant => "a device at the grant",
            Self::ListAtGrant => "a list at the grant",
            Self::AsksNobody => "asks nobody",
            Self::OldCodesCount => "old codes count",
            Self::ForgetsScans => "forgets scans",
            Self::ReleaseBeforeStore => "released before it is stored",
            Self::NeverAgain => "never sends again",
            Self::StoppedClock => "a clock that stands still",
            Self::ForgetsOnRefusal => "forgets on a refusal",
            Self::NoWayOut => "no way out",
        }
    }
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Codes that the companion shows, the first among them.
    pub(crate) codes: u8,
    pub(crate) crashes: u8,
    pub(crate) waits: u8,
    pub(crate) abandons: u8,
    pub(crate) declines: u8,
    pub(crate) removals: u8,
}

impl Budget {
    /// One code, and nothing that disturbs.
    pub(crate) const CALM: Self =
        Self { codes: 1, crashes: 0, waits: 0, abandons: 0, declines: 0, removals: 0 };
    /// More than any world uses up.
    pub(crate) const AMPLE: Self =
        Self { codes: 99, crashes: 99, waits: 99, abandons: 99, declines: 99, removals: 99 };
}

/// One configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) name: &'static str,
    /// Whether another account's phone photographs the codes.
    pub(crate) photographed: bool,
    pub(crate) budget: Budget,
    pub(crate) fault: Option<Fault>,
}

impl Config {
    pub(crate) const fn new(name: &'static str, budget: Budget) -> Self {
        Self { name, photographed: false, budget, fault: None }
    }

    pub(crate) const fn photographed(self) -> Self {
        Self { photographed: true, ..self }
    }

    pub(crate) const fn with_fault(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }
}
