//! Opening the door, and keeping it open.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::Farm;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::book::{Book, BookError};
use crate::door::Door;
use crate::files::Files;
use crate::films::Films;
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
    stop: watch::Receiver<bool>,
}

/// Where the door's book is.
#[must_use]
pub fn book_path(data: &Path) -> PathBuf {
    data.join("studio.redb")
}

/// Opens a door to this farm, with what it keeps in `data`, at which each token may ask so often a
/// second; it closes once `stop` is true.
///
/// # Errors
/// [`ServeError`].
pub async fn open(
    farm: Farm,
    data: &Path,
    address: SocketAddr,
    per_second: u32,
    stop: watch::Receiver<bool>,
) -> Result<Open, ServeError> {
    let folder = |source| ServeError::Folder { path: data.to_owned(), source };
    std::fs::create_dir_all(data).map_err(folder)?;
    let book = Book::open(&book_path(data))?;
    let files = Files::open(&data.join("files")).map_err(folder)?;
    let scenes = Scenes::open(&data.join("scenes"), files.clone(), farm.clone());
    let scenes = scenes.map_err(folder)?;
    let films = Films::open(&data.join("pictures"), farm.clone()).map_err(folder)?;
    let wake = Arc::new(Notify::new());
    let courier = Courier::try_new(book.clone(), Arc::clone(&wake))?;
    let news = News::new(book.clone(), Arc::clone(&wake));
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
    let gates = http::Gates::new(per_second);
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
    Ok(Open { address, listener, door: Arc::new(door), stop })
}

impl Open {
    /// Serves until it is told to stop.
    ///
    /// # Errors
    /// [`ServeError::Serve`].
    pub async fn serve(self) -> Result<(), ServeError> {
        let Self { address, listener, door, stop } = self;
        let (gather, postman) = (door.gather.clone(), door.courier.clone());
        let gathering = tokio::spawn(gather.run(stop.clone()));
        let posting = tokio::spawn(postman.run(stop.clone()));
        let tidying = tokio::spawn(tidy(Arc::clone(&door), stop.clone()));
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
        for task in [gathering, posting, tidying] {
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
        let pruned = door.book.prune(now_ms).and_then(|_| door.book.prune_events(before_ms));
        if let Err(error) = pruned {
            tracing::error!("what is old stays: {error}");
        }
        if let Err(error) = door.files.tidy() {
            tracing::error!("parts of files stay: {error}");
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
