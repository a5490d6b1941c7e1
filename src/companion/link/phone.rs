//! Linking, the phone's side. A scan is a question to the user; nothing is signed before the answer, and the list is signed only once the companion has confirmed.

use alloc::vec::Vec;
use core::fmt;

use prost::Message;

use super::{
    ComparisonCode, LinkError, LinkReference, Refusal,
    invitation::{Invitation, Role},
    message::{decode_confirmation, encode_acknowledgement, encode_grant, encode_refusal},
    phone_record::{Finished, Record, Stage},
};
use crate::{
    companion::{
        sign::{Desk, Signing},
        supply::SyncKeys,
    },
    identity::{
        Address, CertificateBody, DeviceChange, DeviceId, DeviceList, IdentityKey, Incarnation, KeyIndex,
        Keys, ListError,
    },
    prekey::{BundleError, VerifiedBundle},
    primitives::{KeyPair, PublicKey, Random, RandomError, Signature, aead},
    session::start_with_new_companion,
    step::{Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Step, UnixMillis, Write},
    wire::{GrantBodyMessage, MAX_DEVICES},
};

/// How long the phone waits, for its user and then for the companion: five minutes each.
pub(super) const PATIENCE: u64 = 5 * 60 * 1_000;

/// Takes a link code that the phone's camera has read. It links nothing: the output is a question for the user.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | `code` | what was read; anything but a link code is refused |
/// | out | [`LinkRequest`] | what the user is to agree to, within five minutes |
///
/// Writes one record. Draws 32 random bytes.
///
/// # Errors
/// [`LinkError`]: [`NotALinkCode`](LinkError::NotALinkCode), [`AlreadyUsed`](LinkError::AlreadyUsed) for a second scan, [`OwnDevice`](LinkError::OwnDevice),
/// [`OutOfOrder`](LinkError::OutOfOrder) while another linking was granted and waits, [`List`](LinkError::List) where this device cannot sign lists or the account has as many
/// devices as it can.
///
/// # Spec
/// `docs/protocol.md`, section 10 "Linking".
#[derive(Clone, Copy)]
pub struct ScanLinkCode<'a> {
    /// What the camera read.
    pub code: &'a str,
}

impl fmt::Debug for ScanLinkCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanLinkCode(redacted, {} bytes)", self.code.len())
    }
}

/// A companion that wants to be linked: what the user is asked. Show the code, and that the companion will read and write everything in the account's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkRequest {
    /// Names the linking, and where its messages go.
    pub reference: LinkReference,
    /// The companion's identity key: what the consent names.
    pub companion: IdentityKey,
    /// What the companion's screen will show too, once the grant is there.
    pub comparison: ComparisonCode,
    /// What it may do once they agree: what the consent names.
    pub consequence: Consequence,
    /// Until when the user can agree.
    pub expires_at: UnixMillis,
}

impl LinkRequest {
    /// What is asked for an invitation, to which this phone has made a key.
    pub(super) fn new(invitation: &Invitation, ephemeral: &PublicKey, expires_at: UnixMillis) -> Self {
        Self {
            reference: invitation.reference,
            companion: invitation.identity_key,
            comparison: invitation.comparison(ephemeral),
            consequence: invitation.role.consequence(),
            expires_at,
        }
    }
}

/// What a linked device may do: what the user is told before they agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Consequence {
    /// It reads all that is sent to the account from then on, and speaks in the account's name, also while the phone is off.
    ReadsAndSpeaksForTheAccount,
    /// It reads all that comes to the phone from then on, and speaks in the account's name, by way of the phone alone: run [`GrantDesktop`](crate::GrantDesktop).
    ReadsAndSpeaksThroughThePhone,
}

impl Role {
    pub(super) const fn consequence(self) -> Consequence {
        match self {
            Self::Companion => Consequence::ReadsAndSpeaksForTheAccount,
            Self::Desktop => Consequence::ReadsAndSpeaksThroughThePhone,
        }
    }
}

/// The user's word. There is none by default: it names the companion that was on the screen, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Which companion.
    pub companion: IdentityKey,
    /// What the user was told.
    pub consequence: Consequence,
}

/// Grants the linking that the user has agreed to: certifies the companion's key, sealed to it alone. The list does not name it yet.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`LinkReference`], [`Consent`] | | of the [`LinkRequest`] that was shown |
/// | out | [`Vec<u8>`] | 265 to 330 B | the grant, for the companion; send it again as often as need be |
///
/// Writes one record. Draws 92 random bytes; 16 more before the first companion of all.
///
/// # Errors
/// [`LinkError`]: [`OutOfOrder`](LinkError::OutOfOrder), [`OtherLinking`](LinkError::OtherLinking), [`OtherConsent`](LinkError::OtherConsent),
/// [`Expired`](LinkError::Expired), [`List`](LinkError::List) where this device cannot sign lists.
///
/// # Spec
/// `docs/protocol.md`, section 10 "Linking".
#[derive(Clone, Copy, Debug)]
pub struct GrantLink {
    /// Which linking.
    pub reference: LinkReference,
    /// The user's word.
    pub consent: Consent,
}

/// Ends the linking that the user does not want. The output tells the companion so.
///
/// # Errors
/// [`LinkError::OutOfOrder`], [`OtherLinking`](LinkError::OtherLinking), [`Record`](LinkError::Record).
#[derive(Clone, Copy, Debug)]
pub struct DeclineLink {
    /// Which linking.
    pub reference: LinkReference,
}

/// Takes the companion's confirmation: signs the list that names it, and starts a session with it, in one step.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | `confirmation` | up to 2,048 B | what came |
/// | out | [`Linked`] | | the list, for the server; the acknowledgement, for the companion |
///
/// Three signature verifications, one signature, four Diffie-Hellmans. Draws 128 random bytes.
///
/// # Errors
/// [`LinkError`]; the linking waits on as it was.
///
/// # Spec
/// `docs/protocol.md`, section 10 "Linking".
#[derive(Clone, Copy, Debug)]
pub struct ConfirmLink<'a> {
    /// What came.
    pub confirmation: &'a [u8],
}

/// A companion that is one of the account's devices now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Linked {
    /// Where it is reached.
    pub device: Address,
    /// The list that names it, for the server.
    pub list: DeviceList,
    /// What that changed: tell the account's other companions.
    pub changes: Vec<DeviceChange>,
    /// What goes to the companion; send it again as often as need be.
    pub acknowledgement: Vec<u8>,
}

/// The write that gives up what is under way at the phone, if anything is.
pub(super) fn abandon(
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Option<Write>, RecordError> {
    let mut slot = Record::read(have, context, needs)?;
    Ok(match slot.value.take() {
        Some(Record {
            used,
            linked,
            stage: Stage::Entered { .. } | Stage::Scanned { .. } | Stage::Granted { .. },
        }) => Some(slot.write(Record { used, linked, stage: Stage::Idle }, context)),
        Some(Record { stage: Stage::Idle | Stage::Declined { .. } | Stage::Paired { .. }, .. }) | None => {
            None
        }
    })
}

pub(super) fn in_time(expires_at: UnixMillis, now: UnixMillis) -> Result<(), LinkError> {
    if now > expires_at { Err(LinkError::Expired { expired_at: expires_at }) } else { Ok(()) }
}

impl Sealed for ScanLinkCode<'_> {}

impl Operation for ScanLinkCode<'_> {
    type Output = LinkRequest;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<LinkRequest>, LinkError> {
        let invitation = Invitation::parse(self.code)?;
        let mut needs = Needs::new();
        let desk = Desk::read(have, context, &mut needs)?;
        let mut slot = Record::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let signing = desk.open()?;
        let mut record = slot.value.take().unwrap_or_default();
        record.begin(invitation.reference, signing.former(), context.now)?;
        let (stage, request) = ask(invitation, &signing, context)?;
        record.stage = stage;
        Ok(Run::Done(Step::new(Vec::from([slot.write(record, context)]), request)))
    }
}

/// The question to the user that an invitation comes to. Draws 32 random bytes.
pub(super) fn ask(
    invitation: Invitation,
    signing: &Signing,
    context: &mut Context<'_>,
) -> Result<(Stage, LinkRequest), LinkError> {
    let entries = signing.former().map_or(&[][..], DeviceList::entries);
    let companion = invitation.identity_key;
    let is_own = companion == signing.device.identity.public();
    if is_own || entries.iter().any(|entry| entry.identity_key == companion) {
        return Err(LinkError::OwnDevice);
    }
    if invitation.role == Role::Companion && entries.len().saturating_add(1) >= MAX_DEVICES {
        return Err(ListError::TooManyDevices.into());
    }
    let ephemeral = KeyPair::generate(&mut context.random)?;
    let expires_at = context.now.plus(PATIENCE);
    let request = LinkRequest::new(&invitation, ephemeral.public(), expires_at);
    Ok((Stage::Scanned { invitation, ephemeral, expires_at }, request))
}

impl Sealed for GrantLink {}

impl Operation for GrantLink {
    type Output = Vec<u8>;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, LinkError> {
        let mut needs = Needs::new();
        let desk = Desk::read(have, context, &mut needs)?;
        let mut slot = Record::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let signing = desk.open()?;
        let Record { used, linked, stage } = slot.value.take().unwrap_or_default();
        let Stage::Scanned { invitation, ephemeral, expires_at } = stage else {
            return Err(LinkError::OutOfOrder);
        };
        if invitation.reference != self.reference {
            return Err(LinkError::OtherLinking);
        }
        let (companion, consequence) = (invitation.identity_key, Consequence::ReadsAndSpeaksForTheAccount);
        if invitation.role != Role::Companion || self.consent != (Consent { companion, consequence }) {
            return Err(LinkError::OtherConsent);
        }
        in_time(expires_at, context.now)?;
        let (certificate, grant) = grant(&signing, &invitation, &ephemeral, context)?;
        let expires_at = context.now.plus(PATIENCE);
        let stage = Stage::Granted { invitation, certificate, grant: grant.clone(), expires_at };
        Ok(Run::Done(Step::new(Vec::from([slot.write(Record { used, linked, stage }, context)]), grant)))
    }
}

/// The certificate's body, and the grant that carries it.
fn grant(
    signing: &Signing,
    invitation: &Invitation,
    ephemeral: &KeyPair,
    context: &mut Context<'_>,
) -> Result<(Vec<u8>, Vec<u8>), LinkError> {
    let key_index = signing.former().map_or(KeyIndex(1), DeviceList::next_key_index);
    let incarnation = incarnation(signing, context)?;
    let device = new_device_id(signing.former(), &mut context.random)?;
    let (certificate, account_signature) =
        certify(signing, (incarnation, key_index), device, &invitation.identity_key, context)?;
    let message = GrantBodyMessage {
        certificate: certificate.clone(),
        account_key: signing.device.identity.public().encoded().to_vec(),
        account_signature: account_signature.as_bytes().to_vec(),
    };
    let key = invitation.grant_key(ephemeral, &invitation.ephemeral_key, ephemeral.public())?;
    let mut sealed = Vec::new();
    aead::seal(key.key, &key.associated, &[&message.encode_to_vec()], &mut context.random, &mut sealed)?;
    let mac = invitation.grant_mac();
    Ok((certificate, encode_grant(invitation.reference, ephemeral.public(), sealed, &mac)))
}

/// Whether the certificate's place in the line of lists is still free.
pub(super) fn still_fits(body: &CertificateBody, former: Option<&DeviceList>) -> Result<(), LinkError> {
    let next = former.map_or(KeyIndex(1), DeviceList::next_key_index);
    let same = former.is_none_or(|former| former.incarnation() == body.incarnation);
    let free = former.is_none_or(|former| former.entry(body.address.device).is_none());
    if same && free && next == body.key_index { Ok(()) } else { Err(LinkError::Overtaken) }
}

/// The incarnation of the account's lists, or of the first one to come.
pub(super) fn incarnation(signing: &Signing, context: &mut Context<'_>) -> Result<Incarnation, RandomError> {
    match signing.former() {
        Some(former) => Ok(former.incarnation()),
        None => context.random.draw().map(Incarnation),
    }
}

/// The body of a device's certificate, and the account's signature over it.
pub(super) fn certify(
    signing: &Signing,
    (incarnation, key_index): (Incarnation, KeyIndex),
    device: DeviceId,
    key: &IdentityKey,
    context: &mut Context<'_>,
) -> Result<(Vec<u8>, Signature), RandomError> {
    let identity = &signing.device.identity;
    let body = CertificateBody {
        address: Address::new(signing.device.address.account, device),
        key_index,
        linked_at: UnixMillis(context.now.0.max(1)),
        incarnation,
    };
    let certificate = body.encode();
    let account_key = identity.public();
    let keys = Keys { account: &account_key, device: key };
    let account_signature = keys.sign_account(identity, &certificate, &mut context.random)?;
    Ok((certificate, account_signature))
}

/// An id that tells nothing, not even which linking came first; the key index makes the pair of them unique for ever.
pub(crate) fn new_device_id(
    former: Option<&DeviceList>,
    random: &mut Random<'_>,
) -> Result<DeviceId, RandomError> {
    let drawn: [u8; 16] = random.draw()?;
    let (ids, _) = drawn.as_chunks::<4>();
    let ids = ids.iter().map(|bytes| DeviceId(u32::from_be_bytes(*bytes)));
    let free = |id: &DeviceId| *id != DeviceId::PHONE && former.is_none_or(|list| list.entry(*id).is_none());
    ids.into_iter().find(free).ok_or(RandomError::Repeats)
}

impl Sealed for DeclineLink {}

impl Operation for DeclineLink {
    type Output = Vec<u8>;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, LinkError> {
        let mut needs = Needs::new();
        let mut slot = Record::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let Record { used, linked, stage } = slot.value.take().unwrap_or_default();
        let Stage::Scanned { invitation, .. } = stage else { return Err(LinkError::OutOfOrder) };
        if invitation.reference != self.reference {
            return Err(LinkError::OtherLinking);
        }
        let refusal = encode_refusal(self.reference, Refusal::Declined, &invitation.grant_mac());
        let stage = Stage::Declined { reference: self.reference, refusal: refusal.clone() };
        Ok(Run::Done(Step::new(Vec::from([slot.write(Record { used, linked, stage }, context)]), refusal)))
    }
}

impl Sealed for ConfirmLink<'_> {}

impl Operation for ConfirmLink<'_> {
    type Output = Linked;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Linked>, LinkError> {
        let confirmation = decode_confirmation(self.confirmation)?;
        let mut needs = Needs::new();
        let desk = Desk::read(have, context, &mut needs)?;
        let mut slot = Record::read(have, context, &mut needs)?;
        let sync_keys = SyncKeys::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let signing = desk.open()?;
        let Record { used, mut linked, stage } = slot.value.take().unwrap_or_default();
        let Stage::Granted { invitation, certificate, grant, expires_at } = stage else {
            return Err(LinkError::OutOfOrder);
        };
        if confirmation.reference != invitation.reference {
            return Err(LinkError::OtherLinking);
        }
        in_time(expires_at, context.now)?;
        let answer_key = invitation.answer_mac(&grant);
        let confirmation = confirmation.check(&answer_key)?;
        let account_key = signing.device.identity.public();
        let keys = Keys { account: &account_key, device: &invitation.identity_key };
        keys.check_device(&certificate, confirmation.device_signature.as_bytes())?;
        let body = CertificateBody::decode(&certificate)?;
        still_fits(&body, signing.former())?;
        let bundle = VerifiedBundle::verify_signed(&confirmation.bundle, &body.address)?;
        if *bundle.identity_key() != invitation.identity_key {
            return Err(BundleError::OtherIdentity.into());
        }
        let started = start_with_new_companion(&bundle, &signing.device, have, context, &mut needs)?;
        let Some(mut writes) = started else { return Ok(Run::Needs(needs)) };
        let (signed, changed) = signing.sign(
            body.adds(invitation.identity_key, bundle.suite_bytes().to_vec()),
            sync_keys,
            context,
        )?;
        writes.extend(changed);
        let reference = invitation.reference;
        let acknowledgement = encode_acknowledgement(reference, signed.list.as_bytes(), &answer_key);
        linked.retain(|finished| signed.list.entry(finished.device).is_some());
        linked.push(Finished { reference, device: body.address.device, answer_key });
        let record = Record { used, linked, stage: Stage::Idle };
        writes.push(slot.write(record, context));
        let (list, changes) = (signed.list, signed.changes);
        Ok(Run::Done(Step::new(writes, Linked { device: body.address, list, changes, acknowledgement })))
    }
}
