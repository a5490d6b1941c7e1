//! The check at the end: is what one has heard what the other has said, each line once, byte for byte?

use std::collections::BTreeMap;

use crate::{report::Report, script::Script, seat::Seat, tally::Tally, trouble::Trouble, who::Who};

/// Opens both stores once more, and compares what is in them with what was to be said. One sentence for each difference.
pub(crate) fn check(
    script: &Script,
    seats: &mut BTreeMap<Who, Seat>,
    report: &mut Report,
    tally: &mut Tally,
) -> Result<Vec<String>, Trouble> {
    report.heading("Check");
    let (mut wrong, mut numbers) = (Vec::new(), Vec::new());
    for (who, seat) in seats {
        let device = seat.reopen()?;
        let inbox = device.unseen(0)?;
        let differences = differences(script, *who, &inbox);
        report.compared(*who, inbox.len(), differences.len());
        wrong.extend(differences);
        tally.found(inbox.iter().map(|(_, text)| text.len()));
        if device.session()?.is_some() {
            numbers.push(device.safety_number()?);
        }
    }
    if let [first, second] = numbers.as_slice() {
        report.safety_number(first);
        if first != second {
            wrong.push("the two safety numbers differ".to_owned());
        }
    }
    Ok(wrong)
}

/// Compares a reader's inbox with what its peer had to say.
fn differences(script: &Script, reader: Who, inbox: &[(u32, Vec<u8>)]) -> Vec<String> {
    let mut found: BTreeMap<u32, Vec<&[u8]>> = BTreeMap::new();
    for (line, text) in inbox {
        found.entry(*line).or_default().push(text);
    }
    let name = reader.name();
    let mut differences = Vec::new();
    for (number, line) in script.lines().filter(|(_, line)| line.speaker == reader.peer()) {
        match found.remove(&number).as_deref() {
            Some([text]) if *text == line.text => {}
            Some([_]) => differences.push(format!("message {number} reached {name} altered")),
            Some(many) => differences.push(format!("message {number} reached {name} {} times", many.len())),
            None => differences.push(format!("message {number} did not reach {name}")),
        }
    }
    let invented = found.keys().map(|number| format!("message {number} reached {name} and was never said"));
    differences.extend(invented);
    differences
}
