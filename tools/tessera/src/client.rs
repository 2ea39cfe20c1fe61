//! A farm as an artist sees it: one connection, one method a question.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use farm_node::Witness;
use film::Film;
use proof::Consistency;
use protocol::message::{RefusedCode, Role};
use protocol::view::{
    AcceptedUnit, EarningsBy, EarningsView, FarmView, JobSummary, JobUpdate, LedgerCheck,
    SceneArrival, StatementPage, WalletView,
};
use protocol::{
    AccountId, JobId, JobSpec, LeaseId, Offer, Order, PublicKey, Quote, Receipt, Reply, Request,
    Schedule, ShotIndex, Signed, SigningKey, TransferId, Unit, Verdict, Voucher, limits,
};
use scene::Package;
use tokio::sync::Mutex;
use transport::{Backoff, CallError, Connection, Peer, PeerConfig, Ticket, identity};

use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::options::FarmArgs;
use crate::papers::Paper;

/// How long a lost connection is dialled again before a command gives up.
const RECONNECT_MAX: Duration = Duration::from_secs(60);
/// How often the farm says how far a scene has come.
const ARRIVAL_NEWS: Duration = Duration::from_secs(1);

/// A connection to a farm's scheduler. Clones share it.
#[derive(Clone)]
pub struct Farm {
    shared: Arc<Shared>,
    /// Where the ticket came from: looked at again where the farm is lost, which may have moved.
    ticket_file: Option<PathBuf>,
}

struct Shared {
    peer: Peer,
    ticket: Ticket,
    key: SigningKey,
    scheduler: PublicKey,
    interrupt: Interrupt,
    connection: Mutex<Connection>,
    // Scenes wait here until the scheduler has fetched them.
    _scenes: tempfile::TempDir,
}

/// Runs a future on a runtime of its own.
///
/// # Errors
/// The future's, or no runtime can be had.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the system gave no threads for the network")?
        .block_on(future)
}

/// The key file a command uses.
///
/// # Errors
/// Auth: no place for a key is known.
pub fn key_path(chosen: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(path) = chosen {
        return Ok(path.clone());
    }
    identity::default_path(|name| std::env::var_os(name)).ok_or_else(|| {
        fail(Exit::Auth, "there is no place for your key file; set HOME, or name it with --key")
    })
}

/// Where checkpoints of farms are kept by whoever's key file this is.
pub fn checkpoints_beside(key_path: &Path) -> PathBuf {
    key_path.with_file_name("checkpoints")
}

/// The file that a ticket is in, where one was named.
pub fn ticket_file(text: &str) -> Option<PathBuf> {
    text.strip_prefix('@').map(PathBuf::from)
}

/// A word that was given, or what is in `@FILE`.
///
/// # Errors
/// Not found: no such file.
pub fn word(what: &str, text: &str) -> anyhow::Result<String> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.to_owned()) };
    let read = std::fs::read_to_string(path)
        .with_context(|| format!("{what} file cannot be read: {path}"))
        .exit(Exit::NotFound)?;
    Ok(read.trim().to_owned())
}

/// A ticket, or the ticket in `@FILE`.
///
/// # Errors
/// Not found: no such file. Usage: not a ticket.
pub fn ticket(text: &str) -> anyhow::Result<Ticket> {
    word("the ticket", text)?.trim().parse::<Ticket>().exit(Exit::Usage)
}

impl Farm {
    /// Connects as the person whose key file it is.
    ///
    /// # Errors
    /// Usage: a bad ticket. Auth: the key file. Network: nobody answers.
    pub async fn connect(args: &FarmArgs, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let ticket = ticket(&args.farm)?;
        let farm = Self::connect_as(&key_path(args.key.as_ref())?, ticket, interrupt).await?;
        Ok(Self { ticket_file: ticket_file(&args.farm), ..farm })
    }

    /// Connects as the person whose key file this is, made on first use. Checkpoints of the farm's
    /// ledger are kept beside it.
    ///
    /// # Errors
    /// Auth: the key file. Network: nobody answers, or another version does. Failed: the farm's
    /// ledger tells another story than it did before.
    pub async fn connect_as(
        key_path: &Path,
        ticket: Ticket,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Self> {
        let key = identity::load_or_create(key_path)?;
        let witness = Arc::new(Witness::new(checkpoints_beside(key_path), key.clone()));
        let scenes = tempfile::tempdir().context("no folder for scenes under way can be made")?;
        let mut config = PeerConfig::new(key.to_bytes(), scenes.path());
        config.bind = ticket.bind_address();
        let peer = Peer::bind(config).await.context("no network socket can be opened")?;
        let admitted = unless(interrupt, admitted(&peer, &ticket)).await;
        let (connection, scheduler) = match admitted.and_then(|admitted| admitted) {
            Ok(admitted) => admitted,
            Err(error) => {
                peer.close().await;
                return Err(error);
            }
        };
        let looked = unless(interrupt, witness.look(&connection, scheduler)).await?;
        if let Err(error) = looked {
            let is_final = error.is_final();
            let error = anyhow::Error::from(error);
            if is_final {
                peer.close().await;
                return Err(error).exit(Exit::Failed);
            }
            eprintln!("  warning     {error:#}");
        }
        let connection = Mutex::new(connection);
        let interrupt = interrupt.clone();
        let shared =
            Shared { peer, ticket, key, scheduler, interrupt, connection, _scenes: scenes };
        Ok(Self { shared: Arc::new(shared), ticket_file: None })
    }

    /// Who we are.
    pub fn id(&self) -> PublicKey {
        self.shared.peer.id()
    }

    /// Says goodbye.
    pub async fn close(&self) {
        self.shared.peer.close().await;
    }

    /// Asks; dials again for a while when the connection is lost. Every request of an artist may
    /// be sent twice: an order names its job, a voucher pays once, the rest only asks.
    async fn call(&self, request: Request, timeout: Duration) -> anyhow::Result<(Reply, Bytes)> {
        let interrupt = &self.shared.interrupt;
        let give_up = Instant::now() + RECONNECT_MAX + timeout;
        let mut backoff = Backoff::new(u64::from(std::process::id()));
        loop {
            let connection = self.shared.connection.lock().await.clone();
            let answer = connection.call(&request, Bytes::new(), timeout);
            let lost = match unless(interrupt, answer).await? {
                Ok(answer) => return Ok(answer),
                Err(error) if !may_heal(&error) => return Err(error.into()),
                Err(error) => error,
            };
            if Instant::now() >= give_up {
                return Err(lost).context("the farm does not answer any more");
            }
            tracing::info!("asking again: {lost}");
            unless(interrupt, tokio::time::sleep(backoff.next_wait())).await?;
            if connection.close_reason().is_some() {
                let moved =
                    self.ticket_file.as_deref().and_then(|file| self.shared.ticket.as_in(file));
                let ticket = moved.as_ref().unwrap_or(&self.shared.ticket);
                let again = admitted(&self.shared.peer, ticket);
                if let Ok((connection, _scheduler)) = unless(interrupt, again).await? {
                    *self.shared.connection.lock().await = connection;
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
    ) -> anyhow::Result<SceneArrival> {
        let (scene, size_bytes) = (package.id(), package.size_bytes());
        let added = self.shared.peer.scenes().add(package.parts().collect()).await;
        let added = added.context("the scene cannot be sent")?;
        assert_eq!(added, scene, "the store names a scene as its package does");
        drop(package);
        loop {
            let wait_ms = ARRIVAL_NEWS.as_millis() as u32;
            let request = Request::OfferScene { scene, size_bytes, wait_ms };
            let (reply, _) = self.call(request, limits::CALL_TIMEOUT).await?;
            let Reply::Arrival(arrival) = reply else { return Err(unexpected(&reply)) };
            if arrival.is_whole {
                return Ok(arrival);
            }
            progress(arrival);
        }
    }

    /// The firm price of a job.
    ///
    /// # Errors
    /// The scheduler's reason, or the quote is not its word on this job.
    pub async fn quote(&self, spec: &JobSpec, offer: Offer) -> anyhow::Result<Quote> {
        let request = Request::Quote { spec: spec.clone(), offer };
        let (Reply::Quote(signed), _) = self.call(request, limits::QUOTE_TIMEOUT).await? else {
            anyhow::bail!("the scheduler answered something else than a quote");
        };
        let quote = signed.open_from(self.shared.scheduler).context("the quote is not genuine")?;
        if quote.spec != spec.digest() {
            anyhow::bail!("the quote is for another job; nothing was ordered");
        }
        if quote.offer != offer {
            anyhow::bail!("the quote is on other terms than were asked for; nothing was ordered");
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
    ) -> anyhow::Result<JobId> {
        let (quote, price) = (quote.id, quote.price);
        let order = Order { quote, spec: spec.digest(), price, artist: self.id(), schedule };
        let order = Signed::new(&order, &self.shared.key);
        let request = Request::Order { spec: spec.clone(), order };
        match self.call(request, limits::CALL_TIMEOUT).await? {
            (Reply::Ordered { job }, _) => Ok(job),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// A page of our jobs, newest first.
    ///
    /// # Errors
    /// The network.
    pub async fn jobs(&self, offset: u32, limit: u32) -> anyhow::Result<Vec<JobSummary>> {
        match self.call(Request::Jobs { offset, limit }, limits::CALL_TIMEOUT).await? {
            (Reply::Jobs(jobs), _) => Ok(jobs),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// News of a job; waits up to `wait` while there is none.
    ///
    /// # Errors
    /// No such job of ours.
    pub async fn watch(&self, job: JobId, after: u64, wait: Duration) -> anyhow::Result<JobUpdate> {
        let wait_ms = wait.min(limits::POLL_WAIT_MAX).as_millis() as u32;
        let request = Request::Watch { job, after, wait_ms };
        match self.call(request, limits::CALL_TIMEOUT + limits::POLL_WAIT_MAX).await? {
            (Reply::Job(update), _) => Ok(*update),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// An accepted film, checked against the hash it was accepted under.
    ///
    /// # Errors
    /// The film is not there, or its bytes are not the accepted ones.
    pub async fn film(&self, spec: &JobSpec, accepted: &AcceptedUnit) -> anyhow::Result<Film> {
        let AcceptedUnit { unit, root, .. } = *accepted;
        let rect = spec.grid().rect(unit.tile);
        let rect = rect.context("the scheduler named a tile past the frame")?;
        if spec.shot(unit.shot).is_none() {
            anyhow::bail!("the scheduler named a shot that the job does not have");
        }
        let request = Request::Film { unit };
        let (reply, body) = self.call(request, limits::TRANSFER_TIMEOUT).await?;
        let Reply::Film = reply else { return Err(unexpected(&reply)) };
        let film = Film::from_bytes(rect, unit.batch, spec.settings.passes, &body);
        let film = film.context("a film has another size or layout")?;
        if film.root() != root {
            anyhow::bail!("a film's bytes are not the accepted ones; fetch it again");
        }
        Ok(film)
    }

    /// Films of one of our jobs that were refused, or verdicts on our own node's films.
    ///
    /// # Errors
    /// No such job of ours, or a verdict is not the scheduler's.
    pub async fn verdicts(&self, job: Option<JobId>) -> anyhow::Result<Vec<(u64, Verdict)>> {
        let mut verdicts = Vec::new();
        loop {
            let after = verdicts.last().map_or(0, |(number, _)| *number);
            let request = match job {
                Some(job) => Request::Refusals { job, after },
                None => Request::MyVerdicts { after },
            };
            let (reply, _) = self.call(request, limits::CALL_TIMEOUT).await?;
            let Reply::Verdicts(page) = reply else { return Err(unexpected(&reply)) };
            if page.is_empty() {
                return Ok(verdicts);
            }
            for (number, signed) in page {
                let verdict = signed.open_from(self.shared.scheduler);
                verdicts.push((number, verdict.context("a verdict is not genuine")?));
            }
        }
    }

    /// What the refusal of a film rests on, as the scheduler signed it.
    ///
    /// # Errors
    /// No such refusal of our node, or in our jobs.
    pub async fn evidence(&self, lease: LeaseId) -> anyhow::Result<Paper> {
        match self.call(Request::Evidence { lease }, limits::CALL_TIMEOUT).await? {
            (Reply::Evidence(signed), _) => Ok(Paper::Evidence(*signed)),
            (Reply::Testimony(testimony), _) => Ok(Paper::Testimony(testimony)),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// What there is to show of a shot of one of our jobs.
    ///
    /// # Errors
    /// No such job of ours, nothing of it accepted yet, or a reply that is no receipt.
    pub async fn receipt(&self, job: JobId, shot: ShotIndex) -> anyhow::Result<Receipt> {
        let request = Request::Receipt { job, shot };
        let (reply, body) = self.call(request, limits::TRANSFER_TIMEOUT).await?;
        let Reply::Receipt = reply else { return Err(unexpected(&reply)) };
        protocol::decode(&body, limits::FILM_BYTES_MAX).context("the reply is no receipt")
    }

    /// Pixels of an accepted film of ours, as far as its root proves them.
    ///
    /// # Errors
    /// The film is not there, or the reply does not lead to the root.
    pub async fn opening(&self, unit: Unit, places: &[(u32, u32)]) -> anyhow::Result<Vec<u8>> {
        let request = Request::Opening { unit, places: places.to_vec() };
        match self.call(request, limits::TRANSFER_TIMEOUT).await? {
            (Reply::Opening(opening), _) => Ok(opening),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// Asks for something that is answered with no more than done.
    ///
    /// # Errors
    /// The scheduler's reason.
    pub async fn ask(&self, request: Request) -> anyhow::Result<()> {
        match self.call(request, limits::CALL_TIMEOUT).await? {
            (Reply::Done, _) => Ok(()),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// Whose farm it is.
    pub fn scheduler(&self) -> PublicKey {
        self.shared.scheduler
    }

    /// Our balances.
    ///
    /// # Errors
    /// The network.
    pub async fn wallet(&self) -> anyhow::Result<WalletView> {
        match self.call(Request::Wallet, limits::CALL_TIMEOUT).await? {
            (Reply::Wallet(wallet), _) => Ok(wallet),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// What nodes of ours have earned.
    ///
    /// # Errors
    /// The farm.
    pub async fn earnings(&self, by: EarningsBy, from_ms: u64) -> anyhow::Result<EarningsView> {
        match self.call(Request::Earnings { by, from_ms }, limits::CALL_TIMEOUT).await? {
            (Reply::Earnings(earnings), _) => Ok(earnings),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// A page of an account's entries, newest first.
    ///
    /// # Errors
    /// The account is not ours.
    pub async fn statement(
        &self,
        account: AccountId,
        offset: u32,
        limit: u32,
    ) -> anyhow::Result<StatementPage> {
        let request = Request::Statement { account, offset, limit };
        match self.call(request, limits::CALL_TIMEOUT).await? {
            (Reply::Statement(page), _) => Ok(page),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// Pays a voucher out to a wallet; returns the transfer, and whether it was done before.
    ///
    /// # Errors
    /// The voucher is not of this farm, not for that wallet, spent or too late.
    pub async fn redeem(
        &self,
        voucher: &Signed<Voucher>,
        to: PublicKey,
    ) -> anyhow::Result<(TransferId, bool)> {
        let request = Request::Redeem { voucher: voucher.clone(), to };
        match self.call(request, limits::CALL_TIMEOUT).await? {
            (Reply::Redeemed { transfer, before }, _) => Ok((transfer, before)),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// The farm at a glance.
    ///
    /// # Errors
    /// The network.
    pub async fn farm(&self) -> anyhow::Result<FarmView> {
        match self.call(Request::Farm, limits::CALL_TIMEOUT).await? {
            (Reply::Farm(farm), _) => Ok(farm),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// The newest published checkpoint of the farm's ledger, and how it goes on from `since` entries.
    ///
    /// # Errors
    /// The network, or a reply that is none.
    pub async fn checkpoint(&self, since: u64) -> anyhow::Result<Consistency> {
        let request = Request::Checkpoint { since };
        match self.call(request, limits::CALL_TIMEOUT).await? {
            (Reply::Checkpoint(text), _) => Ok(Consistency::parse(&text)?),
            (other, _) => Err(unexpected(&other)),
        }
    }

    /// What verifying the ledger finds.
    ///
    /// # Errors
    /// The network.
    pub async fn check_ledger(&self) -> anyhow::Result<LedgerCheck> {
        match self.call(Request::CheckLedger, limits::TRANSFER_TIMEOUT).await? {
            (Reply::Ledger(check), _) => Ok(check),
            (other, _) => Err(unexpected(&other)),
        }
    }
}

/// The future's value, unless we are asked to stop before it is there.
async fn unless<T>(interrupt: &Interrupt, future: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::select! {
        biased;
        () = interrupt.wait() => Err(fail(Exit::Interrupted, "interrupted")),
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

/// Dials and says hello; the reply is the admission.
async fn admitted(peer: &Peer, ticket: &Ticket) -> anyhow::Result<(Connection, PublicKey)> {
    let connection = peer.connect(ticket).await.context("the farm cannot be reached")?;
    let hello = ticket.hello(Role::Client);
    let answer = connection.call(&hello, Bytes::new(), limits::CALL_TIMEOUT).await;
    match answer.context("the farm did not let us in")? {
        (Reply::Welcome { scheduler, .. }, _) if scheduler == ticket.key() => {
            Ok((connection, scheduler))
        }
        (Reply::Welcome { .. }, _) => Err(fail(
            Exit::Auth,
            "the peer signs with another key than the ticket's; ask the farm for a new ticket",
        )),
        (other, _) => Err(unexpected(&other)),
    }
}

fn unexpected(reply: &Reply) -> anyhow::Error {
    let text = format!("{reply:?}");
    let name: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
    anyhow::anyhow!(
        "the scheduler answered {name}, which does not fit the question; it may run another version"
    )
}
