"""The stage ``splits``: labelled items are assigned, and nothing leaks between splits."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import RecipeError
from contracts.ids import digest
from contracts.joins import among, attach, sorted_by
from contracts.languages import with_setting
from contracts.schemas import empty
from contracts.text_identity import LEAKAGE_FORM
from flows.listening.store import VOTED, takes_votes
from flows.run.books import Books, count
from flows.run.kind import item_of
from flows.run.pipeline import Build, Stage
from flows.run.questions import needs_history
from flows.run.wanted import made, wanted_rows
from flows.stages.pool_leakage import contents_of_pools, divided_by_corpora, shared_by_sources, with_their_splits
from flows.stages.split_facts import facts_of, short_splits, split_sizes
from splits.assign import RULE, assign
from splits.claims import Claims, claims_on, restricted, with_sources
from splits.conditions import meets
from splits.groups import leakage_groups
from splits.leakage import LeakageProof, prove
from splits.strata import Wanted, draw, short
from synth.dialogues import TURN_COLUMNS, dialogue_keys

_MOST_NAMED: Final = 10


def _splits(build: Build) -> Books:
    item, keys = item_of(build), leakage_keys(build)
    groups = leakage_groups(keys)
    table = among(item.rows(build), "item_id", build.tables.read("labels", ["item_id"])["item_id"])
    table = attach(table, "group_id", groups, "group_id", {"leakage_group": "leakage_group"})
    table = attach(table, "leakage_group", _strata(build, groups), "leakage_group", {"stratum": "stratum"})
    rows = table.select(["item_id", "group_id", "leakage_group", "stratum"])
    conditions = {split: section.where.wanted() for split, section in build.recipe.splits.named().items()}
    facts = facts_of(build, table, item.samples, {name for condition in conditions.values() for name in condition})
    _require_some(build, facts)
    strata = list[str]()
    if build.recipe.draws_pairs:
        assigned, drops = with_their_splits(build, table), empty("drops")
    else:
        eligible = {split: meets(facts, condition) for split, condition in conditions.items() if condition}
        assigned, drops, strata = _assign(build, rows, facts, eligible, _claims(build, keys, groups))
    build.tables.replace("drops@splits", sorted_by(drops, "row_id"))
    build.tables.replace(splits_table(build), sorted_by(assigned, "item_id"))
    proof(build)
    return Books(
        stage="splits",
        unit=item.plural,
        rows_in=rows.num_rows,
        rows_out=assigned.num_rows,
        dropped=count(drops["reason"]),
        notes=(*short_splits(build.recipe, count(assigned["split"])), *strata, *_shared_by_sources(build)),
    )


def with_source_files(build: Build, keys: pa.Table) -> pa.Table:
    """Return leakage keys with the files of the recordings: clips of one file are not one clip in two formats of audio."""
    return with_sources(keys, wanted_rows(build, "recordings", columns=["utterance_id", "source_sha256"]))


def has_claims(build: Build) -> bool:
    """Tell whether the build goes by what earlier parts of a collection have in their splits."""
    return build.membership is not None and bool(build.membership.earlier)


def _claims(build: Build, keys: pa.Table, groups: pa.Table) -> Claims:
    """Return what earlier parts of a collection claim of the leakage groups."""
    if not has_claims(build):
        return {}
    return claims_on(with_source_files(build, keys), groups, build.tables.read("claims"))


def _assign(
    build: Build, rows: pa.Table, facts: pa.Table, eligible: Mapping[str, pa.BooleanArray], claims: Claims
) -> tuple[pa.Table, pa.Table, list[str]]:
    """Return assigned rows, drops, and a line for each stratum that is short.

    What is claimed goes to the split that has it, before others; splits with strata are drawn before all others.
    """
    sizes, seed = split_sizes(build.recipe), build.recipe.seed
    first, claimed = tuple[str, ...](), empty("drops")
    if claims:
        free, eligible, claimed = restricted(rows, eligible, list(sizes), claims)
        rows, facts, first = rows.filter(free), facts.filter(free), tuple(claims)
    wanted = _strata_of(build, facts, eligible)
    if not wanted:
        assigned, drops = assign(rows, sizes, seed, eligible, first)
        return assigned, pa.concat_tables([drops, claimed]), []
    drawn, left_over, free = draw(rows, wanted, seed)
    left = pa.array(free)
    others = {split: size for split, size in sizes.items() if split not in wanted}
    assigned, drops = drawn, left_over
    if others:
        able = {split: mask.filter(left) for split, mask in eligible.items() if split in others}
        assigned, drops = assign(rows.filter(left), others, seed, able, first)
        assigned, drops = pa.concat_tables([drawn, assigned]), pa.concat_tables([left_over, drops])
    return assigned, pa.concat_tables([drops, claimed]), short(wanted, assigned, rows["item_id"])


def _strata_of(build: Build, facts: pa.Table, eligible: Mapping[str, pa.BooleanArray]) -> dict[str, list[Wanted]]:
    """Return the splits whose recipe names strata, with the items that each of these may have."""
    found = {}
    for split, section in build.recipe.splits.named().items():
        if section.strata is not None:
            oversample = split_sizes(build.recipe)[split]
            may = eligible[split].to_numpy(zero_copy_only=False) if split in eligible else np.True_
            found[split] = [
                Wanted(
                    name=stratum.name,
                    rows=oversample.of(stratum.quota),
                    members=meets(facts, stratum.condition()).to_numpy(zero_copy_only=False) & may,
                )
                for stratum in section.strata
            ]
    return found


def _shared_by_sources(build: Build) -> list[str]:
    found = shared_by_sources(build) if build.recipe.draws_pairs else []
    return [
        f"{one.shared} contents of {one.key} are in {one.left} and in {one.right}, as the corpora have them" for one in found
    ]


def _require_some(build: Build, facts: pa.Table) -> None:
    """Refuse a split whose condition on what corpora say no item meets: a value is misspelt, or the corpora lack it.

    What judges and listeners said of the items is a result, and may leave a split empty.

    Raises:
        RecipeError: there are items, and none of them meets it; names the values that there are.
    """
    for split, section in build.recipe.splits.named().items():
        condition = section.where.of_corpora()
        if section.allow_empty or not condition or not facts.num_rows or pc.any(meets(facts, condition)).as_py():
            continue
        found = {name: sorted(set(facts[name].drop_null().to_pylist())) for name in condition}
        there = "; ".join(f"{name} is {', '.join(values[:_MOST_NAMED]) or 'never said'}" for name, values in found.items())
        wanted = ", ".join(f"{name} {' or '.join(values)}" for name, values in condition.items())
        raise RecipeError(
            f"splits.sets.{split}.where: none of {facts.num_rows} labelled {item_of(build).plural} has {wanted}; {there}: "
            f"correct the condition, or set splits.sets.{split}.allow_empty to true"
        )


def _strata(build: Build, groups: pa.Table) -> pa.Table:
    """Return leakage_group and stratum: that of its first prompt, with or without pairs, so that a lost pair changes none."""
    columns = build.recipe.splits.stratify_by
    prompts = with_setting(build.tables.read("prompts"))
    if absent := [name for name in columns if name not in prompts.column_names]:
        raise RecipeError(f"splits.stratify_by: prompts have no column {', '.join(absent)}")
    prompts = sorted_by(prompts, "group_id", "prompt_id")
    prompts = attach(prompts, "group_id", groups, "group_id", {"leakage_group": "leakage_group"})
    strata: dict[str, str] = {}
    for name, *values in zip(*(prompts[name].to_pylist() for name in ("leakage_group", *columns)), strict=True):
        strata.setdefault(name, "/".join(values))
    return pa.table(
        {"leakage_group": pa.array(list(strata), pa.string()), "stratum": pa.array(list(strata.values()), pa.string())}
    )


def splits_table(build: Build) -> str:
    """Return the partition that holds the assignment as the recipe has it now."""
    return f"splits@{digest(split_literals(build))[:16]}"


def split_literals(build: Build) -> list[object]:
    """Return all that decides which split an item is in, beyond the items, as literals."""
    sizes = {split: [size.fraction, size.quota, size.oversample] for split, size in split_sizes(build.recipe).items()}
    drawn = ["drawn"] if build.recipe.draws_pairs else []
    return [build.recipe.seed, build.recipe.splits.model_dump(exclude_none=True), sizes, RULE, *drawn]


def proof(build: Build, assigned: Iterable[pa.Table] | None = None) -> LeakageProof:
    """Prove that no two splits share a text or a recording.

    Args:
        build: the build.
        assigned: tables of schema SPLITS; None = the assignment.

    Raises:
        LeakageError: they do.
    """
    return prove(build.tables.batches(splits_table(build)) if assigned is None else assigned, leakage_keys(build))


def leakage_groups_of(build: Build) -> pa.Table:
    """Return ``group_id, leakage_group`` of all text groups."""
    return leakage_groups(leakage_keys(build))


def leakage_keys(build: Build) -> pa.Table:
    """Return all that could leak: texts, dialogues, recordings, and their audio: one clip under two names is found too.

    A text that is spoken in place of the target's is a text of its group as well, in a row of its own.
    """
    prompts = build.tables.read("prompts", ["prompt_id", "group_id", "text", "target_utterance_id", "reference_utterance_id"])
    recordings = wanted_rows(build, "recordings", columns=["utterance_id", "audio_id"])
    for role in ("target", "reference"):
        prompts = attach(prompts, f"{role}_utterance_id", recordings, "utterance_id", {f"{role}_audio_id": "audio_id"})
    # Without histories a dialogue is no more than where a recording comes from, and would tie all its speakers together.
    keys = prompts
    if needs_history(build):
        keys = prompts.append_column("dialogue", dialogue_keys(prompts, build.tables.read("utterances", TURN_COLUMNS)))
    spoken, more = _spoken_instead(build), []
    if build.recipe.draws_pairs:
        spoken = spoken.filter(pc.invert(pc.is_in(spoken["group_id"], value_set=divided_by_corpora(build))))
        more = [contents_of_pools(build)]
    return pa.concat_tables([keys, spoken, *_borrowed(build, recordings), *more], promote_options="default")


def _borrowed(build: Build, recordings: pa.Table) -> list[pa.Table]:
    """Return ``group_id`` and the recording and audio of clips that are recordings, and of what clones were made of."""
    clips = build.tables.read("samples", ["sample_id", "group_id", "utterance_id", "audio_id", "reference_utterance_id"])
    clips = clips.filter(pc.or_(pc.is_valid(clips["utterance_id"]), pc.is_valid(clips["reference_utterance_id"])))
    if clips.num_rows:
        clips = among(clips, "sample_id", wanted_rows(build, "samples")["sample_id"])
    recorded = clips.filter(pc.is_valid(clips["utterance_id"])).select(["group_id", "utterance_id", "audio_id"])
    cloned = clips.filter(pc.is_valid(clips["reference_utterance_id"])).select(["group_id", "reference_utterance_id"])
    cloned = attach(cloned, "reference_utterance_id", recordings, "utterance_id", {"reference_audio_id": "audio_id"})
    return [recorded.rename_columns(["group_id", "target_utterance_id", "target_audio_id"]), cloned]


def _spoken_instead(build: Build) -> pa.Table:
    """Return ``group_id, text`` of the written texts that samples speak in place of their target's.

    Those of all samples, not only of labelled pairs: a pair that is lost must not take apart what its text ties together.
    """
    spoken = build.tables.read("samples", ["sample_id", "group_id", "spoken_text"])
    spoken = spoken.filter(pc.is_valid(spoken["spoken_text"]))
    if spoken.num_rows:
        spoken = among(spoken, "sample_id", wanted_rows(build, "samples")["sample_id"])
    return spoken.select(["group_id", "spoken_text"]).rename_columns({"spoken_text": "text"})


STAGE: Final[Stage] = Stage(
    name="splits",
    reads=("utterances", "prompts", *made("recordings", "samples"), "labels", "votes"),
    reads_if=lambda build: (
        *(("rulings",) if build.recipe.splits.taught is None else ()),
        *item_of(build).reads,
        *((VOTED,) if takes_votes(build) else ()),
        *(("claims",) if has_claims(build) else ()),
    ),
    writes=("splits@*", "drops@splits"),
    settings=lambda build: [
        split_literals(build),
        needs_history(build),
        LEAKAGE_FORM,
    ],
    run=_splits,
)
