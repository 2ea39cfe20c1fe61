use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, PATIENCE};
use serde_json::Value;

use crate::{IMPATIENT, PICTURE, scene, submit};

#[test]
fn a_cheat_is_caught_refused_and_unpaid_and_the_picture_is_right() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _cheat = farm.start_node("cheat", &["--cheat", "quarter"])?;
    let _honest = farm.start_node("honest", &[])?;
    let job = submit(&farm)?;
    let units = job.finish(&farm)?;
    let cheat = farm.node("cheat")?;
    assert_eq!(cheat["accepted"], 0, "{cheat}");
    assert!(cheat["refused"].as_u64() > Some(0), "{cheat}");
    assert_eq!(cheat["barred"], true, "{cheat}");
    assert_eq!((&cheat["earned"], &cheat["held"]), (&"0.000000".into(), &"0.000000".into()));
    let honest = farm.node("honest")?;
    assert!(tokens(&honest["earned"])? + tokens(&honest["held"])? > 0, "{honest}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

#[test]
fn without_enough_tokens_nothing_is_rendered() -> Result<()> {
    let mut farm = Farm::start(&format!("welcome_grant = \"0.000001\"\n{IMPATIENT}"))?;
    let _node = farm.start_node("node", &[])?;
    let outcome = farm.submit(&scene(), &PICTURE, "farm.exr")?.wait(PATIENCE)?;
    assert_eq!(outcome.code, Some(5), "{outcome}");
    let said = outcome.stderr.join("\n");
    assert!(said.contains("0.000001"), "both amounts should be named:\n{said}");
    assert!(farm.ask(&["jobs", "list"])?.is_empty());
    assert!(!farm.path("farm.exr").exists());
    farm.check_ledger()?;
    Ok(())
}

/// Tiles that have little noise soon are ended soon, wherever they are rendered, and what is not
/// rendered is not paid.
#[test]
fn tiles_without_noise_end_soon_and_cost_less() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _nodes = (farm.start_node("one", &[])?, farm.start_node("two", &[])?);
    let picture = ["--size", "256x192", "--spp", "64", "--noise", "0.08", "--min-samples", "16"];
    let outcome = farm.submit(&scene(), &picture, "farm.exr")?.wait(PATIENCE)?;
    ensure!(outcome.code == Some(0), "the job failed:\n{outcome}");
    let ended = outcome.objects()?.pop().context("no object")?;
    assert_eq!(ended["incomplete"], serde_json::json!([]), "{ended}");
    let theirs = farm_tests::read_picture(&farm.path("farm.exr"))?;
    let ours = farm.render_here(&scene(), &picture, "here.exr")?;
    assert_eq!(theirs, ours);
    let mut samples = theirs.samples;
    samples.sort_unstable();
    samples.dedup();
    ensure!(samples.len() > 1, "all tiles have {samples:?} samples, which shows nothing");
    let job = &farm.ask(&["jobs", "list"])?[0];
    ensure!(tokens(&job["refunded"])? > tokens(&job["spent"])? / 4, "{job}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(usize::try_from(job["units"].as_u64().context("no count")?)?)
}

/// A farm of one's own machines: its ticket lets in, and nothing moves in the ledger.
#[test]
fn a_private_farm_renders_without_tokens() -> Result<()> {
    let mut farm = Farm::start(&format!("private = true\nfree = true\n{IMPATIENT}"))?;
    let _nodes = (farm.start_node("one", &[])?, farm.start_node("two", &[])?);
    let job = submit(&farm)?;
    let id = job.id.clone();
    job.finish(&farm)?;
    let job = &farm.ask(&["jobs", "show", &id])?[0];
    assert_eq!((&job["price"], &job["spent"]), (&"0.000000".into(), &"0.000000".into()), "{job}");
    for name in ["one", "two"] {
        let node = farm.node(name)?;
        assert_eq!(tokens(&node["earned"])? + tokens(&node["held"])?, 0, "{node}");
    }
    farm.check_ledger().map(|_check| ())
}

/// Micro-tokens of an amount as printed.
fn tokens(amount: &Value) -> Result<u128> {
    let amount: protocol::Tokens = amount.as_str().context("no amount")?.parse()?;
    Ok(amount.micro())
}
