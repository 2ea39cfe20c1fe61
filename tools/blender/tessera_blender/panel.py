# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in Properties, Output: it draws the session and decides nothing."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

from . import farm, operators, settings
from .differences import Difference
from .knobs import Level
from .session import Phase, Session

ICONS = {Level.STOP: "CANCEL", Level.LOST: "X", Level.CHANGED: "ERROR", Level.NOTE: "INFO"}
WORDS = {
    Level.STOP: "Cannot be sent",
    Level.LOST: "Will not be in the picture",
    Level.CHANGED: "Will look different",
    Level.NOTE: "May look a little different",
}
# Names that a line shows, and letters that fit into one.
NAMES_SHOWN, LETTERS = 4, 52


class TESSERA_PT_submit(bpy.types.Panel):
    """Renders the scene on a farm."""

    bl_idname = "TESSERA_PT_submit"
    bl_label = "Tessera"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "output"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws it."""
        draw(self.layout, context, operators.SESSION)


def draw(layout: Any, context: bpy.types.Context, session: Session) -> None:
    """Draws the session into a layout."""
    told = context.scene.tessera
    layout.use_property_split = True
    layout.use_property_decorate = False
    column = layout.column()
    column.enabled = not session.is_busy
    column.prop(told, "span")
    column.prop(told, "samples")
    column.prop(told, "limit")
    column.prop(told, "folder")
    if not bpy.app.online_access:
        lines(layout, settings.OFFLINE, "INTERNET_OFFLINE")
    row = layout.row(align=True)
    row.operator("tessera.check", icon="VIEWZOOM")
    row.operator("tessera.submit", icon="RENDER_STILL")
    course(layout, session)
    if session.phase is Phase.PRICED and session.price is not None:
        price(layout, session.price)
    if told.job and not session.is_busy:
        layout.operator("tessera.open_job", icon="FILE_REFRESH")
    found(layout, told, session)


def course(layout: Any, session: Session) -> None:
    """What goes on, or how it ended."""
    if session.is_busy:
        text = session.text or session.phase.value.capitalize()
        if session.share is None:
            layout.label(text=text, icon="SORTTIME")
        else:
            layout.progress(factor=session.share, text=text)
        if session.phase is Phase.PRICING:
            layout.operator("tessera.discard", icon="CANCEL")
        if session.phase is Phase.RENDERING:
            row = layout.row(align=True)
            row.operator("tessera.detach")
            row.operator("tessera.cancel", icon="CANCEL")
    elif session.error:
        lines(layout, session.error, "ERROR")
    elif session.text:
        lines(layout, session.text, "CHECKMARK" if session.phase is Phase.DONE else "INFO")


def price(layout: Any, told: farm.Price) -> None:
    """The price, and what the door said."""
    box = layout.box()
    box.label(text=f"{farm.credits(told.tokens)} tokens at most", icon="CHECKMARK")
    if not told.nodes_here:
        lines(box, "No node that can hold this scene is here now; it would wait", "INFO")
    for warning in told.warnings:
        lines(box, warning, "ERROR")
    row = box.row(align=True)
    row.operator("tessera.order")
    row.operator("tessera.discard")


def found(layout: Any, told: Any, session: Session) -> None:
    """What will not look the same."""
    if not session.has_checked:
        return
    if not session.differences:
        layout.label(text="Nothing will look different", icon="CHECKMARK")
        return
    count = len(session.differences)
    text = "1 difference" if count == 1 else f"{count} differences"
    icon = "DOWNARROW_HLT" if told.show_differences else "RIGHTARROW"
    layout.prop(told, "show_differences", text=text, icon=icon, emboss=False, toggle=True)
    if not told.show_differences:
        return
    for level in Level:
        of_level = [one for one in session.differences if one.level == level]
        if not of_level:
            continue
        box = layout.box()
        box.label(text=WORDS[level], icon=ICONS[level])
        for one in of_level:
            difference(box, one)


def difference(layout: Any, one: Difference) -> None:
    """One difference, with the first of the names it is about."""
    lines(layout, one.text)
    names = one.names[:NAMES_SHOWN]
    for name in names:
        lines(layout, name, "DOT")
    if len(one.names) > len(names):
        layout.label(text=f"and {len(one.names) - len(names)} more", icon="DOT")


def lines(layout: Any, text: str, icon: str = "NONE") -> None:
    """A text in as many lines as it takes: labels do not wrap."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(textwrap.wrap(text, LETTERS) or [""]):
        column.label(text=line, icon=icon if index == 0 else "BLANK1" if icon != "NONE" else "NONE")


def register() -> None:
    """Makes Blender know it."""
    bpy.utils.register_class(TESSERA_PT_submit)


def unregister() -> None:
    """Takes it back."""
    bpy.utils.unregister_class(TESSERA_PT_submit)
