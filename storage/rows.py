"""Release rows of compared pairs: every kept pair joined with all that it came from (pure)."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import Ints, RowSource, attach, chained, row_numbers, sorted_by
from contracts.languages import with_setting
from storage.columns import TASK1, ReleaseSchema

_OF_PROMPT: Final = ("text", "language", "reference_language", "setting", "style", "reference_category", "corpus", "speaker_id")
_OF_TARGET: Final = ("source_id", "emotion", "dialogue_id", "turn")
_OF_SAMPLE: Final = ("system", "spoken_text", "is_synthetic", "engine", "engine_version", "model", "voice", "seed", "params")
_OF_JUDGMENT: Final = ("judge", "judge_version", "judge_model", "prompt_version")
OF_JUDGMENT: Final = (
    *("judgment_id", "judge", "judge_version", "model", "model_served", "prompt_version"),
    *("order", "verdict", "completion"),
)
"""The columns of JUDGMENTS that are released, or decide what is."""

_OF_RULING: Final = {f"judge_{name}": name for name in ("votes_a", "votes_b", "votes_none")}
_BORROWED: Final = {"recording": "utterance_id", "reference": "reference_utterance_id"}
"""What a clip borrows from the corpora -> the column of SAMPLES that names it."""

OF_LISTENERS: Final = ("votes", "agreement", "vote_ids")

_HUMAN: Final = "human"
_OF_NEGATIVES: Final = ("flaw",)
"""What is written about a negative text: it is true of a row only if a system says that text."""


class Rows(Protocol):
    """Joins the rows of a release, batch by batch."""

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return rows of schema SPLITS in the order of a release, neighbours share clips, and the row number ``pair``."""
        ...

    def batch(self, splits: pa.Table) -> pa.Table:
        """Return one release row (``row_schema``) for each of some rows of ``ordered``, in their order."""
        ...


class PairRows:
    """Joins released pairs with all that they came from, batch by batch.

    Look-ups are prepared once, for all batches; memory beyond the tables grows with a batch only.
    """

    def __init__(
        self,
        *,
        pairs: pa.Table,
        labels: pa.Table,
        rulings: pa.Table,
        judgments: pa.Table,
        prompts: pa.Table,
        utterances: pa.Table,
        recordings: pa.Table,
        samples: pa.Table,
        metrics: pa.Table,
        source_types: Mapping[str, str | None],
        filters: Sequence[str],
        schema: ReleaseSchema = TASK1,
        written: pa.Table | None = None,
        histories: pa.Table | None = None,
        votes: pa.Table | None = None,
    ) -> None:
        """Prepare the look-ups.

        Args:
            pairs: table of schema PAIRS.
            labels: table of schema LABELS.
            rulings: table of schema RULINGS.
            judgments: the columns ``OF_JUDGMENT`` of the judgments that stand first in the rulings, in any order.
            prompts: table of schema PROMPTS.
            utterances: table of schema UTTERANCES.
            recordings: table of schema RECORDINGS, one row per utterance.
            samples: table of schema SAMPLES.
            metrics: table of schema METRICS.
            source_types: sample id -> IPTC digital source type; None = unknown.
            filters: names of the filters that every row passed.
            schema: release schema of the task.
            written: ``prompt_id`` and columns of the schema that language models wrote about the prompt; None = no columns.
            histories: ``prompt_id, history_utterance_ids``: the turns before, for a schema that has them.
            votes: ``pair_id, votes, agreement, vote_ids`` of the pairs that people voted on; None = nobody voted.
        """
        self._schema, self._filters = schema, list(filters)
        self._pairs, self._order = RowSource(pairs, ("pair_id", "kind")), pairs.select(["pair_id", "prompt_id"])
        self._prompts = RowSource(with_setting(prompts), (*_OF_PROMPT, "reference_text", "license"))
        self._utterances = RowSource(utterances, (*_OF_TARGET, "license"))
        self._recordings = RowSource(recordings, ("audio_id",))
        self._labels = RowSource(labels, ("label", "source"))
        self._rulings = RowSource(rulings, ("scores_a", "scores_b", *_OF_RULING.values()))
        judgments = judgments.append_column("judge_model", pc.coalesce(judgments["model_served"], judgments["model"]))
        self._judgments = RowSource(judgments, (*_OF_JUDGMENT, "completion", "verdict", "order"))
        types = pa.array([source_types[key] for key in samples["sample_id"].to_pylist()], pa.string())
        samples = samples.append_column("source_type", types)
        self._samples = RowSource(samples, (*_OF_SAMPLE, "audio_id", "license", "source_type", "corruption"))
        self._metrics = SampleMetrics(metrics, samples["sample_id"])
        # Row numbers that lead from one table to the next.
        pair, utterance = pairs["pair_id"], utterances["utterance_id"]
        self._prompt = row_numbers(pairs["prompt_id"], prompts["prompt_id"])
        self._target = row_numbers(prompts["target_utterance_id"], utterance)
        self._reference = row_numbers(prompts["reference_utterance_id"], utterance)
        self._recording = row_numbers(utterance, recordings["utterance_id"])
        self._label = row_numbers(pair, labels["item_id"])
        self._ruling = row_numbers(pair, rulings["pair_id"])
        self._judgment = row_numbers(first_judgments(rulings), judgments["judgment_id"])
        self._sample = {side: row_numbers(pairs[f"sample_{side}"], samples["sample_id"]) for side in "ab"}
        self._borrowed = {name: row_numbers(samples[column], utterance) for name, column in _BORROWED.items()}
        self._written = self._histories = self._votes = None
        if written is not None:
            released = [name for name in written.column_names if name in schema.names]
            self._written = (RowSource(written, released), released, row_numbers(prompts["prompt_id"], written["prompt_id"]))
        if histories is not None:
            turns = histories["history_utterance_ids"]
            ends = _offsets(pc.fill_null(pc.list_value_length(turns), 0).to_numpy())
            self._histories = (
                row_numbers(prompts["prompt_id"], histories["prompt_id"]),
                ends,
                row_numbers(pc.list_flatten(turns), utterance),
            )
        if votes is not None:
            self._votes = (RowSource(votes, OF_LISTENERS), row_numbers(pair, votes["pair_id"]))

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return rows of schema SPLITS by prompt and pair, and ``pair``: the pair's row number."""
        return ordered(splits, self._order)

    def batch(self, assigned: pa.Table) -> pa.Table:
        """Return one release row (``row_schema``) for each of some rows of ``ordered``, in their order."""
        pair = assigned["pair"].to_numpy()
        rows = {"pair_id": self._pairs.take("pair_id", pair), "pair_kind": self._pairs.take("kind", pair)}
        rows |= {"leakage_group": assigned["leakage_group"], "filters_passed": repeated(self._filters, len(pair))}
        rows |= self._labels.select({"label": "label", "label_source": "source"}, chained(pair, self._label))
        rows |= self._of_prompt(chained(pair, self._prompt))
        rows |= self._of_judge(chained(pair, self._ruling), rows["label"])
        for side, of_pair in self._sample.items():
            sample = chained(pair, of_pair)
            names = {f"{name}_{side}": name for name in _OF_SAMPLE}
            names |= {f"audio_{side}": "audio_id", f"license_{side}": "license", f"digital_source_type_{side}": "source_type"}
            rows |= self._samples.select(names | {f"corruption_{side}": "corruption"}, sample)
            for name, of_sample in self._borrowed.items():
                borrowed = self._utterances.select({"source_id": "source_id", "license": "license"}, chained(sample, of_sample))
                rows |= {f"{name}_source_id_{side}": borrowed["source_id"], f"{name}_license_{side}": borrowed["license"]}
            rows |= {f"{name}_{side}": column for name, column in self._metrics.of(sample).items()}
        written_is_said = pc.or_(*(_says_what_was_written(rows, side) for side in self._sample))
        for name in set(_OF_NEGATIVES) & set(rows):
            rows[name] = pc.if_else(written_is_said, rows[name], pa.scalar(None, rows[name].type))
        of_clips = [f"{name}license_{side}" for name in ("", "reference_") for side in "ab"]
        licenses = ["prompt_license", "reference_license", "history_licenses", *of_clips]
        rows["license"] = row_licenses([rows[name] for name in licenses if name in rows])
        if self._votes is not None:
            votes, of_pair = self._votes
            rows |= votes.select(same(*OF_LISTENERS), chained(pair, of_pair))
        return pa.table({name: rows[name] for name in self._schema.names if name in rows})

    def _of_prompt(self, prompt: Ints) -> dict[str, pa.Array]:
        names = same(*_OF_PROMPT) | {"prompt_text": "reference_text", "prompt_license": "license"}
        rows = self._prompts.select(names, prompt)
        rows |= self._utterances.select(same(*_OF_TARGET), chained(prompt, self._target))
        reference = chained(prompt, self._reference)
        names = {"reference_source_id": "source_id", "reference_license": "license"}
        rows |= self._utterances.select(names, reference)
        rows |= self._recordings.select({"prompt_audio": "audio_id"}, chained(reference, self._recording))
        if self._written is not None:
            written, released, of_prompt = self._written
            rows = written.select(same(*released), chained(prompt, of_prompt)) | rows
        if self._histories is not None:
            of_prompt, ends, of_turn = self._histories
            places, offsets = _places(ends, chained(prompt, of_prompt))
            utterance = of_turn[places]
            audio = self._recordings.take("audio_id", chained(utterance, self._recording))
            without = np.concatenate([[0], np.cumsum(audio.is_null().to_numpy(zero_copy_only=False))])
            # No audio of an empty history, nor of one in which a turn has none.
            silent = (np.diff(offsets) == 0) | (np.diff(without[offsets]) > 0)
            rows["history_audio"] = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), audio, mask=pa.array(silent))
            licenses = self._utterances.take("license", utterance)
            rows["history_licenses"] = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), licenses)
        return rows

    def _of_judge(self, ruling: Ints, label: pa.Array) -> dict[str, pa.Array]:
        judgment = chained(ruling, self._judgment)
        rows = self._rulings.select(_OF_RULING, ruling) | self._judgments.select(same(*_OF_JUDGMENT), judgment)
        for name in ("scores_a", "scores_b"):
            rows[name] = self._rulings.take(name, ruling).cast(self._schema.columns.field(name).type)
        # No training text for this label is a reasoning that ends in another verdict, or that calls A what was played second.
        verdict, order = (self._judgments.take(name, judgment) for name in ("verdict", "order"))
        telling = pc.and_(pc.equal(verdict, label), pc.equal(order, "ab"))
        rows["completion"] = pc.if_else(telling, self._judgments.take("completion", judgment), pa.scalar(None, pa.string()))
        return rows


def _says_what_was_written(rows: Mapping[str, pa.Array], side: str) -> pa.BooleanArray:
    """Tell whether a clip says another text that was written for it; a recording with another text was not."""
    return pc.and_(pc.is_valid(rows[f"spoken_text_{side}"]), pc.not_equal(rows[f"system_{side}"], _HUMAN))


class SampleMetrics:
    """All numbers measured of each sample, sorted by name; kept flat, with numbers for the names."""

    def __init__(self, metrics: pa.Table, samples: pa.ChunkedArray) -> None:
        """Take rows of schema METRICS, and the ids of the samples by row number."""
        lists = metrics["values"].combine_chunks().cast(pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())])))
        of_row = row_numbers(metrics["sample_id"], samples)
        self._measured = np.isin(np.arange(len(samples)), of_row)
        names = lists.flatten().field("name").dictionary_encode()
        self._names = names.dictionary.take(pc.sort_indices(names.dictionary))
        rank = row_numbers(names.dictionary, pa.chunked_array([self._names]))
        sample, name = of_row[pc.list_parent_indices(lists).to_numpy()], rank[names.indices.to_numpy()]
        value = lists.flatten().field("value").to_numpy(zero_copy_only=False)  # null is NaN here
        sample, name, value = (column[sample >= 0] for column in (sample, name, value))
        self._wer = np.full(len(samples), np.nan)
        if (wer := pc.index(self._names, "wer").as_py()) >= 0:
            self._wer[sample[name == wer]] = value[name == wer]
        order = np.lexsort((value, name, sample))
        self._name, self._value = name[order], value[order]
        self._ends = _offsets(np.bincount(sample, minlength=len(samples)))

    def of(self, rows: Ints) -> dict[str, pa.Array]:
        """Return ``metrics`` (list of metric and value; null = nothing measured) and ``wer`` of samples by row number."""
        places, offsets = _places(self._ends, rows)
        value = self._value[places]
        items = [self._names.take(pa.array(self._name[places])), pa.array(value, mask=np.isnan(value))]
        lists = pa.ListArray.from_arrays(
            pa.array(offsets, pa.int32()),
            pa.StructArray.from_arrays(items, ["metric", "value"]),
            mask=pa.array((rows < 0) | ~self._measured[rows]),
        )
        wer = np.where(rows < 0, np.nan, self._wer[rows])
        return {"metrics": lists, "wer": pa.array(wer, mask=np.isnan(wer))}


def ordered(splits: pa.Table, items: pa.Table, number: str = "pair") -> pa.Table:
    """Return rows of schema SPLITS by prompt and item, and the row number in ``items`` (its id first, and ``prompt_id``)."""
    key = items.column_names[0]
    items = items.append_column(number, pa.array(np.arange(items.num_rows)))
    rows = attach(splits, "item_id", items, key, same("prompt_id", number))
    rows = rows.set_column(rows.num_columns - 1, number, pc.fill_null(rows[number], -1))
    return sorted_by(rows, "prompt_id", "item_id").drop_columns(["prompt_id"])


def same(*names: str) -> dict[str, str]:
    """Return columns that keep their names."""
    return {name: name for name in names}


def repeated(values: Sequence[str], rows: int) -> pa.Array:
    """Return the same list in every row."""
    return pa.repeat(pa.scalar(list(values), pa.list_(pa.string())), rows)


def row_licenses(columns: Sequence[pa.Array]) -> pa.Array:
    """Return the licence of all that each row holds, as an SPDX expression.

    Args:
        columns: licences, or lists of licences, of what a row holds; null = it holds none of that.
    """
    lines = [pc.binary_join(column, "\n") if pa.types.is_list(column.type) else column for column in columns]
    joined = pc.binary_join_element_wise(*lines, "\n", null_handling="skip").dictionary_encode()
    return pa.array(map(_conjunction, joined.dictionary.to_pylist()), pa.string()).take(joined.indices)


@cache
def _conjunction(lines: str) -> str:
    """Join SPDX expressions, one a line, by AND, each licence once; what contains an OR is put in brackets."""
    terms = set[str]()
    for expression in filter(None, lines.split("\n")):
        terms |= {f"({expression})"} if " OR " in expression else set(expression.split(" AND "))
    return " AND ".join(sorted(terms))


def first_judgments(rulings: pa.Table) -> pa.ChunkedArray:
    """Return the judgment that tells each ruling, the first of its list; null = it rests on none."""
    lists = rulings["judgment_ids"]
    return pc.list_element(pc.if_else(pc.greater(pc.list_value_length(lists), 0), lists, None), 0)


def _offsets(lengths: Ints) -> Ints:
    """Return where each list begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _places(ends: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Return where the values of some lists stand, of lists that end at ``ends[1:]``, and offsets; -1 is an empty list."""
    start = ends[rows]
    lengths = np.where(rows < 0, 0, ends[rows + 1] - start)
    offsets = _offsets(lengths)
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1] - start, lengths), offsets
