//! `tessera verify`: looks at a receipt or at evidence without believing the farm.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use client::verify::{Checked, Compared, Drawn, Outline, of_this_engine};
use film::evidence::{Examined, examine};
use film::{Picture, ReadError};
use protocol::{Evidence, Findings, PublicKey, Receipt, SceneId, Signed, Spots, Testimony};
use renderer::{Backend as _, Cancel, CpuBackend, Effort};
use scene::Scene;

use crate::door;
use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::local;
use crate::options::EnvironmentArgs;
use crate::papers::{self, Paper};
use crate::text;
use crate::values;

/// What an EXR begins with.
const EXR_MAGIC: [u8; 4] = [0x76, 0x2f, 0x31, 0x01];

/// Options of `tessera verify`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera verify receipt.json
  tessera verify receipt.json --scene scene.glb --picture frame.exr --pixels 200
  tessera verify evidence.json --scene scene.glb --farm-key key_3f…

")]
pub struct VerifyArgs {
    /// A receipt from `tessera jobs receipt`, or evidence from `tessera verdicts evidence`
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// The scene that was rendered, to render some of its pixels here
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    scene: Option<PathBuf>,
    /// The finished picture, to hold these pixels against it
    #[arg(long, value_name = "FILE.exr", value_hint = ValueHint::FilePath, requires = "scene")]
    picture: Option<PathBuf>,
    /// Random pixels to render
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::whole(1_u32..=1_000_000))]
    pixels: u32,
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// The farm's key, to be sure whose word it is; without it, the one the file names
    #[arg(long, value_name = "key_…")]
    farm_key: Option<PublicKey>,
    /// The scheduler's ticket, or @FILE: the artist can hold the pixels against the nodes' own films
    #[arg(long, value_name = "TICKET|@FILE", requires = "scene")]
    farm: Option<String>,
    /// The artist's key file, for --farm
    #[arg(long, value_name = "FILE", env = "TESSERA_KEY", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,
}

/// Does it.
///
/// # Errors
/// Not found, usage: no such file. Failed: it does not hold, or the pixels say otherwise.
pub fn run(args: &VerifyArgs, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    let (named, paper) = papers::read(&args.file)?;
    let farm = args.farm_key.unwrap_or(named);
    match paper {
        Paper::Evidence(signed) => verify_evidence(args, &signed, farm),
        Paper::Testimony(testimony) => verify_testimony(args, &testimony, farm),
        Paper::Receipt(receipt) => verify_receipt(args, &receipt, farm, interrupt),
    }
}

fn verify_receipt(
    args: &VerifyArgs,
    receipt: &Receipt,
    farm: PublicKey,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let checked = client::verify::check(receipt, farm);
    let checked = Arc::new(checked.context("the receipt does not hold").exit(Exit::Failed)?);
    say_receipt(receipt, &checked, farm)?;
    let Some(scene) = args.imported(checked.spec.scene)? else {
        note!("  to see whether its pixels are right, give the scene: --scene FILE");
        return Ok(Exit::Done);
    };
    let drawn = render(receipt, checked, &scene, args.pixels)?;
    if let Some(path) = &args.picture {
        conclude(&against_picture(&drawn, path)?, "the picture")?;
    }
    if let Some(ticket) = &args.farm {
        let key = door::key_path(args.key.as_ref())?;
        let ticket = door::ticket(ticket)?;
        door::block_on(async {
            let farm = door::connect_as(&key, ticket, interrupt).await?;
            let compared = drawn.against_films(&farm, |_, _| ()).await;
            farm.close().await;
            conclude(&compared?, "the films that the nodes signed")
        })?;
    }
    if args.picture.is_none() && args.farm.is_none() {
        note!(
            "  to hold them against the result, give the picture (--picture) or the farm (--farm)"
        );
    }
    Ok(Exit::Done)
}

/// Random pixels of the accepted tiles, rendered here.
fn render(
    receipt: &Receipt,
    checked: Arc<Checked>,
    scene: &Scene,
    count: u32,
) -> anyhow::Result<Drawn> {
    let shot = checked.spec.shot_settings(receipt.shot);
    let (settings, time_s) = shot.context("a shot that the job does not have")?;
    let mut drawn = Drawn::draw(receipt, checked, count)?;
    let frame = local::prepare(scene, &settings, time_s, Effort::default())?;
    let mut backend = CpuBackend::new(None);
    for (unit, Spots { batch, places }) in drawn.wanted() {
        let sums = backend.render_pixels(&frame, &places, batch, &Cancel::default())?;
        drawn.rendered(unit, sums)?;
    }
    Ok(drawn)
}

fn against_picture(drawn: &Drawn, path: &Path) -> anyhow::Result<Compared> {
    Ok(drawn.against_picture(&picture(path)?)?)
}

/// The finished picture.
///
/// # Errors
/// Not found: no such file. Usage: it is none. Else what is wrong with it.
fn picture(path: &Path) -> anyhow::Result<Picture> {
    film::read_exr(path).map_err(|error| match &error {
        ReadError::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            fail(Exit::NotFound, format!("there is no such picture: {}", path.display()))
        }
        ReadError::Decode { .. } if !is_exr(path) => {
            let shown = path.display();
            fail(Exit::Usage, format!("{shown} is not an EXR; a receipt is held against the EXR"))
        }
        _ => error.into(),
    })
}

/// Whether a file begins as every EXR does.
fn is_exr(path: &Path) -> bool {
    let mut begin = [0; EXR_MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == EXR_MAGIC
}

fn conclude(compared: &Compared, what: &str) -> anyhow::Result<()> {
    let all = text::plural(compared.count as u64, "random pixel", "random pixels");
    let Some((x, y)) = compared.differing.first() else {
        text::print(format_args!("pixels   {all}, rendered here, are those of {what}"))?;
        return Ok(());
    };
    let message = format!(
        "{} of {all}, rendered here, differ from {what}, the first at {x},{y}; nodes of class tolerant and denoised pictures may differ a little",
        compared.differing.len()
    );
    Err(fail(Exit::Failed, message))
}

fn say_receipt(receipt: &Receipt, checked: &Checked, farm: PublicKey) -> anyhow::Result<()> {
    let Outline { films, nodes, pixels_checked, paid } = Outline::of(checked);
    let shot = checked.spec.shot(receipt.shot).context("a shot that the job does not have")?;
    let rows = [
        ("job", format!("{} \"{}\", frame {}", checked.job, checked.spec.name, shot.frame)),
        ("farm", farm.to_string()),
        ("artist", checked.artist.to_string()),
        ("scene", checked.spec.scene.to_string()),
        (
            "films",
            format!(
                "{} by {}, signed by their nodes and accepted by the farm{}",
                films,
                text::plural(nodes as u64, "node", "nodes"),
                if checked.complete { "; the picture is complete" } else { "; some are missing" }
            ),
        ),
        ("checked", format!("{} pixels rendered again by the farm", text::count(pixels_checked))),
        (
            "witnessed",
            match checked.witnesses.len() as u64 {
                0 => {
                    "by nobody yet: that the ledger has one history is the farm's word alone".into()
                }
                count => format!(
                    "by {}, who saw that the ledger only grew up to there",
                    text::plural(count, "key", "keys")
                ),
            },
        ),
        (
            "paid",
            format!(
                "{} tokens, each payment in the ledger's first {} entries",
                paid,
                text::count(checked.checkpoint.size)
            ),
        ),
    ];
    for (name, value) in rows {
        text::print(format_args!("{name:<10}{value}"))?;
    }
    Ok(())
}

fn verify_evidence(
    args: &VerifyArgs,
    signed: &Signed<Evidence>,
    farm: PublicKey,
) -> anyhow::Result<Exit> {
    let examined =
        examine(signed, farm).context("the evidence does not hold").exit(Exit::Failed)?;
    text::print(papers::pixel_table(&examined))?;
    let evidence = &examined.evidence;
    note!("  {} signed a film with these pixels; {farm} refused it", evidence.node);
    let Some(scene) = args.imported(evidence.piece.scene)? else {
        note!("  to see who is right, give the scene: --scene FILE");
        return Ok(Exit::Done);
    };
    who_is_right(&examined, &scene)
}

fn verify_testimony(
    args: &VerifyArgs,
    testimony: &Testimony,
    farm: PublicKey,
) -> anyhow::Result<Exit> {
    let opened = testimony.open(farm);
    let (lease, said) = opened.context("the testimony does not hold").exit(Exit::Failed)?;
    let entry = testimony.entry as usize;
    let Spots { batch, places } = &lease.spots[entry];
    let pixels = text::plural(places.len() as u64, "pixel", "pixels");
    text::print(format_args!("{} was asked for {pixels} and found {said}", lease.node))?;
    let Some(scene) = args.imported(lease.scene)? else {
        note!("  to see who is right, give the scene: --scene FILE");
        return Ok(Exit::Done);
    };
    of_this_engine(lease.engine)?;
    let frame = local::prepare(&scene, &lease.settings, lease.time_s, Effort::default())?;
    let own = CpuBackend::new(None).render_pixels(&frame, places, *batch, &Cancel::default())?;
    let own = Findings::digest(lease.id, entry, &own.to_bytes());
    text::print(format_args!("rendered here: {own}"))?;
    if own == said {
        return Err(fail(Exit::Failed, "the verifier was right: these are the pixels"));
    }
    text::print("the farm is right: these are not the pixels")?;
    Ok(Exit::Done)
}

impl VerifyArgs {
    /// The scene, which must be the one that was rendered.
    fn imported(&self, wanted: SceneId) -> anyhow::Result<Option<Scene>> {
        let Some(path) = &self.scene else { return Ok(None) };
        let scene = self.environment.import(path)?.scene;
        let id = scene::pack(&scene).id();
        if id != wanted {
            let message = format!(
                "this is another scene: it packs to {id}, rendered was {wanted}; give the file, and the options of its import, as it was submitted"
            );
            return Err(fail(Exit::Failed, message));
        }
        Ok(Some(scene))
    }
}

fn who_is_right(examined: &Examined, scene: &Scene) -> anyhow::Result<Exit> {
    let Examined { evidence, got, trusted } = examined;
    let piece = &evidence.piece;
    of_this_engine(piece.engine)?;
    let frame = local::prepare(scene, &piece.settings, piece.time_s, Effort::default())?;
    let batch = piece.unit.batch;
    let own =
        CpuBackend::new(None).render_pixels(&frame, &evidence.places, batch, &Cancel::default())?;
    let same_as = |sums: &film::Sums| (0..own.len()).filter(|&at| sums.is_same(&own, at)).count();
    let (film, farm) = (same_as(got), trusted.as_ref().map_or(own.len(), same_as));
    text::print(format_args!(
        "of {} pixels rendered here, {film} are as in the film and {farm} as the farm says",
        own.len()
    ))?;
    if film == 0 && farm == own.len() {
        text::print("the farm is right: the film is wrong")?;
        return Ok(Exit::Done);
    }
    Err(fail(Exit::Failed, "the pixels rendered here do not bear the refusal out"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::classify;

    #[test]
    fn a_picture_that_is_no_exr_is_said_to_be_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let check = |name: &str, bytes: Option<&[u8]>, exit, words: &str| {
            let path = folder.path().join(name);
            if let Some(bytes) = bytes {
                std::fs::write(&path, bytes).expect("written");
            }
            let error = picture(&path).expect_err(name);
            assert_eq!(classify(&error), exit, "{error:#}");
            assert!(format!("{error:#}").contains(words), "{error:#}");
        };
        let none = "look.png is not an EXR; a receipt is held against the EXR";
        check("look.png", Some(b"\x89PNG\r\n\x1a\n"), Exit::Usage, none);
        check("empty.exr", Some(b""), Exit::Usage, "empty.exr is not an EXR");
        check("cut.exr", Some(&EXR_MAGIC), Exit::Failed, "it may be damaged");
        check("away.exr", None, Exit::NotFound, "there is no such picture");
    }
}
