//! The app on one device. It is written against `advice()` alone: [`Device::follow`] is all that it knows of errors.
//!
//! ```text
//! say      Send      + a row in the outbox  ──────────────┐
//! hear     Receive   + a row in the inbox                 ├──▶ post: until the server has it
//! follow   RequestRetry, AnswerRetry + a row in the outbox┘
//!          Start · Recover · ReplenishPrekeys · put off · forget
//! ```

use std::path::Path;

use outrigger::{
    Address, Advice, AnswerRetry, DescribeDevice, DescribePeer, DriveError, Keep, MessageId, OpenError,
    Operation, Receive, Recover, Register, RequestRetry, Restart, Send, SessionId, UnixMillis,
};
use rusqlite::Transaction;

use crate::{
    mailbox::{self, Way},
    server::{Mail, Server},
    source::Keys,
    store::Store,
    tally::Tally,
    trouble::Trouble,
    who::Who,
};

/// A running device.
pub(crate) struct Device {
    pub(crate) address: Address,
    pub(crate) peer: Address,
    pub(crate) store: Store,
}

/// What a device reaches outside itself.
pub(crate) struct Outside<'a> {
    pub(crate) server: &'a mut Server,
    pub(crate) tally: &'a mut Tally,
}

/// What was refused.
#[derive(Clone, Copy)]
enum Input<'a> {
    /// Something of this device's own.
    Own,
    /// A mail; its error, where it was to be opened.
    Mail(&'a Mail, Option<OpenError>),
}

/// Whether what was refused is tried once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Again,
    Over,
}

impl Device {
    /// Starts the app on what its directory holds.
    pub(crate) fn open(
        who: Who,
        directory: &Path,
        keys: Keys,
        now: UnixMillis,
        outside: &mut Outside<'_>,
    ) -> Result<Self, Trouble> {
        let store = Store::open(directory, keys, now)?;
        let mut device = Self { address: who.address()?, peer: who.peer().address()?, store };
        if device.store.record_keys()?.is_empty() {
            let address = device.address;
            device.store.run(&Register { address }, |_, _| Ok(()))?;
        }
        device.run(&DescribeDevice, Input::Own, outside, |_, _| Ok(()))?;
        device.check_keys(outside)?;
        Ok(device)
    }

    /// What an app does with every advice there is.
    fn follow(
        &mut self,
        advice: Advice,
        input: Input<'_>,
        outside: &mut Outside<'_>,
    ) -> Result<Next, Trouble> {
        match (advice, input) {
            (Advice::Drop, Input::Mail(mail, _)) => self.store.note(|tx| mailbox::read(tx, mail, None))?,
            (Advice::RequestRetry, Input::Mail(mail, Some(error))) => self.ask(mail, error, outside)?,
            (Advice::AnswerRetry, Input::Mail(mail, _)) => self.answer(mail, outside)?,
            (Advice::Later, Input::Mail(mail, _)) => {
                let then = self.store.now.plus(UnixMillis::HOUR);
                self.store.note(|tx| mailbox::read(tx, mail, Some(then)))?;
            }
            (Advice::FetchBundle, _) => {
                let bundle = self.fetch(outside)?;
                self.store.run(&Restart { bundle: &bundle }, |_, _| Ok(()))?;
                return Ok(Next::Again);
            }
            (Advice::Replenish, _) => {
                self.replenish(outside)?;
                return Ok(Next::Again);
            }
            (Advice::Recover, _) => {
                let records = self.store.record_keys()?;
                self.store.run(&Recover { records: &records }, |_, _| Ok(()))?;
                self.check_keys(outside)?;
                return Ok(Next::Again);
            }
            // For the user, for a newer app, for whoever wrote this one: nothing of it can happen between these two.
            (
                Advice::Drop
                | Advice::RequestRetry
                | Advice::AnswerRetry
                | Advice::Later
                | Advice::AskUser
                | Advice::AwaitPeer
                | Advice::AskSupply
                | Advice::AwaitPhone
                | Advice::TakeFrame
                | Advice::RejoinPhone
                | Advice::FetchDevices
                | Advice::LinkAgain
                | Advice::Update
                | Advice::CheckRandomSource
                | Advice::RegisterAnew
                | Advice::FixCall,
                _,
            ) => return Err(Trouble::Stuck(format!("no way to follow {advice:?}"))),
        }
        Ok(Next::Over)
    }

    /// Runs an operation, and follows the advice of its errors until it is done or given up (`None`).
    fn run<O: Operation>(
        &mut self,
        operation: &O,
        input: Input<'_>,
        outside: &mut Outside<'_>,
        mut keep: impl FnMut(&Transaction<'_>, &O::Output) -> rusqlite::Result<()>,
    ) -> Result<Option<O::Output>, Trouble> {
        loop {
            let error = match self.store.run(operation, &mut keep) {
                Ok(output) => return Ok(Some(output)),
                Err(error) => error,
            };
            let Some(advice) = error.advice() else { return Err(error.into()) };
            if self.follow(advice, input, outside)? == Next::Over {
                return Ok(None);
            }
        }
    }

    /// Says a line.
    pub(crate) fn say(
        &mut self,
        line: u32,
        text: &[u8],
        keep: Keep,
        outside: &mut Outside<'_>,
    ) -> Result<(), Trouble> {
        let send = Send { to: self.peer, plaintext: text, associated_data: b"", keep };
        self.run(&send, Input::Own, outside, |tx, sent| {
            mailbox::put_out(tx, Some(line), Some(&sent.message_id), &sent.envelope)
        })?;
        Ok(())
    }

    /// Reads a mail, if there is one.
    pub(crate) fn hear(&mut self, outside: &mut Outside<'_>) -> Result<bool, Trouble> {
        let place = mailbox::next_mail(self.store.connection(), self.store.now)?;
        let Some(mail) = outside.server.mail(&self.address, place) else { return Ok(false) };
        let receive = Receive { from: mail.from, envelope: &mail.bytes, associated_data: b"" };
        let opened = self.store.run(&receive, |tx, received| {
            mailbox::read(tx, &mail, None)?;
            let way = match (received.again, mail.repeated) {
                (true, _) => Way::Asked,
                (false, true) => Way::Repeated,
                (false, false) => Way::AtOnce,
            };
            match received.content.text() {
                Some(text) => mailbox::put_in(tx, &received.message_id, text, way),
                None => mailbox::put_place(tx, &received.message_id, true),
            }
        });
        match opened {
            Ok(_) => {}
            Err(DriveError::Refused(error)) => {
                outside.tally.refused(&error);
                self.follow(error.advice(), Input::Mail(&mail, Some(error)), outside)?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// Asks for what could not be opened, and keeps its place.
    fn ask(&mut self, mail: &Mail, error: OpenError, outside: &mut Outside<'_>) -> Result<(), Trouble> {
        let message = MessageId::of(&mail.bytes)?;
        let ask = RequestRetry { from: mail.from, envelope: &mail.bytes, error };
        let asked = self.run(&ask, Input::Mail(mail, None), outside, |tx, asked| {
            mailbox::put_place(tx, &message, false)?;
            mailbox::put_out(tx, None, None, &asked.request)?;
            mailbox::read(tx, mail, None)
        })?;
        outside.tally.asked(asked.is_some());
        Ok(())
    }

    /// Answers a request, with the peer's bundle where that is wanted.
    fn answer(&mut self, mail: &Mail, outside: &mut Outside<'_>) -> Result<(), Trouble> {
        let mut bundle = None;
        loop {
            let answer = AnswerRetry {
                from: mail.from,
                request: &mail.bytes,
                bundle: bundle.as_ref(),
                resend_to: None,
            };
            let answered = self.store.run(&answer, |tx, answer| {
                let line = mailbox::line_of(tx, &answer.message_id)?;
                mailbox::put_out(tx, line, Some(&answer.message_id), &answer.envelope)?;
                mailbox::read(tx, mail, None)
            });
            match answered {
                Ok(answer) => {
                    outside.tally.answered(&answer);
                    return Ok(());
                }
                Err(DriveError::Refused(error)) if error.advice() == Advice::FetchBundle => {
                    bundle = Some(self.fetch(outside)?);
                }
                Err(DriveError::Refused(error)) => {
                    outside.tally.unanswered();
                    return self.follow(error.advice(), Input::Mail(mail, None), outside).map(drop);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Hands what is in the outbox to the server.
    pub(crate) fn post(&mut self, outside: &mut Outside<'_>) -> Result<(), Trouble> {
        for out in mailbox::untaken(self.store.connection())? {
            let taken = outside.server.post(self.address, self.peer, out.bytes, out.tries);
            if let (Some(line), Some(message), true) = (out.line, out.message, taken) {
                outside.tally.went_out(line, message);
            }
            self.store.note(|tx| mailbox::tried(tx, out.id, taken))?;
        }
        Ok(())
    }

    /// The session in which it sends.
    pub(crate) fn session(&mut self) -> Result<Option<SessionId>, Trouble> {
        let described = self.store.run(&DescribePeer { peer: self.peer }, |_, _| Ok(()))?;
        Ok(described.session.map(|session| session.id))
    }
}
