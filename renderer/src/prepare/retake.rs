//! The same scene at the same moment once more, with other settings: what a preview does when
//! somebody turns the camera.

use protocol::{RenderSettings, encode};
use scene::Scene;

use super::motion::Motion;
use super::place::world_places;
use super::vary::Varied;
use super::{
    PrepareError, ask_for, blank_header, cameras, framed, light_up, prepare_with, shutter,
};
use crate::RenderScene;
use crate::camera::filter_table;

impl RenderScene {
    /// The same scene at the same time as other settings show it: what [`crate::prepare_with()`]
    /// gives for them with the effort that this was prepared with.
    ///
    /// Geometry, trees, materials and textures stay as they are, so a turn of the camera takes well
    /// below a millisecond. Lights and sky are packed again where the lighting is another. Where
    /// something may move while a shutter is open, in these settings or those before, the geometry
    /// is another too, and everything is prepared anew: that takes its time, and is never wrong.
    ///
    /// `scene` is the scene that this was prepared from, unchanged.
    ///
    /// # Errors
    /// See [`PrepareError`].
    ///
    /// # Determinism
    /// The tables, and so [`RenderScene::digest`], are those of [`crate::prepare_with()`] to the bit.
    pub fn seen_through(
        mut self,
        scene: &Scene,
        settings: &RenderSettings,
    ) -> Result<Self, PrepareError> {
        settings.validate()?;
        if [&self.settings, settings].into_iter().any(|own| shutter::may_blur(scene, own)) {
            let (time_s, effort) = (self.time_s, self.effort);
            // Two at a time may be too many.
            drop(self);
            return prepare_with(scene, settings, time_s, effort);
        }
        let time_s = f64::from(self.time_s);
        let places = world_places(scene, &Motion::at(scene, time_s))?;
        let varied = Varied::at(scene, time_s);
        // Bits decide: of two suns, one at -0 is another than one at 0.
        let is_lit_alike = encode(&self.settings.lighting) == encode(&settings.lighting);
        if !is_lit_alike {
            let (root_node, instance_count) = (self.header.root_node, self.header.instance_count);
            self.header = blank_header(settings, self.time_s);
            self.header.root_node = root_node;
            self.header.instance_count = instance_count;
            // Instances go on to say where theirs begin: what shines is the same.
            self.emitter_of.clear();
        }
        ask_for(&mut self.header, settings, self.time_s);
        let framed = framed(scene, settings, &self.bounds)?;
        let cameras = &varied.cameras;
        cameras::place(&mut self.header, scene, cameras, &places, &framed, &settings.camera)?;
        cameras::look_through(&mut self.header, settings);
        if self.settings.filter != settings.filter {
            self.filter = filter_table(settings.filter);
        }
        self.settings = settings.clone();
        if !is_lit_alike {
            light_up(&mut self, scene, &varied.lights, &places)?;
        }
        Ok(self.seal())
    }
}
