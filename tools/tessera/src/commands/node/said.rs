//! What a node says, as JSON: one object an event. `docs/node.md` lists them.

use farm_node::cards::Card;
use farm_node::{NodeEvent, Pause, Rendering, Vitals};
use protocol::{Unit, VerdictKind};
use serde_json::{Value, json};

use crate::json;

/// An event as an object, with its name as `event`.
pub fn object(event: &NodeEvent) -> Value {
    let mut object = match event {
        NodeEvent::Started { node, backend } => {
            json!({ "event": "started", "node": node.to_string(), "backend": backend })
        }
        NodeEvent::Confined { confinement } => {
            json!({ "event": "confined", "walls": confinement.as_ref().map(json::walls) })
        }
        NodeEvent::Benchmarked { rays_per_second } => {
            json!({ "event": "benchmarked", "rays_per_second": rays_per_second })
        }
        NodeEvent::Connected { scheduler } => {
            json!({ "event": "connected", "scheduler": scheduler.to_string() })
        }
        NodeEvent::Witnessed { entries, others } => {
            json!({ "event": "witnessed", "entries": entries, "others": others })
        }
        NodeEvent::Qualified { class } => {
            json!({ "event": "qualified", "class": json::class(*class) })
        }
        NodeEvent::Fetching { scene, found_bytes, received_bytes, size_bytes } => json!({
            "event": "fetching",
            "scene": scene.to_string(),
            "found_bytes": found_bytes,
            "received_bytes": received_bytes,
            "size_bytes": size_bytes,
        }),
        NodeEvent::Rendering { lease, unit } => {
            json!({ "event": "rendering", "lease": lease.to_string(), "unit": of_unit(unit) })
        }
        NodeEvent::Rendered { lease, unit, rays, took } => json!({
            "event": "rendered",
            "lease": lease.to_string(),
            "unit": of_unit(unit),
            "rays": { "closest": rays.closest, "shadow": rays.shadow },
            "seconds": took.as_secs_f64(),
        }),
        NodeEvent::Submitted { lease, unit } => {
            json!({ "event": "submitted", "lease": lease.to_string(), "unit": of_unit(unit) })
        }
        NodeEvent::Dropped { lease, reason } => {
            json!({ "event": "dropped", "lease": lease.to_string(), "reason": reason })
        }
        NodeEvent::Verdict { verdict, .. } => of_verdict(&verdict.kind, &verdict.unit),
        NodeEvent::Verified { films, pixels, took } => json!({
            "event": "verified",
            "films": films,
            "pixels": pixels,
            "seconds": took.as_secs_f64(),
        }),
        NodeEvent::Standing(view) => json!({ "event": "standing", "standing": json::node(view) }),
        NodeEvent::Finishing => json!({ "event": "finishing" }),
        NodeEvent::Paused { pause } => of_pause("paused", pause),
        NodeEvent::Resumed => json!({ "event": "resumed" }),
        NodeEvent::Yielded { pause, after } => {
            let mut object = of_pause("yielded", pause);
            object["seconds"] = after.as_secs_f64().into();
            object
        }
        NodeEvent::Vitals(vitals) => of_vitals(vitals),
        NodeEvent::Error { message, retry_in } => json!({
            "event": "error",
            "message": message,
            "retry_seconds": retry_in.map(|wait| wait.as_secs_f64()),
        }),
        other => json!({ "event": "other", "words": other.to_string() }),
    };
    object["v"] = json::VERSION.into();
    object
}

/// A pause: its kind and what belongs to that, beside the words of `reason`.
fn of_pause(event: &str, pause: &Pause) -> Value {
    let mut object = serde_json::to_value(pause).unwrap_or_else(|_no_json| json!({}));
    for name in ["temperature_c", "resumes_below_c"] {
        if let Some(celsius) = object[name].as_f64() {
            object[name] = tenths(celsius).into();
        }
    }
    object["event"] = event.into();
    object["reason"] = pause.to_string().into();
    object
}

/// What no sensor tells is left out.
fn of_vitals(vitals: &Vitals) -> Value {
    let mut object = json!({
        "event": "vitals",
        "cards": vitals.cards.iter().map(of_card).collect::<Vec<_>>(),
        "cache_bytes": vitals.cache_bytes,
        "fetched_bytes": vitals.fetched_bytes,
        "sent_bytes": vitals.sent_bytes,
        "duty_percent": u8::from(vitals.duty),
        "rests": vitals.rests,
    });
    put(&mut object, "cpu_temperature_c", vitals.cpu_temperature_c.map(f64::from).map(tenths));
    let rendering = vitals.rendering.map(|Rendering { lease, unit, took }| {
        json!({
            "lease": lease.to_string(),
            "unit": of_unit(&unit),
            "seconds": took.as_secs_f64(),
        })
    });
    put(&mut object, "rendering", rendering);
    object
}

fn of_card(card: &Card) -> Value {
    let mut object = json!({ "name": card.name });
    put(&mut object, "driver", card.driver.as_deref());
    put(&mut object, "temperature_c", card.temperature_c.map(f64::from).map(tenths));
    put(&mut object, "power_w", card.power_w.map(f64::from).map(tenths));
    put(&mut object, "fan_percent", card.fan_percent);
    put(&mut object, "busy_percent", card.busy_percent);
    put(&mut object, "memory_bytes", card.memory_bytes);
    put(&mut object, "memory_used_bytes", card.memory_used_bytes);
    object
}

/// A field, where there is something to tell.
fn put(object: &mut Value, name: &str, told: Option<impl Into<Value>>) {
    if let Some(told) = told {
        object[name] = told.into();
    }
}

/// No sensor tells more.
fn tenths(reading: f64) -> f64 {
    (reading * 10.0).round() / 10.0
}

fn of_verdict(kind: &VerdictKind, unit: &Unit) -> Value {
    let unit = of_unit(unit);
    match kind {
        VerdictKind::Accepted { pixels_checked, pay, .. } => json!({
            "event": "accepted",
            "unit": unit,
            "pixels_checked": pixels_checked,
            "pay": pay.to_string(),
        }),
        VerdictKind::Refused(refusal) => {
            json!({ "event": "refused", "unit": unit, "reason": refusal.to_string() })
        }
        VerdictKind::WrongFinding { agreed } => {
            json!({ "event": "wrong-finding", "unit": unit, "agreed": agreed })
        }
        VerdictKind::Disputed { .. } => json!({ "event": "disputed", "unit": unit }),
        VerdictKind::Overturned { returned, stake, pay } => json!({
            "event": "overturned",
            "unit": unit,
            "returned": returned.to_string(),
            "stake": stake.to_string(),
            "pay": pay.to_string(),
        }),
    }
}

fn of_unit(unit: &Unit) -> Value {
    json!({
        "job": unit.job.to_string(),
        "shot": unit.shot.0,
        "tile": unit.tile.0,
        "batch": unit.batch.to_string(),
    })
}

/// A line of the owner's that is no wish.
pub fn bad_line(number: u64, message: &str) -> Value {
    json!({
        "v": json::VERSION,
        "event": "error",
        "line": number,
        "message": message,
        "retry_seconds": null,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use farm_node::{Duty, Hold};
    use protocol::{Batch, JobId, LeaseId, ShotIndex, TileIndex};

    use super::*;

    fn check(event: NodeEvent, expected: &str) {
        let expected: Value = serde_json::from_str(expected).expect("an object");
        assert_eq!(object(&event), expected);
    }

    #[test]
    fn every_pause_has_its_kind_and_its_words() {
        let check = |pause: Pause, expected: &str| {
            // Whoever reads the object has the pause back.
            let read: Pause = serde_json::from_str(expected).expect("a pause");
            assert_eq!(read, pause);
            check(NodeEvent::Paused { pause }, expected);
        };
        let program = || "portal2".to_owned();
        check(
            Pause::Held { hold: Hold::AfterThisTile },
            r#"{"v":1,"event":"paused","kind":"held","hold":"after-this-tile","reason":"you paused it after a tile; resumes when you start it again"}"#,
        );
        check(
            Pause::Held { hold: Hold::Now },
            r#"{"v":1,"event":"paused","kind":"held","hold":"now","reason":"you stopped it at once; resumes when you start it again"}"#,
        );
        check(
            Pause::UserActive { away_minutes: 5 },
            r#"{"v":1,"event":"paused","kind":"user-active","away_minutes":5,"reason":"you are using this machine; resumes 5 min after you stop"}"#,
        );
        check(
            Pause::Exclusive { program: program() },
            r#"{"v":1,"event":"paused","kind":"exclusive","program":"portal2","reason":"portal2 is running; resumes when it ends"}"#,
        );
        check(
            Pause::FullScreen { program: program() },
            r#"{"v":1,"event":"paused","kind":"full-screen","program":"portal2","reason":"full-screen program (portal2); resumes when it leaves the screen"}"#,
        );
        check(
            Pause::Sleep,
            r#"{"v":1,"event":"paused","kind":"sleep","reason":"the machine goes to sleep; resumes when it wakes"}"#,
        );
        check(
            Pause::Schedule { resumes_in_minutes: 780 },
            r#"{"v":1,"event":"paused","kind":"schedule","resumes_in_minutes":780,"reason":"outside the schedule; resumes in 13 h 0 min"}"#,
        );
        check(
            Pause::Battery,
            r#"{"v":1,"event":"paused","kind":"battery","reason":"on battery; resumes when plugged in"}"#,
        );
        check(
            Pause::TooHot { temperature_c: 75.5, resumes_below_c: 70.0 },
            r#"{"v":1,"event":"paused","kind":"too-hot","temperature_c":75.5,"resumes_below_c":70.0,"reason":"too hot, 76 °C; resumes below 70 °C"}"#,
        );
        check(
            Pause::DiskFull { free_bytes: 536_870_912, wanted_bytes: 1_073_741_824 },
            r#"{"v":1,"event":"paused","kind":"disk-full","free_bytes":536870912,"wanted_bytes":1073741824,"reason":"the disk is nearly full, 0.5 GB free; resumes at 1.0 GB"}"#,
        );
        check(
            Pause::Barred,
            r#"{"v":1,"event":"paused","kind":"barred","reason":"the farm bars this node: a film of its was refused"}"#,
        );
        check(
            Pause::Refused { message: "not today".to_owned() },
            r#"{"v":1,"event":"paused","kind":"refused","message":"not today","reason":"not today"}"#,
        );
        check(
            Pause::BackendLost,
            r#"{"v":1,"event":"paused","kind":"backend-lost","reason":"the backend is lost; restart the node"}"#,
        );
    }

    #[test]
    fn a_reading_has_no_noise() {
        let pause = Pause::TooHot { temperature_c: 71.86, resumes_below_c: 70.1 };
        let object = object(&NodeEvent::Paused { pause });
        assert_eq!(
            (&object["temperature_c"], &object["resumes_below_c"]),
            (&json!(71.9), &json!(70.1))
        );
    }

    #[test]
    fn how_a_pause_comes_and_goes_is_told() {
        check(NodeEvent::Finishing, r#"{"v":1,"event":"finishing"}"#);
        check(NodeEvent::Resumed, r#"{"v":1,"event":"resumed"}"#);
        let pause = Pause::UserActive { away_minutes: 5 };
        check(
            NodeEvent::Yielded { pause, after: Duration::from_millis(3) },
            r#"{"v":1,"event":"yielded","kind":"user-active","away_minutes":5,"reason":"you are using this machine; resumes 5 min after you stop","seconds":0.003}"#,
        );
        let line = r#"{"v":1,"event":"error","line":3,"message":"no","retry_seconds":null}"#;
        assert_eq!(bad_line(3, "no"), serde_json::from_str::<Value>(line).expect("an object"));
    }

    #[test]
    fn what_no_sensor_tells_is_left_out() {
        let blind = Vitals {
            cards: vec![],
            cpu_temperature_c: None,
            cache_bytes: 1,
            fetched_bytes: 2,
            sent_bytes: 3,
            rendering: None,
            duty: Duty::FULL,
            rests: 0,
        };
        let told = r#"{"v":1,"event":"vitals","cards":[],"cache_bytes":1,"fetched_bytes":2,"sent_bytes":3,"duty_percent":100,"rests":0}"#;
        check(NodeEvent::Vitals(Box::new(blind.clone())), told);
        let batch = Batch::new(0, 4).expect("aligned");
        let unit = Unit { job: JobId([1; 16]), shot: ShotIndex(2), tile: TileIndex(52), batch };
        let card = |name: &str| Card { name: name.to_owned(), ..Card::default() };
        let seen = Vitals {
            cards: vec![
                Card {
                    driver: Some("nvidia".to_owned()),
                    temperature_c: Some(64.0),
                    power_w: Some(171.32),
                    fan_percent: Some(40),
                    busy_percent: Some(97),
                    memory_bytes: Some(12),
                    memory_used_bytes: Some(7),
                    ..card("A")
                },
                card("B"),
            ],
            cpu_temperature_c: Some(55.25),
            rendering: Some(Rendering {
                lease: LeaseId([3; 16]),
                unit,
                took: Duration::from_millis(1500),
            }),
            duty: 70.try_into().expect("a duty"),
            rests: 9,
            ..blind
        };
        let told = r#"{"v":1,"event":"vitals","cards":[{"name":"A","driver":"nvidia","temperature_c":64.0,"power_w":171.3,"fan_percent":40,"busy_percent":97,"memory_bytes":12,"memory_used_bytes":7},{"name":"B"}],"cpu_temperature_c":55.3,"cache_bytes":1,"fetched_bytes":2,"sent_bytes":3,"rendering":{"lease":"LEASE","unit":{"job":"JOB","shot":2,"tile":52,"batch":"BATCH"},"seconds":1.5},"duty_percent":70,"rests":9}"#;
        let ids = [batch.to_string(), LeaseId([3; 16]).to_string(), JobId([1; 16]).to_string()];
        let told = ["BATCH", "LEASE", "JOB"]
            .iter()
            .zip(ids)
            .fold(told.to_owned(), |told, (name, id)| told.replace(name, &id));
        check(NodeEvent::Vitals(Box::new(seen)), &told);
    }
}
