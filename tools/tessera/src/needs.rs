//! Which nodes a job is for, as people type it and read it.

use std::num::NonZeroU32;

use clap::{Args, ValueEnum};
use protocol::{BackendKind, Needs, Pool, PublicKey, Reach};
use serde_json::{Value, json};

use crate::text;

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
    #[arg(long, value_name = "GB")]
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

impl NeedsArgs {
    /// What is asked of nodes by whoever has this key.
    pub fn needs(&self, me: PublicKey) -> Needs {
        let mine = self.only_mine.then_some(me);
        Needs {
            owners: self.owners.iter().copied().chain(mine).collect(),
            pool: self.pool.clone(),
            backend: self.backend.map(|kind| match kind {
                KindName::Cpu => BackendKind::Cpu,
                KindName::Gpu => BackendKind::Gpu,
            }),
            memory_bytes: self.memory.map_or(0, |count| u64::from(count.get()) * GIGABYTE),
        }
    }

    /// The same, with what an earlier job asked where nothing else is said.
    pub fn over(&self, earlier: &Needs, me: PublicKey) -> Needs {
        let Needs { owners, pool, backend, memory_bytes } = self.needs(me);
        Needs {
            owners: if owners.is_empty() { earlier.owners.clone() } else { owners },
            pool: pool.or_else(|| earlier.pool.clone()),
            backend: backend.or(earlier.backend),
            memory_bytes: if memory_bytes == 0 { earlier.memory_bytes } else { memory_bytes },
        }
    }
}

/// How many nodes may render a job that is not for every node.
pub fn reach_line(needs: &Needs, reach: &Reach) -> Option<String> {
    if needs.is_nothing() {
        return None;
    }
    let Reach { known, meet, here } = *reach;
    let of_all = format!(
        "{} of the farm's {} meet what the job needs ({needs})",
        text::count(meet.into()),
        text::plural(known.into(), "node", "nodes")
    );
    Some(match (meet, here) {
        (0, _) => format!("  warning     {of_all}: it waits until one comes"),
        (_, 0) => format!("  warning     {of_all}, and none of them is here now: it waits for one"),
        _ => format!("  nodes       {of_all}, {} of them here now", text::count(here.into())),
    })
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
        let over = |words: &[&str]| parsed(words).expect("a sound line").over(&earlier, me);
        assert_eq!(over(&[]), earlier);
        // A scene that nobody else was to see is not shown to others for a word about memory.
        let more = over(&["--memory", "16", "--backend", "gpu"]);
        assert_eq!((more.sole_owner(), more.memory_bytes), (Some(me), 16 * GIGABYTE));
        assert_eq!(more.backend, Some(BackendKind::Gpu));
    }

    #[test]
    fn what_is_typed_is_asked_of_nodes() {
        let (me, friend) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let needs = |words: &[&str]| parsed(words).expect("a sound line").needs(me);
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
        let needs = Needs { pool: "night".parse().ok(), ..Needs::default() };
        let line = |known, meet, here| reach_line(&needs, &Reach { known, meet, here });
        assert_eq!(reach_line(&Needs::default(), &Reach::default()), None);
        let nobody = line(12, 0, 0).expect("a warning");
        assert!(nobody.contains("warning") && nobody.contains("0 of the farm's 12 nodes"));
        assert!(nobody.contains("(pool night)"), "{nobody}");
        assert!(line(12, 3, 0).expect("a warning").contains("none of them is here now"));
        let fine = line(12, 3, 2).expect("a line");
        assert!(!fine.contains("warning") && fine.contains("2 of them here"), "{fine}");
    }
}
