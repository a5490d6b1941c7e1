//! `docs/outrigger.proto` and the code say the same: every message, field, type and number.

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
            let mut words = left.split(' ').filter(|word| *word != "optional");
            let (kind, name) = (words.next().unwrap(), words.next().unwrap());
            let kind = if kind.chars().next().unwrap().is_uppercase() { "message" } else { kind };
            fields.insert(((*message).into(), name.into(), kind.into(), number));
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
    assert_eq!(others.len(), 20);

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
