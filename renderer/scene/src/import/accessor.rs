//! Accessors (glTF 2.0, section 5.1), read with every bound checked.

use std::collections::BTreeMap;

use super::error::AccessorProblem as Problem;
use super::json::{Accessor, Root};

/// Memory that an import may still use.
pub struct Budget {
    pub max: u64,
    pub left: u64,
}

impl Budget {
    pub fn new(max: u64) -> Self {
        Self { max, left: max }
    }

    /// Takes `needed` bytes, or says how many are left.
    pub fn take(&mut self, needed: u64) -> Result<(), u64> {
        self.left = self.left.checked_sub(needed).ok_or(self.left)?;
        Ok(())
    }
}

/// The file's lists and the bytes of its buffers.
pub struct Data<'a> {
    pub root: &'a Root,
    pub buffers: Vec<std::borrow::Cow<'a, [u8]>>,
    /// Bytes of the buffer views that were compressed.
    pub decoded: BTreeMap<u32, Vec<u8>>,
    /// Accessors whose elements come from a Draco stream, while its primitive is read.
    pub replaced: BTreeMap<u32, Replaced>,
}

/// Elements of an accessor that lie elsewhere, one after another.
pub struct Replaced {
    pub bytes: Vec<u8>,
    pub count: u64,
}

#[derive(Clone, Copy)]
enum Component {
    I8,
    U8,
    I16,
    U16,
    U32,
    F32,
}

impl Component {
    fn parse(code: u32) -> Result<Self, Problem> {
        Ok(match code {
            5120 => Self::I8,
            5121 => Self::U8,
            5122 => Self::I16,
            5123 => Self::U16,
            5125 => Self::U32,
            5126 => Self::F32,
            found => return Err(Problem::ComponentType { found }),
        })
    }

    fn size(self) -> u64 {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::U32 | Self::F32 => 4,
        }
    }

    /// The component's bytes as a number (glTF 2.0, section 3.6.2.2 and table "normalized").
    fn float(self, bytes: &[u8], normalized: bool) -> f32 {
        let signed = |value: i16, max: f32| {
            if normalized { (f32::from(value) / max).max(-1.0) } else { f32::from(value) }
        };
        let unsigned = |value: u16, max: f32| {
            if normalized { f32::from(value) / max } else { f32::from(value) }
        };
        match self {
            Self::I8 => signed(i16::from(bytes[0] as i8), 127.0),
            Self::U8 => unsigned(u16::from(bytes[0]), 255.0),
            Self::I16 => signed(i16::from_le_bytes([bytes[0], bytes[1]]), 32_767.0),
            Self::U16 => unsigned(u16::from_le_bytes([bytes[0], bytes[1]]), 65_535.0),
            Self::U32 => word(bytes) as f32,
            Self::F32 => f32::from_bits(word(bytes)),
        }
    }

    fn index(self, bytes: &[u8]) -> Option<u32> {
        match self {
            Self::U8 => Some(u32::from(bytes[0])),
            Self::U16 => Some(u32::from(u16::from_le_bytes([bytes[0], bytes[1]]))),
            Self::U32 => Some(word(bytes)),
            Self::I8 | Self::I16 | Self::F32 => None,
        }
    }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Elements of `size` bytes, `stride` bytes apart.
struct Elements<'a> {
    bytes: &'a [u8],
    stride: usize,
    size: usize,
}

impl<'a> Elements<'a> {
    fn iter(&self, count: usize) -> impl Iterator<Item = &'a [u8]> {
        let (bytes, stride, size) = (self.bytes, self.stride, self.size);
        (0..count).map(move |index| &bytes[index * stride..index * stride + size])
    }
}

impl<'a> Data<'a> {
    /// Bytes of a buffer view, and its stride.
    pub fn view(&self, index: u32) -> Result<(&[u8], Option<u64>), Problem> {
        let views = &self.root.buffer_views;
        let count = views.len();
        let view = views.get(index as usize).ok_or(Problem::Index {
            what: "buffer view",
            index,
            count,
        })?;
        let bytes = match self.decoded.get(&index) {
            Some(bytes) => bytes,
            None => self.part(view.buffer, view.byte_offset, view.byte_length)?,
        };
        Ok((bytes, view.byte_stride))
    }

    /// Bytes of a buffer.
    pub fn part(&self, index: u32, offset: u64, length: u64) -> Result<&[u8], Problem> {
        let count = self.buffers.len();
        let missing = Problem::Index { what: "buffer", index, count };
        let buffer = self.buffers.get(index as usize).ok_or(missing)?;
        slice("buffer view", buffer, offset, length)
    }

    /// Reads an accessor of `N` components, 16 for matrices, as floats.
    pub fn floats<const N: usize>(
        &self,
        accessor: u32,
        budget: &mut Budget,
    ) -> Result<Vec<[f32; N]>, Problem> {
        let replaced = self.replaced.get(&accessor);
        let accessor = self.accessor(accessor)?;
        let expected = match N {
            1 => "SCALAR",
            2 => "VEC2",
            3 => "VEC3",
            4 => "VEC4",
            _ => "MAT4",
        };
        let component = Component::parse(accessor.component_type)?;
        let element = |bytes: &[u8]| -> [f32; N] {
            let size = component.size() as usize;
            std::array::from_fn(|index| {
                component.float(&bytes[index * size..], accessor.normalized)
            })
        };
        self.elements(accessor, replaced, (expected, [0.0; N]), element, budget)
    }

    /// Reads an accessor of indices.
    pub fn indices(&self, accessor: u32, budget: &mut Budget) -> Result<Vec<u32>, Problem> {
        let replaced = self.replaced.get(&accessor);
        let accessor = self.accessor(accessor)?;
        let component = Component::parse(accessor.component_type)?;
        if component.index(&[0; 4]).is_none() || accessor.normalized {
            return Err(Problem::ComponentType { found: accessor.component_type });
        }
        let element = |bytes: &[u8]| component.index(bytes).unwrap_or_default();
        self.elements(accessor, replaced, ("SCALAR", 0), element, budget)
    }

    /// Reads an accessor of four joints a vertex: bytes or shorts.
    pub fn joints(&self, accessor: u32, budget: &mut Budget) -> Result<Vec<[u16; 4]>, Problem> {
        let replaced = self.replaced.get(&accessor);
        let accessor = self.accessor(accessor)?;
        let component = Component::parse(accessor.component_type)?;
        if !matches!(component, Component::U8 | Component::U16) || accessor.normalized {
            return Err(Problem::ComponentType { found: accessor.component_type });
        }
        let element = |bytes: &[u8]| match component {
            Component::U8 => std::array::from_fn(|index| u16::from(bytes[index])),
            _ => std::array::from_fn(|i| u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])),
        };
        self.elements(accessor, replaced, ("VEC4", [0; 4]), element, budget)
    }

    /// Whether an accessor has `VEC3` elements: colours may have three or four components.
    pub fn is_vec3(&self, accessor: u32) -> bool {
        self.accessor(accessor).is_ok_and(|accessor| accessor.kind == "VEC3")
    }

    pub fn accessor(&self, index: u32) -> Result<&'a Accessor, Problem> {
        let count = self.root.accessors.len();
        let accessors = &self.root.accessors;
        accessors.get(index as usize).ok_or(Problem::Index { what: "accessor", index, count })
    }

    fn elements<T: Clone>(
        &self,
        accessor: &Accessor,
        replaced: Option<&Replaced>,
        (expected, zero): (&'static str, T),
        element: impl Fn(&[u8]) -> T,
        budget: &mut Budget,
    ) -> Result<Vec<T>, Problem> {
        let total = replaced.map_or(accessor.count, |replaced| replaced.count);
        if accessor.kind != expected {
            let found = accessor.kind.chars().take(20).collect();
            return Err(Problem::Type { expected, found });
        }
        if total == 0 {
            return Err(Problem::Empty);
        }
        let component = Component::parse(accessor.component_type)?;
        let components = match expected {
            "SCALAR" => 1,
            "VEC2" => 2,
            "VEC3" => 3,
            "VEC4" => 4,
            _ => 16,
        };
        let size = component.size() * components;

        // Find the elements before allocating for them: a lying count fails here.
        let elements = match (replaced, accessor.buffer_view) {
            (Some(Replaced { bytes, .. }), _) => {
                let bytes = slice("data", bytes, 0, total.saturating_mul(size))?;
                Some(Elements { bytes, stride: size as usize, size: size as usize })
            }
            (None, Some(view)) => {
                Some(self.strided(view, accessor.byte_offset, size, total, "data")?)
            }
            (None, None) => None,
        };
        let needed = total.saturating_mul(size_of::<T>() as u64);
        budget.take(needed).map_err(|left| Problem::TooLarge { needed, left })?;
        let count = usize::try_from(total)
            .map_err(|_too_many| Problem::TooLarge { needed, left: budget.left })?;
        let mut values: Vec<T> = match elements {
            Some(elements) => elements.iter(count).map(&element).collect(),
            None => vec![zero; count],
        };
        if replaced.is_none() {
            self.apply_sparse(accessor, size, element, &mut values)?;
        }
        Ok(values)
    }

    fn apply_sparse<T>(
        &self,
        accessor: &Accessor,
        size: u64,
        element: impl Fn(&[u8]) -> T,
        values: &mut [T],
    ) -> Result<(), Problem> {
        let Some(sparse) = &accessor.sparse else { return Ok(()) };
        let component = Component::parse(sparse.indices.component_type)?;
        if component.index(&[0; 4]).is_none() {
            return Err(Problem::ComponentType { found: sparse.indices.component_type });
        }
        let (view, offset) = (sparse.indices.buffer_view, sparse.indices.byte_offset);
        let indices =
            self.strided(view, offset, component.size(), sparse.count, "sparse indices")?;
        let (view, offset) = (sparse.values.buffer_view, sparse.values.byte_offset);
        let changes = self.strided(view, offset, size, sparse.count, "sparse values")?;
        let count = usize::try_from(sparse.count).map_err(|_too_many| Problem::Empty)?;
        let mut previous = None;
        for (index, change) in indices.iter(count).zip(changes.iter(count)) {
            let index = component.index(index).unwrap_or_default();
            let rises = previous.is_none_or(|previous| index > previous);
            let slot = values.get_mut(index as usize).filter(|_slot| rises);
            let count = accessor.count;
            *slot.ok_or(Problem::Sparse { index, previous, count })? = element(change);
            previous = Some(index);
        }
        Ok(())
    }

    fn strided(
        &self,
        view: u32,
        offset: u64,
        size: u64,
        count: u64,
        what: &'static str,
    ) -> Result<Elements<'_>, Problem> {
        let (bytes, stride) = self.view(view)?;
        let stride = stride.unwrap_or(size);
        if stride < size {
            return Err(Problem::Stride { stride, size });
        }
        let length = count.saturating_sub(1).saturating_mul(stride).saturating_add(size);
        let length = if count == 0 { 0 } else { length };
        let bytes = slice(what, bytes, offset, length)?;
        // The slice exists, so stride and size fit; a single element may have any stride.
        let stride = usize::try_from(stride).unwrap_or(0);
        Ok(Elements { bytes, stride, size: size as usize })
    }
}

fn slice<'a>(
    what: &'static str,
    bytes: &'a [u8],
    start: u64,
    length: u64,
) -> Result<&'a [u8], Problem> {
    let end = start.saturating_add(length);
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let available = bytes.len() as u64;
    range.and_then(|(start, end)| bytes.get(start..end)).ok_or(Problem::OutOfBounds {
        what,
        start,
        end,
        available,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(accessors: &str, views: &str) -> Root {
        let json = format!(
            r#"{{"asset":{{"version":"2.0"}},"buffers":[{{"byteLength":24}}],
            "accessors":[{accessors}],"bufferViews":[{views}]}}"#
        );
        serde_json::from_str(&json).expect("test JSON")
    }

    fn data<'a>(root: &'a Root, bytes: &'a [u8]) -> Data<'a> {
        Data {
            root,
            buffers: vec![bytes.into()],
            decoded: BTreeMap::new(),
            replaced: BTreeMap::new(),
        }
    }

    fn check<const N: usize>(accessor: &str, view: &str, expected: Result<&[[f32; N]], &str>) {
        let root = root(accessor, view);
        let bytes: Vec<u8> = (0..24).collect();
        let found = data(&root, &bytes).floats::<N>(0, &mut Budget::new(1000));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{accessor}"),
            (Err(error), Err(part)) => {
                let error = error.to_string();
                assert!(error.contains(part), "{error:?} should contain {part:?}");
            }
            (found, expected) => panic!("{accessor}: {found:?}, expected {expected:?}"),
        }
    }

    const VIEW: &str = r#"{"buffer":0,"byteLength":24}"#;

    #[test]
    fn components_are_converted() {
        let byte = r#"{"bufferView":0,"componentType":5121,"count":2,"type":"VEC2"}"#;
        check(byte, VIEW, Ok(&[[0.0, 1.0], [2.0, 3.0]]));
        let normalized = r#"{"bufferView":0,"componentType":5121,"normalized":true,"count":1,
            "type":"VEC2"}"#;
        check(normalized, VIEW, Ok(&[[0.0, 1.0 / 255.0]]));
        let short = r#"{"bufferView":0,"byteOffset":2,"componentType":5122,"normalized":true,
            "count":1,"type":"SCALAR"}"#;
        check(short, VIEW, Ok(&[[770.0 / 32_767.0]]));
        let strided = r#"{"buffer":0,"byteLength":24,"byteStride":8}"#;
        let spread = r#"{"bufferView":0,"componentType":5121,"count":3,"type":"VEC2"}"#;
        check(spread, strided, Ok(&[[0.0, 1.0], [8.0, 9.0], [16.0, 17.0]]));
    }

    #[test]
    fn the_last_element_need_not_fill_its_stride() {
        let strided = r#"{"buffer":0,"byteOffset":6,"byteLength":18,"byteStride":8}"#;
        let accessor = r#"{"bufferView":0,"componentType":5121,"count":3,"type":"VEC2"}"#;
        check(accessor, strided, Ok(&[[6.0, 7.0], [14.0, 15.0], [22.0, 23.0]]));
    }

    #[test]
    fn bounds_are_checked() {
        let many = r#"{"bufferView":0,"componentType":5126,"count":9,"type":"SCALAR"}"#;
        check::<1>(many, VIEW, Err("needs bytes 0..36 of 24"));
        let huge = r#"{"bufferView":0,"componentType":5126,"count":18446744073709551615,
            "type":"SCALAR"}"#;
        check::<1>(huge, VIEW, Err("of 24"));
        let zeros = r#"{"componentType":5126,"count":18446744073709551615,"type":"SCALAR"}"#;
        check::<1>(zeros, VIEW, Err("are left of the import's limit"));
        let offset = r#"{"bufferView":0,"byteOffset":18446744073709551615,"componentType":5126,
            "count":1,"type":"SCALAR"}"#;
        check::<1>(offset, VIEW, Err("of 24"));
        let absent = r#"{"bufferView":7,"componentType":5126,"count":1,"type":"SCALAR"}"#;
        check::<1>(absent, VIEW, Err("buffer view 7"));
        let kind = r#"{"bufferView":0,"componentType":5126,"count":1,"type":"VEC3"}"#;
        check::<1>(kind, VIEW, Err("\"VEC3\" where SCALAR"));
        let code = r#"{"bufferView":0,"componentType":5124,"count":1,"type":"SCALAR"}"#;
        check::<1>(code, VIEW, Err("5124"));
        let overlap = r#"{"buffer":0,"byteLength":24,"byteStride":1}"#;
        let two = r#"{"bufferView":0,"componentType":5121,"count":2,"type":"VEC2"}"#;
        check::<2>(two, overlap, Err("stride of 1"));
        let outside = r#"{"buffer":0,"byteLength":25}"#;
        check::<2>(two, outside, Err("buffer view needs bytes 0..25 of 24"));
    }

    #[test]
    fn sparse_values_replace_and_must_rise() {
        let sparse = |first: u64| {
            format!(
                r#"{{"componentType":5121,"count":4,"type":"SCALAR","sparse":{{"count":2,
                "indices":{{"bufferView":0,"byteOffset":{first},"componentType":5121}},
                "values":{{"bufferView":0,"byteOffset":20}}}}}}"#
            )
        };
        check(&sparse(2), VIEW, Ok(&[[0.0], [0.0], [20.0], [21.0]]));
        check::<1>(&sparse(3), VIEW, Err("sparse index 4 does not follow Some(3) below 4"));
    }
}
