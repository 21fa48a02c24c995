"""Transcripts of the other language, English or Chinese, for references that also speak a text of their own language.

SpeechJudge (section 3.1) draws the texts of regular references from the transcripts of its corpus, in monolingual and in
cross-lingual settings. A text must have one reference, as prompts that share one must stay in one split together. So of the
choices in a style and language, every second one gives its text to a reference of the other language, and is no prompt itself.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from contracts.languages import base_language
from synth.duplicate_texts import UsableUtterance

OTHER: Final = {"en": "zh", "zh": "en"}
"""Language -> the other one of a cross-lingual prompt."""

Choice: TypeAlias = tuple[UsableUtterance, UsableUtterance | None]
"""A target and its reference."""

_Pool: TypeAlias = tuple[str, str]  # style and language
_Donors: TypeAlias = Mapping[_Pool, Sequence[UsableUtterance]]


def without_donors(choices: Sequence[Choice], styles: Collection[str]) -> tuple[list[Choice], _Donors]:
    """Divide choices, in their order, into prompts and donors of texts: more choices at the end change nothing before.

    Args:
        choices: all possible prompts, the first ones first.
        styles: styles in which there are donors.

    Returns:
        The prompts in their order; and by style and language the utterances that give their text.
    """
    seen, own, donors = defaultdict[_Pool, int](int), list[Choice](), defaultdict[_Pool, list[UsableUtterance]](list)
    for target, source in choices:
        pool = _pool(target)
        if pool[0] not in styles or pool[1] not in OTHER:
            own.append((target, source))
            continue
        seen[pool] += 1
        if seen[pool] % 2:
            own.append((target, source))
        else:
            donors[pool].append(target)
    return own, donors


def with_foreign_texts(selected: Sequence[Choice], own: Sequence[Choice], donors: _Donors) -> Iterator[Choice]:
    """Yield the selected prompts, each followed by its reference with a text of the other language, if there is one left.

    The text follows from the place of the prompt among all of its style and language, not from how many are selected.
    """
    places, counted = dict[str, int](), defaultdict[_Pool, int](int)
    for target, _ in own:
        places[target.utterance_id] = counted[_pool(target)]
        counted[_pool(target)] += 1
    for target, source in selected:
        yield target, source
        style, language = _pool(target)
        texts = donors.get((style, OTHER.get(language, "")), ())
        if source is not None and (place := places[target.utterance_id]) < len(texts):
            yield texts[place], source


def _pool(target: UsableUtterance) -> _Pool:
    return target.row["style"], base_language(target.row["language"])
