//! Films with light passes: three sheets that are kept, added, read and shown as one.

use film::tripwire::{RayBounds, Trip, check};
use film::{
    ChannelNames, ExrOptions, Film, FilmError, Frame, InsertError, Metadata, Passes, Sums,
    film_pixel_bytes, read_exr, write_exr,
};
use protocol::{Batch, Rect, Size};

use crate::{chunk_pixel, film_of};

const RECT: Rect = Rect { x0: 2, y0: 1, x1: 7, y1: 4 };
const NAMES: [&str; 8] = [
    "diffuse_direct",
    "diffuse_indirect",
    "emission",
    "environment",
    "glossy_direct",
    "glossy_indirect",
    "transmission_direct",
    "transmission_indirect",
];

fn batch(first: u32, count: u32) -> Batch {
    Batch::new(first, count).expect("aligned")
}

/// A film of one chunk whose passes are made up, each value another.
fn with_passes(chunk: u32) -> Film {
    let pixels: Vec<_> = RECT.pixels().map(|(x, y)| chunk_pixel(x, y, chunk, 16)).collect();
    let value = |at: usize, word: usize| (at * 24 + word) as f32 / 7.0 + chunk as f32 * 0.3;
    let passes =
        |at| bytemuck::must_cast(std::array::from_fn::<f32, 24, _>(|word| value(at, word)));
    let passes = (0..pixels.len()).map(passes).collect();
    Film::new(RECT, batch(chunk, 1), Sums::with_passes(pixels, passes)).expect("one pixel each")
}

#[test]
fn sheets_follow_each_other_and_the_first_is_the_film_without_passes() {
    let (film, plain) = (with_passes(0), film_of(RECT, batch(0, 1), 16));
    let bytes = film.to_bytes();
    let sheet = plain.to_bytes().len();
    assert_eq!(sheet, 15 * film_pixel_bytes(false));
    assert_eq!(bytes.len(), 15 * film_pixel_bytes(true));
    assert!(bytes[..sheet] == plain.to_bytes());
    // The second pixel: twelve values and four zeros in either sheet.
    let values = film.passes().expect("it has some")[1].values();
    for (number, values) in values.chunks(12).enumerate() {
        let row = &bytes[(number + 1) * sheet + 64..][..64];
        let wanted: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert!(row[..48] == wanted && row[48..] == [0; 16], "sheet {number}");
    }
    assert_eq!(Film::from_bytes(RECT, batch(0, 1), true, &bytes), Ok(film));
}

#[test]
fn bytes_of_the_other_kind_are_refused() {
    let bytes = with_passes(0).to_bytes();
    let error = Film::from_bytes(RECT, batch(0, 1), false, &bytes).expect_err("too many");
    assert!(matches!(error, FilmError::Size { wanted_bytes: 960, got_bytes: 2880, .. }), "{error}");
    let mut bytes = bytes;
    let word = (2 * 15 + 3) * 16 + 13;
    bytes[word * 4 + 2] = 1;
    let error = Film::from_bytes(RECT, batch(0, 1), true, &bytes);
    assert_eq!(error, Err(FilmError::Reserved { word }));
}

#[test]
fn passes_are_added_as_pixels_are() {
    let (low, high) = (with_passes(0), with_passes(1));
    let sum = high.merge(&low).expect("halves");
    let wanted = low.passes().expect("some")[4].plus(&high.passes().expect("some")[4]);
    assert_eq!(sum.passes().map(|passes| passes[4].bits()), Some(wanted.bits()));
    assert_eq!(sum.batch(), batch(0, 2));
    let plain = film_of(RECT, batch(1, 1), 32);
    assert_eq!(low.merge(&plain), Err(FilmError::Passes));
    let mut frame = Frame::new(Size::new(8, 5), 48);
    frame.insert(low).expect("the first");
    let error = InsertError::Passes { rect: RECT, batch: batch(1, 1) };
    assert_eq!(frame.insert(plain), Err(error));
    frame.insert(high).expect("of the same kind");
    frame.insert(with_passes(2)).expect("a chunk without a sibling");
    let picture = frame.picture();
    let shown = picture.triples("glossy_indirect").expect("a layer");
    let mean = (0..3).map(|chunk| with_passes(chunk).passes().expect("some")[0].indirect.glossy[2]);
    let mean = mean.sum::<f32>() / 48.0;
    assert!((shown[8 + 2][2] - mean).abs() < 1e-6 * mean, "{} {mean}", shown[8 + 2][2]);
    assert_eq!(shown[0].map(f32::to_bits), [0; 3], "no film there");
}

#[test]
fn passes_are_layers_under_our_names_and_blenders() {
    let picture = film::Picture::of_film(&with_passes(0));
    let names: Vec<&str> = picture.layers().iter().map(film::Layer::name).collect();
    let others = |name: &&str| !["albedo", "depth", "normal", "variance"].contains(name);
    assert_eq!(names.into_iter().filter(others).collect::<Vec<_>>(), NAMES);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("passes.exr");
    for names in [ChannelNames::Tessera, ChannelNames::Blender] {
        let options = ExrOptions { names, ..ExrOptions::default() };
        write_exr(&picture, &path, &Metadata::default(), &options).expect("writes");
        assert_eq!(read_exr(&path).expect("reads"), picture, "{names:?}");
        let bytes = std::fs::read(&path).expect("reads");
        let channel: &[u8] = match names {
            ChannelNames::Tessera => b"glossy_direct.R\0",
            ChannelNames::Blender => b"ViewLayer.Glossy Direct.R\0",
        };
        assert!(bytes.windows(channel.len()).any(|window| window == channel), "{names:?}");
    }
    let plain = film::Picture::of_film(&film_of(RECT, batch(0, 1), 16));
    assert!(NAMES.iter().all(|name| plain.layer(name).is_none()));
}

#[test]
fn passes_that_no_light_can_have_trip() {
    let bounds = RayBounds { closest_per_sample_max: 9, shadow_per_sample_max: 9 };
    let trip = |change: fn(&mut Passes)| {
        let mut film = with_passes(0);
        // What the made-up pixels say of themselves would trip before.
        let honest = film::Pixel { samples: 16, closest_rays: 16, ..film::Pixel::default() };
        film.pixels_mut().fill(honest);
        change(&mut film.sums_mut().passes_mut().expect("some")[6]);
        check(&film, 16, &bounds).err()
    };
    let (x, y) = (3, 2);
    assert_eq!(trip(|_| ()), None);
    let not_finite = Some(Trip::NotFinite { x, y });
    assert_eq!(trip(|passes| passes.emission[1] = f32::NAN), not_finite);
    assert_eq!(trip(|passes| passes.indirect.diffuse[0] = f32::INFINITY), not_finite);
    let negative = Some(Trip::Negative { x, y, value: "glossy_direct" });
    assert_eq!(trip(|passes| passes.direct.glossy[2] = -1e-9), negative);
}
