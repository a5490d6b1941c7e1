//! The protocol by hand, from `docs/protocol.md` and the named crates alone: an initiator whose every byte a test can choose.

use aes_gcm::{Aes256Gcm, KeyInit, Nonce, aead::Aead, aead::Payload};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use ml_kem::{EncapsulationKey, MlKem768, MlKem1024};
use outrigger::{Address, IdentityKey, PublicKey, UnixMillis, VerifiedBundle};
use sha2::{Digest, Sha256};
use x25519_dalek::StaticSecret;

use super::{
    BOUND, suites,
    wire::{Fields, Value, envelope},
};

/// The public half of a private key.
pub(crate) fn public(private: &[u8; 32]) -> [u8; 32] {
    x25519_dalek::PublicKey::from(&StaticSecret::from(*private)).to_bytes()
}

pub(crate) fn identity(private: &[u8; 32]) -> IdentityKey {
    IdentityKey::parse_encoded(&enc(&public(private))).unwrap()
}

/// `Enc(K)`.
pub(crate) fn enc(key: &[u8; 32]) -> Vec<u8> {
    [&[5][..], key].concat()
}

/// `DH(a, B)`; zero stays zero here.
pub(crate) fn dh(private: &[u8; 32], peer: &[u8; 32]) -> [u8; 32] {
    StaticSecret::from(*private).diffie_hellman(&x25519_dalek::PublicKey::from(*peer)).to_bytes()
}

pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.chain_update(message).finalize().into_bytes().into()
}

pub(crate) fn hkdf<const N: usize>(salt: &[u8], ikm: &[u8], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    Hkdf::<Sha256>::new(Some(salt), ikm).expand(info, &mut out).unwrap();
    out
}

pub(crate) fn lp(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// `KDF_RK`: root key, chain key.
pub(crate) fn root_step(root: &[u8; 32], shared: &[u8; 32]) -> ([u8; 32], [u8; 32]) {
    let out: [u8; 64] = hkdf(root, shared, b"outrigger v1 ratchet root");
    (out[..32].try_into().unwrap(), out[32..].try_into().unwrap())
}

/// The AEAD key of the message that is `ahead` messages beyond a chain key.
pub(crate) fn aead_key(chain: &[u8; 32], ahead: u64) -> [u8; 32] {
    let chain = (0..ahead).fold(*chain, |chain, _| hmac(&chain, &[2]));
    hmac(&hmac(&chain, &[1]), b"outrigger v1 message aead")
}

pub(crate) fn open(key: &[u8; 32], associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, rest) = sealed.split_first_chunk::<12>()?;
    let payload = Payload { msg: rest, aad: associated };
    Aes256Gcm::new(key.into()).decrypt(&Nonce::from(*nonce), payload).ok()
}

fn addr(address: &Address) -> Vec<u8> {
    [lp(address.account.as_bytes()), address.device.0.to_be_bytes().to_vec()].concat()
}

/// The private half of the first ratchet key of every session that is made by hand.
pub(super) const RATCHET: [u8; 32] = [0x22; 32];

/// `Encaps(K)` by a library that is not the crate's, of an encoded KEM key: ciphertext, then secret.
pub(crate) fn encapsulate(encoded: &[u8], message: &[u8; 32]) -> (Vec<u8>, [u8; 32]) {
    let (kind, key) = encoded.split_first().unwrap();
    match kind {
        8 => {
            let key = EncapsulationKey::<MlKem768>::new(key.try_into().unwrap()).unwrap();
            let (ciphertext, secret) = key.encapsulate_deterministic(&(*message).into());
            (ciphertext.to_vec(), secret.into())
        }
        9 => {
            let key = EncapsulationKey::<MlKem1024>::new(key.try_into().unwrap()).unwrap();
            let (ciphertext, secret) = key.encapsulate_deterministic(&(*message).into());
            (ciphertext.to_vec(), secret.into())
        }
        other => panic!("type {other}"),
    }
}

/// What a session by hand has of a KEM.
pub(crate) struct Kem {
    /// The suite's byte.
    pub(crate) suite: u8,
    pub(crate) label: &'static [u8],
    /// `Enc(K)`.
    pub(crate) key: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) secret: [u8; 32],
}

/// What the handshake's secret is derived under.
pub(crate) fn label(large: bool) -> &'static [u8] {
    if large { b"outrigger v1 pqxdh ml-kem-1024" } else { b"outrigger v1 pqxdh ml-kem-768" }
}

impl Kem {
    /// For a key of a bundle.
    pub(crate) fn of(key: &[u8], message: &[u8; 32]) -> Self {
        let (suite, label) = match key[0] {
            8 => (2, label(false)),
            9 => (3, label(true)),
            other => panic!("type {other}"),
        };
        let (ciphertext, secret) = encapsulate(key, message);
        Self { suite, label, key: key.to_vec(), ciphertext, secret }
    }
}

/// A session by hand, at its initiator's side.
pub(crate) struct ByHand {
    pub(super) suite: u8,
    pub(crate) handshake: Fields,
    pub(super) session_id: [u8; 8],
    pub(super) transcript: [u8; 32],
    pub(super) signed: [u8; 32],
    /// What the ratchet begins with.
    pub(super) root: [u8; 32],
    chain: [u8; 32],
}

impl ByHand {
    /// Starts from a private identity key and a private ephemeral one, at whatever time it claims; in the suite that the crate would choose.
    pub(crate) fn start(
        identity: &[u8; 32],
        ephemeral: &[u8; 32],
        own: &Address,
        bundle: &VerifiedBundle,
        started_at: UnixMillis,
    ) -> Self {
        let kem = bundle.suite(suites()).unwrap().kem().and(bundle.kem_prekey());
        let kem = kem.map(|key| Kem::of(key.encoded(), &[0x44; 32]));
        Self::start_with(identity, ephemeral, own, bundle, started_at, kem)
    }

    /// The same, with the KEM part as given.
    pub(crate) fn start_with(
        identity: &[u8; 32],
        ephemeral: &[u8; 32],
        own: &Address,
        bundle: &VerifiedBundle,
        started_at: UnixMillis,
        kem: Option<Kem>,
    ) -> Self {
        let bare = |key: &PublicKey| *key.as_bytes();
        let [peer_identity, signed] =
            [bare(bundle.identity_key().public_key()), bare(bundle.signed_prekey())];
        let one_time = bundle.one_time_prekey().map(bare);
        let mut material = [0xff; 32].to_vec();
        material.extend(dh(identity, &signed));
        material.extend(dh(ephemeral, &peer_identity));
        material.extend(dh(ephemeral, &signed));
        material.extend(one_time.iter().flat_map(|key| dh(ephemeral, key)));
        material.extend(kem.iter().flat_map(|kem| kem.secret));
        let label = kem.as_ref().map_or(&b"outrigger v1 x3dh"[..], |kem| kem.label);
        let suite = kem.as_ref().map_or(1, |kem| kem.suite);
        let secret: [u8; 32] = hkdf(&[0; 32], &material, label);
        let mut parts = vec![
            b"outrigger v1 transcript".to_vec(),
            vec![1, suite],
            enc(&public(identity)),
            enc(&peer_identity),
            addr(own),
            addr(bundle.address()),
            enc(&public(ephemeral)),
            enc(&signed),
            one_time.as_ref().map(enc).unwrap_or_default(),
        ];
        parts.extend(kem.iter().flat_map(|kem| [kem.key.clone(), kem.ciphertext.clone()]));
        let parts: Vec<u8> = parts.iter().flat_map(|part| lp(part)).collect();
        let transcript: [u8; 32] = Sha256::digest(parts).into();
        let expand = |label: &[u8]| hmac(&secret, &[label, &transcript, &[1]].concat());
        let root = expand(b"outrigger v1 session root");
        let (_, chain) = root_step(&root, &dh(&RATCHET, &signed));
        let mut list = vec![
            (1, Value::Bytes(enc(&public(identity)))),
            (2, Value::Bytes(enc(&public(ephemeral)))),
            (3, Value::Bytes(prekey_id(&signed).to_vec())),
        ];
        list.extend(one_time.map(|key| (4, Value::Bytes(prekey_id(&key).to_vec()))));
        list.extend(kem.map(|kem| (5, Value::Bytes([&kem_id(&kem.key)[..], &kem.ciphertext].concat()))));
        list.push((6, Value::Varint(started_at.0)));
        Self {
            suite,
            handshake: Fields { front: Vec::new(), list },
            session_id: expand(b"outrigger v1 session id")[..8].try_into().unwrap(),
            transcript,
            signed,
            root,
            chain,
        }
    }

    /// Seals whatever content, kind byte included, as message `counter` of the first chain.
    pub(crate) fn seal(&self, counter: u64, content: &[u8]) -> Vec<u8> {
        let list = vec![
            (envelope::SESSION_ID, Value::Fixed64(self.session_id)),
            (envelope::HANDSHAKE, Value::Bytes(self.handshake.encode())),
            (envelope::RATCHET_KEY, Value::Bytes(public(&RATCHET).to_vec())),
        ];
        let fields = Fields { front: vec![1, self.suite], list }.with_number(envelope::COUNTER, counter);
        let len = 12 + content.len() + 16;
        let whole = fields.with_bytes(envelope::CIPHERTEXT, &vec![0; len]).encode();
        let head = &whole[..whole.len() - len];
        let associated = [&lp(head)[..], &self.transcript, BOUND].concat();
        let nonce = [0x33; 12];
        let payload = Payload { msg: content, aad: &associated };
        let key = aead_key(&self.chain, counter);
        let sealed = Aes256Gcm::new((&key).into()).encrypt(&Nonce::from(nonce), payload).unwrap();
        [head, &nonce, &sealed].concat()
    }
}

/// `SHA-256(lp("outrigger v1 prekey id") ‖ Enc(K))[..16]`.
pub(crate) fn prekey_id(key: &[u8; 32]) -> [u8; 16] {
    kem_id(&enc(key))
}

/// The same of a key with its type byte.
pub(crate) fn kem_id(encoded: &[u8]) -> [u8; 16] {
    let hash = Sha256::digest([&lp(b"outrigger v1 prekey id"), encoded].concat());
    hash[..16].try_into().unwrap()
}
