"""Results as a page, Markdown or CSV: an overview with one row for each file of results, then the papers' tables.

Names of models and corpora are anybody's text: they are escaped in every form, and begin no formula in a spreadsheet.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import jinja2

from annotate.people.exchange.cells import escape_formula
from contracts.text_forms import shown
from flows.benchmark.layouts import mos_rmbench_layouts, speechjudge_layouts, unisrm_layouts
from flows.benchmark.paper_tables import FilledTable, benchmark_of, filled_tables, with_voting
from flows.benchmark.results import Results
from scoring.reliability.measures import Measure

Format = Literal["md", "csv", "html"]

_LAYOUTS: Final = (*unisrm_layouts.LAYOUTS, *speechjudge_layouts.LAYOUTS, *mos_rmbench_layouts.LAYOUTS)
_NONE: Final = "-"
_MARKED: Final = re.compile(r"[\\`*_{}\[\]#!|~<>&]")
_MEASURES: Final = ("table", "benchmark", "row", "column", "value", "low", "high", "n", "why")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One row of the overview.

    Attributes:
        judge: who answered.
        benchmark: what was judged.
        headline: what the number is: accuracy, or Pearson of a scale.
        measure: the number.
        is_percent: whether it is a share.
        facts: heading -> text, such as the share of replies that cannot be read.
    """

    judge: str
    benchmark: str
    headline: str
    measure: Measure
    is_percent: bool
    facts: dict[str, str]


def standings(results: Sequence[Results]) -> list[Standing]:
    """Return the overview: by benchmark, best first."""
    rows = [row for one in results for row in _standing(one)]
    return sorted(
        rows, key=lambda row: (row.benchmark, row.headline, -(row.measure.value if row.measure.value is not None else -2))
    )


def _standing(results: Results) -> Iterator[Standing]:
    heads = [one for one in results.figures if (one.name, one.of) == ("accuracy", {})]
    if results.about == "samples":
        heads = [one for one in results.figures if one.name == "pearson" and set(one.of) == {"scale"}]
    for head in heads:
        yield Standing(
            judge=results.judge.name,
            benchmark=benchmark_of(results),
            headline=" ".join([head.name, *head.of.values()]),
            measure=head.measure,
            is_percent=head.name == "accuracy",
            facts={
                "both orders agree": _percent(results, "order_consistency"),
                "first clip preferred": _percent(results, "first_preferred"),
                "ties": _percent(results, "ties"),
                "not readable": _percent(results, "unreadable"),
                "USD per item": _per_item(results.cost_usd, results.items),
                "s per answer": _NONE if results.latency_s is None else f"{results.latency_s:.2f}",
                **_inputs(results),
                "intervals over": results.intervals_over,
            },
        )


def _inputs(results: Results) -> dict[str, str]:
    """Return what the judge was given (UniSRM, Table 12)."""
    given = results.judge.inputs
    found = {"audio": given.audio, "prompt": given.prompt, "reference": given.reference, "history": given.history}
    return {**found, "beside": given.note or _NONE}


def _percent(results: Results, name: str) -> str:
    found = results.figure(name)
    return _NONE if found is None or found.measure.value is None else f"{100 * found.measure.value:.1f} %"


def _per_item(total: float | None, items: int) -> str:
    return _NONE if total is None or not items else f"{total / items:.5f}"


def number(measure: Measure | None, *, is_percent: bool) -> str:
    """Return a number as the papers print it."""
    if measure is None or measure.value is None:
        return _NONE
    return f"{100 * measure.value:.2f}" if is_percent else f"{measure.value:.3f}"


def sample(measure: Measure | None, *, is_percent: bool) -> str:
    """Return interval and n, without which no number stands; why there is no number, where there is none."""
    if measure is None:
        return ""
    if measure.value is None:
        return measure.why or ""
    if measure.low is None or measure.high is None:
        return f"n {measure.n}"
    factor, digits = (100, 1) if is_percent else (1, 2)
    return f"{factor * measure.low:.{digits}f} to {factor * measure.high:.{digits}f}, n {measure.n}"


def render(results: Sequence[Results], form: Format) -> str:
    """Return the overview and all tables.

    Raises:
        DataError: two results of one judge are about the same items.
    """
    tables = list(filled_tables(_LAYOUTS, with_voting(results)))
    match form:
        case "md":
            return _markdown(standings(results), tables)
        case "csv":
            return _csv(standings(results), tables)
        case "html":
            return _page(results, standings(results), tables)


def _markdown(overview: Sequence[Standing], tables: Sequence[FilledTable]) -> str:
    facts = list(overview[0].facts) if overview else []
    rows = [
        [one.judge, one.benchmark, one.headline, _cell(one.measure, is_percent=one.is_percent), *one.facts.values()]
        for one in overview
    ]
    parts = ["# Benchmark results", _grid(["judge", "benchmark", "figure", "value", *facts], rows)]
    for table in tables:
        filled = [
            [
                judge,
                *(_cell(cell, is_percent=column.is_percent) for column, cell in zip(table.columns, cells, strict=True)),
            ]
            for judge, cells in table.rows
        ]
        parts += [f"## {_plain(table.title)}", _grid(["Model", *(column.header for column in table.columns)], filled)]
    return "\n\n".join(parts) + "\n"


def _cell(measure: Measure | None, *, is_percent: bool) -> str:
    told = sample(measure, is_percent=is_percent)
    return f"{number(measure, is_percent=is_percent)} ({told})" if told else _NONE


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell if line is lines[1] else _plain(cell) for cell in line)} |" for line in lines)


def _plain(text: str) -> str:
    """Return a text as Markdown that shows nothing but it."""
    return _MARKED.sub(lambda found: {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(found[0], f"\\{found[0]}"), shown_text(text))


def shown_text(text: str) -> str:
    """Return a text as one line without hidden characters; angle brackets stay, for those who escape them."""
    return text if re.fullmatch(r"[ -~]*", text) else shown(text)


def _csv(overview: Sequence[Standing], tables: Sequence[FilledTable]) -> str:
    """Return one number per line."""
    lines: list[list[object]] = [
        ["Overview", one.benchmark, one.judge, one.headline, *_numbers(one.measure)] for one in overview
    ]
    for table in tables:
        name = f"{table.layout.paper} {table.layout.table}"
        for judge, cells in table.rows:
            lines += [
                [name, table.benchmark, judge, column.header, *_numbers(cell)]
                for column, cell in zip(table.columns, cells, strict=True)
                if cell is not None
            ]
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(_MEASURES)
    writer.writerows([escape_formula(shown_text(cell)) if isinstance(cell, str) else cell for cell in line] for line in lines)
    return written.getvalue()


def _numbers(measure: Measure) -> list[object]:
    return [measure.value, measure.low, measure.high, measure.n, measure.why]


def _page(results: Sequence[Results], overview: Sequence[Standing], tables: Sequence[FilledTable]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"number": number, "sample": sample, "shown": shown_text}
    return environment.get_template("leaderboard.html.jinja").render(results=results, overview=overview, tables=tables)
