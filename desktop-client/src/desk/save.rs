//! Pictures and settings to files.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::Farm;
use client::pictures::{Existing, Outputs};
use client::shots::{Shots, Whole};
use film::Look;
use protocol::Unit;
use tokio::sync::watch;

use super::{Outlet, capital, sentence};
use crate::state::notices::Tone;
use crate::state::settings::Settings;
use crate::state::sheet::SaveSheet;
use crate::state::{Event, Saved};

/// Writes frames where a sheet says.
pub(super) fn pictures(sheet: &SaveSheet, look: Look, shots: &Shots, frames: &[Whole]) -> Saved {
    let outputs = match outputs(sheet, look) {
        Ok(outputs) => outputs,
        Err(why) => return Saved::failed(why),
    };
    let mut saved = Saved::default();
    for whole in frames {
        saved.add(write(&outputs, shots, whole), whole.frame.is_complete());
    }
    saved
}

fn outputs(sheet: &SaveSheet, look: Look) -> Result<Outputs, String> {
    let folder = Path::new(sheet.folder.trim());
    if !folder.as_os_str().is_empty() {
        std::fs::create_dir_all(folder)
            .map_err(|error| format!("the folder cannot be made: {error}: {}", folder.display()))?;
    }
    let mut outputs = Outputs::to(sheet.paths()).map_err(|error| error.to_string())?;
    outputs.look = look;
    outputs.existing = if sheet.replaces { Existing::Replace } else { Existing::Keep };
    Ok(outputs)
}

fn write(outputs: &Outputs, shots: &Shots, whole: &Whole) -> Result<Vec<PathBuf>, String> {
    let (_shot, label, metadata) = shots.about(whole.index).map_err(|fault| fault.to_string())?;
    let written = outputs.write(&whole.frame.picture(), &label, &metadata);
    written.map(|written| written.files).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    })
}

/// Fetches what a sheet names of a job, and writes every frame as soon as it is whole; in the end
/// those that are not, too.
pub(super) async fn fetched(farm: &Farm, sheet: &SaveSheet, look: Look) -> Saved {
    let mut saved = Saved::default();
    if let Err(why) = fetch(farm, sheet, look, &mut saved).await {
        saved.trouble = Some(why);
    } else if saved.files.is_empty() && saved.trouble.is_none() {
        saved.trouble = Some("nothing of it is accepted yet".to_owned());
    }
    saved
}

async fn fetch(
    farm: &Farm,
    sheet: &SaveSheet,
    look: Look,
    saved: &mut Saved,
) -> Result<(), String> {
    let outputs = outputs(sheet, look)?;
    let words = |error: client::Error| sentence(&error);
    let mut update = farm.watch(sheet.job, 0, Duration::ZERO).await.map_err(words)?;
    let spec = update.summary.spec.clone();
    let mut shots = Shots::new(sheet.job, &spec);
    let mut seen = BTreeSet::<Unit>::new();
    while !update.accepted.is_empty() {
        for unit in &update.accepted {
            let is_wanted = sheet.shot.is_none_or(|shot| shot == unit.unit.shot);
            if !is_wanted || !seen.insert(unit.unit) {
                continue;
            }
            let film = farm.film(&spec, unit).await.map_err(words)?;
            let whole = shots.insert(unit.unit.shot, film).map_err(|fault| fault.to_string())?;
            if let Some(whole) = whole {
                let written = tokio::task::block_in_place(|| write(&outputs, &shots, &whole));
                saved.add(written, true);
            }
        }
        update = farm.watch(sheet.job, update.next, Duration::ZERO).await.map_err(words)?;
    }
    for whole in shots.rest() {
        let written = tokio::task::block_in_place(|| write(&outputs, &shots, &whole));
        saved.add(written, false);
    }
    Ok(())
}

/// Writes the newest settings down whenever they change, and the last ones at the end.
pub(super) async fn settings(
    path: PathBuf,
    mut newest: watch::Receiver<Option<Settings>>,
    outlet: Outlet,
) {
    while newest.changed().await.is_ok() {
        let settings = newest.borrow_and_update().clone();
        if let Some(settings) = settings {
            remember(path.clone(), settings, &outlet).await;
        }
    }
}

/// Writes settings, all of them or none.
async fn remember(path: PathBuf, settings: Settings, outlet: &Outlet) {
    let written = tokio::task::spawn_blocking(move || {
        settings_to(&path, &settings).map_err(|error| format!("{error}: {}", path.display()))
    });
    if let Ok(Err(why)) = written.await {
        let words = format!("Settings cannot be written; they are lost at the end: {why}");
        outlet.send(Event::Notice(Tone::Warning, capital(&words))).await;
    }
}

fn settings_to(path: &Path, settings: &Settings) -> std::io::Result<()> {
    let text = toml::to_string(settings).map_err(std::io::Error::other)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // The ticket of a private farm is a secret: a temporary file is its owner's alone.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// What was remembered; nothing where there is nothing.
///
/// # Errors
/// The file cannot be read or understood; its words say so. It is left as it is.
pub fn settings_from(path: &Path) -> Result<Settings, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Settings::default());
        }
        Err(error) => return Err(format!("{error}: {}", path.display())),
    };
    toml::from_str(&text).map_err(|error| format!("{}: {}", path.display(), error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_and_belong_to_their_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/desktop.toml");
        assert_eq!(settings_from(&path), Ok(Settings::default()));
        let settings = Settings { farm: "farmsecret".to_owned(), zoom: 1.2, ..Settings::default() };
        settings_to(&path, &settings).expect("written");
        assert_eq!(settings_from(&path), Ok(settings));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "nobody else reads the ticket");
        }
        std::fs::write(&path, "zoom = \"large\"").expect("written");
        let why = settings_from(&path).expect_err("no number");
        assert!(why.contains("desktop.toml"), "{why}");
    }
}
