use client::description::{BackendName, FrameNumbers, NeedsWords, Without};
use openjd::{ClientCommand, Format, ImportOptions, Template, read_values};

use crate::{imported, notes, renders, step, template, values};

fn frames(first: u32, last: u32, step: u32) -> Option<FrameNumbers> {
    Some(FrameNumbers { first, last, step })
}

#[test]
fn an_animation_is_a_job_with_a_range() {
    let template = template(
        "
parameterDefinitions:
- {name: Scene, type: PATH, objectType: FILE, dataFlow: IN, default: shots/shot_010.glb}
- {name: Frames, type: STRING, default: 1-240:2}
- {name: Samples, type: INT, default: 256}
steps:
- name: Render
  parameterSpace:
    taskParameterDefinitions: [{name: Frame, type: INT, range: '{{Param.Frames}}'}]
  script:
    actions:
      onRun:
        command: tessera
        args: [render, '{{Param.Scene}}', --camera, left, --camera=right, --size, 1920x1080,
          --samples, '{{Param.Samples}}', --frame, '{{Task.Param.Frame}}', --fps, 25, --passes,
          --noise, '0.01', --crop, '1,2,3x4', --overscan=2, -o, '{{Session.WorkingDirectory}}/a.exr']
",
    );
    let import = imported(&template, &[]);
    assert_eq!((import.name.as_str(), import.jobs.len()), ("Shot", 1));
    let job = &import.jobs[0];
    assert_eq!((job.step.as_str(), job.after.len()), ("Render", 0));
    let description = &job.description;
    assert_eq!(description.scene, "shots/shot_010.glb");
    assert_eq!(description.name.as_deref(), Some("Shot"));
    assert_eq!(description.cameras, ["left", "right"]);
    assert_eq!((description.size, description.samples), (Some([1920, 1080]), Some(256)));
    assert_eq!(description.frames, frames(1, 239, 2));
    assert_eq!((description.fps, description.passes), (Some(25.0), Some(true)));
    assert_eq!(description.noise.map(|noise| noise.min_samples), Some(32));
    assert_eq!(description.crop.map(|crop| (crop.x, crop.width)), Some((1, 3)));
    assert_eq!(notes(&import).len(), 1, "{:?}", notes(&import));
    assert!(notes(&import)[0].contains("ignored: --out"));

    let given = [("Frames", "5,7,9-10"), ("Samples", "16"), ("Scene", "/data/other.glb")];
    let import = imported(&template, &given);
    let ranges: Vec<_> = import.jobs.iter().map(|job| job.description.frames).collect();
    assert_eq!(ranges, [frames(5, 9, 2), frames(10, 10, 1)]);
    assert_eq!(import.jobs[0].description.scene, "/data/other.glb");
    assert_eq!(import.jobs[0].description.samples, Some(16));
}

#[test]
fn frames_are_named_in_many_ways() {
    let of = |arguments: &str| imported(&renders(arguments), &[]).jobs[0].description.frames;
    assert_eq!(of("render, a.glb"), None);
    assert_eq!(of("render, a.glb, --frame, 12"), frames(12, 12, 1));
    assert_eq!(of("render, a.glb, --frames, 1-240"), frames(1, 240, 1));
    assert_eq!(of("render, a.glb, --frames, 1-240, --step, 4"), frames(1, 237, 4));
    assert_eq!(of("render, a.glb, '--frames=0-9:3'"), frames(0, 9, 3));
}

#[test]
fn chunks_are_frames_like_others() {
    for (range, constraint) in [("1-100", "CONTIGUOUS"), ("[1, 5, 3]", "NONCONTIGUOUS")] {
        let text = format!(
            "
specificationVersion: jobtemplate-2023-09
extensions: [TASK_CHUNKING]
name: Shot
steps:
- name: Render
  parameterSpace:
    taskParameterDefinitions:
    - {{name: Frame, type: 'CHUNK[INT]', range: {range}, chunks: {{defaultTaskCount: 10, targetRuntimeSeconds: 60, rangeConstraint: {constraint}}}}}
  script:
    actions:
      onRun: {{command: tessera, args: [render, a.glb, --frames, '{{{{Task.Param.Frame}}}}']}}
"
        );
        let template = Template::parse(&text, Format::Yaml).expect("sound");
        let import = imported(&template, &[]);
        let expected = if range == "1-100" { frames(1, 100, 1) } else { frames(1, 5, 2) };
        assert_eq!(import.jobs.len(), 1);
        assert_eq!(import.jobs[0].description.frames, expected);
        assert!(notes(&import)[0].contains("the chunks are ignored"), "{:?}", notes(&import));
    }
}

#[test]
fn tasks_that_ask_for_other_things_are_other_jobs() {
    let space = |combination: &str| {
        format!(
            "parameterSpace: {{taskParameterDefinitions: [{{name: Frame, type: INT, range: '1-4'}}, {{name: Camera, type: STRING, range: [a, b, a, b]}}]{combination}}}"
        )
    };
    let arguments = "render, s.glb, --camera, '{{Task.Param.Camera}}', --frame, '{{Task.Param.Frame}}', '--out=/tmp/{{Task.Param.Frame}}.exr'";
    let jobs = |combination: &str| {
        let step = step("Render", arguments, &space(combination));
        let import = imported(&template(&format!("steps: [{step}]")), &[]);
        let same = notes(&import).into_iter().any(|note| note.contains("8 of the tasks"));
        let jobs = import.jobs.into_iter().map(|job| job.description);
        let jobs: Vec<_> = jobs.map(|job| (job.cameras.join(" "), job.frames)).collect();
        (jobs, same)
    };
    let of = |camera: &str, range| (camera.to_owned(), range);
    let product = vec![of("a", frames(1, 4, 1)), of("b", frames(1, 4, 1))];
    assert_eq!(jobs(""), (product, true));
    let pairs = vec![of("a", frames(1, 3, 2)), of("b", frames(2, 4, 2))];
    assert_eq!(jobs(", combination: '(Frame, Camera)'"), (pairs, false));
}

#[test]
fn dependencies_are_an_order_among_jobs_through_steps_of_the_client() {
    let after = |steps: &[&str]| {
        let steps: Vec<String> =
            steps.iter().map(|step| format!("{{dependsOn: {step}}}")).collect();
        format!("dependencies: [{}]", steps.join(", "))
    };
    let steps = [
        step("Film", "encode, frames, '--out=a.mp4'", &after(&["Clean", "Whole"])),
        step("Beauty", "render, b.glb, --frames, '1-2,5'", &after(&["Layout", "Clean"])),
        step("Clean", "denoise, frames", &after(&["Layout"])),
        step("Whole", "assemble", &after(&["Layout"])),
        step("Layout", "render, a.glb", ""),
    ];
    let import = imported(&template(&format!("steps: [{}]", steps.join(", "))), &[]);
    let jobs: Vec<_> = import.jobs.iter().map(|job| (job.step.as_str(), &job.after)).collect();
    assert_eq!(jobs, [("Layout", &vec![]), ("Beauty", &vec![0]), ("Beauty", &vec![0])]);
    assert_eq!(import.jobs[1].description.name.as_deref(), Some("Shot: Beauty"));
    let [clean, whole, film] = import.client_steps.as_slice() else {
        panic!("{:?}", import.client_steps)
    };
    assert_eq!((clean.command, whole.command), (ClientCommand::Denoise, ClientCommand::Assemble));
    assert_eq!(film.command, ClientCommand::Encode);
    assert_eq!(film.runs, [["frames", "--out=a.mp4"]]);
    assert_eq!((&clean.after_jobs, &film.after_jobs), (&vec![0], &vec![0]));
    assert_eq!(film.after_steps, [0, 1]);
    assert!(notes(&import).iter().any(|note| note.contains("waits for the step \"Clean\"")));
}

#[test]
fn runs_of_client_steps_have_their_arguments() {
    let space = "parameterSpace: {taskParameterDefinitions: [{name: F, type: INT, range: '1-3'}]}";
    let steps = [
        step("Render", "render, a.glb", ""),
        step("Each", "denoise, 'f.{{Task.Param.F}}.exr'", space),
        step("Once", "encode, f.exr", space),
    ];
    let import = imported(&template(&format!("steps: [{}]", steps.join(", "))), &[]);
    assert_eq!(import.client_steps[0].runs, [["f.1.exr"], ["f.2.exr"], ["f.3.exr"]]);
    assert_eq!(import.client_steps[1].runs, [["f.exr"]]);
    assert_eq!(import.jobs[0].description.name.as_deref(), Some("Shot"), "one step renders");
}

#[test]
fn requirements_are_needs_and_options_win() {
    let requirements = "hostRequirements: {amounts: [{name: amount.worker.gpu, min: 1}, {name: amount.worker.gpu.memory, min: 7000}, {name: amount.worker.vcpu, min: 4}], attributes: [{name: attr.tessera.pool, anyOf: [studio]}, {name: attr.worker.os.family, anyOf: [linux]}]}";
    let needs = |arguments: &str| {
        let step = step("Render", arguments, requirements);
        let import = imported(&template(&format!("steps: [{step}]")), &[]);
        assert_eq!(import.notes.len(), 2, "{:?}", notes(&import));
        import.jobs[0].description.needs.clone()
    };
    let asked = NeedsWords {
        pool: Some("studio".to_owned()),
        backend: Some(BackendName::Gpu),
        memory_gb: Some(8),
        ..NeedsWords::default()
    };
    assert_eq!(needs("render, a.glb"), Some(asked.clone()));
    let own = NeedsWords { pool: Some("own".to_owned()), only_mine: true, ..asked };
    assert_eq!(needs("render, a.glb, --pool, own, --only-mine"), Some(own));
}

#[test]
fn what_is_said_to_the_farm_are_options_or_parameters() {
    let template = template(&format!(
        "
parameterDefinitions:
- {{name: TesseraPriority, type: INT, default: 80}}
- {{name: TesseraStopAfter, type: STRING, default: 15m}}
- {{name: TesseraPaused, type: STRING, default: 'false'}}
- {{name: TesseraBid, type: STRING, default: ''}}
- {{name: TesseraPriorty, type: INT, default: 80}}
steps: [{}]",
        step("Render", "render, a.glb, --max-cost, '5', --priority, '7'", "")
    ));
    let import = imported(&template, &[("deadline:maxRetriesPerTask", "3")]);
    let job = &import.jobs[0].description;
    assert_eq!((job.priority, job.stop_after_s, job.paused), (Some(7), Some(900), Some(false)));
    assert_eq!((job.bid.as_deref(), job.max_cost.as_deref()), (None, Some("5")));
    let notes = notes(&import).join("\n");
    assert!(
        notes.contains("\"TesseraPriorty\"") && notes.contains("deadline:maxRetries"),
        "{notes}"
    );
    let names = |template: &Template| -> Vec<(String, bool)> {
        let parameters = template.parameters().into_iter();
        parameters.map(|parameter| (parameter.name, parameter.is_term)).collect()
    };
    assert_eq!(names(&template)[0], ("TesseraPriority".to_owned(), true));
    assert_eq!(names(&template)[4], ("TesseraPriorty".to_owned(), false));
}

#[test]
fn a_priority_of_deadline_cloud_is_read() {
    let of = |priority: &str| {
        let import = imported(&renders("render, a.glb"), &[("deadline:priority", priority)]);
        import.jobs[0].description.priority
    };
    assert_eq!((of("0"), of("50"), of("100")), (Some(1), Some(50), Some(100)));
}

#[test]
fn how_a_scene_is_read_comes_with_the_job() {
    let arguments = "render, a.glb, --env, ./sky/noon.hdr, --env-strength, '2', --animation, walk, --lamps, watts, --without, 'lamps,emission'";
    let import = imported(&renders(arguments), &[]);
    let scene = &import.jobs[0].scene_import;
    let around = scene.environment.as_ref().expect("an environment");
    assert_eq!((around.file.as_str(), around.strength), ("sky/noon.hdr", 2.0));
    assert_eq!(scene.animation.as_deref(), Some("walk"));
    assert_eq!(scene.without, [Without::Lamps, Without::Emission]);
}

#[test]
fn paths_that_are_given_are_of_the_folder_of_whoever_gives_them() {
    let template = template(&format!(
        "parameterDefinitions: [{{name: Scene, type: PATH, default: a.glb}}]\nsteps: [{}]",
        step("Render", "render, '{{Param.Scene}}'", "")
    ));
    let scene = |given: &[(&str, &str)], folder: Option<&str>| {
        let options = ImportOptions { folder: folder.map(Into::into), ..values(given) };
        template.import(&options).expect("sound").jobs[0].description.scene.clone()
    };
    assert_eq!(scene(&[], Some("/home/me")), "a.glb", "defaults are of the template's folder");
    assert_eq!(scene(&[("Scene", "b.glb")], Some("/home/me")), "/home/me/b.glb");
    assert_eq!(scene(&[("Scene", "../b.glb")], Some("/home/me")), "/home/me/../b.glb");
    assert_eq!(scene(&[("Scene", "/b.glb")], Some("/home/me")), "/b.glb");
    assert_eq!(scene(&[("Scene", "../b.glb")], None), "../b.glb");
}

#[test]
fn values_are_read_from_the_files_of_others() {
    let bundle = "parameterValues:\n- {name: Frames, value: 1-10}\n- {name: Samples, value: 16}\n";
    let read = read_values(bundle, Format::Yaml).expect("sound");
    assert_eq!(read["Frames"], "1-10");
    assert_eq!(read["Samples"], "16");
    let plain = read_values(r#"{"A": 1.5, "B": true}"#, Format::Json).expect("sound");
    assert_eq!((plain["A"].as_str(), plain["B"].as_str()), ("1.5", "true"));
    for bad in [r#"{"A": [1]}"#, r#"{"A": null}"#, r#"{"parameterValues": [{"name": "A"}]}"#, "[]"]
    {
        assert!(read_values(bad, Format::Json).is_err(), "{bad}");
    }
}

#[test]
fn the_example_of_the_documentation_is_what_is_said_of_it() {
    let docs = include_str!("../../../../docs/openjd.md");
    let text = docs.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let template = Template::parse(text.expect("an example"), Format::Yaml).expect("sound");
    let import = imported(&template, &[]);
    let [job] = import.jobs.as_slice() else { panic!("{:?}", import.jobs) };
    assert_eq!(job.description.frames, frames(1, 239, 2));
    assert_eq!(job.description.priority, Some(80));
    assert_eq!(job.description.name.as_deref(), Some("Shot 010"));
    let needs = job.description.needs.as_ref().expect("needs");
    assert_eq!((needs.pool.as_deref(), needs.backend), (Some("studio"), Some(BackendName::Gpu)));
    assert_eq!(import.client_steps[0].runs, [["frames", "--out", "shot_010.mp4"]]);
    assert_eq!(import.client_steps[0].after_jobs, [0]);
}
