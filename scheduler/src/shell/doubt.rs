//! Films in doubt: outlying pixels of class Tolerant, held against independent seeds.

use anyhow::Context as _;
use film::Film;
use protocol::{Digest, Piece};

use super::hands::{Hands, frame_of};
use crate::core::FilmRef;
use crate::verify::{self, welch};

/// What is looked at once more.
pub(super) struct Doubt<'a> {
    pub(super) film: &'a FilmRef,
    pub(super) piece: &'a Piece,
    pub(super) got: &'a Film,
    pub(super) trusted: &'a Film,
}

impl Doubt<'_> {
    /// Whether a film that differs from the trusted one beyond its class's tolerance is honest all the
    /// same, and how many pixels were rendered to see it.
    ///
    /// # Errors
    /// Its pixels cannot be rendered.
    pub(super) fn settle(&self, hands: &Hands) -> anyhow::Result<(bool, usize)> {
        let (got, trusted) = (self.got.sums(), self.trusted.sums());
        let Some(doubtful) = verify::doubtful(self.film.class, got, trusted) else {
            return Ok((false, 0));
        };
        let Piece { unit, rect, .. } = self.piece;
        let all: Vec<(u32, u32)> = rect.pixels().collect();
        let places: Vec<(u32, u32)> = doubtful.iter().map(|&at| all[at]).collect();
        let mut frame = frame_of(self.piece);
        let mut others = Vec::with_capacity(welch::SEEDS as usize);
        for number in 0..welch::SEEDS {
            frame.settings.seed = self.seed(number);
            others.push(hands.pixels(&frame, places.clone(), unit.batch)?);
        }
        let picked = |sums: &film::Sums| sums.picked(doubtful.iter().copied());
        let (got, trusted) = picked(got).zip(picked(trusted)).context("a pixel is not there")?;
        let p = welch::p_value(&got, &trusted, &others);
        let FilmRef { lease, node, .. } = *self.film;
        tracing::info!(%lease, %node, pixels = places.len(), p, "a film in doubt");
        Ok((p >= welch::FALSE_REFUSALS, places.len() * others.len()))
    }

    /// An independent seed: anybody can draw it again.
    fn seed(&self, number: u32) -> u32 {
        let FilmRef { lease, root, .. } = self.film;
        let parts: [&[u8]; 3] = [&lease.0, &root.0, &number.to_le_bytes()];
        let hash = Digest::of("tessera 2026 independent seed v1", &parts);
        u32::from_le_bytes([hash.0[0], hash.0[1], hash.0[2], hash.0[3]])
    }
}
