//! The worker's side: confined first, then one order after the other.

use std::fs::File;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use protocol::chain;
use renderer::{Cancel, RenderError, Work};

use crate::confinement::{Profile, confine};
use crate::easel::{Easel, Order, RenderFault, SEEN_PIXEL_BYTES, Seen};
use crate::hand::{BackendChoice, Open};
use crate::trial::attempts;
use crate::wire::{self, ASK_BODY_BYTES_MAX, Ask, Told, WireError};

/// What is being rendered, as the keeper may cancel it.
type Current = Arc<Mutex<Option<(u64, Arc<Cancel>)>>>;

/// An order with its body, and what it is cancelled by.
struct Asked {
    ask: Ask,
    body: Bytes,
    cancel: Arc<Cancel>,
}

/// Is a worker until its keeper closes its standard input: the body of the hidden command `worker`.
///
/// To be called before any thread is started or file opened. Standard output is the pipe to the
/// keeper; whatever else would print goes to standard error.
#[must_use]
pub fn run(open: Open) -> ExitCode {
    // Started as `/proc/self/exe` it would be called `exe` in lists of processes.
    #[cfg(target_os = "linux")]
    let _unnamed = rustix::thread::set_name(c"tessera-worker");
    match serve(open) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn serve(open: Open) -> Result<(), WireError> {
    // The keeper speaks first, and is believed.
    let (first, _none) = match wire::read(io::stdin().lock(), 0) {
        Err(WireError::Ended) => return Ok(()),
        read => read?,
    };
    let Ask::Open(setup) = first else {
        return Err(WireError::Ended);
    };
    let profile = match setup.backend {
        BackendChoice::Cpu => Profile::Cpu,
        BackendChoice::Auto | BackendChoice::Gpu => Profile::Gpu,
    };
    let confined = confine(profile, setup.limit_bytes);
    let mut pipe = own_output().map_err(WireError::Pipe)?;
    tell(&mut pipe, &Told::Confined(confined))?;
    let mut easel = match Easel::new(setup, open) {
        Ok(easel) => easel,
        Err(error) => return tell(&mut pipe, &Told::NoBackend(chain(&error))),
    };
    let (description, on_gpu) = (easel.description(), easel.is_on_gpu());
    let engine = renderer::ENGINE;
    tell(&mut pipe, &Told::Opened { description, on_gpu, engine })?;
    let orders = listen();
    while let Ok(Asked { ask, body, cancel }) = orders.recv() {
        let mut lost = Ok(());
        let mut progress = || {
            if lost.is_ok() {
                lost = tell(&mut pipe, &Told::Progress);
            }
        };
        let (told, body) = answer(&mut easel, ask, &body, &cancel, &mut progress);
        lost?;
        wire::write(&mut pipe, &told, &body)?;
    }
    Ok(())
}

/// Standard output for ourselves alone: what libraries print must not get among our words.
fn own_output() -> io::Result<impl Write> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        let own = io::stdout().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        Ok(File::from(own))
    }
    #[cfg(not(unix))]
    Ok(io::stdout())
}

fn tell(pipe: impl Write, told: &Told) -> Result<(), WireError> {
    wire::write(pipe, told, &[])
}

/// Reads what is asked on a thread of its own, so that it can be cancelled. When the keeper is gone, so
/// is the process, whatever it is at.
fn listen() -> Receiver<Asked> {
    let (sender, orders) = sync_channel(1);
    std::thread::spawn(move || {
        let current = Current::default();
        loop {
            let (ask, body) = match wire::read(io::stdin().lock(), ASK_BODY_BYTES_MAX) {
                Ok(read) => read,
                Err(WireError::Ended) => std::process::exit(0),
                Err(error) => {
                    tracing::error!("{}", chain(&error));
                    std::process::exit(1);
                }
            };
            let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ask::Cancel { number } = ask {
                if let Some((_number, cancel)) = current.as_ref().filter(|(own, _)| *own == number)
                {
                    cancel.set();
                }
                continue;
            }
            let cancel = Arc::new(Cancel::default());
            if let Ask::Film { number, .. }
            | Ask::Spots { number, .. }
            | Ask::Probe { number, .. }
            | Ask::Look { number, .. } = ask
            {
                *current = Some((number, cancel.clone()));
            }
            drop(current);
            if sender.send(Asked { ask, body: body.into(), cancel }).is_err() {
                return;
            }
        }
    });
    orders
}

/// Does what is asked. A panic of the renderer costs the backend's state and no more.
fn answer(
    easel: &mut Easel,
    ask: Ask,
    body: &Bytes,
    cancel: &Cancel,
    progress: &mut dyn FnMut(),
) -> (Told, Vec<u8>) {
    let done = catch_unwind(AssertUnwindSafe(|| done(easel, ask, body, cancel, progress)));
    match done {
        Ok(Ok(answer)) => answer,
        Ok(Err(fault)) => (fault_told(&fault), Vec::new()),
        Err(panic) => {
            easel.recover();
            let fault = RenderFault::Panicked(crate::words_of(&*panic));
            (fault_told(&fault), Vec::new())
        }
    }
}

fn done(
    easel: &mut Easel,
    ask: Ask,
    body: &Bytes,
    cancel: &Cancel,
    progress: &mut dyn FnMut(),
) -> Result<(Told, Vec<u8>), RenderFault> {
    let bare = |told| Ok((told, Vec::new()));
    match ask {
        Ask::Benchmark => bare(Told::Speed(easel.benchmark()?)),
        Ask::Golden { settings, batch } => {
            Ok((Told::Film, easel.golden(&settings, batch)?.to_bytes()))
        }
        Ask::Holds { frame } => bare(Told::Holds(easel.holds(&frame))),
        Ask::Film { number: _, frame, rect, batch, packed } => {
            let order = Order { frame, work: Work { rect, batch } };
            let film = easel.film(&order, packed.then_some(body), cancel, progress)?;
            Ok(film.map_or((Told::PackageNeeded, Vec::new()), |film| (Told::Film, film.to_bytes())))
        }
        Ask::Spots { number: _, frame, spots, packed } => {
            let sums = easel.spots(&frame, &spots, packed.then_some(body), cancel, progress)?;
            Ok(sums.map_or((Told::PackageNeeded, Vec::new()), |sums| {
                (Told::Sums, sums.iter().flat_map(film::Sums::to_bytes).collect())
            }))
        }
        Ask::Probe { number: _, probing, packed } => {
            let probed = easel.probe(&probing, packed.then_some(body), cancel, progress)?;
            bare(probed.map_or(Told::PackageNeeded, Told::Probed))
        }
        Ask::Look { number: _, sight, packed } => {
            let seen = easel.look(&sight, packed.then_some(body), cancel, progress)?;
            Ok(seen.map_or((Told::PackageNeeded, Vec::new()), |seen| {
                let Seen { pixels, samples, prepare, render, .. } = seen;
                (Told::Seen { samples, prepare, render }, to_bytes(&pixels))
            }))
        }
        Ask::Break(trial) => bare(Told::Attempts(attempts(&trial))),
        // One is opened once, and a cancelled film that has ended is no order.
        Ask::Open(_) | Ask::Cancel { .. } => bare(Told::Progress),
    }
}

fn to_bytes(pixels: &[[u16; 4]]) -> Vec<u8> {
    let mut bytes = vec![0; pixels.len() * SEEN_PIXEL_BYTES];
    let halves = bytes.as_chunks_mut::<2>().0.iter_mut().zip(pixels.as_flattened());
    halves.for_each(|(bytes, half)| *bytes = half.to_le_bytes());
    bytes
}

fn fault_told(fault: &RenderFault) -> Told {
    match fault {
        RenderFault::Render(RenderError::Cancelled) => Told::Cancelled,
        RenderFault::Reopen(_) | RenderFault::Ended => Told::NoBackend(chain(fault)),
        fault if fault.is_too_large() => Told::TooLarge(chain(fault)),
        fault => Told::Failed(chain(fault)),
    }
}
