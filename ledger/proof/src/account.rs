//! Accounts: what they are, in words, and the ids derived from that.

use std::fmt;

use protocol::{AccountId, Digest, JobId, NodeId, PublicKey};
use serde::{Deserialize, Serialize};

/// What an account is. Its id is a hash of this, so that nobody has to open one: the first
/// transfer that names it does, and the journal says in words what every account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Account {
    /// Free tokens of a key's owner.
    Wallet(PublicKey),
    /// The price of a job, until it is spent or returned.
    Escrow(JobId),
    /// Pay of a node that is held back for a while.
    Held(NodeId),
    /// Tokens that an owner of nodes has put at risk.
    Stake(PublicKey),
    /// The farm's fees.
    Fee,
    /// What pays for checking.
    Reserve,
    /// The operator's means: bears overruns.
    Treasury,
    /// Tokens of convicted nodes, until an appeal is decided.
    Appeal,
    /// Where tokens come from: the only account that may go below zero.
    Issuance,
}

impl Account {
    /// The account's id: the hash of its kind and owner.
    #[must_use]
    pub fn id(&self) -> AccountId {
        let parts: [&[u8]; 2] = match self {
            Self::Wallet(key) => [b"wallet", &key.0],
            Self::Escrow(job) => [b"escrow", &job.0],
            Self::Held(node) => [b"held", &node.0],
            Self::Stake(key) => [b"stake", &key.0],
            Self::Fee => [b"fee", b""],
            Self::Reserve => [b"reserve", b""],
            Self::Treasury => [b"treasury", b""],
            Self::Appeal => [b"appeal", b""],
            Self::Issuance => [b"issuance", b""],
        };
        AccountId(Digest::of("tessera 2026 account v1", &parts).0)
    }

    /// Whether more may leave the account than came in: issuance only.
    #[must_use]
    pub const fn may_go_below_zero(&self) -> bool {
        matches!(self, Self::Issuance)
    }
}

impl fmt::Display for Account {
    /// In words: `escrow of job_…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wallet(key) => write!(f, "wallet of {key}"),
            Self::Escrow(job) => write!(f, "escrow of {job}"),
            Self::Held(node) => write!(f, "pay held for {node}"),
            Self::Stake(key) => write!(f, "stake of {key}"),
            Self::Fee => f.write_str("fees"),
            Self::Reserve => f.write_str("verification reserve"),
            Self::Treasury => f.write_str("treasury"),
            Self::Appeal => f.write_str("appeal"),
            Self::Issuance => f.write_str("issuance"),
        }
    }
}

impl From<Account> for AccountId {
    fn from(account: Account) -> Self {
        account.id()
    }
}

impl From<&Account> for AccountId {
    fn from(account: &Account) -> Self {
        account.id()
    }
}

/// The wallet of a key's owner.
#[must_use]
pub const fn wallet(owner: PublicKey) -> Account {
    Account::Wallet(owner)
}

/// The escrow of a job.
#[must_use]
pub const fn escrow(job: JobId) -> Account {
    Account::Escrow(job)
}

/// The pay held back for a node.
#[must_use]
pub const fn held(node: NodeId) -> Account {
    Account::Held(node)
}

/// The stake of an owner of nodes.
#[must_use]
pub const fn stake(owner: PublicKey) -> Account {
    Account::Stake(owner)
}

/// The farm's fees.
#[must_use]
pub const fn fee() -> Account {
    Account::Fee
}

/// What pays for checking.
#[must_use]
pub const fn reserve() -> Account {
    Account::Reserve
}

/// The operator's means.
#[must_use]
pub const fn treasury() -> Account {
    Account::Treasury
}

/// Tokens of convicted nodes.
#[must_use]
pub const fn appeal() -> Account {
    Account::Appeal
}

/// Where tokens come from.
#[must_use]
pub const fn issuance() -> Account {
    Account::Issuance
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn one_of_each() -> [Account; 9] {
        let (key, node, job) = (PublicKey([7; 32]), NodeId([7; 32]), JobId([7; 16]));
        [
            wallet(key),
            escrow(job),
            held(node),
            stake(key),
            fee(),
            reserve(),
            treasury(),
            appeal(),
            issuance(),
        ]
    }

    #[test]
    fn every_account_has_its_own_id_and_words() {
        let accounts = one_of_each();
        let ids: BTreeSet<AccountId> = accounts.iter().map(Account::id).collect();
        let words: BTreeSet<String> = accounts.iter().map(Account::to_string).collect();
        assert_eq!((ids.len(), words.len()), (accounts.len(), accounts.len()));
        assert_eq!(words.iter().filter(|text| text.contains("07070707")).count(), 4);
    }

    #[test]
    fn ids_never_change() {
        // Ids are on people's disks: this value may never be another.
        assert_eq!(issuance().id().short(), "acc_2497f29e");
    }
}
