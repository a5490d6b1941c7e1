//! The bytes that travel: protobuf with a version in front, limits before allocation, one encoding per value.
//!
//! ```text
//! envelope = version ‖ suite ‖ session id ‖ [handshake] ‖ ratchet header ‖ ciphertext
//!            └──────────────── the head, all of it authenticated ──────┘
//! ```
//!
//! With encrypted headers it is `version ‖ 0x80 ‖ [note] ‖ encrypted header ‖ ciphertext`, which shows neither session, ratchet key nor number.
//!
//! The two messages on every message's path (envelope and ratchet message) have a borrowed codec of their own; everything else goes through
//! prost and is refused unless it encodes to the very same bytes again. `docs/protocol.md`, sections 4 and 5; `docs/outrigger.proto`.

mod canonical;
#[cfg(test)]
mod differential;
mod ending;
mod envelope;
mod error;
mod hidden;
mod limits;
mod messages;
mod suite;

pub(crate) use canonical::{decode_canonical, encode_versioned, split_version};
pub(crate) use ending::{ending, unended};
pub use envelope::SessionId;
pub(crate) use envelope::{Envelope, Header, Incoming, RatchetHeader, RatchetMessage, Under, write_front};
pub use error::{DecodeError, Field};
pub(crate) use hidden::{HIDDEN_FRONT, HiddenEnvelope, SealedHeader, write_hidden_front};
pub use limits::{
    MAX_ASSOCIATED_DATA, MAX_BUNDLE, MAX_CERTIFICATE, MAX_DEVICE_LIST, MAX_DEVICES, MAX_ENVELOPE,
    MAX_HANDSHAKE, MAX_LINK_MESSAGE, MAX_NUMBER_STATEMENT, MAX_PLAINTEXT, MAX_PQ, MAX_RETRY_REQUEST,
    MAX_SUITES,
};
pub(crate) use messages::{
    AcknowledgementMessage, BundleMessage, CertificateBodyMessage, CertificateMessage, CodeAnswerMessage,
    CodeInvitationMessage, CodeOfferMessage, ConfirmationMessage, DesktopGrantBodyMessage,
    DeviceEntryMessage, DeviceListBodyMessage, DeviceListMessage, FactMessage, GrantBodyMessage,
    GrantMessage, HandshakeMessage, HistoryManifestMessage, NumberMessage, RefusalMessage, RetryRequestBody,
    RetryRequestMessage, ScannableHalf, ScannableMessage, SupplyMessage, SyncKeyMessage,
};
pub use suite::{PROTOCOL_VERSION, Suite};
