//! Records that are cut, flipped, swapped, too new or of another generation: the typed error, in every operation that reads them, and no panic.

use outrigger::{
    AnswerRetry, Batch, ChangeNumber, ConfirmPrekeys, DecideIdentity, Decision, DescribeDevice, DescribePeer,
    DescribePrekeys, Diagnose, HandOutBundle, Headers, Keep, LearnNumber, OpenError, Operation, PhoneNumber,
    Receive, RecordError, RecordKey, RecordKind, Recover, Register, ReplenishPrekeys, RequestRetry, Restart,
    Send, ShowSafetyNumber, Start, Tidy, UploadId,
};

use crate::world::{
    BOUND, Device,
    cast::{Cast, cast},
    headers,
};

/// An operation of ben's, run to its end; the error as its debug text.
type Act<'a> = (&'static str, Box<dyn Fn(&mut Device) -> Result<(), String> + 'a>);

impl Cast {
    fn act<'a, O: Operation + 'a>(name: &'static str, operation: O) -> Act<'a> {
        let run =
            move |device: &mut Device| device.run(&operation).map(drop).map_err(|error| format!("{error:?}"));
        (name, Box::new(run))
    }

    fn receive<'a>(&'a self, from: &Device, envelope: &'a [u8]) -> Receive<'a> {
        Receive { from: from.address, envelope, associated_data: BOUND }
    }

    /// Every operation of the crate, in every form that reads other records.
    fn acts(&self) -> Vec<Act<'_>> {
        let number = PhoneNumber::parse("+4930123456").unwrap();
        let peer = self.ada.address;
        let account = peer.account;
        let answer = AnswerRetry { from: peer, request: &self.request, bundle: None, resend_to: None };
        let anew = AnswerRetry { request: &self.request_anew, bundle: Some(&self.bundle), ..answer };
        let ask = RequestRetry { from: peer, envelope: &self.gone, error: OpenError::KeyGone };
        vec![
            Self::act("register", Register { address: self.ben.address }),
            Self::act("replenish", ReplenishPrekeys { one_time: 2 }),
            Self::act("describe device", DescribeDevice),
            Self::act("change number", ChangeNumber { number }),
            Self::act("start", Start { bundle: &self.bundle }),
            Self::act("restart", Restart { bundle: &self.bundle }),
            Self::act(
                "send",
                Send { to: peer, plaintext: b"text", associated_data: BOUND, keep: Keep::ForRetry },
            ),
            Self::act("receive in order", self.receive(&self.ada, &self.in_order)),
            Self::act("receive late", self.receive(&self.ada, &self.late)),
            Self::act("receive archived", self.receive(&self.ada, &self.archived)),
            Self::act("receive first", self.receive(&self.cleo, &self.first)),
            Self::act("decide", DecideIdentity { peer, decision: Decision::Verify(self.ada.identity) }),
            Self::act("accept", DecideIdentity { peer, decision: Decision::Accept(self.cleo.identity) }),
            Self::act("describe peer", DescribePeer { peer }),
            Self::act("show safety number", ShowSafetyNumber { peer }),
            Self::act("learn number", LearnNumber { account, statement: &self.statement }),
            Self::act("ask", ask),
            Self::act("answer", answer),
            Self::act("answer anew", anew),
            Self::act("confirm prekeys", ConfirmPrekeys { upload: UploadId { number: 0, tag: [0; 8] } }),
            Self::act("describe prekeys", DescribePrekeys),
            Self::act("hand out bundle", HandOutBundle),
            Self::act("tidy", Tidy { peer }),
            Self::act("diagnose", Diagnose { peer }),
        ]
    }

    /// An act that reads this very kind of record.
    fn reader(kind: RecordKind) -> &'static str {
        match kind {
            RecordKind::Device => "describe device",
            RecordKind::Prekeys | RecordKind::SignedPrekey => "replenish",
            RecordKind::OneTimePrekey => "receive first",
            RecordKind::Peer => "send",
            RecordKind::Archive => "start",
            RecordKind::ArchivedSession => "receive archived",
            RecordKind::SkippedKeys => "receive late",
            RecordKind::Number => "describe peer",
            RecordKind::RetryCopy => "answer",
            RecordKind::Accepted | RecordKind::Asked | RecordKind::RetryBudget => "ask",
            RecordKind::Devices
            | RecordKind::Account
            | RecordKind::Linking
            | RecordKind::Granting
            | RecordKind::Supply
            | RecordKind::Supplied
            | RecordKind::Taken
            | RecordKind::SyncKeys
            | RecordKind::HistoryOut
            | RecordKind::HistoryIn => {
                panic!("ben has no companions: tests/properties/companions/secrets.rs")
            }
            RecordKind::Desktops
            | RecordKind::Desktop
            | RecordKind::RelayOut
            | RecordKind::RelaySeen
            | RecordKind::Relay
            | RecordKind::RelayAsked => panic!("ben has no desktop: tests/properties/relay/damage.rs"),
            other => panic!("{other:?} is new: name an operation that reads it"),
        }
    }

    /// Runs an act on a copy of ben whose record has other bytes.
    fn with(&self, key: &RecordKey, bytes: Vec<u8>, act: &Act<'_>) -> Result<(), String> {
        let mut ben = self.ben.clone();
        ben.store.tamper(key, bytes);
        (act.1)(&mut ben)
    }
}

const KINDS: [RecordKind; 13] = [
    RecordKind::Device,
    RecordKind::Prekeys,
    RecordKind::SignedPrekey,
    RecordKind::OneTimePrekey,
    RecordKind::Peer,
    RecordKind::Archive,
    RecordKind::ArchivedSession,
    RecordKind::SkippedKeys,
    RecordKind::Number,
    RecordKind::RetryCopy,
    RecordKind::Accepted,
    RecordKind::Asked,
    RecordKind::RetryBudget,
];

/// The record of a kind that its reader reads: the one-time prekey is the one that the first message names.
fn read_record(cast: &Cast, kind: RecordKind) -> (RecordKey, Vec<u8>) {
    let act = cast.acts().into_iter().find(|(name, _)| *name == Cast::reader(kind)).unwrap();
    let records: Vec<_> = cast.ben.store.of(kind).map(|(key, bytes)| (*key, bytes.clone())).collect();
    let reads = |(key, _): &&(RecordKey, Vec<u8>)| cast.with(key, vec![], &act).is_err();
    records.iter().find(reads).unwrap_or_else(|| panic!("{kind:?} is not read")).clone()
}

#[test]
fn the_cast_has_every_kind_of_record_and_every_act_goes_through() {
    let cast = cast();
    for kind in KINDS {
        assert!(cast.ben.store.count(kind) > 0, "{kind:?}");
    }
    for (name, act) in cast.acts() {
        let done = act(&mut cast.ben.clone());
        assert_eq!(done.is_ok(), name != "register", "{name}: {done:?}");
    }
}

/// Those that are read for what they are. An archived session that an envelope with an encrypted header may be of is passed over where it is damaged
/// (`hidden_sessions`).
fn kinds() -> impl Iterator<Item = RecordKind> {
    let hidden = headers() == Headers::Encrypted;
    KINDS.into_iter().filter(move |kind| !hidden || *kind != RecordKind::ArchivedSession)
}

#[test]
fn every_cut_of_every_record_is_corrupt_and_none_panics() {
    let cast = cast();
    let mut accepted = Vec::new();
    for kind in kinds() {
        let act = cast.acts().into_iter().find(|(name, _)| *name == Cast::reader(kind)).unwrap();
        let (key, bytes) = read_record(&cast, kind);
        let corrupt = format!("Record({:?})", RecordError::Corrupt(key));
        for len in 0..bytes.len() {
            let refused = cast.with(&key, bytes[..len].to_vec(), &act);
            // Describing a peer has the record's error itself.
            if !refused.is_err_and(|error| corrupt.contains(&error) || error.contains(&corrupt)) {
                accepted.push(format!("{kind:?} of {} bytes, cut to {len}", bytes.len()));
            }
        }
        let longer = cast.with(&key, [&bytes[..], &[0]].concat(), &act);
        assert!(longer.is_err_and(|error| corrupt.contains(&error)), "{kind:?} with a byte more");
    }
    assert_eq!(accepted, [""; 0], "cut records that were read as whole ones");
}

#[test]
fn no_flipped_bit_in_any_record_makes_any_operation_panic() {
    let cast = cast();
    for kind in KINDS {
        let (key, bytes) = read_record(&cast, kind);
        let act = cast.acts().into_iter().find(|(name, _)| *name == Cast::reader(kind)).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = cast.with(&key, flipped, &act);
        }
    }
}

#[test]
fn a_damaged_or_foreign_record_gives_its_typed_error_in_every_operation_that_reads_it() {
    let cast = cast();
    for kind in kinds() {
        let (key, bytes) = read_record(&cast, kind);
        let other_kind = KINDS.into_iter().find(|other| *other != kind).unwrap();
        let foreign = read_record(&cast, other_kind).1;
        let with = |place: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[place] = byte;
            bytes
        };
        let cases = [
            (vec![], RecordError::Corrupt(key)),
            (foreign, RecordError::Corrupt(key)),
            (with(0, 0), RecordError::Corrupt(key)),
            (with(0, 0xff), RecordError::Corrupt(key)),
            (with(1, 0), RecordError::Corrupt(key)),
            (with(1, 2), RecordError::TooNew(key)),
            (with(1, 0xff), RecordError::TooNew(key)),
            (with(2, !bytes[2]), RecordError::RestoredFromBackup),
            (with(17, !bytes[17]), RecordError::RestoredFromBackup),
        ];
        for (bytes, expected) in cases {
            let expected = format!("{expected:?}");
            let mut readers = 0;
            for act in cast.acts() {
                if act.0 == "register" && kind != RecordKind::Device {
                    continue;
                }
                if let Err(error) = cast.with(&key, bytes.clone(), &act) {
                    assert!(error.contains(&expected), "{kind:?}, {}: {error}", act.0);
                    readers += 1;
                }
            }
            assert!(readers > 0, "{kind:?}");
        }
    }
}

/// A store that mixes two peers' records up is trusted for whom it *sends* to; but nothing that arrives opens as someone else's.
#[test]
fn records_that_were_mixed_up_among_their_kind_open_nothing() {
    let Cast { mut ben, ada, mut cleo, first, in_order, .. } = cast();
    ben.opens(cleo.address, &first, b"first");
    let from_cleo = cleo.send(ben.address, b"next");
    let peers: Vec<_> = ben.store.of(RecordKind::Peer).map(|(key, bytes)| (*key, bytes.clone())).collect();
    let [(one, one_bytes), (two, two_bytes)] = &peers[..] else { panic!("two peers") };
    ben.store.tamper(one, two_bytes.clone());
    ben.store.tamper(two, one_bytes.clone());
    assert!(ben.receive(ada.address, &in_order).is_err());
    assert!(ben.receive(cleo.address, &from_cleo).is_err());
    ben.store.tamper(one, one_bytes.clone());
    ben.store.tamper(two, two_bytes.clone());
    ben.opens(ada.address, &in_order, b"in order");
    ben.opens(cleo.address, &from_cleo, b"next");
}

#[test]
fn l13_a_record_of_another_generation_is_refused_by_every_operation() {
    let mut cast = cast();
    cast.ben.generation.0[15] ^= 1;
    for (name, act) in cast.acts() {
        let refused = act(&mut cast.ben.clone()).unwrap_err();
        assert!(refused.contains("RestoredFromBackup"), "{name}: {refused}");
    }
    let sends = [Send { to: cast.ada.address, plaintext: b"x", associated_data: b"", keep: Keep::ForRetry }];
    let outputs = cast.ben.run(&Batch(&sends)).unwrap();
    assert!(outputs[0].is_err());
}

/// Taking over a store that was damaged on its way: the typed error for that record, nothing changed, and the others go on without it.
#[test]
fn recovery_meets_damaged_records_one_by_one() {
    let mut cast = cast();
    cast.ben.generation.0[15] ^= 1;
    let keys: Vec<_> = cast.ben.store.0.keys().copied().collect();
    for kind in KINDS {
        let (key, bytes) = cast.ben.store.of(kind).next().map(|(key, bytes)| (*key, bytes.clone())).unwrap();
        for len in 0..bytes.len() {
            let mut ben = cast.ben.clone();
            ben.store.tamper(&key, bytes[..len].to_vec());
            let refused = ben.run(&Recover { records: &[key] }).unwrap_err();
            assert_eq!(refused, RecordError::Corrupt(key), "{kind:?}, cut to {len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut ben = cast.ben.clone();
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            ben.store.tamper(&key, flipped);
            let _ = ben.run(&Recover { records: &[key] });
        }
        let mut ben = cast.ben.clone();
        ben.store.tamper(&key, vec![]);
        assert_eq!(
            ben.run(&Recover { records: &keys }),
            Err(RecordError::Corrupt(key)),
            "one stops them all"
        );
        let others: Vec<_> = keys.iter().copied().filter(|other| *other != key).collect();
        let recovered = ben.run(&Recover { records: &others }).unwrap();
        assert_eq!(recovered.kept + recovered.deleted, others.len());
    }
}
