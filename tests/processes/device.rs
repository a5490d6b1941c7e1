//! A device: what an app does with one store. Its texts are their own names, so that the tables can say which was opened, and forbid that twice.

use std::path::Path;

use outrigger::{
    AccountId, Address, DescribePeer, DeviceId, Keep, OpenError, PrekeyUpload, Receive, Received, Register,
    ReplenishPrekeys, Send, Start, VerifiedBundle,
};
use rusqlite::params;

use crate::store::{Journal, Store};

/// A running device.
pub(crate) struct Device(pub(crate) Store);

/// Where the device of a name is reached; a file is named after its device.
pub(crate) fn address(name: &str) -> Address {
    Address::new(AccountId::new(format!("the account of {name}").as_bytes()).unwrap(), DeviceId::PHONE)
}

/// The operation that sends a text.
fn message<'a>(to: &str, text: &'a str) -> Send<'a> {
    Send { to: address(to), plaintext: text.as_bytes(), associated_data: b"", keep: Keep::ForRetry }
}

/// The text that an envelope brought.
fn text(received: &Received) -> &str {
    str::from_utf8(received.content.text().unwrap()).unwrap()
}

impl Device {
    pub(crate) fn open(path: &Path, journal: Journal) -> Self {
        Self(Store::open(path, journal))
    }

    pub(crate) fn register(mut self, name: &str) -> Self {
        self.0.run(&Register { address: address(name) }, |_, _| Ok(())).unwrap();
        self
    }

    /// Makes prekeys, and keeps what is to be published.
    pub(crate) fn replenish(&mut self, one_time: u16) -> PrekeyUpload {
        let keep = |transaction: &rusqlite::Connection, upload: &PrekeyUpload| {
            let mut insert =
                transaction.prepare_cached("INSERT INTO prekeys (field, bundle) VALUES (?1, ?2)")?;
            upload.one_time_prekeys.iter().try_for_each(|field| {
                insert.execute(params![field, [&upload.bundle[..], field].concat()]).map(drop)
            })
        };
        self.0.run(&ReplenishPrekeys { one_time }, keep).unwrap()
    }

    /// Starts a session from what a server gives out: a bundle and a one-time prekey.
    pub(crate) fn start(&mut self, with: &str, bundle: &[u8]) {
        let bundle = VerifiedBundle::verify(bundle, &address(with)).unwrap();
        self.0.run(&Start { bundle: &bundle }, |_, _| Ok(())).unwrap();
    }

    /// Seals a text, and keeps the envelope.
    pub(crate) fn send(&mut self, to: &str, text: &str) -> Vec<u8> {
        let sent = self.0.run(&message(to, text), |transaction, sent| {
            transaction
                .prepare_cached("INSERT INTO outbox (text, envelope) VALUES (?1, ?2)")?
                .execute(params![text, sent.envelope])
                .map(drop)
        });
        sent.unwrap().envelope
    }

    /// Opens an envelope, and keeps the text, which must not be there; or says why not, which must be that it was opened before.
    pub(crate) fn receive(&mut self, from: &str, envelope: &[u8]) -> Result<String, OpenError> {
        let receive = Receive { from: address(from), envelope, associated_data: b"" };
        let received = self.0.run(&receive, |transaction, received| {
            transaction
                .prepare_cached("INSERT INTO inbox (text) VALUES (?1)")?
                .execute([text(received)])
                .map(drop)
        });
        match &received {
            Ok(_) => {}
            Err(OpenError::Duplicate) => self.0.tally.duplicates += 1,
            Err(OpenError::KeyGone) => self.0.tally.keys_gone += 1,
            Err(OpenError::MissingPrekey(_)) => self.0.tally.prekeys_gone += 1,
            Err(error) => panic!("refused: {error:?}"),
        }
        Ok(text(&received?).to_owned())
    }

    /// Whether nothing has opened yet in the active session.
    pub(crate) fn is_unanswered(&mut self, peer: &str) -> bool {
        let description = self.0.run(&DescribePeer { peer: address(peer) }, |_, _| Ok(())).unwrap();
        description.session.is_none_or(|session| session.unanswered)
    }

    /// All texts that were opened, in order of their names.
    pub(crate) fn inbox(&self) -> Vec<String> {
        self.0.column("SELECT text FROM inbox ORDER BY text")
    }

    /// All texts that were sealed, in order of their names.
    pub(crate) fn outbox(&self) -> Vec<String> {
        self.0.column("SELECT text FROM outbox ORDER BY text")
    }

    /// All envelopes, in the order in which they were sealed.
    pub(crate) fn envelopes(&self) -> Vec<Vec<u8>> {
        self.0.column("SELECT envelope FROM outbox ORDER BY place")
    }
}
