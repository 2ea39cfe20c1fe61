# SPDX-License-Identifier: GPL-3.0-or-later
"""From Blender's scene to the picture on a real farm: a scheduler, a node and a studio's door.

TESSERA_TEST_PROGRAM names the `tessera` program; without it nothing is tested here.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import bpy
import OpenEXR
import pytest

import pictures
import scenes
from tessera_blender import farm as asks
from tessera_blender import operators
from tessera_blender.session import Phase

PROGRAM = os.environ.get("TESSERA_TEST_PROGRAM")
# Far above what any step needs: machines are shared.
PATIENCE_S = 300.0

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="a real farm needs TESSERA_TEST_PROGRAM to name the tessera program")


class Process:
    """A program whose first line is read; ended with whoever started it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        assert PROGRAM is not None
        private = ("TESSERA_FARM", "TESSERA_KEY", "TESSERA_BIND", "TESSERA_STUDIO",
                   "TESSERA_API", "TESSERA_TOKEN")
        environment = {name: value for name, value in os.environ.items() if name not in private}
        environment |= {"TESSERA_HOME": str(folder / "home"), "NO_COLOR": "1"}
        self.log = folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as errors:
            self.process = subprocess.Popen(
                ["nice", "-n", "10", PROGRAM, *arguments], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        self.lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.decode().strip())
        self.lines.put("")

    def first_line(self) -> str:
        try:
            line = self.lines.get(timeout=PATIENCE_S)
        except queue.Empty:
            line = ""
        assert line, self.log.read_text("utf-8", "replace")
        return line

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@dataclass
class Farm:
    """A farm in a folder."""

    folder: Path
    url: str = ""
    token: str = ""
    processes: list[Process] = field(default_factory=list)

    def start(self, *arguments: str) -> Process:
        process = Process(self.folder, *arguments)
        self.processes.append(process)
        return process


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm of one node and a door, with an owner's token."""
    import tessera

    folder = tmp_path_factory.mktemp("farm")
    made = Farm(folder)
    try:
        scheduler = made.start("scheduler", "--data", "scheduler", "--bind", "127.0.0.1:0")
        (folder / "ticket").write_text(scheduler.first_line())
        ticket = f"@{folder / 'ticket'}"
        made.start("node", "--farm", ticket, "--data", "node", "--name", "attic",
                   "--backend", "cpu", "--threads", "1")
        made.token = made.start(
            "studio", "token", "add", "blender", "--role", "owner", "--data", "studio"
        ).first_line()
        door = made.start(
            "studio", "serve", "--farm", ticket, "--data", "studio", "--bind", "127.0.0.1:0")
        told = json.loads(door.first_line())
        assert (told["v"], told["event"]) == (1, "serving")
        made.url = told["url"]
        with tessera.Client(made.url, token=made.token) as client:
            end = time.monotonic() + PATIENCE_S
            while not any(node.name == "attic" for node in client.nodes()):
                assert time.monotonic() < end, "the node did not come"
                time.sleep(0.05)
        yield made
    finally:
        for process in reversed(made.processes):
            process.end()


@pytest.fixture
def studio(
    blender: None, farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> bpy.types.Scene:
    """A scene with a bit of everything, and a way to the farm."""
    monkeypatch.setenv("TESSERA_API", farm.url)
    monkeypatch.setenv("TESSERA_TOKEN", farm.token)
    made = scenes.studio(tmp_path)
    # What Cycles shows otherwise: its lamps are not seen, and shine from disks.
    bpy.data.objects.remove(bpy.data.objects["softbox"])
    bpy.data.lights["bulb"].use_soft_falloff = bpy.data.lights["spot"].use_soft_falloff = False
    made.cycles.samples = 64
    bpy.context.preferences.system.use_online_access = True
    made.tessera.folder = str(tmp_path / "out")
    return made


def test_a_still_comes_back_as_cycles_has_it(studio: bpy.types.Scene, tmp_path: Path) -> None:
    theirs = pictures.cycles(tmp_path)
    assert bpy.ops.tessera.submit(max_cost="50.00") == {"FINISHED"}
    session = operators.SESSION
    assert session.price is not None and session.price.warnings == ()
    assert session.course is not None and 0 < session.course.spent <= session.price.tokens
    (path,) = session.pictures
    apart = pictures.apart(pictures.pixels(path), theirs)
    print(apart)
    assert abs(apart.mean - 1) < 0.02 and apart.typical < 0.03 and apart.worst < 0.15, apart
    image = next(one for one in bpy.data.images if one.filepath == str(path))
    assert tuple(image.size) == (0, 0) and image.type == "MULTILAYER"


def test_a_shifted_region_comes_back_in_its_place(
    studio: bpy.types.Scene, tmp_path: Path
) -> None:
    camera = studio.camera.data
    camera.shift_x, camera.shift_y = 8 / 64, -4.5 / 64
    render = studio.render
    render.use_border = render.use_crop_to_border = True
    render.border_min_x, render.border_max_x = 0.25, 0.75
    render.border_min_y, render.border_max_y = 0.25, 1.0
    theirs = pictures.cycles(tmp_path)
    assert bpy.ops.tessera.submit(max_cost="50.00") == {"FINISHED"}
    (path,) = operators.SESSION.pictures
    ours = pictures.pixels(path)
    assert ours.shape == theirs.shape == (27, 32, 3)
    apart = pictures.apart(ours, theirs, 4)
    print(apart)
    assert abs(apart.mean - 1) < 0.03 and apart.worst < 0.15, apart


def test_a_range_comes_frame_by_frame(studio: bpy.types.Scene, tmp_path: Path) -> None:
    studio.tessera.span = "RANGE"
    studio.frame_start, studio.frame_end, studio.frame_step = 2, 6, 2
    studio.cycles.samples, studio.cycles.use_adaptive_sampling = 64, True
    studio.cycles.adaptive_threshold = 0.1
    studio.view_layers[0].use_pass_diffuse_direct = True
    assert bpy.ops.tessera.submit(max_cost="50.00") == {"FINISHED"}
    paths = operators.SESSION.pictures
    assert [path.name.split(".")[-2] for path in paths] == ["0002", "0004", "0006"]
    shown = [pictures.pixels(path) for path in paths]
    with OpenEXR.File(str(paths[0]), separate_channels=True) as file:
        assert "diffuse_direct.R" in file.channels()
    # The ball moves from left to right.
    apart = abs(shown[0] - shown[2]).mean()
    assert apart > 0.01, apart


def test_a_price_above_the_limit_orders_nothing(studio: bpy.types.Scene) -> None:
    with pytest.raises(RuntimeError, match="above the limit"):
        bpy.ops.tessera.submit(max_cost="0.000001")
    assert operators.SESSION.phase is Phase.PRICED and not studio.tessera.job


def test_a_job_is_cancelled_and_opened_again(
    studio: bpy.types.Scene, farm: Farm, tmp_path: Path
) -> None:
    session, context = operators.SESSION, bpy.context
    known = operators.look(context)
    studio.cycles.samples = 65536
    known = operators.look(context)
    root, job = operators.prepare(context, known)
    session.ask(asks.Door(farm.url, farm.token), root, job, tmp_path / "out")
    operators.wait()
    assert session.phase is Phase.PRICED, session.error
    session.order(Decimal(1000))
    until(session, Phase.RENDERING)
    assert session.course is not None
    id = session.course.id
    session.cancel()
    operators.wait()
    assert session.course.status == "cancelled", session
    with pytest.raises(RuntimeError, match="(?i)cancelled"):
        bpy.ops.tessera.open_job(job=id)


def until(session: Any, phase: Phase) -> None:
    end = time.monotonic() + PATIENCE_S
    while session.phase is not phase:
        session.step()
        time.sleep(0.01)
        assert session.is_busy and time.monotonic() < end, session
