"""The samples of a recipe: prompts x systems x voices, with their seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

from contracts.ids import row_id
from contracts.joins import sorted_by
from contracts.rng import hash_fraction
from contracts.text_forms import keyed
from synth.takes import Take, chosen_takes

WANTED: Final = pa.schema(
    [
        ("row_id", pa.string()),
        ("subject_id", pa.string()),
        ("group_id", pa.string()),
        ("text", pa.string()),
        ("spoken_text", pa.string()),
        ("language", pa.string()),
        ("system", pa.string()),
        ("voice", pa.string()),
        ("seed", pa.int64()),
        ("temperature", pa.float64()),
        ("duration_factor", pa.float64()),
        ("target_utterance_id", pa.string()),
        ("reference_utterance_id", pa.string()),
        ("reference_text", pa.string()),
        ("corruption", pa.string()),
        ("own_recording_id", pa.string()),
        ("own_reference_id", pa.string()),
    ]
)
"""Requests of all systems: ``row_id`` is the sample to make, ``subject_id`` its prompt; ``human`` has no voice and no seed.

``text`` is what is spoken; null = nothing was written for a system that speaks a written text, so there is nothing to render.
``spoken_text`` repeats it where it is such a written text, and is null where it is the prompt's. ``own_recording_id`` and
``own_reference_id`` repeat the recording that the clip is, and the reference, where these are not the prompt's; ``corruption``
says what is wrong with a clip that is to be worse.
"""

TARGET: Final = "target"
"""What a system speaks by default: the prompt's text."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One system to be rendered.

    Attributes:
        system: its name in the recipe.
        engine: engine plug-in.
        params: all literals that determine the engine's output.
        voices: voices to choose from.
        voices_per_prompt: number of voices per prompt.
        takes: takes to choose from, each of every chosen voice; the plain one leaves the sample's id as it is without takes.
        takes_per_prompt: number of takes per prompt and voice.
        speaks: ``target``, the prompt's text; or the name of a task whose writing about the prompt is spoken instead, such as
            a text that does not fit the dialogue.
        changed_text: a row of WANTED and a voice -> the engine's texts, if they differ from those of older versions
            (``synth.engine.changed_engine_text``).
        clones_voice: whether it takes on the voice of the reference.
        emotion: in which it speaks, as corpora label theirs; None = unknown, or that of the reference.
    """

    system: str
    engine: str
    params: Mapping[str, object]
    voices: Sequence[str]
    voices_per_prompt: int
    takes: Sequence[Take] = (Take(),)
    takes_per_prompt: int = 1
    speaks: str = TARGET
    changed_text: Callable[[Mapping[str, Any], str], Sequence[str]] = lambda _row, _voice: ()
    clones_voice: bool = False
    emotion: str | None = None


def wanted(
    prompts: pa.Table,
    candidates: Sequence[Candidate],
    *,
    human: bool,
    audio: Mapping[str, object],
    seed: int,
    written: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> pa.Table:
    """Return one row per sample that a recipe wants (schema WANTED), sorted by row id.

    Voices and takes are chosen per prompt by hash, so that adding a prompt changes no other. A written text is part of the
    sample's id: another text is another clip.

    Args:
        prompts: table of schema PROMPTS.
        candidates: the systems.
        human: whether the recording of the target text is a candidate too.
        audio: the audio format, as literals: a sample in another format is another sample.
        seed: the recipe's seed.
        written: task -> prompt id -> what was written, for the candidates that speak a written text; in the form ``keyed``.
    """
    rows: list[dict[str, object]] = []
    for prompt in prompts.select(
        ["prompt_id", "group_id", "text", "language", "target_utterance_id", "reference_utterance_id", "reference_text"]
    ).to_pylist():
        prompt_id = prompt.pop("prompt_id")
        base = {"subject_id": prompt_id, **prompt}
        for candidate in candidates:
            said = None if candidate.speaks == TARGET else written.get(candidate.speaks, {}).get(prompt_id, "")
            rows += [
                spoken_row(base, candidate, voice, take, prompt_id=prompt_id, seed=seed, audio=audio, said=said)
                for voice, take in _spoken(candidate, prompt_id, seed)
            ]
        if human and prompt["target_utterance_id"] is not None:
            sample = row_id("sample", prompt_id, "human", prompt["target_utterance_id"], audio)
            rows.append({**base, "row_id": sample, "system": "human", "voice": None, "seed": None})
    return sorted_by(pa.Table.from_pylist(rows, schema=WANTED), "row_id")


def spoken_row(
    base: Mapping[str, object],
    candidate: Candidate,
    voice: str,
    take: Take,
    *,
    prompt_id: str,
    seed: int,
    audio: Mapping[str, object],
    said: str | None = None,
    differs: Sequence[str] = (),
) -> dict[str, object]:
    """Return the request of one clip of a system, a row of WANTED.

    Args:
        base: what the row has of its prompt.
        candidate: the system.
        voice: the voice.
        take: the take.
        prompt_id: the prompt.
        seed: the recipe's seed.
        audio: the audio format, as literals.
        said: what is spoken instead of the prompt's text, ``""`` where nothing was written; None = the prompt's text.
        differs: what else makes the clip another one than that of its prompt, system, voice and take.
    """
    text = None if said is None else keyed(said) or None
    spoken = {} if said is None else {"text": text, "spoken_text": text}
    key = [prompt_id, candidate.system, candidate.engine, candidate.params, voice, seed, audio]
    changed = candidate.changed_text({**base, **spoken}, voice)
    set_by_take = take.literals()
    more = [*([] if said is None else [text]), *changed, *([set_by_take] if set_by_take else []), *differs]
    sample = row_id("sample", *key, *more)
    engine_seed = int(hash_fraction(seed, "samples", sample) * 2**31) if take.seed is None else take.seed
    made_by = {"system": candidate.system, "voice": voice, **set_by_take, "seed": engine_seed}
    return {**base, **spoken, "row_id": sample, **made_by}


def first_voice_and_take(candidate: Candidate, prompt_id: str, seed: int) -> tuple[str, Take]:
    """Return one voice and one take of a prompt, the first of those that it would be given."""
    return _spoken(candidate, prompt_id, seed)[0]


def _spoken(candidate: Candidate, prompt_id: str, seed: int) -> list[tuple[str, Take]]:
    """Return the voices and takes of a prompt."""
    count, system = candidate.takes_per_prompt, candidate.system
    takes = chosen_takes(candidate.takes, count, seed=seed, system=system, prompt_id=prompt_id)
    return [(voice, take) for voice in _voices(candidate, prompt_id, seed) for take in takes]


def _voices(candidate: Candidate, prompt_id: str, seed: int) -> list[str]:
    ranked = sorted(candidate.voices, key=lambda voice: hash_fraction(seed, "voice", f"{prompt_id}/{candidate.system}/{voice}"))
    return ranked[: candidate.voices_per_prompt]
