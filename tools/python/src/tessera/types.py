"""Types of what is asked for: a job's description, a scene's import, budgets.

```
settings: tessera.types.Settings = {"size": (1920, 1080), "samples": 256}
client.submit("shot_010.glb", max_cost="5.00", **settings)
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias, TypedDict

from .models import JobFacts
from .money import Money

__all__ = [
    "Budget",
    "Crop",
    "Environment",
    "Frames",
    "ImportOptions",
    "JobStatus",
    "Lens",
    "LookAt",
    "MoneyLike",
    "Needs",
    "Noise",
    "Overwrite",
    "PictureFormat",
    "Role",
    "Settings",
    "Sun",
    "SunSky",
    "TimeLike",
    "UploadProgress",
    "View",
]

JobStatus: TypeAlias = Literal[
    "waiting", "rendering", "paused", "done", "stopped", "failed", "cancelled"
]
Role: TypeAlias = Literal["viewer", "submitter", "owner"]
Overwrite: TypeAlias = Literal["refuse", "replace", "skip"]
PictureFormat: TypeAlias = Literal["exr", "png"]
View: TypeAlias = Literal["agx", "agx-punchy", "neutral", "aces", "srgb", "raw"]
MoneyLike: TypeAlias = Money | Decimal | int | str
TimeLike: TypeAlias = datetime | str
Rgb: TypeAlias = tuple[float, float, float] | Sequence[float]
Point: TypeAlias = tuple[float, float, float] | Sequence[float]


class _LookAt(TypedDict):
    eye: Point
    target: Point


class LookAt(_LookAt, total=False):
    """A camera set by hand: metres, y up."""

    vfov_degrees: float


class _Noise(TypedDict):
    threshold: float


class Noise(_Noise, total=False):
    """How little noise is enough: a share of white, as 0.01."""

    min_samples: int


class _Frames(TypedDict):
    first: int
    last: int


class Frames(_Frames, total=False):
    """Which frames, both ends among them."""

    step: int


class Crop(TypedDict):
    """The part of the frame that is rendered, pixels from its upper left."""

    x: int
    y: int
    width: int
    height: int


class _Lens(TypedDict):
    focus: float


class Lens(_Lens, total=False):
    """`fstop` or `aperture` (metres: radius of the opening), and the distance that is sharp."""

    fstop: float
    aperture: float
    blades: int
    rotation_degrees: float


class _Sun(TypedDict):
    irradiance: Rgb


class Sun(_Sun, total=False):
    """A sun beside the scene's own lights: W/m², and the direction towards it."""

    direction: Point
    angle_degrees: float


class Needs(TypedDict, total=False):
    """Which nodes may render a job. Pools, backends and memory are the nodes' own word."""

    only_mine: bool
    owners: Sequence[str]
    pool: str
    backend: Literal["cpu", "gpu"]
    memory_gb: int


class Settings(TypedDict, total=False):
    """A job's description but for its scene; what is left out is as the scene asks, or usual."""

    name: str
    camera: str
    """One camera: the same as `cameras` with one name."""
    cameras: Sequence[str]
    look_at: LookAt
    size: tuple[int, int]
    """Width and height, pixels."""
    samples: int
    noise: Noise | float
    frames: Frames | tuple[int, int] | tuple[int, int, int] | int
    """First, last and step; one number is one frame."""
    fps: float
    bounces: int
    seed: int
    crop: Crop
    overscan: int
    shutter: float
    """How long it is open, a fraction of a frame."""
    shutter_position: Literal["start", "center", "end"]
    panorama: bool
    lens: Lens
    filter: Literal["blackman-harris", "gaussian", "box"]
    roulette: bool
    passes: bool
    tile: int
    """Side of the square tiles, pixels."""
    sun: Sun
    sky: Rgb
    needs: Needs
    bid: MoneyLike
    """Tokens per billion rays, instead of the farm's base price."""
    assurance: Literal["95", "99", "99.9"]
    """How surely a forgery of 5 % of a tile is caught, per cent."""
    priority: int
    """Which of the studio's jobs comes first, 1 to 100, the highest first."""
    after: Sequence[str | JobFacts]
    """Jobs that must be done before it begins."""
    paused: bool
    progressive: bool
    stop_after_s: int
    wanted_by: TimeLike
    extra: Mapping[str, Any]
    """Fields that this package does not know, sent as they are."""


class _Environment(TypedDict):
    file: str


class Environment(_Environment, total=False):
    """An equirectangular HDR image around the scene: a file beside it, or anywhere."""

    strength: float
    rotation_degrees: float


class _SunSky(TypedDict):
    elevation_degrees: float
    azimuth_degrees: float


class SunSky(_SunSky, total=False):
    """A clear sky by its sun: degrees above the horizon, and from -z clockwise."""

    haze: float


class ImportOptions(TypedDict, total=False):
    """How a scene's file is read."""

    animation: str
    variant: str
    lamps: Literal["radiometric", "photometric", "watts"]
    missing_textures: Literal["refuse", "magenta"]
    environment: Environment
    sun_sky: SunSky
    without: Sequence[Literal["lamps", "emission"]]


class _Budget(TypedDict):
    amount: MoneyLike
    period: Literal["all", "month", "day"]


class Budget(_Budget, total=False):
    """What a team may spend, in what time, and what happens at the limit."""

    warn_percent: int
    at_limit: Literal["refuse", "pause"]


@dataclass(frozen=True)
class UploadProgress:
    """How far a scene's files have come; what was at the door already counts as sent."""

    path: str
    """The file that goes on now, as the scene names it."""
    sent_bytes: int
    """Of all files."""
    size_bytes: int
    """Of all files."""

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.sent_bytes / self.size_bytes if self.size_bytes else 1.0


OnUpload: TypeAlias = Callable[[UploadProgress], None]
