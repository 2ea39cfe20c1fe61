//! Every entry in a form that other programs read: JSON lines, CSV, Beancount.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use proof::{Account, Entry, TransferKind};
use protocol::PublicKey;

use super::verify_with;
use crate::books::Books;
use crate::journal::OpenError;
use crate::statement::Phase;
use crate::totals::Effect;

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    Jsonl,
    /// RFC 4180, with a header.
    Csv,
    /// Beancount: movements as transactions, what is only set aside as comments, and at the end
    /// what every account must hold.
    Beancount,
}

/// Why a ledger was not exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The journal does not hold.
    #[error("the ledger was not exported: its journal does not hold")]
    Journal(#[from] OpenError),
    /// The output failed.
    #[error("writing the export failed")]
    Write(#[source] io::Error),
}

/// Writes every entry and returns how many.
///
/// # Errors
/// See [`ExportError`]; what was already written is not taken back.
pub fn export(
    dir: &Path,
    key: PublicKey,
    format: Format,
    to: &mut dyn Write,
) -> Result<u64, ExportError> {
    let head = match format {
        Format::Jsonl => String::new(),
        Format::Csv => CSV_HEADER.to_owned(),
        Format::Beancount => format!(
            "; The ledger of {key}\n; What is set aside moves nothing and stands in comments.\n\n\
             option \"title\" \"Tessera ledger\"\n1970-01-01 commodity {COMMODITY}\n\n"
        ),
    };
    to.write_all(head.as_bytes()).map_err(ExportError::Write)?;
    let mut failed = None;
    let verified = verify_with(dir, key, &[], &mut |books, entry, _bytes| {
        let seq = books.size() - 1;
        let text = match format {
            Format::Jsonl => json_line(seq, entry) + "\n",
            Format::Csv => csv_row(seq, entry),
            Format::Beancount => beancount(seq, entry),
        };
        // A broken pipe ends the export, not the journal's reading: tell the two apart below.
        to.write_all(text.as_bytes()).map_err(|error| {
            failed = Some(error);
            "the export could not be written".into()
        })
    });
    let verified = match (verified, failed) {
        (_, Some(error)) => return Err(ExportError::Write(error)),
        (Err(error), None) => return Err(error.into()),
        (Ok(verified), None) => verified,
    };
    if format == Format::Beancount {
        to.write_all(beancount_end(&verified.books).as_bytes()).map_err(ExportError::Write)?;
    }
    to.flush().map_err(ExportError::Write)?;
    Ok(verified.head.size)
}

const fn phase(entry: &Entry) -> &'static str {
    match Phase::of(&entry.event) {
        Phase::Posted => "posted",
        Phase::SetAside => "pending",
        Phase::PostedPending => "post",
        Phase::Voided => "void",
        Phase::Expired => "expired",
    }
}

/// One entry as JSON. All values are numbers or our own words, so nothing needs escaping.
fn json_line(seq: u64, entry: &Entry) -> String {
    let transfer = entry.transfer();
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    let text = |value: &dyn std::fmt::Display| format!("\"{value}\"");
    fields.insert("seq", seq.to_string());
    fields.insert("time_ms", entry.time_ms.to_string());
    fields.insert("transfer", text(&transfer.id));
    fields.insert("debit", text(&transfer.debit));
    fields.insert("credit", text(&transfer.credit));
    fields.insert("micro_tokens", text(&transfer.amount.micro()));
    fields.insert("code", text(&transfer.code));
    fields.insert("phase", text(&phase(entry)));
    match transfer.kind {
        TransferKind::Posted => {}
        TransferKind::Pending { timeout_ms } => {
            fields.insert("timeout_ms", timeout_ms.to_string());
        }
        TransferKind::Post { pending, amount } => {
            fields.insert("pending", text(&pending));
            fields.insert("posted_micro_tokens", text(&amount.micro()));
        }
        TransferKind::Void { pending } => {
            fields.insert("pending", text(&pending));
        }
    }
    if let Some(job) = transfer.link.job {
        fields.insert("job", text(&job));
    }
    if let Some(unit) = transfer.link.unit {
        fields.insert("shot", unit.shot.0.to_string());
        fields.insert("tile", unit.tile.0.to_string());
        fields.insert("batch", text(&unit.batch));
    }
    if let Some(evidence) = transfer.link.evidence {
        fields.insert("evidence", text(&evidence));
    }
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

/// Columns of the CSV form; amounts in tokens with six decimals. `moved` is what the entry moved,
/// `amount` what it is about: they differ when something is only set aside, or posted in part.
const CSV_HEADER: &str = "entry,time,time_ms,transfer,phase,code,debit,credit,amount,moved,\
    pending,timeout_ms,job,shot,tile,batch,evidence\r\n";

fn csv_row(seq: u64, entry: &Entry) -> String {
    let transfer = entry.transfer();
    let (mut pending, mut timeout_ms) = (String::new(), String::new());
    match transfer.kind {
        TransferKind::Posted => {}
        TransferKind::Pending { timeout_ms: after } => timeout_ms = after.to_string(),
        TransferKind::Post { pending: id, .. } | TransferKind::Void { pending: id } => {
            pending = id.to_string();
        }
    }
    let shown =
        |value: Option<&dyn std::fmt::Display>| value.map(ToString::to_string).unwrap_or_default();
    let (job, unit, evidence) = (&transfer.link.job, &transfer.link.unit, &transfer.link.evidence);
    let fields = [
        seq.to_string(),
        timestamp(entry.time_ms),
        entry.time_ms.to_string(),
        transfer.id.to_string(),
        phase(entry).to_owned(),
        transfer.code.to_string(),
        transfer.debit.to_string(),
        transfer.credit.to_string(),
        transfer.amount.to_string(),
        protocol::Tokens::from_micro(Effect::of(&entry.event).moved).to_string(),
        pending,
        timeout_ms,
        shown(job.as_ref().map(|job| job as _)),
        shown(unit.as_ref().map(|unit| &unit.shot.0 as _)),
        shown(unit.as_ref().map(|unit| &unit.tile.0 as _)),
        shown(unit.as_ref().map(|unit| &unit.batch as _)),
        shown(evidence.as_ref().map(|evidence| evidence as _)),
    ];
    let fields: Vec<String> = fields.into_iter().map(csv_field).collect();
    fields.join(",") + "\r\n"
}

/// Quoted where RFC 4180 asks for it.
fn csv_field(text: String) -> String {
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// What Beancount calls a token.
const COMMODITY: &str = "TES";

fn beancount(seq: u64, entry: &Entry) -> String {
    let transfer = entry.transfer();
    let (date, moved) = (date(entry.time_ms), Effect::of(&entry.event).moved);
    let (debit, credit) = (beancount_account(transfer.debit), beancount_account(transfer.credit));
    let moved = protocol::Tokens::from_micro(moved);
    if moved.is_zero() {
        return format!(
            "; {date} entry {seq}: {} {} of {} {COMMODITY} from {debit} to {credit}\n",
            transfer.code,
            Phase::of(&entry.event).word(),
            transfer.amount,
        );
    }
    let mut text = format!("{date} * \"{}\"", transfer.code);
    if let Some(job) = transfer.link.job {
        write!(text, " ^{job}").expect("a string takes all");
    }
    write!(
        text,
        "\n  entry: {seq}\n  time: \"{}\"\n  transfer: \"{}\"\n  {credit}  {moved} {COMMODITY}\n  \
         {debit}  -{moved} {COMMODITY}\n\n",
        timestamp(entry.time_ms),
        transfer.id,
    )
    .expect("a string takes all");
    text
}

/// Opens every account, which Beancount takes in any place, and says what each must hold on the
/// day after the last entry.
fn beancount_end(books: &Books) -> String {
    let (mut text, day_ms) = (String::from("\n"), 86_400_000);
    let after = date(books.time_ms().saturating_add(day_ms));
    for (_, account, totals) in books.accounts() {
        let (name, posted) = (beancount_account(account), totals.posted());
        let sign = if posted < 0 { "-" } else { "" };
        let held = protocol::Tokens::from_micro(posted.unsigned_abs());
        writeln!(
            text,
            "1970-01-01 open {name} {COMMODITY}\n{after} balance {name}  {sign}{held} ~ 0 {COMMODITY}"
        )
        .expect("a string takes all");
    }
    text
}

/// Tokens of the account's owner are assets; where tokens come from is equity, below zero.
fn beancount_account(account: Account) -> String {
    let hex =
        |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    match account {
        Account::Wallet(key) => format!("Assets:Wallet:Key-{}", hex(&key.0)),
        Account::Escrow(job) => format!("Assets:Escrow:Job-{}", hex(&job.0)),
        Account::Held(node) => format!("Assets:Held:Nod-{}", hex(&node.0)),
        Account::Stake(key) => format!("Assets:Stake:Key-{}", hex(&key.0)),
        Account::Fee => "Assets:Fees".to_owned(),
        Account::Reserve => "Assets:Verification-reserve".to_owned(),
        Account::Treasury => "Assets:Treasury".to_owned(),
        Account::Appeal => "Assets:Appeal".to_owned(),
        Account::Issuance => "Equity:Issuance".to_owned(),
    }
}

/// `2026-11-28`, UTC, of milliseconds since 1970.
#[must_use]
pub fn date(time_ms: u64) -> String {
    // Days to a date of the Gregorian calendar: Howard Hinnant, "chrono-Compatible Low-Level Date
    // Algorithms", civil_from_days.
    let days = time_ms / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// RFC 3339, UTC, with milliseconds.
fn timestamp(time_ms: u64) -> String {
    let (ms, s) = (time_ms % 1000, time_ms / 1000 % 86_400);
    format!("{}T{:02}:{:02}:{:02}.{ms:03}Z", date(time_ms), s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (time_ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_000, "2024-02-29T23:59:59.000Z"),
            (1_795_869_505_042, "2026-11-28T12:38:25.042Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(timestamp(time_ms), expected);
        }
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(csv_field("wallet of key_1".to_owned()), "wallet of key_1");
        assert_eq!(csv_field("a, \"b\"".to_owned()), "\"a, \"\"b\"\"\"");
    }
}
