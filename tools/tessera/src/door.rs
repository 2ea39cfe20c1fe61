//! The way from a command line to a farm.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use client::{Admission, Caller, Farm, Terms};
use tokio::sync::watch;
use transport::{Ticket, identity};

use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::options::FarmArgs;
use crate::progress;

/// How long a lost connection is dialled again before a command gives up.
const RECONNECT_MAX: Duration = Duration::from_secs(60);

/// Runs a future on a runtime of its own.
///
/// # Errors
/// The future's, or no runtime can be had.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    block_on_threads(cores(), future)
}

/// The same of a process whose work is done by threads of its own: on half of the cores. Each thread of
/// the network that is not needed is woken all the same, for packets that another would have dealt with.
///
/// # Errors
/// The future's, or no runtime can be had.
pub fn block_on_half<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    block_on_threads((cores() / 2).max(1), future)
}

fn block_on_threads<T>(
    threads: usize,
    future: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("the system gave no threads for the network")?
        .block_on(future)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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

/// Connects as the person whose key file it is.
///
/// # Errors
/// Usage: a bad ticket. Auth: the key file. Network: nobody answers.
pub async fn connect(args: &FarmArgs, interrupt: &Interrupt) -> anyhow::Result<Farm> {
    let ticket = ticket(&args.farm)?;
    enter(&key_path(args.key.as_ref())?, ticket, ticket_file(&args.farm), interrupt).await
}

/// Connects as the person whose key file this is, made on first use.
///
/// # Errors
/// Auth: the key file. Network: nobody answers, or another version does. Failed: the farm's
/// ledger tells another story than it did before.
pub async fn connect_as(
    key_path: &Path,
    ticket: Ticket,
    interrupt: &Interrupt,
) -> anyhow::Result<Farm> {
    enter(key_path, ticket, None, interrupt).await
}

async fn enter(
    key_path: &Path,
    ticket: Ticket,
    ticket_file: Option<PathBuf>,
    interrupt: &Interrupt,
) -> anyhow::Result<Farm> {
    let caller = Caller::bind(key_path, ticket.bind_address()).await?;
    let stop = Some(interrupt.subscribe());
    let terms = Terms { ticket_file, patience: RECONNECT_MAX, stop };
    match Farm::enter(&caller, ticket, terms).await {
        Ok(Admission { farm, doubt }) => {
            if let Some(doubt) = doubt {
                note!("  warning     {:#}", anyhow::Error::from(doubt));
            }
            tokio::spawn(tell_of_silence(farm.away()));
            Ok(farm)
        }
        Err(error) => {
            caller.close().await;
            Err(error.into())
        }
    }
}

/// Says when a farm does not answer and when it does again, until nobody deals with it any more.
async fn tell_of_silence(mut away: watch::Receiver<bool>) {
    let mut said = false;
    while away.changed().await.is_ok() {
        let is_away = *away.borrow_and_update();
        if std::mem::replace(&mut said, is_away) != is_away {
            progress::note_above(match is_away {
                true => "  the farm does not answer; trying again",
                false => "  the farm answers again",
            });
        }
    }
}
