//! The chains as bytes: a fixed layout, part of a session's record.

use super::{
    chain::{ChainKey, RootKey},
    chains::{ChainTag, Chains, Earlier, Receiving, Sending},
    headers::HeaderKeys,
};
use crate::step::{RecordReader, RecordWriter};

/// The bit of the sending half's kind that says that header keys come at the end.
const HIDDEN: u8 = 1 << 7;

impl Chains {
    /// Upper bound of the encoding in bytes.
    pub(crate) fn max_len(&self) -> usize {
        const PLAIN: usize =
            32 + (1 + 64 + 32 + 4) + 4 + (1 + 32 + 32 + 4) + (1 + Earlier::MAX * ChainTag::LEN);
        self.headers.as_ref().map_or(PLAIN, |_| PLAIN + HeaderKeys::MAX_LEN)
    }

    pub(crate) fn encode(&self, body: &mut RecordWriter) {
        body.bytes(self.root.expose_bytes());
        let hidden = if self.headers.is_some() { HIDDEN } else { 0 };
        match &self.sending {
            Sending::Waiting(pair) => body.u8(hidden).key_pair(pair),
            Sending::Due => body.u8(hidden | 1),
            Sending::Chain { pair, chain, next } => {
                body.u8(hidden | 2).key_pair(pair).bytes(chain.expose_bytes()).u32(*next)
            }
        };
        body.u32(self.previous_counter);
        match &self.receiving {
            Receiving::Nothing => body.u8(0),
            Receiving::KeyOnly(peer) => body.u8(1).bytes(peer.as_bytes()),
            Receiving::Chain { peer, chain, next } => {
                body.u8(2).bytes(peer.as_bytes()).bytes(chain.expose_bytes()).u32(*next)
            }
        };
        let earlier = self.earlier.tags();
        body.u8(u8::try_from(earlier.len()).unwrap_or(u8::MAX));
        earlier.iter().for_each(|tag| {
            body.bytes(&tag.0);
        });
        if let Some(headers) = &self.headers {
            headers.encode(body);
        }
    }

    pub(crate) fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let chain = |body: &mut RecordReader<'_>| Some(ChainKey::take_from(&mut body.array()?));
        let root = RootKey::take_from(&mut body.array()?);
        let first = body.u8()?;
        let sending = match first & !HIDDEN {
            0 => Sending::Waiting(body.key_pair()?),
            1 => Sending::Due,
            2 => Sending::Chain { pair: body.key_pair()?, chain: chain(body)?, next: body.u32()? },
            _ => return None,
        };
        let previous_counter = body.u32()?;
        let receiving = match body.u8()? {
            0 => Receiving::Nothing,
            1 => Receiving::KeyOnly(body.public_key()?),
            2 => Receiving::Chain { peer: body.public_key()?, chain: chain(body)?, next: body.u32()? },
            _ => return None,
        };
        let earlier = Earlier::decode(body)?;
        let headers = if first & HIDDEN == 0 { None } else { Some(HeaderKeys::decode(body)?) };
        Some(Self { root, sending, previous_counter, receiving, earlier, headers })
    }
}
