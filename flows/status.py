"""What has been done in a workspace, by stage, and what it cost."""

import pyarrow as pa

from annotate.inquiry_rows import InquiryRows, inquiries_of
from annotate.reliability import drift_lines
from flows.books import Books
from flows.listening_report import listening_rows
from flows.pipeline import Build, finished, mark_of
from flows.questions import known_ledger
from flows.stages import stages_of


def books_of(build: Build) -> list[tuple[Books, str]]:
    """Return the books of every stage that has begun, with its state: ``done``, ``stale``, ``running`` or ``waiting for ...``.

    ``stale``: an input or the recipe changed since it finished. ``running``: it has rows or failures, but never finished.
    ``waiting for votes: n of m``: people are to say more; what is counted are their votes.
    """
    pages = []
    for stage in stages_of(build):
        current = finished(stage, build)
        if current is not None:
            pages.append((current, "done"))
            continue
        if stage.waits is not None and (waiting := stage.waits(build)) is not None:
            page = Books(stage=stage.name, unit=waiting.what, rows_in=waiting.wanted, rows_out=waiting.there)
            pages.append((page, str(waiting)))
            continue
        mark = mark_of(stage, build)
        if stage.count is not None and any(build.tables.num_rows(name) for name in stage.writes):
            pages.append((stage.count(build), "stale" if mark else "running"))
        elif mark is not None:
            pages.append((Books(**mark["books"]), "stale"))
    return pages


def status_of(build: Build) -> list[dict[str, object]]:
    """Return one row per stage, some about the listening test, and one per judge and model that was asked."""
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
    begun = {row["stage"] for row in rows}
    rows += [
        {
            "stage": stage.name,
            "state": "not begun",
            "unit": "",
            "in": None,
            "out": None,
            "missing": None,
            "failed": {},
            "dropped": {},
            "spent_usd": None,
        }
        for stage in stages_of(build)
        if stage.name not in begun
    ]
    return rows + listening_rows(build) + spend_rows(build)


def spend_rows(build: Build) -> list[dict[str, object]]:
    """Return replies, failures and money by task, judge and model."""
    known = known_ledger(build)
    if known is None:
        return []
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
    """Return what the recipe's judges said, then what every re-annotation did."""
    again = [build.tables.read(name) for name in build.tables.partitions("judgments")]
    return inquiries_of(build.tables.read("judgments"), pa.concat_tables(again) if again else None)


def drift_rows(build: Build) -> list[dict[str, object]]:
    """Return how far judges, and the repetitions of one, differ on the same pairs; empty while all was asked once."""
    return drift_lines(inquiries(build))
