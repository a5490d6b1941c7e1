//! The story: a desktop is paired, speaks through the phone, lapses, and is let go; the next one becomes a companion.

use outrigger::{
    AskPhone, Consent, Consequence, Content, DescribeDesktops, DescribeDevices, DesktopConsent,
    DetachDesktop, DriveError, EndOfRelay, FromDesktop, FromPhone, GrantDesktop, JoinPhone, JoinProgress,
    LinkCode, News, RecordKind, RelayError, RelayStanding, RenewDesktop, ScanLinkCode, ShowDesktopCode,
    TakeFromDesktop, TakeFromPhone, TellDesktop, UnixMillis, Verdict, Wanted, WhileAway,
};

use crate::{
    device::Outcome,
    ledger::{Ledger, draw, name},
    server::Sort,
    world::World,
};

/// Tells it; what held, and what did not.
pub(crate) fn tell() -> Outcome<Ledger> {
    let mut world = World::new()?;
    world.pair()?;
    world.talk()?;
    world.phone_off()?;
    world.phone_killed()?;
    world.phone_restored()?;
    world.lapse()?;
    world.detach()?;
    world.upgrade()?;
    world.look_at_what_is_left();
    Ok(world.ledger)
}

impl World {
    fn pair(&mut self) -> Outcome<()> {
        self.ben.device.start(&self.ada.device.address, &mut self.server)?;
        self.ben_says("Hello Ada, before any desktop")?;
        self.phone_works()?;
        let before = self.ben.device.store.clone();

        self.ledger.chapter("The desktop shows a code, and Ada's phone scans it");
        let code = self.desk.device.run(&ShowDesktopCode)?;
        draw(&code)?;
        self.scan(&code, DesktopConsent::Ask)?;
        let account = self.ada.device.address.account;
        let listed = self.ben.device.run(&DescribeDevices { account })?.list;
        self.ledger.claim(
            listed.is_none() && self.ben.device.store == before,
            "Ben knows of no list of her devices, and nothing has changed for him",
        );
        self.ada.look();
        Ok(())
    }

    /// The phone scans the code, its user agrees, and the desktop joins.
    pub(crate) fn scan(&mut self, code: &LinkCode, may: DesktopConsent) -> Outcome<()> {
        let (ada, desk) = (&mut self.ada.device, &mut self.desk.device);
        let request = ada.run(&ScanLinkCode { code: code.text() })?;
        self.ledger.claim(
            request.consequence == Consequence::ReadsAndSpeaksThroughThePhone,
            "the phone asks: may a desktop read and speak through this phone?",
        );
        let consent = Consent { companion: request.companion, consequence: request.consequence };
        let granted = ada.run(&GrantDesktop { reference: request.reference, consent, may })?;
        self.server.see(Sort::Linking, &granted.grant);
        let progress = desk.run(&JoinPhone { message: &granted.grant })?;
        let JoinProgress::Joining { address, comparison, frame, .. } = progress else {
            return Err("the desktop did not join".into());
        };
        desk.address = address;
        self.ledger.claim(comparison == request.comparison, &format!("both screens show {comparison}"));
        self.server.see(Sort::AmongOwn, &frame);
        let take = TakeFromDesktop { desktop: granted.desktop, envelope: &frame, verdict: None };
        let FromDesktop::Joined { frames, again: false } = ada.run(&take)? else {
            return Err("the phone did not let the desktop in".into());
        };
        let [status] = &frames[..] else { return Err("the phone says more than its status".into()) };
        self.server.see(Sort::AmongOwn, status);
        let said = desk.run(&TakeFromPhone { envelope: status })?.said;
        let joined = matches!(&said, FromPhone::Status { joined: true, settled, .. } if settled.is_empty());
        self.ledger.claim(joined, &format!("the desktop has joined, behind {}", name(&ada.address)));
        Ok(())
    }

    fn talk(&mut self) -> Outcome<()> {
        self.ledger.chapter("Ben and the desktop speak, through the phone");
        let (desktop, phone) = (self.desk.device.address.device, self.ada.device.address);
        let sent = self.ben_says("Are you at your desk?")?;
        self.ledger.claim(
            matches!(&sent.copies[..], [(to, _)] if *to == phone),
            "Ben's message is one envelope, for the phone",
        );
        self.settle()?;
        let both =
            self.ada.look() == ["Are you at your desk?"] && self.desk.look() == ["Are you at your desk?"];
        self.ledger.claim(both, "the phone and the desktop show it");

        self.desk_says("I am, typing with ten fingers", WhileAway::Refuse)?;
        let mails = self.server.fetch(&phone);
        let [mail] = &mails[..] else { return Err("the phone expects one request".into()) };
        let before = self.ada.device.store.clone();
        let mut take = TakeFromDesktop { desktop, envelope: &mail.bytes, verdict: None };
        let undecided = self.ada.device.run(&take)?;
        let asks = matches!(&undecided, FromDesktop::Undecided(Wanted::Send { text, .. }) if **text == *b"I am, typing with ten fingers");
        self.ledger.claim(
            asks && self.ada.device.store == before,
            "the phone asks its user first, and nothing has changed",
        );
        take.verdict = Some(Verdict::Allow);
        let FromDesktop::Sent { request, sent, desktops } = self.ada.device.run(&take)? else {
            return Err("the phone did not send".into());
        };
        self.post_to_desktops(desktops);
        self.server.post_all(phone, &sent);
        for news in [News::Relayed, News::Delivered] {
            if matches!(news, News::Delivered) {
                let heard = self.server.fetch(&self.ben.device.address);
                let [mail] = &heard[..] else { return Err("Ben expects one message".into()) };
                let received = self.ben.device.receive(mail.from, &mail.bytes)?;
                let same = matches!(&received.content, Content::ForAccount { id, text } if *id == sent.id && **text == *b"I am, typing with ten fingers");
                self.ledger.claim(same && mail.from == phone, "Ben opens it as a message of her phone's");
            }
            let told = self.ada.device.run(&TellDesktop { desktop, request, news })?;
            self.post_to_desk(told.frames);
        }
        self.settle()?;
        let states = ["Accepted", "Relayed", "Delivered"];
        let expected = states.map(|state| format!("I am, typing with ten fingers: {state}"));
        self.ledger.claim(self.desk.look() == expected, "the desktop hears: accepted, relayed, delivered");
        Ok(())
    }

    fn lapse(&mut self) -> Outcome<()> {
        self.ledger.chapter("Fifteen days later the phone's user has not renewed the desktop");
        let desktop = self.desk.device.address.device;
        self.ben_says("Said in time, shown late")?;
        self.phone_works()?;
        self.desk_says("Asked in time, done late", WhileAway::Refuse)?;
        self.wait(15 * UnixMillis::DAY);
        self.ben_says("Said while it had lapsed")?;
        let mails = self.server.fetch(&self.ada.device.address);
        let asked = mails.iter().filter(|mail| mail.from.device == desktop);
        let mut lapsed = true;
        for mail in asked {
            let take = TakeFromDesktop { desktop, envelope: &mail.bytes, verdict: Some(Verdict::Allow) };
            let refused = self.ada.device.run(&take);
            lapsed &= matches!(refused, Err(DriveError::Refused(RelayError::Lapsed { .. })));
        }
        self.ada.kept = mails;
        self.ledger.claim(lapsed, "the phone does nothing for it, whatever its user says to one request");
        self.phone_works()?;
        self.desk_works()?;
        self.ledger.claim(
            self.desk.screen.is_empty() && self.desk.kept.len() == 1 && self.ada.kept.len() == 1,
            "the desktop shows nothing; what was under way is kept on both sides",
        );
        let refused = self.desk_says("Asked too late", WhileAway::Refuse);
        self.ledger.claim(
            matches!(refused, Err(DriveError::Refused(RelayError::Lapsed { .. }))),
            "and its user is told why nothing can be sent",
        );

        self.ledger.chapter("The phone's user renews it");
        self.ada.device.run(&RenewDesktop { desktop })?;
        let ask = self.desk.device.run(&AskPhone)?;
        self.post_to_phone([ask]);
        self.settle()?;
        let shown = self.desk.look();
        let expected = ["Said in time, shown late", "Asked in time, done late: Accepted", "(1 missing here)"];
        self.ledger.claim(
            shown == expected,
            "what was under way is done and shown, once, and what passed meanwhile is told as missing",
        );
        self.ben_works()?;
        self.ledger.claim(self.ben.look() == ["Asked in time, done late"], "Ben hears the late request");
        self.ben_says("There you are again")?;
        self.settle()?;
        self.ledger.claim(self.desk.look() == ["There you are again"], "and everything flows");
        self.ada.look();
        Ok(())
    }

    fn detach(&mut self) -> Outcome<()> {
        self.ledger.chapter("The phone's user lets the desktop go");
        let (desktop, phone) = (self.desk.device.address.device, self.ada.device.address);
        self.ben_says("On its way when it ended")?;
        self.phone_works()?;
        let under_way = self.server.fetch(&self.desk.device.address);
        let notice = self.ada.device.run(&DetachDesktop { desktop })?.ok_or("no notice could be sealed")?;
        self.ledger.claim(
            self.ada.device.store.count(RecordKind::RelayOut) == 0,
            "the phone keeps nothing for it any more",
        );
        let standing: Vec<_> =
            self.ada.device.run(&DescribeDesktops)?.iter().map(|desktop| desktop.standing).collect();
        self.ledger.claim(
            standing == [RelayStanding::Ended(EndOfRelay::Detached)],
            "and knows it as one that was let go",
        );
        self.post_to_desk([notice]);
        self.desk_works()?;
        self.ledger.claim(self.desk.look() == ["(ended: Detached)"], "the desktop takes the notice");
        self.ben_says("Just you and me")?;
        self.phone_works()?;
        self.ledger.claim(
            self.server.waiting(&phone, &self.desk.device.address) == 0
                && self.ada.look() == ["On its way when it ended", "Just you and me"],
            "what Ben says now is for the phone alone",
        );
        let ended = under_way.iter().all(|mail| {
            let opened = self.desk.device.run(&TakeFromPhone { envelope: &mail.bytes });
            matches!(opened, Err(DriveError::Refused(RelayError::Ended(EndOfRelay::Detached))))
        });
        self.ledger.claim(
            ended && under_way.len() == 1,
            "nothing opens there any more, not even what was under way",
        );
        let refused = self.desk_says("One more thing", WhileAway::Queue);
        self.ledger.claim(
            matches!(refused, Err(DriveError::Refused(RelayError::Ended(_)))),
            "and nothing is asked, nor queued",
        );
        Ok(())
    }

    fn look_at_what_is_left(&mut self) {
        self.ledger.chapter("What the server saw, and what the phone keeps");
        for line in self.server.sizes() {
            self.ledger.note(&line);
        }
        self.ledger.note(&format!("the phone's user was asked about {} requests more", self.asked));
        let clear = self.said.iter().any(|text| self.server.saw(text.as_bytes()));
        self.ledger.claim(
            !clear,
            &format!("none of {} texts passed through the server in the clear", self.said.len()),
        );
        self.ledger.claim(
            self.leaks.is_empty(),
            "and none ever stood in the phone's records, but for what it sent and keeps for a retry",
        );
    }
}
