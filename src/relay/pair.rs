//! Pairing: a desktop shows a code, the phone's user agrees, and the grant holds what the desktop needs to start a session with the phone. Nothing is signed for it, and no list names it.

use alloc::vec::Vec;

use prost::Message;

use super::{
    DesktopConsent,
    ask::first_ask,
    desktop_record::{Phase as DesktopPhase, Relay, Upgrading},
    frame::Link,
    outbox::Outbox,
    phone_record::{Desktop, Desktops, MAX_DESKTOPS, Missed, Phase, Upgraded},
};
use crate::{
    companion::{
        ComparisonCode, Consent, DesktopGrant, DesktopLinking, LinkCode, LinkError, LinkReference, Refusal,
        new_device_id, show_desktop_code, take_desktop_grant,
    },
    identity::{
        Account, AccountId, Address, Device, DeviceError, DeviceId, DeviceList, IdentityKey, ListError,
    },
    prekey::{BundleError, HandOutBundle, VerifiedBundle},
    session::{Line, SendError, end_sessions, pin_new, start_line},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Step, UnixMillis, Write},
    wire::{DecodeError, DesktopGrantBodyMessage, Field, SessionId, decode_canonical},
};

/// A desktop that was not renewed for so long after its time makes room for another.
const GRACE: u64 = 30 * UnixMillis::DAY;
/// How long a granted desktop may take to come.
const PATIENCE: u64 = 5 * 60 * 1_000;

/// Begins the pairing of a desktop in an empty store: draws its keys and the code that its screen shows. A code that was shown before counts no more.
///
/// The output is as of [`ShowLinkCode`](crate::ShowLinkCode), and so are its lifetime and the errors. Writes one record. Draws 112 random bytes.
///
/// # Errors
/// [`LinkError::AlreadyRegistered`], [`OutOfOrder`](LinkError::OutOfOrder), [`Random`](LinkError::Random), [`Record`](LinkError::Record).
///
/// # Spec
/// `docs/relay.md`, "Pairing".
#[derive(Clone, Copy, Debug)]
pub struct ShowDesktopCode;

/// Grants a desktop that was scanned with [`ScanLinkCode`](crate::ScanLinkCode), and that the phone's user has agreed to, its relay.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | [`LinkReference`], [`Consent`] | of the [`LinkRequest`](crate::LinkRequest) that was shown |
/// | in | [`DesktopConsent`] | what it may ask for without the user's word each time |
/// | out | [`GrantedDesktop`] | the grant, for the desktop |
///
/// Writes six records. Draws 140 random bytes.
///
/// # Errors
/// [`LinkError`]: [`OutOfOrder`](LinkError::OutOfOrder), [`OtherLinking`](LinkError::OtherLinking), [`OtherConsent`](LinkError::OtherConsent),
/// [`Expired`](LinkError::Expired), [`NoPrekeys`](LinkError::NoPrekeys) where this phone has no signed prekey, [`List`](LinkError::List) where it is no phone or has four desktops.
///
/// # Spec
/// `docs/relay.md`, "Pairing".
#[derive(Clone, Copy, Debug)]
pub struct GrantDesktop {
    /// Which linking.
    pub reference: LinkReference,
    /// The user's word.
    pub consent: Consent,
    /// What the desktop may ask for.
    pub may: DesktopConsent,
}

/// A desktop that may come now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantedDesktop {
    /// Where it will be reached.
    pub desktop: DeviceId,
    /// What goes to it; send it again as often as need be.
    pub grant: Vec<u8>,
    /// Until when its first frame is taken.
    pub expires_at: UnixMillis,
}

/// Takes the phone's answer to the code on this desktop's screen: its grant, which makes this store a desktop of the phone's; or its refusal.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | `message` | up to 2,048 B | what came |
/// | out | [`JoinProgress`] | | what it was, and what goes back |
///
/// Two signature verifications, six Diffie-Hellmans. Writes four records. Draws 76 random bytes.
///
/// # Errors
/// [`LinkError`]; the pairing waits on as it was.
///
/// # Spec
/// `docs/relay.md`, "Pairing".
#[derive(Clone, Copy, Debug)]
pub struct JoinPhone<'a> {
    /// What came.
    pub message: &'a [u8],
}

/// What the phone's answer to a desktop's code came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinProgress {
    /// The phone has granted: send it the frame, and show the code for comparison. The relay goes once the phone has answered.
    Joining {
        /// What this device is.
        address: Address,
        /// The account's identity key.
        account_key: IdentityKey,
        /// What the phone's screen shows too.
        comparison: ComparisonCode,
        /// What goes to the phone. Run [`AskPhone`](crate::AskPhone) where no answer comes.
        frame: Vec<u8>,
    },
    /// The phone has refused; show a new code to try again.
    Refused(Refusal),
}

impl Sealed for ShowDesktopCode {}

impl Operation for ShowDesktopCode {
    type Output = LinkCode;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<LinkCode>, LinkError> {
        show_desktop_code(have, context)
    }
}

impl Sealed for GrantDesktop {}

impl Operation for GrantDesktop {
    type Output = GrantedDesktop;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<GrantedDesktop>, LinkError> {
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let account = Account::read(have, context, &mut needs)?;
        let mut index = Desktops::read(have, context, &mut needs)?;
        let linking = DesktopLinking::read(self.reference, &self.consent, have, context, &mut needs)?;
        let Some(linking) = linking else { return Ok(Run::Needs(needs)) };
        let phone = device.value.ok_or(ListError::NotRegistered)?.address;
        if phone.device != DeviceId::PHONE {
            return Err(ListError::NotThePhone.into());
        }
        let none = Desktops { account: phone.account, ids: Vec::new() };
        let mut desktops = index.value.take().unwrap_or(none);
        let list = account.value.as_ref().map(|account| &account.known.list);
        let made_room = make_room(&mut desktops, list, have, context, &mut needs)?;
        let handed = match HandOutBundle.run(have, context) {
            Ok(Run::Needs(more)) => {
                needs.add_all(&more);
                return Ok(Run::Needs(needs));
            }
            Ok(Run::Done(step)) => step,
            Err(DeviceError::Random(error)) => return Err(error.into()),
            Err(DeviceError::Record(error)) => return Err(error.into()),
            Err(_) => return Err(LinkError::NoPrekeys),
        };
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let desktop = new_device_id(list, &mut context.random)?;
        let Step { mut writes, output: bundle } = handed;
        writes.extend(made_room);
        desktops.ids.push(desktop);
        let address = Address::new(phone.account, desktop);
        let body = DesktopGrantBodyMessage {
            account_id: phone.account.as_bytes().to_vec(),
            device_id: desktop.0,
            bundle,
        };
        let (grant, key, ends) = linking.grant(&body.encode_to_vec(), context)?;
        // The id was just drawn. Should anything be on record under it after all, the store refuses the step, and the next run draws another.
        writes.push(pin_new(&address, key, context));
        let expires_at = context.now.plus(PATIENCE);
        let granted = Desktop {
            phase: Phase::Granted(expires_at),
            key,
            pairing: context.random.draw()?,
            session: SessionId([0; 8]),
            next: 1,
            acked: 0,
            link: Link::default(),
            bytes: 0,
            bytes_acked: 0,
            missed: Missed::default(),
            gap: Missed::default(),
            gap_number: 0,
            taken: 0,
            unknown_gap: 0,
            consent: self.may,
            good_until: context.now.plus(context.limits.list_window),
            latest: context.now,
            told_over: UnixMillis(0),
            notice: None,
            offered: None,
            upgraded: None,
        };
        writes.extend([
            Desktop::new_place(desktop).write(granted, context),
            index.write(desktops, context),
            ends,
        ]);
        Ok(Run::Done(Step::new(writes, GrantedDesktop { desktop, grant, expires_at })))
    }
}

/// Where there are as many desktops as can be, lets the oldest go that is none any more, with all that is kept of it. Of no use while anything is needed.
fn make_room(
    desktops: &mut Desktops,
    list: Option<&DeviceList>,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Vec<Write>, LinkError> {
    if desktops.ids.len() < MAX_DESKTOPS {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for id in &desktops.ids {
        all.push((*id, Desktop::read(*id, have, context, needs)?));
    }
    if !needs.is_empty() {
        return Ok(Vec::new());
    }
    let is_over = |desktop: &Desktop| match desktop.phase {
        Phase::Ended(_) => true,
        Phase::Granted(until) => desktop.now(context) > until,
        Phase::Attached | Phase::Suspended(_) => {
            desktop.upgraded_in().is_none() && desktop.now(context) > desktop.good_until.plus(GRACE)
        }
    };
    // It is a companion like any other once it knows, and every list that went before the upgrade has lapsed.
    let is_other = |id: DeviceId, desktop: &Desktop| match &desktop.upgraded {
        Some(Upgraded { at, .. }) => {
            let listed = list.is_some_and(|list| list.entry(id).is_some());
            !listed
                || desktop.knows(desktop.acked) && desktop.now(context) > at.plus(context.limits.list_window)
        }
        None => false,
    };
    let over = all.iter().position(|(_, slot)| slot.value.as_ref().is_none_or(is_over));
    let other =
        all.iter().position(|(id, slot)| slot.value.as_ref().is_some_and(|desktop| is_other(*id, desktop)));
    let place = over.or(other).ok_or(ListError::TooManyDevices)?;
    let (id, mut slot) = all.swap_remove(place);
    desktops.ids.retain(|other| *other != id);
    let delete = slot.delete();
    let mut writes = Vec::new();
    let is_wiped = |desktop: &Desktop| matches!(desktop.phase, Phase::Ended(_) | Phase::Granted(_));
    if let Some(desktop) = slot.value.take().filter(|desktop| !is_wiped(desktop)) {
        let address = Address::new(desktops.account, id);
        if desktop.upgraded_in().is_none() {
            writes.extend(end_sessions(&address, have, context, needs)?);
        }
        let line = Line::read(&address, have, context, needs)?;
        let mut outbox = Outbox::new(id, slot, desktop, line);
        outbox.forget(have, needs);
        writes.extend(outbox.writes);
    }
    writes.extend(delete);
    Ok(writes)
}

impl Sealed for JoinPhone<'_> {}

impl Operation for JoinPhone<'_> {
    type Output = JoinProgress;
    type Error = LinkError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<JoinProgress>, LinkError> {
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let relay = Relay::read(have, context, &mut needs)?;
        let Some(answer) = take_desktop_grant(self.message, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        let (identity, body, comparison, ends) = match answer {
            DesktopGrant::Refused { refusal, ends } => {
                return Ok(Run::Done(Step::new(ends, JoinProgress::Refused(refusal))));
            }
            DesktopGrant::Granted { identity, body, comparison, ends } => (identity, body, comparison, ends),
        };
        let message: DesktopGrantBodyMessage = decode_canonical(&body, Field::Sealed)?;
        let bad = DecodeError::Malformed;
        let account = AccountId::new(&message.account_id).map_err(|_| bad(Field::AccountId))?;
        let address = Address::new(account, DeviceId(message.device_id));
        let phone = Address::new(account, DeviceId::PHONE);
        if address == phone {
            return Err(bad(Field::DeviceId).into());
        }
        let bundle = VerifiedBundle::verify(&message.bundle, &phone)?;
        let account_key = *bundle.identity_key();
        if account_key == identity.public() {
            return Err(LinkError::OwnDevice);
        }
        if bundle.one_time_prekey().is_none() {
            return Err(BundleError::Decode(bad(Field::OneTimePrekey)).into());
        }
        let this = Device::new(address, identity);
        let started = start_line(&bundle, &this, have, context, &mut needs)?;
        let Some(mut writes) = started else { return Ok(Run::Needs(needs)) };
        let line = Line::after(&mut writes, &phone, context)?.ok_or(LinkError::OutOfOrder)?;
        let mut joined = Relay {
            phase: DesktopPhase::Joining,
            account,
            session: SessionId([0; 8]),
            shown: 0,
            sure: 0,
            link: Link::default(),
            lacks: false,
            owed: 0,
            first: 1,
            next: 1,
            number: 1,
            answered: 0,
            asked: 0,
            asked_at: UnixMillis(0),
            heard: 0,
            unanswered: 0,
            unheard: 0,
            good_until: UnixMillis(0),
            latest: context.now,
            upgrading: Upgrading::No,
        };
        let (frame, changed) = first_ask(&mut joined, line, context).map_err(refused_frame)?;
        writes.extend(changed);
        writes.extend([device.write(this, context), relay.write(joined, context)]);
        writes.extend(ends);
        let progress = JoinProgress::Joining { address, account_key, comparison, frame };
        Ok(Run::Done(Step::new(writes, progress)))
    }
}

/// The session was just started, so that it can fail to seal for want of randomness only.
const fn refused_frame(error: SendError) -> LinkError {
    match error {
        SendError::Random(error) => LinkError::Random(error),
        SendError::Record(error) => LinkError::Record(error),
        SendError::NoSession
        | SendError::IdentityChanged { .. }
        | SendError::Unlisted(_)
        | SendError::Lapsed { .. }
        | SendError::Removed
        | SendError::TooLong
        | SendError::Exhausted => LinkError::OutOfOrder,
    }
}
