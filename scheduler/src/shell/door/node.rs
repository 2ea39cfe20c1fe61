//! A node's requests: leases, heartbeats, results.

use std::time::Duration;

use protocol::message::{Refused, RefusedCode};
use protocol::{
    Class, Commitment, Digest, Evidence, GivenBack, Lease, LeaseId, NodeId, PublicKey, RayCount,
    Refusal, Reply, Signed, limits,
};
use tokio::time::timeout;

use super::hello::BARRED;
use super::{Bytes, Door, blocking, internal, refused};
use crate::core::{Event, LeasePhase, plan, view};
use crate::shell::by_hash::FileError;
use crate::shell::desk::{Desk, Stopped};
use crate::shell::hands::frame_of;
use crate::shell::verifier::{self, Tripped};

/// Verdicts in one reply.
const VERDICTS_PER_REPLY_MAX: usize = 500;

impl Door {
    /// Work for a node; waits for some when there is none.
    pub(super) async fn leases(
        &self,
        caller: PublicKey,
        max: u32,
        wait_ms: u32,
    ) -> Result<Reply, Refused> {
        let node = NodeId(caller.0);
        let max = max.clamp(1, limits::LEASES_PER_REQUEST_MAX) as usize;
        let wait = Duration::from_millis(u64::from(wait_ms)).min(limits::POLL_WAIT_MAX);
        let asked = move |desk: &mut Desk| {
            let now_ms = desk.now_ms();
            desk.apply(Event::Heard { node, now_ms });
            let granted = grant(desk, node, max)?;
            let waits = granted.is_empty() && !wait.is_zero();
            Ok::<_, Refused>(if waits {
                Err(desk.lobby_mut().wait(node, max))
            } else {
                Ok(granted)
            })
        };
        let granted = match self.desk.ask(asked).await?? {
            Ok(granted) => granted,
            Err((place, mut told)) => match timeout(wait, &mut told).await {
                Ok(told) => told.map_err(|_gone| Stopped)??,
                Err(_elapsed) => {
                    self.desk.ask(move |desk| desk.lobby_mut().leave(place)).await?;
                    // It may have been called just before.
                    told.try_recv().unwrap_or_else(|_nothing| Ok(Vec::new()))?
                }
            },
        };
        // The judge makes ready what the node does, so that the first bad film is the last.
        if let Some(lease) = granted.first()
            && !self.config.dangerously_accept_unchecked_films
        {
            self.hands.warm(&frame_of(&lease.piece));
        }
        Ok(Reply::Leases(granted.iter().map(|lease| Signed::new(lease, &self.key)).collect()))
    }

    pub(super) async fn heartbeat(
        &self,
        caller: PublicKey,
        leases: Vec<LeaseId>,
    ) -> Result<Reply, Refused> {
        let node = NodeId(caller.0);
        let lapsed = self
            .desk
            .ask(move |desk| {
                let now_ms = desk.now_ms();
                desk.apply(Event::Heard { node, now_ms });
                let mine = |desk: &Desk, lease: &LeaseId| {
                    desk.state().book.leases.get(lease).is_some_and(|lease| lease.node == node)
                };
                let (alive, lapsed): (Vec<LeaseId>, Vec<LeaseId>) =
                    leases.into_iter().partition(|lease| mine(desk, lease));
                for lease in alive {
                    desk.apply(Event::Beat { node, lease, now_ms });
                }
                lapsed
            })
            .await?;
        Ok(Reply::Lapsed(lapsed))
    }

    pub(super) async fn release(
        &self,
        caller: PublicKey,
        leases: Vec<LeaseId>,
        reason: &str,
        why: GivenBack,
    ) -> Result<Reply, Refused> {
        let node = NodeId(caller.0);
        // It is read in logs and terminals.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let reason = reason.trim().chars().map(plain);
        let reason: String = reason.take(limits::REPORT_CHARS_MAX).collect();
        tracing::info!(%node, leases = leases.len(), "leases given back: {reason:?}");
        self.desk
            .ask(move |desk| {
                let now_ms = desk.now_ms();
                for lease in leases {
                    let owned = desk.state().book.leases.get(&lease);
                    if let Some(owned) = owned.filter(|lease| lease.node == node) {
                        let (job, words) = (owned.job, reason.clone());
                        let is_report = why == GivenBack::Unwanted && !words.is_empty();
                        if is_report && desk.state().book.may_report(job, node) {
                            desk.apply(Event::Reported { node, job, words, now_ms });
                        }
                        desk.apply(Event::Released { lease, why, now_ms });
                    } else if let Some(errand) = desk.docket_mut().give_back(lease, node, now_ms) {
                        desk.take_back(errand.challenged);
                    }
                }
            })
            .await?;
        Ok(Reply::Done)
    }

    /// A result: tripwires, then the film and the commitment are made durable, then `Done`.
    pub(super) async fn submit(
        &self,
        caller: PublicKey,
        signed: Signed<Commitment>,
        body: Bytes,
    ) -> Result<Reply, Refused> {
        let node = NodeId(caller.0);
        let commitment = signed.open_from(caller).map_err(|error| {
            let message = format!("the commitment is not yours: {}", super::chain(&error));
            refused(RefusedCode::BadRequest, message)
        })?;
        if commitment.node != node {
            let message = format!("the commitment is of {}, you are {node}", commitment.node);
            return Err(refused(RefusedCode::BadRequest, message));
        }
        let Commitment { lease: id, root, .. } = commitment;
        let open = match self.desk.ask(move |desk| standing(desk, node, id, root)).await? {
            Standing::Open(open) => open,
            Standing::Answered => return Ok(Reply::Done),
            Standing::Lapsed => {
                let message = "the lease is not yours, has lapsed, or was answered with another film; ask for new leases";
                return Err(refused(RefusedCode::LeaseLapsed, message));
            }
        };
        if commitment.piece != open.lease.piece.digest() {
            let message = "the commitment is of another piece than the lease's (unit, scene, settings, time, tile or engine); render what the lease names and sign for that";
            return Err(refused(RefusedCode::BadRequest, message));
        }
        let (films, store, key) = (self.films.clone(), self.evidence.clone(), self.key.clone());
        let word = signed.clone();
        let _turn = self.store_turns.acquire().await;
        let looked = blocking(move || match look(&open.lease, &commitment, &body) {
            // The film first: a commitment in the journal promises that its film is there.
            Ok(rays) => films.write(root, &body).map(|()| Ok(rays)).map_err(anyhow::Error::from),
            Err((refusal, place)) => {
                let shown = place.map(|place| {
                    let evidence = tripped(&open, word);
                    let evidence = film::evidence::gather(evidence, &body, &[place], None)?;
                    verifier::keep(&store, &evidence, &key)
                });
                Ok(Err((refusal, shown.transpose()?)))
            }
        })
        .await?
        .map_err(|error: anyhow::Error| match error.downcast_ref() {
            Some(FileError::Depot(_)) => {
                tracing::error!("a film was not stored: {error:#}");
                refused(RefusedCode::Busy, "the farm's storage cannot be reached; try again")
            }
            _ => internal("the film was not written", error),
        })?;
        let event: Box<dyn FnOnce(u64) -> Event + Send> = match looked {
            Ok(rays) => Box::new(move |now_ms| Event::Committed {
                lease: id,
                root,
                rays,
                commitment: signed,
                now_ms,
            }),
            Err((refusal, evidence)) => {
                tracing::warn!(%node, lease = %id, "film refused: {refusal}");
                Box::new(move |now_ms| Event::Tripped {
                    lease: id,
                    root,
                    refusal,
                    evidence,
                    now_ms,
                })
            }
        };
        let taken = self
            .desk
            .ask(move |desk| {
                // Another film of this lease may have come in between.
                let open = matches!(standing(desk, node, id, root), Standing::Open(_));
                let now_ms = desk.now_ms();
                if open {
                    desk.apply(event(now_ms));
                    desk.lobby_mut().call(node);
                }
                open || matches!(standing(desk, node, id, root), Standing::Answered)
            })
            .await?;
        if taken {
            Ok(Reply::Done)
        } else {
            Err(refused(RefusedCode::LeaseLapsed, "the lease lapsed while the film was looked at"))
        }
    }

    pub(super) async fn my_node(&self, caller: PublicKey) -> Result<Reply, Refused> {
        let node = NodeId(caller.0);
        let seen = self
            .desk
            .ask(move |desk| {
                let state = desk.state();
                state.book.nodes.get(&node).map(|node| view::node(state, node))
            })
            .await?;
        seen.map(Reply::Node).ok_or_else(unknown_node)
    }

    pub(super) async fn my_verdicts(
        &self,
        caller: PublicKey,
        after: u64,
    ) -> Result<Reply, Refused> {
        let node = NodeId(caller.0);
        let verdicts = self
            .desk
            .ask(move |desk| {
                let node = desk.state().book.nodes.get(&node)?;
                let fresh = node.verdicts.after(after).take(VERDICTS_PER_REPLY_MAX);
                Some(fresh.map(|(number, it)| (number, it.clone())).collect::<Vec<_>>())
            })
            .await?
            .ok_or_else(unknown_node)?;
        let key = self.key.clone();
        let sign = move |(number, verdict)| (number, Signed::new(&verdict, &key));
        let signed = blocking(move || verdicts.into_iter().map(sign).collect()).await?;
        Ok(Reply::Verdicts(signed))
    }
}

pub(super) fn unknown_node() -> Refused {
    refused(
        RefusedCode::NotFound,
        "this key is no node's that the farm knows; a node's is the file key in its folder",
    )
}

/// Grants a node at most `max` leases of what the plan has for it.
pub(in crate::shell) fn grant(
    desk: &mut Desk,
    node: NodeId,
    max: usize,
) -> Result<Vec<Lease>, Refused> {
    let known = desk.state().book.nodes.get(&node).ok_or_else(unknown_node)?;
    if known.barred {
        return Err(refused(RefusedCode::NotAllowed, BARRED));
    }
    if known.class.is_none() {
        let message = "the golden film has not been judged; say hello and send it first";
        return Err(refused(RefusedCode::NotAllowed, message));
    }
    let now_ms = desk.now_ms();
    let mut granted = Vec::new();
    while granted.len() < max
        && let Some(event) = plan::next_grant(desk.state(), node, now_ms)
    {
        let Event::Granted { lease, .. } = event else { break };
        desk.apply(event);
        granted.extend(view::lease(desk.state(), lease));
    }
    Ok(granted)
}

/// How a lease stands towards a node that answers it.
enum Standing {
    /// It may be answered.
    Open(Box<Open>),
    /// This very film was taken before: the reply was lost, say it again.
    Answered,
    /// It may not.
    Lapsed,
}

/// A lease that may be answered.
struct Open {
    lease: Lease,
    class: Class,
}

fn standing(desk: &Desk, node: NodeId, id: LeaseId, root: Digest) -> Standing {
    let book = &desk.state().book;
    if let Some(record) = book.leases.get(&id).filter(|record| record.node == node) {
        return match (&record.phase, record.committed()) {
            (LeasePhase::Out, _) => match view::lease(desk.state(), id) {
                Some(lease) => Standing::Open(Box::new(Open { lease, class: record.class })),
                None => Standing::Lapsed,
            },
            (_, Some(committed)) if committed.film.root == root => Standing::Answered,
            _ => Standing::Lapsed,
        };
    }
    let judged = book.nodes.get(&node).is_some_and(|node| {
        node.verdicts.iter().rev().any(|verdict| verdict.lease == id && verdict.root == root)
    });
    if judged { Standing::Answered } else { Standing::Lapsed }
}

/// What can be said of a film without rendering: engine, layout, tripwires, hash, ray sum.
///
/// What it trips over comes with the pixel that shows it, where one does.
fn look(lease: &Lease, commitment: &Commitment, body: &[u8]) -> Result<RayCount, Tripped> {
    let piece = &lease.piece;
    if commitment.engine != piece.engine {
        return Err((Refusal::Engine { got: commitment.engine, wanted: piece.engine }, None));
    }
    if Digest::from(blake3::hash(body)) != commitment.root {
        return Err((Refusal::Root, None));
    }
    let film = verifier::trip(body, piece.rect, piece.unit.batch, &piece.settings)?;
    let rays = film.rays();
    if rays == commitment.rays { Ok(rays) } else { Err((Refusal::Root, None)) }
}

/// Evidence against a film that holds what no honest one can; the pixel is still to be shown.
fn tripped(open: &Open, commitment: Signed<Commitment>) -> Evidence {
    let Open { lease, class } = open;
    Evidence {
        lease: lease.id,
        node: lease.node,
        piece: lease.piece.clone(),
        class: *class,
        commitment,
        challenge: None,
        places: Vec::new(),
        opening: Vec::new(),
        trusted: Vec::new(),
    }
}
