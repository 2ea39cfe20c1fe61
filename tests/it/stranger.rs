//! Whoever keeps to no protocol: raw streams to a real scheduler, on endpoints of their own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use iroh::endpoint::{Connection, Endpoint, presets};
use iroh::{EndpointAddr, EndpointId, RelayMode, SecretKey, TransportAddr};
use protocol::message::RefusedCode;
use protocol::{PROTOCOL_VERSION, Reply, Request, Role, decode, encode, limits};
use transport::{RPC_ALPN, Ticket, frame};

/// A program of one key.
#[derive(Clone)]
pub struct Stranger {
    endpoint: Endpoint,
    farm: Arc<Ticket>,
}

/// Runs the attack and the honest work beside each other; the attack ends with the work.
///
/// # Errors
/// Either fails. An attack that ends by itself is over.
pub fn during<T: Send + 'static>(
    attack: impl Future<Output = Result<()>> + Send + 'static,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(async move {
        let mut work = tokio::task::spawn_blocking(work);
        let attack = tokio::spawn(attack);
        tokio::select! {
            done = &mut work => done?,
            attacked = attack => {
                attacked??;
                work.await?
            }
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

impl Stranger {
    /// A program with a key of its own.
    ///
    /// # Errors
    /// No socket is to be had.
    pub async fn new(farm: &Ticket, number: u32) -> Result<Self> {
        let mut key = [9; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        let endpoint = Endpoint::builder(presets::Minimal)
            .secret_key(SecretKey::from_bytes(&key))
            .relay_mode(RelayMode::Disabled)
            .clear_ip_transports()
            .bind_addr("127.0.0.1:0")?
            .bind()
            .await?;
        Ok(Self { endpoint, farm: Arc::new(farm.clone()) })
    }

    /// A connection that has not said a word.
    ///
    /// # Errors
    /// None comes about.
    pub async fn dial(&self) -> Result<Connection> {
        let id = EndpointId::from_bytes(&self.farm.key().0)?;
        let addresses = self.farm.addresses().iter().copied().map(TransportAddr::Ip);
        let address = EndpointAddr::from_parts(id, addresses);
        let dialling = self.endpoint.connect(address, RPC_ALPN);
        Ok(tokio::time::timeout(limits::CONNECT_TIMEOUT, dialling).await??)
    }

    /// A connection that is admitted.
    ///
    /// # Errors
    /// The hello is not welcome.
    pub async fn admitted(&self) -> Result<Connection> {
        let link = self.dial().await?;
        let hello =
            Request::Hello { protocol: PROTOCOL_VERSION, role: Role::Client, invitation: None };
        let welcome = say(&link, &head(&hello, 0), true).await;
        ensure!(matches!(welcome, Some(Reply::Welcome { .. })), "{welcome:?}");
        Ok(link)
    }
}

/// The bytes of a request before its body.
pub fn head(request: &Request, body_bytes: usize) -> Vec<u8> {
    frame::head(&encode(request), body_bytes, body_bytes)
}

/// Sends raw bytes on one stream, ends it or not, and reads what comes back; none where the stream
/// breaks.
pub async fn say(link: &Connection, bytes: &[u8], end: bool) -> Option<Reply> {
    let (mut send, mut recv) = link.open_bi().await.ok()?;
    // The other side may stop reading before the end; its answer counts.
    let _stopped = send.write_all(bytes).await;
    if end {
        send.finish().ok();
    }
    let answer = recv.read_to_end(limits::MESSAGE_BYTES_MAX + 8).await.ok()?;
    let size = u32::from_le_bytes(answer.get(..4)?.try_into().ok()?) as usize;
    decode(answer.get(4..4 + size)?, limits::MESSAGE_BYTES_MAX).ok()
}

/// Checks that a reply is a refusal of this kind.
///
/// # Errors
/// It is not.
pub fn refused(reply: Option<Reply>, code: RefusedCode) -> Result<()> {
    let reply = reply.context("no answer")?;
    ensure!(matches!(&reply, Reply::Refused(refused) if refused.code == code), "{reply:?}");
    Ok(())
}
