//! Signed notes (c2sp.org/signed-note): a text, an empty line, and ed25519 signatures under it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use protocol::PublicKey;
use sha2::{Digest as _, Sha256};

use crate::checkpoint::CheckpointError;
use crate::merkle::Hash;

/// Most bytes of a note: a dozen co-signatures fit.
pub const NOTE_BYTES_MAX: usize = 4096;

/// A text (which ends with a line end) with a signature under it, or with none when there is no
/// key.
pub(crate) fn seal(text: &str, name: &str, key: Option<&SigningKey>) -> String {
    let mut note = format!("{text}\n");
    if let Some(key) = key {
        let mut bytes = key_hash(name, &key.verifying_key()).to_vec();
        bytes.extend_from_slice(&key.sign(text.as_bytes()).to_bytes());
        note += &format!("\u{2014} {name} {}\n", STANDARD.encode(bytes));
    }
    note
}

/// A note's text and its signatures.
pub(crate) fn split(note: &str) -> Result<(&str, &str), CheckpointError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(CheckpointError::Malformed("it is too long"));
    }
    let at = note
        .find("\n\n")
        .ok_or(CheckpointError::Malformed("no empty line between the text and its signatures"))?;
    Ok((&note[..=at], &note[at + 2..]))
}

/// Checks that `key` signed `text` under `name`; signatures of others (witnesses) are passed over.
pub(crate) fn check(
    text: &str,
    signatures: &str,
    name: &str,
    key: PublicKey,
) -> Result<(), CheckpointError> {
    let verifying =
        VerifyingKey::from_bytes(&key.0).map_err(|_not_a_point| CheckpointError::Key(key))?;
    let start = format!("\u{2014} {name} ");
    let hash = key_hash(name, &verifying);
    let is_signed = signatures
        .lines()
        .filter_map(|line| STANDARD.decode(line.strip_prefix(&start)?).ok())
        .filter_map(|bytes| <[u8; 68]>::try_from(bytes).ok())
        .any(|bytes| {
            let mut signature = [0; 64];
            signature.copy_from_slice(&bytes[4..]);
            let signature = Signature::from_bytes(&signature);
            bytes[..4] == hash && verifying.verify_strict(text.as_bytes(), &signature).is_ok()
        });
    if is_signed { Ok(()) } else { Err(CheckpointError::Signature(key)) }
}

/// The hint that says which key signed: the start of SHA-256 of name, 0x0A, 0x01 and key.
fn key_hash(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let hash: Hash = Sha256::new()
        .chain_update(name.as_bytes())
        .chain_update([b'\n', 1])
        .chain_update(key.as_bytes())
        .finalize()
        .into();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// 32 bytes as base64.
pub(crate) fn hash_text(hash: &Hash) -> String {
    STANDARD.encode(hash)
}

/// 32 bytes from base64.
pub(crate) fn parse_hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}
