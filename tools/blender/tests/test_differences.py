# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be named is named, with the names of what it is about; and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

import scenes
from tessera_blender import differences, read
from tessera_blender.knobs import Level

Build = Callable[[bpy.types.Scene], object]


def found(span: str = "STILL") -> list[differences.Difference]:
    return differences.find(read.scene(bpy.context), span)


def lines(span: str = "STILL") -> str:
    return "\n".join(f"{one.level.name} {one}" for one in found(span))


@pytest.fixture
def scene() -> bpy.types.Scene:
    made = scenes.fresh()
    scenes.camera()
    scenes.plane()
    made.view_settings.view_transform = "NONE" if not scenes.has_view(made, "AgX") else "AgX"
    return made


def has_ocio(scene: bpy.types.Scene) -> bool:
    return scenes.has_view(scene, "AgX")


def quiet() -> list[str]:
    """Lines but for those about views, of which a Blender of one's own may have none, and about
    area lamps, which are never quite the same."""
    return [str(one) for one in found()
            if "no view like" not in one.text and "Area lamps are" not in one.text]


def test_a_plain_scene_has_nothing_to_tell(scene: bpy.types.Scene) -> None:
    scenes.lamp("SUN", "sun", (3, -2, 5), angle=0.01)
    scenes.lamp("POINT", "bulb", (3, -2, 5), shadow_soft_size=0.1)
    scenes.ball(shade=scenes.material("red", (1, 0, 0), Metallic=1.0, IOR=1.4, Coat_Weight=0.5))
    assert quiet() == []


def test_a_studio_has_nothing_to_tell(tmp_path: Path) -> None:
    scenes.studio(tmp_path)
    assert quiet() == []


def procedural(_scene: bpy.types.Scene) -> None:
    wood = scenes.material("Wood")
    scenes.chain(wood, "Base Color", "ShaderNodeTexNoise", "ShaderNodeValToRGB")
    scenes.ball(shade=wood)


def inside_a_group(_scene: bpy.types.Scene) -> None:
    tree = bpy.data.node_groups.new("Grain", "ShaderNodeTree")
    tree.interface.new_socket("Color", in_out="OUTPUT", socket_type="NodeSocketColor")
    noise, end = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("NodeGroupOutput")
    tree.links.new(noise.outputs["Color"], end.inputs[0])
    wood = scenes.material("Grouped")
    node = wood.node_tree.nodes.new("ShaderNodeGroup")
    node.node_tree = tree
    wood.node_tree.links.new(node.outputs[0], scenes.principled(wood).inputs["Base Color"])
    scenes.ball(shade=wood)


def bump(_scene: bpy.types.Scene) -> None:
    rock = scenes.material("Rock")
    scenes.chain(rock, "Normal", "ShaderNodeTexNoise", "ShaderNodeBump")
    scenes.ball(shade=rock)


def graded_image(_scene: bpy.types.Scene) -> None:
    image = scenes.image("photo", scenes.checks(16))
    shade = scenes.textured("Graded", image)
    tree = shade.node_tree
    node = tree.nodes.new("ShaderNodeHueSaturation")
    texture = next(one for one in tree.nodes if one.type == "TEX_IMAGE")
    tree.links.new(texture.outputs["Color"], node.inputs["Color"])
    tree.links.new(node.outputs["Color"], scenes.principled(shade).inputs["Base Color"])
    scenes.ball(shade=shade)


def generated_coordinates(_scene: bpy.types.Scene) -> None:
    shade = scenes.textured("Box", scenes.image("photo", scenes.checks(16)))
    tree = shade.node_tree
    texture = next(one for one in tree.nodes if one.type == "TEX_IMAGE")
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["Generated"], texture.inputs["Vector"])
    scenes.ball(shade=shade)


def rough_from_colour(_scene: bpy.types.Scene) -> None:
    scenes.ball(shade=scenes.textured(
        "Worn", scenes.image("photo", scenes.checks(16)), "Roughness"))


def old_shaders(_scene: bpy.types.Scene) -> None:
    shade = scenes.material("Old")
    tree = shade.node_tree
    mix, first, second = (tree.nodes.new(kind) for kind in (
        "ShaderNodeMixShader", "ShaderNodeBsdfDiffuse", "ShaderNodeBsdfRefraction"))
    tree.links.new(first.outputs[0], mix.inputs[1])
    tree.links.new(second.outputs[0], mix.inputs[2])
    output = next(one for one in tree.nodes if one.type == "OUTPUT_MATERIAL")
    tree.links.new(mix.outputs[0], output.inputs["Surface"])
    scenes.ball(shade=shade)


def subsurface(_scene: bpy.types.Scene) -> None:
    scenes.ball(shade=scenes.material("Skin", Subsurface_Weight=0.5))


def thin_film(_scene: bpy.types.Scene) -> None:
    scenes.ball(shade=scenes.material("Bubble", Thin_Film_Thickness=400.0))


def displacement(_scene: bpy.types.Scene) -> None:
    shade = scenes.material("Bricks")
    tree = shade.node_tree
    node = tree.nodes.new("ShaderNodeDisplacement")
    output = next(one for one in tree.nodes if one.type == "OUTPUT_MATERIAL")
    tree.links.new(node.outputs[0], output.inputs["Displacement"])
    scenes.ball(shade=shade)


def smoke_inside(_scene: bpy.types.Scene) -> None:
    shade = scenes.material("Fog")
    tree = shade.node_tree
    node = tree.nodes.new("ShaderNodeVolumeScatter")
    output = next(one for one in tree.nodes if one.type == "OUTPUT_MATERIAL")
    tree.links.new(node.outputs[0], output.inputs["Volume"])
    scenes.ball(shade=shade)


def volume(_scene: bpy.types.Scene) -> None:
    scenes.add(bpy.data.volumes.new("Cloud"), "Cloud")


def hair_curves(_scene: bpy.types.Scene) -> None:
    scenes.add(bpy.data.hair_curves.new("Fur"), "Fur")


def hair_particles(_scene: bpy.types.Scene) -> None:
    head = scenes.ball()
    head.name = "Head"
    head.modifiers.new("hair", "PARTICLE_SYSTEM")
    head.particle_systems[0].settings.type = "HAIR"


def halo_particles(_scene: bpy.types.Scene) -> None:
    spray = scenes.ball()
    spray.name = "Spray"
    spray.modifiers.new("spray", "PARTICLE_SYSTEM")
    spray.particle_systems[0].settings.render_type = "HALO"


def shadow_catcher(_scene: bpy.types.Scene) -> None:
    floor = scenes.plane(name="Catcher")
    floor.is_shadow_catcher = True


def invisible_to_camera(_scene: bpy.types.Scene) -> None:
    scenes.plane(name="Flag").visible_camera = False


def narrow_lamp(_scene: bpy.types.Scene) -> None:
    scenes.lamp("AREA", "Grid", (0, 0, 3)).data.spread = 0.5


def lamp_in_the_frame(_scene: bpy.types.Scene) -> None:
    scenes.lamp("AREA", "Window", (0, 1, 0)).rotation_euler = (-1.2, 0, 0)


def lamp_with_a_texture(_scene: bpy.types.Scene) -> None:
    data = scenes.lamp("SPOT", "Gobo", (0, 0, 3)).data
    data.use_nodes = True
    tree = data.node_tree
    node = tree.nodes.new("ShaderNodeTexChecker")
    tree.links.new(node.outputs["Color"], tree.nodes["Emission"].inputs["Color"])


def shadowless_lamp(_scene: bpy.types.Scene) -> None:
    scenes.lamp("POINT", "Fill", (0, 0, 3)).data.use_shadow = False


def portal(_scene: bpy.types.Scene) -> None:
    scenes.lamp("AREA", "Portal", (0, 0, 3)).data.cycles.is_portal = True


def linked_light(scene: bpy.types.Scene) -> None:
    made = bpy.data.collections.new("only these")
    scene.collection.children.link(made)
    scenes.lamp("POINT", "Rim", (0, 0, 3)).light_linking.receiver_collection = made


def world_of_nodes(scene: bpy.types.Scene) -> None:
    tree = scene.world.node_tree
    node = tree.nodes.new("ShaderNodeTexNoise")
    tree.links.new(node.outputs["Color"], tree.nodes["Background"].inputs["Color"])


def world_for_the_camera(scene: bpy.types.Scene) -> None:
    tree = scene.world.node_tree
    node = tree.nodes.new("ShaderNodeLightPath")
    tree.links.new(node.outputs["Is Camera Ray"], tree.nodes["Background"].inputs["Strength"])


def world_fog(scene: bpy.types.Scene) -> None:
    tree = scene.world.node_tree
    node = tree.nodes.new("ShaderNodeVolumeScatter")
    output = next(one for one in tree.nodes if one.type == "OUTPUT_WORLD")
    tree.links.new(node.outputs[0], output.inputs["Volume"])


def transparent_film(scene: bpy.types.Scene) -> None:
    scene.render.film_transparent = True


def compositor(scene: bpy.types.Scene) -> None:
    scene.use_nodes = True
    tree = getattr(scene, "node_tree", None)
    if tree is None:
        tree = bpy.data.node_groups.new("comp", "CompositorNodeTree")
        scene.compositing_node_group = tree
    tree.nodes.new("CompositorNodeGlare")


def passes(scene: bpy.types.Scene) -> None:
    layer = scene.view_layers[0]
    layer.use_pass_cryptomatte_object = layer.use_pass_mist = layer.use_pass_z = True


def rolling(scene: bpy.types.Scene) -> None:
    scene.cycles.rolling_shutter_type = "TOP"


def slow_shutter(scene: bpy.types.Scene) -> None:
    scene.render.use_motion_blur = True
    scene.render.motion_blur_shutter_curve.curves[0].points[0].location = (0, 0)


def unblurred(scene: bpy.types.Scene) -> None:
    scene.render.use_motion_blur = True
    made = scenes.ball()
    made.name = "Sharp"
    made.cycles.use_motion_blur = False


def clipped(_scene: bpy.types.Scene) -> None:
    bpy.data.cameras["shot_cam"].clip_end = 5.0


def squeezed(_scene: bpy.types.Scene) -> None:
    lens = bpy.data.cameras["shot_cam"].dof
    lens.use_dof, lens.aperture_ratio = True, 2.0


def shortcuts(scene: bpy.types.Scene) -> None:
    scene.cycles.sample_clamp_indirect, scene.cycles.max_bounces = 10.0, 12


def no_uv(_scene: bpy.types.Scene) -> None:
    made = scenes.ball(shade=scenes.textured("Label", scenes.image("photo", scenes.checks(16))))
    made.name = "Bare"
    made.data.uv_layers.remove(made.data.uv_layers[0])


# Scene, level, what has to be in the line, and the names that it has to tell.
NAMED: list[tuple[Build, Level, str, list[str]]] = [
    (procedural, Level.LOST, "Nodes are left out",
     ["Wood", "Base Color", "Noise Texture", "Color Ramp"]),
    (inside_a_group, Level.LOST, "Nodes are left out", ["Grouped", "Noise Texture"]),
    (bump, Level.LOST, "Nodes are left out", ["Rock", "Normal", "Bump"]),
    (graded_image, Level.CHANGED, "photo alone is taken", ["Graded", "Hue/Saturation/Value"]),
    (generated_coordinates, Level.CHANGED, "Textures are laid out", ["Box", "photo",
                                                                    "Texture Coordinate"]),
    (rough_from_colour, Level.CHANGED, "read in a plain way", ["Worn", "Non-Color", "sRGB"]),
    (old_shaders, Level.LOST, "no shader for", ["Old", "Diffuse BSDF", "Refraction BSDF"]),
    (subsurface, Level.CHANGED, "no subsurface scattering", ["Skin"]),
    (thin_film, Level.CHANGED, "no thin film", ["Bubble"]),
    (displacement, Level.LOST, "Displacement", ["Bricks"]),
    (smoke_inside, Level.LOST, "Volumes inside", ["Fog"]),
    (volume, Level.LOST, "Volumes are left out", ["Cloud"]),
    (hair_curves, Level.LOST, "Hair is left out", ["Fur"]),
    (hair_particles, Level.LOST, "Hair is left out", ["Head"]),
    (halo_particles, Level.LOST, "Particles are left out", ["Spray"]),
    (shadow_catcher, Level.CHANGED, "Shadow catchers", ["Catcher"]),
    (invisible_to_camera, Level.CHANGED, "seen by all rays", ["Flag"]),
    (narrow_lamp, Level.CHANGED, "shine to all sides", ["Grid"]),
    (lamp_in_the_frame, Level.CHANGED, "in the frame are seen", ["Window"]),
    (lamp_with_a_texture, Level.CHANGED, "without their nodes", ["Gobo", "Checker Texture"]),
    (shadowless_lamp, Level.CHANGED, "Every lamp casts shadows", ["Fill"]),
    (portal, Level.NOTE, "portals", ["Portal"]),
    (linked_light, Level.CHANGED, "light linking", ["Rim"]),
    (world_of_nodes, Level.NOTE, "becomes a picture", ["Noise Texture"]),
    (world_for_the_camera, Level.CHANGED, "Light Path", ["World"]),
    (world_fog, Level.LOST, "world's volume", ["World"]),
    (transparent_film, Level.CHANGED, "film is not transparent", []),
    (compositor, Level.LOST, "compositor", ["Glare"]),
    (passes, Level.LOST, "passes are left out", ["cryptomatte object", "mist"]),
    (rolling, Level.LOST, "does not roll", []),
    (slow_shutter, Level.CHANGED, "without a curve", []),
    (unblurred, Level.CHANGED, "is blurred", ["Sharp"]),
    (clipped, Level.CHANGED, "not clipped", ["shot_cam"]),
    (squeezed, Level.CHANGED, "not anamorphic", ["shot_cam"]),
    (shortcuts, Level.NOTE, "no shortcuts", ["clamping", "fewer bounces"]),
    (no_uv, Level.CHANGED, "without a UV map", ["Bare"]),
]


@pytest.mark.parametrize(("build", "level", "text", "names"), NAMED,
                         ids=[one[0].__name__ for one in NAMED])
def test_it_is_named(
    scene: bpy.types.Scene, build: Build, level: Level, text: str, names: list[str]
) -> None:
    build(scene)
    bpy.context.view_layer.update()
    told = [one for one in found() if text in one.text]
    assert told, lines()
    assert told[0].level == level
    for name in names:
        assert any(name in one for one in (*told[0].names, told[0].text)), (name, told)


def test_what_is_off_is_not_named(scene: bpy.types.Scene) -> None:
    """Nodes behind inputs without weight, muted ones, and objects that are not rendered."""
    shade = scenes.material("Quiet")
    scenes.chain(shade, "Sheen Tint", "ShaderNodeTexNoise")
    noise = scenes.chain(shade, "Base Color", "ShaderNodeTexVoronoi")[0]
    noise.mute = True
    scenes.ball(shade=shade)
    volume(scene)
    bpy.data.objects["Cloud"].hide_render = True
    assert quiet() == []


def test_chains_that_gltf_knows_are_not_named(scene: bpy.types.Scene) -> None:
    image = scenes.image("photo", scenes.checks(16))
    data = scenes.image("data", scenes.checks(16))
    data.colorspace_settings.name = "Non-Color"
    shade = scenes.textured("Full", image)
    tree = shade.node_tree
    node = scenes.principled(shade)
    # Colour times colour attribute; roughness by a channel; a normal map; alpha with a cutoff.
    mix, attribute = tree.nodes.new("ShaderNodeMix"), tree.nodes.new("ShaderNodeVertexColor")
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    mix.inputs["Factor"].default_value = 1.0
    texture = next(one for one in tree.nodes if one.type == "TEX_IMAGE")
    colors = [one for one in mix.inputs if one.type == "RGBA"]
    tree.links.new(texture.outputs["Color"], colors[0])
    tree.links.new(attribute.outputs["Color"], colors[1])
    tree.links.new(next(one for one in mix.outputs if one.type == "RGBA"),
                   node.inputs["Base Color"])
    rough = tree.nodes.new("ShaderNodeTexImage")
    rough.image = data
    separate = tree.nodes.new("ShaderNodeSeparateColor")
    tree.links.new(rough.outputs["Color"], separate.inputs[0])
    tree.links.new(separate.outputs[1], node.inputs["Roughness"])
    normal = tree.nodes.new("ShaderNodeNormalMap")
    mapping, coordinates = tree.nodes.new("ShaderNodeMapping"), tree.nodes.new("ShaderNodeTexCoord")
    bumps = tree.nodes.new("ShaderNodeTexImage")
    bumps.image = data
    tree.links.new(coordinates.outputs["UV"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs[0], bumps.inputs["Vector"])
    tree.links.new(bumps.outputs["Color"], normal.inputs["Color"])
    tree.links.new(normal.outputs[0], node.inputs["Normal"])
    clip = tree.nodes.new("ShaderNodeMath")
    clip.operation = "GREATER_THAN"
    tree.links.new(texture.outputs["Alpha"], clip.inputs[0])
    tree.links.new(clip.outputs[0], node.inputs["Alpha"])
    scenes.ball(shade=shade)
    assert quiet() == [], lines()


def test_without_a_camera_nothing_is_sent() -> None:
    scenes.fresh()
    stops = differences.stops(found())
    assert len(stops) == 1 and "no camera" in stops[0].text


def test_a_fisheye_is_not_sent(scene: bpy.types.Scene) -> None:
    camera = bpy.data.cameras["shot_cam"]
    camera.type = "PANO"
    owner = camera if hasattr(camera, "panorama_type") else camera.cycles
    owner.panorama_type = "FISHEYE_EQUIDISTANT"
    stops = differences.stops(found())
    assert len(stops) == 1 and "fisheye equidistant" in stops[0].text


def test_a_range_tells_what_does_not_move(scene: bpy.types.Scene) -> None:
    cloth = scenes.plane(name="Flag")
    cloth.modifiers.new("Cloth", "CLOTH")
    shaped = scenes.ball()
    shaped.name = "Face"
    shaped.shape_key_add(name="Basis")
    scenes.move(shaped.shape_key_add(name="smile"), "value", 0.0, 1.0)
    shaped.modifiers.new("smooth", "SUBSURF")
    box = scenes.lamp("AREA", "Softbox", (0, 0, 9))
    scenes.move(box.data, "energy", 1.0, 2.0)
    lens = bpy.data.cameras["shot_cam"].dof
    scenes.move(lens, "focus_distance", 1.0, 2.0)
    second = scenes.add(bpy.data.cameras.new("second"), "second")
    for frame, camera in ((1, scene.camera), (5, second)):
        scene.timeline_markers.new(camera.name, frame=frame).camera = camera
    scene.frame_set(1)
    assert quiet() == [], lines()
    told = lines("RANGE")
    for words in ("Flag (Cloth)", "Face", "Softbox", "Focus", "second"):
        assert words in told, told
    scene.frame_set(-5)
    assert any("-5" in one.text for one in differences.stops(found()))


def test_lines_of_the_same_kind_are_one(scene: bpy.types.Scene) -> None:
    for _ in range(3):
        volume(scene)
    told = [one for one in found() if "Volumes" in one.text]
    assert len(told) == 1 and len(told[0].names) == 3


def test_the_worst_comes_first(scene: bpy.types.Scene) -> None:
    shortcuts(scene)
    volume(scene)
    subsurface(scene)
    levels = [one.level for one in found()]
    assert levels == sorted(levels) and len(set(levels)) == 3
