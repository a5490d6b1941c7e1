//! Whether headers are encrypted, by the caller's choice.

/// Whether the headers of a session's messages are encrypted. Whoever starts a session chooses; both sides then go by it, and the session keeps it to its end. The next one is
/// as whoever starts that chooses: let both sides' apps choose the same; `Started` and `Received` say what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Headers {
    /// An envelope shows its session, the sender's ratchet key and its number. The default: it meets its session without trial.
    #[default]
    Plain,
    /// An envelope shows neither session, ratchet key and number, nor, while it carries the handshake, who sends it: its length, and by that or by what a public key is like whether it carries one. 30 to 43 bytes
    /// more each, and until the first reply up to 94 more.
    Encrypted,
}
