//! The relay: what one message down or up costs the phone, beside what it would cost to take and to send the same by hand, on records of the same settledness.

use std::hint::black_box;

use outrigger::{
    AckPhone, Consent, Consequence, DesktopConsent, FromDesktop, FromPhone, GrantDesktop, JoinPhone,
    JoinProgress, Keep, Loaded, Operation, Plan, PlanMessage, Receive, RelayReceive, RelayRequest,
    ReplenishPrekeys, Request, Requested, ScanLinkCode, Send, SendToAccount, ShowDesktopCode, Start,
    TakeFromDesktop, TakeFromPhone, UnixMillis, VerifiedBundle, WhileAway,
};

use crate::{
    case::{Act, Case, Repeat},
    source::Source,
    world::{BOUND, Device, step},
};

const TEXT: [u8; 64] = [1; 64];
/// Turns after which all four earlier chains of a session are remembered.
const TURNS: usize = 6;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("relay-down", down, || apart_down(&TEXT)).at_most(1.15),
        // The same, with a text in the sum that is as long as the frame.
        Case::new("relay-down-padded", down, || apart_down(&[1; 160])),
        Case::new("relay-up", up, apart_up).at_most(1.15),
    ]
}

/// A phone with a desktop and two peers, in sessions that have turned: of one, a message is on its way; to the other, the phone has spoken last.
struct Office {
    phone: Device,
    desk: Device,
    writer: Device,
    reader: Device,
}

impl Office {
    fn settled() -> Self {
        let mut phone = Device::new(b"alice-0123456789", 3);
        let writer = Device::new(b"bob---0123456789", 4);
        let reader = Device::new(b"carol-0123456789", 6);
        let upload = phone.run(&ReplenishPrekeys { one_time: 3 });
        let desk = pair(&mut phone);
        let mut office = Self { phone, desk, writer, reader };
        for (peer, prekey) in [(&mut office.writer, 0), (&mut office.reader, 1)] {
            let bundle = [&upload.bundle[..], &upload.one_time_prekeys[prekey]].concat();
            let bundle = VerifiedBundle::verify(&bundle, &office.phone.address).unwrap();
            peer.run(&Start { bundle: &bundle });
            for _ in 0..TURNS {
                says(peer, &mut office.phone);
                says(&mut office.phone, peer);
            }
        }
        // Twice at the end, so that what is measured turns nothing.
        says(&mut office.writer, &mut office.phone);
        says(&mut office.writer, &mut office.phone);
        says(&mut office.phone, &mut office.reader);
        for _ in 0..TURNS {
            office.event_passes();
            let heard = office.desk.run(&AckPhone);
            office.takes(&heard);
        }
        office.event_passes();
        office
    }

    fn event_passes(&mut self) {
        let envelope = send(&mut self.writer, &self.phone, &TEXT);
        let (from, associated_data) = (self.writer.address, BOUND);
        let told = self.phone.run(&RelayReceive { from, envelope: &envelope, associated_data });
        let frame = &told.desktops[0].frames[0];
        let said = self.desk.run(&TakeFromPhone { envelope: frame }).said;
        assert!(matches!(said, FromPhone::Event { .. }));
    }

    fn takes(&mut self, frame: &[u8]) -> FromDesktop {
        let desktop = self.desk.address.device;
        self.phone.run(&TakeFromDesktop { desktop, envelope: frame, verdict: None })
    }

    fn request(&mut self) -> Vec<u8> {
        let to = self.reader.address.account;
        let request = Request::Send { to, plaintext: &TEXT, associated_data: BOUND };
        let (not_after, while_away) = (UnixMillis(u64::MAX), WhileAway::Refuse);
        let Requested { mut frames, .. } = self.desk.run(&RelayRequest { request, not_after, while_away });
        frames.pop().unwrap()
    }
}

/// Pairs a desktop, up to the phone's answer.
fn pair(phone: &mut Device) -> Device {
    let mut desk = Device::empty(b"alice-0123456789", 5);
    let code = desk.run(&ShowDesktopCode);
    let request = phone.run(&ScanLinkCode { code: code.text() });
    let consequence = Consequence::ReadsAndSpeaksThroughThePhone;
    let consent = Consent { companion: request.companion, consequence };
    let (reference, may) = (request.reference, DesktopConsent::Always);
    let granted = phone.run(&GrantDesktop { reference, consent, may });
    let progress = desk.run(&JoinPhone { message: &granted.grant });
    let JoinProgress::Joining { address, frame, .. } = progress else { panic!("{progress:?}") };
    desk.address = address;
    let take = TakeFromDesktop { desktop: address.device, envelope: &frame, verdict: None };
    let FromDesktop::Joined { frames, .. } = phone.run(&take) else { panic!("joins") };
    desk.run(&TakeFromPhone { envelope: &frames[0] });
    desk
}

fn send(from: &mut Device, to: &Device, plaintext: &[u8]) -> Vec<u8> {
    let (to, keep) = (to.address, Keep::ForRetry);
    from.run(&Send { to, plaintext, associated_data: BOUND, keep }).envelope
}

fn says(from: &mut Device, to: &mut Device) {
    let envelope = send(from, to, &TEXT);
    to.run(&Receive { from: from.address, envelope: &envelope, associated_data: BOUND });
}

/// An operation with what it loads.
fn ready<O: Operation>(device: &mut Device, operation: O) -> (O, Loaded) {
    let have = device.loaded(&operation);
    (operation, have)
}

fn run<O: Operation<Error: std::fmt::Debug>>((operation, have): &(O, Loaded), source: &mut Source) {
    drop(black_box(step(black_box(operation), have, source).unwrap()));
}

/// The step that opens what a peer has sent, and seals it for the desktop.
fn down() -> impl Act {
    let Office { mut phone, mut writer, .. } = Office::settled();
    let envelope = send(&mut writer, &phone, &TEXT).leak();
    let receive = RelayReceive { from: writer.address, envelope, associated_data: BOUND };
    let receive = ready(&mut phone, receive);
    Repeat(move || run(&receive, &mut phone.source))
}

/// The step that opens the same, and one that sends a text.
fn apart_down(plaintext: &'static [u8]) -> impl Act {
    let Office { mut phone, mut writer, reader, .. } = Office::settled();
    let envelope = send(&mut writer, &phone, &TEXT).leak();
    let receive = Receive { from: writer.address, envelope, associated_data: BOUND };
    let receive = ready(&mut phone, receive);
    let (to, keep) = (reader.address, Keep::ForRetry);
    let send = ready(&mut phone, Send { to, plaintext, associated_data: BOUND, keep });
    Repeat(move || {
        run(&receive, &mut phone.source);
        run(&send, &mut phone.source);
    })
}

/// The step that opens a request to send, sends, and seals the answer.
fn up() -> impl Act {
    let mut office = Office::settled();
    let before = office.request();
    assert!(matches!(office.takes(&before), FromDesktop::Sent { .. }));
    let envelope = office.request().leak();
    let Office { mut phone, desk, .. } = office;
    let take = TakeFromDesktop { desktop: desk.address.device, envelope, verdict: None };
    let take = ready(&mut phone, take);
    Repeat(move || run(&take, &mut phone.source))
}

/// The step that opens as long a text, one that sends it to the account, and one that sends a short text.
fn apart_up() -> impl Act {
    let Office { mut phone, mut writer, reader, .. } = Office::settled();
    let envelope = send(&mut writer, &phone, &TEXT).leak();
    let receive = Receive { from: writer.address, envelope, associated_data: BOUND };
    let receive = ready(&mut phone, receive);
    let plan: &Plan = Box::leak(Box::new(phone.run(&PlanMessage { to: reader.address.account })));
    assert_eq!(plan.ready, [reader.address]);
    let keep = Keep::ForRetry;
    let fan_out = ready(&mut phone, SendToAccount { plan, plaintext: &TEXT, associated_data: BOUND, keep });
    let send = Send { to: reader.address, plaintext: b"done", associated_data: BOUND, keep };
    let send = ready(&mut phone, send);
    Repeat(move || {
        run(&receive, &mut phone.source);
        run(&fan_out, &mut phone.source);
        run(&send, &mut phone.source);
    })
}
