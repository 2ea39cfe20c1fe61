//! A stream that is read at a pace: what is not read in its turn stays with the sender, whom the
//! connection's window holds back.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use iroh::endpoint::{Connection as Link, ConnectionError, VarInt};
use iroh_blobs::get::StreamPair;
use iroh_blobs::util::RecvStream;

use crate::pace::Pace;

/// A stream whose bytes wait for their turn.
pub(super) struct Paced {
    recv: iroh::endpoint::RecvStream,
    pace: Arc<Pace>,
}

/// Opens a stream of the store's own protocol, to be read at a pace.
pub(super) async fn open(
    link: &Link,
    pace: Arc<Pace>,
) -> Result<StreamPair<Paced>, ConnectionError> {
    let (send, recv) = link.open_bi().await?;
    Ok(StreamPair::new(link.stable_id() as u64, Paced { recv, pace }, send))
}

impl RecvStream for Paced {
    async fn recv_bytes(&mut self, len: usize) -> io::Result<Bytes> {
        self.pace.wait(len as u64).await;
        let bytes = RecvStream::recv_bytes(&mut self.recv, len).await?;
        self.pace.note(bytes.len() as u64);
        Ok(bytes)
    }

    async fn recv_bytes_exact(&mut self, len: usize) -> io::Result<Bytes> {
        self.pace.wait(len as u64).await;
        let bytes = RecvStream::recv_bytes_exact(&mut self.recv, len).await?;
        self.pace.note(bytes.len() as u64);
        Ok(bytes)
    }

    async fn recv_exact(&mut self, target: &mut [u8]) -> io::Result<()> {
        self.pace.wait(target.len() as u64).await;
        RecvStream::recv_exact(&mut self.recv, target).await?;
        self.pace.note(target.len() as u64);
        Ok(())
    }

    fn stop(&mut self, code: VarInt) -> io::Result<()> {
        RecvStream::stop(&mut self.recv, code)
    }

    fn id(&self) -> u64 {
        RecvStream::id(&self.recv)
    }
}
