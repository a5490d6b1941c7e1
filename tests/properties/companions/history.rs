//! History: given by the own phone when it was asked for, whole or not at all, and never taken for anybody's message.

use outrigger::{
    Advice, AskHistory, Content, FinishHistory, HistoryChunk, HistoryError, HistoryId, HistoryManifest,
    HistoryProgress, OpenError, OpenHistory, Receive, RecordKind, SealHistory, TakeHistory, UnixMillis,
};

use super::{
    fanout::{Town, town},
    household::Directory,
};
use crate::world::{DAY, Device, by_suite};

/// The companion asks; what the phone hears.
fn ask(directory: &mut Directory, phone: &mut Device, companion: &mut Device, since: u64) -> HistoryId {
    if companion.describe(phone.address).session.is_none() {
        directory.start(companion, phone.address).unwrap();
    }
    let asked = companion.run(&AskHistory { since: UnixMillis(since) }).unwrap();
    let received =
        phone.run(&Receive { from: companion.address, envelope: &asked, associated_data: &[] }).unwrap();
    let Content::HistoryAsked { id, since: heard } = received.content else { panic!("{received:?}") };
    assert_eq!(heard, UnixMillis(since));
    id
}

fn seal(
    phone: &mut Device,
    companion: &Device,
    id: HistoryId,
    text: &[u8],
) -> Result<HistoryChunk, HistoryError> {
    phone.run(&SealHistory { companion: companion.address.device, id, text })
}

fn finish(phone: &mut Device, companion: &Device, id: HistoryId) -> Vec<u8> {
    phone.run(&FinishHistory { companion: companion.address.device, id }).unwrap()
}

fn manifest(companion: &mut Device, phone: &Device, envelope: &[u8]) -> HistoryManifest {
    let received = companion.run(&Receive { from: phone.address, envelope, associated_data: &[] }).unwrap();
    let Content::History(manifest) = received.content else { panic!("{received:?}") };
    HistoryManifest::from_kept(manifest.as_bytes().to_vec())
}

fn open(
    companion: &mut Device,
    index: u32,
    sealed: &[u8],
) -> Result<(Vec<u8>, HistoryProgress), HistoryError> {
    companion.run(&OpenHistory { index, sealed }).map(|told| (told.text.to_vec(), told.progress))
}

/// A history of five chunks on its way: the chunks, and the desk with the manifest.
fn on_its_way() -> (Town, HistoryId, Vec<HistoryChunk>) {
    let mut town = town();
    let Town { directory, ada, desk, .. } = &mut town;
    let id = ask(directory, ada, desk, 7);
    let chunks: Vec<_> = (0..5_u8).map(|number| seal(ada, desk, id, &[number; 100]).unwrap()).collect();
    let envelope = finish(ada, desk, id);
    let manifest = manifest(desk, ada, &envelope);
    let progress = desk.run(&TakeHistory { manifest: &manifest }).unwrap();
    assert_eq!((progress.opened, progress.chunks, progress.missing.len()), (0, 5, 5));
    (town, id, chunks)
}

/// In any order, across restarts (all is in records), each once; what is missing is named, and the end is known.
#[test]
fn a_history_comes_whole_in_any_order_and_each_chunk_once() {
    let (Town { mut desk, mut ada, .. }, _, chunks) = on_its_way();
    assert_eq!(ada.store.count(RecordKind::HistoryOut), 0, "the phone has forgotten the key");
    for (done, place) in [3_usize, 0, 4, 2, 1].into_iter().enumerate() {
        let HistoryChunk { index, sealed, .. } = &chunks[place];
        assert_eq!(*index as usize, place);
        let (text, progress) = open(&mut desk, *index, sealed).unwrap();
        assert_eq!(text, [place as u8; 100]);
        assert_eq!((progress.opened as usize, progress.is_complete()), (done + 1, done == 4));
        assert!(!progress.missing.contains(index));
        let again = open(&mut desk, *index, sealed).unwrap_err();
        assert_eq!(again, if done == 4 { HistoryError::NotAsked } else { HistoryError::AlreadyOpened });
    }
    assert_eq!(desk.store.count(RecordKind::HistoryIn), 0);
    assert!(seal(&mut ada, &desk, HistoryId([1; 16]), b"another").is_ok());
}

/// L40: a chunk that is missing, swapped, altered, cut or of another history is seen at once, and loses nothing.
#[test]
fn l40_no_other_chunk_is_opened_in_a_chunks_place() {
    let (Town { mut desk, .. }, id, chunks) = on_its_way();
    let first = chunks[0].sealed.clone();
    assert_eq!(open(&mut desk, 1, &first).unwrap_err(), HistoryError::OtherChunk, "swapped");
    assert_eq!(open(&mut desk, 5, &first).unwrap_err(), HistoryError::OtherChunk, "beyond the end");
    for bit in 0..first.len() * 8 {
        let mut altered = first.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&mut desk, 0, &altered).unwrap_err(), HistoryError::OtherChunk, "{bit}");
    }
    for len in 0..first.len() {
        assert_eq!(open(&mut desk, 0, &first[..len]).unwrap_err(), HistoryError::OtherChunk, "{len}");
    }
    open(&mut desk, 0, &first).unwrap();
    assert_ne!(id, HistoryId([0; 16]));
}

/// L34: what was not asked for is not taken; nor an answer to what was asked before; and only from the own phone.
#[test]
fn l34_only_the_history_that_was_asked_for_is_taken() {
    let Town { mut directory, mut ada, mut desk, mut lab, mut ben, .. } = town();
    // Unasked: the phone gives, the desk does not take.
    let unasked = HistoryId([9; 16]);
    seal(&mut ada, &desk, unasked, b"unasked").unwrap();
    let envelope = finish(&mut ada, &desk, unasked);
    let given = manifest(&mut desk, &ada, &envelope);
    let refused = desk.run(&TakeHistory { manifest: &given }).unwrap_err();
    assert_eq!((refused, refused.advice()), (HistoryError::NotAsked, Advice::Drop));
    // Asked, and asked anew: the first answer is late.
    let first = ask(&mut directory, &mut ada, &mut desk, 1);
    seal(&mut ada, &desk, first, b"first").unwrap();
    let envelope = finish(&mut ada, &desk, first);
    let second = ask(&mut directory, &mut ada, &mut desk, 2);
    let late = manifest(&mut desk, &ada, &envelope);
    assert_eq!(desk.run(&TakeHistory { manifest: &late }).unwrap_err(), HistoryError::NotAsked);
    let chunk = seal(&mut ada, &desk, second, b"second").unwrap();
    let envelope = finish(&mut ada, &desk, second);
    let given = manifest(&mut desk, &ada, &envelope);
    desk.run(&TakeHistory { manifest: &given }).unwrap();
    assert_eq!(
        desk.run(&TakeHistory { manifest: &given }).unwrap_err(),
        HistoryError::NotAsked,
        "taken once"
    );
    open(&mut desk, 0, &chunk.sealed).unwrap();
    // Companions and strangers give none, and a phone asks for none.
    for device in [&mut lab, &mut ben] {
        assert!(device.run(&SealHistory { companion: desk.address.device, id: second, text: b"x" }).is_err());
    }
    let by_phone = ada.run(&AskHistory { since: UnixMillis(0) }).unwrap_err();
    assert_eq!(by_phone, HistoryError::NotACompanion);
    // What a sibling asks is the phone's to hear, not the desk's.
    directory.start(&mut lab, ada.address).unwrap();
    let asked = lab.run(&AskHistory { since: UnixMillis(0) }).unwrap();
    let heard = desk.run(&Receive { from: lab.address, envelope: &asked, associated_data: &[] }).unwrap_err();
    assert!(
        matches!(heard, OpenError::OutOfStep | OpenError::NotAuthentic | OpenError::MissingPrekey(_)),
        "{heard}"
    );
}

/// L37: a phone that wants it gives a new companion no history before a day is over.
#[test]
fn l37_history_waits_for_the_cool_down() {
    let Town { mut directory, mut ada, .. } = town();
    ada.limits = ada.limits.history_cool_down(DAY);
    let mut attic = directory.link(&mut ada, "attic");
    let linked_at = ada.now;
    let id = ask(&mut directory, &mut ada, &mut attic, 0);
    ada.wait(DAY - 1);
    let too_soon = seal(&mut ada, &attic, id, b"?").unwrap_err();
    assert_eq!(too_soon, HistoryError::TooSoon { allowed_at: linked_at.plus(DAY) });
    assert_eq!(too_soon.advice(), Advice::Later);
    directory.renew(&mut ada);
    assert!(seal(&mut ada, &attic, id, b"?").is_err(), "a renewal is no linking");
    ada.wait(1);
    seal(&mut ada, &attic, id, b"now").unwrap();
}

/// Bounds: no empty chunk, none above a mebibyte, at most 1,024; and none for a device that is gone.
#[test]
fn a_history_has_bounds() {
    let (Town { mut directory, mut ada, desk, lab, .. }, ..) = on_its_way();
    let id = HistoryId([3; 16]);
    assert_eq!(seal(&mut ada, &desk, id, b"").unwrap_err(), HistoryError::TooLong);
    assert_eq!(seal(&mut ada, &desk, id, &vec![0; (1 << 20) + 1]).unwrap_err(), HistoryError::TooLong);
    seal(&mut ada, &desk, id, &vec![0; 1 << 20]).unwrap();
    for _ in 1..1_024 {
        seal(&mut ada, &desk, id, b"x").unwrap();
    }
    assert_eq!(seal(&mut ada, &desk, id, b"x").unwrap_err(), HistoryError::TooLong);
    let envelope = finish(&mut ada, &desk, id);
    // With the handshake in front, since the desk has said nothing yet.
    assert!(envelope.len() < by_suite([17_000, 18_000, 18_500]), "{}", envelope.len());
    let refused = ada.run(&FinishHistory { companion: desk.address.device, id }).unwrap_err();
    assert_eq!(refused, HistoryError::NotAsked);
    directory.remove(&mut ada, lab.address.device);
    assert_eq!(seal(&mut ada, &lab, id, b"x").unwrap_err(), HistoryError::UnknownDevice);
}
