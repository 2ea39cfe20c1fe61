# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes along, that our importer takes it, and that the user's data stays as it was."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest

import pictures
import scenes
from tessera_blender import borrow, export, glb, read

PLAIN = (bool, int, float, str)
# What Blender counts by itself, or makes of the rest when it needs it.
TIDES = {"is_evaluated", "is_dirty", "users", "session_uid", "is_updated", "tag", "preview",
         "is_runtime_data", "filepath_raw", "pixels", "bindcode", "matrix_world", "matrix_local",
         "bound_box", "dimensions"}


def document(sent: export.Exported) -> dict[str, Any]:
    return glb.read(sent.root).document


def node(told: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in told["nodes"] if one["name"] == name)


def snapshot() -> dict[str, Any]:
    """All settings of all data-blocks, as text that can be compared."""
    found: dict[str, Any] = {}
    kinds = ("objects", "meshes", "lights", "cameras", "materials", "worlds", "scenes",
             "collections", "curves", "metaballs", "images", "actions", "node_groups")
    for kind in kinds:
        for data in getattr(bpy.data, kind):
            if data.name == "Render Result":
                continue
            found |= dict(values(data, f"{kind}/{data.name_full}"))
            tree = getattr(data, "node_tree", None)
            for one in tree.nodes if tree else ():
                found |= dict(values(one, f"{kind}/{data.name_full}/{one.name}"))
                for socket in one.inputs:
                    if hasattr(socket, "default_value"):
                        place = f"{kind}/{data.name_full}/{one.name}/{socket.identifier}"
                        found[place] = plain(socket.default_value)
    for one in bpy.data.objects:
        for modifier in one.modifiers:
            found |= dict(values(modifier, f"{one.name}/{modifier.name}"))
        found[f"{one.name}/hidden"] = one.hide_get()
        found[f"{one.name}/mode"] = one.mode
    layer = bpy.context.view_layer
    for collection in layer.layer_collection.children:
        found |= dict(values(collection, f"layer/{collection.name}"))
    for scene in bpy.data.scenes:
        found |= dict(values(scene.render, f"{scene.name}/render"))
        if hasattr(scene, "cycles"):
            found |= dict(values(scene.cycles, f"{scene.name}/cycles"))
    for camera in bpy.data.cameras:
        found |= dict(values(camera.dof, f"{camera.name}/dof"))
    active = layer.objects.active
    found["active"] = active.name if active else None
    found["selected"] = [one.name for one in bpy.context.selected_objects]
    return found


def values(owner: Any, place: str) -> Iterator[tuple[str, Any]]:
    for property_ in owner.bl_rna.properties:
        name = property_.identifier
        if name in TIDES or property_.type in ("COLLECTION",):
            continue
        try:
            yield f"{place}.{name}", plain(getattr(owner, name))
        except (AttributeError, TypeError, ValueError):
            continue
    if hasattr(owner, "keys"):
        try:
            yield f"{place}[]", sorted(owner.keys())
        except TypeError:
            return


def plain(value: Any) -> Any:
    if value is None or isinstance(value, PLAIN):
        return value
    if isinstance(value, bpy.types.ID):
        return value.name_full
    try:
        return [plain(one) for one in value][:64]
    except TypeError:
        return type(value).__name__


def test_the_extras_arrive(tmp_path: Path) -> None:
    scenes.studio(tmp_path)
    _known, sent = pictures.exported(tmp_path, moving=True)
    told = document(sent)
    lights = {one["name"]: one for one in told["extensions"]["KHR_lights_punctual"]["lights"]}
    assert lights["sun"]["extras"]["tessera"]["angle"] == pytest.approx(0.53, abs=1e-4)
    assert lights["sun"]["intensity"] == pytest.approx(2.0)
    assert lights["bulb"]["extras"]["tessera"]["radius"] == pytest.approx(0.1)
    area = node(told, "softbox")["extras"]["tessera"]["area"]
    assert area["shape"] == "rectangle" and area["size"] == pytest.approx([1.0, 0.5])
    camera = told["cameras"][node(told, "shot_cam")["camera"]]
    assert camera["name"] == "shot_cam"
    lens = camera["extras"]["tessera"]
    assert lens["aperture"] == pytest.approx(0.035 / 5.6) and lens["blades"] == 5
    assert lens["focus_distance"] == pytest.approx(7.0) and lens["shutter"] == 0.5
    asked = told["scenes"][0]["extras"]["tessera"]
    assert asked["resolution"] == [64, 36] and asked["samples"] == 128
    around = asked["environment"]
    assert around["file"] == "sky.hdr" and around["strength"] == pytest.approx(0.3)
    assert (sent.folder / "sky.hdr").read_bytes() == (tmp_path / "patches.hdr").read_bytes()
    assert sorted(one.name for one in sent.folder.iterdir()) == ["scene.glb", "sky.hdr"]


def test_no_custom_property_goes_along(tmp_path: Path) -> None:
    scenes.studio(tmp_path)
    bpy.data.objects["ball"]["diary"] = "private"
    bpy.context.scene["diary"] = "private"
    bpy.data.materials["red"]["tessera"] = {"angle": "wrong"}
    _known, sent = pictures.exported(tmp_path)
    text = str(document(sent))
    assert "private" not in text and "wrong" not in text and borrow.KEY not in text


def test_hidden_things_stay_at_home(tmp_path: Path) -> None:
    scenes.studio(tmp_path)
    _known, sent = pictures.exported(tmp_path)
    names = {one["name"] for one in document(sent)["nodes"]}
    assert "screen off" in names and "ball.001" not in names


@pytest.mark.skipif(not pictures.PROGRAM.is_file(), reason="no program to render with")
def test_our_importer_takes_it_without_a_word(tmp_path: Path) -> None:
    """Nothing that the add-on writes is a warning."""
    scenes.studio(tmp_path)
    _known, sent = pictures.exported(tmp_path, moving=True)
    command = [pictures.PROGRAM, "render", sent.root, "--size", "64x36", "--spp", "4",
               "-o", tmp_path / "x.exr", "--backend", "cpu"]
    done = subprocess.run(["nice", "-n", "10", *map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr
    assert "shutter" in done.stderr and pictures.pixels(tmp_path / "x.exr").mean() > 0


def test_the_users_data_stays_as_it_was(tmp_path: Path) -> None:
    scenes.studio(tmp_path)
    scenes.cube("edited")
    bpy.context.view_layer.objects.active = bpy.data.objects["edited"]
    bpy.data.objects["edited"].select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.data.objects["ball"][borrow.KEY] = "the user's own"
    before = snapshot()
    pictures.exported(tmp_path, moving=True)
    changed(before, snapshot())
    assert bpy.data.objects["ball"][borrow.KEY] == "the user's own"
    bpy.ops.object.mode_set(mode="OBJECT")


def test_the_users_data_stays_as_it_was_when_the_exporter_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.studio(tmp_path)
    before = snapshot()

    def fail(*_told: Any) -> None:
        assert bpy.context.scene.render.fps_base == 1.0
        raise export.ExportError("it fails")

    monkeypatch.setattr(export, "_run", fail)
    known = read.scene(bpy.context)
    with pytest.raises(export.ExportError):
        export.export(bpy.context, known, tmp_path / "sent", (0, 10))
    changed(before, snapshot())


def test_a_baked_world_leaves_nothing_behind(tmp_path: Path) -> None:
    scenes.studio(tmp_path)
    tree = bpy.context.scene.world.node_tree
    noise = tree.nodes.new("ShaderNodeTexNoise")
    tree.links.new(noise.outputs["Color"], tree.nodes["Background"].inputs["Color"])
    before = snapshot()
    _known, sent = pictures.exported(tmp_path)
    changed(before, snapshot())
    assert (sent.folder / "sky.hdr").stat().st_size > 1_000_000


def changed(before: dict[str, Any], after: dict[str, Any]) -> None:
    apart = {name: (before.get(name), after.get(name)) for name in before.keys() | after.keys()
             if before.get(name) != after.get(name)}
    assert not apart, apart


def test_two_cameras_of_one_lens_have_names_of_their_own(tmp_path: Path) -> None:
    scenes.fresh()
    scenes.plane()
    first = scenes.camera()
    scenes.add(first.data, "other", (3, 3, 3))
    known, sent = pictures.exported(tmp_path)
    told = document(sent)
    names = [one["name"] for one in told["cameras"]]
    assert len(names) == len(set(names))
    assert known.camera is not None
    shown = told["cameras"][node(told, "shot_cam")["camera"]]
    assert shown["name"] == known.camera.name == "shot_cam"


def test_percentage_and_region_are_honoured() -> None:
    scene = scenes.fresh(1921, 1081)
    scenes.camera()
    render = scene.render
    render.resolution_percentage = 50
    render.use_border = True
    render.border_min_x, render.border_max_x = 0.25, 0.75
    render.border_min_y, render.border_max_y = 0.0, 0.5
    picture = read.scene(bpy.context).picture
    assert picture.size == (960, 540)
    assert picture.crop == (240, 270, 480, 270) and not picture.crops_file


def test_a_world_of_one_colour_is_told_as_such(tmp_path: Path) -> None:
    scene = scenes.fresh()
    scenes.camera()
    scenes.world(scene, (0.25, 0.5, 1.0), 2.0)
    _known, sent = pictures.exported(tmp_path)
    asked = document(sent)["scenes"][0]["extras"]["tessera"]
    assert asked["sky"] == pytest.approx([0.5, 1.0, 2.0])
    scene.world = None
    _known, sent = pictures.exported(tmp_path)
    assert document(sent)["scenes"][0]["extras"]["tessera"]["sky"] == [0, 0, 0]


def test_a_packed_hdr_and_an_8_bit_picture_become_the_world(tmp_path: Path) -> None:
    scenes.fresh()
    scenes.camera()
    image = scenes.image("sky", scenes.patches(64), tmp_path / "sky.hdr", True)
    image.pack()
    (tmp_path / "sky.hdr").unlink()
    scenes.sky_of(image)
    _known, sent = pictures.exported(tmp_path)
    assert (sent.folder / "sky.hdr").read_bytes() == image.packed_file.data
    scenes.sky_of(scenes.image("flat", scenes.checks(64)))
    _known, sent = pictures.exported(tmp_path)
    read_back = bpy.data.images.load(str(sent.folder / "sky.hdr"))
    assert read_back.pixels[0] == pytest.approx(((0.2 + 0.055) / 1.055) ** 2.4, rel=0.02)


def test_linked_data_goes_along_and_stays_as_it_was(tmp_path: Path) -> None:
    """What a library holds, under names that the scene has as well."""
    scenes.fresh()
    shade = scenes.material("red", (1, 0, 0), IOR=1.3)
    far = scenes.cube("box", (0, 0, 0), shade)
    far.modifiers.new("smooth", "SUBSURF").render_levels = 2
    lamp = scenes.lamp("SUN", "sun", (0, 0, 3), angle=0.2)
    group = bpy.data.collections.new("library")
    for one in (far, lamp):
        group.objects.link(one)
    bpy.data.libraries.write(str(tmp_path / "library.blend"), {group})
    scenes.fresh()
    scenes.camera()
    scenes.cube("box", (2, 0, 0), scenes.material("red", (0, 0, 1), IOR=1.7))
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.collections = ["library"]
    place = scenes.add(None, "place", (-2, 0, 0))
    place.instance_type, place.instance_collection = "COLLECTION", wanted.collections[0]
    before = snapshot()
    _known, sent = pictures.exported(tmp_path)
    changed(before, snapshot())
    told = document(sent)
    indices = sorted(one["extensions"]["KHR_materials_ior"]["ior"] for one in told["materials"])
    assert indices == pytest.approx([1.3, 1.7], abs=1e-5)
    (light,) = told["extensions"]["KHR_lights_punctual"]["lights"]
    assert light["extras"]["tessera"]["angle"] == pytest.approx(11.459, abs=1e-2)
    counts = sorted(told["accessors"][part["indices"]]["count"] for mesh in told["meshes"]
                    for part in mesh["primitives"])
    assert counts[0] == 36 and counts[1] > 36
