//! A connection to the database, for threads that may block. Nothing on it lasts for ever.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Connection, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{Database, Tls};

/// How long the database may take to be reached, to answer, and to show that a connection lives.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every connection asks for first. What is acknowledged must be on its disk, whatever its
/// operator has set for others; a transaction of a machine that was cut off may hold nothing up.
const TERMS: &str = "
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') = 'off';
    SET default_transaction_isolation = 'read committed';
    SET idle_in_transaction_session_timeout = '10s';";

/// An open connection.
pub(super) struct Line(Option<Open>);

struct Open {
    runtime: Runtime,
    client: Client,
}

impl Line {
    /// Reaches the database.
    ///
    /// # Errors
    /// It is not reached, or does not answer for long.
    pub(super) fn open(database: &Database) -> anyhow::Result<Self> {
        let (mut config, tls) =
            database.parsed().context("the database's address is not understood")?;
        let encrypting = encrypting(&tls)?;
        config
            .application_name("tessera-scheduler")
            .connect_timeout(PATIENCE)
            .tcp_user_timeout(PATIENCE)
            .keepalives_idle(PATIENCE);
        // The connection is moved on while it is waited for, and only then.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let reaching = async {
            let client = match encrypting {
                None => attended(config.connect(NoTls).await?),
                Some(tls) => attended(config.connect(tls).await?),
            };
            client.batch_execute(TERMS).await?;
            Ok(client)
        };
        let client = in_time(&runtime, reaching)
            .with_context(|| format!("the database is not reached: {database}"))?;
        Ok(Self(Some(Open { runtime, client })))
    }

    /// Rows that a statement changes.
    ///
    /// # Errors
    /// The database's; it does not answer for long.
    pub(super) fn execute(
        &mut self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> anyhow::Result<u64> {
        let Open { runtime, client } = self.get();
        in_time(runtime, client.execute(statement, values))
    }

    /// Rows that a statement finds.
    ///
    /// # Errors
    /// As [`Line::execute`].
    pub(super) fn query(
        &mut self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> anyhow::Result<Vec<Row>> {
        let Open { runtime, client } = self.get();
        in_time(runtime, client.query(statement, values))
    }

    /// Statements without values, all or none.
    ///
    /// # Errors
    /// As [`Line::execute`].
    pub(super) fn batch(&mut self, statements: &str) -> anyhow::Result<()> {
        let Open { runtime, client } = self.get();
        in_time(runtime, client.batch_execute(statements))
    }

    fn get(&mut self) -> &mut Open {
        self.0.as_mut().expect("invariant: it is there until it is dropped")
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let open = self.0.take();
        // A runtime may not be dropped by a thread of another. Without a thread to be had the line is
        // not closed, but gone with the process.
        let _detached = std::thread::Builder::new().spawn(move || drop(open));
    }
}

/// What encrypts a connection, if anything does.
fn encrypting(tls: &Tls) -> anyhow::Result<Option<MakeRustlsConnect>> {
    if *tls == Tls::Off {
        return Ok(None);
    }
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    let config = match tls {
        Tls::Authority(file) => config.with_root_certificates(
            authorities(file)
                .with_context(|| format!("sslrootcert cannot be used: {}", file.display()))?,
        ),
        _ => config.with_platform_verifier().context("whom this machine trusts is not known")?,
    };
    Ok(Some(MakeRustlsConnect::new(config.with_no_client_auth())))
}

/// The certificates of a PEM file, at least one.
fn authorities(file: &Path) -> anyhow::Result<RootCertStore> {
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)? {
        trusted.add(certificate?)?;
    }
    anyhow::ensure!(!trusted.is_empty(), "it holds no certificate in PEM");
    Ok(trusted)
}

/// A client whose connection goes on by itself.
fn attended<S, T>((client, connection): (Client, Connection<S, T>)) -> Client
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("a connection to the database ended: {error}");
        }
    });
    client
}

/// Runs a call, which may take so long and no longer: the server, or the network before it, may be
/// there and do nothing.
fn in_time<R>(
    runtime: &Runtime,
    call: impl Future<Output = Result<R, tokio_postgres::Error>>,
) -> anyhow::Result<R> {
    let answer = runtime.block_on(async { timeout(PATIENCE, call).await });
    Ok(answer.map_err(|_elapsed| anyhow!(Silent))??)
}

/// The database did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the database has not answered for {} s", PATIENCE.as_secs())]
pub(in crate::shell) struct Silent;
