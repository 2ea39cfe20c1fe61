//! Vouchers: tokens of a farm that its operator signed away, as a word to pass on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::PublicKey;
use crate::sign::{Signable, Signed};
use crate::tokens::Tokens;
use crate::wire;

/// Most bytes of an encoded voucher with its signature.
const VOUCHER_BYTES_MAX: usize = 1024;

/// What a farm's operator grants. It pays once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// The farm that pays: its key signs the voucher.
    pub farm: PublicKey,
    /// Drawn at random: two vouchers are two, whatever else they share.
    pub id: [u8; 16],
    /// How much.
    pub amount: Tokens,
    /// Whose wallet it pays to; without one, that of whoever redeems it first.
    pub recipient: Option<PublicKey>,
    /// Until when it can be redeemed, milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// What for, in the operator's words; at most [`crate::limits::NAME_CHARS_MAX`] characters.
    pub memo: String,
}

impl Signable for Voucher {
    const DOMAIN: &'static str = "tessera 2026 voucher v1";
}

/// A signed voucher as text: `vou_` and hex digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoucherText(pub Signed<Voucher>);

/// Text that is not a voucher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a voucher; copy the whole word that begins with `vou_`: {text}")]
pub struct ParseVoucherError {
    /// The beginning of what was given.
    pub text: String,
}

impl VoucherText {
    /// Prefix of the text form.
    pub const PREFIX: &'static str = "vou";
}

impl fmt::Display for VoucherText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_", Self::PREFIX)?;
        wire::encode(&self.0).iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for VoucherText {
    type Err = ParseVoucherError;

    fn from_str(text: &str) -> Result<Self, ParseVoucherError> {
        let error = || ParseVoucherError { text: text.chars().take(24).collect() };
        let hex = text.trim().strip_prefix("vou_").ok_or_else(error)?;
        if hex.len() > 2 * VOUCHER_BYTES_MAX || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        let bytes = bytes.filter(|_bytes| rest.is_empty()).ok_or_else(error)?;
        wire::decode(&bytes, VOUCHER_BYTES_MAX).map(Self).map_err(|_why| error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{SigningKey, public_key};

    fn signed() -> VoucherText {
        let key = SigningKey::from_bytes(&[1; 32]);
        let voucher = Voucher {
            farm: public_key(&key),
            id: [7; 16],
            amount: Tokens::from_whole(100),
            recipient: Some(PublicKey([2; 32])),
            expires_ms: Some(u64::MAX),
            memo: "for the tutorial".to_owned(),
        };
        VoucherText(Signed::new(&voucher, &key))
    }

    #[test]
    fn text_round_trips() {
        let text = signed().to_string();
        let read: VoucherText = text.parse().expect("its own text");
        assert_eq!(read, signed());
        assert_eq!(read.0.open().expect("signed").memo, "for the tutorial");
        assert_eq!(format!(" {text}\n").parse(), Ok(read));
    }

    #[test]
    fn other_text_is_refused_and_every_altered_digit_noticed() {
        let text = signed().to_string();
        for bad in ["", "vou_", "vou_0", "vou_zz", "job_00", &text[..text.len() - 1], &text[4..]] {
            assert!(bad.parse::<VoucherText>().is_err(), "{bad}");
        }
        for at in 4..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let altered = String::from_utf8(bytes).expect("digits");
            let opened = altered.parse::<VoucherText>().map(|voucher| voucher.0.open());
            assert!(!matches!(opened, Ok(Ok(_))), "digit {at}");
        }
    }
}
