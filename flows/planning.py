"""What a build would do and cost, from what is there now; runs nothing and writes nothing."""

import math
from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import attach
from flows.candidates import candidates_of
from flows.gather import choose_prompts, read_corpora
from flows.pipeline import Build
from flows.questions import SCRIPTING, judge_of, known_ledger, task_of
from flows.recipe import Role
from flows.recipe_listening import terms_of
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

_REPLY_S: Final = 6.0
"""Seconds that a model takes to hear two clips and answer, for the hours of a plan; the ledger keeps the true ones."""

_LIKELY_REPLY: Final = "x" * 3000
"""A passage that does not exist yet: a judgment's reasoning is about so long."""

_LIKELY_TURNS: Final = 8
"""Turns before a dialogue's target (DailyTalk has 9.4 turns a dialogue)."""

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
    return [*lines, *_asking(build, wanted, prompts, audio_s)]


def _asking(build: Build, wanted: pa.Table, prompts: pa.Table, audio_s: float) -> list[Line]:
    """Return one line per role and judge, and one for the money in all."""
    recipe = build.recipe
    per_prompt = pc.value_counts(wanted["subject_id"]).field("counts").to_pylist()
    pairs = sum(n * (n - 1) // 2 for n in per_prompt)
    clip_s = audio_s / max(wanted.num_rows, 1)
    judged = pairs * recipe.judge.votes * (2 if recipe.judge.orders == "both" else 1)
    rows = {"prompts": prompts.num_rows, "samples": wanted.num_rows, "judgments": judged}
    asked: list[tuple[str, Role, int]] = [
        ("texts" if role.task in SCRIPTING else "writings" if task_of(role).subject == "prompts" else "reviews", role, count)
        for role in recipe.roles
        for count in [rows[task_of(role).subject]]
    ]
    asked += [
        ("judgments", wish, pairs * wish.votes * (2 if wish.orders == "both" else 1)) for wish in (recipe.judge, *recipe.judges)
    ]
    longest = max(prompts["text"].to_pylist(), key=len, default="")
    lines = [_line("pairs", pairs), *(_asked(stage, role, count, longest, clip_s) for stage, role, count in asked)]
    spent = _spent(build)
    total = sum(float(str(line["usd_at_most"])) for line in lines)
    money = _line("money", 0, calls=sum(int(str(line["calls"])) for line in lines), usd_at_most=round(total, 2))
    budget = "no budget_usd: no paid call is allowed" if recipe.budget_usd is None else f"budget {recipe.budget_usd:g} USD"
    money["note"] = f"{budget}, spent so far {spent:.2f} USD"
    release = _line("release", pairs, disk_mb=_megabytes(build, audio_s * 1.5))
    release["note"] = "before filters"
    return [*lines, *_listening(build, wanted.num_rows, pairs), money, release]


def _listening(build: Build, samples: int, pairs: int) -> list[Line]:
    """Say how many votes people are asked for at least, before any filter drops a pair."""
    wish = build.recipe.listening
    if wish is None:
        return []
    rows, each = samples if wish.rated() else pairs, terms_of(build.recipe).protocol.wanted([])
    if wish.of == "splits":
        targets = build.recipe.splits
        shares = [(targets.fractions or {}).get(split) for split in wish.splits]
        quotas = [(targets.quotas or {}).get(split, 0) for split in wish.splits]
        rows = min(pairs, sum(quotas)) if targets.quotas else math.ceil(pairs * sum(share or 0.0 for share in shares))
    return [_line(wish.stage, rows) | {"note": f"{each} votes of people each, {each * rows:,} in all, more on disagreement"}]


def _asked(stage: str, role: Role, rows: int, longest: str, clip_s: float) -> Line:
    """Say what one role takes at most: every call with the longest text, a full-length reply and one clip per label."""
    task, judge = task_of(role), judge_of(role)
    shown = {name: _LIKELY_REPLY if name in task.passages else longest for name in task.shown}
    heard_s = sum(clip_s * (_LIKELY_TURNS if "{n}" in label else 1) for label in task.audios)
    each = judge.estimate(task.render("en", **shown), heard_s, batch=role.mode == "batch")
    calls = 0 if judge.facts else rows
    line = _line(f"{stage} {role.task} {role.name}/{judge.model}", rows, calls=calls, usd_at_most=round(each.usd * calls, 2))
    if not calls:
        return line | {"note": "a rule: no call, no cost"}
    tokens = f"at most {each.input_tokens * calls:,} tokens in, {each.output_tokens * calls:,} out"
    if role.mode == "batch":
        return line | {"hours": "up to 24 a batch", "note": tokens}
    pace = judge.pace
    per_minute = [60 * pace.concurrency / _REPLY_S]
    per_minute += [pace.requests_per_minute] if pace.requests_per_minute else []
    per_minute += [pace.tokens_per_minute / each.input_tokens] if pace.tokens_per_minute and each.input_tokens else []
    return line | {"hours": round(calls / min(per_minute) / 60, 2), "note": tokens}


def _spent(build: Build) -> float:
    known = known_ledger(build)
    if known is None:
        return 0.0
    with known as ledger:
        return ledger.owed_usd()


def _line(
    stage: str, rows: int, *, calls: int = 0, usd_at_most: float = 0.0, cpu_h: float | None = 0.0, disk_mb: float = 0.0
) -> Line:
    return {
        "stage": stage,
        "rows": rows,
        "calls": calls,
        "usd_at_most": usd_at_most,
        "hours": 0.0,
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
