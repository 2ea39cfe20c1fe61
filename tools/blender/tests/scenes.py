# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes made with real calls of Blender, small enough to render twice."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector


def fresh(width: int = 64, height: int = 64) -> bpy.types.Scene:
    """An empty scene whose picture is told exactly: Cycles, box filter, no shortcuts."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.threads_mode, render.threads = "FIXED", 2
    cycles.device, cycles.samples, cycles.max_bounces = "CPU", 128, 4
    cycles.diffuse_bounces = cycles.glossy_bounces = cycles.transmission_bounces = 4
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    cycles.sample_clamp_direct = cycles.sample_clamp_indirect = 0.0
    cycles.blur_glossy = cycles.light_sampling_threshold = 0.0
    cycles.caustics_reflective = cycles.caustics_refractive = True
    cycles.pixel_filter_type, cycles.filter_width = "BOX", 1.0
    scene.view_settings.view_transform = "Raw" if has_view(scene, "Raw") else "NONE"
    world(scene, (0.0, 0.0, 0.0))
    return scene


def has_view(scene: bpy.types.Scene, name: str) -> bool:
    try:
        scene.view_settings.view_transform = name
    except TypeError:
        return False
    return True


def add(data: Any, name: str, place: tuple[float, ...] = (0, 0, 0)) -> bpy.types.Object:
    made = bpy.data.objects.new(name, data)
    made.location = place
    bpy.context.scene.collection.objects.link(made)
    return made


def look(thing: bpy.types.Object, at: tuple[float, ...]) -> bpy.types.Object:
    way = Vector(at) - thing.location
    thing.rotation_euler = way.to_track_quat("-Z", "Y").to_euler()
    return thing


def camera(
    place: tuple[float, ...] = (0, -6, 4), at: tuple[float, ...] = (0, 0, 0), lens: float = 35
) -> bpy.types.Object:
    data = bpy.data.cameras.new("shot_cam")
    data.lens = lens
    made = look(add(data, "shot_cam", place), at)
    bpy.context.scene.camera = made
    return made


def lamp(kind: str, name: str, place: tuple[float, ...], **more: Any) -> bpy.types.Object:
    data = bpy.data.lights.new(name, kind)
    for key, value in more.items():
        setattr(data, key, value)
    return look(add(data, name, place), (0, 0, 0))


def world(scene: bpy.types.Scene, color: tuple[float, ...], strength: float = 1.0) -> Any:
    made = bpy.data.worlds.new("World")
    made.use_nodes = True
    scene.world = made
    node = made.node_tree.nodes["Background"]
    node.inputs["Color"].default_value = (*color, 1)
    node.inputs["Strength"].default_value = strength
    return made


def material(name: str, color: tuple[float, ...] = (0.8, 0.8, 0.8), **more: Any) -> Any:
    """A Principled material; names of inputs with `_` for blanks."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    node = principled(made)
    node.inputs["Base Color"].default_value = (*color, 1)
    for key, value in more.items():
        node.inputs[key.replace("_", " ")].default_value = value
    return made


def principled(made: bpy.types.Material) -> Any:
    return next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")


def gray(value: float = 0.8) -> Any:
    """As diffuse as the Principled shader gets."""
    return material("gray", (value,) * 3, Roughness=1.0, Specular_IOR_Level=0.0)


def plane(size: float = 4.0, shade: Any = None, name: str = "plane", z: float = 0.0) -> Any:
    half = size / 2
    mesh = bpy.data.meshes.new(name)
    corners = [(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    uv = mesh.uv_layers.new(name="UVMap")
    for loop, at in zip(uv.data, [(0, 0), (1, 0), (1, 1), (0, 1)], strict=True):
        loop.uv = at
    mesh.materials.append(shade if shade is not None else gray())
    return add(mesh, name, (0, 0, z))


def ball(radius: float = 1.0, place: tuple[float, ...] = (0, 0, 1), shade: Any = None) -> Any:
    import bmesh

    mesh = bpy.data.meshes.new("ball")
    made = bmesh.new()
    made.loops.layers.uv.new("UVMap")
    bmesh.ops.create_uvsphere(made, u_segments=48, v_segments=24, radius=radius, calc_uvs=True)
    for face in made.faces:
        face.smooth = True
    made.to_mesh(mesh)
    made.free()
    mesh.materials.append(shade if shade is not None else gray())
    return add(mesh, "ball", place)


def image(name: str, pixels: np.ndarray, path: Path | None = None, is_float: bool = False) -> Any:
    """An image of [height][width][3] values, the lower line first as Blender has it."""
    height, width, _ = pixels.shape
    made = bpy.data.images.new(name, width, height, float_buffer=is_float)
    whole = np.ones((height, width, 4), np.float32)
    whole[..., :3] = pixels
    made.pixels.foreach_set(whole.ravel())
    if path is None:
        made.pack()
        return made
    made.filepath_raw = str(path)
    made.file_format = {".hdr": "HDR", ".exr": "OPEN_EXR", ".png": "PNG"}[path.suffix]
    made.save()
    bpy.data.images.remove(made)
    return bpy.data.images.load(str(path))


def checks(size: int = 128) -> np.ndarray:
    """Coloured squares, none like another in its row."""
    y, x = np.mgrid[:size, :size] // (size // 4)
    return np.stack([(x + 1) / 5, (y + 1) / 5, ((x + y) % 2) * 0.6 + 0.2], axis=-1)


def patches(width: int = 256) -> np.ndarray:
    """A sky in which every direction has a colour of its own, and one bright patch."""
    height = width // 2
    v, u = np.mgrid[:height, :width] / [[[height]], [[width]]]
    sky = np.stack([0.2 + 0.8 * u, 0.2 + 0.8 * v, 0.6 + 0.4 * np.sin(2 * math.pi * u)], axis=-1)
    sky[int(0.70 * height):int(0.80 * height), int(0.15 * width):int(0.22 * width)] = (30, 24, 18)
    return sky.astype(np.float32)


def textured(name: str, image: Any, input: str = "Base Color", **more: Any) -> Any:
    """A Principled material one of whose inputs is an image."""
    made = material(name, **more)
    node = made.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    made.node_tree.links.new(node.outputs["Color"], principled(made).inputs[input])
    return made


def chain(made: bpy.types.Material, input: str, *kinds: str) -> list[Any]:
    """Nodes one behind the other, first outputs to first inputs that fit, the last into `input`."""
    tree = made.node_tree
    nodes = [tree.nodes.new(kind) for kind in kinds]
    for before, after in zip(nodes, nodes[1:], strict=False):
        tree.links.new(before.outputs[0], after.inputs[0])
    tree.links.new(nodes[-1].outputs[0], principled(made).inputs[input])
    return nodes


def cube(name: str, place: tuple[float, ...] = (0, 0, 0.5), shade: Any = None) -> Any:
    import bmesh

    mesh = bpy.data.meshes.new(name)
    made = bmesh.new()
    made.loops.layers.uv.new("UVMap")
    bmesh.ops.create_cube(made, size=1.0, calc_uvs=True)
    made.to_mesh(mesh)
    made.free()
    mesh.materials.append(shade if shade is not None else gray())
    return add(mesh, name, place)


def move(thing: Any, path: str, first: Any, last: Any, frames: tuple[int, int] = (1, 9)) -> None:
    """Keys a property of two frames."""
    for frame, value in zip(frames, (first, last), strict=True):
        setattr(thing, path, value)
        thing.keyframe_insert(path, frame=frame)


def instancer(name: str, z: float = 0.5) -> Any:
    """A plane with a cube on each corner, by geometry nodes that realize nothing."""
    made = plane(3, name=name, z=z)
    tree = bpy.data.node_groups.new("on points", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    begin, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    points = tree.nodes.new("GeometryNodeInstanceOnPoints")
    box = tree.nodes.new("GeometryNodeMeshCube")
    box.inputs["Size"].default_value = (0.5, 0.5, 0.8)
    tree.links.new(begin.outputs[0], points.inputs["Points"])
    tree.links.new(box.outputs[0], points.inputs["Instance"])
    tree.links.new(points.outputs[0], end.inputs[0])
    made.modifiers.new("on points", "NODES").node_group = tree
    return made


def studio(folder: Path) -> bpy.types.Scene:
    """A bit of everything that goes along, and of what has to be set back after an export."""
    scene = fresh(64, 36)
    camera().data.dof.use_dof = True
    data = scene.camera.data
    data.dof.focus_distance, data.dof.aperture_fstop, data.dof.aperture_blades = 7.0, 2.8, 5
    plane(6, textured("wood", image("checks", checks(), folder / "checks.png")))
    mover = ball(0.6, (0, 0, 0.8), material("red", (0.8, 0.1, 0.1), Roughness=0.3, IOR=1.3))
    move(mover, "location", (-1, 0, 0.8), (1, 0, 0.8))
    box = cube("box", (1.5, 0.5, 0.5), material("glass", Transmission_Weight=1.0))
    subdivision = box.modifiers.new("smooth", "SUBSURF")
    subdivision.levels, subdivision.render_levels = 0, 2
    box.modifiers.new("only here", "ARRAY").show_render = False
    hidden = ball(0.3, (-2, 0, 0.4))
    hidden.name = "screen off"
    hidden.hide_viewport = True
    ball(0.3, (-2, 1, 0.4)).hide_render = True
    lamp("SUN", "sun", (3, -2, 5), energy=2.0, angle=math.radians(0.53))
    lamp("AREA", "softbox", (0, 2, 3), energy=60.0, shape="RECTANGLE", size=1.0, size_y=0.5)
    bulb = lamp("POINT", "bulb", (-1, -1, 2), energy=20.0, shadow_soft_size=0.1)
    if hasattr(bulb.data, "use_temperature"):
        bulb.data.use_temperature, bulb.data.temperature = True, 3000.0
    lamp("SPOT", "spot", (2, 2, 3), energy=80.0, spot_size=0.9).data.use_nodes = True
    sky_of(image("sky", patches(), folder / "patches.hdr", True), 0.5, 0.3)
    scene.render.fps, scene.render.fps_base = 30, 1.001
    scene.frame_start, scene.frame_end = 1, 9
    scene.render.use_motion_blur, scene.render.motion_blur_shutter = True, 0.5
    scene.frame_set(5)
    return scene


def sky_of(image: Any, turn: float = 0.0, strength: float = 1.0) -> Any:
    """Makes an image the world, turned about z by a Mapping node."""
    made = world(bpy.context.scene, (0, 0, 0), strength)
    tree = made.node_tree
    background = tree.nodes["Background"]
    texture = tree.nodes.new("ShaderNodeTexEnvironment")
    texture.image = image
    tree.links.new(texture.outputs["Color"], background.inputs["Color"])
    mapping = tree.nodes.new("ShaderNodeMapping")
    mapping.inputs["Rotation"].default_value[2] = turn
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["Generated"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs["Vector"], texture.inputs["Vector"])
    return made
