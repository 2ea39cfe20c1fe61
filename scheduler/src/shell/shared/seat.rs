//! Who leads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use protocol::{Digest, PublicKey};
use tokio::sync::watch;

use super::line::Line;
use super::log::Deposed;
use super::{farm_column, make_tables};
use crate::config::{Config, Database};

/// How often who leads says so, and who stands by looks: this part of the time after which it is
/// taken for gone.
const LOOKS: u32 = 6;
/// A scheduler that was heard within this time stands in the ticket.
const HEARD_RECENTLY_S: f64 = 3_600.0;

/// A farm's place at the head, as one of its schedulers sees it.
pub(super) struct Seat {
    database: Database,
    line: Line,
    farm: Vec<u8>,
    secret: Vec<u8>,
    address: String,
    lapse: Duration,
}

/// Who leads now.
#[derive(Debug)]
pub(super) enum Found {
    /// This scheduler, from now on: the number of its term.
    Taken(i64),
    /// Another, at this address.
    Led(String),
}

impl Seat {
    /// The seat of the farm with this key. `secret` is what its random draws come from: its
    /// schedulers share that too, and only a hash of it reaches the database.
    ///
    /// # Errors
    /// The database is not reached.
    pub(super) fn open(
        config: &Config,
        database: &Database,
        farm: PublicKey,
        secret: &[u8; 32],
    ) -> anyhow::Result<Self> {
        let mut line = Line::open(database)?;
        make_tables(&mut line)?;
        let secret = Digest::of("tessera 2026 shared farm v1", &[&secret[..]]);
        Ok(Self {
            database: database.clone(),
            line,
            farm: farm_column(farm),
            secret: secret.0.to_vec(),
            address: config.bind.to_string(),
            lapse: Duration::from_millis(config.lead_ms),
        })
    }

    /// Where this scheduler is found.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// How long between two looks.
    pub(super) fn interval(&self) -> Duration {
        self.lapse / LOOKS
    }

    /// Takes the lead when nobody has it, or who has it was not heard for long.
    ///
    /// # Errors
    /// The database is not reached; the farm's other schedulers have another secret; the farm's
    /// history is only half there.
    pub(super) fn take(&mut self) -> anyhow::Result<Found> {
        let lapse_s = self.lapse.as_secs_f64();
        // A look first: whoever tries to take the row holds up those who write under it.
        let found = self.line.query(
            "SELECT leader, secret, whole,
                    heard < clock_timestamp() - make_interval(secs => $2)
                 FROM tessera_farm WHERE farm = $1",
            &[&self.farm, &lapse_s],
        )?;
        if let Some(row) = found.first() {
            let leader: String = row.get(0);
            if row.get::<_, Vec<u8>>(1) != self.secret {
                bail!(
                    "this farm's other schedulers have another secret; copy the files `key` and `secret` from the data folder of one of them"
                );
            }
            if !row.get::<_, bool>(3) {
                return Ok(Found::Led(leader));
            }
            if !row.get::<_, bool>(2) && leader != self.address {
                bail!(
                    "what this farm did before it had a database was not copied there to its end; start the scheduler at {leader} again, which has it"
                );
            }
        }
        // Only the database's clock is looked at.
        let taken = self.line.query(
            "INSERT INTO tessera_farm AS it (farm, secret, term, leader, whole, heard)
                 VALUES ($1, $2, 1, $3, false, clock_timestamp())
             ON CONFLICT (farm) DO UPDATE
                 SET term = it.term + 1, leader = excluded.leader, heard = clock_timestamp()
                 WHERE it.secret = excluded.secret
                   AND (it.whole OR it.leader = excluded.leader)
                   AND it.heard < clock_timestamp() - make_interval(secs => $4)
             RETURNING term",
            &[&self.farm, &self.secret, &self.address, &lapse_s],
        )?;
        match taken.first() {
            Some(row) => Ok(Found::Taken(row.get(0))),
            // Somebody was faster.
            None => Ok(Found::Led("another scheduler".to_owned())),
        }
    }

    /// Says that this scheduler leads still; false when it does no more.
    fn hold(&mut self, term: i64) -> anyhow::Result<bool> {
        let held = self.line.execute(
            "UPDATE tessera_farm SET heard = clock_timestamp() WHERE farm = $1 AND term = $2",
            &[&self.farm, &term],
        )?;
        Ok(held == 1)
    }

    /// Tries once more to reach a database that does not answer.
    fn reconnect(&mut self) {
        match Line::open(&self.database) {
            Ok(line) => self.line = line,
            Err(error) => tracing::warn!("{error:#}"),
        }
    }

    /// Lets another take the lead at once.
    fn leave(&mut self, term: i64) -> anyhow::Result<()> {
        self.line.execute(
            "UPDATE tessera_farm SET heard = '-infinity' WHERE farm = $1 AND term = $2",
            &[&self.farm, &term],
        )?;
        Ok(())
    }

    /// Says where this scheduler is found when it leads.
    pub(super) fn announce(&mut self) -> anyhow::Result<()> {
        self.line.execute(
            "INSERT INTO tessera_scheduler (farm, address, heard)
                 VALUES ($1, $2, clock_timestamp())
             ON CONFLICT (farm, address) DO UPDATE SET heard = excluded.heard",
            &[&self.farm, &self.address],
        )?;
        Ok(())
    }

    /// Says where this scheduler is found, and learns where the others are.
    fn meet(&mut self) -> anyhow::Result<Vec<SocketAddr>> {
        self.announce()?;
        self.addresses()
    }

    /// Where the farm's schedulers are found.
    fn addresses(&mut self) -> anyhow::Result<Vec<SocketAddr>> {
        let rows = self.line.query(
            "SELECT address FROM tessera_scheduler
                 WHERE farm = $1 AND heard > clock_timestamp() - make_interval(secs => $2)
                 ORDER BY address",
            &[&self.farm, &HEARD_RECENTLY_S],
        )?;
        let addresses = rows.iter().map(|row| row.get::<_, &str>(0).parse());
        addresses.collect::<Result<_, _>>().context("a scheduler's address is not understood")
    }
}

/// The lead of a farm, as long as this is alive.
pub(in crate::shell) struct Lead {
    /// The number of the term.
    pub(in crate::shell) term: i64,
    addresses: watch::Receiver<Vec<SocketAddr>>,
    held: watch::Receiver<Instant>,
    lost: watch::Receiver<bool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Says that both journals are in the database from their beginning, so that any scheduler may lead.
///
/// # Errors
/// The database is not reached; another leads.
pub(in crate::shell) fn tell_whole(
    database: &Database,
    farm: PublicKey,
    term: i64,
) -> anyhow::Result<()> {
    let told = Line::open(database)?.execute(
        "UPDATE tessera_farm SET whole = true WHERE farm = $1 AND term = $2",
        &[&farm_column(farm), &term],
    )?;
    if told == 1 { Ok(()) } else { Err(Deposed.into()) }
}

impl Lead {
    /// Holds a lead that was just taken.
    ///
    /// # Errors
    /// The database is not reached; no thread.
    pub(super) fn begin(mut seat: Seat, term: i64) -> anyhow::Result<Self> {
        let (found, addresses) = watch::channel(seat.addresses()?);
        let (confirm, held) = watch::channel(Instant::now());
        let (tell, lost) = watch::channel(false);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("seat".to_owned()).spawn(move || {
            keep(&mut seat, term, (&found, &confirm), &stopped);
            // Whoever holds the lead no more is told so first.
            tell.send_replace(true);
            if stopped.load(Ordering::Relaxed)
                && let Err(error) = seat.leave(term)
            {
                tracing::warn!("the lead was not handed over, it lapses: {error:#}");
            }
        })?;
        Ok(Self { term, addresses, held, lost, stop, thread: Some(thread) })
    }

    /// Where the farm's schedulers are found.
    pub(in crate::shell) fn addresses(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.addresses.clone()
    }

    /// For asking in any task.
    pub(in crate::shell) fn proof(&self) -> Proof {
        Proof(self.held.clone())
    }

    /// Waits until another leads, or the database was not reached for so long that another may.
    pub(in crate::shell) fn lost(&self) -> impl Future<Output = ()> + use<> {
        let mut lost = self.lost.clone();
        // A thread that has panicked holds nothing.
        async move { drop(lost.wait_for(|lost| *lost).await) }
    }
}

/// Tells whether a scheduler led at a time.
#[derive(Clone)]
pub(in crate::shell) struct Proof(watch::Receiver<Instant>);

impl Proof {
    /// Waits until the database has confirmed a lead that held at this moment; false when it never
    /// will: then another may have led, and what was known here may have been old.
    pub(in crate::shell) async fn led_at(&mut self, moment: Instant) -> bool {
        self.0.wait_for(|asked| *asked >= moment).await.is_ok()
    }
}

/// Holds the lead until it is lost, or it is to be left.
fn keep(
    seat: &mut Seat,
    term: i64,
    (found, confirm): (&watch::Sender<Vec<SocketAddr>>, &watch::Sender<Instant>),
    stop: &AtomicBool,
) {
    let mut held = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        match seat.hold(term).and_then(|holds| Ok((holds, seat.meet()?))) {
            Ok((true, addresses)) => {
                held = asked;
                confirm.send_replace(asked);
                found.send_if_modified(|known| {
                    let is_new = *known != addresses;
                    *known = addresses;
                    is_new
                });
            }
            Ok((false, _)) => {
                tracing::warn!(term, "another scheduler leads now");
                return;
            }
            Err(error) => {
                tracing::warn!("the lead was not held: {error:#}");
                seat.reconnect();
            }
        }
        if held.elapsed() >= seat.lapse {
            tracing::error!("the database was not reached for so long that another may lead");
            return;
        }
        std::thread::park_timeout(seat.interval());
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lead_is_proven_by_what_was_asked_after_the_moment_only() {
        let start = Instant::now();
        let (confirm, held) = watch::channel(start);
        let moment = start + Duration::from_secs(1);
        let (mut early, mut late) = (Proof(held.clone()), Proof(held));
        assert!(early.led_at(start).await);
        confirm.send_replace(moment);
        assert!(early.led_at(moment).await);
        // Nobody confirms any more: another may lead.
        drop(confirm);
        assert!(!late.led_at(moment + Duration::from_nanos(1)).await);
    }
}
