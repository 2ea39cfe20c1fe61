//! The graphics device: which adapters there are, opening one, and what goes wrong with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bevy_render::renderer::{RenderDevice, RenderQueue};
use bevy_tasks::block_on;
use renderer::RenderError;
use wgpu::{Backends, DeviceType, Features, PollError, PollType, SubmissionIndex};

use crate::app;
use crate::shader::{Rounding, ShaderChecks};

/// How long a submission may take before the device counts as lost: far above the tens of
/// milliseconds a dispatch is cut to, and above a first dispatch that still compiles.
const SUBMISSION_TIMEOUT: Duration = Duration::from_secs(60);

/// Digits of an adapter's number.
const NUMBER_DIGITS: usize = 2;

/// Storage buffers of the path kernel: seven tables of a scene, the pixels, their sums, faults.
const STORAGE_BUFFERS: u32 = 10;

/// How a GPU backend is chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GpuOptions {
    /// Whether adapters that run on the CPU (lavapipe, SwiftShader) may be taken. The native CPU
    /// backend is several times faster, so this is for tests and for those who ask.
    pub software: bool,
    /// The adapter's number in the list of [`adapters`], or part of its name, in any case; without
    /// it the first of the best kind is taken.
    pub adapter: Option<String>,
    /// What the kernels check.
    pub checks: ShaderChecks,
    /// Whose division and square root the kernels use; without it ours where the self-test finds
    /// that the driver's are not correctly rounded.
    pub rounding: Option<Rounding>,
    /// Largest table of a scene, bytes, where that is less than the device's own.
    pub table_bytes_max: Option<u64>,
}

/// An adapter as people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterSummary {
    /// Its name: `NVIDIA GeForce RTX 4070`.
    pub name: String,
    /// The programming interface it is reached by: `vulkan`.
    pub api: String,
    /// The driver with its version.
    pub driver: String,
    /// What kind of device it is.
    pub kind: AdapterKind,
    /// Whether films can be made bit-equal to the CPU's on it: SPIR-V goes to the driver as we
    /// wrote it, which Vulkan alone allows.
    pub exact: bool,
    /// Largest table of a scene, bytes.
    pub binding_bytes_max: u64,
}

/// What kind of device an adapter is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterKind {
    /// A card of its own.
    Discrete,
    /// Part of the processor.
    Integrated,
    /// Passed into a virtual machine.
    Virtual,
    /// The driver does not say.
    Unknown,
    /// A driver that draws on the CPU.
    Software,
}

/// Why a GPU backend could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no adapter at all.
    #[error(
        "no graphics adapter was found; install a Vulkan driver (mesa-vulkan-drivers on Debian and Ubuntu) or use the CPU backend"
    )]
    NoAdapter,
    /// Only adapters that run on the CPU were found, and they were not asked for.
    #[error(
        "only software adapters were found ({0}); allow them explicitly, or use the CPU backend, which is faster"
    )]
    OnlySoftware(String),
    /// No adapter has the wanted number or name.
    #[error("no usable graphics adapter has the number or name {wanted:?}; there are: {found}")]
    NoSuchAdapter {
        /// What was asked for.
        wanted: String,
        /// What there is, with numbers.
        found: String,
    },
    /// The driver did not hand out a device.
    #[error("{adapter} could not be opened: {reason}")]
    Device {
        /// The adapter.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
    /// A shader may read fewer tables than the kernel has.
    #[error(
        "{adapter} lets a shader use {buffers} storage buffers and the kernel needs {needed}; use another device or the CPU backend",
        needed = STORAGE_BUFFERS
    )]
    TooFewBuffers {
        /// The adapter.
        adapter: String,
        /// What it allows.
        buffers: u32,
    },
    /// A shader of ours did not compile on the device.
    #[error("{adapter} does not take our shaders: {reason}")]
    Shader {
        /// The adapter.
        adapter: String,
        /// What the compiler said.
        reason: String,
    },
    /// The device computes something else than it must.
    #[error("{adapter} failed its self-test: {reason}; update its driver or use the CPU backend")]
    SelfTest {
        /// The adapter.
        adapter: String,
        /// What was wrong.
        reason: String,
    },
}

/// Characters of a name or a driver that are told.
const WORDS_CHARS_MAX: usize = 80;

/// An open device: bevy's device and queue, and the faults that the driver reported.
pub(crate) struct Device {
    pub device: RenderDevice,
    pub queue: RenderQueue,
    pub summary: AdapterSummary,
    faults: Arc<Faults>,
    /// How often there is no room, before there is.
    #[cfg(test)]
    pub full: std::cell::Cell<u32>,
}

/// What the driver reported outside any call.
#[derive(Default)]
struct Faults {
    first: Mutex<Option<Fault>>,
}

#[derive(Clone)]
enum Fault {
    Lost(String),
    OutOfMemory,
    Invalid(String),
}

impl Faults {
    fn report(&self, fault: Fault) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(fault);
    }

    fn first(&self) -> Option<Fault> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All adapters, the best first.
///
/// Blocks while the drivers are asked.
#[must_use]
pub fn adapters() -> Vec<AdapterSummary> {
    sorted(&instance()).iter().map(summary).collect()
}

/// The number, in the list of [`adapters`], of the one that these options take.
///
/// # Errors
/// None is there that they allow.
pub fn chosen(options: &GpuOptions) -> Result<usize, OpenError> {
    pick(&adapters(), options)
}

impl Device {
    /// Opens the best adapter that the options allow.
    pub(crate) fn open(options: &GpuOptions) -> Result<Self, OpenError> {
        let instance = instance();
        let adapter = choose(sorted(&instance), options)?;
        let mut summary = summary(&adapter);
        let limit = options.table_bytes_max.unwrap_or(u64::MAX);
        summary.binding_bytes_max = summary.binding_bytes_max.min(limit);
        let tables = adapter.limits().max_storage_buffers_per_shader_stage;
        if tables < STORAGE_BUFFERS {
            return Err(OpenError::TooFewBuffers { adapter: summary.name, buffers: tables });
        }
        let mut features = Features::empty();
        if summary.exact {
            features |= Features::PASSTHROUGH_SHADERS;
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("tessera"),
            required_features: features,
            required_limits: adapter.limits(),
            // The passthrough feature counts as native, not as experimental.
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        };
        let (device, queue) = block_on(adapter.request_device(&descriptor)).map_err(|reason| {
            OpenError::Device { adapter: summary.name.clone(), reason: reason.to_string() }
        })?;
        let (device, queue) = app::adopt(instance, adapter, device, queue);
        let faults = Arc::new(Faults::default());
        listen(device.wgpu_device(), &faults);
        Ok(Self {
            device,
            queue,
            summary,
            faults,
            #[cfg(test)]
            full: std::cell::Cell::new(0),
        })
    }

    /// Waits for everything submitted so far.
    pub(crate) fn wait(&self) -> Result<(), RenderError> {
        self.wait_until(None)
    }

    /// Waits for a submission and those before it.
    pub(crate) fn wait_for(&self, submission: SubmissionIndex) -> Result<(), RenderError> {
        self.wait_until(Some(submission))
    }

    fn wait_until(&self, submission_index: Option<SubmissionIndex>) -> Result<(), RenderError> {
        match self
            .device
            .poll(PollType::Wait { submission_index, timeout: Some(SUBMISSION_TIMEOUT) })
        {
            Ok(_) => self.check(),
            Err(PollError::Timeout) => Err(RenderError::DeviceLost(format!(
                "{} did not finish a dispatch within {} s",
                self.summary.name,
                SUBMISSION_TIMEOUT.as_secs()
            ))),
            Err(error) => Err(RenderError::DeviceLost(error.to_string())),
        }
    }

    /// The first fault that the driver reported, if any. It stays: the device is of no more use.
    pub(crate) fn check(&self) -> Result<(), RenderError> {
        match self.faults.first() {
            None => Ok(()),
            Some(Fault::Lost(why)) => Err(RenderError::DeviceLost(why)),
            Some(Fault::OutOfMemory) => Err(RenderError::DeviceFull { scene_bytes: 0 }),
            Some(Fault::Invalid(why)) => {
                Err(RenderError::DeviceLost(format!("a command was refused: {why}")))
            }
        }
    }

    /// The largest table that a shader can read, bytes.
    pub(crate) fn binding_bytes_max(&self) -> u64 {
        self.summary.binding_bytes_max
    }

    /// What the driver says when it runs out of memory outside any call.
    #[cfg(test)]
    pub(crate) fn fill(&self) {
        self.faults.report(Fault::OutOfMemory);
    }

    /// Ends the device as a driver reset would.
    #[cfg(test)]
    pub(crate) fn destroy(&self) {
        self.device.wgpu_device().destroy();
    }
}

/// Sends what the driver reports outside any call into `faults`: by default wgpu panics.
fn listen(device: &wgpu::Device, faults: &Arc<Faults>) {
    let lost = Arc::clone(faults);
    device.set_device_lost_callback(move |reason, message| {
        lost.report(Fault::Lost(format!("{reason:?}: {message}")));
    });
    let uncaptured = Arc::clone(faults);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        uncaptured.report(match error {
            wgpu::Error::OutOfMemory { .. } => Fault::OutOfMemory,
            other => Fault::Invalid(other.to_string()),
        });
    }));
}

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: Backends::PRIMARY,
        flags: wgpu::InstanceFlags::empty(),
        memory_budget_thresholds: wgpu::MemoryBudgetThresholds::default(),
        backend_options: wgpu::BackendOptions::default(),
        display: None,
    })
}

/// Adapters that can compute, the best kind first, Vulkan first within a kind; the driver's own
/// order decides the rest.
fn sorted(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    let mut adapters = block_on(instance.enumerate_adapters(Backends::PRIMARY));
    adapters.retain(|adapter| {
        adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    });
    adapters.sort_by_key(|adapter| {
        let info = adapter.get_info();
        (kind(info.device_type), info.backend != wgpu::Backend::Vulkan)
    });
    adapters
}

fn choose(
    mut adapters: Vec<wgpu::Adapter>,
    options: &GpuOptions,
) -> Result<wgpu::Adapter, OpenError> {
    let summaries: Vec<AdapterSummary> = adapters.iter().map(summary).collect();
    Ok(adapters.swap_remove(pick(&summaries, options)?))
}

/// The number of the adapter that the options take.
fn pick(adapters: &[AdapterSummary], options: &GpuOptions) -> Result<usize, OpenError> {
    let names = |usable: &[(usize, &AdapterSummary)]| {
        let names = usable.iter().map(|(number, it)| format!("{number}: {}", it.name));
        names.collect::<Vec<_>>().join(", ")
    };
    let mut usable: Vec<(usize, &AdapterSummary)> = adapters.iter().enumerate().collect();
    if usable.is_empty() {
        return Err(OpenError::NoAdapter);
    }
    let found = names(&usable);
    usable.retain(|(_number, it)| options.software || it.kind != AdapterKind::Software);
    let Some(&(first, _best)) = usable.first() else {
        return Err(OpenError::OnlySoftware(found));
    };
    let Some(wanted) = &options.adapter else { return Ok(first) };
    let number = wanted.parse().ok();
    let by_number = usable.iter().find(|(it, _summary)| Some(*it) == number);
    // A short number is no name: with a card gone, another would be taken for it.
    let is_number = number.is_some() && wanted.len() <= NUMBER_DIGITS;
    let lower = wanted.to_lowercase();
    let by_name = || {
        let mut named = usable.iter().filter(|_| !is_number);
        named.find(|(_number, it)| it.name.to_lowercase().contains(&lower))
    };
    match by_number.or_else(by_name) {
        Some((number, _summary)) => Ok(*number),
        None => Err(OpenError::NoSuchAdapter { wanted: wanted.clone(), found: names(&usable) }),
    }
}

fn summary(adapter: &wgpu::Adapter) -> AdapterSummary {
    let info = adapter.get_info();
    let limits = adapter.limits();
    AdapterSummary {
        api: info.backend.to_string(),
        driver: readable(&[info.driver, info.driver_info].join(" ")),
        kind: kind(info.device_type),
        exact: info.backend == wgpu::Backend::Vulkan
            && adapter.features().contains(Features::PASSTHROUGH_SHADERS),
        binding_bytes_max: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        name: readable(&info.name),
    }
}

/// A vendor's words on one line, at the length of one.
fn readable(words: &str) -> String {
    let words: Vec<&str> = words
        .split(|it: char| it.is_control() || it.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(WORDS_CHARS_MAX).collect()
}

const fn kind(device_type: DeviceType) -> AdapterKind {
    match device_type {
        DeviceType::DiscreteGpu => AdapterKind::Discrete,
        DeviceType::IntegratedGpu => AdapterKind::Integrated,
        DeviceType::VirtualGpu => AdapterKind::Virtual,
        DeviceType::Other => AdapterKind::Unknown,
        DeviceType::Cpu => AdapterKind::Software,
    }
}

impl std::fmt::Display for AdapterSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let exact = if self.exact { "exact" } else { "not exact" };
        write!(f, "{} ({}, {:?}, {}, {exact})", self.name, self.api, self.kind, self.driver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_driver_says_of_itself_is_one_short_line() {
        assert_eq!(readable("NVIDIA  550.54\n(r550)\t"), "NVIDIA 550.54 (r550)");
        assert_eq!(readable(&"x".repeat(200)).len(), WORDS_CHARS_MAX);
    }

    fn adapter(name: &str, kind: AdapterKind) -> AdapterSummary {
        let (api, driver) = ("vulkan".to_owned(), String::new());
        AdapterSummary {
            name: name.to_owned(),
            api,
            driver,
            kind,
            exact: true,
            binding_bytes_max: 1,
        }
    }

    #[test]
    fn an_adapter_is_taken_by_number_or_by_name() {
        let adapters = [
            adapter("NVIDIA GeForce RTX 4070", AdapterKind::Discrete),
            adapter("NVIDIA GeForce RTX 4070", AdapterKind::Discrete),
            adapter("AMD Radeon 780M", AdapterKind::Integrated),
            adapter("llvmpipe", AdapterKind::Software),
        ];
        let check = |wanted: Option<&str>, software, expected: Result<usize, &str>| {
            let adapter = wanted.map(ToOwned::to_owned);
            let options = GpuOptions { software, adapter, ..GpuOptions::default() };
            let picked = pick(&adapters, &options).map_err(|error| error.to_string());
            assert_eq!(
                picked.as_ref().copied(),
                expected.map_err(|words| {
                    let said = picked.as_ref().expect_err("none is taken");
                    assert!(said.contains(words), "{said}");
                    said
                })
            );
        };
        check(None, false, Ok(0));
        check(Some("1"), false, Ok(1));
        check(Some("2"), false, Ok(2));
        check(Some("radeon"), false, Ok(2));
        // A number that is no adapter's may stand in a name.
        check(Some("4070"), false, Ok(0));
        check(Some("3"), true, Ok(3));
        let all = "0: NVIDIA GeForce RTX 4070, 1: NVIDIA GeForce RTX 4070, 2: AMD Radeon 780M";
        check(Some("3"), false, Err(all));
        check(Some("5"), true, Err("2: AMD Radeon 780M, 3: llvmpipe"));
        check(Some("Voodoo"), false, Err("\"Voodoo\""));
        let software = GpuOptions::default();
        let only = pick(&adapters[3..], &software);
        assert_eq!(only, Err(OpenError::OnlySoftware("0: llvmpipe".to_owned())));
        assert_eq!(pick(&[], &software), Err(OpenError::NoAdapter));
    }
}
