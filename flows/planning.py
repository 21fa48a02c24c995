"""What a build would do and cost, from what is there now; runs nothing and writes nothing."""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from annotate.ledger import Ledger
from contracts.joins import attach
from flows.decide import ledger_path, task_and_judge
from flows.gather import candidates_of, choose_prompts, read_corpora
from flows.pipeline import Build
from synth import requests

SECONDS_PER_CHARACTER: Final = 0.065
"""Length of speech per character of English text, where the corpus does not say how long its recording is."""

CPU_S_PER_AUDIO_S: Final[Mapping[str, float]] = {
    "espeak": 0.005,
    "flite": 0.03,
    "festival": 0.18,
    "piper": 0.13,
    "kokoro": 1.3,
    "wer": 0.3,
    "sim": 0.1,
    "dnsmos": 0.15,
    "prosody": 0.02,
}
"""CPU seconds per second of audio on one core, measured with the embedded engines and models; unknown for others."""

FLAC_BYTES_PER_SAMPLE: Final = 1.1
"""Size of 16-bit speech as FLAC, measured on the demo."""

Line = dict[str, object]


def plan_of(build: Build) -> list[Line]:
    """Return one row per stage: what it would do at most, how often it asks a judge, money, hours of CPU and disk.

    Raises:
        UnisrmError: a corpus cannot be read, or the recipe does not fit it.
    """
    utterances, _ = read_corpora(build)
    prompts, _ = choose_prompts(build, utterances)
    timed = attach(prompts, "target_utterance_id", utterances, "utterance_id", {"duration_s": "duration_s"})
    guessed = pc.multiply(pc.cast(pc.utf8_length(timed["text"]), pa.float64()), SECONDS_PER_CHARACTER)
    lengths = pa.table({"prompt_id": timed["prompt_id"], "s": pc.coalesce(timed["duration_s"], guessed)})

    wanted = requests.wanted(
        prompts, candidates_of(build), human=build.recipe.human, audio=build.recipe.audio.model_dump(), seed=build.recipe.seed
    )
    wanted = attach(wanted, "subject_id", lengths, "prompt_id", {"s": "s"})
    lines: list[Line] = [_line("utterances", utterances.num_rows), _line("prompts", prompts.num_rows)]
    for system in build.recipe.systems:
        mine = wanted.filter(pc.equal(wanted["system"], system.name))
        audio_s = _sum(mine["s"])
        lines.append(
            _line(
                f"samples {system.name}",
                mine.num_rows,
                cpu_h=_hours(system.engine, audio_s),
                disk_mb=_megabytes(build, audio_s),
            )
        )
    audio_s = _sum(wanted["s"])
    lines += [
        _line(f"metrics {metric.name}", wanted.num_rows, cpu_h=_hours(metric.name, audio_s)) for metric in build.recipe.metrics
    ]
    return [*lines, *_judging(build, wanted, prompts, audio_s)]


def _judging(build: Build, wanted: pa.Table, prompts: pa.Table, audio_s: float) -> list[Line]:
    per_prompt = pc.value_counts(wanted["subject_id"]).field("counts").to_pylist()
    pairs = sum(n * (n - 1) // 2 for n in per_prompt)
    task, judge = task_and_judge(build)
    clip_s = audio_s / max(wanted.num_rows, 1)
    longest = max(prompts["text"].to_pylist(), key=len, default="")
    fields = {name: {"text": longest, "language": "en"}.get(name, "") for name in task.fields}
    each = judge.estimate_usd(task.render(**fields), len(task.audios) * clip_s)
    spent = 0.0
    path = ledger_path(build)
    if path.exists():
        with Ledger(path) as ledger:
            spent = sum(line.cost_usd for line in ledger.spend())
    calls = 0 if judge.facts else pairs
    judging = _line("judgments", pairs, calls=calls, usd_at_most=round(each * pairs, 2))
    judging["note"] = (
        f"budget {build.recipe.judge.budget_usd}, spent so far {spent:.2f} USD" if calls else "a rule: no call, no cost"
    )
    release = _line("release", pairs, disk_mb=_megabytes(build, audio_s * 1.5))
    release["note"] = "before filters"
    return [_line("pairs", pairs), judging, release]


def _line(
    stage: str, rows: int, *, calls: int = 0, usd_at_most: float = 0.0, cpu_h: float | None = 0.0, disk_mb: float = 0.0
) -> Line:
    return {
        "stage": stage,
        "rows": rows,
        "calls": calls,
        "usd_at_most": usd_at_most,
        "cpu_hours": "unknown" if cpu_h is None else cpu_h,
        "disk_mb": disk_mb,
        "note": "",
    }


def _sum(column: pa.ChunkedArray) -> float:
    return float(pc.sum(column).as_py() or 0.0)


def _hours(name: str, audio_s: float) -> float | None:
    rate = CPU_S_PER_AUDIO_S.get(name)
    return None if rate is None else round(rate * audio_s / 3600, 3)


def _megabytes(build: Build, audio_s: float) -> float:
    return round(audio_s * build.recipe.audio.sample_rate_hz * FLAC_BYTES_PER_SAMPLE / 1e6, 1)
