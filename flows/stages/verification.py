"""The stage ``verification``: it waits until people have confirmed the labels of some splits."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts import plugins
from contracts.ids import canonical_json
from contracts.joins import attach, sorted_by
from contracts.schemas import DROPS
from filters.comparisons import votes_by_pair
from flows.listening.store import RATED, VOTED, waiting_for
from flows.recipe.listening_checks import require
from flows.recipe.listening_section import VERIFIER
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage, Waiting
from flows.stages.division import divided
from flows.stages.listeners import ASKED_ABOUT, is_of, made_gold, publish, pull, settings_of_test, to_verify
from flows.stages.splits import split_literals, splits_table
from splits.assign import cut


def _verification(build: Build) -> Books | Waiting:
    waiting, gold = pull(build)
    if waiting is not None:
        return waiting
    listening = require(build.recipe)
    table = attach(to_verify(build, listening), "item_id", build.tables.read("labels"), "item_id", {"verdict": "label"})
    table = attach(table, "item_id", votes_by_pair(build.tables.read(VOTED)), "pair_id", {"votes": "votes"})
    table = sorted_by(table, "item_id").combine_chunks()
    drops = _unverified(table, gold, listening.verification)
    confirmed = table.filter(
        pc.invert(pc.is_in(table["item_id"], value_set=pa.array([drop["row_id"] for drop in drops], pa.string())))
    )
    drops += _over_quota(build, confirmed)
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
    return {split: quota for split in require(build.recipe).splits if (quota := named[split].size().quota) is not None}


def _over_quota(build: Build, confirmed: pa.Table) -> list[dict[str, str]]:
    """Return the confirmed items beyond the quotas as rows of drops; drawn pairs have a quota per corpus."""
    if not build.recipe.draws_pairs:
        return cut(confirmed, quotas_of(build), build.recipe.seed, "verification")
    prompts, named = build.tables.read("prompts", ["group_id", "corpus", "drawn_for"]), build.recipe.splits.named()
    confirmed = attach(confirmed, "group_id", prompts, "group_id", {"corpus": "corpus"})
    drops = list[dict[str, str]]()
    for split in require(build.recipe).splits:
        drawn_of = set(prompts.filter(pc.equal(prompts["drawn_for"], split))["corpus"].to_pylist())
        for corpus, quota in sorted(named[split].quota_of(drawn_of).items()):
            own = confirmed.filter(pc.equal(confirmed["corpus"], corpus))
            drops += cut(own, {split: quota}, build.recipe.seed, "verification")
    return drops


def _unverified(table: pa.Table, gold: Mapping[str, Sequence[str]], options: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row of drops for each pair whose label people do not confirm; a gold pair is a test, and was not voted on."""
    verifier = plugins.configure("filter", VERIFIER, options)
    view = table.select(list(dict.fromkeys(("item_id", *verifier.columns))))
    reasons = verifier.reasons(view)
    evidence = verifier.evidence(view, reasons)
    drops = []
    for item, reason, why in zip(view["item_id"].to_pylist(), reasons.to_pylist(), evidence.to_pylist(), strict=True):
        if item in gold:
            drops.append(_drop(item, "listening", "gold", canonical_json({"values": list(gold[item])})))
        elif reason is not None:
            drops.append(_drop(item, VERIFIER, reason, why))
    return drops


def _drop(item: str, rule: str, reason: str, evidence: str) -> dict[str, str]:
    return {"stage": "verification", "row_id": item, "filter": rule, "reason": reason, "evidence": evidence}


def confirmed_splits(build: Build) -> pa.Table:
    """Return the assignment of the pairs that are released: all, or without those that verification dropped."""
    assigned = build.tables.read(splits_table(build))
    if not STAGE.active(build):
        return assigned
    dropped = build.tables.read("drops@verification", ["row_id"])["row_id"].combine_chunks()
    return assigned.filter(pc.invert(pc.is_in(assigned["item_id"], value_set=dropped)))


def released_splits(build: Build) -> pa.Table:
    """Return the same by the splits that are released: the parts of one that a teacher divides in its place."""
    return divided(build, confirmed_splits(build))


STAGE: Final[Stage] = Stage(
    name="verification",
    reads=(*ASKED_ABOUT, "labels", "splits@*"),
    writes=(VOTED, RATED, "drops@verification"),
    settings=lambda build: [settings_of_test(build), split_literals(build)],
    run=_verification,
    active=is_of("splits"),
    reads_if=made_gold,
    prepare=publish,
    waits=waiting_for,
)
