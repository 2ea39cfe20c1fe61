"""What the commands print: JSON lines, then one table."""

from __future__ import annotations

import json
import os
from typing import Any

Row = dict[str, Any]


def rounded(value: Any) -> Any:
    """Five digits that count are enough for a log."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return value


def line(row: Row) -> None:
    """Prints a JSON line."""
    print(json.dumps({key: rounded(value) for key, value in row.items()}), flush=True)


def shown(value: Any) -> str:
    """A table's cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if 0.5 < abs(value) < 2:
            return f"{value:.4f}"
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def table(rows: list[Row], columns: dict[str, str]) -> None:
    """Prints a Markdown table; `columns` are keys of the rows and their titles."""
    print("\n| " + " | ".join(columns.values()) + " |")
    print("| " + " | ".join("---" for _ in columns) + " |")
    for row in rows:
        cells = [shown(row.get(key)) for key in columns]
        if "error" in row:
            cells[-1] = f"failed: {row['error']}"
        print("| " + " | ".join(cells) + " |")
    print(flush=True)


def notes(rows: list[Row]) -> None:
    """Prints what a renderer could not do as asked: no scene is silently different."""
    told = sorted({f"{row['scene']}, {row['renderer']}: {note}"
                   for row in rows for note in row.get("notes", [])})
    for note in told:
        print(f"note: {note}")
    load = os.getloadavg()[0]
    print(f"note: times are CPU-seconds over threads; load average {load:.1f}", flush=True)
