"""What a build would do and cost, from what is there now; runs nothing and writes nothing."""

from collections.abc import Sequence, Set
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from annotate.models.task import TaskSpec
from contracts.joins import among, attach
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.kind import Line, asking_stages, stages_of
from flows.run.pipeline import Build
from flows.stages.brought_along import clip_requests
from flows.stages.metrics import metric_keys
from flows.stages.pair_budget import as_samples, draw_of, needed_clips, unmet
from flows.stages.prompts import choose_prompts
from flows.stages.speaking import can_speak, clips_of, is_unwritten, pairs_of, to_speak, unspoken
from flows.stages.split_facts import split_sizes
from flows.stages.texts import CHOSEN, asked_about, scripted
from flows.stages.utterances import read_corpora
from flows.stages.writings import prompts_of_negatives, spoken_instead
from flows.views.asked_lines import asked_lines, money_line
from flows.views.plan_lines import (
    count_true,
    cpu_hours,
    is_answered,
    is_finished,
    left_keys,
    listening_lines,
    megabytes,
    plan_line,
    quota_lines,
    release_line,
    spoken_line,
    times,
    total_of,
)
from synth.pairing import of_two_clips

SECONDS_PER_CHARACTER: Final = 0.065
"""Length of speech per character of English text, where the corpus does not say how long its recording is."""


CONTINUATION_S: Final = 15.0
"""Length of speech of a text that a model is still to write: it is asked for 10 to 20 seconds."""


def plan_of(build: Build[PreferenceRecipe]) -> list[Line]:
    """Return one row per stage: the rows that the recipe wants, those that are done, and what the others take.

    Done is what is there, or was given up. A stage whose inputs are still to be made is guessed, as if nothing were dropped. A
    change of the recipe or of this software may make a stage run again; what it would find there is done.

    Raises:
        UnisrmError: a corpus cannot be read, or the recipe does not fit it.
    """
    utterances, _ = read_corpora(build)
    chosen, _ = choose_prompts(build, utterances)
    known = {stage.name for stage in stages_of(build) if is_finished(stage, build)}
    known |= _gathered(build, utterances, chosen, known)
    prompts = build.tables.read("prompts") if {"prompts", "texts"} <= known else to_speak(build, chosen)
    timed = attach(prompts, "target_utterance_id", utterances, "utterance_id", {"duration_s": "duration_s"})
    guessed = pc.multiply(pc.cast(pc.utf8_length(timed["text"]), pa.float64()), SECONDS_PER_CHARACTER)
    guessed = pc.if_else(is_unwritten(timed), CONTINUATION_S, guessed)
    lengths = pa.table({"prompt_id": timed["prompt_id"], "s": pc.coalesce(timed["duration_s"], guessed)})

    clips = clips_of(build, prompts, utterances, spoken_instead(build) if "writings" in known else {})
    wanted = clips.filter(pc.is_valid(clips["system"]))
    wanted = pa.concat_tables([wanted, _clips(build, prompts, utterances)])
    wanted = needed_clips(build, prompts, wanted, _failed_clips(build))
    wanted = attach(wanted, "subject_id", lengths, "prompt_id", {"s": "s"})
    made = pc.invert(pc.is_in(wanted["row_id"], value_set=left_keys(build, "samples", "samples", wanted["row_id"])))
    wanted = wanted.append_column("made", made)
    lines: list[Line] = [
        plan_line("utterances", utterances.num_rows, done=utterances.num_rows if "utterances" in known else 0),
        plan_line("prompts", prompts.num_rows, done=prompts.num_rows if "texts" in known else 0),
    ]
    spoken = [wanted.filter(pc.equal(wanted["system"], "human"))]
    for system, engine in build.recipe.rendered:
        mine = wanted.filter(pc.equal(wanted["system"], system.name))
        spoken.append(mine.filter(can_speak(build, mine)))
        audio_s = total_of(spoken[-1].filter(pc.invert(spoken[-1]["made"]))["s"])
        line = plan_line(
            f"samples {system.name}",
            spoken[-1].num_rows,
            done=count_true(spoken[-1]["made"]),
            cpu_h=cpu_hours("engine", engine, audio_s),
            disk_mb=megabytes(build, audio_s),
        )
        if system.name in build.recipe.speech_services:
            line = spoken_line(line, build.recipe.speech_services[system.name], _texts_left(spoken[-1]))
        mute = 0 if build.recipe.pairs else mine.num_rows - spoken[-1].num_rows
        notes = [line["note"], f"{mute} more in languages that {engine} does not speak" if mute else ""]
        lines.append(line | {"note": "; ".join(str(note) for note in notes if note)})
    for system, corpus in build.recipe.brought_along:
        spoken.append(wanted.filter(pc.equal(wanted["system"], system.name)))
        done, mute = count_true(spoken[-1]["made"]), prompts.num_rows - pc.count_distinct(spoken[-1]["subject_id"]).as_py()
        line = plan_line(f"samples {system.name}", spoken[-1].num_rows, done=done)
        lines.append(line | {"note": f"{mute} texts have no usable clip of it in {corpus}"} if mute else line)
    wanted = pa.concat_tables(spoken)
    for metric in build.recipe.metrics:
        keys = pa.array(metric_keys(build, metric, wanted["row_id"].to_pylist()), pa.string())
        left = pc.is_in(keys, value_set=left_keys(build, "metrics", "metrics", keys))
        cpu_h = cpu_hours("metric", metric.name, total_of(wanted.filter(left)["s"]))
        lines.append(plan_line(f"metrics {metric.name}", wanted.num_rows, done=wanted.num_rows - count_true(left), cpu_h=cpu_h))
    if "pairs" not in known and all(line["rows"] == line["done"] for line in lines) and _pairs_stand(build, prompts, wanted):
        known.add("pairs")
    lines += _asking(build, wanted, prompts, known, utterances=utterances, chosen=chosen, spoken=lines)
    lines += [plan_line(what, 0) | {"note": f"damaged: {problem}"} for what, problem in (build.problems or {}).items()]
    problem = unspoken(build, prompts, utterances, clips) or unmet(build, to_speak(build, chosen), utterances)
    return lines if problem is None else [*lines, plan_line("nothing", 0) | {"note": problem}]


def _texts_left(wanted: pa.Table) -> list[str]:
    """Return the texts of the requests that are not made; one that is still to be written counts as long as the target."""
    left = wanted.filter(pc.invert(wanted["made"]))
    lengths = [round((seconds or 0.0) / SECONDS_PER_CHARACTER) for seconds in left["s"].to_pylist()]
    return [text or "x" * length for text, length in zip(left["text"].to_pylist(), lengths, strict=True)]


def _clips(build: Build[PreferenceRecipe], prompts: pa.Table, utterances: pa.Table) -> pa.Table:
    """Return the requests of brought-along clips that are there, and are not known to fail."""
    clips = clip_requests(build, prompts, utterances)
    failed = build.tables.read("failures@recordings", ["subject_id"])["subject_id"].combine_chunks()
    lost = pc.or_(pc.is_null(clips["target_utterance_id"]), pc.is_in(clips["target_utterance_id"], value_set=failed))
    return clips.filter(pc.invert(lost))


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
        and is_answered(build, "texts", asking["texts"])
        and scripted(build)[0].equals(build.tables.read("prompts"))
    ):
        there.add("texts")
    if "writings" in known or ("texts" in there and is_answered(build, "writings", asking["writings"])):
        there.add("writings")
    return there


def _pairs_stand(build: Build[PreferenceRecipe], prompts: pa.Table, wanted: pa.Table) -> bool:
    """Say whether the pairs that are there are those of the wanted samples, of which none is left to be made."""
    if len(left_keys(build, "samples", "samples", wanted["row_id"])):
        return False
    samples = build.tables.read("samples", ["sample_id", "audio_id"])
    made = among(wanted, "row_id", samples["sample_id"])
    pairs, _ = of_two_clips(_pairs(build, prompts, made), samples)
    return set(pairs["pair_id"].to_pylist()) == set(build.tables.read("pairs", ["pair_id"])["pair_id"].to_pylist())


def _to_teach(recipe: PreferenceRecipe, pairs: int) -> int:
    """Return about how many pairs a teacher is asked at most: all but those of the other splits, or its split's quota."""
    quotas = {split: size.rows for split, size in split_sizes(recipe).items()}
    own = quotas.pop(recipe.splits.taught or "", 0)
    left = max(0, pairs - sum(quotas.values()))
    return min(own, left) if own else left


def _pairs(build: Build[PreferenceRecipe], prompts: pa.Table, wanted: pa.Table) -> pa.Table:
    """Return the pairs of these requests: all of the wanted kinds, or those that the budget buys."""
    if build.recipe.pairs is None:
        return pairs_of(build, as_samples(wanted))
    return draw_of(build, build.recipe.pairs, prompts, wanted, _failed_clips(build)).pairs


def _failed_clips(build: Build[PreferenceRecipe]) -> set[str]:
    return set(build.tables.read("failures@samples", ["row_id"])["row_id"].to_pylist())


def _asking(
    build: Build[PreferenceRecipe],
    wanted: pa.Table,
    prompts: pa.Table,
    known: set[str],
    *,
    utterances: pa.Table,
    chosen: pa.Table,
    spoken: Sequence[Line],
) -> list[Line]:
    """Return one line per role and judge, and one for the money in all, that for ``spoken`` included."""
    recipe = build.recipe
    pairs = build.tables.num_rows("pairs")
    if "pairs" not in known:
        pairs = _pairs(build, prompts, wanted).num_rows
    subjects: dict[str, int] = {"prompts": prompts.num_rows, "samples": wanted.num_rows, "pairs": pairs}
    subjects["judgments"] = pairs * (times(recipe.judge) if recipe.judge else 0)
    of_stages = {"judgments": _to_teach(recipe, pairs)} if recipe.is_taught else {}
    clip_s = total_of(wanted["s"]) / max(wanted.num_rows, 1)
    spoken_by_negatives = {task: len(ids) for task, ids in prompts_of_negatives(build, prompts, utterances).items()}

    def rows(stage: str, task: TaskSpec) -> int:
        if stage == "texts":
            return int(asked_about(build, chosen, task.name).num_rows)
        if stage == "writings" and task.name in spoken_by_negatives:
            return spoken_by_negatives[task.name]
        return of_stages.get(stage, subjects.get(task.subject, 0))

    longest = max(prompts["text"].to_pylist(), key=len, default="")
    lines = [plan_line("pairs", pairs, done=pairs if "pairs" in known else 0)]
    if recipe.pairs is not None and (too_few := sum(recipe.pairs.cells.values()) - pairs) > 0:
        lines[0]["note"] = f"{too_few:,} fewer than pairs.budget"
    lines += asked_lines(
        build,
        known,
        rows,
        longest=longest,
        clip_s=clip_s,
    )
    money = money_line(build, [*spoken, *lines])
    release = release_line(build, pairs, megabytes(build, total_of(wanted["s"]) * 1.5))
    return [*lines, *quota_lines(build, pairs), *listening_lines(build, wanted.num_rows, pairs), money, release]
