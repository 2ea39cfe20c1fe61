//! What the list shows and does, as lines for a terminal.

use std::fmt::Write as _;

use protocol::{JobId, Selection, Steering, limits};

use super::Filter;

/// Lines that list what the filter lists, of `count` jobs in all.
///
/// # Errors
/// The command line cannot ask this; why, in a sentence.
pub fn list(ticket: &str, filter: &Filter, count: usize) -> Result<String, &'static str> {
    let status = filter.only_status();
    if status.is_none() && !filter.is_nothing() {
        return Err("The command line lists all jobs or those of one status");
    }
    let mut lines = farm(ticket);
    // A page is cut before its rows are looked at.
    let pages = count.max(1).div_ceil(limits::PAGE_ROWS_MAX as usize);
    for page in 0..pages {
        let offset = page * limits::PAGE_ROWS_MAX as usize;
        write!(lines, "tessera jobs list --limit {}", limits::PAGE_ROWS_MAX).ok();
        if offset > 0 {
            write!(lines, " --offset {offset}").ok();
        }
        if let Some(status) = status {
            write!(lines, " --status {}", status.word()).ok();
        }
        lines.push('\n');
    }
    Ok(lines)
}

/// Lines that do the same to the same jobs.
#[must_use]
pub fn steer(ticket: &str, jobs: &[JobId], steering: Steering) -> String {
    let mut lines = farm(ticket);
    for job in jobs {
        match steering {
            Steering::Pause => writeln!(lines, "tessera jobs pause {job}"),
            Steering::Resume => writeln!(lines, "tessera jobs resume {job}"),
            Steering::Priority(priority) => {
                writeln!(lines, "tessera jobs priority {job} {priority}")
            }
            Steering::Stop => writeln!(lines, "tessera jobs stop {job}"),
            Steering::Cancel => writeln!(lines, "tessera jobs cancel {job}"),
            Steering::First(which) => {
                writeln!(lines, "tessera jobs first {job}{}", options(which))
            }
            Steering::Retry(which) => {
                writeln!(lines, "tessera jobs retry {job}{}", options(which))
            }
        }
        // A string takes whatever is written into it.
        .ok();
    }
    lines
}

/// The line that says which farm.
fn farm(ticket: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%_-+=:,./".contains(c);
    let ticket = match !ticket.is_empty() && ticket.chars().all(is_plain) {
        true => ticket.to_owned(),
        false => format!("'{}'", ticket.replace('\'', "'\\''")),
    };
    format!("export TESSERA_FARM={ticket}\n")
}

/// Some of a job's units as options.
fn options(Selection { frame, view, tile }: Selection) -> String {
    let view = view.map(|view| view.0);
    let parts = [("frame", frame), ("camera", view), ("tile", tile.map(|tile| tile.0))];
    let named = parts.into_iter().filter_map(|(name, number)| Some((name, number?)));
    named.map(|(name, number)| format!(" --{name} {number}")).collect()
}

#[cfg(test)]
mod tests {
    use protocol::{Priority, TileIndex};

    use super::*;

    fn listed(filter: &str, count: usize) -> Result<String, &'static str> {
        list("farmx", &Filter::parse(filter).expect("a filter"), count)
    }

    #[test]
    fn a_list_is_what_the_command_line_can_ask() {
        assert_eq!(
            listed("", 4).as_deref(),
            Ok("export TESSERA_FARM=farmx\ntessera jobs list --limit 500\n")
        );
        assert_eq!(
            listed("status:failed", 501).as_deref(),
            Ok("export TESSERA_FARM=farmx\n\
                tessera jobs list --limit 500 --status failed\n\
                tessera jobs list --limit 500 --offset 500 --status failed\n")
        );
        assert!(listed("price:>3", 4).is_err());
    }

    #[test]
    fn each_job_is_steered_by_a_line() {
        let jobs = [JobId([1; 16]), JobId([2; 16])];
        let check = |steering, expected: &str| {
            let lines = steer("@my farm", &jobs[..1], steering);
            let id = "01".repeat(16);
            assert_eq!(
                lines,
                format!("export TESSERA_FARM='@my farm'\ntessera jobs {expected}\n")
                    .replace("ID", &format!("job_{id}"))
            );
        };
        check(Steering::Pause, "pause ID");
        check(Steering::Resume, "resume ID");
        check(Steering::Stop, "stop ID");
        check(Steering::Cancel, "cancel ID");
        check(Steering::Priority(Priority::try_from(80).expect("one")), "priority ID 80");
        check(Steering::Retry(Selection::default()), "retry ID");
        let tile = Selection { frame: Some(3), view: None, tile: Some(TileIndex(7)) };
        check(Steering::Retry(tile), "retry ID --frame 3 --tile 7");
        check(Steering::First(tile), "first ID --frame 3 --tile 7");
        assert_eq!(steer("farmx", &jobs, Steering::Stop).lines().count(), 3);
    }
}
