//! Verifiers' requests: pixels of others' films to render, and what came out.

use std::time::Duration;

use anyhow::Context as _;
use film::Film;
use protocol::message::{Refused, RefusedCode};
use protocol::{
    Digest, Findings, LeaseId, NodeId, Piece, PublicKey, Reply, Signed, Spots, Testimony, Tokens,
    VerificationLease, limits,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Door, blocking, internal, refused};
use crate::core::{Book, Challenged, Event, FilmRef, Finding};
use crate::money;
use crate::shell::desk::Desk;
use crate::shell::docket::Errand;
use crate::shell::verifier::picked;

/// What a verifier that asks for work gets.
enum Asked {
    Work(Box<VerificationLease>),
    Wait(oneshot::Receiver<()>),
}

/// What becomes of one film that a verifier has looked at.
struct Compared {
    film: FilmRef,
    round: u32,
    pixels: u32,
    agrees: bool,
    /// Hash of the testimony, which is on disk.
    evidence: Digest,
}

/// A verification lease that its verifier has answered.
struct Ended {
    errand: Errand,
    lease: VerificationLease,
}

impl Door {
    /// Pixels of others' films for a verifier; waits for some when there are none.
    pub(super) async fn verification_lease(
        &self,
        caller: PublicKey,
        wait_ms: u32,
    ) -> Result<Reply, Refused> {
        let verifier = NodeId(caller.0);
        let wait = Duration::from_millis(u64::from(wait_ms)).min(limits::POLL_WAIT_MAX);
        let deadline = Instant::now() + wait;
        loop {
            match self.desk.ask(move |desk| work_for(desk, verifier)).await?? {
                Asked::Work(lease) => {
                    let signed = Signed::new(&*lease, &self.key);
                    return Ok(Reply::VerificationLease(Some(Box::new(signed))));
                }
                Asked::Wait(told) => match timeout_at(deadline, told).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_another_poll)) => {
                        // Answered at once, two processes of one key would ask in turns for ever.
                        sleep_until(deadline).await;
                        return Ok(Reply::VerificationLease(None));
                    }
                    Err(_nothing_came) => return Ok(Reply::VerificationLease(None)),
                },
            }
        }
    }

    /// What a verifier has found: compared with the films, and entered as a fact.
    pub(super) async fn findings(
        &self,
        caller: PublicKey,
        signed: Signed<Findings>,
    ) -> Result<Reply, Refused> {
        let verifier = NodeId(caller.0);
        let findings = signed.open_from(caller).map_err(|error| {
            let message = format!("the findings are not yours: {}", super::chain(&error));
            refused(RefusedCode::BadRequest, message)
        })?;
        let id = findings.lease;
        let ended = self.desk.ask(move |desk| ended(desk, id, verifier)).await?;
        let ended = ended.ok_or_else(|| {
            let message =
                "the verification lease is not yours, has lapsed, or was answered; ask for another";
            refused(RefusedCode::LeaseLapsed, message)
        })?;
        let (got, wanted) = (findings.digests.len(), ended.errand.challenged.len());
        if findings.node != verifier || got != wanted {
            self.desk.ask(move |desk| desk.take_back(ended.errand.challenged)).await?;
            let message = format!(
                "the findings are of {} and hold {got} digests; the lease is of {verifier} and asks for {wanted}",
                findings.node
            );
            return Err(refused(RefusedCode::BadRequest, message));
        }
        let (films, evidence, key) = (self.films.clone(), self.evidence.clone(), self.key.clone());
        let owner = ended.errand.owner;
        let compared = blocking(move || {
            let lease = Signed::new(&ended.lease, &key);
            let keep = |entry: usize| {
                let entry = entry as u32;
                let testimony = Testimony { lease: lease.clone(), findings: signed.clone(), entry };
                let bytes = protocol::encode(&testimony);
                let hash = Digest::from(blake3::hash(&bytes));
                evidence.write(hash, &bytes).map(|()| hash)
            };
            let entries = ended.errand.challenged.iter().zip(&findings.digests).enumerate();
            let compared = entries.map(|(entry, (challenged, digest))| {
                let bytes = films.read(challenged.film.root)?;
                let agrees = agrees(challenged, &bytes, (id, entry), *digest)?;
                Ok(Compared {
                    film: challenged.film,
                    round: challenged.challenge.round,
                    pixels: challenged.places().len() as u32,
                    agrees,
                    evidence: keep(entry)?,
                })
            });
            let compared = compared.collect::<anyhow::Result<Vec<Compared>>>();
            compared.map_err(|error| (error, ended.errand.challenged))
        });
        let compared = match compared.await? {
            Ok(compared) => compared,
            Err((error, challenged)) => {
                self.desk.ask(move |desk| desk.take_back(challenged)).await?;
                return Err(internal("what you found could not be compared", error));
            }
        };
        self.desk
            .ask(move |desk| {
                let now_ms = desk.now_ms();
                for Compared { film, round, pixels, agrees, evidence } in compared {
                    let finding = Finding { lease: id, verifier, owner, agrees, pixels, evidence };
                    desk.apply(Event::Found { lease: film.lease, round, finding, now_ms });
                }
            })
            .await?;
        Ok(Reply::Done)
    }
}

/// A verification lease for a node, or the promise of a word when there is one.
fn work_for(desk: &mut Desk, verifier: NodeId) -> Result<Asked, Refused> {
    let book = &desk.state().book;
    let known = book.nodes.get(&verifier).ok_or_else(super::node::unknown_node)?;
    if known.barred {
        return Err(refused(RefusedCode::NotAllowed, super::hello::BARRED));
    }
    let (secret, boot) = (book.secret.clone(), book.boot);
    let begun = desk.docket_mut().begin(verifier, |number| secret.verification_id(boot, number));
    Ok(match begun {
        Some((id, errand)) => Asked::Work(Box::new(lease_of(&desk.state().book, id, &errand))),
        None => Asked::Wait(desk.docket_mut().listen(verifier)),
    })
}

/// Ends a verification lease that its verifier has answered.
fn ended(desk: &mut Desk, id: LeaseId, verifier: NodeId) -> Option<Ended> {
    let errand = desk.docket_mut().end(id, verifier)?;
    let book = &desk.state().book;
    Some(Ended { lease: lease_of(book, id, &errand), errand })
}

/// The lease as its verifier sees it.
fn lease_of(book: &Book, id: LeaseId, errand: &Errand) -> VerificationLease {
    let Piece { unit, scene, settings, time_s, engine, .. } = &errand.challenged[0].piece;
    // Orders are forgotten only before anything of them is leased.
    let job = &book.jobs[&unit.job];
    let spots: Vec<Spots> = errand.challenged.iter().map(spots).collect();
    let wages = errand.challenged.iter().zip(&spots);
    let wages = wages.map(|(it, spots)| job.wage(&it.piece.unit, spots.places.len() as u32));
    VerificationLease {
        id,
        node: errand.verifier,
        scene: *scene,
        settings: settings.clone(),
        time_s: *time_s,
        engine: *engine,
        pay_max: wages.fold(Tokens::ZERO, money::plus),
        spots,
        deadline_ms: errand.until_ms,
    }
}

fn spots(challenged: &Challenged) -> Spots {
    Spots { batch: challenged.piece.unit.batch, places: challenged.places() }
}

/// Whether a verifier's digest is that of the film's pixels.
fn agrees(
    challenged: &Challenged,
    bytes: &[u8],
    (id, entry): (LeaseId, usize),
    digest: Digest,
) -> anyhow::Result<bool> {
    let Challenged { piece, .. } = challenged;
    let places = challenged.places();
    let whole = Film::from_bytes(piece.rect, piece.unit.batch, piece.settings.passes, bytes)?;
    let own = picked(&whole, &places).context("a challenged pixel is outside its tile")?;
    Ok(Findings::digest(id, entry, &own.to_bytes()) == digest)
}
