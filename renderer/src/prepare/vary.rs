//! What materials, lights and cameras are at a time: the scene's own, or with the factors that its
//! variations give (`KHR_animation_pointer`).

use std::borrow::Cow;

use scene::{Camera, Factor, Light, LightFactor, LightKind, Material, Scene, Slot, Target};

use super::motion::value;

/// The scene's materials, lights and cameras at a time; borrowed where nothing varies.
pub struct Varied<'s> {
    pub materials: Cow<'s, [Material]>,
    pub lights: Cow<'s, [Light]>,
    pub cameras: Cow<'s, [Camera]>,
}

impl<'s> Varied<'s> {
    /// Evaluates every variation at `time_s` seconds.
    pub fn at(scene: &'s Scene, time_s: f64) -> Self {
        let mut varied = Self {
            materials: scene.materials.as_slice().into(),
            lights: scene.lights.as_slice().into(),
            cameras: scene.cameras.as_slice().into(),
        };
        // What multiplies comes after what it multiplies.
        for is_scale in [false, true] {
            let turn = scene.variations.iter().filter(|own| scales(own.target) == is_scale);
            for variation in turn {
                varied.apply(variation.target, &value(variation.keys(), time_s));
            }
        }
        // Keys of one cone may lead it past the other.
        if scene.variations.iter().any(|own| matches!(own.target, Target::Light { .. })) {
            for light in varied.lights.to_mut() {
                if let LightKind::Spot { inner_cone, outer_cone } = &mut light.kind {
                    *inner_cone = crate::math::min(*inner_cone, *outer_cone);
                }
            }
        }
        varied
    }

    /// Validation has seen to the indices, and to the slots and their lengths.
    fn apply(&mut self, target: Target, values: &[f64]) {
        match target {
            Target::Material { material, factor } => {
                let own = &mut self.materials.to_mut()[material as usize];
                write(factor.slot(own), values);
            }
            Target::Light { light, factor } => {
                let own = &mut self.lights.to_mut()[light as usize];
                write(factor.slot(own), values);
            }
            Target::Camera { camera } => {
                write(self.cameras.to_mut()[camera as usize].slot(), values);
            }
        }
    }
}

/// Whether any camera varies.
pub fn cameras_vary(scene: &Scene) -> bool {
    scene.variations.iter().any(|own| matches!(own.target, Target::Camera { .. }))
}

/// The scene's cameras at a time; borrowed where none varies.
pub fn cameras_at(scene: &Scene, time_s: f64) -> Cow<'_, [Camera]> {
    let mut cameras = Cow::from(scene.cameras.as_slice());
    for variation in &scene.variations {
        if let Target::Camera { camera } = variation.target {
            let slot = cameras.to_mut()[camera as usize].slot();
            write(slot, &value(variation.keys(), time_s));
        }
    }
    cameras
}

fn scales(target: Target) -> bool {
    match target {
        Target::Material { factor, .. } => factor == Factor::EmissiveStrength,
        Target::Light { factor, .. } => factor == LightFactor::Strength,
        Target::Camera { .. } => false,
    }
}

/// Puts a value into its slot, held within the slot's range: splines swing past their keys.
fn write(slot: Option<Slot<'_>>, values: &[f64]) {
    let Some(Slot { numbers, low, high, is_scaled }) = slot else { return };
    let hold = |value: f64| value.max(f64::from(low)).min(f64::from(high)) as f32;
    match (is_scaled, values) {
        (true, [factor]) => numbers.iter_mut().for_each(|n| *n = hold(f64::from(*n) * factor)),
        _ => numbers.iter_mut().zip(values).for_each(|(number, &value)| *number = hold(value)),
    }
}

#[cfg(test)]
mod tests {
    use protocol::RenderSettings;
    use scene::{Interpolation, Variation, golden};

    use super::*;
    use crate::prepare::prepare;
    use crate::tables::EMITTER_SPOT;

    fn keys(target: Target, values: &[f32]) -> Variation {
        let times = vec![0.0, 2.0];
        Variation { target, interpolation: Interpolation::Linear, times, values: values.to_vec() }
    }

    fn material(material: u32, factor: Factor) -> Target {
        Target::Material { material, factor }
    }

    #[test]
    fn nothing_varies_and_nothing_is_copied() {
        let scene = golden();
        let varied = Varied::at(&scene, 1.0);
        assert!(matches!(varied.materials, Cow::Borrowed(_)));
        assert!(matches!(varied.lights, Cow::Borrowed(_)));
        assert!(matches!(varied.cameras, Cow::Borrowed(_)));
    }

    #[test]
    fn factors_take_their_values_at_the_time() {
        let mut scene = golden();
        scene.variations = vec![
            // Listed first, applied last.
            keys(material(5, Factor::EmissiveStrength), &[2.0, 4.0]),
            keys(material(5, Factor::Emissive), &[1.0, 0.0, 0.0, 0.0, 2.0, 0.0]),
            keys(material(1, Factor::Roughness), &[0.0, 1.0]),
            keys(Target::Camera { camera: 0 }, &[0.5, 1.0]),
            keys(
                Target::Light { light: 1, factor: LightFactor::Intensity },
                &[0.0, 0.0, 0.0, 8.0, 4.0, 2.0],
            ),
        ];
        assert_eq!(scene.validate(), Ok(()));
        let varied = Varied::at(&scene, 1.0);
        let bits = |values: [f32; 3]| values.map(f32::to_bits);
        assert_eq!(bits(varied.materials[5].emissive), bits([1.5, 3.0, 0.0]));
        assert_eq!(varied.materials[1].roughness.to_bits(), 0.5_f32.to_bits());
        assert_eq!(bits(varied.lights[1].intensity), bits([4.0, 2.0, 1.0]));
        let vfov = scene::Projection::Perspective { vfov: 0.75 };
        assert_eq!(varied.cameras[0].projection, vfov);
    }

    #[test]
    fn what_swings_out_of_range_is_held() {
        let mut scene = golden();
        let spline = |target, values: &[f32]| Variation {
            interpolation: Interpolation::CubicSpline,
            ..keys(target, values)
        };
        scene.variations = vec![
            spline(material(1, Factor::Metallic), &[0.0, 1.0, 9.0, -9.0, 1.0, 0.0]),
            keys(Target::Light { light: 2, factor: LightFactor::OuterCone }, &[0.1, 9.0]),
        ];
        assert_eq!(scene.validate(), Ok(()));
        for time_s in [0.0, 0.5, 1.0, 1.7, 9.0] {
            let varied = Varied::at(&scene, time_s);
            let own = Scene {
                materials: varied.materials.into_owned(),
                lights: varied.lights.into_owned(),
                variations: Vec::new(),
                ..scene.clone()
            };
            assert_eq!(own.validate(), Ok(()), "at {time_s} s");
        }
    }

    #[test]
    fn tables_are_those_of_a_scene_that_holds_the_values() {
        let mut scene = golden();
        let power = Target::Light { light: 2, factor: LightFactor::Intensity };
        scene.variations = vec![
            keys(power, &[0.0, 0.0, 0.0, 2.0, 2.0, 2.0]),
            keys(material(0, Factor::BaseColor), &[0.0, 0.0, 0.0, 1.0, 1.0, 0.5, 0.25, 1.0]),
            keys(Target::Camera { camera: 0 }, &[0.5, 1.0]),
        ];
        let settings = RenderSettings::default();
        let at = |scene: &Scene, time_s| prepare(scene, &settings, time_s).expect("sound");
        let varied = Varied::at(&scene, 1.0);
        let still = Scene {
            materials: varied.materials.into_owned(),
            lights: varied.lights.into_owned(),
            cameras: varied.cameras.into_owned(),
            variations: Vec::new(),
            ..scene.clone()
        };
        assert_eq!(at(&scene, 1.0).digest(), at(&still, 1.0).digest());
        let spots = |time_s| {
            let prepared = at(&scene, time_s);
            prepared.emitters.iter().filter(|emitter| emitter.kind == EMITTER_SPOT).count()
        };
        assert_eq!([spots(0.0), spots(1.0)], [0, 1], "a dark lamp is no emitter");
    }
}
