//! Whether the app is started with the session, to lend the machine: on Linux, an entry in the
//! folder that desktops start programs from. What the desktop's own settings say of it counts, and
//! so does whether the program that it names is still there.

use std::ffi::OsString;
use std::io::{Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// What the app was told of where its things are, and is to be told again.
const PASSED_ON: [&str; 2] = ["TESSERA_HOME", "TESSERA_PROGRAM"];

/// Whether it is; `None` where we do not know how this system starts programs.
#[must_use]
pub fn is_on() -> Option<bool> {
    let path = place(|name| std::env::var_os(name))?;
    Some(std::fs::read_to_string(path).is_ok_and(|entry| counts(&entry)))
}

/// Has it started, or not any more; says why where that cannot be.
pub(super) fn set(wanted: bool) -> Result<(), String> {
    let path = place(|name| std::env::var_os(name))
        .ok_or("How this system starts programs is not known here yet")?;
    let told = told(|name| std::env::var_os(name));
    let done = match wanted {
        true => std::env::current_exe().and_then(|program| write(&path, &program, &told)),
        false => remove(&path),
    };
    done.map_err(|error| format!("The entry cannot be changed: {error}: {}", path.display()))
}

/// Where the entry lies.
fn place(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // One that is not from the root is to be passed over, by the rule of who has named it.
    let named = folder("XDG_CONFIG_HOME").filter(|folder| folder.is_absolute());
    let settings = named.or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(settings.join("autostart").join("tessera-lend.desktop"))
}

/// Variables with what they are set to, from the root: the session starts the app somewhere else.
fn told(variable: impl Fn(&str) -> Option<OsString>) -> Vec<(&'static str, PathBuf)> {
    let of = |name: &'static str| {
        let value = variable(name).filter(|value| !value.is_empty()).map(PathBuf::from)?;
        Some((name, std::path::absolute(&value).unwrap_or(value)))
    };
    PASSED_ON.into_iter().filter_map(of).collect()
}

/// Whether a desktop heeds the entry, and finds the app where it says.
fn counts(entry: &str) -> bool {
    let off = ["Hidden=true", "X-GNOME-Autostart-enabled=false"];
    let is_heeded = !entry.lines().any(|line| off.contains(&line.trim()));
    is_heeded && program_of(entry).is_some_and(|program| program.is_file())
}

/// The program that an entry starts.
fn program_of(entry: &str) -> Option<PathBuf> {
    let line = entry.lines().find_map(|line| line.trim().strip_prefix("Exec="))?;
    let mut words = words_of(line).into_iter().peekable();
    if words.next_if(|word| word == "env" || word.ends_with("/env")).is_some() {
        while words.next_if(|word| word.contains('=') && !word.starts_with('/')).is_some() {}
    }
    words.next().map(PathBuf::from)
}

/// The words of a command line as entries write it.
fn words_of(line: &str) -> Vec<String> {
    // Once for the line, once more for what stands in quotes.
    let (mut plain, mut letters) = (String::new(), line.chars());
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let (mut is_quoted, mut letters) = (false, plain.chars().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' if !is_quoted => words.extend(word.take()),
            '\\' if is_quoted => word.get_or_insert_default().extend(letters.next()),
            '%' => {
                let _second = letters.next_if_eq(&'%');
                word.get_or_insert_default().push('%');
            }
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _gone => Ok(()),
    }
}

fn write(path: &Path, program: &Path, told: &[(&str, PathBuf)]) -> std::io::Result<()> {
    // A program that was replaced while it ran has another name by now: `… (deleted)`.
    if !program.is_file() {
        let why = "the app is not any more where it was started; close it and start it again";
        return Err(Error::new(ErrorKind::NotFound, why));
    }
    let entry = entry(program, told).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "the app lies where an entry cannot name it")
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(entry.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// The entry; `None` where a path has no form in it.
fn entry(program: &Path, told: &[(&str, PathBuf)]) -> Option<String> {
    let mut command = String::new();
    for (name, value) in told {
        let word = quoted(&format!("{name}={}", value.to_str()?))?;
        command.push_str(if command.is_empty() { "env " } else { " " });
        command.push_str(&word);
    }
    if !command.is_empty() {
        command.push(' ');
    }
    command.push_str(&quoted(program.to_str()?)?);
    Some(format!(
        "\
[Desktop Entry]
Type=Application
Version=1.0
Name=Tessera
Comment=Lends this machine from the start of the session
Exec={command} --lend
Icon=tessera
Terminal=false
"
    ))
}

/// One word of a command line, as entries write it; `None` where it has no form there.
fn quoted(word: &str) -> Option<String> {
    if word.contains(char::is_control) {
        return None;
    }
    let mut quoted = String::from('"');
    for letter in word.chars() {
        match letter {
            // Once for the argument, once more for the line that it stands in.
            '\\' => quoted.push_str("\\\\\\\\"),
            '"' | '`' | '$' => quoted.extend(['\\', '\\', letter]),
            '%' => quoted.push_str("%%"),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_comes_and_goes_and_says_whether_it_counts() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("autostart/tessera-lend.desktop");
        let program = home.path().join("a b, 5% of $x");
        let is_on = || std::fs::read_to_string(&path).is_ok_and(|entry| counts(&entry));
        let why = write(&path, &program, &[]).expect_err("there is no such program");
        assert!(why.kind() == ErrorKind::NotFound && !is_on(), "{why}");
        std::fs::write(&program, "").expect("written");
        for told in [Vec::new(), vec![("TESSERA_HOME", home.path().join("a key"))]] {
            remove(&path).expect("gone");
            assert!(!is_on());
            write(&path, &program, &told).expect("written");
            assert!(is_on(), "{:?}", std::fs::read_to_string(&path));
        }
        let entry = std::fs::read_to_string(&path).expect("an entry");
        for off in ["X-GNOME-Autostart-enabled=false", "Hidden=true"] {
            assert!(!counts(&format!("{entry}{off}\n")), "{off}");
        }
        assert!(!counts("[Desktop Entry]\n"), "it starts nothing");
        // A program that has gone is not started, whatever is ticked.
        std::fs::remove_file(&program).expect("gone");
        assert!(!is_on());
    }

    #[test]
    fn what_the_app_was_told_it_is_told_again() {
        let set = |name: &str| match name {
            "TESSERA_HOME" => Some("/a key".into()),
            "TESSERA_PROGRAM" => Some("".into()),
            _other => None,
        };
        let told = told(set);
        assert_eq!(told, [("TESSERA_HOME", PathBuf::from("/a key"))]);
        let entry = entry(Path::new("/opt/app"), &told).expect("it has a form");
        let line = "Exec=env \"TESSERA_HOME=/a key\" \"/opt/app\" --lend";
        assert!(entry.lines().any(|found| found == line), "{entry}");
        assert_eq!(program_of(&entry), Some("/opt/app".into()));
    }

    #[test]
    fn any_path_is_one_word() {
        let line = |path: &str| {
            let entry = entry(Path::new(path), &[]).expect("it has a form");
            assert_eq!(program_of(&entry), Some(path.into()), "it is read as it was written");
            let line = entry.lines().find(|line| line.starts_with("Exec=")).expect("a line");
            line.to_owned()
        };
        assert_eq!(line("/a b/app"), "Exec=\"/a b/app\" --lend");
        assert_eq!(line("/5%/$x"), "Exec=\"/5%%/\\\\$x\" --lend");
        assert_eq!(line("/a\\b"), "Exec=\"/a\\\\\\\\b\" --lend");
        assert_eq!(entry(Path::new("/a\nExec=b"), &[]), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn it_lies_where_desktops_look() {
        let path = |set: &[(&str, &str)]| {
            place(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        let expected =
            |folder: &str| Some(Path::new(folder).join("autostart/tessera-lend.desktop"));
        assert_eq!(path(&[("HOME", "/h")]), expected("/h/.config"));
        assert_eq!(path(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]), expected("/x"));
        assert_eq!(path(&[("XDG_CONFIG_HOME", "x"), ("HOME", "/h")]), expected("/h/.config"));
        assert_eq!(path(&[]), None);
    }
}
