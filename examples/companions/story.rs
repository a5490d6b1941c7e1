//! The story, chapter by chapter. Ada has a phone and gets a desktop; Ben and Carol have a phone each.

use outrigger::{
    ChangeNumber, ConfirmLink, ConfirmSupply, Consent, Consequence, Content, ContinueLinking, DeviceChange,
    DriveError, FanOutError, GrantLink, LearnNumber, LinkProgress, OpenError, PhoneNumber, PlanMessage,
    RemoveCompanion, RenewDevices, ScanLinkCode, ShowLinkCode, SupplyCompanion, TakeSupply, UnixMillis,
};

use crate::{
    device::{Device, Outcome},
    ledger::{Ledger, draw, name},
    server::{Server, Sort},
};

struct World {
    server: Server,
    ledger: Ledger,
    ada: Device,
    desk: Device,
    ben: Device,
}

/// Tells it; what held, and what did not.
pub(crate) fn tell() -> Outcome<Ledger> {
    let now = UnixMillis(1_800_000_000_000);
    let mut server = Server::default();
    let ada = Device::phone("ada", now, &mut server)?;
    let ben = Device::phone("ben", now, &mut server)?;
    let desk = Device::new(ada.address, now)?;
    let mut world = World { server, ledger: Ledger::default(), ada, desk, ben };
    world.link()?;
    world.talk()?;
    world.phone_off()?;
    world.lapse()?;
    world.number()?;
    world.supply()?;
    world.remove()?;
    world.look_at_the_server();
    Ok(world.ledger)
}

impl Device {
    /// Opens all that waits at the server; the texts, in order.
    fn fetch(&mut self, server: &mut Server) -> Outcome<Vec<String>> {
        let mut texts = Vec::new();
        for mail in server.fetch(&self.address) {
            let received = self.receive(mail.from, &mail.bytes)?;
            let text = String::from_utf8_lossy(received.content.text().unwrap_or_default());
            let by_own = matches!(received.content, Content::SentByOwn { .. });
            texts.push(if by_own { format!("(sent) {text}") } else { text.into_owned() });
        }
        Ok(texts)
    }
}

impl World {
    fn link(&mut self) -> Outcome<()> {
        self.ledger.chapter("The desktop shows a code, and Ada's phone scans it");
        let code = self.desk.run(&ShowLinkCode)?;
        draw(&code)?;
        let request = self.ada.run(&ScanLinkCode { code: code.text() })?;
        self.ledger.note(&format!(
            "the phone asks: link a device that reads and writes everything? code {}",
            request.comparison
        ));
        let consent =
            Consent { companion: request.companion, consequence: Consequence::ReadsAndSpeaksForTheAccount };
        let grant = self.ada.run(&GrantLink { reference: request.reference, consent })?;
        let progress = self.desk.run(&ContinueLinking { message: &grant })?;
        let LinkProgress::Confirm { confirmation, comparison, address } = progress else {
            return Err("the desktop did not confirm".into());
        };
        self.ledger.claim(comparison == request.comparison, &format!("both screens show {comparison}"));
        let linked = self.ada.run(&ConfirmLink { confirmation: &confirmation })?;
        for message in [&grant, &confirmation, &linked.acknowledgement] {
            self.server.see(Sort::Linking, message);
        }
        let progress = self.desk.run(&ContinueLinking { message: &linked.acknowledgement })?;
        let LinkProgress::Linked(joined) = progress else { return Err("the desktop was not linked".into()) };
        self.desk.address = address;
        self.desk.publish(Some(&joined.certificate), &mut self.server)?;
        self.server.take_list(&linked.list);
        self.ledger.claim(
            joined.list == linked.list,
            &format!("{} is in the list that the phone signed", name(&address)),
        );
        let again = self.ada.run(&ScanLinkCode { code: code.text() });
        self.ledger.claim(again.is_err(), "the same code a second time is refused");
        Ok(())
    }

    fn talk(&mut self) -> Outcome<()> {
        self.ledger.chapter("Ben writes to Ada");
        let account = self.ada.address.account;
        self.ben.start(&self.ada.address, &mut self.server)?;
        let changes = self.ben.learn(account, &self.server)?;
        let appeared = matches!(changes[..], [DeviceChange::Appeared(entry)] if entry.device == self.desk.address.device);
        self.ledger.claim(appeared, "Ben is told that Ada has a new device");
        let sent = self.ben.send(account, "Hello Ada", &mut self.server)?;
        self.ledger.claim(sent.copies.len() == 2, "one message, one id, an envelope for each of her devices");
        let (phone, desk) = (self.ada.fetch(&mut self.server)?, self.desk.fetch(&mut self.server)?);
        self.ledger.claim(phone == ["Hello Ada"] && desk == phone, "both open it");
        Ok(())
    }

    fn phone_off(&mut self) -> Outcome<()> {
        self.ledger.chapter("The phone is off, and the desktop goes on");
        let (account, peer) = (self.ada.address.account, self.ben.address.account);
        for round in 1..=3 {
            self.desk.send(peer, &format!("from the desktop, {round}"), &mut self.server)?;
            let heard = self.ben.fetch(&mut self.server)?;
            self.ben.send(account, &format!("to the desktop, {round}"), &mut self.server)?;
            let answered = self.desk.fetch(&mut self.server)?;
            let fine = heard == [format!("from the desktop, {round}")]
                && answered == [format!("to the desktop, {round}")];
            self.ledger.claim(fine, &format!("round {round}: there and back"));
        }
        let phone = &self.ada.address;
        let waiting = [&self.ben, &self.desk].map(|device| self.server.waiting(&device.address, phone));
        self.ledger
            .claim(waiting == [3, 3], "six messages wait for the phone: Ben's, and what the desktop sent");
        Ok(())
    }

    fn lapse(&mut self) -> Outcome<()> {
        self.ledger.chapter("Fifteen days later the phone has not been seen");
        let (account, peer) = (self.ada.address.account, self.ben.address.account);
        for device in [&mut self.ada, &mut self.desk, &mut self.ben] {
            device.now = device.now.plus(15 * UnixMillis::DAY);
        }
        let refused = self.desk.run(&PlanMessage { to: peer });
        let lapsed = matches!(refused, Err(DriveError::Refused(FanOutError::Lapsed { .. })));
        self.ledger.claim(lapsed, "the desktop sends nothing, and says why");
        let sent = self.ben.send(account, "Are you there?", &mut self.server)?;
        let to_phone_only = sent.copies.iter().all(|(address, _)| *address == self.ada.address);
        self.ledger.claim(
            to_phone_only && sent.left_out.len() == 1,
            "Ben encrypts for her phone alone, and knows it",
        );

        self.ledger.chapter("The phone comes back, and signs once");
        let list = self.ada.run(&RenewDevices)?.list;
        self.server.take_list(&list);
        let read = self.ada.fetch(&mut self.server)?;
        self.ledger.claim(read.len() == 7, "it opens everything that waited, in order, once");
        self.ledger.note(&read.join(" | "));
        self.desk.learn(account, &self.server)?;
        self.ben.learn(account, &self.server)?;
        self.ben.send(account, "There you are", &mut self.server)?;
        self.desk.send(peer, "I am", &mut self.server)?;
        let desk = self.desk.fetch(&mut self.server)?;
        let ben = self.ben.fetch(&mut self.server)?;
        self.ledger
            .claim(desk == ["There you are"] && ben == ["I am"], "everything resumes with the new list");
        self.ada.fetch(&mut self.server)?;
        Ok(())
    }

    fn number(&mut self) -> Outcome<()> {
        self.ledger.chapter("Ada gets another phone number");
        let account = self.ada.address.account;
        let statement = self.ada.run(&ChangeNumber { number: PhoneNumber::parse("+4915112345678")? })?;
        let mut known = true;
        for device in [&mut self.ben, &mut self.desk] {
            let number = device.run(&LearnNumber { account, statement: &statement })?;
            known &= number.number().as_str() == "+4915112345678";
        }
        self.ledger.claim(known, "Ben and the desktop know it, by her signature");
        self.desk.send(self.ben.address.account, "same session", &mut self.server)?;
        self.ledger.claim(self.ben.fetch(&mut self.server)? == ["same session"], "no session noticed");
        self.ada.fetch(&mut self.server)?;
        Ok(())
    }

    fn supply(&mut self) -> Outcome<()> {
        self.ledger.chapter("The phone tells the desktop of Carol, whom only the phone has met");
        let mut carol = Device::phone("carol", self.ada.now, &mut self.server)?;
        self.ada.start(&carol.address, &mut self.server)?;
        let companion = self.desk.address.device;
        let supply = SupplyCompanion { companion, accounts: &[carol.address.account] };
        let envelope = self.ada.run(&supply)?.envelope.ok_or("nothing to tell")?;
        self.server.post(self.ada.address, self.desk.address, envelope);
        for mail in self.server.fetch(&self.desk.address) {
            if let Content::Supply(frame) = self.desk.receive(mail.from, &mail.bytes)?.content {
                let taken = self.desk.run(&TakeSupply { frame: &frame })?;
                self.ledger.claim(taken.told.len() == 1, "the desktop knows her key as the phone does");
                self.server.post(self.desk.address, self.ada.address, taken.acknowledgement);
            }
        }
        for mail in self.server.fetch(&self.ada.address) {
            if let Content::SupplyTaken(taken) = self.ada.receive(mail.from, &mail.bytes)?.content {
                let state = self.ada.run(&ConfirmSupply { companion, taken })?;
                self.ledger.claim(state.outstanding == 0, "and the phone knows that it does");
            }
        }
        let again = self.ada.run(&supply)?;
        self.ledger.claim(again.envelope.is_none(), "what was taken is not told again");
        carol.start(&self.ada.address, &mut self.server)?;
        carol.learn(self.ada.address.account, &self.server)?;
        self.desk.send(carol.address.account, "Hello Carol", &mut self.server)?;
        self.ledger
            .claim(carol.fetch(&mut self.server)? == ["Hello Carol"], "the desktop writes to her by itself");
        self.ada.fetch(&mut self.server)?;
        Ok(())
    }

    fn remove(&mut self) -> Outcome<()> {
        self.ledger.chapter("The desktop is removed");
        let (account, peer) = (self.ada.address.account, self.ben.address.account);
        self.desk.send(peer, "one more thing", &mut self.server)?;
        let list = self.ada.run(&RemoveCompanion { device: self.desk.address.device })?.list;
        self.server.take_list(&list);
        let changes = self.ben.learn(account, &self.server)?;
        self.ledger.claim(matches!(changes[..], [DeviceChange::Gone(_)]), "Ben is told that it is gone");
        for mail in self.server.fetch(&self.ben.address) {
            let refused = matches!(
                self.ben.receive(mail.from, &mail.bytes),
                Err(DriveError::Refused(OpenError::Unlisted(_)))
            );
            self.ledger.claim(refused, "its last message, late, is refused");
        }
        let sent = self.ben.send(account, "Just you and me", &mut self.server)?;
        let mut read = false;
        for (_, copy) in &sent.copies {
            read |= self.desk.receive(self.ben.address, &copy.envelope).is_ok();
        }
        self.ledger
            .claim(sent.copies.len() == 1 && !read, "it gets nothing, and opens nothing that others get");
        self.desk.learn(account, &self.server)?;
        let refused = self.desk.run(&PlanMessage { to: peer });
        let removed = matches!(refused, Err(DriveError::Refused(FanOutError::Removed)));
        self.ledger.claim(removed, "and knows that it was removed");
        Ok(())
    }

    fn look_at_the_server(&mut self) {
        self.ledger.chapter("What the server saw");
        for line in self.server.sizes() {
            self.ledger.note(&line);
        }
        let texts = [
            "Hello Ada",
            "from the desktop",
            "to the desktop",
            "There you are",
            "Hello Carol",
            "Just you and me",
        ];
        let clear = texts.iter().any(|text| self.server.saw(text.as_bytes()));
        self.ledger.claim(!clear, "no text of all this passed through it in the clear");
    }
}
