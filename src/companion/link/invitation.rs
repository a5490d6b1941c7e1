//! What the companion shows, and the keys that follow from it. `docs/protocol.md`, section 10 "Link code" and "Keys of a linking".

use alloc::{string::String, vec::Vec};
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::LinkError;
use crate::{
    identity::IdentityKey,
    primitives::{
        KeyPair, NonContributory, PublicKey, Random, RandomError, SecretBytes, aead::AeadKey, kdf, labels,
        secret_key,
    },
    step::{RecordReader, RecordWriter},
    wire::DecodeError,
};

/// What a link code begins with; no other code of an app does.
const SCHEME: &str = "outrigger-link:";
/// Version of the code.
const VERSION: u8 = 1;

/// What a code is to make of the device that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A companion of its own.
    Companion = 1,
    /// A desktop that the phone relays for.
    Desktop = 2,
}

/// Names a linking: 16 random bytes, drawn by the companion. What the two sides address each other by at a server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkReference(pub [u8; 16]);

impl fmt::Debug for LinkReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkReference(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

secret_key! {
    /// 32 random bytes that only a camera at the companion's screen has seen.
    pub(super) LinkSecret
}

/// Eight digits that both sides of a linking show: equal where no one stands between. The phone has drawn a key of its own for it, so that no code can be made to fit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ComparisonCode(u32);

impl ComparisonCode {
    const END: u32 = 100_000_000;

    pub(super) fn number(self) -> u32 {
        self.0
    }

    pub(super) fn from_number(number: u32) -> Option<Self> {
        (number < Self::END).then_some(Self(number))
    }
}

impl fmt::Display for ComparisonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04} {:04}", self.0 / 10_000, self.0 % 10_000)
    }
}

impl fmt::Debug for ComparisonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ComparisonCode({self})")
    }
}

/// What a link code holds.
#[derive(Debug)]
pub(super) struct Invitation {
    pub(super) role: Role,
    pub(super) identity_key: IdentityKey,
    pub(super) ephemeral_key: PublicKey,
    pub(super) secret: LinkSecret,
    pub(super) reference: LinkReference,
}

impl Invitation {
    const LEN: usize = 2 + 32 + 32 + 32 + 16;

    pub(super) fn draw(
        role: Role,
        identity_key: IdentityKey,
        ephemeral_key: PublicKey,
        random: &mut Random<'_>,
    ) -> Result<Self, RandomError> {
        let mut secret = [0; 32];
        random.draw_into(&mut secret)?;
        let secret = LinkSecret::take_from(&mut secret);
        Ok(Self { role, identity_key, ephemeral_key, secret, reference: LinkReference(random.draw()?) })
    }

    /// All that the code holds, 114 bytes.
    pub(super) fn payload(&self) -> SecretBytes {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend_from_slice(&[VERSION, self.role as u8]);
        bytes.extend_from_slice(self.identity_key.public_key().as_bytes());
        bytes.extend_from_slice(self.ephemeral_key.as_bytes());
        bytes.extend_from_slice(self.secret.expose_bytes());
        bytes.extend_from_slice(&self.reference.0);
        SecretBytes::new(bytes)
    }

    /// The code's text, 167 characters; the secret is encoded in constant time.
    pub(super) fn to_code(&self) -> String {
        let mut code = String::with_capacity(SCHEME.len().saturating_add(Self::LEN.saturating_mul(2)));
        code.push_str(SCHEME);
        let mut text = Base64UrlUnpadded::encode_string(&self.payload());
        code.push_str(&text);
        text.zeroize();
        code
    }

    pub(super) fn parse(code: &str) -> Result<Self, LinkError> {
        let text = code.strip_prefix(SCHEME).ok_or(LinkError::NotALinkCode)?;
        let mut bytes = [0; Self::LEN];
        let parsed = match Base64UrlUnpadded::decode(text, &mut bytes) {
            Ok(decoded) => Self::decode(decoded),
            Err(_) => Err(LinkError::NotALinkCode),
        };
        bytes.zeroize();
        parsed
    }

    pub(super) fn decode(payload: &[u8]) -> Result<Self, LinkError> {
        let mut body = RecordReader::over(payload);
        let role = match body.array() {
            Some([VERSION, 1]) => Role::Companion,
            Some([VERSION, 2]) => Role::Desktop,
            Some([version, _]) if version != VERSION => return Err(DecodeError::Version(version).into()),
            Some(_) | None => return Err(LinkError::NotALinkCode),
        };
        Self::restore(role, &mut body).filter(|_| body.rest().is_empty()).ok_or(LinkError::NotALinkCode)
    }

    /// Reads what [`store`](Self::store) wrote, behind what tells the role.
    pub(super) fn restore(role: Role, body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self {
            role,
            identity_key: IdentityKey::new(body.public_key()?),
            ephemeral_key: body.public_key()?,
            secret: LinkSecret::take_from(&mut body.array()?),
            reference: LinkReference(body.array()?),
        })
    }

    /// Length in a record.
    pub(super) const STORED_LEN: usize = Self::LEN - 2;

    pub(super) fn store(&self, body: &mut RecordWriter) {
        body.bytes(self.payload().get(2..).unwrap_or_default());
    }

    /// What binds everything to this code: a hash of all of it.
    fn binding(&self) -> [u8; 32] {
        kdf::sha256_prefixed(&[labels::LINK_PAYLOAD, &self.payload()])
    }

    /// The code that both sides show, from this invitation and the phone's own ephemeral key.
    pub(super) fn comparison(&self, phone: &PublicKey) -> ComparisonCode {
        let parts = [labels::LINK_COMPARISON, &self.binding(), &phone.encoded()];
        let bytes: [u8; 8] = kdf::truncate(kdf::expand(self.secret.expose_bytes(), &parts));
        let code = u64::from_be_bytes(bytes).checked_rem(u64::from(ComparisonCode::END));
        ComparisonCode(code.and_then(|code| u32::try_from(code).ok()).unwrap_or_default())
    }

    /// The key that seals the grant, and what it is sealed with: of the linking secret and of the two ephemeral keys.
    pub(super) fn grant_key(
        &self,
        own: &KeyPair,
        other: &PublicKey,
        phone: &PublicKey,
    ) -> Result<GrantKey, NonContributory> {
        let binding = self.binding();
        let shared = own.diffie_hellman(other)?;
        let info = [labels::LINK_GRANT, &binding, &phone.encoded()].concat();
        let [mut key] = kdf::hkdf(self.secret.expose_bytes(), &[shared.expose_bytes()], &info);
        Ok(GrantKey { key: AeadKey::take_from(&mut key), associated: binding })
    }

    /// The key under which the phone proves that it has seen the code.
    pub(super) fn grant_mac(&self) -> MacKey {
        let mut key = kdf::expand(self.secret.expose_bytes(), &[labels::LINK_MAC, &self.binding()]);
        MacKey::take_from(&mut key)
    }

    /// The key of all that follows a grant: each side proves that it knows the code and that grant.
    pub(super) fn answer_mac(&self, grant: &[u8]) -> MacKey {
        let grant = kdf::sha256(labels::LINK_ANSWER, &[grant]);
        let mut key =
            kdf::expand(self.secret.expose_bytes(), &[labels::LINK_ANSWER, &self.binding(), &grant]);
        MacKey::take_from(&mut key)
    }
}

/// A single-use key and its associated data.
pub(super) struct GrantKey {
    pub(super) key: AeadKey,
    pub(super) associated: [u8; 32],
}

secret_key! {
    /// A key of message authentication between the two sides of a linking.
    pub(super) MacKey
}

impl MacKey {
    pub(super) fn mac(&self, message: &[u8]) -> [u8; 32] {
        kdf::hmac(self.expose_bytes(), message)
    }

    pub(super) fn check(&self, message: &[u8], mac: &[u8; 32]) -> Result<(), LinkError> {
        if bool::from(self.mac(message).as_slice().ct_eq(mac.as_slice())) {
            Ok(())
        } else {
            Err(LinkError::NotAuthentic)
        }
    }
}
