//! `tessera verify`: looks at a receipt or at evidence without believing the farm.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use film::evidence::{Examined, examine};
use protocol::{Evidence, PublicKey, SceneId, Signed};
use renderer::{Backend as _, Cancel, CpuBackend, Effort};
use scene::Scene;

use crate::exit::{Exit, WithExit as _, fail};
use crate::local;
use crate::options::EnvironmentArgs;
use crate::papers::{self, Paper};
use crate::text;

/// Options of `tessera verify`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera verify evidence.json
  tessera verify evidence.json --scene scene.glb --farm-key key_3f…

")]
pub struct VerifyArgs {
    /// Evidence from `tessera verdicts evidence`
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// The scene that was rendered, to render its pixels here
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    scene: Option<PathBuf>,
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// The farm's key, to be sure whose word it is; without it, the one the file names
    #[arg(long, value_name = "key_…")]
    farm_key: Option<PublicKey>,
}

/// Does it.
///
/// # Errors
/// Not found, usage: no such file. Failed: it does not hold, or the pixels say otherwise.
pub fn run(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let (named, paper) = papers::read(&args.file)?;
    let farm = args.farm_key.unwrap_or(named);
    match paper {
        Paper::Evidence(signed) => verify_evidence(args, &signed, farm),
    }
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
    let Some(scene) = args.imported(evidence.scene)? else {
        eprintln!("  to see who is right, give the scene: --scene FILE");
        return Ok(Exit::Done);
    };
    who_is_right(&examined, &scene)
}

impl VerifyArgs {
    /// The scene, which must be the one that was rendered.
    fn imported(&self, wanted: SceneId) -> anyhow::Result<Option<Scene>> {
        let Some(path) = &self.scene else { return Ok(None) };
        let scene = self.environment.import(path)?.scene;
        let id = scene::package_id(&scene::pack(&scene));
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
    if evidence.engine != renderer::ENGINE {
        let message = format!(
            "this program renders as {}, the film is of {}; use that version of Tessera",
            renderer::ENGINE,
            evidence.engine
        );
        return Err(fail(Exit::Failed, message));
    }
    let frame = local::prepare(scene, &evidence.settings, evidence.time_s, Effort::default())?;
    let batch = evidence.unit.batch;
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
