//! Where a device sits, and what is under way from it.

use std::collections::BTreeSet;

/// When a device dies of its next operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    BeforeCommit,
    AfterCommit,
}

/// A device, and what its app has stored beside the library's records: both go back together.
#[derive(Clone)]
pub(crate) struct Seat<D> {
    pub(crate) address: String,
    pub(crate) device: D,
    pub(crate) now: u64,
    /// Sender and text, for all that was heard.
    pub(crate) inbox: BTreeSet<(String, String)>,
    pub(crate) crash: Option<Crash>,
}

/// Bytes under way, and what the suite knows of them.
#[derive(Clone)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    pub(crate) from: String,
    pub(crate) text: String,
}
