//! Attacks on a farm: each a farm of its own with two honest nodes and one or more that defraud it,
//! all real processes. Prints what became of it, and fails where an attack paid, an honest node was
//! refused, or the picture is not, to the bit, that of one machine alone.
//!
//!     cargo xtask attacks [NAME…]
//!
//! Held pay counts as kept: what a conviction takes, it has taken by then.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use farm_tests::{Farm, PATIENCE, Process, read_picture};
use serde_json::Value;

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

const ATTACKS: [Attack; 19] = [
    attack("none", &[]),
    attack("quarter of the samples", &["quarter"]),
    attack("the same, blurred", &["quarter-blurred"]),
    attack("half the size, enlarged", &["half-size"]),
    attack("one film again and again", &["replay"]),
    attack("black", &["black"]),
    attack("one pixel in 20 left out", &["few-pixels"]),
    attack("samples of another seed", &["other-seed"]),
    attack("twice the rays claimed", &["more-rays"]),
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

/// What became of an attack.
struct Outcome {
    /// Units accepted of all cheats, those of convicts included.
    accepted: u64,
    refused: u64,
    barred: usize,
    /// Micro-tokens that the cheats have at the end.
    kept: u128,
    /// Films that were copied and not rendered.
    copied: usize,
    /// Films of others that the cheats have looked at, and were right.
    verified: u64,
    /// Whether the artist lost tokens by each dispute, and nobody else anything.
    disputes_cost: bool,
    honest_accepted: u64,
    honest_kept: u128,
    honest_refused: u64,
    right: bool,
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
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
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
        "{:<32}{:>7}{:>9}{:>8}{:>9}{:>12}{:>13}{:>9}{:>9}{:>8}",
        "attack",
        "barred",
        "accepted",
        "refused",
        "verified",
        "tokens kept",
        "honest/unit",
        "harmed",
        "picture",
        "wall s"
    );
    let mut all_held = true;
    for attack in &ATTACKS {
        if !wanted.is_empty() && !wanted.iter().any(|word| is_meant(attack, word)) {
            continue;
        }
        let outcome = outcome(attack).with_context(|| format!("attack: {}", attack.name))?;
        let held = outcome.gains_nothing(attack)
            && outcome.disputes_cost
            && outcome.honest_refused == 0
            && outcome.right;
        all_held &= held;
        println!(
            "{:<32}{:>7}{:>9}{:>8}{:>9}{:>12.6}{:>13.6}{:>9}{:>9}{:>8.1}{}",
            attack.name,
            format!("{}/{}", outcome.barred, attack.cheats.len()),
            outcome.accepted,
            outcome.refused,
            outcome.verified,
            outcome.kept as f64 / 1e6,
            outcome.honest_kept as f64 / 1e6 / outcome.honest_accepted.max(1) as f64,
            outcome.honest_refused,
            if outcome.right { "right" } else { "WRONG" },
            outcome.wall_s,
            if held { "" } else { "   <- the attack paid" },
        );
        if attack.cheats.contains(&"copier") {
            println!("{:<32}{} of {} films copied", "", outcome.copied, outcome.accepted);
        }
    }
    Ok(all_held)
}

fn outcome(attack: &Attack) -> Result<Outcome> {
    let scene = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/spheres.glb");
    let mut farm = Farm::start(attack.settings)?;
    let honest: Vec<String> = (1..=2).map(|number| format!("honest {number}")).collect();
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
    let right = is_right(&farm, &scene)?;
    let count = |view: &Value, what: &str| view[what].as_u64().context("no count");
    let mut outcome = Outcome {
        accepted: 0,
        refused: 0,
        barred: 0,
        kept: 0,
        copied: 0,
        verified: 0,
        disputes_cost: true,
        honest_accepted: 0,
        honest_kept: 0,
        honest_refused: 0,
        right,
        wall_s,
    };
    for name in &cheats {
        let view = farm.node(name)?;
        outcome.accepted += count(&view, "accepted")?;
        outcome.refused += count(&view, "refused")?;
        outcome.verified += count(&view, "verified")?;
        outcome.barred += usize::from(view["barred"] == true);
        outcome.kept += tokens(&view)?;
    }
    for name in &honest {
        let view = farm.node(name)?;
        outcome.honest_accepted += count(&view, "accepted")?;
        outcome.honest_refused += count(&view, "refused")? + u64::from(view["barred"] == true);
        outcome.honest_kept += tokens(&view)?;
    }
    outcome.copied = copied(&farm)?;
    if attack.disputes > 0 {
        outcome.disputes_cost = disputed(&farm, &job_id(&farm)?, attack.disputes)?;
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
    /// Whether the cheats have no more than honest work would have brought them: nothing at all but the
    /// wages for what they have verified well; or, where they hand in films that are right, no more a
    /// film than others, for all but the few that twins let them copy.
    fn gains_nothing(&self, attack: &Attack) -> bool {
        let per_film = |kept: u128, films: u64| kept / u128::from(films.max(1));
        let honest = per_film(self.honest_kept, self.honest_accepted);
        if !attack.cheats.contains(&"copier") {
            // A wage is the pay for 136 of a tile's 4 096 pixels.
            return self.kept * 10 <= honest * u128::from(self.verified);
        }
        // A tile's light decides its rays: no two nodes have quite the same mean.
        let is_no_dearer = per_film(self.kept, self.accepted) <= honest * 3 / 2;
        is_no_dearer && self.copied as u64 * 5 <= self.accepted
    }
}

/// Films that nodes of one person have copied from each other.
fn copied(farm: &Farm) -> Result<usize> {
    let folder = farm.path("shared-films");
    if !folder.exists() {
        return Ok(0);
    }
    let mut copies = 0;
    for entry in std::fs::read_dir(folder)? {
        copies += usize::from(entry?.path().extension().is_some_and(|it| it == "copy"));
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
