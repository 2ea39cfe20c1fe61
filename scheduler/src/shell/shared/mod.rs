//! Several schedulers of one farm: one leads, the others stand by with all that it has made durable.
//!
//! What they share is a PostgreSQL database: who leads, and the records of both journals. A record
//! is durable when the database has it. Who takes the lead gets the next term, and the database
//! takes records of the term in force only, so that who has lost the lead can write nothing more,
//! however late it learns of it. See `docs/decisions/0018-several-schedulers.md`.

mod line;
mod log;
mod mirror;
mod seat;

use anyhow::Context as _;
use protocol::PublicKey;

use line::Line;
pub(super) use line::Silent;
pub(super) use log::{Deposed, PostgresLog};
pub(super) use mirror::{LEDGER_LOG, SCHEDULER_LOG, stand_by};
pub(super) use seat::{Lead, Proof, tell_whole};

/// All that is kept there. Whoever comes first makes it.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS tessera_farm (
        farm bytea PRIMARY KEY,
        secret bytea NOT NULL,
        term bigint NOT NULL,
        leader text NOT NULL,
        whole boolean NOT NULL,
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

/// Makes the tables where they are missing.
///
/// # Errors
/// The database does not let us.
fn make_tables(line: &mut Line) -> anyhow::Result<()> {
    // Statements that are sent together are one transaction.
    line.batch(&format!("SELECT pg_advisory_xact_lock({TABLES_LOCK}); {TABLES}"))
        .context("the tables were not made in the database")
}

/// The column that says whose farm a row is.
fn farm_column(farm: PublicKey) -> Vec<u8> {
    farm.0.to_vec()
}
