//! `tessera completions`: what a shell needs to complete our commands.

use std::io::Write as _;

use clap::Args;
use clap_complete::Shell;

use crate::cli;
use crate::exit::Exit;

/// Options of `tessera completions`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera completions bash > ~/.local/share/bash-completion/completions/tessera
  tessera completions fish > ~/.config/fish/completions/tessera.fish

")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints them.
///
/// # Errors
/// Standard output is gone.
pub fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "tessera", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Done)
}
