//! Many operations, one commit.

use alloc::{collections::BTreeMap, vec::Vec};
use core::convert::Infallible;

use super::{Context, Loaded, Needs, Operation, RecordKey, Run, Sealed, Step, Write};

/// Operations that are committed together: each sees what those before it wrote, and all their writes are one step.
///
/// The output is a result for each operation, in order. One that is refused changes nothing and does not stop the others. Results are held
/// until the store said `Ok`, errors too: "a duplicate" may be one of a message earlier in the same batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, O>(pub &'a [O]);

impl<O> Sealed for Batch<'_, O> {}

impl<O: Operation> Operation for Batch<'_, O> {
    type Output = Vec<Result<O::Output, O::Error>>;
    type Error = Infallible;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Self::Output>, Infallible> {
        let mut overlay = have.duplicate();
        let mut writes: BTreeMap<RecordKey, Write> = BTreeMap::new();
        let mut needs = Needs::new();
        let mut outputs = Vec::with_capacity(self.0.len());
        for (place, operation) in self.0.iter().enumerate() {
            context.batched = place;
            match operation.run(&overlay, context) {
                Ok(Run::Needs(more)) => needs.add_all(&more),
                Ok(Run::Done(step)) => {
                    for write in step.writes {
                        overlay.overlay(&write);
                        merge(&mut writes, write);
                    }
                    outputs.push(Ok(step.output));
                }
                Err(error) => outputs.push(Err(error)),
            }
        }
        context.batched = 0;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        Ok(Run::Done(Step::new(writes.into_values().collect(), outputs)))
    }
}

/// One write for each record: the newest bytes over the revision that the store holds. What was made and removed again is no write.
fn merge(writes: &mut BTreeMap<RecordKey, Write>, write: Write) {
    let key = *write.key();
    let merged = match writes.remove(&key) {
        Some(earlier) => write.after(&earlier),
        None => write,
    };
    if merged.replaces().is_some() || merged.bytes().is_some() {
        writes.insert(key, merged);
    }
}
