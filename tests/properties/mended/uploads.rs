//! Those of uploads, and of a server that keeps the last one.

use outrigger::{
    Address, ConfirmPrekeys, DescribePrekeys, PrekeyUpload, Register, ReplenishPrekeys, RequestRetry,
    RetryOutcome, UploadId,
};

use crate::world::{Device, Server, exchange, friends};

/// A server as `docs/protocol.md`, section 4 "Uploads", says.
#[derive(Default)]
struct Numbered {
    server: Server,
    last: Option<UploadId>,
}

impl Numbered {
    /// Takes the upload, or says which it has.
    fn take(&mut self, address: Address, upload: &PrekeyUpload) -> Result<(), UploadId> {
        match self.last {
            Some(last) if upload.id.number <= last.number => Err(last),
            _ => {
                self.last = Some(upload.id);
                self.server.take(address, upload);
                Ok(())
            }
        }
    }
}

impl Device {
    /// Publishes as the documents say: until the server has it; what the server says goes to `ConfirmPrekeys`, and what `replaces` is replenished.
    fn publishes(&mut self, one_time: u16, server: &mut Numbered) {
        for _ in 0..3 {
            let upload = self.run(&ReplenishPrekeys { one_time }).unwrap();
            let has = server.take(self.address, &upload).err().unwrap_or(upload.id);
            if !self.run(&ConfirmPrekeys { upload: has }).unwrap().replaces {
                return;
            }
        }
        panic!("no end");
    }
}

/// One upload since the backup: the numbers collide, and the server goes on with what opens nothing.
#[test]
fn one_upload_since_the_backup() {
    let mut server = Numbered::default();
    let (mut ada, mut ben) = (Device::new("ada"), Device::new("ben"));
    ada.publish(10, &mut server.server);
    ben.publishes(10, &mut server);
    let backup = ben.store.clone();
    ben.publishes(10, &mut server);
    // The phone is lost; a new one takes the backup.
    ben.store = backup;
    ben.take_over(0x99);
    ben.publishes(10, &mut server);
    ada.start(ben.address, &mut server.server).unwrap();
    exchange(&mut ada, &mut ben);
}

/// The same, with friends and retries.
#[test]
fn message_is_lost_though_a_copy_is_there() {
    let (mut ada, mut ben, server) = friends();
    let [first] = ben.run(&DescribePrekeys).unwrap().unconfirmed[..] else { panic!("one upload") };
    let mut server = Numbered { server, last: Some(first) };
    ben.run(&ConfirmPrekeys { upload: first }).unwrap();
    let backup = ben.store.clone();
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    ben.publishes(10, &mut server);
    ben.store = backup;
    ben.take_over(0x99);
    ben.publishes(10, &mut server);
    let mut envelope = ada.send(ben.address, b"wanted");
    loop {
        match ben.receive(ada.address, &envelope) {
            Ok(received) => {
                assert_eq!(received.content.text(), Some(&b"wanted"[..]));
                return;
            }
            Err(error) => {
                let request =
                    ben.run(&RequestRetry { from: ada.address, envelope: &envelope, error }).unwrap().request;
                let answer = ada.answers(ben.address, &request, &mut server.server).unwrap();
                assert_eq!(answer.outcome, RetryOutcome::Again);
                envelope = answer.envelope;
            }
        }
    }
}

/// Registered anew within a week: the server has upload 0 of the former device.
#[test]
fn registered_anew() {
    let mut server = Numbered::default();
    let (mut ada, mut ben) = (Device::new("ada"), Device::new("ben"));
    ada.publish(10, &mut server.server);
    ben.publishes(10, &mut server);
    let mut anew = Device::empty("ben");
    anew.random = crate::world::random::Seeded::new(77);
    anew.identity = anew.run(&Register { address: ben.address }).unwrap();
    anew.publishes(10, &mut server);
    ada.start(ben.address, &mut server.server).unwrap();
    exchange(&mut ada, &mut anew);
}

/// The store went back behind an upload, and made another before the server was asked.
#[test]
fn went_back_and_published() {
    let mut server = Numbered::default();
    let (mut ada, mut ben) = (Device::new("ada"), Device::new("ben"));
    ada.publish(10, &mut server.server);
    ben.publishes(0, &mut server);
    let before = ben.store.clone();
    ben.publishes(10, &mut server);
    ben.store = before;
    ben.publishes(10, &mut server);
    ada.start(ben.address, &mut server.server).unwrap();
    exchange(&mut ada, &mut ben);
}

/// Uploads that come out of their order: the one that replaces is refused, and its word is lost.
#[test]
fn uploads_out_of_order() {
    let mut server = Numbered::default();
    let (mut ada, mut ben) = (Device::new("ada"), Device::new("ben"));
    ada.publish(10, &mut server.server);
    ben.publishes(10, &mut server);
    ben.take_over(0x99);
    let first = ben.run(&ReplenishPrekeys { one_time: 10 }).unwrap();
    let second = ben.run(&ReplenishPrekeys { one_time: 10 }).unwrap();
    server.take(ben.address, &second).unwrap();
    let has = server.take(ben.address, &first).unwrap_err();
    assert!(!ben.run(&ConfirmPrekeys { upload: has }).unwrap().replaces);
    ada.start(ben.address, &mut server.server).unwrap();
    exchange(&mut ada, &mut ben);
}

/// An upload of a signed prekey alone is not among those that no server has confirmed.
#[test]
fn an_upload_without_one_time_prekeys_is_not_unconfirmed() {
    let mut ben = Device::new("ben");
    let upload = ben.run(&ReplenishPrekeys { one_time: 0 }).unwrap();
    assert_eq!(ben.run(&DescribePrekeys).unwrap().unconfirmed, [upload.id]);
}
