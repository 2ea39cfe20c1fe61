//! The parts that packages are cut into: what two scenes share, and that nobody chooses the cuts.

use std::collections::BTreeSet;

use protocol::{SceneId, limits};
use scene::limits::{ALONE_BYTES_MIN, PART_BYTES_MAX};
use scene::{Image, Mesh, Package, Pixels, Primitive, Scene, UnpackError, golden, pack, unpack_as};

/// Bytes that differ everywhere, of a seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| next().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

fn image(seed: u64, side: u32) -> Image {
    let pixels = Pixels::Rgba8(noise(seed, (side * side * 4) as usize));
    Image { name: format!("image {seed}"), width: side, height: side, pixels }
}

/// A mesh of so many triangles.
fn mesh(seed: u64, triangles: u32) -> Mesh {
    let position = |bytes: &[u8]| [bytes[0], bytes[1], bytes[2]].map(f32::from);
    let positions = noise(seed, triangles as usize * 9);
    let positions = positions.chunks_exact(3).map(position).collect();
    let indices = (0..triangles).map(|at| [3 * at, 3 * at + 1, 3 * at + 2]).collect();
    let primitive = Primitive { positions, indices, ..Primitive::default() };
    Mesh { name: format!("mesh {seed}"), primitives: vec![primitive], weights: Vec::new() }
}

/// The golden scene with more images and meshes.
fn scene(images: impl IntoIterator<Item = Image>, meshes: impl IntoIterator<Item = Mesh>) -> Scene {
    let mut scene = golden();
    scene.images.extend(images);
    scene.meshes.extend(meshes);
    scene.validate().expect("a valid scene");
    scene
}

/// Bytes of `new` that whoever has `old` lacks.
fn missing(old: &Package, new: &Package) -> usize {
    let old: BTreeSet<_> = old.parts().collect();
    new.parts().filter(|part| !old.contains(part)).map(|part| part.len()).sum()
}

fn outline_bytes(package: &Package) -> usize {
    package.parts().next().expect("a part").len()
}

#[test]
fn parts_are_the_package_and_its_id() {
    let package = pack(&scene([image(1, 2048), image(2, 64)], [mesh(3, 200_000)]));
    let joined: Vec<u8> = package.parts().flatten().collect();
    assert_eq!(joined, **package.bytes());
    let hashes: Vec<u8> =
        package.parts().flat_map(|part| *blake3::hash(&part).as_bytes()).collect();
    assert_eq!(package.id(), SceneId(*blake3::hash(&hashes).as_bytes()));
    assert!(package.parts().all(|part| (1..=PART_BYTES_MAX).contains(&part.len())));
    unpack_as(package.id(), package.bytes()).expect("its own id");
}

#[test]
fn another_id_of_the_same_bytes_is_refused() {
    let package = pack(&scene([image(1, 1024)], []));
    let uncut = SceneId(*blake3::hash(blake3::hash(package.bytes()).as_bytes()).as_bytes());
    let refused = unpack_as(uncut, package.bytes());
    assert!(
        matches!(refused, Err(UnpackError::Id { wanted, found }) if (wanted, found) == (uncut, package.id())),
        "{refused:?}"
    );
}

#[test]
fn a_changed_texture_is_that_texture_and_the_outline() {
    let images = |changed: u64| {
        [image(1, 1024), image(2, 2048), image(changed, 1024), image(4, 256), image(5, 1024)]
    };
    let [old, new] = [3, 99].map(|changed| pack(&scene(images(changed), [mesh(6, 10_000)])));
    let texture = 4 << 20;
    assert_eq!(missing(&old, &new), texture + outline_bytes(&new));
    assert!(outline_bytes(&new) < 16_384);

    // With other sides it is other bytes of another length.
    let mut grown = images(3);
    grown[2] = image(3, 1536);
    let grown = pack(&scene(grown, [mesh(6, 10_000)]));
    assert_eq!(missing(&old, &grown), 1536 * 1536 * 4 + outline_bytes(&grown));

    // A material, a camera, a name are in the outline alone.
    let mut renamed = scene(images(3), [mesh(6, 10_000)]);
    renamed.name.push_str(" of another name");
    let renamed = pack(&renamed);
    assert_eq!(missing(&old, &renamed), outline_bytes(&renamed));
}

#[test]
fn one_of_many_small_things_costs_a_group_or_two() {
    // 20 000 images of 4 KiB, and as many meshes of 1 to 3 KiB: some 115 MiB.
    let images = || (0..20_000).map(|seed| image(seed, 32));
    let meshes = || (0..20_000).map(|seed| mesh(seed, 20 + seed as u32 % 41));
    let old = pack(&scene(images(), meshes()));
    let count = old.parts().count();
    assert!((16..=64).contains(&count), "{count} parts of {} bytes", old.size_bytes());
    let outline: usize = outline_bytes(&old);

    let check = |what: &str, new: Scene| {
        let lacks = missing(&old, &pack(&new));
        let parts = (lacks - outline.min(lacks)).div_ceil(PART_BYTES_MAX);
        println!("{what}: {lacks} of {} bytes, the outline has {outline}", old.size_bytes());
        assert!(parts <= 3, "{what}: {lacks} bytes");
    };
    let mut changed = scene(images(), meshes());
    changed.images[7_001] = image(777_777, 32);
    check("an image has changed", changed);
    let mut more = scene(images(), meshes());
    more.images.insert(2_000, image(777_777, 32));
    more.images.remove(11_000);
    check("an image has come and one has gone", more);
    let mut grown = scene(images(), meshes());
    let at = grown.meshes.len() - 10_000;
    grown.meshes[at] = mesh(777_777, 61);
    check("a mesh has grown", grown);
}

#[test]
fn a_huge_mesh_is_cut_and_its_neighbours_are_not_touched() {
    let meshes = |seed| [mesh(1, 1_000), mesh(seed, 1_000_000), mesh(3, 1_000)];
    let [old, new] = [2, 99].map(|seed| pack(&scene([image(1, 1024)], meshes(seed))));
    // 36 bytes of positions and 12 of indices a triangle; indices are alike.
    let lacks = missing(&old, &new) - outline_bytes(&new);
    assert!(lacks <= 36_000_000 + PART_BYTES_MAX, "{lacks}");
    assert!(old.parts().count() >= 48_000_000 / PART_BYTES_MAX);
}

#[test]
fn no_package_has_more_parts_than_may_travel() {
    // What gives most parts: things that just stand alone, with a little between them.
    let bytes_a_part = ALONE_BYTES_MIN as u64 / 2;
    let outline = scene::limits::OUTLINE_BYTES_MAX.div_ceil(PART_BYTES_MAX as u64);
    let most = limits::SCENE_BYTES_MAX / bytes_a_part + outline + 8;
    assert!(most <= limits::SCENE_PARTS_MAX as u64, "{most}");
    let dense = (0..12).flat_map(|seed| [image(seed, 1024), image(100 + seed, 1)]);
    let package = pack(&scene(dense, []));
    assert!(package.parts().count() as u64 <= package.size_bytes() / bytes_a_part + 4);
}
