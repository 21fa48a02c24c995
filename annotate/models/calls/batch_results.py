"""The results of an ended batch: read from the provider, matched by key, and committed to the ledger."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from annotate.models.judge import BatchSession
from annotate.models.ledger.async_writer import LedgerWriter
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Answer, AttemptError, AttemptFailure, Refusal
from annotate.models.usage import booked

_ANSWERS_AT_ONCE: Final = 256  # committed together


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchUpdate:
    """What came of a batch: its answers, in one or more updates, and in the last one its requests without an answer.

    Attributes:
        answers: answers that are in the ledger.
        unanswered: requests that may be sent again, each with the failure.
        finished: whether this is the last update.
        accepted: whether the provider had the batch at all.
    """

    answers: Sequence[Answer] = ()
    unanswered: Mapping[str, AttemptFailure] = field(default_factory=dict)
    finished: bool = False
    accepted: bool = True


class BatchResults:
    """Commits the results of batches.

    Attributes:
        unmatched: lines of results that belong to no open request: unknown keys, and second answers.
    """

    def __init__(self, *, session: BatchSession, writer: LedgerWriter) -> None:
        """Start with none.

        Args:
            session: where results are read.
            writer: the ledger.
        """
        self.unmatched = 0
        self._session, self._writer = session, writer

    async def committed(
        self, batch_id: str, unanswered: dict[str, float], failures: dict[str, AttemptFailure]
    ) -> AsyncIterator[Sequence[Answer]]:
        """Yield the answers of an ended batch as soon as they are in the ledger, matched by key and each once.

        Args:
            batch_id: the provider's id.
            unanswered: keys of the batch that have no answer, with their highest prices; those that get one are removed.
            failures: filled with the failures of single requests. An answer to the same request replaces a failure.

        Raises:
            AttemptError: not all results could be read.
        """
        answers: list[Answer] = []
        try:
            async for key, outcome in self._session.results(batch_id):
                if key not in unanswered:
                    self.unmatched += 1
                elif isinstance(outcome, AttemptFailure):
                    failures.setdefault(key, outcome)
                else:
                    answers.append((key, booked(outcome, unanswered.pop(key))))
                if len(answers) >= _ANSWERS_AT_ONCE:
                    yield await self._commit(answers)
                    answers = []
        except AttemptError:
            if answers:
                yield await self._commit(answers)
            raise
        if answers:
            yield await self._commit(answers)

    async def close(self, name: str, failures: Mapping[str, AttemptFailure]) -> BatchUpdate:
        """Close a batch whose answers are all in the ledger.

        Args:
            name: of the batch.
            failures: the failures of its other requests.
        """
        # A request that was surely not answered costs nothing. One that may have been stays booked when the batch is closed.
        free = [(key, Refusal(reason=why.reason, message=why.message)) for key, why in failures.items() if not why.lost]

        def close(ledger: Ledger) -> None:
            with ledger.together():
                ledger.commit(free)
                ledger.close_batch(name, lost=len(free) < len(failures))

        await self._writer.call(close)
        final = [(key, refusal) for key, refusal in free if failures[key].kind == "request"]
        ended = {key for key, _ in final}
        unanswered = {key: failure for key, failure in failures.items() if key not in ended}
        return BatchUpdate(answers=final, unanswered=unanswered, finished=True)

    async def _commit(self, answers: Sequence[Answer]) -> Sequence[Answer]:
        await self._writer.call(lambda ledger: ledger.commit(answers))
        return answers
