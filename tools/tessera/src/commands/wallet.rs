//! `tessera wallet`: the tokens of the key that asks.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use client::Farm;
use protocol::{AccountId, Request, Tokens, VoucherText, limits};

use crate::door;
use crate::exit::{Exit, WithExit as _};
use crate::interrupt::Interrupt;
use crate::json;
use crate::options::FarmArgs;
use crate::text;
use crate::values;

pub(crate) mod earnings;

use self::earnings::EarningsArgs;

/// What to show.
#[derive(Debug, Subcommand)]
pub enum WalletCommand {
    /// What you have, what is in escrow, what is held
    Balance(BalanceArgs),
    /// The entries of your wallet, newest first
    Statement(StatementArgs),
    /// What your nodes have earned by day, job or node, and when held pay comes free
    Earnings(EarningsArgs),
    /// Put tokens at risk for the good work of your nodes: fewer twins, more to lose
    Stake(StakeArgs),
    /// Ask for tokens at risk back; they come free after a while
    Unstake(StakeArgs),
    /// Pay a voucher out to your wallet
    Redeem(RedeemArgs),
}

/// Options of `tessera wallet stake` and `unstake`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera wallet stake 50 --farm @ticket --key owner.key
  tessera wallet unstake 50 --farm @ticket --key owner.key

")]
pub struct StakeArgs {
    /// Tokens
    amount: Tokens,
    #[command(flatten)]
    farm: FarmArgs,
}

/// Options of `tessera wallet balance`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera wallet balance --farm @ticket
  tessera wallet balance --farm @ticket --json

")]
pub struct BalanceArgs {
    #[command(flatten)]
    farm: FarmArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Options of `tessera wallet statement`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera wallet statement --farm @ticket
  tessera wallet statement --farm @ticket --limit 500 --json

")]
pub struct StatementArgs {
    #[command(flatten)]
    farm: FarmArgs,
    /// Another account of yours, such as a job's escrow
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Rows to skip
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u32,
    /// Rows to show
    #[arg(long, value_name = "N", default_value_t = 50,
        value_parser = values::whole(1..=limits::PAGE_ROWS_MAX))]
    limit: u32,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

/// Options of `tessera wallet redeem`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera wallet redeem vou_3f… --farm @ticket

")]
pub struct RedeemArgs {
    /// The voucher
    voucher: String,
    #[command(flatten)]
    farm: FarmArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Shows it.
///
/// # Errors
/// The farm.
pub fn run(command: &WalletCommand, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    match command {
        WalletCommand::Balance(args) => door::block_on(async {
            let farm = door::connect(&args.farm, interrupt).await?;
            let shown = balance(args, &farm).await;
            farm.close().await;
            shown
        }),
        WalletCommand::Earnings(args) => door::block_on(async {
            let farm = door::connect(&args.farm, interrupt).await?;
            let shown = earnings::show(args, &farm).await;
            farm.close().await;
            shown
        }),
        WalletCommand::Stake(args) => {
            let mut id = [0; 16];
            getrandom::fill(&mut id).context("the system gives no random bytes")?;
            let done = "done; see it with: tessera wallet balance";
            risk(args, interrupt, Request::Stake { amount: args.amount, id }, done)
        }
        WalletCommand::Unstake(args) => {
            risk(args, interrupt, Request::Unstake { amount: args.amount }, ASKED_BACK)
        }
        WalletCommand::Redeem(args) => {
            let voucher: VoucherText = args.voucher.parse().exit(Exit::Usage)?;
            door::block_on(async {
                let farm = door::connect(&args.farm, interrupt).await?;
                let redeemed = redeem(args, &voucher, &farm).await;
                farm.close().await;
                redeemed
            })
        }
        WalletCommand::Statement(args) => door::block_on(async {
            let farm = door::connect(&args.farm, interrupt).await?;
            let shown = statement(args, &farm).await;
            farm.close().await;
            shown
        }),
    }
}

/// What there is to know of tokens that were asked back.
const ASKED_BACK: &str = "asked back: it counts for nothing from now on, and stays at risk as long as this farm holds pay back; then it is in the balance. See it with: tessera wallet balance";

/// Changes what is at risk, and says what comes of it.
fn risk(
    args: &StakeArgs,
    interrupt: &Interrupt,
    request: Request,
    done: &str,
) -> anyhow::Result<Exit> {
    door::block_on(async {
        let farm = door::connect(&args.farm, interrupt).await?;
        let asked = farm.ask(request).await;
        farm.close().await;
        asked?;
        note!("  {done}");
        Ok(Exit::Done)
    })
}

async fn balance(args: &BalanceArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let wallet = farm.wallet().await?;
    if args.json {
        text::print(json::wallet(&wallet))?;
        return Ok(Exit::Done);
    }
    text::print(format_args!("balance   {:>16}", wallet.balance.to_string()))?;
    text::print(format_args!("escrowed  {:>16}", wallet.escrowed.to_string()))?;
    text::print(format_args!("held      {:>16}", wallet.held.to_string()))?;
    text::print(format_args!("at risk   {:>16}", wallet.staked.to_string()))?;
    note!("  you are {}", farm.id());
    Ok(Exit::Done)
}

async fn redeem(args: &RedeemArgs, voucher: &VoucherText, farm: &Farm) -> anyhow::Result<Exit> {
    let (transfer, before) = farm.redeem(&voucher.0, farm.id()).await?;
    // The farm has checked the signature; this only reads what it said.
    let amount = voucher.0.open()?.amount;
    let balance = farm.wallet().await?.balance;
    if args.json {
        text::print(json::redeemed(transfer, amount, before, balance))?;
        return Ok(Exit::Done);
    }
    let what = if before { "redeemed before" } else { "redeemed" };
    text::print(format_args!("{what}  {amount}"))?;
    text::print(format_args!("balance   {balance}"))?;
    Ok(Exit::Done)
}

async fn statement(args: &StatementArgs, farm: &Farm) -> anyhow::Result<Exit> {
    let account = match &args.account {
        Some(account) => account.parse::<AccountId>().exit(Exit::Usage)?,
        None => farm.wallet().await?.account,
    };
    let page = farm.statement(account, args.offset, args.limit).await?;
    if args.json {
        page.rows.iter().try_for_each(|row| text::print(json::statement_row(row)))?;
        return Ok(Exit::Done);
    }
    text::print(statement_table(&page.rows))?;
    note!("  {} in all", text::plural(page.total, "entry", "entries"));
    Ok(Exit::Done)
}

/// The other account: what it is, as far as that is told.
fn other(row: &protocol::view::StatementRow) -> String {
    if row.other_is.is_empty() { row.other.short() } else { row.other_is.clone() }
}

/// Entries of an account as a table.
pub fn statement_table(rows: &[protocol::view::StatementRow]) -> comfy_table::Table {
    let now_ms = text::now_ms();
    let rows = rows.iter().map(|row| {
        let sign = if row.credit { "+" } else { "−" };
        vec![
            text::ago(row.time_ms, now_ms),
            row.code.clone(),
            format!("{sign}{}", row.amount),
            row.balance.to_string(),
            other(row),
            row.transfer.short(),
        ]
    });
    let header = ["when", "why", "amount", "balance", "other account", "transfer"];
    text::table(&header, &[2, 3], rows.collect())
}
