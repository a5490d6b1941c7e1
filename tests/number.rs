//! The phone number is an attribute of the account: it changes, and no session, trust mark or safety number notices.

use outrigger::{
    AccountId, Address, Advice, ChangeNumber, Context, DescribePeer, DeviceError, DeviceId, DriveError,
    Generation, Keep, LearnNumber, MemoryStore, NumberError, PhoneNumber, Receive, Register,
    ReplenishPrekeys, Send, ShowSafetyNumber, Start, UnixMillis, VerifiedBundle,
};

fn address(name: u8, device: u32) -> Address {
    Address::new(AccountId::new(&[name; 16]).unwrap(), DeviceId(device))
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

fn at(now: u64, source: &mut getrandom::SysRng) -> Context<'_> {
    Context::new(UnixMillis(now), Generation([1; 16]), source)
}

#[test]
fn a_number_changes_and_every_session_stays() {
    let mut source = getrandom::SysRng;
    let (ada, ben) = (address(1, 0), address(2, 0));
    let (mut a, mut b) = (MemoryStore::new(), MemoryStore::new());
    let mut context = at(1_000, &mut source);
    a.run(&Register { address: ada }, &mut context).unwrap();
    b.run(&Register { address: ben }, &mut context).unwrap();
    let upload = a.run(&ReplenishPrekeys { one_time: 0 }, &mut context).unwrap();
    let bundle = [upload.bundle, upload.last_resort].concat();
    let first = a.run(&ChangeNumber { number: number("+14155550100") }, &mut context).unwrap();

    let unknown = b.run(&LearnNumber { account: ada.account, statement: &first }, &mut context).unwrap_err();
    assert_eq!(unknown, DriveError::Refused(NumberError::UnknownAccount));
    assert_eq!(NumberError::UnknownAccount.advice(), Advice::FetchBundle);

    b.run(&Start { bundle: &VerifiedBundle::verify(&bundle, &ada).unwrap() }, &mut context).unwrap();
    let learned = b.run(&LearnNumber { account: ada.account, statement: &first }, &mut context).unwrap();
    assert_eq!(learned.number(), &number("+14155550100"));
    let before = b.run(&DescribePeer { peer: ada }, &mut context).unwrap();
    let safety = b.run(&ShowSafetyNumber { peer: ada }, &mut context).unwrap();
    drop(context);

    let mut context = at(2_000, &mut source);
    let second = a.run(&ChangeNumber { number: number("+33155550100") }, &mut context).unwrap();
    b.run(&LearnNumber { account: ada.account, statement: &second }, &mut context).unwrap();
    b.run(&LearnNumber { account: ada.account, statement: &second }, &mut context).unwrap();
    let outdated = b.run(&LearnNumber { account: ada.account, statement: &first }, &mut context).unwrap_err();
    assert_eq!(outdated, DriveError::Refused(NumberError::Outdated));

    let after = b.run(&DescribePeer { peer: ada }, &mut context).unwrap();
    assert_eq!(after.number.unwrap().number(), &number("+33155550100"));
    assert_eq!(
        (after.session, after.trust, after.identity_key),
        (before.session, before.trust, before.identity_key)
    );
    assert_eq!(b.run(&ShowSafetyNumber { peer: ada }, &mut context).unwrap(), safety);
    let sent = b
        .run(
            &Send { to: ada, plaintext: b"still here", associated_data: b"", keep: Keep::ForRetry },
            &mut context,
        )
        .unwrap();
    let receive = Receive { from: ben, envelope: &sent.envelope, associated_data: b"" };
    assert_eq!(a.run(&receive, &mut context).unwrap().content.text(), Some(&b"still here"[..]));

    // A statement of one account is none of another's.
    let foreign = b.run(&LearnNumber { account: ben.account, statement: &second }, &mut context).unwrap_err();
    assert_eq!(foreign, DriveError::Refused(NumberError::UnknownAccount));
}

#[test]
fn only_the_phone_speaks_for_the_account() {
    let mut source = getrandom::SysRng;
    let mut context = at(1_000, &mut source);
    let mut store = MemoryStore::new();
    let change = ChangeNumber { number: number("+14155550100") };
    assert_eq!(
        store.run(&change, &mut context).unwrap_err(),
        DriveError::Refused(DeviceError::NotRegistered)
    );
    store.run(&Register { address: address(1, 7) }, &mut context).unwrap();
    assert_eq!(store.run(&change, &mut context).unwrap_err(), DriveError::Refused(DeviceError::NotThePhone));
}

#[test]
fn a_number_has_one_spelling() {
    for good in ["+1234567", "+123456789012345", "+14155550100"] {
        assert_eq!(number(good).as_str(), good);
    }
    for bad in [
        "",
        "+",
        "14155550100",
        "+123456",
        "+1234567890123456",
        "+0123456789",
        "+1 415 555",
        "+1415555010a",
        "++14155550100",
        "+١٢٣٤٥٦٧",
        " +14155550100",
        "+14155550100\n",
        "+1415-5550100",
    ] {
        assert!(PhoneNumber::parse(bad).is_err(), "{bad:?}");
    }
}
