//! What was ordered through this door: whose it is, and what it may cost.

mod rows;

use protocol::{JobId, QuoteId, Tokens};
use redb::{ReadableTable as _, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::text::{as_base64, as_optional_text, as_text};
use super::{AtLimit, Book, BookError, Budget, Keep, Period, get, teams};
pub(super) use rows::create;
use rows::{COMMITMENTS, JOBS, OPEN, SPENT, find, replace, spent, unfinished};

/// An order that is about to be given, was given, or is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// The quote that is ordered.
    #[serde(with = "as_text")]
    pub quote: QuoteId,
    /// The job that came of it; `None` until the farm has said so.
    #[serde(with = "as_optional_text", default)]
    pub job: Option<JobId>,
    /// The team that it counts for.
    #[serde(default)]
    pub team: Option<String>,
    /// The id of the token that ordered it.
    pub token: String,
    /// What the token was called.
    pub token_name: String,
    /// What it costs at most.
    #[serde(with = "protocol::tokens::as_text")]
    pub price: Tokens,
    /// What came back of that.
    #[serde(with = "protocol::tokens::as_text")]
    pub refunded: Tokens,
    /// When it was ordered: milliseconds since 1970.
    pub ordered_ms: u64,
    /// Whether it has ended, so that it counts for no quota any more.
    pub over: bool,
    /// The order itself, as whoever gives it wrote it: what is given again where it is not known
    /// whether it was taken. Empty once that is known.
    #[serde(with = "as_base64", default)]
    pub note: Vec<u8>,
}

/// An order to be given; the fields are [`Commitment`]'s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommitment {
    /// The quote that is ordered.
    pub quote: QuoteId,
    /// The team that it counts for.
    pub team: Option<String>,
    /// The id of the token that orders it.
    pub token: String,
    /// What the token is called.
    pub token_name: String,
    /// What it costs at most.
    pub price: Tokens,
    /// The order itself.
    pub note: Vec<u8>,
}

/// What [`Book::commit`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// This order is the one with which the team's budget reaches its warning.
    pub warned: bool,
    /// It was committed before, and nothing was changed.
    pub already: bool,
}

/// Why an order may not be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The team's budget does not cover it.
    #[error(
        "the budget of team {team} is {amount} tokens, of which {committed} are committed, and \
         this costs up to {price}; wait for a job to return something or ask an owner for more"
    )]
    Budget {
        /// The team.
        team: String,
        /// Its budget.
        amount: Tokens,
        /// What of it is committed.
        committed: Tokens,
        /// What was to be added.
        price: Tokens,
    },
    /// The token has as many unfinished jobs as it may have.
    #[error(
        "the token has {unfinished} unfinished jobs and may have {jobs_max}; wait for one to end"
    )]
    Quota {
        /// What it may have.
        jobs_max: u32,
        /// What it has.
        unfinished: u32,
    },
    /// The same quote was committed by another token, or at another price.
    #[error("the quote is another order's; ask for a new one: {quote}")]
    Taken {
        /// The quote.
        quote: QuoteId,
    },
    /// The book failed.
    #[error(transparent)]
    Book(#[from] BookError),
}

impl Commitment {
    /// What counts: the price less what came back.
    #[must_use]
    pub fn counts(&self) -> Tokens {
        self.price.checked_sub(self.refunded).unwrap_or(Tokens::ZERO)
    }
}

impl Book {
    /// Sets an order's price aside before it is given, if its team's budget covers it and its
    /// token may have `jobs_max` unfinished jobs, this one included.
    ///
    /// The check and the setting aside are one change, so that two orders never share what is left
    /// of a budget. A quote that is committed already is so once: the same order again, as after a
    /// crash, changes nothing and is not checked again.
    ///
    /// # Errors
    /// - [`CommitError::Budget`], [`CommitError::Quota`] too much
    /// - [`CommitError::Taken`] the quote is another order's
    /// - [`CommitError::Book`]
    pub fn commit(
        &self,
        new: NewCommitment,
        jobs_max: Option<u32>,
        now_ms: u64,
    ) -> Result<Committed, CommitError> {
        self.write(Keep::Now, |change| {
            if let Some(old) = find(change, new.quote)? {
                return match old.token == new.token && old.price == new.price {
                    true => Ok(Committed { warned: false, already: true }),
                    false => Err(CommitError::Taken { quote: new.quote }),
                };
            }
            if let Some(jobs_max) = jobs_max {
                let unfinished = unfinished(change, &new.token)?;
                if unfinished >= jobs_max {
                    return Err(CommitError::Quota { jobs_max, unfinished });
                }
            }
            let warned = match &new.team {
                Some(team) => fits(change, team, new.price, now_ms)?,
                None => false,
            };
            replace(change, None, Some(&new.into_commitment(now_ms)))?;
            Ok(Committed { warned, already: false })
        })
    }

    /// Notes the job that came of a quote; what was committed, or `None` where nothing was.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn ordered(&self, quote: QuoteId, job: JobId) -> Result<Option<Commitment>, BookError> {
        self.change(quote, |old| {
            Some(Commitment { job: Some(job), note: Vec::new(), ..old.clone() })
        })
    }

    /// Takes a commitment back, since its order was not taken; what it was, or `None` where
    /// nothing was committed.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn withdraw(&self, quote: QuoteId) -> Result<Option<Commitment>, BookError> {
        let old = self.of_quote(quote)?;
        self.change(quote, |_old| None)?;
        Ok(old)
    }

    /// Notes what of a job's price has come back so far, and whether it has ended; what is
    /// committed now, or `None` where this door did not order the job. Where nothing changes,
    /// nothing is written.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn settle(
        &self,
        job: JobId,
        refunded: Tokens,
        over: bool,
    ) -> Result<Option<Commitment>, BookError> {
        match self.of_job(job)? {
            Some(now) if now.refunded == refunded && now.over == over => Ok(Some(now)),
            Some(now) => {
                self.change(now.quote, |old| Some(Commitment { refunded, over, ..old.clone() }))
            }
            None => Ok(None),
        }
    }

    /// What a job is to this door; `None` where it did not order it.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn of_job(&self, job: JobId) -> Result<Option<Commitment>, BookError> {
        let view = self.read()?;
        let Some(quote) = view.open_table(JOBS)?.get(&job.0)? else {
            return Ok(None);
        };
        get("commitments", &view.open_table(COMMITMENTS)?, quote.value())
    }

    /// What was committed for a quote.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn of_quote(&self, quote: QuoteId) -> Result<Option<Commitment>, BookError> {
        get("commitments", &self.read()?.open_table(COMMITMENTS)?, &quote.0)
    }

    /// All that are not over, the oldest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open_commitments(&self) -> Result<Vec<Commitment>, BookError> {
        let view = self.read()?;
        let commitments = view.open_table(COMMITMENTS)?;
        let mut open: Vec<Commitment> = Vec::new();
        for row in view.open_table(OPEN)?.iter()? {
            open.extend(get("commitments", &commitments, row?.0.value().1)?);
        }
        open.sort_by_key(|commitment| (commitment.ordered_ms, commitment.quote));
        Ok(open)
    }

    /// What counts against a team's budget in its current period; of all time where it has none.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn committed(&self, team: &str, now_ms: u64) -> Result<Tokens, BookError> {
        let kept = self.team(team)?;
        let budget = kept.and_then(|team| team.budget);
        let period = budget.map_or(Period::All, |budget| budget.period);
        spent(&self.read()?.open_table(SPENT)?, team, period, now_ms)
    }

    /// Teams whose commitments exceed a budget that pauses at its limit, by name.
    ///
    /// Since no order is taken beyond a budget, one is exceeded only when it was lowered.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn over_budget(&self, now_ms: u64) -> Result<Vec<String>, BookError> {
        let mut over = Vec::new();
        let teams = self.teams()?;
        let view = self.read()?;
        let sums = view.open_table(SPENT)?;
        for team in teams {
            if let Some(Budget { amount, period, at_limit: AtLimit::Pause, .. }) = team.budget
                && spent(&sums, &team.team, period, now_ms)? > amount
            {
                over.push(team.team);
            }
        }
        Ok(over)
    }

    /// Replaces or removes a commitment; what it is then.
    fn change(
        &self,
        quote: QuoteId,
        to: impl FnOnce(&Commitment) -> Option<Commitment>,
    ) -> Result<Option<Commitment>, BookError> {
        self.write(Keep::Now, |change| {
            let Some(old) = find(change, quote)? else {
                return Ok(None);
            };
            let new = to(&old);
            replace(change, Some(&old), new.as_ref())?;
            Ok(new)
        })
    }
}

impl NewCommitment {
    fn into_commitment(self, ordered_ms: u64) -> Commitment {
        let Self { quote, team, token, token_name, price, note } = self;
        let refunded = Tokens::ZERO;
        let (job, over) = (None, false);
        Commitment { quote, job, team, token, token_name, price, refunded, ordered_ms, over, note }
    }
}

/// Whether a price reaches the warning of a team's budget, which must cover it.
fn fits(
    change: &WriteTransaction,
    team: &str,
    price: Tokens,
    now_ms: u64,
) -> Result<bool, CommitError> {
    let Some(budget) = teams::find(change, team)?.and_then(|team| team.budget) else {
        return Ok(false);
    };
    let sums = change.open_table(SPENT).map_err(BookError::from)?;
    let committed = spent(&sums, team, budget.period, now_ms)?;
    let Budget { amount, warn_percent, .. } = budget;
    let Some(then) = committed.checked_add(price).filter(|&then| then <= amount) else {
        return Err(CommitError::Budget { team: team.to_owned(), amount, committed, price });
    };
    let warns = |spent: Tokens| {
        spent.micro().saturating_mul(100) >= amount.micro().saturating_mul(warn_percent.into())
    };
    Ok(warns(then) && !warns(committed))
}

#[cfg(test)]
mod tests;
