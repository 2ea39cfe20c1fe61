//! Runs one shader function over many inputs, to compare its bits with the Rust function's.
//!
//! The operation table of the self-test and the tests of every mirrored function stand on this.

use bevy_render::render_resource::{BindGroup, BindGroupLayout, ShaderType};
use renderer::{RenderError, RenderScene};

use crate::compute::{self, Binding};
use crate::device::{AdapterSummary, Device, GpuOptions, OpenError};
use crate::shader::{Abilities, Rounding, ShaderChecks, Shaders};
use crate::tables::{self, Tables};

/// Invocations of a workgroup.
const WORKGROUP: u32 = 64;

/// A piece of WGSL that reads one row of inputs and writes one row of outputs.
#[derive(Debug, Clone, Copy)]
pub struct Function<'a> {
    /// `#import` lines.
    pub imports: &'a str,
    /// Statements. `in_u(k)` and `in_f(k)` read the row's k-th word; `out_u(k, v)` and
    /// `out_f(k, v)` write it.
    pub body: &'a str,
    /// Words of an input row.
    pub input_words: u32,
    /// Words of an output row.
    pub output_words: u32,
}

#[derive(ShaderType, Clone, Copy)]
struct RowShape {
    rows: u32,
    input_words: u32,
    output_words: u32,
    columns: u32,
}

/// Why an evaluation yielded nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The function did not compile.
    #[error(transparent)]
    Compile(#[from] OpenError),
    /// It did not run.
    #[error(transparent)]
    Run(#[from] RenderError),
}

/// An open device that runs single functions.
pub struct Evaluator {
    device: Device,
    shaders: Shaders,
}

impl Evaluator {
    /// Opens a device; division and square root are the driver's or our own.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: &GpuOptions, rounding: Rounding) -> Result<Self, OpenError> {
        let device = Device::open(options)?;
        let shaders = Shaders::new(&device, ShaderChecks::default(), rounding);
        Ok(Self { device, shaders })
    }

    /// The adapter it runs on.
    #[must_use]
    pub fn adapter(&self) -> &AdapterSummary {
        &self.device.summary
    }

    /// The rows of outputs that a function yields for rows of inputs.
    ///
    /// # Errors
    /// See [`EvaluateError`].
    pub fn evaluate(
        &mut self,
        function: &Function<'_>,
        inputs: &[u32],
    ) -> Result<Vec<u32>, EvaluateError> {
        evaluate(&self.device, &mut self.shaders, function, inputs, None)
    }

    /// The same with a scene's tables for the function to read.
    ///
    /// # Errors
    /// See [`EvaluateError`].
    pub fn evaluate_in(
        &mut self,
        scene: &RenderScene,
        function: &Function<'_>,
        inputs: &[u32],
    ) -> Result<Vec<u32>, EvaluateError> {
        let layout = tables::layout(&self.device);
        let tables = Tables::upload(&self.device, &layout, scene, None)?;
        let bound = Some((&layout, &tables.group));
        evaluate(&self.device, &mut self.shaders, function, inputs, bound)
    }
}

/// The rows of outputs that a function yields for rows of inputs; `scene` is bound as group 1.
pub(crate) fn evaluate(
    device: &Device,
    shaders: &mut Shaders,
    function: &Function<'_>,
    inputs: &[u32],
    scene: Option<(&BindGroupLayout, &BindGroup)>,
) -> Result<Vec<u32>, EvaluateError> {
    let layout =
        compute::layout(device, "rows", &[Binding::Read, Binding::Write, Binding::Uniform]);
    let mut layouts = vec![&layout];
    layouts.extend(scene.map(|(layout, _)| layout));
    let abilities = Abilities { motion: true, ..Abilities::default() };
    let pipeline = shaders.pipeline(text(function), "evaluate.wgsl", &layouts, abilities)?;

    let rows = inputs.len() as u32 / function.input_words;
    let workgroups = rows.div_ceil(WORKGROUP);
    // A row of workgroups may be 65 535 long; two dimensions reach every input.
    let columns = workgroups.clamp(1, 1024);
    let size = u64::from(rows) * u64::from(function.output_words) * 4;
    let input = compute::table(device, "inputs", bytemuck::must_cast_slice(inputs))?;
    let output = compute::output(device, "outputs", size)?;
    let shape = compute::uniform_of(
        device,
        &RowShape {
            rows,
            input_words: function.input_words,
            output_words: function.output_words,
            columns: columns * WORKGROUP,
        },
    );
    let group = compute::group(device, "rows", &layout, &[&input, &output, &shape]);
    let mut groups = vec![&group];
    groups.extend(scene.map(|(_, group)| group));
    compute::dispatch(device, &pipeline, &groups, [columns, workgroups.div_ceil(columns), 1]);
    Ok(compute::read(device, &output, size)?)
}

fn text(function: &Function<'_>) -> String {
    format!(
        "{imports}
struct RowShape {{ rows: u32, input_words: u32, output_words: u32, columns: u32 }}
@group(0) @binding(0) var<storage, read> inputs: array<u32>;
@group(0) @binding(1) var<storage, read_write> outputs: array<u32>;
@group(0) @binding(2) var<uniform> shape: RowShape;
var<private> row: u32;
fn in_u(k: u32) -> u32 {{ return inputs[row * shape.input_words + k]; }}
fn in_f(k: u32) -> f32 {{ return bitcast<f32>(in_u(k)); }}
fn out_u(k: u32, value: u32) {{ outputs[row * shape.output_words + k] = value; }}
fn out_f(k: u32, value: f32) {{ out_u(k, bitcast<u32>(value)); }}
@compute @workgroup_size({WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
    row = id.y * shape.columns + id.x;
    if row >= shape.rows {{ return; }}
    {body}
}}
",
        imports = function.imports,
        body = function.body
    )
}
