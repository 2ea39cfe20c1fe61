#[cfg(target_os = "linux")]
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, PATIENCE};

use crate::{IMPATIENT, PICTURE, scene, submit};

#[test]
fn a_node_killed_in_the_middle_of_a_tile_costs_nothing_but_time() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let doomed = farm.start_node("doomed", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    doomed.kill()?;
    let _heir = farm.start_node("heir", &[])?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[test]
fn a_node_that_never_answers_holds_nothing_up_for_good() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let node = farm.start_node("silent", &["--cheat", "silent"])?;
    node.wait_for_log(|line| line.contains("this node defrauds the farm"))?;
    let job = submit(&farm)?;
    let _worker = farm.start_node("worker", &[])?;
    let units = job.finish(&farm)?;
    let silent = farm.node("silent")?;
    assert_eq!(silent["accepted"], 0, "{silent}");
    assert_eq!(silent["earned"], "0.000000", "{silent}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[test]
fn a_scheduler_killed_in_the_middle_of_a_job_goes_on_where_it_was() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _one = farm.start_node("one", &[])?;
    let _two = farm.start_node("two", &[])?;
    let job = submit(&farm)?;
    for units in [1, 8, 16] {
        job.wait_for_units(&farm, units)?;
        farm.kill_scheduler()?;
        farm.start_scheduler()?;
    }
    farm.opened_from_snapshots()?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// Longer than a connection lives without a sign of its peer. It lives from the first word that gets no
/// answer, which comes five seconds late at most.
#[cfg(target_os = "linux")]
const FROZEN: Duration = Duration::from_secs(21);

#[cfg(target_os = "linux")]
#[test]
fn a_frozen_node_is_passed_over_and_works_again_when_it_wakes() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let frozen = farm.start_node("frozen", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    frozen.freeze(true)?;
    let heir = farm.start_node("heir", &[])?;
    let units = job.finish(&farm)?;
    std::thread::sleep(FROZEN);
    heir.kill()?;
    frozen.freeze(false)?;
    // Nobody else is here: what is rendered now, it renders.
    let before = farm.node("frozen")?["accepted"].as_u64().context("a count")?;
    let again = submit(&farm)?.finish(&farm)?;
    frozen.wait_for_log(|line| line.contains("trying again in"))?;
    let node = farm.node("frozen")?;
    let accepted = node["accepted"].as_u64().context("a count")?;
    assert_eq!((accepted - before, &node["barred"]), (again as u64, &false.into()), "{node}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units + again)
}

#[cfg(target_os = "linux")]
#[test]
fn a_frozen_scheduler_goes_on_where_it_was() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let one = farm.start_node("one", &[])?;
    let _two = farm.start_node("two", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 4)?;
    farm.freeze_scheduler(true)?;
    std::thread::sleep(FROZEN);
    farm.freeze_scheduler(false)?;
    one.wait_for_log(|line| line.contains("trying again in"))?;
    let units = job.finish(&farm)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[test]
fn a_scheduler_that_has_moved_is_found_by_its_new_ticket() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let node = farm.start_node("node", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 2)?;
    farm.kill_scheduler()?;
    farm.move_scheduler()?;
    farm.start_scheduler()?;
    let units = job.finish(&farm)?;
    node.wait_for_log(|line| line.contains("trying again in"))?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// Who has ordered need not wait: the job goes on without his process, and another fetches the picture.
#[test]
fn an_artist_whose_process_is_killed_fetches_the_picture_later() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _node = farm.start_node("node", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    let id = job.id.clone();
    job.process.kill()?;
    ensure!(!farm.path("farm.exr").exists(), "the picture was there before");
    let watched = farm.watch(&id)?.wait(PATIENCE)?;
    ensure!(watched.code == Some(0), "the job failed:\n{watched}");
    farm.wait_for_log(|line| line.contains("job ended") && line.contains(&id))?;
    let out = farm.path("later.exr");
    farm.ask(&["jobs", "download", &id, "-o", &out.display().to_string()])?;
    let ours = farm.render_here(&scene(), &PICTURE, "here.exr")?;
    let theirs = farm_tests::read_picture(&out)?;
    let share = film::compare::bit_equal_share(&ours, &theirs)?;
    ensure!(share >= 1.0, "only {share} of the pixels are those of a local render");
    let ended = &farm.ask(&["jobs", "show", &id])?[0];
    let units = usize::try_from(ended["units"].as_u64().context("no count")?)?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// Leases that live longer than any test, and units without twins: where two nodes have one, they race.
#[cfg(target_os = "linux")]
const UNHURRIED: &str = "[policy]\nlease_ms = 600000\ngone_ms = 600000\nverifier_units = 1000000\n";

/// A node that gets no further with what it has: the other one renders that, too, without waiting until
/// leases lapse, and the first is told that its films are not wanted any more.
#[cfg(target_os = "linux")]
#[test]
fn a_node_that_gets_no_further_is_overtaken_long_before_its_leases_lapse() -> Result<()> {
    let mut farm = Farm::start(UNHURRIED)?;
    let slow = farm.start_node("slow", &["--json"])?;
    let _quick = farm.start_node("quick", &[])?;
    farm.wait_for_nodes(2)?;
    let job = submit(&farm)?;
    slow.wait_for_line(|line| line.contains(r#""event":"rendering""#))?;
    slow.freeze(true)?;
    let id = job.id.clone();
    let units = job.finish(&farm)?;
    slow.freeze(false)?;
    slow.wait_for_line(|line| line.contains(r#""event":"dropped""#))?;

    let events = crate::upgrade::trace(&farm, &id)?;
    let mut ends_of: BTreeMap<&str, BTreeMap<u64, &str>> = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "b" && event["name"] != "judged") {
        let unit = event["name"].as_str().context("no name")?;
        let node = event["pid"].as_u64().context("no node")?;
        let end = event["args"]["end"].as_str().context("no end")?;
        ensure!(end != "lapsed", "a lease was waited for: {event}");
        ends_of.entry(unit).or_default().insert(node, end);
    }
    let overtaken = ends_of.values().filter(|ends| {
        let is_there = |end: &str| ends.values().any(|it| *it == end);
        ends.len() == 2 && is_there("accepted") && is_there("dropped")
    });
    ensure!(overtaken.count() > 0, "nobody was overtaken: {ends_of:?}");
    let (slow, quick) = (farm.node("slow")?, farm.node("quick")?);
    let accepted = |node: &serde_json::Value| node["accepted"].as_u64().context("no count");
    let (by_slow, by_quick) = (accepted(&slow)?, accepted(&quick)?);
    ensure!(by_slow + by_quick == units as u64 && by_quick > by_slow, "{slow} {quick}");
    ensure!(slow["refused"] == 0 && slow["barred"] == false, "{slow}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// One flipped bit in every film, another one gone: the farm makes them again, and the picture is right.
#[test]
fn films_that_the_disk_has_changed_are_made_again() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _node = farm.start_node("node", &[])?;
    let id = submit(&farm)?;
    let job = id.id.clone();
    let units = id.finish(&farm)?;
    let films = films(&farm.path("scheduler").join("films"))?;
    ensure!(films.len() >= 24, "{} films", films.len());
    for film in &films {
        let mut bytes = std::fs::read(film)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(film, bytes)?;
    }
    std::fs::remove_file(&films[7])?;
    let out = farm.path("again.exr");
    farm.ask(&["jobs", "download", &job, "-o", &out.display().to_string()])?;
    let (whole, again) = (farm.path("farm.exr"), farm_tests::read_picture(&out)?);
    let share = film::compare::bit_equal_share(&farm_tests::read_picture(&whole)?, &again)?;
    ensure!(share >= 1.0, "only {share} of the pixels are those that were delivered before");
    farm.wait_for_log(|line| line.contains("the bytes have changed on disk"))?;
    farm.wait_for_log(|line| line.contains("the film is restored"))?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// Files of films under a folder.
fn films(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(films(&path)?),
            false if path.extension().is_some_and(|ext| ext == "film") => found.push(path),
            false => {}
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_process_killed_in_the_middle_of_a_lease_costs_nothing_but_time() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let node = farm.start_node("node", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    let killed = node.children();
    assert_eq!(killed.len(), 1, "a node has one worker");
    // Once only: a scene that ends two is feared, and nobody else is here.
    kill(killed[0])?;
    let units = job.finish(&farm)?;
    let now = node.children();
    assert!(now.len() == 1 && now != killed, "another worker took its place: {now:?}");
    // The worker does not outlive its node, however that ends.
    node.kill()?;
    assert!(goes(now[0]), "the worker outlives its node");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// Whether a process is gone, or will be in a moment.
#[cfg(target_os = "linux")]
fn goes(process: u32) -> bool {
    let is_gone = || !Path::new("/proc").join(process.to_string()).join("exe").exists();
    (0..200).any(|_try| {
        std::thread::sleep(Duration::from_millis(10));
        is_gone()
    })
}

#[cfg(target_os = "linux")]
#[test]
fn the_farms_own_renderer_killed_in_the_middle_of_a_job_costs_nothing_but_time() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _node = farm.start_node("node", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    let killed = farm.scheduler_children();
    assert_eq!(killed.len(), 2, "one has probed the scene, another judges");
    killed.iter().try_for_each(|id| kill(*id))?;
    let units = job.finish(&farm)?;
    let now = farm.scheduler_children();
    assert!(now.iter().any(|id| !killed.contains(id)), "another took its place: {now:?}");
    farm.kill_scheduler()?;
    assert!(now.iter().all(|id| goes(*id)), "they outlive their scheduler: {now:?}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// A scene over which the farm's own renderer dies again and again: nothing of it can be checked, so its
/// job ends with a word, nobody is blamed, and the farm has only lost a process or two.
#[cfg(target_os = "linux")]
#[test]
fn a_scene_that_ends_the_farms_own_renderer_ends_its_job_and_no_more() -> Result<()> {
    use std::sync::atomic::{AtomicBool, Ordering};

    let mut farm = Farm::start(IMPATIENT)?;
    let node = farm.start_node("node", &[])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    let is_over = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // One that has ended meanwhile cannot be killed.
                farm.scheduler_children().into_iter().for_each(|id| drop(kill(id)));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let outcome = job.process.wait(PATIENCE);
        is_over.store(true, Ordering::Relaxed);
        outcome
    })?;
    ensure!(outcome.code != Some(0), "{outcome}");
    let ended = &farm.ask(&["jobs", "show", &job.id])?[0];
    ensure!(ended["status"] == "failed", "{ended}");
    let reason = ended["reason"].as_str().context("no reason")?;
    ensure!(reason.contains("the farm's own renderer cannot render it"), "{reason}");
    farm.wait_for_log(|line| line.contains("it cannot be rendered"))?;
    let blamed = farm.node("node")?;
    ensure!(blamed["refused"] == 0, "{blamed}");
    let mosaic = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/mosaic.glb");
    let other = farm.submit(&mosaic, &["--size", "64x48", "--spp", "16"], "other.exr")?;
    let other = other.wait(PATIENCE)?;
    ensure!(other.code == Some(0), "another scene is rendered:\n{other}");
    farm.check_ledger()?;
    node.kill()
}

#[cfg(target_os = "linux")]
fn kill(process: u32) -> Result<()> {
    let killed = std::process::Command::new("kill").args(["-9", &process.to_string()]).status()?;
    anyhow::ensure!(killed.success(), "{process} cannot be killed");
    Ok(())
}
