from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import tessera
from door import job_json, money, problem_json
from tessera._core.read import Fields
from tessera.errors import problem_error


def error_of(kind: str, status: int, **extra: Any) -> Any:
    return problem_error(status, json.dumps(problem_json(kind, status, **extra)).encode())


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("unauthorized", 401, tessera.Unauthorized),
        ("forbidden", 403, tessera.Forbidden),
        ("not-found", 404, tessera.NotFound),
        ("conflict", 409, tessera.Conflict),
        ("upload-offset", 409, tessera.UploadOffset),
        ("not-complete", 409, tessera.NotComplete),
        ("request-under-way", 409, tessera.UnderWay),
        ("idempotency-key-reused", 422, tessera.KeyReused),
        ("invalid", 422, tessera.Invalid),
        ("missing-files", 422, tessera.MissingFiles),
        ("scene-refused", 422, tessera.SceneRefused),
        ("max-cost-exceeded", 422, tessera.MaxCostExceeded),
        ("not-enough-tokens", 402, tessera.NotEnoughTokens),
        ("budget-exhausted", 403, tessera.BudgetExhausted),
        ("quota-exhausted", 403, tessera.QuotaExhausted),
        ("too-many-requests", 429, tessera.RateLimited),
        ("farm-refused", 422, tessera.FarmRefused),
        ("farm-away", 503, tessera.FarmAway),
        # Types that came later are told by their status.
        ("token-asleep", 401, tessera.Unauthorized),
        ("something-new", 418, tessera.ProblemError),
    ],
)
def test_each_problem_has_its_class(kind: str, status: int, expected: Any) -> None:
    error = error_of(kind, status)
    assert type(error) is expected
    assert (error.type, error.status) == (f"urn:tessera:problem:{kind}", status)
    assert str(error) == f"{kind}, so it is"
    assert isinstance(error, tessera.ProblemError) and isinstance(error, tessera.Error)


def test_what_a_type_promises_beside_is_there() -> None:
    dear = error_of("max-cost-exceeded", 422, price=money(6_000_000))
    assert dear.price == tessera.Money.of(6) and dear.extra == {"price": money(6_000_000)}
    assert error_of("missing-files", 422, missing=["a.png", "b.bin"]).missing == ("a.png", "b.bin")
    assert error_of("upload-offset", 409, received_bytes=12).received_bytes == 12
    assert error_of("invalid", 422, field="lens.focus").field == "lens.focus"
    # And where it is not, nothing breaks.
    assert error_of("max-cost-exceeded", 422).price is None
    assert error_of("missing-files", 422, missing=None).missing == ()
    assert error_of("upload-offset", 409, received_bytes=True).received_bytes is None


def test_what_is_no_problem_is_told_by_its_first_line() -> None:
    def check(status: int, body: bytes, detail: str, retryable: bool) -> None:
        error = problem_error(status, body)
        assert (error.detail, error.retryable) == (detail, retryable)

    check(502, b"<html>\nBad gateway</html>", "the door answered 502: <html>", True)
    check(500, b"", "the door answered 500", False)
    check(400, b'{"error": 1}', 'the door answered 400: {"error": 1}', False)
    check(404, b"\xff", "the door answered 404: \ufffd", False)


def test_a_failed_job_says_which_and_why() -> None:
    told = job_json(status="failed", reason="24 nodes lost tile 3", frame_count=240)
    facts = tessera.JobFacts.read(Fields(told, "job"))
    assert str(tessera.JobFailed(facts)) == "shot_010 (job_1) is failed: 24 nodes lost tile 3"


def test_errors_go_from_process_to_process() -> None:
    facts = tessera.JobFacts.read(Fields(job_json(status="failed"), "job"))
    for error in (
        tessera.JobFailed(facts),
        tessera.ConnectionLost("cut", sent=False),
        tessera.SceneFileError("it is no scene", Path("a.obj")),
        tessera.OutputExists(Path("a.exr")),
        tessera.MissingFiles.here(Path("a.glb"), ["b.png"]),
        error_of("farm-away", 503, retryable=True),
    ):
        other = pickle.loads(pickle.dumps(error))
        assert type(other) is type(error) and str(other) == str(error)
        assert vars(other) == vars(error)
