"""A transfer towards real speakers: measured by what knows nothing of WORLD."""

from pathlib import Path

import numpy as np
import pytest

from contracts import plugins
from contracts.errors import RecipeError
from contracts.jobs import Failure
from scoring.pitch import track_pitch
from scoring.speaker import ResemblyzerEncoder
from synth.engine import Reference, RenderRequest, Waveform
from synth.engines.world_transfer import WorldTransfer, transferred, voice_statistics
from synth.resampling import resample

PROMPT = Path("/usr/share/asterisk/sounds/en_US_f_Allison/vm-intro.g722")
TEXT = "The train to the coast leaves at half past nine every morning."


@pytest.fixture(scope="module")
def speaker() -> Reference:
    """A woman's voice prompt; the voices that speak are those of men."""
    av = pytest.importorskip("av")
    if not PROMPT.is_file():
        pytest.skip("apt-get install asterisk-core-sounds-en-g722")
    with av.open(str(PROMPT), format="g722") as container:
        pcm = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    return Reference(waveform=(pcm / 32768.0).astype(np.float32), sample_rate_hz=16000, text=None)


def spoken(engine, reference: Reference | None, text: str = TEXT) -> np.ndarray:
    """16 kHz speech of an engine's first voice."""
    if problem := engine.missing():
        pytest.skip(problem)
    request = RenderRequest(text=text, language="en", voice=engine.voices()[0].name, seed=1, reference=reference)
    (answer,) = engine.open().render([request])
    assert isinstance(answer, Waveform), answer
    return resample(answer.samples, answer.sample_rate_hz, 16000)


def median_f0(waveform: np.ndarray) -> float:
    """Of voiced frames, by this project's own tracker."""
    track = track_pitch(waveform, 16000)
    return float(np.median(track.f0_hz[track.voiced]))


@pytest.mark.parametrize("source", ["piper", "flite"])
def test_the_voice_moves_towards_the_speaker(source, speaker):
    """A speaker encoder hears more of the reference than in the voice that spoke, and the pitch is that of the reference."""
    pytest.importorskip("resemblyzer")
    own = spoken(plugins.configure("engine", source), None)
    moved = spoken(WorldTransfer(source=source), speaker)
    encoder = ResemblyzerEncoder()
    before, after = (float(encoder.embed(clip) @ encoder.embed(speaker.waveform)) for clip in (own, moved))
    assert after > before + 0.05
    assert median_f0(moved) == pytest.approx(median_f0(speaker.waveform), rel=0.12)
    assert median_f0(own) < median_f0(speaker.waveform) - 30
    assert len(moved) == len(own)


def test_speech_moved_to_its_own_voice_stays_as_it_was(speaker):
    """Same pitch, same envelope: what WORLD loses is all that changes."""
    own = voice_statistics(speaker.waveform)
    back = voice_statistics(transferred(speaker.waveform, own))
    assert back.f0_median == pytest.approx(own.f0_median, abs=0.02)
    assert back.f0_deviation == pytest.approx(own.f0_deviation, rel=0.15)


def test_intonation_scales_the_spread_of_the_pitch(speaker):
    """As this project's own tracker hears it; the params of a clip say so, and those of the plain one are as before."""
    spreads = {}
    for intonation in (0.1, 1.0, 2.0):
        engine = WorldTransfer(source="flite", intonation=intonation)
        track = track_pitch(spoken(engine, speaker), 16000)
        low, high = np.percentile(np.log(track.f0_hz[track.voiced]), [16, 84])
        spreads[intonation] = high - low
    assert spreads[0.1] < 0.5 * spreads[1.0]
    assert spreads[2.0] > 1.4 * spreads[1.0]
    assert "intonation" not in WorldTransfer(source="flite").params()
    assert WorldTransfer(source="flite", intonation=2).params()["intonation"] == 2


def test_a_reference_without_a_voice_is_a_failure():
    """Noise has no pitch to move to; the message says what is missing."""
    engine = WorldTransfer(source="flite")
    if problem := engine.missing():
        pytest.skip(problem)
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    silence = np.zeros(16000, np.float32)
    references = [Reference(waveform=one, sample_rate_hz=16000, text=None) for one in (noise, silence)]
    requests = [RenderRequest(text=TEXT, language="en", voice="reference", seed=1, reference=one) for one in references]
    answers = list(engine.open().render(requests))
    assert [answer.reason for answer in answers if isinstance(answer, Failure)] == ["reference_without_voice"] * 2


def test_it_speaks_as_its_source_does():
    """Languages, alphabet, control syntax, licence and the name in the rows are those of what speaks."""
    engine = WorldTransfer(source="flite", source_voice="slt")
    source = plugins.configure("engine", "flite")
    (voice,) = engine.voices()
    slt = next(one for one in source.voices() if one.name == "slt")
    assert (engine.languages, engine.ascii_only) == (source.languages, source.ascii_only)
    assert (voice.license, voice.model) == (slt.license, f"WORLD over {slt.model}")
    assert engine.params()["source_voice"] == "slt"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "world_transfer"}, "clones voices itself"),
        ({"source": "xtts"}, "clones voices itself"),
        ({"source": "openai_speech"}, "is a service"),
        ({"source": "flite", "source_voice": "nobody"}, "no voice 'nobody'"),
        ({"source": "flute"}, "flute"),
        ({"source": "flite", "source_options": {"sped": 2}}, "no option 'sped'"),
    ],
)
def test_a_wrong_source_is_refused_before_anything_runs(options, message):
    """A misspelt engine, voice or option, and an engine that needs a reference itself."""
    with pytest.raises(RecipeError, match=message):
        plugins.configure("engine", "world_transfer", options)
