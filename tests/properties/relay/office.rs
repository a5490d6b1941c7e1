//! A phone, its desktop, a peer, and what carries their bytes.

use outrigger::{
    AckPhone, Address, AskPhone, Consent, Consequence, DesktopConsent, DeviceId, FlushRequests, ForDesktop,
    FromDesktop, FromPhone, GrantDesktop, JoinPhone, JoinProgress, RejoinPhone, RelayError, RelayOutbox,
    RelayReceive, RelayRequest, Request, RequestId, RequestState, Requested, ScanLinkCode, ShowDesktopCode,
    TakeFromDesktop, TakeFromPhone, TakenFromPhone, UnixMillis, Verdict, VerifiedBundle, WhileAway,
};

use crate::world::{BOUND, Device, NOON, Server};

/// A time that no request is late for.
pub(crate) const EVER: UnixMillis = UnixMillis(u64::MAX);

/// Who is there.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) server: Server,
    pub(crate) phone: Device,
    pub(crate) desk: Device,
    pub(crate) peer: Device,
}

/// A phone and a peer that speak, and a desktop that has joined.
pub(crate) fn office(may: DesktopConsent) -> Office {
    let mut server = Server::default();
    let (mut phone, mut peer) = (Device::new("phone"), Device::new("peer"));
    phone.publish(20, &mut server);
    peer.publish(20, &mut server);
    peer.start(phone.address, &mut server).unwrap();
    let hello = peer.send(phone.address, "hello");
    phone.opens(peer.address, &hello, "hello");
    let desk = pair(&mut phone, "desk", may);
    Office { server, phone, desk, peer }
}

/// Pairs a desktop with a phone, up to the phone's answer.
pub(crate) fn pair(phone: &mut Device, name: &str, may: DesktopConsent) -> Device {
    let (mut desk, frame) = grant(phone, name, may);
    let joined = phone.from(&desk, &frame).unwrap();
    let FromDesktop::Joined { frames, again: false } = joined else { panic!("{joined:?}") };
    assert_eq!(frames.len(), 1);
    let taken = desk.take_frame(&frames[0]).unwrap().said;
    let FromPhone::Status { joined: true, settled, .. } = taken else { panic!("{taken:?}") };
    assert_eq!(settled, []);
    desk
}

/// Pairs a desktop, up to its first frame.
pub(crate) fn grant(phone: &mut Device, name: &str, may: DesktopConsent) -> (Device, Vec<u8>) {
    let mut desk = Device::empty(name);
    desk.now = phone.now;
    let code = desk.run(&ShowDesktopCode).unwrap().text().to_owned();
    let request = phone.run(&ScanLinkCode { code: &code }).unwrap();
    assert_eq!(request.consequence, Consequence::ReadsAndSpeaksThroughThePhone);
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let granted = phone.run(&GrantDesktop { reference: request.reference, consent, may }).unwrap();
    let progress = desk.run(&JoinPhone { message: &granted.grant }).unwrap();
    let JoinProgress::Joining { address, account_key, comparison, frame } = progress else {
        panic!("{progress:?}")
    };
    assert_eq!((address.account, address.device), (phone.address.account, granted.desktop));
    assert_eq!((account_key, comparison), (phone.identity, request.comparison));
    desk.address = address;
    desk.identity = request.companion;
    (desk, frame)
}

impl Device {
    pub(crate) fn from(&mut self, desk: &Self, envelope: &[u8]) -> Result<FromDesktop, RelayError> {
        self.run(&TakeFromDesktop { desktop: desk.address.device, envelope, verdict: None })
    }

    pub(crate) fn decides(
        &mut self,
        desk: &Self,
        envelope: &[u8],
        verdict: Verdict,
    ) -> Result<FromDesktop, RelayError> {
        self.run(&TakeFromDesktop { desktop: desk.address.device, envelope, verdict: Some(verdict) })
    }

    pub(crate) fn take_frame(&mut self, envelope: &[u8]) -> Result<TakenFromPhone, RelayError> {
        self.run(&TakeFromPhone { envelope })
    }

    pub(crate) fn outbox(&mut self, desk: &Self) -> Vec<Vec<u8>> {
        self.run(&RelayOutbox { desktop: desk.address.device }).unwrap()
    }

    pub(crate) fn requests(&mut self, request: Request<'_>) -> Result<Requested, RelayError> {
        self.run(&RelayRequest { request, not_after: EVER, while_away: WhileAway::Refuse })
    }

    /// Takes events that must be next, and gives their texts.
    pub(crate) fn shows(&mut self, frames: &[Vec<u8>]) -> Vec<String> {
        let text = |frame: &Vec<u8>| match self.take_frame(frame).unwrap().said {
            FromPhone::Event { text, .. } | FromPhone::OwnSent { text, .. } => {
                String::from_utf8(text.to_vec()).unwrap()
            }
            FromPhone::Gap { missed, .. } => format!("gap of {missed}"),
            FromPhone::Answer { state, .. } => format!("{state:?}"),
            FromPhone::Found { text, .. } => format!("found {}", String::from_utf8_lossy(&text)),
            said @ (FromPhone::Late
            | FromPhone::Status { .. }
            | FromPhone::Suspended(_)
            | FromPhone::Ended { .. }
            | _) => format!("{said:?}"),
        };
        frames.iter().map(text).collect()
    }
}

impl Office {
    /// A message of the peer's passes the phone; what goes to desktops.
    pub(crate) fn peer_says(&mut self, text: &str) -> Vec<ForDesktop> {
        let envelope = self.peer.send(self.phone.address, text);
        self.phone_takes(&envelope)
    }

    pub(crate) fn phone_takes(&mut self, envelope: &[u8]) -> Vec<ForDesktop> {
        let receive = RelayReceive { from: self.peer.address, envelope, associated_data: BOUND };
        self.phone.run(&receive).unwrap().desktops
    }

    /// The same, and the frames for the one desktop.
    pub(crate) fn frames(&mut self, text: &str) -> Vec<Vec<u8>> {
        let desktops = self.peer_says(text);
        assert_eq!(desktops.len(), 1);
        desktops.into_iter().next().unwrap().frames
    }

    /// A request to say something to the peer.
    pub(crate) fn desk_says(&mut self, text: &str) -> (RequestId, Vec<u8>) {
        let to = self.peer.address.account;
        let send = Request::Send { to, plaintext: text.as_bytes(), associated_data: BOUND };
        let Requested { request, mut frames, .. } = self.desk.requests(send).unwrap();
        assert_eq!(frames.len(), 1);
        (request, frames.pop().unwrap())
    }

    /// The desktop acknowledges what it has shown; what goes to it then.
    pub(crate) fn acknowledge(&mut self) -> Vec<Vec<u8>> {
        let frame = self.desk.run(&AckPhone).unwrap();
        let heard = self.phone.from(&self.desk, &frame).unwrap();
        let FromDesktop::Heard { frames, .. } = heard else { panic!("{heard:?}") };
        frames
    }

    /// The desktop asks, and takes the answer.
    pub(crate) fn ask(&mut self) -> FromPhone {
        let frame = self.desk.run(&AskPhone).unwrap();
        let heard = self.phone.from(&self.desk, &frame).unwrap();
        let FromDesktop::Heard { frames, .. } = heard else { panic!("{heard:?}") };
        let status = self.desk.take_frame(&frames[0]).unwrap().said;
        // A gap that is told now may come early; the outbox has it again.
        for frame in &frames[1..] {
            let _ = self.desk.take_frame(frame);
        }
        status
    }

    pub(crate) fn bundle(&mut self) -> VerifiedBundle {
        VerifiedBundle::verify(&self.server.fetch(self.phone.address), &self.phone.address).unwrap()
    }

    /// The desktop joins anew, with the phone user's word: what became of its requests, and what else it is told.
    pub(crate) fn rejoin(&mut self) -> (Vec<(RequestId, RequestState)>, Vec<String>) {
        let bundle = self.bundle();
        let frame = self.desk.run(&RejoinPhone { bundle: &bundle }).unwrap();
        self.let_in(&frame)
    }

    pub(crate) fn let_in(&mut self, frame: &[u8]) -> (Vec<(RequestId, RequestState)>, Vec<String>) {
        let undecided = self.phone.from(&self.desk, frame).unwrap();
        assert!(matches!(undecided, FromDesktop::Undecided(outrigger::Wanted::TakeOver)), "{undecided:?}");
        let joined = self.phone.decides(&self.desk, frame, Verdict::Allow).unwrap();
        let FromDesktop::Joined { frames, again: true } = joined else { panic!("{joined:?}") };
        let status = self.desk.take_frame(&frames[0]).unwrap().said;
        let FromPhone::Status { joined: true, settled, .. } = status else { panic!("{status:?}") };
        let rest = frames[1..].to_vec();
        (settled, self.desk.shows(&rest))
    }

    /// Sends what has no answer again, and takes the answers; what the phone made of it, and what the desktop is told.
    pub(crate) fn flush(&mut self) -> Vec<FromDesktop> {
        let frames = self.desk.run(&FlushRequests).unwrap();
        frames.iter().map(|frame| self.phone.from(&self.desk, frame).unwrap()).collect()
    }
}

/// A device of an account.
pub(crate) fn at(of: &Device, device: DeviceId) -> Address {
    Address::new(of.address.account, device)
}

/// A while after noon.
pub(crate) fn later(milliseconds: u64) -> UnixMillis {
    NOON.plus(milliseconds)
}
