"""Inquiries: the request that each row becomes, and its key in the ledger.

A request table has the columns ``subject_id`` (key of the row asked about), those of the task (``task.shown`` and the values
of ``task.audios``; for Task 1 ``text``, ``language``, ``reference_audio_id``, ``audio_a``, ``audio_b``), for each of
``judge.facts`` ``<fact>_a`` and ``<fact>_b`` (float64, null = not measured), and, from ``played``, ``order`` and ``vote``.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

import pyarrow as pa

from annotate.models.judge import Judge
from annotate.models.request import JudgeRequest, LabelledAudio
from annotate.models.task import TaskSpec
from contracts.errors import DataError
from contracts.ids import ID_HEX_LENGTH, digest

Orders = Literal["stored", "both"]

_ROWS_AT_ONCE: Final = 4096


def played(requests: pa.Table, *, orders: Orders = "stored", votes: int = 1, first_vote: int = 0) -> pa.Table:
    """Return the rows as they are sent: ``votes`` times, and with ``both`` once more each with the speeches exchanged.

    Exchanged are all columns that end in ``_a`` and ``_b``. ``order`` is ``ab`` or ``ba``, ``vote`` counts from ``first_vote``.
    """
    names = requests.column_names
    other = {name: f"{name[:-1]}{'b' if name.endswith('a') else 'a'}" for name in names if name.endswith(("_a", "_b"))}
    turns = [("ab", requests)]
    if orders == "both":
        exchanged = [requests[other.get(name, name)] for name in names]
        turns.append(("ba", pa.Table.from_arrays(exchanged, schema=requests.schema)))
    return pa.concat_tables(
        table.append_column("order", pa.repeat(order, len(table))).append_column(
            "vote", pa.repeat(pa.scalar(vote, pa.int64()), len(table))
        )
        for vote in range(first_vote, first_vote + votes)
        for order, table in turns
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One row and the request about it.

    Attributes:
        row_id: key of the row of ``judgments``, ``writings`` or ``samples`` that the answer becomes.
        subject_id: the row asked about.
        order: ``ab`` or ``ba``, for a pair.
        vote: how many equal requests go before.
        language: language of the row, which chose the template.
        request: the request.
        missing_column: first column without the clip or text that the request needs; None = nothing is missing.
        shown: what the request shows, by column; empty unless the task checks replies against it.
    """

    row_id: str
    subject_id: str
    order: str = "ab"
    vote: int = 0
    language: str | None = None
    request: JudgeRequest
    missing_column: str | None = None
    shown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """A task with a judge: what all its requests have in common.

    Attributes:
        task: what is asked.
        judge: the judge.
        settings: hash of the judge's parameters.
        identity: hash of all that can enter a key beside the row itself: task, prompt versions, judge, model and parameters.
    """

    task: TaskSpec
    judge: Judge
    settings: str
    identity: str
    _parts: str

    @classmethod
    def of(cls, task: TaskSpec, judge: Judge) -> Self:
        """Return the inquiry of a task and a judge."""
        parts = [task.name, list(task.audios), judge.name, judge.model, judge.params(), list(judge.facts)]
        settings = digest(dict(judge.params()))
        return cls(task=task, judge=judge, settings=settings, identity=digest([parts, task.versions]), _parts=digest(parts))

    def key(
        self,
        tag: str | None,
        prompt: str,
        *,
        audio_ids: Sequence[str],
        facts: Sequence[float | None] = (),
        vote: int = 0,
        repeat: int = 0,
    ) -> str:
        """Return the ledger key of one request: equal keys are equal requests to the same judge about the same audio.

        Args:
            tag: language of the row.
            prompt: hash of the rendered prompt.
            audio_ids: the clips, in order.
            facts: values of the judge's facts.
            vote: how many equal requests go before.
            repeat: 1 for the follow-up.

        Raises:
            ValueError: a fact is NaN or infinite.
        """
        version = self.task.prompt_version(tag)
        return _row_id("request", self._parts, version, prompt, len(audio_ids), *audio_ids, *facts, vote, repeat)

    def cases(self, requests: pa.Table, *, complete: bool | None = None) -> Iterator[Case]:
        """Yield the case of each row, in order, a few thousand rows in memory at a time.

        Args:
            requests: the rows.
            complete: yield only rows without a ``missing_column``, or only those with one; None = all. The others cost
                little: their prompts are not rendered.

        Raises:
            DataError: a column is missing.
        """
        task, facts = self.task, [f"{fact}_{side}" for fact in self.judge.facts for side in "ab"]
        wanted = ["subject_id", *task.shown, *task.audios.values(), *facts]
        if absent := [name for name in wanted if name not in requests.column_names]:
            raise DataError(
                f"judge {self.judge.name!r} on {task.name}: the requests lack the columns {', '.join(absent)}; "
                "a recipe must name every metric and every role that its judge needs"
            )
        optional = [name for name in ("order", "vote", "language") if name in requests.column_names and name not in wanted]
        rendered: dict[tuple[str | None, ...], tuple[str, str]] = {}
        for start in range(0, requests.num_rows, _ROWS_AT_ONCE):
            rendered.clear()  # neighbouring pairs share their text; the whole corpus need not be in memory
            chunk = requests.select([*wanted, *optional]).slice(start, _ROWS_AT_ONCE)
            columns = {name: chunk[name].to_pylist() for name in chunk.column_names}
            for values in zip(*columns.values(), strict=True):
                row = dict(zip(columns, values, strict=True))
                missing = self._missing_column(row)
                if complete is None or complete == (missing is None):
                    yield self._case(row, missing, facts, rendered)

    def _missing_column(self, row: Mapping[str, Any]) -> str | None:
        """Return the first column without the text or clip that the request needs."""
        for name in self.task.shown:
            if row[name] is None:
                return name
        for column in self.task.audios.values():
            clips = row[column]
            if not clips or (isinstance(clips, list) and not all(clips)):
                return column
        return None

    def _case(
        self,
        row: Mapping[str, Any],
        missing_column: str | None,
        facts: Sequence[str],
        rendered: dict[tuple[str | None, ...], tuple[str, str]],
    ) -> Case:
        task, tag, vote = self.task, row.get("language"), row.get("vote", 0)
        shown = (tag, *(row[name] for name in task.shown))
        if shown not in rendered:
            texts = {name: row[name] or "" for name in task.shown}
            prompt = task.render(tag, **texts)
            rendered[shown] = prompt, digest(prompt)
        prompt, prompt_digest = rendered[shown]
        audios: list[LabelledAudio] = []
        for label, column in task.audios.items():
            clips = row[column] if isinstance(row[column], list) else [row[column]]
            audios += [LabelledAudio(label.format(n=n), clip) for n, clip in enumerate(clips, start=1) if clip]
        given = {name: row[name] for name in facts}
        audio_ids = [audio.audio_id for audio in audios]
        key = self.key(tag, prompt_digest, audio_ids=audio_ids, facts=list(given.values()), vote=vote)
        order = row.get("order", "ab")
        return Case(
            row_id=_row_id("judgment", row["subject_id"], key, order, *task.checked_by),
            subject_id=row["subject_id"],
            order=order,
            vote=vote,
            language=tag,
            request=JudgeRequest(key=key, prompt=prompt, audios=tuple(audios), facts=given),
            missing_column=missing_column,
            shown={} if task.check is None else {name: row[name] or "" for name in task.shown},
        )

    def follow_up(self, case: Case, problem: str) -> JudgeRequest:
        """Return the request that follows a first reply that could not be used."""
        first = case.request
        prompt = self.task.follow_up(first.prompt, problem, case.language)
        audio_ids = [audio.audio_id for audio in first.audios]
        facts = list(first.facts.values())
        key = self.key(case.language, digest(prompt), audio_ids=audio_ids, facts=facts, vote=case.vote, repeat=1)
        return JudgeRequest(key=key, prompt=prompt, audios=first.audios, repeat=1, facts=first.facts)


def row_ids(requests: pa.Table, *, task: TaskSpec, judge: Judge) -> pa.Array:
    """Return the key of the row that each request becomes, shape (rows,), without asking anyone and without the ledger.

    Equal keys are the same row, request, judge and audio: a row of ``judgments`` or ``writings`` that has one is final.

    Raises:
        DataError: a column is missing.
    """
    return pa.array([case.row_id for case in Inquiry.of(task, judge).cases(requests)], pa.string())


def _row_id(*literals: str | float | None) -> str:
    """Return what ``contracts.ids.row_id`` returns, without checking every value: each start needs 100,000 ids."""
    text = json.dumps(literals, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_HEX_LENGTH]
