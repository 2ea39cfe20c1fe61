//! Signatures of webhooks, after the Standard Webhooks specification.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::book::{BookError, as_base64};

/// Begins the text of a secret.
const PREFIX: &str = "whsec_";

/// A webhook's key: what its receiver checks signatures with.
///
/// Its text is `whsec_` and the base64 of 24 to 64 bytes; `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSecret(#[serde(with = "as_base64")] Vec<u8>);

/// Text that is not a webhook's secret; it is not repeated here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook's secret (whsec_ and the base64 of 24 to 64 bytes)")]
pub struct ParseHookSecretError;

impl HookSecret {
    /// A new one of 32 random bytes.
    ///
    /// # Errors
    /// [`BookError::Random`].
    pub fn try_new() -> Result<Self, BookError> {
        let mut bytes = vec![0; 32];
        getrandom::fill(&mut bytes).map_err(BookError::Random)?;
        Ok(Self(bytes))
    }

    /// Reads one.
    ///
    /// # Errors
    /// The text is not a secret.
    pub fn parse(text: &str) -> Result<Self, ParseHookSecretError> {
        let text = text.strip_prefix(PREFIX).ok_or(ParseHookSecretError)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(|_not_base64| ParseHookSecretError)?;
        match bytes.len() {
            24..=64 => Ok(Self(bytes)),
            _ => Err(ParseHookSecretError),
        }
    }

    /// The header `webhook-signature` of a message: `id` and `time_s` (seconds since 1970) are
    /// what the headers `webhook-id` and `webhook-timestamp` say.
    ///
    /// # Source
    /// Standard Webhooks 1.0.0, "Signature scheme", symmetric.
    #[must_use]
    pub fn sign(&self, id: &str, time_s: u64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .expect("invariant: HMAC takes keys of any length");
        mac.update(format!("{id}.{time_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Display for HookSecret {
    /// The secret, to be handed to whoever asked for the webhook.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for HookSecret {
    /// Not the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HookSecret({PREFIX}…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_known_message_has_its_known_signature() {
        // The specification's example, and one of ours; both by Python's hmac.
        for (id, time_s, body, signature) in [
            (
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "msg_1",
                0,
                "{\"name\":\"Würfel\"}",
                "v1,/70P5gXpzC/puv8i24nQWmA/W2LSAZvi+l4889bDMXo=",
            ),
        ] {
            let secret = HookSecret::parse(SECRET).expect("it works");
            assert_eq!(secret.sign(id, time_s, body.as_bytes()), signature);
        }
    }

    #[test]
    fn a_secret_has_a_text_and_hides_it_from_logs() {
        let secret = HookSecret::try_new().expect("it works");
        assert_eq!(HookSecret::parse(&secret.to_string()), Ok(secret.clone()));
        assert_ne!(secret, HookSecret::try_new().expect("it works"));
        assert_eq!(format!("{secret:?}"), "HookSecret(whsec_…)");
        for length in [23, 65] {
            let text = format!("whsec_{}", BASE64_STANDARD.encode(vec![1; length]));
            assert_eq!(HookSecret::parse(&text), Err(ParseHookSecretError));
        }
        for text in ["", "whsec_", "whsec_%", &SECRET["whsec_".len()..]] {
            assert_eq!(HookSecret::parse(text), Err(ParseHookSecretError));
        }
    }
}
