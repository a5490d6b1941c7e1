//! The handshake as it travels with an initiator's messages.

use alloc::vec::Vec;

use prost::Message;

use crate::{
    identity::IdentityKey,
    prekey::PrekeyId,
    primitives::{KemSize, PublicKey},
    step::UnixMillis,
    wire::{DecodeError, Field, HandshakeMessage, MAX_HANDSHAKE, Suite, decode_canonical},
};

/// What the initiator tells the responder: two public keys and the ids of the prekeys used; under a post-quantum suite a KEM ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The KEM part; there under a post-quantum suite, and under no other.
    pub kem: Option<KemPart>,
}

/// What a post-quantum suite adds to a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KemPart {
    /// Which KEM prekey of the responder was used: that of the one-time prekey, or the last resort.
    pub prekey: PrekeyId,
    /// 1,088 or 1,568 bytes.
    pub ciphertext: Vec<u8>,
}

impl KemPart {
    fn parse(bytes: &[u8], size: KemSize) -> Option<Self> {
        let (prekey, ciphertext) = bytes.split_first_chunk()?;
        let whole = ciphertext.len() == size.ciphertext_len();
        whole.then(|| Self { prekey: PrekeyId(*prekey), ciphertext: ciphertext.to_vec() })
    }

    fn to_bytes(&self) -> Vec<u8> {
        [&self.prekey.0, &self.ciphertext[..]].concat()
    }
}

impl Handshake {
    /// The longest encoding under suite 1, in bytes.
    pub const MAX_LEN: usize = 117;

    /// The longest encoding under a suite, in bytes: 117, with ML-KEM-768 1,224, with ML-KEM-1024 1,704.
    pub(super) const fn max_len(suite: Suite) -> usize {
        match suite.kem() {
            None => Self::MAX_LEN,
            Some(size) => size.ciphertext_len().saturating_add(Self::MAX_LEN + 16 + 3),
        }
    }

    /// Parses the handshake field of an envelope of this suite.
    ///
    /// # Errors
    /// [`DecodeError`]: too long, not in its one encoding, a key that is not canonical or of low order, a `pq` field where the suite has none, none where it has one, or one of another length.
    ///
    /// # Spec
    /// `docs/protocol.md`, section 5.
    pub fn decode(bytes: &[u8], suite: Suite) -> Result<Self, DecodeError> {
        let bad = DecodeError::Malformed;
        if bytes.len() > MAX_HANDSHAKE {
            return Err(DecodeError::TooLong);
        }
        // What cannot be sound is not decoded first.
        if bytes.len() > Self::max_len(suite) {
            return Err(bad(Field::Handshake));
        }
        let message: HandshakeMessage = decode_canonical(bytes, Field::Handshake)?;
        let kem = match (suite.kem(), message.pq) {
            (None, None) => None,
            (Some(size), Some(bytes)) => Some(KemPart::parse(&bytes, size).ok_or(bad(Field::Pq))?),
            (None, Some(_)) | (Some(_), None) => return Err(bad(Field::Pq)),
        };
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
            kem,
        })
    }

    /// The one encoding, 90 to 117 bytes; with a KEM part 1,197 to 1,704.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let message = HandshakeMessage {
            identity_key: self.identity_key.encoded().to_vec(),
            ephemeral_key: self.ephemeral_key.encoded().to_vec(),
            signed_prekey_id: self.signed_prekey.0.to_vec(),
            one_time_prekey_id: self.one_time_prekey.map(|id| id.0.to_vec()),
            pq: self.kem.as_ref().map(KemPart::to_bytes),
            started_at: self.started_at.0,
        };
        message.encode_to_vec()
    }
}
