//! Signed messages: the bytes that were signed travel as they are, under a domain.

use std::marker::PhantomData;

use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use ed25519_dalek::SigningKey;

use crate::id::PublicKey;
use crate::limits;
use crate::wire::{self, DecodeError};

/// A value that can be signed: its domain keeps a signature from being used for anything else.
pub trait Signable: Serialize + DeserializeOwned {
    /// Unique to the type and its version.
    const DOMAIN: &'static str;
}

/// A value with its signer and signature.
///
/// The payload stays encoded: a signature covers bytes, and those bytes are what is stored,
/// hashed and shown to others.
#[derive(Serialize, Deserialize)]
pub struct Signed<T> {
    signer: PublicKey,
    payload: Vec<u8>,
    #[serde(with = "signature_bytes")]
    signature: [u8; 64],
    #[serde(skip)]
    value: PhantomData<T>,
}

/// A signature that cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The signer's bytes are no point of the curve.
    #[error("the signer is not an ed25519 key: {0}")]
    Key(PublicKey),
    /// The signature does not fit the bytes, the domain or the signer.
    #[error(
        "the signature does not fit; the message was altered or signed by another key than {0}"
    )]
    Signature(PublicKey),
    /// The signature fits, but somebody else signed.
    #[error("signed by {signer}, expected {expected}")]
    Signer {
        /// Who signed.
        signer: PublicKey,
        /// Who should have.
        expected: PublicKey,
    },
    /// The signed bytes are no such message.
    #[error("the signed bytes do not decode")]
    Payload(#[source] DecodeError),
}

impl<T: Signable> Signed<T> {
    /// Signs `value`.
    #[must_use]
    pub fn new(value: &T, key: &SigningKey) -> Self {
        let payload = wire::encode(value);
        let signature = key.sign(&message::<T>(&payload)).to_bytes();
        Self { signer: public_key(key), payload, signature, value: PhantomData }
    }

    /// What was signed elsewhere, put together again: it opens if the signature fits.
    #[must_use]
    pub fn from_parts(value: &T, signer: PublicKey, signature: [u8; 64]) -> Self {
        Self { signer, payload: wire::encode(value), signature, value: PhantomData }
    }

    /// The signature alone.
    #[must_use]
    pub const fn signature(&self) -> [u8; 64] {
        self.signature
    }

    /// Who claims to have signed; believed only after [`Signed::open`].
    #[must_use]
    pub const fn signer(&self) -> PublicKey {
        self.signer
    }

    /// The signed bytes, as they are.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Checks the signature and returns the value.
    ///
    /// # Errors
    /// Any [`SignError`] but [`SignError::Signer`].
    pub fn open(&self) -> Result<T, SignError> {
        let key = VerifyingKey::from_bytes(&self.signer.0)
            .map_err(|_not_a_point| SignError::Key(self.signer))?;
        key.verify_strict(&message::<T>(&self.payload), &Signature::from_bytes(&self.signature))
            .map_err(|_forged| SignError::Signature(self.signer))?;
        wire::decode(&self.payload, limits::MESSAGE_BYTES_MAX).map_err(SignError::Payload)
    }

    /// Checks the signature and that `expected` made it, and returns the value.
    ///
    /// # Errors
    /// Any [`SignError`].
    pub fn open_from(&self, expected: PublicKey) -> Result<T, SignError> {
        if self.signer != expected {
            return Err(SignError::Signer { signer: self.signer, expected });
        }
        self.open()
    }
}

/// The public half of a key, as an id.
#[must_use]
pub fn public_key(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn message<T: Signable>(payload: &[u8]) -> Vec<u8> {
    let domain = T::DOMAIN.as_bytes();
    let mut message = Vec::with_capacity(8 + domain.len() + payload.len());
    message.extend_from_slice(&(domain.len() as u64).to_le_bytes());
    message.extend_from_slice(domain);
    message.extend_from_slice(payload);
    message
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self {
            signer: self.signer,
            payload: self.payload.clone(),
            signature: self.signature,
            value: PhantomData,
        }
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.signer, &self.payload, &self.signature)
            == (other.signer, &other.payload, &other.signature)
    }
}

impl<T> std::fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signed<{}> by {}", std::any::type_name::<T>(), self.signer)
    }
}

/// For `#[serde(with = "protocol::sign::signature_bytes")]`.
pub mod signature_bytes {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// Writes a signature.
    ///
    /// # Errors
    /// As the serializer.
    pub fn serialize<S: Serializer>(bytes: &[u8; 64], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    /// Reads one.
    ///
    /// # Errors
    /// Not 64 bytes, and as the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 64], D::Error> {
        let bytes = Vec::<u8>::deserialize(from)?;
        bytes.try_into().map_err(|_other_length| D::Error::custom("a signature has 64 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note(u32);
    impl Signable for Note {
        const DOMAIN: &'static str = "test note";
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Other(u32);
    impl Signable for Other {
        const DOMAIN: &'static str = "test other";
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    #[test]
    fn a_signature_opens_and_travels() {
        let signed = Signed::new(&Note(7), &key(1));
        let bytes = wire::encode(&signed);
        let back: Signed<Note> = wire::decode(&bytes, 1000).expect("decodes");
        assert_eq!(back.open_from(public_key(&key(1))), Ok(Note(7)));
        assert!(matches!(back.open_from(public_key(&key(2))), Err(SignError::Signer { .. })));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = wire::encode(&Signed::new(&Note(7), &key(1)));
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let opened = wire::decode::<Signed<Note>>(&altered, 1000).map(|signed| signed.open());
            assert!(!matches!(opened, Ok(Ok(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_signature_holds_in_its_domain_only() {
        let bytes = wire::encode(&Signed::new(&Note(7), &key(1)));
        let other: Signed<Other> = wire::decode(&bytes, 1000).expect("the same shape");
        assert!(matches!(other.open(), Err(SignError::Signature(_))));
    }
}
