//! What a machine must have to be a node, checked for real.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use farm_node::cards::Card;
use farm_node::health::{self, Health};
use farm_node::manners;
use sandbox::{Attempt, Outcome, Patience, Setup, Trial, Worker};
use serde_json::{Value, json};

use crate::door;
use crate::interrupt::Interrupt;
use crate::text;

/// The first moment of 2026, seconds: no clock that is right shows less.
const NO_EARLIER_S: u64 = 1_767_225_600;
/// Memory below which many scenes do not fit, bytes.
const MEMORY_SMALL_BYTES: u64 = 4 << 30;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// A node runs all the same.
    Note,
    /// A node should not run here.
    Bad,
}

impl State {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }
}

/// A check: what was looked at, what was found, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it came out.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it; empty where there is nothing to do.
    pub advice: String,
}

impl Check {
    fn new(name: &str, state: State, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state, found: found.into(), advice: advice.into() }
    }

    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, State::Ok, found, "")
    }

    /// As an object.
    pub fn json(&self) -> Value {
        let Self { name, state, found, advice } = self;
        json!({ "check": name, "state": state.word(), "found": found, "advice": advice })
    }
}

/// Everything that needs no farm.
pub fn machine(setup: &Setup, data: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    match worker(setup) {
        Ok(mut worker) => {
            checks.push(Check::ok("backend", worker.description()));
            checks.push(self_test(&mut worker));
            checks.extend(sandbox(&mut worker));
        }
        Err(error) => checks.push(Check::new(
            "backend",
            State::Bad,
            format!("{error:#}"),
            "try --backend cpu; nothing renders before this is healed",
        )),
    }
    checks.push(memory(setup));
    let (cards, silent) = farm_node::cards::cards();
    checks.extend(cards.iter().map(card));
    let advice = "install what the driver's package calls its utilities";
    checks.extend(silent.map(|why| Check::new("graphics card", State::Note, why, advice)));
    checks.push(clock(SystemTime::now()));
    checks.extend(observed(manners::can_observe(data.to_owned())));
    checks
}

fn worker(setup: &Setup) -> anyhow::Result<Worker> {
    let program = sandbox::own_program().context("our own program is not found")?;
    Ok(Worker::start(program, setup.clone(), Patience::default())?)
}

fn self_test(worker: &mut Worker) -> Check {
    let name = "self-test";
    let on_cpu = worker.description().starts_with("cpu");
    let film = match worker.golden(&health::golden_settings(), health::golden_batch()) {
        Ok(film) => film,
        Err(error) => {
            let advice = "a node does not start here; try --backend cpu";
            return Check::new(name, State::Bad, error.to_string(), advice);
        }
    };
    match health::judge(&film, on_cpu) {
        Health::Exact => Check::ok(name, "the built-in scene, equal bit for bit"),
        Health::Tolerant { differing } => Check::new(
            name,
            State::Note,
            format!("the built-in scene within tolerance, {differing} pixels beyond it"),
            "the farm checks such films more often; nothing to do",
        ),
        Health::Sick { differing } => Check::new(
            name,
            State::Bad,
            format!("the built-in scene is wrong, {differing} pixels differ"),
            "undo any overclocking, check the memory, update the graphics driver; a node does not start here",
        ),
    }
}

/// The walls that the worker names, and its own attempts to get over them.
fn sandbox(worker: &mut Worker) -> Vec<Check> {
    let walls = worker.confinement().clone();
    let mut checks: Vec<Check> = walls
        .gaps()
        .map(|gap| {
            let advice = "the other walls stand for it as far as the next line says";
            Check::new(&format!("wall: {}", gap.wall.name()), State::Note, &*gap.words, advice)
        })
        .collect();
    checks.push(match attempts(worker) {
        Ok(attempts) => judge(&attempts, cfg!(target_os = "linux")),
        Err(error) => {
            let advice = "report it; --no-sandbox renders in the node's own process";
            Check::new("sandbox", State::Bad, format!("{error:#}"), advice)
        }
    });
    checks
}

fn attempts(worker: &mut Worker) -> anyhow::Result<Vec<Attempt>> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let file = folder.path().join("key");
    std::fs::write(&file, "nothing secret").context("no temporary file")?;
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    let address = listener.local_addr().context("no free port")?;
    Ok(worker.attempts(Trial { address, file, folder: folder.path().to_owned() })?)
}

fn judge(attempts: &[Attempt], has_walls: bool) -> Check {
    let through = attempts.iter().filter(|attempt| attempt.outcome == Outcome::Done);
    let through: Vec<&str> = through.map(|attempt| attempt.what.as_str()).collect();
    let refused = attempts.iter().filter(|it| matches!(it.outcome, Outcome::Refused(_))).count();
    let count = attempts.len();
    if !through.is_empty() {
        let found = format!("a hostile scene could {}", through.join(", "));
        return if has_walls {
            let advice = "use a kernel with seccomp; whoever runs a node here trusts its scenes";
            Check::new("sandbox", State::Bad, found, advice)
        } else {
            let advice = "on this system a process of its own is all there is yet";
            Check::new("sandbox", State::Note, found, advice)
        };
    }
    let found = format!("{refused} of {count} attempts to break out were refused, none succeeded");
    let state = if refused == count { State::Ok } else { State::Note };
    Check::new("sandbox", state, found, "")
}

fn memory(setup: &Setup) -> Check {
    let found = format!("a worker may use {:.1} GB", setup.limit_bytes as f64 / 1e9);
    if setup.limit_bytes < MEMORY_SMALL_BYTES {
        let advice = "large scenes will be given back; close other programs, or add memory";
        return Check::new("memory", State::Note, found, advice);
    }
    Check::ok("memory", found)
}

/// What the kernel tells of a graphics card.
fn card(card: &Card) -> Check {
    if card.is_silent() {
        let advice = "a node takes its memory from --gpu-memory, and does not see how hot it is";
        return Check::new("graphics card", State::Note, card.to_string(), advice);
    }
    Check::ok("graphics card", card.to_string())
}

fn clock(now: SystemTime) -> Check {
    let now_s = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if now_s < NO_EARLIER_S {
        let found = format!("{now_s} s since 1970, which is in the past");
        return Check::new("clock", State::Bad, found, "set the clock; leases have deadlines");
    }
    Check::ok("clock", "not in the past; compared with nobody's")
}

fn observed(seen: Vec<(&'static str, Result<String, String>)>) -> Vec<Check> {
    let check = |(name, seen): (&str, Result<String, String>)| match seen {
        Ok(found) => Check::ok(name, found),
        Err(why) => {
            let advice = "rules of `tessera node` about it have no effect here";
            Check::new(name, State::Note, why, advice)
        }
    };
    seen.into_iter().map(check).collect()
}

/// Whether the farm answers, to a key made for the question.
pub fn farm(ticket: &str, interrupt: &Interrupt) -> anyhow::Result<Check> {
    let ticket = door::ticket(ticket)?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let asked = door::block_on(async {
        let key = folder.path().join("key");
        let asking = door::connect_as(&key, ticket, interrupt);
        let wait = Duration::from_secs(20);
        let farm =
            tokio::time::timeout(wait, asking).await.context("nobody answered in 20 s")??;
        let view = farm.farm().await;
        farm.close().await;
        Ok(view?)
    });
    Ok(match asked {
        Ok(view) => {
            let nodes = text::plural(view.nodes.len() as u64, "node", "nodes");
            Check::ok("farm", format!("answers; {nodes} heard of lately"))
        }
        Err(error) => Check::new(
            "farm",
            State::Bad,
            format!("{error:#}"),
            "check the ticket, the network and any firewall (UDP); both need the same release",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_went_through_is_bad() {
        let attempt = |outcome| Attempt { what: "open a UDP socket".to_owned(), outcome };
        let refused = || attempt(Outcome::Refused("no".to_owned()));
        assert_eq!(judge(&[refused(), refused()], true).state, State::Ok);
        let unclear = attempt(Outcome::Unclear("who knows".to_owned()));
        assert_eq!(judge(&[refused(), unclear], true).state, State::Note);
        let through = [refused(), attempt(Outcome::Done)];
        let check = judge(&through, true);
        assert_eq!(check.state, State::Bad);
        assert_eq!(check.found, "a hostile scene could open a UDP socket");
        assert_eq!(judge(&through, false).state, State::Note);
    }

    #[test]
    fn a_clock_of_the_past_is_bad() {
        assert_eq!(clock(UNIX_EPOCH).state, State::Bad);
        assert_eq!(clock(UNIX_EPOCH + Duration::from_secs(NO_EARLIER_S)).state, State::Ok);
    }
}
