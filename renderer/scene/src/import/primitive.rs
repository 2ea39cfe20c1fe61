//! Primitives: from accessors to triangles with what their material needs.

use super::error::{ImportError, PrimitiveProblem as Problem};
use super::json;
use super::report::ImportWarning;
use super::{Importer, name, normals};
use crate::limits::COORDINATE_ABS_MAX;
use crate::model::{Material, Mesh, Primitive};
use crate::tangents;

impl Importer<'_> {
    /// Index in the scene of the file's mesh.
    pub fn mesh(&mut self, node: usize, index: u32) -> Result<u32, ImportError> {
        if let Some(&taken) = self.meshes.get(&index) {
            return Ok(taken);
        }
        let source = super::at(("node", node), "mesh", index, &self.data.root.meshes)?;
        let name = name(source.name.as_deref(), "mesh", index);
        let mut mesh = Mesh { name, ..Mesh::default() };
        for (primitive_index, primitive) in source.primitives.iter().enumerate() {
            self.read_primitive(index as usize, primitive_index, primitive, &mut mesh)?;
        }
        // A mesh of points and lines keeps no parts, and nothing to blend in.
        if !mesh.primitives.is_empty() {
            mesh.weights = source.weights.to_vec();
        }
        let taken = super::push(&mut self.scene.meshes, mesh);
        self.meshes.insert(index, taken);
        Ok(taken)
    }

    fn read_primitive(
        &mut self,
        mesh_index: usize,
        primitive_index: usize,
        source: &json::Primitive,
        mesh: &mut Mesh,
    ) -> Result<(), ImportError> {
        let failed = |problem| ImportError::Primitive {
            mesh: mesh_index,
            primitive: primitive_index,
            problem,
        };
        let mode = source.mode.unwrap_or(4);
        if let Some(&mode) = ["POINTS", "LINES", "LINE_LOOP", "LINE_STRIP"].get(mode as usize) {
            self.warnings.push(ImportWarning::Mode { mode, mesh: mesh.name.clone() });
            return Ok(());
        }
        if mode > 6 {
            return Err(failed(Problem::Mode { mode }));
        }

        let faces = self.read_draco(source).map_err(|problem| ImportError::Draco {
            mesh: mesh_index,
            primitive: primitive_index,
            problem,
        })?;
        let mode = if faces.is_some() { 4 } else { mode };
        let mut primitive = self.read_attributes(source, &mesh.name, failed)?;
        self.read_joints(source, &mesh.name, &mut primitive)?;
        self.read_targets(source, &mesh.name, &mut primitive)?;
        let count = primitive.positions.len();
        let corners = match (faces, source.indices) {
            (Some(faces), _) => faces,
            (None, Some(accessor)) => self
                .data
                .indices(accessor, &mut self.budget)
                .map_err(|problem| ImportError::Accessor { accessor, problem })?,
            (None, None) => (0..u32::try_from(count).unwrap_or(u32::MAX)).collect(),
        };
        self.data.replaced.clear();
        if let Some(&index) = corners.iter().find(|&&index| index as usize >= count) {
            return Err(failed(Problem::Vertex { index, count }));
        }
        let leftover = if mode == 4 { !corners.len().is_multiple_of(3) } else { corners.len() < 3 };
        if leftover {
            self.warnings.push(ImportWarning::LeftoverIndices { mesh: mesh.name.clone() });
        }
        let needed = triangle_count(mode, corners.len()) as u64 * 12;
        self.take(needed, "triangles")?;
        primitive.indices = triangles(mode, &corners);
        if !normals::normalize(&mut primitive.normals) {
            let (attribute, mesh) = ("NORMAL", mesh.name.clone());
            self.warnings.push(ImportWarning::NoDirection { attribute, mesh });
            normals::repair(&mut primitive);
        }

        if let Some(material) = self.material_of(source) {
            let material = self.material(("mesh", mesh_index), material)?;
            primitive.material = Some(material);
            self.fill_needs(&mut primitive, material as usize, &mesh.name)?;
        }
        let count = primitive.targets.len();
        let first = mesh.primitives.first().map_or(count, |first| first.targets.len());
        if count != first {
            return Err(failed(Problem::Targets { count, first }));
        }
        mesh.primitives.push(primitive);
        Ok(())
    }

    fn read_attributes(
        &mut self,
        source: &json::Primitive,
        mesh: &str,
        failed: impl Fn(Problem) -> ImportError,
    ) -> Result<Primitive, ImportError> {
        const KNOWN: [&str; 10] = [
            "POSITION",
            "NORMAL",
            "TANGENT",
            "TEXCOORD_0",
            "TEXCOORD_1",
            "COLOR_0",
            "JOINTS_0",
            "WEIGHTS_0",
            "JOINTS_1",
            "WEIGHTS_1",
        ];
        for (attribute, _accessor) in &source.attributes.0 {
            if !KNOWN.contains(&attribute.as_str()) {
                let name = attribute.chars().take(80).collect();
                self.warnings.push(ImportWarning::Attribute { name });
            }
        }
        let positions: Vec<[f32; 3]> = self.attribute(source, "POSITION")?;
        if positions.is_empty() {
            return Err(failed(Problem::NoPositions));
        }
        let mut primitive = Primitive {
            normals: self.attribute(source, "NORMAL")?,
            tangents: self.attribute(source, "TANGENT")?,
            uvs: [self.attribute(source, "TEXCOORD_0")?, self.attribute(source, "TEXCOORD_1")?],
            colors: self.colors(source, mesh)?,
            positions,
            ..Primitive::default()
        };
        check_values("POSITION", &primitive.positions).map_err(&failed)?;
        check_values("TEXCOORD_0", &primitive.uvs[0]).map_err(&failed)?;
        check_values("TEXCOORD_1", &primitive.uvs[1]).map_err(&failed)?;
        let positions = primitive.positions.len();
        let lengths = [
            ("NORMAL", primitive.normals.len()),
            ("TANGENT", primitive.tangents.len()),
            ("TEXCOORD_0", primitive.uvs[0].len()),
            ("TEXCOORD_1", primitive.uvs[1].len()),
            ("COLOR_0", primitive.colors.len()),
        ];
        for (attribute, count) in lengths {
            if count != 0 && count != positions {
                return Err(failed(Problem::Lengths { attribute, count, positions }));
            }
        }
        // Tangents without normals mean nothing (glTF 2.0, section 3.7.2.1).
        if primitive.normals.is_empty() {
            primitive.tangents.clear();
        }
        if !normalize_tangents(&mut primitive.tangents) {
            let (attribute, mesh) = ("TANGENT", mesh.to_owned());
            self.warnings.push(ImportWarning::NoDirection { attribute, mesh });
            primitive.tangents.clear();
        }
        Ok(primitive)
    }

    pub fn attribute<const N: usize>(
        &mut self,
        source: &json::Primitive,
        attribute: &str,
    ) -> Result<Vec<[f32; N]>, ImportError> {
        let Some(accessor) = source.attributes.get(attribute) else { return Ok(Vec::new()) };
        self.data
            .floats(accessor, &mut self.budget)
            .map_err(|problem| ImportError::Accessor { accessor, problem })
    }

    fn colors(
        &mut self,
        source: &json::Primitive,
        mesh: &str,
    ) -> Result<Vec<[f32; 4]>, ImportError> {
        let three = source.attributes.get("COLOR_0").is_some_and(|index| self.data.is_vec3(index));
        let mut colors: Vec<[f32; 4]> = if three {
            let colors: Vec<[f32; 3]> = self.attribute(source, "COLOR_0")?;
            self.take(4 * colors.len() as u64, "vertex colours")?;
            colors.into_iter().map(|[r, g, b]| [r, g, b, 1.0]).collect()
        } else {
            self.attribute(source, "COLOR_0")?
        };
        let mut outside = false;
        for value in colors.as_flattened_mut() {
            outside |= *value < 0.0 || *value > 1.0;
            *value = value.clamp(0.0, 1.0);
        }
        if outside {
            self.warnings.push(ImportWarning::ColorsClamped { mesh: mesh.to_owned() });
        }
        Ok(colors)
    }

    /// Adds what the material reads and the file leaves out.
    fn fill_needs(
        &mut self,
        primitive: &mut Primitive,
        material: usize,
        mesh: &str,
    ) -> Result<(), ImportError> {
        let material: Material = self.scene.materials[material].clone();
        let count = primitive.positions.len();
        for texture in material.textures() {
            if primitive.uvs[texture.uv_set as usize].is_empty() {
                let mesh = mesh.to_owned();
                self.warnings.push(ImportWarning::NoTextureCoordinates { mesh });
                self.take(8 * count as u64, "texture coordinates")?;
                primitive.uvs[texture.uv_set as usize] = vec![[0.0; 2]; count];
            }
        }
        let Some(map) = material.tangent_map() else { return Ok(()) };
        if primitive.uvs[map.uv_set as usize].is_empty() {
            // Without coordinates an anisotropic lobe stays round.
            return Ok(());
        }
        let vertex = 72 + (primitive.motion_bytes() / count.max(1)) as u64;
        if primitive.normals.is_empty() {
            // Flat normals: a vertex for every corner, at most 72 bytes each and what moves it.
            self.take(3 * vertex * primitive.indices.len() as u64, "flat normals")?;
            tangents::flatten(primitive);
        }
        if primitive.tangents.is_empty() {
            self.take(3 * vertex * primitive.indices.len() as u64, "tangents")?;
            tangents::generate(primitive, &map);
        }
        Ok(())
    }
}

fn triangle_count(mode: u32, corners: usize) -> usize {
    if mode == 4 { corners / 3 } else { corners.saturating_sub(2) }
}

/// Triangles of a list (4), a strip (5) or a fan (6) (glTF 2.0, section 3.7.2.1).
fn triangles(mode: u32, corners: &[u32]) -> Vec<[u32; 3]> {
    let mut triangles: Vec<[u32; 3]> = match mode {
        4 => corners.as_chunks::<3>().0.to_vec(),
        5 => (0..triangle_count(mode, corners.len()))
            .map(|i| [corners[i], corners[i + 1 + i % 2], corners[i + 2 - i % 2]])
            .collect(),
        _ => corners.windows(2).skip(1).map(|pair| [pair[0], pair[1], corners[0]]).collect(),
    };
    // Two equal corners span nothing; strips are stitched together with such triangles.
    triangles.retain(|[a, b, c]| a != b && b != c && c != a);
    triangles
}

fn check_values<const N: usize>(
    attribute: &'static str,
    values: &[[f32; N]],
) -> Result<(), Problem> {
    for (vertex, value) in values.iter().enumerate() {
        let bad = |value: &&f32| value.is_nan() || value.abs() > COORDINATE_ABS_MAX;
        if let Some(value) = value.iter().find(bad) {
            let value = value.to_string();
            return Err(Problem::Value { attribute, vertex, value });
        }
    }
    Ok(())
}

/// Scales to unit length; false when one has no direction.
fn normalize_tangents(tangents: &mut [[f32; 4]]) -> bool {
    tangents.iter_mut().all(|tangent| {
        let [x, y, z, sign] = *tangent;
        let unit = glam::Vec3::new(x, y, z).as_dvec3().try_normalize();
        let [x, y, z] = unit.unwrap_or_default().as_vec3().into();
        *tangent = [x, y, z, if sign < 0.0 { -1.0 } else { 1.0 }];
        unit.is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_and_fans_keep_their_winding() {
        let corners = [10, 11, 12, 13, 14];
        assert_eq!(triangles(5, &corners), [[10, 11, 12], [11, 13, 12], [12, 13, 14]]);
        assert_eq!(triangles(6, &corners), [[11, 12, 10], [12, 13, 10], [13, 14, 10]]);
        assert_eq!(triangles(4, &corners), [[10, 11, 12]]);
        assert_eq!(triangles(5, &[1, 2, 2, 3]), [] as [[u32; 3]; 0]);
        for mode in 4..=6 {
            assert!(triangles(mode, &[1, 2]).is_empty());
            assert!(triangles(mode, &[]).is_empty());
        }
    }
}
