//! The server: it keeps the public keys that devices upload, hands them out, and passes packets on. It holds no secret.
//!
//! It notes what anyone in its place could note, and the report prints that.

use std::collections::{BTreeMap, HashSet, VecDeque};

use outrigger::{Address, OneTimePrekeyFields, PrekeyUpload};

/// What one device has uploaded.
#[derive(Debug, Default)]
struct Stock {
    bundle: Vec<u8>,
    last_resort: Vec<u8>,
    one_time: VecDeque<OneTimePrekeyFields>,
}

/// What the server could see.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) uploads: u64,
    pub(crate) one_time_uploaded: u64,
    pub(crate) bundles: u64,
    pub(crate) bundle_bytes: u64,
    pub(crate) envelopes: u64,
    pub(crate) envelope_bytes: u64,
    pub(crate) largest: u64,
    pub(crate) with_handshake: u64,
    ratchet_keys: HashSet<[u8; 32]>,
}

impl Seen {
    /// Ratchet turns: the ratchet keys on the wire after the first, which belongs to the handshake.
    pub(crate) fn turns(&self) -> u64 {
        len(self.ratchet_keys.len()).saturating_sub(1)
    }
}

/// Key server and relay in one.
#[derive(Debug, Default)]
pub(crate) struct Server {
    stocks: BTreeMap<Address, Stock>,
    pub(crate) seen: Seen,
}

impl Server {
    /// Keeps an upload: the bundle replaces the former one, one-time prekeys are added.
    pub(crate) fn upload(&mut self, address: Address, upload: PrekeyUpload) {
        self.seen.uploads = self.seen.uploads.saturating_add(1);
        let added = len(upload.one_time_prekeys.len());
        self.seen.one_time_uploaded = self.seen.one_time_uploaded.saturating_add(added);
        let stock = self.stocks.entry(address).or_default();
        stock.bundle = upload.bundle;
        stock.last_resort = upload.last_resort;
        stock.one_time.extend(upload.one_time_prekeys);
    }

    /// Composes a bundle by concatenation, with a one-time prekey or, where none is left, the last resort. The one-time prekey is forgotten with that: it must not be given out twice.
    pub(crate) fn bundle(&mut self, address: &Address) -> Option<Vec<u8>> {
        let stock = self.stocks.get_mut(address)?;
        let mut bundle = stock.bundle.clone();
        bundle.extend(stock.one_time.pop_front().unwrap_or_else(|| stock.last_resort.clone()));
        self.seen.bundles = self.seen.bundles.saturating_add(1);
        self.seen.bundle_bytes = self.seen.bundle_bytes.saturating_add(len(bundle.len()));
        Some(bundle)
    }

    /// Notes an envelope that passes; whether its ratchet key is a new one.
    pub(crate) fn relay(&mut self, envelope: &[u8]) -> bool {
        let bytes = len(envelope.len());
        self.seen.envelopes = self.seen.envelopes.saturating_add(1);
        self.seen.envelope_bytes = self.seen.envelope_bytes.saturating_add(bytes);
        self.seen.largest = self.seen.largest.max(bytes);
        let Some(clear) = Clear::read(envelope) else { return false };
        self.seen.with_handshake = self.seen.with_handshake.saturating_add(u64::from(clear.handshake));
        self.seen.ratchet_keys.insert(clear.ratchet_key)
    }
}

/// What stands in clear in an envelope and interests the report.
struct Clear {
    handshake: bool,
    ratchet_key: [u8; 32],
}

impl Clear {
    /// Reads the front of an envelope: `docs/protocol.md`, section 5. A server need not do this, and cannot be kept from it.
    fn read(envelope: &[u8]) -> Option<Self> {
        const HANDSHAKE: u8 = 2 << 3 | 2;
        const RATCHET_KEY: [u8; 2] = [3 << 3 | 2, 32];
        // Version, suite, and the session id with its tag.
        let (_, mut rest) = envelope.split_at_checked(2 + 9)?;
        let handshake = rest.first() == Some(&HANDSHAKE);
        if handshake {
            // Its length is one byte, or two where it is 128 and more: with a KEM part.
            let (low, after) = rest.get(1..)?.split_first()?;
            let (len, after) = match after.split_first() {
                Some((high, after)) if *low >= 0x80 => {
                    (usize::from(*high) << 7 | usize::from(low & 0x7f), after)
                }
                _ => (usize::from(*low), after),
            };
            rest = after.get(len..)?;
        }
        let ratchet_key = *rest.strip_prefix(&RATCHET_KEY)?.first_chunk()?;
        Some(Self { handshake, ratchet_key })
    }
}

fn len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
