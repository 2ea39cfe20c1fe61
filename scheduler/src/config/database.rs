//! The address of a database, in the words of PostgreSQL's own programs.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use tokio_postgres::config::{Host, SslMode};

/// Address of a database. Its password is in no log.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Database(String);

/// An address that is none.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The driver does not understand it.
    #[error(transparent)]
    Driver(#[from] tokio_postgres::Error),
    /// A way of encrypting that we do not offer.
    #[error(
        "sslmode is {0:?}; say verify-full for a connection that nobody listens to, or disable for a plain one"
    )]
    Mode(String),
    /// An authority, and nothing that it vouches for.
    #[error("sslmode is disable, so that sslrootcert counts for nothing; leave one of them out")]
    Idle,
}

/// Who vouches for the database, where what is said to it is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Nothing is encrypted.
    Off,
    /// Whom this machine trusts.
    System,
    /// Whose certificates are in this PEM file, and nobody else.
    Authority(PathBuf),
}

impl Database {
    /// An address: a URL, or words like `host=localhost user=farm`. Beside what the driver knows it may
    /// hold `sslrootcert`, and any `sslmode` under which the database is who it says, or `disable`.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self(address.into())
    }

    /// The same for the driver, and how the connection is encrypted.
    ///
    /// All ways of encrypting are the strictest: the certificate must hold, and for this host. Without a
    /// word it is plain.
    pub(crate) fn parsed(&self) -> Result<(tokio_postgres::Config, Tls), DatabaseError> {
        let Words { rest, mode, authority } = words(&self.0);
        let trusted = match authority.as_deref() {
            None | Some("system") => Tls::System,
            Some(file) => Tls::Authority(file.into()),
        };
        let tls = match mode.as_deref() {
            None if authority.is_none() => Tls::Off,
            None | Some("require" | "verify-ca" | "verify-full") => trusted,
            Some("disable") if authority.is_none() => Tls::Off,
            Some("disable") => return Err(DatabaseError::Idle),
            Some(other) => return Err(DatabaseError::Mode(other.to_owned())),
        };
        let mut config: tokio_postgres::Config = rest.parse()?;
        config.ssl_mode(if tls == Tls::Off { SslMode::Disable } else { SslMode::Require });
        Ok((config, tls))
    }

    /// Whether others than this machine may read what is said to it.
    pub(crate) fn is_exposed(&self) -> bool {
        let is_here = |host: &Host| match host {
            Host::Tcp(name) => {
                name == "localhost"
                    || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
            }
            #[cfg(unix)]
            Host::Unix(_path) => true,
        };
        self.parsed()
            .is_ok_and(|(config, tls)| tls == Tls::Off && !config.get_hosts().iter().all(is_here))
    }
}

/// An address, and what of it the driver does not understand.
struct Words {
    rest: String,
    mode: Option<String>,
    authority: Option<String>,
}

fn words(address: &str) -> Words {
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| address.starts_with(scheme));
    let (before, parameters, separator) = match address.split_once('?') {
        Some((before, parameters)) if is_url => (format!("{before}?"), parameters, '&'),
        None if is_url => (address.to_owned(), "", '&'),
        _ => (String::new(), address, ' '),
    };
    let (mut mode, mut authority) = (None, None);
    let others = parameters.split(separator).filter(|word| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let kept = match name {
            "sslmode" => &mut mode,
            "sslrootcert" => &mut authority,
            _ => return true,
        };
        let decoded = || percent_decode_str(value).decode_utf8_lossy().into_owned();
        *kept = Some(if is_url { decoded() } else { value.to_owned() });
        false
    });
    let others: Vec<&str> = others.collect();
    Words { rest: before + &others.join(&separator.to_string()), mode, authority }
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ok((config, _tls)) = self.parsed() else { return f.write_str("(not understood)") };
        let ports = config.get_ports();
        for (at, host) in config.get_hosts().iter().enumerate() {
            // One port may stand for all hosts, and none for the usual one.
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => write!(f, "{name}:{port} ")?,
                #[cfg(unix)]
                Host::Unix(path) => {
                    write!(f, "{}:{port} ", path.display())?;
                }
            }
        }
        write!(f, "database {}", config.get_dbname().unwrap_or("of the user's name"))
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({self})")
    }
}

impl Serialize for Database {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> (tokio_postgres::Config, Tls) {
        Database::new(address).parsed().expect("an address")
    }

    #[test]
    fn addresses_are_those_of_postgresql() {
        let url = "postgres://farm:se%20cret@10.0.0.9:5433/farm";
        let (plain, tls) = parsed(url);
        assert_eq!((plain.get_ssl_mode(), tls), (SslMode::Disable, Tls::Off));
        assert_eq!(plain.get_password(), Some(&b"se cret"[..]));
        let ca = Tls::Authority("/etc/my ca.pem".into());
        for (parameters, expected) in [
            ("sslmode=verify-full&sslrootcert=/etc/my%20ca.pem", &ca),
            ("sslrootcert=/etc/my%20ca.pem&connect_timeout=3", &ca),
            ("sslmode=require", &Tls::System),
            ("sslmode=verify-ca&sslrootcert=system", &Tls::System),
            ("sslrootcert=system", &Tls::System),
        ] {
            let (config, tls) = parsed(&format!("{url}?{parameters}"));
            assert_eq!((config.get_ssl_mode(), &tls), (SslMode::Require, expected), "{parameters}");
            assert_eq!(config.get_dbname(), Some("farm"));
        }
        let (config, tls) = parsed("host=10.0.0.9 password='a  b' sslmode=verify-full user=farm");
        assert_eq!(config.get_password(), Some(&b"a  b"[..]));
        assert_eq!((config.get_user(), tls), (Some("farm"), Tls::System));
    }

    #[test]
    fn ways_that_anybody_on_the_way_may_turn_off_are_not_offered() {
        for mode in ["prefer", "allow", "verify", ""] {
            let refused = Database::new(format!("postgres://a/b?sslmode={mode}")).parsed();
            let why = refused.expect_err("it is refused").to_string();
            assert!(why.contains(&format!("{mode:?}")) && why.contains("verify-full"), "{why}");
        }
        let idle = Database::new("host=a sslmode=disable sslrootcert=ca.pem").parsed();
        assert!(matches!(idle, Err(DatabaseError::Idle)));
        assert!(Database::new("nothing at all").parsed().is_err());
    }

    #[test]
    fn who_may_be_listened_to_is_known() {
        for here in ["postgres://farm@localhost/f", "host=/run/postgresql", "host=127.0.0.1"] {
            assert!(!Database::new(here).is_exposed(), "{here}");
        }
        assert!(!Database::new("postgres://db.studio/f?sslmode=require").is_exposed());
        assert!(Database::new("postgres://db.studio/f").is_exposed());
        assert!(Database::new("host=localhost,10.0.0.9").is_exposed());
    }
}
