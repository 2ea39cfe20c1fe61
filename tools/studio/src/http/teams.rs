//! Teams, and their budgets.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{Request, Steering, Tokens};
use serde::{Deserialize, Serialize};

use super::auth::{Caller, Owner};
use super::extract::{Body, Params, Segments};
use super::paging::{Part, page};
use crate::book::{self, AtLimit, Book, BookError, Period, PutTeamError, RemoveTeamError, Role};
use crate::door::Door;
use crate::gates::Toll;
use crate::problem::{Kind, Problem};
use crate::views::{Money, Page, now_ms};

/// What a team may spend.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Budget {
    /// How much.
    amount: Money,
    /// In what time: `all`, `month` or `day`.
    period: String,
    /// At how many hundredths of it to warn.
    warn_percent: u8,
    /// What happens at the limit: `refuse`, or `pause` as well.
    at_limit: String,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Team {
    /// Its name.
    team: String,
    /// What it may spend; as much as the wallet holds without.
    budget: Option<Budget>,
    /// What its jobs of this period may cost, less what came back; of all time without a budget.
    committed: Money,
}

/// What a team is to be.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedTeam {
    /// What it may spend; as much as the wallet holds without.
    #[serde(default)]
    budget: Option<WantedBudget>,
}

/// What a team may spend.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedBudget {
    /// How much, tokens: `"500.00"`.
    amount: String,
    /// In what time: `all`, `month` or `day`.
    period: PeriodName,
    /// At how many hundredths of it to warn.
    #[serde(default = "usual_warning")]
    #[schema(minimum = 1, maximum = 100)]
    warn_percent: u8,
    /// What happens at the limit: orders are refused; with `pause`, its jobs are paused as well.
    #[serde(default)]
    at_limit: AtLimitName,
}

const fn usual_warning() -> u8 {
    80
}

/// In what time a budget may be spent; days and months of UTC.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum PeriodName {
    /// Once.
    All,
    /// In each month.
    Month,
    /// In each day.
    Day,
}

/// What happens at a budget's limit.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum AtLimitName {
    /// Orders are refused.
    #[default]
    Refuse,
    /// And its jobs that wait or render are paused.
    Pause,
}

fn team_view(book: &Book, team: &book::Team) -> Result<Team, BookError> {
    let committed = book.committed(&team.team, now_ms())?;
    let budget = team.budget.as_ref().map(|budget| Budget {
        amount: budget.amount.into(),
        period: match budget.period {
            Period::All => "all",
            Period::Month => "month",
            Period::Day => "day",
        }
        .to_owned(),
        warn_percent: budget.warn_percent,
        at_limit: match budget.at_limit {
            AtLimit::Refuse => "refuse",
            AtLimit::Pause => "pause",
        }
        .to_owned(),
    });
    Ok(Team { team: team.team.clone(), budget, committed: committed.into() })
}

async fn team_of(door: &Door, caller: &Caller, name: String) -> Result<Team, Problem> {
    let unknown = Problem::not_found(format!("team {name:?}"));
    if !caller.sees_team(Some(&name)) {
        return Err(unknown);
    }
    let found = door.book.with(move |book| {
        let found = book.team(&name)?;
        found.map(|team| team_view(book, &team)).transpose()
    });
    found.await.map_err(|error| Problem::internal(&error))?.ok_or(unknown)
}

/// Teams by name; of a token with a team, that one
#[utoipa::path(
    get, path = "/v1/teams", tag = "people", params(Part),
    responses((status = 200, description = "Teams", body = Page<Team>))
)]
pub async fn list_teams(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Params(part): Params<Part>,
) -> Result<Json<Page<Team>>, Problem> {
    let _turn = caller.pays(&door, Toll::List).await?;
    let teams = door.book.with(move |book| {
        let mut teams = book.teams()?;
        teams.retain(|team| caller.sees_team(Some(&team.team)));
        teams.iter().map(|team| team_view(book, team)).collect::<Result<_, BookError>>()
    });
    let teams: Vec<Team> = teams.await.map_err(|error| Problem::internal(&error))?;
    page(teams.into_iter().map(|team| (team.team.clone(), team)).collect(), &part).map(Json)
}

/// A team
#[utoipa::path(
    get, path = "/v1/teams/{team}", tag = "people",
    params(("team" = String, Path, description = "Its name")),
    responses((status = 200, description = "The team", body = Team))
)]
pub async fn get_team(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(team): Segments<String>,
) -> Result<Json<Team>, Problem> {
    team_of(&door, &caller, team).await.map(Json)
}

/// Make a team, or change it
#[utoipa::path(
    put, path = "/v1/teams/{team}", tag = "people",
    params(("team" = String, Path, description = "1 to 32 of a-z, 0-9, `.`, `_` and `-`, the first a letter or a digit")),
    request_body = WantedTeam,
    responses((status = 200, description = "The team", body = Team))
)]
pub async fn put_team(
    State(door): State<Arc<Door>>,
    Owner(caller): Owner,
    Segments(team): Segments<String>,
    Body(WantedTeam { budget }): Body<WantedTeam>,
) -> Result<Json<Team>, Problem> {
    let budget = budget.map(WantedBudget::budget).transpose()?;
    let new = book::Team { team: team.clone(), budget };
    let put = door.book.with(move |book| book.put_team(&new));
    put.await.map_err(|error| match error {
        PutTeamError::Book(error) => Problem::internal(&error),
        refused => Problem::new(Kind::Invalid, refused),
    })?;
    keep_to_budgets(&door).await?;
    team_of(&door, &caller, team).await.map(Json)
}

impl WantedBudget {
    fn budget(self) -> Result<book::Budget, Problem> {
        let amount = self.amount.parse::<Tokens>().map_err(|error| {
            let detail = format!("budget.amount: {error}");
            Problem::new(Kind::Invalid, detail).with("field", "budget.amount")
        })?;
        Ok(book::Budget {
            amount,
            period: match self.period {
                PeriodName::All => Period::All,
                PeriodName::Month => Period::Month,
                PeriodName::Day => Period::Day,
            },
            warn_percent: self.warn_percent,
            at_limit: match self.at_limit {
                AtLimitName::Refuse => AtLimit::Refuse,
                AtLimitName::Pause => AtLimit::Pause,
            },
        })
    }
}

/// Remove a team that no token names
#[utoipa::path(
    delete, path = "/v1/teams/{team}", tag = "people",
    params(("team" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is gone; its jobs keep its name"))
)]
pub async fn remove_team(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segments(team): Segments<String>,
) -> Result<StatusCode, Problem> {
    caller.at_least(Role::Owner)?;
    let unknown = Problem::not_found(format!("team {team:?}"));
    match door.book.with(move |book| book.remove_team(&team)).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(unknown),
        Err(RemoveTeamError::Book(error)) => Err(Problem::internal(&error)),
        Err(refused) => Err(Problem::new(Kind::Conflict, refused)),
    }
}

/// Pauses what teams have under way whose budgets are exceeded and say so.
///
/// # Errors
/// The book, the farm.
pub async fn keep_to_budgets(door: &Door) -> Result<(), Problem> {
    let teams = door.book.with(|book| book.over_budget(now_ms())).await;
    let teams = teams.map_err(|error| Problem::internal(&error))?;
    for team in teams {
        let open = door.gather.open_of_team(&team);
        let running =
            open.iter().filter(|known| known.summary.status != protocol::view::JobStatus::Paused);
        let mut is_first = true;
        for known in running {
            if std::mem::take(&mut is_first) {
                let (news, team) = (door.news.clone(), team.clone());
                let told = door.book.with(move |book| {
                    let committed = book.committed(&team, now_ms())?;
                    news.budget(book, &team, true, committed);
                    Ok(())
                });
                told.await.map_err(|error: BookError| Problem::internal(&error))?;
            }
            let (job, steering) = (known.summary.job, Steering::Pause);
            match door.farm.ask(Request::Steer { job, steering }).await {
                // It may have ended meanwhile.
                Err(error) if error.refusal().is_some() => {
                    tracing::warn!(%job, "not paused: {}", error.words());
                }
                asked => asked?,
            }
        }
    }
    Ok(())
}
