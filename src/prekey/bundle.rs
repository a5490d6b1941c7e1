//! Bundles: what a server hands out, and what is left of it once it is verified.

use alloc::vec::Vec;
use core::fmt;

use super::keys::{Published, kem_statement};
use crate::{
    identity::{Address, Certificate, CertificateError, DeviceId, DeviceList, IdentityKey, IdentityKeyPair},
    primitives::{KemPublicKey, PublicKey, RandomError, Signature, kdf::length_prefix, labels},
    step::{Advice, Context, SuitePolicy, UnixMillis},
    wire::{
        BundleMessage, DecodeError, Field, MAX_BUNDLE, Suite, decode_canonical, encode_versioned,
        split_version,
    },
};

/// The signed statements of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignedStatement {
    /// The signed prekey.
    SignedPrekey,
    /// The suites that the device accepts, and its address.
    Suites,
    /// The KEM prekey, and the one-time prekey that it goes with.
    KemPrekey,
}

/// Why a bundle was refused. Nothing has changed, and nothing was computed with its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BundleError {
    /// No bundle.
    Decode(DecodeError),
    /// A statement is not signed by the bundle's identity key, or not for the address that was asked for.
    BadSignature(SignedStatement),
    /// The device accepts no suite that this crate speaks.
    NoCommonSuite,
    /// The device accepts a post-quantum suite, and its KEM prekey is not there: a server has taken it out.
    Stripped,
    /// The bundle of a companion counts with its certificate only: [`VerifiedBundle::verify_companion`].
    NeedsCertificate,
    /// The companion's certificate is wrong, or its account's list does not bear it out.
    Certificate(CertificateError),
    /// The certificate is for another identity key than the bundle's.
    OtherIdentity,
}

impl BundleError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Decode(error) => error.advice(),
            Self::BadSignature(_) | Self::Stripped => Advice::Drop,
            Self::NoCommonSuite => Advice::Update,
            Self::NeedsCertificate => Advice::FixCall,
            Self::Certificate(error) => error.advice(),
            Self::OtherIdentity => Advice::Drop,
        }
    }
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "no bundle: {error}"),
            Self::BadSignature(statement) => write!(f, "the bundle's signature of {statement:?} is wrong"),
            Self::Stripped => f.write_str("the KEM prekey that the device has signed for is not there"),
            Self::NoCommonSuite => f.write_str("the device accepts no suite that we speak"),
            Self::NeedsCertificate => f.write_str("a companion's bundle counts with its certificate only"),
            Self::Certificate(error) => error.fmt(f),
            Self::OtherIdentity => {
                f.write_str("the certificate is for another identity key than the bundle's")
            }
        }
    }
}

impl core::error::Error for BundleError {}

impl From<CertificateError> for BundleError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}

impl From<DecodeError> for BundleError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// A bundle whose signatures hold for one address. Only this type starts a session.
///
/// ```compile_fail
/// // The bytes of a bundle start nothing:
/// let start = outrigger::Start { bundle: &b"bytes from a server"[..] };
/// ```
#[derive(Clone, Debug)]
pub struct VerifiedBundle {
    address: Address,
    identity_key: IdentityKey,
    takes_classic: bool,
    signed_prekey: PublicKey,
    one_time_prekey: Option<PublicKey>,
    kem_prekey: Option<KemPublicKey>,
    issued_at: UnixMillis,
    suites: Vec<u8>,
}

impl VerifiedBundle {
    /// Parses and verifies the bundle that a server returned for `address`, a phone's. Two signature verifications, three with a KEM prekey.
    ///
    /// | | type | size | meaning |
    /// |---|---|---|---|
    /// | in | `bytes` | 208 to 1,904 B; 8,192 are the limit | the bundle |
    /// | in | [`Address`] | | the device that was asked for, not what the server says |
    ///
    /// # Errors
    /// [`BundleError`]: not a bundle, a key that is not canonical or of low order, a wrong signature, no common suite; the address of a companion.
    ///
    /// # Spec
    /// `docs/protocol.md`, section 4; *X3DH*, 3.3.
    pub fn verify(bytes: &[u8], address: &Address) -> Result<Self, BundleError> {
        if address.device != DeviceId::PHONE {
            return Err(BundleError::NeedsCertificate);
        }
        Self::verify_signed(bytes, address)
    }

    /// Parses and verifies the bundle and the certificate that a server returned for a companion: its account's list vouches for the certificate, that for the identity
    /// key, and that for the prekeys. Four signature verifications, five with a KEM prekey.
    ///
    /// | | type | size | meaning |
    /// |---|---|---|---|
    /// | in | `bytes` | as of [`verify`](Self::verify) | the bundle |
    /// | in | `certificate` | 212 to 277 B; 512 are the limit | the device's certificate |
    /// | in | [`Address`] | | the device that was asked for |
    /// | in | [`DeviceList`] | | its account's list, from [`LearnDevices`](crate::LearnDevices) or [`DescribeDevices`](crate::DescribeDevices) |
    ///
    /// Whether that list is the newest and still good is looked at again by what encrypts.
    ///
    /// # Errors
    /// [`BundleError`]; nothing was computed with the bundle's keys.
    ///
    /// # Spec
    /// `docs/protocol.md`, sections 4 and 10.
    pub fn verify_companion(
        bytes: &[u8],
        certificate: &[u8],
        address: &Address,
        list: &DeviceList,
    ) -> Result<Self, BundleError> {
        let certificate = Certificate::verify(certificate, address, list)?;
        let bundle = Self::verify_signed(bytes, address)?;
        if bundle.identity_key != certificate.entry().identity_key {
            return Err(BundleError::OtherIdentity);
        }
        Ok(bundle)
    }

    /// A bundle whose signatures hold, whoever made them.
    #[cfg_attr(
        not(feature = "post-quantum"),
        expect(unreachable_code, unused_variables, reason = "no parameter set is there")
    )]
    pub(crate) fn verify_signed(bytes: &[u8], address: &Address) -> Result<Self, BundleError> {
        let bad = DecodeError::Malformed;
        let message: BundleMessage = decode_canonical(split_version(bytes, MAX_BUNDLE)?, Field::Frame)?;
        let key = |bytes: &[u8], field| PublicKey::parse_encoded(bytes).map_err(|_| bad(field));
        let identity_key = IdentityKey::new(key(&message.identity_key, Field::IdentityKey)?);
        let signed_prekey = key(&message.signed_prekey, Field::SignedPrekey)?;
        let one_time_prekey =
            message.one_time_prekey.map(|bytes| key(&bytes, Field::OneTimePrekey)).transpose()?;
        if !Suite::are_listed(&message.suites) {
            return Err(bad(Field::Suites).into());
        }
        if message.issued_at == 0 {
            return Err(bad(Field::IssuedAt).into());
        }
        let issued_at = UnixMillis(message.issued_at);

        let check = |signed: &[u8], signature: &[u8], statement| {
            let signature = signature.try_into().map_err(|_| BundleError::Decode(bad(Field::Signature)))?;
            identity_key
                .verify(signed, &Signature::from_bytes(signature))
                .map_err(|_| BundleError::BadSignature(statement))
        };
        let suites = suites_statement(address, issued_at, &message.suites);
        check(&suites, &message.suites_signature, SignedStatement::Suites)?;
        check(&signed_prekey.encoded(), &message.signed_prekey_signature, SignedStatement::SignedPrekey)?;

        let spoken: Vec<_> = message.suites.iter().filter_map(|byte| Suite::parse(*byte).ok()).collect();
        if spoken.is_empty() {
            return Err(BundleError::NoCommonSuite);
        }
        let takes_classic = spoken.contains(&Suite::Classic);
        let kem_prekey = match (spoken.iter().any(|suite| suite.kem().is_some()), message.kem_prekey) {
            (true, None) => return Err(BundleError::Stripped),
            (true, Some(bytes)) => {
                let (key, signature) =
                    bytes.split_at_checked(bytes.len().saturating_sub(Signature::LEN)).unwrap_or_default();
                let key = KemPublicKey::parse_encoded(key).map_err(|_| bad(Field::KemPrekey))?;
                if !spoken.contains(&Suite::PostQuantum(key.size())) {
                    return Err(bad(Field::KemPrekey).into());
                }
                let statement = kem_statement(one_time_prekey.as_ref(), &key);
                check(&statement, signature, SignedStatement::KemPrekey)?;
                Some(key)
            }
            // One of a suite that this crate does not speak.
            (false, Some(_)) if message.suites.last() > Some(&Suite::Classic.to_byte()) => None,
            (false, Some(_)) => return Err(bad(Field::KemPrekey).into()),
            (false, None) => None,
        };
        Ok(Self {
            address: *address,
            identity_key,
            takes_classic,
            signed_prekey,
            one_time_prekey,
            kem_prekey,
            issued_at,
            suites: message.suites,
        })
    }

    /// Whose bundle it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The device's identity key.
    #[must_use]
    pub fn identity_key(&self) -> &IdentityKey {
        &self.identity_key
    }

    /// The suite that a session from this bundle has under a policy; none where they have none in common.
    #[must_use]
    pub fn suite(&self, policy: SuitePolicy) -> Option<Suite> {
        let kem = self.kem_prekey.as_ref().filter(|_| policy.kem().is_some());
        let classic = (self.takes_classic && policy.takes_classic()).then_some(Suite::Classic);
        kem.map(|key| Suite::PostQuantum(key.size())).or(classic)
    }

    /// The bytes of all suites that the device accepts.
    pub(crate) fn suite_bytes(&self) -> &[u8] {
        &self.suites
    }

    /// The KEM prekey, for once where there is a one-time prekey, else the last resort.
    #[must_use]
    pub fn kem_prekey(&self) -> Option<&KemPublicKey> {
        self.kem_prekey.as_ref()
    }

    /// The signed prekey.
    #[must_use]
    pub fn signed_prekey(&self) -> &PublicKey {
        &self.signed_prekey
    }

    /// The one-time prekey, if the server had one left. Without it the session starts weak.
    #[must_use]
    pub fn one_time_prekey(&self) -> Option<&PublicKey> {
        self.one_time_prekey.as_ref()
    }

    /// When the device signed its suites, by its own clock.
    #[must_use]
    pub fn issued_at(&self) -> UnixMillis {
        self.issued_at
    }
}

fn suites_statement(address: &Address, issued_at: UnixMillis, suites: &[u8]) -> Vec<u8> {
    address.with_encoded(|encoded| {
        [labels::SUITES, &[0], encoded, &issued_at.0.to_be_bytes(), &length_prefix(suites), suites].concat()
    })
}

/// The bundle without one-time and KEM prekeys, its suites statement freshly signed. Draws 64 random bytes.
pub(crate) fn encode_bundle(
    address: &Address,
    identity: &IdentityKeyPair,
    published: &Published,
    context: &mut Context<'_>,
) -> Result<Vec<u8>, RandomError> {
    // A statement's time is never 0, so that it is always written; a caller without a clock yet gets 1.
    let issued_at = UnixMillis(context.now.0.max(1));
    let suites = Suite::accepted(context.suites);
    let suites_signature =
        identity.sign(&suites_statement(address, issued_at, &suites), &mut context.random)?;
    Ok(encode_versioned(&BundleMessage {
        identity_key: identity.public().encoded().to_vec(),
        suites,
        issued_at: issued_at.0,
        suites_signature: suites_signature.as_bytes().to_vec(),
        signed_prekey: published.key.encoded().to_vec(),
        signed_prekey_signature: published.signature.as_bytes().to_vec(),
        one_time_prekey: None,
        kem_prekey: None,
    }))
}
