//! One message to an account: to every device of the recipient, and to every other device of the sender.

use alloc::vec::Vec;
use core::fmt;

use crate::{
    identity::{AccountId, Address, Device, DeviceId, Epoch, Known, ListDigest, Lists},
    primitives::RandomError,
    session::{
        Heading, Keep, MessageId, Ready, SendError, Sent, SharedId, Single, ask_ahead_in_session, can_send,
        encode_stamp,
    },
    step::{
        Advice, Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Step, UnixMillis, Write, advises,
    },
    wire::MAX_ASSOCIATED_DATA,
};

/// Says what stands between this device and a message to an account. Writes nothing.
///
/// Mend what you can (fetch the bundles of [`missing`](Plan::missing) and [`Start`](crate::Start), the lists of [`stale`](Plan::stale)), plan again, and give the plan to
/// [`SendToAccount`]. What cannot be mended now holds nobody else back.
///
/// # Errors
/// [`FanOutError::NotRegistered`], [`Record`](FanOutError::Record).
///
/// # Spec
/// `docs/protocol.md`, section 10 "Messages to accounts".
#[derive(Clone, Copy, Debug)]
pub struct PlanMessage {
    /// For whom.
    pub to: AccountId,
}

/// Whom a message to an account goes to, by the lists of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// For whom.
    pub to: AccountId,
    /// Devices that a message can go out to now, of the recipient and of the own account.
    pub ready: Vec<Address>,
    /// Devices without a session that sends: fetch their bundles, companions' with certificates.
    pub missing: Vec<Address>,
    /// Devices whose identity key is in question until the user decides.
    pub undecided: Vec<Address>,
    /// Accounts whose companions are left out, since their list is past its time or disputed: fetch a newer one.
    pub stale: Vec<AccountId>,
    views: [(Epoch, ListDigest); 2],
}

/// Encrypts a message for every device that a plan names as ready: one copy each, under one id, in one step.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`Plan`] | | from [`PlanMessage`]; with other lists on record than it was made with, nothing is sent |
/// | in | `plaintext` | 0 to 1,044,300 B | |
/// | in | `associated_data` | 0 to 4,096 B | bound, not sent: each recipient passes the same bytes |
/// | in | [`Keep`] | | as of [`Send`](crate::Send) |
/// | out | [`SentToAccount`] | for each device, as of [`Send`](crate::Send), and 17 to 82 B, and 4 for each device of its account that was left out | the envelopes |
///
/// Recipients get [`Content::ForAccount`](crate::Content::ForAccount), the own account's other devices [`Content::SentByOwn`](crate::Content::SentByOwn). Each copy is
/// stamped with both lists and with the devices that were left out.
///
/// Writes two records for each copy. Draws 16 random bytes, and those of a send for each.
///
/// # Errors
/// [`FanOutError`].
///
/// # Spec
/// `docs/protocol.md`, section 10 "Messages to accounts".
#[derive(Clone, Copy)]
pub struct SendToAccount<'a> {
    /// To whom, by which lists.
    pub plan: &'a Plan,
    /// What to say.
    pub plaintext: &'a [u8],
    /// What to bind.
    pub associated_data: &'a [u8],
    /// Whether the text is kept for a retry.
    pub keep: Keep,
}

impl Plan {
    /// Whether there is no other device at all, neither of the recipient nor of the own account.
    pub(crate) fn is_for_nobody(&self) -> bool {
        self.ready.is_empty() && self.missing.is_empty() && self.undecided.is_empty() && self.stale.is_empty()
    }
}

impl fmt::Debug for SendToAccount<'_> {
    /// Shows lengths, not what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendToAccount {{ to: {:?}, plaintext: {} bytes }}", self.plan.to, self.plaintext.len())
    }
}

/// A message to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentToAccount {
    /// Names the message on all devices.
    pub id: SharedId,
    /// What goes to each device.
    pub copies: Vec<(Address, Sent)>,
    /// Who gets none, and why.
    pub left_out: Vec<(Address, SendError)>,
}

/// Why a message to an account was not planned or sent. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FanOutError {
    /// This store holds no device.
    NotRegistered,
    /// A list was learned or signed since the plan was made: plan again.
    ListChanged,
    /// None of the devices can be sent to: mend what the plan names.
    NobodyReady,
    /// This companion speaks for its account no more: the phone has not signed a device list in time.
    Lapsed {
        /// When its time was over.
        expired_at: UnixMillis,
    },
    /// This device speaks for its account no more: the phone has removed this companion, it has left, or the account is closed.
    Removed,
    /// Longer than the limit for plaintexts or for associated data.
    TooLong,
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A record cannot be used.
    Record(RecordError),
}

impl FanOutError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::NotRegistered | Self::ListChanged | Self::TooLong => Advice::FixCall,
            Self::NobodyReady => Advice::FetchBundle,
            Self::Lapsed { .. } => Advice::AwaitPhone,
            Self::Removed => Advice::LinkAgain,
            Self::Random(_) => Advice::CheckRandomSource,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for FanOutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered => f.write_str("the store holds no device"),
            Self::ListChanged => f.write_str("a device list changed since the plan was made"),
            Self::NobodyReady => f.write_str("no device of the account can be sent to"),
            Self::Lapsed { expired_at } => SendError::Lapsed { expired_at: *expired_at }.fmt(f),
            Self::Removed => SendError::Removed.fmt(f),
            Self::TooLong => SendError::TooLong.fmt(f),
            Self::Random(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(FanOutError);

impl core::error::Error for FanOutError {}

impl From<RandomError> for FanOutError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<RecordError> for FanOutError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl FanOutError {
    /// An error that every copy would have.
    fn of_all(error: &SendError) -> Option<Self> {
        match error {
            SendError::Lapsed { expired_at } => Some(Self::Lapsed { expired_at: *expired_at }),
            SendError::Removed => Some(Self::Removed),
            SendError::TooLong => Some(Self::TooLong),
            SendError::Random(error) => Some(Self::Random(*error)),
            SendError::NoSession
            | SendError::IdentityChanged { .. }
            | SendError::Unlisted(_)
            | SendError::Exhausted
            | SendError::Record(_) => None,
        }
    }
}

/// The devices of both accounts, and what keeps a message from each.
pub(crate) struct Audience<'a> {
    lists: Lists,
    own: AccountId,
    views: [(Epoch, ListDigest); 2],
    devices: Vec<(Address, Result<Ready<'a>, SendError>)>,
}

impl<'a> Audience<'a> {
    fn read(
        to: &AccountId,
        have: &'a Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Self>, FanOutError> {
        let device = Device::read(have, context, needs)?;
        if !needs.is_empty() {
            Lists::ask_ahead(have, to, needs);
            return Ok(None);
        }
        let this = device.value.ok_or(FanOutError::NotRegistered)?.address;
        Self::of(&this, to, have, context, needs)
    }

    /// The same, where it is known which device this is.
    pub(crate) fn of(
        this: &Address,
        to: &AccountId,
        have: &'a Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Self>, FanOutError> {
        let lists = Lists::read(have, to, context, needs)?;
        if !needs.is_empty() {
            return Ok(None);
        }
        let own = this.account;
        let both = [Some(*to), (own != *to).then_some(own)];
        let phones = both.iter().flatten().map(|account| Address::new(*account, DeviceId::PHONE));
        let mut addresses = Vec::new();
        for phone in phones {
            let companions = lists.of(&phone).map_or(&[][..], |known| known.list.entries());
            let companions = companions.iter().map(|entry| Address::new(phone.account, entry.device));
            // An own phone without a list has no sibling to tell.
            addresses.extend(core::iter::once(phone).chain(companions).filter(|address| address != this));
        }
        // Nothing is decoded before all of it is there; a record that cannot be used is found then, for its device alone.
        for address in &addresses {
            ask_ahead_in_session(address, have, context, needs).ok();
        }
        if !needs.is_empty() {
            return Ok(None);
        }
        let sendable = |address| (address, can_send(&address, &lists, have, context, needs));
        let devices = addresses.into_iter().map(sendable).collect();
        let view = |account| Known::view(lists.of(&Address::new(account, DeviceId::PHONE)));
        let views = [view(*to), view(own)];
        Ok(Some(Self { lists, own, views, devices }))
    }

    /// All but one device.
    pub(crate) fn without(mut self, address: &Address) -> Self {
        self.devices.retain(|(device, _)| device != address);
        self
    }

    /// Devices of an account that get nothing.
    fn left_out(&self, account: &AccountId) -> Vec<DeviceId> {
        let of_account = self.devices.iter().filter(|(address, _)| address.account == *account);
        of_account.filter(|(_, sendable)| sendable.is_err()).map(|(address, _)| address.device).collect()
    }
}

impl Sealed for PlanMessage {}

impl Operation for PlanMessage {
    type Output = Plan;
    type Error = FanOutError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Plan>, FanOutError> {
        let mut needs = Needs::new();
        let Some(audience) = Audience::read(&self.to, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        let plan = audience.plan(self.to)?;
        Ok(Run::Done(Step::new(Vec::new(), plan)))
    }
}

impl Audience<'_> {
    /// What stands between this device and a message to them.
    pub(crate) fn plan(&self, to: AccountId) -> Result<Plan, FanOutError> {
        let views = self.views;
        let (ready, missing, undecided, stale) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut plan = Plan { to, ready, missing, undecided, stale, views };
        for (address, sendable) in &self.devices {
            let address = *address;
            match sendable {
                Ok(_) => plan.ready.push(address),
                Err(SendError::NoSession | SendError::Exhausted) => plan.missing.push(address),
                Err(SendError::IdentityChanged { .. }) => plan.undecided.push(address),
                Err(SendError::Unlisted(_)) if !plan.stale.contains(&address.account) => {
                    plan.stale.push(address.account);
                }
                Err(SendError::Unlisted(_)) => {}
                Err(SendError::Record(error)) => return Err((*error).into()),
                Err(error) => {
                    if let Some(error) = FanOutError::of_all(error) {
                        return Err(error);
                    }
                }
            }
        }
        Ok(plan)
    }
}

impl Sealed for SendToAccount<'_> {}

impl Operation for SendToAccount<'_> {
    type Output = SentToAccount;
    type Error = FanOutError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<SentToAccount>, FanOutError> {
        if self.associated_data.len() > MAX_ASSOCIATED_DATA {
            return Err(FanOutError::TooLong);
        }
        let mut needs = Needs::new();
        let Some(audience) = Audience::read(&self.plan.to, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        if audience.views != self.plan.views {
            return Err(FanOutError::ListChanged);
        }
        let message = MessageToAccount {
            to: self.plan.to,
            id: SharedId::draw(&mut context.random)?,
            name: None,
            plaintext: self.plaintext,
            associated_data: self.associated_data,
            keep: self.keep,
        };
        let (writes, sent) = message.send_to(audience, context)?;
        Ok(Run::Done(Step::new(writes, sent)))
    }
}

/// A message that goes to every device of an account that it can go to, and to the other devices of the own one.
pub(crate) struct MessageToAccount<'a> {
    pub(crate) to: AccountId,
    pub(crate) id: SharedId,
    /// The id of each copy, where the message may come to a device more than once.
    pub(crate) name: Option<MessageId>,
    pub(crate) plaintext: &'a [u8],
    pub(crate) associated_data: &'a [u8],
    pub(crate) keep: Keep,
}

impl MessageToAccount<'_> {
    pub(crate) fn send_to(
        &self,
        audience: Audience<'_>,
        context: &mut Context<'_>,
    ) -> Result<(Vec<Write>, SentToAccount), FanOutError> {
        let id = self.id;
        let told = Heading::ForAccount(id).before(self.plaintext);
        let shown = Heading::SentByOwn(id, self.to).before(self.plaintext);
        let [stamp, own_stamp] = [self.to, audience.own].map(|account| {
            let phone = Address::new(account, DeviceId::PHONE);
            encode_stamp(&audience.lists, &phone, audience.left_out(&account))
        });
        let devices = audience.devices.len();
        let mut writes: Vec<Write> = Vec::with_capacity(devices.saturating_mul(2));
        let mut sent = SentToAccount { id, copies: Vec::with_capacity(devices), left_out: Vec::new() };
        for (address, sendable) in audience.devices {
            let ready = match sendable {
                Ok(ready) => ready,
                Err(error) => match FanOutError::of_all(&error) {
                    Some(error) => return Err(error),
                    None => {
                        sent.left_out.push((address, error));
                        continue;
                    }
                },
            };
            let is_own = address.account == audience.own;
            let single = Single {
                to: &address,
                text: if is_own { &shown } else { &told },
                headed: true,
                associated_data: self.associated_data,
                keep: self.keep,
                name: self.name,
            };
            match single.seal_in(ready, if is_own { &own_stamp } else { &stamp }, context) {
                Ok((copy, changed)) => {
                    sent.copies.push((address, copy));
                    writes.extend(changed);
                }
                // What can fail here fails for all: that this one could be sent to was looked at before.
                Err(error) => return Err(FanOutError::of_all(&error).unwrap_or(FanOutError::ListChanged)),
            }
        }
        if sent.copies.is_empty() {
            return Err(FanOutError::NobodyReady);
        }
        Ok((writes, sent))
    }
}
