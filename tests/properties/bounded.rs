//! How far a chain is followed, and how many keys are kept for what was skipped: every bound met exactly and passed by one.

use outrigger::{Limits, OpenError, RecordKind};

use crate::world::{
    DAY, Device, NOON, exchange, friends, headers_in_clear, strangers,
    wire::{Fields, envelope},
};

/// Sends so many messages, each saying its place.
fn burst(from: &mut Device, to: &Device, messages: u16) -> Vec<Vec<u8>> {
    (0..messages).map(|place| from.send(to.address, place.to_be_bytes())).collect()
}

fn opens_place(to: &mut Device, from: &Device, messages: &[Vec<u8>], place: usize) {
    to.opens(from.address, &messages[place], u16::try_from(place).unwrap().to_be_bytes());
}

const TOO_FAR: OpenError = OpenError::TooFarAhead { gap: 1_001, limit: 1_000 };

#[test]
fn l9_a_chain_is_followed_over_a_gap_of_1000_and_not_of_1001() {
    let (mut ada, mut ben, _) = friends();
    exchange(&mut ada, &mut ben);
    let messages = burst(&mut ada, &ben, 1_002);
    assert_eq!(ben.refuses(ada.address, &messages[1_001]), TOO_FAR);
    opens_place(&mut ben, &ada, &messages, 1_000);
    opens_place(&mut ben, &ada, &messages, 1_001);
    // All 1,000 that were skipped open, in whatever order.
    for place in (0..1_000).rev() {
        opens_place(&mut ben, &ada, &messages, place);
    }
    assert_eq!(ben.store.count(RecordKind::SkippedKeys), 0, "nothing is left of them");
}

#[test]
fn l9_a_new_chain_is_followed_over_a_gap_of_1000_and_not_of_1001() {
    let (mut ada, mut ben, _) = friends();
    let messages = burst(&mut ada, &ben, 1_002);
    assert_eq!(ben.refuses(ada.address, &messages[1_001]), TOO_FAR);
    opens_place(&mut ben, &ada, &messages, 1_000);
    opens_place(&mut ben, &ada, &messages, 0);
}

#[test]
fn l9_the_rest_of_an_old_chain_is_followed_over_1000_and_not_over_1001() {
    for (lost, followed) in [(1_000, true), (1_001, false)] {
        let (mut ada, mut ben, _) = friends();
        exchange(&mut ada, &mut ben);
        let messages = burst(&mut ada, &ben, lost);
        exchange(&mut ben, &mut ada);
        let turn = ada.send(ben.address, b"turn");
        if followed {
            ben.opens(ada.address, &turn, b"turn");
            opens_place(&mut ben, &ada, &messages, 999);
            opens_place(&mut ben, &ada, &messages, 0);
        } else {
            assert_eq!(ben.refuses(ada.address, &turn), TOO_FAR);
            // The messages in between close the gap.
            opens_place(&mut ben, &ada, &messages, 0);
            ben.opens(ada.address, &turn, b"turn");
        }
    }
}

#[test]
fn l9_a_first_message_is_followed_over_1000_and_spends_nothing_over_1001() {
    let (mut ada, mut ben, mut server) = strangers();
    ada.start(ben.address, &mut server).unwrap();
    let messages = burst(&mut ada, &ben, 1_002);
    assert_eq!(ben.refuses(ada.address, &messages[1_001]), TOO_FAR);
    assert_eq!(ben.store.count(RecordKind::OneTimePrekey), 10);
    opens_place(&mut ben, &ada, &messages, 1_000);
    assert_eq!(ben.store.count(RecordKind::OneTimePrekey), 9);
    opens_place(&mut ben, &ada, &messages, 0);
}

/// Two gaps of 1,000 in one message, and then more: the newest 1,000 keys stay, and no new message is refused for want of room.
#[test]
fn l9_a_thousand_skipped_keys_are_kept_and_the_oldest_go_first() {
    let (mut ada, mut ben, _) = friends();
    exchange(&mut ada, &mut ben);
    let old = burst(&mut ada, &ben, 1_000);
    exchange(&mut ben, &mut ada);
    let new = burst(&mut ada, &ben, 1_001);
    opens_place(&mut ben, &ada, &new, 1_000);
    let (_, record) = ben.store.of(RecordKind::SkippedKeys).next().unwrap();
    assert!((52_000..52_100).contains(&record.len()), "{} bytes", record.len());
    assert_eq!(ben.refuses(ada.address, &old[0]), OpenError::KeyGone);
    assert_eq!(ben.refuses(ada.address, &old[999]), OpenError::KeyGone);
    assert_eq!(ben.refuses(ada.address, &new[1_000]), OpenError::Duplicate, "opened, and not only gone");
    opens_place(&mut ben, &ada, &new, 0);
    assert_eq!(ben.refuses(ada.address, &new[0]), OpenError::Duplicate);
    let more = burst(&mut ada, &ben, 11);
    opens_place(&mut ben, &ada, &more, 10);
    // 999 and 10 are 9 too many: 1 to 9 are gone, 10 is the oldest.
    assert_eq!(ben.refuses(ada.address, &new[9]), OpenError::KeyGone);
    for place in [10, 500, 999] {
        opens_place(&mut ben, &ada, &new, place);
    }
    opens_place(&mut ben, &ada, &more, 0);
}

#[test]
fn a_skipped_key_opens_for_30_days_and_no_longer() {
    let (mut ada, mut ben, _) = friends();
    let messages = burst(&mut ada, &ben, 3);
    opens_place(&mut ben, &ada, &messages, 2);
    ben.wait(30 * DAY);
    opens_place(&mut ben, &ada, &messages, 1);
    ben.wait(1);
    assert_eq!(ben.refuses(ada.address, &messages[0]), OpenError::KeyGone);
    assert_eq!(ben.refuses(ada.address, &messages[1]), OpenError::Duplicate);
    // When one is next added it is wiped, and then no clock brings it back.
    let held = |ben: &Device| ben.store.of(RecordKind::SkippedKeys).next().map(|(_, bytes)| bytes.len());
    let one = held(&ben).unwrap();
    let messages_later = burst(&mut ada, &ben, 2);
    opens_place(&mut ben, &ada, &messages_later, 1);
    assert_eq!(held(&ben), Some(one), "the old one has gone, the new one has come");
    ben.now = NOON;
    assert_eq!(ben.refuses(ada.address, &messages[0]), OpenError::KeyGone);
}

#[test]
fn keys_are_kept_for_the_current_chain_and_the_four_before_it() {
    let (mut ada, mut ben, _) = friends();
    let mut late = Vec::new();
    for _ in 0..7 {
        late.push(ada.send(ben.address, b"late"));
        exchange(&mut ada, &mut ben);
        exchange(&mut ben, &mut ada);
    }
    for (age, message) in late.iter().rev().enumerate() {
        match age {
            0..=4 => drop(ben.opens(ada.address, message, b"late")),
            _ => assert_eq!(ben.refuses(ada.address, message), OpenError::OutOfStep, "{age} chains ago"),
        }
    }
    // What was opened stays known, whether its chain is or not.
    for message in &late[2..] {
        assert_eq!(ben.refuses(ada.address, message), OpenError::Duplicate);
    }
}

/// Headers are not authenticated before their bound is checked: none of these costs a derivation, changes a record, or panics.
#[test]
fn l9_hostile_counters_are_refused_whatever_they_say() {
    headers_in_clear();
    let (mut ada, mut ben, _) = friends();
    let turn = ada.send(ben.address, b"turn");
    exchange(&mut ada, &mut ben);
    let message = ada.send(ben.address, b"text");
    let last = u64::from(u32::MAX) - 1;
    for of in [&turn, &message] {
        for counter in [0, 1, 2, 3, 999, 1_000, 1_001, 1_002, 1_003, last - 1, last] {
            for previous in [0, 1, 1_000, 1_001, 1_002, last - 1, last] {
                let altered = Fields::envelope(of)
                    .with_number(envelope::COUNTER, counter)
                    .with_number(envelope::PREVIOUS_COUNTER, previous)
                    .encode();
                if altered != *of {
                    assert!(ben.receive(ada.address, &altered).is_err(), "{counter}, {previous}");
                }
            }
        }
    }
    let altered = Fields::envelope(&message).with_number(envelope::COUNTER, last).encode();
    let gap = u32::MAX - 1 - 2;
    assert_eq!(ben.refuses(ada.address, &altered), OpenError::TooFarAhead { gap, limit: 1_000 });
    ben.opens(ada.address, &turn, b"turn");
    ben.opens(ada.address, &message, b"text");
}

#[test]
fn limits_can_be_lowered_and_not_raised() {
    let raised = Limits::DEFAULT
        .max_forward(u32::MAX)
        .max_skipped(u16::MAX)
        .skipped_max_age(u64::MAX)
        .max_archived(u8::MAX)
        .archived_max_age(u64::MAX)
        .max_weak_starts(u8::MAX)
        .retry_copies(u8::MAX)
        .retry_max_age(u64::MAX)
        .max_asked_per_peer(u16::MAX)
        .max_asked(u16::MAX);
    assert_eq!(raised, Limits::DEFAULT);
    assert_eq!(Limits::DEFAULT.max_archived(0), Limits::DEFAULT.max_archived(1));
    assert_eq!(Limits::DEFAULT.retry_copies(0), Limits::DEFAULT.retry_copies(1));

    let (mut ada, mut ben, _) = friends();
    let messages = burst(&mut ada, &ben, 12);
    ben.limits = Limits::DEFAULT.max_forward(5).max_skipped(3).skipped_max_age(10);
    assert_eq!(
        ben.refuses(ada.address, &messages[6]),
        OpenError::TooFarAhead { gap: 6, limit: 5 },
        "a chain from its beginning"
    );
    opens_place(&mut ben, &ada, &messages, 5);
    assert_eq!(ben.refuses(ada.address, &messages[1]), OpenError::KeyGone, "3 of 5 were kept");
    opens_place(&mut ben, &ada, &messages, 2);
    ben.wait(10);
    opens_place(&mut ben, &ada, &messages, 3);
    ben.wait(1);
    assert_eq!(ben.refuses(ada.address, &messages[4]), OpenError::KeyGone);
    ben.limits = Limits::DEFAULT.max_forward(0).max_skipped(0);
    opens_place(&mut ben, &ada, &messages, 6);
    assert_eq!(ben.refuses(ada.address, &messages[8]), OpenError::TooFarAhead { gap: 1, limit: 0 });
    ben.limits = Limits::DEFAULT.max_skipped(0);
    opens_place(&mut ben, &ada, &messages, 8);
    assert_eq!(ben.refuses(ada.address, &messages[7]), OpenError::KeyGone);
    for opened in [2, 3, 5, 6, 8] {
        assert_eq!(ben.refuses(ada.address, &messages[opened]), OpenError::Duplicate);
    }
    assert_eq!(ben.store.count(RecordKind::SkippedKeys), 0);
}
