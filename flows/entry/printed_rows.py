"""Rows as a table on the terminal, or as JSON."""

import json
import sys


def print_rows(rows: list[dict[str, object]], as_json: bool) -> None:
    """Print rows that have the same keys."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
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
