//! Whether the app is started with the session, to lend the machine: on Linux, an entry in the
//! folder that desktops start programs from. What the desktop's own settings say of it counts.

use std::ffi::OsString;
use std::io::{Error, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

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
    let done = std::env::current_exe().and_then(|program| write(&path, &program, wanted));
    done.map_err(|error| format!("The entry cannot be changed: {error}: {}", path.display()))
}

/// Where the entry lies.
fn place(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let settings =
        folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(settings.join("autostart").join("tessera-lend.desktop"))
}

/// Whether a desktop heeds the entry.
fn counts(entry: &str) -> bool {
    let off = ["Hidden=true", "X-GNOME-Autostart-enabled=false"];
    !entry.lines().any(|line| off.contains(&line.trim()))
}

fn write(path: &Path, program: &Path, wanted: bool) -> std::io::Result<()> {
    if !wanted {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _gone => Ok(()),
        };
    }
    let entry = entry(program).ok_or_else(|| {
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
fn entry(program: &Path) -> Option<String> {
    let program = program.to_str().filter(|path| !path.contains(char::is_control))?;
    let mut quoted = String::new();
    for letter in program.chars() {
        match letter {
            // Once for the argument, once more for the line that it stands in.
            '\\' => quoted.push_str("\\\\\\\\"),
            '"' | '`' | '$' => quoted.extend(['\\', '\\', letter]),
            '%' => quoted.push_str("%%"),
            letter => quoted.push(letter),
        }
    }
    Some(format!(
        "\
[Desktop Entry]
Type=Application
Version=1.0
Name=Tessera
Comment=Lends this machine from the start of the session
Exec=\"{quoted}\" --lend
Icon=tessera
Terminal=false
"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_comes_and_goes_and_says_whether_it_counts() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("autostart/tessera-lend.desktop");
        for wanted in [false, true, true, false] {
            write(&path, Path::new("/opt/a b/tessera-desktop"), wanted).expect("written");
            let entry = std::fs::read_to_string(&path);
            assert_eq!(entry.is_ok_and(|entry| counts(&entry)), wanted);
        }
        assert!(!counts("[Desktop Entry]\nX-GNOME-Autostart-enabled=false\n"));
        assert!(!counts("[Desktop Entry]\nHidden=true\n"));
    }

    #[test]
    fn any_path_is_one_word() {
        let line = |path: &str| {
            let entry = entry(Path::new(path)).expect("it has a form");
            let line = entry.lines().find(|line| line.starts_with("Exec=")).expect("a line");
            line.to_owned()
        };
        assert_eq!(line("/a b/app"), "Exec=\"/a b/app\" --lend");
        assert_eq!(line("/5%/$x"), "Exec=\"/5%%/\\\\$x\" --lend");
        assert_eq!(line("/a\\b"), "Exec=\"/a\\\\\\\\b\" --lend");
        assert_eq!(entry(Path::new("/a\nExec=b")), None);
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
        assert_eq!(path(&[]), None);
    }
}
