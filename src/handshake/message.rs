//! The handshake as it travels with an initiator's messages.

use alloc::vec::Vec;

use prost::Message;

use crate::{
    identity::IdentityKey,
    prekey::PrekeyId,
    primitives::PublicKey,
    step::UnixMillis,
    wire::{DecodeError, Field, HandshakeMessage, MAX_HANDSHAKE, decode_canonical},
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
    /// The start of the session, which orders it among the sessions of these two devices: the initiator's time, or 1 ms more than the start of the session that
    /// it replaces. Never 0.
    pub started_at: UnixMillis,
}

impl Handshake {
    /// The longest encoding under suite 1, in bytes.
    pub const MAX_LEN: usize = 117;

    /// Parses the handshake field of an envelope, at most 117 bytes under suite 1.
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
        // Without `pq` there is no longer one; what cannot be sound is not decoded first.
        if bytes.len() > Self::MAX_LEN {
            return Err(bad(Field::Handshake));
        }
        let message: HandshakeMessage = decode_canonical(bytes, Field::Handshake)?;
        if message.pq.is_some() {
            return Err(bad(Field::Pq));
        }
        if message.started_at == 0 {
            return Err(bad(Field::StartedAt));
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
            started_at: UnixMillis(message.started_at),
        })
    }

    /// The one encoding, 90 to 117 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let message = HandshakeMessage {
            identity_key: self.identity_key.encoded().to_vec(),
            ephemeral_key: self.ephemeral_key.encoded().to_vec(),
            signed_prekey_id: self.signed_prekey.0.to_vec(),
            one_time_prekey_id: self.one_time_prekey.map(|id| id.0.to_vec()),
            pq: None,
            started_at: self.started_at.0,
        };
        message.encode_to_vec()
    }
}
