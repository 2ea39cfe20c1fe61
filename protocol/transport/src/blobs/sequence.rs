//! A scene's sequence: the hashes of its parts, whose hash is the scene's id. What a peer says of
//! it is proven here before anything is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::Connection as Link;
use iroh_blobs::Hash;
use iroh_blobs::get::GetResult;
use iroh_blobs::get::fsm::{self, AtStartChild, ConnectedNext, EndBlobNext};
use iroh_blobs::protocol::{ChunkRanges, ChunkRangesExt as _, GetRequest};
use protocol::limits::SCENE_PARTS_MAX;
use protocol::{Digest, SceneId};
use tokio::time::timeout;

const HASH_BYTES: usize = 32;

/// What is wrong with a sequence, or with how it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum SequenceError {
    #[error("no word for {0:?}")]
    Silence(Duration),
    #[error("{0}")]
    NotGiven(String),
    #[error(
        "its sequence has {bytes} bytes; at most {SCENE_PARTS_MAX} hashes of 32 bytes are taken"
    )]
    Length { bytes: u64 },
    #[error("part {index} is empty")]
    Empty { index: usize },
}

/// The parts of a scene, in order; one may stand there more than once.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    scene: SceneId,
    bytes: Bytes,
}

impl Sequence {
    /// The sequence of these parts.
    pub(super) fn of(parts: impl IntoIterator<Item = Hash>) -> Self {
        let bytes: Vec<u8> = parts.into_iter().flat_map(|hash| *hash.as_bytes()).collect();
        Self { scene: SceneId(*Hash::new(&bytes).as_bytes()), bytes: bytes.into() }
    }

    /// Reads the sequence of `scene`, whose bytes have been checked against it.
    pub(super) fn parse(scene: SceneId, bytes: Bytes) -> Result<Self, SequenceError> {
        check_length(bytes.len() as u64)?;
        let sequence = Self { scene, bytes };
        let empty = sequence.hashes().position(|hash| hash == Hash::EMPTY);
        empty.map_or(Ok(sequence), |index| Err(SequenceError::Empty { index }))
    }

    pub(super) fn scene(&self) -> SceneId {
        self.scene
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = Hash> + '_ {
        let (hashes, _none_left) = self.bytes.as_chunks::<HASH_BYTES>();
        hashes.iter().map(|hash| Hash::from_bytes(*hash))
    }

    /// Every part once, with the first place where it stands.
    pub(super) fn distinct(&self) -> BTreeMap<Digest, usize> {
        let mut places = BTreeMap::new();
        for (index, hash) in self.hashes().enumerate() {
            places.entry(Digest(*hash.as_bytes())).or_insert(index);
        }
        places
    }
}

/// Before a sequence is read: whether it can be one.
fn check_length(bytes: u64) -> Result<(), SequenceError> {
    let most = (SCENE_PARTS_MAX * HASH_BYTES) as u64;
    let whole = bytes.is_multiple_of(HASH_BYTES as u64);
    if bytes == 0 || bytes > most || !whole {
        return Err(SequenceError::Length { bytes });
    }
    Ok(())
}

/// Asks a peer for a scene's sequence. No more is read than a sequence may have.
pub(super) async fn ask(
    link: &Link,
    scene: SceneId,
    stall: Duration,
) -> Result<Sequence, SequenceError> {
    let asking = async {
        let request = GetRequest::blob(Hash::from_bytes(scene.0));
        let connected = fsm::start(link.clone(), request, Default::default()).next().await?;
        let ConnectedNext::StartRoot(root) = connected.next().await? else {
            unreachable!("the root was asked for");
        };
        let (content, bytes) = root.next().next().await?;
        if check_length(bytes).is_err() {
            return Ok(Err(SequenceError::Length { bytes }));
        }
        let (_end, bytes) = content.concatenate_into_vec().await?;
        GetResult::Ok(Ok(bytes))
    };
    let bytes = within(stall, asking).await??;
    Sequence::parse(scene, bytes.into())
}

/// Asks a peer how large parts are: their sizes, by their places, each proven by the part's hash.
pub(super) async fn ask_sizes(
    link: &Link,
    sequence: &Sequence,
    places: &[usize],
    stall: Duration,
) -> Result<BTreeMap<usize, u64>, SequenceError> {
    let mut sizes = BTreeMap::new();
    if places.is_empty() {
        return Ok(sizes);
    }
    let hashes: Vec<Hash> = sequence.hashes().collect();
    let mut request = GetRequest::builder();
    for &place in places {
        request = request.child(place as u64, ChunkRanges::last_chunk());
    }
    let request = request.build(Hash::from_bytes(sequence.scene().0));
    let starting = async {
        let connected = fsm::start(link.clone(), request, Default::default()).next().await?;
        GetResult::Ok(connected.next().await?)
    };
    let ConnectedNext::StartChild(mut child) = within(stall, starting).await? else {
        unreachable!("only children were asked for");
    };
    loop {
        let place = (child.offset() - 1) as usize;
        let (size_bytes, next) = within(stall, size_of(child, hashes[place])).await?;
        if size_bytes == 0 {
            return Err(SequenceError::Empty { index: place });
        }
        sizes.insert(place, size_bytes);
        match next {
            EndBlobNext::MoreChildren(more) => child = more,
            EndBlobNext::Closing(_closing) => return Ok(sizes),
        }
    }
}

async fn size_of(child: AtStartChild, hash: Hash) -> GetResult<(u64, EndBlobNext)> {
    let (content, size_bytes) = child.next(hash).next().await?;
    Ok((size_bytes, content.drain().await?.next()))
}

async fn within<T>(
    stall: Duration,
    asking: impl Future<Output = GetResult<T>>,
) -> Result<T, SequenceError> {
    match timeout(stall, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(SequenceError::NotGiven(format!("{error:#}"))),
        Err(_elapsed) => Err(SequenceError::Silence(stall)),
    }
}
