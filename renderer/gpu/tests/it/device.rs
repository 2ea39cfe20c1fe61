//! Which adapter the tests run on, and opening it.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use gpu::{AdapterKind, Evaluator, GpuBackend, GpuOptions, OpenError, Rounding, adapters};
use renderer::Backend as _;

/// Options for a software adapter that takes exact shaders, or `None` where there is none.
///
/// A card would do for most tests, but what it computes is its driver's affair: these tests are
/// about our code.
pub fn options() -> Option<GpuOptions> {
    let software = adapters()
        .into_iter()
        .find(|adapter| adapter.kind == AdapterKind::Software && adapter.exact);
    let Some(adapter) = software else {
        let required = std::env::var("TESSERA_REQUIRE_GPU_TESTS").is_ok_and(|value| value == "1");
        assert!(!required, "no software Vulkan adapter; install mesa-vulkan-drivers");
        println!("skipped: no software Vulkan adapter; install mesa-vulkan-drivers");
        return None;
    };
    Some(GpuOptions { software: true, adapter: Some(adapter.name), ..GpuOptions::default() })
}

/// The one backend that all tests share: its kernel compiles once.
pub fn backend() -> Option<MutexGuard<'static, GpuBackend>> {
    static BACKEND: OnceLock<Option<Mutex<GpuBackend>>> = OnceLock::new();
    let backend = BACKEND.get_or_init(|| {
        let options = options()?;
        Some(Mutex::new(GpuBackend::open(&options).expect("the adapter opens")))
    });
    backend.as_ref().map(|backend| backend.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A device for single functions.
pub fn evaluator(rounding: Rounding) -> Option<Evaluator> {
    Some(Evaluator::open(&options()?, rounding).expect("the adapter opens"))
}

#[test]
fn software_is_taken_only_when_asked_for() {
    if options().is_none() || adapters().iter().any(|a| a.kind != AdapterKind::Software) {
        return;
    }
    let refused = GpuBackend::open(&GpuOptions::default()).err().expect("only software is there");
    assert!(matches!(refused, OpenError::OnlySoftware(_)), "{refused}");
    assert!(refused.to_string().contains("CPU backend"), "it says what to do: {refused}");
}

/// A farm looks at a device anew when its node calls it otherwise: another driver may round otherwise.
#[test]
fn a_backend_is_called_by_its_driver_too() {
    let Some(backend) = backend() else { return };
    let (adapter, called) = (backend.adapter(), backend.description());
    assert!(!adapter.driver.is_empty(), "{adapter}");
    for part in [&adapter.name, &adapter.api, &adapter.driver] {
        assert!(called.contains(part), "{called} does not say {part}");
    }
    assert!(called.len() <= 200, "a farm takes no longer ones: {called}");
}

#[test]
fn an_adapter_of_no_such_name_is_named() {
    let Some(options) = options() else { return };
    let wanted = GpuOptions { adapter: Some("no such card".to_owned()), ..options };
    let refused = Evaluator::open(&wanted, Rounding::Driver).err().expect("nothing has that name");
    assert!(
        matches!(&refused, OpenError::NoSuchAdapter { wanted, .. } if wanted == "no such card")
    );
}

#[test]
fn several_devices_live_side_by_side() {
    let (Some(first), Some(second)) = (evaluator(Rounding::Driver), evaluator(Rounding::Exact))
    else {
        return;
    };
    assert_eq!(first.adapter(), second.adapter());
    drop(first);
    assert!(evaluator(Rounding::Driver).is_some(), "a device opens after another was closed");
}

#[test]
fn a_shader_that_does_not_compile_says_why() {
    let Some(mut evaluator) = evaluator(Rounding::Driver) else { return };
    let function = gpu::Function {
        imports: "",
        body: "out_f(0u, nonsense);",
        input_words: 1,
        output_words: 1,
    };
    let error = evaluator.evaluate(&function, &[0]).expect_err("there is no such name");
    assert!(error.to_string().contains("nonsense"), "{error}");
}
