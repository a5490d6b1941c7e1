//! `vectors/companions.json`: which list counts, certificates, and a linking into an account that has companions, with what is refused in its course.

use outrigger::{
    AccountId, Address, Certificate, CertificateError, ConfirmLink, Consent, Consequence, ContinueLinking,
    DeclineLink, DescribeDevices, DesktopConsent, DeviceId, DeviceList, DriveError, Generation, GrantDesktop,
    GrantLink, HistoryId, IdentityKey, JoinPhone, JoinProgress, Joined, LearnDevices, LinkError,
    LinkProgress, ListError, MemoryStore, Operation, Refusal, Register, ScanLinkCode, SealHistory,
    SealSynced, ShowDesktopCode, ShowLinkCode, Suite, UnixMillis, VerifiedBundle, wire::DecodeError,
};
use serde_json::Value;

use crate::{Script, Store, address, array, classic, file, hex, list, number, prekeys::knows_phone, text};

fn account(entry: &Value) -> AccountId {
    AccountId::new(&hex(&entry["account_id"])).unwrap()
}

fn key(value: &Value) -> IdentityKey {
    IdentityKey::parse_encoded(&[vec![5], hex(value)].concat()).unwrap()
}

/// Nothing is drawn: what is to be refused is refused before that.
fn learn(store: &mut MemoryStore, account: AccountId, step: &Value) -> Result<DeviceList, ListError> {
    let mut source = Script(Vec::new());
    let now = UnixMillis(number(&step["time"]));
    let mut context = classic(now, Generation([7; 16]), &mut source);
    match store.run(&LearnDevices { account, list: &hex(&step["list"]) }, &mut context) {
        Ok(learned) => Ok(learned.list),
        Err(DriveError::Refused(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

/// Whether this is the refusal of that rule of "Which list counts", by its number.
fn is_by_rule(error: &ListError, outcome: &Value) -> bool {
    match outcome.as_u64() {
        Some(1) => matches!(error, ListError::FromTheFuture { .. }),
        Some(2) => *error == ListError::ForeignIncarnation,
        Some(3) => matches!(error, ListError::RolledBack { .. }),
        Some(4) => *error == ListError::LineEnded,
        Some(5) => *error == ListError::Reused,
        Some(6) => matches!(error, ListError::Expired { .. }),
        _ => false,
    }
}

#[test]
fn which_list_counts() {
    let file = file(include_str!("../../vectors/companions.json"));
    let file = &file["which_list"];
    let account = account(file);
    let own = Address::new(account, DeviceId::PHONE);
    for sequence in list(&file["sequences"]) {
        let mut store = if sequence["own_phone"] == true {
            let mut store = MemoryStore::new();
            let mut source = Script(vec![hex(&file["phone"]["private"])]);
            let mut context = classic(UnixMillis(1), Generation([7; 16]), &mut source);
            store.run(&Register { address: own }, &mut context).unwrap();
            store
        } else {
            knows_phone(account, &hex(&file["phone"]["public"]))
        };
        let mut on_record: Option<Vec<u8>> = None;
        for step in list(&sequence["steps"]) {
            let name = &sequence["name"];
            let found = learn(&mut store, account, step);
            match (step["outcome"].as_str(), found) {
                (Some("newer"), found) => {
                    let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(found.as_bytes(), hex(&step["list"]), "{name}");
                    on_record = Some(hex(&step["list"]));
                }
                (Some("same" | "disputed"), found) => {
                    let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(Some(found.as_bytes()), on_record.as_deref(), "{name}");
                }
                (_, found) => {
                    let error = found.unwrap_err();
                    assert!(is_by_rule(&error, &step["outcome"]), "{name}: {error}");
                }
            }
            let mut source = Script(Vec::new());
            let mut context = classic(UnixMillis(0), Generation([7; 16]), &mut source);
            let described = store.run(&DescribeDevices { account }, &mut context).unwrap();
            assert_eq!(described.list.map(|known| known.as_bytes().to_vec()), on_record, "{name}");
            assert_eq!(described.disputed, step["disputed"].as_bool().unwrap(), "{name}");
        }
    }
}

#[test]
fn certificates() {
    let file = file(include_str!("../../vectors/companions.json"));
    let file = &file["certificates"];
    let phone = key(&file["phone"]["public"]);
    let verify = |entry: &Value| {
        let devices = DeviceList::verify(&hex(&entry["list"]), &account(entry), &phone).unwrap();
        Certificate::verify(&hex(&entry["certificate"]), &address(entry), &devices)
    };
    for entry in list(&file["accepted"]) {
        let verified = verify(entry).unwrap_or_else(|error| panic!("{}: {error}", entry["name"]));
        assert_eq!(*verified.address(), address(entry));
        assert_eq!(verified.entry().identity_key, key(&entry["identity_key"]));
        assert_eq!(verified.linked_at(), UnixMillis(number(&entry["linked_at"])));
    }
    for entry in list(&file["refused"]) {
        let error = verify(entry).expect_err(text(&entry["name"]));
        // Those of which both signatures verify are refused for what they say.
        let signed = text(&entry["why"]).starts_with("both signatures verify");
        let said = matches!(
            error,
            CertificateError::OtherDevice
                | CertificateError::ForeignIncarnation
                | CertificateError::NotListed
                | CertificateError::OtherKey
        );
        assert_eq!(said, signed, "{}: {error}", entry["name"]);
    }
}

/// Runs an operation with scripted draws, which it must take, all of them.
pub(crate) fn does<O: Operation>(store: &mut Store, draws: &Value, now: u64, operation: &O) -> O::Output {
    let mut source = Script::new(draws);
    let mut context = classic(UnixMillis(now), store.generation, &mut source);
    let output = store.run(operation, &mut context).unwrap_or_else(|error| panic!("{error}"));
    drop(context);
    source.assert_drawn(draws);
    output
}

/// Runs an operation that must be refused with nothing changed.
pub(crate) fn refuses<O: Operation<Error = LinkError>>(
    store: &Store,
    now: u64,
    operation: &O,
    name: &str,
) -> LinkError {
    let mut tried = store.clone();
    let mut source = getrandom::SysRng;
    let mut context = classic(UnixMillis(now), store.generation, &mut source);
    let Err(DriveError::Refused(error)) = tried.run(operation, &mut context) else {
        panic!("{name}: not refused")
    };
    assert!(tried == *store, "{name}: a refusal changed a record");
    error
}

fn companion_refuses(store: &Store, now: u64, message: &[u8], name: &str) -> LinkError {
    refuses(store, now, &ContinueLinking { message }, name)
}

/// A message with any one bit flipped, and cut to any shorter length.
pub(crate) fn altered(message: &[u8], mut tried: impl FnMut(&[u8])) {
    for bit in 0..8 * message.len() {
        let mut flipped = message.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        tried(&flipped);
    }
    for len in 0..message.len() {
        tried(&message[..len]);
    }
}

#[test]
fn a_linking_and_what_it_refuses() {
    let file = file(include_str!("../../vectors/companions.json"));
    let case = &file["second_linking"];
    let (none, now) = (Value::Array(Vec::new()), number(&case["time"]));
    let own = Address::new(account(case), DeviceId::PHONE);
    let fresh = || Store { records: Default::default(), generation: Generation([9; 16]) };
    let (mut phone, mut companion) = (fresh(), fresh());
    let (grant, confirm, listed) = (&case["grant"], &case["confirm"], &case["list"]);
    let (at_grant, at_confirm, at_list) =
        (number(&grant["time"]), number(&confirm["time"]), number(&listed["time"]));
    let refused = |of: &str| list(&case["refused"][of]).clone();

    let registered = Value::Array(vec![case["phone_private"].clone()]);
    let account_key = does(&mut phone, &registered, now, &Register { address: own });
    assert_eq!(account_key, key(&case["phone_public"]));
    let before = hex(&case["before"]);
    does(&mut phone, &none, now, &LearnDevices { account: own.account, list: &before });

    let code = does(&mut companion, &case["show"]["draws"], now, &ShowLinkCode);
    assert_eq!(code.text(), text(&case["show"]["code"]));
    let request = does(&mut phone, &case["scan"]["draws"], now, &ScanLinkCode { code: code.text() });
    let digits = request.comparison.to_string().replace(' ', "");
    assert_eq!(digits, text(&case["scan"]["comparison_code"]));
    let consent =
        Consent { companion: request.companion, consequence: Consequence::ReadsAndSpeaksForTheAccount };
    let granted =
        does(&mut phone, &grant["draws"], at_grant, &GrantLink { reference: request.reference, consent });
    assert_eq!(granted, hex(&grant["message"]));

    // At the companion, before the grant.
    for (of, name) in [("grants", ""), ("refusals", "a refusal: ")] {
        for entry in refused(of) {
            let name = format!("{name}{}: {}", entry["name"], entry["why"]);
            companion_refuses(&companion, at_grant, &hex(&entry["message"]), &name);
        }
    }
    for message in [hex(&confirm["message"]), hex(&listed["acknowledgement"])] {
        companion_refuses(&companion, at_grant, &message, "out of order");
    }
    altered(&granted, |message| {
        companion_refuses(&companion, at_grant, message, "a grant, altered");
    });
    for entry in list(&case["refusals"]) {
        let message = hex(&entry["message"]);
        altered(&message, |message| {
            companion_refuses(&companion, at_grant, message, "a refusal, altered");
        });
        let progress = does(&mut companion.clone(), &none, at_grant, &ContinueLinking { message: &message });
        let LinkProgress::Refused(reason) = progress else { panic!("{progress:?}") };
        let declined = number(&entry["reason"]) == 1;
        assert_eq!(reason, if declined { Refusal::Declined } else { Refusal::Other(2) });
    }
    companion_refuses(&companion, now + 60_001, &granted, "a minute is over");

    let progress =
        does(&mut companion, &confirm["draws"], at_confirm, &ContinueLinking { message: &granted });
    let LinkProgress::Confirm { confirmation, comparison, address: device } = progress else {
        panic!("{progress:?}")
    };
    assert_eq!(confirmation, hex(&confirm["message"]));
    assert_eq!(comparison, request.comparison);
    assert_eq!((device.account, u64::from(device.device.0)), (own.account, number(&grant["device_id"])));

    // At the phone.
    for entry in refused("confirmations") {
        let name = format!("{}: {}", entry["name"], entry["why"]);
        let message = hex(&entry["message"]);
        refuses(&phone, at_list, &ConfirmLink { confirmation: &message }, &name);
    }
    altered(&confirmation, |message| {
        refuses(&phone, at_list, &ConfirmLink { confirmation: message }, "a confirmation, altered");
    });
    let late = at_grant + 300_001;
    refuses(&phone, late, &ConfirmLink { confirmation: &confirmation }, "five minutes are over");
    let linked = does(&mut phone, &listed["draws"], at_list, &ConfirmLink { confirmation: &confirmation });
    assert_eq!(linked.list.as_bytes(), hex(&listed["list"]));
    assert_eq!(linked.list.digest().0, array(&listed["digest"]));
    assert_eq!(linked.acknowledgement, hex(&listed["acknowledgement"]));

    // At the companion, before the acknowledgement.
    for entry in refused("acknowledgements") {
        let name = format!("an acknowledgement: {}: {}", entry["name"], entry["why"]);
        companion_refuses(&companion, at_list, &hex(&entry["message"]), &name);
    }
    altered(&linked.acknowledgement, |message| {
        companion_refuses(&companion, at_list, message, "an acknowledgement, altered");
    });
    let acknowledgement = &linked.acknowledgement;
    let progress = does(&mut companion, &none, at_list, &ContinueLinking { message: acknowledgement });
    let LinkProgress::Linked(joined) = progress else { panic!("{progress:?}") };
    assert_eq!((joined.address, joined.account_key), (device, account_key));
    assert_eq!(joined.certificate, hex(&case["certificate"]));
    Certificate::verify(&joined.certificate, &device, &joined.list).unwrap();
    VerifiedBundle::verify_companion(&hex(&confirm["bundle"]), &joined.certificate, &device, &joined.list)
        .unwrap();
}

/// A link code tells a companion from a desktop, and what the phone answers follows from that, too.
#[test]
fn link_codes_of_both_roles() {
    let file = file(include_str!("../../vectors/companions.json"));
    let case = &file["codes"];
    let (none, now) = (Value::Array(Vec::new()), number(&case["time"]));
    let fresh = || Store { records: Default::default(), generation: Generation([9; 16]) };
    let address = Address::new(account(case), DeviceId::PHONE);
    let mut phone = fresh();
    let registered = Value::Array(vec![case["phone_private"].clone()]);
    does(&mut phone, &registered, now, &Register { address });
    for entry in list(&case["accepted"]) {
        let name = text(&entry["name"]);
        let (mut phone, mut shows) = (phone.clone(), fresh());
        let is_desktop = number(&entry["role"]) == 2;
        let code = match is_desktop {
            true => does(&mut shows, &entry["draws"], now, &ShowDesktopCode),
            false => does(&mut shows, &entry["draws"], now, &ShowLinkCode),
        };
        assert_eq!(code.text(), text(&entry["code"]), "{name}");
        let request = does(&mut phone, &entry["scan_draws"], now, &ScanLinkCode { code: code.text() });
        let consequence = match is_desktop {
            true => Consequence::ReadsAndSpeaksThroughThePhone,
            false => Consequence::ReadsAndSpeaksForTheAccount,
        };
        assert_eq!((request.consequence, request.companion), (consequence, key(&entry["identity_key"])));
        assert_eq!(request.reference.0, array(&entry["reference"]), "{name}");
        let digits = request.comparison.to_string().replace(' ', "");
        assert_eq!(digits, text(&entry["comparison_code"]), "{name}");

        // Neither consent grants what the other code is for.
        let reference = request.reference;
        for consequence in
            [Consequence::ReadsAndSpeaksForTheAccount, Consequence::ReadsAndSpeaksThroughThePhone]
        {
            let consent = Consent { companion: request.companion, consequence };
            let may = DesktopConsent::Ask;
            if is_desktop || consequence != request.consequence {
                let error = refuses(&phone, now, &GrantLink { reference, consent }, name);
                assert_eq!(error, LinkError::OtherConsent, "{name}");
            }
            if !is_desktop || consequence != request.consequence {
                let error = refuses(&phone, now, &GrantDesktop { reference, consent, may }, name);
                assert_eq!(error, LinkError::OtherConsent, "{name}");
            }
        }
        let refusal = does(&mut phone, &none, now, &DeclineLink { reference });
        assert_eq!(refusal, hex(&entry["refusal"]), "{name}");
        let (join, link) = (JoinPhone { message: &refusal }, ContinueLinking { message: &refusal });
        altered(&refusal, |message| match is_desktop {
            true => drop(refuses(&shows, now, &JoinPhone { message }, name)),
            false => drop(refuses(&shows, now, &ContinueLinking { message }, name)),
        });
        if is_desktop {
            assert_eq!(refuses(&shows, now, &link, name), LinkError::OutOfOrder, "{name}");
            assert_eq!(does(&mut shows, &none, now, &join), JoinProgress::Refused(Refusal::Declined));
        } else {
            assert_eq!(refuses(&shows, now, &join, name), LinkError::OutOfOrder, "{name}");
            assert_eq!(does(&mut shows, &none, now, &link), LinkProgress::Refused(Refusal::Declined));
        }
    }
    for entry in list(&case["refused"]) {
        let name = format!("{}: {}", text(&entry["name"]), text(&entry["why"]));
        let error = refuses(&phone, now, &ScanLinkCode { code: text(&entry["code"]) }, &name);
        match text(&entry["expect"]) {
            "version" => {
                assert!(matches!(error, LinkError::Decode(DecodeError::Version(0 | 2))), "{name}: {error}")
            }
            _ => assert_eq!(error, LinkError::NotALinkCode, "{name}"),
        }
    }
}

#[test]
fn device_lists() {
    let file = file(include_str!("../../vectors/companions.json"));
    let lists = &file["lists"];
    let phone = IdentityKey::parse_encoded(&[&[5], &hex(&lists["phone"]["public"])[..]].concat()).unwrap();
    let account = |entry: &Value| AccountId::new(&hex(&entry["account_id"])).unwrap();
    for entry in list(&lists["accepted"]) {
        let verified = DeviceList::verify(&hex(&entry["list"]), &account(entry), &phone);
        let verified = verified.unwrap_or_else(|error| panic!("{}: {error}", entry["name"]));
        assert_eq!(u64::from(verified.epoch().0), number(&entry["epoch"]));
        assert_eq!(verified.issued_at(), UnixMillis(number(&entry["issued_at"])));
        assert_eq!(verified.expires_at(), UnixMillis(number(&entry["expires_at"])));
        assert_eq!(verified.is_closed(), entry["closed"].as_bool().unwrap());
        assert_eq!(verified.digest().0[..], hex(&entry["digest"]), "{}", entry["name"]);
        for (device, suites) in entry["suites"].as_object().unwrap() {
            let known = hex(suites).into_iter().filter_map(|byte| Suite::parse(byte).ok());
            let suites = verified.suites(DeviceId(device.parse().unwrap()));
            assert_eq!(suites, known.collect::<Vec<_>>(), "{}", entry["name"]);
        }
        let entries = list(&entry["entries"]);
        assert_eq!(verified.entries().len(), entries.len());
        for (found, expected) in verified.entries().iter().zip(entries) {
            assert_eq!(u64::from(found.device.0), number(&expected["device_id"]));
            assert_eq!(u64::from(found.key_index.0), number(&expected["key_index"]));
            assert_eq!(found.identity_key.public_key().as_bytes()[..], hex(&expected["identity_key"]));
        }
    }
    for entry in list(&lists["refused"]) {
        let verified = DeviceList::verify(&hex(&entry["list"]), &account(entry), &phone);
        assert!(verified.is_err(), "{}: {}", entry["name"], entry["why"]);
    }
    assert!(list(&lists["refused"]).len() > 20);
}

/// One linking, both sides with the script's draws, every message byte for byte: the phone, the companion, and what it has become.
pub(crate) fn linked(case: &Value) -> (Store, Store, Box<Joined>) {
    let now = number(&case["time"]);
    let address = Address::new(AccountId::new(&hex(&case["account_id"])).unwrap(), DeviceId::PHONE);
    let fresh = || Store { records: Default::default(), generation: Generation([9; 16]) };
    let (mut phone, mut companion) = (fresh(), fresh());
    let none = Value::Array(Vec::new());
    let identity = Value::Array(vec![case["phone_private"].clone()]);
    let account_key = does(&mut phone, &identity, now, &Register { address });
    assert_eq!(account_key, key(&case["phone_public"]));

    let code = does(&mut companion, &case["show"]["draws"], now, &ShowLinkCode);
    assert_eq!(code.text(), text(&case["show"]["code"]));
    let request = does(&mut phone, &case["scan"]["draws"], now, &ScanLinkCode { code: code.text() });
    assert_eq!(request.comparison.to_string(), text(&case["scan"]["comparison"]));
    let refusal = does(&mut phone.clone(), &none, now, &DeclineLink { reference: request.reference });
    assert_eq!(refusal, hex(&case["refusal"]));

    let consequence = Consequence::ReadsAndSpeaksForTheAccount;
    let consent = Consent { companion: request.companion, consequence };
    let granted = GrantLink { reference: request.reference, consent };
    let grant = does(&mut phone, &case["grant"]["draws"], now, &granted);
    assert_eq!(grant, hex(&case["grant"]["message"]));
    let progress = does(&mut companion, &case["confirm"]["draws"], now, &ContinueLinking { message: &grant });
    let LinkProgress::Confirm { confirmation, comparison, address } = progress else {
        panic!("{progress:?}")
    };
    assert_eq!(confirmation, hex(&case["confirm"]["message"]));
    assert_eq!(
        (comparison, u64::from(address.device.0)),
        (request.comparison, number(&case["confirm"]["device_id"]))
    );
    let confirm = ConfirmLink { confirmation: &confirmation };
    let confirmed = does(&mut phone, &case["list"]["draws"], now, &confirm);
    assert_eq!(confirmed.list.as_bytes(), hex(&case["list"]["list"]));
    assert_eq!(confirmed.list.digest().0, array(&case["list"]["digest"]));
    assert_eq!(confirmed.acknowledgement, hex(&case["list"]["acknowledgement"]));
    let finish = ContinueLinking { message: &confirmed.acknowledgement };
    let LinkProgress::Linked(joined) = does(&mut companion, &none, now, &finish) else {
        panic!("not linked")
    };
    assert_eq!(joined.certificate, hex(&case["certificate"]));
    Certificate::verify(&joined.certificate, &joined.address, &joined.list).unwrap();
    (phone, companion, joined)
}

/// A linking, and what the two can do with what they share.
#[test]
fn a_linking() {
    let file = file(include_str!("../../vectors/companions.json"));
    let case = &file["linking"];
    let now = number(&case["time"]);
    let (mut phone, _, joined) = linked(case);
    let synced = &case["synced"];
    let (plaintext, associated_data) = (hex(&synced["plaintext"]), hex(&synced["associated_data"]));
    let seal = SealSynced { plaintext: &plaintext, associated_data: &associated_data };
    assert_eq!(does(&mut phone, &synced["draws"], now, &seal), hex(&synced["sealed"]));
    let id = HistoryId(array(&case["history"]["id"]));
    for chunk in list(&case["history"]["chunks"]) {
        let said = hex(&chunk["text"]);
        let seal = SealHistory { companion: joined.address.device, id, text: &said };
        assert_eq!(does(&mut phone, &chunk["draws"], now, &seal).sealed, hex(&chunk["sealed"]));
    }
}
