//! Jobs for certain nodes, as their artist and a node's owner type them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::quote::Farm;
use crate::run::{Place, Said};

/// A node of the person of a place, which stops when it is dropped.
pub struct Node(Child);

impl Node {
    /// Starts one, which has qualified when this returns.
    pub fn start(place: &Place, more: &[&str]) -> Self {
        let arguments = [
            "node",
            "--farm",
            "@farm/ticket",
            "--data",
            "node",
            "--owner",
            "key",
            "--backend",
            "cpu",
            "--threads",
            "1",
            "--no-sandbox",
            "--json",
            "--stop-on-stdin-eof",
        ];
        let mut command = place.command(&[&arguments[..], more].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut node = Self(command.spawn().expect("the binary runs"));
        let mut out = BufReader::new(node.0.stdout.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("\"qualified\"") {
            line.clear();
            assert!(out.read_line(&mut line).expect("events") > 0, "it ended");
        }
        // Nobody reads the rest, and it does not stop for that.
        std::thread::spawn(move || out.lines().for_each(drop));
        node
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("it stops");
    }
}

#[test]
fn a_job_goes_to_nodes_that_meet_its_needs_and_the_artist_is_told_of_figures() {
    let place = Place::new();
    let scene = place.scene();
    let _farm = Farm::open(&place, &["--private"]);
    let on_farm = |command: &[&str], more: &[&str]| -> Said {
        place.run(&[command, &["--farm", "@farm/ticket"], more].concat())
    };
    // The first use makes the key.
    assert_eq!(on_farm(&["jobs", "list"], &[]).code, Some(0));
    let _node = Node::start(&place, &["--pool", "night"]);
    let quote = ["quote", &scene, "--size", "32x32", "--spp", "16"];
    let said = on_farm(&quote, &["--pool", "day"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let warning = "none of the farm's 1 node meets what the job needs (pool day): it waits";
    assert!(said.err.contains(warning), "{}", said.err);
    let nodes_of = |more: &[&str]| -> Value {
        let said = on_farm(&quote, &[more, &["--json"]].concat());
        let quote: Value = serde_json::from_str(&said.out).expect("JSON");
        quote["nodes"].clone()
    };
    let all = ["--only-mine", "--pool", "night", "--backend", "cpu"];
    assert_eq!(nodes_of(&all), serde_json::json!({ "known": 1, "meet": 1, "hold": 1, "here": 1 }));
    assert_eq!(nodes_of(&["--memory", "1024"])["meet"], 0);
    let said = on_farm(&quote, &["--memory", "4000000"]);
    assert!(
        said.code == Some(2) && said.err.contains("up to 1024 whole gigabytes"),
        "{}",
        said.err
    );
    assert_eq!(nodes_of(&["--backend", "gpu"])["meet"], 0);
    let said = on_farm(&quote, &[]);
    let holds = "on a GPU: 1 of 1 node can hold it, 1 of them here now";
    assert!(said.err.contains("the scene takes") && said.err.contains(holds), "{}", said.err);

    let submit = ["jobs", "submit", &scene, "--size", "32x32", "--spp", "16"];
    let said = on_farm(&submit, &["--pool", "day", "--by", "3h"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let job = said.out.trim();
    let shown = on_farm(&["jobs", "show", job], &[]).out;
    let waits = "no node that meets its needs is connected";
    for words in ["pool day", waits, "not known yet", "; 0 nodes that can hold it here"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let shown = on_farm(&["jobs", "show", job], &["--json"]).out;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&shown["needs"]["pool"], &shown["done_ms"]), (&"day".into(), &Value::Null));
    assert!(shown["wanted_by_ms"].as_u64() > shown["ordered_ms"].as_u64());
    let past = on_farm(&submit, &["--by", "2020-01-01 08:00"]);
    assert_eq!(past.code, Some(2));
    assert!(past.err.contains("2020-01-01 08:00 is past"), "{}", past.err);

    let retry = |job: &str, more: &[&str]| on_farm(&["jobs", "retry", job], more);
    let said = retry(job, &["--tile", "0"]);
    assert!(said.code == Some(0) && said.err.contains("may try again"), "{}", said.err);
    let said = retry(job, &["--tile", "99"]);
    assert!(said.code == Some(3) && said.err.contains("no such tile"), "{}", said.err);
    assert_eq!(on_farm(&["jobs", "cancel", job], &[]).code, Some(0));
    let said = retry(job, &[]);
    let again = format!("tessera jobs continue {job}");
    assert!(said.code == Some(1) && said.err.contains(&again), "{}", said.err);

    let said = on_farm(&submit, &["--only-mine", "--follow", "-o", "own.png"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(place.path("own.png").is_file());
    let said = retry(said.out.lines().next().expect("a job"), &[]);
    assert!(said.code == Some(1) && said.err.contains("tessera jobs dispute"), "{}", said.err);
}
