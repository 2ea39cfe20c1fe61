//! Power cuts and failing disks at every write point of a ledger's life.

use std::collections::BTreeMap;
use std::path::Path;

use proof::{Code, Entry, Event, Signatures, Transfer, account, entry::transfer_id, ledger_origin};
use protocol::sign::public_key;
use protocol::{JobId, NodeId, PublicKey, SigningKey, Tokens, TransferId};
use tempfile::TempDir;

use crate::apply::ApplyError;
use crate::books::Books;
use crate::journal::sim::{Data, Faults, Names, Point, SimDisk};
use crate::journal::{AppendError, Source, read};
use crate::ledger::{JOURNAL_DIR, Ledger, OpenError, Options};
use crate::offline;
use crate::snapshot::list;

const NAMES: [Names; 2] = [Names::Synced, Names::All];
const DATA: [Data; 4] = [Data::Synced, Data::All, Data::Zeroed, Data::Torn];
/// How many drawings of torn sectors each power cut is tried with besides.
const DRAWINGS: &str = "TESSERA_TEST_LEDGER_DRAWINGS";
/// How often a caller tries what a disk refused.
const TRIES: u32 = 6;

/// In memory where the system has such a place: the disk that matters here is a model.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_none| tempfile::tempdir()).expect("a directory")
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// Small segments, frequent checkpoints and snapshots, so that a short life has several of each.
fn options() -> Options {
    Options {
        index: false,
        audit: false,
        segment_bytes_max: 1200,
        checkpoint_records: 3,
        snapshot_entries: 8,
        ..Options::default()
    }
}

fn id(number: u64) -> TransferId {
    transfer_id("crash", &[&number.to_le_bytes()])
}

fn grant(number: u64) -> Transfer {
    let pair = (account::issuance(), account::wallet(PublicKey([1; 32])));
    Transfer::posted(id(number), pair, Tokens::from_micro(100), Code::Grant)
}

/// A lease out of the wallet, for so long.
fn lease(number: u64, timeout_ms: u64) -> Transfer {
    let pair = (account::wallet(PublicKey([1; 32])), account::held(NodeId([2; 32])));
    Transfer::pending(id(number), pair, Tokens::from_micro(30), Code::Pay, timeout_ms)
}

/// One call of the ledger's owner.
#[derive(Debug, Clone)]
enum Step {
    Reopen,
    Apply(Vec<Vec<Transfer>>),
    Expire,
    Checkpoint,
}

/// A life with a beginning, batches of all kinds, several segments and checkpoints, two closings.
fn life() -> Vec<Step> {
    let one = |transfer: Transfer| Step::Apply(vec![vec![transfer]]);
    let refund = (account::wallet(PublicKey([1; 32])), account::escrow(JobId([3; 16])));
    let order = Transfer::posted(id(4), refund, Tokens::from_micro(20), Code::Escrow);
    let paid = Transfer::post(id(20), &lease(10, 0), Tokens::from_micro(25));
    vec![
        Step::Reopen,
        one(grant(0)),
        one(grant(0)),
        Step::Apply(vec![vec![grant(1), grant(2), order]]),
        Step::Apply(vec![vec![lease(10, 0), lease(11, 2)], vec![grant(3)], vec![grant(5)]]),
        Step::Expire,
        Step::Apply(vec![(30..36).map(grant).collect()]),
        Step::Checkpoint,
        one(paid),
        Step::Reopen,
        one(lease(12, 0)),
        Step::Apply(vec![vec![Transfer::void(id(21), &lease(12, 0)), grant(6)], vec![grant(7)]]),
        Step::Apply(vec![(40..48).map(grant).collect()]),
        one(grant(8)),
        Step::Reopen,
        one(grant(9)),
    ]
}

/// When a step happens, milliseconds.
fn time_ms(step: usize) -> u64 {
    1000 + step as u64
}

/// The owner of a ledger, and what he may rely on.
struct Owner {
    disk: SimDisk,
    root: TempDir,
    ledger: Option<Ledger>,
    /// The books as acknowledged.
    known: Books,
    /// The same with the step that was not acknowledged, if there was one.
    hoped: Books,
    acknowledged: Vec<TransferId>,
}

impl Owner {
    fn new(faults: Faults) -> Self {
        Self::of(directory(), faults, Books::default())
    }

    fn of(root: TempDir, faults: Faults, known: Books) -> Self {
        let disk = SimDisk::new(root.path(), faults);
        let (hoped, acknowledged) = (known.clone(), Vec::new());
        Self { disk, root, ledger: None, known, hoped, acknowledged }
    }

    /// Two directories that do not exist yet lead to the ledger.
    fn open(&self) -> Result<Ledger, OpenError> {
        let dir = self.root.path().join("farm").join("ledger");
        Ledger::open_on(Box::new(self.disk.clone()), &dir, key(), &options())
    }

    /// Takes a step, and keeps in mind what was acknowledged.
    fn step(&mut self, step: &Step, number: usize) -> Result<(), ApplyError> {
        let now_ms = time_ms(number);
        self.hoped = self.known.clone();
        let mut ids = Vec::new();
        match step {
            Step::Apply(batches) => {
                for batch in batches {
                    self.hoped.stage(batch, now_ms).expect("the script is sound");
                    ids.extend(batch.iter().map(|transfer| transfer.id));
                }
                let batches: Vec<&[Transfer]> = batches.iter().map(Vec::as_slice).collect();
                let results = self.opened().apply_all(&batches, now_ms)?;
                assert!(results.iter().all(Result::is_ok), "{results:?}");
            }
            Step::Expire => {
                let due = self.hoped.stage_expiries(now_ms).entries.len();
                assert_eq!(self.opened().expire(now_ms)?.len(), due);
            }
            Step::Checkpoint => drop(self.opened().checkpoint()?),
            Step::Reopen => {
                self.ledger = None;
                self.ledger = self.open().ok();
                if self.ledger.is_none() {
                    let path = self.root.path().to_owned();
                    return Err(AppendError::Closed { path }.into());
                }
            }
        }
        self.acknowledged.extend(ids);
        self.known = self.hoped.clone();
        self.opened().wait_for_snapshot();
        Ok(())
    }

    fn opened(&mut self) -> &mut Ledger {
        self.ledger.as_mut().expect("it is open")
    }

    /// Lives until power fails; says at which step it did.
    fn live(&mut self) -> Option<usize> {
        life().iter().enumerate().find_map(|(number, step)| {
            let failed = self.step(step, number).is_err();
            assert!(!failed || self.disk.is_dead(), "only a power cut fails here");
            failed.then_some(number)
        })
    }

    /// What is there when power is back.
    fn survivors(&self, names: Names, data: Data) -> TempDir {
        let root = directory();
        self.disk.survivors(names, data, root.path());
        root
    }

    /// Checks what a power cut left: it opens, nothing acknowledged is missing or there twice, what
    /// was not acknowledged is there as a whole or not at all, sums are zero, and it goes on.
    fn check(&self, left: TempDir, stopped: Option<usize>, what: &str) {
        let mut next = Self::of(left, Faults::default(), Books::default());
        let ledger = next.open().unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let passed_over = ledger.passed_over();
        assert!(passed_over.is_empty(), "{what}: half a snapshot: {passed_over:?}");
        let books = ledger.books().clone();
        assert!(books == self.known || books == self.hoped, "{what}: neither before nor after");
        assert_eq!(ledger.books().check().err(), None, "{what}");
        let sum: i128 = books.accounts().map(|(_, _, totals)| totals.posted()).sum();
        assert_eq!(sum, 0, "{what}");
        let counts = next.counts();
        for id in &self.acknowledged {
            assert_eq!(counts.get(id), Some(&1), "{what}: {id} was acknowledged");
        }
        assert!(counts.values().all(|&count| count == 1), "{what}: a transfer is there twice");

        // The owner does again what was not acknowledged, and then more.
        (next.known, next.ledger) = (books, Some(ledger));
        if let Some(number) = stopped {
            next.step(&life()[number], number).expect("it goes on");
            assert!(next.known == self.hoped, "{what}: done again, it differs");
        }
        next.step(&Step::Apply(vec![vec![grant(99)]]), 99).expect("it goes on");
        next.step(&Step::Reopen, 100).expect("opens once more");
        assert!(next.ledger.as_ref().is_some_and(|ledger| *ledger.books() == next.known), "{what}");
        let check = next.opened().check();
        assert!(check.verified && check.sum_is_zero, "{what}: {check:?}");
    }

    /// How often each transfer is in the journal, read without the rules that would refuse a
    /// second time.
    fn counts(&self) -> BTreeMap<TransferId, u32> {
        let dir = self.root.path().join("farm").join("ledger").join(JOURNAL_DIR);
        let origin = ledger_origin(public_key(&key()));
        let (key, signatures) = (Some(public_key(&key())), Signatures::Every);
        let source = Source { dir: &dir, origin: &origin, key, signatures, witnessed: &[] };
        let mut counts = BTreeMap::new();
        read(&source, &mut |_seq, bytes| {
            if let Event::Transfer(transfer) = Entry::decode(bytes)?.event {
                *counts.entry(transfer.id).or_insert(0) += 1;
            }
            Ok(())
        })
        .expect("reads");
        counts
    }
}

/// The points of a life in which nothing fails.
fn points() -> Vec<Point> {
    let mut owner = Owner::new(Faults::default());
    assert_eq!(owner.live(), None);
    owner.ledger = None;
    owner.disk.points()
}

/// How much of a write is done when power fails in it.
fn shares(point: Point) -> Vec<usize> {
    match point.bytes {
        0 => vec![0],
        bytes => vec![0, 1, bytes / 2, bytes],
    }
}

#[test]
fn a_life_passes_every_kind_of_point() {
    let points = points();
    for what in [
        "make a directory",
        "create a file",
        "write",
        "sync a file",
        "rename a file",
        "sync a directory",
    ] {
        assert!(points.iter().filter(|point| point.what == what).count() >= 2, "{what}");
    }
    let renames = points.iter().filter(|point| point.what == "rename a file").count();
    assert!(points.len() >= 100 && renames >= 12, "{} points, {renames} renames", points.len());
}

#[test]
fn a_life_writes_snapshots_and_opens_from_them() {
    let mut owner = Owner::new(Faults::default());
    assert_eq!(owner.live(), None);
    let (last, problem) = owner.opened().snapshot_status();
    assert_eq!(problem, None);
    // Both those that a thread writes and those that closing writes.
    let dir = owner.root.path().join("farm").join("ledger").join(JOURNAL_DIR);
    let places: Vec<u64> = list(&dir).expect("lists").into_iter().map(|(size, _)| size).collect();
    assert_eq!(places.len(), 2, "{places:?}");
    assert_eq!(last, Some(places[0]));
    assert!(owner.opened().opened_at() >= 8, "{places:?}");
}

#[test]
fn a_power_cut_at_any_point_loses_nothing_acknowledged() {
    let drawings = std::env::var(DRAWINGS).map_or(1, |text| text.parse().expect("a number"));
    let drawn = (0..drawings).map(|seed| (Names::All, Data::Drawn(seed)));
    let left = NAMES.iter().flat_map(|&names| DATA.map(|data| (names, data)));
    let left: Vec<(Names, Data)> = left.chain(drawn).collect();
    let mut cuts = 0;
    for (at, point) in (0..).zip(points()) {
        for written in shares(point) {
            let mut owner = Owner::new(Faults { crash: Some((at, written)), ..Faults::default() });
            let stopped = owner.live();
            owner.ledger = None;
            assert!(owner.disk.is_dead(), "point {at} was passed");
            for &(names, data) in &left {
                let what = format!(
                    "point {at}, {} ({written} of {} bytes), {names:?} names, {data:?} data",
                    point.what, point.bytes
                );
                owner.check(owner.survivors(names, data), stopped, &what);
                cuts += 1;
            }
        }
    }
    println!("{} write points, {cuts} power cuts", points().len());
}

#[test]
fn a_power_cut_while_recovering_from_one_loses_nothing_acknowledged() {
    let mut cuts = 0;
    for (at, point) in (0..).zip(points()) {
        let crash = Some((at, point.bytes / 2));
        let mut owner = Owner::new(Faults { crash, ..Faults::default() });
        let stopped = owner.live();
        owner.ledger = None;
        for (names, data) in [(Names::All, Data::All), (Names::Synced, Data::Torn)] {
            for second in 0.. {
                let crash = Some((second, 5));
                let faults = Faults { crash, ..Faults::default() };
                let mut next = Owner::of(owner.survivors(names, data), faults, Books::default());
                let opened = next.open();
                if !next.disk.is_dead() {
                    assert!(opened.is_ok(), "nothing failed");
                    break;
                }
                drop(opened);
                // What it knew before is what it must know still.
                next.known = owner.known.clone();
                next.hoped = owner.hoped.clone();
                next.acknowledged.clone_from(&owner.acknowledged);
                for (names, data) in [(Names::Synced, Data::Synced), (Names::All, Data::Torn)] {
                    let what = format!("point {at}, {}, then point {second}", point.what);
                    next.check(next.survivors(names, data), stopped, &what);
                    cuts += 1;
                }
            }
        }
    }
    println!("{cuts} second power cuts");
}

/// Lives on a disk that reports errors: what is refused is tried again, a closed ledger is opened
/// again. Says at which step it gave up.
fn persist(owner: &mut Owner) -> Option<usize> {
    let mut steps = life().into_iter().enumerate();
    steps.find_map(|(number, step)| {
        for _try in 0..TRIES {
            let before = owner.known.clone();
            match owner.step(&step, number) {
                Ok(()) => return None,
                Err(ApplyError::Journal(AppendError::Write { .. })) => {
                    assert!(*owner.opened().books() == before, "what failed was taken back");
                }
                Err(ApplyError::Journal(
                    AppendError::Unsure { .. } | AppendError::Closed { .. },
                )) => {
                    owner.ledger = None;
                    let hoped = owner.hoped.clone();
                    let Some(ledger) = (0..TRIES).find_map(|_try| owner.open().ok()) else {
                        return Some(number);
                    };
                    let is_known = *ledger.books() == before || *ledger.books() == hoped;
                    assert!(is_known, "step {number}: neither before nor after");
                    owner.ledger = Some(ledger);
                }
                Err(error) => panic!("step {number}: {error:?}"),
            }
        }
        Some(number)
    })
}

#[test]
fn an_error_at_any_point_loses_nothing_acknowledged() {
    let count = points().len() as u64;
    for has_effect in [false, true] {
        for at in 0..count {
            for length in [1, 3] {
                let errors = at..at + length;
                let what = format!("errors at points {errors:?}, with effect: {has_effect}");
                let mut owner = Owner::new(Faults { errors, has_effect, ..Faults::default() });
                assert_eq!(persist(&mut owner), None, "{what}");
                // Power fails before it can be closed in order.
                let left = owner.survivors(Names::Synced, Data::Synced);
                owner.check(left, None, &what);
            }
        }
    }
}

#[test]
fn a_power_cut_soon_after_an_error_loses_nothing_acknowledged() {
    let count = points().len() as u64;
    for has_effect in [false, true] {
        for at in 0..count {
            for later in [1, 2, 4, 8] {
                let (errors, crash) = (at..at + 1, Some((at + later, 20)));
                let faults = Faults { errors, crash, has_effect, ..Faults::default() };
                let mut owner = Owner::new(faults);
                let stopped = persist(&mut owner);
                owner.ledger = None;
                let what = format!("an error at point {at}, no power {later} later, {has_effect}");
                owner.check(owner.survivors(Names::Synced, Data::Synced), stopped, &what);
            }
        }
    }
}

#[test]
fn a_disk_that_fails_for_good_loses_nothing_acknowledged() {
    for at in 0..points().len() as u64 {
        let mut owner = Owner::new(Faults { errors: at..u64::MAX, ..Faults::default() });
        let stopped = persist(&mut owner);
        owner.ledger = None;
        for (names, data) in [(Names::Synced, Data::Synced), (Names::All, Data::All)] {
            let what = format!("no disk from point {at}, {data:?} data");
            owner.check(owner.survivors(names, data), stopped, &what);
        }
    }
}

#[test]
fn a_full_disk_that_never_writes_in_place_still_opens() {
    let mut owner = Owner::new(Faults::default());
    owner.live();
    owner.ledger = None;
    owner.disk.set(Faults { room: Some(0), ..Faults::default() });
    let mut ledger = owner.open().expect("opens");
    assert!(*ledger.books() == owner.known);
    let error = ledger.apply(&[grant(99)], time_ms(99)).expect_err("no room");
    assert!(matches!(error, ApplyError::Journal(AppendError::Write { .. })), "{error:?}");
    owner.disk.set(Faults::default());
    ledger.apply(&[grant(99)], time_ms(99)).expect("there is room again");
}

#[test]
fn a_refused_ledger_is_left_as_it_is() {
    let mut owner = Owner::new(Faults::default());
    owner.live();
    owner.ledger = None;
    let dir = owner.root.path().join("farm").join("ledger").join(JOURNAL_DIR);
    std::fs::write(dir.join("checkpoint"), "not one").expect("writes");
    let before = owner.disk.points().len();
    assert!(owner.open().is_err());
    assert_eq!(owner.disk.points().len(), before, "nothing was changed");
    assert!(offline::verify(Path::new(&dir), public_key(&key()), &[]).is_err());
}
