"""The stages that gather what there is: utterances, prompts, texts, writings, recordings."""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts import plugins, schemas
from contracts.errors import DataError, RecipeError
from contracts.ids import canonical_json, row_id
from contracts.joins import among, sorted_by
from contracts.languages import language_hint
from contracts.licences import licence_hint, wants_credit
from contracts.schemas import DROPS, UTTERANCES
from contracts.text_forms import compared
from corpora.watch import state
from flows.recipe import model
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.questions import history_of, needs_history
from flows.run.wanted import want, wanted_rows
from flows.run.work import Work, count_done, do_missing
from flows.stages import writing
from flows.stages.speaking import to_speak, unspoken
from synth.dsp import AudioFormat
from synth.prompts import choose
from synth.record import RecordJob


def reader_of(corpus: model.Corpus) -> Any:
    """Return the configured reader of a corpus."""
    return plugins.configure("corpus", corpus.reader, {"name": corpus.name, **corpus.options})


def read_corpora(build: Build) -> tuple[pa.Table, pa.Table]:
    """Read all corpora and return their usable and their unusable utterances, sorted by id.

    Raises:
        DataError: a corpus cannot be read, or none of its rows can be used.
    """
    tables = [
        pa.Table.from_batches([batch]) for corpus in build.recipe.corpora for batch in reader_of(corpus).read(corpus.root)
    ]
    found = pa.concat_tables(tables) if tables else UTTERANCES.empty_table()
    found = sorted_by(schemas.conform(found, "utterances"), "utterance_id")
    usable, broken = found.filter(pc.is_null(found["problem"])), found.filter(pc.is_valid(found["problem"]))
    for name in sorted(set(broken["corpus"].unique().to_pylist()) - set(usable["corpus"].unique().to_pylist())):
        raise DataError(_nothing_usable(name, broken.filter(pc.equal(broken["corpus"], name))))
    require_credits(build, usable)
    return usable, broken


def _nothing_usable(corpus: str, broken: pa.Table) -> str:
    reasons = ", ".join(f"{reason} {rows}" for reason, rows in count(broken["problem"]).items())
    first = broken.sort_by("source_ref").slice(0, 1).to_pylist()[0]
    where = first["source_ref"] or first["source_id"]
    return f"corpus {corpus!r}: none of its {broken.num_rows} rows can be used ({reasons}); see {where}: {_why(first)}"


def _why(row: dict[str, Any]) -> str:
    if "advice" in (wrong := _wrong_tag(row)):
        return f"{row['problem']}: {wrong['advice']}"
    return str(row["problem_detail"] or f"{row['problem']}{': ' + row['audio_path'] if row['audio_path'] else ''}")


def _wrong_tag(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what a row says of its language or licence that nobody knows, and what it may mean."""
    match row["problem"]:
        case "unknown_language":
            return {"language": row["language"], "advice": language_hint(row["language"])}
        case "unknown_license":
            return {"license": row["license"], "advice": licence_hint(row["license"])}
    return {}


def require_credits(build: Build, utterances: pa.Table) -> None:
    """Check that every corpus whose licence asks for it names who made it.

    Raises:
        RecipeError: one does not; the card of a release would break its licence.
    """
    pairs = utterances.select(["corpus", "license"]).group_by(["corpus", "license"]).aggregate([]).to_pylist()
    licences = {(row["corpus"], row["license"]) for row in pairs if wants_credit(row["license"])}
    for corpus in build.recipe.corpora:
        asking = sorted(licence for name, licence in licences if name == corpus.name)
        if asking and not compared(reader_of(corpus).attribution):
            raise RecipeError(
                f"corpora.{corpus.name}: {asking[0]} asks to name who made the recordings: set its option attribution, "
                "as the card of the release shall say it"
            )


def _utterances(build: Build) -> Books:
    usable, broken = read_corpora(build)
    drops = [
        {
            "stage": "utterances",
            "row_id": row["utterance_id"],
            "filter": "reader",
            "reason": row["problem"],
            "evidence": canonical_json(
                {name: row[name] for name in ("corpus", "source_id", "source_ref", "text")}
                | ({"detail": row["problem_detail"]} if row["problem_detail"] else {})
                | _wrong_tag(row)
            ),
        }
        for row in broken.to_pylist()
    ]
    build.tables.replace("drops@utterances", pa.Table.from_pylist(drops, schema=DROPS))
    build.tables.replace("utterances", usable)
    return Books(
        stage="utterances",
        unit="recordings",
        rows_in=usable.num_rows + broken.num_rows,
        rows_out=usable.num_rows,
        dropped=count(broken["problem"]),
    )


_ROUNDS: Final = 10
"""How often prompts are chosen anew because audio failed. What fails later takes its prompts or human samples along."""


def choose_prompts(build: Build, utterances: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the recipe's prompts, and the utterances that serve none as drops; audio that is known to fail is avoided."""
    wish = build.recipe.prompts.model_dump(exclude={"variants", "longest_history"})
    return choose(utterances, seed=build.recipe.seed, history=needs_history(build), failed=_failed(build), **wish)


def _failed(build: Build) -> set[str]:
    """Return the utterances whose recording failed in this recipe's audio format."""
    audio = audio_literals(build)
    failures = build.tables.read("failures@recordings", ["row_id", "subject_id"]).to_pylist()
    return {row["subject_id"] for row in failures if row["row_id"] == row_id("recording", row["subject_id"], audio)}


def _prompts(build: Build) -> Books:
    """Choose prompts and bring their recordings in, until all of them are usable or there are no better ones.

    Raises:
        RecipeError: no pair can come of them, for want of systems that speak their languages.
    """
    utterances = build.tables.read("utterances")
    human = build.recipe.human and "transcript" in build.recipe.prompts.variants
    for _ in range(_ROUNDS):
        prompts, drops = choose_prompts(build, utterances)
        if problem := unspoken(build, to_speak(build, prompts)):
            raise RecipeError(problem)
        before = _failed(build)
        requests = _recording_requests(build, _used_utterances(prompts, human=human))
        do_missing(build, "recordings", _recording_work(build, requests))
        if _failed(build) <= before:
            break
    build.tables.replace("drops@prompts", sorted_by(drops, "row_id"))
    build.tables.replace(writing.CHOSEN, prompts)  # in order of choice: what comes later takes no text from what was there
    used = _used_utterances(prompts, human=True)
    return Books(
        stage="prompts", unit="recordings", rows_in=utterances.num_rows, rows_out=len(used), dropped=count(drops["reason"])
    )


def _used_utterances(prompts: pa.Table, *, human: bool) -> pa.Array:
    columns = ["reference_utterance_id"] + (["target_utterance_id"] if human else [])
    return pc.unique(pa.concat_arrays([prompts[name].combine_chunks() for name in columns]).drop_null())


def audio_format(build: Build) -> AudioFormat:
    """Return the format of all clips of a build."""
    return AudioFormat(**build.recipe.audio.model_dump())


def audio_literals(build: Build) -> dict[str, object]:
    """Return that format as literals."""
    return dict(build.recipe.audio.model_dump())


def _wanted_utterances(build: Build) -> pa.Array:
    """Return every utterance whose recording the prompts refer to."""
    prompts, utterances = build.tables.read("prompts"), build.tables.read("utterances")
    wanted = [_used_utterances(prompts, human=build.recipe.human)]
    if needs_history(build):
        wanted.append(pc.list_flatten(history_of(build, prompts, utterances)["history_utterance_ids"]).combine_chunks())
    return pa.concat_arrays(wanted)


def _recording_requests(build: Build, wanted: pa.Array) -> pa.Table:
    """Return ``row_id, subject_id, corpus, audio_path, text`` of the recordings of these utterances."""
    used = among(build.tables.read("utterances"), "utterance_id", wanted)
    audio = audio_literals(build)
    keys = [row_id("recording", utterance, audio) for utterance in used["utterance_id"].to_pylist()]
    return pa.table(
        {
            "row_id": pa.array(keys, pa.string()),
            "subject_id": used["utterance_id"],
            "corpus": used["corpus"],
            "audio_path": used["audio_path"],
            "text": used["text"],
        }
    )


def current_recordings(build: Build) -> pa.Table:
    """Return the rows of ``recordings`` that this recipe wants."""
    return wanted_rows(
        build, "recordings", "recordings", lambda: _recording_requests(build, _wanted_utterances(build))["row_id"]
    )


def _recording_work(build: Build, requests: pa.Table) -> Work:
    roots = canonical_json({corpus.name: corpus.root for corpus in build.recipe.corpora})
    anywhere = tuple(corpus.name for corpus in build.recipe.corpora if reader_of(corpus).follow_links == "anywhere")
    job = RecordJob(roots=roots, linked_anywhere=anywhere, audio=audio_format(build), workspace_url=build.workspace.url)
    return [(job, requests)]


def _recordings(build: Build) -> Books:
    requests = _recording_requests(build, _wanted_utterances(build))
    want(build, "recordings", [(requests["row_id"], requests["subject_id"])])
    do_missing(build, "recordings", _recording_work(build, requests))
    return count_done(build, "recordings", requests["row_id"])


def recording_books(build: Build) -> Books:
    """Count the recordings."""
    return count_done(build, "recordings", _recording_requests(build, _wanted_utterances(build))["row_id"])


GATHERING: tuple[Stage, ...] = (
    Stage(
        name="utterances",
        reads=(),
        writes=("utterances", "drops@utterances"),
        settings=lambda build: [
            [corpus.model_dump(), state(corpus.root, build.workspace.url, reader_of(corpus).follow_links)]
            for corpus in build.recipe.corpora
        ],
        run=_utterances,
    ),
    Stage(
        name="prompts",
        reads=("utterances",),
        writes=(writing.CHOSEN, "drops@prompts"),
        fills=("recordings", "failures@recordings"),
        settings=lambda build: [
            build.recipe.prompts.model_dump(exclude={"variants", "longest_history"}),
            needs_history(build),
            [audio_literals(build), build.recipe.human, [corpus.root for corpus in build.recipe.corpora]],
        ],
        run=_prompts,
        on_cluster=True,
    ),
    *writing.WRITING,
    Stage(
        name="recordings",
        reads=("utterances", "prompts"),
        writes=("wanted@recordings", "recordings", "failures@recordings"),
        settings=lambda build: [
            audio_literals(build),
            build.recipe.human,
            [corpus.root for corpus in build.recipe.corpora],
            [needs_history(build), build.recipe.prompts.longest_history],
        ],
        run=_recordings,
        count=recording_books,
        on_cluster=True,
    ),
)
