"""Re-annotation: another judge, another prompt version or one more repetition over pairs that are there already.

New judgments lie beside those of the recipe (``judgments@reannotation``), and change no label: labels name the judgments that
they rest on. ``status`` and ``report`` say how far judges drift apart.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, get_args

import pyarrow as pa

from annotate.inquiry import Inquiry, played
from annotate.judging import Mode
from contracts.errors import RecipeError, SetupError
from contracts.rng import hash_fraction
from flows import recipe
from flows.books import Books
from flows.judging import pair_requests
from flows.pipeline import Build
from flows.questions import Question, answered, ask_missing, judge_of, task_of
from flows.recipe_checks import check_judge

STAGE: Final = "reannotation"
TABLE: Final = "judgments@reannotation"
_NO_PAIRS: Final = "there are no pairs to judge yet: run `unisrm-data build` first"


def wish_of(
    build: Build, judge: str | None, task: str | None, options: Mapping[str, Any] | None, mode: str | None
) -> recipe.Judge:
    """Return what to ask: the recipe's own judge once more, or another one.

    Raises:
        RecipeError: the judge, task, mode or an option is unknown, or the recipe lacks what they need.
    """
    own = build.recipe.judge
    changes: dict[str, Any] = {"votes": 1, "task": task or own.task, "mode": mode or own.mode}
    if judge is not None and judge != own.name:
        changes |= {"name": judge, "options": dict(options or {})}
    else:
        changes["options"] = own.options | dict(options or {})
    if (asked := changes["mode"]) not in (known := get_args(Mode)):
        raise RecipeError(f"mode {asked!r} is unknown: take {' or '.join(known)}")
    wish = recipe.Judge.model_validate(own.model_dump() | changes)
    check_judge(build.recipe, wish)
    return wish


def require(build: Build, wish: recipe.Judge) -> None:
    """Find out before any work whether the pairs can be judged again from here.

    Raises:
        RecipeError: there are no pairs yet.
        SetupError: the judge lacks something, such as its key.
    """
    if not build.tables.num_rows("pairs"):
        raise RecipeError(_NO_PAIRS)
    if (problem := judge_of(wish).missing()) is not None:
        raise SetupError(f"judge {wish.name!r}: {problem}")


def reannotate(build: Build, wish: recipe.Judge, pairs: int | None = None) -> Books:
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
    books = answered(build, STAGE, TABLE, [question], "judgments").balanced()
    _note(build, wish, {"next": vote + 1, "open": None})
    return books


def _some(requests: pa.Table, seed: int, pairs: int | None) -> pa.Table:
    if pairs is None or pairs >= requests.num_rows:
        return requests
    ids = requests["subject_id"].to_pylist()
    order = sorted(range(len(ids)), key=lambda row: hash_fraction(seed, STAGE, ids[row]))
    return requests.take(sorted(order[:pairs]))


def _record(wish: recipe.Judge) -> str:
    return f"reannotations/{Inquiry.of(task_of(wish), judge_of(wish)).identity}.json"


def _turn(build: Build, wish: recipe.Judge) -> int:
    """Return the number of the repetition to do: the one that was cut off, else the next; it is noted before it begins."""
    try:
        noted = json.loads(build.workspace.read(_record(wish)))
    except FileNotFoundError:
        asked = [one.votes for one in (build.recipe.judge, *build.recipe.judges) if _record(one) == _record(wish)]
        noted = {"next": max(asked, default=0), "open": None}
    if noted["open"] is None:
        noted["open"] = noted["next"]
        _note(build, wish, noted)
    return int(noted["open"])


def _note(build: Build, wish: recipe.Judge, noted: Mapping[str, int | None]) -> None:
    build.workspace.write(_record(wish), json.dumps(dict(noted)).encode())
