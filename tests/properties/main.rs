//! What the crate promises, one file for each property, from outside: the public API, a fake world, and people who want to break it.
//!
//! A lesson of the design that a test shows stands in its name (`l5_...`). The tests are one crate so that the world is compiled once.

mod bounded;
mod bounded_sessions;
mod companions;
mod concurrent;
mod convergence;
mod damaged_records;
mod hidden;
mod hidden_bounds;
mod hidden_commit;
mod hidden_ratchet;
mod hidden_secrets;
mod hidden_sessions;
mod hidden_wire;
mod hostile_bytes;
mod hostile_fields;
mod identity_change;
mod mended;
mod operations;
mod padding;
#[cfg(feature = "post-quantum")]
mod post_quantum;
#[cfg(feature = "post-quantum")]
mod post_quantum_policy;
mod prekeys;
mod publishing;
mod randomness;
mod recovery;
mod redaction;
mod relay;
mod replay;
mod report;
mod retry;
mod retry_attacks;
mod rollback;
mod schedules;
mod secrecy;
mod sizes;
mod supply;
mod torn;
mod world;
