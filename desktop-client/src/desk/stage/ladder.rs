//! From a first glance to all samples: which step of a preview comes next.

use std::time::Duration;

use protocol::{RenderSettings, Size};

/// A first glance is to be there within this time.
const GLANCE: Duration = Duration::from_millis(60);
/// Later steps may take this long: they can be called off at any time.
const STEP: Duration = Duration::from_millis(400);
/// A glance is at most so much smaller than the picture.
const COARSEST: u32 = 4;
/// Most chunks that a step adds.
const CHUNKS_MAX: u32 = 16;

/// How long a sample takes on this machine, of scenes like the last ones.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// Seconds a sample; none before there was one.
    sample_s: Option<f64>,
}

impl Pace {
    /// Notes what a step took.
    pub(super) fn note(&mut self, pixels: u64, samples: u32, took: Duration) {
        let all = pixels as f64 * f64::from(samples.max(1));
        self.sample_s = Some(took.as_secs_f64() / all.max(1.0));
    }

    fn expected(&self, pixels: u64) -> Option<Duration> {
        self.sample_s.map(|each| Duration::from_secs_f64((each * pixels as f64).min(1e6)))
    }
}

/// The steps of a look before it has all its samples: one of few pixels where the machine is slow,
/// then one sample of every pixel.
pub(super) fn glances(settings: &RenderSettings, pace: Pace) -> Vec<RenderSettings> {
    let glance = |size: Size| RenderSettings { size, samples: 1, ..settings.clone() };
    let is_quick =
        |size: Size| pace.expected(size.pixel_count()).is_some_and(|expected| expected <= GLANCE);
    let mut all = Vec::new();
    if !is_quick(settings.size) {
        let coarse = [2, COARSEST].into_iter().map(|by| smaller(settings.size, by));
        let chosen =
            coarse.clone().find(|size| is_quick(*size)).or_else(|| coarse.clone().next_back());
        all.extend(chosen.filter(|size| *size != settings.size).map(glance));
    }
    if settings.samples > 1 {
        all.push(glance(settings.size));
    }
    all
}

/// How many chunks are added next.
pub(super) fn chunks(settings: &RenderSettings, pace: Pace) -> u32 {
    let samples = settings.size.pixel_count() * u64::from(protocol::settings::CHUNK_SAMPLES);
    match pace.expected(samples) {
        None => 1,
        Some(each) => {
            let fit = STEP.as_secs_f64() / each.as_secs_f64().max(1e-9);
            (fit as u32).clamp(1, CHUNKS_MAX)
        }
    }
}

fn smaller(size: Size, by: u32) -> Size {
    Size::new((size.width / by).max(1), (size.height / by).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(pace: Pace) -> Vec<(u32, u32)> {
        let settings =
            RenderSettings { size: Size::new(640, 360), samples: 64, ..RenderSettings::default() };
        let all = glances(&settings, pace);
        all.iter().map(|step| (step.size.width, step.samples)).collect()
    }

    fn pace(frame_ms: f64) -> Pace {
        let mut pace = Pace::default();
        pace.note(640 * 360, 1, Duration::from_secs_f64(frame_ms / 1e3));
        pace
    }

    #[test]
    fn slow_machines_begin_coarse() {
        assert_eq!(sizes(Pace::default()), [(160, 1), (640, 1)], "nobody knows yet");
        assert_eq!(sizes(pace(40.0)), [(640, 1)]);
        assert_eq!(sizes(pace(200.0)), [(320, 1), (640, 1)]);
        assert_eq!(sizes(pace(500.0)), [(160, 1), (640, 1)]);
        assert_eq!(sizes(pace(60_000.0)), [(160, 1), (640, 1)], "no coarser than that");
    }

    #[test]
    fn steps_grow_with_the_machine() {
        let settings = RenderSettings { size: Size::new(640, 360), ..RenderSettings::default() };
        assert_eq!(chunks(&settings, Pace::default()), 1);
        assert_eq!(chunks(&settings, pace(200.0)), 1);
        assert_eq!(chunks(&settings, pace(5.0)), 5);
        assert_eq!(chunks(&settings, pace(0.01)), CHUNKS_MAX);
    }
}
