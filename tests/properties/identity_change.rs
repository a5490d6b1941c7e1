//! Whose key it is: changes are refused until the user has decided, decisions name their key, and nothing is sent in between.

use outrigger::{
    AccountId, Address, BundleError, ChangeNumber, Decision, DeviceId, IdentityKey, LearnNumber, OpenError,
    PhoneNumber, RecordKind, Register, SendError, SignedStatement, StartError, TrustError, TrustMark,
    UnixMillis, Unlisted, VerifiedBundle,
};

use crate::world::{
    Device, Server, exchange, friends, hand, phone,
    random::Seeded,
    strangers,
    wire::{Fields, envelope},
};

/// Ada, ben as he was, ben as he is after he has registered anew at the same address, and the server after that.
fn ben_registers_anew() -> (Device, Device, Device, Server) {
    let (mut ada, ben, _) = friends();
    let mut anew = Device::empty("ben");
    anew.random = Seeded::new(77);
    anew.identity = anew.run(&Register { address: anew.address }).unwrap();
    assert_ne!(anew.identity, ben.identity);
    let mut server = Server::default();
    ada.publish(5, &mut server);
    anew.publish(5, &mut server);
    (ada, ben, anew, server)
}

#[test]
fn l45_a_changed_key_is_named_and_nothing_is_sent_to_it_before_the_user_accepts() {
    let (mut ada, ben, mut anew, mut server) = ben_registers_anew();
    let (stored, offered) = (ben.identity, anew.identity);
    let refusal = ada.start(ben.address, &mut server).unwrap_err();
    assert_eq!(refusal, StartError::IdentityChanged { stored, offered });
    anew.start(ada.address, &mut server).unwrap();
    let hello = anew.send(ada.address, b"it is me");
    assert_eq!(ada.refuses(ben.address, &hello), OpenError::IdentityChanged { stored, offered });
    assert_eq!(
        ada.describe(ben.address).trust,
        TrustMark::Pinned,
        "an unproved offer changes no mark by itself"
    );

    // What ada sends now goes to the key on record, and the new one cannot read it.
    let pending = ada.send(ben.address, b"pending");
    assert!(anew.receive(ada.address, &pending).is_err());
    ada.decide(ben.address, Decision::Suspect(offered)).unwrap();
    assert_eq!(
        ada.try_send(ben.address, b"pending").unwrap_err(),
        SendError::IdentityChanged { stored, offered }
    );
    assert_eq!(
        ada.start(ben.address, &mut server).unwrap_err(),
        StartError::IdentityChanged { stored, offered }
    );
    assert_eq!(ada.refuses(ben.address, &hello), OpenError::IdentityChanged { stored, offered });

    ada.decide(ben.address, Decision::Accept(offered)).unwrap();
    let received = ada.opens(ben.address, &hello, b"it is me");
    assert_eq!(ada.active(ben.address), Some(received.session));
    exchange(&mut ada, &mut anew);
}

/// A key is named to the user only by someone who has shown to hold it: nobody else can make the app ask.
#[test]
fn l48_an_identity_key_that_is_only_claimed_asks_nobody() {
    let (_, mut ben, mut server) = friends();
    let ada = phone("ada");
    let bundle = VerifiedBundle::verify(&server.fetch(ben.address), &ben.address).unwrap();
    let forged = hand::ByHand::start(&[0x41; 32], &[0x24; 32], &ada, &bundle, ben.now);
    let message = forged.seal(0, b"\x01i am ada");
    let offered = hand::identity(&[0x41; 32]);
    let claimed = Fields::parse(Fields::envelope(&message).bytes(envelope::HANDSHAKE), 0)
        .with_bytes(1, &hand::identity(&[0x42; 32]).encoded());
    let altered = Fields::envelope(&message).with_bytes(envelope::HANDSHAKE, &claimed.encode());
    assert_eq!(ben.refuses(ada, &altered.encode()), OpenError::NotAuthentic);
    let mut cut = message.clone();
    *cut.last_mut().unwrap() ^= 1;
    assert_eq!(ben.refuses(ada, &cut), OpenError::NotAuthentic);
    let stored = ben.describe(ada).identity_key.unwrap();
    assert_eq!(ben.refuses(ada, &message), OpenError::IdentityChanged { stored, offered });
}

#[test]
fn accept_ends_the_sessions_under_the_old_key() {
    let (mut ada, mut ben, anew, mut server) = ben_registers_anew();
    // An archived session, an active one, skipped keys in both, and a message under way in each.
    let mut old_server = Server::default();
    ben.publish(5, &mut old_server);
    ada.publish(5, &mut old_server);
    ben.send(ada.address, b"lost");
    let in_archived = [ben.send(ada.address, b"x"), ben.send(ada.address, b"x")];
    ada.opens(ben.address, &in_archived[1], b"x");
    ada.start(ben.address, &mut old_server).unwrap();
    exchange(&mut ada, &mut ben);
    ben.send(ada.address, b"lost");
    let in_active = [ben.send(ada.address, b"x"), ben.send(ada.address, b"x")];
    ada.opens(ben.address, &in_active[1], b"x");
    let old = ada.clone();
    assert_eq!(ada.store.count(RecordKind::SkippedKeys), 2);

    assert_eq!(ada.decide(ben.address, Decision::Accept(anew.identity)), Ok(TrustMark::Pinned));
    for kind in [RecordKind::ArchivedSession, RecordKind::SkippedKeys] {
        assert_eq!(ada.store.count(kind), 0, "{kind:?}");
    }
    for message in in_archived.iter().chain(&in_active) {
        assert!(ada.receive(ben.address, message).is_err());
    }
    assert_eq!(ada.try_send(ben.address, b"?").unwrap_err(), SendError::NoSession);
    assert_eq!(ada.describe(ben.address).session, None);
    // No key of the old sessions is in any record: none of the old records' last 64 bytes, for one.
    let ended = old.store.0.iter().filter(|(key, _)| {
        matches!(key.kind(), RecordKind::ArchivedSession | RecordKind::SkippedKeys | RecordKind::Peer)
    });
    for (key, (_, bytes)) in ended {
        assert!(!ada.store.holds(&bytes[bytes.len() - 64..]), "{key:?}");
    }
    ada.start(ben.address, &mut server).unwrap();
    let mut anew = anew;
    exchange(&mut ada, &mut anew);
}

/// L36, L48: every decision in every state, with every key. `None`: refused.
#[test]
fn l36_l48_the_truth_table_of_trust() {
    let (ada, ben, _) = friends();
    let [x, y] = [[0x51; 32], [0x52; 32]].map(|private| hand::identity(&private));
    let k = ben.identity;
    let start = |decisions: &[Decision]| {
        let mut ada = ada.clone();
        for decision in decisions {
            ada.decide(ben.address, *decision).unwrap();
        }
        ada
    };
    let states: [(&str, TrustMark, Vec<Decision>); 4] = [
        ("pinned", TrustMark::Pinned, vec![]),
        ("verified", TrustMark::Verified, vec![Decision::Verify(k)]),
        ("changed from pinned", TrustMark::Changed, vec![Decision::Suspect(x)]),
        ("changed from verified", TrustMark::Changed, vec![Decision::Verify(k), Decision::Suspect(x)]),
    ];
    for (name, mark, decisions) in &states {
        let before = start(decisions);
        assert_eq!(before.clone().describe(ben.address).trust, *mark, "{name}");
        let changed = *mark == TrustMark::Changed;
        let was_verified = decisions.contains(&Decision::Verify(k));
        let kept = if was_verified { TrustMark::Verified } else { TrustMark::Pinned };
        let undecided = Err(TrustError::Undecided { offered: x });
        let other = Err(TrustError::OtherKey { stored: k });
        let ok = |mark| Ok((mark, k, None::<IdentityKey>));
        let suspected = |key| Ok((TrustMark::Changed, k, Some(key)));
        let accepted = |key| Ok((TrustMark::Pinned, key, None));
        let table = [
            (Decision::Verify(k), if changed { undecided } else { ok(TrustMark::Verified) }),
            (Decision::Verify(x), other),
            (Decision::Unverify(k), if changed { undecided } else { ok(TrustMark::Pinned) }),
            (Decision::Unverify(x), other),
            (Decision::Suspect(k), other),
            (Decision::Suspect(x), suspected(x)),
            (Decision::Suspect(y), suspected(y)),
            (Decision::Accept(k), other),
            (Decision::Accept(x), accepted(x)),
            (Decision::Accept(y), if changed { other } else { accepted(y) }),
            (Decision::Reject(k), other),
            (Decision::Reject(x), if changed { ok(kept) } else { other }),
            (Decision::Reject(y), other),
        ];
        for (decision, expected) in table {
            let mut ada = before.clone();
            let decided = ada.decide(ben.address, decision);
            assert_eq!(decided, expected.map(|(mark, ..)| mark), "{name}: {decision:?}");
            let (mark, key, offered) = expected.unwrap_or((*mark, k, changed.then_some(x)));
            let now = ada.describe(ben.address);
            assert_eq!((now.trust, now.identity_key, now.offered), (mark, Some(key), offered));
            // Sending follows from the mark and the key, and from nothing else.
            let sent = ada.try_send(ben.address, b"text");
            match (mark, key == k) {
                (TrustMark::Changed, _) => {
                    let offered = offered.unwrap();
                    assert_eq!(sent.unwrap_err(), SendError::IdentityChanged { stored: k, offered });
                }
                (_, false) => assert_eq!(sent.unwrap_err(), SendError::NoSession),
                (_, true) => drop(sent.unwrap()),
            }
        }
    }
}

#[test]
fn l36_an_unknown_peer_is_unknown_and_takes_no_decision() {
    let (mut ada, ben, _) = strangers();
    let stranger = ada.describe(ben.address);
    assert_eq!((stranger.trust, stranger.identity_key, stranger.session), (TrustMark::Unknown, None, None));
    for decision in
        [Decision::Verify, Decision::Unverify, Decision::Suspect, Decision::Accept, Decision::Reject]
    {
        assert_eq!(ada.decide(ben.address, decision(ben.identity)), Err(TrustError::UnknownPeer));
    }
}

#[test]
fn l36_a_verified_mark_does_not_outlive_its_key() {
    let (mut ada, ben, anew, _) = ben_registers_anew();
    ada.decide(ben.address, Decision::Verify(ben.identity)).unwrap();
    ada.decide(ben.address, Decision::Accept(anew.identity)).unwrap();
    assert_eq!(ada.describe(ben.address).trust, TrustMark::Pinned);
    assert_eq!(
        ada.decide(ben.address, Decision::Verify(ben.identity)),
        Err(TrustError::OtherKey { stored: anew.identity }),
        "a comparison of the old key, finished too late"
    );
    ada.decide(ben.address, Decision::Accept(ben.identity)).unwrap();
    assert_eq!(ada.describe(ben.address).trust, TrustMark::Pinned, "nor does it come back with it");
}

/// The number was signed with a key that the user has since given up; whoever held that key must not go on naming the account.
#[test]
fn l36_a_number_is_not_verified_under_a_key_that_was_given_up() {
    let (mut ada, mut mallory, mut ben, mut server) = ben_registers_anew();
    // Mallory was taken for ben, and signed from the end of time.
    mallory.now = UnixMillis(u64::MAX);
    let [forged, honest] = ["+4900000000", "+493012345678"].map(|number| PhoneNumber::parse(number).unwrap());
    let statement = mallory.run(&ChangeNumber { number: forged }).unwrap();
    let account = ben.address.account;
    ada.run(&LearnNumber { account, statement: &statement }).unwrap();

    ada.decide(ben.address, Decision::Accept(ben.identity)).unwrap();
    ada.start(ben.address, &mut server).unwrap();
    exchange(&mut ada, &mut ben);
    let shown = ada.describe(ben.address).number;
    let statement = ben.run(&ChangeNumber { number: honest.clone() }).unwrap();
    let learnt = ada.run(&LearnNumber { account, statement: &statement });
    assert!(learnt.is_ok(), "ben's own statement: {:?}", learnt.unwrap_err());
    assert_eq!(shown, None, "verified under no key that counts");
    assert_eq!(ada.describe(ben.address).number.map(|number| number.number().clone()), Some(honest));
}

/// L3: a bundle is for one address. A server that hands ben's out as mallory's, or swaps two, gets no session.
#[test]
fn l3_a_bundle_claimed_by_another_account_or_device_is_refused() {
    let (_, ben, mut server) = strangers();
    let bundle = server.fetch(ben.address);
    let second = Address::new(ben.address.account, DeviceId(1));
    assert_eq!(VerifiedBundle::verify(&bundle, &second).unwrap_err(), BundleError::NeedsCertificate);
    let longer = AccountId::new(&[ben.address.account.as_bytes(), &[0]].concat()).unwrap();
    let longer = Address::new(longer, DeviceId::PHONE);
    for claimed in [phone("mallory"), phone("ben2"), longer] {
        assert_eq!(
            VerifiedBundle::verify(&bundle, &claimed).unwrap_err(),
            BundleError::BadSignature(SignedStatement::Suites)
        );
    }
}

/// L3, L35: what ada says to ben is not opened as mallory's, nor what mallory passes on as her own.
#[test]
fn l3_addresses_are_bound_on_both_sides() {
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let first = ada.send(ben.address, b"hello");
    let second = Address::new(ada.address.account, DeviceId(1));
    for from in [phone("mallory"), ben.address] {
        assert_eq!(ben.refuses(from, &first), OpenError::NotAuthentic);
    }
    assert_eq!(ben.refuses(second, &first), OpenError::Unlisted(Unlisted::NoList));
    // The same keys under another address of ben's: the envelope is not for it.
    let mut moved = ben.clone();
    let device = moved.store.0.iter_mut().find(|(key, _)| key.kind() == RecordKind::Device).unwrap();
    let (_, bytes) = device.1;
    let place = bytes.windows(3).position(|window| window == b"ben").unwrap();
    bytes[place] = b'k';
    assert_eq!(moved.refuses(ada.address, &first), OpenError::NotAuthentic);
    ben.opens(ada.address, &first, b"hello");
    // And a settled session does not follow its keys to another name.
    let turn = ben.send(ada.address, b"turn");
    assert_eq!(ada.refuses(phone("mallory"), &turn), OpenError::OutOfStep);
    ada.opens(ben.address, &turn, b"turn");
}

/// L32: names are bytes and never found by a key; an account named after a key is an account like any other.
#[test]
fn l32_an_account_named_after_a_key_is_not_that_key() {
    let (mut ada, ben, _) = friends();
    let encoded = ben.identity.encoded();
    let text: String = encoded.iter().map(|byte| format!("{byte:02x}")).collect();
    for name in [&encoded[..], ben.identity.public_key().as_bytes(), &text.as_bytes()[..64]] {
        let named = Address::new(AccountId::new(name).unwrap(), DeviceId::PHONE);
        assert_eq!(ada.describe(named).trust, TrustMark::Unknown);
        assert_eq!(ada.try_send(named, b"?").unwrap_err(), SendError::NoSession);
        assert_eq!(ada.decide(named, Decision::Verify(ben.identity)), Err(TrustError::UnknownPeer));
    }
}

#[test]
fn a_device_speaks_with_others_and_not_with_itself() {
    let (mut ada, mut ben, mut server) = strangers();
    assert_eq!(ada.start(ada.address, &mut server).unwrap_err(), StartError::OwnDevice);
    // A twin with ada's identity key at another address: neither side takes the other for a peer.
    let mut twin = ada.clone();
    twin.address = phone("twin");
    let device = twin.store.0.iter_mut().find(|(key, _)| key.kind() == RecordKind::Device).unwrap();
    let (_, bytes) = device.1;
    let place = bytes.windows(4).position(|window| window == b"ada.").unwrap();
    bytes[place..place + 4].copy_from_slice(b"twin");
    twin.publish(2, &mut server);
    assert_eq!(ada.start(twin.address, &mut server).unwrap_err(), StartError::OwnDevice);
    // A first message to ada under her own identity key, by someone who has it.
    let stolen: [u8; 32] = ada.random.tape[0].as_slice().try_into().unwrap();
    let bundle = VerifiedBundle::verify(&server.fetch(ada.address), &ada.address).unwrap();
    for from in [twin.address, ada.address] {
        let forged = hand::ByHand::start(&stolen, &[0x24; 32], &from, &bundle, ada.now);
        assert_eq!(ada.refuses(from, &forged.seal(0, b"\x01me")), OpenError::NotAuthentic);
    }
    ben.start(ada.address, &mut server).unwrap();
    exchange(&mut ben, &mut ada);
}
