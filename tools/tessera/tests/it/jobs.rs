//! Jobs from the file that describes them to the pictures that are saved.

use std::fs;

use serde_json::Value;

use crate::needs::Node;
use crate::quote::Farm;
use crate::run::{Place, Said};

fn objects(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

#[test]
fn a_job_file_is_ordered_waited_for_told_of_and_saved() {
    let place = Place::new();
    let scene = place.scene();
    let _farm = Farm::open(&place, &["--private"]);
    let on_farm = |command: &[&str], more: &[&str]| -> Said {
        place.run(&[command, &["--farm", "@farm/ticket"], more].concat())
    };
    let done = |command: &[&str], more: &[&str]| -> Said {
        let said = on_farm(command, more);
        assert_eq!(said.code, Some(0), "{command:?}: {}", said.err);
        said
    };

    // A scene goes ahead, and is there for its job.
    let pushed = done(&["scenes", "push", &scene], &["--json"]);
    let pushed = objects(&pushed).remove(0);
    assert_eq!(
        (&pushed["found_bytes"], &pushed["received_bytes"]),
        (&0.into(), &pushed["size_bytes"])
    );
    let id = done(&["scenes", "push", &scene], &[]).out;
    assert_eq!(pushed["scene"], id.trim());
    assert_eq!(done(&["scenes", "list"], &["--json"]).out, "", "no job, no scene");

    fs::create_dir(place.path("shots")).expect("a folder");
    let file = format!(
        "scene = \"../{scene}\"\nname = \"square\"\nsize = [32, 32]\nsamples = 16\ntile = 16\nmax_cost = \"1\"\nframes = {{ first = 1, last = 4 }}\n"
    );
    fs::write(place.path("shots/job.toml"), file).expect("written");
    let submit = ["jobs", "submit", "shots/job.toml"];
    let job = done(&submit, &["--yes"]).out.trim().to_owned();
    let shown = objects(&done(&["jobs", "show", &job], &["--json"])).remove(0);
    assert_eq!((&shown["name"], &shown["samples"]), (&"square".into(), &16.into()));
    assert_eq!((&shown["frames"]["last"], &shown["scene"]), (&4.into(), &pushed["scene"]));
    let used = objects(&done(&["scenes", "list"], &["--json"])).remove(0);
    assert_eq!((&used["jobs"], &used["jobs_active"]), (&1.into(), &1.into()));

    // Nobody is here to render it.
    let said = on_farm(&["jobs", "wait", &job], &["--timeout", "1s"]);
    assert!(
        said.code == Some(8) && said.err.contains("and goes on"),
        "{:?} {}",
        said.code,
        said.err
    );
    let said = on_farm(&["jobs", "download", &job], &["-o", "out.exr", "--existing", "skip"]);
    assert_eq!(said.code, Some(7), "{}", said.err);

    let _node = Node::start(&place, &[]);
    let other = done(&submit, &["--yes", "--frames", "2", "--spp", "1"]).out.trim().to_owned();
    let ended = done(&["jobs", "wait", &job, &other], &["--json", "--timeout", "5m"]);
    let ended = objects(&ended);
    assert_eq!(ended.len(), 2);
    assert!(ended.iter().all(|job| job["status"] == "done" && job["has_holes"] == false));
    let node = objects(&done(&["nodes", "list", "--mine"], &["--json"])).remove(0);
    let name = node["name"].as_str().expect("a name");
    assert!(
        done(&["nodes", "show", name], &[]).out.contains("1 accepted")
            || node["accepted"].as_u64() > Some(1)
    );
    assert_eq!(on_farm(&["nodes", "show", "nobody"], &[]).code, Some(3));

    // Whoever is kept off the jobs is so until he is let back.
    let blocked = objects(&done(&["nodes", "block", name], &["--json"])).remove(0);
    assert_eq!((&blocked["blocked"], &blocked["is_node"]), (&node["node"], &true.into()));
    assert_eq!(objects(&done(&["nodes", "blocked"], &["--json"])), [blocked]);
    assert_eq!(on_farm(&["nodes", "unblock", "nobody"], &[]).code, Some(3));
    assert_eq!(done(&["nodes", "unblock", name], &["--json"]).out, "");

    // What jobs that are over were of may go; the films stay.
    let would = objects(&done(&["scenes", "gc", "--dry-run"], &["--json"])).remove(0);
    assert_eq!((&would["may_be_dropped"], &would["dropped"]), (&true.into(), &false.into()));
    let gone = objects(&done(&["scenes", "gc"], &["--json"])).remove(0);
    assert_eq!((&gone["scene"], &gone["dropped"]), (&pushed["scene"], &true.into()));
    let used = objects(&done(&["scenes", "list"], &["--json"])).remove(0);
    assert_eq!((&used["jobs"], &used["kept"]), (&2.into(), &false.into()));
    assert_eq!(done(&["scenes", "gc"], &["--json"]).out, "");
    assert_eq!(done(&["nodes", "list", "--backend", "gpu"], &["--json"]).out, "");

    // Who rendered a tile.
    let told =
        objects(&done(&["jobs", "logs", &job], &["--tile", "1,0", "--frame", "3", "--json"]));
    let events: Vec<&str> = told.iter().filter_map(|it| it["event"].as_str()).collect();
    assert_eq!(events, ["ordered", "accepted", "status"]);
    assert_eq!((&told[1]["tile"], &told[1]["frame"]), (&1.into(), &3.into()));
    assert_eq!(told[1]["node"], node["node"]);
    assert_eq!(on_farm(&["jobs", "logs", &job], &["--tile", "2,0"]).code, Some(3));

    // A part, then the rest, then nothing.
    fs::create_dir(place.path("out")).expect("a folder");
    let save = ["jobs", "download", &job, "-o", "out/s.exr", "--existing", "skip"];
    let saved = objects(&done(&save, &["--frames", "2-3", "--json"])).remove(0);
    assert_eq!(saved["files"].as_array().map(Vec::len), Some(2), "{saved}");
    let saved = objects(&done(&save, &["--json"])).remove(0);
    assert_eq!((saved["files"].as_array().map(Vec::len), &saved["skipped"]), (Some(2), &2.into()));
    let saved = objects(&done(&save, &["--json"])).remove(0);
    assert_eq!((saved["files"].as_array().map(Vec::len), &saved["skipped"]), (Some(0), &4.into()));
    let watch = ["jobs", "watch", &job, "-o", "out/w.png"];
    assert_eq!(done(&watch, &[]).out.lines().count(), 4);
    assert_eq!(on_farm(&["jobs", "download", &job], &["--frames", "9"]).code, Some(3));
    #[cfg(unix)]
    if std::process::Command::new("ffmpeg").arg("-version").output().is_ok() {
        let filmed = objects(&done(&save, &["--video", "square.mp4", "--json"])).remove(0);
        assert_eq!(filmed["video"], "square.mp4");
        assert!(place.path("square.mp4").is_file());
        let again = on_farm(&save, &["--video", "square.mp4"]);
        assert!(again.code == Some(1) && again.err.contains("such a video"), "{}", again.err);
        let one = on_farm(&["jobs", "download", &other, "-o", "o.exr"], &["--video", "o.mp4"]);
        assert!(one.code == Some(2) && one.err.contains("several frames"), "{}", one.err);
    }

    // What was ordered without its limit is not.
    let said = on_farm(&submit, &["--yes", "--max-cost", "nothing"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
}
