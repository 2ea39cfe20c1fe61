use exr::prelude::{AttributeValue, Compression, Text};
use film::{
    ChannelNames, ExrCompression, ExrOptions, Frame, FrameRate, Layer, LayerKind, LayerValues,
    Metadata, Picture, Place, Precision, ReadError, layer, read_exr, read_exr_metadata, write_exr,
};
use proptest::prelude::*;
use protocol::{Batch, Engine, JobId, Rect, SceneId, Size};

use crate::film_of;

const FULL: ExrOptions = ExrOptions {
    precision: Precision::Float,
    compression: ExrCompression::Zip,
    names: ChannelNames::Tessera,
};

fn picture() -> Picture {
    let mut frame = Frame::new(Size::new(21, 34), 24);
    for rect in [Rect { x0: 0, y0: 0, x1: 16, y1: 34 }, Rect { x0: 16, y0: 0, x1: 21, y1: 30 }] {
        frame.insert(film_of(rect, Batch::new(0, 2).expect("aligned"), 24)).expect("fits");
    }
    let mut picture = frame.picture();
    if let LayerValues::Float(depth) = picture.layer_mut(layer::DEPTH).expect("there").values_mut()
    {
        depth[3] = f32::INFINITY;
    }
    picture.beauty[4] = [f32::MIN_POSITIVE / 8.0, 1e30, -0.0];
    picture
}

fn metadata() -> Metadata {
    Metadata {
        software: "Tessera 0.1.0 ☂".to_owned(),
        job: Some(JobId([7; 16])),
        scene: Some(SceneId([8; 32])),
        engine: Some(Engine(1)),
        samples: Some(24),
        frame: Some(3),
        camera: Some("vorn über".to_owned()),
        denoiser: None,
        frame_rate: FrameRate::nearest(23.976),
        manifests: Vec::new(),
    }
}

fn header(path: &std::path::Path) -> exr::meta::header::Header {
    exr::meta::MetaData::read_from_file(path, true).expect("reads").headers.remove(0)
}

/// Writes and reads.
fn there_and_back(picture: &Picture, options: &ExrOptions) -> Picture {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.exr");
    write_exr(picture, &path, &metadata(), options).expect("writes");
    read_exr(&path).expect("reads")
}

/// OpenEXR's windows: the frame is the display window, what is here the data window.
#[test]
fn crops_and_overscan_keep_their_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.exr");
    for (x, y, frame) in [(700, 41, Size::new(1920, 1080)), (-3, -7, Size::new(15, 20))] {
        for compression in [ExrCompression::Zip, ExrCompression::Piz, ExrCompression::Dwaa] {
            let mut placed = picture();
            placed.place = Place { frame, x, y };
            let options = ExrOptions { compression, ..FULL };
            write_exr(&placed, &path, &metadata(), &options).expect("writes");
            let header = header(&path);
            let display = header.shared_attributes.display_window;
            assert_eq!((display.position.0, display.position.1), (0, 0));
            let sides = (frame.width as usize, frame.height as usize);
            assert_eq!((display.size.0, display.size.1), sides);
            let data = header.data_window();
            assert_eq!(
                (data.position.0, data.position.1, data.size.0, data.size.1),
                (x, y, 21, 34)
            );
            let read = read_exr(&path).expect("reads");
            assert_eq!((read.size, read.place), (placed.size, placed.place));
            if compression != ExrCompression::Dwaa {
                assert_eq!(read, placed, "{compression:?}");
            }
        }
    }
}

#[test]
fn every_bit_comes_back_whatever_packs_and_names_it() {
    use ExrCompression::{None, Piz, Rle, Zip, Zips};
    for compression in [Zip, Zips, Piz, Rle, None] {
        for names in [ChannelNames::Tessera, ChannelNames::Blender] {
            let read = there_and_back(&picture(), &ExrOptions { compression, names, ..FULL });
            let same = film::compare::bit_equal_share(&picture(), &read);
            assert_eq!(same, Ok(1.0), "{compression:?} {names:?}");
            assert_eq!(read.layers(), picture().layers());
        }
    }
}

#[test]
fn equal_pictures_are_equal_files_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, second) = (dir.path().join("a.exr"), dir.path().join("b.exr"));
    for path in [&first, &second] {
        write_exr(&picture(), path, &metadata(), &FULL).expect("writes");
    }
    let bytes = |path| std::fs::read(path).expect("reads");
    assert_eq!(bytes(&first), bytes(&second));
    assert_eq!(std::fs::read_dir(dir.path()).expect("lists").count(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_layers_of_any_bits_come_back(
        bits in proptest::collection::vec(any::<u32>(), 96),
        kinds in proptest::collection::vec(0_usize..3, 4),
        names in proptest::sample::subsequence(
            vec!["CryptoObject00", "emission", "Depth", "key light.diffuse", "motion", "uv"], 0..=4),
    ) {
        let channels: [&[&str]; 4] =
            [&["R", "G", "B"], &["r", "g", "b", "a"], &["X", "Y", "Z", "W"], &["U", "V", "extra"]];
        let mut picture = picture_of_bits(&bits);
        for (index, name) in names.iter().enumerate() {
            let kind = [LayerKind::Color, LayerKind::Data, LayerKind::Id][kinds[index]];
            let channels = channels[index];
            let values = bits.iter().cycle().skip(index * 7).take(8 * channels.len());
            let values = match kinds[index] {
                2 if index % 2 == 1 => LayerValues::Uint(values.copied().collect()),
                _ => LayerValues::Float(values.map(|&bits| f32::from_bits(bits)).collect()),
            };
            picture.add(Layer::try_new(name, channels, kind, values).expect("well formed"))
                .expect("fits");
        }
        let read = there_and_back(&picture, &FULL);
        prop_assert_eq!(film::compare::bit_equal_share(&picture, &read), Ok(1.0));
        for (read, was) in read.layers().iter().zip(picture.layers()) {
            prop_assert_eq!((read.name(), read.kind()), (was.name(), was.kind()));
        }
    }
}

fn picture_of_bits(bits: &[u32]) -> Picture {
    let mut picture = Picture::transparent(Size::new(4, 2));
    let mut values = bits.iter().map(|&bits| f32::from_bits(bits));
    for (rgb, alpha) in picture.beauty.iter_mut().zip(&mut picture.alpha) {
        *rgb = [(); 3].map(|()| values.next().expect("enough"));
        *alpha = values.next().expect("enough");
    }
    picture.samples.copy_from_slice(&bits[..8]);
    picture
}

#[test]
fn the_header_says_what_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.exr");
    write_exr(&picture(), &path, &metadata(), &FULL).expect("writes");
    let header = header(&path);
    let software = header.own_attributes.software_name.as_ref().expect("there").as_slice();
    assert_eq!(software, "Tessera 0.1.0 ☂".as_bytes());
    let (job, scene) = (JobId([7; 16]).to_string(), SceneId([8; 32]).to_string());
    let facts = [
        ("tessera/job", job.as_str()),
        ("tessera/scene", &scene),
        ("tessera/engine", "1"),
        ("tessera/samples", "24"),
        ("tessera/frame", "3"),
        ("tessera/camera", "vorn über"),
    ];
    for (name, value) in facts {
        let found = header.own_attributes.other.get(&Text::from(name));
        assert_eq!(
            found,
            Some(&AttributeValue::Text(Text::from_slice_unchecked(value.as_bytes()))),
            "{name}"
        );
    }
    assert_eq!(header.own_attributes.other.len(), facts.len());
    assert_eq!(header.own_attributes.frames_per_second, Some((24_000, 1001)));
    let white = header.shared_attributes.chromaticities.expect("chromaticities").white;
    assert_eq!(white, exr::prelude::Vec2(0.3127, 0.3290));
    assert_eq!(header.compression, Compression::ZIP16);
    let wanted = "A B G R albedo.B albedo.G albedo.R depth.Z normal.X normal.Y normal.Z samples \
                  variance.Y";
    assert_eq!(channel_names(&header).join(" "), wanted);

    let said = read_exr_metadata(&path).expect("reads");
    assert_eq!(said, metadata());
}

fn channel_names(header: &exr::meta::header::Header) -> Vec<String> {
    header.channels.list.iter().map(|channel| channel.name.to_string()).collect()
}

#[test]
fn blenders_names_are_those_that_blender_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.exr");
    let options = ExrOptions { names: ChannelNames::Blender, ..FULL };
    write_exr(&picture(), &path, &metadata(), &options).expect("writes");
    let wanted = "Combined.A|Combined.B|Combined.G|Combined.R|Debug Sample Count.X|\
                  Denoising Albedo.B|Denoising Albedo.G|Denoising Albedo.R|Depth.Z|\
                  Normal.X|Normal.Y|Normal.Z|variance.Y";
    let names = channel_names(&header(&path));
    assert_eq!(names.join("|").replace("ViewLayer.", ""), wanted);
    assert!(names.iter().all(|name| name.starts_with("ViewLayer.")));
}

/// How facts stood in files before each had an attribute of its own.
#[test]
fn facts_in_one_attribute_are_still_read() {
    use exr::prelude::*;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("old.exr");
    let pixels = SpecificChannels::rgb(|_: Vec2<usize>| (0.1_f32, 0.2_f32, 0.3_f32));
    let mut attributes = LayerAttributes::default();
    let facts = format!("job = {}\nengine = 1\nsamples = 24\n", JobId([7; 16]));
    attributes.other.insert(Text::from("tessera"), AttributeValue::Text(facts.as_str().into()));
    let part = exr::prelude::Layer::new((3, 2), attributes, Encoding::FAST_LOSSLESS, pixels);
    Image::from_layer(part).write().to_file(&path).expect("writes");
    let said = read_exr_metadata(&path).expect("reads");
    let wanted = Metadata {
        job: Some(JobId([7; 16])),
        engine: Some(Engine(1)),
        samples: Some(24),
        ..film::Metadata::default()
    };
    assert_eq!(said, wanted);
}

#[test]
fn halves_are_near_and_never_infinite_and_measures_stay_whole() {
    let half = ExrOptions { precision: Precision::Half, ..FULL };
    let read = there_and_back(&picture(), &half);
    assert_eq!(read.beauty[4][1].to_bits(), 65_504_f32.to_bits());
    for (read, was) in read.beauty.iter().zip(&picture().beauty).skip(5) {
        for (read, was) in read.iter().zip(was) {
            assert!((read - was).abs() <= was.abs() * 1e-3 + 1e-7, "{read} {was}");
        }
    }
    for name in [layer::DEPTH, layer::NORMAL, layer::VARIANCE] {
        assert_eq!(read.layer(name), picture().layer(name), "{name}");
    }
}

#[test]
fn dwaa_is_near_where_it_is_lossy() {
    let options = ExrOptions { compression: ExrCompression::Dwaa, ..FULL };
    let smooth = |index: usize| (index % 21) as f32 / 21.0;
    let mut picture = picture();
    for (index, rgb) in picture.beauty.iter_mut().enumerate() {
        *rgb = [smooth(index), 0.5, 0.25];
    }
    let read = there_and_back(&picture, &options);
    for (read, was) in read.beauty.as_flattened().iter().zip(picture.beauty.as_flattened()) {
        assert!((read - was).abs() < 0.01, "{read} {was}");
    }
    assert_eq!(read.layer(layer::DEPTH), picture.layer(layer::DEPTH));
    assert_eq!(read.samples, picture.samples);
}

#[test]
fn other_programs_files_are_read_by_their_names() {
    use exr::prelude::*;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("other.exr");
    let channel = |name: &str, value: f32| {
        AnyChannel::new(Text::from(name), FlatSamples::F16(vec![f16::from_f32(value); 6]))
    };
    let part = |name: &str, list: &[(&str, f32)]| {
        let channels =
            AnyChannels::sort(list.iter().map(|&(name, value)| channel(name, value)).collect());
        exr::prelude::Layer::new(
            (3, 2),
            LayerAttributes::named(name),
            Encoding::FAST_LOSSLESS,
            channels,
        )
    };
    // Blender 5 writes a part a pass, Blender 4 all passes into one.
    let colour = [("View.Combined.R", 0.25), ("View.Combined.G", 0.5), ("View.Combined.B", 1.0)];
    let passes = [("View.Depth.Z", 7.0), ("View.DiffDir.R", 0.5), ("View.Mist.Z", 0.125)];
    let one = Image::from_layer(part("", &[&colour[..], &passes[..]].concat()));
    let many = Image::from_layers(
        ImageAttributes::with_size((3, 2)),
        [part("View.Combined", &colour), part("passes", &passes)]
            .into_iter()
            .collect::<Layers<_>>(),
    );
    for image in [Err(one), Ok(many)] {
        match image {
            Ok(many) => many.write().to_file(&path).expect("writes"),
            Err(one) => one.write().to_file(&path).expect("writes"),
        }
        let read = read_exr(&path).expect("reads");
        assert_eq!(read.size, protocol::Size::new(3, 2));
        assert_eq!(read.beauty[5].map(f32::to_bits), [0.25_f32, 0.5, 1.0].map(f32::to_bits));
        assert_eq!((read.alpha[0].to_bits(), read.samples[0]), (1.0_f32.to_bits(), 1));
        assert_eq!(read.scalars("depth"), Some(&[7.0; 6][..]));
        assert_eq!(read.scalars("Mist"), Some(&[0.125; 6][..]));
        assert!(read.layer("diffuse_direct").is_some());
    }

    let grey = AnyChannels::sort([channel("Y", 0.5)].into_iter().collect());
    Image::from_channels((3, 2), grey).write().to_file(&path).expect("writes");
    let error = read_exr(&path).expect_err("no colour");
    assert!(matches!(&error, ReadError::NoColour { channels, .. } if channels == "Y"), "{error}");
}

#[test]
fn a_file_that_is_not_there_says_so() {
    let error = read_exr("/none/a.exr".as_ref()).expect_err("no such file");
    assert!(matches!(error, ReadError::Open { .. }));
    let error = write_exr(&picture(), "/none/a.exr".as_ref(), &metadata(), &FULL);
    assert!(error.expect_err("no folder").to_string().ends_with("/none/a.exr"));
}
