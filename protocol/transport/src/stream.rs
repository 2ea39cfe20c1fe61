//! One direction of a call: a frame onto a stream, a frame off a stream.

use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::{ReadError, RecvStream, SendStream, VarInt};
use tokio::sync::Semaphore;

use crate::frame::{self, Bounds, Decoder, FrameError, Step};
use crate::pace::Pace;
use crate::packing;

/// Bytes asked of the network at a time.
const PIECE_BYTES: usize = 64 << 10;
/// Bytes handed to the network between two looks at the clock.
const WRITE_BYTES: usize = 256 << 10;

/// Code of a stream given up because its bytes make no sense or nobody waits for them.
pub(crate) const STREAM_GIVEN_UP: VarInt = VarInt::from_u32(1);

/// Why a frame did not travel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("nothing moved for {0:?}")]
    Stalled(Duration),
    #[error("the stream broke: {0}")]
    Broken(String),
}

/// Reads one frame; the caller may look at the header before the body comes.
pub(crate) struct FrameReader {
    recv: RecvStream,
    decoder: Decoder,
    held: Bytes,
    stall: Duration,
}

impl FrameReader {
    pub(crate) fn new(recv: RecvStream, bounds: Bounds, stall: Duration) -> Self {
        Self { recv, decoder: Decoder::new(bounds), held: Bytes::new(), stall }
    }

    /// Reads up to the body; returns its size, and how many bytes are held for it at most.
    pub(crate) async fn head(&mut self) -> Result<(usize, usize), StreamError> {
        loop {
            let step = self.decoder.feed(&mut self.held)?;
            if let Step::Header { body_bytes, held_bytes } = step {
                return Ok((body_bytes, held_bytes));
            }
            if !self.more().await? {
                return Err(FrameError::Truncated.into());
            }
        }
    }

    /// The header; complete after [`FrameReader::head`].
    pub(crate) fn header(&self) -> &[u8] {
        self.decoder.header()
    }

    /// Reads the rest up to the end of the stream.
    pub(crate) async fn rest(mut self) -> Result<(Vec<u8>, Bytes), StreamError> {
        self.decoder.reserve_body();
        loop {
            self.decoder.feed(&mut self.held)?;
            if !self.more().await? {
                let decoder = self.decoder;
                return Ok(apart(move || decoder.finish()).await?);
            }
        }
    }

    /// Tells the other side that nobody reads on.
    pub(crate) fn give_up(mut self) {
        // The stream may have ended already; then there is nothing to stop.
        let _closed = self.recv.stop(STREAM_GIVEN_UP);
    }

    /// Waits for more bytes; false at the end of the stream.
    async fn more(&mut self) -> Result<bool, StreamError> {
        let read = tokio::time::timeout(self.stall, self.recv.read_chunk(PIECE_BYTES)).await;
        match read {
            Err(_elapsed) => Err(StreamError::Stalled(self.stall)),
            Ok(Err(ReadError::Reset(_code))) => {
                Err(StreamError::Broken("reset by the peer".into()))
            }
            Ok(Err(error)) => Err(StreamError::Broken(error.to_string())),
            Ok(Ok(None)) => Ok(false),
            Ok(Ok(Some(piece))) => {
                self.held = piece;
                Ok(true)
            }
        }
    }
}

/// Bodies that are packed or unpacked at a time: what is done with several at once is done no sooner,
/// and takes memory.
static TURNS: Semaphore = Semaphore::const_new(4);

/// Does what takes a core for some milliseconds where nothing waits for it. A turn lasts as long as the
/// work, also where nobody waits for it any more.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let turn = TURNS.acquire().await;
    let work = move || {
        let done = work();
        drop(turn);
        done
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        // The runtime ends, and whoever waits here with it.
        Err(_cancelled) => std::future::pending().await,
    }
}

/// Writes one frame and ends the stream. The body waits for its turn, where there is a pace.
pub(crate) async fn write_frame(
    send: &mut SendStream,
    header: &[u8],
    body: Bytes,
    stall: Duration,
    pace: Option<&Pace>,
) -> Result<(), StreamError> {
    let body_bytes = body.len();
    // Of a packed body only that is held while it travels.
    let sent = if body.is_empty() {
        body
    } else {
        apart(move || packing::pack(&body).map_or(body, Bytes::from)).await
    };
    let head = Bytes::from(frame::head(header, body_bytes, sent.len()));
    for (part, pace) in [(head, None), (sent, pace)] {
        let mut rest = part;
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(WRITE_BYTES));
            let bytes = piece.len() as u64;
            if let Some(pace) = pace {
                pace.wait(bytes).await;
            }
            match tokio::time::timeout(stall, send.write_chunk(piece)).await {
                Err(_elapsed) => return Err(StreamError::Stalled(stall)),
                Ok(Err(error)) => return Err(StreamError::Broken(error.to_string())),
                Ok(Ok(())) => {
                    if let Some(pace) = pace {
                        pace.note(bytes);
                    }
                }
            }
        }
    }
    send.finish().map_err(|error| StreamError::Broken(error.to_string()))
}
