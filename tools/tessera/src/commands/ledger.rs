//! `tessera ledger`: a ledger on this disk, without a scheduler.

mod copies;
mod grant;
mod proofs;
mod witness;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueHint};
use ledger::offline::{self, AccountBalance};
use ledger::{Account, JOURNAL_DIR, Row};
use protocol::{AccountId, PublicKey, SigningKey};
use transport::identity;

use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::text;

/// What to do with it.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Check every entry, the chain, the signatures, and that all accounts sum to zero
    Verify(VerifyArgs),
    /// Show what every account holds
    Balance(BalanceArgs),
    /// Show the entries of an account, newest first
    Statement(StatementArgs),
    /// Write every entry as JSON lines, CSV or Beancount
    Export(copies::ExportArgs),
    /// Prove a transfer, an entry, what an account held, or that the ledger only grew, for people who
    /// have the farm's key only
    Prove(proofs::ProveArgs),
    /// Check such a proof
    CheckProof(proofs::CheckProofArgs),
    /// Say whether two kept checkpoints are of one history
    Compare(witness::CompareArgs),
    /// Show the checkpoints that a node or you keep of farms' ledgers
    Witnessed(witness::WitnessedArgs),
    /// Copy it to another folder, verified, while it is in use; again to bring the copy up to date
    Backup(copies::BackupArgs),
    /// Put a backup where no ledger is
    Restore(copies::RestoreArgs),
    /// Sign a voucher with the farm's key: tokens for a wallet
    Grant(grant::GrantArgs),
    /// Build the index anew from the journal and drop its snapshots; the scheduler must not run
    Rebuild(RebuildArgs),
}

/// Which ledger.
#[derive(Debug, Args)]
pub struct Place {
    /// The scheduler's folder, or the ledger's own
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// The farm's key, to be sure whose ledger it is; without it, the one it claims
    #[arg(long, value_name = "key_…")]
    farm_key: Option<PublicKey>,
}

/// Options of `tessera ledger verify`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger verify --data farm
  tessera ledger verify --data farm --farm-key key_3f… --json
  tessera ledger verify --data farm --checkpoint kept.txt

")]
pub struct VerifyArgs {
    #[command(flatten)]
    place: Place,
    /// A checkpoint that somebody kept: the ledger must reach it and agree with it; may be given
    /// several times
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    checkpoint: Vec<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `tessera ledger balance`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger balance --data farm
  tessera ledger balance fee --data farm
  tessera ledger balance wallet:key_3f… --data farm --json

")]
pub struct BalanceArgs {
    /// One account: acc_…, wallet:key_…, escrow:job_…, held:nod_…, stake:key_…, fee, reserve,
    /// treasury, appeal or issuance
    account: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Print a JSON object an account
    #[arg(long)]
    json: bool,
}

/// Options of `tessera ledger statement`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger statement fee --data farm
  tessera ledger statement escrow:job_3f… --data farm --json

")]
pub struct StatementArgs {
    /// The account: acc_…, wallet:key_…, escrow:job_…, held:nod_…, stake:key_…, fee, reserve,
    /// treasury, appeal or issuance
    account: String,
    #[command(flatten)]
    place: Place,
    /// Rows to skip
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,
    /// Rows to show; all without it
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Print a JSON object a row
    #[arg(long)]
    json: bool,
}

/// Options of `tessera ledger rebuild`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger rebuild --data farm

")]
pub struct RebuildArgs {
    #[command(flatten)]
    place: Place,
}

/// Does it.
///
/// # Errors
/// Not found: no ledger there. Failed: it does not hold.
pub fn run(command: &LedgerCommand, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    match command {
        LedgerCommand::Verify(args) => verify(args),
        LedgerCommand::Balance(args) => balance(args),
        LedgerCommand::Statement(args) => statement(args),
        LedgerCommand::Export(args) => copies::export(args),
        LedgerCommand::Prove(args) => proofs::prove(args),
        LedgerCommand::CheckProof(args) => proofs::check(args),
        LedgerCommand::Compare(args) => witness::compare(args, interrupt),
        LedgerCommand::Witnessed(args) => witness::witnessed(args),
        LedgerCommand::Backup(args) => copies::backup(args),
        LedgerCommand::Restore(args) => copies::restore(args),
        LedgerCommand::Grant(args) => grant::grant(args, interrupt),
        LedgerCommand::Rebuild(args) => {
            let (dir, key) = args.place.find()?;
            let entries = offline::rebuild(&dir, key)?;
            note!("  rebuilt from {}", text::plural(entries, "entry", "entries"));
            Ok(Exit::Done)
        }
    }
}

impl Place {
    /// The ledger's folder and the key it must be signed with.
    fn find(&self) -> anyhow::Result<(PathBuf, PublicKey)> {
        let places = [self.data.join("ledger"), self.data.clone()];
        let dir =
            places.into_iter().find(|dir| dir.join(JOURNAL_DIR).is_dir()).ok_or_else(|| {
                let message = format!(
                    "there is no ledger; name a scheduler's folder: {}",
                    self.data.display()
                );
                fail(Exit::NotFound, message)
            })?;
        // A young ledger that was cut off has no checkpoint yet; its scheduler's key lies beside it.
        let beside = || Some(protocol::sign::public_key(&Self::signing_key(&dir)?));
        let key = self.farm_key.or_else(|| offline::claimed_key(&dir)).or_else(beside);
        let key = key.ok_or_else(|| {
            let message = format!(
                "the ledger does not say whose it is; name the farm's key with --farm-key: {}",
                dir.display()
            );
            fail(Exit::Usage, message)
        })?;
        Ok((dir, key))
    }

    /// The key of the scheduler whose ledger lies in `dir`, when it lies beside it.
    fn signing_key(dir: &Path) -> Option<SigningKey> {
        identity::load(&dir.parent()?.join("key")).ok()
    }
}

fn verify(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let (dir, key) = args.place.find()?;
    let witnessed = args.checkpoint.iter().map(|path| proofs::kept(path, key));
    let witnessed = witnessed.collect::<anyhow::Result<Vec<_>>>()?;
    let check = offline::check(&dir, key, &witnessed);
    if args.json {
        text::print(json::ledger_check(&check))?;
    } else if check.problem.is_none() {
        let entries = text::plural(check.entries, "entry", "entries");
        text::print(format_args!("sum 0, journal verified, {entries}"))?;
        text::print(format_args!("signed by {key}"))?;
        text::print(format_args!("head {}", check.head))?;
    }
    for snapshot in offline::unusable_snapshots(&dir, key) {
        let (why, path) = (&snapshot.why, snapshot.path.display());
        note!("  a snapshot is of no use, {why}; opening passes it over, delete it: {path}");
    }
    if check.sum_is_zero && check.verified {
        return Ok(Exit::Done);
    }
    let problem = check.problem.unwrap_or_else(|| "no reason given".to_owned());
    Err(fail(Exit::Failed, format!("the ledger does not hold: {problem}")))
}

fn balance(args: &BalanceArgs) -> anyhow::Result<Exit> {
    let wanted = args.account.as_deref().map(account).transpose()?;
    let (dir, key) = args.place.find()?;
    let mut balances = read(&dir, offline::balances(&dir, key))?;
    balances.retain(|row| wanted.is_none_or(|wanted| row.id == wanted));
    if balances.is_empty() && wanted.is_some() {
        return Err(fail(Exit::NotFound, "no entry names this account"));
    }
    if args.json {
        balances.iter().try_for_each(|row| text::print(balance_object(row)))?;
        return Ok(Exit::Done);
    }
    let rows = balances.iter().map(|row| {
        vec![
            row.account.to_string(),
            text::signed_tokens(row.balance.posted),
            row.balance.pending_debits.to_string(),
            row.balance.pending_credits.to_string(),
        ]
    });
    let header = ["account", "balance", "set aside to leave", "set aside to arrive"];
    text::print(text::table(&header, &[1, 2, 3], rows.collect()))?;
    Ok(Exit::Done)
}

fn balance_object(row: &AccountBalance) -> serde_json::Value {
    serde_json::json!({
        "v": json::VERSION,
        "account": row.id.to_string(),
        "name": row.account.to_string(),
        "balance": text::signed_tokens(row.balance.posted),
        "pending_debits": row.balance.pending_debits.to_string(),
        "pending_credits": row.balance.pending_credits.to_string(),
        "available": row.balance.available.to_string(),
    })
}

fn statement(args: &StatementArgs) -> anyhow::Result<Exit> {
    let account = account(&args.account)?;
    let (dir, key) = args.place.find()?;
    let rows = offline::statement(&dir, key, account, args.offset, args.limit);
    let (rows, total) = read(&dir, rows)?;
    if args.json {
        rows.iter().try_for_each(|row| text::print(row_object(row)))?;
        return Ok(Exit::Done);
    }
    if total == 0 {
        return Err(fail(Exit::NotFound, "no entry names this account"));
    }
    let now_ms = text::now_ms();
    let lines = rows.iter().map(|row| {
        vec![
            row.seq.to_string(),
            text::ago(row.time_ms, now_ms),
            row.code.to_string(),
            row.phase.word().to_owned(),
            format!("{}{}", if row.credit { "+" } else { "−" }, row.amount),
            text::signed_tokens(row.balance),
            row.other.to_string(),
        ]
    });
    let header = ["entry", "when", "why", "phase", "amount", "balance", "other account"];
    text::print(text::table(&header, &[0, 4, 5], lines.collect()))?;
    note!("  {} in all", text::plural(total, "entry", "entries"));
    Ok(Exit::Done)
}

fn row_object(row: &Row) -> serde_json::Value {
    serde_json::json!({
        "v": json::VERSION,
        "entry": row.seq,
        "time_ms": row.time_ms,
        "transfer": row.transfer.to_string(),
        "code": row.code.to_string(),
        "phase": row.phase.word(),
        "direction": if row.credit { "in" } else { "out" },
        "amount": row.amount.to_string(),
        "balance": text::signed_tokens(row.balance),
        "other": row.other.id().to_string(),
        "other_name": row.other.to_string(),
    })
}

fn read<T>(dir: &Path, found: Result<T, ledger::journal::OpenError>) -> anyhow::Result<T> {
    found.with_context(|| format!("the ledger does not hold: {}", dir.display()))
}

/// An account as typed: its id, or its kind with its owner.
fn account(text: &str) -> anyhow::Result<AccountId> {
    let (kind, owner) = text.split_once(':').unwrap_or((text, ""));
    let account = match (kind, owner) {
        ("fee", "") => Account::Fee,
        ("reserve", "") => Account::Reserve,
        ("treasury", "") => Account::Treasury,
        ("appeal", "") => Account::Appeal,
        ("issuance", "") => Account::Issuance,
        ("wallet", key) => Account::Wallet(key.parse().exit(Exit::Usage)?),
        ("stake", key) => Account::Stake(key.parse().exit(Exit::Usage)?),
        ("escrow", job) => Account::Escrow(job.parse().exit(Exit::Usage)?),
        ("held", node) => Account::Held(node.parse().exit(Exit::Usage)?),
        _ => return text.parse::<AccountId>().exit(Exit::Usage),
    };
    Ok(account.id())
}

#[cfg(test)]
mod tests {
    use protocol::JobId;

    use super::*;

    #[test]
    fn accounts_are_named_by_kind_or_id() {
        let job = JobId([7; 16]);
        let escrow = Account::Escrow(job).id();
        assert_eq!(account(&format!("escrow:{job}")).expect("an account"), escrow);
        assert_eq!(account(&escrow.to_string()).expect("an account"), escrow);
        assert_eq!(account("fee").expect("an account"), Account::Fee.id());
        for text in ["", "fees", "fee:1", "wallet:", "wallet:job_00", "acc_12"] {
            let error = account(text).expect_err(text);
            assert_eq!(crate::exit::classify(&error), Exit::Usage);
        }
    }
}
