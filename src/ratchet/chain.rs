//! The two key derivation chains. *The Double Ratchet Algorithm*, 2.2, 2.3 and 5.2; `docs/protocol.md`, section 7.

use crate::primitives::{
    SharedSecret,
    aead::{AeadKey, HeaderKey},
    kdf, labels, secret_key,
};

secret_key! {
    /// The secret that both sides bring to a ratchet: 32 bytes, from a handshake.
    pub RootSecret
}

secret_key! {
    /// Takes in a Diffie-Hellman result at each half of a turn: 32 bytes.
    pub(crate) RootKey
}

secret_key! {
    /// Derives the message keys of one chain: 32 bytes, moved forward and never back.
    pub(crate) ChainKey
}

secret_key! {
    /// The key of one message, 32 bytes; the AEAD key is derived from it in a step of its own, where a second ratchet's key can be mixed in.
    pub(crate) MessageKey
}

/// What one half of a turn gives.
pub(super) struct Stepped {
    pub(super) root: RootKey,
    pub(super) chain: ChainKey,
    pub(super) next_header: Option<HeaderKey>,
}

impl From<RootSecret> for RootKey {
    fn from(secret: RootSecret) -> Self {
        Self::take_from(&mut { *secret.expose_bytes() })
    }
}

impl RootKey {
    /// `KDF_RK`: the next root key and the key of a new chain. `KDF_RK_HE` where headers are encrypted: also the next header key.
    pub(super) fn step(&self, shared: &SharedSecret, hidden: bool) -> Stepped {
        if !hidden {
            let [mut root, mut chain] =
                kdf::hkdf(self.expose_bytes(), &[shared.expose_bytes()], labels::RATCHET_ROOT);
            let (root, chain) = (Self::take_from(&mut root), ChainKey::take_from(&mut chain));
            return Stepped { root, chain, next_header: None };
        }
        let [mut root, mut chain, mut header] =
            kdf::hkdf(self.expose_bytes(), &[shared.expose_bytes()], labels::RATCHET_HIDDEN);
        let (root, chain) = (Self::take_from(&mut root), ChainKey::take_from(&mut chain));
        Stepped { root, chain, next_header: Some(HeaderKey::take_from(&mut header)) }
    }
}

impl ChainKey {
    /// `KDF_CK`: the next chain key and the key of this message.
    pub(crate) fn step(&self) -> (Self, MessageKey) {
        let (mut message, mut chain) = kdf::hmac_pair(self.expose_bytes(), &[1], &[2]);
        (Self::take_from(&mut chain), MessageKey::take_from(&mut message))
    }
}

impl MessageKey {
    pub(crate) fn aead_key(&self) -> AeadKey {
        AeadKey::take_from(&mut kdf::hmac(self.expose_bytes(), labels::MESSAGE_AEAD))
    }
}
