//! Writing binary glTF: quantised meshes, PNG textures, materials, lights, nodes.

use glam::{Quat, Vec3};
use serde_json::{Map, Value, json};

use super::shape::Surface;

/// A binary glTF under construction.
pub struct Glb {
    lists: Map<String, Value>,
    buffer: Vec<u8>,
    /// Metres of a mesh's full `i16` range, by mesh.
    extents: Vec<f32>,
}

/// Index of a mesh.
#[derive(Clone, Copy)]
pub struct MeshId(usize);

/// Index of a material.
#[derive(Clone, Copy)]
pub struct MaterialId(usize);

/// Where a node stands.
#[derive(Clone, Copy)]
pub struct Place {
    pub at: Vec3,
    pub turn: Quat,
    pub size: f32,
}

impl Place {
    pub fn at(x: f32, y: f32, z: f32) -> Self {
        Self { at: Vec3::new(x, y, z), turn: Quat::IDENTITY, size: 1.0 }
    }

    pub fn turned(self, turn: Quat) -> Self {
        Self { turn, ..self }
    }

    pub fn sized(self, size: f32) -> Self {
        Self { size, ..self }
    }
}

impl Glb {
    pub fn new(name: &str) -> Self {
        let mut lists = Map::new();
        let generator = "cargo xtask assets (Tessera)";
        lists.insert(
            "asset".to_owned(),
            json!({ "version": "2.0", "generator": generator, "copyright": "CC0 1.0" }),
        );
        lists.insert("scene".to_owned(), json!(0));
        lists.insert("scenes".to_owned(), json!([{ "name": name, "nodes": [] }]));
        Self { lists, buffer: Vec::new(), extents: Vec::new() }
    }

    fn push(&mut self, list: &str, value: Value) -> usize {
        let list = self.lists.entry(list).or_insert_with(|| json!([]));
        let list = list.as_array_mut().expect("invariant: only lists are pushed to");
        list.push(value);
        list.len() - 1
    }

    fn view(&mut self, bytes: &[u8], stride: Option<usize>) -> usize {
        self.buffer.resize(self.buffer.len().next_multiple_of(4), 0);
        let offset = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        let mut view = json!({ "buffer": 0, "byteOffset": offset, "byteLength": bytes.len() });
        if let Some(stride) = stride {
            view["byteStride"] = json!(stride);
        }
        self.push("bufferViews", view)
    }

    /// A PNG texture, repeated and interpolated.
    pub fn texture(&mut self, name: &str, png: &[u8]) -> usize {
        let view = self.view(png, None);
        let image = json!({ "name": name, "bufferView": view, "mimeType": "image/png" });
        let image = self.push("images", image);
        self.push("textures", json!({ "source": image }))
    }

    /// A material as glTF writes it; factors with their defaults left out.
    pub fn material(&mut self, name: &str, mut value: Value) -> MaterialId {
        value["name"] = json!(name);
        MaterialId(self.push("materials", value))
    }

    /// A mesh with one primitive for every surface.
    pub fn mesh(&mut self, name: &str, parts: &[(&Surface, MaterialId)]) -> MeshId {
        let corners = parts.iter().flat_map(|(surface, _)| &surface.positions);
        let extent = corners.fold(1e-6_f32, |extent, at| extent.max(at.abs().max_element()));
        let primitives: Vec<Value> = parts
            .iter()
            .map(|(surface, material)| self.primitive(surface, *material, extent))
            .collect();
        self.extents.push(extent);
        MeshId(self.push("meshes", json!({ "name": name, "primitives": primitives })))
    }

    /// The same shape of another material: it shares the first one's vertices.
    pub fn recolored(&mut self, name: &str, mesh: MeshId, material: MaterialId) -> MeshId {
        let mut copy = self.lists["meshes"][mesh.0].clone();
        copy["name"] = json!(name);
        for primitive in copy["primitives"].as_array_mut().into_iter().flatten() {
            primitive["material"] = json!(material.0);
        }
        self.extents.push(self.extents[mesh.0]);
        MeshId(self.push("meshes", copy))
    }

    fn primitive(&mut self, surface: &Surface, material: MaterialId, extent: f32) -> Value {
        let count = surface.positions.len();
        assert_eq!(surface.normals.len(), count);
        let step = |at: f32| (at / extent * 32_767.0).round() as i16;
        let positions: Vec<[i16; 4]> =
            surface.positions.iter().map(|at| [step(at.x), step(at.y), step(at.z), 0]).collect();
        let low = |axis: usize| positions.iter().map(|at| at[axis]).min().unwrap_or_default();
        let high = |axis: usize| positions.iter().map(|at| at[axis]).max().unwrap_or_default();
        let (min, max) = ([0, 1, 2].map(low), [0, 1, 2].map(high));
        let bytes: Vec<u8> = words(positions.as_flattened());
        let view = self.view(&bytes, Some(8));
        let positions = self.push(
            "accessors",
            json!({ "bufferView": view, "componentType": 5122, "count": count, "type": "VEC3",
                    "min": min, "max": max }),
        );
        let mut attributes = json!({ "POSITION": positions, "NORMAL": self.normals(surface) });
        if !surface.uvs.is_empty() {
            assert_eq!(surface.uvs.len(), count);
            let bytes: Vec<u8> = surface
                .uvs
                .iter()
                .flat_map(|uv| [uv.x, uv.y])
                .flat_map(|value| ((value * 4096.0).round() / 4096.0).to_le_bytes())
                .collect();
            let view = self.view(&bytes, Some(8));
            let uvs = json!({ "bufferView": view, "componentType": 5126, "count": count,
                              "type": "VEC2" });
            attributes["TEXCOORD_0"] = json!(self.push("accessors", uvs));
        }
        if !surface.colors.is_empty() {
            assert_eq!(surface.colors.len(), count);
            let view = self.view(surface.colors.as_flattened(), Some(4));
            let colors = json!({ "bufferView": view, "componentType": 5121, "normalized": true,
                                 "count": count, "type": "VEC4" });
            attributes["COLOR_0"] = json!(self.push("accessors", colors));
        }
        let indices = self.indices(surface);
        json!({ "attributes": attributes, "indices": indices, "material": material.0 })
    }

    fn normals(&mut self, surface: &Surface) -> usize {
        let count = surface.normals.len();
        let (view, kind) = if surface.coarse_normals {
            let step = |value: f32| (value * 127.0).round() as i8;
            let bytes: Vec<u8> = surface
                .normals
                .iter()
                .flat_map(|normal| [step(normal.x), step(normal.y), step(normal.z), 0])
                .map(i8::cast_unsigned)
                .collect();
            (self.view(&bytes, Some(4)), 5120)
        } else {
            let step = |value: f32| (value * 32_767.0).round() as i16;
            let normals: Vec<i16> = surface
                .normals
                .iter()
                .flat_map(|normal| [step(normal.x), step(normal.y), step(normal.z), 0])
                .collect();
            (self.view(&words(&normals), Some(8)), 5122)
        };
        let normals = json!({ "bufferView": view, "componentType": kind, "normalized": true,
                              "count": count, "type": "VEC3" });
        self.push("accessors", normals)
    }

    fn indices(&mut self, surface: &Surface) -> usize {
        let indices = surface.triangles.as_flattened();
        let small: Result<Vec<u16>, _> =
            indices.iter().map(|&index| u16::try_from(index)).collect();
        let (bytes, kind): (Vec<u8>, u32) = match small {
            Ok(small) => (small.iter().flat_map(|index| index.to_le_bytes()).collect(), 5123),
            Err(_large) => (indices.iter().flat_map(|index| index.to_le_bytes()).collect(), 5125),
        };
        let view = self.view(&bytes, None);
        let accessor = json!({ "bufferView": view, "componentType": kind,
                               "count": indices.len(), "type": "SCALAR" });
        self.push("accessors", accessor)
    }

    fn root(&mut self, node: Value) {
        let node = self.push("nodes", node);
        let roots = self.lists["scenes"][0]["nodes"].as_array_mut();
        roots.expect("invariant: the scene has a list of nodes").push(json!(node));
    }

    /// Shows a mesh.
    pub fn show(&mut self, name: &str, mesh: MeshId, place: Place) {
        let size = place.size * self.extents[mesh.0] / 32_767.0;
        let mut node = json!({ "name": name, "mesh": mesh.0, "scale": [size, size, size] });
        write_place(&mut node, place);
        self.root(node);
    }

    /// A camera that looks from `eye` at `target`.
    pub fn camera(&mut self, name: &str, eye: Vec3, target: Vec3, vfov_degrees: f32) {
        let camera = self.push(
            "cameras",
            json!({ "name": name, "type": "perspective", "perspective": {
                "yfov": vfov_degrees.to_radians(), "aspectRatio": 16.0 / 9.0, "znear": 0.01 } }),
        );
        let mut node = json!({ "name": name, "camera": camera });
        let place = Place { at: eye, turn: look(target - eye), size: 1.0 };
        write_place(&mut node, place);
        self.root(node);
    }

    /// A punctual light (`KHR_lights_punctual`) that shines from `from` to `to`.
    pub fn light(&mut self, light: Value, from: Vec3, to: Vec3) {
        let name = light["name"].clone();
        let extension = self
            .lists
            .entry("extensions")
            .or_insert_with(|| json!({ "KHR_lights_punctual": { "lights": [] } }));
        let lights = extension["KHR_lights_punctual"]["lights"].as_array_mut();
        let lights = lights.expect("invariant: lights are a list");
        lights.push(light);
        let index = lights.len() - 1;
        let mut node = json!({ "name": name,
            "extensions": { "KHR_lights_punctual": { "light": index } } });
        write_place(&mut node, Place { at: from, turn: look(to - from), size: 1.0 });
        self.root(node);
    }

    /// The file's bytes.
    pub fn finish(mut self) -> anyhow::Result<Vec<u8>> {
        let mut used = vec!["KHR_materials_emissive_strength", "KHR_mesh_quantization"];
        if self.lists.contains_key("extensions") {
            used.push("KHR_lights_punctual");
        }
        self.lists.insert("extensionsUsed".to_owned(), json!(used));
        self.lists.insert("extensionsRequired".to_owned(), json!(["KHR_mesh_quantization"]));
        self.buffer.resize(self.buffer.len().next_multiple_of(4), 0);
        self.lists.insert("buffers".to_owned(), json!([{ "byteLength": self.buffer.len() }]));
        let mut json = serde_json::to_vec(&self.lists)?;
        json.resize(json.len().next_multiple_of(4), b' ');
        let word = |length: usize| u32::try_from(length).map(u32::to_le_bytes);
        let mut glb = b"glTF\x02\0\0\0".to_vec();
        glb.extend(word(28 + json.len() + self.buffer.len())?);
        glb.extend(word(json.len())?);
        glb.extend(b"JSON");
        glb.extend(json);
        glb.extend(word(self.buffer.len())?);
        glb.extend(b"BIN\0");
        glb.extend(self.buffer);
        Ok(glb)
    }
}

fn words(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Rounded, so that the last bits of a platform's sine do not show.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1e6).round() / 1e6
}

fn write_place(node: &mut Value, place: Place) {
    node["translation"] = json!(place.at.to_array().map(rounded));
    node["rotation"] = json!(place.turn.to_array().map(rounded));
}

/// Turns -z towards `direction` with y up.
fn look(direction: Vec3) -> Quat {
    let back = -direction.normalize();
    let side = if back.y.abs() > 0.999 { Vec3::X } else { Vec3::Y.cross(back).normalize() };
    Quat::from_mat3(&glam::Mat3::from_cols(side, back.cross(side), back))
}
