//! The demo's end: who did what, who was paid, what the ledger says.

use std::time::Duration;

use protocol::JobSpec;
use protocol::view::{FarmView, LedgerCheck, NodeView};

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
    /// Whether the scene is the demo's own.
    pub our_scene: bool,
    /// The ledger, verified from its files after the farm was closed.
    pub ledger: LedgerCheck,
    /// The demo's whole time.
    pub wall: Duration,
    /// CPU time of the farm's processes.
    pub cpu_seconds: f64,
}

/// Says that the frame is there.
pub fn say_rendered(watched: &Watched, spec: &JobSpec) {
    let tiles = text::plural(u64::from(spec.grid().tile_count()), "tile", "tiles");
    let units = match u64::from(watched.job.units) {
        units if units == u64::from(spec.grid().tile_count()) => String::new(),
        units => format!(" in {}", text::plural(units, "unit", "units")),
    };
    say("rendered", &format!("{tiles}{units}, {}", text::span(watched.took)));
    if !watched.incomplete.is_empty() {
        say("picture", "INCOMPLETE: the missing tiles are transparent");
    }
}

/// Says how the farm checked the nodes' work.
pub fn say_challenged(watched: &Watched, farm: &FarmView) {
    let films: u64 = farm.nodes.iter().map(|node| node.reputation.accepted).sum();
    let twins = films.saturating_sub(u64::from(watched.job.units));
    let words = format!(
        "every film was challenged: {} pixels rendered again by the scheduler; {} rendered twice",
        text::count(watched.pixels_checked),
        text::plural(twins, "unit", "units")
    );
    say("checked", &words);
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
    note!();
    let header = ["node", "films", "refused", "rays", "reputation", "tokens earned", "verdict"];
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

/// What became of the node that was told to cheat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Its tiles passed.
    Undetected,
    /// Refused, barred, and not a token for it.
    Unpaid,
    /// Refused and barred; but some of its tiles were right, as an empty sky is at any number of
    /// samples, and those were paid.
    PaidForSome,
}

fn fate(nodes: &[NodeView]) -> Fate {
    let Some(node) = nodes.iter().find(|node| node.name == CHEAT) else { return Fate::Undetected };
    let unpaid = node.earned.is_zero() && node.held.is_zero();
    match (node.reputation.refused > 0 && node.barred, unpaid) {
        (false, _) => Fate::Undetected,
        (true, true) => Fate::Unpaid,
        (true, false) => Fate::PaidForSome,
    }
}

fn cheat_line(outcome: &Outcome) -> String {
    let reason = outcome.watched.refusal.as_ref();
    let reason = reason.map_or_else(String::new, |why| format!(": {why}"));
    let end = match fate(&outcome.farm.nodes) {
        Fate::Undetected => "and was NOT caught".to_owned(),
        Fate::Unpaid => format!("and was caught, refused, unpaid{reason}"),
        Fate::PaidForSome => {
            format!(
                "and was caught and barred{reason}; tiles that were right all the same were paid"
            )
        }
    };
    format!("{CHEAT} rendered a quarter of the samples {end}")
}

/// The demo's verdict on itself.
pub fn exit(ending: &Ending) -> Exit {
    let holds = |check: &LedgerCheck| check.sum_is_zero && check.verified;
    let outcome = &ending.outcome;
    let ledger = holds(&ending.ledger) && holds(&outcome.ledger);
    let picture = outcome.picture.is_right() && outcome.watched.incomplete.is_empty();
    let money = match fate(&outcome.farm.nodes) {
        _ if ending.honest => true,
        Fate::Undetected => false,
        Fate::Unpaid => true,
        // Our own scene has no tile that looks right at a quarter of the samples.
        Fate::PaidForSome => !ending.our_scene,
    };
    if ledger && picture && money { Exit::Done } else { Exit::Failed }
}

#[cfg(test)]
mod tests {
    use protocol::view::Reputation;
    use protocol::{NodeId, PublicKey, RayCount, Tokens};

    use super::*;

    fn node(name: &str, refused: u64, barred: bool, earned: Tokens) -> NodeView {
        NodeView {
            equipment: protocol::Equipment::default(),
            node: NodeId([1; 32]),
            name: name.to_owned(),
            backend: "cpu".to_owned(),
            owner: PublicKey([1; 32]),
            ask_per_gray: Tokens::ZERO,
            base_per_gray: Tokens::ZERO,
            class: None,
            barred,
            reputation: Reputation { refused, ..Reputation::default() },
            verified: 0,
            rays: RayCount::default(),
            claimed_rays_per_second: 0,
            shown_rays_per_second: None,
            earned,
            held: Tokens::ZERO,
            stake: Tokens::ZERO,
            leases: 0,
            seen_ms: 0,
        }
    }

    #[test]
    fn a_cheat_that_was_paid_or_never_seen_is_told_from_one_that_was_caught() {
        let check = |nodes: &[NodeView], expected| assert_eq!(fate(nodes), expected);
        let one = Tokens::from_micro(1);
        check(&[], Fate::Undetected);
        check(&[node("ada", 1, true, Tokens::ZERO)], Fate::Undetected);
        check(&[node(CHEAT, 0, false, one)], Fate::Undetected);
        check(&[node(CHEAT, 1, false, Tokens::ZERO)], Fate::Undetected);
        check(&[node(CHEAT, 1, true, one)], Fate::PaidForSome);
        check(&[node("ada", 0, false, one), node(CHEAT, 1, true, Tokens::ZERO)], Fate::Unpaid);
    }
}
