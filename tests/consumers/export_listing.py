"""What an export holds, for the programs that run in trainers' environments."""

import json
import sys
from pathlib import Path

COMPLETIONS = "completions.json"
"""Beside the exports: item -> what a model might write about it."""


def completions_of(folder: Path, items: list[str]) -> list[str]:
    """Return a completion for each item: that of its released row, or one that no layout knows."""
    known = json.loads((folder.parent / COMPLETIONS).read_text())
    return [known.get(item, "Speech A sounds better to me.") for item in items]


def listed() -> tuple[Path, list[dict]]:
    """Return the export's folder, the program's argument, and its data files."""
    folder = Path(sys.argv[1])
    return folder, json.loads((folder / "export.json").read_text())["files"]


def require(condition: bool, what: str) -> None:
    """End with an error unless a condition holds."""
    if not condition:
        sys.exit(f"refused: {what}")
