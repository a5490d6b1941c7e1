//! What holds in every state.

use outrigger::{Certificate, DescribeDevice, DescribeDevices};

use crate::{names::Party, world::World};

impl World {
    /// The companion is a device of an account only where that account's phone has seen its code, its user has agreed to its key, and the phone has listed it; and lists it
    /// still, unless its user has removed it.
    pub(crate) fn is_rightful(&self) -> bool {
        if self.view.companion.device.is_none() {
            return true;
        }
        self.device().is_some_and(|(who, code)| {
            let device = (who, code);
            let listed = self.view.phone(who).list.as_ref().is_some_and(|list| list.names(code));
            let facts = &self.facts;
            facts.seen.contains(&device)
                && facts.agreed.contains(&device)
                && facts.listed.contains(&device)
                && (listed || facts.removed.contains(&device))
        })
    }

    /// Companion and phone agree on account, device id, key index and keys.
    pub(crate) fn agrees(&self) -> bool {
        if self.view.companion.device.is_none() {
            return true;
        }
        let Some((who, _)) = self.device() else { return false };
        let device = self.ask(Party::Companion, &DescribeDevice).unwrap();
        let own = DescribeDevices { account: device.address.account };
        let own = self.ask(Party::Companion, &own).unwrap();
        let phone = self.ask(Party::Phone(who), &DescribeDevice).unwrap();
        let (Some(list), Some(certificate)) = (own.list, own.certificate) else { return false };
        let Some(entry) = list.entry(device.address.device) else { return false };
        let at_phone = self.phone_list(who).and_then(|list| list.entry(device.address.device).copied());
        self.lists.contains(list.as_bytes())
            && *list.account() == phone.address.account
            && *list.account_key() == phone.identity_key
            && entry.identity_key == device.identity_key
            && Certificate::verify(&certificate, &device.address, &list).is_ok()
            && at_phone.is_none_or(|at_phone| at_phone == *entry)
    }

    /// No phone has listed a companion that has not confirmed its grant.
    pub(crate) fn lists_only_confirmed(&self) -> bool {
        let confirmed = |(who, code): &_| {
            self.facts.confirmed.iter().any(|name| (name.phone, name.code) == (*who, *code))
        };
        self.facts.listed.iter().all(confirmed)
    }

    /// No two accounts have listed one companion.
    pub(crate) fn has_one_account(&self) -> bool {
        let mut codes: Vec<_> = self.facts.listed.iter().map(|(_, code)| code).collect();
        codes.sort();
        let before = codes.len();
        codes.dedup();
        codes.len() == before
    }
}
