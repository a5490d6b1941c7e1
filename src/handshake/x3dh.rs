//! X3DH: three or four Diffie-Hellmans, one secret; and PQXDH, which adds a KEM's. *The X3DH Key Agreement Protocol*, 3.3 and 3.4; *The PQXDH Key Agreement Protocol*, 3.3 and 3.4;
//! `docs/protocol.md`, section 6.

use core::fmt;

use super::{
    Handshake, KemPart,
    transcript::{Established, Parts},
};
use crate::{
    identity::{Address, IdentityKeyPair},
    prekey::{PrekeyId, VerifiedBundle},
    primitives::{
        KemError, KemPair, KemSecret, KeyPair, NonContributory, Random, RandomError, SharedSecret, kdf,
        labels, secret_key,
    },
    step::{Advice, SuitePolicy, UnixMillis},
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
    /// The two have no suite in common, or the keys at hand are not of the suite.
    NoCommonSuite,
}

impl HandshakeError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Random(_) => Advice::CheckRandomSource,
            Self::NonContributory | Self::NoCommonSuite => Advice::FetchBundle,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(error) => error.fmt(f),
            Self::NonContributory => NonContributory.fmt(f),
            Self::NoCommonSuite => f.write_str("no suite in common"),
        }
    }
}

impl core::error::Error for HandshakeError {}

impl From<RandomError> for HandshakeError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<KemError> for HandshakeError {
    fn from(error: KemError) -> Self {
        match error {
            KemError::Random(error) => Self::Random(error),
            KemError::Length => Self::NoCommonSuite,
        }
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
    /// The suite that was used.
    pub suite: Suite,
}

/// The initiator's side, in the highest suite that the bundle and the policy have in common. Draws 32 random bytes; three or four Diffie-Hellmans and one key generation. With a KEM 32
/// more, and one encapsulation.
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
    policy: SuitePolicy,
    started_at: UnixMillis,
    random: &mut Random<'_>,
) -> Result<Initiated, HandshakeError> {
    let suite = bundle.suite(policy).ok_or(HandshakeError::NoCommonSuite)?;
    let ephemeral = KeyPair::generate(random)?;
    let kem = bundle.kem_prekey().filter(|_| suite.kem().is_some());
    let kem = kem.map(|key| Ok::<_, KemError>((key, key.encapsulate(random)?))).transpose()?;
    let (signed_prekey, one_time_prekey) = (bundle.signed_prekey(), bundle.one_time_prekey());
    let identity_key = own.identity.public();
    let transcript = Parts {
        suite,
        identities: [&identity_key, bundle.identity_key()],
        addresses: [own.address, bundle.address()],
        ephemeral: ephemeral.public(),
        signed_prekey,
        one_time_prekey,
        kem: kem.as_ref().map(|(key, (ciphertext, _))| (*key, &ciphertext[..])),
    }
    .hash();
    let secret = combine(
        suite,
        &own.identity.key_pair().diffie_hellman(signed_prekey)?,
        &ephemeral.diffie_hellman(bundle.identity_key().public_key())?,
        &ephemeral.diffie_hellman(signed_prekey)?,
        one_time_prekey.map(|key| ephemeral.diffie_hellman(key)).transpose()?,
        kem.as_ref().map(|(_, (_, secret))| secret),
    );
    let handshake = Handshake {
        identity_key,
        ephemeral_key: *ephemeral.public(),
        signed_prekey: PrekeyId::of(signed_prekey),
        one_time_prekey: one_time_prekey.map(PrekeyId::of),
        started_at: UnixMillis(started_at.0.max(1)),
        kem: kem.map(|(key, (ciphertext, _))| KemPart { prekey: PrekeyId::of_kem(key), ciphertext }),
    };
    Ok(Initiated { established: Established::derive(secret.expose_bytes(), transcript), handshake, suite })
}

/// The private halves of the prekeys that a handshake names.
#[derive(Clone, Copy, Debug)]
pub struct Prekeys<'a> {
    /// The signed prekey.
    pub signed: &'a KeyPair,
    /// The one-time prekey, where one was used.
    pub one_time: Option<&'a KeyPair>,
    /// The KEM prekey, under a post-quantum suite.
    pub kem: Option<&'a KemPair>,
}

/// The responder's side. Three or four Diffie-Hellmans, and with a KEM one decapsulation.
///
/// Nothing is authenticated yet: only a message that opens proves that the initiator holds the identity key that it named.
///
/// # Errors
/// [`HandshakeError::NonContributory`]; [`NoCommonSuite`](HandshakeError::NoCommonSuite) where the handshake or the keys are of another suite.
///
/// # Spec
/// *X3DH*, 3.4 "Receiving the initial message"; `docs/protocol.md`, section 6.
#[cfg_attr(
    not(feature = "post-quantum"),
    expect(unreachable_code, unused_variables, reason = "no parameter set is there")
)]
pub fn respond(
    own: Party<'_>,
    from: &Address,
    suite: Suite,
    handshake: &Handshake,
    keys: Prekeys<'_>,
) -> Result<Established, HandshakeError> {
    let Prekeys { signed: signed_prekey, one_time: one_time_prekey, kem } = keys;
    let kem = match (suite.kem(), &handshake.kem, kem) {
        (None, None, None) => None,
        (Some(size), Some(part), Some(pair)) if pair.public().size() == size => {
            Some((pair.public(), &part.ciphertext[..], pair.decapsulate(&part.ciphertext)?))
        }
        _ => return Err(HandshakeError::NoCommonSuite),
    };
    let transcript = Parts {
        suite,
        identities: [&handshake.identity_key, &own.identity.public()],
        addresses: [from, own.address],
        ephemeral: &handshake.ephemeral_key,
        signed_prekey: signed_prekey.public(),
        one_time_prekey: one_time_prekey.map(KeyPair::public),
        kem: kem.as_ref().map(|(key, ciphertext, _)| (*key, *ciphertext)),
    }
    .hash();
    let ephemeral = &handshake.ephemeral_key;
    let secret = combine(
        suite,
        &signed_prekey.diffie_hellman(handshake.identity_key.public_key())?,
        &own.identity.key_pair().diffie_hellman(ephemeral)?,
        &signed_prekey.diffie_hellman(ephemeral)?,
        one_time_prekey.map(|pair| pair.diffie_hellman(ephemeral)).transpose()?,
        kem.as_ref().map(|(_, _, secret)| secret),
    );
    Ok(Established::derive(secret.expose_bytes(), transcript))
}

/// SK from DH1, DH2, DH3, with a one-time prekey DH4, and with a KEM its secret.
fn combine(
    suite: Suite,
    one: &SharedSecret,
    two: &SharedSecret,
    three: &SharedSecret,
    four: Option<SharedSecret>,
    kem: Option<&KemSecret>,
) -> HandshakeSecret {
    let four = four.as_ref().map_or(&[][..], |shared| shared.expose_bytes());
    let kem = kem.map_or(&[][..], |secret| secret.expose_bytes());
    let material = [&F, one.expose_bytes(), two.expose_bytes(), three.expose_bytes(), four, kem];
    let [mut secret] = kdf::hkdf(&[0; 32], &material, label(suite));
    HandshakeSecret::take_from(&mut secret)
}

const fn label(suite: Suite) -> &'static [u8] {
    match suite.to_byte() {
        2 => labels::PQXDH_768,
        3 => labels::PQXDH_1024,
        _ => labels::X3DH,
    }
}
