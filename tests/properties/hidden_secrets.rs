//! Header keys at rest: what a device's records still open, and what is printed of them.

use outrigger::{DescribePeer, Diagnose, Generation, Headers, Record, RecordKind, Revision};

use crate::{
    redaction::Printed,
    world::{
        Device, exchange, friends, headers_of_test,
        hidden::{HEADER, header_of, keys_that_open},
    },
};

fn records(device: &Device) -> impl Iterator<Item = &Vec<u8>> {
    device.store.0.values().map(|(_, bytes)| bytes)
}

/// Everything that is on record after a turn, taken 32 bytes at a time: of what a device has sent no header of an ended chain opens, of what it has
/// received none of a forgotten chain.
#[test]
fn the_records_open_no_header_of_a_chain_that_is_over() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, _) = friends();
    let (mut received, mut sent) = (Vec::new(), Vec::new());
    for turn in 0..8 {
        let opens =
            |device: &Device, message: &[u8]| !keys_that_open(records(device), header_of(message)).is_empty();
        // A gap in each chain, so that keys of messages are kept beside.
        received.push(ada.send(ben.address, b"lost"));
        let message = ada.send(ben.address, b"x");
        ben.opens(ada.address, &message, b"x");
        received.push(message);
        for (age, message) in received.iter().rev().enumerate() {
            assert_eq!(opens(&ben, message), age < 10, "{turn}: {age}");
        }
        assert!(sent.iter().all(|message: &Vec<u8>| !opens(&ben, message)), "{turn}");
        let answer = ben.send(ada.address, b"x");
        assert!(opens(&ben, &answer), "the current one");
        ada.opens(ben.address, &answer, b"x");
        sent.push(answer);
    }
}

/// Archived or taken over from a backup, a session forgets the key of what it has sent.
#[test]
fn what_sends_no_more_holds_no_key_of_what_it_sent() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, mut server) = friends();
    exchange(&mut ada, &mut ben);
    let sent = ada.send(ben.address, b"sent");
    let held = |device: &Device| keys_that_open(records(device), header_of(&sent)).len();
    let fresh = ada.clone();
    assert_eq!(held(&ada), 1);
    ada.restart(ben.address, &mut server).unwrap();
    assert_eq!(held(&ada), 0, "archived by its own start");
    assert_eq!(ada.store.count(RecordKind::ArchivedSession), 1);
    let mut ada = fresh.clone();
    ben.start(ada.address, &mut server).unwrap();
    exchange(&mut ben, &mut ada);
    assert_eq!(held(&ada), 0, "archived by the peer's");
    let mut ada = fresh;
    ada.take_over(0x55);
    assert_eq!((held(&ada), ada.generation), (0, Generation([0x55; 16])));
    // And the next header key of its own chain, which the peer knows, opens nothing that was sent.
    assert_eq!(held(&ben), 1, "the receiver keeps it, for what is under way");
}

/// No header key in anything that is printed.
#[test]
fn l22_no_header_key_is_printed() {
    headers_of_test(Headers::Encrypted);
    let (mut ada, mut ben, _) = friends();
    let mut printed = Printed::new();
    let mut found = 0;
    for _ in 0..5 {
        for (from, to) in [(0, 1), (1, 0)] {
            let devices = [&mut ada, &mut ben];
            let address = devices[to].address;
            let message = devices[from].send(address, b"x");
            for device in &devices {
                for key in keys_that_open(records(device), header_of(&message)) {
                    printed.plant("a header key", &key);
                    found += 1;
                }
            }
            let sender = devices[from].address;
            let received = devices[to].opens(sender, &message, b"x");
            printed.debug("Received", &received);
        }
    }
    assert!(found > 8, "{found}");
    let peer = ada.address;
    printed.debug("Report", &ben.run(&Diagnose { peer }).unwrap());
    printed.debug("PeerDescription", &ben.run(&DescribePeer { peer }).unwrap());
    printed.debug("Step", &ben.clone().prepare(&DescribePeer { peer }).unwrap());
    for bytes in records(&ben) {
        printed.debug("Record", &Record::new(Revision::FIRST, bytes.clone()));
    }
    assert_eq!(printed.leaks, [""; 0]);
    // The control: the same search finds a key that is printed.
    let sent = ben.send(ada.address, b"x");
    let keys = keys_that_open(records(&ben), header_of(&sent));
    let key = keys.first().unwrap();
    printed.plant("a header key", key);
    printed.debug("bytes", key);
    assert_eq!(printed.leaks.len(), 3, "in each of three forms");
    assert_eq!(header_of(&sent).len(), HEADER);
}
