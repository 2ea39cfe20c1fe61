"""What the clients can do, as plans: one function for each thing that may be asked."""

from .asking import delete, get, listed, post
from .jobs import (
    event_id,
    events,
    frames,
    job,
    job_events,
    jobs,
    log,
    pick,
    receipt,
    steer,
    tiles,
    wait,
)
from .orders import Sending, quote, submit, upload_scene
from .pictures import Wish, download_job
from .studio import (
    create_token,
    create_webhook,
    deliveries,
    farm,
    nodes,
    put_team,
    raw,
    statement,
    wallet,
)

__all__ = [
    "Sending",
    "Wish",
    "create_token",
    "create_webhook",
    "delete",
    "deliveries",
    "download_job",
    "event_id",
    "events",
    "farm",
    "frames",
    "get",
    "job",
    "job_events",
    "jobs",
    "listed",
    "log",
    "nodes",
    "pick",
    "post",
    "put_team",
    "quote",
    "raw",
    "receipt",
    "statement",
    "steer",
    "submit",
    "tiles",
    "upload_scene",
    "wait",
    "wallet",
]
