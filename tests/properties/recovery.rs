//! A store that came back from a backup: refused until it is taken over, and what its peers see then.

use outrigger::{
    Advice, Decision, Generation, OpenError, RecordError, RecordKey, RecordKind, Recover, ReplenishPrekeys,
    RetryOutcome, RetryReason, SendError, TrustMark,
};

use crate::world::{Device, Server, exchange, friends, phone};

impl Device {
    /// What an app does after a restore: taken over, prekeys published.
    pub(crate) fn recover(&mut self, generation: u8, server: &mut Server) {
        self.take_over(generation);
        let upload = self.run(&ReplenishPrekeys { one_time: 10 }).unwrap();
        assert!(upload.replaces, "the server must forget what opens nothing");
        server.take(self.address, &upload);
    }

    /// A new generation, and all records taken over into it.
    pub(crate) fn take_over(&mut self, generation: u8) {
        self.generation = Generation([generation; 16]);
        let keys: Vec<RecordKey> = self.store.0.keys().copied().collect();
        let recovered = self.run(&Recover { records: &keys }).unwrap();
        // What was under way goes without a word.
        let under_way = [RecordKind::Linking, RecordKind::Granting, RecordKind::RelayOut];
        let counted = keys.iter().filter(|key| !under_way.contains(&key.kind())).count();
        assert_eq!(recovered.kept + recovered.deleted, counted);
        assert_eq!(self.store.count(RecordKind::SignedPrekey), 0);
    }
}

/// The whole way: what was under way is not lost, nobody is asked about identity, the peer is told.
#[test]
fn a_restored_device_is_met_by_its_peers_without_a_question() {
    let (mut ada, mut ben, mut server) = friends();
    ben.decide(ada.address, Decision::Verify(ada.identity)).unwrap();
    let backup = ben.store.clone();
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
    let under_way = ada.send(ben.address, b"under way");

    ben.store = backup;
    ben.generation = Generation([0x99; 16]);
    let refused = ben.refuses(ada.address, &under_way);
    assert_eq!(
        (refused, refused.advice()),
        (OpenError::Record(RecordError::RestoredFromBackup), Advice::Recover)
    );
    ben.recover(0x99, &mut server);
    assert_eq!(ben.describe(ada.address).trust, TrustMark::Verified, "trust is kept");
    assert!(ben.describe(ada.address).session.unwrap().stale);
    assert_eq!(ben.try_send(ada.address, b"x"), Err(SendError::NoSession));

    // What was under way is of a chain that the backup does not know: asked for, and answered in a new session.
    let request = ben.asks(ada.address, &under_way);
    let answer = ada.answers(ben.address, &request, &mut server).unwrap();
    assert_eq!(
        (answer.outcome, answer.reason, answer.restarted),
        (RetryOutcome::Again, RetryReason::Recovered, true)
    );
    assert!(ben.opens(ada.address, &answer.envelope, b"under way").again);
    assert!(!ben.describe(ada.address).session.unwrap().stale);
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
    assert_eq!(ada.active(ben.address), ben.active(ada.address));
}

/// The restored device speaks first: its peer sees why there is a new session, until it has answered.
#[test]
fn a_restored_device_says_so_until_it_is_answered() {
    let (mut ada, mut ben, mut server) = friends();
    let backup = ben.store.clone();
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    ben.store = backup;
    ben.recover(0x99, &mut server);
    ben.wait(60_000);
    ben.start(ada.address, &mut server).unwrap();
    for _ in 0..2 {
        assert!(exchange(&mut ben, &mut ada).recovered);
    }
    assert_eq!(ada.active(ben.address), ben.active(ada.address));
    assert!(!exchange(&mut ada, &mut ben).recovered);
    assert!(!exchange(&mut ben, &mut ada).recovered);
}

/// A run that was cut short is run again; what was not taken over is refused, and what was is left.
#[test]
fn recovery_goes_by_parts_and_again() {
    let (mut ada, mut ben, mut server) = friends();
    exchange(&mut ada, &mut ben);
    ben.generation = Generation([0x99; 16]);
    let keys: Vec<RecordKey> = ben.store.0.keys().copied().collect();
    for key in &keys {
        assert_eq!(RecordKey::from_bytes(key.as_bytes()), Some(*key));
        let before = ben.store.clone();
        ben.run(&Recover { records: &[*key] }).unwrap();
        let changed = ben.store.0.iter().filter(|(key, record)| before.0.get(key) != Some(record)).count();
        assert!(changed <= 1);
        let once = ben.store.clone();
        ben.run(&Recover { records: &[*key] }).unwrap();
        assert_eq!(ben.store, once, "what was taken over is left");
    }
    ben.publish(5, &mut server);
    ben.start(ada.address, &mut server).unwrap();
    exchange(&mut ben, &mut ada);
    let nobody = ben.run(&Recover { records: &[] }).unwrap();
    assert_eq!(nobody.kept, 0);
}

/// A first message to a prekey that the recovery deleted is asked for again, and costs its sender no question.
#[test]
fn a_first_message_that_was_under_way_is_not_lost() {
    let (mut ada, mut ben, mut server) = crate::world::strangers();
    ben.start(ada.address, &mut server).unwrap();
    let backup = ben.store.clone();
    ada.start(ben.address, &mut server).unwrap();
    let first = ada.send(ben.address, b"first");
    ben.store = backup;
    ben.recover(0x77, &mut server);
    let request = ben.asks(ada.address, &first);
    let answer = ada.answers(ben.address, &request, &mut server).unwrap();
    ben.opens(ada.address, &answer.envelope, b"first");
    exchange(&mut ben, &mut ada);
    assert_eq!(ben.describe(phone("nobody")).trust, TrustMark::Unknown);
}

/// A second device runs on a copy of Ada's store. The original speaks once; what the copy says next is an event at Ben's, whichever turn it is, and moves nothing.
#[test]
fn l11_a_clone_that_speaks_is_an_event_and_moves_nothing() {
    let (mut ada, mut ben, mut server) = friends();
    exchange(&mut ada, &mut ben);
    let mut clone = ada.clone();
    clone.random = crate::world::random::Seeded::new(1_234);
    exchange(&mut ada, &mut ben);
    let active = ben.active(ada.address);
    let says = clone.send(ben.address, b"from the copy");
    assert_eq!(ben.refuses(ada.address, &says), OpenError::KeyGone);
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
    let says = clone.send(ben.address, b"from the copy");
    let event = ben.refuses(ada.address, &says);
    assert!(matches!(event, OpenError::KeyGone | OpenError::OutOfStep), "{event:?}");
    assert_eq!(ben.active(ada.address), active);
    // A session that the copy starts is seen as one, and the original's next start takes its place.
    clone.wait(5);
    clone.start(ben.address, &mut server).unwrap();
    let started = clone.send(ben.address, b"mine now");
    assert_eq!(ben.opens(ada.address, &started, b"mine now").arrival, outrigger::Arrival::NewSession);
    let lost = ben.send(ada.address, b"to the copy");
    let request = ada.asks(ben.address, &lost);
    let answer = ben.answers(ada.address, &request, &mut server).unwrap();
    ada.opens(ben.address, &answer.envelope, b"to the copy");
    assert_eq!(ada.active(ben.address), ben.active(ada.address));
    assert_ne!(clone.active(ben.address), ben.active(ada.address));
}
