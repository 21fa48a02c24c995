"""The stage ``label_check``: people hear some labelled pairs, and it is told how far they agree; nothing is dropped."""

from typing import Final

from flows.listening.evidence import agreement_line
from flows.listening.store import RATED, VOTED, waiting_for
from flows.run.books import Books
from flows.run.pipeline import Build, Stage, Waiting
from flows.stages.listeners import ASKED_ABOUT, is_of, made_gold, publish, pull, settings_of_test, wanted_of
from flows.stages.splits import split_literals


def _label_check(build: Build) -> Books | Waiting:
    waiting, gold = pull(build)
    if waiting is not None:
        return waiting
    asked = len(set(wanted_of(build)["pair_id"].to_pylist()) - set(gold))
    return Books(stage="label_check", unit="pairs to hear", rows_in=asked, rows_out=asked, notes=(agreement_line(build),))


STAGE: Final[Stage] = Stage(
    name="label_check",
    reads=(*ASKED_ABOUT, "labels", "splits@*"),
    writes=(VOTED, RATED),
    settings=lambda build: [settings_of_test(build), split_literals(build)],
    run=_label_check,
    active=is_of("check"),
    reads_if=made_gold,
    prepare=publish,
    waits=waiting_for,
)
