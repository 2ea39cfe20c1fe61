use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, PATIENCE, Process};
use serde_json::Value;

use crate::submit;

/// Leases live longer than any test: only who gives them back loses them.
const PATIENT: &str = "[policy]\nlease_ms = 600000\ngone_ms = 600000\ntwin_wait_ms = 3000\n";

/// Far more than a word to the farm takes, and less than the minute that a lease waits for the end of a
/// pause.
const SOON: Duration = Duration::from_secs(30);

fn said(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}

/// Waits until a node has told of so many events of a kind.
fn wait_for(node: &Process, event: &str, count: usize) -> Result<()> {
    let told = |lines: &[String]| lines.iter().filter(|line| said(line)["event"] == event).count();
    node.wait_until(|lines| told(lines) >= count)
}

/// Waits for a node's word of a pause of this kind, and returns it.
fn wait_for_hold(node: &Process, hold: &str) -> Result<Value> {
    let wanted = |line: &str| {
        let said = said(line);
        said["event"] == "paused" && said["kind"] == "held" && said["hold"] == hold
    };
    Ok(said(&node.wait_for_line(wanted)?))
}

/// A node that is paused hands in the tile at hand and has no lease left; its owner lets it go on, and
/// the picture is the right one. Then it is stopped at once, and another does all the work.
#[test]
fn an_owner_pauses_his_node_and_stops_it_at_once_and_no_unit_is_lost() -> Result<()> {
    let mut farm = Farm::start(PATIENT)?;
    let mut node = farm.start_steered_node("steered", &[])?;
    let job = submit(&farm)?;
    wait_for(&node, "rendering", 2)?;
    node.tell(r#"{"hold":"after-this-tile"}"#)?;
    let paused = wait_for_hold(&node, "after-this-tile")?;
    ensure!(paused["reason"].as_str().is_some_and(|it| it.contains("after a tile")), "{paused}");
    // Its film is checked when it has handed it in.
    let begun = Instant::now();
    loop {
        let view = farm.node("steered")?;
        if view["leases"] == 0 && view["accepted"] != 0 {
            break;
        }
        ensure!(begun.elapsed() < SOON, "{view}");
    }
    node.tell("{}")?;
    wait_for(&node, "resumed", 1)?;
    let units = job.finish(&farm)?;

    // Stopped in the middle of a job: what it had goes to another node, which does all the rest.
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 1)?;
    node.tell(r#"{"hold":"now"}"#)?;
    let paused = wait_for_hold(&node, "now")?;
    ensure!(paused["reason"].as_str().is_some_and(|it| it.contains("at once")), "{paused}");
    // Long before the minute after which any pause gives back, and without the other's help.
    let begun = Instant::now();
    let before = loop {
        let view = farm.node("steered")?;
        if view["leases"] == 0 {
            break view;
        }
        ensure!(begun.elapsed() < SOON, "leases are still held: {view}");
    };
    let _other = farm.start_node("other", &[])?;
    let more = job.finish(&farm)?;
    let (after, other) = (farm.node("steered")?, farm.node("other")?);
    ensure!(after["leases"] == 0 && other["accepted"] != 0, "{after} {other}");
    let count = |view: &Value| view["accepted"].as_u64().context("no count");
    // A film that was rendered when the wish came is handed in.
    ensure!(count(&after)? <= count(&before)? + 2, "{before} {after}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units + more)?;

    // With standard input the node ends.
    node.hang_up();
    let outcome = node.wait(PATIENCE)?;
    ensure!(outcome.code == Some(0), "it should stop well:\n{outcome}");
    let events = outcome.objects()?;
    ensure!(events.last().is_some_and(|last| last["event"] == "stopped"), "{events:?}");
    Ok(())
}

/// A node that works half of the time rests, loses no lease over it, and its films are right.
#[test]
fn a_node_that_rests_half_of_the_time_renders_the_same() -> Result<()> {
    let mut farm = Farm::start(PATIENT)?;
    let mut node = farm.start_steered_node("resting", &[])?;
    node.tell(r#"{"duty_percent":50,"vitals":true}"#)?;
    wait_for(&node, "connected", 1)?;
    let units = submit(&farm)?.finish(&farm)?;
    // Told of the rest after the last one that there was.
    node.wait_for_line(|line| said(line)["rests"].as_u64() >= Some(2))?;
    let view = farm.node("resting")?;
    ensure!(view["dropped"] == 0 && view["refused"] == 0 && view["accepted"] != 0, "{view}");
    node.hang_up();
    let events = node.wait(PATIENCE)?.objects()?;
    let of = |kind: &str| events.iter().filter(|it| it["event"] == kind).collect::<Vec<_>>();
    ensure!(of("paused").is_empty() && of("yielded").is_empty(), "a rest is no pause");
    let vitals = of("vitals");
    ensure!(vitals.iter().any(|it| it["duty_percent"] == 50), "{vitals:?}");
    ensure!(vitals.iter().all(|it| it["cards"].as_array().is_some_and(Vec::is_empty)), "no card");
    let last = vitals.last().context("no vitals")?;
    ensure!(last["fetched_bytes"].as_u64() > Some(0) && last["sent_bytes"].as_u64() > Some(0));
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// A line that is no wish is complained of, with its number, and changes nothing.
#[test]
fn a_line_that_is_no_wish_changes_nothing() -> Result<()> {
    let farm = Farm::start(PATIENT)?;
    let mut node = farm.start_steered_node("steered", &[])?;
    wait_for(&node, "connected", 1)?;
    node.tell("")?;
    node.tell(r#"{"hold":"now","hols":1}"#)?;
    node.tell("pause, please")?;
    let wanted = |number: u64| move |line: &str| said(line)["line"] == number;
    let first = said(&node.wait_for_line(wanted(2))?);
    let words = first["message"].as_str().unwrap_or_default();
    ensure!(first["event"] == "error" && words.contains("unknown field `hols`"), "{first}");
    ensure!(
        words.starts_with("line 2 of standard input is no wish and changes nothing"),
        "{first}"
    );
    node.wait_for_line(wanted(3))?;
    let units = submit(&farm)?.finish(&farm)?;
    farm.check_each_unit_paid_once(units)?;
    node.hang_up();
    let outcome = node.wait(PATIENCE)?;
    ensure!(!outcome.objects()?.iter().any(|it| it["event"] == "paused"), "{outcome}");
    Ok(())
}
