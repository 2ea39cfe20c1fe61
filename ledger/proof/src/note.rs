//! Signed notes (c2sp.org/signed-note): a text, an empty line, and ed25519 signatures under it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use protocol::PublicKey;
use sha2::{Digest as _, Sha256};

use crate::checkpoint::CheckpointError;
use crate::merkle::Hash;

/// Most bytes of a note: a text of ours, its signature and sixteen co-signatures take half of it.
pub const NOTE_BYTES_MAX: usize = 8192;

/// What a signature is of, as its key's hash says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SignatureType {
    /// The text.
    Text = 1,
    /// The text and a time, by a witness (c2sp.org/tlog-cosignature).
    Cosignature = 4,
}

/// A text (which ends with a line end) with a signature under it, or with none when there is no
/// key.
pub(crate) fn seal(text: &str, name: &str, key: Option<&SigningKey>) -> String {
    let mut note = format!("{text}\n");
    if let Some(key) = key {
        let signature = key.sign(text.as_bytes()).to_bytes();
        note += &line(SignatureType::Text, name, &key.verifying_key(), &signature);
    }
    note
}

/// A signature's line.
pub(crate) fn line(
    kind: SignatureType,
    name: &str,
    key: &VerifyingKey,
    signature: &[u8],
) -> String {
    let bytes = [&key_hash(kind, name, key)[..], signature].concat();
    format!("\u{2014} {name} {}\n", STANDARD.encode(bytes))
}

/// The signature of a line without its line end, if it is of this kind, name and key.
pub(crate) fn parse_line<const BYTES: usize>(
    kind: SignatureType,
    line: &str,
    name: &str,
    key: &VerifyingKey,
) -> Option<[u8; BYTES]> {
    let encoded = line.strip_prefix("\u{2014} ")?.strip_prefix(name)?.strip_prefix(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (hash, signature) = bytes.split_first_chunk::<4>()?;
    let signature = <[u8; BYTES]>::try_from(signature).ok()?;
    (*hash == key_hash(kind, name, key)).then_some(signature)
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
    let is_signed = signatures
        .lines()
        .filter_map(|line| parse_line(SignatureType::Text, line, name, &verifying))
        .any(|signature| {
            let signature = Signature::from_bytes(&signature);
            verifying.verify_strict(text.as_bytes(), &signature).is_ok()
        });
    if is_signed { Ok(()) } else { Err(CheckpointError::Signature(key)) }
}

/// The hint that says which key signed: the start of SHA-256 of name, 0x0A, type and key.
fn key_hash(kind: SignatureType, name: &str, key: &VerifyingKey) -> [u8; 4] {
    let hash: Hash = Sha256::new()
        .chain_update(name.as_bytes())
        .chain_update([b'\n', kind as u8])
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

/// Hashes, each on a line.
pub(crate) fn path_text(path: &[Hash]) -> String {
    path.iter().map(|hash| hash_text(hash) + "\n").collect()
}

/// Hashes of a line each, if there are no more than `max`.
pub(crate) fn parse_path<'a>(
    lines: impl Iterator<Item = &'a str>,
    max: usize,
) -> Option<Vec<Hash>> {
    let path: Vec<Hash> = lines.map(parse_hash).collect::<Option<_>>()?;
    (path.len() <= max).then_some(path)
}
