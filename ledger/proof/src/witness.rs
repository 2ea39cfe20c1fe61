//! Co-signatures: the word of others that a ledger only grew, as far as they have seen.
//!
//! The form is C2SP's cosignature/v1 (c2sp.org/tlog-cosignature): one more line under the signed
//! note, of a name, a time and an ed25519 signature over both:
//!
//! ```text
//! cosignature/v1              what is signed; the note's text follows
//! time 1679315147
//! tessera/ledger/3f…
//! 17
//! 2jHk…=
//! ```
//!
//! A witness's name holds its key, so that whoever reads a note needs no list to check it. What it
//! does need is a reason to believe that the key belongs to somebody else than the operator: keys
//! are for nothing.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use protocol::PublicKey;
use protocol::sign::public_key;

use crate::checkpoint::{CheckpointError, key_named, named};
use crate::note::{self, SignatureType};

/// Bytes of a time and a signature.
const COSIGNATURE_BYTES: usize = 72;
const NAME: &str = "tessera/witness/";

/// A co-signature that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cosignature {
    /// Who says it.
    pub witness: PublicKey,
    /// When, seconds since 1970 by its own clock.
    pub time_s: u64,
}

/// The line that a witness adds to a note, with its line end.
///
/// # Errors
/// [`CheckpointError::Malformed`] when it is no note.
pub fn cosign(note: &str, time_s: u64, key: &SigningKey) -> Result<String, CheckpointError> {
    let (text, _signatures) = note::split(note)?;
    let signature = key.sign(message(text, time_s).as_bytes()).to_bytes();
    let bytes = [&time_s.to_be_bytes()[..], &signature].concat();
    let name = named(NAME, public_key(key));
    Ok(note::line(SignatureType::Cosignature, &name, &key.verifying_key(), &bytes))
}

/// The co-signature that a line holds for a note; `None` when it is none of ours, or does not hold.
#[must_use]
pub fn check_line(note: &str, line: &str) -> Option<Cosignature> {
    let (text, _signatures) = note::split(note).ok()?;
    check(text, line)
}

/// The co-signatures of a note that hold, each witness once. Lines of others are passed over.
///
/// # Errors
/// [`CheckpointError::Malformed`] when it is no note.
pub fn cosignatures(note: &str) -> Result<Vec<Cosignature>, CheckpointError> {
    let (text, signatures) = note::split(note)?;
    let mut found: Vec<Cosignature> = Vec::new();
    for cosignature in signatures.lines().filter_map(|line| check(text, line)) {
        if found.iter().all(|other| other.witness != cosignature.witness) {
            found.push(cosignature);
        }
    }
    Ok(found)
}

fn check(text: &str, line: &str) -> Option<Cosignature> {
    let name = line.strip_prefix("\u{2014} ")?.split(' ').next()?;
    let witness = key_named(NAME, name)?;
    let key = VerifyingKey::from_bytes(&witness.0).ok()?;
    let bytes: [u8; COSIGNATURE_BYTES] =
        note::parse_line(SignatureType::Cosignature, line, name, &key)?;
    let (time_s, signature) = bytes.split_first_chunk::<8>()?;
    let time_s = u64::from_be_bytes(*time_s);
    let signature = Signature::from_slice(signature).ok()?;
    let holds = i64::try_from(time_s).is_ok()
        && key.verify_strict(message(text, time_s).as_bytes(), &signature).is_ok();
    holds.then_some(Cosignature { witness, time_s })
}

fn message(text: &str, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{Checkpoint, ledger_origin};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn note(size: u64) -> String {
        let origin = ledger_origin(public_key(&key(1)));
        Checkpoint { origin, size, root: [9; 32] }.to_note(Some(&key(1)))
    }

    #[test]
    fn a_note_carries_its_witnesses_and_still_opens() {
        let note = note(17);
        let mut signed = note.clone() + "\u{2014} witness.example AAAAAA==\n";
        for seed in 2..18 {
            signed += &cosign(&note, 1_700_000_000 + u64::from(seed), &key(seed)).expect("a note");
        }
        // Said twice, it counts once.
        signed += &cosign(&note, 5, &key(2)).expect("a note");
        let found = cosignatures(&signed).expect("a note");
        let expected = (2..18).map(|seed| Cosignature {
            witness: public_key(&key(seed)),
            time_s: 1_700_000_000 + u64::from(seed),
        });
        assert_eq!(found, expected.collect::<Vec<_>>());
        let owner = public_key(&key(1));
        let opened = Checkpoint::open(&signed, &ledger_origin(owner), Some(owner));
        assert_eq!(opened.expect("opens").size, 17);
        assert!(signed.len() <= crate::checkpoint::CHECKPOINT_BYTES_MAX / 2 + 256, "room is left");
    }

    #[test]
    fn a_cosignature_is_of_its_note_only() {
        let line = cosign(&note(17), 5, &key(2)).expect("a note");
        assert!(line.len() <= protocol::limits::COSIGNATURE_LINE_BYTES_MAX);
        let line = line.trim_end();
        assert!(check_line(&note(17), line).is_some());
        assert_eq!(check_line(&note(18), line), None);
        // The operator's own signature is no witness's, and a witness's key signs no ledger.
        let own = note(17);
        assert_eq!(cosignatures(&own), Ok(Vec::new()));
        let alone = own.split_inclusive('\n').take(4).collect::<String>() + line + "\n";
        let witness = public_key(&key(2));
        assert!(
            Checkpoint::open(&alone, &ledger_origin(public_key(&key(1))), Some(witness)).is_err()
        );
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let note = note(17);
        let line = cosign(&note, 1_700_000_000, &key(2)).expect("a note");
        let line = line.trim_end();
        for at in 0..line.len() {
            for flip in [1, 2, 0x20] {
                let mut bytes = line.as_bytes().to_vec();
                bytes[at] ^= flip;
                let Ok(altered) = String::from_utf8(bytes) else { continue };
                assert_eq!(check_line(&note, &altered), None, "byte {at}: {altered}");
            }
        }
    }

    /// Signed by the reference implementation's rules: key hash of type 4, big-endian time.
    #[test]
    fn the_form_is_the_published_one() {
        let line = cosign(&note(17), 1_679_315_147, &key(2)).expect("a note");
        let name = named(NAME, public_key(&key(2)));
        let encoded = line.trim_end().rsplit(' ').next().expect("a signature");
        let bytes = <base64::engine::GeneralPurpose as base64::Engine>::decode(
            &base64::engine::general_purpose::STANDARD,
            encoded,
        );
        let bytes = bytes.expect("base64");
        let hash: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(
            [name.as_bytes(), b"\n\x04", &public_key(&key(2)).0].concat(),
        )
        .into();
        assert_eq!((bytes.len(), &bytes[..4]), (76, &hash[..4]));
        // The time in the published example is this one.
        assert_eq!(bytes[4..12], [0, 0, 0, 0, 0x64, 0x18, 0x50, 0xcb]);
    }
}
