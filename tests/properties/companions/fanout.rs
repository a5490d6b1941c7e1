//! Messages to accounts: every entitled device gets one, once; nobody else gets any.

use outrigger::{
    Address, AnswerRetry, Content, DeviceId, FanOutError, OpenError, PlanMessage, RequestRetry, RetryError,
    SendError, Standing, Unlisted,
};

use super::household::Directory;
use crate::world::Device;

/// Ada has a phone and two desktops, ben a phone and one.
pub(crate) struct Town {
    pub(crate) directory: Directory,
    pub(crate) ada: Device,
    pub(crate) desk: Device,
    pub(crate) lab: Device,
    pub(crate) ben: Device,
    pub(crate) den: Device,
}

pub(crate) fn town() -> Town {
    let mut directory = Directory::default();
    let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    let mut desk = directory.link(&mut ada, "desk");
    let lab = directory.link(&mut ada, "lab");
    let den = directory.link(&mut ben, "den");
    directory.learn(&mut desk, ada.address.account).unwrap();
    directory.meet(&mut ben, ada.address.account);
    directory.meet(&mut ada, ben.address.account);
    Town { directory, ada, desk, lab, ben, den }
}

#[test]
fn a_message_reaches_every_device_of_both_accounts_once_under_one_id() {
    let Town { mut directory, mut ada, mut desk, mut lab, mut ben, mut den } = town();
    let (from, to) = (ben.address, ada.address.account);
    let sent = directory.send(&mut ben, to, b"to all of ada").unwrap();
    let mut reached: Vec<_> = sent.copies.iter().map(|(address, _)| *address).collect();
    let mut entitled = vec![ada.address, desk.address, lab.address, den.address];
    reached.sort();
    entitled.sort();
    assert_eq!(reached, entitled);
    assert_eq!(sent.left_out, []);
    for device in [&mut ada, &mut desk, &mut lab] {
        let received = device.hears(from, &sent, b"to all of ada");
        assert_eq!(received.view.unwrap().left_out, []);
        assert_eq!(device.take(from, &sent).unwrap_err(), outrigger::OpenError::Duplicate);
    }
    den.sees(from, to, &sent, b"to all of ada");
    let envelopes: std::collections::BTreeSet<_> =
        sent.copies.iter().map(|(_, copy)| &copy.envelope).collect();
    assert_eq!(envelopes.len(), 4, "one envelope for each device");
}

/// The phone is off: a companion starts sessions, sends and receives by itself.
#[test]
fn a_companion_talks_while_its_phone_is_off() {
    let Town { mut directory, ada, mut desk, mut lab, mut ben, mut den } = town();
    directory.meet(&mut desk, ben.address.account);
    // Who has never met ada's phone knows no key that her desktop's could be vouched for with.
    directory.meet(&mut den, ada.address.account);
    let sent = directory.send(&mut desk, ben.address.account, b"from the desk").unwrap();
    for device in [&mut ben, &mut den] {
        directory.learn(device, ada.address.account).ok();
        device.hears(desk.address, &sent, b"from the desk");
    }
    lab.sees(desk.address, ben.address.account, &sent, b"from the desk");
    let answer = directory.send(&mut ben, ada.address.account, b"to the desk").unwrap();
    desk.hears(ben.address, &answer, b"to the desk");
    lab.hears(ben.address, &answer, b"to the desk");
}

/// A device whose bundle is missing is left out, named, and the others get the message with a stamp that says so.
#[test]
fn one_device_that_fails_does_not_hold_back_the_others() {
    let Town { directory: _, mut ada, desk, lab, mut ben, den } = town();
    let plan = ben.run(&PlanMessage { to: ada.address.account }).unwrap();
    assert_eq!(plan.ready, [ada.address, den.address]);
    let mut missing = [desk.address, lab.address];
    missing.sort();
    let mut named = plan.missing.clone();
    named.sort();
    assert_eq!(named, missing);
    let sent = ben.send_planned(&plan, b"to whom it can").unwrap();
    assert_eq!(sent.copies.len(), 2);
    assert!(sent.left_out.iter().all(|(_, error)| *error == SendError::NoSession));
    let received = ada.hears(ben.address, &sent, b"to whom it can");
    let mut left_out = received.view.unwrap().left_out;
    left_out.sort();
    assert_eq!(left_out, missing.map(|address| address.device));
}

#[test]
fn a_list_that_changed_between_plan_and_send_is_caught() {
    let Town { mut directory, mut ada, mut ben, den, lab, .. } = town();
    let plan = ben.run(&PlanMessage { to: ada.address.account }).unwrap();
    directory.remove(&mut ada, lab.address.device);
    directory.learn(&mut ben, ada.address.account).unwrap();
    assert_eq!(ben.send_planned(&plan, b"too late"), Err(FanOutError::ListChanged));
    let plan = ben.run(&PlanMessage { to: ada.address.account }).unwrap();
    assert!(!plan.missing.contains(&lab.address));
    directory.remove(&mut ben, den.address.device);
    assert_eq!(ben.send_planned(&plan, b"own list, too"), Err(FanOutError::ListChanged));
}

/// Ben's list of ada is past its time: her phone gets the message, her companions do not, and the plan says whose list to fetch.
#[test]
fn a_stale_list_leaves_out_companions_and_is_named() {
    let Town { mut directory, mut ada, desk, mut ben, .. } = town();
    directory.send(&mut ben, ada.address.account, b"first").unwrap();
    ben.wait(15 * crate::world::DAY);
    directory.renew(&mut ben);
    let plan = ben.run(&PlanMessage { to: ada.address.account }).unwrap();
    assert_eq!(plan.stale, [ada.address.account]);
    assert!(plan.ready.contains(&ada.address) && !plan.ready.contains(&desk.address));
    let sent = ben.send_planned(&plan, b"to the phone").unwrap();
    let reason = sent.left_out.iter().find(|(address, _)| *address == desk.address).unwrap().1;
    assert!(matches!(reason, SendError::Unlisted(Unlisted::Expired { .. })));
    let first_of_new = ada.take(ben.address, &sent).unwrap();
    assert!(first_of_new.view.unwrap().left_out.contains(&desk.address.device));
}

/// Nobody of the plan has a session: nothing is sent, and the app is told to fetch bundles.
#[test]
fn with_nobody_ready_nothing_is_sent() {
    let mut directory = Directory::default();
    let (ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    let plan = ben.run(&PlanMessage { to: ada.address.account }).unwrap();
    assert_eq!((plan.ready.len(), plan.missing.clone()), (0, vec![ada.address]));
    let refused = ben.send_planned(&plan, b"?").unwrap_err();
    assert_eq!((refused, refused.advice()), (FanOutError::NobodyReady, outrigger::Advice::FetchBundle));
}

/// Two accounts without companions pay nothing for those that have some: no stamp, and no other bytes.
#[test]
fn accounts_without_companions_send_no_stamp() {
    let mut directory = Directory::default();
    let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    directory.meet(&mut ben, ada.address.account);
    let sent = directory.send(&mut ben, ada.address.account, b"plain").unwrap();
    let received = ada.hears(ben.address, &sent, b"plain");
    assert_eq!(received.view, None);
    // As soon as one of them has a companion, views are compared.
    directory.link(&mut ada, "desk");
    let answer = directory.send(&mut ada, ben.address.account, b"stamped").unwrap();
    let view = ben.hears(ada.address, &answer, b"stamped").view.unwrap();
    assert_eq!((view.theirs, view.own), (Standing::Behind, Standing::Same));
}

/// A note to oneself goes to the other devices of the account.
#[test]
fn a_note_to_oneself_reaches_the_siblings() {
    let Town { mut directory, ada, mut desk, mut lab, .. } = town();
    let own = ada.address.account;
    let sent = directory.send(&mut desk, own, b"milk").unwrap();
    lab.sees(desk.address, own, &sent, b"milk");
    assert!(sent.copies.iter().all(|(address, _)| address.account == own && *address != desk.address));
}

/// A retry of a copy is that copy again: to the account, under the same id, with the lists of now.
#[test]
fn a_copy_that_is_asked_for_again_keeps_its_meaning() {
    let Town { mut directory, mut ada, desk, mut ben, mut den, .. } = town();
    let to = ada.address.account;
    for round in 0..2_u8 {
        let sent = directory.send(&mut ben, to, &[round]).unwrap();
        ada.hears(ben.address, &sent, &[round]);
        den.sees(ben.address, to, &sent, &[round]);
    }
    let sent = directory.send(&mut ben, to, b"lost on its way").unwrap();
    directory.remove(&mut ada, desk.address.device);
    for (device, own) in [(&mut ada, false), (&mut den, true)] {
        let (_, copy) = sent.copies.iter().find(|(address, _)| *address == device.address).unwrap();
        let request = device
            .run(&RequestRetry { from: ben.address, envelope: &copy.envelope, error: OpenError::KeyGone })
            .unwrap();
        let answer =
            AnswerRetry { from: device.address, request: &request.request, bundle: None, resend_to: None };
        let answer = match ben.run(&answer) {
            Ok(answer) => answer,
            Err(_) => {
                let bundle = directory.bundles.fetch(device.address);
                let list =
                    ben.run(&outrigger::DescribeDevices { account: device.address.account }).unwrap().list;
                let bundle = match device.address.device {
                    DeviceId::PHONE => outrigger::VerifiedBundle::verify(&bundle, &device.address),
                    _ => outrigger::VerifiedBundle::verify_companion(
                        &bundle,
                        &directory.certificates[&device.address],
                        &device.address,
                        &list.unwrap(),
                    ),
                };
                ben.run(&AnswerRetry { bundle: Some(&bundle.unwrap()), ..answer }).unwrap()
            }
        };
        let received = device.receive(ben.address, &answer.envelope).unwrap();
        assert!(received.again && received.view.is_some());
        if own {
            let Content::SentByOwn { id, to: shown, text } = received.content else { panic!("{received:?}") };
            assert_eq!((id, shown, &*text), (sent.id, to, &b"lost on its way"[..]));
        } else {
            let Content::ForAccount { id, text } = received.content else { panic!("{received:?}") };
            assert_eq!((id, &*text), (sent.id, &b"lost on its way"[..]));
        }
    }
}

/// The first message of a companion that was never met, made with a prekey that is gone: the list has its key, so it is asked, and sends again.
#[test]
fn a_companion_that_was_never_met_is_asked_by_the_key_of_its_list() {
    let mut directory = Directory::default();
    let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    let mut desk = directory.link(&mut ada, "desk");
    let account = ada.address.account;
    directory.meet(&mut ben, account);
    directory.start(&mut desk, ben.address).unwrap();
    let sent = directory.send(&mut desk, ben.address.account, b"by an old prekey").unwrap();
    let gone = |key: &outrigger::RecordKey| key.kind() == outrigger::RecordKind::OneTimePrekey;
    ben.store.0.retain(|key, _| !gone(key));
    let error = ben.take(desk.address, &sent).unwrap_err();
    assert!(matches!(error, OpenError::MissingPrekey(_)), "{error:?}");
    let (_, copy) = sent.copies.iter().find(|(to, _)| *to == ben.address).unwrap();
    let ask = RequestRetry { from: desk.address, envelope: &copy.envelope, error };
    let request = ben.run(&ask).unwrap().request;
    assert_eq!(ben.run(&ask).unwrap_err(), RetryError::AlreadyAsked);
    // Nothing is asked of who is on no list.
    let stranger = Address::new(account, DeviceId(desk.address.device.0 ^ 1));
    assert_eq!(ben.run(&RequestRetry { from: stranger, ..ask }).unwrap_err(), RetryError::UnknownPeer);

    ben.publish(10, &mut directory.bundles);
    let bundle = directory.verified(&mut desk, ben.address);
    let answer = AnswerRetry { from: ben.address, request: &request, bundle: Some(&bundle), resend_to: None };
    let answer = desk.run(&answer).unwrap();
    let received = ben.receive(desk.address, &answer.envelope).unwrap();
    let Content::ForAccount { id, text } = received.content else { panic!("{received:?}") };
    assert_eq!((id, &*text), (sent.id, &b"by an old prekey"[..]));
}

/// With a companion of a lapsed list no session is started: its account is named as stale, and nobody fetches a bundle in vain.
#[test]
fn a_companion_that_lapsed_before_the_first_session_is_stale_and_not_missing() {
    let mut directory = Directory::default();
    let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    let desk = directory.link(&mut ada, "desk");
    let account = ada.address.account;
    directory.meet(&mut ben, account);
    let missing = ben.run(&PlanMessage { to: account }).unwrap().missing;
    assert!(missing.contains(&desk.address));
    ben.wait(15 * crate::world::DAY);
    let plan = ben.run(&PlanMessage { to: account }).unwrap();
    assert_eq!((&plan.stale[..], plan.missing.contains(&desk.address)), (&[account][..], false));
    let sent = directory.send(&mut ben, account, b"to the phone").unwrap();
    assert!(matches!(sent.left_out[..], [(to, SendError::Unlisted(_))] if to == desk.address));
}

/// Whoever has no companions has no siblings to tell, however many the recipient has.
#[test]
fn an_account_without_companions_has_no_siblings() {
    let mut directory = Directory::default();
    let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    let desk = directory.link(&mut ada, "desk");
    directory.meet(&mut ben, ada.address.account);
    let sent = directory.send(&mut ben, ada.address.account, b"hello").unwrap();
    let mut reached: Vec<_> = sent.copies.iter().map(|(address, _)| *address).collect();
    reached.sort();
    assert_eq!(reached, [ada.address, desk.address]);
}
