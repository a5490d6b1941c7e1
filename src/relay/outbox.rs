//! What goes to a desktop in order: numbered, sealed once, kept until it is acknowledged.

use alloc::vec::Vec;

use super::{
    RelayError,
    frame::{Down, Link, Numbered},
    phone_record::{
        Desktop, Desktops, Kept, MAX_KEPT, MAX_KEPT_BYTES, Missed, Phase, REMEMBERED, RESERVED, Seen,
        Upgraded, WINDOW,
    },
    state::Suspension,
    upgrade::PassedOn,
};
use crate::{
    companion::SentToAccount,
    identity::{AccountId, Address, DeviceId, IdentityKey},
    session::{Line, OpenError, SendError},
    step::{Context, Loaded, Needs, RecordError, Slot, Write},
};

/// A desktop at its phone as it is changed within one step.
pub(super) struct Outbox {
    pub(super) id: DeviceId,
    slot: Slot<Desktop>,
    pub(super) desktop: Desktop,
    pub(super) line: Line,
    pub(super) writes: Vec<Write>,
    /// What goes out now.
    pub(super) frames: Vec<Vec<u8>>,
    /// Whether the session broke in this step.
    pub(super) broke: bool,
}

impl Outbox {
    pub(super) fn new(id: DeviceId, slot: Slot<Desktop>, desktop: Desktop, line: Line) -> Self {
        Self { id, slot, desktop, line, writes: Vec::new(), frames: Vec::new(), broke: false }
    }

    /// Frames that wait to be acknowledged.
    fn kept(&self) -> u64 {
        self.desktop.next.saturating_sub(1).saturating_sub(self.desktop.acked)
    }

    pub(super) fn has_room_for_events(&self, events: u64) -> bool {
        let bytes = self.desktop.bytes.saturating_sub(self.desktop.bytes_acked);
        self.kept().saturating_add(events) <= MAX_KEPT && bytes < MAX_KEPT_BYTES
    }

    /// Tells an event. Where that is not possible it is counted as missed; the step that brought it never fails for a desktop's sake.
    pub(super) fn tell_event(
        &mut self,
        event: &Numbered<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), RelayError> {
        match self.desktop.phase {
            Phase::Granted(_) | Phase::Ended(_) => return Ok(()),
            Phase::Suspended(_) => self.miss(1, context),
            Phase::Attached if self.desktop.is_over(context) => self.miss(1, context),
            Phase::Attached => {
                self.tell_gap(context)?;
                let told = self.desktop.missed.count == 0
                    && self.has_room_for_events(1)
                    && self.append_or_break(event, context)?;
                if !told {
                    self.miss(1, context);
                }
            }
        }
        Ok(())
    }

    /// Counts events that are not told.
    pub(super) fn miss(&mut self, events: u64, context: &Context<'_>) {
        if events == 0 {
            return;
        }
        let now = self.desktop.now(context);
        let missed = &mut self.desktop.missed;
        let first = if missed.count == 0 { now } else { missed.first.min(now) };
        *missed = Missed { count: missed.count.saturating_add(events), first, last: now };
    }

    /// Tells how many events were missed, once there is room for that and for another. A companion is told with the next message that is passed on.
    pub(super) fn tell_gap(&mut self, context: &mut Context<'_>) -> Result<(), RelayError> {
        match self.desktop.upgraded_in() {
            None => self.append_gap(context),
            Some(_) => Ok(()),
        }
    }

    /// The same whatever the desktop is.
    pub(super) fn append_gap(&mut self, context: &mut Context<'_>) -> Result<(), RelayError> {
        let Missed { count, first, last } = self.desktop.missed;
        let speaks = self.desktop.phase == Phase::Attached && !self.desktop.is_over(context);
        if count == 0 || !speaks || !self.has_room_for_events(2) {
            return Ok(());
        }
        let number = self.desktop.next;
        if self.append_or_break(&Numbered::Gap { count, first, last }, context)? {
            self.desktop.gap = core::mem::take(&mut self.desktop.missed);
            self.desktop.gap_number = number;
        }
        Ok(())
    }

    /// Counts what a desktop lacks that has shown frames up to this one: those above it, and what a gap among them was to tell.
    pub(super) fn miss_above(&mut self, shown: u64, context: &Context<'_>) {
        let told = self.desktop.next.saturating_sub(1);
        let (gap, number) = (self.desktop.gap, self.desktop.gap_number);
        if gap.count == 0 || number <= shown {
            self.miss(told.saturating_sub(shown), context);
            return;
        }
        // The gap may have been told for some of the frames before it: the more of the two counts.
        let before = gap.count.max(number.saturating_sub(1).saturating_sub(shown));
        self.miss(before.saturating_add(told.saturating_sub(number)), context);
        self.desktop.missed.first = self.desktop.missed.first.min(gap.first);
    }

    /// Tells that something is missing, and that nobody knows how much.
    pub(super) fn tell_unknown_gap(&mut self, context: &mut Context<'_>) -> Result<(), RelayError> {
        let (now, number) = (self.desktop.now(context), self.desktop.next);
        if self.append_or_break(&Numbered::Gap { count: 0, first: now, last: now }, context)? {
            self.desktop.unknown_gap = number;
        }
        Ok(())
    }

    /// Appends a frame; a session that does not speak suspends the relay. False: it was not told.
    fn append_or_break(
        &mut self,
        numbered: &Numbered<'_>,
        context: &mut Context<'_>,
    ) -> Result<bool, RelayError> {
        match self.append(numbered, context) {
            Ok(()) => return Ok(true),
            Err(RelayError::Send(SendError::TooLong) | RelayError::Full) => {}
            Err(RelayError::Send(
                SendError::NoSession | SendError::Exhausted | SendError::IdentityChanged { .. },
            )) => {
                self.desktop.phase = Phase::Suspended(Suspension::Session);
                self.broke = true;
            }
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    /// Appends a frame under the next number.
    pub(super) fn append(
        &mut self,
        numbered: &Numbered<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), RelayError> {
        if self.kept() >= MAX_KEPT.saturating_add(RESERVED) {
            return Err(RelayError::Full);
        }
        let number = self.desktop.next;
        let after = number.checked_add(1).ok_or(RelayError::Full)?;
        let frame = self.seal_numbered(number, numbered, context)?;
        let len = u64::try_from(frame.len()).unwrap_or(u64::MAX);
        self.desktop.bytes = self.desktop.bytes.saturating_add(len);
        let kept = Kept { bytes: self.desktop.bytes, frame: &frame };
        self.writes.push(Slot::absent(Kept::key(self.id, number)).write(kept, context));
        self.desktop.next = after;
        self.desktop.link = Link::to(&frame);
        if number <= self.desktop.acked.saturating_add(WINDOW) {
            self.frames.push(frame);
        }
        Ok(())
    }

    fn seal_numbered(
        &mut self,
        number: u64,
        numbered: &Numbered<'_>,
        context: &mut Context<'_>,
    ) -> Result<Vec<u8>, RelayError> {
        let text = numbered.encode((number, self.desktop.link), self.desktop.taken);
        Ok(self.line.seal(&text, context)?)
    }

    /// Sends a frame that has no number and is not kept.
    pub(super) fn say(&mut self, frame: &Down<'_>, context: &mut Context<'_>) -> Result<(), RelayError> {
        let text = frame.encode(self.desktop.taken);
        let frame = self.line.seal(&text, context)?;
        self.frames.push(frame);
        Ok(())
    }

    /// Lets go what the desktop has shown; `bytes` are those of all frames up to the last of it.
    pub(super) fn acknowledge(&mut self, shown: u64, bytes: u64, have: &Loaded, needs: &mut Needs) {
        for number in self.desktop.acked.saturating_add(1)..=shown {
            let slot = have.slot::<Kept<'_>>(Kept::key(self.id, number), needs);
            self.writes.extend(slot.delete());
        }
        self.desktop.acked = shown;
        self.desktop.bytes_acked = bytes;
    }

    /// Lets everything go that waits. Of no use while anything is needed.
    pub(super) fn drop_all(&mut self, have: &Loaded, needs: &mut Needs) {
        self.acknowledge(self.desktop.next.saturating_sub(1), self.desktop.bytes, have, needs);
    }

    /// Lets everything go, and forgets which requests were taken. Of no use while anything is needed.
    pub(super) fn forget(&mut self, have: &Loaded, needs: &mut Needs) {
        self.drop_all(have, needs);
        for place in 0..REMEMBERED {
            let slot = have.slot::<Seen>(Seen::key(self.id, place), needs);
            self.writes.extend(slot.delete());
        }
    }

    /// The writes of everything that was changed, and what goes out.
    pub(super) fn finish(&mut self, context: &Context<'_>) -> (Vec<Write>, Vec<Vec<u8>>) {
        self.writes.extend(self.line.write(context));
        (self.finish_apart(context), core::mem::take(&mut self.frames))
    }

    /// The same where the session was not used.
    pub(super) fn finish_apart(&mut self, context: &Context<'_>) -> Vec<Write> {
        self.desktop.latest = self.desktop.now(context);
        self.writes.push(self.slot.write_in_place(&mut self.desktop, context));
        core::mem::take(&mut self.writes)
    }
}

/// All desktops of a phone that may be told of something.
#[derive(Default)]
pub(super) struct Roster {
    account: Option<AccountId>,
    relayed: Vec<Outbox>,
    /// Those that are companions now, which what is said to the account reaches like any other.
    upgraded: Vec<Outbox>,
}

impl Roster {
    /// Reads all but one; complete once nothing is needed.
    pub(super) fn read(
        except: Option<DeviceId>,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, RecordError> {
        let Some(Desktops { account, ids }) = Desktops::read(have, context, needs)?.value else {
            return Ok(Self::default());
        };
        let mut roster = Self { account: Some(account), ..Self::default() };
        for id in ids.into_iter().filter(|id| Some(*id) != except) {
            let mut slot = Desktop::read(id, have, context, needs)?;
            let line = Line::read(&Address::new(account, id), have, context, needs)?;
            if let Some(desktop) = slot.value.take() {
                let outbox = Outbox::new(id, slot, desktop, line);
                match outbox.desktop.upgraded_in() {
                    None => roster.relayed.push(outbox),
                    Some(_) => roster.upgraded.push(outbox),
                }
            }
        }
        Ok(roster)
    }

    /// Whether a message comes from this account's own devices.
    pub(super) fn is_own(&self, from: &Address) -> bool {
        self.account == Some(from.account)
    }

    /// The key of a desktop that is a companion now.
    pub(super) fn key_of_upgraded(&self, from: &Address) -> Option<IdentityKey> {
        let upgraded = self.upgraded.iter().find(|outbox| outbox.id == from.device);
        upgraded.filter(|_| self.is_own(from)).map(|outbox| outbox.desktop.key)
    }

    /// A desktop says nothing but frames. One that the account's list names is a companion, whatever this store remembers of it: it went back, and learns it here. And one that was upgraded
    /// knows it, if it says something else.
    pub(super) fn meet(
        &mut self,
        from: &Address,
        writes: &mut Vec<Write>,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<(), RelayError> {
        if !self.is_own(from) {
            return Ok(());
        }
        let is_it = |outbox: &Outbox| outbox.id == from.device;
        let knows = |outbox: &Outbox| outbox.desktop.knows(outbox.desktop.acked);
        if let Some(outbox) = self.upgraded.iter_mut().find(|outbox| is_it(outbox) && !knows(outbox)) {
            outbox.drop_all(have, needs);
            writes.extend(outbox.finish_apart(context));
            return Ok(());
        }
        let Some(place) = self.relayed.iter().position(is_it) else { return Ok(()) };
        let mut outbox = self.relayed.remove(place);
        let listed = outbox.desktop.is_listed(outbox.id, have, context, needs)?;
        if !needs.is_empty() {
            return Ok(());
        }
        let epoch = listed.ok_or(RelayError::Open(OpenError::NotEntitled))?;
        let at = outbox.desktop.now(context);
        // What was told it as to a desktop it takes no more.
        outbox.miss_above(outbox.desktop.acked, context);
        outbox.drop_all(have, needs);
        if !needs.is_empty() {
            return Ok(());
        }
        outbox.desktop.upgraded = Some(Upgraded { epoch, at, number: 0, certificate: Vec::new() });
        writes.extend(outbox.finish_apart(context));
        Ok(())
    }

    /// Passes on what has come to those that are companions now; incomplete while anything is needed.
    pub(super) fn pass_on(
        &mut self,
        passed: &PassedOn<'_>,
        writes: &mut Vec<Write>,
        have: &Loaded,
        context: &mut Context<'_>,
        needs: &mut Needs,
    ) -> Result<Vec<ForDesktop>, RelayError> {
        let mut told = Vec::new();
        for outbox in core::mem::take(&mut self.upgraded) {
            if let Some((desktop, changed)) = passed.pass_on(outbox, have, context, needs)? {
                told.push(desktop);
                writes.extend(changed);
            }
        }
        Ok(told)
    }

    /// All but those that what was sent has gone to: the account's list names them, whatever this store remembers of them.
    pub(super) fn without(mut self, sent: &SentToAccount) -> Self {
        let account = self.account;
        let reached: Vec<_> =
            sent.copies.iter().map(|(to, _)| to).chain(sent.left_out.iter().map(|(to, _)| to)).collect();
        self.relayed
            .retain(|outbox| !reached.iter().any(|to| Some(to.account) == account && to.device == outbox.id));
        self
    }

    /// Tells all that the phone relays for of something.
    pub(super) fn tell(
        mut self,
        event: &Numbered<'_>,
        writes: &mut Vec<Write>,
        context: &mut Context<'_>,
    ) -> Result<Vec<ForDesktop>, RelayError> {
        let mut told = Vec::new();
        for outbox in &mut self.relayed {
            outbox.tell_event(event, context)?;
        }
        for mut outbox in self.relayed {
            if matches!(outbox.desktop.phase, Phase::Granted(_) | Phase::Ended(_)) {
                continue;
            }
            let (desktop, suspended) = (outbox.id, outbox.broke);
            let (changed, frames) = outbox.finish(context);
            writes.extend(changed);
            told.push(ForDesktop { desktop, frames, suspended, passed_on: false });
        }
        Ok(told)
    }
}

/// What goes to a desktop now. More may wait: `RelayOutbox` has all that is not acknowledged, but for what is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForDesktop {
    /// Which desktop.
    pub desktop: DeviceId,
    /// What goes to it, in order; empty where it has not acknowledged enough yet, or is told later what it missed.
    pub frames: Vec<Vec<u8>>,
    /// Whether the session with it turned out to be broken: nothing goes to it until it joins anew, or, where it was upgraded, has a new session as a companion has.
    pub suspended: bool,
    /// Whether `frames` holds a message to a companion and no frame: nobody makes it again, so keep it in the step's transaction like every envelope.
    pub passed_on: bool,
}
