use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, PATIENCE};
use serde_json::{Value, json};

use crate::IMPATIENT;

/// A square before two cameras, one of them with a name that leads out of the folder.
fn scene(farm: &Farm) -> Result<PathBuf> {
    let corners: [[f32; 3]; 4] =
        [[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]];
    let indices: [u16; 6] = [0, 1, 2, 0, 2, 3];
    let mut buffer: Vec<u8> = corners.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    buffer.extend(indices.iter().flat_map(|index| index.to_le_bytes()));
    let camera = |name: &str, yfov: f32| {
        json!({ "name": name, "type": "perspective",
            "perspective": { "yfov": yfov, "znear": 0.1 } })
    };
    let document = json!({
        "asset": { "version": "2.0" },
        "scene": 0,
        "scenes": [{ "nodes": [0, 1, 2] }],
        "nodes": [
            { "mesh": 0 },
            { "camera": 0, "translation": [0.0, 0.0, 4.0] },
            { "camera": 1, "translation": [0.5, 0.3, 3.0] },
        ],
        "cameras": [camera("front", 0.7), camera("../up", 0.5)],
        "meshes": [{ "primitives": [{ "attributes": { "POSITION": 0 }, "indices": 1 }] }],
        "accessors": [
            { "bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3",
                "min": [-1.0, -1.0, 0.0], "max": [1.0, 1.0, 0.0] },
            { "bufferView": 1, "componentType": 5123, "count": 6, "type": "SCALAR" },
        ],
        "bufferViews": [
            { "buffer": 0, "byteLength": 48 },
            { "buffer": 0, "byteOffset": 48, "byteLength": 12 },
        ],
        "buffers": [{ "uri": "square.bin", "byteLength": buffer.len() }],
    });
    fs::write(farm.path("square.bin"), buffer)?;
    fs::write(farm.path("square.gltf"), document.to_string())?;
    Ok(farm.path("square.gltf"))
}

/// One job of two frames and two cameras, cropped and with overscan: four files, each that of a
/// local render of its frame and camera to the bit, each unit paid once.
#[test]
fn every_frame_of_every_camera_is_a_picture_of_its_own() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let scene = scene(&farm)?;
    let _nodes = (farm.start_node("one", &[])?, farm.start_node("two", &[])?);
    let picture = ["--size", "96x64", "--spp", "16", "--sky", "1", "--overscan", "4"];
    let crop = ["--crop", "-3,8,70x50"];
    let how = [&picture[..], &crop].concat();
    let job = [&how[..], &["--all-cameras", "--frames", "3-4", "--tile", "32"]].concat();
    let outcome = farm.submit(&scene, &job, "{frame}_x.exr")?.wait(PATIENCE)?;
    ensure!(outcome.code == Some(0), "the job failed:\n{outcome}");
    let ended: Value = outcome.objects()?.pop().context("no object")?;
    assert_eq!(ended["cameras"], json!(["front", "../up"]));
    // 70 x 50 pixels are three columns and two rows of tiles, each of one batch.
    assert_eq!((&ended["units"], &ended["incomplete"]), (&json!(24), &json!([])));
    let mut beauties = Vec::new();
    for (camera, word) in [("front", "front"), ("../up", "___up")] {
        for frame in ["3", "4"] {
            let options = [&how[..], &["--camera", camera, "--frame", frame]].concat();
            let ours = farm.render_here(&scene, &options, "here.exr")?;
            let name = farm.path(&format!("000{frame}_x.{word}.exr"));
            let theirs = farm_tests::read_picture(&name)?;
            assert_eq!((theirs.size, theirs.place), (ours.size, ours.place), "{name:?}");
            let share = film::compare::bit_equal_share(&ours, &theirs)?;
            ensure!(share >= 1.0, "{name:?}: only {share} of the pixels are a local render's");
            let said = film::read_exr_metadata(&name)?;
            assert_eq!(said.camera.as_deref(), Some(camera));
            assert_eq!(said.frame, frame.parse().ok());
            beauties.push(theirs.beauty);
        }
    }
    assert_eq!(ended["files"].as_array().map(Vec::len), Some(4));
    let different = |a: usize, b: usize| beauties[a] != beauties[b];
    assert!(different(0, 1) && different(0, 2) && different(2, 3), "no two are alike");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(24)
}
