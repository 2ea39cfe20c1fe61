//! A systemd user unit for a node, as text.

use std::path::Path;

/// The unit that starts `program` with these arguments in this folder.
pub fn unit(program: &Path, arguments: &[String], folder: &Path) -> String {
    let program = program.to_string_lossy();
    let words = std::iter::once(&*program).chain(arguments.iter().map(String::as_str));
    let command: Vec<String> = words.map(quoted).collect();
    format!(
        "\
# ~/.config/systemd/user/tessera-node.service; then
#   systemctl --user daemon-reload && systemctl --user enable --now tessera-node
# `loginctl enable-linger` keeps it running while nobody is logged in.
[Unit]
Description=Tessera node

[Service]
WorkingDirectory={}
ExecStart={}
Restart=on-failure
RestartSec=30
# A usage error or an unusable key is not healed by trying again.
RestartPreventExitStatus=2 4
# The node gives its leases back.
KillSignal=SIGINT
KillMode=mixed
TimeoutStopSec=30
Nice=10
NoNewPrivileges=yes

[Install]
WantedBy=default.target
",
        // A path here is taken as it stands, but for specifiers.
        folder.to_string_lossy().replace('%', "%%"),
        command.join(" ")
    )
}

/// A word as systemd reads it.
fn quoted(word: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "-_./=:@,+".contains(it);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let escaped: String = word
        .chars()
        .map(|it| match it {
            '\\' => "\\\\".to_owned(),
            '"' => "\\\"".to_owned(),
            '%' => "%%".to_owned(),
            '$' => "$$".to_owned(),
            '\n' => "\\n".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_starts_what_was_typed() {
        let arguments = ["node", "--when", "mon-fri 22:00-07:00", "--name", "50% \"a\" $b"];
        let arguments = arguments.map(str::to_owned);
        let unit = unit(Path::new("/opt/tessera"), &arguments, Path::new("/home/a b"));
        let command =
            r#"ExecStart=/opt/tessera node --when "mon-fri 22:00-07:00" --name "50%% \"a\" $$b""#;
        assert!(unit.contains(command), "{unit}");
        assert!(unit.contains("\nWorkingDirectory=/home/a b\n"), "{unit}");
    }
}
