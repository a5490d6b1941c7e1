//! Conversations to begin from.

use super::{super::conversation::Move, Seeds};

/// Conversations, from a friendly one to one of everything.
pub(super) fn conversations(seeds: &mut Seeds) {
    use Move::{
        Answer, AnswerAltered, Ask, BackUp, Confirm, DeliverAgain, DeliverAltered, DeliverAndCrash,
        DeliverAny, DeliverBatch, DeliverLowLimits, DeliverMisdirected, DeliverNext, Lose, Rarely, Recover,
        Replenish, Restart, RollBack, Send, SendAndCrash, Start, StartWeak, TurnClock,
    };
    // Who: the low half names the device, the high half which of the two others it has to do with.
    const ALICE: u8 = 0;
    const BOB: u8 = 0x11;
    const LAPTOP: u8 = 0x02;
    const ALICE_LAPTOP: u8 = 0x10;

    let say = |who| (Send, who, [1].as_slice());
    let hear = |who| (DeliverNext, who, [].as_slice());
    let start = (Start, ALICE, [].as_slice());
    let hello: &[Played<'_>] = &[start, say(ALICE), hear(BOB), say(BOB), hear(ALICE)];
    let answer: &[Played<'_>] = &[say(BOB), say(BOB), hear(ALICE), hear(ALICE), say(ALICE), hear(BOB)];
    let restart: &[Played<'_>] = &[start, say(ALICE), hear(BOB), say(BOB), hear(ALICE)];
    let parts: [(&str, &[Played<'_>]); 21] = [
        ("answer", answer),
        ("restart", restart),
        (
            "late",
            &[
                say(ALICE),
                say(ALICE),
                say(ALICE),
                (DeliverAny, 0, &[2]),
                (DeliverAny, 0, &[0]),
                (DeliverAny, 0, &[0]),
                (DeliverAgain, 0, &[0]),
            ],
        ),
        (
            "lost",
            &[
                say(ALICE),
                say(ALICE),
                (Lose, 0, &[0]),
                hear(BOB),
                say(BOB),
                (Lose, 0, &[0]),
                say(BOB),
                hear(ALICE),
            ],
        ),
        (
            "forged",
            &[
                say(ALICE),
                (DeliverAltered, 0, &[0, 0, 0, 40, 3]),
                (DeliverAltered, 0, &[0, 0, 0, 40, 130]),
                (DeliverAltered, 0, &[0, 0, 0, 14, 170, 9]),
                (DeliverAltered, 0, &[0, 1, 0, 60, 230]),
                (DeliverMisdirected, LAPTOP, &[0, 0]),
                (DeliverMisdirected, LAPTOP, &[0, 1]),
                (DeliverMisdirected, LAPTOP, &[0, 2]),
                hear(BOB),
            ],
        ),
        (
            "crashed",
            &[
                (SendAndCrash, ALICE, &[0, 1]),
                (SendAndCrash, ALICE, &[1, 1]),
                (SendAndCrash, ALICE, &[3, 1]),
                say(ALICE),
                (DeliverAndCrash, 0, &[0]),
                hear(BOB),
            ],
        ),
        (
            "rolled-back",
            &[
                (BackUp, BOB, &[]),
                say(ALICE),
                hear(BOB),
                (RollBack, BOB, &[]),
                (DeliverAgain, 0, &[0]),
                say(BOB),
                hear(ALICE),
            ],
        ),
        (
            "sender-rolled-back",
            &[
                (BackUp, ALICE, &[]),
                say(ALICE),
                hear(BOB),
                (RollBack, ALICE, &[]),
                say(ALICE),
                hear(BOB),
                say(ALICE),
                hear(BOB),
            ],
        ),
        (
            "clock",
            &[
                (TurnClock, 0, &[0]),
                (TurnClock, 0, &[2]),
                (Replenish, 0x21, &[]),
                (TurnClock, 0, &[3]),
                (Replenish, 0x20, &[]),
                start,
                say(ALICE),
                hear(BOB),
                (TurnClock, 0, &[4]),
            ],
        ),
        (
            "replaced",
            &[(Rarely, 1, &[0]), start, say(ALICE), (Rarely, 1, &[1]), start, say(ALICE), hear(BOB)],
        ),
        (
            "suspected",
            &[
                (Rarely, 1, &[0]),
                (Rarely, 1, &[2]),
                say(ALICE),
                (Rarely, 1, &[1]),
                start,
                say(ALICE),
                hear(BOB),
            ],
        ),
        ("batch", &[say(ALICE), say(ALICE), say(ALICE), (DeliverBatch, 1, &[3, 0, 2, 1, 2])]),
        (
            "low-limits",
            &[
                say(ALICE),
                say(ALICE),
                say(ALICE),
                say(ALICE),
                (DeliverLowLimits, 0, &[3]),
                (DeliverLowLimits, 0, &[0]),
            ],
        ),
        (
            "third-device",
            &[
                (Start, LAPTOP, &[]),
                say(LAPTOP),
                hear(ALICE_LAPTOP),
                say(ALICE_LAPTOP),
                hear(LAPTOP),
                (Start, ALICE_LAPTOP, &[]),
                say(ALICE_LAPTOP),
                hear(LAPTOP),
            ],
        ),
        (
            "at-once",
            &[
                start,
                (Start, BOB, &[]),
                say(ALICE),
                say(BOB),
                hear(BOB),
                hear(ALICE),
                say(ALICE),
                hear(BOB),
                say(BOB),
                hear(ALICE),
            ],
        ),
        (
            "given-up",
            &[
                start,
                say(ALICE),
                (Restart, ALICE, &[]),
                say(ALICE),
                hear(BOB),
                hear(BOB),
                say(BOB),
                hear(ALICE),
            ],
        ),
        (
            "asked-again",
            &[
                (BackUp, ALICE, &[]),
                say(ALICE),
                hear(BOB),
                (RollBack, ALICE, &[]),
                say(ALICE),
                say(ALICE),
                hear(BOB),
                (Ask, 0, &[1]),
                (Ask, 0, &[3]),
                (Ask, 0, &[4]),
                (Ask, 0, &[5]),
                (AnswerAltered, 0, &[0, 0, 7]),
                (AnswerAltered, 0, &[0, 1, 7]),
                (AnswerAltered, 0, &[0, 2, 7]),
                (AnswerAltered, 0, &[0, 3, 90]),
                (AnswerAltered, 0, &[0, 4, 90]),
                (AnswerAltered, 0, &[0, 13, 60]),
                (Answer, 0, &[0, 0]),
                (Answer, 0, &[0, 1]),
                (Answer, 0, &[1, 1]),
                hear(BOB),
                hear(BOB),
                hear(BOB),
                say(BOB),
                hear(ALICE),
            ],
        ),
        (
            "not-opened-at-all",
            &[
                (Recover, BOB, &[]),
                say(ALICE),
                hear(BOB),
                (Ask, 0, &[0]),
                (Ask, 0, &[2]),
                (Ask, 0, &[3]),
                (Answer, 0, &[0, 1]),
                (Recover, BOB, &[]),
                (Ask, 0, &[1]),
                (Ask, 0, &[3]),
                (Ask, 0, &[4]),
                (Answer, 0, &[1, 1]),
                (Answer, 0, &[2, 1]),
                hear(BOB),
                hear(BOB),
            ],
        ),
        (
            "recovered",
            &[
                say(ALICE),
                (BackUp, BOB, &[]),
                hear(BOB),
                say(BOB),
                (Recover, BOB, &[]),
                (DeliverAgain, 0, &[0]),
                say(BOB),
                (Start, BOB, &[]),
                say(BOB),
                hear(ALICE),
                hear(ALICE),
                say(ALICE),
                hear(BOB),
                (RollBack, BOB, &[]),
                say(BOB),
            ],
        ),
        (
            "confirmed",
            &[
                (Confirm, 1, &[0]),
                (Replenish, 0x21, &[]),
                (Confirm, 1, &[0]),
                (Confirm, 1, &[200]),
                (Replenish, 0x21, &[]),
                start,
                say(ALICE),
                hear(BOB),
            ],
        ),
        (
            "weak",
            &[
                (StartWeak, ALICE, &[]),
                say(ALICE),
                say(ALICE),
                (DeliverAny, 0, &[1]),
                (DeliverAny, 0, &[0]),
                (DeliverAgain, 0, &[0]),
                (DeliverAgain, 0, &[1]),
            ],
        ),
    ];
    for (name, part) in parts {
        seeds.add("conversation", &format!("{name}-first"), &played([part]));
        seeds.add("conversation", name, &played([hello, part]));
        seeds.add("conversation", &format!("{name}-restarted"), &played([hello, restart, part, answer]));
    }
    let all = parts.map(|(_, part)| part);
    seeds.add("conversation", "everything", &played([hello].into_iter().chain(all)));
    seeds.add("conversation", "many-turns", &played([hello].into_iter().chain([answer; 8])));
    seeds.add("conversation", "many-restarts", &played([hello].into_iter().chain([restart; 18])));
}

/// A move, who, and its choices.
type Played<'a> = (Move, u8, &'a [u8]);

fn played<'a>(parts: impl IntoIterator<Item = &'a [Played<'a>]>) -> Vec<u8> {
    let moves = parts.into_iter().flatten();
    moves.flat_map(|(kind, who, choices)| [&[kind.byte(), *who], *choices].concat()).collect()
}
