//! What is bound, and what comes out of a handshake secret.

use crate::{
    identity::{Address, IdentityKey},
    primitives::{KemPublicKey, PublicKey, kdf, labels},
    ratchet::RootSecret,
    wire::{PROTOCOL_VERSION, SessionId, Suite},
};

/// The hash of everything that a handshake must agree on: version, suite, both identity keys and addresses, all keys used. 32 bytes.
///
/// It is the associated data of X3DH, in every key derived from the handshake and in the associated data of every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transcript(pub(crate) [u8; 32]);

impl Transcript {
    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The parts of a transcript, the initiator's first on both sides.
pub(super) struct Parts<'a> {
    pub(super) suite: Suite,
    pub(super) identities: [&'a IdentityKey; 2],
    pub(super) addresses: [&'a Address; 2],
    pub(super) ephemeral: &'a PublicKey,
    pub(super) signed_prekey: &'a PublicKey,
    pub(super) one_time_prekey: Option<&'a PublicKey>,
    /// KEM prekey and ciphertext.
    pub(super) kem: Option<(&'a KemPublicKey, &'a [u8])>,
}

impl Parts<'_> {
    /// `docs/protocol.md`, section 6, step 4.
    pub(super) fn hash(&self) -> Transcript {
        let [initiator, responder] = self.identities.map(IdentityKey::encoded);
        let [from, to] = self.addresses;
        let one_time = self.one_time_prekey.map(PublicKey::encoded);
        from.with_encoded(|from| {
            to.with_encoded(|to| {
                let classic: [&[u8]; 9] = [
                    labels::TRANSCRIPT,
                    &[PROTOCOL_VERSION, self.suite.to_byte()],
                    &initiator,
                    &responder,
                    from,
                    to,
                    &self.ephemeral.encoded(),
                    &self.signed_prekey.encoded(),
                    one_time.as_ref().map_or(&[], |key| key),
                ];
                Transcript(match self.kem {
                    None => kdf::sha256_prefixed(&classic),
                    Some((key, ciphertext)) => {
                        let [a, b, c, d, e, f, g, h, i] = classic;
                        kdf::sha256_prefixed(&[a, b, c, d, e, f, g, h, i, key.encoded(), ciphertext])
                    }
                })
            })
        })
    }
}

/// What both sides hold after a handshake: a root secret for the ratchet, the session's id, the transcript.
#[derive(Debug)]
pub struct Established {
    root: RootSecret,
    session_id: SessionId,
    transcript: Transcript,
}

impl Established {
    /// Expands the handshake secret into separate labelled outputs (section 6, step 5).
    pub(super) fn derive(secret: &[u8; 32], transcript: Transcript) -> Self {
        let mut root = kdf::expand(secret, &[labels::SESSION_ROOT, &transcript.0]);
        let id = kdf::expand(secret, &[labels::SESSION_ID, &transcript.0]);
        Self { root: RootSecret::take_from(&mut root), session_id: SessionId(kdf::truncate(id)), transcript }
    }

    /// Names the session at both sides.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// What every message of the session binds.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The secret that starts the ratchet.
    #[must_use]
    pub fn into_root_secret(self) -> RootSecret {
        self.root
    }
}
