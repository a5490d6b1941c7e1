//! `vectors/relay.json`: the grant, what a desktop refuses of it, and how long its first ask counts.

use outrigger::{
    ContinueLinking, FromDesktop, JoinPhone, JoinProgress, LinkError, ShowDesktopCode, ShowLinkCode,
    TakeFromDesktop, UnixMillis, Verdict,
};

use crate::{
    address, classic,
    companions::{altered, does, refuses},
    hex, list, number,
    relay::{Ends, fresh, vectors},
    text,
};

/// The first ask counts for five minutes after the grant, the last millisecond too.
#[test]
fn the_first_ask() {
    let file = vectors();
    let steps = list(&file["run"]["steps"]);
    let asked = steps.iter().position(|step| step["op"] == "join").unwrap();
    let granted = steps.iter().find(|step| step["op"] == "grant").unwrap();
    let until = number(&granted["time"]) + number(&file["limits"]["first_ask"]);
    let mut ends = Ends::new(&file["run"]);
    ends.play(&steps[..=asked]);
    let envelope = hex(&steps[asked]["envelope"]);
    let take = TakeFromDesktop { desktop: ends.id, envelope: &envelope, verdict: Some(Verdict::Allow) };
    for (now, fits) in [(until, true), (until + 1, false)] {
        let (mut phone, mut source) = (ends.phone.clone(), getrandom::SysRng);
        let mut context = classic(UnixMillis(now), phone.generation, &mut source);
        match phone.run(&take, &mut context) {
            Ok(taken) => assert!(fits && matches!(taken, FromDesktop::Joined { again: false, .. })),
            Err(error) => assert!(!fits && phone == ends.phone, "{error}"),
        }
    }
}

/// What a desktop makes of a grant, and which it refuses.
#[test]
fn grants() {
    let file = vectors();
    let case = &file["pairing"];
    let (show, grant) = (&case["show"], &case["grant"]);
    let (now, at) = (number(&show["time"]), number(&grant["time"]));
    let mut desktop = fresh();
    let code = does(&mut desktop, &show["draws"], now, &ShowDesktopCode);
    assert_eq!(code.text(), text(&show["code"]));
    assert_eq!(code.expires_at.0, now + 60_000);
    for entry in list(&case["refused"]) {
        let name = format!("{}: {}", text(&entry["name"]), text(&entry["why"]));
        let message = hex(&entry["message"]);
        refuses(&desktop, at, &JoinPhone { message: &message }, &name);
        refuses(&desktop, at, &ContinueLinking { message: &message }, &name);
    }
    let good = hex(&grant["message"]);
    refuses(&desktop, at, &ContinueLinking { message: &good }, "no companion");
    altered(&good, |message| {
        refuses(&desktop, at, &JoinPhone { message }, "a grant, altered");
    });
    let late = refuses(&desktop, now + 60_001, &JoinPhone { message: &good }, "a minute is over");
    assert!(matches!(late, LinkError::Expired { .. }), "{late}");
    refuses(&fresh(), at, &JoinPhone { message: &good }, "it shows no code");

    let mut companion = fresh();
    let code = does(&mut companion, &case["role_1"]["draws"], now, &ShowLinkCode);
    assert_eq!(code.text(), text(&case["role_1"]["code"]));
    for message in [&case["role_1"]["message"], &grant["message"]] {
        let message = hex(message);
        refuses(&companion, at, &JoinPhone { message: &message }, "the code of a companion");
        refuses(&companion, at, &ContinueLinking { message: &message }, "the code of a companion");
    }

    let mut source = getrandom::SysRng;
    let mut context = classic(UnixMillis(now + 60_000), desktop.generation, &mut source);
    let progress = desktop.run(&JoinPhone { message: &good }, &mut context).unwrap();
    let JoinProgress::Joining { address: joined, account_key, comparison, .. } = progress else {
        panic!("{progress:?}")
    };
    let phone = address(&case["phone"]);
    assert_eq!((joined.account, u64::from(joined.device.0)), (phone.account, number(&grant["device_id"])));
    assert_eq!(account_key.public_key().as_bytes()[..], hex(&case["phone"]["identity_public"]));
    assert_eq!(comparison.to_string().replace(' ', ""), text(&case["scan"]["comparison_code"]));
    refuses(&desktop, at, &JoinPhone { message: &good }, "taken once");
}
