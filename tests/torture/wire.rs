//! Envelopes of outrigger taken apart and put together, from `docs/protocol.md`, sections 5 and 8: what an attacker can do to them.

use crate::subject::{Alteration, Part};

/// A field: number, wire type, value. A varint is kept as its number.
type Field = (u64, Value);

#[derive(Clone, PartialEq, Eq)]
enum Value {
    Varint(u64),
    Fixed64(Vec<u8>),
    Bytes(Vec<u8>),
}

/// The two bytes in front, then fields.
struct Message {
    front: Vec<u8>,
    fields: Vec<Field>,
}

const SESSION_ID: u64 = 1;
const HANDSHAKE: u64 = 2;
const RATCHET_KEY: u64 = 3;
const PREVIOUS_COUNTER: u64 = 4;
const COUNTER: u64 = 5;
const CIPHERTEXT: u64 = 7;
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
    let mut message = Message::parse(bytes)?;
    match alteration {
        Alteration::Truncate(cut) => return Some(bytes[..bytes.len() - cut].to_vec()),
        Alteration::Extend(more) => return Some([bytes, &vec![0; *more][..]].concat()),
        Alteration::Flip(part) => message.flip(*part)?,
        Alteration::Counter(counter) => message.set(COUNTER, Some(Value::Varint(u64::from(*counter)))),
        Alteration::PreviousCounter(counter) => {
            message.set(PREVIOUS_COUNTER, Some(Value::Varint(u64::from(*counter))));
        }
        Alteration::PartOf(part, other) => {
            let value = Message::parse(other)?.get(number_of(*part)).cloned();
            message.set(number_of(*part), value);
        }
    }
    Some(message.encode())
}

/// Equal session, ratchet key and counter mean an equal AEAD key; the nonce is the first 12 bytes of the ciphertext.
pub(crate) fn key_and_nonce(envelope: &[u8]) -> Option<Vec<u8>> {
    let message = Message::parse(envelope).filter(|message| message.front != [1, 0])?;
    let (Value::Fixed64(session), Value::Bytes(key), Value::Bytes(sealed)) =
        (message.get(SESSION_ID)?, message.get(RATCHET_KEY)?, message.get(CIPHERTEXT)?)
    else {
        return None;
    };
    let counter = match message.get(COUNTER) {
        Some(Value::Varint(counter)) => *counter,
        _ => 0,
    };
    Some([&session[..], key, &counter.to_be_bytes(), &sealed[..12]].concat())
}

impl Message {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (front, mut rest) = bytes.split_at_checked(2)?;
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let tag = varint(&mut rest)?;
            let value = match tag & 7 {
                0 => Value::Varint(varint(&mut rest)?),
                1 => Value::Fixed64(take(&mut rest, 8)?),
                2 => {
                    let len = varint(&mut rest)?;
                    Value::Bytes(take(&mut rest, usize::try_from(len).ok()?)?)
                }
                _ => return None,
            };
            fields.push((tag >> 3, value));
        }
        Some(Self { front: front.to_vec(), fields })
    }

    fn get(&self, number: u64) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| *known == number).map(|(_, value)| value)
    }

    /// Sets a field in its place; a number that is 0 is left out.
    fn set(&mut self, number: u64, value: Option<Value>) {
        self.fields.retain(|(known, _)| *known != number);
        if let Some(value) = value.filter(|value| *value != Value::Varint(0)) {
            let place = self.fields.partition_point(|(known, _)| *known < number);
            self.fields.insert(place, (number, value));
        }
    }

    fn flip(&mut self, part: Part) -> Option<()> {
        if part == Part::Version {
            self.front[0] ^= 2;
            return Some(());
        }
        let is_request = self.front == [1, 0];
        let number = if is_request { SEALED } else { number_of(part) };
        let flipped = match (self.get(number), part) {
            (Some(Value::Bytes(bytes)), Part::Ciphertext) => Value::Bytes(flip(bytes, bytes.len() - TAG - 1)),
            (Some(Value::Bytes(bytes)), Part::Tag) => Value::Bytes(flip(bytes, bytes.len() - 1)),
            (Some(Value::Bytes(bytes)), _) => Value::Bytes(flip(bytes, bytes.len() / 2)),
            (Some(Value::Fixed64(bytes)), _) => Value::Fixed64(flip(bytes, 4)),
            (Some(Value::Varint(value)), _) => Value::Varint(value ^ 1),
            (None, Part::Counter | Part::PreviousCounter) => Value::Varint(1),
            (None, _) => return None,
        };
        self.set(number, Some(flipped));
        Some(())
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = self.front.clone();
        for (number, value) in &self.fields {
            match value {
                Value::Varint(value) => {
                    put_varint(number << 3, &mut out);
                    put_varint(*value, &mut out);
                }
                Value::Fixed64(bytes) => {
                    put_varint(number << 3 | 1, &mut out);
                    out.extend(bytes);
                }
                Value::Bytes(bytes) => {
                    put_varint(number << 3 | 2, &mut out);
                    put_varint(bytes.len() as u64, &mut out);
                    out.extend(bytes);
                }
            }
        }
        out
    }
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 4;
    flipped
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take(rest: &mut &[u8], len: usize) -> Option<Vec<u8>> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head.to_vec())
}
