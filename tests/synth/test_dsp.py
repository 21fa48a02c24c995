"""Standard clips: equal rate, band, loudness and lead-in, whatever came in."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter, welch

from contracts.errors import DataError
from contracts.ids import row_id
from synth.dsp import AudioFormat, Clip, OriginalFormat, format_literals, in_band, normalise, original_clip
from synth.engine import Waveform
from synth.resampling import resample

AUDIO = AudioFormat()


def speech_like(rate: int, seconds: float = 2.0, level: float = 0.1, lead_s: float = 0.3) -> Waveform:
    """Noise in syllables that falls off as speech does, up to the full bandwidth of its rate, between silences."""
    rng = np.random.default_rng(7)
    t = np.arange(round(seconds * rate)) / rate
    burst = lfilter([1.0], [1.0, -0.7], rng.standard_normal(len(t))) * (0.3 + np.sin(2 * np.pi * 3 * t) ** 2) * level
    silence = np.zeros(round(lead_s * rate))
    return Waveform(np.concatenate([silence, burst, silence]).astype(np.float32), rate)


def power_db(clip: Clip, low_hz: float, high_hz: float) -> float:
    """Mean power spectral density between two frequencies."""
    frequencies, density = welch(clip.pcm / 32768, clip.sample_rate_hz, window="blackmanharris", nperseg=2048)
    return float(10 * np.log10(density[(frequencies >= low_hz) & (frequencies <= high_hz)].mean()))


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 32000, 44100, 48000])
def test_every_native_rate_ends_with_the_same_band(rate):
    """Above the cutoff the spectrum lies at least 50 dB below the passband, and the passband reaches up to the cutoff's edge."""
    clip = normalise(speech_like(rate), AUDIO)
    edge = power_db(clip, 6400, 6650)
    assert power_db(clip, 7100, 7900) < edge - 50
    assert power_db(clip, 5900, 6150) == pytest.approx(edge, abs=1.0)
    assert power_db(clip, 0, 20) < power_db(clip, 100, 300) - 15


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("level", [0.005, 0.05, 0.2])
def test_loudness_is_equal_by_an_independent_meter(rate, level):
    """Torchaudio's BS.1770-4 meter reads the target on every clip, whatever its rate and level were."""
    torch = pytest.importorskip("torch")
    torchaudio = pytest.importorskip("torchaudio")
    clip = normalise(speech_like(rate, level=level), AUDIO)
    read = torchaudio.functional.loudness(torch.from_numpy(clip.pcm / 32768)[None], clip.sample_rate_hz).item()
    assert read == pytest.approx(AUDIO.loudness_lufs, abs=0.1)
    assert clip.loudness_lufs == pytest.approx(AUDIO.loudness_lufs, abs=0.05)
    assert clip.native_sample_rate_hz == rate


def test_a_clip_that_would_clip_stays_quieter_and_says_so():
    """A lone click cannot reach the target: its peak stays below full scale and the recorded loudness is the real one."""
    samples = np.random.default_rng(1).standard_normal(32000).astype(np.float32) * 0.001
    samples[16000:16016] = 0.9
    clip = normalise(Waveform(samples, 16000), AudioFormat(loudness_lufs=-12.0))
    assert np.abs(clip.pcm.astype(int)).max() <= round(32768 * 10 ** (-1 / 20))
    assert clip.loudness_lufs < -13


@pytest.mark.parametrize("lead_s", [0.0, 0.02, 0.5, 2.0])
def test_lead_in_does_not_name_the_system(lead_s):
    """However long the silence before and after was, speech starts at the same place in the clip."""
    clip = normalise(speech_like(24000, lead_s=lead_s), AUDIO)
    active = np.flatnonzero(np.abs(clip.pcm) > 0.05 * np.abs(clip.pcm).max()) / clip.sample_rate_hz
    assert active[0] == pytest.approx(AUDIO.pad_s, abs=0.02)
    assert clip.duration_s - active[-1] == pytest.approx(AUDIO.pad_s, abs=0.02)
    assert clip.duration_s == len(clip.pcm) / clip.sample_rate_hz


def test_an_offset_disappears():
    """A constant offset is no sound and leaves the clip unchanged."""
    waveform = speech_like(22050)
    plain, shifted = normalise(waveform, AUDIO), normalise(Waveform(waveform.samples + np.float32(0.2), 22050), AUDIO)
    assert len(plain.pcm) == len(shifted.pcm)
    assert np.abs(shifted.pcm.astype(int) - plain.pcm).max() <= 16  # the waveform's own mean is not quite 0


def test_a_lopsided_sound_between_digital_silence_makes_no_step():
    """Its mean is not 0, but the level that it lies on is: taking the mean out would put a step at both ends."""
    burst = np.abs(speech_like(16000, lead_s=0.0).samples)
    signal = in_band(Waveform(np.pad(burst, 8000), 16000), AUDIO)
    assert burst.mean() > 0.05
    assert np.abs(signal[:4000]).max() < 1e-6
    assert np.abs(signal[-4000:]).max() < 1e-6


@pytest.mark.parametrize(("rate", "target"), [(22050, 16000), (24000, 16000), (16000, 24000), (48000, 16000)])
def test_resampling_moves_a_tone_without_distorting_it(rate, target):
    """A 1 kHz sine at the old rate is the same sine at the new one, to 80 dB: what mathematics says, not another resampler."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)
    expected = np.sin(2 * np.pi * 1000 * np.arange(target) / target)
    error = resample(tone, rate, target)[2000:-2000] - expected[2000:-2000]
    assert 20 * np.log10(np.abs(error).max()) < -80


def test_the_same_input_gives_the_same_clip_and_the_input_is_left_alone():
    """Normalising is deterministic and pure."""
    waveform = speech_like(22050)
    before = waveform.samples.copy()
    first, second = normalise(waveform, AUDIO), normalise(waveform, AUDIO)
    assert np.array_equal(first.pcm, second.pcm)
    assert np.array_equal(waveform.samples, before)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float32, st.integers(1, 9000), elements=st.floats(-4, 4, width=32)),
    st.sampled_from([16000, 22050, 24000, 32000, 44100]),
)
def test_any_finite_waveform_becomes_a_clip_or_a_clear_error(samples, rate):
    """No input makes a clip that clips, nor a length, level or sample that is not finite."""
    try:
        clip = normalise(Waveform(samples, rate), AUDIO)
    except DataError:
        assert np.ptp(samples) < 1e-3 or len(samples) < 0.4 * rate
        return
    assert np.abs(clip.pcm.astype(int)).max() <= round(32768 * 10 ** (-1 / 20))
    assert np.isfinite(clip.loudness_lufs)
    assert clip.loudness_lufs <= AUDIO.loudness_lufs + 0.5
    assert clip.duration_s >= 2 * AUDIO.pad_s


@pytest.mark.parametrize("samples", [np.zeros(16000), np.array([]), np.full(16000, np.nan), np.full(16000, 0.3)])
def test_nothing_to_hear_is_refused(samples):
    """Silence, emptiness and NaN have no loudness and are no clip."""
    with pytest.raises(DataError):
        normalise(Waveform(samples.astype(np.float32), 16000), AUDIO)


def test_a_whole_folder_of_rates_differs_in_nothing_that_a_header_shows(tmp_path):
    """Written as WAV, clips of different sources agree in rate, channels and encoding."""
    seen = set()
    for rate in (16000, 22050, 32000):
        clip = normalise(speech_like(rate), AUDIO)
        soundfile.write(tmp_path / f"{rate}.wav", clip.pcm, clip.sample_rate_hz)
        header = soundfile.info(tmp_path / f"{rate}.wav")
        seen.add((header.samplerate, header.channels, header.subtype, abs(header.duration - 2.3) < 0.03))
    assert seen == {(16000, 1, "PCM_16", True)}


@pytest.mark.parametrize(
    "options", [{"bandwidth_hz": 8000}, {"bandwidth_hz": 10}, {"loudness_lufs": 0.0}, {"trim_db": 0.0}, {"pad_s": 0.0}]
)
def test_a_format_that_contradicts_itself_is_refused(options):
    """A bandwidth that the rate cannot carry, and other impossible settings, never reach a clip."""
    with pytest.raises(ValueError, match=next(iter(options))):
        AudioFormat(**options)


def test_a_clip_as_heard_is_the_file_to_the_bit():
    """At the clip's rate nothing is done at all: neither offset nor lead-in, click or level change."""
    pcm = np.random.default_rng(3).integers(-32768, 32768, 16000).astype(np.int16)
    pcm[:4000] = 900
    clip = original_clip(Waveform(pcm.astype(np.float32) / np.float32(32768), 16000), OriginalFormat())
    assert np.array_equal(clip.pcm, pcm)
    assert (clip.sample_rate_hz, clip.native_sample_rate_hz, clip.duration_s) == (16000, 16000, 1.0)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize("level", [0.002, 0.1])
def test_a_clip_as_heard_keeps_level_length_and_band(rate, level):
    """A resampled tone is the same tone, offset included; what its loudness is by an independent meter is noted."""
    torch = pytest.importorskip("torch")
    torchaudio = pytest.importorskip("torchaudio")

    def tone(hz):
        return level * np.sin(2 * np.pi * 440 * np.arange(2 * hz) / hz) + 0.1

    clip = original_clip(Waveform(tone(rate).astype(np.float32), rate), OriginalFormat())
    error = clip.pcm[2000:-2000] / 32768 - tone(16000)[2000:-2000]
    assert np.abs(error).max() < 1e-4
    assert (clip.duration_s, clip.native_sample_rate_hz) == (2.0, rate)
    read = torchaudio.functional.loudness(torch.from_numpy(clip.pcm / 32768)[None], 16000).item()
    assert clip.loudness_lufs == pytest.approx(read, abs=0.2)


@pytest.mark.parametrize("samples", [np.zeros(16000), np.full(9000, 1e-5), np.zeros(1), np.ones(1), np.full(16000, 3.0)])
def test_whatever_was_rated_is_a_clip(samples):
    """Silence, a single sample and what exceeds full scale: each has a loudness that a table can hold."""
    clip = original_clip(Waveform(samples.astype(np.float32), 16000), OriginalFormat())
    assert len(clip.pcm) == len(samples)
    assert np.isfinite(clip.loudness_lufs)
    assert clip.loudness_lufs >= -70
    assert clip.pcm.max() == min(round(samples[0] * 32768), 32767)


def test_as_heard_is_refused_where_there_is_nothing_and_at_absurd_rates():
    with pytest.raises(DataError):
        original_clip(Waveform(np.array([], np.float32), 16000), OriginalFormat())
    with pytest.raises(ValueError, match="sample_rate_hz"):
        OriginalFormat(sample_rate_hz=0)


def test_keys_of_clips_as_heard_are_their_own():
    """Row keys are made of a format's literals: no standard format has those of a clip as heard."""
    formats = [
        OriginalFormat(),
        OriginalFormat(sample_rate_hz=24000),
        AudioFormat(),
        AudioFormat(sample_rate_hz=24000),
        AudioFormat(trim_db=30.0),
        AudioFormat(pad_s=0.1),
    ]
    assert len({row_id("recording", "u", format_literals(audio)) for audio in formats}) == len(formats)


def test_literals_of_a_standard_format_are_those_that_keys_were_made_of():
    """Workspaces hold keys made of the recipe's audio section alone; others would have all synthesis done again."""
    assert format_literals(AudioFormat()) == {"sample_rate_hz": 16000, "bandwidth_hz": 7000, "loudness_lufs": -26.0}
