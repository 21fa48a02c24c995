"""What a build would do and cost, from what is there now; runs nothing and writes nothing."""

import math
from collections.abc import Mapping, Set
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import among, attach
from flows.recipe.listening_checks import terms_of
from flows.recipe.preference import PreferenceRecipe
from flows.recipe.sections import Judge, Role
from flows.run.kind import Line, asking_stages, stages_of
from flows.run.pipeline import Asking, Build, Stage, finished
from flows.run.question import judge_of, task_of
from flows.run.questions import known_ledger
from flows.stages.metrics import metric_keys
from flows.stages.prompts import choose_prompts
from flows.stages.speaking import can_speak, candidates_of, to_speak, unspoken
from flows.stages.split_facts import split_sizes
from flows.stages.texts import CHOSEN, scripted
from flows.stages.utterances import read_corpora
from flows.stages.writings import spoken_instead
from synth import requests
from synth.pairs import pairs as made_pairs

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

_BESIDE: Final = "a second question after a reply that cannot be used, and attempts lost on the way, come on top"


def plan_of(build: Build[PreferenceRecipe]) -> list[Line]:
    """Return one row per stage: the rows that the recipe wants, those that are done, and what the others take.

    Done is what is there, or was given up. A stage whose inputs are still to be made is guessed, as if nothing were dropped. A
    change of the recipe or of this software may make a stage run again; what it would find there is done.

    Raises:
        UnisrmError: a corpus cannot be read, or the recipe does not fit it.
    """
    utterances, _ = read_corpora(build)
    chosen, _ = choose_prompts(build, utterances)
    known = {stage.name for stage in stages_of(build) if _is_finished(stage, build)}
    known |= _gathered(build, utterances, chosen, known)
    prompts = build.tables.read("prompts") if {"prompts", "texts"} <= known else to_speak(build, chosen)
    timed = attach(prompts, "target_utterance_id", utterances, "utterance_id", {"duration_s": "duration_s"})
    guessed = pc.multiply(pc.cast(pc.utf8_length(timed["text"]), pa.float64()), SECONDS_PER_CHARACTER)
    lengths = pa.table({"prompt_id": timed["prompt_id"], "s": pc.coalesce(timed["duration_s"], guessed)})

    wanted = requests.wanted(
        prompts,
        candidates_of(build),
        human=build.recipe.human,
        audio=build.recipe.audio.model_dump(),
        seed=build.recipe.seed,
        written=spoken_instead(build) if "writings" in known else {},
    )
    wanted = attach(wanted, "subject_id", lengths, "prompt_id", {"s": "s"})
    made = pc.invert(pc.is_in(wanted["row_id"], value_set=_left(build, "samples", "samples", wanted["row_id"])))
    wanted = wanted.append_column("made", made)
    lines: list[Line] = [
        _line("utterances", utterances.num_rows, done=utterances.num_rows if "utterances" in known else 0),
        _line("prompts", prompts.num_rows, done=prompts.num_rows if "texts" in known else 0),
    ]
    spoken = [wanted.filter(pc.equal(wanted["system"], "human"))]
    for system, engine in build.recipe.rendered:
        mine = wanted.filter(pc.equal(wanted["system"], system.name))
        spoken.append(mine.filter(can_speak(build, mine)))
        audio_s = _sum(spoken[-1].filter(pc.invert(spoken[-1]["made"]))["s"])
        line = _line(
            f"samples {system.name}",
            spoken[-1].num_rows,
            done=_count(spoken[-1]["made"]),
            cpu_h=_hours(engine, audio_s),
            disk_mb=_megabytes(build, audio_s),
        )
        mute = mine.num_rows - spoken[-1].num_rows
        lines.append(line | {"note": f"{mute} more in languages that {engine} does not speak"} if mute else line)
    wanted = pa.concat_tables(spoken)
    for metric in build.recipe.metrics:
        keys = pa.array(metric_keys(build, metric, wanted["row_id"].to_pylist()), pa.string())
        left = pc.is_in(keys, value_set=_left(build, "metrics", "metrics", keys))
        cpu_h = _hours(metric.name, _sum(wanted.filter(left)["s"]))
        lines.append(_line(f"metrics {metric.name}", wanted.num_rows, done=wanted.num_rows - _count(left), cpu_h=cpu_h))
    if "pairs" not in known and all(line["rows"] == line["done"] for line in lines) and _pairs_stand(build, wanted):
        known.add("pairs")
    lines += _asking(build, wanted, chosen, prompts, known)
    lines += [_line(what, 0) | {"note": f"damaged: {told}"} for what, told in (build.problems or {}).items()]
    problem = unspoken(build, prompts)
    return lines if problem is None else [*lines, _line("nothing", 0) | {"note": problem}]


def _is_finished(stage: Stage, build: Build[PreferenceRecipe]) -> bool:
    with build.noted(f"stage {stage.name}"):
        return finished(stage, build) is not None
    return False


def _gathered(build: Build[PreferenceRecipe], utterances: pa.Table, chosen: pa.Table, known: Set[str]) -> set[str]:
    """Return which of the stages before synthesis would make what is there, if they were done again."""
    there = set[str]()
    if "utterances" in known or utterances.equals(build.tables.read("utterances")):
        there.add("utterances")
    if "prompts" in known or ("utterances" in there and chosen.equals(build.tables.read(CHOSEN))):
        there.add("prompts")
    asking = dict(asking_stages(build))
    if "texts" in known or (
        "prompts" in there
        and _is_answered(build, "texts", asking["texts"])
        and scripted(build)[0].equals(build.tables.read("prompts"))
    ):
        there.add("texts")
    if "writings" in known or ("texts" in there and _is_answered(build, "writings", asking["writings"])):
        there.add("writings")
    return there


def _is_answered(build: Build, stage: str, asking: Asking) -> bool:
    """Say whether the questions that a stage has now have all been answered, or were given up."""
    return not any(len(_left(build, stage, asking.table, one.ids)) for one in asking.questions(build))


def _pairs_stand(build: Build[PreferenceRecipe], wanted: pa.Table) -> bool:
    """Say whether the pairs that are there are those of the wanted samples, of which none is left to be made."""
    if len(_left(build, "samples", "samples", wanted["row_id"])):
        return False
    made = among(wanted, "row_id", build.tables.read("samples", ["sample_id"])["sample_id"])
    pairs = made_pairs(_as_samples(made), seed=build.recipe.seed, kinds=build.recipe.pair_kinds)
    return set(pairs["pair_id"].to_pylist()) == set(build.tables.read("pairs", ["pair_id"])["pair_id"].to_pylist())


def _as_samples(wanted: pa.Table) -> pa.Table:
    return wanted.rename_columns({"row_id": "sample_id", "subject_id": "prompt_id"})


def _left(build: Build, stage: str, table: str, keys: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the keys that a stage has neither made nor given up."""
    left = build.tables.missing(table, keys)
    return left.filter(pc.invert(pc.is_in(left, value_set=build.tables.read(f"failures@{stage}", ["row_id"])["row_id"])))


def _asking(
    build: Build[PreferenceRecipe], wanted: pa.Table, chosen: pa.Table, prompts: pa.Table, known: set[str]
) -> list[Line]:
    """Return one line per role and judge, and one for the money in all."""
    recipe = build.recipe
    pairs = made_pairs(_as_samples(wanted), seed=recipe.seed, kinds=recipe.pair_kinds).num_rows
    guesses = {
        "prompts": prompts.num_rows,
        "samples": wanted.num_rows,
        "judgments": pairs * (_times(recipe.judge) if recipe.judge else 0),
    }
    clip_s = _sum(wanted["s"]) / max(wanted.num_rows, 1)
    longest = max(prompts["text"].to_pylist(), key=len, default="")
    lines = [_line("pairs", pairs, done=pairs if "pairs" in known else 0)]
    for stage, asking in asking_stages(build):
        questions = asking.questions(build) if asking.after in known else []
        left = [len(_left(build, stage, asking.table, question.ids)) for question in questions]
        if asking.after in known and not any(left):
            known.add(stage)
        for number, role in enumerate(asking.roles(build)):
            rows, done = chosen.num_rows if stage == "texts" else guesses.get(task_of(role).subject, 0), 0
            if isinstance(role, Judge):
                rows = pairs * _times(role)
            if questions:
                rows, done = len(questions[number].ids), len(questions[number].ids) - left[number]
            lines.append(_asked(stage, role, rows, done=done, longest=longest, clip_s=clip_s))
    total = sum(float(str(line["usd_at_most"])) for line in lines)
    money = _line("money", 0, calls=sum(int(str(line["calls"])) for line in lines), usd_at_most=round(total, 2))
    spent = _spent(build)
    money["note"] = f"spent so far {spent:.2f} USD; {_BESIDE}" if total else f"spent so far {spent:.2f} USD"
    if recipe.budget_usd is None:
        money["note"] = f"no budget_usd: no paid call is allowed; {money['note']}"
    else:
        over = "which may not be enough; " if total > recipe.budget_usd - spent else ""
        money["note"] = f"budget {recipe.budget_usd:g} USD, {over}{money['note']}"
    release = _line("release", pairs, disk_mb=_megabytes(build, _sum(wanted["s"]) * 1.5))
    release["note"] = "before filters"
    return [*lines, *_listening(build, wanted.num_rows, pairs), money, release]


def _listening(build: Build[PreferenceRecipe], samples: int, pairs: int) -> list[Line]:
    """Say how many votes people are asked for at least, before any filter drops a pair."""
    wish = build.recipe.listening
    if wish is None:
        return []
    rows, each = samples if wish.rated() else pairs, terms_of(build.recipe).protocol.wanted([])
    if wish.of == "splits":
        sizes = split_sizes(build.recipe)
        quotas = sum(size.rows for size in sizes.values())
        heard = [sizes[split] for split in wish.splits]
        share = sum(size.fraction or 0.0 for size in heard)
        rows = min(pairs, sum(size.rows for size in heard)) + math.ceil(max(0, pairs - quotas) * share)
    return [_line(wish.stage, rows) | {"note": f"{each} votes of people each, {each * rows:,} in all, more on disagreement"}]


def _times(judge: Judge) -> int:
    return judge.votes * (2 if judge.orders == "both" else 1)


def _asked(stage: str, role: Role, rows: int, *, done: int, longest: str, clip_s: float) -> Line:
    """Say what one role takes at most: every call with the longest text, a full-length reply and one clip per label."""
    task, judge = task_of(role), judge_of(role)
    shown = {name: _LIKELY_REPLY if name in task.passages else longest for name in task.shown}
    heard_s = sum(clip_s * (_LIKELY_TURNS if "{n}" in label else 1) for label in task.audios)
    each = judge.estimate(task.render("en", **shown), heard_s, batch=role.mode == "batch")
    calls = 0 if judge.facts else rows - done
    line = _line(
        f"{stage} {role.task} {role.name}/{judge.model}", rows, done=done, calls=calls, usd_at_most=round(each.usd * calls, 2)
    )
    if judge.facts:
        return line | {"note": "a rule: no call, no cost"}
    if not calls:
        return line
    tokens = f"at most {each.input_tokens * calls:,} tokens in, {each.output_tokens * calls:,} out"
    if role.mode == "batch":
        return line | {"hours": "up to 24 a batch", "note": tokens}
    pace = judge.pace
    per_minute = [60 * pace.concurrency / _REPLY_S]
    per_minute += [pace.requests_per_minute] if pace.requests_per_minute else []
    per_minute += [pace.tokens_per_minute / each.input_tokens] if pace.tokens_per_minute and each.input_tokens else []
    return line | {"hours": round(calls / min(per_minute) / 60, 2), "note": tokens}


def _spent(build: Build[PreferenceRecipe]) -> float:
    with build.noted("ledger"):
        if (known := known_ledger(build)) is not None:
            with known as ledger:
                return ledger.owed_usd()
    return 0.0


def _line(
    stage: str,
    rows: int,
    *,
    done: int = 0,
    calls: int = 0,
    usd_at_most: float = 0.0,
    cpu_h: float | None = 0.0,
    disk_mb: float = 0.0,
) -> Line:
    return {
        "stage": stage,
        "rows": rows,
        "done": done,
        "calls": calls,
        "usd_at_most": usd_at_most,
        "hours": 0.0,
        "cpu_hours": "unknown" if cpu_h is None else cpu_h,
        "disk_mb": disk_mb,
        "note": "",
    }


def _count(flags: pa.Array | pa.ChunkedArray) -> int:
    return int(pc.sum(flags).as_py() or 0)


def _sum(column: pa.ChunkedArray) -> float:
    return float(pc.sum(column).as_py() or 0.0)


def _hours(name: str, audio_s: float) -> float | None:
    rate = CPU_S_PER_AUDIO_S.get(name)
    return None if rate is None else round(rate * audio_s / 3600, 3)


def _megabytes(build: Build[PreferenceRecipe], audio_s: float) -> float:
    return round(audio_s * build.recipe.audio.sample_rate_hz * FLAC_BYTES_PER_SAMPLE / 1e6, 1)
