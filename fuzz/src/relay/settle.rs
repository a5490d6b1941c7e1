//! What must hold in the end: the desktop joins anew, and everything passes both ways.

use outrigger::{
    AckPhone, AskPhone, DescribeDesktops, DescribeRelay, DesktopConsent, EndOfRelay, FlushRequests,
    FromPhone, RejoinPhone, RelayOutbox, RelayRequest, RelayStanding, RenewDesktop, RenewDevices, Request,
    RequestState, Restart, SetDesktopConsent, Suspension, UnixMillis, Verdict, VerifiedBundle, WhileAway,
};

use super::{
    super::world::{BOUND, NOW},
    DESK, PEER, PHONE, World,
};

/// Asks in which everything that can pass has passed: so many windows of frames as one run can tell.
const ROUNDS_OF_ASKING: usize = 20;

impl World {
    /// Unless the relay has ended, the desktop joins anew, all that waits passes, and new things do, both ways.
    pub(super) fn settle(&mut self) {
        let ended = |standing| matches!(standing, RelayStanding::Ended(_));
        let at_phone = self.must(PHONE, &DescribeDesktops).remove(0).standing;
        let at_desk = self.must(DESK, &DescribeRelay).standing;
        if at_desk == RelayStanding::Ended(EndOfRelay::Upgraded) {
            return self.settle_companion();
        }
        if ended(at_phone) || ended(at_desk) {
            return;
        }
        self.in_flight.clear();
        // Sessions are ordered by when they started: a desktop that went back has to start later than it ever did.
        (self.now, self.ahead) = (self.latest.plus(1_000), [0; 3]);
        let desktop = self.desk.device;
        self.must(PHONE, &RenewDesktop { desktop });
        self.carry_on();
        self.must(PHONE, &SetDesktopConsent { desktop, may: DesktopConsent::Always });
        self.replenish();
        let bundle = self.verified();
        self.rejoin(&bundle);
        // One that learns only by being let in that the phone went back says so, and joins once more.
        let standing = self.must(DESK, &DescribeRelay).standing;
        if !self.calm && standing == RelayStanding::Suspended(Suspension::PhoneWentBack) {
            self.now = self.now.plus(1_000);
            self.rejoin(&bundle);
        }
        self.pass();
        let frames = self.must(DESK, &FlushRequests);
        for frame in frames {
            self.up(&frame, Some(Verdict::Allow)).expect("taken");
        }
        self.pass();
        let relay = self.must(DESK, &DescribeRelay);
        assert_eq!((relay.standing, relay.waiting), (RelayStanding::Attached, 0));
        self.lacks_nothing();
        if self.calm {
            for request in &self.requests {
                let ended = self.held[DESK].states.contains_key(request);
                assert_eq!(
                    ended,
                    !self.cancelled.contains(request),
                    "a request without an end, or cancelled"
                );
            }
        }

        self.must(PEER, &Restart { bundle: &bundle });
        self.say();
        let told = self.take(self.said.len() - 1).expect("opens");
        let said = self.down(&told[0].frames[0]);
        assert!(matches!(said, Some(FromPhone::Event { .. })), "{said:?}");
        let text = self.text("asked");
        let request = Request::Send { to: self.peer.account, plaintext: &text, associated_data: BOUND };
        let (not_after, while_away) = (UnixMillis(u64::MAX), WhileAway::Refuse);
        let made = self.must(DESK, &RelayRequest { request, not_after, while_away });
        self.asked.insert(text);
        let posted = self.posted.len();
        self.up(&made.frames[0], None).expect("taken");
        let envelope = self.posted[posted].clone();
        self.hear(&envelope).expect("opens");
        self.pass();
        assert_eq!(self.held[DESK].states.get(&made.request), Some(&RequestState::Accepted));
    }

    fn rejoin(&mut self, bundle: &VerifiedBundle) {
        let ask = self.must(DESK, &RejoinPhone { bundle });
        self.up(&ask, Some(Verdict::Allow)).expect("taken in");
        self.deliver_all();
    }

    /// Without joining anew: where the phone answers, everything passes, or the desktop finds out that it cannot.
    fn carry_on(&mut self) {
        let attached = |world: &mut Self| {
            let at_phone = world.must(PHONE, &DescribeDesktops).remove(0).standing;
            let at_desk = world.must(DESK, &DescribeRelay).standing;
            (at_phone, at_desk) == (RelayStanding::Attached, RelayStanding::Attached)
        };
        if !attached(self) {
            return;
        }
        let desktop = self.desk.device;
        let started = self.now;
        for _ in 0..ROUNDS_OF_ASKING {
            // One that has fallen silent asks once a day.
            let ask = match self.run(DESK, &AskPhone) {
                Ok(ask) => ask,
                Err(_) => {
                    self.now = self.now.plus(UnixMillis::DAY);
                    self.must(PHONE, &RenewDesktop { desktop });
                    let Ok(ask) = self.run(DESK, &AskPhone) else { break };
                    ask
                }
            };
            self.send(true, [ask]);
            let answered = self.deliver_all();
            let frames = self.run(PHONE, &RelayOutbox { desktop }).unwrap_or_default();
            let waits = !frames.is_empty();
            self.send(false, frames);
            self.deliver_all();
            let acknowledgement = self.run(DESK, &AckPhone);
            self.send(true, acknowledgement.ok());
            self.deliver_all();
            if answered && !waits && attached(self) {
                return self.lacks_nothing();
            }
        }
        let young = started < NOW.plus(25 * UnixMillis::DAY);
        assert!(!self.calm || !young || !attached(self), "it is stuck until it joins anew");
    }

    /// What the phone has told, or could not tell, was shown, or a gap behind it was.
    fn lacks_nothing(&self) {
        let [phone, desk, _] = &self.held;
        let lacks =
            phone.told.iter().find(|text| !desk.events.contains(*text) && !desk.covered.contains(*text));
        let lacks = lacks.map(|text| String::from_utf8_lossy(text));
        assert_eq!(lacks, None, "an event was lost, and no gap tells of it");
    }

    /// What was lost on its way to a companion comes again; then it has been shown all, or told how much is missing: with what is passed on next, once the list is renewed.
    pub(super) fn settle_companion(&mut self) {
        if self.calm {
            (self.now, self.ahead) = (self.latest.plus(1_000), [0; 3]);
            self.must(PHONE, &RenewDevices);
            self.replenish();
            let bundle = self.verified();
            self.must(PEER, &Restart { bundle: &bundle });
            self.say();
            let passed_on = self.take(self.said.len() - 1).expect("opens");
            assert_eq!(passed_on[0].frames.len(), 1, "{passed_on:?}");
        }
        for place in 0..self.frames.len() {
            let frame = self.frames[place].clone();
            if !frame.up {
                let _ = self.down(&frame.bytes);
            }
        }
        if self.calm {
            let lost = self.relayed.iter().any(|text| !self.held[DESK].events.contains(text));
            assert!(!lost || self.held[DESK].gaps > 0, "an event was lost, and nothing tells of it");
        }
    }

    /// Everything in flight arrives in order, and the outbox runs empty.
    pub(super) fn pass(&mut self) {
        self.deliver_all();
        let mut before = Vec::new();
        loop {
            let frames = self.must(PHONE, &RelayOutbox { desktop: self.desk.device });
            if frames.is_empty() {
                break;
            }
            assert_ne!(frames, before, "it is stuck");
            for frame in &frames {
                // One that has come before opens no more.
                let _ = self.down(frame);
            }
            before = frames;
            let acknowledgement = self.must(DESK, &AckPhone);
            self.up(&acknowledgement, None).expect("taken");
        }
        self.in_flight.clear();
    }
}
