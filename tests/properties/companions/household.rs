//! An account with its phone and companions, and the server that keeps what they publish.

use std::collections::BTreeMap;

use outrigger::{
    AccountId, Address, ConfirmLink, Consent, Consequence, Content, ContinueLinking, DescribeDevices,
    DeviceId, DeviceList, FanOutError, GrantLink, Keep, LearnDevices, Learned, LinkProgress, LinkRequest,
    Linked, ListError, OpenError, Plan, PlanMessage, Receive, Received, RemoveCompanion, RenewDevices,
    ScanLinkCode, SendToAccount, SentToAccount, ShowLinkCode, Start, StartError, Started, VerifiedBundle,
};

use crate::world::{BOUND, Device, Server};

/// What a messenger's server keeps of accounts beside bundles: lists and certificates.
#[derive(Clone, Default)]
pub(crate) struct Directory {
    pub(crate) bundles: Server,
    pub(crate) lists: BTreeMap<AccountId, Vec<u8>>,
    pub(crate) certificates: BTreeMap<Address, Vec<u8>>,
}

/// What the user of a phone agrees to.
pub(crate) fn consent(request: &LinkRequest) -> Consent {
    Consent { companion: request.companion, consequence: Consequence::ReadsAndSpeaksForTheAccount }
}

/// The messages of a linking that went well.
#[derive(Clone)]
pub(crate) struct Traffic {
    pub(crate) grant: Vec<u8>,
    pub(crate) confirmation: Vec<u8>,
    pub(crate) linked: Linked,
}

impl Directory {
    /// A phone with ten one-time prekeys that the directory has.
    pub(crate) fn phone(&mut self, name: &str) -> Device {
        let mut phone = Device::new(name);
        phone.publish(10, &mut self.bundles);
        phone
    }

    /// Links a new companion to a phone, and publishes what both say.
    pub(crate) fn link(&mut self, phone: &mut Device, name: &str) -> Device {
        let mut companion = Device::empty(name);
        companion.now = phone.now;
        self.link_traffic(phone, &mut companion);
        companion
    }

    /// Links a device with an empty store; the messages in between come back.
    pub(crate) fn link_traffic(&mut self, phone: &mut Device, companion: &mut Device) -> Traffic {
        let code = companion.run(&ShowLinkCode).unwrap().text().to_owned();
        let request = phone.run(&ScanLinkCode { code: &code }).unwrap();
        let grant =
            phone.run(&GrantLink { reference: request.reference, consent: consent(&request) }).unwrap();
        let progress = companion.run(&ContinueLinking { message: &grant }).unwrap();
        let LinkProgress::Confirm { confirmation, comparison, .. } = progress else { panic!("{progress:?}") };
        assert_eq!(comparison, request.comparison);
        let linked = phone.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
        let progress = companion.run(&ContinueLinking { message: &linked.acknowledgement }).unwrap();
        let LinkProgress::Linked(joined) = progress else { panic!("{progress:?}") };
        let address = joined.address;
        assert_eq!((address, joined.account_key), (linked.device, phone.identity));
        assert_eq!(joined.list, linked.list);
        companion.address = address;
        companion.identity = joined.list.entry(address.device).unwrap().identity_key;
        self.certificates.insert(address, joined.certificate);
        self.publish(&linked.list);
        companion.publish(10, &mut self.bundles);
        Traffic { grant, confirmation, linked }
    }

    /// The server takes a list.
    pub(crate) fn publish(&mut self, list: &DeviceList) {
        self.lists.insert(*list.account(), list.as_bytes().to_vec());
    }

    pub(crate) fn renew(&mut self, phone: &mut Device) -> DeviceList {
        let list = phone.run(&RenewDevices).unwrap().list;
        self.publish(&list);
        list
    }

    pub(crate) fn remove(&mut self, phone: &mut Device, device: DeviceId) -> DeviceList {
        let list = phone.run(&RemoveCompanion { device }).unwrap().list;
        self.publish(&list);
        list
    }

    /// A device fetches an account's list.
    pub(crate) fn learn(&self, device: &mut Device, account: AccountId) -> Result<Learned, ListError> {
        device.run(&LearnDevices { account, list: &self.lists[&account] })
    }

    /// A device fetches a bundle, with all that it wants for a companion, and starts a session.
    pub(crate) fn start(&mut self, device: &mut Device, to: Address) -> Result<Started, StartError> {
        let bundle = self.verified(device, to);
        device.run(&Start { bundle: &bundle })
    }

    /// A device fetches a bundle and verifies it, a companion's by the list that the device has.
    pub(crate) fn verified(&mut self, device: &mut Device, of: Address) -> VerifiedBundle {
        let bundle = self.bundles.fetch(of);
        if of.device == DeviceId::PHONE {
            return VerifiedBundle::verify(&bundle, &of).unwrap();
        }
        let known = device.run(&DescribeDevices { account: of.account }).unwrap().list;
        let list = known.unwrap_or_else(|| self.learn(device, of.account).unwrap().list);
        VerifiedBundle::verify_companion(&bundle, &self.certificates[&of], &of, &list).unwrap()
    }

    /// Plans, mends what can be mended, and sends.
    pub(crate) fn send(
        &mut self,
        device: &mut Device,
        to: AccountId,
        text: &[u8],
    ) -> Result<SentToAccount, FanOutError> {
        let mut plan = device.run(&PlanMessage { to })?;
        for account in plan.stale.clone() {
            let _ = self.learn(device, account);
        }
        plan = device.run(&PlanMessage { to })?;
        // One that has published nothing yet is left out.
        for address in plan.missing.clone() {
            if self.bundles.0.contains_key(&address) {
                self.start(device, address).unwrap();
            }
        }
        plan = device.run(&PlanMessage { to })?;
        device.send_planned(&plan, text)
    }

    /// Meets an account: its phone, and then its list.
    pub(crate) fn meet(&mut self, device: &mut Device, account: AccountId) {
        self.start(device, Address::new(account, DeviceId::PHONE)).unwrap();
        if self.lists.contains_key(&account) {
            self.learn(device, account).unwrap();
        }
    }
}

impl Device {
    pub(crate) fn send_planned(&mut self, plan: &Plan, text: &[u8]) -> Result<SentToAccount, FanOutError> {
        let keep = Keep::ForRetry;
        self.run(&SendToAccount { plan, plaintext: text, associated_data: BOUND, keep })
    }

    pub(crate) fn take(&mut self, from: Address, sent: &SentToAccount) -> Result<Received, OpenError> {
        let (_, copy) = sent.copies.iter().find(|(to, _)| *to == self.address).expect("a copy");
        self.run(&Receive { from, envelope: &copy.envelope, associated_data: BOUND })
    }

    /// Opens its copy of a message to its account.
    pub(crate) fn hears(&mut self, from: Address, sent: &SentToAccount, text: &[u8]) -> Received {
        let received = self.take(from, sent).unwrap();
        let Content::ForAccount { id, text: said } = &received.content else { panic!("{received:?}") };
        assert_eq!((*id, &**said), (sent.id, text));
        received
    }

    /// Opens its copy of what another device of its account sent.
    pub(crate) fn sees(
        &mut self,
        from: Address,
        to: AccountId,
        sent: &SentToAccount,
        text: &[u8],
    ) -> Received {
        let received = self.take(from, sent).unwrap();
        let Content::SentByOwn { to: shown, id, text: said } = &received.content else {
            panic!("{received:?}")
        };
        assert_eq!((*shown, *id, &**said), (to, sent.id, text));
        received
    }
}
