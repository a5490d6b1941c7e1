//! What the apps of the three do with what comes: the phone's, the desktop's, and Ben's.

use std::{collections::BTreeMap, convert::Infallible, mem};

use outrigger::{
    AcceptUpgrade, AccountId, AckPhone, Address, Advice, Content, DescribeDevices, DeviceId, DriveError,
    FlushRequests, ForDesktop, FromDesktop, FromPhone, Joined, Origin, RecordKind, RelayError, RelayOutbox,
    RelayReceive, RelayRequest, Request, RequestId, RequestState, Requested, SentToAccount, TakeFromDesktop,
    TakeFromPhone, UnixMillis, Unsent, UnsentRequest, Verdict, Wanted, WhileAway,
};

use crate::{
    device::{Device, Outcome},
    ledger::{Ledger, name},
    server::{Mail, Server},
};

pub(crate) type Refused = DriveError<RelayError, Infallible>;

/// A device, what its screen shows, and what came and cannot be taken yet.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) device: Device,
    pub(crate) screen: Vec<String>,
    pub(crate) kept: Vec<Mail>,
}

/// Who is there.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) ledger: Ledger,
    pub(crate) ada: Seat,
    pub(crate) desk: Seat,
    pub(crate) ben: Seat,
    /// Everything that anybody said.
    pub(crate) said: Vec<String>,
    /// How often the phone's user was asked.
    pub(crate) asked: u32,
    /// Records of the phone that held a text, with the frames for the desktop among them; but for what it sent and keeps for a retry.
    pub(crate) leaks: Vec<RecordKind>,
    /// What the desktop is since it became a companion.
    pub(crate) joined: Option<Box<Joined>>,
    /// What it had queued until then, and to whom.
    pub(crate) unsent: Vec<(AccountId, String)>,
    /// What the desktop asked for.
    wishes: BTreeMap<RequestId, String>,
}

impl Seat {
    pub(crate) fn new(device: Device) -> Self {
        Self { device, screen: Vec::new(), kept: Vec::new() }
    }

    /// What the screen shows since it was last looked at.
    pub(crate) fn look(&mut self) -> Vec<String> {
        mem::take(&mut self.screen)
    }

    fn fetch(&mut self, server: &mut Server) -> Vec<Mail> {
        let mut mails = mem::take(&mut self.kept);
        mails.extend(server.fetch(&self.device.address));
        mails
    }
}

/// Whether bytes that were refused are of no use any more, by the error's own advice; false: they are kept and tried again.
fn is_settled(error: Refused) -> Outcome<bool> {
    match error.advice() {
        Some(Advice::Later | Advice::AwaitPhone) => Ok(false),
        Some(Advice::Drop) => Ok(true),
        None | Some(_) => Err(error.into()),
    }
}

/// A message as a screen shows it.
fn shown(content: &Content) -> String {
    let text = String::from_utf8_lossy(content.text().unwrap_or_default());
    if let Content::PassedOn { missed: 0, origin: Origin::Peer { from, .. }, .. } = content {
        format!("({}, passed on) {text}", name(from))
    } else if matches!(content, Content::SentByOwn { .. }) {
        format!("(own) {text}")
    } else {
        text.into_owned()
    }
}

/// What was queued to be said to somebody.
fn to_say(unsent: Unsent) -> Option<(AccountId, String)> {
    let UnsentRequest::Send { to, plaintext, .. } = unsent.asked else { return None };
    Some((to, String::from_utf8_lossy(&plaintext).into_owned()))
}

impl World {
    pub(crate) fn new() -> Outcome<Self> {
        let now = UnixMillis(1_800_000_000_000);
        let mut server = Server::default();
        let [ada, ben] = ["ada", "ben"].map(|name| Device::phone(name, now, &mut server));
        let (ada, ben) = (ada?, ben?);
        let desk = Device::new(ada.address, now)?;
        Ok(Self {
            server,
            ledger: Ledger::default(),
            ada: Seat::new(ada),
            desk: Seat::new(desk),
            ben: Seat::new(ben),
            said: Vec::new(),
            asked: 0,
            leaks: Vec::new(),
            joined: None,
            unsent: Vec::new(),
            wishes: BTreeMap::new(),
        })
    }

    pub(crate) fn wait(&mut self, milliseconds: u64) {
        for seat in [&mut self.ada, &mut self.desk, &mut self.ben] {
            seat.device.now = seat.device.now.plus(milliseconds);
        }
    }

    pub(crate) fn ben_says(&mut self, text: &str) -> Outcome<SentToAccount> {
        self.said.push(text.into());
        self.ben.device.send(self.ada.device.address.account, text, &mut self.server)
    }

    /// Ben opens what waits for him; whether his app was told that Ada's phone came back from a backup.
    pub(crate) fn ben_works(&mut self) -> Outcome<bool> {
        let mut recovered = false;
        for mail in self.ben.fetch(&mut self.server) {
            let received = self.ben.device.receive(mail.from, &mail.bytes)?;
            recovered |= received.recovered;
            self.ben.screen.push(shown(&received.content));
        }
        Ok(recovered)
    }

    /// The desktop asks its phone to send; what can go out now does.
    pub(crate) fn desk_says(&mut self, text: &str, while_away: WhileAway) -> Result<RequestId, Refused> {
        let to = self.ben.device.address.account;
        let request = Request::Send { to, plaintext: text.as_bytes(), associated_data: &[] };
        let requested = self.desk_asks(request, text, while_away)?;
        self.said.push(text.into());
        Ok(requested)
    }

    pub(crate) fn desk_asks(
        &mut self,
        request: Request<'_>,
        wish: &str,
        while_away: WhileAway,
    ) -> Result<RequestId, Refused> {
        let not_after = self.desk.device.now.plus(30 * UnixMillis::DAY);
        let requested = self.desk.device.run(&RelayRequest { request, not_after, while_away })?;
        Ok(self.desk_has_asked(requested, wish))
    }

    /// The desktop accepts the phone's offer.
    pub(crate) fn desk_accepts(&mut self, wish: &str) -> Result<RequestId, Refused> {
        let requested = self.desk.device.run(&AcceptUpgrade)?;
        Ok(self.desk_has_asked(requested, wish))
    }

    fn desk_has_asked(&mut self, requested: Requested, wish: &str) -> RequestId {
        self.wishes.insert(requested.request, wish.into());
        self.post_to_phone(requested.frames);
        requested.request
    }

    pub(crate) fn desk_flushes(&mut self) -> Outcome<usize> {
        let frames = self.desk.device.run(&FlushRequests)?;
        let count = frames.len();
        self.post_to_phone(frames);
        Ok(count)
    }

    pub(crate) fn post_to_phone(&mut self, frames: impl IntoIterator<Item = Vec<u8>>) {
        for frame in frames {
            self.server.post(self.desk.device.address, self.ada.device.address, frame);
        }
    }

    pub(crate) fn post_to_desk(&mut self, frames: impl IntoIterator<Item = Vec<u8>>) {
        for frame in frames {
            self.server.post(self.ada.device.address, self.desk.device.address, frame);
        }
    }

    pub(crate) fn post_to_desktops(&mut self, desktops: Vec<ForDesktop>) {
        desktops.into_iter().for_each(|told| self.post_to_desk(told.frames));
    }

    /// The phone's app starts: what its desktop has not acknowledged goes out again, and so does the list of the account's devices.
    pub(crate) fn phone_starts(&mut self) -> Outcome<()> {
        let account = self.ada.device.address.account;
        if let Some(list) = self.ada.device.run(&DescribeDevices { account })?.list {
            self.server.take_list(&list);
        }
        let frames = self.ada.device.run(&RelayOutbox { desktop: self.desk.device.address.device })?;
        self.post_to_desk(frames);
        self.phone_works()
    }

    /// The phone takes what waits for it. Its user allows what the desktop wants.
    pub(crate) fn phone_works(&mut self) -> Outcome<()> {
        for mail in self.ada.fetch(&mut self.server) {
            let own = mail.from.account == self.ada.device.address.account;
            let settled = if own && !self.is_companion(mail.from.device)? {
                self.phone_hears_desk(&mail)?
            } else {
                self.phone_hears(&mail)?
            };
            if !settled {
                self.ada.kept.push(mail);
            }
        }
        let store = &self.ada.device.store;
        let holding = self.said.iter().flat_map(|text| store.holding(text.as_bytes()));
        self.leaks.extend(holding.filter(|kind| *kind != RecordKind::RetryCopy));
        Ok(())
    }

    /// Whether the phone's list names a device: it speaks for itself then.
    fn is_companion(&mut self, device: DeviceId) -> Outcome<bool> {
        let account = self.ada.device.address.account;
        let list = self.ada.device.run(&DescribeDevices { account })?.list;
        Ok(list.is_some_and(|list| list.entry(device).is_some()))
    }

    /// The phone opens what a peer has sent, or a companion.
    fn phone_hears(&mut self, mail: &Mail) -> Outcome<bool> {
        let receive = RelayReceive { from: mail.from, envelope: &mail.bytes, associated_data: &[] };
        let taken = match self.ada.device.run(&receive) {
            Ok(taken) => taken,
            // The last word of one that was a desktop.
            Err(error) if error.advice() == Some(Advice::TakeFrame) => return self.phone_hears_desk(mail),
            Err(error) => return is_settled(error),
        };
        self.phone_shows(&taken.received.content);
        self.post_to_desktops(taken.desktops);
        Ok(true)
    }

    pub(crate) fn phone_shows(&mut self, content: &Content) {
        self.ada.screen.push(shown(content));
    }

    fn phone_hears_desk(&mut self, mail: &Mail) -> Outcome<bool> {
        let mut verdict = None;
        loop {
            let take = TakeFromDesktop { desktop: mail.from.device, envelope: &mail.bytes, verdict };
            match self.ada.device.run(&take) {
                Err(error) => return is_settled(error),
                Ok(FromDesktop::Undecided(Wanted::TakeOver | Wanted::Send { .. } | Wanted::Query { .. })) => {
                    self.asked = self.asked.saturating_add(1);
                    verdict = Some(Verdict::Allow);
                    continue;
                }
                Ok(FromDesktop::Unready { plan, .. }) => {
                    for address in plan.missing {
                        self.ada.device.start(&address, &mut self.server)?;
                    }
                    continue;
                }
                Ok(FromDesktop::Sent { sent, desktops, .. }) => {
                    self.server.post_all(self.ada.device.address, &sent);
                    self.post_to_desktops(desktops);
                }
                Ok(FromDesktop::Heard { frames, .. } | FromDesktop::Joined { frames, .. }) => {
                    self.post_to_desk(frames);
                }
                Ok(FromDesktop::Late { notice }) => self.post_to_desk(notice),
                Ok(FromDesktop::Ended { notice }) => self.post_to_desk(notice),
                Ok(FromDesktop::Repeated) => {}
                Ok(other) => return Err(format!("the phone did not expect {other:?}").into()),
            }
            return Ok(true);
        }
    }

    /// The desktop takes what waits for it, shows it, and acknowledges what it has shown.
    pub(crate) fn desk_works(&mut self) -> Outcome<()> {
        let mut mails = self.desk.fetch(&mut self.server);
        let mut shown = false;
        loop {
            let before = mails.len();
            for mail in mem::take(&mut mails) {
                match self.desk.device.run(&TakeFromPhone { envelope: &mail.bytes }) {
                    Ok(taken) => shown |= self.desk_shows(taken.said),
                    Err(error) if is_settled(error)? => {}
                    Err(_) => mails.push(mail),
                }
            }
            if mails.is_empty() || mails.len() == before {
                break;
            }
        }
        self.desk.kept = mails;
        if shown {
            let frame = self.desk.device.run(&AckPhone)?;
            self.post_to_phone([frame]);
        }
        Ok(())
    }

    /// Shows what the phone said; whether it is to be acknowledged.
    fn desk_shows(&mut self, said: FromPhone) -> bool {
        let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let wish = |request| self.wishes.get(&request).map_or("?", String::as_str);
        let (line, numbered) = match said {
            FromPhone::Event { text: event, .. } => (text(&event), true),
            FromPhone::OwnSent { text: own, .. } => (format!("(own) {}", text(&own)), true),
            FromPhone::Answer { request, state, .. } => (format!("{}: {state:?}", wish(request)), true),
            FromPhone::Gap { missed: 0, .. } => ("(some missing here)".into(), true),
            FromPhone::Gap { missed, .. } => (format!("({missed} missing here)"), true),
            FromPhone::Found { text: found, .. } => (text(&found), true),
            FromPhone::Suspended(why) => (format!("({why:?})"), false),
            FromPhone::Offered { .. } => ("(may become a companion)".into(), true),
            FromPhone::Upgraded { joined, settled, unsent, .. } => {
                self.desk_settles(&settled);
                self.joined = Some(joined);
                // The app keeps it in the step's own transaction: it comes once.
                self.unsent = unsent.into_iter().filter_map(to_say).collect();
                ("(a companion now)".into(), true)
            }
            FromPhone::Status { settled, .. } => {
                self.desk_settles(&settled);
                return false;
            }
            FromPhone::Ended { why, .. } => (format!("(ended: {why:?})"), false),
            FromPhone::Late => return false,
            _ => ("(this app is too old to show this)".into(), false),
        };
        self.desk.screen.push(line);
        numbered
    }

    /// Shows what became of requests that were under way.
    fn desk_settles(&mut self, settled: &[(RequestId, RequestState)]) {
        let wish = |request| self.wishes.get(request).map_or("?", String::as_str);
        let lines = settled.iter().map(|(request, state)| format!("{}: {state:?}", wish(request)));
        self.desk.screen.extend(lines);
    }

    /// The desktop, a companion, opens what waits for it.
    pub(crate) fn companion_works(&mut self) -> Outcome<()> {
        for mail in self.desk.fetch(&mut self.server) {
            let received = self.desk.device.receive(mail.from, &mail.bytes)?;
            self.desk.screen.push(shown(&received.content));
        }
        Ok(())
    }

    /// Both apps work until nothing is under way between them.
    pub(crate) fn settle(&mut self) -> Outcome<()> {
        loop {
            self.phone_works()?;
            self.desk_works()?;
            if self.under_way() == 0 {
                return Ok(());
            }
        }
    }

    fn under_way(&self) -> usize {
        let (phone, desk) = (&self.ada.device.address, &self.desk.device.address);
        let waiting = |from: &Address, to| self.server.waiting(from, to);
        waiting(phone, desk).saturating_add(waiting(desk, phone))
    }
}
