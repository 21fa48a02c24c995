"""A pair in a few lines: what is heard before, how each clip was made, who says which is better, and where it went."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import among
from contracts.text_forms import keyed
from flows.run.pipeline import Build
from flows.run.questions import history_of, needs_history
from synth.pairing import HUMAN

_Row = Mapping[str, Any]


def history_before(build: Build, prompt: _Row) -> list[dict[str, Any]]:
    """Return the turns before a prompt's own, in order: place, speaker, emotion, words, and where they are from."""
    if not needs_history(build):
        return []
    prompts, utterances = build.tables.read("prompts"), build.tables.read("utterances")
    own = prompts.filter(pc.equal(prompts["prompt_id"], prompt["prompt_id"]))
    turns = history_of(build, own, utterances)["history_utterance_ids"].to_pylist()
    known = _utterances(build, [turn for ids in turns for turn in ids or ()])
    columns = ("turn", "speaker_id", "emotion", "text", "source_id", "utterance_id")
    return [{name: known[turn][name] for name in columns} for ids in turns for turn in ids or ()]


def how_made(build: Build, prompt: _Row, samples: Mapping[str, _Row], written: Iterable[_Row]) -> list[str]:
    """Return what is compared, a line each: the text, what is heard before it, and how each clip was made.

    Args:
        build: the build.
        prompt: row of PROMPTS.
        samples: ``a`` and ``b`` -> row of SAMPLES.
        written: rows of WRITINGS about the prompt.
    """
    borrowed = [sample[name] for sample in samples.values() for name in ("utterance_id", "reference_utterance_id")]
    known = _utterances(build, [prompt["target_utterance_id"], *borrowed])
    target = known.get(prompt["target_utterance_id"])
    lines = [f"text: {prompt['text']!r}" + (f", as {_who(target)}" if target else "")]
    if before := history_before(build, prompt):
        lines.append(f"heard before: {len(before)} turns, of {', '.join(sorted({str(turn['speaker_id']) for turn in before}))}")
    says_other = any(sample["spoken_text"] is not None for sample in samples.values())
    contents = [json.loads(row["content"]) for row in written] if says_other else []
    flaws = {keyed(one["text"]): one["flaw"] for one in contents if one.keys() >= {"text", "flaw"}}
    return [*lines, *(f"speech {side.upper()}: {_made(sample, target, known, flaws)}" for side, sample in samples.items())]


def how_decided(ruling: _Row | None, votes: Iterable[_Row], label: _Row | None, split: _Row | None) -> list[str]:
    """Return who says which clip is better, and where the pair went, a line each.

    Args:
        ruling: row of RULINGS; None = no judge compared the clips.
        votes: rows of VOTES.
        label: row of LABELS; None = the pair is not labelled.
        split: row of SPLITS; None = it is in none.
    """
    lines = []
    if ruling is not None:
        counts = ", ".join(f"{ruling[f'votes_{name}']} for {name}" for name in ("a", "b", "none"))
        lines.append(f"judge: {ruling['verdict'] or 'no preference'} ({counts})")
    if values := [vote["value"] for vote in votes if vote["discarded"] is None]:
        lines.append("people: " + ", ".join(f"{values.count(value)} for {value}" for value in sorted(set(values))))
    lines.append(f"label: {label['label']}, from {label['source']}" if label is not None else "label: none")
    return [*lines, f"split: {split['split']}" if split is not None else "split: none"]


def _made(sample: _Row, target: _Row | None, known: Mapping[str, _Row], flaws: Mapping[str, str]) -> str:
    """Return how a clip was made, and what is wrong with it on purpose."""
    said = sample["spoken_text"]
    if sample["system"] == HUMAN:
        clip = known.get(sample["utterance_id"]) or target
        parts = ["a recording" + (f" of {_who(clip)}" if clip else "")]
    else:
        reference = known.get(sample["reference_utterance_id"])
        parts = [f"system {sample['system']}" + (f" in the voice of {_who(reference)}" if reference else "")]
    if said is not None:
        parts.append(f"says {said!r}" + (f", a flaw of {flaws[said]}" if said in flaws else ""))
    if sample["corruption"] is not None:
        parts.append(f"made worse on purpose: {sample['corruption']}")
    return "; ".join(parts)


def _who(utterance: _Row) -> str:
    emotion = "" if utterance["emotion"] is None else f", {utterance['emotion']}"
    return f"{utterance['corpus']} {utterance['source_id']} (speaker {utterance['speaker_id'] or 'unknown'}{emotion})"


def _utterances(build: Build, ids: Iterable[str | None]) -> dict[str, dict[str, Any]]:
    """Return utterance id -> row."""
    columns = ["utterance_id", "corpus", "source_id", "speaker_id", "emotion", "text", "turn"]
    wanted = pa.array({one for one in ids if one is not None}, pa.string())
    found = among(build.tables.read("utterances", columns), "utterance_id", wanted)
    return {row["utterance_id"]: row for row in found.to_pylist()}
