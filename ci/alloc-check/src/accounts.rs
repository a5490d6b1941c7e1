//! A message to an account: what its step allocates beyond the ciphertexts that come out of it.

use outrigger::{Keep, LearnDevices, PlanMessage, ReplenishPrekeys, SendToAccount, Start, VerifiedBundle};

use crate::{
    report::Report,
    world::{BOUND, Device},
};

/// Long beside everything else.
const TEXT: usize = 100_000;
/// The text behind its two headings, and what a step has beside it.
const ALONE: usize = 2 * TEXT + 16_384;
/// What each device more may cost beyond its ciphertext: its records, and the stamp.
const EACH: usize = 4_096;

pub(crate) fn check(report: &mut Report) {
    let alone = beyond(0);
    report.at_most("bytes beyond the ciphertext of 100,000 bytes to one device", alone, ALONE);
    for companions in [1, 4] {
        let name = format!("more of them for each device, to {}", companions + 1);
        report.at_most(&name, (beyond(companions) - alone) / companions, EACH);
    }
}

/// What a message to an account with so many companions allocates beyond its ciphertexts.
fn beyond(companions: usize) -> usize {
    let (mut sender, mut phone) = (Device::new(b'a'), Device::new(b'b'));
    let account = phone.address.account;
    let bundle = phone.run(&ReplenishPrekeys { one_time: 0 }).bundle;
    let bundle = VerifiedBundle::verify(&bundle, &phone.address).unwrap();
    sender.run(&Start { bundle: &bundle });
    let linked: Vec<_> = (0..4).map(|number| phone.link(number)).collect();
    let list = linked.last().unwrap().list.clone();
    sender.run(&LearnDevices { account, list: list.as_bytes() });
    for companion in &linked[..companions] {
        let (address, certificate) = (companion.address, &companion.certificate);
        let bundle = VerifiedBundle::verify_companion(&companion.bundle, certificate, &address, &list);
        sender.run(&Start { bundle: &bundle.unwrap() });
    }
    let plan = sender.run(&PlanMessage { to: account });
    assert_eq!(plan.ready.len(), companions + 1);
    let send =
        SendToAccount { plan: &plan, plaintext: &[1; TEXT], associated_data: BOUND, keep: Keep::Nothing };
    let (step, cost) = sender.step(&send);
    let (_, held) = step.unwrap().split();
    let sent = held.release_after_store();
    cost.bytes - sent.copies.iter().map(|(_, copy)| copy.envelope.len()).sum::<usize>()
}
