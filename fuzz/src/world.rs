//! What all targets share: a toy random source, a store that can be copied and compared, and one face for all errors.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fmt::{Debug, Display},
};

use outrigger::{
    AccountId, Address, Advise, Context, DeviceError, DeviceId, Generation, Limits, Loaded, NumberError,
    OpenError, Operation, Record, RecordError, RecordKey, RetryError, Revision, Run, SendError, StartError,
    Step, SuitePolicy, TrustError, UnixMillis,
};
use rand_core::{TryCryptoRng, TryRng};

/// Rounds in which an operation settles: three, and one more where an envelope with an encrypted header is of an archived session, which is found by trial.
pub(crate) const ROUNDS: usize = 4;
/// The restore guard of every store here.
pub(crate) const GENERATION: Generation = Generation([0x67; 16]);
/// The time at which the fixed world stands still.
pub(crate) const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
/// What senders and recipients bind, unless a target says otherwise.
pub(crate) const BOUND: &[u8] = b"fuzz";

/// Bytes without end from a number, good for nothing but tests: SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Toy(pub(crate) u64);

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
        for chunk in bytes.chunks_mut(8) {
            let next = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Toy {}

/// A source that fails after so many draws.
#[derive(Clone, Debug)]
pub(crate) struct Failing {
    pub(crate) toy: Toy,
    pub(crate) draws: u8,
}

/// The source has failed.
#[derive(Debug)]
pub(crate) struct Failed;

impl Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed")
    }
}

impl std::error::Error for Failed {}

impl TryRng for Failing {
    type Error = Failed;

    fn try_next_u32(&mut self) -> Result<u32, Failed> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Failed> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Failed> {
        self.draws = self.draws.checked_sub(1).ok_or(Failed)?;
        let Ok(()) = self.toy.try_fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Failing {}

/// The context of the fixed world, whose conversation is of suite 1; [`post_quantum`](super::fixture::Fixture::post_quantum) stands beside it.
pub(crate) fn context(toy: &mut Toy) -> Context<'_> {
    Context::new(NOW, GENERATION, toy).with_suites(SuitePolicy::Classic)
}

/// Limits far below the defaults.
pub(crate) fn low_limits() -> Limits {
    let day = UnixMillis::DAY;
    Limits::DEFAULT.max_forward(2).max_skipped(2).skipped_max_age(day).max_archived(1).archived_max_age(day)
}

/// The phone of an account.
pub(crate) fn address(name: &[u8; 16]) -> Address {
    Address::new(AccountId::new(name).expect("16 bytes"), DeviceId::PHONE)
}

/// Records with the compare-and-swap of a real store; unlike the crate's own, it can be copied, compared and damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Store(pub(crate) BTreeMap<RecordKey, (Revision, Vec<u8>)>);

impl Store {
    /// Runs an operation to its step and stores nothing. Asserts what holds of every operation: it asks for nothing twice and settles in `rounds` rounds of needs.
    pub(crate) fn step_in<O: Operation>(
        &self,
        rounds: usize,
        operation: &O,
        context: &mut Context<'_>,
    ) -> Result<Step<O::Output>, O::Error> {
        let mut have = Loaded::new();
        let mut asked = BTreeSet::new();
        for _ in 0..=rounds {
            match operation.run(&have, context)? {
                Run::Done(step) => return Ok(step),
                Run::Needs(needs) => {
                    assert!(!needs.keys().is_empty(), "needs without a key");
                    for key in needs.keys() {
                        assert!(asked.insert(*key), "asked for {key:?} twice");
                    }
                    let load = |key: &RecordKey| Ok::<_, Infallible>(self.load(key));
                    have.answer(needs, load).expect("cannot fail");
                }
            }
        }
        panic!("not settled after {rounds} rounds of needs");
    }

    /// Runs one operation to its step.
    pub(crate) fn step<O: Operation>(
        &self,
        operation: &O,
        context: &mut Context<'_>,
    ) -> Result<Step<O::Output>, O::Error> {
        self.step_in(ROUNDS, operation, context)
    }

    /// Stores a step and gives its output.
    pub(crate) fn commit<T>(&mut self, step: Step<T>) -> T {
        step.commit(|writes, _| {
            let mut keys = BTreeSet::new();
            for write in writes {
                assert!(keys.insert(*write.key()), "two writes of {:?}", write.key());
                let stored = self.0.get(write.key()).map(|(revision, _)| *revision);
                assert_eq!(stored, write.replaces(), "a conflict without another process: {:?}", write.key());
                match write.bytes() {
                    Some(bytes) => self.0.insert(*write.key(), (write.revision(), bytes.to_vec())),
                    None => self.0.remove(write.key()),
                };
            }
            Ok::<_, Infallible>(())
        })
        .expect("cannot fail")
    }

    /// Runs an operation and stores its step.
    pub(crate) fn run<O: Operation>(
        &mut self,
        operation: &O,
        context: &mut Context<'_>,
    ) -> Result<O::Output, O::Error> {
        let step = self.step(operation, context)?;
        Ok(self.commit(step))
    }

    pub(crate) fn load(&self, key: &RecordKey) -> Option<Record> {
        self.0.get(key).map(|(revision, bytes)| Record::new(*revision, bytes.clone()))
    }

    /// What is stored, without revisions.
    pub(crate) fn contents(&self) -> impl Iterator<Item = (&RecordKey, &[u8])> {
        self.0.iter().map(|(key, (_, bytes))| (key, bytes.as_slice()))
    }
}

/// What a refusal of any operation can be asked.
pub(crate) trait Refusal: Advise + Display + Debug {
    /// The damaged record, where that is the reason.
    fn record(&self) -> Option<RecordError>;

    /// Formats it both ways and asks for advice: none of it may panic.
    fn show(&self) {
        let _ = format!("{self} {self:?} {:?}", self.advice());
    }
}

macro_rules! refusal {
    ($($error:ident),*) => {$(
        impl Refusal for $error {
            fn record(&self) -> Option<RecordError> {
                if let Self::Record(error) = self { Some(*error) } else { None }
            }
        }
    )*};
}
refusal!(DeviceError, StartError, SendError, OpenError, NumberError, TrustError, RetryError);

impl Refusal for RecordError {
    fn record(&self) -> Option<RecordError> {
        Some(*self)
    }
}

/// Reads a target's bytes as a list of small choices; at its end every choice is 0.
pub(crate) struct Choices<'a>(pub(crate) &'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn byte(&mut self) -> u8 {
        self.more().unwrap_or(0)
    }

    /// The next byte, `None` at the end.
    pub(crate) fn more(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number below `count`; 0 where there is nothing to choose.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()).checked_rem(count).unwrap_or(0)
    }

    /// Up to `len` of the next bytes.
    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        head
    }
}

/// Most moves of one run, so that an input has an end.
const LONGEST: usize = 200;

/// Plays `move (1) ‖ its choices`, over and over.
pub(crate) fn moves(data: &[u8], mut play: impl FnMut(u8, &mut Choices<'_>)) {
    let mut choices = Choices(data);
    for _ in 0..LONGEST {
        match choices.more() {
            Some(kind) => play(kind, &mut choices),
            None => break,
        }
    }
}
