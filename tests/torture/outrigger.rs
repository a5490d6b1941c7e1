//! outrigger under the suite: its answers are read from `advice()` alone, as an app would.

use std::{collections::BTreeMap, convert::Infallible};

use outrigger::{
    AccountId, Address, Advice, Advise, AnswerRetry, ConfirmPrekeys, Context, DecideIdentity, Decision,
    DescribePeer, DeviceId, DriveError, Generation, IdentityKey, Keep, Loaded, OpenError, Operation, Receive,
    Record, RecordKey, Recover, Register, Rejected, ReplenishPrekeys, RequestRetry, Restart, RetryError,
    Revision, Run, Send, SendError, StartError, UnixMillis, UploadId, VerifiedBundle, Write, drive,
};
use rand_core::{TryCryptoRng, TryRng, utils::next_word_via_fill};
use sha2::{Digest, Sha256};

use crate::{
    alter,
    chosen::{assert_form, chosen},
    runner::NOON,
    subject::{Alteration, Capability, Fetched, Opened, Refusal, Subject, Upload},
    wire,
};

/// What every message binds.
const BOUND: &[u8] = b"torture";

/// The crate, and a source of randomness that repeats from run to run: SHA-256 of a counter.
#[derive(Clone, Default)]
pub(crate) struct Outrigger(u64);

impl TryRng for Outrigger {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            self.0 += 1;
            chunk.copy_from_slice(&Sha256::digest(self.0.to_be_bytes())[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Outrigger {}

/// A device over a store in memory.
#[derive(Clone)]
pub(crate) struct Device {
    generation: Generation,
    now: UnixMillis,
    records: BTreeMap<RecordKey, (Revision, Vec<u8>)>,
    /// The key that was refused last at an address: what the user is shown.
    offered: BTreeMap<Address, IdentityKey>,
}

impl Device {
    fn load(&self, key: &RecordKey) -> Option<Record> {
        self.records.get(key).map(|(revision, bytes)| Record::new(*revision, bytes.clone()))
    }

    fn apply(&mut self, writes: &[Write]) -> Result<(), Rejected<Infallible>> {
        let current = |write: &Write| self.records.get(write.key()).map(|(revision, _)| *revision);
        if writes.iter().any(|write| current(write) != write.replaces()) {
            return Err(Rejected::Conflict);
        }
        for write in writes {
            match write.bytes() {
                Some(bytes) => self.records.insert(*write.key(), (write.revision(), bytes.to_vec())),
                None => self.records.remove(write.key()),
            };
        }
        Ok(())
    }

    fn refused(&mut self, peer: &str, offered: Option<IdentityKey>, error: &impl Advise) -> Refusal {
        self.offered.extend(offered.map(|key| (phone(peer), key)));
        match error.advice() {
            Advice::Drop => Refusal::Drop,
            Advice::RequestRetry => Refusal::AskAgain,
            Advice::FetchBundle => Refusal::NoSession,
            Advice::AskUser => Refusal::Identity,
            Advice::Later => Refusal::Later,
            Advice::Recover => Refusal::Restored,
            Advice::AnswerRetry
            | Advice::AwaitPeer
            | Advice::AskSupply
            | Advice::AwaitPhone
            | Advice::TakeFrame
            | Advice::RejoinPhone
            | Advice::FetchDevices
            | Advice::LinkAgain
            | Advice::Replenish
            | Advice::Update
            | Advice::CheckRandomSource
            | Advice::RegisterAnew
            | Advice::FixCall => Refusal::Other,
        }
    }
}

fn phone(name: &str) -> Address {
    Address::new(AccountId::new(format!("{name:.<16}").as_bytes()).unwrap(), DeviceId::PHONE)
}

fn verified(peer: &str, fetched: &Fetched) -> VerifiedBundle {
    let bytes = [&fetched.bundle[..], fetched.one_time.as_ref().unwrap_or(&fetched.last_resort)].concat();
    VerifiedBundle::verify(&bytes, &phone(peer)).unwrap()
}

impl Outrigger {
    fn run<O: Operation>(&mut self, device: &mut Device, operation: &O) -> Result<O::Output, O::Error> {
        let mut context = chosen(Context::new(device.now, device.generation, self));
        let load = |device: &mut Device, key: &RecordKey| Ok::<_, Infallible>(device.load(key));
        match drive(operation, &mut context, device, load, |device, writes, _| device.apply(writes)) {
            Ok(output) => Ok(output),
            Err(DriveError::Refused(error)) => Err(error),
            Err(DriveError::Store(never)) => match never {},
            Err(DriveError::Conflicts) => unreachable!("one process"),
        }
    }

    /// What an operation would answer; nothing is stored.
    fn error_of<O: Operation>(&mut self, device: &Device, operation: &O) -> Option<O::Error> {
        let mut have = Loaded::new();
        let mut context = chosen(Context::new(device.now, device.generation, self));
        loop {
            match operation.run(&have, &mut context) {
                Ok(Run::Needs(needs)) => {
                    have.answer(needs, |key| Ok::<_, Infallible>(device.load(key))).unwrap();
                }
                Ok(Run::Done(_)) => return None,
                Err(error) => return Some(error),
            }
        }
    }
}

impl Subject for Outrigger {
    type Device = Device;

    const CAPABILITIES: &'static [Capability] =
        &[Capability::Retry, Capability::Recovery, Capability::Duplicates];

    fn register(&mut self, address: &str) -> Device {
        let address = phone(address);
        let mut device = Device {
            generation: Generation([1; 16]),
            now: UnixMillis(NOON),
            records: BTreeMap::new(),
            offered: BTreeMap::new(),
        };
        self.run(&mut device, &Register { address }).unwrap();
        device
    }

    fn publish(&mut self, device: &mut Device, one_time: u16) -> Upload {
        let upload = self.run(device, &ReplenishPrekeys { one_time }).unwrap();
        Upload {
            number: upload.id.number,
            tag: upload.id.tag.to_vec(),
            one_time: upload.one_time_prekeys,
            replaces: upload.replaces,
            bundle: upload.bundle,
            last_resort: upload.last_resort,
        }
    }

    fn start(&mut self, device: &mut Device, peer: &str, fetched: &Fetched) -> Result<(), Refusal> {
        let bundle = verified(peer, fetched);
        self.run(device, &Restart { bundle: &bundle }).map(drop).map_err(|error| {
            let offered =
                if let StartError::IdentityChanged { offered, .. } = error { Some(offered) } else { None };
            device.refused(peer, offered, &error)
        })
    }

    fn send(&mut self, device: &mut Device, to: &str, text: &str, keep: bool) -> Result<Vec<u8>, Refusal> {
        let keep = if keep { Keep::ForRetry } else { Keep::Nothing };
        let send = Send { to: phone(to), plaintext: text.as_bytes(), associated_data: BOUND, keep };
        let sent = self.run(device, &send).map(|sent| sent.envelope);
        sent.inspect(|envelope| assert_form(envelope)).map_err(|error| {
            let offered =
                if let SendError::IdentityChanged { offered, .. } = error { Some(offered) } else { None };
            device.refused(to, offered, &error)
        })
    }

    fn receive(&mut self, device: &mut Device, from: &str, bytes: &[u8]) -> Result<Opened, Refusal> {
        let receive = Receive { from: phone(from), envelope: bytes, associated_data: BOUND };
        match self.run(device, &receive) {
            Ok(received) => Ok(match received.content.text() {
                Some(text) if received.again => Opened::Again(text_of(text)),
                Some(text) => Opened::Text(text_of(text)),
                None => Opened::Lost,
            }),
            Err(OpenError::Duplicate) => Err(Refusal::Duplicate),
            Err(error) => {
                let offered =
                    if let OpenError::IdentityChanged { offered, .. } = error { Some(offered) } else { None };
                Err(device.refused(from, offered, &error))
            }
        }
    }

    fn accept(&mut self, device: &mut Device, peer: &str) {
        let peer = phone(peer);
        let Some(key) = device.offered.get(&peer).copied() else { return };
        for decision in [Decision::Suspect(key), Decision::Accept(key)] {
            self.run(device, &DecideIdentity { peer, decision }).unwrap();
        }
    }

    fn set_clock(&mut self, device: &mut Device, now: u64) {
        device.now = UnixMillis(now);
    }

    fn session(&mut self, device: &mut Device, peer: &str) -> Option<Vec<u8>> {
        let described = self.run(device, &DescribePeer { peer: phone(peer) }).unwrap();
        described.session.filter(|session| !session.stale).map(|session| format!("{:?}", session.id).into())
    }

    fn alter(&self, bytes: &[u8], alteration: &Alteration<'_>) -> Option<Vec<u8>> {
        alter::alter(bytes, alteration)
    }

    fn stored(&self, device: &Device) -> Vec<u8> {
        let records = device.records.iter();
        records.flat_map(|(key, (_, bytes))| [key.as_bytes(), &bytes[..]].concat()).collect()
    }

    fn keys_and_nonces(&self, envelope: &[u8]) -> Vec<Vec<u8>> {
        wire::sealed_with(envelope)
    }

    fn check_in(&mut self, device: &mut Device, server_has: &Upload) -> bool {
        let tag = server_has.tag.as_slice().try_into().unwrap();
        let upload = UploadId { number: server_has.number, tag };
        self.run(device, &ConfirmPrekeys { upload }).unwrap().replaces
    }

    fn ask(&mut self, device: &mut Device, from: &str, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        let from_device = phone(from);
        let receive = Receive { from: from_device, envelope: bytes, associated_data: BOUND };
        let error = self.error_of(device, &receive).ok_or(Refusal::Other)?;
        let ask = RequestRetry { from: from_device, envelope: bytes, error };
        self.run(device, &ask).map(|asked| asked.request).map_err(|error| refused_retry(device, from, error))
    }

    fn answer(
        &mut self,
        device: &mut Device,
        from: &str,
        request: &[u8],
        fetched: Option<&Fetched>,
        resend: bool,
    ) -> Result<Vec<u8>, Refusal> {
        let described = self.run(device, &DescribePeer { peer: phone(from) }).unwrap();
        let bundle = fetched.map(|fetched| verified(from, fetched));
        let answer = AnswerRetry {
            from: phone(from),
            request,
            bundle: bundle.as_ref(),
            resend_to: described.identity_key.filter(|_| resend),
        };
        self.run(device, &answer)
            .map(|answer| answer.envelope)
            .map_err(|error| refused_retry(device, from, error))
    }

    fn restore(&mut self, device: &mut Device) {
        device.generation = Generation(self.fresh());
    }

    fn recover(&mut self, device: &mut Device) {
        let records: Vec<_> = device.records.keys().copied().collect();
        self.run(device, &Recover { records: &records }).unwrap();
    }
}

impl Outrigger {
    fn fresh(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let Ok(()) = self.try_fill_bytes(&mut bytes);
        bytes
    }
}

fn refused_retry(device: &mut Device, peer: &str, error: RetryError) -> Refusal {
    let offered = if let RetryError::IdentityChanged { offered, .. } = error { Some(offered) } else { None };
    device.refused(peer, offered, &error)
}

fn text_of(text: &[u8]) -> String {
    String::from_utf8(text.to_vec()).unwrap()
}
