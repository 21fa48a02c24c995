"""Release rows of the clips of rated pairs, one by one, with their mean ratings (pure)."""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import RowSource, attach, chained, row_numbers
from contracts.ratings import rating_summaries
from storage.clip_rows import ClipRows
from storage.critique_rows import PromptOf, prompts_of
from storage.rated_columns import SCALAR_CLIPS
from storage.rows import same

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
        clips: ClipRows,
        *,
        pairs: pa.Table,
        samples: pa.Table,
        utterances: pa.Table,
        scale: str,
        critiques: pa.Table | None = None,
        critique_prompt: PromptOf | None = None,
    ) -> None:
        """Prepare the look-ups.

        Args:
            clips: joins what all sorts of clips have.
            pairs: columns ``pair_id, sample_a, sample_b`` of all pairs.
            samples: table of schema SAMPLES, each of which is an utterance.
            utterances: table of schema UTTERANCES.
            scale: the scale of the ratings.
            critiques: rows of schema WRITINGS about the samples, at most one each; None = nobody was asked.
            critique_prompt: what the judge was asked, where somebody was.
        """
        self._clips, self._pairs, self._scale, self._critique_prompt = clips, pairs, scale, critique_prompt
        self._groups = samples.select(["sample_id", "group_id"])
        self._ratings = RowSource(utterances, ("ratings",))
        self._utterance = row_numbers(samples["utterance_id"], utterances["utterance_id"])
        self._critiques = None
        if critiques is not None:
            critiques = critiques.append_column("judge_model", pc.coalesce(critiques["model_served"], critiques["model"]))
            of_sample = row_numbers(samples["sample_id"], critiques["subject_id"])
            self._critiques = (RowSource(critiques, _OF_CRITIQUE.values()), of_sample)

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return a row for each clip of these items, in the order of a release, and ``clip``: the sample's row number."""
        found = attach(splits, "item_id", self._pairs, "pair_id", same("sample_a", "sample_b"))
        sides = [
            found.select([f"sample_{side}", "leakage_group"]).rename_columns(["item_id", "leakage_group"]) for side in "ab"
        ]
        # A clip can be in pairs of several groups; all lie in one split, so that any of them keeps it there.
        clips = pa.concat_tables(sides).group_by("item_id").aggregate([("leakage_group", "min")])
        clips = clips.rename_columns({"leakage_group_min": "leakage_group"})
        return self._clips.ordered(attach(clips, "item_id", self._groups, "sample_id", same("group_id")))

    def batch(self, splits: pa.Table) -> pa.Table:
        """Return one release row for each of some rows of ``ordered``, in their order."""
        clip = splits["clip"].to_numpy()
        rows = self._clips.of_clips(splits)
        rows["clip_id"] = rows["item_id"]
        found = rating_summaries(self._ratings.take("ratings", chained(clip, self._utterance)), self._scale)
        rows |= {"rating": found["mean"], "rating_std": found["std"]}
        rows["raters"] = pc.if_else(pc.greater(found["raters"], 0), found["raters"], None)
        rows["scale"] = pa.repeat(pa.scalar(self._scale), len(clip))
        if self._critiques is not None and self._critique_prompt is not None:
            critiques, of_sample = self._critiques
            rows |= critiques.select(_OF_CRITIQUE, chained(clip, of_sample))
            asked = prompts_of(pa.chunked_array([rows["language"]]), self._critique_prompt)
            rows["critique_prompt"] = pc.if_else(pc.is_valid(rows["critique"]), asked, pa.scalar(None, pa.string()))
        return pa.table({name: rows[name] for name in SCALAR_CLIPS.names if name in rows})
