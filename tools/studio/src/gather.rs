//! The studio's jobs as last heard of them: asked for once, for whoever wants to see them.
//!
//! A farm has no word for "what is new of all my jobs", so the list is read again and again: each
//! second while jobs are open, its newest page otherwise. Tiles are counted for a few jobs at a
//! time, those first whose count is oldest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use client::{Error, Farm};
use protocol::JobId;
use protocol::limits::PAGE_ROWS_MAX;
use protocol::view::{JobStatus, JobSummary, TileStatus};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::book::{Book, BookError, Desk};
use crate::news::{Happened, News};
use crate::views;
use protocol::chain;

/// How often the list is read while jobs are open.
const OPEN_EVERY: Duration = Duration::from_secs(1);
/// How often it is read otherwise.
const IDLE_EVERY: Duration = Duration::from_secs(5);
/// Jobs whose tiles are counted in one round.
const COUNTED_PER_ROUND: usize = 8;
/// Jobs whose tiles are counted before their end is told, and how long the list waits for all of
/// them; others are told with their last count.
const ENDED_COUNTED_MAX: usize = 50;
const ENDED_COUNTED_WITHIN: Duration = Duration::from_secs(3);

/// A job as last heard of.
#[derive(Debug, Clone)]
pub struct Known {
    /// The farm's word on it.
    pub summary: JobSummary,
    /// Whose budget it is on.
    pub team: Option<String>,
    /// Name of the token that ordered it.
    pub submitted_by: Option<String>,
    /// Tiles that were accepted when they were last counted.
    pub tiles_accepted: u64,
    counted: Option<(u32, u64)>,
}

impl Known {
    /// For whoever asks over HTTP.
    #[must_use]
    pub fn view(&self) -> views::Job {
        let (team, by) = (self.team.clone(), self.submitted_by.clone());
        views::Job::of(&self.summary, team, by, self.tiles_accepted)
    }
}

#[derive(Default)]
struct Jobs {
    by_id: BTreeMap<JobId, Known>,
    by_age: BTreeSet<(u64, JobId)>,
}

/// The studio's jobs.
#[derive(Clone)]
pub struct Gather {
    inner: Arc<Inner>,
}

struct Inner {
    farm: Farm,
    book: Desk,
    news: News,
    jobs: RwLock<Jobs>,
    round: Arc<tokio::sync::Mutex<u64>>,
    wake: Notify,
}

/// Where a list goes on: after the job of this time and id.
pub type Place = (u64, JobId);

impl Gather {
    /// Reads all jobs once.
    ///
    /// # Errors
    /// The farm, or the book.
    pub async fn open(farm: Farm, book: Desk, news: News) -> Result<Self, GatherError> {
        let (jobs, wake) = (RwLock::default(), Notify::new());
        let round = Arc::default();
        let gather = Self { inner: Arc::new(Inner { farm, book, news, jobs, round, wake }) };
        gather.read_list().await?;
        Ok(gather)
    }

    /// A job.
    #[must_use]
    pub fn get(&self, job: JobId) -> Option<Known> {
        self.inner.read().by_id.get(&job).cloned()
    }

    /// At most `limit` jobs that `wanted` takes, newest first, older than `after`; and where it goes
    /// on, unless there are no more.
    pub fn list(
        &self,
        after: Option<Place>,
        limit: usize,
        wanted: impl Fn(&Known) -> bool,
    ) -> (Vec<Known>, Option<Place>) {
        let jobs = self.inner.read();
        let end = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rows = jobs
            .by_age
            .range((Bound::Unbounded, end))
            .rev()
            .filter_map(|place| Some((*place, jobs.by_id.get(&place.1)?)))
            .filter(|(_, known)| wanted(known));
        let taken: Vec<(Place, Known)> =
            rows.by_ref().take(limit).map(|(place, known)| (place, known.clone())).collect();
        let more = rows.next().and(taken.last()).map(|(place, _)| *place);
        (taken.into_iter().map(|(_, known)| known).collect(), more)
    }

    /// Jobs of a team that are not over.
    #[must_use]
    pub fn open_of_team(&self, team: &str) -> Vec<Known> {
        let jobs = self.inner.read();
        let of_team =
            |known: &&Known| known.team.as_deref() == Some(team) && !known.summary.status.is_over();
        jobs.by_id.values().filter(of_team).cloned().collect()
    }

    /// Looks at the list now; what was ordered or steered is in it when this returns.
    ///
    /// # Errors
    /// The farm, or the book.
    pub async fn look(&self) -> Result<(), GatherError> {
        self.read_list().await?;
        self.inner.wake.notify_one();
        Ok(())
    }

    /// Goes on looking until `stop` is true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut is_lost = false;
        while !*stop.borrow() {
            let round = async {
                self.read_list().await?;
                self.count_tiles().await
            };
            match round.await {
                Ok(()) if is_lost => {
                    is_lost = false;
                    self.tell_of_farm(true, None).await;
                }
                Err(GatherError::Farm(error)) if !is_lost && error.refusal().is_none() => {
                    is_lost = true;
                    tracing::warn!("the farm is away: {}", error.words());
                    self.tell_of_farm(false, Some(error.words())).await;
                }
                Err(GatherError::Book(error)) => tracing::error!("the jobs' book: {error}"),
                _same => {}
            }
            let wait = if self.has_open() { OPEN_EVERY } else { IDLE_EVERY };
            tokio::select! {
                _ = stop.changed() => return,
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn tell_of_farm(&self, is_found: bool, reason: Option<String>) {
        let news = self.inner.news.clone();
        self.inner.book.with(move |book| news.farm(book, is_found, reason)).await;
    }

    fn has_open(&self) -> bool {
        self.inner.read().by_id.values().any(|known| !known.summary.status.is_over())
    }

    /// Reads the list from its newest job on, as far as there may be news.
    async fn read_list(&self) -> Result<(), GatherError> {
        // One reader at a time: an older answer must not follow a newer one.
        let mut round = Arc::clone(&self.inner.round).lock_owned().await;
        *round += 1;
        let mut open: BTreeSet<JobId> = {
            let jobs = self.inner.read();
            let open = jobs.by_id.iter().filter(|(_, it)| !it.summary.status.is_over());
            open.map(|(id, _)| *id).collect()
        };
        let mut offset = 0;
        let (mut left, until) = (ENDED_COUNTED_MAX, Instant::now() + ENDED_COUNTED_WITHIN);
        loop {
            let page = self.inner.farm.jobs(offset, PAGE_ROWS_MAX).await?;
            let count = page.len() as u32;
            for summary in &page {
                open.remove(&summary.job);
            }
            let mut ended = self.ended_undone(&page);
            ended.truncate(left);
            left -= ended.len();
            self.count_ended(ended, *round, until).await;
            let gather = self.clone();
            let taken = self.inner.book.with(move |book| {
                let mut take = page.into_iter().map(|summary| gather.take(book, summary));
                let unknown = take.try_fold(0, |unknown, new| Ok(unknown + u32::from(new?)));
                // The round lasts until it is taken in, also when whoever asked has hung up.
                (round, unknown)
            });
            let (same_round, unknown) = taken.await;
            let unknown = unknown.map_err(GatherError::Book)?;
            round = same_round;
            offset += count;
            let is_last = count < PAGE_ROWS_MAX;
            if is_last || (open.is_empty() && unknown == 0) {
                return Ok(());
            }
        }
    }

    /// Takes news of a job in; whether it was not known.
    fn take(&self, book: &Book, summary: JobSummary) -> Result<bool, BookError> {
        let before = self.get(summary.job);
        let is_same = before.as_ref().is_some_and(|before| before.summary == summary);
        let is_ours = before.as_ref().is_some_and(|before| before.submitted_by.is_some());
        if is_same && is_ours {
            return Ok(false);
        }
        // The farm may have it a moment before the book says whose it is.
        let commitment = match is_ours {
            true => None,
            false => book.of_job(summary.job)?,
        };
        if is_same && commitment.is_none() {
            return Ok(false);
        }
        let becomes_ours = commitment.as_ref().is_some_and(|it| !it.over);
        let mut known = match before.clone() {
            Some(before) => Known { summary, ..before },
            None => {
                Known { summary, team: None, submitted_by: None, tiles_accepted: 0, counted: None }
            }
        };
        if let Some(commitment) = commitment {
            (known.team, known.submitted_by) = (commitment.team, Some(commitment.token_name));
        }
        self.inner.write().insert(known.clone());
        self.tell(book, before.as_ref(), &known, becomes_ours)?;
        settle(book, &known)?;
        Ok(before.is_none())
    }

    /// Tells what is new of a job. What happened before the door knew it is no news, unless it was
    /// ordered here.
    fn tell(
        &self,
        book: &Book,
        before: Option<&Known>,
        known: &Known,
        becomes_ours: bool,
    ) -> Result<(), BookError> {
        let mut news = Vec::new();
        let id = known.summary.job.to_string();
        if becomes_ours && book.last_event_of(&id)?.is_none() {
            news.push(Happened::ordered(known));
        }
        let was_open = before.is_some_and(|before| !before.summary.status.is_over());
        if was_open || becomes_ours {
            // A job whose owner was not known yet has told nothing.
            let before = before.filter(|before| before.submitted_by.is_some() || !becomes_ours);
            news.extend(happened(before.map(|it| &it.summary), known));
        }
        self.inner.news.jobs(book, news);
        Ok(())
    }

    /// Jobs of a page that have ended since, before they were done: their last news is to say how
    /// far they came.
    fn ended_undone(&self, page: &[JobSummary]) -> Vec<JobId> {
        let jobs = self.inner.read();
        let was_open =
            |job: &JobId| jobs.by_id.get(job).is_some_and(|known| !known.summary.status.is_over());
        let ended = page.iter().filter(|it| it.status.is_over() && it.status != JobStatus::Done);
        ended.map(|it| it.job).filter(was_open).collect()
    }

    /// Counts tiles of jobs that have ended, as far as that goes until then: the list is not kept by
    /// a job, nor by a farm that is slow.
    async fn count_ended(&self, ended: Vec<JobId>, round: u64, until: Instant) {
        let counting = async {
            for job in ended {
                if let Err(error) = self.count(job, round).await {
                    tracing::warn!(%job, "its tiles were not counted: {}", chain(&error));
                }
            }
        };
        if tokio::time::timeout_at(until, counting).await.is_err() {
            tracing::warn!("jobs have ended whose tiles were not counted in time");
        }
    }

    /// Waits until all is told of what is known of jobs.
    pub async fn settled(&self) {
        drop(self.inner.round.lock().await);
    }

    /// Counts the accepted tiles of a job; whether it goes on.
    async fn count(&self, job: JobId, round: u64) -> Result<bool, GatherError> {
        // Nothing is accepted after all versions: only the tiles are wanted.
        let update = match self.inner.farm.watch(job, u64::MAX, Duration::ZERO).await {
            Ok(update) => update,
            Err(error) if error.refusal().is_some() => {
                tracing::warn!(%job, "its tiles were not counted: {}", error.words());
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let accepted = update.tiles.iter().filter(|it| **it == TileStatus::Accepted).count();
        let mut jobs = self.inner.write();
        let Some(known) = jobs.by_id.get_mut(&job) else { return Ok(false) };
        known.tiles_accepted = accepted as u64;
        known.counted = Some((update.summary.units_accepted, round));
        Ok(!known.summary.status.is_over())
    }

    /// Counts tiles of a few open jobs whose units have changed.
    async fn count_tiles(&self) -> Result<(), GatherError> {
        let round = *self.inner.round.lock().await;
        let mut stale: Vec<(u64, JobId)> = {
            let jobs = self.inner.read();
            let stale = jobs.by_id.values().filter(|known| {
                let units = known.summary.units_accepted;
                let is_counted = known.counted.is_some_and(|(counted, _)| counted == units);
                !is_counted
                    && units > 0
                    && known.summary.status != JobStatus::Done
                    && !known.summary.expired
            });
            stale.map(|it| (it.counted.map_or(0, |(_, round)| round), it.summary.job)).collect()
        };
        stale.sort_unstable();
        for (_, job) in stale.into_iter().take(COUNTED_PER_ROUND) {
            if self.count(job, round).await? {
                let taking_in = Arc::clone(&self.inner.round).lock_owned().await;
                let gather = self.clone();
                let progress = move |book: &Book| {
                    // Nothing is taken in meanwhile, also when whoever asked is gone.
                    let _taking_in = taking_in;
                    gather.tell_progress(book, job);
                };
                self.inner.book.with(progress).await;
            }
        }
        Ok(())
    }

    /// Tells how far a job has come, unless it has ended: its end is the last that is told of it.
    fn tell_progress(&self, book: &Book, job: JobId) {
        if let Some(known) = self.get(job).filter(|known| !known.summary.status.is_over()) {
            self.inner.news.jobs(book, vec![Happened::progress(&known)]);
        }
    }
}

impl Inner {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Jobs> {
        self.jobs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Jobs> {
        self.jobs.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    fn insert(&mut self, known: Known) -> Option<Known> {
        self.by_age.insert((known.summary.ordered_ms, known.summary.job));
        self.by_id.insert(known.summary.job, known)
    }
}

/// What came back is no longer committed.
fn settle(book: &Book, known: &Known) -> Result<(), BookError> {
    let JobSummary { job, refunded, status, .. } = known.summary;
    if known.submitted_by.is_some() && (status.is_over() || !refunded.is_zero()) {
        book.settle(job, refunded, status.is_over())?;
    }
    Ok(())
}

/// What the difference between two words on a job tells.
fn happened(before: Option<&JobSummary>, known: &Known) -> Vec<Happened> {
    let (now, was) = (known.summary.status, before.map(|before| before.status));
    if was == Some(now) {
        return Vec::new();
    }
    match (was, now) {
        (Some(JobStatus::Paused), JobStatus::Waiting | JobStatus::Rendering) => {
            vec![Happened::resumed(known)]
        }
        (_, JobStatus::Waiting | JobStatus::Rendering) => Vec::new(),
        (_, status) => vec![Happened::of_status(known, status)],
    }
}

/// Why there is no news.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// The farm.
    #[error(transparent)]
    Farm(#[from] Error),
    /// The book.
    #[error(transparent)]
    Book(#[from] BookError),
}
