//! Typed ids: one append-only list. Text form is a prefix and lower-case hex, `job_3f…`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id (expected {prefix}_ and {digits} hex digits): {text}")]
pub struct ParseIdError {
    /// The prefix the id should have carried.
    pub prefix: &'static str,
    /// How many hex digits should follow.
    pub digits: usize,
    /// What was given.
    pub text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Prefix of the text form.
            pub const PREFIX: &'static str = $prefix;

            /// The first eight hex digits with the prefix: for tables, never as a key.
            #[must_use]
            pub fn short(&self) -> String {
                self.to_string()[..$prefix.len() + 1 + 8].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_"))?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let error = || ParseIdError {
                    prefix: $prefix,
                    digits: 2 * $bytes,
                    text: text.chars().take(100).collect(),
                };
                let hex = text.strip_prefix(concat!($prefix, "_")).ok_or_else(error)?;
                if hex.len() != 2 * $bytes || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(error());
                }
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
                    let pair = std::str::from_utf8(pair).map_err(|_not_utf8| error())?;
                    *byte = u8::from_str_radix(pair, 16).map_err(|_not_hex| error())?;
                }
                Ok(Self(bytes))
            }
        }
    };
}

id!(
    /// A BLAKE3 hash of something that has no id type of its own.
    Digest, "b3", 32
);
id!(
    /// A scene: the BLAKE3 hash of the BLAKE3 hashes of its package's parts, and the hash of that
    /// sequence on the network.
    SceneId, "scn", 32
);
id!(
    /// An ed25519 public key: an artist, an owner of nodes, a scheduler.
    PublicKey, "key", 32
);
id!(
    /// The ed25519 public key of a farm node, which is its endpoint on the network.
    NodeId, "nod", 32
);
id!(
    /// A job.
    JobId, "job", 16
);
id!(
    /// A quote.
    QuoteId, "quo", 16
);
id!(
    /// A lease; unguessable, so that a twin cannot be told from a first lease.
    LeaseId, "lse", 16
);
id!(
    /// An account of the ledger: the hash of its kind and owner.
    AccountId, "acc", 32
);
id!(
    /// A transfer; chosen by the caller, so that the same id twice is one transfer.
    TransferId, "tra", 16
);

impl Digest {
    /// BLAKE3 of `parts`, each preceded by its length, under a domain.
    ///
    /// The lengths make the encoding injective: no two different lists of parts share an input.
    #[must_use]
    pub fn of(domain: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(domain);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The first 16 bytes, for the 16-byte ids.
    #[must_use]
    pub fn truncated(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[..16]);
        bytes
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl From<NodeId> for PublicKey {
    fn from(node: NodeId) -> Self {
        Self(node.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let job = JobId(*b"0123456789abcdef");
        assert_eq!(job.to_string().parse::<JobId>(), Ok(job));
        assert_eq!(job.short(), "job_30313233");
    }

    #[test]
    fn other_prefix_length_or_digit_is_refused() {
        for text in ["scn_00", "job_00", "job_zz313233343536373839616263646566", "", "job_é"] {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        assert_ne!(Digest::of("d", &[b"ab", b"c"]), Digest::of("d", &[b"a", b"bc"]));
        assert_ne!(Digest::of("d", &[b"ab"]), Digest::of("e", &[b"ab"]));
    }
}
