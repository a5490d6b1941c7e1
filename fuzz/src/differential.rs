//! The crate's hand-written envelope codec against prost, and its prost messages against others made from `docs/outrigger.proto` here.
//!
//! The codec itself is private, so its answers are read off operations: bytes that an operation does not call malformed are an envelope to the crate. That must
//! be so for exactly the bytes that prost decodes, that it encodes to the very same bytes again, and that are within the table of `docs/protocol.md`, section 5.

mod messages;

use outrigger::{
    BundleError, DecodeError, Field, KemPublicKey, LearnNumber, NumberError, OpenError, PublicKey, Receive,
    SafetyNumber, ScanError, SessionId, Suite, VerifiedBundle,
    handshake::Handshake,
    ratchet::{DecryptError, Ratchet},
    wire::{MAX_BUNDLE, MAX_ENVELOPE, MAX_HANDSHAKE, MAX_NUMBER_STATEMENT, MAX_PLAINTEXT},
};
use prost::Message;

use messages::{
    Bundle, Envelope, Half, HandshakeFields, NumberStatement, OuterEnvelope, ScannableSafetyNumber,
};

use super::{
    fixture::fixture,
    world::{BOUND, Choices, NOW, Toy, context},
};

/// `mode (1) ‖ bytes`: 0, bytes as they come; 1, a message built from the bytes field by field; 2, a real message whose fields the bytes move, repeat, drop or
/// spell otherwise. What comes out is read as each of the protocol's messages.
pub fn differential(data: &[u8]) {
    let mut choices = Choices(data);
    let bytes = match choices.byte() % 3 {
        0 => choices.0.to_vec(),
        1 => built(&mut choices),
        _ => edited(&mut choices),
    };
    as_envelope(&bytes);
    as_ratchet_message(&bytes);
    as_handshake(&bytes);
    as_others(&bytes);
    // Behind the version bytes of an envelope, so that what was found for one message is tried in the others.
    if let Some(body) = bytes.get(2..) {
        as_ratchet_message(body);
        as_handshake(body);
    }
}

/// What the crate itself sends: prost reads the same fields and writes the same bytes.
pub(crate) fn sent_is_as_documented(envelope: &[u8], session: SessionId, plaintext_len: usize) {
    let [1, suite, ..] = *envelope else { panic!("version and suite") };
    if suite == 0x80 {
        let without_note = 2 + 88 + 12 + 1 + plaintext_len + 16;
        let note = envelope.len() - without_note;
        assert!([0, 186, 1_293, 1_773].contains(&note), "{note} bytes before the header");
        return;
    }
    let suite = Suite::parse(suite).expect("a suite that the crate speaks");
    let body = &envelope[2..];
    let message = Envelope::decode(body).expect("prost decodes what the crate sends");
    assert_eq!(message.encode_to_vec(), body, "prost encodes it otherwise");
    assert_eq!(message.session_id, Some(u64::from_le_bytes(session.0)));
    assert_eq!(message.ratchet_key.len(), 32);
    assert_eq!(message.ciphertext.len(), 12 + 1 + plaintext_len + 16);
    assert_eq!(message.pq, None);
    if let Some(fields) = message.handshake {
        let bytes = fields.encode_to_vec();
        let handshake = Handshake::decode(&bytes, suite).expect("the crate decodes it");
        assert_eq!(handshake.encode(), bytes);
        assert_eq!(handshake.identity_key.encoded()[..], fields.identity_key);
        assert_eq!(handshake.ephemeral_key.encoded()[..], fields.ephemeral_key);
        assert_eq!(handshake.signed_prekey.as_bytes()[..], fields.signed_prekey_id);
        let one_time = handshake.one_time_prekey.map(|id| id.as_bytes().to_vec());
        assert_eq!(one_time, fields.one_time_prekey_id);
        let kem = handshake.kem.map(|part| [part.prekey.as_bytes(), &part.ciphertext[..]].concat());
        assert_eq!(kem, fields.pq);
        assert_eq!(handshake.started_at.0, fields.started_at);
    }
}

/// What prost makes of a message, if it encodes to the very same bytes.
fn canonical<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    M::decode(bytes).ok().filter(|message| message.encode_to_vec() == bytes)
}

fn as_envelope(bytes: &[u8]) {
    // No protobuf: its header is encrypted.
    if bytes.starts_with(&[1, 0x80]) {
        return;
    }
    let world = fixture();
    let outer = outer_envelope(bytes);
    let toy = &mut Toy(8);
    for (moment, has_sessions) in [(&world.settled, true), (&world.fresh, false)] {
        let receive = Receive { from: moment.from, envelope: bytes, associated_data: BOUND };
        let answer = moment.store.step(&receive, &mut context(toy)).map(|_| ());
        assert_eq!(answer == Err(OpenError::RetryRequest), bytes.starts_with(&[1, 0]));
        let refused = match answer {
            // What stands where a suite would says that it is none.
            Err(OpenError::RetryRequest) => continue,
            Err(OpenError::Decode(error)) => Some(error),
            Err(_) | Ok(()) => None,
        };
        let mut expected = outer.as_ref().map(|_| ()).map_err(|error| *error);
        let handshake = outer.as_ref().ok().and_then(|outer| outer.handshake.as_deref());
        let unsound = handshake.is_some_and(|handshake| !handshake_is_sound(handshake, bytes[1]));
        let session = outer.as_ref().ok().and_then(|outer| outer.session_id).map(u64::to_le_bytes);
        // A session that is on record, active or archived, does not look into the handshake.
        let of = |name: &str| {
            world.from_alice.iter().find(|known| known.name == name).and_then(|known| known.bytes.get(3..11))
        };
        let on_record = |id: [u8; 8]| [of("a0"), of("c0")].contains(&Some(&id[..]));
        if unsound && !(has_sessions && session.is_some_and(on_record)) {
            expected = Err(DecodeError::Malformed(Field::Handshake));
        }
        match (&expected, refused) {
            (Ok(()), None) => {}
            (Err(DecodeError::Malformed(_)), Some(DecodeError::Malformed(_) | DecodeError::TooLong)) => {}
            (Err(expected), Some(refused)) => assert_eq!(*expected, refused),
            (expected, refused) => panic!("prost says {expected:?}, the crate {refused:?}"),
        }
    }
}

/// The envelope by prost and the table of `docs/protocol.md`, section 5, without a look into the handshake.
fn outer_envelope(bytes: &[u8]) -> Result<OuterEnvelope, DecodeError> {
    let malformed = DecodeError::Malformed(Field::Frame);
    if bytes.len() > MAX_ENVELOPE {
        return Err(DecodeError::TooLong);
    }
    let ([version, suite], body) = bytes.split_first_chunk().ok_or(malformed)?;
    match (version, suite) {
        (1, suite) if Suite::parse(*suite).is_ok() => {}
        (1, suite) => return Err(DecodeError::Suite(*suite)),
        (version, _) => return Err(DecodeError::Version(*version)),
    }
    let outer: OuterEnvelope = canonical(body).ok_or(malformed)?;
    let sound = outer.session_id.is_some()
        && outer.handshake.as_ref().is_none_or(|handshake| handshake.len() <= MAX_HANDSHAKE)
        && ratchet_fields_are_sound(
            &outer.ratchet_key,
            [outer.previous_counter, outer.counter],
            &outer.ciphertext,
        )
        && outer.pq.is_none();
    if sound { Ok(outer) } else { Err(malformed) }
}

fn ratchet_fields_are_sound(key: &[u8], counters: [u32; 2], ciphertext: &[u8]) -> bool {
    <&[u8; 32]>::try_from(key).is_ok_and(|key| PublicKey::parse(key).is_ok())
        && !counters.contains(&u32::MAX)
        && (28..=MAX_PLAINTEXT + 28).contains(&ciphertext.len())
}

fn handshake_is_sound(bytes: &[u8], suite: u8) -> bool {
    bytes.len() <= MAX_HANDSHAKE
        && canonical::<HandshakeFields>(bytes).is_some_and(|fields| {
            PublicKey::parse_encoded(&fields.identity_key).is_ok()
                && PublicKey::parse_encoded(&fields.ephemeral_key).is_ok()
                && fields.signed_prekey_id.len() == 16
                && fields.one_time_prekey_id.is_none_or(|id| id.len() == 16)
                && fields.pq.map(|part| part.len())
                    == [None, Some(16 + 1_088), Some(16 + 1_568)][usize::from(suite) - 1]
                && fields.started_at != 0
        })
}

fn as_handshake(bytes: &[u8]) {
    for suite in (0..=4).filter_map(|byte| Suite::parse(byte).ok()) {
        assert_eq!(Handshake::decode(bytes, suite).is_ok(), handshake_is_sound(bytes, suite.to_byte()));
    }
}

/// A message of a ratchet alone: an envelope's fields 3 to 7.
fn as_ratchet_message(bytes: &[u8]) {
    let sound = bytes.len() <= MAX_ENVELOPE
        && canonical::<OuterEnvelope>(bytes).is_some_and(|message| {
            message.session_id.is_none()
                && message.handshake.is_none()
                && message.pq.is_none()
                && ratchet_fields_are_sound(
                    &message.ratchet_key,
                    [message.previous_counter, message.counter],
                    &message.ciphertext,
                )
        });
    let mut ratchet = Ratchet::restore(&fixture().ratchets[0]).expect("saved by the crate");
    let answer = ratchet.decrypt(bytes, BOUND, NOW, &outrigger::Limits::DEFAULT);
    assert_eq!(matches!(answer, Err(DecryptError::Decode(_))), !sound, "{answer:?}");
}

/// `Enc(KEM key) ‖ signature`, of a suite that the bundle names.
fn kem_is_sound(field: &[u8], suites: &[u8]) -> bool {
    let (key, _) = field.split_at(field.len().saturating_sub(64));
    KemPublicKey::parse_encoded(key)
        .is_ok_and(|key| suites.contains(&Suite::PostQuantum(key.size()).to_byte()))
}

/// Bundle, number statement and scannable safety number: what prost encodes otherwise is refused as malformed, and what the crate takes, prost takes.
fn as_others(bytes: &[u8]) {
    let world = fixture();
    let versioned = |limit: usize| bytes.split_first().filter(|(one, _)| **one == 1 && bytes.len() <= limit);

    let bundle = versioned(MAX_BUNDLE).and_then(|(_, body)| canonical::<Bundle>(body));
    let is_canonical = bundle.is_some();
    let sound = bundle.is_some_and(|bundle| {
        let suites = &bundle.suites;
        [Some(&bundle.identity_key), Some(&bundle.signed_prekey), bundle.one_time_prekey.as_ref()]
            .into_iter()
            .flatten()
            .all(|key| PublicKey::parse_encoded(key).is_ok())
            && (1..=16).contains(&suites.len())
            && suites[0] != 0
            && suites.is_sorted_by(|one, next| one < next)
            && bundle.issued_at != 0
            && bundle.suites_signature.len() == 64
            && bundle.signed_prekey_signature.len() == 64
            && bundle.kem_prekey.as_ref().is_none_or(|field| kem_is_sound(field, suites))
    });
    let answer = VerifiedBundle::verify(bytes, &world.bob);
    match (is_canonical, sound) {
        (_, true) => assert!(!matches!(answer, Err(BundleError::Decode(_))), "{answer:?}"),
        (false, false) => assert!(matches!(answer, Err(BundleError::Decode(_))), "{answer:?}"),
        // The second signature's length is looked at when the first has verified, and the KEM prekey when both have.
        (true, false) => assert!(answer.is_err(), "{answer:?}"),
    }

    let statement = versioned(MAX_NUMBER_STATEMENT).and_then(|(_, body)| canonical::<NumberStatement>(body));
    let sound = statement.is_some_and(|statement| {
        outrigger::PhoneNumber::parse(&statement.number).is_ok()
            && statement.issued_at != 0
            && statement.signature.len() == 64
    });
    let learn = LearnNumber { account: world.alice.account, statement: bytes };
    let answer = world.responding.store.step(&learn, &mut context(&mut Toy(9)));
    assert_eq!(matches!(answer, Err(NumberError::Decode(_))), !sound, "{answer:?}");

    let answer = world.safety.check_scanned(bytes);
    match ScannableSafetyNumber::decode(bytes) {
        _ if bytes.len() > SafetyNumber::SCANNABLE_LEN + 8 => {
            assert_eq!(answer, Err(ScanError::Decode(DecodeError::TooLong)));
        }
        // Another version may have another encoding.
        Ok(code) if code.version != 1 => {
            assert_eq!(answer, Err(ScanError::Version { scanned: code.version, ours: 1 }));
        }
        Ok(code) => {
            let half = |half: Option<&Half>| half.is_some_and(|half| half.fingerprint.len() == 32);
            let sound =
                code.encode_to_vec() == bytes && half(code.local.as_ref()) && half(code.remote.as_ref());
            assert_eq!(matches!(answer, Err(ScanError::Decode(_))), !sound, "{answer:?}");
        }
        Err(_) => assert!(matches!(answer, Err(ScanError::Decode(_))), "{answer:?}"),
    }
}

/// A protobuf field as it was read or made up: number, wire type, value with the length of a byte field left out.
#[derive(Clone)]
struct RawField {
    number: u8,
    wire: u8,
    value: RawValue,
}

#[derive(Clone)]
enum RawValue {
    Varint(u64),
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
}

impl RawField {
    /// Appends the field; `long` spells its tag (1), its number or length (2) in one byte more than is needed.
    fn write(&self, long: u8, out: &mut Vec<u8>) {
        varint(u64::from(self.number) << 3 | u64::from(self.wire), long & 1 != 0, out);
        match &self.value {
            RawValue::Varint(value) => varint(*value, long & 2 != 0, out),
            RawValue::Fixed(bytes) => out.extend_from_slice(bytes),
            RawValue::Bytes(bytes) => {
                varint(bytes.len() as u64, long & 2 != 0, out);
                out.extend_from_slice(bytes);
            }
        }
    }
}

fn varint(mut value: u64, long: bool, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    if long {
        out.extend_from_slice(&[value as u8 | 0x80, 0]);
    } else {
        out.push(value as u8);
    }
}

/// Fields made up from the choices, in whatever order they come.
fn built(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut out = match choices.byte() % 3 {
        0 => vec![1, 1],
        1 => vec![1],
        _ => Vec::new(),
    };
    while let Some(choice) = choices.more() {
        let number = choice % 9;
        let field = match choice >> 6 {
            0 | 1 => {
                let len = [0, 12, 16, 28, 32, 33, 64, choices.byte().into()][usize::from(choices.byte() % 8)];
                let mut bytes = choices.take(len).to_vec();
                bytes.resize(len, 5);
                RawField { number, wire: 2, value: RawValue::Bytes(bytes) }
            }
            2 => {
                let shift = u32::from(choices.byte() % 64);
                let value = u64::MAX.wrapping_shr(shift) ^ u64::from(choices.byte());
                RawField { number, wire: 0, value: RawValue::Varint(value) }
            }
            _ => {
                let mut bytes = choices.take(8).to_vec();
                bytes.resize(8, 0);
                RawField { number, wire: 1, value: RawValue::Fixed(bytes) }
            }
        };
        field.write(if choices.byte() < 16 { 3 } else { 0 }, &mut out);
    }
    out
}

/// A real message with its fields moved, repeated, dropped, added or spelled otherwise.
fn edited(choices: &mut Choices<'_>) -> Vec<u8> {
    let world = fixture();
    let real = world.from_alice.iter().chain(&world.from_bob).map(|known| (2, known.bytes.clone()));
    let real = real.chain(world.ratchet_messages.iter().map(|known| (0, known.bytes.clone())));
    let with_one_time = [&world.bundle[..], &world.one_time[0]].concat();
    let real = real.chain([(1, world.bundle.clone()), (1, with_one_time), (0, world.code.clone())]);
    let real =
        real.chain(world.statements.iter().map(|statement| (1, statement.clone()))).collect::<Vec<_>>();
    let (front, bytes) = &real[choices.below(real.len())];
    let (front, body) = bytes.split_at(*front);
    let mut fields = fields_of(body);
    let mut long = vec![0; fields.len()];
    while let Some(choice) = choices.more() {
        let place = choices.below(fields.len());
        match (choice % 8, fields.get(place).cloned()) {
            (0, Some(field)) => {
                fields.push(field);
                long.push(0);
            }
            (1, Some(field)) => {
                fields.insert(place, field);
                long.insert(place, 0);
            }
            (2, Some(_)) => {
                fields.remove(place);
                long.remove(place);
            }
            (3, Some(_)) => {
                let other = choices.below(fields.len());
                fields.swap(place, other);
            }
            (4, Some(_)) => long[place] = choices.byte() & 3,
            (5, Some(field)) => match field.value {
                RawValue::Varint(_) => {
                    let value = [0, 1, 127, 128, u64::from(u32::MAX) - 1, u32::MAX.into(), 1 << 32, u64::MAX];
                    fields[place].value = RawValue::Varint(value[usize::from(choices.byte() % 8)]);
                }
                RawValue::Fixed(mut bytes) => {
                    bytes[0] ^= choices.byte();
                    fields[place].value = RawValue::Fixed(bytes);
                }
                RawValue::Bytes(mut bytes) => {
                    let len = choices.below(bytes.len() + 2);
                    bytes.resize(len, 0);
                    fields[place].value = RawValue::Bytes(bytes);
                }
            },
            (6, Some(mut field)) => {
                field.number = choices.byte() % 20;
                fields.insert(place, field);
                long.insert(place, 0);
            }
            (7, Some(RawField { value: RawValue::Bytes(bytes), .. }))
                if (2..1_024).contains(&bytes.len()) =>
            {
                // The same edits one level down, in a handshake.
                let mut inner = fields_of(&bytes);
                let at = choices.below(inner.len());
                if let Some(field) = inner.get(at).cloned() {
                    match choices.byte() % 3 {
                        0 => inner.push(field),
                        1 => drop(inner.remove(at)),
                        _ => inner.rotate_left(1),
                    }
                    let mut out = Vec::new();
                    let spelled = choices.byte() & 3;
                    inner.iter().for_each(|field| field.write(spelled, &mut out));
                    fields[place].value = RawValue::Bytes(out);
                }
            }
            // A counter of 0, written out.
            (_, _) => {
                let number = 4 + choices.byte() % 2;
                fields.insert(place, RawField { number, wire: 0, value: RawValue::Varint(0) });
                long.insert(place, 0);
            }
        }
    }
    let mut out = front.to_vec();
    fields.iter().zip(long).for_each(|(field, long)| field.write(long, &mut out));
    out
}

/// The fields of a message, as far as it is one.
fn fields_of(mut bytes: &[u8]) -> Vec<RawField> {
    fn read(bytes: &mut &[u8]) -> Option<RawField> {
        let (tag, rest) = bytes.split_first()?;
        *bytes = rest;
        let (number, wire) = (tag >> 3, tag & 7);
        let value = match wire {
            0 => RawValue::Varint(number_of(bytes)?),
            1 => RawValue::Fixed(split(bytes, 8)?),
            2 => {
                let len = usize::try_from(number_of(bytes)?).ok()?;
                RawValue::Bytes(split(bytes, len)?)
            }
            _ => return None,
        };
        Some(RawField { number, wire, value })
    }
    fn number_of(bytes: &mut &[u8]) -> Option<u64> {
        prost::encoding::decode_varint(bytes).ok()
    }
    fn split(bytes: &mut &[u8], len: usize) -> Option<Vec<u8>> {
        let (head, rest) = bytes.split_at_checked(len)?;
        *bytes = rest;
        Some(head.to_vec())
    }
    std::iter::from_fn(|| read(&mut bytes)).collect()
}
