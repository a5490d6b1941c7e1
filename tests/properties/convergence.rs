//! Both start at once, or again and again, and everything arrives in every order: no message is lost, and once quiet both sides speak in one session.
//!
//! Small and exhaustive: each schedule is a path in a tree whose branches share their stores up to where they part. `docs/protocol.md`, section 8.

use outrigger::{
    Arrival, DecideIdentity, Decision, OpenError, SendError, SessionId, StartError, UnixMillis,
    VerifiedBundle,
};

use crate::world::{Device, Server, exchange, hand::ByHand, random::Seeded, strangers};

/// What one side does, in this order.
#[derive(Clone, Copy)]
enum Act {
    Start,
    /// Gives up a session that waits for its reply.
    Restart,
    Send,
}

use Act::{Restart, Send, Start};

/// Two devices, what each has still to do, and what is under way to each.
#[derive(Clone)]
struct Pair {
    devices: [Device; 2],
    server: Server,
    to_do: [&'static [Act]; 2],
    under_way: [Vec<Vec<u8>>; 2],
    opened: usize,
    sent: usize,
}

/// What was met in all schedules; a claim about schedules that never came up would be worth nothing.
#[derive(Default)]
struct Seen {
    schedules: usize,
    new_archived: usize,
    archived: usize,
}

impl Pair {
    /// `seed` decides whose session gets the smaller id; `behind` is how far ben's clock is behind ada's.
    fn new(to_do: [&'static [Act]; 2], seed: u64, behind: u64) -> Self {
        let mut server = Server::default();
        let devices = ["ada", "ben"].map(|name| {
            let mut device = Device::new(name);
            device.publish(3, &mut server);
            device
        });
        let [mut ada, mut ben] = devices;
        ada.random = Seeded::new(seed);
        ben.now.0 -= behind;
        Self { devices: [ada, ben], server, to_do, under_way: [vec![], vec![]], opened: 0, sent: 0 }
    }

    fn address(&self, side: usize) -> outrigger::Address {
        self.devices[side].address
    }

    /// Every schedule from here on.
    fn explore(&self, seen: &mut Seen, end: &mut impl FnMut(Pair)) {
        let mut quiet = true;
        for side in [0, 1] {
            if let [act, rest @ ..] = self.to_do[side] {
                quiet = false;
                let mut next = self.clone();
                next.to_do[side] = rest;
                if next.act(side, *act) {
                    next.explore(seen, end);
                }
            }
            for place in 0..self.under_way[side].len() {
                quiet = false;
                let mut next = self.clone();
                let message = next.under_way[side].remove(place);
                next.deliver(side, &message, seen);
                next.explore(seen, end);
            }
        }
        if quiet {
            seen.schedules += 1;
            end(self.clone());
        }
    }

    /// `false`: this device may not start now, or has no session to send in, so this schedule does not exist.
    fn act(&mut self, side: usize, act: Act) -> bool {
        let peer = self.address(1 - side);
        match act {
            Start => match self.devices[side].start(peer, &mut self.server) {
                Ok(_) => true,
                Err(StartError::AlreadyStarted) => false,
                Err(other) => panic!("{other}"),
            },
            Restart => {
                self.devices[side].restart(peer, &mut self.server).unwrap();
                true
            }
            Send => {
                let text = [u8::try_from(self.sent).unwrap()];
                let message = match self.devices[side].try_send(peer, text) {
                    Ok(sent) => sent.envelope,
                    Err(SendError::NoSession) => return false,
                    Err(other) => panic!("{other}"),
                };
                self.sent += 1;
                self.under_way[1 - side].push(message);
                true
            }
        }
    }

    fn deliver(&mut self, side: usize, message: &[u8], seen: &mut Seen) {
        let peer = self.address(1 - side);
        let before = self.devices[side].active(peer);
        let received = self.devices[side].receive(peer, message).expect("a message was lost");
        self.opened += 1;
        assert_eq!(self.devices[side].refuses(peer, message), OpenError::Duplicate);
        let after = self.devices[side].active(peer);
        match received.arrival {
            Arrival::NewSession => assert_eq!(after, Some(received.session)),
            Arrival::Active => assert_eq!((before, after), (Some(received.session), before)),
            Arrival::Archived => {
                seen.archived += 1;
                assert_eq!(before, after, "an archived session opens and changes nothing else");
                assert_ne!(after, Some(received.session));
            }
            Arrival::NewArchived => {
                seen.new_archived += 1;
                assert_eq!(before, after, "a session that is late is never the active one");
            }
        }
    }

    fn actives(&mut self) -> [Option<SessionId>; 2] {
        let [ada, ben] = [self.address(0), self.address(1)];
        [self.devices[0].active(ben), self.devices[1].active(ada)]
    }

    /// Everything has arrived: the sessions agree, now and after both have spoken.
    fn settles(mut self) {
        assert_eq!(self.opened, self.sent);
        let [ada_has, ben_has] = self.actives();
        assert_eq!(ada_has, ben_has, "quiet, and two sessions are active");
        let [ada, ben] = &mut self.devices;
        for _ in 0..2 {
            assert_eq!(exchange(ada, ben).arrival, Arrival::Active);
            assert_eq!(exchange(ben, ada).arrival, Arrival::Active);
        }
        let last = self.actives();
        assert_eq!(last, [ada_has; 2]);
    }
}

/// Explores, and settles each end.
fn every_end_settles(to_do: [&'static [Act]; 2], seeds: &[u64], behind: u64) -> Seen {
    let mut seen = Seen::default();
    for seed in seeds {
        Pair::new(to_do, *seed, behind).explore(&mut seen, &mut Pair::settles);
    }
    seen
}

/// Whether ada's session won where both started before anything arrived.
fn ada_wins(seed: u64) -> bool {
    let mut pair = Pair::new([&[], &[]], seed, 0);
    (0..2).for_each(|side| assert!(pair.act(side, Start) && pair.act(side, Send)));
    let [ada_starts, ben_starts] = pair.actives();
    assert_ne!(ada_starts, ben_starts);
    for side in [0, 1] {
        let message = pair.under_way[side].remove(0);
        pair.deliver(side, &message, &mut Seen::default());
    }
    pair.actives()[0] == ada_starts
}

/// A seed with which ada's session has the smaller id, and one with which ben's has.
fn seeds() -> [u64; 2] {
    [true, false].map(|ada| (1..100).find(|seed| ada_wins(*seed) == ada).unwrap())
}

/// Each starts and sends two messages, in all 2,268 interleavings with all orders of arrival.
#[test]
fn two_starts_with_two_messages_each_agree_in_every_interleaving() {
    const SIDE: &[Act] = &[Start, Send, Send];
    let seen = every_end_settles([SIDE, SIDE], &seeds()[..1], 0);
    assert_eq!(seen.schedules, 2_268);
    assert!(seen.new_archived > 100 && seen.archived > 100);
}

/// The other id is the smaller one, and the messages are fewer.
#[test]
fn two_starts_agree_whoever_has_the_smaller_id() {
    const SIDE: &[Act] = &[Start, Send];
    let seen = every_end_settles([SIDE, SIDE], &seeds(), 0);
    assert_eq!(seen.schedules, 40);
    assert!(seen.new_archived > 0);
}

/// Ada starts twice: her first session's first message can arrive after her second one's, and after ben's.
#[test]
fn three_starts_agree_in_every_interleaving() {
    let seen = every_end_settles([&[Start, Send, Start, Send], &[Start, Send, Send]], &seeds(), 0);
    assert!(seen.schedules > 200, "{}", seen.schedules);
    assert!(seen.new_archived > 0);
}

/// Ada gives her session up, once or twice, while its first message is still on its way.
#[test]
fn restarts_agree_in_every_interleaving() {
    let one = every_end_settles([&[Start, Send, Restart, Send], &[Start, Send]], &seeds(), 0);
    assert_eq!(one.schedules, 2 * 336);
    let two = every_end_settles([&[Start, Send, Restart, Send, Restart, Send], &[Send]], &seeds()[..1], 0);
    assert!(two.schedules > 50, "{}", two.schedules);
    let both = every_end_settles([&[Start, Send, Restart, Send], &[Start, Restart, Send]], &seeds()[..1], 0);
    assert!(both.schedules > 500, "{}", both.schedules);
    assert!(one.new_archived > 0 && two.new_archived > 0 && both.new_archived > 0);
}

#[test]
fn four_starts_agree_in_every_interleaving() {
    const SIDE: &[Act] = &[Start, Send, Start, Send];
    let seen = every_end_settles([SIDE, SIDE], &seeds()[..1], 0);
    assert!(seen.schedules > 150, "{}", seen.schedules);
}

/// Clocks that are a minute or a year apart change who wins and nothing else.
#[test]
fn starts_agree_when_the_clocks_do_not() {
    for behind in [60_000, 365 * crate::world::DAY] {
        let seen = every_end_settles([&[Start, Send, Start, Send], &[Start, Send]], &seeds(), behind);
        assert!(seen.schedules > 0);
        let seen = every_end_settles([&[Start, Send], &[Start, Send, Start, Send]], &seeds(), behind);
        assert!(seen.schedules > 80, "{}", seen.schedules);
    }
}

/// A reply, given before the other side's start arrives, is not lost either.
#[test]
fn answers_between_two_starts_arrive() {
    let seen = every_end_settles([&[Start, Send, Send, Send], &[Start, Send]], &seeds()[..1], 0);
    assert!(seen.archived > 0);
}

/// L12: whatever of an older session arrives late, it does not become the active one again.
#[test]
fn l12_no_late_message_makes_an_old_session_active() {
    let (mut ada, mut ben, mut server) = strangers();
    ada.publish(10, &mut server);
    let mut late = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(ada.start(ben.address, &mut server).unwrap().session);
        late.push(ada.send(ben.address, b"late"));
        // Ada's session is overtaken by ben's, so that she may start again; her first message is still under way.
        ben.wait(1);
        ben.start(ada.address, &mut server).unwrap();
        exchange(&mut ben, &mut ada);
        ada.now = ben.now.plus(1);
        ben.now = ada.now;
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
    }
    let active = ben.active(ada.address);
    for message in late.iter().rev() {
        let received = ben.opens(ada.address, message, b"late");
        assert_eq!(received.arrival, Arrival::NewArchived);
        assert!(ids.contains(&received.session));
        assert_eq!(ben.active(ada.address), active);
    }
    assert_eq!(ada.active(ben.address), active);
}

/// A false key, pinned first, claims the last of all times for its session. Once ada has accepted ben's true key the two start anew, each in
/// turn, and agree.
#[test]
fn l50_starts_agree_after_a_false_key_from_the_end_of_time() {
    for seed in 0..8 {
        let (mut ada, mut ben, mut server) = (Device::new("ada"), Device::new("ben"), Server::default());
        ada.publish(8, &mut server);
        ben.publish(8, &mut server);
        ada.random = Seeded::new(seed);
        let bundle = VerifiedBundle::verify(&server.fetch(ada.address), &ada.address).unwrap();
        let forged = ByHand::start(&[9; 32], &[0x24; 32], &ben.address, &bundle, UnixMillis(u64::MAX));
        ada.opens(ben.address, &forged.seal(0, b"\x01i am ben"), b"i am ben");
        let decision = Decision::Accept(ben.identity);
        ada.run(&DecideIdentity { peer: ben.address, decision }).unwrap();
        for _ in 0..2 {
            ada.restart(ben.address, &mut server).unwrap();
            exchange(&mut ada, &mut ben);
            exchange(&mut ben, &mut ada);
            ben.restart(ada.address, &mut server).unwrap();
            exchange(&mut ben, &mut ada);
            exchange(&mut ada, &mut ben);
            assert_eq!(ada.active(ben.address), ben.active(ada.address));
        }
    }
}
