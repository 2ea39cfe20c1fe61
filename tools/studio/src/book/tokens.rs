//! Tokens: what scripts hold instead of the studio's key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::text::as_base64;
use super::{Book, BookError, Keep, Row, decode, encode, get, random_id, teams};

/// By id.
const TOKENS: TableDefinition<'static, &str, Row> = TableDefinition::new("tokens");
/// The id by the hash of the secret.
const SECRETS: TableDefinition<'static, &[u8; 32], &str> = TableDefinition::new("token_secrets");
/// Domain of the hashes of secrets.
const DOMAIN: &str = "tessera studio token secret v1";
/// Begins the text of a secret.
const PREFIX: &str = "tes_";
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 64;

/// What a token may do; each may do what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Sends scenes, orders and steers jobs.
    Submitter,
    /// Sees the wallet, keeps tokens, teams and webhooks.
    Owner,
}

/// Text that is not a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a role (one of viewer, submitter, owner): {0}")]
pub struct ParseRoleError(pub String);

/// A name that a token cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a name for a token (1 to 64 characters, none of them a control character): {0:?}")]
pub struct TokenNameError(pub String);

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// `tok_` and 16 hex digits; no secret.
    pub id: String,
    /// Whose it is, for people to read; two may share one.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The only team whose jobs it sees and steers; all without.
    #[serde(default)]
    pub team: Option<String>,
    /// When it was made: milliseconds since 1970.
    pub created_ms: u64,
    /// From when on it is refused: milliseconds since 1970; never without.
    #[serde(default)]
    pub expires_ms: Option<u64>,
    /// Unfinished jobs that it may have; as many as it likes without.
    #[serde(default)]
    pub jobs_max: Option<u32>,
}

/// A token to be made; the fields are [`Token`]'s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// 1 to 64 characters, none of them a control character.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// A team that exists.
    pub team: Option<String>,
    /// Later than now: milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// Unfinished jobs that it may have.
    pub jobs_max: Option<u32>,
}

/// What proves that one holds a token: `tes_` and 43 characters of base64 for 256 random bits.
///
/// The book keeps its hash only: it can be shown once, where it is made.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddTokenError {
    /// Not a name.
    #[error(transparent)]
    Name(#[from] TokenNameError),
    /// No such team.
    #[error("there is no such team; make it first: {team}")]
    UnknownTeam {
        /// What was asked for.
        team: String,
    },
    /// It would be refused at once.
    #[error("the token would have expired already, at {expires_ms} ms; give a later time")]
    Expired {
        /// What was asked for: milliseconds since 1970.
        expires_ms: u64,
    },
    /// An owner keeps all teams.
    #[error("an owner's token is of no team, since owners keep them all; leave the team out")]
    OwnerOfTeam,
    /// The book failed.
    #[error(transparent)]
    Book(#[from] BookError),
}

/// Why a secret opens nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No token has it, or it was taken back.
    #[error("no token has this secret; it was mistyped or taken back")]
    Unknown,
    /// Its token's time is over.
    #[error("the token expired at {expired_ms} ms; ask an owner for a new one: {id}")]
    Expired {
        /// The token's id.
        id: String,
        /// Since when: milliseconds since 1970.
        expired_ms: u64,
    },
    /// The book failed.
    #[error(transparent)]
    Book(#[from] BookError),
}

#[derive(Serialize, Deserialize)]
struct Kept {
    token: Token,
    #[serde(with = "as_base64")]
    hash: [u8; 32],
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Submitter, Self::Owner];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Submitter => "submitter",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, ParseRoleError> {
        let named = Self::ALL.into_iter().find(|role| role.as_str() == text);
        named.ok_or_else(|| ParseRoleError(text.chars().take(60).collect()))
    }
}

impl Secret {
    /// The text to be handed to whoever asked for the token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn try_new() -> Result<Self, BookError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(BookError::Random)?;
        Ok(Self(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))))
    }
}

impl fmt::Debug for Secret {
    /// Not the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({PREFIX}…)")
    }
}

impl Book {
    /// Makes a token.
    ///
    /// # Errors
    /// - [`AddTokenError::Name`], [`AddTokenError::UnknownTeam`], [`AddTokenError::Expired`]
    /// - [`AddTokenError::Book`]
    pub fn add_token(&self, new: NewToken, now_ms: u64) -> Result<(Token, Secret), AddTokenError> {
        let NewToken { name, role, team, expires_ms, jobs_max } = new;
        if !(1..=NAME_CHARS_MAX).contains(&name.chars().count())
            || name.chars().any(char::is_control)
        {
            return Err(TokenNameError(name.chars().take(NAME_CHARS_MAX + 1).collect()).into());
        }
        if let Some(expires_ms) = expires_ms.filter(|&expires_ms| expires_ms <= now_ms) {
            return Err(AddTokenError::Expired { expires_ms });
        }
        if role == Role::Owner && team.is_some() {
            return Err(AddTokenError::OwnerOfTeam);
        }
        let secret = Secret::try_new()?;
        let id = random_id("tok_")?;
        let token = Token { id, name, role, team, created_ms: now_ms, expires_ms, jobs_max };
        self.write(Keep::Now, |change| {
            if let Some(team) = &token.team
                && !teams::exists(change, team)?
            {
                return Err(AddTokenError::UnknownTeam { team: team.clone() });
            }
            insert(change, &Kept { token: token.clone(), hash: hash(secret.as_str()) })?;
            Ok(())
        })?;
        Ok((token, secret))
    }

    /// The token that a secret belongs to.
    ///
    /// # Errors
    /// - [`Refused::Unknown`] the secret is nobody's
    /// - [`Refused::Expired`] it was somebody's
    /// - [`Refused::Book`]
    pub fn token_of(&self, secret: &str, now_ms: u64) -> Result<Token, Refused> {
        let token = self.by_hash(&hash(secret))?.ok_or(Refused::Unknown)?;
        match token.expires_ms {
            Some(expired_ms) if expired_ms <= now_ms => {
                Err(Refused::Expired { id: token.id, expired_ms })
            }
            _ => Ok(token),
        }
    }

    /// A token by its id, expired ones too.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn token(&self, id: &str) -> Result<Option<Token>, BookError> {
        let kept = get::<_, Kept>("tokens", &self.read()?.open_table(TOKENS)?, id)?;
        Ok(kept.map(|kept| kept.token))
    }

    /// All tokens, the oldest first, expired ones too.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn tokens(&self) -> Result<Vec<Token>, BookError> {
        let mut tokens = Vec::new();
        for row in self.read()?.open_table(TOKENS)?.iter()? {
            tokens.push(decode::<Kept>("tokens", row?.1.value())?.token);
        }
        tokens.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
        Ok(tokens)
    }

    /// Takes a token back: its secret is nobody's from now on. Says which it was, or `None` where
    /// no token has this id.
    ///
    /// Jobs that it ordered stay.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn revoke(&self, id: &str) -> Result<Option<Token>, BookError> {
        self.write(Keep::Now, |change| {
            let mut tokens = change.open_table(TOKENS)?;
            let Some(kept) = get::<_, Kept>("tokens", &tokens, id)? else {
                return Ok(None);
            };
            tokens.remove(id)?;
            change.open_table(SECRETS)?.remove(&kept.hash)?;
            Ok(Some(kept.token))
        })
    }

    fn by_hash(&self, hash: &[u8; 32]) -> Result<Option<Token>, BookError> {
        let view = self.read()?;
        let Some(id) = view.open_table(SECRETS)?.get(hash)? else {
            return Ok(None);
        };
        let kept = get::<_, Kept>("tokens", &view.open_table(TOKENS)?, id.value())?;
        Ok(kept.map(|kept| kept.token))
    }
}

/// Makes the tables.
pub(super) fn create(change: &WriteTransaction) -> Result<(), BookError> {
    change.open_table(TOKENS)?;
    change.open_table(SECRETS)?;
    Ok(())
}

/// How many tokens name a team.
pub(super) fn of_team(change: &WriteTransaction, team: &str) -> Result<usize, BookError> {
    let mut count = 0;
    for row in change.open_table(TOKENS)?.iter()? {
        let kept = decode::<Kept>("tokens", row?.1.value())?;
        count += usize::from(kept.token.team.as_deref() == Some(team));
    }
    Ok(count)
}

fn insert(change: &WriteTransaction, kept: &Kept) -> Result<(), BookError> {
    let id = kept.token.id.as_str();
    change.open_table(TOKENS)?.insert(id, &encode(kept)[..])?;
    change.open_table(SECRETS)?.insert(&kept.hash, id)?;
    Ok(())
}

fn hash(secret: &str) -> [u8; 32] {
    blake3::derive_key(DOMAIN, secret.as_bytes())
}

#[cfg(test)]
mod tests;
