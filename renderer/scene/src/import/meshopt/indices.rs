//! Modes 1 and 2: triangles by the edges and vertices they share, and indices by what they differ.

use super::{MeshoptProblem as Problem, Reader};

/// The last sixteen of what was pushed.
struct Recent<T> {
    entries: [T; 16],
    pushed: usize,
}

impl<T: Copy> Recent<T> {
    fn new(blank: T) -> Self {
        Self { entries: [blank; 16], pushed: 0 }
    }

    fn push(&mut self, entry: T) {
        self.entries[self.pushed % 16] = entry;
        self.pushed += 1;
    }

    /// The entry that was pushed `back` pushes before the last, at most 15.
    fn get(&self, back: usize) -> Result<T, Problem> {
        if back >= self.pushed {
            return Err(Problem::Damaged { what: "it names an edge or a vertex before the first" });
        }
        Ok(self.entries[(self.pushed - 1 - back) % 16])
    }
}

/// An integer of 1 to 5 bytes, seven bits each, the lowest first.
fn variable(reader: &mut Reader) -> Result<u32, Problem> {
    let mut value = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = reader.byte()?;
        value |= u32::from(byte & 127) << shift;
        if byte < 128 {
            return Ok(value);
        }
    }
    Err(Problem::Damaged { what: "an index has more than 5 bytes" })
}

/// The last bit is the sign.
fn step(code: u32) -> u32 {
    if code & 1 == 0 { code >> 1 } else { !(code >> 1) }
}

fn write(index: u32, stride: usize, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&index.to_le_bytes()[..stride]);
}

/// State of mode 1.
struct Triangles<'a> {
    data: Reader<'a>,
    /// The least index that no triangle named yet.
    fresh: u32,
    /// The last index that was spelled out.
    last: u32,
    edges: Recent<[u32; 2]>,
    vertices: Recent<u32>,
}

impl Triangles<'_> {
    fn take_fresh(&mut self) -> u32 {
        let index = self.fresh;
        self.fresh = index.wrapping_add(1);
        index
    }

    fn spelled(&mut self) -> Result<u32, Problem> {
        self.last = self.last.wrapping_add(step(variable(&mut self.data)?));
        Ok(self.last)
    }

    /// A triangle on a recent edge; `how` says which third vertex.
    fn on_edge(&mut self, edge: u8, how: u8) -> Result<[u32; 3], Problem> {
        let [a, b] = self.edges.get(usize::from(edge))?;
        let c = match how {
            0 => self.take_fresh(),
            1..=12 => self.vertices.get(usize::from(how))?,
            15 => self.spelled()?,
            _ => {
                let step = if how == 13 { u32::MAX } else { 1 };
                self.last = self.last.wrapping_add(step);
                self.last
            }
        };
        if !(1..=12).contains(&how) {
            self.vertices.push(c);
        }
        self.edges.push([c, b]);
        self.edges.push([a, c]);
        Ok([a, b, c])
    }

    /// A vertex by four bits: the next fresh one, a recent one, or one that is spelled out.
    fn vertex(&mut self, how: u8) -> Result<u32, Problem> {
        match how {
            0 => Ok(self.take_fresh()),
            15 => self.spelled(),
            back => self.vertices.get(usize::from(back) - 1),
        }
    }

    /// A triangle of three vertices, whose four bits each are given.
    fn alone(&mut self, how: [u8; 3]) -> Result<[u32; 3], Problem> {
        let [a, b, c] = [self.vertex(how[0])?, self.vertex(how[1])?, self.vertex(how[2])?];
        self.edges.push([b, a]);
        self.edges.push([c, b]);
        self.edges.push([a, c]);
        for (vertex, how) in [a, b, c].into_iter().zip(how) {
            if how == 0 || how == 15 {
                self.vertices.push(vertex);
            }
        }
        Ok([a, b, c])
    }
}

/// Mode 1: `count` triangles of indices of `stride` bytes.
pub fn triangles(stream: &[u8], stride: usize, count: usize) -> Result<Vec<u8>, Problem> {
    let mut reader = Reader { bytes: stream };
    reader.header(&[0xe1], "the mode TRIANGLES")?;
    let table = reader.tail(16)?;
    if table[14..] != [0, 0] || table.iter().any(|byte| byte >> 4 == 15 || byte & 15 == 15) {
        return Err(Problem::Damaged { what: "its table of codes is not valid" });
    }
    let codes = reader.take(count)?;
    let mut state = Triangles {
        data: reader,
        fresh: 0,
        last: 0,
        edges: Recent::new([0; 2]),
        vertices: Recent::new(0),
    };
    let mut bytes = Vec::with_capacity(3 * count * stride);
    for code in codes {
        let triangle = match (code >> 4, code & 15) {
            (15, entry) if entry < 14 => {
                let pair = table[usize::from(entry)];
                state.alone([0, pair >> 4, pair & 15])?
            }
            (15, entry) => {
                let pair = state.data.byte()?;
                if pair == 0 {
                    state.fresh = 0;
                }
                let first = if entry == 14 { 0 } else { 15 };
                state.alone([first, pair >> 4, pair & 15])?
            }
            (edge, how) => state.on_edge(edge, how)?,
        };
        for index in triangle {
            write(index, stride, &mut bytes);
        }
    }
    state.data.end()?;
    Ok(bytes)
}

/// Mode 2: `count` indices of `stride` bytes.
pub fn sequence(stream: &[u8], stride: usize, count: usize) -> Result<Vec<u8>, Problem> {
    let mut reader = Reader { bytes: stream };
    reader.header(&[0xd1], "the mode INDICES")?;
    reader.tail(4)?;
    // An index has a byte at least: a lying count fails before its memory is taken.
    if reader.bytes.len() < count {
        return Err(Problem::Truncated);
    }
    let mut bytes = Vec::with_capacity(count * stride);
    let mut last = [0_u32; 2];
    for _index in 0..count {
        let code = variable(&mut reader)?;
        let last = &mut last[(code & 1) as usize];
        *last = last.wrapping_add(step(code >> 1));
        write(*last, stride, &mut bytes);
    }
    reader.end()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_seven_bits() {
        let check = |bytes: &[u8], expected| {
            assert_eq!(variable(&mut Reader { bytes }), expected, "{bytes:x?}");
        };
        check(&[0x7f], Ok(0x7f));
        check(&[0x81, 0x04], Ok(0x201));
        check(&[0xff, 0xa0, 0x05], Ok(0x1_507f));
        check(&[0x80], Err(Problem::Truncated));
        check(&[0x80; 6], Err(Problem::Damaged { what: "an index has more than 5 bytes" }));
    }

    #[test]
    fn two_triangles_by_hand() {
        // Three fresh vertices from the table, then the edge 2 back (0: [a, c]) and a fresh one.
        let mut stream = vec![0xe1, 0xf0, 0x10];
        stream.extend([0; 16]);
        let bytes = triangles(&stream, 2, 2).expect("whole");
        assert_eq!(bytes, [0, 0, 1, 0, 2, 0, 2, 0, 1, 0, 3, 0]);
        stream[1] = 0x00;
        let problem = triangles(&stream, 2, 2);
        let what = "it names an edge or a vertex before the first";
        assert_eq!(problem, Err(Problem::Damaged { what }));
        stream[1] = 0xf0;
        stream[3] = 0xf0;
        assert!(triangles(&stream, 2, 2).is_err(), "a table with 15 in it");
    }

    #[test]
    fn sequences_step_from_two_places() {
        // +10 from the first, +100 from the second, -1 from the first.
        let stream = [0xd1, 40, 0x91, 0x03, 2, 0, 0, 0, 0];
        let bytes = sequence(&stream, 4, 3).expect("whole");
        let words: Vec<u32> =
            bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        assert_eq!(words, [10, 100, 9]);
        assert_eq!(sequence(&stream, 4, 99), Err(Problem::Truncated));
        assert_eq!(sequence(&stream, 4, 2), Err(Problem::Leftover { bytes: 1 }));
    }
}
