//! The ways in which a pair is broken here, what the reports must say of each, and what mends it.

use outrigger::{DecideIdentity, Decision, Finding, RecordKind, Side, Start};

use crate::device::{Device, Pair, Result, open, send};

/// One way to break a pair.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) break_it: fn(&mut Pair) -> Result<()>,
    /// Whether the findings name it.
    pub(crate) expects: fn(&[Finding]) -> bool,
    pub(crate) mend: fn(&mut Pair) -> Result<()>,
    pub(crate) mended_by: &'static str,
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "Nothing is wrong",
        break_it: |_| Ok(()),
        expects: |found| found.is_empty(),
        mend: |_| Ok(()),
        mended_by: "nothing to do",
    },
    Case {
        name: "Three of Ada's messages are under way",
        break_it: |pair| (0..3).try_for_each(|_| send(&mut pair.ada, &mut pair.ben).map(drop)),
        expects: |found| found == [Finding::UnderWay(Side::First, 3)],
        mend: |pair| {
            let envelope = send(&mut pair.ada, &mut pair.ben)?;
            open(&mut pair.ben, &mut pair.ada, &envelope)
        },
        mended_by: "a later message arrived; the keys of the three wait for them",
    },
    Case {
        name: "Ada's store went back by two messages",
        break_it: |pair| {
            let first = send(&mut pair.ada, &mut pair.ben)?;
            open(&mut pair.ben, &mut pair.ada, &first)?;
            let snapshot = pair.ada.store.clone();
            for _ in 0..2 {
                let lost = send(&mut pair.ada, &mut pair.ben)?;
                open(&mut pair.ben, &mut pair.ada, &lost)?;
            }
            pair.ada.store = snapshot;
            Ok(())
        },
        expects: |found| matches!(found, [Finding::WentBack(Side::First, _)]),
        mend: Pair::talk,
        mended_by: "Ada's next message was asked for again, and came in a new session",
    },
    Case {
        name: "Ben has lost what he knew of Ada",
        break_it: |pair| {
            pair.ben.store.retain(|key, _| key.kind() != RecordKind::Peer);
            Ok(())
        },
        expects: |found| {
            matches!(found, [Finding::Unknown(Side::Second, _), Finding::NoSession(Side::Second)])
        },
        mend: |pair| {
            let bundle = pair.ada.fetch()?;
            pair.ben.run(&Start { bundle: &bundle })?;
            pair.talk()
        },
        mended_by: "Ben started a session",
    },
    Case {
        name: "Ben came back from a backup",
        break_it: |pair| {
            let backup = pair.ben.store.clone();
            pair.talk()?;
            pair.ben.restore(backup)
        },
        expects: |found| found.contains(&Finding::Stale(Side::Second)),
        mend: Pair::talk,
        mended_by: "Ada's message was asked for again, and came in a new session",
    },
    Case {
        name: "Both start at once",
        break_it: |pair| {
            let (for_ada, for_ben) = (pair.ben.fetch()?, pair.ada.fetch()?);
            pair.ada.run(&Start { bundle: &for_ada })?;
            pair.ben.run(&Start { bundle: &for_ben })?;
            Ok(())
        },
        expects: |found| {
            matches!(found, [Finding::Unknown(Side::Second, _), Finding::Unknown(Side::First, _)])
        },
        mend: |pair| {
            let (one, two) = (send(&mut pair.ada, &mut pair.ben)?, send(&mut pair.ben, &mut pair.ada)?);
            open(&mut pair.ben, &mut pair.ada, &one)?;
            open(&mut pair.ada, &mut pair.ben, &two)?;
            pair.talk()
        },
        mended_by: "their first messages crossed, and both took the same session",
    },
    Case {
        name: "Ben is someone else",
        break_it: |pair| {
            pair.ben = Device::register(b"account of ben 1")?;
            Ok(())
        },
        expects: |found| found.contains(&Finding::KeysDiffer(Side::First)),
        mend: |pair| {
            let bundle = pair.ben.fetch()?;
            let decision = Decision::Accept(*bundle.identity_key());
            pair.ada.run(&DecideIdentity { peer: pair.ben.address, decision })?;
            pair.talk()
        },
        mended_by: "Ada's user looked at both keys and accepted the new one",
    },
    Case {
        name: "Ben has no one-time prekey left",
        break_it: |pair| {
            pair.ben
                .store
                .retain(|key, _| !matches!(key.kind(), RecordKind::OneTimePrekey | RecordKind::Prekeys));
            Ok(())
        },
        expects: |found| found == [Finding::NoOneTimePrekeys(Side::Second)],
        mend: |pair| pair.ben.publish(20),
        mended_by: "Ben made more and published them",
    },
];
