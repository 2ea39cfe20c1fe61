# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames, jobs and extras, from facts alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tessera_blender import describe, extras, finish, frame, surroundings
from tessera_blender.facts import Camera, Lamp, Picture, Scene, ShaderNode, Socket, Tree, World

CAMERA = Camera(key=1, name="cam", lens=0.05, sensor=(0.036, 0.024))
PICTURE = Picture(size=(1920, 1080))


@pytest.mark.parametrize(("fit", "size", "expected"), [
    ("AUTO", (1920, 1080), 0.018 / 0.05 * 1080 / 1920),
    ("HORIZONTAL", (1920, 1080), 0.018 / 0.05 * 1080 / 1920),
    ("VERTICAL", (1920, 1080), 0.012 / 0.05),
    ("AUTO", (1080, 1920), 0.018 / 0.05),
    ("HORIZONTAL", (1080, 1920), 0.018 / 0.05 * 1920 / 1080),
    ("VERTICAL", (1080, 1920), 0.012 / 0.05),
])
def test_the_sensor_is_fitted_to_its_side(
    fit: str, size: tuple[int, int], expected: float
) -> None:
    found = frame.frame(replace(CAMERA, fit=fit), replace(PICTURE, size=size))
    assert found.half_height == pytest.approx(expected)
    assert found.size == size and found.crop is None and found.window is None


@pytest.mark.parametrize(("shift", "size", "window"), [
    ((0.1, 0.0), (1920 + 384, 1080), (384, 0, 1920, 1080)),
    ((-0.1, 0.0), (1920 + 384, 1080), (0, 0, 1920, 1080)),
    # Up is the upper part of the larger picture, whose rows are counted from above.
    ((0.0, 0.05), (1920, 1080 + 192), (0, 0, 1920, 1080)),
    ((0.0, -0.05), (1920, 1080 + 192), (0, 192, 1920, 1080)),
])
def test_a_shifted_lens_is_a_crop(
    shift: tuple[float, float], size: tuple[int, int], window: frame.Rect
) -> None:
    plain = frame.frame(CAMERA, PICTURE)
    found = frame.frame(replace(CAMERA, shift=shift), PICTURE)
    assert (found.size, found.crop, found.window) == (size, window, window)
    # A pixel is as large as without the shift.
    assert found.half_height / found.size[1] == pytest.approx(plain.half_height / 1080)
    assert found.off == 0


def test_a_shift_is_missed_by_a_quarter_of_a_pixel_at_most() -> None:
    for thousandth in range(-200, 200):
        shift = (thousandth / 1000, thousandth / 777)
        assert frame.frame(replace(CAMERA, shift=shift), PICTURE).off <= 0.25


def test_a_region_lies_in_the_shifted_frame() -> None:
    picture = replace(PICTURE, crop=(100, 50, 300, 200))
    shifted = replace(CAMERA, shift=(0.1, 0.0))
    assert frame.frame(shifted, picture).crop == (484, 50, 300, 200)
    assert frame.frame(shifted, picture).window == (384, 0, 1920, 1080)
    cut = replace(picture, crops_file=True)
    assert frame.frame(shifted, cut).window == (484, 50, 300, 200)
    assert frame.frame(CAMERA, picture).window is None
    assert frame.frame(CAMERA, cut).window == (100, 50, 300, 200)


def scene(picture: Picture = PICTURE, camera: Camera = CAMERA) -> Scene:
    return Scene(name="Scene", picture=picture, camera=camera)


def test_a_job_asks_what_the_scene_asks() -> None:
    picture = replace(
        PICTURE, samples=256, threshold=0.01, bounces=12, frame=7, frames=(1, 240, 2),
        fps=25.0, shutter=0.5, shutter_position="START", filter="GAUSSIAN",
        crop=(10, 20, 30, 40), passes=("combined", "diffuse_direct", "z"))
    still = describe.job(scene(picture), describe.STILL, "shot_010")
    assert still == {
        "name": "shot_010", "cameras": ["cam"], "size": [1920, 1080], "samples": 256,
        "noise": {"threshold": 0.01, "min_samples": 32},
        "frames": {"first": 7, "last": 7, "step": 1}, "fps": 25.0, "bounces": 13,
        "shutter": 0.5, "shutter_position": "start", "filter": "gaussian",
        "crop": {"x": 10, "y": 20, "width": 30, "height": 40}, "passes": True,
    }
    moving = describe.job(scene(picture), describe.RANGE)
    assert moving["frames"] == {"first": 1, "last": 240, "step": 2}
    assert moving["name"] == "Scene"
    few = describe.job(scene(picture), describe.STILL, samples=8)
    assert few["samples"] == 8 and few["noise"]["min_samples"] == 8


def test_a_job_has_no_words_that_the_api_does_not_know() -> None:
    from tessera.types import Settings

    picture = replace(PICTURE, threshold=0.01, crop=(0, 0, 1, 1), passes=("emit",), shutter=0.5)
    for kind in ("PERSP", "PANO"):
        told = describe.job(scene(picture, replace(CAMERA, kind=kind)), describe.STILL)
        assert set(told) <= set(Settings.__annotations__)


@pytest.mark.parametrize(("span", "shutter", "is_animated", "expected"), [
    (describe.STILL, 0.0, True, None),
    (describe.STILL, 0.5, True, (6, 8)),
    (describe.STILL, 0.5, False, None),
    (describe.RANGE, 0.0, True, (1, 240)),
    (describe.RANGE, 0.5, True, (0, 241)),
])
def test_keys_are_written_of_the_frames_that_are_seen(
    span: str, shutter: float, is_animated: bool, expected: tuple[int, int] | None
) -> None:
    picture = replace(PICTURE, frame=7, frames=(1, 240, 1), shutter=shutter)
    known = replace(scene(picture), is_animated=is_animated)
    assert describe.frames_moving(known, span) == expected


def test_an_area_lamp_tells_its_radiance() -> None:
    lamp = Lamp(1, 2, "key", "AREA", energy=100.0, shape="RECTANGLE", size=(1.0, 0.5),
                scale=(2.0, 2.0))
    told = extras.area(lamp)
    # P = π L A, of the area that it has in the world.
    assert told["radiance"] == pytest.approx(100 / (math.pi * 2.0))
    assert told["size"] == [1.0, 0.5] and told["shape"] == "rectangle"
    disk = extras.area(replace(lamp, shape="ELLIPSE"))
    assert disk["radiance"] == pytest.approx(told["radiance"] / (math.pi / 4))
    loud = extras.area(replace(lamp, is_normalized=False))
    assert loud["radiance"] == pytest.approx(100 / math.pi)


def test_a_suns_angle_is_told_in_degrees() -> None:
    sun = Lamp(1, 2, "sun", "SUN", angle=math.radians(0.53))
    assert extras.lamp(sun) == {"angle": pytest.approx(0.53)}
    assert extras.lamp(Lamp(1, 2, "bulb", "POINT", radius=0.25)) == {"radius": 0.25}
    assert extras.lamp(Lamp(1, 2, "bulb", "POINT")) == {}


def test_a_lens_tells_its_opening() -> None:
    camera = replace(CAMERA, has_lens_blur=True, fstop=2.0, focus=3.0, blades=5,
                     blade_rotation=math.radians(10))
    told = extras.camera(camera, replace(PICTURE, shutter=0.5))
    assert told == {
        "aperture": pytest.approx(0.0125), "focus_distance": 3.0, "blades": 5,
        "blade_rotation": pytest.approx(190.0), "shutter": 0.5,
    }
    assert extras.camera(CAMERA, PICTURE) == {}


@pytest.mark.parametrize(("view", "look", "expected"), [
    ("AgX", "None", "AgX"), ("AgX", "AgX - Punchy", "agx-punchy"), ("Standard", "None", "Standard"),
    ("Filmic", "None", None), ("False Color", "None", None),
])
def test_views_have_equals_or_none(view: str, look: str, expected: str | None) -> None:
    assert extras.view(replace(PICTURE, view=view, look=look)) == expected


def test_a_spots_edge_sends_as_much_light() -> None:
    """The solid angle that glTF's edge weighs is that of Blender's."""
    for blend in (0.1, 0.5, 1.0):
        lamp = Lamp(1, 2, "spot", "SPOT", cone=1.0, blend=blend)
        told = finish.spot(lamp)
        inner, outer = math.cos(told["innerConeAngle"]), math.cos(told["outerConeAngle"])
        edge = math.cos(0.5)
        steps = 20000
        ours = theirs = 0.0
        for step in range(steps):
            cosine = edge - 0.2 + (1.2 - edge) * (step + 0.5) / steps
            t = min(max((cosine - edge) / ((1 - edge) * blend), 0), 1)
            theirs += 3 * t * t - 2 * t**3
            ours += min(max((cosine - outer) / (inner - outer), 0), 1) ** 2
        assert ours == pytest.approx(theirs, rel=0.005)


def test_without_cycles_a_plain_sky_keeps_its_sun() -> None:
    sky = ShaderNode("Sky", "TEX_SKY", "Sky Texture",
                     props={"sun_elevation": math.radians(30), "sun_rotation": math.radians(-90)})
    background = ShaderNode("Background", "BACKGROUND", "Background", inputs={
        "Color": Socket((1, 1, 1), (1, "Color")), "Strength": Socket(0.1)})
    tree = Tree((background, sky), surface=(0, "Background"))
    plan = surroundings.plan(World("World", tree=tree))
    assert isinstance(plan, surroundings.Baked) and plan.is_sky and plan.instead is not None
    assert plan.instead.elevation == pytest.approx(30)
    # Blender's sun is at +y, glTF's -z, and turns clockwise.
    assert plan.instead.azimuth == pytest.approx(270)
    assert plan.instead.strength == pytest.approx(3.9)


def test_a_world_without_nodes_or_none_is_one_colour() -> None:
    assert surroundings.plan(None) == surroundings.Color((0.0, 0.0, 0.0))
    assert surroundings.plan(World("World", (0.1, 0.2, 0.3))) == surroundings.Color((0.1, 0.2, 0.3))
    assert surroundings.plan(World("World", tree=Tree())) == surroundings.Color((0.0, 0.0, 0.0))
