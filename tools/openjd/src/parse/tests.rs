use std::time::{Duration, Instant};

use super::*;

/// A template of one sound step.
const SOUND: &str = "
specificationVersion: jobtemplate-2023-09
name: Shot
steps:
- name: Render
  script:
    actions:
      onRun: {command: tessera, args: [render, shot.glb]}
";

fn refused(text: &str, format: Format) -> String {
    job_template(text, format).expect_err("refused").to_string()
}

fn yaml(text: &str) -> String {
    refused(text, Format::Yaml)
}

/// Hostile texts are refused soon, in few words.
fn is_brief(text: &str, format: Format) -> String {
    let began = Instant::now();
    let message = refused(text, format);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}: {message}", began.elapsed());
    assert!(message.len() < 40_000, "{} bytes", message.len());
    assert!(!message.contains(|char: char| char.is_control()), "{message:?}");
    message
}

#[test]
fn a_template_is_read_from_yaml_and_from_json() {
    let job = job_template(SOUND, Format::Yaml).expect("sound");
    assert_eq!((job.name.raw(), job.steps.len()), ("Shot", 1));
    let json = serde_json::to_string(&object(SOUND, Format::Yaml).expect("an object"));
    let json = json.expect("writes");
    assert!(job_template(&json, Format::Json).is_ok());
    assert!(job_template(&json, Format::Yaml).is_ok(), "JSON is YAML");
    let marked = format!("\u{feff}{json}");
    assert!(job_template(&marked, Format::Json).is_ok(), "some editors mark the beginning");
}

#[test]
fn everything_that_breaks_the_specification_is_told_at_once() {
    let message = yaml(
        "
specificationVersion: jobtemplate-2023-09
name: ''
steps:
- name: A
  dependencies: [{dependsOn: B}]
  script: {actions: {onRun: {command: tessera, timeout: 0, args: ['{{Param.Nothing}}']}}}
",
    );
    for words in ["name: must not be empty", "steps[0] -> dependencies[0]", "timeout", "Nothing"] {
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn texts_that_are_no_templates_are_named_by_what_they_are_not() {
    assert!(refused("{", Format::Json).contains("no JSON"));
    assert!(refused("[1]", Format::Json).contains("no JSON with keys and values"));
    assert!(yaml("a: [").contains("no YAML"));
    assert!(yaml("").contains("no YAML"));
    assert!(yaml("just words").contains("no YAML"));
    assert!(yaml("a: 1").contains("specificationVersion"));
    let environment = "specificationVersion: environment-2023-09\nname: E\nsteps: []";
    assert!(yaml(environment).contains("not a Job Template"), "{}", yaml(environment));
    assert!(yaml("a: 1\na: 2").contains("no YAML"), "a key twice is no key");
    assert!(yaml("a: !include /etc/passwd").contains("specificationVersion"));
}

#[test]
fn extensions_that_compute_are_refused_by_name() {
    let with = |names: &str| format!("extensions: [{names}]{SOUND}");
    assert!(job_template(&with("TASK_CHUNKING, FEATURE_BUNDLE_1"), Format::Yaml).is_ok());
    let message = yaml(&with("EXPR, TASK_CHUNKING, NEW_ONE"));
    assert!(message.contains("\"EXPR\", \"NEW_ONE\""), "{message}");
}

#[test]
fn only_names_stand_between_braces() {
    let with = |name: &str| SOUND.replace("shot.glb", &format!("'{name}'"));
    for name in ["{{1 + 1}}", "{{ \"a\" * 99999999 }}", "{{Param.A.upper()}}", "{{(lambda: 1)()}}"]
    {
        assert!(yaml(&with(name)).contains("is no name"), "{name}: {}", yaml(&with(name)));
    }
    let long = format!("{{{{{}}}}}", "(".repeat(60_000));
    assert!(is_brief(&with(&long), Format::Yaml).contains("is no name"));
    let deep = format!("{{{{a{}}}}}", ".a".repeat(60_000));
    assert!(is_brief(&with(&deep), Format::Yaml).contains("is no name"));
    for unclosed in ["{{", "}}", "{{Param.A", "}} {{", "{{ }}"] {
        is_brief(&with(unclosed), Format::Yaml);
    }
    let many = "{{Param.A}}".repeat(5_000);
    is_brief(&with(&many), Format::Yaml);
}

#[test]
fn texts_that_would_take_memory_or_time_are_refused() {
    let long = " ".repeat(TEMPLATE_BYTES_MAX + 1);
    assert!(is_brief(&long, Format::Yaml).contains("1048577 bytes"));
    let nested = "[".repeat(500_000);
    is_brief(&format!("{{\"a\": {nested}"), Format::Json);
    is_brief(&format!("a: {nested}"), Format::Yaml);
    is_brief(&"{a: ".repeat(200_000), Format::Yaml);
    is_brief(&"- ".repeat(500_000), Format::Yaml);
    is_brief(&"? ".repeat(500_000), Format::Yaml);
    // Ten times ten times ten.
    let mut laughs = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        let line = format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", "));
        laughs.push_str(&line);
    }
    is_brief(&laughs, Format::Yaml);
    // One long text again and again.
    let text = "x".repeat(500_000);
    let again = "*a, ".repeat(100_000);
    is_brief(&format!("a: &a {text}\nb: [{again}]\n"), Format::Yaml);
    let few = "*a, ".repeat(90);
    is_brief(&format!("a: &a {text}\nb: [{few}]\n"), Format::Yaml);
    is_brief(&"a: b\n---\n".repeat(100_000), Format::Yaml);
    is_brief(&format!("a: {}", "&a ".repeat(300_000)), Format::Yaml);
    is_brief(&"<<: {a: 1}\n".repeat(80_000), Format::Yaml);
}

#[test]
fn many_steps_are_refused_and_so_are_circles() {
    let step = |name: usize, after: usize| {
        format!(
            "- {{name: S{name}, dependencies: [{{dependsOn: S{after}}}], script: {{actions: {{onRun: {{command: t}}}}}}}}\n"
        )
    };
    let head = "specificationVersion: jobtemplate-2023-09\nname: n\nsteps:\n";
    let many: String = (0..9_000).map(|name| step(name, name + 1)).collect();
    assert!(is_brief(&format!("{head}{many}"), Format::Yaml).contains("256 steps"));
    let circle = step(0, 1) + &step(1, 0);
    assert!(is_brief(&format!("{head}{circle}"), Format::Yaml).contains("cycle"));
}

#[test]
fn hostile_names_are_shown_and_change_nothing() {
    let bad = "\\u001b[2J\\u202e\\u0000";
    let json = |name: &str, step: &str, command: &str| {
        format!(
            r#"{{"specificationVersion": "jobtemplate-2023-09", "name": "{name}", "steps": [{{"name": "{step}", "script": {{"actions": {{"onRun": {{"command": "{command}"}}}}}}}}]}}"#
        )
    };
    for text in [json(bad, "S", "t"), json("n", bad, "t"), json("n", "S", bad)] {
        assert!(is_brief(&text, Format::Json).contains("control characters"));
    }
    is_brief(&json("n", &"ä".repeat(300_000), "t"), Format::Json);
    is_brief(&json("n", "S", &"x".repeat(500_000)), Format::Json);
    is_brief(&format!(r#"{{"specificationVersion": "{bad}"}}"#), Format::Json);
    is_brief(
        &format!(r#"{{"specificationVersion": "jobtemplate-2023-09", "{bad}": 1}}"#),
        Format::Json,
    );
}
