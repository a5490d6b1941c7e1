//! One conversation between two devices: start it, send, receive, decide about identities.
//!
//! ```text
//! Start ─▶ initiating ──first reply opens──▶ settled ──another session becomes active──▶ archived: opens, sends nothing
//! Receive ─▶ responding ──peer answers our key──▶ ┘
//! ```
//!
//! What a message rewrites is one record, the [`Peer`](crate::RecordKind::Peer) record of the other device: its identity key, the user's trust, and the
//! active session. Archived sessions, keys of skipped messages and prekeys are records of their own, read when an envelope names them. An envelope
//! names its session, so it meets exactly one. `docs/protocol.md`, section 8; design: section 7.

mod accept;
mod accepted;
mod archive;
mod content;
mod copies;
mod decide;
mod describe;
mod end;
mod error;
mod find;
mod line;
mod message_id;
mod number;
mod padding;
mod peer;
mod receive;
mod recover;
mod report;
mod retry;
mod send;
mod stamp;
mod start;
mod state;
mod tell;
mod tidy;

pub(crate) use content::Heading;
pub use content::{Content, HistoryId, HistoryManifest, Origin, SharedId, SupplyFrame, SupplyNumber};
pub use copies::Keep;
pub use decide::DecideIdentity;
pub use describe::{DescribePeer, PeerDescription, SessionDescription, ShowSafetyNumber};
pub(crate) use end::end_sessions;
pub use error::{OpenError, SendError, StartError};
pub(crate) use line::{Line, OpenedFrame, open_frame, start_line};
pub use message_id::MessageId;
pub use number::LearnNumber;
pub(crate) use padding::padme;
pub(crate) use peer::{identity_on_record, pin_new, pin_scanned};
pub use receive::{Arrival, Receive, Received};
pub use recover::{Recover, Recovered};
pub use report::{
    ChainReport, Diagnose, EnvelopeDescription, Finding, HandshakeDescription, HeaderDescription, Report,
    SentReport, SessionPhase, SessionReport, Side,
};
pub use retry::{
    AnswerRetry, RequestRetry, RetryAnswer, RetryError, RetryOutcome, RetryReason, RetryRequest,
};
pub(crate) use send::{Ready, Single, ask_ahead, ask_ahead_in_session, can_send, encode_stamp};
pub use send::{Send, Sent};
pub use stamp::{Standing, View};
pub use start::{Restart, Start, Started};
pub(crate) use start::{start_with_new_companion, was_heard_from};
pub use state::Strength;
pub(crate) use tell::ToldIdentity;
pub use tidy::Tidy;
