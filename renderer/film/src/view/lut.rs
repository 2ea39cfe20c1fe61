//! A three-dimensional table from a `.cube` file, applied to what a view shows.
//!
//! # Source
//! Adobe, "Cube LUT Specification" 1.0 (2013): keywords, domain, the order of the table (red
//! fastest). Tetrahedral interpolation after J. Sakamoto, US patent 4 275 413 (1981, expired).

/// Colours for a regular grid over display values.
#[derive(Debug, Clone, PartialEq)]
pub struct Lut {
    side: usize,
    domain_min: [f32; 3],
    domain_max: [f32; 3],
    /// Red fastest, blue slowest.
    table: Vec<[f32; 3]>,
}

/// Text that is not a `.cube` file we can use.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LutError {
    /// A one-dimensional table.
    #[error("line {line}: this is a table of one dimension; choose a .cube with LUT_3D_SIZE")]
    OneDimension {
        /// Line, from 1.
        line: usize,
    },
    /// A side that is no number from 2 to 129.
    #[error("line {line}: the table's side must be a number from 2 to 129: `{text}`")]
    Side {
        /// Line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A line that is neither a known keyword nor three finite numbers.
    #[error("line {line}: expected three numbers or a keyword of the Cube format: `{text}`")]
    Line {
        /// Line, from 1.
        line: usize,
        /// What stands there, its first 60 characters.
        text: String,
    },
    /// A domain of no width.
    #[error("the domain is empty: DOMAIN_MIN must be below DOMAIN_MAX in every channel")]
    Domain,
    /// Another number of colours than the side asks for.
    #[error("a table of side {side} has {wanted} colours, this one {got}; the file may be cut off")]
    Count {
        /// Grid points along a side; 0 where the file names none.
        side: usize,
        /// Colours that fit.
        wanted: usize,
        /// Colours there, counted up to one too many.
        got: usize,
    },
}

/// Grid points along a side, at most: 25 MB.
const SIDE_MAX: usize = 129;

impl Lut {
    /// Reads the text of a `.cube` file.
    ///
    /// # Errors
    /// See [`LutError`]; no more is kept than the table's stated size.
    pub fn parse(text: &str) -> Result<Self, LutError> {
        let mut lut =
            Self { side: 0, domain_min: [0.0; 3], domain_max: [1.0; 3], table: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            lut.take(index + 1, line.trim())?;
        }
        let wanted = lut.side.pow(3);
        if lut.side == 0 || lut.table.len() != wanted {
            return Err(LutError::Count { side: lut.side, wanted, got: lut.table.len() });
        }
        if (0..3).any(|c| lut.domain_min[c] >= lut.domain_max[c]) {
            return Err(LutError::Domain);
        }
        Ok(lut)
    }

    fn take(&mut self, line: usize, text: &str) -> Result<(), LutError> {
        let shown = || text.chars().take(60).collect::<String>();
        let unknown = || LutError::Line { line, text: shown() };
        let (keyword, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match keyword {
            "" | "TITLE" => {}
            _ if keyword.starts_with('#') => {}
            "LUT_1D_SIZE" | "LUT_1D_INPUT_RANGE" => return Err(LutError::OneDimension { line }),
            "LUT_3D_SIZE" => {
                let side = rest.trim().parse().ok().filter(|side| (2..=SIDE_MAX).contains(side));
                self.side = side.ok_or_else(|| LutError::Side { line, text: shown() })?;
            }
            // What DaVinci Resolve writes instead of a domain.
            "LUT_3D_INPUT_RANGE" => {
                let [low, high] = numbers(rest).ok_or_else(unknown)?;
                (self.domain_min, self.domain_max) = ([low; 3], [high; 3]);
            }
            "DOMAIN_MIN" => self.domain_min = numbers(rest).ok_or_else(unknown)?,
            "DOMAIN_MAX" => self.domain_max = numbers(rest).ok_or_else(unknown)?,
            _ => {
                let colour = numbers(text).ok_or_else(unknown)?;
                let wanted = self.side.pow(3);
                if self.table.len() >= wanted {
                    let got = wanted + 1;
                    return Err(LutError::Count { side: self.side, wanted, got });
                }
                self.table.push(colour);
            }
        }
        Ok(())
    }

    /// The table's colour for a display value, cut to 0..=1.
    #[must_use]
    pub fn apply(&self, rgb: [f32; 3]) -> [f32; 3] {
        // Place in the grid: the cell, and how far into it.
        let last = (self.side - 1) as f32;
        let place = [0, 1, 2].map(|c| {
            let along = (rgb[c] - self.domain_min[c]) / (self.domain_max[c] - self.domain_min[c]);
            let at = if along > 0.0 { along.min(1.0) * last } else { 0.0 };
            let cell = at.floor().min(last - 1.0);
            (cell as usize, at - cell)
        });
        // Walk from the cell's low corner to its high one, the channel furthest in first.
        let strides = [1, self.side, self.side * self.side];
        let mut order = [0, 1, 2];
        order.sort_by(|&a, &b| place[b].1.total_cmp(&place[a].1));
        let mut corner: usize = (0..3).map(|c| place[c].0 * strides[c]).sum();
        let mut colour = self.table[corner];
        for channel in order {
            let from = self.table[corner];
            corner += strides[channel];
            let to = self.table[corner];
            for c in 0..3 {
                colour[c] += (to[c] - from[c]) * place[channel].1;
            }
        }
        colour.map(|value| value.clamp(0.0, 1.0))
    }
}

/// As many finite numbers as asked for, and nothing after them.
fn numbers<const N: usize>(text: &str) -> Option<[f32; N]> {
    let mut words = text.split_whitespace();
    let mut numbers = [0.0; N];
    for number in &mut numbers {
        *number = words.next()?.parse().ok().filter(|number: &f32| number.abs() < 1e9)?;
    }
    words.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of this side by a function of its place, 0..=1.
    fn cube(side: usize, colour: impl Fn([f32; 3]) -> [f32; 3]) -> String {
        let mut text = format!("TITLE \"test\"\n# a comment\n\nLUT_3D_SIZE {side}\n");
        let at = |index: usize| index as f32 / (side - 1) as f32;
        for index in 0..side.pow(3) {
            let place = [at(index % side), at(index / side % side), at(index / side / side)];
            let [red, green, blue] = colour(place);
            text.push_str(&format!("{red} {green} {blue}\n"));
        }
        text
    }

    #[test]
    fn linear_tables_are_exact_everywhere() {
        let turn = |[red, green, blue]: [f32; 3]| [green, 0.5 * blue + 0.25 * red, 1.0 - red];
        for side in [2, 3, 17] {
            let lut = Lut::parse(&cube(side, turn)).expect("a table");
            for colour in [[0.0; 3], [1.0; 3], [0.1, 0.9, 0.4], [0.33, 0.33, 0.8], [0.7, 0.2, 0.1]]
            {
                let (got, wanted) = (lut.apply(colour), turn(colour));
                for (got, want) in got.iter().zip(wanted) {
                    assert!((got - want).abs() < 1e-6, "{side} {colour:?}: {got} {want}");
                }
            }
        }
    }

    #[test]
    fn domains_move_the_grid_and_nonsense_is_cut() {
        let text =
            cube(2, |place| place).replace("\n\n", "\nDOMAIN_MIN -1 -1 -1\nDOMAIN_MAX 1 1 1\n");
        let lut = Lut::parse(&text).expect("a table");
        assert_eq!(lut.apply([0.0; 3]).map(f32::to_bits), [0.5_f32; 3].map(f32::to_bits));
        let cut = lut.apply([f32::NAN, f32::INFINITY, -5.0]);
        assert_eq!(cut.map(f32::to_bits), [0.0_f32, 1.0, 0.0].map(f32::to_bits));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let whole = cube(2, |place| place);
        let cases = [
            (String::new(), "0 colours"),
            ("LUT_1D_SIZE 2".to_owned(), "one dimension"),
            ("LUT_3D_SIZE 500".to_owned(), "2 to 129"),
            ("LUT_3D_SIZE two".to_owned(), "2 to 129"),
            ("0 0 0".to_owned(), "side 0"),
            (whole.replace("0 0 0\n", ""), "8 colours, this one 7"),
            (format!("{whole}0 0 0\n"), "8 colours, this one 9"),
            (whole.replace("1 1 1", "1 NaN 1"), "three numbers"),
            (whole.replace("1 1 1", "1 1"), "three numbers"),
            (format!("{whole}DOMAIN_MIN 2 2 2\n"), "DOMAIN_MIN"),
        ];
        for (text, wanted) in cases {
            let error = Lut::parse(&text).expect_err(wanted).to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
