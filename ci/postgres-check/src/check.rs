//! What the fleet is sent out to do, and what must be true of the tables after it.

use std::collections::BTreeSet;

use outrigger::RecordKind;

use crate::{
    device::Device,
    fleet::{PROCESSES, WORKERS, send_out},
    keys::Keys,
};

/// Chains of the peer's in which envelopes wait for the phone: fewer than are remembered.
const CHAINS: usize = 4;
/// Envelopes in each.
const IN_A_CHAIN: usize = 25;
/// How often each worker makes prekeys.
pub(crate) const RUNS: usize = 10;
/// How many at once.
pub(crate) const AT_ONCE: u16 = 5;
/// One-time prekeys that are given out twice.
pub(crate) const GIVEN_TWICE: usize = 20;
/// Messages that each of two strangers sends from one of them, all with the handshake.
const FIRST_MESSAGES: usize = 3;
/// All workers.
const ALL: usize = PROCESSES * WORKERS;

/// The whole check.
pub(crate) async fn all(server: &str) {
    let phone = Device::connect(server, "phone").await;
    phone.0.create().await;
    let mut phone = phone.register("phone").await;
    println!("{PROCESSES} processes with {WORKERS} workers each, on one device's records");
    prekeys(server, &mut phone).await;
    conversation(server, &mut phone).await;
    first_messages(server, &mut phone).await;
}

/// All make prekeys at once: none is offered twice, none is forgotten.
async fn prekeys(server: &str, phone: &mut Device) {
    let tally = send_out(server, PROCESSES, "replenish");
    let made = ALL * RUNS * usize::from(AT_ONCE);
    let offered = phone.0.column::<Vec<u8>>("SELECT field FROM prekeys WHERE device = $1", "phone").await;
    assert_eq!(offered.iter().collect::<BTreeSet<_>>().len(), made, "all are offered, none twice");
    assert_eq!(records(phone, RecordKind::OneTimePrekey).await, made);
    assert_eq!(records(phone, RecordKind::SignedPrekey).await, 1, "not one of each worker");
    assert_eq!(phone.replenish(0).await.one_time_alive, made, "none is forgotten");
    println!("replenishing:   {tally}; {made} prekeys");
}

/// All open one stream of envelopes, each in another order, and send; then all of a second fleet, at the peer, open what was sent.
async fn conversation(server: &str, phone: &mut Device) {
    let mut peer = Device::connect(server, "peer").await.register("peer").await;
    let upload = phone.replenish(1).await;
    peer.start("phone", &[&upload.bundle[..], &upload.one_time_prekeys[0]].concat()).await;
    for chain in 0..CHAINS {
        let first = peer.send("phone", &format!("peer {chain} first")).await;
        for place in 1..IN_A_CHAIN {
            peer.send("phone", &format!("peer {chain} {place}")).await;
        }
        phone.receive("peer", &first).await.unwrap();
        if chain + 1 < CHAINS {
            let answer = phone.send("peer", &format!("answer {chain}")).await;
            peer.receive("phone", &answer).await.unwrap();
        }
    }
    let tally = send_out(server, PROCESSES, "share");
    let peer_tally = send_out(server, PROCESSES, "answer");

    let (sealed, answers) = (CHAINS * IN_A_CHAIN, CHAINS - 1);
    assert_eq!(phone.outbox().await.len(), answers + ALL * sealed, "one text after each envelope");
    assert!(peer.inbox().await == phone.outbox().await, "every text at the peer, once");
    assert!(phone.inbox().await == peer.outbox().await, "every text at the phone, once");
    let envelopes = [phone.envelopes("phone").await, peer.envelopes("peer").await].concat();
    let mut keys = Keys::default();
    assert!(envelopes.iter().all(|envelope| keys.note(envelope)), "every envelope under a key of its own");
    // Every message, and the start of the session, rewrites the peer's record, so a lost update is a revision too few.
    for (device, starts) in [(&*phone, 0), (&peer, 1)] {
        let messages = device.inbox().await.len() + device.outbox().await.len();
        assert_eq!(
            revisions(device, RecordKind::Peer).await,
            [messages as i64 + starts],
            "no update is lost"
        );
    }
    assert_eq!(tally.refused() as usize, ALL * sealed - (sealed - CHAINS), "one of all opened each envelope");
    println!("app and others: {tally}");
    println!("at the peer:    {peer_tally}");
    println!("{} envelopes, {} keys, every conflict resolved", envelopes.len(), keys.len());
}

/// Two strangers are given one prekey; all workers open what both have sent. One session is made, and no other.
async fn first_messages(server: &str, phone: &mut Device) {
    let before = (phone.inbox().await.len(), records(phone, RecordKind::OneTimePrekey).await);
    let upload = phone.replenish(GIVEN_TWICE as u16).await;
    for (pair, field) in upload.one_time_prekeys.iter().enumerate() {
        for name in strangers(pair) {
            let mut stranger = Device::connect(server, &name).await.register(&name).await;
            stranger.start("phone", &[&upload.bundle[..], field].concat()).await;
            for message in 0..FIRST_MESSAGES {
                stranger.send("phone", &format!("{name} {message}")).await;
            }
        }
    }
    let tally = send_out(server, PROCESSES, "welcome");
    let opened = phone.inbox().await;
    assert_eq!(opened.len() - before.0, GIVEN_TWICE * FIRST_MESSAGES, "every message of one of the two");
    let sessions: BTreeSet<&str> =
        opened.iter().filter_map(|text| text.strip_prefix("stranger ")).map(|text| &text[..5]).collect();
    assert_eq!(sessions.len(), GIVEN_TWICE, "one session for each prekey");
    assert_eq!(records(phone, RecordKind::OneTimePrekey).await, before.1, "each prekey was used up");
    assert_eq!(
        tally.prekeys_gone as usize,
        ALL * GIVEN_TWICE * FIRST_MESSAGES,
        "every message of the other is refused"
    );
    println!("first messages: {tally}");
}

/// The two who are given one prekey.
pub(crate) fn strangers(pair: usize) -> [String; 2] {
    ["a", "b"].map(|one| format!("stranger {pair:03} {one}"))
}

async fn records(device: &Device, kind: RecordKind) -> usize {
    revisions(device, kind).await.len()
}

async fn revisions(device: &Device, kind: RecordKind) -> Vec<i64> {
    let query =
        format!("SELECT revision FROM records WHERE device = $1 AND get_byte(key, 0) = {}", kind as u8);
    device.0.column(&query, &device.0.device).await
}
