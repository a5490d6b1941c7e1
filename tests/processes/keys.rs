//! Which keys the wire shows in use: a key that is seen under two envelopes is found.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use crate::wire::{Fields, MessageKey, envelope};

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

fn message_key(bytes: &[u8]) -> MessageKey {
    let fields = Fields::envelope(bytes);
    let known = envelope::SESSION_ID..=envelope::CIPHERTEXT;
    for (number, _) in &fields.list {
        assert!(known.contains(number) && *number != envelope::PQ, "field {number} in an envelope");
    }
    fields.message_key().expect("an envelope")
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
