//! From a description to a price, and from a price to a job.

use client::{Description, Farm};
use protocol::message::RefusedCode;
use protocol::{JobId, JobSpec, Quote, QuoteId, SceneId, Schedule, Tokens};
use serde::{Deserialize, Serialize};

use crate::book::{Book, BookError, CommitError, Desk, NewCommitment, Token};
use crate::gather::{Gather, Known};
use crate::news::News;
use crate::problem::{Kind, Problem};
use crate::scenes::{MakeError, Scenes, SendError};
use crate::views::now_ms;

/// Whoever prices and orders.
#[derive(Clone)]
pub struct Orders {
    /// The farm.
    pub farm: Farm,
    /// What was ordered before.
    pub book: Desk,
    /// What is ordered from.
    pub scenes: Scenes,
    /// Where jobs are seen.
    pub gather: Gather,
    /// Where they are told of.
    pub news: News,
}

/// An order as it was about to be given: after a crash the same one is given again, and is the same
/// job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    spec: JobSpec,
    quote: Quote,
    schedule: Schedule,
}

/// Why nothing was ordered, or why that is not known.
#[derive(Debug)]
pub struct Failure {
    /// What whoever asked is told.
    pub problem: Box<Problem>,
    /// Whether the order may have been taken, so that its key must not be forgotten.
    pub may_be_taken: bool,
    is_refused_by_farm: bool,
}

impl Failure {
    fn before(problem: impl Into<Problem>) -> Self {
        let problem = Box::new(problem.into());
        Self { problem, may_be_taken: false, is_refused_by_farm: false }
    }

    fn unknown(problem: impl Into<Problem>) -> Self {
        Self { may_be_taken: true, ..Self::before(problem) }
    }
}

/// Bytes of a note, at most.
const NOTE_BYTES_MAX: usize = 64 << 10;

impl Note {
    fn to_bytes(&self) -> Vec<u8> {
        protocol::encode(self)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        protocol::decode(bytes, NOTE_BYTES_MAX).ok()
    }
}

impl Orders {
    /// What a described job costs at most; waits until its scene is at the farm.
    ///
    /// # Errors
    /// The description, the scene, the farm.
    pub async fn quote(&self, job: &Description) -> Result<(JobSpec, Quote), Problem> {
        let scene = job.scene.parse::<SceneId>();
        let scene =
            scene.map_err(|error| Problem::new(Kind::Invalid, format!("scene: {error}")))?;
        let mut spec = job.spec(scene, &self.scenes.asks(scene), self.farm.id())?;
        if let (None, Some(name)) = (&job.name, self.scenes.job_name(scene)) {
            spec.name = name;
            spec.validate().map_err(|error| Problem::new(Kind::Invalid, error))?;
        }
        let offer = job.offer()?;
        let mut is_second = false;
        loop {
            match self.scenes.at_farm(scene).await {
                // It may be there all the same: another program sent it.
                Ok(()) | Err(SendError::Unknown(_)) => {}
                Err(error) => return Err(error.into()),
            }
            match self.farm.quote(&spec, offer).await {
                Ok(quote) => return Ok((spec, quote)),
                Err(error) if !is_second && is_missing(&error) => {
                    is_second = true;
                    self.scenes.is_lost(scene);
                    if self.scenes.get(scene).is_none() {
                        return Err(SendError::Unknown(scene).into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Prices and orders a described job for a token, within its limits. What is about to be
    /// ordered is noted under the token's key first.
    ///
    /// # Errors
    /// The description, the scene, limits, the farm.
    pub async fn order(
        &self,
        job: &Description,
        token: &Token,
        key: &str,
    ) -> Result<Known, Failure> {
        let max_cost = job.max_cost().map_err(Failure::before)?;
        let max_cost = max_cost.ok_or_else(|| {
            let detail = "max_cost: every order says what it may cost at most, as \"5.00\"";
            Failure::before(Problem::new(Kind::Invalid, detail).with("field", "max_cost"))
        })?;
        let schedule = job.schedule().map_err(Failure::before)?;
        let (spec, quote) = self.quote(job).await.map_err(Failure::before)?;
        if quote.price > max_cost {
            return Err(Failure::before(Problem::too_dear(quote.price, max_cost)));
        }
        let note = Note { spec, quote, schedule };
        let (id, key, bytes) = (token.id.clone(), key.to_owned(), note.to_bytes());
        let noted = self.book.with(move |book| book.note(&id, &key, &bytes));
        noted.await.map_err(|error| Failure::before(Problem::internal(&error)))?;
        self.give(note, token).await
    }

    /// Gives an order again that was noted before a crash; none where it was not taken and cannot be
    /// any more, so that the request begins anew.
    ///
    /// # Errors
    /// The farm; a note of another release, of which nobody knows whether it was taken.
    pub async fn give_again(&self, note: &[u8], token: &Token) -> Result<Option<Known>, Failure> {
        let note = Note::parse(note).ok_or_else(|| {
            let detail = "this order was begun by another release, and may have been given; look for its job, and order under another key if there is none";
            Failure::unknown(Problem::new(Kind::Conflict, detail))
        })?;
        match self.give(note, token).await {
            Ok(known) => Ok(Some(known)),
            Err(Failure { is_refused_by_farm: true, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Sets the price aside and gives the order; what was set aside before for the same order stays
    /// so once.
    async fn give(&self, note: Note, token: &Token) -> Result<Known, Failure> {
        self.commit(token, &note).await?;
        let Note { spec, quote, schedule } = note;
        match self.farm.order(&spec, &quote, schedule).await {
            Ok(job) => self.taken(quote.id, job).await,
            Err(error) if error.refusal().is_some() => {
                self.withdraw(quote.id).await;
                Err(Failure { is_refused_by_farm: true, ..Failure::before(error) })
            }
            Err(error) => Err(Failure::unknown(error)),
        }
    }

    /// Gives orders again of which it is not known whether they were taken, and which are older than
    /// this: nobody may come back for them, and they hold what they may cost.
    pub async fn settle_unknown(&self, older_than_ms: u64) -> Result<(), BookError> {
        let before_ms = now_ms().saturating_sub(older_than_ms);
        let open = self.book.with(Book::open_commitments).await?.into_iter();
        for unknown in open.filter(|it| it.job.is_none() && it.ordered_ms <= before_ms) {
            let Some(Note { spec, quote, schedule }) = Note::parse(&unknown.note) else {
                tracing::warn!(quote = %unknown.quote, "an order of another release counts until an owner looks at it");
                continue;
            };
            match self.farm.order(&spec, &quote, schedule).await {
                Ok(job) => drop(self.book.with(move |book| book.ordered(quote.id, job)).await?),
                Err(error) if error.refusal().is_some() => self.withdraw(quote.id).await,
                Err(error) => tracing::info!("it is still not known: {}", error.words()),
            }
        }
        Ok(())
    }

    /// The farm has it: whoever listens hears of it from [`Gather`].
    async fn taken(&self, quote: QuoteId, job: JobId) -> Result<Known, Failure> {
        let kept = self.book.with(move |book| book.ordered(quote, job));
        kept.await.map_err(|error| Failure::unknown(Problem::internal(&error)))?;
        self.gather.look().await.map_err(Failure::unknown)?;
        self.gather.get(job).ok_or_else(|| {
            let detail = format!("the farm took {job} and does not list it");
            Failure::unknown(Problem::new(Kind::FarmRefused, detail))
        })
    }

    async fn commit(&self, token: &Token, note: &Note) -> Result<(), Failure> {
        let new = NewCommitment {
            quote: note.quote.id,
            team: token.team.clone(),
            token: token.id.clone(),
            token_name: token.name.clone(),
            price: note.quote.price,
            note: note.to_bytes(),
        };
        let (news, team, jobs_max) = (self.news.clone(), token.team.clone(), token.jobs_max);
        let committed = self.book.with(move |book| {
            let committed = book.commit(new, jobs_max, now_ms());
            match (&committed, &team) {
                (Ok(committed), Some(team)) if committed.warned => {
                    let committed = book.committed(team, now_ms()).unwrap_or(Tokens::ZERO);
                    news.budget(book, team, false, committed);
                }
                (Err(CommitError::Budget { team, committed, .. }), _) => {
                    news.budget(book, team, true, *committed);
                }
                _nothing_to_tell => {}
            }
            committed
        });
        match committed.await {
            Ok(_committed) => Ok(()),
            Err(error @ CommitError::Budget { .. }) => {
                Err(Failure::before(Problem::new(Kind::BudgetExhausted, &error)))
            }
            Err(error @ CommitError::Quota { .. }) => {
                Err(Failure::before(Problem::new(Kind::QuotaExhausted, &error)))
            }
            Err(error) => Err(Failure::unknown(Problem::internal(&error))),
        }
    }

    /// Nothing came of it.
    async fn withdraw(&self, quote: QuoteId) {
        if let Err(error) = self.book.with(move |book| book.withdraw(quote)).await {
            tracing::error!("a budget counts an order that was not taken: {error}");
        }
    }
}

/// Whether the farm does not hold the scene.
fn is_missing(error: &client::Error) -> bool {
    error.refusal().is_some_and(|refused| refused.code == RefusedCode::NotFound)
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Make(error) => error.into(),
            SendError::Unknown(_) => Self::new(Kind::NotFound, error),
            SendError::Farm(error) if error.is_of_network() => {
                let detail = "the scene did not reach the farm; ask again later";
                Self::new(Kind::FarmAway, detail).after(5)
            }
            SendError::Farm(error) => Self::new(Kind::FarmRefused, error.words()),
        }
    }
}

impl From<MakeError> for Problem {
    fn from(error: MakeError) -> Self {
        match &error {
            MakeError::Missing(paths) => {
                Self::new(Kind::MissingFiles, &error).with("missing", paths.clone())
            }
            MakeError::Import(_) => Self::new(Kind::SceneRefused, &error),
            MakeError::Disk(_) => Self::internal(&error),
            _unusable => Self::new(Kind::Invalid, &error),
        }
    }
}

impl From<crate::gather::GatherError> for Problem {
    fn from(error: crate::gather::GatherError) -> Self {
        match error {
            crate::gather::GatherError::Farm(error) => error.into(),
            crate::gather::GatherError::Book(error) => Self::internal(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_or_not_at_all() {
        assert_eq!(Note::parse(b"nothing of ours"), None);
        assert_eq!(Note::parse(b""), None);
    }
}
