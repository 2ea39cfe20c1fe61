# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves: keys, drivers, modifiers whose result changes with time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import bpy

from . import knobs


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
        return any(one is not None and paths(one) for one in followed
                   if isinstance(one, bpy.types.Object))
    if modifier.type == "NODES" and modifier.node_group is not None:
        tree = modifier.node_group
        return bool(paths(tree)) or any(
            node.bl_idname in ("GeometryNodeInputSceneTime", "GeometryNodeSimulationOutput")
            for node in tree.nodes
        )
    return False


def paths(data: Any) -> set[str]:
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


def is_scene_moving(source: bpy.types.Scene, rendered: Iterable[Any]) -> bool:
    """Whether anything moves that the exporter would write keys of."""
    for object_ in rendered:
        owners = [object_, object_.data, object_.parent]
        owners.append(getattr(object_.data, "shape_keys", None) if object_.data else None)
        for slot in object_.material_slots:
            owners += [slot.material, getattr(slot.material, "node_tree", None)]
        if object_.data is not None and object_.type == "LIGHT":
            owners.append(object_.data.node_tree)
        if any(one is not None and paths(one) for one in owners):
            return True
        if object_.constraints or object_.rigid_body is not None:
            return True
        if object_.pose and any(bone.constraints for bone in object_.pose.bones):
            return True
    return bool(paths(source))
