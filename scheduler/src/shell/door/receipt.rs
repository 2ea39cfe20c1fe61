//! Receipts: what an artist can show to others, and single pixels of accepted films.

use std::collections::BTreeMap;

use ledger::{Entry, Event};
use proof::receipt::verdict_link;
use proof::{EntryError, Proof};
use protocol::message::{Refused, RefusedCode};
use protocol::{
    Digest, EVIDENCE_PIXELS_MAX, Engine, JobId, JobSpec, Order, Payment, PublicKey, Quote,
    RECEIPT_UNITS_MAX, Receipt, Reply, ShotIndex, Signed, SigningKey, TransferId, Unit,
    UnitReceipt, Verdict, encode,
};

use super::witness::not_proven;
use super::{Answer, Bytes, Door, artist, blocking, internal, refused};
use crate::core::{Accepted, Book, view};
use crate::money;

impl Door {
    /// A receipt of the accepted units of one shot.
    pub(super) async fn receipt(&self, caller: PublicKey, job: JobId, shot: ShotIndex) -> Answer {
        let drafted = self.desk.ask(move |desk| {
            artist::own_job(desk.state(), caller, job)?;
            draft(&desk.state().book, job, shot)
        });
        let draft = drafted.await??;
        let (note, proofs) = self.payments(&draft).await?;
        let accepted = draft.accepted.iter();
        let paid_for: Vec<bool> = accepted.map(|(_, it)| !it.pay.is_zero()).collect();
        let key = self.key.clone();
        let receipt = blocking(move || draft.receipt(shot, note, proofs, &key)).await?;
        let receipt = receipt.map_err(|error| internal("no receipt was made", error))?;
        let unpaid = receipt
            .units
            .iter()
            .zip(paid_for)
            .filter(|(unit, is_paid)| *is_paid && unit.payments.is_empty());
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
        let ids = draft.accepted.iter().map(|(unit, it)| money::pay_ids(unit, it.film.lease));
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
            artist::own_job(desk.state(), caller, unit.job)?;
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
    spec: JobSpec,
    order: Signed<Order>,
    quote: Quote,
    engine: Engine,
    accepted: Vec<(Unit, Accepted)>,
}

impl Draft {
    /// The receipt, with those of the payments that are for its units.
    fn receipt(
        self,
        shot: ShotIndex,
        note: String,
        proofs: Vec<Proof>,
        key: &SigningKey,
    ) -> Result<Receipt, EntryError> {
        let accepted = self.accepted.iter();
        let verdicts: Vec<Verdict> = accepted
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
        let units = self.accepted.iter().zip(&verdicts).zip(payments);
        let units = units.map(|(((unit, accepted), verdict), payments)| {
            let piece = self.spec.piece(*unit, self.engine);
            let piece = piece.expect("invariant: units are of their job");
            UnitReceipt {
                commitment: accepted.film.commitment(&piece),
                verdict: Signed::new(verdict, key),
                payments,
            }
        });
        let units = units.collect();
        Ok(Receipt {
            units,
            checkpoint: note,
            quote: Signed::new(&self.quote, key),
            spec: self.spec,
            order: self.order,
            engine: self.engine,
            shot,
        })
    }
}

fn draft(book: &Book, job: JobId, shot: ShotIndex) -> Result<Draft, Refused> {
    let job = &book.jobs[&job];
    let of_shot = job.units.iter().filter(|unit| unit.unit.shot == shot);
    let mut accepted: Vec<(Unit, Accepted)> =
        of_shot.filter_map(|unit| Some((unit.unit, unit.accepted.clone()?))).collect();
    accepted.sort_by_key(|(unit, _)| (unit.tile, unit.batch));
    if accepted.is_empty() {
        let message = format!("shot {} has no accepted tile; watch the job until it has", shot.0);
        return Err(refused(RefusedCode::NotFound, message));
    }
    if accepted.len() > RECEIPT_UNITS_MAX {
        let message = format!(
            "shot {} has {} units, more than the {RECEIPT_UNITS_MAX} of one receipt; order it in larger tiles",
            shot.0,
            accepted.len()
        );
        return Err(refused(RefusedCode::BadRequest, message));
    }
    Ok(Draft {
        spec: job.spec.clone(),
        order: job.order.clone(),
        quote: job.quote.clone(),
        engine: job.engine,
        accepted,
    })
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
