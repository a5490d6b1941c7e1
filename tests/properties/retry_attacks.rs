//! Retry requests that nobody should answer, and how little those can cause who send them.

use outrigger::{
    Address, Advice, AnswerRetry, Content, Decision, Keep, Limits, OpenError, Receive, RecordKind,
    RequestRetry, RetryError, RetryOutcome, SendError, Start, Tidy, VerifiedBundle,
};

use crate::world::{
    BOUND, DAY, Device, NOON, Server, exchange, friends, headers_in_clear,
    wire::{Fields, envelope},
};

/// An hour in milliseconds.
const HOUR: u64 = 3_600_000;

fn answer<'a>(from: Address, request: &'a [u8]) -> AnswerRetry<'a> {
    AnswerRetry { from, request, bundle: None, resend_to: None }
}

/// Two friends, and a message of Ada's that Ben cannot open: her store went back.
fn broken() -> (Device, Device, Server, Vec<u8>) {
    let (mut ada, mut ben, server) = friends();
    exchange(&mut ada, &mut ben);
    let before = ada.store.clone();
    exchange(&mut ada, &mut ben);
    ada.store = before;
    let sent = ada.send(ben.address, b"wanted");
    (ada, ben, server, sent)
}

#[test]
fn a_request_opens_for_its_two_devices_only() {
    let (mut ada, mut ben, mut server, sent) = broken();
    let mut cleo = Device::new("cleo");
    cleo.publish(5, &mut server);
    ada.start(cleo.address, &mut server).unwrap();
    exchange(&mut ada, &mut cleo);
    let request = ben.asks(ada.address, &sent);
    assert!(!request.windows(6).any(|window| window == b"wanted"));

    let other = ada.run(&answer(cleo.address, &request));
    assert!(matches!(other, Err(RetryError::NotAuthentic)), "said to be from another: {other:?}");
    assert!(matches!(ben.run(&answer(ada.address, &request)), Err(RetryError::NotAuthentic)), "reflected");
    assert!(
        matches!(cleo.run(&answer(ada.address, &request)), Err(RetryError::NotAuthentic)),
        "misdelivered"
    );
    for bit in 0..request.len() * 8 {
        let mut altered = request.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let refused = ada.run(&answer(ben.address, &altered)).unwrap_err();
        assert!(matches!(refused, RetryError::NotAuthentic | RetryError::Decode(_)), "bit {bit}: {refused}");
    }
    for cut in 0..request.len() {
        let refused = ada.run(&answer(ben.address, &request[..cut])).unwrap_err();
        assert!(
            matches!(refused, RetryError::NotAuthentic | RetryError::Decode(_)),
            "{cut} bytes: {refused}"
        );
    }
    let long = [&request[..], &[0; 600]].concat();
    assert!(matches!(ada.run(&answer(ben.address, &long)), Err(RetryError::Decode(_))));

    // Another device that asks for Ben's message, truthfully in its own name, was not sent it.
    let error = cleo.refuses(ada.address, &sent);
    let foreign = cleo.run(&RequestRetry { from: ada.address, envelope: &sent, error }).unwrap().request;
    assert_eq!(ada.run(&answer(cleo.address, &foreign)), Err(RetryError::UnknownMessage));
    ada.answers(ben.address, &request, &mut server).unwrap();
}

/// Whoever alters an envelope under way makes its recipient ask, and nothing more: no session is given up, no prekey spent, nothing sent.
#[test]
fn what_others_made_of_an_envelope_is_not_answered() {
    headers_in_clear();
    let (mut ada, mut ben, mut server) = friends();
    let sent = ada.send(ben.address, b"whole");
    let fields = Fields::envelope(&sent);
    let mut key = fields.bytes(envelope::RATCHET_KEY).to_vec();
    key[5] ^= 1;
    let altered = fields.with_bytes(envelope::RATCHET_KEY, &key).encode();
    let request = ben.asks(ada.address, &altered);
    let left = server.fetch(ben.address).len();
    assert_eq!(ada.answers(ben.address, &request, &mut server), Err(RetryError::UnknownMessage));
    assert_eq!(server.fetch(ben.address).len(), left);
    ben.opens(ada.address, &sent, b"whole");
    exchange(&mut ben, &mut ada);
}

#[test]
fn l46_each_envelope_is_answered_once_and_a_message_goes_out_in_four() {
    let (mut ada, mut ben, mut server, sent) = broken();
    let mut envelope = sent;
    let mut outcomes = Vec::new();
    for _ in 0..10 {
        // Ben opens nothing: his store goes back after each.
        let request = match ben.receive(ada.address, &envelope) {
            Err(error) => ben.run(&RequestRetry { from: ada.address, envelope: &envelope, error }),
            Ok(_) => unreachable!("his prekeys are gone"),
        };
        let Ok(request) = request else { break };
        let first = ada.answers(ben.address, &request.request, &mut server);
        assert!(ada.answers(ben.address, &request.request, &mut server).is_err(), "twice");
        let Ok(answer) = first else { break };
        outcomes.push(answer.outcome);
        envelope = answer.envelope;
        for kind in [RecordKind::SignedPrekey, RecordKind::OneTimePrekey] {
            ben.store.0.retain(|key, _| key.kind() != kind);
        }
    }
    use RetryOutcome::{Again, Lost};
    assert_eq!(outcomes, [Again, Again, Again, Lost]);
}

#[test]
fn l45_a_message_does_not_follow_an_address_to_another_identity() {
    let (mut ada, _, mut server) = friends();
    let ben = Device::new("ben").address;
    let sent = ada.send(ben, b"for the first ben");
    // He is there anew, with another key, and knows Ada.
    let mut anew = Device::empty("ben");
    anew.random = crate::world::random::Seeded::new(77);
    anew.identity = anew.run(&outrigger::Register { address: ben }).unwrap();
    anew.publish(5, &mut server);
    anew.start(ada.address, &mut server).unwrap();
    let request = anew.asks(ada.address, &sent);
    let refused = ada.run(&answer(ben, &request)).unwrap_err();
    let stored = ada.describe(ben).identity_key.unwrap();
    assert_eq!(refused, RetryError::IdentityChanged { stored, offered: anew.identity });
    assert_eq!(refused.advice(), Advice::AskUser);

    ada.decide(ben, Decision::Accept(anew.identity)).unwrap();
    let held = ada.run(&answer(ben, &request)).unwrap_err();
    assert_eq!(held, RetryError::SentToAnotherKey { sent_to: stored, stored: anew.identity });
    // The word must be about this key.
    let bundle = VerifiedBundle::verify(&server.fetch(ben), &ben).unwrap();
    let wrong = AnswerRetry { resend_to: Some(stored), bundle: Some(&bundle), ..answer(ben, &request) };
    assert_eq!(ada.run(&wrong).unwrap_err(), held);
    let agreed = AnswerRetry { resend_to: Some(anew.identity), ..wrong };
    let sent = ada.run(&agreed).unwrap();
    assert!(anew.opens(ada.address, &sent.envelope, b"for the first ben").again);
    // While a change waits for the user nothing goes out at all.
    ada.decide(ben, Decision::Suspect(stored)).unwrap();
    let text = ada.try_send(ben, b"x");
    assert!(matches!(text, Err(SendError::IdentityChanged { .. })));
}

/// A friend, or someone between, who sends a thousand envelopes that cannot be opened.
#[test]
fn l44_a_storm_costs_its_receiver_64_requests_an_hour() {
    headers_in_clear();
    let (mut ada, mut ben, _) = friends();
    let template = ada.send(ben.address, b"storm");
    let forged = |number: u16| {
        let mut bytes = template.clone();
        let end = bytes.len();
        bytes[end - 2..].copy_from_slice(&number.to_be_bytes());
        let fields = Fields::envelope(&bytes);
        let mut key = fields.bytes(envelope::RATCHET_KEY).to_vec();
        key[7] ^= 1;
        fields.with_bytes(envelope::RATCHET_KEY, &key).encode()
    };
    let mut size = None;
    let mut asked = 0;
    for number in 0..1_000 {
        let envelope = forged(number);
        let error = ben.refuses(ada.address, &envelope);
        match ben.run(&RequestRetry { from: ada.address, envelope: &envelope, error }) {
            Ok(_) => asked += 1,
            Err(refused) => {
                assert_eq!(refused, RetryError::TooMany { again_at: NOON.plus(HOUR) });
                assert_eq!(refused.advice(), Advice::Later);
                // Nothing grows.
                assert_eq!(*size.get_or_insert(ben.store.clone()), ben.store);
            }
        }
    }
    assert_eq!(asked, 64);
    let ask = |ben: &mut Device, number: u16| {
        let envelope = forged(number);
        let error = ben.refuses(ada.address, &envelope);
        ben.run(&RequestRetry { from: ada.address, envelope: &envelope, error }).map(drop)
    };
    // Turning the clock back by less than an hour opens no new one; a clock that was wrong by more is not held against its user.
    ben.now.0 -= HOUR - 1;
    assert!(matches!(ask(&mut ben, 2_000), Err(RetryError::TooMany { .. })));
    ben.wait(2 * HOUR - 2);
    assert!(matches!(ask(&mut ben, 2_000), Err(RetryError::TooMany { .. })));
    assert_eq!(ask(&mut Device { now: ben.now.plus(1), ..ben.clone() }, 2_000), Ok(()));
    ben.now.0 -= 10 * DAY;
    assert_eq!(ask(&mut ben, 2_000), Ok(()));
    assert_eq!(ask(&mut ben, 2_000), Err(RetryError::AlreadyAsked));
    ben.limits = Limits::DEFAULT.max_asked(0);
    assert!(matches!(ask(&mut ben, 2_001), Err(RetryError::TooMany { .. })));
    ben.limits = Limits::DEFAULT;
    // The session is as good as before.
    ben.opens(ada.address, &template, b"storm");
    exchange(&mut ben, &mut ada);
}

#[test]
fn l47_what_is_old_is_not_sent_again_and_not_kept() {
    let (mut ada, mut ben, mut server, sent) = broken();
    let request = ben.asks(ada.address, &sent);
    assert!(ada.store.holds(b"wanted"));
    ada.wait(14 * DAY + 1);
    let late = ada.clone().answers(ben.address, &request, &mut server).unwrap();
    assert_eq!(late.outcome, RetryOutcome::Lost);
    let receive = Receive { from: ada.address, envelope: &late.envelope, associated_data: BOUND };
    assert!(matches!(ben.clone().run(&receive).unwrap().content, Content::Lost));
    assert!(ada.run(&Tidy { peer: ben.address }).unwrap() > 0);
    assert!(!ada.store.holds(b"wanted"), "the text is gone from the store");
    assert_eq!(ada.answers(ben.address, &request, &mut server), Err(RetryError::UnknownMessage));
    assert_eq!(ada.run(&Tidy { peer: ben.address }).unwrap(), 0);
}

#[test]
fn sixty_four_messages_are_remembered_and_no_more() {
    let (mut ada, mut ben, mut server, sent) = broken();
    let request = ben.asks(ada.address, &sent);
    for _ in 0..63 {
        ada.send(ben.address, b"more");
    }
    let mut still = ada.clone();
    assert_eq!(still.answers(ben.address, &request, &mut server).unwrap().outcome, RetryOutcome::Again);
    ada.send(ben.address, b"one more");
    assert_eq!(ada.answers(ben.address, &request, &mut server), Err(RetryError::UnknownMessage));
    assert_eq!(ada.store.count(RecordKind::RetryCopy), 64);
    // A smaller ring, from now on.
    ada.limits = Limits::DEFAULT.retry_copies(3);
    let last = [(); 4].map(|()| ada.sends(ben.address, b"x", Keep::ForRetry).message_id);
    assert_eq!(last.len(), 4);
    assert_eq!(ada.store.count(RecordKind::RetryCopy), 64);
}

/// A request that names the active session costs that session its place, not its life; one that names an older one costs nothing.
#[test]
fn a_retry_archives_and_never_deletes() {
    let (mut ada, mut ben, mut server, sent) = broken();
    let under_way = ben.send(ada.address, b"under way in the old session");
    let old = ada.active(ben.address).unwrap();
    let request = ben.asks(ada.address, &sent);
    let bundle = VerifiedBundle::verify(&server.fetch(ben.address), &ben.address).unwrap();
    let refused = ada.run(&answer(ben.address, &request)).unwrap_err();
    assert_eq!((refused, refused.advice()), (RetryError::NoBundle, Advice::FetchBundle));
    let other = VerifiedBundle::verify(&server.fetch(ada.address), &ada.address).unwrap();
    let wrong = AnswerRetry { bundle: Some(&other), ..answer(ben.address, &request) };
    assert_eq!(ada.run(&wrong).unwrap_err(), RetryError::OtherBundle);
    let answered = ada.run(&AnswerRetry { bundle: Some(&bundle), ..answer(ben.address, &request) }).unwrap();
    assert!(answered.restarted && answered.session != old);
    ada.opens(ben.address, &under_way, b"under way in the old session");
    assert_eq!(ada.active(ben.address), Some(answered.session));
    ben.opens(ada.address, &answered.envelope, b"wanted");

    // An older session's envelope: answered in the one that speaks.
    let late = ada.clone();
    let again = ada.sends(ben.address, b"second", Keep::ForRetry);
    ben.run(&Start { bundle: &other }).unwrap();
    exchange(&mut ben, &mut ada);
    assert_ne!(ada.active(ben.address), late.clone().active(ben.address));
    let error = OpenError::OutOfStep;
    let ask = RequestRetry { from: ada.address, envelope: &again.envelope, error };
    let request = ben.run(&ask).unwrap().request;
    let answered = ada.run(&answer(ben.address, &request)).unwrap();
    assert!(!answered.restarted);
    ben.opens(ada.address, &answered.envelope, b"second");
    // What came again is not opened a second time as what it was.
    assert_eq!(ben.refuses(ada.address, &again.envelope), OpenError::Duplicate);
}

/// Both sides' stores went back, and neither can open what the other sends: each asks once, each answers once, then they talk.
#[test]
fn two_storms_meet_and_end() {
    let (mut ada, mut ben, mut server) = friends();
    let before = (ada.store.clone(), ben.store.clone());
    exchange(&mut ada, &mut ben);
    let older = ben.store.clone();
    for _ in 0..3 {
        exchange(&mut ben, &mut ada);
        exchange(&mut ada, &mut ben);
    }
    (ada.store, ben.store) = (before.0, older);
    let (from_ada, from_ben) = (ada.send(ben.address, b"a"), ben.send(ada.address, b"b"));
    let to_ben = ada.asks(ben.address, &from_ben);
    let to_ada = ben.asks(ada.address, &from_ada);
    let of_ben = ben.answers(ada.address, &to_ben, &mut server).unwrap();
    let of_ada = ada.answers(ben.address, &to_ada, &mut server).unwrap();
    assert!(of_ada.restarted && of_ben.restarted, "both start at once");
    ada.opens(ben.address, &of_ben.envelope, b"b");
    ben.opens(ada.address, &of_ada.envelope, b"a");
    assert_eq!(ada.active(ben.address), ben.active(ada.address));
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
}

/// Envelopes that cannot be opened, of every sort that can be made without a key: nothing grows, and no more is asked than the budget allows. `OUTRIGGER_STORM=100000` and
/// `--release` for a longer storm.
#[test]
fn l44_a_storm_of_bad_envelopes_changes_nothing() {
    headers_in_clear();
    let count = std::env::var("OUTRIGGER_STORM").map_or(3_000_u32, |count| count.parse().unwrap());
    let (mut ada, mut ben, _) = friends();
    let old = ada.send(ben.address, b"opened");
    ben.opens(ada.address, &old, b"opened");
    let next = ada.send(ben.address, b"next");
    let fields = Fields::envelope(&next);
    let mut key = fields.bytes(envelope::RATCHET_KEY).to_vec();
    key[9] ^= 1;
    let templates = [
        fields.with_bytes(envelope::RATCHET_KEY, &key).encode(),
        fields.with_number(envelope::COUNTER, 900).encode(),
        fields.with_number(envelope::COUNTER, 0xffff_0000).encode(),
        Fields::envelope(&old).encode(),
        [&next[..3], &[0x55; 8], &next[11..]].concat(),
        next[..next.len() / 2].to_vec(),
    ];
    let before = ben.store.clone();
    let mut asked = 0;
    for number in 0..count {
        let mut bad = templates[number as usize % templates.len()].clone();
        let end = bad.len();
        bad[end - 4..].copy_from_slice(&number.to_be_bytes());
        let receive = Receive { from: ada.address, envelope: &bad, associated_data: BOUND };
        let error = ben.prepare(&receive).map(drop).unwrap_err();
        if number % 7 == 0 && error.advice() == Advice::RequestRetry {
            let ask = RequestRetry { from: ada.address, envelope: &bad, error };
            asked += u32::from(ben.run(&ask).is_ok());
        }
    }
    assert!(asked <= 64, "{asked}");
    let grown = ben.store.len() - before.len();
    assert!(grown < 2_000, "{grown} bytes: what was asked, and no more");
    ben.opens(ada.address, &next, b"next");
}
