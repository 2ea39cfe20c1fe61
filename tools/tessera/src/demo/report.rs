//! The demo's end: who did what, who was paid, what the ledger says.

use std::time::Duration;

use protocol::view::NodeView;

use crate::exit::Exit;
use crate::text;

use super::farm::CHEAT;
use super::{Outcome, say};

/// Prints it: the table is data, the rest is its story.
///
/// # Errors
/// Standard output is gone.
pub fn print(
    outcome: &Outcome,
    honest: bool,
    wall: Duration,
    cpu_seconds: f64,
) -> std::io::Result<()> {
    let picture = &outcome.picture;
    let tiles = text::plural(picture.tiles.len() as u64, "tile", "tiles");
    let verdict = if picture.is_equal() {
        format!("{tiles} rendered again here: equal, bit for bit")
    } else if picture.is_right() {
        let (beyond, pixels) = (picture.beyond, picture.pixels);
        format!("{tiles} rendered again here: {beyond} of {pixels} pixels beyond 0.1 %")
    } else {
        format!("{tiles} rendered again here: WRONG in {} pixels", picture.unequal)
    };
    say("checked", &verdict);
    if !outcome.incomplete.is_empty() {
        say("picture", "INCOMPLETE: the missing tiles are transparent");
    }
    eprintln!();

    let header = ["node", "tiles", "refused", "rays", "reputation", "earned", "verdict"];
    let mut nodes = outcome.farm.nodes.clone();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let rows = nodes.iter().map(row).collect();
    text::print(text::table(&header, &[1, 2, 3, 4, 5], rows))?;

    let job = &outcome.job;
    text::print(format_args!(
        "  artist      {} spent, {} refunded, {} left",
        job.spent, job.refunded, outcome.wallet.balance
    ))?;
    text::print(format_args!("  ledger      {}", ledger_line(outcome)))?;
    for path in &outcome.written {
        text::print(format_args!("  picture     {}", path.display()))?;
    }
    eprintln!();
    if !honest {
        say("cheat", &cheat_line(outcome));
    }
    say("time", &format!("{}, {cpu_seconds:.0} CPU-seconds on the farm", text::span(wall)));
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

fn ledger_line(outcome: &Outcome) -> String {
    let check = &outcome.ledger;
    let sum = if check.sum_is_zero { "sum 0" } else { "SUM NOT 0" };
    let verified = if check.verified { "journal verified" } else { "JOURNAL NOT VERIFIED" };
    let problem = check.problem.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    format!("{sum}, {verified}, {} entries{problem}", text::count(check.entries))
}

fn cheat(outcome: &Outcome) -> Option<&NodeView> {
    outcome.farm.nodes.iter().find(|node| node.name == CHEAT)
}

/// Caught: refused, and not a token for it.
fn is_caught(outcome: &Outcome) -> bool {
    cheat(outcome).is_some_and(|node| {
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
    let reason = outcome.refusal.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
    format!("{CHEAT} rendered a quarter of the samples: caught, refused, unpaid{reason}")
}

/// The demo's verdict on itself.
pub fn exit(outcome: &Outcome, honest: bool) -> Exit {
    let ledger = outcome.ledger.sum_is_zero && outcome.ledger.verified;
    let picture = outcome.picture.is_right() && outcome.incomplete.is_empty();
    if ledger && picture && (honest || is_caught(outcome)) { Exit::Done } else { Exit::Failed }
}
