//! `tessera man`: manual pages, for packages.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command, ValueHint};
use clap_mangen::Man;

use crate::cli;
use crate::exit::Exit;

/// Options of `tessera man`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera man ~/.local/share/man/man1

")]
pub struct ManArgs {
    /// The folder; made if it is not there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

/// Writes a page for each command.
///
/// # Errors
/// The folder cannot be made or written to.
pub fn run(args: &ManArgs) -> anyhow::Result<Exit> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("the folder cannot be made: {}", folder.display()))?;
    let mut command = cli::command();
    command.build();
    write(&command, folder)
        .with_context(|| format!("the pages cannot be written: {}", folder.display()))?;
    Ok(Exit::Done)
}

/// The page of a command, and those of what is under it.
fn write(command: &Command, folder: &Path) -> std::io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write(below, folder)?;
    }
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    if let Some(examples) = command.get_before_help() {
        page.extend_from_slice(section(&examples.to_string()).as_bytes());
    }
    std::fs::write(folder.join(man.get_filename()), page)
}

/// `Examples:` and its lines as a section of a page, its lines as they are.
fn section(examples: &str) -> String {
    let lines = examples.lines().filter(|line| !line.is_empty() && *line != "Examples:");
    let mut page = String::from(".SH EXAMPLES\n.nf\n");
    for line in lines {
        page.push_str(&line.trim_start().replace('\\', "\\e").replace('-', "\\-"));
        page.push('\n');
    }
    page.push_str(".fi\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_stay_as_they_are_typed() {
        let lines = section("Examples:\n  tessera a --b 'c\\d'\n  tessera e\n\n");
        assert_eq!(lines, ".SH EXAMPLES\n.nf\ntessera a \\-\\-b 'c\\ed'\ntessera e\n.fi\n");
    }
}
