//! What films take on the wire, and how long packing takes, of films that a farm has kept.
//!
//!     cargo bench --profile release -p transport --bench packing -- farm/films/*/*.film

use std::time::{Duration, Instant};

use transport::packing::{pack, unpack};

/// How often each film is packed and unpacked; the quickest counts.
const ROUNDS: u32 = 5;

fn main() -> std::io::Result<()> {
    let paths: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if paths.is_empty() {
        eprintln!("name some films: farm/films/*/*.film in a scheduler's data folder");
        return Ok(());
    }
    let (mut raw, mut sent) = (0, 0);
    let (mut packing, mut unpacking) = (Duration::ZERO, Duration::ZERO);
    for path in &paths {
        let film = std::fs::read(path)?;
        let (took, packed) = quickest(|| pack(&film));
        raw += film.len();
        packing += took;
        let Some(packed) = packed else {
            sent += film.len();
            continue;
        };
        let (took, body) = quickest(|| unpack(&packed, film.len()));
        assert!(body.as_deref() == Some(&film[..]), "{path} does not come back");
        sent += packed.len();
        unpacking += took;
    }
    let speed = |took: Duration| raw as f64 / 1e6 / took.as_secs_f64().max(1e-9);
    let share = 100.0 * sent as f64 / raw as f64;
    println!("{} films of {raw} bytes, {sent} of them sent: {share:.1} %", paths.len());
    println!("packed at {:.0} MB/s, unpacked at {:.0} MB/s", speed(packing), speed(unpacking));
    Ok(())
}

/// What comes of some work, and how long it takes at best.
fn quickest<T>(work: impl Fn() -> T) -> (Duration, T) {
    let once = || {
        let begun = Instant::now();
        let done = work();
        (begun.elapsed(), done)
    };
    (1..ROUNDS).map(|_| once()).fold(once(), |(least, _), (took, done)| (least.min(took), done))
}
