//! A ledger of a million entries: how long its snapshots hold up who waits for an acknowledgement,
//! how long it takes to open, and what each command takes. Single runs on whatever disk holds the temporary directory.
//!
//! `cargo bench --profile release -p ledger --bench million`; `TESSERA_BENCH_LEDGER_ENTRIES`
//! makes another size.

use std::path::Path;
use std::time::{Duration, Instant};

use ledger::offline::{self, Against, Format, Wanted};
use ledger::{
    Account, Audit, Code, JOURNAL_DIR, Ledger, Link, Options, ProverError, TREE_DIR, Transfer,
    account, transfer_id,
};
use protocol::{JobId, NodeId, PublicKey, SigningKey, Tokens};

const ENTRIES: &str = "TESSERA_BENCH_LEDGER_ENTRIES";
/// Transfers of a batch; each waits for the disk.
const BATCH: usize = 100;
/// Films of a job: each sets pay aside, pays, and brings a fee.
const FILMS: u64 = 16;

fn main() {
    // `cargo test --benches` runs this too; it measures only when asked to.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let entries = std::env::var(ENTRIES).map_or(1_000_000, |text| text.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("a directory");
    for snapshot_entries in [0, Options::SNAPSHOT_ENTRIES] {
        std::fs::remove_dir_all(dir.path()).expect("removes");
        let options = Options { index: false, snapshot_entries, ..Options::default() };
        println!("snapshots every {snapshot_entries} entries");
        fill(dir.path(), entries, &options);
    }
    let options = Options { index: false, ..Options::default() };
    let without = Options { audit: false, ..options.clone() };
    println!(
        "files: {} MiB of segments, {} MiB of snapshots",
        mib(dir.path(), "segment"),
        mib(dir.path(), "snapshot")
    );
    let mut ledger = timed("open", || open(dir.path(), &options));
    let (size, at) = (ledger.books().size(), ledger.opened_at());
    println!(
        "  from the snapshot at {at} of {size}, {} accounts",
        ledger.books().accounts().count()
    );
    let found = timed("audit in the background", || ledger.wait_for_audit());
    assert!(matches!(found, Audit::Holds { .. }), "{found:?}");
    drop(ledger);
    timed("verify, every signature", || offline::verify(dir.path(), public(), &[]).expect("holds"));
    for file in std::fs::read_dir(dir.path().join(JOURNAL_DIR)).expect("lists") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|end| end == "snapshot") {
            std::fs::remove_file(path).expect("removes");
        }
    }
    let ledger = timed("open without a snapshot", || open(dir.path(), &without));
    assert_eq!(ledger.opened_at(), 0);
    timed("close, with a snapshot", || drop(ledger));
    let ledger = timed("open from the one that closing wrote", || open(dir.path(), &without));
    assert_eq!(ledger.opened_at(), size);
    drop(ledger);
    commands(dir.path(), size);
    in_use(dir.path(), size);
}

/// What a ledger in use proves from the hashes that it keeps.
fn in_use(dir: &Path, size: u64) {
    let mut ledger =
        open(dir, &Options { snapshot_entries: 0, audit: false, ..Options::default() });
    let note = ledger.checkpoint_if_behind().expect("stored");
    let prover = ledger.prover().expect("kept");
    timed("hashes of the whole journal", || {
        loop {
            match prover.consistency(1, &note) {
                Err(ProverError::NotThere { .. }) => {}
                proven => break proven.expect("proves"),
            }
        }
    });
    let count = 4000;
    let all: Vec<u64> = (0..count).map(|at| at * (size - 1) / (count - 1)).collect();
    let mut times: Vec<(Duration, Duration)> = Vec::new();
    for &seq in &all {
        let start = Instant::now();
        prover.entries(&[seq], &note).expect("proves");
        let entry = start.elapsed();
        let start = Instant::now();
        prover.consistency(seq, &note).expect("proves");
        times.push((entry, start.elapsed()));
    }
    let at = |share: f64, mut all: Vec<Duration>| {
        all.sort();
        ms(all[((all.len() - 1) as f64 * share) as usize])
    };
    for (what, all) in [
        ("prove an entry", times.iter().map(|(entry, _)| *entry).collect::<Vec<_>>()),
        ("show that the ledger goes on", times.iter().map(|(_, growth)| *growth).collect()),
    ] {
        let (p50, p99) = (at(0.5, all.clone()), at(0.99, all.clone()));
        println!("{what}: {p50:.2} ms at p50, {p99:.2} at p99, {:.2} at most", at(1.0, all));
    }
    timed("prove 4000 entries all over the ledger", || {
        prover.entries(&all, &note).expect("proves")
    });
    let near: Vec<u64> = (size / 2..size / 2 + count).collect();
    timed("prove 4000 entries in a row", || prover.entries(&near, &note).expect("proves"));
    drop(ledger);
    let tree: u64 = std::fs::read_dir(dir.join(TREE_DIR))
        .expect("lists")
        .map(|file| file.and_then(|file| file.metadata()).expect("its size").len())
        .sum();
    println!("  {} MiB of hashes", tree >> 20);
    let ledger = open(dir, &Options { snapshot_entries: 0, audit: false, ..Options::default() });
    let prover = ledger.prover().expect("kept");
    timed("the first proof after opening", || prover.entries(&[size / 2], &note).expect("proves"));
}

/// Each command once.
fn commands(dir: &Path, size: u64) {
    let (signing, last) = (key(), transfer_id("order", &[&[0; 8], &[0; 8]]));
    let against = Against { kept: None, key: Some(&signing) };
    for (what, wanted) in [
        ("prove a transfer", Wanted::Transfer(last)),
        ("prove a balance", Wanted::Account(account::fee().id())),
    ] {
        let proof = timed(what, || offline::prove(dir, public(), wanted, against).expect("proves"));
        let start = Instant::now();
        proof.check(public()).expect("holds");
        let (bytes, us) = (proof.to_text().len(), start.elapsed().as_micros());
        println!("  {bytes} bytes, checked in {us} µs");
    }
    timed("balance", || offline::balances(dir, public()).expect("reads"));
    let account = account::fee().id();
    timed("statement", || offline::statement(dir, public(), account, 0, Some(100)).expect("reads"));
    let copy = tempfile::tempdir().expect("a directory");
    for what in ["backup", "backup again, nothing new"] {
        let made = || offline::backup(dir, public(), copy.path()).expect("backs up");
        let copied = timed(what, made);
        println!("  {} MiB", copied.bytes >> 20);
    }
    let to = copy.path().join("restored");
    timed("restore", || offline::restore(copy.path(), public(), &to, &[]).expect("restores"));
    for (what, format) in [
        ("export as JSON lines", Format::Jsonl),
        ("export as CSV", Format::Csv),
        ("export as Beancount", Format::Beancount),
    ] {
        let path = copy.path().join("export");
        let file = std::fs::File::create(&path).expect("creates");
        let mut file = std::io::BufWriter::new(file);
        timed(what, || offline::export(dir, public(), format, &mut file).expect("exports"));
        println!("  {} MiB", std::fs::metadata(&path).expect("its size").len() >> 20);
    }
    let entries = timed("rebuild the index", || offline::rebuild(dir, public()).expect("rebuilds"));
    assert_eq!(entries, size);
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn public() -> PublicKey {
    protocol::sign::public_key(&key())
}

fn open(dir: &Path, options: &Options) -> Ledger {
    Ledger::open(dir, key(), options).expect("opens")
}

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = run();
    println!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    done
}

fn mib(dir: &Path, extension: &str) -> u64 {
    let files = std::fs::read_dir(dir.join(JOURNAL_DIR)).expect("lists");
    let files = files.map(|file| file.expect("a file"));
    let of_kind = files.filter(|file| file.path().extension().is_some_and(|end| end == extension));
    of_kind.map(|file| file.metadata().expect("its size").len()).sum::<u64>() >> 20
}

/// Jobs from order to refund, in batches; says how long the batches took.
fn fill(dir: &Path, entries: u64, options: &Options) {
    let mut ledger = open(dir, options);
    let (mut waiting, mut took) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for number in 0.. {
        waiting.extend(job(number));
        while waiting.len() >= BATCH {
            let batch: Vec<Transfer> = waiting.drain(..BATCH).collect();
            let asked = Instant::now();
            ledger.apply(&batch, number).expect("applies");
            took.push(asked.elapsed());
        }
        if ledger.books().size() >= entries {
            break;
        }
    }
    let rate = ledger.books().size() as f64 / start.elapsed().as_secs_f64();
    took.sort();
    let at = |share: f64| ms(took[((took.len() - 1) as f64 * share) as usize]);
    println!(
        "  {rate:.0} transfers/s; a batch of {BATCH} took {:.2} ms at p50, {:.2} at p99, {:.2} at p99.9, {:.2} at most",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    if let (Some(newest), problem) = ledger.snapshot_status() {
        println!("  newest snapshot at {newest}, {problem:?}");
        open_as_killed(dir, options);
    }
}

/// Opens a copy of a ledger that nobody has closed.
fn open_as_killed(dir: &Path, options: &Options) {
    let copy = tempfile::tempdir().expect("a directory");
    let (from, to) = (dir.join(JOURNAL_DIR), copy.path().join(JOURNAL_DIR));
    std::fs::create_dir(&to).expect("makes");
    for file in std::fs::read_dir(from).expect("lists") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copies");
    }
    let without = Options { audit: false, snapshot_entries: 0, ..options.clone() };
    let ledger = timed("open as a kill leaves it", || open(copy.path(), &without));
    let (size, at) = (ledger.books().size(), ledger.opened_at());
    println!("  from the snapshot at {at} of {size}");
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A job's transfers: grant, order, films, refund.
fn job(number: u64) -> Vec<Transfer> {
    let bytes = number.to_le_bytes();
    let id = |what: &str, film: u64| transfer_id(what, &[&bytes, &film.to_le_bytes()]);
    let (mut job, mut owner) = ([0; 16], [0; 32]);
    job[..8].copy_from_slice(&bytes);
    owner[..8].copy_from_slice(&(number % 1000).to_le_bytes());
    let job = JobId(job);
    let (wallet, escrow) = (account::wallet(PublicKey(owner)), account::escrow(job));
    let micro = Tokens::from_micro;
    let posted = |what, pair: (Account, Account), amount, code| {
        Transfer::posted(id(what, 0), pair, micro(amount), code).with_link(Link::job(job))
    };
    let mut all = vec![
        posted("grant", (account::issuance(), wallet), 1000 * u128::from(FILMS), Code::Grant),
        posted("order", (wallet, escrow), 1000 * u128::from(FILMS), Code::Escrow),
    ];
    for film in 0..FILMS {
        let held = account::held(NodeId([(film % 64) as u8; 32]));
        let lease = Transfer::pending(id("lease", film), (escrow, held), micro(900), Code::Pay, 0)
            .with_link(Link::job(job));
        all.push(lease.clone());
        all.push(Transfer::post(id("pay", film), &lease, micro(800)));
        let fee = Transfer::posted(id("fee", film), (escrow, account::fee()), micro(50), Code::Fee);
        all.push(fee.with_link(Link::job(job)));
    }
    all.push(posted("refund", (escrow, wallet), 150 * u128::from(FILMS), Code::Refund));
    all
}
