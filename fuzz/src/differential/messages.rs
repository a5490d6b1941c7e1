//! The messages of `docs/outrigger.proto`, as prost has them.

/// `Envelope` of `docs/outrigger.proto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Envelope {
    #[prost(fixed64, optional, tag = "1")]
    pub(crate) session_id: Option<u64>,
    #[prost(message, optional, tag = "2")]
    pub(crate) handshake: Option<HandshakeFields>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) ratchet_key: Vec<u8>,
    #[prost(uint32, tag = "4")]
    pub(crate) previous_counter: u32,
    #[prost(uint32, tag = "5")]
    pub(crate) counter: u32,
    #[prost(bytes = "vec", optional, tag = "6")]
    pub(crate) pq: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) ciphertext: Vec<u8>,
}

/// The same with the handshake as bytes, which a session that is on record does not look into.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OuterEnvelope {
    #[prost(fixed64, optional, tag = "1")]
    pub(crate) session_id: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) handshake: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) ratchet_key: Vec<u8>,
    #[prost(uint32, tag = "4")]
    pub(crate) previous_counter: u32,
    #[prost(uint32, tag = "5")]
    pub(crate) counter: u32,
    #[prost(bytes = "vec", optional, tag = "6")]
    pub(crate) pq: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) ciphertext: Vec<u8>,
}

/// `Handshake`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HandshakeFields {
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
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Bundle {
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
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct NumberStatement {
    #[prost(string, tag = "1")]
    pub(crate) number: String,
    #[prost(uint64, tag = "2")]
    pub(crate) issued_at: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) signature: Vec<u8>,
}

/// `ScannableSafetyNumber`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ScannableSafetyNumber {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(message, optional, tag = "2")]
    pub(crate) local: Option<Half>,
    #[prost(message, optional, tag = "3")]
    pub(crate) remote: Option<Half>,
}

/// `ScannableSafetyNumber.Half`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Half {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) fingerprint: Vec<u8>,
}
