"""The client that blocks, and the jobs that it gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx

from ._core import plans
from ._core.download import PATTERN
from ._core.effects import Plan
from ._core.retry import NEVER, Retry
from ._drive import Line, Shell
from .models import (
    Attempt,
    Block,
    Delivery,
    Event,
    Farm,
    Frame,
    JobFacts,
    LogEntry,
    Node,
    Quote,
    Scene,
    StatementEntry,
    Team,
    Tile,
    Token,
    Wallet,
    Webhook,
)
from .types import (
    Budget,
    ImportOptions,
    JobStatus,
    MoneyLike,
    OnUpload,
    Overwrite,
    PictureFormat,
    Role,
    TimeLike,
    View,
)

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .types import Settings

__all__ = ["Client", "Job"]

PATIENCE_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Job(JobFacts):
    """A job, as it was when it was asked for; `refresh` gives it as it is now."""

    _shell: Shell = field(repr=False, compare=False)

    @classmethod
    def _of(cls, facts: JobFacts, shell: Shell) -> Job:
        told = {it.name: getattr(facts, it.name) for it in fields(JobFacts)}
        return cls(**told, _shell=shell)

    def refresh(self) -> Job:
        """The job as it is now."""
        return self._run(plans.job(self._shell.retry, self.id))

    def wait(self, *, timeout: float | None = None, check: bool = False) -> Job:
        """Waits until the job has ended, and gives it as it is then.

        Raises `TimeoutError` after `timeout` seconds and, with `check`, `JobFailed` if it has
        failed or was cancelled.
        """
        return self._run(plans.wait(self._shell.retry, self.id, timeout, check))

    def watch(
        self, *, after: str | Event | None = None, patience: float = PATIENCE_S
    ) -> Generator[Event, None, None]:
        """The job's events as they happen; the last one is its end.

        A lost connection is made anew where it was cut. Raises `ConnectionLost` when the door
        cannot be reached for `patience` seconds. `after` goes on from an event of before.
        """
        told = plans.event_id(after)
        return self._shell.iterate(plans.job_events(self._shell.retry, self.id, told, patience))

    def frames(self) -> Generator[Frame, None, None]:
        """Its frames, of all cameras."""
        return self._shell.iterate(plans.frames(self._shell.retry, self.id))

    def tiles(self, frame: int, *, camera: int = 0) -> Generator[Tile, None, None]:
        """The tiles of one frame."""
        return self._shell.iterate(plans.tiles(self._shell.retry, self.id, frame, camera))

    def download(
        self,
        folder: str | PathLike[str],
        *,
        format: PictureFormat = "exr",
        pattern: str = PATTERN,
        overwrite: Overwrite = "refuse",
        partial: bool = False,
        frames: Iterable[int] | None = None,
        cameras: Iterable[int | str] | None = None,
        view: View | None = None,
        exposure: float | None = None,
        on_picture: Callable[[Path], None] | None = None,
    ) -> list[Path]:
        """Fetches its pictures and gives their paths.

        - `pattern` names them; it may have {job}, {name}, {camera}, {camera_index} and {frame}.
        - `overwrite` says what becomes of files that are there: "refuse" raises `OutputExists`
          before anything is fetched, "skip" leaves them as they are, "replace" replaces them.
        - `partial` takes pictures as far as they are accepted, also of jobs that have failed.
        - `view` and `exposure` (stops) are for PNG.

        A download that was cut goes on where it was, in a later call too. Raises `JobFailed` of
        a job that has failed or was cancelled, and `NotComplete` for a picture with holes.
        """
        wish = plans.Wish(
            format=format,
            pattern=pattern,
            overwrite=overwrite,
            partial=partial,
            frames=frames,
            cameras=cameras,
            view=view,
            exposure=exposure,
            on_picture=on_picture,
        )
        return self._shell.run(plans.download_job(self._shell.retry, self.id, Path(folder), wish))

    def pause(self) -> Job:
        """Begins nothing new."""
        return self._steer("pause")

    def resume(self) -> Job:
        """Goes on after a pause."""
        return self._steer("resume")

    def stop(self, *, dry_run: bool = False) -> Job:
        """Ends it with the samples that are there; a dry run only says what would return."""
        return self._steer("stop", dry_run=dry_run)

    def cancel(self, *, dry_run: bool = False) -> Job:
        """Ends it at once; a dry run only says, in `would_return`, what would return."""
        return self._steer("cancel", dry_run=dry_run)

    def retry(
        self, *, frame: int | None = None, camera: int | None = None, tile: int | None = None
    ) -> Job:
        """Forgets failures, so that every node may try again: of all of it, or of some."""
        return self._steer("retry", plans.pick(frame, camera, tile))

    def first(
        self, *, frame: int | None = None, camera: int | None = None, tile: int | None = None
    ) -> Job:
        """Says what of it comes first."""
        return self._steer("first", plans.pick(frame, camera, tile))

    def priority(self, value: int) -> Job:
        """Says how urgent it is among the studio's jobs, 1 to 100, the highest first."""
        return self._steer("priority", {"priority": value})

    def log(self) -> Generator[LogEntry, None, None]:
        """What happened, and films that were refused, oldest first."""
        return self._shell.iterate(plans.log(self._shell.retry, self.id))

    def receipt(self, *, frame: int | None = None, camera: int = 0) -> bytes:
        """What proves who rendered a frame: the bytes that `tessera verify` reads."""
        return self._shell.run(plans.receipt(self._shell.retry, self, frame, camera))

    def _steer(
        self, verb: str, body: Mapping[str, Any] | None = None, *, dry_run: bool = False
    ) -> Job:
        return self._run(plans.steer(self._shell.retry, self.id, verb, body, dry_run=dry_run))

    def _run(self, plan: Plan[JobFacts]) -> Job:
        return Job._of(self._shell.run(plan), self._shell)


class Client:
    """A studio's door, `tessera studio serve`, as a script sees it.

    ```
    with tessera.Client() as client:
        job = client.submit("shot_010.glb", camera="cam", samples=256, max_cost="5.00")
        for event in job.watch():
            print(event.status, f"{event.tiles_accepted}/{event.tile_count}")
        job.download("out/", format="exr")
    ```

    - `url`: the door; without it TESSERA_API, or http://127.0.0.1:7980
    - `token`: without it TESSERA_TOKEN, or what ~/.config/tessera/token holds, which nobody else
      may be able to read; "" for none
    - `timeout_s`: how long the door may say nothing
    - `retry`: how patient it is
    - `transport`: httpx's, for tests and unusual lines

    It may be used by several threads at once.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        timeout_s: float = 60.0,
        retry: Retry | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        retry = Retry() if retry is None else retry
        self._shell = Shell(Line(url, token, timeout_s, retry, os.environ), transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"tessera.Client({self.url!r})"

    @property
    def url(self) -> str:
        """Where the door is."""
        return self._shell.line.url

    def close(self) -> None:
        """Closes all connections."""
        self._shell.close()

    # Scenes.

    def upload(
        self,
        path: str | PathLike[str],
        *,
        import_options: ImportOptions | None = None,
        allow_outside: bool = False,
        on_upload: OnUpload | None = None,
    ) -> Scene:
        """Sends a .glb, or a .gltf with all its files, and has it read.

        What the door has already is not sent again, and what was cut goes on. Files outside of
        the scene's folder are refused unless `allow_outside`. Raises `MissingFiles`,
        `SceneFileError`, or `SceneRefused` with the importer's reason.
        """
        sending = _sending(import_options, allow_outside, on_upload)
        return self._shell.run(plans.upload_scene(self._shell.retry, Path(path), sending))

    def scenes(self) -> Generator[Scene, None, None]:
        """Scenes at the door."""
        return self._shell.iterate(plans.listed(self._shell.retry, Scene.read, "scene", "scenes"))

    def scene(self, id: str) -> Scene:
        """A scene, and how far it has come to the farm."""
        plan = plans.get(self._shell.retry, Scene.read, "scene", "scenes", id)
        return self._shell.run(plan)

    def delete_scene(self, scene: str | Scene) -> None:
        """Forgets a scene at the door; jobs keep theirs."""
        id = scene.id if isinstance(scene, Scene) else scene
        self._shell.run(plans.delete(self._shell.retry, "scenes", id))

    # Quotes and jobs.

    def quote(
        self,
        scene: str | PathLike[str] | Scene,
        *,
        import_options: ImportOptions | None = None,
        allow_outside: bool = False,
        on_upload: OnUpload | None = None,
        **settings: Unpack[Settings],
    ) -> Quote:
        """Asks for a firm price of a file, which is sent, or of a scene or its id.

        The settings are `tessera.types.Settings`: camera, size, samples, frames, noise and so on.
        """
        sending = _sending(import_options, allow_outside, on_upload)
        plan = plans.quote(self._shell.retry, _target(scene), settings, sending)
        return self._shell.run(plan)

    def submit(
        self,
        scene: str | PathLike[str] | Scene,
        *,
        max_cost: MoneyLike,
        idempotency_key: str | None = None,
        import_options: ImportOptions | None = None,
        allow_outside: bool = False,
        on_upload: OnUpload | None = None,
        **settings: Unpack[Settings],
    ) -> Job:
        """Orders a job of a file, which is sent, or of a scene or its id.

        `max_cost` is the most that it may cost, "5.00"; what is not used returns. However often
        the line breaks it is ordered once; with an `idempotency_key` of your own also when the
        script is run again within 24 hours. The settings are `tessera.types.Settings`.

        Raises `MaxCostExceeded`, `NotEnoughTokens`, `BudgetExhausted` or `QuotaExhausted`, and
        what `upload` raises.
        """
        sending = _sending(import_options, allow_outside, on_upload)
        target = _target(scene)
        plan = plans.submit(self._shell.retry, target, settings, sending, max_cost, idempotency_key)
        return Job._of(self._shell.run(plan), self._shell)

    def job(self, id: str) -> Job:
        """A job by its id."""
        return Job._of(self._shell.run(plans.job(self._shell.retry, id)), self._shell)

    def jobs(
        self,
        *,
        status: JobStatus | Sequence[JobStatus] | None = None,
        name: str | None = None,
        team: str | None = None,
        since: TimeLike | None = None,
        until: TimeLike | None = None,
        page_size: int | None = None,
    ) -> Generator[Job, None, None]:
        """Jobs, newest first, asked for page by page; `name` is a part of the name."""
        plan = plans.jobs(self._shell.retry, status, name, team, since, until, page_size)
        return self._jobs(plan)

    def _jobs(self, plan: Plan[None]) -> Generator[Job, None, None]:
        for facts in self._shell.iterate(plan):
            yield Job._of(facts, self._shell)

    def events(
        self,
        *,
        job: str | JobFacts | None = None,
        after: str | Event | None = None,
        patience: float = PATIENCE_S,
    ) -> Generator[Event, None, None]:
        """Events of all jobs that the token sees, or of one, as they happen and without end.

        A lost connection is made anew where it was cut; `after` goes on from an event of the last
        seven days.
        """
        return self._shell.iterate(plans.events(self._shell.retry, job, after, patience))

    # Money and the farm.

    def wallet(self) -> Wallet:
        """The studio's balances, for owners."""
        return self._shell.run(plans.wallet(self._shell.retry))

    def statement(self) -> Generator[StatementEntry, None, None]:
        """Entries of the wallet, newest first, for owners."""
        return self._shell.iterate(plans.statement(self._shell.retry))

    def farm(self) -> Farm:
        """The farm's price, jobs and nodes."""
        return self._shell.run(plans.farm(self._shell.retry))

    def nodes(self) -> Generator[Node, None, None]:
        """The farm's nodes."""
        return self._shell.iterate(plans.nodes(self._shell.retry))

    def blocks(self) -> Generator[Block, None, None]:
        """Nodes and owners of nodes that get nothing of the studio's jobs."""
        return self._shell.iterate(plans.blocks(self._shell.retry))

    def block(self, who: str) -> None:
        """Keeps a node (`nod_…`), or all of an owner's (`key_…`), off all jobs; for owners.

        What it works on goes on. Who blocks nodes chooses who renders: films get no twins then, but
        more checked pixels.
        """
        self._shell.run(plans.block(self._shell.retry, who))

    def unblock(self, who: str) -> None:
        """Lets it back, for owners."""
        self._shell.run(plans.delete(self._shell.retry, "blocks", who))

    def health(self) -> Mapping[str, Any]:
        """How the door is; needs no token. Raises `FarmAway` if the farm does not answer it."""
        return self._shell.run(plans.raw(NEVER, "health"))

    # People and their scripts.

    def whoami(self) -> Token:
        """The token that asks."""
        return self._shell.run(plans.get(self._shell.retry, Token.read, "token", "whoami"))

    def tokens(self) -> Generator[Token, None, None]:
        """All tokens, for owners."""
        return self._shell.iterate(plans.listed(self._shell.retry, Token.read, "token", "tokens"))

    def create_token(
        self,
        name: str,
        *,
        role: Role,
        team: str | None = None,
        expires: TimeLike | None = None,
        jobs_max: int | None = None,
    ) -> Token:
        """Makes a token; its `secret` is told this once."""
        plan = plans.create_token(self._shell.retry, name, role, team, expires, jobs_max)
        return self._shell.run(plan)

    def delete_token(self, id: str) -> None:
        """Takes a token back."""
        self._shell.run(plans.delete(self._shell.retry, "tokens", id))

    def teams(self) -> Generator[Team, None, None]:
        """All teams."""
        return self._shell.iterate(plans.listed(self._shell.retry, Team.read, "team", "teams"))

    def team(self, name: str) -> Team:
        """A team, and what of its budget is committed."""
        return self._shell.run(plans.get(self._shell.retry, Team.read, "team", "teams", name))

    def put_team(self, name: str, *, budget: Budget | None = None) -> Team:
        """Makes a team, or gives it another budget; none is no limit but the wallet."""
        return self._shell.run(plans.put_team(self._shell.retry, name, budget))

    def delete_team(self, name: str) -> None:
        """Removes a team."""
        self._shell.run(plans.delete(self._shell.retry, "teams", name))

    def webhooks(self) -> Generator[Webhook, None, None]:
        """All webhooks, for owners."""
        plan = plans.listed(self._shell.retry, Webhook.read, "webhook", "webhooks")
        return self._shell.iterate(plan)

    def webhook(self, id: str) -> Webhook:
        """A webhook."""
        plan = plans.get(self._shell.retry, Webhook.read, "webhook", "webhooks", id)
        return self._shell.run(plan)

    def create_webhook(
        self, url: str, *, events: Sequence[str] = (), team: str | None = None
    ) -> Webhook:
        """Has events of these types posted to a URL, or of all but progress without any.

        The `secret`, which `verify_webhook` wants, is told this once.
        """
        return self._shell.run(plans.create_webhook(self._shell.retry, url, events, team))

    def delete_webhook(self, id: str) -> None:
        """Posts nothing more to it."""
        self._shell.run(plans.delete(self._shell.retry, "webhooks", id))

    def test_webhook(self, id: str) -> Attempt:
        """Posts a `ping` to it now, and says how it went."""
        path = ("webhooks", id, "test")
        return self._shell.run(plans.post(self._shell.retry, Attempt.read, "attempt", *path))

    def deliveries(self, id: str) -> Generator[Delivery, None, None]:
        """What was sent to a webhook, tried, and given up."""
        return self._shell.iterate(plans.deliveries(self._shell.retry, id))


def _sending(
    options: ImportOptions | None, allow_outside: bool, on_upload: OnUpload | None
) -> plans.Sending:
    return plans.Sending(import_options=options, allow_outside=allow_outside, on_upload=on_upload)


def _target(scene: str | PathLike[str] | Scene) -> str | Path | Scene:
    return scene if isinstance(scene, (str, Scene)) else Path(scene)
