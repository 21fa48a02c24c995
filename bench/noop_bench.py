"""A rerun with nothing to do, in a workspace of 100,000 pairs."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
import yaml

from bench.stage_process import write_judgments
from contracts.schemas import METRICS
from flows.run.kind import stages_of
from flows.run.marks import execute
from flows.run.pipeline import Build, open_build
from flows.run.wanted import wanted_rows
from flows.stages.recordings import recording_requests
from flows.stages.samples import sample_requests
from scoring.measure import metric_key

PAIRS = 100_000
CANDIDATES = 7  # six systems and the recording: 21 pairs a text
FACTS = {
    "wer": {"wer": (0.05, 0.04)},
    "sim": {"sim": (0.6, 0.1)},
    "distillmos": {"distillmos": (3.5, 0.4)},
    "prosody": dict.fromkeys(
        (
            "f0_median_hz",
            "f0_std_semitones",
            "f0_range_semitones",
            "f0_slope_semitones_per_s",
            "voiced_share",
            "energy_std_db",
            "speaking_rate_wps",
            "pause_share",
            "longest_pause_s",
            "hnr_db",
            "spectral_flux_db",
            "flux_floor_ratio",
            "high_band_periodicity",
        ),
        (0.5, 0.1),
    ),
}


def write_recipe(folder: Path) -> Path:
    """Write a corpus of one-second clips and a recipe that makes 100,000 pairs of it."""
    corpus = folder / "corpus"
    corpus.mkdir()
    texts = PAIRS // (CANDIDATES * (CANDIDATES - 1) // 2) + 1
    rng = np.random.default_rng(0)
    words = [f"w{number}" for number in range(5000)]
    lines = ["id,audio,text,speaker,language,license"]
    soundfile.write(corpus / "clip.wav", (rng.normal(size=32000) * 1000).astype(np.int16), 16000)
    lines += [f"u{n},clip.wav,{' '.join(rng.choice(words, 10))},s{n % 50},en,CC0-1.0" for n in range(2 * texts)]
    (corpus / "manifest.csv").write_text("\n".join(lines))
    systems = [{"name": f"espeak{number}", "engine": "espeak", "voices": ["en-us"]} for number in range(CANDIDATES - 1)]
    recipe = {
        "name": "noop",
        "corpora": [{"name": "c", "reader": "manifest", "root": str(corpus)}],
        "prompts": {"texts": texts, "min_words": 5},
        "systems": systems,
        "metrics": [{"name": name} for name in FACTS],
        "judge": {"name": "objective"},
        "filters": [{"name": name} for name in ("audio_sanity", "wer_gap", "cycles")],
        "splits": {"fractions": {"sft": 0.7, "rl": 0.2, "bench": 0.1}},
    }
    path = folder / "noop.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def fill(build: Build) -> None:
    """Commit what recording, synthesis, measurement and judging would have, and run every stage, which finds cheap work."""
    tones = _tones(build)
    clip = {
        "duration_s": 1.5,
        "sample_rate_hz": 16000,
        "native_sample_rate_hz": 16000,
        "loudness_lufs": -26.0,
    }
    rng = np.random.default_rng(1)
    for stage in stages_of(build):
        if stage.name == "prompts":
            every = build.tables.read("utterances")["utterance_id"].combine_chunks()
            wanted = recording_requests(build, every)
            rows = [
                {
                    "recording_id": row["row_id"],
                    "utterance_id": row["subject_id"],
                    "source_sha256": "0",
                    "audio_id": tones["human"],
                    **clip,
                }
                for row in wanted.to_pylist()
            ]
            build.tables.append("recordings", pa.Table.from_pylist(rows))
        elif stage.name == "samples":
            rows = [
                {
                    "sample_id": row["row_id"],
                    "prompt_id": row["subject_id"],
                    "group_id": row["group_id"],
                    "system": row["system"],
                    "engine": "espeak",
                    "engine_version": "1",
                    "model": "m",
                    "voice": row["voice"],
                    "seed": row["seed"],
                    "params": "{}",
                    "is_synthetic": True,
                    "license": "GPL-3.0-or-later",
                    "audio_id": tones[row["system"]],
                    **clip,
                }
                for row in sample_requests(build).to_pylist()
                if row["system"] != "human"
            ]
            build.tables.append("samples", pa.Table.from_pylist(rows))
        elif stage.name == "metrics":
            rows = []
            for sample in wanted_rows(build, "samples")["sample_id"].to_pylist():
                for metric, values in FACTS.items():
                    drawn = [(name, float(rng.normal(mean, spread))) for name, (mean, spread) in values.items()]
                    rows.append(
                        {
                            "metric_key": metric_key(sample, metric, {}),
                            "sample_id": sample,
                            "metric": metric,
                            "model": "m",
                            "model_version": "1",
                            "values": drawn,
                            "detail": None,
                        }
                    )
            build.tables.append("metrics", pa.Table.from_pylist(rows, schema=METRICS))
        elif stage.name == "judgments":
            write_judgments(build)
        began = time.perf_counter()
        books = execute(stage, build)
        print(f"  {stage.name}: {books.rows_out} rows, {time.perf_counter() - began:.1f} s", file=sys.stderr)


def _tones(build: Build) -> dict[str, str]:
    """Return system -> audio id of its one clip: two systems with the same audio would be no pair."""
    systems = ["human", *(system.name for system in build.recipe.systems)]
    waves = {system: np.sin(np.arange(24000) / (10 + place)) for place, system in enumerate(systems)}
    return {system: build.blobs.put((3000 * wave).astype(np.int16), 16000) for system, wave in waves.items()}


def run() -> list[dict[str, object]]:
    """Measure a whole no-op process and, apart from it, the imports of the command line."""
    cli = Path(sys.executable).parent / "unisrm-data"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe = write_recipe(folder)
        build = open_build(recipe, str(folder / "ws"))
        fill(build)
        pairs = build.tables.num_rows("pairs")
        imports, whole = [], []
        for _ in range(3):
            for command, times in (
                (
                    [
                        sys.executable,
                        "-c",
                        "import flows.entry.cli, flows.stages.release, synth.engines.espeak, scoring.metrics.wer",
                    ],
                    imports,
                ),
                ([cli, "build", recipe, "-w", folder / "ws"], whole),
            ):
                began = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                times.append(time.perf_counter() - began)
    least, took = sorted(imports)[1], sorted(whole)[1]
    return [
        {
            "name": f"no-op rerun, {pairs} pairs, whole process against its imports (s)",
            "value": round(took, 2),
            "baseline": round(least, 2),
            "ratio": round(took / least, 2),
            "target": "<= 5 s beyond imports",
            "ok": took - least <= 5,
        }
    ]
