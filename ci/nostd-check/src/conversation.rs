//! What is called: prekeys and a bundle, PQXDH, messages both ways, what must be refused, a ratchet alone, protobuf both ways, safety and phone numbers.

extern crate alloc;

use alloc::vec::Vec;
use core::convert::Infallible;

use outrigger::{
    AccountId, Address, ChangeNumber, Context, DeviceId, DriveError, Generation, Keep, KeyPair, LearnNumber,
    Limits, MemoryStore, OpenError, Operation, PhoneNumber, Random, Receive, Register, ReplenishPrekeys,
    RootSecret, Send, ShowSafetyNumber, Start, Suite, UnixMillis, VerifiedBundle, handshake::Handshake,
    ratchet::Ratchet,
};
use rand_core::{TryCryptoRng, TryRng};

/// The checks, in order; each is the program's exit code where it fails.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Two devices register and one makes prekeys.
    Register = 10,
    /// A bundle verifies.
    Bundle = 11,
    /// A bundle that was altered, or is of another address, does not.
    ForgedBundle = 12,
    /// A session starts and a message is sent.
    Start = 13,
    /// The envelope's handshake decodes, and encodes to the same bytes.
    Protobuf = 14,
    /// The first message opens.
    First = 15,
    /// It does not open twice.
    Twice = 16,
    /// Messages go both ways, over several turns.
    Turns = 17,
    /// An altered message is refused, and the true one opens after it.
    Altered = 18,
    /// A ratchet without a session works, saved and restored.
    Ratchet = 19,
    /// Both sides compute the same safety number and scan it.
    Safety = 20,
    /// A phone number's statement verifies.
    Number = 21,
}

/// Plays it all.
pub fn play() -> Result<(), Check> {
    let mut toy = Toy(1);
    let mut alice = Device::new(b"alice-0123456789")?;
    let mut bob = Device::new(b"bob---0123456789")?;

    let upload = bob.run(&ReplenishPrekeys { one_time: 1 }, &mut toy).map_err(|_| Check::Register)?;
    let field = upload.one_time_prekeys.first().ok_or(Check::Register)?;
    let bytes = [&upload.bundle[..], field].concat();
    let bundle = VerifiedBundle::verify(&bytes, &bob.address).map_err(|_| Check::Bundle)?;
    forged_bundles(bytes, &alice.address, &bob.address)?;

    alice.run(&Start { bundle: &bundle }, &mut toy).map_err(|_| Check::Start)?;
    let hello = alice.send(&bob, b"hello", &mut toy).ok_or(Check::Start)?;
    let handshake = match hello.get(11..) {
        // 128 bytes and more: a length of two bytes.
        Some([0x12, low, high, rest @ ..]) if *low >= 0x80 => {
            let len = usize::from(*high) << 7 | usize::from(low & 0x7f);
            rest.get(..len).ok_or(Check::Protobuf)?
        }
        _ => return Err(Check::Protobuf),
    };
    let suite = hello.get(1).and_then(|byte| Suite::parse(*byte).ok()).ok_or(Check::Protobuf)?;
    let decoded = Handshake::decode(handshake, suite).map_err(|_| Check::Protobuf)?;
    require(decoded.encode() == handshake && decoded.kem.is_some(), Check::Protobuf)?;

    let opened = bob.open(&alice, &hello, &mut toy);
    require(opened.as_deref() == Ok(&b"hello"[..]), Check::First)?;
    require(bob.open(&alice, &hello, &mut toy) == Err(OpenError::Duplicate), Check::Twice)?;
    for turn in 0..4_u8 {
        let text = [turn; 100];
        let question = alice.send(&bob, &text, &mut toy).ok_or(Check::Turns)?;
        require(bob.open(&alice, &question, &mut toy).as_deref() == Ok(&text[..]), Check::Turns)?;
        let answer = bob.send(&alice, &text, &mut toy).ok_or(Check::Turns)?;
        require(alice.open(&bob, &answer, &mut toy).as_deref() == Ok(&text[..]), Check::Turns)?;
    }
    let last = alice.send(&bob, b"last", &mut toy).ok_or(Check::Altered)?;
    let mut altered = last.clone();
    *altered.last_mut().ok_or(Check::Altered)? ^= 1;
    let refused = bob.open(&alice, &altered, &mut toy);
    require(matches!(refused, Err(OpenError::NotAuthentic | OpenError::OutOfStep)), Check::Altered)?;
    require(bob.open(&alice, &last, &mut toy).as_deref() == Ok(&b"last"[..]), Check::Altered)?;

    ratchet_alone(&mut toy).ok_or(Check::Ratchet)?;

    let shown = alice.run(&ShowSafetyNumber { peer: bob.address }, &mut toy).map_err(|_| Check::Safety)?;
    let held = bob.run(&ShowSafetyNumber { peer: alice.address }, &mut toy).map_err(|_| Check::Safety)?;
    require(shown.digits() == held.digits() && shown.digits().len() == 60, Check::Safety)?;
    require(held.check_scanned(&shown.scannable()).is_ok(), Check::Safety)?;
    require(held.check_scanned(&held.scannable()).is_err(), Check::Safety)?;

    let number = PhoneNumber::parse("+12025550123").map_err(|_| Check::Number)?;
    let change = ChangeNumber { number: number.clone() };
    let statement = alice.run(&change, &mut toy).map_err(|_| Check::Number)?;
    let learn = LearnNumber { account: alice.address.account, statement: &statement };
    let learned = bob.run(&learn, &mut toy).map_err(|_| Check::Number)?;
    require(*learned.number() == number, Check::Number)
}

fn require(holds: bool, check: Check) -> Result<(), Check> {
    if holds { Ok(()) } else { Err(check) }
}

/// Signatures: every third byte altered in turn, and the whole under another address.
fn forged_bundles(mut bytes: Vec<u8>, other: &Address, address: &Address) -> Result<(), Check> {
    require(VerifiedBundle::verify(&bytes, other).is_err(), Check::ForgedBundle)?;
    for place in (0..bytes.len()).step_by(3) {
        let byte = bytes.get_mut(place).ok_or(Check::ForgedBundle)?;
        *byte ^= 0x10;
        require(VerifiedBundle::verify(&bytes, address).is_err(), Check::ForgedBundle)?;
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 0x10;
        }
    }
    require(VerifiedBundle::verify(&bytes, address).is_ok(), Check::ForgedBundle)
}

fn ratchet_alone(toy: &mut Toy) -> Option<()> {
    let mut random = Random::new(toy);
    let listener = KeyPair::generate(&mut random).ok()?;
    let public = *listener.public();
    let mut one = Ratchet::initiate(RootSecret::take_from(&mut [7; 32]), &public, &mut random).ok()?;
    let mut other = Ratchet::respond(RootSecret::take_from(&mut [7; 32]), listener);
    for _ in 0..3 {
        let message = one.encrypt(b"ping", b"bound", &mut random).ok()?;
        let plaintext = other.decrypt(&message, b"bound", NOW, &Limits::DEFAULT).ok()?;
        other = Ratchet::restore(&other.save()).ok()?;
        let answer = other.encrypt(&plaintext, b"", &mut random).ok()?;
        let back = one.decrypt(&answer, b"", NOW, &Limits::DEFAULT).ok()?;
        (*back == *b"ping").then_some(())?;
    }
    Some(())
}

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

/// One side.
struct Device {
    store: MemoryStore,
    address: Address,
}

impl Device {
    fn new(account: &[u8]) -> Result<Self, Check> {
        let account = AccountId::new(account).map_err(|_| Check::Register)?;
        let address = Address::new(account, DeviceId::PHONE);
        let mut device = Self { store: MemoryStore::new(), address };
        let mut toy = Toy(u64::from(account.as_bytes()[0]));
        device.run(&Register { address }, &mut toy).map_err(|_| Check::Register)?;
        Ok(device)
    }

    fn run<O: Operation>(
        &mut self,
        operation: &O,
        toy: &mut Toy,
    ) -> Result<O::Output, DriveError<O::Error, Infallible>> {
        self.store.run(operation, &mut Context::new(NOW, Generation([1; 16]), toy))
    }

    fn send(&mut self, to: &Self, plaintext: &[u8], toy: &mut Toy) -> Option<Vec<u8>> {
        let send = Send { to: to.address, plaintext, associated_data: b"nostd", keep: Keep::ForRetry };
        self.run(&send, toy).ok().map(|sent| sent.envelope)
    }

    fn open(&mut self, from: &Self, envelope: &[u8], toy: &mut Toy) -> Result<Vec<u8>, OpenError> {
        let receive = Receive { from: from.address, envelope, associated_data: b"nostd" };
        match self.run(&receive, toy) {
            Ok(received) => Ok(received.content.text().unwrap_or_default().to_vec()),
            Err(DriveError::Refused(error)) => Err(error),
            // A store in memory with one user neither fails nor conflicts.
            Err(_) => Err(OpenError::NotRegistered),
        }
    }
}

/// Bytes without end from a number, good for nothing but this check: SplitMix64.
struct Toy(u64);

impl TryRng for Toy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|value| value as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(value ^ (value >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for place in bytes {
            *place = self.try_next_u64()? as u8;
        }
        Ok(())
    }
}

impl TryCryptoRng for Toy {}
