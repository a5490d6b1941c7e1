//! The sizes that the docs of companions name, and what a companion takes in a store.

use outrigger::{
    AccountId, Address, DescribeDevices, DeviceId, EnterLinkCode, GrantLink, OpenSynced, RecordKind,
    ScanLinkCode, SealSynced, ShowLinkCode, ShowTypedCode,
};

use super::{
    fanout::{Town, town},
    household::{Directory, consent},
};
use crate::world::{
    Device, by_suite, headers_in_clear,
    wire::{Fields, envelope},
};

/// All records, keys and bytes.
fn stored(device: &Device) -> usize {
    device.store.0.iter().map(|(key, (_, bytes))| key.as_bytes().len() + bytes.len()).sum()
}

/// Keys, certificate, list and 100 one-time prekeys, with the phone's key pinned, and no session: a full account, the longest account id. A KEM key takes 65 bytes more of each prekey.
#[test]
fn a_saved_companion_has_at_most_16_kib() {
    let mut directory = Directory::default();
    let mut phone = Device::empty("ada");
    phone.address = Address::new(AccountId::new(&[7; 64]).unwrap(), DeviceId::PHONE);
    phone.identity = phone.run(&outrigger::Register { address: phone.address }).unwrap();
    for name in ["desk", "lab", "den"] {
        directory.link(&mut phone, name);
    }
    let mut last = directory.link(&mut phone, "web");
    last.publish(100, &mut directory.bundles);
    let list = last.run(&DescribeDevices { account: phone.address.account }).unwrap().list.unwrap();
    assert_eq!(list.entries().len(), 4);
    // Ten of the hundred were there before.
    assert!(last.store.count(RecordKind::OneTimePrekey) >= 100);
    println!("{} bytes", stored(&last));
    assert!(stored(&last) <= by_suite([16, 24, 24]) * 1_024);
}

#[test]
fn documented_sizes_of_a_linking_hold() {
    let mut directory = Directory::default();
    for account in [vec![1; 16], vec![2; 64]] {
        let mut phone = Device::empty("ada");
        phone.address = Address::new(AccountId::new(&account).unwrap(), DeviceId::PHONE);
        phone.identity = phone.run(&outrigger::Register { address: phone.address }).unwrap();
        let mut typed = Device::empty("typed");
        let code = typed.run(&ShowTypedCode).unwrap();
        let answer = phone.clone().run(&EnterLinkCode { code: code.text(), offer: &code.offer }).unwrap();
        assert_eq!((code.text().len(), code.offer.len(), answer.len()), (9, 54, 88));
        for number in 0..4 {
            let mut companion = Device::empty(&format!("{number}"));
            let code = companion.run(&ShowLinkCode).unwrap();
            assert_eq!(code.text().len(), 167);
            let mut asked = phone.clone();
            let request = asked.run(&ScanLinkCode { code: code.text() }).unwrap();
            let consent = consent(&request);
            let grant = asked.run(&GrantLink { reference: request.reference, consent }).unwrap();
            assert!((265..=330).contains(&grant.len()), "{} bytes of grant", grant.len());
            let linked = directory.link_traffic(&mut phone, &mut companion).linked;
            assert!(
                (115..=384).contains(&linked.list.as_bytes().len()),
                "{} bytes",
                linked.list.as_bytes().len()
            );
            let certificate = directory.certificates[&linked.device].len();
            assert!((212..=277).contains(&certificate), "{certificate} bytes of certificate");
        }
    }
}

/// What a copy of a message to an account holds beyond what a message to the device alone holds, which is stamped, too.
#[test]
fn documented_sizes_of_messages_hold() {
    headers_in_clear();
    let Town { mut directory, mut ada, mut ben, den, .. } = town();
    let sealed = |envelope: &[u8]| Fields::envelope(envelope).bytes(envelope::CIPHERTEXT).len();
    let sent = directory.send(&mut ben, ada.address.account, b"").unwrap();
    for (to, copy) in &sent.copies {
        let single = ben.send(*to, b"");
        // A kind byte, a stamp, and nonce and tag.
        assert_eq!(sealed(&single), 1 + 41 + 12 + 16);
        let account_id = ada.address.account.as_bytes().len();
        let heading = if *to == den.address { 18 + account_id } else { 17 };
        assert_eq!(sealed(&copy.envelope), sealed(&single) + heading, "{to:?}");
    }
    let seal = SealSynced { plaintext: b"four", associated_data: b"" };
    let synced = ada.run(&seal).unwrap();
    assert_eq!(synced.len(), 4 + 65);
    assert_eq!(ada.run(&OpenSynced { sealed: &synced, associated_data: b"" }).unwrap()[..], b"four"[..]);
}
