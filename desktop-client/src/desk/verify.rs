//! Finished frames, checked without believing the farm: receipts on a thread, pixels by a process of
//! their own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use client::Farm;
use client::verify::{Checked, Drawn, check, of_this_engine};
use farm_node::{BackendChoice, Frame};
use protocol::message::RefusedCode;
use protocol::{JobId, PublicKey, Receipt, ShotIndex};
use renderer::Cancel;
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
    loop {
        let ask = wanted.borrow_and_update().clone();
        let farm = seat.borrow().clone();
        let working = async {
            if let Some(ask) = ask {
                let teller = Teller { serial: ask.serial, outlet: outlet.clone() };
                let ended = match farm {
                    Some(farm) => verified(&farm, program.clone(), ask, &teller).await,
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

/// Sets a wish to stop when nobody waits any more.
struct Guard(Arc<Cancel>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set();
    }
}

async fn verified(
    farm: &Farm,
    program: Option<PathBuf>,
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
    teller.found(verify::of_receipt(&checked, receipt.shot, of, ask.me)).await;

    let package = match at_hand(&ask, &checked, &receipt) {
        Ok(package) => package,
        Err(why) => {
            let line = Line::new(Part::Pixels, Standing::Unchecked, why);
            teller.found(vec![line]).await;
            return Ok(());
        }
    };
    let cancel = Arc::new(Cancel::default());
    let _guard = Guard(Arc::clone(&cancel));
    let (shown, theirs, pixels) = (ask.shown, teller.clone(), ask.pixels);
    let again = Arc::clone(&checked);
    let rendering = tokio::task::spawn_blocking(move || {
        render(program.as_ref(), &receipt, again, &package, pixels, &cancel, &theirs)
    });
    let drawn = rendering.await.map_err(|_cut_off| "It was cut off".to_owned())??;

    let compared = drawn.against_films(farm, |done, of| {
        teller.mention(Doing::Comparing { done, of });
    });
    let compared = compared.await.map_err(|error| capital(&chain(&error)))?;
    let what = "the films that the nodes signed";
    let mut lines = vec![verify::of_pixels(Part::Pixels, &compared, what)];
    lines.extend(shown.map(|shown| on_screen(&drawn, &checked, &shown)).transpose()?);
    teller.found(lines).await;
    Ok(())
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
        if cancel.is_set() {
            return Err("Cancelled".to_owned());
        }
        teller.mention(Doing::Rendering { done, of: wanted.len() });
        let spots = std::slice::from_ref(spots);
        let mut sums = worker.spots(&frame, spots, None).map_err(|error| words(&error))?;
        if sums.is_none() {
            let package = Some(package.bytes());
            sums = worker.spots(&frame, spots, package).map_err(|error| words(&error))?;
        }
        let sums = sums.and_then(|sums| sums.into_iter().next());
        let sums = sums.ok_or("The worker did not take the scene")?;
        drawn.rendered(*unit, sums).map_err(|error| words(&error))?;
    }
    Ok(drawn)
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
