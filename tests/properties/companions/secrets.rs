//! What leaves a device, what is printed of it, and what a damaged record does.

use outrigger::{
    AskSupply, ConfirmLink, Content, ContinueLinking, DeclineLink, DescribeDevices, DescribeGranting,
    DescribeLinking, GrantLink, LeaveAccount, LinkProgress, Operation, PlanMessage, Receive, RecordKind,
    RemoveCompanion, RenewDevices, ScanLinkCode, SealSynced, ShowLinkCode, SupplyCompanion, TakeSupply,
};

use super::{
    fanout::{Town, town},
    household::{Directory, consent},
};
use crate::world::Device;

/// Everything that came out of devices, byte for byte.
#[derive(Default)]
struct Emitted(Vec<(&'static str, Vec<u8>)>);

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// 24 bytes of a key in base64, at each of the three ways that it can lie.
fn base64(bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    bits.chunks_exact(6)
        .map(|six| DIGITS[six.iter().fold(0, |all, bit| all << 1 | usize::from(*bit))] as char)
        .collect()
}

impl Emitted {
    fn note(&mut self, what: &'static str, bytes: &[u8]) {
        self.0.push((what, bytes.to_vec()));
    }

    /// Where a secret shows, raw, in hex or in base64.
    fn shows(&self, secret: &[u8]) -> Vec<&'static str> {
        let middle = &secret[3..27];
        let hex: String = middle.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms: Vec<Vec<u8>> =
            vec![middle.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
        forms.extend((0..3).map(|skip| base64(&middle[skip..skip + 21]).into_bytes()));
        let holds =
            |bytes: &[u8]| forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form));
        self.0.iter().filter(|(_, bytes)| holds(bytes)).map(|(what, _)| *what).collect()
    }
}

/// No private key and no linking secret in anything that a device gives out, but for the linking secret in the code on the screen.
#[test]
fn nothing_that_leaves_a_device_holds_a_private_key() {
    let mut emitted = Emitted::default();
    let mut directory = Directory::default();
    let (mut ada, mut ben) = (directory.phone("ada"), directory.phone("ben"));
    let mut desk = Device::empty("desk");
    let code = desk.run(&ShowLinkCode).unwrap().text().to_owned();
    emitted.note("code", code.as_bytes());
    let request = ada.run(&ScanLinkCode { code: &code }).unwrap();
    let grant = ada.run(&GrantLink { reference: request.reference, consent: consent(&request) }).unwrap();
    emitted.note("grant", &grant);
    let progress = desk.run(&ContinueLinking { message: &grant }).unwrap();
    let LinkProgress::Confirm { confirmation, address, .. } = progress else { panic!("{progress:?}") };
    emitted.note("confirmation", &confirmation);
    let linked = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
    emitted.note("acknowledgement", &linked.acknowledgement);
    emitted.note("list", linked.list.as_bytes());
    let progress = desk.run(&ContinueLinking { message: &linked.acknowledgement }).unwrap();
    let LinkProgress::Linked(joined) = progress else { panic!("{progress:?}") };
    emitted.note("certificate", &joined.certificate);
    desk.address = address;
    directory.certificates.insert(address, joined.certificate);
    directory.publish(&linked.list);
    let upload = desk.publish(5, &mut directory.bundles);
    emitted.note("bundle", &upload.bundle);
    upload.one_time_prekeys.iter().for_each(|field| emitted.note("one-time prekey", field));
    directory.meet(&mut ada, ben.address.account);
    directory.meet(&mut ben, ada.address.account);
    let supplied = SupplyCompanion { companion: address.device, accounts: &[ben.address.account] };
    let told = ada.run(&supplied).unwrap().envelope.unwrap();
    emitted.note("supply", &told);
    let received = desk.run(&Receive { from: ada.address, envelope: &told, associated_data: &[] }).unwrap();
    let Content::Supply(frame) = received.content else { panic!("{received:?}") };
    emitted.note("taken", &desk.run(&TakeSupply { frame: &frame }).unwrap().acknowledgement);
    emitted.note("asked", &desk.run(&AskSupply).unwrap());
    emitted.note("synced", &desk.run(&SealSynced { plaintext: b"settings", associated_data: b"" }).unwrap());
    for (from, to) in [(&mut desk, ben.address.account), (&mut ben, ada.address.account)] {
        for (_, copy) in directory.send(from, to, b"hello").unwrap().copies {
            emitted.note("copy", &copy.envelope);
        }
    }
    emitted.note("renewed", ada.run(&RenewDevices).unwrap().list.as_bytes());
    emitted.note("leaves", &desk.run(&LeaveAccount).unwrap());
    emitted.note("removed", ada.run(&RemoveCompanion { device: address.device }).unwrap().list.as_bytes());
    let mut other = Device::empty("other");
    let shown = other.run(&ShowLinkCode).unwrap();
    let request = ada.run(&ScanLinkCode { code: shown.text() }).unwrap();
    emitted.note("refusal", &ada.run(&DeclineLink { reference: request.reference }).unwrap());

    let mut keys = 0;
    for device in [&ada, &ben, &desk, &other] {
        for draw in device.random.tape.iter().filter(|draw| draw.len() == 32) {
            let shown = emitted.shows(draw);
            keys += 1;
            // The salt of what is sealed under a sync key is no secret, and the linking secret is the code's.
            assert!(
                matches!(shown[..], [] | ["code"] | ["synced"]),
                "a draw of {:?} shows in {shown:?}",
                device.address
            );
        }
    }
    assert!(keys > 40, "{keys}");
    let in_code =
        desk.random.tape.iter().filter(|draw| draw.len() == 32 && emitted.shows(draw) == ["code"]).count();
    assert_eq!(in_code, 1, "the linking secret alone, which shows that the search finds what is there");
}

/// L39: no output of any operation on a phone opens the account: its identity key never leaves its records.
#[test]
fn l39_the_accounts_key_stays_in_the_phones_device_record() {
    let Town { ada, desk, lab, .. } = town();
    let identity = ada.store.of(RecordKind::Device).next().unwrap().1;
    let private = ada
        .random
        .tape
        .iter()
        .find(|draw| draw.len() == 32 && identity.windows(32).any(|window| window == **draw))
        .unwrap();
    assert!(ada.store.holds(private));
    for companion in [&desk, &lab] {
        assert!(!companion.store.holds(private));
    }
    let holders =
        ada.store.0.iter().filter(|(_, (_, bytes))| bytes.windows(32).any(|window| window == &private[..]));
    assert_eq!(holders.map(|(key, _)| key.kind()).collect::<Vec<_>>(), [RecordKind::Device]);
}

/// Each new kind of record, cut at every length and with every byte changed: an error or a sound value, and no other record touched.
#[test]
fn damaged_records_of_companions_are_refused_or_sound() {
    let Town { mut ada, mut desk, ben, .. } = town();
    let mut waiting = Device::empty("waiting");
    let code = waiting.run(&ShowLinkCode).unwrap();
    let mut granted = ada.clone();
    let request = granted.run(&ScanLinkCode { code: code.text() }).unwrap();
    let grant = granted.run(&GrantLink { reference: request.reference, consent: consent(&request) }).unwrap();
    let mut confirmed = waiting.clone();
    confirmed.run(&ContinueLinking { message: &grant }).unwrap();
    let peer = ben.address.account;
    let told = SupplyCompanion { companion: desk.address.device, accounts: &[peer] };
    let envelope = ada.run(&told).unwrap().envelope.unwrap();
    let received =
        desk.run(&Receive { from: ada.address, envelope: &envelope, associated_data: &[] }).unwrap();
    let Content::Supply(frame) = received.content else { panic!("{received:?}") };
    desk.run(&TakeSupply { frame: &frame }).unwrap();
    let account = ada.address.account;

    type Act<'a> = (RecordKind, &'a Device, Box<dyn Fn(&mut Device) -> Result<(), String> + 'a>);
    fn act<O: Operation>(operation: O) -> impl Fn(&mut Device) -> Result<(), String> {
        move |device| device.run(&operation).map(drop).map_err(|error| error.to_string())
    }
    let acts: Vec<Act<'_>> = vec![
        (RecordKind::Devices, &ben, Box::new(act(PlanMessage { to: account }))),
        (RecordKind::Account, &desk, Box::new(act(DescribeDevices { account }))),
        (RecordKind::Account, &ada, Box::new(act(RenewDevices))),
        (RecordKind::Linking, &waiting, Box::new(act(ContinueLinking { message: &grant }))),
        (RecordKind::Linking, &confirmed, Box::new(act(DescribeLinking))),
        (RecordKind::Granting, &granted, Box::new(act(DescribeGranting))),
        (RecordKind::Granting, &ada, Box::new(act(DescribeGranting))),
        (
            RecordKind::Supply,
            &ada,
            Box::new(act(SupplyCompanion { companion: desk.address.device, accounts: &[] })),
        ),
        (
            RecordKind::Supplied,
            &ada,
            Box::new(act(SupplyCompanion {
                companion: desk.address.device,
                accounts: std::slice::from_ref(&peer),
            })),
        ),
        (RecordKind::Taken, &desk, Box::new(act(AskSupply))),
        (RecordKind::SyncKeys, &desk, Box::new(act(SealSynced { plaintext: b"", associated_data: b"" }))),
    ];
    for (kind, device, act) in &acts {
        let (key, bytes) = device.store.of(*kind).next().unwrap_or_else(|| panic!("no {kind:?}"));
        let (key, bytes) = (*key, bytes.clone());
        let with = |bytes: Vec<u8>| {
            let mut device = (*device).clone();
            device.store.tamper(&key, bytes);
            act(&mut device)
        };
        with(bytes.clone()).unwrap_or_else(|error| panic!("{kind:?} as it is: {error}"));
        for len in 0..bytes.len() {
            assert!(with(bytes[..len].to_vec()).is_err(), "{kind:?} cut at {len}");
        }
        assert!(with([&bytes[..], &[0]].concat()).is_err(), "{kind:?} longer");
        for place in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[place] ^= 0x11;
            let _ = with(altered);
        }
    }
}
