"""The stage ``samples``: every prompt spoken by every system."""

from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.ids import canonical_json
from contracts.joins import among, attach, sorted_by
from contracts.schemas import DROPS
from contracts.versions import meets
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books
from flows.run.pipeline import Build, Stage
from flows.run.plugin_versions import counted, installed_problem
from flows.run.questions import history_of, needs_history
from flows.run.services import spoken_here
from flows.run.wanted import made, want, wanted_rows
from flows.run.work import LaterStage, count_done, do_missing
from flows.stages import metrics
from flows.stages.brought_along import clip_requests
from flows.stages.pair_budget import needed_clips
from flows.stages.speaking import candidate_literals, clips_of
from flows.stages.tries import Rendering, make_with_tries
from flows.stages.writings import spoken_instead
from synth.pairing import HUMAN
from synth.render import RenderJob


def sample_requests(build: Build[PreferenceRecipe]) -> pa.Table:
    """Return every sample that the recipe wants (schema synth.requests.WANTED); under a budget those that its pairs need."""
    prompts, utterances = build.tables.read("prompts"), build.tables.read("utterances")
    spoken = clips_of(build, prompts, utterances, spoken_instead(build))
    wanted = sorted_by(pa.concat_tables([spoken, clip_requests(build, prompts, utterances)]), "row_id")
    return wanted if build.recipe.pairs is None else needed_clips(build, prompts, wanted, _lost(build, wanted))


def _lost(build: Build[PreferenceRecipe], wanted: pa.Table) -> set[str]:
    """Return the requests that cannot be had, as far as is known: their recordings are not there, or they failed."""
    unusable = pc.is_valid(_problems(build, wanted, wanted_rows(build, "recordings")))
    failed = build.tables.read("failures@samples", ["row_id"])["row_id"]
    return {*wanted.filter(unusable)["row_id"].to_pylist(), *failed.to_pylist()}


def _samples(build: Build[PreferenceRecipe]) -> Books:
    recordings, wanted = wanted_rows(build, "recordings"), sample_requests(build)
    _make(build, wanted, recordings)
    # Failures under a budget make room for the next pairs, which may need other clips.
    while build.recipe.pairs is not None and not (more := sample_requests(build))["row_id"].equals(wanted["row_id"]):
        wanted = more
        _make(build, wanted, recordings)
    return replace(count_done(build, "samples"), notes=_unused(build, wanted))


def _make(build: Build[PreferenceRecipe], wanted: pa.Table, recordings: pa.Table) -> None:
    """Make the samples that are missing; what cannot be made becomes drops and failures."""
    want(build, "samples", [(wanted["row_id"], wanted["subject_id"])])
    usable = _usable(build, wanted, recordings)
    recorded = usable.filter(_is_recorded(build, usable))
    missing = among(recorded, "row_id", build.tables.missing("samples", recorded["row_id"]))
    build.tables.append("samples", _recorded_samples(build, missing, recordings))
    work: list[tuple[RenderJob, pa.Table]] = []
    services: list[tuple[RenderJob, pa.Table]] = []
    for system, engine in build.recipe.rendered:
        job = RenderJob(
            engine=engine,
            options=canonical_json(system.options),
            system=system.name,
            audio=build.recipe.clip_format,
            workspace_url=build.workspace.url,
            version=system.version,
            environment=system.chosen_environment,
            limits=tuple(section.limit for section in build.recipe.clip_limits),
        )
        requests_of_system = usable.filter(pc.equal(usable["system"], system.name))
        if system.name in build.recipe.speech_services:
            services.append((job, requests_of_system))
        else:
            work.append((job, requests_of_system))

    later = None
    if metrics.STAGE.name in build.to_come:
        later = LaterStage(stage=metrics.STAGE.name, work=metrics.measuring(build))

    def make(work: Rendering, services: Rendering) -> None:
        do_missing(build, "samples", work, spoken_here(build, services), later)

    make_with_tries(build, "samples", work, services, build.recipe.tries, make=make)


def _unused(build: Build[PreferenceRecipe], wanted: pa.Table) -> tuple[str, ...]:
    """Return a line for each corruption that no text gets: another way took its share."""
    made = set(wanted["corruption"].to_pylist())
    missing = dict.fromkeys(one.corruption for one in build.recipe.negatives if one.corruption not in made)
    return tuple(
        f"negatives.{name}: no text gets one: no recording fits what it borrows, or no system speaks the language; others took "
        "its share"
        for name in missing
    )


def _usable(build: Build[PreferenceRecipe], wanted: pa.Table, recordings: pa.Table) -> pa.Table:
    """Return the requests whose recordings are there, with ``reference_audio_id``; the others become drops."""
    reason = _problems(build, wanted, recordings)
    _drop_samples(build, wanted, reason)
    return _with_recordings(wanted, recordings).filter(pc.is_null(reason))


def _with_recordings(wanted: pa.Table, recordings: pa.Table) -> pa.Table:
    wanted = attach(wanted, "reference_utterance_id", recordings, "utterance_id", {"reference_audio_id": "audio_id"})
    return attach(wanted, "target_utterance_id", recordings, "utterance_id", {"recording_id": "recording_id"})


def _problems(build: Build[PreferenceRecipe], wanted: pa.Table, recordings: pa.Table) -> pa.ChunkedArray:
    """Return per request why it cannot be rendered, as a counted word; null = it can."""
    wanted = _with_recordings(wanted, recordings)
    no_reference = pc.and_(pc.is_valid(wanted["reference_utterance_id"]), pc.is_null(wanted["reference_audio_id"]))
    no_recording = pc.and_(_is_recorded(build, wanted), pc.is_null(wanted["recording_id"]))
    lost = pc.if_else(pc.equal(wanted["system"], HUMAN), "human_recording_failed", "clip_failed")
    lost = pc.if_else(pc.or_(pc.equal(wanted["system"], HUMAN), pc.is_valid(wanted["target_utterance_id"])), lost, "no_clip")
    reason: Any = pa.scalar(None, pa.string())
    reason = pc.if_else(_without_history(build, wanted, recordings), "history_failed", reason)
    reason = pc.if_else(pc.is_null(wanted["text"]), "no_written_text", reason)
    reason = pc.if_else(no_recording, lost, pc.if_else(no_reference, "reference_failed", reason))
    return pc.if_else(pc.is_null(wanted["system"]), "no_contrast", reason)


def _without_history(build: Build[PreferenceRecipe], wanted: pa.Table, recordings: pa.Table) -> pa.Array:
    """Say of each request whether an earlier turn cannot be heard: nobody can judge a reply to half of a dialogue."""
    if not needs_history(build):
        return pa.repeat(pa.scalar(False), wanted.num_rows)
    past = history_of(build, build.tables.read("prompts"), build.tables.read("utterances"))
    turns = past["history_utterance_ids"].combine_chunks()
    unheard = pc.invert(pc.is_in(turns.flatten(), value_set=recordings["utterance_id"].combine_chunks()))
    prompts = past["prompt_id"].combine_chunks().take(pc.list_parent_indices(turns).filter(unheard))
    return pc.is_in(wanted["subject_id"], value_set=prompts)


def _is_recorded(build: Build[PreferenceRecipe], wanted: pa.Table) -> pa.ChunkedArray:
    """Say of each request whether its clip is a recording: a person's, or one that a corpus brought along."""
    names = [HUMAN, *(system.name for system, _ in build.recipe.brought_along)]
    return pc.is_in(wanted["system"], value_set=pa.array(names, pa.string()))


def _drop_samples(build: Build[PreferenceRecipe], wanted: pa.Table, reason: pa.ChunkedArray) -> None:
    gone = wanted.append_column("reason", reason).filter(pc.is_valid(reason))
    drops = [
        {
            "stage": "samples",
            "row_id": row["row_id"],
            "filter": "recordings",
            "reason": row["reason"],
            "evidence": canonical_json(
                {
                    "prompt_id": row["subject_id"],
                    "reference_utterance_id": row["reference_utterance_id"],
                    "target_utterance_id": row["target_utterance_id"],
                }
            ),
        }
        for row in gone.to_pylist()
    ]
    build.tables.replace("drops@samples", sorted_by(pa.Table.from_pylist(drops, schema=DROPS), "row_id"))


def _recorded_samples(build: Build[PreferenceRecipe], wanted: pa.Table, recordings: pa.Table) -> pa.Table:
    """Turn recordings into samples: of people, or of the systems whose clips a corpus brought along."""
    utterances = build.tables.read("utterances", ["utterance_id", "corpus", "license"])
    format_columns = ("audio_id", "duration_s", "sample_rate_hz", "native_sample_rate_hz", "loudness_lufs")
    rows = attach(wanted, "target_utterance_id", recordings, "utterance_id", {name: name for name in format_columns})
    rows = attach(rows, "target_utterance_id", utterances, "utterance_id", {"license": "license", "corpus": "corpus"})
    count_rows = rows.num_rows
    is_human = pc.equal(rows["system"], HUMAN)
    by_machine = pc.is_in(rows["corpus"], value_set=pa.array(list(build.recipe.synthetic_corpora), pa.string()))
    return pa.table(
        {
            "sample_id": rows["row_id"],
            "prompt_id": rows["subject_id"],
            "group_id": rows["group_id"],
            "system": rows["system"],
            "engine": pc.if_else(is_human, "human", "corpus"),
            "engine_version": pa.repeat("", count_rows),
            "params": pa.repeat("{}", count_rows),
            **{name: rows[name] for name in format_columns},
            "spoken_text": rows["spoken_text"],
            "utterance_id": pc.if_else(is_human, rows["own_recording_id"], rows["target_utterance_id"]),
            "is_synthetic": pc.or_(pc.invert(is_human), by_machine),
            "license": rows["license"],
            "corruption": rows["corruption"],
        }
    )


def _wrong_versions(build: Build[PreferenceRecipe], is_left: bool) -> list[str]:
    """Return which demanded versions the engines here or the samples that are there do not have."""
    systems = {system.name: system.version for system in build.recipe.systems if system.version is not None}
    problems = list[str]()
    for name, demanded in systems.items() if is_left else ():
        problems += installed_problem(f"system {name}", build.recipe.placed_engines[name].installed_version(), demanded)
    if not systems:
        return problems
    # What the recipe wants now, which may differ from what it wanted when the stage last ran.
    wanted = among(build.tables.read("samples"), "sample_id", sample_requests(build)["row_id"])
    for (name, reported), rows in counted(wanted, ["system", "engine_version"]).items():
        if name in systems and not meets(reported, systems[name]):
            problems.append(
                f"system {name}: {rows} of its samples were made by the version {reported!r}, the recipe demands "
                f"{systems[name]!r}: demand that one, or give the system another name, under which all are made anew"
            )
    return problems


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="samples",
    reads=("utterances", "prompts", *made("writings", "recordings")),
    writes=("wanted@samples", "samples", "failures@samples", "drops@samples"),
    fills=("metrics", "failures@metrics"),
    settings=lambda build: [
        candidate_literals(build),
        [role.task for role in build.recipe.writers],
        *([[section.model_dump() for section in build.recipe.clip_limits]] if build.recipe.clip_limits else []),
        *([["history", build.recipe.longest_history]] if needs_history(build) else []),
        *([sorted(build.recipe.synthetic_corpora)] if build.recipe.synthetic_corpora else []),
        *([build.recipe.pairs.literals()] if build.recipe.pairs else []),
    ],
    run=_samples,
    checks=("metrics",),
    wrong_versions=_wrong_versions,
    needs=lambda build: {
        **{f"system {name}": engine for name, engine in build.recipe.placed_engines.items()},
        **{f"clip limit {section.name}": section.limit.configured() for section in build.recipe.clip_limits},
    },
    on_cluster=True,
)
