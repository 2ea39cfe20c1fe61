//! `cargo xtask screenshots`: the window's pictures for the README, of a farm that really renders.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::journey::farm::Farm;
use crate::journey::screen::{Part, Screen, wait};
use crate::journey::{self, CANVAS, command};
use crate::run;

/// What the picture of the render is of.
const SIZE: [u32; 2] = [1280, 720];
/// Jobs that were there before: scene, name, size, samples.
const BEFORE: [(&str, &str, &str, &str); 5] = [
    ("atrium", "atrium_hall_v03", "320x180", "16"),
    ("spheres", "materials_chart", "320x180", "32"),
    ("mosaic", "mosaic_coins_v01", "320x180", "16"),
    ("atrium", "atrium_pool_v01", "320x180", "8"),
    ("mosaic", "mosaic_hero_v11", "480x270", "16"),
];
/// Jobs that are still there: the first has begun, the others wait or rest.
const UNDER_WAY: [(&str, &str, &str, &str); 3] = [
    ("atrium", "atrium_hall_final", "1920x1080", "128"),
    ("mosaic", "mosaic_above_night", "1920x1080", "64"),
    ("spheres", "materials_print", "2560x1440", "64"),
];
/// How long a farm of two small nodes may take to whatever is waited for.
const WORK_MAX: Duration = Duration::from_secs(600);
/// The page, without the status bar, whose clock goes on.
const PAGE: Part = [140, 0, 1280, 760];

/// Makes `docs/images/{render,node,jobs}.png`.
pub fn screenshots(root: &Path) -> Result<()> {
    let programs = journey::programs(root, None)?;
    let farm = Farm::start(&programs, &run::target(root).join("screenshots"), &["ada", "grace"])?;
    for name in ["atrium", "mosaic", "spheres"] {
        let glb = std::fs::read(root.join(format!("assets/{name}.glb")))?;
        let wishes = json!({ "tessera": { "resolution": SIZE } });
        let path = farm.folder().join(format!("{name}.glb"));
        std::fs::write(path, journey::with_wishes(&glb, wishes)?)?;
    }
    let screen = Screen::open()?;
    let taken = take(&farm, &screen, &root.join("docs/images"));
    if taken.is_err() {
        screen.keep(&farm.folder().join("trouble.png")).ok();
    }
    taken.with_context(|| format!("logs lie in {}", farm.folder().display()))
}

fn take(farm: &Farm, screen: &Screen, images: &Path) -> Result<()> {
    for (place, job) in BEFORE.iter().enumerate() {
        let id = submit(farm, *job)?;
        wait(job.1, WORK_MAX, || {
            let jobs = farm.jobs()?;
            let status = &jobs.iter().find(|it| it["job"] == id).context("a job")?["status"];
            let is_over = status == "done" || status == "cancelled";
            // One was not wanted any more.
            if place == 3 && !is_over {
                steer(farm, "cancel", &id)?;
            }
            Ok(is_over.then_some(()))
        })?;
    }

    // Tiles come in, some of them from this machine.
    let app = farm.open_app(&farm.folder().join("mosaic.glb"), screen)?;
    screen.pictured("the preview", CANVAS, 2_000)?;
    command(screen, "draft quality")?;
    command(screen, "start or pause")?;
    command(screen, "firm price")?;
    let jobs = farm.jobs()?.len();
    wait("the order", WORK_MAX, || {
        screen.press("ctrl+Return")?;
        std::thread::sleep(Duration::from_secs(1));
        Ok((farm.jobs()?.len() > jobs).then_some(()))
    })?;
    wait("half of the tiles", WORK_MAX, || {
        let job = farm.jobs()?.into_iter().next().context("a job")?;
        ensure!(job["status"] != "done", "the job was over before it was seen");
        let (come, all) = (job["units_accepted"].as_u64(), job["units"].as_u64());
        Ok((come.unwrap_or(0) * 9 > all.unwrap_or(0) * 5).then_some(()))
    })?;
    keep(screen, &images.join("render.png"))?;

    // The node works on though somebody presses keys.
    let mut ids = Vec::new();
    for job in UNDER_WAY {
        ids.push(submit(farm, job)?);
    }
    steer(farm, "pause", &ids[2])?;
    screen.press("ctrl+2")?;
    command(screen, "run anyway")?;
    wait("tiles of this machine", WORK_MAX, || {
        let nodes = farm.told(&["farm"])?;
        let own = nodes.iter().find(|node| node["name"] == "desktop").context("the own node")?;
        let (accepted, leases) = (own["accepted"].as_u64(), own["leases"].as_u64());
        Ok((accepted >= Some(6) && leases > Some(0)).then_some(()))
    })?;
    keep(screen, &images.join("node.png"))?;

    let before = screen.look(PAGE)?;
    screen.press("ctrl+3")?;
    screen.changed("the list of jobs", PAGE, &before)?;
    wait("a job that renders", WORK_MAX, || {
        let jobs = farm.jobs()?;
        Ok(jobs.iter().any(|job| job["status"] == "rendering").then_some(()))
    })?;
    // The window asks every two seconds.
    std::thread::sleep(Duration::from_secs(5));
    keep(screen, &images.join("jobs.png"))?;
    drop(app);
    for id in ids {
        steer(farm, "cancel", &id)?;
    }
    Ok(())
}

/// Orders a job; gives its id.
fn submit(farm: &Farm, (scene, name, size, samples): (&str, &str, &str, &str)) -> Result<String> {
    let file = format!("{scene}.glb");
    let known = farm.jobs()?.len();
    let order = ["jobs", "submit", &file, "--name", name, "--size", size, "--spp", samples];
    farm.told(&[&order[..], &["--yes", "--max-cost", "90"]].concat())?;
    let jobs = farm.jobs()?;
    ensure!(jobs.len() > known, "{name} was not ordered");
    Ok(jobs[0]["job"].as_str().context("a job has an id")?.to_owned())
}

fn steer(farm: &Farm, how: &str, job: &str) -> Result<()> {
    run::run(farm.tessera().args(["jobs", how, job, "--farm", "@farm/ticket"]))
}

/// Keeps a picture as small as PNG gets it.
fn keep(screen: &Screen, path: &Path) -> Result<()> {
    let seen = screen.look(Screen::ALL)?;
    let file =
        std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let encoder = image::codecs::png::PngEncoder::new_with_quality(
        std::io::BufWriter::new(file),
        image::codecs::png::CompressionType::Best,
        image::codecs::png::FilterType::Adaptive,
    );
    seen.write_with_encoder(encoder)?;
    println!("{}: {} kB", path.display(), std::fs::metadata(path)?.len() / 1000);
    Ok(())
}
