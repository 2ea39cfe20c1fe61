//! Light passes: what a path gathers, by the way on which it came.
//!
//! The event at the surface that the camera sees decides: what lights it, and what the ray that
//! leaves it meets first, is direct; all that comes later is indirect. Either is split among the
//! classes of that surface's lobes by each one's share of the BSDF's value, whichever lobe was
//! sampled, so that a pass is no noisier than the beauty (as in Cycles). What multiplies the path's
//! light afterwards (absorption, dispersion, roulette) multiplies all shares alike, so a path needs
//! no more than the shares of its first event.
//!
//! Kept beside the paths, and only where the settings ask for passes.

use film::{Passes, Scattered};

use crate::bsdf::Scatter;
use crate::columns::columnar;
use crate::light::sound;
use crate::math::{Vec3, div, saturate, vec3};

columnar! {
    /// How light that scatters in one direction is split among classes of lobes.
    Split,
    /// Of many paths.
    SplitBlock {
        /// Share of the diffuse lobes on the viewer's side, 0..=1; the others are glossy.
        diffuse: Vec3,
        /// Whether it passes the surface: then all of it is transmitted.
        passes: bool,
    }
}

columnar! {
    /// The splits of one event.
    Splits,
    /// Of many paths.
    SplitsBlock {
        /// Of the emitter's light.
        gain: Split,
        /// Of what comes along the direction that goes on.
        onward: Split,
    }
}

impl Split {
    /// All diffuse: what matte surfaces do.
    pub const DIFFUSE: Self = Self { diffuse: Vec3::ONE, passes: false };

    /// That of a BSDF's value; `passes` is a direction beyond the surface.
    ///
    /// Where a channel's value is 0 there is no light to split.
    #[inline(always)]
    #[must_use]
    pub fn of(scattered: &Scatter, passes: bool) -> Self {
        let share = |part: f32, whole: f32| {
            let share = saturate(div(part, whole));
            if whole > 0.0 { share } else { 1.0 }
        };
        let (part, whole) = (scattered.diffuse, scattered.value);
        let diffuse = vec3(share(part.x, whole.x), share(part.y, whole.y), share(part.z, whole.z));
        Self { diffuse, passes }
    }
}

impl Splits {
    /// All diffuse.
    pub const DIFFUSE: Self = Self { gain: Split::DIFFUSE, onward: Split::DIFFUSE };
}

/// Light by class of lobes.
#[derive(Debug, Clone, Copy)]
struct Classes {
    diffuse: Vec3,
    glossy: Vec3,
    transmission: Vec3,
}

impl Classes {
    const NONE: Self = Self { diffuse: Vec3::ZERO, glossy: Vec3::ZERO, transmission: Vec3::ZERO };

    #[inline(always)]
    fn add(&mut self, light: Vec3, split: &Split) {
        if split.passes {
            self.transmission += light;
        } else {
            let diffuse = light * split.diffuse;
            self.diffuse += diffuse;
            // The rest, and not a share of its own, so that both add up.
            self.glossy += light - diffuse;
        }
    }

    fn finish(&self, radiance: Vec3) -> Scattered {
        Scattered {
            diffuse: sound_part(self.diffuse, radiance),
            glossy: sound_part(self.glossy, radiance),
            transmission: sound_part(self.transmission, radiance),
        }
    }
}

/// What one path has gathered, by the way on which it came.
#[derive(Debug, Clone, Copy)]
pub struct Tally {
    direct: Classes,
    indirect: Classes,
    emission: Vec3,
    environment: Vec3,
    /// What the first event does to all that comes after it.
    onward: Split,
}

impl Tally {
    /// Of a path that has not met anything yet.
    pub const NEW: Self = Self {
        direct: Classes::NONE,
        indirect: Classes::NONE,
        emission: Vec3::ZERO,
        environment: Vec3::ZERO,
        onward: Split::DIFFUSE,
    };

    /// Takes light that the path's ray has met after `bounce` events, what glows or the environment.
    #[inline(always)]
    pub fn meet(&mut self, bounce: u32, light: Vec3, is_environment: bool) {
        match bounce {
            0 if is_environment => self.environment += light,
            0 => self.emission += light,
            1 => self.direct.add(light, &self.onward),
            _ => self.indirect.add(light, &self.onward),
        }
    }

    /// Takes light of an emitter that was drawn at the first event, and how that split it.
    #[inline(always)]
    pub fn gain_direct(&mut self, light: Vec3, split: &Split) {
        self.direct.add(light, split);
    }

    /// Takes light of an emitter that was drawn at a later event.
    #[inline(always)]
    pub fn gain_indirect(&mut self, light: Vec3) {
        self.indirect.add(light, &self.onward);
    }

    /// Takes note of how the first event splits all that comes along the direction it chose.
    #[inline(always)]
    pub fn go_on(&mut self, split: &Split) {
        self.onward = *split;
    }

    /// The sums of this one sample, whose radiance is `radiance` before it is made sound.
    #[must_use]
    pub fn finish(&self, radiance: Vec3) -> Passes {
        Passes {
            direct: self.direct.finish(radiance),
            emission: sound_part(self.emission, radiance),
            indirect: self.indirect.finish(radiance),
            environment: sound_part(self.environment, radiance),
        }
    }
}

/// A part of a sample's light, made [`sound`]: black where the whole is not a number, as the beauty
/// is.
fn sound_part(part: Vec3, whole: Vec3) -> [f32; 3] {
    let part = sound(part);
    let keep = |part: f32, whole: f32| if whole >= 0.0 { part } else { 0.0 };
    [keep(part.x, whole.x), keep(part.y, whole.y), keep(part.z, whole.z)]
}
