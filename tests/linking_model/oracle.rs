//! What of all that can be asked of the machines must be taken, by `docs/protocol.md`, section 10 "Linking". All else must be refused, and change nothing.

use crate::{
    config::Fault,
    names::{Act, CodeName, Kind, Name, Party, Who},
    view::{GrantingView, LinkingView},
    world::World,
};

impl World {
    /// Whether this is to be taken.
    pub(crate) fn is_due(&self, act: &Act) -> bool {
        match *act {
            Act::Show(_) => {
                let companion = &self.view.companion;
                companion.device.is_none() && !matches!(companion.linking, LinkingView::Confirmed(_))
            }
            Act::Scan(who, code, _) => {
                let waits = matches!(self.granting(who), GrantingView::Granted { left: Some(_), .. });
                !waits && !self.facts.seen.contains(&(who, code))
            }
            Act::Agree(who, named, to, _) => match self.granting(who) {
                GrantingView::Scanned { code, left } => left.is_some() && named == code && to == code,
                GrantingView::Nothing | GrantingView::Granted { .. } | GrantingView::Declined { .. } => false,
            },
            Act::Decline(who, named, _) => self.scanned(who) == Some(named),
            Act::Abandon(Party::Companion, _) => self.view.companion.linking != LinkingView::Nothing,
            Act::Abandon(Party::Phone(who), _) => {
                matches!(self.granting(who), GrantingView::Scanned { .. } | GrantingView::Granted { .. })
            }
            Act::Remove(who, code, _) => {
                self.view.phone(who).list.as_ref().is_some_and(|list| list.names(code))
            }
            Act::Deliver(place, to, _) => self.is_taken(self.network[place].0, to),
            Act::Again(_) if self.config.fault == Some(Fault::NeverAgain) => false,
            Act::Again(party) => !self.unsent(party).is_empty(),
            Act::Wait(_) => true,
        }
    }

    fn is_taken(&self, message: Name, by: Party) -> bool {
        match (by, message.kind) {
            (Party::Companion, Kind::Grant | Kind::Refusal) => {
                matches!(self.view.companion.linking, LinkingView::Shown { code, left: Some(_) } if code == message.code)
            }
            (Party::Companion, Kind::Acknowledgement(_)) => {
                self.view.companion.linking == LinkingView::Confirmed(message.followed_by(Kind::Confirmation))
            }
            (Party::Phone(who), Kind::Confirmation) => {
                let granted = message.followed_by(Kind::Grant);
                matches!(self.granting(who), GrantingView::Granted { grant, left: Some(_) } if grant == granted)
            }
            (Party::Companion, Kind::Confirmation)
            | (Party::Phone(_), Kind::Grant | Kind::Acknowledgement(_) | Kind::Refusal) => false,
        }
    }

    /// The code of the linking that a party has under way.
    pub(crate) fn under_way(&self, party: Party) -> Option<CodeName> {
        match party {
            Party::Companion => match self.view.companion.linking {
                LinkingView::Shown { code, .. } | LinkingView::Confirmed(Name { code, .. }) => Some(code),
                LinkingView::Nothing => None,
            },
            Party::Phone(who) => match self.granting(who) {
                GrantingView::Scanned { code, .. }
                | GrantingView::Granted { grant: Name { code, .. }, .. } => Some(code),
                GrantingView::Nothing | GrantingView::Declined { .. } => None,
            },
        }
    }

    pub(crate) fn granting(&self, who: Who) -> GrantingView {
        self.view.phone(who).granting
    }

    /// The code about which a phone's user is asked.
    pub(crate) fn scanned(&self, who: Who) -> Option<CodeName> {
        match self.granting(who) {
            GrantingView::Scanned { code, .. } => Some(code),
            GrantingView::Nothing | GrantingView::Granted { .. } | GrantingView::Declined { .. } => None,
        }
    }
}
