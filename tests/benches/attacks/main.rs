//! Attacks on a farm: each a farm of its own with two honest nodes and one or more that defraud it,
//! all real processes. Prints what became of it, and fails where an attack paid, an honest node was
//! refused, or the picture is not, to the bit, that of one machine alone.
//!
//!     cargo xtask attacks [--times N] [NAME…]
//!
//! Held pay counts as kept: what a conviction takes, it has taken by then. Each attack is tried N times,
//! once unless said.

mod gain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use farm_tests::{Farm, PATIENCE, Process, read_picture};
use serde_json::Value;

use crate::gain::Gain;

/// 48 tiles of 64 × 64 pixels, of which 136 are rendered again.
const PICTURE: [&str; 4] = ["--size", "512x384", "--spp", "16"];
const TILES: [&str; 2] = ["--tile", "64"];

/// Silence is noticed within a run's patience; everything else is as it comes. Not for who says
/// that he works: a node says so every few seconds only.
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

/// Honest nodes of each farm.
const HONEST: usize = 2;

/// What a claimed speed may be of one that was shown: honest nodes share two cores with others.
const FASTER: u64 = 20;

struct Attack {
    name: &'static str,
    /// The scheduler's settings.
    settings: &'static str,
    /// Tiles of the finished picture that the artist disputes.
    disputes: usize,
    /// The `--cheat` of each node that takes part.
    cheats: &'static [&'static str],
}

const fn attack(name: &'static str, cheats: &'static [&'static str]) -> Attack {
    Attack { name, settings: IMPATIENT, disputes: 0, cheats }
}

const fn verifiers(name: &'static str, cheats: &'static [&'static str]) -> Attack {
    Attack { settings: ENTRUSTING, ..attack(name, cheats) }
}

const ATTACKS: [Attack; 21] = [
    attack("none", &[]),
    attack("quarter of the samples", &["quarter"]),
    attack("the same, blurred", &["quarter-blurred"]),
    attack("half the size, enlarged", &["half-size"]),
    attack("one film again and again", &["replay"]),
    attack("black", &["black"]),
    attack("one pixel in 20 left out", &["few-pixels"]),
    attack("samples of another seed", &["other-seed"]),
    attack("samples of another range", &["other-samples"]),
    attack("twice the rays claimed", &["more-rays"]),
    attack("fifty times the speed claimed", &["boaster"]),
    attack("good at first, then a quarter", &["late"]),
    attack("two that leave out the same", &["few-pixels", "few-pixels"]),
    Attack { settings: "", ..attack("leases kept, said to be in work", &["hostage"]) },
    attack(
        "a swarm of six quarters",
        &["quarter", "quarter", "quarter", "quarter", "quarter", "quarter"],
    ),
    attack("two that copy each other's films", &["copier", "copier"]),
    Attack { disputes: 6, ..attack("good work disputed", &[]) },
    verifiers("none, with verifiers", &[]),
    verifiers("a verifier that is lazy", &["lazy-verifier"]),
    verifiers("a verifier that lies", &["lying-verifier"]),
    verifiers("two that vouch for each other", &["friends", "friends"]),
];

/// What became of an attack, or of several that are alike.
#[derive(Default)]
struct Outcome {
    /// Units accepted of all cheats, those of convicts included.
    accepted: u64,
    refused: u64,
    barred: usize,
    /// Micro-tokens that the cheats have at the end.
    kept: u128,
    /// Films that were copied and not rendered.
    copied: u64,
    /// Films of others that the cheats have looked at, and were right.
    verified: u64,
    /// Disputes that cost the artist nothing, or speed that was claimed and not seen through.
    unseen: u64,
    honest_accepted: u64,
    honest_kept: u128,
    honest_refused: u64,
    /// Pictures that differ.
    wrong: u64,
    wall_s: f64,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the attacks that are named, or all; whether none succeeded.
fn run() -> Result<bool> {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (mut times, mut wanted) = (1_u32, Vec::new());
    while let Some(word) = words.next() {
        if word == "--times" {
            let number = words.next().unwrap_or_default();
            times = number
                .parse()
                .ok()
                .filter(|&times| times > 0)
                .with_context(|| format!("--times is {number:?}; give a number from 1"))?;
        } else {
            wanted.push(word);
        }
    }
    let is_meant = |attack: &Attack, word: &String| {
        attack.name.contains(word.as_str()) || attack.cheats.contains(&word.as_str())
    };
    if let Some(word) = wanted.iter().find(|word| !ATTACKS.iter().any(|one| is_meant(one, word))) {
        let names = ATTACKS.map(|attack| attack.name).join("; ");
        bail!("no attack is called {word:?}; there are: {names}");
    }
    // Whatever must be built is built before a clock runs.
    farm_tests::tessera();
    println!(
        "{:<32}{:>8}{:>9}{:>8}{:>9}{:>12}{:>10}{:>13}{:>13}{:>8}{:>7}{:>8}",
        "attack",
        "barred",
        "accepted",
        "refused",
        "verified",
        "tokens kept",
        "gain",
        "at most, 95%",
        "honest node",
        "harmed",
        "wrong",
        "wall s"
    );
    let mut all_held = true;
    for attack in &ATTACKS {
        if wanted.is_empty() || wanted.iter().any(|word| is_meant(attack, word)) {
            all_held &= tried(attack, times)?;
        }
    }
    Ok(all_held)
}

/// Tries an attack so many times and prints what became of it; whether it never succeeded.
fn tried(attack: &Attack, times: u32) -> Result<bool> {
    let (mut sum, mut gains, mut held) = (Outcome::default(), Vec::new(), true);
    for _ in 0..times {
        let one = outcome(attack).with_context(|| format!("attack: {}", attack.name))?;
        held &= one.gains_nothing(attack)
            && one.unseen == 0
            && one.honest_refused == 0
            && one.wrong == 0;
        gains.push(Gain {
            gained: one.kept as f64 + one.saved(attack),
            most: (one.kept + one.honest_kept) as f64,
        });
        sum.add(&one);
    }
    let tokens = |micro: f64| format!("{:.6}", micro / 1e6);
    let of_cheats = |text: String| if attack.cheats.is_empty() { String::new() } else { text };
    println!(
        "{:<32}{:>8}{:>9}{:>8}{:>9}{:>12}{:>10}{:>13}{:>13}{:>8}{:>7}{:>8.1}{}",
        attack.name,
        format!("{}/{}", sum.barred, attack.cheats.len() * times as usize),
        sum.accepted,
        sum.refused,
        sum.verified,
        tokens(sum.kept as f64),
        of_cheats(tokens(gain::mean(&gains))),
        of_cheats(gain::at_most(&gains).map_or_else(String::new, tokens)),
        tokens(sum.honest_kept as f64 / f64::from(times) / HONEST as f64),
        sum.honest_refused,
        sum.wrong,
        sum.wall_s,
        if held { "" } else { "   <- the attack paid" },
    );
    if attack.cheats.contains(&"copier") {
        println!("{:<32}{} of {} films copied", "", sum.copied, sum.accepted);
    }
    Ok(held)
}

fn outcome(attack: &Attack) -> Result<Outcome> {
    let scene = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/spheres.glb");
    let mut farm = Farm::start(attack.settings)?;
    let honest: Vec<String> = (1..=HONEST).map(|number| format!("honest {number}")).collect();
    let cheats: Vec<String> =
        (1..=attack.cheats.len()).map(|number| format!("cheat {number}")).collect();
    let mut nodes: Vec<Process> = Vec::new();
    for (name, cheat) in cheats.iter().zip(attack.cheats) {
        nodes.push(farm.start_node(name, &["--cheat", cheat])?);
    }
    for name in &honest {
        nodes.push(farm.start_node(name, &[])?);
    }
    farm.wait_for_nodes(nodes.len())?;

    let start = Instant::now();
    let job = farm.submit(&scene, &[&PICTURE[..], &TILES[..]].concat(), "farm.exr")?;
    let finished = job.wait(PATIENCE)?;
    ensure!(finished.code == Some(0), "the job failed:\n{finished}");
    let wall_s = start.elapsed().as_secs_f64();
    let wrong = u64::from(!is_right(&farm, &scene)?);
    let count = |view: &Value, what: &str| view[what].as_u64().context("no count");
    let mut outcome = Outcome { wrong, wall_s, ..Outcome::default() };
    for name in &cheats {
        let view = farm.node(name)?;
        outcome.accepted += count(&view, "accepted")?;
        outcome.refused += count(&view, "refused")?;
        outcome.verified += count(&view, "verified")?;
        outcome.barred += usize::from(view["barred"] == true);
        outcome.kept += tokens(&view)?;
        if attack.cheats.contains(&"boaster") {
            let claimed = count(&view, "claimed_rays_per_second")?;
            let is_seen = claimed > FASTER * count(&view, "shown_rays_per_second")?;
            outcome.unseen += u64::from(!is_seen);
        }
    }
    for name in &honest {
        let view = farm.node(name)?;
        outcome.honest_accepted += count(&view, "accepted")?;
        outcome.honest_refused += count(&view, "refused")? + u64::from(view["barred"] == true);
        outcome.honest_kept += tokens(&view)?;
    }
    outcome.copied = copied(&farm)?;
    if attack.disputes > 0 {
        let cost = disputed(&farm, &job_id(&farm)?, attack.disputes)?;
        outcome.unseen += u64::from(!cost);
        for name in &honest {
            let view = farm.node(name)?;
            outcome.honest_refused += count(&view, "refused")?;
        }
    }
    drop(nodes);
    farm.check_ledger()?;
    Ok(outcome)
}

impl Outcome {
    /// Adds another outcome of the same attack.
    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.barred += other.barred;
        self.kept += other.kept;
        self.copied += other.copied;
        self.verified += other.verified;
        self.unseen += other.unseen;
        self.honest_accepted += other.honest_accepted;
        self.honest_kept += other.honest_kept;
        self.honest_refused += other.honest_refused;
        self.wrong += other.wrong;
        self.wall_s += other.wall_s;
    }

    /// What the farm pays an honest node for a unit, on average, micro-tokens.
    fn honest_pay(&self) -> f64 {
        self.honest_kept as f64 / self.honest_accepted.max(1) as f64
    }

    /// What the films would have been paid that the cheats handed in, or parts of films, and did not
    /// render: micro-tokens.
    fn saved(&self, attack: &Attack) -> f64 {
        let share = attack.cheats.first().map_or(0.0, |cheat| match *cheat {
            "quarter" | "quarter-blurred" | "half-size" | "late" => 0.75,
            "replay" | "black" => 1.0,
            "few-pixels" | "friends" => 0.05,
            _renders_all => 0.0,
        });
        (self.refused as f64 * share + self.copied as f64) * self.honest_pay()
    }

    /// Whether the cheats have no more than honest work would have brought them: nothing at all but the
    /// wages for what they have verified well; or, where they hand in films that are right, no more a
    /// film than others, for all but the few that twins let them copy.
    fn gains_nothing(&self, attack: &Attack) -> bool {
        let hands_in_right_films =
            attack.cheats.iter().any(|cheat| ["copier", "boaster"].contains(cheat));
        if !hands_in_right_films {
            // A wage is the pay for 136 of a tile's 4 096 pixels.
            return self.kept as f64 * 10.0 <= self.honest_pay() * self.verified as f64;
        }
        // A tile's light decides its rays: no two nodes have quite the same mean.
        let is_no_dearer =
            self.kept as f64 <= self.honest_pay() * 1.5 * self.accepted.max(1) as f64;
        is_no_dearer && self.copied * 5 <= self.accepted
    }
}

/// Films that nodes of one person have copied from each other.
fn copied(farm: &Farm) -> Result<u64> {
    let folder = farm.path("shared-films");
    if !folder.exists() {
        return Ok(0);
    }
    let mut copies = 0;
    for entry in std::fs::read_dir(folder)? {
        copies += u64::from(entry?.path().extension().is_some_and(|it| it == "copy"));
    }
    Ok(copies)
}

fn job_id(farm: &Farm) -> Result<String> {
    let jobs = farm.ask(&["jobs", "list"])?;
    Ok(jobs.first().and_then(|job| job["job"].as_str()).context("no job")?.to_owned())
}

/// Disputes good tiles one after the other; whether each cost the artist something.
fn disputed(farm: &Farm, job: &str, tiles: usize) -> Result<bool> {
    let balance = || -> Result<u128> {
        let wallet = farm.ask(&["wallet", "balance"])?;
        let text = wallet.first().and_then(|it| it["balance"].as_str()).context("no balance")?;
        Ok(text.parse::<protocol::Tokens>()?.micro())
    };
    let mut before = balance()?;
    for tile in 0..tiles {
        let tile = tile.to_string();
        farm.ask(&["jobs", "dispute", job, "--tile", &tile, "--max-cost", "1"])?;
        // The price is set aside at once, and stays gone when the tile was rendered again.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let after = balance()?;
        if after >= before {
            return Ok(false);
        }
        before = after;
    }
    Ok(true)
}

/// Whether the farm's picture is, to the bit, that of this machine alone.
fn is_right(farm: &Farm, scene: &Path) -> Result<bool> {
    let ours = farm.render_here(scene, &PICTURE, "here.exr")?;
    let theirs = read_picture(&farm.path("farm.exr"))?;
    Ok(film::compare::bit_equal_share(&ours, &theirs)? >= 1.0)
}

/// Micro-tokens that a node has earned, or is held for.
fn tokens(view: &Value) -> Result<u128> {
    let amount = |what: &str| -> Result<u128> {
        let amount: protocol::Tokens = view[what].as_str().context("no amount")?.parse()?;
        Ok(amount.micro())
    };
    Ok(amount("earned")? + amount("held")?)
}
