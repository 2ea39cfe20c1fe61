"""Which pictures of a job are fetched, and from where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...models import Frame, JobFacts
from ...types import Overwrite, PictureFormat
from .. import describe, download
from ..effects import Plan, Request
from ..retry import Retry
from .asking import collected
from .jobs import failure, frames, job


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which pictures of a job are wanted, and how."""

    format: PictureFormat = "exr"
    pattern: str = download.PATTERN
    overwrite: Overwrite = "refuse"
    partial: bool = False
    frames: Iterable[int] | None = None
    cameras: Iterable[int | str] | None = None
    view: str | None = None
    exposure: float | None = None
    on_picture: Callable[[Path], None] | None = None

    def check(self) -> None:
        """Raises `ValueError` for what cannot be."""
        if self.format not in ("exr", "png"):
            raise ValueError(f'a picture is "exr" or "png", not {self.format!r}')
        if self.overwrite not in ("refuse", "replace", "skip"):
            told = f"not {self.overwrite!r}"
            raise ValueError(f'`overwrite` is "refuse", "replace" or "skip", {told}')
        if self.format == "exr" and (self.view is not None or self.exposure is not None):
            raise ValueError("an EXR holds light as it is; `view` and `exposure` are for PNG")


def download_job(policy: Retry, id: str, folder: Path, wish: Wish) -> Plan[list[Path]]:
    """Fetches a job's pictures."""
    wish.check()
    facts = yield from job(policy, id)
    if facts.status in ("failed", "cancelled") and not wish.partial:
        raise (yield from failure(policy, facts))
    all_frames = yield from collected(frames(policy, id), Frame)
    wanted = _wanted(facts, all_frames, wish)
    named = download.pictures(facts, wanted, folder, wish.pattern, wish.format)

    def request(frame: Frame) -> Request:
        path = describe.path("jobs", id, "frames", frame.frame, f"image.{wish.format}")
        params = describe.params(
            camera=frame.camera,
            partial=True if wish.partial else None,
            view=wish.view,
            exposure=wish.exposure,
        )
        return Request("GET", path, params, read_timeout_s=download.OPEN_TIMEOUT_S)

    fetch = download.all_of(named, request, wish.overwrite, policy, wish.on_picture)
    return (yield from fetch)


def _wanted(facts: JobFacts, all_frames: Sequence[Frame], wish: Wish) -> list[Frame]:
    numbers = None if wish.frames is None else set(wish.frames)
    cameras = None if wish.cameras is None else {_camera(facts, it) for it in wish.cameras}
    wanted = [
        frame
        for frame in all_frames
        if (numbers is None or frame.frame in numbers)
        and (cameras is None or frame.camera in cameras)
    ]
    if numbers is not None and (lacking := numbers - {frame.frame for frame in wanted}):
        raise ValueError(f"{facts.name} ({facts.id}) has no frames {sorted(lacking)}")
    return wanted


def _camera(facts: JobFacts, camera: int | str) -> int:
    if isinstance(camera, str):
        if camera not in facts.cameras:
            raise ValueError(f"{facts.name} ({facts.id}) has no camera {camera!r}")
        return facts.cameras.index(camera)
    if not 0 <= camera < max(1, len(facts.cameras)):
        raise ValueError(f"{facts.name} ({facts.id}) has no camera {camera}")
    return camera
