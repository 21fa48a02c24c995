"""Degraded speech: each condition measured by what it says of itself, and ratings that follow it."""

import csv

import numpy as np
import pytest
from scipy.stats import spearmanr

from corpora.manifest import Manifest
from synth.degraded_speech import CONDITIONS, SCALE, degraded, write

RATE = 16000
SOUND = 0.3 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE) + 0.1 * np.sin(2 * np.pi * 2500 * np.arange(RATE) / RATE)


@pytest.mark.parametrize("ratio", [30, 15, 0])
def test_noise_has_its_ratio(ratio):
    noise = degraded(SOUND, RATE, f"noise {ratio} dB", 0) - SOUND
    assert 10 * np.log10(np.mean(SOUND**2) / np.mean(noise**2)) == pytest.approx(ratio)


@pytest.mark.parametrize("cutoff", [3400, 1000])
def test_a_low_pass_ends_at_its_frequency(cutoff):
    """200 Hz stays, 2500 Hz stays below 3400 Hz only."""
    spectrum = np.abs(np.fft.rfft(degraded(SOUND, RATE, f"low-pass {cutoff} Hz", 0))) * 2 / RATE
    assert spectrum[200] == pytest.approx(0.3)
    assert spectrum[2500] == pytest.approx(0.1 if cutoff > 2500 else 0, abs=1e-9)


@pytest.mark.parametrize("share", [1, 10])
def test_so_many_samples_are_clipped(share):
    made = degraded(SOUND, RATE, f"clipped {share} %", 0)
    assert np.mean(np.abs(made) >= np.abs(made).max() - 1e-12) == pytest.approx(share / 100, abs=0.005)


def test_an_unknown_condition_is_refused():
    with pytest.raises(ValueError, match="no condition 'muffled'; there are clean, noise 30 dB"):
        degraded(SOUND, RATE, "muffled", 0)


def test_the_corpus_is_one_that_the_reader_takes_whole(tmp_path):
    """Every recording under every condition, simulated raters who follow the condition, and the same files again."""
    write(tmp_path / "one", contents=6)
    write(tmp_path / "two", contents=6)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)
    rows = [row for batch in Manifest().read(str(tmp_path / "one")) for row in batch.to_pylist()]
    assert len(rows) == 6 * len(CONDITIONS)
    assert {row["problem"] for row in rows} == {None}
    assert len({row["speaker_id"] for row in rows}) == 2
    assert {rating["scale"] for row in rows for rating in row["ratings"]} == {SCALE}
    assert all(rating["rater"].startswith("simulated") for row in rows for rating in row["ratings"])
    means = [np.mean([rating["score"] for rating in row["ratings"]]) for row in rows]
    assert spearmanr(means, [CONDITIONS[row["condition"]] for row in rows]).statistic > 0.9
    with (tmp_path / "one" / "manifest.csv").open(newline="") as file:
        assert {row["license"] for row in csv.DictReader(file)} == {"BSD-2-Clause", "CC-BY-SA-3.0"}
