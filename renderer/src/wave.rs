//! Waves of paths: all that wait for a ray are traced together.
//!
//! The sums over samples are formed here, in the order that makes a film's bits: samples of a
//! chunk by their indices, chunks by a fixed binary tree.

use film::{Passes, Pixel, Sums};
use protocol::settings::CHUNK_SAMPLES;

use crate::RenderScene;
use crate::backend::Cancel;
use crate::draws::Draws;
use crate::events::{Events, Note};
use crate::integrator::{Path, begin};
use crate::light::LightSample;
use crate::math::Vec3;
use crate::passes::{Split, Splits, Tally};
use crate::ray::{Cast, Hit};
use crate::scatter::{Departure, scatter};
use crate::surface::{Found, Look, Place, emission_of, fetch, surface_at, three_weights, vertices};
use crate::tables::{MATERIAL_EMISSIVE, MATERIAL_MATTE};
use crate::trace::{self, Tracer};

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
    /// What light passes take of each path, where the settings ask for them.
    tallies: Vec<Tally>,
    /// Paths that go on, and their rays.
    alive: Vec<u32>,
    casts: Vec<Cast>,
    hits: Vec<Hit>,
    draws: Draws,
    asked: Asked,
    /// Events at simple surfaces, those with a lobe and matte ones, whose places are to be found.
    met: [Events; 2],
    /// And such whose places are known.
    placed: [Events; 2],
}

/// Rays that scattering has asked for.
#[derive(Debug, Default)]
struct Asked {
    /// Paths that go on, and their rays.
    owners: Vec<u32>,
    casts: Vec<Cast>,
    /// Paths that light may arrive at, with their gains and rays.
    gains: Vec<(u32, Vec3)>,
    /// How the first event splits each of the gains, for light passes.
    splits: Vec<Split>,
    shadows: Vec<Cast>,
}

impl Asked {
    fn clear(&mut self) {
        self.owners.clear();
        self.casts.clear();
        self.gains.clear();
        self.splits.clear();
        self.shadows.clear();
    }

    /// Adds what a path asks for after an event; `disperses` where its surface does.
    #[inline(always)]
    fn add(
        &mut self,
        path: &mut Path,
        number: u32,
        light: &LightSample,
        departure: &Departure,
        disperses: bool,
    ) {
        if let Some(cast) = path.ask(light, departure) {
            self.gains.push((number, departure.gain));
            self.shadows.push(cast);
        }
        if let Some(cast) = path.depart(departure, disperses) {
            self.owners.push(number);
            self.casts.push(cast);
        }
    }
}

/// The events of a bounce; `PASSES` where light passes are wanted.
struct Bounce<'a, const PASSES: bool> {
    scene: &'a RenderScene,
    path: trace::Path,
    /// Events of these paths before it.
    number: u32,
    /// Whether nothing scatters any more.
    is_last: bool,
    /// Whether dim paths may end.
    roulette: bool,
    paths: &'a mut [Path],
    /// As many, or none without light passes.
    tallies: &'a mut [Tally],
    draws: &'a Draws,
    asked: &'a mut Asked,
}

impl<const PASSES: bool> Bounce<'_, PASSES> {
    /// Whether events say how they split light.
    #[inline(always)]
    const fn splits(&self) -> bool {
        PASSES && self.number == 0
    }

    /// Takes note of light that a path's ray has met.
    #[inline(always)]
    fn tell(&mut self, path: u32, light: Vec3, is_environment: bool) {
        if PASSES {
            self.tallies[path as usize].meet(self.number, light, is_environment);
        }
    }

    /// Takes the light of what is around the scene.
    fn miss(&mut self, path: u32, direction: Vec3) {
        let light = self.paths[path as usize].miss(self.scene, direction);
        self.tell(path, light, true);
    }

    /// Adds what a path asks for after an event; `disperses` where its surface does.
    #[inline(always)]
    fn ask(
        &mut self,
        number: u32,
        light: &LightSample,
        departure: &Departure,
        splits: impl FnOnce() -> Splits,
        disperses: bool,
    ) {
        let asked = &mut *self.asked;
        let gains = asked.gains.len();
        asked.add(&mut self.paths[number as usize], number, light, departure, disperses);
        if self.splits() {
            let splits = splits();
            if self.asked.gains.len() > gains {
                self.asked.splits.push(splits.gain);
            }
            self.tallies[number as usize].go_on(&splits.onward);
        }
    }

    /// Takes what a ray has met where that is not simple; scatters at once where it has layers,
    /// else returns what is to be scattered.
    fn arrive(&mut self, note: &Note, incoming: Vec3) -> Option<(Place, Look)> {
        let scene = self.scene;
        let path = &mut self.paths[note.path as usize];
        let mut surface = surface_at(scene, &note.hit, incoming, path.time());
        path.see(scene, surface.position, surface.normal, surface.base_color);
        path.absorb(surface.absorption, note.hit.t);
        let light = path.glow(scene, &note.hit, incoming, surface.emission);
        self.tell(note.path, light, false);
        if self.is_last || surface.is_unlit {
            return None;
        }
        let (place, look) = surface.parts();
        if surface.is_plain() {
            return Some((place, look));
        }
        let path = &mut self.paths[note.path as usize];
        let passing = path.disperse(scene, &mut surface);
        let draw = self.draws.get(note.draw as usize);
        let is_open = surface.transmission > 0.0 || surface.translucency > 0.0;
        let arrival = path.gather(scene, &place, is_open, &draw);
        let (departure, splits) =
            scatter(&scene.albedo, &surface, incoming, &arrival, passing, self.roulette);
        let disperses = surface.spread > 0.0;
        self.ask(note.path, &arrival.light, &departure, || splits, disperses);
        None
    }

    /// Finds the places of events, takes what shines there, and scatters them.
    fn meet(&mut self, events: &mut Events, is_matte: bool) {
        let scene = self.scene;
        events.locate(scene, self.path);
        for (at, note) in events.notes.iter().enumerate() {
            let path = &mut self.paths[note.path as usize];
            let (place, color) = events.seen(at);
            path.see(scene, place.position, place.normal, color);
            if note.may_glow {
                let emission = emission_of(scene, &note.hit, place.is_front);
                let light = path.glow(scene, &note.hit, events.incoming(at), emission);
                self.tell(note.path, light, false);
            }
        }
        if self.is_last {
            events.notes.clear();
        } else {
            self.scatter(events, is_matte);
        }
    }

    /// Scatters events that know their places.
    fn scatter(&mut self, events: &mut Events, is_matte: bool) {
        for at in 0..events.notes.len() {
            let note = &events.notes[at];
            let draw = self.draws.get(note.draw as usize);
            let (place, _) = events.seen(at);
            let path = &mut self.paths[note.path as usize];
            let arrival = path.gather(self.scene, &place, false, &draw);
            events.light_up(at, arrival);
        }
        let albedo = &self.scene.albedo;
        match (is_matte, self.splits()) {
            (true, _) => events.scatter::<true>(albedo, self.path, self.roulette),
            (false, false) => events.scatter::<false>(albedo, self.path, self.roulette),
            (false, true) => events.scatter_split(albedo, self.path, self.roulette),
        }
        for (at, note) in events.notes.iter().enumerate() {
            let (light, departure) = events.outcome(at);
            let splits = || if is_matte { Splits::DIFFUSE } else { events.split(at) };
            self.ask(note.path, &light, &departure, splits, false);
        }
        events.notes.clear();
    }
}

impl Wave {
    /// No memory yet. Blocks of events take 100 kB, so nobody should hold a wave on a stack.
    #[must_use]
    #[inline(never)]
    pub fn boxed() -> Box<Self> {
        Box::default()
    }

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
    ) -> Option<Sums> {
        if cancel.is_set() {
            return None;
        }
        if count == 1 {
            return Some(match tracer.scene.settings().passes {
                false => self.render_chunk::<false>(tracer, places, first),
                true => self.render_chunk::<true>(tracer, places, first),
            });
        }
        let half = count / 2;
        let mut low = self.render(tracer, places, (first, half), cancel)?;
        if first + half < tracer.scene.settings().chunk_count() {
            let high = self.render(tracer, places, (first + half, half), cancel)?;
            low.add(&high);
        }
        Some(low)
    }

    /// Renders a chunk of some pixels: samples summed in the order of their indices, from zero.
    fn render_chunk<const PASSES: bool>(
        &mut self,
        tracer: &Tracer<'_>,
        places: &[(u32, u32)],
        chunk: u32,
    ) -> Sums {
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
        self.tallies.clear();
        if PASSES {
            self.tallies.resize(self.paths.len(), Tally::NEW);
        }
        self.run::<PASSES>(tracer);
        let samples = (end - first) as usize;
        let sum = |paths: &[Path]| {
            paths.iter().fold(Pixel::default(), |sum, path| sum.plus(&path.finish()))
        };
        let pixels: Vec<Pixel> = self.paths.chunks_exact(samples).map(sum).collect();
        if !PASSES {
            return Sums::from(pixels);
        }
        let sum = |(paths, tallies): (&[Path], &[Tally])| {
            let both = paths.iter().zip(tallies);
            both.fold(Passes::default(), |sum, (path, tally)| {
                sum.plus(&tally.finish(path.radiance()))
            })
        };
        let both = self.paths.chunks_exact(samples).zip(self.tallies.chunks_exact(samples));
        Sums::with_passes(pixels, both.map(sum).collect())
    }

    /// Takes all paths to their ends, a bounce at a time.
    fn run<const PASSES: bool>(&mut self, tracer: &Tracer<'_>) {
        self.alive.clear();
        self.alive.extend(0..self.paths.len() as u32);
        let mut bounce = 0;
        while !self.casts.is_empty() {
            self.hits.resize(self.casts.len(), Hit::miss(0.0));
            tracer.closest(&self.casts, &mut self.hits);
            fetch(tracer.scene, &self.hits);
            self.draw(tracer, bounce);
            self.asked.clear();
            self.scatter::<PASSES>(tracer, bounce);
            self.hits.resize(self.asked.shadows.len(), Hit::miss(0.0));
            tracer.any(&self.asked.shadows, &mut self.hits);
            for (at, (&(number, gain), hit)) in self.asked.gains.iter().zip(&self.hits).enumerate()
            {
                if !hit.is_hit() {
                    self.paths[number as usize].gain(gain);
                    if PASSES {
                        let tally = &mut self.tallies[number as usize];
                        match bounce {
                            0 => tally.gain_direct(gain, &self.asked.splits[at]),
                            _ => tally.gain_indirect(gain),
                        }
                    }
                }
            }
            bounce += 1;
        }
    }

    /// Scatters all paths at what their rays have met: asks for shadow rays, and for the next rays
    /// of the paths that go on.
    fn scatter<const PASSES: bool>(&mut self, tracer: &Tracer<'_>, bounce: u32) {
        let scene = tracer.scene;
        let Self { paths, tallies, alive, casts, hits, draws, asked, met, placed } = self;
        let mut bounce = Bounce::<PASSES> {
            scene,
            path: tracer.path(),
            number: bounce,
            is_last: bounce == scene.header.bounces,
            roulette: bounce + 1 >= scene.header.roulette_after,
            paths,
            tallies,
            draws,
            asked,
        };
        for (at, &number) in alive.iter().enumerate() {
            let (hit, incoming) = (&hits[at], casts[at].ray.direction);
            if !hit.is_hit() {
                bounce.miss(number, incoming);
                continue;
            }
            let found = Found::of(scene, hit);
            let is_matte = found.material.flags & MATERIAL_MATTE != 0;
            let may_glow = found.material.flags & MATERIAL_EMISSIVE != 0;
            // Made where it goes: a copy would wait for its own parts to be stored.
            let note = || Note { path: number, draw: at as u32, hit: *hit, may_glow };
            let events = &mut met[usize::from(is_matte)];
            if found.is_simple() && events.takes(hit.instance) {
                let index = vertices(scene, found.shape, found.triangle.primitive);
                let look = found.look(scene, index, three_weights((hit.u, hit.v)));
                if events.push_met(note(), incoming, found.met(scene, index, hit, 0.0), look) {
                    bounce.meet(events, is_matte);
                }
                continue;
            }
            let note = note();
            if let Some((place, look)) = bounce.arrive(&note, incoming) {
                let events = &mut placed[usize::from(is_matte)];
                if events.push_place(note, incoming, place, look) {
                    bounce.scatter(events, is_matte);
                }
            }
        }
        for (is_matte, (met, placed)) in [false, true].into_iter().zip(met.iter_mut().zip(placed)) {
            bounce.meet(met, is_matte);
            bounce.scatter(placed, is_matte);
        }
        std::mem::swap(alive, &mut asked.owners);
        std::mem::swap(casts, &mut asked.casts);
    }

    /// Draws the numbers for what the paths' rays have met.
    fn draw(&mut self, tracer: &Tracer<'_>, bounce: u32) {
        let Self { draws, alive, paths, .. } = self;
        draws.places.clear();
        draws.samples.clear();
        for &number in alive.iter() {
            let (place, sample) = paths[number as usize].number();
            draws.places.push(place);
            draws.samples.push(sample);
        }
        draws.fill(tracer.scene, tracer.path(), bounce);
    }
}
