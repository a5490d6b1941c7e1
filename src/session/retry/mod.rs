//! Asking for a message again, and answering.
//!
//! ```text
//! Receive ─ Err, RequestRetry ─▶ RequestRetry ──request──▶ Receive ─ Err, AnswerRetry ─▶ AnswerRetry ─▶ envelope ──▶ Receive: again, once
//! ```
//!
//! A request stands outside every session, since sessions are what is broken: it is sealed under the two devices' identity keys. It names the envelope by all of
//! its head and its tag, so that nobody but the sender's own envelope causes anything at the sender. What it says is broken speaks no more: the answer starts another session
//! in the same step. Requests are never asked for again, and are counted by the one who asks. `docs/protocol.md`, section 8 "Retry".

mod answer;
mod ask;
mod budget;
mod error;
mod request;

pub use answer::{AnswerRetry, RetryAnswer, RetryOutcome};
pub use ask::{RequestRetry, RetryRequest};
pub(super) use budget::Budget;
pub use error::RetryError;
pub use request::RetryReason;
pub(super) use request::is_retry_request;
