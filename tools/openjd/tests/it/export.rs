use client::description::NeedsWords;
use client::{Description, SceneImport};
use openjd::{ExportError, Format, Template, export};

use crate::{imported, values};

fn still(scene: &str) -> Description {
    Description { scene: scene.to_owned(), ..Description::default() }
}

fn text(description: &Description) -> String {
    export(description, &SceneImport::default(), None).expect("sound").to_json()
}

#[test]
fn a_still_is_a_template_that_renders_it() {
    let template: serde_json::Value =
        serde_json::from_str(&text(&still("shots/a.glb"))).expect("JSON");
    assert_eq!(template["specificationVersion"], "jobtemplate-2023-09");
    assert_eq!(template["name"], "a");
    let step = &template["steps"][0];
    assert!(step.get("parameterSpace").is_none() && step.get("hostRequirements").is_none());
    let run = &step["script"]["actions"]["onRun"];
    assert_eq!(run["command"], "tessera");
    let arguments =
        serde_json::json!(["render", "{{Param.Scene}}", "--out", "{{Param.OutputDir}}/a.exr"]);
    assert_eq!(run["args"], arguments);
    assert_eq!(template["parameterDefinitions"][0]["default"], "shots/a.glb");
}

#[test]
fn a_scene_outside_the_folder_is_for_whoever_uses_it() {
    for path in ["/data/a.glb", "../a.glb"] {
        let export = export(&still(path), &SceneImport::default(), None).expect("sound");
        assert_eq!(export.given, [("Scene".to_owned(), path.to_owned())]);
        let template = Template::parse(&export.to_json(), Format::Json).expect("sound");
        assert!(template.import(&values(&[])).is_err(), "it needs its scene");
        assert_eq!(imported(&template, &[("Scene", path)]).jobs[0].description, still(path));
    }
    let named = export(&still("scn_0a"), &SceneImport::default(), Some("a.glb")).expect("sound");
    assert!(named.given.is_empty());
}

#[test]
fn what_is_no_template_is_not_written() {
    let error = |description: &Description| {
        export(description, &SceneImport::default(), None).expect_err("refused")
    };
    assert_eq!(error(&still("scn_0a")), ExportError::NoFile("scn_0a".to_owned()));
    assert_eq!(error(&still("")), ExportError::NoFile(String::new()));
    let bad = Description { samples: Some(0), ..still("a.glb") };
    assert!(matches!(error(&bad), ExportError::Description(_)));
    let after = vec![format!("job_{}", "0".repeat(32)); 64];
    let long = error(&Description { after, ..still("a.glb") });
    assert!(matches!(long, ExportError::TooLong { .. } | ExportError::Description(_)), "{long:?}");
    let key = format!("key_{}", "0".repeat(64));
    let owners = (0..20).map(|_| key.clone()).collect();
    let needs = Some(NeedsWords { owners, ..NeedsWords::default() });
    let long = error(&Description { needs, ..still("a.glb") });
    assert!(long.to_string().contains("TesseraOwners"), "{long}");
    let cameras = (0..32).map(|number| format!("{{{{{number}}}}}")).collect();
    let many = Description { cameras, ..still("a.glb") };
    assert!(export(&many, &SceneImport::default(), None).is_ok());
}
