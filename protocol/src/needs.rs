//! Which nodes a job is for: whose they are, which pool they are in, and what they render with.
//!
//! An owner is proven by his signature. Pools, backends and memory are a node's own word: what
//! strangers must not see goes to nodes of named owners only.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::PublicKey;
use crate::limits;

/// Bytes of a gigabyte: graphics cards "of 8 GB" have a little less than eight times 2^30.
const GIGABYTE: u64 = 1_000_000_000;
/// Gigabytes that a job can ask for: no device has more.
const GIGABYTES_MAX: u64 = 1_024;

/// A name that nodes and jobs find each other by: 1 to 32 of `a` to `z`, `0` to `9`, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pool(String);

/// Text that names no pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a pool; choose 1 to {max} of a to z, 0 to 9, - and _", max = limits::POOL_CHARS_MAX)]
pub struct PoolError(String);

impl Pool {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Pool {
    type Error = PoolError;

    fn try_from(name: String) -> Result<Self, PoolError> {
        let is_fit =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if (1..=limits::POOL_CHARS_MAX).contains(&name.len()) && name.chars().all(is_fit) {
            Ok(Self(name))
        } else {
            Err(PoolError(name.chars().take(60).collect()))
        }
    }
}

impl FromStr for Pool {
    type Err = PoolError;

    fn from_str(name: &str) -> Result<Self, PoolError> {
        name.to_owned().try_into()
    }
}

impl From<Pool> for String {
    fn from(pool: Pool) -> Self {
        pool.0
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a node renders on.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum BackendKind {
    /// Its processor.
    #[default]
    Cpu,
    /// A graphics device.
    Gpu,
}

impl BackendKind {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }
}

/// What a node says it renders with, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Equipment {
    /// What it renders on.
    pub backend: BackendKind,
    /// Memory for a scene, bytes: the device's on a GPU, else what it gives to prepared scenes; none
    /// where it does not know.
    pub memory_bytes: Option<u64>,
    /// Pools that it is in, at most [`limits::POOLS_MAX`].
    pub pools: BTreeSet<Pool>,
}

/// A node in too many pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a node can be in {max} pools, not in {0}; leave some out", max = limits::POOLS_MAX)]
pub struct PoolsError(usize);

impl Equipment {
    /// Checks the number of pools.
    ///
    /// # Errors
    /// [`PoolsError`].
    pub fn validate(&self) -> Result<(), PoolsError> {
        match self.pools.len() {
            many if many > limits::POOLS_MAX => Err(PoolsError(many)),
            _ => Ok(()),
        }
    }
}

/// Which nodes may render a job; the default is any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Needs {
    /// Nodes of these owners only; where none is named, of anybody.
    pub owners: BTreeSet<PublicKey>,
    /// Nodes that say they are in this pool.
    pub pool: Option<Pool>,
    /// Nodes that say they render on this.
    pub backend: Option<BackendKind>,
    /// Nodes that say they have so much memory for a scene, bytes: whole gigabytes, so that few jobs
    /// differ; 0 where it is no matter.
    pub memory_bytes: u64,
}

/// Needs that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NeedsError {
    /// Too many owners.
    #[error("a job can name {max} owners of nodes, not {0}; put their nodes into a pool, or name fewer", max = limits::OWNERS_MAX)]
    Owners(usize),
    /// An amount of memory that is none of those that can be asked for.
    #[error("a job can ask for up to {GIGABYTES_MAX} whole gigabytes of memory, not for {0} bytes")]
    Memory(u64),
}

impl Needs {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// See [`NeedsError`].
    pub fn validate(&self) -> Result<(), NeedsError> {
        if self.owners.len() > limits::OWNERS_MAX {
            return Err(NeedsError::Owners(self.owners.len()));
        }
        let is_whole = self.memory_bytes.is_multiple_of(GIGABYTE);
        if !is_whole || self.memory_bytes > GIGABYTES_MAX * GIGABYTE {
            return Err(NeedsError::Memory(self.memory_bytes));
        }
        Ok(())
    }

    /// Whether any node meets them.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a node of this owner, with this equipment, meets them.
    #[must_use]
    pub fn allow(&self, owner: PublicKey, equipment: &Equipment) -> bool {
        let Equipment { backend, memory_bytes, pools } = equipment;
        (self.owners.is_empty() || self.owners.contains(&owner))
            && self.pool.as_ref().is_none_or(|pool| pools.contains(pool))
            && self.backend.is_none_or(|wanted| wanted == *backend)
            && (self.memory_bytes == 0
                || memory_bytes.is_some_and(|bytes| bytes >= self.memory_bytes))
    }

    /// The one owner whose nodes may render, where there is but one: then no film has a twin.
    #[must_use]
    pub fn sole_owner(&self) -> Option<PublicKey> {
        self.owners.first().copied().filter(|_| self.owners.len() == 1)
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owners = match self.owners.len() {
            0 => None,
            1 => self.owners.first().map(|owner| format!("nodes of {owner}")),
            several => Some(format!("nodes of {several} owners")),
        };
        let words = [
            owners,
            self.pool.as_ref().map(|pool| format!("pool {pool}")),
            self.backend.map(|backend| format!("backend {}", backend.word())),
            (self.memory_bytes > 0).then(|| {
                format!("memory of {} GB or more", self.memory_bytes as f64 / GIGABYTE as f64)
            }),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        f.write_str(if words.is_empty() { "any node" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

/// How many nodes of a farm may render a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reach {
    /// Nodes that the farm knows and that may work.
    pub known: u32,
    /// Of these, those that meet what the job's artist asks for.
    pub meet: u32,
    /// Of these, those that can hold its scene, or do not know.
    pub hold: u32,
    /// Of these, those that are connected.
    pub here: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    fn pool(name: &str) -> Pool {
        name.parse().expect("a name")
    }

    fn owner(number: u8) -> PublicKey {
        PublicKey([number; 32])
    }

    #[test]
    fn pools_have_short_plain_names() {
        for name in ["studio", "n-1_b", "0", &"x".repeat(32)] {
            assert_eq!(name.parse::<Pool>().map(|pool| pool.to_string()), Ok(name.to_owned()));
        }
        for name in ["", "Studio", "a b", "ü", "a\n", &"x".repeat(33)] {
            let error = name.parse::<Pool>().expect_err("no name");
            assert!(error.to_string().contains("1 to 32 of a to z"), "{error}");
            // Nor from the wire.
            let bytes = wire::encode(&name.to_owned());
            assert!(wire::decode::<Pool>(&bytes, 64).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_node_meets_what_it_has_all_of() {
        let equipment = Equipment {
            backend: BackendKind::Gpu,
            memory_bytes: Some(8 * GIGABYTE),
            pools: BTreeSet::from([pool("studio"), pool("night")]),
        };
        let check = |change: fn(&mut Needs), expected: bool| {
            let mut needs = Needs::default();
            change(&mut needs);
            assert_eq!(needs.allow(owner(1), &equipment), expected, "{needs}");
            assert_eq!(needs.is_nothing(), needs.to_string() == "any node");
        };
        check(|_| (), true);
        check(|it| it.owners = BTreeSet::from([owner(1)]), true);
        check(|it| it.owners = BTreeSet::from([owner(0), owner(1)]), true);
        check(|it| it.owners = BTreeSet::from([owner(2)]), false);
        check(|it| it.pool = Some(pool("night")), true);
        check(|it| it.pool = Some(pool("day")), false);
        check(|it| it.backend = Some(BackendKind::Gpu), true);
        check(|it| it.backend = Some(BackendKind::Cpu), false);
        check(|it| it.memory_bytes = 8 * GIGABYTE, true);
        check(|it| it.memory_bytes = 8 * GIGABYTE + 1, false);
        check(|it| (it.memory_bytes, it.pool) = (1, Some(pool("day"))), false);
        // Who claims nothing has nothing.
        let needs = Needs { memory_bytes: 1, ..Needs::default() };
        assert!(!needs.allow(owner(1), &Equipment { memory_bytes: None, ..equipment }));
    }

    #[test]
    fn one_owner_alone_is_told_and_too_many_are_refused() {
        let of = |count: u8| {
            let owners = (0..count).map(owner).collect();
            Needs { owners, ..Needs::default() }
        };
        let sole = [0, 1, 2].map(|count| of(count).sole_owner());
        assert_eq!(sole, [None, Some(owner(0)), None]);
        assert_eq!(of(limits::OWNERS_MAX as u8).validate(), Ok(()));
        let memory = |memory_bytes| Needs { memory_bytes, ..Needs::default() }.validate();
        assert_eq!(memory(1_024 * GIGABYTE), Ok(()));
        for bytes in [1, 8 * GIGABYTE + 1, 1_025 * GIGABYTE] {
            assert_eq!(memory(bytes), Err(NeedsError::Memory(bytes)));
        }
        let many = limits::OWNERS_MAX + 1;
        assert_eq!(of(many as u8).validate(), Err(NeedsError::Owners(many)));
        let pools = |count: usize| (0..count).map(|number| pool(&number.to_string())).collect();
        let validate = |pools| Equipment { pools, ..Equipment::default() }.validate();
        assert_eq!(validate(pools(limits::POOLS_MAX)), Ok(()));
        let many = limits::POOLS_MAX + 1;
        assert_eq!(validate(pools(many)), Err(PoolsError(many)));
    }
}
