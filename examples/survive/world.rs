//! The world around the two devices: it lets them talk, and disturbs them by a seeded schedule.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use outrigger::UnixMillis;

use crate::{
    device::{Device, Outside},
    dice::Dice,
    lines::{keep, speaker, text_of},
    mailbox,
    server::Server,
    source::Keys,
    store::Crash,
    tally::{Kind, Tally},
    trouble::Trouble,
    who::Who,
};

/// When it begins, and milliseconds of a turn.
const BEGIN: UnixMillis = UnixMillis(1_800_000_000_000);
const TURN: u64 = 30_000;
/// Turns of a hundred in which a device is disturbed.
const DISTURBED: u64 = 24;
/// Turns of a hundred after which a device's file is copied, and how many copies are kept to be put back.
const COPIED: u64 = 15;
const COPIES: usize = 2;
/// Mails that a device reads in a turn, at most.
const READS: u64 = 16;
/// Lines after the storm: each speaks.
const CLOSING: u32 = 6;
/// Turns after which something must be wrong.
const STALLED: u64 = 50_000;

/// A device's place: its directory, and copies of its file.
pub(crate) struct Seat {
    pub(crate) who: Who,
    directory: PathBuf,
    copies: Vec<Vec<u8>>,
    device: Option<Device>,
}

/// Everything that there is.
pub(crate) struct World {
    pub(crate) seats: [Seat; 2],
    pub(crate) server: Server,
    pub(crate) tally: Tally,
    dice: Dice,
    seed: u64,
    /// How often a process was started: each draws its own keys.
    started: u64,
    turn: u64,
    pub(crate) lines: u32,
}

impl World {
    pub(crate) fn new(directories: [PathBuf; 2], seed: u64, lines: u32) -> Self {
        let [alice, bob] = directories;
        let seat = |who, directory| Seat { who, directory, copies: Vec::new(), device: None };
        Self {
            seats: [seat(Who::Alice, alice), seat(Who::Bob, bob)],
            server: Server::new(Dice::new(seed ^ 1)),
            tally: Tally::new(),
            dice: Dice::new(seed),
            seed,
            started: 0,
            turn: 0,
            lines: lines.saturating_sub(CLOSING),
        }
    }

    fn now(&self) -> UnixMillis {
        BEGIN.plus(self.turn.saturating_mul(TURN))
    }

    /// Lets them talk until all is said and read; and once more, undisturbed, when the storm is over.
    pub(crate) fn run(&mut self) -> Result<(), Trouble> {
        for who in Who::BOTH {
            self.alive(who)?;
        }
        self.talk()?;
        self.lines = self.lines.saturating_add(CLOSING);
        self.talk()
    }

    fn talk(&mut self) -> Result<(), Trouble> {
        while !self.is_over()? {
            self.turn = self.turn.saturating_add(1);
            if self.turn > STALLED {
                return Err(Trouble::Stuck(format!("still not over after {STALLED} turns")));
            }
            let who = if self.dice.chance(50) { Who::Alice } else { Who::Bob };
            if !self.server.calm && self.dice.chance(DISTURBED) {
                self.disturb(who)?;
            }
            let outcome = self.live(who);
            self.survive(who, outcome)?;
            if self.dice.chance(COPIED) {
                self.copy(who)?;
            }
            self.server.tick();
            self.server.calm =
                self.server.calm || self.next_line(who)?.is_none() && self.next_line(who.peer())?.is_none();
        }
        Ok(())
    }

    /// What a device does in a turn.
    fn live(&mut self, who: Who) -> Result<(), Trouble> {
        let says = self.dice.chance(45) || self.server.calm;
        let reads = self.dice.within(0..=READS);
        let line = if says { self.next_line(who)? } else { None };
        self.with(who, |device, outside| {
            if let Some(line) = line {
                device.say(line, &text_of(line), keep(line), outside)?;
            }
            for _ in 0..reads {
                if !device.hear(outside)? {
                    break;
                }
            }
            device.post(outside)
        })
    }

    /// The next line of someone that has not left it, and is not in its outbox: what a roll-back took out of there is said again.
    fn next_line(&mut self, who: Who) -> Result<Option<u32>, Trouble> {
        let out: BTreeSet<u32> = self.tally.out.values().copied().collect();
        let open =
            (1..=self.lines).filter(|line| speaker(*line) == who && !out.contains(line)).collect::<Vec<_>>();
        self.with(who, |device, _| {
            for line in open {
                if !mailbox::holds_line(device.store.connection(), line)? {
                    return Ok(Some(line));
                }
            }
            Ok(None)
        })
    }

    /// Whether all is said, taken and read.
    fn is_over(&mut self) -> Result<bool, Trouble> {
        for who in Who::BOTH {
            if self.next_line(who)?.is_some() {
                return Ok(false);
            }
            let done = self.with(who, |device, outside| {
                let connection = device.store.connection();
                let next = mailbox::next_mail(connection, UnixMillis(u64::MAX >> 1))?;
                let unread = outside.server.mail(&device.address, next).is_some();
                Ok(!unread && mailbox::untaken(connection)?.is_empty() && !mailbox::puts_off(connection)?)
            })?;
            if !done || self.server.holds_back() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn disturb(&mut self, who: Who) -> Result<(), Trouble> {
        match self.dice.within(1..=100) {
            1..=33 => self.kill(who, Crash::BeforeCommit)?,
            34..=66 => self.kill(who, Crash::AfterCommit)?,
            67..=79 => self.put_back(who, Kind::RolledBack)?,
            80..=87 => self.put_back(who, Kind::Restored)?,
            88..=94 => self.clone_speaks(who)?,
            _ => {
                self.tally.disturbed(Kind::RunDry);
                self.server.run_dry(&who.address()?);
            }
        }
        Ok(())
    }

    /// It dies of its next step.
    fn kill(&mut self, who: Who, crash: Crash) -> Result<(), Trouble> {
        self.tally.disturbed(if crash == Crash::BeforeCommit {
            Kind::KilledBefore
        } else {
            Kind::KilledAfter
        });
        self.alive(who)?.store.crash = Some(crash);
        Ok(())
    }

    /// Keeps a copy of the file.
    fn copy(&mut self, who: Who) -> Result<(), Trouble> {
        let seat = self.seat(who);
        seat.copies.push(fs::read(seat.directory.join("store.sqlite"))?);
        if seat.copies.len() > COPIES {
            seat.copies.remove(0);
        }
        Ok(())
    }

    /// Puts an older copy of the file in its place; a backup comes without the guard.
    fn put_back(&mut self, who: Who, kind: Kind) -> Result<(), Trouble> {
        let last = u64::try_from(self.seat(who).copies.len().saturating_sub(1)).unwrap_or(0);
        let which = usize::try_from(self.dice.within(0..=last)).unwrap_or(0);
        let seat = self.seat(who);
        let Some(copy) = seat.copies.get(which).cloned() else { return Ok(()) };
        // What is younger than this copy is of a branch that is no more.
        seat.copies.truncate(which.saturating_add(1));
        seat.device = None;
        fs::write(seat.directory.join("store.sqlite"), copy)?;
        if kind == Kind::Restored {
            fs::remove_file(seat.directory.join("generation"))?;
            // What is of the former generation is no copy of this store any more.
            seat.copies.clear();
        }
        self.tally.disturbed(kind);
        self.alive(who).map(drop)
    }

    /// A second process over a copy of the directory reads and speaks, and is given up.
    fn clone_speaks(&mut self, who: Who) -> Result<(), Trouble> {
        self.tally.disturbed(Kind::Cloned);
        let copy = self.seat(who).directory.join("copy");
        fs::create_dir_all(&copy)?;
        for file in ["store.sqlite", "generation"] {
            fs::copy(self.seat(who).directory.join(file), copy.join(file))?;
        }
        let line = self.next_line(who)?;
        let mut device = self.start(who, &copy)?;
        let mut outside = Outside { server: &mut self.server, tally: &mut self.tally };
        device.hear(&mut outside)?;
        if let Some(line) = line {
            device.say(line, &text_of(line), keep(line), &mut outside)?;
        }
        device.post(&mut outside)?;
        drop(device);
        Ok(fs::remove_dir_all(&copy)?)
    }

    /// A death ends the process, and nothing else.
    fn survive(&mut self, who: Who, outcome: Result<(), Trouble>) -> Result<(), Trouble> {
        match outcome {
            Err(Trouble::Killed) => {
                self.seat(who).device = None;
                self.alive(who).map(drop)
            }
            other => other,
        }
    }

    /// The device, started from its file if it does not run.
    fn alive(&mut self, who: Who) -> Result<&mut Device, Trouble> {
        let (now, calm) = (self.now(), self.server.calm);
        if self.seat(who).device.is_none() {
            let directory = self.seat(who).directory.clone();
            let device = self.start(who, &directory)?;
            self.seat(who).device = Some(device);
        }
        let device = self.seat(who).device.as_mut().ok_or(Trouble::Killed)?;
        device.store.now = now;
        device.store.crash = device.store.crash.filter(|_| !calm);
        Ok(device)
    }

    fn start(&mut self, who: Who, directory: &Path) -> Result<Device, Trouble> {
        self.started = self.started.saturating_add(1);
        let keys = Keys::new(self.seed.rotate_left(32) ^ self.started);
        let now = self.now();
        let mut outside = Outside { server: &mut self.server, tally: &mut self.tally };
        Device::open(who, directory, keys, now, &mut outside)
    }

    /// Does something with a device and what is outside of it.
    pub(crate) fn with<T>(
        &mut self,
        who: Who,
        act: impl FnOnce(&mut Device, &mut Outside<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        self.alive(who)?;
        let Self { seats, server, tally, .. } = self;
        let seat = seats.iter_mut().find(|seat| seat.who == who);
        let device = seat.and_then(|seat| seat.device.as_mut()).ok_or(Trouble::Killed)?;
        act(device, &mut Outside { server, tally })
    }

    fn seat(&mut self, who: Who) -> &mut Seat {
        let [alice, bob] = &mut self.seats;
        if who == Who::Alice { alice } else { bob }
    }
}
