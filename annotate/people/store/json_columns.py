"""Conversion of items and answers to and from the JSON columns of the tables."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

from annotate.people.store.item import Answer, Item, ItemClip
from contracts.ids import canonical_json

_CLIPS: Final = ("clips", "references", "history")
_CLIP: Final = tuple(field.name for field in fields(ItemClip))
_ITEM: Final = tuple(field.name for field in fields(Item) if field.name != "gold")


def item_text(item: Item) -> str:
    """Return an item as JSON, without its gold, which may change."""
    facts = {name: getattr(item, name) for name in _ITEM}
    clips = {name: [{key: getattr(clip, key) for key in _CLIP} for clip in facts[name]] for name in _CLIPS}
    return json.dumps(facts | clips, ensure_ascii=False)


def item_from(content: str, gold: str | None = None) -> Item:
    """Return the item of its JSON text and its gold column."""
    facts: dict[str, Any] = json.loads(content)
    for name in _CLIPS:
        facts[name] = tuple(ItemClip(**clip) for clip in facts[name])
    return Item(**facts | {"gold": tuple(json.loads(gold)) if gold else ()})


def answer_columns(answer: Answer) -> dict[str, Any]:
    """Return an answer as columns of the table of assignments."""
    return {
        "value": answer.value,
        "errors_a": _list_text(answer.errors_a),
        "errors_b": _list_text(answer.errors_b),
        "accurate_a": None if answer.errors_a is None else not answer.errors_a,
        "accurate_b": None if answer.errors_b is None else not answer.errors_b,
        "scores": canonical_json({scale: float(rating) for scale, rating in answer.scores.items()}),
    }


def answer_from(row: Any) -> Answer:
    """Return the answer of a row of the table of assignments."""
    return Answer(
        value=row.value,
        errors_a=list_from(row.errors_a),
        errors_b=list_from(row.errors_b),
        scores=json.loads(row.scores) if row.scores else {},
    )


def list_from(words: str | None) -> tuple[str, ...] | None:
    """Return the strings of a JSON list, None for None."""
    return None if words is None else tuple(json.loads(words))


def _list_text(words: Sequence[str] | None) -> str | None:
    return None if words is None else canonical_json(list(words))
