//! How far linkings are at the phone: what its app shows, and sends again, after a restart.

use alloc::vec::Vec;

use super::{
    LinkReference, LinkRequest,
    message::encode_acknowledgement,
    phone_record::{Record, Stage},
};
use crate::{
    identity::{Account, Address, DeviceId},
    session::was_heard_from,
    step::{Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Step, UnixMillis},
};

/// Says how far linkings are at the phone: for what must be sent again. Writes nothing.
///
/// # Errors
/// [`RecordError`]: a record cannot be used.
#[derive(Clone, Copy, Debug)]
pub struct DescribeGranting;

/// How far linkings are at the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Granting {
    /// The linking that is under way.
    pub stage: GrantingStage,
    /// For each companion that the newest list names and that nothing has come from: its linking may still wait for this.
    pub acknowledgements: Vec<Acknowledgement>,
}

/// How far one linking is at the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantingStage {
    /// None is under way.
    Nothing,
    /// A code was typed, and the companion's invitation has not come.
    Entered {
        /// Which linking.
        reference: LinkReference,
        /// What goes to the companion, again.
        answer: Vec<u8>,
    },
    /// A code was scanned or typed: ask the user.
    Scanned(LinkRequest),
    /// It was granted, and no confirmation has come.
    Granted {
        /// Which linking.
        reference: LinkReference,
        /// What goes to the companion, again.
        grant: Vec<u8>,
        /// Until when a confirmation is taken.
        expires_at: UnixMillis,
    },
    /// It was declined.
    Declined {
        /// Which linking.
        reference: LinkReference,
        /// What goes to the companion, again.
        refusal: Vec<u8>,
    },
    /// A desktop was granted its relay.
    Paired {
        /// Which linking.
        reference: LinkReference,
        /// What goes to the desktop, again.
        grant: Vec<u8>,
    },
}

/// What ends a linking at its companion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acknowledgement {
    /// Which linking.
    pub reference: LinkReference,
    /// The companion.
    pub device: DeviceId,
    /// What goes to it, with the newest list.
    pub message: Vec<u8>,
}

impl Sealed for DescribeGranting {}

impl Operation for DescribeGranting {
    type Output = Granting;
    type Error = RecordError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Granting>, RecordError> {
        let mut needs = Needs::new();
        let slot = Record::read(have, context, &mut needs)?;
        let account = Account::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let Record { linked, stage, .. } = slot.value.unwrap_or_default();
        let mut acknowledgements = Vec::new();
        if let Some(Account { known, .. }) = account.value {
            let list = &known.list;
            for finished in linked.iter().filter(|finished| list.entry(finished.device).is_some()) {
                let companion = Address::new(*list.account(), finished.device);
                if !was_heard_from(&companion, have, context, &mut needs)? {
                    let (reference, device) = (finished.reference, finished.device);
                    let message = encode_acknowledgement(reference, list.as_bytes(), &finished.answer_key);
                    acknowledgements.push(Acknowledgement { reference, device, message });
                }
            }
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let stage = match stage {
            Stage::Idle => GrantingStage::Nothing,
            Stage::Entered { reference, answer, .. } => GrantingStage::Entered { reference, answer },
            Stage::Scanned { invitation, ephemeral, expires_at } => {
                GrantingStage::Scanned(LinkRequest::new(&invitation, ephemeral.public(), expires_at))
            }
            Stage::Granted { invitation, grant, expires_at, .. } => {
                GrantingStage::Granted { reference: invitation.reference, grant, expires_at }
            }
            Stage::Declined { reference, refusal } => GrantingStage::Declined { reference, refusal },
            Stage::Paired { reference, grant } => GrantingStage::Paired { reference, grant },
        };
        Ok(Run::Done(Step::new(Vec::new(), Granting { stage, acknowledgements })))
    }
}
