"""Re-annotation: another judge, another prompt version or one more repetition over pairs that are there already.

New judgments lie beside those of the recipe (``judgments@reannotation``), and change no label: labels name the judgments that
they rest on. ``status`` and ``report`` say how far judges drift apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast, get_args

import pyarrow as pa
from pydantic import Field, TypeAdapter

from annotate.models.inquiry import Inquiry, played
from annotate.models.judging import Mode
from contracts.errors import RecipeError, SetupError
from contracts.joins import taken
from contracts.rng import hash_fraction
from flows.recipe.preference import PreferenceRecipe
from flows.recipe.preference_checks import check_judge
from flows.recipe.sections import Judge
from flows.run.books import Books
from flows.run.pipeline import Build
from flows.run.question import Question, judge_of, task_of
from flows.run.questions import ask_missing, lost_ledger
from flows.run.work import count_done
from flows.stages.judgments import pair_requests
from storage.state import read_state

STAGE: Final = "reannotation"
TABLE: Final = "judgments@reannotation"
_NO_PAIRS: Final = "there are no pairs to judge yet: run `unisrm-data build` first"


@dataclass(frozen=True, kw_only=True)
class _Noted:
    """How often a judge was asked again: the next repetition, and the one under way."""

    next: Annotated[int, Field(ge=0)]
    open: Annotated[int, Field(ge=0)] | None


_NOTED: Final = TypeAdapter(_Noted)
_NOTED_LOST: Final = (
    "restore it from a backup, or remove it: repetitions are then counted from the recipe's own votes again, and those that "
    "were asked before come from the ledger"
)


def judged_build(build: Build) -> Build[PreferenceRecipe]:
    """Return the same build, known to be one whose pairs are judged.

    Raises:
        RecipeError: they are not.
    """
    if not isinstance(build.recipe, PreferenceRecipe) or build.recipe.judge is None:
        raise RecipeError(f"recipe {build.recipe.name} has no judge: nothing can be judged again")
    return cast("Build[PreferenceRecipe]", build)


def wish_of(
    build: Build[PreferenceRecipe], judge: str | None, task: str | None, options: Mapping[str, Any] | None, mode: str | None
) -> Judge:
    """Return what to ask: the recipe's own judge once more, or another one.

    Raises:
        RecipeError: the judge, task, mode or an option is unknown, or the recipe lacks what they need.
    """
    own = build.recipe.judges_of_pairs[0]
    changes: dict[str, Any] = {"votes": 1, "task": task or own.task, "mode": mode or own.mode}
    if judge is not None and judge != own.name:
        changes |= {"name": judge, "options": dict(options or {})}
    else:
        changes["options"] = own.options | dict(options or {})
    if (asked := changes["mode"]) not in (known := get_args(Mode)):
        raise RecipeError(f"mode {asked!r} is unknown: take {' or '.join(known)}")
    wish = Judge.model_validate(own.model_dump() | changes)
    check_judge(build.recipe, wish)
    return wish


def require(build: Build[PreferenceRecipe], wish: Judge) -> None:
    """Find out before any work whether the pairs can be judged again from here.

    Raises:
        RecipeError: there are no pairs yet.
        SetupError: the judge lacks something, such as its key.
        StorageError: the ledger is not the one that the workspace used, or unreadable.
    """
    if not build.tables.num_rows("pairs"):
        raise RecipeError(_NO_PAIRS)
    if (problem := judge_of(wish).missing()) is not None:
        raise SetupError(f"judge {wish.name!r}: {problem}")
    if not judge_of(wish).facts and (lost := lost_ledger(build)) is not None:
        raise lost


def reannotate(build: Build[PreferenceRecipe], wish: Judge, pairs: int | None = None) -> Books:
    """Ask a judge about the workspace's pairs once more and return the books. The caller holds the workspace's lock.

    A run that was cut off is carried on by the next one with the same judge; a finished one is followed by another repetition,
    whose questions are new ones although nothing but their number differs.

    Args:
        build: the build whose pairs are judged.
        wish: whom to ask, and how.
        pairs: ask about so many pairs only, the same ones each time; None = all.

    Raises:
        RecipeError: there are no pairs yet.
    """
    requests = _some(pair_requests(build), build.recipe.seed, pairs)
    if not requests.num_rows:
        raise RecipeError(_NO_PAIRS)
    vote = _turn(build, wish)
    question = Question(role=wish, requests=played(requests, orders=wish.orders, first_vote=vote))
    ask_missing(build, STAGE, TABLE, [question])
    books = count_done(build, STAGE, table=TABLE, unit="judgments").balanced()
    _note(build, wish, _Noted(next=vote + 1, open=None))
    return books


def _some(requests: pa.Table, seed: int, pairs: int | None) -> pa.Table:
    if pairs is None or pairs >= requests.num_rows:
        return requests
    ids = requests["subject_id"].to_pylist()
    order = sorted(range(len(ids)), key=lambda row: hash_fraction(seed, STAGE, ids[row]))
    return taken(requests, sorted(order[:pairs]))


def _record(wish: Judge) -> str:
    return f"reannotations/{Inquiry.of(task_of(wish), judge_of(wish)).identity}.json"


def _turn(build: Build[PreferenceRecipe], wish: Judge) -> int:
    """Return the number of the repetition to do: the one that was cut off, else the next; it is noted before it begins."""
    try:
        noted = read_state(build.workspace, _record(wish), _NOTED, advice=_NOTED_LOST)
    except FileNotFoundError:
        asked = [one.votes for one in build.recipe.judges_of_pairs if _record(one) == _record(wish)]
        noted = _Noted(next=max(asked, default=0), open=None)
    if noted.open is not None:
        return noted.open
    _note(build, wish, _Noted(next=noted.next, open=noted.next))
    return noted.next


def _note(build: Build[PreferenceRecipe], wish: Judge, noted: _Noted) -> None:
    build.workspace.write(_record(wish), _NOTED.dump_json(noted))
