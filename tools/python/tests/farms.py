"""A real farm: a scheduler, a node and a door, as a studio starts them.

TESSERA_TEST_PROGRAM names the `tessera` program; without it nothing is tested on a farm.
TESSERA_TEST_SCENE names another scene than the repository's.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

import pytest

import tessera

PROGRAM = os.environ.get("TESSERA_TEST_PROGRAM")
SCENE = Path(
    os.environ.get("TESSERA_TEST_SCENE") or Path(__file__).parents[3] / "assets" / "spheres.glb"
)
# Far above what any step needs: machines are shared.
PATIENCE_S = 240.0

ON_A_FARM = [
    pytest.mark.skipif(
        PROGRAM is None,
        reason="a real farm is tested where TESSERA_TEST_PROGRAM names the tessera program",
    ),
    pytest.mark.skipif(not SCENE.is_file(), reason=f"the scene is not there: {SCENE}"),
]


class Process:
    """A program whose output is read while it runs; ended with whoever started it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        assert PROGRAM is not None
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("TESSERA_FARM", "TESSERA_KEY", "TESSERA_BIND", "TESSERA_STUDIO")
        }
        environment.update(TESSERA_HOME=str(folder / "home"), NO_COLOR="1")
        self.name = arguments[0]
        self._errors = (folder / f"{self.name}-{time.monotonic_ns()}.log").open("wb")
        self._process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.decode().strip())
        self._lines.put(None)

    def first_line(self) -> str:
        """What it says first; its log where it ends without a word."""
        try:
            line = self._lines.get(timeout=PATIENCE_S)
        except Empty:
            line = None
        assert line, f"{self.name} said nothing; it logged:\n{self.log()}"
        return line

    def log(self) -> str:
        """What it has logged."""
        return Path(self._errors.name).read_text("utf-8", "replace")

    def end(self) -> None:
        """Ends it, by force if need be."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=20.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()


@dataclass
class Farm:
    """A farm in a folder."""

    folder: Path
    url: str = ""
    token: str = ""
    door: Process | None = None
    processes: list[Process] = field(default_factory=list)

    def start(self, *arguments: str) -> Process:
        """Starts a program that ends with the farm."""
        process = Process(self.folder, *arguments)
        self.processes.append(process)
        return process

    def open_door(self, bind: str = "127.0.0.1:0", *more: str) -> None:
        """Opens the studio's door."""
        ticket = f"@{self.folder / 'ticket'}"
        self.door = self.start(
            "studio", "serve", "--farm", ticket, "--data", "studio", "--bind", bind, *more
        )
        told = json.loads(self.door.first_line())
        assert (told["v"], told["event"]) == (1, "serving")
        self.url = told["url"]

    def close_door(self) -> None:
        """Closes it."""
        assert self.door is not None
        self.processes.remove(self.door)
        self.door.end()


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm of one node and a door, with an owner's token."""
    folder = tmp_path_factory.mktemp("farm")
    farm = Farm(folder)
    try:
        scheduler = farm.start("scheduler", "--data", "scheduler", "--bind", "127.0.0.1:0")
        (folder / "ticket").write_text(scheduler.first_line())
        ticket = f"@{folder / 'ticket'}"
        farm.start("node", "--farm", ticket, "--data", "node", "--name", "attic",
                   "--backend", "cpu", "--threads", "1")  # fmt: skip
        # Tokens are kept by the program while the door is closed.
        add = ("studio", "token", "add", "sdk", "--role", "owner", "--data", "studio")
        farm.token = farm.start(*add).first_line()
        farm.open_door()
        with tessera.Client(farm.url, token=farm.token) as client:
            wait_until(lambda: any(node.name == "attic" for node in client.nodes()))
        yield farm
    finally:
        for process in reversed(farm.processes):
            process.end()


def wait_until(holds: Callable[[], bool]) -> None:
    """Waits for something to be so."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < PATIENCE_S, "it did not come to be so"
        time.sleep(0.05)
