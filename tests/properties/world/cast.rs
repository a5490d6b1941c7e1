//! A device with a record of every kind, and messages that make it read each of them.

use outrigger::{ChangeNumber, LearnNumber, PhoneNumber, VerifiedBundle};

use super::{Device, exchange, friends};

/// A device with a record of every kind, and everything that makes it read them.
pub(crate) struct Cast {
    pub(crate) ben: Device,
    pub(crate) ada: Device,
    pub(crate) bundle: VerifiedBundle,
    pub(crate) cleo: Device,
    pub(crate) first: Vec<u8>,
    pub(crate) in_order: Vec<u8>,
    pub(crate) late: Vec<u8>,
    pub(crate) archived: Vec<u8>,
    pub(crate) statement: Vec<u8>,
}

pub(crate) fn cast() -> Cast {
    let (mut ada, mut ben, mut server) = friends();
    let number = PhoneNumber::parse("+493012345678").unwrap();
    let statement = ada.run(&ChangeNumber { number: number.clone() }).unwrap();
    ben.run(&LearnNumber { account: ada.address.account, statement: &statement }).unwrap();
    let archived = ada.send(ben.address, b"archived");
    // Without a one-time prekey, so that the archive has an entry of each sort.
    ada.start_from(&server.fetch_weak(ben.address), ben.address).unwrap();
    let late = ada.send(ben.address, b"late");
    let later = ada.send(ben.address, b"later");
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
    exchange(&mut ben, &mut ada);
    let in_order = ada.send(ben.address, b"in order");
    let mut cleo = Device::new("cleo");
    cleo.start(ben.address, &mut server).unwrap();
    let first = cleo.send(ben.address, b"first");
    drop(later);
    let bundle = VerifiedBundle::verify(&server.fetch(ada.address), &ada.address).unwrap();
    Cast { ben, ada, bundle, cleo, first, in_order, late, archived, statement }
}
