//! The thread that asks the worker process for looks, the newest first and the others never.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use bytes::Bytes;
use protocol::{RenderSettings, SceneId};
use renderer::{Cancel, RenderError};
use sandbox::{BackendChoice, Frame, RenderFault, Seen, Sight, Worker};

use super::ladder::{self, Pace};
use crate::desk::{Outlet, capital, chain};
use crate::state::stage::{Event, Sighting};

/// One in half floats.
const OPAQUE: u16 = 0x3c00;

/// Where the thread finds what it is to look at.
pub(super) struct Lookout {
    slot: Arc<Slot>,
}

struct Slot {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Default)]
struct Wanted {
    scene: Option<(SceneId, Bytes)>,
    sighting: Option<Sighting>,
    /// Of the look that is under way.
    cancel: Arc<Cancel>,
    is_closed: bool,
}

impl Lookout {
    /// Starts the thread; the process is started when there is something to look at.
    pub(super) fn open(program: Option<PathBuf>, outlet: Outlet) -> Self {
        let slot = Arc::new(Slot { wanted: Mutex::default(), changed: Condvar::new() });
        let theirs = Arc::clone(&slot);
        let thread = std::thread::Builder::new().name("lookout".to_owned());
        if let Err(error) = thread.spawn(move || run(program, &theirs, &outlet)) {
            tracing::error!(%error, "there is no thread for previews");
        }
        Self { slot }
    }

    /// Another scene is on the stage.
    pub(super) fn show(&self, id: SceneId, package: Bytes) {
        self.change(|wanted| {
            wanted.scene = Some((id, package));
            wanted.sighting = None;
        });
    }

    /// Nothing is on the stage any more.
    pub(super) fn clear(&self) {
        self.change(|wanted| {
            wanted.scene = None;
            wanted.sighting = None;
        });
    }

    /// Nobody looks for now.
    pub(super) fn rest(&self) {
        self.change(|wanted| wanted.sighting = None);
    }

    /// Somebody looks from there now.
    pub(super) fn look(&self, sighting: Sighting) {
        self.change(|wanted| wanted.sighting = Some(sighting));
    }

    fn change(&self, how: impl FnOnce(&mut Wanted)) {
        let mut wanted = self.slot.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        how(&mut wanted);
        wanted.cancel.set();
        self.slot.changed.notify_one();
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.change(|wanted| wanted.is_closed = true);
    }
}

/// A look that is under way.
struct Task {
    id: SceneId,
    package: Bytes,
    sighting: Sighting,
    cancel: Arc<Cancel>,
}

impl Slot {
    /// Waits for something to look at; `None` when the window is gone.
    fn next(&self) -> Option<Task> {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if wanted.is_closed {
                return None;
            }
            if let (Some((id, package)), Some(sighting)) =
                (wanted.scene.clone(), wanted.sighting.take())
            {
                wanted.cancel = Arc::default();
                return Some(Task { id, package, sighting, cancel: Arc::clone(&wanted.cancel) });
            }
            wanted = self.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn run(program: Option<PathBuf>, slot: &Slot, outlet: &Outlet) {
    let (mut worker, mut pace) = (None, Pace::default());
    while let Some(task) = slot.next() {
        let serial = task.sighting.serial;
        let looked = start(&mut worker, program.as_ref())
            .and_then(|worker| look(worker, &task, &mut pace, outlet));
        if let Err(why) = looked {
            let event = Event::NotSeen { serial, why };
            outlet.send_blocking(crate::state::Event::Stage(event));
        }
    }
}

/// The worker; a new one where there is none.
fn start<'w>(
    worker: &'w mut Option<Worker>,
    program: Option<&PathBuf>,
) -> Result<&'w mut Worker, String> {
    if worker.is_none() {
        *worker = Some(crate::desk::worker::start(program, BackendChoice::Auto, "previews")?);
    }
    worker.as_mut().ok_or_else(|| "No worker".to_owned())
}

/// Looks until all samples are there or nobody wants them any more.
fn look(worker: &mut Worker, task: &Task, pace: &mut Pace, outlet: &Outlet) -> Result<(), String> {
    let settings = &task.sighting.settings;
    for glance in ladder::glances(settings, *pace) {
        if step(worker, task, glance, 1, pace, outlet)?.is_none() {
            return Ok(());
        }
    }
    loop {
        let chunks = ladder::chunks(settings, *pace);
        match step(worker, task, settings.clone(), chunks, pace, outlet)? {
            Some(is_done) if !is_done => {}
            _done_or_unwanted => return Ok(()),
        }
    }
}

/// One step; `None` when it is not wanted any more, else whether all samples are there.
fn step(
    worker: &mut Worker,
    task: &Task,
    settings: RenderSettings,
    chunks: u32,
    pace: &mut Pace,
    outlet: &Outlet,
) -> Result<Option<bool>, String> {
    let serial = task.sighting.serial;
    let frame = Frame { scene: task.id, settings, time_s: task.sighting.time_s };
    let sight = Sight { frame, chunks };
    let seen = match worker.look(&sight, &task.package, &task.cancel) {
        Ok(seen) => seen,
        Err(RenderFault::Render(RenderError::Cancelled)) => return Ok(None),
        Err(fault) => return Err(capital(&chain(&fault))),
    };
    let settings = &sight.frame.settings;
    let is_done = seen.is_done(settings);
    let Seen { size, mut pixels, samples, render, .. } = seen;
    let added = samples.min(chunks * protocol::settings::CHUNK_SAMPLES);
    pace.note(size.pixel_count(), added, render);
    // What is shown has a sky: coverage is for compositing.
    pixels.iter_mut().for_each(|pixel| pixel[3] = OPAQUE);
    let event = Event::Seen { serial, size, texels: pixels, samples };
    outlet.send_blocking(crate::state::Event::Stage(event));
    Ok(Some(is_done))
}
