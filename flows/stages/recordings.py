"""The stage ``recordings``: the human recordings that the prompts refer to, as standard clips."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.ids import canonical_json, row_id
from contracts.joins import among
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books
from flows.run.pipeline import Build, Stage
from flows.run.questions import history_of, needs_history
from flows.run.wanted import want
from flows.run.work import Work, count_done, do_missing
from flows.stages.brought_along import clip_requests
from flows.stages.speaking import candidate_literals, clips_of
from flows.stages.utterances import reader_of
from synth.dsp import format_literals
from synth.record import RecordJob


def used_utterances(prompts: pa.Table, *, human: bool) -> pa.Array:
    """Return the utterances that prompts refer to: their references, and their targets where people are candidates, too."""
    columns = ["reference_utterance_id"] + (["target_utterance_id"] if human else [])
    return pc.unique(pa.concat_arrays([prompts[name].combine_chunks() for name in columns]).drop_null())


def _wanted_utterances(build: Build[PreferenceRecipe]) -> pa.Array:
    """Return every utterance whose recording the prompts refer to."""
    prompts, utterances = build.tables.read("prompts"), build.tables.read("utterances")
    wanted = [used_utterances(prompts, human=build.recipe.human)]
    if build.recipe.negatives:
        clips = clips_of(build, prompts, utterances)
        wanted += [clips[name].combine_chunks().drop_null() for name in ("own_recording_id", "own_reference_id")]
    if needs_history(build):
        wanted.append(pc.list_flatten(history_of(build, prompts, utterances)["history_utterance_ids"]).combine_chunks())
    if build.recipe.brought_along:
        wanted.append(clip_requests(build, prompts, utterances)["target_utterance_id"].combine_chunks().drop_null())
    return pc.unique(pa.concat_arrays(wanted))


def recording_requests(build: Build, wanted: pa.Array) -> pa.Table:
    """Return ``row_id, subject_id, corpus, audio_path, text, is_reference`` of the recordings of these utterances."""
    used = among(build.tables.read("utterances"), "utterance_id", wanted)
    return pa.table(
        {
            "row_id": recording_keys(build, used["utterance_id"]),
            "subject_id": used["utterance_id"],
            "corpus": used["corpus"],
            "audio_path": used["audio_path"],
            "text": used["text"],
            "is_reference": pc.is_null(used["system"]),
        }
    )


def recording_keys(build: Build, utterances: pa.ChunkedArray) -> pa.Array:
    """Return the keys of the recordings of these utterances in the format of the build's clips."""
    audio = format_literals(build.recipe.clip_format)
    return pa.array([row_id("recording", utterance, audio) for utterance in utterances.to_pylist()], pa.string())


def recording_work(build: Build, requests: pa.Table) -> Work:
    """Return the job that brings these recordings in."""
    roots = canonical_json({corpus.name: corpus.root for corpus in build.recipe.corpora})
    anywhere = tuple(corpus.name for corpus in build.recipe.corpora if reader_of(corpus).follow_links == "anywhere")
    job = RecordJob(roots=roots, linked_anywhere=anywhere, audio=build.recipe.clip_format, workspace_url=build.workspace.url)
    return [(job, requests)]


def _recordings(build: Build[PreferenceRecipe]) -> Books:
    requests = recording_requests(build, _wanted_utterances(build))
    want(build, "recordings", [(requests["row_id"], requests["subject_id"])])
    do_missing(build, "recordings", recording_work(build, requests))
    return count_done(build, "recordings")


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="recordings",
    reads=("utterances", "prompts"),
    writes=("wanted@recordings", "recordings", "failures@recordings"),
    settings=lambda build: [
        format_literals(build.recipe.clip_format),
        build.recipe.human,
        [corpus.root for corpus in build.recipe.corpora],
        [needs_history(build), build.recipe.prompts.longest_history],
        [[system.name, corpus] for system, corpus in build.recipe.brought_along],
        *([candidate_literals(build)] if build.recipe.negatives else []),
    ],
    run=_recordings,
    on_cluster=True,
)
