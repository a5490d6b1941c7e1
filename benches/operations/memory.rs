//! The ratchet alone, in memory: steady state, turns, gaps, saving.

use std::hint::black_box;

use outrigger::{Headers, KeyPair, Limits, Random, RootSecret, UnixMillis, ratchet::Ratchet};

use crate::{
    case::{Case, Consume, Repeat},
    source::Source,
    sums::{Text, chain_step, receiving_turn, sending_turn},
};

const BOUND: &[u8; 16] = b"conversation 042";
const NOW: UnixMillis = UnixMillis(1_000);
const SIZES: [(usize, &str); 3] = [(64, "64"), (1_024, "1k"), (65_536, "64k")];
/// What a message adds in front of its ciphertext in these cases, and `lp`'s length in front of that.
const HEAD: usize = 4 + 40;

fn text(size: usize) -> Text {
    Text::new(size, HEAD + BOUND.len())
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, name) in SIZES {
        let send = move || {
            let mut text = text(size);
            Repeat(move || text.send())
        };
        let receive = move || {
            let mut text = text(size);
            Repeat(move || text.receive())
        };
        let batch = if size < 10_000 { 64 } else { 2 };
        let encrypt = Case::new(format!("encrypt-{name}"), move || encrypt(size), send).batch(batch);
        let decrypt = Case::new(format!("decrypt-{name}"), move || decrypt(size), receive).batch(batch);
        let promised = size == 64;
        cases.push(if promised { encrypt.at_most(1.4) } else { encrypt });
        cases.push(if promised { decrypt.at_most(1.4) } else { decrypt });
    }
    let literal = |act: fn(&mut Text)| {
        move || {
            let mut text = text(64);
            Repeat(move || act(&mut text))
        }
    };
    cases.push(Case::new("encrypt-64-three-hmacs", || encrypt(64), literal(Text::send_literal)).at_most(1.4));
    cases.push(
        Case::new("decrypt-64-three-hmacs", || decrypt(64), literal(Text::receive_literal)).at_most(1.4),
    );
    cases.push(
        Case::new("turn-receive", || opening(Pair::turn()), || receiving_turn(text(64)))
            .at_most(1.1)
            .batch(1),
    );
    cases.push(Case::new("turn-send", turn_send, || sending_turn(text(64))).at_most(1.1).batch(1));
    cases.push(Case::new("skip-1000", || opening(Pair::gap()), || skip_sum(text(64))).batch(1));
    for (name, pair) in
        [("", (|| Pair::settled(Headers::Plain)) as fn() -> Pair), ("-1000", Pair::with_skipped)]
    {
        let bytes = move || pair().bob.save().to_vec();
        let copy = move || {
            let bytes = bytes();
            Repeat(move || black_box(&bytes).clone())
        };
        let save = move || {
            let bob = pair().bob;
            Repeat(move || bob.save())
        };
        let restore = move || {
            let bytes = bytes();
            Repeat(move || Ratchet::restore(black_box(&bytes)).unwrap())
        };
        cases.push(Case::new(format!("save{name}"), save, copy));
        cases.push(Case::new(format!("restore{name}"), restore, copy));
    }
    cases
}

/// Two ends, and messages on their way to Bob.
pub(crate) struct Pair {
    pub(crate) alice: Ratchet,
    pub(crate) bob: Ratchet,
    pub(crate) random: Random<'static>,
    pub(crate) messages: Vec<Vec<u8>>,
}

impl Pair {
    /// After some turns, so that all four earlier chains are remembered; Bob has opened all of Alice's.
    pub(crate) fn settled(headers: Headers) -> Self {
        let mut random = Source::random();
        let key = KeyPair::generate(&mut random).unwrap();
        let root = || RootSecret::take_from(&mut [7; 32]);
        let alice = Ratchet::initiate_with(headers, root(), key.public(), &mut random).unwrap();
        let bob = Ratchet::respond_with(headers, root(), key);
        let mut pair = Self { alice, bob, random, messages: Vec::new() };
        for _ in 0..6 {
            pair.alice_speaks();
            let answer = pair.bob.encrypt(&[2; 64], BOUND, &mut pair.random).unwrap();
            open(&mut pair.alice, &answer);
        }
        pair.alice_speaks();
        pair
    }

    /// A message under a new ratchet key of Alice's is on its way.
    fn turn() -> Self {
        let mut pair = Self::settled(Headers::Plain);
        let answer = pair.bob.encrypt(&[2; 64], BOUND, &mut pair.random).unwrap();
        open(&mut pair.alice, &answer);
        pair.write(64);
        pair
    }

    /// 1,000 messages were lost, the one after them is on its way.
    fn gap() -> Self {
        let mut pair = Self::settled(Headers::Plain);
        for _ in 0..1_000 {
            pair.write(64);
        }
        pair.messages.clear();
        pair.write(64);
        pair
    }

    /// Bob has followed the gap.
    fn with_skipped() -> Self {
        let mut pair = Self::gap();
        open(&mut pair.bob, &pair.messages[0]);
        pair
    }

    pub(crate) fn write(&mut self, size: usize) {
        let message = self.alice.encrypt(&vec![1; size], BOUND, &mut self.random).unwrap();
        self.messages.push(message);
    }

    fn alice_speaks(&mut self) {
        self.write(64);
        open(&mut self.bob, &self.messages.pop().unwrap());
    }
}

pub(crate) fn open(ratchet: &mut Ratchet, message: &[u8]) {
    black_box(ratchet.decrypt(message, BOUND, NOW, &Limits::DEFAULT).unwrap());
}

fn encrypt(size: usize) -> Repeat<impl FnMut() -> Vec<u8>> {
    let mut pair = Pair::settled(Headers::Plain);
    let plaintext = vec![1; size];
    Repeat(move || pair.alice.encrypt(black_box(&plaintext), BOUND, &mut pair.random).unwrap())
}

fn decrypt(size: usize) -> Consume<(Pair, usize)> {
    Consume {
        state: (Pair::settled(Headers::Plain), size),
        ready: |(pair, size), calls| {
            pair.messages.clear();
            (0..calls).for_each(|_| pair.write(*size));
        },
        call: |(pair, _), call| open(&mut pair.bob, &pair.messages[call]),
    }
}

/// The same message opened again and again, each time by a Bob who was restored beforehand.
fn opening(pair: Pair) -> Consume<(Vec<u8>, Vec<u8>, Vec<Ratchet>)> {
    Consume {
        state: (pair.bob.save().to_vec(), pair.messages[0].clone(), Vec::new()),
        ready: |(saved, _, bobs), calls| {
            *bobs = (0..calls).map(|_| Ratchet::restore(saved).unwrap()).collect();
        },
        call: |(_, message, bobs), call| open(&mut bobs[call], message),
    }
}

/// Bob has received a turn and answers.
fn turn_send() -> Consume<(Vec<u8>, Random<'static>, Vec<Ratchet>)> {
    Consume {
        state: (Pair::settled(Headers::Plain).bob.save().to_vec(), Source::random(), Vec::new()),
        ready: |(saved, _, bobs), calls| {
            *bobs = (0..calls).map(|_| Ratchet::restore(saved).unwrap()).collect();
        },
        call: |(_, random, bobs), call| {
            black_box(bobs[call].encrypt(&[1; 64], BOUND, random).unwrap());
        },
    }
}

/// 1,000 chain steps of two HMACs each, then one message; no AEAD key is derived for a skipped one.
fn skip_sum(mut text: Text) -> Repeat<impl FnMut()> {
    Repeat(move || {
        let mut chain = [3; 32];
        for _ in 0..1_000 {
            chain = black_box(chain_step(&chain)).1;
        }
        text.receive();
    })
}
