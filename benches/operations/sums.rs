//! The primitive calls that the operations cannot avoid, made directly on the crates that implement them.
//!
//! Strict where there is a choice: one key schedule for the two HMACs of a chain step, one conversion of a key for the two signatures of a
//! bundle, sealing and opening in place in a buffer that is there already, no allocation, nothing wiped but what the crates wipe themselves.

use std::hint::black_box;

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce, Tag,
    aead::{AeadInOut, inout::InOutBuf},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand_core::TryRng;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::{
    case::{Act, Repeat},
    source::Source,
};

type HmacSha256 = Hmac<Sha256>;
type Key = [u8; 32];

const LABEL: [u8; 25] = [9; 25];
const HEADER_KEY: Key = [7; 32];

fn draw<const N: usize>(source: &mut Source) -> [u8; N] {
    let mut bytes = [0; N];
    let Ok(()) = source.try_fill_bytes(&mut bytes);
    bytes
}

/// Key generation: 32 random bytes, one multiplication of the base point.
pub(crate) fn key_pair(source: &mut Source) -> (StaticSecret, PublicKey) {
    let secret = StaticSecret::from(draw(source));
    let public = PublicKey::from(&secret);
    (secret, public)
}

/// Two HMACs of one chain key: the message key and the next chain key.
pub(crate) fn chain_step(chain: &Key) -> (Key, Key) {
    let mac = HmacSha256::new_from_slice(chain).unwrap();
    let message = mac.clone().chain_update([1]).finalize().into_bytes().into();
    (message, mac.chain_update([2]).finalize().into_bytes().into())
}

/// The same as two whole HMACs, each with its own key schedule: the literal reading of "two HMACs".
pub(crate) fn chain_step_literal(chain: &Key) -> (Key, Key) {
    let mac = |byte| HmacSha256::new_from_slice(chain).unwrap().chain_update([byte]).finalize();
    (mac(1).into_bytes().into(), mac(2).into_bytes().into())
}

/// Three calls of AES-256-GCM on what a header is sealed with.
pub(crate) fn seal_headers(text: &mut Text) {
    (0..3).for_each(|_| text.seal(black_box(&HEADER_KEY)));
}

/// The same the other way, of what [`Text::header`] has.
pub(crate) fn open_headers(text: &mut Text) {
    (0..3).for_each(|_| text.open(black_box(&HEADER_KEY)));
}

/// One HMAC.
pub(crate) fn hmac(key: &Key, message: &[u8]) -> Key {
    HmacSha256::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().into()
}

/// A message's keys: chain step and AEAD key.
pub(crate) fn message_keys(chain: &Key) -> Key {
    let (message, next) = chain_step(chain);
    black_box(next);
    hmac(&message, &LABEL)
}

/// What one message seals or opens: buffers of the real lengths, kept from call to call.
pub(crate) struct Text {
    source: Source,
    chain: Key,
    associated: Vec<u8>,
    plaintext: Vec<u8>,
    out: Vec<u8>,
    nonce: [u8; 12],
    tag: Tag,
}

impl Text {
    /// For messages of `sealed` plaintext bytes that bind `associated` bytes.
    pub(crate) fn new(sealed: usize, associated: usize) -> Self {
        let mut text = Self {
            source: Source::new(2),
            chain: [3; 32],
            associated: vec![5; associated],
            plaintext: vec![6; sealed],
            out: vec![0; sealed],
            nonce: [0; 12],
            tag: Tag::default(),
        };
        text.send();
        text.plaintext.copy_from_slice(&text.out);
        text
    }

    /// What is sealed of a header: 16 zero bytes and the header.
    pub(crate) fn header() -> Self {
        let mut text = Self::new(16 + 40, 0);
        text.seal(&HEADER_KEY);
        text.plaintext.copy_from_slice(&text.out);
        text
    }

    /// Everything of a steady-state send: the keys, a random nonce, AES-256-GCM.
    pub(crate) fn send(&mut self) {
        let key = message_keys(black_box(&self.chain));
        self.seal(&key);
    }

    /// The same with three whole HMACs.
    pub(crate) fn send_literal(&mut self) {
        let (message, next) = chain_step_literal(black_box(&self.chain));
        black_box(next);
        self.seal(&hmac(&message, &LABEL));
    }

    /// Everything of a steady-state receive: the keys, AES-256-GCM.
    pub(crate) fn receive(&mut self) {
        let key = message_keys(black_box(&self.chain));
        self.open(&key);
    }

    /// The same with three whole HMACs.
    pub(crate) fn receive_literal(&mut self) {
        let (message, next) = chain_step_literal(black_box(&self.chain));
        black_box(next);
        self.open(&hmac(&message, &LABEL));
    }

    fn seal(&mut self, key: &Key) {
        self.nonce = draw(&mut self.source);
        let text = InOutBuf::new(&self.plaintext, &mut self.out).unwrap();
        self.tag = Aes256Gcm::new(key.into())
            .encrypt_inout_detached(&Nonce::from(self.nonce), &self.associated, text)
            .unwrap();
        black_box(&self.out);
    }

    fn open(&mut self, key: &Key) {
        let text = InOutBuf::new(&self.plaintext, &mut self.out).unwrap();
        Aes256Gcm::new(key.into())
            .decrypt_inout_detached(&Nonce::from(self.nonce), &self.associated, text, &self.tag)
            .unwrap();
        black_box(&self.out);
    }
}

/// Two key pairs and a peer, for what costs Diffie-Hellmans.
pub(crate) struct Curve {
    pub(crate) source: Source,
    own: StaticSecret,
    peer: PublicKey,
}

impl Curve {
    pub(crate) fn new() -> Self {
        let mut source = Source::new(2);
        let (own, _) = key_pair(&mut source);
        let (_, peer) = key_pair(&mut source);
        Self { source, own, peer }
    }

    fn dh(&self) -> Key {
        self.own.diffie_hellman(black_box(&self.peer)).to_bytes()
    }

    /// The receiving half of a turn: one Diffie-Hellman, one root step.
    pub(crate) fn receiving_half(&self) -> Key {
        root_step(&self.dh())
    }

    /// The sending half of a turn: one key generation, one Diffie-Hellman, one root step.
    pub(crate) fn sending_half(&mut self) -> Key {
        let (own, public) = key_pair(&mut self.source);
        black_box(public);
        root_step(&own.diffie_hellman(black_box(&self.peer)).to_bytes())
    }

    /// X3DH at the initiator: a key generation, and what both sides do, and two prekey ids.
    pub(crate) fn initiate(&mut self) {
        black_box(key_pair(&mut self.source));
        self.respond();
        for _ in 0..2 {
            black_box(Sha256::digest(black_box([8; 59])));
        }
    }

    /// X3DH at either side: four Diffie-Hellmans, the secret, the transcript, the two outputs.
    pub(crate) fn respond(&self) {
        self.agree(&[], &[8; 274]);
    }

    /// The same with the secret of a KEM, where there is one, and a transcript of another length.
    pub(crate) fn agree(&self, kem_secret: &[u8], transcript: &[u8]) {
        let mut material = [0xff; 32 + 4 * 32 + 32];
        let (curve, kem) = material[32..].split_at_mut(4 * 32);
        for place in curve.chunks_exact_mut(32) {
            place.copy_from_slice(&self.dh());
        }
        kem[..kem_secret.len()].copy_from_slice(kem_secret);
        let material = &material[..32 + 4 * 32 + kem_secret.len()];
        let (secret, _) = Hkdf::<Sha256>::extract(Some(&[0; 32]), material);
        let secret = hmac(&secret.into(), &[1; 18]);
        black_box(Sha256::digest(black_box(transcript)));
        black_box((hmac(&secret, &[1; 58]), hmac(&secret, &[2; 56])));
    }
}

/// A message that brings a new ratchet key: the receiving half and the message.
pub(crate) fn receiving_turn(mut text: Text) -> impl Act {
    let curve = Curve::new();
    Repeat(move || {
        black_box(curve.receiving_half());
        text.receive();
    })
}

/// The answer to it: the sending half and the message.
pub(crate) fn sending_turn(mut text: Text) -> impl Act {
    let mut curve = Curve::new();
    Repeat(move || {
        black_box(curve.sending_half());
        text.send();
    })
}

/// A retry request: the digest of a head, and a body of 55 bytes under a key of its own.
pub(crate) fn seal_request(curve: &mut Curve) {
    black_box(Sha256::digest(black_box([8; 4 + 23 + 51])));
    let salt = draw(&mut curve.source);
    let (key, transcript) = request_key(curve, &salt);
    let nonce = draw(&mut curve.source);
    let mut body = [7; 55];
    let tag = Aes256Gcm::new((&key).into())
        .encrypt_inout_detached(&Nonce::from(nonce), &transcript, InOutBuf::from(&mut body[..]))
        .unwrap();
    black_box((nonce, body, tag));
}

/// What opening it costs, with the digest of the head that is looked for: of a request that the same curve has sealed under this salt.
pub(crate) struct OpenRequest {
    curve: Curve,
    nonce: [u8; 12],
    body: [u8; 55],
    tag: Tag,
}

impl OpenRequest {
    const SALT: Key = [4; 32];

    pub(crate) fn new() -> Self {
        let curve = Curve::new();
        let (nonce, mut body) = ([3; 12], [7; 55]);
        let (key, transcript) = request_key(&curve, &Self::SALT);
        let tag = Aes256Gcm::new((&key).into())
            .encrypt_inout_detached(&Nonce::from(nonce), &transcript, InOutBuf::from(&mut body[..]))
            .unwrap();
        Self { curve, nonce, body, tag }
    }

    pub(crate) fn call(&self) {
        black_box(Sha256::digest(black_box([8; 4 + 23 + 51])));
        let (key, transcript) = request_key(&self.curve, black_box(&Self::SALT));
        let mut body = self.body;
        Aes256Gcm::new((&key).into())
            .decrypt_inout_detached(
                &Nonce::from(self.nonce),
                &transcript,
                InOutBuf::from(&mut body[..]),
                &self.tag,
            )
            .unwrap();
        black_box(body);
    }
}

/// One Diffie-Hellman, a transcript of two keys and two addresses, HKDF.
fn request_key(curve: &Curve, salt: &Key) -> (Key, Key) {
    let transcript: Key = Sha256::digest(black_box([8; 206])).into();
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), &curve.dh())
        .expand_multi_info(&[&[9; 22], &transcript], &mut key)
        .unwrap();
    (key, transcript)
}

/// HKDF to a root key and a chain key.
fn root_step(shared: &Key) -> Key {
    let mut out = [0; 64];
    Hkdf::<Sha256>::new(Some(&[4; 32]), shared).expand(&LABEL, &mut out).unwrap();
    black_box(out);
    *out.last_chunk().unwrap()
}
