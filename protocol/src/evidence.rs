//! What a refusal rests on, for both sides to look at and for anyone to check.

use serde::{Deserialize, Serialize};

use crate::challenge::Challenge;
use crate::id::{LeaseId, NodeId};
use crate::lease::{Class, Commitment};
use crate::piece::Piece;
use crate::sign::{Signable, Signed};

/// The pixels that prove a film wrong.
///
/// All of it can be checked without believing the scheduler: that the node signed for this piece and
/// this root, that the opened values are under the root, and, by whoever has the scene, what these
/// pixels are when they are rendered again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The lease.
    pub lease: LeaseId,
    /// Who answered it.
    pub node: NodeId,
    /// What was to be rendered; the commitment holds its digest.
    pub piece: Piece,
    /// How the film was compared.
    pub class: Class,
    /// The node's word on the film.
    pub commitment: Signed<Commitment>,
    /// How the pixels were drawn; none where whole films were compared, or where the film holds what
    /// no honest one can.
    pub challenge: Option<Challenge>,
    /// Pixels that differ, at most [`EVIDENCE_PIXELS_MAX`].
    pub places: Vec<(u32, u32)>,
    /// These pixels of the film with the hashes that lead to the committed root.
    pub opening: Vec<u8>,
    /// Canonical bytes of the same pixels, rendered again; empty where none were needed.
    pub trusted: Vec<u8>,
}

/// Most pixels of one piece of evidence: with light passes, and in the worst places of the largest
/// film, 300 kB.
pub const EVIDENCE_PIXELS_MAX: usize = 32;

impl Signable for Evidence {
    const DOMAIN: &'static str = "tessera 2026 evidence v2";
}
