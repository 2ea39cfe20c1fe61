//! `tessera studio`: a studio's own door to a farm, for scripts that speak HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use client::{Admission, Caller, Farm, Terms};
use protocol::Tokens;
use studio::Rules;
use studio::book::{AtLimit, Book, BookError, Budget, NewToken, Period, Role, Team, Token};

use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::options::FarmArgs;
use crate::{door, json, text, values};

/// How long a lost connection to the farm is dialled again before a request fails.
const PATIENCE: Duration = Duration::from_secs(15);

/// What to do with a studio's door.
#[derive(Debug, Subcommand)]
pub enum StudioCommand {
    /// Open the door: HTTP on this machine, docs/api.md tells what it speaks
    Serve(ServeArgs),
    /// Keep tokens, while the door is closed; an open one is asked over HTTP
    #[command(subcommand)]
    Token(TokenCommand),
    /// Keep teams and their budgets, while the door is closed
    #[command(subcommand)]
    Team(TeamCommand),
}

/// Options of `tessera studio serve`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera studio serve --farm @ticket --data studio
  tessera studio serve --farm @ticket --data studio --bind 10.0.0.5:7980

")]
pub struct ServeArgs {
    #[command(flatten)]
    farm: FarmArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Address to listen on; port 0 takes a free one. HTTP is not encrypted: beyond this machine, put
    /// a proxy with TLS before it
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "TESSERA_STUDIO_BIND",
        default_value = "127.0.0.1:7980"
    )]
    bind: SocketAddr,
    /// Requests a second that each token may make in the long run, and four times as many at once
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = values::whole(1_u32..=1_000_000))]
    requests_per_second: u32,
    /// Requests a second that all tokens together make at the farm: somewhat less than it grants one
    /// key (its requests_per_second); 0 where it grants any number
    #[arg(long, value_name = "N", default_value_t = 45, value_parser = values::whole(0_u32..=1_000_000))]
    farm_requests_per_second: u32,
    /// Days that files stay which were sent, and which no scene names
    #[arg(long, value_name = "DAYS", default_value_t = 1, value_parser = values::whole(1_u64..=3650))]
    keep_files: u64,
    /// Stop when standard input ends: for a parent process
    #[arg(long, hide = true)]
    stop_on_stdin_eof: bool,
}

/// Where the door keeps what it remembers.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// Folder of its tokens, orders, events, scenes and pictures; made on first use
    #[arg(long, value_name = "DIR", env = "TESSERA_STUDIO", value_hint = ValueHint::DirPath)]
    data: PathBuf,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; its secret is printed, once
    Add(AddArgs),
    /// List tokens
    List(ListArgs),
    /// Take a token back
    Revoke(RevokeArgs),
}

/// Options of `tessera studio token add`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera studio token add me --role owner --data studio
  tessera studio token add nightly --role submitter --team lighting --data studio
  tessera studio token add intern --role submitter --expires-in 90d --jobs-max 5 --data studio

")]
pub struct AddArgs {
    /// What it is called
    #[arg(value_name = "NAME")]
    name: String,
    /// What it may do
    #[arg(long, value_enum)]
    role: RoleName,
    /// The team whose jobs it sees, and whose budget it spends; all jobs without one
    #[arg(long, value_name = "TEAM")]
    team: Option<String>,
    /// How long it is good for: 12h, 90d; for ever without it
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    expires_in: Option<Duration>,
    /// Unfinished jobs that it may have
    #[arg(long, value_name = "N")]
    jobs_max: Option<u32>,
    #[command(flatten)]
    data: DataArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Read
    Viewer,
    /// Also send scenes, order and steer jobs
    Submitter,
    /// Also see the wallet, and keep tokens, teams and webhooks
    Owner,
}

/// Options of lists.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera studio token list --data studio
  tessera studio team list --data studio --json

")]
pub struct ListArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Print JSON objects
    #[arg(long)]
    json: bool,
}

/// Options of `tessera studio token revoke`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera studio token revoke tok_0123456789abcdef --data studio

")]
pub struct RevokeArgs {
    /// Its id
    #[arg(value_name = "TOKEN")]
    id: String,
    #[command(flatten)]
    data: DataArgs,
}

/// What to do with teams.
#[derive(Debug, Subcommand)]
pub enum TeamCommand {
    /// Make a team, or change it
    Set(TeamArgs),
    /// List teams
    List(ListArgs),
}

/// Options of `tessera studio team set`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera studio team set lighting --data studio
  tessera studio team set lighting --budget 500 --period month --data studio
  tessera studio team set lighting --budget 500 --period all --at-limit pause --data studio

")]
pub struct TeamArgs {
    /// Its name: a-z, 0-9, and . _ - after the first
    #[arg(value_name = "TEAM")]
    team: String,
    /// What it may spend, tokens; as much as the wallet holds without it
    #[arg(long, value_name = "TOKENS")]
    budget: Option<Tokens>,
    /// In what time, UTC
    #[arg(long, value_enum, default_value_t = PeriodName::Month, requires = "budget")]
    period: PeriodName,
    /// At how many per cent of it to warn
    #[arg(long, value_name = "PERCENT", default_value_t = 80, requires = "budget")]
    warn: u8,
    /// What happens at the limit
    #[arg(long, value_enum, default_value_t = LimitName::Refuse, requires = "budget")]
    at_limit: LimitName,
    #[command(flatten)]
    data: DataArgs,
}

/// In what time a budget may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PeriodName {
    /// Once
    All,
    /// In each month
    Month,
    /// In each day
    Day,
}

/// What happens at a budget's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LimitName {
    /// Orders are refused
    Refuse,
    /// Its jobs that wait or render are paused as well
    Pause,
}

/// Opens a door, or keeps its tokens and teams.
///
/// # Errors
/// Usage: a name, a team or a budget that cannot be. Failed: another process has the door's book.
/// Network: the farm is away.
pub fn run(command: &StudioCommand, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    match command {
        StudioCommand::Serve(args) => serve(args, interrupt),
        StudioCommand::Token(TokenCommand::Add(args)) => add(args),
        StudioCommand::Token(TokenCommand::List(args)) => list_tokens(args),
        StudioCommand::Token(TokenCommand::Revoke(args)) => revoke(args),
        StudioCommand::Team(TeamCommand::Set(args)) => set_team(args),
        StudioCommand::Team(TeamCommand::List(args)) => list_teams(args),
    }
}

fn serve(args: &ServeArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    if args.stop_on_stdin_eof {
        interrupt.stop_on_stdin_eof();
    }
    door::block_on(async {
        let farm = enter(&args.farm, interrupt).await?;
        let data = &args.data.data;
        let rules = Rules {
            requests_per_second: args.requests_per_second,
            farm_requests_per_second: args.farm_requests_per_second,
            keep_files: Duration::from_hours(24 * args.keep_files),
        };
        let opened =
            studio::open(farm.clone(), data, args.bind, rules, interrupt.subscribe()).await;
        let opened = opened.context("the door does not open")?;
        let url = format!("http://{}", opened.address);
        if !opened.address.ip().is_loopback() {
            eprintln!(
                "  warning     whoever can read the network reads tokens; put a proxy with TLS before it"
            );
        }
        note!("  the door is open: {url}/v1");
        let line = serde_json::json!({ "v": json::VERSION, "event": "serving", "url": url });
        // Whoever started us may not read: the door is open all the same.
        if let Err(error) = text::print(line) {
            eprintln!("warning: the address was not printed: {error}");
        }
        opened.serve().await?;
        farm.close().await;
        Ok(Exit::Done)
    })
}

async fn enter(args: &FarmArgs, interrupt: &Interrupt) -> anyhow::Result<Farm> {
    let ticket = door::ticket(&args.farm)?;
    let caller = Caller::bind(&door::key_path(args.key.as_ref())?, ticket.bind_address()).await?;
    let stop = Some(interrupt.subscribe());
    let ticket_file = door::ticket_file(&args.farm);
    let Admission { farm, doubt } =
        Farm::enter(&caller, ticket, Terms { ticket_file, patience: PATIENCE, stop }).await?;
    if let Some(doubt) = doubt {
        eprintln!("  warning     {:#}", anyhow::Error::from(doubt));
    }
    Ok(farm)
}

fn book(data: &DataArgs) -> anyhow::Result<Book> {
    open_book(&data.data)
}

fn open_book(data: &Path) -> anyhow::Result<Book> {
    let made = std::fs::create_dir_all(data);
    made.with_context(|| format!("the door's folder cannot be made: {}", data.display()))?;
    match Book::open(&studio::book_path(data)) {
        Err(error @ BookError::InUse { .. }) => {
            let message = format!(
                "{error}; while the door is open, tokens and teams are kept over HTTP, as POST /v1/tokens"
            );
            Err(fail(Exit::Failed, message))
        }
        other => Ok(other?),
    }
}

fn add(args: &AddArgs) -> anyhow::Result<Exit> {
    let now_ms = text::now_ms();
    let expires_ms = args
        .expires_in
        .map(|time| now_ms.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
    let role = match args.role {
        RoleName::Viewer => Role::Viewer,
        RoleName::Submitter => Role::Submitter,
        RoleName::Owner => Role::Owner,
    };
    let (name, team, jobs_max) = (args.name.clone(), args.team.clone(), args.jobs_max);
    let new = NewToken { name, role, team, expires_ms, jobs_max };
    let (token, secret) = book(&args.data)?.add_token(new, now_ms).exit(Exit::Usage)?;
    note!("  {} {} ({role}); keep its secret, it is not shown again", token.id, token.name);
    if args.json {
        let mut object = token_json(&token);
        object["secret"] = secret.as_str().into();
        text::print(object)?;
    } else {
        text::print(secret.as_str())?;
    }
    Ok(Exit::Done)
}

fn token_json(token: &Token) -> serde_json::Value {
    serde_json::json!({
        "v": json::VERSION,
        "token": token.id,
        "name": token.name,
        "role": token.role.to_string(),
        "team": token.team,
        "created_ms": token.created_ms,
        "expires_ms": token.expires_ms,
        "jobs_max": token.jobs_max,
    })
}

fn list_tokens(args: &ListArgs) -> anyhow::Result<Exit> {
    let (tokens, now_ms) = (book(&args.data)?.tokens()?, text::now_ms());
    if args.json {
        tokens.iter().try_for_each(|token| text::print(token_json(token)))?;
        return Ok(Exit::Done);
    }
    if tokens.is_empty() {
        note!("  no tokens");
        return Ok(Exit::Done);
    }
    let expires = |token: &Token| match token.expires_ms {
        None => "never".to_owned(),
        Some(at) if at <= now_ms => "expired".to_owned(),
        Some(at) => format!("in {}", text::span(Duration::from_millis(at - now_ms))),
    };
    let rows = tokens.iter().map(|token| {
        let team = token.team.clone().unwrap_or_else(|| "all".to_owned());
        let (id, name, role) = (token.id.clone(), token.name.clone(), token.role.to_string());
        vec![id, name, role, team, text::ago(token.created_ms, now_ms), expires(token)]
    });
    let header = ["token", "name", "role", "team", "made", "expires"];
    text::print(text::table(&header, &[], rows.collect()))?;
    Ok(Exit::Done)
}

fn revoke(args: &RevokeArgs) -> anyhow::Result<Exit> {
    match book(&args.data)?.revoke(&args.id)? {
        Some(token) => {
            eprintln!("  {} {} opens nothing any more", token.id, token.name);
            Ok(Exit::Done)
        }
        None => {
            let message =
                format!("there is no token {}; list them with: tessera studio token list", args.id);
            Err(fail(Exit::NotFound, message))
        }
    }
}

fn set_team(args: &TeamArgs) -> anyhow::Result<Exit> {
    let budget = args.budget.map(|amount| Budget {
        amount,
        period: match args.period {
            PeriodName::All => Period::All,
            PeriodName::Month => Period::Month,
            PeriodName::Day => Period::Day,
        },
        warn_percent: args.warn,
        at_limit: match args.at_limit {
            LimitName::Refuse => AtLimit::Refuse,
            LimitName::Pause => AtLimit::Pause,
        },
    });
    let team = Team { team: args.team.clone(), budget };
    book(&args.data)?.put_team(&team).exit(Exit::Usage)?;
    Ok(Exit::Done)
}

fn list_teams(args: &ListArgs) -> anyhow::Result<Exit> {
    let book = book(&args.data)?;
    let (teams, now_ms) = (book.teams()?, text::now_ms());
    if teams.is_empty() && !args.json {
        note!("  no teams");
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    for team in &teams {
        let committed = book.committed(&team.team, now_ms)?;
        let amount = team.budget.as_ref().map(|budget| budget.amount.to_string());
        if args.json {
            text::print(serde_json::json!({
                "v": json::VERSION,
                "team": team.team,
                "budget": amount,
                "committed": committed.to_string(),
            }))?;
        }
        rows.push(vec![
            team.team.clone(),
            amount.unwrap_or_else(|| "none".to_owned()),
            committed.to_string(),
        ]);
    }
    if !args.json {
        text::print(text::table(&["team", "budget", "committed"], &[1, 2], rows))?;
    }
    Ok(Exit::Done)
}
