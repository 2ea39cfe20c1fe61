"""What can go wrong, each kind with a class of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .money import Money

if TYPE_CHECKING:
    from .models import Frame, JobFacts

__all__ = [
    "BudgetExhausted",
    "Conflict",
    "ConnectionLost",
    "Error",
    "FarmAway",
    "FarmRefused",
    "Forbidden",
    "Invalid",
    "JobFailed",
    "KeyReused",
    "MaxCostExceeded",
    "MissingFiles",
    "NotComplete",
    "NotEnoughTokens",
    "NotFound",
    "OutputExists",
    "Problem",
    "ProblemError",
    "QuotaExhausted",
    "RateLimited",
    "SceneFileError",
    "SceneRefused",
    "TokenError",
    "Unauthorized",
    "UnderWay",
    "UnexpectedAnswer",
    "UploadOffset",
    "WebhookRefused",
]

URN = "urn:tessera:problem:"


class Error(Exception):
    """Whatever this package raises of its own."""


class ConnectionLost(Error):
    """The door could not be reached, or the line broke, and trying again did not help.

    `sent` says whether some of the request may have reached the door.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class UnexpectedAnswer(Error):
    """An answer is not what the API promises: another server, or one that is too old."""


class TokenError(Error):
    """There is no token, or its file can be read by others."""


class SceneFileError(Error):
    """A scene's file cannot be sent as it is; the message says which, why, and what to do."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message, path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.path}"


class OutputExists(Error, FileExistsError):
    """A picture's file is there already, and `overwrite` is "refuse"."""

    def __init__(self, path: Path) -> None:
        # Not `OSError`'s way of printing its arguments.
        Exception.__init__(self, path)
        self.path = path

    def __str__(self) -> str:
        return f'a file is there already; say overwrite="replace" or "skip": {self.path}'


class WebhookRefused(Error):
    """A webhook's signature or time is not right: it may be anybody's."""


class JobFailed(Error):
    """A job ended without all of its pictures.

    `reason` is the farm's; `failed_frames` are those that are not complete.
    """

    def __init__(self, job: JobFacts, failed_frames: tuple[Frame, ...] = ()) -> None:
        super().__init__(job, failed_frames)
        self.job = job
        self.status = job.status
        self.reason = job.reason
        self.failed_frames = failed_frames

    def __str__(self) -> str:
        job, count = self.job, len(self.failed_frames)
        lost = f"; {count} of {job.frame_count} frames are not complete" if count else ""
        because = f": {job.reason}" if job.reason else ""
        return f"{job.name} ({job.id}) is {job.status}{because}{lost}"


@dataclass(frozen=True)
class Problem:
    """A problem of RFC 9457, as the door tells it."""

    type: str
    title: str
    status: int
    detail: str = ""
    retryable: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The type without what all types begin with: `max-cost-exceeded`."""
        return self.type.removeprefix(URN)


class ProblemError(Error):
    """The door, or the farm behind it, said no; `problem` has all that it said."""

    def __init__(self, problem: Problem, *, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.problem.detail or self.problem.title

    @property
    def type(self) -> str:
        """A stable URN, `urn:tessera:problem:…`."""
        return self.problem.type

    @property
    def title(self) -> str:
        """What the type means, the same each time."""
        return self.problem.title

    @property
    def detail(self) -> str:
        """What happened, with which value, and what to do."""
        return self.problem.detail

    @property
    def status(self) -> int:
        """HTTP's status."""
        return self.problem.status

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.problem.retryable

    @property
    def extra(self) -> Mapping[str, Any]:
        """What the type promises beside."""
        return self.problem.extra


class Unauthorized(ProblemError):
    """The token is missing, unknown, expired or taken back."""


class Forbidden(ProblemError):
    """The token's role or team may not do this."""


class NotFound(ProblemError):
    """There is nothing of this name, or it is not for this token."""


class Conflict(ProblemError):
    """It does not fit how things stand, as to pause a job that has ended."""


class UnderWay(Conflict):
    """The same order, or the same file, is being taken from another request; wait for its end."""


class Invalid(ProblemError):
    """Something that was asked for cannot be; `field` says what of it."""

    @property
    def field(self) -> str | None:
        """Which field of a job's description, as `lens.focus`; `None` where it is no field."""
        field = self.extra.get("field")
        return field if isinstance(field, str) else None


class KeyReused(ProblemError):
    """The same `Idempotency-Key` came with another body before."""


class FarmAway(ProblemError):
    """The farm's scheduler does not answer, or takes no work; ask again later."""


class FarmRefused(ProblemError):
    """The farm said no; `detail` has its words."""


class RateLimited(ProblemError):
    """The token asks too often; `retry_after_s` says when to ask again."""


class MaxCostExceeded(ProblemError):
    """The price is above `max_cost`; nothing was ordered."""

    @property
    def price(self) -> Money | None:
        """What it would have cost at most."""
        return _money(self.extra.get("price"))


class NotEnoughTokens(ProblemError):
    """The studio's wallet does not hold the price; nothing was ordered."""


class BudgetExhausted(ProblemError):
    """The team's budget does not hold the price; nothing was ordered."""


class QuotaExhausted(ProblemError):
    """The token has as many unfinished jobs as it may have."""


class MissingFiles(ProblemError):
    """A scene names files that are not there, here or at the door."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Their paths, as the scene names them."""
        missing = self.extra.get("missing")
        return tuple(str(path) for path in missing) if isinstance(missing, list) else ()

    @classmethod
    def here(cls, root: Path, missing: list[str]) -> MissingFiles:
        """The same before anything is sent: they are not on this machine."""
        one = len(missing) == 1
        files = "a file that is" if one else f"{len(missing)} files that are"
        detail = (
            f"the scene names {files} not there: {', '.join(missing)}; put them beside it, or "
            f'say import_options={{"missing_textures": "magenta"}} if textures may be: {root}'
        )
        extra = {"missing": missing}
        return cls(Problem(f"{URN}missing-files", "Missing files", 422, detail, False, extra))


class SceneRefused(ProblemError):
    """The importer does not take the scene; `detail` has its reason."""


class NotComplete(ProblemError):
    """Not all of a picture is accepted; `partial=True` gives what is."""


class UploadOffset(ProblemError):
    """Bytes were sent for another place than where the file ends at the door."""

    @property
    def received_bytes(self) -> int | None:
        """Where it ends."""
        received = self.extra.get("received_bytes")
        return received if isinstance(received, int) and not isinstance(received, bool) else None


_BY_KIND: dict[str, type[ProblemError]] = {
    "budget-exhausted": BudgetExhausted,
    "conflict": Conflict,
    "farm-away": FarmAway,
    "farm-refused": FarmRefused,
    "forbidden": Forbidden,
    "idempotency-key-reused": KeyReused,
    "invalid": Invalid,
    "max-cost-exceeded": MaxCostExceeded,
    "missing-files": MissingFiles,
    "not-complete": NotComplete,
    "not-enough-tokens": NotEnoughTokens,
    "not-found": NotFound,
    "quota-exhausted": QuotaExhausted,
    "request-under-way": UnderWay,
    "scene-refused": SceneRefused,
    "too-many-requests": RateLimited,
    "unauthorized": Unauthorized,
    "upload-offset": UploadOffset,
}

_BY_STATUS: dict[int, type[ProblemError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}

# A proxy's answers, which are no problems of ours: what is often over after a while.
_RETRYABLE = {429, 502, 503, 504}

_MEMBERS = {"type", "title", "status", "detail", "retryable", "instance"}


def problem_error(status: int, body: bytes, *, retry_after_s: float | None = None) -> ProblemError:
    """The error that an answer with a status of 400 or more means.

    A type that this package does not know is told by its status, and anything that is no
    problem of RFC 9457, as a proxy's page, by its first line.
    """
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("title"), str):
        text = body[:1000].decode("utf-8", "replace").strip()
        detail = f"the door answered {status}" + (f": {text.splitlines()[0][:200]}" if text else "")
        problem = Problem("about:blank", f"Status {status}", status, detail, status in _RETRYABLE)
    else:
        retryable = told.get("retryable")
        problem = Problem(
            type=str(told.get("type", "about:blank")),
            title=told["title"],
            status=status,
            detail=str(told.get("detail") or ""),
            retryable=retryable if isinstance(retryable, bool) else status in _RETRYABLE,
            extra={name: value for name, value in told.items() if name not in _MEMBERS},
        )
    kind = _BY_KIND.get(problem.kind) or _BY_STATUS.get(status, ProblemError)
    return kind(problem, retry_after_s=retry_after_s)


def _money(told: object) -> Money | None:
    micro = told.get("micro") if isinstance(told, dict) else None
    return Money(micro) if isinstance(micro, int) and not isinstance(micro, bool) else None
