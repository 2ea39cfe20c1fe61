use std::path::{Path, PathBuf};

use openjd::{Format, Place, Template};

use crate::{imported, notes, refusals, renders, step, template};

/// As the public templates for Blender are built: a shell script around the program, with an
/// environment before it.
const BLENDER: &str = "
parameterDefinitions:
- {name: BlendFile, type: PATH, objectType: FILE, dataFlow: IN}
- {name: Frames, type: STRING, default: 1-10}
steps:
- name: RenderBlend
  stepEnvironments:
  - name: Conda
    variables: {QUIET: '1'}
    script:
      actions:
        onEnter: {command: bash, args: ['{{Env.File.Enter}}']}
        onExit: {command: bash, args: ['{{Env.File.Enter}}']}
      embeddedFiles: [{name: Enter, type: TEXT, data: echo}]
  parameterSpace:
    taskParameterDefinitions: [{name: Frame, type: INT, range: '{{Param.Frames}}'}]
  script:
    actions:
      onRun: {command: bash, args: ['{{Task.File.Run}}'], timeout: 600, cancelation: {mode: TERMINATE}}
    embeddedFiles:
    - {name: Run, type: TEXT, data: 'blender -b {{Param.BlendFile}} -f {{Task.Param.Frame}}'}
- name: Encode
  dependencies: [{dependsOn: RenderBlend}]
  script: {actions: {onRun: {command: /usr/bin/ffmpeg, args: [-i, a.png, a.mp4]}}}
";

#[test]
fn a_template_for_blender_is_refused_with_all_that_stands_in_the_way() {
    let told = refusals(&template(BLENDER), &[("BlendFile", "/shot.blend")]);
    assert_eq!(told.len(), 5, "{told:#?}");
    let line = |number: usize, words: &[&str]| {
        words.iter().for_each(|word| assert!(told[number].contains(word), "{word}: {told:#?}"));
    };
    line(0, &["step \"RenderBlend\", environment \"Conda\": its onEnter runs \"bash\""]);
    line(1, &["its onExit runs \"bash\"", "leave the environment out"]);
    line(2, &["step \"RenderBlend\", onRun, command \"bash\": it is not run"]);
    line(2, &["run no code of strangers", "allowed is `tessera`", "render SCENE"]);
    line(3, &["embedded files (\"Run\")"]);
    line(4, &["step \"Encode\", onRun, command \"/usr/bin/ffmpeg\": it is not run"]);
    // The same is known before there are values, and told beside those that are missing.
    assert_eq!(template(BLENDER).check().len(), 5);
    let told = refusals(&template(BLENDER), &[("Frame", "1")]);
    assert_eq!(told.len(), 7, "{told:#?}");
    assert!(told[0].contains("not defined in the template: Frame"), "{told:#?}");
    assert!(told[1].contains("Values missing for required job parameters: BlendFile"));
}

#[test]
fn scripts_in_short_form_are_scripts() {
    let text = "
specificationVersion: jobtemplate-2023-09
extensions: [FEATURE_BUNDLE_1]
name: Shot
steps: [{name: A, python: {script: 'print(1)'}}]";
    let template = openjd::Template::parse(text, openjd::Format::Yaml).expect("sound");
    let told = refusals(&template, &[]);
    assert!(
        told[0].starts_with("step \"A\", onRun, command \"python\": it is not run"),
        "{told:?}"
    );
}

#[test]
fn only_four_of_our_commands_are_allowed() {
    for (arguments, word) in [("jobs, submit, a.glb", "jobs"), ("'farm'", "farm"), ("''", "")] {
        let told = refusals(&renders(arguments), &[]);
        assert!(told[0].contains(&format!("`tessera {word}` is no work")), "{told:?}");
    }
    let bare = "steps: [{name: A, script: {actions: {onRun: {command: tessera}}}}]";
    assert!(refusals(&template(bare), &[])[0].contains("`tessera ` is no work"));
    for command in ["/bin/tessera", "tessera.exe", "./tessera", "Tessera", "tessera;ls"] {
        let bare = format!(
            "steps: [{{name: A, script: {{actions: {{onRun: {{command: '{command}', args: [render, a.glb]}}}}}}}}]"
        );
        let error = template(&bare).import(&Default::default()).expect_err(command);
        let place = Place::Action { step: "A".into(), action: "onRun", command: command.into() };
        assert_eq!(error.refusals()[0].place, place);
    }
}

#[test]
fn a_command_may_be_a_parameter_and_is_looked_at_all_the_same() {
    let template = template(
        "
parameterDefinitions: [{name: Program, type: STRING, default: tessera}]
steps: [{name: A, script: {actions: {onRun: {command: '{{Param.Program}}', args: [render, a.glb]}}}}]",
    );
    assert!(template.check().is_empty(), "not known yet");
    assert_eq!(imported(&template, &[]).jobs.len(), 1);
    assert!(refusals(&template, &[("Program", "rm")])[0].contains("command \"rm\": it is not run"));
}

#[test]
fn environments_with_variables_only_are_noted() {
    let fields = format!(
        "jobEnvironments: [{{name: Vars, variables: {{A: '1'}}}}]\nsteps: [{}]",
        step("Render", "render, a.glb", "")
    );
    let import = imported(&template(&fields), &[]);
    assert!(notes(&import)[0].contains("variables of the environment \"Vars\" are ignored"));
    let timed = "steps: [{name: A, script: {actions: {onRun: {command: tessera, args: [render, a.glb], timeout: 5, cancelation: {mode: NOTIFY_THEN_TERMINATE, notifyPeriodInSeconds: 9}}}}}]";
    let notes = notes(&imported(&template(timed), &[]));
    assert!(notes[0].contains("timeout is ignored"), "{notes:?}");
    assert!(notes[1].contains("cancelled is ignored"), "{notes:?}");
}

#[test]
fn what_is_wrong_with_arguments_is_told_with_their_values() {
    let check = |arguments: &str, words: &[&str]| {
        let told = refusals(&renders(&format!("render, {arguments}")), &[]).join("\n");
        words.iter().for_each(|word| assert!(told.contains(word), "{arguments}: {told}"));
    };
    check("--size, 4x4", &["needs a scene"]);
    check("a.glb, b.glb", &["one scene, and \"b.glb\""]);
    check("a.glb, --wrong, 5", &["no option \"--wrong\""]);
    check("a.glb, --size, 5", &["--size cannot be \"5\"; expected WIDTHxHEIGHT"]);
    check("a.glb, --size", &["--size needs a value"]);
    check("a.glb, --size, --passes", &["--size needs a value"]);
    check("a.glb, '--passes=1'", &["--passes takes no value, \"1\""]);
    check("a.glb, --spp, 4, --samples, 5", &["--spp cannot be taken", "twice"]);
    check("a.glb, --time, 5", &["--time cannot be taken", "--frame and --fps"]);
    check("a.glb, --key, secret", &["--key cannot be taken", "whoever orders"]);
    check("a.glb, --fstop, 2", &["need --focus"]);
    check("a.glb, --eye, '0,0,0'", &["--eye and --target"]);
    check("a.glb, --overscan, 5%", &["needs --size"]);
    check("a.glb, --min-samples, 5", &["needs --noise"]);
    check("a.glb, --frames, 5-1", &["\"5-1\" names no frames"]);
    check("a.glb, --frame, -3", &["names no frames"]);
    check("a.glb, --frames, 0-4294967295", &["4294967296 frames"]);
    check("a.glb, --step, 2", &["--step needs --frames"]);
    check("a.glb, --frames, 1-9, --step, 0", &["--step cannot be \"0\""]);
    check("a.glb, --noise, 7", &["noise.threshold"]);
    check("a.glb, --fps, 0", &["job: "]);
    check("a.glb, --camera, a, --camera, a", &["cameras: "]);
    check("a.glb, --camera, a, --eye, '0,0,1', --target, '0,0,0'", &["look_at: "]);
    check("a.glb, --pool, Not-So", &["needs.pool: "]);
    check("a.glb, --by, tomorrow", &["wanted_by: "]);
    check("a.glb, --bid, much", &["bid: "]);
    check("a.glb, --env, a.hdr, --sun-sky, '30,90'", &["not both"]);
    check("a.glb, --sun-sky, '91,0'", &["elevation"]);
    // All at once.
    check("--size, 5, --bounces, x, --frame, 1", &["needs a scene"]);
    check("a.glb, --size, 5, --bounces, x", &["--size cannot", "--bounces cannot"]);
}

#[test]
fn files_that_a_template_may_not_name_are_refused() {
    for scene in ["/etc/a.glb", "../a.glb", "'a/../../b.glb'", "'C:\\a.glb'", "'~/a.glb'"] {
        let told = refusals(&renders(&format!("render, {scene}")), &[]);
        assert!(told[0].contains("is not beside the template"), "{scene}: {told:?}");
    }
    let env = refusals(&renders("render, a.glb, --env, /a.hdr"), &[]);
    assert!(env[0].contains("is not beside the template"), "{env:?}");
    let session = refusals(&renders("render, '{{Session.WorkingDirectory}}/a.glb'"), &[]);
    assert!(session[0].contains("of a session on a worker"), "{session:?}");
    let of_default = template(&format!(
        "parameterDefinitions: [{{name: S, type: PATH, default: ../a.glb}}]\nsteps: [{}]",
        step("A", "render, '{{Param.S}}'", "")
    ));
    let told = refusals(&of_default, &[]);
    assert!(told[0].starts_with("parameter \"S\": the file \"../a.glb\""), "{told:?}");
    assert_eq!(imported(&of_default, &[("S", "../a.glb")]).jobs.len(), 1, "whoever imports may");
    // What is given is no way out for what the template adds.
    let added = template(&format!(
        "parameterDefinitions: [{{name: D, type: PATH}}]\nsteps: [{}]",
        step("A", "render, '{{Param.D}}/../../secret.glb'", "")
    ));
    let told = refusals(&added, &[("D", "/home/me/shots")]);
    assert!(told[0].contains("is not beside the template"), "{told:?}");
}

#[test]
fn requirements_of_other_farms_are_refused() {
    let fields = format!(
        "steps: [{}]",
        step(
            "A",
            "render, a.glb",
            "hostRequirements: {attributes: [{name: attr.custom.licence, anyOf: [nuke]}]}"
        )
    );
    let told = refusals(&template(&fields), &[]);
    assert!(told[0].starts_with("step \"A\": the requirement \"attr.custom.licence\""), "{told:?}");
}

#[test]
fn every_step_tells_its_own_problem() {
    let steps = [
        step("A", "render, a.glb, --size, x", ""),
        step(
            "B",
            "render, b.glb, --frame, '{{Task.Param.F}}'",
            "parameterSpace: {taskParameterDefinitions: [{name: F, type: INT, range: '{{Param.R}}'}]}",
        ),
        step(
            "C",
            "render, c.glb, '{{Task.Param.O}}', '4'",
            "parameterSpace: {taskParameterDefinitions: [{name: O, type: STRING, range: [--spp, --seed]}]}",
        ),
        step("D", "paint", ""),
        step("E", "render, e.glb", ""),
    ];
    let fields = format!(
        "parameterDefinitions: [{{name: R, type: STRING, default: '9-1'}}]\nsteps: [{}]",
        steps.join(", ")
    );
    let told = refusals(&template(&fields), &[]);
    assert_eq!(told.len(), 4, "{told:#?}");
    for (line, name) in told.iter().zip(["A", "B", "C", "D"]) {
        assert!(line.starts_with(&format!("step \"{name}\"")), "{told:#?}");
    }
    assert!(told[2].contains("another option's name in each task"), "{told:#?}");
}

/// Files under a folder, links not followed.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"))
    {
        match entry.file_type().expect("a type").is_dir() {
            true => files(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

/// With `OPENJD_SAMPLES` set to a folder of other people's templates: none of them can be had here,
/// and each is told why.
#[test]
fn the_public_samples_are_refused_with_their_commands() {
    let Some(folder) = std::env::var_os("OPENJD_SAMPLES") else { return };
    let mut found = Vec::new();
    files(Path::new(&folder), &mut found);
    for path in found {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        match Template::parse(&text, Format::of_path(&path)) {
            Ok(template) => {
                let refusals = template.check();
                println!("{}", path.display());
                refusals.iter().for_each(|refusal| println!("    {refusal}"));
                assert!(!refusals.is_empty(), "{}", path.display());
                assert!(template.import(&Default::default()).is_err());
            }
            Err(error) => println!("{}\n  no template: {error}", path.display()),
        }
    }
}
