//! That a ledger goes on from where it was: what a witness checks.
//!
//! As text it is the body of C2SP's `add-checkpoint` (c2sp.org/tlog-witness), so that any witness of
//! that protocol can be asked:
//!
//! ```text
//! old 17                      entries at the checkpoint that the witness has
//! 2jHk…=                      hashes that tie it to the new one
//! kq0w…=
//!
//! tessera/ledger/3f…          the new checkpoint
//! 20
//! …
//! ```

use protocol::PublicKey;

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint, CheckpointError, ledger_origin};
use crate::merkle::{self, Hash};
use crate::note;

/// Most bytes of the text: a note, and a path as long as any tree is high.
pub const CONSISTENCY_BYTES_MAX: usize = CHECKPOINT_BYTES_MAX + 4096;
/// Most hashes of it.
const PATH_MAX: usize = 63;

/// A proof that a ledger goes on; believed only after [`Consistency::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// Entries at the old checkpoint.
    pub old_size: u64,
    /// Hashes that tie it to the new one.
    pub path: Vec<Hash>,
    /// The new checkpoint: a signed note.
    pub note: String,
}

/// Text that shows nothing, for or against.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsistencyError {
    /// Not the form.
    #[error("the text does not show how a ledger goes on: {0}")]
    Malformed(&'static str),
    /// Its note does not hold.
    #[error("the new checkpoint does not hold")]
    Note(#[from] CheckpointError),
    /// It begins at another checkpoint than was asked about.
    #[error("it goes on from {got} entries, yours has {expected}; ask for one from there")]
    Elsewhere {
        /// Entries that it goes on from.
        got: u64,
        /// Entries at the checkpoint that is kept.
        expected: u64,
    },
    /// It goes back.
    #[error(transparent)]
    Fork(#[from] Fork),
}

/// Two signed checkpoints that cannot both be of one ledger that only grows, as far as their
/// signer has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fork {
    /// The newer one has fewer entries.
    #[error("its ledger had {kept} entries, and now it shows one of {shown}: it was rolled back")]
    Shorter {
        /// Entries at the one that is kept.
        kept: u64,
        /// Entries at the one that was shown.
        shown: u64,
    },
    /// Two roots of as many entries.
    #[error("it signed two histories of its first {size} entries")]
    TwoRoots {
        /// Entries of both.
        size: u64,
    },
    /// The hashes do not tie one to the other.
    #[error(
        "its ledger of {shown} entries does not go on from the {kept} that it signed before: there are two histories"
    )]
    Unproven {
        /// Entries at the one that is kept.
        kept: u64,
        /// Entries at the one that was shown.
        shown: u64,
    },
}

impl Consistency {
    /// As text.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("old {}\n{}\n{}", self.old_size, note::path_text(&self.path), self.note)
    }

    /// Whether a text means to be one.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("old ")
    }

    /// Reads it; nothing of it is checked yet.
    ///
    /// # Errors
    /// [`ConsistencyError::Malformed`]; hostile text never panics.
    pub fn parse(text: &str) -> Result<Self, ConsistencyError> {
        let malformed = ConsistencyError::Malformed;
        if text.len() > CONSISTENCY_BYTES_MAX {
            return Err(malformed("it is too long"));
        }
        let (head, note) =
            text.split_once("\n\n").ok_or(malformed("no empty line before its checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old_size: Option<u64> = old.and_then(|text| text.parse().ok());
        let old_size = old_size
            .filter(|size| old == Some(&size.to_string()))
            .ok_or(malformed("its first line names no old size"))?;
        let path =
            note::parse_path(lines, PATH_MAX).ok_or(malformed("a line of it is not a hash"))?;
        Ok(Self { old_size, path, note: note.to_owned() })
    }

    /// The new checkpoint, when `key` signed it; whether it goes on from another is not looked at.
    ///
    /// # Errors
    /// See [`CheckpointError`].
    pub fn checkpoint(&self, key: PublicKey) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::open(&self.note, &ledger_origin(key), Some(key))
    }

    /// Checks that the ledger of `key` goes on from a checkpoint that is kept, if there is one, to
    /// the new one, which is returned.
    ///
    /// # Errors
    /// See [`ConsistencyError`]; [`ConsistencyError::Fork`] alone speaks against the signer.
    pub fn check(
        &self,
        key: PublicKey,
        kept: Option<&Checkpoint>,
    ) -> Result<Checkpoint, ConsistencyError> {
        let shown = self.checkpoint(key)?;
        let Some(kept) = kept else { return Ok(shown) };
        // What is said of the sizes needs no hashes.
        goes_back(kept, &shown)?;
        if self.old_size != kept.size {
            let (got, expected) = (self.old_size, kept.size);
            return Err(ConsistencyError::Elsewhere { got, expected });
        }
        follows(kept, &shown, &self.path)?;
        Ok(shown)
    }
}

/// Says so when one checkpoint cannot come after the other, whatever lies between.
///
/// # Errors
/// [`Fork::Shorter`], [`Fork::TwoRoots`].
pub fn goes_back(kept: &Checkpoint, shown: &Checkpoint) -> Result<(), Fork> {
    if shown.size < kept.size {
        return Err(Fork::Shorter { kept: kept.size, shown: shown.size });
    }
    if shown.size == kept.size && shown.root != kept.root {
        return Err(Fork::TwoRoots { size: kept.size });
    }
    Ok(())
}

/// Whether the hashes tie one checkpoint to the other. Both were signed by the same key.
///
/// # Errors
/// See [`Fork`].
pub fn follows(kept: &Checkpoint, shown: &Checkpoint, path: &[Hash]) -> Result<(), Fork> {
    goes_back(kept, shown)?;
    let (old, new) = ((kept.size, &kept.root), (shown.size, &shown.root));
    let is_beginning = match kept.size {
        // Nothing is a beginning of anything.
        0 => path.is_empty() && kept.is_of_nothing(),
        _ => merkle::is_consistent(old, new, path),
    };
    match is_beginning {
        true => Ok(()),
        false => Err(Fork::Unproven { kept: kept.size, shown: shown.size }),
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;
    use protocol::sign::public_key;

    use super::*;
    use crate::merkle::{Frontier, Tree, leaf};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    /// A history of thirty entries, in which those from `fork` on are of this kind.
    fn tree(fork: u64, kind: u8) -> Tree {
        let entry = |at: u64| [at.to_le_bytes().to_vec(), vec![if at < fork { 0 } else { kind }]];
        (0..30).map(|at| leaf(&entry(at).concat())).collect()
    }

    fn checkpoint(tree: &Tree, size: u64) -> Checkpoint {
        let origin = ledger_origin(public_key(&key(1)));
        let root = tree.root(size).unwrap_or_else(|| Frontier::default().root());
        Checkpoint { origin, size, root }
    }

    fn proof(tree: &Tree, old_size: u64, size: u64) -> Consistency {
        let path = tree.consistency(old_size, size).unwrap_or_default();
        Consistency { old_size, path, note: checkpoint(tree, size).to_note(Some(&key(1))) }
    }

    #[test]
    fn a_ledger_that_grows_goes_on_from_every_size() {
        let (tree, farm) = (tree(30, 0), public_key(&key(1)));
        for old in 0..=30 {
            for size in old..=30 {
                let proof = proof(&tree, old, size);
                let text = proof.to_text();
                let read = Consistency::parse(&text).expect("its own text");
                assert_eq!((&read, read.to_text()), (&proof, text));
                let shown = read.check(farm, Some(&checkpoint(&tree, old))).expect("goes on");
                assert_eq!(shown.size, size);
                assert!(matches!(
                    read.check(public_key(&key(2)), None),
                    Err(ConsistencyError::Note(_))
                ));
            }
        }
    }

    #[test]
    fn two_histories_are_found_wherever_they_part() {
        let farm = public_key(&key(1));
        for fork in [0, 1, 5, 8, 13, 29] {
            let (one, other) = (tree(fork, 1), tree(fork, 2));
            for old in 0..=30 {
                for size in 1..=30 {
                    let shown = proof(&other, old.min(size), size);
                    let checked = shown.check(farm, Some(&checkpoint(&one, old)));
                    let expected = match () {
                        () if size < old => Err(Fork::Shorter { kept: old, shown: size }.into()),
                        () if old <= fork => Ok(checkpoint(&other, size)),
                        () if size == old => Err(Fork::TwoRoots { size }.into()),
                        () => Err(Fork::Unproven { kept: old, shown: size }.into()),
                    };
                    assert_eq!(checked, expected, "parted at {fork}, {old} to {size}");
                }
            }
        }
    }

    #[test]
    fn a_proof_from_elsewhere_is_no_accusation() {
        let (tree, farm) = (tree(30, 0), public_key(&key(1)));
        let checked = proof(&tree, 6, 20).check(farm, Some(&checkpoint(&tree, 7)));
        assert_eq!(checked, Err(ConsistencyError::Elsewhere { got: 6, expected: 7 }));
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let (tree, farm) = (tree(30, 0), public_key(&key(1)));
        let kept = checkpoint(&tree, 6);
        let text = proof(&tree, 6, 23).to_text();
        for at in 0..text.len() {
            for flip in [1, 2, 0x20] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= flip;
                let Ok(altered) = String::from_utf8(bytes) else { continue };
                let checked =
                    Consistency::parse(&altered).and_then(|read| read.check(farm, Some(&kept)));
                assert!(checked.is_err(), "byte {at}: {altered}");
            }
        }
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(text in "(?s).{0,300}", cut in 0_usize..900) {
            prop_assert!(Consistency::parse(&text).is_err());
            let (tree, farm) = (tree(30, 0), public_key(&key(1)));
            let (good, kept) = (proof(&tree, 6, 23), checkpoint(&tree, 6));
            let start: String = good.to_text().chars().take(cut).collect();
            if let Ok(read) = Consistency::parse(&(start + &text)) {
                let checked = read.check(farm, Some(&kept));
                prop_assert!(checked.is_err() || checked == good.check(farm, Some(&kept)));
            }
        }
    }
}
