//! Money: an integer of micro-tokens. No floating point touches it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount of micro-tokens (1 token = 1 000 000 micro-tokens); never negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Tokens(u128);

/// Text that is not an amount of tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an amount of tokens (expected digits with at most six decimals, as 3.5): {0}")]
pub struct TokensError(pub String);

impl Tokens {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Micro-tokens in one token.
    pub const MICRO: u128 = 1_000_000;

    /// An amount from micro-tokens.
    #[must_use]
    pub const fn from_micro(micro: u128) -> Self {
        Self(micro)
    }

    /// An amount from whole tokens.
    #[must_use]
    pub const fn from_whole(tokens: u64) -> Self {
        Self(tokens as u128 * Self::MICRO)
    }

    /// The amount in micro-tokens.
    #[must_use]
    pub const fn micro(self) -> u128 {
        self.0
    }

    /// Whether the amount is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` on overflow.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(micro) => Some(Self(micro)),
            None => None,
        }
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(micro) => Some(Self(micro)),
            None => None,
        }
    }

    /// `self * numerator / denominator`, rounded down; `None` on overflow or a zero denominator.
    #[must_use]
    pub const fn checked_mul_div(self, numerator: u128, denominator: u128) -> Option<Self> {
        match self.0.checked_mul(numerator) {
            Some(product) => match product.checked_div(denominator) {
                Some(micro) => Some(Self(micro)),
                None => None,
            },
            None => None,
        }
    }
}

impl fmt::Display for Tokens {
    /// Six decimals, or as many as the precision asks for (cut, never rounded up): `{:.2}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(6).min(6);
        let digits = format!("{:06}", self.0 % Self::MICRO);
        let text = match decimals {
            0 => (self.0 / Self::MICRO).to_string(),
            _ => format!("{}.{}", self.0 / Self::MICRO, &digits[..decimals]),
        };
        match f.width() {
            Some(width) => write!(f, "{text:>width$}"),
            None => f.write_str(&text),
        }
    }
}

impl FromStr for Tokens {
    type Err = TokensError;

    fn from_str(text: &str) -> Result<Self, TokensError> {
        let error = || TokensError(text.chars().take(60).collect());
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || decimals.len() > 6 || !all_digits(whole) || !all_digits(decimals) {
            return Err(error());
        }
        let whole: u128 = whole.parse().map_err(|_too_long| error())?;
        let micro: u128 = format!("{decimals:0<6}").parse().map_err(|_too_long| error())?;
        whole
            .checked_mul(Self::MICRO)
            .and_then(|scaled| scaled.checked_add(micro))
            .map(Self)
            .ok_or_else(error)
    }
}

/// Amounts as text in settings files: `"3.5"`. TOML has no integer that is wide enough.
///
/// For `#[serde(with = "protocol::tokens::as_text")]`.
pub mod as_text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Tokens;

    /// Writes an amount with all six decimals.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(amount: &Tokens, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(amount)
    }

    /// Reads an amount from text.
    ///
    /// # Errors
    /// The text is no amount.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Tokens, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_is_cut_not_rounded() {
        let amount: Tokens = "3.999999".parse().expect("an amount");
        assert_eq!(amount.micro(), 3_999_999);
        assert_eq!(amount.to_string(), "3.999999");
        assert_eq!(format!("{amount:.2}"), "3.99");
        assert_eq!(format!("{amount:8.2}"), "    3.99");
        assert_eq!(format!("{amount:.0}"), "3");
    }

    #[test]
    fn bad_amounts_are_refused() {
        for text in ["", ".5", "-1", "1.0000001", "1e3", "1,5", &"9".repeat(60)] {
            assert!(text.parse::<Tokens>().is_err(), "{text}");
        }
    }

    #[test]
    fn arithmetic_is_checked() {
        assert_eq!(Tokens::from_micro(u128::MAX).checked_add(Tokens::from_micro(1)), None);
        assert_eq!(Tokens::ZERO.checked_sub(Tokens::from_micro(1)), None);
        assert_eq!(Tokens::from_micro(7).checked_mul_div(1, 2), Some(Tokens::from_micro(3)));
        assert_eq!(Tokens::from_micro(7).checked_mul_div(1, 0), None);
    }
}
