"""The identifier of the better of two clips, and nothing else (MOS-RMBench, App. B.2 Fig. 9).

The clip that the reply names gets 1 and the other 0, so that all that goes by scores and totals of a pair holds.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from annotate.models.parse.envelope import opened
from annotate.models.task import Parsed, ParseError, TaskSpec
from annotate.models.tasks.critique_pair import QUALITY

IDENTIFIERS: Final[Mapping[str, str]] = MappingProxyType({"a": "Audio 1", "b": "Audio 2"})
"""Speech -> what the whole reply is where it is the better one."""

_ANSWERS: Final[Mapping[str, Literal["a", "b"]]] = MappingProxyType({IDENTIFIERS["a"]: "a", IDENTIFIERS["b"]: "b"})


def parse(reply: str) -> Parsed:
    """Read an identifier.

    Raises:
        ParseError: with the reasons of ``annotate.models.parse.envelope``, or ``no_identifier``.
    """
    text = opened(reply)
    if text not in _ANSWERS:
        raise ParseError("no_identifier", f"the whole reply must be {' or '.join(map(repr, _ANSWERS))}, not {text[:80]!r}")
    score_a, score_b = (float(identifier == text) for identifier in IDENTIFIERS.values())
    return Parsed(
        scores_a={QUALITY.name: score_a},
        scores_b={QUALITY.name: score_b},
        total_a=score_a,
        total_b=score_b,
        answer=_ANSWERS[text],
        rationale="",
        completion=text,
    )


PLUGIN: Final = TaskSpec(
    name="better_clip",
    templates={"en": "better_clip.en.jinja"},
    fields=(),
    audios={"Audio 1": "audio_a", "Audio 2": "audio_b"},
    dimensions=(QUALITY,),
    scale=(0.0, 1.0),
    parse=parse,
)
