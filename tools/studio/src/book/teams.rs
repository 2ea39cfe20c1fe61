//! Teams, and what each may spend.

use std::time::Duration;

use chrono::{DateTime, Datelike as _};
use protocol::Tokens;
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::{Book, BookError, Keep, Row, decode, encode, get, tokens};

/// By name.
const TEAMS: TableDefinition<'static, &str, Row> = TableDefinition::new("teams");
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 32;
/// Milliseconds of a day.
const DAY_MS: u64 = Duration::from_hours(24).as_millis() as u64;

/// A team: those who share a budget and see each other's jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its name: 1 to 32 of `a-z`, `0-9`, `.`, `_` and `-`, the first a letter or a digit.
    pub team: String,
    /// What it may spend; as much as the wallet holds without.
    #[serde(default)]
    pub budget: Option<Budget>,
}

/// What a team may spend.
///
/// What counts is what its jobs may cost, less what came back, by the time they were ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// How much.
    #[serde(with = "protocol::tokens::as_text")]
    pub amount: Tokens,
    /// In what time.
    pub period: Period,
    /// At how many hundredths of the amount to warn: 1..=100.
    #[serde(default = "warn_percent")]
    pub warn_percent: u8,
    /// What happens at the limit.
    #[serde(default)]
    pub at_limit: AtLimit,
}

/// In what time a budget may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// Once.
    All,
    /// In each calendar month of UTC.
    Month,
    /// In each day of UTC.
    Day,
}

/// What happens at a budget's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AtLimit {
    /// Orders are refused.
    #[default]
    Refuse,
    /// Orders are refused, and jobs that wait or render are paused.
    Pause,
}

/// A name that no team can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a name for a team (1 to 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a \
     digit): {0:?}"
)]
pub struct TeamNameError(pub String);

/// Why a team was not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutTeamError {
    /// Not a name.
    #[error(transparent)]
    Name(#[from] TeamNameError),
    /// A warning at no share of the amount.
    #[error("a warning comes at 1 to 100 percent of a budget, not at {warn_percent}")]
    WarnPercent {
        /// What was asked for.
        warn_percent: u8,
    },
    /// The book failed.
    #[error(transparent)]
    Book(#[from] BookError),
}

/// Why a team was not removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveTeamError {
    /// Tokens name it.
    #[error("tokens are of this team ({tokens}); take them back first: {team}")]
    InUse {
        /// The team.
        team: String,
        /// How many.
        tokens: usize,
    },
    /// The book failed.
    #[error(transparent)]
    Book(#[from] BookError),
}

impl Period {
    /// When the period of a time began: milliseconds since 1970; 0 for [`Period::All`].
    #[must_use]
    pub fn began_ms(self, now_ms: u64) -> u64 {
        let today = now_ms / DAY_MS;
        match self {
            Self::All => 0,
            Self::Day => today * DAY_MS,
            Self::Month => {
                let now = i64::try_from(now_ms).ok().and_then(DateTime::from_timestamp_millis);
                let day0 = now.map_or(0, |now| now.day0().into());
                (today - day0) * DAY_MS
            }
        }
    }
}

impl Book {
    /// Keeps a team, in place of what it was.
    ///
    /// # Errors
    /// - [`PutTeamError::Name`], [`PutTeamError::WarnPercent`]
    /// - [`PutTeamError::Book`]
    pub fn put_team(&self, team: &Team) -> Result<(), PutTeamError> {
        let first = team.team.bytes().next();
        let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if !first.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            || !team.team.bytes().all(inner)
            || team.team.len() > NAME_CHARS_MAX
        {
            return Err(TeamNameError(team.team.chars().take(NAME_CHARS_MAX + 1).collect()).into());
        }
        if let Some(Budget { warn_percent, .. }) = team.budget
            && !(1..=100).contains(&warn_percent)
        {
            return Err(PutTeamError::WarnPercent { warn_percent });
        }
        self.write(Keep::Now, |change| {
            insert(change, team)?;
            Ok(())
        })
    }

    /// A team by its name.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn team(&self, team: &str) -> Result<Option<Team>, BookError> {
        get("teams", &self.read()?.open_table(TEAMS)?, team)
    }

    /// All teams, by name.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn teams(&self) -> Result<Vec<Team>, BookError> {
        let mut teams = Vec::new();
        for row in self.read()?.open_table(TEAMS)?.iter()? {
            teams.push(decode("teams", row?.1.value())?);
        }
        Ok(teams)
    }

    /// Removes a team that no token names; whether it was there.
    ///
    /// What its jobs cost stays known, and counts again should a team of its name be made.
    ///
    /// # Errors
    /// - [`RemoveTeamError::InUse`] tokens name it
    /// - [`RemoveTeamError::Book`]
    pub fn remove_team(&self, team: &str) -> Result<bool, RemoveTeamError> {
        self.write(Keep::Now, |change| {
            let tokens = tokens::of_team(change, team)?;
            if tokens > 0 {
                return Err(RemoveTeamError::InUse { team: team.to_owned(), tokens });
            }
            Ok(remove(change, team)?)
        })
    }
}

/// Makes the table.
pub(super) fn create(change: &WriteTransaction) -> Result<(), BookError> {
    change.open_table(TEAMS)?;
    Ok(())
}

/// A team, within a change.
pub(super) fn find(change: &WriteTransaction, team: &str) -> Result<Option<Team>, BookError> {
    get("teams", &change.open_table(TEAMS)?, team)
}

/// Whether there is such a team.
pub(crate) fn exists(change: &WriteTransaction, team: &str) -> Result<bool, BookError> {
    Ok(change.open_table(TEAMS)?.get(team)?.is_some())
}

fn insert(change: &WriteTransaction, team: &Team) -> Result<(), BookError> {
    change.open_table(TEAMS)?.insert(team.team.as_str(), &encode(team)[..])?;
    Ok(())
}

fn remove(change: &WriteTransaction, team: &str) -> Result<bool, BookError> {
    let mut teams = change.open_table(TEAMS)?;
    Ok(teams.remove(team)?.is_some())
}

const fn warn_percent() -> u8 {
    80
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::scratch::book;
    use crate::book::{NewToken, Role};

    fn bare(team: &str) -> Team {
        Team { team: team.to_owned(), budget: None }
    }

    #[test]
    fn teams_are_kept_replaced_listed_and_removed() {
        let (_dir, book) = book();
        let budget = Budget {
            amount: Tokens::from_micro(u128::MAX),
            period: Period::Month,
            warn_percent: 100,
            at_limit: AtLimit::Pause,
        };
        book.put_team(&bare("light")).expect("it works");
        book.put_team(&bare("fx")).expect("it works");
        let fx = Team { budget: Some(budget), ..bare("fx") };
        book.put_team(&fx).expect("it works");
        assert_eq!(book.team("fx").expect("it works"), Some(fx.clone()));
        assert_eq!(book.teams().expect("it works"), [fx, bare("light")]);
        assert!(book.remove_team("fx").expect("it works"));
        assert!(!book.remove_team("fx").expect("it works"));
        assert_eq!(book.team("fx").expect("it works"), None);
    }

    #[test]
    fn a_team_that_tokens_name_stays() {
        let (_dir, book) = book();
        book.put_team(&bare("fx")).expect("it works");
        let token = NewToken {
            name: "nightly".to_owned(),
            role: Role::Viewer,
            team: Some("fx".to_owned()),
            expires_ms: Some(2),
            jobs_max: None,
        };
        let (token, _) = book.add_token(token, 1).expect("it works");
        let refused = book.remove_team("fx").expect_err("it is refused");
        assert!(matches!(refused, RemoveTeamError::InUse { tokens: 1, .. }), "{refused}");
        book.revoke(&token.id).expect("it works");
        assert!(book.remove_team("fx").expect("it works"));
    }

    #[test]
    fn odd_names_and_percents_are_refused() {
        let (_dir, book) = book();
        for name in ["", "-fx", ".fx", "FX", "f x", "fö", &"x".repeat(33)] {
            let refused = book.put_team(&bare(name));
            assert!(matches!(refused, Err(PutTeamError::Name(_))), "{name:?}");
        }
        for name in ["f", "0.a_b-c", &"x".repeat(32)] {
            book.put_team(&bare(name)).expect("it works");
        }
        for warn_percent in [0, 101] {
            let budget = Budget {
                amount: Tokens::ZERO,
                period: Period::All,
                warn_percent,
                at_limit: AtLimit::Refuse,
            };
            let refused = book.put_team(&Team { budget: Some(budget), ..bare("fx") });
            assert!(matches!(refused, Err(PutTeamError::WarnPercent { .. })), "{warn_percent}");
        }
    }

    #[test]
    fn a_budget_says_what_it_leaves_out() {
        let budget: Budget =
            serde_json::from_str(r#"{"amount":"5.00","period":"day"}"#).expect("it works");
        assert_eq!((budget.warn_percent, budget.at_limit), (80, AtLimit::Refuse));
        assert_eq!(budget.amount, Tokens::from_whole(5));
    }

    #[test]
    fn periods_begin_at_midnight_and_on_the_first() {
        // 2024-02-29T23:59:59.999Z, and a millisecond later.
        let leap = 1_709_251_199_999;
        assert_eq!(Period::Month.began_ms(leap), 1_706_745_600_000);
        assert_eq!(Period::Day.began_ms(leap), 1_709_164_800_000);
        assert_eq!(Period::Month.began_ms(leap + 1), 1_709_251_200_000);
        assert_eq!(Period::Day.began_ms(leap + 1), 1_709_251_200_000);
        assert_eq!(Period::All.began_ms(leap), 0);
        assert_eq!(Period::Month.began_ms(0), 0);
    }
}
