//! The scenes in `assets/`: made by small code, the same bytes at every run.
//!
//! Shapes are lathes, boxes and laid tiles; textures are painted from noise. Vertices are
//! quantised (`KHR_mesh_quantization`), which keeps the files small and hides the last bits of
//! the platform's sine and cosine.

mod atrium;
mod glb;
mod mosaic;
mod paint;
mod shape;
mod spheres;

use std::path::Path;

use anyhow::Context;

/// Writes every scene of ours into `dir`.
pub fn generate(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let scenes = [
        ("mosaic.glb", mosaic::build()?),
        ("atrium.glb", atrium::build()?),
        ("spheres.glb", spheres::build()?),
    ];
    for (name, bytes) in scenes {
        let path = dir.join(name);
        std::fs::write(&path, &bytes)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}: {} kB", path.display(), bytes.len() / 1000);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenes_are_small_and_the_same_every_time() -> anyhow::Result<()> {
        for build in [mosaic::build, atrium::build, spheres::build] {
            let bytes = build()?;
            assert!(bytes.len() < 1_500_000, "{} bytes", bytes.len());
            assert_eq!(bytes, build()?);
        }
        Ok(())
    }
}
