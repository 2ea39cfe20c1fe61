//! What is tried: who takes part, on which farm, and what it is claimed to come to.

/// 48 tiles of 64 × 64 pixels, of which 136 are rendered again.
const STILL: Picture = Picture { size: "512x384", frames: None };

/// As many, 12 of each of four frames. Nothing moves: they differ by their noise alone, so that the
/// frame before is as good a picture of a tile as its own.
const SHOT: Picture = Picture { size: "256x192", frames: Some(4) };

/// What the scheduler is set to, each time but once. Silence is noticed within a run's patience;
/// everything else is as it comes. Not for who says that he works: a node says so every few seconds
/// only.
const IMPATIENT: &str = "[policy]\nlease_ms = 3000\ngone_ms = 500\ntwin_wait_ms = 3000\n";

/// The same, and every challenge is for a verifier where there is one; a quarter of what they find is
/// looked at again, so that four times a film's pay must be held.
const ENTRUSTING: &str = "[policy]
lease_ms = 3000
gone_ms = 500
twin_wait_ms = 3000
verifier_line = 0
verifier_units = 4
audit_ppm = 250000
";

/// The same as [`IMPATIENT`], and pay comes free when four more films are accepted.
const GENEROUS: &str = "[policy]
lease_ms = 3000
gone_ms = 500
twin_wait_ms = 3000
hold_units = 4
";

/// The same as [`IMPATIENT`], and nothing is paid but rays: two nodes with the same work have the same
/// pay, whatever their tiles are.
const BY_THE_RAY: &str = "[policy]
lease_ms = 3000
gone_ms = 500
twin_wait_ms = 3000
audit_ppm = 0
[prices]
setup_per_frame = \"0\"
";

/// Units that make a veteran, with whom newcomers are paired (`verifier_units`).
pub(crate) const VETERAN_UNITS: u64 = 8;

/// Good films that `late` begins with.
pub(crate) const FIRST_FILMS: u64 = 8;

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// The `--cheat` of each node that takes part.
    pub(crate) cheats: &'static [&'static str],
    /// The scheduler's settings.
    pub(crate) settings: &'static str,
    pub(crate) picture: Picture,
    /// Tiles of the finished picture that the artist disputes.
    pub(crate) disputes: usize,
    /// Whether the honest nodes are veterans before the others come.
    pub(crate) comes_late: bool,
    pub(crate) claim: Claim,
}

impl Attack {
    /// Whether its nodes hand in nothing that could be refused.
    pub(crate) fn is_idle(&self) -> bool {
        self.cheats.contains(&"hostage")
    }
}

/// What an attack is claimed to come to, beside that it harms nobody.
#[derive(Clone, Copy)]
pub(crate) enum Claim {
    /// Its nodes keep nothing but the wages for what they have verified well.
    Nothing,
    /// They gain no more than the good films that they began with are worth, of which some are paid
    /// for good.
    FirstFilms,
    /// What they hand in is right: no film is refused, a ray is paid as others' are, and hardly any film
    /// is a copy.
    Work,
}

/// What the artist orders.
pub(crate) struct Picture {
    pub(crate) size: &'static str,
    /// Frames from 1 to this one; none of a still.
    pub(crate) frames: Option<u32>,
}

impl Picture {
    /// Options that a render on this machine takes, too.
    pub(crate) const fn options(&self) -> [&'static str; 4] {
        ["--size", self.size, "--spp", "16"]
    }

    /// Those of the job.
    pub(crate) fn of_job(&self) -> Vec<String> {
        let mut all: Vec<String> = self.options().map(ToOwned::to_owned).into();
        all.extend(["--tile", "64"].map(ToOwned::to_owned));
        if let Some(last) = self.frames {
            all.extend(["--frames".to_owned(), format!("1-{last}")]);
        }
        all
    }
}

const fn attack(name: &'static str, cheats: &'static [&'static str]) -> Attack {
    Attack {
        name,
        cheats,
        settings: IMPATIENT,
        picture: STILL,
        disputes: 0,
        comes_late: false,
        claim: Claim::Nothing,
    }
}

/// Nodes whose films are right.
const fn work(name: &'static str, cheats: &'static [&'static str]) -> Attack {
    Attack { settings: BY_THE_RAY, claim: Claim::Work, ..attack(name, cheats) }
}

const fn verifiers(name: &'static str, cheats: &'static [&'static str]) -> Attack {
    Attack { settings: ENTRUSTING, ..attack(name, cheats) }
}

const QUARTERS: [&str; 6] = ["quarter"; 6];
const COPIERS: [&str; 6] = ["copier"; 6];

pub(crate) const ATTACKS: &[Attack] = &[
    attack("none", &[]),
    attack("quarter of the samples", &["quarter"]),
    attack("the same, denoised", &["quarter-denoised"]),
    attack("half the size, enlarged", &["half-size"]),
    attack("one film again and again", &["replay"]),
    Attack { picture: SHOT, ..attack("the frame before again", &["replay-frame"]) },
    attack("black", &["black"]),
    attack("one colour, of the right brightness", &["mean"]),
    attack("one pixel in 20 left out", &["few-pixels"]),
    attack("samples of another seed", &["other-seed"]),
    attack("samples of another range", &["other-samples"]),
    attack("twice the rays claimed", &["more-rays"]),
    attack("good at first, then a quarter", &["late"]),
    Attack {
        settings: GENEROUS,
        claim: Claim::FirstFilms,
        ..attack("the same, its first pay released", &["late"])
    },
    attack("two that leave out the same", &["few-pixels", "few-pixels"]),
    Attack { settings: "", ..attack("leases kept, said to be in work", &["hostage"]) },
    attack("a swarm of six quarters", &QUARTERS),
    Attack { disputes: 6, ..attack("good work disputed", &[]) },
    work("none, paid by the ray", &[]),
    work("fifty times the speed claimed", &["boaster"]),
    work("two that copy each other's films", &["copier", "copier"]),
    work("a swarm of six that copy", &COPIERS),
    Attack { comes_late: true, ..work("the same, among veterans", &COPIERS) },
    verifiers("none, with verifiers", &[]),
    verifiers("a verifier that is lazy", &["lazy-verifier"]),
    verifiers("a verifier that lies", &["lying-verifier"]),
    verifiers("two that vouch for each other", &["friends", "friends"]),
];
