//! Which keys the wire shows in use: an envelope is taken apart by hand, and a key that is seen under two envelopes is found.
//!
//! Equal session, ratchet key and counter mean an equal AEAD key (`docs/protocol.md`, section 7).

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

/// Session id, ratchet key and counter: what stands for a message's key.
type MessageKey = ([u8; 8], [u8; 32], u64);

/// All keys that were seen, and under which envelope.
#[derive(Default)]
pub(crate) struct Keys {
    seen: HashMap<MessageKey, u64>,
    digests: RandomState,
}

impl Keys {
    /// Notes an envelope; whether it is a new one, and no repeat of the same bytes.
    pub(crate) fn note(&mut self, envelope: &[u8]) -> bool {
        let digest = self.digests.hash_one(envelope);
        match self.seen.insert(message_key(envelope), digest) {
            None => true,
            Some(before) => {
                assert_eq!(before, digest, "one key for two messages");
                false
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }
}

/// Fields 1, 3 and 5 of an envelope, `docs/protocol.md`, section 5.
fn message_key(envelope: &[u8]) -> MessageKey {
    let mut rest = &envelope[2..];
    let (mut session, mut ratchet_key, mut counter) = ([0; 8], [0; 32], 0);
    while let [tag, after @ ..] = rest {
        rest = after;
        match tag {
            0x09 => session.copy_from_slice(take(&mut rest, 8)),
            0x1a => {
                assert_eq!(varint(&mut rest), 32);
                ratchet_key.copy_from_slice(take(&mut rest, 32));
            }
            0x20 => drop(varint(&mut rest)),
            0x28 => counter = varint(&mut rest),
            0x12 | 0x3a => {
                let len = varint(&mut rest);
                take(&mut rest, usize::try_from(len).unwrap());
            }
            tag => panic!("field {tag:#x} in an envelope"),
        }
    }
    (session, ratchet_key, counter)
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (head, tail) = rest.split_at(len);
    *rest = tail;
    head
}

#[test]
#[should_panic(expected = "one key for two messages")]
fn one_key_for_two_messages_is_found() {
    let envelope =
        |text: u8| [&[1, 1, 0x09][..], &[7; 8], &[0x1a, 32], &[8; 32], &[0x28, 3, 0x3a, 1, text]].concat();
    let mut keys = Keys::default();
    assert!(keys.note(&envelope(1)));
    assert!(!keys.note(&envelope(1)));
    keys.note(&envelope(2));
}
