//! What must hold in the end: the desktop joins anew, and everything passes both ways.

use outrigger::{
    AckPhone, DescribeDesktops, DescribeRelay, DesktopConsent, EndOfRelay, FlushRequests, FromPhone,
    RejoinPhone, RelayOutbox, RelayRequest, RelayStanding, RenewDesktop, RenewDevices, Request, RequestState,
    Restart, SetDesktopConsent, UnixMillis, Verdict, WhileAway,
};

use super::{super::world::BOUND, DESK, PEER, PHONE, World};

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
        self.now = self.latest.max(self.now).plus(1_000);
        let desktop = self.desk.device;
        self.must(PHONE, &RenewDesktop { desktop });
        self.must(PHONE, &SetDesktopConsent { desktop, may: DesktopConsent::Always });
        self.replenish();
        let bundle = self.verified();
        let ask = self.must(DESK, &RejoinPhone { bundle: &bundle });
        self.up(&ask, Some(Verdict::Allow)).expect("taken in");
        self.pass();
        let frames = self.must(DESK, &FlushRequests);
        for frame in frames {
            self.up(&frame, Some(Verdict::Allow)).expect("taken");
        }
        self.pass();
        let relay = self.must(DESK, &DescribeRelay);
        assert_eq!((relay.standing, relay.waiting), (RelayStanding::Attached, 0));
        if self.calm {
            let lost = self.relayed.iter().any(|text| !self.held[DESK].events.contains(text));
            assert!(!lost || self.held[DESK].gaps > 0, "an event was lost, and no gap tells of it");
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

    /// What was lost on its way to a companion comes again; then it has been shown all, or told how much is missing: with what is passed on next, once the list is renewed.
    pub(super) fn settle_companion(&mut self) {
        if self.calm {
            self.now = self.latest.max(self.now).plus(1_000);
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
