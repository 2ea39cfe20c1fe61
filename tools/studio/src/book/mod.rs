//! What the door remembers, in one file: tokens, teams and their budgets, what was ordered, answers
//! already given, events; and, kept by [`crate::hooks`], webhooks and their deliveries.
//!
//! A [`Book`] is a redb database and cheap to clone.
//! Its functions block for as long as the disk takes; async callers have a [`Desk`], which gives them a
//! thread of their own. Each writing function is one transaction that is on the disk when it returns, unless its
//! documentation says otherwise. Times come in as milliseconds since 1970 in UTC.

mod answers;
mod desk;
mod error;
pub(crate) mod events;
mod jobs;
#[cfg(test)]
pub(crate) mod scratch;
mod store;
pub(crate) mod teams;
mod text;
mod tokens;

pub use answers::{Answer, Begun, KEPT_MS};
pub use desk::Desk;
pub use error::BookError;
pub use events::{Event, EventKind, NewEvent, ParseEventKindError};
pub use jobs::{CommitError, Commitment, Committed, NewCommitment};
pub use store::Book;
pub(crate) use store::{Keep, META, Row, decode, encode, get};
pub use teams::{AtLimit, Budget, Period, PutTeamError, RemoveTeamError, Team, TeamNameError};
pub(crate) use text::as_base64;
pub use tokens::{
    AddTokenError, NewToken, ParseRoleError, Refused, Role, Secret, Token, TokenNameError,
};

/// Random bytes as lower-case hex behind a prefix.
pub(crate) fn random_id(prefix: &str) -> Result<String, BookError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(BookError::Random)?;
    Ok(hex(prefix, &bytes))
}

/// Bytes as lower-case hex behind a prefix.
pub(crate) fn hex(prefix: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(prefix.to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
