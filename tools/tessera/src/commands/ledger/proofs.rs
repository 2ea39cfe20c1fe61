//! Proofs: made from a ledger on this disk, checked with nothing but its key.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueHint};
use ledger::offline::{self, Against, ProveError, Wanted};
use proof::checkpoint::CHECKPOINT_BYTES_MAX;
use proof::inclusion::PROOF_BYTES_MAX;
use proof::{Checkpoint, Consistency, ConsistencyError, Fork, Proof, Proven, ledger_origin};
use protocol::{PublicKey, Tokens};

use super::{Place, account};
use crate::exit::{Exit, WithExit as _, fail};
use crate::json;
use crate::text;

/// Options of `tessera ledger prove`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger prove tra_3f… --data farm -o paid.proof
  tessera ledger prove wallet:key_3f… --data farm -o balance.proof
  tessera ledger prove tra_3f… --data farm --checkpoint kept.txt
  tessera ledger prove 17.. --data farm -o growth.proof

")]
pub struct ProveArgs {
    /// What to prove: a transfer (tra_…), an entry's number, what an account held (as for
    /// `balance`), or that the ledger goes on from its first 17 entries (17..)
    what: String,
    #[command(flatten)]
    place: Place,
    /// Prove it against this checkpoint, which somebody kept, and not the newest one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    checkpoint: Option<PathBuf>,
    /// Write the proof to a file; standard output without it
    #[arg(short = 'o', long = "out", value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
}

/// Options of `tessera ledger check-proof`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger check-proof paid.proof --farm-key key_3f…
  tessera ledger check-proof paid.proof --farm-key key_3f… --checkpoint kept.txt --json

")]
pub struct CheckProofArgs {
    /// The proof; `-` reads standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// The farm's key
    #[arg(long, value_name = "key_…")]
    farm_key: PublicKey,
    /// A checkpoint of that farm that you kept: the proof must be one against it; that the ledger
    /// goes on, from it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    checkpoint: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Proves it.
pub(super) fn prove(args: &ProveArgs) -> anyhow::Result<Exit> {
    let kept = args.checkpoint.as_deref().map(|path| read(path, CHECKPOINT_BYTES_MAX));
    let kept = kept.transpose()?;
    if let Some(old_size) = args.what.strip_suffix("..") {
        let old_size: u64 = old_size.parse().exit(Exit::Usage)?;
        let (dir, key) = args.place.find()?;
        let proof = offline::prove_consistency(&dir, key, old_size, kept.as_deref())?;
        let size = proof.checkpoint(key).context("the checkpoint does not hold; report this")?.size;
        hand_out(args, &proof.to_text())?;
        note!("  the first {size} entries go on from the first {old_size}");
        return Ok(Exit::Done);
    }
    let wanted = wanted(&args.what)?;
    let (dir, key) = args.place.find()?;
    let signing = Place::signing_key(&dir).filter(|own| protocol::sign::public_key(own) == key);
    let against = Against { kept: kept.as_deref(), key: signing.as_ref() };
    let proof = match offline::prove(&dir, key, wanted, against) {
        Err(error @ ProveError::Unknown) => return Err(error).exit(Exit::NotFound),
        proved => proved?,
    };
    let proven = proof.check(key).context("the proof just made does not hold; report this")?;
    hand_out(args, &proof.to_text())?;
    note!("  {}", summary(&proven));
    Ok(Exit::Done)
}

fn hand_out(args: &ProveArgs, proof: &str) -> anyhow::Result<()> {
    match &args.out {
        Some(path) => std::fs::write(path, proof)
            .with_context(|| format!("the proof cannot be written: {}", path.display())),
        None => Ok(text::print(proof.trim_end())?),
    }
}

/// Checks it.
pub(super) fn check(args: &CheckProofArgs) -> anyhow::Result<Exit> {
    let proof = read(&args.file, PROOF_BYTES_MAX)?;
    if Consistency::is_meant(&proof) {
        return check_consistency(args, &proof);
    }
    let proof = Proof::parse(&proof).exit(Exit::Usage)?;
    let proven = proof.check(args.farm_key).context("the proof does not hold")?;
    if let Some(path) = &args.checkpoint {
        agree(&proven, path, args.farm_key)?;
    }
    if args.json {
        text::print(object(&proven))?;
        return Ok(Exit::Done);
    }
    text::print(summary(&proven))?;
    match &proven {
        Proven::Entry { entry, .. } => {
            let transfer = entry.transfer();
            text::print(format_args!("transfer  {}", transfer.id))?;
            text::print(format_args!("from      {}", transfer.debit))?;
            text::print(format_args!("to        {}", transfer.credit))?;
        }
        Proven::Account { account, .. } => {
            let micro = Tokens::from_micro;
            let balance = account.credits_posted as i128 - account.debits_posted as i128;
            text::print(format_args!("balance              {}", text::signed_tokens(balance)))?;
            text::print(format_args!("set aside to leave   {}", micro(account.debits_pending)))?;
            text::print(format_args!("set aside to arrive  {}", micro(account.credits_pending)))?;
        }
    }
    text::print(format_args!("signed by {}", args.farm_key))?;
    Ok(Exit::Done)
}

/// Checks that a ledger goes on from the checkpoint that was kept.
fn check_consistency(args: &CheckProofArgs, proof: &str) -> anyhow::Result<Exit> {
    let proof = Consistency::parse(proof).exit(Exit::Usage)?;
    let Some(path) = &args.checkpoint else {
        let message = format!(
            "this shows how a ledger goes on from a checkpoint of {} entries; name the one that you kept (--checkpoint)",
            proof.old_size
        );
        return Err(fail(Exit::Usage, message));
    };
    let kept = kept(path, args.farm_key)?;
    let shown = match proof.check(args.farm_key, Some(&kept)) {
        Err(error @ ConsistencyError::Fork(Fork::TwoRoots { .. })) => {
            let message =
                format!("{error}: this proof and your checkpoint are the evidence, keep both");
            return Err(fail(Exit::Failed, message));
        }
        checked => checked.context("the proof does not hold").exit(Exit::Failed)?,
    };
    if args.json {
        text::print(serde_json::json!({
            "v": json::VERSION,
            "kind": "consistency",
            "old_entries": kept.size,
            "entries": shown.size,
        }))?;
        return Ok(Exit::Done);
    }
    text::print(format_args!(
        "the first {} go on from the {} that you kept",
        text::plural(shown.size, "entry", "entries"),
        text::count(kept.size)
    ))?;
    text::print(format_args!("signed by {}", args.farm_key))?;
    Ok(Exit::Done)
}

/// A transfer, an entry or an account as typed.
fn wanted(what: &str) -> anyhow::Result<Wanted> {
    if what.starts_with("tra_") {
        return Ok(Wanted::Transfer(what.parse().exit(Exit::Usage)?));
    }
    if !what.is_empty() && what.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Wanted::Entry(what.parse().exit(Exit::Usage)?));
    }
    Ok(Wanted::Account(account(what)?))
}

/// A proof against another checkpoint than the one that was kept says nothing about that one.
fn agree(proven: &Proven, path: &Path, key: PublicKey) -> anyhow::Result<()> {
    let kept = kept(path, key)?;
    let point = proven.checkpoint();
    if kept.size != point.size {
        let message = format!(
            "the proof is against the checkpoint at {} entries, yours is at {}; ask the farm for \
             one against yours (tessera ledger prove --checkpoint)",
            point.size, kept.size
        );
        return Err(fail(Exit::Failed, message));
    }
    if kept.root != point.root {
        let message = format!(
            "the farm signed two histories of its first {} entries: this proof and your \
             checkpoint are the evidence, keep both",
            point.size
        );
        return Err(fail(Exit::Failed, message));
    }
    Ok(())
}

fn summary(proven: &Proven) -> String {
    let entries = text::plural(proven.checkpoint().size, "entry", "entries");
    match proven {
        Proven::Entry { seq, entry, .. } => {
            let transfer = entry.transfer();
            format!("entry {seq}: {} {}, in the first {entries}", transfer.code, transfer.amount)
        }
        Proven::Account { account, .. } => format!("{} after {entries}", account.account),
    }
}

fn object(proven: &Proven) -> serde_json::Value {
    let checkpoint = proven.checkpoint();
    match proven {
        Proven::Entry { seq, entry, .. } => {
            let transfer = entry.transfer();
            serde_json::json!({
                "v": json::VERSION,
                "kind": "entry",
                "entry": seq,
                "time_ms": entry.time_ms,
                "transfer": transfer.id.to_string(),
                "code": transfer.code.to_string(),
                "phase": ledger::Phase::of(&entry.event).word(),
                "amount": transfer.amount.to_string(),
                "debit": transfer.debit.to_string(),
                "credit": transfer.credit.to_string(),
                "entries": checkpoint.size,
            })
        }
        Proven::Account { account, .. } => {
            let micro = |amount| Tokens::from_micro(amount).to_string();
            serde_json::json!({
                "v": json::VERSION,
                "kind": "account",
                "account": account.id().to_string(),
                "name": account.account.to_string(),
                "debits": micro(account.debits_posted),
                "credits": micro(account.credits_posted),
                "pending_debits": micro(account.debits_pending),
                "pending_credits": micro(account.credits_pending),
                "entries": checkpoint.size,
            })
        }
    }
}

/// A checkpoint that somebody kept.
pub(super) fn kept(path: &Path, key: PublicKey) -> anyhow::Result<Checkpoint> {
    Checkpoint::open(&read(path, CHECKPOINT_BYTES_MAX)?, &ledger_origin(key), Some(key))
        .with_context(|| format!("the kept checkpoint does not hold: {}", path.display()))
        .exit(Exit::Usage)
}

/// A short text file, or standard input.
pub(super) fn read(path: &Path, bytes_max: usize) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let most = bytes_max as u64 + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(fail(Exit::NotFound, format!("no such file: {}", path.display())));
        }
        read => read.with_context(|| format!("the file cannot be read: {}", path.display()))?,
    };
    if bytes.len() > bytes_max {
        let message = format!("the file is over {bytes_max} bytes long: {}", path.display());
        return Err(fail(Exit::Usage, message));
    }
    String::from_utf8(bytes)
        .map_err(|_why| fail(Exit::Usage, format!("the file is not text: {}", path.display())))
}
