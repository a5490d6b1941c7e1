//! What is printed: no private key, no record, no plaintext, in no form of any public type.

use std::{collections::BTreeSet, convert::Infallible, error::Error, fmt::Debug, mem::needs_drop};

use outrigger::{
    AnswerRetry, Batch, ChangeNumber, ConfirmPrekeys, Context, DecideIdentity, Decision, DescribeDevice,
    DescribePeer, DescribePrekeys, Diagnose, Generation, HandOutBundle, IdentityKeyPair, Keep, KemPair,
    KemSeed, KeyPair, LearnNumber, Limits, Loaded, MemoryStore, OpenError, Operation, PhoneNumber, Random,
    Receive, Record, RecordDescription, RecordKind, Recover, Register, ReplenishPrekeys, RequestRetry,
    RootSecret, Run, SecretBytes, Send, ShowSafetyNumber, Signature, Start, SuitePolicy, UploadId,
    handshake::{Initiated, Party, Prekeys, initiate, respond},
    ratchet::Ratchet,
};
use zeroize::ZeroizeOnDrop;

use crate::world::{
    BOUND, Device, NOON,
    cast::{Cast, WANTED, cast},
    random::Seeded,
};

/// Secrets, and everything that was printed.
pub(crate) struct Printed {
    needles: Vec<(String, Vec<u8>)>,
    pub(crate) leaks: Vec<String>,
}

impl Printed {
    pub(crate) fn new() -> Self {
        Self { needles: Vec::new(), leaks: Vec::new() }
    }

    /// What is planted already is not looked for twice.
    pub(crate) fn plant(&mut self, name: &str, secret: &[u8]) {
        if self.needles.iter().all(|(_, planted)| planted != secret) {
            self.needles.push((name.to_owned(), secret.to_vec()));
        }
    }

    /// All private keys that a device drew, and the keys in its records.
    pub(crate) fn plant_device(&mut self, device: &Device) {
        for draw in device.random.tape.iter().filter(|draw| draw.len() >= 32) {
            self.plant("a drawn key", &draw[1..]);
        }
        for (key, (_, bytes)) in &device.store.0 {
            // The end of each record: a chain's or a message's key, a private half, or an id where there is no key.
            if matches!(key.kind(), RecordKind::SkippedKeys) {
                self.plant("a skipped key", &bytes[bytes.len() - 32..]);
            }
        }
    }

    /// Looks for eight bytes of any secret, in hex of either case, in decimal and in the text itself.
    fn look(&mut self, what: &str, text: &str) {
        for (name, secret) in &self.needles {
            for window in secret.windows(8).step_by(4) {
                let lower: String = window.iter().map(|byte| format!("{byte:02x}")).collect();
                let list = |separator| window.iter().map(u8::to_string).collect::<Vec<_>>().join(separator);
                let hex_list = window.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(", ");
                let forms = [lower.to_uppercase(), lower, list(", "), list(",\n    "), hex_list];
                let as_text = String::from_utf8(window.to_vec()).is_ok_and(|clear| text.contains(&clear));
                if as_text || forms.iter().any(|form| text.contains(form.as_str())) {
                    self.leaks.push(format!("{what} prints {name}"));
                    return;
                }
            }
        }
    }

    pub(crate) fn debug(&mut self, what: &str, value: &dyn Debug) {
        self.look(what, &format!("{value:?}"));
        self.look(what, &format!("{value:#?}"));
        self.look(what, &format!("{value:02x?}"));
    }
}

/// Plaintext that is no key, long enough to be found.
const PLAINTEXT: &[u8] = b"meet me at the old mill at nine";

#[test]
fn the_search_finds_what_is_printed() {
    for printed in [
        format!("{PLAINTEXT:?}"),
        format!("{PLAINTEXT:02x?}"),
        format!("{PLAINTEXT:#?}"),
        format!("a {}", String::from_utf8_lossy(PLAINTEXT)),
    ] {
        let mut looked = Printed::new();
        looked.plant("it", PLAINTEXT);
        looked.look("this", &printed);
        assert_eq!(looked.leaks.len(), 1, "{printed}");
    }
}

#[test]
fn l22_no_public_type_prints_a_key() {
    let Cast { mut ben, ada, bundle, first, cleo, in_order, .. } = cast();
    let mut printed = Printed::new();
    printed.plant_device(&ben);
    printed.plant_device(&ada);
    assert!(printed.needles.len() > 30);

    // Keys by themselves.
    let seed = [0x1d, 0x2c, 0x3b, 0x4a, 0x59, 0x68, 0x77, 0x86];
    printed.plant("a planted seed", &seed);
    let whole = || -> [u8; 32] { seed.repeat(4).try_into().unwrap() };
    let identity = {
        let mut source = Seeded::new(8);
        let identity = IdentityKeyPair::generate(&mut Random::new(&mut source)).unwrap();
        printed.plant("an identity key", &source.tape[0][1..]);
        identity
    };
    printed.debug("KeyPair", &KeyPair::take_from(&mut whole()));
    printed.debug("IdentityKeyPair", &identity);
    #[cfg(feature = "post-quantum")]
    for size in [outrigger::KemSize::MlKem768, outrigger::KemSize::MlKem1024] {
        let seed = KemSeed::take_from(size, &mut [whole(), whole()].concat().try_into().unwrap());
        printed.debug("KemSeed", &seed);
        printed.debug("KemPair", &seed.expand());
        printed.debug("KemPublicKey", seed.expand().public());
    }
    printed.debug("RootSecret", &RootSecret::take_from(&mut whole()));
    printed.debug("SecretBytes", &SecretBytes::new(whole().to_vec()));
    printed.debug("Record", &Record::new(outrigger::Revision::FIRST, whole().to_vec()));
    printed.debug("Generation", &Generation(whole()[..16].try_into().unwrap()));
    printed.debug("Signature", &Signature::from_bytes(&[whole(), whole()].concat().try_into().unwrap()));

    // The stages of every operation, and what it returns.
    let mut source = Seeded::new(9);
    let mut context =
        Context::new(NOON, ben.generation, &mut source).with_suites(ben.suites).with_headers(ben.headers);
    printed.debug("Context", &context);
    let receive = Receive { from: cleo.address, envelope: &first, associated_data: BOUND };
    let mut have = Loaded::new();
    loop {
        printed.debug("Loaded", &have);
        match outrigger::Operation::run(&receive, &have, &mut context).unwrap() {
            Run::Needs(needs) => {
                printed.debug("Needs", &needs);
                have.answer(needs, |key| Ok::<_, Infallible>(ben.store.load(key))).unwrap();
            }
            Run::Done(step) => {
                printed.debug("Step", &step);
                let (writes, held) = step.split();
                printed.debug("Write", &writes);
                printed.debug("Held", &held);
                break;
            }
        }
    }
    drop(context);
    let mut memory = MemoryStore::new();
    let mut context =
        Context::new(NOON, ben.generation, &mut ben.random).with_suites(ben.suites).with_headers(ben.headers);
    let peer = ada.address;
    memory.run(&Register { address: ben.address }, &mut context).unwrap();
    let upload = memory.run(&ReplenishPrekeys { one_time: 3 }, &mut context).unwrap();
    printed.debug("PrekeyUpload", &upload);
    printed.debug("Started", &memory.run(&Start { bundle: &bundle }, &mut context).unwrap());
    printed.debug("DeviceDescription", &memory.run(&DescribeDevice, &mut context).unwrap());
    printed.debug("PeerDescription", &memory.run(&DescribePeer { peer }, &mut context).unwrap());
    printed.debug("SafetyNumber", &memory.run(&ShowSafetyNumber { peer }, &mut context).unwrap());
    printed.debug("VerifiedBundle", &bundle);
    printed.debug("MemoryStore", &memory);
    drop(context);
    printed.plant_device(&ben);
    printed.debug("MemoryStore", &memory);
    printed.debug("Received", &ben.opens(ada.address, &in_order, b"in order"));

    // Handshake and ratchet without records.
    let mut source = Seeded::new(10);
    let mut random = Random::new(&mut source);
    printed.debug("Random", &random);
    let own = Party { identity: &identity, address: &cleo.address };
    let initiated: Initiated = initiate(own, &bundle, SuitePolicy::Classic, NOON, &mut random).unwrap();
    printed.debug("Initiated", &initiated);
    let keys = Prekeys { signed: &KeyPair::take_from(&mut whole()), one_time: None, kem: None };
    printed.debug("Prekeys", &keys);
    let answer = respond(own, &ada.address, initiated.suite, &initiated.handshake, keys);
    printed.debug("Established", &answer.unwrap());
    let root = initiated.established.into_root_secret();
    printed.debug("RootSecret", &root);
    let ratchet = Ratchet::initiate(root, bundle.signed_prekey(), &mut random).unwrap();
    let saved = ratchet.save();
    printed.plant("a saved ratchet", &saved[1..33]);
    printed.debug("Ratchet", &ratchet);
    printed.debug("Ratchet::save", &saved);
    assert_eq!(printed.leaks, [""; 0]);
}

/// Operations are values that an app may log; what they carry is the user's.
#[test]
fn l22_no_operation_and_no_output_prints_a_plaintext() {
    let Cast { mut ben, mut ada, .. } = cast();
    let mut printed = Printed::new();
    printed.plant("the plaintext", PLAINTEXT);
    let sent = ben.try_send(ada.address, PLAINTEXT).unwrap();
    printed.debug("Sent", &sent);
    let receive = Receive { from: ben.address, envelope: &sent.envelope, associated_data: BOUND };
    printed.debug("Receive", &receive);
    let step = ada.prepare(&receive).unwrap();
    printed.debug("Step", &step);
    let received = ada.run(&receive).unwrap();
    printed.debug("Received", &received);
    printed.debug("Result", &Ok::<_, ()>(received));
    let send = Send { to: ada.address, plaintext: PLAINTEXT, associated_data: BOUND, keep: Keep::ForRetry };
    printed.debug("Send", &send);
    printed.debug("Batch", &Batch(&[send]));
    assert_eq!(printed.leaks, [""; 0]);
}

/// Texts that are kept for a retry stand in records, in what is loaded and in what is written; none of it prints them, nor do the operations around a retry print anything
/// secret.
#[test]
fn l22_no_stage_of_a_retry_prints_a_text_or_a_key() {
    let Cast { mut ben, ada, bundle, gone, request, request_anew, .. } = cast();
    let mut printed = Printed::new();
    printed.plant_device(&ben);
    printed.plant_device(&ada);
    printed.plant("a kept text", WANTED);
    printed.plant("what a kept text bound", BOUND);
    assert!(ben.store.of(RecordKind::RetryCopy).any(|(_, bytes)| contains(bytes, WANTED)), "it is there");

    let peer = ada.address;
    let ask = RequestRetry { from: peer, envelope: &gone, error: OpenError::KeyGone };
    let answer = AnswerRetry { from: peer, request: &request, bundle: None, resend_to: None };
    let anew = AnswerRetry { request: &request_anew, bundle: Some(&bundle), ..answer };
    let keys: Vec<_> = ben.store.0.keys().copied().collect();
    stages(&mut printed, "RequestRetry", &mut ben, &ask);
    stages(&mut printed, "AnswerRetry", &mut ben, &answer);
    stages(&mut printed, "AnswerRetry anew", &mut ben, &anew);
    stages(&mut printed, "HandOutBundle", &mut ben, &HandOutBundle);
    stages(
        &mut printed,
        "ConfirmPrekeys",
        &mut ben,
        &ConfirmPrekeys { upload: UploadId { number: 1, tag: [0; 8] } },
    );
    stages(&mut printed, "DescribePrekeys", &mut ben, &DescribePrekeys);
    stages(&mut printed, "Diagnose", &mut ben, &Diagnose { peer });
    let before = ben.store.clone();
    printed.debug("RetryRequest", &ben.run(&ask).unwrap());
    printed.debug("RetryAnswer", &ben.run(&answer).unwrap());
    ben.store = before;
    ben.generation = Generation([0x77; 16]);
    stages(&mut printed, "Recover", &mut ben, &Recover { records: &keys });

    ben.run(&Recover { records: &keys }).unwrap();
    let report = ben.run(&Diagnose { peer }).unwrap();
    printed.look("Report", &String::from_utf8_lossy(&report.to_bytes()));
    for (key, (_, bytes)) in &ben.store.0 {
        printed.debug("RecordDescription", &RecordDescription::of(key, bytes, ben.generation));
        printed.debug("RecordKey", key);
    }
    assert_eq!(printed.leaks, [""; 0]);
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Formats an operation, all that it loads, and its step, which is not stored.
pub(crate) fn stages<O: Operation + Debug>(
    printed: &mut Printed,
    name: &str,
    device: &mut Device,
    operation: &O,
) {
    printed.debug(name, operation);
    let mut have = Loaded::new();
    loop {
        let drawn = device.random.tape.len();
        let mut context = Context::new(device.now, device.generation, &mut device.random)
            .with_suites(device.suites)
            .with_headers(device.headers);
        let round = operation.run(&have, &mut context);
        drop(context);
        match round {
            Ok(Run::Needs(needs)) => {
                assert_eq!(device.random.tape.len(), drawn, "{name} draws before it has what it needs");
                printed.debug(&format!("{name}, Needs"), &needs);
                have.answer(needs, |key| Ok::<_, Infallible>(device.store.load(key))).unwrap();
                printed.debug(&format!("{name}, Loaded"), &have);
            }
            Ok(Run::Done(step)) => {
                printed.debug(&format!("{name}, Step"), &step);
                let (writes, held) = step.split();
                printed.debug(&format!("{name}, Write"), &writes);
                printed.debug(&format!("{name}, Held"), &held);
                return;
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

/// Runs an operation whose stages and output are formatted.
pub(crate) fn runs<O>(printed: &mut Printed, name: &str, device: &mut Device, operation: &O) -> O::Output
where
    O: Operation + Debug,
    O::Output: Debug,
    O::Error: Debug,
{
    stages(printed, name, device, operation);
    let output = device.run(operation).unwrap();
    // What it drew is a secret from now on.
    printed.plant_device(device);
    printed.debug(name, &output);
    output
}

/// What the crate says of a refusal goes into logs as it is.
#[test]
fn l22_no_error_prints_a_secret() {
    let Cast { mut ben, mut ada, cleo, first, in_order, late, .. } = cast();
    let mut printed = Printed::new();
    printed.plant_device(&ben);
    printed.plant("the plaintext", PLAINTEXT);
    let mut errors: Vec<Box<dyn Error>> = Vec::new();
    let message = ada.send(ben.address, PLAINTEXT);
    let mut refuse = |ben: &mut Device, from: &Device, envelope: &[u8]| {
        errors.push(Box::new(ben.receive(from.address, envelope).unwrap_err()));
    };
    for cut in [&message[..9], &message[..message.len() - 1], &message[1..]] {
        refuse(&mut ben, &ada, cut);
    }
    refuse(&mut ben, &cleo, &message);
    let (mut flipped, mut damaged, mut too_new) = (message.clone(), ben.clone(), ben.clone());
    *flipped.last_mut().unwrap() ^= 1;
    refuse(&mut ben, &ada, &flipped);
    ben.opens(ada.address, &message, PLAINTEXT);
    ben.opens(ada.address, &in_order, b"in order");
    refuse(&mut ben, &ada, &message);
    damaged.store.0.values_mut().for_each(|(_, bytes)| bytes.truncate(bytes.len() - 1));
    too_new.store.0.values_mut().for_each(|(_, bytes)| bytes[1] = 9);
    for ben in [&mut damaged, &mut too_new] {
        refuse(ben, &ada, &late);
        refuse(ben, &cleo, &first);
    }
    ben.store.0.retain(|key, _| key.kind() != RecordKind::OneTimePrekey);
    refuse(&mut ben, &cleo, &first);
    errors.push(Box::new(ben.try_send(ben.address, PLAINTEXT).unwrap_err()));
    errors.push(Box::new(ben.try_send(ada.address, vec![0; 2_000_000]).unwrap_err()));
    ben.decide(ada.address, Decision::Suspect(cleo.identity)).unwrap();
    errors.push(Box::new(ben.try_send(ada.address, PLAINTEXT).unwrap_err()));
    errors.push(Box::new(ben.decide(ada.address, Decision::Verify(cleo.identity)).unwrap_err()));
    let texts: BTreeSet<_> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.len() >= 10, "{texts:?}");
    for error in &errors {
        printed.look("Display", &error.to_string());
        printed.debug("Debug", &error);
    }
    assert_eq!(printed.leaks, [""; 0]);
}

#[test]
fn no_type_prints_a_phone_number() {
    let Cast { mut ben, ada, statement, .. } = cast();
    let mut printed = Printed::new();
    printed.plant("the number", b"+493012345678");
    let number = PhoneNumber::parse("+493012345678").unwrap();
    printed.debug("PhoneNumber", &number);
    printed.debug("ChangeNumber", &ChangeNumber { number: number.clone() });
    let learn = LearnNumber { account: ada.address.account, statement: b"" };
    printed.debug("LearnNumber", &learn);
    let learnt = ben.run(&LearnNumber { statement: &statement, ..learn }).unwrap();
    printed.debug("VerifiedNumber", &learnt);
    printed.debug("PeerDescription", &ben.describe(ada.address));
    ben.run(&ChangeNumber { number }).unwrap();
    printed.debug("DeviceDescription", &ben.run(&DescribeDevice).unwrap());
    let decide = DecideIdentity { peer: ada.address, decision: Decision::Verify(ada.identity) };
    printed.debug("DecideIdentity", &decide);
    assert_eq!(printed.leaks, [""; 0]);
}

/// L22: wiped on drop, in the type. `Limits` is here so that the check is known to tell the two apart.
#[test]
fn l22_secret_types_wipe_themselves() {
    const fn wipes<T: ZeroizeOnDrop>() {}
    const { wipes::<SecretBytes>() };
    const { wipes::<RootSecret>() };
    const { wipes::<KeyPair>() };
    const { wipes::<KemSeed>() };
    const { wipes::<outrigger::LinkCode>() };
    const { wipes::<outrigger::TypedCode>() };
    assert!(needs_drop::<KeyPair>() && needs_drop::<IdentityKeyPair>() && needs_drop::<Ratchet>());
    assert!(needs_drop::<outrigger::handshake::Established>() && needs_drop::<Context<'_>>());
    assert!(needs_drop::<KemPair>() && !needs_drop::<Limits>());
    // Taking a key over wipes where it came from.
    let (mut seed, mut root) = ([7; 32], [8; 32]);
    drop((KeyPair::take_from(&mut seed), RootSecret::take_from(&mut root)));
    assert_eq!((seed, root), ([0; 32], [0; 32]));
}

/// Ambiguous, and so no program, for a type that has the trait: the compiler says that secrets have no second copy, no `==` and no text.
macro_rules! lacks {
    ($($type:ty: $trait:path),* $(,)?) => {$(
        const _: fn() = || {
            trait Lacks<A> { fn lacks() {} }
            impl<T: ?Sized> Lacks<()> for T {}
            struct Has;
            impl<T: ?Sized + $trait> Lacks<Has> for T {}
            <$type as Lacks<_>>::lacks();
        };
    )*};
}

lacks! {
    SecretBytes: Clone, RootSecret: Clone, KeyPair: Clone, IdentityKeyPair: Clone, Ratchet: Clone, Record: Clone,
    outrigger::handshake::Established: Clone, outrigger::Received: Clone, outrigger::Write: Clone,
    outrigger::LinkCode: Clone, outrigger::TypedCode: Clone, outrigger::SupplyFrame: Clone, outrigger::HistoryManifest: Clone,
    outrigger::TakenFromPhone: Clone, outrigger::FromPhone: Clone, outrigger::FromDesktop: Clone, outrigger::Wanted: Clone,
    outrigger::ReceivedAndRelayed: Clone,
    outrigger::LinkCode: std::fmt::Display, outrigger::TypedCode: std::fmt::Display,
    SecretBytes: PartialEq, RootSecret: PartialEq, KeyPair: PartialEq, IdentityKeyPair: PartialEq,
    SecretBytes: std::fmt::Display, RootSecret: std::fmt::Display, KeyPair: std::fmt::Display,
    RootSecret: AsRef<[u8]>, KeyPair: AsRef<[u8]>, RootSecret: std::ops::Deref, KeyPair: std::ops::Deref,
    RootSecret: std::hash::Hash, KeyPair: std::hash::Hash, SecretBytes: std::hash::Hash,
    KemSeed: Clone, KemPair: Clone, KemSeed: PartialEq, KemPair: PartialEq, KemSeed: AsRef<[u8]>, KemSeed: std::hash::Hash,
}
