//! Choosing what renders.

use renderer::Backend;
use sandbox::{BackendChoice, OpenError, Setup, open_cpu};

/// No backend of the kind asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenBackendError {
    /// The GPU cannot be used.
    #[cfg(feature = "gpu")]
    #[error("the GPU cannot be used")]
    Gpu(#[source] gpu::OpenError),
    /// The program was built for the CPU only.
    #[error("this node was built without GPU support; choose the CPU, or build it with `gpu`")]
    NotBuilt,
}

/// Opens a backend. With [`BackendChoice::Auto`] a GPU that is there but cannot be used is
/// logged, and the CPU renders; one that is named, by a number or part of a name, must be usable.
///
/// # Errors
/// [`OpenBackendError`].
pub fn open(setup: &Setup) -> Result<Box<dyn Backend>, OpenError> {
    let gpu = || open_gpu(setup);
    match setup.backend {
        BackendChoice::Cpu => open_cpu(setup),
        BackendChoice::Gpu => gpu().map_err(OpenError::new),
        BackendChoice::Auto if setup.gpu.is_some() => gpu().map_err(OpenError::new),
        BackendChoice::Auto => gpu().or_else(|error| {
            report(&error);
            open_cpu(setup)
        }),
    }
}

#[cfg(feature = "gpu")]
fn open_gpu(setup: &Setup) -> Result<Box<dyn Backend>, OpenBackendError> {
    let (software, adapter) = (setup.software_gpu, setup.gpu.clone());
    let options = gpu::GpuOptions { software, adapter, ..gpu::GpuOptions::default() };
    let backend = gpu::GpuBackend::open(&options).map_err(OpenBackendError::Gpu)?;
    Ok(Box::new(backend))
}

#[cfg(not(feature = "gpu"))]
fn open_gpu(_setup: &Setup) -> Result<Box<dyn Backend>, OpenBackendError> {
    Err(OpenBackendError::NotBuilt)
}

/// A machine without a GPU is nothing to speak of; one whose GPU does not work is.
fn report(error: &OpenBackendError) {
    match error {
        #[cfg(feature = "gpu")]
        OpenBackendError::Gpu(gpu::OpenError::NoAdapter | gpu::OpenError::OnlySoftware(_)) => {
            tracing::debug!("no GPU; the CPU renders");
        }
        #[cfg(feature = "gpu")]
        OpenBackendError::Gpu(error) => {
            tracing::warn!(%error, "the GPU cannot be used; the CPU renders");
        }
        OpenBackendError::NotBuilt => tracing::debug!("built for the CPU"),
    }
}
