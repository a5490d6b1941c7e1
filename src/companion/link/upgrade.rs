//! A linking without a code: a device whose key the phone has from its screen, and which it speaks with, becomes a companion.
//! Who asks for it, and how the two tell each other, is the relay's. `docs/relay.md`, "Upgrade".

use alloc::vec::Vec;

use super::{
    LinkError,
    companion::verify_named,
    phone::{certify, incarnation},
};
use crate::{
    companion::{
        sign::{Desk, SignedList, Signing},
        supply::SyncKeys,
    },
    identity::{
        Account, Address, CertificateBody, Device, DeviceId, DeviceList, IdentityKey, Keys, Known, ListError,
        encode_certificate,
    },
    primitives::Signature,
    step::{Context, Loaded, Needs, Slot, Write},
    wire::{DecodeError, Field, MAX_DEVICES},
};

/// What a phone offers to a device: the body of its certificate, signed for the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) body: Vec<u8>,
    pub(crate) account_signature: Signature,
}

/// A phone that may take a device in.
pub(crate) struct Certifier {
    signing: Signing,
    keys: Slot<SyncKeys>,
}

/// A device that was taken in.
pub(crate) struct TakenIn {
    pub(crate) signed: SignedList,
    pub(crate) certificate: Vec<u8>,
    pub(crate) writes: Vec<Write>,
}

impl Certifier {
    /// `None` where records are needed.
    pub(crate) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Self>, ListError> {
        let desk = Desk::read(have, context, needs)?;
        let keys = SyncKeys::read(have, context, needs)?;
        if !needs.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { signing: desk.open()?, keys }))
    }

    /// Signs an offer to a device of this account. Draws 64 random bytes, and 16 more before the first companion of all.
    pub(crate) fn offer(
        &self,
        device: DeviceId,
        key: &IdentityKey,
        context: &mut Context<'_>,
    ) -> Result<Offer, LinkError> {
        let entries = self.signing.former().map_or(&[][..], DeviceList::entries);
        if entries.iter().any(|entry| entry.identity_key == *key || entry.device == device) {
            return Err(LinkError::OwnDevice);
        }
        if entries.len().saturating_add(1) >= MAX_DEVICES {
            return Err(ListError::TooManyDevices.into());
        }
        let incarnation = incarnation(&self.signing, context)?;
        let (body, account_signature) = certify(&self.signing, incarnation, device, key, context)?;
        Ok(Offer { body, account_signature })
    }

    /// Signs the list that names the device which has signed for itself; an error says that the offer stands no more.
    pub(crate) fn take_in(
        self,
        offer: &Offer,
        key: &IdentityKey,
        device_signature: &Signature,
        context: &mut Context<'_>,
    ) -> Result<TakenIn, LinkError> {
        let account_key = self.signing.device.identity.public();
        let keys = Keys { account: &account_key, device: key };
        keys.check_device(&offer.body, device_signature.as_bytes())?;
        let body = CertificateBody::decode(&offer.body)?;
        let (signed, writes) = self.signing.sign(body.adds(*key), self.keys, context)?;
        let account_signature = offer.account_signature.as_bytes();
        let certificate = encode_certificate(offer.body.clone(), key, account_signature, device_signature);
        Ok(TakenIn { signed, certificate, writes })
    }
}

/// Checks an offer from the phone that has this key: that it is for this device, and signed for the account.
pub(crate) fn check_offer(
    offer: &Offer,
    account_key: &IdentityKey,
    device: &Device,
) -> Result<(), LinkError> {
    let own = device.identity.public();
    let keys = Keys { account: account_key, device: &own };
    keys.check_account(&offer.body, offer.account_signature.as_bytes())?;
    if CertificateBody::decode(&offer.body)?.address != device.address {
        return Err(DecodeError::Malformed(Field::DeviceId).into());
    }
    Ok(())
}

/// The device's own signature. Draws 64 random bytes.
pub(crate) fn accept_offer(
    offer: &Offer,
    account_key: &IdentityKey,
    device: &Device,
    context: &mut Context<'_>,
) -> Result<Signature, LinkError> {
    let own = device.identity.public();
    let keys = Keys { account: account_key, device: &own };
    Ok(keys.sign_device(&device.identity, &offer.body, &mut context.random)?)
}

/// A device that its account's list names: the write that makes it a companion.
pub(crate) fn become_companion(
    (certificate, list): (&[u8], &[u8]),
    account_key: &IdentityKey,
    address: &Address,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<(DeviceList, Write), LinkError> {
    let list = verify_named(list, certificate, account_key, address, context)?;
    let account = Account::read(have, context, needs)?;
    let record = Account::new(Known::new(list.clone()), address.device, certificate.to_vec());
    Ok((list, account.write(record, context)))
}
