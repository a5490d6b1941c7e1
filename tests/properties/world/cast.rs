//! A device with a record of every kind, and messages that make it read each of them.

use outrigger::{ChangeNumber, LearnNumber, OpenError, PhoneNumber, PrekeyId, RequestRetry, VerifiedBundle};

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
    /// Of ada's, at a counter that another message has used: ben has not asked for it yet.
    pub(crate) gone: Vec<u8>,
    /// Ada asks for a message of a chain that she has followed beyond: the answer goes into the session.
    pub(crate) request: Vec<u8>,
    /// Ada asks for a message and says that the session is none for her: the answer starts another.
    pub(crate) request_anew: Vec<u8>,
}

/// What ben said in the message that ada asks for.
pub(crate) const WANTED: &[u8] = b"what ben said, and ada could not read";

pub(crate) fn cast() -> Cast {
    let (mut ada, mut ben, mut server) = friends();
    let number = PhoneNumber::parse("+493012345678").unwrap();
    let statement = ada.run(&ChangeNumber { number: number.clone() }).unwrap();
    ben.run(&LearnNumber { account: ada.address.account, statement: &statement }).unwrap();
    // More than stands in the peer's record.
    for _ in 0..6 {
        exchange(&mut ada, &mut ben);
    }
    let archived = ada.send(ben.address, b"archived");
    // Without a one-time prekey, so that the archive has an entry of each sort.
    ada.start_from(&server.fetch_weak(ben.address), ben.address).unwrap();
    let late = ada.send(ben.address, b"late");
    let later = ada.send(ben.address, b"later");
    exchange(&mut ada, &mut ben);
    let wanted = ben.send(ada.address, WANTED);
    exchange(&mut ben, &mut ada);
    // Ada goes back behind two messages: what she sends then has no key, and ben asks for one of it.
    exchange(&mut ada, &mut ben);
    let before = ada.store.clone();
    exchange(&mut ada, &mut ben);
    exchange(&mut ada, &mut ben);
    ada.store = before;
    let [asked, gone] = [0, 1].map(|_| ada.send(ben.address, b"gone"));
    ben.asks(ada.address, &asked);
    exchange(&mut ben, &mut ada);
    let asks = |error| {
        let ask = RequestRetry { from: ben.address, envelope: &wanted, error };
        ada.clone().run(&ask).unwrap().request
    };
    let request = asks(OpenError::KeyGone);
    let bundle_prekey = PrekeyId::of(
        VerifiedBundle::verify(&server.fetch_weak(ben.address), &ben.address).unwrap().signed_prekey(),
    );
    let request_anew = asks(OpenError::MissingPrekey(bundle_prekey));
    let in_order = ada.send(ben.address, b"in order");
    let mut cleo = Device::new("cleo");
    cleo.start(ben.address, &mut server).unwrap();
    let first = cleo.send(ben.address, b"first");
    drop(later);
    let bundle = VerifiedBundle::verify(&server.fetch(ada.address), &ada.address).unwrap();
    Cast { ben, ada, bundle, cleo, first, in_order, late, archived, statement, gone, request, request_anew }
}
