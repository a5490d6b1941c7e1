//! The messages that go through prost, as in `docs/outrigger.proto`; a test holds the two equal.
//!
//! Lengths of byte fields are checked by those who turn them into types; the whole was bounded before it was decoded.

use alloc::{string::String, vec::Vec};

/// `Handshake`: field 2 of an envelope.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct HandshakeMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) identity_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) ephemeral_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) signed_prekey_id: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) one_time_prekey_id: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) pq: Option<Vec<u8>>,
    #[prost(uint64, tag = "6")]
    pub(crate) started_at: u64,
}

/// `Bundle`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct BundleMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) identity_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) suites: Vec<u8>,
    #[prost(uint64, tag = "3")]
    pub(crate) issued_at: u64,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) suites_signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) signed_prekey: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) signed_prekey_signature: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "7")]
    pub(crate) one_time_prekey: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub(crate) kem_prekey: Option<Vec<u8>>,
}

/// `NumberStatement`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct NumberMessage {
    #[prost(string, tag = "1")]
    pub(crate) number: String,
    #[prost(uint64, tag = "2")]
    pub(crate) issued_at: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) signature: Vec<u8>,
}

/// `ScannableSafetyNumber`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ScannableMessage {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(message, optional, tag = "2")]
    pub(crate) local: Option<ScannableHalf>,
    #[prost(message, optional, tag = "3")]
    pub(crate) remote: Option<ScannableHalf>,
}

/// `ScannableSafetyNumber.Half`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ScannableHalf {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) fingerprint: Vec<u8>,
}

/// `RetryRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct RetryRequestMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) identity_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) sealed: Vec<u8>,
}

/// `RetryRequest.Body`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct RetryRequestBody {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) message_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) session_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) envelope: Vec<u8>,
    #[prost(uint32, tag = "4")]
    pub(crate) reason: u32,
    #[prost(uint64, tag = "5")]
    pub(crate) asked_at: u64,
}

/// `DeviceList`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct DeviceListMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) body: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) signature: Vec<u8>,
}

/// `DeviceList.Body`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct DeviceListBodyMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) account_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) incarnation: Vec<u8>,
    #[prost(uint32, tag = "3")]
    pub(crate) epoch: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) issued_at: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) expires_at: u64,
    #[prost(uint32, tag = "6")]
    pub(crate) next_key_index: u32,
    #[prost(message, repeated, tag = "7")]
    pub(crate) entries: Vec<DeviceEntryMessage>,
    #[prost(bool, tag = "8")]
    pub(crate) closed: bool,
    #[prost(bytes = "vec", tag = "9")]
    pub(crate) suites: Vec<u8>,
}

/// `DeviceList.Entry`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct DeviceEntryMessage {
    #[prost(uint32, tag = "1")]
    pub(crate) device_id: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) key_index: u32,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) identity_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) suites: Vec<u8>,
}

/// `Certificate`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct CertificateMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) body: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) identity_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) account_signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) device_signature: Vec<u8>,
}

/// `Certificate.Body`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct CertificateBodyMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) account_id: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(crate) device_id: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) key_index: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) linked_at: u64,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) incarnation: Vec<u8>,
}

/// `Grant`: of a linking.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct GrantMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) reference: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) ephemeral_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) sealed: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) mac: Vec<u8>,
}

/// `Grant.Body`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct GrantBodyMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) certificate: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) account_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) account_signature: Vec<u8>,
}

/// `DesktopGrant.Body`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct DesktopGrantBodyMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) account_id: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(crate) device_id: u32,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) bundle: Vec<u8>,
}

/// `Confirmation`: of a linking.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ConfirmationMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) reference: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) device_signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) bundle: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) mac: Vec<u8>,
}

/// `Acknowledgement`: of a linking.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct AcknowledgementMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) reference: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) list: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) mac: Vec<u8>,
}

/// `Refusal`: of a linking.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct RefusalMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) reference: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(crate) reason: u32,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) mac: Vec<u8>,
}

/// `Supply`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct SupplyMessage {
    #[prost(uint64, tag = "1")]
    pub(crate) number: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) after: u64,
    #[prost(message, repeated, tag = "3")]
    pub(crate) facts: Vec<FactMessage>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) sync_keys: Vec<SyncKeyMessage>,
}

/// `Supply.Fact`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct FactMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) account_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) identity_key: Vec<u8>,
    #[prost(bool, tag = "3")]
    pub(crate) verified: bool,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) offered: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) list: Option<Vec<u8>>,
}

/// `Supply.SyncKey`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct SyncKeyMessage {
    #[prost(uint32, tag = "1")]
    pub(crate) epoch: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) key: Vec<u8>,
}

/// `CodeOffer`: of a linking by code.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct CodeOfferMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) reference: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) share: Vec<u8>,
}

/// `CodeAnswer`: of a linking by code.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct CodeAnswerMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) reference: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) share: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) mac: Vec<u8>,
}

/// `CodeInvitation`: of a linking by code.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct CodeInvitationMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) reference: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) sealed: Vec<u8>,
}

/// `HistoryManifest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct HistoryManifestMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) digests: Vec<u8>,
}
