# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what surrounds the scene, as a file beside it where it is more than a colour."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import hdr, surroundings

SKY_FILE = "sky.hdr"
# Pixels around the horizon of a sky that Cycles makes, and samples of each: a sun's disc is
# three pixels wide, and its light must be right.
BAKED_WIDTH, BAKED_SAMPLES, BAKED_SAMPLES_OF_SUN = 2048, 4, 16
# Wider pictures are refused by the importer.
WIDTH_MAX = 16384
LINEAR = ("Linear Rec.709", "Linear", "Non-Color", "Raw")


def write(context: bpy.types.Context, plan: surroundings.Plan, folder: Path) -> dict[str, Any]:
    """Writes a plan's file, if it has one, and says what the scene's extras say of it."""
    if isinstance(plan, surroundings.Color):
        return {"sky": list(plan.radiance)}
    path = folder / SKY_FILE
    if isinstance(plan, surroundings.Map):
        image = bpy.data.images[plan.image]
        if copy(image, path):
            rotation = surroundings.rotation_degrees(plan.turn)
            told = {"file": SKY_FILE, "strength": plan.strength, "rotation": rotation}
            return {"environment": told}
    if not hasattr(context.scene, "cycles"):
        return without_cycles(plan)
    bake(context, path, BAKED_SAMPLES_OF_SUN if plan.is_sky else BAKED_SAMPLES)
    rotation = surroundings.rotation_degrees(0.0)
    return {"environment": {"file": SKY_FILE, "rotation": rotation}}


def without_cycles(plan: surroundings.Plan) -> dict[str, Any]:
    """What is left where the add-on Cycles is switched off: a sky of ours.

    Raises `ValueError` for what only Cycles can look at.
    """
    sky = plan.instead if isinstance(plan, surroundings.Baked) else None
    if sky is None:
        raise ValueError("The world needs Cycles to become a picture; switch its add-on on")
    told = {"elevation": sky.elevation, "azimuth": sky.azimuth, "strength": sky.strength}
    return {"sun_sky": told}


def copy(image: bpy.types.Image, path: Path) -> bool:
    """Writes an image as a Radiance HDR file; says whether it could be."""
    space = image.colorspace_settings.name
    if image.source == "FILE" and image.file_format == "HDR" and not image.is_dirty:
        told = image.packed_file.data if image.packed_file else None
        file = Path(bpy.path.abspath(image.filepath, library=image.library))
        if told is None and file.is_file():
            told = file.read_bytes()
        if told is not None and space in LINEAR and told.startswith(b"#?"):
            path.write_bytes(told)
            return True
    pixels = pixels_of(image)
    if pixels is None or pixels.shape[1] > WIDTH_MAX:
        return False
    if space == "sRGB" and not image.is_float:
        pixels = linear(pixels)
    elif space not in LINEAR and not image.is_float:
        return False
    hdr.write(path, pixels)
    return True


def pixels_of(image: bpy.types.Image) -> np.ndarray | None:
    """Colours of an image as it keeps them, [height][width][3], the upper line first."""
    width, height = image.size
    channels = image.channels
    if not width or not height or channels < 3 or len(image.pixels) != width * height * channels:
        return None
    told = np.empty(width * height * channels, np.float32)
    image.pixels.foreach_get(told)
    return told.reshape(height, width, channels)[::-1, :, :3]


def linear(values: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def bake(context: bpy.types.Context, path: Path, samples: int) -> None:
    """Has Cycles look around in the world, from a scene with nothing else in it."""
    world = context.scene.world.copy()
    scene = bpy.data.scenes.new("Tessera sky")
    data = bpy.data.cameras.new("Tessera sky")
    camera = bpy.data.objects.new("Tessera sky", data)
    try:
        for name in ("camera", "diffuse", "glossy", "transmission"):
            setattr(world.cycles_visibility, name, True)
        scene.world = world
        scene.collection.objects.link(camera)
        scene.camera = camera
        # The picture's middle shows +x, as that of an environment texture.
        camera.rotation_euler = (math.pi / 2, 0, -math.pi / 2)
        data.type = "PANO"
        owner = data if hasattr(data, "panorama_type") else data.cycles
        owner.panorama_type = "EQUIRECTANGULAR"
        scene.frame_set(context.scene.frame_current)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "sky.exr"
            _set_up(scene, file, samples)
            bpy.ops.render.render(write_still=True, scene=scene.name)
            image = bpy.data.images.load(str(file))
            try:
                hdr.write(path, pixels_of(image))
            finally:
                bpy.data.images.remove(image)
    finally:
        bpy.data.objects.remove(camera)
        bpy.data.cameras.remove(data)
        bpy.data.scenes.remove(scene)
        bpy.data.worlds.remove(world)


def _set_up(scene: bpy.types.Scene, file: Path, samples: int) -> None:
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y = BAKED_WIDTH, BAKED_WIDTH // 2
    render.resolution_percentage = 100
    render.use_compositing = render.use_sequencer = False
    render.filepath, render.use_file_extension = str(file), False
    render.image_settings.file_format = "OPEN_EXR"
    render.image_settings.color_depth, render.image_settings.color_mode = "32", "RGB"
    cycles.device, cycles.samples = "CPU", samples
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    cycles.pixel_filter_type = "BOX"
    cycles.film_exposure = 1.0
