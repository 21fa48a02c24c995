"""The state of a workspace by stage, and its cost."""

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from annotate.models.inquiry_rows import InquiryRows, inquiries_of
from annotate.models.ledger.entries import Spend
from contracts.errors import StorageError
from flows.run.books import Books
from flows.run.kind import stages_of
from flows.run.marks import finished, mark_of, notes_of, tables_of
from flows.run.pipeline import Build, Stage
from flows.run.questions import known_ledger
from flows.run.work import count_done
from flows.views.listeners_report import listening_rows
from scoring.reliability.judge_reliability import drift_lines


def books_of(build: Build) -> list[tuple[Books, str]]:
    """Return the books of every stage that has started, with its state.

    States are ``done``, ``stale``, ``running``, ``waiting for ...`` and ``damaged: ...``.

    ``stale``: an input or the recipe changed since it finished. ``running``: it has rows or failures, but never finished.
    ``waiting for votes: n of m``: votes are missing; the books count votes. ``damaged``: something that the stage needs cannot
    be read; the books are those of its last mark, or empty.
    """
    strict = replace(build, problems=None)  # damaged tables must not be counted as empty
    pages = []
    for stage in stages_of(build):
        try:
            page = _page(stage, strict)
        except StorageError as error:
            page = _damaged(stage, build, error)
        if page is not None:
            pages.append(page)
    return pages


def _page(stage: Stage, build: Build) -> tuple[Books, str] | None:
    current = finished(stage, build)
    if current is not None:
        return current, "done"
    if stage.waits is not None and (waiting := stage.waits(build)) is not None:
        return Books(stage=stage.name, unit=waiting.what, rows_in=waiting.wanted, rows_out=waiting.there), str(waiting)
    mark = mark_of(stage, build)
    if build.tables.parts(f"wanted@{stage.name}"):
        return count_done(build, stage.name), "stale" if mark else "running"
    return (mark.books, "stale") if mark is not None else None


def _damaged(stage: Stage, build: Build, error: StorageError) -> tuple[Books, str]:
    books = Books(stage=stage.name, unit="", rows_in=0, rows_out=0)
    with contextlib.suppress(StorageError):
        mark = mark_of(stage, build)
        books = mark.books if mark is not None else books
    return books, f"damaged: {error}"


def of_all_parts(build: Build, rows: Callable[[Build], list[dict[str, object]]]) -> list[dict[str, object]]:
    """Return rows about a build; of a collection those about each part first, whose first value begins with its name."""
    found = list[dict[str, object]]()
    for name, part in build.parts.items():
        for row in rows(part):
            first = next(iter(row))
            found.append(row | {first: f"{name}: {row[first]}"})
    return found + rows(build)


def status_of(build: Build) -> list[dict[str, object]]:
    """Return one row per stage, rows about the listening test, and one row per task, judge and model that was asked."""
    rows: list[dict[str, object]] = [
        {
            "stage": page.stage,
            "state": state,
            "unit": page.unit,
            "in": page.rows_in,
            "out": page.rows_out,
            "missing": page.missing,
            "failed": page.failed,
            "dropped": page.dropped,
            "spent_usd": None,
        }
        for page, state in books_of(build)
    ]
    started = {row["stage"] for row in rows}
    stages = stages_of(build) if build.membership is None else stages_of(build)[:-1]  # the collection has the release
    rows += [_row(stage.name, "not begun") for stage in stages if stage.name not in started]
    with build.noted("stages"):
        rows += [_row("note", note) for note in notes_of(build, stages_of(build))]
    rows += listening_rows(build) + spend_rows(build)
    return rows + _damages(build)


def _damages(build: Build) -> list[dict[str, object]]:
    """Return a row for each problem that a read-only build has found, and for each table with a missing part."""
    if build.problems is None:
        return []
    for name in dict.fromkeys(name for stage in stages_of(build) for name in tables_of(stage, build)):
        with build.noted(name):
            build.tables.require_parts(name)
    return [_row(what, f"damaged: {problem}") for what, problem in build.problems.items()]


def _row(stage: str, state: str) -> dict[str, object]:
    return {
        "stage": stage,
        "state": state,
        "unit": "",
        "in": None,
        "out": None,
        "missing": None,
        "failed": {},
        "dropped": {},
        "spent_usd": None,
    }


def spend_rows(build: Build) -> list[dict[str, object]]:
    """Return replies, failures and money by task, judge and model."""
    lines = list[Spend]()
    with build.noted("ledger"):
        if (known := known_ledger(build)) is not None:
            with known as ledger:
                lines = ledger.spend()
    return [
        {
            "stage": f"ledger {line.task} {line.judge}/{line.model}",
            "state": "",
            "unit": "replies",
            "in": None,
            "out": line.replied,
            "missing": None,
            "failed": {"failed": line.failed} if line.failed else {},
            "dropped": {},
            "spent_usd": round(line.cost_usd, 4),
        }
        for line in lines
    ]


def inquiries(build: Build) -> list[InquiryRows]:
    """Return the judgments of the recipe's judges, then those of each re-annotation."""
    again = [build.tables.read(name) for name in build.tables.partitions("judgments")]
    return inquiries_of(build.tables.read("judgments"), pa.concat_tables(again) if again else None)


def drift_rows(build: Build) -> list[dict[str, object]]:
    """Return how far judges, and repetitions of one judge, differ on the same pairs; empty if each pair was judged once."""
    return drift_lines(inquiries(build))
