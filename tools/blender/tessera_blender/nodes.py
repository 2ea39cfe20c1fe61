# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads trees of shader nodes into `facts.Tree`."""

from __future__ import annotations

from typing import Any

import bpy

from . import facts

PLAIN_OUTPUTS = {"OUTPUT_MATERIAL", "OUTPUT_WORLD", "OUTPUT_LIGHT"}
# Properties of nodes that say what becomes of them in glTF.
NODE_PROPS = (
    "blend_type", "data_type", "operation", "attribute_name", "layer_name", "vector_type", "space",
    "interpolation", "projection", "extension", "sky_type", "sun_disc", "sun_size",
    "sun_intensity", "sun_elevation", "sun_rotation", "air_density", "dust_density",
    "aerosol_density", "ozone_density", "altitude", "subsurface_method", "use_clamp",
    "clamp_result", "attribute_type",
)


def uses_nodes(data: bpy.types.Material | bpy.types.World) -> bool:
    """Whether nodes say how it looks; since Blender 5 they always do."""
    return data.node_tree is not None and (bpy.app.version >= (5, 0, 0) or data.use_nodes)


def tree_of(data: bpy.types.Material | bpy.types.World) -> facts.Tree | None:
    """What nodes say of how it looks, if they say it."""
    return TreeReader().read(data.node_tree) if uses_nodes(data) else None


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
