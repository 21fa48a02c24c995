"""Acoustic features of real speech beside those of Praat's own library."""

import numpy as np
import parselmouth
import pytest

from scoring.metric import MetricRequest
from scoring.metrics.acoustics import Acoustics
from scoring.pitch import CEILING_HZ, FLOOR_HZ, HOP_S, track_pitch
from tests.scoring.test_prosody import RATE


def measure(waveform):
    request = MetricRequest(sample_id="x", waveform=waveform, sample_rate_hz=RATE, text="one two", language="en")
    (answer,) = Acoustics().open().measure([request])
    return answer.values


class Praat:
    """The same clip in Praat, with the settings of ``scoring.pitch``."""

    def __init__(self, waveform):
        self.sound = parselmouth.Sound(waveform.astype(np.float64), RATE)
        self.pitch = self.sound.to_pitch_ac(HOP_S, FLOOR_HZ, 15, False, 0.03, 0.45, 0.01, 0.35, 0.14, CEILING_HZ)
        self.pulses = parselmouth.praat.call([self.sound, self.pitch], "To PointProcess (cc)")

    def f0_hz(self):
        values = self.pitch.selected_array["frequency"]
        return values[values > 0]

    def hnr_db(self):
        strength = self.pitch.selected_array["strength"][self.pitch.selected_array["frequency"] > 0]
        return np.median(10 * np.log10(strength / (1 - strength)))

    def jitter_percent(self):
        return 100 * parselmouth.praat.call(self.pulses, "Get jitter (local)", 0, 0, 1e-4, 0.02, 1.3)

    def shimmer_percent(self):
        both = [self.sound, self.pulses]
        return 100 * parselmouth.praat.call(both, "Get shimmer (local)", 0, 0, 1e-4, 0.02, 1.3, 1.6)

    def tilt_db_per_octave(self):
        spectrum = parselmouth.praat.call(self.sound, "To Ltas", 100)
        bins = range(1, parselmouth.praat.call(spectrum, "Get number of bins") + 1)
        hz = np.array([parselmouth.praat.call(spectrum, "Get frequency from bin number", n) for n in bins])
        db = np.array([parselmouth.praat.call(spectrum, "Get value in bin", n) for n in bins])
        used = (hz >= 100) & (hz <= 5000)
        return np.polyfit(np.log2(hz[used]), db[used], 1)[0]


@pytest.fixture(scope="module")
def clips(reader, speaker):
    return [recording.waveform for recording in (*reader, *speaker)]


def test_voice_quality_agrees_with_praat(clips):
    """Jitter within 0.3 and shimmer within 1 percentage point, tilt within 0.3 dB an octave, on two human voices."""
    for clip in clips:
        values, praat = measure(clip), Praat(clip)
        assert values["jitter_percent"] == pytest.approx(praat.jitter_percent(), abs=0.3)
        assert values["shimmer_percent"] == pytest.approx(praat.shimmer_percent(), abs=1.0)
        assert values["spectral_tilt_db_per_octave"] == pytest.approx(praat.tilt_db_per_octave(), abs=0.3)


def test_pitch_and_hnr_agree_with_praat(clips):
    """Median F0 of all voiced frames within 1 Hz, their median HNR within 0.6 dB."""
    for clip in clips:
        track, praat = track_pitch(clip, RATE), Praat(clip)
        periodicity = track.periodicity[track.voiced]
        assert np.median(track.f0_hz[track.voiced]) == pytest.approx(np.median(praat.f0_hz()), abs=1.0)
        assert np.median(10 * np.log10(periodicity / (1 - periodicity))) == pytest.approx(praat.hnr_db(), abs=0.6)
