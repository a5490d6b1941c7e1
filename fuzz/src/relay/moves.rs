//! What can happen at a relay, and the bytes that say so.

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// The peer says something, and the phone takes it.
    Event,
    /// The peer says something.
    Say,
    /// The phone takes any message of the peer's.
    Take,
    /// The phone says something of its own.
    Own,
    /// The desktop asks for something.
    Request,
    Flush,
    Cancel,
    Ask,
    Acknowledge,
    /// The oldest frame in flight, up or down: in order, with loss.
    Up,
    Down,
    /// Any frame that was ever sent, to the end that it is for.
    Again,
    /// Any frame, to the other end.
    Astray,
    Altered,
    Lose,
    /// What the phone keeps goes out again.
    Outbox,
    Tell,
    /// The peer takes any message of the phone's.
    Hear,
    BackUp,
    RollBack,
    Rejoin,
    /// Another time, or another consent, a renewal, other prekeys, the end.
    Rarely,
}

/// The moves by their byte; those that make a relay stand more than once.
pub(super) const MOVES: [Move; 32] = [
    Move::Event,
    Move::Event,
    Move::Event,
    Move::Say,
    Move::Take,
    Move::Own,
    Move::Request,
    Move::Request,
    Move::Request,
    Move::Flush,
    Move::Cancel,
    Move::Ask,
    Move::Acknowledge,
    Move::Acknowledge,
    Move::Up,
    Move::Up,
    Move::Up,
    Move::Down,
    Move::Down,
    Move::Down,
    Move::Again,
    Move::Astray,
    Move::Altered,
    Move::Lose,
    Move::Outbox,
    Move::Tell,
    Move::Hear,
    Move::BackUp,
    Move::RollBack,
    Move::Rejoin,
    Move::Rejoin,
    Move::Rarely,
];

impl Move {
    /// The byte of this move.
    pub(crate) fn byte(self) -> u8 {
        MOVES.iter().zip(0..).find(|(other, _)| **other == self).map_or(0, |(_, byte)| byte)
    }
}
