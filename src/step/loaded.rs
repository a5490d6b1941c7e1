//! What the app has loaded: every answer to what an operation asked, where "absent" and "not loaded" differ.

use alloc::vec::Vec;
use core::fmt;

use super::{
    Context, RecordError, RecordKey, Revision, Write,
    codec::{RecordHead, RecordType, body_of, decode_body, decode_record, open_record},
};
use crate::primitives::SecretBytes;

/// A stored record as the app loaded it.
#[derive(Debug)]
pub struct Record {
    revision: Revision,
    bytes: SecretBytes,
}

impl Record {
    /// The bytes and revision of a [`Write`] that the app stored, as it loaded them.
    #[must_use]
    pub fn new(revision: Revision, bytes: Vec<u8>) -> Self {
        Self { revision, bytes: SecretBytes::new(bytes) }
    }

    fn duplicate(&self) -> Self {
        Self::new(self.revision, self.bytes.to_vec())
    }
}

/// The records that an operation must see before it can go on. Answer each with [`Loaded::answer`], then run it again.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "load these records, answer them and run the operation again"]
pub struct Needs {
    keys: Vec<RecordKey>,
    /// How many there will be, so that the list grows once.
    about: usize,
}

impl Needs {
    pub(crate) const fn new() -> Self {
        Self::about(0)
    }

    /// Needs that will be so many, if there are any.
    pub(crate) const fn about(keys: usize) -> Self {
        Self { keys: Vec::new(), about: keys }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn add(&mut self, key: &RecordKey) {
        if !self.keys.contains(key) {
            self.keys.reserve_exact(if self.keys.is_empty() { self.about } else { 0 });
            self.keys.push(*key);
        }
    }

    /// Adds what another operation needs.
    pub(crate) fn add_all(&mut self, more: &Self) {
        more.keys.iter().for_each(|key| self.add(key));
    }

    /// The keys that are asked for, each once.
    #[must_use]
    pub fn keys(&self) -> &[RecordKey] {
        &self.keys
    }
}

/// A record that was asked for and not answered. It is not taken for absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered(pub RecordKey);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} was asked for and not answered", self.0)
    }
}

impl core::error::Error for Unanswered {}

/// The answers so far: for each key that was asked, a record or "absent".
#[derive(Debug, Default)]
pub struct Loaded(Vec<(RecordKey, Option<Record>)>);

impl Loaded {
    /// Nothing loaded yet: where every operation begins.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Answers needs one by one from a function that loads a record, `None` being "absent".
    ///
    /// # Errors
    /// The first error of `load`; answers before it are kept.
    pub fn answer<E>(
        &mut self,
        needs: Needs,
        mut load: impl FnMut(&RecordKey) -> Result<Option<Record>, E>,
    ) -> Result<(), E> {
        self.0.reserve(needs.keys.len());
        for key in needs.keys {
            let record = load(&key)?;
            self.insert(key, record);
        }
        Ok(())
    }

    /// Answers needs with what an app has loaded by itself, in any order; for stores that are asynchronous or load many keys at once.
    ///
    /// # Errors
    /// [`Unanswered`] where a key of `needs` is not among the answers.
    pub fn answer_with(
        &mut self,
        needs: Needs,
        answers: impl IntoIterator<Item = (RecordKey, Option<Record>)>,
    ) -> Result<(), Unanswered> {
        answers.into_iter().for_each(|(key, record)| self.insert(key, record));
        match needs.keys.iter().find(|key| self.place(key).is_err()) {
            Some(key) => Err(Unanswered(*key)),
            None => Ok(()),
        }
    }

    /// Whether all that was loaded is still in the store as it was. Where it is not, another process has written between two rounds of loading, and a refusal that
    /// follows from that may be wrong: load afresh and run the operation again.
    ///
    /// # Errors
    /// The first error of `load`.
    pub fn is_unchanged<E>(
        &self,
        mut load: impl FnMut(&RecordKey) -> Result<Option<Record>, E>,
    ) -> Result<bool, E> {
        for (key, answer) in &self.0 {
            let now = load(key)?;
            if now.map(|record| record.revision) != answer.as_ref().map(|record| record.revision) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where a key stands among the answers, which are kept in the order of their keys.
    fn place(&self, key: &RecordKey) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(key))
    }

    fn insert(&mut self, key: RecordKey, record: Option<Record>) {
        match self.place(&key) {
            Ok(place) => {
                if let Some((_, answer)) = self.0.get_mut(place) {
                    *answer = record;
                }
            }
            Err(place) => self.0.insert(place, (key, record)),
        }
    }

    /// A copy to lay a batch's writes over.
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.iter().map(|(key, answer)| (*key, answer.as_ref().map(Record::duplicate))).collect())
    }

    /// Takes a write as if it had been stored and loaded again.
    pub(crate) fn overlay(&mut self, write: &Write) {
        let record = write.bytes().map(|bytes| Record::new(write.revision(), bytes.to_vec()));
        self.insert(*write.key(), record);
    }

    /// The answer for a key: a record or "absent". What is not loaded yet is added to `needs`.
    fn look(&self, key: &RecordKey, needs: &mut Needs) -> Option<&Option<Record>> {
        let answer = self.place(key).ok().and_then(|place| self.0.get(place));
        if answer.is_none() {
            needs.add(key);
        }
        answer.map(|(_, record)| record)
    }

    /// Reads a record. One that is not loaded yet is added to `needs` and reads as absent; the operation looks at its needs before it believes so.
    pub(crate) fn read<'a, R: RecordType<'a>>(
        &'a self,
        key: RecordKey,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<R>, RecordError> {
        let record = self.look(&key, needs).and_then(Option::as_ref);
        let value = record.map(|record| decode_record(&key, &record.bytes, context)).transpose()?;
        Ok(Slot { key, revision: record.map(|record| record.revision), value })
    }

    /// The place of a record that is replaced whatever it says.
    pub(crate) fn slot<R>(&self, key: RecordKey, needs: &mut Needs) -> Slot<R> {
        let record = self.look(&key, needs).and_then(Option::as_ref);
        Slot { key, revision: record.map(|record| record.revision), value: None }
    }

    /// The first byte of a record's body; `None` where it is absent or not loaded yet.
    pub(crate) fn peek<'a, R: RecordType<'a>>(
        &'a self,
        key: RecordKey,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<u8>, RecordError> {
        match self.look(&key, needs) {
            Some(Some(record)) => body_of(&key, &record.bytes, R::KIND, context).map(|mut body| body.u8()),
            Some(None) | None => Ok(None),
        }
    }

    /// Reads a record that another generation wrote; `None` where there is none, or where it is of the context's already.
    pub(crate) fn restored<'a>(
        &'a self,
        key: RecordKey,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Option<Restored<'a>>, RecordError> {
        let Some(Some(Record { revision, bytes })) = self.look(&key, needs) else { return Ok(None) };
        let (generation, _) = open_record(&key, bytes, key.kind())?;
        Ok((generation != context.generation).then_some(Restored { key, revision: *revision, bytes }))
    }
}

/// A record of another generation: what came back from a backup.
pub(crate) struct Restored<'a> {
    key: RecordKey,
    revision: Revision,
    bytes: &'a [u8],
}

impl<'a> Restored<'a> {
    /// Its value and its place.
    pub(crate) fn decode<R: RecordType<'a>>(&self) -> Result<(Slot<R>, R), RecordError> {
        let (_, mut body) = open_record(&self.key, self.bytes, R::KIND)?;
        let value = decode_body(&self.key, &mut body)?;
        Ok((Slot { key: self.key, revision: Some(self.revision), value: None }, value))
    }

    /// The write that takes it over as it is.
    pub(crate) fn keep(&self, context: &Context<'_>) -> Write {
        let record = RecordHead::adopt(self.bytes, context.generation);
        Write::new(self.key, Some(self.revision), Some(record))
    }

    /// The write that removes it.
    pub(crate) fn delete(&self) -> Write {
        Write::new(self.key, Some(self.revision), None)
    }
}

/// A record's place in the store: what is there now, and the way to replace it.
#[derive(Debug)]
pub(crate) struct Slot<R> {
    key: RecordKey,
    revision: Option<Revision>,
    pub(crate) value: Option<R>,
}

impl<R: for<'a> RecordType<'a>> Slot<R> {
    /// The place and value as a write leaves them, to be written once more over what that one replaces.
    pub(crate) fn of_write(write: &Write, context: &Context<'_>) -> Result<Self, RecordError> {
        let key = *write.key();
        let value = write.bytes().map(|bytes| decode_record(&key, bytes, context)).transpose()?;
        Ok(Self { key, revision: write.replaces(), value })
    }
}

impl<'a, R: RecordType<'a>> Slot<R> {
    /// The place of a record that is new by its key: made of fresh random bytes.
    pub(crate) const fn absent(key: RecordKey) -> Self {
        Self { key, revision: None, value: None }
    }

    /// The write that puts `value` here.
    pub(crate) fn write(&self, mut value: R, context: &Context<'_>) -> Write {
        self.write_in_place(&mut value, context)
    }

    /// The same, of a value that is used up where it stands.
    pub(crate) fn write_in_place(&self, value: &mut R, context: &Context<'_>) -> Write {
        let head = RecordHead::new(R::KIND, context.generation);
        Write::new(self.key, self.revision, Some(value.take_record(head)))
    }

    /// The write that stores the value as it was changed in place; `None` where nothing is.
    pub(crate) fn rewrite(&mut self, context: &Context<'_>) -> Option<Write> {
        let head = RecordHead::new(R::KIND, context.generation);
        let record = self.value.as_mut()?.take_record(head);
        Some(Write::new(self.key, self.revision, Some(record)))
    }

    /// The write that removes what is here; `None` where nothing is.
    pub(crate) fn delete(&self) -> Option<Write> {
        self.revision.map(|revision| Write::new(self.key, Some(revision), None))
    }
}
