//! A finished frame, checked without believing the farm: what is checked, and what came of it.

use client::verify::{Checked, Compared, Outline, ReceiptError, VerifyError};
use protocol::{JobId, PublicKey, ShotIndex};

use crate::words;

/// Random pixels that are rendered again when nobody says how many.
pub const PIXELS: u32 = 64;

/// What pixels that are others than here say of a node.
const TOLERANT: &str = "honest nodes of class tolerant may differ a little, others may not";

/// What was verified last, or is being verified.
#[derive(Debug, Clone, Default)]
pub struct Verify {
    /// Counts what was asked for: news of an older question is none.
    pub serial: u64,
    /// What came of it.
    pub last: Option<Verification>,
}

/// A frame that is being verified, or was.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// The job.
    pub job: JobId,
    /// The frame.
    pub shot: ShotIndex,
    /// What is under way; nothing once it has ended.
    pub doing: Option<Doing>,
    /// What was checked so far, in order.
    pub lines: Vec<Line>,
    /// Why it ended before its end.
    pub cut_short: Option<String>,
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// The farm is asked for the receipt.
    Fetching,
    /// Its signatures and paths are checked.
    Checking,
    /// Pixels are rendered again.
    Rendering {
        /// Films whose pixels are done.
        done: usize,
        /// Of so many.
        of: usize,
    },
    /// They are held against what the nodes have signed.
    Comparing {
        /// Films that were looked into.
        done: usize,
        /// Of so many.
        of: usize,
    },
}

/// What there is to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The artist's order and the farm's quote.
    Order,
    /// The nodes' films and the farm's verdicts on them.
    Films,
    /// Whether they are all of the picture.
    Whole,
    /// What was paid, and that it is in the ledger.
    Payments,
    /// Whether others have seen the same ledger.
    Ledger,
    /// Random pixels against the films.
    Pixels,
    /// The same against what the window shows.
    Screen,
}

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is so.
    Holds,
    /// It is not so.
    Fails,
    /// It is not quite so, which may be as it should be or not.
    Differs,
    /// Nobody knows.
    Unchecked,
}

/// What became of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub part: Part,
    /// How it stands.
    pub standing: Standing,
    /// In a sentence.
    pub words: String,
}

/// News of a verification.
#[derive(Debug, Clone)]
pub struct Event {
    /// Of which question.
    pub serial: u64,
    /// What.
    pub news: News,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum News {
    /// Something else is under way.
    Doing(Doing),
    /// A part is done.
    Found(Line),
    /// All is done that could be; or why it was cut short.
    Ended(Result<(), String>),
}

impl Part {
    /// Its words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Order => "Order and quote",
            Self::Films => "Films",
            Self::Whole => "All of the picture",
            Self::Payments => "Payments",
            Self::Ledger => "One ledger for all",
            Self::Pixels => "Pixels",
            Self::Screen => "What you see",
        }
    }
}

impl Standing {
    /// Its words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Holds => "Holds",
            Self::Fails => "Does not hold",
            Self::Differs => "Differs",
            Self::Unchecked => "Not checked",
        }
    }
}

impl Line {
    /// A part with how it stands.
    #[must_use]
    pub fn new(part: Part, standing: Standing, words: impl Into<String>) -> Self {
        Self { part, standing, words: words.into() }
    }
}

impl Verification {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new(job: JobId, shot: ShotIndex) -> Self {
        Self { job, shot, doing: Some(Doing::Fetching), lines: Vec::new(), cut_short: None }
    }

    /// How all of it stands: nothing holds of which a part does not.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let any = |standing| self.lines.iter().any(|line| line.standing == standing);
        let is_cut = self.doing.is_some() || self.cut_short.is_some() || self.lines.is_empty();
        match () {
            () if any(Standing::Fails) => Standing::Fails,
            () if any(Standing::Differs) => Standing::Differs,
            () if is_cut || any(Standing::Unchecked) => Standing::Unchecked,
            () => Standing::Holds,
        }
    }

    /// What came of it, in a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let count = |standing| self.lines.iter().filter(|line| line.standing == standing).count();
        let (held, open) = (count(Standing::Holds), count(Standing::Unchecked));
        match (self.standing(), &self.cut_short) {
            (Standing::Fails, _) => "This frame does not hold".to_owned(),
            (_, Some(why)) => why.clone(),
            (Standing::Differs, _) => {
                format!("Pixels differ; {TOLERANT}")
            }
            (Standing::Holds, _) => "This frame holds, in every part".to_owned(),
            (Standing::Unchecked, _) => {
                let open = words::plural(open as u64, "part is", "parts are");
                format!("{held} of {} parts hold; {open} not checked", self.lines.len())
            }
        }
    }

    /// Takes news in.
    pub fn apply(&mut self, news: News) {
        match news {
            News::Doing(doing) => self.doing = Some(doing),
            News::Found(line) => self.lines.push(line),
            News::Ended(ended) => {
                self.doing = None;
                self.cut_short = ended.err();
            }
        }
    }
}

/// What a receipt that holds says, part by part.
///
/// `of` is the job and frame that it was asked for, `me` who has ordered it, `farm` the farm's key.
#[must_use]
pub fn of_receipt(
    checked: &Checked,
    shot: ShotIndex,
    of: (JobId, ShotIndex),
    (me, farm): (PublicKey, PublicKey),
) -> Vec<Line> {
    let line = |part, standing, words: &str| Line::new(part, standing, words);
    let Outline { films, nodes, pixels_checked, paid } = Outline::of(checked);
    let order = match (checked.job, shot) == of && checked.artist == me {
        true => line(
            Part::Order,
            Standing::Holds,
            "Your order and the farm's quote are signed and speak of this job",
        ),
        false => line(
            Part::Order,
            Standing::Fails,
            "The receipt is sound, and of another order or frame than yours",
        ),
    };
    let has_films = if films > 0 { Standing::Holds } else { Standing::Unchecked };
    let films = format!(
        "{} by {}, signed by their nodes and accepted by the farm, which rendered {} of them again",
        words::plural(films as u64, "film", "films"),
        words::plural(nodes as u64, "node", "nodes"),
        words::plural(pixels_checked, "pixel", "pixels"),
    );
    let whole = match (checked.complete, checked.spec.noise) {
        (true, None) => line(Part::Whole, Standing::Holds, "Every tile has all its samples"),
        (true, Some(_noise)) => line(
            Part::Whole,
            Standing::Unchecked,
            "Every tile has samples up to where noise may end it; whether it was quiet enough is \
             not checked here",
        ),
        (false, _) => line(
            Part::Whole,
            Standing::Unchecked,
            "Some films are missing: the picture has fewer samples than were ordered",
        ),
    };
    let payments = match paid.is_zero() {
        true => "Nothing was paid".to_owned(),
        false => format!(
            "{}, each payment in the ledger's first {} by its Merkle path",
            words::tokens(paid),
            words::plural(checked.checkpoint.size, "entry", "entries"),
        ),
    };
    // Keys are for nothing, and anybody can make one: only who knows whose they are is told more.
    let others = checked.witnesses.iter().filter(|it| it.witness != me && it.witness != farm);
    let ledger = match others.count() as u64 {
        0 => {
            "Nobody else has signed it: that it has one history is the farm's word alone".to_owned()
        }
        1 => "1 other key has signed it; whose it is, nobody here knows".to_owned(),
        count => format!("{count} other keys have signed it; whose they are, nobody here knows"),
    };
    vec![
        order,
        line(Part::Films, has_films, &films),
        whole,
        line(Part::Payments, Standing::Holds, &payments),
        line(Part::Ledger, Standing::Unchecked, &ledger),
    ]
}

/// What a receipt that does not hold says: the part that is at fault, and that nothing else is known.
#[must_use]
pub fn of_fault(fault: &ReceiptError) -> Vec<Line> {
    let part = match fault {
        ReceiptError::Signature { what: "quote" | "order", .. } => Part::Order,
        ReceiptError::Differs("film") => Part::Films,
        ReceiptError::Differs(_) => Part::Order,
        ReceiptError::Payment(_) | ReceiptError::Entry { .. } | ReceiptError::Sum { .. } => {
            Part::Payments
        }
        _film => Part::Films,
    };
    let words = words::capital(&crate::desk::chain(fault));
    let rest = "The receipt is at fault elsewhere";
    [Part::Order, Part::Films, Part::Payments]
        .into_iter()
        .map(|it| match it == part {
            true => Line::new(it, Standing::Fails, words.clone()),
            false => Line::new(it, Standing::Unchecked, rest),
        })
        .collect()
}

/// What became of holding pixels against something.
#[must_use]
pub fn of_pixels(part: Part, compared: &Compared, what: &str) -> Line {
    if compared.count == 0 {
        return Line::new(part, Standing::Unchecked, "There are no pixels to render again");
    }
    let all = words::plural(compared.count as u64, "random pixel", "random pixels");
    let Some((x, y)) = compared.differing.first() else {
        let how = if part == Part::Screen { "rounded as it keeps them" } else { "to the bit" };
        let words = format!("{all}, rendered here, are those of {what}, {how}");
        return Line::new(part, Standing::Holds, words);
    };
    let words = format!(
        "{} of {all}, rendered here, are others in {what}, the first at {x}, {y}; {TOLERANT}",
        compared.differing.len(),
    );
    Line::new(part, Standing::Differs, words)
}

/// What the window cannot be held against yet, though it shows the frame.
#[must_use]
pub fn of_unseen() -> Line {
    let words = "Not all of the picture has come to this window yet";
    Line::new(Part::Screen, Standing::Unchecked, words)
}

/// What it says of the pixels that none could be held against a film; nothing where that is not the
/// film's fault.
#[must_use]
pub fn of_trouble(trouble: &VerifyError) -> Option<Line> {
    let words = words::capital(&crate::desk::chain(trouble));
    trouble.is_altered().then(|| Line::new(Part::Pixels, Standing::Fails, words))
}

#[cfg(test)]
mod tests {
    use client::verify::Cosignature;
    use film::opening::OpeningError;
    use protocol::Digest;

    use super::*;

    const JOB: JobId = JobId([1; 16]);
    const ME: PublicKey = PublicKey([3; 32]);
    const FARM: PublicKey = PublicKey([6; 32]);

    fn checked() -> Checked {
        let spec = protocol::JobSpec {
            name: "a".to_owned(),
            scene: protocol::SceneId([9; 32]),
            settings: protocol::RenderSettings::default(),
            more_cameras: Vec::new(),
            frames: protocol::FrameRange::STILL,
            tile_side_px: 64,
            base: None,
            noise: None,
            needs: protocol::Needs::default(),
        };
        let unit = client::verify::CheckedUnit {
            unit: protocol::Unit {
                job: JOB,
                shot: ShotIndex(0),
                tile: protocol::TileIndex(0),
                batch: protocol::Batch::new(0, 1).expect("aligned"),
            },
            node: protocol::NodeId([4; 32]),
            root: Digest([0; 32]),
            rays: protocol::RayCount::default(),
            pixels_checked: 136,
            pay: protocol::Tokens::from_micro(1_500_000),
        };
        let checkpoint =
            client::verify::Checkpoint { origin: "it".to_owned(), size: 40, root: [0; 32] };
        Checked {
            job: JOB,
            spec,
            artist: ME,
            units: vec![unit],
            complete: true,
            checkpoint,
            witnesses: Vec::new(),
        }
    }

    fn standing_of(lines: &[Line], part: Part) -> Standing {
        lines.iter().find(|line| line.part == part).expect("it is there").standing
    }

    #[test]
    fn a_receipt_is_told_part_by_part() {
        let of = (JOB, ShotIndex(0));
        let lines = of_receipt(&checked(), ShotIndex(0), of, (ME, FARM));
        assert_eq!(standing_of(&lines, Part::Order), Standing::Holds);
        assert_eq!(standing_of(&lines, Part::Whole), Standing::Holds);
        assert_eq!(standing_of(&lines, Part::Ledger), Standing::Unchecked);
        assert!(lines[1].words.starts_with("1 film by 1 node"), "{}", lines[1].words);
        assert!(lines[1].words.contains("136 pixels"), "{}", lines[1].words);
        assert!(lines[3].words.starts_with("1.50 TES"), "{}", lines[3].words);
        // What is missing, and what is somebody else's, is not passed over.
        let part = Checked { complete: false, ..checked() };
        let lines = of_receipt(&part, ShotIndex(0), of, (ME, FARM));
        assert_eq!(standing_of(&lines, Part::Whole), Standing::Unchecked);
        // Nor is what only a measurement of noise would tell.
        let mut noisy = checked();
        noisy.spec.noise = Some(protocol::NoiseTarget::try_new(0.02, 32).expect("sound"));
        let lines = of_receipt(&noisy, ShotIndex(0), of, (ME, FARM));
        assert_eq!(standing_of(&lines, Part::Whole), Standing::Unchecked);
        assert!(lines[2].words.contains("is not checked here"), "{}", lines[2].words);
        // What there is nothing of does not hold.
        let none = Checked { units: Vec::new(), ..checked() };
        let lines = of_receipt(&none, ShotIndex(0), of, (ME, FARM));
        assert_eq!(standing_of(&lines, Part::Films), Standing::Unchecked);
        assert_eq!(lines[3].words, "Nothing was paid");
        for (shot, me) in [(ShotIndex(1), ME), (ShotIndex(0), PublicKey([5; 32]))] {
            let lines = of_receipt(&checked(), shot, of, (me, FARM));
            assert_eq!(standing_of(&lines, Part::Order), Standing::Fails);
        }
    }

    #[test]
    fn a_key_that_anybody_can_make_is_no_witness_that_counts() {
        let told = |keys: &[PublicKey]| {
            let witness = |key: &PublicKey| Cosignature { witness: *key, time_s: 5 };
            let signed = Checked { witnesses: keys.iter().map(witness).collect(), ..checked() };
            let lines = of_receipt(&signed, ShotIndex(0), (JOB, ShotIndex(0)), (ME, FARM));
            assert_eq!(standing_of(&lines, Part::Ledger), Standing::Unchecked, "{keys:?}");
            lines[4].words.clone()
        };
        // The artist's own word and the farm's are those of nobody else.
        for none in [Vec::new(), vec![ME], vec![FARM, ME]] {
            assert!(told(&none).starts_with("Nobody else has signed it"), "{none:?}");
        }
        let (one, other) = (PublicKey([7; 32]), PublicKey([8; 32]));
        assert!(told(&[ME, one]).starts_with("1 other key has signed it"));
        let words = "2 other keys have signed it; whose they are, nobody here knows";
        assert_eq!(told(&[one, FARM, other]), words);
    }

    #[test]
    fn an_altered_film_is_at_fault_and_one_that_did_not_come_is_not() {
        let root = Digest([7; 32]);
        for altered in [OpeningError::Root { root }, OpeningError::Trailing(3)] {
            let line = of_trouble(&VerifyError::from(altered)).expect("it is told");
            assert_eq!((line.part, line.standing), (Part::Pixels, Standing::Fails));
            assert!(line.words.contains("altered"), "{}", line.words);
        }
        assert_eq!(of_trouble(&VerifyError::Pixel), None);
    }

    #[test]
    fn what_has_not_come_to_the_window_is_not_left_out() {
        let mut all = Verification::new(JOB, ShotIndex(0));
        let good = Compared { count: 64, differing: Vec::new() };
        all.apply(News::Found(of_pixels(Part::Pixels, &good, "the films")));
        all.apply(News::Found(of_unseen()));
        all.apply(News::Ended(Ok(())));
        assert_eq!(all.standing(), Standing::Unchecked);
        assert_eq!(all.words(), "1 of 2 parts hold; 1 part is not checked");
        let none = of_pixels(Part::Pixels, &Compared::default(), "the films");
        assert_eq!(none.standing, Standing::Unchecked, "no pixel says nothing");
    }

    #[test]
    fn a_fault_is_told_where_it_is() {
        let unit = checked().units[0].unit;
        let (said, paid) = (protocol::Tokens::ZERO, protocol::Tokens::from_micro(1));
        let lines = of_fault(&ReceiptError::Sum { unit, said, paid });
        assert_eq!(standing_of(&lines, Part::Payments), Standing::Fails);
        assert_eq!(standing_of(&lines, Part::Order), Standing::Unchecked);
        let lines = of_fault(&ReceiptError::NotAccepted(unit));
        assert_eq!(standing_of(&lines, Part::Films), Standing::Fails);
        let lines = of_fault(&ReceiptError::Differs("order"));
        assert_eq!(standing_of(&lines, Part::Order), Standing::Fails);
    }

    #[test]
    fn nothing_holds_of_which_a_part_does_not() {
        let mut all = Verification::new(JOB, ShotIndex(0));
        assert_eq!(all.standing(), Standing::Unchecked, "nothing is known yet");
        let good = Compared { count: 64, differing: Vec::new() };
        all.apply(News::Found(of_pixels(Part::Pixels, &good, "the films")));
        assert_eq!(all.standing(), Standing::Unchecked, "it is not at its end");
        let mut cut = all.clone();
        cut.apply(News::Ended(Err("Cancelled".to_owned())));
        assert_eq!((cut.standing(), cut.words().as_str()), (Standing::Unchecked, "Cancelled"));
        all.apply(News::Ended(Ok(())));
        assert_eq!(all.standing(), Standing::Holds);
        let bad = Compared { count: 64, differing: vec![(3, 7)] };
        all.apply(News::Found(of_pixels(Part::Screen, &bad, "the picture")));
        assert_eq!(all.standing(), Standing::Differs, "an honest node may have made them");
        assert!(all.words().starts_with("Pixels differ; honest nodes of class tolerant"));
        let mut worse = all.clone();
        worse.apply(News::Found(Line::new(Part::Films, Standing::Fails, "forged")));
        assert_eq!(worse.standing(), Standing::Fails);
        assert!(all.lines[1].words.contains("the first at 3, 7"), "{}", all.lines[1].words);
    }
}
