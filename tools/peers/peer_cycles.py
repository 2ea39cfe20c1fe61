"""Cycles, by Blender's Python module (bpy).

The scene comes through Blender's own glTF importer, so materials are what an artist would get.
Cameras, sun, sky and lamps are made here from the glTF, so that their radiometry is exact.
"""

from __future__ import annotations

import math
import time
from typing import Any

from gltf import Gltf, Lamp
from jobs import Job, median


def render(job: Job) -> dict[str, Any]:
    """Renders a job; seconds of each phase."""
    start = time.perf_counter()
    import bpy

    import_s = time.perf_counter() - start
    gltf = Gltf(job.path)
    notes = [] if not gltf.lamps or job.lights else ["the file's lamps are left out"]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    start = time.perf_counter()
    bpy.ops.import_scene.gltf(filepath=job.path, disable_bone_shape=True)
    load_s = time.perf_counter() - start
    scene = bpy.context.scene
    for thing in [one for one in scene.objects if one.type in ("LIGHT", "CAMERA")]:
        bpy.data.objects.remove(thing)
    scene.frame_set(0)
    add_camera(bpy, job)
    add_light(bpy, job)
    if job.lights:
        for index, lamp in enumerate(gltf.lamps):
            notes += add_lamp(bpy, f"lamp{index}", lamp)
    set_materials(bpy, job)
    configure(bpy, job)
    times = measure(bpy, job)
    return {"version": bpy.app.version_string, "import_s": import_s, "load_s": load_s,
            "notes": sorted(set(notes)), **times}


def to_blender(vector: list[float]) -> Any:
    """glTF's y up is Blender's z up."""
    import mathutils

    return mathutils.Vector((vector[0], -vector[2], vector[1]))


def place(thing: Any, position: Any, back: Any) -> None:
    """Puts a camera or lamp somewhere; it looks away from `back`."""
    import mathutils

    turn = back.to_track_quat("Z", "Y").to_matrix().to_4x4()
    thing.matrix_world = mathutils.Matrix.Translation(position) @ turn


def add_camera(bpy: Any, job: Job) -> None:
    """A pinhole; the field of view is the vertical one."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    eye, target = to_blender(job.eye), to_blender(job.target)
    place(camera, eye, eye - target)
    camera.data.sensor_fit, camera.data.angle = "VERTICAL", math.radians(job.vfov)
    camera.data.clip_start, camera.data.clip_end = 1e-4, 1e6


def add_light(bpy: Any, job: Job) -> None:
    """The sun (strength is irradiance) and a constant sky (strength is radiance)."""
    scene = bpy.context.scene
    if job.sun > 0:
        light = bpy.data.lights.new("sun", "SUN")
        light.energy, light.angle = job.sun, 0.0
        sun = bpy.data.objects.new("sun", light)
        scene.collection.objects.link(sun)
        place(sun, to_blender([0, 0, 0]), to_blender(job.sun_dir))
    world = bpy.data.worlds.new("world")
    scene.world = world
    world.use_nodes = True
    sky = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    sky.inputs["Color"].default_value = (1, 1, 1, 1)
    sky.inputs["Strength"].default_value = job.sky


def add_lamp(bpy: Any, name: str, lamp: Lamp) -> list[str]:
    """A lamp of zero size; notes on what Cycles cannot do.

    A point or spot lamp of P watts radiates P/(4π) W/sr: `bench.py check` measures it.
    """
    kind = {"point": "POINT", "spot": "SPOT", "directional": "SUN"}[lamp.kind]
    light = bpy.data.lights.new(name, kind)
    peak = max(lamp.intensity) or 1.0
    light.color = [one / peak for one in lamp.intensity]
    if kind == "SUN":
        light.energy, light.angle = peak, 0.0
    else:
        light.energy, light.shadow_soft_size = peak * 4 * math.pi, 0.0
    if kind == "SPOT":
        light.spot_size, light.spot_blend = min(math.pi, 2 * lamp.outer + 1e-3), 0.0
        shape_spot(light, lamp)
    thing = bpy.data.objects.new(name, light)
    bpy.context.scene.collection.objects.link(thing)
    place(thing, to_blender(lamp.position), -to_blender(lamp.axis))
    return ["Cycles: lamps' ranges are left out"] if lamp.range_m else []


def shape_spot(light: Any, lamp: Lamp) -> None:
    """glTF's falloff, saturate(cos · scale + offset)², as nodes: Blender's has another shape."""
    light.use_nodes = True
    tree = light.node_tree
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    way, dot = nodes.new("ShaderNodeNewGeometry"), nodes.new("ShaderNodeVectorMath")
    dot.operation = "DOT_PRODUCT"
    dot.inputs[1].default_value = to_blender(lamp.axis)
    cone, square = nodes.new("ShaderNodeMath"), nodes.new("ShaderNodeMath")
    cone.operation, cone.use_clamp, square.operation = "MULTIPLY_ADD", True, "POWER"
    cone.inputs[1].default_value, cone.inputs[2].default_value = lamp.cone()
    square.inputs[1].default_value = 2.0
    emission, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputLight")
    links.new(way.outputs["Incoming"], dot.inputs[0])
    links.new(dot.outputs["Value"], cone.inputs[0])
    links.new(cone.outputs[0], square.inputs[0])
    links.new(square.outputs[0], emission.inputs["Strength"])
    links.new(emission.outputs[0], output.inputs["Surface"])


def set_materials(bpy: Any, job: Job) -> None:
    """The gray of all surfaces, or the imported materials with or without their emission."""
    if job.material == "gray":
        material = bpy.data.materials.new("gray")
        material.use_nodes = True
        tree = material.node_tree
        tree.nodes.clear()
        diffuse = tree.nodes.new("ShaderNodeBsdfDiffuse")
        output = tree.nodes.new("ShaderNodeOutputMaterial")
        diffuse.inputs["Color"].default_value = (job.albedo,) * 3 + (1,)
        tree.links.new(diffuse.outputs[0], output.inputs[0])
        bpy.context.scene.view_layers[0].material_override = material
    elif not job.emission:
        for material in bpy.data.materials:
            for node in material.node_tree.nodes if material.node_tree else []:
                if node.type == "BSDF_PRINCIPLED":
                    for name in ("Emission Strength", "Emission Color"):
                        for link in list(node.inputs[name].links):
                            material.node_tree.links.remove(link)
                    node.inputs["Emission Strength"].default_value = 0.0


def configure(bpy: Any, job: Job) -> None:
    """The picture's size and the path tracer: nothing clamped, adaptive, denoised or blurred."""
    picture, cycles = bpy.context.scene.render, bpy.context.scene.cycles
    picture.engine = "CYCLES"
    picture.resolution_x, picture.resolution_y = job.width, job.height
    picture.resolution_percentage = 100
    picture.threads_mode, picture.threads = "FIXED", job.threads
    picture.use_persistent_data = True  # a second render finds its tree built
    cycles.device, cycles.use_adaptive_sampling, cycles.use_denoising = "CPU", False, False
    cycles.sample_clamp_direct = cycles.sample_clamp_indirect = 0.0
    cycles.caustics_reflective = cycles.caustics_refractive = True
    cycles.blur_glossy = cycles.light_sampling_threshold = 0.0
    cycles.pixel_filter_type, cycles.filter_width = "BOX", 1.0
    cycles.max_bounces = cycles.diffuse_bounces = cycles.glossy_bounces = job.bounces
    cycles.transmission_bounces, cycles.volume_bounces = job.bounces, 0
    cycles.transparent_max_bounces = 64
    if job.rr == "off":
        cycles.min_light_bounces = 1024
    cycles.seed = job.seed
    for name, value in job.cycles.items():
        setattr(cycles, name, value)
    image = picture.image_settings
    image.file_format, image.color_depth, image.color_mode = "OPEN_EXR", "32", "RGB"
    image.exr_codec = "ZIP"


def measure(bpy: Any, job: Job) -> dict[str, Any]:
    """Seconds of sampling: a render less one of 1 spp, so that preparing and writing cancel."""
    scene = bpy.context.scene

    def once(spp: int, out: str | None) -> tuple[float, float]:
        scene.cycles.samples = spp
        scene.render.filepath = out or "/dev/null"
        wall, cpu = time.perf_counter(), time.process_time()
        bpy.ops.render.render(write_still=bool(out))
        return time.perf_counter() - wall, time.process_time() - cpu

    cold, base = once(1, None), once(1, None)
    full = [once(job.spp, job.out) for _ in range(job.repeat)]
    share = job.spp / max(1, job.spp - 1)
    wall, cpu = (median([one[at] - base[at] for one in full]) * share for at in (0, 1))
    return {"build_s": cold[0] - base[0], "build_cpu_s": cold[1] - base[1],
            "sample_s": wall, "sample_cpu_s": cpu}
