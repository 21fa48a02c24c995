"""The last stage: the release."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, TypeAdapter

from contracts.errors import DamagedPart, DamagedState, StorageError
from contracts.ids import digest
from contracts.joins import among
from flows.listening.evidence import heard_votes, people_statement, votes_by_value
from flows.listening.store import VOTED
from flows.listening.votes_stages import released_splits
from flows.recipe.listening_section import VERIFIER, literals
from flows.run.books import Books
from flows.run.damage import named_audio
from flows.run.pipeline import Build, Stage, mark_of
from flows.run.questions import history_of, judge_of, roles_about, scripting_roles, task_of, with_writings
from flows.run.versions import released_mixed
from flows.run.wanted import made
from flows.stages.candidates import candidate_literals, current_metrics, current_samples
from flows.stages.decide import by_votes, filters_of, proof
from flows.stages.gather import current_recordings, reader_of, require_credits
from flows.stages.judging import current_judgments, task_and_judge
from storage import manifest, release
from storage.card import Disjoint, Facts, Funnel, Writer
from storage.columns import release_schema
from storage.manifest import Fault
from storage.rows import pair_rows
from storage.shards import Layout
from storage.state import read_state

_CURRENT: Final = "releases/current.json"
_SEAL: Final = "releases/sealed.json"


@dataclass(frozen=True, kw_only=True)
class _Pointer:
    """Which release is the build's."""

    folder: Annotated[str, Field(pattern=r"^releases/[A-Za-z0-9][A-Za-z0-9._+-]*$")]


_POINTER: Final = TypeAdapter(_Pointer)
_BATCH_ROWS: Final = 1000


def release_of(build: Build) -> str | None:
    """Return the folder or URL of the build's release; None if there is none, or if the note of it is damaged.

    The note is a pointer only: the stage that finds none writes the release, or finds the very same one, and notes it anew.
    """
    try:
        name = read_state(build.workspace, _CURRENT, _POINTER, advice="the release is looked for again").folder
    except (FileNotFoundError, DamagedState):
        return None
    return f"{build.workspace.url}/{name}" if build.workspace.exists(f"{name}/{manifest.MANIFEST}") else None


def release_faults(build: Build) -> list[Fault]:
    """Return what is wrong with the files of the build's release, none if there is no release.

    Presence and sizes are always compared. A file is hashed unless it is, by all that its file system says of it (size, times
    of change, inode or ETag), as it was when its hash was right: 1 s a GB, and none for a release that nobody touched. What
    changes on a disk without the file system's knowledge is for ``unisrm-data verify``.
    """
    if (url := release_of(build)) is None:
        return []
    name = url.removeprefix(f"{build.workspace.url}/")
    filesystem, root = build.workspace.filesystem, build.workspace.path(name)
    try:
        files = manifest.read(filesystem, root)
    except DamagedPart as error:
        return [Fault(path=manifest.MANIFEST, kind="changed", what=f"is damaged: {error}")]
    now = manifest.states(filesystem, root)
    found = manifest.faults(filesystem, root, files, hashed=_HASHED.get(url) or _sealed(build, name))
    if not any(fault.kind != "unlisted" for fault in found):
        _HASHED[url] = now
    return found


def intact_release(build: Build) -> str | None:
    """Return the folder or URL of the build's release; None if there is none, or a file of it must be written anew."""
    needs_mending = any(fault.kind != "unlisted" or fault.is_shard for fault in release_faults(build))
    return None if needs_mending else release_of(build)


def seal_release(build: Build) -> str | None:
    """Note the state in which the release's files were found right, and return its folder or URL; None if there is none."""
    url = release_of(build)
    if url is not None and (states := _HASHED.get(url)) is not None:
        name = url.removeprefix(f"{build.workspace.url}/")
        if _sealed(build, name) != states:
            build.workspace.write(_SEAL, json.dumps({"folder": name, "states": states}, indent=1).encode())
    return url


def _sealed(build: Build, name: str) -> manifest.States:
    try:
        seal = json.loads(build.workspace.read(_SEAL))
        return dict(seal["states"]) if seal["folder"] == name else {}
    except (FileNotFoundError, StorageError, ValueError, KeyError, TypeError):
        return {}  # it saves hashing, no more


_HASHED: Final[dict[str, manifest.States]] = {}
"""Release -> states in which this process found its files right: the stage looks several times in one build."""


def release_rows(build: Build) -> pa.Table:
    """Return the rows of the release, with their split."""
    samples, prompts = current_samples(build), build.tables.read("prompts")
    utterances = build.tables.read("utterances")
    rows = pair_rows(
        splits=released_splits(build),
        pairs=build.tables.read("pairs"),
        labels=build.tables.read("labels"),
        rulings=build.tables.read("rulings"),
        judgments=current_judgments(build),
        prompts=prompts,
        utterances=utterances,
        recordings=current_recordings(build),
        samples=samples,
        metrics=current_metrics(build),
        source_types=_source_types(build, samples),
        filters=[rule.name for rule in filters_of(build)],
        schema=_schema(build),
        written=with_writings(build, prompts.select(["prompt_id"]), "prompt_id"),
        histories=history_of(build, prompts, utterances) if "history_audio" in _schema(build).names else None,
        heard=votes_by_value(heard_votes(build)) if _pairs_were_heard(build) else None,
    )
    return _with_verifier(build, rows)


def _with_verifier(build: Build, rows: pa.Table) -> pa.Table:
    """Say of the rows of verified splits that they passed that filter, too."""
    wish = build.recipe.listening
    if wish is None or wish.of != "splits":
        return rows
    pairs = zip(rows["filters_passed"].to_pylist(), rows["split"].to_pylist(), strict=True)
    passed = [[*names, VERIFIER] if split in wish.splits else names for names, split in pairs]
    place = rows.column_names.index("filters_passed")
    return rows.set_column(place, "filters_passed", pa.array(passed, rows["filters_passed"].type))


def _schema(build: Build) -> pa.Schema:
    return release_schema(build.recipe.judge.task)


def _pairs_were_heard(build: Build) -> bool:
    wish = build.recipe.listening
    return wish is not None and not wish.rated()


def _source_types(build: Build, samples: pa.Table) -> dict[str, str]:
    """Return sample -> IPTC digital source type: a formant voice follows rules, every other one was made from recordings."""
    formant = {
        (system, voice.name)
        for system, engine in build.recipe.engines.items()
        for voice in engine.voices()
        if voice.architecture.partition(" ")[0] == "formant"  # "formant (Klatt)" is one
    }
    types = {}
    for row in samples.select(["sample_id", "system", "voice", "is_synthetic"]).to_pylist():
        if not row["is_synthetic"]:
            types[row["sample_id"]] = "digitalCapture"
        else:
            types[row["sample_id"]] = (
                "algorithmicMedia" if (row["system"], row["voice"]) in formant else "trainedAlgorithmicMedia"
            )
    return types


def _release(before: Sequence[Stage], build: Build) -> Books:
    require_credits(build, build.tables.read("utterances", ["corpus", "license"]))
    rows = release_rows(build)
    task = build.recipe.judge.task
    splits = [
        release.Split(
            config=task,
            split=split,
            rows=_batches(rows.filter(pc.equal(rows["split"], split)).drop_columns(["split"])),
            schema=_schema(build),
        )
        for split in build.recipe.splits.named()
    ]
    wish = build.recipe.release
    layout = Layout(sample_rate_hz=build.recipe.audio.sample_rate_hz, shard_bytes=wish.shard_size_mb * 1_000_000)
    build.progress.start("release", 0)
    folder = release.write(
        build.workspace, wish.version, splits=splits, audio=named_audio(build), facts=_facts(before, build), layout=layout
    )
    build.workspace.write(_CURRENT, json.dumps({"folder": folder}).encode())
    # What was written, or hashed, a moment ago need not be read once more.
    _HASHED[f"{build.workspace.url}/{folder}"] = manifest.states(build.workspace.filesystem, build.workspace.path(folder))
    seal_release(build)
    build.progress.end()
    return Books(stage="release", unit="pairs", rows_in=released_splits(build).num_rows, rows_out=rows.num_rows)


def _batches(rows: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, rows.num_rows, _BATCH_ROWS):
        yield rows.slice(start, _BATCH_ROWS)


def _facts(before: Sequence[Stage], build: Build) -> Facts:
    recipe = build.recipe
    proven = proof(build)
    marks = [mark for stage in before if stage.active(build) and (mark := mark_of(stage, build)) is not None]
    return Facts(
        pretty_name=recipe.release.pretty_name,
        version=recipe.release.version,
        funnel=[Funnel(**mark.books.as_dict()) for mark in marks],
        leakage=[Disjoint(key=key, left="any split", right="any other", shared=n) for key, n in proven.shared.items()],
        annotations_creators=("machine-generated", "crowdsourced") if _pairs_were_heard(build) else ("machine-generated",),
        judge_statement=_judge_statement(build),
        writers=[
            Writer(task=role.task, model=judge_of(role).model, prompt_versions=sorted(set(task_of(role).versions.values())))
            for role in (*scripting_roles(build), *roles_about(build, "prompts"))
        ],
        mixed=released_mixed(build, among(build.tables.read("pairs"), "pair_id", released_splits(build)["pair_id"])),
        recipe_digest=digest(_recipe_literals(build)),
        attribution={corpus.name: reader_of(corpus).attribution for corpus in recipe.corpora},
        seed=recipe.seed,
    )


def _judge_statement(build: Build) -> str:
    _, judge = task_and_judge(build)
    people = people_statement(build)
    what = "scores and explanations" if build.recipe.listening and by_votes(build) else "labels, scores and explanations"
    if judge.facts:
        nobody = "No language model listened" if people else "No person and no language model listened"
        return (
            f"The {what} come from the fixed rule {judge.name} over measured numbers ({', '.join(judge.facts)}). {nobody}."
            + people
        )
    return f"The {what} come from the model {judge.model}. They are not human judgments." + people


def _recipe_literals(build: Build) -> dict[str, Any]:
    """Return the recipe without what differs from machine to machine: where it works and where its corpora lie."""
    told = build.recipe.model_dump(exclude={"workspace", "listening"})
    for corpus in told["corpora"]:
        del corpus["root"]
    if build.recipe.listening is not None:
        told["listening"] = literals(build.recipe.listening)
    return told


def _settings(build: Build) -> object:
    _, judge = task_and_judge(build)
    return [_recipe_literals(build), candidate_literals(build), judge.version, [rule.name for rule in filters_of(build)]]


def release_stage(before: Sequence[Stage]) -> Stage:
    """Return the stage that writes the release; what happened in the stages before it is a part of the card."""
    accounts = (name for stage in before for name in stage.writes if name.startswith(("drops@", "failures@")))
    return Stage(
        name="release",
        reads=(
            "utterances",
            "prompts",
            *made("writings", "recordings", "samples", "metrics"),
            "pairs",
            *made("judgments"),
            "rulings",
            "labels",
            "splits@*",
            "votes",
            VOTED,
            *dict.fromkeys(accounts),
        ),
        writes=(),
        settings=_settings,
        produced=intact_release,
        run=partial(_release, before),
    )
