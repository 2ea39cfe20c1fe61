//! Who asks, and what he may.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::book::{Refused, Role, Token};
use crate::door::Door;
use crate::gates::{Toll, Turn};
use crate::gather::Known;
use crate::problem::{Kind, Problem};
use crate::views::now_ms;

/// The token that asks, which is sound and not too busy.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The token.
    pub token: Token,
}

impl Caller {
    /// Refuses tokens of a lesser role.
    ///
    /// # Errors
    /// Forbidden.
    pub fn at_least(&self, role: Role) -> Result<(), Problem> {
        if self.token.role >= role {
            return Ok(());
        }
        let (name, has) = (&self.token.name, self.token.role);
        let a = |role: Role| {
            if role == Role::Owner { "an owner".to_owned() } else { format!("a {role}") }
        };
        let detail = format!(
            "the token {name} is {}'s; this needs {}'s, ask an owner for one",
            a(has),
            a(role)
        );
        Err(Problem::new(Kind::Forbidden, detail))
    }

    /// Pays for what is asked, and waits until it may be; whoever asks the farm keeps the turn until
    /// it has answered.
    ///
    /// # Errors
    /// Too many requests.
    pub async fn pays(&self, door: &Door, toll: Toll) -> Result<Turn, Problem> {
        door.gates.pass(&self.token.id, toll).await
    }

    /// Whether a job is this token's to see.
    #[must_use]
    pub fn sees(&self, job: &Known) -> bool {
        self.sees_team(job.team.as_deref())
    }

    /// Whether what is a team's, or nobody's, is this token's to see.
    #[must_use]
    pub fn sees_team(&self, team: Option<&str>) -> bool {
        self.token.team.is_none() || self.token.team.as_deref() == team
    }
}

/// A caller who sends scenes, orders and steers: others are refused before a body is read.
pub struct Submitter(pub Caller);

/// A caller who keeps tokens, teams and webhooks: others are refused before a body is read.
pub struct Owner(pub Caller);

impl FromRequestParts<Arc<Door>> for Submitter {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, door).await?;
        caller.at_least(Role::Submitter)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<Arc<Door>> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, door).await?;
        caller.at_least(Role::Owner)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<Arc<Door>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let words = header.and_then(|value| value.to_str().ok()).map(str::trim);
        let secret = words
            .and_then(|words| words.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, secret)) = secret else {
            let detail = "send a token, as Authorization: Bearer tes_…; an owner makes them";
            return Err(Problem::new(Kind::Unauthorized, detail));
        };
        let token =
            door.book.token_of(secret.trim(), now_ms()).map_err(|refused| match refused {
                Refused::Book(error) => Problem::internal(&error),
                refused => Problem::new(Kind::Unauthorized, &refused),
            })?;
        let caller = Self { token };
        let _turn = caller.pays(door, Toll::Request).await?;
        Ok(caller)
    }
}
