"""Items of a listening test, and answers to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Order = Literal["ab", "ba"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemClip:
    """One recording as it is played.

    Attributes:
        audio_id: hash of the decoded PCM, by which the blob store knows it.
        duration_s: its length.
        gain_db: gain that brings it to the common loudness.
    """

    audio_id: str
    duration_s: float
    gain_db: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """What one listener hears and judges at one time.

    Attributes:
        item_id: key; a content hash of all that is played and shown.
        subject_id: the pair, sample or critique voted on.
        language: language that a listener must understand, such as ``en``; ``mixed`` = all languages of the test.
        text: target text; None = not shown.
        clips: two of a pair, A and B in the pair's stored order; one of a sample.
        references: prompt speech.
        history: previous turns of the dialogue, in order.
        note: further text shown, such as the scenario; None = nothing.
        critique: text that is voted on, which calls the clips Audio 1 and Audio 2 in their stored order: they are played in it.
            None = the clips themselves are voted on.
        stratum: the items of one stratum are spread evenly over the test.
        gold: values of a right answer, in the stored order; empty = an ordinary item.
        only_gold: made as a test, of clips that are in no pair; it can never become an ordinary item.
    """

    item_id: str
    subject_id: str
    language: str
    text: str | None
    clips: tuple[ItemClip, ...]
    references: tuple[ItemClip, ...] = ()
    history: tuple[ItemClip, ...] = ()
    note: str | None = None
    critique: str | None = None
    stratum: str = ""
    gold: tuple[str, ...] = ()
    only_gold: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer of a listener to an item.

    Attributes:
        value: option of the protocol, such as ``A+2``, ``yes`` or ``invalid``; None where a protocol only rates.
        errors_a: kinds of text errors heard in A; None = not asked.
        errors_b: likewise in B.
        scores: scale -> rating, where a protocol rates.
    """

    value: str | None = None
    errors_a: tuple[str, ...] | None = None
    errors_b: tuple[str, ...] | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
