//! One farm, one admission, one method a question.

mod accounts;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use farm_node::WitnessError;
use film::Film;
use protocol::message::{RefusedCode, Role};
use protocol::view::{AcceptedUnit, JobSummary, JobUpdate, SceneArrival};
use protocol::{
    Evidence, JobId, JobSpec, LeaseId, Offer, Order, PublicKey, Quote, Receipt, Reply, Request,
    SceneId, Schedule, ShotIndex, Signed, Testimony, Unit, Verdict, limits,
};
use scene::Package;
use tokio::sync::{Mutex, watch};
use transport::{Backoff, CallError, Connection, Ticket};

use crate::caller::Caller;
use crate::error::{Error, FilmFault};

/// How often the farm says how far a scene has come.
const ARRIVAL_NEWS: Duration = Duration::from_secs(1);

/// How a farm is dealt with.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Where the ticket came from: looked at again where the farm is lost, which may have moved.
    pub ticket_file: Option<PathBuf>,
    /// How long a lost connection is dialled again before a question fails; not at all when zero.
    pub patience: Duration,
    /// Ends every question with [`Error::Stopped`] once it is true.
    pub stop: Option<watch::Receiver<bool>>,
}

/// A farm that has let us in.
pub struct Admission {
    /// The farm.
    pub farm: Farm,
    /// Why its ledger could not be looked at, where that may pass.
    pub doubt: Option<WitnessError>,
}

/// What the refusal of a film, or of a verifier's word, rests on.
pub enum Grounds {
    /// Why a film was refused.
    Evidence(Box<Signed<Evidence>>),
    /// Why a verifier was convicted.
    Testimony(Box<Testimony>),
}

/// A connection to a farm's scheduler. Clones share it.
#[derive(Clone)]
pub struct Farm {
    shared: Arc<Shared>,
}

struct Shared {
    caller: Arc<Caller>,
    ticket: Ticket,
    scheduler: PublicKey,
    terms: Terms,
    /// Whether the last question got no answer, and is asked again.
    away: watch::Sender<bool>,
    connection: Mutex<Connection>,
}

impl Farm {
    /// Dials, says hello, and looks at the farm's ledger.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Hello`], [`Error::OtherKey`], [`Error::Stopped`]; and
    /// [`Error::Ledger`] when the ledger tells another story than it did before.
    pub async fn enter(
        caller: &Arc<Caller>,
        ticket: Ticket,
        terms: Terms,
    ) -> Result<Admission, Error> {
        let stop = terms.stop.as_ref();
        let connection = unless(stop, admitted(caller, &ticket)).await??;
        let scheduler = ticket.key();
        let doubt = unless(stop, caller.witness.look(&connection, scheduler)).await?.err();
        let doubt = match doubt {
            Some(error) if error.is_final() => return Err(Error::Ledger(error)),
            doubt => doubt,
        };
        let (caller, connection) = (Arc::clone(caller), Mutex::new(connection));
        let (away, _nobody_looks_yet) = watch::channel(false);
        let shared = Shared { caller, ticket, scheduler, terms, away, connection };
        Ok(Admission { farm: Self { shared: Arc::new(shared) }, doubt })
    }

    /// Who we are.
    #[must_use]
    pub fn id(&self) -> PublicKey {
        self.shared.caller.id()
    }

    /// Whose farm it is.
    #[must_use]
    pub fn scheduler(&self) -> PublicKey {
        self.shared.scheduler
    }

    /// Waits until the connection is closed, by whichever side, and says why.
    pub async fn closed(&self) -> String {
        let connection = self.shared.connection.lock().await.clone();
        connection.closed().await
    }

    /// Whether the connection is closed, so that no question will be answered on it.
    pub async fn is_closed(&self) -> bool {
        self.shared.connection.lock().await.close_reason().is_some()
    }

    /// What is true while the farm does not answer and is asked again: for whoever waits, and
    /// wants to say why.
    #[must_use]
    pub fn away(&self) -> watch::Receiver<bool> {
        self.shared.away.subscribe()
    }

    /// Closes the connection; questions under way fail.
    pub async fn leave(&self, reason: &str) {
        self.shared.connection.lock().await.close(reason);
    }

    /// Says goodbye to everybody the caller talks with.
    pub async fn close(&self) {
        self.shared.caller.close().await;
    }

    /// Asks; dials again for a while when the connection is lost. Every request of an artist may
    /// be sent twice: an order names its job, a voucher pays once, the rest only asks.
    async fn call(&self, request: Request, timeout: Duration) -> Result<(Reply, Bytes), Error> {
        let Shared { caller, ticket, terms, away, connection: current, .. } = &*self.shared;
        let stop = terms.stop.as_ref();
        let give_up = Instant::now() + terms.patience + timeout;
        let mut backoff = Backoff::new(u64::from(std::process::id()));
        loop {
            let connection = current.lock().await.clone();
            let answer = connection.call(&request, Bytes::new(), timeout);
            let answer = unless(stop, answer).await?;
            let is_away = answer.as_ref().is_err_and(is_silence);
            away.send_if_modified(|before| std::mem::replace(before, is_away) != is_away);
            let lost = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) if !may_heal(&error) || terms.patience.is_zero() => {
                    return Err(Error::Call(error));
                }
                Err(error) => error,
            };
            if Instant::now() >= give_up {
                return Err(Error::Gone(lost));
            }
            tracing::info!("asking again: {lost}");
            unless(stop, tokio::time::sleep(backoff.next_wait())).await?;
            if connection.close_reason().is_some() {
                let moved = terms.ticket_file.as_deref().and_then(|file| ticket.as_in(file));
                let again = admitted(caller, moved.as_ref().unwrap_or(ticket));
                if let Ok(connection) = unless(stop, again).await? {
                    *current.lock().await = connection;
                }
            }
        }
    }

    /// Makes the scheduler hold a scene; `progress` is told how far it has come, about once a
    /// second. However long it takes: it fails when nothing comes any more.
    ///
    /// # Errors
    /// The package cannot be stored here, or the scheduler refuses or cannot fetch it.
    pub async fn offer_scene(
        &self,
        package: Package,
        mut progress: impl FnMut(SceneArrival),
    ) -> Result<SceneArrival, Error> {
        let (scene, size_bytes) = (package.id(), package.size_bytes());
        let added = self.shared.caller.peer.scenes().add(package.parts().collect()).await;
        let added = added.map_err(Error::Scene)?;
        assert_eq!(added, scene, "the store names a scene as its package does");
        drop(package);
        loop {
            let wait_ms = ARRIVAL_NEWS.as_millis() as u32;
            let request = Request::OfferScene { scene, size_bytes, wait_ms };
            let (reply, _) = self.call(request, limits::CALL_TIMEOUT).await?;
            let Reply::Arrival(arrival) = reply else { return Err(Error::unexpected(&reply)) };
            if arrival.is_whole {
                return Ok(arrival);
            }
            progress(arrival);
        }
    }

    /// Keeps a scene no longer that was offered: the scheduler holds it.
    ///
    /// # Errors
    /// The store on this disk.
    pub async fn forget_scene(&self, scene: SceneId) -> Result<(), Error> {
        self.shared.caller.peer.scenes().remove(scene).await.map_err(Error::Scene)
    }

    /// Has the farm drop a scene once no job needs it.
    ///
    /// # Errors
    /// No job of ours is of it, or one that is not over is.
    pub async fn drop_scene(&self, scene: SceneId) -> Result<(), Error> {
        self.ask(Request::DropScene { scene }).await
    }

    /// Keeps a node, or all nodes of an owner, off our jobs, or lets it back.
    ///
    /// # Errors
    /// Nobody there is meant, there is no job of ours, or too many are blocked.
    pub async fn block(&self, who: PublicKey, is_blocked: bool) -> Result<(), Error> {
        self.ask(Request::Block { who, is_blocked }).await
    }

    /// The firm price of a job.
    ///
    /// # Errors
    /// The scheduler's reason, or the quote is not its word on this job.
    pub async fn quote(&self, spec: &JobSpec, offer: Offer) -> Result<Quote, Error> {
        let request = Request::Quote { spec: spec.clone(), offer };
        let (reply, _) = self.call(request, limits::QUOTE_TIMEOUT).await?;
        let Reply::Quote(signed) = reply else { return Err(Error::unexpected(&reply)) };
        let quote = signed.open_from(self.shared.scheduler).map_err(Error::QuoteSign)?;
        if quote.spec != spec.digest() {
            return Err(Error::QuoteJob);
        }
        if quote.offer != offer {
            return Err(Error::QuoteTerms);
        }
        Ok(quote)
    }

    /// Takes a quote.
    ///
    /// # Errors
    /// Not enough tokens, a lapsed quote, or the scheduler's other reasons.
    pub async fn order(
        &self,
        spec: &JobSpec,
        quote: &Quote,
        schedule: Schedule,
    ) -> Result<JobId, Error> {
        let (quote, price) = (quote.id, quote.price);
        let order = Order { quote, spec: spec.digest(), price, artist: self.id(), schedule };
        let order = Signed::new(&order, &self.shared.caller.key);
        let request = Request::Order { spec: spec.clone(), order };
        match self.call(request, limits::CALL_TIMEOUT).await? {
            (Reply::Ordered { job }, _) => Ok(job),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// A page of our jobs, newest first.
    ///
    /// # Errors
    /// The network.
    pub async fn jobs(&self, offset: u32, limit: u32) -> Result<Vec<JobSummary>, Error> {
        match self.call(Request::Jobs { offset, limit }, limits::CALL_TIMEOUT).await? {
            // Sizes are trusted from here on.
            (Reply::Jobs(jobs), _) if jobs.iter().all(|job| job.spec.validate().is_ok()) => {
                Ok(jobs)
            }
            (Reply::Jobs(_), _) => Err(Error::Unexpected("jobs that cannot be".to_owned())),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// News of a job; waits up to `wait` while there is none.
    ///
    /// # Errors
    /// No such job of ours.
    pub async fn watch(&self, job: JobId, after: u64, wait: Duration) -> Result<JobUpdate, Error> {
        let wait_ms = wait.min(limits::POLL_WAIT_MAX).as_millis() as u32;
        let request = Request::Watch { job, after, wait_ms };
        match self.call(request, limits::CALL_TIMEOUT + limits::POLL_WAIT_MAX).await? {
            (Reply::Job(update), _) if update.summary.spec.validate().is_ok() => Ok(*update),
            (Reply::Job(_), _) => Err(Error::Unexpected("a job that cannot be".to_owned())),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// An accepted film, checked against the hash it was accepted under.
    ///
    /// # Errors
    /// The film is not there, or its bytes are not the accepted ones.
    pub async fn film(&self, spec: &JobSpec, accepted: &AcceptedUnit) -> Result<Film, Error> {
        let AcceptedUnit { unit, root, .. } = *accepted;
        let rect = spec.grid().rect(unit.tile);
        let rect = rect.ok_or(FilmFault::Tile)?;
        if spec.shot(unit.shot).is_none() {
            return Err(FilmFault::Shot.into());
        }
        let request = Request::Film { unit };
        let (reply, body) = self.call(request, limits::TRANSFER_TIMEOUT).await?;
        let Reply::Film = reply else { return Err(Error::unexpected(&reply)) };
        let film = Film::from_bytes(rect, unit.batch, spec.settings.passes, &body);
        let film = film.map_err(FilmFault::Layout)?;
        if film.root() != root {
            return Err(FilmFault::Bytes.into());
        }
        Ok(film)
    }

    /// Films of one of our jobs that were refused, or verdicts on our own node's films.
    ///
    /// # Errors
    /// No such job of ours, or a verdict is not the scheduler's.
    pub async fn verdicts(&self, job: Option<JobId>) -> Result<Vec<(u64, Verdict)>, Error> {
        self.verdicts_after(job, 0).await
    }

    /// The same, those after a number.
    ///
    /// # Errors
    /// See [`Farm::verdicts`].
    pub async fn verdicts_after(
        &self,
        job: Option<JobId>,
        after: u64,
    ) -> Result<Vec<(u64, Verdict)>, Error> {
        let mut verdicts = Vec::new();
        loop {
            let after = verdicts.last().map_or(after, |(number, _)| *number);
            let request = match job {
                Some(job) => Request::Refusals { job, after },
                None => Request::MyVerdicts { after },
            };
            let (reply, _) = self.call(request, limits::CALL_TIMEOUT).await?;
            let Reply::Verdicts(page) = reply else { return Err(Error::unexpected(&reply)) };
            if page.is_empty() {
                return Ok(verdicts);
            }
            for (number, signed) in page {
                let verdict = signed.open_from(self.shared.scheduler);
                verdicts.push((number, verdict.map_err(Error::Verdict)?));
            }
        }
    }

    /// What the refusal of a film rests on, as the scheduler signed it.
    ///
    /// # Errors
    /// No such refusal of our node, or in our jobs.
    pub async fn evidence(&self, lease: LeaseId) -> Result<Grounds, Error> {
        match self.call(Request::Evidence { lease }, limits::CALL_TIMEOUT).await? {
            (Reply::Evidence(signed), _) => Ok(Grounds::Evidence(signed)),
            (Reply::Testimony(testimony), _) => Ok(Grounds::Testimony(testimony)),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// What there is to show of a shot of one of our jobs.
    ///
    /// # Errors
    /// No such job of ours, nothing of it accepted yet, or a reply that is no receipt.
    pub async fn receipt(&self, job: JobId, shot: ShotIndex) -> Result<Receipt, Error> {
        let request = Request::Receipt { job, shot };
        let (reply, body) = self.call(request, limits::TRANSFER_TIMEOUT).await?;
        let Reply::Receipt = reply else { return Err(Error::unexpected(&reply)) };
        protocol::decode(&body, limits::FILM_BYTES_MAX).map_err(Error::Receipt)
    }

    /// Pixels of an accepted film of ours, as far as its root proves them.
    ///
    /// # Errors
    /// The film is not there, or the reply does not lead to the root.
    pub async fn opening(&self, unit: Unit, places: &[(u32, u32)]) -> Result<Vec<u8>, Error> {
        let request = Request::Opening { unit, places: places.to_vec() };
        match self.call(request, limits::TRANSFER_TIMEOUT).await? {
            (Reply::Opening(opening), _) => Ok(opening),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }

    /// Asks for something that is answered with no more than done.
    ///
    /// # Errors
    /// The scheduler's reason.
    pub async fn ask(&self, request: Request) -> Result<(), Error> {
        match self.call(request, limits::CALL_TIMEOUT).await? {
            (Reply::Done, _) => Ok(()),
            (other, _) => Err(Error::unexpected(&other)),
        }
    }
}

/// The future's value, unless we are asked to stop before it is there.
async fn unless<T>(
    stop: Option<&watch::Receiver<bool>>,
    future: impl Future<Output = T>,
) -> Result<T, Error> {
    let Some(stop) = stop else { return Ok(future.await) };
    let mut stop = stop.clone();
    tokio::select! {
        biased;
        Ok(_set) = stop.wait_for(|set| *set) => Err(Error::Stopped),
        value = future => Ok(value),
    }
}

/// Whether asking again later may help.
fn may_heal(error: &CallError) -> bool {
    match error {
        CallError::Refused(refused) => refused.code == RefusedCode::Busy,
        CallError::TooLarge(_) | CallError::Decode { .. } => false,
        _ => true,
    }
}

/// Whether nobody has answered at all: a farm that is busy has.
fn is_silence(error: &CallError) -> bool {
    may_heal(error) && !matches!(error, CallError::Refused(_))
}

/// Dials and says hello; the reply is the admission.
async fn admitted(caller: &Caller, ticket: &Ticket) -> Result<Connection, Error> {
    let connection = caller.peer.connect(ticket).await.map_err(Error::Connect)?;
    let hello = ticket.hello(Role::Client);
    let answer = connection.call(&hello, Bytes::new(), limits::CALL_TIMEOUT).await;
    match answer.map_err(Error::Hello)? {
        (Reply::Welcome { scheduler, .. }, _) if scheduler == ticket.key() => Ok(connection),
        (Reply::Welcome { .. }, _) => Err(Error::OtherKey),
        (other, _) => Err(Error::unexpected(&other)),
    }
}

#[cfg(test)]
mod tests {
    use protocol::message::Refused;

    use super::*;

    #[test]
    fn a_farm_that_says_no_is_not_away() {
        let refused = |code| CallError::Refused(Refused { code, message: "no".to_owned() });
        let peer = PublicKey([1; 32]);
        let closed = CallError::Closed { peer, reason: "lost".to_owned() };
        let check = |error: &CallError, heals, is_silent| {
            assert_eq!((may_heal(error), is_silence(error)), (heals, is_silent), "{error}");
        };
        check(&refused(RefusedCode::Busy), true, false);
        check(&refused(RefusedCode::NotFound), false, false);
        check(&closed, true, true);
        check(&CallError::Timeout { peer, timeout: limits::CALL_TIMEOUT }, true, true);
    }
}
