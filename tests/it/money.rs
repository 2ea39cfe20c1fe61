use anyhow::{Context as _, Result};
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

/// Micro-tokens of an amount as printed.
fn tokens(amount: &Value) -> Result<u128> {
    let amount: protocol::Tokens = amount.as_str().context("no amount")?.parse()?;
    Ok(amount.micro())
}
