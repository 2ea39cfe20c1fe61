//! An artist's requests: quotes, orders, news, films.

use std::collections::BTreeSet;
use std::time::Duration;

use ledger::account;
use protocol::message::{Refused, RefusedCode};
use protocol::{
    BackendKind, Digest, Footprint, JobId, JobSpec, Needs, Offer, Order, Piece, PublicKey, Quote,
    Reach, Reply, SceneId, Selection, Shot, Signed, Steering, Unit, limits,
};
use renderer::Work;
use tokio::time::{Instant, timeout_at};

use super::{Answer, Bytes, Door, blocking, chain, internal, refused};
use crate::core::{Book, Demand, Ending, Event, Job, JobPhase, Ordered, Quoted, State, kept, view};
use crate::quote::{self, Terms};
use crate::shell::hands::{Cause, frame_of};
use crate::shell::restore::Restorer;
use crate::split::{self, Kept};

/// Speed that is assumed while no node has said its own, metered rays a second.
const RAYS_PER_SECOND: u64 = 2_000_000;

/// Times that an artist can have a job's failures forgotten: nodes' names pay for what a scene does to
/// them.
const RETRIES_MAX: u32 = 10;
/// Milliseconds between two.
const RETRY_AFTER_MS: u64 = 60_000;
/// Milliseconds between two words of an artist on what of a job comes first, at least, and how many
/// of its units are put in another order in a millisecond of these.
const FIRST_AFTER_MS: u64 = 500;
const UNITS_PER_MS: u64 = 100;

impl Door {
    /// A firm price: fetches nothing, probes on this machine's CPU.
    pub(super) async fn quote(
        &self,
        caller: PublicKey,
        spec: JobSpec,
        offer: Offer,
    ) -> Result<Reply, Refused> {
        let bad_request =
            |error: &dyn std::error::Error| refused(RefusedCode::BadRequest, chain(error));
        spec.validate().map_err(|error| bad_request(&error))?;
        offer.validate().map_err(|error| bad_request(&error))?;
        self.desk.ask(|desk| takes_jobs(desk.state())).await??;
        match self.scenes.has(spec.scene).await {
            Ok(true) => {
                self.scene_uses.touch(spec.scene);
                self.stored(spec.scene).await?;
            }
            Ok(false) => {
                let message = format!("the scene is not here; offer it first: {}", spec.scene);
                return Err(refused(RefusedCode::NotFound, message));
            }
            Err(error) => return Err(internal("the scenes cannot be read", error)),
        }
        if spec.base.is_some() {
            let spec = spec.clone();
            let sound =
                self.desk.ask(move |desk| kept(&desk.state().book, caller, &spec).map(drop));
            sound.await?.map_err(|error| bad_request(&error))?;
        }
        let turn = self.probes.acquire().await;
        let (assays, probed) = (self.assays.clone(), spec.clone());
        let probe = blocking(move || assays.assay(&probed)).await?;
        drop(turn);
        let probe = probe.map_err(|error| match error.cause() {
            Cause::Scene | Cause::Feared => refused(RefusedCode::BadScene, chain(&error)),
            // Twice in a row.
            Cause::Passing if error.is_too_large() => refused(RefusedCode::BadScene, chain(&error)),
            Cause::Farm => internal("the scene cannot be probed", error),
            Cause::Passing | Cause::Stopped => {
                let message = format!("the scene was not probed; ask again: {}", chain(&error));
                refused(RefusedCode::Busy, message)
            }
        })?;
        let prices = self.config.prices();
        let quoted = self
            .desk
            .ask(move |desk| {
                let now_ms = desk.now_ms();
                desk.live_mut().quotes_made += 1;
                let State { book, live, .. } = desk.state();
                let id = book.secret.quote_id(book.boot, live.quotes_made);
                let (rules, base_per_gray) = (&book.policy.market, book.base_per_gray);
                let reach = view::reach(desk.state(), caller, &spec.needs, probe.memory);
                let terms = Terms { prices: &prices, rules, base_per_gray, offer, reach };
                let kept = kept(book, caller, &spec).map_err(|error| chain(&error))?;
                let quoted = quote::quote(&spec, &kept, &probe, terms, id, now_ms);
                let quoted = quoted.map_err(|error| chain(&error))?;
                desk.live_mut().quotes.insert(id, quoted.clone());
                Ok::<Quoted, String>(quoted)
            })
            .await?
            .map_err(|message| refused(RefusedCode::BadRequest, message))?;
        Ok(Reply::Quote(Signed::new(&quoted.quote, &self.key)))
    }

    /// Takes a quote: the escrow is filled before anything is rendered.
    pub(super) async fn order(
        &self,
        caller: PublicKey,
        spec: JobSpec,
        signed: Signed<Order>,
    ) -> Result<Reply, Refused> {
        let order = signed.open_from(caller).map_err(|error| {
            let message = format!("the order is not yours: {}", chain(&error));
            refused(RefusedCode::NotAllowed, message)
        })?;
        if order.artist != caller {
            let message = "an order is paid from the wallet of whoever gives it; sign your own";
            return Err(refused(RefusedCode::NotAllowed, message));
        }
        if spec.digest() != order.spec {
            let message = "the order names another job than the one sent with it";
            return Err(refused(RefusedCode::BadRequest, message));
        }
        spec.validate().map_err(|error| refused(RefusedCode::BadRequest, chain(&error)))?;
        let schedule = order.schedule.clone();
        schedule.validate().map_err(|error| refused(RefusedCode::BadRequest, chain(&error)))?;
        let job = protocol::lease::job_id(&order);
        let balance =
            self.till.ask(move |ledger| ledger.balance(account::wallet(caller)).available).await?;
        let (price, about_grants) = (order.price, self.about_grants(caller).await?);
        let message = format!(
            "the job costs {price} tokens and your wallet holds {balance}; ask for fewer samples or pixels, or earn tokens with a node{about_grants}"
        );
        let no_tokens = refused(RefusedCode::NotEnoughTokens, message);
        let not_enough = no_tokens.clone();
        let lengths = (self.config.unit_ms, self.config.unit_ms_max);
        self.desk
            .ask(move |desk| {
                if desk.state().book.jobs.contains_key(&job) {
                    return Ok(());
                }
                takes_jobs(desk.state())?;
                let now_ms = desk.now_ms();
                let quoted = taken_quote(desk.state(), &order, now_ms)?;
                let kept = still_kept(&desk.state().book, caller, &spec, &quoted.quote)?;
                let memory = quoted.quote.memory;
                may_demand(desk.state(), caller, &Demand::of(&spec.needs, memory))?;
                can_hold(desk.state(), caller, &spec.needs, memory)?;
                let waits_for = order.schedule.after.iter();
                for &other in waits_for {
                    may_wait_for(&desk.state().book, caller, other)?;
                }
                if balance < price {
                    return Err(not_enough);
                }
                let (work, nodes) = (quoted.millirays_per_sample, speeds(desk.state()));
                let speed = nodes.get(nodes.len() / 2).copied().unwrap_or(RAYS_PER_SECOND);
                let samples = quoted.quote.samples;
                let unit_ms = split::unit_ms(samples, work, (nodes.len(), speed), lengths);
                let chunks_max = split::chunks_per_batch(&spec, work, speed, unit_ms);
                let batches = split::lengths(&spec, chunks_max, schedule.progressive);
                split::split(job, &spec, batches, &kept)
                    .map_err(|error| refused(RefusedCode::BadRequest, chain(&error)))?;
                desk.apply(Event::Ordered(Box::new(Ordered {
                    job,
                    spec,
                    quote: quoted.quote,
                    schedule,
                    batches,
                    order: signed,
                    artist: caller,
                    now_ms,
                })));
                Ok(())
            })
            .await??;
        self.wait_for_escrow(job).await?.then_some(Reply::Ordered { job }).ok_or(no_tokens)
    }

    /// Waits until a job's escrow is filled; false when the wallet did not hold the price.
    async fn wait_for_escrow(&self, job: JobId) -> Result<bool, Refused> {
        let deadline = Instant::now() + limits::CALL_TIMEOUT;
        let mut changes = self.desk.changes();
        loop {
            changes.mark_unchanged();
            let phase = self
                .desk
                .ask(move |desk| desk.state().book.jobs.get(&job).map(|job| job.phase.clone()))
                .await?;
            match phase {
                None => return Ok(false),
                Some(JobPhase::Funding) => {}
                Some(_) => return Ok(true),
            }
            if timeout_at(deadline, changes.changed()).await.is_err() {
                let message =
                    "the ledger is slow; order the same quote again to see whether it was taken";
                return Err(refused(RefusedCode::Busy, message));
            }
        }
    }

    /// Changes the course of a job.
    pub(super) async fn steer(
        &self,
        caller: PublicKey,
        job: JobId,
        steering: Steering,
    ) -> Result<Reply, Refused> {
        self.desk
            .ask(move |desk| {
                own_job(desk.state(), caller, job)?;
                match desk.state().book.jobs[&job].phase {
                    JobPhase::Funding => {
                        let message =
                            "the job's escrow is just being filled; try again in a moment";
                        Err(refused(RefusedCode::Busy, message))
                    }
                    JobPhase::Done | JobPhase::Ended(_) => {
                        let message = match steering {
                            Steering::Retry(_) => format!(
                                "{job} is over, and its rest has returned; what it lacks is another order: tessera jobs continue {job}"
                            ),
                            _ => format!("{job} is over; there is nothing to steer"),
                        };
                        Err(refused(RefusedCode::BadRequest, message))
                    }
                    JobPhase::Open | JobPhase::Closing(_) => {
                        let now_ms = desk.now_ms();
                        let row = &desk.state().book.jobs[&job];
                        match steering {
                            Steering::Retry(which) => may_retry(row, which, now_ms)?,
                            Steering::First(which) => may_come_first(row, which, now_ms)?,
                            _ => {}
                        }
                        desk.apply(Event::Steered { job, steering, now_ms });
                        Ok(Reply::Done)
                    }
                }
            })
            .await?
    }

    pub(super) async fn jobs(
        &self,
        caller: PublicKey,
        offset: u32,
        limit: u32,
    ) -> Result<Reply, Refused> {
        let limit = limit.min(limits::PAGE_ROWS_MAX) as usize;
        let rows = self
            .desk
            .ask(move |desk| {
                let now_ms = desk.now_ms();
                let jobs = desk.state().book.jobs.values();
                let mut own: Vec<_> = jobs.filter(|job| job.artist == caller).collect();
                own.sort_by_key(|job| std::cmp::Reverse(job.number));
                let page = own.into_iter().skip(offset as usize).take(limit);
                page.map(|job| view::row(desk.state(), job, now_ms)).collect()
            })
            .await?;
        Ok(Reply::Jobs(rows))
    }

    /// News of a job; waits while there are none.
    pub(super) async fn watch(
        &self,
        caller: PublicKey,
        job: JobId,
        after: u64,
        wait_ms: u32,
    ) -> Result<Reply, Refused> {
        let wait = Duration::from_millis(u64::from(wait_ms)).min(limits::POLL_WAIT_MAX);
        let deadline = Instant::now() + wait;
        let mut changes = self.desk.changes();
        loop {
            changes.mark_unchanged();
            let wait_on = Instant::now() < deadline;
            let update = self
                .desk
                .ask(move |desk| {
                    let now_ms = desk.now_ms();
                    own_job(desk.state(), caller, job)?;
                    let book = &desk.state().book;
                    let job_state = &book.jobs[&job];
                    let nothing_new = job_state.version <= after && !job_state.is_over();
                    if wait_on && nothing_new {
                        return Ok(None);
                    }
                    Ok::<_, Refused>(view::update(desk.state(), job, after, now_ms))
                })
                .await??;
            if let Some(update) = update {
                return Ok(Reply::Job(Box::new(update)));
            }
            // Whether news or the deadline came first, the next turn answers.
            drop(timeout_at(deadline, changes.changed()).await);
        }
    }

    /// Waits until the other schedulers of the farm could have a scene, too: no job is ordered that only
    /// this one could go on with.
    async fn stored(&self, scene: SceneId) -> Result<(), Refused> {
        let Some(depot) = &self.depot else { return Ok(()) };
        depot.store(scene).await.map_err(|error| {
            tracing::error!(%scene, "a scene was not stored for the other schedulers: {error:#}");
            let message = "the farm's storage of scenes cannot be reached; try again later";
            refused(RefusedCode::Busy, message)
        })
    }

    /// An accepted film, to its artist alone.
    pub(super) async fn film(&self, caller: PublicKey, unit: Unit) -> Answer {
        let (root, piece) = self
            .desk
            .ask(move |desk| {
                own_kept_job(desk.state(), caller, unit.job)?;
                desk.live_mut().fetched_ms = desk.now_ms();
                let book = &desk.state().book;
                let job = &book.jobs[&unit.job];
                let accepted = view::accepted(book, &unit).map(|(_, accepted)| accepted.film.root);
                accepted.zip(job.spec.piece(unit, job.engine)).ok_or_else(|| {
                    let message = "that tile is not accepted yet; watch the job until it is";
                    refused(RefusedCode::NotFound, message)
                })
            })
            .await??;
        let films = self.films.clone();
        let turn = self.store_turns.acquire().await;
        let read = blocking(move || films.read(root)).await?;
        drop(turn);
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) if piece.engine != renderer::ENGINE => {
                return Err(internal("the film was not read", error));
            }
            Err(_damaged) => self.restored(root, piece).await?,
        };
        Ok((Reply::Film, Bytes::from(bytes)))
    }

    /// An accepted film that the disk has lost, rendered again.
    async fn restored(&self, root: Digest, piece: Piece) -> Result<Vec<u8>, Refused> {
        let _turn = self.restores.acquire().await;
        let (films, hands) = (self.films.clone(), self.hands.clone());
        let restored = blocking(move || {
            let work = Work { rect: piece.rect, batch: piece.unit.batch };
            let frame = frame_of(&piece);
            let restorer = Restorer { films: &films, hands: &hands, frame: &frame, work };
            Ok::<_, anyhow::Error>(restorer.film(root)?.to_bytes())
        });
        restored.await?.map_err(|error| internal("the film is damaged and was not restored", error))
    }
}

/// Whether a job is the caller's. Somebody else's is answered like one that is not there.
pub(super) fn own_job(state: &State, caller: PublicKey, job: JobId) -> Result<(), Refused> {
    let found = state.book.jobs.get(&job).filter(|job| job.artist == caller);
    found
        .map(|_job| ())
        .ok_or_else(|| refused(RefusedCode::NotFound, format!("you have no such job: {job}")))
}

/// The same of a job of which everything is there still.
pub(super) fn own_kept_job(state: &State, caller: PublicKey, job: JobId) -> Result<(), Refused> {
    own_job(state, caller, job)?;
    if !state.book.jobs[&job].expired {
        return Ok(());
    }
    let days = state.book.policy.keep_ms as f64 / 86_400_000.0;
    let message = format!(
        "the job ended more than {days:.1} days ago, which is how long this farm keeps films and papers; order it anew"
    );
    Err(refused(RefusedCode::NotFound, message))
}

/// Whether there may be jobs that take this of nodes, beside those that there are.
fn may_demand(state: &State, artist: PublicKey, demand: &Demand) -> Result<(), Refused> {
    if demand.is_nothing() {
        return Ok(());
    }
    let is_new = state.index.able_for(demand).is_none();
    if is_new && state.index.needs_count() >= limits::NEEDS_MAX {
        let message = "the farm's jobs have as many different needs, memory included, as it can hold; order it for any node, or later";
        return Err(refused(RefusedCode::Busy, message));
    }
    let active = state.book.active.values().map(|id| &state.book.jobs[id]);
    let own = active.filter(|job| job.artist == artist).map(|job| &job.demand);
    let others: BTreeSet<&Demand> = own.filter(|it| !it.is_nothing() && *it != demand).collect();
    if others.len() >= limits::NEEDS_OF_ONE_MAX {
        let message = format!(
            "your jobs that are not over have {} different needs already, memory of their scenes included; give this one the needs of one of them, or wait until one is over",
            limits::NEEDS_OF_ONE_MAX
        );
        return Err(refused(RefusedCode::Busy, message));
    }
    Ok(())
}

/// Whether a node that the farm knows, and that meets a job's needs, can hold its scene. Where there is
/// none that meets them the job waits for one, as large as that may be.
fn can_hold(
    state: &State,
    artist: PublicKey,
    needs: &Needs,
    memory: Footprint,
) -> Result<(), Refused> {
    let Reach { meet, hold, .. } = view::reach(state, artist, needs, memory);
    if meet == 0 || hold > 0 {
        return Ok(());
    }
    let largest = |backend| {
        let nodes = state.book.nodes.values();
        let nodes = nodes.filter(|node| !state.book.blocks.hold(artist, node)).map(|it| &it.facts);
        let meet = nodes.filter(|facts| needs.allow(facts.owner, &facts.equipment));
        let of_it = meet.filter(|facts| facts.equipment.backend == backend);
        let bytes = of_it.filter_map(|facts| facts.equipment.memory_bytes).max()?;
        Some(format!("{:.2} GB on a {}", bytes as f64 / 1e9, backend.word().to_uppercase()))
    };
    let largest: Vec<String> =
        [BackendKind::Cpu, BackendKind::Gpu].into_iter().filter_map(largest).collect();
    let message = format!(
        "none of the {meet} nodes that may render it can hold its scene: it takes {memory}, and they have at most {}; use smaller textures or fewer triangles, or wait for larger nodes",
        largest.join(", ")
    );
    Err(refused(RefusedCode::BadRequest, message))
}

/// Whether a job has such a frame, camera or tile.
fn has(spec: &JobSpec, which: Selection) -> bool {
    let frame = which.frame.unwrap_or(spec.frames.first);
    let view = which.view.unwrap_or_default();
    spec.shot_index(Shot { frame, view }).is_some()
        && which.tile.is_none_or(|tile| tile.0 < spec.grid().tile_count())
}

fn no_such_tile() -> Refused {
    let message =
        "the job has no such tile; see its frames, cameras and size with tessera jobs show";
    refused(RefusedCode::NotFound, message)
}

/// Whether a job has these units, and its order was not just changed: that takes the longer the more
/// it has.
fn may_come_first(job: &Job, which: Selection, now_ms: u64) -> Result<(), Refused> {
    let pause_ms = FIRST_AFTER_MS + u64::from(job.unit_count) / UNITS_PER_MS;
    if job.first.is_some_and(|first| now_ms < first.since_ms + pause_ms) {
        return Err(refused(RefusedCode::Busy, "the order was just changed; wait a moment"));
    }
    if has(&job.spec, which) { Ok(()) } else { Err(no_such_tile()) }
}

/// Whether a job has units of these that are not accepted, and was not retried too often.
fn may_retry(job: &Job, which: Selection, now_ms: u64) -> Result<(), Refused> {
    let mut units = job.units.iter().filter(|unit| which.holds(&job.spec, &unit.unit)).peekable();
    if units.peek().is_none() {
        return Err(no_such_tile());
    }
    if units.all(|unit| unit.accepted.is_some()) {
        let message = format!(
            "all of that is accepted; to have an accepted tile rendered once more: tessera jobs dispute {}",
            job.id
        );
        return Err(refused(RefusedCode::BadRequest, message));
    }
    if job.retries >= RETRIES_MAX {
        let message = format!(
            "the job was retried {RETRIES_MAX} times; stop it, and order what it lacks: tessera jobs continue {}",
            job.id
        );
        return Err(refused(RefusedCode::NotAllowed, message));
    }
    if job.retried_ms.is_some_and(|at_ms| now_ms < at_ms + RETRY_AFTER_MS) {
        let message = "the job was retried less than a minute ago; give the nodes time to try";
        return Err(refused(RefusedCode::Busy, message));
    }
    Ok(())
}

/// What stays of a job's bases, if that is as much as its quote rests on.
fn still_kept(
    book: &Book,
    caller: PublicKey,
    spec: &JobSpec,
    quote: &Quote,
) -> Result<Kept, Refused> {
    let kept = kept(book, caller, spec);
    let kept = kept.map_err(|error| refused(RefusedCode::BadRequest, chain(&error)))?;
    if kept.missing(spec).samples == quote.samples {
        return Ok(kept);
    }
    let message = "the earlier job has not the samples any more that it had; ask for a new quote";
    Err(refused(RefusedCode::QuoteLapsed, message))
}

/// Whether a new job may wait for another.
fn may_wait_for(book: &Book, caller: PublicKey, other: JobId) -> Result<(), Refused> {
    let job = book.jobs.get(&other).filter(|job| job.artist == caller);
    match job.map(|job| &job.phase) {
        None => {
            let message = format!("you have no such job to wait for: {other}");
            Err(refused(RefusedCode::NotFound, message))
        }
        Some(JobPhase::Ended(Ending::Failed(_) | Ending::Cancelled)) => {
            let message = format!("{other} ended before it was done, and will not be any more");
            Err(refused(RefusedCode::BadRequest, message))
        }
        Some(_) => Ok(()),
    }
}

/// Whether the farm takes new jobs now.
fn takes_jobs(state: &State) -> Result<(), Refused> {
    match state.live.drains {
        false => Ok(()),
        true => {
            let message = "the farm ends its jobs before an upgrade and takes no new ones; those that it has go on: try again later";
            Err(refused(RefusedCode::Draining, message))
        }
    }
}

/// The quote that an order takes, or why it takes none.
fn taken_quote(state: &State, order: &Order, now_ms: u64) -> Result<Quoted, Refused> {
    let lapsed = |message: String| refused(RefusedCode::QuoteLapsed, message);
    let quoted = state.live.quotes.get(&order.quote);
    let quoted = quoted.filter(|quoted| quoted.quote.valid_until_ms >= now_ms);
    let Some(quoted) = quoted else {
        return Err(lapsed("the quote has lapsed or is not known; ask for a new one".to_owned()));
    };
    if quoted.quote.spec != order.spec || quoted.quote.price != order.price {
        let message = format!(
            "the order does not fit the quote (price {} tokens, ordered for {}); ask for a new one",
            quoted.quote.price, order.price
        );
        return Err(lapsed(message));
    }
    Ok(quoted.clone())
}

/// The speeds of connected nodes, metered rays a second, in order: what their films have shown, and their
/// own word only before the first.
fn speeds(state: &State) -> Vec<u64> {
    let nodes = state.live.connected.keys().filter_map(|id| state.book.nodes.get(id));
    let mut speeds: Vec<u64> = nodes
        .filter(|node| node.class.is_some() && !node.barred)
        .map(|node| node.pace.rays_per_second().unwrap_or(node.facts.rays_per_second))
        .filter(|&speed| speed > 0)
        .collect();
    speeds.sort_unstable();
    speeds
}
