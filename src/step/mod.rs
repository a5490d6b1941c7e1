//! The one life cycle of every act: an operation is a value, a step is atomic, outputs come out through the store.
//!
//! ```text
//!            run(&have, &mut context)                 commit(store)
//! Operation ───────────┬──────────▶ Needs ──▶ load, answer, run again
//!                      ├──────────▶ Step { writes, output } ──────────▶ output
//!                      └──────────▶ Err: nothing has changed
//! ```
//!
//! `run` is pure: what it reads was loaded by the app, what it wants written is in the [`Step`], time and randomness come with the
//! [`Context`]. The output is released by a store that said `Ok`, and by nothing else. Every write names the revision that it replaces, so
//! any number of processes share one store by compare-and-swap; the loser drops its output and runs again.
//! Nothing here knows what a record means. Design: section 2.

mod advice;
mod batch;
mod codec;
mod context;
mod describe;
mod drive;
mod headers;
mod key;
mod limits;
mod loaded;
mod memory;
mod operation;
mod padding;
mod policy;

pub(crate) use advice::advises;
pub use advice::{Advice, Advise};
pub use batch::Batch;
pub use codec::RecordError;
pub(crate) use codec::{RecordHead, RecordReader, RecordType, RecordWriter};
pub use context::{Context, Generation, UnixMillis};
pub use describe::RecordDescription;
pub use drive::{DriveError, Rejected, drive};
pub use headers::Headers;
pub(crate) use key::KeyWriter;
pub use key::{RecordKey, RecordKind, Revision};
pub use limits::Limits;
pub use loaded::{Loaded, Needs, Record, Unanswered};
pub(crate) use loaded::{Restored, Slot};
pub use memory::MemoryStore;
pub(crate) use operation::Sealed;
pub use operation::{Held, Operation, Run, Step, Write};
pub use padding::Padding;
pub use policy::SuitePolicy;
