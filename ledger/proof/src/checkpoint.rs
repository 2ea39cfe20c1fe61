//! Signed heads of a journal, as text that others keep: whoever holds one notices when the
//! journal is later shorter or tells another story.
//!
//! The form is C2SP's tlog-checkpoint in a signed note (c2sp.org/tlog-checkpoint,
//! c2sp.org/signed-note), so that existing witnesses can read it:
//!
//! ```text
//! tessera/ledger/3f…          origin
//! 17                          entries
//! 2jHk…=                      root of the tree over them, base64
//!                             more lines may follow (see [`crate::state`]): passed over here
//!
//! — tessera/ledger/3f… kB2…=  key hash and ed25519 signature, base64
//! ```

use ed25519_dalek::SigningKey;
use protocol::PublicKey;

use crate::merkle::{Frontier, Hash};
use crate::note;

pub use crate::note::NOTE_BYTES_MAX as CHECKPOINT_BYTES_MAX;

const ORIGIN: &str = "tessera/ledger/";

/// How many entries a journal had, and the root of the tree over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which journal: a name without spaces, plus signs or line ends.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Root of the tree over them, see [`crate::merkle`].
    pub root: Hash,
}

/// Text that is no checkpoint to rely on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not the form of a checkpoint.
    #[error("the text is not a checkpoint: {0}")]
    Malformed(&'static str),
    /// A checkpoint of another journal.
    #[error("this is a checkpoint of {got}, expected one of {expected}")]
    Origin {
        /// The origin named in the text.
        got: String,
        /// The origin wanted.
        expected: String,
    },
    /// The key's bytes are no point of the curve.
    #[error("not an ed25519 key: {0}")]
    Key(PublicKey),
    /// No signature of the key, or one that does not fit.
    #[error("the checkpoint carries no valid signature of {0}; it was altered or is another's")]
    Signature(PublicKey),
}

/// The name of a key's ledger in checkpoints.
#[must_use]
pub fn ledger_origin(key: PublicKey) -> String {
    named(ORIGIN, key)
}

/// Whose ledger a note says it is of: a claim that opening it under that key proves.
#[must_use]
pub fn claimed_key(note: &str) -> Option<PublicKey> {
    key_named(ORIGIN, note.lines().next()?)
}

/// A key's name with what it is for.
pub(crate) fn named(prefix: &str, key: PublicKey) -> String {
    let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}{hex}")
}

/// The key of such a name, in its one form.
pub(crate) fn key_named(prefix: &str, name: &str) -> Option<PublicKey> {
    let hex = name.strip_prefix(prefix)?;
    let key: PublicKey = format!("{}_{hex}", PublicKey::PREFIX).parse().ok()?;
    (named(prefix, key) == name).then_some(key)
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, note::hash_text(&self.root))
    }

    /// The root of a checkpoint of nothing.
    #[must_use]
    pub fn is_of_nothing(&self) -> bool {
        self.size == 0 && self.root == Frontier::default().root()
    }

    /// The text with a signature, or without one when there is no key.
    #[must_use]
    pub fn to_note(&self, key: Option<&SigningKey>) -> String {
        note::seal(&self.body(), &self.origin, key)
    }

    /// Reads a checkpoint of `origin` and, when a key is given, checks that the key signed it.
    ///
    /// Signatures of others (witnesses) are passed over, and so are lines after the root.
    ///
    /// # Errors
    /// See [`CheckpointError`]; hostile text never panics.
    pub fn open(note: &str, origin: &str, key: Option<PublicKey>) -> Result<Self, CheckpointError> {
        Self::open_extended(note, origin, key).map(|(checkpoint, _more)| checkpoint)
    }

    /// The same, and the lines after the root.
    pub(crate) fn open_extended<'a>(
        note: &'a str,
        origin: &str,
        key: Option<PublicKey>,
    ) -> Result<(Self, &'a str), CheckpointError> {
        let malformed = CheckpointError::Malformed;
        let (text, signatures) = note::split(note)?;
        let mut lines = text.splitn(4, '\n');
        let mut line = |what| lines.next().ok_or(malformed(what));
        let (got, size, root) = (line("no origin")?, line("no size")?, line("no root")?);
        let more = line("no line end after the root")?;
        if got != origin {
            let (got, expected) = (got.to_owned(), origin.to_owned());
            return Err(CheckpointError::Origin { got, expected });
        }
        let checkpoint = Self {
            origin: got.to_owned(),
            size: size.parse().map_err(|_why| malformed("the size is not a number"))?,
            root: note::parse_hash(root).ok_or(malformed("the root is not 32 bytes in base64"))?,
        };
        if text.strip_prefix(&checkpoint.body()) != Some(more) {
            return Err(malformed("a number or the root is not in its one canonical form"));
        }
        match key {
            Some(key) => note::check(text, signatures, origin, key)?,
            None if !more.is_empty() => return Err(malformed("more lines, and nobody signed")),
            None => {}
        }
        Ok((checkpoint, more))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::sign::public_key;

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: ledger_origin(public_key(&key(1))), size: 17, root: [9; 32] }
    }

    #[test]
    fn a_note_opens_with_its_key_only() {
        let (point, owner) = (checkpoint(), public_key(&key(1)));
        let note = point.to_note(Some(&key(1)));
        assert_eq!(Checkpoint::open(&note, &point.origin, Some(owner)), Ok(point.clone()));
        let with_witness = note.clone() + "\u{2014} witness.example AAAAAA==\n";
        assert_eq!(Checkpoint::open(&with_witness, &point.origin, Some(owner)), Ok(point.clone()));
        let other = Some(public_key(&key(2)));
        assert!(matches!(
            Checkpoint::open(&note, &point.origin, other),
            Err(CheckpointError::Signature(_))
        ));
        assert!(matches!(
            Checkpoint::open(&note, "elsewhere", Some(owner)),
            Err(CheckpointError::Origin { .. })
        ));
    }

    #[test]
    fn an_unsigned_note_opens_without_a_key_only() {
        let point = checkpoint();
        let note = point.to_note(None);
        assert_eq!(Checkpoint::open(&note, &point.origin, None), Ok(point.clone()));
        let owner = Some(public_key(&key(1)));
        assert!(matches!(
            Checkpoint::open(&note, &point.origin, owner),
            Err(CheckpointError::Signature(_))
        ));
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let (point, owner) = (checkpoint(), public_key(&key(1)));
        let note = point.to_note(Some(&key(1)));
        for at in 0..note.len() {
            for flip in [1, 2, 0x20] {
                let mut bytes = note.clone().into_bytes();
                bytes[at] ^= flip;
                let Ok(altered) = String::from_utf8(bytes) else { continue };
                let opened = Checkpoint::open(&altered, &point.origin, Some(owner));
                assert!(opened.is_err(), "byte {at}: {altered}");
            }
        }
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(text in "(?s).{0,300}", cut in 0_usize..300) {
            let (point, owner) = (checkpoint(), public_key(&key(1)));
            prop_assert!(Checkpoint::open(&text, &point.origin, None).is_err());
            let note = point.to_note(Some(&key(1)));
            let start: String = note.chars().take(cut).collect();
            let opened = Checkpoint::open(&(start + &text), &point.origin, Some(owner));
            prop_assert!(opened.is_err() || opened == Ok(point));
        }
    }
}
