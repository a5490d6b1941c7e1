//! Reordering, repeats, alterations, and a desktop that lies.

use base64ct::{Base64, Encoding};
use outrigger::{
    DesktopConsent, FromDesktop, FromPhone, OpenError, RecordKey, RecordKind, RelayError, RequestNumber,
    Suspension, Verdict,
};

use super::office::{Office, office, pair};

/// Frames in every order: each one opens exactly when it is next, and is refused without a change before.
#[test]
fn early_frames_change_nothing_and_open_later() {
    let mut office = office(DesktopConsent::Always);
    let frames: Vec<_> = ["1", "2", "3", "4"].map(|text| office.frames(text)).concat();
    for order in orders(frames.len()) {
        let mut desk = office.desk.clone();
        let mut waiting = order;
        let mut shown = Vec::new();
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|place| match desk.take_frame(&frames[*place]) {
                Ok(taken) => {
                    let FromPhone::Event { number, .. } = taken.said else { panic!("{taken:?}") };
                    shown.push(number.0);
                    false
                }
                Err(RelayError::Early { next }) => {
                    assert_eq!(next.0, shown.len() as u64 + 1);
                    true
                }
                Err(error) => panic!("{error:?}"),
            });
            assert!(waiting.len() < before);
        }
        assert_eq!(shown, [1, 2, 3, 4]);
    }
}

fn orders(len: usize) -> Vec<Vec<usize>> {
    if len == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(len - 1);
    let place = |at: usize| {
        shorter.iter().map(move |order| {
            let mut order = order.clone();
            order.insert(at, len - 1);
            order
        })
    };
    (0..len).flat_map(place).collect()
}

/// Every byte of frames of all kinds, altered, cut off and repeated, at both ends: refused, and nothing has changed (which the world asserts).
#[test]
fn altered_and_repeated_frames_are_refused() {
    let mut office = office(DesktopConsent::Always);
    let down = office.frames("down").remove(0);
    let (_, up) = office.desk_says("up");
    for place in 0..down.len() {
        let mut altered = down.clone();
        altered[place] ^= 1 << (place % 8);
        office.desk.take_frame(&altered).unwrap_err();
        office.desk.take_frame(&down[..place]).unwrap_err();
    }
    for place in 0..up.len() {
        let mut altered = up.clone();
        altered[place] ^= 1 << (place % 8);
        office.phone.from(&office.desk, &altered).unwrap_err();
        office.phone.from(&office.desk, &up[..place]).unwrap_err();
    }
    office.desk.take_frame(&down).unwrap();
    office.phone.from(&office.desk, &up).unwrap();
    let twice = RelayError::Frame(OpenError::Duplicate);
    assert_eq!(office.desk.take_frame(&down).map(|_| ()), Err(twice));
    assert_eq!(office.phone.from(&office.desk, &up).map(|_| ()), Err(twice));
}

/// One desktop's frames are nothing under another's name, nor back where they came from.
#[test]
fn frames_count_for_their_own_pair_alone() {
    let mut office = office(DesktopConsent::Always);
    let mut second = pair(&mut office.phone, "second", DesktopConsent::Always);
    let (_, up) = office.desk_says("mine");
    assert!(matches!(office.phone.from(&second, &up), Err(RelayError::Frame(_))));
    let desktops = office.peer_says("to both");
    assert_eq!(desktops.len(), 2);
    let own = desktops.iter().find(|told| told.desktop == office.desk.address.device).unwrap();
    assert!(matches!(second.take_frame(&own.frames[0]), Err(RelayError::Frame(_))));
    assert!(office.phone.from(&office.desk, &own.frames[0]).is_err());
    assert!(office.desk.take_frame(&up).is_err());
    assert_eq!(office.desk.shows(&own.frames), ["to both"]);
}

/// Two stores of one desktop ask for different things under one number: never taken for each other, and nothing more is done until the user has decided.
#[test]
fn another_request_at_a_used_number_suspends() {
    let mut office = office(DesktopConsent::Always);
    // Both copies speak in one turn, so that what either says opens.
    office.acknowledge();
    let mut copy = office.clone();
    copy.desk.random = crate::world::random::Seeded::new(5);
    let (_, first) = office.desk_says("pay Ben");
    let done = office.phone.from(&office.desk, &first).unwrap();
    assert!(matches!(done, FromDesktop::Sent { request: RequestNumber(1), .. }));
    // The copy is one counter further, so that its session has the key of the next message.
    copy.desk.run(&outrigger::AckPhone).unwrap();
    let (_, other) = copy.desk_says("pay Mallory");
    let found = office.phone.from(&office.desk, &other).unwrap();
    assert!(matches!(found, FromDesktop::Suspended(Suspension::DesktopWentBack)), "{found:?}");
    let (_, more) = office.desk_says("more");
    let refused = office.phone.from(&office.desk, &more).unwrap_err();
    assert!(
        matches!(refused, RelayError::Suspended(Suspension::DesktopWentBack) | RelayError::Frame(_)),
        "{refused:?}"
    );
    let (settled, _) = office.rejoin();
    assert_eq!(settled[0].1, outrigger::RequestState::Accepted);
}

/// The end tells of another request under the number of one's own: nobody knows what became of that, and it is not said to be undone.
#[test]
fn at_the_end_a_used_number_is_unknown() {
    let mut office = office(DesktopConsent::Always);
    office.acknowledge();
    let mut copy = office.clone();
    copy.desk.random = crate::world::random::Seeded::new(5);
    let (_, first) = office.desk_says("by one machine");
    assert!(matches!(office.phone.from(&office.desk, &first), Ok(FromDesktop::Sent { .. })));
    let (taken, _) = copy.desk_says("by the other");
    let (above, _) = copy.desk_says("above all that was taken");
    let desktop = office.desk.address.device;
    let notice = office.phone.run(&outrigger::DetachDesktop { desktop }).unwrap().unwrap();
    let said = copy.desk.take_frame(&notice).unwrap().said;
    let FromPhone::Ended { settled, never_sent, .. } = said else { panic!("{said:?}") };
    assert_eq!(settled, [(taken, outrigger::RequestState::Unknown)]);
    assert_eq!(never_sent, [above]);
}

/// Nothing that the phone emits, nor all that a desktop holds, has a private key of the phone's or its key with a peer in it.
#[test]
fn no_key_of_the_phone_reaches_a_desktop() {
    let mut office = office(DesktopConsent::Ask);
    let mut emitted: Vec<Vec<u8>> = office.frames("one");
    let (_, up) = office.desk_says("two");
    let done = office.phone.decides(&office.desk, &up, Verdict::Allow).unwrap();
    let FromDesktop::Sent { sent, desktops, .. } = done else { panic!("{done:?}") };
    emitted.extend(desktops.into_iter().flat_map(|told| told.frames));
    emitted.extend(office.desk.store.0.values().map(|(_, bytes)| bytes.clone()));
    // Of the session with the peer not even what the two show each other.
    let session = secret_runs(&office);
    assert!(session.len() > 100);
    assert!(
        session.iter().all(|run| !emitted.iter().any(|bytes| bytes.windows(16).any(|window| window == run)))
    );
    emitted.extend(sent.copies.iter().map(|(_, copy)| copy.envelope.clone()));
    let secrets = secrets(&office);
    assert!(secrets.len() >= 4);
    for secret in secrets {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = Base64::encode_string(&secret);
        // The last characters of base64 depend on what follows.
        for form in [&secret[..], hex.as_bytes(), &base64.as_bytes()[..40]] {
            assert!(!emitted.iter().any(|bytes| bytes.windows(form.len()).any(|window| window == form)));
        }
    }
}

/// The private halves in the phone's records: its identity key's, its prekeys', and the chain keys with the peer, all taken as runs of 32 bytes that begin a key pair or a chain.
fn secrets(office: &Office) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for kind in [RecordKind::Device, RecordKind::SignedPrekey, RecordKind::OneTimePrekey, RecordKind::Peer] {
        for (_, bytes) in office.phone.store.of(kind) {
            for start in 22..bytes.len().saturating_sub(63) {
                let (private, public) = (&bytes[start..start + 32], &bytes[start + 32..start + 64]);
                if crate::world::hand::public(private.try_into().unwrap()) == public {
                    found.push(private.to_vec());
                }
            }
        }
    }
    found
}

/// Every run of 16 bytes of the phone's session with the peer: root key, chain keys, ratchet keys. What is nearly constant is no key.
fn secret_runs(office: &Office) -> Vec<[u8; 16]> {
    let peer = office.peer.address.account;
    let of_peer = |key: &RecordKey| key.as_bytes().windows(16).any(|run| run == peer.as_bytes());
    let record = office.phone.store.of(RecordKind::Peer).find(|(key, _)| of_peer(key)).unwrap().1;
    let varied = |run: &[u8; 16]| run.iter().collect::<std::collections::BTreeSet<_>>().len() > 8;
    record[22..].windows(16).map(|run| run.try_into().unwrap()).filter(varied).collect()
}

/// A desktop's whole state, handed to an attacker, opens nothing that passed before it.
#[test]
fn a_stolen_desktop_opens_nothing_of_before() {
    let mut office = office(DesktopConsent::Always);
    let before: Vec<_> = ["old one", "old two"].map(|text| office.frames(text)).concat();
    assert_eq!(office.desk.shows(&before), ["old one", "old two"]);
    let mut thief = office.desk.clone();
    for frame in &before {
        assert_eq!(thief.take_frame(frame).map(|_| ()), Err(RelayError::Frame(OpenError::Duplicate)));
    }
    assert!(!thief.store.holds(b"old one"));
}

/// Nobody without the desktop's key comes in, whatever bundle of the phone's they have.
#[test]
fn a_stranger_does_not_join() {
    let mut office = office(DesktopConsent::Always);
    let mut stranger = crate::world::Device::new("stranger");
    stranger.start(office.phone.address, &mut office.server).unwrap();
    let envelope = stranger.send(office.phone.address, "let me in");
    assert!(office.phone.from(&office.desk, &envelope).is_err());
    // Nor one of the account's own relayed desktops in the name of another.
    let second = pair(&mut office.phone, "second", DesktopConsent::Always);
    let bundle = office.bundle();
    let frame = office.desk.run(&outrigger::RejoinPhone { bundle: &bundle }).unwrap();
    assert!(office.phone.from(&second, &frame).is_err());
}
