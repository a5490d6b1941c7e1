//! What a library must offer to be put under the suite: one trait, and the words in which it answers.
//!
//! Addresses are names (`ada`); everything else that the library makes is opaque bytes to the runner. `vectors/torture/README.md` says it for other languages.

use std::fmt;

/// A library under the suite. The value itself holds what no store does: the source of randomness, which never goes back.
pub(crate) trait Subject: Clone {
    /// One device: its store, its clock, and nothing else. A clone is a copy of the store; putting it back is a roll-back.
    type Device: Clone;

    /// What the library can do beyond opening and refusing.
    const CAPABILITIES: &'static [Capability];

    /// A device in an empty store, with an identity of its own.
    fn register(&mut self, address: &str) -> Self::Device;

    /// Makes prekeys to be published, this many for one use.
    fn publish(&mut self, device: &mut Self::Device, one_time: u16) -> Upload;

    /// Starts a session, and gives up one that was not answered.
    fn start(&mut self, device: &mut Self::Device, peer: &str, fetched: &Fetched) -> Result<(), Refusal>;

    /// Encrypts. `keep`: the library may keep the text for a peer that asks again.
    fn send(
        &mut self,
        device: &mut Self::Device,
        to: &str,
        text: &str,
        keep: bool,
    ) -> Result<Vec<u8>, Refusal>;

    /// Decrypts what the transport says is from that address.
    fn receive(&mut self, device: &mut Self::Device, from: &str, bytes: &[u8]) -> Result<Opened, Refusal>;

    /// The user accepts the key that was refused last at this address, if one was.
    fn accept(&mut self, device: &mut Self::Device, peer: &str);

    /// Sets the device's clock, in milliseconds of Unix time.
    fn set_clock(&mut self, device: &mut Self::Device, now: u64);

    /// A name of the session in which the device would send now.
    fn session(&mut self, device: &mut Self::Device, peer: &str) -> Option<Vec<u8>>;

    /// The bytes with a part altered; `None` where the format has no such part.
    fn alter(&self, bytes: &[u8], alteration: &Alteration<'_>) -> Option<Vec<u8>>;

    /// All that is stored, to see that a refusal changes nothing. Without it that is not checked.
    fn stored(&self, _device: &Self::Device) -> Vec<u8> {
        Vec::new()
    }

    /// What stands for each key that an envelope was made with, and its nonce, on the wire: none of it may come twice. Without it that is not checked.
    fn keys_and_nonces(&self, _envelope: &[u8]) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// The app starts and is told which upload the server has: whether it must publish anew.
    fn check_in(&mut self, _device: &mut Self::Device, _server_has: &Upload) -> bool {
        true
    }

    /// [`Capability::Retry`]: a request for an envelope that cannot be opened.
    fn ask(&mut self, _device: &mut Self::Device, _from: &str, _bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        Err(Refusal::Drop)
    }

    /// [`Capability::Retry`]: the answer to a request. [`Refusal::NoSession`]: the peer's keys are wanted. `resend`: the user agreed that the peer's present key gets what
    /// was for another.
    fn answer(
        &mut self,
        _device: &mut Self::Device,
        _from: &str,
        _request: &[u8],
        _fetched: Option<&Fetched>,
        _resend: bool,
    ) -> Result<Vec<u8>, Refusal> {
        Err(Refusal::Drop)
    }

    /// [`Capability::Recovery`]: the store came back from a backup, and what marks that is another now.
    fn restore(&mut self, _device: &mut Self::Device) {}

    /// [`Capability::Recovery`]: takes the restored store over.
    fn recover(&mut self, _device: &mut Self::Device) {}
}

/// What a library can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    /// Messages that cannot be opened are asked for and sent again.
    Retry,
    /// A store from a backup is known as one, and taken over.
    Recovery,
    /// A repeat is told from a forgery.
    Duplicates,
}

impl Capability {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "retry" => Some(Self::Retry),
            "recovery" => Some(Self::Recovery),
            "duplicates" => Some(Self::Duplicates),
            _ => None,
        }
    }
}

/// What goes to the server.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    /// Rises with each upload of a store. A library without such a number counts in the [`Subject`], so that the server takes every one.
    pub(crate) number: u32,
    /// The same for no other upload, or empty.
    pub(crate) tag: Vec<u8>,
    pub(crate) bundle: Vec<u8>,
    pub(crate) one_time: Vec<Vec<u8>>,
    /// What a library has handed out where no one-time prekey is left, or empty.
    pub(crate) last_resort: Vec<u8>,
    /// The server forgets the former one-time prekeys first.
    pub(crate) replaces: bool,
}

/// What the server hands out.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) bundle: Vec<u8>,
    pub(crate) one_time: Option<Vec<u8>>,
    /// Goes in the place of a one-time prekey.
    pub(crate) last_resort: Vec<u8>,
}

/// What was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    Text(String),
    /// It was asked for.
    Again(String),
    /// It was asked for, and will not come.
    Lost,
}

/// Why something was refused: by what the app has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Forget it.
    Drop,
    /// It was opened before.
    Duplicate,
    /// Ask its sender.
    AskAgain,
    /// Ask the user about a key.
    Identity,
    /// Fetch keys and start a session first.
    NoSession,
    /// Take the restored store over first.
    Restored,
    /// Not now: a bound on what others can cause.
    Later,
    /// None of these; the suite has no place where that is right.
    Other,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::AskAgain => "ask_again",
            Self::Identity => "refused_identity",
            Self::NoSession => "no_session",
            Self::Restored => "restored",
            Self::Later => "later",
            Self::Other => "an error of another kind",
        })
    }
}

/// A part of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Version,
    SessionId,
    Handshake,
    HeaderKey,
    PreviousCounter,
    Counter,
    Ciphertext,
    Tag,
}

/// What an attacker does to bytes under way.
#[derive(Clone, Debug)]
pub(crate) enum Alteration<'a> {
    /// One bit.
    Flip(Part),
    Counter(u32),
    PreviousCounter(u32),
    /// The part of another envelope in its place.
    PartOf(Part, &'a [u8]),
    /// Bytes less at the end.
    Truncate(usize),
    /// Zero bytes more at the end.
    Extend(usize),
}
