"""What a data set of preferences releases: compared clips, with all that they came from."""

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
from flows.stages.filters import filters_of
from flows.stages.release import Configuration, Form, pairs_were_voted_on
from storage.card_facts import Writer
from storage.columns import ReleaseSchema, release_schema
from storage.rows import OF_JUDGMENT, PairRows, first_judgments
from synth.pairing import HUMAN


def _rows(build: Build[PreferenceRecipe]) -> PairRows:
    """Return what joins the rows of the release."""
    samples, prompts = wanted_rows(build, "samples"), build.tables.read("prompts")
    utterances, rulings = build.tables.read("utterances"), build.tables.read("rulings")
    return PairRows(
        pairs=build.tables.read("pairs"),
        labels=build.tables.read("labels"),
        rulings=rulings,
        judgments=among(build.tables.read("judgments", OF_JUDGMENT), "judgment_id", first_judgments(rulings)),
        prompts=prompts,
        utterances=utterances,
        recordings=wanted_rows(build, "recordings"),
        samples=samples,
        metrics=wanted_rows(build, "metrics"),
        source_types=_source_types(build, samples),
        filters=[rule.name for rule in filters_of(build)],
        schema=_schema(build),
        written=with_writings(build, prompts.select(["prompt_id"]), "prompt_id"),
        histories=history_of(build, prompts, utterances) if "history_audio" in _schema(build).names else None,
        votes=votes_by_value(counted_votes(build)) if pairs_were_voted_on(build) else None,
    )


def _configuration(build: Build[PreferenceRecipe]) -> str:
    return build.recipe.judge.task if build.recipe.judge is not None else "pairs"


def _schema(build: Build[PreferenceRecipe]) -> ReleaseSchema:
    return release_schema(_configuration(build), has_negatives=bool(build.recipe.negatives))


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
    return " ".join(parts)


def _identity(build: Build[PreferenceRecipe]) -> object:
    judge = build.recipe.judge
    return [None if judge is None else judge_of(judge).version, [rule.name for rule in filters_of(build)]]


def _writers(build: Build[PreferenceRecipe]) -> list[Writer]:
    return [
        Writer(task=role.task, model=judge_of(role).model, prompt_versions=sorted(set(task_of(role).versions.values())))
        for role in (*scripting_roles(build), *roles_about(build, "prompts"))
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
    statement=_statement,
    identity=_identity,
    writers=_writers,
    versioned=("samples", "metrics", "judgments"),
)
