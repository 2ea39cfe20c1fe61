//! What an artist waits for who turns a camera: the first picture of a scene, then sixty steps around
//! it, each a view of 1 sample a pixel, through a worker process as the desktop has one; and how soon
//! a view that nobody wants any more lets go.
//!
//! `cargo bench --profile release -p tessera --bench preview -- [scene.glb]`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::{RenderSettings, SceneId, Size};
use renderer::{Cancel, Pose};
use sandbox::{BackendChoice, Frame, Patience, Seen, Setup, Sight, Worker};

/// Steps of an orbit: once around.
const STEPS: u32 = 60;
/// Sizes of views: what is shown while somebody drags, and soon after.
const SIZES: [Size; 2] = [Size::new(320, 180), Size::new(640, 360)];
/// Times that a view is given up.
const STOPS: u32 = 20;
/// How long it has been rendered by then.
const STOP_AFTER: Duration = Duration::from_millis(30);

fn main() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mosaic.glb");
    let given = std::env::args_os().skip(1).find(|own| !own.to_string_lossy().starts_with("--"));
    let path = given.map_or(own, PathBuf::from);
    let imported = scene::import(&path, &scene::ImportOptions::default()).expect("a scene");
    println!("{} triangles", imported.report.triangles);
    let base = RenderSettings { size: SIZES[1], samples: 1, ..RenderSettings::default() };
    let pose = renderer::pose(&imported.scene, &base, 0.0).expect("a camera");
    let package = scene::pack(&imported.scene);
    let view = View { scene: package.id(), package: package.bytes().clone(), pose };

    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let setup = Setup {
        backend: BackendChoice::Cpu,
        memory_bytes: 4 << 30,
        limit_bytes: 6 << 30,
        ..Setup::default()
    };
    let program = env!("CARGO_BIN_EXE_tessera").into();
    let mut worker = Worker::start(program, setup, Patience::default()).expect("a worker starts");
    println!("{} of {cores} cores", worker.description());

    let begin = Instant::now();
    let first = view.look(&mut worker, SIZES[1], 1, 0, &Cancel::default()).expect("a picture");
    let (wall, prepare, render) = (ms(begin.elapsed()), ms(first.prepare), ms(first.render));
    println!("first picture   {wall:6.0} ms: prepare {prepare:6.1}, render {render:6.1}");
    for size in SIZES {
        let steps = (1..=STEPS).map(|step| {
            let begin = Instant::now();
            let seen = view.look(&mut worker, size, 1, step, &Cancel::default());
            let seen = seen.expect("a picture");
            [begin.elapsed(), seen.prepare, seen.render].map(ms)
        });
        let steps: Vec<[f64; 3]> = steps.collect();
        let of = |part: usize| steps.iter().map(|step| step[part]).collect::<Vec<_>>();
        let [wall, prepare, render] = [0, 1, 2].map(|part| percentiles(of(part)));
        println!("{size}, 1 spp  step p50 {:5.1} ms, p95 {:5.1} ms", wall.0, wall.1);
        println!(
            "    of it prepare {:5.1}, {:5.1}; render {:5.1}, {:5.1}",
            prepare.0, prepare.1, render.0, render.1
        );
    }
    let stops = (0..STOPS).map(|stop| ms(view.give_up(&mut worker, stop)));
    let (middle, most) = percentiles(stops.collect());
    println!("a view of {} given up  p50 {middle:5.1} ms, p95 {most:5.1} ms", SIZES[1]);
}

/// A scene, and where one begins to go around it.
struct View {
    scene: SceneId,
    package: Bytes,
    pose: Pose,
}

impl View {
    fn look(
        &self,
        worker: &mut Worker,
        size: Size,
        samples: u32,
        step: u32,
        cancel: &Cancel,
    ) -> Result<Seen, sandbox::RenderFault> {
        let Pose { eye, target, vfov_degrees } = self.pose;
        let (sin, cos) = (std::f32::consts::TAU * step as f32 / STEPS as f32).sin_cos();
        let [x, y, z] = [0, 1, 2].map(|axis: usize| eye[axis] - target[axis]);
        let turned = [x * cos + z * sin, y, z * cos - x * sin];
        let eye = [0, 1, 2].map(|axis: usize| target[axis] + turned[axis]);
        let camera = Pose { eye, target, vfov_degrees }.camera();
        let settings = RenderSettings { size, samples, camera, ..RenderSettings::default() };
        let frame = Frame { scene: self.scene, settings, time_s: 0.0 };
        worker.look(&Sight { frame, chunks: u32::MAX }, &self.package, cancel)
    }

    /// From the wish to stop a view of many samples until the worker is free for the next.
    fn give_up(&self, worker: &mut Worker, step: u32) -> Duration {
        let cancel = Arc::new(Cancel::default());
        let theirs = cancel.clone();
        let person = std::thread::spawn(move || {
            std::thread::sleep(STOP_AFTER);
            let begin = Instant::now();
            theirs.set();
            begin
        });
        let stopped = self.look(worker, SIZES[1], 65_536, step, &cancel);
        assert!(stopped.is_err(), "nobody renders that in time");
        person.join().expect("no panic").elapsed()
    }
}

/// The middle, and what nineteen of twenty are below.
fn percentiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[(values.len() as f64 * share) as usize];
    (at(0.5), at(0.95))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
