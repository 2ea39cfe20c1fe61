//! `mosaic.glb`: a still life before a window. Tiles in, tokens out: an unfinished mosaic, loose
//! tesserae, and the coins that pay for it.

mod floor;
mod hoard;
mod light;
mod vessel;
mod wall;

use glam::Vec3;

use super::glb::Glb;
pub use vessel::marble;

/// Wall with the window: its front and its back.
const WALL: [f32; 2] = [-0.62, -0.74];

pub fn build() -> anyhow::Result<Vec<u8>> {
    let mut glb = Glb::new("mosaic");
    floor::floor(&mut glb)?;
    wall::wall(&mut glb)?;
    vessel::amphora(&mut glb)?;
    vessel::column(&mut glb)?;
    hoard::coins(&mut glb)?;
    hoard::bowl(&mut glb);
    light::lights(&mut glb)?;
    glb.camera("hero", Vec3::new(0.13, 0.47, 1.12), Vec3::new(0.015, 0.118, -0.08), 32.0);
    glb.camera("above", Vec3::new(0.0, 1.25, 0.35), Vec3::new(0.0, 0.0, 0.0), 34.0);
    glb.camera("coins", Vec3::new(-0.02, 0.14, 0.62), Vec3::new(-0.15, 0.01, 0.24), 24.0);
    glb.finish()
}
