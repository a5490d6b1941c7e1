//! `vectors/records/relay-v1.json`: a phone, three desktops at several stages and a peer, with a record of every kind that a relay needs.

use outrigger::{
    AcceptUpgrade, AckPhone, Consent, Consequence, Content, DescribeDesktops, DescribeRelay, DesktopConsent,
    EndOfRelay, FlushRequests, FromDesktop, FromPhone, GrantDesktop, JoinPhone, JoinProgress, Operation,
    RelayOutbox, RelayReceive, RelayRequest, RelayStanding, Request, ScanLinkCode, ShowDesktopCode,
    TakeFromDesktop, TakeFromPhone, Verdict, WhileAway,
};

use super::*;

const NAMES: [&str; 5] = ["phone", "plain", "offered", "upgraded", "ben"];
const EVER: UnixMillis = UnixMillis(u64::MAX);

/// A device with a store and a stream of random bytes of its own.
struct Device {
    store: MemoryStore,
    source: Counting,
    address: Address,
}

impl Device {
    fn run<O: Operation>(&mut self, operation: &O) -> O::Output
    where
        O::Error: std::fmt::Debug,
    {
        self.store.run(operation, &mut classic(&mut self.source)).unwrap()
    }

    fn takes(&mut self, desk: &Self, envelope: &[u8], verdict: Option<Verdict>) -> FromDesktop {
        self.run(&TakeFromDesktop { desktop: desk.address.device, envelope, verdict })
    }

    fn asks(&mut self, request: Request<'_>, while_away: WhileAway) -> Vec<Vec<u8>> {
        self.run(&RelayRequest { request, not_after: EVER, while_away }).frames
    }

    /// Takes all that the phone keeps for it.
    fn catches_up(&mut self, phone: &mut Self) {
        for envelope in phone.run(&RelayOutbox { desktop: self.address.device }) {
            self.run(&TakeFromPhone { envelope: &envelope });
        }
    }
}

fn pair(phone: &mut Device, desk: &mut Device) {
    let code = desk.run(&ShowDesktopCode);
    let request = phone.run(&ScanLinkCode { code: code.text() });
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let (reference, may) = (request.reference, DesktopConsent::Always);
    let granted = phone.run(&GrantDesktop { reference, consent, may });
    let progress = desk.run(&JoinPhone { message: &granted.grant });
    let JoinProgress::Joining { address, frame, .. } = progress else { panic!("{progress:?}") };
    desk.address = address;
    let FromDesktop::Joined { frames, .. } = phone.takes(desk, &frame, None) else { panic!("not joined") };
    desk.run(&TakeFromPhone { envelope: &frames[0] });
}

fn offer(phone: &mut Device, desk: &mut Device) {
    let [frame] = &desk.asks(Request::Upgrade, WhileAway::Refuse)[..] else { panic!("one frame") };
    let described = phone.run(&DescribeDesktops);
    let one = described.iter().find(|one| one.desktop == desk.address.device).unwrap();
    let consent = Consent { companion: one.key, consequence: Consequence::ReadsAndSpeaksForTheAccount };
    let offered = phone.takes(desk, frame, Some(Verdict::Upgrade(consent)));
    assert!(matches!(offered, FromDesktop::Offered { .. }), "{offered:?}");
}

/// The stores in the order of `NAMES`, and what is under way: a request of the first desktop, a message of ben's.
fn office() -> ([Device; 5], Vec<(&'static str, Vec<u8>)>) {
    let address = [ada(), ada(), ada(), ada(), ben()];
    let device = |place: usize| Device {
        store: MemoryStore::new(),
        source: Counting((place as u64 + 16) << 32),
        address: address[place],
    };
    let mut devices = [0, 1, 2, 3, 4].map(device);
    let [phone, plain, offered, upgraded, peer] = &mut devices;
    phone.run(&Register { address: ada() });
    peer.run(&Register { address: ben() });
    let upload = phone.run(&ReplenishPrekeys { one_time: 1 });
    let bundle = [&upload.bundle[..], &upload.one_time_prekeys[0]].concat();
    peer.run(&Start { bundle: &VerifiedBundle::verify(&bundle, &ada()).unwrap() });
    for desk in [&mut *plain, &mut *offered, &mut *upgraded] {
        pair(phone, desk);
    }

    // One desktop is upgraded, one has its offer.
    offer(phone, upgraded);
    upgraded.catches_up(phone);
    let acceptance = upgraded.run(&AcceptUpgrade).frames;
    let FromDesktop::Upgraded { .. } = phone.takes(upgraded, &acceptance[0], None) else {
        panic!("not taken")
    };
    upgraded.catches_up(phone);
    let last_word = upgraded.run(&AckPhone);
    phone.takes(upgraded, &last_word, None);
    offer(phone, offered);
    offered.catches_up(phone);

    // One has asked for something that was done, has something under way, and something queued; and is told of a message that it has not seen.
    let done = plain.asks(Request::Query(b"done"), WhileAway::Refuse);
    let FromDesktop::Query { .. } = phone.takes(plain, &done[0], None) else { panic!("not done") };
    let under_way = plain.asks(Request::Query(b"under way"), WhileAway::Refuse).remove(0);
    for _ in 0..2 {
        plain.run(&outrigger::AskPhone);
    }
    assert!(plain.asks(Request::Query(b"queued"), WhileAway::Queue).is_empty());
    let text = |text: &'static [u8]| outrigger::Send {
        to: ada(),
        plaintext: text,
        associated_data: b"",
        keep: Keep::ForRetry,
    };
    let said = peer.run(&text(b"kept")).envelope;
    phone.run(&RelayReceive { from: ben(), envelope: &said, associated_data: b"" });
    let coming = peer.run(&text(b"coming")).envelope;
    (devices, vec![("request", under_way), ("message", coming)])
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/records/relay-v1.json")
}

#[test]
fn format_1_of_relays_is_what_this_version_writes() {
    let (devices, under_way) = office();
    let stores = NAMES.iter().copied().zip(devices.iter().map(|device| &device.store)).collect();
    has_every_kind(&stores, RecordKind::Desktops..=RecordKind::RelayAsked);
    let about = "a phone, three desktops at several stages and a peer, as record format 1 wrote them, and what is under way; never made anew";
    is_kept(&dump_all(about, &stores, &under_way), &path());
}

#[test]
fn relays_of_format_1_go_on() {
    let file: Value = serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap();
    let [mut phone, mut plain, mut offered, mut upgraded, _] = NAMES.map(|name| rows(&file[name]));
    let under_way = |name: &str| from_hex(&file["under way"][name]);
    let mut source = Counting(25 << 32);
    let context = &mut classic(&mut source);
    let id = |store: &mut Rows, context: &mut Context<'_>| store.run(&DescribeDevice, context).address.device;
    let [plain_id, offered_id, upgraded_id] =
        [&mut plain, &mut offered, &mut upgraded].map(|store| id(store, context));

    // What was under way is done, what was kept is shown, and what was queued goes out.
    let envelope = under_way("request");
    let take = TakeFromDesktop { desktop: plain_id, envelope: &envelope, verdict: None };
    assert!(matches!(phone.run(&take, context), FromDesktop::Query { .. }));
    let mut texts = Vec::new();
    for envelope in phone.run(&RelayOutbox { desktop: plain_id }, context) {
        let said = plain.run(&TakeFromPhone { envelope: &envelope }, context).said;
        if let FromPhone::Event { text, .. } = said {
            texts.push(text.to_vec());
        }
    }
    assert_eq!(texts, [b"kept"]);
    let queued = plain.run(&FlushRequests, context);
    let take = TakeFromDesktop { desktop: plain_id, envelope: &queued[0], verdict: None };
    let FromDesktop::Query { text, .. } = phone.run(&take, context) else { panic!("not done") };
    assert_eq!(&text[..], b"queued");
    assert_eq!(plain.run(&DescribeRelay, context).standing, RelayStanding::Attached);

    // The offer is accepted, and the companion is passed what ben does not send there.
    let acceptance = offered.run(&AcceptUpgrade, context).frames;
    let take = TakeFromDesktop { desktop: offered_id, envelope: &acceptance[0], verdict: None };
    assert!(matches!(phone.run(&take, context), FromDesktop::Upgraded { .. }));
    let envelope = under_way("message");
    let receive = RelayReceive { from: ben(), envelope: &envelope, associated_data: b"" };
    let told = phone.run(&receive, context).desktops;
    let to = |desktop| told.iter().find(|told| told.desktop == desktop).unwrap();
    assert!(!to(plain_id).passed_on && to(upgraded_id).passed_on);
    let receive = Receive { from: ada(), envelope: &to(upgraded_id).frames[0], associated_data: b"" };
    let Content::PassedOn { text, .. } = upgraded.run(&receive, context).content else { panic!("another") };
    assert_eq!(&text[..], b"coming");
    let standing = upgraded.run(&DescribeRelay, context).standing;
    assert_eq!(standing, RelayStanding::Ended(EndOfRelay::Upgraded));
}
