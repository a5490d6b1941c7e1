//! A report as bytes, to be sent to whoever looks into it.

use alloc::vec::Vec;

use super::{ChainReport, Report, SentReport, SessionPhase, SessionReport};
use crate::{
    identity::{Address, IdentityKey, TrustMark},
    session::Strength,
    step::{RecordReader, RecordWriter, UnixMillis},
    wire::{DecodeError, Field, SessionId},
};

/// Format of a report.
const VERSION: u8 = 1;

impl Report {
    /// The report as versioned bytes: some hundreds, and about 120 for each archived session.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = RecordWriter::with_capacity(512);
        out.u8(VERSION).u64(self.made_at.0);
        self.device.encode(&mut out);
        write_key(&self.identity_key, &mut out);
        self.peer.encode(&mut out);
        out.flag(self.peer_key.is_some());
        if let Some(key) = &self.peer_key {
            write_key(key, &mut out);
        }
        out.u8(match self.trust {
            TrustMark::Unknown => 0,
            TrustMark::Pinned => 1,
            TrustMark::Verified => 2,
            TrustMark::Changed => 3,
        });
        out.flag(self.stale).flag(self.active.is_some());
        out.u8(u8::try_from(self.archived.len()).unwrap_or(u8::MAX));
        self.active.iter().chain(&self.archived).for_each(|session| session.write(&mut out));
        let SentReport { kept, not_kept, again } = self.sent;
        out.u8(kept).u8(not_kept).u8(again).flag(self.may_ask);
        for number in [self.opened, self.asked, self.one_time_prekeys] {
            out.bytes(&number.to_be_bytes());
        }
        out.finish().into_vec()
    }

    /// The report of these bytes.
    ///
    /// # Errors
    /// [`DecodeError`]: not a report, or of a later version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.first() {
            Some(&VERSION) => {
                let mut body = RecordReader::over(bytes);
                let report = Self::read(&mut body).filter(|_| body.rest().is_empty());
                report.ok_or(DecodeError::Malformed(Field::Frame))
            }
            Some(version) => Err(DecodeError::Version(*version)),
            None => Err(DecodeError::Malformed(Field::Frame)),
        }
    }

    fn read(body: &mut RecordReader<'_>) -> Option<Self> {
        let _version = body.u8()?;
        let made_at = UnixMillis(body.u64()?);
        let device = Address::decode(body)?;
        let identity_key = read_key(body)?;
        let peer = Address::decode(body)?;
        let peer_key = if body.flag()? { Some(read_key(body)?) } else { None };
        let trust = match body.u8()? {
            0 => TrustMark::Unknown,
            1 => TrustMark::Pinned,
            2 => TrustMark::Verified,
            3 => TrustMark::Changed,
            _ => return None,
        };
        let (stale, active, archived) = (body.flag()?, body.flag()?, body.u8()?);
        let active = if active { Some(SessionReport::read(body)?) } else { None };
        let archived = (0..archived).map(|_| SessionReport::read(body)).collect::<Option<_>>()?;
        let sent = SentReport { kept: body.u8()?, not_kept: body.u8()?, again: body.u8()? };
        let may_ask = body.flag()?;
        let mut number = || body.array().map(u16::from_be_bytes);
        let (opened, asked, one_time_prekeys) = (number()?, number()?, number()?);
        Some(Self {
            made_at,
            device,
            identity_key,
            peer,
            peer_key,
            trust,
            stale,
            active,
            archived,
            sent,
            opened,
            asked,
            may_ask,
            one_time_prekeys,
        })
    }
}

fn write_key(key: &IdentityKey, out: &mut RecordWriter) {
    out.bytes(key.public_key().as_bytes());
}

fn read_key(body: &mut RecordReader<'_>) -> Option<IdentityKey> {
    body.public_key().map(IdentityKey::new)
}

impl SessionReport {
    fn write(&self, out: &mut RecordWriter) {
        out.bytes(&self.id.0).u8(self.phase as u8).flag(self.strength == Strength::Weak);
        out.u64(self.order.0).u64(self.started_at.0).u32(self.previous_counter);
        for chain in [&self.sending, &self.receiving] {
            out.flag(chain.is_some());
            if let Some(ChainReport { key, next }) = chain {
                out.bytes(key).u32(*next);
            }
        }
        out.u8(u8::try_from(self.earlier.len()).unwrap_or(u8::MAX));
        self.earlier.iter().for_each(|key| {
            out.bytes(key);
        });
    }

    fn read(body: &mut RecordReader<'_>) -> Option<Self> {
        let id = SessionId(body.array()?);
        let phase = match body.u8()? {
            0 => SessionPhase::Initiating,
            1 => SessionPhase::Responding,
            2 => SessionPhase::Settled,
            _ => return None,
        };
        let strength = if body.flag()? { Strength::Weak } else { Strength::Full };
        let (order, started_at) = (UnixMillis(body.u64()?), UnixMillis(body.u64()?));
        let previous_counter = body.u32()?;
        let chain = |body: &mut RecordReader<'_>| {
            Some(match body.flag()? {
                true => Some(ChainReport { key: body.array()?, next: body.u32()? }),
                false => None,
            })
        };
        let (sending, receiving) = (chain(body)?, chain(body)?);
        let count = body.u8()?;
        let earlier = (0..count).map(|_| body.array()).collect::<Option<_>>()?;
        Some(Self { id, phase, strength, order, started_at, sending, previous_counter, receiving, earlier })
    }
}
