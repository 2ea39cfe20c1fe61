# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exporter's document lacks, and what it says otherwise than Cycles means it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import extras, frame, motion, surfaces
from .facts import Camera, Lamp, Material, Moment, Scene, ShaderNode
from .glb import Glb

Json = dict[str, Any]

KEY = "tessera_key"
LIGHTS = "KHR_lights_punctual"
SPOT_EDGE = (-0.14, 0.82)
# What glTF's materials have without `KHR_materials_ior`.
IOR = 1.5


@dataclass(frozen=True)
class Keys:
    """Where the data-blocks of Blender are in a document, and the other way around."""

    by_place: dict[tuple[str, int], int]

    def of(self, list_: str, index: int) -> int | None:
        """The key of an entry."""
        return self.by_place.get((list_, index))

    def places(self, list_: str) -> dict[int, int]:
        """Indices of a list by their keys."""
        return {key: index for (name, index), key in self.by_place.items() if name == list_}


def finish(file: Glb, known: Scene, around: Json, moments: Sequence[Moment] = ()) -> None:
    """Completes the exporter's file in place.

    `around` is what surrounds the scene, `moments` what moves besides objects.
    """
    document = file.document
    keys = _take_keys(document)
    _finish_lights(document, known, keys)
    _finish_nodes(document, known, keys)
    camera = _finish_camera(document, known, keys)
    _finish_materials(document, known, keys)
    _finish_scene(document, known, around)
    if moments:
        channels = {
            **motion.of_lamps(moments, keys.places("lights"), light),
            **motion.of_camera(moments, camera, lambda one: lens(one, known)),
            **motion.of_materials(moments, keys.places("materials"), document, factors),
        }
        motion.write(file, channels, moments, known.picture.fps)


def _take_keys(document: Json) -> Keys:
    """Takes the keys out; and no custom property goes along."""
    found: dict[tuple[str, int], int] = {}
    lists = {name: document.get(name, []) for name in ("nodes", "cameras", "materials")}
    lists["lights"] = _lights(document)
    for name, entries in lists.items():
        for index, entry in enumerate(entries):
            key = entry.get("extras", {}).get(KEY)
            if isinstance(key, int):
                found[name, index] = key
    for entry in (*_entries(document), *_lights(document)):
        told = entry.pop("extras", None)
        # The names of morph targets are glTF's own habit.
        if isinstance(told, dict) and "targetNames" in told:
            entry["extras"] = {"targetNames": told["targetNames"]}
    return Keys(found)


def _entries(document: Json) -> Iterator[Json]:
    for name in ("scenes", "nodes", "cameras", "materials", "meshes", "animations", "skins"):
        yield from document.get(name, [])


def _lights(document: Json) -> list[Json]:
    return document.get("extensions", {}).get(LIGHTS, {}).get("lights", [])


def _put(entry: Json, told: Json) -> None:
    if told:
        entry.setdefault("extras", {})["tessera"] = told


def use(document: Json, extension: str) -> None:
    """Says that an extension is used."""
    used = document.setdefault("extensionsUsed", [])
    if extension not in used:
        used.append(extension)


# Lights.


def _finish_lights(document: Json, known: Scene, keys: Keys) -> None:
    lamps = {lamp.data_key: lamp for lamp in known.lamps}
    for index, entry in enumerate(_lights(document)):
        lamp = lamps.get(keys.of("lights", index) or -1)
        if lamp is None:
            continue
        entry |= light(lamp)
        _put(entry, extras.lamp(lamp))
        if known.picture.engine == "CYCLES":
            # Only EEVEE ends lamps at a distance.
            entry.pop("range", None)


def light(lamp: Lamp) -> Json:
    """What an entry of the lights says of a lamp."""
    told: Json = {"color": list(lamp.color), "intensity": lamp.intensity}
    brightest = max(lamp.color)
    if brightest > 1.0:
        # glTF's colours end at 1.
        told = {"color": [one / brightest for one in lamp.color],
                "intensity": lamp.intensity * brightest}
    if lamp.kind == "SPOT":
        told["spot"] = spot(lamp)
    return told


def spot(lamp: Lamp) -> Json:
    """The cones of a spot, so that glTF's edge is as near to Blender's as it gets.

    With t from 0 at the cone to 1 where the blend ends, as cosines, Cycles has 3t² - 2t³ and
    glTF ((t - a) / (b - a))². These a and b send as much light through the edge, and are nowhere
    further off than 9 % of the lamp's full intensity.
    """
    edge = math.cos(min(lamp.cone / 2, math.pi / 2))
    width = lamp.blend * (1 - edge)
    outer = max(edge + SPOT_EDGE[0] * width, 0.0)
    inner = min(edge + SPOT_EDGE[1] * width, 1.0)
    return {"outerConeAngle": math.acos(outer), "innerConeAngle": math.acos(inner)}


def _finish_nodes(document: Json, known: Scene, keys: Keys) -> None:
    lamps = {lamp.key: lamp for lamp in known.lamps}
    nodes = document.get("nodes", [])
    for index, node in enumerate(nodes):
        key = keys.of("nodes", index)
        if key is None:
            continue
        if key in known.groups:
            # Blender 4.2's exporter takes what a collection shows twice, once without objects.
            for child in node.get("children", ()):
                if keys.of("nodes", child) is None:
                    nodes[child].pop("mesh", None)
        if key not in known.rendered:
            # The exporter takes hidden objects of collections that are shown as instances.
            node.pop("mesh", None)
            node.get("extensions", {}).pop(LIGHTS, None)
            continue
        lamp = lamps.get(key)
        if lamp is not None and lamp.kind == "AREA" and not lamp.is_portal:
            _put(node, {"area": extras.area(lamp)})


# Cameras.


def _finish_camera(document: Json, known: Scene, keys: Keys) -> int | None:
    """Gives the camera that is rendered an entry of its own, with a name that no other has."""
    camera, cameras = known.camera, document.get("cameras", [])
    if camera is None:
        return None
    nodes = document.get("nodes", [])
    shown = [node for index, node in enumerate(nodes)
             if keys.of("nodes", index) == camera.key and "camera" in node]
    if not shown:
        return None
    index = shown[0]["camera"]
    if any(node.get("camera") == index for node in nodes if node is not shown[0]):
        cameras.append(dict(cameras[index]))
        shown[0]["camera"] = index = len(cameras) - 1
    entry = cameras[index]
    entry["name"] = camera_name(camera)
    for other, one in enumerate(cameras):
        if other != index and one.get("name") == entry["name"]:
            one["name"] = f"{entry['name']} {other}"
    for kind, told in lens(camera, known).items():
        entry.setdefault(kind, {}).update(told)
    _put(entry, extras.camera(camera, known.picture))
    return index


def camera_name(camera: Camera) -> str:
    """The name by which a job calls the camera."""
    return camera.name


def lens(camera: Camera, known: Scene) -> Json:
    """What an entry of the cameras says of a camera."""
    whole = frame.frame(camera, known.picture)
    aspect = whole.size[0] / whole.size[1]
    if camera.kind == "ORTHO":
        return {"orthographic": {"ymag": whole.half_height, "xmag": whole.half_height * aspect}}
    return {"perspective": {"yfov": whole.yfov, "aspectRatio": aspect}}


# Materials.


def _finish_materials(document: Json, known: Scene, keys: Keys) -> None:
    materials = {material.key: material for material in known.materials}
    for index, entry in enumerate(document.get("materials", [])):
        material = materials.get(keys.of("materials", index) or -1)
        if material is not None:
            _finish_material(document, entry, material, known)
    bare = [part for mesh in document.get("meshes", []) for part in mesh["primitives"]
            if "material" not in part]
    if bare:
        # Cycles' surface of objects without a material: a diffuse grey.
        document.setdefault("materials", []).append({
            "name": "without material",
            "doubleSided": True,
            "pbrMetallicRoughness": {
                "baseColorFactor": [0.8, 0.8, 0.8, 1], "metallicFactor": 0, "roughnessFactor": 1,
            },
        })
        extend(document, document["materials"][-1], "KHR_materials_specular",
               {"specularFactor": 0})
        for part in bare:
            part["material"] = len(document["materials"]) - 1


def _finish_material(document: Json, entry: Json, material: Material, known: Scene) -> None:
    if known.picture.engine == "CYCLES":
        # Cycles shows both sides, whatever the material says about culling.
        entry["doubleSided"] = True
    if surfaces.is_emission(material):
        entry.setdefault("pbrMetallicRoughness", {})["metallicFactor"] = 0
        extend(document, entry, "KHR_materials_specular", {"specularFactor": 0})
        return
    node = surfaces.principled(material)
    if node is None or "KHR_materials_unlit" in entry.get("extensions", {}):
        return
    _stand_in(entry, node, surfaces.surface(material))
    ior = node.inputs["IOR"]
    if ior.source is None and abs(ior.value - IOR) > 1e-4:
        # The exporter leaves it out where nothing else makes it write extensions.
        extend(document, entry, "KHR_materials_ior", {"ior": ior.value})
    if "KHR_materials_transmission" in entry.get("extensions", {}):
        # In Blender light is bent by what it enters: a body, no thin wall.
        extend(document, entry, "KHR_materials_volume", {"thicknessFactor": 1})
        if surfaces.is_clear(node):
            pbr = entry.setdefault("pbrMetallicRoughness", {})
            pbr["baseColorFactor"] = factors(material)["pbrMetallicRoughness/baseColorFactor"]


def _stand_in(entry: Json, node: ShaderNode, surface: surfaces.Surface) -> None:
    """Where all nodes behind an input were dropped, the value typed into it is better than
    glTF's default: white, and metal."""
    pbr = entry.setdefault("pbrMetallicRoughness", {})
    inputs = {dropped.input for dropped in surface.dropped if not dropped.image}
    if "Base Color" in inputs and "baseColorTexture" not in pbr:
        alpha = pbr.get("baseColorFactor", (1, 1, 1, 1))[3]
        pbr["baseColorFactor"] = [*(min(one, 1) for one in node.inputs["Base Color"].value), alpha]
    if "metallicRoughnessTexture" not in pbr:
        for name, factor in (("Metallic", "metallicFactor"), ("Roughness", "roughnessFactor")):
            if name in inputs:
                pbr[factor] = node.inputs[name].value


def extend(document: Json, entry: Json, extension: str, told: Json) -> None:
    """Adds what an extension of an entry does not say yet."""
    there = entry.setdefault("extensions", {}).setdefault(extension, {})
    for name, value in told.items():
        there.setdefault(name, value)
    use(document, extension)


# Inputs that are one number in glTF as well, by their places in a material.
NUMBERS = {
    "Metallic": "pbrMetallicRoughness/metallicFactor",
    "Roughness": "pbrMetallicRoughness/roughnessFactor",
    "IOR": "extensions/KHR_materials_ior/ior",
    "Transmission Weight": "extensions/KHR_materials_transmission/transmissionFactor",
    "Coat Weight": "extensions/KHR_materials_clearcoat/clearcoatFactor",
    "Coat Roughness": "extensions/KHR_materials_clearcoat/clearcoatRoughnessFactor",
}


def factors(material: Material) -> dict[str, Any]:
    """What a material's typed values are in glTF, by their places in it."""
    node = surfaces.principled(material)
    told: dict[str, Any] = {}
    if node is None:
        if surfaces.is_emission(material):
            assert material.tree is not None and material.tree.surface is not None
            node = material.tree.nodes[material.tree.surface[0]]
            told |= _glow(node, "Color", "Strength")
        return told
    for name, place in NUMBERS.items():
        socket = node.inputs.get(name)
        if socket is not None and socket.source is None:
            told[place] = socket.value
    color, alpha = node.inputs["Base Color"], node.inputs["Alpha"]
    if color.source is None and alpha.source is None:
        values = [min(max(one, 0.0), 1.0) for one in color.value]
        if surfaces.is_clear(node):
            # Light goes through two faces; Cycles tints each by the root, glTF by the colour.
            values = [math.sqrt(one) for one in values]
        told["pbrMetallicRoughness/baseColorFactor"] = [*values, min(max(alpha.value, 0.0), 1.0)]
    return told | _glow(node, "Emission Color", "Emission Strength")


def _glow(node: ShaderNode, color: str, strength: str) -> dict[str, Any]:
    tint, power = node.inputs[color], node.inputs[strength]
    if tint.source is not None or power.source is not None:
        return {}
    values = [max(one * power.value, 0.0) for one in tint.value]
    most = max(1.0, *values)
    return {
        "emissiveFactor": [one / most for one in values],
        "extensions/KHR_materials_emissive_strength/emissiveStrength": most,
    }


# The scene.


def _finish_scene(document: Json, known: Scene, around: Json) -> None:
    scene = document["scenes"][document.get("scene", 0)]
    size = known.picture.size
    if known.camera is not None:
        size = frame.frame(known.camera, known.picture).size
    _put(scene, around | extras.wishes(known.picture, size))
