//! From a description to a price, and from a price to a job.

use client::{Description, Farm};
use protocol::message::RefusedCode;
use protocol::{JobId, JobSpec, Quote, SceneId, Schedule, Tokens};
use serde::{Deserialize, Serialize};

use crate::book::{Book, CommitError, NewCommitment, Token};
use crate::gather::{Gather, Known};
use crate::news::{Happened, News};
use crate::problem::{Kind, Problem, words};
use crate::scenes::{MakeError, Scenes, SendError};
use crate::views::now_ms;

/// Whoever prices and orders.
#[derive(Clone)]
pub struct Orders {
    /// The farm.
    pub farm: Farm,
    /// What was ordered before.
    pub book: Book,
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
    /// The description, the scene, limits, the farm. `true` beside a problem means that the order may
    /// have been taken, so that the key must not be forgotten.
    pub async fn order(
        &self,
        job: &Description,
        token: &Token,
        key: &str,
    ) -> Result<Known, (Problem, bool)> {
        let before = |problem: Problem| (problem, false);
        let max_cost = job.max_cost().map_err(Problem::from).map_err(before)?;
        let max_cost = max_cost.ok_or_else(|| {
            let detail = "max_cost: every order says what it may cost at most, as \"5.00\"";
            before(Problem::new(Kind::Invalid, detail).with("field", "max_cost"))
        })?;
        let schedule = job.schedule().map_err(Problem::from).map_err(before)?;
        let (spec, quote) = self.quote(job).await.map_err(before)?;
        if quote.price > max_cost {
            return Err(before(Problem::too_dear(quote.price, max_cost)));
        }
        let note = Note { spec, quote, schedule };
        let noted = self.book.note(&token.id, key, &note.to_bytes());
        noted.map_err(|error| before(Problem::internal(&error)))?;
        self.give(note, token).await
    }

    /// Gives an order again that was noted before a crash; none where it was never taken and can
    /// not be any more, so that the request begins anew.
    ///
    /// # Errors
    /// The farm, with `true` where it may have taken it.
    pub async fn give_again(
        &self,
        note: &[u8],
        token: &Token,
    ) -> Result<Option<Known>, (Problem, bool)> {
        let Some(note) = Note::parse(note) else { return Ok(None) };
        match self.give(note, token).await {
            Ok(known) => Ok(Some(known)),
            Err((_refused, false)) => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Sets the price aside and gives the order; what was set aside before for the same order stays
    /// so once.
    async fn give(&self, note: Note, token: &Token) -> Result<Known, (Problem, bool)> {
        let Note { spec, quote, schedule } = note;
        self.commit(token, &quote).map_err(|problem| (problem, false))?;
        match self.farm.order(&spec, &quote, schedule).await {
            Ok(job) => self.taken(&quote, job).await,
            Err(error) => {
                let is_refused = error.refusal().is_some();
                if is_refused {
                    self.withdraw(&quote);
                }
                Err((error.into(), !is_refused))
            }
        }
    }

    /// The farm has it: the book and everybody who listens are told.
    async fn taken(&self, quote: &Quote, job: JobId) -> Result<Known, (Problem, bool)> {
        let kept = |problem: Problem| (problem, true);
        let commitment = self.book.ordered(quote.id, job);
        commitment.map_err(|error| kept(Problem::internal(&error)))?;
        let looked = self.gather.look().await;
        looked.map_err(|error| kept(error.into()))?;
        let known = self.gather.get(job).ok_or_else(|| {
            kept(Problem::new(Kind::FarmRefused, format!("the farm took {job} and lists it not")))
        })?;
        self.news.jobs(vec![Happened::ordered(&known)]);
        Ok(known)
    }

    fn commit(&self, token: &Token, quote: &Quote) -> Result<(), Problem> {
        let new = NewCommitment {
            quote: quote.id,
            team: token.team.clone(),
            token: token.id.clone(),
            token_name: token.name.clone(),
            price: quote.price,
        };
        match self.book.commit(new, token.jobs_max, now_ms()) {
            Ok(committed) => {
                if let (true, Some(team)) = (committed.warned, &token.team) {
                    self.news.budget(team, false, self.committed(team));
                }
                Ok(())
            }
            Err(error @ CommitError::Budget { .. }) => {
                if let CommitError::Budget { team, committed, .. } = &error {
                    self.news.budget(team, true, *committed);
                }
                Err(Problem::new(Kind::BudgetExhausted, &error))
            }
            Err(error @ CommitError::Quota { .. }) => {
                Err(Problem::new(Kind::QuotaExhausted, &error))
            }
            Err(error) => Err(Problem::internal(&error)),
        }
    }

    fn committed(&self, team: &str) -> Tokens {
        self.book.committed(team, now_ms()).unwrap_or(Tokens::ZERO)
    }

    /// Nothing came of it.
    fn withdraw(&self, quote: &Quote) {
        if let Err(error) = self.book.withdraw(quote.id) {
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
            MakeError::Import(_) => Self::new(Kind::SceneRefused, words(&error)),
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
    fn a_note_that_is_none_begins_anew() {
        assert_eq!(Note::parse(b"nothing of ours"), None);
    }
}
