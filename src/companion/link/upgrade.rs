//! A linking without a code: a device whose key the phone has from its screen, and which it speaks with, becomes a companion.
//! Who asks for it, and how the two tell each other, is the relay's. `docs/relay.md`, "Upgrade".

use alloc::vec::Vec;

use super::{
    LinkError,
    companion::verify_named,
    phone::{certify, incarnation, still_fits},
};
use crate::{
    companion::{
        sign::{Desk, SignedList, Signing},
        supply::SyncKeys,
    },
    identity::{
        Account, Address, Certificate, CertificateBody, Device, DeviceEntry, DeviceId, DeviceList,
        IdentityKey, KeyIndex, Keys, Known, ListError, encode_certificate,
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

    /// Signs an offer to a device of this account; to one that the list names already, with its place there. Draws 64 random bytes, and 16 more before the first companion
    /// of all.
    pub(crate) fn offer(
        &self,
        device: DeviceId,
        key: &IdentityKey,
        context: &mut Context<'_>,
    ) -> Result<Offer, LinkError> {
        let former = self.signing.former();
        let entries = former.map_or(&[][..], DeviceList::entries);
        let other = |entry: &&DeviceEntry| (entry.identity_key == *key) != (entry.device == device);
        if entries.iter().any(|entry| other(&entry)) {
            return Err(LinkError::OwnDevice);
        }
        let key_index = match former.and_then(|list| list.entry(device)) {
            Some(entry) => entry.key_index,
            None if entries.len().saturating_add(1) >= MAX_DEVICES => {
                return Err(ListError::TooManyDevices.into());
            }
            None => former.map_or(KeyIndex(1), DeviceList::next_key_index),
        };
        let place = (incarnation(&self.signing, context)?, key_index);
        let (body, account_signature) = certify(&self.signing, place, device, key, context)?;
        Ok(Offer { body, account_signature })
    }

    /// Signs the list that names the device which has signed for itself; where the list names it already it stays as it is.
    ///
    /// [`LinkError::Certificate`], [`Overtaken`](LinkError::Overtaken) and [`TooManyDevices`](ListError::TooManyDevices) say that the offer stands no more.
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
        let account_signature = offer.account_signature.as_bytes();
        let certificate = encode_certificate(offer.body.clone(), key, account_signature, device_signature);
        if let Some(list) = self.signing.former()
            && Certificate::verify(&certificate, &body.address, list).is_ok()
        {
            let signed = SignedList { list: list.clone(), changes: Vec::new() };
            return Ok(TakenIn { signed, certificate, writes: Vec::new() });
        }
        still_fits(&body, self.signing.former())?;
        let (signed, writes) = self.signing.sign(body.adds(*key, Vec::new()), self.keys, context)?;
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
    // However old: it is the phone's word in the session of the two, and one that is past its time speaks to the phone, which has a newer one.
    let list = verify_named(list, certificate, account_key, address, true, context)?;
    let account = Account::read(have, context, needs)?;
    let record = Account::new(Known::new(list.clone()), address.device, certificate.to_vec());
    Ok((list, account.write(record, context)))
}
