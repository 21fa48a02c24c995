"""Exported tasks: the order of their clips, and the id by which an imported vote finds its subject.

A task id is the hash of the subject and of the order played. It tells annotators nothing. The importer knows all subjects and
so resolves it, whatever the seed. A changed id matches no task, so a vote never counts for a wrong pair or side.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from annotate.people.store.item import Item, ItemClip, Order
from contracts import ids
from contracts.errors import DataError
from contracts.rng import hash_fraction

_ORDERS: Final[tuple[Order, Order]] = ("ab", "ba")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedTask:
    """An item as it is exported.

    Attributes:
        task_id: key of the answer.
        item: the item.
        order: ab = clip A of the pair is played first and shown as A; ba = clip B is.
    """

    task_id: str
    item: Item
    order: Order

    def audio(self) -> dict[str, ItemClip]:
        """Return name -> clip in the order played: those of ``clip_names``, references, history."""
        clips = self.item.clips if self.order == "ab" else tuple(reversed(self.item.clips))
        found = dict(zip(clip_names(len(clips), critique=self.item.critique is not None), clips, strict=True))
        found |= {f"reference_{number}": clip for number, clip in enumerate(self.item.references, start=1)}
        return found | {f"history_{number}": clip for number, clip in enumerate(self.item.history, start=1)}


def clip_names(clips: int, *, critique: bool) -> tuple[str, ...]:
    """Return the names of an item's clips in the order played; those of a critique are called as it calls them."""
    if clips == 1:
        return ("audio",)
    return ("audio_1", "audio_2") if critique else ("audio_a", "audio_b")


def task_id(subject_id: str, order: Order) -> str:
    """Return the id of a task."""
    return ids.row_id("exchange_task", subject_id, order)


def tasks_of(items: Iterable[Item], clips: int, seed: int) -> list[ExportedTask]:
    """Return one task per item, shuffled, each with its own random order of clips; the seed fixes both.

    The clips that a critique is about keep their order.

    Args:
        items: one per subject.
        clips: number of clips that the protocol compares.
        seed: of the orders.

    Raises:
        DataError: there is no item, two items are about the same subject, or an item has another number of clips.
    """
    tasks: dict[str, ExportedTask] = {}
    for item in items:
        if len(item.clips) != clips:
            raise DataError(f"item {item.item_id}: the protocol plays {clips} clips, it has {len(item.clips)}")
        if item.subject_id in tasks:
            raise DataError(f"two items are about {item.subject_id}: an answer could not tell them apart")
        is_free = clips == 2 and item.critique is None
        order = _ORDERS[is_free and hash_fraction(seed, "exchange_order", item.item_id) < 0.5]
        tasks[item.subject_id] = ExportedTask(task_id=task_id(item.subject_id, order), item=item, order=order)
    if not tasks:
        raise DataError("there is nothing to export: no item is open")
    return sorted(tasks.values(), key=lambda task: hash_fraction(seed, "exchange_row", task.item.item_id))


def subjects_of_tasks(known_subjects: Iterable[str]) -> Mapping[str, tuple[str, Order]]:
    """Return task id -> (subject, order) of all possible tasks of these subjects."""
    return {task_id(subject, order): (subject, order) for subject in known_subjects for order in _ORDERS}
