//! The firm price of a job, from a probe of its scene.

use protocol::{
    BatchLengths, Footprint, JobSpec, Offer, PriceError, Probed, Quote, QuoteId, RayCount, Reach,
    Tokens,
};
use serde::{Deserialize, Serialize};

use crate::core::Quoted;
use crate::market::Rules;
use crate::money;
use crate::split::{self, Kept, Missing, SplitError};

/// What the operator asks for beside the price of rays, which is [`Rules`]'s. Where these shares go, and
/// what else feeds the treasury, is told in docs/market.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// Tokens for fetching and preparing the scene of one shot (a frame of one camera), shared by
    /// its units.
    #[serde(with = "protocol::tokens::as_text")]
    pub setup_per_frame: Tokens,
    /// The farm's fee on the work, in millionths: what the operator has for running the scheduler. The
    /// treasury has its share of it, `Policy::treasury_ppm`.
    pub fee_ppm: u32,
    /// The verification reserve's share on the work for twins, in millionths; the same for every
    /// assurance.
    pub reserve_ppm: u32,
    /// Its share for challenged pixels where a forgery is caught 999 times in 1000; less where less
    /// is enough.
    pub checking_ppm: u32,
    /// How long a quote stands, milliseconds.
    pub valid_ms: u64,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            setup_per_frame: Tokens::from_micro(10_000),
            // The scheduler's own work is some 2 % of its nodes' (docs/verification.md), and no reserve
            // pays it; a hundredth is the treasury's. What is left, for disk, line and whoever looks after
            // them, is a guess: raise or lower it by what the machine costs.
            fee_ppm: 50_000,
            // Twins: of a newcomer's first units, and of 0.25 % of the rest (`Policy::twin_floor_ppm`). It
            // lasts while one unit in thirty is a newcomer's.
            reserve_ppm: 35_000,
            // 136 pixels are 0.8 % of a tile of 128 x 128, those of other classes thrice as many.
            checking_ppm: 15_000,
            // Time to think it over; the base price rises by a third at most meanwhile.
            valid_ms: 15 * 60_000,
        }
    }
}

/// Rays of one sample of one pixel, the mean over a job's shots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleCost {
    /// Rays that look for the closest hit.
    pub closest: f64,
    /// Rays that only ask whether something is in the way.
    pub shadow: f64,
}

impl SampleCost {
    /// No rays at all.
    pub const ZERO: Self = Self { closest: 0.0, shadow: 0.0 };

    /// Raises each count to another where that is higher.
    pub fn raise(&mut self, closest: f64, shadow: f64) {
        self.closest = self.closest.max(closest);
        self.shadow = self.shadow.max(shadow);
    }

    /// Adds one of so many equal parts.
    pub fn add(&mut self, other: Self, parts: f64) {
        self.closest += other.closest / parts;
        self.shadow += other.shadow / parts;
    }
}

/// What probes of a job's shots have shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// What is priced: an upper bound.
    pub bound: SampleCost,
    /// What is expected.
    pub mean: SampleCost,
    /// Shots looked at.
    pub shots: u32,
    /// Pixels of each.
    pub pixels: u32,
    /// How heavy the scene is, see [`crate::market::weight`].
    pub weight_percent: u32,
    /// Memory that it takes.
    pub memory: Footprint,
}

/// On which terms a job is priced.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// What the operator asks for.
    pub prices: &'a Prices,
    /// His rules of the market.
    pub rules: &'a Rules,
    /// The base price of the moment, tokens per billion metered rays.
    pub base_per_gray: Tokens,
    /// What the artist asks for.
    pub offer: Offer,
    /// How many nodes may render it.
    pub reach: Reach,
}

/// A job that cannot be priced.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteError {
    /// Too large to be split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Its base has all of it.
    #[error(
        "there is nothing left to render: the earlier job has all {0} samples of every pixel; ask for more of them"
    )]
    Complete(u32),
    /// The probe found no finite cost.
    #[error("the probe counted {0:?} rays a sample, which is no price; check the scene")]
    Cost(SampleCost),
    /// A bid that cannot be.
    #[error(transparent)]
    Bid(#[from] PriceError),
    /// A bid where nothing costs anything.
    #[error("this farm is free, and there is nothing to bid {0} tokens for; leave the bid out")]
    Free(Tokens),
    /// A bid below the farm's floor.
    #[error(
        "the bid of {bid} tokens per billion rays is below this farm's floor; bid at least {floor}, or leave it out to pay the base price"
    )]
    BelowFloor {
        /// What was bid.
        bid: Tokens,
        /// Least that may be.
        floor: Tokens,
    },
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
    kept: &Kept,
    probe: &Probe,
    terms: Terms<'_>,
    id: QuoteId,
    now_ms: u64,
) -> Result<Quoted, QuoteError> {
    let Terms { prices, rules, base_per_gray, offer, reach } = terms;
    offer.validate()?;
    if let Some(bid) = offer.bid.filter(|_| rules.ceiling.is_zero()) {
        return Err(QuoteError::Free(bid));
    }
    if let Some(bid) = offer.bid.filter(|bid| *bid < rules.floor) {
        return Err(QuoteError::BelowFloor { bid, floor: rules.floor });
    }
    let Missing { samples, shots } = kept.missing(spec);
    if samples == 0 {
        return Err(QuoteError::Complete(spec.settings.samples));
    }
    let mut quote = Quote {
        id,
        spec: spec.digest(),
        offer,
        base_per_gray,
        price_per_gray: offer.bid.unwrap_or(base_per_gray),
        weight_percent: probe.weight_percent,
        samples,
        rays: rays_of(probe.bound, samples)?,
        probed: Probed {
            shots: probe.shots,
            pixels: probe.pixels,
            expected: rays_of(probe.mean, samples)?,
        },
        memory: probe.memory,
        reach,
        valid_until_ms: now_ms.saturating_add(prices.valid_ms),
        price: Tokens::ZERO,
        work: Tokens::ZERO,
        setup: Tokens::ZERO,
        fee: Tokens::ZERO,
        reserve: Tokens::ZERO,
        checking: Tokens::ZERO,
    };
    // The reserve pays twins of jobs for any node only.
    let is_for_any = spec.needs.is_nothing() && probe.memory.is_usual();
    let twins_ppm = if is_for_any { prices.reserve_ppm } else { 0 };
    price(&mut quote, prices, (shots.into(), twins_ppm)).ok_or(QuoteError::Overflow)?;
    let cost = probe.bound;
    let millirays_per_sample = ((cost.closest + cost.shadow) * 1e3).ceil().max(1.0) as u64;
    // A job that is priced must be one that can be split, however its batches come out.
    let chunks_max = split::chunks_per_batch(spec, millirays_per_sample, 1, 1);
    let lengths = BatchLengths { chunks_max, growing: false };
    split::split(protocol::JobId([0; 16]), spec, lengths, kept)?;
    Ok(Quoted { quote, millirays_per_sample })
}

/// Fills in the amounts; none when one is beyond any number of tokens. Where only nodes of one owner
/// may render there are no twins to pay.
fn price(quote: &mut Quote, prices: &Prices, (shots, twins_ppm): (u128, u32)) -> Option<()> {
    quote.setup = prices.setup_per_frame.checked_mul_div(shots, 1)?;
    let tracing = money::price_for(quote.rays, quote.pay_per_gray())?;
    quote.work = tracing.checked_add(quote.setup)?;
    quote.fee = share_up(quote.work, prices.fee_ppm)?;
    let all_checking = share_up(quote.work, prices.checking_ppm)?;
    quote.checking = Tokens::from_micro(quote.offer.assurance.part_of(all_checking.micro())?);
    quote.reserve = share_up(quote.work, twins_ppm)?.checked_add(quote.checking)?;
    quote.price = quote.work.checked_add(quote.fee)?.checked_add(quote.reserve)?;
    Some(())
}

/// Whole rays of so many samples, rounded up.
fn rays_of(cost: SampleCost, samples: u64) -> Result<RayCount, QuoteError> {
    let count = |per_sample: f64| {
        if !per_sample.is_finite() || !(0.0..=1e6).contains(&per_sample) {
            return Err(QuoteError::Cost(cost));
        }
        // Millionths of a ray a sample: a u128 holds the product exactly.
        let millionths = (per_sample * 1e6).ceil() as u128;
        let rays = (millionths * u128::from(samples)).div_ceil(1_000_000);
        u64::try_from(rays).map_err(|_too_many| QuoteError::Overflow)
    };
    Ok(RayCount { closest: count(cost.closest)?, shadow: count(cost.shadow)? })
}

fn share_up(amount: Tokens, ppm: u32) -> Option<Tokens> {
    let product = amount.micro().checked_mul(u128::from(ppm))?;
    Some(Tokens::from_micro(product.div_ceil(1_000_000)))
}

#[cfg(test)]
mod tests {
    use protocol::{Assurance, FrameRange, RenderSettings, SceneId, Size};

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
            base: None,
            noise: None,
            needs: protocol::Needs::default(),
        }
    }

    fn quote_of(
        spec: &JobSpec,
        cost: SampleCost,
        offer: Offer,
        weight_percent: u32,
    ) -> Result<Quote, QuoteError> {
        let mean = SampleCost { closest: cost.closest / 2.0, shadow: cost.shadow / 2.0 };
        let probe = Probe {
            bound: cost,
            mean,
            shots: 1,
            pixels: 1_024,
            weight_percent,
            memory: Footprint::default(),
        };
        let (prices, rules) = (Prices::default(), Rules::default());
        let base_per_gray = Tokens::from_whole(10);
        let terms =
            Terms { prices: &prices, rules: &rules, base_per_gray, offer, reach: Reach::default() };
        let quoted = quote(spec, &Kept::default(), &probe, terms, QuoteId([1; 16]), 1_000);
        quoted.map(|quoted| quoted.quote)
    }

    fn price(samples: u32, frames: u32, cost: SampleCost) -> Quote {
        quote_of(&spec(samples, frames), cost, Offer::default(), 100).expect("a price")
    }

    const COST: SampleCost = SampleCost { closest: 5.0, shadow: 2.5 };
    const SMALL: Footprint = Footprint { cpu_bytes: 0, gpu_bytes: 0 };
    const PROBE: Probe = Probe {
        bound: COST,
        mean: COST,
        shots: 1,
        pixels: 1_024,
        weight_percent: 100,
        memory: SMALL,
    };

    #[test]
    fn where_the_artist_picks_the_nodes_no_twins_are_priced() {
        let cost = SampleCost { closest: 3.0, shadow: 2.0 };
        let of_owners = |count: u8| {
            let owners = (0..count).map(|number| protocol::PublicKey([number; 32])).collect();
            let needs = protocol::Needs { owners, ..protocol::Needs::default() };
            let spec = JobSpec { needs, ..spec(64, 1) };
            quote_of(&spec, cost, Offer::default(), 100).expect("a price")
        };
        let [any, one, two] = [0, 1, 2].map(of_owners);
        assert_eq!((one.reserve, one.work), (one.checking, any.work));
        assert!(one.price < any.price);
        assert_eq!((two.price, two.reserve), (one.price, one.reserve));
    }

    #[test]
    fn a_known_scene_has_a_known_price() {
        let quote = price(100, 1, COST);
        // 10^8 samples: 0.5 billion closest and 0.25 billion shadow rays at 60 %: 0.65 gray.
        assert_eq!(quote.rays, RayCount { closest: 500_000_000, shadow: 250_000_000 });
        assert_eq!(quote.work, Tokens::from_micro(6_500_000 + 10_000));
        assert_eq!(quote.fee, Tokens::from_micro(325_500));
        assert_eq!(quote.price.micro(), 6_510_000 + 325_500 + 325_500);
        assert_eq!(quote.valid_until_ms, 901_000);
        assert_eq!((quote.setup.micro(), quote.checking.micro()), (10_000, 97_650));
        assert_eq!(quote.probed.expected.closest, 250_000_000);
    }

    #[test]
    fn twice_the_samples_frames_or_cameras_is_twice_the_rays() {
        let one = price(100, 1, COST);
        assert_eq!(price(200, 1, COST).rays.closest, 2 * one.rays.closest);
        assert_eq!(price(100, 2, COST).work.micro(), 2 * one.work.micro());
        let left = protocol::CameraChoice::Named("left".to_owned());
        let both = JobSpec { more_cameras: vec![left], ..spec(100, 1) };
        let both = quote_of(&both, COST, Offer::default(), 100).expect("a price");
        assert_eq!(both.work.micro(), 2 * one.work.micro());
    }

    #[test]
    fn what_an_earlier_job_has_rendered_costs_nothing() {
        let spec = spec(128, 2);
        let (probe, prices, rules) = (PROBE, Prices::default(), Rules::default());
        let base_per_gray = Tokens::from_whole(10);
        let terms = Terms {
            prices: &prices,
            rules: &rules,
            base_per_gray,
            offer: Offer::default(),
            reach: Reach::default(),
        };
        let quote_beside = |kept: &Kept| quote(&spec, kept, &probe, terms, QuoteId([1; 16]), 1_000);
        let mut kept = Kept::default();
        let whole = quote_beside(&kept).expect("a price").quote;
        let keep = |kept: &mut Kept, shot, batch: (u32, u32)| {
            let batch = protocol::Batch::new(batch.0, batch.1).expect("aligned");
            for tile in spec.grid().from_centre() {
                kept.keep(protocol::ShotIndex(shot), tile, batch);
            }
        };
        keep(&mut kept, 0, (0, 8));
        let half = quote_beside(&kept).expect("a price").quote;
        assert_eq!((half.samples, whole.samples), (128_000_000, 256_000_000));
        assert_eq!(half.work.micro(), whole.work.micro() / 2);
        keep(&mut kept, 1, (0, 4));
        let quarter = quote_beside(&kept).expect("a price").quote;
        assert_eq!(quarter.rays.closest, whole.rays.closest / 4);
        keep(&mut kept, 1, (4, 4));
        assert_eq!(quote_beside(&kept).err(), Some(QuoteError::Complete(128)));
    }

    #[test]
    fn rounding_is_up_and_once() {
        let quote = price(1, 1, SampleCost { closest: 1.000_000_1, shadow: 0.0 });
        assert_eq!(quote.rays.closest, 1_000_001);
    }

    #[test]
    fn a_bid_takes_the_base_prices_place_within_bounds() {
        let bid = |micro| {
            let offer = Offer { bid: Some(Tokens::from_micro(micro)), ..Offer::default() };
            quote_of(&spec(100, 1), COST, offer, 100)
        };
        let quote = bid(20_000_000).expect("a price");
        assert_eq!(quote.work.micro(), 13_000_000 + 10_000);
        assert_eq!(quote.base_per_gray, Tokens::from_whole(10));
        assert_eq!(quote.price_per_gray, Tokens::from_whole(20));
        assert!(bid(5_000_000).is_ok(), "the floor itself");
        let refused = bid(4_999_999).expect_err("below").to_string();
        assert!(refused.contains("4.999999") && refused.contains("at least 5.0"), "{refused}");
        assert!(matches!(bid(0), Err(QuoteError::Bid(PriceError::Nothing))));
        assert!(matches!(bid(u128::MAX), Err(QuoteError::Bid(PriceError::TooHigh(_)))));
    }

    #[test]
    fn a_heavy_scene_pays_its_weight_for_the_same_rays() {
        let heavy = quote_of(&spec(100, 1), COST, Offer::default(), 200).expect("a price");
        let usual = price(100, 1, COST);
        assert_eq!(heavy.rays, usual.rays);
        assert_eq!(heavy.price_per_gray, usual.price_per_gray);
        assert_eq!(heavy.pay_per_gray(), Tokens::from_whole(20));
        assert_eq!(heavy.work.micro() - 10_000, 2 * (usual.work.micro() - 10_000));
    }

    #[test]
    fn less_assurance_costs_less_checking_and_the_same_twins() {
        let at = |assurance| {
            let offer = Offer { assurance, ..Offer::default() };
            quote_of(&spec(100, 1), COST, offer, 100).expect("a price")
        };
        let [low, middle, full] = Assurance::ALL.map(at);
        assert_eq!(middle.checking.micro(), 97_650 * 2 / 3);
        assert!(low.checking < middle.checking && middle.checking < full.checking);
        for quote in [&low, &middle, &full] {
            assert_eq!(quote.work, full.work);
            let twins = quote.reserve.checked_sub(quote.checking);
            assert_eq!(twins, full.reserve.checked_sub(full.checking));
        }
        assert_eq!(low.price.micro(), full.price.micro() - 97_650 + low.checking.micro());
    }

    #[test]
    fn nonsense_has_no_price() {
        let refused = |spec: &JobSpec, cost| quote_of(spec, cost, Offer::default(), 100);
        for closest in [f64::NAN, f64::INFINITY, -1.0, 1e9] {
            let refused = refused(&spec(1, 1), SampleCost { closest, shadow: 0.0 });
            assert!(matches!(refused, Err(QuoteError::Cost(_))), "{closest}");
        }
        let refused = refused(&spec(16, 100_000), SampleCost { closest: 1.0, shadow: 0.0 });
        assert!(matches!(refused, Err(QuoteError::Split(_))));
    }
}
