"""Which texts are spoken, and after which reference recording.

Leakage decides the rules. Texts that share a reference recording, or recordings that are a target in one prompt and a
reference in another, must stay in one split together; so a recording has one role only, and a reference serves a second text
only when every other reference of its speaker has served as often.

Turns of a dialogue stay in one split together anyway. A turn's reference is therefore an earlier turn of the same dialogue: it
ties no two dialogues together, and gives nothing away, because listeners and judges hear the earlier turns too.
"""

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

import pyarrow as pa

from contracts.errors import RecipeError
from contracts.ids import canonical_json, row_id
from contracts.rng import hash_fraction
from contracts.schemas import DROPS, PROMPTS
from contracts.text_forms import keyed
from synth.dialogues import openings, position
from synth.duplicate_texts import Reason, UsableUtterance, without_duplicates
from synth.foreign_texts import Choice, with_foreign_texts, without_donors
from synth.reference_choice import STAGE, RankedChoice, with_reference, without_reference

_COLUMNS: Final = (
    "utterance_id",
    "corpus",
    "text",
    "language",
    "speaker_id",
    "style",
    "audio_path",
    "duration_s",
    "license",
    "dialogue_id",
    "turn",
    "problem",
    "category",
)
_TURN: Final = ("dialogue_id", "turn")
# Scripts written without spaces: one character counts as one word (CJK ideographs, kana).
_UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def choose(
    utterances: pa.Table,
    *,
    seed: int,
    texts: int | Mapping[str, int] | None = None,
    min_duration_s: float = 1.0,
    max_duration_s: float = 30.0,
    min_words: int = 1,
    styles: Sequence[str] | None = None,
    reference: Literal["same_speaker", "none"] = "same_speaker",
    reference_min_duration_s: float = 1.0,
    reference_max_duration_s: float = math.inf,
    history: bool = False,
    targets: Literal["texts", "recordings"] = "texts",
    foreign: Collection[str] = (),
    failed: Collection[str] = (),
) -> tuple[pa.Table, pa.Table]:
    """Choose target texts and their reference recordings.

    Every utterance ends once: as a target, as a reference, or as a drop. Reasons of drops: ``other_style``, ``too_short``,
    ``too_long``, ``no_text``, ``few_words``, ``no_history``, ``duplicate_text`` (equal in their
    ``identity_form``; one of them stays in the game), ``no_reference``, ``recording_failed``, ``not_selected`` (more than
    ``texts`` wanted); for an utterance with a ``problem``, that problem.

    Of recordings with one text, one counts whose speaker has a reference, if there is any. Audio that failed makes room for the
    same speaker's other recording of the text; a target whose reference failed gets the speaker's next one. Neither moves
    another prompt.

    A text without a recording (``audio_path`` is null) can be a target, never a reference.

    The choice is by hash: it does not depend on the order of the rows, and raising ``texts`` keeps all earlier prompts.

    With ``history``, only turns of a dialogue whose earlier turns are all usable can be targets (see synth.dialogues), and
    every dialogue gives one target before any gives a second. The reference is the speaker's first turn in the dialogue that
    is fit to be one; other turns before it have none (``no_reference``). A dropped turn may still be heard as history.

    Args:
        utterances: table of schema UTTERANCES.
        seed: the recipe's seed.
        texts: how many target texts at most, in all or of each corpus; None = as many as there are.
        min_duration_s: shortest target recording; an unknown duration passes all three limits.
        max_duration_s: longest recording, target or reference.
        min_words: fewest words of a target text; each Chinese or Japanese character counts as a word.
        styles: styles to use, for targets and references; None = all.
        reference: ``same_speaker``: another recording of the target's speaker; ``none``: prompts without reference speech.
        reference_min_duration_s: shortest reference recording.
        reference_max_duration_s: longest reference recording; a longer one can still be a target.
        targets: ``texts``: each text is a target once; ``recordings``: every recording is one, without a reference.
        foreign: styles in which a chosen reference also speaks a text of the other language, English or Chinese (see
            synth.foreign_texts); these come on top of ``texts``.
        history: whether targets are turns of dialogues, to be judged by what was spoken before.
        failed: utterances whose audio was tried and cannot be used.

    Returns:
        Tables of schema PROMPTS (in order of choice) and DROPS (by utterance id).

    Raises:
        RecipeError: an argument makes no sense.
        DataError: with ``history``, two usable recordings are the same turn of a dialogue.
    """
    if reference not in {"same_speaker", "none"}:
        raise RecipeError(f"prompts: reference must be same_speaker or none, got {reference!r}")
    if min_duration_s > max_duration_s or any(count < 1 for count in _quotas(texts)):
        raise RecipeError("prompts: wants min_duration_s <= max_duration_s and texts >= 1 (or null for all)")
    dropped = dict[str, tuple[str, str, object]]()
    candidates = list[UsableUtterance]()
    rows = utterances.select(_COLUMNS).to_pylist()
    before = openings(rows) if history else {}
    for row in rows:
        if row["problem"] is not None:
            dropped[row["utterance_id"]] = ("corpora", row["problem"], {"corpus": row["corpus"]})
            continue
        if row["text"] is None:
            dropped[row["utterance_id"]] = (STAGE, "no_text", {"corpus": row["corpus"]})
            continue
        duration_s, spoken = row["duration_s"], keyed(row["text"])
        words = count_words(spoken)
        turn = position(row, before)
        unusable = _unusable(row["style"], styles, duration_s, max_duration_s)
        candidate = UsableUtterance(
            row=row,
            rank=(hash_fraction(seed, STAGE, row["utterance_id"]), row["utterance_id"]),
            spoken=spoken,
            unfit=unusable
            or _too_short(duration_s, min_duration_s)
            or (("few_words", {"words": words, "min_words": min_words}) if words < min_words else None)
            or (("no_history", {name: row[name] for name in _TURN}) if history and turn in {None, 1} else None)
            or (("recording_failed", {}) if targets == "recordings" and row["utterance_id"] in failed else None),
            can_refer=reference == "same_speaker"
            and row["audio_path"] is not None
            and not unusable
            and not _too_short(duration_s, reference_min_duration_s)
            and (duration_s is None or duration_s <= reference_max_duration_s)
            and (turn is not None or not history),
            failed=row["utterance_id"] in failed,
        )
        if candidate.unfit and not candidate.can_refer:
            dropped[candidate.utterance_id] = (STAGE, *candidate.unfit)
        else:
            candidates.append(candidate)
    one_each = partial(without_duplicates, alone=history or reference == "none")
    kept, duplicates = one_each(candidates) if targets == "texts" else (sorted(candidates, key=lambda one: one.rank), {})
    dropped |= {duplicate: (STAGE, "duplicate_text", {"of": first}) for duplicate, first in duplicates.items()}
    if history:
        chosen = _in_dialogues(kept, dropped, alone=reference == "none")
    else:
        chosen = without_reference(kept) if reference == "none" else with_reference(kept, dropped)
    ordered = [(target, source) for _, target, source in sorted(chosen, key=lambda choice: choice[0])]
    own, donors = without_donors(ordered, foreign)
    prompts = [_prompt(*choice) for choice in with_foreign_texts(_selected(own, texts), own, donors)]
    used = {row[role] for row in prompts for role in ("target_utterance_id", "reference_utterance_id")}
    for candidate in kept:
        if candidate.utterance_id not in used and candidate.utterance_id not in dropped:
            idle = ("recording_failed", {}) if candidate.failed else ("not_selected", {"texts": texts})
            dropped[candidate.utterance_id] = (STAGE, *(candidate.unfit or idle))
    drops = [
        {"stage": STAGE, "row_id": row, "filter": rule, "reason": reason, "evidence": canonical_json(evidence)}
        for row, (rule, reason, evidence) in sorted(dropped.items())
    ]
    return pa.Table.from_pylist(prompts, schema=PROMPTS), pa.Table.from_pylist(drops, schema=DROPS)


def _quotas(texts: int | Mapping[str, int] | None) -> Iterable[int]:
    if isinstance(texts, Mapping):
        return texts.values()
    return () if texts is None else (texts,)


def _selected(choices: Sequence[Choice], texts: int | Mapping[str, int] | None) -> list[Choice]:
    """Return the first choices: so many in all, or of each corpus."""
    if not isinstance(texts, Mapping):
        return list(choices[:texts])
    left, selected = dict(texts), list[Choice]()
    for target, source in choices:
        if left.get(corpus := target.row["corpus"], 0):
            left[corpus] -= 1
            selected.append((target, source))
    return selected


def count_words(text: str) -> int:
    """Count words: letters and digits between white space; a character of a script without spaces is a word by itself."""
    spaced = _UNSPACED.sub(" ", text)
    return len(_UNSPACED.findall(text)) + sum(any(character.isalnum() for character in word) for word in spaced.split())


def _unusable(style: str, styles: Sequence[str] | None, duration_s: float | None, max_duration_s: float) -> Reason | None:
    if styles is not None and style not in styles:
        return "other_style", {"style": style}
    if duration_s is not None and duration_s > max_duration_s:
        return "too_long", {"duration_s": duration_s, "max_duration_s": max_duration_s}
    return None


def _too_short(duration_s: float | None, limit_s: float) -> Reason | None:
    if duration_s is not None and duration_s < limit_s:
        return "too_short", {"duration_s": duration_s, "min_duration_s": limit_s}
    return None


def _in_dialogues(
    candidates: Iterable[UsableUtterance], dropped: dict[str, tuple[str, str, object]], *, alone: bool
) -> list[RankedChoice]:
    """Pair turns with an earlier one of their speaker, or leave them ``alone``; a choice sorts by its place in its dialogue."""

    def turn(candidate: UsableUtterance) -> int:
        return int(candidate.row["turn"])

    dialogues = defaultdict[tuple[str, str], dict[str | None, list[UsableUtterance]]](lambda: defaultdict(list))
    for candidate in candidates:
        dialogues[candidate.row["corpus"], candidate.row["dialogue_id"]][candidate.row["speaker_id"]].append(candidate)
    choices = list[RankedChoice]()
    for speakers in dialogues.values():
        found = list[tuple[UsableUtterance, UsableUtterance | None]]()
        for speaker, spoken in speakers.items():
            able = [one for one in spoken if one.can_refer and speaker is not None]
            first = min(able, key=lambda one: (one.failed, turn(one)), default=None)
            fit = [one for one in spoken if not one.unfit]
            targets = fit if alone else [one for one in fit if first and turn(first) < turn(one)]
            found += [(target, first) for target in targets]
            used = {one.utterance_id for one in (*targets, first) if one and targets}
            idle = [one.utterance_id for one in fit if one.utterance_id not in used]
            dropped |= dict.fromkeys(idle, (STAGE, "no_reference", {"speaker_id": speaker}))
        found.sort(key=lambda pair: pair[0].rank)
        choices += [((number, *target.rank), target, source) for number, (target, source) in enumerate(found)]
    return choices


def _prompt(target: UsableUtterance, source: UsableUtterance | None) -> dict[str, Any]:
    row, reference = target.row, source.row if source else None
    return identified(
        {
            "text": target.spoken,
            "language": row["language"],
            "reference_language": reference["language"] if reference else None,
            "style": row["style"],
            "corpus": row["corpus"],
            "speaker_id": reference["speaker_id"] if reference else row["speaker_id"],
            "target_utterance_id": target.utterance_id,
            "reference_utterance_id": reference["utterance_id"] if reference else None,
            "reference_text": source.spoken if source else None,
            "license": row["license"],
            "reference_category": reference["category"] if reference else None,
        }
    )


def identified(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of PROMPTS with its ``group_id`` (language and text) and ``prompt_id`` (group and recordings)."""
    group_id = row_id("text", prompt["language"], prompt["text"])
    recordings = prompt["reference_utterance_id"], prompt["target_utterance_id"]
    return {**prompt, "group_id": group_id, "prompt_id": row_id("prompt", group_id, *recordings)}
