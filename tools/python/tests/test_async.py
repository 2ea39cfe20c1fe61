"""What only asyncio's client can do: several things at once, and be called off."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import tessera
from conftest import QUICK
from door import FILM, TOKEN, Door, event_json


def client_of(door: Door) -> tessera.AsyncClient:
    return tessera.AsyncClient(door.url, token=TOKEN, retry=QUICK)


def test_the_example_works_as_it_is_written(door: Door, tmp_path: Path) -> None:
    async def example() -> list[Path]:
        async with client_of(door) as client:
            job = await client.submit("scn_1", camera="cam", samples=256, max_cost="5.00")
            async for event in job.watch():
                assert event.tile_count == 4
            return await job.download(tmp_path, format="exr")

    (path,) = asyncio.run(example())
    assert path.read_bytes() == FILM


def test_many_are_watched_at_once(door: Door) -> None:
    async def ids(job: tessera.AsyncJob) -> list[str | None]:
        return [event.id async for event in job.watch()]

    async def example() -> None:
        async with client_of(door) as client:
            job = await client.submit("scn_1", max_cost=5)
            door.cuts_of_events = [1, 2, 0]
            told = await asyncio.gather(*[ids(job) for _ in range(8)])
            assert told == [["1", "2", "3", "4"]] * 8

    asyncio.run(example())


def test_events_without_end_end_with_who_listens(door: Door) -> None:
    async def listen(client: tessera.AsyncClient) -> None:
        async for _event in client.events(after="0"):
            pass

    async def example() -> None:
        async with client_of(door) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(listen(client), 0.3)
            assert (await client.job("job_1")).status == "done"

    asyncio.run(example())


def test_what_is_called_off_ends_and_harms_nothing(door: Door, tmp_path: Path) -> None:
    async def example() -> None:
        async with client_of(door) as client:
            job = await client.submit("scn_1", max_cost=5)
            door.events, door.stays_open = [event_json(1, "job.ordered")], True
            waiting = asyncio.create_task(job.wait())
            watching = asyncio.create_task(_drain(job))
            while door.listeners == 0:
                await asyncio.sleep(0.01)
            for task in (waiting, watching):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            while door.listeners > 0:
                await asyncio.sleep(0.01)
            door.job["status"] = "done"
            assert (await job.refresh()).status == "done"

    asyncio.run(example())


async def _drain(job: tessera.AsyncJob) -> None:
    async for _event in job.watch():
        pass


def test_a_download_that_is_called_off_goes_on_later(door: Door, tmp_path: Path) -> None:
    async def example() -> None:
        async with client_of(door) as client:
            job = await client.submit("scn_1", max_cost=5)
            door.job["status"] = "done"
            door.slow = True
            task = asyncio.create_task(job.download(tmp_path, pattern="p"))
            while not (tmp_path / "p.exr.part").exists():
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            door.slow = False
            had = (tmp_path / "p.exr.part").stat().st_size
            (path,) = await job.download(tmp_path, pattern="p")
            assert path.read_bytes() == FILM
            assert door.asked[-1].headers.get("range") == (f"bytes={had}-" if had else None)

    asyncio.run(example())
