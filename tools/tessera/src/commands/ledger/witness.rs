//! Checkpoints that nodes and people keep of farms' ledgers: what is kept, and whether two of them
//! are of one history.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueHint};
use farm_node::witness;
use proof::consistency::CONSISTENCY_BYTES_MAX;
use proof::{Checkpoint, Consistency, ConsistencyError, Fork, claimed_key, consistency};
use protocol::PublicKey;

use super::proofs;
use crate::door;
use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::text;

/// Options of `tessera ledger compare`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger compare mine.txt theirs.txt
  tessera ledger compare mine.txt theirs.txt --farm @ticket
  tessera ledger compare mine.txt theirs.txt --proof between.txt

")]
pub struct CompareArgs {
    /// A checkpoint that somebody kept
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    one: PathBuf,
    /// One that somebody else kept
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    other: PathBuf,
    /// The farm's key, to be sure whose they are; without it, the one that the first names
    #[arg(long, value_name = "key_…")]
    farm_key: Option<PublicKey>,
    /// What shows that the shorter goes on to the longer (`ledger prove OLD.. --checkpoint LONGER`)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "farm")]
    proof: Option<PathBuf>,
    /// The scheduler's ticket, or @FILE: ask the farm to show that it goes on from both
    #[arg(long, value_name = "TICKET|@FILE")]
    farm: Option<String>,
    /// Your key file, for --farm
    #[arg(long, value_name = "FILE", env = "TESSERA_KEY", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `tessera ledger witnessed`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger witnessed
  tessera ledger witnessed --data node --json
  tessera ledger witnessed --data node --accept key_3f…

")]
pub struct WitnessedArgs {
    /// A node's folder; without it, what is kept beside your own key file
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: Option<PathBuf>,
    /// Your key file
    #[arg(long, value_name = "FILE", env = "TESSERA_KEY", value_hint = ValueHint::FilePath, conflicts_with = "data")]
    key: Option<PathBuf>,
    /// Deal with this farm again though it showed two histories: believe the present one. The
    /// evidence stays
    #[arg(long, value_name = "key_…")]
    accept: Option<PublicKey>,
    /// Print a JSON object a farm
    #[arg(long)]
    json: bool,
}

/// Compares two checkpoints.
pub(super) fn compare(args: &CompareArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let [one, other] = [&args.one, &args.other].map(|path| note(path));
    let (one, other) = (one?, other?);
    let key = args.farm_key.or_else(|| claimed_key(&one)).ok_or_else(|| {
        let message = format!("this is no checkpoint: {}", args.one.display());
        fail(Exit::Usage, message)
    })?;
    let mut both =
        [(open(&one, key, &args.one)?, &args.one), (open(&other, key, &args.other)?, &args.other)];
    both.sort_by_key(|(point, _)| point.size);
    let [(old, old_path), (new, new_path)] = &both;
    let forked = |fork: Fork| {
        let message = format!(
            "forked: {key} cannot be believed, {fork}; both files are the evidence, keep them"
        );
        fail(Exit::Failed, message)
    };
    consistency::goes_back(old, new).map_err(forked)?;
    if old.size < new.size && old.size > 0 {
        match (&args.proof, &args.farm) {
            (Some(path), _) => {
                let proof = Consistency::parse(&proofs::read(path, CONSISTENCY_BYTES_MAX)?);
                let proof = proof.exit(Exit::Usage)?;
                consistency::follows(old, new, &proof.path).map_err(|_fork| {
                    // A proof that is no good may be of anybody's making.
                    let message = format!(
                        "this does not show that {} goes on to {}; ask the farm (--farm)",
                        old_path.display(),
                        new_path.display()
                    );
                    fail(Exit::Failed, message)
                })?;
            }
            (None, Some(ticket)) => ask(args, ticket, key, &both, interrupt)?,
            (None, None) => {
                let message = format!(
                    "one has {} entries, the other {}: that one goes on from the other must be shown; ask the farm (--farm), or its operator (tessera ledger prove {}.. --checkpoint {}) and give --proof",
                    old.size,
                    new.size,
                    old.size,
                    new_path.display()
                );
                return Err(fail(Exit::Usage, message));
            }
        }
    }
    if args.json {
        text::print(serde_json::json!({
            "v": json::VERSION,
            "farm": key.to_string(),
            "entries": [old.size, new.size],
            "one_history": true,
        }))?;
    } else {
        text::print(format_args!(
            "one history: {} and {}",
            text::plural(old.size, "entry", "entries"),
            text::plural(new.size, "entry", "entries")
        ))?;
        text::print(format_args!("signed by {key}"))?;
    }
    Ok(Exit::Done)
}

/// Has the farm show that its present ledger goes on from both: then one goes on to the other.
fn ask(
    args: &CompareArgs,
    ticket: &str,
    key: PublicKey,
    both: &[(Checkpoint, &PathBuf)],
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let (ticket, own) = (door::ticket(ticket)?, door::key_path(args.key.as_ref())?);
    if ticket.key() != key {
        return Err(fail(Exit::Usage, format!("the ticket is of {}, not of {key}", ticket.key())));
    }
    door::block_on(async {
        let farm = door::connect_as(&own, ticket, interrupt).await?;
        let mut asked = Ok(());
        for (point, path) in both {
            asked = match farm.checkpoint(point.size).await {
                Err(error) => Err(error.into()),
                Ok(shown) => match shown.check(key, Some(point)) {
                    Ok(_goes_on) => continue,
                    Err(ConsistencyError::Fork(fork)) => Err(fail(
                        Exit::Failed,
                        format!(
                            "forked: {key} cannot be believed, {fork}; keep this file, it is evidence: {}",
                            path.display()
                        ),
                    )),
                    Err(other) => Err(other).exit(Exit::Failed),
                },
            };
            break;
        }
        farm.close().await;
        asked
    })
}

/// Shows what is kept, or deals with a farm again.
pub(super) fn witnessed(args: &WitnessedArgs) -> anyhow::Result<Exit> {
    let folder = match &args.data {
        Some(data) => data.join("checkpoints"),
        None => client::checkpoints_beside(&door::key_path(args.key.as_ref())?),
    };
    if let Some(farm) = args.accept {
        let Some(evidence) = witness::accept(&folder, farm)? else {
            let message = format!("nothing speaks against {farm} here: {}", folder.display());
            return Err(fail(Exit::NotFound, message));
        };
        note!("  {farm} is dealt with again; the evidence is in {}", evidence.display());
        return Ok(Exit::Done);
    }
    let kept = witness::kept(&folder)?;
    if args.json {
        for kept in &kept {
            text::print(serde_json::json!({
                "v": json::VERSION,
                "farm": kept.farm.to_string(),
                "entries": kept.checkpoint.size,
                "witnesses": kept.witnesses.iter().map(|it| it.witness.to_string()).collect::<Vec<_>>(),
                "forked": kept.forked.as_ref().map(|(why, _)| why),
                "evidence": kept.forked.as_ref().map(|(_, evidence)| evidence.display().to_string()),
            }))?;
        }
        return Ok(Exit::Done);
    }
    if kept.is_empty() {
        return Err(fail(Exit::NotFound, format!("no checkpoint is kept: {}", folder.display())));
    }
    let rows = kept.iter().map(|kept| {
        vec![
            kept.farm.to_string(),
            text::count(kept.checkpoint.size),
            kept.witnesses.len().to_string(),
            kept.forked.as_ref().map_or("good so far".to_owned(), |(why, _)| why.clone()),
        ]
    });
    let header = ["farm", "entries", "witnesses", "its ledger"];
    text::print(text::table(&header, &[1, 2], rows.collect()))?;
    Ok(Exit::Done)
}

/// The signed note in a file: a checkpoint, or what a farm showed to tie it to another.
fn note(path: &Path) -> anyhow::Result<String> {
    let text = proofs::read(path, CONSISTENCY_BYTES_MAX)?;
    if Consistency::is_meant(&text) {
        return Ok(Consistency::parse(&text).exit(Exit::Usage)?.note);
    }
    Ok(text)
}

fn open(note: &str, key: PublicKey, path: &Path) -> anyhow::Result<Checkpoint> {
    Checkpoint::open(note, &proof::ledger_origin(key), Some(key))
        .with_context(|| format!("the checkpoint does not hold: {}", path.display()))
        .exit(Exit::Usage)
}
