//! The state that every message rewrites, and its two acts: seal and open.

use alloc::vec::Vec;

use super::{
    DecryptError, EncryptError, SkippedKeys,
    chain::{ChainKey, MessageKey, RootKey, RootSecret, Stepped},
    headers::HeaderKeys,
    place::{Located, Place},
    skipped::Room,
};
use crate::{
    primitives::{
        KeyPair, PublicKey, Random, SecretBytes,
        aead::{self, HeaderKey},
        kdf::length_prefix,
    },
    step::{Headers, Limits, RecordReader, UnixMillis},
    wire::{Header, MAX_ASSOCIATED_DATA, MAX_PLAINTEXT, RatchetMessage},
};

/// The beginning of a peer's ratchet key; names a chain among those of one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChainTag(pub(crate) [u8; Self::LEN]);

impl ChainTag {
    pub(crate) const LEN: usize = 8;

    pub(crate) fn of(key: &PublicKey) -> Self {
        Self(key.as_bytes().first_chunk().copied().unwrap_or_default())
    }
}

/// The latest receiving chains before the current one, newest first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Earlier {
    tags: [ChainTag; Self::MAX],
    len: u8,
}

impl Earlier {
    /// How many are remembered.
    pub(super) const MAX: usize = 4;

    pub(super) fn tags(&self) -> &[ChainTag] {
        self.tags.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Puts a chain in front; the oldest is forgotten.
    fn push(&mut self, tag: ChainTag) {
        self.tags.rotate_right(1);
        if let Some(first) = self.tags.first_mut() {
            *first = tag;
        }
        self.len = self.len.saturating_add(1).min(Self::MAX as u8);
    }

    pub(super) fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let mut earlier = Self { len: body.u8()?, ..Self::default() };
        for place in earlier.tags.get_mut(..usize::from(earlier.len))? {
            *place = ChainTag(body.array()?);
        }
        Some(earlier)
    }
}

/// The sending half.
#[derive(Debug)]
pub(crate) enum Sending {
    /// A key pair and no chain: a responder that has received nothing, or a session that only receives.
    Waiting(KeyPair),
    /// A turn of the peer's was received; the next send draws a key pair.
    Due,
    /// The current ratchet key pair and its chain.
    Chain { pair: KeyPair, chain: ChainKey, next: u32 },
}

/// The receiving half.
#[derive(Debug)]
pub(crate) enum Receiving {
    /// A responder that has received nothing.
    Nothing,
    /// An initiator that has received nothing: the key that its first chain was made with.
    KeyOnly(PublicKey),
    /// The peer's current ratchet key and its chain.
    Chain { peer: PublicKey, chain: ChainKey, next: u32 },
}

/// One side's Double Ratchet without the keys of skipped messages: about 240 bytes, with encrypted headers 500.
#[derive(Debug)]
pub(crate) struct Chains {
    pub(super) root: RootKey,
    pub(super) sending: Sending,
    /// Length of the sending chain before the current or due one: PN.
    pub(super) previous_counter: u32,
    pub(super) receiving: Receiving,
    pub(super) earlier: Earlier,
    /// There where headers are encrypted.
    pub(super) headers: Option<HeaderKeys>,
}

/// An opened message.
pub(crate) struct Opened {
    pub(crate) plaintext: SecretBytes,
    /// Whether it brought a new ratchet key.
    pub(crate) turned: bool,
}

/// The sending half of a turn or of a message, computed and not yet taken.
struct NextSend {
    /// What a turn changes beside the chain.
    turn: Option<Turn>,
    chain: ChainKey,
    header: Header,
    key: MessageKey,
}

/// The sending half of a turn.
struct Turn {
    root: RootKey,
    pair: KeyPair,
    next_header: Option<HeaderKey>,
}

impl Chains {
    /// The initiator: draws its first ratchet key pair and runs the first step with the responder's key.
    pub(crate) fn initiate(
        root: RootSecret,
        peer: &PublicKey,
        headers: Headers,
        random: &mut Random<'_>,
    ) -> Result<Self, EncryptError> {
        let (root, headers) = begin(root, headers, HeaderKeys::initiator);
        let mut chains = Self {
            root,
            sending: Sending::Due,
            previous_counter: 0,
            receiving: Receiving::KeyOnly(*peer),
            earlier: Earlier::default(),
            headers,
        };
        let (turn, chain) = chains.sending_step(peer, random)?;
        chains.begin_sending(turn, chain, 0);
        Ok(chains)
    }

    /// The responder, with the key pair whose public half the initiator used.
    pub(crate) fn respond(root: RootSecret, own: KeyPair, headers: Headers) -> Self {
        let (root, headers) = begin(root, headers, HeaderKeys::responder);
        Self {
            root,
            sending: Sending::Waiting(own),
            previous_counter: 0,
            receiving: Receiving::Nothing,
            earlier: Earlier::default(),
            headers,
        }
    }

    /// Whether headers are encrypted.
    pub(crate) fn headers(&self) -> Headers {
        if self.headers.is_some() { Headers::Encrypted } else { Headers::Plain }
    }

    /// Forgets the sending chain; the key pair stays for the peer's next turn.
    pub(crate) fn stop_sending(&mut self) {
        self.sending = match core::mem::replace(&mut self.sending, Sending::Due) {
            Sending::Chain { pair, .. } => Sending::Waiting(pair),
            stopped @ (Sending::Waiting(_) | Sending::Due) => stopped,
        };
        if let Some(headers) = &mut self.headers {
            headers.stop_sending();
        }
    }

    /// The sending chain's name and the number of its next message.
    pub(crate) fn sending_chain(&self) -> Option<(ChainTag, u32)> {
        match &self.sending {
            Sending::Chain { pair, next, .. } => Some((ChainTag::of(pair.public()), *next)),
            Sending::Waiting(_) | Sending::Due => None,
        }
    }

    /// The length of the sending chain before.
    pub(crate) fn previous_counter(&self) -> u32 {
        self.previous_counter
    }

    /// The receiving chain's name and the number of its next message.
    pub(crate) fn receiving_chain(&self) -> Option<(ChainTag, u32)> {
        match &self.receiving {
            Receiving::Chain { peer, next, .. } => Some((ChainTag::of(peer), *next)),
            Receiving::Nothing | Receiving::KeyOnly(_) => None,
        }
    }

    /// The receiving chains before, newest first.
    pub(crate) fn earlier_chains(&self) -> &[ChainTag] {
        self.earlier.tags()
    }

    pub(crate) fn own_ratchet_key(&self) -> Option<&PublicKey> {
        match &self.sending {
            Sending::Waiting(pair) | Sending::Chain { pair, .. } => Some(pair.public()),
            Sending::Due => None,
        }
    }

    /// Seals the next message behind `front`, which is authenticated with it, and returns the whole. On `Err` nothing has moved.
    pub(crate) fn seal(
        &mut self,
        front: Vec<u8>,
        plaintext: &[&[u8]],
        associated: &[&[u8]],
        random: &mut Random<'_>,
    ) -> Result<Vec<u8>, EncryptError> {
        let len = plaintext.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        if len > MAX_PLAINTEXT {
            return Err(EncryptError::TooLong);
        }
        let next = self.next_send(random)?;
        let sealed_len = len.saturating_add(aead::OVERHEAD);
        let mut out = front;
        out.reserve_exact(sealed_len.saturating_add(Header::MAX_LEN));
        match &self.headers {
            None => next.header.write_head(sealed_len, &mut out),
            Some(headers) => headers.seal(&next.header, next.turn.is_some(), random, &mut out)?,
        }
        let associated = bind(&out, associated);
        aead::seal(next.key.aead_key(), &associated, plaintext, random, &mut out)?;
        self.commit_send(next);
        Ok(out)
    }

    fn next_send(&self, random: &mut Random<'_>) -> Result<NextSend, EncryptError> {
        let (turn, first) = match (&self.sending, &self.receiving) {
            (Sending::Chain { pair, chain, next }, _) => {
                let (chain, key) = chain.step();
                let header = self.header(pair, *next);
                // A chain ends before its length, which the next one's headers carry, would be 2^32 - 1.
                return match next.checked_add(2) {
                    Some(_) => Ok(NextSend { turn: None, chain, header, key }),
                    None => Err(EncryptError::Exhausted),
                };
            }
            (Sending::Due, Receiving::Chain { peer, .. } | Receiving::KeyOnly(peer)) => {
                self.sending_step(peer, random)?
            }
            (Sending::Due, Receiving::Nothing) | (Sending::Waiting(_), _) => {
                return Err(EncryptError::AwaitPeer);
            }
        };
        let (chain, key) = first.step();
        let header = self.header(&turn.pair, 0);
        Ok(NextSend { turn: Some(turn), chain, header, key })
    }

    fn header(&self, pair: &KeyPair, counter: u32) -> Header {
        Header { ratchet_key: *pair.public(), previous_counter: self.previous_counter, counter }
    }

    /// The sending half of a turn: a fresh key pair, one Diffie-Hellman.
    fn sending_step(
        &self,
        peer: &PublicKey,
        random: &mut Random<'_>,
    ) -> Result<(Turn, ChainKey), EncryptError> {
        let pair = KeyPair::generate(random)?;
        // A parsed key is contributory; were it not, no message could ever be sealed for it.
        let shared = pair.diffie_hellman(peer).map_err(|_| EncryptError::Exhausted)?;
        let Stepped { root, chain, next_header } = self.root.step(&shared, self.headers.is_some());
        Ok((Turn { root, pair, next_header }, chain))
    }

    fn commit_send(&mut self, sent: NextSend) {
        let after = sent.header.counter.saturating_add(1);
        match (sent.turn, &mut self.sending) {
            (Some(turn), _) => self.begin_sending(turn, sent.chain, after),
            (None, Sending::Chain { chain, next, .. }) => (*chain, *next) = (sent.chain, after),
            (None, Sending::Due | Sending::Waiting(_)) => {}
        }
    }

    /// Takes the sending half of a turn.
    fn begin_sending(&mut self, Turn { root, pair, next_header }: Turn, chain: ChainKey, next: u32) {
        self.root = root;
        self.sending = Sending::Chain { pair, chain, next };
        if let (Some(headers), Some(next)) = (&mut self.headers, next_header) {
            headers.begin_sending(next);
        }
    }

    /// Opens a message at the place where [`locate`](Self::locate) found it. On `Err` nothing has moved, here or in `skipped`.
    pub(crate) fn open(
        &mut self,
        Located { header, place }: Located,
        message: &RatchetMessage<'_>,
        associated: &[&[u8]],
        skipped: &mut SkippedKeys<'_>,
        now: UnixMillis,
        limits: &Limits,
    ) -> Result<Opened, DecryptError> {
        let associated = bind(message.head, associated);
        let try_open = |key: &MessageKey| {
            aead::open(key.aead_key(), &associated, message.ciphertext)
                .map_err(|_| DecryptError::NotAuthentic)
        };
        let Header { ratchet_key, counter, .. } = header;
        match (place, &self.receiving) {
            (Place::Late, _) => {
                let found = skipped.find(ChainTag::of(&ratchet_key), counter, now, limits);
                let (place, key) = found.ok_or(DecryptError::Duplicate)?;
                let plaintext = try_open(&key)?;
                skipped.remove(place);
                Ok(Opened { plaintext, turned: false })
            }
            (Place::Current { skip }, Receiving::Chain { peer, chain, next }) => {
                let mut kept = self.make_room(skipped, skip, None, now, limits);
                let after = skip_keys(chain, ChainTag::of(peer), *next, skip, kept.as_mut());
                let (chain, key) = after.as_ref().unwrap_or(chain).step();
                let plaintext = try_open(&key)?;
                self.receiving = Receiving::Chain { peer: *peer, chain, next: counter.saturating_add(1) };
                commit_skipped(skipped, kept);
                Ok(Opened { plaintext, turned: false })
            }
            (Place::Turn { finish, skip }, _) => {
                let Stepped { root, chain: first, next_header } = self.receiving_step(&ratchet_key)?;
                let total = finish.saturating_add(skip);
                let mut kept = self.make_room(skipped, total, Some(ChainTag::of(&ratchet_key)), now, limits);
                if let Receiving::Chain { peer, chain, next } = &self.receiving {
                    skip_keys(chain, ChainTag::of(peer), *next, finish, kept.as_mut());
                }
                let after = skip_keys(&first, ChainTag::of(&ratchet_key), 0, skip, kept.as_mut());
                let (chain, key) = after.as_ref().unwrap_or(&first).step();
                // Forged, or of a chain that is forgotten by now: who may have lost a message asks for it again.
                let plaintext = try_open(&key).map_err(|error| match self.receiving {
                    Receiving::Nothing => error,
                    Receiving::KeyOnly(_) | Receiving::Chain { .. } => DecryptError::OutOfStep,
                })?;
                let begun = Receiving::Chain { peer: ratchet_key, chain, next: counter.saturating_add(1) };
                self.commit_turn(root, begun, next_header);
                commit_skipped(skipped, kept);
                Ok(Opened { plaintext, turned: true })
            }
            (Place::Current { .. }, Receiving::Nothing | Receiving::KeyOnly(_)) => {
                Err(DecryptError::OutOfStep)
            }
        }
    }

    /// The receiving half of a turn: one Diffie-Hellman.
    fn receiving_step(&self, peer: &PublicKey) -> Result<Stepped, DecryptError> {
        match &self.sending {
            Sending::Waiting(pair) | Sending::Chain { pair, .. } => {
                let shared = pair.diffie_hellman(peer).map_err(|_| DecryptError::NotAuthentic)?;
                Ok(self.root.step(&shared, self.headers.is_some()))
            }
            Sending::Due => Err(DecryptError::OutOfStep),
        }
    }

    /// Takes the new chain, forgets the own key pair and sending chain, and makes the sending half due.
    fn commit_turn(&mut self, root: RootKey, receiving: Receiving, next_header: Option<HeaderKey>) {
        self.root = root;
        if let (Some(headers), Some(next)) = (&mut self.headers, next_header) {
            headers.begin_receiving(next);
        }
        if let Receiving::Chain { peer, .. } = core::mem::replace(&mut self.receiving, receiving) {
            self.earlier.push(ChainTag::of(&peer));
        }
        self.previous_counter = match &self.sending {
            Sending::Chain { next, .. } => *next,
            Sending::Waiting(_) | Sending::Due => 0,
        };
        self.sending = Sending::Due;
    }

    /// A copy of the skipped keys with room for `more`, without those that are too old or of a chain that is about to be forgotten; `None` where nothing is skipped.
    fn make_room(
        &self,
        skipped: &SkippedKeys<'_>,
        more: u32,
        new_chain: Option<ChainTag>,
        now: UnixMillis,
        limits: &Limits,
    ) -> Option<Room> {
        (more > 0).then(|| skipped.with_room(more, &self.remembered(new_chain), now, limits))
    }

    /// The chains whose keys are kept, once there is a new one.
    fn remembered(&self, new_chain: Option<ChainTag>) -> Vec<ChainTag> {
        let current = match &self.receiving {
            Receiving::Chain { peer, .. } => Some(ChainTag::of(peer)),
            Receiving::Nothing | Receiving::KeyOnly(_) => None,
        };
        let chains = new_chain.into_iter().chain(current).chain(self.earlier.tags().iter().copied());
        chains.take(Earlier::MAX + 1).collect()
    }

    /// Drops the skipped keys that are too old or of a forgotten chain.
    pub(crate) fn tidy(&self, skipped: &mut SkippedKeys<'_>, now: UnixMillis, limits: &Limits) {
        let kept = skipped.with_room(0, &self.remembered(None), now, limits).into_keys();
        if kept.as_bytes().len() < skipped.as_bytes().len() {
            *skipped = kept;
        }
    }
}

/// The first root key, and where headers are encrypted their first keys, which `keys` makes.
fn begin(
    secret: RootSecret,
    headers: Headers,
    keys: fn(&RootSecret) -> (RootKey, HeaderKeys),
) -> (RootKey, Option<HeaderKeys>) {
    match headers {
        Headers::Plain => (secret.into(), None),
        Headers::Encrypted => {
            let (root, keys) = keys(&secret);
            (root, Some(keys))
        }
    }
}

/// Steps over `count` messages of a chain and keeps their keys; the chain after them, `None` where none was skipped.
fn skip_keys(
    chain: &ChainKey,
    tag: ChainTag,
    from: u32,
    count: u32,
    kept: Option<&mut Room>,
) -> Option<ChainKey> {
    let kept = kept.filter(|_| count > 0)?;
    let mut after = None;
    for counter in from..from.saturating_add(count) {
        let (next, key) = after.as_ref().unwrap_or(chain).step();
        kept.push(tag, counter, &key);
        after = Some(next);
    }
    after
}

fn commit_skipped(skipped: &mut SkippedKeys<'_>, kept: Option<Room>) {
    if let Some(kept) = kept {
        *skipped = kept.into_keys();
    }
}

/// The AEAD's associated data: `lp(head) ‖ what the caller binds`.
fn bind(head: &[u8], associated: &[&[u8]]) -> Vec<u8> {
    let len =
        associated.iter().fold(head.len().saturating_add(4), |sum, part| sum.saturating_add(part.len()));
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(&length_prefix(head));
    out.extend_from_slice(head);
    associated.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// Whether the caller's associated data is within its limit.
pub(crate) fn associated_fits(associated: &[u8]) -> bool {
    associated.len() <= MAX_ASSOCIATED_DATA
}
