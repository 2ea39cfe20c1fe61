//! The render thread: it alone touches what renders, one order after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use sandbox::{Confinement, Reins, RenderFault, words_of};
use tokio::sync::{mpsc, oneshot};

use crate::painter::Painter;

type Job = Box<dyn FnOnce(&mut Painter) + Send>;

/// A handle on the render thread.
pub(crate) struct Studio {
    jobs: mpsc::Sender<Job>,
    /// What comes before the next of these.
    urgent: mpsc::UnboundedSender<Job>,
    thread: JoinHandle<()>,
    description: String,
    confinement: Option<Confinement>,
    reins: Option<Reins>,
    busy: Busy,
}

/// Whether the render thread is at something.
#[derive(Debug, Clone, Default)]
pub(crate) struct Busy(Arc<AtomicBool>);

impl Busy {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, busy: bool) {
        self.0.store(busy, Ordering::Relaxed);
    }
}

impl Studio {
    /// Starts the thread; what renders is opened on it, and a worker process ends with it.
    pub(crate) async fn open<E: Send + 'static>(
        painter: impl FnOnce() -> Result<Painter, E> + Send + 'static,
    ) -> Result<Self, E> {
        // Two leases, the golden film, the benchmark: more never wait.
        let (jobs, mut queue) = mpsc::channel::<Job>(4);
        let (urgent, mut first) = mpsc::unbounded_channel::<Job>();
        let (opened, opening) = oneshot::channel();
        let busy = Busy::default();
        let seen = busy.clone();
        let thread = std::thread::spawn(move || {
            let mut painter = match painter() {
                Ok(painter) => painter,
                Err(error) => {
                    let _gone = opened.send(Err(error));
                    return;
                }
            };
            let of = (painter.description(), painter.confinement(), painter.reins());
            if opened.send(Ok(of)).is_err() {
                return;
            }
            while let Some(job) = queue.blocking_recv() {
                seen.set(true);
                while let Ok(urgent) = first.try_recv() {
                    urgent(&mut painter);
                }
                job(&mut painter);
                seen.set(false);
            }
        });
        let opened = opening.await.expect("invariant: the thread answers before it ends")?;
        let (description, confinement, reins) = opened;
        Ok(Self { jobs, urgent, thread, description, confinement, reins, busy })
    }

    /// What the rendering is locked in with; `None` where it is done in this process.
    pub(crate) const fn confinement(&self) -> Option<&Confinement> {
        self.confinement.as_ref()
    }

    /// What halts the rendering; `None` where it is done in this process.
    pub(crate) fn reins(&self) -> Option<Reins> {
        self.reins.clone()
    }

    /// Whether it is at something.
    pub(crate) fn busy(&self) -> Busy {
        self.busy.clone()
    }

    /// What it renders on, for people.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// Has the thread do something and waits for the outcome. A panic of the renderer, as a
    /// hostile scene might find one, costs the backend's state and no more.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Painter) -> Result<T, RenderFault> + Send + 'static,
    ) -> Result<T, RenderFault> {
        let (job, answered) = prepared(job);
        self.jobs.send(job).await.map_err(|_ended| RenderFault::Ended)?;
        answered.await.unwrap_or(Err(RenderFault::Ended))
    }

    /// The same before anything that waits for the thread: for what is short.
    pub(crate) async fn ask_soon<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Painter) -> Result<T, RenderFault> + Send + 'static,
    ) -> Result<T, RenderFault> {
        let (job, answered) = prepared(job);
        self.urgent.send(job).map_err(|_ended| RenderFault::Ended)?;
        // Wakes a thread that has nothing to do; where the line is full, it has.
        let _full = self.jobs.try_send(Box::new(|_painter| ()));
        answered.await.unwrap_or(Err(RenderFault::Ended))
    }

    /// Ends the thread once its current order is done.
    pub(crate) async fn close(self) {
        drop(self.jobs);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the render thread did not end well");
        }
    }
}

/// A job that answers, and its answer.
fn prepared<T: Send + 'static>(
    job: impl FnOnce(&mut Painter) -> Result<T, RenderFault> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, RenderFault>>) {
    let (answer, answered) = oneshot::channel();
    let job = move |painter: &mut Painter| {
        let outcome = catch_unwind(AssertUnwindSafe(|| job(painter)));
        let outcome = outcome.unwrap_or_else(|panic| {
            painter.recover();
            Err(RenderFault::Panicked(words_of(&*panic)))
        });
        // Nobody waits any more when the lease has lapsed.
        let _gone = answer.send(outcome);
    };
    (Box::new(job), answered)
}
