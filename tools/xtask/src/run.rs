//! Runs cargo and the demo, one step after the other, and stops at the first that fails.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::python;
use crate::setup::{self, Vulkan};
use crate::tidy;

/// How many tests of a program run at a time.
const TEST_THREADS: &str = "RUST_TEST_THREADS";

/// Everything that continuous integration runs.
pub fn ci(root: &Path) -> Result<()> {
    setup::postgres();
    let vulkan = setup::vulkan()?;
    step("fmt", || cargo(root, &["fmt", "--all", "--check"], &[]))?;
    step("tidy", || tidy::tidy(root))?;
    step("test", || test(root, vulkan, &[]))?;
    step("python", || python::test(root))?;
    let lints = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
    step("clippy", || cargo(root, &lints, &[]))?;
    let docs = ["doc", "--release", "--workspace", "--no-deps", "--document-private-items"];
    step("doc", || cargo(root, &docs, &[("RUSTDOCFLAGS", "-D warnings")]))?;
    step("demo", || demo(root))
}

/// All tests of the workspace. With a Vulkan driver the GPU backend's tests may not be skipped.
pub fn test(root: &Path, vulkan: Vulkan, arguments: &[String]) -> Result<()> {
    let mut all = vec!["test", "--release", "--workspace"];
    all.extend(arguments.iter().map(String::as_str));
    // Farms of real processes wait for each other half of the time: twice as many as there are cores.
    let at_a_time = std::thread::available_parallelism().map_or(2, |cores| 2 * cores.get());
    let at_a_time = std::env::var(TEST_THREADS).unwrap_or_else(|_unset| at_a_time.to_string());
    let mut environment = vec![(TEST_THREADS, at_a_time.as_str())];
    if matches!(vulkan, Vulkan::Found) {
        // Without the pin, a window test falls back to OpenGL in silence; without the switch, Mesa
        // looks for a desktop and complains where there is none.
        environment.extend([("WGPU_BACKEND", "vulkan"), ("NODEVICE_SELECT", "1")]);
        environment.push(("TESSERA_REQUIRE_GPU_TESTS", "1"));
    }
    cargo(root, &all, &environment)?;
    if arguments.is_empty() {
        // The kernels are compiled without checks: their tests once more with them.
        let checked = ["debug-assertions", "overflow-checks"]
            .map(|check| format!("profile.release.package.renderer.{check}=true"));
        let [assertions, overflow] = &checked;
        let flags =
            ["test", "--release", "-p", "renderer", "--config", assertions, "--config", overflow];
        cargo(root, &flags, &[])?;
    }
    Ok(())
}

/// A bench of `tests/benches`, of farms of real processes.
pub fn farm_bench(root: &Path, name: &str, words: &[String]) -> Result<()> {
    let bench = ["bench", "--profile", "release", "-p", "farm-tests", "--bench", name, "--"];
    let all: Vec<&str> = bench.into_iter().chain(words.iter().map(String::as_str)).collect();
    cargo(root, &all, &[])
}

/// The scheduler's core with simulated nodes.
pub fn simulate(root: &Path, words: &[String]) -> Result<()> {
    let bench = ["bench", "--profile", "release", "-p", "scheduler", "--bench", "simulate", "--"];
    let all: Vec<&str> = bench.into_iter().chain(words.iter().map(String::as_str)).collect();
    cargo(root, &all, &[])
}

/// The demo on a small frame, by the program that the tests have just built.
fn demo(root: &Path) -> Result<()> {
    let out = target(root).join("ci-demo");
    let arguments: [&OsStr; 7] = [
        "demo".as_ref(),
        "--size".as_ref(),
        "256x144".as_ref(),
        "--spp".as_ref(),
        "16".as_ref(),
        "--out".as_ref(),
        out.as_os_str(),
    ];
    let mut command = Command::new(tessera(root));
    run(command.args(arguments).current_dir(root))
}

/// Where cargo builds.
pub fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into)
}

/// The `tessera` program of a release build.
pub fn tessera(root: &Path) -> PathBuf {
    target(root).join("release").join(format!("tessera{}", std::env::consts::EXE_SUFFIX))
}

/// Runs cargo in the workspace's folder.
pub fn cargo(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Cargo describes this crate's own build in the environment; the child builds others.
    for (name, _value) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_")) {
            command.env_remove(name);
        }
    }
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
    run(command.args(arguments).envs(environment.iter().copied()).current_dir(root))
}

/// Runs a program to its end, which must be a good one.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("==> {name}");
    let start = Instant::now();
    work().with_context(|| format!("step `{name}` failed"))?;
    eprintln!("==> {name} passed in {} s", start.elapsed().as_secs());
    Ok(())
}
