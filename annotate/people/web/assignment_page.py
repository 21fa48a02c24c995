"""Template values of the page of an assignment: players, questions and keys. Pure functions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from annotate.people.store.protocol import CRITIQUE, FormQuestion
from annotate.people.store.store_records import Assignment, Playable
from contracts.languages import MIXED

_KEYS: Final[Mapping[int | str | None, str]] = {None: "", 0: "qwert", 1: "uiop"}
_FIVE_POINTS: Final = 5


def page_values(
    assignment: Assignment, questions: Sequence[FormQuestion], words: Mapping[str, str], language: str = "en"
) -> dict[str, Any]:
    """Return the template values of an assignment, which reveal no system, blob, gold value or stored order.

    Args:
        assignment: the assignment.
        questions: of the protocol.
        words: texts of the interface.
        language: of both.
    """
    item = assignment.item
    task = "rate" if len(item.clips) == 1 else "listen" if item.critique is None else "critique"
    return {
        "assignment": assignment.assignment_id,
        "qualification": assignment.qualification,
        "heading": words["heading_test" if assignment.qualification else f"heading_{task}"],
        "text": item.text,
        "note": item.note,
        "critique": item.critique,
        "language": "" if item.language == MIXED else item.language,
        "groups": [group for group in _groups(assignment, words) if group["players"]],
        "questions": [
            _shown(question, keys, words, language) for question, keys in zip(questions, option_keys(questions), strict=True)
        ],
        "keys": key_help(questions, len(assignment.clips), words),
    }


def clip_urls(assignment: Assignment) -> list[str]:
    """Return the addresses of all clips of an assignment."""
    playables = (*assignment.history, *assignment.references, *assignment.clips)
    return [_clip_url(assignment, playable) for playable in playables]


def _clip_url(assignment: Assignment, playable: Playable) -> str:
    return f"/audio/{assignment.assignment_id}/{playable.slot}"


def _groups(assignment: Assignment, words: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    turns = [words["turn"].replace("{n}", str(number)) for number in range(1, len(assignment.history) + 1)]
    several = len(assignment.references) > 1
    prompts = [words["prompts" if several else "prompt"].replace("{n}", str(n + 1)) for n in range(len(assignment.references))]
    pair = len(assignment.clips) > 1
    sides = ("a", "b") if assignment.item.critique is None else ("1", "2")
    clips = [words[f"play_{side}"] for side in sides] if pair else [words["play_one"]]
    for kind, heading, playables, labels, keys in (
        ("history", words["history"], assignment.history, turns, "h"),
        ("references", words["reference"], assignment.references, prompts, "r"),
        ("clips", words["heading_listen" if pair else "heading_rate"], assignment.clips, clips, "12" if pair else "p"),
    ):
        yield {
            "kind": kind,
            "heading": heading,
            "players": [
                {
                    "slot": playable.slot,
                    "src": _clip_url(assignment, playable),
                    "label": label,
                    "needed": playable.required,
                    "heard": playable.heard,
                    "left": playable.plays_left,
                    # One key plays the next unheard turn, as a dialogue can have more turns than there are keys.
                    "key": keys[number] if kind == "clips" else keys,
                }
                for number, (playable, label) in enumerate(zip(playables, labels, strict=True))
            ],
        }


def option_keys(questions: Sequence[FormQuestion]) -> list[list[str | None]]:
    """Return per question and option the key that chooses it; None = arrows and digits choose it."""
    used: set[str] = {"1", "2", "h", "r", "p"}
    all_keys: list[list[str | None]] = []
    for question in questions:
        if question.kind == "choice":
            # A choice of few options uses their first letters, a scale uses arrows and digits.
            preferred: Sequence[str | None] = [
                option[:1].lower() if len(question.options) < _FIVE_POINTS and option[:1].isalpha() else None
                for option in question.options
            ]
        else:
            pool = (key for key in _KEYS.get(question.about, "") if key not in used)
            preferred = [next(pool, None) for _ in question.options]
        keys = [key if key and key not in used and preferred.count(key) == 1 else None for key in preferred]
        used.update(key for key in keys if key)
        all_keys.append(keys)
    return all_keys


def _shown(question: FormQuestion, keys: Sequence[str | None], words: Mapping[str, str], language: str) -> dict[str, Any]:
    scale = question.is_scale
    cmos = question.kind == "choice" and not scale and len(question.options) == _FIVE_POINTS
    shape = "flags" if question.kind == "flags" else "scale" if scale else "cmos" if cmos else "choice"
    hint = words["flags_none"] if shape == "flags" else ""
    if scale:
        hint = words["scale_ends"].replace("{low}", question.options[0]).replace("{high}", question.options[-1])
    return {
        "name": question.name,
        "kind": question.kind,
        "about": None if question.about == CRITIQUE else question.about,
        "shape": shape,
        "legend": question.text_in(language),
        "hint": hint,
        "options": [
            {"value": option, "label": label, "key": key}
            for (option, label), key in zip(question.option_texts_in(language).items(), keys, strict=True)
        ],
    }


def key_help(questions: Sequence[FormQuestion], clips: int, words: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """Return the keys of a page and their explanation."""
    choose = [key for keys in option_keys(questions) for key in keys if key]
    scale = any(question.is_scale for question in questions)
    lines = [
        (["1", "2"] if clips > 1 else ["P"], words["key_play"]),
        (["R"], words["key_reference"]),
        (["H"], words["key_history"]),
    ]
    if choose:
        lines.append(([key.upper() for key in choose], words["key_choose"]))
    if scale:
        lines.append((["1", "…", questions[0].options[-1]], words["key_rate"]))
    lines += [(["←", "→"], words["key_scale"]), (["↑", "↓"], words["key_question"]), (["Enter"], words["key_submit"])]
    return lines
