//! The self-test of a device: what its arithmetic does, how long its loops run, and whether a
//! small picture comes out as on the CPU.

use film::Pixel;
use protocol::{Batch, Rect, RenderSettings, Size};
use renderer::math;
use renderer::{Backend, Cancel, CpuBackend, RenderScene, Work};

use crate::backend::render_list;
use crate::device::{Device, OpenError};
use crate::evaluate::{EvaluateError, Function, evaluate};
use crate::kernel::Kernel;
use crate::shader::{Rounding, ShaderChecks, Shaders};

/// Rows of random inputs of the operation table, beside the special ones.
const RANDOM_ROWS: u32 = 4096;
/// Rounds that a kernel's loops must be allowed in all.
const LOOP_ROUNDS: u32 = 100_000;
/// Share of the golden picture's pixels that may differ on a device of another class.
const GOLDEN_SHARE_MAX: f32 = 0.02;
/// What counts as a difference between classes, relative.
const GOLDEN_TOLERANCE: f32 = 1e-3;
/// The golden picture's size, pixels.
const GOLDEN_SIZE: Size = Size::new(24, 16);
/// The golden picture's samples per pixel.
const GOLDEN_SAMPLES: u32 = 4;

/// What a device's arithmetic does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arithmetic {
    /// Sums and products round as in Rust and are never fused.
    pub products: bool,
    /// So does the driver's own division.
    pub division: bool,
    /// So does the driver's own square root.
    pub square_root: bool,
    /// Numbers too small for a full mantissa are kept; otherwise they may count as 0.
    pub denormals: bool,
    /// Loops run to their end; Mesa before 25 ends those of software adapters after 65 535
    /// rounds in all.
    pub loops: bool,
}

impl Arithmetic {
    /// Whose division and square root kernels should use.
    #[must_use]
    pub const fn rounding(&self) -> Rounding {
        if self.division && self.square_root { Rounding::Driver } else { Rounding::Exact }
    }
}

/// What the self-test of a device found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Qualification {
    /// The operation table.
    pub arithmetic: Arithmetic,
    /// Share of the golden picture's pixels that equal the CPU's in every bit.
    pub equal_share: f32,
}

impl Qualification {
    /// Whether films are the CPU's, bit for bit.
    #[must_use]
    pub fn bit_equal(&self) -> bool {
        self.arithmetic.products && self.equal_share >= 1.0
    }
}

/// Compares the device's operations with Rust's.
///
/// # Errors
/// [`OpenError::Shader`] or [`OpenError::SelfTest`] when nothing could be computed at all.
pub(crate) fn arithmetic(device: &Device) -> Result<Arithmetic, OpenError> {
    let mut shaders = Shaders::new(device, ShaderChecks::default(), Rounding::Driver);
    let function = Function {
        imports: "#import tessera::math::fsqrt\n#import tessera::rounding::div",
        body: "let a = in_f(0u); let b = in_f(1u); let c = in_f(2u);
            out_f(0u, a * b + c);
            out_f(1u, a * b + b * c + c * a);
            out_f(2u, (a - b) * (vec3<f32>(a, b, c) * c).y - c);
            out_f(3u, div(a, b));
            out_f(4u, fsqrt(a));",
        input_words: 3,
        output_words: 5,
    };
    let inputs = operands();
    let outputs = run(device, &mut shaders, &function, &inputs)?;
    let mut found = Arithmetic {
        products: true,
        division: true,
        square_root: true,
        denormals: true,
        loops: loops_are_whole(device, &mut shaders)?,
    };
    for (row, out) in inputs.chunks_exact(3).zip(outputs.chunks_exact(5)) {
        let [a, b, c] = [row[0], row[1], row[2]].map(f32::from_bits);
        let wanted = [
            a * b + c,
            a * b + b * c + c * a,
            (a - b) * (b * c) - c,
            math::div(a, b),
            math::sqrt(a),
        ];
        let steps = [a * b, b * c, c * a, a - b, (a - b) * (b * c)];
        let tiny = |values: &[f32]| values.iter().any(|value| value.is_subnormal());
        let denormal = tiny(&[a, b, c]) || tiny(&steps) || tiny(&wanted);
        let equal = |k: usize| {
            out[k] == wanted[k].to_bits() || wanted[k].is_nan() && f32::from_bits(out[k]).is_nan()
        };
        if denormal {
            found.denormals &= (0..5).all(equal);
        } else {
            found.products &= (0..3).all(equal);
            found.division &= equal(3);
            found.square_root &= equal(4);
        }
    }
    Ok(found)
}

/// Rows of three: special values in all combinations, then random bits and random numbers of
/// everyday size.
fn operands() -> Vec<u32> {
    let special = [
        0.0_f32,
        -0.0,
        1.0,
        -1.5,
        0.1,
        3.0,
        16_777_215.0,
        1e-3,
        1e30,
        -1e-30,
        f32::MIN_POSITIVE,
        1e-40,
        f32::MAX,
    ];
    let mut rows = Vec::new();
    for a in special {
        for b in special {
            rows.extend(special.iter().flat_map(|c| [a, b, *c]).map(f32::to_bits));
        }
    }
    for i in 0..RANDOM_ROWS * 3 {
        let bits = renderer::sampler::hash(i);
        let everyday = (renderer::sampler::to_unit(bits) - 0.5) * 64.0;
        rows.push(if i < RANDOM_ROWS { bits } else { everyday.to_bits() });
    }
    rows
}

/// Whether two loops one after the other make all their rounds.
fn loops_are_whole(device: &Device, shaders: &mut Shaders) -> Result<bool, OpenError> {
    let function = Function {
        imports: "",
        body: "var a = 0u; var b = in_u(1u);
            while a < in_u(0u) { a += 1u; b = (b * 1664525u) ^ a; }
            var c = 0u;
            while c < in_u(0u) { c += 1u; b = (b * 22695477u) ^ c; }
            out_u(0u, a); out_u(1u, c); out_u(2u, b);",
        input_words: 2,
        output_words: 3,
    };
    let out = run(device, shaders, &function, &[LOOP_ROUNDS, 7])?;
    Ok(out.starts_with(&[LOOP_ROUNDS, LOOP_ROUNDS]))
}

fn run(
    device: &Device,
    shaders: &mut Shaders,
    function: &Function<'_>,
    inputs: &[u32],
) -> Result<Vec<u32>, OpenError> {
    evaluate(device, shaders, function, inputs, None).map_err(|error| match error {
        EvaluateError::Compile(error) => error,
        EvaluateError::Run(error) => failed(device, error.to_string()),
    })
}

fn failed(device: &Device, reason: String) -> OpenError {
    OpenError::SelfTest { adapter: device.summary.name.clone(), reason }
}

/// Renders a small picture on the device and on the CPU and compares them.
///
/// # Errors
/// [`OpenError::SelfTest`] when they differ by more than devices of two classes may.
pub(crate) fn golden(
    device: &Device,
    kernel: &mut Kernel,
    arithmetic: Arithmetic,
) -> Result<Qualification, OpenError> {
    let scene = golden_scene().map_err(|reason| failed(device, reason))?;
    let rect = Rect::of_size(GOLDEN_SIZE);
    let batch = Batch::new(0, 1).expect("invariant: one chunk is aligned");
    let cancel = Cancel::default();
    let wanted = CpuBackend::new(None)
        .render(&scene, Work { rect, batch }, &cancel)
        .map_err(|error| failed(device, error.to_string()))?;
    let places: Vec<u32> = rect.pixels().map(|(x, y)| x | y << 16).collect();
    let got = render_list(device, kernel, &scene, &places, batch, &cancel)
        .map_err(|error| failed(device, error.to_string()))?;
    let got = got.pixels();
    let pairs = || got.iter().zip(wanted.pixels());
    let share = |count: usize| count as f32 / got.len() as f32;
    let equal_share = share(pairs().filter(|(a, b)| a.bits() == b.bits()).count());
    let off = share(pairs().filter(|(a, b)| !is_close(a, b)).count());
    if off > GOLDEN_SHARE_MAX {
        let reason = format!("{:.1} % of a small picture's pixels are wrong", off * 100.0);
        return Err(failed(device, reason));
    }
    Ok(Qualification { arithmetic, equal_share })
}

fn golden_scene() -> Result<RenderScene, String> {
    let settings =
        RenderSettings { size: GOLDEN_SIZE, samples: GOLDEN_SAMPLES, ..RenderSettings::default() };
    renderer::prepare(&scene::golden(), &settings, 0.0).map_err(|error| error.to_string())
}

/// Whether two pixels' light agrees within the tolerance between classes.
fn is_close(a: &Pixel, b: &Pixel) -> bool {
    a.beauty.iter().zip(&b.beauty).all(|(x, y)| {
        let scale = x.abs().max(y.abs()).max(GOLDEN_TOLERANCE);
        (x - y).abs() <= GOLDEN_TOLERANCE * scale
    })
}
