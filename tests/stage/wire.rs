//! Messages taken apart and put together again, field by field, without any of the crate's checks (`docs/protocol.md`, sections 5 and 8).

#![allow(dead_code, reason = "each test takes of it what it needs")]

/// The value of a protobuf field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(Vec<u8>),
}

/// Bytes in front, then fields in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) front: Vec<u8>,
    pub(crate) list: Vec<(u64, Value)>,
}

const NONCE: usize = 12;
/// Version, and what stands in a suite's place where the header is encrypted.
const HIDDEN: [u8; 2] = [1, 0x80];
/// What stands in front of a retry request in clear.
pub(crate) const REQUEST: [u8; 2] = [1, 0];
/// Lengths of the notes that can stand in front of an encrypted header: none, and one of each suite.
pub(crate) const NOTES: [usize; 4] = [0, 186, 1_293, 1_773];
/// An encrypted header, and the nonce at its front.
pub(crate) const HIDDEN_HEADER: usize = 88;
const HEADER_NONCE: usize = 16;

/// What stands for a message's key.
pub(crate) type MessageKey = ([u8; 8], [u8; 32], u64);

/// Whether what an envelope's header says cannot be read.
pub(crate) fn is_hidden(bytes: &[u8]) -> bool {
    bytes.starts_with(&HIDDEN)
}

/// What an envelope shows that must come once and never again: what stands for its key, with the nonce. One with an encrypted header does not show what its keys are, nor whether
/// a note is in front: then all bytes that may be a nonce of the header or of the text. Where all draws differ these do, whatever the keys are: that no nonce comes twice is
/// more than that none does under one key, which matters for headers, as two chains of a store that went back have one header key.
/// Of a retry request in clear: nothing.
pub(crate) fn sealed_with(bytes: &[u8]) -> Vec<Vec<u8>> {
    if is_hidden(bytes) {
        let at = |begin: usize, len: usize| bytes.get(begin..begin + len).map(<[u8]>::to_vec);
        let nonces = |note| {
            let header = HIDDEN.len() + note;
            [at(header, HEADER_NONCE), at(header + HIDDEN_HEADER, NONCE)]
        };
        return NOTES.into_iter().flat_map(nonces).flatten().collect();
    }
    if bytes.starts_with(&REQUEST) {
        return Vec::new();
    }
    let key_and_nonce = Fields::try_parse(bytes, 2).and_then(|fields| fields.key_and_nonce());
    let joined = key_and_nonce.map(|((session, ratchet_key, counter), nonce)| {
        [&session[..], &ratchet_key, &counter.to_be_bytes(), &nonce].concat()
    });
    joined.into_iter().collect()
}

/// Field numbers of an envelope.
pub(crate) mod envelope {
    pub(crate) const SESSION_ID: u64 = 1;
    pub(crate) const HANDSHAKE: u64 = 2;
    pub(crate) const RATCHET_KEY: u64 = 3;
    pub(crate) const PREVIOUS_COUNTER: u64 = 4;
    pub(crate) const COUNTER: u64 = 5;
    pub(crate) const PQ: u64 = 6;
    pub(crate) const CIPHERTEXT: u64 = 7;
}

impl Fields {
    /// Takes a message apart behind `front` bytes: 2 for an envelope or a retry request, 1 for a bundle or a number statement, 0 for the rest.
    pub(crate) fn parse(bytes: &[u8], front: usize) -> Self {
        Self::try_parse(bytes, front).expect("a message of fields")
    }

    /// The same of bytes that may be none: `None`.
    pub(crate) fn try_parse(bytes: &[u8], front: usize) -> Option<Self> {
        let (front, mut rest) = bytes.split_at_checked(front)?;
        let mut list = Vec::new();
        while !rest.is_empty() {
            let tag = varint(&mut rest)?;
            let value = match tag & 7 {
                0 => Value::Varint(varint(&mut rest)?),
                1 => Value::Fixed64(take(&mut rest, 8)?.try_into().ok()?),
                2 => {
                    let len = usize::try_from(varint(&mut rest)?).ok()?;
                    Value::Bytes(take(&mut rest, len)?.to_vec())
                }
                _ => return None,
            };
            list.push((tag >> 3, value));
        }
        Some(Self { front: front.to_vec(), list })
    }

    pub(crate) fn envelope(bytes: &[u8]) -> Self {
        Self::parse(bytes, 2)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = self.front.clone();
        for (number, value) in &self.list {
            match value {
                Value::Varint(value) => {
                    put_varint(number << 3, &mut out);
                    put_varint(*value, &mut out);
                }
                Value::Fixed64(value) => {
                    put_varint(number << 3 | 1, &mut out);
                    out.extend(value);
                }
                Value::Bytes(value) => {
                    put_varint(number << 3 | 2, &mut out);
                    put_varint(value.len() as u64, &mut out);
                    out.extend(value);
                }
            }
        }
        out
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Value> {
        self.list.iter().find(|(known, _)| *known == number).map(|(_, value)| value)
    }

    pub(crate) fn bytes(&self, number: u64) -> &[u8] {
        match self.get(number) {
            Some(Value::Bytes(bytes)) => bytes,
            other => panic!("field {number} is {other:?}"),
        }
    }

    /// A number that is left out where it is 0.
    pub(crate) fn number(&self, number: u64) -> u64 {
        match self.get(number) {
            Some(Value::Varint(value)) => *value,
            None => 0,
            other => panic!("field {number} is {other:?}"),
        }
    }

    /// Session id, ratchet key and counter of an envelope: equal ones mean an equal AEAD key (`docs/protocol.md`, section 7).
    pub(crate) fn message_key(&self) -> Option<MessageKey> {
        match (self.get(envelope::SESSION_ID)?, self.get(envelope::RATCHET_KEY)?) {
            (Value::Fixed64(session), Value::Bytes(key)) => {
                Some((*session, key.as_slice().try_into().ok()?, self.number(envelope::COUNTER)))
            }
            _ => None,
        }
    }

    /// What stands for an envelope's key, and its nonce: the first bytes of the ciphertext.
    pub(crate) fn key_and_nonce(&self) -> Option<(MessageKey, [u8; NONCE])> {
        let nonce = self.bytes(envelope::CIPHERTEXT).first_chunk()?;
        Some((self.message_key()?, *nonce))
    }

    /// The same with a field set, in its place by number; `None` leaves it out.
    pub(crate) fn with(&self, number: u64, value: Option<Value>) -> Self {
        let mut list: Vec<_> = self.list.iter().filter(|(known, _)| *known != number).cloned().collect();
        if let Some(value) = value {
            let place = list.iter().take_while(|(known, _)| *known < number).count();
            list.insert(place, (number, value));
        }
        Self { front: self.front.clone(), list }
    }

    pub(crate) fn with_bytes(&self, number: u64, bytes: &[u8]) -> Self {
        self.with(number, Some(Value::Bytes(bytes.to_vec())))
    }

    pub(crate) fn with_number(&self, number: u64, value: u64) -> Self {
        self.with(number, (value != 0).then_some(Value::Varint(value)))
    }
}

pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
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

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}
