//! One life of the phone that is killed again and again: it opens the mail that waits, and sends, from what its file holds.
//!
//! Beside the store lie two files that stand for the network: `mail`, what the parent hands over, and `wire`, what the phone has let out. A text goes
//! onto the wire only once its step is stored, straight after; if the phone dies between the two, it is in the outbox alone.

use std::path::Path;

use crate::{child, crash::Crash, device::Device, frames, report::Tally, store::Journal};

/// Prekeys are made once in so many rounds.
const REPLENISH: usize = 8;

/// In another process: so many rounds of receiving and sending, and then what is left of the mail. It seldom gets there.
pub(crate) fn live(own: &Path, rounds: &str, crash: &str) -> Tally {
    let mut phone = Device::open(own, Journal::Rollback);
    phone.0.crash = Crash::parse(crash);
    let [said] = phone.0.column::<i64>("SELECT count(*) FROM outbox")[..] else { panic!("a count") };
    let wire = own.with_file_name("wire");
    let mail = frames::read(&own.with_file_name("mail"));
    let open = |phone: &mut Device, envelope: &Vec<u8>| {
        if phone.receive("peer", envelope).is_err() {
            // An empty frame: an envelope was refused as opened before.
            frames::append(&wire, b"");
        }
    };
    child::ready();

    let mut mail = mail.iter();
    for round in 0..rounds.parse().unwrap() {
        mail.next().iter().for_each(|envelope| open(&mut phone, envelope));
        let envelope = phone.send("peer", &format!("phone {:08}", said + round as i64));
        frames::append(&wire, &envelope);
        if round % REPLENISH == 1 {
            phone.replenish(1);
        }
    }
    mail.for_each(|envelope| open(&mut phone, envelope));
    phone.0.tally
}
