//! Receipts: what an artist can show to others, and single pixels of accepted films.

use std::collections::BTreeMap;

use ledger::{Entry, Event, offline};
use protocol::message::{Refused, RefusedCode};
use protocol::sign::public_key;
use protocol::{
    Digest, EVIDENCE_PIXELS_MAX, Engine, JobId, JobSpec, Order, Payment, PublicKey, Quote,
    RECEIPT_UNITS_MAX, Receipt, Reply, ShotIndex, Signed, Unit, UnitReceipt, Verdict, encode,
};

use super::{Answer, Bytes, Door, artist, blocking, internal, refused};
use crate::core::{Accepted, Book, view};

impl Door {
    /// A receipt of the accepted units of one shot. It reads the whole ledger: one at a time.
    pub(super) async fn receipt(&self, caller: PublicKey, job: JobId, shot: ShotIndex) -> Answer {
        let _turn = self.receipts.acquire().await;
        let drafted = self.desk.ask(move |desk| {
            artist::own_job(desk.state(), caller, job)?;
            draft(&desk.state().book, job, shot)
        });
        let draft = drafted.await??;
        let note = self.till.ask(|ledger| ledger.checkpoint()).await?;
        let note = note.map_err(|error| internal("the ledger signed no checkpoint", error))?;
        let (dir, key) = (self.config.data_dir.join("ledger"), self.key.clone());
        let accepted = draft.accepted.iter();
        let paid_for: Vec<bool> = accepted.map(|(_, it)| !it.pay.is_zero()).collect();
        let receipt = blocking(move || {
            let verdicts = draft
                .accepted
                .iter()
                .map(|(unit, it)| it.film.acceptance(*unit, it.pixels_checked, it.pay));
            let verdicts: Vec<Verdict> = verdicts.collect();
            let links: BTreeMap<Digest, usize> = verdicts
                .iter()
                .enumerate()
                .map(|(at, verdict)| (proof::receipt::verdict_link(verdict), at))
                .collect();
            let held = |at: usize| ledger::account::held(verdicts[at].node);
            let unit_of = |entry: &Entry| {
                let transfer = paid(entry)?;
                let at = *links.get(&transfer.link.evidence?)?;
                (transfer.credit == held(at)).then_some(at)
            };
            let wanted = &mut |entry: &Entry| unit_of(entry).is_some();
            let proofs = offline::prove_entries(&dir, public_key(&key), &note, wanted)?;
            let mut payments: Vec<Vec<Payment>> = vec![Vec::new(); verdicts.len()];
            for proof in proofs {
                if let Some(at) = unit_of(&Entry::decode(&proof.content)?) {
                    let (entry, bytes, path) = (proof.index, proof.content, proof.path);
                    payments[at].push(Payment { entry, bytes, path });
                }
            }
            let units = draft.accepted.iter().zip(&verdicts).zip(payments);
            let units = units.map(|(((unit, accepted), verdict), payments)| {
                let piece = draft.spec.piece(*unit, draft.engine);
                let piece = piece.expect("invariant: units are of their job");
                UnitReceipt {
                    commitment: accepted.film.commitment(&piece),
                    verdict: Signed::new(verdict, &key),
                    payments,
                }
            });
            let quote = Signed::new(&draft.quote, &key);
            let units = units.collect();
            Ok::<_, anyhow::Error>(Receipt {
                units,
                checkpoint: note,
                quote,
                spec: draft.spec,
                order: draft.order,
                engine: draft.engine,
                shot,
            })
        });
        let receipt = receipt.await?.map_err(|error| internal("no receipt was made", error))?;
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
