# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of Blender that Tessera cannot follow, as tables: `read.py` looks them up.

A setting that a version of Blender does not have is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    """How much a difference matters, worst first."""

    STOP = 0
    """Cannot be sent."""
    LOST = 1
    """Will not be in the picture."""
    CHANGED = 2
    """Will look different."""
    NOTE = 3
    """May look a little different."""


@dataclass(frozen=True)
class Knob:
    """A setting: its path from its owner, the values that do no harm, and what others mean.

    `text` may have `{value}`; whose setting it is, is told behind it. `group` puts several into
    one line. `engine` is the only one that knows the setting.
    """

    path: str
    harmless: tuple[Any, ...]
    level: Level
    text: str
    group: str = ""
    engine: str = ""


# What Cycles does against noise and Tessera does not.
SHORTCUTS = "shortcuts"
VISIBILITY = "visibility"
BLUR = "blur"

SCENE = (
    Knob("background_set", (None,), Level.LOST, "The background set of the scene is left out"),
    Knob("render.use_freestyle", (False,), Level.LOST, "Freestyle lines are left out"),
    Knob("render.use_multiview", (False,), Level.LOST, "Of a stereo pair only one eye is rendered"),
    Knob("render.film_transparent", (False,), Level.CHANGED,
         "The film is not transparent: the sky stays in the picture, its alpha is 0"),
    Knob("render.pixel_aspect_x", (1.0,), Level.CHANGED, "Pixels are square"),
    Knob("render.pixel_aspect_y", (1.0,), Level.CHANGED, "Pixels are square"),
    Knob("render.frame_map_old", (100,), Level.CHANGED, "Time is not remapped"),
    Knob("render.frame_map_new", (100,), Level.CHANGED, "Time is not remapped"),
    Knob("cycles.film_exposure", (1.0,), Level.CHANGED,
         "The exposure of Cycles' film is not applied", engine="CYCLES"),
    Knob("cycles.rolling_shutter_type", ("NONE",), Level.LOST,
         "The shutter does not roll", engine="CYCLES"),
    Knob("cycles.use_camera_cull", (False,), Level.CHANGED,
         "Nothing is culled by the camera", engine=""),
    Knob("cycles.sample_clamp_direct", (0.0,), Level.NOTE, "clamping", SHORTCUTS, "CYCLES"),
    Knob("cycles.sample_clamp_indirect", (0.0,), Level.NOTE, "clamping", SHORTCUTS, "CYCLES"),
    Knob("cycles.blur_glossy", (0.0,), Level.NOTE, "filter glossy", SHORTCUTS, "CYCLES"),
    Knob("cycles.caustics_reflective", (True,), Level.NOTE, "caustics off", SHORTCUTS, "CYCLES"),
    Knob("cycles.caustics_refractive", (True,), Level.NOTE, "caustics off", SHORTCUTS, "CYCLES"),
    Knob("cycles.use_fast_gi", (False,), Level.CHANGED, "fast GI", SHORTCUTS, "CYCLES"),
    Knob("cycles.use_denoising", (False,), Level.NOTE,
         "The picture comes as it was rendered, not denoised", engine="CYCLES"),
    Knob("view_settings.gamma", (1.0,), Level.CHANGED, "The view's gamma is not applied"),
    Knob("view_settings.use_curve_mapping", (False,), Level.CHANGED,
         "The view's curves are not applied"),
    Knob("view_settings.use_white_balance", (False,), Level.CHANGED,
         "The view's white balance is not applied"),
    Knob("display_settings.display_device", ("sRGB", "", "NONE"), Level.NOTE,
         "PNG is made for sRGB, not for {value}"),
)

VIEW_LAYER = (
    Knob("material_override", (None,), Level.CHANGED, "The view layer's material is not taken"),
    Knob("world_override", (None,), Level.CHANGED, "The view layer's world is not taken"),
)

OBJECT = (
    Knob("is_holdout", (False,), Level.CHANGED, "Holdouts are ordinary surfaces"),
    Knob("is_shadow_catcher", (False,), Level.CHANGED, "Shadow catchers are ordinary surfaces"),
    Knob("visible_camera", (True,), Level.CHANGED, "", VISIBILITY),
    Knob("visible_diffuse", (True,), Level.CHANGED, "", VISIBILITY),
    Knob("visible_glossy", (True,), Level.CHANGED, "", VISIBILITY),
    Knob("visible_transmission", (True,), Level.CHANGED, "", VISIBILITY),
    Knob("visible_shadow", (True,), Level.CHANGED, "", VISIBILITY),
    Knob("cycles.use_motion_blur", (True,), Level.CHANGED, "", BLUR, "CYCLES"),
    Knob("cycles.use_deform_motion", (True,), Level.CHANGED, "", BLUR, "CYCLES"),
    Knob("cycles.use_adaptive_subdivision", (False,), Level.NOTE,
         "Subdivision is by the modifier's levels, not adaptive", engine="CYCLES"),
)

LAMP = (
    Knob("use_shadow", (True,), Level.CHANGED, "Every lamp casts shadows"),
    Knob("use_square", (False,), Level.CHANGED, "Spots are round"),
    Knob("diffuse_factor", (1.0,), Level.CHANGED,
         "Lamps shine on diffuse and glossy surfaces alike", "factors"),
    Knob("specular_factor", (1.0,), Level.CHANGED, "", "factors"),
    Knob("transmission_factor", (1.0,), Level.CHANGED, "", "factors"),
    Knob("cycles.max_bounces", (1024,), Level.NOTE,
         "Lamps light after any number of bounces", engine="CYCLES"),
)

# Of a lamp's object.
LAMP_OBJECT = (
    Knob("visible_diffuse", (True,), Level.CHANGED, "", VISIBILITY),
    Knob("visible_glossy", (True,), Level.CHANGED, "", VISIBILITY),
    Knob("visible_transmission", (True,), Level.CHANGED, "", VISIBILITY),
)

# Of any object in a scene with light linking.
LINKING = (
    Knob("light_linking.receiver_collection", (None,), Level.CHANGED,
         "Lamps light everything: light linking is left out", "linking"),
    Knob("light_linking.blocker_collection", (None,), Level.CHANGED, "", "linking"),
)

CAMERA = (
    Knob("dof.aperture_ratio", (1.0,), Level.CHANGED, "The lens is not anamorphic"),
)

WORLD = (
    Knob("cycles_visibility.camera", (True,), Level.CHANGED, "The world is seen by all rays",
         "world visibility", "CYCLES"),
    Knob("cycles_visibility.diffuse", (True,), Level.CHANGED, "", "world visibility", "CYCLES"),
    Knob("cycles_visibility.glossy", (True,), Level.CHANGED, "", "world visibility", "CYCLES"),
    Knob("cycles_visibility.transmission", (True,), Level.CHANGED, "", "world visibility",
         "CYCLES"),
)

# Passes that come with every picture, or with `passes`: everything else is left out.
PASSES_ALWAYS = frozenset({"combined", "z", "normal"})
PASSES_OF_LIGHT = frozenset({
    "emit", "environment", "diffuse_direct", "diffuse_indirect", "glossy_direct",
    "glossy_indirect", "transmission_direct", "transmission_indirect",
})

# Objects that glTF has no place for.
LOST_KINDS = {
    "VOLUME": "Volumes are left out",
    "CURVES": "Hair is left out",
    "POINTCLOUD": "Point clouds are left out",
    "GREASEPENCIL": "Grease Pencil is left out",
    "GPENCIL": "Grease Pencil is left out",
}

# View transforms by their names in Blender; `looks` that have an equal.
VIEWS = frozenset({"AgX", "Standard", "Khronos PBR Neutral", "Raw", "ACES 1.3"})
LOOKS = {("AgX", "AgX - Punchy"): "agx-punchy", ("AgX", "Punchy"): "agx-punchy"}
NO_LOOKS = frozenset({"", "None", "NONE"})

# Modifiers whose result is a matter of time.
SIMULATED = frozenset({
    "BUILD", "CLOTH", "COLLISION", "DYNAMIC_PAINT", "EXPLODE", "FLUID", "MESH_CACHE",
    "MESH_SEQUENCE_CACHE", "OCEAN", "SOFT_BODY", "WAVE",
})
# Modifiers that follow other objects.
FOLLOWING = frozenset({
    "BOOLEAN", "CAST", "CURVE", "DISPLACE", "HOOK", "LATTICE", "MESH_DEFORM", "SHRINKWRAP",
    "SIMPLE_DEFORM", "SURFACE_DEFORM", "WARP",
})
