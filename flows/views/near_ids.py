"""Which ids somebody may have meant who gave one that is not there."""

from collections.abc import Iterable
from typing import Final

from contracts.schemas import KEYS
from flows.run.pipeline import Build
from flows.views.lineage import SUBJECTS

_LEAST_SHARED: Final = 4
"""Fewer equal characters at the beginning of two hashes are chance."""

_SHOWN: Final = 3


def near_ids(given: str, ids: Iterable[str]) -> list[str]:
    """Return up to three ids that begin like the one given, as far as any does; none if the beginnings differ."""
    known = sorted(set(ids))
    for length in range(len(given), _LEAST_SHARED - 1, -1):
        if near := [other for other in known if other.startswith(given[:length])]:
            return near[:_SHOWN]
    return []


def near_rows(build: Build, given: str) -> list[str]:
    """Return up to three rows with a story whose ids begin like the one given, such as ``sample 0123...``."""
    tables = {key: table for table in SUBJECTS for key in build.tables.read(table, [KEYS[table]])[KEYS[table]].to_pylist()}
    return [f"{tables[key].removesuffix('s')} {key}" for key in near_ids(given, tables)]
