//! What a ray meets: the portable traversal of the packed tables, which the GPU mirrors, and the
//! choice of the fastest traversal that this machine has.
//!
//! A hit is a function of the ray and the scene alone: of all triangles that
//! [`intersect_triangle`] and [`is_there`] accept, the nearest; of equally near ones, that of the
//! smaller (instance, primitive). Trees only skip what cannot be it.
//!
//! Traversals are compiled twice: with `MOVES` for scenes in which something moves while the
//! shutter is open, and without, so that other scenes pay nothing for it.

use crate::RenderScene;
use crate::bvh::{TOP_DEPTH_MAX, TREE_DEPTH_MAX, byte, plane};
use crate::math::{Vec3, vec3};
use crate::moving::{corners_at, ray_into};
use crate::ray::{
    Cast, Hit, Probe, Query, Ray, intersect_box, intersect_triangle, probe_of, sees_back,
};
use crate::sampler::alpha_draw;
use crate::surface::alpha_of;
use crate::tables::{
    ALPHA_MASK, INSTANCE_IDENTITY, Instance, NONE, Node, TRIANGLE_ALPHA, TRIANGLE_CULL, Triangle,
};

/// Groups that wait: one per level, and two at the entrance of an instance.
pub const STACK_ENTRIES: usize = (TOP_DEPTH_MAX + TREE_DEPTH_MAX + 4) as usize;

/// The corners of a triangle's record.
#[inline(always)]
#[must_use]
pub fn corners(triangle: &Triangle) -> (Vec3, Vec3, Vec3) {
    (Vec3::of(triangle.a), Vec3::of(triangle.b), Vec3::of(triangle.c))
}

/// Whether a hit comes before another: nearer, or as near and of a smaller number.
#[inline(always)]
#[must_use]
pub fn is_before(scene: &RenderScene, t: f32, instance: u32, triangle: u32, best: &Hit) -> bool {
    if t < best.t {
        return true;
    }
    if t > best.t {
        return false;
    }
    if best.triangle == NONE {
        return true;
    }
    let id = scene.instances[instance as usize].id;
    let best_id = scene.instances[best.instance as usize].id;
    let primitive = scene.triangles[triangle as usize].primitive;
    let best_primitive = scene.triangles[best.triangle as usize].primitive;
    id < best_id || (id == best_id && primitive < best_primitive)
}

/// Whether a triangle is there for this ray: neither culled nor transparent at that point.
///
/// Transparency is decided by a hash of ray, instance and primitive, never by the order of
/// traversal.
#[inline(always)]
#[must_use]
pub fn is_there<const MOVES: bool>(
    scene: &RenderScene,
    query: &Query,
    direction: Vec3,
    instance: &Instance,
    triangle: &Triangle,
    weights: (f32, f32),
) -> bool {
    if triangle.flags & TRIANGLE_CULL != 0 && query.camera {
        let (a, b, c) = corners_at::<MOVES>(scene, triangle, query.time);
        if sees_back(direction, a, b, c) {
            return false;
        }
    }
    if triangle.flags & TRIANGLE_ALPHA != 0 {
        let shape = &scene.shapes[triangle.shape as usize];
        let material = &scene.materials[shape.material as usize];
        let alpha = alpha_of(scene, shape, material, triangle.primitive, weights);
        if material.alpha_mode == ALPHA_MASK {
            return alpha >= material.alpha_cutoff;
        }
        let frame = scene.header.frame_key;
        return alpha_draw(frame, query.key, instance.id, triangle.primitive) < alpha;
    }
    true
}

/// Tries one triangle and keeps it when it comes first. Returns whether it was kept.
#[inline(always)]
pub fn try_triangle<const MOVES: bool>(
    scene: &RenderScene,
    query: &Query,
    probe: &Probe,
    instance: u32,
    triangle: u32,
    best: &mut Hit,
) -> bool {
    let record = &scene.triangles[triangle as usize];
    let (a, b, c) = corners_at::<MOVES>(scene, record, query.time);
    let Some((t, u, v)) = intersect_triangle(probe, a, b, c) else { return false };
    let placed = &scene.instances[instance as usize];
    if !is_before(scene, t, instance, triangle, best)
        || !is_there::<MOVES>(scene, query, probe.direction, placed, record, (u, v))
    {
        return false;
    }
    *best = Hit { t, u, v, instance, triangle };
    true
}

/// The order in which a ray visits slots: bits of the axes along which it runs upwards.
#[inline(always)]
#[must_use]
pub fn octant(probe: &Probe) -> u32 {
    let x = if probe.inverse.x < 0.0 { 0 } else { 4 };
    let y = if probe.inverse.y < 0.0 { 0 } else { 2 };
    let z = if probe.inverse.z < 0.0 { 0 } else { 1 };
    x + y + z
}

/// Which children of a node a ray meets before `t_max`: nodes in the upper eight bits, in the
/// order of visit from the highest; primitives in the lower 24.
#[inline(always)]
#[must_use]
pub fn intersect_node(node: &Node, probe: &Probe, octant: u32, t_max: f32) -> u32 {
    let origin_x = f32::from_bits(node.origin[0]);
    let origin_y = f32::from_bits(node.origin[1]);
    let origin_z = f32::from_bits(node.origin[2]);
    let exponents = node.exponents_and_inner;
    let scale_x = f32::from_bits((exponents & 0xff) << 23);
    let scale_y = f32::from_bits((exponents >> 8 & 0xff) << 23);
    let scale_z = f32::from_bits((exponents >> 16 & 0xff) << 23);
    let mut hits = 0;
    for slot in 0..8 {
        let meta = byte(node.meta, slot);
        if meta == 0 {
            continue;
        }
        let low = vec3(
            plane(origin_x, scale_x, byte(node.low_x, slot)),
            plane(origin_y, scale_y, byte(node.low_y, slot)),
            plane(origin_z, scale_z, byte(node.low_z, slot)),
        );
        let high = vec3(
            plane(origin_x, scale_x, byte(node.high_x, slot)),
            plane(origin_y, scale_y, byte(node.high_y, slot)),
            plane(origin_z, scale_z, byte(node.high_z, slot)),
        );
        let (enter, leave) = intersect_box(probe, low, high);
        if enter <= leave && enter <= t_max {
            hits |= if exponents >> (24 + slot) & 1 != 0 {
                1 << (24 + ((meta & 7) ^ octant))
            } else {
                (meta >> 5) << (meta & 31)
            };
        }
    }
    hits
}

/// The nearest hit, or with `any` the first that is found: the portable traversal.
///
/// `group` is (first child, met children | inner mask) for nodes, `primitives` is (first
/// primitive, met primitives). Groups wait on one stack for both levels; a waiting group without
/// node bits holds instances.
#[must_use]
pub fn walk_packed(scene: &RenderScene, ray: &Ray, query: &Query, any: bool) -> Hit {
    if scene.header.motion_keys == 0 {
        walk_groups::<false>(scene, ray, query, any)
    } else {
        walk_groups::<true>(scene, ray, query, any)
    }
}

fn walk_groups<const MOVES: bool>(scene: &RenderScene, ray: &Ray, query: &Query, any: bool) -> Hit {
    let mut best = Hit::miss(query.t_max);
    if scene.header.root_node == NONE {
        return best;
    }
    let world = probe_of(ray);
    let mut probe = world;
    let mut order = octant(&probe);
    let mut instance = NONE;
    let mut stack = [(0_u32, 0_u32); STACK_ENTRIES];
    let mut top = 0;
    let mut instance_floor = 0;
    let mut group = (scene.header.root_node, 0x8000_0000_u32);
    let mut primitives = (0_u32, 0_u32);
    loop {
        // Open the next node of the group.
        if group.1 & 0xff00_0000 != 0 {
            let bit = 31 - group.1.leading_zeros();
            let inner = group.1 & 0xff;
            let rest = group.1 & !(1 << bit);
            if rest & 0xff00_0000 != 0 {
                stack[top] = (group.0, rest);
                top += 1;
            }
            let slot = (bit - 24) ^ order;
            let before = (inner & !(u32::MAX << slot)).count_ones();
            let node = &scene.nodes[(group.0 + before) as usize];
            let hits = intersect_node(node, &probe, order, best.t);
            group = (node.first_child, (hits & 0xff00_0000) | (exponents_inner(node)));
            primitives = (node.first_primitive, hits & 0x00ff_ffff);
        }
        // Try its primitives: triangles, or the first instance.
        while primitives.1 != 0 {
            let bit = primitives.1.trailing_zeros();
            primitives.1 &= primitives.1 - 1;
            let index = primitives.0 + bit;
            if instance != NONE {
                if try_triangle::<MOVES>(scene, query, &probe, instance, index, &mut best) && any {
                    return best;
                }
                continue;
            }
            if group.1 & 0xff00_0000 != 0 {
                stack[top] = group;
                top += 1;
            }
            if primitives.1 != 0 {
                stack[top] = primitives;
                top += 1;
            }
            let placed = &scene.instances[index as usize];
            instance = index;
            instance_floor = top;
            if placed.flags & INSTANCE_IDENTITY == 0 {
                probe = probe_of(&ray_into::<MOVES>(scene, placed, ray, query.time));
                order = octant(&probe);
            }
            group = (placed.root_node, 0x8000_0000);
            primitives = (0, 0);
        }
        // Take the next group that waits, and leave the instance when none of its own does.
        if group.1 & 0xff00_0000 == 0 {
            if instance != NONE && top == instance_floor {
                instance = NONE;
                probe = world;
                order = octant(&probe);
            }
            if top == 0 {
                return best;
            }
            top -= 1;
            if stack[top].1 & 0xff00_0000 != 0 {
                group = stack[top];
            } else {
                group = (0, 0);
                primitives = stack[top];
            }
        }
    }
}

#[inline(always)]
fn exponents_inner(node: &Node) -> u32 {
    node.exponents_and_inner >> 24
}

/// How this machine walks the trees and scatters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// The packed tables, one value at a time.
    Portable,
    /// Wide trees, eight boxes at a time; eight paths scatter at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The same trees; sixteen paths scatter at a time.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Path {
    /// All that this machine has, the fastest last.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("popcnt")
            && std::arch::is_x86_feature_detected!("lzcnt")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
        {
            all.push(Self::Avx2);
            if std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512vl")
                && std::arch::is_x86_feature_detected!("avx512dq")
                && std::arch::is_x86_feature_detected!("avx512bw")
            {
                all.push(Self::Avx512);
            }
        }
        all
    }

    /// The fastest that this machine has.
    #[must_use]
    pub fn best() -> Self {
        Self::all().pop().unwrap_or(Self::Portable)
    }

    /// This path where the machine has it, else the best it has.
    fn checked(self) -> Self {
        self.min(Self::best())
    }

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }
}

/// A prepared scene and how its trees are walked: what kernels ask for rays.
#[derive(Clone, Copy)]
pub struct Tracer<'a> {
    /// The scene.
    pub scene: &'a RenderScene,
    path: Path,
    #[cfg(target_arch = "x86_64")]
    wide: Option<&'a crate::wide::WideScene>,
}

impl<'a> Tracer<'a> {
    /// Makes the scene ready for a path; the first call on a scene may build wide trees.
    #[must_use]
    pub fn new(scene: &'a RenderScene, path: Path) -> Self {
        let path = path.checked();
        Self {
            scene,
            path,
            #[cfg(target_arch = "x86_64")]
            wide: (path != Path::Portable)
                .then(|| scene.wide.get_or_init(|| crate::wide::WideScene::new(scene))),
        }
    }

    /// The nearest hit of each ray up to its `query.t_max`; `hits` is as long as `casts`.
    ///
    /// Many rays at once are several times faster than one after the other.
    pub fn closest(&self, casts: &[Cast], hits: &mut [Hit]) {
        self.walk::<false>(casts, hits);
    }

    /// For each ray a hit where anything is in its way up to its `query.t_max`, whichever was
    /// found first; else a miss.
    pub fn any(&self, casts: &[Cast], hits: &mut [Hit]) {
        self.walk::<true>(casts, hits);
    }

    #[inline]
    fn walk<const ANY: bool>(&self, casts: &[Cast], hits: &mut [Hit]) {
        assert_eq!(casts.len(), hits.len(), "a hit for each ray");
        #[cfg(target_arch = "x86_64")]
        if let Some(wide) = self.wide {
            return crate::wide::walk::<ANY>(self.scene, wide, casts, hits);
        }
        for (cast, hit) in casts.iter().zip(hits) {
            *hit = walk_packed(self.scene, &cast.ray, &cast.query, ANY);
        }
    }

    /// How the trees are walked.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }
}
