//! What each act comes to: the machine's step, its commit or the device's death, and what leaves.

use outrigger::{
    AbandonLinking, ComparisonCode, ConfirmLink, Consent, Consequence, ContinueLinking, DeclineLink,
    DescribeDevices, GrantLink, LinkError, LinkProgress, Linked, Operation, Refusal, RemoveCompanion,
    ScanLinkCode, ShowLinkCode, Write,
};

use crate::{
    config::Fault,
    names::{Act, Bytes, Code, CodeName, Fate, Kind, Name, Party, Who},
    store::store,
    world::World,
};

/// What a commit makes true.
enum Fact {
    Shown(Code),
    Seen(Who, CodeName, ComparisonCode),
    Agreed(Who, CodeName),
    Confirmed(Name),
    Removed(Who, CodeName),
}

/// A step that a machine has taken, and that nothing has stored yet.
pub(crate) struct Effect {
    party: Party,
    writes: Vec<Write>,
    sends: Option<(Name, Bytes)>,
    fact: Option<Fact>,
}

impl Effect {
    fn new(party: Party, writes: Vec<Write>) -> Self {
        Self { party, writes, sends: None, fact: None }
    }

    fn sends(self, name: Name, bytes: Vec<u8>) -> Self {
        Self { sends: Some((name, bytes.into())), ..self }
    }

    fn makes(self, fact: Fact) -> Self {
        Self { fact: Some(fact), ..self }
    }
}

impl World {
    /// Tries a step of a machine; `None`: it refuses.
    pub(crate) fn attempt(&mut self, act: &Act) -> Option<Effect> {
        match *act {
            Act::Show(_) => self.show(),
            Act::Scan(who, code, _) => self.scan(who, code),
            Act::Agree(who, named, to, _) => {
                let (reference, companion) =
                    (self.codes[usize::from(named)].reference, self.codes[usize::from(to)].key);
                let consent = Consent { companion, consequence: Consequence::ReadsAndSpeaksForTheAccount };
                let (writes, grant) = self.run(Party::Phone(who), &GrantLink { reference, consent }).ok()?;
                let effect = Effect::new(Party::Phone(who), writes).makes(Fact::Agreed(who, to));
                Some(effect.sends(self.next_grant(who, named), grant))
            }
            Act::Decline(who, code, _) => {
                let decline = DeclineLink { reference: self.codes[usize::from(code)].reference };
                let (writes, refusal) = self.run(Party::Phone(who), &decline).ok()?;
                let name = Name { kind: Kind::Refusal, phone: who, code, grant: 0 };
                Some(Effect::new(Party::Phone(who), writes).sends(name, refusal))
            }
            Act::Abandon(party, _) => {
                let (writes, ()) = self.run(party, &AbandonLinking).ok()?;
                Some(Effect::new(party, writes))
            }
            Act::Remove(who, code, _) => {
                let list = self.phone_list(who).unwrap();
                let key = self.codes[usize::from(code)].key;
                let entry = list.entries().iter().find(|entry| entry.identity_key == key).unwrap();
                let (writes, _) =
                    self.run(Party::Phone(who), &RemoveCompanion { device: entry.device }).ok()?;
                Some(Effect::new(Party::Phone(who), writes).makes(Fact::Removed(who, code)))
            }
            Act::Deliver(place, to, _) => {
                let (name, message) = self.network[place].clone();
                match to {
                    Party::Companion => self.continue_linking(name, &message),
                    Party::Phone(who) => {
                        let (writes, linked) = self.confirm(who, name, &message)?;
                        let effect = Effect::new(to, writes);
                        let kind = Kind::Acknowledgement(linked.list.epoch().0);
                        Some(effect.sends(name.followed_by(kind), linked.acknowledgement))
                    }
                }
            }
            Act::Again(_) | Act::Wait(_) => unreachable!("no step of a machine"),
        }
    }

    fn show(&mut self) -> Option<Effect> {
        let (writes, code) = self.run(Party::Companion, &ShowLinkCode).ok()?;
        self.must(code.expires_at.0 == self.clock(Party::Companion).0 + 60_000, "a code counts for a minute");
        let code = Code {
            key: self.read_code(code.text()),
            reference: code.reference,
            text: code.text().to_owned(),
        };
        Some(Effect::new(Party::Companion, writes).makes(Fact::Shown(code)))
    }

    fn scan(&mut self, who: Who, code: CodeName) -> Option<Effect> {
        let Code { text, reference, key } = self.codes[usize::from(code)].clone();
        let (writes, request) = self.run(Party::Phone(who), &ScanLinkCode { code: &text }).ok()?;
        self.must(request.expires_at.0 == self.now.0 + 300_000, "a user has five minutes");
        self.must((request.reference, request.companion) == (reference, key), "the user is asked otherwise");
        let seen = Fact::Seen(who, code, request.comparison);
        Some(Effect::new(Party::Phone(who), writes).makes(seen))
    }

    fn confirm(&mut self, who: Who, name: Name, confirmation: &[u8]) -> Option<(Vec<Write>, Linked)> {
        match self.run(Party::Phone(who), &ConfirmLink { confirmation }) {
            Ok((writes, linked)) => {
                self.must(linked.device.account == who.address().account, "linked to another account");
                Some((writes, linked))
            }
            Err(error) => {
                self.refused(name, Party::Phone(who), error);
                None
            }
        }
    }

    /// What is of another linking is refused for its reference, before its MAC is looked at.
    fn refused(&mut self, message: Name, by: Party, error: LinkError) {
        let of_this = self.under_way(by) == Some(message.code);
        self.must(of_this || error != LinkError::NotAuthentic, "refused, but not for its reference");
    }

    fn continue_linking(&mut self, name: Name, message: &[u8]) -> Option<Effect> {
        let shown = self.companion.clone();
        if self.config.fault == Some(Fault::OldCodesCount) && name.kind == Kind::Grant {
            self.companion.clone_from(&self.showed[usize::from(name.code)]);
        }
        let (writes, progress) = match self.run(Party::Companion, &ContinueLinking { message }) {
            Ok(done) => done,
            Err(error) => {
                self.companion = shown;
                self.refused(name, Party::Companion, error);
                return None;
            }
        };
        let effect = Effect::new(Party::Companion, writes);
        Some(match progress {
            LinkProgress::Confirm { confirmation, comparison, address } => {
                self.must(
                    self.comparisons[&(name.phone, name.code)] == comparison,
                    "another comparison code",
                );
                self.must(address.account == name.phone.address().account, "a grant of another account");
                let name = name.followed_by(Kind::Confirmation);
                effect.makes(Fact::Confirmed(name)).sends(name, confirmation)
            }
            LinkProgress::Linked(joined) => {
                let own = DescribeDevices { account: joined.address.account };
                self.must(self.ask(Party::Companion, &own).unwrap().list.is_none(), "linked twice");
                effect
            }
            LinkProgress::Refused(refusal) => {
                self.must(refusal == Refusal::Declined, "another refusal");
                effect
            }
            LinkProgress::Invite { .. } | LinkProgress::WrongCode | _ => unreachable!("no other progress"),
        })
    }

    fn must(&mut self, holds: bool, otherwise: &'static str) {
        if !holds {
            self.wrong.get_or_insert(otherwise);
        }
    }

    /// Commits a step, or not.
    pub(crate) fn conclude(&mut self, act: &Act, effect: Effect, fate: Fate) {
        self.budget.crashes -= u8::from(fate != Fate::Lives);
        if fate == Fate::DiesBefore {
            if let Some((name, bytes)) = effect.sends
                && self.config.fault == Some(Fault::ReleaseBeforeStore)
            {
                self.send(name, bytes);
            }
            return;
        }
        store(self.records_mut(effect.party), &effect.writes);
        if let Some((name, bytes)) = &effect.sends {
            self.names.insert(bytes.clone(), *name);
            let again = self.to_send(effect.party).contains(&(*name, bytes.clone()));
            self.must(again, "what is sent again is not what was sent");
        }
        match effect.fact {
            Some(Fact::Shown(code)) => {
                self.codes.push(code);
                self.showed.push(self.companion.clone());
            }
            Some(Fact::Seen(who, code, comparison)) => {
                self.facts.seen.insert((who, code));
                self.comparisons.insert((who, code), comparison);
            }
            Some(Fact::Agreed(who, code)) => {
                self.facts.agreed.insert((who, code));
            }
            Some(Fact::Confirmed(name)) => {
                self.facts.confirmed.insert(name);
            }
            Some(Fact::Removed(who, code)) => {
                self.facts.removed.insert((who, code));
            }
            None => {}
        }
        let sent = effect.sends.filter(|_| fate == Fate::Lives);
        self.plant(act, sent.as_ref());
        if let Some((name, bytes)) = sent {
            self.send(name, bytes);
        }
    }

    /// Runs an operation for a planted fault.
    pub(crate) fn force<O: Operation>(&mut self, party: Party, operation: &O) -> O::Output
    where
        O::Error: std::fmt::Debug,
    {
        self.run_and_store(party, operation).unwrap()
    }
}
