//! The ratchet by itself, in memory.

use alloc::vec::Vec;
use core::fmt;

use super::{
    Chains, DecryptError, EncryptError, RatchetStateError, RootSecret, SkippedKeys, chains::associated_fits,
};
use crate::{
    primitives::{KeyPair, PublicKey, Random, SecretBytes},
    step::{Headers, Limits, RecordReader, RecordWriter, UnixMillis},
    wire::RatchetMessage,
};

/// Format version of a saved ratchet.
const VERSION: u8 = 1;

/// A Double Ratchet without session, identity or records, from a root secret of any origin.
///
/// A message is 64 to 78 bytes longer than its plaintext, with encrypted headers 116. Save the ratchet *before* a message leaves: one that is sent from a state which is then
/// lost is sent again under the same key (with another nonce, so that nothing leaks but the equality), and the peer takes it for a repeat. The operations of this crate make that order hard to get wrong; this type leaves it to you.
///
/// ```
/// use outrigger::{KeyPair, Limits, Random, RootSecret, UnixMillis, ratchet::Ratchet};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut source = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
/// let mut random = Random::new(&mut source);
/// let bob_key = KeyPair::generate(&mut random)?;
/// let mut alice = Ratchet::initiate(RootSecret::take_from(&mut [7; 32]), bob_key.public(), &mut random)?;
/// let mut bob = Ratchet::respond(RootSecret::take_from(&mut [7; 32]), bob_key);
///
/// let message = alice.encrypt(b"hello", b"channel 1", &mut random)?;
/// let plaintext = bob.decrypt(&message, b"channel 1", UnixMillis(0), &Limits::DEFAULT)?;
/// assert_eq!(&*plaintext, b"hello");
/// # Ok(())
/// # }
/// ```
pub struct Ratchet {
    chains: Chains,
    skipped: SkippedKeys<'static>,
}

impl Ratchet {
    /// The side that speaks first. Draws 32 random bytes; one key generation, one Diffie-Hellman.
    ///
    /// # Errors
    /// [`EncryptError::Random`].
    ///
    /// # Spec
    /// *The Double Ratchet Algorithm*, 3.3 "Initialization".
    pub fn initiate(
        root: RootSecret,
        peer: &PublicKey,
        random: &mut Random<'_>,
    ) -> Result<Self, EncryptError> {
        Self::initiate_with(Headers::Plain, root, peer, random)
    }

    /// [`initiate`](Self::initiate) with headers in clear or encrypted; the other side must choose the same.
    ///
    /// # Errors
    /// [`EncryptError::Random`].
    ///
    /// # Spec
    /// *The Double Ratchet Algorithm*, 4.3 "Initialization"; `docs/protocol.md`, section 7 "Encrypted headers".
    pub fn initiate_with(
        headers: Headers,
        root: RootSecret,
        peer: &PublicKey,
        random: &mut Random<'_>,
    ) -> Result<Self, EncryptError> {
        let chains = Chains::initiate(root, peer, headers, random)?;
        Ok(Self { chains, skipped: SkippedKeys::none() })
    }

    /// The side that listens first, with the key pair whose public half the other side used.
    #[must_use]
    pub fn respond(root: RootSecret, own: KeyPair) -> Self {
        Self::respond_with(Headers::Plain, root, own)
    }

    /// [`respond`](Self::respond) with headers in clear or encrypted.
    #[must_use]
    pub fn respond_with(headers: Headers, root: RootSecret, own: KeyPair) -> Self {
        Self { chains: Chains::respond(root, own, headers), skipped: SkippedKeys::none() }
    }

    /// Encrypts the next message.
    ///
    /// | | type | size | meaning |
    /// |---|---|---|---|
    /// | in | `plaintext` | 0 to 1,044,480 B | |
    /// | in | `associated` | 0 to 4,096 B | bound, not sent: the peer passes the same bytes |
    /// | out | `Vec<u8>` | plaintext and 64 to 78 B; with encrypted headers 116 | the message |
    ///
    /// Draws 12 random bytes, with encrypted headers 28, and 32 more where the sending half of a turn is due, which costs one key generation and one Diffie-Hellman.
    ///
    /// # Errors
    /// [`EncryptError`]; the ratchet is then as it was.
    ///
    /// # Spec
    /// *The Double Ratchet Algorithm*, 3.4 "Encrypting messages"; `docs/protocol.md`, section 7.
    pub fn encrypt(
        &mut self,
        plaintext: &[u8],
        associated: &[u8],
        random: &mut Random<'_>,
    ) -> Result<Vec<u8>, EncryptError> {
        if !associated_fits(associated) {
            return Err(EncryptError::TooLong);
        }
        self.chains.seal(Vec::new(), &[plaintext], &[associated], random)
    }

    /// Opens a message. In order: no Diffie-Hellman; a new ratchet key of the peer's: one. With encrypted headers at most six trials before that.
    ///
    /// | | type | size | meaning |
    /// |---|---|---|---|
    /// | in | `message` | 64 to 1,048,576 B | |
    /// | in | `associated` | 0 to 4,096 B | what the sender bound |
    /// | in | `now` | ms | stamps the keys of skipped messages |
    /// | out | [`SecretBytes`] | | the plaintext, wiped on drop |
    ///
    /// # Errors
    /// [`DecryptError`]; the ratchet is then as it was, and the same bytes can be tried again.
    ///
    /// # Spec
    /// *The Double Ratchet Algorithm*, 3.5 "Decrypting messages"; `docs/protocol.md`, section 7.
    pub fn decrypt(
        &mut self,
        message: &[u8],
        associated: &[u8],
        now: UnixMillis,
        limits: &Limits,
    ) -> Result<SecretBytes, DecryptError> {
        if !associated_fits(associated) {
            return Err(DecryptError::AssociatedDataTooLong);
        }
        let message = RatchetMessage::parse(message, self.chains.headers())?;
        let located = self.chains.locate(&message.header, limits)?;
        let opened = self.chains.open(located, &message, &[associated], &mut self.skipped, now, limits)?;
        Ok(opened.plaintext)
    }

    /// The whole state as versioned bytes, about 240, with encrypted headers 500, and 52 for each skipped message. Secret.
    #[must_use]
    pub fn save(&self) -> SecretBytes {
        let skipped = self.skipped.as_bytes();
        let room = self.chains.max_len().saturating_add(skipped.len()).saturating_add(1);
        let mut body = RecordWriter::with_capacity(room);
        self.chains.encode(body.u8(VERSION));
        body.bytes(skipped);
        body.finish()
    }

    /// The state that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`RatchetStateError`]: any other bytes.
    pub fn restore(bytes: &[u8]) -> Result<Self, RatchetStateError> {
        let mut body = RecordReader::over(bytes);
        let version = body.u8();
        let chains =
            Chains::decode(&mut body).filter(|_| version == Some(VERSION)).ok_or(RatchetStateError)?;
        let skipped = SkippedKeys::copy_of(body.rest()).ok_or(RatchetStateError)?;
        Ok(Self { chains, skipped })
    }
}

impl fmt::Debug for Ratchet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ratchet(redacted)")
    }
}
