"""Benches that measure one process against limits: their rows, and their command line."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

Figure = tuple[str, float, float]
"""What was measured, the value, and the most that it may be."""


def against_targets(title: str, figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Return a row of a bench for each figure."""
    return [
        {
            "name": f"{title}: {what}",
            "value": value,
            "baseline": None,
            "ratio": None,
            "target": f"<= {target}",
            "ok": value <= target,
        }
        for what, value, target in figures
    ]


def run_command(measure: Callable[[str], object], run: Callable[..., list[dict[str, Any]]]) -> None:
    """Do what the command line says: ``--measure FOLDER`` in the process that is measured, else the whole bench."""
    if sys.argv[1:2] == ["--measure"]:
        sys.stdout.write(json.dumps(measure(sys.argv[2])))
        return
    lines = run(*map(int, sys.argv[1:]))
    for line in lines:
        print(f"{'ok  ' if line['ok'] else 'MISS'} {line['name']}: {line['value']}, target {line['target']}")
    sys.exit(0 if all(line["ok"] for line in lines) else 1)
