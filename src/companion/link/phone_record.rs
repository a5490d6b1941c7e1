//! What a phone keeps of its last linking between two steps.

use alloc::vec::Vec;

use super::{
    LinkError, LinkReference,
    invitation::{Invitation, MacKey, Role},
    phone::still_fits,
};
use crate::{
    identity::{CertificateBody, DeviceId, DeviceList},
    primitives::KeyPair,
    step::{
        Context, KeyWriter, Loaded, Needs, RecordError, RecordKind, RecordReader, RecordType, RecordWriter,
        Slot, UnixMillis,
    },
    wire::MAX_DEVICES,
};

/// Codes that were used, and are refused when they come again.
const REMEMBERED: usize = 16;

/// The record of the last linking, at the phone.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Codes that were scanned or typed, newest last.
    pub(super) used: Vec<LinkReference>,
    /// Linkings that came to their end here: at most one for each companion of the list.
    pub(super) linked: Vec<Finished>,
    pub(super) stage: Stage,
}

/// What an acknowledgement is made with, again: over the newest list.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) reference: LinkReference,
    pub(super) device: DeviceId,
    pub(super) answer_key: MacKey,
}

#[derive(Debug, Default)]
pub(super) enum Stage {
    #[default]
    Idle,
    Entered {
        reference: LinkReference,
        seal_key: MacKey,
        answer: Vec<u8>,
        expires_at: UnixMillis,
    },
    Scanned {
        invitation: Invitation,
        ephemeral: KeyPair,
        expires_at: UnixMillis,
    },
    Granted {
        invitation: Invitation,
        certificate: Vec<u8>,
        grant: Vec<u8>,
        expires_at: UnixMillis,
    },
    Declined {
        reference: LinkReference,
        refusal: Vec<u8>,
    },
    /// A desktop was granted its relay, which is a matter of its own from here on.
    Paired {
        reference: LinkReference,
        grant: Vec<u8>,
    },
}

impl Record {
    pub(super) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(KeyWriter::new(RecordKind::Granting).finish(), context, needs)
    }
}

impl RecordType<'_> for Record {
    const KIND: RecordKind = RecordKind::Granting;

    fn max_body_len(&self) -> usize {
        let stage = match &self.stage {
            Stage::Idle => 0,
            Stage::Entered { answer, .. } => answer.len().saturating_add(16 + 32 + 2 + 8),
            Stage::Scanned { .. } => Invitation::STORED_LEN + 64 + 8,
            Stage::Granted { certificate, grant, .. } => {
                let texts = certificate.len().saturating_add(grant.len());
                texts.saturating_add(Invitation::STORED_LEN + 2 + 2 + 8)
            }
            Stage::Declined { refusal: sent, .. } | Stage::Paired { grant: sent, .. } => {
                sent.len().saturating_add(16 + 2)
            }
        };
        let linked = self.linked.len().saturating_mul(16 + 4 + 32);
        self.used.len().saturating_mul(16).saturating_add(linked).saturating_add(stage).saturating_add(3)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u8(u8::try_from(self.used.len()).unwrap_or(u8::MAX));
        self.used.iter().for_each(|reference| {
            body.bytes(&reference.0);
        });
        body.u8(u8::try_from(self.linked.len()).unwrap_or(u8::MAX));
        for Finished { reference, device, answer_key } in &self.linked {
            body.bytes(&reference.0).u32(device.0).bytes(answer_key.expose_bytes());
        }
        match &self.stage {
            Stage::Idle => {
                body.u8(0);
            }
            Stage::Entered { reference, seal_key, answer, expires_at } => {
                body.u8(4)
                    .bytes(&reference.0)
                    .bytes(seal_key.expose_bytes())
                    .prefixed(answer)
                    .u64(expires_at.0);
            }
            Stage::Scanned { invitation, ephemeral, expires_at } => {
                invitation.store(body.u8(match invitation.role {
                    Role::Companion => 1,
                    Role::Desktop => 5,
                }));
                body.key_pair(ephemeral).u64(expires_at.0);
            }
            Stage::Granted { invitation, certificate, grant, expires_at } => {
                invitation.store(body.u8(2));
                body.prefixed(certificate).prefixed(grant).u64(expires_at.0);
            }
            Stage::Declined { reference, refusal } => {
                body.u8(3).bytes(&reference.0).prefixed(refusal);
            }
            Stage::Paired { reference, grant } => {
                body.u8(6).bytes(&reference.0).prefixed(grant);
            }
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let count = body.u8()?;
        let used = (0..count).map(|_| body.array().map(LinkReference)).collect::<Option<_>>()?;
        let count = body.u8().filter(|count| usize::from(*count) <= MAX_DEVICES)?;
        let finished = |body: &mut RecordReader<'_>| {
            Some(Finished {
                reference: LinkReference(body.array()?),
                device: DeviceId(body.u32()?),
                answer_key: MacKey::take_from(&mut body.array()?),
            })
        };
        let linked = (0..count).map(|_| finished(body)).collect::<Option<_>>()?;
        let stage = match body.u8()? {
            0 => Stage::Idle,
            1 => Stage::scanned(Role::Companion, body)?,
            5 => Stage::scanned(Role::Desktop, body)?,
            2 => Stage::Granted {
                invitation: Invitation::restore(Role::Companion, body)?,
                certificate: body.prefixed()?.to_vec(),
                grant: body.prefixed()?.to_vec(),
                expires_at: UnixMillis(body.u64()?),
            },
            3 => Stage::Declined {
                reference: LinkReference(body.array()?),
                refusal: body.prefixed()?.to_vec(),
            },
            4 => Stage::Entered {
                reference: LinkReference(body.array()?),
                seal_key: MacKey::take_from(&mut body.array()?),
                answer: body.prefixed()?.to_vec(),
                expires_at: UnixMillis(body.u64()?),
            },
            6 => Stage::Paired { reference: LinkReference(body.array()?), grant: body.prefixed()?.to_vec() },
            _ => return None,
        };
        Some(Self { used, linked, stage })
    }
}

impl Stage {
    fn scanned(role: Role, body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self::Scanned {
            invitation: Invitation::restore(role, body)?,
            ephemeral: body.key_pair()?,
            expires_at: UnixMillis(body.u64()?),
        })
    }
}

impl Record {
    /// Notes that a code is used now; one that was used before is refused, and so is any while another linking was granted, waits, and still has its place in the line of lists.
    pub(super) fn begin(
        &mut self,
        reference: LinkReference,
        former: Option<&DeviceList>,
        now: UnixMillis,
    ) -> Result<(), LinkError> {
        if self.used.contains(&reference) {
            return Err(LinkError::AlreadyUsed);
        }
        if let Stage::Granted { expires_at, certificate, .. } = &self.stage
            && now <= *expires_at
            && CertificateBody::decode(certificate).is_ok_and(|body| still_fits(&body, former).is_ok())
        {
            return Err(LinkError::OutOfOrder);
        }
        self.used.drain(..self.used.len().saturating_sub(REMEMBERED - 1));
        self.used.push(reference);
        Ok(())
    }
}
