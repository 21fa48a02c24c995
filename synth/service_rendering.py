"""The fan-out ``samples`` for a speech service: every prompt spoken by one system, through the ledger.

A clip costs at most one reply. The ledger has the audio of a reply, durable, before anything reads it; here it is read from
there, decoded and brought to the recipe's format, so that another format, or better checks, cost nothing.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Protocol

import pyarrow as pa

from annotate.models.calls.case_state import Conversation, Step
from annotate.models.calls.live_calls import LiveCalls
from annotate.models.inquiry import Case
from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import JudgeRequest, Refusal, Reply
from annotate.models.speech_replies import SpeechService, media_type_of, speech_in
from contracts import plugins
from contracts.errors import SetupError
from contracts.failures import legible
from contracts.ids import row_id
from contracts.jobs import Failure, Outcome
from contracts.schemas import FAILURES, SAMPLES
from contracts.text_identity import LONGEST_TEXT
from contracts.versions import meets
from storage.blobs import DAMAGED_AUDIO, BlobStore
from storage.workspace import Workspace
from synth.engine import Engine, RenderRequest, Waveform, prepared
from synth.render import RenderJob, SpokenBy, failure_row, sample_row
from synth.sanity import duration_bounds
from synth.takes import count_tries

_ROWS_AT_ONCE: Final = 1024
_CLIPS_AT_ONCE: Final = 32  # a few seconds of work, which a kill takes


class ServiceEngine(Engine, SpeechService, Protocol):
    """An engine that is a speech service: voices and languages as any engine has, and requests as judges get them.

    Attributes:
        is_service: true.
        max_characters: longest text that it takes.
    """

    is_service: ClassVar[bool]

    @property
    def max_characters(self) -> int:
        """Longest text that it takes, in characters."""
        ...


def service_of(job: RenderJob) -> ServiceEngine:
    """Return the configured service of a job.

    Raises:
        RecipeError: unknown engine or option.
    """
    engine: ServiceEngine = plugins.configure("engine", job.engine, json.loads(job.options))
    return engine


def spoken_rows(
    requests: pa.Table, *, job: RenderJob, open_ledger: Callable[[], Ledger], budget_usd: float | None
) -> Iterator[Outcome]:
    """Speak every row. Replies in the ledger are read, only the rest is sent.

    Args:
        requests: the rows, with the columns of ``RenderJob``.
        job: the system; its engine is a service.
        open_ledger: opens the ledger, where audio is made durable before it is used.
        budget_usd: what all calls of this ledger's account may cost together, earlier runs included; None = no paid call.

    Yields:
        Outcomes in order of completion: rows of ``samples`` and failures.

    Raises:
        SetupError: the key is missing or refused, the quota is gone, or a model answered that the recipe does not demand.
        BudgetExceeded: the next paid attempt could pass the budget; all replies so far are in the ledger.
    """
    engine = service_of(job)
    unsent = [failure_row(job, row, found) for row, found in _asked(requests, engine) if isinstance(found, Failure)]
    if unsent:
        yield _outcome([], unsent)
    rows = dict(zip(requests["row_id"].to_pylist(), range(requests.num_rows), strict=True))
    blobs = BlobStore(Workspace(job.workspace_url))
    context = _SpeechContext(service=engine, system=job.system, open_ledger=open_ledger, budget_usd=budget_usd)
    cases = (
        Case(row_id=row["row_id"], subject_id=row["subject_id"], request=request)
        for row, request in _asked(requests, engine)
        if isinstance(request, JudgeRequest)
    )
    with open_ledger() as ledger:
        for conversations in LiveCalls(context=context).conversations(cases):
            for start in range(0, len(conversations), _CLIPS_AT_ONCE):
                spoken: list[dict[str, Any]] = []
                failures: list[dict[str, str]] = []
                for conversation in conversations[start : start + _CLIPS_AT_ONCE]:
                    (row,) = requests.slice(rows[conversation.case.row_id], 1).to_pylist()
                    result = _sample(conversation, row, job=job, engine=engine, ledger=ledger, blobs=blobs)
                    if isinstance(result, Failure):
                        failures.append(failure_row(job, row, result))
                    else:
                        spoken.append(result)
                yield _outcome(spoken, failures)


@dataclass(frozen=True, kw_only=True)
class _SpeechContext:
    """What the requests of one run have in common; see ``annotate.models.calls.case_state.LiveContext``."""

    service: ServiceEngine
    system: str
    open_ledger: Callable[[], Ledger]
    budget_usd: float | None
    clips: BlobStore | None = None

    def entry(self, step: Step) -> Entry:
        """Return the ledger entry of a request, booked under its system."""
        return Entry(
            key=step.request.key,
            judge=self.service.name,
            model=self.service.model,
            task=f"samples {self.system}",
            prompt_version="",
            row_id=step.case.row_id,
        )

    def proceed(self, step: Step, answer: Reply | Refusal) -> Conversation:
        """Return the finished conversation, without the audio: the ledger has it, and thousands may wait here."""
        kept = replace(answer, audio=None) if isinstance(answer, Reply) else answer
        return Conversation(case=step.case, exchanges=((step.request, kept),))


def _asked(requests: pa.Table, engine: ServiceEngine) -> Iterator[tuple[dict[str, Any], JudgeRequest | Failure]]:
    """Yield each row with its request, or with why there is none."""
    for batch in requests.to_batches(max_chunksize=_ROWS_AT_ONCE):
        for row in batch.to_pylist():
            yield row, _request(row, engine)


def _request(row: dict[str, Any], engine: ServiceEngine) -> JudgeRequest | Failure:
    longest = min(engine.max_characters, LONGEST_TEXT)
    if len(row["text"]) > longest:
        return Failure("text_too_long", f"{len(row['text'])} characters, at most {longest}: split the text in the corpus")
    plain = RenderRequest(text=row["text"], language=row["language"], voice=row["voice"], seed=row["seed"], reference=None)
    ready = prepared(plain, engine)
    if isinstance(ready, Failure):
        return ready
    return speech_request(engine, ready.text, row["voice"], tries=count_tries(row.get("failed_tries")))


def speech_request(engine: ServiceEngine, text: str, voice: str, *, tries: int = 0) -> JudgeRequest:
    """Return the request for a text: equal texts in one voice of one model with the same parameters are one request.

    Args:
        engine: the service.
        text: as the service gets it.
        voice: one of its voices.
        tries: how many tries failed before: each buys another reply.
    """
    key = row_id("speech", engine.name, engine.model, dict(engine.params()), voice, text, *([tries] if tries else []))
    return JudgeRequest(key=key, prompt=text, voice=voice, longest_s=duration_bounds(text)[1])


def _sample(
    conversation: Conversation,
    row: dict[str, Any],
    *,
    job: RenderJob,
    engine: ServiceEngine,
    ledger: Ledger,
    blobs: BlobStore,
) -> dict[str, Any] | Failure:
    ((request, answer),) = conversation.exchanges
    if isinstance(answer, Refusal):
        return Failure(answer.reason, answer.message)
    version = engine.version if answer.model_served is None else legible(answer.model_served)
    if job.version is not None and not meets(version, job.version):
        raise SetupError(
            f"system {job.system}: {version!r} spoke, the recipe demands {job.version!r}: demand that one, or name another "
            "model; every reply so far is kept"
        )
    audio = ledger.audio(request.key)
    if audio is None:
        lost = f"the ledger has lost the audio of request {request.key}: restore it from a backup"
        return Failure(DAMAGED_AUDIO, f"{lost}, or buy all anew with another ledger (UNISRM_LEDGER)")
    try:
        samples, rate = speech_in(audio, media_type_of(answer.text))
    except ValueError as error:
        return Failure("unreadable_audio", f"the audio of request {request.key} cannot be read: {error}")
    voice = next(voice for voice in engine.voices() if voice.name == row["voice"])
    spoken_by = SpokenBy(voice=voice, version=version, params=engine.params())
    return sample_row(row, Waveform(samples, rate), spoken_by, job=job, blobs=blobs)


def _outcome(rows: list[dict[str, Any]], failures: list[dict[str, str]]) -> Outcome:
    return Outcome(rows=pa.Table.from_pylist(rows, schema=SAMPLES), failures=pa.Table.from_pylist(failures, schema=FAILURES))
