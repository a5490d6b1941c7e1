//! What can happen in a conversation, and the bytes that say so.

/// What can happen. Each is followed by a byte that says to whom, and by its own choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Start,
    StartWeak,
    /// Start, giving up a session without an answer.
    Restart,
    Send,
    SendAndCrash,
    /// The oldest message in flight between two devices: in order, with loss.
    DeliverNext,
    /// Any message in flight.
    DeliverAny,
    /// Any message that was ever sent.
    DeliverAgain,
    Lose,
    DeliverAltered,
    DeliverMisdirected,
    DeliverBatch,
    DeliverAndCrash,
    DeliverLowLimits,
    Replenish,
    BackUp,
    RollBack,
    TurnClock,
    /// Any message that was ever sent and does not open is asked for again.
    Ask,
    /// A request arrives, perhaps not for the first time.
    Answer,
    AnswerAltered,
    /// A backup comes back and is taken over; without one, the store as it is.
    Recover,
    /// The server says which upload it has; and a bundle is handed out.
    Confirm,
    /// A new device under an old address, or a decision about a key.
    Rarely,
}

/// The moves by their byte; those that make a conversation stand more than once.
pub(super) const MOVES: [Move; 32] = [
    Move::Start,
    Move::StartWeak,
    Move::Restart,
    Move::Send,
    Move::Send,
    Move::Send,
    Move::Send,
    Move::SendAndCrash,
    Move::DeliverNext,
    Move::DeliverNext,
    Move::DeliverNext,
    Move::DeliverAny,
    Move::DeliverAgain,
    Move::Lose,
    Move::DeliverAltered,
    Move::DeliverMisdirected,
    Move::DeliverBatch,
    Move::DeliverAndCrash,
    Move::DeliverLowLimits,
    Move::Replenish,
    Move::BackUp,
    Move::RollBack,
    Move::TurnClock,
    Move::Ask,
    Move::Ask,
    Move::Ask,
    Move::Answer,
    Move::Answer,
    Move::AnswerAltered,
    Move::Recover,
    Move::Confirm,
    Move::Rarely,
];

impl Move {
    /// The byte of this move.
    pub(crate) fn byte(self) -> u8 {
        MOVES.iter().zip(0..).find(|(other, _)| **other == self).map_or(0, |(_, byte)| byte)
    }
}
