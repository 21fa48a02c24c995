"""Release rows of the clips of rated pairs, one by one, with their mean ratings (pure)."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import RowSource, attach, chained, row_numbers, sorted_by
from contracts.ratings import rating_summaries
from storage.critique_rows import PromptOf, prompts_of
from storage.rated_columns import SCALAR_CLIPS
from storage.rows import same

_OF_PROMPT: Final = ("language", "corpus")
_OF_SAMPLE: Final = (
    *("system", "license", "is_synthetic", "duration_s", "loudness_lufs", "native_sample_rate_hz"),
    *("sample_id", "group_id", "audio_id", "spoken_text"),
)
_OF_UTTERANCE: Final = ("condition", "speaker_id", "source_id", "source_ref", "content_id", "ratings")
_OF_CRITIQUE: Final[Mapping[str, str]] = {
    "critique": "completion",
    "critique_judge": "judge",
    "critique_model": "judge_model",
    "critique_prompt_version": "prompt_version",
}


class ScalarClipRows:
    """The clips of the released pairs, each once, in the split of its pairs."""

    def __init__(
        self,
        *,
        pairs: pa.Table,
        samples: pa.Table,
        utterances: pa.Table,
        prompts: pa.Table,
        scale: str,
        critiques: pa.Table | None = None,
        critique_prompt: PromptOf | None = None,
    ) -> None:
        """Prepare the look-ups.

        Args:
            pairs: columns ``pair_id, sample_a, sample_b`` of all pairs.
            samples: table of schema SAMPLES, each of which is an utterance.
            utterances: table of schema UTTERANCES.
            prompts: table of schema PROMPTS.
            scale: the scale of the ratings.
            critiques: rows of schema WRITINGS about the samples, at most one each; None = nobody was asked.
            critique_prompt: what the judge was asked, where somebody was.
        """
        self._pairs, self._scale, self._critique_prompt = pairs, scale, critique_prompt
        self._order = samples.select(["sample_id", "prompt_id"])
        self._samples = RowSource(samples, _OF_SAMPLE)
        self._prompts = RowSource(prompts, (*_OF_PROMPT, "text"))
        self._utterances = RowSource(utterances, _OF_UTTERANCE)
        self._prompt = row_numbers(samples["prompt_id"], prompts["prompt_id"])
        self._utterance = row_numbers(samples["utterance_id"], utterances["utterance_id"])
        self._critiques = None
        if critiques is not None:
            critiques = critiques.append_column("judge_model", pc.coalesce(critiques["model_served"], critiques["model"]))
            of_sample = row_numbers(samples["sample_id"], critiques["subject_id"])
            self._critiques = (RowSource(critiques, _OF_CRITIQUE.values()), of_sample)

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return a row for each clip of these items, by content and clip: ``leakage_group`` and ``sample``, its row number."""
        found = attach(splits, "item_id", self._pairs, "pair_id", same("sample_a", "sample_b"))
        sides = [
            found.select([f"sample_{side}", "leakage_group"]).rename_columns(["sample_id", "leakage_group"]) for side in "ab"
        ]
        # A clip can be in pairs of several groups; all lie in one split, so that any of them keeps it there.
        clips = pa.concat_tables(sides).group_by("sample_id").aggregate([("leakage_group", "min")])
        clips = clips.rename_columns({"leakage_group_min": "leakage_group"})
        numbered = self._order.append_column("sample", pa.array(np.arange(self._order.num_rows)))
        clips = attach(clips, "sample_id", numbered, "sample_id", same("prompt_id", "sample"))
        return sorted_by(clips, "prompt_id", "sample_id").select(["leakage_group", "sample"])

    def batch(self, splits: pa.Table) -> pa.Table:
        """Return one release row for each of some rows of ``ordered``, in their order."""
        sample = splits["sample"].to_numpy()
        utterance = chained(sample, self._utterance)
        rows = self._samples.select(same(*_OF_SAMPLE), sample)
        rows |= {"clip_id": rows.pop("sample_id"), "audio": rows.pop("audio_id"), "leakage_group": splits["leakage_group"]}
        rows |= self._prompts.select(same(*_OF_PROMPT, "text"), chained(sample, self._prompt))
        rows["text"] = pc.coalesce(rows.pop("spoken_text"), rows["text"])
        rows |= self._utterances.select(same(*_OF_UTTERANCE), utterance)
        found = rating_summaries(rows.pop("ratings"), self._scale)
        rows |= {"rating": found["mean"], "rating_std": found["std"]}
        rows["raters"] = pc.if_else(pc.greater(found["raters"], 0), found["raters"], None)
        rows["scale"] = pa.repeat(pa.scalar(self._scale), len(sample))
        rows["digital_source_type"] = pc.if_else(rows["is_synthetic"], pa.scalar(None, pa.string()), "digitalCapture")
        if self._critiques is not None and self._critique_prompt is not None:
            critiques, of_sample = self._critiques
            rows |= critiques.select(_OF_CRITIQUE, chained(sample, of_sample))
            asked = prompts_of(pa.chunked_array([rows["language"]]), self._critique_prompt)
            rows["critique_prompt"] = pc.if_else(pc.is_valid(rows["critique"]), asked, pa.scalar(None, pa.string()))
        return pa.table({name: rows[name] for name in SCALAR_CLIPS.names if name in rows})
