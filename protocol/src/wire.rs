//! Canonical bytes: postcard, bounded, with nothing left over.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes that are not the wanted message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than this kind of message may have.
    #[error("a message of {size_bytes} bytes is over the limit of {limit_bytes}")]
    TooLarge {
        /// How many came.
        size_bytes: usize,
        /// How many may come.
        limit_bytes: usize,
    },
    /// Not the message's encoding.
    #[error("the bytes are not such a message: {0}")]
    Malformed(postcard::Error),
    /// A message, then more.
    #[error("{0} bytes are left over after the message")]
    Trailing(usize),
}

/// The canonical bytes of a message.
///
/// # Panics
/// Never for our own types: postcard fails only on sequences of unknown length, which they lack.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("invariant: every sequence knows its length")
}

/// Reads a message of at most `limit_bytes`.
///
/// # Errors
/// See [`DecodeError`]. Hostile bytes cost no more memory than their own length.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit_bytes: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit_bytes {
        return Err(DecodeError::TooLarge { size_bytes: bytes.len(), limit_bytes });
    }
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(DecodeError::Malformed)?;
    if rest.is_empty() { Ok(value) } else { Err(DecodeError::Trailing(rest.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_remainder_are_checked() {
        assert_eq!(decode::<u8>(&[7], 1), Ok(7));
        assert_eq!(decode::<u8>(&[7, 7], 2), Err(DecodeError::Trailing(1)));
        assert!(matches!(decode::<u8>(&[7, 7], 1), Err(DecodeError::TooLarge { .. })));
        assert!(matches!(decode::<u32>(&[0xff; 9], 9), Err(DecodeError::Malformed(_))));
    }
}
