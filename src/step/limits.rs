//! What a receiver puts up with: the tunable bounds, with safe defaults.

use super::UnixMillis;

/// Bounds on work and memory that a peer can cause. The defaults are the protocol's; each can be lowered, never raised.
///
/// Fixed bounds (sizes on the wire) stand in `docs/protocol.md`, section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) max_forward: u32,
    pub(crate) max_skipped: u16,
    pub(crate) skipped_max_age: u64,
    pub(crate) max_archived: u8,
    pub(crate) archived_max_age: u64,
    pub(crate) max_weak_starts: u8,
    pub(crate) retry_copies: u8,
    pub(crate) retry_max_age: u64,
    pub(crate) max_asked_per_peer: u16,
    pub(crate) max_asked: u16,
    pub(crate) list_window: u64,
    pub(crate) history_cool_down: u64,
}

impl Limits {
    /// The bounds of `docs/protocol.md`: 1,000 keys forward, 1,000 kept for 30 days, 16 archived sessions for 30 days, 64 weak starts; 64 retry copies for
    /// 14 days, 64 retry requests an hour to a peer's device and 512 to all; device lists that are good for 14 days.
    pub const DEFAULT: Self = Self {
        max_forward: 1_000,
        max_skipped: 1_000,
        skipped_max_age: 30 * UnixMillis::DAY,
        max_archived: 16,
        archived_max_age: 30 * UnixMillis::DAY,
        max_weak_starts: 64,
        retry_copies: 64,
        retry_max_age: 14 * UnixMillis::DAY,
        max_asked_per_peer: 64,
        max_asked: 512,
        list_window: 14 * UnixMillis::DAY,
        history_cool_down: 0,
    };

    /// Messages that one message may skip in one chain: how far a receiver follows a gap, and how many key derivations a
    /// hostile counter can cause (twice as many where it names two chains). Default and ceiling 1,000.
    #[must_use]
    pub fn max_forward(self, messages: u32) -> Self {
        Self { max_forward: messages.min(Self::DEFAULT.max_forward), ..self }
    }

    /// Keys of skipped messages kept for a session, 52 bytes each; the oldest goes first. Default and ceiling 1,000.
    #[must_use]
    pub fn max_skipped(self, keys: u16) -> Self {
        Self { max_skipped: keys.min(Self::DEFAULT.max_skipped), ..self }
    }

    /// Milliseconds for which the key of a skipped message is kept. Default and ceiling 30 days.
    #[must_use]
    pub fn skipped_max_age(self, milliseconds: u64) -> Self {
        Self { skipped_max_age: milliseconds.min(Self::DEFAULT.skipped_max_age), ..self }
    }

    /// Archived sessions kept for a pair of devices; the oldest goes first. At least 1, default and ceiling 16.
    #[must_use]
    pub fn max_archived(self, sessions: u8) -> Self {
        Self { max_archived: sessions.clamp(1, Self::DEFAULT.max_archived), ..self }
    }

    /// Milliseconds for which an archived session is kept. Default and ceiling 30 days.
    #[must_use]
    pub fn archived_max_age(self, milliseconds: u64) -> Self {
        Self { archived_max_age: milliseconds.min(Self::DEFAULT.archived_max_age), ..self }
    }

    /// Sessions without a one-time prekey that a peer's device may have started under signed prekeys that are still held. Default and ceiling 64. At 0 this device
    /// takes no such session, and starts none.
    #[must_use]
    pub fn max_weak_starts(self, sessions: u8) -> Self {
        Self { max_weak_starts: sessions.min(Self::DEFAULT.max_weak_starts), ..self }
    }

    /// How many of the messages sent last to a peer's device are remembered, and kept for a retry where the call said so. At least 1, default and ceiling 64.
    #[must_use]
    pub fn retry_copies(self, messages: u8) -> Self {
        Self { retry_copies: messages.clamp(1, Self::DEFAULT.retry_copies), ..self }
    }

    /// Milliseconds after which a kept message is not sent again any more. Default and ceiling 14 days.
    #[must_use]
    pub fn retry_max_age(self, milliseconds: u64) -> Self {
        Self { retry_max_age: milliseconds.min(Self::DEFAULT.retry_max_age), ..self }
    }

    /// Retry requests in an hour to one peer's device. Default and ceiling 64; 0: none.
    #[must_use]
    pub fn max_asked_per_peer(self, requests: u16) -> Self {
        Self { max_asked_per_peer: requests.min(Self::DEFAULT.max_asked_per_peer), ..self }
    }

    /// Retry requests in an hour to all peers together. Default and ceiling 512; 0: none.
    #[must_use]
    pub fn max_asked(self, requests: u16) -> Self {
        Self { max_asked: requests.min(Self::DEFAULT.max_asked), ..self }
    }

    /// Milliseconds for which a device list that this phone signs is good: so long its companions work while the phone is off. Default and ceiling 14 days.
    #[must_use]
    pub fn list_window(self, milliseconds: u64) -> Self {
        Self { list_window: milliseconds.min(Self::DEFAULT.list_window), ..self }
    }

    /// Milliseconds after a linking in which the phone gives the new companion no history, so that a user who was tricked into it can still undo it. Default 0; the
    /// higher the stricter.
    #[must_use]
    pub fn history_cool_down(self, milliseconds: u64) -> Self {
        Self { history_cool_down: milliseconds, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
