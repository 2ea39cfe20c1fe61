//! `cargo xtask journey`: an artist's whole way through the window, by keys alone, on a farm of real
//! processes; what is saved in the end must be what a render here gives.

pub mod farm;
pub mod screen;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::{run, setup};
use farm::{Farm, Member};
use screen::{Part, Screen, wait};

/// What is rendered: small, since two cores trace it twice and show it besides.
const SIZE: [u32; 2] = [480, 270];
/// Samples and bounces of draft quality, as the app has it.
const DRAFT: [&str; 4] = ["--spp", "32", "--bounces", "4"];
/// How long the job may take.
const RENDER_MAX: Duration = Duration::from_secs(300);

/// The rail: a sheet over the page veils it, and nothing else changes it.
pub const RAIL: Part = [8, 8, 120, 240];
/// Where the palette has the first of what it found; what lies below may be a preview that goes on.
const FOUND: Part = [390, 190, 890, 214];
/// Where the scene, or the picture, is.
pub const CANVAS: Part = [160, 120, 940, 720];
/// Where a sheet lies over the page.
const SHEET: Part = [364, 96, 916, 470];
/// The price and its button.
const PRICE: Part = [970, 590, 1264, 755];

/// Options of `cargo xtask journey`.
#[derive(Debug, Args)]
pub struct JourneyArgs {
    /// Folder of the programs, such as /usr/bin; without it those of the release build
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// Walks, and fails where the picture is another.
pub fn journey(root: &Path, args: &JourneyArgs) -> Result<()> {
    let programs = programs(root, args.programs.clone())?;
    let start = Instant::now();
    let farm = Farm::start(&programs, &run::target(root).join("journey"), &["ada", "grace"])?;
    let scene = farm.folder().join("spheres.glb");
    let glb = std::fs::read(root.join("assets/spheres.glb"))?;
    let wishes = json!({ "tessera": { "resolution": SIZE } });
    std::fs::write(&scene, with_wishes(&glb, wishes)?)?;
    let screen = Screen::open()?;
    let mut app = farm.open_app(&scene, &screen)?;
    let walked = walk(&farm, &scene, &screen, &mut app);
    if walked.is_err() {
        screen.keep(&farm.folder().join("trouble.png")).ok();
    }
    walked.with_context(|| format!("logs and pictures lie in {}", farm.folder().display()))?;
    println!(
        "journey: the saved picture is the local one to the bit; {} s, pictures of the steps in {}",
        start.elapsed().as_secs(),
        farm.folder().display()
    );
    Ok(())
}

/// The programs, built and with what they need, where nobody says which.
pub fn programs(root: &Path, said: Option<PathBuf>) -> Result<PathBuf> {
    setup::screen();
    setup::vulkan()?;
    if let Some(programs) = said {
        return std::path::absolute(programs).context("the programs have no folder");
    }
    let build = ["build", "--release", "--package", "tessera", "--package", "desktop-client"];
    run::cargo(root, &[&build[..], &["--bins"]].concat(), &[])?;
    Ok(run::target(root).join("release"))
}

fn walk(farm: &Farm, scene: &Path, screen: &Screen, app: &mut Member) -> Result<()> {
    let step = |name: &str| -> Result<()> {
        eprintln!("journey: {name}");
        screen.keep(&farm.folder().join(format!("{name}.png")))
    };
    screen.pictured("the preview", CANVAS, 2_000)?;
    step("1-preview")?;

    command(screen, "draft quality")?;
    let before = screen.look(PRICE)?;
    command(screen, "firm price")?;
    screen.changed("the price", PRICE, &before)?;
    screen.settled("the price", PRICE, RENDER_MAX)?;
    step("2-price")?;

    screen.press("ctrl+Return")?;
    let job = wait("the order", Duration::from_secs(30), || Ok(farm.jobs()?.into_iter().next()))?;
    ensure!(number(&job, "units") > 1, "one tile is no mosaic: {job}");
    let newest =
        || -> Result<Value> { farm.jobs()?.into_iter().next().context("the job has gone") };
    wait("the first tile", RENDER_MAX, || {
        Ok((number(&newest()?, "units_accepted") > 0).then_some(()))
    })?;
    screen.pictured("the first tile in the window", CANVAS, 500)?;
    step("3-tiles")?;

    wait("the last tile", RENDER_MAX, || {
        app.check()?;
        let job = newest()?;
        ensure!(job["status"] != "failed", "the job has failed: {job}");
        Ok((job["status"] == "done").then_some(()))
    })?;
    screen.settled("the whole picture", Screen::ALL, RENDER_MAX)?;
    step("4-done")?;

    let saved = farm.folder().join("out/journey.exr");
    save(screen, &saved, || step("5-save"))?;
    wait("the saved picture", RENDER_MAX, || Ok(saved.is_file().then_some(())))?;
    screen.settled("the notice", Screen::ALL, RENDER_MAX)?;
    step("6-saved")?;
    ensure!(farm.jobs()?.len() == 1, "one order is one job");
    compare(farm, scene, &saved)
}

/// Gives a command by its words, as the palette finds them.
pub fn command(screen: &Screen, words: &str) -> Result<()> {
    screen.press_until("ctrl+p", RAIL)?;
    let all = screen.look(FOUND)?;
    screen.write(words)?;
    screen.changed("what the palette found", FOUND, &all)?;
    screen.settled("what the palette found", FOUND, Duration::from_secs(30))?;
    screen.press_until("Return", RAIL)
}

/// Saves to a path that is typed.
fn save(screen: &Screen, path: &Path, filled: impl FnOnce() -> Result<()>) -> Result<()> {
    let folder = path.parent().context("a folder")?.display().to_string();
    let name = path.file_stem().context("a name")?.to_string_lossy().into_owned();
    screen.press_until("ctrl+s", RAIL)?;
    // Past "Close".
    screen.step_to("Tab", SHEET)?;
    for text in [folder, name] {
        screen.step_to("Tab", SHEET)?;
        screen.press("ctrl+a")?;
        screen.write(&text)?;
    }
    // Past four boxes, to "Save".
    for _box in 0..5 {
        screen.step_to("Tab", SHEET)?;
    }
    filled()?;
    screen.press_until("Return", RAIL)
}

/// Renders the same here; every pixel must be the same.
fn compare(farm: &Farm, scene: &Path, saved: &Path) -> Result<()> {
    let local = farm.folder().join("local.exr");
    let [width, height] = SIZE;
    let mut render = farm.tessera();
    render.arg("render").arg(scene).arg("-o").arg(&local).args(DRAFT).args(["--backend", "cpu"]);
    run::run(render.args(["--size", &format!("{width}x{height}")]))?;
    let output = farm.tessera().arg("compare").arg(&local).arg(saved).arg("--json").output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "tessera compare: {words}");
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let equal = found["bit_equal_share"].as_f64().context("a share")?;
    ensure!(equal >= 1.0, "the saved picture is not the local one: {found}");
    Ok(())
}

fn number(job: &Value, name: &str) -> u64 {
    job[name].as_u64().unwrap_or_default()
}

/// A binary glTF whose scene has these extras, too.
pub fn with_wishes(glb: &[u8], extras: Value) -> Result<Vec<u8>> {
    let word = |at: usize| -> Result<usize> {
        let bytes = glb.get(at..at + 4).context("the file is cut")?;
        Ok(u32::from_le_bytes(bytes.try_into()?) as usize)
    };
    let end = 20 + word(12)?;
    let mut scene: Value = serde_json::from_slice(glb.get(20..end).context("the file is cut")?)?;
    scene["scenes"][0]["extras"] = extras;
    let mut text = serde_json::to_vec(&scene)?;
    text.resize(text.len().next_multiple_of(4), b' ');
    let rest = &glb[end..];
    let mut new = glb[..8].to_vec();
    for length in [20 + text.len() + rest.len(), text.len()] {
        new.extend_from_slice(&u32::try_from(length)?.to_le_bytes());
    }
    new.extend_from_slice(b"JSON");
    new.extend_from_slice(&text);
    new.extend_from_slice(rest);
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_gets_wishes_and_stays_a_scene() -> Result<()> {
        let glb = std::fs::read(crate::root().join("assets/spheres.glb"))?;
        let new = with_wishes(&glb, json!({ "tessera": { "resolution": [16, 9] } }))?;
        let length = u32::from_le_bytes(new[8..12].try_into()?) as usize;
        assert_eq!(length, new.len());
        let text = u32::from_le_bytes(new[12..16].try_into()?) as usize;
        let scene: Value = serde_json::from_slice(&new[20..20 + text])?;
        assert_eq!(scene["scenes"][0]["extras"]["tessera"]["resolution"], json!([16, 9]));
        // The buffers follow as they were.
        let old = 20 + u32::from_le_bytes(glb[12..16].try_into()?) as usize;
        assert_eq!(new[20 + text..], glb[old..]);
        Ok(())
    }
}
