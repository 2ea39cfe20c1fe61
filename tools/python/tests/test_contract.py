"""What a door says of itself, asked in ways that nobody thought of.

Schemathesis reads the door's own description and makes requests of it, sound and unsound ones: no
answer may be a fault of the door's, and none may have a status or a shape that is not described.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tessera
from farms import ON_A_FARM, PATIENCE_S, SCENE, Farm, farm

__all__ = ["farm"]

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

pytestmark = [
    *ON_A_FARM,
    pytest.mark.skipif(not SCHEMATHESIS.is_file(), reason="schemathesis is not installed"),
]

# All but "what fits its schema is taken": amounts, times and ids are text with rules of their own.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,negative_data_rejection,"
    "missing_required_header,unsupported_method"
)


def test_a_door_answers_as_it_says_whatever_is_asked(farm: Farm, tmp_path: Path) -> None:
    with tessera.Client(farm.url, token=farm.token) as client:
        job = client.submit(SCENE, camera="front", size=(64, 48), samples=16, max_cost="5.00")
        assert job.wait(timeout=PATIENCE_S, check=True).status == "done"
        hook = client.create_webhook("http://127.0.0.1:9/nobody")
        ids = {"job": job.id, "scene": job.scene, "id": hook.id, "team": "fuzz"}
    lines = [f'"path.{name}" = "{value}"' for name, value in ids.items()]
    (tmp_path / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines, ""]))
    # Streams of events have no end to wait for, and who takes its own token back asks no more.
    arguments = [
        "run", f"{farm.url}/v1/openapi.json", "-H", f"Authorization: Bearer {farm.token}",
        "--exclude-path-regex", "events$", "--exclude-operation-id", "revoke_token",
        "--checks", CHECKS, "--max-examples", "8",
        "--rate-limit", "40/s", "--request-timeout", "60", "--generation-deterministic",
        "--no-color",
    ]  # fmt: skip
    fuzzed = subprocess.run(
        [str(SCHEMATHESIS), *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert fuzzed.returncode == 0, fuzzed.stdout[-20_000:]
