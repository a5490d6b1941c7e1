//! How much is asked again: the one place of the bounds on what forged envelopes can make a device send.

use alloc::vec::Vec;

use super::{super::message_id::EnvelopeDigest, RetryError};
use crate::{
    identity::Address,
    step::{
        Context, KeyWriter, Loaded, Needs, RecordError, RecordKind, RecordReader, RecordType, RecordWriter,
        Slot, UnixMillis, Write,
    },
};

/// Requests within an hour.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    since: UnixMillis,
    count: u16,
}

impl Window {
    /// Counts one more. A window that began more than an hour ahead is of a clock that was wrong, and void; one that begins within the hour ahead goes on.
    fn take(&mut self, now: UnixMillis, limit: u16) -> Result<(), RetryError> {
        if !self.runs(now) {
            *self = Self { since: now, count: 0 };
        }
        if self.count >= limit {
            return Err(RetryError::TooMany { again_at: self.since.plus(UnixMillis::HOUR) });
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    fn runs(&self, now: UnixMillis) -> bool {
        now.since(self.since) < UnixMillis::HOUR && self.since.since(now) < UnixMillis::HOUR
    }

    fn encode(self, body: &mut RecordWriter) {
        body.u64(self.since.0).bytes(&self.count.to_be_bytes());
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self { since: UnixMillis(body.u64()?), count: u16::from_be_bytes(body.array()?) })
    }
}

/// What was asked of one device.
#[derive(Debug, Default)]
struct Asked {
    window: Window,
    /// Oldest first.
    envelopes: Vec<EnvelopeDigest>,
}

impl Asked {
    const MAX: usize = 64;
}

impl RecordType<'_> for Asked {
    const KIND: RecordKind = RecordKind::Asked;

    fn max_body_len(&self) -> usize {
        self.envelopes.len().saturating_mul(EnvelopeDigest::LEN).saturating_add(10)
    }

    fn encode(&self, body: &mut RecordWriter) {
        self.window.encode(body);
        self.envelopes.iter().for_each(|envelope| {
            body.bytes(&envelope.0);
        });
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let window = Window::decode(body)?;
        let (envelopes, []) = body.rest().as_chunks() else { return None };
        Some(Self { window, envelopes: envelopes.iter().copied().map(EnvelopeDigest).collect() })
    }
}

/// What was asked of all devices together.
#[derive(Debug, Default)]
struct Total(Window);

impl RecordType<'_> for Total {
    const KIND: RecordKind = RecordKind::RetryBudget;

    fn max_body_len(&self) -> usize {
        10
    }

    fn encode(&self, body: &mut RecordWriter) {
        self.0.encode(body);
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Window::decode(body).map(Self)
    }
}

/// Both budgets.
pub(in super::super) struct Budget {
    asked: Slot<Asked>,
    total: Slot<Total>,
}

impl Budget {
    pub(in super::super) fn read(
        peer: &Address,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, RecordError> {
        let asked = peer.write_key(KeyWriter::new(RecordKind::Asked)).finish();
        let total = KeyWriter::new(RecordKind::RetryBudget).finish();
        Ok(Self { asked: have.read(asked, context, needs)?, total: have.read(total, context, needs)? })
    }

    /// How much was asked of the device within the hour, and whether more may be.
    pub(in super::super) fn state(&self, context: &Context<'_>) -> (u16, bool) {
        let (now, limits) = (context.now, &context.limits);
        let asked = self.asked.value.as_ref().map(|asked| asked.window).unwrap_or_default();
        let total = self.total.value.as_ref().map(|total| total.0).unwrap_or_default();
        let may = |mut window: Window, limit| window.take(now, limit).is_ok();
        let count = if asked.runs(now) { asked.count } else { 0 };
        (count, may(asked, limits.max_asked_per_peer) && may(total, limits.max_asked))
    }

    /// Spends one request for a message, once for each.
    pub(super) fn spend(
        mut self,
        envelope: EnvelopeDigest,
        context: &Context<'_>,
    ) -> Result<[Write; 2], RetryError> {
        let mut asked = self.asked.value.take().unwrap_or_default();
        let mut total = self.total.value.take().unwrap_or_default();
        if asked.envelopes.contains(&envelope) {
            return Err(RetryError::AlreadyAsked);
        }
        asked.window.take(context.now, context.limits.max_asked_per_peer)?;
        total.0.take(context.now, context.limits.max_asked)?;
        asked.envelopes.push(envelope);
        asked.envelopes.drain(..asked.envelopes.len().saturating_sub(Asked::MAX));
        Ok([self.asked.write(asked, context), self.total.write(total, context)])
    }
}
