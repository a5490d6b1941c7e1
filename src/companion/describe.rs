//! What is on record of an account's devices.

use alloc::vec::Vec;

use crate::{
    identity::{AccountId, Address, DeviceId, DeviceList, Lists},
    step::{Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Step, UnixMillis},
};

/// Says what is on record of an account's devices: a peer's or the own one. Writes nothing.
///
/// # Errors
/// [`RecordError`]: a record cannot be used.
#[derive(Clone, Copy, Debug)]
pub struct DescribeDevices {
    /// Whose.
    pub account: AccountId,
}

/// What is on record of an account's devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DevicesDescription {
    /// The newest list; none where the account was never seen to have companions.
    pub list: Option<DeviceList>,
    /// Whether two lists of its epoch were seen.
    pub disputed: bool,
    /// Of the own account, on a companion: its certificate, to be published beside its bundle.
    pub certificate: Option<Vec<u8>>,
    /// Of the own account, on a companion: when it lapses unless the phone signs another list; on the phone: when its companions do.
    pub lapses_at: Option<UnixMillis>,
    /// Of the own account, on the phone: whether it came back from a backup and must see its newest list before it signs another.
    pub restored: bool,
}

impl Sealed for DescribeDevices {}

impl Operation for DescribeDevices {
    type Output = DevicesDescription;
    type Error = RecordError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<DevicesDescription>, RecordError> {
        let mut needs = Needs::new();
        let lists = Lists::read(have, &self.account, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let known = lists.of(&Address::new(self.account, DeviceId::PHONE));
        let own = lists.own().filter(|own| *own.known.list.account() == self.account);
        let description = DevicesDescription {
            list: known.map(|known| known.list.clone()),
            disputed: known.is_some_and(|known| known.disputed),
            certificate: own.map(|own| own.certificate.clone()).filter(|bytes| !bytes.is_empty()),
            lapses_at: own.map(|own| own.known.list.expires_at()),
            restored: own.is_some_and(|own| own.restored),
        };
        Ok(Run::Done(Step::new(Vec::new(), description)))
    }
}
