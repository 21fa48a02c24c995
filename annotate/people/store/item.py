"""Items: what one listener hears and is asked about at one time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Order = Literal["ab", "ba"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """One recording as it is played.

    Attributes:
        audio_id: hash of the decoded PCM, by which the blob store knows it.
        duration_s: its length.
        gain_db: what brings it to the loudness of all the others.
    """

    audio_id: str
    duration_s: float
    gain_db: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A question to listeners.

    Attributes:
        item_id: key; a content hash of all that is played and shown.
        subject_id: the pair or sample voted on.
        language: language that a listener must understand, such as ``en``; ``mixed`` asks for all of the test's languages.
        text: target text; None = not shown.
        clips: two of a pair, A and B in the pair's stored order; one of a sample.
        references: prompt speech.
        history: turns of the dialogue before, in order.
        note: what else is shown, such as the scenario; None = nothing.
        stratum: rows of one stratum are spread evenly over the work.
        gold: values that a right answer may have, in the stored order; empty = an ordinary item.
    """

    item_id: str
    subject_id: str
    language: str
    text: str | None
    clips: tuple[Clip, ...]
    references: tuple[Clip, ...] = ()
    history: tuple[Clip, ...] = ()
    note: str | None = None
    stratum: str = ""
    gold: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a listener said of an item.

    Attributes:
        value: word of the protocol, such as ``A+2`` or ``invalid``; None where a protocol only rates.
        errors_a: kinds of text errors heard in A; None = not asked.
        errors_b: likewise in B.
        scores: scale -> rating, where a protocol rates.
    """

    value: str | None = None
    errors_a: tuple[str, ...] | None = None
    errors_b: tuple[str, ...] | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
