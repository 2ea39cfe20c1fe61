//! Choosing what renders.

use std::num::NonZeroUsize;

use renderer::{Backend, CpuBackend};

use crate::config::BackendChoice;

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
/// logged, and the CPU renders; one that is named by `gpu`, a number or part of a name, must be
/// usable.
pub(crate) fn open(
    choice: BackendChoice,
    software_gpu: bool,
    gpu: Option<&str>,
    threads: Option<NonZeroUsize>,
) -> Result<Box<dyn Backend>, OpenBackendError> {
    let cpu = || -> Box<dyn Backend> { Box::new(CpuBackend::new(threads)) };
    match choice {
        BackendChoice::Cpu => Ok(cpu()),
        BackendChoice::Gpu => open_gpu(software_gpu, gpu),
        BackendChoice::Auto if gpu.is_some() => open_gpu(software_gpu, gpu),
        BackendChoice::Auto => match open_gpu(software_gpu, gpu) {
            Ok(gpu) => Ok(gpu),
            Err(error) => {
                report(&error);
                Ok(cpu())
            }
        },
    }
}

#[cfg(feature = "gpu")]
fn open_gpu(software: bool, gpu: Option<&str>) -> Result<Box<dyn Backend>, OpenBackendError> {
    let adapter = gpu.map(ToOwned::to_owned);
    let options = gpu::GpuOptions { software, adapter, ..gpu::GpuOptions::default() };
    let backend = gpu::GpuBackend::open(&options).map_err(OpenBackendError::Gpu)?;
    Ok(Box::new(backend))
}

#[cfg(not(feature = "gpu"))]
fn open_gpu(_software: bool, _gpu: Option<&str>) -> Result<Box<dyn Backend>, OpenBackendError> {
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
