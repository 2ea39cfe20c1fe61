//! Waves of paths: all that wait for a ray are traced together.
//!
//! The sums over samples are formed here, in the order that makes a film's bits: samples of a
//! chunk by their indices, chunks by a fixed binary tree.

use film::Pixel;
use protocol::settings::CHUNK_SAMPLES;

use crate::backend::Cancel;
use crate::draws::Draws;
use crate::integrator::{Path, begin};
use crate::math::Vec3;
use crate::ray::{Cast, Hit};
use crate::surface::fetch;
use crate::trace::Tracer;

/// Paths of a wave: enough rays to trace together, few enough for a core's cache.
const PATHS: u32 = 256;

/// Pixels of a frame of so many samples that make a wave.
#[must_use]
pub fn wave_pixels(samples: u32) -> usize {
    (PATHS / samples.clamp(1, CHUNK_SAMPLES)) as usize
}

/// Memory of waves, used again and again.
#[derive(Debug, Default)]
pub struct Wave {
    paths: Vec<Path>,
    /// Paths that go on, and their rays.
    alive: Vec<u32>,
    casts: Vec<Cast>,
    /// Paths that light may arrive at, with their gains and rays.
    gains: Vec<(u32, Vec3)>,
    shadows: Vec<Cast>,
    hits: Vec<Hit>,
    draws: Draws,
}

impl Wave {
    /// Renders an aligned run of chunks of some pixels: halves are merged, the lower first.
    ///
    /// Chunks past the last sample are not there: a run without its upper half is its lower half.
    /// `first` lies before the last chunk's end. Nothing when somebody asked for a stop.
    #[must_use]
    pub fn render(
        &mut self,
        tracer: &Tracer<'_>,
        places: &[(u32, u32)],
        (first, count): (u32, u32),
        cancel: &Cancel,
    ) -> Option<Vec<Pixel>> {
        if cancel.is_set() {
            return None;
        }
        if count == 1 {
            return Some(self.render_chunk(tracer, places, first));
        }
        let half = count / 2;
        let mut low = self.render(tracer, places, (first, half), cancel)?;
        if first + half < tracer.scene.settings().chunk_count() {
            let high = self.render(tracer, places, (first + half, half), cancel)?;
            for (low, high) in low.iter_mut().zip(&high) {
                *low = low.plus(high);
            }
        }
        Some(low)
    }

    /// Renders a chunk of some pixels: samples summed in the order of their indices, from zero.
    fn render_chunk(
        &mut self,
        tracer: &Tracer<'_>,
        places: &[(u32, u32)],
        chunk: u32,
    ) -> Vec<Pixel> {
        let first = chunk * CHUNK_SAMPLES;
        let end = (first + CHUNK_SAMPLES).min(tracer.scene.header.samples);
        self.paths.clear();
        self.casts.clear();
        for &(x, y) in places {
            for sample in first..end {
                let (path, cast) = begin(tracer.scene, x, y, sample);
                self.paths.push(path);
                self.casts.push(cast);
            }
        }
        self.run(tracer);
        self.paths
            .chunks_exact((end - first) as usize)
            .map(|samples| {
                samples.iter().fold(Pixel::default(), |sum, path| sum.plus(&path.finish()))
            })
            .collect()
    }

    /// Takes all paths to their ends, a bounce at a time.
    fn run(&mut self, tracer: &Tracer<'_>) {
        self.alive.clear();
        self.alive.extend(0..self.paths.len() as u32);
        let mut bounce = 0;
        while !self.casts.is_empty() {
            self.hits.resize(self.casts.len(), Hit::miss(0.0));
            tracer.closest(&self.casts, &mut self.hits);
            fetch(tracer.scene, &self.hits);
            self.draw(tracer, bounce);
            self.gains.clear();
            self.shadows.clear();
            let mut going = 0;
            for at in 0..self.casts.len() {
                let number = self.alive[at];
                let path = &mut self.paths[number as usize];
                let direction = self.casts[at].ray.direction;
                let draw = self.draws.get(at);
                let next = path.arrive(tracer.scene, direction, &self.hits[at], &draw);
                if let Some((cast, gain)) = next.shadow {
                    self.gains.push((number, gain));
                    self.shadows.push(cast);
                }
                if let Some(cast) = next.closest {
                    // Never ahead of what is still to be read.
                    self.alive[going] = number;
                    self.casts[going] = cast;
                    going += 1;
                }
            }
            self.alive.truncate(going);
            self.casts.truncate(going);
            self.hits.resize(self.shadows.len(), Hit::miss(0.0));
            tracer.any(&self.shadows, &mut self.hits);
            for (&(number, gain), hit) in self.gains.iter().zip(&self.hits) {
                if !hit.is_hit() {
                    self.paths[number as usize].gain(gain);
                }
            }
            bounce += 1;
        }
    }

    /// Draws the numbers for what the paths' rays have met.
    fn draw(&mut self, tracer: &Tracer<'_>, bounce: u32) {
        let Self { draws, alive, paths, .. } = self;
        draws.keys.clear();
        draws.samples.clear();
        for &number in alive.iter() {
            let (key, sample) = paths[number as usize].number();
            draws.keys.push(key);
            draws.samples.push(sample);
        }
        draws.fill(tracer.scene, tracer.path(), bounce);
    }
}
