//! What a messenger's server keeps: bundles, certificates, lists, and envelopes until they are fetched. It can read none of what is in them.

use std::collections::{BTreeMap, VecDeque};

use outrigger::{AccountId, Address, DeviceList, OneTimePrekeyField, PrekeyUpload, SentToAccount};

/// An envelope on its way.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) from: Address,
    pub(crate) envelope: Vec<u8>,
}

#[derive(Debug, Default)]
struct Keys {
    bundle: Vec<u8>,
    one_time: VecDeque<OneTimePrekeyField>,
    certificate: Vec<u8>,
}

/// The server, and all that passed through it.
#[derive(Debug, Default)]
pub(crate) struct Server {
    keys: BTreeMap<Address, Keys>,
    lists: BTreeMap<AccountId, Vec<u8>>,
    boxes: BTreeMap<Address, VecDeque<Mail>>,
    /// Every byte string that it ever saw.
    pub(crate) seen: Vec<Vec<u8>>,
}

impl Server {
    pub(crate) fn publish(&mut self, address: Address, upload: &PrekeyUpload, certificate: &[u8]) {
        let keys = self.keys.entry(address).or_default();
        keys.bundle.clone_from(&upload.bundle);
        keys.one_time.extend(&upload.one_time_prekeys);
        keys.certificate = certificate.to_vec();
        self.seen.extend([upload.bundle.clone(), certificate.to_vec()]);
    }

    /// A bundle with a one-time prekey, and the certificate.
    pub(crate) fn bundle(&mut self, address: &Address) -> Option<(Vec<u8>, Vec<u8>)> {
        let keys = self.keys.get_mut(address)?;
        let bundle = keys.bundle.iter().copied().chain(keys.one_time.pop_front().into_iter().flatten());
        Some((bundle.collect(), keys.certificate.clone()))
    }

    pub(crate) fn take_list(&mut self, list: &DeviceList) {
        self.lists.insert(*list.account(), list.as_bytes().to_vec());
        self.seen.push(list.as_bytes().to_vec());
    }

    pub(crate) fn list(&self, account: &AccountId) -> Option<&[u8]> {
        self.lists.get(account).map(Vec::as_slice)
    }

    pub(crate) fn post(&mut self, from: Address, to: Address, envelope: Vec<u8>) {
        self.seen.push(envelope.clone());
        self.boxes.entry(to).or_default().push_back(Mail { from, envelope });
    }

    pub(crate) fn post_all(&mut self, from: Address, sent: &SentToAccount) {
        for (to, copy) in &sent.copies {
            self.post(from, *to, copy.envelope.clone());
        }
    }

    pub(crate) fn fetch(&mut self, address: &Address) -> Vec<Mail> {
        self.boxes.remove(address).unwrap_or_default().into()
    }

    pub(crate) fn waiting(&self, address: &Address) -> usize {
        self.boxes.get(address).map_or(0, VecDeque::len)
    }

    /// Whether a text passed through it in the clear.
    pub(crate) fn saw(&self, text: &[u8]) -> bool {
        self.seen.iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text))
    }
}
