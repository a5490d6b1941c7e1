//! The app on one device: it says lines, hears lines, and repeats what has no receipt.
//!
//! All that must survive is in the store; what is in memory beside it can be lost at any moment and is made again from the file.
//!
//! ```text
//! say    Send     + row in the outbox, one transaction ──▶ packet, repeated until a receipt comes
//! hear   Receive  + row in the inbox,  one transaction ──▶ receipt
//!        or RequestRetry + its row,    one transaction ──▶ request, again for the same envelope
//! answer AnswerRetry + row in the outbox                ──▶ packet, as said
//! ```

use std::{collections::BTreeMap, path::Path};

use outrigger::{
    Address, Advice, AnswerRetry, DescribeDevice, DescribePeer, DriveError, IdentityKey, Keep, MessageId,
    OpenError, PrekeyUpload, Receive, Register, ReplenishPrekeys, RequestRetry, RetryAnswer, RetryError,
    RetryRequest, Send, Sent, SessionDescription, ShowSafetyNumber, Start, Started, VerifiedBundle,
};
use rusqlite::Connection;

use crate::{
    mailbox,
    network::{Body, Packet},
    script::Line,
    store::{CrashPoint, Durability, Store},
    trouble::Trouble,
    who::Who,
};

/// Ticks without a receipt after which an envelope is sent again.
const REPEAT_AFTER: u64 = 14;
/// How far a device speaks beyond its oldest line without a receipt: among the 64 that it sent last, which the peer can ask for.
const WINDOW: u32 = 64;
/// One-time prekeys to upload.
const ONE_TIME: u16 = 20;

/// What a person will see, and what the network is owed for it.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A text. `late`: a later line was heard before.
    New { text: Vec<u8>, late: bool },
    /// A line that is known, by another envelope than before.
    Known,
    /// Refused, and the line is in the inbox: opened before, the receipt was lost.
    Again(OpenError),
    /// Refused; the peer is asked for it, by this request.
    Retry(OpenError, Vec<u8>),
    /// Refused, and nothing is to be done.
    Dropped(OpenError),
}

/// What came of saying a line.
#[derive(Debug)]
pub(crate) enum Said {
    Packet(Packet),
    /// There is no session yet: fetch the peer's bundle, `start`, say it again.
    NeedsBundle,
}

/// What came of a request of the peer's.
#[derive(Debug)]
pub(crate) enum Answered {
    Packet(Packet),
    /// The session is broken: fetch the peer's bundle, and answer with it.
    NeedsBundle,
    /// Answered before, or nothing that this device has said.
    Dropped(RetryError),
}

/// An envelope that has no receipt.
#[derive(Debug)]
struct Unsettled {
    envelope: Vec<u8>,
    due: u64,
}

/// A running device.
#[derive(Debug)]
pub(crate) struct Device {
    who: Who,
    peer: Address,
    store: Store,
    unsettled: BTreeMap<u32, Unsettled>,
    said: u32,
    heard: u32,
}

impl Device {
    /// Sets a device up in an empty directory; what it returns is for the server.
    pub(crate) fn set_up(
        who: Who,
        directory: &Path,
        durability: Durability,
    ) -> Result<(IdentityKey, PrekeyUpload), Trouble> {
        let mut store = Store::create(directory, durability)?;
        let address = who.address()?;
        let identity = store.run(&Register { address }, |_, _| Ok(()))?;
        let upload = store.run(&ReplenishPrekeys { one_time: ONE_TIME }, |_, _| Ok(()))?;
        Ok((identity, upload))
    }

    /// Starts the app on what the store holds.
    pub(crate) fn open(who: Who, directory: &Path, durability: Durability) -> Result<Self, Trouble> {
        let mut store = Store::open(directory, durability)?;
        // Nothing but a check: a store that is damaged or came back from a backup is refused here.
        store.run(&DescribeDevice, |_, _| Ok(()))?;
        let (said, heard) = mailbox::last_lines(store.connection())?;
        let unsettled = mailbox::unsettled(store.connection())?
            .into_iter()
            .map(|(line, envelope)| (line, Unsettled { envelope, due: 0 }))
            .collect();
        let peer = who.peer().address()?;
        Ok(Self { who, peer, store, unsettled, said, heard })
    }

    /// Starts a session from the bytes that the server gave out for the peer.
    pub(crate) fn start(&mut self, bundle: &[u8]) -> Result<Started, Trouble> {
        let bundle = VerifiedBundle::verify(bundle, &self.peer)?;
        Ok(self.store.run(&Start { bundle: &bundle }, |_, _| Ok(()))?)
    }

    /// Says a line: it is encrypted, and kept with its envelope, in one transaction.
    pub(crate) fn say(&mut self, now: u64, line: u32, text: &[u8]) -> Result<Said, Trouble> {
        let send = Send {
            to: self.peer,
            plaintext: text,
            associated_data: &line.to_be_bytes(),
            keep: Keep::ForRetry,
        };
        let keep = |tx: &Connection, sent: &Sent| mailbox::put_out(tx, line, text, &sent.envelope);
        match self.store.run(&send, keep) {
            Ok(sent) => {
                self.said = self.said.max(line);
                Ok(Said::Packet(self.packet(now, line, sent.envelope)))
            }
            Err(DriveError::Refused(error)) if error.advice() == Advice::FetchBundle => Ok(Said::NeedsBundle),
            Err(error) => Err(error.into()),
        }
    }

    /// The packet of an envelope, to be repeated until its receipt comes.
    fn packet(&mut self, now: u64, line: u32, envelope: Vec<u8>) -> Packet {
        let due = now.saturating_add(REPEAT_AFTER);
        self.unsettled.insert(line, Unsettled { envelope: envelope.clone(), due });
        Packet { from: self.who, line, body: Body::Envelope(envelope) }
    }

    /// Opens an envelope, and keeps the text in the same transaction.
    pub(crate) fn hear(&mut self, line: u32, envelope: &[u8]) -> Result<Heard, Trouble> {
        // The line's number is bound: the network cannot pass one line off as another.
        let receive = Receive { from: self.peer, envelope, associated_data: &line.to_be_bytes() };
        let mut new = false;
        let received = self.store.run(&receive, |transaction, received| {
            new = mailbox::put_in(transaction, line, received.content.text().unwrap_or_default())?;
            Ok(())
        });
        match received {
            Ok(received) if new => {
                let late = line < self.heard;
                self.heard = self.heard.max(line);
                Ok(Heard::New { text: received.content.text().unwrap_or_default().to_vec(), late })
            }
            Ok(_) => Ok(Heard::Known),
            Err(DriveError::Refused(error)) => self.refused(line, envelope, error),
            Err(error) => Err(error.into()),
        }
    }

    /// An envelope was refused, and nothing has changed. What now?
    fn refused(&mut self, line: u32, envelope: &[u8], error: OpenError) -> Result<Heard, Trouble> {
        // Most of these are repeats of what has arrived, by this envelope or another.
        if mailbox::holds(self.store.connection(), line)? {
            return Ok(Heard::Again(error));
        }
        match error.advice() {
            Advice::Drop => Ok(Heard::Dropped(error)),
            Advice::RequestRetry => self.ask(envelope, error),
            // For a person, for a newer app, or for the setup. Nothing of it can happen between these two; an app has a screen for each.
            Advice::AnswerRetry
            | Advice::AskUser
            | Advice::AwaitPeer
            | Advice::AskSupply
            | Advice::AwaitPhone
            | Advice::TakeFrame
            | Advice::RejoinPhone
            | Advice::CheckRandomSource
            | Advice::FetchBundle
            | Advice::FetchDevices
            | Advice::FixCall
            | Advice::Later
            | Advice::LinkAgain
            | Advice::Recover
            | Advice::RegisterAnew
            | Advice::Replenish
            | Advice::Update => Err(Trouble::Refused(error.into())),
        }
    }

    /// Asks the peer for what could not be opened. The request is kept, since the network may lose it: for the same envelope again, the same request.
    fn ask(&mut self, envelope: &[u8], error: OpenError) -> Result<Heard, Trouble> {
        let message = MessageId::of(envelope)?;
        if let Some(request) = mailbox::request(self.store.connection(), &message)? {
            return Ok(Heard::Retry(error, request));
        }
        let ask = RequestRetry { from: self.peer, envelope, error };
        let keep = |tx: &Connection, asked: &RetryRequest| mailbox::put_request(tx, &message, &asked.request);
        match self.store.run(&ask, keep) {
            Ok(asked) => Ok(Heard::Retry(error, asked.request)),
            Err(DriveError::Refused(refused)) if matches!(refused.advice(), Advice::Drop | Advice::Later) => {
                Ok(Heard::Dropped(error))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Answers a request of the peer's: the line, encrypted anew, takes the place of the former envelope.
    pub(crate) fn answer(
        &mut self,
        now: u64,
        line: u32,
        request: &[u8],
        bundle: Option<&VerifiedBundle>,
    ) -> Result<Answered, Trouble> {
        let answer = AnswerRetry { from: self.peer, request, bundle, resend_to: None };
        let keep = |tx: &Connection, answer: &RetryAnswer| mailbox::put_again(tx, line, &answer.envelope);
        match self.store.run(&answer, keep) {
            Ok(answer) => Ok(Answered::Packet(self.packet(now, line, answer.envelope))),
            Err(DriveError::Refused(error)) => match error.advice() {
                Advice::FetchBundle => Ok(Answered::NeedsBundle),
                Advice::Drop => Ok(Answered::Dropped(error)),
                Advice::RequestRetry
                | Advice::AnswerRetry
                | Advice::AskUser
                | Advice::AwaitPeer
                | Advice::AskSupply
                | Advice::AwaitPhone
                | Advice::TakeFrame
                | Advice::RejoinPhone
                | Advice::FetchDevices
                | Advice::LinkAgain
                | Advice::Replenish
                | Advice::Update
                | Advice::Later
                | Advice::CheckRandomSource
                | Advice::Recover
                | Advice::RegisterAnew
                | Advice::FixCall => Err(Trouble::Refused(error.into())),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// The lines whose envelopes are due to be sent again.
    pub(crate) fn due(&self, now: u64) -> Vec<u32> {
        self.unsettled.iter().filter(|(_, unsettled)| unsettled.due <= now).map(|(line, _)| *line).collect()
    }

    /// The packet of a line again.
    pub(crate) fn repeat(&mut self, now: u64, line: u32) -> Option<Packet> {
        let unsettled = self.unsettled.get_mut(&line)?;
        unsettled.due = now.saturating_add(REPEAT_AFTER);
        Some(Packet { from: self.who, line, body: Body::Envelope(unsettled.envelope.clone()) })
    }

    /// Takes receipts.
    pub(crate) fn settle(&mut self, lines: &[u32]) -> Result<(), Trouble> {
        if !lines.is_empty() {
            mailbox::settle(self.store.connection(), lines)?;
        }
        lines.iter().for_each(|line| drop(self.unsettled.remove(line)));
        Ok(())
    }

    /// Kills the device at its next step, or not.
    pub(crate) fn crash_at(&mut self, point: Option<CrashPoint>) {
        self.store.crash = point;
    }

    /// The last line that this device has said; 0: none.
    pub(crate) fn said(&self) -> u32 {
        self.said
    }

    /// Whether it is this device's turn to say a line.
    pub(crate) fn may_say(&self, line: &Line) -> bool {
        let oldest = self.unsettled.first_key_value().map_or(self.said, |(line, _)| *line);
        self.heard >= line.answers && self.said.saturating_sub(oldest) < WINDOW
    }

    /// Lines without a receipt.
    pub(crate) fn waiting(&self) -> usize {
        self.unsettled.len()
    }

    /// How many records the store holds.
    pub(crate) fn records(&self) -> Result<u64, Trouble> {
        Ok(self.store.count()?)
    }

    /// The session with the peer.
    pub(crate) fn session(&mut self) -> Result<Option<SessionDescription>, Trouble> {
        let peer = DescribePeer { peer: self.peer };
        Ok(self.store.run(&peer, |_, _| Ok(()))?.session)
    }

    /// The number that the two compare to be sure of each other.
    pub(crate) fn safety_number(&mut self) -> Result<String, Trouble> {
        Ok(self.store.run(&ShowSafetyNumber { peer: self.peer }, |_, _| Ok(()))?.digits())
    }

    /// What was heard, in the order in which it came, without the first so many.
    pub(crate) fn unseen(&mut self, shown: u64) -> Result<Vec<(u32, Vec<u8>)>, Trouble> {
        Ok(mailbox::heard(self.store.connection(), shown)?)
    }
}
