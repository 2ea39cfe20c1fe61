//! `tessera scheduler drain`: before an upgrade.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueHint};

use crate::exit::{Exit, fail};

/// Options of `tessera scheduler drain`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera scheduler drain --data farm
  tessera scheduler drain --data farm --undo

")]
pub struct DrainArgs {
    /// Folder of the scheduler
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// Take new jobs again
    #[arg(long)]
    undo: bool,
}

/// Asks the scheduler of a folder to end its jobs and stop, or takes that back.
///
/// # Errors
/// Not found: no scheduler has been there. Else the folder.
pub fn run(args: &DrainArgs) -> anyhow::Result<Exit> {
    let shown = args.data.display();
    if !args.data.join("key").is_file() {
        let message = format!("no scheduler has been here; give the folder of one: {shown}");
        return Err(fail(Exit::NotFound, message));
    }
    let failed = || format!("the scheduler's folder cannot be written: {shown}");
    if !args.undo {
        scheduler::drain(&args.data).with_context(failed)?;
        note!(
            "  it takes no new jobs from now on, ends those that go on, and stops then; --undo takes that back"
        );
    } else if scheduler::keep_open(&args.data).with_context(failed)? {
        note!("  it takes new jobs again");
    } else {
        note!("  it was not asked to drain, or has drained");
    }
    Ok(Exit::Done)
}
