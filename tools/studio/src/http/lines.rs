//! Connections: so many at once, and none for whoever says nothing.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::Request;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};

use crate::problem::{Kind, Problem};

/// How many lines there may be, and how long one may be silent.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Lines at once.
    pub most: u32,
    /// Lines beyond them that are answered that there are too many; others are cut at once.
    pub over: u32,
    /// Nothing is asked on a line and nothing is taken of an answer for so long: it is cut.
    pub quiet: Duration,
    /// The same of a line beyond them.
    pub quiet_over: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            // Most systems let a process have 1024 files: the rest is for those that are read and
            // written, the farm and webhooks.
            most: 768,
            over: 64,
            // Longer than usual clients keep a line that they do not use (reqwest: 90 s).
            quiet: Duration::from_secs(120),
            quiet_over: Duration::from_secs(5),
        }
    }
}

/// Where lines come in.
pub struct Lobby {
    listener: TcpListener,
    bounds: Bounds,
    count: Arc<AtomicU32>,
}

/// One of the lines, as long as it is open.
#[derive(Debug)]
struct Seat {
    is_over: bool,
    /// Requests that are being answered.
    asking: AtomicU32,
    count: Arc<AtomicU32>,
}

/// A line.
pub struct Line {
    stream: TcpStream,
    seat: Arc<Seat>,
    quiet: Duration,
    /// When something was last written.
    told: Instant,
    look: Pin<Box<Sleep>>,
}

/// Which line a request came on.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Seat>);

/// A request that is being answered.
struct Asking(Arc<Seat>);

impl Lobby {
    /// Lines that come to a listener.
    #[must_use]
    pub fn new(listener: TcpListener, bounds: Bounds) -> Self {
        Self { listener, bounds, count: Arc::default() }
    }

    /// A seat for one more, if there is any.
    fn seat(&self) -> Option<Seat> {
        let Bounds { most, over, .. } = self.bounds;
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        // It counts until it is dropped, here as well.
        let count = Arc::clone(&self.count);
        let seat = Seat { is_over: before >= most, asking: AtomicU32::new(0), count };
        (before < most + over).then_some(seat)
    }
}

impl Listener for Lobby {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            // Not the listener's own `accept`: this one waits where there are no files left.
            let (stream, address) = Listener::accept(&mut self.listener).await;
            let Some(seat) = self.seat() else {
                tracing::warn!("a connection was cut, there are too many: {address}");
                continue;
            };
            let Bounds { quiet, quiet_over, .. } = self.bounds;
            let quiet = if seat.is_over { quiet_over } else { quiet };
            let (seat, look) = (Arc::new(seat), Box::pin(tokio::time::sleep(quiet)));
            return (Line { stream, seat, quiet, told: Instant::now(), look }, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Asking {
    fn new(seat: Arc<Seat>) -> Self {
        seat.asking.fetch_add(1, Ordering::Relaxed);
        Self(seat)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Lobby>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Lobby>) -> Self {
        Self(Arc::clone(&stream.io().seat))
    }
}

/// Refuses who has come on a line too many, and keeps a line while its request is answered.
pub async fn only_seated(request: Request, next: Next) -> Response {
    let line = request.extensions().get::<ConnectInfo<Caller>>();
    let Some(seat) = line.map(|line| Arc::clone(&line.0.0)) else {
        return next.run(request).await;
    };
    if seat.is_over {
        let detail = "the door has as many connections as it can bear; close some, or ask later";
        let mut response = Problem::new(Kind::DoorFull, detail).after(5).into_response();
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    let _asking = Asking::new(seat);
    next.run(request).await
}

impl Line {
    /// An error once nothing has happened for too long; else it is looked at again later.
    fn look(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.look.as_mut().poll(context));
            let now = Instant::now();
            if self.seat.asking.load(Ordering::Relaxed) > 0 {
                self.told = now;
            }
            let until = self.told + self.quiet;
            if until <= now {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.look.as_mut().reset(until);
        }
    }

    /// Notes what came of writing.
    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match wrote {
            Poll::Pending => self.look(context).map(Err),
            wrote => {
                self.told = Instant::now();
                wrote
            }
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        match Pin::new(&mut line.stream).poll_read(context, to) {
            // What comes byte by byte is no request yet, and keeps no line.
            Poll::Pending => line.look(context).map(Err),
            read => read,
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let wrote = Pin::new(&mut line.stream).poll_write(context, bytes);
        line.wrote(context, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let wrote = Pin::new(&mut line.stream).poll_write_vectored(context, parts);
        line.wrote(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Longer than any test is silent.
    const LONG: Duration = Duration::from_secs(60);

    /// Serves; where.
    async fn serve(bounds: Bounds) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
        let address = listener.local_addr().expect("it has an address");
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "at last"
        };
        let router = Router::new().route("/", get(|| async { "here" })).route("/slow", get(slow));
        let router = router.layer(from_fn(only_seated));
        let service = router.into_make_service_with_connect_info::<Caller>();
        let serving = axum::serve(Lobby::new(listener, bounds), service);
        tokio::spawn(async move { serving.await });
        address
    }

    async fn line(to: SocketAddr) -> TcpStream {
        TcpStream::connect(to).await.expect("it is let in")
    }

    /// Asks, and reads the first of the answer.
    async fn ask(line: &mut TcpStream, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        line.write_all(request.as_bytes()).await.expect("it is sent");
        let mut answer = vec![0; 4096];
        let count = line.read(&mut answer).await.expect("it is answered");
        String::from_utf8_lossy(&answer[..count]).into_owned()
    }

    #[tokio::test]
    async fn a_line_too_many_is_told_so_and_the_next_has_its_place() {
        let bounds = Bounds { most: 2, over: 1, quiet: LONG, quiet_over: LONG };
        let address = serve(bounds).await;
        let (mut first, mut second) = (line(address).await, line(address).await);
        assert!(ask(&mut first, "/").await.starts_with("HTTP/1.1 200"));
        assert!(ask(&mut second, "/").await.starts_with("HTTP/1.1 200"));
        let mut third = line(address).await;
        let refused = ask(&mut third, "/").await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("door-full"), "{refused}");
        assert!(refused.contains("retry-after: 5"), "{refused}");
        let mut rest = Vec::new();
        assert_eq!(third.read_to_end(&mut rest).await.expect("it is closed"), 0);
        assert!(ask(&mut first, "/").await.starts_with("HTTP/1.1 200"), "they go on");
        drop(second);
        let mut answer = String::new();
        for _try in 0..1000 {
            answer = ask(&mut line(address).await, "/").await;
            if answer.starts_with("HTTP/1.1 200") {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("a place is free: {answer}");
    }

    #[tokio::test]
    async fn beyond_those_lines_are_cut() {
        let bounds = Bounds { most: 0, over: 1, quiet: LONG, quiet_over: LONG };
        let address = serve(bounds).await;
        let _refused = line(address).await;
        let (mut cut, mut nothing) = (line(address).await, Vec::new());
        let read = cut.read_to_end(&mut nothing).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{nothing:?}");
    }

    #[tokio::test]
    async fn who_says_nothing_is_cut_and_who_waits_for_an_answer_is_not() {
        let quiet = Duration::from_millis(50);
        let bounds = Bounds { most: 9, over: 0, quiet, quiet_over: quiet };
        let address = serve(bounds).await;
        let mut waits = line(address).await;
        assert!(ask(&mut waits, "/slow").await.contains("at last"), "six times as long");
        let (mut silent, mut nothing) = (line(address).await, Vec::new());
        let closed = tokio::time::timeout(LONG, silent.read_to_end(&mut nothing)).await;
        assert_eq!(closed.expect("it is cut").expect("it is closed"), 0);
        // Byte by byte is no better.
        let mut slow = line(address).await;
        for _byte in 0..1000 {
            if slow.write_all(b"G").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it is kept");
    }
}
