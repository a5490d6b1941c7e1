//! Who may say what: each kind of content through each channel, by hand, with the sender's own keys. And what the signed words of an account tell of it.

use outrigger::{
    Address, DescribeDevices, DescribePeer, DeviceId, Generation, OpenError, PlanMessage, Receive,
    RecordError, SendError, UnixMillis, VerifiedBundle,
};

use super::{
    fanout::{Town, town},
    household::Directory,
};
use crate::world::{
    BOUND, Device, NOON, hand,
    hand::ByHand,
    wire::{Fields, Value},
};

/// The private half of a device's identity key, among what it drew.
fn private(device: &Device) -> [u8; 32] {
    let draws = device.random.tape.iter().filter_map(|draw| <[u8; 32]>::try_from(draw.as_slice()).ok());
    let public = device.identity.public_key().as_bytes();
    draws.into_iter().find(|draw| hand::public(draw) == *public).unwrap()
}

/// A session by hand from one device to another, as its app could make it.
fn by_hand(from: &Device, to: &mut Device, directory: &mut Directory, number: u8) -> ByHand {
    let bundle = directory.bundles.fetch(to.address);
    let verified = match to.address.device {
        DeviceId::PHONE => VerifiedBundle::verify(&bundle, &to.address).unwrap(),
        _ => {
            let list = to.run(&DescribeDevices { account: to.address.account }).unwrap().list.unwrap();
            let certificate = &directory.certificates[&to.address];
            VerifiedBundle::verify_companion(&bundle, certificate, &to.address, &list).unwrap()
        }
    };
    let later = UnixMillis(NOON.0 + 1_000 + u64::from(number));
    ByHand::start(&private(from), &[number | 1; 32], &from.address, &verified, later)
}

/// The heading that is no content: a frame of the relay, which the relay's operations take.
const RELAY: u8 = 8;

/// Each heading with as much behind it as it wants.
fn headings() -> Vec<(u8, Vec<u8>)> {
    let account = [b'q'; 16];
    vec![
        (1, [&[1][..], &[7; 16], b"text"].concat()),
        (2, [&[2][..], &[7; 16], &[16], &account, b"text"].concat()),
        (3, vec![3]),
        (4, [&[4][..], b"frame"].concat()),
        (5, [&[5][..], &[0, 0, 0, 0, 0, 0, 0, 9]].concat()),
        (6, [&[6][..], &[7; 16], &[0; 8]].concat()),
        (7, [&[7][..], b"manifest"].concat()),
        (RELAY, [&[RELAY][..], b"a frame"].concat()),
    ]
}

/// L33: what a device may say is bound to who it is, by its session and the list, and by nothing that it says.
#[test]
fn l33_each_kind_of_content_passes_only_from_those_who_may_say_it() {
    let Town { mut directory, mut ada, mut desk, mut lab, ben, den } = town();
    for device in [&mut desk, &mut lab] {
        directory.learn(device, ada.address.account).unwrap();
        directory.meet(device, ben.address.account);
    }
    directory.learn(&mut ada, ben.address.account).unwrap();
    let channels: [(&str, Device, Device, &[u8]); 6] = [
        ("phone to companion", ada.clone(), desk.clone(), &[1, 2, 4, 7]),
        ("companion to phone", desk.clone(), ada.clone(), &[1, 2, 3, 5, 6]),
        ("between siblings", desk.clone(), lab, &[1, 2]),
        ("a peer's phone to the phone", ben.clone(), ada.clone(), &[1]),
        ("a peer's companion to the phone", den, ada, &[1]),
        ("a companion to a peer's phone", desk, ben, &[1]),
    ];
    for (number, (name, from, mut to, allowed)) in (0_u8..).zip(channels) {
        let session = by_hand(&from, &mut to, &mut directory, number * 2 + 0x51);
        let kinds = [1, 2, 4].into_iter().flat_map(|kind| headings().into_iter().map(move |it| (kind, it)));
        for (counter, (kind, (heading, content))) in (0..).zip(kinds) {
            let id = [kind << 4 | heading; 16];
            let id = if kind == 1 { &[][..] } else { &id };
            let envelope = session.seal(counter, &[&[0x20 | kind][..], id, &content].concat());
            let before = to.store.clone();
            let outcome =
                to.run(&Receive { from: from.address, envelope: &envelope, associated_data: BOUND });
            let name = format!("{name}: {heading} of kind {kind}");
            let Err(error) = outcome else {
                assert!(allowed.contains(&heading), "{name} passes");
                continue;
            };
            assert!(!allowed.contains(&heading), "{name} is refused");
            assert!(before == to.store, "{name} changes a record");
            let expected = if heading == RELAY { OpenError::Frame } else { OpenError::NotEntitled };
            assert_eq!(error, expected, "{name}");
        }
    }
}

/// Headings and stamps that are cut, too long or of no kind stay sealed for a later version.
#[test]
fn malformed_headings_and_stamps_stay_sealed() {
    let Town { mut directory, ada, mut desk, .. } = town();
    directory.learn(&mut desk, ada.address.account).unwrap();
    let session = by_hand(&ada, &mut desk, &mut directory, 0x61);
    let side = [&[0, 0, 0, 1][..], &[5; 16]].concat();
    let stamp = [&side[..], &side, &[0]].concat();
    let mut sealed = Vec::new();
    for len in 0..stamp.len() {
        sealed.push([&[0x41][..], &stamp[..len]].concat());
        sealed.push([&[0x44][..], &[9; 16], &stamp[..len]].concat());
    }
    sealed.push([&[0x41][..], &side, &side, &[6], &[0; 24]].concat());
    sealed.push([&[0x41][..], &side, &side, &[2], &[0; 7]].concat());
    for (heading, content) in headings() {
        let whole = match heading {
            1 => 17,
            2 => 34,
            4 | 7 | RELAY => 1,
            _ => content.len(),
        };
        for len in 0..whole {
            sealed.push([&[0x21][..], &content[..len]].concat());
            sealed.push([&[0x24][..], &[9; 16], &content[..len]].concat());
        }
        if matches!(heading, 3 | 5 | 6) {
            sealed.push([&[0x21][..], &content, b"x"].concat());
            sealed.push([&[0x24][..], &[9; 16], &content, b"x"].concat());
        }
        // Nothing is headed that will not come.
        sealed.push([&[0x23][..], &[9; 16], &content].concat());
    }
    sealed.extend((RELAY + 1..=255).chain([0]).map(|heading| vec![0x21, heading]));
    for content in sealed {
        let envelope = session.seal(0, &content);
        let refused = desk.run(&Receive { from: ada.address, envelope: &envelope, associated_data: BOUND });
        assert_eq!(refused.unwrap_err(), OpenError::UnknownContent(content[0]), "{content:?}");
    }
    let envelope = session.seal(0, &[&[0x61][..], &stamp, &headings()[0].1].concat());
    let received =
        desk.run(&Receive { from: ada.address, envelope: &envelope, associated_data: BOUND }).unwrap();
    assert_eq!(received.content.text(), Some(&b"text"[..]));
}

/// L41: what the account signs tells its devices' keys, ids, indexes and times, and nothing in words; ids show no order.
#[test]
fn l41_lists_and_certificates_hold_no_words_and_ids_no_order() {
    let mut in_order = 0;
    for name in ["ada", "ben", "carol", "dan", "eve", "fay"] {
        let mut directory = Directory::default();
        let mut phone = directory.phone(name);
        let devices: Vec<Address> =
            (0..4).map(|number| directory.link(&mut phone, &format!("{name}{number}")).address).collect();
        in_order += u32::from(devices.is_sorted_by_key(|address| address.device));
        let list = Fields::parse(&directory.lists[&phone.address.account], 1);
        let body = Fields::parse(list.bytes(1), 0);
        assert_eq!(
            body.list.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 9]
        );
        assert_eq!((body.bytes(1), body.bytes(2).len()), (phone.address.account.as_bytes(), 16));
        for (_, entry) in body.list.iter().filter(|(number, _)| *number == 7) {
            let Value::Bytes(entry) = entry else { panic!("{entry:?}") };
            let entry = Fields::parse(entry, 0);
            assert_eq!(entry.list.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4]);
            assert_eq!(entry.bytes(3).len(), 33);
        }
        for device in &devices {
            let certificate = Fields::parse(&directory.certificates[device], 1);
            let body = Fields::parse(certificate.bytes(1), 0);
            assert_eq!(body.list.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        }
    }
    // One in 24 is in order by chance.
    assert!(in_order < 3, "{in_order}");
}

/// L42: a copied desktop profile is refused on another machine; and where the guard was copied too, the second of two that speak is noticed by whoever they speak with.
#[test]
fn l42_a_copied_companion_is_refused_or_noticed() {
    let Town { mut directory, mut desk, mut ben, .. } = town();
    let peer = ben.address.account;
    directory.meet(&mut desk, peer);
    let sent = directory.send(&mut desk, peer, b"settle").unwrap();
    ben.hears(desk.address, &sent, b"settle");
    let mut elsewhere = desk.clone();
    elsewhere.generation = Generation([0x77; 16]);
    let refused = elsewhere.run(&PlanMessage { to: peer }).unwrap_err();
    assert_eq!(refused, outrigger::FanOutError::Record(RecordError::RestoredFromBackup));
    assert_eq!(
        elsewhere.try_send(ben.address, b"?").unwrap_err(),
        SendError::Record(RecordError::RestoredFromBackup)
    );
    let mut copy = desk.clone();
    copy.random = crate::world::random::Seeded::new(4_242);
    let original = desk.send(ben.address, b"the original");
    let copied = copy.send(ben.address, b"the copy");
    ben.opens(desk.address, &original, b"the original");
    assert_eq!(ben.refuses(desk.address, &copied), OpenError::KeyGone);
    assert!(ben.run(&DescribePeer { peer: desk.address }).unwrap().session.is_some());
}
