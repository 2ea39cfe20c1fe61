//! A disk for tests: real files beside a model of which bytes and names a power cut would spare.
//!
//! The model is as unkind as POSIX allows: nothing survives but bytes that a sync covered, under
//! names that a sync of their directory covered; a failed sync drops what it should have written,
//! and the next one succeeds without it, as Linux does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::Digest;

use super::disk::{Disk, Output, SystemDisk};

/// Bytes that reach the disk together in [`Data::Torn`].
const SECTOR_BYTES: usize = 64;

/// What goes wrong, and at which of the numbered write points.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// Power fails at this point: nothing works any more. Had it been a write, so many of its
    /// bytes were taken in.
    pub crash: Option<(u64, usize)>,
    /// These points report an error.
    pub errors: Range<u64>,
    /// Points that report an error do their work all the same; writes do half of theirs.
    pub has_effect: bool,
    /// Bytes that a write still finds room for.
    pub room: Option<usize>,
    /// Shortening reports an error.
    pub cut: bool,
    /// Syncing a file reports an error.
    pub sync: bool,
}

/// A point at which something could go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub what: &'static str,
    /// Bytes written.
    pub bytes: usize,
}

/// Which names survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Those whose directory was synced.
    Synced,
    /// All: the system wrote them in time by itself.
    All,
}

/// Which bytes survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    /// Those that were synced.
    Synced,
    /// All: the system wrote them in time by itself, or only the process was killed.
    All,
    /// The files have grown, but what was not synced reads as zeros.
    Zeroed,
    /// Every other sector was written in time.
    Torn,
    /// Sectors were written in time or not as drawn from this seed.
    Drawn(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Dir,
    File(usize),
}

#[derive(Debug, Clone, Default)]
struct Contents {
    live: Vec<u8>,
    /// Which of `live` the next sync writes.
    dirty: Vec<bool>,
    synced: Vec<u8>,
}

#[derive(Debug)]
struct Sim {
    faults: Faults,
    points: Vec<Point>,
    is_dead: bool,
    files: Vec<Contents>,
    live: BTreeMap<PathBuf, Name>,
    synced: BTreeMap<PathBuf, Name>,
}

/// What a point does.
#[derive(Debug, PartialEq)]
enum Verdict {
    Works,
    /// Does so much, if anything, and reports an error.
    Fails(Option<usize>),
}

/// A disk below one directory.
#[derive(Debug, Clone)]
pub(crate) struct SimDisk {
    root: PathBuf,
    sim: Arc<Mutex<Sim>>,
}

impl SimDisk {
    /// What lies in `root` now is safe.
    pub(crate) fn new(root: &Path, faults: Faults) -> Self {
        let (files, live) = (Vec::new(), BTreeMap::new());
        let synced = BTreeMap::new();
        let mut sim = Sim { faults, points: Vec::new(), is_dead: false, files, live, synced };
        sim.adopt(root);
        sim.synced.clone_from(&sim.live);
        Self { root: root.to_owned(), sim: Arc::new(Mutex::new(sim)) }
    }

    pub(crate) fn set(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// The points passed so far.
    pub(crate) fn points(&self) -> Vec<Point> {
        self.lock().points.clone()
    }

    /// Whether power has failed.
    pub(crate) fn is_dead(&self) -> bool {
        self.lock().is_dead
    }

    /// Makes in the empty directory `into` what is found there when power is back.
    pub(crate) fn survivors(&self, names: Names, data: Data, into: &Path) {
        let sim = self.lock();
        let found = if names == Names::All { &sim.live } else { &sim.synced };
        for (path, name) in found {
            let to = into.join(path.strip_prefix(&self.root).expect("below the root"));
            if !to.parent().is_some_and(Path::is_dir) {
                // The directory it was in did not survive.
                continue;
            }
            match name {
                Name::Dir => fs::create_dir(to).expect("makes"),
                Name::File(file) => fs::write(to, sim.files[*file].after(data)).expect("writes"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sim> {
        self.sim.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a point that does `work` or not.
    fn pass(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut Sim) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut sim = self.lock();
        match sim.point(what, 0) {
            Verdict::Works => work(&mut sim),
            Verdict::Fails(effect) => {
                if effect.is_some() && !sim.is_dead {
                    work(&mut sim)?;
                }
                Err(io::Error::other("the disk failed"))
            }
        }
    }
}

impl Contents {
    fn after(&self, data: Data) -> Vec<u8> {
        let safe = |at: usize| self.synced.get(at).copied().unwrap_or(0);
        let is_safe = |at: usize| self.synced.get(at) == Some(&self.live[at]);
        let live = self.live.iter().enumerate();
        match data {
            Data::Synced => self.synced.clone(),
            Data::All => self.live.clone(),
            Data::Zeroed => live.map(|(at, &b)| if is_safe(at) { b } else { 0 }).collect(),
            Data::Torn | Data::Drawn(_) => {
                let is_written = |at: usize| match (data, at / SECTOR_BYTES) {
                    (Data::Drawn(seed), sector) => {
                        let drawn = [&seed.to_le_bytes()[..], &sector.to_le_bytes()];
                        Digest::of("sectors", &drawn).0[0].is_multiple_of(2)
                    }
                    (_, sector) => sector.is_multiple_of(2),
                };
                live.map(|(at, &b)| if is_written(at) { b } else { safe(at) }).collect()
            }
        }
    }

    fn resize(&mut self, bytes: usize) {
        self.live.resize(bytes, 0);
        self.dirty.resize(bytes, true);
    }
}

impl Sim {
    fn adopt(&mut self, dir: &Path) {
        for file in fs::read_dir(dir).expect("lists") {
            let path = file.expect("a file").path();
            if path.is_dir() {
                self.live.insert(path.clone(), Name::Dir);
                self.adopt(&path);
            } else {
                let live = fs::read(&path).expect("reads");
                let (dirty, synced) = (vec![false; live.len()], live.clone());
                self.live.insert(path, Name::File(self.files.len()));
                self.files.push(Contents { live, dirty, synced });
            }
        }
    }

    fn point(&mut self, what: &'static str, bytes: usize) -> Verdict {
        if self.is_dead {
            return Verdict::Fails(None);
        }
        let number = self.points.len() as u64;
        self.points.push(Point { what, bytes });
        match self.faults.crash {
            Some((at, written)) if at == number => {
                self.is_dead = true;
                Verdict::Fails(Some(written.min(bytes)))
            }
            _ if self.faults.errors.contains(&number) => {
                Verdict::Fails(self.faults.has_effect.then_some(bytes / 2))
            }
            _ => Verdict::Works,
        }
    }

    fn file(&mut self, path: &Path) -> &mut Contents {
        let Some(Name::File(file)) = self.live.get(path) else { panic!("no file: {path:?}") };
        &mut self.files[*file]
    }

    fn write(&mut self, output: &mut Output, at: u64, bytes: &[u8]) -> io::Result<()> {
        SystemDisk.write(output, at, bytes)?;
        let (contents, at) = (self.file(&output.path), at as usize);
        let end = at + bytes.len();
        contents.resize(end.max(contents.live.len()));
        contents.live[at..end].copy_from_slice(bytes);
        contents.dirty[at..end].fill(true);
        Ok(())
    }
}

impl Disk for SimDisk {
    fn share(&self) -> Box<dyn Disk> {
        Box::new(self.clone())
    }

    fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.pass("make a directory", |sim| {
            SystemDisk.make_dir(dir)?;
            sim.live.insert(dir.to_owned(), Name::Dir);
            Ok(())
        })
    }

    fn create(&mut self, path: &Path) -> io::Result<Output> {
        let mut output = None;
        self.pass("create a file", |sim| {
            output = Some(SystemDisk.create(path)?);
            sim.live.insert(path.to_owned(), Name::File(sim.files.len()));
            sim.files.push(Contents::default());
            Ok(())
        })?;
        Ok(output.expect("it worked"))
    }

    fn open(&mut self, path: &Path) -> io::Result<Output> {
        if self.is_dead() { Err(io::Error::other("no power")) } else { SystemDisk.open(path) }
    }

    fn write(&mut self, output: &mut Output, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut sim = self.lock();
        let room = sim.faults.room.unwrap_or(usize::MAX).min(bytes.len());
        match sim.point("write", bytes.len()) {
            Verdict::Works if room == bytes.len() => sim.write(output, at, bytes),
            Verdict::Works => {
                sim.write(output, at, &bytes[..room])?;
                Err(io::ErrorKind::StorageFull.into())
            }
            Verdict::Fails(written) => {
                sim.write(output, at, &bytes[..written.unwrap_or(0)])?;
                Err(io::Error::other("the disk failed"))
            }
        }
    }

    fn sync(&mut self, output: &mut Output) -> io::Result<()> {
        let mut sim = self.lock();
        let verdict = sim.point("sync a file", 0);
        let (is_dead, fails) = (sim.is_dead, sim.faults.sync);
        let has_effect = matches!(verdict, Verdict::Fails(Some(_)));
        let contents = sim.file(&output.path);
        if verdict == Verdict::Works && !fails || has_effect && !is_dead {
            contents.synced.resize(contents.live.len(), 0);
            for at in (0..contents.live.len()).filter(|&at| contents.dirty[at]) {
                contents.synced[at] = contents.live[at];
            }
        }
        if !is_dead {
            contents.dirty.fill(false);
        }
        let works = verdict == Verdict::Works && !fails;
        if works { Ok(()) } else { Err(io::Error::other("the disk failed")) }
    }

    fn cut(&mut self, output: &mut Output, bytes: u64) -> io::Result<()> {
        if self.lock().faults.cut {
            return Err(io::Error::other("the disk failed"));
        }
        self.pass("cut a file", |sim| {
            SystemDisk.cut(output, bytes)?;
            sim.file(&output.path).resize(bytes as usize);
            Ok(())
        })
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.pass("rename a file", |sim| {
            SystemDisk.rename(from, to)?;
            let name = sim.live.remove(from).expect("it was there");
            sim.live.insert(to.to_owned(), name);
            Ok(())
        })
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.pass("remove a file", |sim| {
            SystemDisk.remove(path)?;
            sim.live.remove(path);
            Ok(())
        })
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        if dir != self.root && !dir.starts_with(&self.root) {
            // Above the root all is safe.
            return Ok(());
        }
        self.pass("sync a directory", |sim| {
            let is_here = |path: &PathBuf| path.parent() == Some(dir);
            sim.synced.retain(|path, _| !is_here(path));
            let here = sim.live.iter().filter(|(path, _)| is_here(path));
            sim.synced.extend(here.map(|(path, name)| (path.clone(), *name)));
            Ok(())
        })
    }
}
