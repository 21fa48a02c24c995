"""Items of a listening test, made from the tables: pairs, samples or critiques of pairs.

Listeners are shown what the judge of the same pairs is shown: the text if the judge's task shows it, the scene and the turns
before if there are any; and they can play the prompt speech.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from annotate.people.store.item import Item, ItemClip
from contracts.ids import row_id
from contracts.joins import among, sorted_by
from contracts.languages import with_setting
from flows.recipe.listening_checks import gold_values, terms_of
from flows.run.pipeline import Build
from flows.run.question import task_of
from flows.run.questions import history_of, needs_history, with_writings
from flows.run.wanted import wanted_rows

SCENE: Final = ("scenario_description", "paragraph_context")
"""Columns of writings that listeners are shown, in this order."""


@dataclass(frozen=True, kw_only=True)
class _Speech:
    """A clip of the workspace and its loudness."""

    audio_id: str
    duration_s: float
    loudness_lufs: float


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What the items of a prompt show and play beside its own clips."""

    text: str | None
    language: str
    stratum: str
    references: Sequence[_Speech]
    history: Sequence[_Speech]
    note: str | None


def pair_items(build: Build, pairs: pa.Table, gold: Mapping[str, Sequence[str]]) -> list[Item]:
    """Return an item per pair, sorted by pair id.

    Args:
        build: the build.
        pairs: rows of schema PAIRS.
        gold: pair -> right values, for gold items.
    """
    settings, speech = _settings(build, pairs["prompt_id"]), _speech(wanted_rows(build, "samples"), "sample_id")
    return [
        _item(
            build,
            subject=row["pair_id"],
            clips=[speech[row["sample_a"]], speech[row["sample_b"]]],
            setting=settings[row["prompt_id"]],
            systems=sorted((row["system_a"], row["system_b"])),
            gold=gold.get(row["pair_id"], ()),
        )
        for row in sorted_by(pairs, "pair_id").to_pylist()
    ]


def critique_items(build: Build, critiques: pa.Table, gold: Mapping[str, Sequence[str]]) -> list[Item]:
    """Return an item per critique, sorted by its id: its pair in the stored order, in which it names the clips.

    Args:
        build: the build.
        critiques: columns judgment_id, pair_id, completion.
        gold: critique -> right values, for gold items.
    """
    pairs = among(build.tables.read("pairs"), "pair_id", critiques["pair_id"])
    settings, speech = _settings(build, pairs["prompt_id"]), _speech(wanted_rows(build, "samples"), "sample_id")
    pair_of = {row["pair_id"]: row for row in pairs.to_pylist()}
    return [
        _item(
            build,
            subject=row["judgment_id"],
            clips=[speech[pair["sample_a"]], speech[pair["sample_b"]]],
            setting=settings[pair["prompt_id"]],
            systems=sorted((pair["system_a"], pair["system_b"])),
            gold=gold.get(row["judgment_id"], ()),
            critique=row["completion"],
        )
        for row in sorted_by(critiques, "judgment_id").to_pylist()
        for pair in [pair_of[row["pair_id"]]]
    ]


def sample_items(build: Build, samples: pa.Table, gold: Mapping[str, Sequence[str]]) -> list[Item]:
    """Return an item per sample, sorted by sample id.

    Args:
        build: the build.
        samples: rows of schema SAMPLES.
        gold: sample -> right values, for gold items.
    """
    settings, speech = _settings(build, samples["prompt_id"]), _speech(samples, "sample_id")
    return [
        _item(
            build,
            subject=row["sample_id"],
            clips=[speech[row["sample_id"]]],
            setting=settings[row["prompt_id"]],
            systems=[row["system"]],
            gold=gold.get(row["sample_id"], ()),
        )
        for row in sorted_by(samples, "sample_id").to_pylist()
    ]


def made_gold_items(build: Build, made: pa.Table) -> list[Item]:
    """Return an item per gold item that the build made, sorted by id.

    Args:
        build: the build.
        made: rows of schema GOLD.
    """
    settings, untouched = _settings(build, made["prompt_id"]), _speech(wanted_rows(build, "samples"), "sample_id")
    worse, protocol = _speech(made, "gold_id"), terms_of(build.recipe).protocol
    items = []
    for row in sorted_by(made, "gold_id").to_pylist():
        clips = [untouched[row["sample_id"]], worse[row["gold_id"]]]
        items.append(
            replace(
                _item(
                    build,
                    subject=row["gold_id"],
                    clips=clips if row["right"] == "a" else clips[::-1],
                    setting=settings[row["prompt_id"]],
                    systems=[row["harm"]],
                    gold=gold_values(protocol, row["right"], row["harm"]),
                ),
                only_gold=True,
            )
        )
    return items


def _item(
    build: Build,
    *,
    subject: str,
    clips: list[_Speech],
    setting: _Setting,
    systems: Sequence[str],
    gold: Sequence[str],
    critique: str | None = None,
) -> Item:
    # Gain is never positive: a clip that is quieter than the target would have clipped at it.
    every = [*clips, *setting.references, *setting.history]
    target = build.recipe.clip_format.loudness_lufs
    level = None if target is None else min([target, *(clip.loudness_lufs for clip in every)])

    def played(speech: Sequence[_Speech]) -> tuple[ItemClip, ...]:
        return tuple(
            ItemClip(
                audio_id=clip.audio_id,
                duration_s=clip.duration_s,
                gain_db=0.0 if level is None else round(level - clip.loudness_lufs, 2),
            )
            for clip in speech
        )

    content = [
        subject,
        [clip.audio_id for clip in clips],
        [clip.audio_id for clip in setting.references],
        [clip.audio_id for clip in setting.history],
        [setting.text, setting.language, setting.note],
        *([] if critique is None else [critique]),
    ]
    return Item(
        item_id=row_id("item", *content),
        subject_id=subject,
        language=setting.language,
        text=setting.text,
        clips=played(clips),
        references=played(setting.references),
        history=played(setting.history),
        note=setting.note,
        critique=critique,
        stratum=f"{setting.stratum}/{'-'.join(systems)}",
        gold=tuple(gold),
    )


def _speech(table: pa.Table, key: str) -> dict[str, _Speech]:
    rows = table.select([key, "audio_id", "duration_s", "loudness_lufs"]).to_pylist()
    return {row.pop(key): _Speech(**row) for row in rows}


def _settings(build: Build, prompt_ids: pa.ChunkedArray) -> dict[str, _Setting]:
    """Return prompt -> setting."""
    prompts = with_setting(among(build.tables.read("prompts"), "prompt_id", prompt_ids))
    recordings = _speech(wanted_rows(build, "recordings"), "utterance_id")
    past = _past(build, prompts)
    prompts = with_writings(build, prompts, "prompt_id")
    judges = build.recipe.judges_of_pairs
    shows_text = not judges or "text" in task_of(judges[0]).fields
    settings = {}
    for row in prompts.to_pylist():
        reference = recordings.get(row["reference_utterance_id"])
        before = [recordings.get(one) for one in past.get(row["prompt_id"], ())]
        settings[row["prompt_id"]] = _Setting(
            text=row["text"] if shows_text else None,
            language=row["language"],
            stratum=f"{row['setting']}/{row['style']}",
            references=[reference] if reference else [],
            history=[clip for clip in before if clip] if all(before) else [],  # an incomplete history would mislead
            note=_note(row),
        )
    return settings


def _past(build: Build, prompts: pa.Table) -> dict[str, list[str]]:
    """Return prompt -> recordings of the turns before; empty if no task uses them: then the workspace has none."""
    if not needs_history(build):
        return {}
    past = history_of(build, prompts, build.tables.read("utterances"))
    return {row["prompt_id"]: row["history_utterance_ids"] or [] for row in past.to_pylist()}


def _note(row: Mapping[str, Any]) -> str | None:
    written = [row[name] for name in SCENE if row.get(name)]
    return "\n\n".join(written) or None
