//! Which verdicts were told already: one small file, so that a restart does not tell them again.

use std::io;
use std::path::{Path, PathBuf};

use protocol::PublicKey;

/// Number of the last verdict told, by scheduler.
#[derive(Debug)]
pub(crate) struct SeenVerdicts {
    path: PathBuf,
    last: Option<(PublicKey, u64)>,
}

impl SeenVerdicts {
    /// Reads the file of the folder; a missing or damaged one means that nothing was told.
    pub(crate) fn load(folder: &Path) -> Self {
        let path = folder.join("verdicts");
        let last = std::fs::read_to_string(&path).ok().and_then(|text| parse(&text));
        Self { path, last }
    }

    /// Number of the last verdict of `scheduler` that was told; 0 at first.
    pub(crate) fn after(&self, scheduler: PublicKey) -> u64 {
        self.last.filter(|(key, _)| *key == scheduler).map_or(0, |(_, number)| number)
    }

    /// Notes a number. Losing the note is harmless: a verdict is told twice then.
    pub(crate) fn note(&mut self, scheduler: PublicKey, number: u64) {
        self.last = Some((scheduler, number));
        if let Err(error) = self.write(scheduler, number) {
            tracing::debug!(%error, "the verdicts told were not noted");
        }
    }

    fn write(&self, scheduler: PublicKey, number: u64) -> io::Result<()> {
        let draft = self.path.with_extension("new");
        std::fs::write(&draft, format!("{scheduler} {number}\n"))?;
        std::fs::rename(&draft, &self.path)
    }
}

fn parse(text: &str) -> Option<(PublicKey, u64)> {
    let (key, number) = text.trim().split_once(' ')?;
    Some((key.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outlive_a_restart_and_belong_to_a_scheduler() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ours, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let mut seen = SeenVerdicts::load(folder.path());
        assert_eq!(seen.after(ours), 0);
        seen.note(ours, 41);
        let seen = SeenVerdicts::load(folder.path());
        assert_eq!((seen.after(ours), seen.after(other)), (41, 0));
        std::fs::write(folder.path().join("verdicts"), "key_11 many").expect("written");
        assert_eq!(SeenVerdicts::load(folder.path()).after(ours), 0);
    }
}
