//! Tokens at risk, vouchers, the statement and the key as files.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use client::Farm;
use protocol::view::StatementRow;
use protocol::{AccountId, Request, limits};

use super::{capital, sentence};
use crate::state::wallet::Act;
use crate::words;

/// Rows of an account, the newest first, as many as are there or wanted; and how many there are.
///
/// # Errors
/// The farm's, in a sentence.
pub(super) async fn rows(
    farm: &Farm,
    account: AccountId,
    wanted: u64,
) -> Result<(Vec<StatementRow>, u64), String> {
    let (mut all, mut offset) = (Vec::<StatementRow>::new(), 0);
    loop {
        let left = wanted.saturating_sub(all.len() as u64);
        let limit = left.min(u64::from(limits::PAGE_ROWS_MAX)) as u32;
        let page = farm.statement(account, offset, limit).await;
        let page = page.map_err(|error| sentence(&error))?;
        let count = page.rows.len() as u32;
        offset += count;
        // What came in meanwhile moves all others on: a row is then told twice.
        let known = |row: &StatementRow| {
            all.iter().rev().take(limits::PAGE_ROWS_MAX as usize).any(|other| other == row)
        };
        let fresh: Vec<StatementRow> = page.rows.into_iter().filter(|row| !known(row)).collect();
        all.extend(fresh);
        if count < limit || limit == 0 || all.len() as u64 >= wanted {
            return Ok((all, page.total));
        }
    }
}

/// Does what a person wants with the wallet; what came of it, in a sentence.
///
/// # Errors
/// Why it was not done, in a sentence.
pub(super) async fn act(farm: &Farm, account: AccountId, act: Act) -> Result<String, String> {
    let asked = async |request| farm.ask(request).await.map_err(|error| sentence(&error));
    match act {
        Act::Stake(amount) => {
            let mut id = [0; 16];
            getrandom::fill(&mut id)
                .map_err(|error| format!("The system gives no random bytes: {error}"))?;
            asked(Request::Stake { amount, id }).await?;
            Ok(format!("{} at risk for the good work of your nodes", words::tokens(amount)))
        }
        Act::Unstake(amount) => {
            asked(Request::Unstake { amount }).await?;
            Ok(format!("{} asked back; they come free after a while", words::tokens(amount)))
        }
        Act::Redeem(voucher) => {
            let redeemed = farm.redeem(&voucher.0, farm.id()).await;
            let (_transfer, before) = redeemed.map_err(|error| sentence(&error))?;
            // The farm has checked the signature; this only reads what it said.
            let amount = voucher.0.open().map_err(|error| capital(&error.to_string()))?.amount;
            Ok(match before {
                true => format!("This voucher of {} was paid out before", words::tokens(amount)),
                false => format!("{} came in by the voucher", words::tokens(amount)),
            })
        }
        Act::Export(path) => {
            let (rows, _total) = rows(farm, account, u64::MAX).await?;
            let (count, text) = (rows.len() as u64, csv(&rows));
            write_new(&path, text.as_bytes(), false)?;
            let count = words::plural(count, "entry", "entries");
            Ok(format!("{count} written to {}", path.display()))
        }
        Act::BackUp(path) => Err(format!("Not a matter of the farm: {}", path.display())),
    }
}

/// The statement as a table: RFC 4180, no field of which needs quotes.
fn csv(rows: &[StatementRow]) -> String {
    let mut text =
        "time_ms,time,direction,why,amount,balance,other_account,which_is,job,transfer\r\n"
            .to_owned();
    for row in rows {
        let StatementRow { transfer, credit, other, other_is, job, amount, code, balance, time_ms } =
            row;
        let job = job.map(|job| job.to_string()).unwrap_or_default();
        let (time, direction) = (words::date_time(*time_ms), if *credit { "in" } else { "out" });
        write!(
            text,
            "{time_ms},{time},{direction},{code},{amount},{balance},{other},{other_is},{job},{transfer}\r\n"
        )
        .ok();
    }
    text
}

/// Copies the key to where nothing is yet, for its owner's eyes only.
///
/// # Errors
/// Why it was not copied, in a sentence.
pub(super) fn back_up(key: &Path, path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(key)
        .map_err(|error| format!("The key cannot be read: {error}: {}", key.display()))?;
    write_new(path, &bytes, true)?;
    Ok(format!("The key is copied to {}. Whoever has that file has your tokens", path.display()))
}

/// Writes a file where none is.
fn write_new(path: &Path, bytes: &[u8], is_secret: bool) -> Result<(), String> {
    let write = || -> io::Result<()> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if is_secret {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        #[cfg(not(unix))]
        let _the_folder_decides = is_secret;
        let mut file = options.open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("There is a file already; choose another name: {}", path.display())
        }
        io::ErrorKind::NotFound => format!("There is no such folder: {}", path.display()),
        _other => format!("It cannot be written: {error}: {}", path.display()),
    })
}

#[cfg(test)]
mod tests {
    use protocol::{Tokens, TransferId};

    use super::*;

    #[test]
    fn a_statement_is_a_table() {
        let row = StatementRow {
            transfer: TransferId([2; 16]),
            credit: false,
            other: AccountId([1; 32]),
            other_is: "verification reserve".to_owned(),
            job: None,
            amount: Tokens::from_micro(1_500_000),
            code: "verdict".to_owned(),
            balance: Tokens::from_whole(3),
            time_ms: 1_700_000_000_000,
        };
        let text = csv(&[row]);
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines.len(), 3, "{text}");
        let columns = lines[0].split(',').count();
        assert_eq!(lines[1].split(',').count(), columns);
        assert!(
            lines[1]
                .starts_with("1700000000000,2023-11-14 22:13 UTC,out,verdict,1.500000,3.000000,"),
            "{text}"
        );
    }

    #[test]
    fn a_key_is_copied_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let (key, copy) = (folder.path().join("key"), folder.path().join("copy"));
        std::fs::write(&key, "00ff").expect("written");
        let said = back_up(&key, &copy).expect("copied");
        assert!(said.contains("Whoever has that file has your tokens"), "{said}");
        assert_eq!(std::fs::read(&copy).expect("there"), b"00ff");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&copy).expect("there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{mode:o}");
        }
        let again = back_up(&key, &copy).expect_err("nothing is overwritten");
        assert!(again.starts_with("There is a file already"), "{again}");
        let nowhere = back_up(&key, &folder.path().join("no/where")).expect_err("no folder");
        assert!(nowhere.starts_with("There is no such folder"), "{nowhere}");
    }
}
