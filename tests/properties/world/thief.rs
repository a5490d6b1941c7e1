//! Someone who copied a saved ratchet and has `docs/protocol.md`: reads whatever the copied keys can read, and needs no crate for it.

use super::{
    hand::{aead_key, dh, lp, open, root_step},
    wire::{Fields, envelope},
};

/// How far a thief follows a chain.
const FOLLOW: u64 = 40;

/// The keys in a saved ratchet.
pub(crate) struct Stolen {
    root: [u8; 32],
    own: Option<Own>,
    peer: Option<([u8; 32], [u8; 32], u64)>,
    skipped: Vec<[u8; 32]>,
}

/// The private half of the current ratchet key, and the sending chain where there is one.
struct Own {
    private: [u8; 32],
    chain: Option<([u8; 32], [u8; 32], u64)>,
}

impl Stolen {
    /// Reads what `Ratchet::save` wrote.
    pub(crate) fn read(saved: &[u8]) -> Self {
        let mut rest = &saved[1..];
        let root = array(&mut rest);
        let own = match array::<1>(&mut rest) {
            [0] => {
                let (private, _public): ([u8; 32], [u8; 32]) = (array(&mut rest), array(&mut rest));
                Some(Own { private, chain: None })
            }
            [1] => None,
            [2] => {
                let (private, public) = (array(&mut rest), array(&mut rest));
                let (chain, next) = (array(&mut rest), number(&mut rest));
                Some(Own { private, chain: Some((public, chain, next)) })
            }
            [other] => panic!("sending state {other}"),
        };
        let _previous_counter: [u8; 4] = array(&mut rest);
        let peer = match array::<1>(&mut rest) {
            [0] => None,
            [1] => {
                let _peer: [u8; 32] = array(&mut rest);
                None
            }
            [2] => Some((array(&mut rest), array(&mut rest), number(&mut rest))),
            [other] => panic!("receiving state {other}"),
        };
        let [earlier] = array::<1>(&mut rest);
        rest = &rest[usize::from(earlier) * 8..];
        let (entries, []) = rest.as_chunks::<52>() else { panic!("skipped keys") };
        let skipped = entries.iter().map(|entry| entry[20..].try_into().unwrap()).collect();
        Self { root, own, peer, skipped }
    }

    /// What the stolen keys make of a message, of either side. `None`: closed to the thief.
    pub(crate) fn reads(&self, message: &[u8], bound: &[u8]) -> Option<Vec<u8>> {
        let fields = Fields::parse(message, 0);
        let key: [u8; 32] = fields.bytes(envelope::RATCHET_KEY).try_into().unwrap();
        let counter = fields.number(envelope::COUNTER);
        let sealed = fields.bytes(envelope::CIPHERTEXT);
        let head = &message[..message.len() - sealed.len()];
        let associated = [&lp(head)[..], bound].concat();
        let at = |chain: &[u8; 32], ahead: u64| open(&aead_key(chain, ahead), &associated, sealed);
        // Each chain key that is held, tried at every place: a thief need not believe a header.
        let held = self.peer.iter().chain(self.own.iter().filter_map(|own| own.chain.as_ref()));
        let in_held =
            || held.clone().find_map(|(_, chain, _)| (0..FOLLOW).find_map(|ahead| at(chain, ahead)));
        let in_next = || {
            let (_, chain) = root_step(&self.root, &dh(&self.own.as_ref()?.private, &key));
            at(&chain, counter)
        };
        let in_skipped = || {
            self.skipped.iter().find_map(|key| {
                open(&super::hand::hmac(key, b"outrigger v1 message aead"), &associated, sealed)
            })
        };
        in_held().or_else(in_next).or_else(in_skipped)
    }
}

fn array<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().unwrap();
    *rest = tail;
    *head
}

fn number(rest: &mut &[u8]) -> u64 {
    u64::from(u32::from_be_bytes(array(rest)))
}
