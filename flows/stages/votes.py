"""The stage ``votes``: it waits until people have voted on all pairs, or rated all samples."""

from typing import Final

from flows.listening.store import RATED, VOTED, waiting_for
from flows.recipe.listening_checks import require
from flows.run.books import Books
from flows.run.pipeline import Build, Stage, Waiting
from flows.stages.listeners import ASKED_ABOUT, is_of, made_gold, publish, pull, settings_of_test, wanted_of


def _votes(build: Build) -> Books | Waiting:
    waiting, gold = pull(build)
    if waiting is not None:
        return waiting
    listening = require(build.recipe)
    key = "sample_id" if listening.rated() else "pair_id"
    questions = [subject for subject in wanted_of(build)[key].to_pylist() if subject not in gold]
    unit = "samples to rate" if listening.rated() else "pairs to vote on"
    return Books(stage="votes", unit=unit, rows_in=len(questions), rows_out=len(questions))


STAGE: Final[Stage] = Stage(
    name="votes",
    reads=ASKED_ABOUT,
    writes=(VOTED, RATED),
    settings=settings_of_test,
    run=_votes,
    active=is_of("pairs", "samples"),
    reads_if=made_gold,
    prepare=publish,
    waits=waiting_for,
)
