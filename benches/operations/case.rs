//! What is measured: an operation of the crate beside the primitive calls that it cannot avoid.

use std::{hint::black_box, time::Duration, time::Instant};

/// One side of a case, ready to be called.
pub(crate) trait Act {
    /// Makes what the next `calls` calls use up; not measured.
    fn ready(&mut self, _calls: usize) {}
    /// The measured call, number `call` since [`ready`](Self::ready).
    fn call(&mut self, call: usize);
}

/// An act that can be repeated as it is.
pub(crate) struct Repeat<F>(pub(crate) F);

impl<T, F: FnMut() -> T> Act for Repeat<F> {
    fn call(&mut self, _call: usize) {
        black_box((self.0)());
    }
}

/// An act that uses something up at each call.
pub(crate) struct Consume<S> {
    pub(crate) state: S,
    pub(crate) ready: fn(&mut S, usize),
    pub(crate) call: fn(&mut S, usize),
}

impl<S> Act for Consume<S> {
    fn ready(&mut self, calls: usize) {
        (self.ready)(&mut self.state, calls);
    }

    fn call(&mut self, call: usize) {
        (self.call)(&mut self.state, call);
    }
}

/// What an operation may cost in terms of what it is measured against.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// At most so many times.
    AtMost(f64),
    /// No promise; for information.
    None,
}

/// Makes a side of a case.
pub(crate) type Make = Box<dyn Fn() -> Box<dyn Act>>;

/// An operation and what it is measured against.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) target: Target,
    /// Calls between two preparations, timed as one; some tens of microseconds.
    pub(crate) batch: usize,
    pub(crate) ours: Make,
    pub(crate) sum: Make,
}

impl Case {
    pub(crate) fn new<A: Act + 'static, B: Act + 'static>(
        name: impl Into<String>,
        ours: impl Fn() -> A + 'static,
        sum: impl Fn() -> B + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            target: Target::None,
            batch: 64,
            ours: Box::new(move || Box::new(ours())),
            sum: Box::new(move || Box::new(sum())),
        }
    }

    pub(crate) fn at_most(self, ratio: f64) -> Self {
        Self { target: Target::AtMost(ratio), ..self }
    }

    pub(crate) fn batch(self, calls: usize) -> Self {
        Self { batch: calls, ..self }
    }
}

/// The time of `calls` calls: that many times what a call took in the median batch, without preparation. On a shared machine some batches are
/// interrupted; the median is not one of them.
pub(crate) fn time(act: &mut dyn Act, calls: u64, batch: usize) -> Duration {
    let calls = usize::try_from(calls).unwrap();
    let mut batches = Vec::with_capacity(calls / batch + 1);
    let mut left = calls;
    while left > 0 {
        let now = left.min(batch);
        act.ready(now);
        let start = Instant::now();
        measured(act, now);
        batches.push(start.elapsed().as_secs_f64() / now as f64);
        left -= now;
    }
    batches.sort_by(f64::total_cmp);
    Duration::from_secs_f64(batches[batches.len() / 2] * calls as f64)
}

/// The calls alone. Not inlined: `ci/figures.sh` has callgrind count inside this function only.
#[inline(never)]
pub(crate) fn measured(act: &mut dyn Act, calls: usize) {
    for call in 0..calls {
        act.call(call);
    }
}
