use serde_json::json;

use super::*;
use crate::book::scratch::{book, power_cut};

fn new(kind: EventKind, time_ms: u64, job: Option<&str>) -> NewEvent {
    let job = job.map(str::to_owned);
    NewEvent { kind, time_ms, job, team: None, body: json!({"progress": 0.5}) }
}

fn progress(book: &Book, time_ms: u64, durable: bool) -> u64 {
    book.append(vec![new(EventKind::JobProgress, time_ms, Some("job_1"))], durable)
        .expect("it works")[0]
        .id
}

fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.id).collect()
}

#[test]
fn events_come_back_in_order_by_id_filter_and_job() {
    let (_dir, book) = book();
    assert_eq!(book.last_event_id().expect("it works"), 0);
    let appended = book
        .append(
            vec![
                new(EventKind::JobOrdered, 5, Some("job_1")),
                new(EventKind::FarmLost, 6, None),
                new(EventKind::JobOrdered, 6, Some("job_11")),
            ],
            true,
        )
        .expect("it works");
    assert_eq!(ids(&appended), [1, 2, 3]);
    assert_eq!(progress(&book, 7, false), 4);
    assert!(book.append(Vec::new(), true).expect("it works").is_empty());
    assert_eq!(book.last_event_id().expect("it works"), 4);

    let all = book.events_after(0, 100, |_| true).expect("it works");
    assert_eq!(all[..3], appended[..]);
    assert_eq!(ids(&book.events_after(1, 2, |_| true).expect("it works")), [2, 3]);
    assert_eq!(ids(&book.events_after(0, 1, |event| event.job.is_none()).expect("it works")), [2]);
    assert!(book.events_after(4, 9, |_| true).expect("it works").is_empty());
    assert!(book.events_after(u64::MAX, 9, |_| true).expect("it works").is_empty());
    assert_eq!(ids(&book.events_of("job_1", 0, 9).expect("it works")), [1, 4]);
    assert_eq!(ids(&book.events_of("job_1", 1, 9).expect("it works")), [4]);
    assert_eq!(ids(&book.events_of("job_1", 0, 1).expect("it works")), [1]);
    assert!(book.events_of("job_", 0, 9).expect("it works").is_empty());
}

#[test]
fn ids_never_go_back() {
    let (dir, book) = book();
    assert_eq!(progress(&book, 0, false), 1);
    let (_after, after) = power_cut(dir.path());
    assert!(progress(&after, 0, false) > 1);
    progress(&book, 1, true);
    let mut last = 0;
    for _many in 0..100 {
        last = progress(&book, 2, false);
    }
    // Those that did not reach the disk are lost, and their ids with them.
    let (_after, after) = power_cut(dir.path());
    assert_eq!(ids(&after.events_after(0, 1_000, |_| true).expect("it works")), [1, 2]);
    assert!(after.last_event_id().expect("it works") >= last);
    assert!(progress(&after, 3, false) > last);

    for _many in 0..1_000 {
        last = progress(&book, 3, false);
    }
    let (_after, after) = power_cut(dir.path());
    let kept = ids(&after.events_after(0, 10_000, |_| true).expect("it works"));
    assert!(kept.len() as u64 > last - 2 * BLOCK && kept.is_sorted(), "{}", kept.len());
    assert!(progress(&after, 4, false) > last);

    assert_eq!(book.prune_events(u64::MAX).expect("it works"), last);
    drop(book);
    let book = Book::open(&dir.path().join("studio.redb")).expect("it works");
    assert!(book.events_after(0, 1, |_| true).expect("it works").is_empty());
    assert!(progress(&book, 5, true) > last);
}

#[test]
fn a_durable_event_brings_those_before_it_to_the_disk() {
    let (dir, book) = book();
    for _some in 0..5 {
        progress(&book, 1, false);
    }
    progress(&book, 2, true);
    let (_after, after) = power_cut(dir.path());
    assert_eq!(ids(&after.events_after(0, 99, |_| true).expect("it works")), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_oldest_are_pruned_and_the_others_stay() {
    let (_dir, book) = book();
    let many = PRUNED_AT_ONCE as u64 + 5;
    let events = (0..many).map(|time| new(EventKind::JobProgress, time, Some("job_1")));
    book.append(events.collect(), false).expect("it works");
    assert_eq!(book.prune_events(many - 2).expect("it works"), many - 2);
    assert_eq!(book.prune_events(many - 2).expect("it works"), 0);
    assert_eq!(ids(&book.events_after(0, 99, |_| true).expect("it works")), [many - 1, many]);
    assert_eq!(ids(&book.events_of("job_1", 0, 99).expect("it works")), [many - 1, many]);
}

#[test]
fn kinds_are_written_as_the_contract_has_them() {
    for kind in EventKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).expect("it works"), json!(kind.as_str()));
        assert_eq!(
            serde_json::from_value::<EventKind>(json!(kind.as_str())).expect("it works"),
            kind
        );
    }
    assert!("job".parse::<EventKind>().is_err());
    assert!(EventKind::JobFailed.is_end() && !EventKind::JobPaused.is_end());
}

#[test]
fn an_event_is_told_with_its_time_as_text() {
    let event = Event {
        id: 7,
        kind: EventKind::JobDone,
        time_ms: 1_796_112_000_001,
        job: Some("job_1".to_owned()),
        team: None,
        body: json!({"name": "shot_010", "id": "not this"}),
    };
    assert_eq!(
        event.to_json(),
        json!({
            "id": 7, "type": "job.done", "time": "2026-12-01T08:00:00.001Z", "job": "job_1",
            "team": null, "name": "shot_010"
        })
    );
    assert_eq!(crate::clock::time(0), "1970-01-01T00:00:00.000Z");
    assert!(crate::clock::time(u64::MAX).starts_with('+'));
}
