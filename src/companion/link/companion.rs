//! Linking, the companion's side. Trust enters once: with a grant whose MAC only a phone can make that has seen the code on this screen.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{
    ComparisonCode, LinkError, LinkReference, Refusal, TypedCode,
    companion_record::{Confirmed, Shown, Stage},
    invitation::{Invitation, MacKey, Role},
    message::{FromPhone, Grant, encode_confirmation},
};
use crate::{
    identity::{
        Account, Address, Certificate, CertificateBody, Device, DeviceId, DeviceList, IdentityKey,
        IdentityKeyPair, Keys, Known, encode_certificate,
    },
    prekey::{OneTimePrekey, PrekeyId, Prekeys, SignedPrekey, encode_bundle},
    primitives::{KeyPair, aead, wipes},
    session::pin_scanned,
    step::{Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Slot, Step, UnixMillis},
    wire::{DecodeError, Field, GrantBodyMessage, decode_canonical},
};

/// How long a code is good for, from when it is shown to when its grant comes: one minute.
pub(super) const CODE_LIFETIME: u64 = 60 * 1_000;

/// Begins a linking in an empty store: draws the companion's keys and the code that its screen shows. A code that was shown before counts no more.
///
/// | | type | meaning |
/// |---|---|---|
/// | out | [`LinkCode`] | what the phone scans, within a minute; after that show another |
///
/// Writes one record. Draws 112 random bytes.
///
/// # Errors
/// [`LinkError::AlreadyRegistered`], [`OutOfOrder`](LinkError::OutOfOrder) after a grant, [`Random`](LinkError::Random), [`Record`](LinkError::Record).
///
/// # Spec
/// `docs/protocol.md`, section 10 "Link code".
#[derive(Clone, Copy, Debug)]
pub struct ShowLinkCode;

/// Takes what the phone sends to this companion's linking: its grant, which is answered with a confirmation; its acknowledgement, which makes this store a device of the
/// account; or its refusal, which ends the linking.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | `message` | up to 2,048 B | what came |
/// | out | [`LinkProgress`] | | what it was, and what goes back |
///
/// # Errors
/// [`LinkError`]; the linking waits on as it was.
///
/// # Spec
/// `docs/protocol.md`, section 10 "Linking".
#[derive(Clone, Copy, Debug)]
pub struct ContinueLinking<'a> {
    /// What came.
    pub message: &'a [u8],
}

/// Gives up the linking that is under way, on either side; a companion's keys are deleted with it. On a phone the code that was scanned stays used.
///
/// # Errors
/// [`LinkError::OutOfOrder`]: none is under way. [`LinkError::Record`].
#[derive(Clone, Copy, Debug)]
pub struct AbandonLinking;

/// Says how far this companion's linking is: for a screen that was closed, and for what must be sent again. Writes nothing.
///
/// # Errors
/// [`RecordError`]: a record cannot be used.
#[derive(Clone, Copy, Debug)]
pub struct DescribeLinking;

/// A code to show; wiped on drop.
#[non_exhaustive]
pub struct LinkCode {
    text: String,
    /// Where the grant is to be sent.
    pub reference: LinkReference,
    /// Until when its grant is taken.
    pub expires_at: UnixMillis,
}

impl LinkCode {
    pub(super) fn new(invitation: &Invitation, expires_at: UnixMillis) -> Self {
        Self { text: invitation.to_code(), reference: invitation.reference, expires_at }
    }

    /// What the QR code holds: 167 characters, secret. Whoever sees it within its minute can take this companion into an account of theirs.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Drop for LinkCode {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl ZeroizeOnDrop for LinkCode {}

const _: () = wipes::<LinkCode>();

impl fmt::Debug for LinkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkCode(redacted, {:?})", self.reference)
    }
}

/// What a message from the phone came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkProgress {
    /// The phone has taken the typed code: send it what the code would have held. Its grant is awaited for a minute.
    Invite {
        /// What goes to the phone; send it again as often as need be.
        invitation: Vec<u8>,
    },
    /// What was typed at the phone, or guessed by someone in between, is another code. This one is spent, and the linking with it: show another.
    WrongCode,
    /// The phone has granted: send it the confirmation, and show the code for comparison.
    Confirm {
        /// What goes to the phone; send it again as often as need be.
        confirmation: Vec<u8>,
        /// What the phone's screen shows too.
        comparison: ComparisonCode,
        /// What this device will be.
        address: Address,
    },
    /// The phone's list names this device: it is one of the account's. Run `ReplenishPrekeys` now and publish its upload with the certificate.
    Linked(Box<Joined>),
    /// The phone has refused; show a new code to try again.
    Refused(Refusal),
}

/// What a companion is once it is linked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Joined {
    /// What this device is.
    pub address: Address,
    /// The account's identity key.
    pub account_key: IdentityKey,
    /// The account's devices.
    pub list: DeviceList,
    /// What is published beside this device's bundle.
    pub certificate: Vec<u8>,
}

/// How far a companion's linking is.
#[derive(Debug)]
#[non_exhaustive]
pub enum Linking {
    /// None is under way.
    Nothing,
    /// A code is shown, and no grant has come.
    Shown(LinkCode),
    /// A code to be typed is shown, and nobody has answered its offer.
    Offered(TypedCode),
    /// The typed code was taken, and no grant has come.
    Invited {
        /// What goes to the phone, again.
        invitation: Vec<u8>,
    },
    /// A grant was confirmed, and no acknowledgement has come.
    Confirmed {
        /// What goes to the phone, again.
        confirmation: Vec<u8>,
        /// What the phone's screen shows too.
        comparison: ComparisonCode,
    },
}

impl Sealed for ShowLinkCode {}

impl Operation for ShowLinkCode {
    type Output = LinkCode;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<LinkCode>, LinkError> {
        let mut needs = Needs::new();
        let Some(stage) = may_begin(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        let shown = Shown::draw(Role::Companion, CODE_LIFETIME, context)?;
        let code = LinkCode::new(&shown.invitation, shown.expires_at);
        let write = stage.write(Stage::Shown(Box::new(shown)), context);
        Ok(Run::Done(Step::new(Vec::from([write]), code)))
    }
}

/// Whether a linking may begin in this store; the place of its record, or nothing where records are needed.
pub(super) fn may_begin(
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Option<Slot<Stage>>, LinkError> {
    let device = Device::read(have, context, needs)?;
    let stage = Stage::read(have, context, needs)?;
    if !needs.is_empty() {
        return Ok(None);
    }
    if device.value.is_some() {
        return Err(LinkError::AlreadyRegistered);
    }
    match stage.value {
        Some(Stage::Confirmed(_)) => Err(LinkError::OutOfOrder),
        Some(Stage::Shown(_) | Stage::Offered(_)) | None => Ok(Some(stage)),
    }
}

impl Sealed for ContinueLinking<'_> {}

impl Operation for ContinueLinking<'_> {
    type Output = LinkProgress;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<LinkProgress>, LinkError> {
        let message = FromPhone::decode(self.message)?;
        let mut needs = Needs::new();
        let mut slot = Stage::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let stage = slot.value.take().ok_or(LinkError::OutOfOrder)?;
        match (stage, message) {
            (Stage::Shown(shown), _) if shown.invitation.role != Role::Companion => {
                Err(LinkError::OutOfOrder)
            }
            (Stage::Shown(shown), FromPhone::Grant(grant)) => {
                let reference = shown.in_time(grant.reference, context.now)?;
                let Shown { identity, ephemeral, invitation, .. } = *shown;
                let answer_key = invitation.answer_mac(self.message);
                let grant = grant.check(&invitation.grant_mac())?;
                let granted = Granted::open(&invitation, &ephemeral, grant)?;
                let confirmed = granted.confirm(identity, reference, answer_key, context)?;
                let progress = LinkProgress::Confirm {
                    confirmation: confirmed.confirmation.clone(),
                    comparison: confirmed.comparison,
                    address: confirmed.address,
                };
                let write = slot.write(Stage::Confirmed(Box::new(confirmed)), context);
                Ok(Run::Done(Step::new(Vec::from([write]), progress)))
            }
            (Stage::Shown(shown), FromPhone::Refusal(refusal)) => {
                shown.in_time(refusal.reference, context.now)?;
                let refusal = refusal.check(&shown.invitation.grant_mac())?;
                let writes = slot.delete().into_iter().collect();
                Ok(Run::Done(Step::new(writes, LinkProgress::Refused(refusal))))
            }
            (Stage::Confirmed(confirmed), FromPhone::Acknowledgement(acknowledgement)) => {
                if acknowledgement.reference != confirmed.reference {
                    return Err(LinkError::OtherLinking);
                }
                let list = acknowledgement.check(&confirmed.answer_key)?;
                confirmed.finish(&list, &slot, have, context)
            }
            (Stage::Offered(offered), FromPhone::Answer(answer)) => offered.answered(answer, &slot, context),
            (
                Stage::Offered(_),
                FromPhone::Grant(_) | FromPhone::Refusal(_) | FromPhone::Acknowledgement(_),
            )
            | (Stage::Shown(_), FromPhone::Acknowledgement(_) | FromPhone::Answer(_))
            | (Stage::Confirmed(_), FromPhone::Grant(_) | FromPhone::Refusal(_) | FromPhone::Answer(_)) => {
                Err(LinkError::OutOfOrder)
            }
        }
    }
}

/// What a grant holds, once it is known to come from the account.
struct Granted {
    body: Vec<u8>,
    certificate: CertificateBody,
    account_key: IdentityKey,
    account_signature: Vec<u8>,
    comparison: ComparisonCode,
}

impl Granted {
    fn open(invitation: &Invitation, ephemeral: &KeyPair, grant: Grant) -> Result<Self, LinkError> {
        let phone = &grant.ephemeral_key;
        let key = invitation.grant_key(ephemeral, phone, phone)?;
        let opened =
            aead::open(key.key, &key.associated, &grant.sealed).map_err(|_| LinkError::NotAuthentic)?;
        let message: GrantBodyMessage = decode_canonical(&opened, Field::Sealed)?;
        let certificate = CertificateBody::decode(&message.certificate)?;
        let account_key = IdentityKey::parse_encoded(&message.account_key);
        let account_key = account_key.map_err(|_| DecodeError::Malformed(Field::IdentityKey))?;
        if account_key == invitation.identity_key {
            return Err(LinkError::OwnDevice);
        }
        let keys = Keys { account: &account_key, device: &invitation.identity_key };
        keys.check_account(&message.certificate, &message.account_signature)?;
        Ok(Self {
            body: message.certificate,
            certificate,
            account_key,
            account_signature: message.account_signature,
            comparison: invitation.comparison(phone),
        })
    }

    /// Signs for the account, and makes the first prekeys. Draws 256 random bytes; with KEM prekeys 256 more.
    fn confirm(
        self,
        identity: KeyPair,
        reference: LinkReference,
        answer_key: MacKey,
        context: &mut Context<'_>,
    ) -> Result<Confirmed, LinkError> {
        let identity = IdentityKeyPair::new(identity);
        let own = identity.public();
        let address = self.certificate.address;
        let keys = Keys { account: &self.account_key, device: &own };
        let device_signature = keys.sign_device(&identity, &self.body, &mut context.random)?;
        let kem = context.suites.kem();
        let signed_prekey = SignedPrekey::generate(&identity, kem, &mut context.random)?;
        let one_time_prekey = OneTimePrekey::generate(kem, &mut context.random)?;
        let mut bundle = encode_bundle(&address, &identity, &signed_prekey.published(), context)?;
        bundle.extend_from_slice(&one_time_prekey.fields(&identity, &mut context.random)?);
        Ok(Confirmed {
            confirmation: encode_confirmation(reference, &device_signature, bundle, &answer_key),
            certificate: encode_certificate(self.body, &own, &self.account_signature, &device_signature),
            identity: identity.into_key_pair(),
            reference,
            answer_key,
            address,
            account_key: self.account_key,
            comparison: self.comparison,
            signed_prekey,
            one_time_prekey,
        })
    }
}

impl Confirmed {
    /// The list names this device: everything that was prepared becomes a device, in one step.
    fn finish(
        self,
        list: &[u8],
        linking: &Slot<Stage>,
        have: &Loaded,
        context: &Context<'_>,
    ) -> Result<Run<LinkProgress>, LinkError> {
        let list = verify_named(list, &self.certificate, &self.account_key, &self.address, false, context)?;
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let account = Account::read(have, context, &mut needs)?;
        let mut index = Prekeys::read(have, context, &mut needs)?;
        let phone = Address::new(self.address.account, DeviceId::PHONE);
        let pinned = pin_scanned(&phone, self.account_key, have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let mut prekeys = index.value.take().unwrap_or_default();
        let signed_id = PrekeyId::of(self.signed_prekey.pair.public());
        let one_time_id = self.one_time_prekey.id();
        prekeys.rotate(signed_id, context.now);
        prekeys.add_direct(one_time_id);
        let known = Known::new(list.clone());
        let mut writes = Vec::from([
            device.write(Device::new(self.address, IdentityKeyPair::new(self.identity)), context),
            account.write(Account::new(known, self.address.device, self.certificate.clone()), context),
            index.write(prekeys, context),
            Slot::absent(SignedPrekey::key(&signed_id)).write(self.signed_prekey, context),
            Slot::absent(OneTimePrekey::key(&one_time_id)).write(self.one_time_prekey, context),
            pinned,
        ]);
        writes.extend(linking.delete());
        let joined = Joined {
            address: self.address,
            account_key: self.account_key,
            list,
            certificate: self.certificate,
        };
        let linked = LinkProgress::Linked(Box::new(joined));
        Ok(Run::Done(Step::new(writes, linked)))
    }
}

/// The first list that a companion takes: by the rules for one, however old where that is said, and bearing out its certificate.
pub(super) fn verify_named(
    list: &[u8],
    certificate: &[u8],
    account_key: &IdentityKey,
    address: &Address,
    however_old: bool,
    context: &Context<'_>,
) -> Result<DeviceList, LinkError> {
    let list = DeviceList::verify(list, &address.account, account_key)?;
    Known::follows(None, &list, context.now, however_old)?;
    Certificate::verify(certificate, address, &list)?;
    Ok(list)
}

impl Sealed for DescribeLinking {}

impl Operation for DescribeLinking {
    type Output = Linking;
    type Error = RecordError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Linking>, RecordError> {
        let mut needs = Needs::new();
        let stage = Stage::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let linking = match stage.value {
            None => Linking::Nothing,
            Some(Stage::Shown(shown)) => {
                let Shown { invitation, expires_at, sealed, .. } = *shown;
                match sealed.is_empty() {
                    true => Linking::Shown(LinkCode::new(&invitation, expires_at)),
                    false => Linking::Invited { invitation: sealed },
                }
            }
            Some(Stage::Offered(offered)) => Linking::Offered(offered.shows()),
            Some(Stage::Confirmed(confirmed)) => {
                let Confirmed { confirmation, comparison, .. } = *confirmed;
                Linking::Confirmed { confirmation, comparison }
            }
        };
        Ok(Run::Done(Step::new(Vec::new(), linking)))
    }
}

impl Sealed for AbandonLinking {}

impl Operation for AbandonLinking {
    type Output = ();
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<()>, LinkError> {
        let mut needs = Needs::new();
        let linking = Stage::read(have, context, &mut needs)?;
        let granting = super::phone::abandon(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let write = linking.delete().or(granting).ok_or(LinkError::OutOfOrder)?;
        Ok(Run::Done(Step::new(Vec::from([write]), ())))
    }
}
