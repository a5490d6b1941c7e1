//! What the peer does, and what its app makes of it.

use outrigger::{
    Content, DescribeDevices, Keep, LearnDevices, PlanMessage, Receive, Restart, Send, SendToAccount, Start,
    VerifiedBundle,
};

use crate::{
    bench::{Bench, address},
    config::To,
    names::{Device, Packet, Party, Text, What},
};

impl Bench<'_> {
    pub(crate) fn restart(&mut self, number: u8) {
        let bundle = &self.lab.bundles[usize::from(number)];
        let bundle = VerifiedBundle::verify(bundle, &address(Party::Phone)).unwrap();
        self.make(&Restart { bundle: &bundle }).unwrap();
    }

    /// The peer starts its session with the companion anew.
    pub(crate) fn meet(&mut self, packet: &Packet) {
        if let Some(bundle) = self.verified(packet) {
            self.make(&Restart { bundle: &bundle }).unwrap();
        }
    }

    pub(crate) fn say(&mut self, text: Text) {
        let phone = address(Party::Phone);
        let alone = match (self.lab.config.to, text) {
            (To::Phone, _) => true,
            (To::Both, Text::Down(number)) => number % 2 == 0,
            (To::Account | To::Both, _) => false,
        };
        let (plaintext, keep) = (&text.bytes()[..], Keep::ForRetry);
        if alone {
            let said = Send { to: phone, plaintext, associated_data: &[], keep };
            let sent = self.make(&said).unwrap();
            self.send(Party::Phone, sent.envelope, Some(text));
            return;
        }
        let plan = self.make(&PlanMessage { to: phone.account }).unwrap();
        let said = SendToAccount { plan: &plan, plaintext, associated_data: &[], keep };
        for (to, copy) in self.make(&said).unwrap().copies {
            let to = if to == phone { Party::Phone } else { self.lab.party(to.device) };
            self.send(to, copy.envelope, Some(text));
        }
    }

    pub(crate) fn peer_takes(&mut self, packet: &Packet) {
        let account = address(Party::Phone).account;
        match &packet.what {
            What::List => self.learn(&packet.bytes),
            What::Bundle(_) => {
                let plan = self.make(&PlanMessage { to: account }).unwrap();
                self.changed = false;
                let bundle = self.verified(packet);
                let missing = plan.missing.contains(&self.lab.address(packet.from));
                if let Some(bundle) = bundle.filter(|_| missing) {
                    self.make(&Start { bundle: &bundle }).unwrap();
                }
            }
            What::Envelope(_) => self.hear(packet),
            What::Aside(_) => unreachable!("it is for the phone"),
        }
    }

    /// Takes the account's list, unless it says what is on record.
    pub(crate) fn learn(&mut self, list: &[u8]) {
        let account = address(Party::Phone).account;
        let before = self.device.clone();
        let known = |device: &Device| Self::ask(&device.records, &DescribeDevices { account }).unwrap();
        let Ok(learned) = self.make(&LearnDevices { account, list }) else { return };
        if learned.disputed {
            self.is_wrong("two lists of one epoch");
        }
        if known(&before) == known(&self.device) {
            self.undo(before);
        }
    }

    /// A companion's bundle, by the list that the peer has.
    fn verified(&mut self, packet: &Packet) -> Option<VerifiedBundle> {
        let What::Bundle(certificate) = &packet.what else { panic!("{packet:?}") };
        let account = address(Party::Phone).account;
        let list = Self::ask(&self.device.records, &DescribeDevices { account }).unwrap().list?;
        let companion = self.lab.address(packet.from);
        VerifiedBundle::verify_companion(&packet.bytes, certificate, &companion, &list).ok()
    }

    fn hear(&mut self, packet: &Packet) {
        let from = self.lab.address(packet.from);
        let receive = Receive { from, envelope: &packet.bytes, associated_data: &[] };
        let Ok(received) = self.make(&receive) else { return };
        let (Content::ForAccount { text, .. } | Content::Message(text)) = &received.content else {
            panic!("{received:?}")
        };
        let text = Text::of(text);
        if self.device.tables.seen.contains(&text) {
            self.is_wrong("heard twice");
        }
        self.device.tables.seen.push(text);
    }
}
