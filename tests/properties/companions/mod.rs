//! Accounts with companions: linking, lists, certificates, messages to accounts, and everyone who would like to be one of the devices.

mod fanout;
mod household;
mod life;
mod supply;
