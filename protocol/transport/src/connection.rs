//! A connection that this peer dialled: calls go out over it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use iroh::endpoint::{ConnectionError, VarInt};
use protocol::message::Refused;
use protocol::{DecodeError, PublicKey, Reply, Request, limits, wire};

use crate::frame::{Bounds, FrameError};
use crate::pace::Pace;
use crate::registry::Registered;
use crate::stream::{FrameReader, StreamError, write_frame};

/// A call that was not answered as hoped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The peer said no, and why.
    #[error("{0}")]
    Refused(Refused),
    /// No answer in time. The peer may still have done what was asked.
    #[error("{peer} did not answer within {timeout:?}; it may be busy or unreachable, try again")]
    Timeout {
        /// Who was asked.
        peer: PublicKey,
        /// How long was waited.
        timeout: Duration,
    },
    /// The connection is closed.
    #[error("the connection to {peer} is closed ({reason}); connect again")]
    Closed {
        /// Who was asked.
        peer: PublicKey,
        /// Who closed it, and why.
        reason: String,
    },
    /// The request or its body is larger than a peer may send; nothing was sent.
    #[error("the request cannot be sent")]
    TooLarge(#[source] FrameError),
    /// The answer broke off or is larger than it may be.
    #[error("the answer of {peer} did not arrive whole: {reason}")]
    Broken {
        /// Who was asked.
        peer: PublicKey,
        /// What happened.
        reason: String,
    },
    /// The answer is no reply.
    #[error("the answer of {peer} cannot be read; it may run another version")]
    Decode {
        /// Who was asked.
        peer: PublicKey,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
}

/// A connection to a peer that serves. Clones share it; it closes with the last of them.
#[derive(Debug, Clone)]
pub struct Connection {
    dialled: Arc<Dialled>,
}

#[derive(Debug)]
struct Dialled {
    inner: iroh::endpoint::Connection,
    peer: PublicKey,
    stall: Duration,
    /// Of the bodies that go out.
    pace: Option<Arc<Pace>>,
    registered: Registered,
}

impl Connection {
    pub(crate) fn new(
        inner: iroh::endpoint::Connection,
        peer: PublicKey,
        (stall, pace): (Duration, Option<Arc<Pace>>),
        registered: Registered,
    ) -> Self {
        Self { dialled: Arc::new(Dialled { inner, peer, stall, pace, registered }) }
    }

    /// The key that the other side has proven to hold.
    #[must_use]
    pub fn peer(&self) -> PublicKey {
        self.dialled.peer
    }

    /// Asks, waits at most `timeout` for the answer, and returns it with its body.
    ///
    /// A dropped call is given up; the peer may still do what was asked.
    ///
    /// # Errors
    /// See [`CallError`]; [`Reply::Refused`] becomes [`CallError::Refused`].
    pub async fn call(
        &self,
        request: &Request,
        body: Bytes,
        timeout: Duration,
    ) -> Result<(Reply, Bytes), CallError> {
        let header = wire::encode(request);
        check_size(&header, &body)?;
        let peer = self.dialled.peer;
        let answer = tokio::time::timeout(timeout, self.exchange(&header, body)).await;
        let (header, body) = match answer {
            Err(_elapsed) => return Err(self.closed_or(CallError::Timeout { peer, timeout })),
            Ok(Err(StreamError::Stalled(timeout))) => {
                return Err(self.closed_or(CallError::Timeout { peer, timeout }));
            }
            Ok(Err(error)) => {
                let reason = error.to_string();
                return Err(self.closed_or(CallError::Broken { peer, reason }));
            }
            Ok(Ok(frame)) => frame,
        };
        match wire::decode(&header, limits::MESSAGE_BYTES_MAX) {
            Ok(Reply::Refused(refused)) => Err(CallError::Refused(refused)),
            Ok(reply) => Ok((reply, body)),
            Err(source) => Err(CallError::Decode { peer, source }),
        }
    }

    async fn exchange(&self, header: &[u8], body: Bytes) -> Result<(Vec<u8>, Bytes), StreamError> {
        let broken =
            |error: iroh::endpoint::ConnectionError| StreamError::Broken(error.to_string());
        let (mut send, recv) = self.dialled.inner.open_bi().await.map_err(broken)?;
        let bounds = Bounds {
            header_bytes_max: limits::MESSAGE_BYTES_MAX,
            body_bytes_max: limits::FILM_BYTES_MAX,
        };
        // The reply may take as long as the caller's deadline allows: no stall limit of its own.
        let mut reader = FrameReader::new(recv, bounds, Duration::MAX);
        // A peer that refuses answers before it has read everything, so a write that broke is no
        // reason not to read.
        let Dialled { stall, pace, .. } = &*self.dialled;
        let written = write_frame(&mut send, header, body, *stall, pace.as_deref()).await;
        let answered = match reader.head().await {
            Ok(_sizes) => reader.rest().await,
            Err(error) => Err(error),
        };
        match (written, answered) {
            (_, Ok(answer)) => Ok(answer),
            (Err(error), Err(_consequence)) => Err(error),
            (Ok(()), Err(error)) => Err(error),
        }
    }

    /// Waits until the connection is closed, by whichever side, and says why.
    pub async fn closed(&self) -> String {
        reason(&self.dialled.inner.closed().await)
    }

    /// Why the connection is closed, when it is.
    #[must_use]
    pub fn close_reason(&self) -> Option<String> {
        self.dialled.inner.close_reason().map(|error| reason(&error))
    }

    /// Closes the connection for all clones; calls under way fail.
    pub fn close(&self, reason: &str) {
        self.dialled.inner.close(VarInt::from_u32(0), reason.as_bytes());
        self.dialled.registered.forget();
    }

    fn closed_or(&self, error: CallError) -> CallError {
        match self.close_reason() {
            Some(reason) => CallError::Closed { peer: self.dialled.peer, reason },
            None => error,
        }
    }
}

impl Drop for Dialled {
    fn drop(&mut self) {
        self.inner.close(VarInt::from_u32(0), b"no longer needed");
    }
}

/// Of a peer's reason, as much as is shown.
const REASON_CHARS_MAX: usize = 200;

/// Why a connection is closed; who closed it without a word has stopped.
fn reason(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ApplicationClosed(close) if close.reason.is_empty() => {
            "the other side has stopped".to_owned()
        }
        ConnectionError::ApplicationClosed(close) => {
            // The peer's own words: for a terminal they are plain and short.
            let words = String::from_utf8_lossy(&close.reason);
            let plain = words.chars().map(|c| if c.is_control() { ' ' } else { c });
            format!("the other side says: {}", plain.take(REASON_CHARS_MAX).collect::<String>())
        }
        error => error.to_string(),
    }
}

fn check_size(header: &[u8], body: &Bytes) -> Result<(), CallError> {
    let (header_max, body_max) = (limits::MESSAGE_BYTES_MAX, limits::FILM_BYTES_MAX);
    if header.len() > header_max {
        let error = FrameError::Header { size_bytes: header.len(), limit_bytes: header_max };
        return Err(CallError::TooLarge(error));
    }
    if body.len() > body_max {
        let error = FrameError::Body { size_bytes: body.len(), limit_bytes: body_max };
        return Err(CallError::TooLarge(error));
    }
    Ok(())
}
