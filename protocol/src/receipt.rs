//! What an artist can show of a finished picture: who rendered what, who said that it is right, and
//! where it was paid.

use serde::{Deserialize, Serialize};

use crate::job::{JobSpec, ShotIndex};
use crate::lease::{Commitment, Engine, Verdict};
use crate::order::{Order, Quote};
use crate::sign::Signed;

/// Accepted units of one shot. Everything in it is signed by somebody, or hangs on what is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The engine that the job is pinned to.
    pub engine: Engine,
    /// The shot.
    pub shot: ShotIndex,
    /// The job, then its base, and the base of that.
    pub jobs: Vec<JobReceipt>,
    /// The signed checkpoint of the ledger under which the payments are, with the co-signatures of
    /// its witnesses: text.
    pub checkpoint: String,
}

/// What one job has rendered of a shot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobReceipt {
    /// What was to be rendered.
    pub spec: JobSpec,
    /// The farm's word on the price.
    pub quote: Signed<Quote>,
    /// The artist's word.
    pub order: Signed<Order>,
    /// Its accepted units, by tile and batch.
    pub units: Vec<UnitReceipt>,
}

/// An accepted unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitReceipt {
    /// The node's word on the film.
    pub commitment: Signed<Commitment>,
    /// The farm's word on the same film.
    pub verdict: Signed<Verdict>,
    /// The entries that paid it.
    pub payments: Vec<Payment>,
}

/// An entry of the ledger with the hashes that lead to its checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Number of the entry.
    pub entry: u64,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// From the entry up to the root.
    pub path: Vec<[u8; 32]>,
}

/// Most units of one receipt over all its jobs: some 2 kB each.
pub const RECEIPT_UNITS_MAX: usize = 4_000;
