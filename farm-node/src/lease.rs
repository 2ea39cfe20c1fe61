//! Which leases a node works on: signed by its scheduler, for itself, and possible.

use protocol::{
    Engine, Lease, NodeId, Piece, PublicKey, Rect, SettingsError, SignError, Signed, SpotsError,
    VerificationLease, limits,
};

/// A lease that a node does not work on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Not the scheduler's word.
    #[error("a lease is not signed by the scheduler")]
    Signature(#[from] SignError),
    /// Another node's lease.
    #[error("a lease is for {lease_node}, this node is {node}")]
    Node {
        /// The node named in the lease.
        lease_node: NodeId,
        /// This node.
        node: NodeId,
    },
    /// Another engine's.
    #[error("a lease wants {wanted}, this node renders with {engine}; install the same release")]
    Engine {
        /// The lease's engine.
        wanted: Engine,
        /// This node's.
        engine: Engine,
    },
    /// Settings that cannot be rendered.
    #[error("a lease's settings cannot be rendered")]
    Settings(#[from] SettingsError),
    /// A tile outside what is rendered of the frame, or none at all, or too large to send.
    #[error("a lease's tile {0:?} is empty, too large or outside its frame")]
    Rect(Rect),
    /// A batch outside the frame's samples.
    #[error("a lease's batch ends at chunk {end_chunk}, its frame has {chunk_count}")]
    Batch {
        /// End of the batch.
        end_chunk: u32,
        /// Chunks of the frame.
        chunk_count: u32,
    },
    /// Pixels that cannot be verified.
    #[error(transparent)]
    Spots(#[from] SpotsError),
    /// A time that is no number.
    #[error("a lease's time is not a finite number of seconds")]
    Time,
}

/// Checks a lease before any work goes into it.
pub(crate) fn verify(
    signed: &Signed<Lease>,
    scheduler: PublicKey,
    node: NodeId,
    engine: Engine,
) -> Result<Lease, LeaseError> {
    let lease = signed.open_from(scheduler)?;
    let Piece { unit, settings, time_s, rect, engine: wanted, .. } = &lease.piece;
    check_ours((lease.node, *wanted), (node, engine))?;
    settings.validate()?;
    let rect = *rect;
    let inside = settings.window().holds(&rect);
    let film_bytes =
        rect.pixel_count().saturating_mul(film::film_pixel_bytes(settings.passes) as u64);
    if rect.pixel_count() == 0 || !inside || film_bytes > limits::FILM_BYTES_MAX as u64 {
        return Err(LeaseError::Rect(rect));
    }
    let (end_chunk, chunk_count) = (unit.batch.end_chunk(), settings.chunk_count());
    if end_chunk > chunk_count {
        return Err(LeaseError::Batch { end_chunk, chunk_count });
    }
    if time_s.is_finite() { Ok(lease) } else { Err(LeaseError::Time) }
}

/// Checks a verification lease before any work goes into it.
pub(crate) fn verify_verification(
    signed: &Signed<VerificationLease>,
    scheduler: PublicKey,
    node: NodeId,
    engine: Engine,
) -> Result<VerificationLease, LeaseError> {
    let lease = signed.open_from(scheduler)?;
    check_ours((lease.node, lease.engine), (node, engine))?;
    lease.settings.validate()?;
    lease.check_spots()?;
    if lease.time_s.is_finite() { Ok(lease) } else { Err(LeaseError::Time) }
}

fn check_ours(
    (lease_node, wanted): (NodeId, Engine),
    (node, engine): (NodeId, Engine),
) -> Result<(), LeaseError> {
    if lease_node != node {
        return Err(LeaseError::Node { lease_node, node });
    }
    if wanted != engine {
        return Err(LeaseError::Engine { wanted, engine });
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use protocol::sign::public_key;
    use protocol::{
        Batch, Crop, JobId, LeaseId, RenderSettings, SceneId, ShotIndex, SigningKey, Size,
        TileIndex, Tokens, Unit,
    };

    use super::*;

    pub(crate) fn sample() -> Lease {
        let batch = Batch::new(0, 2).expect("aligned");
        Lease {
            id: LeaseId([3; 16]),
            node: NodeId([4; 32]),
            piece: Piece {
                unit: Unit { job: JobId([1; 16]), shot: ShotIndex(0), tile: TileIndex(0), batch },
                scene: SceneId([2; 32]),
                settings: RenderSettings {
                    size: Size::new(96, 64),
                    samples: 40,
                    ..RenderSettings::default()
                },
                time_s: 0.0,
                rect: Rect { x0: 64, y0: 0, x1: 96, y1: 32 },
                engine: Engine(5),
            },
            nonce_hash: Lease::nonce_hash(&[9; 32]),
            pay_max: Tokens::from_whole(2),
            deadline_ms: 1,
        }
    }

    fn check(change: impl FnOnce(&mut Lease)) -> Result<Lease, LeaseError> {
        let key = SigningKey::from_bytes(&[1; 32]);
        let mut lease = sample();
        change(&mut lease);
        verify(&Signed::new(&lease, &key), public_key(&key), NodeId([4; 32]), Engine(5))
    }

    #[test]
    fn a_good_lease_is_taken() {
        assert_eq!(check(|_| ()), Ok(sample()));
    }

    #[test]
    fn a_lease_that_is_not_the_schedulers_is_refused() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let signed = Signed::new(&sample(), &other);
        let refused = verify(&signed, public_key(&key), NodeId([4; 32]), Engine(5));
        assert!(matches!(refused, Err(LeaseError::Signature(_))), "{refused:?}");
    }

    #[test]
    fn a_lease_that_cannot_be_rendered_is_refused() {
        let refused = |change: fn(&mut Lease)| check(change).expect_err("refused");
        assert!(matches!(refused(|l| l.node = NodeId([5; 32])), LeaseError::Node { .. }));
        assert!(matches!(refused(|l| l.piece.engine = Engine(6)), LeaseError::Engine { .. }));
        assert!(matches!(refused(|l| l.piece.settings.samples = 0), LeaseError::Settings(_)));
        assert!(matches!(refused(|l| l.piece.rect.x1 = 97), LeaseError::Rect(_)));
        assert!(matches!(refused(|l| l.piece.rect.x0 = 96), LeaseError::Rect(_)));
        let crop = |l: &mut Lease| {
            l.piece.settings.crop = Some(Crop { x: 65, y: 0, size: Size::new(31, 64) });
        };
        assert!(matches!(refused(crop), LeaseError::Rect(_)));
        assert!(matches!(refused(|l| l.piece.settings.samples = 16), LeaseError::Batch { .. }));
        assert_eq!(refused(|l| l.piece.time_s = f32::NAN), LeaseError::Time);
        let huge = |l: &mut Lease| {
            l.piece.settings.size = Size::new(8192, 8192);
            l.piece.rect = Rect::of_size(l.piece.settings.size);
        };
        assert!(matches!(refused(huge), LeaseError::Rect(_)));
    }
}
