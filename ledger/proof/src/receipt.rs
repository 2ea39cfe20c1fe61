//! Checking a receipt with the farm's public key alone.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    Batch, Commitment, Digest, JobId, JobReceipt, JobSpec, NodeId, PublicKey, RayCount, Receipt,
    SignError, Tokens, Unit, UnitReceipt, Verdict, VerdictKind, encode,
};

use crate::account;
use crate::checkpoint::Checkpoint;
use crate::entry::{Event, Transfer, TransferKind};
use crate::inclusion::{Kind, Proof, ProofError, Proven};
use crate::witness::{self, Cosignature};

/// What a payment's link says of the verdict that it pays for.
#[must_use]
pub fn verdict_link(verdict: &Verdict) -> Digest {
    Digest::of("tessera 2026 verdict link v1", &[&encode(verdict)])
}

/// What a receipt proves.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The job.
    pub job: JobId,
    /// What was to be rendered.
    pub spec: JobSpec,
    /// Who ordered it.
    pub artist: PublicKey,
    /// The units with their films.
    pub units: Vec<CheckedUnit>,
    /// Whether they are all of the shot.
    pub complete: bool,
    /// The ledger's checkpoint under which all payments are.
    pub checkpoint: Checkpoint,
    /// Who saw that the ledger only grew up to there, and co-signed it.
    pub witnesses: Vec<Cosignature>,
}

/// A unit that was rendered, accepted and paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedUnit {
    /// Which.
    pub unit: Unit,
    /// Who rendered it.
    pub node: NodeId,
    /// Hash of the film.
    pub root: Digest,
    /// Rays paid for.
    pub rays: RayCount,
    /// Pixels that the farm rendered again.
    pub pixels_checked: u32,
    /// What the node was paid.
    pub pay: Tokens,
}

/// A receipt that proves less than it says.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// A signature does not hold.
    #[error("the {what} is not signed by {by}")]
    Signature {
        /// What.
        what: &'static str,
        /// By whom it should be.
        by: &'static str,
        /// Why not.
        #[source]
        source: SignError,
    },
    /// Two of its parts speak of different things.
    #[error("the {0} is of something else than the rest of the receipt")]
    Differs(&'static str),
    /// A unit that is none of the shot's.
    #[error("the receipt holds a unit that is not of its shot, or twice the same: {0:?}")]
    Unit(Unit),
    /// The verdict is no acceptance.
    #[error("a film was not accepted: {0:?}")]
    NotAccepted(Unit),
    /// A payment that is not in the ledger.
    #[error("a payment is not in the ledger")]
    Payment(#[from] ProofError),
    /// An entry that is no payment for the unit.
    #[error("entry {entry} of the ledger is no payment for {unit:?}, or is shown twice")]
    Entry {
        /// Number of the entry.
        entry: u64,
        /// The unit.
        unit: Unit,
    },
    /// Another sum than the verdict says.
    #[error("the verdict on {unit:?} says {said} tokens, the ledger paid {paid}")]
    Sum {
        /// The unit.
        unit: Unit,
        /// By the verdict.
        said: Tokens,
        /// By the ledger.
        paid: Tokens,
    },
}

/// Checks signatures, that order, quote, commitments, verdicts and payments speak of the same, that
/// every payment is in the ledger under one signed checkpoint, and adds up; and, where the job has kept
/// samples of earlier ones, that these are its bases and of the same pictures.
///
/// What it cannot tell without rendering is whether the films are right: that is what pixels are
/// rendered again for.
///
/// # Errors
/// See [`ReceiptError`]; hostile receipts never panic.
pub fn check(receipt: &Receipt, farm: PublicKey) -> Result<Checked, ReceiptError> {
    let jobs = &receipt.jobs;
    let signed: Vec<(JobId, PublicKey)> =
        jobs.iter().map(|job| ordered(receipt, job, farm)).collect::<Result<_, _>>()?;
    let (Some(newest), Some(&(job, artist))) = (jobs.first(), signed.first()) else {
        return Err(ReceiptError::Differs("job"));
    };
    for ((before, it), &(id, whose)) in jobs.iter().zip(&jobs[1..]).zip(&signed[1..]) {
        let is_base = before.spec.base == Some(id) && newest.spec.continues(&it.spec);
        if !is_base || whose != artist {
            return Err(ReceiptError::Differs("base"));
        }
    }
    let mut books = Books::new(receipt, farm);
    let mut units = Vec::new();
    for (it, &(job, _)) in jobs.iter().zip(&signed) {
        for unit in &it.units {
            let said = said(receipt, (it, job), farm, unit)?;
            if !newest.spec.keeps(&it.spec, said.unit.unit.batch) {
                return Err(ReceiptError::Unit(said.unit.unit));
            }
            books.pay(unit, &said)?;
            units.push(said.unit);
        }
    }
    let complete = covers(&newest.spec, &units)?;
    let checkpoint = books.checkpoint()?;
    let witnesses = witness::cosignatures(&receipt.checkpoint).map_err(ProofError::Note)?;
    let spec = newest.spec.clone();
    Ok(Checked { job, spec, artist, units, complete, checkpoint, witnesses })
}

/// The job that an order and a quote speak of together, and who ordered it.
fn ordered(
    receipt: &Receipt,
    job: &JobReceipt,
    farm: PublicKey,
) -> Result<(JobId, PublicKey), ReceiptError> {
    let signed = |what, by| move |source| ReceiptError::Signature { what, by, source };
    let quote = job.quote.open_from(farm).map_err(signed("quote", "the farm"))?;
    let order = job.order.open().map_err(signed("order", "the artist"))?;
    let same = [
        ("order", job.order.signer() == order.artist),
        ("order", order.quote == quote.id && order.price == quote.price),
        ("order", order.spec == job.spec.digest() && quote.spec == order.spec),
        ("shot", job.spec.shot(receipt.shot).is_some() && job.spec.validate().is_ok()),
    ];
    match same.into_iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(ReceiptError::Differs(what)),
        None => Ok((protocol::lease::job_id(&order), order.artist)),
    }
}

/// What a unit's signatures say.
struct Said {
    unit: CheckedUnit,
    link: Digest,
}

fn said(
    receipt: &Receipt,
    (of, job): (&JobReceipt, JobId),
    farm: PublicKey,
    unit: &UnitReceipt,
) -> Result<Said, ReceiptError> {
    let signed = |what, by| move |source| ReceiptError::Signature { what, by, source };
    let verdict = unit.verdict.open_from(farm).map_err(signed("verdict", "the farm"))?;
    let by_node = unit.commitment.open_from(verdict.node.into());
    let commitment = by_node.map_err(signed("film", "its node"))?;
    let VerdictKind::Accepted { pixels_checked, rays, pay } = verdict.kind else {
        return Err(ReceiptError::NotAccepted(verdict.unit));
    };
    let Verdict { lease, node, root, unit, .. } = verdict;
    let engine = receipt.engine;
    let is_of_shot = unit.job == job && unit.shot == receipt.shot;
    let piece = of.spec.piece(unit, engine).filter(|_| is_of_shot);
    let piece = piece.ok_or(ReceiptError::Unit(unit))?.digest();
    if commitment != (Commitment { lease, node, piece, root, rays, engine }) {
        return Err(ReceiptError::Differs("film"));
    }
    let link = verdict_link(&verdict);
    Ok(Said { unit: CheckedUnit { unit, node, root, rays, pixels_checked, pay }, link })
}

/// Whether the units are all of the shot, as far as its tiles want them; none may be outside, none
/// overlap another.
fn covers(spec: &JobSpec, units: &[CheckedUnit]) -> Result<bool, ReceiptError> {
    let (grid, chunks) = (spec.grid(), spec.settings.chunk_count());
    let mut tiles: BTreeMap<_, BTreeSet<Batch>> = BTreeMap::new();
    for CheckedUnit { unit, .. } in units {
        let batch = unit.batch;
        let is_of_shot = grid.rect(unit.tile).is_some() && batch.end_chunk() <= chunks;
        let others = tiles.entry(unit.tile).or_default();
        let overlaps = |other: &Batch| {
            other.first_chunk() < batch.end_chunk() && batch.first_chunk() < other.end_chunk()
        };
        if !is_of_shot || others.iter().any(overlaps) {
            return Err(ReceiptError::Unit(*unit));
        }
        others.insert(batch);
    }
    let is_whole = |batches: &&BTreeSet<Batch>| {
        let count = batches.iter().map(|batch| batch.chunk_count()).sum::<u32>();
        // Where noise ends tiles, one may end wherever that is decided.
        let may_end = spec.noise.is_some_and(|target| target.decides_after(count));
        count == chunks || may_end && batches.last().is_some_and(|last| last.end_chunk() == count)
    };
    let whole = tiles.values().filter(is_whole);
    Ok(whole.count() as u64 == u64::from(grid.tile_count()))
}

/// The payments, each counted once, all under one checkpoint.
struct Books<'a> {
    receipt: &'a Receipt,
    farm: PublicKey,
    seen: BTreeSet<u64>,
}

impl<'a> Books<'a> {
    const fn new(receipt: &'a Receipt, farm: PublicKey) -> Self {
        Self { receipt, farm, seen: BTreeSet::new() }
    }

    fn pay(&mut self, unit: &UnitReceipt, said: &Said) -> Result<(), ReceiptError> {
        let mut paid = Tokens::ZERO;
        for payment in &unit.payments {
            let proof = Proof {
                kind: Kind::Entry,
                content: payment.bytes.clone(),
                index: payment.entry,
                path: payment.path.clone(),
                note: self.receipt.checkpoint.clone(),
            };
            let unfit = ReceiptError::Entry { entry: payment.entry, unit: said.unit.unit };
            let Proven::Entry { entry, .. } = proof.check(self.farm)? else { return Err(unfit) };
            let moved = match &entry.event {
                Event::Transfer(transfer) => amount(transfer, said),
                _other => None,
            };
            let sum = moved.and_then(|moved| paid.checked_add(moved));
            paid = sum.filter(|_| self.seen.insert(payment.entry)).ok_or(unfit)?;
        }
        if paid == said.unit.pay {
            return Ok(());
        }
        Err(ReceiptError::Sum { unit: said.unit.unit, said: said.unit.pay, paid })
    }

    fn checkpoint(&self) -> Result<Checkpoint, ReceiptError> {
        let origin = crate::ledger_origin(self.farm);
        let opened = Checkpoint::open(&self.receipt.checkpoint, &origin, Some(self.farm));
        Ok(opened.map_err(ProofError::Note)?)
    }
}

/// What a transfer moves to the unit's node for its verdict; none if it is for something else.
fn amount(transfer: &Transfer, said: &Said) -> Option<Tokens> {
    let is_for_it = transfer.credit == account::held(said.unit.node)
        && transfer.link.unit == Some(said.unit.unit)
        && transfer.link.evidence == Some(said.link);
    match transfer.kind {
        TransferKind::Posted if is_for_it => Some(transfer.amount),
        TransferKind::Post { amount, .. } if is_for_it => Some(amount),
        _other => None,
    }
}
