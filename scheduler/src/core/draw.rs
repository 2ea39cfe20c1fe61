//! The core's randomness: keyed BLAKE3 of a secret and what the draw is for.

use protocol::{JobId, LeaseId, NodeId, PublicKey, QuoteId, encode};

/// The scheduler's secret: whoever knows it knows every nonce before it is opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A secret of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Id of the `number`th lease since the `boot`th start: unguessable, never repeated, even
    /// when a crash has lost the last grants.
    #[must_use]
    pub fn lease_id(&self, boot: u64, number: u64) -> LeaseId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.draw("lease id", &encode(&(boot, number)))[..16]);
        LeaseId(id)
    }

    /// Id of the `number`th quote since the `boot`th start.
    #[must_use]
    pub fn quote_id(&self, boot: u64, number: u64) -> QuoteId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.draw("quote id", &encode(&(boot, number)))[..16]);
        QuoteId(id)
    }

    /// The nonce of a lease, twins included: opened after the commitment is durable.
    #[must_use]
    pub fn nonce(&self, lease: LeaseId) -> [u8; 32] {
        self.draw("nonce", &lease.0)
    }

    /// A nonce for checking an accepted film once more.
    #[must_use]
    pub fn recheck_nonce(&self, lease: LeaseId) -> [u8; 32] {
        self.draw("recheck nonce", &lease.0)
    }

    /// A number below a million: does this unit get a twin?
    #[must_use]
    pub fn twin_draw_ppm(&self, job: JobId, unit_index: u32, attempt: u32, lease: u64) -> u32 {
        self.draw_ppm("twin", &encode(&(job, unit_index, attempt, lease)))
    }

    /// A number below a million: does the trusted renderer look at what a verifier found?
    #[must_use]
    pub fn audit_draw_ppm(&self, lease: LeaseId, round: u32) -> u32 {
        self.draw_ppm("audit", &encode(&(lease, round)))
    }

    /// Where an owner stands in the line of those whose nodes may look at a film.
    #[must_use]
    pub fn verifier_rank(&self, lease: LeaseId, round: u32, owner: PublicKey) -> [u8; 32] {
        self.draw("verifier", &encode(&(lease, round, owner)))
    }

    /// Id of the `number`th verification lease since the `boot`th start.
    #[must_use]
    pub fn verification_id(&self, boot: u64, number: u64) -> LeaseId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.draw("verification id", &encode(&(boot, number)))[..16]);
        LeaseId(id)
    }

    fn draw_ppm(&self, what: &str, input: &[u8]) -> u32 {
        let bytes = self.draw(what, input);
        let number = u64::from_le_bytes(bytes[..8].try_into().expect("invariant: eight bytes"));
        (number % 1_000_000) as u32
    }

    /// A fresh seed for a node's golden film.
    #[must_use]
    pub fn golden_seed(&self, node: NodeId, boot: u64, number: u64) -> u32 {
        let bytes = self.draw("golden seed", &encode(&(node, boot, number)));
        u32::from_le_bytes(bytes[..4].try_into().expect("invariant: four bytes"))
    }

    fn draw(&self, what: &str, input: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&(what.len() as u64).to_le_bytes());
        hasher.update(what.as_bytes());
        hasher.update(input);
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_for_the_same_cause_and_differ_for_another() {
        let secret = Secret::new([7; 32]);
        let lease = secret.lease_id(1, 1);
        assert_eq!(secret.nonce(lease), secret.nonce(lease));
        assert_ne!(secret.nonce(lease), secret.recheck_nonce(lease));
        assert_ne!(secret.lease_id(1, 1), secret.lease_id(2, 1));
        assert_ne!(secret.lease_id(1, 1), Secret::new([8; 32]).lease_id(1, 1));
    }

    /// Who knows a nonce that was opened knows no other: not that of the twin, not that of an id which
    /// is nearly the same.
    #[test]
    fn each_lease_has_a_nonce_that_only_secret_and_id_decide() {
        let secret = Secret::new([7; 32]);
        let (a, b) = (secret.lease_id(1, 1), secret.lease_id(1, 2));
        let nonce = secret.nonce(a);
        assert_ne!(nonce, secret.nonce(b));
        for bit in 0..8 * a.0.len() {
            let mut near = a;
            near.0[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(secret.nonce(near), nonce, "bit {bit}");
        }
        // Another process, which has drawn nothing yet, draws the same.
        assert_eq!(Secret::new([7; 32]).nonce(LeaseId(a.0)), nonce);
        assert_ne!(Secret::new([8; 32]).nonce(a), nonce);
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new([7; 32])), "Secret(…)");
    }
}
