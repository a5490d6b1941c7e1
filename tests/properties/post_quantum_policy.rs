//! Which suite a session has, what is remembered of it, and how KEM prekeys come and go.

use outrigger::{
    Advice, AnswerRetry, BundleError, Decision, DescribePrekeys, DeviceError, HandOutBundle, KemSize,
    OpenError, PrekeyUpload, RecordKind, ReplenishPrekeys, RequestRetry, RetryError, Start, StartError,
    Strength, Suite, SuitePolicy, VerifiedBundle,
};

use crate::{
    post_quantum::{SIZES, device, other, pair},
    world::{
        DAY, Device, Server, exchange, headers_in_clear,
        wire::{Fields, envelope},
    },
};

/// The seeds of KEM keys that a device has drawn, oldest first: draws of 64 bytes that stand in its records.
fn seeds(device: &Device) -> Vec<Vec<u8>> {
    let draws = device.random.tape.iter().filter(|draw| draw.len() == 64 && device.store.holds(draw));
    draws.cloned().collect()
}

/// A message to ben from someone new, made of a bundle.
fn first_message(bundle: &[u8], name: &str, ben: &Device) -> (Device, Vec<u8>) {
    let mut stranger = Device::new(name);
    stranger.suites = ben.suites;
    stranger.start_from(bundle, ben.address).unwrap();
    let message = stranger.send(ben.address, b"hello");
    (stranger, message)
}

#[test]
fn a_one_time_kem_key_goes_with_the_step_that_opens_and_the_last_resort_stays() {
    for size in SIZES {
        let (_, mut ben, mut server) = pair(size);
        // The last resort, then one for each one-time prekey.
        let drawn = seeds(&ben);
        assert_eq!(drawn.len(), 11);
        let (cleo, message) = first_message(&server.fetch(ben.address), "cleo", &ben);
        let mut forged = message.clone();
        *forged.last_mut().unwrap() ^= 1;
        for _ in 0..5 {
            assert_eq!(ben.refuses(cleo.address, &forged), OpenError::NotAuthentic);
        }
        assert_eq!(seeds(&ben), drawn);
        ben.opens(cleo.address, &message, b"hello");
        let left = seeds(&ben);
        assert_eq!(left.len(), 10);
        assert_eq!(left[0], drawn[0]);
        // Two of the last resort, one after the other.
        for name in ["dan", "eve"] {
            let (stranger, message) = first_message(&server.fetch_weak(ben.address), name, &ben);
            assert_eq!(ben.opens(stranger.address, &message, b"hello").strength, Strength::Weak);
            assert_eq!(seeds(&ben), left);
        }
    }
}

#[test]
fn l8_the_last_resort_is_replaced_with_the_signed_prekey_and_gone_with_it() {
    for size in SIZES {
        let (_, mut ben, mut server) = pair(size);
        let first = ben.publish(0, &mut server);
        let old = server.fetch_weak(ben.address);
        let seed = seeds(&ben).remove(0);
        ben.wait(7 * DAY - 1);
        let same = ben.publish(0, &mut server);
        assert_eq!(same.last_resort, first.last_resort);
        ben.wait(1);
        let next = ben.publish(0, &mut server);
        assert_ne!(next.last_resort, first.last_resort);
        let signed = |upload: &PrekeyUpload| Fields::parse(&upload.bundle, 1).bytes(5).to_vec();
        assert_ne!(signed(&next), signed(&first));

        ben.wait(30 * DAY - 1);
        ben.publish(0, &mut server);
        let (cleo, in_grace) = first_message(&old, "cleo", &ben);
        ben.opens(cleo.address, &in_grace, b"hello");
        assert!(ben.store.holds(&seed));
        let (dan, late) = first_message(&old, "dan", &ben);
        ben.wait(1);
        assert!(matches!(ben.refuses(dan.address, &late), OpenError::MissingPrekey(_)));
        ben.publish(0, &mut server);
        assert!(!ben.store.holds(&seed));
        assert!(matches!(ben.refuses(dan.address, &late), OpenError::MissingPrekey(_)));
    }
}

#[test]
fn one_parameter_set_after_another_is_a_new_signed_prekey_and_replaces_what_a_server_has() {
    for size in SIZES {
        let (_, mut ben, mut server) = pair(size);
        let before = ben.publish(0, &mut server);
        let confirmed = ben.run(&DescribePrekeys).unwrap().unconfirmed;
        ben.run(&outrigger::ConfirmPrekeys { upload: *confirmed.last().unwrap() }).unwrap();
        assert!(!ben.publish(0, &mut server).replaces);
        let (cleo, under_way) = first_message(&server.fetch(ben.address), "cleo", &ben);
        let (dan, weak) = first_message(&server.fetch_weak(ben.address), "dan", &ben);

        for next in [Some(other(size)), None, Some(size)] {
            ben.suites = next.map_or(SuitePolicy::Classic, SuitePolicy::Prefer);
            let refused = ben.run(&HandOutBundle).unwrap_err();
            assert_eq!((refused, refused.advice()), (DeviceError::NoSignedPrekey, Advice::Replenish));
            let upload = ben.publish(2, &mut server);
            assert!(upload.replaces);
            assert_ne!(Fields::parse(&upload.bundle, 1).bytes(5), Fields::parse(&before.bundle, 1).bytes(5));
            let bundle = VerifiedBundle::verify(&server.fetch(ben.address), &ben.address).unwrap();
            let expected = next.map_or(Suite::Classic, Suite::PostQuantum);
            assert_eq!(bundle.suite(SuitePolicy::Prefer(size)), Some(expected));
            assert_eq!(server.0[&ben.address].one_time.len(), 1, "the former are forgotten");
            ben.run(&HandOutBundle).unwrap();
        }
        // What is under way opens, whatever the policy is now.
        ben.suites = SuitePolicy::Classic;
        let received = ben.opens(cleo.address, &under_way, b"hello");
        assert_eq!(received.suite, Suite::PostQuantum(size));
        ben.opens(dan.address, &weak, b"hello");
    }
}

/// A device that comes to another suite late, its signed prekey long due: what the server has of the former is of no use to anyone.
#[test]
fn another_suite_replaces_what_a_server_has_also_where_the_signed_prekey_is_due() {
    for (before, after) in [
        (SuitePolicy::Classic, SuitePolicy::Prefer(KemSize::MlKem768)),
        (SuitePolicy::Prefer(KemSize::MlKem1024), SuitePolicy::Classic),
        (SuitePolicy::Prefer(KemSize::MlKem768), SuitePolicy::Prefer(KemSize::MlKem1024)),
    ] {
        let mut server = Server::default();
        let mut ben = device("ben", before, &mut server);
        let upload = ben.publish(1, &mut server);
        ben.run(&outrigger::ConfirmPrekeys { upload: upload.id }).unwrap();
        ben.wait(8 * DAY);
        ben.suites = after;
        assert!(ben.publish(1, &mut server).replaces);
        let mut ada = Device::new("ada");
        ada.suites = after;
        for strength in [Strength::Full, Strength::Weak] {
            let started = ada.restart(ben.address, &mut server).unwrap();
            assert_eq!(started.strength, strength);
            exchange(&mut ada, &mut ben);
        }
    }
}

/// The suite is the bundle's: each device says its own parameter set, and reads both.
#[test]
fn devices_of_two_parameter_sets_speak_with_each_other() {
    for size in SIZES {
        let mut server = Server::default();
        let mut ada = device("ada", SuitePolicy::Prefer(size), &mut server);
        let mut ben = device("ben", SuitePolicy::Prefer(other(size)), &mut server);
        assert_eq!(ada.start(ben.address, &mut server).unwrap().suite, Suite::PostQuantum(other(size)));
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
        let started = ben.start(ada.address, &mut server).unwrap();
        assert_eq!((started.suite, started.downgraded), (Suite::PostQuantum(size), false));
        exchange(&mut ben, &mut ada);
        exchange(&mut ada, &mut ben);
    }
}

/// The feature alone changes nothing: a device that speaks X3DH only has no KEM key, and is spoken with in X3DH.
#[test]
fn a_device_without_kem_prekeys_is_spoken_with_as_before() {
    let mut server = Server::default();
    let mut ada = device("ada", SuitePolicy::Classic, &mut server);
    let mut ben = device("ben", SuitePolicy::Prefer(KemSize::MlKem768), &mut server);
    let upload = ada.run(&ReplenishPrekeys { one_time: 1 }).unwrap();
    assert_eq!(
        (upload.bundle.len(), upload.one_time_prekeys[0].len(), upload.last_resort.len()),
        (213, 35, 0)
    );
    assert_eq!(seeds(&ada).len(), 0);
    for _ in 0..2 {
        let started = ada.start(ben.address, &mut server).unwrap();
        assert_eq!((started.suite, started.downgraded), (Suite::Classic, false));
        assert!(!exchange(&mut ada, &mut ben).downgraded);
        exchange(&mut ben, &mut ada);
        let started = ben.start(ada.address, &mut server).unwrap();
        assert_eq!((started.suite, started.downgraded), (Suite::Classic, false));
        exchange(&mut ben, &mut ada);
        exchange(&mut ada, &mut ben);
    }
    // The one-time prekey's KEM key goes unused with it.
    assert_eq!(seeds(&ben).len(), 1 + ben.store.count(RecordKind::OneTimePrekey));
}

/// A server that shows a bundle of before the device spoke PQXDH: told to both, refused where it is required.
#[test]
fn l4_an_old_bundle_is_told_of_and_refused_where_pqxdh_is_required() {
    for size in SIZES {
        let mut server = Server::default();
        let mut ben = device("ben", SuitePolicy::Classic, &mut server);
        let old = server.fetch(ben.address);
        ben.suites = SuitePolicy::Prefer(size);
        ben.publish(10, &mut server);
        let mut ada = device("ada", SuitePolicy::Prefer(size), &mut server);
        // A stranger cannot know.
        assert!(!ada.clone().start_from(&old, ben.address).unwrap().downgraded);
        ada.start(ben.address, &mut server).unwrap();
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);

        // Nor does an answer to a retry request go into such a session without a word.
        let lost = ada.send(ben.address, b"lost");
        let ask = RequestRetry { from: ada.address, envelope: &lost, error: OpenError::KeyGone };
        let request = ben.clone().run(&ask).unwrap().request;
        let bundle = VerifiedBundle::verify(&old, &ben.address).unwrap();
        let answer =
            AnswerRetry { from: ben.address, request: &request, bundle: Some(&bundle), resend_to: None };
        let answered = ada.clone().run(&answer).unwrap();
        assert!(answered.restarted && answered.downgraded);
        let mut strict = ada.clone();
        strict.suites = SuitePolicy::Require(size);
        assert_eq!(strict.run(&answer).unwrap_err(), RetryError::Start(StartError::NoCommonSuite));

        let mut strict = ada.clone();
        strict.suites = SuitePolicy::Require(size);
        let refused = strict.start_from(&old, ben.address).unwrap_err();
        assert_eq!((refused, refused.advice()), (StartError::NoCommonSuite, Advice::Update));
        let started = ada.start_from(&old, ben.address).unwrap();
        assert_eq!((started.suite, started.downgraded), (Suite::Classic, true));
        assert!(ada.describe(ben.address).session.unwrap().downgraded);
        let first = ada.send(ben.address, b"hello");
        let mut strict = ben.clone();
        strict.suites = SuitePolicy::Require(size);
        let refused = strict.refuses(ada.address, &first);
        assert_eq!((refused, refused.advice()), (OpenError::SuiteRefused(Suite::Classic), Advice::Drop));
        let received = ben.opens(ada.address, &first, b"hello");
        assert_eq!((received.suite, received.downgraded), (Suite::Classic, true));
        // Told once, at the start; the session goes on.
        exchange(&mut ben, &mut ada);
        assert!(!exchange(&mut ada, &mut ben).downgraded);
        // And told again of the next.
        assert!(ada.start_from(&old, ben.address).unwrap().downgraded);
        assert!(!ada.restart(ben.address, &mut server).unwrap().downgraded);
        assert!(!ada.describe(ben.address).session.unwrap().downgraded);
    }
}

/// Who requires PQXDH says so in the bundle, and takes part in nothing else.
#[test]
fn who_requires_pqxdh_starts_and_takes_nothing_else() {
    for size in SIZES {
        let mut server = Server::default();
        let mut ben = device("ben", SuitePolicy::Require(size), &mut server);
        let mut ada = device("ada", SuitePolicy::Classic, &mut server);
        let bundle = server.fetch(ben.address);
        assert_eq!(Fields::parse(&bundle, 1).bytes(2), [Suite::PostQuantum(size).to_byte()]);
        assert_eq!(ada.start_from(&bundle, ben.address).unwrap_err(), StartError::NoCommonSuite);
        assert_eq!(ben.start(ada.address, &mut server).unwrap_err(), StartError::NoCommonSuite);
        let stripped = Fields::parse(&bundle, 1).with(8, None).encode();
        assert_eq!(VerifiedBundle::verify(&stripped, &ben.address).unwrap_err(), BundleError::Stripped);
        ada.suites = SuitePolicy::Prefer(other(size));
        assert_eq!(ada.start_from(&bundle, ben.address).unwrap().suite, Suite::PostQuantum(size));
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
    }
}

/// What the device with the former key could is no claim on the one with the new key.
#[test]
fn another_identity_key_begins_without_that_memory() {
    let (mut ada, mut ben, mut server) = pair(KemSize::MlKem768);
    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    let mut anew = Device::empty("ben");
    anew.random = crate::world::random::Seeded::new(77);
    anew.suites = SuitePolicy::Classic;
    anew.identity = anew.run(&outrigger::Register { address: ben.address }).unwrap();
    anew.publish(2, &mut server);
    ada.decide(ben.address, Decision::Accept(anew.identity)).unwrap();
    let started = ada.start(ben.address, &mut server).unwrap();
    assert_eq!((started.suite, started.downgraded), (Suite::Classic, false));
    assert!(!exchange(&mut ada, &mut anew).downgraded);
}

/// A bundle that is handed out has both keys of its one-time prekey.
#[test]
fn a_bundle_that_is_handed_out_is_of_pqxdh() {
    for size in SIZES {
        let (mut ada, mut ben, _) = pair(size);
        let handed = ben.run(&HandOutBundle).unwrap();
        let bundle = VerifiedBundle::verify(&handed, &ben.address).unwrap();
        assert!(bundle.one_time_prekey().is_some() && bundle.kem_prekey().is_some());
        assert_eq!(handed.len(), 214 + 35 + if size == KemSize::MlKem768 { 1_252 } else { 1_636 });
        ada.run(&Start { bundle: &bundle }).unwrap();
        let received = exchange(&mut ada, &mut ben);
        assert_eq!((received.suite, received.strength), (Suite::PostQuantum(size), Strength::Full));
    }
}

/// The ciphertext travels until the first reply opens, and not after.
#[test]
fn the_kem_part_costs_what_the_page_says_and_stops_with_the_first_reply() {
    headers_in_clear();
    let first_of = |suites: SuitePolicy| {
        let mut server = Server::default();
        let [mut ada, mut ben] = ["ada", "ben"].map(|name| device(name, suites, &mut server));
        ada.start(ben.address, &mut server).unwrap();
        let firsts = [0, 1].map(|_| ada.send(ben.address, b"hello"));
        ben.opens(ada.address, &firsts[1], b"hello");
        let reply = ben.send(ada.address, b"hello");
        ada.opens(ben.address, &reply, b"hello");
        let after = ada.send(ben.address, b"hello");
        for (message, carries) in [(&firsts[0], true), (&firsts[1], true), (&reply, false), (&after, false)] {
            assert_eq!(Fields::envelope(message).get(envelope::HANDSHAKE).is_some(), carries);
        }
        [firsts[0].len(), reply.len(), after.len()]
    };
    let classic = first_of(SuitePolicy::Classic);
    for (size, more) in SIZES.into_iter().zip([1_108, 1_588]) {
        let [first, reply, after] = first_of(SuitePolicy::Prefer(size));
        assert_eq!(first, classic[0] + more);
        assert_eq!([reply, after], [classic[1], classic[2]]);
    }
}
