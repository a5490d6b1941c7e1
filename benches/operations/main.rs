//! Every operation of the crate beside the sum of the primitive calls that it cannot avoid, in the same run.
//!
//! ```text
//! cargo bench --bench operations                              times, by criterion
//! cargo bench --bench operations -- list                      the cases, each with its target
//! cargo bench --bench operations -- count CASE ours|sum N     N calls after one that warms up, for callgrind; deterministic
//! ```
//! A ratio compares the `ours` and the `sum` of one case in one run. `encrypt-*`, `decrypt-*` and the like are the ratchet in memory, `record-*` the whole way
//! through a `MemoryStore` (load, step, save), `step-*` the step alone on loaded records. `refuse-*` have the acceptance of the same message in the sum's
//! place, `hidden-*` the same with headers in clear and three calls of AES-GCM on a header, `fan-out-*` the same text sent to each device by itself, `relay-*` the same taken and sent by themselves, `storm-*` the acceptance of another, `archived-16-*` the same step with nothing archived, `save*` and `restore*` a copy of the same bytes. `ci/figures.sh` makes the table.

mod case;
mod companions;
mod handshake;
mod hidden;
mod memory;
#[cfg(feature = "post-quantum")]
mod post_quantum;
mod records;
mod refusals;
mod relay;
mod retries;
mod source;
mod sums;
mod world;

use std::time::Duration;

use case::{Case, Target, measured, time};
use criterion::Criterion;

fn main() {
    let cases = [
        handshake::cases(),
        #[cfg(feature = "post-quantum")]
        post_quantum::cases(),
        memory::cases(),
        hidden::cases(),
        records::cases(),
        refusals::cases(),
        retries::cases(),
        companions::cases(),
        relay::cases(),
    ];
    let cases: Vec<Case> = cases.into_iter().flatten().collect();
    // Cargo puts `--bench` last.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => cases.iter().for_each(list),
        ["count", name, side, calls] => count(&cases, name, side, calls.parse().unwrap()),
        _ => by_criterion(&cases),
    }
}

fn list(case: &Case) {
    match case.target {
        Target::AtMost(ratio) => println!("{}\t{ratio}", case.name),
        Target::None => println!("{}\t-", case.name),
    }
}

/// One call that warms up, then `calls` calls inside [`measured`].
fn count(cases: &[Case], name: &str, side: &str, calls: usize) {
    let case = cases.iter().find(|case| case.name == name).unwrap();
    let mut act = if side == "sum" { (case.sum)() } else { (case.ours)() };
    act.ready(1);
    act.call(0);
    act.ready(calls);
    measured(&mut *act, calls);
}

fn by_criterion(cases: &[Case]) {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(200))
        .sample_size(10)
        .without_plots()
        .configure_from_args();
    for case in cases {
        let mut group = criterion.benchmark_group(&case.name);
        for (side, make) in [("ours", &case.ours), ("sum", &case.sum)] {
            let mut act = make();
            group.bench_function(side, |bencher| {
                bencher.iter_custom(|calls| time(&mut *act, calls, case.batch));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
