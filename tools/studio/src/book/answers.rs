//! Answers already given, so that a request sent twice is done once.
//!
//! Who asks for something that spends names it by a key. [`Book::begin`] says what the book knows
//! of that key; who finds it [`Begun::Fresh`] does the work and ends with [`Book::finish`], with
//! [`Book::forget`] where nothing was done, or, where it cannot say, with [`Book::let_go`].

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use redb::{TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::text::as_base64;
use super::{Book, BookError, Keep, Row, encode, get};

/// By token and key.
const ANSWERS: TableDefinition<'static, (&str, &str), Row> = TableDefinition::new("answers");
/// The same by when they were begun.
const BEGUN: TableDefinition<'static, (u64, &str, &str), ()> =
    TableDefinition::new("answers_begun");
/// How long an answer is given again, from when its request was begun: 24 hours in milliseconds.
pub const KEPT_MS: u64 = Duration::from_hours(24).as_millis() as u64;

/// An answer of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    #[serde(with = "as_base64")]
    pub body: Vec<u8>,
    /// Its `Location`.
    #[serde(default)]
    pub location: Option<String>,
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: it is begun now, and under way.
    Fresh,
    /// It was answered.
    Again(Answer),
    /// Its key was used with another body.
    OtherBody,
    /// This process is at it.
    UnderWay,
    /// It was begun and never answered, by an earlier process or one that [let go](Book::let_go):
    /// from now on it is under way here.
    Interrupted {
        /// What was noted last; `None` where nothing was, so that nothing had been done.
        note: Option<Vec<u8>>,
    },
}

#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(with = "as_base64")]
    fingerprint: [u8; 32],
    begun_ms: u64,
    #[serde(default)]
    note: Option<Note>,
    #[serde(default)]
    answer: Option<Answer>,
}

#[derive(Serialize, Deserialize)]
struct Note(#[serde(with = "as_base64")] Vec<u8>);

type UnderWay<'a> = MutexGuard<'a, BTreeSet<(String, String)>>;

impl Book {
    /// Begins a request of a token, or says why not; `fingerprint` is a hash of all that must be
    /// the same for it to be the same request.
    ///
    /// # Errors
    /// [`BookError`]; the request is not begun then.
    pub fn begin(
        &self,
        token: &str,
        key: &str,
        fingerprint: [u8; 32],
        now_ms: u64,
    ) -> Result<Begun, BookError> {
        // Held throughout, here and below: what is under way and what is written agree.
        let mut under_way = self.lock();
        let known = self.known(&under_way, (token, key), fingerprint, now_ms)?;
        match known {
            Begun::Fresh => {
                let begun_ms = now_ms;
                let record = Record { fingerprint, begun_ms, note: None, answer: None };
                self.write(Keep::Now, |change| {
                    remove(change, token, key)?;
                    insert(change, token, key, &record)
                })?;
            }
            Begun::Interrupted { .. } => {}
            Begun::Again(_) | Begun::OtherBody | Begun::UnderWay => return Ok(known),
        }
        under_way.insert((token.to_owned(), key.to_owned()));
        Ok(known)
    }

    /// What [`begin`](Self::begin) would say, without beginning anything.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn look(
        &self,
        token: &str,
        key: &str,
        fingerprint: [u8; 32],
        now_ms: u64,
    ) -> Result<Begun, BookError> {
        let under_way = self.lock();
        self.known(&under_way, (token, key), fingerprint, now_ms)
    }

    fn known(
        &self,
        under_way: &BTreeSet<(String, String)>,
        (token, key): (&str, &str),
        fingerprint: [u8; 32],
        now_ms: u64,
    ) -> Result<Begun, BookError> {
        let busy = under_way.contains(&(token.to_owned(), key.to_owned()));
        let old = get::<_, Record>("answers", &self.read()?.open_table(ANSWERS)?, (token, key))?;
        let old = old.filter(|old| busy || now_ms.saturating_sub(old.begun_ms) < KEPT_MS);
        Ok(match old {
            Some(old) if old.fingerprint != fingerprint => Begun::OtherBody,
            Some(Record { answer: Some(answer), .. }) => Begun::Again(answer),
            Some(_) if busy => Begun::UnderWay,
            Some(old) => Begun::Interrupted { note: old.note.map(|note| note.0) },
            None => Begun::Fresh,
        })
    }

    /// Notes how far a request that is under way has come, in place of what was noted before:
    /// what must be known to go on with it after a crash. Nothing where it was not begun.
    ///
    /// # Errors
    /// [`BookError`]; what was noted before stands.
    pub fn note(&self, token: &str, key: &str, note: &[u8]) -> Result<(), BookError> {
        let _under_way = self.lock();
        self.update(token, key, |record| record.note = Some(Note(note.to_vec())))
    }

    /// Ends a request with its answer, which is given again from now on.
    ///
    /// # Errors
    /// [`BookError`]; the request is no longer under way, and the next like it is
    /// [`Begun::Interrupted`].
    pub fn finish(&self, token: &str, key: &str, answer: &Answer) -> Result<(), BookError> {
        let mut under_way = self.lock();
        let done = self.update(token, key, |record| {
            record.answer = Some(answer.clone());
            record.note = None;
        });
        under_way.remove(&(token.to_owned(), key.to_owned()));
        done
    }

    /// Ends a request that did nothing: its key is free again.
    ///
    /// # Errors
    /// [`BookError`]; the request is no longer under way, and the next like it is
    /// [`Begun::Interrupted`].
    pub fn forget(&self, token: &str, key: &str) -> Result<(), BookError> {
        let mut under_way = self.lock();
        let done = self.write(Keep::Now, |change| remove(change, token, key));
        under_way.remove(&(token.to_owned(), key.to_owned()));
        done
    }

    /// Leaves a request without saying what came of it, as when its caller was dropped: the next
    /// like it is [`Begun::Interrupted`]. Nothing where it has ended. Writes nothing.
    pub fn let_go(&self, token: &str, key: &str) {
        self.lock().remove(&(token.to_owned(), key.to_owned()));
    }

    /// Forgets what was begun 24 hours ago and is not under way; how many requests.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn prune(&self, now_ms: u64) -> Result<usize, BookError> {
        let under_way = self.lock();
        let end_ms = (now_ms + 1).saturating_sub(KEPT_MS);
        let mut old = Vec::new();
        for row in self.read()?.open_table(BEGUN)?.range(..(end_ms, "", ""))? {
            let row = row?;
            let (_, token, key) = row.0.value();
            old.push((token.to_owned(), key.to_owned()));
        }
        old.retain(|name| !under_way.contains(name));
        if !old.is_empty() {
            self.write(Keep::Now, |change| {
                old.iter().try_for_each(|(token, key)| remove(change, token, key))
            })?;
        }
        Ok(old.len())
    }

    fn update(
        &self,
        token: &str,
        key: &str,
        to: impl FnOnce(&mut Record),
    ) -> Result<(), BookError> {
        self.write(Keep::Now, |change| {
            let record = get("answers", &change.open_table(ANSWERS)?, (token, key))?;
            let Some(mut record) = record else {
                return Ok(());
            };
            to(&mut record);
            insert(change, token, key, &record)
        })
    }

    fn lock(&self) -> UnderWay<'_> {
        // A set is whole after any panic.
        self.under_way().lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the tables.
pub(super) fn create(change: &WriteTransaction) -> Result<(), BookError> {
    change.open_table(ANSWERS)?;
    change.open_table(BEGUN)?;
    Ok(())
}

fn insert(
    change: &WriteTransaction,
    token: &str,
    key: &str,
    record: &Record,
) -> Result<(), BookError> {
    change.open_table(ANSWERS)?.insert((token, key), &encode(record)[..])?;
    change.open_table(BEGUN)?.insert((record.begun_ms, token, key), ())?;
    Ok(())
}

fn remove(change: &WriteTransaction, token: &str, key: &str) -> Result<(), BookError> {
    let mut answers = change.open_table(ANSWERS)?;
    if let Some(old) = get::<_, Record>("answers", &answers, (token, key))? {
        answers.remove((token, key))?;
        change.open_table(BEGUN)?.remove((old.begun_ms, token, key))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::scratch::{book, power_cut};

    const BODY: [u8; 32] = [1; 32];

    fn answer() -> Answer {
        let body = vec![0, 255, b'{'];
        Answer { status: 201, body, location: Some("/v1/jobs/job_1".to_owned()) }
    }

    #[test]
    fn a_request_is_done_once_and_answered_again_through_restarts() {
        let (dir, book) = book();
        let begin = |book: &Book, token: &str, now_ms| {
            book.begin(token, "key", BODY, now_ms).expect("it works")
        };
        assert_eq!(begin(&book, "tok_a", 1), Begun::Fresh);
        assert_eq!(begin(&book, "tok_a", 2), Begun::UnderWay);
        assert_eq!(begin(&book, "tok_b", 2), Begun::Fresh);
        let other = book.begin("tok_a", "key", [2; 32], 2).expect("it works");
        assert_eq!(other, Begun::OtherBody);
        book.finish("tok_a", "key", &answer()).expect("it works");
        assert_eq!(begin(&book, "tok_a", 3), Begun::Again(answer()));
        let (_after, book) = power_cut(dir.path());
        assert_eq!(begin(&book, "tok_a", KEPT_MS), Begun::Again(answer()));
        let other = book.begin("tok_a", "key", [2; 32], 4).expect("it works");
        assert_eq!(other, Begun::OtherBody);
        // Its day is over, pruned or not.
        assert_eq!(begin(&book, "tok_a", KEPT_MS + 1), Begun::Fresh);
    }

    #[test]
    fn what_an_earlier_process_began_is_gone_on_with() {
        let (dir, book) = book();
        let begin = |book: &Book, key: &str| book.begin("tok_a", key, BODY, 1).expect("it works");
        for key in ["bare", "noted"] {
            assert_eq!(begin(&book, key), Begun::Fresh);
        }
        book.note("tok_a", "noted", b"quote 1").expect("it works");
        book.note("tok_a", "noted", b"quote 2").expect("it works");
        let (_after, book) = power_cut(dir.path());
        assert_eq!(begin(&book, "bare"), Begun::Interrupted { note: None });
        let noted = Begun::Interrupted { note: Some(b"quote 2".to_vec()) };
        assert_eq!(begin(&book, "noted"), noted);
        assert_eq!(begin(&book, "noted"), Begun::UnderWay);
        book.let_go("tok_a", "noted");
        assert_eq!(begin(&book, "noted"), noted);
        book.finish("tok_a", "noted", &answer()).expect("it works");
        assert_eq!(begin(&book, "noted"), Begun::Again(answer()));
    }

    #[test]
    fn looking_begins_nothing() {
        let (_dir, book) = book();
        let look = |body| book.look("tok_a", "key", body, 1).expect("it works");
        let begin = || book.begin("tok_a", "key", BODY, 1).expect("it works");
        assert_eq!((look(BODY), look(BODY)), (Begun::Fresh, Begun::Fresh));
        assert_eq!(begin(), Begun::Fresh);
        assert_eq!((look(BODY), look([2; 32])), (Begun::UnderWay, Begun::OtherBody));
        book.let_go("tok_a", "key");
        assert_eq!(look(BODY), Begun::Interrupted { note: None });
        assert_eq!(begin(), Begun::Interrupted { note: None });
        book.finish("tok_a", "key", &answer()).expect("it works");
        assert_eq!(look(BODY), Begun::Again(answer()));
    }

    #[test]
    fn what_did_nothing_leaves_its_key_free() {
        let (_dir, book) = book();
        book.begin("tok_a", "key", BODY, 1).expect("it works");
        book.forget("tok_a", "key").expect("it works");
        assert_eq!(book.begin("tok_a", "key", [2; 32], 2).expect("it works"), Begun::Fresh);
        // Nothing to note or to answer.
        book.note("tok_a", "other", b"note").expect("it works");
        book.finish("tok_a", "other", &answer()).expect("it works");
        assert_eq!(book.begin("tok_a", "other", BODY, 2).expect("it works"), Begun::Fresh);
    }

    #[test]
    fn a_day_later_all_is_forgotten_but_what_is_under_way() {
        let (_dir, book) = book();
        for (key, now_ms) in [("done", 1), ("busy", 1), ("later", 2)] {
            book.begin("tok_a", key, BODY, now_ms).expect("it works");
        }
        book.finish("tok_a", "done", &answer()).expect("it works");
        book.finish("tok_a", "later", &answer()).expect("it works");
        assert_eq!(book.prune(KEPT_MS).expect("it works"), 0);
        assert_eq!(book.prune(KEPT_MS + 1).expect("it works"), 1);
        let begin = |key| book.begin("tok_a", key, BODY, KEPT_MS + 1).expect("it works");
        assert_eq!(begin("busy"), Begun::UnderWay);
        assert_eq!(begin("later"), Begun::Again(answer()));
        assert_eq!(begin("done"), Begun::Fresh);
        book.let_go("tok_a", "busy");
        assert_eq!(book.prune(KEPT_MS + 1).expect("it works"), 1);
        assert_eq!(book.prune(2 * KEPT_MS + 1).expect("it works"), 1);
    }
}
