//! The owner's wishes, read from standard input while the node runs.

use std::io::{BufRead, Read as _};

use farm_node::Wishes;
use tokio::sync::watch;

use super::said;
use crate::interrupt::Interrupt;
use crate::text;

/// Longest line that is read, bytes: more than a hundred jobs that are not wanted take, each with as
/// long a report as there may be, of letters that JSON writes with six bytes.
const LINE_BYTES_MAX: u64 = 512 << 10;

/// Wishes as they are read from standard input. When that ends the node stops, where it should, or goes
/// on with the latest.
pub fn wishes_on_stdin(interrupt: Interrupt, stops: bool, json: bool) -> watch::Receiver<Wishes> {
    let (sender, receiver) = watch::channel(Wishes::default());
    std::thread::spawn(move || {
        each_line(std::io::stdin().lock(), |number, line| match wishes(line) {
            Ok(wishes) => {
                sender.send_replace(wishes);
            }
            Err(why) => complain(number, &why, json),
        });
        if stops {
            interrupt.stop_as_orphan();
        }
    });
    receiver
}

/// Reads a line of wishes; why not, in a sentence's part.
fn wishes(line: Result<&str, String>) -> Result<Wishes, String> {
    let wishes: Wishes = serde_json::from_str(line?).map_err(|error| error.to_string())?;
    wishes.check().map_err(|error| error.to_string())?;
    Ok(wishes)
}

/// Passes on every line that is not blank, with its number from 1, until the input ends.
fn each_line(mut input: impl BufRead, mut heed: impl FnMut(u64, Result<&str, String>)) {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        // A broken input is an ended one.
        match input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_some) => {}
        }
        if line.len() as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
            heed(number, Err(format!("it is longer than {LINE_BYTES_MAX} bytes")));
            if skip_line(&mut input).is_err() {
                return;
            }
            continue;
        }
        match std::str::from_utf8(&line) {
            Ok(words) if words.trim().is_empty() => {}
            Ok(words) => heed(number, Ok(words)),
            Err(error) => heed(number, Err(error.to_string())),
        }
    }
}

/// Reads to the end of a line and keeps nothing.
fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (read, is_over) = (end.map_or(bytes.len(), |end| end + 1), end.is_some());
        let is_over = is_over || bytes.is_empty();
        input.consume(read);
        if is_over {
            return Ok(());
        }
    }
}

fn complain(number: u64, why: &str, json: bool) {
    let message = format!("line {number} of standard input is no wish and changes nothing: {why}");
    if !json {
        note!("  {message}");
        return;
    }
    if let Err(error) = text::print(said::bad_line(number, &message)) {
        tracing::debug!("nobody reads the events: {error}");
    }
}

#[cfg(test)]
mod tests {
    use farm_node::{Hold, RunAnyway, Unwanted};

    use super::*;

    fn heard(input: &[u8]) -> Vec<(u64, Result<Wishes, String>)> {
        let mut all = Vec::new();
        each_line(input, |number, line| all.push((number, wishes(line))));
        all
    }

    #[test]
    fn wishes_are_read_line_by_line() {
        let held = |hold| Wishes { hold: Some(hold), ..Wishes::default() };
        let input = b"{}\n\n{\"hold\":\"after-this-tile\"}\r\n  \n{\"hold\":\"now\"}";
        let expected = [
            (1, Ok(Wishes::default())),
            (3, Ok(held(Hold::AfterThisTile))),
            (5, Ok(held(Hold::Now))),
        ];
        assert_eq!(heard(input), expected);
        let all = r#"{"hold":null,"run_anyway":{"until_ms":7},"manners":{"away_minutes":5,"schedule":["mon-fri 22:00-07:00"],"temperature_c_max":75},"duty_percent":70,"down_bytes_per_second":5000000,"up_bytes_per_second":1,"cache_bytes":20000000000,"unwanted":[{"job":"job_01010101010101010101010101010101"}],"vitals":true}"#;
        let [(1, Ok(wishes))] = &heard(all.as_bytes())[..] else { panic!("one line of wishes") };
        assert_eq!(wishes.run_anyway, Some(RunAnyway { until_ms: 7, on_battery: false }));
        assert_eq!(wishes.duty_percent.map(u8::from), Some(70));
        let manners = wishes.manners.clone().expect("manners");
        assert_eq!((manners.away_minutes, manners.schedule.len()), (Some(5), 1));
        assert!(wishes.vitals && wishes.cache_bytes.is_some_and(|it| it.get() == 20_000_000_000));
        let unwanted = Unwanted { job: protocol::JobId([1; 16]), report: String::new() };
        assert_eq!(wishes.unwanted, [unwanted]);
        // What is written can be read.
        let again = serde_json::to_string(wishes).expect("it is written");
        assert_eq!(&serde_json::from_str::<Wishes>(&again).expect("it is read"), wishes);
    }

    #[test]
    fn many_long_reports_are_heard() {
        let report = "語".repeat(protocol::limits::REPORT_CHARS_MAX);
        let unwanted =
            |number: u8| Unwanted { job: protocol::JobId([number; 16]), report: report.clone() };
        let wishes = Wishes { unwanted: (1..=101).map(unwanted).collect(), ..Wishes::default() };
        let line = serde_json::to_string(&wishes).expect("it is written");
        assert!(line.len() > 64 << 10, "{} bytes", line.len());
        assert_eq!(heard(line.as_bytes()), [(1, Ok(wishes))]);
    }

    #[test]
    fn a_bad_line_says_what_is_wrong_and_the_next_is_heeded() {
        let check = |line: &str, expected: &str| {
            let input = format!("{line}\n{{\"vitals\":true}}\n");
            let [(1, Err(why)), (2, Ok(next))] = &heard(input.as_bytes())[..] else {
                panic!("a bad line and a good one: {:?}", heard(input.as_bytes()));
            };
            assert!(why.contains(expected) && next.vitals, "{why}");
        };
        check("pause", "expected value");
        check(r#"{"hols":"now"}"#, "unknown field `hols`, expected one of `hold`");
        check(r#"{"hold":"soon"}"#, "unknown variant `soon`, expected `after-this-tile` or `now`");
        check(r#"{"duty_percent":0}"#, "a duty of 0 % is none; choose 1 to 100");
        check(r#"{"duty_percent":256}"#, "256");
        check(
            r#"{"unwanted":[{"job":"job_1"}]}"#,
            "not a valid id (expected job_ and 32 hex digits)",
        );
        check(r#"{"run_anyway":{"until":1}}"#, "unknown field `until`");
        check(r#"{"manners":{"away":1}}"#, "unknown field `away`");
        check(r#"{"manners":{"away_minutes":0}}"#, "away_minutes is 0; choose 1 to 1440");
        check(
            r#"{"manners":{"temperature_c_max":20}}"#,
            "temperature_c_max is 20; choose 30 to 110",
        );
        check(r#"{"manners":{"schedule":["22-07"]}}"#, "is no span of the week");
        check(r#"{"cache_bytes":0}"#, "nonzero");
        check(&" ".repeat(LINE_BYTES_MAX as usize), "it is longer than 524288 bytes");
        check(&"x".repeat(3 * LINE_BYTES_MAX as usize + 5), "it is longer than 524288 bytes");
        let [(1, Err(why))] = &heard(b"{\"hold\":\"\xff\"}")[..] else { panic!("one bad line") };
        assert!(why.contains("utf-8"), "{why}");
    }
}
