"""What all models have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Model:
    """What all models have."""

    raw: Mapping[str, Any] = field(repr=False, compare=False)
    """The JSON object as the door told it."""
