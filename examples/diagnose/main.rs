//! Two devices are broken on purpose, one way after the other; their two reports say what is wrong and what mends it.
//!
//! `cargo run --release --example diagnose`
//!
//! ```text
//! break the pair ─▶ Diagnose at each ─▶ bytes ─▶ Report::compare ─▶ findings, advice
//!                                                                      └▶ do as advised ─▶ nothing left to find
//! ```
//! `cases.rs` has the ways to break a pair, `device.rs` a device with its store and what an app does on advice. Exits with 1 unless every pair was diagnosed as expected and
//! mended.

mod cases;
mod device;

use std::{error::Error, process::ExitCode};

use outrigger::{Finding, Report, SessionReport, Side, UnixMillis};
use owo_colors::OwoColorize;

use crate::{cases::CASES, device::Pair};

fn main() -> ExitCode {
    let mut wrong = 0_u32;
    for case in CASES {
        match tell(case) {
            Ok(true) => {}
            Ok(false) => wrong = wrong.saturating_add(1),
            Err(error) => {
                anstream::println!("  {}", error.red());
                wrong = wrong.saturating_add(1);
            }
        }
    }
    let count = CASES.len();
    match wrong {
        0 => anstream::println!("\n{} {count} pairs were diagnosed and mended", "ok".green().bold()),
        _ => anstream::println!("\n{} {wrong} of {count} pairs", "wrong".red().bold()),
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Breaks a pair, diagnoses it, mends it; whether all went as the case says.
fn tell(case: &cases::Case) -> Result<bool, Box<dyn Error>> {
    anstream::println!("\n{}", case.name.bold());
    let mut pair = Pair::settled()?;
    (case.break_it)(&mut pair)?;
    let (ada, ben) = pair.reports()?;
    print_report("Ada", &ada);
    print_report("Ben", &ben);
    let findings = ada.compare(&ben);
    print_findings(&findings);
    let expected = (case.expects)(&findings);
    if !expected {
        anstream::println!("  {}", "not what was broken".red());
    }
    (case.mend)(&mut pair)?;
    let (ada, ben) = pair.reports()?;
    let left = ada.compare(&ben);
    match left.is_empty() {
        true => anstream::println!("  {} {}", "mended:".green(), case.mended_by),
        false => print_findings(&left),
    }
    Ok(expected && left.is_empty())
}

/// One line for each session.
fn print_report(name: &str, report: &Report) {
    let state = match (&report.active, report.stale) {
        (Some(session), false) => describe(session),
        (Some(session), true) => format!("{}, stale", describe(session)),
        (None, _) => "no session".to_owned(),
    };
    let archived = report.archived.len();
    anstream::println!("  {name}: {state}; {archived} archived, {} kept for a retry", report.sent.kept);
}

fn describe(session: &SessionReport) -> String {
    let id: String = session.id.0.iter().take(3).map(|byte| format!("{byte:02x}")).collect();
    let next =
        |chain: &Option<outrigger::ChainReport>| chain.map_or("-".to_owned(), |chain| chain.next.to_string());
    let UnixMillis(order) = session.order;
    let (sends, receives) = (next(&session.sending), next(&session.receiving));
    format!("session {id} of {order}, {:?}, sends {sends}, receives {receives}", session.phase)
}

fn print_findings(findings: &[Finding]) {
    if findings.is_empty() {
        anstream::println!("  {}", "in step".dimmed());
    }
    for finding in findings {
        let advice = finding.advice().map_or("the next message mends it".to_owned(), |it| format!("{it:?}"));
        let text = finding
            .to_string()
            .replace(&format!("{:?}", Side::First), "Ada")
            .replace(&format!("{:?}", Side::Second), "Ben");
        anstream::println!("  {} {text} {}", "!".yellow().bold(), format!("→ {advice}").dimmed());
    }
}
