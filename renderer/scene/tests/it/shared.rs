//! Real scenes that others made, where they are at hand: `../shared/scenes` beside the workspace.

use std::path::{Path, PathBuf};

use scene::{ImportError, ImportOptions, import, pack, unpack};

fn scenes() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/scenes");
    let Ok(folders) = std::fs::read_dir(&folder) else { return Vec::new() };
    let mut scenes: Vec<PathBuf> = folders
        .flatten()
        .filter_map(|folder| std::fs::read_dir(folder.path()).ok())
        .flat_map(|files| files.flatten().map(|file| file.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "glb" || end == "gltf"))
        .collect();
    scenes.sort();
    scenes
}

#[test]
fn real_scenes_import_and_travel() {
    let scenes = scenes();
    if scenes.is_empty() {
        println!("skipped: no scenes in ../shared/scenes beside the workspace");
        return;
    }
    for path in scenes {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match import(&path, &ImportOptions::default()) {
            Ok(imported) => {
                let package = pack(&imported.scene);
                let again = unpack(package.bytes()).expect(&name);
                assert_eq!(again, imported.scene, "{name}");
                assert_eq!(pack(&again).id(), package.id(), "{name}");
                let report = &imported.report;
                println!(
                    "{name}: {} triangles, {} textures, {} warnings",
                    report.triangles,
                    report.textures,
                    report.warnings.len()
                );
            }
            // A file may require what is not built yet; it says so by name.
            Err(ImportError::RequiredExtensions { names }) => {
                println!("{name}: requires {}", names.join(", "));
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn real_animations_are_whole() {
    // Channels, joints, morph targets, and what the report says.
    let wanted = [
        ("Fox.glb", [21, 24, 0], "the animation Survey is played; others are left out: Walk, Run"),
        ("CesiumMan.glb", [57, 19, 0], "joint weights of mesh Cesium_Man do not sum to 1"),
        ("AnimatedCube.gltf", [1, 0, 0], ""),
        ("AnimatedMorphCube.glb", [1, 0, 2], ""),
    ];
    let scenes = scenes();
    for (name, counts, warning) in wanted {
        let Some(path) = scenes.iter().find(|path| path.ends_with(name)) else {
            println!("skipped: {name} is not in ../shared/scenes beside the workspace");
            continue;
        };
        let imported = import(path, &ImportOptions::default()).expect(name);
        let scene = &imported.scene;
        let joints = scene.skins.iter().map(|skin| skin.joints.len()).sum();
        let targets = scene.meshes.iter().map(scene::Mesh::target_count).sum();
        assert_eq!([scene.channels.len(), joints, targets], counts, "{name}");
        let bent = scene.bent_nodes().into_iter().filter(|bent| *bent).count();
        assert_eq!(bent, usize::from(joints + targets > 0), "{name}");
        let warnings: Vec<String> =
            imported.report.warnings.iter().map(ToString::to_string).collect();
        let said = warnings.iter().filter(|text| text.contains(warning)).count();
        assert_eq!(
            (warnings.len(), said),
            (said, usize::from(!warning.is_empty())),
            "{warnings:?}"
        );
    }
}
