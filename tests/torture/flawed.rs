//! The suite under test itself: a library that can do less passes, and one that does something wrong is caught.

use crate::{
    outrigger::{Device, Outrigger},
    rollbacks, runner, schedule,
    subject::{Alteration, Capability, Fetched, Opened, Refusal, Subject, Upload},
};

/// Neither asks again nor knows a backup, and says `drop` to every repeat.
const PLAIN: u8 = 0;
/// Draws the same randomness for each envelope.
const REPEATS_NONCES: u8 = 1;
/// Uses no key up.
const OPENS_TWICE: u8 = 2;
/// Moves on although it refuses.
const CHANGES_ON_REFUSAL: u8 = 3;
/// Takes another identity key without a word.
const TRUSTS_ANYONE: u8 = 4;

/// outrigger, made worse.
#[derive(Clone, Default)]
struct Flawed<const FLAW: u8>(Outrigger);

impl<const FLAW: u8> Subject for Flawed<FLAW> {
    type Device = Device;

    const CAPABILITIES: &'static [Capability] =
        if FLAW == PLAIN { &[] } else { <Outrigger as Subject>::CAPABILITIES };

    fn register(&mut self, address: &str) -> Device {
        self.0.register(address)
    }

    fn publish(&mut self, device: &mut Device, one_time: u16) -> Upload {
        self.0.publish(device, one_time)
    }

    fn start(&mut self, device: &mut Device, peer: &str, fetched: &Fetched) -> Result<(), Refusal> {
        self.0.start(device, peer, fetched)
    }

    fn send(&mut self, device: &mut Device, to: &str, text: &str, keep: bool) -> Result<Vec<u8>, Refusal> {
        if FLAW == REPEATS_NONCES {
            self.0 = Outrigger::default();
        }
        self.0.send(device, to, text, keep)
    }

    fn receive(&mut self, device: &mut Device, from: &str, bytes: &[u8]) -> Result<Opened, Refusal> {
        let before = device.clone();
        let mut result = self.0.receive(device, from, bytes);
        match FLAW {
            PLAIN if result == Err(Refusal::Duplicate) => result = Err(Refusal::Drop),
            OPENS_TWICE => *device = before,
            CHANGES_ON_REFUSAL if result.is_err() => drop(self.0.publish(device, 1)),
            TRUSTS_ANYONE if result == Err(Refusal::Identity) => {
                self.0.accept(device, from);
                result = self.0.receive(device, from, bytes);
            }
            _ => {}
        }
        result
    }

    fn accept(&mut self, device: &mut Device, peer: &str) {
        self.0.accept(device, peer);
    }

    fn set_clock(&mut self, device: &mut Device, now: u64) {
        self.0.set_clock(device, now);
    }

    fn session(&mut self, device: &mut Device, peer: &str) -> Option<Vec<u8>> {
        self.0.session(device, peer)
    }

    fn alter(&self, bytes: &[u8], alteration: &Alteration<'_>) -> Option<Vec<u8>> {
        self.0.alter(bytes, alteration)
    }

    fn stored(&self, device: &Device) -> Vec<u8> {
        self.0.stored(device)
    }

    fn keys_and_nonces(&self, envelope: &[u8]) -> Vec<Vec<u8>> {
        self.0.keys_and_nonces(envelope)
    }
}

fn failures<S: Subject + Default>() -> Vec<String> {
    let failed = |schedule| runner::run(S::default(), &schedule).err();
    schedule::all().into_iter().filter_map(failed).map(|failure| failure.to_string()).collect()
}

#[test]
fn a_library_that_can_do_less_passes() {
    assert_eq!(failures::<Flawed<PLAIN>>(), Vec::<String>::new());
    let (_, failures) = rollbacks::every_pair(Flawed::<PLAIN>::default(), true, false);
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn a_library_with_a_flaw_is_caught() {
    let caught = [
        (failures::<Flawed<REPEATS_NONCES>>(), "a key and its nonce came twice"),
        (failures::<Flawed<OPENS_TWICE>>(), "twice"),
        (failures::<Flawed<CHANGES_ON_REFUSAL>>(), "a refusal changed what is stored"),
        (failures::<Flawed<TRUSTS_ANYONE>>(), "expected refused_identity, was opens"),
    ];
    for (failures, sign) in caught {
        assert!(failures.iter().any(|failure| failure.contains(sign)), "{sign}: {failures:?}");
    }
}
