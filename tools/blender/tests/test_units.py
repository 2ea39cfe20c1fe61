# SPDX-License-Identifier: GPL-3.0-or-later
"""The heart: the same scene by Cycles and by Tessera, from Blender's watts to the last pixel.

Both pictures are linear, of one box filter, with the same bounces and no shortcuts. Blocks of
8 x 8 pixels are compared; bounds are a few times what was seen, and noise is most of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

import pictures
import scenes

pytestmark = pytest.mark.skipif(
    not pictures.PROGRAM.is_file(), reason=f"no program to render with: {pictures.PROGRAM}")

Build = Callable[[Path], Any]


def floor(size: float = 4.0) -> None:
    scenes.fresh()
    scenes.plane(size)
    scenes.camera()


def sun(_folder: Path) -> None:
    floor()
    scenes.ball()
    scenes.lamp("SUN", "sun", (3, -2, 5), energy=3.0, angle=0.1)
    scenes.world(bpy.context.scene, (0.2, 0.3, 0.5))


def area(shape: str, scale: tuple[float, ...] = (1, 1, 1), **more: Any) -> Build:
    def build(_folder: Path) -> None:
        floor()
        scenes.lamp("AREA", "key", (0.5, 0, 2), energy=100.0, shape=shape, **more).scale = scale
    return build


def two_lamps_face_away(_folder: Path) -> None:
    """An area lamp shines to one side: the other is dark."""
    floor()
    scenes.lamp("AREA", "key", (0.5, 0, 2), energy=100.0)
    scenes.lamp("AREA", "away", (-0.5, 0, 2), energy=100.0).rotation_euler = (math.pi, 0, 0)
    # Lamps are seen in Tessera, so the frame holds the floor alone.
    scenes.camera((0, -3, 1.5), lens=60)


def point(radius: float, scale: float = 1.0, **more: Any) -> Build:
    def build(_folder: Path) -> None:
        floor()
        scenes.ball(0.4, (0, 0, 0.6))
        made = scenes.lamp(
            "POINT", "bulb", (0.8, -0.4, 2), energy=100.0, shadow_soft_size=radius, **more)
        made.scale = (scale,) * 3
    return build


def warm_point_with_nodes(_folder: Path) -> None:
    point(0.3, use_soft_falloff=False)(_folder)
    data = bpy.data.lights["bulb"]
    data.color, data.use_nodes = (1, 0.5, 0.2), True
    if hasattr(data, "exposure"):
        data.exposure = 1.0
    if hasattr(data, "use_temperature"):
        data.use_temperature, data.temperature = True, 3000.0
    emission = data.node_tree.nodes["Emission"]
    emission.inputs["Color"].default_value = (0.5, 1, 1, 1)
    emission.inputs["Strength"].default_value = 2.0


def spot(blend: float) -> Build:
    def build(_folder: Path) -> None:
        floor(6)
        scenes.lamp("SPOT", "spot", (1, -1, 3), energy=300.0, spot_size=1.0, spot_blend=blend,
                    shadow_soft_size=0.0)
    return build


def hdri(turn: float, suffix: str) -> Build:
    def build(folder: Path) -> None:
        scenes.fresh()
        scenes.plane()
        scenes.ball()
        scenes.camera((0, -6, 2), (0, 0, 1.2))
        image = scenes.image("sky", scenes.patches(), folder / f"sky{suffix}", True)
        scenes.sky_of(image, turn, 0.7)
    return build


def nodes_world(_folder: Path) -> None:
    """A gradient of nodes, which becomes a picture."""
    scenes.fresh()
    scenes.plane()
    scenes.ball(0.6, (0, 0, 0.6))
    scenes.camera((0, -6, 2))
    tree = bpy.context.scene.world.node_tree
    coordinates, gradient, ramp = (
        tree.nodes.new(kind) for kind in
        ("ShaderNodeTexCoord", "ShaderNodeTexGradient", "ShaderNodeValToRGB"))
    ramp.color_ramp.elements[0].color = (1, 0.2, 0.1, 1)
    tree.links.new(coordinates.outputs["Generated"], gradient.inputs[0])
    tree.links.new(gradient.outputs[0], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], tree.nodes["Background"].inputs["Color"])


def sky_texture(_folder: Path) -> None:
    """Blender's sky with its sun, which becomes a picture."""
    scenes.fresh()
    scenes.plane()
    scenes.ball(0.6, (0, 0, 0.6))
    scenes.camera((0, -6, 2))
    tree = bpy.context.scene.world.node_tree
    sky = tree.nodes.new("ShaderNodeTexSky")
    kinds = [one.identifier for one in sky.bl_rna.properties["sky_type"].enum_items]
    # Blender 5 has another name for the better of its models.
    sky.sky_type = next(one for one in ("NISHITA", "MULTIPLE_SCATTERING") if one in kinds)
    sky.sun_elevation = 0.6
    tree.links.new(sky.outputs[0], tree.nodes["Background"].inputs["Color"])
    tree.nodes["Background"].inputs["Strength"].default_value = 0.1


def wood(folder: Path) -> None:
    scene = scenes.fresh()
    scenes.world(scene, (0.6, 0.7, 0.9))
    scenes.lamp("SUN", "sun", (3, -2, 5), energy=2.0, angle=0.02)
    image = scenes.image("checks", scenes.checks(), folder / "checks.png")
    shade = scenes.textured("wood", image, Roughness=0.4)
    scenes.plane(4, shade)
    scenes.ball(0.7, (0, 0, 0.7), shade)
    scenes.camera()


def shaded(color: tuple[float, ...] = (0.8, 0.3, 0.2), **more: Any) -> Build:
    def build(_folder: Path) -> None:
        scene = scenes.fresh()
        cycles = scene.cycles
        cycles.max_bounces = cycles.transmission_bounces = cycles.glossy_bounces = 16
        cycles.diffuse_bounces = 16
        scenes.world(scene, (0.6, 0.7, 0.9))
        scenes.lamp("SUN", "sun", (3, -2, 5), energy=2.0, angle=0.1)
        scenes.plane()
        scenes.ball(0.9, (0, 0, 1), scenes.material("shade", color, **more))
        scenes.camera()
    return build


def emission(_folder: Path) -> None:
    scene = scenes.fresh()
    scenes.world(scene, (0.1, 0.1, 0.1))
    shade = bpy.data.materials.new("glow")
    shade.use_nodes = True
    tree = shade.node_tree
    node = tree.nodes.new("ShaderNodeEmission")
    node.inputs["Color"].default_value = (1, 0.5, 0.2, 1)
    node.inputs["Strength"].default_value = 5.0
    output = next(one for one in tree.nodes if one.type == "OUTPUT_MATERIAL")
    tree.links.new(node.outputs[0], output.inputs["Surface"])
    scenes.ball(0.6, (0, 0, 1), shade)
    scenes.plane()
    scenes.camera()


def without_material(_folder: Path) -> None:
    scene = scenes.fresh()
    scenes.world(scene, (0.5, 0.5, 0.5))
    scenes.ball(0.6).data.materials.clear()
    scenes.plane()
    scenes.camera()
    scenes.lamp("SUN", "sun", (3, -2, 5), energy=3.0)


# Name, scene, and bounds of the mean, of the median block and of the worst.
LIGHT: list[tuple[str, Build, float, float, float]] = [
    ("sun", sun, 0.005, 0.005, 0.02),
    ("area-square", area("SQUARE"), 0.005, 0.01, 0.02),
    ("area-disk", area("DISK"), 0.005, 0.01, 0.02),
    ("area-ellipse", area("ELLIPSE", size=1.0, size_y=0.3), 0.005, 0.01, 0.02),
    ("area-scaled", area("RECTANGLE", (2, 1.5, 1), size=1.0, size_y=0.5), 0.005, 0.01, 0.02),
    ("area-away", two_lamps_face_away, 0.005, 0.01, 0.02),
    ("point", point(0.3, use_soft_falloff=False), 0.005, 0.01, 0.03),
    # Cycles' soft falloff makes a disk of the sphere, here a large one that is near.
    ("point-soft", point(0.3), 0.03, 0.025, 0.05),
    ("point-scaled", point(0.3, 2.0, use_soft_falloff=False), 0.005, 0.01, 0.03),
    ("point-nodes", warm_point_with_nodes, 0.005, 0.01, 0.03),
    ("spot", spot(0.15), 0.005, 0.01, 0.02),
    ("spot-half", spot(0.5), 0.005, 0.01, 0.03),
    # The edge is of another shape.
    ("spot-soft", spot(1.0), 0.005, 0.03, 0.08),
    ("spot-hard", spot(0.0), 0.01, 0.02, 0.06),
    ("hdri", hdri(0.0, ".hdr"), 0.005, 0.01, 0.03),
    ("hdri-turned", hdri(1.0, ".hdr"), 0.005, 0.01, 0.03),
    ("hdri-exr", hdri(-2.0, ".exr"), 0.01, 0.01, 0.05),
    ("world-nodes", nodes_world, 0.01, 0.01, 0.03),
    ("world-sky", sky_texture, 0.01, 0.01, 0.10),
    ("emission", emission, 0.005, 0.01, 0.03),
]
SURFACES: list[tuple[str, Build, float, float, float]] = [
    ("wood", wood, 0.01, 0.01, 0.05),
    ("diffuse", shaded(Roughness=1.0, Specular_IOR_Level=0.0), 0.005, 0.005, 0.02),
    ("plastic", shaded(Roughness=0.3), 0.005, 0.005, 0.03),
    ("metal", shaded(Roughness=0.3, Metallic=1.0), 0.005, 0.005, 0.04),
    ("ior-low", shaded(Roughness=0.3, IOR=1.2), 0.005, 0.005, 0.03),
    ("ior-high", shaded(Roughness=0.3, IOR=2.2), 0.005, 0.005, 0.03),
    ("specular", shaded(Roughness=0.3, Specular_IOR_Level=1.0), 0.005, 0.005, 0.03),
    ("coat", shaded(Roughness=0.6, Coat_Weight=1.0), 0.01, 0.005, 0.10),
    ("alpha", shaded(Roughness=0.9, Alpha=0.5), 0.005, 0.005, 0.02),
    ("glow", shaded(Emission_Strength=3.0), 0.005, 0.005, 0.03),
    ("glass", shaded((1, 1, 1), Roughness=0.0, IOR=1.45, Transmission_Weight=1.0),
     0.01, 0.005, 0.15),
    ("glass-rough", shaded((1, 1, 1), Roughness=0.4, IOR=1.45, Transmission_Weight=1.0),
     0.01, 0.005, 0.10),
    ("glass-green", shaded((0.3, 0.8, 0.4), Roughness=0.0, IOR=1.45, Transmission_Weight=1.0),
     0.01, 0.005, 0.12),
    ("without", without_material, 0.005, 0.005, 0.02),
]


@pytest.mark.parametrize(
    ("build", "mean", "typical", "worst"), [one[1:] for one in LIGHT + SURFACES],
    ids=[one[0] for one in LIGHT + SURFACES])
def test_light_is_as_strong_as_in_cycles(
    tmp_path: Path, build: Build, mean: float, typical: float, worst: float,
    request: pytest.FixtureRequest,
) -> None:
    build(tmp_path)
    apart, _ours, _theirs = pictures.compare(tmp_path)
    print(f"{request.node.callspec.id}: {apart}")
    assert abs(apart.mean - 1) < mean, apart
    assert apart.typical < typical, apart
    assert apart.worst < worst, apart


def target(
    folder: Path, width: int, height: int, *, fit: str = "AUTO", kind: str = "PERSP",
    shift: tuple[float, float] = (0, 0), border: tuple[float, ...] | None = None,
) -> bpy.types.Camera:
    """A coloured target and a ball before it, seen by a camera: all of it glows."""
    scene = scenes.fresh(width, height)
    scenes.world(scene, (1, 1, 1))
    image = scenes.image("checks", scenes.checks(), folder / "checks.png")
    shade = scenes.textured("target", image, "Emission Color", color=(0, 0, 0),
                            Roughness=1.0, Specular_IOR_Level=0.0, Emission_Strength=1.0)
    scenes.plane(4, shade)
    scenes.ball(0.5, (0.3, -2.5, 2))
    camera = scenes.camera().data
    camera.sensor_fit, camera.type, camera.ortho_scale = fit, kind, 5.0
    camera.shift_x, camera.shift_y = shift
    if border is not None:
        render = scene.render
        render.use_border = render.use_crop_to_border = True
        render.border_min_x, render.border_min_y = border[:2]
        render.border_max_x, render.border_max_y = border[2:]
    return camera


@pytest.mark.parametrize(("size", "more"), [
    ((64, 64), {}),
    ((32, 64), {}),
    ((32, 64), {"fit": "HORIZONTAL"}),
    ((32, 64), {"fit": "VERTICAL"}),
    ((64, 32), {}),
    ((64, 32), {"fit": "VERTICAL"}),
    ((64, 48), {"shift": (13 / 64, -8.5 / 64)}),
    ((48, 64), {"shift": (-6.5 / 64, 19 / 64)}),
    ((48, 64), {"shift": (-6.5 / 64, 19 / 64), "fit": "VERTICAL"}),
    ((64, 48), {"kind": "ORTHO"}),
    ((48, 64), {"kind": "ORTHO", "fit": "HORIZONTAL"}),
    ((64, 48), {"kind": "ORTHO", "fit": "VERTICAL", "shift": (5 / 48, 4.5 / 48)}),
    ((64, 48), {"border": (0.2, 0.1, 0.7, 0.6)}),
    ((64, 48), {"border": (0.2, 0.1, 0.7, 0.6), "shift": (13 / 64, -8.5 / 64)}),
    ((64, 32), {"kind": "PANO"}),
], ids=str)
def test_the_camera_sees_what_blenders_does(
    tmp_path: Path, size: tuple[int, int], more: dict[str, Any]
) -> None:
    camera = target(tmp_path, *size, **more)
    if camera.type == "PANO":
        owner = camera if hasattr(camera, "panorama_type") else camera.cycles
        owner.panorama_type = "EQUIRECTANGULAR"
    apart, ours, theirs = pictures.compare(tmp_path)
    print(apart)
    # A picture that is moved by one pixel is off by more.
    moved = pictures.apart(np.roll(ours, 1, axis=1), theirs)
    assert apart.typical < 0.01 and apart.worst < 0.06, apart
    assert moved.worst > 2 * apart.worst, (moved, apart)


@pytest.mark.parametrize(("blades", "turn", "kind", "fstop"), [
    (0, 0.0, "PERSP", 0.05), (3, 0.0, "PERSP", 0.05), (3, 0.4, "PERSP", 0.05),
    (5, 0.4, "PERSP", 0.05), (3, 0.4, "ORTHO", 1.0),
])
def test_what_is_out_of_focus_has_the_shape_of_the_iris(
    tmp_path: Path, blades: int, turn: float, kind: str, fstop: float
) -> None:
    scene = scenes.fresh()
    scenes.ball(0.15, (0, 0, 0),
                scenes.material("glow", (0, 0, 0), Emission_Strength=300.0,
                                Specular_IOR_Level=0.0))
    camera = scenes.camera((0, -6, 0)).data
    camera.type, camera.ortho_scale = kind, 3.0
    lens = camera.dof
    lens.use_dof, lens.focus_distance, lens.aperture_fstop = True, 2.0, fstop
    lens.aperture_blades, lens.aperture_rotation = blades, turn
    scene.cycles.samples = 1024
    apart, _ours, _theirs = pictures.compare(tmp_path)
    print(apart)
    assert abs(apart.mean - 1) < 0.02 and apart.worst < 0.08, apart


def test_focus_follows_an_object(tmp_path: Path) -> None:
    """The distance is along the view, not to the object."""
    scenes.fresh()
    scenes.plane()
    camera = scenes.camera((0, -6, 0), (0, 0, 0))
    aside = scenes.add(None, "aside", (3, -2, 1))
    camera.data.dof.use_dof, camera.data.dof.focus_object = True, aside
    bpy.context.view_layer.update()
    known, _sent = pictures.exported(tmp_path)
    assert known.camera is not None
    assert known.camera.focus == pytest.approx(4.0, abs=1e-4)


MOTIONS: dict[str, Callable[[bpy.types.Scene], None]] = {}


def motion(build: Callable[[bpy.types.Scene], None]) -> Callable[[bpy.types.Scene], None]:
    MOTIONS[build.__name__] = build
    return build


@motion
def across(_scene: bpy.types.Scene) -> None:
    scenes.move(scenes.ball(0.6, (0, 0, 0.8)), "location", (-2, 0, 0.8), (2, 0, 0.8))


@motion
def across_at_an_odd_rate(scene: bpy.types.Scene) -> None:
    across(scene)
    scene.render.fps, scene.render.fps_base = 30, 1.5


@motion
def across_from_the_start(scene: bpy.types.Scene) -> None:
    across(scene)
    scene.render.motion_blur_position = "START"


@motion
def shape_keys(_scene: bpy.types.Scene) -> None:
    made = scenes.ball(0.6, (0, 0, 0.8))
    made.shape_key_add(name="Basis")
    key = made.shape_key_add(name="wide")
    for one in key.data:
        one.co = one.co * (1.5 if one.co.x > 0 else 1)
    scenes.move(key, "value", 0.0, 1.0)


@motion
def lamps_lens_and_material(scene: bpy.types.Scene) -> None:
    shade = scenes.material("blue", (0.1, 0.1, 0.8))
    made = scenes.ball(0.6, (0, 0, 0.8), shade)
    # With a modifier Blender's own exporter cannot write keys of materials.
    made.modifiers.new("smooth", "SUBSURF")
    inputs = scenes.principled(shade).inputs
    scenes.move(inputs["Base Color"], "default_value", (0.1, 0.1, 0.8, 1), (0.9, 0.1, 0.1, 1))
    scenes.move(inputs["Emission Strength"], "default_value", 0.0, 4.0)
    scenes.move(inputs["Alpha"], "default_value", 1.0, 0.3)
    scenes.move(bpy.data.lights["sun"], "energy", 2.0, 8.0)
    scenes.move(bpy.data.cameras["shot_cam"], "lens", 35.0, 60.0)
    scene.render.motion_blur_shutter = 0.1
    scene.frame_set(8)


@pytest.mark.parametrize("name", list(MOTIONS))
def test_what_moves_moves_as_in_blender(tmp_path: Path, name: str) -> None:
    scene = scenes.fresh()
    scenes.world(scene, (0.5, 0.6, 0.8))
    scenes.lamp("SUN", "sun", (3, -2, 5), energy=2.0, angle=0.05)
    scenes.plane(6)
    scenes.camera()
    scene.frame_start, scene.frame_end = 1, 9
    scene.render.use_motion_blur, scene.render.motion_blur_shutter = True, 1.0
    scene.frame_set(5)
    MOTIONS[name](scene)
    theirs = pictures.cycles(tmp_path)
    known, sent = pictures.exported(tmp_path, moving=True)
    apart = pictures.apart(pictures.tessera(known, sent, tmp_path), theirs)
    print(apart)
    assert abs(apart.mean - 1) < 0.005 and apart.worst < 0.03, apart


def test_a_moving_camera_and_a_bone(tmp_path: Path) -> None:
    scene = scenes.fresh()
    scenes.world(scene, (0.5, 0.6, 0.8))
    scenes.lamp("SUN", "sun", (3, -2, 5), energy=2.0, angle=0.05)
    scenes.plane(6)
    camera = scenes.camera()
    scenes.move(camera, "location", (-0.5, -6, 4), (0.5, -6, 4))
    skeleton = bpy.data.armatures.new("skeleton")
    owner = scenes.add(skeleton, "skeleton")
    bpy.context.view_layer.objects.active = owner
    bpy.ops.object.mode_set(mode="EDIT")
    bone = skeleton.edit_bones.new("bone")
    bone.head, bone.tail = (0, 0, 0), (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    box = scenes.cube("box", (0, 0, 1))
    box.parent = owner
    box.modifiers.new("skeleton", "ARMATURE").object = owner
    group = box.vertex_groups.new(name="bone")
    group.add(range(8), 1.0, "REPLACE")
    pose = owner.pose.bones["bone"]
    pose.rotation_mode = "XYZ"
    scenes.move(pose, "rotation_euler", (0, 0, 0), (0, 0, 1.0))
    scene.frame_start, scene.frame_end = 1, 9
    scene.render.use_motion_blur = True
    scene.frame_set(5)
    theirs = pictures.cycles(tmp_path)
    known, sent = pictures.exported(tmp_path, moving=True)
    apart = pictures.apart(pictures.tessera(known, sent, tmp_path), theirs)
    print(apart)
    assert abs(apart.mean - 1) < 0.005 and apart.worst < 0.03, apart


def test_a_render_shows_other_things_than_the_viewport(tmp_path: Path) -> None:
    """Levels of subdivision, modifiers, hidden objects, instances, curves and metaballs."""
    scene = scenes.fresh()
    scenes.world(scene, (0.5, 0.6, 0.8))
    scenes.lamp("SUN", "sun", (3, -2, 5), energy=2.0, angle=0.05)
    scenes.plane(8)
    scenes.camera((0, -7, 5))
    smooth = scenes.cube("smooth", (1.5, 1, 0.8)).modifiers.new("smooth", "SUBSURF")
    smooth.levels, smooth.render_levels = 0, 3
    box = scenes.cube("box", (2, -1, 0.8))
    box.modifiers.new("array", "ARRAY").show_render = False
    box.modifiers.new("bevel", "BEVEL").show_viewport = False
    scenes.ball(0.4, (-2, 0, 0.5)).hide_viewport = True
    scenes.ball(0.4, (-2, -1, 0.5)).hide_set(True)
    scenes.ball(0.4, (-2, 1, 0.5)).hide_render = True
    scenes.instancer("scatter")
    inner = bpy.data.collections.new("inner")
    for made in (scenes.ball(0.3, (0, -2, 0.4)), scenes.ball(0.3, (0.5, -2, 1))):
        scene.collection.objects.unlink(made)
        inner.objects.link(made)
    made.hide_render = True
    place = scenes.add(None, "place", (0.5, 0, 0))
    place.instance_type, place.instance_collection = "COLLECTION", inner
    curve = bpy.data.curves.new("curve", "CURVE")
    curve.dimensions, curve.bevel_depth = "3D", 0.1
    curve.resolution_u, curve.render_resolution_u = 1, 24
    points = curve.splines.new("BEZIER").bezier_points
    points.add(2)
    for one, at in zip(points, ((-1, -1, 1.2), (0, -1.5, 1.5), (1, -1, 1.2)), strict=True):
        one.co = at
        one.handle_left_type = one.handle_right_type = "AUTO"
    scenes.add(curve, "curve").data.materials.append(scenes.gray(0.3))
    blob = bpy.data.metaballs.new("blob")
    blob.elements.new().radius = 1.0
    scenes.add(blob, "blob", (-1, 2, 0.5))
    apart, _ours, _theirs = pictures.compare(tmp_path)
    print(apart)
    assert abs(apart.mean - 1) < 0.005 and apart.worst < 0.03, apart
