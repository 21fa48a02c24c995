"""One stage in a process of its own, so that its CPU and memory are its own: of this tree, or of one from before.

``python bench/stage_process.py fill|STAGE PAIRS FOLDER`` with the root of a tree as ``PYTHONPATH``. ``fill`` makes the
workspace of the no-op bench up to its judgments; a stage runs there and prints what it took, as JSON. Only what trees from
before have, too, is imported.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_SCALES: Final = {
    "wer": (0.3, 0.0),
    "sim": (0.3, 0.9),
    "f0_std_semitones": (0.2, 0.8),
    "distillmos": (2.5, 4.5),
    "dnsmos_ovrl": (2.5, 3.7),
}
"""Number measured of a clip -> what gets no points, and what gets ten. Trees from before measured DNSMOS, not DistillMOS."""

_DIMENSIONS: Final = ("Text Fidelity", "Speaker Similarity", "Prosody", "Audio Quality")
_PART_ROWS: Final = 100_000
_EXPLANATION: Final = (
    "explanation: Good: a recogniser hears {0} errors per word of the text, the speaker embedding is at {0} of what one "
    "speaker reaches, and voicing above 2.5 kHz is periodic to a degree of {0}, where the stillest moments move by half."
)

Points = npt.NDArray[np.float64]


def write_judgments(build: Any) -> None:
    """Commit a judgment of every pair, 2 KB of text each, without asking: scores follow from what was measured."""
    from contracts.schemas import JUDGMENTS

    question = _questions()(build)[0]
    requests, rows = question.requests, question.requests.num_rows
    facts = [fact for fact in _SCALES if f"{fact}_a" in requests.column_names]
    scores = {side: np.stack([_points(requests, fact, side) for fact in facts], axis=1) for side in "ab"}
    totals = {side: points.sum(axis=1).round(1) for side, points in scores.items()}
    columns: dict[str, Any] = {
        "judgment_id": question.ids,
        "pair_id": requests["subject_id"],
        "verdict": pa.array(np.where(totals["a"] > totals["b"], "a", "b"), pa.string(), mask=totals["a"] == totals["b"]),
        "completion": pa.chunked_array(
            [_texts(scores, slice(start, start + _PART_ROWS)) for start in range(0, rows, _PART_ROWS)], pa.string()
        ),
    }
    offsets = pa.array(np.arange(rows + 1) * len(_DIMENSIONS), pa.int32())
    for side, points in scores.items():
        columns[f"scores_{side}"] = pa.MapArray.from_arrays(offsets, pa.array(_DIMENSIONS * rows), pa.array(points.ravel()))
        columns[f"total_{side}"] = totals[side]
    same = {"task": "task1", "judge": "objective", "order": "ab", "vote": 0}
    for field in JUDGMENTS:
        if field.name not in columns:
            value = same.get(field.name, None if field.nullable else "1")
            columns[field.name] = pa.repeat(pa.scalar(value, field.type), rows)
    table = pa.table({name: columns[name] for name in JUDGMENTS.names})
    for start in range(0, rows, _PART_ROWS):
        build.tables.append("judgments", table.slice(start, _PART_ROWS))


def _questions() -> Any:
    try:
        return importlib.import_module("flows.stages.judgments").judge_questions
    except ModuleNotFoundError:  # as it was before the stages had a folder
        return importlib.import_module("flows.judging").judge_questions


def _points(requests: pa.Table, fact: str, side: str) -> Points:
    worst, best = _SCALES[fact]
    points: Points = ((requests[f"{fact}_{side}"].to_numpy() - worst) / (best - worst) * 10).clip(0, 10).round(1)
    return points


def _texts(scores: dict[str, Points], rows: slice) -> pa.Array:
    texts = []
    for a, b in zip(scores["a"][rows].tolist(), scores["b"][rows].tolist(), strict=True):
        lines = ["<think>"]
        for side, points in (("A", a), ("B", b)):
            lines.append(f"[Speech {side}]")
            lines += [
                f"{number}) {name}: score={one}/10; {_EXPLANATION.format(one)}"
                for number, (name, one) in enumerate(zip(_DIMENSIONS, points, strict=True), 1)
            ]
        better = "A" if sum(a) > sum(b) else "B"
        texts.append("\n".join([*lines, f"</think><answer>Speech {better} is better</answer>"]))
    return pa.array(texts, pa.string())


def _fill(pairs: int, folder: Path) -> None:
    from bench import noop_bench

    folder.mkdir(parents=True)
    noop_bench.PAIRS = pairs
    build = noop_bench.open_build(noop_bench.write_recipe(folder), str(folder / "ws"))
    stages, execute = noop_bench.stages_of(build), noop_bench.execute
    judged = [stage.name for stage in stages].index("judgments") + 1

    def executed(stage: Any, build: Any) -> Any:
        if stage.name == "judgments" and not build.tables.num_rows("judgments"):
            write_judgments(build)
        return execute(stage, build)

    vars(noop_bench).update(stages_of=lambda _build: stages[:judged], execute=executed)
    noop_bench.fill(build)


def _run(name: str, folder: Path) -> None:
    from bench.noop_bench import execute, open_build, stages_of

    build = open_build(folder / "noop.yaml", str(folder / "ws"))
    (stage,) = [stage for stage in stages_of(build) if stage.name == name]
    cpu, began = time.process_time(), time.perf_counter()
    books = execute(stage, build)
    took = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - began, "peak_mb": _peak_mb()}
    rows = vars(books)["rows_out"]
    print(json.dumps({"stage": name, "rows": rows} | took))


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        _fill(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        _run(sys.argv[1], Path(sys.argv[3]))
