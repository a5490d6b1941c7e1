//! Another desktop becomes a companion, and goes on while the phone is off.

use std::mem;

use outrigger::{
    Consequence, DescribeDesktops, DescribeDevices, DesktopConsent, DeviceChange, DriveError, EndOfRelay,
    FromDesktop, OpenError, RelayError, RelayOutbox, RelayStanding, Request, ShowDesktopCode,
    TakeFromDesktop, Verdict, Wanted, WhileAway,
};

use crate::{
    device::{Device, Outcome},
    ledger::name,
    world::{Seat, World},
};

impl World {
    pub(crate) fn upgrade(&mut self) -> Outcome<()> {
        self.ledger.chapter("Another desktop, which may speak without being asked about");
        let ada = &mut self.ada.device;
        // As a phone's app does every day.
        ada.publish(None, &mut self.server)?;
        self.desk = Seat::new(Device::new(ada.address, ada.now)?);
        let code = self.desk.device.run(&ShowDesktopCode)?;
        self.scan(&code, DesktopConsent::Always)?;
        self.offer()?;
        self.switch()?;
        self.pass_on()?;
        self.alone()
    }

    fn offer(&mut self) -> Outcome<()> {
        self.ledger.chapter("It wants to speak for itself");
        let (desktop, phone) = (self.desk.device.address.device, self.ada.device.address);
        self.desk_asks(Request::Upgrade, "To become a companion", WhileAway::Refuse)?;
        let mails = self.server.fetch(&phone);
        let [mail] = &mails[..] else { return Err("the phone expects one request".into()) };
        let before = self.ada.device.store.clone();
        let mut take = TakeFromDesktop { desktop, envelope: &mail.bytes, verdict: None };
        let FromDesktop::Undecided(Wanted::Upgrade { consent, .. }) = self.ada.device.run(&take)? else {
            return Err("the phone did not ask its user".into());
        };
        let asks = consent.consequence == Consequence::ReadsAndSpeaksForTheAccount;
        self.ledger.claim(
            asks && self.ada.device.store == before,
            "the phone asks: may it read and speak for the account, without this phone?",
        );
        take.verdict = Some(Verdict::Allow);
        let undecided = matches!(self.ada.device.run(&take)?, FromDesktop::Undecided(Wanted::Upgrade { .. }));
        self.ledger.claim(
            undecided && self.ada.device.store == before,
            "to allow what it asks does not do: nothing has changed",
        );
        take.verdict = Some(Verdict::Upgrade(consent));
        let FromDesktop::Offered { frames, .. } = self.ada.device.run(&take)? else {
            return Err("the phone offered nothing".into());
        };
        self.post_to_desk(frames);
        self.settle()?;
        let expected = ["To become a companion: Accepted", "(may become a companion)"];
        self.ledger.claim(self.desk.look() == expected, "with its user's word it makes an offer");
        Ok(())
    }

    /// The phone signs the list that names the desktop, and is killed before anything goes out.
    fn switch(&mut self) -> Outcome<()> {
        self.ledger.chapter("The desktop accepts, and the phone is killed");
        let (desk, phone) = (self.desk.device.address, self.ada.device.address);
        self.desk_accepts("To be one now")?;
        let refused = self.desk_says("Not for the phone any more", WhileAway::Refuse);
        self.ledger.claim(
            matches!(refused, Err(DriveError::Refused(RelayError::Upgrading))),
            "from here on the phone is asked for nothing: what wants no queue is refused",
        );
        for text in ["Queued for myself", "This too"] {
            self.desk_says(text, WhileAway::Queue)?;
        }
        self.ledger.claim(
            self.server.waiting(&desk, &phone) == 1,
            "the rest is kept, and nothing goes out but the acceptance",
        );
        let mails = self.server.fetch(&phone);
        let [mail] = &mails[..] else { return Err("the phone expects one request".into()) };
        let take = TakeFromDesktop { desktop: desk.device, envelope: &mail.bytes, verdict: None };
        let FromDesktop::Upgraded { list, frames: lost, .. } = self.ada.device.run(&take)? else {
            return Err("the phone did not take the desktop in".into());
        };
        self.ledger
            .note("the phone signs the list that names it; then it is killed before anything goes out");
        let account = phone.account;
        let on_record = self.ada.device.run(&DescribeDevices { account })?.list;
        let outbox = self.ada.device.run(&RelayOutbox { desktop: desk.device })?;
        self.ledger.claim(
            on_record.as_ref() == Some(&list.list) && outbox == lost,
            "started again, it has the list, and the very frames that did not go out",
        );
        let repeated = self.ada.device.run(&take);
        self.ledger.claim(
            matches!(repeated, Err(DriveError::Refused(RelayError::Frame(OpenError::Duplicate)))),
            "the acceptance, delivered again, is known",
        );
        self.phone_starts()?;
        self.settle()?;
        let expected = ["To be one now: Accepted", "(a companion now)"];
        let joined = self.joined.as_ref().ok_or("the desktop is no companion")?;
        self.ledger.claim(
            self.desk.look() == expected && joined.list == list.list && joined.address == desk,
            &format!("{} is in the list that the phone signed", name(&desk)),
        );
        let queued: Vec<_> = self.unsent.iter().map(|(_, text)| text).collect();
        self.ledger.claim(
            queued == ["Queued for myself", "This too"],
            "what it had queued is given back to it, in order: none of it ever went out",
        );
        let over = RelayStanding::Ended(EndOfRelay::Upgraded);
        let desktops = self.ada.device.run(&DescribeDesktops)?;
        let known = desktops.iter().any(|one| one.desktop == desk.device && one.standing == over);
        let outbox = self.ada.device.run(&RelayOutbox { desktop: desk.device })?;
        self.ledger.claim(
            known && outbox.is_empty(),
            "the phone knows that the desktop knows, and has nothing more to relay",
        );
        Ok(())
    }

    fn pass_on(&mut self) -> Outcome<()> {
        self.ledger.chapter("Ben has heard of nothing");
        let phone = self.ada.device.address;
        let sent = self.ben_says("Are you still at your desk?")?;
        self.ledger.claim(
            matches!(&sent.copies[..], [(to, _)] if *to == phone),
            "his message is one envelope, for the phone",
        );
        self.phone_works()?;
        self.companion_works()?;
        let passed_on =
            format!("({}, passed on) Are you still at your desk?", name(&self.ben.device.address));
        self.ledger.claim(
            self.ada.look() == ["Are you still at your desk?"] && self.desk.look() == [passed_on],
            "the phone opens it and passes it on, as a message",
        );
        Ok(())
    }

    /// The desktop and Ben speak, and the phone hears of it later.
    fn alone(&mut self) -> Outcome<()> {
        self.ledger.chapter("The phone is off, and the desktop goes on");
        let (desk, phone, ben) = (self.desk.device.address, self.ada.device.address, self.ben.device.address);
        let joined = self.joined.take().ok_or("the desktop is no companion")?;
        self.desk.device.publish(Some(&joined.certificate), &mut self.server)?;
        for (to, text) in mem::take(&mut self.unsent) {
            self.desk.device.send(to, &text, &mut self.server)?;
        }
        let mails = self.server.fetch(&ben);
        let [mail, _] = &mails[..] else { return Err("Ben expects two messages".into()) };
        let refused = self.ben.device.receive(mail.from, &mail.bytes);
        self.ledger.claim(
            matches!(refused, Err(DriveError::Refused(OpenError::Unlisted(_)))) && mail.from == desk,
            "it sends what it had queued by itself, and Ben's app wants to see the list first",
        );
        let changes = self.ben.device.learn(phone.account, &self.server)?;
        let appeared = matches!(changes[..], [DeviceChange::Appeared(entry)] if entry.device == desk.device);
        self.ledger.claim(appeared, "Ben is told that Ada has a new device");
        self.ben.kept = mails;
        self.ben_works()?;
        self.ledger.claim(
            self.ben.look() == ["Queued for myself", "This too"],
            "and hears what was queued, in order, once",
        );
        let sent = self.ben_says("So you have two now")?;
        self.ledger.claim(sent.copies.len() == 2, "what he says now goes to both of her devices");
        self.companion_works()?;
        self.ledger.claim(self.desk.look() == ["So you have two now"], "the desktop opens its own copy");
        self.desk.device.send(ben.account, "One of them is off", &mut self.server)?;
        self.said.push("One of them is off".into());
        self.ben_works()?;
        self.ledger.claim(self.ben.look() == ["One of them is off"], "and answers, and Ben hears it");

        self.ledger.chapter("The phone is on again");
        self.phone_starts()?;
        let expected =
            ["(own) Queued for myself", "(own) This too", "So you have two now", "(own) One of them is off"];
        self.ledger.claim(self.ada.look() == expected, "it shows what was said, in order, once");
        self.ledger.claim(
            self.server.waiting(&phone, &desk) == 0,
            "and passes nothing on: all of it has reached the desktop",
        );
        Ok(())
    }
}
