//! What can be told of a pair of devices without a secret: a report from each side, and what the two together say.
//!
//! ```text
//! Diagnose at one device ──▶ Report ──bytes──┐
//!                                             ├──▶ Report::compare ──▶ findings, each with its repair
//! Diagnose at the other  ──▶ Report ──bytes──┘
//! ```
//! Reports hold ids, counters, times, sizes and public keys; no private key, no chain, no text. They tell who speaks with whom and how much: send them as
//! confidentially as that asks for.

mod bytes;
mod compare;
mod diagnose;
mod envelope;

pub use compare::{Finding, Side};
pub use diagnose::{ChainReport, Diagnose, Report, SentReport, SessionPhase, SessionReport};
pub use envelope::{EnvelopeDescription, HandshakeDescription, HeaderDescription};
