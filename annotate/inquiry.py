"""Inquiries: which question a row is, and the key under which the ledger keeps the reply to it.

A request table has the columns ``pair_id``, those of the task (``task.fields`` and the values of ``task.audios``; for Task 1
``text``, ``language``, ``reference_audio_id``, ``audio_a``, ``audio_b``) and, for each of ``judge.facts``, ``<fact>_a`` and
``<fact>_b`` (float64, null = not measured).
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import pyarrow as pa

from annotate.judge import Judge, JudgeRequest, LabelledAudio
from annotate.task import TaskSpec
from contracts.errors import DataError
from contracts.ids import ID_HEX_LENGTH, digest

_ROWS_AT_ONCE: Final = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One pair and the question about it.

    Attributes:
        judgment_id: key of the row of ``judgments`` that the answer becomes.
        pair_id: the pair.
        request: the question.
        silent: first audio column without a clip; None = all are there.
    """

    judgment_id: str
    pair_id: str
    request: JudgeRequest
    silent: str | None


class _Row(NamedTuple):
    judgment_id: str
    pair_id: str
    key: str
    prompt: str
    audio_ids: Sequence[str | None]
    facts: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """A task put to a judge: what all its questions have in common.

    Attributes:
        task: what is asked.
        judge: who is asked.
        identity: hash of all that enters every key: task, prompt version, judge, model and parameters.
    """

    task: TaskSpec
    judge: Judge
    identity: str

    @classmethod
    def of(cls, task: TaskSpec, judge: Judge) -> Self:
        """Return the inquiry of a task and a judge."""
        question = [task.name, task.prompt_version, list(task.audios)]
        asked = [judge.name, judge.model, judge.params(), list(judge.facts)]
        return cls(task=task, judge=judge, identity=digest([*question, *asked]))

    def key(self, prompt_digest: str, audio_ids: Sequence[str | None], facts: Sequence[float | None], repeat: int) -> str:
        """Return the ledger key of one question: equal keys are the same question to the same judge about the same sound.

        Raises:
            ValueError: a fact is NaN or infinite.
        """
        return _row_id("request", self.identity, prompt_digest, *audio_ids, *facts, repeat)

    def cases(self, requests: pa.Table) -> Iterator[Case]:
        """Yield the case of each row, in order.

        Raises:
            DataError: a column is missing.
        """
        labels, columns, facts = list(self.task.audios), list(self.task.audios.values()), self._fact_columns()
        for row in self.rows(requests):
            silent = next((name for name, audio in zip(columns, row.audio_ids, strict=True) if not audio), None)
            request = JudgeRequest(
                key=row.key,
                prompt=row.prompt,
                facts=dict(zip(facts, row.facts, strict=True)),
                audios=tuple(LabelledAudio(label, audio) for label, audio in zip(labels, row.audio_ids, strict=True) if audio),
            )
            yield Case(judgment_id=row.judgment_id, pair_id=row.pair_id, request=request, silent=silent)

    def rows(self, requests: pa.Table) -> Iterator[_Row]:
        """Yield what each row asks, in order, a few thousand rows in memory at a time.

        Raises:
            DataError: a column is missing.
        """
        task = self.task
        wanted = ["pair_id", *task.fields, *task.audios.values(), *self._fact_columns()]
        if lacking := [name for name in wanted if name not in requests.column_names]:
            raise DataError(
                f"judge {self.judge.name!r} on {task.name}: the requests lack the columns {', '.join(lacking)}; "
                "a recipe must name every metric that its judge needs"
            )
        audio_at, facts_at = 1 + len(task.fields), 1 + len(task.fields) + len(task.audios)
        prompts: dict[tuple[str, ...], tuple[str, str]] = {}
        for start in range(0, requests.num_rows, _ROWS_AT_ONCE):
            prompts.clear()  # neighbouring pairs share their text; the whole corpus need not be in memory
            columns = [requests[name].slice(start, _ROWS_AT_ONCE).to_pylist() for name in wanted]
            for pair_id, *values in zip(*columns, strict=True):
                shown = tuple(values[: audio_at - 1])
                if shown not in prompts:
                    rendered = task.render(**dict(zip(task.fields, shown, strict=True)))
                    prompts[shown] = rendered, digest(rendered)
                prompt, prompt_digest = prompts[shown]
                audio_ids, facts = values[audio_at - 1 : facts_at - 1], values[facts_at - 1 :]
                key = self.key(prompt_digest, audio_ids, facts, 0)
                yield _Row(_row_id("judgment", pair_id, key), pair_id, key, prompt, audio_ids, facts)

    def _fact_columns(self) -> list[str]:
        return [f"{fact}_{side}" for fact in self.judge.facts for side in "ab"]

    def follow_up(self, request: JudgeRequest, problem: str) -> JudgeRequest:
        """Return the question that is asked after a reply that could not be used."""
        prompt, repeat = self.task.follow_up(request.prompt, problem), request.repeat + 1
        key = self.key(digest(prompt), [audio.audio_id for audio in request.audios], list(request.facts.values()), repeat)
        return JudgeRequest(key=key, prompt=prompt, audios=request.audios, repeat=repeat, facts=request.facts)


def judgment_ids(requests: pa.Table, *, task: TaskSpec, judge: Judge) -> pa.Array:
    """Return the ``judgment_id`` of each request, shape (rows,), without asking anyone and without the ledger.

    Equal ids are the same pair, question, judge and sound: a row of ``judgments`` that has one is final.

    Raises:
        DataError: a column is missing.
    """
    return pa.array([row.judgment_id for row in Inquiry.of(task, judge).rows(requests)], pa.string())


def _row_id(*literals: str | float | None) -> str:
    """Return what ``contracts.ids.row_id`` returns, without its look at every value: 100,000 ids are wanted at every start."""
    text = json.dumps(literals, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_HEX_LENGTH]
