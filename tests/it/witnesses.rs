use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, Outcome, PATIENCE, Process};
use proof::witness;
use protocol::PublicKey;

/// Published at once, so that a test need not wait for a minute.
const SETTINGS: &str = "publish_ms = 0\n";

/// An operator who can go back: whole folders of the scheduler under other names.
struct Operator {
    farm: Farm,
    key: PublicKey,
}

impl Operator {
    fn new() -> Result<Self> {
        let farm = Farm::start(SETTINGS)?;
        let ledger = farm.path("scheduler").join("ledger");
        let key = ledger::offline::claimed_key(&ledger).context("the ledger names no key")?;
        Ok(Self { farm, key })
    }

    /// Lets newcomers in, each of whom gets a grant: the ledger grows by one entry for each.
    fn grow(&self, newcomers: &[&str]) -> Result<()> {
        for name in newcomers {
            // A folder each: what one of them keeps is not the others'.
            let key = self.farm.path(name).join("key");
            self.farm.ask(&["wallet", "balance", "--key", &key.display().to_string()])?;
        }
        Ok(())
    }

    /// Stops the scheduler, puts its folder by under a name, and goes on with a copy of another.
    fn go_on_with(&mut self, other: &str, put_by: &str) -> Result<()> {
        self.farm.kill_scheduler()?;
        fs::rename(self.farm.path("scheduler"), self.farm.path(put_by))?;
        copy(&self.farm.path(other), &self.farm.path("scheduler"))?;
        self.farm.start_scheduler()
    }

    /// Runs a node until it has looked at the ledger, and says how many entries it saw.
    fn shown_to(&self, node: &str) -> Result<u64> {
        let process = self.farm.start_node(node, &["--json"])?;
        let line = process.wait_for_line(|line| line.contains("\"witnessed\""))?;
        let event: serde_json::Value = serde_json::from_str(&line)?;
        process.kill()?;
        event["entries"].as_u64().context("no count of entries")
    }

    /// Runs a node that must end by itself, and says why it did.
    fn refused_by(&self, node: &str) -> Result<String> {
        let outcome = self.farm.start_node(node, &["--json"])?.wait(PATIENCE)?;
        ensure!(outcome.code == Some(1), "the node works for a farm that forks:\n{outcome}");
        Ok(outcome.stderr.join("\n"))
    }

    fn kept(&self, node: &str) -> PathBuf {
        self.farm.path(node).join("checkpoints").join(format!("{}.txt", self.key))
    }

    fn evidence(&self, node: &str) -> PathBuf {
        self.kept(node).with_extension("forked")
    }

    fn run(&self, words: &[&str]) -> Result<Outcome> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Process::start("tessera", &self.farm.path(""), &words)?.wait(PATIENCE)
    }

    /// Compares what two nodes keep.
    fn compare(&self, nodes: [&str; 2], rest: &[&str]) -> Result<Outcome> {
        let [one, other] = nodes.map(|node| self.kept(node).display().to_string());
        self.run(&[&["ledger", "compare", &one, &other], rest].concat())
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let path = file?.path();
        let to = to.join(path.file_name().context("a name")?);
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}

fn said(outcome: &Outcome) -> String {
    [&outcome.stdout[..], &outcome.stderr[..]].concat().join("\n")
}

#[test]
fn an_operator_with_two_histories_is_found() -> Result<()> {
    let mut operator = Operator::new()?;
    operator.grow(&["ada"])?;
    let before = operator.shown_to("attic")?;

    // One history, shown to the attic; another from the same beginning, shown to the barn.
    operator.farm.kill_scheduler()?;
    copy(&operator.farm.path("scheduler"), &operator.farm.path("beginning"))?;
    operator.farm.start_scheduler()?;
    operator.grow(&["bob"])?;
    let one = operator.shown_to("attic")?;
    ensure!(one > before, "{before} entries, then {one}");
    operator.go_on_with("beginning", "one")?;
    operator.grow(&["carol"])?;
    ensure!(operator.shown_to("barn")? == one, "as many entries, of other people");

    // Whoever compares what the two keep needs nobody else: two roots of as many entries.
    let compared = operator.compare(["attic", "barn"], &[])?;
    assert_eq!(compared.code, Some(1), "{compared}");
    assert!(said(&compared).contains("signed two histories"), "{compared}");

    // Of other lengths, the farm would have to show how one goes on from the other.
    operator.grow(&["dora"])?;
    operator.shown_to("barn")?;
    let compared = operator.compare(["attic", "barn"], &[])?;
    assert_eq!(compared.code, Some(2), "{compared}");
    assert!(said(&compared).contains("must be shown"), "{compared}");
    let ticket = format!("@{}", operator.farm.path("ticket").display());
    let compared = operator.compare(["attic", "barn"], &["--farm", &ticket])?;
    assert_eq!(compared.code, Some(1), "{compared}");
    assert!(said(&compared).contains("does not go on from"), "{compared}");

    // A co-signature of one history does not fit the other.
    let notes = ["attic", "barn"].map(|node| fs::read_to_string(operator.kept(node)));
    let [attic, barn] = notes;
    let (attic, barn) = (attic?, barn?);
    let lines = attic.lines().filter(|line| line.contains("tessera/witness/"));
    let lines: Vec<&str> = lines.collect();
    assert!(!lines.is_empty(), "the attic has co-signed:\n{attic}");
    assert!(lines.iter().all(|line| witness::check_line(&attic, line).is_some()));
    assert!(lines.iter().all(|line| witness::check_line(&barn, line).is_none()));

    // Shown to the same node one after the other: refused, with evidence, again and again.
    for _restart in 0..2 {
        let words = operator.refused_by("attic")?;
        assert!(words.contains("cannot be believed") && words.contains("evidence"), "{words}");
    }
    let evidence = operator.evidence("attic");
    assert_eq!(fs::read_to_string(evidence.join("kept.txt"))?, attic);
    let shown = fs::read_to_string(evidence.join("shown.txt"))?;
    let shown = proof::Consistency::parse(&shown)?.checkpoint(operator.key)?;
    assert!(shown.size > one);
    // The evidence speaks to whoever has the farm's key alone.
    let files = ["kept.txt", "shown.txt"].map(|name| evidence.join(name).display().to_string());
    let compared = operator.run(&["ledger", "compare", &files[0], &files[1], "--farm", &ticket])?;
    assert_eq!(compared.code, Some(1), "{compared}");

    // Until a person decides.
    let attic_dir = operator.farm.path("attic").display().to_string();
    let listed = operator.run(&["ledger", "witnessed", "--data", &attic_dir, "--json"])?;
    assert!(listed.objects()?[0]["forked"].is_string(), "{listed}");
    let key = operator.key.to_string();
    let accept = ["ledger", "witnessed", "--data", &attic_dir, "--accept", &key];
    let accepted = operator.run(&accept)?;
    assert_eq!(accepted.code, Some(0), "{accepted}");
    assert_eq!(operator.shown_to("attic")?, shown.size);
    assert!(evidence.with_extension("settled-1").join("kept.txt").is_file());
    Ok(())
}

#[test]
fn a_ledger_that_was_rolled_back_is_found_by_whoever_has_seen_more() -> Result<()> {
    let mut operator = Operator::new()?;
    operator.grow(&["ada"])?;
    operator.shown_to("barn")?;
    operator.farm.kill_scheduler()?;
    copy(&operator.farm.path("scheduler"), &operator.farm.path("backup"))?;
    operator.farm.start_scheduler()?;
    operator.grow(&["bob", "carol"])?;
    let seen = operator.shown_to("attic")?;

    // Restored from a backup: the ledger holds, but it is shorter than it was.
    operator.go_on_with("backup", "lost")?;
    let words = operator.refused_by("attic")?;
    assert!(words.contains("it was rolled back"), "{words}");
    // Bob has seen more as well, and orders nothing here any more, though he got his grant once
    // again: his third entry is another. Ada has not.
    let ticket = format!("@{}", operator.farm.path("ticket").display());
    let key = operator.farm.path("bob").join("key").display().to_string();
    let bob = operator.run(&["wallet", "balance", "--farm", &ticket, "--key", &key])?;
    assert_eq!(bob.code, Some(1), "{bob}");
    assert!(said(&bob).contains("two histories of its first 3 entries"), "{bob}");
    operator.grow(&["ada"])?;
    // Whoever was never shown the lost part cannot know.
    assert!(operator.shown_to("barn")? < seen);

    // The lost part comes back: now it is the barn that was shown another history.
    operator.go_on_with("lost", "restored")?;
    let words = operator.refused_by("barn")?;
    assert!(words.contains("there are two histories"), "{words}");
    // What the attic was shown does not go away.
    assert!(operator.refused_by("attic")?.contains("it was rolled back"));
    Ok(())
}
