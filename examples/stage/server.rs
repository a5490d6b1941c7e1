//! What a messenger's server keeps: bundles, certificates, lists, and envelopes until they are fetched. It can read none of what is in them.

use std::collections::{BTreeMap, VecDeque};

use outrigger::{AccountId, Address, DeviceList, OneTimePrekeyFields, PrekeyUpload, SentToAccount};

/// What passes, as far as the server can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    Bundle,
    Certificate,
    List,
    Linking,
    Envelope,
    AmongOwn,
}

/// Bytes on their way.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) from: Address,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Keys {
    bundle: Vec<u8>,
    last_resort: Vec<u8>,
    one_time: VecDeque<OneTimePrekeyFields>,
    certificate: Vec<u8>,
}

/// The server, and all that passed through it.
#[derive(Debug, Default)]
pub(crate) struct Server {
    keys: BTreeMap<Address, Keys>,
    lists: BTreeMap<AccountId, Vec<u8>>,
    boxes: BTreeMap<Address, VecDeque<Mail>>,
    seen: Vec<(Sort, Vec<u8>)>,
}

impl Server {
    /// Takes what a device has uploaded, and a companion's certificate.
    pub(crate) fn publish(&mut self, address: Address, upload: &PrekeyUpload, certificate: Option<&[u8]>) {
        let keys = self.keys.entry(address).or_default();
        keys.bundle.clone_from(&upload.bundle);
        keys.last_resort.clone_from(&upload.last_resort);
        if upload.replaces {
            keys.one_time.clear();
        }
        keys.one_time.extend(upload.one_time_prekeys.iter().cloned());
        self.seen.push((Sort::Bundle, upload.bundle.clone()));
        if let Some(certificate) = certificate {
            keys.certificate = certificate.to_vec();
            self.seen.push((Sort::Certificate, certificate.to_vec()));
        }
    }

    /// A bundle with a one-time prekey while there is one, then with the last resort; and the certificate.
    pub(crate) fn bundle(&mut self, address: &Address) -> Option<(Vec<u8>, Vec<u8>)> {
        let keys = self.keys.get_mut(address)?;
        let last = keys.one_time.pop_front().unwrap_or_else(|| keys.last_resort.clone());
        Some(([&keys.bundle[..], &last].concat(), keys.certificate.clone()))
    }

    pub(crate) fn take_list(&mut self, list: &DeviceList) {
        self.lists.insert(*list.account(), list.as_bytes().to_vec());
        self.see(Sort::List, list.as_bytes());
    }

    pub(crate) fn list(&self, account: &AccountId) -> Option<&[u8]> {
        self.lists.get(account).map(Vec::as_slice)
    }

    pub(crate) fn post(&mut self, from: Address, to: Address, bytes: Vec<u8>) {
        let sort = if from.account == to.account { Sort::AmongOwn } else { Sort::Envelope };
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

    /// How much of each sort passed, a line for each.
    pub(crate) fn sizes(&self) -> Vec<String> {
        let mut sizes = BTreeMap::<_, Vec<_>>::new();
        for (sort, bytes) in &self.seen {
            sizes.entry(*sort).or_default().push(bytes.len());
        }
        let line = |(sort, sizes): (Sort, Vec<usize>)| {
            let (least, most) = (sizes.iter().min().unwrap_or(&0), sizes.iter().max().unwrap_or(&0));
            let all: usize = sizes.iter().sum();
            format!("{sort:?}: {} of {least} to {most} B, {all} B in all", sizes.len())
        };
        sizes.into_iter().map(line).collect()
    }

    /// Whether a text passed through it in the clear.
    pub(crate) fn saw(&self, text: &[u8]) -> bool {
        self.seen.iter().any(|(_, bytes)| bytes.windows(text.len()).any(|window| window == text))
    }
}
