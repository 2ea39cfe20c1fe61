//! The demo's end: who did what, who was paid, what the ledger says.

use std::time::Duration;

use protocol::JobSpec;
use protocol::view::{LedgerCheck, NodeView};

use crate::exit::Exit;
use crate::text;

use super::check::PictureCheck;
use super::farm::CHEAT;
use super::watch::Watched;
use super::{Outcome, say};

/// Everything the report speaks of.
pub struct Ending {
    /// What happened.
    pub outcome: Outcome,
    /// Whether no node was told to cheat.
    pub honest: bool,
    /// The ledger, verified from its files after the farm was closed.
    pub ledger: LedgerCheck,
    /// The demo's whole time.
    pub wall: Duration,
    /// CPU time of the farm's processes.
    pub cpu_seconds: f64,
}

/// Says how the farm rendered and checked the frame.
pub fn say_rendered(watched: &Watched, spec: &JobSpec) {
    let tiles = u64::from(spec.grid().tile_count());
    let units = u64::from(watched.job.units);
    let words = format!(
        "{} in {}, in {}; every one challenged, {} pixels rendered again by the scheduler",
        text::plural(tiles, "tile", "tiles"),
        text::plural(units, "unit", "units"),
        text::span(watched.took),
        text::count(watched.pixels_checked)
    );
    say("rendered", &words);
    if !watched.incomplete.is_empty() {
        say("picture", "INCOMPLETE: the missing tiles are transparent");
    }
}

/// Says what our own look at the picture found.
pub fn say_checked(picture: &PictureCheck) {
    let tiles = text::plural(picture.tiles.len() as u64, "tile", "tiles");
    let (pixels, beyond) = (text::count(picture.pixels), picture.beyond);
    let found = if picture.is_equal() {
        "equal, bit for bit".to_owned()
    } else if picture.is_right() {
        format!("right within tolerance, {beyond} of {pixels} pixels beyond 0.1 %")
    } else {
        format!("WRONG, {beyond} of {pixels} pixels beyond 0.1 %")
    };
    say("picture", &format!("{tiles} of the file rendered again here: {found}"));
}

/// Prints the table and the money, which are data, and the verdict on the cheat.
///
/// # Errors
/// Standard output is gone.
pub fn print(ending: &Ending) -> std::io::Result<()> {
    let outcome = &ending.outcome;
    eprintln!();
    let header = ["node", "tiles", "refused", "rays", "reputation", "tokens earned", "verdict"];
    let mut nodes = outcome.farm.nodes.clone();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    text::print(text::table(&header, &[1, 2, 3, 4, 5], nodes.iter().map(row).collect()))?;
    text::print("")?;

    let job = &outcome.watched.job;
    let line = |label: &str, words: &str| text::print(format_args!("  {label:<11} {words}"));
    line(
        "artist",
        &format!(
            "{} tokens spent, {} refunded, {} left",
            job.spent, job.refunded, outcome.wallet.balance
        ),
    )?;
    line("ledger", &ledger_line(&ending.ledger))?;
    for path in &outcome.watched.written {
        line("picture", &path.display().to_string())?;
    }
    if !ending.honest {
        say("cheat", &cheat_line(outcome));
    }
    let (wall, cpu) = (text::span(ending.wall), ending.cpu_seconds);
    say("time", &format!("{wall}, {cpu:.0} CPU-seconds of the farm"));
    Ok(())
}

fn row(node: &NodeView) -> Vec<String> {
    let verdict = match (node.barred, node.reputation.refused) {
        (true, _) => "barred",
        (false, 0) => "honest",
        (false, _) => "refused",
    };
    vec![
        node.name.clone(),
        text::count(node.reputation.accepted),
        text::count(node.reputation.refused),
        text::rays(node.rays),
        text::percent(node.reputation.mean_ppm),
        node.earned.to_string(),
        verdict.to_owned(),
    ]
}

fn ledger_line(check: &LedgerCheck) -> String {
    let sum = if check.sum_is_zero { "sum 0" } else { "SUM NOT 0" };
    let verified = if check.verified { "journal verified" } else { "JOURNAL NOT VERIFIED" };
    let problem = check.problem.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    format!("{sum}, {verified}, {}{problem}", text::plural(check.entries, "entry", "entries"))
}

/// Caught: refused, and not a token for it.
fn is_caught(outcome: &Outcome) -> bool {
    let cheat = outcome.farm.nodes.iter().find(|node| node.name == CHEAT);
    cheat.is_some_and(|node| {
        node.reputation.refused > 0
            && node.reputation.accepted == 0
            && node.earned.is_zero()
            && node.held.is_zero()
    })
}

fn cheat_line(outcome: &Outcome) -> String {
    if !is_caught(outcome) {
        return format!("{CHEAT} rendered a quarter of the samples and was NOT caught");
    }
    let reason = outcome.watched.refusal.as_ref();
    let reason = reason.map_or_else(String::new, |why| format!(": {why}"));
    format!("{CHEAT} rendered a quarter of the samples; caught, refused, unpaid{reason}")
}

/// The demo's verdict on itself.
pub fn exit(ending: &Ending) -> Exit {
    let holds = |check: &LedgerCheck| check.sum_is_zero && check.verified;
    let outcome = &ending.outcome;
    let ledger = holds(&ending.ledger) && holds(&outcome.ledger);
    let picture = outcome.picture.is_right() && outcome.watched.incomplete.is_empty();
    let money = ending.honest || is_caught(outcome);
    if ledger && picture && money { Exit::Done } else { Exit::Failed }
}
