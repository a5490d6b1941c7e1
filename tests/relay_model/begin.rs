//! How every world begins: a phone and a peer that speak, and desktops that have joined.

use outrigger::{
    Consent, DesktopConsent, DeviceId, FromDesktop, GrantDesktop, JoinPhone, JoinProgress, Keep, Receive,
    Register, ReplenishPrekeys, ScanLinkCode, Send, ShowDesktopCode, Start, TakeFromDesktop, TakeFromPhone,
    VerifiedBundle,
};

use crate::{
    bench::{address, run_and_store},
    config::Config,
    lab::Lab,
    names::{Device, Party, empty},
    world::World,
};

pub(crate) fn begin(config: &Config) -> (Lab, World) {
    let [mut phone, mut desk, mut peer, mut other] =
        [Party::Phone, Party::Desk, Party::Peer, Party::Other].map(empty);
    let mut bundles = register(&mut phone, 6);
    let peer_bundle = register(&mut peer, 1).remove(0);

    let bundle = VerifiedBundle::verify(&bundles.pop().unwrap(), &address(Party::Phone)).unwrap();
    run_and_store(&mut peer, &Start { bundle: &bundle });
    exchange(&mut peer, &mut phone);
    exchange(&mut phone, &mut peer);

    let mut desktops = vec![pair(&mut phone, &mut desk)];
    if config.two {
        desktops.push(pair(&mut phone, &mut other));
    }
    let lab = Lab::new(*config, bundles, peer_bundle, desktops);
    let stores = [phone, desk, peer, other].map(|device| lab.shelve(device));
    (lab, World::new(config.budget, stores))
}

/// A device that speaks for itself; what a server hands out of it, with another one-time prekey each time.
fn register(device: &mut Device, one_time: u16) -> Vec<Vec<u8>> {
    let address = address(device.party);
    run_and_store(device, &Register { address });
    let upload = run_and_store(device, &ReplenishPrekeys { one_time });
    upload.one_time_prekeys.iter().map(|prekey| [&upload.bundle[..], prekey].concat()).collect()
}

fn pair(phone: &mut Device, desk: &mut Device) -> DeviceId {
    let code = run_and_store(desk, &ShowDesktopCode);
    let request = run_and_store(phone, &ScanLinkCode { code: code.text() });
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let (reference, may) = (request.reference, DesktopConsent::Always);
    let granted = run_and_store(phone, &GrantDesktop { reference, consent, may });
    let joining = run_and_store(desk, &JoinPhone { message: &granted.grant });
    let JoinProgress::Joining { frame, .. } = joining else { panic!("{joining:?}") };
    let desktop = granted.desktop;
    let joined = run_and_store(phone, &TakeFromDesktop { desktop, envelope: &frame, verdict: None });
    let FromDesktop::Joined { frames, again: false } = joined else { panic!("{joined:?}") };
    run_and_store(desk, &TakeFromPhone { envelope: &frames[0] });
    desktop
}

fn exchange(from: &mut Device, to: &mut Device) {
    let (sender, recipient) = (address(from.party), address(to.party));
    let send = Send { to: recipient, plaintext: b"hello", associated_data: &[], keep: Keep::Nothing };
    let sent = run_and_store(from, &send);
    run_and_store(to, &Receive { from: sender, envelope: &sent.envelope, associated_data: &[] });
}
