//! A ledger in other places and forms: backups, and exports for other programs.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum, ValueHint};
use ledger::JOURNAL_DIR;
use ledger::offline::{self, Format, RestoreError};
use proof::Checkpoint;
use protocol::PublicKey;

use super::Place;
use super::proofs::kept;
use crate::exit::{Exit, WithExit as _, fail};
use crate::json;
use crate::text;

/// Options of `tessera ledger backup`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger backup --data farm --to /mnt/backup/farm
  tessera ledger backup --data farm --to /mnt/backup/farm --json

")]
pub struct BackupArgs {
    #[command(flatten)]
    place: Place,
    /// The backup's folder; what is there already is verified and added to
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: PathBuf,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `tessera ledger restore`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger restore /mnt/backup/farm --data farm
  tessera ledger restore /mnt/backup/farm --data farm --checkpoint kept.txt

")]
pub struct RestoreArgs {
    /// The backup's folder
    #[arg(value_name = "BACKUP", value_hint = ValueHint::DirPath)]
    from: PathBuf,
    /// The scheduler's folder: the ledger goes into its folder `ledger`, where none may be
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// The farm's key, to be sure whose ledger it is; without it, the one it claims
    #[arg(long, value_name = "key_…")]
    farm_key: Option<PublicKey>,
    /// A checkpoint that somebody kept: a backup behind it is refused; may be given several times
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    checkpoint: Vec<PathBuf>,
}

/// Options of `tessera ledger export`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger export --data farm > ledger.jsonl
  tessera ledger export --data farm --format csv -o ledger.csv
  tessera ledger export --data farm --format beancount -o ledger.beancount

")]
pub struct ExportArgs {
    #[command(flatten)]
    place: Place,
    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = FormatName::Jsonl)]
    format: FormatName,
    /// Write to a file; standard output without it
    #[arg(short = 'o', long = "out", value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
}

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// A JSON object a line
    Jsonl,
    /// RFC 4180, for spreadsheets
    Csv,
    /// Plain text accounting; `bean-check` finds every balance as the ledger has it
    Beancount,
}

/// Backs it up.
pub(super) fn backup(args: &BackupArgs) -> anyhow::Result<Exit> {
    let (dir, key) = args.place.find()?;
    let is_same = match (dir.canonicalize(), args.to.canonicalize()) {
        (Ok(from), Ok(to)) => from == to,
        _ => false,
    };
    if is_same {
        return Err(fail(Exit::Usage, "the backup's folder is the ledger's own; name another"));
    }
    let copied = offline::backup(&dir, key, &args.to)?;
    if args.json {
        let object = serde_json::json!({
            "v": json::VERSION,
            "entries": copied.entries,
            "new_entries": copied.new_entries,
            "bytes": copied.bytes,
        });
        text::print(object)?;
        return Ok(Exit::Done);
    }
    let entries = text::plural(copied.entries, "entry", "entries");
    let new = text::count(copied.new_entries);
    let bytes = text::bytes(copied.bytes);
    text::print(format_args!("verified and backed up: {entries}, {new} of them new, {bytes}"))?;
    Ok(Exit::Done)
}

/// Restores it.
pub(super) fn restore(args: &RestoreArgs) -> anyhow::Result<Exit> {
    let from = &args.from;
    if !from.join(JOURNAL_DIR).is_dir() {
        return Err(fail(Exit::NotFound, format!("there is no backup: {}", from.display())));
    }
    let key = args.farm_key.or_else(|| offline::claimed_key(from)).ok_or_else(|| {
        let message = "the backup does not say whose it is; name the farm's key with --farm-key";
        fail(Exit::Usage, message)
    })?;
    let witnessed: Vec<Checkpoint> =
        args.checkpoint.iter().map(|path| kept(path, key)).collect::<anyhow::Result<_>>()?;
    let to = args.data.join("ledger");
    let restored = match offline::restore(from, key, &to, &witnessed) {
        Err(error @ RestoreError::Exists { .. }) => return Err(error).exit(Exit::Usage),
        restored => restored?,
    };
    let entries = text::plural(restored.head.size, "entry", "entries");
    text::print(format_args!("verified and restored: {entries}"))?;
    text::print(format_args!("signed by {key}"))?;
    text::print(format_args!("head {}", restored.head.chain))?;
    if witnessed.is_empty() {
        note!("  no checkpoint was given, so nothing shows whether the backup is the newest");
    }
    Ok(Exit::Done)
}

/// Exports it.
pub(super) fn export(args: &ExportArgs) -> anyhow::Result<Exit> {
    let (dir, key) = args.place.find()?;
    let format = match args.format {
        FormatName::Jsonl => Format::Jsonl,
        FormatName::Csv => Format::Csv,
        FormatName::Beancount => Format::Beancount,
    };
    let out: Box<dyn std::io::Write> = match &args.out {
        Some(path) => Box::new(
            std::fs::File::create(path)
                .with_context(|| format!("the export cannot be written: {}", path.display()))?,
        ),
        None => Box::new(std::io::stdout().lock()),
    };
    let mut out = std::io::BufWriter::new(out);
    let entries = offline::export(&dir, key, format, &mut out)?;
    out.flush()?;
    note!("  {}", text::plural(entries, "entry", "entries"));
    Ok(Exit::Done)
}
