"""What a data set of preferences releases: compared clips, with all that they came from."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import among, attach
from flows.listening.evidence import counted_votes, votes_by_value
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.pipeline import Build
from flows.run.question import judge_of, task_of
from flows.run.questions import history_of, roles_about, scripting_roles, with_writings
from flows.run.wanted import made, wanted_rows
from flows.stages import splits, subsets
from flows.stages.division import taught_items
from flows.stages.filters import filters_of
from flows.stages.release import pairs_were_voted_on
from flows.stages.release_form import Configuration, Form
from flows.views.votes_analysis import card_tables
from splits.leakage import LeakageProof
from storage.card_facts import Statistics, Writer
from storage.columns import ReleaseSchema, release_schema
from storage.rows import OF_JUDGMENT, PairRows, Rows, first_judgments
from storage.voted_columns import taught, undecided
from storage.voted_rows import TaughtRows
from synth.pairing import HUMAN


def _rows(build: Build[PreferenceRecipe]) -> Rows:
    """Return what joins the rows of the release."""
    return _joined(build, build.tables.read("labels"), [rule.name for rule in filters_of(build)], _schema(build))


def _joined(build: Build[PreferenceRecipe], labels: pa.Table, filters: Sequence[str], schema: ReleaseSchema) -> Rows:
    """Return what joins the rows of some pairs.

    Args:
        build: the build.
        labels: of schema LABELS, perhaps with ties and nulls.
        filters: names of the filters that they passed.
        schema: of the rows.
    """
    samples, prompts = wanted_rows(build, "samples"), build.tables.read("prompts")
    utterances, rulings = build.tables.read("utterances"), build.tables.read("rulings")
    rows = PairRows(
        pairs=build.tables.read("pairs"),
        labels=labels,
        rulings=rulings,
        judgments=among(build.tables.read("judgments", OF_JUDGMENT), "judgment_id", first_judgments(rulings)),
        prompts=prompts,
        utterances=utterances,
        recordings=wanted_rows(build, "recordings"),
        samples=samples,
        metrics=wanted_rows(build, "metrics"),
        source_types=_source_types(build, samples),
        filters=filters,
        schema=schema,
        written=with_writings(build, prompts.select(["prompt_id"]), "prompt_id"),
        histories=history_of(build, prompts, utterances) if "history_audio" in schema.names else None,
        votes=votes_by_value(counted_votes(build)) if pairs_were_voted_on(build) else None,
    )
    if not build.recipe.is_taught:
        return rows
    task = task_of(build.recipe.judges_of_pairs[0])
    return TaughtRows(rows, prompt=task.render, shown=task.shown, right=taught_items(build))


def _configuration(build: Build[PreferenceRecipe]) -> str:
    return build.recipe.judge.task if build.recipe.judge is not None else "pairs"


def _schema(build: Build[PreferenceRecipe]) -> ReleaseSchema:
    recipe = build.recipe
    by_style = bool(recipe.prompts.by_style)  # other recipes keep the columns that they had
    schema = release_schema(_configuration(build), has_negatives=bool(recipe.negatives), has_categories=by_style)
    return taught(schema) if recipe.is_taught else schema


def _subset(name: str, *, is_last: bool) -> Configuration[PreferenceRecipe]:
    """Return the configuration of a subset; the last one has the rows that a release without subsets has."""
    if is_last:
        return Configuration(name=lambda _build: name, schema=_schema, rows=_rows)

    def schema(build: Build[PreferenceRecipe]) -> ReleaseSchema:
        return undecided(_schema(build))

    return Configuration(
        name=lambda _build: name,
        schema=schema,
        rows=lambda build: _joined(build, subsets.labels(build, name), subsets.passed(build, name), schema(build)),
        in_pieces=False,  # pairs that are in no split are in no piece
        members=lambda build: subsets.members(build, name),
        splits=subsets.compartments,
    )


def _subsets(build: Build[PreferenceRecipe]) -> list[Configuration[PreferenceRecipe]]:
    """Return the configurations of a recipe with subsets, that of the pairs that are split first."""
    names = build.recipe.subset_names
    return [_subset(name, is_last=name == names[-1]) for name in reversed(names)]


def _proof(build: Build[PreferenceRecipe]) -> LeakageProof:
    """Prove that no two splits share anything, over all subsets: their pairs are all in the widest one.

    Raises:
        LeakageError: they do.
    """
    return splits.proof(build, [subsets.in_compartments(build)] if build.recipe.subsets else None)


def _source_types(build: Build[PreferenceRecipe], samples: pa.Table) -> dict[str, str | None]:
    """Return sample -> IPTC digital source type (None = unknown): of its voice, or of the corpus that it comes from.

    What clones a reference has no voice of its own, and has learnt from recordings.
    """
    types: dict[tuple[str, str | None], str | None] = {
        (system, voice.name): voice.source_type for system, engine in build.recipe.engines.items() for voice in engine.voices()
    }
    types |= {(system.name, None): system.source_type for system, _ in build.recipe.brought_along}
    found = {
        row["sample_id"]: types.get((row["system"], row["voice"]), "trainedAlgorithmicMedia")
        if row["is_synthetic"]
        else "digitalCapture"
        for row in samples.select(["sample_id", "system", "voice", "is_synthetic"]).to_pylist()
    }
    if of_corpora := build.recipe.synthetic_corpora:
        recorded = samples.filter(pc.equal(samples["system"], HUMAN)).select(["sample_id", "prompt_id", "utterance_id"])
        recorded = attach(recorded, "prompt_id", build.tables.read("prompts"), "prompt_id", {"target": "target_utterance_id"})
        recorded = recorded.append_column("recording", pc.coalesce(recorded["utterance_id"], recorded["target"]))
        utterances = build.tables.read("utterances", ["utterance_id", "corpus"])
        recorded = attach(recorded, "recording", utterances, "utterance_id", {"corpus": "corpus"})
        found |= {row["sample_id"]: of_corpora.get(row["corpus"], found[row["sample_id"]]) for row in recorded.to_pylist()}
    return found


def _statement(build: Build[PreferenceRecipe]) -> str:
    origin = build.recipe.labels_from
    parts = []
    if origin == "construction":
        parts.append(
            "The labels come from how the pairs were made: one clip of each was corrupted on purpose, or speaks another text."
        )
    elif origin == "votes":
        parts.append("The labels come from people's votes.")
    if build.recipe.judge is None:
        return " ".join(parts)
    judge = judge_of(build.recipe.judge)
    what = "labels, scores and explanations" if origin == "judge" else "scores and explanations"
    people = pairs_were_voted_on(build)
    if judge.facts:
        nobody = "No language model listened" if people else "No person and no language model listened"
        parts.append(
            f"The {what} come from the fixed rule {judge.name} over measured numbers ({', '.join(judge.facts)}). {nobody}."
        )
    else:
        parts.append(f"The {what} come from the model {judge.model}. They are not human judgments.")
    if build.recipe.is_taught:
        right, wrong = (name for name, whole in build.recipe.splits.released().items() if whole == build.recipe.splits.taught)
        parts.append(
            f"It was asked after people, and about {right} and {wrong} alone: {right} has the pairs on which it chose as they "
            "did, with its reply as completion (for training, the loss falls on the completion, not on the prompt), and "
            f"{wrong} all others, without: those where it chose otherwise, saw a tie, or gave no usable reply."
        )
    return " ".join(parts)


def _identity(build: Build[PreferenceRecipe]) -> object:
    judge = build.recipe.judge
    return [None if judge is None else judge_of(judge).version, [rule.name for rule in filters_of(build)]]


def _writers(build: Build[PreferenceRecipe]) -> list[Writer]:
    return [
        Writer(task=role.task, model=judge_of(role).model, prompt_versions=sorted(set(task_of(role).versions.values())))
        for role in (*scripting_roles(build), *roles_about(build, "prompts"))
    ]


def _reference_rates(build: Build[PreferenceRecipe]) -> list[Statistics]:
    """Return how much of the reference speech was upsampled, where the recipe allows it."""
    audio = build.recipe.clip_format
    if not audio.upsamples_references:
        return []
    used = pc.unique(build.tables.read("prompts", ["reference_utterance_id"])["reference_utterance_id"].drop_null())
    rates = among(wanted_rows(build, "recordings"), "utterance_id", used)["native_sample_rate_hz"]
    rows = [
        (f"{rate:,} Hz", "upsampled" if rate < audio.lowest_native_rate_hz else "as it is", count)
        for rate, count in sorted(Counter(rates.to_pylist()).items())
    ]
    note = f"Clips have {audio.sample_rate_hz:,} Hz and nothing above {audio.bandwidth_hz:,} Hz. Upsampled speech has less."
    return [
        Statistics(
            title="Rates of the reference speech",
            columns=("Rate", "Speech", "Recordings"),
            words=2,
            rows=rows,
            note=note,
            about="pairs",
        )
    ]


FORM: Final[Form[PreferenceRecipe]] = Form(
    reads=(
        "utterances",
        "prompts",
        *made("writings", "recordings", "samples", "metrics"),
        "pairs",
        *made("judgments"),
        "rulings",
        "labels",
    ),
    configurations=(Configuration(name=_configuration, schema=_schema, rows=_rows),),
    subsets=_subsets,
    proof=_proof,
    statistics=lambda build: [*card_tables(build), *_reference_rates(build)],
    statement=_statement,
    identity=_identity,
    writers=_writers,
    versioned=("samples", "metrics", "judgments"),
)
