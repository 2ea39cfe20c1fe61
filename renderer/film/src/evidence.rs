//! Pixels that prove a film wrong: gathered by whoever judges, examined by whoever doubts it.

use protocol::challenge::challenge_pixels;
use protocol::{
    EVIDENCE_PIXELS_MAX, Evidence, PublicKey, Rect, SettingsError, SignError, Signed, limits,
};

use crate::opening::{self, OpeningError};
use crate::{FilmError, Sums};

/// What evidence shows once it has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// The evidence.
    pub evidence: Evidence,
    /// The pixels as the node committed to them, in the order of [`Evidence::places`].
    pub got: Sums,
    /// The same, rendered again by the scheduler, where that was needed.
    pub trusted: Option<Sums>,
}

/// Evidence that shows nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Not the farm's word.
    #[error("the evidence is not signed by the farm")]
    Farm(#[source] SignError),
    /// Not the node's word.
    #[error("the film is not signed by the node")]
    Node(#[source] SignError),
    /// The node's word is of something else.
    #[error("the node's commitment is of another {0}")]
    Commitment(&'static str),
    /// Settings that nobody could have rendered.
    #[error("the settings are none")]
    Settings(#[from] SettingsError),
    /// No tile has such sides.
    #[error("no tile is {rect:?}")]
    Tile {
        /// Pixels of the tile.
        rect: Rect,
    },
    /// Too few or too many pixels.
    #[error("it shows {0} pixels; 1 to {max} are evidence", max = EVIDENCE_PIXELS_MAX)]
    Count(usize),
    /// A pixel that the challenge did not draw.
    #[error("pixel {x},{y} is none that the challenge drew")]
    NotDrawn {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
    },
    /// The opening does not lead to the root.
    #[error("the pixels are not those of the film")]
    Opening(#[from] OpeningError),
    /// The trusted pixels are no pixels.
    #[error("the pixels rendered again are none")]
    Trusted(#[from] FilmError),
    /// The film's pixels are as they should be.
    #[error("pixel {x},{y} is the same in the film and rendered again")]
    Same {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
    },
}

/// Fills in what the film and the trusted render show at `places`; of more than
/// [`EVIDENCE_PIXELS_MAX`], the first.
///
/// `evidence` brings everything else. `trusted` are the sums of the same places, in their order.
///
/// # Errors
/// [`OpeningError`] when the bytes are no film of the tile, or a place is outside.
pub fn gather(
    mut evidence: Evidence,
    film_bytes: &[u8],
    places: &[(u32, u32)],
    trusted: Option<&Sums>,
) -> Result<Evidence, OpeningError> {
    let places = &places[..places.len().min(EVIDENCE_PIXELS_MAX)];
    let has_passes = evidence.piece.settings.passes;
    evidence.opening = opening::open(film_bytes, evidence.piece.rect, has_passes, places)?;
    evidence.places = places.to_vec();
    let first = trusted.and_then(|trusted| trusted.picked(0..places.len()));
    evidence.trusted = first.map(|sums| sums.to_bytes()).unwrap_or_default();
    Ok(evidence)
}

/// Checks all of it that needs no rendering: the farm's signature, the node's, that the node signed
/// for the same piece, that the shown pixels are under the node's root and among those that the challenge drew, and that they differ.
///
/// What is left to whoever has the scene is to render these pixels and to see who is right.
///
/// # Errors
/// See [`EvidenceError`]; hostile bytes never panic.
pub fn examine(signed: &Signed<Evidence>, farm: PublicKey) -> Result<Examined, EvidenceError> {
    let evidence = signed.open_from(farm).map_err(EvidenceError::Farm)?;
    let commitment =
        evidence.commitment.open_from(evidence.node.into()).map_err(EvidenceError::Node)?;
    let named = [
        ("lease", commitment.lease == evidence.lease),
        ("node", commitment.node == evidence.node),
        ("engine", commitment.engine == evidence.piece.engine),
        ("piece", commitment.piece == evidence.piece.digest()),
    ];
    if let Some((what, _)) = named.into_iter().find(|(_, same)| !same) {
        return Err(EvidenceError::Commitment(what));
    }
    evidence.piece.settings.validate()?;
    let (rect, places) = (evidence.piece.rect, &evidence.places);
    let sides = 1..=limits::TILE_SIDE_PX_MAX;
    if !sides.contains(&rect.width()) || !sides.contains(&rect.height()) {
        return Err(EvidenceError::Tile { rect });
    }
    if !(1..=EVIDENCE_PIXELS_MAX).contains(&places.len()) {
        return Err(EvidenceError::Count(places.len()));
    }
    let (lease, node, root) = (commitment.lease, commitment.node, commitment.root);
    if let Some(challenge) = &evidence.challenge {
        let drawn = challenge_pixels(lease, node, root, challenge, rect);
        if let Some(&(x, y)) = places.iter().find(|place| !drawn.contains(place)) {
            return Err(EvidenceError::NotDrawn { x, y });
        }
    }
    let has_passes = evidence.piece.settings.passes;
    let got = opening::opened(root, rect, has_passes, places, &evidence.opening)?;
    let trusted = match evidence.trusted.as_slice() {
        [] => None,
        bytes => Some(Sums::from_bytes(places.len(), has_passes, bytes)?),
    };
    if let Some(trusted) = &trusted
        && let Some(same) = (0..places.len()).find(|&at| got.is_same(trusted, at))
    {
        let (x, y) = places[same];
        return Err(EvidenceError::Same { x, y });
    }
    Ok(Examined { evidence, got, trusted })
}

#[cfg(test)]
mod tests {
    use protocol::sign::public_key;
    use protocol::{
        Batch, Challenge, Class, Commitment, Engine, JobId, LeaseId, NodeId, Piece, RenderSettings,
        SceneId, ShotIndex, SigningKey, TileIndex, Unit,
    };

    use super::*;
    use crate::{Film, Pixel};

    const TILE: Rect = Rect { x0: 0, y0: 0, x1: 16, y1: 16 };

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn film(light: f32) -> Film {
        let pixel = Pixel { beauty: [light; 3], samples: 16, ..Pixel::default() };
        let batch = Batch::new(0, 1).expect("a batch");
        Film::from_pixels(TILE, batch, vec![pixel; 256]).expect("a film")
    }

    /// A node's film is dark; the farm's is bright.
    fn evidence(change: impl FnOnce(&mut Evidence)) -> Signed<Evidence> {
        let (dark, bright) = (film(0.0), film(1.0));
        let node = NodeId(public_key(&key(2)).0);
        let (lease, root) = (LeaseId([3; 16]), dark.root());
        let rays = dark.rays();
        let batch = dark.batch();
        let piece = Piece {
            unit: Unit { job: JobId([5; 16]), shot: ShotIndex(0), tile: TileIndex(0), batch },
            scene: SceneId([6; 32]),
            settings: RenderSettings::default(),
            time_s: 0.0,
            rect: TILE,
            engine: Engine(1),
        };
        let (digest, engine) = (piece.digest(), piece.engine);
        let commitment = Commitment { lease, node, piece: digest, root, rays, engine };
        let challenge = Challenge { nonce: [4; 32], round: 0, pixels: 32 };
        let mut evidence = Evidence {
            lease,
            node,
            piece,
            class: Class::Exact,
            commitment: Signed::new(&commitment, &key(2)),
            challenge: Some(challenge),
            places: Vec::new(),
            opening: Vec::new(),
            trusted: Vec::new(),
        };
        let places = challenge_pixels(lease, node, root, &challenge, TILE);
        let indices = places.iter().map(|&(x, y)| bright.index(x, y).expect("inside"));
        let trusted = bright.sums().picked(indices).expect("inside");
        evidence = gather(evidence, &dark.to_bytes(), &places, Some(&trusted)).expect("gathers");
        change(&mut evidence);
        Signed::new(&evidence, &key(1))
    }

    #[test]
    fn it_shows_what_was_committed_to_and_what_should_have_been() {
        let farm = public_key(&key(1));
        let shown = examine(&evidence(|_| ()), farm).expect("holds");
        assert_eq!(shown.evidence.places.len(), EVIDENCE_PIXELS_MAX);
        let is_all = |sums: &Sums, light: f32| {
            let is = |pixel: &Pixel| pixel.beauty.map(f32::to_bits) == [light.to_bits(); 3];
            sums.pixels().iter().all(is)
        };
        assert!(is_all(&shown.got, 0.0));
        let trusted = shown.trusted.expect("rendered again");
        assert!(is_all(&trusted, 1.0));
    }

    #[test]
    fn what_shows_nothing_is_told_so() {
        let farm = public_key(&key(1));
        let refused = |change: fn(&mut Evidence)| {
            examine(&evidence(change), farm).expect_err("shows nothing")
        };
        let own = examine(&evidence(|_| ()), public_key(&key(2)));
        assert!(matches!(own, Err(EvidenceError::Farm(_))));
        assert!(matches!(
            refused(|evidence| {
                let word = evidence.commitment.open().expect("signed");
                evidence.commitment = Signed::new(&word, &key(3));
            }),
            EvidenceError::Node(_)
        ));
        assert_eq!(refused(|it| it.lease = LeaseId([9; 16])), EvidenceError::Commitment("lease"));
        assert_eq!(refused(|it| it.places.clear()), EvidenceError::Count(0));
        assert!(matches!(refused(|it| it.places[0] = (15, 15)), EvidenceError::NotDrawn { .. }));
        assert!(matches!(refused(|it| it.opening[40] ^= 1), EvidenceError::Opening(_)));
        assert!(matches!(refused(|it| it.trusted.truncate(63)), EvidenceError::Trusted(_)));
        assert!(matches!(
            refused(|it| {
                it.trusted[..64].copy_from_slice(&film(0.0).to_bytes()[..64]);
            }),
            EvidenceError::Same { .. }
        ));
    }

    #[test]
    fn neither_side_can_say_that_something_else_was_leased() {
        let farm = public_key(&key(1));
        type Change = (&'static str, fn(&mut Piece));
        let changes: [Change; 9] = [
            ("engine", |piece| piece.engine = Engine(2)),
            ("piece", |piece| piece.unit.job = JobId([6; 16])),
            ("piece", |piece| piece.unit.tile = TileIndex(1)),
            ("piece", |piece| piece.unit.batch = Batch::new(1, 1).expect("a batch")),
            ("piece", |piece| piece.scene = SceneId([7; 32])),
            ("piece", |piece| piece.settings.samples += 1),
            ("piece", |piece| piece.settings.seed += 1),
            ("piece", |piece| piece.time_s = -0.0),
            ("piece", |piece| piece.rect.x0 += 1),
        ];
        for (what, change) in changes {
            let by_farm = examine(&evidence(|it| change(&mut it.piece)), farm);
            assert_eq!(by_farm, Err(EvidenceError::Commitment(what)), "the farm's word");
            let by_node = evidence(|it| sign_for(it, change));
            let by_node = examine(&by_node, farm);
            assert_eq!(by_node, Err(EvidenceError::Commitment(what)), "the node's word");
        }
    }

    /// The node's commitment is of a changed piece.
    fn sign_for(evidence: &mut Evidence, change: fn(&mut Piece)) {
        let mut piece = evidence.piece.clone();
        change(&mut piece);
        let mut word = evidence.commitment.open().expect("signed");
        (word.piece, word.engine) = (piece.digest(), piece.engine);
        evidence.commitment = Signed::new(&word, &key(2));
    }

    #[test]
    fn a_piece_that_both_signed_may_still_be_none() {
        let farm = public_key(&key(1));
        let refused = |change: fn(&mut Piece)| {
            let agreed = evidence(|it| {
                sign_for(it, change);
                change(&mut it.piece);
            });
            examine(&agreed, farm).expect_err("shows nothing")
        };
        assert!(matches!(refused(|it| it.settings.samples = 0), EvidenceError::Settings(_)));
        assert!(matches!(refused(|it| it.rect.x1 = u32::MAX), EvidenceError::Tile { .. }));
    }
}
