//! What a keeper and its worker say to each other, and how it lies on the pipe.
//!
//! ```text
//! head length, u32 LE | body length, u64 LE | head: postcard | body: a package, a film, sums, a view
//! ```
//!
//! A worker believes its keeper. A keeper does not believe its worker, in which a scene may have taken
//! over: lengths are limits before anything is read, and memory grows with what really comes.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use protocol::DecodeError;
use protocol::{Batch, Engine, Rect, RenderSettings, Spots, decode, encode, limits};
use serde::{Deserialize, Serialize};

use crate::confinement::Confinement;
use crate::easel::{Frame, Probed, Probing, SEEN_PIXEL_BYTES, SIGHT_PIXELS_MAX, Sight};
use crate::hand::BackendChoice;
use crate::trial::Attempt;

/// Most bytes of a head: a verification lease of a hundred thousand pixels is below a megabyte.
const HEAD_BYTES_MAX: usize = 4 << 20;
/// Bytes of both lengths.
const LENGTHS_BYTES: usize = 12;

/// How a worker is set up: the first that it is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Setup {
    /// What renders.
    pub backend: BackendChoice,
    /// Whether a GPU that is simulated on the CPU may be taken.
    pub software_gpu: bool,
    /// Which GPU, by number or part of its name; the best without it.
    pub gpu: Option<String>,
    /// Threads of the CPU backend; all cores without it.
    pub threads: Option<NonZeroUsize>,
    /// Whether the CPU backend computes one value at a time, by the plainest code path there is: which
    /// gives the same bits, and shares least with the others.
    pub plain: bool,
    /// Memory for prepared scenes, bytes.
    pub memory_bytes: u64,
    /// Memory of the whole process, bytes, beyond which it gets none.
    pub limit_bytes: u64,
}

/// What a keeper asks of its worker, one after the other; only [`Ask::Cancel`] comes in between.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Confine yourself and open the backend.
    Open(Setup),
    /// How fast is the built-in scene?
    Benchmark,
    /// A film of the built-in scene.
    Golden { settings: RenderSettings, batch: Batch },
    /// Can this frame be rendered without its package?
    Holds { frame: Frame },
    /// A film; the package is the body where `packed`.
    Film { number: u64, frame: Frame, rect: Rect, batch: Batch, packed: bool },
    /// Pixels of films; the package is the body where `packed`.
    Spots { number: u64, frame: Frame, spots: Vec<Spots>, packed: bool },
    /// What are a frame's rays? The package is the body where `packed`.
    Probe { number: u64, probing: Probing, packed: bool },
    /// More of a view, and a look at it; the package is the body where `packed`.
    Look { number: u64, sight: Sight, packed: bool },
    /// What has this number is not wanted any more.
    Cancel { number: u64 },
    /// Try to break out, and say what came of it.
    Break(Trial),
}

/// What a worker tries to reach when it tries to break out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Where somebody listens for TCP connections.
    pub address: SocketAddr,
    /// A file that its keeper can read.
    pub file: PathBuf,
    /// A folder that its keeper can write to.
    pub folder: PathBuf,
}

/// What a worker tells its keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// What it has locked itself in with, before any byte of a scene.
    Confined(Confinement),
    /// The backend is open, and renders the bits of this engine.
    Opened { description: String, on_gpu: bool, engine: Engine },
    /// A part of what was asked is done.
    Progress,
    /// Metered rays a second.
    Speed(u64),
    /// Whether a frame is at hand.
    Holds(bool),
    /// The package is needed for it.
    PackageNeeded,
    /// A film; the body holds it.
    Film,
    /// Sums of so many entries; the body holds them one after the other.
    Sums,
    /// A frame's rays.
    Probed(Probed),
    /// So many samples of a view, and what they took; the body holds their means, half floats in
    /// little-endian bytes.
    Seen { samples: u32, prepare: Duration, render: Duration },
    /// It was cancelled.
    Cancelled,
    /// It was not done.
    Failed(String),
    /// The scene does not fit.
    TooLarge(String),
    /// There is no backend to do it with.
    NoBackend(String),
    /// What came of attempts to break out.
    Attempts(Vec<Attempt>),
}

/// Why nothing was understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The other side has ended.
    #[error("the other side has ended")]
    Ended,
    /// The pipe failed.
    #[error("the pipe failed")]
    Pipe(#[source] io::Error),
    /// A length beyond its limit.
    #[error("{name} of {bytes} bytes, {bytes_max} may be")]
    TooLong {
        /// What is too long.
        name: &'static str,
        /// Its length.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// No word of ours.
    #[error("no word that is known")]
    Unknown(#[source] DecodeError),
}

/// Most bytes of a body that a keeper takes: a film or a view.
pub(crate) const TOLD_BODY_BYTES_MAX: u64 = {
    let (film, view) = (limits::FILM_BYTES_MAX as u64, SIGHT_PIXELS_MAX * SEEN_PIXEL_BYTES as u64);
    if film > view { film } else { view }
};
/// Most bytes of a body that a worker takes: a package.
pub(crate) const ASK_BODY_BYTES_MAX: u64 = limits::SCENE_BYTES_MAX;

/// Writes one message.
pub(crate) fn write(
    mut to: impl Write,
    message: &impl Serialize,
    body: &[u8],
) -> Result<(), WireError> {
    let head = encode(message);
    let mut start = Vec::with_capacity(LENGTHS_BYTES + head.len());
    // A head of ours is far below 4 GiB; a longer one would be refused by the other side.
    start.extend(u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
    start.extend((body.len() as u64).to_le_bytes());
    start.extend(head);
    to.write_all(&start).and_then(|()| to.write_all(body)).map_err(WireError::Pipe)?;
    to.flush().map_err(WireError::Pipe)
}

/// Reads one message with a body of at most `body_bytes_max`.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    mut from: impl Read,
    body_bytes_max: u64,
) -> Result<(T, Vec<u8>), WireError> {
    let mut lengths = [0; LENGTHS_BYTES];
    from.read_exact(&mut lengths).map_err(ended_or_failed)?;
    let [h0, h1, h2, h3, rest @ ..] = lengths;
    let head_bytes = u64::from(u32::from_le_bytes([h0, h1, h2, h3]));
    let body_bytes = u64::from_le_bytes(rest);
    limit("a message", head_bytes, HEAD_BYTES_MAX as u64)?;
    limit("a body", body_bytes, body_bytes_max)?;
    let head = read_bytes(&mut from, head_bytes)?;
    let message = decode(&head, HEAD_BYTES_MAX).map_err(WireError::Unknown)?;
    Ok((message, read_bytes(&mut from, body_bytes)?))
}

/// Reads so many bytes; the memory grows with what comes, not with what was announced.
fn read_bytes(from: impl Read, bytes: u64) -> Result<Vec<u8>, WireError> {
    const FIRST_BYTES: u64 = 1 << 20;
    let mut read = Vec::with_capacity(bytes.min(FIRST_BYTES) as usize);
    let got = from.take(bytes).read_to_end(&mut read).map_err(WireError::Pipe)?;
    if got as u64 == bytes { Ok(read) } else { Err(WireError::Ended) }
}

fn limit(name: &'static str, bytes: u64, bytes_max: u64) -> Result<(), WireError> {
    if bytes <= bytes_max { Ok(()) } else { Err(WireError::TooLong { name, bytes, bytes_max }) }
}

fn ended_or_failed(error: io::Error) -> WireError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => WireError::Ended,
        _other => WireError::Pipe(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(message: &impl Serialize, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, message, body).expect("a vector takes everything");
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = [written(&Told::Speed(70), b"a film"), written(&Told::Progress, b"")].concat();
        let mut from = &bytes[..];
        let (told, body) = read::<Told>(&mut from, 6).expect("a message");
        assert!(matches!(told, Told::Speed(70)) && body == b"a film");
        let (told, body) = read::<Told>(&mut from, 6).expect("a message");
        assert!(matches!(told, Told::Progress) && body.is_empty());
        assert!(matches!(read::<Told>(&mut from, 6), Err(WireError::Ended)));
    }

    #[test]
    fn a_message_in_part_is_an_end() {
        let bytes = written(&Told::Failed("of which only a part comes".to_owned()), b"body");
        for length in 0..bytes.len() {
            let error = read::<Told>(&bytes[..length], 99).expect_err("only a part");
            assert!(matches!(error, WireError::Ended), "{length}: {error}");
        }
    }

    #[test]
    fn lengths_beyond_the_limits_are_refused_before_anything_is_read() {
        let lengths = |head: u32, body: u64| {
            let bytes = [&head.to_le_bytes()[..], &body.to_le_bytes()].concat();
            read::<Told>(&bytes[..], 100).expect_err("refused")
        };
        assert!(matches!(lengths(u32::MAX, 0), WireError::TooLong { name: "a message", .. }));
        assert!(matches!(lengths(1, 101), WireError::TooLong { name: "a body", .. }));
        assert!(matches!(lengths(1, u64::MAX), WireError::TooLong { name: "a body", .. }));
    }

    #[test]
    fn nonsense_is_no_message() {
        let head = [0xff_u8; 9];
        let mut bytes = (head.len() as u32).to_le_bytes().to_vec();
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(head);
        assert!(matches!(read::<Told>(&bytes[..], 0), Err(WireError::Unknown(_))));
    }
}
