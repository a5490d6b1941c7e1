//! An app and its notification extension: two processes on the phone's one file, at full speed, both handed every envelope, each in an order of its
//! own, while both also send. A third process, at the peer's side, opens all that they have sent.

use std::path::Path;

use outrigger::RecordKind;

use crate::{
    child::{self, Process},
    device::Device,
    dice::Dice,
    keys::Keys,
    report::Tally,
    scratch::Scratch,
    store::Journal,
};

/// Chains of the peer's in which envelopes wait for the phone: fewer than are remembered.
const CHAINS: usize = 4;
/// Envelopes in each. The peer is handed twice as many as in all chains together in disorder, and keeps 1,000 keys of what it has skipped.
const IN_A_CHAIN: usize = 120;
/// Repetitions, each on files of its own.
const CONVERSATIONS: usize = 5;

#[test]
fn an_app_and_its_extension_lose_nothing_double_nothing_and_use_no_key_twice() {
    let [mut app, mut extension, mut peer] = [Tally::default(); 3];
    for _ in 0..CONVERSATIONS {
        let tallies = converse();
        app = app.and(tallies[0]);
        extension = extension.and(tallies[1]);
        peer = peer.and(tallies[2]);
    }
    println!("app:       {app}\nextension: {extension}\npeer:      {peer}");
}

/// One conversation, and what must be true after it. The counts of the app, of the extension and of the peer.
fn converse() -> [Tally; 3] {
    let scratch = Scratch::new("one-file");
    let (phone_file, peer_file) = (scratch.file("phone"), scratch.file("peer"));
    prepare(&phone_file, &peer_file);
    let (phone_name, peer_name) = (phone_file.to_str().unwrap(), peer_file.to_str().unwrap());
    let tallies = Process::at_once(
        1,
        &[&["share", phone_name, peer_name, "app"], &["share", phone_name, peer_name, "extension"]],
    );
    let peer_tally = Process::at_once(1, &[&["share", peer_name, phone_name, "nobody"]])[0];

    let (phone, peer) = (Device::open(&phone_file, Journal::Ahead), Device::open(&peer_file, Journal::Ahead));
    let (sealed, answers) = (CHAINS * IN_A_CHAIN, CHAINS - 1);
    assert_eq!(
        phone.outbox().len(),
        answers + 2 * sealed,
        "one text after each envelope that was handed over"
    );
    assert!(peer.inbox() == phone.outbox(), "every text at the peer, once");
    assert!(phone.inbox() == peer.outbox(), "every text at the phone, once");
    let mut keys = Keys::default();
    let envelopes = [phone.envelopes(), peer.envelopes()].concat();
    assert!(envelopes.iter().all(|envelope| keys.note(envelope)), "every envelope under a key of its own");
    // Every message, and the start of the session, rewrites the peer's record, so a lost update is a revision too few.
    let messages = |device: &Device| device.inbox().len() + device.outbox().len();
    assert_eq!(peer_revision(&phone), messages(&phone), "no update is lost at the phone");
    assert_eq!(peer_revision(&peer), messages(&peer) + 1, "nor at the peer");
    // Each of the two was handed every envelope, and one of them opened it, where it had not been opened before.
    let refused = tallies[0].and(tallies[1]).refused();
    assert_eq!(usize::try_from(refused), Ok(2 * sealed - (sealed - CHAINS)));
    [tallies[0], tallies[1], peer_tally]
}

/// A phone and a peer that have exchanged so many turns that the peer's envelopes are of several chains; the phone has opened the first of each.
fn prepare(phone_file: &Path, peer_file: &Path) {
    let mut phone = Device::open(phone_file, Journal::Ahead).register("phone");
    let mut peer = Device::open(peer_file, Journal::Ahead).register("peer");
    let upload = phone.replenish(1);
    peer.start("phone", &[&upload.bundle[..], &upload.one_time_prekeys[0]].concat());
    for chain in 0..CHAINS {
        let first = peer.send("phone", &format!("peer {chain} first"));
        (1..IN_A_CHAIN).for_each(|place| drop(peer.send("phone", &format!("peer {chain} {place}"))));
        phone.receive("peer", &first).unwrap();
        if chain + 1 < CHAINS {
            let answer = phone.send("peer", &format!("answer {chain}"));
            peer.receive("phone", &answer).unwrap();
        }
    }
}

fn peer_revision(device: &Device) -> usize {
    let query =
        format!("SELECT revision FROM records WHERE substr(key, 1, 1) = x'{:02x}'", RecordKind::Peer as u8);
    let [revision] = device.0.column::<i64>(&query)[..] else { panic!("one peer") };
    usize::try_from(revision).unwrap()
}

/// In another process: opens all that the other side has sent, in an order of its own, and sends a text after each, unless it is nobody.
pub(crate) fn share(own: &Path, other: &Path, name: &str) -> Tally {
    let mut device = Device::open(own, Journal::Ahead);
    let mut envelopes = Device::open(other, Journal::Ahead).envelopes();
    Dice::new(name.len() as u64).shuffle(&mut envelopes);
    let peer = other.file_name().unwrap().to_str().unwrap();
    child::await_start();
    for (place, envelope) in envelopes.iter().enumerate() {
        // Opened, or refused since the other process was faster.
        device.receive(peer, envelope).ok();
        if name != "nobody" {
            device.send(peer, &format!("{name} {place}"));
        }
    }
    device.0.tally
}
