//! Attacks on a farm: each a farm of its own with two honest nodes and one or more that defraud it,
//! all real processes. Prints what became of it, and fails where it came to more than is claimed:
//! an attack paid, an honest node was harmed, or a picture is not, to the bit, that of one machine alone.
//!
//!     cargo xtask attacks [--times N] [NAME…]
//!
//! Held pay counts as kept: what a conviction takes, it has taken by then. Each attack is tried N times,
//! once unless said, and judged by all of them together.
//!
//! *Films until caught* are those that a node had handed in when it was barred, in the worst of all
//! lives; none where one was not. *Harmed* are films of honest nodes that were refused, and honest nodes
//! that were barred.

mod attack;
mod gain;
mod outcome;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::attack::{ATTACKS, Attack, Claim};
use crate::gain::Gain;
use crate::outcome::{HONEST, Outcome};

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
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (mut times, mut wanted) = (1_u32, Vec::new());
    while let Some(word) = words.next() {
        if word == "--times" {
            let number = words.next().unwrap_or_default();
            times = number
                .parse()
                .ok()
                .filter(|&times| times > 0)
                .with_context(|| format!("--times is {number:?}; give a number from 1"))?;
        } else {
            wanted.push(word);
        }
    }
    let is_meant = |attack: &Attack, word: &String| {
        attack.name.contains(word.as_str()) || attack.cheats.contains(&word.as_str())
    };
    if let Some(word) = wanted.iter().find(|word| !ATTACKS.iter().any(|one| is_meant(one, word))) {
        let names: Vec<&str> = ATTACKS.iter().map(|attack| attack.name).collect();
        bail!("no attack is called {word:?}; there are: {}", names.join("; "));
    }
    // Whatever must be built is built before a clock runs.
    farm_tests::tessera();
    print_row(&[
        "attack",
        "barred",
        "films until caught",
        "accepted",
        "refused",
        "verified",
        "tokens kept",
        "gain",
        "at most, 95%",
        "honest node",
        "harmed",
        "wrong",
        "wall s",
    ]);
    let mut all_held = true;
    for attack in ATTACKS {
        if wanted.is_empty() || wanted.iter().any(|word| is_meant(attack, word)) {
            all_held &= tried(attack, times)?;
        }
    }
    Ok(all_held)
}

/// Tries an attack so many times and prints what became of it; whether it came to no more than is
/// claimed.
fn tried(attack: &Attack, times: u32) -> Result<bool> {
    let (mut sum, mut gains) = (Outcome::default(), Vec::new());
    for _ in 0..times {
        let one = outcome::outcome(attack).with_context(|| format!("attack: {}", attack.name))?;
        gains.push(Gain {
            gained: one.cheats.kept as f64 + one.saved(attack),
            most: (one.cheats.kept + one.honest.kept) as f64,
        });
        sum.add(&one);
    }
    let (cheats, honest) = (&sum.cheats, &sum.honest);
    let nodes = attack.cheats.len() as u64 * u64::from(times);
    let of_cheats = |text: String| if nodes == 0 { String::new() } else { text };
    let until_caught = match cheats.barred == nodes {
        true => sum.films_until_caught.to_string(),
        false => "-".to_owned(),
    };
    let row = [
        attack.name.to_owned(),
        format!("{}/{nodes}", cheats.barred),
        of_cheats(until_caught),
        cheats.accepted.to_string(),
        cheats.refused.to_string(),
        cheats.verified.to_string(),
        tokens(cheats.kept as f64),
        of_cheats(tokens(gain::mean(&gains))),
        of_cheats(gain::at_most(&gains).map_or_else(String::new, tokens)),
        tokens(honest.kept as f64 / f64::from(times) / HONEST as f64),
        format!("{}+{}", honest.refused, honest.barred),
        sum.wrong.to_string(),
        format!("{:.1}", sum.wall_s),
    ];
    print_row(&row.each_ref().map(String::as_str));
    if let Some(more) = in_words(attack, &sum, times) {
        println!("    {more}");
    }
    let holds = sum.holds(attack, times);
    if !holds {
        println!("    <- THIS IS NOT AS CLAIMED");
    }
    Ok(holds)
}

/// What there is to say beside the row.
fn in_words(attack: &Attack, sum: &Outcome, times: u32) -> Option<String> {
    let worth = || tokens(sum.first_films(attack, times));
    match attack.claim {
        Claim::FirstFilms => Some(format!("its good films were worth {}", worth())),
        Claim::Work if !attack.cheats.is_empty() => Some(format!(
            "a ray paid {:.4} of what others got; {} of {} films copied, {} of them paid beside the first; the reserve paid {} for twins, {} of it to these nodes",
            sum.pay_beside_others(),
            sum.copied,
            sum.cheats.accepted,
            sum.paid_twice,
            tokens(sum.drained as f64),
            tokens(sum.drained_by_cheats as f64),
        )),
        Claim::Nothing | Claim::Work => None,
    }
}

fn print_row(words: &[&str; 13]) {
    const WIDTHS: [usize; 13] = [38, 8, 20, 10, 9, 10, 13, 11, 14, 13, 8, 7, 8];
    let [name, numbers @ ..] = words;
    let [first, widths @ ..] = WIDTHS;
    print!("{name:<first$}");
    for (word, width) in numbers.iter().zip(widths) {
        print!("{word:>width$}");
    }
    println!();
}

fn tokens(micro: f64) -> String {
    format!("{:.6}", micro / 1e6)
}
