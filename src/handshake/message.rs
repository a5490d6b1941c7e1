//! The handshake as it travels with an initiator's messages.

use alloc::vec::Vec;

use prost::Message;

use crate::{
    identity::IdentityKey,
    prekey::PrekeyId,
    primitives::PublicKey,
    wire::{DecodeError, Field, HandshakeMessage, MAX_HANDSHAKE, SessionId, decode_canonical},
};

/// What the initiator tells the responder: two public keys and the ids of the prekeys used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The initiator's identity key.
    pub identity_key: IdentityKey,
    /// The key drawn for this handshake alone.
    pub ephemeral_key: PublicKey,
    /// Which signed prekey of the responder was used.
    pub signed_prekey: PrekeyId,
    /// Which one-time prekey, if any.
    pub one_time_prekey: Option<PrekeyId>,
    /// The session that was active at the initiator with this peer when it started this one.
    pub replaces: Option<SessionId>,
}

impl Handshake {
    /// Parses the handshake field of an envelope, at most 4,096 bytes.
    ///
    /// # Errors
    /// [`DecodeError`]: too long, not in its one encoding, a key that is not canonical or of low order, a `pq` field.
    ///
    /// # Spec
    /// `docs/protocol.md`, section 5.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bad = DecodeError::Malformed;
        if bytes.len() > MAX_HANDSHAKE {
            return Err(DecodeError::TooLong);
        }
        let message: HandshakeMessage = decode_canonical(bytes, Field::Handshake)?;
        if message.pq.is_some() {
            return Err(bad(Field::Pq));
        }
        let id = |bytes: &[u8], field| bytes.try_into().map(PrekeyId).map_err(|_| bad(field));
        Ok(Self {
            identity_key: IdentityKey::parse_encoded(&message.identity_key)
                .map_err(|_| bad(Field::IdentityKey))?,
            ephemeral_key: PublicKey::parse_encoded(&message.ephemeral_key)
                .map_err(|_| bad(Field::EphemeralKey))?,
            signed_prekey: id(&message.signed_prekey_id, Field::SignedPrekey)?,
            one_time_prekey: message
                .one_time_prekey_id
                .map(|bytes| id(&bytes, Field::OneTimePrekey))
                .transpose()?,
            replaces: message.replaces.map(|id| SessionId(id.to_le_bytes())),
        })
    }

    /// The one encoding, 88 to 115 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let message = HandshakeMessage {
            identity_key: self.identity_key.encoded().to_vec(),
            ephemeral_key: self.ephemeral_key.encoded().to_vec(),
            signed_prekey_id: self.signed_prekey.0.to_vec(),
            one_time_prekey_id: self.one_time_prekey.map(|id| id.0.to_vec()),
            pq: None,
            replaces: self.replaces.map(|id| u64::from_le_bytes(id.0)),
        };
        message.encode_to_vec()
    }
}
