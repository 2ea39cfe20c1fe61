"""The example against a real farm."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

import tessera
from farms import ON_A_FARM, PATIENCE_S, SCENE, Farm, farm, wait_until

__all__ = ["farm"]

EXR_MAGIC = b"\x76\x2f\x31\x01"

pytestmark = ON_A_FARM


@pytest.fixture
def client(farm: Farm) -> Iterator[tessera.Client]:
    """A client of the farm's owner."""
    with tessera.Client(farm.url, token=farm.token) as client:
        yield client


def small(client: tessera.Client, **settings: object) -> tessera.Job:
    """A job of a few seconds."""
    usual = {"camera": "front", "size": (64, 48), "samples": 16, "max_cost": "5.00"}
    return client.submit(SCENE, **{**usual, **settings})  # type: ignore[arg-type]


def test_the_example_renders_a_picture(
    farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSERA_API", farm.url)
    monkeypatch.setenv("TESSERA_TOKEN", farm.token)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shot_010.glb").write_bytes(SCENE.read_bytes())
    statuses = []
    with tessera.Client() as client:
        job = client.submit(
            "shot_010.glb", camera="front", size=(64, 48), samples=16, max_cost="5.00"
        )
        for event in job.watch():
            assert event.job == job.id and event.tile_count == 1
            statuses.append(event.status)
        (path,) = job.download("out/", format="exr")
        ended = job.refresh()
    assert statuses[-1] == "done"
    assert path == Path("out") / job.id / "shot_010" / "front" / "0000.exr"
    assert path.read_bytes().startswith(EXR_MAGIC)
    assert (ended.status, ended.name, ended.size) == ("done", "shot_010", (64, 48))
    assert ended.tiles_accepted == ended.tile_count == 1 and ended.progress == 1.0
    assert tessera.Money(0) < ended.spent <= ended.price <= tessera.Money.of("5.00")
    assert ended.spent + ended.refunded == ended.price


def test_an_animation_comes_frame_by_frame(client: tessera.Client, tmp_path: Path) -> None:
    job = small(client, frames=(1, 3, 2), name="a/b")
    assert job.wait(timeout=PATIENCE_S, check=True).status == "done"
    frames = list(job.frames())
    assert [(frame.frame, frame.camera, frame.complete) for frame in frames] == [
        (1, 0, True),
        (3, 0, True),
    ]
    assert [tile.status for tile in job.tiles(3)] == ["accepted"]
    paths = job.download(tmp_path, format="png", view="neutral", pattern="{name}.{frame:04}")
    assert [path.name for path in paths] == ["a_b.0001.png", "a_b.0003.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert json.loads(job.receipt(frame=3))["kind"] == "receipt"
    assert any(entry.message for entry in job.log())
    with pytest.raises(tessera.OutputExists):
        job.download(tmp_path, format="png", pattern="{name}.{frame:04}")


def test_a_scene_is_sent_once_and_quoted(client: tessera.Client) -> None:
    scene = client.upload(SCENE)
    assert client.upload(SCENE).id == scene.id and "front" in scene.cameras
    assert scene.id in {it.id for it in client.scenes()}
    quote = client.quote(scene, camera="front", size=(64, 48), samples=16)
    assert quote.price > tessera.Money(0) and quote.nodes.known >= 1
    with pytest.raises(tessera.MaxCostExceeded) as raised:
        client.submit(scene, camera="front", size=(640, 480), samples=4096, max_cost="0.000001")
    assert raised.value.price is not None and raised.value.price > tessera.Money(1)


def test_an_order_is_given_once(client: tessera.Client) -> None:
    jobs = [small(client, idempotency_key="once", paused=True) for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    with pytest.raises(tessera.KeyReused):
        small(client, idempotency_key="once", samples=17)
    jobs[0].cancel()


def test_a_job_is_steered(client: tessera.Client, tmp_path: Path) -> None:
    job = small(client, name="steered", paused=True)
    assert job.priority(80).priority_value == 80
    assert [it.id for it in client.jobs(status="paused", name="STEER")] == [job.id]
    dry = job.cancel(dry_run=True)
    assert dry.would_return == job.price and job.refresh().status == "paused"
    assert job.cancel().status == "cancelled"
    assert job.refresh().refunded == job.price
    with pytest.raises(tessera.JobFailed) as raised:
        job.download(tmp_path)
    assert [frame.frame for frame in raised.value.failed_frames] == [0]
    # Watching what is over tells its end.
    assert [event.status for event in job.watch()][-1] == "cancelled"


def test_watching_outlives_the_door(farm: Farm, client: tessera.Client) -> None:
    job = small(client, name="outlived", paused=True)
    watching = job.watch()
    assert next(watching).status == "paused"
    bind = farm.url.removeprefix("http://")
    farm.close_door()
    farm.open_door(bind)
    job.resume()
    assert [event.status for event in watching][-1] == "done"


def test_people_money_and_the_farm(client: tessera.Client) -> None:
    me = client.whoami()
    assert (me.name, me.role, me.secret) == ("sdk", "owner", None)
    assert client.health()
    assert [node.name for node in client.nodes()] == ["attic"]
    assert client.farm().base_per_gray > tessera.Money(0)
    wallet = client.wallet()
    entries = list(client.statement())
    assert entries[0].balance == wallet.balance and {it.direction for it in entries} >= {"in"}
    budget: tessera.types.Budget = {"amount": "50", "period": "month"}
    team = client.put_team("light", budget=budget)
    assert team.budget == tessera.Budget(tessera.Money.of(50), "month", 80, "refuse")
    made = client.create_token("intern", role="submitter", team="light", jobs_max=1)
    assert made.secret is not None and made.id in {token.id for token in client.tokens()}
    with tessera.Client(client.url, token=made.secret) as intern:
        with pytest.raises(tessera.Forbidden):
            intern.wallet()
        job = small(intern, paused=True)
        with pytest.raises(tessera.QuotaExhausted):
            small(intern)
        assert (job.team, job.submitted_by) == ("light", "intern")
        job.cancel()
    client.delete_token(made.id)
    with (
        tessera.Client(client.url, token=made.secret) as intern,
        pytest.raises(tessera.Unauthorized),
    ):
        intern.whoami()
    client.delete_team("light")
    with pytest.raises(tessera.NotFound):
        client.team("light")


def test_webhooks_are_kept(client: tessera.Client) -> None:
    hook = client.create_webhook("http://127.0.0.1:9/hook", events=["job.done"])
    assert hook.secret is not None and hook.secret.startswith("whsec_")
    assert client.webhook(hook.id).events == ("job.done",)
    assert hook.id in {it.id for it in client.webhooks()}
    # Nobody listens there.
    assert client.test_webhook(hook.id).error is not None
    assert all(it.type == "job.done" for it in client.deliveries(hook.id))
    client.delete_webhook(hook.id)
    with pytest.raises(tessera.NotFound):
        client.webhook(hook.id)


def test_webhooks_come_signed(client: tessera.Client) -> None:
    with Hook() as hook:
        made = client.create_webhook(hook.url, events=["job.done"])
        assert made.secret is not None
        assert client.test_webhook(made.id).status == 204
        job = small(client, name="hooked").wait(timeout=PATIENCE_S, check=True)
        wait_until(lambda: len(hook.got) == 2)
        ping, done = (tessera.verify_webhook(*got, made.secret) for got in hook.got)
        assert (ping.type, done.type, done.job, done.status) == ("ping", "job.done", job.id, "done")
        with pytest.raises(tessera.WebhookRefused):
            tessera.verify_webhook(hook.got[1][0], hook.got[1][1] + b" ", made.secret)
        wait_until(lambda: [it.state for it in client.deliveries(made.id)] == ["delivered"])
        client.delete_webhook(made.id)


class Hook:
    """Who is posted to."""

    def __init__(self) -> None:
        got: list[tuple[dict[str, str], bytes]] = []
        self.got = got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                got.append((dict(self.headers.items()), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> Hook:
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def in_parts(folder: Path, buffer: str) -> Path:
    """The scene as a `.gltf` whose buffer is a file of its own."""
    content = SCENE.read_bytes()
    length = int.from_bytes(content[12:16], "little")
    document = json.loads(content[20 : 20 + length])
    document["buffers"][0]["uri"] = buffer
    path = folder / f"{SCENE.stem}.gltf"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    (folder / buffer).parent.mkdir(parents=True, exist_ok=True)
    (folder / buffer).write_bytes(content[20 + length + 8 :])
    return path


def test_a_scene_of_several_files_is_the_same_scene(client: tessera.Client, tmp_path: Path) -> None:
    one = client.upload(SCENE)
    inside = client.upload(in_parts(tmp_path / "a", "bin/part.bin"))
    path = in_parts(tmp_path / "b" / "scene", "../part.bin")
    with pytest.raises(tessera.SceneFileError, match="allow_outside"):
        client.upload(path)
    outside = client.upload(path, allow_outside=True)
    assert inside.id == outside.id == one.id
    (tmp_path / "b" / "part.bin").unlink()
    with pytest.raises(tessera.MissingFiles):
        client.upload(path, allow_outside=True)
    odd = tmp_path / "odd.gltf"
    odd.write_text('{"asset": {"version": "2.0"}, "extensionsRequired": ["EXT_nobody_has"]}')
    with pytest.raises(tessera.SceneRefused, match="EXT_nobody_has"):
        client.upload(odd)


def test_a_file_that_is_there_by_half_goes_on(farm: Farm, client: tessera.Client) -> None:
    content = os.urandom(300_000)
    path = in_parts(farm.folder / "half", "part.bin")
    buffer = path.parent / "part.bin"
    # Behind what the scene reads.
    buffer.write_bytes(buffer.read_bytes() + content)
    content = buffer.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    sent = httpx.put(
        f"{farm.url}/v1/files/{sha256}",
        content=content[:100_000],
        headers={
            "Authorization": f"Bearer {farm.token}",
            "Upload-Offset": "0",
            "Upload-Length": str(len(content)),
        },
    )
    assert sent.status_code == 202
    seen: list[tessera.UploadProgress] = []
    client.upload(path, on_upload=seen.append)
    root_bytes = path.stat().st_size
    assert root_bytes + 100_000 in [it.sent_bytes for it in seen] and seen[-1].share == 1.0


def test_a_picture_that_is_here_by_half_goes_on(
    farm: Farm, client: tessera.Client, tmp_path: Path
) -> None:
    job = small(client, name="half").wait(timeout=PATIENCE_S, check=True)
    (whole,) = job.download(tmp_path, pattern="whole")
    picture = whole.read_bytes()
    headers = {"Authorization": f"Bearer {farm.token}"}
    etag = httpx.get(f"{farm.url}/v1/jobs/{job.id}/image.exr", headers=headers).headers["etag"]

    def check(part: bytes, tag: str) -> None:
        (tmp_path / "half.exr.part").write_bytes(part)
        (tmp_path / "half.exr.part.etag").write_text(tag)
        (path,) = job.download(tmp_path, pattern="half", overwrite="replace")
        assert path.read_bytes() == picture

    check(picture[:1000], etag)
    check(b"junk", '"another"')
    check(picture, etag)


def test_who_asks_too_often_is_slowed_and_not_refused(client: tessera.Client) -> None:
    begun = time.monotonic()
    for _ in range(300):
        client.whoami()
    # 200 at once and 50 a second.
    assert time.monotonic() - begun > 1.0


def test_the_other_client_does_it_too(farm: Farm, tmp_path: Path) -> None:
    async def example() -> list[Path]:
        async with tessera.AsyncClient(farm.url, token=farm.token) as client:
            job = await client.submit(
                SCENE, camera="front", size=(64, 48), samples=16, max_cost="5.00"
            )
            seen = [event.status async for event in job.watch()]
            assert seen[-1] == "done"
            return await job.download(tmp_path)

    (path,) = asyncio.run(example())
    assert path.read_bytes().startswith(EXR_MAGIC)
