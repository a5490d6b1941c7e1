//! Accounts with companions: linking, lists, certificates, messages to accounts, and everyone who would like to be one of the devices.

mod authentication;
mod channels;
mod fanout;
mod ghosts;
mod history;
pub(crate) mod household;
mod life;
mod linking;
mod lists;
mod printed;
mod schedules;
mod secrets;
mod sizes;
#[cfg(feature = "post-quantum")]
mod suites;
mod supply;
mod typed;
