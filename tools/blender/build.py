# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the extension: one zip with the add-on and the wheels that it needs.

    python tools/blender/build.py [--out DIR]

Any Python from 3.11 on with pip, and a network. The same sources make the same bytes, but for
Tessera's own wheel, which is as its build backend makes it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "tessera_blender"
PACKAGE = HERE.parent / "python"
MANIFEST = SOURCE / "blender_manifest.toml"
LEFT_OUT = ("__pycache__", ".pyc", "wheels")
# Zip files begin in 1980.
MOMENT = (1980, 1, 1, 0, 0, 0)


def main() -> int:
    """Builds, and says where the zip is."""
    parser = argparse.ArgumentParser(description="Builds Tessera's Blender extension.")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "out", help="folder")
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        wheels = collect(Path(folder))
        if problem := compare(wheels):
            print(problem, file=sys.stderr)
            return 1
        print(pack(wheels, told.out))
    return 0


def collect(folder: Path) -> list[Path]:
    """Fetches the wheels that are pinned, and builds Tessera's."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    fetch = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes",
             "-r", str(HERE / "requirements.txt"), "-d", str(folder)]
    subprocess.run([*pip, *fetch], check=True)
    subprocess.run([*pip, "wheel", "--no-deps", str(PACKAGE), "-w", str(folder)], check=True)
    return sorted(folder.glob("*.whl"))


def compare(wheels: list[Path]) -> str:
    """What the manifest's list lacks or has too much; empty where it is right."""
    listed = {Path(name).name for name in manifest()["wheels"]}
    found = {wheel.name for wheel in wheels}
    lines = [f"not in the manifest: {name}" for name in sorted(found - listed)]
    lines += [f"only in the manifest: {name}" for name in sorted(listed - found)]
    lines += [f"not pure Python: {name}" for name in sorted(found)
              if not name.endswith("-none-any.whl")]
    return "\n".join(lines)


def manifest() -> dict:
    """The manifest."""
    with MANIFEST.open("rb") as file:
        return tomllib.load(file)


def pack(wheels: list[Path], folder: Path) -> Path:
    """Writes the zip."""
    told = manifest()
    path = folder / f"{told['id']}-{told['version']}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, source in (*sources(), *((f"wheels/{one.name}", one) for one in wheels)):
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, source.read_bytes())
    return path


def sources() -> Iterator[tuple[str, Path]]:
    """The add-on's own files by their names in the zip."""
    for path in sorted(SOURCE.rglob("*")):
        name = path.relative_to(SOURCE)
        if path.is_file() and not any(part.endswith(LEFT_OUT) for part in name.parts):
            yield name.as_posix(), path


if __name__ == "__main__":
    sys.exit(main())
