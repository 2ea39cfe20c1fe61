# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the add-on and the Python package beside the tests, and quiet scenes to begin with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[1] / "python"
for folder in (HERE, HERE.parent, PYTHON / "src"):
    sys.path.insert(0, str(folder))


@pytest.fixture
def blender() -> Iterator[None]:
    """Blender as it starts, allowed to go online, with the add-on."""
    import bpy

    import tessera_blender
    from tessera_blender import operators

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.system.use_online_access = True
    tessera_blender.register()
    try:
        yield
    finally:
        operators.SESSION.discard()
        operators.SESSION.__init__()
        tessera_blender.unregister()


_STATUS: list[int] = []


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    _STATUS.append(int(exitstatus))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Blender 4.5 as a module may wait for itself forever when Python ends: it is not asked to."""
    if "bpy" in sys.modules and _STATUS:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_STATUS[-1])
