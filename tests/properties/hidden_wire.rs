//! What shows on the wire where headers are encrypted: two bytes that are always the same, a length, and nothing that random bytes would not show.
//!
//! Every search of this file also looks at the same conversation with headers in clear, and must find there what it finds nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use outrigger::{
    AskPhone, DesktopConsent, FromDesktop, Headers, KeyPair, OpenError, Random, RequestRetry, Restart,
    SuitePolicy, VerifiedBundle,
};

use crate::{
    companions::household::Directory,
    relay::office::office,
    world::{
        Device, Server, exchange,
        hidden::{FRONT, HEADER, LEAST, note_len, repeats},
        random::Seeded,
    },
};

/// As many of each sort as make every byte value come up sixteen times.
const MANY: usize = 4_096;
/// What everybody says all the time, so that no message differs from another by what is said.
const TEXT: &[u8] = b"the same again";
const HOUR: u64 = 3_600_000;

/// What went over the wire.
#[derive(Default)]
struct Wire {
    /// First messages, of which each carries a note.
    first: Vec<Vec<u8>>,
    /// Messages of sessions that were answered.
    later: Vec<Vec<u8>>,
    requests: Vec<Vec<u8>>,
    /// Answers to requests, with a note or without.
    answers: Vec<Vec<u8>>,
}

impl Wire {
    fn all(&self) -> impl Iterator<Item = &Vec<u8>> {
        [&self.first, &self.later, &self.requests, &self.answers].into_iter().flatten()
    }
}

/// Two devices of one form and policy, and their server.
fn two(headers: Headers, suites: SuitePolicy) -> (Device, Device, Server) {
    let mut server = Server::default();
    let [ada, ben] = ["ada", "ben"].map(|name| {
        let mut device = Device { suites, headers, ..Device::new(name) };
        device.publish(40, &mut server);
        device
    });
    (ada, ben, server)
}

/// Gives the latest session up for another, from a bundle with a one-time prekey or without.
fn restart(device: &mut Device, peer: &Device, weak: bool, server: &mut Server) {
    let bundle = if weak { server.fetch_weak(peer.address) } else { server.fetch(peer.address) };
    let bundle = VerifiedBundle::verify(&bundle, &peer.address).unwrap();
    device.run(&Restart { bundle: &bundle }).unwrap();
}

/// A long conversation of two devices: unanswered first messages, turns, gaps, requests and answers, restarts, crossing starts.
fn conversation(headers: Headers, suites: SuitePolicy) -> Wire {
    let (mut ada, mut ben, mut server) = two(headers, suites);
    let mut wire = Wire::default();
    // Sixteen starts, every third without a one-time prekey; the two cross.
    for round in 0..16 {
        restart(&mut ada, &ben, round % 3 == 0, &mut server);
        restart(&mut ben, &ada, round % 3 == 1, &mut server);
        for _ in 0..MANY / 32 {
            wire.first.push(ada.send(ben.address, TEXT));
            wire.first.push(ben.send(ada.address, TEXT));
        }
        ada.random.tape.clear();
        ben.random.tape.clear();
    }
    // Some arrive, so that a session is active at both; the later start is.
    let met = wire.first.len() - 2;
    ben.opens(ada.address, &wire.first[met], TEXT);
    ada.opens(ben.address, &wire.first[met + 1], TEXT);
    for _ in 0..2 {
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
    }
    // Chains of one to thirty-one messages, of which every third is lost.
    let mut turn = 0;
    while wire.later.len() < MANY {
        turn += 1;
        let (from, to) = if turn % 2 == 0 { (&mut ada, &mut ben) } else { (&mut ben, &mut ada) };
        for counter in 0..=turn % 31 {
            let message = from.send(to.address, TEXT);
            if counter % 3 == 0 {
                to.opens(from.address, &message, TEXT);
            }
            wire.later.push(message);
        }
        from.random.tape.clear();
    }
    // What is lost is asked for, and answered; and noise is asked for, which looks the same.
    for asked in 0..MANY {
        if asked % 64 == 0 {
            ada.wait(HOUR);
        }
        let noise = wire.first[asked].iter().map(|byte| byte ^ 0x55);
        let mut noise: Vec<u8> = noise.collect();
        noise[..2].copy_from_slice(&wire.first[asked][..2]);
        let envelope = if headers == Headers::Plain { &wire.first[asked] } else { &noise };
        let ask = RequestRetry { from: ben.address, envelope, error: OpenError::OutOfStep };
        wire.requests.push(ada.run(&ask).unwrap().request);
        ada.random.tape.clear();
    }
    for _ in 0..40 {
        ada.wait(HOUR);
        let lost = ben.send(ada.address, TEXT);
        exchange(&mut ben, &mut ada);
        let ask = RequestRetry { from: ben.address, envelope: &lost, error: OpenError::KeyGone };
        let request = ada.run(&ask).unwrap().request;
        exchange(&mut ada, &mut ben);
        let answer = ben.answers(ada.address, &request, &mut server).unwrap();
        assert!(ada.opens(ben.address, &answer.envelope, TEXT).again);
        wire.answers.push(answer.envelope);
        wire.requests.push(request);
        wire.later.push(lost);
    }
    wire
}

/// Pearson's statistic of counts that should be equal, as its distance from what is expected in standard deviations; by Wilson and Hilferty.
fn distance(counts: &[u32]) -> f64 {
    let total: u32 = counts.iter().sum();
    let expected = f64::from(total) / counts.len() as f64;
    let chi: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    let freedom = (counts.len() - 1) as f64;
    let spread = 2.0 / (9.0 * freedom);
    ((chi / freedom).cbrt() - (1.0 - spread)) / spread.sqrt()
}

/// A position whose bytes were further than this from equally many of each is no chance: once in 10^9 positions, of which all conversations have some
/// 10^4.
const FAR: f64 = 6.0;

/// The byte of a message at a place.
type At<'a> = &'a dyn Fn(&[u8], usize) -> u8;

/// Positions behind the two fixed bytes at which messages do not look random: counted from the front, and from the end. Looked at are the bytes, and
/// what each has more than that of the message before, which finds counters.
fn told_apart(messages: &[Vec<u8>]) -> Vec<(&'static str, usize, f64)> {
    let shortest = messages.iter().map(Vec::len).min().unwrap() - FRONT.len();
    let front = |message: &[u8], place: usize| message[FRONT.len() + place];
    let end = |message: &[u8], place: usize| message[message.len() - 1 - place];
    let ways: [(&'static str, At<'_>); 2] = [("front", &front), ("end", &end)];
    let mut found = Vec::new();
    for (way, at) in ways {
        for place in 0..shortest {
            let (mut values, mut steps) = ([0; 256], [0; 256]);
            messages.iter().for_each(|message| values[usize::from(at(message, place))] += 1);
            for pair in messages.windows(2) {
                steps[usize::from(at(&pair[1], place).wrapping_sub(at(&pair[0], place)))] += 1;
            }
            for distance in [distance(&values), distance(&steps)] {
                if distance.abs() > FAR {
                    found.push((way, place, distance));
                }
            }
        }
    }
    found
}

fn policies() -> Vec<(SuitePolicy, u8)> {
    vec![
        (SuitePolicy::Classic, 1),
        #[cfg(feature = "post-quantum")]
        (SuitePolicy::Prefer(outrigger::KemSize::MlKem768), 2),
    ]
}

/// Two devices: no string of eight bytes twice, and no position that shows anything.
#[test]
fn a_conversation_shows_two_bytes_and_lengths() {
    for (suites, suite) in policies() {
        let wire = conversation(Headers::Encrypted, suites);
        assert!(wire.all().all(|message| message.starts_with(&FRONT)));
        assert_eq!(repeats(wire.all()), 0, "suite {suite}: a string of eight bytes twice");
        for (what, messages) in [("first", &wire.first), ("later", &wire.later), ("requests", &wire.requests)]
        {
            assert!(messages.len() >= MANY);
            assert_eq!(told_apart(messages), [], "suite {suite}, {what}");
        }
        // Together, as who does not know which is which sees them.
        let all: Vec<_> = wire.all().cloned().collect();
        assert_eq!(told_apart(&all), [], "suite {suite}, all");
        let lengths: BTreeSet<_> = wire.all().map(Vec::len).collect();
        let least = LEAST + 1 + TEXT.len();
        let again = least + 16;
        let note = note_len(suite);
        assert_eq!(lengths, BTreeSet::from([least, least + note, again, FRONT.len() + note_len(0)]));
    }
}

/// The control: with headers in clear both searches find the session, the keys, the counters, the identity.
#[test]
fn the_same_searches_find_headers_in_clear() {
    let wire = conversation(Headers::Plain, SuitePolicy::Classic);
    assert!(repeats(&wire.first) > MANY && repeats(&wire.later) > MANY);
    assert!(repeats(&wire.requests) > MANY, "the identity key");
    for messages in [&wire.first, &wire.later, &wire.requests] {
        assert!(told_apart(messages).len() > 30);
    }
}

/// The control of the statistic: it finds one bit that is always 0, one that comes up in three of five, a counter, a byte that never is 0, and
/// nothing in noise.
#[test]
fn the_statistic_finds_what_it_should() {
    let mut source = Seeded::new(4);
    let mut draw = || *KeyPair::generate(&mut Random::new(&mut source)).unwrap().public().as_bytes();
    // Bytes 0 to 23 of a public key are as good as random; its top bit is 0.
    let keys: Vec<_> = (0..MANY).map(|_| draw()).collect();
    let messages = |alter: &dyn Fn(usize, &mut [u8; 24])| -> Vec<Vec<u8>> {
        let altered = keys.iter().enumerate().map(|(place, key)| {
            let mut bytes = *key.first_chunk().unwrap();
            alter(place, &mut bytes);
            [&FRONT[..], &bytes].concat()
        });
        altered.collect()
    };
    assert_eq!(told_apart(&messages(&|_, _| {})), []);
    let finds = |alter: &dyn Fn(usize, &mut [u8; 24])| {
        let found = told_apart(&messages(alter));
        assert!(found.iter().any(|(way, place, _)| (*way, *place) == ("front", 7)), "{found:?}");
        assert!(found.iter().all(|(way, place, _)| [("front", 7), ("end", 16)].contains(&(*way, *place))));
    };
    finds(&|_, bytes| bytes[7] &= 0x7f);
    finds(&|place, bytes| bytes[7] |= if place % 5 == 0 { 0x10 } else { 0 });
    finds(&|place, bytes| bytes[7] = place as u8);
    finds(&|_, bytes| bytes[7] = bytes[7].max(1) ^ u8::from(bytes[7] < 16) << 7);
    let topped: Vec<_> = keys.iter().map(|key| [&FRONT[..], key].concat()).collect();
    assert_eq!(
        told_apart(&topped).iter().filter(|(way, place, _)| (*way, *place) == ("front", 31)).count(),
        2
    );
}

/// The ephemeral key of a note: each bit of its last byte is as often 1 as 0, and no key comes twice, not even from a state that is loaded again.
#[test]
fn the_last_byte_of_a_notes_key_is_as_good_as_random() {
    let (mut ada, mut ben, mut server) = two(Headers::Encrypted, SuitePolicy::Classic);
    ada.start(ben.address, &mut server).unwrap();
    let before = ada.store.clone();
    let mut keys = BTreeSet::new();
    let mut ones = [0_u32; 8];
    for _ in 0..MANY {
        let message = ada.send(ben.address, TEXT);
        let key: [u8; 32] = message[FRONT.len()..][..32].try_into().unwrap();
        (0..8).for_each(|bit| ones[bit] += u32::from(key[31] >> bit & 1));
        keys.insert(key);
        ada.store = before.clone();
        ada.random.tape.clear();
    }
    assert_eq!(keys.len(), MANY);
    // Six standard deviations of a fair coin: 32 each.
    let half = MANY as u32 / 2;
    assert!(ones.iter().all(|ones| ones.abs_diff(half) < 192), "{ones:?}");
    let message = ada.send(ben.address, TEXT);
    ben.opens(ada.address, &message, TEXT);
}

/// The length of an envelope follows from the text's length, the suite, and whether it carries a note.
#[test]
fn nothing_but_text_suite_and_note_makes_a_length() {
    for (suites, suite) in policies() {
        let mut lengths: BTreeMap<(usize, bool), BTreeSet<usize>> = BTreeMap::new();
        let (mut ada, mut ben, mut server) = two(Headers::Encrypted, suites);
        // A clock that takes one byte on the wire, one that takes six, and one that takes nine; with a one-time prekey and without.
        for (now, weak) in [(0, false), (0, true), (1 << 40, false), (1 << 40, true), (1 << 62, false)] {
            (ada.now.0, ben.now.0) = (now, now);
            let mut note = |ada: &mut Device, ben: &mut Device, counter: u32| {
                for len in [0, 1, 77] {
                    let envelope = ada.send(ben.address, vec![0; len]);
                    if counter.is_multiple_of(100) {
                        ben.opens(ada.address, &envelope, vec![0; len]);
                    }
                    lengths.entry((len, true)).or_default().insert(envelope.len());
                }
            };
            restart(&mut ada, &ben, weak, &mut server);
            (0..131).for_each(|counter| note(&mut ada, &mut ben, counter));
        }
        exchange(&mut ben, &mut ada);
        // Counters and lengths of chains of one byte and of two.
        for turn in 0..4 {
            let (from, to) = if turn % 2 == 0 { (&mut ada, &mut ben) } else { (&mut ben, &mut ada) };
            for counter in 0..140 {
                let len = [0, 1, 77][counter % 3];
                let envelope = from.send(to.address, vec![0; len]);
                lengths.entry((len, false)).or_default().insert(envelope.len());
                if counter % 50 == 0 {
                    to.opens(from.address, &envelope, vec![0; len]);
                }
            }
        }
        assert_eq!(lengths.len(), 6);
        for ((len, noted), lengths) in lengths {
            let note = if noted { note_len(suite) } else { 0 };
            assert_eq!(lengths, BTreeSet::from([LEAST + note + 1 + len]), "suite {suite}, {len}, {noted}");
        }
    }
}

/// An account with a companion: copies, stamps, headings, what devices of one account say to each other.
#[test]
fn an_account_with_a_companion_shows_no_string_twice() {
    let wires = [Headers::Encrypted, Headers::Plain].map(|headers| {
        crate::world::headers_of_test(headers);
        let mut directory = Directory::default();
        let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
        let mut desk = directory.link(&mut ada, "desk");
        directory.learn(&mut desk, ada.address.account).unwrap();
        directory.meet(&mut ben, ada.address.account);
        directory.meet(&mut ada, ben.address.account);
        let (of_ada, of_ben) = (ada.address.account, ben.address.account);
        let mut wire = Vec::new();
        for _ in 0..30 {
            let sent = directory.send(&mut ben, of_ada, TEXT).unwrap();
            wire.extend(sent.copies.iter().map(|(_, copy)| copy.envelope.clone()));
            ada.hears(ben.address, &sent, TEXT);
            desk.hears(ben.address, &sent, TEXT);
            for (from, other) in [(0, 1), (1, 0)] {
                let devices = [&mut ada, &mut desk];
                let sent = directory.send(devices[from], of_ben, TEXT).unwrap();
                let address = devices[from].address;
                wire.extend(sent.copies.iter().map(|(_, copy)| copy.envelope.clone()));
                ben.hears(address, &sent, TEXT);
                devices[other].sees(address, of_ben, &sent, TEXT);
            }
        }
        wire
    });
    let [hidden, clear] = &wires;
    assert!(hidden.len() > 150 && hidden.iter().all(|message| message.starts_with(&FRONT)));
    assert_eq!((repeats(hidden), repeats(clear) > 300), (0, true));
}

/// A relayed desktop: what phone and desktop say to each other, and what goes out for it.
#[test]
fn a_relayed_desktop_shows_no_string_twice() {
    let wires = [Headers::Encrypted, Headers::Plain].map(|headers| {
        crate::world::headers_of_test(headers);
        let mut office = office(DesktopConsent::Always);
        let mut wire = Vec::new();
        for _ in 0..20 {
            let frames = office.frames("for the desk");
            assert!(!office.desk.shows(&frames).is_empty());
            wire.extend(frames);
            let (_, request) = office.desk_says("from the desk");
            let done = office.phone.from(&office.desk, &request).unwrap();
            let FromDesktop::Sent { sent, desktops, .. } = done else { panic!("{done:?}") };
            wire.push(request);
            wire.extend(sent.copies.into_iter().map(|(_, copy)| copy.envelope));
            for desktop in desktops {
                office.desk.shows(&desktop.frames);
                wire.extend(desktop.frames);
            }
            wire.push(office.desk.run(&AskPhone).unwrap());
            wire.extend(office.acknowledge());
        }
        wire
    });
    let [hidden, clear] = &wires;
    assert!(hidden.len() > 80 && hidden.iter().all(|message| message.starts_with(&FRONT)));
    assert_eq!((repeats(hidden), repeats(clear) > 300), (0, true));
}

/// What docs/protocol.md, section 6, says that a note gives away: its key is a point of the curve, in the large subgroup, as one in sixteen random strings is.
#[test]
fn the_key_of_a_note_is_a_point_and_what_follows_is_as_random_bytes() {
    let (mut ada, ben, mut server) = two(Headers::Encrypted, SuitePolicy::Classic);
    ada.start(ben.address, &mut server).unwrap();
    let on_curve = |bytes: &[u8]| {
        let mut key: [u8; 32] = bytes[..32].try_into().unwrap();
        key[31] &= 0x7f;
        curve25519_dalek::MontgomeryPoint(key).to_edwards(0).is_some_and(|point| point.is_torsion_free())
    };
    let notes: Vec<_> = (0..512).map(|_| ada.send(ben.address, TEXT)).collect();
    let count = |from: usize| notes.iter().filter(|note| on_curve(&note[from..])).count();
    assert_eq!(count(FRONT.len()), 512);
    assert!((8..64).contains(&count(FRONT.len() + 32)));
    assert!((8..64).contains(&count(note_len(1) + HEADER)));
}
