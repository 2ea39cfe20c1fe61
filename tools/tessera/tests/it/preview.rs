//! Views of a scene through a worker process.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use half::f16;
use protocol::{Batch, RenderSettings, Size};
use renderer::{Cancel, RenderError, Work};
use sandbox::{Frame, Order, Patience, RenderFault, Seen, Sight, Worker, WorkerError};

use crate::sandbox::{package, setup, worker, worker_with};

fn settings(samples: u32) -> RenderSettings {
    RenderSettings { size: Size::new(40, 24), samples, ..RenderSettings::default() }
}

fn sight(settings: RenderSettings, chunks: u32) -> Sight {
    let scene = scene::pack(&scene::golden()).id();
    Sight { frame: Frame { scene, settings, time_s: 0.0 }, chunks }
}

fn look(worker: &mut Worker, sight: &Sight) -> Seen {
    worker.look(sight, &package(), &Cancel::default()).expect("a picture")
}

/// More samples than anyone waits for.
fn endless() -> Sight {
    sight(settings(65_536), u32::MAX)
}

#[test]
fn a_view_with_all_samples_is_the_films_picture() {
    let mut worker = worker();
    let settings = settings(72);
    let sight = sight(settings.clone(), 2);
    let mut seen = look(&mut worker, &sight);
    assert_eq!((seen.samples, seen.size), (32, settings.size));
    while !seen.is_done(&settings) {
        seen = look(&mut worker, &sight);
    }
    assert_eq!(seen.samples, 72);
    // The same samples from leases of several sizes.
    let mut frame = film::Frame::of(&settings);
    for (first, count) in [(4, 1), (2, 2), (0, 2)] {
        let batch = Batch::new(first, count).expect("aligned");
        let work = Work { rect: settings.window(), batch };
        let order = Order { frame: sight.frame.clone(), work };
        let film = worker.film(&order, Some(&package()), &Cancel::default());
        frame.insert(film.expect("it renders").expect("a film")).expect("it fits");
    }
    let picture = frame.picture();
    let means = picture.beauty.iter().zip(&picture.alpha);
    let halves: Vec<[u16; 4]> =
        means.map(|([r, g, b], a)| [*r, *g, *b, *a].map(|v| f16::from_f32(v).to_bits())).collect();
    assert_eq!(seen.pixels, halves);
    assert!(
        picture.alpha.iter().any(|alpha| *alpha > 0.0 && *alpha < 1.0),
        "edges are covered in part"
    );
    // Films go on as they were.
    let batch = Batch::new(0, 2).expect("aligned");
    let order = Order { frame: sight.frame, work: Work { rect: settings.window(), batch } };
    look(&mut worker, &self::sight(self::settings(1), 1));
    let film = worker.film(&order, None, &Cancel::default()).expect("it renders");
    assert!(film.is_some(), "the film's scene is still at hand");
}

#[test]
fn a_look_that_nobody_wants_any_more_leaves_the_worker_as_it_was() {
    let mut worker = worker();
    look(&mut worker, &sight(settings(1), 1));
    let id = worker.id();
    let cancel = Arc::new(Cancel::default());
    let theirs = cancel.clone();
    // On a thread of its own, as a program with windows has it.
    let looking = std::thread::spawn(move || {
        let stopped = worker.look(&endless(), &package(), &theirs);
        (worker, stopped)
    });
    std::thread::sleep(Duration::from_millis(100));
    cancel.set();
    let (mut worker, stopped) = looking.join().expect("no panic");
    assert!(matches!(stopped, Err(RenderFault::Render(RenderError::Cancelled))), "{stopped:?}");
    assert_eq!(look(&mut worker, &sight(settings(1), 1)).samples, 1);
    assert_eq!(worker.id(), id);
    // One that is not wanted from the start asks for nothing.
    let stopped = worker.look(&endless(), &package(), &cancel);
    assert!(matches!(stopped, Err(RenderFault::Render(RenderError::Cancelled))), "{stopped:?}");
}

#[cfg(unix)]
#[test]
fn a_worker_that_is_lost_over_a_look_is_replaced() {
    let strike = |mut worker: Worker, signal: &'static str| {
        look(&mut worker, &sight(settings(1), 1));
        let id = worker.id().expect("it runs").to_string();
        let striking = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            let sent = Command::new("kill").args([signal, &id]).status().expect("kill runs");
            assert!(sent.success());
        });
        let lost = worker.look(&endless(), &package(), &Cancel::default());
        striking.join().expect("no panic");
        (worker, lost.expect_err("nobody renders that in time"))
    };
    let (mut worker, fault) = strike(worker(), "-KILL");
    assert!(matches!(fault, RenderFault::Worker(WorkerError::Ended { .. })), "{fault:?}");
    // The package goes to the new one by itself.
    assert_eq!(look(&mut worker, &sight(settings(1), 1)).samples, 1);
    let short = Duration::from_secs(2);
    let patience =
        Patience { base: short, mega_sample_bounce: Duration::ZERO, ..Patience::default() };
    let (mut worker, fault) = strike(worker_with(setup(), patience), "-STOP");
    assert!(matches!(fault, RenderFault::Worker(WorkerError::Hung { .. })), "{fault:?}");
    assert_eq!(look(&mut worker, &sight(settings(1), 1)).samples, 1);
}

#[test]
fn what_cannot_be_looked_at_is_refused_before_it_is_asked() {
    let mut worker = worker();
    let id = worker.id();
    let mut refused = |settings| {
        let refused = worker.look(&sight(settings, 1), &Bytes::new(), &Cancel::default());
        refused.expect_err("refused")
    };
    let fault = refused(settings(0));
    assert!(matches!(fault, RenderFault::Prepare(_)), "{fault:?}");
    let wide = RenderSettings { size: Size::new(4096, 4096), ..settings(1) };
    let fault = refused(wide);
    assert!(matches!(fault, RenderFault::View { .. }), "{fault:?}");
    // A package of nothing is told by the worker, which lives on.
    let fault = refused(settings(1));
    assert!(matches!(fault, RenderFault::Apart(_)), "{fault:?}");
    assert_eq!(worker.id(), id);
}
