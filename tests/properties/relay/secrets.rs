//! What goes out, and what a desktop holds, searched for keys: no private key of the phone, no key of its session with a peer, no key of what has passed.

use std::collections::BTreeSet;

use aes_gcm::{Aes256Gcm, KeyInit, Nonce, aead::Aead};
use base64ct::{Base64Unpadded, Encoding};
use outrigger::{
    AckPhone, DesktopConsent, DetachDesktop, FromDesktop, Keep, LeavePhone, News, PlanMessage, RecordKey,
    RecordKind, RejoinPhone, RelaySend, Request, TellDesktop, Verdict,
};

use super::{
    office::{Office, office, pair},
    upgrade::{consent, to_account},
};
use crate::world::{
    BOUND, Device, hand, headers_in_clear,
    store::Store,
    wire::{Fields, envelope},
};

/// Bytes that are searched for at once.
const RUN: usize = 16;

type Run = [u8; RUN];

/// Every run of what went out.
fn runs(of: &[Vec<u8>]) -> BTreeSet<Run> {
    of.iter().flat_map(|bytes| bytes.windows(RUN)).map(|run| run.try_into().unwrap()).collect()
}

/// A secret as it could stand there: as it is, in hex of either case, in base64 wherever it begins.
fn forms(secret: &[u8]) -> Vec<Run> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = (0..3).map(|skipped| Base64Unpadded::encode_string(&secret[skipped..]).into_bytes());
    let texts = [hex.to_uppercase().into_bytes(), hex.into_bytes()].into_iter().chain(base64);
    let begin = |form: &[u8]| form[..RUN].try_into().unwrap();
    // The first and the last byte of a private key may be clamped.
    texts.map(|form| begin(&form[2..])).chain([begin(&secret[1..])]).collect()
}

/// What went out in which of these secrets stands.
fn found(secrets: &[Vec<u8>], out: &[Vec<u8>]) -> usize {
    let runs = runs(out);
    secrets.iter().filter(|secret| forms(secret).iter().any(|form| runs.contains(form))).count()
}

/// What a device drew as a key.
fn drawn(device: &Device) -> Vec<Vec<u8>> {
    device.random.tape.iter().filter(|draw| draw.len() == 32).cloned().collect()
}

/// Every run of the phone's session with the peer: root key, chain keys, ratchet keys. What is nearly constant is no key.
fn of_session(office: &Office) -> BTreeSet<Run> {
    let peer = office.peer.address.account;
    let of_peer = |key: &RecordKey| key.as_bytes().windows(RUN).any(|run| run == peer.as_bytes());
    let record = office.phone.store.of(RecordKind::Peer).find(|(key, _)| of_peer(key)).unwrap().1;
    let varied = |run: &Run| run.iter().collect::<BTreeSet<_>>().len() > 8;
    record[22..].windows(RUN).map(|run| run.try_into().unwrap()).filter(varied).collect()
}

/// Everything that goes out in the life of two desktops, and what the sessions with the peer were meanwhile.
struct Wire {
    office: Office,
    to_desktops: Vec<Vec<u8>>,
    to_others: Vec<Vec<u8>>,
    sessions: BTreeSet<Run>,
}

impl Wire {
    fn notes(&mut self, frames: impl IntoIterator<Item = Vec<u8>>) {
        self.to_desktops.extend(frames);
        self.sessions.extend(of_session(&self.office));
    }

    fn event(&mut self, text: &str) {
        for told in self.office.peer_says(text) {
            if told.desktop == self.office.desk.address.device && !told.passed_on {
                self.office.desk.shows(&told.frames);
            }
            self.notes(told.frames);
        }
    }

    fn up(&mut self, frame: Vec<u8>, verdict: Verdict) {
        let done = self.office.phone.decides(&self.office.desk, &frame, verdict).unwrap();
        self.to_others.push(frame);
        let frames = match done {
            FromDesktop::Sent { sent, desktops, .. } => {
                self.to_others.extend(sent.copies.into_iter().map(|(_, copy)| copy.envelope));
                desktops.into_iter().flat_map(|told| told.frames).collect()
            }
            FromDesktop::Upgraded { list, frames, .. } => {
                self.to_others.push(list.list.as_bytes().to_vec());
                frames
            }
            FromDesktop::Query { frames, .. }
            | FromDesktop::Refused { frames, .. }
            | FromDesktop::Offered { frames, .. }
            | FromDesktop::Heard { frames, .. }
            | FromDesktop::Joined { frames, .. } => frames,
            FromDesktop::Late { notice } | FromDesktop::Ended { notice } => notice.into_iter().collect(),
            other @ (FromDesktop::Undecided(_)
            | FromDesktop::Denied
            | FromDesktop::Unready { .. }
            | FromDesktop::Read { .. }
            | FromDesktop::Repeated
            | FromDesktop::Suspended(_)
            | FromDesktop::Left
            | FromDesktop::LeftCompanion
            | _) => panic!("{other:?}"),
        };
        for frame in &frames {
            // Those for the other desktop do not open.
            let _ = self.office.desk.take_frame(frame);
        }
        self.notes(frames);
    }

    fn asks(&mut self, request: Request<'_>, verdict: Verdict) {
        let frames = self.office.desk.requests(request).unwrap().frames;
        frames.into_iter().for_each(|frame| self.up(frame, verdict));
    }

    fn acknowledges(&mut self) {
        let word = self.office.desk.run(&AckPhone).unwrap();
        self.up(word, Verdict::Allow);
    }
}

/// Two desktops, and all that is said to them and for them: events, own messages, answers, a gap, what a query found, a takeover, an upgrade, what is passed on, and the ends.
fn everything() -> Wire {
    let mut office = office(DesktopConsent::Ask);
    let other = pair(&mut office.phone, "other", DesktopConsent::Always);
    let nothing = || (Vec::new(), Vec::new());
    let (to_desktops, to_others) = nothing();
    let mut wire = Wire { office, to_desktops, to_others, sessions: BTreeSet::new() };
    let to = wire.office.peer.address.account;
    for round in 0..3 {
        wire.event("one");
        let send = Request::Send { to, plaintext: b"two", associated_data: BOUND };
        wire.asks(send, if round == 1 { Verdict::Deny } else { Verdict::Allow });
        wire.acknowledges();
        // So that the session with the peer turns, too.
        let answer = wire.office.phone.send(wire.office.peer.address, "three");
        wire.office.peer.opens(wire.office.phone.address, &answer, "three");
        wire.to_others.push(answer);
    }
    wire.asks(Request::Query(b"what?"), Verdict::Allow);
    let desktop = wire.office.desk.address.device;
    let request = outrigger::RequestNumber(4);
    for news in [News::Found(b"this"), News::Read] {
        let told = wire.office.phone.run(&TellDesktop { desktop, request, news }).unwrap();
        wire.office.desk.shows(&told.frames);
        wire.notes(told.frames);
    }
    let plan = wire.office.phone.run(&PlanMessage { to }).unwrap();
    let send = RelaySend { plan: &plan, plaintext: b"four", associated_data: BOUND, keep: Keep::ForRetry };
    let sent = wire.office.phone.run(&send).unwrap();
    wire.to_others.extend(sent.sent.copies.into_iter().map(|(_, copy)| copy.envelope));
    wire.notes(sent.desktops.into_iter().flat_map(|told| told.frames));

    let mut former = wire.office.desk.clone();
    former.random = crate::world::random::Seeded::new(7);
    let bundle = wire.office.bundle();
    let ask = wire.office.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
    wire.up(ask, Verdict::Allow);
    let late = former.run(&outrigger::AskPhone).unwrap();
    wire.up(late, Verdict::Allow);

    let word = Verdict::Upgrade(consent(&wire.office.desk));
    wire.asks(Request::Upgrade, word);
    let acceptance = wire.office.accepts();
    wire.up(acceptance, word);
    wire.acknowledges();
    wire.event("passed on");
    let own = to_account(&mut wire.office.phone, to, "five");
    wire.to_others.extend(own.copies.into_iter().map(|(_, copy)| copy.envelope));

    let notice = wire.office.phone.run(&DetachDesktop { desktop: other.address.device }).unwrap();
    wire.notes(notice);
    let third = pair(&mut wire.office.phone, "third", DesktopConsent::Always);
    wire.office.desk = third;
    let bye = wire.office.desk.run(&LeavePhone).unwrap();
    wire.to_others.extend(bye);
    wire
}

/// No key that the phone drew is in anything that goes out, and of its session with the peer nothing is in what goes to desktops, nor in what they hold.
#[test]
fn nothing_that_goes_out_holds_a_key() {
    let wire = everything();
    assert!(wire.to_desktops.len() > 20 && wire.to_others.len() > 15);
    let all = [&wire.to_desktops[..], &wire.to_others].concat();
    let drawn_at_phone = drawn(&wire.office.phone);
    assert!(drawn_at_phone.len() > 30);
    assert_eq!(found(&drawn_at_phone, &all), 0);
    assert_eq!(found(&drawn(&wire.office.peer), &all), 0);
    let kept: Vec<_> = wire.office.desk.store.0.values().map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(found(&drawn_at_phone, &kept), 0);
    let (to_desktops, kept) = (runs(&wire.to_desktops), runs(&kept));
    assert!(wire.sessions.len() > 300);
    assert!(wire.sessions.iter().all(|run| !to_desktops.contains(run) && !kept.contains(run)));
}

/// The search finds keys where they are, and in each form in which they could be shown.
#[test]
fn the_search_finds_a_key_that_goes_out() {
    // What two devices show each other of a session they show with headers in clear.
    headers_in_clear();
    let wire = everything();
    let secrets = drawn(&wire.office.phone);
    let of_phone: Vec<_> = wire.office.phone.store.0.values().map(|(_, bytes)| bytes.clone()).collect();
    assert!(found(&secrets, &of_phone) > 10);
    let secret = &secrets[3];
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let texts = [secret.clone(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    let base64 = (0..3).map(|before| {
        let all = [&vec![b'x'; before][..], secret].concat();
        Base64Unpadded::encode_string(&all).into_bytes()
    });
    for shown in texts.into_iter().chain(base64) {
        let frame = [b"a frame with ", &shown[..], b" in it"].concat();
        assert_eq!(found(&secrets, &[frame]), 1);
    }
    // What the phone shows the peer of their session is found in it.
    let to_others = runs(&wire.to_others);
    assert!(wire.sessions.iter().any(|run| to_others.contains(run)));
}

/// Whoever has a store and `docs/protocol.md`, and takes each 32 bytes of it for each sort of key: whether a text can be read in a frame. The tag is not looked at, so that what was
/// bound need not be known.
fn reads(store: &Store, frame: &[u8], text: &[u8]) -> bool {
    const FOLLOW: usize = 6;
    let fields = Fields::parse(frame, 2);
    let turn: [u8; 32] = fields.bytes(envelope::RATCHET_KEY).try_into().unwrap();
    let sealed = fields.bytes(envelope::CIPHERTEXT);
    let (nonce, body) = sealed.split_first_chunk::<12>().unwrap();
    let body = &body[..body.len() - 16];
    // Sealing what is sealed under the same key and nonce opens it.
    let opens = |key: &[u8; 32]| {
        let open = Aes256Gcm::new(key.into()).encrypt(&Nonce::from(*nonce), body).unwrap();
        open.windows(text.len()).any(|window| window == text)
    };
    let by_chain = |chain: [u8; 32]| {
        let mut chain = chain;
        (0..FOLLOW).any(|_| {
            let key = hand::aead_key(&chain, 0);
            chain = hand::hmac(&chain, &[2]);
            opens(&key)
        })
    };
    let all = || store.0.values().flat_map(|(_, bytes)| bytes.windows(32));
    let keys: BTreeSet<[u8; 32]> = all().map(|key| key.try_into().unwrap()).collect();
    let pairs = store.0.values().flat_map(|(_, bytes)| bytes.windows(64));
    let privates = pairs.filter(|pair| hand::public(pair[..32].try_into().unwrap()) == pair[32..]);
    let shared: Vec<_> = privates.map(|pair| hand::dh(pair[..32].try_into().unwrap(), &turn)).collect();
    keys.iter().any(|key| {
        let as_message = hand::hmac(key, b"outrigger v1 message aead");
        let turned = || shared.iter().any(|shared| by_chain(hand::root_step(key, shared).1));
        opens(key) || opens(&as_message) || by_chain(*key) || turned()
    })
}

/// A desktop's whole state, handed to an attacker who needs no crate: it reads nothing that passed before, down or up, and reads what comes next.
#[test]
fn a_stolen_desktop_reads_nothing_of_before() {
    headers_in_clear();
    let mut office = office(DesktopConsent::Always);
    // The chain that its request is sealed under begins here.
    office.acknowledge();
    let early = office.desk.store.clone();
    let (_, up) = office.desk_says("asked by the desktop");
    let done = office.phone.from(&office.desk, &up).unwrap();
    let FromDesktop::Sent { desktops, .. } = done else { panic!("{done:?}") };
    assert_eq!(office.desk.shows(&desktops[0].frames), ["Accepted"]);
    office.acknowledge();
    let down: Vec<_> =
        ["said by the peer, first", "said by the peer, next"].map(|text| office.frames(text)).concat();
    assert_eq!(office.desk.shows(&down[..1]).len(), 1);
    let between = office.desk.store.clone();
    assert_eq!(office.desk.shows(&down[1..]).len(), 1);
    let stolen = office.desk.store.clone();
    let next = office.frames("said after the theft").remove(0);

    assert!(reads(&early, &up, b"asked by"), "with the chain that it is sealed under");
    assert!(reads(&between, &down[1], b"said by"), "the chain that it is in");
    assert!(!reads(&between, &down[0], b"said by"));
    for passed in [&up, &down[0], &down[1]] {
        assert!(!reads(&stolen, passed, b"by the"));
    }
    assert!(reads(&stolen, &next, b"after the theft"), "until the session turns");
    assert!(!stolen.holds(b"asked by") && !stolen.holds(b"said by"));
}
