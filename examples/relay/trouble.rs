//! The phone is off, is killed, and comes back from a backup.

use outrigger::{
    AskPhone, DescribeDesktops, DescribeRelay, DriveError, FromDesktop, OpenError, RejoinPhone, RelayError,
    RelayOutbox, RelayReceive, RelayStanding, Suspension, TakeFromDesktop, Verdict, VerifiedBundle, Wanted,
    WhileAway,
};

use crate::{accidents::Killed, device::Outcome, server::Sort, world::World};

impl World {
    pub(crate) fn phone_off(&mut self) -> Outcome<()> {
        self.ledger.chapter("The phone is off");
        for _ in 0..2 {
            let ask = self.desk.device.run(&AskPhone)?;
            self.post_to_phone([ask]);
        }
        let relay = self.desk.device.run(&DescribeRelay)?;
        self.ledger.claim(!relay.reachable, "after two asks without an answer the desktop says so");
        let refused = self.desk_says("Now or never", WhileAway::Refuse);
        self.ledger.claim(
            matches!(refused, Err(DriveError::Refused(RelayError::Unreachable))),
            "a request that wants no queue is refused",
        );
        for text in ["Queued first", "Queued second"] {
            self.desk_says(text, WhileAway::Queue)?;
        }
        let relay = self.desk.device.run(&DescribeRelay)?;
        let (phone, desk) = (self.ada.device.address, self.desk.device.address);
        self.ledger.claim(
            relay.waiting == 2 && self.server.waiting(&desk, &phone) == 2,
            "others are kept, and nothing goes out but the asks",
        );
        for text in ["Where are you?", "Your phone is off", "Call me"] {
            self.ben_says(text)?;
        }
        let waits = self.server.waiting(&self.ben.device.address, &phone);
        self.ledger.claim(waits == 3, "what Ben says waits at the server");

        self.ledger.chapter("The phone is on again");
        self.phone_starts()?;
        self.desk_works()?;
        let reachable = self.desk.device.run(&DescribeRelay)?.reachable;
        self.ledger.claim(reachable, "it has answered, and the desktop knows");
        let flushed = self.desk_flushes()?;
        self.ledger.claim(flushed == 2, "the desktop sends what was queued");
        self.settle()?;
        // Whatever is sent again is shown and done once.
        self.phone_starts()?;
        self.desk_flushes()?;
        self.settle()?;
        let expected = ["Where are you?", "Your phone is off", "Call me"];
        self.ledger.claim(self.ada.look() == expected, "the phone shows what waited, in order, once");
        let answers = ["Queued first: Accepted", "Queued second: Accepted"];
        self.ledger.claim(
            self.desk.look() == [&expected[..], &answers].concat(),
            "so does the desktop, with its answers",
        );
        self.ben_works()?;
        self.ledger.claim(
            self.ben.look() == ["Queued first", "Queued second"],
            "Ben hears what was queued, in order, once",
        );
        let waiting = self.desk.device.run(&DescribeRelay)?.waiting;
        self.ledger.claim(waiting == 0, "nothing waits for an answer any more");
        Ok(())
    }

    pub(crate) fn phone_killed(&mut self) -> Outcome<()> {
        self.ledger.chapter("The phone is killed, before its store and after");
        let desktop = self.desk.device.address.device;
        self.ben_says("Is the door locked?")?;
        let mails = self.server.fetch(&self.ada.device.address);
        let [mail] = &mails[..] else { return Err("the phone expects one message".into()) };
        let receive = RelayReceive { from: mail.from, envelope: &mail.bytes, associated_data: &[] };
        let before = self.ada.device.store.clone();
        let killed = self.ada.device.run_killed(&receive);
        self.ledger.claim(
            matches!(killed, Err(DriveError::Store(Killed))) && self.ada.device.store == before,
            "killed before the transaction: nothing has happened",
        );
        let taken = self.ada.device.run(&receive)?;
        self.ledger.note("the same envelope opens; then the phone is killed before anything goes out");
        // The app keeps what it shows in the step's own transaction. The frames it does not have to: they are in the records.
        self.phone_shows(&taken.received.content);
        let lost: Vec<_> = taken.desktops.into_iter().flat_map(|told| told.frames).collect();
        let outbox = self.ada.device.run(&RelayOutbox { desktop })?;
        let again = self.ada.device.run(&RelayOutbox { desktop })?;
        self.ledger.claim(
            outbox == lost && again == lost && lost.len() == 1,
            "started again, it has the very frame that did not go out",
        );
        let repeated = self.ada.device.run(&receive);
        self.ledger.claim(
            matches!(repeated, Err(DriveError::Refused(RelayError::Open(OpenError::Duplicate)))),
            "the envelope, delivered again, is known",
        );
        self.post_to_desk(outbox);
        self.post_to_desk(again);
        self.settle()?;
        let shown = (self.ada.look(), self.desk.look());
        self.ledger.claim(
            shown.0 == ["Is the door locked?"] && shown.1 == shown.0,
            "the desktop shows it once, though the frame came twice",
        );
        Ok(())
    }

    pub(crate) fn phone_restored(&mut self) -> Outcome<()> {
        self.ledger.chapter("The phone falls into the water");
        let backup = self.ada.device.store.clone();
        self.ledger.note("a backup is taken here");
        self.ben_says("After the backup")?;
        self.settle()?;
        self.ledger.claim(self.desk.look() == ["After the backup"], "the desktop shows what Ben says");
        self.desk_says("Done, but never answered", WhileAway::Refuse)?;
        self.phone_works()?;
        let lost = self.server.fetch(&self.desk.device.address).len();
        self.ledger.claim(lost == 1, "a request is done, and its answer lost with the phone");
        self.ben_says("While nothing is relayed")?;

        self.ledger.chapter("Another phone, from the backup");
        let recovered = self.ada.device.restore(backup, &mut self.server)?;
        self.ledger.note(&format!(
            "{} records kept, {} sessions to be replaced, {} prekeys deleted",
            recovered.kept, recovered.stale, recovered.deleted
        ));
        self.stand_still()?;
        self.rejoin()?;

        self.ledger.chapter("Everything flows again");
        self.desk_says("From the desktop, through the other phone", WhileAway::Refuse)?;
        self.settle()?;
        let told = self.ben_works()?;
        self.ledger.claim(told, "Ben's app is told that her phone came back from a backup");
        self.ledger.claim(
            self.ben.look() == ["Done, but never answered", "From the desktop, through the other phone"],
            "he has heard every request once",
        );
        self.ben_says("Welcome back")?;
        self.settle()?;
        let expected = ["From the desktop, through the other phone: Accepted", "Welcome back"];
        self.ledger.claim(self.desk.look() == expected, "and what he says is shown at the desktop");
        self.ada.look();
        Ok(())
    }

    /// Nothing flows, nothing is done twice, and the phone says why.
    fn stand_still(&mut self) -> Outcome<()> {
        let (phone, desk) = (self.ada.device.address, self.desk.device.address);
        for _ in 0..2 {
            let ask = self.desk.device.run(&AskPhone)?;
            self.post_to_phone([ask]);
        }
        self.desk_flushes()?;
        let before = self.ada.device.store.clone();
        let (from_desk, others): (Vec<_>, Vec<_>) =
            self.server.fetch(&phone).into_iter().partition(|mail| mail.from == desk);
        let mut unknown = from_desk.len() == 3;
        for mail in &from_desk {
            let take = TakeFromDesktop { desktop: desk.device, envelope: &mail.bytes, verdict: None };
            let taken = self.ada.device.run(&take);
            unknown &= matches!(taken, Err(DriveError::Refused(RelayError::Frame(OpenError::OutOfStep))));
        }
        self.ledger.claim(
            unknown && self.ada.device.store == before,
            "two asks and the request, again: all of a session that it does not know, and none is done",
        );
        let unreachable = !self.desk.device.run(&DescribeRelay)?.reachable;
        self.ledger.claim(unreachable, "for the desktop, the phone is away");
        self.ada.kept = others;
        self.ada.look();
        self.phone_works()?;
        let standing: Vec<_> =
            self.ada.device.run(&DescribeDesktops)?.iter().map(|desktop| desktop.standing).collect();
        self.ledger.claim(
            self.ada.look() == ["While nothing is relayed"] && self.server.waiting(&phone, &desk) == 0,
            "what Ben says is shown at the phone, and goes no further",
        );
        self.ledger.claim(
            standing == [RelayStanding::Suspended(Suspension::Session)],
            "the phone says why: its session with the desktop is broken",
        );
        Ok(())
    }

    /// The desktop joins anew, by the word of the phone's user.
    fn rejoin(&mut self) -> Outcome<()> {
        let (phone, desk) = (self.ada.device.address, self.desk.device.address);
        let (bundle, _) = self.server.bundle(&phone).ok_or("the server has no bundle")?;
        let bundle = VerifiedBundle::verify(&bundle, &phone)?;
        let frame = self.desk.device.run(&RejoinPhone { bundle: &bundle })?;
        self.server.see(Sort::AmongOwn, &frame);
        let mut take = TakeFromDesktop { desktop: desk.device, envelope: &frame, verdict: None };
        let asks = matches!(self.ada.device.run(&take)?, FromDesktop::Undecided(Wanted::TakeOver));
        self.ledger.claim(asks, "the desktop joins anew, and the phone asks its user");
        take.verdict = Some(Verdict::Allow);
        let FromDesktop::Joined { frames, again: true } = self.ada.device.run(&take)? else {
            return Err("the phone did not let the desktop in again".into());
        };
        self.post_to_desk(frames);
        self.settle()?;
        let expected = ["Done, but never answered: Unknown", "(some missing here)", "(1 missing here)"];
        self.ledger.claim(
            self.desk.look() == expected,
            "it is told that nobody knows what became of its request, nor what the phone has forgotten; and what it has missed since",
        );
        Ok(())
    }
}
