"""What was spoken before: the turns of a dialogue up to the one that is to be judged (UniSRM, Task 4).

A history is all turns from the first to the one before the target. It counts only when it is complete: a turn that is missing
or unusable in the corpus leaves a gap, and nothing after a gap has a history, because a reply cannot be judged on half of what
it replies to. Turns therefore count 1, 2, 3, ...
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from contracts.errors import DataError, RecipeError

HISTORIES: Final = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("history_utterance_ids", pa.list_(pa.string())),
        ("history_text", pa.string()),
    ]
)
"""What was spoken before a prompt's target: recordings in order, and their words, a line each. Null = no complete history."""

TURN_COLUMNS: Final = ("utterance_id", "corpus", "dialogue_id", "turn", "text", "problem")

_Dialogue = tuple[str, str]  # corpus and dialogue id
_Row = Mapping[str, Any]


def openings(utterances: Iterable[_Row]) -> dict[_Dialogue, list[str]]:
    """Return the utterances of every dialogue from its first turn to the last before a gap.

    The history of a turn in an opening is what stands before it there.

    Args:
        utterances: rows with TURN_COLUMNS; those that are no turn, have a problem or no text, are as good as not there.

    Returns:
        (corpus, dialogue id) -> utterance ids; dialogues without a usable first turn have no entry.

    Raises:
        DataError: two usable recordings are the same turn.
    """
    turns = defaultdict[_Dialogue, dict[int, str]](dict)
    for row in utterances:
        is_turn = row["dialogue_id"] is not None and row["turn"] is not None
        if row["problem"] is None and is_turn and row["text"] is not None:
            known = turns[row["corpus"], row["dialogue_id"]]
            if known.setdefault(row["turn"], row["utterance_id"]) != row["utterance_id"]:
                raise DataError(
                    f"corpus {row['corpus']!r}, dialogue {row['dialogue_id']!r}: utterances {known[row['turn']]} and "
                    f"{row['utterance_id']} are both turn {row['turn']}; give each turn one recording"
                )
    return {dialogue: opening for dialogue, known in turns.items() if (opening := _opening(known))}


def _opening(known: Mapping[int, str]) -> list[str]:
    opening = list[str]()
    while len(opening) + 1 in known:
        opening.append(known[len(opening) + 1])
    return opening


def position(row: _Row, before: Mapping[_Dialogue, Sequence[str]]) -> int | None:
    """Return the turn of an utterance, counted from 1, if it and all turns before it are usable; else None.

    Args:
        row: one of the rows that the openings were made of.
        before: the openings.
    """
    turn: int | None = row["turn"]
    opening = before.get((row["corpus"], row["dialogue_id"]), ())
    return turn if turn is not None and 0 < turn <= len(opening) and opening[turn - 1] == row["utterance_id"] else None


def histories(prompts: pa.Table, utterances: pa.Table, *, longest: int | None) -> pa.Table:
    """Return what was spoken before each prompt's target turn.

    Both columns are null where there is no complete, non-empty history: the prompt has no target recording, that is no turn of
    a dialogue or its first, or any earlier turn is missing or unusable, even one that ``longest`` would cut off.

    ``history_text`` has one line a turn, ``Speaker 1: words``. Speakers count by first appearance in the history at hand; one
    that the corpus does not know is ``Unknown speaker``. White space in transcripts is collapsed, so no transcript can pass for
    another turn.

    Args:
        prompts: columns prompt_id and target_utterance_id of schema PROMPTS.
        utterances: table of schema UTTERANCES; unusable rows may be left out or in.
        longest: at most this many turns, the last ones; None = all.

    Returns:
        Table of schema HISTORIES, a row for every prompt, in their order.

    Raises:
        RecipeError: ``longest`` is below 1.
        DataError: two usable recordings are the same turn of a dialogue.
    """
    if longest is not None and longest < 1:
        raise RecipeError(f"dialogue history: longest must be 1 or more, or null for all, got {longest}")
    turns = _turns(utterances, "speaker_id")
    known = {row["utterance_id"]: row for row in turns}
    before = openings(turns)
    rows = []
    for prompt in prompts.select(["prompt_id", "target_utterance_id"]).to_pylist():
        target = known.get(prompt["target_utterance_id"])
        turn = position(target, before) if target else None
        history = before[target["corpus"], target["dialogue_id"]][: turn - 1] if target and turn else []
        if longest is not None:
            history = history[-longest:]
        rows.append(
            {
                "prompt_id": prompt["prompt_id"],
                "history_utterance_ids": history or None,
                "history_text": _script(known[utterance] for utterance in history) if history else None,
            }
        )
    return pa.Table.from_pylist(rows, schema=HISTORIES)


def dialogue_keys(prompts: pa.Table, utterances: pa.Table) -> pa.Array:
    """Return which dialogues each prompt is tied to: those of its target, of its history and of its reference.

    Args:
        prompts: columns target_utterance_id and reference_utterance_id of schema PROMPTS.
        utterances: table of schema UTTERANCES.

    Returns:
        list<string> in the order of the prompts, ``corpus/dialogue``, sorted; empty for a prompt without. It is made for the
        column ``dialogue`` of the keys of splits.groups and splits.leakage.
    """
    turns = _turns(utterances)
    home = {row["utterance_id"]: f"{row['corpus']}/{row['dialogue_id']}" for row in turns}
    roles = [prompts[f"{role}_utterance_id"].to_pylist() for role in ("target", "reference")]
    keys = [sorted({home[utterance] for utterance in both if utterance in home}) for both in zip(*roles, strict=True)]
    return pa.array(keys, pa.list_(pa.string()))


def _turns(utterances: pa.Table, *columns: str) -> list[dict[str, Any]]:
    """Return the rows that are turns; a corpus of millions has few of them."""
    is_turn = utterances["dialogue_id"].is_valid()
    turns: list[dict[str, Any]] = utterances.select([*TURN_COLUMNS, *columns]).filter(is_turn).to_pylist()
    return turns


def _script(turns: Iterable[_Row]) -> str:
    names = dict[str | None, str]()
    lines = []
    for turn in turns:
        speaker = turn["speaker_id"]
        number = len(names.keys() - {None}) + 1
        name = names.setdefault(speaker, "Unknown speaker" if speaker is None else f"Speaker {number}")
        lines.append(f"{name}: {' '.join(turn['text'].split())}")
    return "\n".join(lines)
