//! A scene that takes its time on a slow line.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use farm_tests::Farm;
use serde_json::json;

/// Triangles strewn over a square before the camera: 48 bytes each in the file.
pub fn scene(farm: &Farm, triangles: u32) -> Result<PathBuf> {
    let mut state = 7_u64;
    let mut random = || {
        // A linear congruence (Knuth): bytes that no packing makes fewer.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let mut buffer = Vec::new();
    for _triangle in 0..triangles {
        let at = [random() * 2.0 - 1.0, random() * 2.0 - 1.0, random() * 0.2];
        for _corner in 0..3 {
            let corner = at.map(|it| it + 0.02 * random());
            buffer.extend(corner.iter().flat_map(|it| it.to_le_bytes()));
        }
    }
    let positions = buffer.len();
    buffer.extend((0..3 * triangles).flat_map(u32::to_le_bytes));
    let document = json!({
        "asset": { "version": "2.0" },
        "scene": 0,
        "scenes": [{ "nodes": [0, 1] }],
        "nodes": [{ "mesh": 0 }, { "camera": 0, "translation": [0.0, 0.0, 4.0] }],
        "cameras": [{ "type": "perspective", "perspective": { "yfov": 0.7, "znear": 0.1 } }],
        "meshes": [{ "primitives": [{ "attributes": { "POSITION": 0 }, "indices": 1 }] }],
        "accessors": [
            { "bufferView": 0, "componentType": 5126, "count": 3 * triangles, "type": "VEC3",
                "min": [-1.0, -1.0, 0.0], "max": [1.02, 1.02, 0.22] },
            { "bufferView": 1, "componentType": 5125, "count": 3 * triangles, "type": "SCALAR" },
        ],
        "bufferViews": [
            { "buffer": 0, "byteLength": positions },
            { "buffer": 0, "byteOffset": positions, "byteLength": buffer.len() - positions },
        ],
        "buffers": [{ "uri": "strewn.bin", "byteLength": buffer.len() }],
    });
    fs::write(farm.path("strewn.bin"), buffer)?;
    fs::write(farm.path("strewn.gltf"), document.to_string())?;
    Ok(farm.path("strewn.gltf"))
}
