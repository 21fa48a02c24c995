"""The stage ``critique_check``: people hear pairs with their critiques, and it is told how many critiques they accept."""

from typing import Final

from flows.listening.evidence import acceptance_line
from flows.listening.store import RATED, VOTED, waiting_for
from flows.run.books import Books
from flows.run.pipeline import Build, Stage, Waiting
from flows.run.wanted import made
from flows.stages.listeners import ASKED_ABOUT, is_of, publish, pull, settings_of_test, wanted_of


def _critique_check(build: Build) -> Books | Waiting:
    waiting, gold = pull(build)
    if waiting is not None:
        return waiting
    asked = len(set(wanted_of(build)["judgment_id"].to_pylist()) - set(gold))
    return Books(
        stage="critique_check", unit="critiques to hear", rows_in=asked, rows_out=asked, notes=(acceptance_line(build),)
    )


STAGE: Final[Stage] = Stage(
    name="critique_check",
    reads=(*ASKED_ABOUT, *made("judgments"), "drops@critiques"),
    writes=(VOTED, RATED),
    settings=settings_of_test,
    run=_critique_check,
    active=is_of("critiques"),
    prepare=publish,
    waits=waiting_for,
)
"""How far people accept what a model wrote (MOS-RMBench, appendix C.1: 70 % of 100 critiques, by four people)."""
