# SPDX-License-Identifier: GPL-3.0-or-later
"""What will not look the same, told before anything is sent.

An honest "not exported: three node groups, bake them" is worth more than a wrong picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import extras, frame, knobs, surfaces, surroundings
from .describe import FILTERS, STILL, frames
from .facts import Camera, Material, Odd, Scene, World
from .knobs import Level


@dataclass(frozen=True)
class Difference:
    """One line: what is different, and the objects or materials it is about."""

    level: Level
    text: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.text} — {', '.join(self.names)}" if self.names else self.text


def find(known: Scene, span: str = STILL) -> list[Difference]:
    """All differences of a scene, the worst first, each text once."""
    found = [
        *_camera(known, span), *_picture(known, span), *_scene(known), *_world(known.world),
        *_lamps(known, span), *_things(known, span), *_materials(known.materials),
    ]
    merged: dict[tuple[Level, str], dict[str, None]] = {}
    for one in found:
        merged.setdefault((one.level, one.text), {}).update(dict.fromkeys(one.names))
    lines = [Difference(level, text, tuple(names)) for (level, text), names in merged.items()]
    return sorted(lines, key=lambda one: one.level)


def stops(found: Iterable[Difference]) -> list[Difference]:
    """Those for which the scene cannot be sent."""
    return [one for one in found if one.level == Level.STOP]


def _odd(table: Iterable[knobs.Knob], oddities: Iterable[Odd], *names: str) -> Iterator[Difference]:
    """Settings of a table that stand by themselves."""
    by_path = {knob.path: knob for knob in table if not knob.group}
    for odd in oddities:
        knob = by_path.get(odd.path)
        if knob is not None:
            yield Difference(knob.level, knob.text.format(value=odd.value), names)


def _group(table: Iterable[knobs.Knob], oddities: Iterable[Odd], group: str) -> list[knobs.Knob]:
    """Settings of a group that are not at a harmless value."""
    paths = {odd.path for odd in oddities}
    return [knob for knob in table if knob.group == group and knob.path in paths]


# The camera and the picture.


def _camera(known: Scene, span: str) -> Iterator[Difference]:
    camera = known.camera
    if camera is None:
        yield Difference(Level.STOP, "The scene has no camera; add one and make it active")
        return
    if camera.kind == "PANO" and not (camera.panorama == "EQUIRECTANGULAR" and camera.covers_all):
        kind = camera.panorama.replace("_", " ").lower() or "this kind"
        yield Difference(
            Level.STOP,
            f"Tessera has no panorama of {kind}; choose perspective, orthographic, or an "
            "equirectangular panorama of all directions", (camera.name,))
    elif camera.kind not in ("PERSP", "ORTHO", "PANO"):
        yield Difference(
            Level.STOP, "Tessera has no cameras of this kind; choose perspective or orthographic",
            (camera.name,))
    yield from _odd(knobs.CAMERA, camera.odd, camera.name)
    yield from _clipping(camera)
    if (off := frame.frame(camera, known.picture).off) > 0.05:
        yield Difference(Level.NOTE, f"A shifted lens is rounded, here by {off:.2f} px")
    if span == STILL:
        return
    moving = [path for path in camera.animated if path.startswith(("dof.", "shift_"))]
    if moving:
        yield Difference(
            Level.CHANGED, "Focus, aperture and shift stay as they are at the current frame",
            (camera.name,))
    if known.bound_cameras:
        yield Difference(
            Level.CHANGED, f"Markers do not switch cameras: all frames are seen by {camera.name}",
            known.bound_cameras)


def _clipping(camera: Camera) -> Iterator[Difference]:
    start, end = camera.clip
    if camera.reach > end:
        yield Difference(
            Level.CHANGED, f"Things further than {end:g} m are not clipped", (camera.name,))
    if start > 1.0:
        yield Difference(
            Level.CHANGED, f"Things nearer than {start:g} m are not clipped", (camera.name,))


def _picture(known: Scene, span: str) -> Iterator[Difference]:
    picture = known.picture
    if picture.engine not in ("CYCLES",):
        name = picture.engine.removeprefix("BLENDER_").replace("_NEXT", "").title()
        name = {"Eevee": "EEVEE"}.get(name, name)
        yield Difference(
            Level.NOTE, f"Tessera traces paths as Cycles does; {name}'s picture looks different")
    if span == STILL and picture.frame < 0:
        yield Difference(
            Level.STOP, f"Frame {picture.frame} is before 0, where Tessera begins to count")
    if frames(picture, span)[1] < frames(picture, span)[0]:
        yield Difference(Level.STOP, "The range of frames ends before it begins")
    if picture.crop is not None and min(picture.crop[2:]) < 1:
        yield Difference(Level.STOP, "The render region is empty; draw it anew or clear it")
    if extras.view(picture) is None:
        yield Difference(
            Level.CHANGED, f"PNG is made through AgX: Tessera has no view like {picture.view}")
    elif picture.look not in knobs.NO_LOOKS and (picture.view, picture.look) not in knobs.LOOKS:
        yield Difference(Level.CHANGED, f"PNG is made without the look {picture.look}")
    wide = {"BLACKMAN_HARRIS": 1.5, "GAUSSIAN": 1.5, "BOX": 1.0}.get(picture.filter)
    if picture.filter not in FILTERS or (wide and abs(wide - picture.filter_width) > 0.01
                                         and picture.filter != "BOX"):
        yield Difference(Level.NOTE, "The pixel filter is 3 px wide")
    if picture.shutter > 1:
        yield Difference(
            Level.CHANGED, f"The shutter is open for 1 frame at most, not {picture.shutter:g}")
    if picture.has_shutter_curve:
        yield Difference(Level.CHANGED, "The shutter opens and closes at once, without a curve")
    left_out = set(picture.passes) - knobs.PASSES_ALWAYS - knobs.PASSES_OF_LIGHT
    if left_out:
        words = tuple(sorted(name.replace("_", " ") for name in left_out))
        yield Difference(Level.LOST, "Render passes are left out", words)
    if knobs.PASSES_OF_LIGHT.intersection(picture.passes):
        yield Difference(
            Level.NOTE, "Light passes hold the surfaces' colour: add them, do not multiply")
    if picture.view_layers > 1:
        yield Difference(Level.LOST, "Only the view layer that is shown is rendered")


def _scene(known: Scene) -> Iterator[Difference]:
    yield from _odd((*knobs.SCENE, *knobs.VIEW_LAYER), known.odd)
    shortcuts = _group(knobs.SCENE, known.odd, knobs.SHORTCUTS)
    words = dict.fromkeys(knob.text for knob in shortcuts)
    if known.picture.has_fewer_bounces:
        words["fewer bounces of some kinds"] = None
    if words:
        level = min((knob.level for knob in shortcuts), default=Level.NOTE)
        yield Difference(level, "Tessera takes no shortcuts against noise", tuple(words))
    if known.compositor:
        yield Difference(
            Level.LOST, "The compositor's nodes are not applied",
            tuple(dict.fromkeys(known.compositor)))
    if known.strips:
        yield Difference(Level.LOST, "The video editor's strips are not shown", known.strips)
    if not known.is_linear_rec709:
        yield Difference(
            Level.CHANGED, "Colours are meant as Linear Rec.709, and Blender's working space is "
            "another")


# The world and lamps.


def _world(world: World | None) -> Iterator[Difference]:
    if world is None:
        return
    groups = _group(knobs.WORLD, world.odd, "world visibility")
    if groups:
        yield Difference(Level.CHANGED, knobs.WORLD[0].text, (world.name,))
    if world.tree is None:
        return
    if world.tree.volume is not None:
        yield Difference(Level.LOST, "The world's volume is left out", (world.name,))
    if world.is_animated:
        yield Difference(
            Level.CHANGED, "The world stays as it is at the current frame", (world.name,))
    if surroundings.depends_on_ray(world.tree):
        yield Difference(
            Level.CHANGED, "The world lights as the camera sees it: Light Path has no say",
            (world.name,))
    elif isinstance(plan := surroundings.plan(world), surroundings.Baked):
        yield Difference(
            Level.NOTE, "The world becomes a picture that Cycles makes here", plan.words)


def _lamps(known: Scene, span: str) -> Iterator[Difference]:
    for lamp in known.lamps:
        yield from _odd(knobs.LAMP, lamp.odd, lamp.name)
        paths = {odd.path for odd in lamp.odd}
        if _group(knobs.LAMP, lamp.odd, "factors") and known.picture.engine != "CYCLES":
            yield Difference(
                Level.CHANGED, "Lamps shine on diffuse and glossy surfaces alike", (lamp.name,))
        if _group(knobs.LAMP_OBJECT, lamp.odd, knobs.VISIBILITY):
            yield Difference(Level.CHANGED, "Lamps are seen by all rays", (lamp.name,))
        if _group(knobs.LINKING, lamp.odd, "linking"):
            yield Difference(Level.CHANGED, knobs.LINKING[0].text, (lamp.name,))
        if "spread" in paths:
            yield Difference(Level.CHANGED, "Area lamps shine to all sides", (lamp.name,))
        if lamp.node_words:
            words = ", ".join(dict.fromkeys(lamp.node_words))
            yield Difference(
                Level.CHANGED, f"Lamps shine without their nodes ({words})", (lamp.name,))
        if lamp.is_portal:
            yield Difference(
                Level.NOTE, "Light portals are left out: they only help Cycles", (lamp.name,))
        elif lamp.kind == "AREA":
            yield Difference(
                Level.NOTE, "Area lamps are things: they cast shadows, and mirrors show them",
                (lamp.name,))
            if lamp.is_in_frame and not lamp.is_seen:
                yield Difference(
                    Level.CHANGED, "Area lamps in the frame are seen", (lamp.name,))
            if span != STILL and lamp.animated:
                yield Difference(
                    Level.CHANGED, "Area lamps stay as they are at the current frame",
                    (lamp.name,))
        elif lamp.is_seen and (lamp.radius or lamp.angle):
            yield Difference(
                Level.CHANGED, "Lamps that Cycles shows cannot be seen, nor mirrored",
                (lamp.name,))
        soft = {"shadow_soft_size", "angle"}.intersection(lamp.animated)
        if span != STILL and soft and lamp.kind != "AREA":
            yield Difference(
                Level.NOTE, "The size of lamps stays as it is at the current frame", (lamp.name,))


# Objects.


def _things(known: Scene, span: str) -> Iterator[Difference]:
    blurs = known.picture.shutter > 0
    for thing in known.things:
        name = (thing.name,)
        if thing.kind in knobs.LOST_KINDS:
            yield Difference(Level.LOST, knobs.LOST_KINDS[thing.kind], name)
            continue
        yield from _odd(knobs.OBJECT, thing.odd, thing.name)
        if _group(knobs.OBJECT, thing.odd, knobs.VISIBILITY):
            yield Difference(Level.CHANGED, "Objects are seen by all rays", name)
        if _group(knobs.OBJECT, thing.odd, knobs.BLUR) and blurs:
            yield Difference(Level.CHANGED, "Everything that moves is blurred", name)
        if _group(knobs.LINKING, thing.odd, "linking"):
            yield Difference(Level.CHANGED, knobs.LINKING[0].text, name)
        if "PATH" in thing.particles:
            yield Difference(Level.LOST, "Hair is left out", name)
        if not {"HALO", "LINE"}.isdisjoint(thing.particles):
            yield Difference(Level.LOST, "Particles are left out; render them as objects", name)
        if not thing.has_uv and thing.has_images:
            yield Difference(
                Level.CHANGED, "Textures of objects without a UV map are one colour", name)
        if not (blurs or span != STILL):
            continue
        if thing.moving_modifiers:
            words = ", ".join(thing.moving_modifiers)
            yield Difference(
                Level.CHANGED, "Modifiers stay as they are at the current frame",
                (f"{thing.name} ({words})",))
        shaped = [kind for _, kind in thing.modifiers if kind != "ARMATURE"]
        if thing.has_moving_shape_keys and shaped:
            yield Difference(
                Level.CHANGED, "Shape keys under modifiers stay as they are at the current frame; "
                "apply the modifiers", name)
        if thing.has_instances:
            yield Difference(
                Level.NOTE, "Instances of geometry nodes and particles may stay as they are at "
                "the current frame", name)


# Materials.


def _materials(materials: Iterable[Material]) -> Iterator[Difference]:
    for material in materials:
        surface, name = surfaces.surface(material), material.name
        if surface.has_volume:
            yield Difference(Level.LOST, "Volumes inside of materials are left out", (name,))
        if surface.has_displacement:
            yield Difference(Level.LOST, "Displacement is left out; apply it", (name,))
        if surface.shaders:
            words = ", ".join(surface.shaders)
            yield Difference(
                Level.LOST, "Materials that glTF has no shader for become plain; build them on "
                "Principled BSDF", (f"{name} ({words})",))
        for dropped in surface.dropped:
            words = ", ".join(dropped.nodes)
            instead = f"{dropped.image} alone is taken" if dropped.image else "bake them"
            level = Level.CHANGED if dropped.image else Level.LOST
            yield Difference(level, f"Nodes are left out of materials; {instead}",
                             (f"{name}: {dropped.input} ({words})",))
        for word in surface.lost:
            level = Level.NOTE if word in ("diffuse roughness", "coat IOR") else Level.CHANGED
            yield Difference(level, f"Materials have no {word}", (name,))
        for oddity in surface.oddities:
            yield Difference(Level.CHANGED, "Textures are laid out and read in a plain way",
                             (f"{name}: {oddity}",))
        if surface.sheen:
            yield Difference(Level.NOTE, "Sheen is of another model, and brighter", (name,))
