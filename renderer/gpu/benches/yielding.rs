//! How soon a device is free for the person before it: from the wish to stop to the end of the last
//! dispatch, while a film is rendered.
//!
//! `cargo bench --profile release -p gpu --bench yielding -- [scene.glb] [--rounds 101] [--hardware]`;
//! without a file the built-in scene is rendered. Software adapters are taken unless `--hardware` is
//! given.

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use gpu::{GpuBackend, GpuOptions};
use protocol::settings::RenderSettings;
use protocol::{Batch, Rect, Size};
use renderer::{Backend as _, Cancel, RenderError, RenderScene, Work};

/// The film, large enough that none is done before it is stopped.
const SIZE: Size = Size { width: 512, height: 512 };
const CHUNKS: u32 = 256;
/// Wishes come so long after a film was begun, and some milliseconds later each round, so that they meet
/// dispatches at all of their stages.
const FIRST_WISH: Duration = Duration::from_millis(400);

fn main() -> Result<(), String> {
    let (mut file, mut rounds, mut software) = (None, 101_u32, true);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            // Cargo adds it to every benchmark.
            "--bench" => {}
            "--hardware" => software = false,
            "--rounds" => {
                let text = words.next().ok_or("--rounds needs a value")?;
                rounds = text.parse().map_err(|why| format!("--rounds: {why}"))?;
            }
            _ => file = Some(PathBuf::from(word)),
        }
    }
    let scene = prepared(file)?;
    let options = GpuOptions { software, ..GpuOptions::default() };
    let mut backend = GpuBackend::open(&options).map_err(|why| why.to_string())?;
    println!("{}, {} MB of tables", backend.description(), scene.byte_size() / 1_000_000);
    // The first films compile, and teach how long dispatches take.
    for _ in 0..5 {
        stopped_after(&mut backend, &scene, Duration::from_secs(1))?;
    }
    let mut took = Vec::new();
    for round in 0..rounds.max(1) {
        let wish = FIRST_WISH + Duration::from_millis(u64::from(round) * 7 % 101);
        took.push(stopped_after(&mut backend, &scene, wish)?);
    }
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "from the wish to the end of the last dispatch, {} rounds: median {:.1} ms, 95 of 100 within {:.1} ms, longest {:.1} ms",
        took.len(),
        at(0.5),
        at(0.95),
        at(1.0)
    );
    Ok(())
}

fn prepared(file: Option<PathBuf>) -> Result<RenderScene, String> {
    let scene = match file {
        None => scene::golden(),
        Some(path) => {
            let imported = scene::import(&path, &scene::ImportOptions::default());
            imported.map_err(|why| format!("{}: {why}", path.display()))?.scene
        }
    };
    let samples = CHUNKS * protocol::settings::CHUNK_SAMPLES;
    let settings = RenderSettings { size: SIZE, samples, ..RenderSettings::default() };
    renderer::prepare(&scene, &settings, 0.0).map_err(|why| why.to_string())
}

/// Begins a film, wishes it stopped after a while, and says how long that took.
fn stopped_after(
    backend: &mut GpuBackend,
    scene: &RenderScene,
    wish: Duration,
) -> Result<Duration, String> {
    let batch = Batch::new(0, CHUNKS).ok_or("the batch is aligned")?;
    let work = Work { rect: Rect::of_size(SIZE), batch };
    let (cancel, (wished, when)) = (Cancel::default(), sync_channel(1));
    let rendered = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(wish);
            // The other end is there until the scope is over.
            wished.send(Instant::now()).ok();
            cancel.set();
        });
        let rendered = backend.render(scene, work, &cancel);
        (rendered, Instant::now())
    });
    let wished = when.recv().map_err(|_gone| "nobody wished it stopped")?;
    match rendered {
        (Err(RenderError::Cancelled), ended) => Ok(ended.saturating_duration_since(wished)),
        (Err(error), _) => Err(error.to_string()),
        (Ok(_film), _) => Err("the film was done before it was stopped".to_owned()),
    }
}
