//! Who asks, what he may, and how often.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::book::{Refused, Role, Token};
use crate::door::Door;
use crate::gather::Known;
use crate::problem::{Kind, Problem};
use crate::views::now_ms;

/// Seconds' worth of requests that a token may make at once.
const AT_ONCE_S: f64 = 4.0;

/// The token that asks, which is sound and not too busy.
#[derive(Debug)]
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
        let detail =
            format!("the token {name} is a {has}'s; this needs a {role}'s, ask an owner for one");
        Err(Problem::new(Kind::Forbidden, detail))
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
        door.gates.pass(&token.id, Instant::now())?;
        Ok(Self { token })
    }
}

/// How often each token may ask: a bucket that fills while it rests.
#[derive(Debug)]
pub struct Gates {
    per_second: f64,
    buckets: Mutex<BTreeMap<String, (f64, Instant)>>,
}

impl Gates {
    /// Each token may ask so often a second in the long run, and four times that at once.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), buckets: Mutex::default() }
    }

    /// Lets a request through.
    ///
    /// # Errors
    /// Too many requests.
    pub fn pass(&self, token: &str, now: Instant) -> Result<(), Problem> {
        let (per_second, at_once) = (self.per_second, self.per_second * AT_ONCE_S);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = buckets.entry(token.to_owned()).or_insert((at_once, now));
        let rest = now.saturating_duration_since(*since).as_secs_f64();
        *left = (*left + rest * per_second).min(at_once);
        *since = now;
        if *left < 1.0 {
            let detail = format!(
                "a token may ask {per_second} times a second, and {at_once} at once; wait a second"
            );
            return Err(Problem::new(Kind::TooManyRequests, detail).after(1));
        }
        *left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_token_may_burst_and_then_asks_at_its_rate() {
        let (gates, start) = (Gates::new(50), Instant::now());
        let passed = |at: Instant| (0..1000).filter(|_| gates.pass("a", at).is_ok()).count();
        assert_eq!(passed(start), 200);
        assert_eq!(passed(start + Duration::from_secs(1)), 50);
        assert_eq!(passed(start + Duration::from_secs(60)), 200, "no more than a full bucket");
        assert!(gates.pass("b", start).is_ok(), "another token has its own");
        let refused = (0..1000).find_map(|_| gates.pass("b", start).err()).expect("too many");
        assert_eq!((refused.status, refused.retry_after_s), (429, Some(1)));
    }
}
