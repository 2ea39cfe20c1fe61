//! What a private farm lets people and nodes in by.

use serde::{Deserialize, Serialize};

/// A secret that a farm's ticket carries: whoever knows it is let in.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Invitation(pub [u8; 16]);

impl PartialEq for Invitation {
    /// Takes as long however much is equal, so that nobody can guess it byte by byte.
    fn eq(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(other.0).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

impl Eq for Invitation {}

impl std::fmt::Debug for Invitation {
    /// Without the secret: logs are read by many.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Invitation(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invitations_are_equal_in_every_byte_or_not_at_all() {
        let invitation = Invitation([7; 16]);
        assert_eq!(invitation, Invitation([7; 16]));
        for at in 0..16 {
            let mut other = invitation;
            other.0[at] ^= 1;
            assert_ne!(invitation, other);
        }
        assert!(!format!("{invitation:?}").contains('7'));
    }
}
