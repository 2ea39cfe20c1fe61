//! What an artist offers with a job: a price of his own, and how surely forgeries are to be caught.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::tokens::Tokens;

/// What goes with a request for a quote. The default is the farm's base price and full checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Offer {
    /// Tokens per billion metered rays that the job pays instead of the farm's base price: more,
    /// to come sooner, or less, to wait for nodes that work for it.
    pub bid: Option<Tokens>,
    /// How surely a forgery is to be caught.
    pub assurance: Assurance,
}

/// A price per billion rays that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PriceError {
    /// Too much for the arithmetic, or a typing mistake.
    #[error("{0} tokens per billion rays are beyond any price; at most {max}", max = limits::PRICE_PER_GRAY_MAX)]
    TooHigh(Tokens),
    /// A job that pays nothing.
    #[error("a bid of nothing pays nobody; leave it out to pay the farm's base price")]
    Nothing,
}

/// Checks what a node asks per billion metered rays; nothing is fine.
///
/// # Errors
/// [`PriceError::TooHigh`].
pub fn check_ask(ask: Tokens) -> Result<(), PriceError> {
    if ask > limits::PRICE_PER_GRAY_MAX { Err(PriceError::TooHigh(ask)) } else { Ok(()) }
}

impl Offer {
    /// Checks the bid against its range.
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn validate(&self) -> Result<(), PriceError> {
        match self.bid {
            Some(bid) if bid.is_zero() => Err(PriceError::Nothing),
            Some(bid) => check_ask(bid),
            None => Ok(()),
        }
    }
}

/// How surely a challenge catches a forgery of 5 % of a film's pixels.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum Assurance {
    /// 95 times in 100.
    P95,
    /// 99 times in 100.
    P99,
    /// 999 times in 1000.
    #[default]
    P999,
}

/// Text that is no assurance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no assurance of {0}; choose 95, 99 or 99.9 (percent)")]
pub struct AssuranceError(pub String);

impl Assurance {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::P95, Self::P99, Self::P999];

    /// The probability that a forgery is caught.
    #[must_use]
    pub const fn probability(self) -> f64 {
        match self {
            Self::P95 => 0.95,
            Self::P99 => 0.99,
            Self::P999 => 0.999,
        }
    }

    /// −log10 of the probability that a forgery is missed, in millionths, rounded up.
    const fn microdigits(self) -> u64 {
        match self {
            // log10(20) = 1.301 029 995…
            Self::P95 => 1_301_030,
            Self::P99 => 2_000_000,
            Self::P999 => 3_000_000,
        }
    }

    /// How much of an amount is needed, where all of it is needed for [`Assurance::P999`]; rounded
    /// up, and none on overflow.
    ///
    /// *k* pixels miss a forgery with a probability of *q*^*k*, so what is missed falls by the same
    /// factor with each pixel, and pixels are proportional to its logarithm. In integers, so that
    /// every machine gets the same number.
    #[must_use]
    pub const fn part_of(self, full: u128) -> Option<u128> {
        match full.checked_mul(self.microdigits() as u128) {
            Some(product) => Some(product.div_ceil(Self::P999.microdigits() as u128)),
            None => None,
        }
    }

    /// Pixels of a challenge, where `full` catch a forgery 999 times in 1000.
    #[must_use]
    pub const fn pixels(self, full: u32) -> u32 {
        match self.part_of(full as u128) {
            Some(pixels) => pixels as u32,
            None => full,
        }
    }
}

impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P95 => "95 %",
            Self::P99 => "99 %",
            Self::P999 => "99.9 %",
        })
    }
}

impl FromStr for Assurance {
    type Err = AssuranceError;

    fn from_str(text: &str) -> Result<Self, AssuranceError> {
        match text.trim_end_matches('%').trim_end() {
            "95" => Ok(Self::P95),
            "99" => Ok(Self::P99),
            "99.9" => Ok(Self::P999),
            _ => Err(AssuranceError(text.chars().take(60).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_beyond_reason_are_refused_by_name() {
        let beyond = limits::PRICE_PER_GRAY_MAX.checked_add(Tokens::from_micro(1)).expect("small");
        assert_eq!(check_ask(Tokens::ZERO), Ok(()));
        assert_eq!(check_ask(limits::PRICE_PER_GRAY_MAX), Ok(()));
        let refused = check_ask(beyond).expect_err("beyond").to_string();
        assert!(refused.contains("1000000.000001") && refused.contains("at most"), "{refused}");
        let bid = |bid| Offer { bid, ..Offer::default() }.validate();
        assert_eq!(bid(None), Ok(()));
        assert_eq!(bid(Some(Tokens::from_micro(1))), Ok(()));
        assert_eq!(bid(Some(Tokens::ZERO)), Err(PriceError::Nothing));
        assert_eq!(bid(Some(beyond)), Err(PriceError::TooHigh(beyond)));
    }

    #[test]
    fn assurance_is_text_and_text_is_assurance() {
        for assurance in Assurance::ALL {
            assert_eq!(assurance.to_string().parse(), Ok(assurance));
        }
        assert_eq!("99.9".parse(), Ok(Assurance::P999));
        for text in ["", "90", "100", "0.95", "99,9"] {
            let refused = text.parse::<Assurance>().expect_err("none");
            assert!(refused.to_string().contains("95, 99 or 99.9"), "{refused}");
        }
    }

    #[test]
    fn the_pixels_are_what_the_probability_needs_and_hardly_more() {
        for (assurance, exact) in Assurance::ALL.into_iter().zip([59, 91, 136]) {
            let pixels = assurance.pixels(136);
            assert_eq!(pixels, exact);
            // With replacement, and so a little less than what a draw of different pixels catches.
            let caught = |pixels: u32| 1.0 - 0.95_f64.powi(pixels as i32);
            assert!(caught(pixels) >= assurance.probability(), "{assurance}: {pixels}");
            assert!(caught(pixels - 2) < assurance.probability(), "{assurance}: {pixels}");
        }
        assert_eq!(Assurance::ALL.map(|assurance| assurance.pixels(384)), [167, 256, 384]);
        assert_eq!(Assurance::P999.pixels(u32::MAX), u32::MAX);
    }
}
