//! Receipts: what an artist can show to others, and single pixels of accepted films.

use std::collections::BTreeMap;

use ledger::{Entry, Event};
use proof::receipt::verdict_link;
use proof::{EntryError, Proof};
use protocol::message::{Refused, RefusedCode};
use protocol::{
    Digest, EVIDENCE_PIXELS_MAX, Engine, JobId, JobReceipt, JobSpec, Order, Payment, PublicKey,
    Quote, RECEIPT_UNITS_MAX, Receipt, Reply, ShotIndex, Signed, SigningKey, TransferId, Unit,
    UnitReceipt, Verdict, encode,
};

use super::witness::not_proven;
use super::{Answer, Bytes, Door, artist, blocking, internal, refused};
use crate::core::{Accepted, Book, bases, view};
use crate::money;

impl Door {
    /// A receipt of the accepted units of one shot.
    pub(super) async fn receipt(&self, caller: PublicKey, job: JobId, shot: ShotIndex) -> Answer {
        let drafted = self.desk.ask(move |desk| {
            artist::own_kept_job(desk.state(), caller, job)?;
            draft(&desk.state().book, job, shot)
        });
        let draft = drafted.await??;
        let (note, proofs) = self.payments(&draft).await?;
        let paid_for: Vec<bool> = draft.accepted().map(|(_, it)| !it.pay.is_zero()).collect();
        let key = self.key.clone();
        let receipt = blocking(move || draft.receipt(shot, note, proofs, &key)).await?;
        let receipt = receipt.map_err(|error| internal("no receipt was made", error))?;
        let units = receipt.jobs.iter().flat_map(|job| &job.units);
        let unpaid =
            units.zip(paid_for).filter(|(unit, is_paid)| *is_paid && unit.payments.is_empty());
        let unpaid = unpaid.count();
        if unpaid > 0 {
            let message = format!("{unpaid} units are just being paid; try again in a moment");
            return Err(refused(RefusedCode::Busy, message));
        }
        Ok((Reply::Receipt, Bytes::from(encode(&receipt))))
    }

    /// What may be payments for the units of a receipt, proven against a checkpoint that others have
    /// co-signed, or else the newest.
    async fn payments(&self, draft: &Draft) -> Result<(String, Vec<Proof>), Refused> {
        let ids = draft.accepted().map(|(unit, it)| money::pay_ids(unit, it.film.lease));
        let ids: Vec<TransferId> = ids.flatten().collect();
        let entries = self.till.ask(move |ledger| {
            let entries = ids.into_iter().filter_map(|id| ledger.books().entry_of(id));
            entries.collect::<Vec<u64>>()
        });
        let entries = entries.await?;
        let note = match self.witnesses.cosigned(entries.iter().max().map_or(0, |last| last + 1)) {
            Some(cosigned) => cosigned,
            None => {
                let note = self.till.ask(|ledger| ledger.checkpoint_if_behind()).await?;
                note.map_err(|error| internal("the ledger signed no checkpoint", error))?
            }
        };
        let _turn = self.statements.acquire().await;
        let (prover, against) = (self.prover.clone(), note.clone());
        let proofs = blocking(move || prover.entries(&entries, &against)).await?;
        Ok((note, proofs.map_err(not_proven)?))
    }

    /// Pixels of an accepted film, to its artist.
    pub(super) async fn opening(
        &self,
        caller: PublicKey,
        unit: Unit,
        places: Vec<(u32, u32)>,
    ) -> Result<Reply, Refused> {
        if !(1..=EVIDENCE_PIXELS_MAX).contains(&places.len()) {
            let message = format!(
                "{} pixels cannot be opened at once; ask for 1 to {EVIDENCE_PIXELS_MAX}",
                places.len()
            );
            return Err(refused(RefusedCode::BadRequest, message));
        }
        let found = self.desk.ask(move |desk| {
            artist::own_kept_job(desk.state(), caller, unit.job)?;
            let book = &desk.state().book;
            let accepted = view::accepted(book, &unit).map(|(_, accepted)| accepted.film.root);
            let spec = &book.jobs[&unit.job].spec;
            accepted
                .zip(spec.grid().rect(unit.tile))
                .map(|(root, rect)| (root, rect, spec.settings.passes))
                .ok_or_else(|| {
                    let message = "that tile is not accepted yet; watch the job until it is";
                    refused(RefusedCode::NotFound, message)
                })
        });
        let (root, rect, has_passes) = found.await??;
        let films = self.films.clone();
        let opened = blocking(move || {
            let bytes = films.read(root)?;
            Ok::<_, anyhow::Error>(film::opening::open(&bytes, rect, has_passes, &places))
        });
        let opened = opened.await?.map_err(|error| internal("the film was not read", error))?;
        let opened = opened.map_err(|error| refused(RefusedCode::BadRequest, error.to_string()))?;
        Ok(Reply::Opening(opened))
    }
}

/// What the book knows of a receipt.
struct Draft {
    engine: Engine,
    /// The job, then its bases.
    jobs: Vec<JobDraft>,
}

/// What it knows of one job.
struct JobDraft {
    spec: JobSpec,
    order: Signed<Order>,
    quote: Quote,
    /// Units of the shot that stay in the picture, by tile and batch.
    accepted: Vec<(Unit, Accepted)>,
}

impl Draft {
    fn accepted(&self) -> impl Iterator<Item = &(Unit, Accepted)> {
        self.jobs.iter().flat_map(|job| &job.accepted)
    }

    /// The receipt, with those of the payments that are for its units.
    fn receipt(
        self,
        shot: ShotIndex,
        note: String,
        proofs: Vec<Proof>,
        key: &SigningKey,
    ) -> Result<Receipt, EntryError> {
        let verdicts: Vec<Verdict> = self
            .accepted()
            .map(|(unit, it)| it.film.acceptance(*unit, it.pixels_checked, it.pay))
            .collect();
        let links: BTreeMap<Digest, usize> = verdicts.iter().map(verdict_link).zip(0..).collect();
        let unit_of = |entry: &Entry| {
            let transfer = paid(entry)?;
            let at = *links.get(&transfer.link.evidence?)?;
            (transfer.credit == ledger::account::held(verdicts[at].node)).then_some(at)
        };
        let mut payments: Vec<Vec<Payment>> = vec![Vec::new(); verdicts.len()];
        for proof in proofs {
            if let Some(at) = unit_of(&Entry::decode(&proof.content)?) {
                let (entry, bytes, path) = (proof.index, proof.content, proof.path);
                payments[at].push(Payment { entry, bytes, path });
            }
        }
        let engine = self.engine;
        let mut papers = verdicts.iter().zip(payments);
        let jobs = self.jobs.into_iter().map(|job| {
            let units = job.accepted.iter().zip(papers.by_ref());
            let units = units.map(|((unit, accepted), (verdict, payments))| {
                let piece = job.spec.piece(*unit, engine);
                let piece = piece.expect("invariant: units are of their job");
                UnitReceipt {
                    commitment: accepted.film.commitment(&piece),
                    verdict: Signed::new(verdict, key),
                    payments,
                }
            });
            let units = units.collect();
            JobReceipt {
                units,
                quote: Signed::new(&job.quote, key),
                spec: job.spec,
                order: job.order,
            }
        });
        Ok(Receipt { jobs: jobs.collect(), checkpoint: note, engine, shot })
    }
}

fn draft(book: &Book, id: JobId, shot: ShotIndex) -> Result<Draft, Refused> {
    let newest = &book.jobs[&id];
    let jobs = std::iter::once(newest).chain(bases(book, &newest.spec)).map(|job| {
        let stays = |unit: &Unit| unit.shot == shot && newest.spec.keeps(&job.spec, unit.batch);
        let units = job.units.iter().filter(|unit| stays(&unit.unit));
        let mut accepted: Vec<(Unit, Accepted)> =
            units.filter_map(|unit| Some((unit.unit, unit.accepted.clone()?))).collect();
        accepted.sort_by_key(|(unit, _)| (unit.tile, unit.batch));
        let (spec, order, quote) = (job.spec.clone(), job.order.clone(), job.quote.clone());
        JobDraft { spec, order, quote, accepted }
    });
    let draft = Draft { engine: newest.engine, jobs: jobs.collect() };
    let units = draft.accepted().count();
    if units == 0 {
        let which = view::shot_words(&newest.spec, shot);
        let message = format!("{which} has no accepted tile; watch the job until it has");
        return Err(refused(RefusedCode::NotFound, message));
    }
    if units > RECEIPT_UNITS_MAX {
        let message = format!(
            "{} has {units} units, more than the {RECEIPT_UNITS_MAX} of one receipt; order it in larger tiles",
            view::shot_words(&newest.spec, shot),
        );
        return Err(refused(RefusedCode::BadRequest, message));
    }
    Ok(draft)
}

/// The transfer of an entry that moved tokens.
fn paid(entry: &Entry) -> Option<&ledger::Transfer> {
    match &entry.event {
        Event::Transfer(transfer) => {
            let moves = matches!(
                transfer.kind,
                ledger::TransferKind::Posted | ledger::TransferKind::Post { .. }
            );
            moves.then_some(transfer)
        }
        _other => None,
    }
}
