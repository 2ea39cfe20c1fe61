//! Verification leases: pixels of other owners' films that a node renders for the scheduler.
//!
//! A verifier is told which pixels, and nothing of the films: not whose they are, nor what they hold.
//! It answers with a digest of its own pixels, which nobody can give who has not rendered them, or
//! been told by somebody who has.

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::id::{Digest, LeaseId, NodeId, PublicKey, SceneId};
use crate::lease::Engine;
use crate::limits;
use crate::settings::RenderSettings;
use crate::sign::{SignError, Signable, Signed};
use crate::tokens::Tokens;

/// Pixels of one frame to be rendered by a node of another owner than those who made the films.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerificationLease {
    /// Id, unguessable.
    pub id: LeaseId,
    /// The node it was handed to.
    pub node: NodeId,
    /// The scene package; the node has rendered this frame before.
    pub scene: SceneId,
    /// Settings of the frame.
    pub settings: RenderSettings,
    /// Time of the frame, seconds.
    pub time_s: f32,
    /// The engine that the films were rendered with.
    pub engine: Engine,
    /// What to render: one entry a film.
    pub spots: Vec<Spots>,
    /// Most that it pays, all entries together.
    pub pay_max: Tokens,
    /// When it lapses, milliseconds since 1970 by the scheduler's clock.
    pub deadline_ms: u64,
}

/// Challenged pixels of one film.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spots {
    /// The film's samples.
    pub batch: Batch,
    /// Column and row of each pixel, in the order in which their sums are hashed.
    pub places: Vec<(u32, u32)>,
}

/// A verification lease that cannot be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpotsError {
    /// Nothing to render, or more than a lease may hold.
    #[error(
        "a verification lease names {0} pixels, it must be 1..={max}",
        max = limits::VERIFICATION_PIXELS_MAX
    )]
    Count(usize),
    /// A pixel that is not rendered in this frame.
    #[error("a verification lease names pixel {0},{1}, which is outside its frame")]
    Outside(u32, u32),
    /// Samples that the frame does not have.
    #[error("a verification lease's batch ends at chunk {end_chunk}, its frame has {chunk_count}")]
    Batch {
        /// End of the batch.
        end_chunk: u32,
        /// Chunks of the frame.
        chunk_count: u32,
    },
}

impl Signable for VerificationLease {
    const DOMAIN: &'static str = "tessera 2026 verification lease v1";
}

impl VerificationLease {
    /// Checks that its pixels and samples are of its frame.
    ///
    /// # Errors
    /// See [`SpotsError`].
    pub fn check_spots(&self) -> Result<(), SpotsError> {
        let count = self.spots.iter().map(|spots| spots.places.len()).sum();
        let is_empty = self.spots.iter().any(|spots| spots.places.is_empty());
        if count == 0 || is_empty || count > limits::VERIFICATION_PIXELS_MAX {
            return Err(SpotsError::Count(count));
        }
        let (window, chunk_count) = (self.settings.window(), self.settings.chunk_count());
        for Spots { batch, places } in &self.spots {
            if batch.end_chunk() > chunk_count {
                return Err(SpotsError::Batch { end_chunk: batch.end_chunk(), chunk_count });
            }
            if let Some(&(x, y)) = places.iter().find(|&&(x, y)| !window.contains(x, y)) {
                return Err(SpotsError::Outside(x, y));
            }
        }
        Ok(())
    }
}

/// What a verifier has rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// The lease answered.
    pub lease: LeaseId,
    /// The node that answers.
    pub node: NodeId,
    /// One digest for each entry of the lease; see [`Findings::digest`].
    pub digests: Vec<Digest>,
}

impl Signable for Findings {
    const DOMAIN: &'static str = "tessera 2026 findings v1";
}

impl Findings {
    /// Digest of one entry's pixels, for one lease and one place in it: it can be used for no other.
    ///
    /// `sums` are the pixels' sums as a film holds them, in the order of [`Spots::places`].
    #[must_use]
    pub fn digest(lease: LeaseId, entry: usize, sums: &[u8]) -> Digest {
        let entry = (entry as u64).to_le_bytes();
        Digest::of("tessera 2026 finding v1", &[&lease.0, &entry, sums])
    }
}

/// What a verifier was asked and what it answered: for whoever doubts either.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Testimony {
    /// What it was asked.
    pub lease: Signed<VerificationLease>,
    /// What it answered.
    pub findings: Signed<Findings>,
    /// The entry that was wrong.
    pub entry: u32,
}

/// A testimony that does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TestimonyError {
    /// The lease is not the farm's word.
    #[error("the verification lease is not the farm's")]
    Lease(#[source] SignError),
    /// The findings are not the verifier's word.
    #[error("the findings are not the verifier's")]
    Findings(#[source] SignError),
    /// The lease asks for what cannot be rendered.
    #[error(transparent)]
    Spots(#[from] SpotsError),
    /// The two speak of different things.
    #[error("the findings are not an answer to that lease, or have no entry {0}")]
    Other(u32),
}

impl Testimony {
    /// Checks both signatures and that one answers the other; returns what was asked and the digest
    /// that was given.
    ///
    /// # Errors
    /// See [`TestimonyError`].
    pub fn open(&self, farm: PublicKey) -> Result<(VerificationLease, Digest), TestimonyError> {
        let lease = self.lease.open_from(farm).map_err(TestimonyError::Lease)?;
        let findings = self.findings.open_from(lease.node.into());
        let findings = findings.map_err(TestimonyError::Findings)?;
        lease.check_spots()?;
        let is_answer = (findings.lease, findings.node) == (lease.id, lease.node)
            && findings.digests.len() == lease.spots.len();
        let digest = findings.digests.get(self.entry as usize);
        match digest.filter(|_| is_answer) {
            Some(digest) => Ok((lease, *digest)),
            None => Err(TestimonyError::Other(self.entry)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::settings::Crop;
    use crate::sign::{SigningKey, public_key};

    fn sample() -> VerificationLease {
        let batch = Batch::new(0, 2).expect("aligned");
        let settings =
            RenderSettings { size: Size::new(96, 64), samples: 40, ..RenderSettings::default() };
        VerificationLease {
            id: LeaseId([1; 16]),
            node: NodeId([2; 32]),
            scene: SceneId([3; 32]),
            settings,
            time_s: 0.0,
            engine: Engine(1),
            spots: vec![Spots { batch, places: vec![(95, 63), (0, 0)] }; 2],
            pay_max: Tokens::ZERO,
            deadline_ms: 0,
        }
    }

    fn lease(change: impl FnOnce(&mut VerificationLease)) -> Result<(), SpotsError> {
        let mut lease = sample();
        change(&mut lease);
        lease.check_spots()
    }

    #[test]
    fn a_testimony_is_what_the_farm_asked_and_the_verifier_answered() {
        let key = |byte| SigningKey::from_bytes(&[byte; 32]);
        let (farm, verifier) = (key(1), key(2));
        let lease = VerificationLease { node: NodeId(public_key(&verifier).0), ..sample() };
        let digests = vec![Digest([8; 32]), Digest([9; 32])];
        let findings = Findings { lease: lease.id, node: lease.node, digests };
        let open = |by: &SigningKey, lease: &VerificationLease, findings: &Findings, entry| {
            let findings = Signed::new(findings, &verifier);
            let testimony = Testimony { lease: Signed::new(lease, by), findings, entry };
            testimony.open(public_key(&farm)).map(|(_, digest)| digest)
        };
        assert_eq!(open(&farm, &lease, &findings, 1), Ok(Digest([9; 32])));
        assert!(matches!(open(&farm, &lease, &findings, 2), Err(TestimonyError::Other(2))));
        assert!(matches!(open(&verifier, &lease, &findings, 1), Err(TestimonyError::Lease(_))));
        let other = VerificationLease { id: LeaseId([7; 16]), ..lease.clone() };
        assert!(matches!(open(&farm, &other, &findings, 1), Err(TestimonyError::Other(1))));
        let mut short = findings.clone();
        short.digests.pop();
        assert!(matches!(open(&farm, &lease, &short, 0), Err(TestimonyError::Other(0))));
        let another = VerificationLease { node: NodeId(public_key(&farm).0), ..lease };
        assert!(matches!(open(&farm, &another, &findings, 1), Err(TestimonyError::Findings(_))));
    }

    #[test]
    fn only_pixels_and_samples_of_the_frame_are_rendered() {
        assert_eq!(lease(|_| ()), Ok(()));
        assert_eq!(lease(|it| it.spots.clear()), Err(SpotsError::Count(0)));
        assert_eq!(lease(|it| it.spots[1].places.clear()), Err(SpotsError::Count(2)));
        let many = vec![(0, 0); limits::VERIFICATION_PIXELS_MAX];
        let count = SpotsError::Count(limits::VERIFICATION_PIXELS_MAX + 2);
        assert_eq!(lease(|it| it.spots[1].places = many), Err(count));
        let outside = SpotsError::Outside(96, 0);
        assert_eq!(lease(|it| it.spots[0].places[1] = (96, 0)), Err(outside));
        let crop = Some(Crop { x: 1, y: 0, size: Size::new(95, 64) });
        assert_eq!(lease(|it| it.settings.crop = crop), Err(SpotsError::Outside(0, 0)));
        let batch = SpotsError::Batch { end_chunk: 2, chunk_count: 1 };
        assert_eq!(lease(|it| it.settings.samples = 16), Err(batch));
    }

    #[test]
    fn a_digest_is_of_one_lease_and_one_place_in_it() {
        let digest = |lease, entry, sums| Findings::digest(LeaseId([lease; 16]), entry, sums);
        let all = [digest(1, 0, b"a"), digest(2, 0, b"a"), digest(1, 1, b"a"), digest(1, 0, b"b")];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
