//! Transfers a second and how long one waits, by the number of writers that wait at once: this
//! ledger, and PostgreSQL doing the same double entry on the same disk in the same run.
//!
//! `cargo bench --profile release -p ledger --bench writers`. PostgreSQL is measured when
//! `initdb`, `pg_ctl`, `psql` and `pgbench` are found; as root it runs as the user `postgres`.
//! `TESSERA_BENCH_LEDGER_SECONDS` sets how long each runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ledger::{Account, Code, Ledger, Options, Transfer, account, transfer_id};
use protocol::{PublicKey, SigningKey, Tokens};

const SECONDS: &str = "TESSERA_BENCH_LEDGER_SECONDS";
const WRITERS: [usize; 5] = [1, 16, 64, 256, 1024];
/// `PostgreSQL` takes a process for each.
const POSTGRES_WRITERS_MAX: usize = 256;
/// Batches that share a sync, at most.
const TOGETHER_MAX: usize = 1024;
const WALLETS: u64 = 1000;

fn main() {
    // `cargo test --benches` runs this too; it measures only when asked to.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let seconds = std::env::var(SECONDS).map_or(5, |text| text.parse().expect("a number"));
    let run = Duration::from_secs(seconds);
    let dir = tempfile::tempdir().expect("a directory");
    let postgres = Postgres::start(dir.path());
    println!(
        "writers  ledger/s  p50 ms  p99 ms  indexed/s  p50 ms  p99 ms   PostgreSQL/s  p50 ms  p99 ms"
    );
    for writers in WRITERS {
        let [bare, indexed] = [false, true].map(|index| {
            ledger(&dir.path().join(format!("ledger-{writers}-{index}")), writers, run, index)
        });
        let theirs = match &postgres {
            Ok(postgres) if writers <= POSTGRES_WRITERS_MAX => postgres.run(writers, run),
            _ => String::from("             -       -       -"),
        };
        println!("{writers:7}  {bare}  {indexed}  {theirs}");
    }
    if let Err(why) = postgres {
        println!("without PostgreSQL: {why}");
    }
}

/// Rate, median and 99th percentile.
fn figures(mut waits: Vec<Duration>, took: Duration) -> String {
    waits.sort();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let rate = waits.len() as f64 / took.as_secs_f64();
    format!("{rate:8.0}  {:6.2}  {:6.2}", at(0.5), at(0.99))
}

fn wallet(number: u64) -> Account {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_le_bytes());
    account::wallet(PublicKey(key))
}

/// A transfer that waits to be durable, and whoever waits for it.
type Wish = (Transfer, SyncSender<()>);

/// With sled behind the acknowledgement, or the journal alone.
fn ledger(dir: &Path, writers: usize, run: Duration, index: bool) -> String {
    let options = Options { index, ..Options::default() };
    let mut ledger = Ledger::open(dir, SigningKey::from_bytes(&[1; 32]), &options).expect("opens");
    let grants: Vec<Transfer> = (0..WALLETS)
        .map(|number| {
            let id = transfer_id("grant", &[&number.to_le_bytes()]);
            let pair = (account::issuance(), wallet(number));
            Transfer::posted(id, pair, Tokens::from_whole(1_000_000), Code::Grant)
        })
        .collect();
    ledger.apply(&grants, 1).expect("applies");
    let (wish, wishes) = sync_channel::<Wish>(4 * WRITERS[WRITERS.len() - 1]);
    let start = Instant::now();
    let waits: Vec<Duration> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..writers as u64)
            .map(|writer| {
                let wish = wish.clone();
                scope.spawn(move || write(writer, &wish, start, run))
            })
            .collect();
        drop(wish);
        serve(&mut ledger, &wishes);
        writers.into_iter().flat_map(|writer| writer.join().expect("it writes")).collect()
    });
    figures(waits, start.elapsed())
}

/// One writer: a transfer, and the next when it is durable.
fn write(writer: u64, wish: &SyncSender<Wish>, start: Instant, run: Duration) -> Vec<Duration> {
    let (done, told) = sync_channel(1);
    let mut waits = Vec::new();
    while start.elapsed() < run {
        let number = waits.len() as u64;
        let id = transfer_id("bench", &[&writer.to_le_bytes(), &number.to_le_bytes()]);
        let from = (writer * 7919 + number * 104_729) % WALLETS;
        let pair = (wallet(from), wallet((from + 1 + number % (WALLETS - 1)) % WALLETS));
        let transfer = Transfer::posted(id, pair, Tokens::from_micro(1), Code::Pay);
        let asked = Instant::now();
        wish.send((transfer, done.clone())).expect("it is served");
        told.recv().expect("it is told");
        waits.push(asked.elapsed());
    }
    waits
}

/// The ledger's one owner: whoever waits now shares a sync.
fn serve(ledger: &mut Ledger, wishes: &Receiver<Wish>) {
    while let Ok(first) = wishes.recv() {
        let mut together = vec![first];
        together.extend(wishes.try_iter().take(TOGETHER_MAX - 1));
        let batches: Vec<&[Transfer]> =
            together.iter().map(|(transfer, _)| std::slice::from_ref(transfer)).collect();
        let results = ledger.apply_all(&batches, 1).expect("writes");
        assert!(results.iter().all(Result::is_ok), "all are sound");
        together.iter().for_each(|(_, done)| done.send(()).expect("it waits"));
    }
}

/// A cluster of its own, gone when this is dropped.
struct Postgres {
    dir: PathBuf,
}

const SCHEMA: &str = "
    CREATE TABLE accounts (id bigint PRIMARY KEY, debits numeric(39) NOT NULL,
        credits numeric(39) NOT NULL, CHECK (credits >= debits));
    CREATE TABLE transfers (id uuid PRIMARY KEY, debit bigint NOT NULL, credit bigint NOT NULL,
        amount numeric(39) NOT NULL CHECK (amount > 0), code smallint NOT NULL,
        time timestamptz NOT NULL DEFAULT now(), CHECK (debit <> credit));
    INSERT INTO accounts SELECT id, 0, 1000000000000 FROM generate_series(0, 999) AS id;
    CREATE FUNCTION pay(debit bigint, credit bigint, amount numeric) RETURNS void
    LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO transfers VALUES (gen_random_uuid(), debit, credit, amount, 2);
        PERFORM 1 FROM accounts WHERE id IN (debit, credit) ORDER BY id FOR UPDATE;
        UPDATE accounts SET debits = debits + amount WHERE id = debit;
        UPDATE accounts SET credits = credits + amount WHERE id = credit;
    END $$;";
const SCRIPT: &str = "\\set d random(0, 999)\n\\set k random(1, 999)\n\\set c (:d + :k) % 1000\n\
    SELECT pay(:d, :c, 1);\n";
const SETTINGS: &str = "listen_addresses = ''\nmax_connections = 300\nshared_buffers = '512MB'\n\
    max_wal_size = '8GB'\nsynchronous_commit = on\nfsync = on\nwal_sync_method = fdatasync\n";

impl Postgres {
    fn start(dir: &Path) -> Result<Self, String> {
        let dir = dir.join("postgres");
        fs::create_dir(&dir).map_err(|error| error.to_string())?;
        let data = dir.join("data").display().to_string();
        let postgres = Self { dir };
        let is_root = fs::metadata("/proc/self").is_ok_and(|it| owner(&it) == 0);
        if is_root {
            // The server refuses to be root, and its user must reach the folder.
            let (folder, above) = (&postgres.dir, postgres.dir.parent().expect("a folder"));
            said(Command::new("chmod").arg("711").arg(above))?;
            said(Command::new("chown").arg("postgres").arg(folder))?;
        }
        postgres.ask("initdb", &["-D", &data, "-A", "trust", "-U", "bench", "--no-sync"])?;
        let conf = postgres.dir.join("data").join("postgresql.conf");
        let settings = fs::read_to_string(&conf).map_err(|error| error.to_string())? + SETTINGS;
        fs::write(&conf, settings).map_err(|error| error.to_string())?;
        let options = format!("-k {}", postgres.dir.display());
        let log = postgres.dir.join("log").display().to_string();
        postgres.ask("pg_ctl", &["-D", &data, "-l", &log, "-o", &options, "-w", "start"])?;
        postgres.psql(SCHEMA)?;
        fs::write(postgres.dir.join("pay.sql"), SCRIPT).map_err(|error| error.to_string())?;
        Ok(postgres)
    }

    /// Runs one of its programs as the user it runs as.
    fn ask(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let is_root = fs::metadata("/proc/self").is_ok_and(|it| owner(&it) == 0);
        let mut command = match is_root {
            true => {
                let mut command = Command::new("setpriv");
                command.args([
                    "--reuid",
                    "postgres",
                    "--regid",
                    "postgres",
                    "--clear-groups",
                    "--",
                ]);
                command.arg(program);
                command
            }
            false => Command::new(program),
        };
        said(command.args(arguments).current_dir(&self.dir))
    }

    fn psql(&self, text: &str) -> Result<String, String> {
        let host = self.dir.display().to_string();
        let stop = "ON_ERROR_STOP=1";
        self.ask("psql", &["-h", &host, "-U", "bench", "-d", "postgres", "-v", stop, "-c", text])
    }

    fn run(&self, writers: usize, run: Duration) -> String {
        let (host, writers) = (self.dir.display().to_string(), writers.to_string());
        let seconds = run.as_secs().to_string();
        let arguments = [
            "-h",
            &host,
            "-U",
            "bench",
            "-n",
            "-M",
            "prepared",
            "-f",
            "pay.sql",
            "-c",
            &writers,
            "-j",
            "2",
            "-T",
            &seconds,
            "--log",
            "--log-prefix=waits",
            "postgres",
        ];
        if let Err(why) = self.ask("pgbench", &arguments) {
            return why;
        }
        let mut waits = Vec::new();
        for file in fs::read_dir(&self.dir).expect("lists") {
            let path = file.expect("a file").path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("waits.")) {
                // client, transaction, microseconds, …
                let text = fs::read_to_string(&path).expect("reads");
                let third = |line: &str| line.split(' ').nth(2)?.parse().ok();
                waits.extend(text.lines().filter_map(third).map(Duration::from_micros));
                fs::remove_file(path).expect("removes");
            }
        }
        let figures = figures(waits, run);
        format!("     {figures}")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.dir.join("data").display().to_string();
        // It was started, or there is nothing to stop.
        let _stopped = self.ask("pg_ctl", &["-D", &data, "-m", "immediate", "stop"]);
    }
}

/// What a program said, or why it failed.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

#[cfg(unix)]
fn owner(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(metadata)
}

#[cfg(not(unix))]
const fn owner(_metadata: &fs::Metadata) -> u32 {
    1
}
