"""Rows as a table on the terminal, or as JSON."""

import json
import re
import sys
from typing import Any


def json_text(value: Any) -> str:
    """Return a value as indented JSON in which characters that a terminal obeys, or hides, are written as escapes.

    Texts of corpora and models are untrusted: one that turns the direction of writing would make a line read otherwise.
    """
    return re.sub(r"[^\n -~]", _shown, json.dumps(value, ensure_ascii=False, indent=2))


def legible(line: str) -> str:
    """Return a line in which such characters, and breaks, are written as escapes."""
    return re.sub(r"[^ -~]", _shown, line)


def _shown(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]


def print_rows(rows: list[dict[str, object]], as_json: bool) -> None:
    """Print rows that have the same keys."""
    if as_json:
        print(json_text(rows))
        return
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(*rows[0].keys(), box=None)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(soft_wrap=False, width=None if sys.stdout.isatty() else 200).print(table)


def _cell(value: object) -> str:
    from rich.markup import escape

    if isinstance(value, dict):
        return escape(", ".join(f"{name} {number}" for name, number in value.items()))
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else str(round(value, 2))
    return escape("" if value is None else str(value))
