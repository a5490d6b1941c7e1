//! The bodies of the fuzz targets: plain functions over bytes that panic where the crate breaks a promise.
//!
//! One for each decoder that bytes from outside can reach, one for the records of the store, one that holds the crate's own envelope codec against
//! prost, one that lets bytes drive a whole conversation, those of companions: their decoders, and a linking that bytes drive, and one that
//! lets bytes drive a phone that relays for a desktop. `fuzz_targets/` hands them to libFuzzer; `tests/corpus.rs` of the crate includes this
//! file and replays `seeds/` (and every crash that was ever found) on stable.
//!
//! Everything is deterministic: the same bytes do the same thing on every machine, with a toy random source and a clock that stands still.

mod companions;
mod conversation;
mod decoders;
mod differential;
mod fixture;
mod records;
mod relay;
mod seeds;
mod world;

pub use companions::{certificate, device_list, link_message, linking, supply};
pub use conversation::conversation;
pub use decoders::{
    bundle, envelope, handshake, number_statement, parsers, ratchet_message, retry_request, safety_number,
    saved_ratchet,
};
pub use differential::differential;
pub use records::records;
pub use relay::relay;
pub use seeds::seeds;

/// A target: its name, which is that of its folder in `seeds/`, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("envelope", envelope),
    ("ratchet_message", ratchet_message),
    ("handshake", handshake),
    ("bundle", bundle),
    ("number_statement", number_statement),
    ("safety_number", safety_number),
    ("saved_ratchet", saved_ratchet),
    ("retry_request", retry_request),
    ("records", records),
    ("parsers", parsers),
    ("differential", differential),
    ("conversation", conversation),
    ("device_list", device_list),
    ("certificate", certificate),
    ("link_message", link_message),
    ("linking", linking),
    ("supply", supply),
    ("relay", relay),
];
