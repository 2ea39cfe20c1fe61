//! What renders: a GPU that may be lost, or be too small, and the CPU.

use std::num::NonZeroUsize;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use film::{Film, Sums};
use gpu::{GpuBackend, GpuOptions, OpenError};
use protocol::Batch;
use renderer::{Backend, Cancel, CpuBackend, RenderError, RenderScene, Work};
use sandbox::BackendChoice;

use crate::exit::{Exit, fail};
use crate::values;

/// What renders.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Backend")]
pub struct BackendArgs {
    /// What renders; auto takes a GPU where there is one
    #[arg(long, value_enum, default_value_t = BackendName::Auto)]
    pub backend: BackendName,
    /// Also take a graphics driver that computes on the CPU, such as lavapipe
    #[arg(long)]
    pub software_gpu: bool,
    /// Which GPU: its number in what `tessera doctor` lists, or part of its name
    #[arg(long, value_name = "NAME|INDEX")]
    pub gpu: Option<String>,
    /// CPU threads; all cores without it
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub threads: Option<NonZeroUsize>,
}

/// A backend's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// A GPU where there is one, else the CPU
    Auto,
    /// The CPU
    Cpu,
    /// A GPU, or an error
    Gpu,
}

impl BackendArgs {
    /// The same for a node: a GPU that is named must be usable.
    ///
    /// # Errors
    /// Usage: a GPU is named, and the CPU is to render.
    pub fn choice(&self) -> anyhow::Result<BackendChoice> {
        match (self.backend, &self.gpu) {
            (BackendName::Cpu, Some(gpu)) => {
                let words = format!("--backend cpu renders on no GPU; leave out --gpu {gpu}");
                Err(fail(Exit::Usage, words))
            }
            (BackendName::Cpu, None) => Ok(BackendChoice::Cpu),
            (BackendName::Auto, None) => Ok(BackendChoice::Auto),
            (BackendName::Gpu, _) | (_, Some(_)) => Ok(BackendChoice::Gpu),
        }
    }

    /// How a GPU is chosen.
    pub fn options(&self) -> GpuOptions {
        let (software, adapter) = (self.software_gpu, self.gpu.clone());
        GpuOptions { software, adapter, ..GpuOptions::default() }
    }

    /// Opens the backend.
    ///
    /// # Errors
    /// `--backend gpu` or `--gpu` where no such adapter is usable.
    pub fn open(&self) -> anyhow::Result<Box<dyn Backend>> {
        let options = self.options();
        let cpu = || CpuBackend::new(self.threads);
        match self.choice()? {
            BackendChoice::Cpu => Ok(Box::new(cpu())),
            BackendChoice::Gpu => {
                let gpu = GpuBackend::open(&options)
                    .context("no GPU is usable; see `tessera doctor`, or use --backend cpu")?;
                Ok(Box::new(Card { options, gpu: Some(gpu), cpu: None }))
            }
            BackendChoice::Auto => match GpuBackend::open(&options) {
                Ok(gpu) => Ok(Box::new(Card { options, gpu: Some(gpu), cpu: Some(cpu()) })),
                Err(OpenError::NoAdapter | OpenError::OnlySoftware(_)) => Ok(Box::new(cpu())),
                Err(error) => {
                    warn(&error);
                    Ok(Box::new(cpu()))
                }
            },
        }
    }
}

/// Says that the CPU renders after all.
fn warn(why: &dyn std::error::Error) {
    note!("warning: the CPU renders instead of the GPU: {why}");
}

/// A graphics device that is opened anew when it is lost, once a call, and that gives way to the
/// CPU, where that is allowed, when it is too small for the scene.
struct Card {
    options: GpuOptions,
    /// None once the CPU has taken over.
    gpu: Option<GpuBackend>,
    /// None where the CPU may not.
    cpu: Option<CpuBackend>,
}

impl Card {
    fn run<T>(
        &mut self,
        mut work: impl FnMut(&mut dyn Backend) -> Result<T, RenderError>,
    ) -> Result<T, RenderError> {
        let Some(gpu) = &mut self.gpu else {
            let cpu = self.cpu.as_mut();
            return work(cpu.expect("invariant: the GPU goes only where the CPU takes over"));
        };
        let done = match work(gpu) {
            Err(RenderError::DeviceLost(why)) => {
                note!("warning: the GPU was lost and is opened again: {why}");
                let opened = GpuBackend::open(&self.options);
                *gpu = opened.map_err(|error| RenderError::DeviceLost(error.to_string()))?;
                work(gpu)
            }
            done => done,
        };
        match (done, &mut self.cpu) {
            (Err(error), Some(cpu)) if error.is_too_small() => {
                warn(&error);
                // Its memory goes back before the CPU begins.
                self.gpu = None;
                work(cpu)
            }
            (done, _) => done,
        }
    }
}

impl Backend for Card {
    fn description(&self) -> String {
        let gpu = self.gpu.as_ref().map(Backend::description);
        gpu.or_else(|| Some(self.cpu.as_ref()?.description())).unwrap_or_default()
    }

    fn render(
        &mut self,
        scene: &RenderScene,
        work: Work,
        cancel: &Cancel,
    ) -> Result<Film, RenderError> {
        self.run(|backend| backend.render(scene, work, cancel))
    }

    fn render_pixels(
        &mut self,
        scene: &RenderScene,
        pixels: &[(u32, u32)],
        batch: Batch,
        cancel: &Cancel,
    ) -> Result<Sums, RenderError> {
        self.run(|backend| backend.render_pixels(scene, pixels, batch, cancel))
    }
}

#[cfg(test)]
mod tests {
    use gpu::{AdapterKind, adapters};
    use protocol::{Rect, RenderSettings, Size};
    use scene::{Mesh, Node, Primitive, Scene};

    use super::*;

    /// A software adapter that takes tables of a megabyte, or `None` where there is none and none
    /// is required.
    fn options() -> Option<GpuOptions> {
        let found = adapters().into_iter().find(|adapter| adapter.kind == AdapterKind::Software);
        let required = std::env::var("TESSERA_REQUIRE_GPU_TESTS").is_ok_and(|value| value == "1");
        assert!(found.is_some() || !required, "no software Vulkan adapter");
        Some(GpuOptions {
            software: true,
            adapter: Some(found?.name),
            table_bytes_max: Some(1 << 20),
            ..GpuOptions::default()
        })
    }

    /// A fan of triangles before a camera of its own: 48 bytes each.
    fn fan(triangles: u32) -> RenderScene {
        let at = |i: u32| {
            let turn = i as f32 / triangles as f32 * 6.0;
            [turn.cos(), turn.sin(), 0.0]
        };
        let mut positions = vec![[0.0, 0.0, 0.5]];
        positions.extend((0..=triangles).map(at));
        let indices = (0..triangles).map(|i| [0, i + 1, i + 2]).collect();
        let fan = Primitive { positions, indices, ..Primitive::default() };
        let scene = Scene {
            nodes: vec![Node { mesh: Some(0), ..Node::default() }],
            meshes: vec![Mesh { primitives: vec![fan], ..Mesh::default() }],
            ..Scene::default()
        };
        let settings =
            RenderSettings { size: Size::new(16, 8), samples: 1, ..RenderSettings::default() };
        renderer::prepare(&scene, &settings, 0.0).expect("it is sound")
    }

    #[test]
    fn a_scene_that_is_too_large_for_the_card_goes_to_the_cpu_where_it_may() {
        let Some(options) = options() else { return };
        let gpu = GpuBackend::open(&options).expect("the adapter opens");
        let mut card = Card { options, gpu: Some(gpu), cpu: None };
        let (small, large) = (fan(100), fan(30_000));
        let batch = Batch::new(0, 1).expect("aligned");
        let work = Work { rect: Rect::of_size(Size::new(16, 8)), batch };
        let cancel = Cancel::default();
        card.render(&small, work, &cancel).expect("a small scene fits");
        let error = card.render(&large, work, &cancel).expect_err("1.44 MB do not");
        let wanted = RenderError::OutOfMemory { needed_bytes: 1_440_000, limit_bytes: 1 << 20 };
        assert_eq!(error, wanted);
        assert!(card.gpu.is_some() && card.description().starts_with("gpu"));
        card.render(&small, work, &cancel).expect("nothing is left of the failure");

        card.cpu = Some(CpuBackend::new(None));
        let film = card.render(&large, work, &cancel).expect("the CPU takes it");
        let wanted = CpuBackend::new(None).render(&large, work, &cancel).expect("it renders");
        assert_eq!(film.root(), wanted.root());
        assert!(card.gpu.is_none() && card.description().starts_with("cpu"));
        let pixels = card.render_pixels(&large, &[(3, 4)], batch, &cancel).expect("so it stays");
        assert_eq!(pixels.pixels().first(), wanted.pixel(3, 4));
    }
}
