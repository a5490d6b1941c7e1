//! An account's life: another number, another phone, the end.

use outrigger::{
    ChangeNumber, CloseAccount, DecideIdentity, Decision, DescribePeer, FanOutError, LearnDevices,
    LearnNumber, ListError, OpenError, PhoneNumber, PlanMessage, RecordKind, Register, RenewDevices,
    SendError, TrustError, TrustMark, Unlisted,
};

use super::{
    fanout::{Town, town},
    household::Directory,
};
use crate::world::Device;

/// Peers and companions learn the number from the same statement; no session, list or certificate notices.
#[test]
fn a_number_changes_for_peers_and_companions_and_no_session_notices() {
    let Town { mut directory, mut ada, mut desk, mut ben, .. } = town();
    let account = ada.address.account;
    directory.send(&mut ben, account, b"before").unwrap();
    let sessions = |device: &Device| {
        device.store.of(RecordKind::Peer).map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>()
    };
    let before = (sessions(&ben), sessions(&desk));
    for (time, digits) in ["+4915112345678", "+819012345678"].into_iter().enumerate() {
        ada.wait(time as u64);
        let number = PhoneNumber::parse(digits).unwrap();
        let statement = ada.run(&ChangeNumber { number: number.clone() }).unwrap();
        for device in [&mut ben, &mut desk] {
            device.run(&LearnNumber { account, statement: &statement }).unwrap();
            let known = device.run(&DescribePeer { peer: ada.address }).unwrap().number.unwrap();
            assert_eq!(*known.number(), number);
        }
    }
    assert_eq!((sessions(&ben), sessions(&desk)), before);
    assert_eq!(
        desk.run(&ChangeNumber { number: PhoneNumber::parse("+15550000000").unwrap() }).unwrap_err(),
        outrigger::DeviceError::NotThePhone
    );
}

/// L43: whoever registers ada's account anew, she or a thief of her number, has another identity key. Peers' users are asked once; with the old key go list and companions,
/// and those companions never follow the new key.
#[test]
fn l43_registering_anew_ends_every_companion_and_asks_the_peers_user_once() {
    let Town { mut directory, ada, mut desk, mut ben, .. } = town();
    let account = ada.address.account;
    directory.send(&mut ben, account, b"to the old devices").unwrap();
    let old_list = directory.lists[&account].clone();

    let mut again = Device::empty("ada anew");
    again.address = ada.address;
    again.identity = again.run(&Register { address: ada.address }).unwrap();
    again.publish(5, &mut directory.bundles);
    let lab = directory.link(&mut again, "new desktop");

    // The new account's list says nothing under the old key.
    assert_eq!(directory.learn(&mut ben, account).unwrap_err(), ListError::BadSignature);
    let offered = again.identity;
    ben.run(&DecideIdentity { peer: ada.address, decision: Decision::Suspect(offered) }).unwrap();
    let undecided = ben.run(&LearnDevices { account, list: &directory.lists[&account] }).unwrap_err();
    assert_eq!(undecided, ListError::IdentityChanged { stored: ada.identity, offered });
    let plan = ben.run(&PlanMessage { to: account }).unwrap();
    assert!(plan.undecided.contains(&ada.address));
    ben.run(&DecideIdentity { peer: ada.address, decision: Decision::Accept(offered) }).unwrap();
    assert_eq!(ben.describe(desk.address).session, None, "the companions of the old key went with it");
    assert_eq!(ben.store.count(RecordKind::Devices), 0);
    let old = ben.run(&LearnDevices { account, list: &old_list }).unwrap_err();
    assert_eq!(old, ListError::BadSignature, "and do not come back");

    directory.start(&mut ben, ada.address).unwrap();
    directory.learn(&mut ben, account).unwrap();
    let sent = directory.send(&mut ben, account, b"to the new devices").unwrap();
    let to: Vec<_> = sent.copies.iter().map(|(address, _)| *address).collect();
    assert!(to.contains(&ada.address) && to.contains(&lab.address) && !to.contains(&desk.address));

    // The old companion: the new phone's list and key are nothing to it.
    assert_eq!(directory.learn(&mut desk, account).unwrap_err(), ListError::BadSignature);
    let accept = DecideIdentity { peer: ada.address, decision: Decision::Accept(offered) };
    assert_eq!(desk.run(&accept), Err(TrustError::OwnAccount));
    assert_eq!(desk.describe(ada.address).trust, TrustMark::Verified);
}

/// The last list: peers speak with no device of the account any more, and none of them with anyone.
#[test]
fn a_closed_account_is_closed_for_all() {
    let Town { mut directory, mut ada, mut desk, mut ben, mut den, .. } = town();
    let account = ada.address.account;
    directory.meet(&mut den, account);
    let last = ada.run(&CloseAccount).unwrap().list;
    assert!(last.is_closed() && last.entries().is_empty());
    directory.publish(&last);

    for peer in [&mut ben, &mut den] {
        let learned = directory.learn(peer, account).unwrap();
        assert!(learned.list.is_closed());
        assert_eq!(peer.describe(ada.address).session, None);
        let refused = peer.try_send(ada.address, b"are you there?").unwrap_err();
        assert_eq!(refused, SendError::Unlisted(Unlisted::Closed));
        let bundle = directory.bundles.fetch(ada.address);
        assert_eq!(
            peer.start_from(&bundle, ada.address).unwrap_err(),
            outrigger::StartError::Unlisted(Unlisted::Closed)
        );
    }
    let learned = directory.learn(&mut desk, account).unwrap();
    assert!(learned.removed);
    for device in [&mut ada, &mut desk] {
        assert_eq!(device.run(&PlanMessage { to: ben.address.account }).unwrap_err(), FanOutError::Removed);
    }
    // No list comes after it.
    assert_eq!(ada.run(&RenewDevices).unwrap_err(), ListError::LineEnded);
    assert_eq!(ada.run(&CloseAccount).unwrap_err(), ListError::LineEnded);
}

/// An account that never had a companion can be closed too; a first message of its phone is refused afterwards.
#[test]
fn an_account_without_companions_is_closed_by_its_first_list() {
    let mut directory = Directory::default();
    let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    directory.meet(&mut ben, ada.address.account);
    directory.start(&mut ada, ben.address).unwrap();
    let first = ada.send(ben.address, b"before the end");
    let last = ada.run(&CloseAccount).unwrap().list;
    directory.publish(&last);
    directory.learn(&mut ben, ada.address.account).unwrap();
    assert_eq!(ben.refuses(ada.address, &first), OpenError::Unlisted(Unlisted::Closed));
}
