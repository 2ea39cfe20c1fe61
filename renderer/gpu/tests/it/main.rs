//! The GPU backend against the CPU's, on a software Vulkan adapter (lavapipe).
//!
//! Where none is installed the tests say so and pass; with `TESSERA_REQUIRE_GPU_TESTS=1`, which
//! CI sets, they fail.

mod device;
mod films;
mod functions;
mod hits;
mod make;
mod operations;
