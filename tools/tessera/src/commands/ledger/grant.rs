//! Vouchers: the operator's word that a wallet gets tokens.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use protocol::sign::public_key;
use protocol::{PublicKey, Tokens, VoucherText, limits};
use transport::identity;

use crate::door;
use crate::exit::{Exit, fail};
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::text;
use crate::values;

const DAY_MS: u64 = 24 * 3_600_000;

/// Options of `tessera ledger grant`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera ledger grant --data farm --to key_3f… --amount 100
  tessera ledger grant --data farm --to key_3f… --amount 100 --farm @ticket
  tessera ledger grant --data farm --amount 5 --days 30 --memo \"workshop\"

")]
pub struct GrantArgs {
    /// The scheduler's folder: its key signs
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// How many tokens
    #[arg(long, value_name = "TOKENS")]
    amount: Tokens,
    /// Whose wallet it pays to; without it, that of whoever redeems it first
    #[arg(long, value_name = "key_…")]
    to: Option<PublicKey>,
    /// Days until it can no longer be redeemed; for ever without it
    #[arg(long, value_name = "N", value_parser = values::whole(1_u64..=36_500))]
    days: Option<u64>,
    /// What for
    #[arg(long, value_name = "TEXT", default_value = "")]
    memo: String,
    /// Redeem it at once at this farm: the scheduler's ticket, or @FILE that holds it
    #[arg(long, value_name = "TICKET|@FILE", requires = "to")]
    farm: Option<String>,
    /// The key file that says who asks the farm; made on first use
    #[arg(long, value_name = "FILE", env = "TESSERA_KEY", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Signs a voucher, and redeems it when a farm is named.
pub(super) fn grant(args: &GrantArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    if args.amount.is_zero() {
        return Err(fail(Exit::Usage, "a grant of nothing; an amount must be at least 0.000001"));
    }
    let chars = args.memo.chars().count();
    if chars > limits::NAME_CHARS_MAX {
        let most = limits::NAME_CHARS_MAX;
        return Err(fail(Exit::Usage, format!("the memo has {chars} characters, at most {most}")));
    }
    let path = args.data.join("key");
    if !path.is_file() {
        let message =
            format!("there is no scheduler's key; name its folder: {}", args.data.display());
        return Err(fail(Exit::NotFound, message));
    }
    let key = identity::load(&path)?;
    let expires_ms = args.days.map(|days| text::now_ms().saturating_add(days * DAY_MS));
    let signed = ledger::issue(&key, args.amount, args.to, expires_ms, args.memo.clone())
        .context("no voucher was made: the system gave no randomness")?;
    let voucher = VoucherText(signed);
    let redeemed = match &args.farm {
        None => None,
        Some(farm) => {
            let place = FarmArgs { farm: farm.clone(), key: args.key.clone() };
            let to = args.to.expect("invariant: a farm asks for a wallet");
            Some(door::block_on(async {
                let farm = door::connect(&place, interrupt).await?;
                let redeemed = farm.redeem(&voucher.0, to).await;
                farm.close().await;
                Ok(redeemed?)
            }))
        }
    };
    if args.json {
        let transfer = redeemed.as_ref().and_then(|it| it.as_ref().ok()).map(|it| it.0.to_string());
        let object = serde_json::json!({
            "v": json::VERSION,
            "voucher": voucher.to_string(),
            "farm": public_key(&key).to_string(),
            "amount": args.amount.to_string(),
            "to": args.to.map(|to| to.to_string()),
            "expires_ms": expires_ms,
            "redeemed": transfer,
        });
        text::print(object)?;
    } else {
        text::print(&voucher)?;
    }
    match (redeemed, args.to) {
        (Some(redeemed), _) => {
            // The voucher above is good all the same, and pays once.
            let (transfer, _before) =
                redeemed.context("the voucher was signed, but not redeemed")?;
            note!("  redeemed: {} tokens, {transfer}", args.amount);
        }
        (None, Some(to)) => {
            note!("  {} tokens for {to}, once it is redeemed", args.amount);
        }
        (None, None) => {
            note!("  {} tokens for whoever redeems it first: keep it like money", args.amount);
        }
    }
    Ok(Exit::Done)
}
