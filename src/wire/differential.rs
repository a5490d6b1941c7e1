//! The hand-written envelope codec against prost: the same bytes for the same values, and nothing accepted that prost would write otherwise.

extern crate std;

use std::vec::Vec;

use proptest::prelude::*;
use prost::Message;

use super::{Envelope, Header, Incoming, RatchetHeader, Suite, write_front};
use crate::primitives::PublicKey;

#[derive(Clone, PartialEq, Message)]
struct ProstEnvelope {
    #[prost(fixed64, optional, tag = "1")]
    session_id: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "2")]
    handshake: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "3")]
    ratchet_key: Vec<u8>,
    #[prost(uint32, tag = "4")]
    previous_counter: u32,
    #[prost(uint32, tag = "5")]
    counter: u32,
    #[prost(bytes = "vec", optional, tag = "6")]
    pq: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "7")]
    ciphertext: Vec<u8>,
}

impl ProstEnvelope {
    fn allowed(&self) -> bool {
        let key: Option<&[u8; 32]> = self.ratchet_key.as_slice().try_into().ok();
        self.session_id.is_some()
            && key.is_some_and(|key| PublicKey::parse(key).is_ok())
            && self.previous_counter != u32::MAX
            && self.counter != u32::MAX
            && self.pq.is_none()
            && self.ciphertext.len() >= 28
    }
}

fn envelope() -> impl Strategy<Value = ProstEnvelope> {
    let counter = prop_oneof![Just(0), 1..200_u32, any::<u32>(), Just(u32::MAX), Just(u32::MAX - 1)];
    let bytes = |max| prop::collection::vec(any::<u8>(), 0..max);
    (
        prop::option::weighted(0.95, any::<u64>()),
        prop::option::of(bytes(300)),
        prop_oneof![20 => prop::collection::vec(any::<u8>(), 32), 1 => bytes(40)],
        (counter.clone(), counter),
        prop::option::weighted(0.05, bytes(20)),
        prop_oneof![20 => prop::collection::vec(any::<u8>(), 28..300), 1 => bytes(40)],
    )
        .prop_map(
            |(session_id, handshake, mut ratchet_key, (previous_counter, counter), pq, ciphertext)| {
                if let Some(last) = ratchet_key.get_mut(31) {
                    *last &= 0x7f;
                }
                ProstEnvelope {
                    session_id,
                    handshake,
                    ratchet_key,
                    previous_counter,
                    counter,
                    pq,
                    ciphertext,
                }
            },
        )
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&[1, 1], body].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_codec_writes_and_reads_what_prost_does(message in envelope()) {
        let bytes = framed(&message.encode_to_vec());
        let parsed = Incoming::parse(&bytes);
        prop_assert_eq!(parsed.is_ok(), message.allowed());
        let Ok(Incoming::Clear(parsed)) = parsed else { return Ok(()) };
        prop_assert_eq!(parsed.session_id.0, message.session_id.unwrap().to_le_bytes());
        let Envelope { handshake, .. } = &parsed;
        prop_assert_eq!(handshake.as_deref(), message.handshake.as_deref());
        prop_assert_eq!(parsed.message.ciphertext, &message.ciphertext);
        prop_assert_eq!([parsed.message.head, parsed.message.ciphertext].concat(), &bytes[..]);
        let RatchetHeader::Clear(header) = parsed.message.header else { panic!("a header in clear") };
        let Header { ratchet_key, previous_counter, counter } = header;
        prop_assert_eq!(&ratchet_key.as_bytes()[..], &message.ratchet_key[..]);
        prop_assert_eq!((previous_counter, counter), (message.previous_counter, message.counter));

        let mut out = write_front(Suite::Classic, parsed.session_id, handshake.as_deref(), 400);
        let capacity = out.capacity();
        header.write_head(message.ciphertext.len(), &mut out);
        out.extend_from_slice(&message.ciphertext);
        prop_assert_eq!(&out, &bytes);
        prop_assert_eq!(out.capacity(), capacity, "the buffer did not grow");
    }

    #[test]
    fn the_codec_accepts_no_second_encoding(
        message in envelope(),
        at in any::<prop::sample::Index>(),
        change in prop_oneof![any::<u8>().prop_map(Some), Just(None)],
    ) {
        let mut body = message.encode_to_vec();
        let at = at.index(body.len() + 1);
        match (change, body.get_mut(at)) {
            (Some(byte), Some(place)) => *place ^= byte,
            (Some(byte), None) => body.push(byte),
            (None, Some(_)) => { body.remove(at); }
            (None, None) => body.truncate(at / 2),
        }
        let by_prost = ProstEnvelope::decode(&body[..]);
        let expected = by_prost.is_ok_and(|message| message.encode_to_vec() == body && message.allowed());
        prop_assert_eq!(Incoming::parse(&framed(&body)).is_ok(), expected);
    }
}
