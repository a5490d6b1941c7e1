//! Many processes on one store, and many operations in one commit: the loser runs again, and a batch is its operations one by one.

use std::{cell::Cell, collections::BTreeSet, convert::Infallible};

use outrigger::{
    Batch, Context, DecideIdentity, Decision, DriveError, Keep, Loaded, MemoryStore, OpenError, Operation,
    Receive, RecordKey, RecordKind, Register, Rejected, ReplenishPrekeys, Restart, Run, Send, Start, Step,
    VerifiedBundle, drive,
};

use crate::world::{
    BOUND, Device,
    cast::{Cast, cast},
    exchange, friends, headers_in_clear, phone,
    random::Seeded,
    strangers,
    wire::{Fields, envelope},
};

/// Commits a step as another process would.
fn commit<T>(device: &mut Device, step: Step<T>) -> Result<T, Rejected<Infallible>> {
    step.commit(|writes, _| device.store.apply(writes))
}

/// Both prepare from the same records; the first commits, and the second must find a conflict.
fn conflict<A: Operation, B: Operation>(device: &Device, one: &A, two: &B) -> Device
where
    A::Error: PartialEq,
{
    let mut device = device.clone();
    let first = device.prepare(one).unwrap();
    let second = device.prepare(two).unwrap();
    commit(&mut device, first).map(drop).unwrap();
    let before = device.store.clone();
    let lost = commit(&mut device, second).map(drop);
    assert!(matches!(lost, Err(Rejected::Conflict)));
    assert_eq!(device.store, before, "none of the loser's writes is stored");
    device
}

#[test]
fn two_processes_that_send_at_once_never_use_one_key_for_two_messages() {
    headers_in_clear();
    let Cast { ben, mut ada, in_order, .. } = cast();
    drop(in_order);
    let send = Send { to: ada.address, plaintext: b"text", associated_data: BOUND, keep: Keep::ForRetry };
    let mut ben = conflict(&ben, &send, &send);
    let again = ben.run(&send).unwrap();
    assert_eq!(Fields::envelope(&again.envelope).number(envelope::COUNTER), 2, "the winner has 1");
    ada.opens(ben.address, &again.envelope, b"text");
}

#[test]
fn l2_two_processes_that_receive_one_message_show_it_once() {
    let cast = cast();
    for (from, message) in [
        (&cast.ada, &cast.in_order),
        (&cast.ada, &cast.late),
        (&cast.ada, &cast.archived),
        (&cast.cleo, &cast.first),
    ] {
        let receive = Receive { from: from.address, envelope: message, associated_data: BOUND };
        let mut ben = conflict(&cast.ben, &receive, &receive);
        assert_eq!(ben.refuses(from.address, message), OpenError::Duplicate);
    }
}

#[test]
fn operations_that_touch_one_record_conflict_in_both_orders() {
    let cast = cast();
    let peer = cast.ada.address;
    let send = Send { to: peer, plaintext: b"text", associated_data: BOUND, keep: Keep::ForRetry };
    let receive = |envelope| Receive { from: peer, envelope, associated_data: BOUND };
    let (in_order, late, archived) = (receive(&cast.in_order), receive(&cast.late), receive(&cast.archived));
    let first = Receive { from: cast.cleo.address, envelope: &cast.first, associated_data: BOUND };
    let start = Start { bundle: &cast.bundle };
    let accept = DecideIdentity { peer, decision: Decision::Accept(cast.cleo.identity) };
    let verify = DecideIdentity { peer, decision: Decision::Verify(cast.ada.identity) };
    let replenish = ReplenishPrekeys { one_time: 1 };
    macro_rules! both_orders {
        ($($one:ident with $two:ident),* $(,)?) => {$(
            conflict(&cast.ben, &$one, &$two);
            conflict(&cast.ben, &$two, &$one);
        )*};
    }
    both_orders! {
        send with in_order, send with start, send with accept, send with verify, send with late,
        in_order with late, in_order with start, in_order with accept,
        late with accept, late with start, archived with accept,
        start with accept, start with start, first with replenish,
        send with archived, in_order with archived,
    }
    // Of different records they do not conflict.
    macro_rules! apart {
        ($($one:ident with $two:ident),* $(,)?) => {$(
            let mut ben = cast.ben.clone();
            let steps = (ben.prepare(&$one).unwrap(), ben.prepare(&$two).unwrap());
            commit(&mut ben, steps.0).unwrap();
            commit(&mut ben, steps.1).unwrap();
        )*};
    }
    apart! { send with first, archived with first, late with first, send with replenish }
}

/// Each of 40 processes sends five messages; a step is prepared by all before one of them commits, and the losers run again.
#[test]
fn many_processes_lose_and_repeat_no_message() {
    headers_in_clear();
    let (mut ada, mut ben, _) = friends();
    exchange(&mut ada, &mut ben);
    let mut envelopes = Vec::new();
    for round in 0..20_u8 {
        let send =
            Send { to: ben.address, plaintext: &[round], associated_data: BOUND, keep: Keep::ForRetry };
        let steps: Vec<_> = (0..5).map(|_| ada.prepare(&send).unwrap()).collect();
        let sent: Vec<_> = steps.into_iter().filter_map(|step| commit(&mut ada, step).ok()).collect();
        let [sent] = &sent[..] else { panic!("{} of five committed", sent.len()) };
        envelopes.push(sent.envelope.clone());
    }
    let counters: BTreeSet<_> =
        envelopes.iter().map(|message| Fields::envelope(message).number(envelope::COUNTER)).collect();
    assert_eq!(counters.len(), envelopes.len());
    for (round, message) in envelopes.iter().enumerate() {
        ben.opens(ada.address, message, [u8::try_from(round).unwrap()]);
    }
}

#[test]
fn drive_loads_afresh_after_each_conflict_and_gives_up_after_32() {
    let Cast { mut ben, ada, .. } = cast();
    let send = Send { to: ada.address, plaintext: b"text", associated_data: BOUND, keep: Keep::ForRetry };
    for (conflicts, ends_well) in [(0, true), (1, true), (31, true), (32, false)] {
        let (loads, stores) = (Cell::new(0), Cell::new(0));
        let mut context = Context::new(ben.now, ben.generation, &mut ben.random)
            .with_suites(ben.suites)
            .with_headers(ben.headers);
        let done = drive(
            &send,
            &mut context,
            &mut ben.store,
            |store, key| {
                loads.set(loads.get() + 1);
                Ok::<_, Infallible>(store.load(key))
            },
            |store, writes, _| {
                stores.set(stores.get() + 1);
                if stores.get() <= conflicts { Err(Rejected::Conflict) } else { store.apply(writes) }
            },
        );
        assert_eq!(done.is_ok(), ends_well);
        assert!(ends_well || matches!(done, Err(DriveError::Conflicts)));
        assert_eq!(stores.get(), (conflicts + 1).min(32));
        assert_eq!(
            loads.get(),
            2 * stores.get(),
            "the peer and the place of the copy, loaded for each attempt"
        );
    }
}

/// Five hundred messages of three peers, in a bad order, with repeats, forgeries and first messages among them.
#[test]
fn a_batch_is_its_operations_one_by_one() {
    let (mut ada, mut ben, mut server) = friends();
    let mut cleo = Device::new("cleo");
    cleo.start(ben.address, &mut server).unwrap();
    ada.start(ben.address, &mut server).unwrap();
    let mut mail = Vec::new();
    for place in 0..240_u16 {
        for from in [&mut ada, &mut cleo] {
            mail.push((from.address, from.send(ben.address, place.to_be_bytes())));
        }
    }
    let len = mail.len();
    (0..len).for_each(|place| mail.swap(place, place * 7 % len));
    for place in 0..20 {
        let (from, mut message) = mail[place * 11].clone();
        if place % 2 == 0 {
            *message.last_mut().unwrap() ^= 1;
        }
        mail.push((from, message));
    }
    assert_eq!(mail.len(), 500);
    let receives: Vec<_> = mail
        .iter()
        .map(|(from, envelope)| Receive { from: *from, envelope, associated_data: BOUND })
        .collect();

    let mut alone = ben.clone();
    let one_by_one: Vec<_> = receives.iter().map(|receive| alone.run(receive)).collect();
    let step = ben.prepare(&Batch(&receives)).unwrap();
    let before = ben.store.clone();
    let outputs = step
        .commit(|writes, outputs| {
            let keys: BTreeSet<_> = writes.iter().map(|write| *write.key()).collect();
            assert_eq!(keys.len(), writes.len(), "one write for each record");
            assert_eq!(outputs.len(), 500, "errors are held with the rest");
            assert_eq!(ben.store, before);
            ben.store.apply(writes)
        })
        .unwrap();
    for (place, (batch, alone)) in outputs.iter().zip(&one_by_one).enumerate() {
        match (batch, alone) {
            (Ok(batch), Ok(alone)) => {
                assert_eq!(batch.content.text(), alone.content.text());
                assert_eq!((batch.message_id, batch.arrival), (alone.message_id, alone.arrival));
            }
            (Err(batch), Err(alone)) => assert_eq!(batch, alone),
            _ => panic!("{place}: {batch:?}, one by one {alone:?}"),
        }
    }
    assert!(outputs.iter().filter(|output| output.is_err()).count() >= 20);
    assert_eq!(differing(&ben, &alone), []);
    assert!(ben.store.0.values().all(|(revision, _)| revision.0 <= 20));
}

/// The keys of records that do not say the same in two stores.
fn differing(one: &Device, two: &Device) -> Vec<RecordKey> {
    let (one, two) = (one.store.contents(), two.store.contents());
    let keys: BTreeSet<_> = one.keys().chain(two.keys()).copied().collect();
    keys.into_iter().filter(|key| one.get(key) != two.get(key)).collect()
}

#[test]
fn a_batch_of_sends_is_its_sends_one_by_one() {
    let Cast { mut ben, mut ada, in_order, .. } = cast();
    ben.opens(ada.address, &in_order, b"in order");
    let texts: Vec<_> = (0..100_u8).map(|place| [place; 3]).collect();
    let sends: Vec<_> = texts
        .iter()
        .map(|text| Send { to: ada.address, plaintext: text, associated_data: BOUND, keep: Keep::ForRetry })
        .chain([Send {
            to: ben.address,
            plaintext: b"no session",
            associated_data: BOUND,
            keep: Keep::ForRetry,
        }])
        .collect();
    let mut alone = ben.clone();
    let one_by_one: Vec<_> = sends.iter().map(|send| alone.run(send)).collect();
    let outputs = ben.run(&Batch(&sends)).unwrap();
    assert_eq!(outputs, one_by_one);
    assert_eq!(differing(&ben, &alone), []);
    for (text, sent) in texts.iter().zip(outputs) {
        ada.opens(ben.address, &sent.unwrap().envelope, text);
    }
}

/// What is made and used up within one batch is not left behind, and a batch that loses a conflict leaves nothing.
#[test]
fn a_batch_is_all_or_nothing() {
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let messages = [0_u8, 1, 2].map(|text| ada.send(ben.address, [text]));
    let receive =
        |place: usize| Receive { from: ada.address, envelope: &messages[place], associated_data: BOUND };
    // The skipped keys of 0 and 1 are made by 2 and used up by 1 and 0.
    let receives = [2, 1, 0].map(receive);
    let step = ben.prepare(&Batch(&receives)).unwrap();
    let loser = ben.prepare(&Batch(&receives)).unwrap();
    let outputs = commit(&mut ben, step).unwrap();
    assert!(outputs.iter().all(Result::is_ok));
    assert_eq!(ben.store.count(RecordKind::SkippedKeys), 0);
    let before = ben.store.clone();
    assert!(commit(&mut ben, loser).is_err());
    assert_eq!(ben.store, before);
    let empty: [Receive<'_>; 0] = [];
    assert!(ben.run(&Batch(&empty)).unwrap().is_empty());
    assert_eq!(ben.store, before);
}

/// The store that comes with the crate keeps to the rules that it is an example of.
#[test]
fn the_memory_store_compares_and_swaps_all_or_nothing() {
    let (ada, _, mut server) = strangers();
    let mut memory = MemoryStore::new();
    let mut random = Seeded::new(3);
    let mut context =
        Context::new(ada.now, ada.generation, &mut random).with_suites(ada.suites).with_headers(ada.headers);
    memory.run(&Register { address: phone("mem") }, &mut context).unwrap();
    let bundle = VerifiedBundle::verify(&server.fetch(ada.address), &ada.address).unwrap();
    memory.run(&Start { bundle: &bundle }, &mut context).unwrap();
    let prepare = |memory: &MemoryStore, context: &mut Context<'_>| {
        let restart = Restart { bundle: &bundle };
        let mut have = Loaded::new();
        loop {
            match restart.run(&have, context).unwrap() {
                Run::Needs(needs) => have.answer(needs, |key| Ok::<_, Infallible>(memory.load(key))).unwrap(),
                Run::Done(step) => return step.split().0,
            }
        }
    };
    let (first, second) = (prepare(&memory, &mut context), prepare(&memory, &mut context));
    assert!(first.len() > 1);
    memory.apply(&first).unwrap();
    let dump = |memory: &MemoryStore| -> Vec<(RecordKey, u64, Vec<u8>)> {
        memory.iter().map(|(key, revision, bytes)| (*key, revision.0, bytes.to_vec())).collect()
    };
    let before = dump(&memory);
    for stale in [&second, &first] {
        assert_eq!(memory.apply(stale), Err(Rejected::Conflict));
        // A write that would fit by itself is not taken without the one that does not.
        assert_eq!(dump(&memory), before);
    }
}
