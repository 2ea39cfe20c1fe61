//! What channels are called in a file.
//!
//! # Source
//! Blender's names are those of the files that Blender 5.0.1 writes with every pass on; the short
//! ones are Blender 4's (`RE_pipeline.h`).

use crate::layer;

/// How channels are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelNames {
    /// `R`, `albedo.R`, `depth.Z`: any program finds the beauty.
    #[default]
    Tessera,
    /// `ViewLayer.Combined.R`, `ViewLayer.Depth.Z`: Blender's compositor finds its passes.
    Blender,
}

/// What Blender calls the layer when it makes a file of its own.
const VIEW_LAYER: &str = "ViewLayer";
/// Blender's name of the beauty.
pub(super) const COMBINED: &str = "Combined";
/// Our channel of sample counts.
pub(super) const SAMPLES: &str = "samples";
/// Blender's pass of sample counts.
pub(super) const BLENDER_SAMPLES: &str = "Debug Sample Count";

/// Our layer, Blender 5's pass, and what Blender 4 called it where that differs.
///
/// Those that films do not fill yet are here so that Blender's files come in under our names.
const PASSES: [(&str, &str, &str); 13] = [
    (layer::ALBEDO, "Denoising Albedo", ""),
    (layer::DEPTH, "Depth", ""),
    (layer::NORMAL, "Normal", ""),
    ("position", "Position", ""),
    ("motion", "Vector", ""),
    ("emission", "Emission", "Emit"),
    ("environment", "Environment", "Env"),
    ("diffuse_direct", "Diffuse Direct", "DiffDir"),
    ("diffuse_indirect", "Diffuse Indirect", "DiffInd"),
    ("glossy_direct", "Glossy Direct", "GlossDir"),
    ("glossy_indirect", "Glossy Indirect", "GlossInd"),
    ("transmission_direct", "Transmission Direct", "TransDir"),
    ("transmission_indirect", "Transmission Indirect", "TransInd"),
];

impl ChannelNames {
    /// The name of a channel of the beauty.
    pub(super) fn beauty(self, channel: &str) -> String {
        match self {
            Self::Tessera => channel.to_owned(),
            Self::Blender => format!("{VIEW_LAYER}.{COMBINED}.{channel}"),
        }
    }

    /// The name of the channel of sample counts.
    pub(super) fn samples(self) -> String {
        match self {
            Self::Tessera => SAMPLES.to_owned(),
            Self::Blender => format!("{VIEW_LAYER}.{BLENDER_SAMPLES}.X"),
        }
    }

    /// The name of a layer.
    pub(super) fn layer(self, layer: &str) -> String {
        match self {
            Self::Tessera => layer.to_owned(),
            Self::Blender => {
                let known = PASSES.iter().find(|(ours, ..)| *ours == layer);
                format!("{VIEW_LAYER}.{}", known.map_or(layer, |(_, blender, _)| blender))
            }
        }
    }

    /// The name of a layer's channel.
    pub(super) fn channel(self, layer: &str, channel: &str) -> String {
        format!("{}.{channel}", self.layer(layer))
    }
}

/// Our name of a pass of Blender's, itself where it has none.
pub(super) fn ours(pass: &str) -> &str {
    let known = PASSES.iter().find(|(_, five, four)| *five == pass || *four == pass);
    known.map_or(pass, |(ours, ..)| ours)
}
