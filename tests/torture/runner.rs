//! Runs a schedule on a [`Subject`], and compares what each step came to with what it must come to.

use std::{collections::BTreeMap, fmt};

pub(crate) use crate::world::NOON;
use crate::{
    schedule::{Schedule, Step},
    seat::{Crash, Seat},
    server::Misdeed,
    subject::{Alteration, Capability, Opened, Part, Refusal, Subject},
    world::{Broken, Outcome, World},
};

const DAY: i64 = 24 * 60 * 60 * 1_000;
/// One-time prekeys of a device at the beginning.
const ONE_TIME: u16 = 20;

/// What went otherwise.
pub(crate) struct Failure {
    schedule: String,
    step: String,
    expected: String,
    actual: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schedule, step, expected, actual } = self;
        write!(f, "{schedule}, step {step}: expected {expected}, was {actual}")
    }
}

/// A schedule under way.
struct Run<S: Subject> {
    world: World<S>,
    snapshots: BTreeMap<String, Seat<S::Device>>,
    /// The library can do all that the schedule needs; else only what must hold at every step is checked.
    able: bool,
}

/// Runs a schedule from its setup to its end.
pub(crate) fn run<S: Subject>(subject: S, schedule: &Schedule) -> Result<(), Failure> {
    let able = schedule.needs.iter().all(|need| S::CAPABILITIES.contains(need));
    let mut run = Run { world: World::new(subject, !able), snapshots: BTreeMap::new(), able };
    let failure = |step: &str, expected: String, actual: String| Failure {
        schedule: schedule.name.clone(),
        step: step.into(),
        expected,
        actual,
    };
    run.set_up(schedule).map_err(|broken| failure("0 (setup)", "a settled session".into(), broken))?;
    for step in &schedule.steps {
        let expected = step.expected();
        let place = format!("{} ({})", step.number, step.does());
        let (outcome, text) = match run.step(step) {
            Ok(came_to) => came_to,
            Err(broken) => return Err(failure(&place, expected.join(" or "), format!("broken: {broken}"))),
        };
        let right = expected.iter().any(|expected| is_right::<S>(expected, &outcome, &text));
        if !right && run.able && outcome != Outcome::Skipped {
            return Err(failure(&place, expected.join(" or "), name_of(&outcome)));
        }
    }
    Ok(())
}

/// Whether an outcome is of a class; a library that cannot tell a repeat, or cannot ask again, may say `drop`.
fn is_right<S: Subject>(expected: &str, outcome: &Outcome, text: &str) -> bool {
    let can = |capability| S::CAPABILITIES.contains(&capability);
    match outcome {
        Outcome::Done => expected == "done",
        Outcome::Crashed => expected == "crashed",
        Outcome::Skipped => false,
        Outcome::SameSession(same) => (expected == "same_active_session") == *same,
        Outcome::Opened(Opened::Text(opened)) => expected == "opens" && opened == text,
        Outcome::Opened(Opened::Again(opened)) => expected == "opens_again" && opened == text,
        Outcome::Opened(Opened::Lost) => expected == "lost",
        Outcome::Refused(refusal) => match (expected, refusal) {
            ("nothing_changes", _) => true,
            ("duplicate", Refusal::Drop | Refusal::AskAgain) => !can(Capability::Duplicates),
            ("ask_again", Refusal::Drop) => !can(Capability::Retry),
            _ => expected == refusal.to_string(),
        },
    }
}

fn name_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".into(),
        Outcome::Crashed => "crashed".into(),
        Outcome::Skipped => "skipped".into(),
        Outcome::SameSession(true) => "same_active_session".into(),
        Outcome::SameSession(false) => "different_sessions".into(),
        Outcome::Opened(Opened::Text(text)) => format!("opens, as {text:?}"),
        Outcome::Opened(Opened::Again(text)) => format!("opens_again, as {text:?}"),
        Outcome::Opened(Opened::Lost) => "lost".into(),
        Outcome::Refused(refusal) => refusal.to_string(),
    }
}

impl<S: Subject> Run<S> {
    fn set_up(&mut self, schedule: &Schedule) -> Result<(), Broken> {
        for device in &schedule.devices {
            self.world.register(device);
            self.world.publish(device, ONE_TIME)?;
        }
        for pair in &schedule.friends {
            self.world.start(&pair[0], &pair[1])?;
            let outcome = self.converse(pair, 2, "hello")?;
            if outcome != Outcome::Done {
                return Err(name_of(&outcome));
            }
        }
        Ok(())
    }

    /// Each says a line and is heard, so many times; where that fails, what came in its place.
    fn converse(&mut self, [one, other]: &[String; 2], times: i64, label: &str) -> Result<Outcome, Broken> {
        for time in 0..times {
            for (from, to) in [(one, other), (other, one)] {
                let label = format!("{label} {time} {from} {to}");
                let sent = self.world.send(from, to, &label, true)?;
                if sent != Outcome::Done {
                    return Ok(sent);
                }
                let (outcome, _) = self.world.deliver(&label, to, None)?;
                if outcome != Outcome::Opened(Opened::Text(label)) {
                    return Ok(outcome);
                }
            }
        }
        Ok(Outcome::Done)
    }

    /// One step: what it came to, and the text of what was delivered.
    fn step(&mut self, step: &Step) -> Result<(Outcome, String), Broken> {
        let world = &mut self.world;
        let outcome = match step.does() {
            "deliver" => return world.deliver(step.text("label"), step.text("to"), step.maybe("from")),
            "settle" => {
                let (outcome, text, _) = world.settle(step.text("label"), step.text("to"))?;
                return Ok((outcome, text));
            }
            "send" => {
                world.send(step.text("from"), step.text("to"), step.text("label"), step.is("keep", true))?
            }
            "start" => world.start(step.text("from"), step.text("to"))?,
            "start_both" => {
                let [one, other] = step.pair("between");
                let first = world.start(&one, &other)?;
                if first == Outcome::Done { world.start(&other, &one)? } else { first }
            }
            "converse" => {
                let label = step.maybe("label").unwrap_or(&step.number);
                self.converse(&step.pair("between"), step.number("times").unwrap_or(1), label)?
            }
            "check" => {
                let [one, other] = step.pair("between");
                Outcome::SameSession(world.same_session(&one, &other)?)
            }
            "ask_again" => world.ask(step.text("by"), step.text("label"), step.text("as"))?,
            "answer" => {
                let request = (step.text("request"), step.maybe("from"));
                world.answer(step.text("by"), request, step.text("as"), step.is("resend", false))?
            }
            "publish" => world.publish(step.text("device"), one_time(step))?,
            "check_in" => world.check_in(step.text("device"), one_time(step))?,
            _ => self.event(step)?,
        };
        Ok((outcome, String::new()))
    }

    /// What happens to devices, stores, clocks and packets from outside.
    fn event(&mut self, step: &Step) -> Result<Outcome, Broken> {
        let world = &mut self.world;
        match step.does() {
            "drop" => drop(world.packets.remove(step.text("label"))),
            "forge" => return self.forge(step),
            "crash_before_commit" => self.seat(step)?.crash = Some(Crash::BeforeCommit),
            "crash_after_commit" => self.seat(step)?.crash = Some(Crash::AfterCommit),
            "snapshot" => {
                let seat = self.seat(step)?.clone();
                self.snapshots.insert(step.text("as").into(), seat);
            }
            "roll_back" => self.put_back(step)?,
            "restore" => {
                self.put_back(step)?;
                let seat = self.world.seats.get_mut(step.text("device")).ok_or("no device")?;
                self.world.subject.restore(&mut seat.device);
            }
            "recover" => {
                let seat = world.seats.get_mut(step.text("device")).ok_or("no device")?;
                world.subject.recover(&mut seat.device);
                return world.publish(step.text("device"), one_time(step));
            }
            "wipe" => {
                world.register(step.text("device"));
                return world.publish(step.text("device"), one_time(step));
            }
            "accept" => {
                let seat = world.seats.get_mut(step.text("device")).ok_or("no device")?;
                world.subject.accept(&mut seat.device, step.text("peer"));
            }
            "clone" => {
                let seat = self.seat(step)?.clone();
                self.world.seats.insert(step.text("as").into(), seat);
            }
            "clock" => {
                let by = step.number("days").ok_or("no days")? * DAY;
                world.turn_clock(step.text("device"), |now| now.saturating_add_signed(by))?;
            }
            "wait" => {
                let by = step.number("seconds").ok_or("no seconds")?.unsigned_abs() * 1_000;
                let names: Vec<String> = world.seats.keys().cloned().collect();
                names.iter().try_for_each(|name| world.turn_clock(name, |now| now + by))?;
            }
            "server" => {
                world.server.misbehave(step.text("device"), Misdeed::named(step.text("does"))?)?;
            }
            other => return Err(format!("{other} is no step")),
        }
        Ok(Outcome::Done)
    }

    fn forge(&mut self, step: &Step) -> Result<Outcome, Broken> {
        let number = |field| step.number(field).and_then(|number| u32::try_from(number).ok());
        let length = |field| step.number(field).and_then(|number| usize::try_from(number).ok());
        let other = step.maybe("of").map(|label| self.world.packet(label)).transpose()?.flatten();
        let alteration = if let Some(part) = step.maybe("flip") {
            Alteration::Flip(part_of(part)?)
        } else if let Some(counter) = number("counter") {
            Alteration::Counter(counter)
        } else if let Some(counter) = number("previous_counter") {
            Alteration::PreviousCounter(counter)
        } else if let (Some(part), Some(other)) = (step.maybe("part"), &other) {
            Alteration::PartOf(part_of(part)?, &other.bytes)
        } else if let Some(bytes) = length("truncate") {
            Alteration::Truncate(bytes)
        } else if let Some(bytes) = length("extend") {
            Alteration::Extend(bytes)
        } else {
            return Err("nothing to alter".into());
        };
        self.world.alter(step.text("label"), step.text("as"), &alteration)
    }

    fn seat(&mut self, step: &Step) -> Result<&mut Seat<S::Device>, Broken> {
        let name = step.text("device");
        self.world.seats.get_mut(name).ok_or(format!("no device {name}"))
    }

    fn put_back(&mut self, step: &Step) -> Result<(), Broken> {
        let seat = self.snapshots.get(step.text("to")).ok_or("no such snapshot")?.clone();
        self.world.put_back(step.text("device"), seat);
        Ok(())
    }
}

fn one_time(step: &Step) -> u16 {
    step.number("one_time").and_then(|number| number.try_into().ok()).unwrap_or(ONE_TIME)
}

fn part_of(name: &str) -> Result<Part, Broken> {
    Ok(match name {
        "version" => Part::Version,
        "session_id" => Part::SessionId,
        "handshake" => Part::Handshake,
        "header_key" => Part::HeaderKey,
        "previous_counter" => Part::PreviousCounter,
        "counter" => Part::Counter,
        "ciphertext" => Part::Ciphertext,
        "tag" => Part::Tag,
        other => return Err(format!("{other} is no part")),
    })
}
