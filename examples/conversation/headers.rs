//! What envelopes show to whoever passes them on: the same short talk with headers in clear and with encrypted ones, and one search through both.
//!
//! Encrypted headers are chosen in one line, `Context::with_headers`, by the side that starts a session; the other side answers in kind.

use std::error::Error;

use getrandom::SysRng;
use outrigger::{
    Context, Generation, Headers, IdentityKey, Keep, MemoryStore, Receive, Register, ReplenishPrekeys, Send,
    SessionId, Start, UnixMillis, VerifiedBundle,
};

use crate::{report::Report, who::Who};

/// Messages that one side sends in a row.
const RUN: usize = 8;

/// Holds both talks and prints what shows in each. One sentence for each that shows more, or less, than it should.
pub(crate) fn compare(report: &mut Report) -> Result<Vec<String>, Box<dyn Error>> {
    report.heading("What envelopes show");
    let mut wrong = Vec::new();
    for (headers, name, expected) in [
        (Headers::Plain, "plain", &["the session", "the sender", "counters", "a string twice"][..]),
        (Headers::Encrypted, "encrypted", &[]),
    ] {
        let shown = talk(headers)?.shows();
        let what = if shown.is_empty() {
            "nothing but two fixed bytes and their length".to_owned()
        } else {
            shown.join(", ")
        };
        report.fact(name, &what);
        if shown != expected {
            wrong.push(format!("envelopes with {name} headers show: {what}"));
        }
    }
    Ok(wrong)
}

/// What passed, and what is looked for in it.
struct Talk {
    session: SessionId,
    senders: Vec<IdentityKey>,
    /// What one side said in a row, from the first message of its chain.
    runs: Vec<Vec<Vec<u8>>>,
}

/// Alice writes, Bob answers, Alice answers that.
fn talk(headers: Headers) -> Result<Talk, Box<dyn Error>> {
    let mut source = SysRng;
    let now = UnixMillis(1_800_000_000_000);
    let mut context = Context::new(now, Generation([7; 16]), &mut source).with_headers(headers);
    let (mut alice, mut bob) = (MemoryStore::new(), MemoryStore::new());
    let (to_alice, to_bob) = (Who::Alice.address()?, Who::Bob.address()?);
    let senders = vec![
        alice.run(&Register { address: to_alice }, &mut context)?,
        bob.run(&Register { address: to_bob }, &mut context)?,
    ];
    let upload = bob.run(&ReplenishPrekeys { one_time: 1 }, &mut context)?;
    let one_time = upload.one_time_prekeys.into_iter().flatten();
    let bundle =
        VerifiedBundle::verify(&upload.bundle.into_iter().chain(one_time).collect::<Vec<_>>(), &to_bob)?;
    let session = alice.run(&Start { bundle: &bundle }, &mut context)?.session;
    let mut runs = Vec::new();
    for speaker in [Who::Alice, Who::Bob, Who::Alice] {
        let (from, to, own, other) = match speaker {
            Who::Alice => (to_alice, to_bob, &mut alice, &mut bob),
            Who::Bob => (to_bob, to_alice, &mut bob, &mut alice),
        };
        let mut run = Vec::new();
        for _ in 0..RUN {
            let send = Send { to, plaintext: b"the same again", associated_data: b"", keep: Keep::Nothing };
            let envelope = own.run(&send, &mut context)?.envelope;
            other.run(&Receive { from, envelope: &envelope, associated_data: b"" }, &mut context)?;
            run.push(envelope);
        }
        runs.push(run);
    }
    Ok(Talk { session, senders, runs })
}

impl Talk {
    /// What a server can read off the envelopes, or link them by.
    fn shows(&self) -> Vec<&'static str> {
        let envelopes = || self.runs.iter().flatten();
        let any_holds = |bytes: &[u8]| envelopes().any(|envelope| holds(envelope, bytes));
        let sender = self.senders.iter().any(|key| any_holds(&key.encoded()));
        let counters = self.runs.iter().any(|run| counts_up(run));
        let mut strings: Vec<&[u8]> =
            envelopes().flat_map(|envelope| behind_front(envelope).windows(8)).collect();
        strings.sort_unstable();
        let twice = !strings.is_sorted_by(|one, next| one < next);
        let found = [
            (any_holds(&self.session.0), "the session"),
            (sender, "the sender"),
            (counters, "counters"),
            (twice, "a string twice"),
        ];
        found.into_iter().filter(|(shows, _)| *shows).map(|(_, what)| what).collect()
    }
}

fn holds(envelope: &[u8], bytes: &[u8]) -> bool {
    envelope.windows(bytes.len()).any(|window| window == bytes)
}

/// The envelope without its first two bytes: the version, and what says of what sort it is.
fn behind_front(envelope: &[u8]) -> &[u8] {
    envelope.get(2..).unwrap_or_default()
}

/// Whether there is a place where the envelopes of a run hold consecutive numbers. A counter of 0 is not written, so that the first is left out.
fn counts_up(run: &[Vec<u8>]) -> bool {
    let counted = run.get(1..).unwrap_or_default();
    let len = counted.iter().map(Vec::len).min().unwrap_or_default();
    let at = |place: usize| counted.iter().filter_map(move |envelope| envelope.get(place));
    (0..len).any(|place| at(place).zip(at(place).skip(1)).all(|(one, next)| one.wrapping_add(1) == *next))
}
