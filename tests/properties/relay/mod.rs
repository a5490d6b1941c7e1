//! A phone that relays for desktops: `docs/relay.md`, row by row, and everyone who would like it to lose or repeat something.

mod attacks;
mod batches;
mod bounds;
mod damage;
mod flow;
mod joining;
pub(crate) mod office;
mod printed;
mod requests;
mod rows_desktop;
mod rows_phone;
mod rows_phone_asked;
mod rows_phone_upgrade;
mod rows_races;
mod schedules;
mod schedules_long;
mod schedules_upgrade;
mod secrets;
mod sizes;
mod slow;
mod town;
mod town_desk;
mod upgrade;
mod upgrade_late;
mod upgrade_mended;
mod upgrade_met;
mod upgrade_removed;
