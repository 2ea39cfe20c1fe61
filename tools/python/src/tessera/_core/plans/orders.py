"""Scenes that are sent, prices that are asked for, and orders."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import NotFound
from ...models import JobFacts, Quote, Scene
from ...money import Money
from ...types import MoneyLike, OnUpload
from .. import describe, scenefile, upload
from ..effects import Plan, sleep, work
from ..retry import Retry
from .asking import get, post

# A quote waits for the scene to be at the farm, and for a probe of it.
QUOTE_TIMEOUT_S = 900.0
# A scene that does not come on for so long is left to the order to wait for.
STALL_S = 3.0
# An import unpacks textures and meshes of gigabytes.
IMPORT_TIMEOUT_S = 900.0

_SCENE_ID = re.compile(r"scn_[0-9A-Za-z]+")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How a scene is sent."""

    import_options: Mapping[str, Any] | None = None
    allow_outside: bool = False
    on_upload: OnUpload | None = None


def upload_scene(policy: Retry, path: Path, sending: Sending) -> Plan[Scene]:
    """Sends a scene's files and has them read."""
    options, outside = sending.import_options, sending.allow_outside
    files = yield from work(lambda: scenefile.collect(path, options=options, allow_outside=outside))
    hashes = yield from upload.files(files, policy, sending.on_upload)
    body = {"root": files.root, "files": hashes, "import": describe.plain(files.options) or None}
    made = post(
        policy,
        Scene.read,
        "scene",
        "scenes",
        body=body,
        # The same files make the same scene.
        repeatable=True,
        timeout_s=IMPORT_TIMEOUT_S,
    )
    return (yield from made)


def _scene_id(
    policy: Retry, scene: str | Path | Scene, sending: Sending
) -> Plan[tuple[str, str | None]]:
    """The id of a scene, which is sent if it is a file, and the name of a job of it."""
    id, name, known = "", None, None
    if isinstance(scene, Scene):
        id, name, known = scene.id, Path(scene.root).stem, scene
    elif not _is_file(scene):
        id = str(scene)
    else:
        path = Path(scene)
        known = yield from upload_scene(policy, path, sending)
        id, name = known.id, path.stem
    if known is None or not known.at_farm.whole:
        yield from _arrival(policy, id)
    return id, name


def _is_file(scene: str | Path | Scene) -> bool:
    named = isinstance(scene, str) and _SCENE_ID.fullmatch(scene)
    return not named and not isinstance(scene, Scene)


def _arrival(policy: Retry, id: str) -> Plan[None]:
    """Waits while a scene comes on from the door to the farm.

    An order would wait as well, with nothing to be heard of it: lines that say nothing for hours
    are cut by what stands between.
    """
    received, stalled_s, pause_s = -1, 0.0, 0.1
    while stalled_s < STALL_S:
        try:
            scene = yield from get(policy, Scene.read, "scene", "scenes", id)
        except NotFound:
            # The door has forgotten it, or never made it; the farm may hold it all the same.
            return
        if scene.at_farm.whole:
            return
        stalled_s = 0.0 if scene.at_farm.received_bytes > received else stalled_s + pause_s
        received = scene.at_farm.received_bytes
        pause_s = min(pause_s * 1.5, 2.0)
        yield from sleep(pause_s)


def quote(
    policy: Retry, scene: str | Path | Scene, settings: Mapping[str, Any], sending: Sending
) -> Plan[Quote]:
    """Asks for a firm price."""
    body = yield from _description(policy, scene, settings, sending)
    made = post(
        policy,
        Quote.read,
        "quote",
        "quotes",
        body=body,
        # Another quote costs nothing.
        repeatable=True,
        timeout_s=QUOTE_TIMEOUT_S,
    )
    return (yield from made)


def submit(
    policy: Retry,
    scene: str | Path | Scene,
    settings: Mapping[str, Any],
    sending: Sending,
    max_cost: MoneyLike,
    key: str | None,
) -> Plan[JobFacts]:
    """Orders a job; all attempts have one key, so that it is ordered once."""
    most = str(Money.of(max_cost))
    key = str(uuid.uuid4()) if key is None else key
    if not _KEY.fullmatch(key):
        message = f"a key has 1 to 255 visible ASCII characters, not {len(key)} such as {key!r}"
        raise ValueError(message)
    body = yield from _description(policy, scene, settings, sending)
    made = post(
        policy,
        JobFacts.read,
        "job",
        "jobs",
        body={**body, "max_cost": most},
        key=key,
        timeout_s=QUOTE_TIMEOUT_S,
    )
    return (yield from made)


def _description(
    policy: Retry, scene: str | Path | Scene, settings: Mapping[str, Any], sending: Sending
) -> Plan[dict[str, Any]]:
    # What cannot be is said before gigabytes are sent.
    describe.body(describe.description("", settings))
    if sending.import_options and not _is_file(scene):
        raise ValueError("`import_options` are for files; this scene has been imported")
    id, name = yield from _scene_id(policy, scene, sending)
    if settings.get("name") is None and name is not None:
        settings = {**settings, "name": name}
    return describe.description(id, settings)
