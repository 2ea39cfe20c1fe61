use film::{Frame, Metadata, Picture, Precision, ReadError, read_exr, write_exr};
use protocol::{Batch, Engine, JobId, Rect, SceneId, Size};

use crate::film_of;

fn picture() -> Picture {
    let mut frame = Frame::new(Size::new(21, 34), 24);
    for rect in [Rect { x0: 0, y0: 0, x1: 16, y1: 34 }, Rect { x0: 16, y0: 0, x1: 21, y1: 30 }] {
        frame.insert(film_of(rect, Batch::new(0, 2).expect("aligned"), 24)).expect("fits");
    }
    let mut picture = frame.picture();
    picture.depth[3] = f32::INFINITY;
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
        precision: Precision::Float,
    }
}

#[test]
fn every_bit_comes_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, second) = (dir.path().join("a.exr"), dir.path().join("b.exr"));
    write_exr(&picture(), &first, &metadata()).expect("writes");
    write_exr(&picture(), &second, &metadata()).expect("writes");
    let read = read_exr(&first).expect("reads");
    assert_eq!(film::compare::bit_equal_share(&picture(), &read), Ok(1.0));
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&read.variance), bits(&picture().variance));
    let bytes = |path| std::fs::read(path).expect("reads");
    assert_eq!(bytes(&first), bytes(&second), "equal pictures are equal files");
    assert_eq!(std::fs::read_dir(dir.path()).expect("lists").count(), 2, "nothing is left behind");
}

#[test]
fn the_header_says_what_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.exr");
    write_exr(&picture(), &path, &metadata()).expect("writes");
    let header = exr::meta::MetaData::read_from_file(&path, true).expect("reads").headers.remove(0);
    let software = header.own_attributes.software_name.as_ref().map(ToString::to_string);
    assert_eq!(software.as_deref(), Some("Tessera 0.1.0 ?"));
    let facts = format!(
        "job = {}\nscene = {}\nengine = 1\nsamples = 24\nframe = 3\n",
        JobId([7; 16]),
        SceneId([8; 32])
    );
    let key = exr::prelude::Text::from("tessera");
    let value = exr::prelude::AttributeValue::Text(facts.as_str().into());
    assert_eq!(header.own_attributes.other.get(&key), Some(&value));
    let white = header.shared_attributes.chromaticities.expect("chromaticities").white;
    assert_eq!(white, exr::prelude::Vec2(0.3127, 0.3290));
    assert_eq!(header.compression, exr::prelude::Compression::ZIP16);
    let names: Vec<String> = header.channels.list.iter().map(|c| c.name.to_string()).collect();
    let wanted = [
        "A",
        "B",
        "G",
        "R",
        "albedo.B",
        "albedo.G",
        "albedo.R",
        "depth.Z",
        "normal.X",
        "normal.Y",
        "normal.Z",
        "samples",
        "variance.Y",
    ];
    assert_eq!(names, wanted);
}

#[test]
fn halves_are_near_and_never_infinite() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("half.exr");
    let half = Metadata { precision: Precision::Half, ..metadata() };
    write_exr(&picture(), &path, &half).expect("writes");
    let read = read_exr(&path).expect("reads");
    assert_eq!(read.beauty[4][1].to_bits(), 65_504_f32.to_bits());
    for (read, was) in read.beauty.iter().zip(&picture().beauty).skip(5) {
        for (read, was) in read.iter().zip(was) {
            assert!((read - was).abs() <= was.abs() * 1e-3 + 1e-7, "{read} {was}");
        }
    }
    assert_eq!(read.depth[3].to_bits(), f32::INFINITY.to_bits());
}

#[test]
fn other_programs_files_are_read_by_their_colour() {
    use exr::prelude::*;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("other.exr");
    let channel = |name: &str, value: f32| {
        AnyChannel::new(Text::from(name), FlatSamples::F16(vec![f16::from_f32(value); 6]))
    };
    let list = [("View.Combined.R", 0.25), ("View.Combined.G", 0.5), ("View.Combined.B", 1.0)];
    let channels = AnyChannels::sort(list.into_iter().map(|(n, v)| channel(n, v)).collect());
    Image::from_channels((3, 2), channels).write().to_file(&path).expect("writes");
    let read = read_exr(&path).expect("reads");
    assert_eq!(read.size, protocol::Size::new(3, 2));
    assert_eq!(read.beauty[5].map(f32::to_bits), [0.25_f32, 0.5, 1.0].map(f32::to_bits));
    assert_eq!((read.alpha[0].to_bits(), read.samples[0]), (1.0_f32.to_bits(), 1));

    let grey = AnyChannels::sort([channel("Y", 0.5)].into_iter().collect());
    Image::from_channels((3, 2), grey).write().to_file(&path).expect("writes");
    let error = read_exr(&path).expect_err("no colour");
    assert!(matches!(&error, ReadError::NoColour { channels, .. } if channels == "Y"), "{error}");
}

#[test]
fn a_file_that_is_not_there_says_so() {
    let error = read_exr("/none/a.exr".as_ref()).expect_err("no such file");
    assert!(matches!(error, ReadError::Open { .. }));
    let error = write_exr(&picture(), "/none/a.exr".as_ref(), &metadata()).expect_err("no folder");
    assert!(error.to_string().ends_with("/none/a.exr"), "{error}");
}
