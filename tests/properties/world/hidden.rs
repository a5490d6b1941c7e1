//! Encrypted headers by hand, from `docs/protocol.md`, sections 2, 5, 6 and 7: for who holds the keys, and for who looks at the wire.

use std::collections::BTreeSet;

use aes_gcm::{
    Aes256Gcm, AesGcm, KeyInit, Nonce,
    aead::{Aead, Payload, consts::U16},
    aes::Aes256,
};
use outrigger::{Headers, IdentityKey, ratchet::Ratchet};

use super::{
    BOUND,
    hand::{ByHand, RATCHET, aead_key, dh, enc, hkdf, hmac, lp, open, public},
};

/// The two bytes in front.
pub(crate) const FRONT: [u8; 2] = [1, 0x80];
/// Length of an encrypted header.
pub(crate) const HEADER: usize = 88;
/// Length of an envelope that holds nothing, without a note.
pub(crate) const LEAST: usize = FRONT.len() + HEADER + 28;

pub(crate) type Key = [u8; 32];

type HeaderGcm = AesGcm<Aes256, U16>;

/// The length of a note, by its kind.
pub(crate) fn note_len(kind: u8) -> usize {
    [226, 186, 1_293, 1_773][usize::from(kind)]
}

/// HENCRYPT of whatever bytes, the zeros included.
pub(crate) fn seal_raw(key: &Key, nonce: [u8; 16], text: &[u8]) -> Vec<u8> {
    let sealed = HeaderGcm::new(key.into()).encrypt(&Nonce::from(nonce), text).unwrap();
    [&nonce[..], &sealed].concat()
}

pub(crate) fn seal_header(key: &Key, header: &[u8; 40]) -> Vec<u8> {
    let nonce = hmac(key, header);
    seal_raw(key, *nonce.first_chunk().unwrap(), &[&[0; 16][..], header].concat())
}

/// What GCM alone opens.
pub(crate) fn open_raw(key: &Key, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, rest) = sealed.split_first_chunk::<16>()?;
    HeaderGcm::new(key.into()).decrypt(&Nonce::from(*nonce), rest).ok()
}

pub(crate) fn open_header(key: &Key, sealed: &[u8]) -> Option<[u8; 40]> {
    let text = open_raw(key, sealed)?;
    let (zeros, header) = text.split_first_chunk::<16>()?;
    (*zeros == [0; 16]).then_some(header.try_into().ok()?)
}

/// `ratchet key ‖ u32be(PN) ‖ u32be(N)`.
pub(crate) fn header(key: &Key, previous: u32, counter: u32) -> [u8; 40] {
    let parts = [&key[..], &previous.to_be_bytes(), &counter.to_be_bytes()];
    parts.concat().try_into().unwrap()
}

fn thirds(bytes: [u8; 96]) -> [Key; 3] {
    let ([one, two, three], []) = bytes.as_chunks() else { unreachable!() };
    [*one, *two, *three]
}

/// Root key, HKa, NHKb.
pub(crate) fn begin(secret: &Key) -> [Key; 3] {
    thirds(hkdf(&[0; 32], secret, b"outrigger v1 ratchet headers"))
}

/// `KDF_RK_HE`: root key, chain key, next header key.
pub(crate) fn turn(root: &Key, shared: &Key) -> [Key; 3] {
    thirds(hkdf(root, shared, b"outrigger v1 ratchet hidden root"))
}

/// A message of a ratchet: header, then text, both under whatever keys.
pub(crate) fn seal_message(
    header_key: &Key,
    header: &[u8; 40],
    (chain, ahead): (&Key, u64),
    front: &[u8],
    bound: &[u8],
    text: &[u8],
) -> Vec<u8> {
    seal_behind(&seal_header(header_key, header), (chain, ahead), front, bound, text)
}

/// The same with a header that was sealed before.
pub(crate) fn seal_behind(
    sealed: &[u8],
    (chain, ahead): (&Key, u64),
    front: &[u8],
    bound: &[u8],
    text: &[u8],
) -> Vec<u8> {
    let head = [front, sealed].concat();
    let associated = [&lp(&head)[..], bound].concat();
    let payload = Payload { msg: text, aad: &associated };
    let key = aead_key(chain, ahead);
    let sealed = Aes256Gcm::new((&key).into()).encrypt(&Nonce::from([0x33; 12]), payload).unwrap();
    [&head[..], &[0x33; 12], &sealed].concat()
}

/// A note under a private key of the sender's choice, which shows the given top bit.
pub(crate) fn note(kind: u8, text: &[u8], ephemeral: &Key, top: bool, to: &IdentityKey) -> Vec<u8> {
    let to = *to.public_key().as_bytes();
    let mut shown = public(ephemeral);
    shown[31] |= u8::from(top) << 7;
    let info = [b"outrigger v1 note", &FRONT[..], &[kind], &shown, &enc(&to)].concat();
    let key: Key = hkdf(&[0; 32], &dh(ephemeral, &to), &info);
    let mut padded = [text, &[0x80]].concat();
    padded.resize(note_len(kind) - 60, 0);
    let sealed = Aes256Gcm::new((&key).into()).encrypt(&Nonce::from([0x35; 12]), &padded[..]).unwrap();
    [&shown[..], &[0x35; 12], &sealed].concat()
}

impl ByHand {
    /// What stands in the note: session id, handshake.
    pub(crate) fn note_text(&self) -> Vec<u8> {
        [&self.session_id[..], &self.handshake.encode()].concat()
    }

    /// Message `counter` of the first chain, header encrypted, behind a front that a test has chosen.
    pub(crate) fn seal_hidden_behind(&self, front: &[u8], counter: u32, content: &[u8]) -> Vec<u8> {
        let [root, first, _] = begin(&self.root);
        let [_, chain, _] = turn(&root, &dh(&RATCHET, &self.signed));
        let bound = [&self.transcript, BOUND].concat();
        let header = header(&public(&RATCHET), 0, counter);
        seal_message(&first, &header, (&chain, u64::from(counter)), front, &bound, content)
    }

    /// The same behind its note.
    pub(crate) fn seal_hidden(&self, counter: u32, content: &[u8], to: &IdentityKey) -> Vec<u8> {
        let note = note(self.suite, &self.note_text(), &[0x51; 32], true, to);
        self.seal_hidden_behind(&[&FRONT[..], &note].concat(), counter, content)
    }
}

/// One end of a ratchet by hand, which says whatever a test wants.
#[derive(Clone)]
pub(crate) struct Hand {
    root: Key,
    pub(crate) private: Key,
    /// The other end's ratchet key.
    pub(crate) peer: Key,
    pub(crate) chain: Key,
    /// HKs, NHKs, HKr, NHKr.
    pub(crate) sending: Key,
    pub(crate) next_sending: Key,
    pub(crate) receiving: Option<Key>,
    pub(crate) next_receiving: Key,
}

impl Hand {
    /// The side that speaks first.
    pub(crate) fn initiate(secret: &Key, peer: Key, private: Key) -> Self {
        let [root, first, answer] = begin(secret);
        let [root, chain, next] = turn(&root, &dh(&private, &peer));
        Self {
            root,
            private,
            peer,
            chain,
            sending: first,
            next_sending: next,
            receiving: None,
            next_receiving: answer,
        }
    }

    /// Its ratchet key.
    pub(crate) fn key(&self) -> Key {
        public(&self.private)
    }

    pub(crate) fn header(&self, previous: u32, counter: u32) -> [u8; 40] {
        header(&self.key(), previous, counter)
    }

    /// A message as the page says.
    pub(crate) fn says(&self, previous: u32, counter: u32) -> Vec<u8> {
        let header = self.header(previous, counter);
        seal_message(&self.sending, &header, (&self.chain, counter.into()), &[], BOUND, b"said")
    }

    /// A message under a header key and with a header of a test's choice, its text under the current chain.
    pub(crate) fn lies(&self, header_key: &Key, header: &[u8; 40], ahead: u32) -> Vec<u8> {
        seal_message(header_key, header, (&self.chain, ahead.into()), &[], BOUND, b"said")
    }

    /// Takes the first message of the other end's next chain, and begins a chain of its own.
    pub(crate) fn turns(&mut self, message: &[u8], private: Key) {
        self.hears(message);
        self.begins(private);
    }

    /// The receiving half.
    pub(crate) fn hears(&mut self, message: &[u8]) {
        let (sealed, ciphertext) = message.split_at(HEADER);
        let header = open_header(&self.next_receiving, sealed).expect("a new chain");
        self.peer = *header.first_chunk().unwrap();
        let [root, chain, next] = turn(&self.root, &dh(&self.private, &self.peer));
        let associated = [&lp(sealed)[..], BOUND].concat();
        assert!(open(&aead_key(&chain, 0), &associated, ciphertext).is_some());
        self.root = root;
        self.receiving = Some(core::mem::replace(&mut self.next_receiving, next));
    }

    /// `KDF_RK_HE` with the other end's key of now.
    pub(crate) fn turn_with_peer(&self) -> [Key; 3] {
        turn(&self.root, &dh(&self.private, &self.peer))
    }

    /// The header of a message of the other end, if it is of its current chain or its next.
    pub(crate) fn reads(&self, message: &[u8]) -> Option<[u8; 40]> {
        let keys = self.receiving.iter().chain([&self.next_receiving]);
        keys.filter_map(|key| open_header(key, &message[..HEADER])).next()
    }

    /// The sending half.
    pub(crate) fn begins(&mut self, private: Key) {
        let [root, chain, next] = turn(&self.root, &dh(&private, &self.peer));
        (self.root, self.chain, self.private) = (root, chain, private);
        self.sending = core::mem::replace(&mut self.next_sending, next);
    }
}

/// Whether two ratchets' saved states are the same.
pub(crate) fn same_state(one: &Ratchet, other: &[u8]) -> bool {
    *one.save() == *other
}

/// Messages that share a string of eight bytes behind their first two, or hold one twice.
pub(crate) fn repeats<'a>(messages: impl IntoIterator<Item = &'a Vec<u8>>) -> usize {
    let messages = messages.into_iter();
    let windows = messages.flat_map(|message| message[FRONT.len()..].windows(8));
    let mut all: Vec<u64> = windows.map(|window| u64::from_be_bytes(window.try_into().unwrap())).collect();
    all.sort_unstable();
    all.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

/// Every 32 bytes of some records that open a header.
pub(crate) fn keys_that_open<'a>(
    records: impl IntoIterator<Item = &'a Vec<u8>>,
    sealed: &[u8],
) -> BTreeSet<Key> {
    let windows = records.into_iter().flat_map(|record| record.windows(32));
    windows
        .map(|window| window.try_into().unwrap())
        .filter(|key| open_header(key, sealed).is_some())
        .collect()
}

/// The encrypted header of an envelope without a note.
pub(crate) fn header_of(envelope: &[u8]) -> &[u8] {
    &envelope[FRONT.len()..][..HEADER]
}

/// What must be so before a test of this file means anything.
pub(crate) fn assert_hidden(envelope: &[u8], headers: Headers) {
    assert_eq!((envelope.starts_with(&FRONT), headers), (true, Headers::Encrypted));
}
