//! Accounts with companions: what a list, a certificate and a companion's bundle cost beside their signature checks, a linking, and a message to an account beside one to
//! each of its devices.

use std::hint::black_box;

use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::{Signature, VerifyingKey};
use outrigger::{
    AccountId, Address, Certificate, ConfirmLink, Consent, Consequence, ContinueLinking, DescribeDevices,
    DeviceList, GrantLink, Keep, LearnDevices, LinkProgress, Linked, Plan, PlanMessage, ReplenishPrekeys,
    ScanLinkCode, Send, SendToAccount, ShowLinkCode, Start, VerifiedBundle,
};

use crate::{
    case::{Act, Case, Repeat},
    sums::Curve,
    world::{BOUND, Device},
};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("list-verification", verify_list, || signatures(1)).at_most(1.1).batch(1),
        Case::new("certificate-verification", verify_certificate, || signatures(2)).at_most(1.1).batch(1),
        Case::new("companion-bundle-verification", verify_bundle, || signatures(4)).at_most(1.1).batch(1),
        Case::new("linking", link, || Repeat(link_sum())).batch(1),
        Case::new("fan-out-5", || fan_out(1), || one_by_one(1)).at_most(1.1).batch(8),
        Case::new("fan-out-50", || fan_out(10), || one_by_one(10)).at_most(1.1).batch(1),
        Case::new("fan-out-500", || fan_out(100), || one_by_one(100)).at_most(1.1).batch(1),
    ]
}

/// A phone with four companions, and what a server has of them.
struct Household {
    phone: Device,
    companions: Vec<(Address, Vec<u8>, Vec<u8>)>,
    list: DeviceList,
}

fn household(account: &[u8; 16], seed: u8) -> Household {
    let mut phone = Device::new(account, seed);
    let mut companions = Vec::new();
    let mut list = None;
    for number in 1..=4 {
        let mut companion = Device::empty(account, seed ^ number << 5);
        let (linked, certificate) = link_one(&mut phone, &mut companion);
        let upload = companion.run(&ReplenishPrekeys { one_time: 1 });
        let bundle = [&upload.bundle[..], &upload.one_time_prekeys[0]].concat();
        companions.push((linked.device, bundle, certificate));
        list = Some(linked.list);
    }
    Household { phone, companions, list: list.unwrap() }
}

fn link_one(phone: &mut Device, companion: &mut Device) -> (Linked, Vec<u8>) {
    let code = companion.run(&ShowLinkCode);
    let request = phone.run(&ScanLinkCode { code: code.text() });
    let consequence = Consequence::ReadsAndSpeaksForTheAccount;
    let consent = Consent { companion: request.companion, consequence };
    let grant = phone.run(&GrantLink { reference: request.reference, consent });
    let progress = companion.run(&ContinueLinking { message: &grant });
    let LinkProgress::Confirm { confirmation, .. } = progress else { panic!("{progress:?}") };
    let linked = phone.run(&ConfirmLink { confirmation: &confirmation });
    let progress = companion.run(&ContinueLinking { message: &linked.acknowledgement });
    let LinkProgress::Linked(joined) = progress else { panic!("{progress:?}") };
    (linked, joined.certificate)
}

fn verify_list() -> impl Act {
    let Household { list, .. } = household(b"alice-0123456789", 3);
    let (account, key) = (*list.account(), *list.account_key());
    Repeat(move || DeviceList::verify(black_box(list.as_bytes()), &account, &key).unwrap())
}

fn verify_certificate() -> impl Act {
    let Household { companions, list, .. } = household(b"alice-0123456789", 3);
    let (address, _, certificate) = companions[0].clone();
    Repeat(move || Certificate::verify(black_box(&certificate), &address, &list).unwrap())
}

fn verify_bundle() -> impl Act {
    let Household { companions, list, .. } = household(b"alice-0123456789", 3);
    let (address, bundle, certificate) = companions[0].clone();
    Repeat(move || {
        VerifiedBundle::verify_companion(black_box(&bundle), &certificate, &address, &list).unwrap()
    })
}

/// So many signature checks as they stand in a bundle: a conversion of the key and a strict verification each.
fn signatures(count: usize) -> impl Act {
    let mut device = Device::new(b"alice-0123456789", 3);
    let bytes = device.run(&ReplenishPrekeys { one_time: 0 }).bundle;
    let key = MontgomeryPoint(bytes[4..36].try_into().unwrap());
    let at = bytes.len() - 64;
    let signature = Signature::from_bytes(bytes[at..].try_into().unwrap());
    let prekey = bytes[at - 2 - 33..at - 2].to_vec();
    Repeat(move || {
        for _ in 0..count {
            let key = VerifyingKey::from(black_box(&key).to_edwards(0).unwrap());
            key.verify_strict(&prekey, &signature).unwrap();
        }
    })
}

/// A whole linking: both sides, from the code to the device.
fn link() -> impl Act {
    let mut seed = 0;
    Repeat(move || {
        seed = seed % 60 + 1;
        let mut phone = Device::new(b"alice-0123456789", seed);
        let mut companion = Device::empty(b"alice-0123456789", seed + 100);
        link_one(&mut phone, &mut companion)
    })
}

/// What it cannot do without: three handshakes' worth of curve arithmetic stands for its keys, exchanges and signatures.
fn link_sum() -> impl FnMut() {
    let mut curve = Curve::new();
    move || (0..3).for_each(|_| curve.initiate())
}

/// A phone that has met accounts with four companions each, and a plan for each of them.
fn sender(accounts: usize) -> (Device, Vec<Plan>) {
    let mut sender = Device::new(b"bob---0123456789", 9);
    let mut plans = Vec::new();
    for number in 0..accounts {
        let account: [u8; 16] = format!("account{number:09}").into_bytes().try_into().unwrap();
        let Household { mut phone, companions, list } = household(&account, (number % 7) as u8 + 20);
        let upload = phone.run(&ReplenishPrekeys { one_time: 1 });
        let bundle = [&upload.bundle[..], &upload.one_time_prekeys[0]].concat();
        let bundle = VerifiedBundle::verify(&bundle, &phone.address).unwrap();
        sender.run(&Start { bundle: &bundle });
        let account = AccountId::new(&account).unwrap();
        sender.run(&LearnDevices { account, list: list.as_bytes() });
        let list = sender.run(&DescribeDevices { account }).list.unwrap();
        for (address, bundle, certificate) in &companions {
            let bundle = VerifiedBundle::verify_companion(bundle, certificate, address, &list).unwrap();
            sender.run(&Start { bundle: &bundle });
        }
        let plan = sender.run(&PlanMessage { to: account });
        assert_eq!(plan.ready.len(), 5);
        plans.push(plan);
    }
    (sender, plans)
}

fn fan_out(accounts: usize) -> impl Act {
    let (mut sender, plans) = sender(accounts);
    Repeat(move || {
        for plan in &plans {
            let keep = Keep::ForRetry;
            let send = SendToAccount { plan, plaintext: &[1; 64], associated_data: BOUND, keep };
            assert_eq!(black_box(sender.run(&send)).copies.len(), 5);
        }
    })
}

fn one_by_one(accounts: usize) -> impl Act {
    let (mut sender, plans) = sender(accounts);
    Repeat(move || {
        for to in plans.iter().flat_map(|plan| &plan.ready) {
            let keep = Keep::ForRetry;
            black_box(sender.run(&Send { to: *to, plaintext: &[1; 64], associated_data: BOUND, keep }));
        }
    })
}
