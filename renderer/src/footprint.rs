//! Memory that a prepared scene takes on either backend: bounds that are functions of its tables, the
//! same on every machine.

use crate::RenderScene;
use crate::bvh::{WHOLE_MAX, byte};
use crate::tables::{Node, TRIANGLE_MOVES};

/// A node of the trees that the CPU walks, bytes; see `wide.rs`.
pub(crate) const WIDE_NODE_BYTES: u64 = 256;
/// A block of their triangles.
pub(crate) const WIDE_BLOCK_BYTES: u64 = 176;
/// Corners of a block at one key of a shutter.
pub(crate) const WIDE_CORNERS_BYTES: u64 = 144;

/// A box while its tree is clustered; see `bvh/pieces.rs`.
const CLUSTER_BYTES: u64 = 310;

/// What a device needs beside a scene's tables: sums of films and their way back (at most 32 MiB
/// each), kernels, and what the driver and a desktop keep for themselves.
pub const DEVICE_BYTES: u64 = 256 << 20;

impl RenderScene {
    /// Memory that it takes on the CPU backend at most, bytes: its tables and the wide trees made from
    /// them.
    #[must_use]
    pub fn cpu_bytes(&self) -> u64 {
        self.byte_size() + self.wide_bytes_max()
    }

    /// Memory that making it ready takes at most, bytes: beside the package and the scene read from
    /// it, which is as large, there are its tables, and then either boxes that are being clustered or
    /// the wide trees.
    #[must_use]
    pub fn preparing_bytes(&self, package_bytes: u64) -> u64 {
        let clustered = (self.triangles.len() as u64).min(WHOLE_MAX as u64) * CLUSTER_BYTES;
        let beside = clustered.max(self.wide_bytes_max());
        2 * package_bytes + self.byte_size() + beside
    }

    /// Memory that it takes on a graphics device at most, bytes: its tables, once more the largest of
    /// them while it is on its way there, and [`DEVICE_BYTES`].
    #[must_use]
    pub fn gpu_bytes(&self) -> u64 {
        self.byte_size() + self.largest_table_bytes() + DEVICE_BYTES
    }

    /// Wide trees: no more nodes than the packed trees have, and no more blocks than these have leaves.
    pub(crate) fn wide_bytes_max(&self) -> u64 {
        let nodes = self.nodes.len() as u64 * WIDE_NODE_BYTES;
        let blocks = self.leaf_count() * WIDE_BLOCK_BYTES;
        let keys = u64::from(self.header.motion_keys);
        let moving = match keys {
            0 => 0,
            _ => self.triangles.iter().filter(|it| it.flags & TRIANGLE_MOVES != 0).count() as u64,
        };
        let roots = self.instances.len() as u64 * 4;
        nodes + blocks + moving * keys * WIDE_CORNERS_BYTES + roots
    }

    /// Leaves of all packed trees.
    pub(crate) fn leaf_count(&self) -> u64 {
        let leaves = |node: &Node| {
            let is_leaf = |slot: &usize| {
                let is_inner = node.exponents_and_inner >> (24 + slot) & 1 == 1;
                byte(node.meta, *slot) != 0 && !is_inner
            };
            (0..8).filter(is_leaf).count() as u64
        };
        self.nodes.iter().map(leaves).sum()
    }
}

#[cfg(test)]
mod tests {
    use protocol::RenderSettings;

    use super::*;

    #[test]
    fn bounds_are_above_what_is_there_and_not_far_above() {
        let scene = crate::prepare(&scene::golden(), &RenderSettings::default(), 0.0);
        let scene = scene.expect("it is sound");
        #[cfg(target_arch = "x86_64")]
        {
            let wide = crate::wide::WideScene::new(&scene).byte_size();
            assert!(wide > 0 && wide <= scene.wide_bytes_max(), "{wide}");
            assert!(scene.wide_bytes_max() <= 2 * wide, "{wide}: {}", scene.wide_bytes_max());
        }
        let tables = scene.byte_size();
        assert!(scene.cpu_bytes() > tables && scene.cpu_bytes() < 4 * tables);
        assert!(scene.gpu_bytes() > tables + DEVICE_BYTES);
        assert!(scene.gpu_bytes() <= 2 * tables + DEVICE_BYTES);
        let package = scene.preparing_bytes(1_000) - scene.preparing_bytes(0);
        assert_eq!(package, 2_000, "the package and what is read from it");
        assert!(scene.preparing_bytes(0) >= scene.cpu_bytes());
    }
}
