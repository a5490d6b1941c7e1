//! A linking whose companion is to be a desktop behind the phone: the same code and the same consent, and a grant that makes no device of the account.
//! What the grant holds, and what follows, is the relay's. `docs/relay.md`, "Pairing".

use alloc::{boxed::Box, vec::Vec};

use super::{
    ComparisonCode, Consent, Consequence, LinkCode, LinkError, LinkReference, Refusal,
    companion::{CODE_LIFETIME, may_begin},
    companion_record::{Shown, Stage as DesktopStage},
    invitation::Role,
    message::{ToDesktop, encode_desktop_grant},
    phone::in_time,
    phone_record::{Record, Stage},
};
use crate::{
    identity::{IdentityKey, IdentityKeyPair},
    primitives::{SecretBytes, aead},
    step::{Context, Loaded, Needs, Run, Slot, Step, Write},
};

/// Shows the code of a desktop, in an empty store.
pub(crate) fn show_desktop_code(
    have: &Loaded,
    context: &mut Context<'_>,
) -> Result<Run<LinkCode>, LinkError> {
    let mut needs = Needs::new();
    let Some(stage) = may_begin(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
    let shown = Shown::draw(Role::Desktop, CODE_LIFETIME, context)?;
    let code = LinkCode::new(&shown.invitation, shown.expires_at);
    let write = stage.write(DesktopStage::Shown(Box::new(shown)), context);
    Ok(Run::Done(Step::new(Vec::from([write]), code)))
}

/// What the phone has answered to a desktop's code.
pub(crate) enum DesktopGrant {
    Granted { identity: IdentityKeyPair, body: SecretBytes, comparison: ComparisonCode, ends: Vec<Write> },
    Refused { refusal: Refusal, ends: Vec<Write> },
}

/// Opens the phone's answer; `None` where records are needed. The writes end the linking.
pub(crate) fn take_desktop_grant(
    message: &[u8],
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Option<DesktopGrant>, LinkError> {
    let message = ToDesktop::decode(message)?;
    let mut slot = DesktopStage::read(have, context, needs)?;
    if !needs.is_empty() {
        return Ok(None);
    }
    let Some(DesktopStage::Shown(shown)) = slot.value.take() else { return Err(LinkError::OutOfOrder) };
    if shown.invitation.role != Role::Desktop {
        return Err(LinkError::OutOfOrder);
    }
    let ends = slot.delete().into_iter().collect();
    shown.in_time(message.reference(), context.now)?;
    let Shown { identity, ephemeral, invitation, .. } = *shown;
    let mac = invitation.grant_mac();
    Ok(Some(match message {
        ToDesktop::Grant(grant) => {
            let grant = grant.check(&mac)?;
            let phone = &grant.ephemeral_key;
            let key = invitation.grant_key(&ephemeral, phone, phone)?;
            let body =
                aead::open(key.key, &key.associated, &grant.sealed).map_err(|_| LinkError::NotAuthentic)?;
            let comparison = invitation.comparison(phone);
            DesktopGrant::Granted { identity: IdentityKeyPair::new(identity), body, comparison, ends }
        }
        ToDesktop::Refusal(refusal) => DesktopGrant::Refused { refusal: refusal.check(&mac)?, ends },
    }))
}

/// A desktop that was scanned, and that the phone's user has agreed to.
pub(crate) struct DesktopLinking {
    slot: Slot<Record>,
    record: Record,
}

impl DesktopLinking {
    /// The linking that the consent is for; `None` where records are needed.
    pub(crate) fn read(
        reference: LinkReference,
        consent: &Consent,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Self>, LinkError> {
        let mut slot = Record::read(have, context, needs)?;
        if !needs.is_empty() {
            return Ok(None);
        }
        let record = slot.value.take().unwrap_or_default();
        let Stage::Scanned { invitation, expires_at, .. } = &record.stage else {
            return Err(LinkError::OutOfOrder);
        };
        if invitation.reference != reference {
            return Err(LinkError::OtherLinking);
        }
        let agreed = Consent {
            companion: invitation.identity_key,
            consequence: Consequence::ReadsAndSpeaksThroughThePhone,
        };
        if invitation.role != Role::Desktop || *consent != agreed {
            return Err(LinkError::OtherConsent);
        }
        in_time(*expires_at, context.now)?;
        Ok(Some(Self { slot, record }))
    }

    /// Seals the grant: it, the desktop's key, and the write that ends the linking here. The grant is kept, to be sent again.
    pub(crate) fn grant(
        self,
        body: &[u8],
        context: &mut Context<'_>,
    ) -> Result<(Vec<u8>, IdentityKey, Write), LinkError> {
        let Record { used, linked, stage } = self.record;
        let Stage::Scanned { invitation, ephemeral, .. } = stage else { return Err(LinkError::OutOfOrder) };
        let key = invitation.grant_key(&ephemeral, &invitation.ephemeral_key, ephemeral.public())?;
        let mut sealed = Vec::new();
        aead::seal(key.key, &key.associated, &[body], &mut context.random, &mut sealed)?;
        let reference = invitation.reference;
        let grant = encode_desktop_grant(reference, ephemeral.public(), sealed, &invitation.grant_mac());
        let stage = Stage::Paired { reference, grant: grant.clone() };
        let write = self.slot.write(Record { used, linked, stage }, context);
        Ok((grant, invitation.identity_key, write))
    }
}
