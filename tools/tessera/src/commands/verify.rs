//! `tessera verify`: looks at a receipt or at evidence without believing the farm.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use film::evidence::{Examined, examine};
use proof::receipt::Checked;
use protocol::{Evidence, Findings, PublicKey, Receipt, SceneId, Signed, Spots, Testimony, Tokens};
use renderer::{Backend as _, Cancel, CpuBackend, Effort};
use scene::Scene;

use crate::door;
use crate::drawn::{Drawn, of_this_engine};
use crate::exit::{Exit, WithExit as _, fail};
use crate::interrupt::Interrupt;
use crate::local;
use crate::options::EnvironmentArgs;
use crate::papers::{self, Paper};
use crate::text;

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
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
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
    let checked = proof::receipt::check(receipt, farm);
    let checked = checked.context("the receipt does not hold").exit(Exit::Failed)?;
    say_receipt(receipt, &checked, farm)?;
    let Some(scene) = args.imported(checked.spec.scene)? else {
        eprintln!("  to see whether its pixels are right, give the scene: --scene FILE");
        return Ok(Exit::Done);
    };
    let drawn = Drawn::render(receipt, &checked, &scene, args.pixels)?;
    if let Some(path) = &args.picture {
        drawn.compare_picture(path)?;
    }
    if let Some(ticket) = &args.farm {
        let key = door::key_path(args.key.as_ref())?;
        let ticket = door::ticket(ticket)?;
        door::block_on(async {
            let farm = door::connect_as(&key, ticket, interrupt).await?;
            let compared = drawn.compare_films(&farm).await;
            farm.close().await;
            compared
        })?;
    }
    if args.picture.is_none() && args.farm.is_none() {
        eprintln!(
            "  to hold them against the result, give the picture (--picture) or the farm (--farm)"
        );
    }
    Ok(Exit::Done)
}

fn say_receipt(receipt: &Receipt, checked: &Checked, farm: PublicKey) -> anyhow::Result<()> {
    let units = &checked.units;
    let mut nodes: Vec<_> = units.iter().map(|unit| unit.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let pay = units.iter().try_fold(Tokens::ZERO, |sum, unit| sum.checked_add(unit.pay));
    let pixels: u64 = units.iter().map(|unit| u64::from(unit.pixels_checked)).sum();
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
                units.len(),
                text::plural(nodes.len() as u64, "node", "nodes"),
                if checked.complete { "; the picture is complete" } else { "; some are missing" }
            ),
        ),
        ("checked", format!("{} pixels rendered again by the farm", text::count(pixels))),
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
                pay.unwrap_or_default(),
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
    eprintln!("  {} signed a film with these pixels; {farm} refused it", evidence.node);
    let Some(scene) = args.imported(evidence.piece.scene)? else {
        eprintln!("  to see who is right, give the scene: --scene FILE");
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
        eprintln!("  to see who is right, give the scene: --scene FILE");
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
