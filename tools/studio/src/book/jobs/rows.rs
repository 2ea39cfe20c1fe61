//! The rows of what was ordered, which agree after each call.

use std::time::Duration;

use protocol::{QuoteId, Tokens};
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::Commitment;
use crate::book::{BookError, Period, Row, encode, get};

/// By quote.
pub(super) const COMMITMENTS: TableDefinition<'static, &[u8; 16], Row> =
    TableDefinition::new("commitments");
/// The quote by job.
pub(super) const JOBS: TableDefinition<'static, &[u8; 16], &[u8; 16]> =
    TableDefinition::new("jobs");
/// The unfinished ones, by token and quote.
pub(super) const OPEN: TableDefinition<'static, (&str, &[u8; 16]), ()> =
    TableDefinition::new("open_jobs");
/// What each team's orders of a day of UTC may cost less what came back, in micro-tokens: by team
/// and days since 1970. Every period is whole days, so that a sum reads one row a day.
pub(super) const SPENT: TableDefinition<'static, (&str, u64), u128> =
    TableDefinition::new("team_days");
/// Milliseconds of a day.
pub(super) const DAY_MS: u64 = Duration::from_hours(24).as_millis() as u64;

/// Makes the tables.
pub(in crate::book) fn create(change: &WriteTransaction) -> Result<(), BookError> {
    change.open_table(COMMITMENTS)?;
    change.open_table(JOBS)?;
    change.open_table(OPEN)?;
    change.open_table(SPENT)?;
    Ok(())
}

pub(super) fn find(
    change: &WriteTransaction,
    quote: QuoteId,
) -> Result<Option<Commitment>, BookError> {
    get("commitments", &change.open_table(COMMITMENTS)?, &quote.0)
}

/// How many jobs a token has that are not over.
pub(super) fn unfinished(change: &WriteTransaction, token: &str) -> Result<u32, BookError> {
    let open = change.open_table(OPEN)?;
    let count = open.range((token, &[0; 16])..=(token, &[u8::MAX; 16]))?.count();
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// What a team's orders of a period may cost less what came back.
pub(super) fn spent(
    sums: &impl ReadableTable<(&'static str, u64), u128>,
    team: &str,
    period: Period,
    now_ms: u64,
) -> Result<Tokens, BookError> {
    let mut micro = 0_u128;
    let first = period.began_ms(now_ms) / DAY_MS;
    for row in sums.range((team, first)..=(team, u64::MAX))? {
        micro = micro.saturating_add(row?.1.value());
    }
    Ok(Tokens::from_micro(micro))
}

/// Puts one commitment of a quote in place of another, in every table.
pub(super) fn replace(
    change: &WriteTransaction,
    old: Option<&Commitment>,
    new: Option<&Commitment>,
) -> Result<(), BookError> {
    let mut commitments = change.open_table(COMMITMENTS)?;
    let mut jobs = change.open_table(JOBS)?;
    let mut open = change.open_table(OPEN)?;
    let mut sums = change.open_table(SPENT)?;
    if let Some(old) = old {
        commitments.remove(&old.quote.0)?;
        if let Some(job) = old.job {
            jobs.remove(&job.0)?;
        }
        open.remove((old.token.as_str(), &old.quote.0))?;
        add(&mut sums, old, |sum, counts| sum.saturating_sub(counts))?;
    }
    if let Some(new) = new {
        commitments.insert(&new.quote.0, &encode(new)[..])?;
        if let Some(job) = new.job {
            jobs.insert(&job.0, &new.quote.0)?;
        }
        if !new.over {
            open.insert((new.token.as_str(), &new.quote.0), ())?;
        }
        add(&mut sums, new, |sum, counts| sum.saturating_add(counts))?;
    }
    Ok(())
}

/// Changes the sum that a commitment counts in.
fn add(
    sums: &mut Table<'_, (&'static str, u64), u128>,
    commitment: &Commitment,
    to: impl FnOnce(u128, u128) -> u128,
) -> Result<(), BookError> {
    if let Some(team) = &commitment.team {
        let key = (team.as_str(), commitment.ordered_ms / DAY_MS);
        let sum = sums.get(key)?.map_or(0, |sum| sum.value());
        sums.insert(key, to(sum, commitment.counts().micro()))?;
    }
    Ok(())
}
