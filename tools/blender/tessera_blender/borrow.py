# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to the user's data that are taken back, whatever happens.

Blender's exporter sees what the viewport shows, and we want what a render shows.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import bpy

from . import facts, read

# The property under which a data-block carries its key through the exporter.
KEY = "tessera_key"
# What the exporter leaves behind on the nodes of image textures.
LEFT_BEHIND = "used"


class Borrowed:
    """Sets properties of data-blocks, and sets them back in reverse order when it is left."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._undo:
            # What has gone meanwhile needs nothing; the rest must still be set back.
            with contextlib.suppress(ReferenceError):
                self._undo.pop()()

    def afterwards(self, call: Callable[[], None]) -> None:
        """Calls when it is left."""
        self._undo.append(call)

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Sets a property for now."""
        before = getattr(owner, name)
        if hasattr(before, "__len__") and not isinstance(before, str):
            before = tuple(before)
        if before == value:
            return
        self._undo.append(lambda: setattr(owner, name, before))
        setattr(owner, name, value)

    def tag(self, data: Any, value: int) -> None:
        """Puts our custom property on a data-block for now."""
        if KEY in data:
            before = data[KEY]
            self._undo.append(lambda: data.__setitem__(KEY, before))
        else:
            self._undo.append(lambda: data.__delitem__(KEY))
        data[KEY] = value


def tag_all(borrowed: Borrowed) -> None:
    """Gives whatever may be exported its key."""
    kinds = (bpy.data.objects, bpy.data.lights, bpy.data.cameras, bpy.data.materials)
    for data in (one for kind in kinds for one in kind):
        borrowed.tag(data, read.key(data))
        if isinstance(data, bpy.types.Material):
            # Of materials the exporter may see the evaluated copy.
            data.update_tag()


def quiet_pointers(borrowed: Borrowed) -> None:
    """Keeps Blender 4.2's exporter from keys of lamps and cameras that nobody asked it for.

    It fails on them; `finish` writes them.
    """
    for name in ("gltf2_blender_gather_scene_animation", "scene_animation"):
        with contextlib.suppress(ImportError):
            module = importlib.import_module(f"io_scene_gltf2.blender.exp.animation.{name}")
            if hasattr(module, "gather_data_sampled_channels"):
                borrowed.set(module, "gather_data_sampled_channels", lambda *_told: None)


def set_frames(borrowed: Borrowed, scene: bpy.types.Scene, frames: tuple[int, int]) -> None:
    """Sets the range of frames; its ends push each other, so that both are kept first."""
    before = scene.frame_start, scene.frame_end

    def put(start: int, end: int) -> None:
        scene.frame_start, scene.frame_end = start, end

    borrowed.afterwards(lambda: put(*before))
    put(*frames)


def as_rendered(borrowed: Borrowed, context: bpy.types.Context, known: facts.Scene) -> None:
    """Makes the viewport show what a render shows."""
    scene, layer = context.scene, context.view_layer
    _keep_place(borrowed, context)
    _keep_nodes_clean(borrowed)
    # Of two ways of counting time the exporter mixes, this makes one.
    borrowed.set(scene.render, "fps_base", 1.0)
    if scene.render.use_simplify:
        borrowed.set(scene.render, "simplify_subdivision", scene.render.simplify_subdivision_render)
    rendered = list(read.rendered_objects(scene, layer))
    keys = {read.key(one) for one in rendered}
    _show_collections(borrowed, layer.layer_collection)
    for object_ in scene.objects:
        borrowed.set(object_, "hide_render", read.key(object_) not in keys)
    for object_ in rendered:
        borrowed.set(object_, "hide_viewport", False)
        if object_.name in layer.objects and object_.hide_get(view_layer=layer):
            _unhide(borrowed, object_, layer)
        _show_modifiers(borrowed, object_.modifiers)
        if object_.type in ("CURVE", "SURFACE", "FONT"):
            _set_resolution(borrowed, object_.data)
        if object_.type == "META":
            borrowed.set(object_.data, "resolution", object_.data.render_resolution)
        if object_.type == "LIGHT":
            _make_lamp_plain(borrowed, object_)
    if known.camera is not None and known.camera.kind == "PANO":
        borrowed.set(scene.camera.data, "type", "PERSP")


def keep_frame(borrowed: Borrowed, scene: bpy.types.Scene) -> None:
    """Comes back to the current frame."""
    frame, subframe = scene.frame_current, scene.frame_subframe

    def back() -> None:
        if scene.frame_current != frame or scene.frame_subframe != subframe:
            scene.frame_set(frame, subframe=subframe)

    borrowed.afterwards(back)


def _keep_place(borrowed: Borrowed, context: bpy.types.Context) -> None:
    """The exporter leaves edit mode and walks through the frames."""
    active = context.view_layer.objects.active
    keep_frame(borrowed, context.scene)
    if active is not None and active.mode != "OBJECT":
        mode = active.mode
        borrowed.afterwards(lambda: bpy.ops.object.mode_set(mode=mode))
        bpy.ops.object.mode_set(mode="OBJECT")


def _keep_nodes_clean(borrowed: Borrowed) -> None:
    """The exporter marks the textures that it used."""
    trees = [one.node_tree for one in bpy.data.materials if one.node_tree]
    nodes = [node for tree in (*trees, *bpy.data.node_groups) for node in tree.nodes
             if node.type == "TEX_IMAGE"]
    marked = [node for node in nodes if LEFT_BEHIND in node]
    before = {id(node): node[LEFT_BEHIND] for node in marked}

    def clean() -> None:
        for node in nodes:
            if id(node) in before:
                node[LEFT_BEHIND] = before[id(node)]
            elif LEFT_BEHIND in node:
                del node[LEFT_BEHIND]

    borrowed.afterwards(clean)


def _show_collections(borrowed: Borrowed, collection: bpy.types.LayerCollection) -> None:
    if collection.exclude or collection.collection.hide_render:
        return
    borrowed.set(collection, "hide_viewport", False)
    borrowed.set(collection.collection, "hide_viewport", False)
    for child in collection.children:
        _show_collections(borrowed, child)


def _unhide(borrowed: Borrowed, object_: Any, layer: bpy.types.ViewLayer) -> None:
    borrowed.afterwards(lambda: object_.hide_set(True, view_layer=layer))
    object_.hide_set(False, view_layer=layer)


def _show_modifiers(borrowed: Borrowed, modifiers: Iterable[Any]) -> None:
    for modifier in modifiers:
        borrowed.set(modifier, "show_viewport", modifier.show_render)
        if modifier.type in ("SUBSURF", "MULTIRES"):
            borrowed.set(modifier, "levels", modifier.render_levels)


def _set_resolution(borrowed: Borrowed, curve: bpy.types.Curve) -> None:
    for name in ("resolution_u", "resolution_v"):
        wanted = getattr(curve, f"render_{name}", 0)
        if wanted:
            borrowed.set(curve, name, wanted)


def _make_lamp_plain(borrowed: Borrowed, object_: bpy.types.Object) -> None:
    """Works temperature, area and a plain emission node into the lamp's own colour and energy.

    Blender 4.5's exporter fails on the first two and takes the third instead of the lamp.
    """
    lamp = object_.data
    if not getattr(lamp, "normalize", True):
        borrowed.set(lamp, "energy", lamp.energy * lamp.area(matrix_world=object_.matrix_world))
        borrowed.set(lamp, "normalize", True)
    color = read.lamp_color(lamp)
    borrowed.set(lamp, "use_nodes", False)
    if hasattr(lamp, "use_temperature"):
        borrowed.set(lamp, "use_temperature", False)
    borrowed.set(lamp, "color", color)
