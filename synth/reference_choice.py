"""References of target texts: which recordings of a speaker are spoken after, and which are the texts."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from synth.duplicate_texts import UsableUtterance

STAGE: Final = "prompts"
"""Stage whose drops are told."""

RankedChoice: TypeAlias = tuple[tuple[int, float, str], UsableUtterance, UsableUtterance | None]
"""What choices are sorted by, a target and its reference."""


def without_reference(candidates: Iterable[UsableUtterance]) -> list[RankedChoice]:
    """Return every candidate as a target without a reference, in the order of their ranks."""
    return [((0, *target.rank), target, None) for target in candidates]


def with_reference(candidates: Iterable[UsableUtterance], dropped: dict[str, tuple[str, str, object]]) -> list[RankedChoice]:
    """Give roles per speaker and pair them up; a choice sorts by how often its reference has served before, then by hash.

    Roles do not depend on how many texts are wanted, which is what keeps earlier prompts when more are.
    """
    speakers = defaultdict[tuple[str, str | None], list[UsableUtterance]](list)
    for candidate in candidates:
        speakers[candidate.speaker].append(candidate)
    choices = list[RankedChoice]()
    for (_, speaker), spoken in speakers.items():
        targets, references = _roles(spoken)
        if all(one.failed for one in references):  # nothing was made with them, so the roles may be given anew
            able = [replace(one, can_refer=one.can_refer and not one.failed) for one in spoken]
            targets, references = _roles([one for one in able if one.can_refer or not one.unfit])
        if speaker is None or not references:
            for target in targets:
                dropped[target.utterance_id] = (STAGE, "no_reference", {"speaker_id": speaker})
            continue
        for place, target in enumerate(targets):
            uses, which = divmod(place, len(references))
            in_turn = [*references[which:], *references[:which]]
            source = next((one for one in in_turn if not one.failed), references[which])
            choices.append(((uses, *target.rank), target, source))
    return choices


def _roles(spoken: Sequence[UsableUtterance]) -> tuple[list[UsableUtterance], list[UsableUtterance]]:
    """Split one speaker's recordings, given by hash, into targets and references of about the same number."""
    surplus = sum(not one.can_refer for one in spoken) - sum(one.unfit is not None for one in spoken)  # of targets
    targets, references = list[UsableUtterance](), list[UsableUtterance]()
    for one in spoken:
        is_free = one.can_refer and one.unfit is None
        if one.unfit or (is_free and surplus > 0):
            references.append(one)
        else:
            targets.append(one)
        if is_free:
            surplus += -1 if surplus > 0 else 1
    return targets, references
