//! Values of options, read as the command line reads them.

use client::description::CropBox;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Wrong;
use crate::draft::Overscan;

type Read<T> = Result<T, Wrong>;

/// Sets a field to a value that was read.
pub(super) fn put<T>(field: &mut Option<T>, value: Read<T>) -> Result<(), Wrong> {
    *field = Some(value?);
    Ok(())
}

/// Sets a field to a text that is looked at later.
pub(super) fn text(field: &mut Option<String>, text: &str) -> Result<(), Wrong> {
    *field = Some(text.to_owned());
    Ok(())
}

/// One of a few words.
pub(super) fn word<T: DeserializeOwned>(text: &str, wanted: &'static str) -> Read<T> {
    let value = Value::String(text.to_owned());
    serde_json::from_value(value).map_err(|_other| Wrong::Wanted(wanted))
}

/// Whether something is so: being said is a yes.
pub(super) fn yes(text: &str) -> Read<bool> {
    match text {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Wrong::Wanted("true or false")),
    }
}

pub(super) fn switch(text: &str) -> Read<bool> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Wrong::Wanted("on or off")),
    }
}

pub(super) fn whole(text: &str) -> Read<u32> {
    text.trim().parse().map_err(|_not_whole| Wrong::Wanted("a whole number from 0 on"))
}

pub(super) fn number(text: &str) -> Read<f32> {
    let number = text.trim().parse().ok().filter(|number: &f32| number.is_finite());
    number.ok_or(Wrong::Wanted("a number, as 0.5"))
}

/// Numbers with commas.
pub(super) fn numbers(text: &str) -> Read<Vec<f32>> {
    let numbers: Read<Vec<f32>> = text.split(',').map(number).collect();
    numbers.map_err(|_no_number| Wrong::Wanted("numbers with commas, as 30,90 or 30,90,3"))
}

pub(super) fn triple(text: &str) -> Read<[f32; 3]> {
    let wanted = || Wrong::Wanted("three numbers with commas, as 1,2.5,-3");
    let numbers = numbers(text).map_err(|_no_numbers| wanted())?;
    numbers.try_into().map_err(|_other_count: Vec<f32>| wanted())
}

/// A light's colour: one number for grey, or three.
pub(super) fn light(text: &str) -> Read<[f32; 3]> {
    let wanted = |_other| Wrong::Wanted("one number, or red,green,blue, as 1 or 0.4,0.6,1");
    number(text).map(|grey| [grey; 3]).or_else(|_no_grey| triple(text)).map_err(wanted)
}

pub(super) fn size(text: &str) -> Read<[u32; 2]> {
    let side = |side: &str| side.parse().ok().filter(|&pixels: &u32| pixels > 0);
    let size = text.split_once(['x', 'X']).and_then(|(w, h)| Some([side(w)?, side(h)?]));
    size.ok_or(Wrong::Wanted("WIDTHxHEIGHT in pixels, as 640x360"))
}

pub(super) fn crop(text: &str) -> Read<CropBox> {
    let crop = || {
        let mut parts = text.splitn(3, ',').map(str::trim);
        let (x, y) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let (width, height) = parts.next()?.split_once(['x', 'X'])?;
        Some(CropBox { x, y, width: width.parse().ok()?, height: height.parse().ok()? })
    };
    crop().ok_or(Wrong::Wanted("X,Y,WIDTHxHEIGHT in pixels, as 800,300,320x200"))
}

pub(super) fn overscan(text: &str) -> Read<Overscan> {
    let overscan = match text.trim().strip_suffix('%') {
        Some(share) => {
            let share = number(share).ok().filter(|share| (0.0..=100.0).contains(share));
            share.map(Overscan::Percent)
        }
        None => text.trim().parse().ok().map(Overscan::Pixels),
    };
    overscan.ok_or(Wrong::Wanted("pixels, as 64, or a share from 0% to 100%, as 5%"))
}

/// A span of time, seconds: `900s`, `15m`, `1h30m`.
pub(super) fn span_s(text: &str) -> Read<u64> {
    let wanted = || Wrong::Wanted("a span of time, as 90s, 15m or 1h30m");
    let mut rest = text.trim();
    let mut sum_s: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit()).ok_or_else(wanted)?;
        let count: u64 = rest[..digits].parse().map_err(|_no_number| wanted())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit_s = match &rest[..letters] {
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hr" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            _ => return Err(wanted()),
        };
        rest = rest[letters..].trim_start();
        let part_s = count.checked_mul(unit_s).ok_or_else(wanted)?;
        sum_s = sum_s.checked_add(part_s).ok_or_else(wanted)?;
    }
    if sum_s == 0 { Err(wanted()) } else { Ok(sum_s) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_command_line_reads_them() {
        assert_eq!(size("640x360").ok(), Some([640, 360]));
        assert_eq!(triple("1, 2.5,-3").ok(), Some([1.0, 2.5, -3.0]));
        assert_eq!(light("0.5").ok(), Some([0.5; 3]));
        let wanted = CropBox { x: 800, y: -3, width: 320, height: 200 };
        assert_eq!(crop("800,-3,320x200").ok(), Some(wanted));
        assert_eq!(overscan("5%").ok(), Some(Overscan::Percent(5.0)));
        for (text, seconds) in [("900s", 900), ("15m", 900), ("1h30m", 5_400), ("1h 30min", 5_400)]
        {
            assert_eq!(span_s(text).ok(), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_none() {
        for text in ["", "640", "0x1", "640×360", "1x1x1"] {
            assert!(size(text).is_err(), "{text}");
        }
        for text in ["", "1,2", "1,2,3,4", "a,b,c", "1,2,inf", "NaN,0,0"] {
            assert!(triple(text).is_err() && light(text).is_err(), "{text}");
        }
        for text in ["", "1,2", "1,2,3x-4", "1.5,2,3x4", "1,2,3x4,5"] {
            assert!(crop(text).is_err(), "{text}");
        }
        for text in ["", "0s", "5", "m", "5 fortnights", "-5s", "99999999999999999999s", "9e9d"] {
            assert!(span_s(text).is_err(), "{text}");
        }
        assert!(span_s("18446744073709551615d").is_err());
        assert!(overscan("101%").is_err() && overscan("-1").is_err());
    }
}
