//! What a desktop does, before and after it is a companion, and what its app makes of it.

use outrigger::{
    AcceptUpgrade, AckPhone, Content, FlushRequests, FromPhone, Keep, Operation, Origin, PlanMessage,
    Receive, RefusedRequest, RejoinPhone, RelayError, RelayRequest, ReplenishPrekeys, Request, RequestId,
    RequestState, SendToAccount, Start, TakeFromPhone, UnixMillis, Unsent, UnsentRequest, VerifiedBundle,
    WhileAway,
};

use crate::{
    bench::{Bench, address},
    config::Fault,
    names::{Asked, Fate, Name, Packet, Party, Tables, Text, What},
};

const EVER: UnixMillis = UnixMillis(u64::MAX);
/// The id of a request that a faulty app keeps from its machine.
const NONE: RequestId = RequestId([0; 16]);

impl Tables {
    /// Whether the desktop has accepted an offer, and was not refused.
    fn has_accepted(&self) -> bool {
        self.asked.iter().any(|asked| {
            let stands = matches!(asked.fate, Fate::Sent | Fate::Told(RequestState::Accepted));
            matches!(asked.text, Text::Accept(_)) && stands
        })
    }
}

impl Bench<'_> {
    pub(crate) fn request(&mut self, text: Text) {
        if self.has(Fault::AcceptanceOvertakes) && self.device.tables.offered {
            self.device.tables.asked.push(Asked { text, id: NONE, fate: Fate::Sent });
            self.changed = true;
            return;
        }
        let Some((id, frames)) = self.ask_for(text) else { return };
        self.device.tables.asked.push(Asked { text, id, fate: Fate::Queued });
        if !frames.is_empty() {
            self.sends(frames, |fate| *fate == Fate::Queued);
        } else if self.has(Fault::QueuedAreSent) && self.device.tables.has_accepted() {
            self.release(Party::Phone, What::Aside(text), text.bytes().to_vec());
        }
    }

    fn ask_for(&mut self, text: Text) -> Option<(RequestId, Vec<Vec<u8>>)> {
        let (to, plaintext) = (address(Party::Peer).account, &text.bytes()[..]);
        let request = Request::Send { to, plaintext, associated_data: &[] };
        let request = RelayRequest { request, not_after: EVER, while_away: WhileAway::Queue };
        self.make(&request).ok().map(|requested| (requested.request, requested.frames))
    }

    pub(crate) fn want(&mut self, text: Text) {
        let request =
            RelayRequest { request: Request::Upgrade, not_after: EVER, while_away: WhileAway::Refuse };
        let Ok(requested) = self.make(&request) else { return };
        self.device.tables.asked.push(Asked { text, id: requested.request, fate: Fate::Queued });
        self.sends(requested.frames, |fate| *fate == Fate::Queued);
    }

    pub(crate) fn accept(&mut self, text: Text) {
        let Ok(accepted) = self.make(&AcceptUpgrade) else { return };
        self.device.tables.offered = false;
        self.device.tables.asked.push(Asked { text, id: accepted.request, fate: Fate::Queued });
        self.sends(accepted.frames, |fate| *fate == Fate::Queued);
        for place in 0..self.device.tables.asked.len() {
            if self.device.tables.asked[place].id == NONE {
                let (id, _) = self.ask_for(self.device.tables.asked[place].text).unwrap();
                self.device.tables.asked[place].id = id;
            }
        }
    }

    /// Requests go out: those of these fates, in their order.
    fn sends(&mut self, frames: Vec<Vec<u8>>, which: impl Fn(&Fate) -> bool) {
        let eager = self.has(Fault::SentIsAccepted);
        let mut texts = Vec::new();
        let asked = self.device.tables.asked.iter_mut();
        for asked in asked.filter(|asked| asked.id != NONE && which(&asked.fate)) {
            texts.push(asked.text);
            asked.fate = if eager { Fate::Told(RequestState::Accepted) } else { Fate::Sent };
        }
        assert_eq!(texts.len(), frames.len(), "as many go out as are open");
        for (frame, text) in frames.into_iter().zip(texts) {
            self.send(Party::Phone, frame, Some(text));
        }
        self.device.tables.unsaid = false;
    }

    pub(crate) fn flush(&mut self) {
        let before = self.device.clone();
        let accepted = self.device.tables.has_accepted();
        match self.make(&FlushRequests) {
            Ok(frames) if !frames.is_empty() => {
                self.sends(frames, |fate| *fate == Fate::Sent || *fate == Fate::Queued && !accepted);
            }
            _ => self.undo(before),
        }
    }

    pub(crate) fn word<O: Operation<Output = Vec<u8>>>(&mut self, operation: &O) {
        if let Ok(frame) = self.make(operation) {
            self.device.tables.unsaid = false;
            self.send(Party::Phone, frame, None);
        }
    }

    pub(crate) fn rejoin(&mut self, number: u8) {
        let bundle = &self.lab.bundles[usize::from(number)];
        let bundle = VerifiedBundle::verify(bundle, &address(Party::Phone)).unwrap();
        self.word(&RejoinPhone { bundle: &bundle });
    }

    pub(crate) fn publish(&mut self) {
        let certificate = self.device.tables.certificate.clone().unwrap();
        self.device.tables.published = true;
        let upload = self.make(&ReplenishPrekeys { one_time: 1 }).unwrap();
        let bundle = [&upload.bundle[..], &upload.one_time_prekeys[0]].concat();
        self.post(Party::Peer, What::Bundle(certificate), bundle);
    }

    /// The companion sends what was given back to it.
    pub(crate) fn speak(&mut self, text: Text) {
        let peer = address(Party::Peer);
        let mut plan = self.make(&PlanMessage { to: peer.account }).unwrap();
        if plan.missing.contains(&peer) {
            let bundle = VerifiedBundle::verify(&self.lab.peer_bundle, &peer).unwrap();
            self.make(&Start { bundle: &bundle }).unwrap();
            plan = self.make(&PlanMessage { to: peer.account }).unwrap();
        }
        let (plaintext, keep) = (&text.bytes()[..], Keep::ForRetry);
        let sent = self.make(&SendToAccount { plan: &plan, plaintext, associated_data: &[], keep }).unwrap();
        for (to, copy) in sent.copies {
            let to = if to == peer { Party::Peer } else { Party::Phone };
            self.post(to, What::Envelope(Some(text)), copy.envelope);
        }
        self.device.tables.asked.iter_mut().find(|asked| asked.text == text).unwrap().fate = Fate::Spoken;
    }

    pub(crate) fn desk_takes(&mut self, packet: &Packet) {
        match (self.device.tables.companion, packet.from) {
            (true, _) => self.receive(packet),
            (false, Party::Phone) => self.take_from_phone(packet),
            // It is no companion, or not any more: it waits.
            (false, Party::Desk | Party::Peer | Party::Other) => {}
        }
    }

    /// What has come to a companion.
    fn receive(&mut self, packet: &Packet) {
        let from = self.lab.address(packet.from);
        let receive = Receive { from, envelope: &packet.bytes, associated_data: &[] };
        let Ok(received) = self.make(&receive) else { return };
        match received.content {
            Content::PassedOn { missed, origin, text, .. } => {
                self.device.tables.missed += missed;
                let name = match origin {
                    Origin::Peer { message, shared, .. } => Name::of(message, shared),
                    Origin::Own { shared, .. } => Name::Shared(shared),
                };
                self.shows_once(name, Text::of(&text));
            }
            Content::ForAccount { id, text } | Content::SentByOwn { id, text, .. } => {
                self.shows_once(Name::Shared(id), Text::of(&text));
            }
            Content::Message(text) if self.has(Fault::PassesAllOn) => self.shows(Text::of(&text)),
            said @ (Content::Message(_)
            | Content::Leaves
            | Content::Supply(_)
            | Content::SupplyTaken(_)
            | Content::HistoryAsked { .. }
            | Content::History(_)
            | Content::Lost
            | _) => panic!("{said:?}"),
        }
    }

    fn take_from_phone(&mut self, packet: &Packet) {
        match self.make(&TakeFromPhone { envelope: &packet.bytes }) {
            Ok(taken) => {
                if self.device.tables.ended {
                    self.is_wrong("something is opened after the end");
                }
                self.said(taken.said);
                if self.has(Fault::AcksBeforeStore) {
                    self.word(&AckPhone);
                }
            }
            Err(RelayError::Early { .. }) if self.has(Fault::ShowsEarly) => {
                if let Some(text) = packet.text().filter(|text| matches!(text, Text::Down(_))) {
                    self.shows(text);
                    self.changed = true;
                }
            }
            Err(RelayError::Early { .. }) if self.has(Fault::CompanionEarly) => {
                if matches!(packet.text(), Some(Text::Accept(_))) {
                    self.device.tables.companion = true;
                    self.changed = true;
                }
            }
            Err(_) => {}
        }
    }

    fn said(&mut self, said: FromPhone) {
        match said {
            FromPhone::Status { joined, settled, .. } => {
                self.device.tables.joined |= joined;
                if joined {
                    self.device.tables.offered = false;
                }
                for (request, state) in settled {
                    self.settle(request, Fate::Told(state));
                }
            }
            FromPhone::Late => self.device.tables.late |= self.device.tables.has_accepted(),
            FromPhone::Suspended(_) => {}
            FromPhone::Event { number, message, shared, text, .. } => {
                self.number(number.0, None);
                self.shows_once(Name::of(message, shared), Text::of(&text));
            }
            FromPhone::OwnSent { number, shared, text, .. } => {
                self.number(number.0, None);
                self.shows_once(Name::Shared(shared), Text::of(&text));
            }
            FromPhone::Answer { number, request, state } => {
                self.number(number.0, None);
                self.settle(request, Fate::Told(state));
            }
            FromPhone::Gap { number, missed, .. } => {
                self.number(number.0, Some(missed));
                self.device.tables.missed += missed;
            }
            FromPhone::Offered { number, .. } => {
                self.number(number.0, None);
                self.device.tables.offered = true;
            }
            FromPhone::Upgraded { number, joined, settled, unsent } => {
                self.number(number.0, None);
                self.device.tables.companion = true;
                self.device.tables.offered = false;
                self.device.tables.certificate = Some(joined.certificate);
                settled.into_iter().for_each(|(request, state)| self.settle(request, Fate::Told(state)));
                self.is_given_back(unsent);
            }
            FromPhone::Ended { settled, never_sent, .. } => {
                self.device.tables.ended = true;
                settled.into_iter().for_each(|(request, state)| self.settle(request, Fate::Told(state)));
                never_sent.into_iter().for_each(|request| self.settle(request, Fate::NeverSent));
            }
            said @ (FromPhone::Found { .. } | _) => panic!("{said:?}"),
        }
    }

    /// Numbers rise by one; behind a status that joined there may be a hole, and then a gap that says so, or that nobody knows how much is missing.
    fn number(&mut self, number: u64, gap: Option<u64>) {
        let tables = &mut self.device.tables;
        let hole = number.checked_sub(tables.last + 1);
        let joined = std::mem::take(&mut tables.joined);
        let late = std::mem::take(&mut tables.late);
        (tables.last, tables.unsaid) = (number, true);
        match hole {
            Some(0) => {}
            None => self.is_wrong("a number comes twice"),
            Some(1) if late => {}
            Some(_) if !joined => self.is_wrong("a number is left out"),
            Some(_) if gap == Some(0) => {}
            Some(hole) if gap.is_none_or(|missed| missed < hole) => self.is_wrong("a hole without its gap"),
            Some(_) => {}
        }
    }

    /// A phone whose store went back tells again what it opens again: the name is the same.
    fn shows_once(&mut self, name: Name, text: Text) {
        let known = self.device.tables.names.contains(&name);
        self.device.tables.again |= known;
        if !known || self.has(Fault::ShowsAgain) {
            self.device.tables.names.push(name);
            self.shows(text);
        }
    }

    fn shows(&mut self, text: Text) {
        if self.device.tables.seen.contains(&text) {
            self.is_wrong("shown twice");
        }
        self.device.tables.seen.push(text);
    }

    fn settle(&mut self, request: RequestId, fate: Fate) {
        let asked = self.device.tables.asked.iter_mut().find(|asked| asked.id == request);
        let Some(asked) = asked else { return self.is_wrong("an answer to nothing that was asked") };
        let forward = match (asked.fate, fate) {
            // What it asked for has come.
            (Fate::Queued, Fate::Told(RequestState::Refused(RefusedRequest::Upgraded))) => true,
            (Fate::Queued, Fate::Told(_)) | (Fate::NeverSent | Fate::GivenBack | Fate::Spoken, _) => false,
            (Fate::Told(before), Fate::Told(after)) => {
                let ends = matches!(before, RequestState::Refused(_) | RequestState::Unknown);
                before == after || !ends && before < after
            }
            (Fate::Told(_), _) => false,
            (Fate::Sent | Fate::Queued, _) => true,
        };
        asked.fate = fate;
        if !forward {
            self.is_wrong("a request goes back");
        }
    }

    /// What has no answer is given back, whole and in order, and nothing else is left. Without a joining anew nothing of it has gone out.
    fn is_given_back(&mut self, unsent: Vec<Unsent>) {
        let drops = self.has(Fault::DropsGivenBack);
        let (tables, wrong) = (&mut self.device.tables, &mut self.outcome.wrong);
        let mut back = unsent.into_iter();
        for asked in &mut tables.asked {
            if !matches!(asked.fate, Fate::Queued | Fate::Sent) {
                continue;
            }
            let whole = back.next().is_some_and(|unsent| {
                let UnsentRequest::Send { plaintext, .. } = unsent.asked else { return false };
                unsent.request == asked.id && Text::of(&plaintext) == asked.text
            });
            if !whole {
                wrong.get_or_insert("not given back, or not in order");
            }
            tables.recalled |= asked.fate == Fate::Sent;
            asked.fate = if drops { Fate::Spoken } else { Fate::GivenBack };
        }
        if back.next().is_some() {
            wrong.get_or_insert("given back, and never asked for");
        }
    }
}
