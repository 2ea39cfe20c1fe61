use std::time::{Duration, Instant};

use crate::{imported, refusals, renders, step, template};

/// Refused within seconds.
fn soon(fields: &str, words: &str) {
    let template = template(fields);
    let began = Instant::now();
    let told = refusals(&template, &[]).join("\n");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}: {told}", began.elapsed());
    assert!(told.contains(words), "{words}: {told}");
    assert!(told.len() < 100_000, "{} bytes", told.len());
}

fn with_frames(range: &str, arguments: &str) -> String {
    let space = format!(
        "parameterSpace: {{taskParameterDefinitions: [{{name: F, type: INT, range: '{range}'}}]}}"
    );
    format!("steps: [{}]", step("A", arguments, &space))
}

#[test]
fn tasks_beyond_counting_are_refused() {
    let frame = "render, a.glb, --frame, '{{Task.Param.F}}'";
    soon(&with_frames("1-100001", frame), "more than 100000 tasks");
    soon(&with_frames("1-1000000000000000", frame), "more than 100000 tasks");
    soon(&with_frames("-5-5", frame), "names no frames");
    let names: Vec<String> = (b'A'..=b'P').map(|letter| char::from(letter).to_string()).collect();
    let many = names.iter().map(|name| format!("{{name: {name}, type: INT, range: '1-99999'}}"));
    let many = many.collect::<Vec<_>>().join(", ");
    let space = format!("parameterSpace: {{taskParameterDefinitions: [{many}]}}");
    let template = template(&format!("steps: [{}]", step("S", "render, a.glb", &space)));
    assert!(!refusals(&template, &[]).is_empty());
    assert_eq!(imported(&crate::template(&with_frames("1-100000", frame)), &[]).jobs.len(), 1);
}

#[test]
fn chunks_beyond_counting_are_refused() {
    let text = |constraint: &str| {
        format!(
            "
specificationVersion: jobtemplate-2023-09
extensions: [TASK_CHUNKING]
name: Shot
steps:
- name: Render
  parameterSpace:
    taskParameterDefinitions:
    - {{name: F, type: 'CHUNK[INT]', range: 1-1000000000000, chunks: {{defaultTaskCount: 10, rangeConstraint: {constraint}}}}}
  script:
    actions:
      onRun: {{command: tessera, args: [render, a.glb, --frames, '{{{{Task.Param.F}}}}']}}
"
        )
    };
    for constraint in ["CONTIGUOUS", "NONCONTIGUOUS"] {
        let template = openjd::Template::parse(&text(constraint), openjd::Format::Yaml);
        let began = Instant::now();
        let told = refusals(&template.expect("sound"), &[]);
        assert!(told[0].contains("more than 100000 tasks"), "{told:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}

#[test]
fn jobs_beyond_counting_are_refused() {
    soon(&with_frames("1-300", "render, a.glb, --seed, '{{Task.Param.F}}'"), "more than 256 jobs");
    let scattered: Vec<String> =
        (0..600).map(|number: u32| (number * number).to_string()).collect();
    soon(
        &format!(
            "steps: [{}]",
            step("A", &format!("render, a.glb, --frames, '{}'", scattered.join(",")), "")
        ),
        "more than 256 jobs",
    );
    soon(&with_frames("1-300", "encode, '{{Task.Param.F}}'"), "more than 256 jobs");
}

#[test]
fn long_arguments_again_and_again_are_refused() {
    let long = "x".repeat(500_000);
    soon(
        &with_frames("1-100000", &format!("render, a.glb, --frame, '{{{{Task.Param.F}}}}{long}'")),
        "names no frames",
    );
    soon(&with_frames("1-100000", &format!("encode, '{long}'")), "bytes; split the template");
    let spaces = " ".repeat(500_000);
    soon(
        &with_frames(
            "1-100000",
            &format!("render, a.glb, --frame, '{{{{Task.Param.F}}}}{spaces}'"),
        ),
        "bytes; split the template",
    );
}

#[test]
fn arguments_beyond_counting_are_refused() {
    let many = "--passes, ".repeat(90_000);
    soon(
        &format!("steps: [{}]", step("A", &format!("render, a.glb, {many}"), "")),
        "90001 arguments",
    );
    let many = "--passes, ".repeat(1_900);
    soon(&format!("steps: [{}]", step("A", &format!("render, a.glb, {many}"), "")), "twice");
    let frames: Vec<String> = (0..130).map(|number: u32| (number * number).to_string()).collect();
    let before = step("A", &format!("render, a.glb, --frames, '{}'", frames.join(",")), "");
    let after = step("B", "render, b.glb", "dependencies: [{dependsOn: A}]");
    soon(&format!("steps: [{before}, {after}]"), "step \"B\": it comes after 65 jobs");
}

#[test]
fn long_values_are_shown_in_part() {
    let long = "y".repeat(100_000);
    let told =
        refusals(&renders(&format!("render, a.glb, --size, {long}, '--{long}', '{long}'")), &[]);
    assert!(told.iter().all(|line| line.len() < 1_000), "{}", told[0].len());
    let odd = "'a\u{202e}b\u{7f}'";
    let template = openjd::Template::parse(
        &format!(
            "specificationVersion: jobtemplate-2023-09\nname: n\nsteps: [{}]",
            step("A", &format!("render, a.glb, --camera, {odd}, --size, {odd}"), "")
        ),
        openjd::Format::Yaml,
    );
    match template {
        Ok(template) => {
            let told = refusals(&template, &[]).join("");
            assert!(!told.contains(['\u{202e}', '\u{7f}']), "{told:?}");
        }
        Err(error) => assert!(!error.to_string().contains(['\u{202e}', '\u{7f}'])),
    }
}

#[test]
fn refusals_are_told_up_to_a_number() {
    let step = |number: u32| step(&format!("S{number}"), "paint", "");
    let steps: Vec<String> = (0..256).map(step).collect();
    let told = refusals(&template(&format!("steps: [{}]", steps.join(", "))), &[]);
    assert_eq!(told.len(), 100);
}
