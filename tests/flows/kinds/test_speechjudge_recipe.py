"""recipes/speechjudge.yaml, planned over miniatures of its corpora: pairs, votes, pay, calls and money."""

from collections import Counter
from pathlib import Path

import pytest

from contracts.languages import with_setting
from corpora import reference_miniatures
from flows.kinds.preference_plan import plan_of
from flows.run.pipeline import open_build
from flows.stages.prompts import choose_prompts
from flows.stages.speaking import to_speak
from flows.stages.utterances import read_corpora

RECIPE = Path(__file__).resolve().parents[3] / "recipes/speechjudge.yaml"

SIZES = {"emilia": 2040, "paraspeechcaps": 560, "l2_arctic": 260, "kespeech": 600, "genshin_voice": 420}
"""Corpus -> texts of its miniature: as few as the recipe can do with."""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """The recipe as it is shipped, over miniatures at the places that its variables name."""
    folder = tmp_path_factory.mktemp("speechjudge")
    with pytest.MonkeyPatch.context() as patch:
        for name, texts in SIZES.items():
            patch.setenv(name.upper(), str(folder / name))
            more = {"speakers": 1} if name == "l2_arctic" else {"speakers": 4}
            getattr(reference_miniatures, name)(folder / name, texts=texts, **more)
        patch.setenv("LISTENING_DB", "postgresql://nobody@localhost:1/none")
        yield open_build(RECIPE, str(folder / "workspace"))


@pytest.mark.slow
def test_prompts_of_all_sorts(build):
    """Regular references speak two texts, expressive ones three; categories are those of the corpora; 16 kHz is no obstacle."""
    utterances, broken = read_corpora(build)
    assert set(broken["problem"].to_pylist()) == {"other_language"}, "each half of Genshin Voice is the other one's"
    chosen, _ = choose_prompts(build, utterances)
    spoken = with_setting(to_speak(build, chosen))
    counted = Counter(zip(spoken["style"].to_pylist(), spoken["setting"].to_pylist(), strict=True))
    assert counted == {
        ("regular", "en2en"): 500, ("regular", "zh2zh"): 500, ("regular", "en2zh"): 500, ("regular", "zh2en"): 500,
        ("expressive", "en2en"): 480, ("expressive", "en2zh"): 480, ("expressive", "en2mixed"): 480,
        ("expressive", "zh2zh"): 480, ("expressive", "zh2en"): 480, ("expressive", "zh2mixed"): 480,
    }  # fmt: skip
    categories = Counter(zip(spoken["style"].to_pylist(), spoken["reference_category"].to_pylist(), strict=True))
    assert categories["regular", "regular"] == 2000
    assert categories["expressive", "game"] == 3 * 300
    assert categories["expressive", "accented"] >= 3 * (120 + 280)
    assert categories["expressive", "whisper"] > 0
    assert build.recipe.clip_format.upsamples_references


@pytest.mark.slow
def test_the_plan_says_99_000_pairs_and_what_they_take(build):
    """The sum of the paper's raw set; two votes each; clips only for drawn pairs; money for each role."""
    lines = {line["stage"]: line for line in plan_of(build)}
    assert "nothing" not in lines
    assert lines["pairs"]["rows"] == 99_000
    assert lines["votes"]["rows"] == 99_000
    assert "2 votes of people each, 198,000 in all, more on disagreement" in lines["votes"]["note"]
    assert "423,096.66 CNY with 10,422 gold items, and 20.30 CNY for the test of each listener" in lines["votes"]["note"]
    clips = {stage.removeprefix("samples "): line["rows"] for stage, line in lines.items() if stage.startswith("samples ")}
    assert clips.keys() == {"cosyvoice2", "f5-tts", "maskgct", "chattts", "xtts"}
    assert 0 < clips["xtts"] <= 2 * (2000 + 4 * 480) < clips["maskgct"] <= 2 * (2000 + 6 * 480)
    asked = {stage.split()[1]: line for stage, line in lines.items() if stage.startswith("texts ")}
    assert (asked["clean_text"]["calls"], asked["style_continuation"]["calls"]) == (2000, 960)
    assert lines["money"]["usd_at_most"] > 0
    assert lines["money"]["calls"] >= 2960
