//! The server: it keeps what devices publish, hands it out, and can do that badly.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    subject::{Fetched, Upload},
    world::Broken,
};

/// What the server has of all addresses.
#[derive(Clone, Default)]
pub(crate) struct Server(BTreeMap<String, Stock>);

#[derive(Clone)]
struct Stock {
    first: Upload,
    last: Upload,
    bundle: Vec<u8>,
    last_resort: Vec<u8>,
    one_time: VecDeque<Vec<u8>>,
    handed_out: Option<Vec<u8>>,
}

/// What a server can do with keys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Misdeed {
    /// It has no one-time prekeys, or says so.
    RunsOut,
    /// It hands out the last one-time prekey again.
    Repeats,
    /// It hands out the first upload again, with all its one-time prekeys.
    GoesBack,
}

impl Misdeed {
    pub(crate) fn named(name: &str) -> Result<Self, Broken> {
        match name {
            "runs_out_of_one_time_prekeys" => Ok(Self::RunsOut),
            "hands_out_the_last_one_time_prekey_again" => Ok(Self::Repeats),
            "hands_out_the_first_upload_again" => Ok(Self::GoesBack),
            other => Err(format!("a server does not {other}")),
        }
    }
}

impl Server {
    /// Takes an upload, unless it has one of that number or a later one.
    pub(crate) fn take(&mut self, address: String, upload: Upload) -> bool {
        if self.last(&address).is_some_and(|last| last.number >= upload.number) {
            return false;
        }
        let stock = self.0.entry(address).or_insert_with(|| Stock {
            first: upload.clone(),
            last: upload.clone(),
            bundle: Vec::new(),
            last_resort: Vec::new(),
            one_time: VecDeque::new(),
            handed_out: None,
        });
        if upload.replaces {
            stock.one_time.clear();
        }
        stock.last = upload.clone();
        stock.bundle = upload.bundle;
        stock.last_resort = upload.last_resort;
        stock.one_time.extend(upload.one_time);
        true
    }

    /// The last upload of an address.
    pub(crate) fn last(&self, address: &str) -> Option<&Upload> {
        self.0.get(address).map(|stock| &stock.last)
    }

    pub(crate) fn forget(&mut self, address: &str) {
        self.0.remove(address);
    }

    /// The bundle, and a one-time prekey while there is one.
    pub(crate) fn hand_out(&mut self, address: &str) -> Result<Fetched, Broken> {
        let stock = self.stock(address)?;
        let one_time = stock.one_time.pop_front();
        stock.handed_out.clone_from(&one_time);
        let (bundle, last_resort) = (stock.bundle.clone(), stock.last_resort.clone());
        Ok(Fetched { bundle, one_time, last_resort })
    }

    pub(crate) fn misbehave(&mut self, address: &str, does: Misdeed) -> Result<(), Broken> {
        let stock = self.stock(address)?;
        match does {
            Misdeed::RunsOut => stock.one_time.clear(),
            Misdeed::Repeats => {
                if let Some(handed_out) = stock.handed_out.clone() {
                    stock.one_time.push_front(handed_out);
                }
            }
            Misdeed::GoesBack => {
                stock.bundle.clone_from(&stock.first.bundle);
                stock.last_resort.clone_from(&stock.first.last_resort);
                stock.one_time = stock.first.one_time.clone().into();
            }
        }
        Ok(())
    }

    fn stock(&mut self, address: &str) -> Result<&mut Stock, Broken> {
        self.0.get_mut(address).ok_or(format!("{address} published nothing"))
    }
}
