//! Planted faults: what a faulty app does after a commit that a sound one does not.

use outrigger::{
    Address, ConfirmLink, Consent, Consequence, ContinueLinking, DeviceId, GrantLink, LinkProgress,
    RecordKind, Register,
};

use crate::{
    config::Fault,
    names::{Act, Bytes, Kind, Name, Party},
    world::World,
};

impl World {
    pub(crate) fn plant(&mut self, act: &Act, sent: Option<&(Name, Bytes)>) {
        match (self.config.fault, *act, sent) {
            (Some(Fault::DeviceAtGrant), Act::Deliver(_, Party::Companion, _), Some((confirmation, _))) => {
                let address = Address::new(confirmation.phone.address().account, DeviceId(1));
                if self.view.companion.device.is_none() {
                    self.force(Party::Companion, &Register { address });
                }
            }
            (Some(Fault::ListAtGrant), Act::Agree(who, ..), Some((name, message))) => {
                // It makes up the confirmation, as only the companion itself could.
                let Ok((_, LinkProgress::Confirm { confirmation, .. })) =
                    self.run(Party::Companion, &ContinueLinking { message })
                else {
                    return;
                };
                let linked = self.force(Party::Phone(who), &ConfirmLink { confirmation: &confirmation });
                self.names.insert(confirmation.into(), name.followed_by(Kind::Confirmation));
                let acknowledgement = name.followed_by(Kind::Acknowledgement(linked.list.epoch().0));
                self.names.insert(linked.acknowledgement.into(), acknowledgement);
            }
            (Some(Fault::AsksNobody), Act::Scan(who, code, _), _) => {
                let asked = &self.codes[usize::from(code)];
                let (reference, companion) = (asked.reference, asked.key);
                let consent = Consent { companion, consequence: Consequence::ReadsAndSpeaksForTheAccount };
                let name = self.next_grant(who, code);
                let grant = self.force(Party::Phone(who), &GrantLink { reference, consent });
                self.send(name, grant.into());
            }
            (Some(Fault::ForgetsScans), Act::Abandon(party @ Party::Phone(_), _), _) => {
                self.forget(party, RecordKind::Granting);
            }
            _ => {}
        }
    }

    pub(crate) fn forget(&mut self, party: Party, kind: RecordKind) {
        self.records_mut(party).retain(|key, _| key.kind() != kind);
    }
}
