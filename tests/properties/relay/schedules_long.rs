//! Long random schedules: two or three desktops, upgrades, lapses, late words, new pairings and stores that go back, all in one life, and what holds after all of it.

use std::collections::BTreeSet;

use outrigger::{
    CancelRequest, DescribeRelay, DesktopConsent, DetachDesktop, EndOfRelay, FlushRequests, Generation,
    LearnDevices, LeavePhone, RecordKind, Recover, RelayStanding, RenewDesktop, RenewDevices, Request,
    RequestState, SetDesktopConsent, TakeFromDesktop, TakeFromPhone,
};
use proptest::prelude::*;

use super::{
    office::EVER,
    town::Town,
    town_desk::{Entry, Fate, Name},
};
use crate::world::{BOUND, DAY};

const HOUR: u64 = 60 * 60 * 1_000;
/// A frame that comes 30 days behind a later one opens no more: within these nobody has to join anew for that.
const LONGEST: u64 = 26 * DAY;

/// What may go back.
#[derive(Clone, Copy, Debug)]
struct Back {
    phone: bool,
    desks: bool,
}

struct Run {
    town: Town,
    back: Back,
    waited: u64,
    generation: u8,
}

impl Run {
    fn act(&mut self, dice: u8, which: usize) {
        let town = &mut self.town;
        let which = which % town.desks.len();
        let desktop = town.desks[which].id();
        match dice {
            0..=24 => town.peer_says(),
            25..=31 => town.phone_says(),
            32..=61 => self.asks(which, dice),
            62..=89 => town.phone_receives(),
            90..=124 => town.up(which),
            125..=159 => town.desk_takes(which),
            160..=169 => town.peer_hears(),
            170..=183 => town.desks[which].timers(),
            184..=191 => town.outbox(which),
            192..=197 => town.user_decides(),
            198..=200 => {
                let may = [DesktopConsent::Always, DesktopConsent::Ask, DesktopConsent::Never];
                let may = may[usize::from(dice - 198)];
                let _ = town.phone.run(&SetDesktopConsent { desktop, may });
            }
            201..=205 => self.wait([60_000, HOUR, 2 * DAY, 6 * DAY, 15 * DAY][usize::from(dice - 201)]),
            206..=211 => self.renews(),
            212..=214 => self.cancels(which),
            215..=217 => town.rejoins(which),
            218..=221 => self.upgrades(which),
            222 => self.hurries(which),
            223 => self.pairs_anew(),
            224..=225 if town.toss(3) > 0 => {}
            224 => {
                if let Ok(notice) = town.phone.run(&DetachDesktop { desktop }) {
                    town.down(which, notice);
                }
            }
            225 => {
                let desk = &mut town.desks[which];
                if let Ok(bye) = desk.device.run(&LeavePhone) {
                    desk.left = true;
                    desk.up.extend(bye);
                }
            }
            226..=231 => {
                town.desks[which].publishes(&mut town.directory);
                town.peer_learns();
            }
            // Lost.
            232..=236 => drop(town.desks[which].up.pop()),
            237..=241 => drop(town.desks[which].down.pop()),
            // Died before its commit.
            242..=244 => {
                let desk = &mut town.desks[which];
                if let Some((_, envelope)) = desk.down.first() {
                    drop(desk.device.prepare(&TakeFromPhone { envelope }));
                }
                if let Some(envelope) = desk.up.first() {
                    drop(town.phone.prepare(&TakeFromDesktop { desktop, envelope, verdict: None }));
                }
            }
            245..=249 => self.remembers(which),
            250..=252 => self.desk_goes_back(which, dice > 251),
            253.. => self.phone_goes_back(dice > 254),
        }
    }

    fn asks(&mut self, which: usize, dice: u8) {
        let town = &mut self.town;
        let text = town.text("up");
        if town.desks[which].life.companion {
            return town.companion_says(which, Some(text));
        }
        let to = town.peer.address.account;
        let send = Request::Send { to, plaintext: text.as_bytes(), associated_data: BOUND };
        let (request, text) = match dice % 8 {
            0 => (Request::Query(text.as_bytes()), format!("a query of {text}")),
            _ => (send, text.clone()),
        };
        let now = town.phone.now;
        let not_after = if dice % 16 == 1 { now.plus(HOUR) } else { EVER };
        town.desks[which].asks(&text, request, not_after);
    }

    fn cancels(&mut self, which: usize) {
        let desk = &mut self.town.desks[which];
        for (request, (_, fate)) in &mut desk.life.asked {
            if *fate == Fate::Open && desk.device.run(&CancelRequest { request: *request }).is_ok() {
                *fate = Fate::Cancelled;
                return;
            }
        }
    }

    fn upgrades(&mut self, which: usize) {
        // One of them, so that there are others.
        let desk = &mut self.town.desks[which];
        if which == 0 && !desk.life.companion {
            desk.asks("an upgrade", Request::Upgrade, EVER);
            desk.accepts();
            // It takes five ways; so that some are gone before minutes have passed.
            for _ in 0..self.town.toss(5) {
                self.hurries(which);
                self.town.outbox(which);
            }
        }
    }

    fn pairs_anew(&mut self) {
        let gone = [EndOfRelay::Detached, EndOfRelay::Left].map(RelayStanding::Ended);
        let described = self.town.phone.run(&outrigger::DescribeDesktops).unwrap();
        let places = described.iter().filter(|one| !gone.contains(&one.standing)).count();
        if places < 3 && self.town.desks.len() < 6 {
            self.town.phone.publish(20, &mut self.town.directory.bundles);
            self.town.pairs(DesktopConsent::Always);
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.waited += milliseconds;
        if self.waited > LONGEST && !self.town.healing {
            return;
        }
        let town = &mut self.town;
        let desks = town.desks.iter_mut().map(|desk| &mut desk.device);
        for device in [&mut town.phone, &mut town.peer].into_iter().chain(desks) {
            device.wait(milliseconds);
        }
        if milliseconds > DAY {
            town.phone.publish(20, &mut town.directory.bundles);
            town.peer.publish(20, &mut town.directory.bundles);
        }
    }

    fn renews(&mut self) {
        let town = &mut self.town;
        let account = town.phone.address.account;
        if let Ok(signed) = town.phone.run(&RenewDevices) {
            town.directory.publish(&signed.list);
        }
        for desk in &mut town.desks {
            let _ = town.phone.run(&RenewDesktop { desktop: desk.id() });
            if let Some(list) = town.directory.lists.get(&account).filter(|_| desk.life.companion) {
                let _ = desk.device.run(&LearnDevices { account, list });
            }
        }
    }

    /// A moment that the phone and a desktop may go back to.
    fn remembers(&mut self, which: usize) {
        let town = &mut self.town;
        let phone = &town.phone;
        town.phone_moments.push((phone.store.clone(), phone.generation, town.phone_life.clone()));
        let desk = &mut town.desks[which];
        desk.moments.push((desk.device.clone(), desk.life.clone()));
    }

    fn next_generation(&mut self) -> Generation {
        self.generation += 1;
        Generation([self.generation; 16])
    }

    fn desk_goes_back(&mut self, which: usize, recovers: bool) {
        let generation = self.next_generation();
        let desk = &mut self.town.desks[which];
        let moment = desk.moments.last().filter(|(_, life)| !life.companion && !life.over);
        let Some((device, life)) = moment.filter(|_| self.back.desks).cloned() else { return };
        // Who has ended deletes the store, copies and all.
        if desk.left || desk.life.over {
            return;
        }
        let recovers = recovers || device.generation != desk.device.generation;
        (desk.device.store, desk.life, desk.went_back) = (device.store, life, true);
        if recovers {
            desk.device.generation = generation;
            let records: Vec<_> = desk.device.store.0.keys().copied().collect();
            desk.device.run(&Recover { records: &records }).unwrap();
        }
    }

    fn phone_goes_back(&mut self, recovers: bool) {
        let generation = self.next_generation();
        let town = &mut self.town;
        let Some((store, before, life)) = town.phone_moments.last().filter(|_| self.back.phone).cloned()
        else {
            return;
        };
        town.era += 1;
        town.murky
            .extend(town.desks.iter().flat_map(|desk| desk.life.asked.values()).map(|one| one.0.clone()));
        let recovers = recovers || before != town.phone.generation;
        (town.phone.store, town.phone_life) = (store, life);
        if recovers {
            town.phone.generation = generation;
            let records: Vec<_> = town.phone.store.0.keys().copied().collect();
            town.phone.run(&Recover { records: &records }).unwrap();
        }
        let account = town.phone.address.account;
        if let Some(list) = town.directory.lists.get(&account) {
            let _ = town.phone.run(&LearnDevices { account, list });
        }
        // What the server has may be of the time that is no more, and so is the session with the peer.
        town.directory.bundles.0.get_mut(&town.phone.address).unwrap().one_time.clear();
        town.phone.publish(60, &mut town.directory.bundles);
        town.meets_the_peer();
    }

    /// No more is to be had from it: it has ended, its phone has forgotten it or will not hear of it again, or it is a companion.
    fn is_done(&mut self, which: usize) -> bool {
        let desk = &self.town.desks[which];
        if desk.life.over || desk.left || desk.life.companion {
            return true;
        }
        let went_back = desk.went_back || self.town.era > 0;
        match self.town.described(which).map(|one| one.standing) {
            None => true,
            Some(RelayStanding::Ended(EndOfRelay::Detached | EndOfRelay::Left)) => went_back,
            Some(_) => false,
        }
    }

    fn is_settled(&mut self, which: usize) -> bool {
        if self.is_done(which) {
            return true;
        }
        let desk = self.town.desks[which].device.run(&DescribeRelay).unwrap();
        let phone = self.town.described(which).unwrap();
        let attached = RelayStanding::Attached;
        let flows = (desk.standing, phone.standing, desk.reachable) == (attached, attached, true);
        flows && (desk.waiting, phone.waiting, phone.missed) == (0, 0, 0)
    }

    /// One round of what apps do by themselves, over a network that works, with users who agree.
    fn round(&mut self, stuck: bool) {
        self.wait(HOUR);
        self.renews();
        for which in 0..self.town.desks.len() {
            if self.town.desks[which].life.companion {
                let town = &mut self.town;
                let kept = town.desks[which].kept.clone();
                town.desks[which].down.extend(kept);
                town.desks[which].publishes(&mut town.directory);
                self.town.companion_says(which, None);
                self.town.desks[which].timers();
            } else if !self.is_done(which) {
                self.joins_if_it_must(which, stuck);
                self.town.desks[which].timers();
            }
            self.town.outbox(which);
        }
        for _ in 0..self.town.to_phone.len() {
            self.town.phone_receives();
        }
        for _ in 0..self.town.phone_life.pending.len() {
            self.town.user_decides();
        }
        for which in 0..self.town.desks.len() {
            (0..2).for_each(|_| self.hurries(which));
        }
        for _ in 0..self.town.to_peer.len() {
            self.town.peer_hears();
        }
    }

    /// What is on its way between the phone and a desktop arrives.
    fn hurries(&mut self, which: usize) {
        for _ in 0..self.town.desks[which].up.len() {
            self.town.up(which);
        }
        for _ in 0..self.town.desks[which].down.len() {
            self.town.desk_takes(which);
        }
    }

    /// A desktop joins anew where either end says that it must, and where the phone answers and nothing comes of it.
    fn joins_if_it_must(&mut self, which: usize, stuck: bool) {
        let town = &mut self.town;
        let desk = town.desks[which].device.run(&DescribeRelay).unwrap();
        let phone = town.described(which).unwrap();
        let suspended = [desk.standing, phone.standing]
            .into_iter()
            .any(|standing| matches!(standing, RelayStanding::Suspended(_)));
        if suspended || (stuck && !self.is_settled(which)) {
            let backs = self.town.era > 0 || self.town.desks[which].went_back;
            assert!(backs, "{which} has to join anew: {desk:?} {phone:?}");
            self.town.rejoins(which);
        }
    }

    fn heals(&mut self) {
        self.town.healing = true;
        for which in 0..self.town.desks.len() {
            let desktop = self.town.desks[which].id();
            let _ = self.town.phone.run(&SetDesktopConsent { desktop, may: DesktopConsent::Ask });
        }
        for round in 0..60 {
            self.round(round % 12 == 11);
            if round > 1 && (0..self.town.desks.len()).all(|which| self.is_settled(which)) {
                return;
            }
        }
        for which in 0..self.town.desks.len() {
            let at_phone = self.town.described(which);
            let desk = &mut self.town.desks[which].device;
            let at_desk = desk.run(&DescribeRelay);
            println!(
                "{which}: {at_desk:?} {at_phone:?}, {:?}",
                desk.run(&FlushRequests).map(|all| all.len())
            );
        }
        panic!("it does not heal");
    }
}

impl Run {
    /// Everybody who is there says something, and is heard.
    fn flows(&mut self) {
        let desks: Vec<_> = (0..self.town.desks.len()).filter(|which| !self.is_done(*which)).collect();
        let told = self.town.phone_life.told.len();
        let (mut texts, mut companions) = (Vec::new(), Vec::new());
        self.town.peer_says();
        self.town.phone_says();
        for which in &desks {
            let text = self.town.text("up");
            let to = self.town.peer.address.account;
            let send = Request::Send { to, plaintext: text.as_bytes(), associated_data: BOUND };
            self.town.desks[*which].asks(&text, send, EVER);
            texts.push(text);
        }
        let back = self.town.era > 0 || self.town.desks.iter().any(|desk| desk.went_back);
        for which in 0..self.town.desks.len() {
            // What becomes of companions whose stores, or whose phone's, go back is not the relay's.
            if self.town.desks[which].life.companion && !back {
                let text = self.town.text("up");
                self.town.companion_says(which, Some(text.clone()));
                companions.push(text);
            }
        }
        (0..3).for_each(|_| self.round(false));
        for text in &companions {
            assert_eq!(self.town.heard.get(text), Some(&1), "{text}, of a companion");
        }
        for (which, text) in desks.iter().zip(&texts) {
            let (desk, id) = (&self.town.desks[*which], self.town.desks[*which].id());
            let new = &self.town.phone_life.told[told..];
            assert!(new.len() >= 2, "the peer's and the phone's");
            for one in new.iter().filter(|one| one.to.contains(&id)) {
                assert!(desk.life.log.contains(&Entry::Shown(one.name)), "{which} does not show what is new");
            }
            assert_eq!(self.town.heard.get(text), Some(&1), "{text}");
        }
    }

    /// Nothing of the phone's present life is missing at a desktop without a gap at its place.
    fn has_no_hole(&self, which: usize) {
        let (town, desk) = (&self.town, &self.town.desks[which]);
        let joined = town.era > 0 || desk.went_back || desk.rejoined;
        let place = |name: Name| desk.life.log.iter().position(|one| *one == Entry::Shown(name));
        let mine: Vec<_> = town.phone_life.told.iter().filter(|told| told.to.contains(&desk.id())).collect();
        let twice: BTreeSet<_> = mine.iter().filter(|told| told.again).map(|told| told.name).collect();
        let mut from = 0;
        let mut lacks = 0_u64;
        for told in mine {
            match place(told.name) {
                None => lacks += 1,
                // What the phone has had twice may have been shown at either time.
                Some(_) if twice.contains(&told.name) => {}
                Some(at) => {
                    let gaps: Vec<_> = desk.life.log[from..at.max(from)]
                        .iter()
                        .filter_map(|one| if let Entry::Gap(count) = one { Some(*count) } else { None })
                        .collect();
                    let covered = if joined { !gaps.is_empty() } else { gaps.iter().sum::<u64>() >= lacks };
                    assert!(lacks == 0 || covered, "{which} lacks {lacks} before {at}: {:?}", desk.life.log);
                    (from, lacks) = (at, 0);
                }
            }
        }
        assert_eq!(lacks, 0, "{which} lacks the last ones");
    }

    /// A companion has each once, by whatever way, or is told how many it lacks.
    fn companion_has_all(&mut self, which: usize) {
        let untold = self.town.described(which).map_or(0, |one| one.missed);
        let (town, desk) = (&self.town, &self.town.desks[which]);
        let told = town.phone_life.told.iter().filter(|told| told.to.contains(&desk.id()));
        let all: BTreeSet<_> = told.map(|told| told.name).chain(desk.direct.iter().copied()).collect();
        let lacks = all.iter().filter(|name| !desk.life.log.contains(&Entry::Shown(**name))).count();
        let gaps = desk.life.log.iter().map(|one| if let Entry::Gap(count) = one { *count } else { 0 });
        let known = gaps.sum::<u64>() + desk.life.missed + untold;
        assert!(
            lacks as u64 <= known || (desk.rejoined && known > 0),
            "{which} lacks {lacks}, and knows of {known}"
        );
    }

    fn checks(&mut self) {
        for which in 0..self.town.desks.len() {
            let done = self.is_done(which);
            let listed = self.town.described(which).is_some();
            let back = self.town.era > 0 || self.town.desks[which].went_back;
            if !done {
                self.has_no_hole(which);
            } else if !back && self.town.desks[which].life.companion && listed {
                self.companion_has_all(which);
            }
            let (town, desk) = (&self.town, &self.town.desks[which]);
            let hears_of_all = !done || (!back && listed && !desk.left);
            for (text, fate) in desk.life.asked.values() {
                let heard = town.heard.get(text).copied().unwrap_or(0);
                // A notice of a phone's that went back behind the end comes from a life that is no more.
                let unmade = *fate == Fate::NeverSent && town.era > 0;
                let known = !town.murky.contains(text) && !desk.went_back && !unmade;
                assert!(!(fate.is_undone() && known && heard > 0), "{text} is {fate:?}, and was done");
                assert!(!hears_of_all || *fate != Fate::Open, "{text} has no outcome");
                let accepted = matches!(fate, Fate::State(state) if *state <= RequestState::Read);
                if accepted && town.era == 0 && town.unheard == 0 && text.starts_with("up") {
                    assert_eq!(heard, 1, "{text} is {fate:?}");
                }
            }
            assert!(desk.device.store.count(RecordKind::RelayAsked) <= 64);
        }
        for (text, times) in &self.town.heard {
            assert!(*times == 1 || self.town.sent_itself.contains(text), "{text} came {times} times");
        }
        let phone = &self.town.phone.store;
        let desktops = phone.count(RecordKind::Desktop);
        assert!(desktops <= 4 && phone.count(RecordKind::RelayOut) <= 580 * desktops);
        assert!(phone.count(RecordKind::RelaySeen) <= 256 * desktops);
    }
}

fn backs() -> impl Strategy<Value = Back> {
    let one = |phone, desks| Just(Back { phone, desks });
    prop_oneof![2 => one(false, false), 1 => one(true, false), 1 => one(false, true), 2 => one(true, true)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, and in whatever order: nothing is missing without a gap, nothing is shown or done twice, every request has an outcome that is true, and all goes on.
    #[test]
    fn long_lives_end_well(
        acts in prop::collection::vec((any::<u8>(), 0_usize..6), 100..200),
        desks in 2_usize..4, dice in any::<u64>(), back in backs(),
    ) {
        let mut run = Run { town: Town::new(desks, dice), back, waited: 0, generation: 1 };
        for (dice, which) in acts {
            run.act(dice, which);
        }
        run.heals();
        run.flows();
        run.checks();
    }
}
