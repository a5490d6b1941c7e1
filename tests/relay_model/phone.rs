//! What the phone does, and what its app makes of it.

use outrigger::{
    Content, DescribeDesktops, DescribeDevices, DesktopConsent, DetachDesktop, EndOfRelay, ForDesktop,
    FromDesktop, Keep, News, OpenError, PlanMessage, RecordKind, RefusedRequest, RelayError, RelayOutbox,
    RelayReceive, RelayStanding, RenewDesktop, RequestNumber, Send, SendToAccount, SentToAccount,
    SetDesktopConsent, TakeFromDesktop, TellDesktop, Verdict, Wanted,
};

use crate::{
    bench::{Bench, address},
    config::Fault,
    names::{Device, Input, Packet, Party, Text, What},
};

impl Bench<'_> {
    pub(crate) fn phone_takes(&mut self, packet: &Packet, input: Input) {
        match (&packet.what, packet.from) {
            (What::List, _) => self.learn(&packet.bytes),
            (What::Aside(text), _) => self.sends_aside(*text),
            // What a companion says comes first; what is no message is a frame. A phone whose store went back learns of its companion so.
            (_, Party::Desk) => {
                let companion = self.device.tables.companion;
                if companion && self.receive_and_relay(packet) {
                    return;
                }
                let no_frame = self.take_from_desktop(packet, input);
                if no_frame && !companion && matches!(input, Input::Take(_)) && self.receive_and_relay(packet)
                {
                    self.device.tables.companion = true;
                }
            }
            (_, Party::Other) => {
                self.take_from_desktop(packet, input);
            }
            (_, Party::Peer | Party::Phone) => {
                self.receive_and_relay(packet);
            }
        }
    }

    /// Whether it opens.
    fn receive_and_relay(&mut self, packet: &Packet) -> bool {
        let from = self.lab.address(packet.from);
        let receive = RelayReceive { from, envelope: &packet.bytes, associated_data: &[] };
        let Ok(done) = self.make(&receive) else { return false };
        let content = &done.received.content;
        let (Content::Message(text) | Content::ForAccount { text, .. } | Content::SentByOwn { text, .. }) =
            content
        else {
            panic!("{content:?}")
        };
        let text = Text::of(text);
        if self.device.tables.seen.contains(&text) {
            self.is_wrong("opened twice");
        }
        self.device.tables.seen.push(text);
        let passed_on = done.desktops.iter().any(|told| told.passed_on);
        if self.has(Fault::PassesAllOn) && self.device.tables.companion && !passed_on {
            let to = self.lab.address(Party::Desk);
            let send = Send { to, plaintext: &text.bytes(), associated_data: &[], keep: Keep::Nothing };
            let sent = self.make(&send).unwrap();
            self.post(Party::Desk, What::Envelope(Some(text)), sent.envelope);
        }
        self.tell(done.desktops, Some(text));
        true
    }

    /// What goes to desktops; the last of it brings a text.
    fn tell(&mut self, desktops: Vec<ForDesktop>, text: Option<Text>) {
        for told in desktops {
            let to = self.lab.party(told.desktop);
            if told.passed_on && self.has(Fault::PassesNothingOn) {
                continue;
            }
            let last = told.frames.len().saturating_sub(1);
            for (place, frame) in told.frames.into_iter().enumerate() {
                let text = text.filter(|_| place == last);
                if told.passed_on {
                    // A message like any other: nobody but the app sends it again.
                    self.post(to, What::Envelope(text), frame);
                } else {
                    self.send(to, frame, text);
                }
            }
        }
    }

    /// What waits goes out again: at the phone and at a companion.
    pub(crate) fn outbox(&mut self) {
        if self.device.party == Party::Phone {
            for desktop in self.lab.desktops.clone() {
                if let Ok(frames) = Self::ask(&self.device.records, &RelayOutbox { desktop }) {
                    self.send_all(self.lab.party(desktop), frames);
                }
            }
        }
        self.outcome.out.extend(&self.device.tables.outbox);
        self.changed = !self.outcome.out.is_empty();
    }

    pub(crate) fn detach(&mut self) {
        let before = self.device.records.clone();
        let Ok(notice) = self.make(&DetachDesktop { desktop: self.lab.desktop(Party::Desk) }) else { return };
        if self.has(Fault::EndIsNotStored) {
            self.device.records = before;
        }
        if let Some(notice) = notice {
            let notice = self.send(Party::Desk, notice, None);
            self.device.tables.notice = Some(notice);
        }
    }

    pub(crate) fn withdraw(&mut self) {
        let (desktop, may) = (self.lab.desktop(Party::Desk), DesktopConsent::Never);
        let _ = self.make(&SetDesktopConsent { desktop, may });
    }

    pub(crate) fn renew(&mut self) {
        for desktop in self.lab.desktops.clone() {
            let _ = self.make(&RenewDesktop { desktop });
        }
    }

    pub(crate) fn news(&mut self, text: Text) {
        let done = self.device.tables.done.iter().find(|(done, ..)| *done == text);
        let Some((_, number)) = done.copied() else { return };
        let party = if text.is_of(Party::Desk) { Party::Desk } else { Party::Other };
        let (desktop, news) = (self.lab.desktop(party), News::Relayed);
        if let Ok(told) = self.make(&TellDesktop { desktop, request: RequestNumber(number), news }) {
            self.tell(vec![told], None);
        }
    }

    /// Leaves everything as it was: there was a frame.
    fn undoes(&mut self, before: Device) -> bool {
        self.undo(before);
        false
    }

    /// Whether it is no frame.
    fn take_from_desktop(&mut self, packet: &Packet, input: Input) -> bool {
        let verdict = matches!(input, Input::Deny(_)).then_some(Verdict::Deny);
        let agrees = matches!(input, Input::Agree(_));
        let desktop = self.lab.desktop(packet.from);
        let take = TakeFromDesktop { desktop, envelope: &packet.bytes, verdict };
        let before = self.device.clone();
        let done = match self.make(&take) {
            Ok(FromDesktop::Undecided(wanted)) => {
                if self.device != before {
                    self.is_wrong("undecided, and something changes");
                }
                if self.has(Fault::UndecidedIsDone) {
                    self.outcome.dropped = true;
                    self.changed = false;
                    return false;
                }
                let (word, decided) = if let Wanted::Upgrade { consent, .. } = wanted {
                    self.is_no_word(&take, &before);
                    (Verdict::Upgrade(consent), agrees || self.has(Fault::AllowUpgrades))
                } else {
                    (Verdict::Allow, !agrees)
                };
                if !decided {
                    return self.undoes(before);
                }
                self.make(&TakeFromDesktop { verdict: Some(word), ..take })
            }
            // There is nothing to agree to.
            _ if agrees => return self.undoes(before),
            done => done,
        };
        if verdict.is_some() && !matches!(done, Ok(FromDesktop::Refused { .. })) {
            // There is nothing to say no to.
            return self.undoes(before);
        }
        let no_frame = matches!(done, Err(RelayError::NoFrame | RelayError::Frame(OpenError::NotEntitled)));
        match done {
            Ok(done) => self.taken_from_desktop(packet, done, &before),
            Err(RelayError::Frame(OpenError::Duplicate | OpenError::KeyGone)) => self.repeated(packet),
            Err(_) => {}
        }
        self.tells_nothing_more(&before);
        no_frame
    }

    /// Leave to send does not make a companion.
    fn is_no_word(&mut self, take: &TakeFromDesktop<'_>, before: &Device) {
        let allowed = self.make(&TakeFromDesktop { verdict: Some(Verdict::Allow), ..*take });
        if !matches!(allowed, Ok(FromDesktop::Undecided(Wanted::Upgrade { .. }))) || self.device != *before {
            self.is_wrong("leave to send is taken for the word");
        }
    }

    /// After the last frame the phone numbers no other, until the desktop joins anew.
    fn tells_nothing_more(&mut self, before: &Device) {
        let kept = |key: &&outrigger::RecordKey| key.kind() == RecordKind::RelayOut;
        let is_new = |key: &outrigger::RecordKey| !before.records.contains_key(key);
        let joins = before.tables.joins != self.device.tables.joins;
        if before.tables.companion && !self.lab.config.two && !joins {
            self.device.tables.tells_on |= self.device.records.keys().filter(kept).any(is_new);
        }
    }

    /// A faulty app's answer to a request that comes again.
    fn repeated(&mut self, packet: &Packet) {
        let Some(text) = packet.text().filter(|_| self.has(Fault::SendsRepeated)) else { return };
        if self.device.tables.outbox.len() > 1 {
            return;
        }
        let to = address(Party::Peer);
        let send = Send { to, plaintext: &text.bytes(), associated_data: &[], keep: Keep::Nothing };
        let sent = self.make(&send).unwrap();
        self.post(Party::Peer, What::Envelope(Some(text)), sent.envelope);
    }

    /// A faulty app sends what has come by another way.
    fn sends_aside(&mut self, text: Text) {
        if self.device.tables.done.iter().any(|(done, _)| *done == text) {
            return;
        }
        let to = address(Party::Peer).account;
        let plan = self.make(&PlanMessage { to }).unwrap();
        let (plaintext, keep) = (&text.bytes()[..], Keep::ForRetry);
        let sent = self.make(&SendToAccount { plan: &plan, plaintext, associated_data: &[], keep }).unwrap();
        self.device.tables.done.push((text, 0));
        self.posts(sent, text);
    }

    fn posts(&mut self, sent: SentToAccount, text: Text) {
        for (to, copy) in sent.copies {
            let to = if to == address(Party::Peer) { Party::Peer } else { self.lab.party(to.device) };
            self.post(to, What::Envelope(Some(text)), copy.envelope);
        }
    }

    fn taken_from_desktop(&mut self, packet: &Packet, done: FromDesktop, before: &Device) {
        let to = packet.from;
        let does = |done: &FromDesktop| {
            matches!(
                done,
                FromDesktop::Sent { .. } | FromDesktop::Offered { .. } | FromDesktop::Upgraded { .. }
            )
        };
        if does(&done) {
            self.is_allowed(to, before);
        }
        match done {
            FromDesktop::Sent { request, sent, desktops } => {
                let text = packet.text().unwrap();
                let before = self.device.tables.done.iter().rfind(|(text, _)| text.is_of(to));
                if before.is_some_and(|(last, ..)| *last >= text) {
                    self.is_wrong("requests out of order, or done twice");
                }
                self.device.tables.done.push((text, request.0));
                self.device.tables.seen.push(text);
                self.posts(sent, text);
                self.outcome.handed = Some(text);
                self.tell(desktops, None);
            }
            FromDesktop::Offered { frames, .. } => {
                self.device.tables.offered_at = self.when.waits;
                self.outcome.handed = packet.text();
                self.send_all(to, frames);
            }
            FromDesktop::Upgraded { list, mut frames, .. } => {
                if self.device.tables.offered_at != self.when.waits {
                    self.is_wrong("an offer counts past its time");
                }
                self.device.tables.companion = true;
                self.outcome.handed = packet.text();
                let last = frames.pop().unwrap();
                self.send_all(to, frames);
                self.send(to, last, Some(Text::Accept(0)));
                let list = list.list.as_bytes().to_vec();
                if self.lab.config.learns {
                    // A phone that went back sees what the server has before it signs another list.
                    self.release(Party::Phone, What::List, list.clone());
                }
                self.post(Party::Peer, What::List, list);
            }
            FromDesktop::Joined { frames, .. } => {
                self.device.tables.joins += 1;
                self.send_all(to, frames);
            }
            FromDesktop::Refused { frames, why, .. } => {
                if why == RefusedRequest::NoOffer {
                    self.leaves_the_list(before);
                }
                self.send_all(to, frames);
            }
            FromDesktop::Heard { frames, .. } => self.send_all(to, frames),
            FromDesktop::Late { notice } | FromDesktop::Ended { notice } => self.send_all(to, notice),
            FromDesktop::Repeated => self.repeated(packet),
            FromDesktop::Suspended(_) | FromDesktop::Left | FromDesktop::LeftCompanion => {}
            said @ (FromDesktop::Undecided(_)
            | FromDesktop::Denied
            | FromDesktop::Unready { .. }
            | FromDesktop::Read { .. }
            | FromDesktop::Query { .. }
            | _) => panic!("{said:?}"),
        }
    }

    /// What is done for a desktop is done in its time and with its user's leave, both as of this very step.
    fn is_allowed(&mut self, desktop: Party, before: &Device) {
        let desktops = Self::ask_at(self.now(), &before.records, &DescribeDesktops).unwrap();
        let of = self.lab.desktop(desktop);
        let described = desktops.iter().find(|described| described.desktop == of).unwrap();
        // One that was upgraded and went back asks for its place anew; that has no time.
        let upgraded = RelayStanding::Ended(EndOfRelay::Upgraded);
        let stands = [RelayStanding::Attached, upgraded].contains(&described.standing);
        if !stands || described.may == DesktopConsent::Never {
            self.is_wrong("done without leave, or past its time");
        }
    }

    /// An acceptance that is refused changes no list.
    fn leaves_the_list(&mut self, before: &Device) {
        let list = DescribeDevices { account: address(Party::Phone).account };
        let lists = [before, &self.device].map(|device| Self::ask(&device.records, &list).unwrap());
        if lists[0] != lists[1] || self.device.tables.companion != before.tables.companion {
            self.is_wrong("refused, and a list changes");
        }
    }
}
