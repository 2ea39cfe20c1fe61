//! A systemd user unit for a node, as text.

use std::path::Path;

use clap::ValueEnum;

/// Which unit is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UnitKind {
    /// One node
    One,
    /// A template: an instance for each GPU, by its number in `tessera doctor`
    EachGpu,
}

/// Stands for the instance's number until words are quoted.
const INSTANCE: char = '\u{1}';

/// The unit that starts `program` with these arguments, as typed, in this folder.
pub fn unit(kind: UnitKind, program: &Path, arguments: &[String], folder: &Path) -> String {
    let arguments = match kind {
        UnitKind::One => without(arguments, "--print-unit"),
        UnitKind::EachGpu => of_instance(arguments),
    };
    let program = program.to_string_lossy();
    let words = std::iter::once(&*program).chain(arguments.iter().map(String::as_str));
    let command: Vec<String> = words.map(quoted).collect();
    let command = command.join(" ").replace(INSTANCE, "%i");
    let (file, instances, of_gpu) = match kind {
        UnitKind::One => ("tessera-node", "tessera-node", ""),
        UnitKind::EachGpu => ("tessera-node@", "tessera-node@0 tessera-node@1", " on GPU %i"),
    };
    format!(
        "\
# ~/.config/systemd/user/{file}.service; then
#   systemctl --user daemon-reload && systemctl --user enable --now {instances}
# `loginctl enable-linger` keeps it running while nobody is logged in.
[Unit]
Description=Tessera node{of_gpu}

[Service]
WorkingDirectory={}
ExecStart={command}
Restart=on-failure
RestartSec=30
# A usage error or an unusable key is not healed by trying again.
RestartPreventExitStatus=2 4
# Where memory runs out the kernel ends the worker, which the node replaces.
OOMPolicy=continue
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
    )
}

/// The arguments of an instance: its own GPU, folder and name.
fn of_instance(arguments: &[String]) -> Vec<String> {
    let mut own = without(&without(arguments, "--print-unit"), "--gpu");
    let mut is_value = false;
    for argument in &mut own {
        let named = ["--data", "--name"];
        if is_value || named.iter().any(|name| argument.starts_with(&format!("{name}="))) {
            argument.push('-');
            argument.push(INSTANCE);
        }
        is_value = named.contains(&argument.as_str());
    }
    own.extend(["--gpu".to_owned(), INSTANCE.to_string()]);
    own
}

/// The arguments without an option and its value.
fn without(arguments: &[String], option: &str) -> Vec<String> {
    let mut was_it = false;
    let kept = arguments.iter().filter(|argument| {
        let is_it = *argument == option || argument.starts_with(&format!("{option}="));
        let is_value = was_it && !argument.starts_with('-');
        was_it = is_it && *argument == option;
        !is_it && !is_value
    });
    kept.cloned().collect()
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
        let unit =
            unit(UnitKind::One, Path::new("/opt/tessera"), &arguments, Path::new("/home/a b"));
        let command =
            r#"ExecStart=/opt/tessera node --when "mon-fri 22:00-07:00" --name "50%% \"a\" $$b""#;
        assert!(unit.contains(command), "{unit}");
        assert!(unit.contains("\nWorkingDirectory=/home/a b\n"), "{unit}");
        assert!(!unit.contains("%i") && unit.contains("--now tessera-node\n"), "{unit}");
    }

    #[test]
    fn each_gpu_is_a_node_with_a_folder_of_its_own() {
        let check = |typed: &[&str], command: &str| {
            let arguments: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
            let unit = unit(UnitKind::EachGpu, Path::new("/t"), &arguments, Path::new("/home"));
            assert!(unit.contains(&format!("\nExecStart=/t {command}\n")), "{unit}");
            assert!(
                unit.contains("tessera-node@.service") && unit.contains("node@0 tessera-node@1")
            );
        };
        check(
            &["node", "--data", "node", "--gpu", "1", "--memory", "8", "--print-unit", "each-gpu"],
            r#"node --data "node-%i" --memory 8 --gpu "%i""#,
        );
        check(
            &["node", "--print-unit=each-gpu", "--name=50%", "--data=a b", "--gpu=4070"],
            r#"node "--name=50%%-%i" "--data=a b-%i" --gpu "%i""#,
        );
    }
}
