//! Finished frames, checked without believing the farm: receipts on a thread, pixels by a process of
//! their own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::Farm;
use client::verify::{Checked, Drawn, check, of_this_engine};
use film::Sums;
use protocol::message::RefusedCode;
use protocol::{JobId, PublicKey, Receipt, ShotIndex, Spots};
use renderer::Cancel;
use sandbox::{BackendChoice, Frame, Worker};
use scene::Package;
use tokio::sync::watch;

use super::{FarmSeat, Outlet, capital, chain, sentence, worker};
use crate::state::Event as Outside;
use crate::state::picture::{Picture, texel};
use crate::state::verify::{self, Doing, Event, Line, News, Part, Standing};

/// A receipt whose units are just being paid is asked for again so often.
const TRIES: u32 = 8;
/// Rest before that.
const PAUSE: Duration = Duration::from_millis(500);
/// Pixels that a worker is asked for at once: a wish to stop is heeded after them.
const PLACES_AT_ONCE: usize = 64;

/// What is to be verified.
#[derive(Clone)]
pub struct VerifyAsk {
    /// Which question it is.
    pub serial: u64,
    /// The job.
    pub job: JobId,
    /// The frame.
    pub shot: ShotIndex,
    /// Who has ordered it.
    pub me: PublicKey,
    /// How many pixels are rendered again.
    pub pixels: u32,
    /// The scene on the stage, if that is the job's.
    pub package: Option<Arc<Package>>,
    /// What the window shows of the frame, if it shows all of it.
    pub shown: Option<Picture>,
}

impl std::fmt::Debug for VerifyAsk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyAsk")
            .field("serial", &self.serial)
            .field("job", &self.job)
            .field("shot", &self.shot)
            .field("pixels", &self.pixels)
            .field("has_scene", &self.package.is_some())
            .field("is_shown", &self.shown.is_some())
            .finish_non_exhaustive()
    }
}

/// Verifies the newest wish; an older one is given up for it.
pub(super) async fn run(
    seat: FarmSeat,
    program: Option<PathBuf>,
    mut wanted: watch::Receiver<Option<VerifyAsk>>,
    outlet: Outlet,
) {
    let renders: Arc<Mutex<()>> = Arc::default();
    loop {
        let ask = wanted.borrow_and_update().clone();
        let farm = seat.borrow().clone();
        let working = async {
            if let Some(ask) = ask {
                let teller = Teller { serial: ask.serial, outlet: outlet.clone() };
                let ended = match farm {
                    Some(farm) => {
                        let hands = Hands { program: program.clone(), one: Arc::clone(&renders) };
                        verified(&farm, hands, ask, &teller).await
                    }
                    None => Err("The farm cannot be reached now".to_owned()),
                };
                teller.tell(News::Ended(ended)).await;
            }
            std::future::pending::<()>().await;
        };
        let goes_on = tokio::select! {
            () = working => true,
            changed = wanted.changed() => changed.is_ok(),
        };
        if !goes_on {
            return;
        }
    }
}

/// Says how one verification goes.
#[derive(Clone)]
struct Teller {
    serial: u64,
    outlet: Outlet,
}

impl Teller {
    fn event(&self, news: News) -> Outside {
        Outside::Verify(Event { serial: self.serial, news })
    }

    async fn tell(&self, news: News) {
        self.outlet.send(self.event(news)).await;
    }

    async fn found(&self, lines: Vec<Line>) {
        for line in lines {
            self.tell(News::Found(line)).await;
        }
    }

    /// Progress, of which more comes.
    fn mention(&self, doing: Doing) {
        self.outlet.mention(self.event(News::Doing(doing)));
    }
}

/// What pixels are rendered with.
struct Hands {
    /// The program.
    program: Option<PathBuf>,
    /// Held by who renders: one at a time, also while one that was given up comes to its end.
    one: Arc<Mutex<()>>,
}

impl Hands {
    /// Does it once nobody else does such a thing, if it is still wanted then.
    fn alone<T>(
        &self,
        cancel: &Cancel,
        work: impl FnOnce(Option<&PathBuf>) -> Result<T, String>,
    ) -> Result<T, String> {
        // Who panicked while he had it leaves nothing behind.
        let _held = self.one.lock().unwrap_or_else(PoisonError::into_inner);
        if cancel.is_set() {
            return Err("Cancelled".to_owned());
        }
        work(self.program.as_ref())
    }
}

/// Sets a wish to stop when nobody waits any more.
struct Guard(Arc<Cancel>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set();
    }
}

async fn verified(
    farm: &Farm,
    hands: Hands,
    ask: VerifyAsk,
    teller: &Teller,
) -> Result<(), String> {
    teller.tell(News::Doing(Doing::Fetching)).await;
    let receipt = receipt(farm, &ask).await?;
    teller.tell(News::Doing(Doing::Checking)).await;
    let key = farm.scheduler();
    let checking = tokio::task::spawn_blocking(move || (check(&receipt, key), receipt));
    let (checked, receipt) = checking.await.map_err(|_cut_off| "It was cut off".to_owned())?;
    let checked = match checked {
        Ok(checked) => Arc::new(checked),
        Err(fault) => {
            teller.found(verify::of_fault(&fault)).await;
            return Ok(());
        }
    };
    let of = (ask.job, ask.shot);
    teller.found(verify::of_receipt(&checked, receipt.shot, of, (ask.me, key))).await;

    let package = match at_hand(&ask, &checked, &receipt) {
        Ok(package) => package,
        Err(why) => {
            let none = "It is held against the same pixels, and none are rendered again";
            let screen = Line::new(Part::Screen, Standing::Unchecked, none);
            let pixels = Line::new(Part::Pixels, Standing::Unchecked, why);
            teller.found(vec![screen, pixels]).await;
            return Ok(());
        }
    };
    let cancel = Arc::new(Cancel::default());
    let _guard = Guard(Arc::clone(&cancel));
    let (shown, theirs, pixels) = (ask.shown, teller.clone(), ask.pixels);
    let again = Arc::clone(&checked);
    let rendering = tokio::task::spawn_blocking(move || {
        hands.alone(&cancel, |program| {
            render(program, &receipt, again, &package, pixels, &cancel, &theirs)
        })
    });
    let drawn = rendering.await.map_err(|_cut_off| "It was cut off".to_owned())??;
    // What one sees is here, whatever becomes of the films.
    let screen = match &shown {
        Some(shown) => on_screen(&drawn, &checked, shown)?,
        None => verify::of_unseen(),
    };

    let compared = drawn.against_films(farm, |done, of| {
        teller.mention(Doing::Comparing { done, of });
    });
    let what = "the films that the nodes signed";
    let (pixels, ended) = match compared.await {
        Ok(compared) => (Some(verify::of_pixels(Part::Pixels, &compared, what)), Ok(())),
        Err(trouble) => match verify::of_trouble(&trouble) {
            Some(fault) => (Some(fault), Ok(())),
            None => (None, Err(capital(&chain(&trouble)))),
        },
    };
    teller.found(pixels.into_iter().chain([screen]).collect()).await;
    ended
}

/// The receipt; units that are just being paid are waited for a little.
async fn receipt(farm: &Farm, ask: &VerifyAsk) -> Result<Receipt, String> {
    let mut tries = TRIES;
    loop {
        let error = match farm.receipt(ask.job, ask.shot).await {
            Ok(receipt) => return Ok(receipt),
            Err(error) => error,
        };
        let is_busy = error.refusal().is_some_and(|refused| refused.code == RefusedCode::Busy);
        tries -= 1;
        if !is_busy || tries == 0 {
            return Err(sentence(&error));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The scene, where its pixels can be rendered here.
fn at_hand(ask: &VerifyAsk, checked: &Checked, receipt: &Receipt) -> Result<Arc<Package>, String> {
    of_this_engine(receipt.engine).map_err(|error| capital(&error.to_string()))?;
    let package = ask.package.clone().filter(|package| package.id() == checked.spec.scene);
    package.ok_or_else(|| {
        "The scene is not at hand. Open the file that was rendered, with the image of light that it \
         had, and verify again"
            .to_owned()
    })
}

/// Renders random pixels of the receipt's films, on the CPU: its bits are those that all agree on.
fn render(
    program: Option<&PathBuf>,
    receipt: &Receipt,
    checked: Arc<Checked>,
    package: &Package,
    count: u32,
    cancel: &Cancel,
    teller: &Teller,
) -> Result<Drawn, String> {
    let words = |error: &dyn std::error::Error| capital(&chain(error));
    let shot = checked.spec.shot_settings(receipt.shot);
    let (settings, time_s) = shot.ok_or("A frame that the job does not have")?;
    let frame = Frame { scene: checked.spec.scene, settings, time_s };
    let mut drawn = Drawn::draw(receipt, checked, count).map_err(|error| words(&error))?;
    let mut worker = worker::start(program, BackendChoice::Cpu, "pixels")?;
    let wanted = drawn.wanted();
    for (done, (unit, spots)) in wanted.iter().enumerate() {
        teller.mention(Doing::Rendering { done, of: wanted.len() });
        let mut all = Sums::zeroed(spots.places.len(), frame.settings.passes);
        for (first, piece) in pieces(spots) {
            if cancel.is_set() {
                return Err("Cancelled".to_owned());
            }
            let sums = sums_of(&mut worker, &frame, &piece, package, cancel)?;
            if sums.len() != piece.places.len() {
                return Err("The worker rendered other pixels than it was asked for".to_owned());
            }
            (0..sums.len()).for_each(|at| all.put(first + at, &sums, at));
        }
        drawn.rendered(*unit, all).map_err(|error| words(&error))?;
    }
    Ok(drawn)
}

/// Pixels of a unit, some at a time, each with the place of its first among all.
fn pieces(spots: &Spots) -> impl Iterator<Item = (usize, Spots)> {
    let places = spots.places.chunks(PLACES_AT_ONCE).enumerate();
    places.map(|(number, places)| {
        (number * PLACES_AT_ONCE, Spots { batch: spots.batch, places: places.to_vec() })
    })
}

/// The sums of a few pixels; the scene goes with them where the worker has it not.
fn sums_of(
    worker: &mut Worker,
    frame: &Frame,
    spots: &Spots,
    package: &Package,
    cancel: &Cancel,
) -> Result<Sums, String> {
    let spots = std::slice::from_ref(spots);
    let words = |error: &dyn std::error::Error| capital(&chain(error));
    let mut sums = worker.spots(frame, spots, None, cancel).map_err(|error| words(&error))?;
    if sums.is_none() {
        sums = worker
            .spots(frame, spots, Some(package.bytes()), cancel)
            .map_err(|error| words(&error))?;
    }
    let sums = sums.and_then(|sums| sums.into_iter().next());
    sums.ok_or_else(|| "The worker did not take the scene".to_owned())
}

/// Holds the pixels against what the window shows: rounded as that is.
fn on_screen(drawn: &Drawn, checked: &Checked, shown: &Picture) -> Result<Line, String> {
    let window = checked.spec.settings.window();
    let means = drawn.means().map_err(|error| capital(&chain(&error)))?;
    let differs = |((x, y), rgb): &((u32, u32), [f32; 3])| {
        shown.texel(x - window.x0, y - window.y0) != Some(texel(*rgb))
    };
    let differing = means.iter().filter(|mean| differs(mean)).map(|(place, _)| *place).collect();
    let compared = client::verify::Compared { count: means.len(), differing };
    Ok(verify::of_pixels(Part::Screen, &compared, "the picture in this window"))
}

#[cfg(test)]
mod tests {
    use protocol::Batch;

    use super::*;

    #[test]
    fn pixels_are_asked_for_a_few_at_a_time_and_none_is_left_out() {
        let places: Vec<(u32, u32)> = (0..150).map(|at| (at, 7)).collect();
        let batch = Batch::new(0, 4).expect("aligned");
        let spots = Spots { batch, places: places.clone() };
        let all: Vec<(usize, Spots)> = pieces(&spots).collect();
        assert_eq!(all.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [0, 64, 128]);
        assert!(all.iter().all(|(_, piece)| piece.batch == batch && piece.places.len() <= 64));
        let joined: Vec<_> = all.into_iter().flat_map(|(_, piece)| piece.places).collect();
        assert_eq!(joined, places);
    }

    #[test]
    fn who_gave_up_while_another_rendered_renders_nothing() {
        let one = Arc::new(Mutex::new(()));
        let hands = Hands { program: None, one: Arc::clone(&one) };
        let cancel = Cancel::default();
        assert_eq!(hands.alone(&cancel, |_program| Ok(7)), Ok(7));
        let held = one.lock().expect("free");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| hands.alone(&cancel, |_program| Ok(7)));
            cancel.set();
            drop(held);
            assert_eq!(waiting.join().expect("no panic"), Err("Cancelled".to_owned()));
        });
    }
}
