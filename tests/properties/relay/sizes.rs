//! What a relayed message writes, what a desktop that is not there costs its phone, and what it sees when it comes back.

use std::convert::Infallible;

use outrigger::{
    Context, DesktopConsent, FromDesktop, FromPhone, RecordKind, RelayOutbox, RelayReceive, drive,
};

use super::office::{Office, office};
use crate::world::BOUND;

/// As long as a short message.
const TEXT: [u8; 64] = [b'x'; 64];

/// A steady message writes the two sessions and the frame; all else that it writes is small.
#[test]
fn a_relayed_message_writes_little_besides_its_frame_and_its_sessions() {
    let mut office = office(DesktopConsent::Always);
    // So many turns that both sessions have their longest records.
    for turn in 0..8 {
        let frames = said(&mut office);
        office.desk.shows(&frames);
        office.acknowledge();
        let answer = office.phone.send(office.peer.address, "so that they turn");
        office.peer.opens(office.phone.address, &answer, "so that they turn");
        let written = written(&mut office);
        let of = |wanted: RecordKind| {
            let bytes = written.iter().filter(move |(kind, _)| *kind == wanted).map(|(_, bytes)| *bytes);
            (bytes.clone().count(), bytes.sum::<usize>())
        };
        let all: usize = written.iter().map(|(_, bytes)| bytes).sum();
        let ((peers, in_peers), (frames, in_frames)) = (of(RecordKind::Peer), of(RecordKind::RelayOut));
        assert_eq!((peers, frames), (2, 1), "{written:?}");
        assert!(all - in_peers - in_frames <= 400, "turn {turn}: {written:?}");
    }
}

/// A message of the peer's passes; the frames for the desktop.
fn said(office: &mut Office) -> Vec<Vec<u8>> {
    office.frames(std::str::from_utf8(&TEXT).unwrap())
}

/// Kinds and lengths of the records that the next message writes.
fn written(office: &mut Office) -> Vec<(RecordKind, usize)> {
    let envelope = office.peer.send(office.phone.address, TEXT);
    let receive = RelayReceive { from: office.peer.address, envelope: &envelope, associated_data: BOUND };
    let (writes, _) = office.phone.prepare(&receive).unwrap().split();
    let written = writes.iter().map(|write| (write.key().kind(), write.bytes().map_or(0, <[u8]>::len)));
    written.collect()
}

/// What waits takes hardly more room than its ciphertexts.
#[test]
fn an_outbox_holds_at_most_a_fifth_more_than_its_ciphertexts() {
    let mut office = office(DesktopConsent::Always);
    let mut wire = Vec::new();
    for _ in 0..100 {
        wire.extend(said(&mut office));
    }
    let desk = office.desk.clone();
    let frames = office.phone.outbox(&desk);
    assert_eq!((frames.len(), &frames), (32, &wire));
    let kept: Vec<usize> =
        office.phone.store.of(RecordKind::RelayOut).map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(kept.len(), 100);
    let (sealed, kept): (usize, usize) =
        (frames.iter().map(Vec::len).sum(), kept.iter().take(frames.len()).sum());
    assert!(kept * 10 <= sealed * 12, "{kept} B for {sealed} B of ciphertexts");
}

/// What goes out again costs the records that it stands in, and a handful more, however much waits behind it.
#[test]
fn what_is_sent_again_is_all_that_is_read() {
    for (waiting, again) in [(3, 3), (32, 32), (200, 32)] {
        let mut office = office(DesktopConsent::Always);
        for _ in 0..waiting {
            office.peer_says("waits");
        }
        let desktop = office.desk.address.device;
        let mut read = 0;
        let mut context = Context::new(office.phone.now, office.phone.generation, &mut office.phone.random);
        let frames = drive(
            &RelayOutbox { desktop },
            &mut context,
            &mut office.phone.store,
            |store, key| {
                read += 1;
                Ok::<_, Infallible>(store.load(key))
            },
            |store, writes, _| store.apply(writes),
        );
        assert_eq!(frames.unwrap().len(), again);
        assert!(read <= again + 4, "{read} records for {again} frames");
    }
}

/// Events without end for a desktop that is not there: the phone keeps what it can, counts the rest, and the desktop sees where the hole is.
#[test]
fn an_absent_desktop_costs_its_phone_a_bounded_store_and_sees_one_gap() {
    const EVENTS: usize = if cfg!(debug_assertions) { 2_000 } else { 10_000 };
    let mut office = office(DesktopConsent::Always);
    // Answers and gaps have places beyond those of the events.
    let most = 512 + 68;
    let mut full = None;
    for event in 0..EVENTS {
        office.peer_says(&format!("event {event}"));
        let standing = (office.phone.store.0.len(), office.phone.store.len());
        assert!(office.phone.store.count(RecordKind::RelayOut) <= most);
        match full {
            // Until then each event adds a record.
            None if event == most + 1 => full = Some(standing),
            None => {}
            // What is only counted adds nothing; the session with the peer, and what is remembered of it, waver.
            Some((records, bytes)) => {
                assert_eq!(standing.0, records, "event {event}");
                assert!(standing.1 <= bytes + 1_024, "event {event}: {} B after {bytes} B", standing.1);
            }
        }
    }
    assert!(full.is_some(), "it was filled");

    let (mut told, mut gaps) = (0, 0);
    let desk = office.desk.clone();
    let mut frames = office.phone.outbox(&desk);
    while !frames.is_empty() {
        for frame in &frames {
            match office.desk.take_frame(frame).unwrap().said {
                FromPhone::Event { text, .. } => {
                    assert_eq!((&*text, gaps), (format!("event {told}").as_bytes(), 0), "a prefix");
                    told += 1;
                }
                FromPhone::Gap { missed, .. } => {
                    assert_eq!(missed, u64::try_from(EVENTS - told).unwrap());
                    gaps += 1;
                }
                said @ (FromPhone::Late
                | FromPhone::Status { .. }
                | FromPhone::Suspended(_)
                | FromPhone::OwnSent { .. }
                | FromPhone::Answer { .. }
                | FromPhone::Found { .. }
                | FromPhone::Ended { .. }
                | _) => panic!("{said:?}"),
            }
        }
        office.acknowledge();
        frames = office.phone.outbox(&desk);
    }
    assert_eq!((told, gaps), (512, 1));
    assert_eq!(office.phone.store.count(RecordKind::RelayOut), 0);
    // And everything goes on.
    let frames = office.frames("here again");
    assert_eq!(office.desk.shows(&frames), ["here again"]);
    let (_, up) = office.desk_says("and heard");
    assert!(matches!(office.phone.from(&office.desk, &up), Ok(FromDesktop::Sent { .. })));
}
