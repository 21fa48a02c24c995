"""Tables of results in the row layouts of the papers.

A layout says what the columns are; a row is a judge. Columns of UniSRM's tables come from several tasks, and so from several
files of results of one judge: there is one table for each split of a release, and no column of it has numbers of two
configurations. The other papers' tables are about one benchmark: there is one for each that was judged.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from contracts.errors import DataError
from flows.benchmark.results import Results
from scoring.reliability.measures import Measure


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        header: its heading.
        cell: returns the number of one judge, from its results; None = there is none.
        is_percent: whether it is a share, shown in percent.
    """

    header: str
    cell: Callable[[Sequence[Results]], Measure | None]
    is_percent: bool = True


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of one table of a paper.

    Attributes:
        paper: short name of the paper.
        table: which table, such as ``Table 1``.
        title: what it shows.
        columns: returns the columns, which may depend on what was judged.
        spans: whether its columns come from several configurations; else there is one table for each.
    """

    paper: str
    table: str
    title: str
    columns: Callable[[Sequence[Results]], Sequence[Column]]
    spans: bool = False


@dataclass(frozen=True, kw_only=True)
class FilledTable:
    """A table with its numbers.

    Attributes:
        layout: its layout.
        benchmark: what was judged, all of it where that differs from column to column.
        columns: the columns that any judge has a number for.
        rows: judge and its numbers by column, in the order of the results.
    """

    layout: Layout
    benchmark: str
    columns: Sequence[Column]
    rows: Sequence[tuple[str, Sequence[Measure | None]]]

    @property
    def title(self) -> str:
        """Paper, table, what it shows, and what was judged."""
        return f"{self.layout.paper}, {self.layout.table}: {self.layout.title} ({self.benchmark})"


def filled_tables(layouts: Sequence[Layout], results: Sequence[Results]) -> Iterator[FilledTable]:
    """Yield every table that has a number.

    Raises:
        DataError: two results of one judge are about the same items.
    """
    _require_one_each(results)
    for layout in layouts:
        for benchmark, some in (_spanned(layout, results) if layout.spans else _benchmarks(results)).items():
            judges = dict.fromkeys(one.judge.name for one in some)
            columns = layout.columns(some)
            cells = {
                judge: [column.cell([one for one in some if one.judge.name == judge]) for column in columns] for judge in judges
            }
            used = [place for place in range(len(columns)) if any(row[place] is not None for row in cells.values())]
            rows = [(judge, [row[place] for place in used]) for judge, row in cells.items()]
            if rows := [(judge, row) for judge, row in rows if any(one is not None for one in row)]:
                yield FilledTable(layout=layout, benchmark=benchmark, columns=[columns[place] for place in used], rows=rows)


def with_voting(results: Sequence[Results]) -> list[Results]:
    """Return the results, each followed by those of the majority of its votes where it has several (SpeechJudge, Table 3)."""
    found = list[Results]()
    for one in results:
        found.append(one)
        if most := max(map(int, values_of([one], "votes", "voting_accuracy")), default=0):
            figures = [
                replace(figure, name="accuracy", of={name: value for name, value in figure.of.items() if name != "votes"})
                for figure in one.figures
                if figure.name == "voting_accuracy" and figure.of["votes"] == str(most)
            ]
            found.append(replace(one, judge=replace(one.judge, name=f"{one.judge.name} w/ Voting@{most}"), figures=figures))
    return found


def benchmark_of(results: Results) -> str:
    """Return what was judged, for a person."""
    return f"{results.release} {results.configuration}/{results.split}"


def _benchmarks(results: Sequence[Results]) -> Mapping[str, list[Results]]:
    found: dict[str, list[Results]] = {}
    for one in results:
        found.setdefault(benchmark_of(one), []).append(one)
    return found


def _spanned(layout: Layout, results: Sequence[Results]) -> Mapping[str, list[Results]]:
    """Return the results that share a table: those of one split of a release that have a number for it.

    Where a column would have numbers of two configurations, each has a table of its own.
    """
    splits: dict[tuple[str, str], list[Results]] = {}
    for one in results:
        splits.setdefault((one.release, one.split), []).append(one)
    found: dict[str, list[Results]] = {}
    for (release, split), some in splits.items():
        columns = layout.columns(some)
        sources = [{one.configuration for one in some if column.cell([one]) is not None} for column in columns]
        filling = [one for one in some if any(one.configuration in names for names in sources)]
        if all(len(names) <= 1 for names in sources):
            names = sorted({one.configuration for one in filling})
            found[f"{release} {', '.join(names)}/{split}"] = filling
        else:
            found |= _benchmarks(filling)
    return found


def _require_one_each(results: Sequence[Results]) -> None:
    seen = set[tuple[str, str, str]]()
    for one in results:
        key = (one.judge.name, benchmark_of(one), one.task)
        if key in seen:
            raise DataError(
                f"two results of {one.judge.name} are about {benchmark_of(one)}: leave one out, or give it another --name"
            )
        seen.add(key)


def figure(name: str, *, task: str | None = None, **of: str) -> Callable[[Sequence[Results]], Measure | None]:
    """Return what finds a figure in a judge's results.

    Args:
        name: of the figure.
        task: of the results; None = any.
        **of: what the figure is about, exactly.
    """

    def cell(results: Sequence[Results]) -> Measure | None:
        there = [one for one in results if task in {None, one.task}]
        found = [(one, hit.measure) for one in there if (hit := one.figure(name, **of)) is not None]
        if len(found) > 1:
            places = " and ".join(benchmark_of(one) for one, _ in found)
            raise DataError(f"{found[0][0].judge.name} has results of {task or name} on {places}: make a table of each alone")
        return found[0][1] if found else None

    return cell


def average(columns: Sequence[Column]) -> Callable[[Sequence[Results]], Measure | None]:
    """Return the plain mean of some columns, as the papers have it, without an interval; None where one is missing."""

    def cell(results: Sequence[Results]) -> Measure | None:
        found = [column.cell(results) for column in columns]
        values = [one.value for one in found if one is not None and one.value is not None]
        if not found or len(values) != len(found):
            return None
        return Measure(value=sum(values) / len(values), n=max(one.n for one in found if one is not None))

    return cell


def values_of(results: Sequence[Results], facet: str, name: str = "accuracy", first: Sequence[str] = ()) -> list[str]:
    """Return the values of a facet that figures have, those of ``first`` first, in that order."""
    found = {one.of[facet] for result in results for one in result.figures if one.name == name and facet in one.of}
    return [*(one for one in first if one in found), *sorted(found - set(first))]
