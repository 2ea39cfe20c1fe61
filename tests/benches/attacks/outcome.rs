//! One life of an attack: a farm of its own, from the first node to the last look at its books.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use farm_tests::{Farm, PATIENCE, Process, read_picture};
use ledger::{Account, Code, Phase, Row};
use protocol::{NodeId, RayCount, Tokens, Unit};
use serde_json::Value;

use crate::attack::{Attack, Claim, FIRST_FILMS, Picture, VETERAN_UNITS};

/// Honest nodes of each farm.
pub(crate) const HONEST: usize = 2;

/// What a claimed speed may be of one that was shown: honest nodes share two cores with others.
const FASTER: u64 = 20;

/// What nodes make a name with: eight tiles.
const FIRST_JOB: Picture = Picture { size: "256x128", frames: None };
/// Jobs after which each node has had its share.
const FIRST_JOBS_MAX: u32 = 10;

/// How much more than others' a ray may be paid where all are paid alike: pay is rounded film by film.
const MORE: f64 = 1.02;
/// Of so many right films one may be a copy,
const FILMS_PER_COPY: u64 = 50;
/// but for so many in all: of few films one more is no proof.
const COPIES: u64 = 2;

/// What some nodes have done, and what they have for it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work {
    /// Units accepted, those of convicts included.
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// Nodes that are barred.
    pub(crate) barred: u64,
    /// Films of others that they have looked at, and were right.
    pub(crate) verified: u64,
    /// Micro-tokens that they have earned, or that are held for them.
    pub(crate) kept: u128,
    /// Metered rays of accepted films, hundredths.
    centirays: u128,
}

/// What became of an attack, or of several that are alike.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) cheats: Work,
    pub(crate) honest: Work,
    /// Most films that one of the barred cheats had handed in until then.
    pub(crate) films_until_caught: u64,
    /// Films that were copied and not rendered.
    pub(crate) copied: u64,
    /// Films of units that another of the cheats was paid for as well: more cannot be gained by copying.
    pub(crate) paid_twice: u64,
    /// Micro-tokens that the verification reserve has paid to nodes,
    pub(crate) drained: u128,
    /// and those that went to the cheats.
    pub(crate) drained_by_cheats: u128,
    /// Disputes that cost the artist nothing, or speed that was claimed and not seen through.
    pub(crate) unseen: u64,
    /// Pictures that differ.
    pub(crate) wrong: u64,
    pub(crate) wall_s: f64,
}

/// Lives through an attack.
pub(crate) fn outcome(attack: &Attack) -> Result<Outcome> {
    let scene = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/spheres.glb");
    let mut farm = Farm::start(attack.settings)?;
    let names = |what: &str, count: usize| -> Vec<String> {
        (1..=count).map(|number| format!("{what} {number}")).collect()
    };
    let (honest, cheats) = (names("honest", HONEST), names("cheat", attack.cheats.len()));

    // Start the nodes.
    let (mut others, mut before) = (Vec::new(), Work::default());
    if attack.comes_late {
        others = started(&farm, &honest)?;
        make_veterans(&farm, &scene, &honest)?;
        before = of_nodes(&farm, &honest)?;
    }
    let mut frauds = Vec::new();
    for (name, cheat) in cheats.iter().zip(attack.cheats) {
        // Its log tells what it hands in.
        frauds.push(farm.start_node(name, &["--cheat", cheat, "-v"])?);
    }
    if !attack.comes_late {
        others = started(&farm, &honest)?;
    }
    farm.wait_for_nodes(frauds.len() + others.len())?;

    // Render, and dispute.
    let start = Instant::now();
    rendered(&farm, &scene, &attack.picture, "farm.exr")?;
    let mut outcome = Outcome { wall_s: start.elapsed().as_secs_f64(), ..Outcome::default() };
    outcome.wrong = u64::from(!is_right(&farm, &scene, &attack.picture)?);
    if attack.disputes > 0 {
        let cost = disputed(&farm, &job_id(&farm)?, attack.disputes)?;
        outcome.unseen += u64::from(!cost);
    }

    // See what became of everybody.
    let mut keys = Vec::new();
    for ((name, cheat), process) in cheats.iter().zip(attack.cheats).zip(&frauds) {
        let view = farm.node(name)?;
        let work = Work::of(&view)?;
        outcome.cheats.add(work);
        if work.barred > 0 {
            outcome.films_until_caught = outcome.films_until_caught.max(handed_in(process));
        }
        if *cheat == "boaster" {
            let claimed = count(&view["claimed_rays_per_second"])?;
            let is_seen = claimed > FASTER * count(&view["shown_rays_per_second"])?;
            outcome.unseen += u64::from(!is_seen);
        }
        keys.push(view["node"].as_str().context("no id")?.parse::<NodeId>()?);
    }
    outcome.honest = of_nodes(&farm, &honest)?.since(before);
    outcome.copied = copied(&farm)?;
    drop((frauds, others));
    farm.check_ledger()?;
    (outcome.drained, outcome.drained_by_cheats, outcome.paid_twice) = drained(&farm, &keys)?;
    Ok(outcome)
}

impl Outcome {
    /// Adds another outcome of the same attack.
    pub(crate) fn add(&mut self, other: &Self) {
        self.cheats.add(other.cheats);
        self.honest.add(other.honest);
        self.films_until_caught = self.films_until_caught.max(other.films_until_caught);
        self.copied += other.copied;
        self.paid_twice += other.paid_twice;
        self.drained += other.drained;
        self.drained_by_cheats += other.drained_by_cheats;
        self.unseen += other.unseen;
        self.wrong += other.wrong;
        self.wall_s += other.wall_s;
    }

    /// What the films would have been paid that the cheats handed in, or parts of films, and did not
    /// render: micro-tokens.
    pub(crate) fn saved(&self, attack: &Attack) -> f64 {
        let share = attack.cheats.first().map_or(0.0, |cheat| match *cheat {
            "quarter" | "quarter-denoised" | "mean" | "half-size" | "late" => 0.75,
            "replay" | "replay-frame" | "black" => 1.0,
            "few-pixels" | "friends" => 0.05,
            _renders_all => 0.0,
        });
        (self.cheats.refused as f64 * share + self.paid_twice as f64) * self.honest.pay_per_film()
    }

    /// What good films are worth of those that `late` nodes began with, micro-tokens.
    pub(crate) fn first_films(&self, attack: &Attack, lives: u32) -> f64 {
        let nodes = attack.cheats.len() as u64 * u64::from(lives);
        self.cheats.accepted.min(FIRST_FILMS * nodes) as f64 * self.honest.pay_per_film()
    }

    /// What the cheats' rays were paid, of what others' were.
    pub(crate) fn pay_beside_others(&self) -> f64 {
        self.cheats.pay_per_ray() / self.honest.pay_per_ray()
    }

    /// Whether so many lives came to no more than was claimed.
    pub(crate) fn holds(&self, attack: &Attack, lives: u32) -> bool {
        let Self { cheats, honest, .. } = self;
        let nobody_is_harmed = honest.refused == 0 && honest.barred == 0 && self.wrong == 0;
        let gains_nothing_more = match attack.claim {
            // A wage is the pay for 136 of a tile's 4 096 pixels.
            Claim::Nothing => {
                let is_seen = cheats.barred > 0 || attack.cheats.is_empty() || attack.is_idle();
                is_seen
                    && cheats.kept as f64 * 10.0 <= honest.pay_per_film() * cheats.verified as f64
            }
            Claim::FirstFilms => {
                let gained = cheats.kept as f64 + self.saved(attack);
                // Else nothing was paid before the fraud, and nothing is shown.
                cheats.kept > 0 && gained <= self.first_films(attack, lives)
            }
            Claim::Work => {
                let few = COPIES.max(cheats.accepted / FILMS_PER_COPY);
                let is_dearer = self.pay_beside_others() > MORE;
                let is_good = cheats.refused == 0 && cheats.barred == 0;
                // The baseline has none.
                let has_tried = attack.cheats.is_empty() || cheats.accepted > 0;
                has_tried && is_good && !is_dearer && self.paid_twice <= few
            }
        };
        nobody_is_harmed && self.unseen == 0 && gains_nothing_more
    }
}

impl Work {
    /// That of a node as the farm sees it.
    fn of(view: &Value) -> Result<Self> {
        let rays = RayCount {
            closest: count(&view["rays"]["closest"])?,
            shadow: count(&view["rays"]["shadow"])?,
        };
        Ok(Self {
            accepted: count(&view["accepted"])?,
            refused: count(&view["refused"])?,
            barred: u64::from(view["barred"] == true),
            verified: count(&view["verified"])?,
            kept: tokens(&view["earned"])? + tokens(&view["held"])?,
            centirays: rays.metered_centirays(),
        })
    }

    fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.barred += other.barred;
        self.verified += other.verified;
        self.kept += other.kept;
        self.centirays += other.centirays;
    }

    /// What has come since these nodes had done that much.
    const fn since(self, before: Self) -> Self {
        Self {
            accepted: self.accepted - before.accepted,
            refused: self.refused - before.refused,
            barred: self.barred - before.barred,
            verified: self.verified - before.verified,
            kept: self.kept - before.kept,
            centirays: self.centirays - before.centirays,
        }
    }

    /// What the farm has paid for a unit, on average, micro-tokens.
    fn pay_per_film(&self) -> f64 {
        self.kept as f64 / self.accepted.max(1) as f64
    }

    fn pay_per_ray(&self) -> f64 {
        self.kept as f64 * 100.0 / self.centirays.max(1) as f64
    }
}

/// Starts honest nodes.
fn started(farm: &Farm, names: &[String]) -> Result<Vec<Process>> {
    names.iter().map(|name| farm.start_node(name, &[])).collect()
}

/// Has nodes render until all are veterans.
fn make_veterans(farm: &Farm, scene: &Path, names: &[String]) -> Result<()> {
    farm.wait_for_nodes(names.len())?;
    for job in 0..FIRST_JOBS_MAX {
        rendered(farm, scene, &FIRST_JOB, &format!("first-{job}.exr"))?;
        let mut are_veterans = true;
        for name in names {
            are_veterans &= Work::of(&farm.node(name)?)?.accepted >= VETERAN_UNITS;
        }
        if are_veterans {
            return Ok(());
        }
    }
    bail!("a node is no veteran after {FIRST_JOBS_MAX} jobs")
}

/// What nodes have done in all.
fn of_nodes(farm: &Farm, names: &[String]) -> Result<Work> {
    let mut all = Work::default();
    for name in names {
        all.add(Work::of(&farm.node(name)?)?);
    }
    Ok(all)
}

/// Has the farm render a picture.
fn rendered(farm: &Farm, scene: &Path, picture: &Picture, out: &str) -> Result<()> {
    let words = picture.of_job();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let finished = farm.submit(scene, &words, out)?.wait(PATIENCE)?;
    ensure!(finished.code == Some(0), "the job failed:\n{finished}");
    Ok(())
}

/// Whether the farm's pictures are, to the bit, those of this machine alone.
fn is_right(farm: &Farm, scene: &Path, picture: &Picture) -> Result<bool> {
    let is_same = |frame: &[&str], file: &str| -> Result<bool> {
        let ours = [&picture.options()[..], frame].concat();
        let ours = farm.render_here(scene, &ours, "here.exr")?;
        let theirs = read_picture(&farm.path(file))?;
        Ok(film::compare::bit_equal_share(&ours, &theirs)? >= 1.0)
    };
    let Some(last) = picture.frames else { return is_same(&[], "farm.exr") };
    for frame in 1..=last {
        let (number, file) = (frame.to_string(), format!("farm.{frame:04}.exr"));
        if !is_same(&["--frame", number.as_str()], file.as_str())? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Films that a node has handed in, by its log.
fn handed_in(node: &Process) -> u64 {
    node.log().iter().filter(|line| line.contains("submitted job_")).count() as u64
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

/// What the verification reserve has paid, by the stopped scheduler's ledger, to any node and to these, in
/// micro-tokens; and of how many units more than one film of theirs was paid.
fn drained(farm: &Farm, cheats: &[NodeId]) -> Result<(u128, u128, u64)> {
    let dir = farm.path("scheduler").join("ledger");
    let key = ledger::offline::claimed_key(&dir).context("the ledger names no key")?;
    let rows_of = |account: Account| -> Result<Vec<Row>> {
        let (rows, _count) = ledger::offline::statement(&dir, key, account.id(), 0, None)?;
        let has_moved = |row: &Row| matches!(row.phase, Phase::Posted | Phase::PostedPending);
        Ok(rows.into_iter().filter(has_moved).collect())
    };
    let (mut all, mut by_cheats) = (0, 0);
    for row in rows_of(Account::Reserve)? {
        let Account::Held(node) = row.other else { continue };
        if !row.credit && row.code == Code::Verification {
            all += row.amount.micro();
            by_cheats += if cheats.contains(&node) { row.amount.micro() } else { 0 };
        }
    }
    let mut paid: BTreeMap<Unit, BTreeSet<NodeId>> = BTreeMap::new();
    for &node in cheats {
        for row in rows_of(Account::Held(node))? {
            let is_pay = row.credit && matches!(row.code, Code::Pay | Code::Verification);
            if let Some(unit) = row.link.unit.filter(|_unit| is_pay) {
                paid.entry(unit).or_default().insert(node);
            }
        }
    }
    let twice = paid.values().map(|nodes| nodes.len() as u64 - 1).sum();
    Ok((all, by_cheats, twice))
}

fn job_id(farm: &Farm) -> Result<String> {
    let jobs = farm.ask(&["jobs", "list"])?;
    Ok(jobs.first().and_then(|job| job["job"].as_str()).context("no job")?.to_owned())
}

/// Disputes good tiles one after the other; whether each cost the artist something.
fn disputed(farm: &Farm, job: &str, tiles: usize) -> Result<bool> {
    let balance = || -> Result<u128> {
        let wallet = farm.ask(&["wallet", "balance"])?;
        tokens(&wallet.first().context("no wallet")?["balance"])
    };
    let mut before = balance()?;
    for tile in 0..tiles {
        let tile = tile.to_string();
        farm.ask(&["jobs", "dispute", job, "--tile", &tile, "--max-cost", "1"])?;
        // The price is set aside at once, and stays gone when the tile was rendered again.
        std::thread::sleep(Duration::from_secs(2));
        let after = balance()?;
        if after >= before {
            return Ok(false);
        }
        before = after;
    }
    Ok(true)
}

fn count(value: &Value) -> Result<u64> {
    value.as_u64().context("no count")
}

/// Micro-tokens of an amount as printed.
fn tokens(amount: &Value) -> Result<u128> {
    let amount: Tokens = amount.as_str().context("no amount")?.parse()?;
    Ok(amount.micro())
}
