"""What a listening test asks, and whom it trusts: between the tables and the store."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.item import Answer, Item
from annotate.people.store.rule import ListenerRule
from annotate.people.store.trust import assess
from contracts import plugins
from contracts.errors import DataError
from contracts.joins import among, sorted_by
from contracts.rng import hash_fraction
from flows.listening import store
from flows.listening.critique_evidence import kept_critiques, votes_of_critiques
from flows.listening.gold_items import follow_gold, gold_in, read_gold
from flows.listening.items import critique_items, made_gold_items, pair_items, sample_items
from flows.listening.pay import affordable
from flows.listening.store import RATED, VOTED, known_store, note_answers, open_store, waiting_for
from flows.recipe.listening_checks import require, terms_of
from flows.recipe.listening_section import Listening, literals
from flows.run.pipeline import Build, Waiting
from flows.run.wanted import made, wanted_rows
from flows.stages.gold_clips import made_gold_of
from flows.stages.splits import splits_table

_OF_CRITIQUE: Final = ("judgment_id", "pair_id", "completion")


def gold_of(build: Build) -> dict[str, tuple[str, ...]]:
    """Return pair, sample or critique -> right values, as the recipe's gold file has them; an admin can make more.

    Raises:
        RecipeError: the file cannot be read.
        DataError: a row is wrong, or names what this build does not have.
    """
    listening = require(build.recipe)
    if not isinstance(listening.gold, str):
        return {}
    key = listening.key
    gold = read_gold(listening.gold, key, terms_of(build.recipe).protocol)
    known = set(subjects(build))
    if unknown := [subject for subject in gold if subject not in known]:
        raise DataError(f"{listening.gold}: this build has no {key} {unknown[0]}")
    return gold


def wanted_of(build: Build) -> pa.Table:
    """Return the rows that votes or ratings are wanted of, gold ones included: pairs, samples or critiques, sorted by id."""
    listening = require(build.recipe)
    if listening.rated():
        return wanted_rows(build, "samples")
    if listening.of == "critiques":
        return to_review(build, listening)
    pairs = build.tables.read("pairs")
    if listening.of == "splits":
        pairs = among(pairs, "pair_id", to_verify(build, listening)["item_id"])
    elif listening.of == "check":
        pairs = among(pairs, "pair_id", to_check(build, listening))
    return sorted_by(pairs, "pair_id")


def to_verify(build: Build, listening: Listening) -> pa.Table:
    """Return the assigned items of the splits that people verify."""
    assigned = build.tables.read(splits_table(build))
    return assigned.filter(pc.is_in(assigned["split"], value_set=pa.array(listening.splits, pa.string())))


def to_check(build: Build, listening: Listening) -> pa.Array:
    """Return the assigned items whose labels people are asked about: so many, by hash."""
    items = build.tables.read(splits_table(build), ["item_id"])["item_id"].to_pylist()
    return _drawn(build, listening, items, "label check")


def to_review(build: Build, listening: Listening) -> pa.Table:
    """Return the kept critiques that people are asked about, sorted by id: so many, by hash."""
    kept = kept_critiques(build, _OF_CRITIQUE)
    asked = _drawn(build, listening, kept["judgment_id"].to_pylist(), "critique check")
    return sorted_by(among(kept, "judgment_id", asked), "judgment_id")


def _drawn(build: Build, listening: Listening, ids: list[str], what: str) -> pa.Array:
    drawn = sorted(ids, key=lambda one: (hash_fraction(build.recipe.seed, what, one), one))
    return pa.array(drawn[: listening.check_pairs], pa.string())


def items_of(build: Build) -> list[Item]:
    """Return all items of the listening test: what is asked, and the gold."""
    listening, gold = require(build.recipe), gold_of(build)
    if listening.rated():
        return sample_items(build, wanted_of(build), gold)
    asked = pa.array([*wanted_of(build)[listening.key].to_pylist(), *gold], pa.string())
    if listening.of == "critiques":
        return critique_items(build, among(wanted_rows(build, "judgments", columns=_OF_CRITIQUE), "judgment_id", asked), gold)
    items = pair_items(build, among(build.tables.read("pairs"), "pair_id", asked), gold)
    return items if made_gold_of(build) is None else items + made_gold_items(build, build.tables.read("gold"))


def subjects(build: Build) -> list[str]:
    """Return the ids of all pairs, samples or critiques that votes can be about."""
    key = require(build.recipe).key
    stage = {"sample_id": "samples", "judgment_id": "judgments"}.get(key)
    rows = build.tables.read("pairs", [key]) if stage is None else wanted_rows(build, stage, columns=[key])
    known: list[str] = rows[key].to_pylist()
    return known


def open_items(build: Build) -> tuple[list[Item], int]:
    """Return the items of the store that still want votes, neither gold nor complete, as far as the budget pays for them.

    Returns:
        Those items, and the number of those that it does not pay for.
    """
    known = known_store(build)
    if known is None:
        return [], 0
    listening = require(build.recipe)
    with known as store:
        protocol, items = store.settings.protocol, store.items()
        answers = store.ratings() if listening.rated() else store.votes()
        paid = store.progress().answers
    labelled = set() if listening.rated() else set(answers.filter(pc.equal(answers["aggregated"], True))["pair_id"].to_pylist())
    given: dict[str, list[Answer]] = {}
    for row in answers.filter(pc.is_null(answers["discarded"])).to_pylist():
        answer = Answer(scores=dict(row["scores"])) if listening.rated() else Answer(value=row["value"])
        given.setdefault(row["sample_id" if listening.rated() else "pair_id"], []).append(answer)
    asked_of = [item for item in items if not item.gold and item.subject_id not in labelled]
    missing = [protocol.votes_needed(given.get(item.subject_id, [])) - len(given.get(item.subject_id, [])) for item in asked_of]
    still = [(item, number) for item, number in zip(asked_of, missing, strict=True) if number > 0]
    items = affordable(listening, still, paid)
    return items, len(still) - len(items)


def publish(build: Build) -> None:
    """Put the items and their gold into the store, take back what is no longer wanted, and apply the rules about listeners."""
    items = items_of(build)
    wanted = {item.item_id for item in items}
    with open_store(build) as store:
        store.add_items(items)
        store.withdraw(sorted({item.item_id for item in store.items()} - wanted))
        follow_gold(build.workspace, store, items)
    trust(build)


def rules_of(build: Build) -> dict[str, ListenerRule]:
    """Return the recipe's rules about listeners, by name."""
    return {rule.name: plugins.configure("listener_rule", rule.name, rule.options) for rule in require(build.recipe).rules}


def trust(build: Build) -> None:
    """Exclude listeners who break a rule of the recipe; their items are open again. Whom an admin pardoned stays."""
    rules = rules_of(build)
    if not rules:
        return
    with open_store(build) as store:
        annotators = store.annotators()
        pardoned = {one.annotator_id for one in annotators if one.pardoned}
        gone = {one.annotator_id for one in annotators if one.state == "excluded"}
        for found in assess(store.answers(), rules, pardoned=pardoned):
            if found.rule is not None and found.annotator_id not in gone:
                store.exclude(found.annotator_id, found.rule, json.loads(found.evidence))


def pull(build: Build) -> tuple[Waiting | None, Mapping[str, Sequence[str]]]:
    """Bring the votes and ratings of the store into the tables, discarded ones included and marked.

    Returns:
        What is still wanted, None = nothing; and the gold: subject -> right values.
    """
    waiting = waiting_for(build)
    with open_store(build) as store:
        note_answers(build, store)
        votes, ratings, gold = store.votes(), store.ratings(), gold_in(store)
    if require(build.recipe).of == "critiques":
        votes = votes_of_critiques(build, votes)
    build.tables.replace(VOTED, sorted_by(votes, "vote_id"))
    build.tables.replace(RATED, sorted_by(ratings, "rating_id"))
    # Asked before, as votes go on coming in, and after, as somebody may have been excluded meanwhile.
    return waiting or waiting_for(build), gold


def unused_votes(build: Build) -> str | None:
    """Return a line about votes on pairs, or ratings of clips, that are not asked about any more; None = there are none."""
    known = known_store(build)
    if known is None:
        return None
    listening = require(build.recipe)
    key, unit = ("sample_id", "ratings") if listening.rated() else ("pair_id", "votes")
    subject = listening.subjects
    with known as store:
        given, asked = store.ratings() if listening.rated() else store.votes(), {item.subject_id for item in store.items()}
    of_others = pc.invert(pc.is_in(given[key], value_set=pa.array(sorted(asked), pa.string())))
    unused = given.filter(pc.and_(pc.is_null(given["discarded"]), of_others))[key]
    if not len(unused):
        return None
    where = f"in {' or '.join(listening.splits)}" if listening.of == "splits" else "in the data set"
    return (
        f"{len(unused)} {unit} on {len(pc.unique(unused))} {subject} are not used: these are no longer {where}, as after a "
        f"change of the recipe, the data or the rule of the splits; they count again where the {subject} are back"
    )


def is_of(*subjects: str) -> Any:
    """Return the condition that the listening test is about one of these: pairs, samples, splits, check or critiques."""
    return lambda build: build.recipe.listening is not None and build.recipe.listening.of in subjects


def settings_of_test(build: Build) -> object:
    """Return all that decides which votes there are, as literals."""
    listening = build.recipe.listening
    gold = gold_of(build) if listening is not None else {}
    known_answers = {subject: list(values) for subject, values in gold.items()}
    without = ["goes on without votes that are lacking"] if store.goes_on_without_votes(build) else []
    return [literals(listening), known_answers, store.version(build), *without]


def made_gold(build: Build) -> tuple[str, ...]:
    """Return the table of the gold items that the build makes, if it makes any."""
    return ("gold",) if made_gold_of(build) is not None else ()


ASKED_ABOUT: Final = ("utterances", "prompts", *made("writings", "recordings", "samples"), "pairs")
