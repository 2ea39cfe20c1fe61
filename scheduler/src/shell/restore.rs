//! Films that the disk has lost or changed: rendered again, where that gives the same bytes.

use anyhow::Context as _;
use film::Film;
use protocol::Digest;
use renderer::Work;
use sandbox::Frame;

use super::by_hash::{ByHash, FileError};
use super::hands::Hands;

/// Reads films, and makes those again that cannot be read.
pub(super) struct Restorer<'a> {
    pub(super) films: &'a ByHash,
    pub(super) hands: &'a Hands,
    pub(super) frame: &'a Frame,
    pub(super) work: Work,
}

/// A film that is gone for good.
#[derive(Debug, thiserror::Error)]
#[error(
    "the film {root} is damaged on the farm's disk, and rendering it again gives another, so that it cannot be restored"
)]
pub(super) struct Lost {
    /// Its hash.
    pub(super) root: Digest,
    /// What the disk says.
    #[source]
    source: FileError,
}

impl Restorer<'_> {
    /// The film of this hash. Where it cannot be read, the trusted renderer makes it again, and writes it
    /// if it has the hash: then it was good, whoever made it. Of class Exact all good films do.
    ///
    /// # Errors
    /// [`Lost`]; the disk takes no film; the film cannot be rendered.
    pub(super) fn film(&self, root: Digest) -> anyhow::Result<Film> {
        let Self { films, hands, frame, work } = *self;
        let has_passes = frame.settings.passes;
        let source = match films.read(root) {
            Ok(bytes) => return Ok(Film::from_bytes(work.rect, work.batch, has_passes, &bytes)?),
            // It may well be there.
            Err(error @ FileError::Depot(_)) => return Err(error.into()),
            Err(error) => error,
        };
        tracing::error!(%root, "{source}; rendering the film again");
        let film = hands.film(frame, work)?;
        if film.root() != root {
            return Err(Lost { root, source }.into());
        }
        films.replace(root, &film.to_bytes()).context("the restored film was not written")?;
        tracing::warn!(%root, "the film is restored: rendered again it has the same hash");
        Ok(film)
    }
}
