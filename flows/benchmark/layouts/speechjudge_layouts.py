"""Tables of SpeechJudge: 2 (and 3, 6 and 7, whose columns are the same), 8 to 10 and 12, and voting."""

from collections.abc import Sequence
from typing import Final

from flows.benchmark.paper_tables import Column, Layout, figure, values_of
from flows.benchmark.results import Results

_PAPER: Final = "SpeechJudge"
_SETTINGS: Final = ("en2en", "zh2en", "zh2zh", "en2zh", "en2mixed", "zh2mixed")


def _styles(results: Sequence[Results]) -> list[Column]:
    if not values_of(results, "style"):
        return []
    return [
        Column(header="Regular", cell=figure("accuracy", style="regular")),
        Column(header="Expressive", cell=figure("accuracy", style="expressive")),
        Column(header="Total", cell=figure("accuracy")),
    ]


def _settings(style: str, results: Sequence[Results]) -> list[Column]:
    settings = values_of(results, "setting", first=_SETTINGS)
    return [
        *(Column(header=setting, cell=figure("accuracy", style=style, setting=setting)) for setting in settings),
        Column(header="Avg", cell=figure("accuracy", style=style)),
    ]


def _corpora(results: Sequence[Results]) -> list[Column]:
    if "expressive" not in values_of(results, "style"):
        return []
    return [
        Column(header="Regular", cell=figure("accuracy", style="regular")),
        *(
            Column(header=corpus, cell=figure("accuracy", style="expressive", corpus=corpus))
            for corpus in values_of(results, "corpus")
        ),
    ]


def _votes(results: Sequence[Results]) -> list[Column]:
    numbers = sorted(map(int, values_of(results, "votes", "voting_accuracy")))
    return [Column(header=f"@{number}", cell=figure("voting_accuracy", votes=str(number))) for number in numbers]


def _consistency(_results: Sequence[Results]) -> list[Column]:
    return [Column(header="Consistency", cell=figure("consistency"))]


LAYOUTS: Final = (
    Layout(paper=_PAPER, table="Table 2", title="accuracy by style", columns=_styles),
    Layout(
        paper=_PAPER, table="Table 8", title="accuracy by setting, regular", columns=lambda found: _settings("regular", found)
    ),
    Layout(
        paper=_PAPER,
        table="Table 9",
        title="accuracy by setting, expressive",
        columns=lambda found: _settings("expressive", found),
    ),
    Layout(paper=_PAPER, table="Table 10", title="accuracy by corpus of the expressive speech", columns=_corpora),
    Layout(paper=_PAPER, table="Voting", title="accuracy of the majority of N replies", columns=_votes),
    Layout(paper=_PAPER, table="Table 12", title="reasoning and verdict agree", columns=_consistency),
)
