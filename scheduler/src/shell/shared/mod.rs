//! Several schedulers of one farm: one leads, the others stand by with all that it has made durable.
//!
//! What they share is a PostgreSQL database: who leads, and the records of both journals. A record
//! is durable when the database has it. Who takes the lead gets the next term, and the database
//! takes records of the term in force only, so that who has lost the lead can write nothing more,
//! however late it learns of it. See `docs/decisions/0018-several-schedulers.md`.

mod log;
mod mirror;
mod seat;

use std::time::Duration;

use anyhow::Context as _;
use postgres::{Client, NoTls};
use protocol::PublicKey;

pub(super) use log::PostgresLog;
pub(super) use mirror::{LEDGER_LOG, SCHEDULER_LOG, stand_by};
pub(super) use seat::{Lead, Proof};

use crate::config::Database;

/// How long the database may take to be reached, and to show that a connection lives.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to answer: some records of a journal are long.
const STATEMENT_PATIENCE: Duration = Duration::from_secs(30);

/// All that is kept there. Whoever comes first makes it.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS tessera_farm (
        farm bytea PRIMARY KEY,
        secret bytea NOT NULL,
        term bigint NOT NULL,
        leader text NOT NULL,
        heard timestamptz NOT NULL
    );
    CREATE TABLE IF NOT EXISTS tessera_scheduler (
        farm bytea NOT NULL,
        address text NOT NULL,
        heard timestamptz NOT NULL,
        PRIMARY KEY (farm, address)
    );
    CREATE TABLE IF NOT EXISTS tessera_record (
        farm bytea NOT NULL,
        journal text NOT NULL,
        first_seq bigint NOT NULL,
        record bytea NOT NULL,
        PRIMARY KEY (farm, journal, first_seq)
    );";

/// A number that all schedulers take while they make the tables: two that do at once get in each
/// other's way.
const TABLES_LOCK: i64 = 0x0074_6573_7365_7261;

/// A connection, with the tables there.
///
/// # Errors
/// The database is not reached, or does not let us make tables.
fn connect(database: &Database) -> anyhow::Result<Client> {
    let mut config = database.parsed().context("the database's address is not understood")?;
    config
        .application_name("tessera-scheduler")
        .connect_timeout(PATIENCE)
        .tcp_user_timeout(PATIENCE)
        .keepalives_idle(PATIENCE);
    let mut client = config
        .connect(NoTls)
        .with_context(|| format!("the database is not reached: {database}"))?;
    // What is acknowledged must be on its disk, whatever its operator has set for others.
    client.batch_execute(&format!(
        "SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') = 'off';
         SET statement_timeout = {};",
        STATEMENT_PATIENCE.as_millis(),
    ))?;
    Ok(client)
}

/// Makes the tables where they are missing.
///
/// # Errors
/// The database does not let us.
fn make_tables(client: &mut Client) -> anyhow::Result<()> {
    let mut transaction = client.transaction()?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&TABLES_LOCK])?;
    transaction.batch_execute(TABLES).context("the tables were not made in the database")?;
    transaction.commit()?;
    Ok(())
}

/// The column that says whose farm a row is.
fn farm_column(farm: PublicKey) -> Vec<u8> {
    farm.0.to_vec()
}
