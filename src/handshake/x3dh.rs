//! X3DH: three or four Diffie-Hellmans, one secret. *The X3DH Key Agreement Protocol*, 3.3 and 3.4; `docs/protocol.md`, section 6.

use core::fmt;

use super::{
    Handshake,
    transcript::{Established, Parts},
};
use crate::{
    identity::{Address, IdentityKeyPair},
    prekey::{PrekeyId, VerifiedBundle},
    primitives::{KeyPair, NonContributory, Random, RandomError, SharedSecret, kdf, labels, secret_key},
    step::{Advice, UnixMillis},
    wire::Suite,
};

/// What stands in front of the key material: no encoding of a scalar or point, so that no input of XEdDSA's hashes equals one of ours.
const F: [u8; 32] = [0xff; 32];

secret_key! {
    /// SK of the specification: 32 bytes.
    pub(super) HandshakeSecret
}

/// Why a handshake gave no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A Diffie-Hellman result was zero.
    NonContributory,
}

impl HandshakeError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Random(_) => Advice::CheckRandomSource,
            Self::NonContributory => Advice::FetchBundle,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(error) => error.fmt(f),
            Self::NonContributory => NonContributory.fmt(f),
        }
    }
}

impl core::error::Error for HandshakeError {}

impl From<RandomError> for HandshakeError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<NonContributory> for HandshakeError {
    fn from(_: NonContributory) -> Self {
        Self::NonContributory
    }
}

/// This device in a handshake.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// Its identity.
    pub identity: &'a IdentityKeyPair,
    /// Where it is reached.
    pub address: &'a Address,
}

/// What the initiator holds after a handshake.
#[derive(Debug)]
pub struct Initiated {
    /// The shared part.
    pub established: Established,
    /// What the responder needs, with every message until one of the responder's opens.
    pub handshake: Handshake,
}

/// The initiator's side. Draws 32 random bytes; three or four Diffie-Hellmans and one key generation.
///
/// The responder's signed prekey, [`VerifiedBundle::signed_prekey`], is its first ratchet key. `started_at` orders the session among others of these
/// two devices; 0 is taken for 1.
///
/// # Errors
/// [`HandshakeError`].
///
/// # Spec
/// *X3DH*, 3.3 "Sending the initial message"; `docs/protocol.md`, section 6.
pub fn initiate(
    own: Party<'_>,
    bundle: &VerifiedBundle,
    started_at: UnixMillis,
    random: &mut Random<'_>,
) -> Result<Initiated, HandshakeError> {
    let ephemeral = KeyPair::generate(random)?;
    let (signed_prekey, one_time_prekey) = (bundle.signed_prekey(), bundle.one_time_prekey());
    let identity_key = own.identity.public();
    let transcript = Parts {
        suite: bundle.suite(),
        identities: [&identity_key, bundle.identity_key()],
        addresses: [own.address, bundle.address()],
        ephemeral: ephemeral.public(),
        signed_prekey,
        one_time_prekey,
    }
    .hash();
    let secret = combine(
        &own.identity.key_pair().diffie_hellman(signed_prekey)?,
        &ephemeral.diffie_hellman(bundle.identity_key().public_key())?,
        &ephemeral.diffie_hellman(signed_prekey)?,
        one_time_prekey.map(|key| ephemeral.diffie_hellman(key)).transpose()?,
    );
    let handshake = Handshake {
        identity_key,
        ephemeral_key: *ephemeral.public(),
        signed_prekey: PrekeyId::of(signed_prekey),
        one_time_prekey: one_time_prekey.map(PrekeyId::of),
        started_at: UnixMillis(started_at.0.max(1)),
    };
    Ok(Initiated { established: Established::derive(secret.expose_bytes(), transcript), handshake })
}

/// The responder's side, with the private halves of the prekeys that the handshake names. Three or four Diffie-Hellmans.
///
/// Nothing is authenticated yet: only a message that opens proves that the initiator holds the identity key that it named.
///
/// # Errors
/// [`HandshakeError::NonContributory`].
///
/// # Spec
/// *X3DH*, 3.4 "Receiving the initial message"; `docs/protocol.md`, section 6.
pub fn respond(
    own: Party<'_>,
    from: &Address,
    suite: Suite,
    handshake: &Handshake,
    signed_prekey: &KeyPair,
    one_time_prekey: Option<&KeyPair>,
) -> Result<Established, HandshakeError> {
    let transcript = Parts {
        suite,
        identities: [&handshake.identity_key, &own.identity.public()],
        addresses: [from, own.address],
        ephemeral: &handshake.ephemeral_key,
        signed_prekey: signed_prekey.public(),
        one_time_prekey: one_time_prekey.map(KeyPair::public),
    }
    .hash();
    let ephemeral = &handshake.ephemeral_key;
    let secret = combine(
        &signed_prekey.diffie_hellman(handshake.identity_key.public_key())?,
        &own.identity.key_pair().diffie_hellman(ephemeral)?,
        &signed_prekey.diffie_hellman(ephemeral)?,
        one_time_prekey.map(|pair| pair.diffie_hellman(ephemeral)).transpose()?,
    );
    Ok(Established::derive(secret.expose_bytes(), transcript))
}

/// SK from DH1, DH2, DH3 and, with a one-time prekey, DH4.
fn combine(
    one: &SharedSecret,
    two: &SharedSecret,
    three: &SharedSecret,
    four: Option<SharedSecret>,
) -> HandshakeSecret {
    let four = four.as_ref().map_or(&[][..], |shared| shared.expose_bytes());
    let material = [&F, one.expose_bytes(), two.expose_bytes(), three.expose_bytes(), four];
    let [mut secret] = kdf::hkdf(&[0; 32], &material, labels::X3DH);
    HandshakeSecret::take_from(&mut secret)
}
