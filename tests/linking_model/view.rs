//! How a world looks, without a key: two that look alike go on alike, and are one state.
//!
//! Codes and messages have names by who made them and in which order; phases and deadlines come from the devices' own descriptions.
//! Left out, and why that is sound:
//! - bytes of keys, references, ids and messages: they are drawn afresh, and nothing but their equality steers anything; which of them are equal stands in the names;
//! - device ids: each grant draws one, and a grant's name tells it;
//! - the clock: of it only what is left until a deadline steers anything here, and no list lapses, no prekey ages in the minutes that pass;
//! - the phone's record of scanned codes: it has every code in `seen`, since no configuration scans as many as it remembers;
//! - prekeys and sessions: no message but those of the linking is sent before the end, and what they are made of comes with the names of grant and confirmation;
//! - comparison codes: they follow from the grant.

use std::collections::BTreeSet;

use outrigger::{
    DescribeDevice, DescribeDevices, DescribeGranting, DescribeLinking, DeviceError, DeviceList,
    GrantingStage, Linking, UnixMillis,
};

use crate::{
    names::{CodeName, Name, Party, Who},
    world::World,
};

/// What is left until a deadline; none once it is over.
type Left = Option<u64>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum LinkingView {
    Nothing,
    Shown { code: CodeName, left: Left },
    Confirmed(Name),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ListView {
    pub(crate) epoch: u32,
    /// Index and code of each entry, in the order of the indices.
    pub(crate) entries: Vec<(u32, Option<CodeName>)>,
}

impl ListView {
    pub(crate) fn names(&self, code: CodeName) -> bool {
        self.entries.iter().any(|(_, named)| *named == Some(code))
    }
}

/// What a companion is, once it is a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DeviceView {
    pub(crate) of: Option<Who>,
    pub(crate) code: Option<CodeName>,
    list: Option<ListView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CompanionView {
    pub(crate) linking: LinkingView,
    pub(crate) device: Option<DeviceView>,
}

impl CompanionView {
    pub(crate) const EMPTY: Self = Self { linking: LinkingView::Nothing, device: None };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum GrantingView {
    Nothing,
    Scanned { code: CodeName, left: Left },
    Granted { grant: Name, left: Left },
    Declined { code: CodeName },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PhoneView {
    pub(crate) granting: GrantingView,
    /// The linkings that may still wait for their acknowledgement.
    acknowledges: Vec<CodeName>,
    pub(crate) list: Option<ListView>,
}

/// How all stores look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct View {
    pub(crate) companion: CompanionView,
    pub(crate) phones: Vec<(Who, PhoneView)>,
}

impl View {
    pub(crate) fn phone(&self, who: Who) -> &PhoneView {
        &self.phones.iter().find(|(of, _)| *of == who).unwrap().1
    }
}

/// What happened, of which no store need tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    /// Codes that each phone scanned.
    pub(crate) seen: BTreeSet<(Who, CodeName)>,
    /// Companions that each phone's user agreed to.
    pub(crate) agreed: BTreeSet<(Who, CodeName)>,
    /// Confirmations that the companion has stored.
    pub(crate) confirmed: BTreeSet<Name>,
    /// Companions that each phone's lists named at any time.
    pub(crate) listed: BTreeSet<(Who, CodeName)>,
    /// Companions that each phone's user removed.
    pub(crate) removed: BTreeSet<(Who, CodeName)>,
}

impl World {
    fn left(&self, deadline: UnixMillis) -> Left {
        deadline.0.checked_sub(self.now.0)
    }

    fn list(&self, list: &DeviceList) -> ListView {
        let entries = list.entries().iter();
        let mut entries: Vec<_> =
            entries.map(|entry| (entry.key_index.0, self.code_of_key(&entry.identity_key))).collect();
        entries.sort();
        ListView { epoch: list.epoch().0, entries }
    }

    fn companion_view(&self) -> CompanionView {
        let linking = match self.ask(Party::Companion, &DescribeLinking).unwrap() {
            Linking::Nothing => LinkingView::Nothing,
            Linking::Shown(code) => LinkingView::Shown {
                code: self.code_of_reference(code.reference),
                left: self.left(code.expires_at),
            },
            Linking::Confirmed { confirmation, .. } => LinkingView::Confirmed(self.names[&confirmation[..]]),
            Linking::Offered(_) | Linking::Invited { .. } | _ => unreachable!("no other phase"),
        };
        let device = match self.ask(Party::Companion, &DescribeDevice) {
            Ok(device) => Some(device),
            Err(error) => {
                assert_eq!(error, DeviceError::NotRegistered);
                None
            }
        };
        let device = device.map(|device| {
            let account = device.address.account;
            let own = self.ask(Party::Companion, &DescribeDevices { account }).unwrap();
            DeviceView {
                of: self.phones.iter().map(|(who, _)| *who).find(|who| who.address().account == account),
                code: self.code_of_key(&device.identity_key),
                list: own.list.map(|list| self.list(&list)),
            }
        });
        CompanionView { linking, device }
    }

    fn phone_view(&self, who: Who) -> PhoneView {
        let described = self.ask(Party::Phone(who), &DescribeGranting).unwrap();
        let granting = match described.stage {
            GrantingStage::Nothing => GrantingView::Nothing,
            GrantingStage::Scanned(request) => GrantingView::Scanned {
                code: self.code_of_reference(request.reference),
                left: self.left(request.expires_at),
            },
            GrantingStage::Granted { grant, expires_at, .. } => {
                GrantingView::Granted { grant: self.names[&grant[..]], left: self.left(expires_at) }
            }
            GrantingStage::Declined { reference, .. } => {
                GrantingView::Declined { code: self.code_of_reference(reference) }
            }
            GrantingStage::Entered { .. } | _ => unreachable!("no other phase"),
        };
        let list = self.phone_list(who).map(|list| self.list(&list));
        let acknowledges = described.acknowledgements.iter();
        let acknowledges = acknowledges.map(|one| self.code_of_reference(one.reference)).collect();
        PhoneView { granting, acknowledges, list }
    }

    /// The newest list of a phone's account.
    pub(crate) fn phone_list(&self, who: Who) -> Option<DeviceList> {
        let account = who.address().account;
        self.ask(Party::Phone(who), &DescribeDevices { account }).unwrap().list
    }

    /// Looks at all stores.
    pub(crate) fn looks(&self) -> View {
        let phones = self.phones.iter().map(|(who, _)| (*who, self.phone_view(*who))).collect();
        View { companion: self.companion_view(), phones }
    }
}
