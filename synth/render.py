"""The fan-out ``samples``: every prompt spoken by one system."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pyarrow as pa

from contracts.errors import DamagedPart, SetupError
from contracts.failures import failure
from contracts.ids import canonical_json
from contracts.jobs import Failure, Outcome, Resources
from contracts.plugin_environment import Environment
from contracts.schemas import FAILURES, SAMPLES
from contracts.text_identity import LONGEST_TEXT
from contracts.versions import meets, wrong_version
from storage.blobs import DAMAGED_AUDIO, BlobStore
from storage.environments.contents_record import record_contents
from storage.workspace import Workspace
from synth.clip_limits import ClipLimit
from synth.dsp import AudioFormat
from synth.engine import Engine, Reference, RenderRequest, SessionEngine, Voice, Waveform
from synth.hosted_engine import HostedEngine, placed_engine
from synth.sanity import standard_clip


@dataclass(frozen=True, kw_only=True)
class RenderJob:
    """Speak prompts with one engine.

    Request columns: ``row_id`` (the sample), ``subject_id`` (the prompt), ``group_id``, ``text`` (what is spoken),
    ``spoken_text`` (the same where it is not the prompt's text, else null), ``language``, ``voice``, ``seed`` (int64),
    ``reference_audio_id`` and ``reference_text`` (both may be null); for takes also ``temperature`` and ``duration_factor``,
    for another try ``failed_tries`` (see schema SAMPLES), and for one of a contrast ``corruption`` and ``own_reference_id``.

    Attributes:
        engine: name of the engine plug-in.
        options: its options as canonical JSON.
        system: what the recipe calls this engine with these options.
        audio: format of the clips.
        workspace_url: where clips are stored.
        version: the only version that may speak (see ``contracts.versions``); None = any.
        environment: where the engine runs; None = where it says.
        limits: what its clips may measure at most.
    """

    stage: ClassVar[str] = "samples"
    table: ClassVar[str] = "samples"

    engine: str
    options: str
    system: str
    audio: AudioFormat
    workspace_url: str
    version: str | None = None
    environment: Environment | None = None
    limits: tuple[ClipLimit, ...] = ()

    def placed(self) -> SessionEngine | HostedEngine:
        """Return the engine, or its stand-in where it runs in an environment of its own.

        Raises:
            RecipeError: unknown engine or option.
        """
        return placed_engine(self.engine, json.loads(self.options), self.environment)

    @property
    def name(self) -> str:
        """What its rows are counted by."""
        return self.system

    @property
    def resources(self) -> Resources:
        """What the engine occupies, with a GPU if a metric beside it needs one."""
        resources = self.placed().resources
        return replace(resources, gpus=max([resources.gpus, *(limit.resources.gpus for limit in self.limits)]))

    def open(self) -> "RenderSession":
        """Load the engine.

        Raises:
            SetupError: the engine cannot run on this machine, or has another version than the recipe demands.
        """
        return RenderSession(self)


class RenderSession:
    """An open engine and the clips' store."""

    def __init__(self, job: RenderJob) -> None:
        self._job = job
        placed = job.placed()
        self._engine: Engine = placed.plugin if isinstance(placed, HostedEngine) else placed
        self._voices = {voice.name: voice for voice in self._engine.voices()}
        workspace = Workspace(job.workspace_url)
        self._blobs = BlobStore(workspace)
        self._session = placed.open()
        if job.version is not None and not meets(self._session.version, job.version):
            raise SetupError(wrong_version(f"system {job.system}", self._session.version, job.version))
        record_contents(workspace, self._session)
        self._limits = [limit.open() for limit in job.limits]

    def run(self, batch: pa.Table) -> Outcome:
        """Speak a batch: a row of ``samples`` or a failure for every request."""
        rows, failures, speakable, requests = [], [], [], []
        references: dict[str, tuple[Any, int]] = {}
        for row in batch.to_pylist():
            if len(row["text"]) > LONGEST_TEXT:
                message = f"{len(row['text'])} characters, at most {LONGEST_TEXT}: split the text in the corpus"
                failures.append(failure_row(self._job, row, Failure("text_too_long", message)))
            else:
                request = self._request(row, references)
                if isinstance(request, Failure):
                    failures.append(failure_row(self._job, row, request))
                else:
                    speakable.append(row)
                    requests.append(request)
        for row, answer in zip(speakable, self._session.render(requests), strict=True):
            if not isinstance(answer, Waveform | Failure):
                raise TypeError(f"engine {self._job.engine}: render() must yield a Waveform or Failure, got {answer!r:.60}")
            result = self._sample(row, answer) if isinstance(answer, Waveform) else answer
            if isinstance(result, Failure):
                failures.append(failure_row(self._job, row, result))
            else:
                rows.append(result)
        return Outcome(
            rows=pa.Table.from_pylist(rows, schema=SAMPLES),
            failures=pa.Table.from_pylist(failures, schema=FAILURES),
        )

    def _request(self, row: dict[str, Any], references: dict[str, tuple[Any, int]]) -> RenderRequest | Failure:
        reference, blob = None, row["reference_audio_id"]
        if blob is not None and self._engine.clones_voice:
            if blob not in references:
                try:
                    references[blob] = self._blobs.waveform(blob)
                except DamagedPart as error:
                    return Failure(DAMAGED_AUDIO, f"reference speech: {error}")
            samples, rate = references[blob]
            reference = Reference(waveform=samples, sample_rate_hz=rate, text=row["reference_text"])
        return RenderRequest(
            text=row["text"],
            language=row["language"],
            voice=row["voice"],
            seed=row["seed"],
            reference=reference,
            **_take(row),
        )

    def _sample(self, row: dict[str, Any], waveform: Waveform) -> dict[str, Any] | Failure:
        params = {**self._engine.params(), **{name: value for name, value in _take(row).items() if value is not None}}
        spoken_by = SpokenBy(voice=self._voices[row["voice"]], version=self._session.version, params=params)
        made = sample_row(row, waveform, spoken_by, job=self._job, blobs=self._blobs)
        if isinstance(made, Failure):
            return made
        said = {"sample_id": row["row_id"], "text": row["text"], "language": row["language"]}
        return next(filter(None, (limit.excess(waveform, **said) for limit in self._limits)), made)


def _take(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Return what a request sets for its take."""
    return {"temperature": row.get("temperature"), "duration_factor": row.get("duration_factor")}


@dataclass(frozen=True, kw_only=True)
class SpokenBy:
    """What spoke a clip: the voice, the version that the engine reported, and the parameters sent with every request."""

    voice: Voice
    version: str
    params: Mapping[str, object]


def sample_row(
    row: dict[str, Any], waveform: Waveform, spoken_by: SpokenBy, *, job: RenderJob, blobs: BlobStore
) -> dict[str, Any] | Failure:
    """Return the row of ``samples`` for a request and what was spoken, with its clip stored; or why there is none."""
    voice = spoken_by.voice
    clip = standard_clip(waveform, row["text"], job.audio, voice.sample_rate_hz)
    if isinstance(clip, Failure):
        return clip
    return {
        "sample_id": row["row_id"],
        "prompt_id": row["subject_id"],
        "group_id": row["group_id"],
        "system": job.system,
        "engine": job.engine,
        "engine_version": spoken_by.version,
        "model": voice.model,
        "voice": voice.name,
        "seed": row["seed"],
        **_take(row),
        "failed_tries": row.get("failed_tries"),
        "params": canonical_json({**spoken_by.params, "voice": voice.name}),
        "spoken_text": row["spoken_text"],
        "audio_id": blobs.put(clip.pcm, clip.sample_rate_hz),
        "duration_s": clip.duration_s,
        "sample_rate_hz": clip.sample_rate_hz,
        "native_sample_rate_hz": clip.native_sample_rate_hz,
        "loudness_lufs": clip.loudness_lufs,
        "is_synthetic": True,
        "license": voice.license,
        "corruption": row.get("corruption"),
        "reference_utterance_id": row.get("own_reference_id"),
    }


def failure_row(job: RenderJob, row: dict[str, Any], problem: Failure) -> dict[str, str]:
    """Return the row of ``failures`` for a request and why nothing came of it."""
    message = f"system {job.system}, voice {row['voice']}: {problem.message}"
    return failure(job.stage, row["row_id"], row["subject_id"], problem.reason, message)
