//! Frames: as ranges in text, and as the ranges of jobs.

use client::description::FrameNumbers;

use crate::refusal::Problem;

/// Frames that the tasks of a step may name in all; a job has as many at most.
pub(crate) const FRAMES_MAX: u64 = 100_000;

/// The frames of `12`, `1-240`, `1-240:2`, or several with commas.
pub(crate) fn parse(text: &str) -> Result<Vec<FrameNumbers>, Problem> {
    let ranges: Option<Vec<FrameNumbers>> = text.split(',').map(range).collect();
    ranges.ok_or_else(|| Problem::Frames(text.to_owned()))
}

fn range(text: &str) -> Option<FrameNumbers> {
    let (span, step) = text.split_once(':').unwrap_or((text, "1"));
    let (first, last) = span.split_once('-').unwrap_or((span, span));
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let range = FrameNumbers { first: number(first)?, last: number(last)?, step: number(step)? };
    (range.step > 0 && range.first <= range.last).then_some(range)
}

/// How many there are.
pub(crate) fn count(range: FrameNumbers) -> u64 {
    u64::from((range.last - range.first) / range.step) + 1
}

/// Adds a range's frames to others.
pub(crate) fn gather(range: FrameNumbers, frames: &mut Vec<u32>) -> Result<(), Problem> {
    let all = count(range) + frames.len() as u64;
    if all > FRAMES_MAX {
        return Err(Problem::FrameCount { count: all, max: FRAMES_MAX });
    }
    let step = usize::try_from(range.step).unwrap_or(usize::MAX);
    frames.extend((range.first..=range.last).step_by(step));
    Ok(())
}

/// The fewest ranges, taken from the first frame on, that hold each frame once.
pub(crate) fn ranges(mut frames: Vec<u32>) -> Vec<FrameNumbers> {
    frames.sort_unstable();
    frames.dedup();
    let mut ranges = Vec::new();
    let mut rest = frames.as_slice();
    while let [first, more @ ..] = rest {
        let step = more.first().map_or(1, |second| second - first);
        let pairs = rest.windows(2).take_while(|pair| pair[1] - pair[0] == step);
        let length = pairs.count() + 1;
        ranges.push(FrameNumbers { first: *first, last: rest[length - 1], step });
        rest = &rest[length..];
    }
    ranges
}

/// A range as templates have it.
pub(crate) fn text(range: FrameNumbers) -> String {
    let FrameNumbers { first, last, step } = range;
    match (first == last, step) {
        (true, _) => first.to_string(),
        (false, 1) => format!("{first}-{last}"),
        (false, _) => format!("{first}-{last}:{step}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> Result<String, Problem> {
        let mut frames = Vec::new();
        for range in parse(text)? {
            gather(range, &mut frames)?;
        }
        Ok(ranges(frames).into_iter().map(self::text).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn frames_are_the_fewest_ranges_that_hold_them() {
        let check = |text: &str, expected: &str| {
            assert_eq!(again(text).as_deref(), Ok(expected), "{text}");
        };
        check("12", "12");
        check("1-240", "1-240");
        check("1-240:2", "1-239:2");
        check("5,1,3", "1-5:2");
        check("1-10,8-12", "1-12");
        check("1-3,10,20,30", "1-3,10-30:10");
        check("0,7", "0-7:7");
        check(" 1 - 3 : 1 ", "1-3");
        check("4294967295", "4294967295");
    }

    #[test]
    fn what_is_no_frame_is_refused_before_it_takes_memory() {
        let bad = ["", "-1", "5-1", "1-", "a", "1-5:0", "1-5:-1", "1,,2", "4294967296", "1..5"];
        for text in bad {
            assert_eq!(again(text), Err(Problem::Frames(text.to_owned())), "{text}");
        }
        let count = 4_294_967_296;
        assert_eq!(again("0-4294967295"), Err(Problem::FrameCount { count, max: FRAMES_MAX }));
    }
}
