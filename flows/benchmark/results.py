"""Results of a benchmark: one JSON file with all figures of one judge, and beside it the answers to every item as Parquet."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from contracts.errors import DataError
from contracts.ids import canonical_json, digest
from flows.benchmark.judge_answers import COMPLETION, judged_clips, judged_pairs
from flows.benchmark.released_items import CROSSED, ReleasedItems, Unit
from scoring.bench.all_figures import clip_figures, pair_figures
from scoring.bench.figure import Figure
from storage.local_files import OUTPUT, atomic_path, storage_errors

FORMAT: Final = 1
SUFFIX: Final = ".bench.json"
_HASH: Final = 8
_STRICT: Final = ConfigDict(extra="forbid")

Given = Literal["given", "not given", "not part of the task", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a judge was given (UniSRM, Table 12).

    Attributes:
        audio: the clips that it judges.
        prompt: a prompt in words.
        reference: the reference speech.
        history: the turns before, as audio.
        note: anything else, such as measured values or examples.
    """

    __pydantic_config__ = _STRICT

    audio: Given
    prompt: Given
    reference: Given
    history: Given
    note: Annotated[str, Field(max_length=1000)] = ""


UNKNOWN_INPUTS: Final = Inputs(audio="unknown", prompt="unknown", reference="unknown", history="unknown")


@dataclass(frozen=True, kw_only=True)
class JudgeFacts:
    """Who answered.

    Attributes:
        name: what tables call it.
        kind: ``predictions`` of a file, ``judge`` or ``metric`` plug-in.
        version: version of the rule, the client or the metric's model; empty = unknown.
        model: model asked for.
        prompts: versions of the prompts by language.
        options: how it was asked, as text.
        inputs: what it was given.
    """

    __pydantic_config__ = _STRICT

    name: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Literal["predictions", "judge", "metric"]
    version: Annotated[str, Field(max_length=1000)] = ""
    model: Annotated[str, Field(max_length=1000)] = ""
    prompts: dict[str, str] = field(default_factory=dict)
    options: Annotated[str, Field(max_length=2000)] = ""
    inputs: Inputs = UNKNOWN_INPUTS


@dataclass(frozen=True, kw_only=True)
class Results:
    """The figures of one judge on one split of a release.

    Attributes:
        format: of the file.
        judge: who answered.
        release: version and digest of the release.
        configuration: its configuration.
        split: its split.
        about: sort of items: ``pairs`` or ``samples``.
        task: the task; empty = unknown.
        has_ratings: whether the pairs have ratings.
        intervals_over: what intervals are drawn of.
        items: number of items.
        replies: number of answers, for all orders and votes.
        unreadable: reason -> number of answers that could not be read or never came.
        cost_usd: what all answers cost; None = unknown.
        latency_s: mean time of an answer; None = unknown.
        figures: all figures.
    """

    __pydantic_config__ = _STRICT

    format: Literal[1] = FORMAT
    judge: JudgeFacts
    release: str
    configuration: str
    split: str
    about: Literal["pairs", "samples"]
    task: str
    has_ratings: bool
    intervals_over: Unit
    items: int
    replies: int
    unreadable: dict[str, int]
    cost_usd: float | None
    latency_s: float | None
    figures: list[Figure]

    def figure(self, name: str, **of: str) -> Figure | None:
        """Return the figure of that name about exactly these items; None = it was not computed."""
        return next((one for one in self.figures if one.name == name and one.of == of), None)


_RESULTS: Final = TypeAdapter(Results)


def results_of(
    items: ReleasedItems, answers: pa.Table, judge: JudgeFacts, *, task: str, seed: int, extra: Sequence[Figure] = ()
) -> Results:
    """Compute all figures.

    Args:
        items: the items.
        answers: rows of ``JUDGE_ANSWERS``, one for each item, order and vote.
        judge: who answered.
        task: name of the task; empty = unknown.
        seed: of intervals.
        extra: figures that were computed elsewhere.
    """
    if items.about == "pairs":
        judged = judged_pairs(items, answers)
        found = pair_figures(judged, facets=items.facets, crossed=_crossed(items), rated=items.rated, seed=seed)
    else:
        corpora = items.rows["corpus"].to_pylist()
        found = clip_figures(judged_clips(items, answers), corpora=corpora, on_scale=judge.kind != "metric", seed=seed)
    costs, times = answers["cost_usd"], answers["latency_s"]
    return Results(
        judge=judge,
        release=items.release,
        configuration=items.configuration,
        split=items.split,
        about=items.about,
        task=task,
        intervals_over=items.intervals_over,
        has_ratings=items.about == "pairs" and items.rated is not None,
        items=len(items.ids),
        replies=answers.num_rows,
        unreadable=dict(sorted(Counter(answers["reason"].drop_null().to_pylist()).items())),
        cost_usd=pc.sum(costs).as_py(),
        latency_s=pc.mean(times).as_py(),
        figures=[*found, *extra],
    )


def _crossed(items: ReleasedItems) -> list[tuple[str, ...]]:
    there = items.facets.keys()
    return [names for names in CROSSED if set(names) <= there]


def write_results(path: Path, results: Results, answers: pa.Table) -> None:
    """Write both files, the answers first.

    Raises:
        StorageError: the disk refuses.
    """
    with storage_errors(f"writing {path}", OUTPUT):
        with atomic_path(answers_path(path)) as temporary:
            pq.write_table(answers.drop_columns([COMPLETION]), temporary)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(asdict(results), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def answers_path(path: Path) -> Path:
    """Return where the answers lie that belong to a file of results."""
    return path.with_name(f"{path.name.removesuffix('.json').removesuffix('.bench')}.answers.parquet")


def default_path(results: Results) -> Path:
    """Return the name of a file of results in this folder, which is never that of another run's results.

    A judge's name is free text, and names no path. Where the plain name is taken by another judge, or by the same one asked in
    another way, a hash of who was asked and how is appended; the same run once more has the same name.
    """
    safe = re.sub(r"[^A-Za-z0-9._+-]+", "-", results.judge.name).strip("-.") or "judge"
    stem = f"{safe[:80]}-{results.configuration}-{results.split}"
    plain = Path(f"{stem}{SUFFIX}")
    if not plain.exists() or _is_of_same_run(plain, results):
        return plain
    return Path(f"{stem}-{digest([*_run_of(results), sorted(_names_of(results))])[:_HASH]}{SUFFIX}")


def _is_of_same_run(path: Path, results: Results) -> bool:
    """Tell whether a file has results of the same run, and nothing that the results lack, such as the figures of a review."""
    try:
        before = read_results(path)
    except DataError:
        return False
    return _run_of(before) == _run_of(results) and _names_of(before) <= _names_of(results)


def _run_of(results: Results) -> list[Any]:
    return [asdict(results.judge), results.release, results.configuration, results.split, results.task]


def _names_of(results: Results) -> set[str]:
    return {canonical_json([one.name, dict(one.of)]) for one in results.figures}


def read_results(path: Path) -> Results:
    """Read a file of results, which anybody may have written.

    Raises:
        DataError: it cannot be read, or is none.
    """
    try:
        return _RESULTS.validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first: Any = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path}: no results of `unisrm-data bench`: {place}: {first['msg']}") from error
