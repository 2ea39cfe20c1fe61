# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's zip: what is in it, and that Blender's own tool takes it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ADDON = HERE.parent / "tessera_blender"


def build() -> Any:
    spec = importlib.util.spec_from_file_location("build_extension", HERE.parent / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    try:
        return build().collect(tmp_path_factory.mktemp("wheels"))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the wheels cannot be fetched or built here: {error}")


def test_the_manifest_lists_what_is_pinned() -> None:
    pins = [line.split("==") for line in (HERE.parent / "requirements.txt").read_text().splitlines()
            if "==" in line]
    pinned = {f"./wheels/{name}-{rest.split()[0]}-py3-none-any.whl" for name, rest in pins}
    listed = set(build().manifest()["wheels"])
    assert {one for one in listed if "tessera_render" not in one} == pinned
    assert len(listed) == len(pinned) + 1


def test_every_module_says_its_licence() -> None:
    for path in (*ADDON.glob("*.py"), *HERE.glob("*.py"), HERE.parent / "build.py"):
        assert path.read_text().startswith("# SPDX-License-Identifier: GPL-3.0-or-later"), path
    assert "GNU GENERAL PUBLIC LICENSE" in (ADDON / "LICENSE").read_text()


def test_modules_that_decide_know_nothing_of_blender() -> None:
    """The list is those that may; everything else must not import it."""
    may = {"__init__", "borrow", "export", "operators", "moving", "nodes", "panel", "read",
           "settings", "show", "sky"}
    know = {path.stem for path in ADDON.glob("*.py") if "\nimport bpy" in path.read_text()
            or "\n    import bpy" in path.read_text()}
    assert know <= may, know - may


def test_the_zip_has_the_add_on_and_its_wheels(wheels: list[Path], tmp_path: Path) -> None:
    module = build()
    assert module.compare(wheels) == ""
    path = module.pack(wheels, tmp_path)
    names = zipfile.ZipFile(path).namelist()
    assert "__init__.py" in names and "blender_manifest.toml" in names and "LICENSE" in names
    assert {f"wheels/{one.name}" for one in wheels} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    again = tmp_path / "again"
    again.mkdir()
    assert module.pack(wheels, again).read_bytes() == path.read_bytes()
    assert path.stat().st_size < 5_000_000


def test_blenders_own_tool_takes_the_zip(wheels: list[Path], tmp_path: Path) -> None:
    import bpy

    tool = Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core/bl_pkg/cli/blender_ext.py"
    if not tool.is_file():
        pytest.skip(f"this Blender has no such tool: {tool}")
    path = build().pack(wheels, tmp_path)
    done = subprocess.run([sys.executable, str(tool), "validate", str(path)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_runs_from_its_wheels_alone(wheels: list[Path], tmp_path: Path) -> None:
    """As Blender sets it up: the wheels on the path, and the add-on as a package."""
    path = build().pack(wheels, tmp_path)
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path / "tessera_addon")
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as file:
            file.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "import bpy, tessera_addon, tessera, httpx\n"
        "assert tessera.__file__.startswith(sys.argv[2]), tessera.__file__\n"
        "assert httpx.__file__.startswith(sys.argv[2]), httpx.__file__\n"
        "tessera_addon.register(); assert bpy.ops.tessera.check.poll()\n"
        "tessera_addon.unregister(); print('taken')\n"
    )
    command = [sys.executable, "-I", "-c", code, str(tmp_path), str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "taken" in done.stdout, done.stdout + done.stderr


def test_blender_installs_it(wheels: list[Path], tmp_path: Path) -> None:
    """By its own extension system, into a home of its own."""
    path = build().pack(wheels, tmp_path)
    code = (
        "import sys, bpy\n"
        "bpy.ops.extensions.package_install_files(\n"
        "    filepath=sys.argv[1], repo='user_default', enable_on_install=True)\n"
        "name = 'bl_ext.user_default.tessera'\n"
        "told = bpy.context.preferences.addons[name].preferences\n"
        "told.url, told.token = 'http://127.0.0.1:1', 'tes_secret'\n"
        "door = sys.modules[name + '.settings'].door(bpy.context)\n"
        "assert (door.url, door.token) == (told.url, told.token)\n"
        "assert told.bl_rna.properties['token'].subtype == 'PASSWORD'\n"
        "import tessera; assert '.local' in tessera.__file__, tessera.__file__\n"
        "bpy.ops.tessera.check(); print('installed')\n"
    )
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True,
                          env=environment)
    assert "installed" in done.stdout, done.stdout + done.stderr
