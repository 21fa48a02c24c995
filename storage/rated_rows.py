"""Release rows of rated pairs: two clips, joined with their ratings and all that they came from (pure)."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import Ints, RowSource, chained, row_numbers
from contracts.ratings import rating_summaries
from storage.columns import RATED_PAIRS
from storage.rows import OF_LISTENERS, ordered, repeated, row_licenses, same

_OF_PROMPT: Final = ("language", "corpus")
_OF_SAMPLE: Final = (
    "system",
    "license",
    "is_synthetic",
    "duration_s",
    "loudness_lufs",
    "native_sample_rate_hz",
)
_OF_UTTERANCE: Final = ("content_id", "condition", "speaker_id", "source_id", "source_ref")


class RatedPairRows:
    """Joins pairs of rated clips with all that they came from, batch by batch, as ``storage.rows.PairRows`` does."""

    def __init__(
        self,
        *,
        pairs: pa.Table,
        labels: pa.Table,
        rulings: pa.Table,
        prompts: pa.Table,
        utterances: pa.Table,
        samples: pa.Table,
        filters: Sequence[str],
        scale: str,
        votes: pa.Table | None = None,
    ) -> None:
        """Prepare the look-ups.

        Args:
            pairs: table of schema PAIRS.
            labels: table of schema LABELS.
            rulings: table of schema RULINGS: totals are mean ratings, votes the ratings behind them (0 = unknown).
            prompts: table of schema PROMPTS.
            utterances: table of schema UTTERANCES.
            samples: table of schema SAMPLES, each of which is an utterance.
            filters: names of the filters that every row passed.
            scale: the scale of the ratings.
            votes: ``pair_id, votes, agreement, vote_ids`` of the pairs that people voted on; None = nobody voted.
        """
        self._filters, self._scale = list(filters), scale
        self._pairs, self._order = RowSource(pairs, ("pair_id", "category")), pairs.select(["pair_id", "prompt_id"])
        self._prompts = RowSource(prompts, ("text", *_OF_PROMPT))
        self._labels = RowSource(labels, ("label", "source"))
        self._rulings = RowSource(rulings, ("total_a", "total_b", "votes_a", "votes_b"))
        self._samples = RowSource(samples, (*_OF_SAMPLE, "audio_id", "spoken_text"))
        self._utterances = RowSource(utterances, (*_OF_UTTERANCE, "ratings"))
        # Row numbers that lead from one table to the next.
        self._prompt = row_numbers(pairs["prompt_id"], prompts["prompt_id"])
        self._label = row_numbers(pairs["pair_id"], labels["item_id"])
        self._ruling = row_numbers(pairs["pair_id"], rulings["pair_id"])
        self._sample = {side: row_numbers(pairs[f"sample_{side}"], samples["sample_id"]) for side in "ab"}
        self._utterance = row_numbers(samples["utterance_id"], utterances["utterance_id"])
        self._votes = None
        if votes is not None:
            self._votes = (RowSource(votes, OF_LISTENERS), row_numbers(pairs["pair_id"], votes["pair_id"]))

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return rows of schema SPLITS by content and pair, and ``pair``: the pair's row number."""
        return ordered(splits, self._order)

    def batch(self, assigned: pa.Table) -> pa.Table:
        """Return one release row (``row_schema``) for each of some rows of ``ordered``, in their order."""
        pair = assigned["pair"].to_numpy()
        rows = self._pairs.select(same("pair_id", "category"), pair)
        rows["category"] = pc.coalesce(rows["category"], "same_content")  # pairs of before the column were of one content
        rows["filters_passed"] = repeated(self._filters, len(pair))
        rows |= {name: assigned[name] for name in ("group_id", "leakage_group")}
        rows |= self._prompts.select(same(*_OF_PROMPT), chained(pair, self._prompt))
        rows |= self._labels.select({"label": "label", "label_source": "source"}, chained(pair, self._label))
        for side in ("a", "b"):
            rows |= self._of_side(side, pair)
        rows["rating_gap"] = pc.abs(pc.subtract(rows["rating_a"], rows["rating_b"]))
        rows["scale"] = pa.repeat(pa.scalar(self._scale), len(pair))
        rows["license"] = row_licenses([rows["license_a"], rows["license_b"]])
        if self._votes is not None:
            votes, of_pair = self._votes
            rows |= votes.select(same(*OF_LISTENERS), chained(pair, of_pair))
        return pa.table({name: rows[name] for name in RATED_PAIRS.names if name in rows})

    def _of_side(self, side: str, pair: Ints) -> dict[str, pa.Array]:
        sample, ruling = chained(pair, self._sample[side]), chained(pair, self._ruling)
        utterance = chained(sample, self._utterance)
        rows = self._samples.select(same(*_OF_SAMPLE) | {"audio": "audio_id", "text": "spoken_text"}, sample)
        rows["text"] = pc.coalesce(rows["text"], self._prompts.take("text", chained(pair, self._prompt)))
        rows |= self._utterances.select(same(*_OF_UTTERANCE), utterance)
        rows |= self._rulings.select({"rating": f"total_{side}", "raters": f"votes_{side}"}, ruling)
        rows["raters"] = pc.if_else(pc.greater(rows["raters"], 0), rows["raters"], None)
        rows["rating_std"] = rating_summaries(self._utterances.take("ratings", utterance), self._scale)["std"]
        rows["digital_source_type"] = pc.if_else(rows["is_synthetic"], pa.scalar(None, pa.string()), "digitalCapture")
        return {f"{name}_{side}": column for name, column in rows.items()}
