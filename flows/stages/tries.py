"""Tries with other seeds: a clip that failed by the engine's chance is made again before it counts as failed.

The stage does it, between its fan-outs, and not the session that speaks: a session does not outlive what it did not survive. A
build that was killed begins again with the first seed of what was not there, and so comes to the same clips.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.ids import canonical_json
from contracts.joins import among
from flows.run.pipeline import Build
from synth.render import RenderJob
from synth.takes import is_by_chance, seed_of_try

Rendering = Sequence[tuple[RenderJob, pa.Table]]


def make_with_tries(
    build: Build,
    stage: str,
    work: Rendering,
    services: Rendering,
    tries: Mapping[str, int],
    *,
    make: Callable[[Rendering, Rendering], None],
) -> None:
    """Make the missing rows, then those that failed by chance again with other seeds, as often as their systems may try.

    ``failures@<stage>`` then tells every try of what failed to the end; a row that was made tells those before.

    Args:
        build: the build.
        stage: name of the stage and of its table.
        work: jobs of engines with all requests of the recipe, done or not.
        services: those of speech services.
        tries: system -> how many seeds a clip may take.
        make: makes the rows of both that are neither in the table nor in the failures.
    """
    make(work, services)
    bought, failed = {job for job, _ in services}, dict[str, list[dict[str, object]]]()
    while again := _again(build, f"failures@{stage}", [*work, *services], tries, failed):
        make([one for one in again if one[0] not in bought], [one for one in again if one[0] in bought])


def _again(
    build: Build, failures: str, work: Rendering, tries: Mapping[str, int], failed: dict[str, list[dict[str, object]]]
) -> list[tuple[RenderJob, pa.Table]]:
    """Note the tries that failed, and take what has tries left out of the failures.

    Args:
        build: the build.
        failures: the partition of failures.
        work: jobs with all requests of the recipe.
        tries: system -> how many seeds a clip may take.
        failed: sample -> its tries that failed in this run; is updated.

    Returns:
        Jobs with the requests to make again, with their new seeds.
    """
    rows = build.tables.read(failures)
    told = {row["row_id"]: row for row in rows.to_pylist() if is_by_chance(row["reason"])}
    notes, again = dict[str, str](), list[tuple[RenderJob, pa.Table]]()
    for job, requests in work:
        limit, changed = tries[job.system], list[dict[str, Any]]()
        if limit == 1 or not told:
            continue
        for request in among(requests, "row_id", pa.array(sorted(told), pa.string())).to_pylist():
            key, last = request["row_id"], told[request["row_id"]]
            if last["failed_tries"] is not None:  # of a run before
                failed[key] = json.loads(last["failed_tries"])
            else:
                seed = seed_of_try(request["seed"], key, len(failed.get(key, ())))
                failed.setdefault(key, []).append({"seed": seed} | {name: last[name] for name in ("reason", "message")})
            notes[key] = canonical_json(failed[key])
            if (count := len(failed[key])) < limit:
                changed.append(request | {"seed": seed_of_try(request["seed"], key, count), "failed_tries": notes[key]})
        if changed:
            again.append((job, pa.Table.from_pylist(changed, schema=requests.schema.append(_FAILED_TRIES))))
    if notes:
        _note(
            build,
            failures,
            rows,
            notes,
            pa.chunked_array([table["row_id"].combine_chunks() for _, table in again], pa.string()),
        )
    return again


_FAILED_TRIES = pa.field("failed_tries", pa.string())


def _note(build: Build, failures: str, rows: pa.Table, notes: Mapping[str, str], again: pa.ChunkedArray) -> None:
    """Write the tries into the failures, without the rows that are made again."""
    place, name = rows.schema.get_field_index("failed_tries"), rows.schema.field("failed_tries")
    told = [notes.get(key, old) for key, old in zip(rows["row_id"].to_pylist(), rows["failed_tries"].to_pylist(), strict=True)]
    rows = rows.set_column(place, name, pa.array(told, pa.string()))
    build.tables.replace(failures, rows.filter(pc.invert(pc.is_in(rows["row_id"], value_set=again.combine_chunks()))))
