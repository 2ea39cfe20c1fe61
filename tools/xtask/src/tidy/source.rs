//! The form of the sources: length, bare reminders, prose in Markdown.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Lines of a file, past which it is two rooms. Our taste is 400; this is where it stops.
const FILE_LINES_MAX: usize = 900;
/// Bytes of a file in the repository.
const FILE_BYTES_MAX: u64 = 3_000_000;

/// Files that git knows or would add, with text that we wrote.
pub fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let list = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("cannot run git")?;
    ensure!(list.status.success(), "git ls-files ended with {}", list.status);
    let names = String::from_utf8(list.stdout).context("a file name is not UTF-8")?;
    let mut files = Vec::new();
    for name in names.lines().filter(|name| root.join(name).is_file()) {
        let size = root.join(name).metadata().with_context(|| format!("cannot read {name}"))?.len();
        ensure!(size <= FILE_BYTES_MAX, "{name} has {size} bytes, more than {FILE_BYTES_MAX}");
        let text = ["rs", "wgsl", "md", "toml"];
        if Path::new(name).extension().is_some_and(|end| text.iter().any(|known| end == *known)) {
            files.push(name.into());
        }
    }
    Ok(files)
}

/// Every rule that a file breaks.
pub fn problems(path: &Path, text: &str) -> Vec<String> {
    let shown = path.display();
    let mut problems = Vec::new();
    let lines = text.lines().count();
    let source = path.extension().is_some_and(|end| end == "rs" || end == "wgsl");
    if source && lines > FILE_LINES_MAX {
        problems.push(format!("{shown} has {lines} lines, more than {FILE_LINES_MAX}; split it"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if source && reminder(line) {
            problems
                .push(format!("{shown}:{number} has a bare reminder; name a decision or issue"));
        }
        if line.ends_with([' ', '\t']) {
            problems.push(format!("{shown}:{number} ends in blanks"));
        }
    }
    problems
}

/// A reminder without the number of a decision or issue behind it.
fn reminder(line: &str) -> bool {
    ["TODO", "FIXME", "XXX"].iter().any(|word| {
        line.split_once(&format!("// {word}")).is_some_and(|(_, rest)| !rest.starts_with('('))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        assert_eq!(problems(Path::new(path), text), expected);
    }

    #[test]
    fn bare_reminders_and_blanks_are_found() {
        check("a.rs", "// TODO(0007) later\n", &[]);
        let bare = format!("// {} later\n", "TODO");
        check("a.rs", &bare, &["a.rs:1 has a bare reminder; name a decision or issue"]);
        check("a.md", "word \n", &["a.md:1 ends in blanks"]);
    }

    #[test]
    fn a_file_of_two_rooms_is_found() {
        let long = "\n".repeat(FILE_LINES_MAX + 1);
        check("a.rs", &long, &["a.rs has 901 lines, more than 900; split it"]);
    }
}
