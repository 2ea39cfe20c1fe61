//! The firm price of a job, from a probe of its scene.

use protocol::{JobSpec, Quote, QuoteId, RayCount, Tokens};
use serde::{Deserialize, Serialize};

use crate::core::Quoted;
use crate::money;
use crate::split::{self, SplitError};

/// What the operator asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// Tokens for a billion metered rays.
    #[serde(with = "crate::config::tokens_text")]
    pub per_gray: Tokens,
    /// Tokens for fetching and preparing the scene of one shot (a frame of one camera), shared by
    /// its units.
    #[serde(with = "crate::config::tokens_text")]
    pub setup_per_frame: Tokens,
    /// The farm's fee on the work, in millionths.
    pub fee_ppm: u32,
    /// The verification reserve's share on the work, in millionths.
    pub reserve_ppm: u32,
    /// How long a quote stands, milliseconds.
    pub valid_ms: u64,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            per_gray: Tokens::from_whole(10),
            setup_per_frame: Tokens::from_micro(10_000),
            fee_ppm: 50_000,
            // Twins: all of a newcomer's first units and 2 % of the rest, with room.
            reserve_ppm: 50_000,
            valid_ms: 15 * 60_000,
        }
    }
}

/// Rays of one sample of one pixel: an upper bound of the mean over a job's shots, from probes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleCost {
    /// Rays that look for the closest hit.
    pub closest: f64,
    /// Rays that only ask whether something is in the way.
    pub shadow: f64,
}

/// A job that cannot be priced.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteError {
    /// Too large to be split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The probe found no finite cost.
    #[error("the probe counted {0:?} rays a sample, which is no price; check the scene")]
    Cost(SampleCost),
    /// The price is beyond any number of tokens.
    #[error("the price is beyond any amount of tokens; ask for fewer samples or pixels")]
    Overflow,
}

/// Prices a job.
///
/// The bound on rays is rounded up to whole rays once; everything after that is integers, rounded
/// up, so that the parts add up to the price and the price covers them.
///
/// # Errors
/// See [`QuoteError`].
pub fn quote(
    spec: &JobSpec,
    cost: SampleCost,
    prices: &Prices,
    id: QuoteId,
    now_ms: u64,
) -> Result<Quoted, QuoteError> {
    let usable = |rays: f64| rays.is_finite() && (0.0..=1e6).contains(&rays);
    if !usable(cost.closest) || !usable(cost.shadow) {
        return Err(QuoteError::Cost(cost));
    }
    let settings = &spec.settings;
    let shots = u128::from(spec.shot_count());
    let samples =
        u128::from(settings.window().pixel_count()) * u128::from(settings.samples) * shots;
    let rays = RayCount {
        closest: rays_of(cost.closest, samples)?,
        shadow: rays_of(cost.shadow, samples)?,
    };
    let setup = prices.setup_per_frame.checked_mul_div(shots, 1);
    let tracing = money::price_for(rays, prices.per_gray);
    let work = tracing.zip(setup).and_then(|(tracing, setup)| tracing.checked_add(setup));
    let work = work.ok_or(QuoteError::Overflow)?;
    let fee = share_up(work, prices.fee_ppm).ok_or(QuoteError::Overflow)?;
    let reserve = share_up(work, prices.reserve_ppm).ok_or(QuoteError::Overflow)?;
    let price = work.checked_add(fee).and_then(|sum| sum.checked_add(reserve));
    let millirays_per_sample = ((cost.closest + cost.shadow) * 1e3).ceil().max(1.0) as u64;
    // A job that is priced must be one that can be split, however its batches come out.
    let chunks = split::chunks_per_batch(spec, millirays_per_sample, 1, 1);
    split::split(protocol::JobId([0; 16]), spec, chunks)?;
    Ok(Quoted {
        quote: Quote {
            id,
            spec: spec.digest(),
            price: price.ok_or(QuoteError::Overflow)?,
            work,
            fee,
            reserve,
            price_per_gray: prices.per_gray,
            rays,
            valid_until_ms: now_ms.saturating_add(prices.valid_ms),
        },
        setup_per_frame: prices.setup_per_frame,
        millirays_per_sample,
    })
}

/// Whole rays of so many samples, rounded up.
fn rays_of(per_sample: f64, samples: u128) -> Result<u64, QuoteError> {
    // Millionths of a ray a sample: a u128 holds the product exactly.
    let millionths = (per_sample * 1e6).ceil() as u128;
    let rays = (millionths * samples).div_ceil(1_000_000);
    u64::try_from(rays).map_err(|_too_many| QuoteError::Overflow)
}

fn share_up(amount: Tokens, ppm: u32) -> Option<Tokens> {
    let product = amount.micro().checked_mul(u128::from(ppm))?;
    Some(Tokens::from_micro(product.div_ceil(1_000_000)))
}

#[cfg(test)]
mod tests {
    use protocol::{FrameRange, RenderSettings, SceneId, Size};

    use super::*;

    fn spec(samples: u32, frames: u32) -> JobSpec {
        JobSpec {
            name: "test".to_owned(),
            scene: SceneId([0; 32]),
            settings: RenderSettings {
                size: Size::new(1000, 1000),
                samples,
                ..RenderSettings::default()
            },
            more_cameras: Vec::new(),
            frames: FrameRange { first: 1, last: frames, step: 1, fps: 24.0 },
            tile_side_px: 128,
        }
    }

    fn price(samples: u32, frames: u32, cost: SampleCost) -> Quote {
        let id = QuoteId([1; 16]);
        let quoted = quote(&spec(samples, frames), cost, &Prices::default(), id, 1_000);
        quoted.expect("a price").quote
    }

    const COST: SampleCost = SampleCost { closest: 5.0, shadow: 2.5 };

    #[test]
    fn a_known_scene_has_a_known_price() {
        let quote = price(100, 1, COST);
        // 10^8 samples: 0.5 billion closest and 0.25 billion shadow rays at 60 %: 0.65 gray.
        assert_eq!(quote.rays, RayCount { closest: 500_000_000, shadow: 250_000_000 });
        assert_eq!(quote.work, Tokens::from_micro(6_500_000 + 10_000));
        assert_eq!(quote.fee, Tokens::from_micro(325_500));
        assert_eq!(quote.price.micro(), 6_510_000 + 325_500 + 325_500);
        assert_eq!(quote.valid_until_ms, 901_000);
    }

    #[test]
    fn twice_the_samples_frames_or_cameras_is_twice_the_rays() {
        let one = price(100, 1, COST);
        assert_eq!(price(200, 1, COST).rays.closest, 2 * one.rays.closest);
        assert_eq!(price(100, 2, COST).work.micro(), 2 * one.work.micro());
        let left = protocol::CameraChoice::Named("left".to_owned());
        let both = JobSpec { more_cameras: vec![left], ..spec(100, 1) };
        let both = quote(&both, COST, &Prices::default(), QuoteId([1; 16]), 1_000);
        assert_eq!(both.expect("a price").quote.work.micro(), 2 * one.work.micro());
    }

    #[test]
    fn rounding_is_up_and_once() {
        let quote = price(1, 1, SampleCost { closest: 1.000_000_1, shadow: 0.0 });
        assert_eq!(quote.rays.closest, 1_000_001);
    }

    #[test]
    fn nonsense_has_no_price() {
        for closest in [f64::NAN, f64::INFINITY, -1.0, 1e9] {
            let cost = SampleCost { closest, shadow: 0.0 };
            let id = QuoteId([1; 16]);
            let refused = quote(&spec(1, 1), cost, &Prices::default(), id, 0);
            assert!(matches!(refused, Err(QuoteError::Cost(_))), "{closest}");
        }
        let cost = SampleCost { closest: 1.0, shadow: 0.0 };
        let refused = quote(&spec(16, 100_000), cost, &Prices::default(), QuoteId([1; 16]), 0);
        assert!(matches!(refused, Err(QuoteError::Split(_))));
    }
}
