//! The package: a scene as canonical bytes, and the parts that they travel in.
//!
//! ```text
//! magic    8 bytes   "TESSERA" 0
//! version  u32       5
//! sections u32       4
//! then of each of four sections, in this order
//!   kind   4 bytes   "OUTL", "GEOM", "PIXL", "MOVE"
//!   length u64
//! then their bytes
//! ```
//!
//! All numbers are little-endian. `OUTL` is the scene in postcard with its vertices, pixels and
//! keys left out, and the counts of what was left out; `GEOM` holds every primitive's lists one
//! after another as plain `f32`, `u32` and, for joints, `u16`; `PIXL` holds every image's pixels;
//! `MOVE` holds the skins' inverse bind matrices, then every channel's and every variation's times
//! and values. The same
//! scene always gives the same bytes, and only those bytes unpack: a second spelling would be a
//! second id of the same scene.
//!
//! Lengths stand in front, so that what follows the outline holds nothing but content: an image
//! that has not changed is the same bytes in every scene. Where the bytes are cut is decided by
//! themselves (see [`cuts`]), and the scene's id is the BLAKE3 hash of its parts' BLAKE3 hashes.

mod cuts;
mod motion;

use bytes::Bytes;
use cuts::Cutter;
use motion::{BendCounts, MoveCounts};
use protocol::SceneId;
use serde::{Deserialize, Serialize};

use crate::limits::{OUTLINE_BYTES_MAX, SCENE_BYTES_MAX};
use crate::model::{Image, Mesh, Pixels, Primitive, Scene};
use crate::validate::SceneError;

const MAGIC: [u8; 8] = *b"TESSERA\0";
const VERSION: u32 = 5;
const SECTIONS: [[u8; 4]; 4] = [*b"OUTL", *b"GEOM", *b"PIXL", *b"MOVE"];
/// Bytes before the sections.
const HEADER_BYTES: usize = 16 + SECTIONS.len() * 12;

/// A package that cannot be a scene.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// It does not begin as a package does.
    #[error("these bytes are not a scene package")]
    NotAPackage,
    /// It was made by another version.
    #[error("the scene package has version {found}; this build reads {VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// It is larger than what may travel.
    #[error("the scene package has {bytes} bytes; at most {SCENE_BYTES_MAX} can be used")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// It ends early, or a section's length is wrong.
    #[error("the scene package's {what} should have {expected} bytes and has {found}")]
    Length {
        /// Which part.
        what: &'static str,
        /// What its counts ask for.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// A section is missing or out of order.
    #[error("the scene package has a section {found:?} where {expected:?} belongs")]
    Section {
        /// The name that belongs there.
        expected: String,
        /// The name found.
        found: String,
    },
    /// The outline does not decode.
    #[error("the scene package's outline cannot be read")]
    Outline(#[source] postcard::Error),
    /// The outline's lists and its counts disagree.
    #[error("the scene package counts {counts} {what} but lists {listed}")]
    Counts {
        /// What is counted.
        what: &'static str,
        /// How many the counts have.
        counts: usize,
        /// How many the outline has.
        listed: usize,
    },
    /// The bytes are not those that [`pack`] writes for this scene.
    #[error("the scene package is not in its canonical form; pack the scene again")]
    NotCanonical,
    /// It is another scene's, or was cut at other places than [`pack`] cuts it.
    #[error("the package is that of {found}, or is not cut in the canonical way; wanted: {wanted}")]
    Id {
        /// The scene asked for.
        wanted: SceneId,
        /// The one that it is.
        found: SceneId,
    },
    /// The scene breaks a promise of the model.
    #[error("the package holds a scene that cannot be used")]
    Scene(#[from] SceneError),
}

/// Length of a primitive's lists.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
struct PrimitiveCounts {
    positions: u32,
    normals: u32,
    tangents: u32,
    uvs: [u32; 2],
    colors: u32,
    triangles: u32,
    bends: BendCounts,
}

#[derive(Serialize, Deserialize)]
struct Outline {
    scene: Scene,
    /// Of every primitive, in the order of the meshes.
    primitives: Vec<PrimitiveCounts>,
    moves: MoveCounts,
}

/// A scene as it is kept and travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    id: SceneId,
    bytes: Bytes,
    /// Where its parts end.
    ends: Vec<usize>,
}

impl Package {
    /// The scene's id: the BLAKE3 hash of the BLAKE3 hashes of [`Package::parts`].
    #[must_use]
    pub fn id(&self) -> SceneId {
        self.id
    }

    /// All of its bytes, the parts' one after another.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// All of its bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The parts that it travels in; they share its memory.
    pub fn parts(&self) -> impl Iterator<Item = Bytes> {
        cuts::parts(&self.bytes, &self.ends).map(|part| self.bytes.slice_ref(part))
    }

    /// How many bytes it has.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Packs a scene into canonical bytes and parts: the same scene gives the same ones.
///
/// # Panics
/// When a vertex list has more than 2³² entries, which no validated scene has.
#[must_use]
pub fn pack(scene: &Scene) -> Package {
    let primitives = scene.meshes.iter().flat_map(|mesh| &mesh.primitives).map(counts).collect();
    let outline = Outline { scene: strip(scene), primitives, moves: MoveCounts::of(scene) };
    let listed = postcard::to_stdvec(&outline).expect("invariant: plain data always encodes");
    let items = Items { images: pixel_bytes(scene), ..Items::of(&outline) };
    let lengths = items.lengths(listed.len());

    // Write in one piece: the parts are windows into it.
    let length = HEADER_BYTES as u64 + lengths.iter().sum::<u64>();
    let length = usize::try_from(length).expect("invariant: the scene itself is in memory");
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(SECTIONS.len() as u32).to_le_bytes());
    for (kind, length) in SECTIONS.iter().zip(lengths) {
        bytes.extend_from_slice(kind);
        bytes.extend_from_slice(&length.to_le_bytes());
    }
    bytes.extend_from_slice(&listed);
    for primitive in scene.meshes.iter().flat_map(|mesh| &mesh.primitives) {
        write_primitive(primitive, &mut bytes);
        motion::write_bends(primitive, &mut bytes);
    }
    for image in &scene.images {
        match &image.pixels {
            Pixels::Rgba8(data) => bytes.extend_from_slice(data),
            Pixels::Rgb32F(data) => write_floats(data.as_flattened(), &mut bytes),
        }
    }
    motion::write_moves(scene, &mut bytes);

    let ends = items.cut(&bytes, listed.len());
    Package { id: cuts::id(&bytes, &ends), bytes: bytes.into(), ends }
}

/// How many bytes belong together, in the order of the package.
struct Items {
    primitives: Vec<u128>,
    images: Vec<u128>,
    moves: Vec<u128>,
}

impl Items {
    fn of(Outline { scene, primitives, moves }: &Outline) -> Self {
        Self {
            primitives: primitives.iter().map(primitive_bytes).collect(),
            images: scene.images.iter().map(image_bytes).collect(),
            moves: moves.items(),
        }
    }

    /// The sections' lengths.
    fn lengths(&self, outline: usize) -> [u64; 4] {
        let sections = [&self.primitives, &self.images, &self.moves];
        let [geometry, pixels, keys] = sections.map(|items| {
            u64::try_from(items.iter().sum::<u128>()).expect("invariant: they are in memory")
        });
        [outline as u64, geometry, pixels, keys]
    }

    /// Where the package is cut, whose sections have these lengths.
    fn cut(&self, bytes: &[u8], outline: usize) -> Vec<usize> {
        let mut cutter = Cutter::new(bytes);
        cutter.alone(HEADER_BYTES + outline);
        for section in [&self.primitives, &self.images, &self.moves] {
            section.iter().for_each(|&length| cutter.item(length as usize));
            cutter.close();
        }
        cutter.finish()
    }
}

/// Reads a package and validates its scene.
///
/// Allocates at most a small multiple of `bytes`, whatever the bytes say.
///
/// # Errors
/// See [`UnpackError`]; any bytes that [`pack`] did not write are refused.
pub fn unpack(bytes: &[u8]) -> Result<Scene, UnpackError> {
    read(bytes, None)
}

/// Reads the package of a scene: like [`unpack`], and refuses that of any other, also the same
/// bytes cut at other places, which would be a second name of the same scene.
///
/// # Errors
/// See [`UnpackError`].
pub fn unpack_as(id: SceneId, bytes: &[u8]) -> Result<Scene, UnpackError> {
    read(bytes, Some(id))
}

fn read(bytes: &[u8], wanted: Option<SceneId>) -> Result<Scene, UnpackError> {
    if bytes.len() as u64 > SCENE_BYTES_MAX {
        return Err(UnpackError::TooLarge { bytes: bytes.len() as u64 });
    }
    let [outline, geometry, pixels, keys] = split(bytes)?;
    let listed = read_outline(outline)?;
    let items = Items::of(&listed);
    let Outline { mut scene, primitives, moves } = listed;

    // Compare the counts with the sections before anything is allocated.
    let listed = scene.meshes.iter().map(|mesh| mesh.primitives.len()).sum();
    if primitives.len() != listed {
        let counts = primitives.len();
        return Err(UnpackError::Counts { what: "primitives", counts, listed });
    }
    if let Some((what, counts, listed)) = moves.disagreement(&scene) {
        return Err(UnpackError::Counts { what, counts, listed });
    }
    expect_length("geometry", geometry, items.primitives.iter().sum())?;
    expect_length("pixels", pixels, items.images.iter().sum())?;
    expect_length("keys", keys, items.moves.iter().sum())?;
    if let Some(wanted) = wanted {
        let found = cuts::id(bytes, &items.cut(bytes, outline.len()));
        if found != wanted {
            return Err(UnpackError::Id { wanted, found });
        }
    }

    // Fill in what the outline leaves out.
    let mut reader = Reader { bytes: geometry };
    let targets = scene.meshes.iter_mut().flat_map(|mesh| &mut mesh.primitives);
    for (target, counts) in targets.zip(&primitives) {
        reader.primitive(counts, target);
        reader.bends(&counts.bends, target);
    }
    Reader { bytes: keys }.moves(&moves, &mut scene);
    let mut reader = Reader { bytes: pixels };
    for image in &mut scene.images {
        let length = image_bytes(image) as usize;
        match &mut image.pixels {
            Pixels::Rgba8(data) => *data = reader.take(length).to_vec(),
            Pixels::Rgb32F(data) => *data = reader.floats(length / 12),
        }
    }
    scene.validate()?;
    Ok(scene)
}

/// The sections' bytes.
fn split(bytes: &[u8]) -> Result<[&[u8]; 4], UnpackError> {
    let mut rest = bytes.strip_prefix(&MAGIC).ok_or(UnpackError::NotAPackage)?;
    let short = |what, expected, rest: &[u8]| UnpackError::Length {
        what,
        expected,
        found: rest.len() as u64,
    };
    let (header, after) = rest.split_first_chunk::<8>().ok_or(short("header", 8, rest))?;
    let header: u64 = u64::from_le_bytes(*header);
    let (version, sections) = (header as u32, (header >> 32) as u32);
    if version != VERSION {
        return Err(UnpackError::Version { found: version });
    }
    if sections as usize != SECTIONS.len() {
        return Err(UnpackError::NotCanonical);
    }
    rest = after;
    let mut lengths = [0; 4];
    for (kind, length) in SECTIONS.iter().zip(&mut lengths) {
        let (found, after) = rest.split_first_chunk::<4>().ok_or(short("section name", 4, rest))?;
        if found != kind {
            let text = |kind: &[u8; 4]| kind.escape_ascii().to_string();
            let (expected, found) = (text(kind), text(found));
            return Err(UnpackError::Section { expected, found });
        }
        let (bytes, after) =
            after.split_first_chunk::<8>().ok_or(short("section length", 8, after))?;
        (*length, rest) = (u64::from_le_bytes(*bytes), after);
    }
    let mut sections: [&[u8]; 4] = [&[]; 4];
    for (length, section) in lengths.into_iter().zip(&mut sections) {
        let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
        (*section, rest) = split.ok_or(short("section", length, rest))?;
    }
    if rest.is_empty() { Ok(sections) } else { Err(short("end", 0, rest)) }
}

fn read_outline(bytes: &[u8]) -> Result<Outline, UnpackError> {
    if bytes.len() as u64 > OUTLINE_BYTES_MAX {
        let found = bytes.len() as u64;
        return Err(UnpackError::Length { what: "outline", expected: OUTLINE_BYTES_MAX, found });
    }
    let outline: Outline = postcard::from_bytes(bytes).map_err(UnpackError::Outline)?;
    // Overlong integers, trailing bytes and lists that belong into the other sections would be
    // second spellings.
    let vertices = |primitive: &Primitive| counts(primitive) != PrimitiveCounts::default();
    let filled = outline.scene.images.iter().any(|image| !image.pixels.is_empty())
        || outline.scene.meshes.iter().flat_map(|mesh| &mesh.primitives).any(vertices)
        || outline.scene.motion_bytes() != 0;
    let again = postcard::to_stdvec(&outline).map_err(UnpackError::Outline)?;
    if filled || again != bytes { Err(UnpackError::NotCanonical) } else { Ok(outline) }
}

fn expect_length(what: &'static str, section: &[u8], expected: u128) -> Result<(), UnpackError> {
    let found = section.len() as u64;
    if u128::from(found) == expected {
        return Ok(());
    }
    let expected = u64::try_from(expected).unwrap_or(u64::MAX);
    Err(UnpackError::Length { what, expected, found })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("vertex lists are counted in u32")
}

fn counts(primitive: &Primitive) -> PrimitiveCounts {
    PrimitiveCounts {
        positions: count(primitive.positions.len()),
        normals: count(primitive.normals.len()),
        tangents: count(primitive.tangents.len()),
        uvs: [count(primitive.uvs[0].len()), count(primitive.uvs[1].len())],
        colors: count(primitive.colors.len()),
        triangles: count(primitive.indices.len()),
        bends: BendCounts::of(primitive),
    }
}

fn primitive_bytes(counts: &PrimitiveCounts) -> u128 {
    let &PrimitiveCounts { positions, normals, tangents, uvs, colors, triangles, ref bends } =
        counts;
    let threes = u128::from(positions) + u128::from(normals) + u128::from(triangles);
    let fours = u128::from(tangents) + u128::from(colors);
    let twos = u128::from(uvs[0]) + u128::from(uvs[1]);
    12 * threes + 16 * fours + 8 * twos + bends.bytes()
}

/// Bytes that the images have, whatever their sides say.
fn pixel_bytes(scene: &Scene) -> Vec<u128> {
    let bytes = |image: &Image| match &image.pixels {
        Pixels::Rgba8(data) => data.len(),
        Pixels::Rgb32F(data) => 12 * data.len(),
    };
    scene.images.iter().map(|image| bytes(image) as u128).collect()
}

fn image_bytes(image: &Image) -> u128 {
    let pixels = u128::from(image.width) * u128::from(image.height);
    pixels * if matches!(image.pixels, Pixels::Rgba8(_)) { 4 } else { 12 }
}

impl Pixels {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Rgba8(data) => data.is_empty(),
            Self::Rgb32F(data) => data.is_empty(),
        }
    }
}

/// The scene without its vertices, pixels and keys.
fn strip(scene: &Scene) -> Scene {
    let primitive =
        |primitive: &Primitive| Primitive { material: primitive.material, ..Primitive::default() };
    let mesh = |mesh: &Mesh| Mesh {
        name: mesh.name.clone(),
        primitives: mesh.primitives.iter().map(primitive).collect(),
        weights: mesh.weights.clone(),
    };
    let image = |image: &Image| Image {
        name: image.name.clone(),
        width: image.width,
        height: image.height,
        pixels: match image.pixels {
            Pixels::Rgba8(_) => Pixels::Rgba8(Vec::new()),
            Pixels::Rgb32F(_) => Pixels::Rgb32F(Vec::new()),
        },
    };
    Scene {
        name: scene.name.clone(),
        nodes: scene.nodes.clone(),
        meshes: scene.meshes.iter().map(mesh).collect(),
        materials: scene.materials.clone(),
        textures: scene.textures.clone(),
        images: scene.images.iter().map(image).collect(),
        lights: scene.lights.clone(),
        area_lights: scene.area_lights.clone(),
        cameras: scene.cameras.clone(),
        environment: scene.environment,
        sun_sky: scene.sun_sky,
        skins: motion::strip_skins(&scene.skins),
        channels: motion::strip_channels(&scene.channels),
        variations: motion::strip_variations(&scene.variations),
    }
}

fn write_floats(values: &[f32], bytes: &mut Vec<u8>) {
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn write_primitive(primitive: &Primitive, bytes: &mut Vec<u8>) {
    write_floats(primitive.positions.as_flattened(), bytes);
    write_floats(primitive.normals.as_flattened(), bytes);
    write_floats(primitive.tangents.as_flattened(), bytes);
    write_floats(primitive.uvs[0].as_flattened(), bytes);
    write_floats(primitive.uvs[1].as_flattened(), bytes);
    write_floats(primitive.colors.as_flattened(), bytes);
    let indices = primitive.indices.as_flattened();
    bytes.extend(indices.iter().flat_map(|index| index.to_le_bytes()));
}

/// Reads lists from a section whose length was compared with the counts before.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (head, tail) = self.bytes.split_at(length);
        self.bytes = tail;
        head
    }

    fn words<T, const N: usize>(&mut self, count: usize, word: fn([u8; 4]) -> T) -> Vec<[T; N]> {
        let bytes = self.take(count * N * 4);
        let (words, _none_left) = bytes.as_chunks::<4>();
        let groups = words.as_chunks::<N>().0;
        groups.iter().map(|group| group.map(word)).collect()
    }

    fn floats<const N: usize>(&mut self, count: usize) -> Vec<[f32; N]> {
        self.words(count, f32::from_le_bytes)
    }

    fn primitive(&mut self, counts: &PrimitiveCounts, target: &mut Primitive) {
        target.positions = self.floats(counts.positions as usize);
        target.normals = self.floats(counts.normals as usize);
        target.tangents = self.floats(counts.tangents as usize);
        target.uvs = counts.uvs.map(|count| self.floats(count as usize));
        target.colors = self.floats(counts.colors as usize);
        target.indices = self.words(counts.triangles as usize, u32::from_le_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;

    #[test]
    fn packing_round_trips_and_is_canonical() {
        let scene = golden();
        let bytes = pack(&scene).into_bytes();
        let again = unpack(&bytes).expect("own package");
        assert_eq!(again, scene);
        assert_eq!(pack(&again).into_bytes(), bytes);
        let mut other = scene.clone();
        other.nodes[0].name.push('!');
        assert_ne!(pack(&other).id(), pack(&scene).id());
    }

    #[test]
    fn every_truncation_and_any_extra_byte_is_refused() {
        let bytes = pack(&golden()).into_bytes();
        for length in (0..bytes.len()).step_by(97).chain(bytes.len() - 40..bytes.len()) {
            assert!(unpack(&bytes[..length]).is_err(), "the first {length} bytes");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert!(unpack(&longer).is_err());
    }

    #[test]
    fn another_version_or_a_second_spelling_is_refused() {
        let bytes = pack(&golden()).into_bytes();
        let mut newer = bytes.to_vec();
        newer[8] += 1;
        let found = VERSION + 1;
        assert!(matches!(unpack(&newer), Err(UnpackError::Version { found: f }) if f == found));
        assert!(matches!(unpack(b"glTF"), Err(UnpackError::NotAPackage)));

        // The outline's first byte is the length of the scene's name: spell it in two bytes.
        let outline = HEADER_BYTES;
        let mut long = bytes.to_vec();
        let name = long[outline];
        long.splice(outline..=outline, [name | 0x80, 0]);
        let length = u64::from_le_bytes(long[20..28].try_into().expect("8 bytes")) + 1;
        long[20..28].copy_from_slice(&length.to_le_bytes());
        assert!(matches!(unpack(&long), Err(UnpackError::NotCanonical)));
    }

    #[test]
    fn huge_counts_are_refused_before_anything_is_allocated() {
        let mut scene = golden();
        scene.images.truncate(1);
        scene.images[0].width = u32::MAX;
        scene.images[0].height = u32::MAX;
        let bytes = pack(&scene).into_bytes();
        assert!(matches!(unpack(&bytes), Err(UnpackError::Length { what: "pixels", .. })));
    }

    #[test]
    fn a_scene_that_breaks_a_promise_is_refused() {
        let mut scene = golden();
        scene.meshes[0].primitives[0].indices[0] = [u32::MAX; 3];
        assert!(matches!(unpack(pack(&scene).bytes()), Err(UnpackError::Scene(_))));
    }
}
