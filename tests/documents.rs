//! What the documents say is what the code does: messages and fields, labels, limits, errors and advice.

use std::collections::BTreeSet;

const PROTO: &str = include_str!("../docs/outrigger.proto");
const MESSAGES: &str = include_str!("../src/wire/messages.rs");
const ENVELOPE: &str = include_str!("../src/wire/envelope.rs");

/// `(message, field, type, number)`.
type Fields = BTreeSet<(String, String, String, u32)>;

fn of_proto() -> Fields {
    let mut open: Vec<&str> = Vec::new();
    let mut fields = Fields::new();
    for line in PROTO.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("message ").and_then(|rest| rest.strip_suffix(" {")) {
            open.push(name);
        } else if line == "}" {
            open.pop().unwrap();
        } else if let Some((left, number)) = line.strip_suffix(';').and_then(|line| line.split_once(" = "))
            && let (Some(message), Ok(number)) = (open.last(), number.parse())
        {
            let mut words = left.split(' ').filter(|word| !["optional", "repeated"].contains(word));
            let (kind, name) = (words.next().unwrap(), words.next().unwrap());
            let kind = if kind.chars().next().unwrap().is_uppercase() { "message" } else { kind };
            // A body is named after the message that holds it.
            let message = if *message == "Body" { format!("{}Body", open[0]) } else { (*message).into() };
            fields.insert((message, name.into(), kind.into(), number));
        }
    }
    assert!(open.is_empty());
    fields
}

/// The name of a prost struct in the `.proto` file.
fn proto_name(name: &str) -> &str {
    match name {
        "ScannableMessage" => "ScannableSafetyNumber",
        "ScannableHalf" => "Half",
        "NumberMessage" => "NumberStatement",
        "RetryRequestBody" => "RetryRequestBody",
        "DeviceEntryMessage" => "Entry",
        other => other.strip_suffix("Message").unwrap(),
    }
}

fn of_prost() -> Fields {
    let mut fields = Fields::new();
    let mut message = "";
    let mut attribute = "";
    for line in MESSAGES.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("pub(crate) struct ") {
            message = proto_name(rest.strip_suffix(" {").unwrap());
        } else if let Some(rest) = line.strip_prefix("#[prost(") {
            attribute = rest;
        } else if let Some((name, _)) =
            line.strip_prefix("pub(crate) ").and_then(|rest| rest.split_once(": "))
        {
            let kind = attribute.split([',', ' ', '=']).next().unwrap();
            let number = attribute.split('"').rev().nth(1).unwrap().parse().unwrap();
            fields.insert((message.into(), name.into(), kind.into(), number));
        }
    }
    fields
}

/// The tags of the hand-written codec: `const NAME: u8 = number << 3 | wire type`.
fn of_envelope() -> BTreeSet<(String, u32, u32)> {
    let constants = ENVELOPE.lines().filter_map(|line| line.trim().strip_prefix("pub(super) const "));
    constants
        .map(|rest| {
            let (name, value) = rest.strip_suffix(';').unwrap().split_once(": u8 = ").unwrap();
            let value = value.replace(['(', ')'], "");
            let (number, wire) = value.split_once(" << 3").unwrap();
            let wire = wire.trim_start_matches(" | ");
            (name.to_lowercase(), number.parse().unwrap(), wire.parse().unwrap_or(0))
        })
        .collect()
}

#[test]
fn the_proto_file_is_the_code() {
    let proto = of_proto();
    let (envelope, others): (Fields, Fields) =
        proto.into_iter().partition(|(message, ..)| message == "Envelope");
    assert_eq!(others, of_prost());
    assert_eq!(others.len(), 94);

    let wire_type = |kind: &str| match kind {
        "fixed64" => 1,
        "bytes" | "message" => 2,
        "uint32" => 0,
        other => panic!("{other}"),
    };
    let envelope: BTreeSet<_> =
        envelope.into_iter().map(|(_, name, kind, number)| (name, number, wire_type(&kind))).collect();
    assert_eq!(envelope, of_envelope());
    assert_eq!(envelope.len(), 7);
}

const PROTOCOL: &str = include_str!("../docs/protocol.md");

/// Every label of the code stands in the page's table, with its only other mention where it is used.
#[test]
fn the_page_has_every_label() {
    let labels = include_str!("../src/primitives/labels.rs");
    let labels: Vec<_> =
        labels.lines().filter_map(|line| line.strip_suffix("\";")?.split_once("b\"")).collect();
    assert_eq!(labels.len(), 33);
    for (_, label) in &labels {
        assert!(PROTOCOL.contains(&format!("| `{label}` |")), "{label}");
    }
    let in_table = PROTOCOL.lines().filter(|line| line.starts_with("| `outrigger v1 ")).count();
    assert_eq!(in_table, labels.len());
}

#[test]
fn the_page_has_every_limit() {
    use outrigger::{Limits, wire};

    let grouped = |number: usize| {
        let digits = number.to_string();
        let groups: Vec<_> =
            digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
        groups.join(",")
    };
    let limits = [
        ("envelope", wire::MAX_ENVELOPE),
        ("what the AEAD seals (in a session: the kind byte and the body)", wire::MAX_PLAINTEXT),
        ("caller's associated data", wire::MAX_ASSOCIATED_DATA),
        ("handshake field", wire::MAX_HANDSHAKE),
        ("`pq` fields", wire::MAX_PQ),
        ("bundle", wire::MAX_BUNDLE),
        ("number statement", wire::MAX_NUMBER_STATEMENT),
        ("device list", wire::MAX_DEVICE_LIST),
        ("certificate", wire::MAX_CERTIFICATE),
        ("message of a linking", wire::MAX_LINK_MESSAGE),
    ];
    for (name, limit) in limits {
        assert!(PROTOCOL.contains(&format!("| {name} | {} bytes |", grouped(limit))), "{name}");
    }
    assert!(PROTOCOL.contains(&format!("| suites | {} |", wire::MAX_SUITES)));
    let devices = format!("| devices of an account, the phone included | {} |", wire::MAX_DEVICES);
    assert!(PROTOCOL.contains(&devices));
    // The tunable ones: the debug form shows the numbers that the page names in words.
    let tunable = format!("{:?}", Limits::DEFAULT);
    for number in ["max_forward: 1000,", "max_skipped: 1000,", "2592000000", "max_archived: 16,"] {
        assert!(tunable.contains(number), "{tunable}");
    }
    for sentence in
        ["skipped keys above 1,000", "At most 1,000 skipped keys", "At most 16 sessions are archived"]
    {
        assert!(PROTOCOL.contains(sentence), "{sentence}");
    }
}

/// Every variant of every error, and every advice, stands in the tables of `docs/errors.md`.
#[test]
fn the_tables_have_every_error() {
    const ERRORS: &str = include_str!("../docs/errors.md");
    let sources = [
        (include_str!("../src/step/advice.rs"), &["Advice"][..]),
        (include_str!("../src/step/codec.rs"), &["RecordError"]),
        (include_str!("../src/session/error.rs"), &["OpenError", "SendError", "StartError"]),
        (include_str!("../src/identity/device.rs"), &["DeviceError"]),
        (include_str!("../src/identity/trust.rs"), &["TrustError"]),
        (include_str!("../src/identity/number.rs"), &["NumberError"]),
        (include_str!("../src/identity/fingerprint.rs"), &["ScanError"]),
        (include_str!("../src/prekey/bundle.rs"), &["BundleError"]),
        (include_str!("../src/identity/certificate.rs"), &["CertificateError"]),
        (include_str!("../src/identity/list_error.rs"), &["ListError"]),
        (include_str!("../src/identity/unlisted.rs"), &["Unlisted"]),
        (include_str!("../src/companion/link/error.rs"), &["LinkError"]),
        (include_str!("../src/relay/error.rs"), &["RelayError"]),
        (include_str!("../src/companion/fanout.rs"), &["FanOutError"]),
        (include_str!("../src/companion/leave.rs"), &["LeaveError"]),
        (include_str!("../src/companion/supply/error.rs"), &["SupplyError"]),
        (include_str!("../src/companion/supply/keys.rs"), &["SyncError"]),
        (include_str!("../src/companion/history/error.rs"), &["HistoryError"]),
    ];
    let mut variants = 0;
    for (source, names) in sources {
        for name in names {
            let body =
                source.split_once(&format!("pub enum {name} {{")).unwrap().1.split_once("\n}").unwrap().0;
            let of_enum = body.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
            for line in of_enum.map(str::trim).filter(|line| line.starts_with(char::is_uppercase)) {
                let variant = line.split([',', '(', ' ']).next().unwrap();
                assert!(
                    ERRORS.contains(&format!("`{variant}")) || ERRORS.contains(&format!("::{variant}")),
                    "{name}::{variant}"
                );
                variants += 1;
            }
        }
    }
    assert!(variants > 55, "{variants}");
}
