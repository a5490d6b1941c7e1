//! Which session an envelope with an encrypted header is of: found by trial, in a fixed order and under a bound. `docs/protocol.md`, section 8 "By trial".

use alloc::{borrow::Cow, vec::Vec};

use super::{
    OpenError,
    accepted::Memory,
    archive::{Archive, ArchivePlace},
    peer::{ArchivedSession, Peer, skipped_key},
    state::Session,
};
use crate::{
    handshake::{Note, NoteKind, open_note},
    identity::{Address, Device, Lists},
    prekey::Prekeys,
    ratchet::SkippedKeys,
    step::{Context, Loaded, Needs, Slot},
    wire::{DecodeError, Envelope, Field, HiddenEnvelope, SessionId, Suite},
};

/// An envelope of which it is known what session it is of.
pub(super) struct Found<'a> {
    pub(super) envelope: Envelope<'a>,
    /// The archived session that reads it; `None` where it is of the active one, or of the one that its note names.
    pub(super) archived: Option<Slot<ArchivedSession>>,
}

/// The envelope, once it is known of what session it is; `None` where records are needed, and an error where it is of none.
pub(super) fn find<'a>(
    hidden: &HiddenEnvelope<'a>,
    from: &Address,
    peer: Option<&Peer>,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Option<Found<'a>>, OpenError> {
    let active = peer.and_then(|peer| peer.session.as_ref());
    if let Some(envelope) = active.and_then(|session| reads(session, hidden)) {
        return Ok(Some(Found { envelope, archived: None }));
    }
    let device = Device::read(have, context, needs)?;
    let archive = Archive::read(have, from, context, needs)?;
    // For what comes after, so that all settles in few rounds.
    have.slot::<Prekeys>(Prekeys::key(), needs);
    Memory::ask_ahead(from, have, needs);
    Lists::ask_ahead(have, &from.account, needs);
    if !needs.is_empty() {
        return Ok(None);
    }
    let (device, archive) =
        (device.value.ok_or(OpenError::NotRegistered)?, archive.value.unwrap_or_default());
    if let Some(note) = open_note(hidden.body(), &device.identity) {
        let NoteKind::Handshake(suite) = note.kind else { return Err(OpenError::RetryRequest) };
        let envelope = started(hidden, suite, &note)?;
        have.slot::<SkippedKeys<'_>>(skipped_key(from, envelope.session_id), needs);
        if let Some(former) = active {
            archive.prepare(former.id, ArchivePlace { have, peer: from }, context, needs)?;
        }
        return Ok(Some(Found { envelope, archived: None }));
    }
    let mut found = None;
    for id in archive.sessions() {
        let key = ArchivedSession::key(from, id);
        // A record that is damaged stands in the way of its own messages alone.
        let Ok(slot) = have.read::<ArchivedSession>(key, context, needs) else { continue };
        let archived = slot.value.as_ref().filter(|old| found.is_none() && !old.expired(context));
        if let Some(envelope) = archived.and_then(|old| reads(&old.session, hidden)) {
            found = Some(Found { envelope, archived: Some(slot) });
        }
    }
    match needs.is_empty() {
        true => found.map(Some).ok_or(OpenError::OutOfStep),
        false => Ok(None),
    }
}

/// The envelope as one of this session, if one of its header keys opens the header.
fn reads<'a>(session: &Session, hidden: &HiddenEnvelope<'a>) -> Option<Envelope<'a>> {
    let mut message = hidden.message_behind(0).ok()?;
    message.header = session.chains.read(&message.header)?;
    Some(Envelope { suite: session.suite, session_id: session.id, handshake: None, message })
}

/// The envelope as one that begins a session, or is of one that was begun by it.
fn started<'a>(hidden: &HiddenEnvelope<'a>, suite: Suite, note: &Note) -> Result<Envelope<'a>, OpenError> {
    let bad = DecodeError::Malformed(Field::Handshake);
    let (id, handshake) = note.text.split_first_chunk().ok_or(bad)?;
    let message = hidden.message_behind(note.kind.len())?;
    let handshake = Some(Cow::Owned(Vec::from(handshake)));
    Ok(Envelope { suite, session_id: SessionId(*id), handshake, message })
}
