//! The book, for whoever must not wait for the disk.

use tokio::task::spawn_blocking;

use super::{Book, BookError, Event, Refused, Token};

/// The book on async threads: cheap to clone.
///
/// **Architecture invariant:** async code holds this and no [`Book`], so that nothing is written, and
/// nothing long is read, where others wait for the thread.
#[derive(Debug, Clone)]
pub struct Desk(Book);

impl From<Book> for Desk {
    fn from(book: Book) -> Self {
        Self(book)
    }
}

impl Desk {
    /// Does something with the book on a thread that may wait for the disk. It is done to its end,
    /// also when whoever waits for it here is gone.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Book) -> T + Send + 'static,
    ) -> T {
        let book = self.0.clone();
        match spawn_blocking(move || work(&book)).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is closing, and with it whoever waits here.
                Err(_cancelled) => std::future::pending().await,
            },
        }
    }

    /// [`Book::token_of`]: a row or two, for which each request would else wait for a thread.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn token_of(&self, secret: &str, now_ms: u64) -> Result<Token, Refused> {
        self.0.token_of(secret, now_ms)
    }

    /// [`Book::token`]: a row.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn token(&self, id: &str) -> Result<Option<Token>, BookError> {
        self.0.token(id)
    }

    /// [`Book::last_event_of`]: a row or two.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn last_event_of(&self, job: &str) -> Result<Option<Event>, BookError> {
        self.0.last_event_of(job)
    }

    /// [`Book::last_event_id`]: a row.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn last_event_id(&self) -> Result<u64, BookError> {
        self.0.last_event_id()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::book::scratch::book;
    use crate::book::{Keep, Team};

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn team(name: &str) -> Team {
        Team { team: name.to_owned(), budget: None }
    }

    /// Keeps everybody from writing until it is dropped, as a slow disk does.
    fn slow_disk(book: &Book) -> mpsc::SyncSender<()> {
        let (go_on, wait) = mpsc::sync_channel(0);
        let (begun, is_begun) = mpsc::channel();
        let book = book.clone();
        std::thread::spawn(move || {
            let change = book.open_change().expect("it works");
            begun.send(()).expect("somebody waits");
            let _dropped_or_late = wait.recv_timeout(PATIENCE);
            book.close_change(Keep::Now, change).expect("it works");
        });
        is_begun.recv().expect("it begins");
        go_on
    }

    #[tokio::test]
    async fn others_go_on_while_the_disk_is_slow() {
        let (_dir, book) = book();
        let (desk, slow) = (Desk::from(book.clone()), slow_disk(&book));
        let (told, mut is_told) = tokio::sync::oneshot::channel();
        let writing = async {
            let written = desk.with(move |book| {
                book.put_team(&team("fx")).expect("it works");
                is_told.try_recv().expect("the other has gone on meanwhile, on the only thread");
            });
            written.await;
        };
        let other = async {
            told.send(()).expect("somebody listens");
            drop(slow);
        };
        tokio::join!(writing, other);
        assert_eq!(book.team("fx").expect("it works"), Some(team("fx")), "it is written by then");
    }

    #[tokio::test]
    async fn what_is_begun_is_done_also_when_nobody_waits_for_it() {
        let (_dir, book) = book();
        let (desk, slow) = (Desk::from(book.clone()), slow_disk(&book));
        let (told, done) = tokio::sync::oneshot::channel();
        let writing = desk.with(move |book| {
            book.put_team(&team("fx")).expect("it works");
            told.send(()).expect("somebody listens");
        });
        let gone = tokio::time::timeout(Duration::from_millis(1), writing).await;
        assert!(gone.is_err(), "the disk is slow");
        drop(slow);
        done.await.expect("it is done");
        assert_eq!(book.team("fx").expect("it works"), Some(team("fx")));
    }
}
