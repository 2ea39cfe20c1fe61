//! What it costs to render in a worker process: the same tiles there and here, in turn, in CPU time
//! of both processes where the system tells, so that what else runs here counts little.
//!
//! `cargo bench -p tessera --bench worker`

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use protocol::{Batch, Rect, RenderSettings, Size};
use renderer::{Backend as _, Cancel, CpuBackend, Work};
use sandbox::{BackendChoice, Frame, Order, Patience, Setup, Worker};

/// Rounds; the shortest of each is compared, since other programs only ever add.
const ROUNDS: u32 = 5;

fn main() {
    let threads = NonZeroUsize::new(1);
    let setup = Setup {
        backend: BackendChoice::Cpu,
        threads,
        memory_bytes: 4 << 30,
        limit_bytes: 6 << 30,
        ..Setup::default()
    };
    let begin = Instant::now();
    let program = env!("CARGO_BIN_EXE_tessera").into();
    let mut worker = Worker::start(program, setup, Patience::default()).expect("a worker starts");
    println!("start, locked in and ready   {:8.2} ms", ms(begin.elapsed()));
    let golden = scene::pack(&scene::golden());
    let package = golden.bytes();
    let mut here = CpuBackend::new(threads);
    for (passes, samples) in [(false, 16), (false, 64), (true, 64)] {
        let settings = RenderSettings {
            size: Size::new(256, 256),
            samples,
            passes,
            ..RenderSettings::default()
        };
        let scene = renderer::prepare(&scene::golden(), &settings, 0.0).expect("prepared");
        let batch = Batch::new(0, settings.chunk_count()).expect("a power of two");
        let work = Work { rect: Rect { x0: 64, y0: 64, x1: 192, y1: 192 }, batch };
        let frame = Frame { scene: golden.id(), settings, time_s: 0.0 };
        let order = Order { frame, work };
        let cancel = Cancel::default();
        worker.film(&order, Some(package), &cancel).expect("it renders");
        let mut best = [f64::MAX; 2];
        let id = worker.id();
        let clock = || cpu_s(std::process::id()) + id.map_or(0.0, cpu_s);
        for _ in 0..ROUNDS {
            let begin = (clock(), Instant::now());
            let ours = here.render(&scene, work, &cancel).expect("it renders");
            best[0] = best[0].min(since(begin, clock()));
            let begin = (clock(), Instant::now());
            let film = worker.film(&order, None, &cancel).expect("it renders").expect("at hand");
            best[1] = best[1].min(since(begin, clock()));
            assert_eq!(film.root(), ours.root());
        }
        println!(
            "128 x 128 px, {samples:3} spp{}  here {:.2} s, worker {:.2} s, ratio {:.3}",
            if passes { ", passes" } else { "        " },
            best[0],
            best[1],
            best[1] / best[0]
        );
    }
}

/// CPU time of a process, seconds; zero where the system does not tell.
fn cpu_s(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_name, fields)| fields.split_whitespace());
    let ticks = fields.into_iter().flatten().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// CPU time from then to now, or wall time where the system does not tell.
fn since((cpu, wall): (f64, Instant), now: f64) -> f64 {
    if now > cpu { now - cpu } else { wall.elapsed().as_secs_f64() }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
