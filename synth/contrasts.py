"""Contrasts: of each prompt one good clip, and one that is worse in a known way (UniSRM, section 3: Tasks 3 and 4)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from contracts.emotions import emotion
from contracts.ids import row_id
from contracts.joins import sorted_by
from contracts.rng import hash_fraction
from contracts.text_forms import keyed
from synth.borrowing import Blocks, Borrowed, relates
from synth.pairing import HUMAN
from synth.requests import TARGET, WANTED, Candidate, first_voice_and_take, spoken_row

POSITIVE: Final = "positive"
NEGATIVE: Final = "negative"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One way to make the good or the worse clip of a prompt.

    Attributes:
        name: by which its draw is fixed; unique among those it is drawn with.
        share: how often it is drawn, beside the others.
        corruption: what is wrong with the clip; None = it is the good one.
        systems: those of which one speaks it; none = it is a recording.
        recording: the recording; None = that of the text.
        reference: the recording whose voice is cloned; None = the prompt's reference. A system that does not clone speaks only
            where neither the same speaker nor an emotion that it does not act is asked for.
        speaks: ``target``, or the task whose text is spoken instead.
        reference_s: shortest and longest reference.
    """

    name: str
    share: float = 1.0
    corruption: str | None = None
    systems: tuple[str, ...] = ()
    recording: Borrowed | None = None
    reference: Borrowed | None = None
    speaks: str = TARGET
    reference_s: tuple[float, float] = (0.0, math.inf)


@dataclass(frozen=True, kw_only=True)
class Means:
    """What clips are made by.

    Attributes:
        systems: the recipe's systems by name.
        can_speak: whether a system speaks a language.
        blocks: the recordings to borrow.
        audio: the audio format, as literals.
        seed: the recipe's seed.
        written: task -> prompt id -> what was written.
    """

    systems: Mapping[str, Candidate]
    can_speak: Callable[[str, str], bool]
    blocks: Blocks
    audio: Mapping[str, object]
    seed: int
    written: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def recorded(self, source: Source, prompt: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, object] | None:
        """Return the request of a recording; None = none is there to borrow."""
        prompt_id, clip = prompt["prompt_id"], target
        if source.recording is not None:
            found = self.blocks.borrowed(target, source.recording, f"{prompt_id}/{source.corruption}")
            if found is None:
                return None
            clip = found
        spoken = keyed(clip["text"]) if clip["identity"] != target["identity"] else None
        key = [prompt_id, HUMAN, clip["utterance_id"], self.audio]
        return {
            **_of_prompt(prompt),
            "row_id": row_id("sample", *key, *([source.corruption] if source.corruption else [])),
            "text": spoken or prompt["text"],
            "spoken_text": spoken,
            "system": HUMAN,
            "target_utterance_id": clip["utterance_id"],
            "own_recording_id": None if clip is target else clip["utterance_id"],
            "corruption": source.corruption,
        }

    def spoken(self, source: Source, prompt: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, object] | None:
        """Return the request of a clip by one of the source's systems; None = none of them can make it."""
        prompt_id = prompt["prompt_id"]
        named = sorted(source.systems, key=lambda name: hash_fraction(self.seed, "system", f"{prompt_id}/{source.name}/{name}"))
        for candidate in (self.systems[name] for name in named if self.can_speak(name, prompt["language"])):
            base, differs = {**_of_prompt(prompt), "corruption": source.corruption}, [source.corruption or ""]
            if source.reference is not None and candidate.clones_voice:
                key = f"{prompt_id}/{source.corruption}/{candidate.system}"
                reference = self.blocks.borrowed(target, source.reference, key, source.reference_s)
                if reference is None:
                    continue
                differs.append(reference["utterance_id"])
                base |= {
                    "reference_utterance_id": reference["utterance_id"],
                    "reference_text": keyed(reference["text"]),
                    "own_reference_id": reference["utterance_id"],
                }
            elif source.reference is not None and not _acts(candidate, source.reference, target):
                continue
            voice, take = first_voice_and_take(candidate, prompt_id, self.seed)
            said = None if source.speaks == TARGET else self.written.get(source.speaks, {}).get(prompt_id, "")
            return spoken_row(
                base, candidate, voice, take, prompt_id=prompt_id, seed=self.seed, audio=self.audio, said=said, differs=differs
            )
        return None


def wanted(prompts: pa.Table, positives: Sequence[Source], negatives: Sequence[Source], means: Means) -> pa.Table:
    """Return the two clips of every prompt (schema WANTED), sorted by row id; one row without a system where it has not both.

    Which source makes a clip is drawn per prompt by hash, in proportion to the shares, of those that can make it: so adding a
    prompt changes no other, and a source that finds no recording to borrow leaves its prompts to the others.

    Args:
        prompts: table of schema PROMPTS.
        positives: ways to make the good clip.
        negatives: ways to make the worse one.
        means: by which they are made.
    """
    rows = list[dict[str, object]]()
    for prompt in prompts.select(["prompt_id", *_OF_PROMPT]).to_pylist():
        good = _first(POSITIVE, positives, prompt, means)
        worse = _first(NEGATIVE, negatives, prompt, means)
        if good is not None and worse is not None:
            rows += [good, worse]
        else:
            lacks = POSITIVE if good is None else NEGATIVE
            rows.append({**_of_prompt(prompt), "row_id": row_id("sample", prompt["prompt_id"], f"no {lacks}")})
    return sorted_by(pa.Table.from_pylist(rows, schema=WANTED), "row_id")


def _first(role: str, sources: Sequence[Source], prompt: Mapping[str, Any], means: Means) -> dict[str, object] | None:
    """Return the clip by the first source that can make one, in the order in which they are drawn for the prompt."""
    if (target := means.blocks.recording(prompt["target_utterance_id"])) is None:
        return None

    def time(source: Source) -> float:
        # Of exponential times, whose rates are the shares, each is the least as often as its share says.
        drawn = hash_fraction(means.seed, role, f"{prompt['prompt_id']}/{source.name}")
        return -math.log1p(-drawn) / source.share

    for source in sorted(sources, key=time):
        row = means.spoken(source, prompt, target) if source.systems else means.recorded(source, prompt, target)
        if row is not None:
            return row
    return None


def _acts(candidate: Candidate, reference: Borrowed, target: Mapping[str, Any]) -> bool:
    """Tell whether a system with a voice of its own can stand in for one that clones: its voice is nobody's of the corpus."""
    return reference.speaker != "same" and relates(emotion(candidate.emotion), target["emotion"], reference.emotion)


_OF_PROMPT: Final = ("group_id", "text", "language", "target_utterance_id", "reference_utterance_id", "reference_text")


def _of_prompt(prompt: Mapping[str, Any]) -> dict[str, Any]:
    return {"subject_id": prompt["prompt_id"], **{name: prompt[name] for name in _OF_PROMPT}}
