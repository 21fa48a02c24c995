"""Suggestions for an id that does not exist."""

from collections.abc import Iterable
from typing import Final

from contracts.schemas import KEYS
from flows.run.pipeline import Build
from flows.views.lineage import SUBJECTS

_LEAST_SHARED: Final = 4
"""Fewer equal leading characters of two hashes are chance."""

_SHOWN: Final = 3


def near_ids(given: str, ids: Iterable[str]) -> list[str]:
    """Return up to three ids that share the longest prefix with the one given; none if that is shorter than four characters."""
    known = sorted(set(ids))
    for length in range(len(given), _LEAST_SHARED - 1, -1):
        if near := [other for other in known if other.startswith(given[:length])]:
            return near[:_SHOWN]
    return []


def near_rows(build: Build, given: str) -> list[str]:
    """Return up to three pairs, samples, prompts or utterances with similar ids, such as ``sample 0123...``."""
    tables = {key: table for table in SUBJECTS for key in build.tables.read(table, [KEYS[table]])[KEYS[table]].to_pylist()}
    return [f"{tables[key].removesuffix('s')} {key}" for key in near_ids(given, tables)]
