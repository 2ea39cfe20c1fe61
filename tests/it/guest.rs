//! What a node sees of the person before its machine: a real X server, a real bus.

mod bus;
mod screen;
mod slow;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, PATIENCE, Place, Process, skip};
use serde_json::Value;

use self::bus::Bus;
use self::screen::Screen;
use crate::{IMPATIENT, submit};

/// Waits for a node's word of an event that has this reason.
fn wait_for(node: &Process, event: &str, reason: &str) -> Result<()> {
    let wanted = |line: &str| {
        let said: Value = serde_json::from_str(line).unwrap_or_default();
        said["event"] == event && said["reason"].as_str().unwrap_or_default().contains(reason)
    };
    node.wait_for_line(wanted).map(drop)
}

/// What doctor found of something.
fn found(farm: &Farm, check: &str) -> Result<String> {
    let report = farm.ask(&["doctor", "--backend", "cpu"])?.pop().context("no report")?;
    let checks = report["checks"].as_array().context("no checks")?;
    let check = checks.iter().find(|it| it["check"] == check).context("no such check")?;
    Ok(check["found"].as_str().unwrap_or_default().to_owned())
}

/// A node leaves the machine to what fills its screen, also after the display came anew, and takes
/// no lease meanwhile; one that was told not to mind does the work.
#[test]
fn a_program_that_fills_the_screen_has_the_machine() -> Result<()> {
    let mut screen = match Screen::start() {
        Ok(screen) => screen,
        Err(why) => return skip("a program that fills the screen", &why),
    };
    let mut farm = Farm::start(IMPATIENT)?;
    let place = screen.place();
    farm.move_artist(place.clone());
    let game = screen.open("Portal2")?;
    let guest = farm.start_node_at(&place, "guest", &["--json"])?;
    wait_for(&guest, "connected", "")?;
    ensure!(found(&farm, "full screen")? == "no program fills the screen");
    let keys = found(&farm, "keyboard and mouse")?;
    ensure!(keys.contains("the X display") || keys.contains("input devices"), "{keys}");
    game.fill(true)?;
    wait_for(&guest, "paused", "full-screen program (Portal2)")?;
    ensure!(found(&farm, "full screen")? == "Portal2 fills the screen");

    let _careless = farm.start_node_at(&place, "careless", &["--through-full-screen"])?;
    let units = submit(&farm)?.finish(&farm)?;
    let (paused, other) = (farm.node("guest")?, farm.node("careless")?);
    ensure!(paused["accepted"] == 0 && other["accepted"] != 0, "{paused} {other}");

    game.fill(false)?;
    wait_for(&guest, "resumed", "")?;
    // The display goes away with everything on it, and another comes in its place.
    drop(game);
    screen.restart()?;
    let game = screen.open("Another")?;
    game.fill(true)?;
    wait_for(&guest, "paused", "full-screen program (Another)")?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// A machine that is put to sleep in the middle of a job waits until the node has given its leases
/// back, and the node goes on when it wakes.
#[test]
fn a_machine_sleeps_when_the_leases_are_given_back() -> Result<()> {
    let bus = match Bus::start() {
        Ok(bus) => bus,
        Err(why) => return skip("a machine that goes to sleep", &why),
    };
    // Leases live longer than the test: only who gives them back loses them.
    let mut farm = Farm::start("[policy]\nlease_ms = 600000\ngone_ms = 600000\n")?;
    let place = bus.place();
    farm.move_artist(place.clone());
    let sleep = found(&farm, "sleep")?;
    ensure!(sleep.contains("logind says so before"), "{sleep}");
    bus.user_is_away()?;
    let keys = found(&farm, "keyboard and mouse")?;
    let by_desktop = keys.contains("what the desktop tells logind");
    ensure!(by_desktop || keys.contains("input devices") || keys.contains("display"), "{keys}");

    let node = farm.start_node_at(&place, "node", &["--json"])?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 2)?;
    bus.held_back()?;
    bus.announce_sleep(true)?;
    wait_for(&node, "paused", "the machine goes to sleep")?;
    bus.let_go()?;
    let leases = &farm.node("node")?["leases"];
    ensure!(*leases == 0, "{leases} leases are still held");
    bus.announce_sleep(false)?;
    wait_for(&node, "resumed", "")?;
    let units = job.finish(&farm)?;
    // The next sleep is waited for as well.
    bus.held_back()?;
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// A scene that takes longer to come than a lease lives without a sign: the node is heard meanwhile,
/// and its first leases yield the films.
#[test]
fn a_lease_outlives_a_scene_that_comes_slowly() -> Result<()> {
    let mut farm = Farm::start("[policy]\nlease_ms = 8000\ngone_ms = 8000\n")?;
    let scene = slow::scene(&farm, 250_000)?;
    let node = farm.start_node("slow", &["--json", "--down", "1", "--up", "1"])?;
    farm.wait_for_nodes(1)?;
    let picture = ["--size", "64x64", "--spp", "4", "--sky", "1"];
    let job = farm.submit(&scene, &[&picture[..], &["--tile", "32"]].concat(), "farm.exr")?;
    let of_fetch = |line: &str, at_least: f64| -> Option<f64> {
        let said: Value = serde_json::from_str(line).ok()?;
        let (came, of) = (said["received_bytes"].as_f64()?, said["size_bytes"].as_f64()?);
        (said["event"] == "fetching" && came >= at_least * of).then_some(of)
    };
    job.wait_for_line(|line| line.starts_with('{'))?;
    node.wait_for_line(|line| of_fetch(line, 0.0).is_some())?;
    let begun = Instant::now();
    // The last fiftieth is not always told.
    let last = node.wait_for_line(|line| of_fetch(line, 0.95).is_some())?;
    let (took, bytes) = (begun.elapsed(), of_fetch(&last, 0.95).context("a size")?);
    // Events and this test are late by less than a tenth.
    ensure!(took.as_secs_f64() > 0.85 * bytes / 1e6, "{bytes} bytes at 1 MB/s took {took:?}");
    ensure!(took > Duration::from_secs(8), "a lease outlives {took:?} without a sign");
    let outcome = job.wait(PATIENCE)?;
    ensure!(outcome.code == Some(0), "the job failed:\n{outcome}");
    let node = farm.node("slow")?;
    ensure!(node["dropped"] == 0 && node["accepted"] == 4, "{node}");
    let ours = farm.render_here(&scene, &picture, "here.exr")?;
    let theirs = farm_tests::read_picture(&farm.path("farm.exr"))?;
    ensure!(film::compare::bit_equal_share(&ours, &theirs)? >= 1.0, "another picture");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(4)
}

/// A node renders on no GPU but the one that it was told, and says what there is.
#[test]
fn a_gpu_that_is_not_there_is_named_with_those_that_are() -> Result<()> {
    let farm = Farm::start(IMPATIENT)?;
    let ticket = format!("@{}", farm.path("ticket").display());
    let data = farm.path("node").display().to_string();
    let run = |more: &[&str]| -> Result<String> {
        let all = ["node", "--farm", &ticket, "--data", &data, "--software-gpu"];
        let all: Vec<String> = all.iter().chain(more).map(|&word| word.to_owned()).collect();
        let outcome = Process::start("node", &farm.path(""), &all)?.wait(PATIENCE)?;
        ensure!(outcome.code.is_some_and(|code| code != 0), "it should not start:\n{outcome}");
        Ok(outcome.stderr.join("\n"))
    };
    let said = run(&["--backend", "cpu", "--gpu", "0"])?;
    ensure!(said.contains("--backend cpu renders on no GPU; leave out --gpu 0"), "{said}");
    let said = run(&["--gpu", "Voodoo 2"])?;
    let doctor = farm.ask(&["doctor", "--software-gpu"])?.pop().context("no report")?;
    match doctor["adapters"].as_array().and_then(|adapters| adapters.last()) {
        Some(adapter) => {
            let name = adapter["name"].as_str().context("a name")?;
            let listed = format!("{}: {name}", adapter["index"]);
            ensure!(said.contains("\"Voodoo 2\"") && said.contains(&listed), "{said}");
        }
        None => ensure!(said.contains("no graphics adapter was found"), "{said}"),
    }
    Ok(())
}

/// A place with one more variable in the environment.
fn with(variable: String) -> Place {
    Place::default().after(["env".to_owned(), variable])
}
