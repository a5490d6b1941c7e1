//! A device at work: its operations are run and stored, and what they give is packed.

use outrigger::{
    AccountId, AckPhone, Address, AskPhone, Context, DeviceId, Generation, Operation, RecordKind, UnixMillis,
    Write,
};

use crate::{
    chosen::chosen,
    config::Fault,
    lab::{Lab, Outcome},
    names::{Device, Input, PacketId, Party, Text, What, When},
    store::{Counting, Records, prepare, store},
};

const BEGIN: u64 = 1_800_000_000_000;
/// Draws that one death of a device is away from the next: more than any run makes.
const DEATH: u64 = 1 << 32;

pub(crate) fn address(party: Party) -> Address {
    match party {
        Party::Phone => Address::new(AccountId::new(b"account of phone").unwrap(), DeviceId::PHONE),
        Party::Peer => Address::new(AccountId::new(b"account of peers").unwrap(), DeviceId::PHONE),
        Party::Desk | Party::Other => unreachable!("its phone says"),
    }
}

fn generation() -> Generation {
    Generation([1; 16])
}

/// A device at work.
pub(crate) struct Bench<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) device: Device,
    pub(crate) when: When,
    pub(crate) outcome: Outcome,
    pub(crate) changed: bool,
}

/// Runs an operation of a device to its step; its random source goes on.
fn run<O: Operation>(
    device: &mut Device,
    now: UnixMillis,
    operation: &O,
) -> Result<(Vec<Write>, O::Output), O::Error> {
    // The devices and the times after each death have draws of their own.
    let begin = ((1 + device.party as u64) << 48) | (u64::from(device.deaths) * DEATH);
    let mut draws = begin + device.draws;
    let mut source = Counting(&mut draws);
    let mut context = chosen(Context::new(now, generation(), &mut source));
    let done = prepare(&device.records, operation, &mut context);
    drop(context);
    if done.is_ok() {
        device.draws = draws - begin;
    }
    done
}

/// Runs an operation at the beginning, and stores its step.
pub(crate) fn run_and_store<O: Operation>(device: &mut Device, operation: &O) -> O::Output
where
    O::Error: core::fmt::Debug,
{
    let (writes, output) = run(device, UnixMillis(BEGIN), operation).unwrap();
    store(&mut device.records, &writes);
    output
}

impl<'a> Bench<'a> {
    pub(crate) fn new(lab: &'a Lab, device: Device, when: When) -> Self {
        Self { lab, device, when, outcome: Outcome::default(), changed: false }
    }

    /// Runs an operation that only reads, where the time does not matter.
    pub(crate) fn ask<O: Operation>(records: &Records, operation: &O) -> Result<O::Output, O::Error> {
        Self::ask_at(UnixMillis(BEGIN), records, operation)
    }

    pub(crate) fn ask_at<O: Operation>(
        now: UnixMillis,
        records: &Records,
        operation: &O,
    ) -> Result<O::Output, O::Error> {
        let mut draws = u64::MAX / 2;
        let mut source = Counting(&mut draws);
        let mut context = chosen(Context::new(now, generation(), &mut source));
        let (writes, output) = prepare(records, operation, &mut context)?;
        assert!(writes.is_empty(), "a description writes");
        Ok(output)
    }

    pub(crate) fn now(&self) -> UnixMillis {
        let When { sessions, waits } = self.when;
        UnixMillis(BEGIN + 1_000 * u64::from(sessions) + self.lab.config.wait * u64::from(waits))
    }

    pub(crate) fn make<O: Operation>(&mut self, operation: &O) -> Result<O::Output, O::Error> {
        let now = self.now();
        let (mut writes, output) = run(&mut self.device, now, operation)?;
        if self.has(Fault::LosesSeen) {
            writes.retain(|write| write.key().kind() != RecordKind::RelaySeen);
        }
        let mut keys: Vec<_> = writes.iter().map(Write::key).collect();
        keys.sort();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            self.is_wrong("a step writes a record twice");
        } else {
            store(&mut self.device.records, &writes);
        }
        self.changed = true;
        Ok(output)
    }

    /// Whether the app has this fault.
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.lab.config.fault == Some(fault)
    }

    pub(crate) fn is_wrong(&mut self, why: &'static str) {
        self.outcome.wrong.get_or_insert(why);
    }

    /// Leaves everything as it was.
    pub(crate) fn undo(&mut self, before: Device) {
        (self.device, self.changed) = (before, false);
    }

    pub(crate) fn send(&mut self, to: Party, bytes: Vec<u8>, text: Option<Text>) -> PacketId {
        self.release(to, What::Envelope(text), bytes)
    }

    pub(crate) fn release(&mut self, to: Party, what: What, bytes: Vec<u8>) -> PacketId {
        let id = self.lab.pack(self.device.party, to, what, bytes);
        // At other devices there is no notice, and one that goes out again is the same packet.
        if to == Party::Desk && self.device.tables.notice.is_some_and(|notice| notice != id) {
            self.is_wrong("sealed for a desktop that was let go");
        }
        self.outcome.out.push(id);
        id
    }

    /// It goes out until the other end has it.
    pub(crate) fn post(&mut self, to: Party, what: What, bytes: Vec<u8>) {
        let id = self.release(to, what, bytes);
        self.device.tables.outbox.push(id);
    }

    /// Frames that bring no text go to the other end.
    pub(crate) fn send_all(&mut self, to: Party, frames: impl IntoIterator<Item = Vec<u8>>) {
        for frame in frames {
            self.send(to, frame, None);
        }
    }

    pub(crate) fn run(mut self, input: Input) -> Outcome {
        match input {
            Input::Say(number) => self.say(Text::Down(number)),
            Input::Restart(number) => self.restart(number),
            Input::Meet(packet) => self.meet(&self.lab.packet(packet)),
            Input::Request(text) => self.request(text),
            Input::Want(number) => self.want(Text::Want(number)),
            Input::Accept(number) => self.accept(Text::Accept(number)),
            Input::Publish => self.publish(),
            Input::Speak(text) => self.speak(text),
            Input::Ask => self.word(&AskPhone),
            Input::Ack => self.word(&AckPhone),
            Input::Flush => self.flush(),
            Input::Rejoin(number) => self.rejoin(number),
            Input::Outbox => self.outbox(),
            Input::Detach => self.detach(),
            Input::Withdraw => self.withdraw(),
            Input::Renew => self.renew(),
            Input::News(text) => self.news(text),
            Input::Take(packet) | Input::Deny(packet) | Input::Agree(packet) => {
                let packet = self.lab.packet(packet);
                assert_eq!(packet.to, self.device.party);
                match packet.to {
                    Party::Phone => self.phone_takes(&packet, input),
                    Party::Peer => self.peer_takes(&packet),
                    Party::Desk | Party::Other => self.desk_takes(&packet),
                }
            }
        }
        if self.changed {
            self.outcome.store = Some(self.lab.shelve(self.device));
        }
        self.outcome
    }
}
