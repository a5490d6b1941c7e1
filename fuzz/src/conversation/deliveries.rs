//! Deliveries other than one by one and as sent: altered, to another, many at once, and with a crash.

use outrigger::{Batch, Context, Limits, Receive};

use super::{
    super::world::{Choices, ROUNDS, Refusal},
    World,
};

impl World {
    /// A forger's delivery: bits turned, cut off, made longer, or the head of one message with the body of another.
    pub(super) fn deliver_altered(&mut self, choices: &mut Choices<'_>) {
        if self.messages.is_empty() {
            return;
        }
        let sent = &self.messages[choices.below(self.messages.len())];
        let other = &self.messages[choices.below(self.messages.len())];
        let place = usize::from(choices.u16()) % sent.envelope.len();
        let mut envelope = sent.envelope.clone();
        match choices.byte() {
            choice @ 0..=127 => envelope[place] ^= 1 << (choice % 8),
            128..=159 => envelope.truncate(place),
            160..=191 => envelope.push(choices.byte()),
            192..=223 => envelope.insert(place, choices.byte()),
            _ => {
                let body = other.envelope.get(place..).unwrap_or_default();
                envelope = [&sent.envelope[..place], body].concat();
            }
        }
        if self.messages.iter().any(|sent| sent.envelope == envelope) {
            return;
        }
        let receive = Receive {
            from: self.devices[sent.from].address,
            envelope: &envelope,
            associated_data: &sent.bound,
        };
        let context = &mut Context::new(self.now, self.devices[sent.to].generation, &mut self.toy);
        let error = self.devices[sent.to].held.store.step(&receive, context).expect_err("altered and opened");
        error.show();
    }

    /// A real envelope at another device, under another sender's name, or with other associated data.
    pub(super) fn deliver_misdirected(&mut self, at: usize, choices: &mut Choices<'_>) {
        if self.messages.is_empty() {
            return;
        }
        let sent = &self.messages[choices.below(self.messages.len())];
        let kind = choices.byte();
        let (mut to, mut from, mut bound) = (sent.to, sent.from, sent.bound.clone());
        match kind % 3 {
            0 => to = at,
            1 => from = at,
            _ => bound.push(kind),
        }
        if (to, from, &bound) == (sent.to, sent.from, &sent.bound) {
            return;
        }
        let from = self.devices[from].address;
        let receive = Receive { from, envelope: &sent.envelope, associated_data: &bound };
        let context = &mut Context::new(self.now, self.devices[to].generation, &mut self.toy);
        let error = self.devices[to].held.store.step(&receive, context).expect_err("misdirected and opened");
        error.show();
    }

    /// Several messages in one commit, against the same one by one.
    pub(super) fn deliver_batch(&mut self, at: usize, choices: &mut Choices<'_>) {
        let to_me = |place: &usize| self.messages[*place].to == at;
        let all = (0..self.messages.len()).filter(to_me).collect::<Vec<_>>();
        if all.is_empty() {
            return;
        }
        let count = 1 + choices.below(4);
        let chosen = (0..count).map(|_| all[choices.below(all.len())]).collect::<Vec<_>>();
        let generation = self.devices[at].generation;
        let mut one_by_one = self.devices[at].held.store.clone();
        let mut apart = Vec::new();
        for message in &chosen {
            let sent = &self.messages[*message];
            let receive = Receive {
                from: self.devices[sent.from].address,
                envelope: &sent.envelope,
                associated_data: &sent.bound,
            };
            apart.push(one_by_one.run(&receive, &mut Context::new(self.now, generation, &mut self.toy)));
        }
        let operations = chosen
            .iter()
            .map(|message| &self.messages[*message])
            .map(|sent| Receive {
                from: self.devices[sent.from].address,
                envelope: &sent.envelope,
                associated_data: &sent.bound,
            })
            .collect::<Vec<_>>();
        let store = &mut self.devices[at].held.store;
        let together = {
            let context = &mut Context::new(self.now, generation, &mut self.toy);
            let Ok(step) = store.step_in(ROUNDS * count, &Batch(&operations), context);
            store.commit(step)
        };
        assert!(store.contents().eq(one_by_one.contents()), "a batch stores something else");
        for ((message, apart), together) in chosen.into_iter().zip(apart).zip(together) {
            let newest = self.newest_of(message);
            *newest = (*newest).max(Some(message));
            match (apart, together) {
                (Ok(apart), Ok(together)) => {
                    assert_eq!(apart.content.text(), together.content.text());
                    assert_eq!((apart.arrival, apart.strength), (together.arrival, together.strength));
                    self.opened(message, &together);
                }
                (Err(apart), Err(together)) => assert_eq!(apart, together),
                (apart, together) => panic!("one by one {apart:?}, in a batch {together:?}"),
            }
        }
    }

    /// A step that was computed and not stored has not happened: the same message opens in the same way again.
    pub(super) fn deliver_and_crash(&mut self, choices: &mut Choices<'_>) {
        let Some(message) = self.pick(choices) else { return };
        let first = self.open(message, Limits::DEFAULT).map(|step| step.split().1.release_after_store());
        let second = self.open(message, Limits::DEFAULT).map(|step| step.split().1.release_after_store());
        match (first, second) {
            (Ok(first), Ok(second)) => {
                assert_eq!(first.content.text(), second.content.text());
                assert_eq!((first.message_id, first.arrival), (second.message_id, second.arrival));
            }
            (Err(first), Err(second)) => assert_eq!(first, second),
            (first, second) => panic!("{first:?}, then {second:?}"),
        }
    }
}
