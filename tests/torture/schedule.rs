//! Schedules as they stand in `vectors/torture/*.json`: read, checked for misspelt fields, and with `repeat` written out.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::subject::Capability;

pub(crate) struct Schedule {
    pub(crate) name: String,
    pub(crate) needs: Vec<Capability>,
    pub(crate) devices: Vec<String>,
    pub(crate) friends: Vec<[String; 2]>,
    pub(crate) steps: Vec<Step>,
}

/// One step: its number in the file, with the round where it is in a `repeat`, and its fields.
pub(crate) struct Step {
    pub(crate) number: String,
    fields: Value,
}

/// Every step with the fields that it may have; `expect` may stand in all.
const STEPS: [(&str, &[&str]); 26] = [
    ("send", &["from", "to", "label", "keep"]),
    ("deliver", &["label", "to", "from"]),
    ("settle", &["label", "to"]),
    ("drop", &["label"]),
    ("forge", &["label", "as", "flip", "counter", "previous_counter", "part", "of", "truncate", "extend"]),
    ("crash_before_commit", &["device"]),
    ("crash_after_commit", &["device"]),
    ("snapshot", &["device", "as"]),
    ("roll_back", &["device", "to"]),
    ("restore", &["device", "to"]),
    ("recover", &["device", "one_time"]),
    ("wipe", &["device", "one_time"]),
    ("accept", &["device", "peer"]),
    ("clone", &["device", "as"]),
    ("clock", &["device", "days"]),
    ("wait", &["seconds"]),
    ("ask_again", &["by", "label", "as"]),
    ("answer", &["by", "request", "as", "from", "resend"]),
    ("publish", &["device", "one_time"]),
    ("check_in", &["device", "one_time"]),
    ("server", &["device", "does"]),
    ("start", &["from", "to"]),
    ("start_both", &["between"]),
    ("converse", &["between", "times", "label"]),
    ("check", &["between"]),
    ("repeat", &["times", "steps"]),
];

/// All schedules of all files.
pub(crate) fn all() -> Vec<Schedule> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/torture");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.iter().flat_map(|path| read(&fs::read_to_string(path).unwrap())).collect()
}

fn read(file: &str) -> Vec<Schedule> {
    let file: Value = serde_json::from_str(file).unwrap();
    file["schedules"].as_array().unwrap().iter().map(Schedule::read).collect()
}

impl Schedule {
    fn read(value: &Value) -> Self {
        let name = text_of(&value["name"], "a name");
        for field in ["why", "lesson"] {
            assert!(value[field].is_string(), "{name}: no {field}");
        }
        let mut steps = Vec::new();
        write_out(&value["steps"], "", &mut steps, &name);
        let need = |need: &Value| Capability::named(&text_of(need, &name)).unwrap();
        let friends = list_of(&value["setup"]["friends"]).iter().map(|pair| pair_of(pair, &name)).collect();
        Self {
            needs: list_of(&value["needs"]).iter().map(need).collect(),
            devices: list_of(&value["setup"]["devices"]).iter().map(|one| text_of(one, &name)).collect(),
            friends,
            steps,
            name,
        }
    }
}

/// Writes steps out; in a `repeat` each `#` of a text is the round.
fn write_out(steps: &Value, within: &str, out: &mut Vec<Step>, name: &str) {
    for (number, fields) in (1..).zip(list_of(steps)) {
        let number = format!("{within}{number}");
        let Some((_, known)) = STEPS.iter().find(|(step, _)| fields["do"] == *step) else {
            panic!("{name}, step {number}: {} is no step", fields["do"]);
        };
        for field in fields.as_object().unwrap().keys() {
            let is_known = ["do", "expect"].contains(&field.as_str()) || known.contains(&field.as_str());
            assert!(is_known, "{name}, step {number}: {field} is no field of {}", fields["do"]);
        }
        if fields["do"] != "repeat" {
            out.push(Step { number, fields: fields.clone() });
            continue;
        }
        for round in 1..=fields["times"].as_u64().unwrap() {
            let steps = fields["steps"].to_string().replace('#', &round.to_string());
            let within = format!("{number}, round {round}, ");
            write_out(&serde_json::from_str(&steps).unwrap(), &within, out, name);
        }
    }
}

impl Step {
    pub(crate) fn does(&self) -> &str {
        self.text("do")
    }

    /// The text of a field that must be there.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.maybe(field).unwrap_or_else(|| panic!("step {}: no {field}", self.number))
    }

    pub(crate) fn maybe(&self, field: &str) -> Option<&str> {
        self.fields[field].as_str()
    }

    pub(crate) fn number(&self, field: &str) -> Option<i64> {
        self.fields[field].as_i64()
    }

    pub(crate) fn is(&self, field: &str, default: bool) -> bool {
        self.fields[field].as_bool().unwrap_or(default)
    }

    pub(crate) fn pair(&self, field: &str) -> [String; 2] {
        pair_of(&self.fields[field], &self.number)
    }

    /// The outcomes that are right; none named: `done`.
    pub(crate) fn expected(&self) -> Vec<String> {
        let expect = &self.fields["expect"];
        if expect.is_null() {
            return vec!["done".into()];
        }
        let several = expect.as_array().map_or(std::slice::from_ref(expect), Vec::as_slice);
        several.iter().map(|one| text_of(one, &self.number)).collect()
    }
}

fn list_of(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text_of(value: &Value, place: &str) -> String {
    value.as_str().unwrap_or_else(|| panic!("{place}: {value} is no text")).into()
}

fn pair_of(value: &Value, place: &str) -> [String; 2] {
    let [one, other] = list_of(value) else { panic!("{place}: {value} is no pair") };
    [text_of(one, place), text_of(other, place)]
}
