//! What two reports say together: the one place that knows what is wrong between two devices.

use alloc::vec::Vec;
use core::fmt;

use super::{Report, SessionReport};
use crate::{identity::TrustMark, step::Advice, wire::SessionId};

/// Which of the two reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that was given first.
    First,
    /// The other.
    Second,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// Something that two reports show together. [`advice`](Finding::advice) is the next move, at the side that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The reports are not about each other: nothing else is said.
    NotAPair,
    /// This side holds another identity key than the other side has.
    KeysDiffer(Side),
    /// A change of the identity key waits for the user at this side.
    Undecided(Side),
    /// This side has no session that sends.
    NoSession(Side),
    /// This side came back from a backup, and has not started a new session since.
    Stale(Side),
    /// This side does not know the session that the other speaks in: its first envelope is under way, or this side lost its state.
    Unknown(Side, SessionId),
    /// The two speak in different sessions and both know the later one's start: it settles with the next envelope that arrives.
    Crossing,
    /// This side's counter is below what the other has opened: its store went back. Its next message will be asked for again.
    WentBack(Side, SessionId),
    /// Neither side hears the chain that the other speaks in: the store of one went back behind a turn. The next message will be asked for again.
    Diverged(SessionId),
    /// So many messages of this side's current chain have not arrived at the other, or not yet.
    UnderWay(Side, u32),
    /// This side may ask for nothing more within the hour.
    AskedEnough(Side),
    /// This side has no one-time prekey left: new sessions with it start weak.
    NoOneTimePrekeys(Side),
}

impl Finding {
    /// What is to be done, at the side that the finding names; `None` where time or the next message mends it.
    #[must_use]
    pub const fn advice(&self) -> Option<Advice> {
        match self {
            Self::NotAPair => Some(Advice::FixCall),
            Self::KeysDiffer(_) | Self::Undecided(_) => Some(Advice::AskUser),
            Self::NoSession(_) | Self::Stale(_) => Some(Advice::FetchBundle),
            Self::Unknown(..) => Some(Advice::RequestRetry),
            Self::WentBack(..) | Self::Diverged(_) | Self::Crossing | Self::UnderWay(..) => None,
            Self::AskedEnough(_) => Some(Advice::Later),
            Self::NoOneTimePrekeys(_) => Some(Advice::Replenish),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPair => f.write_str("the reports are not about each other"),
            Self::KeysDiffer(side) => {
                write!(f, "{side:?} holds another identity key than the other side has")
            }
            Self::Undecided(side) => write!(f, "{side:?} has not decided about another identity key"),
            Self::NoSession(side) => write!(f, "{side:?} has no session"),
            Self::Stale(side) => {
                write!(f, "{side:?} came back from a backup and has started no session since")
            }
            Self::Unknown(side, id) => write!(f, "{side:?} does not know {id:?}, in which the other speaks"),
            Self::Crossing => f.write_str("the two speak in different sessions that both know"),
            Self::WentBack(side, id) => write!(f, "{side:?} went back in {id:?}"),
            Self::Diverged(id) => write!(f, "one of the two went back behind a turn in {id:?}"),
            Self::UnderWay(side, count) => write!(f, "{count} messages of {side:?} have not arrived"),
            Self::AskedEnough(side) => write!(f, "{side:?} may ask for nothing more within the hour"),
            Self::NoOneTimePrekeys(side) => write!(f, "{side:?} has no one-time prekey left"),
        }
    }
}

impl Report {
    /// Says what is wrong between two devices, from the report of each about the other: this one is [`Side::First`]. Empty: they are in step, and nothing is under way.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Vec<Finding> {
        if (self.device, self.peer) != (other.peer, other.device) {
            return Vec::from([Finding::NotAPair]);
        }
        let mut findings = Vec::new();
        for (side, own, other) in [(Side::First, self, other), (Side::Second, other, self)] {
            of_one(side, own, other, &mut findings);
        }
        if let (Some(one), Some(two)) = (&self.active, &other.active)
            && one.id == two.id
            && !self.stale
            && !other.stale
            && !follows(one, two)
            && !follows(two, one)
        {
            findings.push(Finding::Diverged(one.id));
        }
        if let (Some(one), Some(two)) = (&self.active, &other.active)
            && one.id != two.id
            && find(other, one.id).is_some()
            && find(self, two.id).is_some()
        {
            findings.push(Finding::Crossing);
        }
        findings
    }
}

/// What is wrong with one side, or with what it sends.
fn of_one(side: Side, own: &Report, other: &Report, findings: &mut Vec<Finding>) {
    if own.peer_key.is_some_and(|key| key != other.identity_key) {
        findings.push(Finding::KeysDiffer(side));
    }
    if own.trust == TrustMark::Changed {
        findings.push(Finding::Undecided(side));
    }
    match &own.active {
        None => findings.push(Finding::NoSession(side)),
        Some(_) if own.stale => findings.push(Finding::Stale(side)),
        Some(active) => match find(other, active.id) {
            None => findings.push(Finding::Unknown(side.other(), active.id)),
            Some(there) => findings.extend(of_chain(side, active, there)),
        },
    }
    if !own.may_ask {
        findings.push(Finding::AskedEnough(side));
    }
    if own.one_time_prekeys == 0 {
        findings.push(Finding::NoOneTimePrekeys(side));
    }
}

fn find(report: &Report, id: SessionId) -> Option<&SessionReport> {
    report.active.iter().chain(&report.archived).find(|session| session.id == id)
}

/// Whether a side has opened the chain that the other speaks in. Of two sides in step at least one has.
fn follows(side: &SessionReport, other: &SessionReport) -> bool {
    match (&side.receiving, &other.sending) {
        (Some(heard), Some(spoken)) => heard.key == spoken.key,
        (Some(_), None) => false,
        (None, _) => true,
    }
}

/// How what one side sends stands at the other.
fn of_chain(side: Side, sender: &SessionReport, receiver: &SessionReport) -> Option<Finding> {
    let went_back = Finding::WentBack(side, sender.id);
    match (&sender.sending, &receiver.receiving) {
        (Some(sent), Some(opened)) if sent.key == opened.key => match sent.next.checked_sub(opened.next) {
            None => Some(went_back),
            Some(0) => None,
            Some(count) => Some(Finding::UnderWay(side, count)),
        },
        (Some(sent), _) if receiver.earlier.contains(&sent.key) => Some(went_back),
        (Some(sent), _) => Some(Finding::UnderWay(side, sent.next)).filter(|_| sent.next > 0),
        // The chain before the due turn is the one that the receiver has.
        (None, Some(opened)) => match sender.previous_counter.checked_sub(opened.next) {
            None => Some(went_back),
            Some(0) => None,
            Some(count) => Some(Finding::UnderWay(side, count)),
        },
        (None, None) => None,
    }
}
