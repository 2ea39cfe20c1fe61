//! Which nodes a job is for, as people type it and read it.

use std::num::NonZeroU32;

use clap::{Args, ValueEnum};
use client::Description;
use client::description::{BackendName, NeedsWords};
use protocol::{BackendKind, Footprint, Needs, Pool, PublicKey, Reach};
use serde_json::{Value, json};

use crate::exit::{Exit, WithExit as _};
use crate::{text, values};

/// Bytes of a gigabyte.
pub const GIGABYTE: u64 = 1_000_000_000;

/// Which nodes may render a job.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Nodes")]
pub struct NeedsArgs {
    /// Only your own nodes: those whose --owner is your key file. Nobody else is shown the scene
    #[arg(long, conflicts_with = "owners")]
    only_mine: bool,
    /// Only nodes of these owners, with commas. Nobody else is shown the scene
    #[arg(long, value_name = "KEY,…", value_delimiter = ',')]
    owners: Vec<PublicKey>,
    /// Only nodes that say they are in this pool
    #[arg(long, value_name = "NAME")]
    pool: Option<Pool>,
    /// Only nodes that say they render on this
    #[arg(long, value_enum)]
    backend: Option<KindName>,
    /// Only nodes that say they have so much memory for a scene, gigabytes
    #[arg(long, value_name = "GB", value_parser = values::gigabytes)]
    memory: Option<NonZeroU32>,
}

/// What a node renders on, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindName {
    /// The CPU
    Cpu,
    /// A GPU
    Gpu,
}

impl KindName {
    /// What is meant.
    pub const fn kind(self) -> BackendKind {
        match self {
            Self::Cpu => BackendKind::Cpu,
            Self::Gpu => BackendKind::Gpu,
        }
    }
}

impl NeedsArgs {
    /// Puts what is typed into a description.
    pub fn describe(&self, description: &mut Description) {
        let mut needs = description.needs.take().unwrap_or_default();
        if self.only_mine || !self.owners.is_empty() {
            needs.only_mine = self.only_mine;
            needs.owners = self.owners.iter().map(ToString::to_string).collect();
        }
        needs.pool = self.pool.as_ref().map(ToString::to_string).or(needs.pool);
        let backend = self.backend.map(|kind| match kind {
            KindName::Cpu => BackendName::Cpu,
            KindName::Gpu => BackendName::Gpu,
        });
        needs.backend = backend.or(needs.backend);
        needs.memory_gb = self.memory.map(NonZeroU32::get).or(needs.memory_gb);
        description.needs = (needs != NeedsWords::default()).then_some(needs);
    }

    /// What is asked of nodes by whoever has this key.
    fn needs(&self, me: PublicKey) -> anyhow::Result<Needs> {
        let mut description = Description::default();
        self.describe(&mut description);
        let needs = description.needs.unwrap_or_default().needs(me);
        needs.exit(Exit::Usage)
    }

    /// The same, with what an earlier job asked where nothing else is said.
    ///
    /// # Errors
    /// Usage: an owner or a pool that is none.
    pub fn over(&self, earlier: &Needs, me: PublicKey) -> anyhow::Result<Needs> {
        let Needs { owners, pool, backend, memory_bytes } = self.needs(me)?;
        Ok(Needs {
            owners: if owners.is_empty() { earlier.owners.clone() } else { owners },
            pool: pool.or_else(|| earlier.pool.clone()),
            backend: backend.or(earlier.backend),
            memory_bytes: if memory_bytes == 0 { earlier.memory_bytes } else { memory_bytes },
        })
    }
}

/// How many nodes may render a quoted job: those that meet its needs, where it has any, and of these
/// those that can hold its scene.
pub fn reach_lines(needs: &Needs, memory: Footprint, reach: Reach) -> Vec<String> {
    let Reach { known, meet, hold, here } = reach;
    let line = |is_warning: bool, name: &str, words: String| {
        format!("  {:<12}{words}", if is_warning { "warning" } else { name })
    };
    let mut lines = Vec::new();
    if !needs.is_nothing() {
        let nodes = text::plural(known.into(), "node", "nodes");
        let of_all = match meet {
            0 if known == 0 => {
                format!("the farm has no node that meets what the job needs ({needs})")
            }
            0 => format!("none of the farm's {nodes} meets what the job needs ({needs})"),
            1 => format!("1 of the farm's {nodes} meets what the job needs ({needs})"),
            _ => format!(
                "{} of the farm's {nodes} meet what the job needs ({needs})",
                text::count(meet.into())
            ),
        };
        let waits = if meet == 0 { ": it waits until one comes" } else { "" };
        lines.push(line(meet == 0, "nodes", format!("{of_all}{waits}")));
    }
    let nodes = text::plural(meet.into(), "node", "nodes");
    let (word, takes) = ("memory", format!("the scene takes {memory}"));
    match (meet, hold, here) {
        (0, ..) => lines.push(line(false, word, takes)),
        (_, 0, _) => {
            let what = "use smaller textures or fewer triangles, or wait for larger nodes";
            lines.push(line(true, word, format!("{takes}: none of {nodes} can hold it; {what}")));
        }
        _ => {
            let holds = format!("{takes}: {} of {nodes} can hold it", text::count(hold.into()));
            let (is_away, here) = match here {
                0 => (true, "none of them is here now: it waits for one".to_owned()),
                here => (false, format!("{} of them here now", text::count(here.into()))),
            };
            lines.push(line(is_away, word, format!("{holds}, {here}")));
        }
    }
    lines
}

/// Memory that a scene takes, as an object.
pub fn memory_json(memory: Footprint) -> Value {
    json!({ "cpu_bytes": memory.cpu_bytes, "gpu_bytes": memory.gpu_bytes })
}

/// What a job asks of nodes; null where any may render it.
pub fn json(needs: &Needs) -> Value {
    if needs.is_nothing() {
        return Value::Null;
    }
    json!({
        "owners": needs.owners.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "pool": needs.pool.as_ref().map(Pool::as_str),
        "backend": needs.backend.map(BackendKind::word),
        "memory_bytes": (needs.memory_bytes > 0).then_some(needs.memory_bytes),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        needs: NeedsArgs,
    }

    fn parsed(words: &[&str]) -> Result<NeedsArgs, String> {
        let line = Line::try_parse_from([&["tessera"], words].concat());
        line.map(|line| line.needs).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_typed_stays_as_it_was() {
        let me = PublicKey([1; 32]);
        let earlier = parsed(&["--only-mine", "--memory", "8"]).expect("a sound line").needs(me);
        let earlier = earlier.expect("sound");
        let over = |words: &[&str]| {
            parsed(words).expect("a sound line").over(&earlier, me).expect("sound")
        };
        assert_eq!(over(&[]), earlier);
        // A scene that nobody else was to see is not shown to others for a word about memory.
        let more = over(&["--memory", "16", "--backend", "gpu"]);
        assert_eq!((more.sole_owner(), more.memory_bytes), (Some(me), 16 * GIGABYTE));
        assert_eq!(more.backend, Some(BackendKind::Gpu));
    }

    #[test]
    fn what_is_typed_is_asked_of_nodes() {
        let (me, friend) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let needs = |words: &[&str]| parsed(words).expect("a sound line").needs(me).expect("sound");
        assert_eq!(needs(&[]), Needs::default());
        assert_eq!(needs(&["--only-mine"]).sole_owner(), Some(me));
        let both = format!("{me},{friend}");
        assert_eq!(needs(&["--owners", &both]).owners, [me, friend].into());
        let all = needs(&["--pool", "night", "--backend", "gpu", "--memory", "8"]);
        assert_eq!(all.to_string(), "pool night, backend gpu, memory of 8 GB or more");
        for words in [
            ["--pool", "Night Shift"],
            ["--memory", "0"],
            ["--owners", "me"],
            ["--backend", "auto"],
        ] {
            let error = parsed(&words).expect_err("refused");
            assert!(error.contains(words[1]), "{error}");
        }
        assert!(parsed(&["--only-mine", "--owners", &both]).is_err());
    }

    #[test]
    fn who_orders_for_nobody_is_warned_with_figures() {
        let night = Needs { pool: "night".parse().ok(), ..Needs::default() };
        let memory = Footprint::in_steps(3_000_000_000, 2_000_000_000);
        let lines = |needs: &Needs, known, meet, hold, here| {
            reach_lines(needs, memory, Reach { known, meet, hold, here })
        };
        let nobody = lines(&night, 12, 0, 0, 0).join("\n");
        assert!(nobody.contains("warning") && nobody.contains("none of the farm's 12 nodes meets"));
        assert!(nobody.contains("(pool night)"), "{nobody}");
        let nobody = lines(&night, 0, 0, 0, 0).join("\n");
        assert!(nobody.contains("the farm has no node that meets"), "{nobody}");
        let one = lines(&night, 1, 1, 1, 1).join("\n");
        assert!(one.contains("1 of the farm's 1 node meets what the job needs"), "{one}");
        let away = lines(&night, 12, 3, 3, 0).join("\n");
        assert!(away.contains("warning") && away.contains("none of them is here now"), "{away}");
        let fine = lines(&night, 12, 3, 3, 2);
        let wanted = "  memory      the scene takes 3 GB on a CPU, 2 GB on a GPU: 3 of 3 nodes can hold it, 2 of them here now";
        assert!(fine.len() == 2 && fine[1] == wanted, "{fine:?}");
        assert!(!fine[0].contains("warning"), "{fine:?}");
        let small = lines(&Needs::default(), 12, 12, 0, 0);
        assert!(small.len() == 1 && small[0].starts_with("  warning     the scene takes 3 GB"));
        assert!(small[0].contains("none of 12 nodes can hold it; use smaller"), "{small:?}");
        let empty = lines(&Needs::default(), 0, 0, 0, 0);
        assert_eq!(empty, ["  memory      the scene takes 3 GB on a CPU, 2 GB on a GPU"]);
    }
}
