//! Surfaces: boxes, lathes, tubes, sheets and laid tiles.

use std::f32::consts::TAU;

use glam::{Vec2, Vec3};

/// A triangle mesh in metres.
#[derive(Clone, Default)]
pub struct Surface {
    pub positions: Vec<Vec3>,
    pub normals: Vec<Vec3>,
    /// As many as positions, or none.
    pub uvs: Vec<Vec2>,
    /// As many as positions, or none; linear.
    pub colors: Vec<[u8; 4]>,
    pub triangles: Vec<[u32; 3]>,
    /// Normals in a byte each: enough for flat things.
    pub coarse_normals: bool,
}

impl Surface {
    fn vertex(&mut self, at: Vec3, normal: Vec3) -> u32 {
        self.positions.push(at);
        self.normals.push(normal);
        self.positions.len() as u32 - 1
    }

    /// A flat quad, counter-clockwise seen from its front.
    pub fn quad(&mut self, corners: [Vec3; 4], uvs: [Vec2; 4]) {
        let normal = (corners[1] - corners[0]).cross(corners[2] - corners[0]).normalize();
        let [a, b, c, d] = corners.map(|at| self.vertex(at, normal));
        self.uvs.extend(uvs);
        self.triangles.extend([[a, b, c], [a, c, d]]);
    }

    /// A box between two corners; `texel` metres of surface fill the texture once.
    pub fn block(&mut self, low: Vec3, high: Vec3, texel: f32) {
        let size = high - low;
        for axis in 0..3 {
            let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
            for end in [low, high] {
                let mut corners = [end; 4];
                for (corner, [s, t]) in corners.iter_mut().zip([[0, 0], [1, 0], [1, 1], [0, 1]]) {
                    corner[u] = if s == 0 { low[u] } else { high[u] };
                    corner[v] = if t == 0 { low[v] } else { high[v] };
                }
                // Lay the texture so that it stands upright on walls.
                let mut uvs = corners.map(|at| match axis {
                    0 => Vec2::new(at.z, -at.y) / texel,
                    1 => Vec2::new(at.x, at.z) / texel,
                    _ => Vec2::new(at.x, -at.y) / texel,
                });
                let inner = if end[axis] > low[axis] + 0.5 * size[axis] { 1.0 } else { -1.0 };
                if inner < 0.0 {
                    corners.reverse();
                    uvs.reverse();
                }
                self.quad(corners, uvs);
            }
        }
    }

    /// Turns a profile (radius, height), from bottom to top, about y. `around` quads a turn.
    ///
    /// Equal neighbours in the profile make a sharp edge. `dent` moves a point outwards by its
    /// angle and height: flutes.
    pub fn lathe(&mut self, profile: &[Vec2], around: u32, dent: impl Fn(f32, f32) -> f32) {
        let start = self.positions.len() as u32;
        let lengths: Vec<f32> = std::iter::once(0.0)
            .chain(profile.windows(2).scan(0.0, |sum, pair| {
                *sum += pair[0].distance(pair[1]);
                Some(*sum)
            }))
            .collect();
        let total = lengths.last().copied().unwrap_or(1.0).max(1e-6);
        let rows = profile.len() as u32;
        let columns = around + 1;
        for (row, &at) in profile.iter().enumerate() {
            // The slope between the neighbours that are not the same point.
            let slope = slope(profile, row);
            for column in 0..columns {
                let angle = TAU * column as f32 / around as f32;
                let point = |angle: f32| {
                    let radius = at.x + dent(angle, at.y);
                    Vec3::new(radius * angle.cos(), at.y, -radius * angle.sin())
                };
                let along = point(angle + 1e-3) - point(angle - 1e-3);
                let out = Vec3::new(angle.cos(), 0.0, -angle.sin());
                let up = out * slope.x + Vec3::Y * slope.y;
                let normal = match along.length() > 1e-7 {
                    true => along.cross(up).normalize_or(Vec3::Y),
                    false => (out * slope.y - Vec3::Y * slope.x).normalize_or(Vec3::Y),
                };
                self.vertex(point(angle), normal);
                let u = column as f32 / around as f32;
                self.uvs.push(Vec2::new(u, 1.0 - lengths[row] / total));
            }
        }
        for row in 0..rows - 1 {
            if profile[row as usize].distance(profile[row as usize + 1]) < 1e-6 {
                continue;
            }
            for column in 0..around {
                let a = start + row * columns + column;
                let (b, c, d) = (a + 1, a + columns + 1, a + columns);
                if profile[row as usize].x > 1e-6 {
                    self.triangles.push([a, b, c]);
                }
                if profile[row as usize + 1].x > 1e-6 {
                    self.triangles.push([a, c, d]);
                }
            }
        }
    }

    /// A tube along a path.
    pub fn tube(&mut self, path: &[Vec3], radius: impl Fn(f32) -> f32, around: u32) {
        let start = self.positions.len() as u32;
        let columns = around + 1;
        let mut side = Vec3::Z;
        for (row, &at) in path.iter().enumerate() {
            let (before, after) = (row.saturating_sub(1), (row + 1).min(path.len() - 1));
            let along = (path[after] - path[before]).normalize();
            side = (side - along * along.dot(side)).normalize();
            let up = along.cross(side);
            let t = row as f32 / (path.len() - 1) as f32;
            for column in 0..columns {
                let (sin, cos) = (TAU * column as f32 / around as f32).sin_cos();
                let normal = side * cos + up * sin;
                self.vertex(at + radius(t) * normal, normal);
                self.uvs.push(Vec2::new(0.02, 0.5));
            }
        }
        for row in 0..path.len() as u32 - 1 {
            for column in 0..around {
                let a = start + row * columns + column;
                let (b, c, d) = (a + 1, a + columns + 1, a + columns);
                self.triangles.extend([[a, b, c], [a, c, d]]);
            }
        }
    }

    /// One tessera: a flat top, its edges rounded by the normals, its skirt in the mortar.
    ///
    /// `corners` are counter-clockwise seen from above; `tilt` leans the top a little.
    pub fn tessera(&mut self, corners: [Vec2; 4], height: f32, tilt: Vec2, color: [u8; 4]) {
        self.coarse_normals = true;
        let center = (corners[0] + corners[1] + corners[2] + corners[3]) / 4.0;
        let lift = |at: Vec2| height + tilt.dot(at - center);
        let up = Vec3::new(-tilt.x, 1.0, -tilt.y).normalize();
        let top = corners.map(|at| {
            let at = center + 0.9 * (at - center);
            self.vertex(Vec3::new(at.x, lift(at), at.y), up)
        });
        let skirt = corners.map(|at| {
            let out = (at - center).normalize();
            let normal = Vec3::new(out.x, 0.35, out.y).normalize();
            self.vertex(
                Vec3::new(at.x, lift(at) - 0.3 * (corners[0] - center).length(), at.y),
                normal,
            )
        });
        self.colors.extend([color; 8]);
        self.triangles.extend([[top[0], top[1], top[2]], [top[0], top[2], top[3]]]);
        for side in 0..4 {
            let next = (side + 1) % 4;
            let (a, b, c, d) = (skirt[side], skirt[next], top[next], top[side]);
            self.triangles.extend([[a, b, c], [a, c, d]]);
        }
    }

    /// Gives every vertex a colour by its position.
    pub fn colored(mut self, color: impl Fn(Vec3) -> [u8; 4]) -> Self {
        self.colors = self.positions.iter().map(|&at| color(at)).collect();
        self
    }
}

fn slope(profile: &[Vec2], row: usize) -> Vec2 {
    let same = |a: usize, b: usize| profile[a].distance(profile[b]) < 1e-6;
    let before = row.checked_sub(1).filter(|&before| !same(before, row));
    let after = Some(row + 1).filter(|&after| after < profile.len() && !same(after, row));
    let direction = |from: usize, to: usize| (profile[to] - profile[from]).normalize_or_zero();
    let sum = before.map_or(Vec2::ZERO, |before| direction(before, row))
        + after.map_or(Vec2::ZERO, |after| direction(row, after));
    sum.normalize_or(Vec2::Y)
}

/// Points on a smooth curve through `knots` (Catmull-Rom), `between` pieces from knot to knot.
pub fn smooth(knots: &[Vec2], between: u32) -> Vec<Vec2> {
    let at = |index: isize| knots[index.clamp(0, knots.len() as isize - 1) as usize];
    let mut points = Vec::new();
    for knot in 0..knots.len() as isize - 1 {
        let [a, b, c, d] = [-1, 0, 1, 2].map(|offset| at(knot + offset));
        for piece in 0..between {
            let t = piece as f32 / between as f32;
            let curve = 2.0 * b
                + (c - a) * t
                + (2.0 * a - 5.0 * b + 4.0 * c - d) * (t * t)
                + (3.0 * b - a - 3.0 * c + d) * (t * t * t);
            points.push(Vec2::new((0.5 * curve.x).max(0.0), 0.5 * curve.y));
        }
    }
    points.extend(knots.last());
    points
}

/// A sphere's profile for the lathe.
pub fn ball(radius: f32, rows: u32) -> Vec<Vec2> {
    (0..=rows)
        .map(|row| {
            let (sin, cos) = (0.5 * TAU * row as f32 / rows as f32).sin_cos();
            // Sine of π is not zero in floats; the pole must be.
            Vec2::new(if row % rows == 0 { 0.0 } else { radius * sin }, -radius * cos)
        })
        .collect()
}
