//! From WGSL modules with imports to a pipeline whose float arithmetic is exact.
//!
//! Bevy's shader cache resolves `#import`s and shader defs (naga_oil) into one naga module. Where
//! the device takes SPIR-V as it is (Vulkan), naga writes it, every float operation is forbidden
//! to contract, and the driver gets that; elsewhere the module goes wgpu's usual way.

use bevy_asset::{AssetId, AssetIndex};
use bevy_render::render_resource::{BindGroupLayout, ComputePipeline};
use bevy_render::renderer::RenderDevice;
use bevy_shader::{Shader, ShaderCache, ShaderCacheError, ShaderCacheSource, ShaderDefVal};
use bevy_tasks::block_on;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};

use crate::device::{Device, OpenError};
use crate::spirv;

/// Our shader library: file name and text. Every file names its own import path.
const LIBRARY: &[(&str, &str)] = &[
    ("rounding.wgsl", include_str!("shaders/rounding.wgsl")),
    ("math.wgsl", include_str!("shaders/math.wgsl")),
    ("sampler.wgsl", include_str!("shaders/sampler.wgsl")),
    ("tables.wgsl", include_str!("shaders/tables.wgsl")),
    ("ray.wgsl", include_str!("shaders/ray.wgsl")),
    ("moving.wgsl", include_str!("shaders/moving.wgsl")),
    ("texture.wgsl", include_str!("shaders/texture.wgsl")),
    ("surface.wgsl", include_str!("shaders/surface.wgsl")),
    ("lobe.wgsl", include_str!("shaders/lobe.wgsl")),
    ("iridescence.wgsl", include_str!("shaders/iridescence.wgsl")),
    ("bsdf.wgsl", include_str!("shaders/bsdf.wgsl")),
    ("trace.wgsl", include_str!("shaders/trace.wgsl")),
    ("camera.wgsl", include_str!("shaders/camera.wgsl")),
    ("environment.wgsl", include_str!("shaders/environment.wgsl")),
    ("light_tree.wgsl", include_str!("shaders/light_tree.wgsl")),
    ("light.wgsl", include_str!("shaders/light.wgsl")),
    ("passes.wgsl", include_str!("shaders/passes.wgsl")),
    ("integrator.wgsl", include_str!("shaders/integrator.wgsl")),
];

/// Whether array and buffer indices are checked in the shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BoundsChecks {
    /// An index out of range reads the last element.
    #[default]
    Restrict,
    /// Buffers are left to the device, whose accesses stay inside a buffer's memory whatever the
    /// index (`robustBufferAccess`, which every Vulkan device has and wgpu turns on); arrays of an
    /// invocation's own are checked by the shader.
    Device,
    /// No checks: for measuring what they cost. Only sound for tables that are valid.
    None,
}

/// What kernels are compiled with, where SPIR-V goes to the driver as we wrote it.
///
/// Films have the same bits whatever is checked; whether operations may be contracted is for
/// measuring what exact films cost, and makes a device one of another class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShaderChecks {
    /// Of indices.
    pub bounds: BoundsChecks,
    /// Whether loops count their rounds, so that none goes on for ever, as wgpu's own shaders do:
    /// for measuring, ours all end.
    pub loops_are_bounded: bool,
    /// Whether the driver may fuse and reorder float operations.
    pub contraction: bool,
}

/// Whose division and square root the kernels use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// The driver's: Vulkan lets it be 2.5 ulp off.
    #[default]
    Driver,
    /// Ours, correctly rounded on every device.
    Exact,
}

/// What a kernel can do: what it cannot is not compiled into it and costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Abilities {
    /// Something moves while the shutter is open, and is placed anew for every ray; without it
    /// everything stays where the tables say, and nothing is asked about time.
    pub(crate) motion: bool,
    /// Films have light passes.
    pub(crate) passes: bool,
}

/// Compiles entry shaders against the library.
pub(crate) struct Shaders {
    cache: ShaderCache<wgpu::ShaderModule, Loader>,
    defs: Vec<ShaderDefVal>,
    next_id: u64,
    adapter: String,
    device: RenderDevice,
}

/// What the module loader needs to know of the device.
struct Loader {
    device: RenderDevice,
    exact: bool,
    checks: ShaderChecks,
}

impl Shaders {
    pub(crate) fn new(device: &Device, checks: ShaderChecks, rounding: Rounding) -> Self {
        let loader = Loader { device: device.device.clone(), exact: device.summary.exact, checks };
        let features = device.device.features();
        let mut shaders = Self {
            cache: ShaderCache::new(loader, features, wgpu::DownlevelFlags::all(), load),
            defs: match rounding {
                Rounding::Driver => Vec::new(),
                Rounding::Exact => vec![ShaderDefVal::from("EXACT_ROUNDING")],
            },
            next_id: 0,
            adapter: device.summary.name.clone(),
            device: device.device.clone(),
        };
        for &(name, text) in LIBRARY {
            shaders.add(text.to_owned(), name);
        }
        shaders
    }

    /// Compiles the entry point `main` of a shader into a pipeline over `layouts`, in group order.
    ///
    /// # Errors
    /// [`OpenError::Shader`] with what the composer, naga or the driver said.
    pub(crate) fn pipeline(
        &mut self,
        text: String,
        name: &str,
        layouts: &[&BindGroupLayout],
        abilities: Abilities,
    ) -> Result<ComputePipeline, OpenError> {
        let adapter = self.adapter.clone();
        let refused = |reason: String| OpenError::Shader { adapter: adapter.clone(), reason };
        let id = self.add(text, name);
        let mut defs = self.defs.clone();
        let named = [(abilities.motion, "MOTION"), (abilities.passes, "PASSES")];
        defs.extend(named.iter().filter(|(is_there, _)| *is_there).map(|(_, name)| (*name).into()));
        let module = self.cache.get(0, id, &defs).map_err(|error| refused(self.explain(error)))?;
        let scope = self.device.wgpu_device().push_error_scope(wgpu::ErrorFilter::Validation);
        let layouts: Vec<Option<&wgpu::BindGroupLayout>> =
            layouts.iter().map(|&layout| Some(&**layout)).collect();
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(name),
            bind_group_layouts: &layouts,
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache: None,
        });
        match block_on(scope.pop()) {
            None => Ok(pipeline),
            Some(error) => Err(refused(format!("{name}: {error}"))),
        }
    }

    fn add(&mut self, text: String, name: &str) -> AssetId<Shader> {
        let id = AssetId::from(AssetIndex::from_bits(self.next_id));
        self.next_id += 1;
        self.cache.set_shader(id, Shader::from_wgsl(text, name.to_owned()));
        id
    }

    /// A composer's error with the place in the text.
    fn explain(&self, error: ShaderCacheError) -> String {
        match error {
            ShaderCacheError::ProcessShaderError(error) => {
                error.emit_to_string(&self.cache.composer)
            }
            other => other.to_string(),
        }
    }
}

/// Turns a composed module into one for the device.
fn load(
    loader: &Loader,
    source: ShaderCacheSource,
    _validate: &bevy_shader::ValidateShader,
) -> Result<wgpu::ShaderModule, ShaderCacheError> {
    let ShaderCacheSource::Naga(mut module) = source else {
        return Err(refused("the library is WGSL only"));
    };
    naga::compact::compact(&mut module, naga::compact::KeepUnused::No);
    if !loader.exact {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some("tessera"),
            source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(module)),
        };
        return Ok(loader.device.create_and_validate_shader_module(descriptor));
    }
    let info = naga::valid::Validator::new(
        naga::valid::ValidationFlags::all(),
        naga::valid::Capabilities::empty(),
    )
    .validate(&module)
    .map_err(|error| refused(error.into_inner()))?;
    let words = naga::back::spv::write_vec(&module, &info, &options(loader.checks), None)
        .map_err(refused)?;
    let words = match loader.checks.contraction {
        true => words,
        false => spirv::forbid_contraction(&words).map_err(refused)?,
    };
    Ok(passthrough(&loader.device, &words))
}

fn refused(reason: impl std::fmt::Display) -> ShaderCacheError {
    ShaderCacheError::CreateShaderModule(reason.to_string())
}

/// How naga writes SPIR-V. Loops are not bounded artificially: ours end, and the kernels report
/// one that a driver ends early.
fn options(checks: ShaderChecks) -> naga::back::spv::Options<'static> {
    use BoundsCheckPolicy::{Restrict, Unchecked};

    let (index, buffer) = match checks.bounds {
        BoundsChecks::Restrict => (Restrict, Restrict),
        BoundsChecks::Device => (Restrict, Unchecked),
        BoundsChecks::None => (Unchecked, Unchecked),
    };
    naga::back::spv::Options {
        lang_version: (1, 0),
        flags: naga::back::spv::WriterFlags::empty(),
        // Without a map the bindings keep their numbers, which is what wgpu gives them where a
        // group's bindings are numbered from 0 without gaps, as ours are.
        fake_missing_bindings: true,
        bounds_check_policies: BoundsCheckPolicies {
            index,
            buffer,
            image_load: Restrict,
            binding_array: Restrict,
        },
        force_loop_bounding: checks.loops_are_bounded,
        zero_initialize_workgroup_memory: naga::back::spv::ZeroInitializeWorkgroupMemoryMode::None,
        ..naga::back::spv::Options::default()
    }
}

#[expect(unsafe_code, reason = "wgpu cannot check SPIR-V; naga wrote it from a validated module")]
fn passthrough(device: &RenderDevice, words: &[u32]) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptorPassthrough {
        label: Some("tessera"),
        spirv: Some(std::borrow::Cow::Borrowed(words)),
        ..wgpu::ShaderModuleDescriptorPassthrough::default()
    };
    // SAFETY: the words are naga's output for a module that passed naga's full validation; what
    // was added are decorations of existing result ids, in the section they belong to.
    unsafe { device.wgpu_device().create_shader_module_passthrough(descriptor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of a kernel with one index into a buffer, one into an array of its own, and a loop.
    fn words(checks: ShaderChecks) -> usize {
        let source = "
            @group(0) @binding(0) var<storage, read_write> values: array<f32>;
            @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                var own: array<f32, 4>;
                for (var i = 0u; i < id.y; i++) { own[id.z] += values[id.x]; }
                values[id.x] = own[id.y];
            }";
        let module = naga::front::wgsl::parse_str(source).expect("valid WGSL");
        let flags = naga::valid::ValidationFlags::all();
        let info = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
            .validate(&module)
            .expect("a valid module");
        let words = naga::back::spv::write_vec(&module, &info, &options(checks), None);
        words.expect("writes SPIR-V").len()
    }

    #[test]
    fn checks_are_written_where_they_are_asked_for() {
        let of = |bounds| words(ShaderChecks { bounds, ..ShaderChecks::default() });
        let [all, own, none] =
            [BoundsChecks::Restrict, BoundsChecks::Device, BoundsChecks::None].map(of);
        assert!(all > own && own > none, "{all}, {own}, {none}");
        let counted = ShaderChecks { loops_are_bounded: true, ..ShaderChecks::default() };
        assert!(words(counted) > all);
        assert_eq!(
            words(ShaderChecks::default()),
            all,
            "indices are checked, loops end by themselves"
        );
    }
}
