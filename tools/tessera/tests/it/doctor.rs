//! `tessera doctor` and what a node says before it starts.

use serde_json::Value;

use crate::run::Place;

#[test]
fn a_machine_that_renders_well_is_well() {
    let place = Place::new();
    let said = place.run(&["doctor", "--backend", "cpu", "--json"]);
    let report: Value = serde_json::from_str(&said.out).expect("an object");
    let checks = report["checks"].as_array().expect("checks");
    let state = |name: &str| {
        let check = checks.iter().find(|check| check["check"] == name);
        check.unwrap_or_else(|| panic!("no check {name}"))["state"].as_str().expect("a word")
    };
    for name in ["backend", "self-test", "clock"] {
        assert_eq!(state(name), "ok", "{checks:#?}");
    }
    let is_bad = checks.iter().any(|check| check["state"] == "bad");
    assert_eq!(said.code, Some(i32::from(is_bad)), "{checks:#?}");
    if cfg!(target_os = "linux") {
        assert_eq!(state("sandbox"), "ok", "{checks:#?}");
    }
    for check in checks.iter().filter(|check| check["state"] != "ok") {
        assert_ne!(check["found"], "", "{check}");
    }
    let text = place.run(&["doctor", "--backend", "cpu"]).out;
    assert!(text.contains("ok    self-test") && text.contains("sandbox"), "{text}");
}

#[test]
fn a_farm_that_does_not_answer_is_bad() {
    let place = Place::new();
    place.refused(2, &[], &["doctor", "--backend", "cpu", "--farm", "no ticket"]);
}

#[test]
fn a_nodes_manners_are_checked_and_its_unit_is_printed() {
    let place = Place::new();
    let node = ["node", "--farm", "ticket", "--data", "n"];
    let with = |more: &[&'static str]| [&node[..], more].concat();
    place.refused(2, &["22:00-07:00"], &with(&["--when", "at night"]));
    place.refused(2, &["--memory"], &with(&["--no-sandbox", "--memory", "4"]));
    let unit = place.done(&with(&["--when", "mon-fri 22:00-07:00", "--print-unit"]));
    let line = "node --farm ticket --data n --when \"mon-fri 22:00-07:00\"\n";
    assert!(unit.contains("ExecStart=") && unit.contains(line), "{unit}");
    let each = ["--memory", "8", "--print-unit", "each-gpu"];
    let unit = place.done(&with(&each));
    let line = "node --farm ticket --data \"n-%i\" --memory 8 --gpu \"%i\"\n";
    assert!(unit.contains(line) && unit.contains("tessera-node@.service"), "{unit}");
    place.refused(2, &["--memory", "each of them"], &with(&["--print-unit", "each-gpu"]));
}
