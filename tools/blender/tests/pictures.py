# SPDX-License-Identifier: GPL-3.0-or-later
"""The same scene by Cycles and by Tessera, and how far the two are apart."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import OpenEXR

from tessera_blender import describe, export, facts, frame, read

HERE = Path(__file__).resolve()
PROGRAM = Path(os.environ.get("TESSERA_PROGRAM", HERE.parents[3] / "target/release/tessera"))


@dataclass(frozen=True)
class Apart:
    """How far two pictures are apart: ratios of the means, and of blocks that are lit."""

    mean: float
    worst: float
    typical: float

    def __str__(self) -> str:
        return (f"mean {self.mean - 1:+.1%}, blocks: median {self.typical:.1%}, "
                f"worst {self.worst:.1%}")


def pixels(path: Path) -> np.ndarray:
    """Linear RGB, [height][width][3], of the data window."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = file.channels()
        names = next(
            [f"{before}{one}" for one in "RGB"] for before in ("", "ViewLayer.Combined.")
            if f"{before}R" in channels
        )
        return np.stack([channels[name].pixels for name in names], axis=-1).astype("f8")


def cycles(folder: Path, name: str = "cycles") -> np.ndarray:
    """What Cycles makes of the open scene."""
    scene = bpy.context.scene
    settings = scene.render.image_settings
    settings.file_format, settings.color_depth, settings.color_mode = "OPEN_EXR", "32", "RGB"
    settings.exr_codec = "ZIP"
    path = folder / f"{name}.exr"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return pixels(path)


def exported(folder: Path, moving: bool = False) -> tuple[facts.Scene, export.Exported]:
    """The open scene as files."""
    known = read.scene(bpy.context)
    span = describe.frames_moving(known, "STILL") if moving else None
    return known, export.export(bpy.context, known, folder / "sent", span)


def tessera(
    known: facts.Scene, sent: export.Exported, folder: Path, name: str = "tessera", *more: str
) -> np.ndarray:
    """What Tessera makes of the files on this machine, asked as a job would be."""
    path = folder / f"{name}.exr"
    arguments = [*arguments_of(describe.job(known, "STILL")), "--backend", "cpu", *more]
    command = [PROGRAM, "render", sent.root, "-o", path, *arguments]
    done = subprocess.run(["nice", "-n", "10", *map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return pixels(path)


def arguments_of(job: dict) -> list[str]:
    """A job's description as the command line says it."""
    width, height = job["size"]
    told = ["--size", f"{width}x{height}", "--spp", str(job["samples"]),
            "--bounces", str(job["bounces"]), "--filter", job["filter"],
            "--fps", str(job["fps"]), "--frame", str(job["frames"]["first"]),
            "--shutter", str(job["shutter"]), "--shutter-position", job["shutter_position"]]
    for name in job.get("cameras", ()):
        told += ["--camera", name]
    if crop := job.get("crop"):
        told += ["--crop", f"{crop['x']},{crop['y']},{crop['width']}x{crop['height']}"]
    if job.get("panorama"):
        told.append("--panorama")
    return told


def blocks(picture: np.ndarray, count: int = 8) -> np.ndarray:
    """Means of blocks, [count][count][3]."""
    rows = np.array_split(picture, count, axis=0)
    return np.array([[part.mean((0, 1)) for part in np.array_split(row, count, axis=1)]
                     for row in rows])


def apart(ours: np.ndarray, theirs: np.ndarray, count: int = 8) -> Apart:
    """Compares blocks that have a twentieth of the brightest or more."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    mine, yours = blocks(ours, count).mean(-1), blocks(theirs, count).mean(-1)
    lit = yours > 0.05 * yours.max()
    assert lit.any(), "the picture is black"
    away = np.abs(mine[lit] / yours[lit] - 1)
    return Apart(float(mine.mean() / yours.mean()), float(away.max()), float(np.median(away)))


def compare(folder: Path, *more: str) -> tuple[Apart, np.ndarray, np.ndarray]:
    """Renders the open scene by both."""
    theirs = cycles(folder)
    known, sent = exported(folder)
    ours = tessera(known, sent, folder, "tessera", *more)
    return apart(ours, theirs), ours, theirs


def whole(known: facts.Scene) -> frame.Frame:
    assert known.camera is not None
    return frame.frame(known.camera, known.picture)
