"""A small corpus of rated clips for demonstrations: recordings of people, made worse by known steps.

``python -m synth.degraded_speech FOLDER`` takes recordings that Debian packages carry (``corpora.asterisk_prompts`` and
``corpora.pocketsphinx_librivox``) and writes a manifest of each under each condition. **The ratings are computed**: nobody
listened. They are whole numbers by four simulated raters on the scale ``simulated_mos``, and follow the condition.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile

from contracts.errors import SetupError
from contracts.folder_argument import folder_argument
from contracts.jobs import Failure
from corpora.asterisk_prompts import AsteriskPrompts
from corpora.dummies import scores, write_table
from corpora.pocketsphinx_librivox import PocketsphinxLibrivox
from corpora.root import Root
from synth.recording import decode

SCALE: Final = "simulated_mos"
RATERS: Final = 4

Signal = npt.NDArray[np.float64]

CONDITIONS: Final = {
    "clean": 1.0,
    "noise 30 dB": 0.8,
    "noise 15 dB": 0.45,
    "noise 0 dB": 0.1,
    "low-pass 3400 Hz": 0.6,
    "low-pass 1000 Hz": 0.25,
    "clipped 1 %": 0.7,
    "clipped 10 %": 0.3,
}
"""Condition -> quality from 0 to 1 that the simulated raters hear: signal-to-noise ratio, cut-off, share of clipped samples."""

_SECONDS: Final = (2.0, 7.5)


def degraded(sound: Signal, rate_hz: int, condition: str, seed: int) -> Signal:
    """Return a recording under a condition; it is as loud as before, but for the noise that is added.

    Args:
        sound: samples in [-1, 1].
        rate_hz: their rate.
        condition: one of ``CONDITIONS``.
        seed: decides the noise.

    Raises:
        ValueError: there is no such condition.
    """
    match condition.split():
        case ["clean"]:
            return sound
        case ["noise", ratio, "dB"]:
            noise = np.random.default_rng(seed).standard_normal(len(sound))
            noise *= np.sqrt(np.mean(sound**2) / np.mean(noise**2)) * 10 ** (-float(ratio) / 20)
            return sound + noise
        case ["low-pass", cutoff, "Hz"]:
            spectrum = np.fft.rfft(sound)
            spectrum[np.fft.rfftfreq(len(sound), 1 / rate_hz) > float(cutoff)] = 0
            low: Signal = np.fft.irfft(spectrum, len(sound))
            return low
        case ["clipped", share, "%"]:
            limit = np.quantile(np.abs(sound), 1 - float(share) / 100)
            return sound.clip(-limit, limit)
    raise ValueError(f"no condition {condition!r}; there are {', '.join(CONDITIONS)}")


def write(folder: str | Path, *, contents: int = 16, seed: int = 0) -> Path:
    """Write the corpus: ``manifest.csv``, ``ratings.csv`` and ``clips``. The same arguments give the same files.

    Args:
        folder: where to write; it is made if it is not there.
        contents: how many recordings are taken, each under every condition.
        seed: decides which recordings, the noise and the ratings.

    Returns:
        The folder.

    Raises:
        SetupError: the packages that carry the recordings are not installed, or hold fewer.
    """
    folder = Path(folder)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    clips, votes = list[dict[str, Any]](), list[dict[str, Any]]()
    for number, (row, sound, rate_hz) in enumerate(_recordings(contents, seed)):
        for place, (condition, quality) in enumerate(CONDITIONS.items()):
            name = f"c{number}_{place}"
            made = degraded(sound, rate_hz, condition, seed + number)
            soundfile.write(folder / "clips" / f"{name}.wav", made.clip(-1, 1), rate_hz, subtype="PCM_16")
            given = scores(quality, RATERS, name, seed)
            votes += [{"id": name, "rater": f"simulated{n}", "scale": SCALE, "score": score} for n, score in enumerate(given)]
            clips.append(
                {
                    "id": name,
                    "audio": f"clips/{name}.wav",
                    "text": row["text"],
                    "content_id": f"c{number}",
                    "speaker": row["speaker_id"],
                    "condition": condition,
                    "language": "en",
                    "license": row["license"],
                }
            )
    write_table(folder / "manifest.csv", clips)
    write_table(folder / "ratings.csv", votes)
    return folder


def _recordings(contents: int, seed: int) -> Iterator[tuple[dict[str, Any], Signal, int]]:
    """Yield so many recordings of two speakers: row, samples at half of full scale, and rate."""
    found = list[tuple[dict[str, Any], str]]()
    for reader in (PocketsphinxLibrivox(), AsteriskPrompts()):
        root = reader.DEFAULT_ROOT or ""
        rows = [row for batch in reader.read(root) for row in batch.to_pylist() if row["problem"] is None]
        usable = [row for row in rows if _SECONDS[0] <= (row["duration_s"] or 0) <= _SECONDS[1]]
        order = np.random.default_rng(seed).permutation(len(usable))
        found += [(usable[place], root) for place in order]
    if len(found) < contents:
        raise SetupError(f"there are {len(found)} recordings of {_SECONDS[0]:g} to {_SECONDS[1]:g} s, not {contents}")
    for row, root in found[:contents]:
        heard = decode(Root(row["corpus"], root).read(row["audio_path"]), row["audio_path"])
        if isinstance(heard, Failure):
            raise SetupError(f"{root}/{row['audio_path']}: {heard.message}: install its package again")
        sound = heard.samples.astype(np.float64)
        yield row, sound / np.abs(sound).max() / 2, heard.sample_rate_hz


if __name__ == "__main__":
    print(write(folder_argument("synth.degraded_speech", __doc__)))
