# SPDX-License-Identifier: GPL-3.0-or-later
"""From the open scene to files that Tessera imports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from . import borrow, facts, finish, glb, read, sky, surroundings

# Point and spot lamps of P watts are then P / 4π, suns of E W/m² are E: Tessera's `radiometric`.
LIGHTING = "COMPAT"
SCENE_FILE = "scene.glb"

SETTINGS: dict[str, Any] = {
    "export_format": "GLB",
    "export_extras": True,
    "export_lights": True,
    "export_cameras": True,
    "export_apply": True,
    "export_yup": True,
    "export_tangents": False,
    "export_import_convert_lighting_mode": LIGHTING,
    "export_gn_mesh": True,
    "export_materials": "EXPORT",
    "export_vertex_color": "MATERIAL",
    "export_image_format": "AUTO",
    "export_skins": True,
    "export_all_influences": True,
    "export_morph": True,
    "export_morph_normal": True,
    "export_rest_position_armature": False,
    "use_renderable": True,
    "use_visible": False,
    "use_active_scene": True,
    "use_selection": False,
    "export_current_frame": True,
    "will_save_settings": False,
    "check_existing": False,
}
ANIMATION: dict[str, Any] = {
    "export_animations": True,
    # All that moves in one animation, sampled at every frame: Tessera plays one.
    "export_animation_mode": "SCENE",
    "export_anim_scene_split_object": False,
    "export_force_sampling": True,
    "export_bake_animation": False,
    "export_frame_range": True,
    "export_frame_step": 1,
    "export_anim_slide_to_zero": False,
    "export_negative_frame": "CROP",
    "export_morph_animation": True,
    "export_morph_reset_sk_data": True,
    "export_optimize_animation_size": True,
    # It fails in this mode where a modifier is applied: `finish` writes what moves besides objects.
    "export_pointer_animation": False,
}


class ExportError(RuntimeError):
    """The scene could not be written; the message says why."""


@dataclass(frozen=True)
class Exported:
    """Files that belong together: the scene's own, and what lies beside it."""

    folder: Path
    root: Path


def export(
    context: bpy.types.Context, known: facts.Scene, folder: Path, frames: tuple[int, int] | None
) -> Exported:
    """Writes the scene to an empty folder; of `frames`, where they are told, all that moves.

    What it changes meanwhile in the user's data it sets back, whatever happens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / SCENE_FILE
    around = sky.write(context, surroundings.plan(known.world), folder)
    with borrow.Borrowed() as borrowed:
        borrow.as_rendered(borrowed, context, known)
        borrow.tag_all(borrowed)
        if frames is not None:
            borrow.set_frames(borrowed, context.scene, frames)
            borrow.quiet_pointers(borrowed)
        context.view_layer.update()
        _run(root, frames is not None)
    moments = []
    if frames is not None:
        with borrow.Borrowed() as borrowed:
            borrow.keep_frame(borrowed, context.scene)
            moments = read.moments(context, known, frames)
    file = glb.read(root)
    finish.finish(file, known, around, moments)
    glb.write(root, file)
    return Exported(folder, root)


def _run(path: Path, is_animated: bool) -> None:
    settings = SETTINGS | (ANIMATION if is_animated else {"export_animations": False})
    known = bpy.ops.export_scene.gltf.get_rna_type().properties
    settings = {name: value for name, value in settings.items() if name in known}
    try:
        result = bpy.ops.export_scene.gltf(filepath=str(path), **settings)
    except RuntimeError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ExportError(f"Blender's glTF exporter failed: {lines[-1]}") from error
    if result != {"FINISHED"} or not path.is_file():
        raise ExportError("Blender's glTF exporter wrote nothing")
