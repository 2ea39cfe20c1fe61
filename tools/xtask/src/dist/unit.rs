//! The systemd user unit of a node: what `tessera node --print-unit` prints, for an installed
//! program and for whoever installs it.

use anyhow::{Context as _, Result};

use super::files::Prefix;

/// The command line that is printed as a unit: a node that minds the person before the machine.
pub const ARGUMENTS: [&str; 10] = [
    "node",
    "--farm",
    "@ticket",
    "--data",
    "service-node",
    "--away",
    "5",
    "--temperature-max",
    "75",
    "--print-unit",
];

const HEAD: &str = "\
# A node of yours, started by systemd. Put a farm's ticket into ~/.config/tessera/ticket, then
#   systemctl --user enable --now tessera-node
# What it keeps lies beside the ticket, in service-node/, with the key that is paid; the app's node
# is another one. Other limits and --owner: systemctl --user edit tessera-node
# `loginctl enable-linger` keeps it running while nobody is logged in.
";

/// Where systemd looks for it.
pub const fn path(prefix: Prefix) -> &'static str {
    match prefix {
        Prefix::System => "lib/systemd/user/tessera-node.service",
        Prefix::Home => "share/systemd/user/tessera-node.service",
    }
}

/// The printed unit with the installed program, and a folder that everybody has of his own.
///
/// # Errors
/// The unit does not look as it did.
pub fn packaged(printed: &str, prefix: Prefix) -> Result<String> {
    let program = match prefix {
        Prefix::System => "/usr/bin/tessera",
        Prefix::Home => "%h/.local/bin/tessera",
    };
    let mut unit = String::from(HEAD);
    let (mut folders, mut commands) = (0, 0);
    for line in printed.lines().skip_while(|line| line.starts_with('#')) {
        if line.starts_with("WorkingDirectory=") {
            folders += 1;
            unit.push_str("WorkingDirectory=%h/.config/tessera");
        } else if let Some(command) = line.strip_prefix("ExecStart=") {
            commands += 1;
            let words = command.find(" node ").context("the unit starts no node")?;
            unit.push_str(&format!("ExecStart={program}{}", &command[words..]));
        } else {
            unit.push_str(line);
        }
        unit.push('\n');
    }
    anyhow::ensure!((folders, commands) == (1, 1), "the printed unit is not one:\n{printed}");
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
# ~/.config/systemd/user/tessera-node.service; then
[Unit]
Description=Tessera node

[Service]
WorkingDirectory=/build/here
ExecStart=\"/build/a b/tessera\" node --farm @ticket --data node
Nice=10
";

    #[test]
    fn the_unit_starts_the_installed_program() -> Result<()> {
        let unit = packaged(PRINTED, Prefix::System)?;
        assert!(unit.contains("\nExecStart=/usr/bin/tessera node --farm @ticket --data node\n"));
        assert!(
            unit.contains("\nWorkingDirectory=%h/.config/tessera\n") && !unit.contains("/build")
        );
        assert!(unit.ends_with("Nice=10\n") && unit.contains("\n[Unit]\n"), "{unit}");
        let unit = packaged(PRINTED, Prefix::Home)?;
        assert!(unit.contains("\nExecStart=%h/.local/bin/tessera node "), "{unit}");
        Ok(())
    }

    #[test]
    fn a_unit_of_another_form_is_no_unit() {
        assert!(packaged("[Service]\nExecStart=/bin/tessera worker\n", Prefix::Home).is_err());
        assert!(packaged("[Service]\n", Prefix::Home).is_err());
    }
}
