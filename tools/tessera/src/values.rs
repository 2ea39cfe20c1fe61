//! Values as people type them: sizes, points, colours, frame ranges.

use std::fmt::Display;
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::RangeInclusive;
use std::str::FromStr;

use protocol::{Crop, Offer, Priority, Size, TileGrid, TileIndex, Tokens, offer};

/// Text that is not the wanted value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {wanted}")]
pub struct ValueError {
    wanted: &'static str,
}

/// A frame size, `640x360`.
pub fn size(text: &str) -> Result<Size, ValueError> {
    let error = || ValueError { wanted: "WIDTHxHEIGHT in pixels, as 640x360" };
    let (width, height) = text.split_once(['x', 'X']).ok_or_else(error)?;
    let side = |side: &str| side.parse().ok().filter(|&pixels: &u32| pixels > 0);
    Ok(Size::new(side(width).ok_or_else(error)?, side(height).ok_or_else(error)?))
}

/// A pixel of a frame, `960,400`.
pub fn pixel(text: &str) -> Result<(u32, u32), ValueError> {
    let error = || ValueError { wanted: "X,Y in pixels from the upper left, as 960,400" };
    let (x, y) = text.split_once(',').ok_or_else(error)?;
    let place = |text: &str| text.trim().parse().map_err(|_not_whole| error());
    Ok((place(x)?, place(y)?))
}

/// A whole number of a range.
pub fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        let (first, last) = (range.start(), range.end());
        number.ok_or_else(|| format!("expected a whole number from {first} to {last}"))
    }
}

/// A space of memory, `8`.
pub fn gigabytes(text: &str) -> Result<NonZeroU32, ValueError> {
    let number = text.trim().parse();
    number.map_err(|_not_whole| ValueError { wanted: "whole gigabytes, 1 or more" })
}

/// A space on disk, `20`; none, `0`.
pub fn gigabytes_or_none(text: &str) -> Result<u32, ValueError> {
    let number = text.trim().parse();
    number.map_err(|_not_whole| ValueError { wanted: "whole gigabytes, 1 or more, or 0 for none" })
}

/// Threads of a CPU, `8`.
pub fn threads(text: &str) -> Result<NonZeroUsize, ValueError> {
    let number = text.trim().parse();
    number.map_err(|_not_whole| ValueError { wanted: "a whole number of threads, 1 or more" })
}

/// A tile, by its number in rows from the upper left, or by its column and row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TilePlace {
    /// Its number.
    Number(u32),
    /// Its column and its row.
    Place(u32, u32),
}

impl FromStr for TilePlace {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = || ValueError { wanted: "COLUMN,ROW or the tile's number, as 3,7 or 39" };
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_no_number| error());
        match text.split_once(',') {
            Some((column, row)) => Ok(Self::Place(number(column)?, number(row)?)),
            None => number(text).map(Self::Number),
        }
    }
}

impl TilePlace {
    /// Its index in a grid; none where the grid has no such tile.
    pub fn index(self, grid: &TileGrid) -> Option<TileIndex> {
        let number = match self {
            Self::Number(number) => number,
            Self::Place(column, row) if column < grid.columns() => {
                row.checked_mul(grid.columns())?.checked_add(column)?
            }
            Self::Place(..) => return None,
        };
        (number < grid.tile_count()).then_some(TileIndex(number))
    }
}

/// A part of a frame, `800,300,320x200`.
pub fn crop(text: &str) -> Result<Crop, ValueError> {
    let error = || ValueError { wanted: "X,Y,WIDTHxHEIGHT in pixels, as 800,300,320x200" };
    let mut parts = text.splitn(3, ',');
    let mut part = || parts.next().map(str::trim).ok_or_else(error);
    let (x, y, sides) = (part()?, part()?, part()?);
    let (width, height) = sides.split_once(['x', 'X']).ok_or_else(error)?;
    let place = |place: &str| place.parse::<i32>().map_err(|_not_whole| error());
    // A side of 0 is for the settings to refuse, with the crop and the frame.
    let side = |side: &str| side.parse::<u32>().map_err(|_not_whole| error());
    Ok(Crop { x: place(x)?, y: place(y)?, size: Size::new(side(width)?, side(height)?) })
}

/// How far a picture reaches beyond its frame, `64` or `5%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Overscan {
    /// Pixels beyond each edge.
    Pixels(u32),
    /// Their share of the frame's longer side, per cent.
    Percent(f32),
}

impl Overscan {
    /// Pixels beyond each edge of a frame.
    pub fn pixels(self, frame: Size) -> u32 {
        match self {
            Self::Pixels(pixels) => pixels,
            Self::Percent(share) => {
                let longer = f64::from(frame.width.max(frame.height));
                (longer * f64::from(share) / 100.0).round() as u32
            }
        }
    }
}

impl FromStr for Overscan {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = ValueError { wanted: "pixels, as 64, or a share from 0% to 100%, as 5%" };
        let overscan = match text.trim().strip_suffix('%') {
            Some(share) => {
                number(share).filter(|share| (0.0..=100.0).contains(share)).map(Self::Percent)
            }
            None => text.trim().parse().ok().map(Self::Pixels),
        };
        overscan.ok_or(error)
    }
}

/// How much of a frame a shutter is open, `0.5`.
pub fn shutter(text: &str) -> Result<f32, ValueError> {
    let share = number(text).filter(|share| (0.0..=100.0).contains(share));
    share.ok_or(ValueError { wanted: "a fraction of a frame from 0 to 100, as 0.5" })
}

/// What a node asks per billion rays, `8.5`.
pub fn ask(text: &str) -> Result<Tokens, String> {
    let ask = text.parse::<Tokens>().map_err(|error| error.to_string())?;
    offer::check_ask(ask).map_err(|error| error.to_string())?;
    Ok(ask)
}

/// What a job bids per billion rays, `15`.
pub fn bid(text: &str) -> Result<Tokens, String> {
    let bid = text.parse::<Tokens>().map_err(|error| error.to_string())?;
    let offer = Offer { bid: Some(bid), ..Offer::default() };
    offer.validate().map_err(|error| error.to_string())?;
    Ok(bid)
}

/// Which of an artist's jobs comes first, `80`.
pub fn priority(text: &str) -> Result<Priority, String> {
    let number = text.parse::<u8>();
    let number = number.map_err(|_none| format!("{text} is no priority; choose 1 to 100"))?;
    Priority::try_from(number).map_err(|error| error.to_string())
}

/// Three numbers with commas, `1,2.5,-3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Triple(pub [f32; 3]);

impl FromStr for Triple {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = || ValueError { wanted: "three numbers with commas, as 1,2.5,-3" };
        let numbers: Option<Vec<f32>> = text.split(',').map(number).collect();
        let numbers: [f32; 3] =
            numbers.ok_or_else(error)?.try_into().map_err(|_other_count| error())?;
        Ok(Self(numbers))
    }
}

/// A light's colour: one number for grey, or three with commas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rgb(pub [f32; 3]);

impl FromStr for Rgb {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Some(grey) = number(text) {
            return Ok(Self([grey; 3]));
        }
        let error = || ValueError { wanted: "one number, or red,green,blue, as 1 or 0.4,0.6,1" };
        text.parse().map(|Triple(rgb)| Self(rgb)).map_err(|_no_triple: ValueError| error())
    }
}

/// An override of all surfaces: `gray:0.8`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clay(pub f32);

impl FromStr for Clay {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let share = text.strip_prefix("gray:").or_else(|| text.strip_prefix("grey:"));
        share
            .and_then(number)
            .filter(|share| (0.0..=1.0).contains(share))
            .map(Self)
            .ok_or(ValueError { wanted: "gray:SHARE, a share of light from 0 to 1, as gray:0.8" })
    }
}

/// A clear sky by its sun: `30,90` or `30,90,3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClearSky {
    /// Height of the sun, degrees.
    pub elevation: f32,
    /// Turn of the sun from -z, degrees, clockwise seen from above.
    pub azimuth: f32,
    /// Haze.
    pub turbidity: f32,
}

/// Haze of a clear day.
const TURBIDITY: f32 = 3.0;

impl FromStr for ClearSky {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = || ValueError {
            wanted: "ELEVATION,AZIMUTH or ELEVATION,AZIMUTH,HAZE in degrees, as 30,90: elevation \
                     from -90 to 90, azimuth within ±360, haze from 1 to 10",
        };
        let numbers: Option<Vec<f32>> = text.split(',').map(number).collect();
        let (elevation, azimuth, turbidity) = match numbers.ok_or_else(error)?.as_slice() {
            [elevation, azimuth] => (*elevation, *azimuth, TURBIDITY),
            [elevation, azimuth, turbidity] => (*elevation, *azimuth, *turbidity),
            _ => return Err(error()),
        };
        let holds =
            elevation.abs() <= 90.0 && azimuth.abs() <= 360.0 && (1.0..=10.0).contains(&turbidity);
        if holds { Ok(Self { elevation, azimuth, turbidity }) } else { Err(error()) }
    }
}

fn number(text: &str) -> Option<f32> {
    text.trim().parse().ok().filter(|number: &f32| number.is_finite())
}

/// First and last frame, `12` or `1-240`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    /// First frame.
    pub first: u32,
    /// Last frame, inside.
    pub last: u32,
}

impl FromStr for Frames {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = || ValueError { wanted: "one frame or first-last, as 12 or 1-240" };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let frame = |frame: &str| frame.trim().parse::<u32>().map_err(|_no_number| error());
        let (first, last) = (frame(first)?, frame(last)?);
        if last < first { Err(error()) } else { Ok(Self { first, last }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("640x360"), Ok(Size::new(640, 360)));
        for text in ["640", "0x1", "640x", "-1x4", "640×360", "1x1x1", "99999999999x1"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pixels() {
        assert_eq!(pixel("960,400"), Ok((960, 400)));
        assert_eq!(pixel("0, 7"), Ok((0, 7)));
        for text in ["", "1", "1,", "1,2,3", "-1,2", "1.5,2", "1x2"] {
            assert!(pixel(text).is_err(), "{text}");
        }
    }

    #[test]
    fn whole_numbers_say_their_range() {
        let celsius = whole(30_u8..=110);
        assert_eq!((celsius("30"), celsius(" 110")), (Ok(30), Ok(110)));
        for text in ["29", "111", "5000", "-1", "7.5", "warm", ""] {
            let error = celsius(text).expect_err(text);
            assert_eq!(error, "expected a whole number from 30 to 110", "{text}");
        }
    }

    #[test]
    fn memory_and_threads_are_whole_and_some() {
        let said = |error: ValueError| error.to_string();
        assert_eq!(gigabytes("8").map(NonZeroU32::get), Ok(8));
        assert_eq!((gigabytes_or_none("0"), gigabytes_or_none("20")), (Ok(0), Ok(20)));
        assert_eq!(threads("4").map(NonZeroUsize::get), Ok(4));
        for text in ["0", "0.001", "-1", "", "many"] {
            let error = gigabytes(text).map_err(said).expect_err(text);
            assert_eq!(error, "expected whole gigabytes, 1 or more", "{text}");
            let error = threads(text).map_err(said).expect_err(text);
            assert_eq!(error, "expected a whole number of threads, 1 or more", "{text}");
        }
        let error = gigabytes_or_none("0.3").map_err(said).expect_err("no whole number");
        assert!(error.contains("whole gigabytes, 1 or more"), "{error}");
    }

    #[test]
    fn tiles() {
        let grid = TileGrid::new(protocol::Rect::of_size(Size::new(100, 60)), 32);
        let check = |text: &str, wanted: Option<u32>| {
            let tile: TilePlace = text.parse().expect("a tile");
            assert_eq!(tile.index(&grid), wanted.map(TileIndex), "{text}");
        };
        check("0", Some(0));
        check("3,1", Some(7));
        check(" 0 , 1 ", Some(4));
        check("7", Some(7));
        check("8", None);
        check("4,0", None);
        check("0,2", None);
        check("1,4294967295", None);
        for text in ["", "a", "1,", ",1", "1,2,3", "-1"] {
            assert!(text.parse::<TilePlace>().is_err(), "{text}");
        }
    }

    #[test]
    fn crops_and_overscan() {
        let wanted = Crop { x: 800, y: -3, size: Size::new(320, 200) };
        assert_eq!(crop("800,-3,320x200"), Ok(wanted));
        assert_eq!(crop("800, -3, 320x200"), Ok(wanted));
        assert_eq!(wanted.to_string(), "800,-3,320x200");
        for text in ["", "1,2", "1,2,3", "1,2,3,4", "1,2,3x-4", "1.5,2,3x4", "a,2,3x4", "1,2,3x4,5"]
        {
            assert!(crop(text).is_err(), "{text}");
        }
        let pixels = |text: &str| {
            let parsed: Result<Overscan, _> = text.parse();
            parsed.ok().map(|overscan| overscan.pixels(Size::new(1080, 1920)))
        };
        for (text, wanted) in [
            ("0", Some(0)),
            ("64", Some(64)),
            ("5%", Some(96)),
            ("2.5 %", Some(48)),
            ("100%", Some(1920)),
            ("101%", None),
            ("-1", None),
            ("nan%", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(pixels(text), wanted, "{text}");
        }
    }

    #[test]
    fn shutters() {
        for (text, share) in [("0", Some(0.0)), ("0.5", Some(0.5)), ("-1", None), ("nan", None)] {
            assert_eq!(shutter(text).ok(), share, "{text}");
        }
    }

    #[test]
    fn triples_and_colours() {
        assert_eq!("1, 2.5,-3".parse(), Ok(Triple([1.0, 2.5, -3.0])));
        assert_eq!("0.5".parse(), Ok(Rgb([0.5; 3])));
        assert_eq!("1,2,3".parse(), Ok(Rgb([1.0, 2.0, 3.0])));
        for text in ["", "1,2", "1,2,3,4", "a,b,c", "1,2,inf", "NaN,0,0"] {
            assert!(text.parse::<Triple>().is_err(), "{text}");
            assert!(text.parse::<Rgb>().is_err(), "{text}");
        }
    }

    #[test]
    fn clay() {
        assert_eq!("gray:0.8".parse(), Ok(Clay(0.8)));
        for text in ["0.8", "gray", "gray:1.1", "gray:-1", "gray:x", "red:0.5"] {
            assert!(text.parse::<Clay>().is_err(), "{text}");
        }
    }

    #[test]
    fn clear_skies() {
        let sky = |elevation, azimuth, turbidity| Ok(ClearSky { elevation, azimuth, turbidity });
        assert_eq!("30,90".parse(), sky(30.0, 90.0, 3.0));
        assert_eq!("-2,-45,5".parse(), sky(-2.0, -45.0, 5.0));
        for text in ["30", "91,0", "0,361", "0,0,0.5", "0,0,11", "a,b", "1,2,3,4", ""] {
            assert!(text.parse::<ClearSky>().is_err(), "{text}");
        }
    }

    #[test]
    fn frames() {
        assert_eq!("12".parse(), Ok(Frames { first: 12, last: 12 }));
        assert_eq!("1-240".parse(), Ok(Frames { first: 1, last: 240 }));
        for text in ["", "-", "5-1", "a-b", "1-2-3", "-3"] {
            assert!(text.parse::<Frames>().is_err(), "{text}");
        }
    }
}
