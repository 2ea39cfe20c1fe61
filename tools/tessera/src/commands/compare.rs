//! `tessera compare`: how far two pictures are apart.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueHint};
use film::Picture;
use film::compare::Comparison;

use crate::exit::{Exit, WithExit as _, fail};
use crate::json;
use crate::text;

/// Options of `tessera compare`.
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  tessera compare reference.exr test.exr
  tessera compare reference.exr test.exr --json
  tessera compare reference.exr test.exr --fail-above-relmse 0.001

")]
pub struct CompareArgs {
    /// The picture that is right
    #[arg(value_hint = ValueHint::FilePath)]
    reference: PathBuf,
    /// The picture to judge
    #[arg(value_hint = ValueHint::FilePath)]
    test: PathBuf,
    /// Fail when the relative mean squared error is above this
    #[arg(long, value_name = "ERROR")]
    fail_above_relmse: Option<f64>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Compares, prints, and fails above the limit.
///
/// # Errors
/// A file is missing or no EXR; the sizes differ.
pub fn run(args: &CompareArgs) -> anyhow::Result<Exit> {
    let (reference, test) = (read(&args.reference)?, read(&args.test)?);
    let found = film::compare::compare(&reference, &test)
        .context("pictures of two sizes cannot be compared")?;
    if args.json {
        text::print(object(&found))?;
    } else {
        for (name, value) in lines(&found) {
            text::print(format_args!("{name:<22}{value}"))?;
        }
    }
    let Some(limit) = args.fail_above_relmse else { return Ok(Exit::Done) };
    // Not a number is above every limit.
    if found.rel_mse.is_nan() || found.rel_mse > limit {
        let message = format!("the pictures differ: relMSE {} is above {limit}", found.rel_mse);
        return Err(fail(Exit::Failed, message));
    }
    Ok(Exit::Done)
}

fn read(path: &Path) -> anyhow::Result<Picture> {
    let exit = if path.exists() { Exit::Failed } else { Exit::NotFound };
    film::read_exr(path).context("a picture cannot be read").exit(exit)
}

fn lines(found: &Comparison) -> [(&'static str, String); 6] {
    let percent = |share: f64| format!("{:.4} %", 100.0 * share);
    [
        ("relMSE", format!("{:.6e}", found.rel_mse)),
        ("FLIP", format!("{:.6}", found.flip_mean)),
        ("bias", format!("{:+.6} %", 100.0 * found.bias)),
        ("pixels beyond 0.1 %", percent(found.share_beyond_thousandth)),
        ("pixels beyond 5 %", percent(found.share_beyond_twentieth)),
        ("bit-equal pixels", percent(found.bit_equal_share)),
    ]
}

fn object(found: &Comparison) -> serde_json::Value {
    serde_json::json!({
        "v": json::VERSION,
        "rel_mse": found.rel_mse,
        "flip_mean": found.flip_mean,
        "bias": found.bias,
        "share_beyond_thousandth": found.share_beyond_thousandth,
        "share_beyond_twentieth": found.share_beyond_twentieth,
        "bit_equal_share": found.bit_equal_share,
    })
}
