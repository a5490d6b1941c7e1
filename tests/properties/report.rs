//! Two reports say what is wrong between two devices, and what they advise mends it.

use outrigger::{
    Decision, Diagnose, EnvelopeDescription, Finding, Generation, Headers, MessageId, RecordDescription,
    Report, Side,
};

use crate::world::{Device, exchange, friends, headers, strangers};

fn report(of: &mut Device, about: &Device) -> Report {
    let report = of.run(&Diagnose { peer: about.address }).unwrap();
    assert_eq!(Report::from_bytes(&report.to_bytes()).as_ref(), Ok(&report), "a report survives its way");
    report
}

fn findings(ada: &mut Device, ben: &mut Device) -> Vec<Finding> {
    let (first, second) = (report(ada, ben), report(ben, ada));
    let mirrored = second.compare(&first).len();
    let findings = first.compare(&second);
    assert_eq!(findings.len(), mirrored, "the same from either side");
    findings
}

#[test]
fn two_devices_in_step_have_nothing_to_find() {
    let (mut ada, mut ben, _) = friends();
    assert_eq!(findings(&mut ada, &mut ben), []);
    let one = ada.send(ben.address, b"one");
    let two = ada.send(ben.address, b"two");
    assert_eq!(findings(&mut ada, &mut ben), [Finding::UnderWay(Side::First, 2)]);
    ben.opens(ada.address, &one, b"one");
    ben.opens(ada.address, &two, b"two");
    assert_eq!(findings(&mut ada, &mut ben), []);
}

#[test]
fn a_store_that_went_back_is_named() {
    let (mut ada, mut ben, mut server) = friends();
    exchange(&mut ada, &mut ben);
    let before = ada.store.clone();
    exchange(&mut ada, &mut ben);
    let session = ada.active(ben.address).unwrap();
    ada.store = before.clone();
    assert_eq!(findings(&mut ada, &mut ben), [Finding::WentBack(Side::First, session)]);
    // Back past a turn.
    let mut later = (ada.clone(), ben.clone());
    exchange(&mut later.1, &mut later.0);
    let sent = ada.send(ben.address, b"again");
    let request = ben.asks(ada.address, &sent);
    let answer = ada.answers(ben.address, &request, &mut server).unwrap();
    ben.opens(ada.address, &answer.envelope, b"again");
    assert_eq!(findings(&mut ada, &mut ben), [], "mended");
}

#[test]
fn a_lost_state_a_restored_one_and_another_key_are_named() {
    let (mut ada, mut ben, mut server) = friends();
    let session = ada.active(ben.address).unwrap();
    let (healthy_ada, healthy_ben) = (ada.clone(), ben.clone());

    // Ben has lost what he knew of Ada.
    ben.store.0.retain(|key, _| !format!("{key:?}").contains("(Peer"));
    assert_eq!(
        findings(&mut ada, &mut ben),
        [Finding::Unknown(Side::Second, session), Finding::NoSession(Side::Second)]
    );
    ben.start(ada.address, &mut server).unwrap();
    exchange(&mut ben, &mut ada);

    // Ben came back from a backup.
    let (mut ada, mut ben) = (healthy_ada.clone(), healthy_ben.clone());
    ben.recover(0x31, &mut server);
    assert_eq!(findings(&mut ada, &mut ben), [Finding::Stale(Side::Second)]);
    ben.start(ada.address, &mut server).unwrap();
    exchange(&mut ben, &mut ada);
    assert_eq!(findings(&mut ada, &mut ben), []);

    // Ben is another.
    let mut ada = healthy_ada;
    let mut stranger = Device::empty("ben");
    stranger.random = crate::world::random::Seeded::new(99);
    stranger.identity = stranger.run(&outrigger::Register { address: stranger.address }).unwrap();
    stranger.publish(3, &mut server);
    let found = findings(&mut ada, &mut stranger);
    assert!(found.contains(&Finding::KeysDiffer(Side::First)), "{found:?}");
    ada.decide(ben.address, Decision::Suspect(stranger.identity)).unwrap();
    assert!(findings(&mut ada, &mut stranger).contains(&Finding::Undecided(Side::First)));
}

#[test]
fn crossing_starts_are_named_and_settle() {
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    ben.wait(1);
    ben.start(ada.address, &mut server).unwrap();
    let (to_ben, to_ada) = (ada.send(ben.address, b"a"), ben.send(ada.address, b"b"));
    let found = findings(&mut ada, &mut ben);
    assert_eq!(found.iter().filter(|finding| matches!(finding, Finding::Unknown(..))).count(), 2);
    ben.opens(ada.address, &to_ben, b"a");
    ada.opens(ben.address, &to_ada, b"b");
    assert_eq!(findings(&mut ada, &mut ben), []);
}

#[test]
fn reports_of_other_pairs_and_damaged_bytes_are_refused() {
    let (mut ada, mut ben, _) = friends();
    let first = report(&mut ada, &ben);
    assert_eq!(first.compare(&first), [Finding::NotAPair]);
    let bytes = report(&mut ben, &ada).to_bytes();
    for cut in 0..bytes.len() {
        assert!(Report::from_bytes(&bytes[..cut]).is_err());
    }
    assert!(Report::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn an_envelope_and_a_record_describe_themselves() {
    let (mut ada, ben, mut server) = strangers();
    let started = ada.start(ben.address, &mut server).unwrap();
    let sent = ada.send(ben.address, b"0123456789");
    let description = EnvelopeDescription::of(&sent).unwrap();
    assert_eq!(MessageId::of(&sent), Ok(description.message_id));
    assert_eq!(description.header.is_none(), headers() == Headers::Encrypted);
    if let Some(header) = description.header {
        assert_eq!(header.session, started.session);
        assert_eq!((header.counter, header.previous_counter, header.sealed_len), (0, 0, 11));
        assert!(header.handshake.unwrap().one_time_prekey.is_some());
    }
    for (key, (_, bytes)) in &ada.store.0 {
        let description = RecordDescription::of(key, bytes, ada.generation).unwrap();
        assert_eq!((description.kind, description.version, description.current), (key.kind(), 1, true));
        assert_eq!(description.body_len + 22, bytes.len());
        assert!(!RecordDescription::of(key, bytes, Generation([0; 16])).unwrap().current);
    }
}
