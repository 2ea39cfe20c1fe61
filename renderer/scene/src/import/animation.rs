//! The animation that is played: the file's first, or the one that was asked for.
//!
//! glTF leaves it to the reader which animations are played, and when (section 3.11). One is:
//! played together, a walk and a run of one rig would fight over its bones. The others are named
//! in the report.

use super::error::ImportError;
use super::json;
use super::pointer::{self, Place};
use super::report::ImportWarning;
use super::{Importer, name};
use crate::animation::{Channel, Interpolation, Property};
use crate::model::Transform;

/// More names are not listed: nobody reads them.
const NAMES_MAX: usize = 20;

impl Importer<'_> {
    /// Reads an animation's channels, those of them that move what is shown.
    pub fn read_animation(&mut self, wanted: Option<&str>) -> Result<(), ImportError> {
        let mut names: Vec<String> = (0_u32..)
            .zip(self.data.root.animations.iter())
            .map(|(index, animation)| name(animation.name.as_deref(), "animation", index))
            .collect();
        let played = match wanted {
            None => 0,
            Some(wanted) => match names.iter().position(|name| name == wanted) {
                Some(index) => index,
                None => {
                    let name = super::cut(wanted);
                    names.truncate(NAMES_MAX);
                    return Err(ImportError::NoAnimation { name, names });
                }
            },
        };
        let Some(animation) = self.data.root.animations.get(played) else { return Ok(()) };
        if names.len() > 1 {
            let played = names.remove(played);
            names.truncate(NAMES_MAX);
            self.warnings.push(ImportWarning::OtherAnimations { played, others: names });
        }
        let mut taken = std::collections::BTreeSet::new();
        let mut places = Vec::with_capacity(animation.channels.len());
        for (index, source) in animation.channels.iter().enumerate() {
            places.push(self.place(index, source)?);
        }
        for (index, (source, place)) in animation.channels.iter().zip(&places).enumerate() {
            let Some(place) = *place else { continue };
            let owner = ("channel", index);
            let sampler = super::at(owner, "sampler", source.sampler, &animation.samplers)?;
            if let Place::Node(target, property) = place {
                let Some(node) = self.moved(index, source, target, property)? else { continue };
                if !taken.insert((node, property)) {
                    self.leave_out(source, Some(node), "another channel moves it already");
                    continue;
                }
                let channel = self.channel(index, node, property, sampler)?;
                self.scene.channels.push(channel);
            } else {
                self.read_variation(index, source, place, &places, sampler)?;
            }
        }
        Ok(())
    }

    /// What a channel names, or none for what nothing here can change.
    fn place(
        &mut self,
        index: usize,
        source: &json::AnimationChannel,
    ) -> Result<Option<Place>, ImportError> {
        if let Some(pointer) = pointer_of(source) {
            let place = pointer::resolve(pointer);
            if place.is_none() {
                self.leave_out(source, None, "nothing here can change");
            }
            return Ok(place);
        }
        let Some(property) = pointer::property(&source.target.path) else {
            self.leave_out(source, None, "only nodes and morph weights can move");
            return Ok(None);
        };
        let Some(target) = source.target.node else {
            self.leave_out(source, None, "it names no node");
            return Ok(None);
        };
        super::at(("channel", index), "node", target, &self.data.root.nodes)?;
        Ok(Some(Place::Node(target, property)))
    }

    /// The scene's node that a channel moves, or none for one that moves nothing here.
    fn moved(
        &mut self,
        index: usize,
        source: &json::AnimationChannel,
        target: u32,
        property: Property,
    ) -> Result<Option<u32>, ImportError> {
        let nodes = &self.data.root.nodes;
        super::at(("channel", index), "node", target, nodes)?;
        // What moves in another scene is not seen, and nothing to speak of.
        let Some(node) = self.shown[target as usize] else { return Ok(None) };
        let shown = &self.scene.nodes[node as usize];
        let targets = shown.mesh.map_or(0, |mesh| self.scene.meshes[mesh as usize].target_count());
        let problem = match property {
            Property::Weights if targets == 0 && nodes[target as usize].mesh.is_some() => {
                Some("its mesh has no morph targets, or is instanced")
            }
            Property::Weights if targets == 0 => Some("it has no mesh"),
            Property::Weights => None,
            _ => matches!(shown.transform, Transform::Matrix(_)).then_some("a matrix places it"),
        };
        if let Some(problem) = problem {
            self.leave_out(source, Some(node), problem);
        }
        Ok(problem.is_none().then_some(node))
    }

    /// Says that a channel is left out, and why.
    pub fn leave_out(
        &mut self,
        source: &json::AnimationChannel,
        node: Option<u32>,
        why: &'static str,
    ) {
        if let Some(pointer) = pointer_of(source) {
            let pointer = pointer.chars().take(160).collect();
            self.warnings.push(ImportWarning::Pointer { pointer, why });
            return;
        }
        let path = source.target.path.chars().take(80).collect();
        let node = match node {
            Some(node) => format!("node {}", self.scene.nodes[node as usize].name),
            None => "something that is no node".to_owned(),
        };
        self.warnings.push(ImportWarning::Channel { path, node, why });
    }

    fn channel(
        &mut self,
        index: usize,
        node: u32,
        property: Property,
        source: &json::AnimationSampler,
    ) -> Result<Channel, ImportError> {
        let interpolation = interpolation(index, source)?;
        let times = self.values::<1>(source.input)?;
        let mut values = match property {
            Property::Translation | Property::Scale => self.values::<3>(source.output)?,
            Property::Rotation => self.values::<4>(source.output)?,
            Property::Weights => self.values::<1>(source.output)?,
        };
        // Quantised rotations are rough. Between a spline's keys lengths are part of its shape.
        if property == Property::Rotation && interpolation != Interpolation::CubicSpline {
            for rotation in values.as_chunks_mut::<4>().0 {
                let unit = glam::Vec4::from(*rotation).as_dvec4().try_normalize();
                *rotation = unit.map_or(*rotation, |unit| unit.as_vec4().into());
            }
        }
        Ok(Channel { node, property, interpolation, times, values })
    }

    pub fn values<const N: usize>(&mut self, accessor: u32) -> Result<Vec<f32>, ImportError> {
        self.data
            .floats::<N>(accessor, &mut self.budget)
            .map(Vec::into_flattened)
            .map_err(|problem| ImportError::Accessor { accessor, problem })
    }
}

/// The place that a channel names by `KHR_animation_pointer`.
fn pointer_of(source: &json::AnimationChannel) -> Option<&str> {
    let known = source.target.extensions.known().filter(|_known| source.target.path == "pointer");
    known.and_then(|known| known.pointer.as_ref()).map(|pointer| pointer.pointer.as_str())
}

/// What lies between a sampler's keys.
pub fn interpolation(
    channel: usize,
    source: &json::AnimationSampler,
) -> Result<Interpolation, ImportError> {
    match source.interpolation.as_deref() {
        None | Some("LINEAR") => Ok(Interpolation::Linear),
        Some("STEP") => Ok(Interpolation::Step),
        Some("CUBICSPLINE") => Ok(Interpolation::CubicSpline),
        Some(value) => {
            let channel = u32::try_from(channel).unwrap_or(u32::MAX);
            Err(super::word("channel", channel, "interpolation", value))
        }
    }
}
