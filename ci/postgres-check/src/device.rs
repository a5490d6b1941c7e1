//! A device: what a worker does with the shared store. Its texts are their own names, so that the tables can say which was opened, and forbid that twice.

use outrigger::{
    AccountId, Address, DeviceId, Keep, OneTimePrekeyFields, OpenError, PrekeyUpload, Receive, Received,
    Register, ReplenishPrekeys, Send, Start, VerifiedBundle,
};

use crate::store::{Row, Store};

/// A worker's hold on a device.
pub(crate) struct Device(pub(crate) Store);

/// Where the device of a name is reached.
fn address(name: &str) -> Address {
    Address::new(AccountId::new(format!("the account of {name}").as_bytes()).unwrap(), DeviceId::PHONE)
}

/// The operation that sends a text.
fn message<'a>(to: &str, text: &'a str) -> Send<'a> {
    Send { to: address(to), plaintext: text.as_bytes(), associated_data: b"", keep: Keep::ForRetry }
}

/// The text that an envelope brought.
fn text(received: &Received) -> String {
    String::from_utf8(received.content.text().unwrap().to_vec()).unwrap()
}

impl Device {
    pub(crate) async fn connect(server: &str, name: &str) -> Self {
        Self(Store::connect(server, name).await)
    }

    pub(crate) async fn register(mut self, name: &str) -> Self {
        self.0.run(&Register { address: address(name) }, |_| Vec::new()).await.unwrap();
        self
    }

    /// Makes prekeys, and keeps what is to be published.
    pub(crate) async fn replenish(&mut self, one_time: u16) -> PrekeyUpload {
        let rows = |upload: &PrekeyUpload| {
            let row = |fields: &OneTimePrekeyFields| -> Row {
                ("INSERT INTO prekeys VALUES ($1, $2)", vec![Box::new(fields.clone())])
            };
            upload.one_time_prekeys.iter().map(row).collect()
        };
        self.0.run(&ReplenishPrekeys { one_time }, rows).await.unwrap()
    }

    /// Starts a session from what a server gives out: a bundle and a one-time prekey.
    pub(crate) async fn start(&mut self, with: &str, bundle: &[u8]) {
        let bundle = VerifiedBundle::verify(bundle, &address(with)).unwrap();
        self.0.run(&Start { bundle: &bundle }, |_| Vec::new()).await.unwrap();
    }

    /// Seals a text, and keeps the envelope.
    pub(crate) async fn send(&mut self, to: &str, text: &str) -> Vec<u8> {
        let insert = "INSERT INTO outbox (device, text, envelope) VALUES ($1, $2, $3)";
        let send = message(to, text);
        let sent = self.0.run(&send, |sent| {
            vec![(insert, vec![Box::new(text.to_owned()), Box::new(sent.envelope.clone())])]
        });
        sent.await.unwrap().envelope
    }

    /// Opens an envelope, and keeps the text, which must not be there; or says why not, which must be that it was opened before, or that its prekey is gone.
    pub(crate) async fn receive(&mut self, from: &str, envelope: &[u8]) -> Result<(), OpenError> {
        let receive = Receive { from: address(from), envelope, associated_data: b"" };
        let received = self.0.run(&receive, |received| {
            vec![("INSERT INTO inbox VALUES ($1, $2)", vec![Box::new(text(received))])]
        });
        let received = received.await;
        match &received {
            Ok(_) => {}
            Err(OpenError::Duplicate) => self.0.tally.duplicates += 1,
            Err(OpenError::KeyGone) => self.0.tally.keys_gone += 1,
            Err(OpenError::MissingPrekey(_)) => self.0.tally.prekeys_gone += 1,
            Err(error) => panic!("refused: {error:?}"),
        }
        received.map(drop)
    }

    /// All texts that were opened, in order of their names.
    pub(crate) async fn inbox(&self) -> Vec<String> {
        self.0.column("SELECT text FROM inbox WHERE device = $1 ORDER BY text", &self.0.device).await
    }

    /// All texts that were sealed, in order of their names.
    pub(crate) async fn outbox(&self) -> Vec<String> {
        self.0.column("SELECT text FROM outbox WHERE device = $1 ORDER BY text", &self.0.device).await
    }

    /// All envelopes of a device, this one or another, in the order in which they were sealed.
    pub(crate) async fn envelopes(&self, device: &str) -> Vec<Vec<u8>> {
        self.0.column("SELECT envelope FROM outbox WHERE device = $1 ORDER BY place", device).await
    }
}
