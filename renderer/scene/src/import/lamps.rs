//! What the numbers of a file's lamps mean.

use crate::model::LightKind;

/// Lumens of a watt, as Blender's exporter has it (`PBR_WATTS_TO_LUMENS`).
const LUMENS_A_WATT: f32 = 683.0;

/// What the numbers of a file's lamps mean (`docs/extras.md`).
///
/// Emission and environments are radiances in every file; lamps are not, and this says how they
/// compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LampUnits {
    /// W·sr⁻¹ for points and spots, W·m⁻² for the sun: the numbers are taken as they are.
    #[default]
    Radiometric,
    /// Candela and lux, as glTF has it and Blender's "Standard" lighting writes it, at 683 lumens
    /// a watt.
    Photometric,
    /// Watts all around for points and spots, W·m⁻² for the sun: Blender's "Raw" lighting.
    Watts,
}

impl LampUnits {
    /// What a lamp's intensity is multiplied with to be in the model's units.
    #[must_use]
    pub fn factor(self, kind: LightKind) -> f32 {
        match (self, kind) {
            (Self::Radiometric, _) | (Self::Watts, LightKind::Directional) => 1.0,
            (Self::Photometric, _) => LUMENS_A_WATT.recip(),
            // A spot is told the watts that it would have without its cone.
            (Self::Watts, LightKind::Point | LightKind::Spot { .. }) => {
                std::f32::consts::FRAC_1_PI / 4.0
            }
        }
    }
}
