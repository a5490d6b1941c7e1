//! Relays to begin from.

use super::{super::relay::Move as Relayed, Seeds};

/// Relays, from a friendly one to one of everything.
pub(super) fn relays(seeds: &mut Seeds) {
    use Relayed::{
        Acknowledge, Again, Altered, Ask, Astray, BackUp, Cancel, Down, Event, Flush, Hear, Lose, Outbox,
        Own, Rarely, Rejoin, Request, RollBack, Say, Take, Tell, Up,
    };
    // Whose store: phone, desktop, peer.
    const PHONE: &[u8] = &[0];
    const DESK: &[u8] = &[1];
    const PEER: &[u8] = &[2];
    // The user's word.
    const ASKED: &[u8] = &[0];
    const ALLOWED: &[u8] = &[1];
    const DENIED: &[u8] = &[2];
    type Part<'a> = &'a [(Relayed, &'a [u8])];

    let down: Part<'_> = &[(Event, &[]), (Down, &[]), (Acknowledge, &[]), (Up, ASKED)];
    let up: Part<'_> =
        &[(Request, &[1]), (Up, ASKED), (Hear, &[0]), (Down, &[]), (Tell, &[0, 0]), (Down, &[])];
    let rejoin: Part<'_> = &[(Rejoin, &[]), (Up, ALLOWED), (Down, &[]), (Down, &[])];
    let parts: [(&str, Part<'_>); 19] = [
        ("down", down),
        ("up", up),
        ("rejoined", rejoin),
        ("own", &[(Own, &[]), (Down, &[]), (Hear, &[0])]),
        (
            "late",
            &[(Say, &[]), (Say, &[]), (Take, &[2]), (Take, &[1]), (Take, &[1]), (Lose, &[0]), (Outbox, &[])],
        ),
        (
            "asked",
            &[(Event, &[]), (Ask, &[]), (Ask, &[]), (Up, ASKED), (Up, ASKED), (Down, &[]), (Down, &[])],
        ),
        (
            "queued",
            &[
                (Ask, &[]),
                (Ask, &[]),
                (Lose, &[0]),
                (Lose, &[0]),
                (Request, &[1]),
                (Request, &[1]),
                (Cancel, &[1]),
                (Request, &[5]),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
                (Flush, &[]),
                (Up, ASKED),
                (Flush, &[]),
            ],
        ),
        (
            "consent",
            &[
                (Rarely, &[4, 1]),
                (Request, &[1]),
                (Up, ASKED),
                (Flush, &[]),
                (Up, DENIED),
                (Request, &[0]),
                (Up, ALLOWED),
                (Rarely, &[4, 2]),
                (Request, &[1]),
                (Up, ASKED),
                (Request, &[0x19]),
                (Rarely, &[0]),
                (Up, ASKED),
            ],
        ),
        (
            "forged",
            &[
                (Event, &[]),
                (Request, &[1]),
                (Altered, &[0, 2, 0, 30, 1]),
                (Altered, &[0, 3, 0, 60, 4]),
                (Astray, &[0, 2]),
                (Astray, &[0, 3]),
                (Again, &[0, 0, 1]),
                (Again, &[0, 2, 1]),
                (Again, &[0, 2, 1]),
            ],
        ),
        (
            "phone-rolled-back",
            &[
                (BackUp, PHONE),
                (Event, &[]),
                (Down, &[]),
                (Request, &[1]),
                (Up, ASKED),
                (Hear, &[0]),
                (RollBack, PHONE),
                (Take, &[1]),
                (Flush, &[]),
                (Up, ASKED),
                (Hear, &[1]),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
            ],
        ),
        (
            "desk-rolled-back",
            &[
                (Ask, &[]),
                (Ask, &[]),
                (Request, &[1]),
                (BackUp, DESK),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
                (Flush, &[]),
                (Up, ASKED),
                (Up, ASKED),
                (RollBack, DESK),
                (Flush, &[]),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
            ],
        ),
        (
            // The phone tells other events under numbers that were shown: as many, or more.
            "told-anew",
            &[
                (BackUp, PHONE),
                (Event, &[]),
                (Event, &[]),
                (Down, &[]),
                (Down, &[]),
                (RollBack, PHONE),
                (Event, &[]),
                (Event, &[]),
                (Lose, &[0]),
                (Lose, &[0]),
            ],
        ),
        (
            "told-anew-and-more",
            &[
                (BackUp, PHONE),
                (Event, &[]),
                (Down, &[]),
                (Acknowledge, &[]),
                (Up, ASKED),
                (RollBack, PHONE),
                (Event, &[]),
                (Event, &[]),
                (Event, &[]),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
                (Down, &[]),
                (Down, &[]),
                (Down, &[]),
            ],
        ),
        (
            "slow-answers",
            &[
                (Event, &[]),
                (Rarely, &[13, 4, 0, 0, 0, 0, 0]),
                (Rarely, &[10, 2]),
                (Rarely, &[13, 1, 0, 0]),
                (Down, &[]),
                (Down, &[]),
                (Down, &[]),
            ],
        ),
        (
            "silent",
            &[
                (Event, &[]),
                (Rarely, &[14]),
                (Rarely, &[14]),
                (Rarely, &[14]),
                (Request, &[1]),
                (Acknowledge, &[]),
                (Rarely, &[10, 1]),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
            ],
        ),
        (
            "clocks-apart",
            &[
                (Rarely, &[11, 1, 9]),
                (Event, &[]),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
                (Rarely, &[12, 0, 15]),
                (Event, &[]),
                (Ask, &[]),
                (Up, ASKED),
                (Rarely, &[3]),
                (Ask, &[]),
                (Up, ASKED),
                (Down, &[]),
                (Down, &[]),
            ],
        ),
        ("peer-rolled-back", &[(BackUp, PEER), (Request, &[1]), (Up, ASKED), (Hear, &[0]), (RollBack, PEER)]),
        ("lapsed", &[(Rarely, &[1]), (Event, &[]), (Down, &[]), (Request, &[1]), (Rarely, &[3]), (Ask, &[])]),
        (
            "cut-short",
            &[
                (Event, &[]),
                (Event, &[]),
                (Rejoin, &[]),
                (Up, ALLOWED),
                (Lose, &[0]),
                (Rejoin, &[]),
                (Rarely, &[5]),
            ],
        ),
    ];
    for (name, part) in parts {
        seeds.add("relay", name, &relayed([part]));
        seeds.add("relay", &format!("{name}-rejoined"), &relayed([down, up, part, rejoin, part, down, up]));
    }
    seeds.add("relay", "everything", &relayed(parts.map(|(_, part)| part)));
    seeds.add(
        "relay",
        "detached",
        &relayed([up, &[(Event, &[]), (Rarely, &[6]), (Down, &[]), (Down, &[])], up]),
    );
    let upgrade: Part<'_> = &[
        (Rarely, &[8]),
        (Up, ALLOWED),
        (Down, &[]),
        (Down, &[]),
        (Rarely, &[9]),
        (Request, &[1]),
        (Up, ASKED),
        (Down, &[]),
        (Down, &[]),
        (Acknowledge, &[]),
        (Up, ASKED),
    ];
    let upgraded: Part<'_> = &[(Own, &[]), (Event, &[]), (Down, &[]), (Down, &[]), (Flush, &[]), (Ask, &[])];
    seeds.add("relay", "upgraded", &relayed([down, up, upgrade, down, upgraded]));
    let accepted: Part<'_> =
        &[(Rarely, &[8]), (Up, ALLOWED), (Down, &[]), (Down, &[]), (Rarely, &[9]), (Request, &[1])];
    seeds.add("relay", "upgrade-rejoined", &relayed([accepted, rejoin, upgrade, down]));
    let (backed_up, rolled_back): (Part<'_>, Part<'_>) = (&[(BackUp, DESK)], &[(RollBack, DESK)]);
    let both = [backed_up, upgrade, rolled_back, rejoin, upgrade, upgraded];
    seeds.add("relay", "upgrade-rolled-back", &relayed(both));
    let unheard: Part<'_> =
        &[(Rejoin, &[]), (Lose, &[0]), (Event, &[]), (Rarely, &[7]), (Down, &[]), (Up, ASKED)];
    seeds.add("relay", "left-before-it-was-let-in", &relayed([down, up, unheard, down]));
    seeds.add("relay", "left", &relayed([up, &[(Event, &[]), (Rarely, &[7]), (Up, ASKED)], up, down]));
}

fn relayed<'a>(parts: impl IntoIterator<Item = &'a [(Relayed, &'a [u8])]>) -> Vec<u8> {
    let moves = parts.into_iter().flatten();
    moves.flat_map(|(kind, choices)| [&[kind.byte()], *choices].concat()).collect()
}
