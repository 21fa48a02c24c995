"""Recordings that say the same text: one of them counts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contracts.texts import identity_form

Reason = tuple[str, object]
"""A counted word and its evidence."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A usable utterance.

    Attributes:
        row: of schema UTTERANCES.
        rank: its place in the order of the choice, by hash.
        spoken: its text as it is spoken.
        unfit: why it can be no target; None = it can.
        can_refer: whether it can be a reference.
        failed: whether its audio was tried and cannot be used.
    """

    row: dict[str, Any]
    rank: tuple[float, str]
    spoken: str
    unfit: Reason | None
    can_refer: bool
    failed: bool

    @property
    def speaker(self) -> tuple[str, str | None]:
        """Who speaks: corpus and speaker id."""
        return self.row["corpus"], self.row["speaker_id"]

    @property
    def utterance_id(self) -> str:
        """Its id."""
        return str(self.row["utterance_id"])


def without_twins(candidates: Iterable[Candidate], *, alone: bool) -> tuple[list[Candidate], dict[str, str]]:
    """Keep one recording per text.

    A possible target goes before a mere reference. Unless targets stand ``alone``, one whose speaker has no reference makes
    room for one whose speaker has. Audio that failed makes room for the same speaker's other recording, in its very place, so
    that what is found out later moves no other prompt. A reference must not speak the text of another prompt's target either:
    it would tie the two together.

    Args:
        candidates: the usable utterances, in any order.
        alone: whether targets need no reference of their speaker's.

    Returns:
        Those kept, in order of their hash; and of each other one, the utterance that is kept for its text.
    """
    twins = defaultdict[tuple[str, str], list[Candidate]](list)
    for candidate in sorted(candidates, key=lambda one: (one.unfit is not None, one.rank)):
        twins[candidate.row["language"], identity_form(candidate.spoken)].append(candidate)
    kept = {key: same[0] for key, same in twins.items()}
    if not alone:
        _prefer_speakers_with_references(kept, twins)
    kept |= {key: _in_place_of(one, twins[key]) for key, one in kept.items() if one.failed}
    others = {one.utterance_id: kept[key].utterance_id for key, same in twins.items() for one in same}
    others = {twin: first for twin, first in others.items() if twin != first}
    return sorted(kept.values(), key=lambda one: one.rank), others


def _prefer_speakers_with_references(
    kept: dict[tuple[str, str], Candidate], twins: Mapping[tuple[str, str], Sequence[Candidate]]
) -> None:
    """Replace a target without a reference by the first recording of its text that has one, last in hash order first."""
    spoken = defaultdict[tuple[str, str | None], list[Candidate]](list)
    for candidate in kept.values():
        spoken[candidate.speaker].append(candidate)
    lonely = [key for key, one in kept.items() if len(twins[key]) > 1 and not _has_reference(one, spoken[one.speaker])]
    moved = True
    while moved:
        moved = False
        for key in sorted(lonely, key=lambda key: kept[key].rank, reverse=True):
            now = kept[key]
            if _has_reference(now, spoken[now.speaker]):
                continue
            for other in (one for one in twins[key] if one.unfit is None and one.speaker != now.speaker):
                if _has_reference(other, [*spoken[other.speaker], other]):
                    spoken[now.speaker].remove(now)
                    spoken[other.speaker].append(other)
                    kept[key], moved = other, True
                    break


def _has_reference(target: Candidate, spoken: Sequence[Candidate]) -> bool:
    """Tell whether a speaker's recordings, the target among them, give a target and a reference."""
    can_refer = any(one.can_refer for one in spoken)
    return target.speaker[1] is not None and can_refer and len(spoken) > 1


def _in_place_of(failed: Candidate, same: Sequence[Candidate]) -> Candidate:
    """Return the first recording of the same speaker that can serve as the failed one would, or that one."""
    for one in same:
        alike = one.speaker == failed.speaker and one.can_refer == failed.can_refer and bool(one.unfit) == bool(failed.unfit)
        if alike and not one.failed:
            return replace(one, rank=failed.rank)
    return failed
