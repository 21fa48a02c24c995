"""A tiny reward model on a release: a Bradley-Terry head on frozen features, in seconds and without a GPU.

    .venv/bin/python examples/train_tiny.py RELEASE [--configuration task1] [--train sft --train rl] [--bench bench]

The features of a clip are what the build measured and released; where a release has no measurements, prosody and acoustics of
its clips are measured here. The head is trained on the difference of the features of the two clips, so that A and B exchanged
give the opposite score. Predictions for the bench go into a file that ``unisrm-data bench score`` reads, and a table compares
the head with every single feature, turned the way in which it tells more of the training pairs.

What the table shows depends on who gave the labels: where a fixed rule over measurements did, as in the demo, features tell
them because the rule reads the same numbers. Then it says that the path from release to model works, and nothing of the model.
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from contracts import plugins
from scoring.bench.intervals import mean_over_items
from scoring.metric import Measurement, MetricRequest, MetricSession
from scoring.reliability.measures import Measure
from storage.blobs import decoded
from storage.shards import siblings_of, split_of

Floats = NDArray[np.float64]

_MEASURED_HERE = ("prosody", "acoustics")
FEW_GROUPS = 20
"""With fewer, a bootstrap over groups draws the same few again and again: its intervals are too narrow, and none is printed."""

_NEEDED = ("pair_id", "label", "leakage_group", "audio_a", "audio_b")
_READ = ("text_a", "text_b", "text", "language", "metrics_a", "metrics_b")


class Pairs:
    """The pairs of some splits.

    Attributes:
        ids: ids of the pairs.
        is_a: whether A is the better clip, shape (pairs,).
        group: number of the leakage group, shape (pairs,).
        names: names of the features.
        features: of A and of B, NaN = not measured, shape (pairs, 2, features).
    """

    def __init__(self, rows: list[dict], names: list[str]) -> None:
        self.ids = [row["pair_id"] for row in rows]
        self.is_a = np.array([row["label"] == "a" for row in rows])
        self.group = np.unique([row["leakage_group"] for row in rows], return_inverse=True)[1]
        self.names = names
        self.features = np.array(
            [[[row[f"metrics_{side}"].get(name, np.nan) for name in names] for side in "ab"] for row in rows], np.float64
        ).reshape(len(rows), 2, len(names))


def files_of(release: Path, configuration: str, splits: list[str]) -> list[Path]:
    """Return the shards of splits; ends the program where one is missing or has no pairs, before any work."""
    there = splits_of(release)
    files = [file for split in splits for file in there.get(configuration, {}).get(split, ())]
    if not files:
        named = "; ".join(f"{name}: {', '.join(of)}" for name, of in there.items())
        hint = f"It has {named} (name them with --configuration, --train and --bench)" if named else "Is it a release?"
        sys.exit(f"{release} has no rows of {configuration} in {', '.join(splits)}. {hint}")
    for file in files:
        if absent := [name for name in siblings_of(file.name) if not file.with_name(name).exists()]:
            sys.exit(f"{file.with_name(absent[0])} is missing: the release is not whole")
        try:
            names = pq.read_schema(file).names
        except (OSError, pa.ArrowException) as error:
            sys.exit(f"{file} cannot be read: {' '.join(str(error).split())[:200]}")
        if missing := [name for name in _NEEDED if name not in names]:
            sys.exit(f"{file} has no column {missing[0]}: this trains on pairs, name their --configuration")
    return files


def read_rows(files: list[Path]) -> list[dict]:
    """Return the rows of files, measurements as ``{metric: value}``; clips are decoded only where they must be measured."""
    rows: list[dict] = []
    for file in files:
        read = ["pair_id", "label", "leakage_group", *(name for name in _READ if name in pq.read_schema(file).names)]
        try:
            rows += pq.read_table(file, columns=read).to_pylist()
        except (OSError, pa.ArrowException) as error:
            sys.exit(f"{file} cannot be read: {' '.join(str(error).split())[:200]}")
    for row in rows:
        for side in "ab":
            measured = row.get(f"metrics_{side}") or []
            row[f"metrics_{side}"] = {one["metric"]: one["value"] for one in measured if one["value"] is not None}
    if not any(row["metrics_a"] for row in rows):
        measure(rows, files)
    preferred = [row for row in rows if row["label"] in {"a", "b"}]
    if not preferred:
        sys.exit(f"no pair of {', '.join(file.name for file in files)} has a better clip")
    return preferred


def splits_of(release: Path) -> dict[str, dict[str, list[Path]]]:
    """Return configuration -> split -> its shards."""
    if not release.is_dir():
        sys.exit(f"{release} is no folder: name that of a release")
    found: dict[str, dict[str, list[Path]]] = {}
    for file in sorted(release.glob("*/*.parquet")):
        found.setdefault(file.parent.name, {}).setdefault(split_of(file.name), []).append(file)
    return found


def measure(rows: list[dict], files: list[Path]) -> None:
    """Measure the clips of rows with metric plug-ins that need no model."""
    print(f"the release has no measurements: measuring {', '.join(_MEASURED_HERE)} of its clips", file=sys.stderr)
    sessions: list[MetricSession] = [plugins.configure("metric", name).open() for name in _MEASURED_HERE]
    for row, clips in zip(rows, _clips(files), strict=True):
        for side in "ab":
            try:
                samples, rate = decoded((clips[f"audio_{side}"] or {}).get("bytes") or b"")
            except ValueError as error:
                sys.exit(f"pair {row['pair_id']}, audio_{side}: the clip {error}")
            request = MetricRequest(
                sample_id=f"{row['pair_id']}{side}",
                waveform=samples.astype(np.float32) / 32768,
                sample_rate_hz=rate,
                text=row.get(f"text_{side}") or row.get("text") or "",
                language=row["language"],
            )
            for session in sessions:
                for found in session.measure([request]):
                    if isinstance(found, Measurement):
                        row[f"metrics_{side}"] |= {name: value for name, value in found.values.items() if value is not None}


def _clips(files: list[Path]) -> Iterator[dict]:
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(16, columns=["audio_a", "audio_b"]):
            yield from batch.to_pylist()


class Head:
    """A Bradley-Terry head: the difference of two linear scores is the logit of A being the better clip."""

    def __init__(self, pairs: Pairs, penalty: float = 1.0) -> None:
        """Train on pairs; a feature that was not measured counts as the mean over all clips."""
        clips = pairs.features.reshape(-1, len(pairs.names))
        known = ~np.isnan(clips)
        self.mean = np.where(known.any(0), np.nansum(clips, 0) / np.maximum(known.sum(0), 1), 0.0)
        spread = np.sqrt(np.nansum((clips - self.mean) ** 2, 0) / np.maximum(known.sum(0), 1))
        self.scale = np.where(spread > 0, spread, 1.0)
        difference, sign = self.difference(pairs), np.where(pairs.is_a, 1.0, -1.0)

        def loss(weights: Floats) -> tuple[float, Floats]:
            margin = sign * (difference @ weights)
            slope = -(sign * expit(-margin)) @ difference
            return float(np.logaddexp(0, -margin).sum() + penalty * weights @ weights / 2), slope + penalty * weights

        self.weights: Floats = minimize(loss, np.zeros(len(pairs.names)), jac=True, method="L-BFGS-B").x

    def difference(self, pairs: Pairs) -> Floats:
        """Return the standardised features of A minus those of B, shape (pairs, features)."""
        standard = np.nan_to_num((pairs.features - self.mean) / self.scale)
        return standard[:, 0] - standard[:, 1]

    def scores(self, pairs: Pairs) -> Floats:
        """Return how much better A is, in logits, shape (pairs,)."""
        return self.difference(pairs) @ self.weights


def right(scores: Floats, pairs: Pairs) -> Floats:
    """Return 1 where the better clip has the strictly higher score, else 0: a tie, or a missing value, is wrong."""
    return np.where(pairs.is_a, scores > 0, scores < 0).astype(np.float64)


def table(head: Head, train: Pairs, bench: Pairs) -> list[tuple[str, Measure]]:
    """Return name and accuracy, with its interval over leakage groups: of the head, and of every single feature, best first."""
    found = [("Bradley-Terry head", right(head.scores(bench), bench))]
    for number, name in enumerate(train.names):
        up = train.features[:, 0, number] - train.features[:, 1, number]
        turned = 1.0 if right(up, train).mean() >= right(-up, train).mean() else -1.0
        there = turned * (bench.features[:, 0, number] - bench.features[:, 1, number])
        found.append((f"{name}, {'higher' if turned > 0 else 'lower'} is better", right(there, bench)))
    rows = [(name, mean_over_items(values, bench.group, seed=0, nothing="no pairs")) for name, values in found]
    return [rows[0], *sorted(rows[1:], key=lambda row: (-(row[1].value or 0.0), row[0]))]


def interval_of(measure: Measure) -> str:
    """Return an interval in words; one without width says that it is not known."""
    if measure.low is None or measure.high is None or measure.low == measure.high:
        return "unknown"
    return f"{measure.low:.3f} to {measure.high:.3f}"


def main(arguments: list[str] | None = None) -> None:
    """Train, predict, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", type=Path)
    parser.add_argument("--configuration", default="task1")
    parser.add_argument("--train", action="append", help="split to train on; may be repeated; default: sft and rl")
    parser.add_argument("--bench", default="bench")
    parser.add_argument("--output", "-o", type=Path, default=Path("predictions.jsonl"))
    given = parser.parse_args(arguments)
    trained = given.train or ["sft", "rl"]
    if given.bench in trained:
        sys.exit(f"--bench {given.bench}: the head is trained on {', '.join(trained)}: name other splits with --train")
    if not os.access(given.output.parent, os.W_OK) or given.output.is_dir():
        sys.exit(f"--output {given.output}: no file can be written there")
    train_files, bench_files = (files_of(given.release, given.configuration, of) for of in (trained, [given.bench]))
    train_rows, bench_rows = read_rows(train_files), read_rows(bench_files)
    if shared := {row["leakage_group"] for row in train_rows} & {row["leakage_group"] for row in bench_rows}:
        splits = f"{', '.join(trained)} and {given.bench}"
        sys.exit(
            f"{splits} share {len(shared)} leakage groups: test on a split that has none of the training pairs' texts or clips"
        )
    names = sorted({name for row in train_rows for side in "ab" for name in row[f"metrics_{side}"]})
    if not names:
        sys.exit(f"{given.release}, {given.configuration}: no clip of {', '.join(trained)} could be measured")
    train, bench = Pairs(train_rows, names), Pairs(bench_rows, names)
    head = Head(train)
    scores = head.scores(bench)
    predicted = [
        {"item_id": pair, "verdict": "a" if score >= 0 else "b"} for pair, score in zip(bench.ids, scores.tolist(), strict=True)
    ]
    given.output.write_text("".join(json.dumps(row) + "\n" for row in predicted), encoding="utf-8")
    groups = len(np.unique(bench.group))
    print(f"trained on {len(train.ids)} pairs, {len(names)} features; bench: {len(bench.ids)} pairs of {groups} leakage groups")
    if groups < FEW_GROUPS:
        print(f"{groups} leakage groups are too few to tell judges apart: do not trust the order below")
    print(f"{'judge':44} accuracy      n   95 % interval")
    for name, accuracy in table(head, train, bench):
        interval = interval_of(accuracy) if groups >= FEW_GROUPS else "unknown"
        print(f"{name:44} {accuracy.value:8.3f} {accuracy.n:6}   {interval}")
    options = ["--configuration", given.configuration, "--split", given.bench]
    command = shlex.join(["unisrm-data", "bench", "score", str(given.release), str(given.output), *options])
    print(f"predictions: {given.output}; score them with {command}")


if __name__ == "__main__":
    main()
