//! What every scene promises, checked: after [`Scene::validate`] indices may be used without
//! asking, lengths agree, and every number is finite and in its range.

mod animation;
mod error;
mod lamps;
mod layers;

use crate::limits::{
    COORDINATE_ABS_MAX, IMAGE_SIDE_PX_MAX, LIGHT_MAX, LIST_MAX, NAME_BYTES_MAX, TRIANGLES_MAX,
    UNIT_TOLERANCE, UV_ABS_MAX,
};
use crate::model::{AlphaMode, Material, Mesh, Pixels, Primitive, Scene, TextureRef, Transform};

pub use error::SceneError;

impl Scene {
    /// Checks every promise of the model.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn validate(&self) -> Result<(), SceneError> {
        self.validate_lists()?;
        self.validate_nodes()?;
        for (index, mesh) in self.meshes.iter().enumerate() {
            self.validate_mesh(index, mesh)?;
        }
        for (index, material) in self.materials.iter().enumerate() {
            self.validate_material(index, material)?;
        }
        for (index, texture) in self.textures.iter().enumerate() {
            let image = at("texture", index, "image", texture.image, &self.images)?;
            if !matches!(image.pixels, Pixels::Rgba8(_)) {
                return Err(SceneError::ImageKind {
                    owner: "texture",
                    owner_index: index,
                    image: texture.image,
                });
            }
        }
        self.validate_images()?;
        self.validate_lights()?;
        self.validate_cameras()?;
        self.validate_environment()?;
        self.validate_lamps()?;
        self.validate_animation()
    }

    fn validate_lists(&self) -> Result<(), SceneError> {
        let lists = [
            ("nodes", self.nodes.len()),
            ("meshes", self.meshes.len()),
            ("primitives", self.meshes.iter().map(|mesh| mesh.primitives.len()).sum()),
            ("materials", self.materials.len()),
            ("textures", self.textures.len()),
            ("images", self.images.len()),
            ("lights", self.lights.len()),
            ("area lights", self.area_lights.len()),
            ("cameras", self.cameras.len()),
        ];
        for (what, count) in lists {
            if count > LIST_MAX {
                let (count, max) = (count as u64, LIST_MAX as u64);
                return Err(SceneError::TooMany { what, count, max });
            }
        }
        let triangles = self.triangle_count();
        if triangles > TRIANGLES_MAX {
            let max = TRIANGLES_MAX;
            return Err(SceneError::TooMany { what: "triangles", count: triangles, max });
        }
        let names = std::iter::once(&self.name)
            .chain(self.nodes.iter().map(|node| &node.name))
            .chain(self.meshes.iter().map(|mesh| &mesh.name))
            .chain(self.materials.iter().map(|material| &material.name))
            .chain(self.images.iter().map(|image| &image.name))
            .chain(self.lights.iter().map(|light| &light.name))
            .chain(self.area_lights.iter().map(|light| &light.name))
            .chain(self.cameras.iter().map(|camera| &camera.name))
            .chain(self.skins.iter().map(|skin| &skin.name));
        match names.map(String::len).find(|&bytes| bytes > NAME_BYTES_MAX) {
            Some(bytes) => Err(SceneError::Name { bytes }),
            None => Ok(()),
        }
    }

    fn validate_nodes(&self) -> Result<(), SceneError> {
        let mut world: Vec<glam::DAffine3> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(parent) = node.parent
                && parent as usize >= index
            {
                return Err(SceneError::NodeOrder { node: index, parent });
            }
            validate_transform(index, &node.transform)?;
            if let Some(mesh) = node.mesh {
                at("node", index, "mesh", mesh, &self.meshes)?;
            }
            if let Some(camera) = node.camera {
                at("node", index, "camera", camera, &self.cameras)?;
            }
            if let Some(light) = node.light {
                at("node", index, "light", light, &self.lights)?;
            }
            // Factors multiply down the tree: the place in the world must stay in range too.
            let local = affine(&node.transform);
            let place = node.parent.map_or(local, |parent| world[parent as usize] * local);
            let range = ("place in the world", "within ±1e9");
            for value in place.to_cols_array() {
                #[expect(clippy::cast_possible_truncation, reason = "only a range check")]
                bounded("node", index, range, value as f32, COORDINATE_ABS_MAX)?;
            }
            world.push(place);
        }
        Ok(())
    }

    fn validate_mesh(&self, mesh: usize, value: &Mesh) -> Result<(), SceneError> {
        for primitive in &value.primitives {
            validate_lengths(mesh, primitive)?;
            validate_vertices(mesh, primitive)?;
            if let Some(index) = primitive.material {
                let material = at("mesh", mesh, "material", index, &self.materials)?;
                validate_needs(mesh, primitive, index, material)?;
            }
        }
        Ok(())
    }

    fn validate_material(&self, index: usize, material: &Material) -> Result<(), SceneError> {
        let unit = |what, value: f32| within("material", index, (what, "in 0..=1"), value, 1.0);
        for value in material.base_color {
            unit("a base colour of", value)?;
        }
        unit("a metallic factor of", material.metallic)?;
        unit("a roughness of", material.roughness)?;
        if let AlphaMode::Mask(cutoff) = material.alpha {
            let range = ("an alpha cutoff of", "in 0..=1e9");
            within("material", index, range, cutoff, COORDINATE_ABS_MAX)?;
        }
        let range = ("a normal scale of", "within ±1e9");
        bounded("material", index, range, material.normal_scale, COORDINATE_ABS_MAX)?;
        for value in material.emissive {
            within("material", index, ("an emission of", "in 0..=1e12"), value, LIGHT_MAX)?;
        }
        layers::validate(index, &material.layers)?;
        for texture in material.textures() {
            at("material", index, "texture", texture.texture, &self.textures)?;
            if texture.uv_set > 1 {
                return Err(SceneError::Index {
                    owner: "material",
                    owner_index: index,
                    what: "set of texture coordinates",
                    index: texture.uv_set,
                    count: 2,
                });
            }
            let TextureRef { offset, scale, rotation, .. } = texture;
            for value in [offset[0], offset[1], scale[0], scale[1], rotation] {
                let range = ("a texture transform of", "within ±1e6");
                bounded("material", index, range, value, UV_ABS_MAX)?;
            }
        }
        Ok(())
    }

    fn validate_images(&self) -> Result<(), SceneError> {
        for (index, image) in self.images.iter().enumerate() {
            let side = 1..=IMAGE_SIDE_PX_MAX;
            let pixels = image.width as usize * image.height as usize;
            let (filled, bytes) = match &image.pixels {
                Pixels::Rgba8(data) => (data.len() == 4 * pixels, data.len()),
                Pixels::Rgb32F(data) => (data.len() == pixels, 12 * data.len()),
            };
            if !side.contains(&image.width) || !side.contains(&image.height) || !filled {
                let (width, height) = (image.width, image.height);
                return Err(SceneError::ImageSize { image: index, width, height, bytes });
            }
            if let Pixels::Rgb32F(data) = &image.pixels {
                for &value in data.as_flattened() {
                    within("image", index, ("a pixel of", "in 0..=1e12"), value, LIGHT_MAX)?;
                }
            }
        }
        Ok(())
    }

    /// Triangles of all meshes, each counted once however often it is shown.
    #[must_use]
    pub fn triangle_count(&self) -> u64 {
        let primitives = self.meshes.iter().flat_map(|mesh| &mesh.primitives);
        primitives.map(|primitive| primitive.indices.len() as u64).sum()
    }
}

impl Scene {
    /// Bytes of all vertices, pixels and keys.
    #[must_use]
    pub fn decoded_bytes(&self) -> u64 {
        let primitive = |primitive: &Primitive| {
            size_of_val(primitive.positions.as_slice())
                + size_of_val(primitive.normals.as_slice())
                + size_of_val(primitive.tangents.as_slice())
                + primitive.uvs.iter().map(|set| size_of_val(set.as_slice())).sum::<usize>()
                + size_of_val(primitive.colors.as_slice())
                + size_of_val(primitive.indices.as_slice())
                + primitive.motion_bytes()
        };
        let image = |image: &crate::model::Image| match &image.pixels {
            Pixels::Rgba8(data) => data.len(),
            Pixels::Rgb32F(data) => size_of_val(data.as_slice()),
        };
        let primitives = self.meshes.iter().flat_map(|mesh| &mesh.primitives);
        let bytes: usize = primitives.map(primitive).chain(self.images.iter().map(image)).sum();
        (bytes + self.motion_bytes()) as u64
    }
}

impl Material {
    /// The textures it uses.
    pub fn textures(&self) -> impl Iterator<Item = TextureRef> {
        let list = [
            self.base_color_texture,
            self.metallic_roughness_texture,
            self.normal_texture,
            self.emissive_texture,
        ];
        list.into_iter().flatten().chain(self.layers.textures())
    }

    /// A normal map that it uses: tangents follow its texture coordinates.
    #[must_use]
    pub fn normal_map(&self) -> Option<TextureRef> {
        self.normal_texture.or(self.layers.coat_normal_texture)
    }

    /// A texture whose coordinates tangents should follow, where there can be some: a normal map,
    /// or what turns an anisotropic lobe.
    #[must_use]
    pub fn tangent_map(&self) -> Option<TextureRef> {
        let layers = &self.layers;
        let plain =
            TextureRef { texture: 0, uv_set: 0, offset: [0.0; 2], rotation: 0.0, scale: [1.0; 2] };
        let lobe = (layers.anisotropy > 0.0).then_some(layers.anisotropy_texture.unwrap_or(plain));
        self.normal_map().or(lobe)
    }
}

/// The transform in double precision.
pub(crate) fn affine(transform: &Transform) -> glam::DAffine3 {
    match *transform {
        Transform::Trs { translation, rotation, scale } => {
            glam::DAffine3::from_scale_rotation_translation(
                glam::Vec3::from(scale).as_dvec3(),
                glam::Quat::from_array(rotation).as_dquat().normalize(),
                glam::Vec3::from(translation).as_dvec3(),
            )
        }
        Transform::Matrix(columns) => {
            let [x, y, z, w] = columns.map(|[x, y, z, _last]| glam::Vec3::new(x, y, z).as_dvec3());
            glam::DAffine3::from_cols(x, y, z, w)
        }
    }
}

fn validate_transform(node: usize, transform: &Transform) -> Result<(), SceneError> {
    let check = |what, values: &[f32]| {
        let range = (what, "within ±1e9");
        values.iter().try_for_each(|&value| bounded("node", node, range, value, COORDINATE_ABS_MAX))
    };
    match transform {
        Transform::Trs { translation, rotation, scale } => {
            check("a translation of", translation)?;
            check("a scale of", scale)?;
            unit("node", node, "a rotation of length²", rotation)
        }
        Transform::Matrix(columns) => {
            check("a matrix entry of", columns.as_flattened())?;
            for (column, last) in columns.iter().zip([0.0_f32, 0.0, 0.0, 1.0]) {
                if (column[3] - last).abs() > 1e-6 {
                    return Err(SceneError::Value {
                        owner: "node",
                        owner_index: node,
                        what: "a last matrix row with",
                        value: column[3],
                        range: "0, 0, 0, 1",
                    });
                }
            }
            Ok(())
        }
    }
}

fn validate_lengths(mesh: usize, primitive: &Primitive) -> Result<(), SceneError> {
    let positions = primitive.positions.len();
    let lists = [
        ("normals", primitive.normals.len()),
        ("tangents", primitive.tangents.len()),
        ("texture coordinates", primitive.uvs[0].len()),
        ("texture coordinates of set 1", primitive.uvs[1].len()),
        ("colours", primitive.colors.len()),
    ];
    match lists.into_iter().find(|&(_, count)| count != 0 && count != positions) {
        Some((what, count)) => Err(SceneError::Lengths { mesh, what, count, positions }),
        None => Ok(()),
    }
}

fn validate_vertices(mesh: usize, primitive: &Primitive) -> Result<(), SceneError> {
    for &value in primitive.positions.as_flattened() {
        let range = ("a position with", "within ±1e9 m");
        bounded("mesh", mesh, range, value, COORDINATE_ABS_MAX)?;
    }
    for normal in &primitive.normals {
        unit("mesh", mesh, "a normal of length²", normal)?;
    }
    for &[x, y, z, sign] in &primitive.tangents {
        unit("mesh", mesh, "a tangent of length²", &[x, y, z])?;
        unit("mesh", mesh, "a bitangent's sign of square", &[sign])?;
    }
    for &value in primitive.uvs.iter().flat_map(|set| set.as_flattened()) {
        let range = ("a texture coordinate of", "within ±1e6");
        bounded("mesh", mesh, range, value, UV_ABS_MAX)?;
    }
    for &value in primitive.colors.as_flattened() {
        within("mesh", mesh, ("a colour of", "in 0..=1"), value, 1.0)?;
    }
    let count = primitive.positions.len();
    match primitive.indices.as_flattened().iter().find(|&&index| index as usize >= count) {
        Some(&index) => {
            let what = "vertex";
            Err(SceneError::Index { owner: "mesh", owner_index: mesh, what, index, count })
        }
        None => Ok(()),
    }
}

/// Whether the vertices carry what the material reads.
fn validate_needs(
    mesh: usize,
    primitive: &Primitive,
    index: u32,
    material: &Material,
) -> Result<(), SceneError> {
    if primitive.positions.is_empty() {
        return Ok(());
    }
    let missing = |what| Err(SceneError::Missing { mesh, what, material: index });
    for texture in material.textures() {
        if primitive.uvs.get(texture.uv_set as usize).is_none_or(Vec::is_empty) {
            return missing("texture coordinates");
        }
    }
    if material.normal_map().is_some() && primitive.normals.is_empty() {
        return missing("normals");
    }
    if material.normal_map().is_some() && primitive.tangents.is_empty() {
        return missing("tangents");
    }
    Ok(())
}

fn at<'a, T>(
    owner: &'static str,
    owner_index: usize,
    what: &'static str,
    index: u32,
    list: &'a [T],
) -> Result<&'a T, SceneError> {
    let count = list.len();
    list.get(index as usize).ok_or(SceneError::Index { owner, owner_index, what, index, count })
}

type Range = (&'static str, &'static str);

fn require(
    owner: &'static str,
    owner_index: usize,
    (what, range): Range,
    value: f32,
    holds: bool,
) -> Result<(), SceneError> {
    if holds { Ok(()) } else { Err(SceneError::Value { owner, owner_index, what, value, range }) }
}

/// `|value| <= max`, which no NaN fulfils.
fn bounded(
    owner: &'static str,
    index: usize,
    range: Range,
    value: f32,
    max: f32,
) -> Result<(), SceneError> {
    require(owner, index, range, value, value.abs() <= max)
}

/// `0 <= value <= max`, which no NaN fulfils.
fn within(
    owner: &'static str,
    index: usize,
    range: Range,
    value: f32,
    max: f32,
) -> Result<(), SceneError> {
    require(owner, index, range, value, (0.0..=max).contains(&value))
}

fn positive(
    owner: &'static str,
    index: usize,
    what: &'static str,
    value: f32,
) -> Result<(), SceneError> {
    let holds = value > 0.0 && value <= COORDINATE_ABS_MAX;
    require(owner, index, (what, "above 0 and at most 1e9"), value, holds)
}

fn unit(
    owner: &'static str,
    index: usize,
    what: &'static str,
    vector: &[f32],
) -> Result<(), SceneError> {
    let length_squared: f32 = vector.iter().map(|value| value * value).sum();
    let holds = (length_squared - 1.0).abs() <= UNIT_TOLERANCE;
    require(owner, index, (what, "1"), length_squared, holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use crate::model::{Environment, Projection};

    /// The golden scene with one change must be refused with a message that holds `part`.
    fn check(change: impl FnOnce(&mut Scene), part: &str) {
        let mut scene = golden();
        assert_eq!(scene.validate(), Ok(()));
        change(&mut scene);
        let error = scene.validate().expect_err(part).to_string();
        assert!(error.contains(part), "{error:?} should contain {part:?}");
    }

    #[test]
    fn every_promise_is_checked() {
        check(|s| s.nodes[0].parent = Some(0), "parents must come before");
        check(|s| s.nodes[0].mesh = Some(999), "points at mesh 999");
        check(|s| s.name = "x".repeat(300), "name of 300 bytes");
        check(|s| s.meshes[0].primitives[0].indices[0][1] = 1 << 30, "points at vertex");
        check(|s| s.meshes[0].primitives[0].positions[0][1] = f32::NAN, "position with NaN");
        check(|s| s.meshes[0].primitives[0].normals[0] = [2.0, 0.0, 0.0], "normal of length² 4");
        check(|s| _ = s.meshes[0].primitives[0].uvs[0].pop(), "texture coordinates for");
        check(|s| s.meshes[0].primitives[0].uvs[0].clear(), "no texture coordinates");
        check(|s| s.meshes[0].primitives[0].tangents.clear(), "no tangents");
        check(|s| s.materials[0].roughness = 1.5, "roughness of 1.5");
        check(|s| s.materials[0].emissive[2] = f32::INFINITY, "emission of inf");
        check(|s| s.textures[0].image = 77, "points at image 77");
        check(|s| s.images[0].width += 1, "px with");
        check(|s| s.lights[0].intensity[0] = -1.0, "intensity of -1");
        check(|s| s.lights[1].radius = -0.1, "radius of -0.1");
        check(|s| s.lights[1].radius = f32::INFINITY, "radius of inf");
        check(|s| s.lights[0].angle = 3.2, "angle of 3.2");
        check(|s| s.cameras[0].projection = Projection::Perspective { vfov: 4.0 }, "view of 4");
        check(|s| s.environment = Some(Environment::Constant([f32::NAN; 3])), "radiance of NaN");
        let map = |image| Some(Environment::Map { image, strength: 1.0, rotation: 0.0 });
        check(|s| s.environment = map(0), "pixels are of the other kind");
    }

    #[test]
    fn factors_that_multiply_out_of_range_are_refused() {
        check(
            |s| {
                for node in &mut s.nodes {
                    node.transform = Transform::Trs {
                        translation: [0.0; 3],
                        rotation: [0.0, 0.0, 0.0, 1.0],
                        scale: [1e8; 3],
                    };
                }
                s.nodes[1].parent = Some(0);
            },
            "place in the world",
        );
    }
}
