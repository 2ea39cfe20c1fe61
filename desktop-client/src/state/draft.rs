//! What will be ordered: settings as the artist sets them, and what they make of a scene.

use protocol::{
    Assurance, Crop, FrameRange, JobSpec, Needs, NoiseTarget, Offer, PublicKey, RenderSettings,
    Schedule, Shutter, ShutterPosition, Size, Tokens,
};

use super::stage::Staged;

/// Samples before noise is looked at.
const NOISE_MIN_SAMPLES: u32 = 32;

/// A choice of many settings by one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// To look at the light.
    Draft,
    /// To show to somebody.
    Good,
    /// To keep.
    Final,
}

impl Preset {
    /// All of them, the quickest first.
    pub const ALL: [Self; 3] = [Self::Draft, Self::Good, Self::Final];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "Draft",
            Self::Good => "Good",
            Self::Final => "Final",
        }
    }

    /// Samples a pixel, bounces, and the noise that is enough.
    const fn values(self) -> (u32, u32, Option<f32>) {
        match self {
            Self::Draft => (32, 4, None),
            Self::Good => (256, 8, Some(0.02)),
            Self::Final => (1024, 12, Some(0.01)),
        }
    }
}

/// Settings of a render that is being prepared.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Name of the job.
    pub name: String,
    /// Frame size, pixels.
    pub size: Size,
    /// Samples a pixel, at most where noise decides.
    pub samples: u32,
    /// Noise that is enough, as a share of white.
    pub noise: Option<f32>,
    /// Scattering events.
    pub bounces: u32,
    /// The part of the frame that is rendered.
    pub crop: Option<Crop>,
    /// First and last frame.
    pub frames: (u32, u32),
    /// Distance between frames.
    pub step: u32,
    /// Frames a second.
    pub fps: f32,
    /// Whether the job renders its whole range, or the frame that is on the stage.
    pub is_animated: bool,
    /// Whether moving things are blurred, where the camera's shutter says so.
    pub has_blur: bool,
    /// Whether light passes are kept.
    pub passes: bool,
    /// How surely forgeries are caught.
    pub assurance: Assurance,
    /// What is paid instead of the base price, tokens per billion rays.
    pub bid: Option<Tokens>,
    /// Whether only the caller's own nodes may render it.
    pub only_mine: bool,
    /// Whether all of a picture comes soon, with few samples.
    pub progressive: bool,
}

impl Default for Draft {
    fn default() -> Self {
        let (samples, bounces, noise) = Preset::Good.values();
        Self {
            name: String::new(),
            size: Size::new(1920, 1080),
            samples,
            noise,
            bounces,
            crop: None,
            frames: (0, 0),
            step: 1,
            fps: 24.0,
            is_animated: false,
            has_blur: true,
            passes: false,
            assurance: Assurance::default(),
            bid: None,
            only_mine: false,
            progressive: true,
        }
    }
}

impl Draft {
    /// Settings for a scene: what its file asks for, and the rest as it was.
    #[must_use]
    pub fn of(staged: &Staged, last: &Self) -> Self {
        let wishes = &staged.imported.wishes;
        let size = wishes.resolution.map_or(last.size, |[width, height]| Size::new(width, height));
        let last_frame = (staged.imported.animation_s * last.fps).floor().max(0.0) as u32;
        Self {
            name: staged.imported.name.clone(),
            size,
            samples: wishes.samples.unwrap_or(last.samples),
            crop: None,
            frames: (0, last_frame),
            is_animated: false,
            ..last.clone()
        }
    }

    /// The preset whose values these are.
    #[must_use]
    pub fn preset(&self) -> Option<Preset> {
        Preset::ALL.into_iter().find(|preset| {
            let (samples, bounces, noise) = preset.values();
            let same = |a: Option<f32>, b: Option<f32>| a.map(f32::to_bits) == b.map(f32::to_bits);
            (self.samples, self.bounces) == (samples, bounces) && same(self.noise, noise)
        })
    }

    /// Sets what a preset sets.
    pub fn set(&mut self, preset: Preset) {
        (self.samples, self.bounces, self.noise) = preset.values();
    }

    /// The frames of the job.
    #[must_use]
    pub fn range(&self, frame: u32) -> FrameRange {
        let (first, last) = if self.is_animated { self.frames } else { (frame, frame) };
        FrameRange { first, last, step: self.step.max(1), fps: self.fps }
    }

    /// The settings of the picture.
    #[must_use]
    pub fn settings(&self, staged: &Staged) -> RenderSettings {
        let open = if self.has_blur { staged.shutter() } else { 0.0 };
        RenderSettings {
            size: self.size,
            crop: self.crop,
            samples: self.samples,
            bounces: self.bounces,
            camera: staged.camera(),
            lighting: staged.light.lighting(),
            shutter: (open > 0.0)
                .then(|| Shutter { open_s: open / self.fps, position: ShutterPosition::Center }),
            passes: self.passes,
            ..RenderSettings::default()
        }
    }

    /// What is ordered.
    ///
    /// # Errors
    /// What is wrong with the settings, in a sentence.
    pub fn spec(&self, staged: &Staged, caller: PublicKey) -> Result<JobSpec, String> {
        let noise = self.noise.map(|share| NoiseTarget::try_new(share, NOISE_MIN_SAMPLES));
        let noise = noise.transpose().map_err(|error| error.to_string())?;
        let mut needs = Needs::default();
        if self.only_mine {
            needs.owners.insert(caller);
        }
        let spec = JobSpec {
            name: self.name.trim().to_owned(),
            scene: staged.imported.package.id(),
            settings: self.settings(staged),
            more_cameras: Vec::new(),
            frames: self.range(staged.frame),
            tile_side_px: JobSpec::TILE_SIDE_PX,
            base: None,
            noise,
            needs,
        };
        spec.validate().map_err(|error| error.to_string())?;
        Ok(spec)
    }

    /// On which terms.
    #[must_use]
    pub const fn offer(&self) -> Offer {
        Offer { bid: self.bid, assurance: self.assurance }
    }

    /// When.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        Schedule { progressive: self.progressive, ..Schedule::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_is_known_by_its_values() {
        let mut draft = Draft::default();
        assert_eq!(draft.preset(), Some(Preset::Good));
        for preset in Preset::ALL {
            draft.set(preset);
            assert_eq!(draft.preset(), Some(preset));
        }
        draft.samples += 1;
        assert_eq!(draft.preset(), None);
    }

    #[test]
    fn one_frame_or_all_of_them() {
        let draft = Draft { frames: (1, 48), step: 2, ..Draft::default() };
        assert_eq!(draft.range(7).frames().collect::<Vec<_>>(), [7]);
        let animated = Draft { is_animated: true, ..draft };
        assert_eq!(animated.range(7).count(), 24);
    }
}
