//! The app on one device: it says lines, hears lines, and repeats what has no receipt.
//!
//! All that must survive is in the store; what is in memory beside it can be lost at any moment and is made again from the file.
//!
//! ```text
//! say    Send     + row in the outbox, one transaction ──▶ packet, repeated until a receipt comes
//! hear   Receive  + row in the inbox,  one transaction ──▶ receipt
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use outrigger::{
    AccountId, Address, Advice, DescribeDevice, DescribePeer, DeviceId, DriveError, IdentityKey, Keep,
    OpenError, PrekeyUpload, Receive, Register, ReplenishPrekeys, Send, SendError, SessionDescription,
    ShowSafetyNumber, Start, Started, VerifiedBundle,
};

use crate::{
    mailbox,
    network::{Body, Packet},
    script::{Line, Who},
    store::{CrashPoint, Durability, Store, StoreError},
    trouble::Trouble,
};

/// Ticks without a receipt after which an envelope is sent again.
const REPEAT_AFTER: u64 = 14;
/// Sendings of the same envelope before its line is encrypted anew. The peer may have dropped the key: when five turns have passed over an
/// envelope it opens no more, and the peer is not always able to tell that from a forgery and ask.
const SENDINGS: u32 = 5;
/// Lines without a receipt, above which a device waits. Far below the 1,000 that a receiver follows.
const WINDOW: usize = 64;
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
    /// Refused; the peer must encrypt the line anew.
    Retry(OpenError),
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

/// An envelope that has no receipt.
#[derive(Debug)]
struct Unsettled {
    envelope: Vec<u8>,
    due: u64,
    sendings: u32,
}

/// A running device.
#[derive(Debug)]
pub(crate) struct Device {
    who: Who,
    peer: Address,
    store: Store,
    unsettled: BTreeMap<u32, Unsettled>,
    /// Lines that the peer was asked to encrypt anew: once each.
    asked: BTreeSet<u32>,
    said: u32,
    heard: u32,
}

/// Where someone is reached. A real app draws the account id at random or gets it from its server.
pub(crate) fn address(who: Who) -> Result<Address, Trouble> {
    let id = match who {
        Who::Alice => b"account of alice",
        Who::Bob => b"the account: bob",
    };
    Ok(Address::new(AccountId::new(id)?, DeviceId::PHONE))
}

impl Device {
    /// Sets a device up in an empty directory; what it returns is for the server.
    pub(crate) fn set_up(
        who: Who,
        directory: &Path,
        durability: Durability,
    ) -> Result<(IdentityKey, PrekeyUpload), Trouble> {
        let mut store = Store::create(directory, durability)?;
        let address = address(who)?;
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
            .map(|(line, envelope)| (line, Unsettled { envelope, due: 0, sendings: 0 }))
            .collect();
        let peer = address(who.peer())?;
        Ok(Self { who, peer, store, unsettled, asked: BTreeSet::new(), said, heard })
    }

    /// Starts a session from the bytes that the server gave out for the peer.
    pub(crate) fn start(&mut self, bundle: &[u8]) -> Result<Started, Trouble> {
        let bundle = VerifiedBundle::verify(bundle, &self.peer)?;
        Ok(self.store.run(&Start { bundle: &bundle }, |_, _| Ok(()))?)
    }

    /// Says a line: it is encrypted, and kept with its envelope, in one transaction.
    pub(crate) fn say(&mut self, now: u64, line: u32, text: &[u8]) -> Result<Said, Trouble> {
        match self.seal(now, line, text) {
            Ok(packet) => Ok(Said::Packet(packet)),
            Err(DriveError::Refused(error)) if error.advice() == Advice::FetchBundle => Ok(Said::NeedsBundle),
            Err(error) => Err(error.into()),
        }
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
                self.asked.remove(&line);
                Ok(Heard::New { text: received.content.text().unwrap_or_default().to_vec(), late })
            }
            Ok(_) => Ok(Heard::Known),
            Err(DriveError::Refused(error)) => self.refused(line, error),
            Err(error) => Err(error.into()),
        }
    }

    /// An envelope was refused, and nothing has changed. What now?
    fn refused(&mut self, line: u32, error: OpenError) -> Result<Heard, Trouble> {
        // Most of these are repeats of what has arrived. Old ones are refused for other reasons than `Duplicate`, so ask the inbox.
        if mailbox::holds(self.store.connection(), line)? {
            return Ok(Heard::Again(error));
        }
        match error.advice() {
            Advice::Drop => Ok(Heard::Dropped(error)),
            Advice::RequestRetry if self.asked.insert(line) => Ok(Heard::Retry(error)),
            Advice::RequestRetry => Ok(Heard::Dropped(error)),
            // For a person, for a newer app, or for the setup. Nothing of it can happen between these two; an app has a screen for each.
            Advice::AnswerRetry
            | Advice::AskUser
            | Advice::AwaitPeer
            | Advice::CheckRandomSource
            | Advice::FetchBundle
            | Advice::FixCall
            | Advice::Later
            | Advice::Recover
            | Advice::RegisterAnew
            | Advice::Replenish
            | Advice::Update => Err(Trouble::Refused(error.into())),
        }
    }

    /// The lines whose envelopes are due to be sent again.
    pub(crate) fn due(&self, now: u64) -> Vec<u32> {
        self.unsettled.iter().filter(|(_, unsettled)| unsettled.due <= now).map(|(line, _)| *line).collect()
    }

    /// The packet of a line again, and whether it was encrypted anew for that.
    pub(crate) fn repeat(&mut self, now: u64, line: u32) -> Result<Option<(Packet, bool)>, Trouble> {
        let Some(unsettled) = self.unsettled.get_mut(&line) else { return Ok(None) };
        if unsettled.sendings >= SENDINGS {
            return Ok(self.say_anew(now, line)?.map(|packet| (packet, true)));
        }
        unsettled.sendings = unsettled.sendings.saturating_add(1);
        unsettled.due = now.saturating_add(REPEAT_AFTER);
        let body = Body::Envelope(unsettled.envelope.clone());
        Ok(Some((Packet { from: self.who, line, body }, false)))
    }

    /// Encrypts a line that has no receipt once more. Should both envelopes open, the inbox takes the line once.
    pub(crate) fn say_anew(&mut self, now: u64, line: u32) -> Result<Option<Packet>, Trouble> {
        if !self.unsettled.contains_key(&line) {
            return Ok(None);
        }
        let Some(text) = mailbox::said(self.store.connection(), line)? else { return Ok(None) };
        Ok(Some(self.seal(now, line, &text)?))
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
        self.heard >= line.answers && self.unsettled.len() < WINDOW
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

    fn seal(
        &mut self,
        now: u64,
        line: u32,
        text: &[u8],
    ) -> Result<Packet, DriveError<SendError, StoreError>> {
        let send = Send {
            to: self.peer,
            plaintext: text,
            associated_data: &line.to_be_bytes(),
            keep: Keep::ForRetry,
        };
        let sent = self
            .store
            .run(&send, |transaction, sent| mailbox::put_out(transaction, line, text, &sent.envelope))?;
        let due = now.saturating_add(REPEAT_AFTER);
        self.unsettled.insert(line, Unsettled { envelope: sent.envelope.clone(), due, sendings: 1 });
        self.said = self.said.max(line);
        Ok(Packet { from: self.who, line, body: Body::Envelope(sent.envelope) })
    }
}
