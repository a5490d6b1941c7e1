//! What the app does next: one closed list for the whole crate.

/// The one right next move after an error. Every error of an operation, a ratchet or a handshake answers `advice()` with one of these; errors of
/// constructors (an account id of the wrong length) are the caller's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Advice {
    /// Forget the input: it was handled before, or nobody can use it.
    Drop,
    /// Run `RequestRetry` with the envelope and this error, and send its output to the sender; show a place where the message will stand.
    RequestRetry,
    /// The bytes are no envelope but a request of the peer's to send something again: run `AnswerRetry` with them.
    AnswerRetry,
    /// The bytes are a frame of the relay: run `TakeFromDesktop` on a phone, `TakeFromPhone` on a desktop.
    TakeFrame,
    /// Fetch the peer's bundle, verify it, run `Start` (`AnswerRetry` takes the bundle itself), then run this again.
    FetchBundle,
    /// Run `DecideIdentity` with `Suspect` so that nothing more is sent, show both identity keys to the user, run it again with the answer, then run this again.
    AskUser,
    /// Wait for the peer's first message; this device cannot speak first in this session.
    AwaitPeer,
    /// Run `ReplenishPrekeys` and publish what it returns.
    Replenish,
    /// Show that a newer version of the app is needed; keep the input for it.
    Update,
    /// A bound on what others can cause is reached: run this again later, where it still matters.
    Later,
    /// Fetch the account's device list, run `LearnDevices` with it, then run this again.
    FetchDevices,
    /// Wait until the phone has signed a new device list, and show that it must come online: `LearnDevices` with the new list lets everything go on.
    AwaitPhone,
    /// Run `AskSupply` on this companion and send its output to the phone.
    AskSupply,
    /// On a desktop that the phone relays for: fetch the phone's bundle, verify it, and run `RejoinPhone` once the user wants it here.
    RejoinPhone,
    /// Begin the linking anew, with a new code.
    LinkAgain,
    /// Repair the random source; nothing can be done without one.
    CheckRandomSource,
    /// The store came back from a backup: run `Recover` over all its records, then `ReplenishPrekeys` and publish.
    Recover,
    /// The store is damaged: register this device anew in an empty store.
    RegisterAnew,
    /// The call itself is wrong, and will be wrong again: correct the program.
    FixCall,
}

/// An error that says what the app does next; every operation's does, so that code over all operations can ask.
pub trait Advise {
    /// What the app does next.
    fn advice(&self) -> Advice;
}

impl Advise for core::convert::Infallible {
    fn advice(&self) -> Advice {
        match *self {}
    }
}

/// Gives errors with an `advice()` of their own the trait, too.
macro_rules! advises {
    ($($error:ty),+) => {$(
        impl $crate::step::Advise for $error {
            fn advice(&self) -> $crate::step::Advice {
                Self::advice(self)
            }
        }
    )+};
}
pub(crate) use advises;
