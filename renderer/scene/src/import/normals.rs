//! Normals that point nowhere, and where they should.

use glam::{DVec3, Vec3};

use crate::model::Primitive;

/// Scales to unit length; false when one has no direction, which becomes zero.
pub fn normalize(normals: &mut [[f32; 3]]) -> bool {
    let mut all = true;
    for normal in normals {
        let unit = Vec3::from(*normal).as_dvec3().try_normalize();
        all &= unit.is_some();
        *normal = unit.unwrap_or_default().as_vec3().into();
    }
    all
}

/// Gives every normal that is zero the mean direction of its vertex's triangles, the larger ones
/// counting more; up, where these have none.
pub fn repair(primitive: &mut Primitive) {
    let positions = &primitive.positions;
    let at = |vertex: u32| Vec3::from(positions[vertex as usize]).as_dvec3();
    let normals = &mut primitive.normals;
    let missing: Vec<bool> =
        normals.iter().map(|normal| normal.iter().all(|value| value.abs() <= 0.0)).collect();
    let mut sums = vec![DVec3::ZERO; if missing.contains(&true) { normals.len() } else { 0 }];
    for &[a, b, c] in &primitive.indices {
        let corners = [a, b, c].into_iter().filter(|&corner| missing[corner as usize]);
        for corner in corners {
            sums[corner as usize] += (at(b) - at(a)).cross(at(c) - at(a));
        }
    }
    for ((normal, sum), _) in normals.iter_mut().zip(sums).zip(missing).filter(|(_, m)| *m) {
        *normal = sum.try_normalize().unwrap_or(DVec3::Y).as_vec3().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_points_nowhere_follows_its_triangles() {
        let nan = f32::NAN;
        let mut primitive = Primitive {
            positions: vec![[0.0; 3], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [5.0; 3], [0.0; 3]],
            normals: vec![[0.0; 3], [nan; 3], [3.0, 0.0, 0.0], [f32::INFINITY; 3], [0.0; 3]],
            // A triangle that faces +z, and one without an area.
            indices: vec![[0, 1, 2], [4, 4, 4]],
            ..Primitive::default()
        };
        assert!(!normalize(&mut primitive.normals));
        repair(&mut primitive);
        let (x, y, z) = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]);
        let bits = |list: &[[f32; 3]]| list.as_flattened().iter().map(|v| v.to_bits()).collect();
        let (found, wanted): (Vec<u32>, Vec<u32>) =
            (bits(&primitive.normals), bits(&[z, z, x, y, y]));
        assert_eq!(found, wanted);
    }
}
