"""How fast the filters are on a million comparisons, and the one of cycles against scipy alone.

``python -m bench.filters_bench`` prints a table. The comparisons are drawn from a Bradley-Terry model: text groups of six to
nine candidates, all pairs of a group, the stronger candidate wins with the logistic chance of the difference, so that some
comparisons contradict each other in a circle, as a noisy judge's do.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import feather
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from filters.audio_sanity import AudioSanity
from filters.chain import apply
from filters.cycles import Cycles
from filters.tied_totals import TiedTotals
from filters.verdict import Filter
from filters.wer_gap import WerGap

PAIRS = 1_000_000
CYCLES_TARGET = 0.8  # of the speed of scipy alone, which checks no column and gives no reasons
CHAIN_SECONDS_TARGET = 10.0
CHAIN_GIB_TARGET = 2.0
STRENGTH_SPREAD = 12.0  # logits: about a tenth of the comparisons end on a cycle


def comparisons(pairs: int, seed: int = 0) -> pa.Table:
    """Return a comparisons table of that many pairs (see ``filters.verdict``), with string ids as long as real ones."""
    draw = np.random.default_rng(seed)
    sizes = draw.integers(6, 10, pairs // 15 + 1)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes * (sizes - 1) // 2), pairs)) + 1]
    first_sample = np.concatenate([[0], np.cumsum(sizes)])
    group, a, b = [], [], []
    for size in range(6, 10):
        members = np.flatnonzero(sizes == size)
        upper, lower = np.triu_indices(size, 1)
        group.append(np.repeat(members, upper.size))
        a.append((first_sample[members][:, None] + upper).ravel())
        b.append((first_sample[members][:, None] + lower).ravel())
    groups, left, right = np.concatenate(group), np.concatenate(a), np.concatenate(b)
    order = np.argsort(groups, kind="stable")[:pairs]
    swap = draw.random(pairs) < 0.5
    groups, left, right = groups[order], np.where(swap, right[order], left[order]), np.where(swap, left[order], right[order])

    samples = int(first_sample[-1])
    strength = draw.normal(0, STRENGTH_SPREAD / 2, samples)
    a_wins = draw.random(pairs) < 1 / (1 + np.exp(strength[right] - strength[left]))
    total_a = draw.integers(12, 41, pairs).astype(float)
    total_b = np.where(a_wins, total_a - draw.integers(1, 6, pairs), total_a + draw.integers(1, 6, pairs))
    tied = draw.random(pairs) < 0.03
    total_b = np.where(tied, total_a, total_b)
    verdict = pa.array(np.where(a_wins, "a", "b"), pa.string(), mask=tied)

    wer = np.round(draw.gamma(0.5, 0.08, samples), 4)
    characters = draw.integers(20, 180, sizes.size)
    of_group = np.repeat(np.arange(sizes.size), sizes)
    duration = characters[of_group] * draw.normal(0.068, 0.008, samples) + draw.uniform(0.2, 0.8, samples)
    loudness = draw.normal(-23, 0.15, samples)
    prose = "the old house stood on a hill and looked over the sea " * 4
    texts = pa.array([f"{prose[:length]} {place}" for place, length in enumerate(characters)])
    table = pa.table(
        {
            "item_id": _ids("p", np.arange(pairs)),
            "group_id": _ids("g", groups),
            "sample_a": _ids("s", left),
            "sample_b": _ids("s", right),
            "system_a": _ids("y", left - first_sample[groups]),
            "system_b": _ids("y", right - first_sample[groups]),
            "verdict": verdict,
            "total_a": total_a,
            "total_b": total_b,
            "wer_a": wer[left],
            "wer_b": wer[right],
            "duration_a": duration[left],
            "duration_b": duration[right],
            "sample_rate_a": np.full(pairs, 16_000),
            "sample_rate_b": np.full(pairs, 16_000),
            "loudness_a": loudness[left],
            "loudness_b": loudness[right],
            "text": texts.take(pa.array(groups)),
        }
    )
    # The flow sorts by pair id, a hash, so that the pairs of a group lie far apart.
    return table.take(pa.array(draw.permutation(pairs)))


def _ids(prefix: str, numbers: np.ndarray) -> pa.Array:
    """Return ids of 32 characters in an order that looks random, as hashes do."""
    distinct = np.arange(int(numbers.max()) + 1, dtype=np.uint64)
    mixed = (distinct + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return pa.array([f"{prefix}{value:031x}" for value in mixed.tolist()]).take(pa.array(numbers))


def bare_scipy(table: pa.Table) -> np.ndarray:
    """Return which comparisons lie on a cycle: a data frame, its nodes numbered, and scipy's components."""
    frame = table.select(["group_id", "sample_a", "sample_b", "verdict"]).to_pandas().dropna()
    left, right = frame["group_id"] + frame["sample_a"], frame["group_id"] + frame["sample_b"]
    nodes, _ = pd.factorize(pd.concat([left, right]))
    winner, loser = np.where(frame["verdict"] == "a", nodes.reshape(2, -1), nodes.reshape(2, -1)[::-1])
    size = int(nodes.max()) + 1
    _, component = connected_components(coo_array((np.ones(len(frame)), (winner, loser)), (size, size)), connection="strong")
    on_cycle = np.zeros(table.num_rows, dtype=bool)
    on_cycle[frame.index] = component[winner] == component[loser]
    return on_cycle


def bench_cycles(pairs: int = PAIRS) -> list[dict[str, Any]]:
    """Time ``Cycles().reasons`` (best of three) against scipy alone (likewise), and check equal results."""
    table = comparisons(pairs)
    seconds, reasons = min((_timed(partial(Cycles().reasons, table)) for _ in range(3)), key=lambda run: run[0])
    baseline, expected = min((_timed(partial(bare_scipy, table)) for _ in range(3)), key=lambda run: run[0])
    if not np.array_equal(reasons.is_valid().to_numpy(zero_copy_only=False), expected):
        raise AssertionError("the cycles filter and scipy disagree")
    share = 100 * (1 - reasons.null_count / pairs)
    what = f"cycles.reasons, {pairs} pairs, {share:.1f} % on cycles, s (baseline: pandas.factorize and scipy)"
    return [_line(what, seconds, baseline, baseline / seconds, CYCLES_TARGET, at_least=True)]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def bench_chain(pairs: int = PAIRS) -> list[dict[str, Any]]:
    """Time the filter chain in a process of its own; its memory counts the table and everything after the imports."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "comparisons.arrow")
        feather.write_feather(comparisons(pairs), path, compression="uncompressed")
        command = [sys.executable, "-m", "bench.filters_bench", "--chain", path]
        root = Path(__file__).resolve().parent.parent
        measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout)
    what = f"filter chain, {pairs} pairs, {measured['dropped']} dropped"
    return [
        _line(f"{what}, s", measured["seconds"], None, None, CHAIN_SECONDS_TARGET, at_least=False),
        _line(f"{what}, peak memory with the table, GiB", measured["gib"], None, None, CHAIN_GIB_TARGET, at_least=False),
    ]


def _measure_chain(path: str) -> None:
    before = _peak_bytes()
    table = feather.read_table(path, memory_map=False)
    filters: list[tuple[str, Filter]] = [
        ("audio_sanity", AudioSanity()), ("tied_totals", TiedTotals()), ("wer_gap", WerGap()), ("cycles", Cycles()),
    ]  # fmt: skip
    start = time.perf_counter()
    kept, drops = apply(table, filters)
    seconds = time.perf_counter() - start
    if kept.num_rows + drops.num_rows != table.num_rows:
        raise AssertionError("the filter chain lost rows")
    sys.stdout.write(json.dumps({"seconds": seconds, "gib": (_peak_bytes() - before) / 2**30, "dropped": drops.num_rows}))


def _peak_bytes() -> int:
    # getrusage's ru_maxrss survives exec, so that a child would start at its parent's peak; VmHWM belongs to this program.
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def _line(
    name: str, value: float, baseline: float | None, ratio: float | None, target: float, *, at_least: bool
) -> dict[str, Any]:
    measured = value if ratio is None else ratio
    ok = measured >= target if at_least else measured <= target
    return {"name": name, "value": value, "baseline": baseline, "ratio": ratio, "target": target, "ok": ok}


def run() -> list[dict[str, Any]]:
    """Run every measurement of this file."""
    return [*bench_cycles(), *bench_chain()]


def main() -> None:
    if sys.argv[1:2] == ["--chain"]:
        _measure_chain(sys.argv[2])
        return
    lines = run()
    for line in lines:
        numbers = [f"{key} {line[key]:.3g}" for key in ("value", "baseline", "ratio", "target") if line[key] is not None]
        print(f"{'ok  ' if line['ok'] else 'MISS'} {line['name']}: {', '.join(numbers)}")
    sys.exit(0 if all(line["ok"] for line in lines) else 1)


if __name__ == "__main__":
    main()
