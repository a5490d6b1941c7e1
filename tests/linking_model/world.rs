//! A companion, the phones, and what the network has seen. What they do is the crate's own code on its own records.

use std::collections::{BTreeMap, BTreeSet};

use outrigger::{
    ComparisonCode, Context, DescribeGranting, DescribeLinking, Generation, GrantingStage, IdentityKey,
    LinkReference, Linking, Operation, Register, ScanLinkCode, UnixMillis, Write,
};

use crate::{
    chosen::chosen,
    config::{Budget, Config, Fault},
    names::{Bytes, Code, CodeName, Kind, Name, Party, Who},
    store::{Counting, Records, prepare, store},
    view::{Facts, View},
};

const BEGIN: UnixMillis = UnixMillis(1_800_000_000_000);

/// The whole world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) budget: Budget,
    pub(crate) now: UnixMillis,
    draws: u64,
    pub(crate) companion: Records,
    pub(crate) phones: Vec<(Who, Records)>,
    /// A phone that reads codes for the world, and keeps nothing of them.
    reader: Records,
    pub(crate) codes: Vec<Code>,
    /// What the companion's store was while it showed each code.
    pub(crate) showed: Vec<Records>,
    /// Every message that was sent: the network can deliver it at any time, any number of times, or never.
    pub(crate) network: Vec<(Name, Bytes)>,
    pub(crate) names: BTreeMap<Bytes, Name>,
    /// What each phone showed for comparison.
    pub(crate) comparisons: BTreeMap<(Who, CodeName), ComparisonCode>,
    /// Every list that a phone signed.
    pub(crate) lists: BTreeSet<Vec<u8>>,
    pub(crate) facts: Facts,
    pub(crate) view: View,
    /// What no world may come to.
    pub(crate) wrong: Option<&'static str>,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let whos: &[Who] = if config.photographed { &[Who::Own, Who::Stranger] } else { &[Who::Own] };
        let mut draws = 0;
        let mut phone = |who: Who| {
            let mut records = Records::new();
            let register = Register { address: who.address() };
            let mut source = Counting(&mut draws);
            let mut context = chosen(Context::new(BEGIN, Generation([1; 16]), &mut source));
            let (writes, _) = prepare(&records, &register, &mut context).unwrap();
            store(&mut records, &writes);
            records
        };
        let phones: Vec<_> = whos.iter().map(|who| (*who, phone(*who))).collect();
        let reader = phone(Who::Own);
        let companion = crate::view::CompanionView::EMPTY;
        let view = View { companion, phones: Vec::new() };
        let mut world = Self {
            config,
            budget: config.budget,
            now: BEGIN,
            draws,
            companion: Records::new(),
            phones,
            reader,
            codes: Vec::new(),
            showed: Vec::new(),
            network: Vec::new(),
            names: BTreeMap::new(),
            comparisons: BTreeMap::new(),
            lists: BTreeSet::new(),
            facts: Facts::default(),
            view,
            wrong: None,
        };
        world.look();
        world
    }

    pub(crate) fn records(&self, party: Party) -> &Records {
        match party {
            Party::Companion => &self.companion,
            Party::Phone(who) => &self.phones.iter().find(|(of, _)| *of == who).unwrap().1,
        }
    }

    pub(crate) fn records_mut(&mut self, party: Party) -> &mut Records {
        match party {
            Party::Companion => &mut self.companion,
            Party::Phone(who) => &mut self.phones.iter_mut().find(|(of, _)| *of == who).unwrap().1,
        }
    }

    pub(crate) fn parties(&self) -> Vec<Party> {
        let phones = self.phones.iter().map(|(who, _)| Party::Phone(*who));
        [Party::Companion].into_iter().chain(phones).collect()
    }

    /// What time a party's clock shows.
    pub(crate) fn clock(&self, party: Party) -> UnixMillis {
        let stopped = party == Party::Companion && self.config.fault == Some(Fault::StoppedClock);
        if stopped { BEGIN } else { self.now }
    }

    /// Runs an operation of a party to its step. The random source goes on with the world.
    pub(crate) fn run<O: Operation>(
        &mut self,
        party: Party,
        operation: &O,
    ) -> Result<(Vec<Write>, O::Output), O::Error> {
        let mut draws = self.draws;
        let mut source = Counting(&mut draws);
        let mut context = chosen(Context::new(self.clock(party), Generation([1; 16]), &mut source));
        let done = prepare(self.records(party), operation, &mut context);
        drop(context);
        self.draws = draws;
        done
    }

    /// Runs an operation and stores its step.
    pub(crate) fn run_and_store<O: Operation>(
        &mut self,
        party: Party,
        operation: &O,
    ) -> Result<O::Output, O::Error> {
        let (writes, output) = self.run(party, operation)?;
        store(self.records_mut(party), &writes);
        Ok(output)
    }

    /// Runs an operation that only reads.
    pub(crate) fn ask<O: Operation>(&self, party: Party, operation: &O) -> Result<O::Output, O::Error> {
        let mut draws = u64::MAX / 2;
        let mut source = Counting(&mut draws);
        let mut context = chosen(Context::new(self.now, Generation([1; 16]), &mut source));
        let (writes, output) = prepare(self.records(party), operation, &mut context)?;
        assert!(writes.is_empty(), "a description writes");
        Ok(output)
    }

    /// The companion that a code is for.
    pub(crate) fn read_code(&self, code: &str) -> IdentityKey {
        let mut draws = u64::MAX / 2;
        let mut source = Counting(&mut draws);
        let mut context = chosen(Context::new(self.now, Generation([1; 16]), &mut source));
        prepare(&self.reader, &ScanLinkCode { code }, &mut context).unwrap().1.companion
    }

    pub(crate) fn code_of_reference(&self, reference: LinkReference) -> CodeName {
        let place = self.codes.iter().position(|code| code.reference == reference).unwrap();
        CodeName::try_from(place).unwrap()
    }

    pub(crate) fn code_of_key(&self, key: &IdentityKey) -> Option<CodeName> {
        let place = self.codes.iter().position(|code| code.key == *key)?;
        Some(CodeName::try_from(place).unwrap())
    }

    /// The name of the next grant of a phone for a code.
    pub(crate) fn next_grant(&self, phone: Who, code: CodeName) -> Name {
        let earlier = self.names.values();
        let earlier =
            earlier.filter(|name| (name.kind, name.phone, name.code) == (Kind::Grant, phone, code)).count();
        Name { kind: Kind::Grant, phone, code, grant: u8::try_from(earlier).unwrap() }
    }

    /// What a party's description says that it sends until it is answered.
    pub(crate) fn to_send(&self, party: Party) -> Vec<(Name, Bytes)> {
        let named = |message: Vec<u8>| (self.names[&message[..]], Bytes::from(message));
        match party {
            Party::Companion => match self.ask(party, &DescribeLinking).unwrap() {
                Linking::Confirmed { confirmation, .. } => vec![named(confirmation)],
                Linking::Nothing | Linking::Shown(_) => Vec::new(),
                Linking::Offered(_) | Linking::Invited { .. } | _ => unreachable!("no other phase"),
            },
            Party::Phone(who) => {
                let described = self.ask(party, &DescribeGranting).unwrap();
                let last = match described.stage {
                    GrantingStage::Granted { grant, .. } => Some(named(grant)),
                    GrantingStage::Declined { refusal, .. } => Some(named(refusal)),
                    GrantingStage::Nothing | GrantingStage::Scanned(_) => None,
                    GrantingStage::Entered { .. } | _ => unreachable!("no other phase"),
                };
                let acknowledgements = described.acknowledgements.into_iter().map(|one| {
                    (self.acknowledgement(who, self.code_of_reference(one.reference)), one.message.into())
                });
                last.into_iter().chain(acknowledgements).collect()
            }
        }
    }

    /// What of that the network has not seen.
    pub(crate) fn unsent(&self, party: Party) -> Vec<(Name, Bytes)> {
        let mut messages = self.to_send(party);
        messages.retain(|(_, message)| !self.network.iter().any(|(_, sent)| sent == message));
        messages
    }

    /// The name of a phone's acknowledgement with its newest list.
    fn acknowledgement(&self, phone: Who, code: CodeName) -> Name {
        let mut granted = self.names.values().filter(|name| {
            (name.phone, name.code) == (phone, code) && matches!(name.kind, Kind::Acknowledgement(_))
        });
        let epoch = self.phone_list(phone).unwrap().epoch().0;
        granted.next().unwrap().followed_by(Kind::Acknowledgement(epoch))
    }

    pub(crate) fn send(&mut self, name: Name, bytes: Bytes) {
        self.names.insert(bytes.clone(), name);
        if !self.network.iter().any(|(_, sent)| *sent == bytes) {
            self.network.push((name, bytes));
        }
        self.network.sort();
    }

    /// Looks at all stores, so that the worlds that look alike are one, and notes what the phones' lists name.
    pub(crate) fn look(&mut self) {
        self.view = self.looks();
        for (who, phone) in &self.view.phones {
            let entries = phone.list.iter().flat_map(|list| &list.entries);
            self.facts.listed.extend(entries.filter_map(|(_, code)| Some((*who, (*code)?))));
        }
        let lists = self.phones.iter().filter_map(|(who, _)| self.phone_list(*who));
        let lists: Vec<_> = lists.map(|list| list.as_bytes().to_vec()).collect();
        self.lists.extend(lists);
    }
}
