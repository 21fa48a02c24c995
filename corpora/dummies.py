"""Builders of small corpora for tests and demonstrations: real files, generated deterministically from the arguments."""

import csv
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile

from contracts.rng import generator_for

_RATE: Final = 16000
_SCALE: Final = (1, 5)
_FORMANTS_HZ: Final = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""Of five vowels (Peterson and Barney 1952, table II, men)."""

_VOICES_HZ: Final = (110.0, 205.0)
_CONDITIONS: Final = ("clean", "noise 20 dB")
Signal = npt.NDArray[np.float64]


def rated_manifest(
    folder: str | Path, *, contents: int = 6, systems: int = 3, raters: int = 4, scale: str = "mos", seed: int = 0
) -> Path:
    """Write a manifest of rated clips: every system says every content, every rater rates every clip.

    The clips are chains of vowels that say no words, so there are no texts: read it with ``text: optional``. The first system
    is the best one; each following one is noisier and duller. Ratings are computed: whole numbers from 1 to 5 that follow the
    quality of the clip, with a bias per rater and noise. ``manifest.csv`` has their means, ``ratings.csv`` has each of them.
    Contents alternate between two speakers; the last one is the corpus's split ``test``, the one before ``dev``, all others
    ``train``. Every third content is of the condition ``noise 20 dB``, with lower quality.

    Args:
        folder: where to write; it is made if it is not there.
        contents: how many things are said.
        systems: how many say them.
        raters: how many rate.
        scale: name of the scale.
        seed: decides sounds and ratings.

    Returns:
        The folder.

    Raises:
        ValueError: there is nothing to write.
    """
    if min(contents, systems, raters) < 1:
        raise ValueError(f"contents, systems and raters must be 1 or more, got {contents}, {systems} and {raters}")
    folder = Path(folder)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    clips, votes = list[dict[str, Any]](), list[dict[str, Any]]()
    for content in range(contents):
        sound = vowels(content, seed)
        noisy = content % 3 == 2
        for system in range(systems):
            name = f"c{content + 1}_s{system + 1}"
            quality = (1 - system / systems) * (0.7 if noisy else 1.0)
            soundfile.write(folder / "clips" / f"{name}.wav", spoken(sound, quality, name, seed), _RATE, subtype="PCM_16")
            given = scores(quality, raters, name, seed)
            votes += [{"id": name, "rater": f"r{n}", "scale": scale, "score": score} for n, score in enumerate(given, start=1)]
            clips.append(
                {
                    "id": name,
                    "audio": f"clips/{name}.wav",
                    "content_id": f"c{content + 1}",
                    "system": f"s{system + 1}",
                    "speaker": f"speaker{content % len(_VOICES_HZ) + 1}",
                    "condition": _CONDITIONS[noisy],
                    "split": {contents - 1: "test", contents - 2: "dev"}.get(content, "train"),
                    "language": "en",
                    "license": "CC0-1.0",
                    f"rating.{scale}": float(np.mean(given)),
                    f"rating.{scale}.raters": raters,
                    f"rating.{scale}.std": float(np.std(given, ddof=1)) if raters > 1 else "",
                }
            )
    write_table(folder / "manifest.csv", clips)
    write_table(folder / "ratings.csv", votes)
    return folder


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV, with the keys of the first one as header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def vowels(content: int, seed: int) -> Signal:
    """Return a chain of vowels at -20 dBFS: a buzz of falling pitch through three resonances, a fifth of a second each."""
    rng = generator_for(seed, "dummy vowels", str(content))
    pieces = []
    for place in range(int(rng.integers(5, 9))):
        time = np.arange(_RATE // 5) / _RATE
        pitch = _VOICES_HZ[content % len(_VOICES_HZ)] * (1.1 - 0.03 * place) * (1 + 0.02 * np.sin(2 * np.pi * 5 * time))
        phase = np.cumsum(pitch) / _RATE
        sound = np.diff(np.floor(phase), prepend=0.0) + 0.02 * rng.standard_normal(len(time))
        for formant in _FORMANTS_HZ[int(rng.integers(len(_FORMANTS_HZ)))]:
            radius = np.exp(-np.pi * 90 / _RATE)
            sound = _filtered(sound, 1.0, -2 * radius * np.cos(2 * np.pi * formant / _RATE), radius**2)
        pieces.append(sound / np.abs(sound).max() * np.sin(np.pi * time / time[-1]) ** 0.5)
    chain: Signal = np.concatenate(pieces)
    chain *= 0.1 / chain.std()
    return chain


def _filtered(sound: Signal, *feedback: float) -> Signal:
    """Return a sound behind an all-pole filter, applied to its spectrum."""
    filtered: Signal = np.fft.irfft(np.fft.rfft(sound) / np.fft.rfft(feedback, len(sound)), len(sound))
    return filtered


def spoken(sound: Signal, quality: float, clip: str, seed: int) -> Signal:
    """Return a sound as a system of this quality (0 to 1) says it: behind noise of 5 to 40 dB, and dull."""
    noise = generator_for(seed, "dummy noise", clip).standard_normal(len(sound)) * sound.std()
    keep = 0.3 + 0.7 * quality
    dull = keep * _filtered(sound, 1.0, keep - 1.0)
    dull += noise * 10 ** (-(5 + 35 * quality) / 20)
    return dull.clip(-1.0, 1.0)


def scores(quality: float, raters: int, clip: str, seed: int) -> list[int]:
    """Return one whole number per rater: the quality of the clip, with the bias of the rater and noise."""
    lowest, highest = _SCALE
    bias = generator_for(seed, "dummy ratings", "raters").normal(0.0, 0.3, raters)
    noise = generator_for(seed, "dummy ratings", clip).normal(0.0, 0.4, raters)
    heard = lowest + (highest - lowest) * quality + bias + noise
    return [int(score) for score in np.clip(np.round(heard), lowest, highest)]
