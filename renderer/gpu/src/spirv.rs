//! Forbids contraction in SPIR-V.
//!
//! A driver may fuse `a * b + c` into one rounding, or reorder sums, wherever the module does not
//! say otherwise, and naga's writer never does. With `NoContraction` on the result of every float
//! operation, add, subtract and multiply round as they do in Rust, and films become equal bit for
//! bit.
//!
//! Source: SPIR-V specification 1.6, sections 2.3 (binary form), 2.4 (order of a module's
//! sections) and 3.20 (decorations).

/// First word of every module.
const MAGIC: u32 = 0x0723_0203;
/// Words before the first instruction.
const HEADER_WORDS: usize = 5;
const OP_DECORATE: u32 = 71;
const DECORATION_NO_CONTRACTION: u32 = 42;

/// Words that are not the SPIR-V they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpirvError {
    /// The header is missing or of another format.
    #[error("{0} words do not start with a SPIR-V header")]
    Header(usize),
    /// An instruction has no length, or one that goes past the end.
    #[error("the instruction at word {word} claims {length} words of a module of {words}")]
    Instruction {
        /// Where it starts.
        word: usize,
        /// The length it claims.
        length: usize,
        /// Words of the module.
        words: usize,
    },
    /// A module without types, constants or functions.
    #[error("the module ends before its types")]
    NoTypes,
}

/// The module with every float operation's result decorated `NoContraction`, once.
///
/// # Errors
/// [`SpirvError`] when the words are not a module; nothing is guessed.
pub fn forbid_contraction(words: &[u32]) -> Result<Vec<u32>, SpirvError> {
    if words.len() < HEADER_WORDS || words[0] != MAGIC {
        return Err(SpirvError::Header(words.len()));
    }
    let mut results = Vec::new();
    let mut decorated = std::collections::BTreeSet::new();
    let mut annotations_start = None;
    for instruction in instructions(words) {
        let (start, body) = instruction?;
        let opcode = body[0] & 0xffff;
        if annotations_start.is_none() && !is_before_annotations(opcode) {
            annotations_start = Some(start);
        }
        if is_float_arithmetic(opcode) {
            let missing = SpirvError::Instruction { word: start, length: 3, words: words.len() };
            results.push(*body.get(2).ok_or(missing)?);
        }
        if let [_, target, DECORATION_NO_CONTRACTION] = body
            && opcode == OP_DECORATE
        {
            decorated.insert(*target);
        }
    }
    let start = annotations_start.ok_or(SpirvError::NoTypes)?;
    let mut out = Vec::with_capacity(words.len() + 3 * results.len());
    out.extend_from_slice(&words[..start]);
    for id in results.into_iter().filter(|id| !decorated.contains(id)) {
        out.extend([(3 << 16) | OP_DECORATE, id, DECORATION_NO_CONTRACTION]);
    }
    out.extend_from_slice(&words[start..]);
    Ok(out)
}

/// Instructions with the word they start at.
fn instructions(words: &[u32]) -> impl Iterator<Item = Result<(usize, &[u32]), SpirvError>> {
    let mut next = HEADER_WORDS;
    std::iter::from_fn(move || {
        let start = next;
        let first = *words.get(start)?;
        let length = (first >> 16) as usize;
        next = start + length;
        match words.get(start..next) {
            Some(body) if length > 0 => Some(Ok((start, body))),
            _ => {
                next = words.len();
                Some(Err(SpirvError::Instruction { word: start, length, words: words.len() }))
            }
        }
    })
}

/// Opcodes of the sections before annotations: capabilities, extensions, imports, memory model,
/// entry points, execution modes, debug text and names.
const fn is_before_annotations(opcode: u32) -> bool {
    matches!(opcode, 2..=7 | 10 | 11 | 14..=17 | 330 | 331)
}

/// Negation, addition, subtraction, multiplication, division, remainders, and the products of
/// vectors and matrices.
const fn is_float_arithmetic(opcode: u32) -> bool {
    matches!(opcode, 127 | 129 | 131 | 133 | 136 | 140 | 141 | 142..=148)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(source: &str) -> Vec<u32> {
        let module = naga::front::wgsl::parse_str(source).expect("valid WGSL");
        let info = naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            naga::valid::Capabilities::empty(),
        )
        .validate(&module)
        .expect("a valid module");
        naga::back::spv::write_vec(&module, &info, &naga::back::spv::Options::default(), None)
            .expect("writes SPIR-V")
    }

    const ARITHMETIC: &str = "
        @group(0) @binding(0) var<storage, read_write> values: array<f32>;
        @compute @workgroup_size(1) fn main() {
            let a = values[0]; let b = values[1]; let v = vec3<f32>(a, b, a);
            values[2] = a * b + a - b / a;
            values[3] = (v * b).x + dot(v, v) - (-a);
            values[4] = f32(u32(7) + bitcast<u32>(a));
        }";

    fn count(words: &[u32], wanted: impl Fn(u32, &[u32]) -> bool) -> usize {
        instructions(words)
            .map(|instruction| instruction.expect("well-formed").1)
            .filter(|body| wanted(body[0] & 0xffff, body))
            .count()
    }

    #[test]
    fn every_float_operation_is_decorated_once() {
        let plain = module(ARITHMETIC);
        let arithmetic = |op: u32, _: &[u32]| is_float_arithmetic(op);
        let decorations = |op: u32, body: &[u32]| {
            op == OP_DECORATE && body.get(2) == Some(&DECORATION_NO_CONTRACTION)
        };
        assert_eq!(count(&plain, decorations), 0, "naga writes none by itself");
        let exact = forbid_contraction(&plain).expect("a module");
        assert!(count(&exact, arithmetic) >= 8);
        assert_eq!(count(&exact, arithmetic), count(&exact, decorations));
        assert_eq!(forbid_contraction(&exact).expect("a module"), exact, "nothing is added twice");
    }

    #[test]
    fn decorations_stand_with_the_annotations() {
        let exact = forbid_contraction(&module(ARITHMETIC)).expect("a module");
        let opcodes: Vec<u32> = instructions(&exact)
            .map(|instruction| instruction.expect("well-formed").1[0] & 0xffff)
            .collect();
        let first = opcodes.iter().position(|&op| op == OP_DECORATE).expect("some");
        let last = opcodes.iter().rposition(|&op| op == OP_DECORATE).expect("some");
        assert!(opcodes[..first].iter().all(|&op| is_before_annotations(op)));
        assert!(opcodes[last + 1..].iter().all(|&op| !is_before_annotations(op)));
        // OpTypeVoid..=OpTypeForwardPointer come after all annotations.
        assert!(opcodes[first..=last].iter().all(|op| !(19..=39).contains(op)));
    }

    #[test]
    fn bad_words_are_refused() {
        assert_eq!(forbid_contraction(&[]), Err(SpirvError::Header(0)));
        assert_eq!(forbid_contraction(&[1, 2, 3, 4, 5, 6]), Err(SpirvError::Header(6)));
        let header = [MAGIC, 0x0001_0000, 0, 9, 0];
        assert_eq!(forbid_contraction(&header), Err(SpirvError::NoTypes));
        let mut zero = header.to_vec();
        zero.push(0);
        let error = SpirvError::Instruction { word: 5, length: 0, words: 6 };
        assert_eq!(forbid_contraction(&zero), Err(error));
        let plain = module(ARITHMETIC);
        let cut = &plain[..plain.len() - 1];
        if (plain[plain.len() - 1] >> 16) != 1 {
            assert!(forbid_contraction(cut).is_err());
        }
        let mut long = plain;
        long.push(9 << 16 | 129);
        assert!(matches!(forbid_contraction(&long), Err(SpirvError::Instruction { .. })));
    }
}
