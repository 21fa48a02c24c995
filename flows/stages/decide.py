"""The stages that decide: filters, splits."""

import pyarrow as pa
import pyarrow.compute as pc

from contracts import plugins
from contracts.errors import RecipeError
from contracts.ids import digest
from contracts.joins import among, attach, sorted_by
from contracts.texts import LEAKAGE_FORM
from filters import chain, comparisons
from flows.listening.store import VOTED, all_votes, takes_votes
from flows.recipe.parts import Plugin
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.questions import needs_history
from flows.run.wanted import made
from flows.stages.candidates import candidate_literals, current_facts, current_samples
from flows.stages.gather import current_recordings
from flows.stages.judging import judged
from flows.stages.split_facts import facts_of, split_sizes
from splits.assign import RULE, assign
from splits.conditions import meets
from splits.groups import leakage_groups
from splits.leakage import LeakageProof, prove
from synth.dialogues import dialogue_keys


def _filters(build: Build) -> Books:
    compared = comparisons.join(
        pairs=build.tables.read("pairs"),
        samples=current_samples(build),
        rulings=build.tables.read("rulings"),
        facts=current_facts(build),
        prompts=build.tables.read("prompts"),
        votes=all_votes(build),
        by_votes=by_votes(build),
    )
    rules = [(rule.name, plugins.configure("filter", rule.name, rule.options)) for rule in filters_of(build)]
    kept, drops = chain.apply(compared, rules)
    labels = _labels(build, kept, voted=by_votes(build))
    build.tables.replace("drops@filters", sorted_by(drops, "row_id"))
    build.tables.replace("labels", sorted_by(labels, "pair_id"))
    return Books(
        stage="filters", unit="pairs", rows_in=compared.num_rows, rows_out=labels.num_rows, dropped=count(drops["reason"])
    )


def filters_of(build: Build) -> list[Plugin]:
    """Return the filters that look at every pair: the recipe's, after those without which a judge's labels make no sense."""
    rules = build.recipe.filters
    if by_votes(build):  # whether the judge found a winner, and the same one in both orders, says nothing of people's labels
        return rules
    needed = ["tied_totals"] if build.recipe.judge.orders == "stored" else ["order_agreement", "tied_totals"]
    return [*(Plugin(name=name) for name in needed if name not in {rule.name for rule in rules}), *rules]


def by_votes(build: Build) -> bool:
    """Say whether people's votes make the labels, not the judge."""
    return any(rule.name == "cmos_to_preference" for rule in build.recipe.filters)


def _labels(build: Build, kept: pa.Table, *, voted: bool) -> pa.Table:
    """Label every kept pair: by its votes where the recipe converts votes to preferences, by its judgment elsewhere."""
    cast = sorted_by(all_votes(build).select(["vote_id", "pair_id", "discarded"]), "vote_id").to_pylist() if voted else []
    votes_of: dict[str, list[str]] = {}
    for vote in (vote for vote in cast if vote["discarded"] is None):
        votes_of.setdefault(vote["pair_id"], []).append(vote["vote_id"])
    lists = pa.list_(pa.string())
    pairs_kept = kept["pair_id"].to_pylist()
    return pa.table(
        {
            "pair_id": kept["pair_id"],
            "label": kept["verdict"],
            "source": pa.repeat("votes" if voted else "judgment", kept.num_rows),
            "judgment_ids": pa.array([[]] * kept.num_rows, lists) if voted else kept["judgment_ids"],
            "vote_ids": pa.array([votes_of.get(pair, []) for pair in pairs_kept], lists),
        }
    )


def _splits(build: Build) -> Books:
    homes = leakage_groups(_leakage_keys(build))
    labelled = build.tables.read("labels", ["pair_id"])["pair_id"]
    table = sorted_by(among(build.tables.read("pairs"), "pair_id", labelled), "pair_id")
    table = attach(table, "group_id", homes, "group_id", {"leakage_group": "leakage_group"})
    table = attach(table, "leakage_group", _strata(build, homes), "leakage_group", {"stratum": "stratum"})
    rows = table.select(["pair_id", "group_id", "leakage_group", "stratum"])
    conditions = {split: wish.where.wanted() for split, wish in build.recipe.splits.named().items()}
    facts = facts_of(build, table, {name for condition in conditions.values() for name in condition})
    eligible = {split: meets(facts, condition) for split, condition in conditions.items() if condition}
    assigned, drops = assign(rows, split_sizes(build.recipe), build.recipe.seed, eligible)
    build.tables.replace("drops@splits", sorted_by(drops, "row_id"))
    build.tables.replace(splits_table(build), sorted_by(assigned, "pair_id"))
    proof(build)
    return Books(
        stage="splits", unit="pairs", rows_in=rows.num_rows, rows_out=assigned.num_rows, dropped=count(drops["reason"])
    )


def _strata(build: Build, homes: pa.Table) -> pa.Table:
    """Return leakage_group and stratum: that of its first prompt, with or without pairs, so that a lost pair changes none."""
    wish = build.recipe.splits.stratify_by
    prompts = build.tables.read("prompts")
    if absent := [name for name in wish if name not in prompts.column_names]:
        raise RecipeError(f"splits.stratify_by: prompts have no column {', '.join(absent)}")
    prompts = sorted_by(prompts, "group_id", "prompt_id")
    prompts = attach(prompts, "group_id", homes, "group_id", {"leakage_group": "leakage_group"})
    strata: dict[str, str] = {}
    for name, *values in zip(*(prompts[name].to_pylist() for name in ("leakage_group", *wish)), strict=True):
        strata.setdefault(name, "/".join(values))
    return pa.table(
        {"leakage_group": pa.array(list(strata), pa.string()), "stratum": pa.array(list(strata.values()), pa.string())}
    )


def splits_table(build: Build) -> str:
    """Return the partition that holds the assignment under the recipe's present wish."""
    return f"splits@{digest(_split_literals(build))[:16]}"


def _split_literals(build: Build) -> list[object]:
    sizes = {split: [size.fraction, size.quota, size.oversample] for split, size in split_sizes(build.recipe).items()}
    return [build.recipe.seed, build.recipe.splits.model_dump(exclude_none=True), sizes, RULE]


def proof(build: Build) -> LeakageProof:
    """Prove that no two splits share a text or a recording.

    Raises:
        LeakageError: they do.
    """
    return prove(build.tables.read(splits_table(build)), _leakage_keys(build))


def _leakage_keys(build: Build) -> pa.Table:
    """Return all that could leak: texts, dialogues, recordings, and their audio: one clip under two names is found too.

    A text that is spoken in place of the target's is a text of its group as well, in a row of its own.
    """
    prompts, recordings, utterances = (build.tables.read("prompts"), current_recordings(build), build.tables.read("utterances"))
    for role in ("target", "reference"):
        prompts = attach(prompts, f"{role}_utterance_id", recordings, "utterance_id", {f"{role}_audio_id": "audio_id"})
    # Without histories a dialogue is no more than where a recording comes from, and would tie all its speakers together.
    keys = prompts.append_column("dialogue", dialogue_keys(prompts, utterances)) if needs_history(build) else prompts
    return pa.concat_tables([keys, _said_instead(build)], promote_options="default")


def _said_instead(build: Build) -> pa.Table:
    """Return ``group_id, text`` of the written texts that samples speak in place of their target's.

    Those of all samples, not only of labelled pairs: a pair that is lost must not take apart what its text ties together.
    """
    said = build.tables.read("samples", ["sample_id", "group_id", "spoken_text"])
    said = said.filter(pc.is_valid(said["spoken_text"]))
    if said.num_rows:
        said = among(said, "sample_id", current_samples(build)["sample_id"])
    return said.select(["group_id", "spoken_text"]).rename_columns({"spoken_text": "text"})


DECIDING: tuple[Stage, ...] = (
    Stage(
        name="filters",
        reads=("prompts", *made("samples", "metrics"), "pairs", "rulings", "votes"),
        reads_if=lambda build: (VOTED,) if takes_votes(build) else (),
        writes=("labels", "drops@filters"),
        settings=lambda build: [
            judged(build, others=False),
            [by_votes(build), [rule.model_dump() for rule in filters_of(build)]],
        ],
        run=_filters,
    ),
    Stage(
        name="splits",
        reads=("utterances", "prompts", *made("recordings", "samples"), "pairs", "labels", "rulings", "votes"),
        reads_if=lambda build: (VOTED,) if takes_votes(build) else (),
        writes=("splits@*", "drops@splits"),
        settings=lambda build: [
            _split_literals(build),
            needs_history(build),
            candidate_literals(build),
            LEAKAGE_FORM,
        ],
        run=_splits,
    ),
)
