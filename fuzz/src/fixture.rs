//! The fixed world: what Alice and Bob hold and have sent at a few moments of one conversation. Made once, the same on every machine.
//!
//! ```text
//! session 1  Alice ── a0 a1 a2 ──▶ Bob opens a2      (responding)    a0, a1 are late
//!            Alice ◀── b0 ──────── Bob
//!            Alice ── a3 a4 ─────▶ Bob opens a3                      a4 is next, then late in the archive
//! session 2  Alice ── c0 c1 ─────▶ Bob opens c1      weak, session 1 is archived
//!            Alice ◀── d0 d1 ───── Bob               (waiting: Alice before d0) d1 is not opened
//!            Alice ── c2 … c5 ───▶ Bob opens c2, c5                  c0, c3, c4 late; Bob asks for c3
//!            Alice ── f0 … f4 ───▶ Bob opens all     (settled)
//!            Alice ── c6 c7 ─────▶                                   c6 next, c7 beyond a gap
//!            Alice asks for d1 (asking), for several reasons
//! session 3  Alice ── e0 e1 ─────▶ not opened yet: e0 and e1 each make the session
//! ```

use std::sync::OnceLock;

use outrigger::{
    Address, ChangeNumber, Context, DescribeDevice, Headers, IdentityKey, Keep, KeyPair, LearnNumber, Limits,
    OneTimePrekeyFields, OpenError, PhoneNumber, PrekeyId, PrekeyUpload, PublicKey, Random, Receive,
    Register, ReplenishPrekeys, RequestRetry, Restart, RootSecret, SafetyNumber, Send, Start, SuitePolicy,
    UnixMillis, VerifiedBundle, ratchet::Ratchet,
};

use super::world::{BOUND, GENERATION, NOW, Store, Toy, address, context};

/// A message that was really sent.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) plaintext: Vec<u8>,
}

/// A bundle with KEM prekey, and a first message made of it.
#[derive(Debug)]
pub(crate) struct PostQuantum {
    pub(crate) name: &'static str,
    pub(crate) bundle: Vec<u8>,
    pub(crate) first: Known,
}

/// A store that envelopes from one peer are handed to.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) store: Store,
    pub(crate) from: Address,
}

#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) alice: Address,
    pub(crate) bob: Address,
    /// No device, no session.
    pub(crate) empty: Moment,
    /// Bob with prekeys and no peer.
    pub(crate) fresh: Moment,
    /// Bob in session 1, which Alice started.
    pub(crate) responding: Moment,
    /// Bob with all kinds of records: session 2 settled, session 1 archived, skipped keys of both, a number.
    pub(crate) settled: Moment,
    /// Alice, who has no answer in session 2 yet.
    pub(crate) waiting: Moment,
    /// Alice, registered and without a peer.
    pub(crate) caller: Store,
    pub(crate) from_alice: Vec<Known>,
    pub(crate) from_bob: Vec<Known>,
    /// Alice's retry requests to Bob, for d1: name, bytes, and the text that she wants.
    pub(crate) requests: Vec<Known>,
    /// Alice as she was when she asked.
    pub(crate) asking: Store,
    /// Alice's bundle.
    pub(crate) alice_bundle: VerifiedBundle,
    /// Bob's bundle without a one-time prekey.
    pub(crate) bundle: Vec<u8>,
    /// One-time prekeys of his, as fields.
    pub(crate) one_time: Vec<OneTimePrekeyFields>,
    /// The same device under the default suites: bundles with a one-time prekey and with the last resort, and the first messages that were made of them.
    pub(crate) post_quantum: [PostQuantum; 2],
    /// His store then.
    pub(crate) prepared: Moment,
    /// Bob with sessions whose headers are encrypted, one settled with a gap and one archived, and Alice's envelopes in these and in one that he has not met.
    pub(crate) hidden: (Moment, Vec<Known>),
    pub(crate) alice_key: IdentityKey,
    pub(crate) bob_key: IdentityKey,
    /// Alice's number statements, oldest first. The second is on record in `settled`.
    pub(crate) statements: Vec<Vec<u8>>,
    /// What Bob's device shows, and the code on Alice's screen.
    pub(crate) safety: SafetyNumber,
    pub(crate) code: Vec<u8>,
    /// A ratchet that stands alone: saved states of the listener, and what was sent to it.
    pub(crate) ratchets: Vec<Vec<u8>>,
    pub(crate) ratchet_messages: Vec<Known>,
}

pub(crate) fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(build)
}

/// One of the two devices and what it has sent.
struct Device {
    store: Store,
    address: Address,
    sent: Vec<Known>,
}

impl Device {
    fn send(&mut self, to: &Address, name: &'static str, toy: &mut Toy) {
        let plaintext = name.repeat(3).into_bytes();
        let send = Send { to: *to, plaintext: &plaintext, associated_data: BOUND, keep: Keep::ForRetry };
        let sent = self.store.run(&send, &mut context(toy)).expect("a session");
        self.sent.push(Known { name, bytes: sent.envelope, plaintext });
    }

    fn receive(&mut self, from: &Self, name: &str, toy: &mut Toy) {
        let known = from.sent.iter().find(|known| known.name == name).expect("sent");
        let receive = Receive { from: from.address, envelope: &known.bytes, associated_data: BOUND };
        let received = self.store.run(&receive, &mut context(toy)).expect("opens");
        assert_eq!(received.content.text().unwrap(), known.plaintext);
    }

    fn start(&mut self, bundle: &[u8], with: &Address, toy: &mut Toy) {
        let bundle = VerifiedBundle::verify(bundle, with).expect("verifies");
        self.store.run(&Start { bundle: &bundle }, &mut context(toy)).expect("starts");
    }
}

fn build() -> Fixture {
    let toy = &mut Toy(1);
    let device = |address: Address, toy: &mut Toy| {
        let mut store = Store::default();
        store.run(&Register { address }, &mut context(toy)).expect("registers");
        Device { store, address, sent: Vec::new() }
    };
    let mut alice = device(address(b"alice-0123456789"), toy);
    let mut bob = device(address(b"bob---0123456789"), toy);
    let (at_alice, at_bob) = (alice.address, bob.address);

    // Bob's first signed prekey is eight days old and has been replaced.
    let earlier = UnixMillis(NOW.0 - 8 * UnixMillis::DAY);
    let old = {
        let mut before = Context::new(earlier, GENERATION, toy).with_suites(SuitePolicy::Classic);
        bob.store.run(&ReplenishPrekeys { one_time: 1 }, &mut before).expect("replenishes")
    };
    let new = bob.store.run(&ReplenishPrekeys { one_time: 3 }, &mut context(toy)).expect("replenishes");
    let at_home = alice.store.run(&ReplenishPrekeys { one_time: 1 }, &mut context(toy)).expect("replenishes");
    let alice_bundle = VerifiedBundle::verify(&at_home.bundle, &at_alice).expect("verifies");
    let number = |digits| ChangeNumber { number: PhoneNumber::parse(digits).expect("E.164") };
    bob.store.run(&number("+4915112345678"), &mut context(toy)).expect("the phone");
    let fresh = bob.store.clone();
    let caller = alice.store.clone();
    let (post_quantum, prepared) = post_quantum(&alice, &bob, &mut Toy(11));

    let first = [&old.bundle[..], &old.one_time_prekeys[0]].concat();
    alice.start(&first, &at_bob, toy);
    ["a0", "a1", "a2"].into_iter().for_each(|name| alice.send(&at_bob, name, toy));
    bob.receive(&alice, "a2", toy);
    let responding = bob.store.clone();
    bob.send(&at_alice, "b0", toy);
    alice.receive(&bob, "b0", toy);
    ["a3", "a4"].into_iter().for_each(|name| alice.send(&at_bob, name, toy));
    bob.receive(&alice, "a3", toy);

    alice.start(&new.bundle, &at_bob, toy);
    ["c0", "c1"].into_iter().for_each(|name| alice.send(&at_bob, name, toy));
    bob.receive(&alice, "c1", toy);
    ["d0", "d1"].into_iter().for_each(|name| bob.send(&at_alice, name, toy));
    let waiting = alice.store.clone();
    alice.receive(&bob, "d0", toy);
    ["c2", "c3", "c4", "c5"].into_iter().for_each(|name| alice.send(&at_bob, name, toy));
    bob.receive(&alice, "c2", toy);
    bob.receive(&alice, "c5", toy);
    for name in ["f0", "f1", "f2", "f3", "f4"] {
        alice.send(&at_bob, name, toy);
        bob.receive(&alice, name, toy);
    }
    let c3 = alice.sent.iter().find(|known| known.name == "c3").expect("sent");
    let ask = RequestRetry { from: at_alice, envelope: &c3.bytes, error: OpenError::KeyGone };
    bob.store.run(&ask, &mut context(toy)).expect("asks");
    ["c6", "c7"].into_iter().for_each(|name| alice.send(&at_bob, name, toy));
    let asking = alice.store.clone();

    let statements = (1..=3)
        .map(|place| {
            let mut later = Context::new(NOW.plus(place), GENERATION, toy).with_suites(SuitePolicy::Classic);
            alice.store.run(&number("+12025550123"), &mut later).expect("the phone")
        })
        .collect::<Vec<_>>();
    let learn = LearnNumber { account: at_alice.account, statement: &statements[1] };
    bob.store.run(&learn, &mut context(toy)).expect("verifies");
    let settled = bob.store.clone();

    let third = [&new.bundle[..], &new.one_time_prekeys[0]].concat();
    alice.start(&third, &at_bob, toy);
    ["e0", "e1"].into_iter().for_each(|name| alice.send(&at_bob, name, toy));

    let mut key_of =
        |store: &mut Store| store.run(&DescribeDevice, &mut context(toy)).expect("registered").identity_key;
    let (alice_key, bob_key) = (key_of(&mut alice.store), key_of(&mut bob.store));
    let (alice_id, bob_id) = (at_alice.account.as_bytes(), at_bob.account.as_bytes());
    let hidden = hidden((caller.clone(), at_alice), (fresh.clone(), at_bob), &new, &mut Toy(17));
    let (mut ratchets, mut ratchet_messages) =
        self::ratchets(Headers::Plain, ["r0", "r1", "r2", "s0", "r3", "r4", "r5"], toy);
    let names = ["hidden-r0", "hidden-r1", "hidden-r2", "hidden-s0", "hidden-r3", "hidden-r4", "hidden-r5"];
    let (states, messages) = self::ratchets(Headers::Encrypted, names, &mut Toy(19));
    ratchets.extend(states);
    ratchet_messages.extend(messages);
    let d1 = bob.sent.iter().find(|known| known.name == "d1").expect("sent");
    let missing = PrekeyId::of(KeyPair::take_from(&mut [5; 32]).public());
    let requests = [
        ("key-gone", OpenError::KeyGone),
        ("out-of-step", OpenError::OutOfStep),
        ("too-far", OpenError::TooFarAhead { gap: 1_001, limit: 1_000 }),
        ("prekey-missing", OpenError::MissingPrekey(missing)),
    ]
    .map(|(name, error)| {
        let ask = RequestRetry { from: at_bob, envelope: &d1.bytes, error };
        let request = asking.clone().run(&ask, &mut context(toy)).expect("asks").request;
        Known { name, bytes: request, plaintext: d1.plaintext.clone() }
    })
    .into();
    Fixture {
        alice: at_alice,
        bob: at_bob,
        empty: Moment { store: Store::default(), from: at_alice },
        fresh: Moment { store: fresh, from: at_alice },
        responding: Moment { store: responding, from: at_alice },
        settled: Moment { store: settled, from: at_alice },
        waiting: Moment { store: waiting, from: at_bob },
        caller,
        from_alice: alice.sent,
        from_bob: bob.sent,
        requests,
        asking,
        alice_bundle,
        bundle: new.bundle,
        one_time: new.one_time_prekeys,
        post_quantum,
        hidden,
        prepared,
        alice_key,
        bob_key,
        statements,
        safety: SafetyNumber::new((&bob_key, bob_id), (&alice_key, alice_id)),
        code: SafetyNumber::new((&alice_key, alice_id), (&bob_key, bob_id)).scannable(),
        ratchets,
        ratchet_messages,
    }
}

/// Bob's prekeys and Alice's first messages under the default suites.
fn post_quantum(alice: &Device, bob: &Device, toy: &mut Toy) -> ([PostQuantum; 2], Moment) {
    fn default(toy: &mut Toy) -> Context<'_> {
        Context::new(NOW, GENERATION, toy)
    }

    let mut prepared = Moment { store: bob.store.clone(), from: alice.address };
    let upload =
        prepared.store.run(&ReplenishPrekeys { one_time: 1 }, &mut default(toy)).expect("replenishes");
    let ends = [("one-time", &upload.one_time_prekeys[0]), ("last-resort", &upload.last_resort)];
    let known = ends.map(|(name, end)| {
        let bytes = [&upload.bundle[..], end].concat();
        let bundle = VerifiedBundle::verify(&bytes, &bob.address).expect("verifies");
        let mut store = alice.store.clone();
        store.run(&Start { bundle: &bundle }, &mut default(toy)).expect("starts");
        let send = Send { to: bob.address, plaintext: b"pq", associated_data: BOUND, keep: Keep::Nothing };
        let envelope = store.run(&send, &mut default(toy)).expect("a session").envelope;
        PostQuantum { name, bundle: bytes, first: Known { name, bytes: envelope, plaintext: b"pq".to_vec() } }
    });
    (known, prepared)
}

/// A conversation with encrypted headers, from where neither has met the other.
fn hidden(
    (alice, at_alice): (Store, Address),
    (bob, at_bob): (Store, Address),
    prekeys: &PrekeyUpload,
    toy: &mut Toy,
) -> (Moment, Vec<Known>) {
    let mut alice = Device { store: alice, address: at_alice, sent: Vec::new() };
    let mut bob = Device { store: bob, address: at_bob, sent: Vec::new() };
    let start = |alice: &mut Device, place: usize, toy: &mut Toy| {
        let bytes = [&prekeys.bundle[..], &prekeys.one_time_prekeys[place]].concat();
        let bundle = VerifiedBundle::verify(&bytes, &at_bob).expect("verifies");
        let mut hidden = context(toy).with_headers(Headers::Encrypted);
        alice.store.run(&Restart { bundle: &bundle }, &mut hidden).expect("starts");
    };
    for (place, [early, first, answer, late, next]) in
        [["h0", "h1", "i0", "h2", "h3"], ["j0", "j1", "k0", "j2", "j3"]].into_iter().enumerate()
    {
        start(&mut alice, place, toy);
        [early, first].into_iter().for_each(|name| alice.send(&at_bob, name, toy));
        bob.receive(&alice, first, toy);
        bob.send(&at_alice, answer, toy);
        alice.receive(&bob, answer, toy);
        [late, next].into_iter().for_each(|name| alice.send(&at_bob, name, toy));
        bob.receive(&alice, next, toy);
    }
    alice.send(&at_bob, "j4", toy);
    start(&mut alice, 2, toy);
    ["l0", "l1"].into_iter().for_each(|name| alice.send(&at_bob, name, toy));
    (Moment { store: bob.store, from: at_alice }, alice.sent)
}

/// A ratchet alone. Its listener's states: new, after a gap, due to send, in the middle of its own chain.
fn ratchets(headers: Headers, names: [&'static str; 7], toy: &mut Toy) -> (Vec<Vec<u8>>, Vec<Known>) {
    let [r0, r1, r2, s0, r3, r4, r5] = names;
    let mut random = Random::new(toy);
    let root = || RootSecret::take_from(&mut [7; 32]);
    let listener = KeyPair::generate(&mut random).expect("random");
    let public: PublicKey = *listener.public();
    let mut one = Ratchet::initiate_with(headers, root(), &public, &mut random).expect("random");
    let mut other = Ratchet::respond_with(headers, root(), listener);
    let mut states = vec![other.save().to_vec(), one.save().to_vec()];
    let mut messages = Vec::new();
    let mut send = |ratchet: &mut Ratchet, name: &'static str, random: &mut Random<'_>| {
        let bytes = ratchet.encrypt(name.as_bytes(), BOUND, random).expect("can send");
        messages.push(Known { name, bytes: bytes.clone(), plaintext: name.as_bytes().to_vec() });
        bytes
    };
    let open = |ratchet: &mut Ratchet, bytes: &[u8]| {
        ratchet.decrypt(bytes, BOUND, NOW, &Limits::DEFAULT).expect("opens");
    };
    send(&mut one, r0, &mut random);
    send(&mut one, r1, &mut random);
    let third = send(&mut one, r2, &mut random);
    open(&mut other, &third);
    states.push(other.save().to_vec());
    let answer = send(&mut other, s0, &mut random);
    states.push(other.save().to_vec());
    open(&mut one, &answer);
    states.push(one.save().to_vec());
    send(&mut one, r3, &mut random);
    let turned = send(&mut one, r4, &mut random);
    open(&mut other, &turned);
    states.push(other.save().to_vec());
    send(&mut one, r5, &mut random);
    (states, messages)
}
