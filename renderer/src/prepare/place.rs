//! Where nodes are: transforms multiplied down the tree, in double precision.

use scene::{Scene, Transform};

use super::PrepareError;
use super::motion::{Motion, Trs};

/// Coordinates beyond cannot be traced with.
const COORDINATE_MAX: f64 = 1e9;

/// An affine map: three rows of four.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place(pub [[f64; 4]; 3]);

impl Place {
    /// No change.
    pub const IDENTITY: Self =
        Self([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]);

    /// From the model's transform.
    pub fn of(transform: &Transform) -> Self {
        match transform {
            Transform::Trs { translation, rotation, scale } => {
                let rotation = rotation.map(f64::from);
                let (translation, scale) = (translation.map(f64::from), scale.map(f64::from));
                Self::of_trs(&Trs { translation, rotation, scale })
            }
            Transform::Matrix(columns) => {
                let at = |row: usize, column: usize| f64::from(columns[column][row]);
                Self([0, 1, 2].map(|row| [at(row, 0), at(row, 1), at(row, 2), at(row, 3)]))
            }
        }
    }

    /// Scale, then rotate, then move.
    pub fn of_trs(trs: &Trs) -> Self {
        let [x, y, z, w] = trs.rotation;
        let [sx, sy, sz] = trs.scale;
        let [tx, ty, tz] = trs.translation;
        // The quaternion need not be of unit length to the last bit.
        let squared = x * x + y * y + z * z + w * w;
        let s = if squared > 0.0 { 2.0 / squared } else { 0.0 };
        Self([
            [
                (1.0 - s * (y * y + z * z)) * sx,
                s * (x * y - w * z) * sy,
                s * (x * z + w * y) * sz,
                tx,
            ],
            [
                s * (x * y + w * z) * sx,
                (1.0 - s * (x * x + z * z)) * sy,
                s * (y * z - w * x) * sz,
                ty,
            ],
            [
                s * (x * z - w * y) * sx,
                s * (y * z + w * x) * sy,
                (1.0 - s * (x * x + y * y)) * sz,
                tz,
            ],
        ])
    }

    /// `self` after `inner`.
    pub fn after(&self, inner: &Self) -> Self {
        let (a, b) = (&self.0, &inner.0);
        let mut product = [[0.0; 4]; 3];
        for (row, a) in product.iter_mut().zip(a) {
            for (column, value) in row.iter_mut().enumerate() {
                *value = a[0] * b[0][column] + a[1] * b[1][column] + a[2] * b[2][column];
            }
            row[3] += a[3];
        }
        Self(product)
    }

    /// Minors with their signs: the map of normals, up to a factor of the determinant's sign.
    pub fn cofactors(&self) -> [[f64; 3]; 3] {
        let m = &self.0;
        let minor = |r: usize, c: usize| {
            let (r1, r2) = ((r + 1) % 3, (r + 2) % 3);
            let (c1, c2) = ((c + 1) % 3, (c + 2) % 3);
            m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
        };
        [0, 1, 2].map(|row| [minor(row, 0), minor(row, 1), minor(row, 2)])
    }

    /// Determinant of the linear part: below 0 it mirrors.
    pub fn determinant(&self) -> f64 {
        let (m, c) = (&self.0, self.cofactors());
        m[0][0] * c[0][0] + m[0][1] * c[0][1] + m[0][2] * c[0][2]
    }

    /// The inverse, or `None` for a place that flattens.
    pub fn inverse(&self) -> Option<Self> {
        let determinant = self.determinant();
        let size: f64 =
            self.0.iter().flat_map(|row| &row[..3]).map(|v| v.abs()).fold(0.0, f64::max);
        let has_volume = size > 0.0 && determinant.abs() > size * size * size * 1e-12;
        if !has_volume {
            return None;
        }
        let c = self.cofactors();
        let t = [self.0[0][3], self.0[1][3], self.0[2][3]];
        let inverse = [0, 1, 2].map(|row| {
            let r = [0, 1, 2].map(|column| c[column][row] / determinant);
            [r[0], r[1], r[2], -(r[0] * t[0] + r[1] * t[1] + r[2] * t[2])]
        });
        Some(Self(inverse))
    }

    /// A point moved.
    pub fn point(&self, p: [f32; 3]) -> [f32; 3] {
        let [x, y, z] = p.map(f64::from);
        self.0.map(|row| (x * row[0] + y * row[1] + z * row[2] + row[3]) as f32)
    }

    /// A direction turned and stretched.
    pub fn direction(&self, d: [f64; 3]) -> [f64; 3] {
        self.0.map(|row| d[0] * row[0] + d[1] * row[1] + d[2] * row[2])
    }

    /// Rows in single precision.
    pub fn rows(&self) -> [[f32; 4]; 3] {
        self.0.map(|row| row.map(|value| value as f32))
    }
}

/// `v` of length 1, or `None` when it has none.
pub fn unit(v: [f64; 3]) -> Option<[f64; 3]> {
    let length = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    (length > 1e-150 && length.is_finite()).then(|| v.map(|value| value / length))
}

/// Cross product.
pub fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Dot product.
pub fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The place of every node in the world at the time of `motion`.
pub fn world_places(scene: &Scene, motion: &Motion) -> Result<Vec<Place>, PrepareError> {
    let mut places: Vec<Place> = Vec::with_capacity(scene.nodes.len());
    for (index, node) in scene.nodes.iter().enumerate() {
        let own = match motion.trs(index) {
            Some(trs) => Place::of_trs(trs),
            None => Place::of(&node.transform),
        };
        let place = match node.parent {
            Some(parent) => places[parent as usize].after(&own),
            None => own,
        };
        if !place.0.iter().flatten().all(|value| value.abs() <= COORDINATE_MAX) {
            return Err(PrepareError::Place { node: index, name: node.name.clone() });
        }
        places.push(place);
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_undo() {
        let place = Place::of(&Transform::Trs {
            translation: [1.0, -2.0, 3.0],
            rotation: [0.5, 0.5, -0.5, 0.5],
            scale: [2.0, -0.5, 3.0],
        });
        assert!((place.determinant() + 3.0).abs() < 1e-12);
        let back = place.inverse().expect("not flat").after(&place);
        for (row, wanted) in back.0.iter().zip(Place::IDENTITY.0) {
            for (value, wanted) in row.iter().zip(wanted) {
                assert!((value - wanted).abs() < 1e-12, "{back:?}");
            }
        }
    }

    #[test]
    fn flat_places_have_no_inverse() {
        let flat = Transform::Trs {
            translation: [0.0; 3],
            rotation: [0.0, 0.0, 0.0, 1.0],
            scale: [1.0, 0.0, 1.0],
        };
        assert_eq!(Place::of(&flat).inverse(), None);
    }

    #[test]
    fn quarter_turn_about_y_takes_x_to_minus_z() {
        let half = std::f32::consts::FRAC_1_SQRT_2;
        let place = Place::of(&Transform::Trs {
            translation: [0.0; 3],
            rotation: [0.0, half, 0.0, half],
            scale: [1.0; 3],
        });
        let moved = place.point([1.0, 0.0, 0.0]);
        assert!(moved[0].abs() < 1e-6 && (moved[2] + 1.0).abs() < 1e-6, "{moved:?}");
    }
}
