//! Starts everything in order, waits, and stops everything in order.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ledger::ApplyError;
use ledger::journal::{AppendError, ShareError};
use protocol::{PublicKey, SigningKey};
use tokio::sync::mpsc;
use transport::{BindError, Peer, PeerConfig, Ticket};

use super::depot::{Depot, SceneDepot};
use super::desk::DeskHandle;
use super::drain;
use super::open::{keys, open};
use super::page;
use super::parts::Parts;
use super::shared::{self, Deposed, Lead, Silent};
use super::till;
use crate::config::{Config, Database};
use crate::core::{State, keep};

/// How long a scheduler waits that could not stand by.
const STAND_BY_AGAIN: Duration = Duration::from_secs(1);

/// How long whoever takes the lead waits for its address, and how often it looks.
const BIND_PATIENCE: Duration = Duration::from_secs(20);
const BIND_AGAIN: Duration = Duration::from_millis(100);

/// What a scheduler tells whoever started it.
#[derive(Debug, Clone)]
pub enum News {
    /// It can be called.
    Open(Ready),
    /// Its ticket has changed: another scheduler of the farm is found.
    Moved(Ready),
    /// Another scheduler of the farm leads, at this address, and this one stands by.
    StandingBy(String),
    /// It takes no new jobs, has so many that go on, and stops after the last; or, none: it was asked to
    /// go on after all.
    Draining(Option<usize>),
}

/// A scheduler that can be called.
#[derive(Debug, Clone)]
pub struct Ready {
    /// What nodes and clients connect with.
    pub ticket: Ticket,
    /// The scheduler's key: it signs quotes, leases and verdicts.
    pub key: PublicKey,
    /// Where the status page is, where one was asked for.
    pub status: Option<SocketAddr>,
}

/// Runs a scheduler until `shutdown` resolves.
///
/// `tell` is called when peers can connect, and see [`News`]. After a `kill -9` at any moment the
/// next start continues every job: no accepted film is lost, none is paid twice.
///
/// # Errors
/// What kept it from starting, or what stopped it before it was asked to: a disk that fails, a
/// journal that is damaged, a ledger that disagrees. One of several that loses the lead stands by
/// again.
pub async fn run(
    config: Config,
    mut tell: impl FnMut(News),
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    config.validate()?;
    tracing::info!("settings: {}", toml::to_string(&config).unwrap_or_default());
    if config.dangerously_accept_unchecked_films {
        tracing::warn!("films are accepted unchecked: whoever cheats is paid");
    }
    let asked = AtomicBool::new(false);
    let mut shutdown = pin!(async {
        shutdown.await;
        asked.store(true, Ordering::Relaxed);
    });
    let Some(database) = &config.database else {
        return serve(&config, None, &mut tell, shutdown).await.map(drop);
    };
    if database.is_exposed() {
        tracing::warn!(
            "what is said to the database can be read and changed on the way: say sslmode=verify-full in its address, or use a network of your own"
        );
    }
    loop {
        let lead = match stand_by(&config, database, &mut tell, shutdown.as_mut()).await {
            Ok(Some(lead)) => lead,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::warn!("standing by failed, trying again: {error:#}");
                tokio::select! {
                    () = shutdown.as_mut() => return Ok(()),
                    () = tokio::time::sleep(STAND_BY_AGAIN) => continue,
                }
            }
        };
        match serve(&config, Some(lead), &mut tell, shutdown.as_mut()).await {
            Ok(Ended::AskedTo) => return Ok(()),
            Ok(Ended::Deposed) => tracing::warn!("standing by again"),
            // What it could not write is not written, and another goes on without.
            Err(error) if is_shared(&error) && asked.load(Ordering::Relaxed) => {
                tracing::warn!("stopped without the database: {error:#}");
                return Ok(());
            }
            Err(error) if is_shared(&error) => tracing::warn!("standing by again: {error:#}"),
            Err(error) => return Err(error),
        }
    }
}

/// Why a scheduler stopped that did not fail.
enum Ended {
    /// It was to.
    AskedTo,
    /// Another leads.
    Deposed,
}

/// Whether the database did not take what was written, or did not answer: whoever leads now, or this
/// one again, goes on from what it has taken.
fn is_shared(error: &anyhow::Error) -> bool {
    let is_closed =
        |cause: &AppendError| matches!(cause, AppendError::Shared(_) | AppendError::Closed { .. });
    error.chain().any(|cause| {
        let journal = match cause.downcast_ref() {
            Some(ApplyError::Journal(error)) => Some(error),
            _ => cause.downcast_ref::<AppendError>(),
        };
        let behind = matches!(cause.downcast_ref(), Some(ShareError::Behind { .. }));
        let is_database =
            cause.is::<tokio_postgres::Error>() || cause.is::<Silent>() || cause.is::<Deposed>();
        journal.is_some_and(is_closed) || behind || is_database
    })
}

/// Waits for the lead; none when the wait is to end.
async fn stand_by(
    config: &Config,
    database: &Database,
    tell: &mut impl FnMut(News),
    mut shutdown: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<Option<Lead>> {
    let stop = Arc::new(AtomicBool::new(false));
    let (say, mut leaders) = mpsc::unbounded_channel();
    let waiting = tokio::task::spawn_blocking({
        let (config, database, stop) = (config.clone(), database.clone(), stop.clone());
        move || shared::stand_by(&config, &database, &keys(&config.data_dir)?, (&say, &stop))
    });
    let mut waiting = pin!(waiting);
    loop {
        tokio::select! {
            led = waiting.as_mut() => return led.context("standing by panicked")?,
            Some(leader) = leaders.recv() => tell(News::StandingBy(leader)),
            () = shutdown.as_mut() => {
                stop.store(true, Ordering::Relaxed);
                // A lead that was taken meanwhile is left again.
                drop(waiting.await);
                return Ok(None);
            }
        }
    }
}

/// Opens what is on disk, and answers peers until `shutdown` resolves or the lead is lost.
async fn serve(
    config: &Config,
    lead: Option<Lead>,
    tell: &mut impl FnMut(News),
    shutdown: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<Ended> {
    let runtime = tokio::runtime::Handle::current();
    let depot = config.objects.as_ref().map(|url| Depot::open(url, runtime)).transpose()?;
    if let Some(depot) = &depot
        && let Err(error) = depot.try_out().await
    {
        // It may come back; until then no film is taken.
        tracing::warn!("no film and no scene can be kept: {:#}", anyhow::Error::from(error));
    }
    let opened = {
        let (config, depot) = (config.clone(), depot.clone());
        let term = lead.as_ref().map(|lead| lead.term);
        tokio::task::spawn_blocking(move || open(&config, depot, term))
            .await
            .context("opening panicked")??
    };
    let patience = if lead.is_some() { BIND_PATIENCE } else { Duration::ZERO };
    let peer = bind(config, &opened.key, patience).await?;
    let depot = depot.map(|depot| SceneDepot::new(depot, peer.scenes().clone()));
    if let Some(depot) = &depot {
        restore_scenes(depot, &opened.journal.fold).await;
    }

    let listener = match config.status {
        Some(address) => Some(page::bind(address).await?),
        None => None,
    };
    let parts = Parts::start(config, opened, &peer, depot.clone()).await?;
    let status = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let ticket = match parts.door.invitation {
        Some(invitation) => peer.ticket().inviting(invitation),
        None => peer.ticket(),
    };
    let mut found = lead.as_ref().map(Lead::addresses);
    let mut ready = || {
        let others = found.as_mut().map(|found| found.borrow_and_update().clone());
        let ticket = ticket.clone().reaching(others.into_iter().flatten());
        Ready { ticket, key: peer.id(), status }
    };
    peer.usher_scenes(parts.door.clone());
    peer.serve(parts.door.clone());
    let page = page::serve(listener, parts.page.clone());
    tell(News::Open(ready()));

    let proof = lead.as_ref().map(Lead::proof);
    let sweeper = parts.sweeper(config, depot, proof);
    let (said, mut news) = mpsc::unbounded_channel();
    // Whoever listens is in this very function.
    let say = |news| drop(said.send(news));
    let mut outcome = Ended::AskedTo;
    let lost = async {
        let Some(lead) = &lead else { return std::future::pending().await };
        let (mut lost, mut found) = (pin!(lead.lost()), lead.addresses());
        loop {
            tokio::select! {
                () = lost.as_mut() => return,
                Ok(()) = found.changed() => say(News::Moved(ready())),
            }
        }
    };
    let drained = drain::drained(&config.data_dir, &parts.door.desk, &say);
    let ended = tokio::select! {
        () = shutdown => "asked to",
        () = lost => {
            outcome = Ended::Deposed;
            "another scheduler leads"
        }
        () = drained => "drained",
        () = async {
            while let Some(news) = news.recv().await {
                tell(news);
            }
        } => unreachable!("one who tells is here"),
        () = tick(&parts.door.desk, config.tick_ms) => "the desk stopped",
        () = till::tend(&parts.door.till) => "the till stopped",
        () = sweeper.tend() => "the desk stopped",
        () = page => "the status page stopped",
    };
    while let Ok(news) = news.try_recv() {
        tell(news);
    }
    tracing::info!("stopping: {ended}");
    // The verifier reads scenes, which close with the peer.
    parts.cancel.set();
    parts.checks.close();
    peer.close().await;
    parts.stop().await?;
    Ok(outcome)
}

/// Opens the network door. Where this process had it open a moment ago, as when it takes the lead
/// again, the system may need a moment to give the address back.
async fn bind(config: &Config, key: &SigningKey, patience: Duration) -> anyhow::Result<Peer> {
    let begun = Instant::now();
    loop {
        let mut peer = PeerConfig::new(key.to_bytes(), config.data_dir.join("scenes"));
        peer.bind = config.bind;
        match Peer::bind(peer).await {
            Err(BindError::Address { .. }) if begun.elapsed() < patience => {
                tokio::time::sleep(BIND_AGAIN).await;
            }
            bound => return bound.context("the network door was not opened"),
        }
    }
}

/// Brings scenes here that jobs need and another scheduler has taken in, and stores those that were
/// here before there was a storage.
async fn restore_scenes(depot: &SceneDepot, state: &State) {
    for scene in keep::scenes(&state.book) {
        let is_there = async {
            depot.restore(scene).await?;
            depot.store(scene).await
        };
        if let Err(error) = is_there.await {
            tracing::error!(%scene, "a scene that a job needs is not here and stored: {error:#}");
        }
    }
}

/// Looks at deadlines for ever; ends when the desk has.
async fn tick(desk: &DeskHandle, tick_ms: u64) {
    let mut interval = tokio::time::interval(Duration::from_millis(tick_ms));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if desk.tick().await.is_err() {
            return;
        }
    }
}
