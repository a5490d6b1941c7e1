//! Devices that nobody let in: half of what makes a companion is nothing, and no signature serves for another.

use outrigger::{
    Address, BundleError, Certificate, CertificateError, ConfirmLink, ContinueLinking, DeviceId, DeviceList,
    GrantLink, LinkProgress, OpenError, PlanMessage, ScanLinkCode, SendError, ShowLinkCode, SignedStatement,
    Unlisted, VerifiedBundle,
};

use super::{
    fanout::{Town, town},
    household::{Directory, consent},
};
use crate::world::{Device, wire::Fields};

/// L31: a listed device whose certificate is missing or another's gets no session; a certified one that is not listed neither.
#[test]
fn l31_no_half_of_a_companion_gets_a_session() {
    let Town { mut directory, mut ada, desk, lab, den, .. } = town();
    let account = ada.address.account;
    let list = DeviceList::verify(&directory.lists[&account], &account, &ada.identity).unwrap();
    let bundle = directory.bundles.fetch(desk.address);
    let verify = |certificate: &[u8], address: &Address, list: &DeviceList| {
        VerifiedBundle::verify_companion(&bundle, certificate, address, list).map(|_| ())
    };
    let certificates = directory.certificates.clone();
    let own = &certificates[&desk.address];
    assert_eq!(verify(own, &desk.address, &list), Ok(()));
    // Listed, and no certificate of it.
    assert!(matches!(
        verify(&[], &desk.address, &list),
        Err(BundleError::Certificate(CertificateError::Decode(_)))
    ));
    // A sibling's, and a stranger's that is right in itself.
    let siblings = &certificates[&lab.address];
    assert_eq!(verify(siblings, &desk.address, &list), Err(CertificateError::OtherDevice.into()));
    let strangers = &certificates[&den.address];
    assert_eq!(verify(strangers, &desk.address, &list), Err(CertificateError::BadAccountSignature.into()));
    // A sibling's certificate with its own address, over this bundle.
    let taken = verify(siblings, &lab.address, &list);
    assert_eq!(taken, Err(BundleError::BadSignature(SignedStatement::Suites)));
    // Certified once, and listed no more.
    let later = directory.remove(&mut ada, desk.address.device);
    assert_eq!(verify(own, &desk.address, &later), Err(CertificateError::NotListed.into()));
    // Without a certificate a companion's bundle is none at all, and a companion's is not the phone's.
    assert_eq!(VerifiedBundle::verify(&bundle, &desk.address).unwrap_err(), BundleError::NeedsCertificate);
    assert_eq!(
        VerifiedBundle::verify(&bundle, &ada.address).unwrap_err(),
        BundleError::BadSignature(SignedStatement::Suites)
    );
}

/// A signature of a message behind its version byte.
fn signature(bytes: &[u8], number: u64) -> Vec<u8> {
    Fields::parse(bytes, 1).bytes(number).to_vec()
}

/// The message with another one there.
fn put(bytes: &[u8], number: u64, signature: &[u8]) -> Vec<u8> {
    Fields::parse(bytes, 1).with_bytes(number, signature).encode()
}

/// Every byte of a certificate counts.
#[test]
fn an_altered_certificate_is_refused() {
    let Town { directory, ada, desk, .. } = town();
    let account = ada.address.account;
    let list = DeviceList::verify(&directory.lists[&account], &account, &ada.identity).unwrap();
    let sound = directory.certificates[&desk.address].clone();
    assert!(Certificate::verify(&sound, &desk.address, &list).is_ok());
    for place in 0..sound.len() {
        let mut altered = sound.clone();
        altered[place] ^= 1;
        assert!(Certificate::verify(&altered, &desk.address, &list).is_err(), "{place}");
        assert!(Certificate::verify(&sound[..place], &desk.address, &list).is_err(), "{place}");
    }
    // The two signatures are not each other's, and each is needed.
    let (account_signature, device_signature) = (signature(&sound, 3), signature(&sound, 4));
    let swapped = put(&put(&sound, 3, &device_signature), 4, &account_signature);
    assert_eq!(
        Certificate::verify(&swapped, &desk.address, &list).unwrap_err(),
        CertificateError::BadAccountSignature
    );
    let once = put(&sound, 4, &account_signature);
    assert_eq!(
        Certificate::verify(&once, &desk.address, &list).unwrap_err(),
        CertificateError::BadDeviceSignature
    );
}

/// L32, L35: a first message from a device that no list names, or under an id that another key has, is not opened; nothing is pinned for it.
#[test]
fn l35_an_unlisted_device_says_nothing() {
    let Town { mut directory, mut ada, desk, lab, mut ben, .. } = town();
    // A device that the phone granted and never listed.
    let mut ghost = Device::empty("ghost");
    let code = ghost.run(&ShowLinkCode).unwrap();
    let request = ada.run(&ScanLinkCode { code: code.text() }).unwrap();
    let grant = ada.run(&GrantLink { reference: request.reference, consent: consent(&request) }).unwrap();
    let progress = ghost.run(&ContinueLinking { message: &grant }).unwrap();
    let LinkProgress::Confirm { address, confirmation, .. } = progress else { panic!("{progress:?}") };
    let plan = ben.run(&PlanMessage { to: ada.address.account }).unwrap();
    assert!(plan.missing.iter().chain(&plan.ready).all(|device| *device != address));
    assert_eq!(ben.try_send(address, b"?").unwrap_err(), SendError::NoSession);
    // Listed at home, and not yet known to ben.
    let linked = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
    ghost.run(&ContinueLinking { message: &linked.acknowledgement }).unwrap();
    ghost.address = address;
    directory.start(&mut ghost, ben.address).unwrap();
    let first = ghost.send(ben.address, b"I am new");
    let refused = ben.refuses(address, &first);
    assert_eq!(
        (refused, refused.advice()),
        (OpenError::Unlisted(Unlisted::NotListed), outrigger::Advice::FetchDevices)
    );
    assert_eq!(ben.describe(address).identity_key, None);
    // Under a sibling's id.
    for other in [desk.address, lab.address] {
        assert_eq!(ben.refuses(other, &first), OpenError::Unlisted(Unlisted::OtherKey));
    }
    // Of an account that ben has no list of.
    let nobody = Address::new(outrigger::AccountId::new(&[b'n'; 20]).unwrap(), DeviceId(7));
    assert_eq!(ben.refuses(nobody, &first), OpenError::Unlisted(Unlisted::NoList));
    directory.publish(&linked.list);
    directory.learn(&mut ben, ada.address.account).unwrap();
    ben.opens(address, &first, b"I am new");
}

/// A companion in its phone's place: its key at device 0 is another identity, which asks the user.
#[test]
fn a_companion_cannot_speak_as_its_phone() {
    let Town { mut directory, ada, mut desk, mut ben, .. } = town();
    directory.start(&mut desk, ben.address).unwrap();
    let first = desk.send(ben.address, b"I am the phone");
    assert!(matches!(ben.refuses(ada.address, &first), OpenError::NotAuthentic));
    let bundle = directory.bundles.fetch(desk.address);
    assert!(VerifiedBundle::verify(&bundle, &ada.address).is_err());
}

/// A companion of one account is nobody in another, whoever lists its key there.
#[test]
fn a_key_that_two_accounts_list_speaks_for_its_own_only() {
    let Town { mut directory, ada, mut desk, mut ben, .. } = town();
    let mut eve = directory.phone("eve");
    // Eve's phone certifies the desk's key: it cannot get the desk's signature for her account.
    let own = DeviceList::verify(&directory.lists[&ada.address.account], &ada.address.account, &ada.identity)
        .unwrap();
    assert!(own.entry(desk.address.device).is_some());
    let eves = directory.link(&mut eve, "attic");
    directory.meet(&mut ben, eve.address.account);
    directory.start(&mut desk, ben.address).unwrap();
    let first = desk.send(ben.address, b"hello");
    assert!(matches!(ben.refuses(eves.address, &first), OpenError::Unlisted(Unlisted::OtherKey)));
    ben.opens(desk.address, &first, b"hello");
}

/// The swap matrix: every signature of the crate in place of every other one.
#[test]
fn no_signature_serves_in_place_of_another() {
    let mut directory = Directory::default();
    let mut ada = directory.phone("ada");
    let desk = directory.link(&mut ada, "desk");
    let account = ada.address.account;
    let number = outrigger::PhoneNumber::parse("+4915112345678").unwrap();
    let statement = ada.run(&outrigger::ChangeNumber { number }).unwrap();
    let list_bytes = directory.lists[&account].clone();
    let list = DeviceList::verify(&list_bytes, &account, &ada.identity).unwrap();
    let certificate = directory.certificates[&desk.address].clone();
    let bundle = directory.bundles.fetch(ada.address);
    // All made by ada's identity key but the device's, which is the desk's.
    let signatures = [
        ("suites", signature(&bundle, 4)),
        ("signed prekey", signature(&bundle, 6)),
        ("number", signature(&statement, 3)),
        ("account", signature(&certificate, 3)),
        ("device", signature(&certificate, 4)),
        ("list", signature(&list_bytes, 2)),
    ];
    let mut ben = Device::new("ben");
    directory.start(&mut ben, ada.address).unwrap();
    let mut accepted = Vec::new();
    for (name, signature) in &signatures {
        let mut note = |place: &'static str, taken: bool| {
            if taken {
                accepted.push((*name, place));
            }
        };
        let with = |number| VerifiedBundle::verify(&put(&bundle, number, signature), &ada.address).is_ok();
        note("suites", with(4));
        note("signed prekey", with(6));
        let statement = put(&statement, 3, signature);
        note("number", ben.clone().run(&outrigger::LearnNumber { account, statement: &statement }).is_ok());
        let with =
            |number| Certificate::verify(&put(&certificate, number, signature), &desk.address, &list).is_ok();
        note("account", with(3));
        note("device", with(4));
        note("list", DeviceList::verify(&put(&list_bytes, 2, signature), &account, &ada.identity).is_ok());
    }
    let own: Vec<_> = signatures.iter().map(|(name, _)| (*name, *name)).collect();
    assert_eq!(accepted, own);
}
