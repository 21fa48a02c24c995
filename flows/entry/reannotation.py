"""Re-annotation: another judge, another prompt version or one more repetition over existing pairs.

The new judgments are kept apart from those of the recipe (``judgments@reannotation``) and change no label: labels name the
judgments that they rest on. ``status`` and ``report`` show the drift between judges.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args

import pyarrow as pa
from pydantic import Field, TypeAdapter

from annotate.models.inquiry import Inquiry, played
from annotate.models.judging import Mode
from contracts.errors import RecipeError, SetupError
from contracts.joins import among, taken
from contracts.rng import hash_fraction
from flows.recipe.critiqued_recipe import CritiquedRecipe
from flows.recipe.critiques_checks import check_critic
from flows.recipe.preference_checks import check_judge
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.recipe.sections import JudgeSection
from flows.run.books import Books
from flows.run.pipeline import Build
from flows.run.question import RoleQuestion, judge_of, task_of
from flows.run.questions import ask_missing, lost_ledger
from flows.run.work import count_done
from flows.stages.judgments import all_pairs, pair_requests
from storage.state import read_state

STAGE: Final = "reannotation"
TABLE: Final = "judgments@reannotation"
_NO_PAIRS: Final = "there are no pairs to judge yet: run `unisrm-data build` first"


@dataclass(frozen=True, kw_only=True)
class _Repetitions:
    """Number of the next repetition of a judge, and of the one that is open."""

    next: Annotated[int, Field(ge=0)]
    open: Annotated[int, Field(ge=0)] | None


_REPETITIONS: Final = TypeAdapter(_Repetitions)
_REPETITIONS_LOST: Final = (
    "restore it from a backup, or remove it: repetitions are then counted from the recipe's own votes again, and those that "
    "were asked before come from the ledger"
)


def judged_build(build: Build) -> Build:
    """Return the same build if somebody judges its pairs.

    Raises:
        RecipeError: nobody does.
    """
    if not build.recipe.judges_of_pairs:
        raise RecipeError(f"recipe {build.recipe.name} has no judge of pairs: nothing can be judged again")
    return build


def requested_judge(
    build: Build, judge: str | None, task: str | None, options: Mapping[str, Any] | None, mode: str | None
) -> JudgeSection:
    """Return the judge to ask: the recipe's own once more, or another one.

    Raises:
        RecipeError: the judge, task, mode or an option is unknown, or the recipe lacks what they need.
    """
    own = build.recipe.judges_of_pairs[0]
    changes: dict[str, Any] = {"votes": 1, "task": task or own.task, "mode": mode or own.mode}
    if judge is not None and judge != own.name:
        changes |= {"name": judge, "options": dict(options or {})}
    else:
        changes["options"] = own.options | dict(options or {})
    if (requested := changes["mode"]) not in (known := get_args(Mode)):
        raise RecipeError(f"mode {requested!r} is unknown: take {' or '.join(known)}")
    role = JudgeSection.model_validate(own.model_dump() | changes)
    match build.recipe:
        case PreferenceRecipe():
            check_judge(build.recipe, role)
        case CritiquedRecipe():
            check_critic(build.recipe, role, "pairs")
    return role


def require(build: Build, role: JudgeSection) -> None:
    """Check before any work that the pairs can be judged again from here.

    Raises:
        RecipeError: there are no pairs yet.
        SetupError: something that the judge needs is missing, such as its key.
        StorageError: the ledger is not the one that the workspace used, or unreadable.
    """
    if not build.tables.num_rows("pairs"):
        raise RecipeError(_NO_PAIRS)
    if (problem := judge_of(role).missing()) is not None:
        raise SetupError(f"judge {role.name!r}: {problem}")
    if not judge_of(role).facts and (lost := lost_ledger(build)) is not None:
        raise lost


def reannotate(build: Build, role: JudgeSection, pairs: int | None = None) -> Books:
    """Ask a judge about the workspace's pairs once more and return the books. The caller holds the workspace's lock.

    The next run with the same judge continues one that was cut off; after a finished one it does another repetition, whose
    requests differ only by its number.

    Args:
        build: the build whose pairs are judged.
        role: the judge, and how to ask it.
        pairs: how many pairs to ask about, the same ones each time; None = all.

    Raises:
        RecipeError: there are no pairs yet.
    """
    requests = _some(pair_requests(build, _judged(build)), build.recipe.seed, pairs)
    if not requests.num_rows:
        raise RecipeError(_NO_PAIRS)
    vote = _repetition(build, role)
    question = RoleQuestion(role=role, requests=played(requests, orders=role.orders, first_vote=vote))
    ask_missing(build, STAGE, TABLE, [question])
    books = count_done(build, STAGE, table=TABLE, unit="judgments").balanced()
    _write_repetitions(build, role, _Repetitions(next=vote + 1, open=None))
    return books


def _judged(build: Build) -> pa.Table:
    """Return the pairs that can be judged again: all, or those whose critiques the recipe wants."""
    if not build.recipe.has_critiques:
        return all_pairs(build)
    return among(all_pairs(build), "pair_id", build.tables.read("wanted@judgments", ["subject_id"])["subject_id"])


def _some(requests: pa.Table, seed: int, pairs: int | None) -> pa.Table:
    if pairs is None or pairs >= requests.num_rows:
        return requests
    ids = requests["subject_id"].to_pylist()
    order = sorted(range(len(ids)), key=lambda row: hash_fraction(seed, STAGE, ids[row]))
    return taken(requests, sorted(order[:pairs]))


def _record(role: JudgeSection) -> str:
    return f"reannotations/{Inquiry.of(task_of(role), judge_of(role)).identity}.json"


def _repetition(build: Build, role: JudgeSection) -> int:
    """Return the number of the repetition to do, after recording it as open: the one that was cut off, else the next."""
    try:
        repetitions = read_state(build.workspace, _record(role), _REPETITIONS, advice=_REPETITIONS_LOST)
    except FileNotFoundError:
        requested = [one.votes for one in build.recipe.judges_of_pairs if _record(one) == _record(role)]
        repetitions = _Repetitions(next=max(requested, default=0), open=None)
    if repetitions.open is not None:
        return repetitions.open
    _write_repetitions(build, role, _Repetitions(next=repetitions.next, open=repetitions.next))
    return repetitions.next


def _write_repetitions(build: Build, role: JudgeSection, repetitions: _Repetitions) -> None:
    build.workspace.write(_record(role), _REPETITIONS.dump_json(repetitions))
