//! Random numbers of a bounce for all paths of a wave at once.

use crate::RenderScene;
use crate::columns::vectors;
use crate::sampler::{
    PAIR_CELL, PAIR_CHOICE, PAIR_LIGHT, PAIR_PICK, PAIR_SCATTER, bounce_pair, sample_pairs,
};
use crate::tables::NONE;
use crate::trace::Path;

/// The numbers that one scattering event may need.
#[derive(Debug, Clone, Copy, Default)]
pub struct Draw {
    /// The direction of scattering.
    pub scatter: [f32; 2],
    /// Which lobe scatters, and whether the path goes on.
    pub choice: [f32; 2],
    /// The place on an emitter.
    pub light: [f32; 2],
    /// Which emitter.
    pub pick: [f32; 2],
    /// Which cell of the environment.
    pub cell: [f32; 2],
}

/// Numbers of many paths; memory that is used again and again.
#[derive(Debug, Default)]
pub struct Draws {
    /// Places of the paths' pixels.
    pub places: Vec<u32>,
    /// Their samples.
    pub samples: Vec<u32>,
    scatter: Vec<[f32; 2]>,
    choice: Vec<[f32; 2]>,
    light: Vec<[f32; 2]>,
    pick: Vec<[f32; 2]>,
    cell: Vec<[f32; 2]>,
}

impl Draws {
    /// Draws for all paths in `places` and `samples`, which are at the same bounce.
    pub fn fill(&mut self, scene: &RenderScene, path: Path, bounce: u32) {
        let count = self.places.len();
        let header = &scene.header;
        let has_emitters = header.emitter_count > 0;
        let has_cells = header.environment_emitter != NONE;
        for (purpose, is_asked, out) in [
            (PAIR_SCATTER, true, &mut self.scatter),
            (PAIR_CHOICE, true, &mut self.choice),
            (PAIR_LIGHT, has_emitters, &mut self.light),
            (PAIR_PICK, has_emitters, &mut self.pick),
            (PAIR_CELL, has_cells, &mut self.cell),
        ] {
            out.resize(count, [0.0; 2]);
            if is_asked {
                let pair = bounce_pair(bounce, purpose);
                draw(path, header.frame_key, &self.places, &self.samples, pair, out);
            }
        }
    }

    /// The numbers of one path.
    #[inline(always)]
    pub fn get(&self, at: usize) -> Draw {
        Draw {
            scatter: self.scatter[at],
            choice: self.choice[at],
            light: self.light[at],
            pick: self.pick[at],
            cell: self.cell[at],
        }
    }
}

vectors! {
    fn draw(frame: u32, places: &[u32], samples: &[u32], pair: u32, out: &mut [[f32; 2]]) {
        sample_pairs(frame, places, samples, pair, out);
    }
}
