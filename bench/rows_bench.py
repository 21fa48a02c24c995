"""How fast released rows are joined, and how much memory that takes.

``python -m bench.rows_bench [pairs]`` prints CPU seconds and the growth of memory beyond the tables read. The tables are
made: seven clips a text (21 pairs), sixteen measured numbers a clip, a judgment of half a kilobyte a pair.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.schemas import SCHEMAS
from storage.rows import PairRows

PAIRS = 100_000
BATCH_ROWS = 1000
CLIPS = 7
METRICS = {"wer": 1, "sim": 1, "dnsmos": 4, "prosody": 10}


def tables(pairs: int) -> dict[str, Any]:
    """Return the arguments of ``PairRows``, and ``splits``, for about that many pairs."""
    upper, lower = np.triu_indices(CLIPS, 1)
    texts = pairs // len(upper)
    prompts, samples = np.arange(texts), np.arange(texts * CLIPS)
    of_pair = np.repeat(prompts, len(upper))
    left, right = ((of_pair.reshape(texts, -1) * CLIPS + clips).ravel() for clips in (upper, lower))
    pair = _ids("p", np.arange(len(of_pair)))
    draw = np.random.default_rng(0)
    winner = pa.array(draw.choice(["a", "b"], len(pair)))
    scores = _scores(draw, [f"dimension {n}" for n in range(4)], len(pair))
    split = draw.choice(["sft", "rl", "bench"], texts)[of_pair]
    target, reference = _ids("u", prompts), _ids("r", prompts)
    measured = {
        name: (_ids("s", samples), _scores(draw, ["wer"] if name == "wer" else [f"{name}_{n}" for n in range(n)], len(samples)))
        for name, n in METRICS.items()
    }
    return {
        "splits": _table("splits", item_id=pair, leakage_group=_ids("l", of_pair), split=split),
        "pairs": _table(
            "pairs",
            pair_id=pair,
            prompt_id=_ids("t", of_pair),
            sample_a=_ids("s", left),
            sample_b=_ids("s", right),
            kind="inter",
        ),
        "labels": _table("labels", item_id=pair, label=winner, source="judgment"),
        "rulings": _table(
            "rulings",
            pair_id=pair,
            verdict=winner,
            scores_a=scores,
            scores_b=scores,
            judgment_ids=pa.ListArray.from_arrays(
                pa.array(np.arange(len(pair) + 1), pa.int32()), _ids("j", np.arange(len(pair)))
            ),
        ),
        "judgments": _table(
            "judgments",
            judgment_id=_ids("j", np.arange(len(pair))),
            verdict=winner,
            order="ab",
            completion=pa.array([f"{n} prefers one of them, as it is " + "better " * 70 for n in range(len(pair))]),
        ),
        "prompts": _table(
            "prompts",
            prompt_id=_ids("t", prompts),
            text=pa.array([f"text {n} " + "word " * 10 for n in prompts]),
            target_utterance_id=target,
            reference_utterance_id=reference,
            license="CC0-1.0",
        ),
        "utterances": _table(
            "utterances", utterance_id=pa.concat_arrays([target, reference]), source_id="one", license="CC-BY-4.0"
        ),
        "recordings": _table("recordings", utterance_id=reference, audio_id=_ids("a", prompts)),
        "samples": _table(
            "samples",
            sample_id=_ids("s", samples),
            system=pa.array([f"system {n % CLIPS}" for n in samples]),
            audio_id=_ids("c", samples),
            license=pa.array([("GPL-3.0-or-later", "CC-BY-4.0")[n % 2] for n in samples]),
            voice="en-us",
            params='{"rate":175}',
        ),
        "metrics": pa.concat_tables(
            [_table("metrics", sample_id=ids, metric=name, values=values) for name, (ids, values) in measured.items()]
        ),
        "source_types": dict.fromkeys(_ids("s", samples).to_pylist(), "trainedAlgorithmicMedia"),
        "filters": ["audio_sanity", "wer_gap", "cycles"],
    }


def _ids(prefix: str, numbers: np.ndarray) -> pa.Array:
    """Return ids of 32 characters in an order that looks random, as hashes do."""
    distinct = (np.arange(int(numbers.max()) + 1, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return pa.array([f"{prefix}{value:031x}" for value in distinct.tolist()]).take(pa.array(numbers))


def _scores(draw: np.random.Generator, names: list[str], rows: int) -> pa.Array:
    offsets = pa.array(np.arange(rows + 1) * len(names), pa.int32())
    return pa.MapArray.from_arrays(offsets, pa.array(names * rows), pa.array(draw.random(rows * len(names))))


def _table(name: str, **columns: Any) -> pa.Table:
    """Return a table of the contract: these columns (a string is every row's), the same in every row of the others."""
    rows = next(len(column) for column in columns.values() if not isinstance(column, str))
    fill = {pa.string(): "-", pa.float64(): 0.0, pa.int64(): 0, pa.bool_(): False}
    made = []
    for field in SCHEMAS[name]:
        value = columns.get(field.name, None if field.nullable else fill.get(field.type, []))
        whole = isinstance(value, (pa.Array, pa.ChunkedArray, np.ndarray))
        made.append(pa.array(value, field.type) if whole else pa.repeat(pa.scalar(value, field.type), rows))
    return pa.Table.from_arrays(made, schema=SCHEMAS[name])


def _memory_kib(line: str) -> int:
    """Return what Linux says of this process: VmRSS is its memory now, VmHWM the peak since ``_forget_peak``."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{line}:")[1].split()[0])


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def main(pairs: int = PAIRS) -> None:
    """Print what joining all rows costs, batch by batch."""
    given = tables(pairs)
    splits = given.pop("splits")
    _forget_peak()
    before, began = _memory_kib("VmRSS"), time.process_time()
    joined = PairRows(**given)
    assigned = joined.ordered(splits)
    prepared = time.process_time() - began
    rows = sum(joined.batch(assigned.slice(start, BATCH_ROWS)).num_rows for start in range(0, assigned.num_rows, BATCH_ROWS))
    seconds, grown = time.process_time() - began, _memory_kib("VmHWM") - before
    print(f"{rows} rows: {seconds:.2f} s of CPU, {prepared:.2f} s of it to prepare; {grown / 1024:.0f} MiB beyond the tables")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
