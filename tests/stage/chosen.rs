//! The suites and the headers that the devices of a run have, as its environment says: the only place that reads it.

#![allow(dead_code, reason = "each test takes of it what it needs")]

use std::{env, sync::OnceLock};

use outrigger::{Context, EnvelopeDescription, Headers, SuitePolicy};

/// The suites of `OUTRIGGER_SUITES`, which is `classic`, `768` or `1024`; without it the crate's default.
pub(crate) fn suites() -> SuitePolicy {
    static SUITES: OnceLock<SuitePolicy> = OnceLock::new();
    *SUITES.get_or_init(|| match env::var("OUTRIGGER_SUITES").as_deref() {
        Err(_) => SuitePolicy::default(),
        Ok("classic") => SuitePolicy::Classic,
        #[cfg(feature = "post-quantum")]
        Ok("768") => SuitePolicy::Prefer(outrigger::KemSize::MlKem768),
        #[cfg(feature = "post-quantum")]
        Ok("1024") => SuitePolicy::Prefer(outrigger::KemSize::MlKem1024),
        Ok(other) => panic!("OUTRIGGER_SUITES={other}"),
    })
}

/// The headers of `OUTRIGGER_HEADERS`, which is `plain` or `encrypted`; without it they are in clear.
pub(crate) fn headers() -> Headers {
    static HEADERS: OnceLock<Headers> = OnceLock::new();
    *HEADERS.get_or_init(|| match env::var("OUTRIGGER_HEADERS").as_deref() {
        Err(_) | Ok("plain") => Headers::Plain,
        Ok("encrypted") => Headers::Encrypted,
        Ok(other) => panic!("OUTRIGGER_HEADERS={other}"),
    })
}

/// Panics where an envelope is not of the form of these headers.
pub(crate) fn assert_form(envelope: &[u8]) {
    let hidden = EnvelopeDescription::of(envelope).unwrap().header.is_none();
    assert_eq!(hidden, headers() == Headers::Encrypted, "an envelope of the other form");
}

/// A context with both.
pub(crate) fn chosen(context: Context<'_>) -> Context<'_> {
    context.with_suites(suites()).with_headers(headers())
}
