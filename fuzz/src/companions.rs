//! Companions: every decoder of lists, certificates and linkings, what a phone tells, and a linking that bytes drive.
//!
//! An outsider who holds no key gets nothing: what verifies, links or is taken is what was really made.

use std::sync::OnceLock;

use outrigger::{
    AbandonLinking, Address, AskHistory, Certificate, ConfirmLink, Consent, Consequence, Content,
    ContinueLinking, DeclineLink, DescribeDevice, DescribeDevices, DescribeGranting, DescribeLinking,
    DeviceList, EnterLinkCode, GrantLink, GrantingStage, HistoryManifest, IdentityKey, LearnDevices,
    LinkProgress, LinkReference, Linking, OpenHistory, OpenSynced, Operation, Receive, Register,
    RenewDevices, ScanLinkCode, SealSynced, ShowLinkCode, ShowTypedCode, SupplyCompanion, SupplyFrame,
    TakeHistory, TakeInvitation, TakeSupply,
};

use super::world::{Choices, Store, Toy, address, context};

/// One linking, before and after each of its steps, and what came of it.
pub(crate) struct Household {
    /// The phone that waits for a scan, for its user, for the confirmation, and that has linked.
    phone: [Store; 4],
    /// The companion that shows a code, that has confirmed, and that is one.
    companion: [Store; 3],
    /// A companion whose typed code waits, and the phone where it was typed.
    offered: Store,
    entered: Store,
    address: Address,
    key: IdentityKey,
    list: DeviceList,
    /// Everything that was really made: code, messages, lists, certificate, frame, sealed.
    pub(crate) made: Vec<(&'static str, Vec<u8>)>,
}

pub(crate) fn household() -> &'static Household {
    static HOUSEHOLD: OnceLock<Household> = OnceLock::new();
    HOUSEHOLD.get_or_init(build)
}

fn run<O: Operation>(store: &mut Store, operation: &O, toy: &mut Toy) -> O::Output {
    match store.run(operation, &mut context(toy)) {
        Ok(output) => output,
        Err(error) => panic!("{error}"),
    }
}

fn agree(companion: IdentityKey) -> Consent {
    Consent { companion, consequence: Consequence::ReadsAndSpeaksForTheAccount }
}

fn build() -> Household {
    let toy = &mut Toy(7);
    let at = address(b"alice-0123456789");
    let (mut phone, mut companion) = (Store::default(), Store::default());
    let key = run(&mut phone, &Register { address: at }, toy);
    let mut made = Vec::new();
    let code = run(&mut companion, &ShowLinkCode, toy).text().to_owned();
    made.push(("code", code.clone().into_bytes()));
    let (waiting, shown) = (phone.clone(), companion.clone());
    let request = run(&mut phone, &ScanLinkCode { code: &code }, toy);
    let scanned = phone.clone();
    let grant =
        run(&mut phone, &GrantLink { reference: request.reference, consent: agree(request.companion) }, toy);
    made.push(("grant", grant.clone()));
    let granted = phone.clone();
    let LinkProgress::Confirm { confirmation, address: place, .. } =
        run(&mut companion, &ContinueLinking { message: &grant }, toy)
    else {
        panic!("confirms")
    };
    made.push(("confirmation", confirmation.clone()));
    let confirmed = companion.clone();
    let linked = run(&mut phone, &ConfirmLink { confirmation: &confirmation }, toy);
    made.push(("list", linked.list.as_bytes().to_vec()));
    made.push(("acknowledgement", linked.acknowledgement.clone()));
    let LinkProgress::Linked(joined) =
        run(&mut companion, &ContinueLinking { message: &linked.acknowledgement }, toy)
    else {
        panic!("links")
    };
    made.push(("certificate", joined.certificate));
    let renewed = run(&mut phone.clone(), &RenewDevices, toy).list;
    made.push(("renewed", renewed.as_bytes().to_vec()));

    let told = run(&mut phone, &SupplyCompanion { companion: place.device, accounts: &[] }, toy).envelope;
    let told = told.expect("sync keys");
    let receive = Receive { from: at, envelope: &told, associated_data: &[] };
    let Content::Supply(frame) = run(&mut companion, &receive, toy).content else { panic!("a frame") };
    made.push(("frame", frame.as_bytes().to_vec()));
    run(&mut companion, &TakeSupply { frame: &frame }, toy);
    made.push((
        "synced",
        run(&mut companion, &SealSynced { plaintext: b"settings", associated_data: b"" }, toy),
    ));
    run(&mut companion, &AskHistory { since: super::world::NOW }, toy);

    let (mut offered, mut entered) = (Store::default(), waiting.clone());
    let typed = run(&mut offered, &ShowTypedCode, toy);
    made.push(("offer", typed.offer.clone()));
    let answer = run(&mut entered, &EnterLinkCode { code: typed.text(), offer: &typed.offer }, toy);
    made.push(("answer", answer.clone()));
    let LinkProgress::Invite { invitation } =
        run(&mut offered.clone(), &ContinueLinking { message: &answer }, toy)
    else {
        panic!("invites")
    };
    made.push(("invitation", invitation));
    let list = linked.list;
    let (phone, companion) = ([waiting, scanned, granted, phone], [shown, confirmed, companion]);
    Household { phone, companion, offered, entered, address: place, key, list, made }
}

impl Household {
    fn made(&self, data: &[u8]) -> bool {
        self.made.iter().any(|(_, bytes)| bytes == data)
    }
}

/// What the account did not sign is no list of it; and what is on record changes by what it signed alone.
pub fn device_list(data: &[u8]) {
    let world = household();
    let account = world.address.account;
    let verified = DeviceList::verify(data, &account, &world.key);
    assert_eq!(verified.is_ok(), world.made(data) && verified.is_ok());
    let _ = verified.map_err(|error| format!("{error} {error:?} {:?}", error.advice()));
    for store in [&world.phone[3], &world.companion[2]] {
        refused_or_made(store, &LearnDevices { account, list: data }, data, world);
    }
}

/// Nothing but the certificate is one.
pub fn certificate(data: &[u8]) {
    let world = household();
    match Certificate::verify(data, &world.address, &world.list) {
        Ok(_) => assert!(world.made(data)),
        Err(error) => drop(format!("{error} {error:?} {:?}", error.advice())),
    }
}

/// Any bytes, to each side at each point of a linking.
pub fn link_message(data: &[u8]) {
    let world = household();
    for store in world.companion.iter().chain([&world.offered]).chain(&world.phone).chain([&world.entered]) {
        refused_or_made(store, &ConfirmLink { confirmation: data }, data, world);
        refused_or_made(store, &TakeInvitation { invitation: data }, data, world);
        // Anyone can make an offer; what the code is worth shows later.
        stepped(store, &EnterLinkCode { code: "2345-6789", offer: data });
        match stepped(store, &ContinueLinking { message: data }) {
            // An answer to a typed code is a try, whoever made it.
            Some(LinkProgress::WrongCode) | None => {}
            Some(_) => assert!(world.made(data)),
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        for store in &world.phone {
            stepped(store, &EnterLinkCode { code: text, offer: &world.made[8].1 });
            // Anyone can make a code; a scan asks the user, and links nothing.
            if stepped(store, &ScanLinkCode { code: text }).is_some() {
                assert!(text.starts_with("outrigger-link:"));
            }
        }
    }
}

/// What the phone tells, where the app kept it badly: taken whole or refused whole.
pub fn supply(data: &[u8]) {
    let world = household();
    let store = &world.companion[2];
    stepped(store, &TakeSupply { frame: &SupplyFrame::from_kept(data.to_vec()) });
    stepped(store, &TakeHistory { manifest: &HistoryManifest::from_kept(data.to_vec()) });
    stepped(store, &OpenHistory { index: u32::from(data.first().copied().unwrap_or(0)), sealed: data });
    refused_or_made(store, &OpenSynced { sealed: data, associated_data: b"" }, data, world);
}

/// Runs an operation to its step, which is dropped; a refusal must format.
fn stepped<O: Operation>(store: &Store, operation: &O) -> Option<O::Output> {
    let toy = &mut Toy(3);
    match store.step(operation, &mut context(toy)) {
        Ok(step) => Some(store.clone().commit(step)),
        Err(error) => {
            let _ = format!("{error} {error:?} {:?}", outrigger::Advise::advice(&error));
            None
        }
    }
}

fn refused_or_made<O: Operation>(store: &Store, operation: &O, data: &[u8], world: &Household) {
    if stepped(store, operation).is_some() {
        assert!(world.made(data), "taken, and nobody made it");
    }
}

/// Two devices whose linking bytes drive: every operation at either side, messages lost, doubled, altered, and delivered to whom they are not for.
pub fn linking(data: &[u8]) {
    let mut choices = Choices(data);
    let toy = &mut Toy(11);
    let at = address(b"alice-0123456789");
    let (mut phone, mut desk) = (Store::default(), Store::default());
    run(&mut phone, &Register { address: at }, toy);
    let mut messages: Vec<Vec<u8>> = Vec::new();
    let mut text = String::new();
    let mut typed = String::new();
    let mut request: Option<(LinkReference, IdentityKey)> = None;
    for _ in 0..32 {
        let message = match messages.len() {
            0 => Vec::new(),
            count => messages[choices.below(count)].clone(),
        };
        match choices.below(13) {
            0 => text = step(&mut desk, &ShowLinkCode, toy).map_or(text, |code| code.text().to_owned()),
            1 => {
                if let Some(code) = step(&mut desk, &ShowTypedCode, toy) {
                    typed = code.text().to_owned();
                    messages.push(code.offer.clone());
                }
            }
            2 => {
                let scanned = step(&mut phone, &ScanLinkCode { code: &text }, toy);
                request = scanned.map(|asked| (asked.reference, asked.companion)).or(request);
            }
            3 => messages.extend(step(&mut phone, &EnterLinkCode { code: &typed, offer: &message }, toy)),
            4 => {
                let asked = step(&mut phone, &TakeInvitation { invitation: &message }, toy);
                request = asked.map(|asked| (asked.reference, asked.companion)).or(request);
            }
            5 => {
                if let Some((reference, companion)) = request {
                    messages.extend(step(
                        &mut phone,
                        &GrantLink { reference, consent: agree(companion) },
                        toy,
                    ));
                }
            }
            6 => {
                if let Some((reference, _)) = request {
                    messages.extend(step(&mut phone, &DeclineLink { reference }, toy));
                }
            }
            7 => match step(&mut desk, &ContinueLinking { message: &message }, toy) {
                Some(LinkProgress::Confirm { confirmation, .. }) => messages.push(confirmation),
                Some(LinkProgress::Invite { invitation }) => messages.push(invitation),
                _ => {}
            },
            8 => {
                let linked = step(&mut phone, &ConfirmLink { confirmation: &message }, toy);
                messages.extend(linked.map(|linked| linked.acknowledgement));
            }
            9 => drop(step(&mut phone, &AbandonLinking, toy)),
            10 => drop(step(&mut desk, &AbandonLinking, toy)),
            11 => {
                let granting = step(&mut phone, &DescribeGranting, toy);
                let acknowledgements = granting.iter().flat_map(|granting| &granting.acknowledgements);
                messages.extend(acknowledgements.map(|one| one.message.clone()));
                if let Some(GrantingStage::Granted { grant, .. }) = granting.map(|granting| granting.stage) {
                    messages.push(grant);
                }
            }
            _ => {
                let mut altered = message;
                if !altered.is_empty() {
                    let place = choices.below(altered.len());
                    altered[place] ^= choices.byte() | 1;
                    if let Some(Linking::Confirmed { .. }) = step(&mut desk, &DescribeLinking, toy) {
                        assert!(step(&mut desk, &ContinueLinking { message: &altered }, toy).is_none());
                    }
                }
            }
        }
        messages.truncate(24);
        // Whenever the desk is a device, the phone's list names it with its key.
        if let Some(device) = step(&mut desk, &DescribeDevice, toy) {
            let list =
                step(&mut phone, &DescribeDevices { account: at.account }, toy).and_then(|known| known.list);
            let entry = list.as_ref().and_then(|list| list.entry(device.address.device));
            assert_eq!(entry.expect("listed").identity_key, device.identity_key);
        }
    }
}

/// Runs an operation and stores its step; a refusal changes nothing.
fn step<O: Operation>(store: &mut Store, operation: &O, toy: &mut Toy) -> Option<O::Output> {
    let before = store.clone();
    let outcome = store.run(operation, &mut context(toy));
    if outcome.is_err() {
        assert_eq!(*store, before);
    }
    outcome.ok()
}
