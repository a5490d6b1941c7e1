//! L22 for companions: codes, keys, texts and what the phone tells are in no form of any operation, of what it loads, writes or gives.

use outrigger::{
    AskHistory, ConfirmLink, Content, ContinueLinking, DescribeGranting, DescribeLinking, EnterLinkCode,
    FinishHistory, GrantLink, HistoryManifest, Keep, LinkProgress, OpenHistory, OpenSynced, PlanMessage,
    Receive, ScanLinkCode, SealHistory, SealSynced, SendToAccount, ShowLinkCode, ShowTypedCode,
    SupplyCompanion, SupplyFrame, TakeHistory, TakeInvitation, TakeSupply,
};

use super::{
    fanout::{Town, town},
    household::{Directory, consent},
};
use crate::{
    redaction::{Printed, runs, stages},
    world::{BOUND, Device},
};

const TEXT: &[u8] = b"meet me at the old mill at nine";

/// The keys that two devices of a linking draw, and the code of the screen.
#[test]
fn l22_no_stage_of_a_linking_prints_a_key_or_a_code() {
    for typed in [false, true] {
        let mut printed = Printed::new();
        let mut directory = Directory::default();
        let mut ada = directory.phone("ada");
        let mut desk = Device::empty("desk");
        printed.plant_device(&ada);
        let request = if typed {
            let code = runs(&mut printed, "ShowTypedCode", &mut desk, &ShowTypedCode);
            printed.plant("the code", code.text().as_bytes());
            printed.debug("TypedCode", &code);
            runs(&mut printed, "DescribeLinking", &mut desk, &DescribeLinking);
            let enter = EnterLinkCode { code: code.text(), offer: &code.offer };
            let answer = runs(&mut printed, "EnterLinkCode", &mut ada, &enter);
            let progress =
                runs(&mut printed, "ContinueLinking", &mut desk, &ContinueLinking { message: &answer });
            let LinkProgress::Invite { invitation } = progress else { panic!("{progress:?}") };
            runs(&mut printed, "TakeInvitation", &mut ada, &TakeInvitation { invitation: &invitation })
        } else {
            let code = runs(&mut printed, "ShowLinkCode", &mut desk, &ShowLinkCode);
            printed.plant("the code", &code.text().as_bytes()["outrigger-link:".len()..]);
            printed.debug("LinkCode", &code);
            runs(&mut printed, "DescribeLinking", &mut desk, &DescribeLinking);
            runs(&mut printed, "ScanLinkCode", &mut ada, &ScanLinkCode { code: code.text() })
        };
        let consent = consent(&request);
        let grant =
            runs(&mut printed, "GrantLink", &mut ada, &GrantLink { reference: request.reference, consent });
        runs(&mut printed, "DescribeGranting", &mut ada, &DescribeGranting);
        let progress = runs(&mut printed, "ContinueLinking", &mut desk, &ContinueLinking { message: &grant });
        let LinkProgress::Confirm { confirmation, .. } = progress else { panic!("{progress:?}") };
        runs(&mut printed, "DescribeLinking", &mut desk, &DescribeLinking);
        let confirm = ConfirmLink { confirmation: &confirmation };
        let linked = runs(&mut printed, "ConfirmLink", &mut ada, &confirm);
        let finish = ContinueLinking { message: &linked.acknowledgement };
        runs(&mut printed, "ContinueLinking", &mut desk, &finish);
        assert_eq!(printed.leaks, [""; 0]);
    }
}

#[test]
fn l22_no_stage_of_what_companions_say_prints_a_text_or_a_key() {
    let Town { mut directory, mut ada, mut desk, mut ben, .. } = town();
    let mut printed = Printed::new();
    [&ada, &desk, &ben].iter().for_each(|device| printed.plant_device(device));
    printed.plant("the text", TEXT);

    let account = ada.address.account;
    directory.send(&mut ben, account, b"first").unwrap();
    let plan = runs(&mut printed, "PlanMessage", &mut ben, &PlanMessage { to: account });
    let keep = Keep::ForRetry;
    let send = SendToAccount { plan: &plan, plaintext: TEXT, associated_data: BOUND, keep };
    let sent = runs(&mut printed, "SendToAccount", &mut ben, &send);
    let (_, copy) = sent.copies.iter().find(|(to, _)| *to == desk.address).unwrap();
    let receive = Receive { from: ben.address, envelope: &copy.envelope, associated_data: BOUND };
    runs(&mut printed, "Receive", &mut desk, &receive);

    let accounts = [ben.address.account];
    let supply = SupplyCompanion { companion: desk.address.device, accounts: &accounts };
    let told = runs(&mut printed, "SupplyCompanion", &mut ada, &supply).envelope.unwrap();
    let heard = Receive { from: ada.address, envelope: &told, associated_data: &[] };
    let Content::Supply(frame) = runs(&mut printed, "Receive", &mut desk, &heard).content else { panic!() };
    let frame = SupplyFrame::from_kept(frame.as_bytes().to_vec());
    // The sync key is at the end.
    let sync_key = frame.as_bytes().last_chunk::<32>().unwrap();
    assert!(ada.random.tape.iter().any(|draw| draw[..] == sync_key[..]), "it is the one that was drawn");
    printed.plant("the sync key", sync_key);
    runs(&mut printed, "TakeSupply", &mut desk, &TakeSupply { frame: &frame });
    // What it gives begins with its salt, which is drawn and no secret.
    let seal = SealSynced { plaintext: TEXT, associated_data: b"" };
    stages(&mut printed, "SealSynced", &mut ada, &seal);
    let synced = ada.run(&seal).unwrap();
    runs(&mut printed, "OpenSynced", &mut desk, &OpenSynced { sealed: &synced, associated_data: b"" });

    let asked = runs(&mut printed, "AskHistory", &mut desk, &AskHistory { since: ben.now });
    let heard = Receive { from: desk.address, envelope: &asked, associated_data: &[] };
    let received = runs(&mut printed, "Receive", &mut ada, &heard);
    let Content::HistoryAsked { id, .. } = received.content else { panic!("{received:?}") };
    let seal = SealHistory { companion: desk.address.device, id, text: TEXT };
    let chunk = runs(&mut printed, "SealHistory", &mut ada, &seal);
    let finish = FinishHistory { companion: desk.address.device, id };
    let envelope = runs(&mut printed, "FinishHistory", &mut ada, &finish);
    let heard = Receive { from: ada.address, envelope: &envelope, associated_data: &[] };
    let received = runs(&mut printed, "Receive", &mut desk, &heard);
    let Content::History(manifest) = received.content else { panic!("{received:?}") };
    let manifest = HistoryManifest::from_kept(manifest.as_bytes().to_vec());
    printed.plant("the manifest", &manifest.as_bytes()[20..]);
    runs(&mut printed, "TakeHistory", &mut desk, &TakeHistory { manifest: &manifest });
    let open = OpenHistory { index: chunk.index, sealed: &chunk.sealed };
    runs(&mut printed, "OpenHistory", &mut desk, &open);
    assert_eq!(printed.leaks, [""; 0]);
}
