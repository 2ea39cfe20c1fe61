//! A connection to the database, for threads that may block. Nothing on it lasts for ever.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};

use crate::config::Database;

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
        let mut config = database.parsed().context("the database's address is not understood")?;
        config
            .application_name("tessera-scheduler")
            .connect_timeout(PATIENCE)
            .tcp_user_timeout(PATIENCE)
            .keepalives_idle(PATIENCE);
        // The connection is moved on while it is waited for, and only then.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let reaching = async {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!("a connection to the database ended: {error}");
                }
            });
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
