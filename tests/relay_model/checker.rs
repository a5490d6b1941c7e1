//! The model as the checker takes it: states, actions, and what must hold.

use std::{
    collections::BTreeMap,
    sync::{Mutex, atomic::Ordering},
    time::Instant,
};

use stateright::{Checker, Model, Property};

use crate::{
    begin::begin,
    config::{Budget, Config},
    lab::Lab,
    names::Party,
    world::{Act, World},
};

/// A configuration with its first world and what was made of it.
pub(crate) struct Checked {
    config: Config,
    lab: Lab,
    first: World,
    /// What went wrong, and why worlds did not end well.
    wrongs: Mutex<BTreeMap<&'static str, usize>>,
}

pub(crate) const IN_ORDER: &str = "nothing is shown, heard or told wrongly";
pub(crate) const ENDS_WELL: &str = "everything comes, or comes once the desktop joined anew";
const DONE: &str = "everything was said and done";

impl Model for Checked {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        vec![self.first.clone()]
    }

    fn actions(&self, state: &World, actions: &mut Vec<Act>) {
        actions.extend(state.acts(&self.config, &self.lab));
    }

    fn next_state(&self, last: &World, action: Act) -> Option<World> {
        let mut next = last.clone();
        next.act(action, &self.config, &self.lab).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(IN_ORDER, |model: &Self, state: &World| {
                model.notes(state.wrong.map_or(Ok(()), Err))
            }),
            Property::always(ENDS_WELL, |model: &Self, state: &World| {
                if state.wrong.is_some() || !state.is_quiet(&model.lab) {
                    return true;
                }
                model.notes(state.ends_well(&model.config, &model.lab))
            }),
            Property::sometimes(DONE, |model: &Self, state: &World| {
                let store = |party| model.lab.device(state.store(party));
                let Budget { down, up, agrees, waits, .. } = model.config.budget;
                let (desk, peer) = (store(Party::Desk).tables.clone(), store(Party::Peer).tables.clone());
                let shown = desk.seen.len() as u64 + desk.missed >= u64::from(down);
                let upgraded = desk.companion || agrees == 0 || waits > 0;
                shown && upgraded && peer.seen.len() >= usize::from(up)
            }),
        ]
    }
}

impl Checked {
    /// Whether it is well; why not is counted.
    fn notes(&self, end: Result<(), &'static str>) -> bool {
        if let Err(why) = end {
            *self.wrongs.lock().unwrap().entry(why).or_default() += 1;
        }
        end.is_ok()
    }
}

/// What a check came to.
pub(crate) struct Outcome {
    pub(crate) broken: Vec<String>,
    /// What was broken first of each property: which, and why.
    pub(crate) why: Vec<(&'static str, &'static str)>,
    pub(crate) done: bool,
}

/// Checks every state of a configuration, or stops where each property is broken.
pub(crate) fn check(config: Config) -> Outcome {
    let began = Instant::now();
    let (lab, first) = begin(&config);
    let model = Checked { config, lab, first, wrongs: Mutex::default() };
    let checker = model.checker().threads(2).spawn_bfs().join();
    let found = checker.discoveries();
    let done = found.contains_key(DONE);
    let (mut broken, mut whys) = (Vec::new(), Vec::new());
    for (name, path) in found.into_iter().filter(|(name, _)| *name != DONE) {
        let last = path.last_state().clone();
        let why = last.wrong.unwrap_or_else(|| last.ends_well(&config, &checker.model().lab).unwrap_err());
        whys.push((name, why));
        let acts = path.into_actions();
        broken.push(format!("{name}: {why}: {acts:?}"));
    }
    let (stores, packets) = checker.model().lab.sizes();
    println!(
        "{:<36} {:>8} states, {:>9} transitions, depth {:>3}, {stores:>6} stores, {packets:>5} packets, {:>7} refusals, {:>5.1} s{}",
        config.name,
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        checker.model().lab.refusals.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64(),
        if broken.is_empty() {
            String::new()
        } else {
            format!(", broken: {:?}", checker.model().wrongs.lock().unwrap())
        },
    );
    Outcome { broken, why: whys, done }
}
