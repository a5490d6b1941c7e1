//! `vectors/fingerprints.json`, `prekeys.json` and `x3dh.json`: safety numbers, bundles and statements, and the classic handshake.

use outrigger::{
    AccountId, Address, BundleError, DeviceId, Generation, IdentityKey, Limits, MemoryStore, PrekeyId,
    PublicKey, Random, Register, ReplenishPrekeys, RootSecret, SafetyNumber, Start, Suite, SuitePolicy,
    UnixMillis, VerifiedBundle,
    handshake::{Handshake, Party, Prekeys, initiate, respond},
    ratchet::Ratchet,
};

use crate::{Script, address, array, classic, device, file, hex, identity, list, number, pair, text};

#[test]
fn safety_numbers() {
    let file = file(include_str!("../../vectors/fingerprints.json"));
    for entry in list(&file["pairs"]) {
        let key = |name: &str| IdentityKey::parse_encoded(&hex(&entry[name])).unwrap();
        let (a, b) = (key("key_a"), key("key_b"));
        let (id_a, id_b) = (hex(&entry["id_a"]), hex(&entry["id_b"]));
        let at_a = SafetyNumber::new((&a, &id_a), (&b, &id_b));
        let at_b = SafetyNumber::new((&b, &id_b), (&a, &id_a));
        assert_eq!(at_a.digits(), text(&entry["number"]), "{}", entry["name"]);
        assert_eq!(at_b.digits(), text(&entry["number"]));
        assert_eq!(at_a.to_string().replace(' ', ""), text(&entry["number"]));
        assert_eq!(at_a.scannable(), hex(&entry["scannable_a"]));
        assert_eq!(at_b.scannable(), hex(&entry["scannable_b"]));
        assert_eq!(at_a.check_scanned(&at_b.scannable()), Ok(()));
        assert_eq!(at_b.check_scanned(&at_a.scannable()), Ok(()));
    }
}

#[test]
fn prekeys_and_bundles() {
    let file = file(include_str!("../../vectors/prekeys.json"));
    for entry in list(&file["prekey_ids"]) {
        let key = PublicKey::parse(&array(&entry["public"])).unwrap();
        assert_eq!(PrekeyId::of(&key).as_bytes()[..], hex(&entry["id"]), "{}", entry["name"]);
    }
    for entry in list(&file["bundles"]) {
        device(entry);
        for bundle in list(&entry["bundles_with_one_time_prekey"]) {
            let bundle = VerifiedBundle::verify(&hex(bundle), &address(entry)).unwrap();
            assert!(bundle.one_time_prekey().is_some());
        }
    }
    for entry in list(&file["bundles_accepted"]) {
        let bytes = hex(&entry["bundle"]);
        let verified = VerifiedBundle::verify(&bytes, &address(entry));
        assert!(verified.is_ok(), "{}: {verified:?}", entry["name"]);
    }
    for entry in list(&file["bundles_refused"]) {
        let refused: Result<_, BundleError> = VerifiedBundle::verify(&hex(&entry["bundle"]), &address(entry));
        assert!(refused.is_err(), "{}: {}", entry["name"], entry["why"]);
    }
}

#[test]
fn number_statements() {
    use outrigger::{ChangeNumber, LearnNumber, PhoneNumber};

    let file = file(include_str!("../../vectors/prekeys.json"));
    for entry in list(&file["numbers"]) {
        let mut store = MemoryStore::new();
        let account = AccountId::new(&hex(&entry["account_id"])).unwrap();
        let phone = Address::new(account, DeviceId::PHONE);
        let mut source = Script(vec![hex(&entry["z"]), hex(&entry["identity_private"])]);
        let mut context = classic(UnixMillis(number(&entry["issued_at"])), Generation([7; 16]), &mut source);
        store.run(&Register { address: phone }, &mut context).unwrap();
        let number = PhoneNumber::parse(text(&entry["number"])).unwrap();
        let statement = store.run(&ChangeNumber { number }, &mut context).unwrap();
        assert_eq!(statement, hex(&entry["statement"]), "{}", entry["name"]);
    }
    for (list_name, accepted) in [("numbers", true), ("numbers_refused", false)] {
        for entry in list(&file[list_name]) {
            let account = AccountId::new(&hex(&entry["account_id"])).unwrap();
            let mut store = knows_phone(account, &hex(&entry["identity_public"]));
            let mut source = Script(Vec::new());
            let mut context = classic(UnixMillis(0), Generation([7; 16]), &mut source);
            let learned =
                store.run(&LearnNumber { account, statement: &hex(&entry["statement"]) }, &mut context);
            assert_eq!(learned.is_ok(), accepted, "{}: {}", entry["name"], entry["why"]);
        }
    }
}

/// A store whose device has pinned this key at the account's phone. The peer's private half is not needed: the record is written through the decision to accept it.
pub(crate) fn knows_phone(account: AccountId, key: &[u8]) -> MemoryStore {
    use outrigger::{DecideIdentity, Decision};

    let mut source = getrandom::SysRng;
    let mut context = classic(UnixMillis(1), Generation([7; 16]), &mut source);
    let (mut store, mut other) = (MemoryStore::new(), MemoryStore::new());
    let phone = Address::new(account, DeviceId::PHONE);
    let here = Address::new(AccountId::new(&[0xee; 16]).unwrap(), DeviceId::PHONE);
    store.run(&Register { address: here }, &mut context).unwrap();
    other.run(&Register { address: phone }, &mut context).unwrap();
    let upload = other.run(&ReplenishPrekeys { one_time: 0 }, &mut context).unwrap();
    let bundle = VerifiedBundle::verify(&upload.bundle, &phone).unwrap();
    store.run(&Start { bundle: &bundle }, &mut context).unwrap();
    let mut encoded = vec![PublicKey::TYPE];
    encoded.extend_from_slice(key);
    let decision = Decision::Accept(IdentityKey::parse_encoded(&encoded).unwrap());
    store.run(&DecideIdentity { peer: phone, decision }, &mut context).unwrap();
    store
}

#[test]
fn x3dh() {
    let file = file(include_str!("../../vectors/x3dh.json"));
    for entry in list(&file["cases"]) {
        let (a, b) = (&entry["initiator"], &entry["responder"]);
        let (address_a, address_b) = (address(a), address(b));
        let (identity_a, identity_b) = (identity(&a["identity_private"]), identity(&b["identity_private"]));
        let handshake = Handshake::decode(&hex(&entry["handshake"]), Suite::Classic).unwrap();
        assert_eq!(handshake.encode(), hex(&entry["handshake"]));
        let one_time = b["one_time_prekey_private"].as_str().map(|_| pair(&b["one_time_prekey_private"]));
        let at_b = respond(
            Party { identity: &identity_b, address: &address_b },
            &address_a,
            Suite::Classic,
            &handshake,
            Prekeys { signed: &pair(&b["signed_prekey_private"]), one_time: one_time.as_ref(), kem: None },
        )
        .unwrap();
        assert_eq!(at_b.transcript().as_bytes()[..], hex(&entry["transcript"]), "{}", entry["name"]);
        assert_eq!(at_b.session_id().0[..], hex(&entry["session_id"]));

        // The initiator needs a bundle, signed by a device with the responder's keys.
        let mut source = Script(vec![
            [0xb1; 32].iter().zip(0..).map(|(byte, at): (&u8, u8)| byte ^ at).collect(),
            (100..164).collect(),
            (1..65).collect(),
            hex(&b["signed_prekey_private"]),
            hex(&b["identity_private"]),
        ]);
        let mut context = classic(UnixMillis(1), Generation([7; 16]), &mut source);
        let mut store = MemoryStore::new();
        store.run(&Register { address: address_b }, &mut context).unwrap();
        let mut bundle = store.run(&ReplenishPrekeys { one_time: 0 }, &mut context).unwrap().bundle;
        if let Some(one_time) = &one_time {
            bundle.extend([0x3a, 33].iter().chain(&one_time.public().encoded()));
        }
        let bundle = VerifiedBundle::verify(&bundle, &address_b).unwrap();
        let mut source = Script(vec![hex(&a["ephemeral_private"])]);
        let own = Party { identity: &identity_a, address: &address_a };
        let mut random = Random::new(&mut source);
        let at_a = initiate(own, &bundle, SuitePolicy::Classic, handshake.started_at, &mut random).unwrap();
        assert_eq!(at_a.suite, Suite::Classic);
        assert_eq!(at_a.established.transcript(), at_b.transcript());
        assert_eq!(at_a.established.session_id(), at_b.session_id());
        assert_eq!(at_a.handshake, handshake);

        // The root key is not shown; a ratchet from it is the proof. The vectors' own root key is the third.
        let mut random_source = getrandom::SysRng;
        let mut random = Random::new(&mut random_source);
        let signed = pair(&b["signed_prekey_private"]);
        let mut ratchet =
            Ratchet::initiate(at_a.established.into_root_secret(), signed.public(), &mut random).unwrap();
        let message = ratchet.encrypt(b"proof", b"", &mut random).unwrap();
        for root in [at_b.into_root_secret(), RootSecret::take_from(&mut array(&entry["root_key"]))] {
            let mut other = Ratchet::respond(root, pair(&b["signed_prekey_private"]));
            assert_eq!(
                other.decrypt(&message, b"", UnixMillis(0), &Limits::DEFAULT).unwrap()[..],
                b"proof"[..]
            );
        }
    }
}
