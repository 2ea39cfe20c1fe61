"""A small door in a thread, which keeps the contract of docs/api.md and breaks lines when told to.

It holds files, scenes and jobs in memory, "renders" a job while its events are read, and notes
every request. What it lacks of a real one is the farm.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "tes_test"
TIME = "2026-12-01T08:00:00.000Z"
TILE_COUNT = 4
FILM = bytes(range(256)) * 2000


def money(micro: int) -> dict[str, Any]:
    """An amount as the door tells it."""
    return {"tokens": f"{micro // 1_000_000}.{micro % 1_000_000:06}", "micro": micro}


def job_json(**other: Any) -> dict[str, Any]:
    """A job as the door tells it."""
    job = {
        "job": "job_1",
        "name": "shot_010",
        "status": "rendering",
        "reason": None,
        "scene": "scn_1",
        "team": None,
        "submitted_by": "nightly",
        "size": [64, 64],
        "samples": 16,
        "cameras": ["cam"],
        "frames": {"first": 0, "last": 0, "step": 1},
        "frame_count": 1,
        "tile_count": TILE_COUNT,
        "tiles_accepted": 0,
        "units": 4,
        "units_accepted": 0,
        "progress": 0.0,
        "price": money(3_200_000),
        "spent": money(0),
        "refunded": money(0),
        "priority": 50,
        "assurance": "99.9",
        "ordered": TIME,
        "ended": None,
        "stops": None,
        "wanted_by": None,
        "expected_end": None,
        "expired": False,
    }
    return {**job, **other}


def scene_json(**other: Any) -> dict[str, Any]:
    """A scene as the door tells it."""
    scene = {
        "scene": "scn_1",
        "root": "shot_010.glb",
        "created": TIME,
        "size_bytes": 1000,
        "warnings": [],
        "cameras": ["cam"],
        "asks": {"size": [64, 64], "samples": 16, "shutter": None, "view": None, "exposure": None},
        "animation": None,
        "at_farm": {"received_bytes": 1000, "size_bytes": 1000, "whole": True},
    }
    return {**scene, **other}


def quote_json(**other: Any) -> dict[str, Any]:
    """A quote as the door tells it."""
    quote = {
        "quote": "quo_1",
        **{name: money(1_000_000) for name in ("price", "work", "fee", "reserve", "setup")},
        **{name: money(10) for name in ("checking", "price_per_gray", "base_per_gray")},
        "assurance": "99.9",
        "samples": 65536,
        "probed": {"frames": 1, "pixels": 512},
        "nodes": {"known": 3, "meet": 2, "hold": 2, "here": 1},
        "memory": {"cpu_bytes": 1, "gpu_bytes": 2},
        "valid_until": TIME,
    }
    return {**quote, **other}


def event_json(id: int, type: str, **other: Any) -> dict[str, Any]:
    """An event as the door tells it."""
    event = {
        "id": id,
        "type": type,
        "time": TIME,
        "job": "job_1",
        "team": None,
        "name": "shot_010",
        "status": "rendering",
        "tiles_accepted": id,
        "tile_count": TILE_COUNT,
        "progress": id / 4,
        "spent": money(id),
        "reason": None,
    }
    return {**event, **other}


def problem_json(kind: str, status: int, *, retryable: bool = False, **extra: Any) -> Any:
    """A problem as the door tells it."""
    type_ = f"urn:tessera:problem:{kind}"
    told = {"type": type_, "title": kind, "status": status, "detail": f"{kind}, so it is"}
    return {**told, "retryable": retryable, **extra}


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


@dataclass
class File:
    """A file that comes in."""

    size_bytes: int
    content: bytearray = field(default_factory=bytearray)
    complete: bool = False


Refusal = tuple[str, int, Any, dict[str, str]]


class Door:
    """What tests tell the door, and ask it about."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.files: dict[str, File] = {}
        self.scene: dict[str, str] = {}
        self.scene_import: Any = None
        self.job = job_json()
        self.orders: dict[str, Any] = {}
        self.events = [
            event_json(1, "job.ordered", status="waiting", tiles_accepted=0),
            event_json(2, "job.progress"),
            event_json(3, "job.progress"),
            event_json(4, "job.done", status="done", progress=1.0),
        ]
        self.film = FILM
        self.films: list[bytes] = []
        self.slow = False
        self.stays_open = False
        self.listeners = 0
        # Faults, each used up by what it befalls.
        self.refusals: list[Refusal] = []
        self.cuts_of_uploads: list[int] = []
        self.cuts_of_downloads: list[int] = []
        self.cuts_of_events: list[int] = []
        self.cuts_of_answers: int = 0
        handler = type("Bound", (_Handler,), {"door": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Shuts it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def mistakes(self) -> list[BaseException]:
        """Errors of the door itself: a test that made it make one has shown nothing."""
        return self._server.mistakes

    def refuse(
        self, status: int, kind: str, *, times: int = 1, path: str = ".*", **told: Any
    ) -> None:
        """Refuses the next requests of this path, a pattern."""
        headers = told.pop("headers", {})
        told.setdefault("retryable", True)
        self.refusals += [(path, status, problem_json(kind, status, **told), headers)] * times

    def count(self, method: str, path: str) -> int:
        """How many such requests came; the path is a pattern."""
        return len(self.of(method, path))

    def of(self, method: str, path: str) -> list[Asked]:
        """Such requests; the path is a pattern."""
        return [it for it in self.asked if it.method == method and re.fullmatch(path, it.path)]

    @property
    def etag(self) -> str:
        """The picture's."""
        return f'"{hashlib.sha256(self.film).hexdigest()[:16]}"'


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.mistakes: list[BaseException] = []
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Bears lines that break, which is what we are here for."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, (ConnectionError, TimeoutError)):
            self.mistakes.append(error)


class _Handler(BaseHTTPRequestHandler):
    door: Door
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._take("GET")

    def do_POST(self) -> None:
        self._take("POST")

    def do_PUT(self) -> None:
        self._take("PUT")

    def do_DELETE(self) -> None:
        self._take("DELETE")

    def _take(self, method: str) -> None:
        door, parts = self.door, urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, b"")
        door.asked.append(asked)
        if method == "PUT" and door.cuts_of_uploads and asked.path.startswith("/v1/files/"):
            self._cut_upload(asked)
            return
        asked.body = self.rfile.read(int(headers.get("content-length", "0")))
        if door.refusals and re.fullmatch(door.refusals[0][0], asked.path):
            _path, status, problem, more = door.refusals.pop(0)
            self._answer(status, problem, more)
        elif headers.get("authorization") != f"Bearer {TOKEN}":
            self._answer(401, problem_json("unauthorized", 401))
        else:
            self._route(asked)

    def _route(self, asked: Asked) -> None:
        routes: list[tuple[str, str, Callable[..., None]]] = [
            ("GET", r"/v1/files/(\w+)", self._get_file),
            ("PUT", r"/v1/files/(\w+)", self._put_file),
            ("POST", r"/v1/scenes", self._post_scene),
            ("POST", r"/v1/quotes", lambda _asked: self._answer(201, quote_json())),
            ("POST", r"/v1/jobs", self._post_job),
            ("GET", r"/v1/jobs/job_1", lambda _asked: self._answer(200, self.door.job)),
            ("GET", r"/v1/jobs/job_1/events", self._get_events),
            ("GET", r"/v1/events", self._get_events),
            ("GET", r"/v1/jobs/job_1/frames", self._get_frames),
            ("GET", r"/v1/jobs/job_1/frames/(\d+)/image\.(exr|png)", self._get_image),
        ]
        for method, pattern, take in routes:
            match = re.fullmatch(pattern, asked.path)
            if asked.method == method and match:
                take(asked, *match.groups())
                return
        self._answer(404, problem_json("not-found", 404))

    # Files and scenes.

    def _get_file(self, _asked: Asked, sha256: str) -> None:
        file = self.door.files.get(sha256)
        if file is None:
            self._answer(404, problem_json("not-found", 404))
        else:
            self._answer(200, _file_json(sha256, file))

    def _put_file(self, asked: Asked, sha256: str) -> None:
        file = self._file(asked, sha256)
        offset = int(asked.headers.get("upload-offset", "0"))
        if offset != len(file.content):
            received = len(file.content)
            self._answer(409, problem_json("upload-offset", 409, received_bytes=received))
            return
        file.content += asked.body
        if len(file.content) < file.size_bytes:
            self._answer(202, _file_json(sha256, file))
            return
        file.complete = hashlib.sha256(file.content).hexdigest() == sha256
        if not file.complete:
            del self.door.files[sha256]
            self._answer(422, problem_json("invalid", 422))
            return
        self._answer(201, _file_json(sha256, file))

    def _file(self, asked: Asked, sha256: str) -> File:
        return self.door.files.setdefault(sha256, File(int(asked.headers["upload-length"])))

    def _cut_upload(self, asked: Asked) -> None:
        """Takes some of the bytes, keeps them, and breaks the line."""
        keep = self.door.cuts_of_uploads.pop(0)
        body = self.rfile.read(keep)
        self._file(asked, asked.path.rsplit("/", 1)[1]).content += body
        self._reset()

    def _post_scene(self, asked: Asked) -> None:
        door, body = self.door, asked.json()
        missing = [
            path
            for path, sha256 in body["files"].items()
            if sha256 not in door.files or not door.files[sha256].complete
        ]
        if missing:
            self._answer(422, problem_json("missing-files", 422, missing=missing))
            return
        door.scene, door.scene_import = body["files"], body.get("import")
        self._answer(201, scene_json(root=body["root"]))

    # Jobs.

    def _post_job(self, asked: Asked) -> None:
        door, key = self.door, asked.headers.get("idempotency-key")
        if key is None:
            self._answer(400, problem_json("bad-request", 400))
            return
        body = asked.json()
        door.orders.setdefault(key, body)
        if door.cuts_of_answers > 0:
            door.cuts_of_answers -= 1
            self._reset()
            return
        if door.orders[key] != body:
            self._answer(422, problem_json("idempotency-key-reused", 422))
            return
        door.job["name"] = body.get("name", "shot_010")
        self._answer(201, door.job, {"Location": "/v1/jobs/job_1"})

    def _get_frames(self, asked: Asked) -> None:
        """Two to a page, so that paging is seen."""
        door = self.door
        span = door.job["frames"]
        whole = door.job["status"] == "done"
        shots = [
            (number, camera)
            for number in range(span["first"], span["last"] + 1, span["step"])
            for camera in range(len(door.job["cameras"]))
        ]
        begin = int(asked.params.get("cursor", "0"))
        names = ("waiting", "rendering", "retrying", "received", "accepted")
        rows = [
            {
                "frame": number,
                "camera": camera,
                "camera_name": door.job["cameras"][camera],
                "tiles": dict.fromkeys(names, 0),
                "complete": whole,
            }
            for number, camera in shots[begin : begin + 2]
        ]
        more = str(begin + 2) if begin + 2 < len(shots) else None
        self._answer(200, {"items": rows, "next_cursor": more})

    def _get_image(self, asked: Asked, _frame: str, _kind: str) -> None:
        door, begin, status = self.door, 0, 200
        if door.job["status"] != "done" and asked.params.get("partial") != "true":
            self._answer(409, problem_json("not-complete", 409, retryable=True))
            return
        film, etag = door.film, door.etag
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        if wanted and asked.headers.get("if-range", etag) == etag:
            begin, status = int(wanted[1]), 206
        if begin >= len(film):
            more = {"Content-Range": f"bytes */{len(film)}"}
            self._answer(416, problem_json("range-not-satisfiable", 416), more)
            return
        self.send_response(status)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(film) - begin))
        if status == 206:
            self.send_header("Content-Range", f"bytes {begin}-{len(film) - 1}/{len(film)}")
        self.end_headers()
        if door.cuts_of_downloads:
            self.wfile.write(film[begin : begin + door.cuts_of_downloads.pop(0)])
            self._hang_up()
            if door.films:
                door.film = door.films.pop(0)
            return
        for at in range(begin, len(film), 4096):
            if door.slow:
                time.sleep(0.02)
            try:
                self.wfile.write(film[at : at + 4096])
            except OSError:
                # Whoever asked has hung up.
                self.close_connection = True
                return

    def _get_events(self, asked: Asked) -> None:
        """Tells events after the last one that was seen, and ends with the job's."""
        door = self.door
        seen = int(asked.headers.get("last-event-id") or asked.params.get("after") or 0)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(b": hello\n\n")
        left = door.cuts_of_events.pop(0) if door.cuts_of_events else None
        for event in door.events:
            if event["id"] <= seen:
                continue
            text = f"id: {event['id']}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n"
            if left == 0:
                # In the middle of an event, which is then none.
                self._chunk(text[:25].encode())
                self._hang_up()
                return
            left = None if left is None else left - 1
            if event["type"].removeprefix("job.") in ("done", "failed", "cancelled", "stopped"):
                status = event["type"].removeprefix("job.")
                door.job.update(status=status, ended=TIME, tiles_accepted=event["tiles_accepted"])
            self._chunk(text.encode())
        if door.stays_open:
            self._stay_open()
            return
        self._chunk(b"")

    def _stay_open(self) -> None:
        """Says that it is there until whoever listens hangs up."""
        self.door.listeners += 1
        try:
            while True:
                self._chunk(b":\n\n")
                time.sleep(0.01)
        except OSError:
            self.close_connection = True
        finally:
            self.door.listeners -= 1

    # The wire.

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
        self.wfile.flush()

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        kind = "application/problem+json" if status >= 400 else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _hang_up(self) -> None:
        """Ends the connection after what was written."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _reset(self) -> None:
        """Ends the connection at once, with a reset."""
        self.close_connection = True
        # What was kept has to be seen before the line breaks.
        time.sleep(0.02)
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


def _file_json(sha256: str, file: File) -> dict[str, Any]:
    return {
        "sha256": sha256,
        "size_bytes": file.size_bytes,
        "received_bytes": len(file.content),
        "complete": file.complete,
    }
