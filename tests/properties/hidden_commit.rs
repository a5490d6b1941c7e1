//! Key commitment of encrypted headers: GCM opens one ciphertext under two keys where someone has computed it so, and here that is done. The crate
//! takes no such one under both.

use aes_gcm::{
    KeyInit,
    aes::{Aes256, cipher::BlockCipherEncrypt},
};
use outrigger::{
    Headers, KeyPair, Limits, RootSecret,
    ratchet::{DecryptError, Ratchet},
};

use crate::world::{
    BOUND, NOON,
    hand::public,
    hidden::{Key, begin, header, open_header, open_raw, seal_raw},
};

/// Multiplication in GF(2^128) as GCM has it: the first bit of a block is the highest here.
fn times(x: u128, y: u128) -> u128 {
    let (mut product, mut power) = (0, x);
    for bit in (0..128).rev() {
        if y >> bit & 1 == 1 {
            product ^= power;
        }
        power = power >> 1 ^ if power & 1 == 1 { 0xe1 << 120 } else { 0 };
    }
    product
}

/// By Fermat: x^(2^128 - 2).
fn inverse(x: u128) -> u128 {
    let one = 1 << 127;
    let (mut result, mut square) = (one, x);
    for _ in 1..128 {
        square = times(square, square);
        result = times(result, square);
    }
    assert_eq!(times(result, x), one);
    result
}

/// GCM with a nonce of 16 bytes under one key.
struct Gcm {
    cipher: Aes256,
    hash_key: u128,
    first: u128,
}

impl Gcm {
    fn new(key: &Key, nonce: [u8; 16]) -> Self {
        let cipher = Aes256::new(key.into());
        let hash_key = encrypt(&cipher, 0);
        let first = times(times(u128::from_be_bytes(nonce), hash_key) ^ 128, hash_key);
        Self { cipher, hash_key, first }
    }

    /// The key stream of a block, from 0.
    fn stream(&self, block: u32) -> u128 {
        let counter = (self.first as u32).wrapping_add(1 + block);
        encrypt(&self.cipher, self.first >> 32 << 32 | u128::from(counter))
    }

    /// The tag of so many blocks of which the last is filled with zeros.
    fn tag(&self, blocks: &[u128], bytes: u128) -> u128 {
        let length = [bytes * 8];
        let hash = blocks.iter().chain(&length).fold(0, |hash, block| times(hash ^ block, self.hash_key));
        hash ^ encrypt(&self.cipher, self.first)
    }

    /// By what a block at this place is multiplied in the tag.
    fn weight(&self, place: usize, blocks: usize) -> u128 {
        (place..blocks).fold(self.hash_key, |weight, _| times(weight, self.hash_key))
    }
}

fn encrypt(cipher: &Aes256, block: u128) -> u128 {
    let mut block = block.to_be_bytes().into();
    cipher.encrypt_block(&mut block);
    u128::from_be_bytes(block.into())
}

/// A ciphertext of 56 bytes that is authentic under both keys: what it says under the first is given, but for the block at `free`.
fn two_keys(keys: &[Key; 2], nonce: [u8; 16], says: &[u8; 56], free: usize) -> Vec<u8> {
    let [one, two] = keys.each_ref().map(|key| Gcm::new(key, nonce));
    let mut padded = [0; 64];
    padded[..56].copy_from_slice(says);
    let (chunks, []) = padded.as_chunks::<16>() else { unreachable!() };
    let mut blocks: Vec<u128> = chunks.iter().map(|block| u128::from_be_bytes(*block)).collect();
    for (place, block) in blocks.iter_mut().enumerate() {
        *block ^= one.stream(place as u32);
    }
    blocks[3] = blocks[3] >> 64 << 64;
    blocks[free] = 0;
    let apart = one.tag(&blocks, 56) ^ two.tag(&blocks, 56);
    let weights = one.weight(free, 4) ^ two.weight(free, 4);
    blocks[free] = times(apart, inverse(weights));
    let tag = one.tag(&blocks, 56);
    assert_eq!(tag, two.tag(&blocks, 56));
    let bytes: Vec<u8> = blocks.iter().flat_map(|block| block.to_be_bytes()).take(56).collect();
    [&nonce[..], &bytes, &tag.to_be_bytes()].concat()
}

/// GCM commits to no key: here are ciphertexts that it opens under two. With the zeros in front no ratchet of the two takes such a one, or one alone
/// does, whichever block was spent on the collision.
#[test]
fn l17_a_ciphertext_under_two_keys_is_a_header_under_one_at_most() {
    let secrets: [Key; 2] = [[0x0a; 32], [0x0b; 32]];
    let keys = secrets.map(|secret| begin(&secret)[1]);
    let far = DecryptError::TooFarAhead { gap: 5_000, limit: 1_000 };
    let head = header(&public(&[0x23; 32]), 0, 5_000);
    let says: [u8; 56] = [&[0; 16][..], &head].concat().try_into().unwrap();
    // Control: a header of the one key is taken by the one ratchet, which says how far ahead it is.
    let mut ratchets = secrets.map(|secret| {
        let pair = KeyPair::take_from(&mut [0x66; 32]);
        Ratchet::respond_with(Headers::Encrypted, RootSecret::take_from(&mut { secret }), pair)
    });
    let mut taken = |sealed: &[u8]| {
        let message = [sealed, &[0; 28]].concat();
        ratchets.each_mut().map(|ratchet| {
            let error = ratchet.decrypt(&message, BOUND, NOON, &Limits::DEFAULT).unwrap_err();
            assert!([far, DecryptError::NotAuthentic].contains(&error), "{error:?}");
            error == far
        })
    };
    assert_eq!(taken(&seal_raw(&keys[0], [1; 16], &says)), [true, false]);
    assert_eq!(taken(&seal_raw(&keys[1], [1; 16], &says)), [false, true]);
    let (mut both, mut one) = (0, 0);
    for nonce in 0..64 {
        for free in 0..3 {
            let sealed = two_keys(&keys, [nonce; 16], &says, free);
            let opened = keys.map(|key| open_raw(&key, &sealed).expect("plain GCM opens it under both"));
            assert_eq!(opened[0][48..], says[48..], "as was wanted under the first");
            assert_ne!(opened[0], opened[1]);
            both += 1;
            let [first, second] = taken(&sealed);
            assert!(!second, "not under the second key");
            assert_eq!(first, open_header(&keys[0], &sealed).is_some_and(|head| head[31] & 0x80 == 0));
            // Without the first block, which had to be zero, it is a header under none.
            assert!(free > 0 || !first);
            one += usize::from(first);
        }
    }
    assert!(
        (both, one > 64) == (192, true),
        "{one}: the crate takes those of one key, or this shows nothing"
    );
}
