//! Two processes that make prekeys at once, and two that open two first messages made with one and the same one-time prekey.

use std::{collections::BTreeSet, path::Path};

use outrigger::RecordKind;

use crate::{
    child::{self, Process},
    device::Device,
    frames,
    report::Tally,
    scratch::Scratch,
    store::Journal,
};

/// How often each of two processes makes prekeys.
const RUNS: usize = 25;
/// How many at once.
const AT_ONCE: u16 = 10;
/// One-time prekeys that are given out twice.
const GIVEN_TWICE: usize = 40;
/// Messages that each of two strangers sends from one of them, all with the handshake.
const FIRST_MESSAGES: usize = 3;

#[test]
fn two_processes_that_make_prekeys_offer_none_twice_and_forget_none() {
    let scratch = Scratch::new("prekeys");
    let file = scratch.file("phone");
    drop(Device::open(&file, Journal::Ahead).register("phone"));
    let role: &[&str] = &["replenish", file.to_str().unwrap()];
    let tallies = Process::at_once(1, &[role, role]);

    let mut phone = Device::open(&file, Journal::Ahead);
    let made = 2 * RUNS * usize::from(AT_ONCE);
    let offered = phone.0.column::<Vec<u8>>("SELECT field FROM prekeys");
    assert_eq!(offered.iter().collect::<BTreeSet<_>>().len(), made, "all are offered, none twice");
    assert_eq!(records(&phone, RecordKind::OneTimePrekey), made);
    assert_eq!(records(&phone, RecordKind::SignedPrekey), 1, "the two did not make one each");
    assert_eq!(phone.replenish(0).one_time_alive, made, "none is forgotten");
    tallies.iter().for_each(|tally| println!("replenishing: {tally}"));
}

#[test]
fn of_two_first_messages_with_one_prekey_one_opens_and_the_other_never() {
    let scratch = Scratch::new("first-messages");
    let file = scratch.file("phone");
    let mut phone = Device::open(&file, Journal::Ahead).register("phone");
    let upload = phone.replenish(GIVEN_TWICE as u16);
    let mail = scratch.file("mail");
    for (place, field) in upload.one_time_prekeys.iter().enumerate() {
        for name in ["ada", "ben"] {
            let mut stranger =
                Device(crate::store::Store::in_memory()).register(&format!("{name} {place:03}"));
            stranger.start("phone", &[&upload.bundle[..], field].concat());
            for message in 0..FIRST_MESSAGES {
                frames::append(&mail, &stranger.send("phone", &format!("{name} {place:03} {message}")));
            }
        }
    }
    let phone_name = file.to_str().unwrap();
    let tallies = Process::at_once(
        GIVEN_TWICE,
        &[&["welcome", phone_name, "ada ben"], &["welcome", phone_name, "ben ada"]],
    );

    let opened = phone.inbox();
    let sessions: BTreeSet<&str> = opened.iter().map(|text| &text[..7]).collect();
    let prekeys: BTreeSet<&str> = sessions.iter().map(|session| &session[4..]).collect();
    assert_eq!(prekeys.len(), GIVEN_TWICE, "one session for each prekey");
    assert_eq!(sessions.len(), GIVEN_TWICE, "and no other");
    assert_eq!(records(&phone, RecordKind::OneTimePrekey), 0);
    assert_eq!(opened.len(), GIVEN_TWICE * FIRST_MESSAGES, "every message of the session that won");
    for tally in tallies {
        assert_eq!(tally.prekeys_gone as usize, GIVEN_TWICE * FIRST_MESSAGES, "every message of the other");
        println!("first messages: {tally}");
    }
}

fn records(device: &Device, kind: RecordKind) -> usize {
    let query = format!("SELECT revision FROM records WHERE substr(key, 1, 1) = x'{:02x}'", kind as u8);
    device.0.column::<i64>(&query).len()
}

/// In another process: makes prekeys.
pub(crate) fn replenish(own: &Path) -> Tally {
    let mut phone = Device::open(own, Journal::Ahead);
    child::await_start();
    (0..RUNS).for_each(|_| drop(phone.replenish(AT_ONCE)));
    phone.0.tally
}

/// In another process: opens the strangers' messages, of each pair of strangers those of one before those of the other.
pub(crate) fn welcome(own: &Path, order: &str) -> Tally {
    let mut phone = Device::open(own, Journal::Ahead);
    let mail = frames::read(&own.with_file_name("mail"));
    for (place, pair) in mail.chunks(2 * FIRST_MESSAGES).enumerate() {
        child::await_start();
        let (from_ada, from_ben) = pair.split_at(FIRST_MESSAGES);
        for name in order.split(' ') {
            for message in if name == "ada" { from_ada } else { from_ben } {
                phone.receive(&format!("{name} {place:03}"), message).ok();
            }
        }
    }
    phone.0.tally
}
