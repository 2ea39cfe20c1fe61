//! One's own node on this machine, as it runs: a process that the app starts.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use farm_node::{Duty, Hold, RunAnyway, Wishes};
use protocol::JobId;

use super::lending::Lending;

/// Lines that are kept of what the node has said.
const LINES: usize = 200;
/// How long a person runs his node although he uses the machine, milliseconds.
pub const ANYWAY_MS: u64 = 3_600_000;
/// How long a node must have been up for its end not to count among those before, milliseconds.
pub const STEADY_MS: u64 = 600_000;
/// Times that a node that ends by itself is started again, before a person is asked.
pub const RESTARTS: u32 = 3;

/// How far the node's process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Run {
    /// There is none.
    #[default]
    Off,
    /// It starts: driver, self-test, benchmark, the farm's admission.
    Preparing,
    /// It works for the farm, or waits for work.
    Up,
    /// It hands in what is at hand and ends.
    Stopping,
}

/// What the node is at.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Doing {
    /// It waits for work.
    #[default]
    Waiting,
    /// A scene is on its way.
    Fetching {
        /// Bytes that are here.
        come: u64,
        /// Bytes of the scene.
        of: u64,
    },
    /// It renders.
    Rendering {
        /// The job.
        job: Option<JobId>,
        /// The tile's number.
        tile: u64,
    },
    /// It finishes what is at hand.
    Finishing,
    /// It rests.
    Paused {
        /// The reason's name.
        kind: String,
        /// Why, and how it ends, in words.
        reason: String,
    },
}

/// A card and how it is; what its driver does not tell is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CardVitals {
    /// Its name.
    pub name: String,
    /// °C.
    pub temperature_c: Option<f64>,
    /// Watts.
    pub power_w: Option<f64>,
    /// Percent.
    pub fan_percent: Option<u64>,
    /// Memory used and in all, bytes.
    pub memory: Option<(u64, u64)>,
}

/// How the machine is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vitals {
    /// Its cards.
    pub cards: Vec<CardVitals>,
    /// The processor's temperature, °C.
    pub cpu_temperature_c: Option<f64>,
    /// Disk that scenes take, bytes.
    pub cache_bytes: u64,
    /// Bytes fetched since the start.
    pub fetched_bytes: u64,
    /// Bytes sent since the start.
    pub sent_bytes: u64,
}

/// What the node says, or what becomes of its process.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A line of what it says, as it is.
    Said(serde_json::Value),
    /// It has ended.
    Ended {
        /// Why, where it was not asked to; in a sentence.
        trouble: Option<String>,
    },
}

/// One's own node.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// How far its process is.
    pub run: Run,
    /// What it is at.
    pub doing: Doing,
    /// What it renders on.
    pub backend: Option<String>,
    /// Its number at the farm.
    pub id: Option<String>,
    /// Metered rays a second of the built-in scene.
    pub rays_per_second: Option<u64>,
    /// Whether the farm has admitted it.
    pub is_connected: bool,
    /// How its machine is.
    pub vitals: Option<Vitals>,
    /// Tiles accepted since the start, and what they paid, tokens.
    pub accepted: u64,
    /// Sum of what they paid, millionths of a token.
    pub paid_micro: u128,
    /// Tiles refused since the start.
    pub refused: u64,
    /// How it last left the machine to a person: why, and how quickly, seconds.
    pub yielded: Option<(String, f64)>,
    /// What went wrong last.
    pub trouble: Option<String>,
    /// Whether it is to hold.
    pub hold: Option<Hold>,
    /// Whether it works although a person uses the machine.
    pub anyway: Option<RunAnyway>,
    /// Since when the farm has had it, milliseconds since 1970.
    pub up_since_ms: Option<u64>,
    /// Times that it was started again by itself since a person started it.
    pub restarts: u32,
    /// What it has said, in words, the newest last.
    pub lines: VecDeque<String>,
}

/// A step of the ladder: what the node is at, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// In a word or two.
    pub name: &'static str,
    /// More of it: why, and how it ends.
    pub more: String,
}

impl Node {
    /// What the node is at, in words.
    #[must_use]
    pub fn rung(&self) -> Rung {
        let rung = |name, more: &str| Rung { name, more: more.to_owned() };
        match (self.run, &self.doing) {
            (Run::Off, _) => match &self.trouble {
                Some(why) => rung("Off", why),
                None => rung("Off", "It renders nothing and earns nothing"),
            },
            (Run::Stopping, _) => rung("Stopping", "It hands in what is at hand"),
            (Run::Preparing, _) => rung("Preparing", "Driver, self-test, benchmark"),
            (Run::Up, _) if !self.is_connected => {
                rung("Looking for the farm", self.trouble.as_deref().unwrap_or_default())
            }
            (Run::Up, Doing::Waiting) => rung("Ready", "It waits for work"),
            (Run::Up, Doing::Fetching { come, of }) => {
                let percent = come * 100 / (*of).max(1);
                rung("Fetching a scene", &format!("{percent} %"))
            }
            (Run::Up, Doing::Rendering { job, tile }) => {
                rung("Rendering for others", &format!("{}, tile {tile}", short(*job)))
            }
            (Run::Up, Doing::Finishing) => rung("Finishing", "This tile, then it pauses"),
            (Run::Up, Doing::Paused { reason, .. }) => {
                rung("Paused", &crate::words::capital(reason))
            }
        }
    }

    /// Whether it pauses for a person's comfort, which he may override.
    #[must_use]
    pub fn may_run_anyway(&self) -> bool {
        let comfort = ["user-active", "exclusive", "full-screen", "schedule", "battery"];
        match &self.doing {
            Doing::Paused { kind, .. } => self.run == Run::Up && comfort.contains(&kind.as_str()),
            _other => false,
        }
    }

    /// Whether it is the battery that it pauses for.
    #[must_use]
    pub fn pauses_for_battery(&self) -> bool {
        matches!(&self.doing, Doing::Paused { kind, .. } if kind == "battery")
    }

    /// What its owner wishes of it now.
    #[must_use]
    pub fn wishes(&self, lending: &Lending) -> Wishes {
        let mega = |mb: u32| NonZeroU64::new(u64::from(mb) * 1_000_000);
        Wishes {
            hold: self.hold,
            run_anyway: self.anyway,
            manners: Some(lending.manners()),
            duty_percent: Duty::try_from(lending.duty_percent.clamp(1, 100)).ok(),
            down_bytes_per_second: mega(lending.down_mb),
            up_bytes_per_second: mega(lending.up_mb),
            cache_bytes: NonZeroU64::new(u64::from(lending.cache_gb.max(1)) * 1_000_000_000),
            unwanted: lending.unwanted.clone(),
            vitals: true,
        }
    }

    /// The job that it renders a tile of.
    #[must_use]
    pub const fn job(&self) -> Option<JobId> {
        match (self.run, &self.doing) {
            (Run::Up, Doing::Rendering { job, .. }) => *job,
            _other => None,
        }
    }

    /// Takes in what the node says, or that it has ended.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Said(said) => self.hear(&said),
            Event::Ended { trouble } => {
                let last = std::mem::take(self);
                *self = Self {
                    lines: last.lines,
                    restarts: last.restarts,
                    id: last.id,
                    hold: last.hold.filter(|_| trouble.is_some()),
                    anyway: last.anyway.filter(|_| trouble.is_some()),
                    trouble,
                    ..Self::default()
                };
            }
        }
    }

    /// A line of `tessera node --json`; docs/node.md has what each means. What is not known is left
    /// out: a newer node says more.
    fn hear(&mut self, said: &serde_json::Value) {
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        let words = match said["event"].as_str().unwrap_or_default() {
            "started" => {
                self.backend = Some(text("backend"));
                self.id = Some(text("node"));
                format!("Started on {}", text("backend"))
            }
            "benchmarked" => {
                self.rays_per_second = said["rays_per_second"].as_u64();
                let rays = self.rays_per_second.unwrap_or_default();
                format!("{} rays a second", crate::words::count(rays))
            }
            "connected" => {
                self.run = if self.run == Run::Stopping { Run::Stopping } else { Run::Up };
                self.is_connected = true;
                self.trouble = None;
                "The farm has let it in".to_owned()
            }
            "fetching" => {
                let number = |name: &str| said[name].as_u64().unwrap_or_default();
                let (come, of) = (number("received_bytes"), number("size_bytes"));
                // A pause is told when it changes, not again and again.
                if !matches!(self.doing, Doing::Paused { .. } | Doing::Finishing) {
                    self.doing = Doing::Fetching { come, of };
                }
                return;
            }
            "rendering" => {
                let unit = &said["unit"];
                let job = unit["job"].as_str().and_then(|id| id.parse::<JobId>().ok());
                let tile = unit["tile"].as_u64().unwrap_or_default();
                self.doing = Doing::Rendering { job, tile };
                format!("Rendering tile {tile} of {}", short(job))
            }
            "submitted" | "dropped" => {
                if matches!(self.doing, Doing::Rendering { .. } | Doing::Fetching { .. }) {
                    self.doing = Doing::Waiting;
                }
                match said["reason"].as_str() {
                    Some(reason) => format!("Gave a tile back: {reason}"),
                    None => return,
                }
            }
            "accepted" => {
                self.accepted += 1;
                let pay = said["pay"].as_str().and_then(|pay| pay.parse::<protocol::Tokens>().ok());
                self.paid_micro += pay.map_or(0, |pay| pay.micro());
                format!("Accepted, {} tokens", text("pay"))
            }
            "refused" | "wrong-finding" => {
                self.refused += 1;
                "A tile was refused; see its evidence under My node".to_owned()
            }
            "finishing" => {
                self.doing = Doing::Finishing;
                "Finishing this tile, then pausing".to_owned()
            }
            "paused" => {
                self.doing = Doing::Paused { kind: text("kind"), reason: text("reason") };
                format!("Paused: {}", text("reason"))
            }
            "resumed" => {
                self.doing = Doing::Waiting;
                "Goes on".to_owned()
            }
            "yielded" => {
                let seconds = said["seconds"].as_f64().unwrap_or_default();
                self.yielded = Some((text("kind"), seconds));
                format!("Left the machine to you within {:.0} ms", seconds * 1e3)
            }
            "vitals" => {
                self.vitals = Some(vitals(said));
                return;
            }
            "error" => {
                let message = crate::words::capital(&text("message"));
                self.trouble = Some(message.clone());
                message
            }
            _other => return,
        };
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(words);
    }
}

/// A job for people.
fn short(job: Option<JobId>) -> String {
    job.map_or_else(|| "a job".to_owned(), |job| job.short())
}

fn vitals(said: &serde_json::Value) -> Vitals {
    let cards = said["cards"].as_array().map_or(&[][..], Vec::as_slice).iter().map(|card| {
        let memory = (card["memory_used_bytes"].as_u64(), card["memory_bytes"].as_u64());
        CardVitals {
            name: card["name"].as_str().unwrap_or_default().to_owned(),
            temperature_c: card["temperature_c"].as_f64(),
            power_w: card["power_w"].as_f64(),
            fan_percent: card["fan_percent"].as_u64(),
            memory: memory.0.zip(memory.1),
        }
    });
    Vitals {
        cards: cards.collect(),
        cpu_temperature_c: said["cpu_temperature_c"].as_f64(),
        cache_bytes: said["cache_bytes"].as_u64().unwrap_or_default(),
        fetched_bytes: said["fetched_bytes"].as_u64().unwrap_or_default(),
        sent_bytes: said["sent_bytes"].as_u64().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(lines: &[serde_json::Value]) -> Node {
        let mut node = Node { run: Run::Preparing, ..Node::default() };
        lines.iter().for_each(|line| node.apply(Event::Said(line.clone())));
        node
    }

    #[test]
    fn the_ladder_is_what_the_node_says() {
        let up = || vec![json!({"event": "connected"})];
        let rung = |more: serde_json::Value| told(&[up(), vec![more]].concat()).rung();
        assert_eq!(Node::default().rung().name, "Off");
        assert_eq!(told(&[]).rung().name, "Preparing");
        assert_eq!(told(&up()).rung().name, "Ready");
        let unit = json!({"job": "job_3f001122334455663f00112233445566", "tile": 52});
        let rendering = rung(json!({"event": "rendering", "unit": unit}));
        assert_eq!(
            (rendering.name, rendering.more.as_str()),
            ("Rendering for others", "job_3f001122, tile 52")
        );
        let reason = "you are using this machine; resumes 5 min after you stop";
        let paused = rung(json!({"event": "paused", "kind": "user-active", "reason": reason}));
        assert_eq!(paused.name, "Paused");
        assert!(paused.more.starts_with("You are using this machine; resumes"), "{}", paused.more);
        assert_eq!(rung(json!({"event": "finishing"})).name, "Finishing");
        assert_eq!(rung(json!({"event": "news of a newer version"})).name, "Ready");
    }

    #[test]
    fn only_comfort_is_overridden() {
        let paused = |kind: &str| {
            told(&[
                json!({"event": "connected"}),
                json!({"event": "paused", "kind": kind, "reason": "so"}),
            ])
        };
        for kind in ["user-active", "exclusive", "full-screen", "schedule", "battery"] {
            assert!(paused(kind).may_run_anyway(), "{kind}");
        }
        for kind in ["too-hot", "disk-full", "sleep", "barred", "held", "backend-lost"] {
            assert!(!paused(kind).may_run_anyway(), "{kind}");
        }
        assert!(
            paused("battery").pauses_for_battery() && !paused("full-screen").pauses_for_battery()
        );
    }

    #[test]
    fn an_end_that_nobody_asked_for_is_told_and_what_was_said_stays() {
        let mut node = told(&[json!({"event": "connected"}), json!({"event": "resumed"})]);
        node.apply(Event::Ended { trouble: Some("It was killed".to_owned()) });
        assert_eq!((node.run, node.rung().more.as_str()), (Run::Off, "It was killed"));
        assert_eq!(node.lines.len(), 2);
    }

    #[test]
    fn what_a_driver_does_not_tell_is_missing() {
        let node =
            told(&[json!({"event": "vitals", "cards": [{"name": "Card"}], "cache_bytes": 7})]);
        let vitals = node.vitals.expect("told");
        assert_eq!(vitals.cards[0].temperature_c, None);
        assert_eq!((vitals.cards[0].memory, vitals.cache_bytes), (None, 7));
    }
}
