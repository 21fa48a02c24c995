"""The stages that wait for people: votes on all pairs (or ratings of samples), and the verification of some splits."""

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
from contracts.ids import canonical_json
from contracts.joins import among, attach, sorted_by
from contracts.schemas import DROPS
from filters.comparisons import votes_by_pair
from flows.listening import store
from flows.listening.gold_items import follow_gold, gold_in, read_gold
from flows.listening.items import pair_items, sample_items
from flows.listening.store import RATED, VOTED, known_store, note_answers, open_store, waiting_for
from flows.recipe.listening_section import VERIFIER, Listening, literals, require, terms_of
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage, Waiting
from flows.run.wanted import made
from flows.stages.candidates import candidate_literals, current_samples
from flows.stages.decide import splits_table
from splits.assign import cut


def gold_of(build: Build) -> dict[str, tuple[str, ...]]:
    """Return pair or sample -> right values, as the recipe's gold file has them; more gold can be made on the admin's page.

    Raises:
        RecipeError: the file cannot be read.
        DataError: a row is wrong, or names what this build does not have.
    """
    wish = require(build.recipe)
    key = "sample_id" if wish.rated() else "pair_id"
    gold = read_gold(wish.gold, key, terms_of(build.recipe).protocol)
    known = set((current_samples(build) if wish.rated() else build.tables.read("pairs", ["pair_id"]))[key].to_pylist())
    if strange := [subject for subject in gold if subject not in known]:
        raise DataError(f"{wish.gold}: this build has no {key} {strange[0]}")
    return gold


def asked(build: Build) -> pa.Table:
    """Return the rows that votes or ratings are wanted of, gold ones included: pairs or samples, sorted by id."""
    wish = require(build.recipe)
    if wish.rated():
        return current_samples(build)
    pairs = build.tables.read("pairs")
    if wish.of == "splits":
        pairs = among(pairs, "pair_id", _to_verify(build, wish)["pair_id"])
    return sorted_by(pairs, "pair_id")


def _to_verify(build: Build, wish: Listening) -> pa.Table:
    assigned = build.tables.read(splits_table(build))
    return assigned.filter(pc.is_in(assigned["split"], value_set=pa.array(wish.splits, pa.string())))


def items_of(build: Build) -> list[Item]:
    """Return all items of the listening test: what is asked, and the gold."""
    wish, gold = require(build.recipe), gold_of(build)
    if wish.rated():
        return sample_items(build, asked(build), gold)
    subjects = pa.array([*asked(build)["pair_id"].to_pylist(), *gold], pa.string())
    return pair_items(build, among(build.tables.read("pairs"), "pair_id", subjects), gold)


def subjects(build: Build) -> list[str]:
    """Return the ids of all pairs or samples that votes can be about."""
    if require(build.recipe).rated():
        rated: list[str] = current_samples(build)["sample_id"].to_pylist()
        return rated
    known: list[str] = build.tables.read("pairs", ["pair_id"])["pair_id"].to_pylist()
    return known


def open_items(build: Build) -> list[Item]:
    """Return the items of the store that still want votes: neither gold nor complete."""
    known = known_store(build)
    if known is None:
        return []
    wish = require(build.recipe)
    with known as store:
        protocol, items = store.terms.protocol, store.items()
        cast = store.ratings() if wish.rated() else store.votes()
    labelled = set() if wish.rated() else set(cast.filter(pc.equal(cast["aggregated"], True))["pair_id"].to_pylist())
    said: dict[str, list[Answer]] = {}
    for row in cast.filter(pc.is_null(cast["discarded"])).to_pylist():
        answer = Answer(scores=dict(row["scores"])) if wish.rated() else Answer(value=row["value"])
        said.setdefault(row["sample_id" if wish.rated() else "pair_id"], []).append(answer)
    asked_of = [item for item in items if not item.gold and item.subject_id not in labelled]
    return [item for item in asked_of if len(given := said.get(item.subject_id, [])) < protocol.wanted(given)]


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


def _pull(build: Build) -> tuple[Waiting | None, Mapping[str, Sequence[str]]]:
    """Bring the votes and ratings of the store into the tables, discarded ones included and marked.

    Returns:
        What is still wanted, None = nothing; and the gold: subject -> right values.
    """
    waiting = waiting_for(build)
    with open_store(build) as store:
        note_answers(build, store)
        votes, ratings, gold = store.votes(), store.ratings(), gold_in(store)
    build.tables.replace(VOTED, sorted_by(votes, "vote_id"))
    build.tables.replace(RATED, sorted_by(ratings, "rating_id"))
    # Asked before, as votes go on coming in, and after, as somebody may have been excluded meanwhile.
    return waiting or waiting_for(build), gold


def _votes(build: Build) -> Books | Waiting:
    waiting, gold = _pull(build)
    if waiting is not None:
        return waiting
    wish = require(build.recipe)
    key = "sample_id" if wish.rated() else "pair_id"
    questions = [subject for subject in asked(build)[key].to_pylist() if subject not in gold]
    unit = "samples to rate" if wish.rated() else "pairs to vote on"
    return Books(stage="votes", unit=unit, rows_in=len(questions), rows_out=len(questions))


def _verification(build: Build) -> Books | Waiting:
    waiting, gold = _pull(build)
    if waiting is not None:
        return waiting
    wish = require(build.recipe)
    table = attach(_to_verify(build, wish), "pair_id", build.tables.read("labels"), "pair_id", {"verdict": "label"})
    table = attach(table, "pair_id", votes_by_pair(build.tables.read(VOTED)), "pair_id", {"votes": "votes"})
    table = sorted_by(table, "pair_id").combine_chunks()
    drops = _unverified(table, gold, wish.verification)
    confirmed = table.filter(
        pc.invert(pc.is_in(table["pair_id"], value_set=pa.array([drop["row_id"] for drop in drops], pa.string())))
    )
    drops += cut(confirmed, quotas_of(build), build.recipe.seed, "verification")
    build.tables.replace("drops@verification", sorted_by(pa.Table.from_pylist(drops, schema=DROPS), "row_id"))
    assigned = build.tables.num_rows(splits_table(build))
    return Books(
        stage="verification",
        unit="pairs",
        rows_in=assigned,
        rows_out=assigned - len(drops),
        dropped=count(pa.array([drop["reason"] for drop in drops], pa.string())),
    )


def quotas_of(build: Build) -> dict[str, int]:
    """Return verified split -> how many confirmed pairs are released at most; splits without a quota are left out."""
    named = build.recipe.splits.named()
    return {split: quota for split in require(build.recipe).splits if (quota := named[split].quota) is not None}


def _unverified(table: pa.Table, gold: Mapping[str, Sequence[str]], options: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row of drops for each pair whose label people do not confirm; a gold pair is a test, and was not voted on."""
    verifier = plugins.configure("filter", VERIFIER, options)
    view = table.select(list(dict.fromkeys(("pair_id", *verifier.columns))))
    reasons = verifier.reasons(view)
    evidence = verifier.evidence(view, reasons)
    drops = []
    for pair, reason, why in zip(view["pair_id"].to_pylist(), reasons.to_pylist(), evidence.to_pylist(), strict=True):
        if pair in gold:
            drops.append(_drop(pair, "listening", "gold", canonical_json({"values": list(gold[pair])})))
        elif reason is not None:
            drops.append(_drop(pair, VERIFIER, reason, why))
    return drops


def _drop(pair: str, rule: str, reason: str, evidence: str) -> dict[str, str]:
    return {"stage": "verification", "row_id": pair, "filter": rule, "reason": reason, "evidence": evidence}


def released_splits(build: Build) -> pa.Table:
    """Return the assignment of the pairs that are released: all, or without those that verification dropped."""
    assigned = build.tables.read(splits_table(build))
    if not VERIFICATION.active(build):
        return assigned
    dropped = build.tables.read("drops@verification", ["row_id"])["row_id"].combine_chunks()
    return assigned.filter(pc.invert(pc.is_in(assigned["pair_id"], value_set=dropped)))


def _is_of(*subjects: str) -> Any:
    return lambda build: build.recipe.listening is not None and build.recipe.listening.of in subjects


def _settings(build: Build) -> object:
    wish = build.recipe.listening
    gold = gold_of(build) if wish is not None else {}
    told = {subject: list(values) for subject, values in gold.items()}
    without = ["goes on without votes that are lacking"] if store.goes_without(build) else []
    return [literals(wish), told, store.version(build), candidate_literals(build), *without]


_ASKED_ABOUT: Final = ("utterances", "prompts", *made("writings", "recordings", "samples"), "pairs")

VOTES: Final = Stage(
    name="votes",
    reads=_ASKED_ABOUT,
    writes=(VOTED, RATED),
    settings=_settings,
    run=_votes,
    active=_is_of("pairs", "samples"),
    prepare=publish,
    waits=waiting_for,
)

VERIFICATION: Final = Stage(
    name="verification",
    reads=(*_ASKED_ABOUT, "labels", "splits@*"),
    writes=(VOTED, RATED, "drops@verification"),
    settings=_settings,
    run=_verification,
    active=_is_of("splits"),
    prepare=publish,
    waits=waiting_for,
)
