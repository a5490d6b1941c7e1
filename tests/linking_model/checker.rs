//! The model as the checker takes it: states by their view, actions, and what must hold.

use std::{
    collections::BTreeSet,
    fmt,
    hash::{Hash, Hasher},
    time::Instant,
};

use stateright::{Checker, Model, Property};

use crate::{
    config::{Budget, Config},
    names::{Act, Name},
    view::{Facts, View},
    world::World,
};

/// A world that is known by how it looks.
#[derive(Clone)]
pub(crate) struct State(World);

/// Everything by which two states differ. How many codes were shown stands in the budget.
type Looks<'a> = (&'a View, Vec<Name>, &'a Facts, Budget, Option<&'static str>);

impl State {
    fn looks(&self) -> Looks<'_> {
        let world = &self.0;
        let network = world.network.iter().map(|(name, _)| *name).collect();
        (&world.view, network, &world.facts, world.budget, world.wrong)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.looks() == other.looks()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.looks().hash(state);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.looks())
    }
}

pub(crate) const AS_DUE: &str = "what is due is taken, all else is refused and changes nothing";
pub(crate) const RIGHTFUL: &str = "a device only where it was listed, seen and agreed to";
pub(crate) const AGREES: &str = "companion and phone agree";
pub(crate) const CONFIRMED: &str = "a list names only who confirmed";
pub(crate) const ONE_ACCOUNT: &str = "one account at most";
pub(crate) const ENDS_WELL: &str = "linked in the end, or free to begin anew";
const LINKED: &str = "it comes to be linked";

impl Model for Config {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        vec![State(World::new(*self))]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Act>) {
        actions.extend(state.0.actions());
    }

    fn next_state(&self, last: &State, action: Act) -> Option<State> {
        let mut next = last.clone();
        next.0.act(&action).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(AS_DUE, |_, state: &State| state.0.wrong.is_none()),
            Property::always(RIGHTFUL, |_, state: &State| state.0.is_rightful()),
            Property::always(AGREES, |_, state: &State| state.0.agrees()),
            Property::always(CONFIRMED, |_, state: &State| state.0.lists_only_confirmed()),
            Property::always(ONE_ACCOUNT, |_, state: &State| state.0.has_one_account()),
            // Where another property is broken, that one says so.
            Property::always(ENDS_WELL, |_, state: &State| !state.0.is_safe() || state.0.ends_well()),
            Property::sometimes(LINKED, |_, state: &State| state.0.device().is_some()),
        ]
    }
}

/// What a check came to.
pub(crate) struct Outcome {
    pub(crate) broken: Vec<(&'static str, String)>,
    pub(crate) linked: bool,
}

/// Checks every state of a configuration, or stops where each property is broken.
pub(crate) fn check(config: Config) -> Outcome {
    let began = Instant::now();
    let checker = config.checker().threads(2).spawn_bfs().join();
    let found = checker.discoveries();
    let linked = found.contains_key(LINKED);
    let broken: Vec<_> = found
        .into_iter()
        .filter(|(name, _)| *name != LINKED)
        .map(|(name, path)| (name, format!("{:?}", path.into_actions())))
        .collect();
    let names: BTreeSet<_> = broken.iter().map(|(name, _)| *name).collect();
    println!(
        "{:<44} {:>9} states, {:>9} transitions, depth {:>3}, {:>5.1} s{}",
        config.name,
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        began.elapsed().as_secs_f64(),
        if names.is_empty() { String::new() } else { format!(", broken: {names:?}") },
    );
    Outcome { broken, linked }
}
