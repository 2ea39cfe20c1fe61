# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a Blender scene into `facts`: the one module that knows where Blender keeps things."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import bpy
from mathutils import Vector

from . import facts, knobs

PLAIN_OUTPUTS = {"OUTPUT_MATERIAL", "OUTPUT_WORLD", "OUTPUT_LIGHT"}
# Properties of nodes that say what becomes of them in glTF.
NODE_PROPS = (
    "blend_type", "data_type", "operation", "attribute_name", "layer_name", "vector_type", "space",
    "interpolation", "projection", "extension", "sky_type", "sun_disc", "sun_size",
    "sun_intensity", "sun_elevation", "sun_rotation", "air_density", "dust_density",
    "aerosol_density", "ozone_density", "altitude", "subsurface_method", "use_clamp",
    "clamp_result", "attribute_type",
)


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
        is_animated=is_scene_animated(source, rendered),
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
    moved = moving_paths(object_)
    moving = [one.name for one in modifiers if moves(one, moved)]
    systems = [
        system for modifier in modifiers if modifier.type == "PARTICLE_SYSTEM"
        for system in [modifier.particle_system] if system.settings.render_type != "NONE"
    ]
    keys = getattr(object_.data, "shape_keys", None) if object_.data is not None else None
    return facts.Thing(
        name=object_.name,
        kind=object_.type,
        modifiers=tuple((one.name, one.type) for one in modifiers),
        moving_modifiers=tuple(moving),
        particles=tuple(one.settings.render_type for one in systems),
        has_instances=key(object_) in instancers and object_.instance_type == "NONE",
        has_moving_shape_keys=bool(keys and keys.animation_data and len(keys.key_blocks) > 1),
        has_uv=object_.type != "MESH" or bool(object_.data.uv_layers) or bool(modifiers),
        has_images=any(shows_images(slot.material) for slot in object_.material_slots),
        odd=odd(object_, knobs.OBJECT, engine) + odd(object_, knobs.LINKING, engine),
    )


def shows_images(material: bpy.types.Material | None) -> bool:
    """Whether a material has textures, as far as a look at its own nodes tells."""
    if material is None or not uses_nodes(material):
        return False
    return any(node.type == "TEX_IMAGE" for node in material.node_tree.nodes)


def moves(modifier: bpy.types.Modifier, moved: set[str]) -> bool:
    """Whether what a modifier makes changes with time, as far as can be told without trying."""
    if any(path.startswith(modifier.path_from_id()) for path in moved):
        return True
    if modifier.type in knobs.SIMULATED:
        return modifier.type != "COLLISION"
    if modifier.type in knobs.FOLLOWING:
        followed = [getattr(modifier, name, None) for name in
                    ("object", "target", "origin", "texture_coords_object", "object_from",
                     "object_to")]
        return any(one is not None and moving_paths(one) for one in followed
                   if isinstance(one, bpy.types.Object))
    if modifier.type == "NODES" and modifier.node_group is not None:
        tree = modifier.node_group
        return bool(moving_paths(tree)) or any(
            node.bl_idname in ("GeometryNodeInputSceneTime", "GeometryNodeSimulationOutput")
            for node in tree.nodes
        )
    return False


def moving_paths(data: Any) -> set[str]:
    """Paths of a data-block that keys or drivers move."""
    animation = getattr(data, "animation_data", None)
    if animation is None:
        return set()
    found = {driver.data_path for driver in animation.drivers}
    actions = [animation.action]
    actions += [strip.action for track in animation.nla_tracks if not track.mute
                for strip in track.strips]
    for action in actions:
        if action is not None:
            found |= {curve.data_path for curve in curves(action)}
    return found


def curves(action: bpy.types.Action) -> Iterator[Any]:
    """The curves of an action, whether it has layers (Blender 4.4) or not."""
    layers = getattr(action, "layers", None)
    if layers is None:
        yield from action.fcurves
        return
    for layer in layers:
        for strip in layer.strips:
            for bag in getattr(strip, "channelbags", ()):
                yield from bag.fcurves


def is_scene_animated(source: bpy.types.Scene, rendered: Iterable[Any]) -> bool:
    """Whether anything moves that the exporter would write keys of."""
    for object_ in rendered:
        owners = [object_, object_.data, object_.parent]
        owners.append(getattr(object_.data, "shape_keys", None) if object_.data else None)
        for slot in object_.material_slots:
            owners += [slot.material, getattr(slot.material, "node_tree", None)]
        if object_.data is not None and object_.type == "LIGHT":
            owners.append(object_.data.node_tree)
        if any(one is not None and moving_paths(one) for one in owners):
            return True
        if object_.constraints or object_.rigid_body is not None:
            return True
        if object_.pose and any(bone.constraints for bone in object_.pose.bones):
            return True
    return bool(moving_paths(source))


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
        animated=tuple(sorted(moving_paths(lamp) | moving_paths(lamp.node_tree))),
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
    tree = TreeReader().read(lamp.node_tree)
    used = tree.upstream(tree.surface)
    if len(used) == 1 and tree.nodes[used[0]].kind == "EMISSION":
        return ()
    return tuple(tree.nodes[one].word for one in used)


def plain_emission(lamp: bpy.types.Light) -> tuple[facts.Rgb, float] | None:
    """Colour and strength of a lamp's one plain emission node, if that is what its nodes are."""
    if not lamp.use_nodes or lamp.node_tree is None:
        return None
    tree = TreeReader().read(lamp.node_tree)
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
        animated=tuple(sorted(moving_paths(data))),
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
    blurs = render.use_motion_blur and layer.use_motion_blur
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
        shutter_position=render.motion_blur_position,
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


# Worlds, materials and their nodes.


def read_world(world: bpy.types.World, engine: str) -> facts.World:
    """What surrounds the scene."""
    tree = TreeReader().read(world.node_tree) if uses_nodes(world) else None
    moved = moving_paths(world) | (moving_paths(world.node_tree) if world.node_tree else set())
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
            tree = TreeReader().read(material.node_tree) if uses_nodes(material) else None
            moved = moving_paths(material) | moving_paths(material.node_tree)
            yield facts.Material(key(material), material.name, tree, is_animated=bool(moved))


def uses_nodes(data: bpy.types.Material | bpy.types.World) -> bool:
    """Whether nodes say how it looks; since Blender 5 they always do."""
    return data.node_tree is not None and (bpy.app.version >= (5, 0, 0) or data.use_nodes)


class TreeReader:
    """Flattens a node tree: what feeds its active output, through groups, reroutes and mutes."""

    def __init__(self) -> None:
        self.nodes: list[facts.ShaderNode] = []
        self.indices: dict[tuple[Any, ...], int] = {}

    def read(self, tree: bpy.types.NodeTree) -> facts.Tree:
        """The tree."""
        output = active_output(tree)
        if output is None:
            return facts.Tree()
        ends = {
            name: self.socket(output.inputs[name], ()).source
            for name in ("Surface", "Volume", "Displacement") if name in output.inputs
        }
        return facts.Tree(
            nodes=tuple(self.nodes),
            surface=ends.get("Surface"),
            volume=ends.get("Volume"),
            displacement=ends.get("Displacement"),
        )

    def socket(self, socket: Any, groups: tuple[Any, ...]) -> facts.Socket:
        """What an input gets, seen from within `groups`, the outermost first."""
        typed = plain(socket)
        # Trees have no cycles that count, but may be drawn with some.
        for _ in range(1000):
            link = next((one for one in socket.links if one.is_valid and not one.is_muted), None)
            if link is None:
                return facts.Socket(plain(socket))
            node, output = link.from_node, link.from_socket
            if node.mute:
                through = [one for one in node.internal_links if one.to_socket == output]
                if not through:
                    return facts.Socket(plain(output))
                socket = through[0].from_socket
            elif node.type == "REROUTE":
                socket = node.inputs[0]
            elif node.type == "GROUP" and node.node_tree is not None:
                inner = group_output(node.node_tree)
                if inner is None:
                    return facts.Socket(plain(socket))
                groups += (node,)
                socket = by_identifier(inner.inputs, output.identifier)
            elif node.type == "GROUP_INPUT" and groups:
                socket = by_identifier(groups[-1].inputs, output.identifier)
                groups = groups[:-1]
            else:
                return facts.Socket(typed, (self.node(node, groups), output.identifier))
        return facts.Socket(plain(socket))

    def node(self, node: bpy.types.Node, groups: tuple[Any, ...]) -> int:
        """The index of a node, which is read with all that feeds it."""
        path = (*(one.name for one in groups), node.name)
        if path in self.indices:
            return self.indices[path]
        index = self.indices[path] = len(self.nodes)
        props = {name: getattr(node, name) for name in NODE_PROPS if hasattr(node, name)}
        label = "/".join((*(one.label or one.name for one in groups), node.label or node.name))
        bare = facts.ShaderNode(name=label, kind=node.type, word=node.bl_label, props=props)
        self.nodes.append(bare)
        props |= image_props(node)
        value = [one for one in node.outputs if one.type in ("RGBA", "VALUE")]
        if node.type in ("RGB", "VALUE") and value:
            props["value"] = plain(value[0])
        inputs = {
            one.identifier: self.socket(one, groups) for one in node.inputs if one.enabled
        }
        self.nodes[index] = facts.ShaderNode(label, node.type, node.bl_label, inputs, props)
        return index


def active_output(tree: bpy.types.NodeTree) -> Any | None:
    """The output that counts: Cycles' own before one for every engine."""
    outputs = [one for one in tree.nodes if one.type in PLAIN_OUTPUTS]
    targets = {"CYCLES": 0, "ALL": 1}
    active = [one for one in outputs if one.is_active_output] or outputs
    active = [one for one in active if one.target in targets]
    return min(active, key=lambda one: targets[one.target], default=None)


def group_output(tree: bpy.types.NodeTree) -> Any | None:
    """The output of a group that counts."""
    outputs = [one for one in tree.nodes if one.type == "GROUP_OUTPUT"]
    return next((one for one in outputs if one.is_active_output), outputs[0] if outputs else None)


def by_identifier(sockets: Any, identifier: str) -> Any:
    """The socket of an identifier."""
    return next(one for one in sockets if one.identifier == identifier)


def plain(socket: Any) -> Any:
    """The value typed into a socket, without alpha."""
    value = getattr(socket, "default_value", None)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    try:
        return tuple(float(one) for one in value)[:3]
    except TypeError:
        return None


def image_props(node: bpy.types.Node) -> dict[str, Any]:
    """What is known of the image of a node."""
    image = getattr(node, "image", None)
    if image is None:
        return {"image": None} if node.type in ("TEX_IMAGE", "TEX_ENVIRONMENT") else {}
    return {
        "image": image.name,
        "source": image.source,
        "color_space": image.colorspace_settings.name,
        "is_float": image.is_float,
        "size": tuple(image.size),
    }
