//! What a companion keeps of its linking between two steps.

use alloc::{boxed::Box, vec::Vec};

use super::{
    ComparisonCode, LinkError, LinkReference,
    code::CodeDigits,
    invitation::{Invitation, MacKey, Role},
};
use crate::{
    identity::{Address, IdentityKey},
    prekey::{OneTimePrekey, SignedPrekey},
    primitives::{KeyPair, PakeScalar, RandomError, Share},
    step::{
        Context, KeyWriter, Loaded, Needs, RecordError, RecordKind, RecordReader, RecordType, RecordWriter,
        Slot, UnixMillis,
    },
};

/// The record of a linking, at the companion.
#[derive(Debug)]
pub(super) enum Stage {
    Offered(Box<Offered>),
    Shown(Box<Shown>),
    Confirmed(Box<Confirmed>),
}

/// A typed code whose offer is out.
#[derive(Debug)]
pub(super) struct Offered {
    /// What will be invited to, once the code was typed.
    pub(super) shown: Shown,
    pub(super) code: CodeDigits,
    pub(super) scalar: PakeScalar,
    pub(super) share: Share,
}

/// An invitation that is out: on the screen, or sealed under a typed code.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) identity: KeyPair,
    pub(super) ephemeral: KeyPair,
    pub(super) invitation: Invitation,
    pub(super) expires_at: UnixMillis,
    /// The message that carries it, where a typed code was taken.
    pub(super) sealed: Vec<u8>,
}

impl Shown {
    /// Draws a companion's keys and its invitation. Draws 112 random bytes.
    pub(super) fn draw(role: Role, lifetime: u64, context: &mut Context<'_>) -> Result<Self, RandomError> {
        let identity = KeyPair::generate(&mut context.random)?;
        let ephemeral = KeyPair::generate(&mut context.random)?;
        let key = IdentityKey::new(*identity.public());
        let invitation = Invitation::draw(role, key, *ephemeral.public(), &mut context.random)?;
        Ok(Self {
            identity,
            ephemeral,
            invitation,
            expires_at: context.now.plus(lifetime),
            sealed: Vec::new(),
        })
    }

    /// Whether a message is for this invitation, and that one still counts.
    pub(super) fn in_time(&self, named: LinkReference, now: UnixMillis) -> Result<LinkReference, LinkError> {
        if named != self.invitation.reference {
            return Err(LinkError::OtherLinking);
        }
        if now > self.expires_at {
            return Err(LinkError::Expired { expired_at: self.expires_at });
        }
        Ok(named)
    }

    fn max_len(&self) -> usize {
        self.sealed.len().saturating_add(64 + 64 + Invitation::STORED_LEN + 8 + 2)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.key_pair(&self.identity).key_pair(&self.ephemeral);
        self.invitation.store(body);
        body.u64(self.expires_at.0).prefixed(&self.sealed);
    }

    fn decode(role: Role, body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self {
            identity: body.key_pair()?,
            ephemeral: body.key_pair()?,
            invitation: Invitation::restore(role, body)?,
            expires_at: UnixMillis(body.u64()?),
            sealed: body.prefixed()?.to_vec(),
        })
    }
}

/// All that the acknowledgement will make a device of.
#[derive(Debug)]
pub(super) struct Confirmed {
    pub(super) identity: KeyPair,
    pub(super) reference: LinkReference,
    pub(super) answer_key: MacKey,
    pub(super) address: Address,
    pub(super) account_key: IdentityKey,
    pub(super) comparison: ComparisonCode,
    pub(super) signed_prekey: SignedPrekey,
    pub(super) one_time_prekey: OneTimePrekey,
    pub(super) certificate: Vec<u8>,
    pub(super) confirmation: Vec<u8>,
}

impl Stage {
    pub(super) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(KeyWriter::new(RecordKind::Linking).finish(), context, needs)
    }
}

impl RecordType<'_> for Stage {
    const KIND: RecordKind = RecordKind::Linking;

    fn max_body_len(&self) -> usize {
        match self {
            Self::Offered(offered) => offered.shown.max_len().saturating_add(1 + CodeDigits::LEN + 32 + 32),
            Self::Shown(shown) => shown.max_len().saturating_add(1),
            Self::Confirmed(confirmed) => {
                const FIXED: usize = 1 + 64 + 16 + 32 + 2 + 64 + 4 + 32 + 4 + 2 + 2;
                let texts = confirmed.certificate.len().saturating_add(confirmed.confirmation.len());
                let keys = confirmed.signed_prekey.max_body_len();
                let keys = keys.saturating_add(confirmed.one_time_prekey.max_body_len());
                texts.saturating_add(keys).saturating_add(FIXED)
            }
        }
    }

    fn encode(&self, body: &mut RecordWriter) {
        match self {
            Self::Shown(shown) => shown.encode(body.u8(match shown.invitation.role {
                Role::Companion => 1,
                Role::Desktop => 4,
            })),
            Self::Offered(offered) => {
                offered.shown.encode(body.u8(3));
                body.bytes(offered.code.expose_bytes())
                    .bytes(offered.scalar.expose_bytes())
                    .bytes(&offered.share);
            }
            Self::Confirmed(confirmed) => {
                body.u8(2).key_pair(&confirmed.identity).bytes(&confirmed.reference.0);
                body.bytes(confirmed.answer_key.expose_bytes());
                confirmed.address.encode(body);
                body.bytes(confirmed.account_key.public_key().as_bytes()).u32(confirmed.comparison.number());
                confirmed.signed_prekey.encode_curve(body);
                body.key_pair(&confirmed.one_time_prekey.pair);
                body.prefixed(&confirmed.certificate).prefixed(&confirmed.confirmation);
                confirmed.signed_prekey.encode_kem(body);
                confirmed.one_time_prekey.encode_kem(body);
            }
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        match body.u8()? {
            1 => Some(Self::Shown(Box::new(Shown::decode(Role::Companion, body)?))),
            4 => Some(Self::Shown(Box::new(Shown::decode(Role::Desktop, body)?))),
            2 => {
                let mut confirmed = Confirmed {
                    identity: body.key_pair()?,
                    reference: LinkReference(body.array()?),
                    answer_key: MacKey::take_from(&mut body.array()?),
                    address: Address::decode(body)?,
                    account_key: IdentityKey::new(body.public_key()?),
                    comparison: ComparisonCode::from_number(body.u32()?)?,
                    signed_prekey: SignedPrekey::decode_curve(body)?,
                    one_time_prekey: OneTimePrekey { pair: body.key_pair()?, kem: None },
                    certificate: body.prefixed()?.to_vec(),
                    confirmation: body.prefixed()?.to_vec(),
                };
                confirmed.signed_prekey.decode_kem(body)?;
                confirmed.one_time_prekey.decode_kem(body)?;
                Some(Self::Confirmed(Box::new(confirmed)))
            }
            3 => Some(Self::Offered(Box::new(Offered {
                shown: Shown::decode(Role::Companion, body)?,
                code: CodeDigits::restore(&body.array()?)?,
                scalar: PakeScalar::take_from(&mut body.array()?),
                share: body.array()?,
            }))),
            _ => None,
        }
    }
}
