//! `vectors/records/companions-v1.json`: a phone, its companions and a peer, with a record of every kind that these need.

use outrigger::{
    AskHistory, Consent, Consequence, Content, ContinueLinking, DescribeDevices, DescribeGranting,
    DescribeLinking, EnterLinkCode, FinishHistory, GrantLink, GrantingStage, HistoryId, HistoryManifest,
    LearnDevices, LinkProgress, Linking, OpenHistory, OpenSynced, Operation, PlanMessage, ScanLinkCode,
    SealHistory, SealSynced, SendToAccount, ShowLinkCode, ShowTypedCode, SupplyCompanion, SupplyFrame,
    TakeHistory, TakeInvitation, TakeSupply,
};

use super::*;

const NAMES: [&str; 6] = ["phone", "desk", "lab", "shows", "typed", "ben"];

/// A device with a store and a stream of random bytes of its own.
struct Device {
    store: MemoryStore,
    source: Counting,
}

impl Device {
    fn run<O: Operation>(&mut self, operation: &O) -> O::Output
    where
        O::Error: std::fmt::Debug,
    {
        let mut context = classic(&mut self.source);
        self.store.run(operation, &mut context).unwrap()
    }

    fn publish(&mut self) -> Vec<u8> {
        let upload = self.run(&ReplenishPrekeys { one_time: 1 });
        [&upload.bundle[..], &upload.one_time_prekeys[0]].concat()
    }

    fn hear(&mut self, from: Address, envelope: &[u8]) -> Content {
        self.run(&Receive { from, envelope, associated_data: b"" }).content
    }
}

fn consent(request: &outrigger::LinkRequest) -> Consent {
    Consent { companion: request.companion, consequence: Consequence::ReadsAndSpeaksForTheAccount }
}

/// Up to the companion's confirmation.
fn confirm(phone: &mut Device, companion: &mut Device) -> Vec<u8> {
    let code = companion.run(&ShowLinkCode);
    let request = phone.run(&ScanLinkCode { code: code.text() });
    let grant = phone.run(&GrantLink { reference: request.reference, consent: consent(&request) });
    let progress = companion.run(&ContinueLinking { message: &grant });
    let LinkProgress::Confirm { confirmation, .. } = progress else { panic!("{progress:?}") };
    confirmation
}

/// The stores in the order of `NAMES`, and what is under way: a confirmation, a message to the account, a synced text and two history chunks.
fn household() -> ([Device; 6], Vec<(&'static str, Vec<u8>)>) {
    let device = |place: u64| Device { store: MemoryStore::new(), source: Counting(place << 32) };
    let mut devices = [0, 1, 2, 3, 4, 5].map(device);
    let [phone, desk, lab, shows, typed, peer] = &mut devices;
    phone.run(&Register { address: ada() });
    peer.run(&Register { address: ben() });
    let bundle = phone.publish();
    let confirmation = confirm(phone, desk);
    let linked = phone.run(&outrigger::ConfirmLink { confirmation: &confirmation });
    let progress = desk.run(&ContinueLinking { message: &linked.acknowledgement });
    let LinkProgress::Linked(joined) = progress else { panic!("{progress:?}") };

    // The phone tells of ben, with whom it speaks; the desk takes it, and asks for history.
    let theirs = VerifiedBundle::verify(&peer.publish(), &ben()).unwrap();
    phone.run(&Start { bundle: &theirs });
    let supply = SupplyCompanion { companion: joined.address.device, accounts: &[ben().account] };
    let told = phone.run(&supply).envelope.unwrap();
    let Content::Supply(frame) = desk.hear(ada(), &told) else { panic!("no frame") };
    let frame = SupplyFrame::from_kept(frame.as_bytes().to_vec());
    let taken = desk.run(&TakeSupply { frame: &frame });
    let Content::SupplyTaken(taken) = phone.hear(joined.address, &taken.acknowledgement) else {
        panic!("nothing taken")
    };
    phone.run(&outrigger::ConfirmSupply { companion: joined.address.device, taken });
    let asked = desk.run(&AskHistory { since: UnixMillis(7) });
    let Content::HistoryAsked { id, .. } = phone.hear(joined.address, &asked) else { panic!("not asked") };
    let seal = |text| SealHistory { companion: joined.address.device, id, text };
    let chunks = [&b"first"[..], b"second"].map(|text| phone.run(&seal(text)).sealed);
    let synced = phone.run(&SealSynced { plaintext: b"dark mode", associated_data: b"" });

    // Ben writes to both devices.
    let own = VerifiedBundle::verify(&bundle, &ada()).unwrap();
    peer.run(&Start { bundle: &own });
    peer.run(&LearnDevices { account: ada().account, list: joined.list.as_bytes() });
    let bundle = desk.publish();
    let list = &joined.list;
    let desks =
        VerifiedBundle::verify_companion(&bundle, &joined.certificate, &joined.address, list).unwrap();
    peer.run(&Start { bundle: &desks });
    let plan = peer.run(&PlanMessage { to: ada().account });
    let keep = Keep::ForRetry;
    let send = SendToAccount { plan: &plan, plaintext: b"to both", associated_data: b"", keep };
    let sent = peer.run(&send);
    let copy = sent.copies.iter().find(|(to, _)| *to == joined.address).unwrap();

    // One companion has confirmed, one shows a code to be scanned, one a code to be typed.
    let confirmation = confirm(phone, lab);
    shows.run(&ShowLinkCode);
    typed.run(&ShowTypedCode);
    let [first, second] = chunks;
    let under_way = vec![
        ("confirmation", confirmation),
        ("to the desk", copy.1.envelope.clone()),
        ("synced", synced),
        ("chunk 0", first),
        ("chunk 1", second),
        ("history id", id.0.to_vec()),
    ];
    (devices, under_way)
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/records/companions-v1.json")
}

#[test]
fn format_1_of_companions_is_what_this_version_writes() {
    let (devices, under_way) = household();
    let stores = NAMES.iter().copied().zip(devices.iter().map(|device| &device.store)).collect();
    has_every_kind(&stores, RecordKind::Devices..=RecordKind::HistoryIn);
    let about = "a phone, its companions at several stages and a peer, as record format 1 wrote them, and what is under way; never made anew";
    is_kept(&dump_all(about, &stores, &under_way), &path());
}

#[test]
fn companions_of_format_1_go_on() {
    let file: Value = serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap();
    let [mut phone, mut desk, mut lab, mut shows, mut typed, mut peer] = NAMES.map(|name| rows(&file[name]));
    let under_way = |name: &str| from_hex(&file["under way"][name]);
    let mut source = Counting(9 << 32);
    let context = &mut classic(&mut source);

    // The desk reads what comes, and hears the history that it asked for.
    let desk_address = desk.run(&DescribeDevice, context).address;
    let receive = Receive { from: ben(), envelope: &under_way("to the desk"), associated_data: b"" };
    let Content::ForAccount { text, .. } = desk.run(&receive, context).content else { panic!("another") };
    assert_eq!(text[..], b"to both"[..]);
    let opened = desk.run(&OpenSynced { sealed: &under_way("synced"), associated_data: b"" }, context);
    assert_eq!(opened[..], b"dark mode"[..]);
    let id = HistoryId(under_way("history id").try_into().unwrap());
    let manifest = phone.run(&FinishHistory { companion: desk_address.device, id }, context);
    let receive = Receive { from: ada(), envelope: &manifest, associated_data: b"" };
    let Content::History(manifest) = desk.run(&receive, context).content else { panic!("no manifest") };
    let manifest = HistoryManifest::from_kept(manifest.as_bytes().to_vec());
    desk.run(&TakeHistory { manifest: &manifest }, context);
    for (index, text) in (0..).zip([&b"first"[..], b"second"]) {
        let sealed = under_way(&format!("chunk {index}"));
        assert_eq!(desk.run(&OpenHistory { index, sealed: &sealed }, context).text[..], *text);
    }

    // The linkings go on where they were.
    assert!(matches!(phone.run(&DescribeGranting, context).stage, GrantingStage::Granted { .. }));
    let confirmation = under_way("confirmation");
    let linked = phone.run(&outrigger::ConfirmLink { confirmation: &confirmation }, context);
    let progress = lab.run(&ContinueLinking { message: &linked.acknowledgement }, context);
    assert!(matches!(progress, LinkProgress::Linked(_)), "{progress:?}");
    let Linking::Shown(code) = shows.run(&DescribeLinking, context) else { panic!("no code") };
    phone.run(&ScanLinkCode { code: code.text() }, context);
    let Linking::Offered(code) = typed.run(&DescribeLinking, context) else { panic!("no code") };
    let answer = phone.run(&EnterLinkCode { code: code.text(), offer: &code.offer }, context);
    let progress = typed.run(&ContinueLinking { message: &answer }, context);
    let LinkProgress::Invite { invitation } = progress else { panic!("{progress:?}") };
    let request = phone.run(&TakeInvitation { invitation: &invitation }, context);
    phone.run(&GrantLink { reference: request.reference, consent: consent(&request) }, context);

    // The peer takes the next list in the place of the one on record, and the phone tells only what is new.
    let account = ada().account;
    let learned = peer.run(&LearnDevices { account, list: linked.list.as_bytes() }, context);
    assert_eq!((learned.changes.len(), learned.list.entries().len()), (1, 2));
    assert_eq!(desk.run(&DescribeDevices { account }, context).list.unwrap().entries().len(), 1);
    let supply = SupplyCompanion { companion: desk_address.device, accounts: &[ben().account] };
    assert!(phone.run(&supply, context).envelope.is_none(), "it was told before");
}
