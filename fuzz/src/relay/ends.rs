//! Frames and envelopes that reach the phone, the desktop or the peer, and what each says of them.

use outrigger::{
    Advice, Content, EndOfRelay, FromDesktop, FromPhone, Receive, RefusedRequest, RelayError, RequestState,
    TakeFromDesktop, TakeFromPhone, Verdict, Wanted,
};

use super::{super::world::BOUND, DESK, Frame, PEER, PHONE, World};

impl World {
    /// A frame to its end; whether it did anything.
    pub(super) fn deliver(&mut self, frame: &Frame, verdict: Option<Verdict>) -> Option<()> {
        match frame.up {
            true => self.up(&frame.bytes, verdict),
            false => self.down(&frame.bytes).map(drop),
        }
    }

    pub(super) fn up(&mut self, envelope: &[u8], verdict: Option<Verdict>) -> Option<()> {
        let before = self.held[PHONE].store.clone();
        let desktop = self.desk.device;
        let done = match self.run(PHONE, &TakeFromDesktop { desktop, envelope, verdict }) {
            Ok(done) => done,
            Err(error) => {
                let waits = matches!(error, RelayError::EarlyRequest { .. } | RelayError::Suspended(_));
                assert!(!waits || !self.byes.contains(envelope), "it leaves by nobody's leave: {error:?}");
                return None;
            }
        };
        match done {
            FromDesktop::Late { notice } => self.send(false, notice),
            // It says so to whatever comes.
            FromDesktop::Ended { notice } => {
                assert_eq!(self.held[PHONE].store, before);
                self.send(false, notice);
                return None;
            }
            FromDesktop::Heard { frames, .. } | FromDesktop::Joined { frames, .. } => {
                self.send(false, frames)
            }
            FromDesktop::Undecided(Wanted::Upgrade { consent, .. }) if verdict == Some(Verdict::Allow) => {
                return self.up(envelope, Some(Verdict::Upgrade(consent)));
            }
            FromDesktop::Undecided(_) | FromDesktop::Unready { .. } => {
                assert_eq!(self.held[PHONE].store, before);
            }
            FromDesktop::Sent { request, sent, desktops } => {
                self.taken.push(request);
                self.posted(&sent);
                self.told(&desktops);
            }
            FromDesktop::Read { request, frames, .. } | FromDesktop::Query { request, frames, .. } => {
                self.taken.push(request);
                self.send(false, frames);
            }
            FromDesktop::Refused { request, frames, .. } | FromDesktop::Offered { request, frames } => {
                self.taken.push(request);
                self.send(false, frames);
            }
            FromDesktop::Upgraded { frames, .. } => self.send(false, frames),
            FromDesktop::Repeated | FromDesktop::Denied | FromDesktop::Left | FromDesktop::LeftCompanion => {}
            FromDesktop::Suspended(why) => assert!(!self.calm, "{why:?}"),
            other => panic!("{other:?}"),
        }
        Some(())
    }

    pub(super) fn down(&mut self, envelope: &[u8]) -> Option<FromPhone> {
        let taken = match self.run(DESK, &TakeFromPhone { envelope }) {
            Ok(taken) => taken,
            Err(RelayError::Ended(EndOfRelay::Upgraded)) => return self.passed_on(envelope),
            Err(_) => return None,
        };
        let calm = self.calm;
        let [phone, desk, _] = &mut self.held;
        let number = match &taken.said {
            FromPhone::Event { number, text, .. } | FromPhone::OwnSent { number, text, .. } => {
                assert!(self.relayed.contains(&**text), "shown, and nobody said it");
                assert!(desk.events.insert(text.to_vec()) || !calm, "shown twice");
                Some(number.0)
            }
            FromPhone::Answer { number, request, state } => {
                let before = desk.states.insert(*request, *state);
                let known = desk.by_status.contains(request) && before == Some(*state);
                let forward = known || before.is_none_or(|before| before < *state);
                assert!(!calm || forward, "{before:?}, then {state:?}");
                Some(number.0)
            }
            FromPhone::Found { number, .. } | FromPhone::Offered { number, .. } => Some(number.0),
            FromPhone::Upgraded { number, settled, unsent, .. } => {
                desk.states.extend(settled.iter().copied());
                let refused = RequestState::Refused(RefusedRequest::Upgraded);
                desk.states.extend(unsent.iter().map(|one| (one.request, refused)));
                Some(number.0)
            }
            FromPhone::Gap { number, missed, .. } => {
                assert!(number.0 > desk.number, "gap {} after {}", number.0, desk.number);
                assert!(*missed > 0 || !calm, "a gap of nothing");
                desk.gaps += 1;
                desk.covered.clone_from(&phone.told);
                (desk.number, desk.late) = (number.0, false);
                None
            }
            FromPhone::Status { settled, .. } | FromPhone::Ended { settled, .. } => {
                desk.by_status.extend(settled.iter().map(|(request, _)| *request));
                desk.states.extend(settled.iter().copied());
                None
            }
            FromPhone::Late => {
                desk.late |= desk.has_accepted();
                None
            }
            FromPhone::Suspended(_) | _ => None,
        };
        if let Some(number) = number {
            desk.shows(number);
        }
        Some(taken.said)
    }

    /// A companion takes what is passed on, or what its phone has sent.
    pub(super) fn passed_on(&mut self, envelope: &[u8]) -> Option<FromPhone> {
        let calm = self.calm;
        for associated_data in [&[], BOUND] {
            let receive = Receive { from: self.phone, envelope, associated_data };
            let received = match self.run(DESK, &receive) {
                Ok(received) => received,
                Err(error) => {
                    // Come too late: the app is told so, and asks for it again.
                    self.held[DESK].gaps += u64::from(error.advice() == Advice::RequestRetry);
                    continue;
                }
            };
            let desk = &mut self.held[DESK];
            if let Content::PassedOn { missed, .. } = received.content {
                desk.gaps += missed;
            }
            let text = received.content.text().expect("a message").to_vec();
            assert!(self.relayed.contains(&text), "passed on, and nobody said it");
            assert!(desk.events.insert(text) || !calm, "shown twice");
            return Some(FromPhone::Late);
        }
        None
    }

    pub(super) fn hear(&mut self, envelope: &[u8]) -> Option<()> {
        let receive = Receive { from: self.phone, envelope, associated_data: BOUND };
        let heard = self.run(PEER, &receive).ok()?;
        let (Content::ForAccount { text, .. } | Content::Message(text)) = &heard.content else {
            panic!("{heard:?}")
        };
        assert!(self.asked.contains(&**text), "nobody asked for it");
        assert!(self.held[PEER].ids.insert(heard.message_id), "shown twice: {:?}", heard.message_id);
        assert!(self.held[PEER].texts.insert(text.to_vec()), "one request, two messages");
        Some(())
    }

    /// The oldest frame in flight of a direction.
    pub(super) fn next(&mut self, up: bool, verdict: Option<Verdict>) -> Option<()> {
        let place = self.in_flight.iter().position(|place| self.frames[*place].up == up)?;
        let frame = self.frames[self.in_flight.remove(place)].clone();
        self.deliver(&frame, verdict)
    }

    /// Everything in flight, in order; whether the phone has answered the desktop.
    pub(super) fn deliver_all(&mut self) -> bool {
        let mut answered = false;
        while !self.in_flight.is_empty() {
            let Frame { up, bytes } = self.frames[self.in_flight.remove(0)].clone();
            if up {
                let _ = self.up(&bytes, Some(Verdict::Allow));
            } else {
                answered |= matches!(self.down(&bytes), Some(FromPhone::Status { .. }));
            }
        }
        answered
    }
}
