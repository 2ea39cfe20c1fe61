//! Transfers a second by batch size, durable and signed, against sled with flush as baseline; and
//! how fast a ledger opens and verifies. Single runs on whatever disk holds the temporary
//! directory: read them as "about this".
//!
//! `cargo bench --profile release -p ledger`

use std::time::{Duration, Instant};

use ledger::{Code, Ledger, Link, Options, Transfer, account, offline, transfer_id};
use protocol::{Digest, JobId, NodeId, SigningKey, Tokens, wire};

const RUN: Duration = Duration::from_secs(2);
const BATCHES: [usize; 5] = [1, 10, 100, 1000, 8000];

fn main() {
    // `cargo test --benches` runs this too; it measures only when asked to.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("batch  ledger/s  with index/s  sled flush/s (baseline, not power-safe)");
    for batch in BATCHES {
        let without = ledger_rate(batch, false);
        let with = ledger_rate(batch, true);
        let sled = sled_rate(batch);
        println!("{batch:5}  {without:8.0}  {with:12.0}  {sled:12.0}");
    }
    opening();
}

/// The `number`th pay of a job, as the scheduler writes it.
fn pay(number: u64) -> Transfer {
    let bytes = number.to_le_bytes();
    let node = NodeId(Digest::of("bench node", &[&[bytes[0] % 64]]).0);
    let pair = (account::issuance(), account::held(node));
    let link = Link::job(JobId([7; 16])).with_evidence(Digest::of("bench", &[&bytes]));
    let id = transfer_id("bench", &[&bytes]);
    Transfer::posted(id, pair, Tokens::from_micro(1000), Code::Pay).with_link(link)
}

fn rate(batch: usize, mut commit: impl FnMut(&[Transfer])) -> f64 {
    let (mut done, start) = (0_u64, Instant::now());
    while start.elapsed() < RUN {
        let transfers: Vec<Transfer> = (done..done + batch as u64).map(pay).collect();
        commit(&transfers);
        done += batch as u64;
    }
    done as f64 / start.elapsed().as_secs_f64()
}

fn ledger_rate(batch: usize, index: bool) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), index);
    rate(batch, |transfers| {
        ledger.apply(transfers, 1).expect("applies");
    })
}

/// What a ledger on sled alone would write: the transfer, its id, two balances; then a flush.
fn sled_rate(batch: usize) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let db = sled::Config::new().path(dir.path()).open().expect("opens");
    let mut seq = 0_u64;
    rate(batch, |transfers| {
        let mut writes = sled::Batch::default();
        for transfer in transfers {
            seq += 1;
            writes.insert(&seq.to_be_bytes(), wire::encode(transfer));
            writes.insert(&transfer.id.0, &seq.to_be_bytes());
            for account in [transfer.debit, transfer.credit] {
                writes.insert(&account.id().0, &(u128::from(seq)).to_be_bytes());
            }
        }
        db.apply_batch(writes).expect("writes");
        db.flush().expect("flushes");
    })
}

fn opening() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ledger = open(dir.path(), false);
    for start in (0..200_000).step_by(100) {
        let batch: Vec<Transfer> = (start..start + 100).map(pay).collect();
        ledger.apply(&batch, 1).expect("applies");
    }
    let (size, key) = (ledger.head().size, ledger.key());
    drop(ledger);
    let bytes: u64 = std::fs::read_dir(dir.path().join(ledger::JOURNAL_DIR))
        .expect("lists")
        .map(|file| file.expect("a file").metadata().expect("its size").len())
        .sum();
    let timed = |name: &str, run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        let seconds = start.elapsed().as_secs_f64();
        println!("{name} {size} entries: {seconds:.2} s, {:.0}/s", size as f64 / seconds);
    };
    println!("{} bytes a transfer in the journal", bytes / size);
    timed("open", &mut || drop(open(dir.path(), false)));
    timed("verify, every signature,", &mut || {
        offline::verify(dir.path(), key, &[]).expect("verifies");
    });
    timed("rebuild the index of", &mut || {
        offline::rebuild(dir.path(), key).expect("rebuilds");
    });
}

fn open(dir: &std::path::Path, index: bool) -> Ledger {
    let options = Options { index, ..Options::default() };
    Ledger::open(dir, SigningKey::from_bytes(&[1; 32]), &options).expect("opens")
}
