//! What carries the bytes: bundles, and envelopes and frames until they are fetched. It can read none of what is in them.

use std::collections::{BTreeMap, VecDeque};

use outrigger::{Address, OneTimePrekeyField, PrekeyUpload, SentToAccount};

/// What passes, as far as the server can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    Bundle,
    Grant,
    Envelope,
    Frame,
}

/// Bytes on their way.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) from: Address,
    pub(crate) bytes: Vec<u8>,
}

/// The server, and all that passed through it.
#[derive(Debug, Default)]
pub(crate) struct Server {
    keys: BTreeMap<Address, (Vec<u8>, VecDeque<OneTimePrekeyField>)>,
    boxes: BTreeMap<Address, VecDeque<Mail>>,
    seen: Vec<(Sort, Vec<u8>)>,
}

impl Server {
    pub(crate) fn publish(&mut self, address: Address, upload: &PrekeyUpload) {
        let (bundle, one_time) = self.keys.entry(address).or_default();
        bundle.clone_from(&upload.bundle);
        if upload.replaces {
            one_time.clear();
        }
        one_time.extend(&upload.one_time_prekeys);
        self.see(Sort::Bundle, &upload.bundle);
    }

    /// A bundle with a one-time prekey while there is one.
    pub(crate) fn bundle(&mut self, address: &Address) -> Option<Vec<u8>> {
        let (bundle, one_time) = self.keys.get_mut(address)?;
        Some(bundle.iter().copied().chain(one_time.pop_front().into_iter().flatten()).collect())
    }

    pub(crate) fn post(&mut self, from: Address, to: Address, bytes: Vec<u8>) {
        let sort = if from.account == to.account { Sort::Frame } else { Sort::Envelope };
        self.see(sort, &bytes);
        self.boxes.entry(to).or_default().push_back(Mail { from, bytes });
    }

    pub(crate) fn post_all(&mut self, from: Address, sent: &SentToAccount) {
        for (to, copy) in &sent.copies {
            self.post(from, *to, copy.envelope.clone());
        }
    }

    pub(crate) fn fetch(&mut self, address: &Address) -> Vec<Mail> {
        self.boxes.remove(address).unwrap_or_default().into()
    }

    /// Notes what passed.
    pub(crate) fn see(&mut self, sort: Sort, bytes: &[u8]) {
        self.seen.push((sort, bytes.to_vec()));
    }

    /// What waits for an address, by who sent it.
    pub(crate) fn waiting(&self, from: &Address, to: &Address) -> usize {
        self.boxes.get(to).map_or(0, |waits| waits.iter().filter(|mail| mail.from == *from).count())
    }

    /// The sizes of what passed, by sort.
    pub(crate) fn sizes(&self) -> BTreeMap<Sort, Vec<usize>> {
        let mut sizes = BTreeMap::<_, Vec<_>>::new();
        for (sort, bytes) in &self.seen {
            sizes.entry(*sort).or_default().push(bytes.len());
        }
        sizes
    }

    /// Whether a text passed through it in the clear.
    pub(crate) fn saw(&self, text: &[u8]) -> bool {
        self.seen.iter().any(|(_, bytes)| bytes.windows(text.len()).any(|window| window == text))
    }
}
