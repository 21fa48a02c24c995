"""Clips of systems that ran elsewhere: a corpus brings them along, and they stand beside those that are rendered here."""

from collections import defaultdict

import pyarrow as pa
import pyarrow.compute as pc

from contracts.ids import row_id
from contracts.joins import sorted_by
from contracts.text_identity import identity_form
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.pipeline import Build
from synth.dsp import format_literals
from synth.requests import WANTED

_OF_PROMPT = ("group_id", "text", "language", "reference_utterance_id", "reference_text")


def clip_requests(build: Build[PreferenceRecipe], prompts: pa.Table, utterances: pa.Table) -> pa.Table:
    """Return one row per clip of a brought-along system and prompt of the same text (schema WANTED), sorted by row id.

    A clip whose ``content_id`` is the id of a prompt was made for that one, and stands beside no other of the same text: its
    reference was another.

    ``target_utterance_id`` is the clip; null = the corpus has none of that text.
    """
    audio, rows = format_literals(build.recipe.clip_format), list[dict[str, object]]()
    columns = ["prompt_id", *_OF_PROMPT]
    known = set(prompts["prompt_id"].to_pylist())
    for system, corpus in build.recipe.brought_along:
        clips = _clips(utterances, corpus, system.name)
        for prompt in prompts.select(columns).to_pylist():
            said = clips.get((identity_form(prompt["text"] or ""), prompt["language"]), {})
            fitting: list[str | None] = [
                clip for clip, made_for in said.items() if made_for == prompt["prompt_id"] or made_for not in known
            ]
            for clip in fitting or [None]:
                key = row_id("sample", prompt["prompt_id"], system.name, clip or "", audio)
                base = {name: prompt[name] for name in _OF_PROMPT}
                subject = {"subject_id": prompt["prompt_id"], "system": system.name, "target_utterance_id": clip}
                rows.append({"row_id": key, **subject, **base})
    return sorted_by(pa.Table.from_pylist(rows, schema=WANTED), "row_id")


def _clips(utterances: pa.Table, corpus: str, system: str) -> dict[tuple[str, str], dict[str, str | None]]:
    """Return identity form of a text and its language -> the system's clips of it, by id, with their content's id."""
    mine = pc.and_(pc.equal(utterances["corpus"], corpus), pc.equal(utterances["system"], system))
    found = defaultdict[tuple[str, str], dict[str, str | None]](dict)
    columns = ["utterance_id", "text", "language", "content_id"]
    for row in sorted_by(utterances.filter(pc.fill_null(mine, False)).select(columns), "utterance_id").to_pylist():
        found[identity_form(row["text"] or ""), row["language"]][row["utterance_id"]] = row["content_id"]
    return found
