"""Duplicate texts: of several recordings of one text, one is kept."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contracts.text_identity import identity_form

Reason = tuple[str, object]
"""A reason code and its evidence."""


@dataclass(frozen=True, kw_only=True)
class UsableUtterance:
    """A usable utterance.

    Attributes:
        row: of schema UTTERANCES.
        rank: its rank in the selection, by hash.
        spoken: its text as it is spoken.
        unfit: why it cannot be a target; None = it can.
        can_refer: whether it can be a reference.
        failed: whether its audio was found to be unusable.
    """

    row: dict[str, Any]
    rank: tuple[float, str]
    spoken: str
    unfit: Reason | None
    can_refer: bool
    failed: bool

    @property
    def speaker(self) -> tuple[str, str | None]:
        """Corpus and speaker id."""
        return self.row["corpus"], self.row["speaker_id"]

    @property
    def utterance_id(self) -> str:
        """Its id."""
        return str(self.row["utterance_id"])


def without_duplicates(candidates: Iterable[UsableUtterance], *, alone: bool) -> tuple[list[UsableUtterance], dict[str, str]]:
    """Keep one recording per text.

    Possible targets are preferred to utterances that can only be references. If targets need a reference, those whose speaker
    has one are preferred. A recording with unusable audio is replaced by another one of the same speaker, at the same rank, so
    that other prompts stay the same when the audio turns out to be unusable. A reference must not have the text of another
    prompt's target either, as it would put both into one leakage group.

    Args:
        candidates: the usable utterances, in any order.
        alone: targets need no reference by the same speaker.

    Returns:
        The kept utterances, by rank; and for each other one, the kept utterance of its text.
    """
    duplicates = defaultdict[tuple[str, str], list[UsableUtterance]](list)
    for candidate in sorted(candidates, key=lambda one: (one.unfit is not None, one.rank)):
        duplicates[candidate.row["language"], identity_form(candidate.spoken)].append(candidate)
    kept = {key: same[0] for key, same in duplicates.items()}
    if not alone:
        _prefer_speakers_with_references(kept, duplicates)
    kept |= {key: _in_place_of(one, duplicates[key]) for key, one in kept.items() if one.failed}
    others = {one.utterance_id: kept[key].utterance_id for key, same in duplicates.items() for one in same}
    others = {duplicate: first for duplicate, first in others.items() if duplicate != first}
    return sorted(kept.values(), key=lambda one: one.rank), others


def _prefer_speakers_with_references(
    kept: dict[tuple[str, str], UsableUtterance], duplicates: Mapping[tuple[str, str], Sequence[UsableUtterance]]
) -> None:
    """Replace targets without a reference by the first recording of their text that has one, last rank first."""
    spoken = defaultdict[tuple[str, str | None], list[UsableUtterance]](list)
    for candidate in kept.values():
        spoken[candidate.speaker].append(candidate)
    several = [key for key in kept if len(duplicates[key]) > 1]
    without_reference = [key for key in several if not _has_reference(kept[key], spoken[kept[key].speaker])]
    moved = True
    while moved:
        moved = False
        for key in sorted(without_reference, key=lambda key: kept[key].rank, reverse=True):
            now = kept[key]
            if _has_reference(now, spoken[now.speaker]):
                continue
            for other in (one for one in duplicates[key] if one.unfit is None and one.speaker != now.speaker):
                if _has_reference(other, [*spoken[other.speaker], other]):
                    spoken[now.speaker].remove(now)
                    spoken[other.speaker].append(other)
                    kept[key], moved = other, True
                    break


def _has_reference(target: UsableUtterance, spoken: Sequence[UsableUtterance]) -> bool:
    """Return whether a speaker's recordings, the target included, contain a reference for the target."""
    can_refer = any(one.can_refer for one in spoken)
    return target.speaker[1] is not None and can_refer and len(spoken) > 1


def _in_place_of(failed: UsableUtterance, same: Sequence[UsableUtterance]) -> UsableUtterance:
    """Return the first recording of the same speaker that can replace the failed one, or the failed one if there is none."""
    for one in same:
        alike = one.speaker == failed.speaker and one.can_refer == failed.can_refer and bool(one.unfit) == bool(failed.unfit)
        if alike and not one.failed:
            return replace(one, rank=failed.rank)
    return failed
