//! Walking around a scene: a camera on a sphere around what it looks at.

use protocol::CameraChoice;

/// As near to straight up or down as one may look, radians: beyond, left and right would flip.
const PITCH_MAX: f32 = 1.553;
/// Nearest to the target, as a share of the scene's size.
const NEAREST: f32 = 1e-3;
/// Farthest from it, in sizes of the scene.
const FARTHEST: f32 = 100.0;

/// A camera by what it looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orbit {
    /// The middle of the picture, metres.
    pub target: [f32; 3],
    /// From there to the eye, metres.
    pub distance: f32,
    /// Around the vertical, radians: 0 looks along -z.
    pub yaw: f32,
    /// Above the horizon, radians.
    pub pitch: f32,
    /// Vertical field of view, degrees.
    pub vfov_degrees: f32,
    /// Length of the scene's diagonal, metres: the measure of steps.
    pub scale: f32,
}

impl Orbit {
    /// The camera that stands at `eye` and looks at `target`, in a scene of that size (metres).
    #[must_use]
    pub fn of(eye: [f32; 3], target: [f32; 3], vfov_degrees: f32, scale: f32) -> Self {
        let [x, y, z] = [0, 1, 2].map(|axis| eye[axis] - target[axis]);
        let distance = (x * x + y * y + z * z).sqrt().max(1e-6);
        let pitch = (y / distance).clamp(-1.0, 1.0).asin().clamp(-PITCH_MAX, PITCH_MAX);
        let yaw = if x.abs() + z.abs() > 0.0 { x.atan2(z) } else { 0.0 };
        Self { target, distance, yaw, pitch, vfov_degrees, scale: scale.max(1e-6) }
    }

    /// From the target towards the eye, of length one.
    fn outwards(&self) -> [f32; 3] {
        let (sin_yaw, cos_yaw) = self.yaw.sin_cos();
        let (sin_pitch, cos_pitch) = self.pitch.sin_cos();
        [cos_pitch * sin_yaw, sin_pitch, cos_pitch * cos_yaw]
    }

    /// Where the eye stands, metres.
    #[must_use]
    pub fn eye(&self) -> [f32; 3] {
        let out = self.outwards();
        [0, 1, 2].map(|axis| self.target[axis] + out[axis] * self.distance)
    }

    /// The camera as a job has it.
    #[must_use]
    pub fn camera(&self) -> CameraChoice {
        CameraChoice::LookAt {
            eye: self.eye(),
            target: self.target,
            vfov_degrees: self.vfov_degrees,
        }
    }

    /// Walks around the target: radians to the right and up.
    #[must_use]
    pub fn turned(self, right: f32, up: f32) -> Self {
        let yaw = (self.yaw - right).rem_euclid(std::f32::consts::TAU);
        Self { yaw, pitch: (self.pitch + up).clamp(-PITCH_MAX, PITCH_MAX), ..self }
    }

    /// Goes nearer by a factor: 2 halves the distance.
    #[must_use]
    pub fn nearer(self, factor: f32) -> Self {
        let (near, far) = (self.scale * NEAREST, self.scale * FARTHEST);
        Self { distance: (self.distance / factor.max(1e-3)).clamp(near, far), ..self }
    }

    /// Moves eye and target across the picture, in heights of it.
    #[must_use]
    pub fn panned(self, right: f32, up: f32) -> Self {
        let height = 2.0 * self.distance * (self.vfov_degrees.to_radians() / 2.0).tan();
        let (sin_yaw, cos_yaw) = self.yaw.sin_cos();
        let (sin_pitch, cos_pitch) = self.pitch.sin_cos();
        let across = [cos_yaw, 0.0, -sin_yaw];
        let above = [-sin_pitch * sin_yaw, cos_pitch, -sin_pitch * cos_yaw];
        let step = |axis: usize| (across[axis] * right + above[axis] * up) * height;
        Self { target: [0, 1, 2].map(|axis| self.target[axis] + step(axis)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: [f32; 3], b: [f32; 3]) {
        let all = a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(all, "{a:?} is not {b:?}");
    }

    #[test]
    fn a_camera_is_where_it_was_put() {
        for eye in [[0.0, 0.0, 5.0], [3.0, 2.0, -1.0], [-4.0, -0.5, 0.25], [1e-3, 0.0, 1e-3]] {
            let target = [0.5, 1.0, -2.0];
            let place = [0, 1, 2].map(|axis| eye[axis] + target[axis]);
            near(Orbit::of(place, target, 40.0, 10.0).eye(), place);
        }
    }

    #[test]
    fn turning_keeps_the_distance_and_comes_round() {
        let orbit = Orbit::of([0.0, 0.0, 4.0], [0.0; 3], 40.0, 10.0);
        near(orbit.turned(std::f32::consts::FRAC_PI_2, 0.0).eye(), [-4.0, 0.0, 0.0]);
        near(orbit.turned(std::f32::consts::TAU, 0.0).eye(), [0.0, 0.0, 4.0]);
        let high = orbit.turned(0.0, 9.0);
        assert!(high.eye()[1] > 3.99 && high.eye()[2] > 0.0, "over the top it stops");
    }

    #[test]
    fn panning_moves_what_is_looked_at_across_the_picture() {
        let orbit = Orbit::of([0.0, 0.0, 4.0], [0.0; 3], 90.0, 10.0);
        // At 4 m and 90° the picture is 8 m high.
        near(orbit.panned(0.25, 0.0).target, [2.0, 0.0, 0.0]);
        near(orbit.panned(0.0, -0.5).target, [0.0, -4.0, 0.0]);
        near(orbit.panned(0.25, 0.0).eye(), [2.0, 0.0, 4.0]);
    }

    #[test]
    fn one_never_reaches_the_target_nor_leaves_the_world() {
        let mut orbit = Orbit::of([0.0, 0.0, 4.0], [0.0; 3], 40.0, 10.0);
        near(orbit.nearer(2.0).eye(), [0.0, 0.0, 2.0]);
        for _step in 0..99 {
            orbit = orbit.nearer(2.0);
        }
        assert!(orbit.distance >= 0.009);
        for _step in 0..99 {
            orbit = orbit.nearer(0.5);
        }
        assert!(orbit.distance <= 1000.1);
    }
}
