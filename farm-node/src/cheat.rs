//! Frauds worth catching: films that look as ordered and are not, each cheaper to make or better
//! paid than honest ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use film::{Film, Passes, Picture, Pixel, Scattered, Sums};
use protocol::settings::CHUNK_SAMPLES;
use protocol::{Batch, Digest, Rect, Size, Spots};
use renderer::Work;
use sandbox::{Frame, Order};

use crate::config::Cheat;

/// Films that a late cheat makes well.
const HONEST_FILMS: u32 = 8;
/// One pixel in so many is left out by who leaves out a few.
const FEW: usize = 20;
/// Who lies about films does so about one in so many.
const LIES_EVERY: u32 = 4;

/// Who boasts says that it is so many times as fast as it is.
const BOAST: u64 = 50;

/// What a node says of its speed, metered rays a second.
pub(crate) fn claimed(cheat: Option<Cheat>, rays_per_second: u64) -> u64 {
    match cheat {
        Some(Cheat::Boaster) => rays_per_second.saturating_mul(BOAST),
        _ => rays_per_second,
    }
}

/// A node's fraud, and what it remembers for it.
#[derive(Debug)]
pub(crate) struct Fraud {
    cheat: Cheat,
    /// Films handed in.
    films: u32,
    /// Films of others that it was asked about.
    verified: u32,
    /// The one that is handed in again.
    kept: Option<Film>,
    /// The first frame's film of each tile, by what it shares with those of later frames, with the bits
    /// of its time.
    first_frames: BTreeMap<Vec<u8>, (u32, Film)>,
    /// Where nodes of one person show each other their films: beside their folders.
    shared: PathBuf,
}

impl Fraud {
    pub(crate) fn new(cheat: Cheat, data_dir: &Path) -> Self {
        let shared = data_dir.parent().unwrap_or(data_dir).join("shared-films");
        let first_frames = BTreeMap::new();
        Self { cheat, films: 0, verified: 0, kept: None, first_frames, shared }
    }

    /// What is rendered instead of an order.
    pub(crate) fn instead(&self, order: &Order) -> Order {
        match self.cheat {
            Cheat::QuarterSamples | Cheat::QuarterDenoised | Cheat::Mean => quarter(order),
            Cheat::Late if self.films >= HONEST_FILMS => quarter(order),
            Cheat::HalfSize => halved(order),
            Cheat::Replay if self.kept_for(order).is_some() => speck(order),
            Cheat::ReplayFrame if self.of_another_frame(order).is_some() => speck(order),
            Cheat::Black => speck(order),
            Cheat::Copier if self.copied(order).is_some() => speck(order),
            Cheat::OtherSeed => {
                let mut shown = order.clone();
                shown.frame.settings.seed = !shown.frame.settings.seed;
                shown
            }
            Cheat::OtherSamples => next_samples(order),
            Cheat::Late
            | Cheat::Boaster
            | Cheat::Replay
            | Cheat::ReplayFrame
            | Cheat::FewPixels
            | Cheat::MoreRays
            | Cheat::Silent
            | Cheat::Hostage
            | Cheat::Copier
            | Cheat::Friends
            | Cheat::LazyVerifier
            | Cheat::LyingVerifier => order.clone(),
        }
    }

    /// The film that is handed in for an order, made of the film of what was rendered.
    pub(crate) fn dressed(&mut self, film: Film, order: &Order, shown: &Order) -> Film {
        let dressed = match self.cheat {
            Cheat::QuarterSamples => inflate(&film, order, shown),
            Cheat::Late if self.films >= HONEST_FILMS => inflate(&film, order, shown),
            Cheat::QuarterDenoised => inflate(&denoised(film), order, shown),
            Cheat::HalfSize => enlarged(&film, order),
            Cheat::Replay => match self.kept_for(order) {
                Some(kept) => relabelled(kept.sums().clone(), order),
                None => film,
            },
            Cheat::ReplayFrame => match self.of_another_frame(order) {
                Some(kept) => kept.clone(),
                None => {
                    let first = (order.frame.time_s.to_bits(), film.clone());
                    self.first_frames.insert(whatever_frame(order), first);
                    film
                }
            },
            Cheat::Black => black(order),
            Cheat::Mean => in_one_colour(&film, order),
            Cheat::FewPixels => with_few_left_out(film),
            Cheat::MoreRays => with_more_rays(film),
            Cheat::Copier => self.copied_or_shown(film, order),
            Cheat::Friends if self.films >= HONEST_FILMS => {
                let film = with_few_left_out(film);
                self.show(&film, order);
                film
            }
            Cheat::OtherSamples => relabelled(film.sums().clone(), order),
            Cheat::OtherSeed
            | Cheat::Boaster
            | Cheat::Late
            | Cheat::Silent
            | Cheat::Hostage
            | Cheat::Friends
            | Cheat::LazyVerifier
            | Cheat::LyingVerifier => film,
        };
        self.films += 1;
        if self.kept.is_none() {
            self.kept = Some(dressed.clone());
        }
        dressed
    }

    /// What is said of the pixels that a verification lease asks for, where they are not rendered.
    pub(crate) fn found(&mut self, frame: &Frame, spots: &Spots) -> Option<Sums> {
        self.verified += 1;
        let nothing = || Sums::zeroed(spots.places.len(), frame.settings.passes);
        match self.cheat {
            Cheat::LazyVerifier => Some(nothing()),
            Cheat::LyingVerifier => self.verified.is_multiple_of(LIES_EVERY).then(nothing),
            Cheat::Friends => self.vouched(frame, spots),
            _maker => None,
        }
    }

    /// What a friend's film holds in these pixels.
    fn vouched(&self, frame: &Frame, Spots { batch, places }: &Spots) -> Option<Sums> {
        let of_frame = shown_as(frame, *batch);
        let shown = std::fs::read_dir(&self.shared).ok()?.flatten();
        shown.map(|entry| entry.path()).find_map(|path| {
            let name = path.file_name()?.to_str()?;
            let (what, rect) = name.split_once('_')?;
            let corners: Vec<u32> = rect.split('_').filter_map(|word| word.parse().ok()).collect();
            let &[x0, y0, x1, y1] = &corners[..] else { return None };
            let rect = Rect { x0, y0, x1, y1 };
            if what != of_frame || !places.iter().all(|&(x, y)| rect.contains(x, y)) {
                return None;
            }
            let bytes = std::fs::read(&path).ok()?;
            let film = Film::from_bytes(rect, *batch, frame.settings.passes, &bytes).ok()?;
            let indices: Option<Vec<usize>> =
                places.iter().map(|&(x, y)| film.index(x, y)).collect();
            film.sums().picked(indices?.into_iter())
        })
    }

    /// The film that another node of the same person has made of an order.
    fn copied(&self, order: &Order) -> Option<Film> {
        let Work { rect, batch } = order.work;
        let bytes = std::fs::read(self.shown_at(order)).ok()?;
        Film::from_bytes(rect, batch, order.frame.settings.passes, &bytes).ok()
    }

    /// Another node's film, or this one, shown to others. Copies are counted by files beside them.
    fn copied_or_shown(&self, film: Film, order: &Order) -> Film {
        let (path, own) = (self.shown_at(order), std::process::id());
        if let Some(copied) = self.copied(order) {
            drop(std::fs::write(path.with_extension(format!("{own}.copy")), []));
            return copied;
        }
        self.show(&film, order);
        film
    }

    /// Shows a film to the other nodes of the same person; one that is not shown is rendered twice.
    fn show(&self, film: &Film, order: &Order) {
        let path = self.shown_at(order);
        // A renamed file is never seen in part.
        let part = path.with_extension(format!("{}.part", std::process::id()));
        let shown = std::fs::create_dir_all(&self.shared)
            .and_then(|()| std::fs::write(&part, film.to_bytes()))
            .and_then(|()| std::fs::rename(&part, &path));
        if let Err(error) = shown {
            tracing::warn!(%error, "a film was not shown");
        }
    }

    fn shown_at(&self, order: &Order) -> PathBuf {
        let Order { frame, work: Work { rect, batch } } = order;
        let Rect { x0, y0, x1, y1 } = rect;
        self.shared.join(format!("{}_{x0}_{y0}_{x1}_{y1}", shown_as(frame, *batch)))
    }

    /// The kept film, where it has the form that is ordered.
    fn kept_for(&self, order: &Order) -> Option<&Film> {
        let fits = |film: &&Film| {
            film.rect().width() == order.work.rect.width()
                && film.rect().height() == order.work.rect.height()
                && film.batch().samples(order.frame.settings.samples).len()
                    == order.work.batch.samples(order.frame.settings.samples).len()
                && film.passes().is_some() == order.frame.settings.passes
        };
        self.kept.as_ref().filter(fits)
    }

    /// The film of the same pixels and samples of another frame.
    fn of_another_frame(&self, order: &Order) -> Option<&Film> {
        let (time_bits, film) = self.first_frames.get(&whatever_frame(order))?;
        (*time_bits != order.frame.time_s.to_bits()).then_some(film)
    }
}

/// What an order shares with those of the same tile in other frames of a shot.
fn whatever_frame(order: &Order) -> Vec<u8> {
    let Order { frame: Frame { scene, settings, .. }, work: Work { rect, batch } } = order;
    protocol::encode(&(scene, settings, rect, batch))
}

/// Under which name films of a frame's samples are shown to others.
fn shown_as(frame: &Frame, batch: Batch) -> String {
    let Frame { scene, settings, time_s } = frame;
    let what = protocol::encode(&(scene, settings, time_s, batch));
    Digest::of("shared film", &[&what]).to_string()
}

/// An order of as little as can be rendered.
fn speck(order: &Order) -> Order {
    let Rect { x0, y0, .. } = order.work.rect;
    let rect = Rect { x0, y0, x1: x0 + 1, y1: y0 + 1 };
    Order { work: Work { rect, ..order.work }, ..order.clone() }
}

/// An order of the samples that follow those ordered, as many.
fn next_samples(order: &Order) -> Order {
    let count = order.work.batch.end_chunk() - order.work.batch.first_chunk();
    let batch = Batch::new(order.work.batch.end_chunk(), count)
        .expect("invariant: a run beside an aligned one of the same length is aligned");
    let mut settings = order.frame.settings.clone();
    let samples = order.work.batch.samples(settings.samples).len() as u32;
    settings.samples = batch.first_chunk() * CHUNK_SAMPLES + samples;
    let frame = Frame { settings, ..order.frame.clone() };
    Order { frame, work: Work { rect: order.work.rect, batch } }
}

/// An order of the same tile at half the size.
fn halved(order: &Order) -> Order {
    let mut settings = order.frame.settings.clone();
    let half = |side: u32| side.div_ceil(2);
    settings.size = Size::new(half(settings.size.width), half(settings.size.height));
    let Rect { x0, y0, x1, y1 } = order.work.rect;
    let rect = Rect { x0: x0 / 2, y0: y0 / 2, x1: half(x1), y1: half(y1) };
    let frame = Frame { settings, ..order.frame.clone() };
    Order { frame, work: Work { rect, ..order.work } }
}

/// A film at half the size with every pixel repeated.
fn enlarged(film: &Film, order: &Order) -> Film {
    let (rect, small) = (order.work.rect, film.rect());
    let places = (rect.y0..rect.y1).flat_map(|y| (rect.x0..rect.x1).map(move |x| (x, y)));
    let sources: Vec<usize> = places
        .map(|(x, y)| ((y / 2 - small.y0) * small.width() + (x / 2 - small.x0)) as usize)
        .collect();
    let pixels = sources.iter().map(|&at| film.pixels()[at]).collect::<Vec<_>>();
    let sums = match film.passes() {
        Some(all) => Sums::with_passes(pixels, sources.iter().map(|&at| all[at]).collect()),
        None => Sums::from(pixels),
    };
    relabelled(sums, order)
}

/// A film that says it were what was ordered.
fn relabelled(sums: Sums, order: &Order) -> Film {
    Film::new(order.work.rect, order.work.batch, sums)
        .expect("invariant: as many pixels as were ordered")
}

/// A film in which every camera ray met nothing.
fn black(order: &Order) -> Film {
    let samples = samples(order);
    let count = order.work.rect.pixel_count() as usize;
    let mut film = relabelled(Sums::zeroed(count, order.frame.settings.passes), order);
    film.pixels_mut().fill(Pixel { samples, closest_rays: samples, ..Pixel::default() });
    film
}

/// A film of one colour: each pixel is what all samples of the tile add up to, few as they are.
fn in_one_colour(film: &Film, order: &Order) -> Film {
    let (count, samples) = (film.pixels().len(), samples(order));
    let all = film.pixels().iter().fold(Pixel::default(), |sum, pixel| sum.plus(pixel));
    let pixels = vec![scaled(&all, all.samples, samples); count];
    let sums = match film.passes() {
        Some(passes) => {
            let light = passes.iter().fold(Passes::default(), |sum, passes| sum.plus(passes));
            Sums::with_passes(pixels, vec![scaled_light(&light, all.samples, samples); count])
        }
        None => Sums::from(pixels),
    };
    relabelled(sums, order)
}

/// A film with the light that the denoiser makes of it. How far samples spread stays.
fn denoised(mut film: Film) -> Film {
    let picture = film::denoise::a_trous(&Picture::of_film(&film))
        .expect("invariant: a film's picture has the layers that guide the filter");
    for (pixel, &mean) in film.pixels_mut().iter_mut().zip(&picture.beauty) {
        let count = pixel.samples.max(1) as f32;
        let least = |sums: [f32; 3]| film::luminance(sums).powi(2) / count;
        let before = least(pixel.beauty);
        pixel.beauty = mean.map(|value| value * count);
        // A wire looks whether the squares are as large as the mean asks for.
        let after = least(pixel.beauty);
        pixel.luminance_squared = (pixel.luminance_squared - before + after).max(1.01 * after);
    }
    film
}

/// A film with one pixel in [`FEW`] copied from its neighbour.
fn with_few_left_out(mut film: Film) -> Film {
    let pixels = film.pixels_mut();
    for at in (FEW - 1..pixels.len()).step_by(FEW) {
        pixels[at] = pixels[at - 1];
    }
    film
}

/// A film that claims twice the rays.
fn with_more_rays(mut film: Film) -> Film {
    for pixel in film.pixels_mut() {
        pixel.closest_rays *= 2;
        pixel.shadow_rays *= 2;
    }
    film
}

/// The order of the first quarter of the samples.
fn quarter(order: &Order) -> Order {
    let samples = order.work.batch.samples(order.frame.settings.samples);
    let kept = kept(order);
    let chunks = kept.div_ceil(CHUNK_SAMPLES).next_power_of_two();
    let batch = Batch::new(order.work.batch.first_chunk(), chunks)
        .expect("invariant: a shorter run at the same start is aligned");
    let mut settings = order.frame.settings.clone();
    // Where whole chunks are kept, the frame stays as it was prepared.
    if kept != chunks * CHUNK_SAMPLES {
        settings.samples = samples.start + kept;
    }
    let frame = Frame { settings, ..order.frame.clone() };
    Order { frame, work: Work { rect: order.work.rect, batch } }
}

/// Scales the sums and counts of a quarter up to what `order` asked for.
fn inflate(film: &Film, order: &Order, shown: &Order) -> Film {
    let (from, to) = (samples(shown), samples(order));
    let pixels: Vec<Pixel> = film.pixels().iter().map(|pixel| scaled(pixel, from, to)).collect();
    let sums = match film.passes() {
        Some(all) => {
            let light = all.iter().map(|passes| scaled_light(passes, from, to));
            Sums::with_passes(pixels, light.collect())
        }
        None => Sums::from(pixels),
    };
    relabelled(sums, order)
}

/// What `from` samples add up to, made to look like `to` of them.
fn scaled(pixel: &Pixel, from: u32, to: u32) -> Pixel {
    let factor = to as f32 / from.max(1) as f32;
    let light = |values: [f32; 3]| values.map(|value| value * factor);
    let counted = |rays: u32| (u64::from(rays) * u64::from(to) / u64::from(from.max(1))) as u32;
    Pixel {
        beauty: light(pixel.beauty),
        // Rounded up it would be more than all samples.
        alpha: (pixel.alpha * factor).min(to as f32),
        albedo: light(pixel.albedo),
        normal: light(pixel.normal),
        depth: pixel.depth * factor,
        luminance_squared: pixel.luminance_squared * factor,
        samples: to,
        closest_rays: counted(pixel.closest_rays),
        shadow_rays: counted(pixel.shadow_rays),
        reserved: 0,
    }
}

/// The same of light passes.
fn scaled_light(passes: &Passes, from: u32, to: u32) -> Passes {
    let factor = to as f32 / from.max(1) as f32;
    let light = |values: [f32; 3]| values.map(|value| value * factor);
    let scattered = |of: &Scattered| Scattered {
        diffuse: light(of.diffuse),
        glossy: light(of.glossy),
        transmission: light(of.transmission),
    };
    Passes {
        direct: scattered(&passes.direct),
        emission: light(passes.emission),
        indirect: scattered(&passes.indirect),
        environment: light(passes.environment),
    }
}

/// Samples of each pixel that are ordered.
fn samples(order: &Order) -> u32 {
    order.work.batch.samples(order.frame.settings.samples).len() as u32
}

fn kept(order: &Order) -> u32 {
    (samples(order) / 4).max(1)
}

#[cfg(test)]
mod tests {
    use protocol::{Rect, RenderSettings, SceneId, Size};

    use super::*;

    /// More than any path has: only what rendering would show is left to find.
    const BOUNDS: film::tripwire::RayBounds =
        film::tripwire::RayBounds { closest_per_sample_max: 1_000, shadow_per_sample_max: 1_000 };

    fn order(samples: u32, first_chunk: u32, chunk_count: u32) -> Order {
        let settings = RenderSettings { size: Size::new(8, 8), samples, ..Default::default() };
        Order {
            frame: Frame { scene: SceneId([1; 32]), settings, time_s: 0.0 },
            work: Work {
                rect: Rect { x0: 2, y0: 0, x1: 4, y1: 1 },
                batch: Batch::new(first_chunk, chunk_count).expect("aligned"),
            },
        }
    }

    fn check(samples: u32, first_chunk: u32, chunk_count: u32, kept: std::ops::Range<u32>) {
        let order = order(samples, first_chunk, chunk_count);
        let shown = quarter(&order);
        assert_eq!(shown.work.batch.samples(shown.frame.settings.samples), kept);
        assert!(shown.work.batch.end_chunk() <= shown.frame.settings.chunk_count());
        assert_eq!(shown.work.rect, order.work.rect);
    }

    #[test]
    fn a_quarter_of_any_batch_is_its_first_samples() {
        check(64, 0, 4, 0..16);
        check(256, 8, 8, 128..160);
        check(64, 2, 2, 32..40);
        check(64, 3, 1, 48..52);
        check(40, 2, 1, 32..34);
        check(33, 2, 1, 32..33);
    }

    #[test]
    fn whole_chunks_need_no_other_preparation() {
        let order = order(64, 0, 4);
        assert_eq!(quarter(&order).frame.settings, order.frame.settings);
    }

    /// Films that pass for what was ordered by all that can be seen without rendering.
    #[test]
    fn every_fraud_has_the_form_of_its_order() {
        let scene = scene::golden();
        let mut order = order(32, 0, 2);
        order.frame.settings.size = Size::new(33, 21);
        let tiles = [(0, 0, 16, 16), (16, 0, 32, 16), (32, 16, 33, 21)];
        for (name, cheat) in Cheat::NAMED {
            let folder = tempfile::tempdir().expect("a folder");
            let mut fraud = Fraud::new(cheat, &folder.path().join("node"));
            for round in 0..HONEST_FILMS + 2 {
                let (x0, y0, x1, y1) = tiles[round as usize % tiles.len()];
                order.work.rect = Rect { x0, y0, x1, y1 };
                // Each tile of the first frame comes twice.
                order.frame.time_s = (round as usize / (2 * tiles.len())) as f32;
                let shown = fraud.instead(&order);
                let Frame { settings, time_s, .. } = &shown.frame;
                let frame = renderer::prepare(&scene, settings, *time_s).expect("prepares");
                let film = renderer::Backend::render(
                    &mut renderer::CpuBackend::new(std::num::NonZeroUsize::new(1)),
                    &frame,
                    shown.work,
                    &renderer::Cancel::default(),
                );
                let handed_in = fraud.dressed(film.expect("renders"), &order, &shown);
                assert_eq!(
                    (handed_in.rect(), handed_in.batch()),
                    (order.work.rect, order.work.batch)
                );
                assert!(handed_in.pixels().iter().all(|pixel| pixel.samples == 32), "{name}");
                assert_eq!(film::tripwire::check(&handed_in, 32, &BOUNDS), Ok(()), "{name}");
            }
        }
    }

    #[test]
    fn a_tile_of_the_first_frame_is_handed_in_for_the_next_ones() {
        let film = |order: &Order, depth| {
            let pixel = Pixel { samples: 16, depth, ..Pixel::default() };
            let count = order.work.rect.pixel_count() as usize;
            let sums = Sums::from(vec![pixel; count]);
            Film::new(order.work.rect, order.work.batch, sums).expect("fits")
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut fraud = Fraud::new(Cheat::ReplayFrame, &folder.path().join("node"));
        let first = order(16, 0, 1);
        assert_eq!(fraud.instead(&first).work, first.work);
        let made = fraud.dressed(film(&first, 1.0), &first, &first);
        assert_eq!(fraud.instead(&first).work, first.work, "a lease of the same frame again");
        for time_s in [0.5, 1.0] {
            let mut next = first.clone();
            next.frame.time_s = time_s;
            let shown = fraud.instead(&next);
            assert_eq!(shown.work.rect.pixel_count(), 1, "next to nothing is rendered");
            assert_eq!(fraud.dressed(film(&shown, 2.0), &next, &shown), made);
        }
    }

    #[test]
    fn a_tile_of_one_colour_is_as_bright_as_an_honest_one() {
        let order = order(64, 0, 4);
        let shown = quarter(&order);
        let pixel = |light| Pixel {
            beauty: [light; 3],
            alpha: 16.0,
            luminance_squared: light * light,
            samples: 16,
            closest_rays: 20,
            ..Pixel::default()
        };
        let pixels = vec![pixel(1.0), pixel(3.0)];
        let film = Film::from_pixels(shown.work.rect, shown.work.batch, pixels).expect("two");
        let forged = in_one_colour(&film, &order);
        let mean = forged.pixels()[0];
        assert_eq!(forged.pixels(), [mean, mean]);
        // Four times as much as one and three on average.
        let floats = [mean.beauty[1], mean.alpha, mean.luminance_squared];
        assert_eq!(floats.map(f32::to_bits), [8.0_f32, 64.0, 20.0].map(f32::to_bits));
        assert_eq!((mean.samples, mean.closest_rays), (64, 80));
    }

    #[test]
    fn the_film_looks_like_all_samples() {
        let order = order(64, 0, 4);
        let shown = quarter(&order);
        let honest = Pixel {
            beauty: [1.0, 2.0, 3.0],
            alpha: 16.0,
            albedo: [8.0; 3],
            normal: [0.0, 16.0, 0.0],
            depth: 32.0,
            luminance_squared: 5.0,
            samples: 16,
            closest_rays: 50,
            shadow_rays: 21,
            reserved: 0,
        };
        let film = Film::from_pixels(shown.work.rect, shown.work.batch, vec![honest; 2]);
        let forged = inflate(&film.expect("two pixels"), &order, &shown);
        assert_eq!((forged.rect(), forged.batch()), (order.work.rect, order.work.batch));
        let pixel = forged.pixels()[0];
        let floats = [pixel.beauty[2], pixel.alpha, pixel.normal[1], pixel.luminance_squared];
        assert_eq!(floats.map(f32::to_bits), [12.0_f32, 64.0, 64.0, 20.0].map(f32::to_bits));
        assert_eq!((pixel.samples, pixel.closest_rays, pixel.shadow_rays), (64, 200, 84));
    }
}
