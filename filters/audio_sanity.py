r"""Pairs whose two clips cannot be compared fairly, whatever they say: other rate, other loudness, absurd length.

The bounds are wide on purpose: they catch clips that loop, stop early or say something else, not slow or fast speakers.

- Seconds per character (letters, digits and ideographs of the text): read English has about 12 to 18 characters a second,
  Mandarin 3 to 7 ideographs. 0.02 s is three times faster than fast English, 0.8 s more than twice slower than slow Mandarin.
  A pause of 2 s is granted on top, because one-word texts are mostly silence around the word.
- Loudness gap: all clips are brought to one loudness, so 1 LU (ITU-R BS.1770) between A and B means that one was not.
- Duration ratio: two readings of one text differ by less than 3 : 1 unless one of them is broken.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from contracts.bounds import Pause
from filters.verdict import first_reason, quote

_NO_SPEECH: Final = r"[\s\p{P}\p{S}\p{C}]+"


@dataclass(frozen=True, kw_only=True)
class AudioSanity:
    """Drop pairs whose clips fail a check.

    Reasons, the first that holds: ``audio_unknown`` (a number or the text is null), ``sample_rate_mismatch``,
    ``loudness_gap``, ``too_short`` and ``too_long`` (either clip, for the text), ``duration_ratio``.

    Attributes:
        max_loudness_gap_lu: largest difference of integrated loudness, LU.
        min_seconds_per_character: shortest clip for its text.
        max_seconds_per_character: longest clip for its text, beside ``pause_allowance_s``.
        pause_allowance_s: silence that any clip may have, s.
        max_duration_ratio: longer over shorter clip.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "text", "duration_a", "duration_b", "sample_rate_a", "sample_rate_b", "loudness_a", "loudness_b",
    )  # fmt: skip
    max_loudness_gap_lu: Annotated[float, Field(ge=0, le=100)] = 1.0
    min_seconds_per_character: Pause = 0.02
    max_seconds_per_character: Pause = 0.8
    pause_allowance_s: Pause = 2.0
    max_duration_ratio: Annotated[float, Field(ge=1, le=1000)] = 3.0

    def __post_init__(self) -> None:
        if not self.min_seconds_per_character < self.max_seconds_per_character:
            raise ValueError("min_seconds_per_character must be below max_seconds_per_character")

    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ()

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep."""
        characters = _characters(table["text"])
        shorter = pc.min_element_wise(table["duration_a"], table["duration_b"])
        longer = pc.max_element_wise(table["duration_a"], table["duration_b"])
        unknown = pc.is_null(table[self.columns[0]])
        for column in self.columns[1:]:
            unknown = pc.or_(unknown, pc.is_null(table[column]))
        longest = pc.add(pc.multiply(characters, self.max_seconds_per_character), self.pause_allowance_s)
        loudness_gap = pc.abs(pc.subtract(table["loudness_a"], table["loudness_b"]))
        return first_reason(
            [
                ("audio_unknown", unknown),
                ("sample_rate_mismatch", pc.not_equal(table["sample_rate_a"], table["sample_rate_b"])),
                ("loudness_gap", pc.greater(loudness_gap, self.max_loudness_gap_lu)),
                ("too_short", pc.less(shorter, pc.multiply(characters, self.min_seconds_per_character))),
                ("too_long", pc.greater(longer, longest)),
                ("duration_ratio", pc.greater(longer, pc.multiply(shorter, self.max_duration_ratio))),
            ]
        )

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return the text, durations, rates and loudnesses of each dropped row."""
        return quote(table, reasons, self.columns)


def _characters(texts: pa.ChunkedArray) -> Any:
    """Count the letters, digits and ideographs of each text; a text is counted once, however many pairs share it."""
    encoded = texts.dictionary_encode().combine_chunks()  # the texts themselves may be too many for one array
    spoken = pc.replace_substring_regex(encoded.dictionary, pattern=_NO_SPEECH, replacement="")
    return pc.cast(pc.utf8_length(spoken), pa.float64()).take(encoded.indices)


PLUGIN = AudioSanity
