"""Takes: which clips of one text are wanted, under which ids, and what they do to an engine's speech."""

import shutil
from collections import Counter
from dataclasses import replace

import pytest

from contracts import plugins
from contracts.ids import row_id
from contracts.jobs import Failure
from synth.engine import RenderRequest, Waveform, varies_by
from synth.pairing import pairs
from synth.requests import wanted
from synth.takes import Take, chosen_takes, count_tries, is_by_chance, seed_of_try
from tests.synth.test_requests import AUDIO, candidate, ids, prompts

PAPER = [Take(temperature=t, duration_factor=d) for t in (0.4, 1.0, 1.2) for d in (0.8, 1.0, 1.1)]
"""What SpeechJudge draws from: temperatures and duration factors."""
TEXT = "The quick brown fox jumps over the lazy dog, and then it sleeps in the sun."


def taking(takes, count=None, **changes):
    return replace(candidate(**changes), takes=takes, takes_per_prompt=count or len(takes))


def wanted_of(*candidates, count=40):
    return wanted(prompts(count), candidates, human=False, audio=AUDIO, seed=1)


def test_takes_of_a_prompt_differ_and_are_told():
    """Two of nine per prompt, of one voice, each with its own seed; all nine are used over the prompts."""
    rows = wanted_of(taking(PAPER, 2), count=200).to_pylist()
    assert len(rows) == len({row["row_id"] for row in rows}) == len({row["seed"] for row in rows}) == 400
    by_prompt = {}
    for row in rows:
        by_prompt.setdefault(row["subject_id"], []).append((row["temperature"], row["duration_factor"]))
    assert all(len(set(takes)) == 2 for takes in by_prompt.values())
    used = Counter(take for takes in by_prompt.values() for take in takes)
    assert len(used) == 9
    assert min(used.values()) > 400 / 9 / 2


def test_ids_without_takes_are_those_of_before():
    """The plain take is the sample that a system always made, beside whatever others there are."""
    plain = wanted_of(candidate())
    both = wanted_of(taking([Take(), Take(temperature=1.2)]))
    assert ids(plain) < ids(both)
    seeds = dict(zip(both["row_id"].to_pylist(), both["seed"].to_pylist(), strict=True))
    assert {row["row_id"]: row["seed"] for row in plain.to_pylist()}.items() <= seeds.items()
    [row] = wanted_of(taking([Take(temperature=1.2)]), count=1).to_pylist()
    key = ["p0", "one", "espeak", {}, row["voice"], 1, AUDIO, {"temperature": 1.2}]
    assert row["row_id"] == row_id("sample", *key)


def test_more_takes_and_prompts_move_no_choice():
    """A take that is added may be chosen in place of another one, but the rest stands as it stood."""
    before = wanted_of(taking(PAPER[:5], 2), count=20)
    assert ids(before) == ids(wanted_of(taking(list(reversed(PAPER[:5])), 2), count=20))
    assert ids(before) < ids(wanted_of(taking(PAPER[:5], 2)))
    one, more = ({t for n in range(50) for t in [chosen_takes(takes, 2, seed=1, system="s", prompt_id=f"p{n}")[0]]}
                 for takes in (PAPER[:5], PAPER))  # fmt: skip
    assert one <= set(PAPER[:5])
    assert more > one


def test_the_seed_of_a_take_is_the_engine_s():
    rows = wanted_of(taking([Take(seed=7), Take(seed=8)]), count=3).to_pylist()
    assert Counter(row["seed"] for row in rows) == {7: 3, 8: 3}


def test_takes_of_one_system_make_intra_pairs():
    """N takes of each of two systems: n(n-1)/2 intra pairs for each, and n * n inter pairs."""
    two = wanted_of(taking(PAPER, 3), taking(PAPER, 3, name="two"), count=5)
    samples = two.rename_columns({"row_id": "sample_id", "subject_id": "prompt_id"})
    made = pairs(samples, seed=1)
    assert Counter(made["kind"].to_pylist()) == {"intra": 5 * 2 * 3, "inter": 5 * 3 * 3}


def test_later_tries_have_seeds_of_their_own():
    assert seed_of_try(5, "s", 0) == 5
    later = [seed_of_try(5, sample, number) for sample in ("s", "t") for number in range(1, 20)]
    assert len(set(later)) == 38
    assert all(0 <= seed < 2**31 for seed in later)
    assert (count_tries(None), count_tries('[{"seed":1},{"seed":2}]')) == (0, 2)


def test_chance_is_told_from_what_stays():
    """What lies in the text, the reference or the set-up is not tried again; an exception is."""
    assert all(map(is_by_chance, ("empty", "too_long", "engine_crash", "worker_died", "IndexError")))
    lasting = ("empty_text", "unsupported_language", "no_reference", "damaged_audio", "wrong_rate", "content_policy_violation")
    assert not any(map(is_by_chance, lasting))


LENGTHENED = [name for name in plugins.names("engine") if "duration_factor" in varies_by(plugins.configure("engine", name))]


def seconds(session, voice, **changes):
    [answer] = session.render([RenderRequest(text=TEXT, language="en", voice=voice, seed=1, reference=None, **changes)])
    assert isinstance(answer, Waveform), answer
    return len(answer.samples) / answer.sample_rate_hz


@pytest.mark.parametrize("options", [None, "slow"])
@pytest.mark.parametrize("name", [name for name in LENGTHENED if not plugins.configure("engine", name).clones_voice])
def test_a_duration_factor_lengthens_the_speech(name, options):
    """By about itself, for each voice, on top of the engine's own speed; a clip of factor 1 is as long as one without."""
    slow = {"espeak": {"words_per_minute": 130}, "flite": {"duration_stretch": 1.3},
            "piper": {"length_scale": 1.3}, "kokoro": {"speed": 0.8}}  # fmt: skip
    engine = plugins.configure("engine", name, slow[name] if options else {})
    if advice := engine.missing():
        pytest.skip(f"{name}: {advice}")
    session = engine.open()
    for voice in [voice.name for voice in engine.voices()][: 2 if name == "kokoro" else None]:
        plain, short, same, long = (seconds(session, voice, duration_factor=factor) for factor in (None, 0.8, 1.0, 1.25))
        assert same == plain
        assert short / plain == pytest.approx(0.8, abs=0.08), (voice, short, plain)
        assert long / plain == pytest.approx(1.25, abs=0.12), (voice, long, plain)  # sounds last whole frames


def test_an_engine_refuses_takes_that_it_cannot_make():
    engine = plugins.configure("engine", "espeak")
    if shutil.which("espeak-ng") is None:
        pytest.skip("apt-get install espeak-ng")
    requests = [
        RenderRequest(text=TEXT, language="en", voice="en-us", seed=1, reference=None, **take)
        for take in ({"temperature": 1.0}, {"duration_factor": 10.0})
    ]
    hot, endless = engine.open().render(requests)
    assert isinstance(hot, Failure)
    assert (hot.reason, hot.message) == ("unsupported_take", "this engine has no temperature for takes")
    assert endless.reason == "unsupported_take"
    assert "18 words per minute; between 80 and 450" in endless.message
