"""How a studio's door bears a batch: 10 000 frames ordered, listed, and watched by 200 at once.

    TESSERA_TEST_PROGRAM=target/release/tessera python tools/python/benches/scale.py

Starts a private farm of one node and a door, in a folder that goes afterwards. Where `wrk` is
installed, it reads the list of jobs as well.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import httpx

import tessera

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from farms import SCENE, Farm, wait_until

FRAMES = 10_000
WATCHERS = 200
EVENTS = 8


def timed(name: str, times: int, act: Callable[[], object]) -> None:
    """Prints how long something takes, at the middle and at most."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        took.append((time.perf_counter() - begun) * 1e3)
    print(f"{name:<44}{statistics.median(took):10.1f} ms{max(took):10.1f} ms at most")


async def watch(farm: Farm, job: str) -> None:
    """Has so many watch a job; prints how late its events come to them."""
    late: list[float] = []

    async def one(client: httpx.AsyncClient) -> None:
        heard = 0
        url = f"{farm.url}/v1/jobs/{job}/events"
        headers = {"Authorization": f"Bearer {farm.token}"}
        async with client.stream("GET", url, headers=headers, timeout=None) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                event = json.loads(line[5:])
                if event["type"] != "job.progress":
                    continue
                heard += 1
                # The first may have waited in the book for whoever comes.
                if heard > 1:
                    told = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
                    late.append((time.time() - told.timestamp()) * 1e3)
                if heard == EVENTS:
                    return

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None)) as client:
        await asyncio.gather(*[one(client) for _ in range(WATCHERS)])
    late.sort()
    name = f"{WATCHERS} watchers, {len(late)} events, lateness"
    most = late[int(len(late) * 0.99)]
    print(f"{name:<44}{statistics.median(late):10.1f} ms{most:10.1f} ms for 99 %")


def load(farm: Farm) -> None:
    """Reads the list of jobs as often as it is answered."""
    if shutil.which("wrk") is None:
        print("wrk is not installed: the load test is left out")
        return
    told = subprocess.run(
        ["wrk", "-t1", "-c32", "-d10s", "--latency", "-H", f"Authorization: Bearer {farm.token}",
         f"{farm.url}/v1/jobs?limit=100"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    wanted = ("50%", "99%", "Requests/sec", "Non-2xx")
    for line in told.stdout.splitlines():
        if any(word in line for word in wanted):
            print(f"wrk, 32 lines, 100 jobs a page: {line.strip()}")


def main() -> None:
    """Runs all of it."""
    with tempfile.TemporaryDirectory() as folder:
        farm = Farm(Path(folder))
        try:
            bench(farm)
        finally:
            for process in reversed(farm.processes):
                process.end()


def bench(farm: Farm) -> None:
    """Measures on a farm that is not started yet."""
    start = ("scheduler", "--data", "scheduler", "--private", "--bind", "127.0.0.1:0")
    ticket = farm.folder / "ticket"
    ticket.write_text(farm.start(*start).first_line())
    add = ("studio", "token", "add", "bench", "--role", "owner", "--data", "studio")
    farm.token = farm.start(*add).first_line()
    farm.open_door("127.0.0.1:0", "--requests-per-second", "1000000")
    with tessera.Client(farm.url, token=farm.token) as client:
        scene = client.upload(SCENE)
        client.quote(scene, size=(64, 36), samples=16)

        def order(name: str, size: tuple[int, int]) -> tessera.Job:
            made: list[tessera.Job] = []
            frames = (1, FRAMES)
            timed(f"order of {FRAMES} frames, {size[0]}x{size[1]}", 1, lambda: made.append(
                client.submit(scene, name=name, size=size, samples=16, frames=frames, max_cost="1")
            ))  # fmt: skip
            return made[0]

        large = order("large", (1920, 1080))
        small = order("small", (64, 36))
        for number in range(100):
            client.submit(scene, name=f"job {number}", size=(64, 36), samples=16, max_cost="1")
        timed("the job", 20, lambda: client.job(large.id))
        timed("100 jobs of the list", 20, lambda: list(itertools.islice(client.jobs(), 100)))
        timed("100 of its frames", 20, lambda: list(itertools.islice(large.frames(), 100)))
        load(farm)
        large.cancel()
        farm.start("node", "--farm", f"@{ticket}", "--data", "node", "--name", "bench",
                   "--backend", "cpu", "--threads", "1")  # fmt: skip
        small.priority(100)
        wait_until(lambda: client.job(small.id).units_accepted > 0)
        asyncio.run(watch(farm, small.id))


if __name__ == "__main__":
    main()
