//! Frames of the relay in a session: sealed without a copy, since the relay keeps what is under way; opened for the relay alone.

use alloc::vec::Vec;

use super::{
    Arrival, OpenError, SendError, content::Kind, peer::Peer, receive::Arrived, send::Said,
    start::start_scanned,
};
use crate::{
    identity::{Address, Device, IdentityKey},
    prekey::VerifiedBundle,
    primitives::SecretBytes,
    session::StartError,
    step::{Context, Loaded, Needs, Padding, RecordError, Run, Slot, Step, Write},
    wire::{Incoming, SessionId},
};

/// The session of a phone with a desktop, as it is changed within one step.
pub(crate) struct Line(Slot<Peer>);

impl Line {
    pub(crate) fn read(
        other: &Address,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, RecordError> {
        Peer::read(have, other, context, needs).map(Self)
    }

    /// The session as the writes of a step leave it: its write is taken out, to be put back by [`write`](Self::write).
    pub(crate) fn after(
        writes: &mut Vec<Write>,
        other: &Address,
        context: &Context<'_>,
    ) -> Result<Option<Self>, RecordError> {
        let key = Peer::key(other);
        let Some(place) = writes.iter().position(|write| *write.key() == key) else { return Ok(None) };
        Slot::of_write(&writes.swap_remove(place), context).map(|slot| Some(Self(slot)))
    }

    /// The session that speaks, if one does.
    pub(crate) fn session(&mut self) -> Option<SessionId> {
        self.0.value.as_mut()?.speaking().map(|session| session.id)
    }

    /// A frame behind its heading in an envelope: for no one but the other end, whatever device lists say.
    pub(crate) fn seal(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<Vec<u8>, SendError> {
        let peer = self.0.value.as_mut().ok_or(SendError::NoSession)?;
        let to = peer.identity.key();
        let session = peer.speaking().ok_or(SendError::NoSession)?;
        let said = Said { text: frame, headed: true, stamp: &[] };
        // Frames are padded by themselves.
        Ok(session.seal(&to, Kind::Message, &said, &[], Padding::None, &mut context.random)?)
    }

    /// The other end is a companion of the account now: what is said in the session is stamped.
    pub(crate) fn stamp_from_now_on(&mut self) {
        if let Some(peer) = &mut self.0.value {
            peer.listed = true;
        }
    }

    /// The other end's identity key, as it was pinned when the two were paired.
    pub(crate) fn pinned_key(&self) -> Option<IdentityKey> {
        self.0.value.as_ref().map(|peer| peer.identity.key())
    }

    /// The write of what was changed.
    pub(crate) fn write(&mut self, context: &Context<'_>) -> Option<Write> {
        self.0.rewrite(context)
    }
}

/// A frame that was opened, and the session with the other end as that leaves it.
pub(crate) struct OpenedFrame {
    pub(crate) line: Line,
    pub(crate) text: SecretBytes,
    pub(crate) session: SessionId,
    pub(crate) arrival: Arrival,
}

/// Opens a frame; the writes, in no order, are of other records than the session. `desktop`: the key of the desktop that it is said to come from, at the phone.
pub(crate) fn open_frame(
    from: &Address,
    envelope: &[u8],
    desktop: Option<IdentityKey>,
    have: &Loaded,
    context: &Context<'_>,
) -> Result<Run<OpenedFrame>, OpenError> {
    let incoming = Incoming::parse(envelope)?;
    let mut needs = Needs::new();
    let mut line = Line::read(from, have, context, &mut needs)?;
    if !needs.is_empty() {
        return Ok(Run::Needs(needs));
    }
    let arrived = Arrived::new((from, desktop), &incoming, &[], have);
    Ok(match arrived.receive(&incoming, &mut line.0, context)? {
        Run::Needs(needs) => Run::Needs(needs),
        Run::Done(Step { writes, output }) => {
            let (session, arrival) = (output.session, output.arrival);
            let text = output.unsealed.into_frame()?;
            Run::Done(Step { writes, output: OpenedFrame { line, text, session, arrival } })
        }
    })
}

/// Starts the first session of a desktop with its phone, in the step in which it becomes a device; `None` where more records are needed.
pub(crate) fn start_line(
    bundle: &VerifiedBundle,
    device: &Device,
    have: &Loaded,
    context: &mut Context<'_>,
    needs: &mut Needs,
) -> Result<Option<Vec<Write>>, StartError> {
    start_scanned(bundle, device, false, have, context, needs)
}
