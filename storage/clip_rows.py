"""Release rows of single clips of corpora, joined with all that they came from (pure)."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import RowSource, chained, row_numbers
from contracts.text_forms import keyed
from storage.clip_columns import ANSWERS, RATED_CLIPS
from storage.rows import SampleMetrics, ordered, repeated, same

_OF_SAMPLE: Final = ("system", "license", "is_synthetic", "duration_s", "loudness_lufs", "native_sample_rate_hz")
_OF_UTTERANCE: Final = ("text", "language", "content_id", "condition", "speaker_id", "corpus", "source_id", "source_ref")

OF_WRITING: Final = ("judge", "judge_version", "model", "model_served", "prompt_version")
"""The columns of WRITINGS that are released."""

_OF_JUDGE: Final = ("judge", "judge_version", "judge_model", "prompt_version")


class ClipRows:
    """What the rows of all sorts of clips have in common, joined batch by batch, as ``storage.rows.PairRows`` does."""

    def __init__(
        self, *, samples: pa.Table, utterances: pa.Table, labels: pa.Table, metrics: pa.Table, filters: Sequence[str]
    ) -> None:
        """Prepare the look-ups.

        Args:
            samples: table of schema SAMPLES, each of which is an utterance.
            utterances: table of schema UTTERANCES.
            labels: table of schema LABELS.
            metrics: table of schema METRICS.
            filters: names of the filters that every row passed.
        """
        self._filters, self._order = list(filters), samples.select(["sample_id", "prompt_id"])
        self._samples = RowSource(samples, ("sample_id", *_OF_SAMPLE, "audio_id"))
        self._utterances = RowSource(utterances, (*_OF_UTTERANCE, "question", "references"))
        self._labels = RowSource(labels, ("source",))
        self._metrics = SampleMetrics(metrics, samples["sample_id"])
        # Row numbers that lead from one table to the next.
        self._utterance = row_numbers(samples["utterance_id"], utterances["utterance_id"])
        self._label = row_numbers(samples["sample_id"], labels["item_id"])

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return rows of schema SPLITS by prompt and clip, and ``clip``: the sample's row number."""
        return ordered(splits, self._order, "clip")

    def of_clips(self, assigned: pa.Table) -> dict[str, pa.Array]:
        """Return the common columns of some rows of ``ordered``, and of their utterances ``question`` and ``references``."""
        clip = assigned["clip"].to_numpy()
        rows: dict[str, Any] = {"item_id": self._samples.take("sample_id", clip)}
        rows |= {name: assigned[name] for name in ("group_id", "leakage_group")}
        rows |= self._samples.select(same(*_OF_SAMPLE) | {"audio": "audio_id"}, clip)
        rows |= self._utterances.select(same(*_OF_UTTERANCE, "question", "references"), chained(clip, self._utterance))
        rows |= self._labels.select({"label_source": "source"}, chained(clip, self._label))
        rows["metrics"] = self._metrics.of(clip)["metrics"]
        rows["filters_passed"] = repeated(self._filters, len(clip))
        rows["digital_source_type"] = pc.if_else(rows["is_synthetic"], pa.scalar(None, pa.string()), "digitalCapture")
        return rows


class RatedClipRows:
    """Joins rated clips with their scores."""

    def __init__(
        self,
        clips: ClipRows,
        *,
        samples: pa.Table,
        assessments: pa.Table,
        writings: pa.Table,
        prompts: Mapping[str, str | None],
    ) -> None:
        """Prepare the look-ups.

        Args:
            clips: joins what all sorts of clips have.
            samples: table of schema SAMPLES.
            assessments: table of schema ASSESSMENTS.
            writings: ``writing_id`` and the columns ``OF_WRITING`` of the judge's replies.
            prompts: sample -> what a judge is asked about it.
        """
        self._clips = clips
        self._assessments = RowSource(assessments, ("scores", "content", "completion", "rating_ids"))
        writings = writings.append_column("judge_model", pc.coalesce(writings["model_served"], writings["model"]))
        self._writings = RowSource(writings, _OF_JUDGE)
        self._assessment = row_numbers(samples["sample_id"], assessments["sample_id"])
        self._writing = row_numbers(assessments["writing_id"], writings["writing_id"])
        self._prompts = prompts

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return rows of schema SPLITS by prompt and clip, and ``clip``: the sample's row number."""
        return self._clips.ordered(splits)

    def batch(self, assigned: pa.Table) -> pa.Table:
        """Return one release row (``row_schema``) for each of some rows of ``ordered``, in their order."""
        rows = self._clips.of_clips(assigned)
        assessment = chained(assigned["clip"].to_numpy(), self._assessment)
        rows |= self._assessments.select(same("scores", "completion", "rating_ids"), assessment)
        rows |= self._writings.select(same(*_OF_JUDGE), chained(assessment, self._writing))
        rows["descriptions"] = _described(self._assessments.take("content", assessment))
        rows["clip_id"] = rows["item_id"]
        rows["prompt"] = pa.array([self._prompts.get(one) for one in rows["clip_id"].to_pylist()], pa.string())
        return pa.table({name: rows[name] for name in RATED_CLIPS.names})


class AnswerRows:
    """Joins questions about clips with their references."""

    def __init__(
        self,
        clips: ClipRows,
        *,
        instruction: str | None,
        reference_language: str | None,
        without_completion: Collection[str],
        signature: Callable[[str, int], str],
    ) -> None:
        """Take what decides the rows beyond the tables.

        Args:
            clips: joins what all sorts of clips have.
            instruction: what is asked about a recording without a question of its own.
            reference_language: of all references; None = that of the recording.
            without_completion: splits whose rows have no completion.
            signature: from a language and a number of references to the signature of the reward.
        """
        self._clips, self._instruction, self._language = clips, instruction, reference_language
        self._without_completion, self._signature = frozenset(without_completion), cache(signature)

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return rows of schema SPLITS by prompt and clip, and ``clip``: the sample's row number."""
        return self._clips.ordered(splits)

    def batch(self, assigned: pa.Table) -> pa.Table:
        """Return one release row (``row_schema``) for each of some rows of ``ordered``, in their order."""
        rows = self._clips.of_clips(assigned)
        rows["question_id"] = rows["item_id"]
        asked = [self._instruction if text is None else keyed(text) for text in rows["question"].to_pylist()]
        rows["prompt"] = pa.array(asked, pa.string())
        language = pa.scalar(self._language, pa.string())
        rows["reference_language"] = rows["language"] if self._language is None else pa.repeat(language, len(asked))
        left_out = pc.is_in(assigned["split"], value_set=pa.array(sorted(self._without_completion), pa.string()))
        first = pc.list_element(rows["references"], 0)
        rows["completion"] = pc.if_else(left_out.combine_chunks(), pa.scalar(None, pa.string()), first)
        counts = pc.list_value_length(rows["references"]).to_pylist()
        found = zip(rows["reference_language"].to_pylist(), counts, strict=True)
        rows["reward"] = pa.array([self._signature(language, count) for language, count in found], pa.string())
        return pa.table({name: rows[name] for name in ANSWERS.names})


def _described(contents: pa.Array) -> pa.Array:
    """Return the texts of canonical JSON objects, sorted by name; those that are null are left out."""
    kind = RATED_CLIPS.columns.field("descriptions").type
    found = [None if text is None else json.loads(text) for text in contents.to_pylist()]
    listed = [one and [{"name": name, "text": text} for name, text in one.items() if text is not None] for one in found]
    return pa.array(listed, kind)
