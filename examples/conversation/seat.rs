//! Where a device sits, and what is left of it when it is killed: its directory, and nothing that was in memory.

use std::{collections::VecDeque, path::PathBuf};

use crate::{
    device::Device,
    kills::{Act, Kill, kills},
    store::Durability,
    trouble::Trouble,
    who::Who,
};

/// Ticks that a killed device stays down.
const DOWN: u64 = 6;

/// A device that runs, or is down.
pub(crate) struct Seat {
    who: Who,
    directory: PathBuf,
    durability: Durability,
    pub(crate) device: Option<Device>,
    back_at: u64,
    kills: VecDeque<Kill>,
    /// What it is about to do, and with which line: a device that dies of it cannot tell.
    doing: (Act, u32),
    /// Receipts that came in this tick. In memory: lost with the device, and made good by the next repetition.
    pub(crate) receipts: Vec<u32>,
    /// How many rows of the inbox its person has been shown.
    pub(crate) shown: u64,
}

impl Seat {
    /// The seat of a device that was set up in this directory.
    pub(crate) fn new(
        who: Who,
        directory: PathBuf,
        durability: Durability,
        lines: u64,
    ) -> Result<Self, Trouble> {
        let device = Some(Device::open(who, &directory, durability)?);
        let (kills, doing, receipts) = (kills(who, lines), (Act::Say, 0), Vec::new());
        Ok(Self { who, directory, durability, device, back_at: 0, kills, doing, receipts, shown: 0 })
    }

    /// The device, if it runs; set to die of what it is about to do, if that is planned.
    pub(crate) fn prepare(&mut self, reached: u32, act: Act, line: u32) -> Option<&mut Device> {
        let due = |kill: &&Kill| kill.act == act && u64::from(reached) >= kill.from_line;
        let point = self.kills.front().filter(due).map(|kill| kill.point);
        self.doing = (act, line);
        let device = self.device.as_mut()?;
        device.crash_at(point);
        Some(device)
    }

    /// Drops the device with all that it had in memory. What is said of its death.
    pub(crate) fn die(&mut self, now: u64) -> Option<String> {
        self.device = None;
        self.receipts.clear();
        self.back_at = now.saturating_add(DOWN);
        self.kills.pop_front().map(|kill| kill.describe(self.who, self.doing.1))
    }

    /// Starts the device again, from its file, when its time has come.
    pub(crate) fn revive(&mut self, now: u64) -> Result<Option<&mut Device>, Trouble> {
        if now < self.back_at {
            return Ok(None);
        }
        self.reopen().map(Some)
    }

    /// Drops the device, if it runs, and starts it from its file.
    pub(crate) fn reopen(&mut self) -> Result<&mut Device, Trouble> {
        self.device = None;
        Ok(self.device.insert(Device::open(self.who, &self.directory, self.durability)?))
    }
}
