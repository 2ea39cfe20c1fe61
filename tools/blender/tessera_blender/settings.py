# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences, and what a scene keeps of its renders on the farm."""

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import bpy

from . import farm

PACKAGE = __package__ or "tessera_blender"


class TESSERA_AP_preferences(bpy.types.AddonPreferences):
    """Where the farm's door is, and the token that opens it."""

    bl_idname = PACKAGE

    url: bpy.props.StringProperty(
        name="Address",
        description="Where `tessera studio serve` runs. Without it TESSERA_API, or this machine",
        default="http://127.0.0.1:7980",
    )
    token: bpy.props.StringProperty(
        name="Token",
        description=(
            "What `tessera studio token add` printed. Without it TESSERA_TOKEN, or the file "
            "~/.config/tessera/token, where Blender's preferences do not hold it"
        ),
        subtype="PASSWORD",
    )

    def draw(self, _context: bpy.types.Context) -> None:
        """Draws them."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "url")
        layout.prop(self, "token")
        if farm.Door(self.url).is_open_line:
            row = layout.row()
            row.label(text="The token goes over this line unencrypted; use https", icon="ERROR")
        if not bpy.app.online_access:
            layout.label(text=OFFLINE, icon="INTERNET_OFFLINE")


OFFLINE = "Blender is offline. Allow online access in Preferences, System, to render on the farm"


class TESSERA_PG_settings(bpy.types.PropertyGroup):
    """What a scene says of its renders on the farm."""

    span: bpy.props.EnumProperty(
        name="Frames",
        items=(
            ("STILL", "Current frame", "Render the frame that is shown"),
            ("RANGE", "Range", "Render the scene's range of frames, with its step"),
        ),
        default="STILL",
    )
    limit: bpy.props.StringProperty(
        name="Limit",
        description=(
            "The most that a job may cost, tokens. Empty: the price is asked for and confirmed"
        ),
    )
    folder: bpy.props.StringProperty(
        name="Pictures",
        description="Where pictures go",
        default="//tessera/",
        subtype="DIR_PATH",
    )
    samples: bpy.props.IntProperty(
        name="Samples",
        description="Samples per pixel, px. 0: as the scene's render settings say",
        default=0,
        min=0,
        max=65536,
    )
    job: bpy.props.StringProperty(name="Job", description="The last job of this scene")
    show_differences: bpy.props.BoolProperty(name="Differences", default=True)


CLASSES = (TESSERA_AP_preferences, TESSERA_PG_settings)


def preferences(context: bpy.types.Context) -> Any | None:
    """The add-on's preferences, `None` where it was registered by hand."""
    addon = context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon is not None else None


def door(context: bpy.types.Context) -> farm.Door:
    """Where the farm is."""
    told = preferences(context)
    return farm.Door(told.url, told.token) if told is not None else farm.Door("")


def folder(scene: bpy.types.Scene) -> Path:
    """Where pictures of a scene go; beside a file that was never saved there is no place."""
    told = scene.tessera.folder
    if told.startswith("//") and not bpy.data.filepath:
        base = bpy.app.tempdir or tempfile.gettempdir()
        return Path(base) / "tessera"
    return Path(bpy.path.abspath(told))


def limit(text: str) -> Decimal | None:
    """The limit that was typed, `None` for none.

    Raises `ValueError` for what is no amount.
    """
    text = text.strip().replace(",", ".")
    if not text:
        return None
    try:
        amount = Decimal(text)
    except ArithmeticError:
        amount = Decimal(-1)
    if not amount.is_finite() or amount <= 0:
        raise ValueError(f"A limit is a number of tokens such as 5.00, not {text}")
    return amount


def register() -> None:
    """Makes Blender know them."""
    for one in CLASSES:
        bpy.utils.register_class(one)
    bpy.types.Scene.tessera = bpy.props.PointerProperty(type=TESSERA_PG_settings)


def unregister() -> None:
    """Takes them back."""
    del bpy.types.Scene.tessera
    for one in reversed(CLASSES):
        bpy.utils.unregister_class(one)
