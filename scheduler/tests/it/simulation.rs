//! The large simulator on a small farm: it ends, nothing is lost, and it repeats itself.

use crate::simulate::{Farm, Report, Settings};

fn run(seed: u64) -> Report {
    let settings = Settings {
        nodes: 300,
        jobs: 8,
        seed,
        units_per_node: 12.0,
        checks_per_second: 60.0,
        cheats_percent: 3.0,
        newcomers_percent: 10.0,
        needs_percent: 40.0,
        verify_every: Some(500),
        ..Settings::default()
    };
    let mut farm = Farm::new(settings);
    farm.run();
    assert!(farm.all_done(), "seed {seed}: a job was not done");
    farm.verify();
    Report::of(&mut farm)
}

#[test]
fn a_seed_replays_to_the_same_decisions_and_another_does_not() {
    let report = run(1);
    assert_eq!(run(1).digest, report.digest);
    assert_ne!(run(2).digest, report.digest);
    let text = report.to_string();
    assert!(report.makespan_s >= report.ideal_s, "nobody is faster than the ideal:\n{text}");
    assert!(report.barred > 0, "cheats were caught:\n{text}");
    assert!(report.fairness[1] > 0.5, "honest nodes are paid for what they render:\n{text}");
}
