//! Broken random sources: an error, no key, no message, and every record as it was. There is no fall-back path.

use std::convert::Infallible;

use outrigger::{
    AnswerRetry, Batch, ChangeNumber, Context, DeviceError, HandOutBundle, Headers, IdentityKeyPair, Keep,
    KeyPair, Limits, Loaded, OpenError, Operation, PhoneNumber, Random, RandomError, Register,
    ReplenishPrekeys, RequestRetry, RetryError, RootSecret, Run, Send, SendError, Start, StartError,
    ratchet::{EncryptError, Ratchet},
};

use crate::world::{
    BOUND, Device, NOON, by_suite,
    cast::{Cast, cast},
    exchange, headers, headers_in_clear,
    random::{Broken, Fault},
};

/// Runs an operation over a broken source and stores its step, if it has one.
fn attempt<O: Operation>(
    device: &mut Device,
    operation: &O,
    source: &mut Broken,
) -> Result<O::Output, O::Error> {
    let mut have = Loaded::new();
    let mut context = Context::new(device.now, device.generation, source)
        .with_suites(device.suites)
        .with_headers(device.headers);
    loop {
        match operation.run(&have, &mut context)? {
            Run::Needs(needs) => {
                have.answer(needs, |key| Ok::<_, Infallible>(device.store.load(key))).unwrap();
            }
            Run::Done(step) => return Ok(step.commit(|writes, _| device.store.apply(writes)).unwrap()),
        }
    }
}

/// Tries an operation with every fault: `draws` is what it takes of a sound source, and every refusal must be `expected`.
fn faults<O: Operation<Error: PartialEq>>(
    name: &str,
    device: &Device,
    operation: &O,
    draws: usize,
    expected: impl Fn(RandomError) -> O::Error,
) {
    let try_with = |fault| {
        let mut device = device.clone();
        let before = device.store.clone();
        let mut source = Broken::new(fault);
        let done = attempt(&mut device, operation, &mut source).map(drop);
        if done.is_err() {
            assert_eq!(device.store, before, "{name}, {fault:?}: a record changed");
        }
        (done, source.draws)
    };
    assert_eq!(try_with(Fault::FailsAt(usize::MAX)).1, draws, "{name}");
    for place in 0..draws {
        let (done, drawn) = try_with(Fault::FailsAt(place));
        assert_eq!(done, Err(expected(RandomError::Failed)), "{name}: draw {place}");
        assert_eq!(drawn, place + 1, "{name}: it drew again after an error");
    }
    for byte in [0, 1, 0x55, 0xff] {
        assert_eq!(try_with(Fault::Constant(byte)).0, Err(expected(RandomError::Repeats)), "{name}: {byte}");
    }
    for place in 0..draws.saturating_sub(1) {
        let done = try_with(Fault::StuckFrom(place)).0;
        assert_eq!(done, Err(expected(RandomError::Repeats)), "{name}: stuck from draw {place}");
    }
    if draws > 1 {
        assert_eq!(try_with(Fault::Stuck).0, Err(expected(RandomError::Repeats)), "{name}: stuck");
    }
}

#[test]
fn l6_l7_every_operation_refuses_a_source_that_fails_or_repeats() {
    let Cast { mut ben, mut ada, bundle, in_order, gone, request, request_anew, .. } = cast();
    let empty = Device::empty("new");
    faults("register", &empty, &Register { address: empty.address }, 1, DeviceError::Random);
    let fresh = Device::new("fresh");
    // A signed prekey, two signatures, three one-time prekeys; with a KEM a key and a signature more for each prekey.
    let draws = |classic, kem| by_suite([classic, kem, kem]);
    faults("first replenish", &fresh, &ReplenishPrekeys { one_time: 3 }, draws(6, 14), DeviceError::Random);
    faults("replenish", &ben, &ReplenishPrekeys { one_time: 2 }, draws(3, 7), DeviceError::Random);
    let number = PhoneNumber::parse("+4930123456").unwrap();
    faults("change number", &ben, &ChangeNumber { number }, 1, DeviceError::Random);
    // Two keys, and what is encapsulated.
    faults("start", &ben, &Start { bundle: &bundle }, draws(2, 3), StartError::Random);
    let send = Send { to: ada.address, plaintext: b"text", associated_data: BOUND, keep: Keep::ForRetry };
    // With encrypted headers a nonce more, and with the handshake a key and a nonce.
    let hidden = usize::from(headers() == Headers::Encrypted);
    faults("send within a chain", &ben, &send, 1 + hidden, SendError::Random);
    // The suites signature and a one-time prekey; salt and nonce; a nonce; two keys and a nonce.
    faults("hand out", &ben, &HandOutBundle, draws(2, 4), DeviceError::Random);
    let ask = RequestRetry { from: ada.address, envelope: &gone, error: OpenError::KeyGone };
    faults("ask", &ben, &ask, 2 + 2 * hidden, RetryError::Random);
    let answer = AnswerRetry { from: ada.address, request: &request, bundle: None, resend_to: None };
    faults("answer", &ben, &answer, 1 + hidden, RetryError::Random);
    let anew = AnswerRetry { request: &request_anew, bundle: Some(&bundle), ..answer };
    faults("answer anew", &ben, &anew, draws(3, 4) + 3 * hidden, RetryError::Random);
    ben.opens(ada.address, &in_order, b"in order");
    exchange(&mut ben, &mut ada);
    exchange(&mut ada, &mut ben);
    faults("send of a turn", &ben, &send, 2 + hidden, SendError::Random);
}

#[test]
fn l7_a_batch_holds_the_error_and_writes_nothing_for_it() {
    headers_in_clear();
    let Cast { ben, ada, .. } = cast();
    let send = Send { to: ada.address, plaintext: b"text", associated_data: BOUND, keep: Keep::ForRetry };
    let repeats = Err(SendError::Random(RandomError::Repeats));
    let mut after_one = ben.clone();
    let outputs =
        attempt(&mut after_one, &Batch(&[send, send, send]), &mut Broken::new(Fault::Stuck)).unwrap();
    assert!(outputs[0].is_ok(), "one draw of different bytes cannot be told from a sound one");
    assert_eq!(outputs[1..], [repeats.clone(), repeats.clone()]);
    let mut ben = ben;
    let before = ben.store.clone();
    let outputs = attempt(&mut ben, &Batch(&[send, send]), &mut Broken::new(Fault::Constant(0))).unwrap();
    assert_eq!(outputs, [repeats.clone(), repeats]);
    assert_eq!(ben.store, before);
}

#[test]
fn l6_no_key_is_made_from_a_constant_or_failing_source() {
    for (fault, expected) in
        [(Fault::Constant(0), RandomError::Repeats), (Fault::FailsAt(0), RandomError::Failed)]
    {
        let mut source = Broken::new(fault);
        assert_eq!(KeyPair::generate(&mut Random::new(&mut source)).map(drop), Err(expected));
        let mut source = Broken::new(fault);
        assert_eq!(IdentityKeyPair::generate(&mut Random::new(&mut source)).map(drop), Err(expected));
    }
    // Two key pairs of one stuck source.
    let mut source = Broken::new(Fault::Stuck);
    let mut random = Random::new(&mut source);
    assert!(KeyPair::generate(&mut random).is_ok());
    assert_eq!(KeyPair::generate(&mut random).map(drop), Err(RandomError::Repeats));
}

#[test]
fn l7_a_standalone_ratchet_stays_as_it_was() {
    let secret = || RootSecret::take_from(&mut [3; 32]);
    let pair = || KeyPair::take_from(&mut [4; 32]);
    let mut sound = Broken::new(Fault::FailsAt(usize::MAX));
    let mut sound = Random::new(&mut sound);
    let failed = EncryptError::Random(RandomError::Failed);
    let mut failing = Broken::new(Fault::FailsAt(0));
    let none = Ratchet::initiate(secret(), pair().public(), &mut Random::new(&mut failing));
    assert_eq!(none.map(drop), Err(failed));

    let mut ada = Ratchet::initiate(secret(), pair().public(), &mut sound).unwrap();
    let mut ben = Ratchet::respond(secret(), pair());
    let message = ada.encrypt(b"text", BOUND, &mut sound).unwrap();
    ben.decrypt(&message, BOUND, NOON, &Limits::DEFAULT).unwrap();
    for (ratchet, draws) in [(&mut ada, 1), (&mut ben, 2)] {
        let before = ratchet.save();
        for place in 0..draws {
            let mut failing = Broken::new(Fault::FailsAt(place));
            let refused = ratchet.encrypt(b"text", BOUND, &mut Random::new(&mut failing));
            assert_eq!(refused, Err(failed));
            assert_eq!(before[..], ratchet.save()[..], "draw {place}");
        }
    }
    let message = ben.encrypt(b"text", BOUND, &mut sound).unwrap();
    ada.decrypt(&message, BOUND, NOON, &Limits::DEFAULT).unwrap();
}
