//! Small glTF files, made in memory.

use serde_json::{Value, json};

/// A file under construction: JSON and a buffer.
pub struct Build {
    pub json: Value,
    pub buffer: Vec<u8>,
}

impl Build {
    /// A scene of nothing.
    pub fn new() -> Self {
        let json = json!({
            "asset": { "version": "2.0" },
            "scenes": [{ "nodes": [] }],
            "nodes": [], "meshes": [], "materials": [], "accessors": [], "bufferViews": [],
            "textures": [], "images": [], "samplers": [], "cameras": [],
            "skins": [], "animations": [],
        });
        Self { json, buffer: Vec::new() }
    }

    /// A file that is there, to be changed.
    pub fn open(glb: &[u8]) -> Self {
        let length = u32::from_le_bytes(glb[12..16].try_into().expect("4 bytes")) as usize;
        let json = serde_json::from_slice(&glb[20..20 + length]).expect("JSON");
        Self { json, buffer: glb[28 + length..].to_vec() }
    }

    /// Appends to one of the root's lists.
    pub fn push(&mut self, list: &str, value: Value) -> usize {
        let list = self.json[list].as_array_mut().expect("a list of the root");
        list.push(value);
        list.len() - 1
    }

    /// Appends a node that is a root of the scene.
    pub fn root_node(&mut self, value: Value) -> usize {
        let node = self.push("nodes", value);
        let roots = self.json["scenes"][0]["nodes"].as_array_mut().expect("the scene's nodes");
        roots.push(json!(node));
        node
    }

    /// Appends bytes as a buffer view.
    pub fn view(&mut self, bytes: &[u8]) -> usize {
        while !self.buffer.len().is_multiple_of(4) {
            self.buffer.push(0);
        }
        let offset = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        self.push(
            "bufferViews",
            json!({ "buffer": 0, "byteOffset": offset, "byteLength": bytes.len() }),
        )
    }

    /// Appends floats as an accessor.
    pub fn floats<const N: usize>(&mut self, values: &[[f32; N]]) -> usize {
        let bytes: Vec<u8> =
            values.as_flattened().iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = self.view(&bytes);
        let kind = ["SCALAR", "VEC2", "VEC3", "VEC4", "MAT4"][N.min(5) - 1];
        self.push(
            "accessors",
            json!({ "bufferView": view, "componentType": 5126, "count": values.len(), "type": kind }),
        )
    }

    /// Appends 16-bit indices as an accessor.
    pub fn indices(&mut self, values: &[u16]) -> usize {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = self.view(&bytes);
        self.push(
            "accessors",
            json!({ "bufferView": view, "componentType": 5123, "count": values.len(),
                    "type": "SCALAR" }),
        )
    }

    /// Appends four joints a vertex as an accessor of bytes.
    pub fn joints(&mut self, values: &[[u8; 4]]) -> usize {
        let view = self.view(values.as_flattened());
        self.push(
            "accessors",
            json!({ "bufferView": view, "componentType": 5121, "count": values.len(),
                    "type": "VEC4" }),
        )
    }

    /// Appends an image of 4×4 pixels and a texture of it.
    pub fn texture(&mut self) -> usize {
        let mut pixels = image::RgbaImage::new(4, 4);
        for (x, y, pixel) in pixels.enumerate_pixels_mut() {
            *pixel = image::Rgba([60 * x as u8, 60 * y as u8, 128, 255]);
        }
        let mut bytes = Vec::new();
        pixels
            .write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png)
            .expect("PNG of 4x4 pixels");
        let view = self.view(&bytes);
        let image = self.push("images", json!({ "bufferView": view, "mimeType": "image/png" }));
        self.push("textures", json!({ "source": image }))
    }

    /// Appends a square as a mesh; `more` is merged into its primitive.
    pub fn square(&mut self, more: Value) -> usize {
        let positions =
            self.floats(&[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]);
        let uvs = self.floats(&[[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]);
        let indices = self.indices(&[0, 1, 2, 0, 2, 3]);
        let mut primitive = json!({
            "attributes": { "POSITION": positions, "TEXCOORD_0": uvs },
            "indices": indices,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            primitive[key.as_str()] = value.clone();
        }
        self.push("meshes", json!({ "name": "square", "primitives": [primitive] }))
    }

    /// The file as `.glb`.
    pub fn glb(mut self) -> Vec<u8> {
        // Buffers behind the file's own stay as they are.
        let mut buffers = self.json["buffers"].as_array().cloned().unwrap_or(vec![Value::Null]);
        buffers[0] = json!({ "byteLength": self.buffer.len() });
        self.json["buffers"] = json!(buffers);
        let mut json = self.json.to_string().into_bytes();
        while !json.len().is_multiple_of(4) {
            json.push(b' ');
        }
        while !self.buffer.len().is_multiple_of(4) {
            self.buffer.push(0);
        }
        let length = 12 + 8 + json.len() + 8 + self.buffer.len();
        let word = |value: usize| u32::try_from(value).expect("small").to_le_bytes();
        let mut glb = Vec::new();
        glb.extend_from_slice(b"glTF");
        glb.extend(word(2));
        glb.extend(word(length));
        glb.extend(word(json.len()));
        glb.extend_from_slice(b"JSON");
        glb.extend(json);
        glb.extend(word(self.buffer.len()));
        glb.extend_from_slice(b"BIN\0");
        glb.extend(self.buffer);
        glb
    }

    /// The file as `.gltf` whose buffer lies beside it under `uri`.
    pub fn gltf(mut self, uri: &str) -> (Vec<u8>, Vec<u8>) {
        self.json["buffers"] = json!([{ "byteLength": self.buffer.len(), "uri": uri }]);
        (self.json.to_string().into_bytes(), self.buffer)
    }
}

/// A file that uses about everything that is read.
pub fn rich() -> Build {
    let mut build = Build::new();
    build.json["extensionsUsed"] =
        json!(["KHR_lights_punctual", "KHR_texture_transform", "KHR_materials_emissive_strength"]);
    let texture = build.texture();
    build.push("samplers", json!({ "magFilter": 9728, "wrapS": 33071, "wrapT": 33648 }));
    build.json["textures"][texture]["sampler"] = json!(0);
    let moved = json!({ "index": texture, "texCoord": 1, "extensions": { "KHR_texture_transform":
        { "offset": [0.1, 0.2], "rotation": 0.3, "scale": [2.0, 3.0], "texCoord": 0 } } });
    let material = build.push(
        "materials",
        json!({
            "name": "everything",
            "pbrMetallicRoughness": {
                "baseColorFactor": [0.5, 0.6, 0.7, 0.8], "baseColorTexture": moved,
                "metallicFactor": 0.25, "roughnessFactor": 0.75,
                "metallicRoughnessTexture": { "index": texture },
            },
            "normalTexture": { "index": texture, "scale": 0.5 },
            "emissiveTexture": { "index": texture },
            "emissiveFactor": [1.0, 0.5, 0.25],
            "alphaMode": "MASK", "alphaCutoff": 0.3, "doubleSided": true,
            "extensions": { "KHR_materials_emissive_strength": { "emissiveStrength": 4.0 } },
        }),
    );
    let mesh = build.square(json!({ "material": material }));
    let colors = build.floats(&[[0.5, 0.5, 0.5]; 4]);
    build.json["meshes"][mesh]["primitives"][0]["attributes"]["COLOR_0"] = json!(colors);
    build.json["extensions"]["KHR_lights_punctual"]["lights"] = json!([
        { "type": "directional", "color": [1.0, 0.5, 0.25], "intensity": 3.0 },
        { "type": "point", "name": "bulb", "range": 5.0 },
        { "type": "spot", "spot": { "innerConeAngle": 0.1, "outerConeAngle": 0.4 } },
    ]);
    let camera = build.push(
        "cameras",
        json!({ "type": "perspective", "perspective": { "yfov": 0.8, "znear": 0.1 } }),
    );
    let child = build.push(
        "nodes",
        json!({ "name": "child", "mesh": mesh, "matrix":
            [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 1, 2, 3, 1] }),
    );
    let eye = build.push("nodes", json!({ "name": "hero", "camera": camera }));
    let lamp = |index: u32| json!({ "extensions": { "KHR_lights_punctual": { "light": index } } });
    for index in 0..3 {
        build.root_node(lamp(index));
    }
    build.root_node(json!({
        "name": "parent", "children": [child, eye],
        "translation": [1, 0, 0], "rotation": [0, 0.6, 0, 0.8], "scale": [1, 2, 1],
    }));
    build
}

/// The matrix that moves by a vector.
pub fn moved_by([x, y, z]: [f32; 3]) -> [f32; 16] {
    [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, x, y, z, 1.0]
}

/// A file of everything that moves: a bent and morphed square on two bones, and a channel of each
/// kind. Nodes: 0 the square, 1 the lower bone, 2 the upper one.
pub fn moving() -> Build {
    let mut build = Build::new();
    let joints = build.joints(&[[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 9, 0], [0, 1, 0, 9]]);
    let weights = build.floats(&[
        [1.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0],
        [0.25, 0.75, 0.0, 0.0],
    ]);
    let raised = build.floats(&[[0.0, 0.0, 1.0]; 4]);
    let tilted = build.floats(&[[0.5, 0.0, 0.0]; 4]);
    let mesh = build.square(json!({ "targets": [
        { "POSITION": raised }, { "POSITION": raised, "NORMAL": tilted },
    ] }));
    build.json["meshes"][mesh]["weights"] = json!([0.25, 0.5]);
    let normals = build.floats(&[[0.0, 0.0, 1.0]; 4]);
    let attributes = &mut build.json["meshes"][mesh]["primitives"][0]["attributes"];
    attributes["JOINTS_0"] = json!(joints);
    attributes["WEIGHTS_0"] = json!(weights);
    attributes["NORMAL"] = json!(normals);
    build.root_node(json!({ "name": "square", "mesh": mesh, "skin": 0 }));
    build.root_node(json!({ "name": "lower", "children": [2] }));
    build.push("nodes", json!({ "name": "upper", "translation": [0, 1, 0] }));
    let binds = build.floats(&[moved_by([0.0; 3]), moved_by([0.0, -1.0, 0.0])]);
    build.push("skins", json!({ "name": "bones", "inverseBindMatrices": binds, "joints": [1, 2] }));

    let times = build.floats(&[[0.0], [1.0]]);
    let turn = build.floats(&[[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.6, 0.8]]);
    let way = build.floats(&[[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]]);
    let shapes = build.floats(&[[0.5]; 12]);
    let channel = |sampler: usize, node: usize, path: &str| json!({ "sampler": sampler, "target": { "node": node, "path": path } });
    build.push(
        "animations",
        json!({
            "name": "wave",
            "samplers": [
                { "input": times, "output": turn },
                { "input": times, "output": way, "interpolation": "STEP" },
                { "input": times, "output": shapes, "interpolation": "CUBICSPLINE" },
            ],
            "channels": [
                channel(0, 2, "rotation"), channel(1, 1, "translation"), channel(1, 1, "scale"),
                channel(2, 0, "weights"),
            ],
        }),
    );
    build
}
