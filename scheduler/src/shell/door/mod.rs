//! Answers to peers: who may ask what, and where the answer comes from.

mod anyone;
mod arrivals;
mod artist;
mod blocks;
mod earnings;
mod evidence;
mod hello;
mod holders;
mod node;
mod receipt;
mod risk;
mod turnstile;
mod verification;
mod witness;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ledger::Prover;
use protocol::message::{Refused, RefusedCode};
use protocol::{
    Invitation, NodeId, PROTOCOL_VERSION, PublicKey, RenderSettings, Reply, Request, SigningKey,
};
use renderer::CpuBackend;
use tokio::sync::Semaphore;
use transport::{BoxFuture, Scenes, Service};

pub(super) use anyone::LedgerChecks;
pub(super) use arrivals::Arrivals;
pub(super) use holders::Givers;
pub(super) use node::grant;
pub(super) use turnstile::Turnstile;
pub(super) use witness::Witnesses;

use super::assay::Assays;
use super::by_hash::ByHash;
use super::depot::SceneDepot;
use super::desk::{DeskHandle, Stopped};
use super::hands::Hands;
use super::sweep::SceneUses;
use super::till::TillHandle;
use crate::config::Config;

/// A body of bytes, as the transport hands it over.
type Bytes = bytes::Bytes;

/// What an answer is.
type Answer = Result<(Reply, Bytes), Refused>;

/// Everything that answers.
pub(super) struct Door {
    pub(super) key: SigningKey,
    pub(super) config: Config,
    /// What callers must know, on a private farm.
    pub(super) invitation: Option<Invitation>,
    pub(super) desk: DeskHandle,
    pub(super) till: TillHandle,
    pub(super) scenes: Scenes,
    /// Where other schedulers of the farm find them.
    pub(super) depot: Option<SceneDepot>,
    /// Films that are written or read at a time.
    pub(super) store_turns: Semaphore,
    /// Scenes that artists send.
    pub(super) arrivals: Arrivals,
    /// Nodes that give scenes to others.
    pub(super) givers: Givers,
    /// When they were last asked for.
    pub(super) scene_uses: Arc<SceneUses>,
    pub(super) hands: Arc<Hands>,
    pub(super) films: Arc<ByHash>,
    pub(super) evidence: Arc<ByHash>,
    /// Golden frames that nodes were asked for.
    pub(super) qualifying: Mutex<BTreeMap<NodeId, RenderSettings>>,
    /// What probes have found.
    pub(super) assays: Arc<Assays>,
    /// How much a key may ask for.
    pub(super) turnstile: Turnstile,
    /// Renders golden frames, with all threads.
    pub(super) backend: Arc<Mutex<CpuBackend>>,
    /// Golden frames: one at a time.
    pub(super) renders: Semaphore,
    /// Films that the disk has lost: one at a time.
    pub(super) restores: Semaphore,
    /// Probes that are made.
    pub(super) probes: Semaphore,
    /// The last look at the whole ledger: one at a time, and shared for a while.
    pub(super) ledger_check: LedgerChecks,
    /// Proves what the ledger holds.
    pub(super) prover: Prover,
    /// Checkpoints that are handed out, and who has co-signed them.
    pub(super) witnesses: Witnesses,
    /// Statements and proofs that are being made.
    pub(super) statements: Semaphore,
}

impl Service for Door {
    fn call(
        self: Arc<Self>,
        caller: PublicKey,
        request: Request,
        body: Bytes,
    ) -> BoxFuture<'static, (Reply, Bytes)> {
        Box::pin(async move {
            match self.answer(caller, request, body).await {
                Ok(answer) => answer,
                Err(refused) => {
                    tracing::debug!(%caller, code = ?refused.code, "refused: {refused}");
                    (Reply::Refused(refused), Bytes::new())
                }
            }
        })
    }

    fn gone(&self, caller: PublicKey) {
        self.givers.gone(caller);
        let desk = self.desk.clone();
        let node = NodeId(caller.0);
        // It says hello again before it sends a golden film.
        self.qualifying.lock().unwrap_or_else(PoisonError::into_inner).remove(&node);
        tokio::spawn(async move {
            let told = desk
                .ask(move |desk| {
                    if desk.state().book.nodes.contains_key(&node) {
                        let now_ms = desk.now_ms();
                        desk.apply(crate::core::Event::Gone { node, now_ms });
                    }
                })
                .await;
            // A scheduler that stops forgets who is connected anyway.
            drop(told);
        });
    }
}

impl Door {
    async fn answer(&self, caller: PublicKey, request: Request, body: Bytes) -> Answer {
        self.turnstile.pass(caller, &request)?;
        let reply = match request {
            Request::Hello { protocol, role, invitation } => {
                // Who speaks another version would not understand why.
                if protocol == PROTOCOL_VERSION {
                    self.invited(invitation)?;
                }
                self.hello(caller, protocol, role).await
            }
            Request::Qualify => self.qualify(caller, body).await,
            Request::Leases { max, wait_ms } => self.leases(caller, max, wait_ms).await,
            Request::Heartbeat { leases } => self.heartbeat(caller, leases).await,
            Request::Submit { commitment } => self.submit(caller, commitment, body).await,
            Request::Release { leases, reason, why } => {
                self.release(caller, leases, &reason, why).await
            }
            Request::VerificationLease { wait_ms } => {
                self.verification_lease(caller, wait_ms).await
            }
            Request::Findings { findings } => self.findings(caller, findings).await,
            Request::Holders { scene } => self.holders(caller, scene).await,
            Request::Gives { scenes, addresses } => self.gives(caller, scenes, &addresses).await,
            Request::MyNode => self.my_node(caller).await,
            Request::MyVerdicts { after } => self.my_verdicts(caller, after).await,
            Request::OfferScene { scene, size_bytes, wait_ms } => {
                self.offer_scene(caller, scene, size_bytes, wait_ms).await
            }
            Request::Quote { spec, offer } => self.quote(caller, spec, offer).await,
            Request::Order { spec, order } => self.order(caller, spec, order).await,
            Request::Steer { job, steering } => self.steer(caller, job, steering).await,
            Request::Jobs { offset, limit } => self.jobs(caller, offset, limit).await,
            Request::Watch { job, after, wait_ms } => self.watch(caller, job, after, wait_ms).await,
            Request::Film { unit } => return self.film(caller, unit).await,
            Request::Receipt { job, shot } => return self.receipt(caller, job, shot).await,
            Request::Opening { unit, places } => self.opening(caller, unit, places).await,
            Request::Block { who, is_blocked } => self.block(caller, who, is_blocked).await,
            Request::Blocks => self.blocks(caller).await,
            Request::DropScene { scene } => self.drop_scene(caller, scene).await,
            Request::Wallet => self.wallet(caller).await,
            Request::Statement { account, offset, limit } => {
                self.statement(caller, account, offset, limit).await
            }
            Request::Earnings { by, from_ms } => self.earnings(caller, by, from_ms).await,
            Request::CheckLedger => self.check_ledger().await,
            Request::Farm => self.farm().await,
            Request::Dispute { unit, fee_max } => self.dispute(caller, unit, fee_max).await,
            Request::Appeal { lease } => self.appeal(caller, lease).await,
            Request::Stake { amount, id } => self.stake(caller, amount, id).await,
            Request::Unstake { amount } => self.unstake(caller, amount).await,
            Request::Evidence { lease } => self.evidence(caller, lease).await,
            Request::Refusals { job, after } => self.refusals(caller, job, after).await,
            Request::Redeem { voucher, to } => self.redeem(voucher, to).await,
            Request::Checkpoint { since } => self.checkpoint(since).await,
            Request::Cosign { size, line } => self.cosign(caller, size, line).await,
        };
        reply.map(|reply| (reply, Bytes::new()))
    }
}

impl From<Stopped> for Refused {
    fn from(_stopped: Stopped) -> Self {
        refused(RefusedCode::Busy, "the scheduler is stopping; try again in a moment")
    }
}

fn refused(code: RefusedCode, message: impl Into<String>) -> Refused {
    Refused { code, message: message.into() }
}

/// A failure of the scheduler's own: its log says more than the caller needs to know.
fn internal(what: &str, error: impl Into<anyhow::Error>) -> Refused {
    let error = error.into();
    tracing::error!("{what}: {error:#}");
    refused(RefusedCode::Internal, format!("{what}; the scheduler's log says why"))
}

pub(super) use protocol::chain;

/// Runs `work` on a thread that may block.
async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Refused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| internal("a piece of work was not finished", error))
}
