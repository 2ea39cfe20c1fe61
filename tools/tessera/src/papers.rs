//! Receipts and evidence as files: a JSON object with a few words for people, and the signed bytes.

use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::Grounds;
use film::evidence::Examined;
use proof::receipt::Checked;
use protocol::{Digest, Evidence, PublicKey, Receipt, Signed, Testimony, VerificationLease};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, WithExit as _};
use crate::json;
use crate::text;

/// Most bytes of such a file.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What such a file holds.
pub enum Paper {
    /// Why a film was refused.
    Evidence(Signed<Evidence>),
    /// Why a verifier was convicted.
    Testimony(Box<Testimony>),
    /// Who rendered a picture, and where it was paid.
    Receipt(Box<Receipt>),
}

impl From<Grounds> for Paper {
    fn from(grounds: Grounds) -> Self {
        match grounds {
            Grounds::Evidence(signed) => Self::Evidence(*signed),
            Grounds::Testimony(testimony) => Self::Testimony(testimony),
        }
    }
}

/// The file. Nothing but `farm` and `signed` is looked at when it is read.
#[derive(Serialize, Deserialize)]
struct Sheet {
    v: u32,
    kind: Kind,
    farm: String,
    about: serde_json::Value,
    signed: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Evidence,
    Testimony,
    Receipt,
}

/// Writes a paper; what was there is replaced.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, farm: PublicKey, paper: &Paper) -> anyhow::Result<()> {
    let (kind, about, bytes) = match paper {
        Paper::Evidence(signed) => {
            let evidence = signed.open().context("the evidence is not genuine")?;
            (Kind::Evidence, about_evidence(&evidence), protocol::encode(signed))
        }
        Paper::Testimony(testimony) => {
            let (lease, digest) = testimony.open(farm).context("the testimony is not genuine")?;
            let about = about_testimony(testimony, &lease, digest);
            (Kind::Testimony, about, protocol::encode(testimony))
        }
        Paper::Receipt(receipt) => {
            let checked =
                proof::receipt::check(receipt, farm).context("the receipt is not genuine")?;
            let about = about_receipt(receipt, &checked);
            (Kind::Receipt, about, protocol::encode(receipt))
        }
    };
    let (farm, signed) = (farm.to_string(), STANDARD.encode(bytes));
    let sheet = Sheet { v: json::VERSION, kind, farm, about, signed };
    let text = serde_json::to_string_pretty(&sheet).context("the paper cannot be put in words")?;
    std::fs::write(path, text + "\n")
        .with_context(|| format!("the file cannot be written: {}", path.display()))
}

/// Reads a paper, and whose farm it says it is of. Nothing of it is checked yet.
///
/// # Errors
/// Not found: no such file. Usage: not such a file.
pub fn read(path: &Path) -> anyhow::Result<(PublicKey, Paper)> {
    let metadata = std::fs::metadata(path)
        .with_context(|| format!("the file cannot be read: {}", path.display()))
        .exit(Exit::NotFound)?;
    let parsed = (|| {
        anyhow::ensure!(metadata.len() <= FILE_BYTES_MAX, "it has {} bytes", metadata.len());
        let sheet: Sheet = serde_json::from_slice(&std::fs::read(path)?)?;
        anyhow::ensure!(sheet.v == json::VERSION, "it is of version {}", sheet.v);
        let bytes = STANDARD.decode(&sheet.signed).context("its signed bytes are not base64")?;
        let farm = sheet.farm.parse().context("it does not name its farm")?;
        let bytes_max = FILE_BYTES_MAX as usize;
        let paper = match sheet.kind {
            Kind::Evidence => Paper::Evidence(protocol::decode(&bytes, bytes_max)?),
            Kind::Testimony => Paper::Testimony(protocol::decode(&bytes, bytes_max)?),
            Kind::Receipt => Paper::Receipt(protocol::decode(&bytes, bytes_max)?),
        };
        Ok((farm, paper))
    })();
    parsed
        .with_context(|| format!("this is neither a receipt nor evidence: {}", path.display()))
        .exit(Exit::Usage)
}

fn about_receipt(receipt: &Receipt, checked: &Checked) -> serde_json::Value {
    let shot = checked.spec.shot(receipt.shot);
    let units = checked.units.iter().map(|unit| {
        serde_json::json!({
            "tile": unit.unit.tile.0,
            "batch": unit.unit.batch.to_string(),
            "node": unit.node.to_string(),
            "film": unit.root.to_string(),
            "pixels_checked": unit.pixels_checked,
            "pay": unit.pay.to_string(),
        })
    });
    serde_json::json!({
        "job": checked.job.to_string(),
        "name": checked.spec.name,
        "artist": checked.artist.to_string(),
        "scene": checked.spec.scene.to_string(),
        "engine": receipt.engine.0,
        "shot": shot.map(|shot| json::shot(&checked.spec, shot)),
        "complete": checked.complete,
        "ledger_entries": checked.checkpoint.size,
        "witnesses": checked.witnesses.iter().map(|it| it.witness.to_string()).collect::<Vec<_>>(),
        "units": units.collect::<Vec<_>>(),
    })
}

fn about_evidence(evidence: &Evidence) -> serde_json::Value {
    let unit = &evidence.piece.unit;
    serde_json::json!({
        "lease": evidence.lease.to_string(),
        "node": evidence.node.to_string(),
        "job": unit.job.to_string(),
        "shot": unit.shot.0,
        "tile": unit.tile.0,
        "batch": unit.batch.to_string(),
        "scene": evidence.piece.scene.to_string(),
        "engine": evidence.piece.engine.0,
        "pixels": evidence.places,
    })
}

fn about_testimony(
    testimony: &Testimony,
    lease: &VerificationLease,
    digest: Digest,
) -> serde_json::Value {
    let spots = &lease.spots[testimony.entry as usize];
    serde_json::json!({
        "lease": lease.id.to_string(),
        "node": lease.node.to_string(),
        "scene": lease.scene.to_string(),
        "engine": lease.engine.0,
        "batch": spots.batch.to_string(),
        "pixels": spots.places,
        "entry": testimony.entry,
        "digest": digest.to_string(),
    })
}

/// What a film says of pixels, beside the same rendered again: means of linear RGB.
pub fn pixel_table(examined: &Examined) -> comfy_table::Table {
    let mean = |sums: &film::Sums, at: usize| {
        let pixel = &sums.pixels()[at];
        let samples = pixel.samples.max(1) as f32;
        let [r, g, b] = pixel.beauty.map(|channel| channel / samples);
        format!("{r:.5} {g:.5} {b:.5}")
    };
    let rows = examined.evidence.places.iter().enumerate().map(|(at, (x, y))| {
        vec![
            format!("{x},{y}"),
            mean(&examined.got, at),
            examined.trusted.as_ref().map_or_else(String::new, |trusted| mean(trusted, at)),
            examined.got.pixels()[at].samples.to_string(),
        ]
    });
    let header = ["pixel", "the film", "rendered again", "samples"];
    text::table(&header, &[3], rows.collect())
}
