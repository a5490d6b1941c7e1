//! Whether headers are encrypted, by the caller's choice.

/// Whether the headers of a session's messages are encrypted. Whoever starts the session chooses; both sides then go by it, and a session keeps it to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Headers {
    /// An envelope shows its session, the sender's ratchet key and its number. The default: it meets its session without trial.
    #[default]
    Plain,
    /// An envelope shows its length and nothing else: neither session, ratchet key and number, nor, while it carries the handshake, who sends it. 30 to 42 bytes more each, and up to 191 more until
    /// the first reply.
    Encrypted,
}
