//! What happens rarely: another time, or another consent, a renewal, other prekeys, the end, slow answers, silence.

use outrigger::{
    AcceptUpgrade, AskPhone, DesktopConsent, DetachDesktop, LeavePhone, RenewDesktop, Request,
    SetDesktopConsent, UnixMillis, WhileAway,
};

use super::{super::world::Choices, DESK, PHONE, World, verdict};

impl World {
    pub(super) fn rarely(&mut self, choices: &mut Choices<'_>) {
        let (desktop, day, hour) = (self.desk.device, UnixMillis::DAY, UnixMillis::HOUR);
        match choices.byte() % 15 {
            0 => self.now = self.now.plus(day),
            1 => self.now = self.now.plus(15 * day),
            2 => self.now = UnixMillis(self.now.0.saturating_sub(3 * day)),
            3 => drop(self.run(PHONE, &RenewDesktop { desktop })),
            4 => {
                let may = [DesktopConsent::Always, DesktopConsent::Ask, DesktopConsent::Never];
                let may = may[choices.below(may.len())];
                let _ = self.run(PHONE, &SetDesktopConsent { desktop, may });
            }
            5 => self.replenish(),
            6 => {
                let notice = self.run(PHONE, &DetachDesktop { desktop });
                self.send(false, notice.ok().flatten());
            }
            7 => {
                let bye = self.run(DESK, &LeavePhone).ok().flatten();
                self.byes.extend(bye.clone());
                self.send(true, bye);
            }
            8 => self.ask_for(Request::Upgrade, WhileAway::Queue, UnixMillis(u64::MAX)),
            9 => {
                if let Ok(made) = self.run(DESK, &AcceptUpgrade) {
                    self.held[DESK].acceptance = Some(made.request);
                    self.requests.push(made.request);
                    self.send(true, made.frames);
                }
            }
            10 => self.now = self.now.plus(hour * (1 + u64::from(choices.byte() % 24))),
            11 => self.ahead[choices.below(3)] = hour * u64::from(choices.byte() % 24),
            12 => self.ahead[choices.below(3)] = day * u64::from(choices.byte() % 32),
            // Answers that come behind the next asks.
            13 => {
                for _ in 0..=choices.byte() % 8 {
                    let ask = self.run(DESK, &AskPhone);
                    let _ = ask.map(|ask| self.up(&ask, verdict(choices)));
                }
            }
            // A phone that is off: the desktop asks, falls silent, and nothing of that arrives.
            _ => {
                for _ in 0..100 {
                    let _ = self.run(DESK, &AskPhone);
                }
            }
        }
    }
}
