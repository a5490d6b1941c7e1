//! What a device is told before any key is shared with it, where nothing may show: sealed to its identity key. `docs/protocol.md`, section 6 "Notes".

use alloc::vec::Vec;

use super::Handshake;
use crate::{
    identity::{IdentityKey, IdentityKeyPair},
    primitives::{
        KeyPair, PublicKey, Random, SecretBytes, SharedSecret,
        aead::{self, AeadKey, SealError},
        kdf, labels,
    },
    wire::{HIDDEN_FRONT, SessionId, Suite, ending, unended},
};

/// What a note is about. It gives the length of the note, and the key is derived for it; it is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoteKind {
    /// A retry request.
    RetryRequest,
    /// A session id and a handshake of this suite, in front of a message.
    Handshake(Suite),
}

impl NoteKind {
    /// Longest retry request, in bytes.
    const RETRY_REQUEST: usize = 165;

    fn all() -> impl Iterator<Item = Self> {
        Suite::ALL.iter().map(|suite| Self::Handshake(*suite)).chain([Self::RetryRequest])
    }

    const fn to_byte(self) -> u8 {
        match self {
            Self::RetryRequest => 0,
            Self::Handshake(suite) => suite.to_byte(),
        }
    }

    /// Length of the text with its padding.
    const fn text_len(self) -> usize {
        let text = match self {
            Self::RetryRequest => Self::RETRY_REQUEST,
            Self::Handshake(suite) => Handshake::max_len(suite).saturating_add(size_of::<SessionId>()),
        };
        text.saturating_add(1)
    }

    /// Length of the whole note.
    pub(crate) const fn len(self) -> usize {
        self.text_len().saturating_add(PublicKey::LEN + aead::OVERHEAD)
    }
}

/// A note that was opened.
pub(crate) struct Note {
    pub(crate) kind: NoteKind,
    pub(crate) text: SecretBytes,
}

/// Appends a note. Draws 44 random bytes; one key generation, one Diffie-Hellman.
pub(crate) fn seal_note(
    kind: NoteKind,
    text: &[&[u8]],
    to: &IdentityKey,
    random: &mut Random<'_>,
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let pair = KeyPair::generate(random).map_err(SealError::Random)?;
    // A parsed key is contributory; were it not, nothing could be sealed for it.
    let shared = pair.diffie_hellman(to.public_key()).map_err(|_| SealError::TooLong)?;
    let mut shown = *pair.public().as_bytes();
    if let (Some(last), Some(spare)) = (shown.last_mut(), pair.expose_private().last()) {
        // The top bit of every key is 0, which would give a note away at a glance. What shows there instead is the top bit of the private key, which is random and which X25519 takes no notice of.
        *last |= spare & 0x80;
    }
    let len = text.iter().fold(0_usize, |len, part| len.saturating_add(part.len()));
    let room = kind.text_len().checked_sub(len).filter(|room| *room > 0).ok_or(SealError::TooLong)?;
    let end = ending(room);
    out.extend_from_slice(&shown);
    let parts: Vec<&[u8]> = text.iter().copied().chain([&end[..]]).collect();
    aead::seal(key(kind, &shared, &shown, to), &[], &parts, random, out)
}

/// Opens the note that bytes begin with, if they begin with one for this device. One Diffie-Hellman, and a trial for each kind.
pub(crate) fn open_note(bytes: &[u8], own: &IdentityKeyPair) -> Option<Note> {
    let (shown, _) = bytes.split_first_chunk::<{ PublicKey::LEN }>()?;
    let mut public = *shown;
    if let Some(last) = public.last_mut() {
        *last &= 0x7f;
    }
    let public = PublicKey::parse(&public).ok()?;
    let shared = own.key_pair().diffie_hellman(&public).ok()?;
    NoteKind::all().find_map(|kind| {
        let sealed = bytes.get(PublicKey::LEN..kind.len())?;
        let mut text = aead::open(key(kind, &shared, shown, &own.public()), &[], sealed).ok()?;
        let len = unended(&text)?;
        text.as_mut_vec().truncate(len);
        Some(Note { kind, text })
    })
}

fn key(kind: NoteKind, shared: &SharedSecret, shown: &[u8; PublicKey::LEN], to: &IdentityKey) -> AeadKey {
    let info = [labels::NOTE, &HIDDEN_FRONT, &[kind.to_byte()], shown, &to.encoded()].concat();
    let [mut key] = kdf::hkdf(&[0; 32], &[shared.expose_bytes()], &info);
    AeadKey::take_from(&mut key)
}
