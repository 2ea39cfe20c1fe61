//! What the operator sets, with defaults and their reasons.

mod database;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use protocol::Tokens;
use protocol::tokens::as_text;
use serde::{Deserialize, Serialize};

use crate::core::Policy;
use crate::market::{Rules, RulesError};
use crate::quote::Prices;

pub(crate) use database::Tls;
pub use database::{Database, DatabaseError};

/// Least memory of a process that renders, bytes.
const WORKER_BYTES_MIN: u64 = 64 << 20;

/// Settings of a scheduler. All have defaults but `data_dir`, which has one too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where everything is kept: keys, journal, ledger, films, scenes.
    pub data_dir: PathBuf,
    /// Where to listen. Port 0 takes a free one: a farm that is to be found again after a
    /// restart needs a fixed port.
    pub bind: SocketAddr,
    /// Where the status page and the metrics are; nowhere when there is none. Whoever can connect sees
    /// every job and its picture: an address of this machine alone is what is meant, behind a proxy that
    /// asks who comes where others are to see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<SocketAddr>,
    /// Whether only who has the ticket gets in: it carries an invitation.
    pub private: bool,
    /// Number of the invitation. Another number makes the tickets of earlier ones worthless.
    pub invitation: u32,
    /// Whether nothing costs anything and nobody has tokens: for machines of one's own. What else is
    /// said of prices and grants counts for nothing then.
    pub free: bool,
    /// The PostgreSQL database that several schedulers of this farm share; none for a farm with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// Where films, evidence and scenes are kept for all of them, beside this disk: the URL of a folder
    /// or of a bucket, as `file:///srv/farm` or `s3://bucket/farm`. Keys of the bucket come from the
    /// environment, `AWS_ACCESS_KEY_ID` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<String>,
    /// How long a scheduler that leads may be silent until another takes the lead, milliseconds.
    pub lead_ms: u64,
    /// Entries of a journal after which what it comes to is written down, so that the next start need
    /// not read what came before; 0 for never. A journal that is sixteen times as long waits for a
    /// sixteenth of its length.
    pub snapshot_entries: u64,
    /// What a quote adds to the price of rays; that is in `policy.market`.
    pub prices: Prices,
    /// Tokens that a new client gets once.
    #[serde(with = "as_text")]
    pub welcome_grant: Tokens,
    /// Welcome grants a day, all keys together: keys are free. Who comes too late gets none, is told
    /// so when tokens are missing, and may come again.
    pub welcome_grants_per_day: u32,
    /// Requests a second that one key may make for long, and ten seconds' worth at once; what a node's
    /// work takes is not counted. 0 for any number.
    pub requests_per_second: u32,
    /// Tokens that the operator gives the verification reserve once, so that the first
    /// newcomers' twins can be paid.
    #[serde(with = "as_text")]
    pub reserve_grant: Tokens,
    /// How long a unit should take on a node, milliseconds.
    pub unit_ms: u64,
    /// How long at most where a job is so large that each node has many units to do, milliseconds.
    pub unit_ms_max: u64,
    /// Threads of the trusted renderer; none for all.
    pub cpu_threads: Option<NonZeroUsize>,
    /// Scenes that the trusted renderer keeps ready, each in a process of its own.
    #[serde(alias = "frames_kept")]
    pub scenes_kept: usize,
    /// Program that is its own worker when it is started with the one argument `worker`: scenes are read
    /// and rendered there. Without it that is done in this process, where a scene that breaks the
    /// renderer has the farm's keys. The command line names itself.
    #[serde(skip)]
    pub worker: Option<PathBuf>,
    /// Memory that such a process may use in all, bytes; three quarters of the machine's without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_bytes: Option<u64>,
    /// Milliseconds between looks at deadlines; also the longest that a lazy event stays in
    /// memory only.
    pub tick_ms: u64,
    /// Milliseconds between looks for films that nobody needs any more; younger ones stay in any case.
    pub sweep_ms: u64,
    /// Milliseconds for which a scene is kept that no job needs, since somebody last asked for it.
    pub keep_scenes_ms: u64,
    /// Milliseconds for which the same checkpoint of the ledger is handed out, so that the
    /// co-signatures of all witnesses meet under it. What was written since is not witnessed yet.
    pub publish_ms: u64,
    /// Rules of leases, twins, challenges and holds.
    pub policy: Policy,
    /// Accepts every film unchecked and pays for it. For measuring what checking costs, on a
    /// farm whose nodes are all the operator's own; never with anybody else's.
    pub dangerously_accept_unchecked_films: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("tessera-farm"),
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            status: None,
            private: false,
            invitation: 1,
            free: false,
            database: None,
            objects: None,
            // A second's silence is a hiccup of the network, six are none.
            lead_ms: 6_000,
            // Read again in a second.
            snapshot_entries: 100_000,
            prices: Prices::default(),
            welcome_grant: Tokens::from_whole(100),
            // A hundred newcomers a day are a farm that grows fast.
            welcome_grants_per_day: 100,
            // A window that follows ten jobs asks some twenty times a second.
            requests_per_second: 50,
            reserve_grant: Tokens::from_whole(1_000),
            // Long against the network and a challenge, short against a person's patience.
            unit_ms: 4_000,
            // What a node loses when it is switched off, and how late a first tile comes.
            unit_ms_max: 20_000,
            cpu_threads: None,
            scenes_kept: 4,
            worker: None,
            worker_bytes: None,
            tick_ms: 200,
            sweep_ms: 3_600_000,
            // Who has sent a scene orders it on the same day, or sends it again.
            keep_scenes_ms: 24 * 3_600_000,
            // As often as nodes ask.
            publish_ms: 60_000,
            policy: Policy::default(),
            dangerously_accept_unchecked_films: false,
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the settings cannot be read: {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not such settings.
    #[error("the settings are not understood: {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: toml::de::Error,
    },
    /// A value is out of range.
    #[error("{name} is {value}; {rule}")]
    Range {
        /// Which.
        name: &'static str,
        /// What it is.
        value: u64,
        /// What it should be.
        rule: &'static str,
    },
    /// The market's rules cannot be used.
    #[error(transparent)]
    Market(#[from] RulesError),
    /// The database's address is none.
    #[error(
        "the database's address is not understood; write postgres://user:password@host:5432/name, or @FILE with it"
    )]
    Database(#[source] DatabaseError),
    /// Nodes would not find the next leader.
    #[error("several schedulers need an address that nodes reach, with a port: bind is {0}")]
    SharedBind(SocketAddr),
    /// The next leader would not have the films.
    #[error(
        "several schedulers need a place for films and scenes that all of them reach: set objects"
    )]
    SharedObjects,
    /// Checking is off without the word that says so.
    #[error(
        "policy.check is false: films would be paid unchecked; set dangerously_accept_unchecked_films to say that this is meant"
    )]
    Unchecked,
}

impl Config {
    /// Reads settings from a TOML file.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source })?;
        config.validate_values()?;
        Ok(config)
    }

    /// Checks every value against its range, and that what must be together is.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.validate_values()?;
        if self.database.is_none() {
            return Ok(());
        }
        if self.bind.port() == 0 || self.bind.ip().is_unspecified() {
            return Err(ConfigError::SharedBind(self.bind));
        }
        if self.objects.is_none() {
            return Err(ConfigError::SharedObjects);
        }
        Ok(())
    }

    /// Checks each value for itself: options of the command line may still change others.
    fn validate_values(&self) -> Result<(), ConfigError> {
        let policy = &self.policy;
        if !policy.check && !self.dangerously_accept_unchecked_films {
            return Err(ConfigError::Unchecked);
        }
        policy.market.validate()?;
        if let Some(database) = &self.database {
            database.parsed().map_err(ConfigError::Database)?;
        }
        let at_least_one = "it must be at least 1";
        let at_most_all = "it is in millionths, at most 1000000";
        let checks = [
            ("unit_ms", self.unit_ms, self.unit_ms >= 1, at_least_one),
            ("tick_ms", self.tick_ms, (1..=60_000).contains(&self.tick_ms), "1..=60000"),
            ("sweep_ms", self.sweep_ms, self.sweep_ms >= 1, at_least_one),
            (
                "keep_scenes_ms",
                self.keep_scenes_ms,
                self.keep_scenes_ms > self.prices.valid_ms,
                "scenes must be kept for longer than quotes of them are valid, prices.valid_ms",
            ),
            ("lead_ms", self.lead_ms, (600..=600_000).contains(&self.lead_ms), "600..=600000"),
            ("publish_ms", self.publish_ms, self.publish_ms <= 3_600_000, "at most an hour"),
            ("scenes_kept", self.scenes_kept as u64, self.scenes_kept >= 1, at_least_one),
            (
                "worker_bytes",
                self.worker_bytes.unwrap_or(u64::MAX),
                self.worker_bytes.is_none_or(|bytes| bytes >= WORKER_BYTES_MIN),
                "a process that renders needs 64 MiB, 67108864, at least",
            ),
            ("policy.lease_ms", policy.lease_ms, policy.lease_ms >= 1_000, "at least 1000"),
            (
                "policy.keep_ms",
                policy.keep_ms,
                policy.keep_ms >= policy.hold_max_ms().max(policy.appeal_ms),
                "films must be kept as long as pay is held and convictions can be appealed against: policy.hold_ms times policy.newcomer_hold, and policy.appeal_ms",
            ),
            (
                "policy.leases_per_node",
                u64::from(policy.leases_per_node),
                (1..=16).contains(&policy.leases_per_node),
                "it must be 1..=16",
            ),
            (
                "policy.unjudged_max",
                u64::from(policy.unjudged_max),
                policy.unjudged_max >= 1,
                at_least_one,
            ),
            (
                "policy.pixels_exact",
                u64::from(policy.pixels_exact),
                policy.pixels_exact >= 1,
                at_least_one,
            ),
            (
                "policy.pixels_tolerant",
                u64::from(policy.pixels_tolerant),
                policy.pixels_tolerant >= 1,
                at_least_one,
            ),
            ("policy.boost", u64::from(policy.boost), policy.boost >= 1, at_least_one),
            (
                "policy.pay_max_factor",
                u64::from(policy.pay_max_factor),
                policy.pay_max_factor >= 1,
                at_least_one,
            ),
            (
                "policy.twin_floor_ppm",
                u64::from(policy.twin_floor_ppm),
                policy.twin_floor_ppm <= 1_000_000,
                at_most_all,
            ),
            (
                "policy.newcomer_hold",
                u64::from(policy.newcomer_hold),
                policy.newcomer_hold >= 1,
                at_least_one,
            ),
            (
                "policy.overrun_ppm",
                u64::from(policy.overrun_ppm),
                policy.overrun_ppm <= 1_000_000,
                at_most_all,
            ),
            (
                "policy.treasury_ppm",
                u64::from(policy.treasury_ppm),
                policy.treasury_ppm <= 1_000_000,
                at_most_all,
            ),
            (
                "prices.fee_ppm",
                u64::from(self.prices.fee_ppm),
                self.prices.fee_ppm <= 1_000_000,
                at_most_all,
            ),
            (
                "prices.reserve_ppm",
                u64::from(self.prices.reserve_ppm),
                self.prices.reserve_ppm <= 1_000_000,
                at_most_all,
            ),
            (
                "prices.checking_ppm",
                u64::from(self.prices.checking_ppm),
                self.prices.checking_ppm <= 1_000_000,
                at_most_all,
            ),
        ];
        match checks.into_iter().find(|(_, _, good, _)| !good) {
            Some((name, value, _, rule)) => Err(ConfigError::Range { name, value, rule }),
            None => Ok(()),
        }
    }

    /// The rules with the switches for unchecked films and for a free farm in them.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let check = !self.dangerously_accept_unchecked_films;
        let market = match self.free {
            true => Rules { owners_min: u32::MAX, ..Rules::fixed(Tokens::ZERO) },
            false => self.policy.market.clone(),
        };
        Policy { check, market, ..self.policy.clone() }
    }

    /// What a quote adds to the price of rays: nothing on a free farm.
    #[must_use]
    pub fn prices(&self) -> Prices {
        let Prices { valid_ms, .. } = self.prices;
        match self.free {
            true => Prices {
                setup_per_frame: Tokens::ZERO,
                fee_ppm: 0,
                reserve_ppm: 0,
                checking_ppm: 0,
                valid_ms,
            },
            false => self.prices.clone(),
        }
    }

    /// What a new client gets once.
    #[must_use]
    pub fn welcome_grant(&self) -> Tokens {
        if self.free { Tokens::ZERO } else { self.welcome_grant }
    }

    /// What the verification reserve gets once.
    #[must_use]
    pub fn reserve_grant(&self) -> Tokens {
        if self.free { Tokens::ZERO } else { self.reserve_grant }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_defaults_and_they_are_valid() {
        let config: Config = toml::from_str("").expect("all have defaults");
        assert_eq!(config, Config::default());
        config.validate().expect("valid");
        let text = toml::to_string_pretty(&config).expect("can be printed");
        assert_eq!(toml::from_str::<Config>(&text).expect("and read"), config);
    }

    #[test]
    fn amounts_are_text_and_unknown_names_are_errors() {
        let config: Config =
            toml::from_str("welcome_grant = \"2.5\"\n[policy]\nboost = 5").expect("valid");
        assert_eq!(config.welcome_grant, Tokens::from_micro(2_500_000));
        assert_eq!(config.policy.boost, 5);
        assert!(toml::from_str::<Config>("welcome_gift = \"2.5\"").is_err());
        assert!(toml::from_str::<Config>("welcome_grant = 2.5").is_err());
    }

    #[test]
    fn checking_is_not_turned_off_by_the_way() {
        let mut config: Config = toml::from_str("[policy]\ncheck = false").expect("parses");
        assert!(matches!(config.validate(), Err(ConfigError::Unchecked)));
        config.dangerously_accept_unchecked_films = true;
        config.validate().expect("said so");
        assert!(!config.policy().check);
        assert!(Config::default().policy().check);
    }

    #[test]
    fn ranges_are_checked_by_name() {
        let mut config = Config::default();
        config.policy.leases_per_node = 0;
        let refused = config.validate().expect_err("out of range");
        assert!(refused.to_string().starts_with("policy.leases_per_node is 0"));
        let text = "[policy.market]\nper_gray = \"3\"";
        let config: Config = toml::from_str(text).expect("parses");
        let refused = config.validate().expect_err("below the floor").to_string();
        assert!(refused.contains("per_gray 3.000000") && refused.contains("floor 5"), "{refused}");
    }
}
