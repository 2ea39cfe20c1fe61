//! Names of views.

use film::View;

/// The views, and what they are called on a command line.
pub const VIEWS: [(View, &str); 6] = [
    (View::Agx, "agx"),
    (View::AgxPunchy, "agx-punchy"),
    (View::Neutral, "neutral"),
    (View::AcesLike, "aces"),
    (View::Srgb, "srgb"),
    (View::Raw, "raw"),
];

/// Names that Blender gives views of ours.
const BLENDERS: [(&str, View); 3] = [
    ("standard", View::Srgb),
    ("khronos pbr neutral", View::Neutral),
    ("aces 1.3", View::AcesLike),
];

/// A view's name.
#[must_use]
pub fn view_name(view: View) -> &'static str {
    VIEWS.iter().find(|(known, _)| *known == view).map_or("agx", |(_, name)| name)
}

/// A view by its name, in any case, or by Blender's.
#[must_use]
pub fn view_named(name: &str) -> Option<View> {
    let lower = name.trim().to_lowercase();
    let ours = lower.replace([' ', '_'], "-");
    let blenders = BLENDERS.into_iter().find(|(known, _)| *known == lower);
    let own = || VIEWS.into_iter().find(|(_, known)| *known == ours).map(|(view, _)| view);
    blenders.map(|(_, view)| view).or_else(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_have_our_names_and_blenders() {
        let check = |name, view| assert_eq!(view_named(name), view, "{name}");
        check("agx", Some(View::Agx));
        check("AgX", Some(View::Agx));
        check("AgX Punchy", Some(View::AgxPunchy));
        check("agx_punchy", Some(View::AgxPunchy));
        check("Standard", Some(View::Srgb));
        check("Khronos PBR Neutral", Some(View::Neutral));
        check("Filmic", None);
        check("", None);
        for (view, name) in VIEWS {
            assert_eq!((view_named(name), view_name(view)), (Some(view), name));
        }
    }
}
