//! Opening the door, and keeping it open.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::Farm;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::book::{Book, BookError, Desk};
use crate::door::Door;
use crate::files::Files;
use crate::films::Films;
use crate::gates::Gates;
use crate::gather::{Gather, GatherError};
use crate::hooks::{Courier, CourierError};
use crate::http;
use crate::news::News;
use crate::orders::Orders;
use crate::scenes::Scenes;
use crate::views::now_ms;

/// How long events are kept.
const EVENTS_KEPT: Duration = Duration::from_hours(7 * 24);
/// How long requests may go on once the door closes.
const STOP_MAX: Duration = Duration::from_secs(10);
/// An order of which nothing was heard for so long is given again, to hear whether it was taken.
const UNKNOWN_MS: u64 = 120_000;
/// How often what is old is thrown away, and budgets are looked at.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked for files that nobody uses.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// What an operator may choose of a door.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Requests a second that each token may make in the long run.
    pub requests_per_second: u32,
    /// What of the farm's allowance all tokens together ask for in a second: less than the farm grants
    /// the studio's key, so that the door can read its list as well; 0 where it grants whatever is
    /// asked.
    pub farm_requests_per_second: u32,
    /// Whole files that no scene names, and that nobody has sent, asked for or used for so long, are
    /// thrown away.
    pub keep_files: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            // As many as a farm grants a key.
            requests_per_second: 50,
            // Nine tenths of what a farm grants unless its operator says otherwise.
            farm_requests_per_second: 45,
            // Who sends a scene names its files within a working day, or sends them again.
            keep_files: Duration::from_hours(24),
        }
    }
}

/// Why the door does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// What is remembered.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The folder.
    #[error("the door's folder is not usable: {}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The address.
    #[error("the door cannot listen on {address}; choose another address with --bind")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The farm.
    #[error("the jobs on the farm cannot be read")]
    Farm(#[source] client::Error),
    /// Webhooks.
    #[error(transparent)]
    Courier(#[from] CourierError),
    /// The server.
    #[error("the door has failed")]
    Serve(#[source] std::io::Error),
}

/// An open door.
pub struct Open {
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
    door: Arc<Door>,
    keep_files: Duration,
    stop: watch::Receiver<bool>,
}

/// Where the door's book is.
#[must_use]
pub fn book_path(data: &Path) -> PathBuf {
    data.join("studio.redb")
}

/// Opens a door to this farm, with what it keeps in `data`; it closes once `stop` is true.
///
/// # Errors
/// [`ServeError`].
pub async fn open(
    farm: Farm,
    data: &Path,
    address: SocketAddr,
    rules: Rules,
    stop: watch::Receiver<bool>,
) -> Result<Open, ServeError> {
    let Rules { requests_per_second, farm_requests_per_second, keep_files } = rules;
    let folder = |source| ServeError::Folder { path: data.to_owned(), source };
    std::fs::create_dir_all(data).map_err(folder)?;
    let book = Book::open(&book_path(data))?;
    let files = Files::open(&data.join("files")).map_err(folder)?;
    let scenes = Scenes::open(&data.join("scenes"), files.clone(), farm.clone());
    let scenes = scenes.map_err(folder)?;
    let films = Films::open(&data.join("pictures"), farm.clone()).map_err(folder)?;
    let wake = Arc::new(Notify::new());
    let courier = Courier::try_new(book.clone(), Arc::clone(&wake))?;
    let news = News::new(wake);
    let book = Desk::from(book);
    let gather = Gather::open(farm.clone(), book.clone(), news.clone()).await;
    let gather = gather.map_err(|error| match error {
        GatherError::Farm(error) => ServeError::Farm(error),
        GatherError::Book(error) => ServeError::Book(error),
    })?;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| ServeError::Bind { address, source })?;
    let address = listener.local_addr().map_err(ServeError::Serve)?;
    let orders = Orders {
        farm: farm.clone(),
        book: book.clone(),
        scenes: scenes.clone(),
        gather: gather.clone(),
        news: news.clone(),
    };
    let gates = Gates::new(requests_per_second, farm_requests_per_second);
    let door = Door {
        farm,
        book,
        files,
        scenes,
        gather,
        orders,
        films,
        news,
        courier,
        gates,
        stop: stop.clone(),
    };
    // What was begun before the door was closed is settled before anybody asks.
    door.orders.settle_unknown(0).await?;
    Ok(Open { address, listener, door: Arc::new(door), keep_files, stop })
}

impl Open {
    /// Serves until it is told to stop.
    ///
    /// # Errors
    /// [`ServeError::Serve`].
    pub async fn serve(self) -> Result<(), ServeError> {
        let Self { address, listener, door, keep_files, stop } = self;
        let (gather, postman) = (door.gather.clone(), door.courier.clone());
        let gathering = tokio::spawn(gather.run(stop.clone()));
        let posting = tokio::spawn(postman.run(stop.clone()));
        let tidying = tokio::spawn(tidy(Arc::clone(&door), stop.clone()));
        let sweeping = tokio::spawn(sweep(Arc::clone(&door), keep_files, stop.clone()));
        let mut stopped = stop.clone();
        let until = async move {
            // A sender that has gone is a stop as well.
            let _gone = stopped.wait_for(|stop| *stop).await;
        };
        let service = http::router(door, address);
        let service = service.into_make_service_with_connect_info::<http::LineOf>();
        let lobby = http::Lobby::new(listener, http::Bounds::default());
        let serving = axum::serve(lobby, service).with_graceful_shutdown(until);
        // Who is in the middle of something may end it, but not for ever.
        let mut stopped = stop.clone();
        let too_long = async move {
            let _gone = stopped.wait_for(|stop| *stop).await;
            tokio::time::sleep(STOP_MAX).await;
        };
        let served = tokio::select! {
            served = serving => served,
            () = too_long => Ok(()),
        };
        for task in [gathering, posting, tidying, sweeping] {
            if let Err(error) = task.await {
                tracing::error!("the door's work was cut off: {error}");
            }
        }
        served.map_err(ServeError::Serve)
    }
}

/// Throws away what is old, and keeps teams to their budgets.
async fn tidy(door: Arc<Door>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let now_ms = now_ms();
        let before_ms = now_ms.saturating_sub(EVENTS_KEPT.as_millis() as u64);
        let prune =
            move |book: &Book| book.prune(now_ms).and_then(|_count| book.prune_events(before_ms));
        if let Err(error) = door.book.with(prune).await {
            tracing::error!("what is old stays: {error}");
        }
        if let Err(error) = door.orders.settle_unknown(UNKNOWN_MS).await {
            tracing::error!("orders were not looked at: {error}");
        }
        if let Err(problem) = http::keep_to_budgets(&door).await {
            tracing::warn!("budgets were not looked at: {}", problem.detail);
        }
        tokio::select! {
            _ = stop.changed() => return,
            () = tokio::time::sleep(TIDY_EVERY) => {}
        }
    }
}

/// Throws away files that nobody uses, now and then; budgets and orders do not wait for it.
async fn sweep(door: Arc<Door>, keep_files: Duration, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let of_door = Arc::clone(&door);
        let sweeping = tokio::task::spawn_blocking(move || sweep_files(&of_door, keep_files));
        if let Err(error) = sweeping.await {
            tracing::error!("files that nobody uses stay: {error}");
        }
        tokio::select! {
            _ = stop.changed() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
    }
}

/// Throws away files that nobody uses, whole or not.
fn sweep_files(door: &Door, keep_files: Duration) {
    match door.files.tidy() {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "parts of files that nobody goes on with are gone"),
        Err(error) => tracing::error!("parts of files stay: {error}"),
    }
    match door.scenes.sweep(keep_files) {
        Ok(swept) => {
            for (hash, bytes) in swept {
                tracing::info!(%hash, bytes, "a file that no scene names is gone");
            }
        }
        Err(error) => tracing::error!("files that no scene names stay: {error}"),
    }
}
