//! Verifying a journal, record by record, with nothing but its name and public key.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey, verify_batch};
use protocol::{Digest, PublicKey};

use crate::checkpoint::Checkpoint;
use crate::merkle::{self, Frontier, Hash};
use crate::record::{Group, SegmentHeader, genesis};

/// How many signatures are checked together: 72 000 a second instead of 30 000.
const SIGNATURES_AT_ONCE: usize = 128;
const SIGNATURE_DOMAIN: &[u8] = b"tessera 2026 journal group v1";

/// Where a journal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of entries.
    pub size: u64,
    /// The chain after the last of them.
    pub chain: Digest,
    /// Root of the tree over them, see [`merkle`].
    pub root: Hash,
}

/// A place in a journal from which it can be followed without reading what came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The chain there.
    pub chain: Hash,
    /// The tree over the entries before it.
    pub frontier: Frontier,
}

/// Which signatures are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// Every record's.
    Every,
    /// The last record's only: it covers the chain, and so all records before it. Enough to know
    /// that the entries are the signer's.
    Last,
}

/// A journal that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Entries are missing, or come twice.
    #[error("entry {got} follows where entry {expected} should")]
    Gap {
        /// Number of the entry that should come.
        expected: u64,
        /// Number of the entry that comes.
        got: u64,
    },
    /// A record or segment does not continue the one before.
    #[error("the hash chain breaks at entry {seq}: what comes there does not continue the journal")]
    Chain {
        /// Number of the first entry that does not fit.
        seq: u64,
    },
    /// The key's bytes are no point of the curve.
    #[error("not an ed25519 key: {0}")]
    Key(PublicKey),
    /// A record of a signed journal without a signature.
    #[error("the record at entry {seq} is not signed, the journal's records must be")]
    Unsigned {
        /// Number of the record's first entry.
        seq: u64,
    },
    /// A signature does not fit.
    #[error("the record at entry {seq} was not signed by {key}")]
    Signature {
        /// Number of the record's first entry.
        seq: u64,
        /// The key that should have signed.
        key: PublicKey,
    },
    /// The journal ends before a checkpoint that was signed for it.
    #[error(
        "the journal has {size} entries, a checkpoint was signed at {checkpoint}: entries are missing"
    )]
    Short {
        /// Entries found.
        size: u64,
        /// Entries at the checkpoint.
        checkpoint: u64,
    },
    /// The journal tells another story than a checkpoint that was signed for it.
    #[error("the first {checkpoint} entries are not the ones of the checkpoint signed for them")]
    Story {
        /// Entries at the checkpoint.
        checkpoint: u64,
    },
}

/// Follows a journal and keeps its head.
#[derive(Debug)]
pub struct Verifier {
    origin: String,
    key: Option<(PublicKey, VerifyingKey)>,
    signatures: Signatures,
    checkpoints: Vec<Checkpoint>,
    chain: Hash,
    frontier: Frontier,
    unchecked: Vec<(u64, Hash, [u8; 64])>,
}

impl Verifier {
    /// Starts before the first entry of the journal named `origin`.
    ///
    /// # Errors
    /// [`VerifyError::Key`] when `key` is no key.
    pub fn new(
        origin: &str,
        key: Option<PublicKey>,
        signatures: Signatures,
    ) -> Result<Self, VerifyError> {
        let place = Place { chain: genesis(origin), frontier: Frontier::default() };
        Self::starting_at(place, origin, key, signatures)
    }

    /// Starts at a place that is known to be the journal's. Checkpoints before it are not checked.
    ///
    /// # Errors
    /// [`VerifyError::Key`] when `key` is no key.
    pub fn starting_at(
        place: Place,
        origin: &str,
        key: Option<PublicKey>,
        signatures: Signatures,
    ) -> Result<Self, VerifyError> {
        let Place { chain, frontier } = place;
        let key = match key {
            Some(key) => {
                let verifying = VerifyingKey::from_bytes(&key.0);
                Some((key, verifying.map_err(|_not_a_point| VerifyError::Key(key))?))
            }
            None => None,
        };
        Ok(Self {
            origin: origin.to_owned(),
            key,
            signatures,
            checkpoints: Vec::new(),
            chain,
            frontier,
            unchecked: Vec::new(),
        })
    }

    /// Adds a checkpoint that the journal must agree with. All come before the first record.
    pub fn expect(&mut self, checkpoint: Checkpoint) {
        self.checkpoints.push(checkpoint);
    }

    /// From here on it can be followed without what came before.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { chain: self.chain, frontier: self.frontier.clone() }
    }

    /// How many entries there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Where the journal stands.
    #[must_use]
    pub fn head(&self) -> Head {
        let (size, root) = (self.frontier.size(), self.frontier.root());
        Head { size, chain: Digest(self.chain), root }
    }

    /// The same as a checkpoint, ready to sign.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let head = self.head();
        Checkpoint { origin: self.origin.clone(), size: head.size, root: head.root }
    }

    /// Checks that a segment continues the journal.
    ///
    /// # Errors
    /// [`VerifyError::Gap`], [`VerifyError::Chain`].
    pub fn segment(&self, header: &SegmentHeader) -> Result<(), VerifyError> {
        self.continues(header.first_seq, &header.chain)
    }

    /// Checks that a record continues the journal, and takes it in.
    ///
    /// # Errors
    /// [`VerifyError::Gap`], [`VerifyError::Chain`], [`VerifyError::Unsigned`],
    /// [`VerifyError::Signature`], [`VerifyError::Story`]. Nothing was taken in then, or the
    /// verifier is of no more use.
    pub fn group(&mut self, group: &Group<'_>) -> Result<(), VerifyError> {
        let seq = group.head.first_seq;
        self.continues(seq, &group.head.prev)?;
        let chain = group.chain();
        if self.key.is_some() {
            let signature = group.signature.ok_or(VerifyError::Unsigned { seq })?;
            match self.signatures {
                Signatures::Last => self.unchecked.clear(),
                Signatures::Every if self.unchecked.len() >= SIGNATURES_AT_ONCE => {
                    self.check_signatures()?;
                }
                Signatures::Every => {}
            }
            self.unchecked.push((seq, chain, signature));
        }
        self.take_in(chain, group.entries())
    }

    /// Takes in entries that the caller has just written: `chain` is the chain after them.
    ///
    /// # Errors
    /// [`VerifyError::Story`] when a checkpoint was expected here and does not fit.
    pub fn take_in<'a>(
        &mut self,
        chain: Hash,
        entries: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), VerifyError> {
        for entry in entries {
            self.frontier.push(merkle::leaf(entry));
            self.check_story()?;
        }
        self.chain = chain;
        Ok(())
    }

    /// Checks what is left: the last signatures, and that no checkpoint lies beyond the end.
    ///
    /// # Errors
    /// [`VerifyError::Signature`], [`VerifyError::Short`], [`VerifyError::Story`].
    pub fn finish(&mut self) -> Result<Head, VerifyError> {
        self.check_signatures()?;
        let size = self.frontier.size();
        self.check_story()?;
        match self.checkpoints.iter().map(|point| point.size).max() {
            Some(checkpoint) if checkpoint > size => Err(VerifyError::Short { size, checkpoint }),
            _ => {
                self.checkpoints.clear();
                Ok(self.head())
            }
        }
    }

    fn continues(&self, seq: u64, chain: &Hash) -> Result<(), VerifyError> {
        let expected = self.frontier.size();
        if seq != expected {
            return Err(VerifyError::Gap { expected, got: seq });
        }
        if *chain != self.chain { Err(VerifyError::Chain { seq }) } else { Ok(()) }
    }

    /// Checks the checkpoints that were expected here.
    ///
    /// # Errors
    /// [`VerifyError::Story`].
    pub fn check_story(&self) -> Result<(), VerifyError> {
        let size = self.frontier.size();
        let here = || self.checkpoints.iter().filter(|point| point.size == size);
        match here().next() {
            Some(_) if here().any(|point| point.root != self.frontier.root()) => {
                Err(VerifyError::Story { checkpoint: size })
            }
            _ => Ok(()),
        }
    }

    /// Checks the signatures put by: all at once, and one by one to name the first that is bad.
    fn check_signatures(&mut self) -> Result<(), VerifyError> {
        let Some((key, verifying)) = &self.key else { return Ok(()) };
        let unchecked = std::mem::take(&mut self.unchecked);
        let messages: Vec<Vec<u8>> =
            unchecked.iter().map(|(_, chain, _)| signed_message(&self.origin, chain)).collect();
        let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        let signatures: Vec<Signature> =
            unchecked.iter().map(|(_, _, bytes)| Signature::from_bytes(bytes)).collect();
        let keys = vec![*verifying; unchecked.len()];
        if keys.len() > 1 && verify_batch(&messages, &signatures, &keys).is_ok() {
            return Ok(());
        }
        for ((message, signature), (seq, _, _)) in messages.iter().zip(&signatures).zip(&unchecked)
        {
            verifying
                .verify_strict(message, signature)
                .map_err(|_forged| VerifyError::Signature { seq: *seq, key: *key })?;
        }
        Ok(())
    }
}

/// Signs the chain after a record.
#[must_use]
pub fn sign_group(origin: &str, chain: &Hash, key: &SigningKey) -> [u8; 64] {
    key.sign(&signed_message(origin, chain)).to_bytes()
}

fn signed_message(origin: &str, chain: &Hash) -> Vec<u8> {
    let mut message = Vec::with_capacity(16 + SIGNATURE_DOMAIN.len() + origin.len() + chain.len());
    for part in [SIGNATURE_DOMAIN, origin.as_bytes()] {
        message.extend_from_slice(&(part.len() as u64).to_le_bytes());
        message.extend_from_slice(part);
    }
    message.extend_from_slice(chain);
    message
}

#[cfg(test)]
mod tests {
    use protocol::sign::public_key;

    use super::*;
    use crate::record::{GroupBuilder, SEGMENT_HEADER_BYTES};

    const ORIGIN: &str = "test";

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    /// A segment of `groups` records of two entries each, each signed by the key given for it.
    fn journal(groups: usize, signer: impl Fn(usize) -> Option<SigningKey>) -> Vec<u8> {
        let mut chain = genesis(ORIGIN);
        let header = SegmentHeader { first_seq: 0, salt: [1; 8], chain };
        let mut bytes = header.encode().to_vec();
        for index in 0..groups {
            let mut builder = GroupBuilder::default();
            assert!(builder.push(&index.to_le_bytes()) && builder.push(b"second"));
            let (seq, prev) = (2 * index as u64, chain);
            chain = builder.chain(seq, prev);
            let signature = signer(index).map(|key| sign_group(ORIGIN, &chain, &key));
            bytes.extend(builder.encode(seq, prev, header.salt, signature));
        }
        bytes
    }

    fn verify(bytes: &[u8], verifier: &mut Verifier) -> Result<Head, VerifyError> {
        let header = SegmentHeader::decode(bytes).expect("a good header");
        verifier.segment(&header)?;
        for group in header.groups(bytes, SEGMENT_HEADER_BYTES) {
            verifier.group(&group.expect("a good record"))?;
        }
        verifier.finish()
    }

    fn verifier(signatures: Signatures) -> Verifier {
        Verifier::new(ORIGIN, Some(public_key(&key(1))), signatures).expect("a key")
    }

    #[test]
    fn a_signed_journal_verifies_in_both_ways() {
        let bytes = journal(300, |_| Some(key(1)));
        let every = verify(&bytes, &mut verifier(Signatures::Every)).expect("holds");
        let last = verify(&bytes, &mut verifier(Signatures::Last)).expect("holds");
        assert_eq!((every, every.size), (last, 600));
    }

    #[test]
    fn another_signer_is_named_with_the_record() {
        let owner = public_key(&key(1));
        for bad in [0, 130, 299] {
            let bytes = journal(300, |index| Some(key(if index == bad { 2 } else { 1 })));
            let error = verify(&bytes, &mut verifier(Signatures::Every));
            assert_eq!(error, Err(VerifyError::Signature { seq: 2 * bad as u64, key: owner }));
        }
        let bytes = journal(3, |index| (index != 1).then(|| key(1)));
        let error = verify(&bytes, &mut verifier(Signatures::Last));
        assert_eq!(error, Err(VerifyError::Unsigned { seq: 2 }));
    }

    #[test]
    fn another_name_breaks_the_chain_at_once() {
        let bytes = journal(1, |_| None);
        let mut other = Verifier::new("other", None, Signatures::Every).expect("no key");
        assert_eq!(verify(&bytes, &mut other), Err(VerifyError::Chain { seq: 0 }));
    }

    #[test]
    fn a_missing_record_is_a_gap() {
        let bytes = journal(3, |_| None);
        let header = SegmentHeader::decode(&bytes).expect("a good header");
        let groups: Vec<_> = header.groups(&bytes, SEGMENT_HEADER_BYTES).flatten().collect();
        let mut verifier = Verifier::new(ORIGIN, None, Signatures::Every).expect("no key");
        verifier.group(&groups[0]).expect("fits");
        let error = verifier.group(&groups[2]);
        assert_eq!(error, Err(VerifyError::Gap { expected: 2, got: 4 }));
    }

    #[test]
    fn checkpoints_hold_the_journal_to_its_story() {
        let long = journal(4, |_| Some(key(1)));
        let mut full = verifier(Signatures::Every);
        verify(&long, &mut full).expect("holds");
        let point = full.checkpoint();

        let mut again = verifier(Signatures::Every);
        again.expect(point.clone());
        assert!(verify(&long, &mut again).is_ok());

        let mut short = verifier(Signatures::Every);
        short.expect(point.clone());
        let error = verify(&journal(3, |_| Some(key(1))), &mut short);
        assert_eq!(error, Err(VerifyError::Short { size: 6, checkpoint: 8 }));

        let mut other = verifier(Signatures::Every);
        other.expect(Checkpoint { root: [0; 32], ..point });
        assert_eq!(verify(&long, &mut other), Err(VerifyError::Story { checkpoint: 8 }));
    }
}
