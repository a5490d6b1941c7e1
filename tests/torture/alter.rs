//! What an attacker can do to outrigger's envelopes and retry requests.

use std::ops::Range;

use crate::{
    subject::{Alteration, Part},
    wire::{
        Fields, HIDDEN_HEADER, NOTES, REQUEST, Value,
        envelope::{CIPHERTEXT, COUNTER, HANDSHAKE, PREVIOUS_COUNTER, RATCHET_KEY, SESSION_ID},
        is_hidden,
    },
};

/// The last field of a retry request.
const SEALED: u64 = 3;
const TAG: usize = 16;
/// Version, and what stands in a suite's place.
const FRONT: usize = 2;
/// An envelope with an encrypted header, without a note and its text.
const HIDDEN: usize = FRONT + HIDDEN_HEADER + 12 + 1 + TAG;
/// A retry request in a note.
const HIDDEN_REQUEST: usize = FRONT + 226;

fn number_of(part: Part) -> u64 {
    match part {
        Part::SessionId => SESSION_ID,
        Part::Handshake => HANDSHAKE,
        Part::HeaderKey => RATCHET_KEY,
        Part::PreviousCounter => PREVIOUS_COUNTER,
        Part::Counter => COUNTER,
        Part::Version | Part::Ciphertext | Part::Tag => CIPHERTEXT,
    }
}

/// The altered bytes; `None` where there is no such part.
pub(crate) fn alter(bytes: &[u8], alteration: &Alteration<'_>) -> Option<Vec<u8>> {
    let fields = || Fields::try_parse(bytes, FRONT);
    match alteration {
        Alteration::Truncate(cut) => Some(bytes[..bytes.len() - cut].to_vec()),
        Alteration::Extend(more) => Some([bytes, &vec![0; *more][..]].concat()),
        _ if is_hidden(bytes) => alter_hidden(bytes.to_vec(), alteration),
        Alteration::Flip(part) => Some(flip(fields()?, *part)?.encode()),
        Alteration::Counter(counter) => Some(fields()?.with_number(COUNTER, u64::from(*counter)).encode()),
        Alteration::PreviousCounter(counter) => {
            Some(fields()?.with_number(PREVIOUS_COUNTER, u64::from(*counter)).encode())
        }
        Alteration::PartOf(part, other) => {
            let number = number_of(*part);
            let of_other = Fields::try_parse(other, FRONT)?.get(number).cloned();
            Some(fields()?.with(number, of_other).encode())
        }
    }
}

/// The same where the header is encrypted, so that no part of it can be told from another.
fn alter_hidden(mut bytes: Vec<u8>, alteration: &Alteration<'_>) -> Option<Vec<u8>> {
    match alteration {
        Alteration::Flip(part) => {
            let Range { start, end } = hidden_part(&bytes, *part)?;
            let at = if *part == Part::Ciphertext { end - TAG - 1 } else { usize::midpoint(start, end) };
            bytes[at] ^= if *part == Part::Version { 2 } else { 4 };
        }
        Alteration::PartOf(part, other) => {
            let of_other = &other[hidden_part(other, *part)?];
            let of_this = hidden_part(&bytes, *part)?;
            bytes.splice(of_this, of_other.iter().copied());
        }
        Alteration::Counter(_)
        | Alteration::PreviousCounter(_)
        | Alteration::Truncate(_)
        | Alteration::Extend(_) => return None,
    }
    Some(bytes)
}

/// Where a part stands; a note is told by the length, since no text of the schedules is as long as the least of them.
fn hidden_part(bytes: &[u8], part: Part) -> Option<Range<usize>> {
    let end = bytes.len();
    let request = end == HIDDEN_REQUEST;
    let note =
        if request { HIDDEN_REQUEST - FRONT } else { *NOTES.iter().rfind(|note| end >= HIDDEN + **note)? };
    let header = FRONT + note;
    let sealed = if request { FRONT } else { header + HIDDEN_HEADER };
    match part {
        Part::Version => Some(0..1),
        Part::Handshake => Some(FRONT..header).filter(|note| !request && !note.is_empty()),
        Part::HeaderKey => Some(header..sealed).filter(|_| !request),
        Part::Ciphertext => Some(sealed..end),
        Part::Tag => Some(end - TAG..end),
        Part::SessionId | Part::PreviousCounter | Part::Counter => None,
    }
}

fn flip(mut fields: Fields, part: Part) -> Option<Fields> {
    if part == Part::Version {
        fields.front[0] ^= 2;
        return Some(fields);
    }
    let number = if fields.front == REQUEST { SEALED } else { number_of(part) };
    let flipped = match (fields.get(number).cloned(), part) {
        (Some(Value::Bytes(bytes)), Part::Ciphertext) => Value::Bytes(flip_at(bytes, |len| len - TAG - 1)),
        (Some(Value::Bytes(bytes)), Part::Tag) => Value::Bytes(flip_at(bytes, |len| len - 1)),
        (Some(Value::Bytes(bytes)), _) => Value::Bytes(flip_at(bytes, |len| len / 2)),
        (Some(Value::Fixed64(mut bytes)), _) => {
            bytes[4] ^= 4;
            Value::Fixed64(bytes)
        }
        (Some(Value::Varint(value)), _) => return Some(fields.with_number(number, value ^ 1)),
        (None, Part::Counter | Part::PreviousCounter) => Value::Varint(1),
        (None, _) => return None,
    };
    Some(fields.with(number, Some(flipped)))
}

fn flip_at(mut bytes: Vec<u8>, place: impl Fn(usize) -> usize) -> Vec<u8> {
    let at = place(bytes.len());
    bytes[at] ^= 4;
    bytes
}
