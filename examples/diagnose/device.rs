//! A device over a store in memory that can be copied, and a pair of them that does what it is advised.

use std::{collections::BTreeMap, convert::Infallible, error::Error};

use outrigger::{
    AccountId, Address, Advice, AnswerRetry, Context, DeviceId, Diagnose, DriveError, Generation, Keep,
    OpenError, Operation, Receive, Record, RecordKey, Recover, Register, Rejected, ReplenishPrekeys, Report,
    RequestRetry, RetryError, Revision, Send, SendError, Start, UnixMillis, VerifiedBundle, drive,
};

/// What went wrong with the example itself.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A store as a table of a database would be.
pub(crate) type Store = BTreeMap<RecordKey, (Revision, Vec<u8>)>;

/// A device, and what a server holds of it.
pub(crate) struct Device {
    pub(crate) address: Address,
    pub(crate) store: Store,
    generation: Generation,
    now: UnixMillis,
    bundle: Vec<u8>,
    last_resort: Vec<u8>,
    one_time: Vec<Vec<u8>>,
}

impl Device {
    pub(crate) fn register(id: &[u8]) -> Result<Self> {
        let address = Address::new(AccountId::new(id)?, DeviceId::PHONE);
        let (generation, now) = (Generation([1; 16]), UnixMillis(1_800_000_000_000));
        let (bundle, last_resort, one_time) = (Vec::new(), Vec::new(), Vec::new());
        let mut device =
            Self { address, store: Store::new(), generation, now, bundle, last_resort, one_time };
        device.run(&Register { address })?;
        device.publish(20)?;
        Ok(device)
    }

    pub(crate) fn publish(&mut self, one_time: u16) -> Result<()> {
        let upload = self.run(&ReplenishPrekeys { one_time })?;
        if upload.replaces {
            self.one_time.clear();
        }
        self.bundle = upload.bundle;
        self.last_resort = upload.last_resort;
        self.one_time.extend(upload.one_time_prekeys);
        Ok(())
    }

    /// What the server answers to one who asks for this device.
    pub(crate) fn fetch(&mut self) -> Result<VerifiedBundle> {
        let last = self.one_time.pop().unwrap_or_else(|| self.last_resort.clone());
        Ok(VerifiedBundle::verify(&[&self.bundle[..], &last].concat(), &self.address)?)
    }

    pub(crate) fn run<O: Operation>(
        &mut self,
        operation: &O,
    ) -> std::result::Result<O::Output, DriveError<O::Error, Infallible>> {
        self.now = self.now.plus(1);
        let mut source = getrandom::SysRng;
        let mut context = Context::new(self.now, self.generation, &mut source);
        let load = |store: &mut Store, key: &RecordKey| {
            Ok(store.get(key).map(|(revision, bytes)| Record::new(*revision, bytes.clone())))
        };
        drive(operation, &mut context, &mut self.store, load, |store, writes, _| {
            let current = |key| store.get(key).map(|(revision, _)| *revision);
            if writes.iter().any(|write| current(write.key()) != write.replaces()) {
                return Err(Rejected::Conflict);
            }
            for write in writes {
                match write.bytes() {
                    Some(bytes) => store.insert(*write.key(), (write.revision(), bytes.to_vec())),
                    None => store.remove(write.key()),
                };
            }
            Ok(())
        })
    }

    /// The store came back from a backup.
    pub(crate) fn restore(&mut self, backup: Store) -> Result<()> {
        self.store = backup;
        self.generation = Generation([2; 16]);
        let records: Vec<_> = self.store.keys().copied().collect();
        self.run(&Recover { records: &records })?;
        self.publish(20)
    }

    pub(crate) fn report(&mut self, peer: Address) -> Result<Report> {
        let report = self.run(&Diagnose { peer })?;
        // As it would reach whoever looks into it.
        Ok(Report::from_bytes(&report.to_bytes())?)
    }
}

/// Two devices.
pub(crate) struct Pair {
    pub(crate) ada: Device,
    pub(crate) ben: Device,
}

impl Pair {
    /// Two devices that have answered each other.
    pub(crate) fn settled() -> Result<Self> {
        let (ada, ben) = (Device::register(b"account of ada 1")?, Device::register(b"account of ben 1")?);
        let mut pair = Self { ada, ben };
        pair.talk()?;
        Ok(pair)
    }

    pub(crate) fn reports(&mut self) -> Result<(Report, Report)> {
        Ok((self.ada.report(self.ben.address)?, self.ben.report(self.ada.address)?))
    }

    /// Two messages each way, whatever it takes.
    pub(crate) fn talk(&mut self) -> Result<()> {
        for _ in 0..2 {
            say(&mut self.ada, &mut self.ben)?;
            say(&mut self.ben, &mut self.ada)?;
        }
        Ok(())
    }
}

/// Encrypts a message, starting a session if there is none.
pub(crate) fn send(from: &mut Device, to: &mut Device) -> Result<Vec<u8>> {
    let send = Send { to: to.address, plaintext: b"a message", associated_data: b"", keep: Keep::ForRetry };
    match from.run(&send) {
        Err(DriveError::Refused(SendError::NoSession)) => {
            let bundle = to.fetch()?;
            from.run(&Start { bundle: &bundle })?;
            Ok(from.run(&send)?.envelope)
        }
        sent => Ok(sent?.envelope),
    }
}

/// Opens an envelope; where the advice is to ask for it again, asks, has the sender answer, and opens that.
pub(crate) fn open(at: &mut Device, from: &mut Device, envelope: &[u8]) -> Result<()> {
    let receive = |envelope| Receive { from: from.address, envelope, associated_data: b"" };
    let error: OpenError = match at.run(&receive(envelope)) {
        Ok(_) => return Ok(()),
        Err(DriveError::Refused(error)) if error.advice() == Advice::RequestRetry => error,
        Err(error) => return Err(error.into()),
    };
    let request = at.run(&RequestRetry { from: from.address, envelope, error })?.request;
    let answer = AnswerRetry { from: at.address, request: &request, bundle: None, resend_to: None };
    let answered = match from.run(&answer) {
        Err(DriveError::Refused(RetryError::NoBundle)) => {
            let bundle = at.fetch()?;
            from.run(&AnswerRetry { bundle: Some(&bundle), ..answer })?
        }
        answered => answered?,
    };
    at.run(&Receive { from: from.address, envelope: &answered.envelope, associated_data: b"" })?;
    Ok(())
}

fn say(from: &mut Device, to: &mut Device) -> Result<()> {
    let envelope = send(from, to)?;
    open(to, from, &envelope)
}
