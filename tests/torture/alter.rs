//! What an attacker can do to outrigger's envelopes and retry requests.

use crate::{
    subject::{Alteration, Part},
    wire::{
        Fields, Value,
        envelope::{CIPHERTEXT, COUNTER, HANDSHAKE, PREVIOUS_COUNTER, RATCHET_KEY, SESSION_ID},
    },
};

/// What stands in front of a retry request.
const REQUEST: [u8; 2] = [1, 0];
/// The last field of a retry request.
const SEALED: u64 = 3;
const TAG: usize = 16;

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
    let fields = Fields::try_parse(bytes, 2)?;
    let altered = match alteration {
        Alteration::Truncate(cut) => return Some(bytes[..bytes.len() - cut].to_vec()),
        Alteration::Extend(more) => return Some([bytes, &vec![0; *more][..]].concat()),
        Alteration::Flip(part) => flip(fields, *part)?,
        Alteration::Counter(counter) => fields.with_number(COUNTER, u64::from(*counter)),
        Alteration::PreviousCounter(counter) => fields.with_number(PREVIOUS_COUNTER, u64::from(*counter)),
        Alteration::PartOf(part, other) => {
            let number = number_of(*part);
            fields.with(number, Fields::try_parse(other, 2)?.get(number).cloned())
        }
    };
    Some(altered.encode())
}

/// `None` of what is no envelope.
pub(crate) fn key_and_nonce(envelope: &[u8]) -> Option<Vec<u8>> {
    let fields = Fields::try_parse(envelope, 2).filter(|fields| fields.front != REQUEST)?;
    let ((session, ratchet_key, counter), nonce) = fields.key_and_nonce()?;
    Some([&session[..], &ratchet_key, &counter.to_be_bytes(), &nonce].concat())
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
