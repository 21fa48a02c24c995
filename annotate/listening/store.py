"""The store of a listening test: items, annotators, who hears what, and what they said."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

import pyarrow as pa

from annotate.listening.item import Answer, Item
from annotate.listening.records import Annotator, Assignment, Finished, Progress, Receipt, Refused, Share
from annotate.listening.terms import Terms

__all__ = ["Annotator", "Assignment", "Finished", "Progress", "Receipt", "Refused", "Share", "Store"]


class Store:
    """A listening test, for any number of threads and processes. What a method has returned from is on disk."""

    def __init__(self, where: str | os.PathLike[str], terms: Terms, *, clock: Callable[[], float] = time.time) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def add_items(self, items: Iterable[Item]) -> int:
        raise NotImplementedError

    def withdraw(self, item_ids: Iterable[str]) -> None:
        raise NotImplementedError

    def make_gold(self, item_id: str, values: Sequence[str]) -> None:
        raise NotImplementedError

    def unmake_gold(self, item_id: str) -> None:
        raise NotImplementedError

    def items(self) -> list[Item]:
        raise NotImplementedError

    def invite(self, name: str, levels: Mapping[str, str]) -> Annotator:
        raise NotImplementedError

    def annotator(self, annotator_id: str) -> Annotator | None:
        raise NotImplementedError

    def annotators(self) -> list[Annotator]:
        raise NotImplementedError

    def consent(self, annotator_id: str) -> None:
        raise NotImplementedError

    def equip(self, annotator_id: str) -> None:
        raise NotImplementedError

    def exclude(self, annotator_id: str, rule: str, evidence: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def pardon(self, annotator_id: str) -> None:
        raise NotImplementedError

    def next(self, annotator_id: str) -> Assignment | Finished:
        raise NotImplementedError

    def upcoming(self, annotator_id: str) -> Assignment | None:
        raise NotImplementedError

    def assignment(self, assignment_id: str, annotator_id: str) -> Assignment:
        raise NotImplementedError

    def played(self, assignment_id: str, annotator_id: str, slot: str, what: Literal["started", "ended"]) -> None:
        raise NotImplementedError

    def answer(self, assignment_id: str, annotator_id: str, answer: Answer) -> Receipt:
        raise NotImplementedError

    def take_in(self, votes: pa.Table) -> int:
        raise NotImplementedError

    def answers(self) -> pa.Table:
        raise NotImplementedError

    def votes(self) -> pa.Table:
        raise NotImplementedError

    def ratings(self) -> pa.Table:
        raise NotImplementedError

    def progress(self) -> Progress:
        raise NotImplementedError

    def version(self) -> str:
        raise NotImplementedError
