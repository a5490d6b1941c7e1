//! `vectors/code.json`: a linking by a typed code, byte for byte up to the question to the user, and what it refuses.

use outrigger::{
    AccountId, Address, ContinueLinking, DeviceId, DriveError, EnterLinkCode, Generation, LinkError,
    LinkProgress, Operation, Register, ShowTypedCode, TakeInvitation, UnixMillis,
};
use serde_json::Value;

use crate::{Store, classic, companions::does, file, hex, list, number, text};

/// The phone, once its user has typed the code, and the companion that shows it.
fn typed(case: &Value) -> (Store, Store) {
    let fresh = || Store { records: Default::default(), generation: Generation([9; 16]) };
    let (mut phone, mut companion) = (fresh(), fresh());
    let address = Address::new(AccountId::new(&hex(&case["account_id"])).unwrap(), DeviceId::PHONE);
    let identity = Value::Array(vec![case["phone_private"].clone()]);
    let now = number(&case["time"]);
    does(&mut phone, &identity, now, &Register { address });
    let code = does(&mut companion, &case["show"]["draws"], now, &ShowTypedCode);
    assert_eq!(code.text().replace('-', ""), text(&case["show"]["characters"]));
    assert_eq!(code.offer, hex(&case["show"]["offer"]));
    (phone, companion)
}

/// Runs what must be refused with nothing changed.
fn refuses<O: Operation<Error = LinkError>>(store: &Store, now: u64, operation: &O, name: &str) {
    let mut tried = store.clone();
    let mut source = getrandom::SysRng;
    let mut context = classic(UnixMillis(now), store.generation, &mut source);
    let Err(DriveError::Refused(_)) = tried.run(operation, &mut context) else {
        panic!("{name}: not refused")
    };
    assert!(tried == *store, "{name}: a refusal changed a record");
}

#[test]
fn a_linking_by_code_and_what_it_refuses() {
    let case = file(include_str!("../../vectors/code.json"));
    let now = number(&case["time"]);
    let (mut phone, mut companion) = typed(&case);
    let entries = |of: &str| list(&case["refused"][of]).clone();
    let code = text(&case["show"]["characters"]);
    for entry in entries("offers") {
        let offer = hex(&entry["message"]);
        refuses(&phone, now, &EnterLinkCode { code, offer: &offer }, text(&entry["name"]));
    }
    let enter = EnterLinkCode { code, offer: &hex(&case["show"]["offer"]) };
    let answer = does(&mut phone, &case["enter"]["draws"], now, &enter);
    assert_eq!(answer, hex(&case["enter"]["answer"]));

    for entry in entries("answers") {
        let message = hex(&entry["message"]);
        refuses(&companion, now, &ContinueLinking { message: &message }, text(&entry["name"]));
    }
    let none = Value::Array(Vec::new());
    for entry in list(&case["spent"]) {
        let mut tried = companion.clone();
        let message = hex(&entry["message"]);
        let progress = does(&mut tried, &none, now, &ContinueLinking { message: &message });
        assert_eq!(progress, LinkProgress::WrongCode, "{}", entry["name"]);
        refuses(&tried, now, &ContinueLinking { message: &answer }, "the code is spent");
    }
    let progress = does(&mut companion, &case["invite"]["draws"], now, &ContinueLinking { message: &answer });
    let LinkProgress::Invite { invitation } = progress else { panic!("{progress:?}") };
    assert_eq!(invitation, hex(&case["invite"]["invitation"]));

    for entry in entries("invitations") {
        let invitation = hex(&entry["message"]);
        refuses(&phone, now, &TakeInvitation { invitation: &invitation }, text(&entry["name"]));
    }
    let take = TakeInvitation { invitation: &invitation };
    let request = does(&mut phone, &case["take"]["draws"], now, &take);
    let digits = request.comparison.to_string().replace(' ', "");
    assert_eq!(digits, text(&case["take"]["comparison_code"]));
}
