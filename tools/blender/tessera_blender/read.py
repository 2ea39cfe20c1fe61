# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a Blender scene into `facts`: with `nodes` and `moving`, where Blender keeps things."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import bpy
from mathutils import Vector

from . import facts, knobs, moving, nodes


def scene(context: bpy.types.Context) -> facts.Scene:
    """Everything that is known of the scene that `context` shows."""
    source, layer = context.scene, context.view_layer
    depsgraph = context.evaluated_depsgraph_get()
    engine = source.render.engine
    rendered = list(rendered_objects(source, layer))
    picture = read_picture(source, layer)
    camera = read_camera(source, source.camera, depsgraph, rendered) if source.camera else None
    lamps, things = [], []
    instancers = instancing_objects(depsgraph)
    for object_ in rendered:
        if object_.type == "LIGHT":
            lamps.append(read_lamp(object_, source, engine))
        elif object_.type not in ("CAMERA", "SPEAKER", "LIGHT_PROBE", "LATTICE"):
            things.append(read_thing(object_, engine, instancers))
    return facts.Scene(
        name=source.name,
        picture=picture,
        camera=camera,
        world=read_world(source.world, engine) if source.world else None,
        lamps=tuple(lamps),
        things=tuple(things),
        materials=tuple(read_materials(rendered)),
        rendered=frozenset(key(object_) for object_ in rendered),
        groups=frozenset(key(one) for one in rendered if one.instance_type == "COLLECTION"),
        is_animated=moving.is_scene_moving(source, rendered),
        compositor=compositor_words(source),
        strips=strips(source),
        bound_cameras=bound_cameras(source),
        is_linear_rec709=working_space() in ("", "Linear Rec.709"),
        odd=odd(source, knobs.SCENE, engine) + odd(layer, knobs.VIEW_LAYER, engine),
    )


def key(data: Any) -> int:
    """The number of a data-block in this session: how the exported file and the facts meet."""
    return int(data.original.session_uid)


def odd(owner: Any, table: Iterable[knobs.Knob], engine: str) -> tuple[facts.Odd, ...]:
    """The settings of a table that are not at a harmless value."""
    found = []
    for knob in table:
        if knob.engine and knob.engine != engine:
            continue
        value = owner
        for name in knob.path.split("."):
            value = getattr(value, name, _NOTHING)
        if value is _NOTHING or _same(value, knob.harmless):
            continue
        shown = value if isinstance(value, (bool, int, float, str)) else getattr(value, "name", "")
        found.append(facts.Odd(knob.path, shown))
    return tuple(found)


_NOTHING = object()


def _same(value: Any, harmless: tuple[Any, ...]) -> bool:
    if isinstance(value, float):
        return any(abs(value - one) < 1e-6 for one in harmless)
    return value in harmless


# Objects.


def rendered_objects(source: bpy.types.Scene, layer: bpy.types.ViewLayer) -> Iterator[Any]:
    """The objects that a render shows, those of instanced collections too, each once."""
    seen: set[int] = set()

    def walk(objects: Iterable[Any]) -> Iterator[Any]:
        for object_ in objects:
            if object_.hide_render or key(object_) in seen:
                continue
            seen.add(key(object_))
            yield object_
            inner = object_.instance_collection if object_.instance_type == "COLLECTION" else None
            if inner is not None:
                yield from walk(shown_in(inner))

    yield from walk(one for one in shown_in_layer(layer.layer_collection))


def shown_in_layer(collection: bpy.types.LayerCollection) -> Iterator[Any]:
    """The objects of a layer's collections that a render shows."""
    if collection.exclude or collection.collection.hide_render:
        return
    yield from collection.collection.objects
    for child in collection.children:
        yield from shown_in_layer(child)


def shown_in(collection: bpy.types.Collection) -> Iterator[Any]:
    """The objects of a collection that a render shows."""
    if collection.hide_render:
        return
    yield from collection.objects
    for child in collection.children:
        yield from shown_in(child)


def instancing_objects(depsgraph: bpy.types.Depsgraph) -> set[int]:
    """Keys of the objects that make instances of others, as geometry nodes do."""
    return {
        key(one.parent) for one in depsgraph.object_instances if one.is_instance and one.parent
    }


def read_thing(object_: bpy.types.Object, engine: str, instancers: set[int]) -> facts.Thing:
    """An object that is neither lamp nor camera."""
    modifiers = [one for one in object_.modifiers if one.show_render]
    moved = moving.paths(object_)
    unsteady = [one.name for one in modifiers if moving.moves(one, moved)]
    systems = [
        system for modifier in modifiers if modifier.type == "PARTICLE_SYSTEM"
        for system in [modifier.particle_system] if system.settings.render_type != "NONE"
    ]
    keys = getattr(object_.data, "shape_keys", None) if object_.data is not None else None
    return facts.Thing(
        name=object_.name,
        kind=object_.type,
        modifiers=tuple((one.name, one.type) for one in modifiers),
        moving_modifiers=tuple(unsteady),
        particles=tuple(one.settings.render_type for one in systems),
        has_instances=key(object_) in instancers and object_.instance_type == "NONE",
        has_moving_shape_keys=bool(keys and keys.animation_data and len(keys.key_blocks) > 1),
        has_uv=object_.type != "MESH" or bool(object_.data.uv_layers) or bool(modifiers),
        has_images=any(shows_images(slot.material) for slot in object_.material_slots),
        odd=odd(object_, knobs.OBJECT, engine) + odd(object_, knobs.LINKING, engine),
    )


def shows_images(material: bpy.types.Material | None) -> bool:
    """Whether a material has textures, as far as a look at its own nodes tells."""
    if material is None or not nodes.uses_nodes(material):
        return False
    return any(node.type == "TEX_IMAGE" for node in material.node_tree.nodes)


# Lamps and the camera.


def moments(
    context: bpy.types.Context, known: facts.Scene, span: tuple[int, int]
) -> list[facts.Moment]:
    """What moves besides objects, at each frame of a span; empty where nothing does.

    The scene is left at the last frame.
    """
    source, engine = context.scene, context.scene.render.engine
    lamps = {lamp.key for lamp in known.lamps if lamp.animated}
    materials = {one.key for one in known.materials if one.is_animated}
    camera = known.camera is not None and known.camera.animated
    found: list[facts.Moment] = []
    if not lamps and not materials and not camera:
        return found
    rendered = list(rendered_objects(source, context.view_layer))
    for frame in range(span[0], span[1] + 1):
        source.frame_set(frame)
        depsgraph = context.evaluated_depsgraph_get()
        found.append(facts.Moment(
            frame=frame,
            lamps=tuple(read_lamp(one, source, engine) for one in rendered if key(one) in lamps),
            camera=read_camera(source, source.camera, depsgraph, ()) if camera else None,
            materials=tuple(one for one in read_materials(rendered) if one.key in materials)
            if materials else (),
        ))
    return found


def read_lamp(object_: bpy.types.Object, source: bpy.types.Scene, engine: str) -> facts.Lamp:
    """A lamp, with its exposure and temperature worked in."""
    lamp = object_.data
    color = lamp_color(lamp)
    energy = lamp.energy * 2.0 ** getattr(lamp, "exposure", 0.0)
    intensity = energy if lamp.type == "SUN" else energy / (4 * math.pi)
    if not getattr(lamp, "normalize", True):
        intensity *= lamp.area(matrix_world=object_.matrix_world)
    scale = object_.matrix_world.to_3x3()
    size = getattr(lamp, "size", 1.0)
    shape = getattr(lamp, "shape", "SQUARE")
    height = getattr(lamp, "size_y", size) if shape in ("RECTANGLE", "ELLIPSE") else size
    oddities = odd(lamp, knobs.LAMP, engine) + odd(object_, knobs.LAMP_OBJECT, engine)
    if lamp.type == "AREA" and getattr(lamp, "spread", math.pi) < math.pi - 1e-4:
        oddities += (facts.Odd("spread", round(math.degrees(lamp.spread))),)
    return facts.Lamp(
        key=key(object_),
        data_key=key(lamp),
        name=object_.name,
        kind=lamp.type,
        color=color,
        energy=energy,
        intensity=intensity,
        radius=lamp.shadow_soft_size if lamp.type in ("POINT", "SPOT") else 0.0,
        angle=lamp.angle if lamp.type == "SUN" else 0.0,
        cone=lamp.spot_size if lamp.type == "SPOT" else 0.0,
        blend=lamp.spot_blend if lamp.type == "SPOT" else 0.0,
        shape=shape,
        size=(size, height),
        scale=(scale.col[0].length, scale.col[1].length),
        is_normalized=getattr(lamp, "normalize", True),
        is_portal=lamp.type == "AREA" and bool(getattr(lamp.cycles, "is_portal", False)),
        is_in_frame=lamp.type == "AREA" and is_in_frame(object_, source, (size, height)),
        is_seen=bool(object_.visible_camera),
        node_words=lamp_words(lamp),
        animated=tuple(sorted(moving.paths(lamp) | moving.paths(lamp.node_tree))),
        odd=oddities + odd(object_, knobs.LINKING, engine),
    )


def lamp_color(lamp: bpy.types.Light) -> facts.Rgb:
    """A lamp's colour, with its temperature and a plain emission node worked in."""
    color = tuple(lamp.color)
    if getattr(lamp, "use_temperature", False):
        color = tuple(a * b for a, b in zip(color, lamp.temperature_color, strict=True))
    emission = plain_emission(lamp)
    if emission is not None:
        factor, strength = emission
        color = tuple(a * b * strength for a, b in zip(color, factor, strict=True))
    return color


def lamp_words(lamp: bpy.types.Light) -> tuple[str, ...]:
    """The nodes of a lamp that say more than one plain emission."""
    if not lamp.use_nodes or lamp.node_tree is None:
        return ()
    tree = nodes.TreeReader().read(lamp.node_tree)
    used = tree.upstream(tree.surface)
    if len(used) == 1 and tree.nodes[used[0]].kind == "EMISSION":
        return ()
    return tuple(tree.nodes[one].word for one in used)


def plain_emission(lamp: bpy.types.Light) -> tuple[facts.Rgb, float] | None:
    """Colour and strength of a lamp's one plain emission node, if that is what its nodes are."""
    if not lamp.use_nodes or lamp.node_tree is None:
        return None
    tree = nodes.TreeReader().read(lamp.node_tree)
    used = tree.upstream(tree.surface)
    if len(used) != 1 or tree.nodes[used[0]].kind != "EMISSION":
        return None
    inputs = tree.nodes[used[0]].inputs
    return inputs["Color"].value, inputs["Strength"].value


def is_in_frame(object_: Any, source: bpy.types.Scene, size: tuple[float, float]) -> bool:
    """Whether the camera would see a flat lamp's front."""
    camera = source.camera
    if camera is None:
        return False
    eye, place = camera.matrix_world.translation, object_.matrix_world
    away = camera.matrix_world.to_3x3() @ Vector((0, 0, 1))
    seen_from = away if camera.data.type == "ORTHO" else eye - place.translation
    if (place.to_3x3() @ Vector((0, 0, -1))).dot(seen_from) <= 0:
        return False
    corners = [place @ Vector((x * size[0] / 2, y * size[1] / 2, 0))
               for x in (-1, 0, 1) for y in (-1, 0, 1)]
    from bpy_extras.object_utils import world_to_camera_view

    seen = (world_to_camera_view(source, camera, corner) for corner in corners)
    return any(0 <= one.x <= 1 and 0 <= one.y <= 1 and one.z > 0 for one in seen)


def read_camera(
    source: bpy.types.Scene, object_: bpy.types.Object, depsgraph: Any, rendered: Iterable[Any]
) -> facts.Camera:
    """The camera that is rendered."""
    data = object_.data
    lens = data.dof
    turn = math.pi
    panorama = getattr(data, "panorama_type", None) or getattr(
        getattr(data, "cycles", None), "panorama_type", "")
    longitudes = [getattr(data, name, sign * turn) for name, sign in
                  (("longitude_min", -1), ("longitude_max", 1))]
    latitudes = [getattr(data, name, sign * turn / 2) for name, sign in
                 (("latitude_min", -1), ("latitude_max", 1))]
    return facts.Camera(
        key=key(object_),
        name=object_.name,
        kind=data.type,
        panorama=panorama if data.type == "PANO" else "",
        covers_all=longitudes[1] - longitudes[0] > 2 * turn - 1e-3
        and latitudes[1] - latitudes[0] > turn - 1e-3,
        lens=data.lens / 1000,
        sensor=(data.sensor_width / 1000, data.sensor_height / 1000),
        fit=data.sensor_fit,
        ortho_scale=data.ortho_scale,
        shift=(data.shift_x, data.shift_y),
        has_lens_blur=bool(lens.use_dof),
        fstop=lens.aperture_fstop,
        focus=focus(object_, depsgraph),
        blades=lens.aperture_blades,
        blade_rotation=lens.aperture_rotation,
        clip=(data.clip_start, data.clip_end),
        reach=reach(object_, rendered),
        animated=tuple(sorted(moving.paths(data))),
        odd=odd(data, knobs.CAMERA if lens.use_dof else (), source.render.engine),
    )


def focus(camera: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> float:
    """How far away along the view things are sharp."""
    lens = camera.data.dof
    if lens.focus_object is None:
        return float(lens.focus_distance)
    place = lens.focus_object.evaluated_get(depsgraph).matrix_world
    bones = lens.focus_object.pose.bones if lens.focus_object.pose else {}
    if getattr(lens, "focus_subtarget", "") in bones:
        place = place @ bones[lens.focus_subtarget].matrix
    view = camera.matrix_world.to_3x3().col[2].normalized()
    return abs((camera.matrix_world.translation - place.translation).dot(view))


def reach(camera: bpy.types.Object, rendered: Iterable[Any]) -> float:
    """How far along the view the furthest corner of any object's box is."""
    view = camera.matrix_world.to_3x3().col[2].normalized()
    eye = camera.matrix_world.translation
    furthest = 0.0
    for object_ in rendered:
        if object_.type in ("MESH", "CURVE", "SURFACE", "FONT"):
            for corner in object_.bound_box:
                furthest = max(furthest, (eye - object_.matrix_world @ Vector(corner)).dot(view))
    return furthest


# The picture.


def read_picture(source: bpy.types.Scene, layer: bpy.types.ViewLayer) -> facts.Picture:
    """Size, samples, frames and looks."""
    render, view = source.render, source.view_settings
    share = render.resolution_percentage / 100
    width, height = int(render.resolution_x * share), int(render.resolution_y * share)
    crop = None
    if render.use_border:
        left, right = int(render.border_min_x * width), int(render.border_max_x * width)
        bottom, top = int(render.border_min_y * height), int(render.border_max_y * height)
        crop = (left, height - top, right - left, top - bottom)
    cycles = getattr(source, "cycles", None)
    samples, threshold, least, bounces = source.eevee.taa_render_samples, 0.0, 0, 12
    filter_, filter_width, has_fewer = "BLACKMAN_HARRIS", 1.5, False
    if render.engine == "CYCLES" and cycles is not None:
        samples, bounces = cycles.samples, cycles.max_bounces
        filter_, filter_width = cycles.pixel_filter_type, cycles.filter_width
        kinds = (cycles.diffuse_bounces, cycles.glossy_bounces, cycles.transmission_bounces)
        has_fewer = min(kinds) < bounces
        if cycles.use_adaptive_sampling:
            threshold, least = cycles.adaptive_threshold, cycles.adaptive_min_samples
    blurs = render.use_motion_blur and getattr(layer, "use_motion_blur", True)
    shutter = getattr(render, "motion_blur_shutter_curve", None)
    heights = {round(point.location.y, 3) for curve in (shutter.curves if shutter else ())
               for point in curve.points}
    return facts.Picture(
        engine=render.engine,
        size=(max(width, 1), max(height, 1)),
        crop=crop,
        crops_file=bool(crop and render.use_crop_to_border),
        samples=samples,
        threshold=threshold,
        samples_min=least,
        bounces=bounces,
        has_fewer_bounces=has_fewer,
        filter=filter_,
        filter_width=filter_width,
        exposure=view.exposure,
        view=view.view_transform,
        look=view.look,
        is_transparent=render.film_transparent,
        frame=source.frame_current,
        frames=(source.frame_start, source.frame_end, source.frame_step),
        # Keys are written at one second for so many frames, whatever `fps_base` says.
        fps=float(render.fps),
        shutter=render.motion_blur_shutter if blurs else 0.0,
        shutter_position=getattr(render, "motion_blur_position", "CENTER"),
        has_shutter_curve=blurs and len(heights) > 1,
        passes=tuple(sorted(passes(layer))),
        view_layers=sum(1 for one in source.view_layers if one.use),
    )


def passes(layer: bpy.types.ViewLayer) -> Iterator[str]:
    """Names of the passes that the layer asks for."""
    for property_ in layer.bl_rna.properties:
        name = property_.identifier
        if name == "use_pass_cryptomatte_accurate" or not name.startswith("use_pass_"):
            continue
        if getattr(layer, name):
            yield name.removeprefix("use_pass_")
    cycles = getattr(layer, "cycles", None)
    for name in ("use_pass_volume_direct", "use_pass_volume_indirect", "use_pass_shadow_catcher"):
        if getattr(cycles, name, False):
            yield name.removeprefix("use_pass_")


def compositor_words(source: bpy.types.Scene) -> tuple[str, ...]:
    """The nodes of the compositor, if it does anything."""
    # Blender 5 has a group of nodes for it.
    if hasattr(source, "compositing_node_group"):
        tree = source.compositing_node_group
    else:
        tree = source.node_tree if source.use_nodes else None
    if tree is None or not source.render.use_compositing:
        return ()
    plain = {"R_LAYERS", "COMPOSITE", "VIEWER", "REROUTE", "FRAME", "GROUP_OUTPUT", "GROUP_INPUT"}
    return tuple(node.bl_label for node in tree.nodes if node.type not in plain and not node.mute)


def strips(source: bpy.types.Scene) -> tuple[str, ...]:
    """The strips of the video editor that stand in for the render."""
    editor = source.sequence_editor
    if editor is None or not source.render.use_sequencer:
        return ()
    # Blender 4.4 calls them strips.
    found = getattr(editor, "strips", None) or getattr(editor, "sequences", ())
    return tuple(one.name for one in found if not one.mute)


def bound_cameras(source: bpy.types.Scene) -> tuple[str, ...]:
    """Cameras that markers switch to, other than the one that is rendered."""
    found = {one.camera.name for one in source.timeline_markers if one.camera is not None}
    return tuple(sorted(found - {source.camera.name if source.camera else ""}))


def working_space() -> str:
    """The colour space that Blender renders in, where it can be chosen (Blender 5)."""
    return getattr(getattr(bpy.data, "colorspace", None), "working_space", "")


# Worlds and materials.


def read_world(world: bpy.types.World, engine: str) -> facts.World:
    """What surrounds the scene."""
    tree = nodes.tree_of(world)
    moved = moving.paths(world) | (moving.paths(world.node_tree) if world.node_tree else set())
    return facts.World(
        name=world.name,
        color=tuple(world.color),
        tree=tree,
        is_animated=bool(moved),
        odd=odd(world, knobs.WORLD, engine),
    )


def read_materials(rendered: Iterable[Any]) -> Iterator[facts.Material]:
    """The materials that the objects show, each once."""
    seen: set[int] = set()
    for object_ in rendered:
        for slot in object_.material_slots:
            material = slot.material
            if material is None or key(material) in seen:
                continue
            seen.add(key(material))
            tree = nodes.tree_of(material)
            moved = moving.paths(material) | moving.paths(material.node_tree)
            yield facts.Material(key(material), material.name, tree, is_animated=bool(moved))
