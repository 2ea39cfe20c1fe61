# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows pictures that came from the farm."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bpy


def pictures(context: bpy.types.Context, paths: Sequence[Path]) -> bpy.types.Image | None:
    """Loads pictures into one image, and into an Image Editor where one is open."""
    if not paths:
        return None
    first = str(paths[0])
    image = next((one for one in bpy.data.images
                  if bpy.path.abspath(one.filepath) == first), None)
    if image is None:
        image = bpy.data.images.load(first)
    else:
        image.reload()
    image.source = "SEQUENCE" if len(paths) > 1 else "FILE"
    for space in editors(context):
        # The alpha says where nothing is, and the sky is in the picture all the same.
        with contextlib.suppress(TypeError):
            space.display_channels = "COLOR"
        space.image = image
        if len(paths) > 1:
            space.image_user.frame_duration = len(paths)
            space.image_user.use_auto_refresh = True
        break
    return image


def editors(context: bpy.types.Context) -> Iterator[Any]:
    """The Image Editors that are open and show no mask or UV."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR" and area.ui_type == "IMAGE_EDITOR":
                yield area.spaces.active


def redraw(context: bpy.types.Context) -> None:
    """Has the panel drawn anew."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PROPERTIES":
                area.tag_redraw()
