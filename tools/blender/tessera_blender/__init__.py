# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a Blender scene on a Tessera farm.

`read`, `nodes` and `moving` know where Blender keeps things and fill `facts`; `differences`,
`describe`, `extras`, `finish` and `frame` decide from facts alone; `export` and `sky` write files;
`farm` asks the farm, `session` keeps where a render stands, and `operators` and `panel` show it.
"""

from __future__ import annotations


def register() -> None:
    """Blender switches the add-on on."""
    from . import operators, panel, settings

    settings.register()
    operators.register()
    panel.register()


def unregister() -> None:
    """Blender switches the add-on off."""
    from . import operators, panel, settings

    panel.unregister()
    operators.unregister()
    settings.unregister()
